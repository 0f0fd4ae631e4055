/* Validating graphs: P-029 to P-034, and F-35: every kind of mistake has a status and a message of its own. */
#include "support/check.h"
#include "support/letters.h"

DOCKET_ALIAS(Left, LC);
DOCKET_ALIAS(Right, LC);

static docket_status go_left(docket_ctx *ctx, Left *out, const Right *in)
{
    (void)ctx;
    out->value = in->value;
    return DOCKET_OK;
}
DOCKET_STEP(go_left, Left, Right);

static docket_status go_right(docket_ctx *ctx, Right *out, const Left *in)
{
    (void)ctx;
    out->value = in->value;
    return DOCKET_OK;
}
DOCKET_STEP(go_right, Right, Left);

static docket_graph *new_graph(void)
{
    docket_graph *graph = docket_graph_new("letters", NULL);
    assert_non_null(graph);
    return graph;
}

static void p_029_an_empty_graph_is_refused(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    docket_error error;
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_status(DOCKET_INVALID, error.status);
    assert_contains(error.message, "no registered steps");
    docket_graph_free(graph);
}

static void p_030_a_failed_validation_does_not_freeze(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, NULL));
    assert_false(docket_graph_is_frozen(graph));
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_graph_free(graph);
}

static void p_031_one_step_is_no_cycle(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    assert_status(DOCKET_OK, error.status);
    assert_string_equal(error.message, "");
    docket_graph_free(graph);
}

static void p_032_a_cycle_is_told_with_its_path(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_add(graph, &recount_letters_step, NULL));
    assert_status(DOCKET_CYCLE, docket_graph_validate(graph, &error));
    assert_contains(error.message, "cycle");
    assert_contains(error.message, "LC -> LC");
    assert_false(docket_graph_is_frozen(graph));
    docket_graph_free(graph);

    graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add_all(graph, NULL, DOCKET_STEPS(count_letters, go_left, go_right)));
    assert_status(DOCKET_CYCLE, docket_graph_validate(graph, &error));
    assert_contains(error.message, "cycle: Left -> Right -> Left");
    docket_graph_free(graph);
}

static void p_033_validation_is_idempotent(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_graph_free(graph);
}

static void p_034_the_graph_tells_whether_it_is_frozen(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_false(docket_graph_is_frozen(graph));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_true(docket_graph_is_frozen(graph));
    docket_graph_free(graph);
    assert_false(docket_graph_is_frozen(NULL));
}

/* A graph into which one step was added with these options, and the answer ignored. */
static docket_status validate_with(const char *graph_name, const docket_step *step,
                                   const docket_step_options *options, docket_error *error)
{
    docket_graph *graph = docket_graph_new(graph_name, NULL);
    (void)docket_graph_add(graph, &count_letters_step, NULL);
    (void)docket_graph_add(graph, step, options);
    docket_status status = docket_graph_validate(graph, error);
    docket_graph_free(graph);
    return status;
}

static docket_status other_text(docket_ctx *ctx, Left *out, const IS *in)
{
    (void)ctx;
    out->value.original = in->value;
    return DOCKET_OK;
}
DOCKET_STEP(other_text, Left, IS);

static void f_35_every_mistake_is_reported_by_validation(void **state)
{
    (void)state;
    docket_error error;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = "count_letters"};
    assert_status(DOCKET_DUPLICATE, validate_with("g", &make_letters_step, NULL, &error));
    assert_contains(error.message, "already makes");
    assert_status(DOCKET_DUPLICATE, validate_with("g", &other_text_step, &options, &error));
    assert_contains(error.message, "two steps have the name");
    options.name = "a\nb";
    assert_status(DOCKET_INVALID, validate_with("g", &other_text_step, &options, &error));
    assert_contains(error.message, "name");
    options.name = NULL;
    options.ttl_ms = -1;
    assert_status(DOCKET_INVALID, validate_with("g", &other_text_step, &options, &error));
    assert_contains(error.message, "ttl_ms");
    assert_status(DOCKET_INVALID, validate_with("", &other_text_step, NULL, &error));
    assert_contains(error.message, "the graph's name");

    docket_type imposter = *DOCKET_OF(LC);
    imposter.name = "IS";
    const docket_step_input inputs[] = {{&imposter, 0}};
    docket_step step = other_text_step;
    step.inputs = inputs;
    assert_status(DOCKET_TYPE, validate_with("g", &step, NULL, &error));
    assert_contains(error.message, "two layouts");
    assert_status(DOCKET_INVALID, docket_graph_validate(NULL, &error));
    assert_contains(error.message, "NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_029_an_empty_graph_is_refused),
        cmocka_unit_test(p_030_a_failed_validation_does_not_freeze),
        cmocka_unit_test(p_031_one_step_is_no_cycle),
        cmocka_unit_test(p_032_a_cycle_is_told_with_its_path),
        cmocka_unit_test(p_033_validation_is_idempotent),
        cmocka_unit_test(p_034_the_graph_tells_whether_it_is_frozen),
        cmocka_unit_test(f_35_every_mistake_is_reported_by_validation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
