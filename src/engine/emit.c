/* Emitting: items that a step of the graph makes. */
#include "base/error.h"
#include "engine/group.h"

/* With the lock held. False: the execution stops. */
static bool wait_for_room(docket__group *group)
{
    docket_execution *execution = group->execution;
    while (group->in_flight >= group->window && !atomic_load(&execution->stopping)) {
        pthread_mutex_unlock(&group->lock);
        bool helped = docket__schedule_help(execution);
        pthread_mutex_lock(&group->lock);
        if (!helped && group->in_flight >= group->window && !atomic_load(&execution->stopping)) {
            docket_pool *lender = docket__pool_of_thread();
            if (lender != NULL) {
                docket__pool_lend_begin(lender);
            }
            pthread_cond_wait(&group->room, &group->lock);
            if (lender != NULL) {
                docket__pool_lend_end(lender);
            }
        }
    }
    return !atomic_load(&execution->stopping);
}

static docket_status send_on(docket__group *group, docket__frame *frame, uint32_t slot, const docket_type *type,
                             const void *value, docket_error *error)
{
    docket_status status = docket__frame_prepare(frame, group->total)
                               ? docket__frame_copy(frame, slot, type, value, error)
                               : docket__error_no_memory(error);
    if (status != DOCKET_OK) {
        docket__frame_drop(frame);
        return status;
    }
    frame->stage = 0;
    pthread_mutex_lock(&group->lock);
    if (!wait_for_room(group)) {
        pthread_mutex_unlock(&group->lock);
        docket__frame_drop(frame);
        return DOCKET_CANCELLED;
    }
    group->total++;
    group->in_flight++;
    docket__group_push(group, frame);
    docket__node *called = docket__lane_call(group);
    pthread_mutex_unlock(&group->lock);
    docket__lane_send(called);
    return DOCKET_OK;
}

static docket_status hold_back(docket__group *group, docket__frame *frame, uint32_t slot, const docket_type *type,
                               const void *value, docket_error *error)
{
    docket_status status = docket__frame_prepare(frame, group->total)
                               ? docket__frame_copy(frame, slot, type, value, error)
                               : docket__error_no_memory(error);
    docket__item *item = frame->item;
    if (status == DOCKET_OK) {
        docket__frame_pack(frame);
    } else {
        docket__frame_drop(frame);
    }
    pthread_mutex_lock(&group->lock);
    if (status == DOCKET_OK && docket__item_make_place(group, group->total)) {
        *docket__item_place(group, group->total++) = item;
        item = NULL;
    } else if (status == DOCKET_OK) {
        status = docket__error_no_memory(error);
    } else {
        item = NULL;
    }
    docket__frame_give(frame);
    pthread_mutex_unlock(&group->lock);
    docket__item_free(item);
    return status;
}

docket_status docket__items_emit(docket__node *node, const void *value, docket_error *error)
{
    docket_execution *execution = node->execution;
    docket__group *group = &execution->groups[node->plan->expands];
    uint32_t slot = node->plan->slot - group->plan->first_slot;
    const docket_type *type = execution->graph->types[execution->plan->slots[node->plan->slot].type].type;
    if (atomic_load(&execution->stopping)) {
        return DOCKET_CANCELLED;
    }
    pthread_mutex_lock(&group->lock);
    docket__frame *frame = docket__frame_take(group);
    pthread_mutex_unlock(&group->lock);
    frame = frame != NULL ? frame : docket__frame_make(group);
    if (frame == NULL) {
        return docket__error_no_memory(error);
    }
    return group->holds ? hold_back(group, frame, slot, type, value, error)
                        : send_on(group, frame, slot, type, value, error);
}

/* A failed attempt has made nothing. */
void docket__items_forget(docket__node *node)
{
    docket__group *group = &node->execution->groups[node->plan->expands];
    for (uint64_t i = 0; i < group->total; i++) {
        docket__item_free(*docket__item_place(group, i));
        *docket__item_place(group, i) = NULL;
    }
    group->total = 0;
}
