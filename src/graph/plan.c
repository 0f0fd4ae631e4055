/* Plans: made by one depth-first walk from the outputs to the leaves, then laid out in arrays for the engine.
 *
 * The walk has its own stack, so that a chain of any length fits; it looks at each type and each edge once. A plan is
 * complete and constant before it is published. Readers walk the list without a lock: plans are only ever put in front
 * of it, under `plans_lock`, and stay until the graph is freed. */
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "graph/build.h"
#include "type/codec.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_ALIGNMENT = 16, FEW_GIVEN = 64 };

/* What is asked for. */
typedef struct demand {
    const uint32_t *outputs;
    uint32_t output_count;
    const uint32_t *overrides;
    uint32_t override_count;
    uint64_t identity;
} demand;

static uint64_t identify(const demand *wanted)
{
    uint64_t outputs = docket__hash64(wanted->outputs, wanted->output_count * sizeof(uint32_t));
    uint64_t overrides = docket__hash64(wanted->overrides, wanted->override_count * sizeof(uint32_t));
    return outputs ^ (overrides << 1 | overrides >> 63);
}

static bool lists_equal(const uint32_t *one, uint32_t one_count, const uint32_t *other, uint32_t other_count)
{
    return one_count == other_count && (one_count == 0 || memcmp(one, other, one_count * sizeof *one) == 0);
}

static const docket__plan *find_plan(docket_graph *graph, const demand *wanted)
{
    const docket__plan *plan = atomic_load_explicit(&graph->plans, memory_order_acquire);
    for (; plan != NULL; plan = plan->next) {
        if (plan->identity == wanted->identity &&
            lists_equal(plan->outputs, plan->output_count, wanted->outputs, wanted->output_count) &&
            lists_equal(plan->overrides, plan->override_count, wanted->overrides, wanted->override_count)) {
            return plan;
        }
    }
    return NULL;
}

/* A walk from the outputs; its memory is scratch. */
typedef struct planner {
    const docket_graph *graph;
    docket_arena scratch;
    bool *given;       /* of each type: a value is at hand */
    uint32_t *slot_of; /* of each type, or UINT32_MAX */
    docket__plan_slot *slots;
    uint32_t slot_count;
    uint32_t *steps; /* of the plan, in its order */
    uint32_t step_count;
    docket__graph_frame *stack; /* each step feeds the one before it; the last is looked at */
    uint32_t depth;
} planner;

#define TAKE_ARRAY(arena, count, T) ((T *)docket__arena_allocate_array((arena), (count), sizeof(T), _Alignof(T)))

static bool begin_walk(planner *walk, const docket_graph *graph, const demand *wanted)
{
    size_t types = graph->type_count;
    size_t steps = graph->step_count;
    *walk = (planner){.graph = graph};
    walk->given = TAKE_ARRAY(&walk->scratch, types, bool);
    walk->slot_of = TAKE_ARRAY(&walk->scratch, types, uint32_t);
    walk->slots = TAKE_ARRAY(&walk->scratch, types, docket__plan_slot);
    walk->steps = TAKE_ARRAY(&walk->scratch, steps, uint32_t);
    walk->stack = TAKE_ARRAY(&walk->scratch, steps, docket__graph_frame);
    if (walk->scratch.failed) {
        return false;
    }
    memset(walk->slot_of, 0xff, types * sizeof *walk->slot_of);
    for (uint32_t i = 0; i < graph->type_count; i++) {
        walk->given[i] = graph->types[i].provided != NULL;
    }
    for (uint32_t i = 0; i < wanted->override_count; i++) {
        walk->given[wanted->overrides[i]] = true;
    }
    return true;
}

static void assign_slot(planner *walk, uint32_t type, uint32_t producer)
{
    walk->slot_of[type] = walk->slot_count;
    walk->slots[walk->slot_count++] = (docket__plan_slot){.type = type, .producer = producer};
}

/* Gives a type its slot at once, unless a step has to be planned first. */
static void reach_type(planner *walk, uint32_t type)
{
    uint32_t producer = walk->graph->types[type].producer;
    if (walk->slot_of[type] != UINT32_MAX) {
        return;
    }
    if (producer == DOCKET__NO_STEP || walk->given[type]) {
        assign_slot(walk, type, DOCKET__NO_STEP);
        return;
    }
    walk->stack[walk->depth++] = (docket__graph_frame){producer, 0};
}

/* The graph has no cycle: a step on the stack is never reached again before it leaves it. */
static void walk_from(planner *walk, uint32_t type)
{
    reach_type(walk, type);
    while (walk->depth > 0) {
        docket__graph_frame *top = &walk->stack[walk->depth - 1];
        const docket__graph_step *step = walk->graph->steps[top->step];
        if (top->next < step->input_count) {
            reach_type(walk, step->inputs[top->next++]);
        } else {
            assign_slot(walk, step->output, walk->step_count);
            walk->steps[walk->step_count++] = top->step;
            walk->depth--;
        }
    }
}

