/* Registering steps: P-001 to P-011, P-027 and the defects beside them. P-012 to P-028 are compile_fail cases. */
#include "support/check.h"
#include "support/letters.h"

#include <stdio.h>

static docket_status count_again(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    out->original = in->value;
    return DOCKET_OK;
}
DOCKET_STEP(count_again, LC, IS);

DOCKET_STRUCT(Other, (INT32, value));

static docket_status make_other(docket_ctx *ctx, Other *out)
{
    (void)ctx;
    out->value = 1;
    return DOCKET_OK;
}
DOCKET_STEP(make_other, Other);

static docket_graph *graph_with(const docket_step *step, const docket_step_options *options)
{
    docket_graph *graph = docket_graph_new("letters", NULL);
    assert_non_null(graph);
    assert_status(DOCKET_OK, docket_graph_add(graph, step, options));
    return graph;
}

/* The count that a graph of this one step makes of the text. */
static docket_result *execute_step(const docket_step *step, const docket_step_options *options, const char *text)
{
    docket_graph *graph = graph_with(step, options);
    docket_result *result = NULL;
    docket_error error;
    IS in = {text};
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    const docket_input inputs[] = {DOCKET_IN(IS, &in)};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), .inputs = inputs};
    request.input_count = text != NULL ? 1 : 0;
    assert_status(DOCKET_OK, docket_execute(graph, &request, &result, &error));
    docket_graph_free(graph);
    return result;
}

static void p_001_a_step_is_registered(void **state)
{
    (void)state;
    docket_graph *graph = graph_with(&count_letters_step, NULL);
    assert_int_equal(docket_graph_step_count(graph), 1);
    docket_graph_free(graph);
}

static void p_002_options_are_reported_as_given(void **state)
{
    (void)state;
    const docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .name = "TestStep",
        .time_limit_ms = DOCKET_SECONDS(5),
        .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 100},
    };
    docket_graph *graph = graph_with(&count_letters_step, &options);
    const docket_step_info *info = docket_graph_step(graph, 0);
    assert_string_equal(info->name, "TestStep");
    assert_int_equal(info->time_limit_ms, 5000);
    assert_int_equal(info->max_attempts, 3);
    assert_int_equal(info->backoff.kind, DOCKET_BACKOFF_FIXED);
    assert_int_equal(info->backoff.first_ms, 100);
    docket_graph_free(graph);
}

static void check_duplicate(const docket_step *second, const char *second_name)
{
    docket_graph *graph = graph_with(&count_letters_step, NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = second_name};
    docket_error error;
    assert_status(DOCKET_DUPLICATE, docket_graph_add(graph, second, &options));
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_string_equal(docket_graph_step(graph, 0)->name, "count_letters");
    assert_status(DOCKET_DUPLICATE, docket_graph_validate(graph, &error));
    assert_contains(error.message, "\"LC\"");
    assert_contains(error.message, "\"count_letters\"");
    assert_contains(error.message, "letters.c:");
    assert_string_equal(error.type, "LC");
    docket_graph_free(graph);
}

static void p_003_duplicate_output_is_refused(void **state)
{
    (void)state;
    check_duplicate(&count_again_step, NULL);
    check_duplicate(&count_letters_step, NULL);
    check_duplicate(&count_letters_step, "another name");
}

static void p_004_user_data_reaches_the_step(void **state)
{
    (void)state;
    letters_user user = {.prefix = "PREFIX:"};
    docket_result *result =
        execute_step(&count_letters_step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &user}, "hello");
    assert_string_equal(DOCKET_RESULT(result, LC)->original, "PREFIX:hello");
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 5);
    assert_int_equal(user.runs, 1);
    docket_result_free(result);
}

static docket_status write_user_value(docket_ctx *ctx, LC *out, const IS *in)
{
    const letters_user *user = docket_ctx_user(ctx);
    (void)in;
    out->count = user->value;
    return DOCKET_OK;
}
DOCKET_STEP(write_user_value, LC, IS);

static void p_005_user_data_with_default_options(void **state)
{
    (void)state;
    letters_user user = {.value = 42};
    docket_result *result =
        execute_step(&write_user_value_step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &user}, "");
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 42);
    docket_result_free(result);
}

static void p_006_a_step_without_inputs_is_registered(void **state)
{
    (void)state;
    docket_graph *graph = graph_with(&make_letters_step, NULL);
    assert_int_equal(docket_graph_step(graph, 0)->input_count, 0);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_graph_free(graph);
}

static void p_007_a_step_without_inputs_is_executed(void **state)
{
    (void)state;
    docket_result *result = execute_step(&make_letters_step, NULL, NULL);
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 42);
    docket_result_free(result);
}

