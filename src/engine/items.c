#include "base/error.h"
#include "engine/group.h"
#include <string.h>

/* Frames that can go on; with group->lock held. */

void docket__group_push(docket__group *group, docket__frame *frame)
{
    frame->next = NULL;
    *group->ready_last = frame;
    group->ready_last = &frame->next;
}

/* An item that goes on is nearer to its end than those behind it. */
void docket__group_push_first(docket__group *group, docket__frame *frame)
{
    frame->next = group->ready;
    if (group->ready == NULL) {
        group->ready_last = &frame->next;
    }
    group->ready = frame;
}

docket__frame *docket__group_pop(docket__group *group)
{
    docket__frame *frame = group->ready;
    if (frame != NULL) {
        group->ready = frame->next;
        group->ready_last = group->ready == NULL ? &group->ready : group->ready_last;
        frame->next = NULL;
    }
    return frame;
}

void docket__group_stop_without_memory(docket__group *group)
{
    docket_error error;
    docket__error_no_memory(&error);
    docket__schedule_stop(group->execution, &error, false);
}

/* The order of events in a group. */

/* All items have passed these stages: who takes all of them may run. */
static void satisfy_closers(docket__group *group, uint32_t stage)
{
    docket_execution *execution = group->execution;
    const docket__plan_stage *closed = &group->plan->stages[stage];
    for (uint32_t i = 0; i < closed->closer_count; i++) {
        docket__node *closer = &execution->row.nodes[closed->closers[i]];
        if (docket__schedule_satisfy(closer)) {
            atomic_fetch_add(&execution->live, 1);
            docket__schedule_ready(closer);
        }
    }
}

static void end_folds(docket__group *group)
{
    docket_execution *execution = group->execution;
    for (uint32_t i = 0; i < group->fold_count; i++) {
        docket__node *fold = group->folds[i];
        if (docket__schedule_satisfy(fold)) {
            atomic_fetch_add(&execution->live, 1);
            docket__schedule_ready(fold);
        }
    }
}

void docket__group_begin_pass(docket__group *group, uint32_t stage)
{
    group->first_stage = stage;
    group->end_stage = stage + 1;
    while (group->end_stage < group->plan->stage_count && !group->plan->stages[group->end_stage].barrier) {
        group->end_stage++;
    }
    group->next = group->passed = 0;
    group->listed = false;
}

/* All items have left the pass: who takes all of them may run, and the next pass begins when its stage is open. With the
 * lock held; `*first` and `*end` are the stages whose closers are to be satisfied. */
static void end_pass(docket__group *group, uint32_t *first, uint32_t *end)
{
    if (!group->listed) {
        *first = group->first_stage;
        *end = group->end_stage;
        group->listed = true;
        if (!docket__group_list_values(group, *first, *end)) {
            *end = *first;
            group->starved = true;
        }
    }
    if (group->end_stage == group->plan->stage_count) {
        group->over = true;
    } else if (group->open_stages > group->end_stage) {
        docket__group_begin_pass(group, group->end_stage);
    }
}

void docket__group_advance(docket__group *group)
{
    bool goes_on = true;
    while (goes_on) {
        uint32_t first = 0;
        uint32_t end = 0;
        pthread_mutex_lock(&group->lock);
        bool ended = group->closed && group->passed == group->total && !group->over;
        uint32_t stage = group->first_stage;
        if (ended) {
            end_pass(group, &first, &end);
        }
        bool over = ended && group->over;
        goes_on = ended && group->first_stage != stage;
        docket__node *called = docket__lane_call(group);
        pthread_mutex_unlock(&group->lock);
        docket__lane_send(called);
        if (group->starved) {
            docket__group_stop_without_memory(group);
        }
        for (; first < end; first++) {
            satisfy_closers(group, first);
        }
        if (over) {
            end_folds(group);
        }
    }
}

static void leave(docket__frame *frame)
{
    docket__group *group = frame->group;
    bool kept = group->keeps || group->end_stage < group->plan->stage_count;
    docket__item *item = frame->item;
    if (kept) {
        docket__frame_pack(frame);
    } else {
        docket__frame_drop(frame);
    }
    pthread_mutex_lock(&group->lock);
    bool fits = !kept || docket__item_make_place(group, frame->index);
    if (kept && fits) {
        *docket__item_place(group, frame->index) = item;
    }
    docket__frame_give(frame);
    group->in_flight--;
    group->passed++;
    pthread_cond_signal(&group->room);
    pthread_mutex_unlock(&group->lock);
    if (!fits) {
        docket__item_free(item);
        docket__group_stop_without_memory(group);
    }
}

