#include "base/error.h"

#include "base/text.h"
#include "support/check.h"

static void size_is_frozen(void **state)
{
    (void)state;
    assert_int_equal(sizeof(docket_error), 2048);
    assert_int_equal(offsetof(docket_error, reserved), 2048 - 104);
    const docket_error empty = DOCKET_ERROR_INIT;
    assert_int_equal(empty.item_index, -1);
}

static void every_status_has_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(docket_status_name(DOCKET_OK), "DOCKET_OK");
    assert_string_equal(docket_status_name(DOCKET_CLAIM_LOST), "DOCKET_CLAIM_LOST");
    assert_string_equal(docket_status_text(DOCKET_OK), "success");
    for (int i = 0; i <= DOCKET_UNSUPPORTED; i++) {
        assert_true(strcmp(docket_status_name((docket_status)i), "DOCKET_UNKNOWN") != 0);
    }
    assert_string_equal(docket_status_name((docket_status)9999), "DOCKET_UNKNOWN");
    assert_string_equal(docket_status_text((docket_status)-1), "a status that this library does not know");
    assert_string_equal(docket_version(), DOCKET_VERSION_STRING);
}

static void setting_clears_what_was_there(void **state)
{
    (void)state;
    docket_error error;
    memset(&error, 0x55, sizeof error);
    assert_status(DOCKET_INVALID, docket__error_set(&error, DOCKET_INVALID, "%d of %s", 7, "nine"));
    assert_status(DOCKET_INVALID, error.status);
    assert_string_equal(error.message, "7 of nine");
    assert_int_equal(error.item_index, -1);
    assert_int_equal(error.code, 0);
    assert_int_equal(error.attempts, 0);
    assert_int_equal(error.transient, 0);
    assert_string_equal(error.step, "");
    assert_string_equal(error.type, "");
    assert_string_equal(error.execution_id, "");
    assert_string_equal(error.cause, "");
    docket__error_clear(&error);
    assert_status(DOCKET_OK, error.status);
    assert_string_equal(error.message, "");
}

static void null_is_accepted(void **state)
{
    (void)state;
    assert_status(DOCKET_STORE, docket__error_set(NULL, DOCKET_STORE, "x"));
    assert_status(DOCKET_NO_MEMORY, docket__error_no_memory(NULL));
    docket__error_clear(NULL);
    docket__error_copy(NULL, NULL);
    docket__error_set_step(NULL, "s");
    docket__error_set_type(NULL, "t");
    docket__error_set_execution(NULL, "e");
    docket__error_set_cause(NULL, "c");
}

static void foreign_bytes_are_escaped(void **state)
{
    (void)state;
    docket_error error;
    docket__error_set(&error, DOCKET_FAILED, "bad \x1b[31m\nand \xff");
    assert_string_equal(error.message, "bad \\x1b[31m\\x0aand \\xff");
    docket__error_set_cause(&error, "\xed\xa0\x80");
    assert_string_equal(error.cause, "\\xed\\xa0\\x80");
}

static void long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    docket_error error;
    for (size_t lead = 0; lead < 4; lead++) {
        char text[2000] = "aaaa";
        size_t length = lead;
        while (length + 3 < sizeof text) {
            memcpy(text + length, "€", 4);
            length += 3;
        }
        docket__error_set(&error, DOCKET_FAILED, "%s", text);
        size_t kept = strlen(error.message);
        assert_true(kept > sizeof error.message - 4 && kept < sizeof error.message);
        assert_true(docket__utf8_valid(error.message, kept));
        assert_null(strchr(error.message, '\\'));
        docket__error_set_step(&error, text);
        assert_true(docket__utf8_valid(error.step, strlen(error.step)));
    }
}

static void message_may_come_from_the_error_itself(void **state)
{
    (void)state;
    docket_error error;
    docket__error_set(&error, DOCKET_FAILED, "inner");
    docket__error_set(&error, DOCKET_FAILED, "outer: %s", error.message);
    assert_string_equal(error.message, "outer: inner");
}

static void copies_are_whole(void **state)
{
    (void)state;
    docket_error error;
    docket_error copy;
    docket__error_set(&error, DOCKET_TIMEOUT, "late");
    error.item_index = 5;
    docket__error_set_step(&error, "s");
    docket__error_copy(&copy, &error);
    docket__error_copy(&copy, &copy);
    assert_status(DOCKET_TIMEOUT, copy.status);
    assert_string_equal(copy.step, "s");
    assert_int_equal(copy.item_index, 5);
    docket__error_copy(&copy, NULL);
    assert_status(DOCKET_OK, copy.status);
}

static void assert_line(const docket_error *error, const char *expected)
{
    char line[3000];
    assert_int_equal(docket_error_format(error, line, sizeof line), strlen(expected));
    assert_string_equal(line, expected);
}

static void line_leaves_out_what_is_not_known(void **state)
{
    (void)state;
    docket_error error;
    docket__error_set(&error, DOCKET_FAILED, "no ink");
    assert_line(&error, "no ink");
    error.attempts = 1;
    assert_line(&error, "no ink (1 attempt)");
    docket__error_set_type(&error, "Page");
    error.item_index = 0;
    assert_line(&error, "no ink (type Page, item 0, 1 attempt)");
    docket__error_set_step(&error, "print");
    docket__error_set_execution(&error, "run-1");
    docket__error_set_cause(&error, "printer is on fire");
    error.attempts = 3;
    assert_line(&error, "[run-1] no ink (step print, type Page, item 0, 3 attempts): printer is on fire");
    docket__error_clear(&error);
    assert_line(&error, "success");
}

static void line_is_cut_like_snprintf(void **state)
{
    (void)state;
    docket_error error;
    char line[7] = "xxxxxx";
    docket__error_set(&error, DOCKET_FAILED, "abcd€");
    docket__error_set_cause(&error, "c");
    assert_int_equal(docket_error_format(&error, line, sizeof line), 10);
    assert_string_equal(line, "abcd");
    assert_int_equal(docket_error_format(&error, NULL, 0), 10);
    assert_int_equal(docket_error_format(&error, line, 1), 10);
    assert_string_equal(line, "");
    assert_int_equal(docket_error_format(NULL, line, sizeof line), 0);
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_is_frozen),
        cmocka_unit_test(every_status_has_name_and_text),
        cmocka_unit_test(setting_clears_what_was_there),
        cmocka_unit_test(null_is_accepted),
        cmocka_unit_test(foreign_bytes_are_escaped),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(message_may_come_from_the_error_itself),
        cmocka_unit_test(copies_are_whole),
        cmocka_unit_test(line_leaves_out_what_is_not_known),
        cmocka_unit_test(line_is_cut_like_snprintf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
