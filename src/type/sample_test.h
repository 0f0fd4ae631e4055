/* For tests: a struct with every kind under every label, values of it that depend on a seed only, and a comparison that
 * follows a descriptor member by member. */
#ifndef DOCKET_TYPE_SAMPLE_TEST_H
#define DOCKET_TYPE_SAMPLE_TEST_H

#include "base/arena.h"
#include "support/check.h"
#include "type/field.h"

#include <docket/struct.h>
#include <stdlib.h>

DOCKET_ENUM(Grade, (GRADE_BAD, -1), (GRADE_UNKNOWN, 0), (GRADE_GOOD, 7));
DOCKET_STRUCT(Point, (INT32, x), (INT32, y));
DOCKET_STRUCT(Line, (STRING, article), (INT64, cents), (LIST(STRING), tags), (STRUCT(Point), place));
DOCKET_STRUCT(Everything, (BOOL, b), (INT32, i32), (INT64, i64), (UINT32, u32), (UINT64, u64), (FLOAT, f),
              (DOUBLE, d), (STRING, text), (BYTES, bytes), (TIME_MS, time), (FIXED(3), fixed), (ENUM(Grade), grade),
              (STRUCT(Line), line), (OPTIONAL(BOOL), ob), (OPTIONAL(INT32), oi32), (OPTIONAL(INT64), oi64),
              (OPTIONAL(UINT32), ou32), (OPTIONAL(UINT64), ou64), (OPTIONAL(FLOAT), of), (OPTIONAL(DOUBLE), od),
              (OPTIONAL(STRING), otext), (OPTIONAL(BYTES), obytes), (OPTIONAL(TIME_MS), otime),
              (OPTIONAL(FIXED(3)), ofixed), (OPTIONAL(ENUM(Grade)), ograde), (LIST(BOOL), lb), (LIST(INT32), li32),
              (LIST(INT64), li64), (LIST(UINT32), lu32), (LIST(UINT64), lu64), (LIST(FLOAT), lf),
              (LIST(DOUBLE), ld), (LIST(STRING), ltext), (LIST(BYTES), lbytes), (LIST(TIME_MS), ltime),
              (LIST(FIXED(3)), lfixed), (LIST(ENUM(Grade)), lgrade), (LIST(STRUCT(Line)), lines));

static inline uint64_t sample_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Numbers of every length, zero and extremes among them. */
static inline uint64_t sample_number(uint64_t *seed)
{
    uint64_t number = sample_next(seed) >> sample_next(seed) % 64;
    switch (sample_next(seed) % 8) {
    case 0:
        return 0;
    case 1:
        return -number;
    default:
        return number;
    }
}

static inline const char *sample_text(uint64_t *seed, docket_arena *arena)
{
    static const char *const letters[] = {"a", "Z", " ", "é", "€", "😀", "\n", "0123456789abcdef"};
    size_t count = sample_next(seed) % 12;
    char *text = docket__arena_allocate(arena, count * 16 + 1, 1);
    char *end = text;
    for (size_t i = 0; i < count; i++) {
        const char *letter = letters[sample_next(seed) % 8];
        end = (char *)memcpy(end, letter, strlen(letter)) + strlen(letter);
    }
    return sample_next(seed) % 8 == 0 ? NULL : text;
}

static inline docket_bytes sample_bytes(uint64_t *seed, docket_arena *arena)
{
    size_t size = sample_next(seed) % 200;
    uint8_t *data = docket__arena_take(arena, size, 1);
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)sample_next(seed);
    }
    return (docket_bytes){data, size};
}

static inline void sample_fill(uint64_t *seed, docket_arena *arena, const docket_type *type, uint8_t *value);

/* One value of the field's kind; of a STRUCT the struct itself. */
static inline void sample_element(uint64_t *seed, docket_arena *arena, const docket_field *field, uint8_t *at)
{
    uint64_t number = sample_number(seed);
    docket_bytes bytes;
    switch (field->kind) {
    case DOCKET_KIND_BOOL:
        *at = number & 1;
        break;
    case DOCKET_KIND_STRING:
        docket__pointer_store(at, sample_text(seed, arena));
        break;
    case DOCKET_KIND_BYTES:
        bytes = sample_bytes(seed, arena);
        memcpy(at, &bytes, sizeof bytes);
        break;
    case DOCKET_KIND_FIXED:
        memset(at, (int)(number & 255), field->fixed_size);
        break;
    case DOCKET_KIND_STRUCT:
        sample_fill(seed, arena, docket__type_base(field->type), at);
        break;
    default:
        memcpy(at, &number, docket__kind_forms[field->kind].size);
    }
}

static inline void sample_list(uint64_t *seed, docket_arena *arena, const docket_field *field, uint8_t *value)
{
    size_t count = sample_next(seed) % 5;
    size_t size = docket__field_element_size(field);
    uint8_t *elements = docket__arena_allocate_array(arena, count, size, docket__field_element_alignment(field));
    for (size_t i = 0; i < count; i++) {
        sample_element(seed, arena, field, elements + i * size);
    }
    docket__pointer_store(value + field->offset, elements);
    docket__count_store(value + field->side_offset, count);
}

