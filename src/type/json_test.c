/* Values as JSON: exact texts for every kind and label, what comes back, and what does not. */
#include "type/json.h"

#include "base/buffer.h"
#include "type/sample_test.h"
#include "type/schema.h"

#include <docket/json.h>
#include <docket/testing.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DOCKET_BLOB(Image);
DOCKET_ALIAS(Place, Point);
typedef struct Client Client;
DOCKET_RESOURCE(Client);
DOCKET_STRUCT(Login, (STRING, user), (SECRET(STRING), card), (SECRET(LIST(STRING)), tokens),
              (SECRET(OPTIONAL(INT64)), pin), (SECRET(STRUCT(Point)), home));
DOCKET_STRUCT(LoginOpen, (STRING, user), (STRING, card), (LIST(STRING), tokens), (OPTIONAL(INT64), pin),
              (STRUCT(Point), home));
DOCKET_STRUCT(Names, (INT32, order_id), (INT32, a_b), (INT32, aB), (INT32, URL_path), (INT32, _x));
DOCKET_STRUCT(Real, (DOUBLE, d), (FLOAT, f));
DOCKET_STRUCT_NUMBERED(Order, (9, INT32, last), (2, INT32, first));

static docket_buffer text;
static docket_arena arena;

static int clean(void **state)
{
    (void)state;
    docket__buffer_release(&text);
    docket__arena_release(&arena);
    return 0;
}

static const char *write_with(const docket_type *type, const void *value, const docket_json_options *options)
{
    docket_error error;
    docket__buffer_clear(&text);
    docket_status status = docket_json_write(type, value, options, &text, &error);
    if (status != DOCKET_OK) {
        print_error("%s\n", error.message);
    }
    assert_status(DOCKET_OK, status);
    assert_int_equal(docket__buffer_append(&text, "", 1), DOCKET_OK);
    text.size--;
    return (const char *)text.data;
}

#define JSON_OF(T, ...) write_with(DOCKET_OF(T), &(const T){__VA_ARGS__}, NULL)

static void numbers_are_exact(void **state)
{
    (void)state;
    assert_string_equal(JSON_OF(Everything, .i64 = INT64_MIN, .u64 = UINT64_MAX, .i32 = INT32_MIN, .u32 = UINT32_MAX),
                        "{\"i32\":-2147483648,\"i64\":\"-9223372036854775808\",\"u32\":4294967295,"
                        "\"u64\":\"18446744073709551615\",\"fixed\":\"AAAA\"}");
    assert_string_equal(JSON_OF(Point, .x = -1, .y = 0), "{\"x\":-1}");
    assert_string_equal(JSON_OF(Point, .x = 0, .y = 0), "{}");
}

static void every_kind_has_its_text(void **state)
{
    (void)state;
    const Line line = {.article = "pen", .place = &(Point){.x = 1}};
    assert_string_equal(JSON_OF(Everything, .b = true, .f = 0.5F, .d = 0.1, .text = "h\xc3\xa9",
                                .bytes = {(const uint8_t *)"\xff\xfe", 2}, .time = 1, .fixed = {1, 2, 3},
                                .grade = GRADE_GOOD, .line = &line),
                        "{\"b\":true,\"f\":0.5,\"d\":0.1,\"text\":\"h\xc3\xa9\",\"bytes\":\"//4=\","
                        "\"time\":\"1970-01-01T00:00:00.001Z\",\"fixed\":\"AQID\",\"grade\":\"GRADE_GOOD\","
                        "\"line\":{\"article\":\"pen\",\"place\":{\"x\":1}}}");
    assert_string_equal(JSON_OF(Everything, .grade = (Grade)99), "{\"fixed\":\"AAAA\",\"grade\":99}");
    assert_string_equal(JSON_OF(Image, (const uint8_t *)"abc", 3), "\"YWJj\"");
    assert_string_equal(JSON_OF(Image, NULL, 0), "\"\"");
    assert_string_equal(JSON_OF(Place, .value = {.x = 3}), "{\"x\":3}");
    assert_string_equal(JSON_OF(Order, .last = 1, .first = 2), "{\"first\":2,\"last\":1}");
}

