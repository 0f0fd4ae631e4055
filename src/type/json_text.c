/* Floating-point numbers travel as digits and a power of ten, which is all that printf and strtod then see: a decimal
 * point, the one thing about which locales differ, is never given to them, and what they write in its place is passed
 * over. */
#include "type/json.h"

#include "base/buffer.h"
#include "base/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_INDENT = 8 };

docket_status docket__json_options_read(docket_json_options *options, const docket_json_options *given,
                                        docket_error *error)
{
    docket_status status =
        docket__options_read(options, sizeof *options, given, "DOCKET_JSON_OPTIONS_INIT", error);
    if (status == DOCKET_OK && options->indent > MOST_INDENT) {
        status = docket__error_set(error, DOCKET_INVALID, "indent is %u; it may be 0 to %d", options->indent,
                                   MOST_INDENT);
    }
    return status;
}

/* ---- Names ---- */

/* As protoc makes json_name: underscores go, and the letter behind one becomes a capital. */
static void make_camel(const char *name, char camel[DOCKET__JSON_NAME])
{
    bool is_behind = false;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            is_behind = true;
            continue;
        }
        *camel++ = (char)(is_behind && *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
        is_behind = false;
    }
    *camel = '\0';
}

void docket__json_camel_name(const docket_schema *schema, const docket_field *field, char name[DOCKET__JSON_NAME])
{
    char other[DOCKET__JSON_NAME];
    make_camel(field->name, name);
    bool is_free = name[0] != '\0';
    for (size_t i = 0; i < schema->field_count && is_free; i++) {
        if (&schema->fields[i] != field) {
            make_camel(schema->fields[i].name, other);
            is_free = strcmp(other, name) != 0 && strcmp(schema->fields[i].name, name) != 0;
        }
    }
    if (!is_free) {
        memcpy(name, field->name, strlen(field->name) + 1);
    }
}

const docket_field *docket__json_find_member(const docket_schema *schema, const char *name)
{
    char camel[DOCKET__JSON_NAME];
    for (size_t i = 0; i < schema->field_count; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) {
            return &schema->fields[i];
        }
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        make_camel(schema->fields[i].name, camel);
        if (strcmp(camel, name) == 0) {
            docket__json_camel_name(schema, &schema->fields[i], camel);
            return strcmp(camel, name) == 0 ? &schema->fields[i] : NULL;
        }
    }
    return NULL;
}

/* ---- Numbers to text ---- */

/* d.ddd × 10^exponent */
typedef struct scientific {
    char digits[20];
    int count;
    int exponent;
} scientific;

static scientific take_digits(double magnitude, int precision)
{
    scientific number = {.count = 0};
    char text[48];
    snprintf(text, sizeof text, "%.*e", precision - 1, magnitude);
    const char *next = text;
    for (; *next != 'e' && *next != '\0'; next++) {
        if (*next >= '0' && *next <= '9' && number.count < precision) {
            number.digits[number.count++] = *next;
        }
    }
    number.exponent = *next == 'e' ? (int)strtol(next + 1, NULL, 10) : 0;
    return number;
}

/* The next larger number of as many digits. */
static scientific step_up(scientific number)
{
    int last = number.count - 1;
    while (last >= 0 && number.digits[last] == '9') {
        number.digits[last--] = '0';
    }
    if (last >= 0) {
        number.digits[last]++;
    } else {
        number.digits[0] = '1';
        number.exponent++;
    }
    return number;
}

static bool reads_back(const scientific *number, double magnitude, bool is_float)
{
    char text[48];
    snprintf(text, sizeof text, "%.*se%d", number->count, number->digits, number->exponent - (number->count - 1));
    return is_float ? strtof(text, NULL) == (float)magnitude : strtod(text, NULL) == magnitude;
}

/* With up to 15 digits (6 of a float) no number that has so few is missed, except below the normal range. Between two
 * powers of two the nearest number of some length is as good as any other; at a power of two the one above may still
 * read back when the nearest, below, does not. */
static scientific find_shortest(double magnitude, bool is_float)
{
    bool is_subnormal = is_float ? magnitude < 1.1754943508222875e-38 : magnitude < 2.2250738585072014e-308;
    int most = is_float ? 9 : 17;
    scientific number = {.count = 0};
    for (int precision = is_subnormal ? 1 : is_float ? 6 : 15; precision <= most; precision++) {
        number = take_digits(magnitude, precision);
        if (precision == most || reads_back(&number, magnitude, is_float)) {
            break;
        }
        scientific above = step_up(number);
        if (reads_back(&above, magnitude, is_float)) {
            number = above;
            break;
        }
    }
    while (number.count > 1 && number.digits[number.count - 1] == '0') {
        number.count--;
    }
    return number;
}

