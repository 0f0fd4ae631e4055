/* Single executions: what is asked for, what is given, what comes out. */
#include "support/check.h"
#include "support/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void p_044_counts_the_letters(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    outcome of = run_letters(graph, NULL, "hello");
    assert_status(DOCKET_OK, of.status);
    assert_status(DOCKET_OK, of.error.status);
    assert_string_equal(DOCKET_RESULT(of.result, LC)->original, "hello");
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 5);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_RAN);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(IS)), DOCKET_VALUE_GIVEN);
    assert_string_equal(DOCKET_RESULT(of.result, IS)->value, "hello");
    outcome_free(&of);
    docket_graph_free(graph);
}

static void p_045_refuses_a_graph_that_was_not_validated(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_graph *graph = docket_graph_new("raw", NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, &options));
    outcome of = run_letters(graph, "x", "hello");
    assert_status(DOCKET_STATE, of.status);
    assert_null(of.result);
    assert_contains(of.error.message, "validated");
    assert_int_equal(user.runs, 0);
    docket_graph_free(graph);
}

static void p_046_reports_a_missing_leaf_before_any_step_runs(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, &options);
    outcome of = run_letters(graph, NULL, NULL);
    assert_status(DOCKET_MISSING, of.status);
    assert_null(of.result);
    assert_contains(of.error.message, "no step is registered");
    assert_contains(of.error.message, "IS");
    assert_string_equal(of.error.type, "IS");
    assert_int_equal(user.runs, 0);
    docket_graph_free(graph);
}

static void p_047_reports_a_leaf_that_is_asked_for_and_not_given(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(IS)});
    assert_status(DOCKET_MISSING, of.status);
    assert_contains(of.error.message, "no step is registered");
    assert_contains(of.error.message, "IS");
    docket_graph_free(graph);
}

static void p_047_hands_a_given_leaf_back(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, NULL);
    IS in = {.value = "as given"};
    outcome of = run(
        graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(IS), DOCKET_INPUTS(DOCKET_IN(IS, &in))});
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, IS)->value, "as given");
    assert_ptr_not_equal(DOCKET_RESULT(of.result, IS)->value, in.value);
    outcome_free(&of);
    docket_graph_free(graph);
}

static void p_048_takes_a_supplied_value_in_place_of_the_step(void **state)
{
    (void)state;
    letters_user user = {.value = 999};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(NULL, &make_letters_step, &options);
    LC given = {.count = 42};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(LC, &given))};
    outcome of = run(graph, &request);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 42);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_GIVEN);
    assert_int_equal(user.runs, 0);
    outcome_free(&of);
    docket_graph_free(graph);
}

/* Fails once with all of its output filled, then succeeds without touching it. */
static docket_status write_then_nothing(docket_ctx *ctx, LC *out)
{
    if (docket_ctx_attempt(ctx) == 1) {
        *out = (LC){.original = docket_strdup(ctx, "old"), .target = docket_strdup(ctx, "old"), .count = 7};
        return docket_fail(ctx, 1, "not yet");
    }
    return DOCKET_OK;
}
DOCKET_STEP(write_then_nothing, LC);

static void p_049_an_output_that_is_not_written_is_zero(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 2};
    docket_graph *graph = graph_of_one(NULL, &write_then_nothing_step, &options);
    outcome of = run_letters(graph, NULL, NULL);
    assert_status(DOCKET_OK, of.status);
    const LC *value = DOCKET_RESULT(of.result, LC);
    assert_int_equal(value->count, 0);
    assert_string_equal(value->original, "");
    assert_string_equal(value->target, "");
    outcome_free(&of);
    docket_graph_free(graph);
}

static docket_status fail_with_code(docket_ctx *ctx, LC *out)
{
    (void)out;
    docket_cause(ctx, "disk %d is full", 3);
    return docket_fail(ctx, 4711, "cannot count: %s", "no room");
}
DOCKET_STEP(fail_with_code, LC);

static void p_050_a_failure_arrives_with_its_code_and_message(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &fail_with_code_step, NULL);
    outcome of = run_letters(graph, "x-1", NULL);
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, 4711);
    assert_string_equal(of.error.message, "cannot count: no room");
    assert_string_equal(of.error.cause, "disk 3 is full");
    assert_string_equal(of.error.step, "fail_with_code");
    assert_string_equal(of.error.type, "LC");
    assert_string_equal(of.error.execution_id, "x-1");
    assert_int_equal(of.error.attempts, 1);
    assert_non_null(of.result);
    assert_null(DOCKET_RESULT(of.result, LC));
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_FAILED);
    assert_string_equal(docket_result_reason(of.result, DOCKET_OF(LC)), "cannot count: no room");
    outcome_free(&of);
    docket_graph_free(graph);
}

