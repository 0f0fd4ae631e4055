/* A pool without threads: steps wait on top of each other without waiting for each other, and when a graph is stopped
 * nothing of it stays in the pool's queue. */
#include "support/site.h"
#include "threads/count.h"

DOCKET_STRUCT(Input, (INT64, number));
DOCKET_STRUCT(Left, (INT64, number));
DOCKET_STRUCT(Right, (INT64, number));

static docket_status make_left(docket_ctx *ctx, Left *out, const Input *in)
{
    (void)out;
    (void)in;
    return docket_fail(ctx, 1, "later");
}
DOCKET_STEP(make_left, Left, Input);

static docket_status make_right(docket_ctx *ctx, Right *out, const Input *in)
{
    (void)out;
    (void)in;
    return docket_fail(ctx, 1, "later");
}
DOCKET_STEP(make_right, Right, Input);

/* Two steps wait for their next attempt when the execution is cancelled: both come back into the queue, the first that
 * is run ends the execution, the other finds nothing to do. */
static void test_cancelled_while_waiting(void **state)
{
    (void)state;
    size_t blocks = count_blocks();
    docket_pool *pool = docket_pool_new(0);
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    const docket_step_options patient = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 2,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = DOCKET_MINUTES(30), .no_jitter = true},
    };
    docket_graph *graph = docket_graph_new("waiting", &options);
    assert_status(DOCKET_OK, docket_graph_add_all(graph, &patient, DOCKET_STEPS(make_left, make_right)));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_execution *execution = NULL;
    const Input input = {.number = 1};
    const docket_request request = {DOCKET_REQUEST_INIT, DOCKET_OUTPUTS(Left, Right),
                                    DOCKET_INPUTS(DOCKET_IN(Input, &input))};
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, NULL));
    assert_true(docket_pool_run(pool, 0) > 0);
    docket_execution_cancel(execution);
    assert_status(DOCKET_CANCELLED, docket_execution_end(execution, NULL, NULL));
    assert_status(DOCKET_OK, docket_graph_stop(graph, 1000, NULL));
    docket_graph_free(graph);
    docket_pool_free(pool);
    assert_int_equal(count_blocks(), blocks);
}

/* Steps that execute a recorded step of another graph. */

DOCKET_STRUCT(Shared, (INT64, number));
DOCKET_STRUCT(Outer, (INT64, number));

typedef struct nest {
    docket_store *store;
    docket_pool *pool;
    docket_graph *inner, *outer;
    int runs;     /* of the shared step that succeeded */
    int failures; /* so many before */
} nest;

static docket_status make_shared(docket_ctx *ctx, Shared *out, const Input *in)
{
    nest *self = docket_ctx_user(ctx);
    if (docket_ctx_attempt(ctx) <= self->failures) {
        return docket_fail(ctx, 1, "not yet");
    }
    self->runs++;
    out->number = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(make_shared, Shared, Input);

static docket_status ask(docket_ctx *ctx, Outer *out, const Input *in)
{
    nest *self = docket_ctx_user(ctx);
    docket_error error;
    docket_result *result = NULL;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Shared),
                                    DOCKET_INPUTS(DOCKET_IN(Input, in))};
    docket_status status = docket_execute(self->inner, &request, &result, &error);
    out->number = status == DOCKET_OK ? DOCKET_RESULT(result, Shared)->number : 0;
    docket_result_free(result);
    return status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &error);
}
DOCKET_STEP(ask, Outer, Input);

static void open_nest(nest *self, int failures, docket_scope outer_scope)
{
    *self = (nest){.failures = failures};
    assert_status(DOCKET_OK, docket_store_open(&self->store, "memory:", NULL, NULL));
    self->pool = docket_pool_new(0);
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = self->pool, .store = self->store};
    const docket_step_options shared = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = self,
        .scope = DOCKET_SCOPE_GLOBAL,
        .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 20, .no_jitter = true},
    };
    const docket_step_options asks = {DOCKET_STEP_OPTIONS_INIT, .user = self, .scope = outer_scope};
    self->inner = docket_graph_new("inner", &options);
    self->outer = docket_graph_new("outer", &options);
    assert_status(DOCKET_OK, docket_graph_add(self->inner, &make_shared_step, &shared));
    assert_status(DOCKET_OK, docket_graph_add(self->outer, &ask_step, &asks));
    assert_status(DOCKET_OK, docket_graph_validate(self->inner, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(self->outer, NULL));
}