static inline void sample_fill(uint64_t *seed, docket_arena *arena, const docket_type *type, uint8_t *value)
{
    for (size_t i = 0; i < type->schema->field_count; i++) {
        const docket_field *field = &type->schema->fields[i];
        uint8_t *at = value + field->offset;
        if (field->label == DOCKET_LABEL_LIST) {
            sample_list(seed, arena, field, value);
        } else if (field->label == DOCKET_LABEL_OPTIONAL) {
            value[field->side_offset] = sample_next(seed) % 2 == 0;
            sample_element(seed, arena, field, at);
        } else if (field->kind == DOCKET_KIND_STRUCT && sample_next(seed) % 3 != 0) {
            const docket_type *nested = docket__type_base(field->type);
            uint8_t *place = docket__arena_allocate(arena, nested->size, docket__type_alignment(nested));
            sample_fill(seed, arena, nested, place);
            docket__pointer_store(at, place);
        } else if (field->kind != DOCKET_KIND_STRUCT) {
            sample_element(seed, arena, field, at);
        }
    }
}

/* Values of one seed are equal. Padding is set to `padding`. */
static inline Everything sample_everything(uint64_t seed, docket_arena *arena, uint8_t padding)
{
    Everything value;
    memset(&value, padding, sizeof value);
    value.line = NULL;
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    sample_fill(&state, arena, DOCKET_OF(Everything), (uint8_t *)&value);
    return value;
}

static inline void assert_same(const docket_type *type, const void *left, const void *right);

static inline void assert_same_element(const docket_field *field, const uint8_t *left, const uint8_t *right)
{
    docket_bytes one;
    docket_bytes other;
    switch (field->kind) {
    case DOCKET_KIND_STRING:
        assert_string_equal(docket__pointer_load(left), docket__pointer_load(right));
        break;
    case DOCKET_KIND_BYTES:
        one = docket__bytes_load(left);
        other = docket__bytes_load(right);
        assert_int_equal(one.size, other.size);
        assert_true((one.size == 0) == (one.data == NULL) && (one.size == 0) == (other.data == NULL));
        assert_true(one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
        break;
    case DOCKET_KIND_STRUCT:
        assert_same(field->type, left, right);
        break;
    default:
        assert_memory_equal(left, right, docket__field_element_size(field));
    }
}

static inline void assert_same_list(const docket_field *field, const uint8_t *left, const uint8_t *right)
{
    size_t count = docket__count_load(left + field->side_offset);
    size_t size = docket__field_element_size(field);
    const uint8_t *elements = docket__pointer_load(left + field->offset);
    const uint8_t *others = docket__pointer_load(right + field->offset);
    assert_int_equal(count, docket__count_load(right + field->side_offset));
    assert_true((count == 0) == (elements == NULL) && (count == 0) == (others == NULL));
    for (size_t i = 0; i < count; i++) {
        assert_same_element(field, elements + i * size, others + i * size);
    }
}

/* Both have the form of restored values and cannot be told apart by their members. */
static inline void assert_same(const docket_type *type, const void *left, const void *right)
{
    const docket_schema *schema = docket__type_base(type)->schema;
    for (size_t i = 0; i < schema->field_count; i++) {
        const docket_field *field = &schema->fields[i];
        const uint8_t *one = (const uint8_t *)left + field->offset;
        const uint8_t *other = (const uint8_t *)right + field->offset;
        bool is_absent = field->label == DOCKET_LABEL_OPTIONAL && ((const uint8_t *)left)[field->side_offset] == 0;
        if (field->label == DOCKET_LABEL_OPTIONAL) {
            assert_memory_equal((const uint8_t *)left + field->side_offset,
                                (const uint8_t *)right + field->side_offset, 1);
        }
        if (field->label == DOCKET_LABEL_LIST) {
            assert_same_list(field, left, right);
        } else if (is_absent) {
            static const uint8_t zeros[64];
            assert_memory_equal(one, zeros, docket__field_member_size(field));
            assert_memory_equal(other, zeros, docket__field_member_size(field));
        } else if (field->kind == DOCKET_KIND_STRUCT) {
            const void *nested = docket__pointer_load(one);
            const void *nested_other = docket__pointer_load(other);
            assert_true((nested == NULL) == (nested_other == NULL));
            if (nested != NULL) {
                assert_same(field->type, nested, nested_other);
            }
        } else {
            assert_same_element(field, one, other);
        }
    }
}

/* Bytes written as hex digits, with spaces between for the reader. */
static inline docket_bytes hex_bytes(docket_arena *arena, const char *digits)
{
    size_t length = strlen(digits);
    uint8_t *bytes = docket__arena_take(arena, length, 1);
    size_t size = 0;
    for (size_t i = 0; i + 1 < length; i++) {
        if (digits[i] != ' ') {
            const char pair[] = {digits[i], digits[i + 1], '\0'};
            bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
            i++;
        }
    }
    return (docket_bytes){bytes, size};
}

#endif
