/* Plans: made by one depth-first walk from the outputs to the leaves, then laid out in arrays for the engine.
 *
 * The walk has its own stack, so that a chain of any length fits; it looks at each type and each edge once. A plan is
 * complete and constant before it is published. Readers walk the list without a lock: plans are only ever put in front
 * of it, under `plans_lock`, and stay until the graph is freed. */
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "graph/build.h"
#include "graph/levels.h"
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
    const uint32_t *items;
    uint32_t item_count;
    uint64_t identity;
} demand;

static uint64_t identify(const demand *wanted)
{
    uint64_t outputs = docket__hash64(wanted->outputs, wanted->output_count * sizeof(uint32_t));
    uint64_t overrides = docket__hash64(wanted->overrides, wanted->override_count * sizeof(uint32_t));
    uint64_t items = docket__hash64(wanted->items, wanted->item_count * sizeof(uint32_t));
    return outputs ^ (overrides << 1 | overrides >> 63) ^ (items << 2 | items >> 62);
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
            lists_equal(plan->overrides, plan->override_count, wanted->overrides, wanted->override_count) &&
            lists_equal(plan->items, plan->item_count, wanted->items, wanted->item_count)) {
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
    bool *brought;     /* of each type: one per item is */
    uint32_t *slot_of; /* of each type, or UINT32_MAX */
    docket__plan_slot *slots;
    uint32_t slot_count;
    uint32_t *steps; /* of the plan, in its order */
    uint32_t step_count;
    docket__graph_frame *stack; /* each step feeds the one before it; the last is looked at */
    uint32_t depth;
    docket__levels levels;
    uint32_t *slot_place, *step_place; /* where what the walk found stands in the plan */
} planner;

#define TAKE_ARRAY(arena, count, T) ((T *)docket__arena_allocate_array((arena), (count), sizeof(T), _Alignof(T)))

