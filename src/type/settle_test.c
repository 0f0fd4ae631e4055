#include "base/buffer.h"
#include "type/sample_test.h"

#include <docket/testing.h>

DOCKET_STRUCT(Numbers, (INT64, a), (DOUBLE, b), (FIXED(4), c), (ENUM(Grade), grade), (TIME_MS, time));
DOCKET_STRUCT(Flag, (BOOL, is_set));
DOCKET_STRUCT(Maybe, (OPTIONAL(INT64), a));

static docket_arena arena;

static int release_arena(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    return 0;
}

static void seal(const docket_type *type, void *value)
{
    docket_error error;
    assert_status(DOCKET_OK, docket__type_seal(type, value, &arena, &error));
    assert_status(DOCKET_OK, error.status);
}

static void assert_refused(Everything value, const char *message)
{
    docket_error error;
    assert_status(DOCKET_ENCODE, docket__type_seal(DOCKET_OF(Everything), &value, &arena, &error));
    assert_string_equal(error.message, message);
    assert_string_equal(error.type, "Everything");
}

static void plain_numbers_need_no_seal(void **state)
{
    (void)state;
    assert_false(docket__type_needs_seal(DOCKET_OF(Numbers)));
    assert_false(docket__type_needs_seal(DOCKET_OF(Point)));
    assert_true(docket__type_needs_seal(DOCKET_OF(Flag)));
    assert_true(docket__type_needs_seal(DOCKET_OF(Maybe)));
    assert_true(docket__type_needs_seal(DOCKET_OF(Line)));
}

static void sealed_equals_restored(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        docket_buffer out = {0};
        Everything value = sample_everything(seed, &arena, 0xff);
        Everything back = {0};
        assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &out, NULL));
        assert_status(DOCKET_OK,
                      docket_decode(DOCKET_OF(Everything), docket_buffer_bytes(&out), &arena, &back, NULL));
        seal(DOCKET_OF(Everything), &value);
        assert_same(DOCKET_OF(Everything), &value, &back);
        docket__buffer_release(&out);
        docket__arena_release(&arena);
    }
}

static void empty_things_take_one_form(void **state)
{
    (void)state;
    static const int32_t elsewhere[] = {1};
    Everything value = {.bytes = {(const uint8_t *)"", 0},
                        .li32 = elsewhere,
                        .oi32 = 7,
                        .otext = "absent",
                        .has_ob = true,
                        .ob = true};
    memset(&value.b, 4, 1);
    memset(&value.has_ob, 9, 1);
    seal(DOCKET_OF(Everything), &value);
    assert_string_equal(value.text, "");
    assert_null(value.bytes.data);
    assert_null(value.li32);
    assert_int_equal(value.oi32, 0);
    assert_null(value.otext);
    assert_int_equal(*(const uint8_t *)&value.b, 1);
    assert_int_equal(*(const uint8_t *)&value.has_ob, 1);
}

static void settled_value_takes_no_memory(void **state)
{
    (void)state;
    const char *const tags[] = {"a", "b"};
    const Line line = {.article = "x", .tags = tags, .tags_count = 2};
    const Line lines[] = {line, line};
    Everything value = {
        .text = "t", .line = &line, .lines = lines, .lines_count = 2, .ltext = tags, .ltext_count = 2};
    docket_test_memory_start();
    seal(DOCKET_OF(Everything), &value);
    assert_int_equal(docket_test_memory_read().requests, 0);
    assert_ptr_equal(value.line, &line);
    assert_ptr_equal(value.lines, lines);
    docket_test_memory_stop();
}

/* Constant data sits in memory that cannot be written to: a write would end the test. */
static const char *const constant_texts[] = {"a", NULL, "c"};
static const bool constant_flags[] = {true, false};
static const Point constant_point = {1, 2};
static const Line constant_lines[] = {
    {.article = "ok", .cents = 1},
    {.article = NULL, .cents = 2, .tags = constant_texts, .tags_count = 3, .place = &constant_point},
};
static const docket_bytes constant_bytes[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"", 0}};

