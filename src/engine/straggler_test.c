/* Steps that do not stop when they are told to: who waits for them and how long, what becomes of their results,
 * and what docket_graph_stop promises. */
#include "support/check.h"
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <stdlib.h>

DOCKET_STRUCT(Left, (INT32, value));
DOCKET_STRUCT(Right, (INT32, value));
DOCKET_STRUCT(Both, (INT32, value));

typedef struct bed {
    entries seen;
    gate inside, let_go, out;
} bed;

#define BED_INIT                                                            \
    {                                                                       \
        .inside = GATE_INIT(1), .let_go = GATE_INIT(1), .out = GATE_INIT(1) \
    }

static docket_status block_left(docket_ctx *ctx, Left *out)
{
    bed *in = docket_ctx_user(ctx);
    entries_enter(&in->seen);
    gate_arrive(&in->inside);
    bool open = gate_wait(&in->let_go);
    out->value = 1;
    entries_leave(&in->seen);
    gate_arrive(&in->out);
    return open ? DOCKET_OK : docket_fail(ctx, 1, "nobody let it go");
}
DOCKET_STEP(block_left, Left);

static docket_status fail_right(docket_ctx *ctx, Right *out)
{
    bed *in = docket_ctx_user(ctx);
    out->value = gate_wait(&in->inside);
    return docket_fail(ctx, 33, "right");
}
DOCKET_STEP(fail_right, Right);

static docket_status join(docket_ctx *ctx, Both *out, const Left *left, const Right *right)
{
    (void)ctx;
    out->value = left->value + right->value;
    return DOCKET_OK;
}
DOCKET_STEP(join, Both, Left, Right);

static void stop_and_free(docket_graph *graph)
{
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    docket_graph_free(graph);
}

/* After a failure the siblings have the grace to end; then the caller goes without them. */
static void test_a_failure_waits_no_longer_than_the_grace(void **state)
{
    (void)state;
    for (int limited = 0; limited <= 1; limited++) {
        bed in = BED_INIT;
        docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .grace_ms = 20};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
        docket_graph *graph = graph_of(&graph_options, &options, DOCKET_STEPS(join, fail_right, block_left));
        docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Both),
                                  .time_limit_ms = limited ? 3600000 : 0};
        docket_execution *execution = NULL;
        docket_error error;
        /* begun, so that no step runs on the thread of a caller who could not leave it */
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
        docket_result *result = NULL;
        assert_status(DOCKET_FAILED, docket_execution_end(execution, &result, &error));
        assert_int_equal(error.code, 33);
        assert_false(gate_is_open(&in.out));
        assert_null(DOCKET_RESULT(result, Left));
        gate_arrive(&in.let_go);
        assert_true(gate_wait(&in.out));
        assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
        assert_null(DOCKET_RESULT(result, Left)); /* a result that was handed over does not change */
        docket_result_free(result);
        docket_graph_free(graph);
    }
}

static void test_a_sibling_that_ends_within_the_grace_is_kept(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .grace_ms = 3600000};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of(&graph_options, &options, DOCKET_STEPS(join, fail_right, block_left));
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Both)};
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    pause_ms(10);
    assert_false(gate_is_open(&called.returned));
    gate_arrive(&in.let_go);
    outcome *of = caller_join(&called);
    assert_status(DOCKET_FAILED, of->status);
    assert_int_equal(of->error.code, 33);
    assert_int_equal(docket_result_state(of->result, DOCKET_OF(Left)), DOCKET_VALUE_RAN);
    assert_int_equal(DOCKET_RESULT(of->result, Left)->value, 1);
    outcome_free(of);
    stop_and_free(graph);
}

/* Returns OK, but only after it was told to stop. */
static docket_status return_late(docket_ctx *ctx, Left *out)
{
    bed *in = docket_ctx_user(ctx);
    int entry = entries_enter(&in->seen);
    while (entry == 1 && !docket_cancelled(ctx)) {
        pause_ms(1);
    }
    out->value = entry;
    entries_leave(&in->seen);
    return DOCKET_OK;
}
DOCKET_STEP(return_late, Left);

