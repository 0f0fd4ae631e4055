/* Looking at graphs: P-035 to P-043, N-01 to N-03, E-09. */
#include "support/check.h"
#include "support/letters.h"

DOCKET_STRUCT(UserID, (STRING, id));
DOCKET_STRUCT(UserProfile, (STRING, id), (STRING, name));
DOCKET_STRUCT(UserOrders, (STRING, id), (INT32, order_count));
DOCKET_STRUCT(UserPreferences, (STRING, id), (STRING, theme));
DOCKET_STRUCT(EnrichedUser, (STRING, name), (INT32, order_count), (STRING, theme));

static docket_status fetch_profile(docket_ctx *ctx, UserProfile *out, const UserID *user)
{
    (void)ctx;
    out->id = user->id;
    return DOCKET_OK;
}
DOCKET_STEP(fetch_profile, UserProfile, UserID);

static docket_status fetch_orders(docket_ctx *ctx, UserOrders *out, const UserID *user)
{
    (void)ctx;
    out->id = user->id;
    return DOCKET_OK;
}
DOCKET_STEP(fetch_orders, UserOrders, UserID);

static docket_status fetch_preferences(docket_ctx *ctx, UserPreferences *out, const UserID *user)
{
    (void)ctx;
    out->id = user->id;
    return DOCKET_OK;
}
DOCKET_STEP(fetch_preferences, UserPreferences, UserID);

static docket_status enrich(docket_ctx *ctx, EnrichedUser *out, const UserProfile *profile,
                            const UserOrders *orders, const UserPreferences *preferences)
{
    (void)ctx;
    out->name = profile->name;
    out->order_count = orders->order_count;
    out->theme = preferences->theme;
    return DOCKET_OK;
}
DOCKET_STEP(enrich, EnrichedUser, UserProfile, UserOrders, UserPreferences);

static docket_graph *new_graph(const docket_step *step, const char *name)
{
    docket_graph *graph = docket_graph_new("letters", NULL);
    assert_non_null(graph);
    assert_status(DOCKET_OK,
                  docket_graph_add(graph, step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = name}));
    return graph;
}

/* Four steps, registered in another order than they run in. */
static docket_graph *new_user_graph(void)
{
    docket_graph *graph = docket_graph_new("users", NULL);
    assert_status(
        DOCKET_OK,
        docket_graph_add_all(graph, NULL, DOCKET_STEPS(enrich, fetch_orders, fetch_profile, fetch_preferences)));
    return graph;
}

static void assert_plan(docket_graph *graph, const docket_type *output, const char *const *names, size_t count)
{
    const docket_step_info **steps = NULL;
    size_t step_count = 99;
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_plan(graph, output, &steps, &step_count, &error));
    assert_int_equal(step_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(steps[i]->name, names[i]);
    }
    docket_free(steps);
}

static void p_035_no_plan_before_validation(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, NULL);
    const docket_step_info **steps = (const docket_step_info **)&graph;
    size_t count = 7;
    docket_error error;
    assert_status(DOCKET_STATE, docket_graph_plan(graph, DOCKET_OF(LC), &steps, &count, &error));
    assert_contains(error.message, "validated");
    assert_null(steps);
    assert_int_equal(count, 0);
    docket_graph_free(graph);
}

static void p_036_plan_of_one_step(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, "CountLetters");
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_plan(graph, DOCKET_OF(LC), (const char *const[]){"CountLetters"}, 1);
    docket_graph_free(graph);
}

static void p_037_plan_for_a_leaf_is_empty(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, NULL);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_plan(graph, DOCKET_OF(IS), NULL, 0);
    assert_plan(graph, DOCKET_OF(UserID), NULL, 0);
    docket_graph_free(graph);
}

static void p_038_steps_are_listed_before_validation(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, "Step1");
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_string_equal(docket_graph_step(graph, 0)->name, "Step1");
    assert_null(docket_graph_step(graph, 1));
    docket_graph_free(graph);
}

static void p_039_a_step_tells_its_dependencies(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, "Step1");
    const docket_step_info *info = docket_graph_step(graph, 0);
    assert_int_equal(info->input_count, 1);
    assert_string_equal(info->inputs[0].type->name, "IS");
    assert_string_equal(info->output->name, "LC");
    docket_graph_free(graph);
}

