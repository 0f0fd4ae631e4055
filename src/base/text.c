#include "base/text.h"

#include "base/error.h"

#include <string.h>

/* What may follow a lead byte: how many continuation bytes, and the range of the first of them. */
typedef struct follow {
    uint8_t count;
    uint8_t low;
    uint8_t high;
} follow;

static follow follow_lead(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        return (follow){1, 0x80, 0xbf};
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return (follow){2, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf};
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        return (follow){3, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf};
    }
    return (follow){0, 0, 0};
}

static size_t measure_front(const uint8_t *text, size_t size)
{
    if (text[0] < 0x80) {
        return 1;
    }
    follow allowed = follow_lead(text[0]);
    if (allowed.count == 0 || size <= allowed.count || text[1] < allowed.low || text[1] > allowed.high) {
        return 0;
    }
    for (size_t i = 2; i <= allowed.count; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return (size_t)allowed.count + 1;
}

size_t docket__utf8_front(const char *text, size_t size)
{
    return size == 0 ? 0 : measure_front((const uint8_t *)text, size);
}

static bool is_ascii_word(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* ---- Blocks ----
 *
 * Long texts are looked at 64 bytes at a time, with vectors that the compiler lays out for the machine. What a byte may
 * be depends on the three before it, which are loaded again, shifted. */

typedef int8_t lanes __attribute__((vector_size(16)));

enum { BLOCK = 64, LANES = sizeof(lanes) };

static inline lanes load(const uint8_t *text)
{
    lanes loaded;
    memcpy(&loaded, text, sizeof loaded);
    return loaded;
}

static inline bool is_any(lanes found)
{
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* Bytes from 0x80 on are negative. */
static inline lanes is_lead(lanes bytes, int8_t mask)
{
    return (bytes & mask) == mask;
}

/* Lanes whose byte may not stand behind the three before it, 0 elsewhere. */
static inline lanes find_misplaced(const uint8_t *text)
{
    const int8_t e0 = (int8_t)0xe0;
    const int8_t ed = (int8_t)0xed;
    const int8_t f0 = (int8_t)0xf0;
    const int8_t f4 = (int8_t)0xf4;
    lanes byte = load(text);
    lanes before = load(text - 1);
    lanes follows = is_lead(before, (int8_t)0xc0) | is_lead(load(text - 2), e0) | is_lead(load(text - 3), f0);
    lanes wrong = follows ^ (byte < (int8_t)0xc0); /* continuation bytes, and no others */
    wrong |= ((byte & (int8_t)0xfe) == (int8_t)0xc0) | ((byte > f4) & (byte < 0)); /* never in UTF-8 */
    wrong |= (before == e0) & (byte < (int8_t)0xa0);                               /* shorter forms exist */
    wrong |= (before == f0) & (byte < (int8_t)0x90);
    wrong |= (before == ed) & (byte >= (int8_t)0xa0); /* surrogates */
    wrong |= (before == f4) & (byte >= (int8_t)0x90); /* above U+10FFFF */
    return wrong;
}

/* Whether all bytes are `least` to 0x7f. */
static inline bool is_block_ascii(const uint8_t *text, int8_t least)
{
    return !is_any((load(text) < least) | (load(text + LANES) < least) | (load(text + 2 * LANES) < least) |
                   (load(text + 3 * LANES) < least));
}

static inline bool is_block_misplaced(const uint8_t *text, int8_t least)
{
    lanes wrong = {0};
    for (int i = 0; i < BLOCK; i += LANES) {
        lanes byte = load(text + i);
        wrong |= find_misplaced(text + i) | ((byte >= 0) & (byte < least));
    }
    return is_any(wrong);
}

/* The end of well-formed characters, found one by one, from `next` to `stop` or just beyond; NULL = an ill-formed one. */
static const uint8_t *skip_characters(const uint8_t *next, const uint8_t *stop, const uint8_t *end)
{
    while (next < stop) {
        if (end - next >= (ptrdiff_t)sizeof(uint64_t) && is_ascii_word(next)) {
            next += sizeof(uint64_t);
            continue;
        }
        size_t length = measure_front(next, (size_t)(end - next));
        if (length == 0) {
            return NULL;
        }
        next += length;
    }
    return next;
}

/* Where the last character before `next` begins, if it might go on behind it. */
static const uint8_t *step_back(const uint8_t *next)
{
    for (int i = 1; i <= 3; i++) {
        if (next[-i] >= 0xc0) {
            return next - i;
        }
    }
    return next;
}

/* From a place with at least three bytes before it, of which the last ends a character. */
static inline const uint8_t *skip_blocks(const uint8_t *next, const uint8_t *end, bool allows_nul)
{
    const int8_t least = allows_nul ? 0 : 1;
    for (; end - next >= BLOCK; next += BLOCK) {
        bool is_plain = next[-1] < 0x80 && is_block_ascii(next, least);
        if (!is_plain && is_block_misplaced(next, least)) {
            return NULL;
        }
    }
    return step_back(next);
}

static inline bool holds_nul(const uint8_t *from, const uint8_t *to)
{
    return from < to && memchr(from, '\0', (size_t)(to - from)) != NULL;
}

static inline bool walk(const char *text, size_t size, bool allows_nul)
{
    if (size == 0) {
        return true; /* perhaps of no text at all */
    }
    const uint8_t *next = (const uint8_t *)text;
    const uint8_t *end = next + size;
    if (size >= BLOCK + 2 * sizeof(uint64_t)) {
        const uint8_t *blocks = skip_characters(next, next + 3, end);
        bool is_good = blocks != NULL && (allows_nul || !holds_nul(next, blocks));
        next = is_good ? skip_blocks(blocks, end, allows_nul) : NULL;
    }
    return next != NULL && (allows_nul || !holds_nul(next, end)) && skip_characters(next, end, end) != NULL;
}

bool docket__utf8_valid(const char *text, size_t size)
{
    return walk(text, size, true);
}

bool docket__text_valid(const char *text, size_t size)
{
    return walk(text, size, false);
}

static bool is_control(const uint8_t *character)
{
    bool is_c1 = character[0] == 0xc2 && character[1] < 0xa0;
    return character[0] < 0x20 || character[0] == 0x7f || is_c1;
}

/* Length of the well-formed, printable character at the front, else 0. */
static size_t measure_printable(const uint8_t *text, size_t size)
{
    size_t length = measure_front(text, size);
    return length > 0 && is_control(text) ? 0 : length;
}

/* Offset of the first byte that is not part of a printable character; `size` if there is none. */
static size_t find_unprintable(const char *text, size_t size)
{
    size_t offset = 0;
    while (offset < size) {
        size_t length = measure_printable((const uint8_t *)text + offset, size - offset);
        if (length == 0) {
            break;
        }
        offset += length;
    }
    return offset;
}

bool docket__name_valid(const char *name)
{
    if (name == NULL) {
        return false;
    }
    size_t size = strnlen(name, DOCKET__NAME_BYTES + 1);
    return size > 0 && size <= DOCKET__NAME_BYTES && find_unprintable(name, size) == size;
}

docket_status docket__name_check(const char *what, const char *name, docket_error *error)
{
    if (docket__name_valid(name)) {
        return DOCKET_OK;
    }
    static const char expected[] = "must be 1 to 255 bytes of UTF-8 without control characters";
    if (name == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "%s %s, but is NULL", what, expected);
    }
    size_t size = strlen(name);
    if (size == 0) {
        return docket__error_set(error, DOCKET_INVALID, "%s %s, but is empty", what, expected);
    }
    if (size > DOCKET__NAME_BYTES) {
        return docket__error_set(error, DOCKET_INVALID, "%s %s, but has %zu bytes: \"%.60s…\"", what, expected,
                                 size, name);
    }
    return docket__error_set(error, DOCKET_INVALID, "%s %s, but \"%s\" has byte 0x%02x at offset %zu", what,
                             expected, name, (unsigned char)name[find_unprintable(name, size)],
                             find_unprintable(name, size));
}

static size_t escape_byte(char *out, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

size_t docket__text_escape(char *out, size_t capacity, const char *text, size_t size)
{
    const uint8_t *next = (const uint8_t *)text;
    const uint8_t *end = next + size;
    size_t length = 0;
    if (capacity == 0) {
        return 0;
    }
    while (next < end) {
        size_t printable = measure_printable(next, (size_t)(end - next));
        size_t needed = printable > 0 ? printable : 4;
        if (needed >= capacity - length) {
            break;
        }
        if (printable > 0) {
            memcpy(out + length, next, printable);
        } else {
            escape_byte(out + length, *next);
        }
        length += needed;
        next += printable > 0 ? printable : 1;
    }
    out[length] = '\0';
    return length;
}
