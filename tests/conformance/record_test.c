/* Records go in and come out as they are; one that lives is adopted and never replaced unasked; failures are kept
 * beside. */
#include "conformance/shelf.h"

#include "base/error.h"
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>

static docket_error failure_of(const char *message, int code)
{
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_FAILED, "%s", message);
    failure.code = code;
    return failure;
}

static void what_was_recorded_is_found(void **state)
{
    shelf *self = *state;
    uint8_t inputs[3 * 32];
    docket_record record = shelf_record(1, "order-1", "pay", "hello");
    memset(inputs, 0x5a, sizeof inputs);
    record.input_digests = inputs;
    record.input_count = 3;
    record.step_version = UINT32_MAX;
    record.attempts = INT32_MAX;
    record.duration_ms = INT64_MAX;
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_NOTHING);
    shelf_put_new(self, &record);
    shelf_assert_holds(self, &record);
    shelf_reopen(self);
    shelf_assert_holds(self, &record);
}

static void a_key_alone_is_enough_to_find_a_record(void **state)
{
    shelf *self = *state;
    docket_record workflow = shelf_record(1, "order-1", "pay", "one");
    docket_record global = shelf_record(2, "order-1", "rates", "two");
    global.scope = DOCKET_SCOPE_GLOBAL;
    shelf_put_new(self, &workflow);
    shelf_put_new(self, &global);
    for (int i = 0; i < 3; i++) {
        docket_record where = {.key = shelf_record(i, "", "", "").key};
        docket_record *found = NULL;
        assert_int_equal(shelf_find(self, &where, &found), i == 0 ? DOCKET_FOUND_NOTHING : DOCKET_FOUND_RECORD);
        assert_true(i == 0 || found->value.data[0] == (i == 1 ? 'o' : 't'));
        docket_record_free(found);
    }
}

static void global_records_are_found_by_any_execution(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "rates", "hello");
    record.scope = DOCKET_SCOPE_GLOBAL;
    shelf_put_new(self, &record);
    docket_record *existing = NULL;
    docket_record other = record;
    other.execution_id = "order-2";
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &other, &found), DOCKET_FOUND_RECORD);
    assert_string_equal(found->execution_id, "order-1");
    docket_record_free(found);
    assert_status(DOCKET_OK, shelf_put(self, &other, NULL, false, &existing));
    assert_non_null(existing);
    assert_string_equal(existing->execution_id, "order-1");
    docket_record_free(existing);
}

static void a_live_record_is_adopted(void **state)
{
    shelf *self = *state;
    docket_record first = shelf_record(1, "order-1", "pay", "first");
    docket_record second = shelf_record(1, "order-1", "pay", "second");
    docket_record *existing = NULL;
    shelf_put_new(self, &first);
    assert_status(DOCKET_OK, shelf_put(self, &second, NULL, false, &existing));
    assert_non_null(existing);
    assert_int_equal(existing->value.size, 5);
    assert_memory_equal(existing->value.data, "first", 5);
    assert_memory_equal(existing->checksum, first.checksum, sizeof first.checksum);
    docket_record_free(existing);
    shelf_assert_holds(self, &first);
}

static void replacing_replaces_all_of_it(void **state)
{
    shelf *self = *state;
    docket_record first = shelf_record(1, "order-1", "pay", "first");
    docket_record second = shelf_record(1, "order-1", "pay", "the second");
    docket_record *existing = NULL;
    first.ttl_ms = 1000;
    shelf_put_new(self, &first);
    second.type = "Other";
    second.step_version = 9;
    memset(second.fingerprint, 7, sizeof second.fingerprint);
    shelf_seal(&second);
    assert_status(DOCKET_OK, shelf_put(self, &second, NULL, true, &existing));
    assert_null(existing);
    shelf_assert_holds(self, &second);
    docket_record *found = NULL;
    shelf_find(self, &second, &found);
    assert_int_equal(found->expires_ms, 0);
    docket_record_free(found);
    docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true, .expired = true};
    char *list = shelf_list(self, &all, 10);
    assert_string_equal(list, "1 1 order-1/pay 10;");
    free(list);
}

static void an_absence_is_a_record(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "coupon", "no coupon was given");
    record.kind = DOCKET_CHECKPOINT_ABSENT;
    shelf_seal(&record);
    shelf_put_new(self, &record);
    shelf_assert_holds(self, &record);
}

static void unknown_formats_come_out_as_they_are(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "pay", "from the future");
    record.format = 2;
    record.codec = 3;
    record.kind = 9;
    shelf_seal(&record);
    shelf_put_new(self, &record);
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &record, &found), DOCKET_FOUND_RECORD);
    assert_int_equal(found->format, 2);
    assert_int_equal(found->codec, 3);
    assert_int_equal(found->kind, 9);
    assert_status(DOCKET_SCHEMA_NEWER, docket__record_verify(found, &self->error));
    docket_record_free(found);
    docket_record second = shelf_record(1, "order-1", "pay", "from the past");
    assert_status(DOCKET_OK, shelf_put(self, &second, NULL, false, &found));
    assert_int_equal(found->format, 2);
    docket_record_free(found);
}

/* ---- Failures ---- */

static void a_failure_is_no_record(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "pay", "");
    docket_error failure = failure_of("the card was declined", 402);
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, NULL));
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_NOTHING);
    docket_checkpoint_filter failures = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    docket_checkpoint_filter records = {DOCKET_CHECKPOINT_FILTER_INIT};
    char *list = shelf_list(self, &failures, 10);
    assert_string_equal(list, "1 3 order-1/pay 0;");
    free(list);
    list = shelf_list(self, &records, 10);
    assert_string_equal(list, "");
    free(list);
}

