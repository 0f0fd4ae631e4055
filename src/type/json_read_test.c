/* JSON to values: what is read, what is refused and with which words, and hostile text. */
#include "type/json.h"

#include "base/buffer.h"
#include "type/sample_test.h"

#include <docket/testing.h>
#include <math.h>
#include <stdlib.h>

DOCKET_BLOB(Image);
DOCKET_ALIAS(Place, Point);
typedef struct Client Client;
DOCKET_RESOURCE(Client);
DOCKET_STRUCT(Login, (STRING, user), (SECRET(STRING), card), (SECRET(LIST(STRING)), tokens));
DOCKET_STRUCT(Real, (DOUBLE, d), (FLOAT, f));
DOCKET_STRUCT(Named, (INT32, order_id), (INT32, a_b), (INT32, aB), (INT32, plain));
DOCKET_STRUCT(Large, (LIST(FIXED(1000000)), digests), (FIXED(3000000), large));
DOCKET_STRUCT(Larges, (LIST(STRUCT(Large)), all));

static docket_arena arena;
static docket_error error;

static int clean(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    return 0;
}

static void *read_as(const docket_type *type, const char *text)
{
    void *value = docket__arena_allocate(&arena, type->size, 16);
    docket_status status = docket_json_read(type, text, strlen(text), NULL, &arena, value, &error);
    if (status != DOCKET_OK) {
        print_error("%s\n", error.message);
    }
    assert_status(DOCKET_OK, status);
    return value;
}

#define READ(T, text) (*(T *)read_as(DOCKET_OF(T), text))

static void assert_refused(const docket_type *type, const char *text, const char *message)
{
    static const uint8_t zeros[1024];
    uint8_t *value = docket__arena_allocate(&arena, type->size, 16);
    assert_status(DOCKET_INVALID, docket_json_read(type, text, strlen(text), NULL, &arena, value, &error));
    assert_string_equal(error.message, message);
    assert_string_equal(error.type, type->name);
    assert_memory_equal(value, zeros, type->size < sizeof zeros ? type->size : sizeof zeros);
}

