/* Executions that go on while their caller does something else: on threads of a pool, and on a pool without
 * threads that the caller runs by hand. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* What a `done` callback finds. */
typedef struct ending {
    docket_execution *execution;
    gate done;
    bool ends; /* the callback ends the execution itself */
    docket_status status;
    docket_error error;
    docket_result *result;
} ending;

static void on_done(void *arg)
{
    ending *self = arg;
    if (self->ends) {
        self->status = docket_execution_end(self->execution, &self->result, &self->error);
    }
    gate_arrive(&self->done);
}

static docket_request letters_request(const docket_input *input)
{
    return (docket_request){DOCKET_REQUEST_INIT, .execution_id = "e", .output = DOCKET_OF(LC), .inputs = input,
                            .input_count = 1};
}

static void stop_and_free(docket_graph *graph)
{
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    docket_graph_free(graph);
}

static void test_begin_and_end(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    for (int with_done = 0; with_done <= 1; with_done++) {
        ending at = {.done = GATE_INIT(1)};
        docket_result *result = NULL;
        docket_error error;
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, with_done ? on_done : NULL, &at,
                                                      &at.execution, &error));
        assert_non_null(at.execution);
        assert_status(DOCKET_OK, error.status);
        assert_status(DOCKET_OK, docket_execution_end(at.execution, &result, &error));
        assert_int_equal(DOCKET_RESULT(result, LC)->count, 5);
        assert_int_equal(gate_arrived(&at.done), with_done); /* the end comes after it */
        docket_result_free(result);
    }
    stop_and_free(graph);
}

static void test_done_may_end_the_execution(void **state)
{
    (void)state;
    long rounds = site_count(500, 50000);
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    for (long i = 0; i < rounds; i++) {
        ending at = {.done = GATE_INIT(1), .ends = true};
        docket_error error;
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
        assert_true(gate_wait(&at.done));
        assert_status(DOCKET_OK, at.status);
        assert_int_equal(DOCKET_RESULT(at.result, LC)->count, 5);
        docket_result_free(at.result);
    }
    stop_and_free(graph);
}

/* The same where nothing has to run: the values are given. */
static void test_done_may_end_an_execution_without_steps(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    LC given = {.count = 3};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(LC, &given))};
    for (int i = 0; i < 300; i++) {
        ending at = {.done = GATE_INIT(1), .ends = true};
        docket_error error;
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
        assert_true(gate_wait(&at.done));
        assert_int_equal(DOCKET_RESULT(at.result, LC)->count, 3);
        docket_result_free(at.result);
    }
    stop_and_free(graph);
}

/* `done` runs on a thread of the pool, the only one here, and may execute something itself. */
typedef struct chain_of_executions {
    docket_graph *graph;
    gate done;
    int count;
} chain_of_executions;

static void execute_again(void *arg)
{
    chain_of_executions *self = arg;
    IS in = {.value = "again"};
    outcome of = run(self->graph, &(docket_request){
                                      DOCKET_REQUEST_INIT,
                                      .output = DOCKET_OF(LC),
                                      DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                      .time_limit_ms = GATE_LIMIT_MS,
                                  });
    self->count = of.status == DOCKET_OK ? DOCKET_RESULT(of.result, LC)->count : -1;
    outcome_free(&of);
    gate_arrive(&self->done);
}

static void test_done_may_execute(void **state)
{
    (void)state;
    docket_pool *pool = docket_pool_new(1);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    chain_of_executions self = {.graph = graph_of_one(&graph_options, &count_letters_step, NULL),
                                .done = GATE_INIT(1)};
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    docket_execution *execution = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(self.graph, &request, execute_again, &self, &execution, &error));
    assert_true(gate_wait(&self.done));
    assert_status(DOCKET_OK, docket_execution_end(execution, NULL, &error));
    assert_int_equal(self.count, 5);
    stop_and_free(self.graph);
    docket_pool_free(pool);
}

static docket_status be_counted(docket_ctx *ctx, LC *out, const IS *in)
{
    entries *seen = docket_ctx_user(ctx);
    entries_enter(seen);
    out->count = (int32_t)strlen(in->value);
    entries_leave(seen);
    return DOCKET_OK;
}
DOCKET_STEP(be_counted, LC, IS);