static bool place_values(const docket_graph *graph, docket__plan *plan)
{
    size_t end = 0;
    plan->values_alignment = BLOCK_ALIGNMENT;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const docket_type *type = graph->types[plan->slots[i].type].type;
        size_t alignment = docket__type_alignment(type);
        size_t padding = (size_t)-end & (alignment - 1);
        if (__builtin_add_overflow(end, padding, &plan->slots[i].offset) ||
            __builtin_add_overflow(plan->slots[i].offset, type->size, &end)) {
            return false;
        }
        if (alignment > plan->values_alignment) {
            plan->values_alignment = alignment;
        }
    }
    plan->values_size = end;
    return true;
}

static bool lay_out_slots(const planner *walk, docket__plan *plan)
{
    uint32_t count = walk->slot_count;
    docket__plan_slot *slots = TAKE_ARRAY(&plan->memory, count, docket__plan_slot);
    uint32_t *pairs = TAKE_ARRAY(&plan->memory, 2 * (size_t)count, uint32_t);
    uint32_t *output_slots = TAKE_ARRAY(&plan->memory, plan->output_count, uint32_t);
    if (plan->memory.failed) {
        return false;
    }
    memcpy(slots, walk->slots, count * sizeof *slots);
    uint32_t next = 0;
    for (uint32_t type = 0; type < walk->graph->type_count; type++) {
        if (walk->slot_of[type] != UINT32_MAX) {
            pairs[next++] = type;
            pairs[next++] = walk->slot_of[type];
        }
    }
    for (uint32_t i = 0; i < plan->output_count; i++) {
        output_slots[i] = walk->slot_of[plan->outputs[i]];
    }
    plan->slots = slots;
    plan->slot_count = count;
    plan->slot_of_type = pairs;
    plan->output_slots = output_slots;
    return place_values(walk->graph, plan);
}

/* The distinct nodes that feed a node, at most one per input. */
static uint32_t list_feeders(const docket__plan *plan, const docket__plan_node *node, uint32_t *feeders)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        uint32_t producer = plan->slots[node->inputs[i]].producer;
        bool is_new = producer != DOCKET__NO_STEP;
        for (uint32_t k = 0; k < count && is_new; k++) {
            is_new = feeders[k] != producer;
        }
        if (is_new) {
            feeders[count++] = producer;
        }
    }
    return count;
}

static bool lay_out_nodes(const planner *walk, docket__plan *plan)
{
    size_t input_total = 0;
    for (uint32_t i = 0; i < walk->step_count; i++) {
        input_total += walk->graph->steps[walk->steps[i]]->input_count;
    }
    plan->nodes = TAKE_ARRAY(&plan->memory, walk->step_count, docket__plan_node);
    uint32_t *inputs = TAKE_ARRAY(&plan->memory, input_total, uint32_t);
    if (plan->memory.failed) {
        return false;
    }
    plan->node_count = walk->step_count;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const docket__graph_step *step = walk->graph->steps[walk->steps[i]];
        docket__plan_node *node = &plan->nodes[i];
        *node = (docket__plan_node){
            .step = step, .slot = walk->slot_of[step->output], .input_count = step->input_count, .inputs = inputs};
        for (uint32_t k = 0; k < step->input_count; k++) {
            *inputs++ = walk->slot_of[step->inputs[k]];
        }
        plan->recorded_count += step->info.scope != DOCKET_SCOPE_NONE;
        plan->has_workflow = plan->has_workflow || step->info.scope == DOCKET_SCOPE_WORKFLOW;
    }
    return true;
}

/* Counts the edges, shares one array out to the nodes, then fills it in plan order. */
static bool join_nodes(planner *walk, docket__plan *plan)
{
    uint32_t feeders[DOCKET_MAX_INPUTS];
    size_t edges = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        plan->nodes[i].pending = list_feeders(plan, &plan->nodes[i], feeders);
        edges += plan->nodes[i].pending;
        plan->root_count += plan->nodes[i].pending == 0;
        for (uint32_t k = 0; k < plan->nodes[i].pending; k++) {
            plan->nodes[feeders[k]].dependent_count++;
        }
    }
    uint32_t *dependents = TAKE_ARRAY(&plan->memory, edges, uint32_t);
    uint32_t *roots = TAKE_ARRAY(&plan->memory, plan->root_count, uint32_t);
    uint32_t **ends = TAKE_ARRAY(&walk->scratch, plan->node_count, uint32_t *);
    if (plan->memory.failed || walk->scratch.failed) {
        return false;
    }
    plan->roots = roots;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        plan->nodes[i].dependents = dependents;
        ends[i] = dependents;
        dependents += plan->nodes[i].dependent_count;
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        uint32_t count = list_feeders(plan, &plan->nodes[i], feeders);
        for (uint32_t k = 0; k < count; k++) {
            *ends[feeders[k]]++ = i;
        }
        if (count == 0) {
            *roots++ = i;
        }
    }
    return true;
}

