#include "base/buffer.h"
#include "type/sample_test.h"

#include <locale.h>
#include <math.h>

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
    docket_error error;
    assert_status(DOCKET_OK, docket_encode(type, value, &out, &error));
    docket_bytes bytes = docket_buffer_bytes(&out);
    bytes.data = docket__arena_copy(&arena, bytes.data, bytes.size);
    docket__buffer_release(&out);
    return bytes;
}

static void assert_bytes(docket_bytes bytes, const char *digits)
{
    docket_bytes expected = hex_bytes(&arena, digits);
    assert_int_equal(bytes.size, expected.size);
    assert_memory_equal(bytes.data, expected.data, expected.size);
}

static void assert_refused(const docket_type *type, const void *value, const char *message)
{
    docket_buffer out = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket_buffer_append(&out, "before", 6));
    assert_status(DOCKET_ENCODE, docket_encode(type, value, &out, &error));
    assert_status(DOCKET_ENCODE, error.status);
    assert_string_equal(error.message, message);
    assert_string_equal(error.type, type->name);
    assert_int_equal(out.size, 6);
    assert_status(DOCKET_ENCODE, docket_encode(type, value, &out, NULL));
    docket__buffer_release(&out);
}

static void zero_is_nothing_but_its_fixed_bytes(void **state)
{
    (void)state;
    assert_bytes(encode(DOCKET_OF(Point), &(Point){0}), "");
    assert_bytes(encode(DOCKET_OF(Everything), &(Everything){0}), "5a03000000");
}

/* What protoc 3.21 --encode makes of the same values in text form (proto3; FIXED as bytes, TIME_MS as int64). */
static void every_kind_has_its_protobuf_bytes(void **state)
{
    (void)state;
    const Line line = {.article = "ink", .cents = -2};
    const Everything value = {
        .b = true,
        .i32 = -1,
        .i64 = 300,
        .u32 = UINT32_MAX,
        .u64 = UINT64_MAX,
        .f = 1.5f,
        .d = -2.5,
        .text = "é",
        .bytes = {(const uint8_t *)"\0\xff", 2},
        .time = 1700000000000,
        .fixed = {1, 2, 3},
        .grade = GRADE_BAD,
        .line = &line,
    };
    assert_bytes(encode(DOCKET_OF(Everything), &value),
                 "08 01  10 ffffffffffffffffff01  18 ac02  20 ffffffff0f  28 ffffffffffffffffff01  35 0000c03f"
                 "39 00000000000004c0  42 02 c3a9  4a 02 00ff  50 80d095ffbc31  5a 03 010203"
                 "60 ffffffffffffffffff01  6a 10 0a 03 696e6b 10 feffffffffffffffff01");
}

static void optional_is_written_when_it_is_there(void **state)
{
    (void)state;
    const Everything zeros = {
        .has_ob = true, .has_od = true, .has_otext = true, .has_obytes = true, .has_ofixed = true};
    assert_bytes(encode(DOCKET_OF(Everything), &zeros),
                 "5a03000000  70 00  a101 0000000000000000  aa01 00  b201 00  c201 03000000");
    const Everything absent = {.ob = true, .od = 1.0, .otext = "not there", .oi32 = 7};
    assert_bytes(encode(DOCKET_OF(Everything), &absent), "5a03000000");
}

static void lists_of_numbers_are_packed(void **state)
{
    (void)state;
    const bool flags[] = {true, false};
    const int32_t numbers[] = {0, -1, 300};
    const float floats[] = {1.5f};
    const Grade grades[] = {GRADE_GOOD, (Grade)99};
    const Everything value = {.lb = flags,
                              .lb_count = 2,
                              .li32 = numbers,
                              .li32_count = 3,
                              .lf = floats,
                              .lf_count = 1,
                              .lgrade = grades,
                              .lgrade_count = 2};
    assert_bytes(encode(DOCKET_OF(Everything), &value),
                 "5a03000000  d201 02 0100  da01 0d 00ffffffffffffffffff01ac02  fa01 04 0000c03f  aa02 02 0763");
}

