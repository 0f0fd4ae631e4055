/* Field report 36: delays that overflow into a hot loop, and clients that all come back in the same instant. */
#include "base/clock.h"
#include "engine/backoff.h"
#include "support/child.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ATTEMPTS = 100, CHILDREN = 50, DRAWS = 2000 };

DOCKET_STRUCT(Nothing, (BOOL, unset));

/* ---- Delays, one by one ---- */

static const docket_backoff report = {
    .kind = DOCKET_BACKOFF_EXPONENTIAL, .no_jitter = true, .first_ms = 100, .factor = 2, .cap_ms = 5000};

static int64_t delay_after(const docket_backoff *backoff, int failed_attempt)
{
    return docket__backoff_delay_ms(backoff, NULL, failed_attempt);
}

static void fr_36_delays_double_up_to_the_cap(void **state)
{
    (void)state;
    int64_t expected_ms = 100;
    for (int i = 1; i <= 200; i++) {
        assert_int_equal(delay_after(&report, i), expected_ms);
        expected_ms = expected_ms * 2 < 5000 ? expected_ms * 2 : 5000;
    }
    static const int late[] = {31, 32, 33, 63, 64, 65, 100, 1023, 1024, 1025, 65536, INT_MAX - 1, INT_MAX};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        assert_int_equal(delay_after(&report, late[i]), 5000);
    }
}

/* Settings that are allowed, however silly: no delay is ever negative, above the cap, or shorter than the one before. */
static void fr_36_no_setting_overflows(void **state)
{
    (void)state;
    static const int64_t firsts_ms[] = {
        0, 1, 2, 999, INT32_MAX, INT64_C(1) << 53, INT64_MAX / 2, INT64_MAX - 1, INT64_MAX};
    static const double factors[] = {1, 1.0000001, 1.5, 2, 10, 1e10, 1e308, DBL_MAX};
    static const int64_t caps_ms[] = {1, 5000, INT32_MAX, (INT64_C(1) << 53) + 1, INT64_MAX - 1, INT64_MAX};
    static const int attempts[] = {1, 2, 3, 30, 31, 32, 33, 62, 63, 64, 65, 100, 1024, 100000, INT_MAX};
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .no_jitter = true};
    for (size_t i = 0; i < sizeof firsts_ms / sizeof firsts_ms[0]; i++) {
        for (size_t j = 0; j < sizeof factors / sizeof factors[0]; j++) {
            for (size_t k = 0; k < sizeof caps_ms / sizeof caps_ms[0]; k++) {
                backoff.first_ms = firsts_ms[i] < caps_ms[k] ? firsts_ms[i] : caps_ms[k];
                backoff.factor = factors[j];
                backoff.cap_ms = caps_ms[k];
                int64_t before_ms = backoff.first_ms == 0 ? 0 : 1;
                for (size_t l = 0; l < sizeof attempts / sizeof attempts[0] && attempts[l] <= 100000; l++) {
                    int64_t delay_ms = delay_after(&backoff, attempts[l]);
                    assert_true(delay_ms >= before_ms && delay_ms <= backoff.cap_ms);
                    before_ms = delay_ms;
                }
            }
        }
    }
}

static int64_t delay_asked_for;

static int64_t answer_delay(void *user, int failed_attempt)
{
    (void)user;
    (void)failed_attempt;
    return delay_asked_for;
}

static void fr_36_callback_is_clamped(void **state)
{
    (void)state;
    static const int64_t answers_ms[][2] = {{0, 0},       {-1, 0},      {INT64_MIN, 0},    {1, 1},
                                            {5000, 5000}, {5001, 5000}, {INT64_MAX, 5000}, {INT32_MIN, 0}};
    docket_backoff backoff = {
        .kind = DOCKET_BACKOFF_CALLBACK, .no_jitter = true, .delay_ms = answer_delay, .cap_ms = 5000};
    for (size_t i = 0; i < sizeof answers_ms / sizeof answers_ms[0]; i++) {
        delay_asked_for = answers_ms[i][0];
        backoff.no_jitter = true;
        assert_int_equal(delay_after(&backoff, 1), answers_ms[i][1]);
        backoff.no_jitter = false;
        int64_t delay_ms = delay_after(&backoff, 1);
        assert_true(delay_ms >= 0 && delay_ms <= answers_ms[i][1]);
    }
}

static void fr_36_silly_settings_are_refused(void **state)
{
    (void)state;
    static const docket_backoff silly[] = {
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = 0.5},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = -2},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = (double)NAN},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = (double)INFINITY},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = (double)-INFINITY},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = -1},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = INT64_MIN},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .cap_ms = 99},
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .cap_ms = -1},
        {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 100, .cap_ms = 50},
        {.kind = DOCKET_BACKOFF_FIXED, .first_ms = -100},
        {.kind = DOCKET_BACKOFF_CALLBACK},
        {.kind = (docket_backoff_kind)99, .first_ms = 100},
        {.kind = (docket_backoff_kind)-1, .first_ms = 100},
    };
    for (size_t i = 0; i < sizeof silly / sizeof silly[0]; i++) {
        docket_error error = DOCKET_ERROR_INIT;
        const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3, .backoff = silly[i]};
        docket_graph *graph = docket_graph_new("silly", NULL);
        assert_status(DOCKET_INVALID, docket_graph_add(graph, &make_letters_step, &options));
        assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
        assert_contains(error.message, "backoff");
        docket_graph_free(graph);
    }
}