static char *put_text(char *out, const char *text, int size)
{
    memcpy(out, text, (size_t)size);
    return out + size;
}

static char *put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

/* As ECMAScript lays numbers out: an exponent from 1e21 and below 1e-6. */
static char *put_scientific(char *out, const scientific *number)
{
    int point = number->exponent + 1; /* digits before it */
    if (point > 21 || point <= -6) {
        *out++ = number->digits[0];
        if (number->count > 1) {
            *out++ = '.';
            out = put_text(out, number->digits + 1, number->count - 1);
        }
        return out + snprintf(out, 8, "e%+d", number->exponent);
    }
    if (point <= 0) {
        out = put_zeros(put_text(out, "0.", 2), -point);
        return put_text(out, number->digits, number->count);
    }
    if (number->count <= point) {
        out = put_text(out, number->digits, number->count);
        return put_zeros(out, point - number->count);
    }
    out = put_text(out, number->digits, point);
    *out++ = '.';
    return put_text(out, number->digits + point, number->count - point);
}

static size_t put_real(double value, bool is_float, char text[DOCKET__JSON_NUMBER])
{
    char *out = text;
    if (signbit(value)) {
        *out++ = '-';
    }
    if (value == 0) {
        out = signbit(value) ? put_text(out, "0.0", 3) : put_text(out, "0", 1);
    } else {
        scientific number = find_shortest(fabs(value), is_float);
        out = put_scientific(out, &number);
    }
    *out = '\0';
    return (size_t)(out - text);
}

size_t docket__json_put_double(double value, char text[DOCKET__JSON_NUMBER])
{
    return put_real(value, false, text);
}

size_t docket__json_put_float(float value, char text[DOCKET__JSON_NUMBER])
{
    return put_real((double)value, true, text);
}

/* ---- Text to numbers ---- */

/* A number as it stands in the text: digits before and behind the point, and the exponent. */
typedef struct decimal {
    bool is_negative;
    const char *whole;
    size_t whole_count;
    const char *fraction;
    size_t fraction_count;
    int64_t exponent; /* saturates */
} decimal;

enum { LARGEST_EXPONENT = 1000000000 };

static size_t count_digits(const char *next, const char *end)
{
    const char *start = next;
    while (next < end && *next >= '0' && *next <= '9') {
        next++;
    }
    return (size_t)(next - start);
}

static bool read_exponent(const char *next, const char *end, int64_t *exponent)
{
    bool is_negative = next < end && *next == '-';
    if (next < end && (*next == '-' || *next == '+')) {
        next++;
    }
    if (next == end || count_digits(next, end) != (size_t)(end - next)) {
        return false;
    }
    for (; next < end && *exponent < LARGEST_EXPONENT; next++) {
        *exponent = *exponent * 10 + (*next - '0');
    }
    *exponent = is_negative ? -*exponent : *exponent;
    return true;
}

static bool read_decimal(const char *next, size_t size, decimal *number)
{
    const char *end = next + size;
    *number = (decimal){.is_negative = size > 0 && *next == '-'};
    next += number->is_negative;
    number->whole = next;
    number->whole_count = count_digits(next, end);
    next += number->whole_count;
    if (number->whole_count == 0 || (number->whole_count > 1 && number->whole[0] == '0')) {
        return false;
    }
    if (next < end && *next == '.') {
        number->fraction = next + 1;
        number->fraction_count = count_digits(next + 1, end);
        next += 1 + number->fraction_count;
        if (number->fraction_count == 0) {
            return false;
        }
    }
    if (next < end && (*next == 'e' || *next == 'E')) {
        return read_exponent(next + 1, end, &number->exponent);
    }
    return next == end;
}

static unsigned digit_at(const decimal *number, size_t index)
{
    char digit = index < number->whole_count ? number->whole[index] : number->fraction[index - number->whole_count];
    return (unsigned)(digit - '0');
}

bool docket__json_is_number(const char *text, size_t size)
{
    decimal number;
    return read_decimal(text, size, &number);
}