static docket_status read_identity(docket_ctx *ctx, LC *out)
{
    out->original = docket_strdup(ctx, docket_ctx_execution_id(ctx));
    out->target = docket_strdup(ctx, docket_ctx_step_name(ctx));
    out->count = docket_ctx_attempt(ctx);
    return DOCKET_OK;
}
DOCKET_STEP(read_identity, LC);

static void p_051_p_052_a_step_reads_execution_id_and_its_name(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = "MyStep"};
    docket_graph *graph = graph_of_one(NULL, &read_identity_step, &options);
    static const char *const ids[] = {"my-exec-id", "exec-123"};
    for (size_t i = 0; i < 2; i++) {
        outcome of = run_letters(graph, ids[i], NULL);
        assert_status(DOCKET_OK, of.status);
        assert_string_equal(DOCKET_RESULT(of.result, LC)->original, ids[i]);
        assert_string_equal(DOCKET_RESULT(of.result, LC)->target, "MyStep");
        assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 1);
        assert_string_equal(docket_result_execution_id(of.result), ids[i]);
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void p_051_an_execution_without_an_id_gets_a_random_one(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &read_identity_step, NULL);
    outcome one = run_letters(graph, NULL, NULL);
    outcome other = run_letters(graph, NULL, NULL);
    assert_int_equal(strlen(docket_result_execution_id(one.result)), 32);
    assert_string_equal(DOCKET_RESULT(one.result, LC)->original, docket_result_execution_id(one.result));
    assert_string_not_equal(docket_result_execution_id(one.result), docket_result_execution_id(other.result));
    outcome_free(&one);
    outcome_free(&other);
    docket_graph_free(graph);
}

static void p_053_p_054_accessors_outside_a_step_answer_nothing(void **state)
{
    (void)state;
    assert_string_equal(docket_ctx_execution_id(NULL), "");
    assert_string_equal(docket_ctx_step_name(NULL), "");
    assert_int_equal(docket_ctx_attempt(NULL), 0);
    assert_null(docket_ctx_user(NULL));
    assert_false(docket_cancelled(NULL));
    assert_true(docket_ctx_remaining_ms(NULL) == INT64_MAX);
}

static void p_055_two_values_of_one_type_are_refused(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(NULL, &count_letters_step, &options);
    IS hello = {.value = "hello"};
    IS world = {.value = "world"};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .output = DOCKET_OF(LC),
                                DOCKET_INPUTS(DOCKET_IN(IS, &hello), DOCKET_IN(IS, &world)),
                            });
    assert_status(DOCKET_INVALID, of.status);
    assert_null(of.result);
    assert_contains(of.error.message, "\"IS\"");
    assert_string_equal(of.error.type, "IS");
    assert_int_equal(user.runs, 0);
    docket_graph_free(graph);
}

static docket_status count_runs(docket_ctx *ctx, LC *out)
{
    entries *seen = docket_ctx_user(ctx);
    out->count = entries_enter(seen);
    entries_leave(seen);
    return DOCKET_OK;
}
DOCKET_STEP(count_runs, LC);

static void p_056_an_unrecorded_step_runs_once_in_each_execution(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of_one(NULL, &count_runs_step, &options);
    assert_int_equal(letters_count(graph, "test1", NULL), 1);
    assert_int_equal(letters_count(graph, "test2", NULL), 2);
    assert_int_equal(seen.runs, 2);
    docket_graph_free(graph);
}

DOCKET_STRUCT(Left, (INT32, value));
DOCKET_STRUCT(Right, (INT32, value));
DOCKET_STRUCT(Both, (INT32, left), (INT32, right));

static docket_status go_left(docket_ctx *ctx, Left *out, const LC *in)
{
    (void)ctx;
    out->value = in->count;
    return DOCKET_OK;
}
DOCKET_STEP(go_left, Left, LC);

static docket_status go_right(docket_ctx *ctx, Right *out, const LC *in)
{
    (void)ctx;
    out->value = 10 * in->count;
    return DOCKET_OK;
}
DOCKET_STEP(go_right, Right, LC);

static docket_status join_both(docket_ctx *ctx, Both *out, const Left *left, const Right *right)
{
    (void)ctx;
    *out = (Both){.left = left->value, .right = right->value};
    return DOCKET_OK;
}
DOCKET_STEP(join_both, Both, Left, Right);