static void other_lists_have_one_entry_for_each(void **state)
{
    (void)state;
    const char *const texts[] = {"a", NULL, ""};
    const docket_bytes bytes[] = {{NULL, 0}, {(const uint8_t *)"x", 1}};
    const uint8_t fixed[][3] = {{1, 2, 3}, {0, 0, 0}};
    const Line lines[] = {{0}, {.cents = 1}};
    const Everything value = {.ltext = texts,
                              .ltext_count = 3,
                              .lbytes = bytes,
                              .lbytes_count = 2,
                              .lfixed = fixed,
                              .lfixed_count = 2,
                              .lines = lines,
                              .lines_count = 2};
    assert_bytes(encode(DOCKET_OF(Everything), &value),
                 "5a03000000  8a02 01 61  8a02 00  8a02 00  9202 00  9202 01 78  a202 03 010203  a202 03 000000"
                 "b202 00  b202 02 10 01");
}

static void long_sub_messages_are_moved_up(void **state)
{
    (void)state;
    for (size_t length = 120; length < 20000; length = length * 5 / 4) {
        char *text = docket__arena_allocate(&arena, length + 1, 1);
        memset(text, 'x', length);
        const Line line = {.article = text, .cents = 5};
        const Everything value = {.line = &line};
        docket_bytes bytes = encode(DOCKET_OF(Everything), &value);
        Everything back = {0};
        assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), bytes, &arena, &back, NULL));
        assert_string_equal(back.line->article, text);
        assert_int_equal(back.line->cents, 5);
    }
}

static void set_but_empty_struct_is_kept(void **state)
{
    (void)state;
    const Line line = {0};
    assert_bytes(encode(DOCKET_OF(Everything), &(Everything){.line = &line}), "5a03000000 6a00");
}

static void floats_are_judged_by_their_bits(void **state)
{
    (void)state;
    assert_bytes(encode(DOCKET_OF(Everything), &(Everything){.f = -0.0f, .d = -0.0}),
                 "35 00000080  39 0000000000000080  5a03000000");
    Everything nan = {0};
    const uint64_t payload = UINT64_C(0x7ff4dead0000beef);
    memcpy(&nan.d, &payload, sizeof payload);
    assert_bytes(encode(DOCKET_OF(Everything), &nan), "39 efbe0000addef47f  5a03000000");
    assert_bytes(encode(DOCKET_OF(Everything), &(Everything){.d = INFINITY}), "39 000000000000f07f  5a03000000");
}

typedef struct Disorder {
    int64_t late;
    int64_t early;
    const char *middle;
} Disorder;

static const docket_field disorder_fields[] = {
    {.number = 300, .kind = DOCKET_KIND_INT64, .name = "late", .offset = offsetof(Disorder, late)},
    {.number = 2, .kind = DOCKET_KIND_INT64, .name = "early", .offset = offsetof(Disorder, early)},
    {.number = 17, .kind = DOCKET_KIND_STRING, .name = "middle", .offset = offsetof(Disorder, middle)},
};
static const docket_schema disorder_schema = {disorder_fields, 3};
static const docket_type disorder = {.abi = DOCKET_TYPE_ABI,
                                     .flags = DOCKET_TYPE_STRUCT,
                                     .name = "Disorder",
                                     .size = sizeof(Disorder),
                                     .alignment = _Alignof(Disorder),
                                     .schema = &disorder_schema};

static void fields_stand_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    docket_bytes bytes = encode(&disorder, &(Disorder){.late = 3, .early = 1, .middle = "m"});
    assert_bytes(bytes, "10 01  8a01 01 6d  e012 03");
    Disorder back = {0};
    assert_status(DOCKET_OK, docket_decode(&disorder, bytes, &arena, &back, NULL));
    assert_int_equal(back.late, 3);
    assert_int_equal(back.early, 1);
    assert_string_equal(back.middle, "m");
}

static void padding_does_not_count(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        Everything zeros = sample_everything(seed, &arena, 0x00);
        Everything ones = sample_everything(seed, &arena, 0xff);
        docket_bytes bytes = encode(DOCKET_OF(Everything), &zeros);
        docket_bytes others = encode(DOCKET_OF(Everything), &ones);
        assert_int_equal(bytes.size, others.size);
        assert_memory_equal(bytes.data, others.data, bytes.size);
    }
}

