#include "graph/levels.h"

#include "base/error.h"

#define TAKE_ARRAY(arena, count, T) ((T *)docket__arena_allocate_array((arena), (count), sizeof(T), _Alignof(T)))

static const docket__graph_step *step_at(const docket__levels *levels, uint32_t step)
{
    return levels->graph->steps[levels->steps[step]];
}

static bool closes(const docket__graph_step *step, uint32_t input)
{
    return (step->info.inputs[input].flags & DOCKET_INPUT_ITEMS) != 0;
}

static const char *source_name(const docket__levels *levels, uint32_t group)
{
    uint32_t source = levels->group_source[group];
    return source == DOCKET__NO_STEP ? "the caller" : step_at(levels, source)->info.name;
}

/* Graphs are checked for what their own expand steps do; what is left are items that a request brings. */
static docket_status refuse(const docket__levels *levels, const docket__graph_step *step, uint32_t group,
                            uint32_t other, docket_error *error)
{
    const docket_step_info *info = &step->info;
    if (info->expand) {
        docket__error_set(
            error, DOCKET_INVALID,
            "step \"%s\" expands, and would have to run once per item of %s: there is one level of items",
            info->name, source_name(levels, group));
    } else if (info->aggregate) {
        docket__error_set(
            error, DOCKET_INVALID,
            "step \"%s\" takes all items of its first input; its other inputs must be there once, and one is "
            "there per item of %s",
            info->name, source_name(levels, group));
    } else {
        docket__error_set(error, DOCKET_INVALID, "step \"%s\" would have to join items of %s with items of %s",
                          info->name, source_name(levels, other), source_name(levels, group));
    }
    docket__error_set_step(error, info->name);
    docket__error_set_type(error, info->output->name);
    return DOCKET_INVALID;
}

static uint32_t add_group(docket__levels *levels, uint32_t source)
{
    levels->group_source[levels->group_count] = source;
    return levels->group_count++;
}

static void place_leaves(docket__levels *levels)
{
    uint32_t brought = DOCKET__ONCE;
    for (uint32_t i = 0; i < levels->slot_count; i++) {
        levels->slot_group[i] = DOCKET__ONCE;
        if (levels->brought[levels->slots[i].type]) {
            brought = brought == DOCKET__ONCE ? add_group(levels, DOCKET__NO_STEP) : brought;
            levels->slot_group[i] = brought;
        }
    }
}

static docket_status place_step(docket__levels *levels, uint32_t index, docket_error *error)
{
    const docket__graph_step *step = step_at(levels, index);
    uint32_t group = DOCKET__ONCE;
    levels->step_closes[index] = DOCKET__ONCE;
    for (uint32_t i = 0; i < step->input_count; i++) {
        uint32_t of = levels->slot_group[levels->slot_of[step->inputs[i]]];
        if (of == DOCKET__ONCE) {
            continue;
        }
        if (closes(step, i)) {
            levels->step_closes[index] = of;
            continue;
        }
        if (step->info.expand || step->info.aggregate || (group != DOCKET__ONCE && group != of)) {
            return refuse(levels, step, of, group, error);
        }
        group = of;
    }
    levels->step_group[index] = group;
    levels->slot_group[levels->slot_of[step->output]] = step->info.expand ? add_group(levels, index) : group;
    return DOCKET_OK;
}

/* Stages of one group. A step that feeds items from the level above gets a number, in an order in which they can end:
 * those first that do not wait for the group's own items. An item's step belongs behind the highest number that it or a
 * step before it in its level takes from; equal ones make a stage. */
typedef struct staging {
    docket__levels *levels;
    uint32_t group;
    bool *waits;       /* of each step: it ends only after all items of the group */
    uint32_t *numbers; /* of each step: as a feeder from above, from 1; 0 = it is none */
    uint32_t *behind;  /* of each step of the group */
    uint32_t *stages;  /* of each number: how many stages lie behind it or a lower one */
    uint32_t count;
} staging;

static uint32_t feeder(const docket__levels *levels, const docket__graph_step *step, uint32_t input)
{
    return levels->slots[levels->slot_of[step->inputs[input]]].producer;
}

static void find_waiting(staging *self)
{
    const docket__levels *levels = self->levels;
    for (uint32_t i = 0; i < levels->step_count; i++) {
        const docket__graph_step *step = step_at(levels, i);
        self->waits[i] = levels->step_closes[i] == self->group;
        for (uint32_t k = 0; k < step->input_count; k++) {
            uint32_t before = feeder(levels, step, k);
            self->waits[i] = self->waits[i] || (before != DOCKET__NO_STEP && self->waits[before]);
        }
    }
}

static bool feeds_from_above(const docket__levels *levels, uint32_t before)
{
    return before != DOCKET__NO_STEP && levels->step_group[before] == DOCKET__ONCE &&
           !step_at(levels, before)->info.expand;
}