static void optionals_are_shown_when_they_are_there(void **state)
{
    (void)state;
    assert_string_equal(JSON_OF(Everything, .has_ob = true, .has_oi64 = true, .has_otext = true, .has_obytes = true,
                                .has_otime = true, .has_ofixed = true, .has_ograde = true, .has_od = true),
                        "{\"fixed\":\"AAAA\",\"ob\":false,\"oi64\":\"0\",\"od\":0,\"otext\":\"\",\"obytes\":\"\","
                        "\"otime\":\"1970-01-01T00:00:00.000Z\",\"ofixed\":\"AAAA\",\"ograde\":\"GRADE_UNKNOWN\"}");
}

static void lists_are_arrays(void **state)
{
    (void)state;
    const int64_t wide[] = {1, -1};
    const char *const words[] = {"a", NULL};
    const Line lines[] = {{.article = "x"}, {.cents = 5}};
    const uint8_t fixed[2][3] = {{0}, {255, 255, 255}};
    const Grade grades[] = {GRADE_BAD, (Grade)5};
    assert_string_equal(
        JSON_OF(Everything, .li64 = wide, .li64_count = 2, .ltext = words, .ltext_count = 2, .lines = lines,
                .lines_count = 2, .lfixed = fixed, .lfixed_count = 2, .lgrade = grades, .lgrade_count = 2),
        "{\"fixed\":\"AAAA\",\"li64\":[\"1\",\"-1\"],\"ltext\":[\"a\",\"\"],\"lfixed\":[\"AAAA\",\"////\"],"
        "\"lgrade\":[\"GRADE_BAD\",5],\"lines\":[{\"article\":\"x\"},{\"cents\":\"5\"}]}");
}

static void options_choose_members_names_and_layout(void **state)
{
    (void)state;
    const docket_json_options all = {DOCKET_JSON_OPTIONS_INIT, .all_members = true};
    const docket_json_options camel = {DOCKET_JSON_OPTIONS_INIT, .lower_camel_case = true};
    const docket_json_options lines = {DOCKET_JSON_OPTIONS_INIT, .indent = 2};
    const docket_json_options bad = {DOCKET_JSON_OPTIONS_INIT, .indent = 9};
    docket_error error;
    assert_string_equal(write_with(DOCKET_OF(Line), &(Line){.article = NULL}, &all),
                        "{\"article\":\"\",\"cents\":\"0\",\"tags\":[],\"place\":null}");
    assert_contains(write_with(DOCKET_OF(Everything), &(Everything){false}, &all), "\"oi32\":null,");
    assert_string_equal(write_with(DOCKET_OF(Names), &(Names){1, 2, 3, 4, 5}, &camel),
                        "{\"orderId\":1,\"a_b\":2,\"aB\":3,\"URLPath\":4,\"X\":5}");
    assert_string_equal(write_with(DOCKET_OF(Line), &(Line){.article = "a", .place = &(Point){0}}, &lines),
                        "{\n  \"article\": \"a\",\n  \"place\": {}\n}");
    assert_status(DOCKET_INVALID, docket_json_write(DOCKET_OF(Point), &(Point){0}, &bad, &text, &error));
    assert_string_equal(error.message, "indent is 9; it may be 0 to 8");
}

static void strings_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(JSON_OF(Line, .article = "\"\\\b\f\n\r\t\v\x01\x1f/\x7f\xc2\x85\xc2\xa0\xe2\x82\xac"),
                        "{\"article\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u000b\\u0001\\u001f/\\u007f\\u0085\xc2\xa0"
                        "\xe2\x82\xac\"}");
}