static bool begin_walk(planner *walk, const docket_graph *graph, const demand *wanted)
{
    size_t types = graph->type_count;
    size_t steps = graph->step_count;
    *walk = (planner){.graph = graph};
    walk->given = TAKE_ARRAY(&walk->scratch, types, bool);
    walk->brought = TAKE_ARRAY(&walk->scratch, types, bool);
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
    for (uint32_t i = 0; i < wanted->item_count; i++) {
        walk->given[wanted->items[i]] = walk->brought[wanted->items[i]] = true;
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

static docket_status find_levels(planner *walk, docket_error *error)
{
    walk->levels = (docket__levels){
        .graph = walk->graph,
        .steps = walk->steps,
        .step_count = walk->step_count,
        .slots = walk->slots,
        .slot_count = walk->slot_count,
        .slot_of = walk->slot_of,
        .brought = walk->brought,
    };
    return docket__levels_find(&walk->levels, &walk->scratch, error);
}

/* Places by counting: each class behind the one before it, its members in their order. `ends[c]` becomes the place behind
 * the last of class c. */
static void place_by_class(const uint32_t *classes, uint32_t count, uint32_t *ends, uint32_t class_count,
                           uint32_t *place)
{
    for (uint32_t i = 0; i < count; i++) {
        ends[classes[i]]++;
    }
    uint32_t next = 0;
    for (uint32_t c = 0; c < class_count; c++) {
        uint32_t members = ends[c];
        ends[c] = next;
        next += members;
    }
    for (uint32_t i = 0; i < count; i++) {
        place[i] = ends[classes[i]]++;
    }
}

static bool place_slots(planner *walk, docket__plan *plan)
{
    const docket__levels *levels = &walk->levels;
    uint32_t class_count = levels->group_count + 1;
    uint32_t *classes = TAKE_ARRAY(&walk->scratch, walk->slot_count, uint32_t);
    uint32_t *ends = TAKE_ARRAY(&walk->scratch, class_count, uint32_t);
    walk->slot_place = TAKE_ARRAY(&walk->scratch, walk->slot_count, uint32_t);
    if (walk->scratch.failed) {
        return false;
    }
    for (uint32_t i = 0; i < walk->slot_count; i++) {
        classes[i] = levels->slot_group[i] + 1; /* DOCKET__ONCE becomes 0 */
    }
    place_by_class(classes, walk->slot_count, ends, class_count, walk->slot_place);
    plan->once_slots = ends[0];
    for (uint32_t g = 0; g < plan->group_count; g++) {
        plan->groups[g].first_slot = ends[g];
        plan->groups[g].slot_count = ends[g + 1] - ends[g];
    }
    return true;
}

static bool place_steps(planner *walk, docket__plan *plan)
{
    const docket__levels *levels = &walk->levels;
    uint32_t *classes = TAKE_ARRAY(&walk->scratch, walk->step_count, uint32_t);
    uint32_t *bases = TAKE_ARRAY(&walk->scratch, plan->group_count, uint32_t);
    walk->step_place = TAKE_ARRAY(&walk->scratch, walk->step_count, uint32_t);
    if (walk->scratch.failed) {
        return false;
    }
    uint32_t class_count = 1;
    for (uint32_t g = 0; g < plan->group_count; g++) {
        bases[g] = class_count;
        class_count += levels->group_stages[g];
    }
    uint32_t *ends = TAKE_ARRAY(&walk->scratch, class_count, uint32_t);
    if (ends == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < walk->step_count; i++) {
        uint32_t group = levels->step_group[i];
        classes[i] = group == DOCKET__ONCE ? 0 : bases[group] + levels->step_stage[i];
    }
    place_by_class(classes, walk->step_count, ends, class_count, walk->step_place);
    plan->once_nodes = ends[0];
    for (uint32_t g = 0; g < plan->group_count; g++) {
        docket__plan_group *group = &plan->groups[g];
        group->stage_count = levels->group_stages[g];
        group->stages = TAKE_ARRAY(&plan->memory, group->stage_count, docket__plan_stage);
        for (uint32_t k = 0; k < group->stage_count && group->stages != NULL; k++) {
            group->stages[k].first = ends[bases[g] + k - 1];
            group->stages[k].end = ends[bases[g] + k];
            group->stages[k].barrier = levels->barriers[g][k];
        }
        group->first_node = ends[bases[g] - 1];
        group->node_count = ends[bases[g] + group->stage_count - 1] - group->first_node;
    }
    return !plan->memory.failed;
}

static bool place_all(planner *walk, docket__plan *plan)
{
    plan->group_count = walk->levels.group_count;
    plan->groups = TAKE_ARRAY(&plan->memory, plan->group_count, docket__plan_group);
    return plan->groups != NULL && place_slots(walk, plan) && place_steps(walk, plan);
}

/* Lays out the values of neighbouring slots in one block. */
static bool place_values(const docket_graph *graph, docket__plan_slot *slots, uint32_t count, size_t *size,
                         size_t *alignment)
{
    size_t end = 0;
    *alignment = BLOCK_ALIGNMENT;
    for (uint32_t i = 0; i < count; i++) {
        const docket_type *type = graph->types[slots[i].type].type;
        size_t needed = docket__type_alignment(type);
        size_t padding = (size_t)-end & (needed - 1);
        if (__builtin_add_overflow(end, padding, &slots[i].offset) ||
            __builtin_add_overflow(slots[i].offset, type->size, &end)) {
            return false;
        }
        *alignment = needed > *alignment ? needed : *alignment;
    }
    *size = end;
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
    for (uint32_t i = 0; i < count; i++) {
        const docket__plan_slot *found = &walk->slots[i];
        uint32_t producer =
            found->producer == DOCKET__NO_STEP ? DOCKET__NO_STEP : walk->step_place[found->producer];
        slots[walk->slot_place[i]] = (docket__plan_slot){.type = found->type, .producer = producer};
    }
    uint32_t next = 0;
    for (uint32_t type = 0; type < walk->graph->type_count; type++) {
        if (walk->slot_of[type] != UINT32_MAX) {
            pairs[next++] = type;
            pairs[next++] = walk->slot_place[walk->slot_of[type]];
        }
    }
    for (uint32_t i = 0; i < plan->output_count; i++) {
        output_slots[i] = walk->slot_place[walk->slot_of[plan->outputs[i]]];
    }
    plan->slots = slots;
    plan->slot_count = count;
    plan->slot_of_type = pairs;
    plan->output_slots = output_slots;
    bool placed = place_values(walk->graph, slots, plan->once_slots, &plan->values_size, &plan->values_alignment);
    for (uint32_t g = 0; g < plan->group_count && placed; g++) {
        docket__plan_group *group = &plan->groups[g];
        placed = place_values(walk->graph, slots + group->first_slot, group->slot_count, &group->values_size,
                              &group->values_alignment);
    }
    return placed;
}

/* The distinct nodes of its level and stage that feed a node, at most one per input. */
static uint32_t list_feeders(const docket__plan *plan, const docket__plan_node *node, uint32_t stage_first,
                             uint32_t *feeders)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        uint32_t producer = plan->slots[node->inputs[i]].producer;
        bool is_new = producer != DOCKET__NO_STEP && plan->nodes[producer].group == node->group &&
                      plan->nodes[producer].expands == DOCKET__ONCE && producer >= stage_first;
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
    const docket__levels *levels = &walk->levels;
    size_t input_total = 0;
    for (uint32_t i = 0; i < walk->step_count; i++) {
        input_total += walk->graph->steps[walk->steps[i]]->input_count;
    }
    plan->nodes = TAKE_ARRAY(&plan->memory, walk->step_count, docket__plan_node);
    uint32_t *order = TAKE_ARRAY(&plan->memory, walk->step_count, uint32_t);
    uint32_t *inputs = TAKE_ARRAY(&plan->memory, input_total, uint32_t);
    if (plan->memory.failed) {
        return false;
    }
    plan->node_count = walk->step_count;
    plan->order = order;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const docket__graph_step *step = walk->graph->steps[walk->steps[i]];
        order[i] = walk->step_place[i];
        plan->nodes[order[i]] = (docket__plan_node){
            .step = step,
            .slot = walk->slot_place[walk->slot_of[step->output]],
            .input_count = step->input_count,
            .inputs = inputs,
            .group = levels->step_group[i],
            .closes = levels->step_closes[i],
            .expands = DOCKET__ONCE,
        };
        for (uint32_t k = 0; k < step->input_count; k++) {
            *inputs++ = walk->slot_place[walk->slot_of[step->inputs[k]]];
        }
        plan->recorded_count += step->info.scope != DOCKET_SCOPE_NONE;
        plan->has_workflow = plan->has_workflow || step->info.scope == DOCKET_SCOPE_WORKFLOW;
    }
    for (uint32_t g = 0; g < plan->group_count; g++) {
        uint32_t source = levels->group_source[g];
        plan->groups[g].source = source == DOCKET__NO_STEP ? DOCKET__NO_STEP : walk->step_place[source];
        if (source != DOCKET__NO_STEP) {
            plan->nodes[walk->step_place[source]].expands = g;
        }
    }
    return true;
}

