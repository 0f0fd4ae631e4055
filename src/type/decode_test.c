#include "base/buffer.h"
#include "type/sample_test.h"

#include <docket/testing.h>

static docket_arena arena;

static int release_arena(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    return 0;
}

static docket_bytes encode(const docket_type *type, const void *value)
{
    docket_buffer out = {0};
    assert_status(DOCKET_OK, docket_encode(type, value, &out, NULL));
    docket_bytes bytes = docket_buffer_bytes(&out);
    bytes.data = docket__arena_copy(&arena, bytes.data, bytes.size);
    docket__buffer_release(&out);
    return bytes;
}

static Everything decode(const char *digits)
{
    Everything value = {0};
    docket_error error;
    assert_status(DOCKET_OK,
                  docket_decode(DOCKET_OF(Everything), hex_bytes(&arena, digits), &arena, &value, &error));
    assert_status(DOCKET_OK, error.status);
    return value;
}

static void assert_refused(const char *digits, const char *message)
{
    static const Everything zero;
    Everything value = {0};
    docket_error error;
    docket_bytes bytes = hex_bytes(&arena, digits);
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Everything), bytes, &arena, &value, &error));
    assert_status(DOCKET_CORRUPT, error.status);
    assert_string_equal(error.message, message);
    assert_string_equal(error.type, "Everything");
    assert_memory_equal(&value, &zero, sizeof zero);
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Everything), bytes, &arena, &value, NULL));
}

static void nothing_is_zero_with_empty_texts(void **state)
{
    (void)state;
    Everything value = {0};
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), (docket_bytes){0}, &arena, &value, NULL));
    assert_string_equal(value.text, "");
    assert_null(value.otext);
    assert_null(value.bytes.data);
    assert_null(value.line);
    assert_null(value.lines);
    assert_false(value.has_ob);
}

static void every_value_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        docket_arena memory = {0};
        Everything value = sample_everything(seed, &memory, 0xaa);
        docket_bytes bytes = encode(DOCKET_OF(Everything), &value);
        Everything back = {0};
        Everything again = {0};
        assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), bytes, &memory, &back, NULL));
        docket_bytes second = encode(DOCKET_OF(Everything), &back);
        assert_int_equal(bytes.size, second.size);
        assert_memory_equal(bytes.data, second.data, bytes.size);
        assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), second, &memory, &again, NULL));
        assert_same(DOCKET_OF(Everything), &back, &again);
        docket__arena_release(&memory);
        docket__arena_release(&arena);
    }
}

static void nothing_points_into_the_input(void **state)
{
    (void)state;
    Everything value = sample_everything(11, &arena, 0);
    docket_bytes bytes = encode(DOCKET_OF(Everything), &value);
    uint8_t *copy = malloc(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    Everything back = {0};
    Everything expected = {0};
    assert_status(DOCKET_OK,
                  docket_decode(DOCKET_OF(Everything), (docket_bytes){copy, bytes.size}, &arena, &back, NULL));
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), bytes, &arena, &expected, NULL));
    free(copy);
    assert_same(DOCKET_OF(Everything), &back, &expected);
}

static void any_order_and_packing_is_read(void **state)
{
    (void)state;
    Everything value = decode("42 01 62  d801 01  8a02 01 78  08 01  da01 02 0203  8a02 01 79  d801 04");
    assert_string_equal(value.text, "b");
    assert_true(value.b);
    assert_int_equal(value.li32_count, 4);
    assert_memory_equal(value.li32, ((const int32_t[]){1, 2, 3, 4}), 16);
    assert_int_equal(value.ltext_count, 2);
    assert_string_equal(value.ltext[0], "x");
    assert_string_equal(value.ltext[1], "y");
    value = decode("fd01 0000c03f  fa01 08 0000004000004040  da01 00");
    assert_int_equal(value.lf_count, 3);
    assert_memory_equal(value.lf, ((const float[]){1.5f, 2.0f, 3.0f}), 12);
    assert_int_equal(value.li32_count, 0);
    assert_null(value.li32);
}

static void last_of_several_wins(void **state)
{
    (void)state;
    Everything value = decode("10 01  10 02  42 01 61  42 01 62  6a 05 0a 01 61 10 07  6a 03 0a 01 62  10 00");
    assert_int_equal(value.i32, 0);
    assert_string_equal(value.text, "b");
    assert_string_equal(value.line->article, "b");
    assert_int_equal(value.line->cents, 0);
}