static void locale_does_not_count(void **state)
{
    (void)state;
    Everything value = sample_everything(3, &arena, 0);
    docket_bytes before = encode(DOCKET_OF(Everything), &value);
    const char *const locales[] = {"de_DE.UTF-8", "C.UTF-8", "POSIX", ""};
    for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
        setlocale(LC_ALL, locales[i]);
        docket_bytes after = encode(DOCKET_OF(Everything), &value);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
    }
    setlocale(LC_ALL, "C");
}

static void bool_is_one_or_zero(void **state)
{
    (void)state;
    Everything value = {0};
    memset(&value.b, 2, 1);
    assert_bytes(encode(DOCKET_OF(Everything), &value), "08 01  5a03000000");
}

static void what_cannot_be_encoded_is_named(void **state)
{
    (void)state;
    const char *const texts[] = {"fine", "\xff"};
    const Line wrong = {.article = "\xc0\x80"};
    const Line lines[] = {{.article = "fine"}, {.tags = texts, .tags_count = 2}};
    const docket_bytes bytes[] = {{NULL, 3}};
    assert_refused(DOCKET_OF(Everything), &(Everything){.text = "\xff"},
                   "Everything.text: the text is not valid UTF-8");
    assert_refused(DOCKET_OF(Everything), &(Everything){.line = &wrong},
                   "Everything.line.article: the text is not valid UTF-8");
    assert_refused(DOCKET_OF(Everything), &(Everything){.lines = lines, .lines_count = 2},
                   "Everything.lines[1].tags[1]: the text is not valid UTF-8");
    assert_refused(DOCKET_OF(Everything), &(Everything){.li32_count = 1},
                   "Everything.li32: the list has a count, but its elements are NULL");
    assert_refused(DOCKET_OF(Everything), &(Everything){.bytes = {NULL, 1}},
                   "Everything.bytes: the bytes have a size, but their data is NULL");
    assert_refused(DOCKET_OF(Everything), &(Everything){.lbytes = bytes, .lbytes_count = 1},
                   "Everything.lbytes[0]: the bytes have a size, but their data is NULL");
}

DOCKET_STRUCT(Wide, (FIXED(3), head), (OPTIONAL(FIXED(1000000)), rarely));
DOCKET_STRUCT(Wides, (LIST(STRUCT(Wide)), all));

static void structs_that_decoding_would_refuse_are_refused(void **state)
{
    (void)state;
    Wide *wide = docket__arena_allocate_array(&arena, 3, sizeof(Wide), 1);
    assert_bytes(encode(DOCKET_OF(Wides), &(Wides){.all = wide, .all_count = 1}), "0a 05 0a 03 000000");
    docket_buffer out = {0};
    docket_error error;
    assert_status(DOCKET_ENCODE,
                  docket_encode(DOCKET_OF(Wides), &(Wides){.all = wide, .all_count = 3}, &out, &error));
    assert_contains(error.message, "Wides: 3000012 bytes of nested structs have only 21 bytes of content");
    docket__buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(zero_is_nothing_but_its_fixed_bytes, release_arena),
        cmocka_unit_test_teardown(every_kind_has_its_protobuf_bytes, release_arena),
        cmocka_unit_test_teardown(optional_is_written_when_it_is_there, release_arena),
        cmocka_unit_test_teardown(lists_of_numbers_are_packed, release_arena),
        cmocka_unit_test_teardown(other_lists_have_one_entry_for_each, release_arena),
        cmocka_unit_test_teardown(long_sub_messages_are_moved_up, release_arena),
        cmocka_unit_test_teardown(set_but_empty_struct_is_kept, release_arena),
        cmocka_unit_test_teardown(floats_are_judged_by_their_bits, release_arena),
        cmocka_unit_test_teardown(fields_stand_in_the_order_of_their_numbers, release_arena),
        cmocka_unit_test_teardown(padding_does_not_count, release_arena),
        cmocka_unit_test_teardown(locale_does_not_count, release_arena),
        cmocka_unit_test_teardown(bool_is_one_or_zero, release_arena),
        cmocka_unit_test_teardown(what_cannot_be_encoded_is_named, release_arena),
        cmocka_unit_test_teardown(structs_that_decoding_would_refuse_are_refused, release_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