static void members_are_read(void **state)
{
    (void)state;
    Everything value =
        READ(Everything, " {\"b\":true,\"i32\":-5,\"i64\":\"-9223372036854775808\",\"u32\":\"7\","
                         "\"u64\":18446744073709551615,\"f\":\"0.5\",\"d\":-1e-3,\"text\":\"h\\u00e9\\ud83d\\ude00\","
                         "\"bytes\":\"-_8\",\"time\":\"1970-01-01T00:00:01.5+00:00\",\"fixed\":\"AQID\","
                         "\"grade\":\"GRADE_GOOD\",\"line\":{\"place\":{}},\"oi32\":0,\"otext\":null,"
                         "\"lgrade\":[\"GRADE_BAD\",12],\"ltext\":[],\"lines\":[{\"cents\":9007199254740993}]}\n");
    assert_true(value.b && value.i32 == -5 && value.i64 == INT64_MIN && value.u32 == 7 && value.u64 == UINT64_MAX);
    assert_true(value.f == 0.5F && value.d == -1e-3);
    assert_string_equal(value.text, "h\xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(value.bytes.size, 2);
    assert_memory_equal(value.bytes.data, "\xfb\xff", 2);
    assert_int_equal(value.time, 1500);
    assert_memory_equal(value.fixed, "\1\2\3", 3);
    assert_int_equal(value.grade, GRADE_GOOD);
    assert_non_null(value.line->place);
    assert_string_equal(value.line->article, "");
    assert_true(value.has_oi32 && !value.has_otext && !value.has_ob);
    assert_int_equal(value.lgrade_count, 2);
    assert_int_equal(value.lgrade[1], 12);
    assert_true(value.ltext == NULL && value.ltext_count == 0);
    assert_true(value.lines[0].cents == INT64_C(9007199254740993));
}

static void other_forms_are_read(void **state)
{
    (void)state;
    Image image = READ(Image, "\"YWJj\"");
    assert_int_equal(image.size, 3);
    assert_memory_equal(image.data, "abc", 3);
    assert_null(READ(Image, "\"\"").data);
    assert_int_equal(READ(Place, "{\"x\":1e2}").value.x, 100);
    assert_int_equal(READ(Point, "{\"x\":12.0,\"y\":\"-3\"}").y, -3);
    Named named = READ(Named, "{\"orderId\":1,\"aB\":2,\"plain\":3}");
    assert_true(named.order_id == 1 && named.aB == 2 && named.a_b == 0 && named.plain == 3);
    assert_int_equal(READ(Everything, "{\"time\":-7,\"grade\":-1}").time, -7);
    Real real = READ(Real, "{\"d\":\"NaN\",\"f\":\"-Infinity\"}");
    assert_true(isnan(real.d) && isinf(real.f) && real.f < 0);
    assert_true(signbit(READ(Real, "{\"d\":-0}").d));
    assert_string_equal(READ(Everything, "{}").text, "");
}

static void wrong_values_are_refused_with_path_and_place(void **state)
{
    (void)state;
    const docket_type *type = DOCKET_OF(Everything);
    assert_refused(type, "{\"lines\":[{},\n  {\"cents\": 1.5}]}",
                   "Everything.lines[1].cents: the number is out of range or not an integer, line 2, column 13");
    assert_refused(type, "{\"i32\":2147483648}", "Everything.i32: the number is out of range, line 1, column 8");
    assert_refused(type, "{\"u32\":-1}", "Everything.u32: the number is out of range, line 1, column 8");
    assert_refused(type, "{\"i64\":9223372036854775808}",
                   "Everything.i64: the number is out of range, line 1, column 8");
    assert_refused(type, "{\"u64\":18446744073709551616}",
                   "Everything.u64: the number is out of range or not an integer, line 1, column 8");
    assert_refused(type, "{\"u64\":\" 1\"}",
                   "Everything.u64: expected an integer, as a number or a string, line 1, column 8");
    assert_refused(type, "{\"f\":1e39}", "Everything.f: the number is out of range, line 1, column 6");
    assert_refused(type, "{\"d\":\"nan\"}",
                   "Everything.d: expected a number, \"NaN\", \"Infinity\" or \"-Infinity\", line 1, column 6");
    assert_refused(type, "{\"b\":1}", "Everything.b: expected true or false, line 1, column 6");
    assert_refused(type, "{\"text\":1}", "Everything.text: expected a string, line 1, column 9");
    assert_refused(type, "{\"bytes\":\"a\"}", "Everything.bytes: the string is not base64, line 1, column 10");
    assert_refused(type, "{\"fixed\":\"AQI=\"}",
                   "Everything.fixed: another length than the fixed one, line 1, column 10");
    assert_refused(type, "{\"grade\":\"GOOD\"}", "Everything.grade: the enum has no such name, line 1, column 10");
    assert_refused(type, "{\"time\":\"yesterday\"}",
                   "Everything.time: expected a time of RFC 3339 in whole milliseconds, or milliseconds since 1970, "
                   "line 1, column 9");
    assert_refused(type, "{\"line\":[]}", "Everything.line: expected an object, line 1, column 9");
    assert_refused(type, "{\"lb\":{}}", "Everything.lb: expected an array, line 1, column 7");
    assert_refused(type, "{\"lb\":[true,null]}", "Everything.lb[1]: expected true or false, line 1, column 13");
    assert_refused(DOCKET_OF(Point), "[]", "Point: expected an object, line 1, column 1");
    assert_refused(DOCKET_OF(Image), "{}", "Image: expected base64 in a string, line 1, column 1");
}

static void unknown_and_repeated_members_are_refused(void **state)
{
    (void)state;
    const docket_json_options ignore = {DOCKET_JSON_OPTIONS_INIT, .ignore_unknown = true};
    const char *text = "{\"z\":{\"a\":[1,{\"b\":2}]},\"x\":1,\n\"y\":true}";
    Point point = {0};
    assert_refused(DOCKET_OF(Point), "{\"x\":1,\"z\\n\":2}",
                   "Point.z\\x0a: the type has no such member, line 1, column 14");
    assert_refused(DOCKET_OF(Point), "{\"x\":1,\"x\":2}", "Point: a member is given twice, line 1, column 8");
    assert_refused(DOCKET_OF(Named), "{\"order_id\":1,\"orderId\":2}",
                   "Named.orderId: the member is given twice, line 1, column 25");
    assert_status(DOCKET_INVALID,
                  docket_json_read(DOCKET_OF(Point), text, strlen(text), &ignore, &arena, &point, &error));
    assert_string_equal(error.message, "Point.y: expected a number or a string, line 2, column 5");
    text = "{\"z\":{\"a\":[1,{\"b\":2}]},\"x\":1}";
    assert_status(DOCKET_OK, docket_json_read(DOCKET_OF(Point), text, strlen(text), &ignore, &arena, &point, &error));
    assert_int_equal(point.x, 1);
}

static void secrets_cannot_be_read_from_stars(void **state)
{
    (void)state;
    assert_refused(DOCKET_OF(Login), "{\"user\":\"***\",\"card\":\"***\"}",
                   "Login.card: the member is secret, and its value was not written, line 1, column 22");
    assert_refused(DOCKET_OF(Login), "{\"tokens\":\"***\"}",
                   "Login.tokens: the member is secret, and its value was not written, line 1, column 11");
    assert_string_equal(READ(Login, "{\"card\":\"4711\"}").card, "4711");
}

static void text_that_is_not_json_is_refused(void **state)
{
    (void)state;
    const docket_type *type = DOCKET_OF(Point);
    assert_refused(type, "", "Point: the text ends too soon, line 1, column 1");
    assert_refused(type, "{\"x\":1", "Point: the text ends too soon, line 1, column 7");
    assert_refused(type, "{\"x\":01}", "Point: this is no JSON number, line 1, column 6");
    assert_refused(type, "{\"x\":+1}", "Point: this is no JSON, line 1, column 6");
    assert_refused(type, "{\"x\":1,}", "Point: this is no JSON, line 1, column 8");
    assert_refused(type, "{\"x\":1}\n{}", "Point: something follows the value, line 2, column 1");
    assert_refused(type, "{\"x\":NaN}", "Point: this is no JSON, line 1, column 6");
    assert_refused(type, "{'x':1}", "Point: this is no JSON, line 1, column 2");
    assert_refused(type, "{\"\\u0000\":1}", "Point: a text with a NUL, line 1, column 2");
    assert_refused(type, "{\"x\":\"\\u00001\"}", "Point: a text with a NUL, line 1, column 6");
    assert_refused(type, "{\"x\":\"\xff\"}", "Point: the text is not valid UTF-8, line 1, column 6");
    Point point = {0};
    assert_status(DOCKET_INVALID, docket_json_read(type, "{}\0", 3, NULL, &arena, &point, &error));
    assert_status(DOCKET_INVALID, docket_json_read(type, "{\"\0\":1}", 7, NULL, &arena, &point, &error));
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    Point point = {0};
    const docket_json_options bad = {.struct_size = 1};
    assert_status(DOCKET_INVALID, docket_json_read(NULL, "{}", 2, NULL, &arena, &point, &error));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Point), NULL, 2, NULL, &arena, &point, &error));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Point), "{}", 2, NULL, NULL, &point, &error));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Point), "{}", 2, NULL, &arena, NULL, &error));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Point), "{}", 2, &bad, &arena, &point, &error));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Client), "{}", 2, NULL, &arena, &point, &error));
    assert_status(DOCKET_OK, docket_json_read(DOCKET_OF(Point), "{}", 2, NULL, &arena, &point, NULL));
    assert_status(DOCKET_INVALID, docket_json_read(DOCKET_OF(Point), "[", 1, NULL, &arena, &point, NULL));
}

