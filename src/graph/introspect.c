#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"
#include "graph/build.h"

size_t docket_graph_step_count(const docket_graph *graph)
{
    return graph != NULL ? graph->step_count : 0;
}

const docket_step_info *docket_graph_step(const docket_graph *graph, size_t index)
{
    return index < docket_graph_step_count(graph) ? &graph->steps[index]->info : NULL;
}

/* Listing late changes a graph only before it is frozen, while it belongs to one thread. */
size_t docket_graph_leaf_count(const docket_graph *graph)
{
    if (graph == NULL) {
        return 0;
    }
    docket__graph_list_leaves((docket_graph *)(uintptr_t)graph);
    return graph->leaf_count;
}

const docket_type *docket_graph_leaf(const docket_graph *graph, size_t index)
{
    return index < docket_graph_leaf_count(graph) ? graph->types[graph->leaves[index]].type : NULL;
}

static docket_status list_plan(const docket__plan *plan, const docket_step_info ***steps, size_t *count,
                               docket_error *error)
{
    if (plan->node_count == 0) {
        return DOCKET_OK;
    }
    const docket_step_info **list = docket__allocate_array(plan->node_count, sizeof *list);
    if (list == NULL) {
        return docket__error_no_memory(error);
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        list[i] = &plan->nodes[plan->order[i]].step->info;
    }
    *steps = list;
    *count = plan->node_count;
    return DOCKET_OK;
}

static docket_status check_plannable(const docket_graph *graph, docket_error *error)
{
    if (graph->fork_generation != docket__fork_generation()) {
        return docket__error_set(error, DOCKET_FORKED, "the graph was made before fork: make one in the child");
    }
    if (!docket_graph_is_frozen(graph)) {
        return docket__error_set(error, DOCKET_STATE,
                                 "the graph was not validated: call docket_graph_validate first");
    }
    return DOCKET_OK;
}

docket_status docket_graph_plan(docket_graph *graph, const docket_type *output, const docket_step_info ***steps,
                                size_t *count, docket_error *error)
{
    if (steps != NULL && count != NULL) {
        *steps = NULL;
        *count = 0;
    }
    docket__error_clear(error);
    if (graph == NULL || output == NULL || steps == NULL || count == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_graph_plan: the %s is NULL",
                                 graph == NULL    ? "graph"
                                 : output == NULL ? "output type"
                                                  : "place for the result");
    }
    docket_status status = check_plannable(graph, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket_error trouble = DOCKET_ERROR_INIT;
    uint32_t wanted = docket__graph_find_type(graph, output, &trouble);
    if (wanted == UINT32_MAX) {
        docket__error_copy(error, &trouble);
        return trouble.status;
    }
    const docket__plan *plan = NULL;
    const docket__demand demand = {.outputs = &wanted, .output_count = 1};
    status = docket__graph_plan_for(graph, &demand, &plan, error);
    if (status == DOCKET_OK) {
        status = list_plan(plan, steps, count, error);
        docket__plan_release(plan);
    }
    return status;
}