static void secrets_are_stars(void **state)
{
    (void)state;
    const docket_json_options all = {DOCKET_JSON_OPTIONS_INIT, .all_members = true};
    const char *const tokens[] = {"t"};
    const Login login = {.user = "ann", .card = "4711", .tokens = tokens, .tokens_count = 1, .has_pin = true,
                         .pin = 1, .home = &(Point){.x = 1}};
    assert_string_equal(write_with(DOCKET_OF(Login), &login, NULL),
                        "{\"user\":\"ann\",\"card\":\"***\",\"tokens\":\"***\",\"pin\":\"***\",\"home\":\"***\"}");
    assert_string_equal(JSON_OF(Login, .user = "ann"), "{\"user\":\"ann\"}");
    assert_string_equal(write_with(DOCKET_OF(Login), &(Login){.user = NULL}, &all),
                        "{\"user\":\"\",\"card\":\"***\",\"tokens\":\"***\",\"pin\":\"***\",\"home\":\"***\"}");
}

static void secrecy_is_not_part_of_the_layout(void **state)
{
    (void)state;
    uint8_t secret[32];
    uint8_t open[32];
    docket_buffer bytes = {0};
    LoginOpen back = {.user = NULL};
    docket_error error;
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Login), secret, &error));
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(LoginOpen), open, &error));
    assert_memory_equal(secret, open, sizeof secret);
    const Login login = {.user = "ann", .card = "4711", .has_pin = true, .pin = -5};
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Login), &login, &bytes, &error));
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(LoginOpen), docket_buffer_bytes(&bytes), &arena, &back, &error));
    assert_string_equal(back.card, "4711");
    assert_int_equal(back.pin, -5);
    docket__buffer_release(&bytes);
}

static void stored_values_are_shown_by_their_description(void **state)
{
    (void)state;
    docket_buffer bytes = {0};
    docket_buffer schema = {0};
    docket_buffer shown = {0};
    docket_error error;
    const docket_type *type = NULL;
    const Login login = {.user = "ann", .card = "4711"};
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Login), &login, &bytes, &error));
    assert_status(DOCKET_OK, docket__schema_encode(DOCKET_OF(Login), &schema, &error));
    assert_status(DOCKET_OK, docket__schema_decode(docket_buffer_bytes(&schema), &arena, &type, &error));
    assert_status(DOCKET_OK,
                  docket__json_write_stored(type, docket_buffer_bytes(&bytes), NULL, &shown, &error));
    assert_int_equal(docket__buffer_append(&shown, "", 1), DOCKET_OK);
    assert_string_equal((char *)shown.data, "{\"user\":\"ann\",\"card\":\"***\"}");
    docket__buffer_truncate(&shown, 0);
    assert_status(DOCKET_CORRUPT,
                  docket__json_write_stored(type, (docket_bytes){(const uint8_t *)"\xff", 1}, NULL, &shown, &error));
    assert_int_equal(shown.size, 0);
    docket__buffer_release(&bytes);
    docket__buffer_release(&schema);
    docket__buffer_release(&shown);
}

static docket_status copy_bytes(const docket_type *type, const void *value, docket_buffer *out, docket_error *error)
{
    (void)type;
    (void)error;
    return docket_buffer_append(out, value, 1);
}

static docket_status take_byte(const docket_type *type, docket_bytes bytes, docket_arena *into, void *value,
                               docket_error *error)
{
    (void)type;
    (void)into;
    (void)error;
    if (bytes.size != 1) {
        return DOCKET_CORRUPT;
    }
    memcpy(value, bytes.data, 1);
    return DOCKET_OK;
}

typedef struct Odd {
    char letter;
} Odd;
DOCKET_DESCRIBE(Odd, .layout = "odd 1", .encode = copy_bytes, .decode = take_byte);