static char *repeat(const char *part, size_t count)
{
    size_t size = strlen(part);
    char *text = docket__arena_take(&arena, count * size + 1, 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * size, part, size);
    }
    text[count * size] = '\0';
    return text;
}

static void hostile_text_is_bounded(void **state)
{
    (void)state;
    assert_refused(DOCKET_OF(Point), repeat("[", 1000000), "Point: nested too deeply, line 1, column 201");
    assert_refused(DOCKET_OF(Point), repeat("{\"a\":", 100000), "Point: nested too deeply, line 1, column 1001");
    docket_buffer text = {0};
    const char *const begin = "{\"all\":[";
    char *structs = repeat("{},", 1000);
    assert_int_equal(docket__buffer_append(&text, begin, strlen(begin)), DOCKET_OK);
    assert_int_equal(docket__buffer_append(&text, structs, strlen(structs)), DOCKET_OK);
    assert_int_equal(docket__buffer_append(&text, "{}]}", 5), DOCKET_OK);
    assert_refused(DOCKET_OF(Larges), (const char *)text.data,
                   "Larges.all: more structs than the text can account for, line 1, column 8");
    docket__buffer_release(&text);
    assert_refused(DOCKET_OF(Large), "{\"digests\":[\"\",\"\"]}",
                   "Large.digests: more structs than the text can account for, line 1, column 12");
    assert_refused(DOCKET_OF(Real), "{\"d\":1e99999999999999999999999999}",
                   "Real.d: the number is out of range, line 1, column 6");
    assert_true(READ(Real, "{\"d\":0.1e-99999999999999999999999999}").d == 0);
    char *digits = repeat("9", 100000);
    memcpy(digits, "{\"x\":", 5);
    digits[99999] = '}';
    assert_refused(DOCKET_OF(Point), digits,
                   "Point.x: the number is out of range or not an integer, line 1, column 6");
}