static void explicit_zeros_are_read(void **state)
{
    (void)state;
    Everything value = decode("08 00  35 00000000  42 00  4a 00  6a 00  70 00");
    assert_false(value.b);
    assert_null(value.bytes.data);
    assert_non_null(value.line);
    assert_string_equal(value.line->article, "");
    assert_true(value.has_ob);
    assert_false(value.ob);
}

static void unknown_numbers_of_an_enum_are_kept(void **state)
{
    (void)state;
    assert_int_equal(decode("60 e707").grade, 999);
    assert_int_equal(decode("60 ffffffffffffffffff01").grade, -1);
}

static void nan_keeps_its_payload(void **state)
{
    (void)state;
    const uint64_t bits = UINT64_C(0x7ff4dead0000beef);
    const uint32_t narrow = 0xffa00001;
    Everything value = decode("39 efbe0000addef47f  35 0100a0ff");
    assert_memory_equal(&value.d, &bits, sizeof bits);
    assert_memory_equal(&value.f, &narrow, sizeof narrow);
}

static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    assert_refused("00 00", "Everything: no field number at byte 0");
    assert_refused("80", "Everything: no field number at byte 0");
    assert_refused("8000 01", "Everything: no field number at byte 0");
    assert_refused("f8ffffffff01 00", "Everything: no field number at byte 0");
    assert_refused("08 01 ba02 00", "Everything: unknown field number 39 at byte 2");
    assert_refused("0d 00000000", "Everything.b: wrong wire type at byte 0");
    assert_refused("0b", "Everything.b: wrong wire type at byte 0");
    assert_refused("0a 01 01", "Everything.b: wrong wire type at byte 0");
    assert_refused("40 01", "Everything.text: wrong wire type at byte 0");
    assert_refused("8802 01", "Everything.ltext: wrong wire type at byte 0");
    assert_refused("10", "Everything.i32: no well-formed varint at byte 0");
    assert_refused("10 80", "Everything.i32: no well-formed varint at byte 0");
    assert_refused("10 8000", "Everything.i32: no well-formed varint at byte 0");
    assert_refused("18 ffffffffffffffffff02", "Everything.i64: no well-formed varint at byte 0");
    assert_refused("18 ffffffffffffffffffff01", "Everything.i64: no well-formed varint at byte 0");
    assert_refused("35 000000", "Everything.f: bytes are missing at byte 0");
    assert_refused("39 00000000000000", "Everything.d: bytes are missing at byte 0");
    assert_refused("42 02 61", "Everything.text: length beyond the end at byte 0");
    assert_refused("42 ffffffffffffffffff01 61", "Everything.text: length beyond the end at byte 0");
    assert_refused("6a 02 42 05 6161616161", "Everything.line: unknown field number 8 at byte 2");
    assert_refused("6a 02 0a 05 6161616161", "Everything.line.article: length beyond the end at byte 2");
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_refused("08 02", "Everything.b: number out of range at byte 0");
    assert_refused("10 8080808008", "Everything.i32: number out of range at byte 0");
    assert_refused("10 ffffffff0f", "Everything.i32: number out of range at byte 0");
    assert_refused("20 8080808010", "Everything.u32: number out of range at byte 0");
    assert_refused("60 8080808008", "Everything.grade: number out of range at byte 0");
    assert_refused("d201 02 0002", "Everything.lb[1]: number out of range at byte 0");
    assert_refused("42 02 6100", "Everything.text: text that is not UTF-8 without NUL at byte 0");
    assert_refused("42 01 ff", "Everything.text: text that is not UTF-8 without NUL at byte 0");
    assert_refused("8a02 01 61 8a02 01 ff", "Everything.ltext[1]: text that is not UTF-8 without NUL at byte 4");
    assert_refused("5a 02 0000", "Everything.fixed: another length than the fixed one at byte 0");
    assert_refused("a202 04 00000000", "Everything.lfixed[0]: another length than the fixed one at byte 0");
    assert_refused("da01 02 0180", "Everything.li32: no well-formed varint at byte 0");
    assert_refused("fa01 03 000000", "Everything.lf: bytes are missing at byte 0");
    assert_refused("b202 02 10 01 b202 02 48 01", "Everything.lines[1]: unknown field number 9 at byte 8");
}

/* A type and the one nested in it, as deep as wanted. */
typedef struct Link {
    const struct Link *next;
} Link;

enum { MOST_LINKS = 110 };

static docket_type link_types[MOST_LINKS];
static docket_field link_fields[MOST_LINKS];
static docket_schema link_schemas[MOST_LINKS];

