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
    uint32_t *order; /* steps that are done, each after those that feed it */
    uint32_t done;
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
            walk->order[walk->done++] = top->step;
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

/* Levels: what an expand makes, and what is made of it item by item, is there once per item. One level is all there
 * is, and a step cannot join items of two. */

static docket_status refuse_levels(const docket_graph *graph, uint32_t step, uint32_t expand, uint32_t other,
                                   docket_error *error)
{
    const docket_step_info *info = &graph->steps[step]->info;
    if (info->expand) {
        docket__error_set(
            error, DOCKET_INVALID,
            "step \"%s\" expands, and needs items of step \"%s\", which expands as well: a graph has one "
            "level of items; close the first with an aggregate, or expand in a nested execution",
            info->name, graph->steps[expand]->info.name);
    } else if (info->aggregate && other == DOCKET__NO_STEP) {
        docket__error_set(
            error, DOCKET_INVALID,
            "step \"%s\" takes all items of its first input, and needs one more type that is there once per "
            "item of step \"%s\": its other inputs must be there once",
            info->name, graph->steps[expand]->info.name);
    } else {
        docket__error_set(error, DOCKET_INVALID,
                          "step \"%s\" needs items of the steps \"%s\" and \"%s\": items of two expands cannot be "
                          "joined; close one of them with an aggregate",
                          info->name, graph->steps[other]->info.name, graph->steps[expand]->info.name);
    }
    docket__error_set_step(error, info->name);
    docket__error_set_type(error, info->output->name);
    return DOCKET_INVALID;
}

/* `source`: of each type, the expand step whose items it belongs to, or DOCKET__NO_STEP. */
static docket_status find_level(const docket_graph *graph, uint32_t index, uint32_t *source, docket_error *error)
{
    const docket__graph_step *step = graph->steps[index];
    uint32_t level = DOCKET__NO_STEP;
    for (uint32_t i = 0; i < step->input_count; i++) {
        uint32_t of = source[step->inputs[i]];
        bool closes = (step->info.inputs[i].flags & DOCKET_INPUT_ITEMS) != 0;
        if (of == DOCKET__NO_STEP || closes) {
            continue;
        }
        if (step->info.expand || step->info.aggregate || (level != DOCKET__NO_STEP && level != of)) {
            return refuse_levels(graph, index, of, level, error);
        }
        level = of;
    }
    source[step->output] = step->info.expand ? index : level;
    return DOCKET_OK;
}

static docket_status check_levels(const docket_graph *graph, const uint32_t *order, docket_error *error)
{
    docket_status status = DOCKET_OK;
    uint32_t *source = docket__allocate_array(graph->type_count, sizeof *source);
    if (source == NULL) {
        return docket__error_no_memory(error);
    }
    memset(source, 0xff, graph->type_count * sizeof *source);
    for (uint32_t i = 0; i < graph->step_count && status == DOCKET_OK; i++) {
        status = find_level(graph, order[i], source, error);
    }
    docket__free(source);
    return status;
}

static docket_status check_order(const docket_graph *graph, docket_error *error)
{
    docket_status status = DOCKET_OK;
    search walk = {
        .graph = graph,
        .states = docket__allocate_array(graph->step_count, sizeof *walk.states),
        .stack = docket__allocate_array(graph->step_count, sizeof *walk.stack),
        .order = docket__allocate_array(graph->step_count, sizeof *walk.order),
    };
    if (walk.states == NULL || walk.stack == NULL || walk.order == NULL) {
        status = docket__error_no_memory(error);
    }
    for (uint32_t i = 0; i < graph->step_count && status == DOCKET_OK; i++) {
        uint32_t closing = 0;
        if (walk.states[i] == STEP_UNSEEN && find_cycle_from(&walk, i, &closing)) {
            status = tell_cycle(&walk, closing, error);
        }
    }
    if (status == DOCKET_OK) {
        status = check_levels(graph, walk.order, error);
    }
    docket__free(walk.states);
    docket__free(walk.stack);
    docket__free(walk.order);
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
    docket_status status = check_order(graph, error);
    if (status == DOCKET_OK) {
        docket__graph_list_leaves(graph);
        docket__graph_warn_effects(graph);
        atomic_store_explicit(&graph->frozen, true, memory_order_release);
    }
    return status;
}

bool docket_graph_is_frozen(const docket_graph *graph)
{
    return graph != NULL && atomic_load_explicit(&graph->frozen, memory_order_acquire);
}