static void p_056_what_two_consumers_need_is_computed_once(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(count_runs, go_left, go_right, join_both));
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Both)});
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, Both)->left, 1);
    assert_int_equal(DOCKET_RESULT(of.result, Both)->right, 10);
    assert_int_equal(seen.runs, 1);
    outcome_free(&of);
    docket_graph_free(graph);
}

static docket_status die(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    out->count = 1;
    if (strcmp(in->value, "abort") == 0) {
        abort();
    }
    if (strcmp(in->value, "kill") == 0) {
        kill(getpid(), SIGKILL);
    }
    if (strcmp(in->value, "exit") == 0) {
        _exit(0);
    }
    return DOCKET_OK;
}
DOCKET_STEP(die, LC, IS);

static void p_057_an_isolated_step_may_crash(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = "Fragile", .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &die_step, &options);
    outcome of = run_letters(graph, "c", "abort");
    assert_status(DOCKET_CRASHED, of.status);
    assert_int_equal(of.error.code, SIGABRT);
    assert_string_equal(of.error.step, "Fragile");
    assert_contains(of.error.message, "Fragile");
    assert_contains(of.error.message, "6");
    assert_contains(of.error.message, strsignal(SIGABRT));
    assert_int_equal(of.error.attempts, 1);
    outcome_free(&of);

    of = run_letters(graph, "c", "kill");
    assert_status(DOCKET_CRASHED, of.status);
    assert_int_equal(of.error.code, SIGKILL);
    outcome_free(&of);

    of = run_letters(graph, "c", "exit");
    assert_status(DOCKET_CRASHED, of.status);
    assert_contains(of.error.message, "before its function returned");
    outcome_free(&of);

    assert_int_equal(letters_count(graph, "c", "live"), 1);
    docket_graph_free(graph);
}

static void p_057_others_do_not_notice_a_crash(void **state)
{
    (void)state;
    docket_step_options isolated = {DOCKET_STEP_OPTIONS_INIT, .isolated = true};
    docket_graph *fragile = graph_of_one(NULL, &die_step, &isolated);
    docket_graph *sound = graph_of_one(NULL, &count_letters_step, NULL);
    IS dies = {.value = "abort"};
    IS lives = {.value = "hello"};
    docket_request request_to_die = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC),
                                     DOCKET_INPUTS(DOCKET_IN(IS, &dies))};
    docket_request request_to_live = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC),
                                      DOCKET_INPUTS(DOCKET_IN(IS, &lives))};
    enum { PAIRS = 4 };
    caller dying[PAIRS];
    caller living[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        caller_start(&dying[i], fragile, &request_to_die);
        caller_start(&living[i], sound, &request_to_live);
    }
    for (int i = 0; i < PAIRS; i++) {
        assert_status(DOCKET_CRASHED, caller_join(&dying[i])->status);
        assert_status(DOCKET_OK, caller_join(&living[i])->status);
        assert_int_equal(DOCKET_RESULT(living[i].outcome.result, LC)->count, 5);
        outcome_free(&dying[i].outcome);
        outcome_free(&living[i].outcome);
    }
    docket_graph_free(fragile);
    docket_graph_free(sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_044_counts_the_letters),
        cmocka_unit_test(p_045_refuses_a_graph_that_was_not_validated),
        cmocka_unit_test(p_046_reports_a_missing_leaf_before_any_step_runs),
        cmocka_unit_test(p_047_reports_a_leaf_that_is_asked_for_and_not_given),
        cmocka_unit_test(p_047_hands_a_given_leaf_back),
        cmocka_unit_test(p_048_takes_a_supplied_value_in_place_of_the_step),
        cmocka_unit_test(p_049_an_output_that_is_not_written_is_zero),
        cmocka_unit_test(p_050_a_failure_arrives_with_its_code_and_message),
        cmocka_unit_test(p_051_p_052_a_step_reads_execution_id_and_its_name),
        cmocka_unit_test(p_051_an_execution_without_an_id_gets_a_random_one),
        cmocka_unit_test(p_053_p_054_accessors_outside_a_step_answer_nothing),
        cmocka_unit_test(p_055_two_values_of_one_type_are_refused),
        cmocka_unit_test(p_056_an_unrecorded_step_runs_once_in_each_execution),
        cmocka_unit_test(p_056_what_two_consumers_need_is_computed_once),
        cmocka_unit_test(p_057_an_isolated_step_may_crash),
        cmocka_unit_test(p_057_others_do_not_notice_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