static void the_last_failure_is_the_one_that_is_kept(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "pay", "");
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    docket_checkpoint entry;
    docket_arena *texts = docket_arena_new();
    int64_t position = 0;
    size_t count = 0;
    for (int attempt = 1; attempt <= 3; attempt++) {
        docket_error failure = failure_of(attempt == 3 ? "no funds: \xc3\xa9" : "the bank is closed", attempt);
        record.attempts = attempt;
        assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, NULL));
    }
    shelf_reopen(self);
    assert_status(DOCKET_OK,
                  self->backend->list(self->self, &filter, &position, &entry, 1, &count, texts, &self->error));
    assert_int_equal(count, 1);
    assert_int_equal(entry.kind, DOCKET_CHECKPOINT_FAILURE);
    assert_status(DOCKET_FAILED, entry.status);
    assert_int_equal(entry.code, 3);
    assert_int_equal(entry.attempts, 3);
    assert_string_equal(entry.message, "no funds: \xc3\xa9");
    assert_string_equal(entry.type, "Text");
    docket_arena_free(texts);
}

static void a_success_clears_the_failure(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "pay", "paid");
    docket_error failure = failure_of("declined", 1);
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, NULL));
    shelf_put_new(self, &record);
    shelf_assert_holds(self, &record);
    char *list = shelf_list(self, &filter, 10);
    assert_string_equal(list, "1 1 order-1/pay 4;");
    free(list);
}

static void a_failure_never_replaces_a_live_record(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "pay", "paid");
    docket_error failure = failure_of("too late", 1);
    docket_record *existing = NULL;
    shelf_put_new(self, &record);
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, &existing));
    docket_record_free(existing);
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, true, &existing));
    docket_record_free(existing);
    shelf_assert_holds(self, &record);
}

/* ---- Sizes and names ---- */

static void payloads_come_back_byte_for_byte(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 1 << 20, 16 << 20};
    shelf *self = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *bytes = malloc(sizes[i] + 1);
        for (size_t j = 0; j < sizes[i]; j++) {
            bytes[j] = (uint8_t)(j * 131 + j / 251);
        }
        docket_record record = shelf_record((int)i, "order-1", "load", "");
        record.value = (docket_bytes){bytes, sizes[i]};
        shelf_seal(&record);
        shelf_put_new(self, &record);
        shelf_assert_holds(self, &record);
        free(bytes);
    }
}

static void many_inputs_are_kept(void **state)
{
    shelf *self = *state;
    uint8_t *digests = malloc(32 * 1000);
    memset(digests, 0xee, 32 * 1000);
    docket_record record = shelf_record(1, "order-1", "sum", "x");
    record.input_digests = digests;
    record.input_count = 1000;
    shelf_put_new(self, &record);
    shelf_assert_holds(self, &record);
    free(digests);
}

static void names_are_bytes(void **state)
{
    static const char *const names[] = {
        "a",
        "A",
        "e\xcc\x81",
        "\xc3\xa9",
        "\xf0\x9f\x98\x80",
        "..",
        "a/b",
        "%s%n",
        "100%",
        "_",
        "'; --",
        "a;DROP TABLE x;--",
        "a b",
        "a b ",
        " a b",
        "NULL",
        "1",
        "01",
        "1.0",
        "x'00'",
        "\"a\"",
        "`a`",
        "[a]",
        "a,b",
        "a\\b",
        "?1",
        "@execution",
        "docket",
        "sqlite_any",
        "\xe6\x97\xa5\xe6\x9c\xac",
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    shelf *self = *state;
    char longest[256];
    char other[256];
    memset(longest, 'x', 255);
    memset(other, 'x', 255);
    longest[255] = other[255] = '\0';
    other[254] = 'y';
    for (int i = 0; i < COUNT + 2; i++) {
        const char *name = i < COUNT ? names[i] : i == COUNT ? longest : other;
        docket_record record = shelf_record(i, name, name, name);
        record.type = name;
        shelf_seal(&record);
        shelf_put_new(self, &record);
    }
    shelf_reopen(self);
    for (int i = 0; i < COUNT + 2; i++) {
        const char *name = i < COUNT ? names[i] : i == COUNT ? longest : other;
        docket_record record = shelf_record(i, name, name, name);
        record.type = name;
        shelf_seal(&record);
        shelf_assert_holds(self, &record);
        docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = name, .step = name};
        char expected[600];
        snprintf(expected, sizeof expected, "%d 1 %s/%s %zu;", i, name, name, strlen(name));
        char *list = shelf_list(self, &filter, 10);
        assert_string_equal(list, expected);
        free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHELF_EACH(what_was_recorded_is_found),
        SHELF_EACH(a_key_alone_is_enough_to_find_a_record),
        SHELF_EACH(global_records_are_found_by_any_execution),
        SHELF_EACH(a_live_record_is_adopted),
        SHELF_EACH(replacing_replaces_all_of_it),
        SHELF_EACH(an_absence_is_a_record),
        SHELF_EACH(unknown_formats_come_out_as_they_are),
        SHELF_EACH(a_failure_is_no_record),
        SHELF_EACH(the_last_failure_is_the_one_that_is_kept),
        SHELF_EACH(a_success_clears_the_failure),
        SHELF_EACH(a_failure_never_replaces_a_live_record),
        SHELF_EACH(payloads_come_back_byte_for_byte),
        SHELF_EACH(many_inputs_are_kept),
        SHELF_EACH(names_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