static void number_feeders(staging *self)
{
    const docket__levels *levels = self->levels;
    for (uint32_t i = 0; i < levels->step_count; i++) {
        const docket__graph_step *step = step_at(levels, i);
        for (uint32_t k = 0; k < step->input_count && levels->step_group[i] == self->group; k++) {
            uint32_t before = feeder(levels, step, k);
            if (feeds_from_above(levels, before)) {
                self->numbers[before] = UINT32_MAX;
            }
        }
    }
    for (int waiting = 0; waiting < 2; waiting++) {
        for (uint32_t i = 0; i < levels->step_count; i++) {
            if (self->numbers[i] == UINT32_MAX && self->waits[i] == waiting) {
                self->numbers[i] = ++self->count;
            }
        }
    }
}

static void place_behind(staging *self)
{
    const docket__levels *levels = self->levels;
    for (uint32_t i = 0; i < levels->step_count; i++) {
        const docket__graph_step *step = step_at(levels, i);
        if (levels->step_group[i] != self->group) {
            continue;
        }
        for (uint32_t k = 0; k < step->input_count; k++) {
            uint32_t before = feeder(levels, step, k);
            uint32_t number = before == DOCKET__NO_STEP                   ? 0
                              : feeds_from_above(levels, before)          ? self->numbers[before]
                              : levels->step_group[before] == self->group ? self->behind[before]
                                                                          : 0;
            self->behind[i] = number > self->behind[i] ? number : self->behind[i];
        }
        self->stages[self->behind[i]] = 1;
    }
}

static bool make_stages(staging *self, docket_arena *scratch)
{
    docket__levels *levels = self->levels;
    uint32_t count = 0;
    self->stages[0] = 1;
    for (uint32_t number = 0; number <= self->count; number++) {
        count += self->stages[number];
        self->stages[number] = count; /* the stage behind a number that has one is count - 1 */
    }
    bool *barriers = TAKE_ARRAY(scratch, count, bool);
    if (barriers == NULL) {
        return false;
    }
    levels->group_stages[self->group] = count;
    levels->barriers[self->group] = barriers;
    for (uint32_t i = 0; i < levels->step_count; i++) {
        if (levels->step_group[i] == self->group) {
            levels->step_stage[i] = self->stages[self->behind[i]] - 1;
        }
        if (self->numbers[i] > 0) {
            uint32_t stage = self->stages[self->numbers[i] - 1];
            levels->gates[levels->gate_count] = (docket__plan_gate){self->group, stage};
            levels->gate_steps[levels->gate_count++] = i;
            barriers[stage] = barriers[stage] || self->waits[i];
        }
    }
    for (uint32_t stage = 1; stage < count; stage++) {
        barriers[stage] = barriers[stage] || barriers[stage - 1];
    }
    return true;
}

static bool stage_group(docket__levels *levels, uint32_t group, docket_arena *scratch)
{
    staging self = {
        .levels = levels,
        .group = group,
        .waits = TAKE_ARRAY(scratch, levels->step_count, bool),
        .numbers = TAKE_ARRAY(scratch, levels->step_count, uint32_t),
        .behind = TAKE_ARRAY(scratch, levels->step_count, uint32_t),
        .stages = TAKE_ARRAY(scratch, (size_t)levels->step_count + 1, uint32_t),
    };
    if (scratch->failed) {
        return false;
    }
    find_waiting(&self);
    number_feeders(&self);
    place_behind(&self);
    return make_stages(&self, scratch);
}

/* How many pairs of a feeding step and a group there can be: a step takes from at most as many as it has inputs. */
static size_t count_gates(const docket__levels *levels)
{
    size_t count = 0;
    for (uint32_t i = 0; i < levels->step_count; i++) {
        count += step_at(levels, i)->input_count;
    }
    return count;
}

docket_status docket__levels_find(docket__levels *levels, docket_arena *scratch, docket_error *error)
{
    size_t gates = count_gates(levels);
    levels->slot_group = TAKE_ARRAY(scratch, levels->slot_count, uint32_t);
    levels->step_group = TAKE_ARRAY(scratch, levels->step_count, uint32_t);
    levels->step_stage = TAKE_ARRAY(scratch, levels->step_count, uint32_t);
    levels->step_closes = TAKE_ARRAY(scratch, levels->step_count, uint32_t);
    levels->group_source = TAKE_ARRAY(scratch, (size_t)levels->step_count + 1, uint32_t);
    levels->group_stages = TAKE_ARRAY(scratch, (size_t)levels->step_count + 1, uint32_t);
    levels->barriers = TAKE_ARRAY(scratch, (size_t)levels->step_count + 1, bool *);
    levels->gates = TAKE_ARRAY(scratch, gates, docket__plan_gate);
    levels->gate_steps = TAKE_ARRAY(scratch, gates, uint32_t);
    if (scratch->failed) {
        return docket__error_no_memory(error);
    }
    place_leaves(levels);
    for (uint32_t i = 0; i < levels->step_count; i++) {
        docket_status status = place_step(levels, i, error);
        if (status != DOCKET_OK) {
            return status;
        }
    }
    for (uint32_t group = 0; group < levels->group_count; group++) {
        if (!stage_group(levels, group, scratch)) {
            return docket__error_no_memory(error);
        }
    }
    return DOCKET_OK;
}
