#include "graph/graph.h"

#include "support/check.h"
#include "support/numbers.h"

#include <stdio.h>

enum { LARGE = 100000, WIDE = 20000 };

static docket_graph *frozen_graph(const numbers *all, size_t first)
{
    docket_graph *graph = docket_graph_new("numbers", NULL);
    assert_non_null(graph);
    assert_status(DOCKET_OK, numbers_add(all, first, graph, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static uint32_t type_index(const docket_graph *graph, const numbers *all, size_t i)
{
    docket_error error;
    return docket__graph_find_type(graph, &all->types[i], &error);
}

/* The plan for one type, with up to four given ones (ended by SIZE_MAX). */
static const docket__plan *plan_for(docket_graph *graph, const numbers *all, size_t output, const size_t *given)
{
    uint32_t wanted = type_index(graph, all, output);
    uint32_t given_types[4];
    uint32_t count = 0;
    for (; given != NULL && given[count] != SIZE_MAX; count++) {
        given_types[count] = type_index(graph, all, given[count]);
    }
    const docket__plan *plan = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket__graph_plan_for(
                                 graph, &(docket__demand){&wanted, 1, given_types, count, NULL, 0}, &plan, &error));
    assert_non_null(plan);
    return plan;
}

static void assert_order(const docket__plan *plan, const char *order)
{
    char names[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? " " : "",
                                 plan->nodes[i].step->info.name);
    }
    assert_string_equal(names, order);
}

/* What every plan must be, whatever its shape. */
static void assert_sound(const docket__plan *plan)
{
    size_t edges = 0;
    uint32_t roots = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const docket__plan_node *node = &plan->nodes[i];
        assert_int_equal(plan->slots[node->slot].producer, i);
        for (size_t k = 0; k < node->step->info.input_count; k++) {
            uint32_t producer = plan->slots[node->inputs[k]].producer;
            assert_true(producer == DOCKET__NO_STEP || producer < i);
        }
        for (uint32_t k = 0; k < node->dependent_count; k++) {
            assert_true(node->dependents[k] > (k > 0 ? node->dependents[k - 1] : i));
        }
        edges += node->dependent_count;
        if (node->pending == 0) {
            assert_int_equal(plan->roots[roots++], i);
        }
        edges -= node->pending;
    }
    assert_int_equal(edges, 0);
    assert_int_equal(roots, plan->root_count);
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        assert_int_equal(docket__plan_slot_of(plan, plan->slots[i].type), i);
    }
}

/* n0 leaf; n1 and n2 from n0; n3 from n2 and n1; n4 from n3 twice and n1. */
static numbers make_diamond(void)
{
    numbers all = numbers_new(5);
    numbers_join(&all, 0, 1);
    numbers_join(&all, 0, 2);
    numbers_join(&all, 2, 3);
    numbers_join(&all, 1, 3);
    numbers_join(&all, 3, 4);
    numbers_join(&all, 3, 4);
    numbers_join(&all, 1, 4);
    return all;
}

