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

enum { ASCII_BLOCK = 64 };

/* The loop has no exit on its way, so that compilers make a few wide instructions of it. */
static bool is_ascii_block(const uint8_t *text)
{
    uint64_t words[ASCII_BLOCK / sizeof(uint64_t)];
    uint64_t bits = 0;
    memcpy(words, text, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bits |= words[i];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

bool docket__utf8_valid(const char *text, size_t size)
{
    const uint8_t *next = (const uint8_t *)text;
    while (size > 0) {
        if (size >= ASCII_BLOCK && is_ascii_block(next)) {
            next += ASCII_BLOCK;
            size -= ASCII_BLOCK;
            continue;
        }
        if (size >= sizeof(uint64_t) && is_ascii_word(next)) {
            next += sizeof(uint64_t);
            size -= sizeof(uint64_t);
            continue;
        }
        size_t length = measure_front(next, size);
        if (length == 0) {
            return false;
        }
        next += length;
        size -= length;
    }
    return true;
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
