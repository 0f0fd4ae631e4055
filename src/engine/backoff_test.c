#include "engine/backoff.h"

#include "support/check.h"

#include <limits.h>

static int64_t exact(docket_backoff backoff, int failed_attempt)
{
    backoff.no_jitter = true;
    return docket__backoff_delay_ms(&backoff, NULL, failed_attempt);
}

static void test_none_has_no_delay(void **state)
{
    (void)state;
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_NONE};
    assert_int_equal(docket__backoff_delay_ms(&backoff, NULL, 1), 0);
    assert_int_equal(docket__backoff_delay_ms(&backoff, NULL, INT_MAX), 0);
}

static void test_fixed_stays(void **state)
{
    (void)state;
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 250, .factor = 1, .cap_ms = 3600000};
    assert_int_equal(exact(backoff, 1), 250);
    assert_int_equal(exact(backoff, 100), 250);
}

static void test_exponential_grows_to_its_cap(void **state)
{
    (void)state;
    static const int64_t doubled_ms[] = {10, 20, 40, 80, 100, 100};
    static const int64_t flat_ms[] = {7, 7, 7};
    static const int64_t slow_ms[] = {100, 150, 225, 337, 506};
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 10, .factor = 2, .cap_ms = 100};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(exact(backoff, i + 1), doubled_ms[i]);
    }
    backoff = (docket_backoff){.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 7, .factor = 1, .cap_ms = 100};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(exact(backoff, i + 1), flat_ms[i]);
    }
    backoff =
        (docket_backoff){.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = 1.5, .cap_ms = 3600000};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(exact(backoff, i + 1), slow_ms[i]);
    }
}

static void test_nothing_overflows(void **state)
{
    (void)state;
    docket_backoff backoff = {
        .kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .factor = 1e300, .cap_ms = INT64_MAX};
    assert_int_equal(exact(backoff, 1), 1);
    assert_true(exact(backoff, 2) == INT64_MAX);
    assert_true(exact(backoff, 3) == INT64_MAX);
    assert_true(exact(backoff, INT_MAX) == INT64_MAX);
    backoff.factor = 2;
    assert_true(exact(backoff, 63) == INT64_C(1) << 62);
    assert_true(exact(backoff, 64) == INT64_MAX);
    assert_true(exact(backoff, INT_MAX) == INT64_MAX);
    backoff.factor = 1;
    assert_true(exact(backoff, INT_MAX) == 1);
    backoff = (docket_backoff){
        .kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = INT64_MAX, .factor = 2, .cap_ms = INT64_MAX};
    assert_true(exact(backoff, 1) == INT64_MAX);
    assert_true(exact(backoff, 2) == INT64_MAX);
    backoff = (docket_backoff){.kind = DOCKET_BACKOFF_EXPONENTIAL, .factor = 2, .cap_ms = 3600000};
    assert_int_equal(exact(backoff, 1000000), 0);
}

static int64_t asked_user, asked_attempt, answered_ms;

static int64_t answer(void *user, int failed_attempt)
{
    asked_user = *(const int *)user;
    asked_attempt = failed_attempt;
    return answered_ms;
}

static void test_callback_is_kept_within_bounds(void **state)
{
    (void)state;
    static const int64_t answers_ms[][2] = {{5, 5},       {-1, 0},      {INT64_MIN, 0},
                                            {1000, 1000}, {1001, 1000}, {INT64_MAX, 1000}};
    int user = 42;
    docket_backoff backoff = {
        .kind = DOCKET_BACKOFF_CALLBACK, .delay_ms = answer, .factor = 2, .cap_ms = 1000, .no_jitter = true};
    for (int i = 0; i < 6; i++) {
        answered_ms = answers_ms[i][0];
        assert_int_equal(docket__backoff_delay_ms(&backoff, &user, i + 1), answers_ms[i][1]);
        assert_int_equal(asked_user, 42);
        assert_int_equal(asked_attempt, i + 1);
    }
}

/* Every delay from 1 to the full one turns up, none beyond. */
static void test_jitter_fills_the_range(void **state)
{
    (void)state;
    enum { SIZE = 6, DRAWS = 6000 };
    int counts[SIZE + 1] = {0};
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = SIZE, .factor = 1, .cap_ms = 3600000};
    for (int i = 0; i < DRAWS; i++) {
        int64_t delay_ms = docket__backoff_delay_ms(&backoff, NULL, 1);
        assert_in_range(delay_ms, 1, SIZE);
        counts[delay_ms]++;
    }
    for (int i = 1; i <= SIZE; i++) {
        assert_in_range(counts[i], DRAWS / SIZE / 2, DRAWS / SIZE * 2);
    }
    backoff.first_ms = 1;
    assert_int_equal(docket__backoff_delay_ms(&backoff, NULL, 1), 1);
    backoff.first_ms = INT64_MAX;
    backoff.cap_ms = INT64_MAX;
    for (int i = 0; i < 100; i++) {
        assert_true(docket__backoff_delay_ms(&backoff, NULL, 1) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_has_no_delay),
        cmocka_unit_test(test_fixed_stays),
        cmocka_unit_test(test_exponential_grows_to_its_cap),
        cmocka_unit_test(test_nothing_overflows),
        cmocka_unit_test(test_callback_is_kept_within_bounds),
        cmocka_unit_test(test_jitter_fills_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