static void test_a_crowd_keeps_to_the_size_of_its_pool(void **state)
{
    (void)state;
    enum { CROWD = 400, THREADS = 3 };
    static docket_execution *crowd[CROWD];
    entries seen = {.runs = 0};
    docket_pool *pool = docket_pool_new(THREADS);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of_one(&graph_options, &be_counted_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    docket_error error;
    for (int i = 0; i < CROWD; i++) {
        request.time_limit_ms = i % 2 == 0 ? 0 : DOCKET_HOURS(1);
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &crowd[i], &error));
    }
    for (int i = 0; i < CROWD; i++) {
        assert_status(DOCKET_OK, docket_execution_end(crowd[i], NULL, &error));
    }
    assert_int_equal(seen.runs, CROWD);
    assert_in_range(seen.most, 1, THREADS);
    stop_and_free(graph);
    docket_pool_free(pool);
}

static void test_what_never_begins_is_not_done(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC)};
    ending at = {.done = GATE_INIT(1)};
    docket_error error;
    at.execution = (docket_execution *)&at;
    assert_status(DOCKET_MISSING, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
    assert_null(at.execution);
    assert_status(DOCKET_MISSING, error.status);
    assert_status(DOCKET_INVALID, docket_execute_begin(graph, &request, on_done, &at, NULL, &error));
    assert_status(DOCKET_INVALID, docket_execution_end(NULL, NULL, &error));
    docket_execution_cancel(NULL);
    stop_and_free(graph);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    request = letters_request(&input);
    graph = graph_of_one(NULL, &count_letters_step, NULL);
    assert_status(DOCKET_OK, docket_graph_stop(graph, 0, &error));
    assert_status(DOCKET_STATE, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
    assert_null(at.execution);
    assert_contains(error.message, "stopped");
    docket_graph_free(graph);
    assert_int_equal(gate_arrived(&at.done), 0);
}

static docket_status nap(docket_ctx *ctx, LC *out, const IS *in)
{
    gate_arrive(docket_ctx_user(ctx));
    out->count = (int32_t)strlen(in->value);
    return docket_sleep(ctx, 60000);
}
DOCKET_STEP(nap, LC, IS);

static docket_status block(docket_ctx *ctx, LC *out, const IS *in)
{
    gate *gates = docket_ctx_user(ctx);
    gate_arrive(&gates[0]);
    bool open = gate_wait(&gates[1]);
    out->original = docket_strdup(ctx, in->value);
    out->count = (int32_t)strlen(in->value);
    return open ? DOCKET_OK : docket_fail(ctx, 1, "nobody came");
}
DOCKET_STEP(block, LC, IS);

static void test_cancel(void **state)
{
    (void)state;
    gate inside = GATE_INIT(1);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &inside};
    docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    ending at = {.done = GATE_INIT(1)};
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
    assert_true(gate_wait(&inside));
    docket_execution_cancel(at.execution);
    docket_execution_cancel(at.execution);
    assert_true(gate_wait(&at.done));
    docket_execution_cancel(at.execution);
    assert_status(DOCKET_CANCELLED, docket_execution_end(at.execution, NULL, &error));
    assert_string_equal(error.execution_id, "e");
    stop_and_free(graph);
}

/* Cancelled, ended and freed while its step still blocks. */
static void test_the_end_does_not_wait_for_a_straggler(void **state)
{
    (void)state;
    gate gates[2] = {GATE_INIT(1), GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = gates};
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    ending at = {.done = GATE_INIT(1)};
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
    assert_true(gate_wait(&gates[0]));
    docket_execution_cancel(at.execution);
    assert_status(DOCKET_CANCELLED, docket_execution_end(at.execution, NULL, &error));
    assert_int_equal(gate_arrived(&at.done), 1);
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 0, &error));
    gate_arrive(&gates[1]);
    stop_and_free(graph);
}