static const docket_type *make_links(size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        bool is_last = i + 1 == depth;
        link_fields[i] = (docket_field){
            .number = 1, .kind = DOCKET_KIND_STRUCT, .name = "next", .type = is_last ? NULL : &link_types[i + 1]};
        link_schemas[i] = (docket_schema){&link_fields[i], is_last ? 0 : 1};
        link_types[i] = (docket_type){.abi = DOCKET_TYPE_ABI,
                                      .flags = DOCKET_TYPE_STRUCT,
                                      .name = "Link",
                                      .size = sizeof(Link),
                                      .alignment = _Alignof(Link),
                                      .schema = &link_schemas[i]};
    }
    return &link_types[0];
}

static docket_bytes nest(size_t depth)
{
    uint8_t bytes[2 * MOST_LINKS * 2];
    uint8_t *first = bytes + sizeof bytes;
    for (size_t length = 0, i = 1; i < depth; i++) {
        first -= 1 + docket__varint_size(length);
        docket__varint_put(docket__tag_put(first, 1, DOCKET__WIRE_BYTES), length);
        length = (size_t)(bytes + sizeof bytes - first);
    }
    size_t size = (size_t)(bytes + sizeof bytes - first);
    return (docket_bytes){docket__arena_copy(&arena, first, size), size};
}

static void nesting_ends_at_100_levels(void **state)
{
    (void)state;
    Link value = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket_type_check(make_links(100), &error));
    assert_status(DOCKET_OK, docket_decode(&link_types[0], nest(100), &arena, &value, &error));
    docket_bytes bytes = encode(&link_types[0], &value);
    assert_int_equal(bytes.size, nest(100).size);
    assert_status(DOCKET_INVALID, docket_type_check(make_links(101), &error));
    assert_status(DOCKET_CORRUPT, docket_decode(&link_types[0], nest(101), &arena, &value, &error));
    assert_contains(error.message, "nested too deeply at byte");
}

/* A megabyte of empty sub-messages for a struct of 100 000 bytes each, and of some with small structs. */
DOCKET_STRUCT(Wide, (OPTIONAL(FIXED(100000)), rarely));
DOCKET_STRUCT(Wides, (LIST(STRUCT(Wide)), all), (STRUCT(Wide), one));
DOCKET_STRUCT(Points, (LIST(STRUCT(Point)), all));
DOCKET_STRUCT(Blocks, (LIST(FIXED(1000000)), all));

static docket_bytes repeat(uint8_t tag, size_t count)
{
    uint8_t *bytes = docket__arena_allocate(&arena, 2 * count, 1);
    for (size_t i = 0; i < count; i++) {
        bytes[2 * i] = tag;
    }
    return (docket_bytes){bytes, 2 * count};
}

static void small_inputs_cannot_ask_for_much(void **state)
{
    (void)state;
    docket_error error;
    Wides wides = {0};
    Points points = {0};
    Blocks blocks = {0};
    docket_bytes bytes = repeat(0x0a, 1000000);
    docket_test_memory_start();
    docket_arena memory = {0};
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Wides), bytes, &memory, &wides, &error));
    assert_contains(error.message, "Wides.all: more structs than the bytes can account for");
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Blocks), bytes, &memory, &blocks, &error));
    assert_contains(error.message, "Blocks.all[0]: another length than the fixed one at byte 0");
    bytes.size = 26;
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Wides), bytes, &memory, &wides, &error));
    bytes.size = 20;
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Wides), bytes, &memory, &wides, &error));
    assert_true(docket_test_memory_read().largest_bytes < bytes.size + 1024 * 1024);
    bytes.size = 2000000;
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Points), bytes, &memory, &points, &error));
    assert_int_equal(points.all_count, 1000000);
    docket__arena_release(&memory);
    docket_test_memory_stop();
}

/* Packed numbers of the last list are taken as they come; what says that there are more comes too late. */
DOCKET_STRUCT(Trailing, (LIST(STRING), texts), (INT32, number), (LIST(INT32), numbers));

static void lists_in_pieces_are_put_together(void **state)
{
    (void)state;
    static const char whole[] = "\x1a\x02\x01\x02\x10\x07\x0a\x01"
                                "a\x1a\x01\x03\x0a\x01"
                                "b\x18\x04";
    Trailing value = {0};
    docket_error error;
    docket_status status = docket_decode(DOCKET_OF(Trailing), (docket_bytes){(const uint8_t *)whole, sizeof whole - 1},
                                         &arena, &value, &error);
    assert_status(DOCKET_OK, status);
    assert_int_equal(value.numbers_count, 4);
    for (int32_t i = 0; i < 4; i++) {
        assert_int_equal(value.numbers[i], i + 1);
    }
    assert_int_equal(value.texts_count, 2);
    assert_string_equal(value.texts[0], "a");
    assert_string_equal(value.texts[1], "b");
    assert_int_equal(value.number, 7);
}