static void test_order_is_depth_first_in_declared_order(void **state)
{
    (void)state;
    numbers all = make_diamond();
    docket_graph *graph = frozen_graph(&all, 1);
    const docket__plan *plan = plan_for(graph, &all, 4, NULL);
    assert_order(plan, "n2 n1 n3 n4");
    assert_sound(plan);
    assert_int_equal(plan->slot_count, 5);
    assert_int_equal(plan->root_count, 2);
    assert_int_equal(plan->nodes[3].pending, 2);
    assert_int_equal(plan->nodes[1].dependent_count, 2);
    assert_int_equal(plan->nodes[2].dependent_count, 1);
    assert_int_equal(plan->slots[plan->output_slots[0]].producer, 3);
    assert_order(plan_for(graph, &all, 2, NULL), "n2");
    assert_order(plan_for(graph, &all, 0, NULL), "");
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_given_values_cut_the_plan(void **state)
{
    (void)state;
    numbers all = make_diamond();
    docket_graph *graph = frozen_graph(&all, 1);
    const docket__plan *cut = plan_for(graph, &all, 4, (size_t[]){3, 0, SIZE_MAX});
    assert_order(cut, "n1 n4");
    assert_sound(cut);
    assert_int_equal(cut->override_count, 1);
    assert_int_equal(cut->slots[docket__plan_slot_of(cut, type_index(graph, &all, 3))].producer, DOCKET__NO_STEP);
    assert_int_equal(docket__plan_slot_of(cut, type_index(graph, &all, 2)), UINT32_MAX);
    assert_order(plan_for(graph, &all, 4, (size_t[]){4, SIZE_MAX}), "");
    assert_ptr_equal(plan_for(graph, &all, 4, (size_t[]){3, 3, SIZE_MAX}), cut);
    assert_ptr_equal(plan_for(graph, &all, 4, (size_t[]){0, SIZE_MAX}), plan_for(graph, &all, 4, NULL));
    assert_ptr_equal(plan_for(graph, &all, 4, (size_t[]){1, 3, SIZE_MAX}),
                     plan_for(graph, &all, 4, (size_t[]){3, 1, SIZE_MAX}));
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_provided_values_cut_the_plan(void **state)
{
    (void)state;
    numbers all = make_diamond();
    docket_graph *graph = docket_graph_new("numbers", NULL);
    int64_t value = 5;
    assert_status(DOCKET_OK, numbers_add(&all, 1, graph, NULL));
    assert_status(DOCKET_OK, docket_graph_provide(graph, (docket_input){.type = &all.types[3], .value = &value}));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    const docket__plan *cut = plan_for(graph, &all, 4, NULL);
    assert_order(cut, "n1 n4");
    assert_ptr_equal(plan_for(graph, &all, 4, (size_t[]){3, SIZE_MAX}), cut);
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_several_outputs_share_their_steps(void **state)
{
    (void)state;
    numbers all = make_diamond();
    docket_graph *graph = frozen_graph(&all, 1);
    uint32_t wanted[] = {type_index(graph, &all, 1), type_index(graph, &all, 3), type_index(graph, &all, 1),
                         type_index(graph, &all, 0)};
    const docket__plan *plan = NULL;
    assert_status(DOCKET_OK, docket__graph_plan_for(graph, &(docket__demand){.outputs = wanted, .output_count = 4},
                                                    &plan, NULL));
    assert_order(plan, "n1 n2 n3");
    assert_sound(plan);
    assert_int_equal(plan->output_slots[0], plan->output_slots[2]);
    assert_int_equal(plan->slots[plan->output_slots[3]].producer, DOCKET__NO_STEP);
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_values_are_aligned_and_apart(void **state)
{
    (void)state;
    numbers all = numbers_chain(4);
    all.types[0].size = 3, all.types[0].alignment = 1;
    all.types[1].size = 64, all.types[1].alignment = 64;
    all.types[2].size = 17, all.types[2].alignment = 0;
    static const docket_field byte = {1, DOCKET_KIND_BOOL, DOCKET_LABEL_ONE, "value", 0, 0, 0, NULL, NULL, 0};
    static const docket_schema bytes = {&byte, 1};
    all.types[0].schema = all.types[1].schema = all.types[2].schema = &bytes;
    docket_graph *graph = frozen_graph(&all, 1);
    const docket__plan *plan = plan_for(graph, &all, 3, NULL);
    size_t end = 0;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const docket_type *type = graph->types[plan->slots[i].type].type;
        size_t alignment = type->alignment != 0 ? type->alignment : 16;
        assert_int_equal(plan->slots[i].offset % alignment, 0);
        assert_true(plan->slots[i].offset >= end);
        end = plan->slots[i].offset + type->size;
    }
    assert_int_equal(plan->values_size, end);
    assert_int_equal(plan->values_alignment, 64);
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_recorded_steps_are_counted(void **state)
{
    (void)state;
    docket_store *store = NULL;
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", NULL, NULL));
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store};
    numbers all = numbers_chain(4);
    docket_graph *graph = docket_graph_new("numbers", NULL);
    for (size_t i = 1; i < 4; i++) {
        options.scope = (docket_scope)(i - 1);
        assert_status(DOCKET_OK, docket_graph_add(graph, &all.steps[i], &options));
    }
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    const docket__plan *plan = plan_for(graph, &all, 3, NULL);
    assert_int_equal(plan->recorded_count, 2);
    assert_true(plan->has_workflow);
    assert_int_equal(plan_for(graph, &all, 1, NULL)->recorded_count, 0);
    assert_false(plan_for(graph, &all, 1, NULL)->has_workflow);
    docket_graph_free(graph);
    docket_store_close(store);
    numbers_free(&all);
}

static void test_plans_beyond_the_kept_ones_are_the_askers(void **state)
{
    (void)state;
    size_t count = DOCKET__PLANS_KEPT + 50;
    numbers all = numbers_chain(count);
    docket_graph *graph = frozen_graph(&all, 1);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            const docket__plan *plan = plan_for(graph, &all, i, NULL);
            assert_int_equal(plan->node_count, i);
            assert_int_equal(plan->kept, i < DOCKET__PLANS_KEPT);
            docket__plan_release(plan);
        }
    }
    assert_int_equal(graph->plan_count, DOCKET__PLANS_KEPT);
    docket__plan_release(NULL);
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_many_given_values(void **state)
{
    (void)state;
    numbers all = numbers_chain(300);
    docket_graph *graph = frozen_graph(&all, 1);
    uint32_t given[300];
    for (uint32_t i = 0; i < 299; i++) {
        given[i] = type_index(graph, &all, 298 - i);
    }
    uint32_t wanted = type_index(graph, &all, 299);
    const docket__plan *plan = NULL;
    assert_status(DOCKET_OK,
                  docket__graph_plan_for(graph, &(docket__demand){&wanted, 1, given, 299, NULL, 0}, &plan, NULL));
    assert_order(plan, "n299");
    assert_int_equal(plan->override_count, 298);
    docket_graph_free(graph);
    numbers_free(&all);
}

typedef struct asker {
    docket_graph *graph;
    const numbers *all;
    pthread_barrier_t *together;
    const docket__plan *plans[20];
} asker;

static void *ask(void *arg)
{
    asker *self = arg;
    pthread_barrier_wait(self->together);
    for (size_t i = 0; i < 20; i++) {
        docket_error error;
        uint32_t wanted = docket__graph_find_type(self->graph, &self->all->types[i], &error);
        if (docket__graph_plan_for(self->graph, &(docket__demand){.outputs = &wanted, .output_count = 1},
                                   &self->plans[i], &error) != DOCKET_OK) {
            self->plans[i] = NULL;
        }
    }
    return NULL;
}

static void test_threads_share_one_plan(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    numbers all = numbers_chain(20);
    docket_graph *graph = frozen_graph(&all, 1);
    pthread_barrier_t together;
    pthread_t threads[THREADS];
    asker askers[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        askers[i] = (asker){.graph = graph, .all = &all, .together = &together};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
    for (int i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < 20; k++) {
            assert_non_null(askers[i].plans[k]);
            assert_ptr_equal(askers[i].plans[k], askers[0].plans[k]);
        }
    }
    assert_int_equal(graph->plan_count, 20);
    docket_graph_free(graph);
    numbers_free(&all);
}

/* A stack that grew with the chain would overflow here. */
static void test_a_long_chain(void **state)
{
    (void)state;
    numbers all = numbers_chain(LARGE);
    docket_graph *graph = frozen_graph(&all, 1);
    const docket__plan *plan = plan_for(graph, &all, LARGE - 1, NULL);
    assert_int_equal(plan->node_count, LARGE - 1);
    assert_string_equal(plan->nodes[0].step->info.name, "n1");
    assert_int_equal(plan->root_count, 1);
    assert_sound(plan);
    docket_graph_free(graph);
    numbers_free(&all);
}

/* Consumers before producers, and eight inputs each: many types are leaves for a while. */
static void test_a_large_graph_added_backwards(void **state)
{
    (void)state;
    numbers all = numbers_new(WIDE);
    for (size_t i = 1; i < WIDE; i++) {
        for (size_t k = 1; k <= DOCKET_MAX_INPUTS && k <= i; k++) {
            numbers_join(&all, i - k, i);
        }
    }
    docket_graph *graph = docket_graph_new("numbers", NULL);
    for (size_t i = WIDE; i-- > 1;) {
        assert_status(DOCKET_OK, docket_graph_add(graph, &all.steps[i], NULL));
    }
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    assert_ptr_equal(docket_graph_leaf(graph, 0), &all.types[0]);
    const docket__plan *plan = plan_for(graph, &all, WIDE - 1, NULL);
    assert_int_equal(plan->node_count, WIDE - 1);
    assert_sound(plan);
    docket_graph_free(graph);
    numbers_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_depth_first_in_declared_order),
        cmocka_unit_test(test_given_values_cut_the_plan),
        cmocka_unit_test(test_provided_values_cut_the_plan),
        cmocka_unit_test(test_several_outputs_share_their_steps),
        cmocka_unit_test(test_values_are_aligned_and_apart),
        cmocka_unit_test(test_recorded_steps_are_counted),
        cmocka_unit_test(test_plans_beyond_the_kept_ones_are_the_askers),
        cmocka_unit_test(test_many_given_values),
        cmocka_unit_test(test_threads_share_one_plan),
        cmocka_unit_test(test_a_long_chain),
        cmocka_unit_test(test_a_large_graph_added_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
