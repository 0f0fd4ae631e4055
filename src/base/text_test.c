#include "base/text.h"

#include "support/check.h"

static bool is_valid(const char *text)
{
    return docket__utf8_valid(text, strlen(text));
}

/* The plain rule, byte by byte, beside which the fast one is held. */
static bool is_valid_slowly(const char *text, size_t size)
{
    while (size > 0) {
        size_t length = docket__utf8_front(text, size);
        if (length == 0) {
            return false;
        }
        text += length;
        size -= length;
    }
    return true;
}

/* What is well formed and what is not, at every place of a text that is long enough for blocks. */
static void long_texts_are_judged_alike_at_every_place(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\x80",
                                         "\xc0\x80",
                                         "\xc2\x80",
                                         "\xc2",
                                         "\xdf\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xe0\xa0\x80",
                                         "\xe2\x82",
                                         "\xed\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xef\xbf\xbf",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf0\x90\x80\x80",
                                         "\xf0\x9f\x98",
                                         "\xf4\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xc2\x80\x80",
                                         "\xf0\x90\x80\x80\x80",
                                         "\xff",
                                         "\x7f"};
    static const char *const grounds[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    char text[240];
    for (size_t ground = 0; ground < sizeof grounds / sizeof grounds[0]; ground++) {
        for (size_t piece = 0; piece < sizeof pieces / sizeof pieces[0]; piece++) {
            size_t length = strlen(pieces[piece]);
            for (size_t at = 0; at + length <= sizeof text; at++) {
                for (size_t i = 0; i < sizeof text; i++) {
                    text[i] = grounds[ground][i % strlen(grounds[ground])];
                }
                memcpy(text + at, pieces[piece], length);
                for (size_t size = at + length; size <= sizeof text; size += 7) {
                    bool expected = is_valid_slowly(text, size);
                    assert_int_equal(docket__utf8_valid(text, size), expected);
                    assert_int_equal(docket__text_valid(text, size), expected);
                }
            }
        }
    }
}

static void random_texts_are_judged_alike(void **state)
{
    (void)state;
    uint64_t seed = 20240229;
    char text[200];
    size_t valid = 0;
    for (size_t round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[i] = round % 2 == 0 ? (char)(seed >> 56) : (char)(i % 2 == 0 ? 0xc3 : 0x80 | (seed >> 58));
        }
        text[seed >> 57] = round % 4 == 1 ? text[seed >> 57] : (char)(seed >> 40);
        valid += is_valid_slowly(text, sizeof text);
        assert_int_equal(docket__utf8_valid(text, sizeof text), is_valid_slowly(text, sizeof text));
    }
    assert_true(valid > 1000);
}

static void a_text_has_no_nul(void **state)
{
    (void)state;
    char text[200];
    assert_true(docket__text_valid(NULL, 0));
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + 100, "\xc3\xa9", 2);
        assert_true(docket__text_valid(text, sizeof text));
        text[at] = at == 100 || at == 101 ? text[at] : '\0';
        assert_int_equal(docket__text_valid(text, sizeof text), at == 100 || at == 101);
        assert_true(docket__utf8_valid(text, sizeof text));
    }
}

