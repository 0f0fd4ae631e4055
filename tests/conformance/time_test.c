/* Lifetimes: a record lives from the moment of its commit for its time to live, and what has expired stays so. */
#include "conformance/shelf.h"

#include "base/error.h"

#include <docket/testing.h>
#include <stdlib.h>

static const int64_t begin_ms = INT64_C(1764000000000);

static int setup(void **state)
{
    docket_test_clock_start(begin_ms);
    return shelf_setup(state);
}

static int teardown(void **state)
{
    int result = shelf_teardown(state);
    docket_test_clock_stop();
    return result;
}

#define TIMED(function)                                                              \
    {#function "@memory", function, setup, teardown, (void *)(uintptr_t) "memory"},  \
    {                                                                                \
#function "@sqlite", function, setup, teardown, (void *)(uintptr_t) "sqlite" \
    }

static docket_record lasting(int key, int64_t ttl_ms)
{
    docket_record record = shelf_record(key, "order-1", "rate", "1.08");
    record.ttl_ms = ttl_ms;
    return record;
}

static void zero_is_for_ever(void **state)
{
    shelf *self = *state;
    docket_record record = lasting(1, 0);
    shelf_put_new(self, &record);
    docket_test_clock_advance(INT64_C(36500) * 86400000);
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &record, &found), DOCKET_FOUND_RECORD);
    assert_int_equal(found->created_ms, begin_ms);
    assert_int_equal(found->expires_ms, 0);
    docket_record_free(found);
}

static void a_millisecond_is_a_millisecond(void **state)
{
    shelf *self = *state;
    docket_record record = lasting(1, 1);
    shelf_put_new(self, &record);
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &record, &found), DOCKET_FOUND_RECORD);
    assert_int_equal(found->expires_ms, begin_ms + 1);
    docket_record_free(found);
    docket_test_clock_advance(1);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_EXPIRED);
}

static void what_cannot_be_expressed_is_for_ever(void **state)
{
    static const int64_t huge[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX - 1764000000000 + 1};
    shelf *self = *state;
    for (int i = 0; i < 3; i++) {
        docket_record record = lasting(i, huge[i]);
        shelf_put_new(self, &record);
        docket_record *found = NULL;
        assert_int_equal(shelf_find(self, &record, &found), DOCKET_FOUND_RECORD);
        assert_int_equal(found->expires_ms, 0);
        docket_record_free(found);
    }
    docket_record last = lasting(3, INT64_MAX - begin_ms);
    shelf_put_new(self, &last);
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &last, &found), DOCKET_FOUND_RECORD);
    assert_int_equal(found->expires_ms, INT64_MAX);
    docket_record_free(found);
}

static void lifetimes_pass_2038(void **state)
{
    shelf *self = *state;
    docket_record record = lasting(1, INT64_C(86400000) * 365 * 30);
    shelf_put_new(self, &record);
    docket_test_clock_advance(INT64_C(86400000) * 365 * 20);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_RECORD);
    docket_test_clock_advance(INT64_C(86400000) * 365 * 10);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_EXPIRED);
}

static void expired_stays_expired_when_the_clock_is_set_back(void **state)
{
    shelf *self = *state;
    docket_record seen = lasting(1, 1000);
    docket_record unseen = lasting(2, 1000);
    shelf_put_new(self, &seen);
    shelf_put_new(self, &unseen);
    docket_test_clock_advance(1000);
    assert_int_equal(shelf_find(self, &seen, NULL), DOCKET_FOUND_EXPIRED);
    docket_test_clock_set_wall(begin_ms - 86400000);
    assert_int_not_equal(shelf_find(self, &seen, NULL), DOCKET_FOUND_RECORD);
    assert_int_not_equal(shelf_find(self, &unseen, NULL), DOCKET_FOUND_RECORD);
    shelf_reopen(self);
    assert_int_not_equal(shelf_find(self, &seen, NULL), DOCKET_FOUND_RECORD);
}

static void lifetimes_go_on_while_the_clock_is_behind(void **state)
{
    shelf *self = *state;
    docket_record first = lasting(1, 0);
    shelf_put_new(self, &first);
    docket_test_clock_set_wall(begin_ms - 86400000);
    docket_record record = lasting(2, 1000);
    shelf_put_new(self, &record);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_RECORD);
    docket_test_clock_advance(999);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_RECORD);
    docket_test_clock_advance(1);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_EXPIRED);
}