static void close_nest(nest *self)
{
    docket_graph_free(self->outer);
    docket_graph_free(self->inner);
    docket_store_close(self->store);
    docket_pool_free(self->pool);
}

static docket_execution *begin(docket_graph *graph, const docket_type *output, int64_t number)
{
    docket_execution *execution = NULL;
    const Input input = {.number = number};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = output, DOCKET_INPUTS(DOCKET_IN(Input, &input))};
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, NULL));
    return execution;
}

static void end_with(docket_execution *execution, int64_t number)
{
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_execution_end(execution, &result, NULL));
    assert_int_equal(DOCKET_RESULT(result, Outer)->number, number);
    docket_result_free(result);
}

/* Both ask for one key, whose owner waits for its next attempt inside the nested wait of the first. */
static void test_nested_waits_for_one_key(void **state)
{
    (void)state;
    nest self;
    open_nest(&self, 2, DOCKET_SCOPE_NONE);
    docket_execution *first = begin(self.outer, DOCKET_OF(Outer), 7);
    docket_execution *second = begin(self.outer, DOCKET_OF(Outer), 7);
    end_with(first, 7);
    end_with(second, 7);
    assert_int_equal(self.runs, 1);
    close_nest(&self);
}

/* The owner belongs to an execution that nobody waits for, and stands in the pool's queue behind others. */
static void test_a_nested_wait_runs_the_owner(void **state)
{
    (void)state;
    nest self;
    open_nest(&self, 1, DOCKET_SCOPE_NONE);
    docket_execution *owner = begin(self.inner, DOCKET_OF(Shared), 7);
    docket_execution *asks = begin(self.outer, DOCKET_OF(Outer), 7);
    docket_execution *other = begin(self.outer, DOCKET_OF(Outer), 8);
    end_with(asks, 7);
    end_with(other, 8);
    assert_status(DOCKET_OK, docket_execution_end(owner, NULL, NULL));
    assert_int_equal(self.runs, 2);
    close_nest(&self);
}

/* Steps that hold keys of their own wait for a key of a step that waits below them on the stack. */
static void test_nested_waits_hold_keys(void **state)
{
    (void)state;
    enum { COUNT = 6 };
    nest self;
    open_nest(&self, 1, DOCKET_SCOPE_GLOBAL);
    docket_execution *executions[COUNT];
    for (int64_t i = 0; i < COUNT; i++) {
        executions[i] = begin(self.outer, DOCKET_OF(Outer), i % 3);
    }
    for (int64_t i = 0; i < COUNT; i++) {
        end_with(executions[i], i % 3);
    }
    assert_int_equal(self.runs, 3);
    close_nest(&self);
}

/* A step waits for an execution that it has begun itself. */
static docket_status ask_begun(docket_ctx *ctx, Outer *out, const Input *in)
{
    nest *self = docket_ctx_user(ctx);
    docket_execution *execution = NULL;
    docket_error error;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Shared),
                                    DOCKET_INPUTS(DOCKET_IN(Input, in))};
    if (docket_execute_begin(self->inner, &request, NULL, NULL, &execution, &error) != DOCKET_OK) {
        return docket_fail_from(ctx, &error);
    }
    docket_result *result = NULL;
    docket_status status = docket_execution_end(execution, &result, &error);
    out->number = status == DOCKET_OK ? DOCKET_RESULT(result, Shared)->number : 0;
    docket_result_free(result);
    return status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &error);
}
DOCKET_STEP(ask_begun, Outer, Input);

static void test_a_begun_execution_is_waited_for(void **state)
{
    (void)state;
    nest self;
    open_nest(&self, 2, DOCKET_SCOPE_NONE);
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = self.pool};
    const docket_step_options asks = {DOCKET_STEP_OPTIONS_INIT, .user = &self};
    docket_graph *graph = docket_graph_new("begins", &options);
    assert_status(DOCKET_OK, docket_graph_add(graph, &ask_begun_step, &asks));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_execution *first = begin(graph, DOCKET_OF(Outer), 7);
    docket_execution *second = begin(graph, DOCKET_OF(Outer), 7);
    end_with(second, 7);
    end_with(first, 7);
    assert_int_equal(self.runs, 1);
    docket_graph_free(graph);
    close_nest(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancelled_while_waiting),         cmocka_unit_test(test_nested_waits_for_one_key),
        cmocka_unit_test(test_a_nested_wait_runs_the_owner),    cmocka_unit_test(test_nested_waits_hold_keys),
        cmocka_unit_test(test_a_begun_execution_is_waited_for),
    };
    count_install();
    return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