/* Items leave in their order, one at a time; whoever brings the next one takes those behind it along. */
static void deliver(docket__group *group)
{
    docket_execution *execution = group->execution;
    pthread_mutex_lock(&group->lock);
    while (!group->delivering && !atomic_load(&execution->stopping)) {
        docket__frame *frame = group->ring[group->delivered % group->window];
        if (frame == NULL) {
            break;
        }
        group->ring[group->delivered % group->window] = NULL;
        group->delivering = true;
        pthread_mutex_unlock(&group->lock);
        for (uint32_t i = 0; i < group->fold_count; i++) {
            docket__node *fold = group->folds[i];
            docket__node_fold(fold, &frame->row.slots[fold->plan->inputs[0] - group->plan->first_slot],
                              frame->index);
        }
        if (group->item_done != NULL) {
            docket__item *item = frame->item;
            docket_error *error = frame->error;
            docket_arena memory = frame->row.memory;
            docket__frame_pack(frame);
            group->item_done(group->item_arg, (docket_item){(size_t)frame->index, group, item});
            frame->item = item;
            frame->error = error;
            frame->row.memory = memory;
        }
        leave(frame);
        pthread_mutex_lock(&group->lock);
        group->delivered++;
        group->delivering = false;
    }
    pthread_mutex_unlock(&group->lock);
}

/* The item has passed its stage. */
void docket__group_pass(docket__frame *frame)
{
    docket__group *group = frame->group;
    uint32_t stage = frame->stage;
    pthread_mutex_lock(&group->lock);
    bool leaves = stage + 1 == group->end_stage;
    bool in_order = leaves && group->ring != NULL && group->end_stage == group->plan->stage_count;
    if (in_order) {
        group->ring[frame->index % group->window] = frame;
    } else if (!leaves) {
        frame->stage = stage + 1;
        if (group->open_stages > frame->stage) {
            docket__group_push_first(group, frame);
        } else {
            frame->next = group->gated;
            group->gated = frame;
        }
    }
    pthread_mutex_unlock(&group->lock);
    if (in_order) {
        deliver(group);
    } else if (leaves) {
        leave(frame);
    }
    docket__group_advance(group);
}

void docket__items_pass(docket__node *node)
{
    docket__frame *frame = docket__frame_of(node);
    if (atomic_fetch_sub_explicit(&frame->remaining, 1, memory_order_acq_rel) == 1) {
        docket__group_pass(frame);
    }
}

/* No item comes any more: those who wait for all of them may have been waiting for this. */
void docket__group_close(docket__group *group)
{
    pthread_mutex_lock(&group->lock);
    group->closed = true;
    pthread_mutex_unlock(&group->lock);
    docket__group_advance(group);
}

/* What is there once. */

static void open_gate(docket_execution *execution, docket__plan_gate gate)
{
    docket__group *group = &execution->groups[gate.group];
    pthread_mutex_lock(&group->lock);
    group->gates[gate.stage]--;
    while (group->open_stages < group->plan->stage_count && group->gates[group->open_stages] == 0) {
        group->open_stages++;
    }
    docket__frame *waiting = group->gated;
    group->gated = NULL;
    while (waiting != NULL) {
        docket__frame *frame = waiting;
        waiting = frame->next;
        if (frame->stage < group->open_stages) {
            docket__group_push(group, frame);
        } else {
            frame->next = group->gated;
            group->gated = frame;
        }
    }
    pthread_mutex_unlock(&group->lock);
    docket__group_advance(group);
}

void docket__items_end(docket__node *node, bool broken)
{
    docket_execution *execution = node->execution;
    const docket__plan_node *plan = node->plan;
    if (plan->expands != DOCKET__ONCE) {
        docket__group *group = &execution->groups[plan->expands];
        if (broken) {
            memset(group->broken, true, group->plan->slot_count);
        }
        docket__group_close(group);
    }
    for (uint32_t i = 0; i < plan->gate_count; i++) {
        open_gate(execution, plan->gates[i]);
    }
}