/* ---- A hundred attempts of a step, on a clock that runs fast ---- */

typedef struct attempts {
    int count;
    int64_t entered_ms[ATTEMPTS];
    int64_t delays_ms[ATTEMPTS];
    int delay_count;
    atomic_bool ended;
} attempts;

static docket_status fail_always(docket_ctx *ctx, Nothing *out)
{
    attempts *made = docket_ctx_user(ctx);
    (void)out;
    if (made->count < ATTEMPTS) {
        made->entered_ms[made->count++] = docket__clock_monotonic_ms();
    }
    return docket_fail(ctx, made->count, "attempt %d", made->count);
}
DOCKET_STEP(fail_always, Nothing);

static void note_delay(void *arg, const docket_event *event)
{
    attempts *made = arg;
    if (event->kind == DOCKET_EVENT_RETRY && made->delay_count < ATTEMPTS) {
        made->delays_ms[made->delay_count++] = event->delay_ms;
    }
}

static void *let_time_fly(void *arg)
{
    attempts *made = arg;
    while (!atomic_load(&made->ended)) {
        docket_test_clock_advance(2000);
        pause_ms(1);
    }
    return NULL;
}

static void run_attempts(attempts *made, const docket_backoff *backoff)
{
    pthread_t flight;
    *made = (attempts){.count = 0};
    const docket_observer observer = {note_delay, made};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = made, .max_attempts = ATTEMPTS,
                                         .backoff = *backoff};
    docket_graph *graph = graph_of_one(&graph_options, &fail_always_step, &options);
    docket_test_clock_start(INT64_C(1767268800000));
    assert_int_equal(pthread_create(&flight, NULL, let_time_fly, made), 0);
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Nothing)});
    atomic_store(&made->ended, true);
    pthread_join(flight, NULL);
    docket_test_clock_stop();
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.attempts, ATTEMPTS);
    assert_int_equal(made->count, ATTEMPTS);
    assert_int_equal(made->delay_count, ATTEMPTS - 1);
    outcome_free(&of);
    docket_graph_free(graph);
}

static void fr_36_hundred_attempts_keep_their_delays(void **state)
{
    (void)state;
    attempts made;
    run_attempts(&made, &report);
    for (int i = 0; i < ATTEMPTS - 1; i++) {
        assert_int_equal(made.delays_ms[i], delay_after(&report, i + 1));
        assert_true(made.entered_ms[i + 1] - made.entered_ms[i] >= made.delays_ms[i]);
    }
    assert_int_equal(made.delays_ms[0], 100);
    assert_int_equal(made.delays_ms[5], 3200);
    assert_int_equal(made.delays_ms[6], 5000);
    assert_int_equal(made.delays_ms[98], 5000);
}

static void fr_36_hundred_attempts_with_jitter_stay_below_the_cap(void **state)
{
    (void)state;
    attempts made;
    docket_backoff jittered = report;
    jittered.no_jitter = false;
    run_attempts(&made, &jittered);
    for (int i = 0; i < ATTEMPTS - 1; i++) {
        assert_true(made.delays_ms[i] > 0 && made.delays_ms[i] <= delay_after(&report, i + 1));
        assert_true(made.entered_ms[i + 1] - made.entered_ms[i] >= made.delays_ms[i]);
    }
}

static void fr_36_base_zero_has_no_delay(void **state)
{
    (void)state;
    attempts made;
    run_attempts(&made, &(docket_backoff){.kind = DOCKET_BACKOFF_EXPONENTIAL});
    for (int i = 0; i < ATTEMPTS - 1; i++) {
        assert_int_equal(made.delays_ms[i], 0);
    }
}

static void fr_36_huge_factor_goes_to_the_cap(void **state)
{
    (void)state;
    attempts made;
    docket_backoff huge = report;
    huge.factor = 1e308;
    huge.cap_ms = 300;
    run_attempts(&made, &huge);
    assert_int_equal(made.delays_ms[0], 100);
    for (int i = 1; i < ATTEMPTS - 1; i++) {
        assert_int_equal(made.delays_ms[i], 300);
    }
}

/* ---- A step's own hint ---- */

static int64_t hint_ms;

static docket_status hint(docket_ctx *ctx, Nothing *out)
{
    (void)out;
    return docket_retry_after(ctx, hint_ms, 1, "attempt %d", docket_ctx_attempt(ctx));
}
DOCKET_STEP(hint, Nothing);