static void foreign_types_are_their_bytes(void **state)
{
    (void)state;
    docket_error error;
    assert_string_equal(JSON_OF(Odd, 'a'), "{\"@type\":\"Odd\",\"base64\":\"YQ==\"}");
    assert_status(DOCKET_INVALID, docket_json_write(DOCKET_OF(Client), &error, NULL, &text, &error));
    assert_string_equal(error.message, "Client: a resource is not shown");
    assert_status(DOCKET_INVALID, docket_json_write(DOCKET_OF(Odd), NULL, NULL, &text, &error));
    assert_status(DOCKET_INVALID, docket_json_write(NULL, &error, NULL, &text, &error));
}

static void what_cannot_be_encoded_is_not_written(void **state)
{
    (void)state;
    docket_error error;
    docket__buffer_clear(&text);
    assert_status(DOCKET_OK, docket_buffer_append(&text, "kept", 4));
    const Line bad = {.article = "\xff"};
    assert_status(DOCKET_ENCODE,
                  docket_json_write(DOCKET_OF(Everything), &(Everything){.line = &bad}, NULL, &text, &error));
    assert_string_equal(error.message, "Everything.line.article: the text is not valid UTF-8");
    assert_status(DOCKET_ENCODE,
                  docket_json_write(DOCKET_OF(Everything), &(Everything){.lines_count = 1}, NULL, &text, &error));
    assert_status(DOCKET_ENCODE, docket_json_write(DOCKET_OF(Image), &(Image){NULL, 1}, NULL, &text, &error));
    assert_int_equal(text.size, 4);
}

static void assert_double(double value, const char *expected)
{
    char shown[DOCKET__JSON_NUMBER];
    assert_int_equal(docket__json_put_double(value, shown), strlen(expected));
    assert_string_equal(shown, expected);
}

static void assert_float(float value, const char *expected)
{
    char shown[DOCKET__JSON_NUMBER];
    assert_int_equal(docket__json_put_float(value, shown), strlen(expected));
    assert_string_equal(shown, expected);
}

static void reals_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    assert_double(0.0, "0");
    assert_double(-0.0, "-0.0");
    assert_double(0.1, "0.1");
    assert_double(1.0, "1");
    assert_double(-1234.5, "-1234.5");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double(1e20, "100000000000000000000");
    assert_double(1e21, "1e+21");
    assert_double(1e-6, "0.000001");
    assert_double(1e-7, "1e-7");
    assert_double(1.5e300, "1.5e+300");
    assert_double(9007199254740993.0, "9007199254740992");
    assert_double(5.684341886080802e-14, "5.684341886080802e-14"); /* 2^-44 */
    assert_double(1.7976931348623157e308, "1.7976931348623157e+308");
    assert_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    assert_double(4.9406564584124654e-324, "5e-324");
    assert_float(0.1F, "0.1");
    assert_float(16777216.0F, "16777216");
    assert_float(3.4028234663852886e38F, "3.4028235e+38");
    assert_float(1e-45F, "1e-45");
    assert_string_equal(JSON_OF(Real, .d = (double)NAN, .f = -INFINITY), "{\"d\":\"NaN\",\"f\":\"-Infinity\"}");
    assert_string_equal(JSON_OF(Real, .d = (double)INFINITY, .f = -0.0F), "{\"d\":\"Infinity\",\"f\":-0.0}");
}

static void random_reals_read_back(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    char shown[DOCKET__JSON_NUMBER];
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = sample_next(&seed);
        uint32_t half = (uint32_t)sample_next(&seed);
        double wide;
        double wide_back = 0;
        float narrow;
        float narrow_back = 0;
        memcpy(&wide, &bits, sizeof wide);
        memcpy(&narrow, &half, sizeof narrow);
        if (isfinite(wide)) {
            assert_true(docket__json_get_double(shown, docket__json_put_double(wide, shown), &wide_back));
            assert_memory_equal(&wide, &wide_back, sizeof wide);
        }
        if (isfinite(narrow)) {
            assert_true(docket__json_get_float(shown, docket__json_put_float(narrow, shown), &narrow_back));
            assert_memory_equal(&narrow, &narrow_back, sizeof narrow);
        }
    }
}