/* Counts the edges within each level and stage, shares one array out to the nodes, then fills it in plan order. */
typedef struct joining {
    docket__plan *plan;
    uint32_t *dependents; /* room for all */
    uint32_t *roots;
    uint32_t **ends; /* of each node's share */
} joining;

static size_t count_edges(docket__plan *plan, uint32_t first, uint32_t end)
{
    uint32_t feeders[DOCKET_MAX_INPUTS];
    size_t edges = 0;
    for (uint32_t i = first; i < end; i++) {
        uint32_t count = list_feeders(plan, &plan->nodes[i], first, feeders);
        plan->nodes[i].pending = count + (plan->nodes[i].closes != DOCKET__ONCE);
        edges += count;
        for (uint32_t k = 0; k < count; k++) {
            plan->nodes[feeders[k]].dependent_count++;
        }
    }
    return edges;
}

static void join(joining *self, uint32_t first, uint32_t end, const uint32_t **roots, uint32_t *root_count)
{
    uint32_t feeders[DOCKET_MAX_INPUTS];
    docket__plan *plan = self->plan;
    *roots = self->roots;
    for (uint32_t i = first; i < end; i++) {
        plan->nodes[i].dependents = self->ends[i] = self->dependents;
        self->dependents += plan->nodes[i].dependent_count;
    }
    for (uint32_t i = first; i < end; i++) {
        uint32_t count = list_feeders(plan, &plan->nodes[i], first, feeders);
        for (uint32_t k = 0; k < count; k++) {
            *self->ends[feeders[k]]++ = i;
        }
        if (plan->nodes[i].pending == 0) {
            *self->roots++ = i;
        }
    }
    *root_count = (uint32_t)(self->roots - *roots);
}