static docket_graph *watched(recorder *events, const docket_step *step, docket_step_options options)
{
    docket_observer observer = recorder_observer(events);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    options.name = "Late";
    return graph_of_one(&graph_options, step, &options);
}

static void test_what_comes_after_the_limit_does_not_count(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    bed in = BED_INIT;
    docket_graph *graph = watched(&events, &return_late_step,
                                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &in, .time_limit_ms = 50,
                                                        .grace_ms = 3600000, .max_attempts = 2});
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Left)});
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, Left)->value, 2);
    assert_events(&events, "execution_start\n"
                           "step_start Late 1\n"
                           "straggler Late 1 TIMEOUT\n"
                           "step_end Late 1 TIMEOUT\n"
                           "retry Late 1 TIMEOUT\n"
                           "step_start Late 2\n"
                           "step_end Late 2 OK\n"
                           "execution_end OK\n");
    assert_contains(recorder_get(&events, DOCKET_EVENT_STRAGGLER, 0)->reason, "dropped");
    outcome_free(&of);
    stop_and_free(graph);
    recorder_free(&events);
}

static void test_a_straggler_is_told_of_and_its_end_too(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    bed in = BED_INIT;
    docket_graph *graph = watched(&events, &block_left_step,
                                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &in, .time_limit_ms = 20,
                                                        .grace_ms = 1, .max_attempts = 3});
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Left)};
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    for (int waited_ms = 0; recorder_count(&events, DOCKET_EVENT_STRAGGLER) == 0 && waited_ms < GATE_LIMIT_MS;
         waited_ms++) {
        pause_ms(1);
    }
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_STEP_END), 0);
    gate_arrive(&in.let_go);
    stop_and_free(graph);
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_STRAGGLER), 2);
    assert_contains(recorder_get(&events, DOCKET_EVENT_STRAGGLER, 0)->reason, "runs on");
    assert_contains(recorder_get(&events, DOCKET_EVENT_STRAGGLER, 1)->reason, "dropped");
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_STEP_START), 1);
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_STEP_END), 1);
    assert_status(DOCKET_TIMEOUT, recorder_get(&events, DOCKET_EVENT_STEP_END, 0)->status);
    recorder_free(&events);
}

/* Its thread does not count against the pool's size. */
static void starve(int64_t step_limit_ms)
{
    enum { STRAGGLERS = 3 };
    bed in = {.inside = GATE_INIT(STRAGGLERS), .let_go = GATE_INIT(1), .out = GATE_INIT(STRAGGLERS)};
    docket_pool *pool = docket_pool_new(1);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .time_limit_ms = step_limit_ms,
                                   .grace_ms = 1};
    docket_graph *graph = graph_of_one(&graph_options, &block_left_step, &options);
    docket_graph *other = graph_of_one(&graph_options, &count_letters_step, NULL);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Left)};
    for (int i = 0; i < STRAGGLERS; i++) {
        caller called;
        request.cancel = docket_cancel_new();
        caller_start(&called, graph, &request);
        for (int waited_ms = 0; in.seen.inside <= i && waited_ms < GATE_LIMIT_MS; waited_ms++) {
            pause_ms(1);
        }
        if (step_limit_ms == 0) {
            docket_cancel_set(request.cancel);
        }
        assert_status(step_limit_ms == 0 ? DOCKET_CANCELLED : DOCKET_TIMEOUT, caller_join(&called)->status);
        outcome_free(&called.outcome);
        docket_cancel_free(request.cancel);
    }
    IS text = {.value = "hello"};
    docket_request next = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(IS, &text)),
                           .time_limit_ms = GATE_LIMIT_MS};
    assert_status(DOCKET_OK, run_for_status(other, &next));
    assert_int_equal(in.seen.inside, STRAGGLERS);
    gate_arrive(&in.let_go);
    stop_and_free(graph);
    stop_and_free(other);
    docket_pool_free(pool);
}

static void test_stragglers_starve_nobody(void **state)
{
    (void)state;
    starve(20);
    starve(0);
}

