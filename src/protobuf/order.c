/* Orders: a stable merge sort over pointers, so that hostile numbers of entries cost no more than honest ones. Before it,
 * entries of large maps go through a radix sort by the eight bytes of their keys in which most of them differ: these are
 * fetched once, where comparing keys would fetch each of them a dozen times. */
#include "protobuf/message.h"

typedef int compare_fn(const void *context, const void *first, const void *second);

static void merge(const void *const *from, const void **to, size_t low, size_t middle, size_t high,
                  compare_fn *compare, const void *context)
{
    size_t left = low;
    size_t right = middle;
    for (size_t i = low; i < high; i++) {
        bool takes_left = left < middle && (right == high || compare(context, from[left], from[right]) <= 0);
        to[i] = takes_left ? from[left++] : from[right++];
    }
}

static void sort(const void **items, const void **spare, size_t count, compare_fn *compare, const void *context)
{
    const void **from = items;
    const void **to = spare;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = middle + width < count ? middle + width : count;
            merge(from, to, low, middle, high, compare, context);
        }
        const void **merged = to;
        to = from;
        from = merged;
    }
    if (from != items) {
        memcpy(items, from, count * sizeof *items);
    }
}

static int order_of(bool is_less, bool is_greater)
{
    return is_greater - is_less;
}

static int compare_texts(const uint8_t *first, const uint8_t *second)
{
    const char *left = docket__pointer_load(first);
    const char *right = docket__pointer_load(second);
    return strcmp(left != NULL ? left : "", right != NULL ? right : "");
}

/* `key` is the field of the entries' keys. */
static int compare_keys(const void *key, const void *first, const void *second)
{
    const docket__message_field *field = key;
    const uint8_t *left = (const uint8_t *)first + field->offset;
    const uint8_t *right = (const uint8_t *)second + field->offset;
    int32_t words[2];
    int64_t wides[2];
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return compare_texts(left, right);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        memcpy(&words[0], left, sizeof words[0]);
        memcpy(&words[1], right, sizeof words[1]);
        return order_of(words[0]<words[1], words[0]> words[1]);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&wides[0], left, sizeof wides[0]);
        memcpy(&wides[1], right, sizeof wides[1]);
        return order_of(wides[0]<wides[1], wides[0]> wides[1]);
    default: {
        uint64_t numbers[2] = {docket__message_number(field->type, left),
                               docket__message_number(field->type, right)};
        return order_of(numbers[0]<numbers[1], numbers[0]> numbers[1]);
    }
    }
}

static const docket__message_field *key_of(const docket__message_field *map)
{
    return &docket__message_nested(map)->fields[0];
}

bool docket__entries_in_order(const docket__message_field *field, const void *const *entries, size_t count)
{
    const docket__message_field *key = key_of(field);
    for (size_t i = 1; i < count; i++) {
        if (compare_keys(key, entries[i - 1], entries[i]) >= 0) {
            return false;
        }
    }
    return true;
}

static const char *text_of(const docket__message_field *key, const void *entry)
{
    const char *text = docket__pointer_load((const uint8_t *)entry + key->offset);
    return text != NULL ? text : "";
}

/* How many bytes the keys have in common at their front. */
static size_t measure_common(const docket__message_field *key, const void *const *entries, size_t count)
{
    const char *first = text_of(key, entries[0]);
    size_t common = strlen(first);
    for (size_t i = 1; i < count && common > 0; i++) {
        const char *text = text_of(key, entries[i]);
        size_t length = 0;
        while (length < common && text[length] == first[length]) {
            length++;
        }
        common = length;
    }
    return common;
}

/* Eight bytes behind the common ones, the first of them the highest; of a number itself, so that order stays. */
static uint64_t rank_of(const docket__message_field *key, const void *entry, size_t common)
{
    const uint8_t *at = (const uint8_t *)entry + key->offset;
    uint64_t rank = 0;
    int32_t word;
    int64_t wide;
    switch (key->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = text_of(key, entry) + common;
        for (int shift = 56; shift >= 0 && *text != '\0'; shift -= 8) {
            rank |= (uint64_t)(uint8_t)*text++ << shift;
        }
        return rank;
    }
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        memcpy(&word, at, sizeof word);
        return (uint64_t)(int64_t)word ^ UINT64_C(1) << 63;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&wide, at, sizeof wide);
        return (uint64_t)wide ^ UINT64_C(1) << 63;
    default:
        return docket__message_number(key->type, at);
    }
}

/* One stable pass by the byte at `shift`. */
static void sort_by_byte(const docket__ranked *from, docket__ranked *to, size_t count, unsigned shift)
{
    size_t places[256] = {0};
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        places[from[i].rank >> shift & 0xff]++;
    }
    for (size_t i = 0; i < 256; i++) {
        size_t size = places[i];
        places[i] = next;
        next += size;
    }
    for (size_t i = 0; i < count; i++) {
        to[places[from[i].rank >> shift & 0xff]++] = from[i];
    }
}

/* Entries of one rank are sorted by what follows in their keys. */
static void sort_ranked(const docket__message_field *key, const void **entries, docket__ranked *room, size_t count)
{
    docket__ranked *from = room;
    docket__ranked *to = room + count;
    size_t common = key->type == PROTOBUF_C_TYPE_STRING ? measure_common(key, entries, count) : 0;
    uint64_t varying = 0;
    for (size_t i = 0; i < count; i++) {
        from[i] = (docket__ranked){rank_of(key, entries[i], common), entries[i]};
        varying |= from[i].rank ^ from[0].rank;
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((varying >> shift & 0xff) != 0) {
            sort_by_byte(from, to, count, shift);
            docket__ranked *sorted = to;
            to = from;
            from = sorted;
        }
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = from[i].entry;
    }
    const void **spare = (const void **)(void *)to;
    for (size_t low = 0, high = 0; low < count; low = high) {
        while (high < count && from[high].rank == from[low].rank) {
            high++;
        }
        if (high - low > 1) {
            sort(entries + low, spare, high - low, compare_keys, key);
        }
    }
}

enum { FEW_ENTRIES = 64 }; /* for which counting bytes would cost more than comparing keys */

size_t docket__entries_arrange(const docket__message_field *field, const void **entries, docket__ranked *room,
                               size_t count)
{
    const docket__message_field *key = key_of(field);
    if (count > FEW_ENTRIES) {
        sort_ranked(key, entries, room, count);
    } else {
        sort(entries, (const void **)(void *)room, count, compare_keys, key);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_last_of_key = i + 1 == count || compare_keys(key, entries[i], entries[i + 1]) != 0;
        if (is_last_of_key) {
            entries[kept++] = entries[i];
        }
    }
    return kept;
}

static int compare_tags(const void *context, const void *first, const void *second)
{
    const docket__unknown *left = first;
    const docket__unknown *right = second;
    (void)context;
    return order_of(left->tag<right->tag, left->tag> right->tag);
}

bool docket__unknowns_in_order(const docket__unknown *unknowns, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (unknowns[i - 1].tag > unknowns[i].tag) {
            return false;
        }
    }
    return true;
}

void docket__unknowns_arrange(const void **unknowns, const void **spare, size_t count)
{
    sort(unknowns, spare, count, compare_tags, NULL);
}
