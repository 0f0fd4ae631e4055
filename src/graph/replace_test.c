/* A fake in the place of a registered step. */
#include "support/run.h"

#include "support/check.h"

static docket_status count_nothing(docket_ctx *ctx, LC *out, const IS *in)
{
    int *runs = docket_ctx_user(ctx);
    ++*runs;
    out->count = -1;
    out->original = in->value;
    return DOCKET_OK;
}
DOCKET_STEP_VERSIONED(count_nothing, 7, LC, IS);

DOCKET_STRUCT(Other, (INT32, value));

static docket_status make_another(docket_ctx *ctx, Other *out, const IS *in)
{
    (void)ctx;
    (void)in;
    out->value = 1;
    return DOCKET_OK;
}
DOCKET_STEP(make_another, Other, IS);

static docket_status count_from_another(docket_ctx *ctx, LC *out, const LC *in)
{
    (void)ctx;
    (void)in;
    out->count = 1;
    return DOCKET_OK;
}
DOCKET_STEP(count_from_another, LC, LC);

static docket_status count_perhaps(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    out->count = in == NULL;
    return DOCKET_OK;
}
DOCKET_STEP(count_perhaps, LC, MAYBE(IS));

static docket_status emit_letters(docket_ctx *ctx, const IS *in)
{
    LC letters = {.original = in->value};
    return docket_emit(ctx, &letters);
}
DOCKET_EXPAND(emit_letters, LC, IS);

static docket_graph *graph_of_letters(letters_user *user)
{
    docket_graph *graph = docket_graph_new("letters", NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = "count", .user = user, .max_attempts = 3};
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, &options));
    return graph;
}

static void test_the_fake_runs_and_the_step_keeps_its_face(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    int runs = 0;
    docket_graph *graph = graph_of_letters(&user);
    assert_status(DOCKET_OK, docket_graph_replace(graph, "count", &count_nothing_step, &runs));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    const docket_step_info *info = docket_graph_step(graph, 0);
    assert_string_equal(info->name, "count");
    assert_int_equal(info->version, 1);
    assert_int_equal(info->max_attempts, 3);
    assert_string_equal(info->file, count_nothing_step.file);
    assert_int_equal(info->line, count_nothing_step.line);
    assert_int_equal(letters_count(graph, NULL, "abc"), -1);
    assert_int_equal(runs, 1);
    assert_int_equal(user.runs, 0);
    docket_graph_free(graph);
}

static void test_the_last_fake_counts_and_keeps_the_pointer(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    int runs = 0;
    docket_graph *graph = graph_of_letters(&user);
    assert_status(DOCKET_OK, docket_graph_replace(graph, "count", &count_nothing_step, &runs));
    assert_status(DOCKET_OK, docket_graph_replace(graph, "count", &count_letters_step, &user));
    assert_status(DOCKET_OK, docket_graph_replace(graph, "count", &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_int_equal(letters_count(graph, NULL, "abc"), 3);
    assert_int_equal(runs, 0);
    assert_int_equal(user.runs, 1);
    docket_graph_free(graph);
}

static void refuse(const char *name, const docket_step *fake, docket_status status, const char *part)
{
    letters_user user = {.runs = 0};
    docket_error error;
    docket_graph *graph = graph_of_letters(&user);
    assert_status(status, docket_graph_replace(graph, name, fake, NULL));
    assert_status(status, docket_graph_replace(graph, name, fake, NULL)); /* when nothing is remembered any more */
    assert_status(status, docket_graph_validate(graph, &error));
    assert_contains(error.message, part);
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    docket_graph_free(graph);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    docket_step without_function = count_nothing_step;
    without_function.call = NULL;
    refuse("count", &make_another_step, DOCKET_TYPE, "has Other as its output, where the step has LC");
    refuse("count", &make_letters_step, DOCKET_TYPE, "has 0 inputs, where the step has 1");
    refuse("count", &count_from_another_step, DOCKET_TYPE, "has LC as its input 1, where the step has IS");
    refuse("count", &count_perhaps_step, DOCKET_TYPE, "has IS (MAYBE) as its input 1");
    refuse("count", &count_all_letters_step, DOCKET_TYPE, "has IS (all items) as its input 1");
    refuse("count", &emit_letters_step, DOCKET_TYPE, "is an expansion, where the step is a plain step");
    refuse("count_letters", &count_nothing_step, DOCKET_MISSING, "graph \"letters\" has no step \"count_letters\"");
    refuse("count", &without_function, DOCKET_INVALID, "the step has no function");
    refuse("count", NULL, DOCKET_INVALID, "the fake is NULL");
    refuse(NULL, &count_nothing_step, DOCKET_INVALID, "the name is NULL");
    assert_status(DOCKET_INVALID, docket_graph_replace(NULL, "count", &count_nothing_step, NULL));
}

static void test_a_frozen_graph_takes_no_fake(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_graph *graph = graph_of_letters(&user);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_status(DOCKET_STATE, docket_graph_replace(graph, "count", &count_nothing_step, NULL));
    assert_int_equal(letters_count(graph, NULL, "abc"), 3);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fake_runs_and_the_step_keeps_its_face),
        cmocka_unit_test(test_the_last_fake_counts_and_keeps_the_pointer),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_frozen_graph_takes_no_fake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
