/* A pool without threads: when a graph is stopped nothing of it stays in the pool's queue. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cancelled_while_waiting)};
    count_install();
    return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
