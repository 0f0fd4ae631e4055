#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"
#include "graph/build.h"

#include <stdio.h>
#include <string.h>

/* A walk over all steps in search of a cycle: Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972. */
enum { STEP_UNSEEN = 0, STEP_OPEN, STEP_DONE };

typedef struct search {
    const docket_graph *graph;
    uint8_t *states;            /* of each step */
    docket__graph_frame *stack; /* the open steps, each an input's producer of the one before */
    uint32_t depth;
} search;

static void open_step(search *walk, uint32_t step)
{
    walk->states[step] = STEP_OPEN;
    walk->stack[walk->depth++] = (docket__graph_frame){step, 0};
}

/* Whether a cycle can be reached from `root`; `*closing` is then an open step that the topmost open step needs. */
static bool find_cycle_from(search *walk, uint32_t root, uint32_t *closing)
{
    open_step(walk, root);
    while (walk->depth > 0) {
        docket__graph_frame *top = &walk->stack[walk->depth - 1];
        const docket__graph_step *step = walk->graph->steps[top->step];
        if (top->next == step->input_count) {
            walk->states[top->step] = STEP_DONE;
            walk->depth--;
            continue;
        }
        uint32_t producer = walk->graph->types[step->inputs[top->next++]].producer;
        if (producer == DOCKET__NO_STEP || walk->states[producer] == STEP_DONE) {
            continue;
        }
        if (walk->states[producer] == STEP_OPEN) {
            *closing = producer;
            return true;
        }
        open_step(walk, producer);
    }
    return false;
}

static const char *output_name(const search *walk, uint32_t step)
{
    return walk->graph->steps[step]->info.output->name;
}

/* Writes the types on the cycle, in the direction in which values flow: from the closing step's output through the
 * stack from its top down to the closing step again. What does not fit is counted. */
static void write_path(const search *walk, uint32_t closing, char *path, size_t capacity)
{
    size_t room = capacity - 256 - sizeof " -> ... (4294967295 more) -> ";
    size_t used = (size_t)snprintf(path, capacity, "%s", output_name(walk, closing));
    uint32_t i = walk->depth - 1;
    for (; walk->stack[i].step != closing; i--) {
        const char *name = output_name(walk, walk->stack[i].step);
        if (used + strlen(" -> ") + strlen(name) > room) {
            break;
        }
        used += (size_t)snprintf(path + used, capacity - used, " -> %s", name);
    }
    uint32_t left_out = 0;
    for (; walk->stack[i].step != closing; i--) {
        left_out++;
    }
    if (left_out > 0) {
        used += (size_t)snprintf(path + used, capacity - used, " -> ... (%u more)", left_out);
    }
    snprintf(path + used, capacity - used, " -> %s", output_name(walk, closing));
}

static docket_status tell_cycle(const search *walk, uint32_t closing, docket_error *error)
{
    char path[720];
    write_path(walk, closing, path, sizeof path);
    docket__error_set(error, DOCKET_CYCLE, "the steps form a cycle: %s", path);
    docket__error_set_step(error, walk->graph->steps[closing]->info.name);
    docket__error_set_type(error, output_name(walk, closing));
    return DOCKET_CYCLE;
}

static docket_status check_cycles(const docket_graph *graph, docket_error *error)
{
    docket_status status = DOCKET_OK;
    search walk = {
        .graph = graph,
        .states = docket__allocate_array(graph->step_count, sizeof *walk.states),
        .stack = docket__allocate_array(graph->step_count, sizeof *walk.stack),
    };
    if (walk.states == NULL || walk.stack == NULL) {
        status = docket__error_no_memory(error);
    }
    for (uint32_t i = 0; i < graph->step_count && status == DOCKET_OK; i++) {
        uint32_t closing = 0;
        if (walk.states[i] == STEP_UNSEEN && find_cycle_from(&walk, i, &closing)) {
            status = tell_cycle(&walk, closing, error);
        }
    }
    docket__free(walk.states);
    docket__free(walk.stack);
    return status;
}

docket_status docket_graph_validate(docket_graph *graph, docket_error *error)
{
    docket__error_clear(error);
    if (graph == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_graph_validate: the graph is NULL");
    }
    if (graph->fork_generation != docket__fork_generation()) {
        return docket__error_set(error, DOCKET_FORKED, "the graph was made before fork: make one in the child");
    }
    if (docket_graph_is_frozen(graph)) {
        return DOCKET_OK;
    }
    if (graph->first_error.status != DOCKET_OK) {
        docket__error_copy(error, &graph->first_error);
        return graph->first_error.status;
    }
    if (graph->step_count == 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the graph has no registered steps: add some with docket_graph_add");
    }
    docket_status status = check_cycles(graph, error);
    if (status == DOCKET_OK) {
        docket__graph_list_leaves(graph);
        atomic_store_explicit(&graph->frozen, true, memory_order_release);
    }
    return status;
}

bool docket_graph_is_frozen(const docket_graph *graph)
{
    return graph != NULL && atomic_load_explicit(&graph->frozen, memory_order_acquire);
}