static void times_are_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *shown;
    } times[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(1769860800123), "2026-01-31T12:00:00.123Z"},
        {INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_C(253402300800000), "253402300800000"},
        {INT64_C(-62135596800001), "-62135596800001"},
        {INT64_MIN, "-9223372036854775808"},
    };
    char shown[DOCKET__JSON_NUMBER];
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t back = 7;
        size_t size = docket__json_put_time(times[i].time_ms, shown);
        assert_string_equal(shown, times[i].shown);
        if (strchr(shown, 'Z') != NULL) {
            assert_true(docket__json_get_time(shown, size, &back));
            assert_true(back == times[i].time_ms);
        }
    }
    for (int64_t day = -719162; day < 2932896; day += 13) {
        int64_t back = 7;
        size_t size = docket__json_put_time(day * 86400000, shown);
        assert_true(docket__json_get_time(shown, size, &back) && back == day * 86400000);
    }
}

static void times_are_read_strictly(void **state)
{
    (void)state;
    static const char *const good[] = {"1970-01-01T00:00:01Z", "1970-01-01T00:00:01.0Z", "1970-01-01T01:00:01+01:00",
                                       "1969-12-31T23:30:01.000000000-00:30"};
    static const char *const bad[] = {
        "", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-1-01T00:00:00Z", "1970-13-01T00:00:00Z",
        "1970-02-29T00:00:00Z", "1970-01-00T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.0001Z", "1970-01-01T00:00:00.0000000000Z",
        "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00Zx", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "-970-01-01T00:00:00Z", "1970-01-01T00:00:00z"};
    int64_t time_ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(docket__json_get_time(good[i], strlen(good[i]), &time_ms));
        assert_int_equal(time_ms, 1000);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(docket__json_get_time(bad[i], strlen(bad[i]), &time_ms));
    }
}

static void base64_of_both_alphabets_is_read(void **state)
{
    (void)state;
    static const char *const good[] = {"+/8=", "-_8=", "-_8", "+_8"};
    static const char *const bad[] = {"+", "+/8==", "====", "+/9=", "a===", "ab=c", "a b=", "+/8=\n"};
    uint8_t bytes[16];
    size_t size = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(docket__json_get_base64(good[i], strlen(good[i]), bytes, &size));
        assert_int_equal(size, 2);
        assert_memory_equal(bytes, "\xfb\xff", 2);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(docket__json_get_base64(bad[i], strlen(bad[i]), bytes, &size));
    }
}

static void integers_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_negative;
        uint64_t magnitude;
    } good[] = {{"0", false, 0},      {"-0", true, 0},         {"18446744073709551615", false, UINT64_MAX},
                {"1e3", false, 1000}, {"1.20e1", false, 12},   {"9007199254740993.0", false, 9007199254740993u},
                {"1000e-3", false, 1}, {"0e999999999999999999", false, 0}, {"-12E+0", true, 12}};
    static const char *const bad[] = {"", "-", "01", "1.", ".1", "1e", "1e+", "+1", "0x1", "1 ", "NaN", "1.5", "1e-1",
                                      "18446744073709551616", "1e20", "1e999999999999999999999"};
    docket__json_integer integer;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(docket__json_get_integer(good[i].text, strlen(good[i].text), &integer));
        assert_true(integer.is_negative == good[i].is_negative && integer.magnitude == good[i].magnitude);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(docket__json_get_integer(bad[i], strlen(bad[i]), &integer));
    }
}