/* The list is constant; what a caller hands over for a name is copied. */
static void p_040_nobody_reaches_the_graph_through_its_list(void **state)
{
    (void)state;
    char name[] = "Step1";
    docket_graph *graph = new_graph(&count_letters_step, name);
    docket_step_info copy = *docket_graph_step(graph, 0);
    name[0] = 'X';
    copy.name = "overwritten";
    copy.inputs = NULL;
    assert_ptr_not_equal(&copy, docket_graph_step(graph, 0));
    const docket_step_info *info = docket_graph_step(graph, 0);
    assert_string_equal(info->name, "Step1");
    assert_string_equal(info->inputs[0].type->name, "IS");
    docket_graph_free(graph);
}

static void p_041_leaves_are_the_types_no_step_makes(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&count_letters_step, NULL);
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    assert_string_equal(docket_graph_leaf(graph, 0)->name, "IS");
    assert_null(docket_graph_leaf(graph, 1));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    docket_graph_free(graph);
}

static void p_042_no_inputs_no_leaves(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&make_letters_step, NULL);
    assert_int_equal(docket_graph_leaf_count(graph), 0);
    assert_null(docket_graph_leaf(graph, 0));
    docket_graph_free(graph);
}

static void p_043_a_profile_step_and_its_leaf(void **state)
{
    (void)state;
    docket_graph *graph = new_graph(&fetch_profile_step, "ProfileStep");
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_string_equal(docket_graph_step(graph, 0)->name, "ProfileStep");
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    assert_ptr_equal(docket_graph_leaf(graph, 0), DOCKET_OF(UserID));
    docket_graph_free(graph);
}

static const char *const enriched_plan[] = {"fetch_profile", "fetch_orders", "fetch_preferences", "enrich"};

static void n_01_a_plan_holds_only_what_is_needed(void **state)
{
    (void)state;
    docket_graph *graph = new_user_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_plan(graph, DOCKET_OF(UserProfile), (const char *const[]){"fetch_profile"}, 1);
    assert_plan(graph, DOCKET_OF(EnrichedUser), enriched_plan, 4);
    docket_graph_free(graph);
}

static void n_02_dependencies_come_first_in_declared_order(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        docket_graph *graph = new_user_graph();
        assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
        assert_plan(graph, DOCKET_OF(EnrichedUser), enriched_plan, 4);
        docket_graph_free(graph);
    }
}

static void n_03_steps_are_listed_in_the_order_of_registration(void **state)
{
    (void)state;
    const char *const names[] = {"enrich", "fetch_orders", "fetch_profile", "fetch_preferences", "count_letters"};
    docket_graph *graph = new_user_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_int_equal(docket_graph_step_count(graph), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(docket_graph_step(graph, i)->name, names[i]);
    }
    assert_int_equal(docket_graph_leaf_count(graph), 2);
    assert_string_equal(docket_graph_leaf(graph, 0)->name, "UserID");
    assert_string_equal(docket_graph_leaf(graph, 1)->name, "IS");
    docket_graph_free(graph);
}

static void e_09_the_picture_is_drawn_from_the_graph(void **state)
{
    (void)state;
    docket_graph *graph = new_user_graph();
    char *dot = docket_graph_dot(graph);
    char *mermaid = docket_graph_mermaid(graph);
    for (size_t i = 0; i < docket_graph_step_count(graph); i++) {
        assert_contains(dot, docket_graph_step(graph, i)->name);
        assert_contains(dot, docket_graph_step(graph, i)->output->name);
        assert_contains(mermaid, docket_graph_step(graph, i)->name);
        assert_contains(mermaid, docket_graph_step(graph, i)->output->name);
    }
    assert_contains(dot, "UserID");
    assert_contains(mermaid, "UserID");
    docket_free(dot);
    docket_free(mermaid);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_035_no_plan_before_validation),
        cmocka_unit_test(p_036_plan_of_one_step),
        cmocka_unit_test(p_037_plan_for_a_leaf_is_empty),
        cmocka_unit_test(p_038_steps_are_listed_before_validation),
        cmocka_unit_test(p_039_a_step_tells_its_dependencies),
        cmocka_unit_test(p_040_nobody_reaches_the_graph_through_its_list),
        cmocka_unit_test(p_041_leaves_are_the_types_no_step_makes),
        cmocka_unit_test(p_042_no_inputs_no_leaves),
        cmocka_unit_test(p_043_a_profile_step_and_its_leaf),
        cmocka_unit_test(n_01_a_plan_holds_only_what_is_needed),
        cmocka_unit_test(n_02_dependencies_come_first_in_declared_order),
        cmocka_unit_test(n_03_steps_are_listed_in_the_order_of_registration),
        cmocka_unit_test(e_09_the_picture_is_drawn_from_the_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