static void check_frozen(const docket_step *late)
{
    docket_graph *graph = graph_with(&make_other_step, NULL);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_status(DOCKET_STATE, docket_graph_add(graph, late, NULL));
    assert_status(DOCKET_STATE, docket_graph_add_all(graph, NULL, (const docket_step *const[]){late, NULL}));
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_int_equal(docket_graph_leaf_count(graph), 0);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_result *result = NULL;
    assert_status(
        DOCKET_OK,
        docket_execute(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Other)}, &result, NULL));
    assert_int_equal(DOCKET_RESULT(result, Other)->value, 1);
    docket_result_free(result);
    docket_graph_free(graph);
}

static void p_008_no_step_after_validation(void **state)
{
    (void)state;
    check_frozen(&count_letters_step);
}

static void p_009_no_aggregate_after_validation(void **state)
{
    (void)state;
    check_frozen(&count_all_letters_step);
}

static void p_010_an_aggregate_says_so(void **state)
{
    (void)state;
    docket_graph *graph = graph_with(&count_all_letters_step,
                                     &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "AggregateCount"});
    assert_string_equal(docket_graph_step(graph, 0)->name, "AggregateCount");
    assert_true(docket_graph_step(graph, 0)->aggregate);
    docket_graph_free(graph);
}

static void p_011_an_aggregate_with_default_options(void **state)
{
    (void)state;
    docket_graph *graph = graph_with(&count_all_letters_step, NULL);
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_true(docket_graph_step(graph, 0)->aggregate);
    docket_graph_free(graph);
    graph = graph_with(&count_letters_step, NULL);
    assert_false(docket_graph_step(graph, 0)->aggregate);
    docket_graph_free(graph);
}

static void p_027_null_pointers_at_run_time(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("letters", NULL);
    docket_step step = count_letters_step;
    docket_error error;
    assert_status(DOCKET_INVALID, docket_graph_add(NULL, &step, NULL));
    assert_status(DOCKET_INVALID, docket_graph_add(graph, NULL, NULL));
    step.call = NULL;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    step = count_letters_step;
    step.inputs = NULL;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    step = count_letters_step;
    step.output = NULL;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    step = count_letters_step;
    step.name = NULL;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    assert_int_equal(docket_graph_step_count(graph), 0);
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_contains(error.message, "NULL");
    docket_graph_free(graph);
}

static void f_15_one_name_for_two_steps_is_refused(void **state)
{
    (void)state;
    docket_graph *graph = graph_with(&count_letters_step, NULL);
    docket_error error;
    char line[40];
    assert_status(DOCKET_DUPLICATE,
                  docket_graph_add(graph, &make_other_step,
                                   &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "count_letters"}));
    assert_status(DOCKET_DUPLICATE, docket_graph_validate(graph, &error));
    assert_contains(error.message, "\"count_letters\"");
    snprintf(line, sizeof line, "letters.c:%d", count_letters_step.line);
    assert_contains(error.message, line);
    snprintf(line, sizeof line, "registration_test.c:%d", make_other_step.line);
    assert_contains(error.message, line);
    docket_graph_free(graph);
}

static void f_26_zero_attempts_are_one_and_negative_ones_none(void **state)
{
    (void)state;
    letters_user user = {.value = 42};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user, .max_attempts = 0};
    docket_result_free(execute_step(&count_letters_step, &options, "hello"));
    assert_int_equal(user.runs, 1);

    docket_graph *graph = docket_graph_new("letters", NULL);
    options.max_attempts = -1;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &count_letters_step, &options));
    docket_graph_free(graph);
}

static void f_27_no_cap_given_is_one_hour(void **state)
{
    (void)state;
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT,
                                         .backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100}};
    docket_graph *graph = graph_with(&count_letters_step, &options);
    const docket_backoff *backoff = &docket_graph_step(graph, 0)->backoff;
    assert_int_equal(backoff->cap_ms, DOCKET_HOURS(1));
    assert_true(backoff->factor == 2);
    assert_false(backoff->no_jitter);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_001_a_step_is_registered),
        cmocka_unit_test(p_002_options_are_reported_as_given),
        cmocka_unit_test(p_003_duplicate_output_is_refused),
        cmocka_unit_test(p_004_user_data_reaches_the_step),
        cmocka_unit_test(p_005_user_data_with_default_options),
        cmocka_unit_test(p_006_a_step_without_inputs_is_registered),
        cmocka_unit_test(p_007_a_step_without_inputs_is_executed),
        cmocka_unit_test(p_008_no_step_after_validation),
        cmocka_unit_test(p_009_no_aggregate_after_validation),
        cmocka_unit_test(p_010_an_aggregate_says_so),
        cmocka_unit_test(p_011_an_aggregate_with_default_options),
        cmocka_unit_test(p_027_null_pointers_at_run_time),
        cmocka_unit_test(f_15_one_name_for_two_steps_is_refused),
        cmocka_unit_test(f_26_zero_attempts_are_one_and_negative_ones_none),
        cmocka_unit_test(f_27_no_cap_given_is_one_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
