/* Orders: a stable merge sort over pointers, so that hostile numbers of entries cost no more than honest ones. */
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

size_t docket__entries_arrange(const docket__message_field *field, const void **entries, const void **spare,
                               size_t count)
{
    const docket__message_field *key = key_of(field);
    sort(entries, spare, count, compare_keys, key);
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