static void an_expired_record_is_replaced_unasked(void **state)
{
    shelf *self = *state;
    docket_record first = lasting(1, 1000);
    docket_record second = lasting(1, 5000);
    docket_record *existing = NULL;
    shelf_put_new(self, &first);
    docket_test_clock_advance(1000);
    assert_status(DOCKET_OK, shelf_put(self, &second, NULL, false, &existing));
    assert_null(existing);
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, &second, &found), DOCKET_FOUND_RECORD);
    assert_int_equal(found->created_ms, begin_ms + 1000);
    assert_int_equal(found->expires_ms, begin_ms + 6000);
    docket_record_free(found);
}

static void a_failure_takes_the_place_of_an_expired_record(void **state)
{
    shelf *self = *state;
    docket_record record = lasting(1, 1000);
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_FAILED, "no rate today");
    shelf_put_new(self, &record);
    docket_test_clock_advance(1000);
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, NULL));
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_NOTHING);
    docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true, .expired = true};
    char *list = shelf_list(self, &all, 10);
    assert_string_equal(list, "1 3 order-1/rate 0;");
    free(list);
}

static void expired_records_are_listed_only_if_asked_for(void **state)
{
    shelf *self = *state;
    docket_record brief = lasting(1, 1000);
    docket_record lasts = lasting(2, 0);
    shelf_put_new(self, &brief);
    shelf_put_new(self, &lasts);
    docket_test_clock_advance(1000);
    docket_checkpoint_filter live = {DOCKET_CHECKPOINT_FILTER_INIT};
    docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .expired = true};
    char *list = shelf_list(self, &live, 10);
    assert_string_equal(list, "2 1 order-1/rate 4;");
    free(list);
    list = shelf_list(self, &all, 10);
    assert_string_equal(list, "1 1 order-1/rate 4;2 1 order-1/rate 4;");
    free(list);
}

static void a_filter_knows_the_age(void **state)
{
    shelf *self = *state;
    for (int i = 0; i < 3; i++) {
        docket_record record = lasting(i, 0);
        shelf_put_new(self, &record);
        docket_test_clock_advance(1000);
    }
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .older_than_ms = 2000};
    char *list = shelf_list(self, &filter, 10);
    assert_string_equal(list, "0 1 order-1/rate 4;1 1 order-1/rate 4;");
    free(list);
    filter.older_than_ms = INT64_MAX;
    assert_int_equal(shelf_forget(self, filter, 10), 0);
    filter.older_than_ms = 3000;
    assert_int_equal(shelf_forget(self, filter, 10), 1);
}

static void purging_removes_what_has_expired_and_nothing_else(void **state)
{
    enum { COUNT = 10000, BATCH = 1000 };
    shelf *self = *state;
    docket_commit *group = calloc(BATCH, sizeof *group);
    docket_record *records = calloc(BATCH, sizeof *records);
    docket_commit **commits = calloc(BATCH, sizeof *commits);
    for (int begin = 0; begin < COUNT; begin += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            records[i] = lasting(begin + i, (begin + i) % 10 == 0 ? 0 : 1000);
            group[i] = (docket_commit){.struct_size = sizeof group[i], .record = &records[i]};
            commits[i] = &group[i];
        }
        assert_status(DOCKET_OK, self->backend->commit(self->self, commits, BATCH, &self->error));
    }
    free(group);
    free(records);
    free(commits);
    uint64_t count = 1;
    assert_status(DOCKET_OK, self->backend->purge(self->self, 1000, &count, &self->error));
    assert_int_equal(count, 0);
    docket_test_clock_advance(1000);
    uint64_t sum = 0;
    do {
        assert_status(DOCKET_OK, self->backend->purge(self->self, 700, &count, &self->error));
        assert_true(count <= 700);
        sum += count;
    } while (count == 700);
    assert_int_equal(sum, COUNT / 10 * 9);
    for (int i = 0; i < COUNT; i++) {
        docket_record record = lasting(i, 0);
        assert_int_equal(shelf_find(self, &record, NULL), i % 10 == 0 ? DOCKET_FOUND_RECORD : DOCKET_FOUND_NOTHING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMED(zero_is_for_ever),
        TIMED(a_millisecond_is_a_millisecond),
        TIMED(what_cannot_be_expressed_is_for_ever),
        TIMED(lifetimes_pass_2038),
        TIMED(expired_stays_expired_when_the_clock_is_set_back),
        TIMED(lifetimes_go_on_while_the_clock_is_behind),
        TIMED(an_expired_record_is_replaced_unasked),
        TIMED(a_failure_takes_the_place_of_an_expired_record),
        TIMED(expired_records_are_listed_only_if_asked_for),
        TIMED(a_filter_knows_the_age),
        TIMED(purging_removes_what_has_expired_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