static void repeated_sub_message_takes_memory_once(void **state)
{
    (void)state;
    Wides wides = {0};
    docket_bytes bytes = repeat(0x12, 100000);
    docket_test_memory_start();
    docket_arena memory = {0};
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Wides), bytes, &memory, &wides, NULL));
    assert_int_equal(docket_test_memory_read().requests, 1);
    docket__arena_release(&memory);
    docket_test_memory_stop();
}

static void mutate(uint64_t *seed, uint8_t *bytes, size_t *size, size_t capacity)
{
    for (size_t changes = sample_next(seed) % 4; changes < 4; changes++) {
        size_t at = sample_next(seed) % *size;
        uint64_t choice = sample_next(seed);
        switch (choice % 5) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << (choice >> 8) % 8);
            break;
        case 1:
            bytes[at] = (uint8_t)(choice >> 8);
            break;
        case 2:
            *size = at + 1;
            break;
        case 3:
            memmove(bytes + at, bytes + at + 1, *size - at - 1);
            *size = *size > 1 ? *size - 1 : 1;
            break;
        default:
            if (*size + 8 <= capacity) {
                memmove(bytes + at + 8, bytes + at, *size - at);
                *size += 8;
            }
        }
    }
}

/* Whatever comes out of damaged bytes is a value, and its canonical bytes bring it back. */
static void assert_value_or_refusal(docket_bytes bytes)
{
    docket_arena memory = {0};
    docket_buffer canonical = {0};
    Everything value = {0};
    Everything back = {0};
    docket_error error;
    docket_status status = docket_decode(DOCKET_OF(Everything), bytes, &memory, &value, &error);
    if (status == DOCKET_OK) {
        assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &canonical, &error));
        assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), docket_buffer_bytes(&canonical), &memory,
                                               &back, &error));
        assert_same(DOCKET_OF(Everything), &value, &back);
    } else {
        assert_status(DOCKET_CORRUPT, status);
        assert_true(error.message[0] != '\0');
    }
    docket__buffer_release(&canonical);
    docket__arena_release(&memory);
}

/* DOCKET_TEST_SEED repeats a run. */
static void random_damage_is_refused_or_read(void **state)
{
    (void)state;
    const char *given = getenv("DOCKET_TEST_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 20240229;
    print_message("100000 mutations, seed %llu\n", (unsigned long long)first);
    uint64_t seed = first * UINT64_C(0x9e3779b97f4a7c15) + 1;
    docket_test_memory_start();
    for (int sample = 0; sample < 100; sample++) {
        docket_arena memory = {0};
        docket_buffer out = {0};
        Everything value = sample_everything(sample_next(&seed), &memory, 0);
        assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &out, NULL));
        uint8_t *bytes = docket__arena_take(&memory, out.size + 64, 1);
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 0);
        for (int round = 0; round < 1000; round++) {
            size_t size = out.size;
            memcpy(bytes, out.data, size);
            mutate(&seed, bytes, &size, out.size + 64);
            assert_value_or_refusal((docket_bytes){bytes, size});
        }
        assert_true(docket_test_memory_read().largest_bytes < out.size + 64 + 1024 * 1024);
        docket__buffer_release(&out);
        docket__arena_release(&memory);
    }
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lists_in_pieces_are_put_together, release_arena),
        cmocka_unit_test_teardown(nothing_is_zero_with_empty_texts, release_arena),
        cmocka_unit_test_teardown(every_value_comes_back, release_arena),
        cmocka_unit_test_teardown(nothing_points_into_the_input, release_arena),
        cmocka_unit_test_teardown(any_order_and_packing_is_read, release_arena),
        cmocka_unit_test_teardown(last_of_several_wins, release_arena),
        cmocka_unit_test_teardown(explicit_zeros_are_read, release_arena),
        cmocka_unit_test_teardown(unknown_numbers_of_an_enum_are_kept, release_arena),
        cmocka_unit_test_teardown(nan_keeps_its_payload, release_arena),
        cmocka_unit_test_teardown(damaged_bytes_are_refused, release_arena),
        cmocka_unit_test_teardown(values_out_of_range_are_refused, release_arena),
        cmocka_unit_test_teardown(nesting_ends_at_100_levels, release_arena),
        cmocka_unit_test_teardown(small_inputs_cannot_ask_for_much, release_arena),
        cmocka_unit_test_teardown(repeated_sub_message_takes_memory_once, release_arena),
        cmocka_unit_test_teardown(random_damage_is_refused_or_read, release_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