static void constant_memory_is_copied_where_it_must_change(void **state)
{
    (void)state;
    Everything value = {.line = &constant_lines[1],
                        .lines = constant_lines,
                        .lines_count = 2,
                        .ltext = constant_texts,
                        .ltext_count = 3,
                        .lbytes = constant_bytes,
                        .lbytes_count = 2,
                        .lb = constant_flags,
                        .lb_count = 2};
    seal(DOCKET_OF(Everything), &value);
    assert_ptr_not_equal(value.line, &constant_lines[1]);
    assert_string_equal(value.line->article, "");
    assert_int_equal(value.line->cents, 2);
    assert_ptr_not_equal(value.lines, constant_lines);
    assert_ptr_equal(value.lines[0].article, constant_lines[0].article);
    assert_string_equal(value.lines[1].article, "");
    assert_string_equal(value.lines[1].tags[1], "");
    assert_ptr_equal(value.lines[1].tags[2], constant_texts[2]);
    assert_ptr_equal(value.lines[1].place, &constant_point);
    assert_string_equal(value.ltext[1], "");
    assert_null(value.lbytes[1].data);
    assert_ptr_equal(value.lbytes[0].data, constant_bytes[0].data);
    assert_ptr_equal(value.lb, constant_flags);
    assert_null(constant_lines[1].article);
    assert_null(constant_texts[1]);
}

static void bools_in_lists_are_one_or_zero(void **state)
{
    (void)state;
    const uint8_t raw[] = {1, 0, 77};
    const bool *flags = docket__arena_copy(&arena, raw, sizeof raw);
    Everything value = {.lb = flags, .lb_count = 3};
    seal(DOCKET_OF(Everything), &value);
    assert_memory_equal(value.lb, ((const uint8_t[]){1, 0, 1}), 3);
    assert_int_equal(*((const uint8_t *)flags + 2), 77);
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    const char *const tags[] = {"fine", "\xff"};
    const Line wrong[] = {{0}, {.tags = tags, .tags_count = 2}};
    const docket_bytes bytes[] = {{NULL, 3}};
    assert_refused((Everything){.text = "\xff"}, "Everything.text: the text is not valid UTF-8");
    assert_refused((Everything){.has_otext = true, .otext = "\xff"},
                   "Everything.otext: the text is not valid UTF-8");
    assert_refused((Everything){.line = &wrong[1]}, "Everything.line.tags[1]: the text is not valid UTF-8");
    assert_refused((Everything){.lines = wrong, .lines_count = 2},
                   "Everything.lines[1].tags[1]: the text is not valid UTF-8");
    assert_refused((Everything){.ld_count = 1}, "Everything.ld: the list has a count, but its elements are NULL");
    assert_refused((Everything){.bytes = {NULL, 1}},
                   "Everything.bytes: the bytes have a size, but their data is NULL");
    assert_refused((Everything){.lbytes = bytes, .lbytes_count = 1},
                   "Everything.lbytes[0]: the bytes have a size, but their data is NULL");
    assert_refused((Everything){.ld = (const double[]){1}, .ld_count = SIZE_MAX / 2},
                   "Everything.ld: the list's count is larger than memory");
}

typedef struct Loop {
    const struct Loop *next;
} Loop;

static const docket_type loop_type;
static const docket_field loop_fields[] = {
    {.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "next", .offset = offsetof(Loop, next), .type = &loop_type}};
static const docket_schema loop_schema = {loop_fields, 1};
static const docket_type loop_type = {.abi = DOCKET_TYPE_ABI,
                                      .flags = DOCKET_TYPE_STRUCT,
                                      .name = "Loop",
                                      .size = sizeof(Loop),
                                      .alignment = _Alignof(Loop),
                                      .schema = &loop_schema};

/* docket_type_check refuses such a type; a value of it must not be the end of the process either. */
static void value_that_contains_itself_is_refused(void **state)
{
    (void)state;
    Loop loop = {&loop};
    Loop copy = {0};
    docket_error error;
    docket_buffer out = {0};
    assert_status(DOCKET_ENCODE, docket__type_seal(&loop_type, &loop, &arena, &error));
    assert_contains(error.message, "nested deeper than 100 levels");
    assert_status(DOCKET_ENCODE, docket__type_copy(&loop_type, &loop, &arena, &copy, &error));
    assert_status(DOCKET_ENCODE, docket_encode(&loop_type, &loop, &out, &error));
    assert_contains(error.message, "nested deeper than 100 levels");
    docket__buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(plain_numbers_need_no_seal, release_arena),
        cmocka_unit_test_teardown(sealed_equals_restored, release_arena),
        cmocka_unit_test_teardown(empty_things_take_one_form, release_arena),
        cmocka_unit_test_teardown(settled_value_takes_no_memory, release_arena),
        cmocka_unit_test_teardown(constant_memory_is_copied_where_it_must_change, release_arena),
        cmocka_unit_test_teardown(bools_in_lists_are_one_or_zero, release_arena),
        cmocka_unit_test_teardown(wrong_values_are_named, release_arena),
        cmocka_unit_test_teardown(value_that_contains_itself_is_refused, release_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