/* Nor does it keep the end of its own execution from being told. */
static void on_done(void *arg)
{
    gate_arrive(arg);
}

static void test_a_straggler_on_the_only_thread(void **state)
{
    (void)state;
    bed in = BED_INIT;
    gate done = GATE_INIT(1);
    docket_pool *pool = docket_pool_new(1);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(&graph_options, &block_left_step, &options);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Left)};
    docket_execution *execution = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &done, &execution, &error));
    assert_true(gate_wait(&in.inside));
    docket_execution_cancel(execution);
    assert_true(gate_wait_ms(&done, GATE_LIMIT_MS / 2));
    assert_status(DOCKET_CANCELLED, docket_execution_end(execution, NULL, &error));
    assert_false(gate_is_open(&in.out));
    gate_arrive(&in.let_go);
    stop_and_free(graph);
    docket_pool_free(pool);
}

/* docket_graph_stop. */

static docket_status use_memory(docket_ctx *ctx, Left *out)
{
    int *memory = docket_ctx_user(ctx);
    out->value = *memory;
    docket_status status = docket_sleep(ctx, 20);
    pause_ms(10);
    out->value += *memory;
    return status;
}
DOCKET_STEP(use_memory, Left);

/* What steps borrow may go when it has answered OK, even if nobody waits for the execution any more. */
static void test_after_a_stop_borrowed_memory_may_go(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int *memory = malloc(sizeof *memory);
        assert_non_null(memory);
        *memory = 7;
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = memory};
        docket_graph *graph = graph_of_one(NULL, &use_memory_step, &options);
        docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Left), .time_limit_ms = 1 + i};
        docket_status status = run_for_status(graph, &request);
        assert_true(status == DOCKET_TIMEOUT || status == DOCKET_OK);
        docket_error error;
        assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
        free(memory);
        docket_graph_free(graph);
    }
}

static void test_a_stop_waits_and_refuses(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(NULL, &block_left_step, &options);
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "slow", .output = DOCKET_OF(Left)};
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    docket_error error;
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 10, &error));
    assert_contains(error.message, "slow");
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 0, NULL));
    outcome of = run(graph, &request);
    assert_status(DOCKET_STATE, of.status);
    assert_null(of.result);
    gate_arrive(&in.let_go);
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error)); /* what runs may end */
    assert_status(DOCKET_OK, error.status);
    assert_status(DOCKET_OK, caller_join(&called)->status);
    assert_status(DOCKET_OK, docket_graph_stop(graph, INT64_MAX, &error));
    outcome_free(&called.outcome);
    docket_graph_free(graph);
    assert_status(DOCKET_INVALID, docket_graph_stop(NULL, 0, &error));
}

/* Nothing runs any more when a caller has come back with all its steps ended: no wait, no false alarm. */
static void test_a_stop_right_behind_an_execution(void **state)
{
    (void)state;
    long rounds = site_count(200, 20000);
    for (long i = 0; i < rounds; i++) {
        docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
        IS in = {.value = "hello"};
        docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                  .time_limit_ms = i % 2 == 0 ? 0 : 3600000};
        assert_status(DOCKET_OK, run_for_status(graph, &request));
        docket_error error;
        assert_status(DOCKET_OK, docket_graph_stop(graph, 0, &error));
        docket_graph_free(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_a_failure_waits_no_longer_than_the_grace),
        SITE_MEMORY(test_a_sibling_that_ends_within_the_grace_is_kept),
        SITE_MEMORY(test_what_comes_after_the_limit_does_not_count),
        SITE_MEMORY(test_a_straggler_is_told_of_and_its_end_too),
        SITE_MEMORY(test_stragglers_starve_nobody),
        SITE_MEMORY(test_a_straggler_on_the_only_thread),
        SITE_MEMORY(test_after_a_stop_borrowed_memory_may_go),
        SITE_MEMORY(test_a_stop_waits_and_refuses),
        SITE_MEMORY(test_a_stop_right_behind_an_execution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
