/* What errors say: P-117 to P-126. P-127 needs several layers and stands with the executions. */
#include "support/check.h"
#include "support/letters.h"

#include <stdio.h>

static docket_error execution_error(const char *step, const char *type, const char *cause)
{
    docket_error error = DOCKET_ERROR_INIT;
    error.status = DOCKET_FAILED;
    snprintf(error.execution_id, sizeof error.execution_id, "exec-123");
    snprintf(error.step, sizeof error.step, "%s", step);
    snprintf(error.type, sizeof error.type, "%s", type);
    snprintf(error.cause, sizeof error.cause, "%s", cause);
    return error;
}

static void p_117_an_error_names_execution_step_and_cause(void **state)
{
    (void)state;
    char line[300];
    docket_error error = execution_error("MyStep", "", "disk on fire");
    docket_error_format(&error, line, sizeof line);
    assert_contains(line, "exec-123");
    assert_contains(line, "MyStep");
    assert_contains(line, "disk on fire");
}

static void p_118_no_cause_leaves_no_trace(void **state)
{
    (void)state;
    char line[300];
    docket_error error = execution_error("MyStep", "", "");
    docket_error_format(&error, line, sizeof line);
    assert_contains(line, "exec-123");
    assert_contains(line, "MyStep");
    assert_null(strstr(line, "null"));
    assert_true(line[strlen(line) - 1] == ')');
}

static void p_119_without_a_step_the_type_is_named(void **state)
{
    (void)state;
    char line[300];
    docket_error error = execution_error("", "LC", "");
    docket_error_format(&error, line, sizeof line);
    assert_contains(line, "LC");
    assert_null(strstr(line, "(step"));
}

static docket_status fail_with_a_code(docket_ctx *ctx, LC *out)
{
    (void)out;
    docket_cause(ctx, "disk on fire");
    return docket_fail(ctx, 4711, "cannot count");
}
DOCKET_STEP(fail_with_a_code, LC);

static void p_120_the_code_of_a_failure_can_be_read(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("letters", NULL);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_add(graph, &fail_with_a_code_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC)};
    assert_status(DOCKET_FAILED, docket_execute(graph, &request, &result, &error));
    assert_int_equal(error.code, 4711);
    assert_string_equal(error.cause, "disk on fire");
    docket_result_free(result);
    docket_graph_free(graph);
}

static void p_121_without_a_cause_there_is_none(void **state)
{
    (void)state;
    const docket_error error = execution_error("MyStep", "", "");
    assert_int_equal(error.code, 0);
    assert_string_equal(error.cause, "");
}

/* A registration error: of the second step that makes LC. */
static docket_error registration_error(void)
{
    docket_graph *graph = docket_graph_new("letters", NULL);
    docket_error error;
    (void)docket_graph_add(graph, &count_letters_step, NULL);
    (void)docket_graph_add(graph, &make_letters_step, NULL);
    assert_status(DOCKET_DUPLICATE, docket_graph_validate(graph, &error));
    docket_graph_free(graph);
    return error;
}

static void p_122_a_registration_error_names_type_message_and_cause(void **state)
{
    (void)state;
    char line[1000];
    docket_error error = registration_error();
    snprintf(error.cause, sizeof error.cause, "some cause");
    docket_error_format(&error, line, sizeof line);
    assert_contains(line, "type LC");
    assert_contains(line, error.message);
    assert_contains(line, "some cause");
}

static void p_123_a_registration_error_without_a_cause(void **state)
{
    (void)state;
    char line[1000];
    docket_error error = registration_error();
    docket_error_format(&error, line, sizeof line);
    assert_contains(line, error.message);
    assert_string_equal(error.cause, "");
}

static void p_124_the_cause_of_a_registration_error_can_be_read(void **state)
{
    (void)state;
    docket_error error = registration_error();
    assert_status(DOCKET_DUPLICATE, error.status);
    assert_string_equal(error.type, "LC");
    assert_string_equal(error.step, "make_letters");
}

static const docket_status mistakes[] = {DOCKET_STATE, DOCKET_MISSING, DOCKET_CYCLE, DOCKET_DUPLICATE};

static void p_125_statuses_are_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(mistakes[i] != DOCKET_OK);
        for (size_t k = 0; k < i; k++) {
            assert_true(mistakes[i] != mistakes[k]);
        }
    }
}

static void p_126_statuses_have_texts(void **state)
{
    (void)state;
    const char *const words[] = {"validated", "step", "cycle", "output"};
    for (size_t i = 0; i < 4; i++) {
        assert_contains(docket_status_text(mistakes[i]), words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_117_an_error_names_execution_step_and_cause),
        cmocka_unit_test(p_118_no_cause_leaves_no_trace),
        cmocka_unit_test(p_119_without_a_step_the_type_is_named),
        cmocka_unit_test(p_120_the_code_of_a_failure_can_be_read),
        cmocka_unit_test(p_121_without_a_cause_there_is_none),
        cmocka_unit_test(p_122_a_registration_error_names_type_message_and_cause),
        cmocka_unit_test(p_123_a_registration_error_without_a_cause),
        cmocka_unit_test(p_124_the_cause_of_a_registration_error_can_be_read),
        cmocka_unit_test(p_125_statuses_are_distinct),
        cmocka_unit_test(p_126_statuses_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
