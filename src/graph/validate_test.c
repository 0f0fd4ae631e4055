#include "graph/graph.h"

#include "support/check.h"
#include "support/letters.h"
#include "support/numbers.h"

#include <docket/testing.h>

static docket_status validate_numbers(const numbers *all, size_t first, docket_error *error)
{
    docket_graph *graph = docket_graph_new("numbers", NULL);
    assert_status(DOCKET_OK, numbers_add(all, first, graph, NULL));
    docket_status status = docket_graph_validate(graph, error);
    assert_int_equal(docket_graph_is_frozen(graph), status == DOCKET_OK);
    docket_graph_free(graph);
    return status;
}

static void test_the_path_follows_the_values(void **state)
{
    (void)state;
    numbers all = numbers_chain(5);
    docket_error error;
    numbers_join(&all, 3, 1);
    assert_status(DOCKET_CYCLE, validate_numbers(&all, 1, &error));
    assert_string_equal(error.message, "the steps form a cycle: n1 -> n2 -> n3 -> n1");
    assert_string_equal(error.type, "n1");
    assert_string_equal(error.step, "n1");
    numbers_free(&all);
}

static void test_a_cycle_far_from_the_first_step_is_found(void **state)
{
    (void)state;
    numbers all = numbers_chain(1000);
    docket_error error;
    numbers_join(&all, 999, 998);
    assert_status(DOCKET_CYCLE, validate_numbers(&all, 0, &error));
    assert_string_equal(error.message, "the steps form a cycle: n998 -> n999 -> n998");
    numbers_free(&all);
}

static void test_diamonds_are_no_cycles(void **state)
{
    (void)state;
    numbers all = numbers_new(60);
    for (size_t i = 2; i < 60; i++) {
        numbers_join(&all, i - 1, i);
        numbers_join(&all, i - 2, i);
    }
    assert_status(DOCKET_OK, validate_numbers(&all, 0, NULL));
    numbers_free(&all);
}

static void test_a_long_cycle_is_told_in_part(void **state)
{
    (void)state;
    enum { LARGE = 20000 };
    numbers all = numbers_chain(LARGE);
    docket_error error;
    numbers_join(&all, LARGE - 1, 0);
    assert_status(DOCKET_CYCLE, validate_numbers(&all, 0, &error));
    assert_contains(error.message, "cycle: n0 -> n1 -> n2 -> ");
    assert_contains(error.message, " more) -> n0");
    assert_true(strlen(error.message) < sizeof error.message - 1);
    numbers_free(&all);
}

static void test_long_names_on_a_cycle_fit(void **state)
{
    (void)state;
    char names[3][256];
    numbers all = numbers_chain(3);
    for (size_t i = 0; i < 3; i++) {
        memset(names[i], 'a' + (int)i, 255);
        names[i][255] = '\0';
        all.types[i].name = names[i];
    }
    numbers_join(&all, 2, 0);
    docket_error error;
    assert_status(DOCKET_CYCLE, validate_numbers(&all, 0, &error));
    assert_contains(error.message, "aaaa -> ... (2 more) -> aaaa");
    assert_true(strlen(error.message) < sizeof error.message - 1);
    numbers_free(&all);
}

static void ignore(void *arg, const docket_event *event)
{
    (void)arg;
    (void)event;
}

/* Builds, validates, plans and draws a graph; true if every call succeeded. */
static bool use_whole_api(void)
{
    const docket_observer observers[] = {{ignore, NULL}};
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = "ns", .observers = observers,
                                          .observer_count = 1};
    docket_graph *graph = docket_graph_new("test", &options);
    const docket_step_info **steps = NULL;
    size_t count = 0;
    docket_error error;
    IS value = {"text"};
    if (graph == NULL) {
        return false;
    }
    bool done = docket_graph_add(graph, &count_letters_step, NULL) == DOCKET_OK;
    done = docket_graph_provide(graph, DOCKET_IN(IS, &value)) == DOCKET_OK && done;
    docket_status status = docket_graph_validate(graph, &error);
    assert_int_equal(status, done ? error.status : graph->first_error.status);
    done = status == DOCKET_OK && docket_graph_plan(graph, DOCKET_OF(LC), &steps, &count, &error) == DOCKET_OK;
    assert_int_equal(count, done ? 1 : 0);
    docket_free(steps);
    char *dot = docket_graph_dot(graph);
    char *mermaid = docket_graph_mermaid(graph);
    done = done && dot != NULL && mermaid != NULL;
    docket_free(dot);
    docket_free(mermaid);
    docket_graph_free(graph);
    return done;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool done = false;
    size_t failing = 0;
    use_whole_api();
    while (!done) {
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, ++failing);
        done = use_whole_api();
        docket_test_memory_stop();
        assert_int_equal(docket_test_memory_read().live, 0);
        assert_true(done == (docket_test_memory_read().requests < failing));
    }
    assert_true(failing > 15);
}

static void test_a_graph_survives_exhausted_memory(void **state)
{
    (void)state;
    numbers all = numbers_chain(40);
    for (size_t failing = 1; failing < 200; failing++) {
        docket_graph *graph = docket_graph_new("numbers", NULL);
        docket_error error = DOCKET_ERROR_INIT;
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, failing);
        docket_status added = numbers_add(&all, 1, graph, NULL);
        docket_status status = docket_graph_validate(graph, &error);
        docket_test_memory_permit();
        if (added != DOCKET_OK) {
            assert_status(DOCKET_NO_MEMORY, added);
            assert_status(DOCKET_NO_MEMORY, status);
            assert_contains(error.message, "memory");
            assert_int_equal(docket_graph_step_count(graph), 38);
        } else {
            assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
            assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
        }
        docket_graph_free(graph);
        docket_test_memory_stop();
    }
    numbers_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_path_follows_the_values),
        cmocka_unit_test(test_a_cycle_far_from_the_first_step_is_found),
        cmocka_unit_test(test_diamonds_are_no_cycles),
        cmocka_unit_test(test_a_long_cycle_is_told_in_part),
        cmocka_unit_test(test_long_names_on_a_cycle_fit),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_graph_survives_exhausted_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
