/* Abort: a step that stops the whole execution. */
#include "support/check.h"
#include "support/run.h"

#include <string.h>
#include <unistd.h>

enum { GENERIC_ABORT = 255 };

static docket_status stop_it_all(docket_ctx *ctx, LC *out)
{
    entries *seen = docket_ctx_user(ctx);
    (void)out;
    entries_enter(seen);
    entries_leave(seen);
    docket_cause(ctx, "db down");
    return docket_abort(ctx, GENERIC_ABORT, "system failure");
}
DOCKET_STEP(stop_it_all, LC);

static bool retry_everything(void *user, const docket_error *error)
{
    (void)user;
    (void)error;
    return true;
}

static void assert_aborted(bool (*should_retry)(void *user, const docket_error *error))
{
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen, .max_attempts = 5,
                                   .should_retry = should_retry};
    docket_graph *graph = graph_of_one(NULL, &stop_it_all_step, &options);
    outcome of = run_letters(graph, "a", NULL);
    assert_status(DOCKET_ABORTED, of.status);
    assert_int_equal(seen.runs, 1);
    assert_int_equal(of.error.attempts, 1);
    assert_string_equal(of.error.message, "system failure");
    assert_string_equal(of.error.cause, "db down");
    outcome_free(&of);
    docket_graph_free(graph);
}

static void p_081_an_abort_is_not_retried(void **state)
{
    (void)state;
    assert_aborted(NULL);
}

static void p_082_message_and_cause_stand_in_the_text(void **state)
{
    (void)state;
    char line[1000];
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of_one(NULL, &stop_it_all_step, &options);
    outcome of = run_letters(graph, "a", NULL);
    docket_error_format(&of.error, line, sizeof line);
    assert_contains(line, "system failure");
    assert_contains(line, "db down");
    assert_contains(line, "[a]");
    outcome_free(&of);
    docket_graph_free(graph);
}

static void p_083_an_abort_overrides_the_classifier(void **state)
{
    (void)state;
    assert_aborted(retry_everything);
}

static void p_084_the_abort_is_a_status_and_a_code_of_its_own(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of_one(NULL, &stop_it_all_step, &options);
    outcome of = run_letters(graph, "a", NULL);
    assert_true(DOCKET_ABORTED != DOCKET_OK && DOCKET_ABORTED != DOCKET_FAILED);
    assert_status(DOCKET_ABORTED, of.error.status);
    assert_int_equal(of.error.code, GENERIC_ABORT);
    assert_contains(docket_status_text(DOCKET_ABORTED), "stopped the whole execution");
    outcome_free(&of);
    docket_graph_free(graph);
}

DOCKET_STRUCT(Slow, (INT32, value));
DOCKET_STRUCT(Late, (INT32, value));
DOCKET_STRUCT(End, (INT32, value));

static gate slow_is_in = GATE_INIT(1);
static atomic_int late_runs;
static atomic_bool slow_was_told;

static docket_status slow(docket_ctx *ctx, Slow *out)
{
    out->value = 1;
    gate_arrive(&slow_is_in);
    docket_status status = docket_sleep(ctx, 60000);
    atomic_store(&slow_was_told, status == DOCKET_CANCELLED);
    return status;
}
DOCKET_STEP(slow, Slow);

static docket_status abort_beside(docket_ctx *ctx, LC *out)
{
    (void)out;
    return gate_wait(&slow_is_in) ? docket_abort(ctx, 9, "stop") : DOCKET_OK;
}
DOCKET_STEP(abort_beside, LC);

static docket_status late(docket_ctx *ctx, Late *out, const LC *in)
{
    (void)ctx;
    out->value = in->count;
    atomic_fetch_add(&late_runs, 1);
    return DOCKET_OK;
}
DOCKET_STEP(late, Late, LC);

static docket_status end(docket_ctx *ctx, End *out, const Late *from, const Slow *and)
{
    (void)ctx;
    out->value = from->value + and->value;
    atomic_fetch_add(&late_runs, 1);
    return DOCKET_OK;
}
DOCKET_STEP(end, End, Late, Slow);

static void an_abort_stops_its_siblings(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .on_failure = DOCKET_FAILURE_IS_ABSENT};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(slow, abort_beside, late, end));
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(End)});
    assert_status(DOCKET_ABORTED, of.status);
    assert_string_equal(of.error.step, "abort_beside");
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(End)), DOCKET_VALUE_NOT_REACHED);
    outcome_free(&of);
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
    assert_true(slow_was_told);
    assert_int_equal(late_runs, 0);
    docket_graph_free(graph);
}

static int set_alarm(void **state)
{
    (void)state;
    alarm(200);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_081_an_abort_is_not_retried),
        cmocka_unit_test(p_082_message_and_cause_stand_in_the_text),
        cmocka_unit_test(p_083_an_abort_overrides_the_classifier),
        cmocka_unit_test(p_084_the_abort_is_a_status_and_a_code_of_its_own),
        cmocka_unit_test(an_abort_stops_its_siblings),
    };
    return cmocka_run_group_tests(tests, set_alarm, NULL);
}