static bool join_nodes(planner *walk, docket__plan *plan)
{
    size_t edges = count_edges(plan, 0, plan->once_nodes);
    for (uint32_t g = 0; g < plan->group_count; g++) {
        for (uint32_t k = 0; k < plan->groups[g].stage_count; k++) {
            edges += count_edges(plan, plan->groups[g].stages[k].first, plan->groups[g].stages[k].end);
        }
    }
    joining self = {
        .plan = plan,
        .dependents = TAKE_ARRAY(&plan->memory, edges, uint32_t),
        .roots = TAKE_ARRAY(&plan->memory, plan->node_count, uint32_t),
        .ends = TAKE_ARRAY(&walk->scratch, plan->node_count, uint32_t *),
    };
    if (plan->memory.failed || walk->scratch.failed) {
        return false;
    }
    join(&self, 0, plan->once_nodes, &plan->roots, &plan->root_count);
    for (uint32_t g = 0; g < plan->group_count; g++) {
        for (uint32_t k = 0; k < plan->groups[g].stage_count; k++) {
            docket__plan_stage *stage = &plan->groups[g].stages[k];
            join(&self, stage->first, stage->end, &stage->roots, &stage->root_count);
        }
    }
    return true;
}

/* Gates and closers: what joins a group to the level above. */

static bool place_gates(const planner *walk, docket__plan *plan)
{
    const docket__levels *levels = &walk->levels;
    docket__plan_gate *gates = TAKE_ARRAY(&plan->memory, levels->gate_count, docket__plan_gate);
    if (plan->memory.failed) {
        return false;
    }
    for (uint32_t i = 0; i < levels->gate_count; i++) {
        plan->nodes[walk->step_place[levels->gate_steps[i]]].gate_count++;
        plan->groups[levels->gates[i].group].stages[levels->gates[i].stage].gate_count++;
    }
    for (uint32_t i = 0; i < plan->node_count && levels->gate_count > 0; i++) {
        plan->nodes[i].gates = gates;
        gates += plan->nodes[i].gate_count;
        plan->nodes[i].gate_count = 0;
    }
    for (uint32_t i = 0; i < levels->gate_count; i++) {
        docket__plan_node *node = &plan->nodes[walk->step_place[levels->gate_steps[i]]];
        ((docket__plan_gate *)(uintptr_t)node->gates)[node->gate_count++] = levels->gates[i];
    }
    return true;
}

bool docket__plan_streams(const docket__graph_step *step)
{
    return step->info.fold && step->info.scope == DOCKET_SCOPE_NONE && step->info.max_attempts == 1;
}

/* The stage after which all items have what a closing node takes. Stages lie in the order of their nodes. */
static uint32_t closing_stage(const docket__plan *plan, const docket__plan_node *node)
{
    const docket__plan_group *group = &plan->groups[node->closes];
    uint32_t producer = plan->slots[node->inputs[0]].producer;
    if (producer == DOCKET__NO_STEP || producer == group->source) {
        return 0;
    }
    uint32_t first = 0;
    uint32_t end = group->stage_count;
    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;
        if (group->stages[middle].first <= producer) {
            first = middle;
        } else {
            end = middle;
        }
    }
    return first;
}

/* A fold may take items as they leave the group, if nothing else is to come for it. */
static bool streams(const docket__plan *plan, const docket__plan_node *node, uint32_t stage)
{
    return docket__plan_streams(node->step) && stage + 1 == plan->groups[node->closes].stage_count &&
           node->input_count == 1;
}

static void count_closers(docket__plan *plan)
{
    for (uint32_t i = 0; i < plan->once_nodes; i++) {
        const docket__plan_node *node = &plan->nodes[i];
        if (node->closes == DOCKET__ONCE) {
            continue;
        }
        docket__plan_group *group = &plan->groups[node->closes];
        uint32_t stage = closing_stage(plan, node);
        if (streams(plan, node, stage)) {
            group->fold_count++;
        } else {
            group->stages[stage].closer_count++;
            group->keeps_rows = true;
        }
    }
}

static void list_closers(docket__plan *plan, uint32_t **fold_ends)
{
    for (uint32_t i = 0; i < plan->once_nodes; i++) {
        const docket__plan_node *node = &plan->nodes[i];
        if (node->closes == DOCKET__ONCE) {
            continue;
        }
        uint32_t stage = closing_stage(plan, node);
        docket__plan_stage *closed = &plan->groups[node->closes].stages[stage];
        if (streams(plan, node, stage)) {
            *fold_ends[node->closes]++ = i;
        } else {
            ((uint32_t *)(uintptr_t)closed->closers)[closed->closer_count++] = i;
        }
    }
}