static void long_reals_are_rounded_right(void **state)
{
    (void)state;
    char *digits = docket__arena_allocate(&arena, 3001, 1);
    double value = 0;
    /* Halfway between two doubles, and then one digit far behind that tips the balance. */
    const char halfway[] = "9007199254740993.";
    memset(digits, '0', 3000);
    memcpy(digits, halfway, sizeof halfway - 1);
    assert_true(docket__json_get_double(digits, 3000, &value));
    assert_true(value == 9007199254740992.0);
    digits[2999] = '1';
    assert_true(docket__json_get_double(digits, 3000, &value));
    assert_true(value == 9007199254740994.0);
    assert_false(docket__json_get_double("1e309", 5, &value));
    assert_true(docket__json_get_double("1e-400", 6, &value) && value == 0);
    float narrow = 0;
    assert_false(docket__json_get_float("1e39", 4, &narrow));
    assert_true(docket__json_get_float("0.000000000000000000000000000001e30", 35, &narrow) && narrow == 1.0F);
}

/* A locale with a comma, made in a temporary folder; false where localedef or its sources are missing. */
static bool use_comma(void)
{
    char folder[] = "/tmp/docket_locale_XXXXXX";
    char made[128];
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL) {
        return true;
    }
    if (mkdtemp(folder) == NULL) {
        return false;
    }
    snprintf(made, sizeof made, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", folder);
    FILE *pipe = popen(made, "r");
    bool is_made = pipe != NULL && pclose(pipe) == 0;
    is_made = is_made && setenv("LOCPATH", folder, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    snprintf(made, sizeof made, "rm -r %s", folder);
    pipe = popen(made, "r");
    (void)(pipe != NULL && pclose(pipe));
    unsetenv("LOCPATH");
    return is_made;
}

static void nothing_depends_on_the_locale(void **state)
{
    (void)state;
    double value = 0;
    if (!use_comma()) {
        print_message("no locale with a comma here\n");
        return;
    }
    char shown[DOCKET__JSON_NUMBER];
    snprintf(shown, sizeof shown, "%.1f", 0.5);
    assert_string_equal(shown, "0,5");
    assert_double(1234.5, "1234.5");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_float(0.1F, "0.1");
    assert_true(docket__json_get_double("1.5e1", 5, &value));
    assert_true(value == 15.0);
    assert_string_equal(JSON_OF(Real, .d = 0.25), "{\"d\":0.25}");
    setlocale(LC_ALL, "C");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const Everything value = sample_everything(7, &arena, 0);
    docket_status status = DOCKET_NO_MEMORY;
    docket__buffer_release(&text);
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        docket_error error;
        docket_buffer out = {0};
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket_json_write(DOCKET_OF(Everything), &value, NULL, &out, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        assert_status(status, error.status);
        assert_true(status == DOCKET_OK || out.size == 0);
        docket__buffer_release(&out);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(numbers_are_exact, clean),
        cmocka_unit_test_teardown(every_kind_has_its_text, clean),
        cmocka_unit_test_teardown(optionals_are_shown_when_they_are_there, clean),
        cmocka_unit_test_teardown(lists_are_arrays, clean),
        cmocka_unit_test_teardown(options_choose_members_names_and_layout, clean),
        cmocka_unit_test_teardown(strings_are_escaped, clean),
        cmocka_unit_test_teardown(secrets_are_stars, clean),
        cmocka_unit_test_teardown(secrecy_is_not_part_of_the_layout, clean),
        cmocka_unit_test_teardown(stored_values_are_shown_by_their_description, clean),
        cmocka_unit_test_teardown(foreign_types_are_their_bytes, clean),
        cmocka_unit_test_teardown(what_cannot_be_encoded_is_not_written, clean),
        cmocka_unit_test_teardown(reals_are_as_short_as_they_can_be, clean),
        cmocka_unit_test_teardown(random_reals_read_back, clean),
        cmocka_unit_test_teardown(times_are_rfc_3339, clean),
        cmocka_unit_test_teardown(times_are_read_strictly, clean),
        cmocka_unit_test_teardown(base64_of_both_alphabets_is_read, clean),
        cmocka_unit_test_teardown(integers_are_read_exactly, clean),
        cmocka_unit_test_teardown(long_reals_are_rounded_right, clean),
        cmocka_unit_test_teardown(nothing_depends_on_the_locale, clean),
        cmocka_unit_test_teardown(every_allocation_may_fail, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
