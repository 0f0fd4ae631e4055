/* The clock of a test: it stands still, what waits for it goes on when it moves, and it runs fast if told to. */
#include "support/run.h"

#include "support/check.h"

#include <docket/testing.h>

static const int64_t noon_ms = INT64_C(1767268800000);

static docket_status fail_twice(docket_ctx *ctx, LC *out)
{
    letters_user *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->runs, 1);
    out->count = docket_ctx_attempt(ctx);
    return out->count < 3 ? docket_fail(ctx, 1, "not yet") : DOCKET_OK;
}
DOCKET_STEP(fail_twice, LC);

static docket_status sleep_a_day(docket_ctx *ctx, LC *out)
{
    letters_user *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->runs, 1);
    out->count = 1;
    return docket_sleep(ctx, DOCKET_DAYS(1));
}
DOCKET_STEP(sleep_a_day, LC);

static void await_runs(letters_user *user, int runs)
{
    for (int i = 0; i < GATE_LIMIT_MS && atomic_load(&user->runs) < runs; i++) {
        pause_ms(1);
    }
    assert_int_equal(atomic_load(&user->runs), runs);
}

static const docket_request wanted = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC)};

static docket_graph *slow_graph(letters_user *user)
{
    const docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT, .user = user, .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = DOCKET_MINUTES(59), .no_jitter = true}};
    return graph_of_one(NULL, &fail_twice_step, &options);
}

static void test_delays_pass_when_the_test_says_so(void **state)
{
    letters_user user = {.runs = 0};
    caller called;
    (void)state;
    docket_test_clock_start(noon_ms);
    docket_graph *graph = slow_graph(&user);
    caller_start(&called, graph, &wanted);
    await_runs(&user, 1);
    pause_ms(20);
    docket_test_clock_advance(DOCKET_MINUTES(58));
    pause_ms(20);
    assert_int_equal(atomic_load(&user.runs), 1);
    /* The delay begins a moment after the attempt: it may see some of these minutes or none. */
    docket_test_clock_advance(DOCKET_MINUTES(59));
    await_runs(&user, 2);
    while (!gate_is_open(&called.returned)) {
        docket_test_clock_advance(DOCKET_MINUTES(59));
        pause_ms(1);
    }
    assert_status(DOCKET_OK, caller_join(&called)->status);
    assert_int_equal(DOCKET_RESULT(called.outcome.result, LC)->count, 3);
    outcome_free(&called.outcome);
    docket_graph_free(graph);
    docket_test_clock_stop();
}

static void test_a_sleep_of_a_day(void **state)
{
    letters_user user = {.runs = 0};
    caller called;
    (void)state;
    docket_test_clock_start(noon_ms);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(NULL, &sleep_a_day_step, &options);
    caller_start(&called, graph, &wanted);
    await_runs(&user, 1);
    pause_ms(20);
    assert_false(gate_is_open(&called.returned));
    docket_test_clock_advance(DOCKET_HOURS(23));
    pause_ms(20);
    assert_false(gate_is_open(&called.returned));
    while (!gate_is_open(&called.returned)) {
        docket_test_clock_advance(DOCKET_HOURS(1));
        pause_ms(1);
    }
    assert_status(DOCKET_OK, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_graph_free(graph);
    docket_test_clock_stop();
}

static void test_it_runs_fast(void **state)
{
    letters_user user = {.runs = 0};
    (void)state;
    docket_test_clock_start(noon_ms);
    docket_graph *graph = slow_graph(&user);
    docket_test_clock_run(DOCKET_HOURS(1));
    outcome of = run(graph, &wanted);
    docket_test_clock_run(0);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(user.runs, 3);
    int64_t passed_ms = docket_test_clock_wall_ms() - noon_ms;
    assert_true(passed_ms >= 2 * DOCKET_MINUTES(59));
    pause_ms(5);
    assert_int_equal(docket_test_clock_wall_ms() - noon_ms, passed_ms);
    outcome_free(&of);
    docket_graph_free(graph);
    docket_test_clock_stop();
}

static void test_a_limit_passes(void **state)
{
    letters_user user = {.runs = 0};
    caller called;
    (void)state;
    docket_test_clock_start(noon_ms);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user, .time_limit_ms = DOCKET_HOURS(1)};
    docket_graph *graph = graph_of_one(NULL, &sleep_a_day_step, &options);
    caller_start(&called, graph, &wanted);
    await_runs(&user, 1);
    pause_ms(20);
    assert_false(gate_is_open(&called.returned));
    docket_test_clock_advance(DOCKET_HOURS(1));
    assert_status(DOCKET_TIMEOUT, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_graph_free(graph);
    docket_test_clock_stop();
}

static void test_wall_and_elapsed_time(void **state)
{
    letters_user user = {.runs = 0};
    docket_store *store = NULL;
    (void)state;
    docket_test_clock_start(noon_ms);
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", NULL, NULL));
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user, .scope = DOCKET_SCOPE_GLOBAL,
                                         .store = store, .ttl_ms = DOCKET_MINUTES(10)};
    docket_graph *graph = graph_of_one(NULL, &make_letters_step, &options);
    assert_status(DOCKET_OK, run_for_status(graph, &wanted));
    docket_test_clock_advance(DOCKET_MINUTES(10) - 1);
    docket_test_clock_advance(-5);
    docket_test_clock_advance(0);
    assert_status(DOCKET_OK, run_for_status(graph, &wanted));
    assert_int_equal(user.runs, 1);
    docket_test_clock_advance(1);
    assert_status(DOCKET_OK, run_for_status(graph, &wanted));
    assert_int_equal(user.runs, 2);
    docket_test_clock_set_wall(noon_ms + DOCKET_HOURS(1));
    assert_int_equal(docket_test_clock_wall_ms(), noon_ms + DOCKET_HOURS(1));
    assert_status(DOCKET_OK, run_for_status(graph, &wanted));
    assert_int_equal(user.runs, 3);
    docket_test_clock_advance(INT64_MAX);
    assert_int_equal(docket_test_clock_wall_ms(), INT64_MAX);
    docket_graph_free(graph);
    docket_store_close(store);
    docket_test_clock_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_pass_when_the_test_says_so),
        cmocka_unit_test(test_a_sleep_of_a_day),
        cmocka_unit_test(test_it_runs_fast),
        cmocka_unit_test(test_a_limit_passes),
        cmocka_unit_test(test_wall_and_elapsed_time),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