static bool place_closers(planner *walk, docket__plan *plan)
{
    uint32_t *lists = TAKE_ARRAY(&plan->memory, plan->group_count > 0 ? plan->once_nodes : 0, uint32_t);
    uint32_t **fold_ends = TAKE_ARRAY(&walk->scratch, plan->group_count, uint32_t *);
    if (plan->memory.failed || walk->scratch.failed) {
        return false;
    }
    if (plan->group_count == 0) {
        return true;
    }
    count_closers(plan);
    for (uint32_t g = 0; g < plan->group_count; g++) {
        docket__plan_group *group = &plan->groups[g];
        group->folds = fold_ends[g] = lists;
        lists += group->fold_count;
        for (uint32_t k = 0; k < group->stage_count; k++) {
            group->stages[k].closers = lists;
            lists += group->stages[k].closer_count;
            group->stages[k].closer_count = 0;
            group->keeps_rows = group->keeps_rows || group->stages[k].barrier;
        }
    }
    list_closers(plan, fold_ends);
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
    plan->items = docket__arena_copy(&plan->memory, wanted->items, wanted->item_count * sizeof(uint32_t));
    plan->item_count = wanted->item_count;
    return !plan->memory.failed;
}

static docket_status make_plan(const docket_graph *graph, const demand *wanted, docket__plan **made,
                               docket_error *error)
{
    docket__plan *plan = docket__allocate(sizeof *plan);
    if (plan == NULL) {
        return docket__error_no_memory(error);
    }
    planner walk;
    docket_status status = DOCKET_OK;
    bool fits = begin_walk(&walk, graph, wanted) && copy_demand(plan, wanted);
    for (uint32_t i = 0; i < wanted->output_count && fits; i++) {
        walk_from(&walk, wanted->outputs[i]);
    }
    if (fits) {
        status = find_levels(&walk, error);
    }
    if (status == DOCKET_OK) {
        fits = fits && place_all(&walk, plan) && lay_out_slots(&walk, plan) && lay_out_nodes(&walk, plan) &&
               join_nodes(&walk, plan) && place_gates(&walk, plan) && place_closers(&walk, plan);
        status = fits ? DOCKET_OK : docket__error_no_memory(error);
    }
    docket__arena_release(&walk.scratch);
    if (status != DOCKET_OK) {
        docket__plan_free(plan);
        return status;
    }
    *made = plan;
    return DOCKET_OK;
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

/* Sorts and leaves each one once. */
static uint32_t make_set(uint32_t *types, uint32_t count)
{
    if (count < 2) {
        return count;
    }
    qsort(types, count, sizeof *types, compare_types);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (types[i] != types[kept - 1]) {
            types[kept++] = types[i];
        }
    }
    return kept;
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
    return make_set(overrides, count);
}

docket_status docket__graph_plan_for(docket_graph *graph, const docket__demand *asked, const docket__plan **plan,
                                     docket_error *error)
{
    uint32_t few[FEW_GIVEN];
    size_t count = (size_t)asked->given_count + asked->item_count;
    uint32_t *lists = count <= FEW_GIVEN ? few : docket__allocate_array(count, sizeof *lists);
    *plan = NULL;
    if (lists == NULL) {
        return docket__error_no_memory(error);
    }
    uint32_t *items = lists + asked->given_count;
    if (asked->item_count > 0) {
        memcpy(items, asked->items, asked->item_count * sizeof *items);
    }
    demand wanted = {
        .outputs = asked->outputs, .output_count = asked->output_count, .overrides = lists, .items = items};
    wanted.override_count = select_overrides(graph, asked->given, asked->given_count, lists);
    wanted.item_count = make_set(items, asked->item_count);
    wanted.identity = identify(&wanted);
    docket_status status = DOCKET_OK;
    *plan = find_plan(graph, &wanted);
    if (*plan == NULL) {
        docket__plan *made = NULL;
        status = make_plan(graph, &wanted, &made, error);
        *plan = made != NULL ? publish(graph, made, &wanted) : NULL;
    }
    if (lists != few) {
        docket__free(lists);
    }
    return status;
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