/* A negative hint is none, a huge one does not overflow into the past; a deadline ends the wait. */
static void fr_36_hints_do_not_overflow(void **state)
{
    (void)state;
    static const int64_t hints_ms[][2] = {{0, 0},
                                          {-1, 0},
                                          {INT64_MIN, 0},
                                          {INT64_MAX, INT64_MAX},
                                          {INT64_MAX - 1, INT64_MAX - 1},
                                          {INT32_MAX, INT32_MAX}};
    for (size_t i = 0; i < sizeof hints_ms / sizeof hints_ms[0]; i++) {
        attempts made = {.count = 0};
        const docket_observer observer = {note_delay, &made};
        const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                    .observer_count = 1};
        const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 2};
        docket_graph *graph = graph_of_one(&graph_options, &hint_step, &options);
        hint_ms = hints_ms[i][0];
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Nothing),
                                        .time_limit_ms = hints_ms[i][1] > 0 ? 100 : 0};
        outcome of = run(graph, &request);
        assert_status(hints_ms[i][1] > 0 ? DOCKET_TIMEOUT : DOCKET_FAILED, of.status);
        assert_int_equal(made.delay_count, 1);
        assert_true(made.delays_ms[0] == hints_ms[i][1]);
        outcome_free(&of);
        docket_graph_free(graph);
    }
}

/* ---- Jitter ---- */

static void fr_36_jitter_spreads_over_the_whole_delay(void **state)
{
    (void)state;
    static const docket_backoff kinds[] = {
        {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1000, .factor = 2, .cap_ms = 3600000},
        {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 1000, .factor = 1, .cap_ms = 3600000},
    };
    for (size_t i = 0; i < 2; i++) {
        int slots[10] = {0};
        for (int draw = 0; draw < DRAWS; draw++) {
            int64_t delay_ms = delay_after(&kinds[i], 1);
            assert_true(delay_ms >= 1 && delay_ms <= 1000);
            slots[(delay_ms - 1) / 100]++;
        }
        for (int slot = 0; slot < 10; slot++) { /* 200 are expected; below 100 is eight deviations away */
            assert_true(slots[slot] > DRAWS / 20);
        }
    }
}

/* Writes the first delay and ends the process. */
static void tell_delay(void *arg, const docket_event *event)
{
    if (event->kind == DOCKET_EVENT_RETRY) {
        int64_t delay_ms = event->delay_ms;
        _exit(write(*(const int *)arg, &delay_ms, sizeof delay_ms) != (ssize_t)sizeof delay_ms);
    }
}

/* In a child: fails once, with the default jitter. */
static void fail_in_child(int descriptor)
{
    attempts made = {.count = 0};
    const docket_observer observer = {tell_delay, &descriptor};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &made, .max_attempts = 2,
                                         .backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1000}};
    docket_graph *graph = docket_graph_new("child", &graph_options);
    docket_result *result = NULL;
    if (docket_graph_add(graph, &fail_always_step, &options) == DOCKET_OK &&
        docket_graph_validate(graph, NULL) == DOCKET_OK &&
        docket_execute(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Nothing)}, &result,
                       NULL) == DOCKET_OK) {
        _exit(2);
    }
    _exit(3);
}

static void fr_36_children_of_one_parent_spread_out(void **state)
{
    (void)state;
    int pipes[2];
    pid_t children[CHILDREN];
    bool slots[100] = {false};
    int different = 0;
    const docket_backoff warm = {
        .kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1000, .factor = 2, .cap_ms = 3600000};
    assert_true(delay_after(&warm, 1) > 0); /* so that there is a random state to share, if there is any */
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < CHILDREN; i++) {
        fflush(NULL);
        children[i] = fork();
        if (children[i] == 0) {
            fail_in_child(pipes[1]);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(child_wait(children[i], 60000), 0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int64_t delay_ms = 0;
        assert_int_equal(read(pipes[0], &delay_ms, sizeof delay_ms), sizeof delay_ms);
        assert_true(delay_ms >= 1 && delay_ms <= 1000);
        different += !slots[(delay_ms - 1) / 10];
        slots[(delay_ms - 1) / 10] = true;
    }
    assert_true(different >= 20);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(fr_36_delays_double_up_to_the_cap),
        SITE_MEMORY(fr_36_no_setting_overflows),
        SITE_MEMORY(fr_36_callback_is_clamped),
        SITE_MEMORY(fr_36_silly_settings_are_refused),
        SITE_MEMORY(fr_36_children_of_one_parent_spread_out),
        SITE_MEMORY(fr_36_hundred_attempts_keep_their_delays),
        SITE_MEMORY(fr_36_hundred_attempts_with_jitter_stay_below_the_cap),
        SITE_MEMORY(fr_36_base_zero_has_no_delay),
        SITE_MEMORY(fr_36_huge_factor_goes_to_the_cap),
        SITE_MEMORY(fr_36_hints_do_not_overflow),
        SITE_MEMORY(fr_36_jitter_spreads_over_the_whole_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