/* A crowd that is cancelled by chance, before, while and after it runs. */
static void test_cancelled_by_chance(void **state)
{
    (void)state;
    enum { CROWD = 20 };
    uint64_t seed = site_seed();
    long rounds = site_count(30, 3000);
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    for (long round = 0; round < rounds; round++) {
        static ending crowd[CROWD];
        docket_error error;
        for (int i = 0; i < CROWD; i++) {
            crowd[i] = (ending){.done = GATE_INIT(1)};
            assert_status(DOCKET_OK,
                          docket_execute_begin(graph, &request, on_done, &crowd[i], &crowd[i].execution, &error));
            if (site_random(&seed) % 2 == 0) {
                docket_execution_cancel(crowd[site_random(&seed) % (unsigned)(i + 1)].execution);
            }
        }
        for (int i = 0; i < CROWD; i++) {
            docket_result *result = NULL;
            docket_status status = docket_execution_end(crowd[i].execution, &result, &error);
            assert_true(status == DOCKET_OK || status == DOCKET_CANCELLED);
            const LC *value = DOCKET_RESULT(result, LC); /* kept, if the cancellation came behind it */
            assert_true(value == NULL ? status == DOCKET_CANCELLED : value->count == 5);
            assert_int_equal(gate_arrived(&crowd[i].done), 1);
            docket_result_free(result);
        }
    }
    stop_and_free(graph);
}

/* Pools without threads. */

static void test_nothing_runs_but_inside_pool_run(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_pool *pool = docket_pool_new(0);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(&graph_options, &count_letters_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    ending at = {.done = GATE_INIT(1)};
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, on_done, &at, &at.execution, &error));
    pause_ms(10);
    assert_int_equal(user.runs, 0);
    in.value = "not seen any more";
    assert_true(docket_pool_run(pool, 0) > 0);
    assert_int_equal(user.runs, 1);
    assert_true(gate_is_open(&at.done));
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_execution_end(at.execution, &result, &error));
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 5);
    docket_result_free(result);
    stop_and_free(graph);
    assert_int_equal(docket_pool_run(pool, 0), 0);
    docket_pool_free(pool);
}

/* The blocking calls run the pool themselves. */
static void test_blocking_calls_on_a_pool_without_threads(void **state)
{
    (void)state;
    docket_pool *pool = docket_pool_new(0);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_graph *graph = graph_of_one(&graph_options, &count_letters_step, NULL);
    assert_int_equal(letters_count(graph, NULL, "hello"), 5);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    docket_execution *execution = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
    assert_status(DOCKET_OK, docket_execution_end(execution, NULL, &error));
    stop_and_free(graph);
    docket_pool_free(pool);
}

static docket_status fail_twice(docket_ctx *ctx, LC *out, const IS *in)
{
    out->count = (int32_t)strlen(in->value);
    return docket_ctx_attempt(ctx) < 3 ? docket_fail(ctx, 1, "again") : DOCKET_OK;
}
DOCKET_STEP(fail_twice, LC, IS);

/* An event loop: poll says when there is something to do, docket_pool_run never waits. */
static void test_event_loop(void **state)
{
    (void)state;
    enum { CROWD = 10 };
    docket_pool *pool = docket_pool_new(0);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 5},
        .scope = DOCKET_SCOPE_WORKFLOW,
        .store = site_open(*state, NULL),
    };
    docket_graph *graph = graph_of_one(&graph_options, &fail_twice_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    static ending crowd[CROWD];
    docket_error error;
    for (int i = 0; i < CROWD; i++) {
        char id[16];
        snprintf(id, sizeof id, "loop-%d", i % (CROWD / 2)); /* two of each want the same key */
        docket_request request = letters_request(&input);
        request.execution_id = id;
        crowd[i] = (ending){.done = GATE_INIT(1), .ends = true};
        assert_status(DOCKET_OK,
                      docket_execute_begin(graph, &request, on_done, &crowd[i], &crowd[i].execution, &error));
    }
    struct pollfd watched = {.fd = docket_pool_fd(pool), .events = POLLIN};
    int ended = 0;
    while (ended < CROWD) {
        assert_int_equal(poll(&watched, 1, GATE_LIMIT_MS), 1);
        docket_pool_run(pool, 0);
        ended = 0;
        for (int i = 0; i < CROWD; i++) {
            ended += gate_is_open(&crowd[i].done);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        assert_status(DOCKET_OK, crowd[i].status);
        assert_int_equal(DOCKET_RESULT(crowd[i].result, LC)->count, 5);
        docket_result_free(crowd[i].result);
    }
    stop_and_free(graph);
    docket_pool_run(pool, 0);
    docket_pool_free(pool);
}

static docket_status spin_until_told(docket_ctx *ctx, LC *out, const IS *in)
{
    out->count = (int32_t)strlen(in->value);
    while (!docket_cancelled(ctx)) {
        pause_ms(1);
    }
    return DOCKET_CANCELLED;
}
DOCKET_STEP(spin_until_told, LC, IS);

/* Nobody is there to ring: a step that looks sees the limits all the same. */
static void test_limits_on_a_pool_without_threads(void **state)
{
    (void)state;
    static const docket_step *const steps[] = {&spin_until_told_step, &nap_step};
    for (int i = 0; i < 4; i++) {
        gate inside = GATE_INIT(1);
        docket_pool *pool = docket_pool_new(0);
        docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &inside, .time_limit_ms = i < 2 ? 20 : 0,
                                       .max_attempts = 2};
        docket_graph *graph = graph_of_one(&graph_options, steps[i % 2], &options);
        IS in = {.value = "hello"};
        docket_input input = DOCKET_IN(IS, &in);
        docket_request request = letters_request(&input);
        request.time_limit_ms = i < 2 ? 0 : 20;
        assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
        docket_execution *execution = NULL;
        docket_error error;
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
        assert_status(DOCKET_TIMEOUT, docket_execution_end(execution, NULL, &error));
        stop_and_free(graph);
        docket_pool_free(pool);
    }
}