/* Unicode 15, table 3-7, and the ill-formed sequences of RFC 3629. */
static void only_well_formed_utf8_is_valid(void **state)
{
    (void)state;
    const char *const valid[] = {"",
                                 "plain",
                                 "\xc2\x80",
                                 "\xdf\xbf",
                                 "\xe0\xa0\x80",
                                 "\xed\x9f\xbf",
                                 "\xee\x80\x80",
                                 "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80",
                                 "\xf4\x8f\xbf\xbf",
                                 "sixteen bytes ok",
                                 "grüße aus Köln",
                                 "eight by\xc3\xa9"};
    const char *const invalid[] = {"\x80",
                                   "\xbf",
                                   "\xc0\x80",
                                   "\xc1\xbf",
                                   "\xc2",
                                   "\xc2\x41",
                                   "\xe0\x9f\xbf",
                                   "\xed\xa0\x80",
                                   "\xed\xbf\xbf",
                                   "\xe2\x82",
                                   "\xe2\x82\x41",
                                   "\xf0\x8f\xbf\xbf",
                                   "\xf4\x90\x80\x80",
                                   "\xf5\x80\x80\x80",
                                   "\xf0\x9f\x98",
                                   "\xff",
                                   "\xfe",
                                   "eight by\xff",
                                   "seven b\xe2\x82"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        assert_true(is_valid(valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_false(is_valid(invalid[i]));
    }
    assert_true(docket__utf8_valid("a\0b", 3));
    assert_true(docket__utf8_valid(NULL, 0));
}

static void front_is_measured(void **state)
{
    (void)state;
    assert_int_equal(docket__utf8_front("", 0), 0);
    assert_int_equal(docket__utf8_front("a", 1), 1);
    assert_int_equal(docket__utf8_front("\xc3\xa9x", 3), 2);
    assert_int_equal(docket__utf8_front("\xe2\x82\xac", 3), 3);
    assert_int_equal(docket__utf8_front("\xe2\x82\xac", 2), 0);
    assert_int_equal(docket__utf8_front("\xf0\x9f\x98\x80", 4), 4);
}

static void make_name(char name[300], size_t size)
{
    memset(name, 'n', size);
    name[size] = '\0';
}

static void names_have_1_to_255_printable_bytes(void **state)
{
    (void)state;
    char name[300];
    make_name(name, 255);
    assert_true(docket__name_valid(name));
    make_name(name, 256);
    assert_false(docket__name_valid(name));
    assert_true(docket__name_valid("Auftrag № 7"));
    assert_true(docket__name_valid(" "));
    assert_true(docket__name_valid("\xc2\xa0"));
    assert_false(docket__name_valid(NULL));
    assert_false(docket__name_valid(""));
    assert_false(docket__name_valid("a\nb"));
    assert_false(docket__name_valid("a\x7f"));
    assert_false(docket__name_valid("a\xc2\x85"));
    assert_false(docket__name_valid("a\xff"));
}

static void wrong_name_is_explained(void **state)
{
    (void)state;
    docket_error error;
    char name[300];
    assert_status(DOCKET_OK, docket__name_check("the step's name", "ok", &error));
    assert_status(DOCKET_INVALID, docket__name_check("the step's name", NULL, &error));
    assert_string_equal(error.message,
                        "the step's name must be 1 to 255 bytes of UTF-8 without control characters, "
                        "but is NULL");
    assert_status(DOCKET_INVALID, docket__name_check("the step's name", "", &error));
    assert_contains(error.message, "but is empty");
    assert_status(DOCKET_INVALID, docket__name_check("the step's name", "a\tb", &error));
    assert_contains(error.message, "but \"a\\x09b\" has byte 0x09 at offset 1");
    make_name(name, 299);
    assert_status(DOCKET_INVALID, docket__name_check("the step's name", name, &error));
    assert_contains(error.message, "but has 299 bytes: \"nnn");
    assert_status(DOCKET_INVALID, docket__name_check("the step's name", name, NULL));
}

static void unprintable_bytes_are_escaped(void **state)
{
    (void)state;
    char out[64];
    const char text[] = "a\n\x1b[0m é\xff\xc2\x85\x7f\0z";
    size_t length = docket__text_escape(out, sizeof out, text, sizeof text - 1);
    assert_string_equal(out, "a\\x0a\\x1b[0m é\\xff\\xc2\\x85\\x7f\\x00z");
    assert_int_equal(length, strlen(out));
}

static void cut_leaves_whole_characters(void **state)
{
    (void)state;
    char out[8];
    docket__text_escape(out, sizeof out, "abcdef€", strlen("abcdef€"));
    assert_string_equal(out, "abcdef");
    docket__text_escape(out, sizeof out, "abcd€ef", strlen("abcd€ef"));
    assert_string_equal(out, "abcd€");
    docket__text_escape(out, sizeof out, "abcd\nef", 7);
    assert_string_equal(out, "abcd");
    assert_int_equal(docket__text_escape(out, 1, "abc", 3), 0);
    assert_string_equal(out, "");
    assert_int_equal(docket__text_escape(NULL, 0, "abc", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_texts_are_judged_alike_at_every_place),
        cmocka_unit_test(random_texts_are_judged_alike),
        cmocka_unit_test(a_text_has_no_nul),
        cmocka_unit_test(only_well_formed_utf8_is_valid),
        cmocka_unit_test(front_is_measured),
        cmocka_unit_test(names_have_1_to_255_printable_bytes),
        cmocka_unit_test(wrong_name_is_explained),
        cmocka_unit_test(unprintable_bytes_are_escaped),
        cmocka_unit_test(cut_leaves_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