static bool copy_demand(docket__plan *plan, const demand *wanted)
{
    plan->identity = wanted->identity;
    plan->outputs = docket__arena_copy(&plan->memory, wanted->outputs, wanted->output_count * sizeof(uint32_t));
    plan->output_count = wanted->output_count;
    plan->overrides =
        docket__arena_copy(&plan->memory, wanted->overrides, wanted->override_count * sizeof(uint32_t));
    plan->override_count = wanted->override_count;
    return !plan->memory.failed;
}

/* NULL when memory is exhausted. */
static docket__plan *make_plan(const docket_graph *graph, const demand *wanted)
{
    docket__plan *plan = docket__allocate(sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    planner walk;
    bool made = begin_walk(&walk, graph, wanted) && copy_demand(plan, wanted);
    for (uint32_t i = 0; i < wanted->output_count && made; i++) {
        walk_from(&walk, wanted->outputs[i]);
    }
    made = made && lay_out_slots(&walk, plan) && lay_out_nodes(&walk, plan) && join_nodes(&walk, plan);
    docket__arena_release(&walk.scratch);
    if (!made) {
        docket__plan_free(plan);
        return NULL;
    }
    return plan;
}

void docket__plan_free(docket__plan *plan)
{
    docket__arena_release(&plan->memory);
    docket__free(plan);
}

void docket__plan_release(const docket__plan *plan)
{
    if (plan != NULL && !plan->kept) {
        docket__plan_free((docket__plan *)(uintptr_t)plan);
    }
}

/* Publishes a plan, unless another thread was faster or the graph keeps enough; returns the one to use. */
static const docket__plan *publish(docket_graph *graph, docket__plan *made, const demand *wanted)
{
    pthread_mutex_lock(&graph->plans_lock);
    const docket__plan *plan = find_plan(graph, wanted);
    if (plan == NULL) {
        plan = made;
        if (graph->plan_count < DOCKET__PLANS_KEPT) {
            made->kept = true;
            made->next = atomic_load_explicit(&graph->plans, memory_order_relaxed);
            graph->plan_count++;
            atomic_store_explicit(&graph->plans, made, memory_order_release);
        }
    }
    pthread_mutex_unlock(&graph->plans_lock);
    if (plan != made) {
        docket__plan_free(made);
    }
    return plan;
}

static int compare_types(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one;
    uint32_t b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

/* Writes those of the given types that a step would make, ascending and each once; a provided value cuts the plan
 * anyway. */
static uint32_t select_overrides(const docket_graph *graph, const uint32_t *given, uint32_t given_count,
                                 uint32_t *overrides)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < given_count; i++) {
        const docket__graph_type *type = &graph->types[given[i]];
        if (type->producer != DOCKET__NO_STEP && type->provided == NULL) {
            overrides[count++] = given[i];
        }
    }
    if (count < 2) {
        return count;
    }
    qsort(overrides, count, sizeof *overrides, compare_types);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (overrides[i] != overrides[kept - 1]) {
            overrides[kept++] = overrides[i];
        }
    }
    return kept;
}

docket_status docket__graph_plan_for(docket_graph *graph, const uint32_t *outputs, uint32_t output_count,
                                     const uint32_t *given, uint32_t given_count, const docket__plan **plan,
                                     docket_error *error)
{
    uint32_t few[FEW_GIVEN];
    uint32_t *overrides = given_count <= FEW_GIVEN ? few : docket__allocate_array(given_count, sizeof *overrides);
    *plan = NULL;
    if (overrides == NULL) {
        return docket__error_no_memory(error);
    }
    demand wanted = {.outputs = outputs, .output_count = output_count, .overrides = overrides};
    wanted.override_count = select_overrides(graph, given, given_count, overrides);
    wanted.identity = identify(&wanted);
    *plan = find_plan(graph, &wanted);
    if (*plan == NULL) {
        docket__plan *made = make_plan(graph, &wanted);
        *plan = made != NULL ? publish(graph, made, &wanted) : NULL;
    }
    if (overrides != few) {
        docket__free(overrides);
    }
    return *plan != NULL ? DOCKET_OK : docket__error_no_memory(error);
}

uint32_t docket__plan_slot_of(const docket__plan *plan, uint32_t type)
{
    uint32_t first = 0;
    uint32_t end = plan->slot_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        uint32_t found = plan->slot_of_type[2 * (size_t)middle];
        if (found == type) {
            return plan->slot_of_type[2 * (size_t)middle + 1];
        }
        if (found < type) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return UINT32_MAX;
}