bool docket__json_get_integer(const char *text, size_t size, docket__json_integer *integer)
{
    decimal number;
    if (!read_decimal(text, size, &number)) {
        return false;
    }
    size_t count = number.whole_count + number.fraction_count;
    int64_t point = (int64_t)number.whole_count + number.exponent; /* so many digits are of the integer */
    uint64_t magnitude = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = digit_at(&number, i);
        if ((int64_t)i >= point) {
            if (digit != 0) {
                return false;
            }
        } else if (__builtin_mul_overflow(magnitude, 10u, &magnitude) ||
                   __builtin_add_overflow(magnitude, digit, &magnitude)) {
            return false;
        }
    }
    for (int64_t i = (int64_t)count; i < point && magnitude != 0; i++) {
        if (__builtin_mul_overflow(magnitude, 10u, &magnitude)) {
            return false;
        }
    }
    *integer = (docket__json_integer){number.is_negative, magnitude};
    return true;
}

/* No number halfway between two doubles has more digits that count: what follows can only tip the balance. */
enum { MOST_DIGITS = 800 };

/* Writes the number as digits and an exponent, for strtod. */
static void put_digits(const decimal *number, char text[MOST_DIGITS + 32])
{
    size_t count = number->whole_count + number->fraction_count;
    size_t first = 0;
    size_t taken = 0;
    bool has_more = false;
    while (first + 1 < count && digit_at(number, first) == 0) {
        first++;
    }
    for (size_t i = first; i < count; i++) {
        unsigned digit = digit_at(number, i);
        if (taken < MOST_DIGITS) {
            text[taken++] = (char)('0' + digit);
        } else {
            has_more = has_more || digit != 0;
        }
    }
    int64_t exponent = number->exponent - (int64_t)number->fraction_count + (int64_t)(count - first - taken);
    if (has_more) {
        text[taken++] = '1';
        exponent--;
    }
    exponent = exponent > 99999 ? 99999 : exponent < -99999 ? -99999 : exponent;
    snprintf(text + taken, 16, "e%d", (int)exponent);
}

bool docket__json_get_double(const char *text, size_t size, double *value)
{
    decimal number;
    char digits[MOST_DIGITS + 32];
    if (!read_decimal(text, size, &number)) {
        return false;
    }
    put_digits(&number, digits);
    *value = strtod(digits, NULL);
    *value = number.is_negative ? -*value : *value;
    return isfinite(*value);
}

bool docket__json_get_float(const char *text, size_t size, float *value)
{
    decimal number;
    char digits[MOST_DIGITS + 32];
    if (!read_decimal(text, size, &number)) {
        return false;
    }
    put_digits(&number, digits);
    *value = strtof(digits, NULL);
    *value = number.is_negative ? -*value : *value;
    return isfinite(*value);
}

/* ---- Base64 ---- */

docket_status docket__json_put_base64(docket_buffer *out, docket_bytes bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t room = 0;
    if (__builtin_mul_overflow(bytes.size / 3 + 1, 4u, &room)) {
        return DOCKET_NO_MEMORY;
    }
    uint8_t *end = docket__buffer_reserve(out, room);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16;
        three |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        three |= left > 2 ? bytes.data[i + 2] : 0;
        *end++ = (uint8_t)alphabet[three >> 18];
        *end++ = (uint8_t)alphabet[three >> 12 & 63];
        *end++ = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
        *end++ = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
    }
    out->size = (size_t)(end - out->data);
    return DOCKET_OK;
}

/* The six bits that a character stands for, in either alphabet; 64 = none. */
static uint32_t six_bits(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return (uint32_t)(character - 'A');
    }
    if (character >= 'a' && character <= 'z') {
        return (uint32_t)(character - 'a') + 26;
    }
    if (character >= '0' && character <= '9') {
        return (uint32_t)(character - '0') + 52;
    }
    if (character == '+' || character == '-') {
        return 62;
    }
    return character == '/' || character == '_' ? 63 : 64;
}

bool docket__json_get_base64(const char *text, size_t size, uint8_t *out, size_t *out_size)
{
    uint32_t bits = 0;
    size_t written = 0;
    if (size % 4 == 0 && size > 0 && text[size - 1] == '=') {
        size -= text[size - 2] == '=' ? 2 : 1;
    }
    for (size_t i = 0; i < size; i++) {
        uint32_t six = six_bits(text[i]);
        if (six > 63) {
            return false;
        }
        bits = bits << 6 | six;
        if (i % 4 != 0) {
            out[written++] = (uint8_t)(bits >> (6 - i % 4 * 2));
        }
    }
    *out_size = written;
    uint32_t unused = size % 4 == 2 ? bits & 15 : size % 4 == 3 ? bits & 3 : 0;
    return size % 4 != 1 && unused == 0;
}