/* Cancelled while it waits for its next attempt, or for a key: what is left in the pool is nothing. */
static void test_cancel_on_a_pool_without_threads(void **state)
{
    (void)state;
    docket_pool *pool = docket_pool_new(0);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 3600000, .no_jitter = true},
        .scope = DOCKET_SCOPE_WORKFLOW,
        .store = site_open(*state, NULL),
    };
    docket_graph *graph = graph_of_one(&graph_options, &fail_twice_step, &options);
    IS in = {.value = "hello"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = letters_request(&input);
    docket_execution *owner = NULL;
    docket_execution *waiter = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &owner, &error));
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &waiter, &error));
    docket_pool_run(pool, 0);
    docket_execution_cancel(waiter);
    docket_execution_cancel(owner);
    assert_status(DOCKET_CANCELLED, docket_execution_end(waiter, NULL, &error));
    assert_status(DOCKET_CANCELLED, docket_execution_end(owner, NULL, &error));
    stop_and_free(graph);
    docket_pool_free(pool);
}

/* A caller that leaves early leaves nothing behind, even if nobody runs the pool again. */
static void test_nothing_is_left_in_a_pool_without_threads(void **state)
{
    docket_store *store = site_open(*state, NULL);
    for (int i = 0; i < 4; i++) {
        docket_pool *pool = docket_pool_new(0);
        docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
        docket_step_options options = {
            DOCKET_STEP_OPTIONS_INIT,
            .max_attempts = 3,
            .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 3600000, .no_jitter = true},
            .scope = i % 2 == 0 ? DOCKET_SCOPE_NONE : DOCKET_SCOPE_WORKFLOW,
            .store = store,
        };
        docket_graph *graph = graph_of_one(&graph_options, &fail_twice_step, &options);
        IS in = {.value = "hello"};
        docket_input input = DOCKET_IN(IS, &in);
        docket_request request = letters_request(&input);
        request.time_limit_ms = 10;
        if (i < 2) {
            assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
        } else {
            docket_execution *execution = NULL;
            docket_error error;
            assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
            assert_status(DOCKET_TIMEOUT, docket_execution_end(execution, NULL, &error));
        }
        docket_graph_free(graph);
        docket_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_begin_and_end),
        SITE_MEMORY(test_done_may_end_the_execution),
        SITE_MEMORY(test_done_may_end_an_execution_without_steps),
        SITE_MEMORY(test_done_may_execute),
        SITE_MEMORY(test_a_crowd_keeps_to_the_size_of_its_pool),
        SITE_MEMORY(test_what_never_begins_is_not_done),
        SITE_MEMORY(test_cancel),
        SITE_MEMORY(test_the_end_does_not_wait_for_a_straggler),
        SITE_MEMORY(test_cancelled_by_chance),
        SITE_MEMORY(test_nothing_runs_but_inside_pool_run),
        SITE_MEMORY(test_blocking_calls_on_a_pool_without_threads),
        SITE_EACH_STORE(test_event_loop),
        SITE_MEMORY(test_limits_on_a_pool_without_threads),
        SITE_EACH_STORE(test_cancel_on_a_pool_without_threads),
        SITE_EACH_STORE(test_nothing_is_left_in_a_pool_without_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