static docket_buffer encoded(const docket_type *type, const void *value)
{
    docket_buffer bytes = {0};
    assert_status(DOCKET_OK, docket_encode(type, value, &bytes, &error));
    return bytes;
}

static void assert_same_bytes(docket_buffer *left, docket_buffer *right)
{
    assert_int_equal(left->size, right->size);
    assert_true(left->size == 0 || memcmp(left->data, right->data, left->size) == 0);
    docket__buffer_release(left);
    docket__buffer_release(right);
}

/* A NaN's payload is the one thing that does not come back. */
static bool check_round_trip(uint64_t seed, const docket_json_options *options)
{
    const docket_type *type = DOCKET_OF(Everything);
    Everything value = sample_everything(seed, &arena, 0);
    Everything back = {0};
    docket_buffer text = {0};
    docket_buffer again = {0};
    assert_status(DOCKET_OK, docket_json_write(type, &value, options, &text, &error));
    docket_status status =
        docket_json_read(type, (char *)text.data, text.size, options, &arena, &back, &error);
    if (status != DOCKET_OK) {
        print_error("seed %llu: %s\n%.*s\n", (unsigned long long)seed, error.message, (int)text.size,
                    (char *)text.data);
    }
    assert_status(DOCKET_OK, status);
    bool has_nan = memmem(text.data, text.size, "\"NaN\"", 5) != NULL;
    if (!has_nan) {
        docket_buffer one = encoded(type, &value);
        docket_buffer other = encoded(type, &back);
        assert_same_bytes(&one, &other);
        assert_status(DOCKET_OK, docket__type_seal(type, &value, &arena, &error));
        assert_same(type, &value, &back);
    }
    assert_status(DOCKET_OK, docket_json_write(type, &back, options, &again, &error));
    assert_same_bytes(&text, &again);
    return !has_nan;
}

static void random_values_come_back(void **state)
{
    (void)state;
    const docket_json_options other = {
        DOCKET_JSON_OPTIONS_INIT, .all_members = true, .lower_camel_case = true, .indent = 1};
    uint64_t count = getenv("DOCKET_LONG") != NULL ? 100000 : 2000;
    uint64_t exact = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        exact += check_round_trip(seed, seed % 4 == 0 ? &other : NULL);
        docket__arena_release(&arena);
    }
    assert_true(exact > count / 2);
}

static void payload_of_a_nan_is_made_canonical(void **state)
{
    (void)state;
    const uint64_t odd = UINT64_C(0xfff123456789abcd);
    uint64_t bits = 0;
    Real value = {0};
    docket_buffer text = {0};
    memcpy(&value.d, &odd, sizeof odd);
    assert_status(DOCKET_OK, docket_json_write(DOCKET_OF(Real), &value, NULL, &text, &error));
    assert_int_equal(text.size, strlen("{\"d\":\"NaN\"}"));
    assert_status(DOCKET_OK, docket_json_read(DOCKET_OF(Real), (char *)text.data, text.size, NULL, &arena, &value,
                                              &error));
    memcpy(&bits, &value.d, sizeof bits);
    assert_true(bits == UINT64_C(0x7ff8000000000000));
    docket__buffer_release(&text);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    docket_buffer text = {0};
    const Everything value = sample_everything(7, &arena, 0);
    docket_status status = DOCKET_NO_MEMORY;
    assert_status(DOCKET_OK, docket_json_write(DOCKET_OF(Everything), &value, NULL, &text, &error));
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        docket_arena memory = {0};
        Everything back = {0};
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket_json_read(DOCKET_OF(Everything), (char *)text.data, text.size, NULL, &memory, &back, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        assert_status(status, error.status);
        docket__arena_release(&memory);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
    docket__buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(members_are_read, clean),
        cmocka_unit_test_teardown(other_forms_are_read, clean),
        cmocka_unit_test_teardown(wrong_values_are_refused_with_path_and_place, clean),
        cmocka_unit_test_teardown(unknown_and_repeated_members_are_refused, clean),
        cmocka_unit_test_teardown(secrets_cannot_be_read_from_stars, clean),
        cmocka_unit_test_teardown(text_that_is_not_json_is_refused, clean),
        cmocka_unit_test_teardown(wrong_calls_are_refused, clean),
        cmocka_unit_test_teardown(hostile_text_is_bounded, clean),
        cmocka_unit_test_teardown(random_values_come_back, clean),
        cmocka_unit_test_teardown(payload_of_a_nan_is_made_canonical, clean),
        cmocka_unit_test_teardown(every_allocation_may_fail, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
