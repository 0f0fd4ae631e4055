/* What becomes of all items together: their failures, and what takes all of them. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/group.h"

/* Failures of items. */

static bool is_the_items_own(docket_status status)
{
    switch (status) {
    case DOCKET_FAILED:
    case DOCKET_REJECTED:
    case DOCKET_TIMEOUT:
    case DOCKET_CRASHED:
    case DOCKET_ENCODE:
    case DOCKET_TOO_LARGE:
    case DOCKET_CORRUPT:
    case DOCKET_TYPE:
    case DOCKET_CONFLICT:
    case DOCKET_IN_DOUBT:
        return true;
    default:
        return false;
    }
}

bool docket__items_collect(docket__node *node, const docket_error *error)
{
    docket__frame *frame = docket__frame_of(node);
    if (frame == NULL || !node->execution->collects || !is_the_items_own(error->status)) {
        return false;
    }
    docket__group *group = frame->group;
    docket_error *copy = docket__allocate(sizeof *copy);
    docket_error *first = docket__allocate(sizeof *first);
    if (copy == NULL || first == NULL) {
        docket__free(copy);
        docket__free(first);
        return false;
    }
    *copy = *first = *error;
    copy->item_index = first->item_index = (int64_t)frame->index;
    pthread_mutex_lock(&group->lock);
    if (frame->error == NULL) {
        frame->error = copy;
        copy = NULL;
    }
    if (group->error == NULL || group->error->item_index > first->item_index) {
        docket_error *later = group->error;
        group->error = first;
        first = later;
    }
    pthread_mutex_unlock(&group->lock);
    docket__free(copy);
    docket__free(first);
    return true;
}

void docket__items_break(docket__node *node)
{
    docket__frame *frame = docket__frame_of(node);
    uint32_t slot = node->plan->slot - frame->group->plan->first_slot;
    pthread_mutex_lock(&frame->group->lock);
    frame->group->broken[slot] = true;
    pthread_mutex_unlock(&frame->group->lock);
}

bool docket__items_are_broken(docket_execution *execution, uint32_t group, uint32_t slot)
{
    docket__group *of = &execution->groups[group];
    pthread_mutex_lock(&of->lock);
    bool broken = of->broken[slot - of->plan->first_slot];
    pthread_mutex_unlock(&of->lock);
    return broken;
}

docket_status docket__items_error(docket_execution *execution, docket_error *error)
{
    const docket_error *found = NULL;
    for (uint32_t g = 0; g < execution->plan->group_count && found == NULL; g++) {
        found = execution->groups[g].error;
    }
    if (found != NULL) {
        docket__error_copy(error, found);
    }
    return found == NULL ? DOCKET_OK : found->status;
}

/* All items. */

static bool list_values(docket__group *group, uint32_t slot)
{
    docket__values *list = &group->lists[slot];
    if (list->values != NULL) {
        return true;
    }
    list->values = docket__allocate_array((size_t)group->total + 1, sizeof *list->values);
    for (uint64_t i = 0; i < group->total && list->values != NULL; i++) {
        const docket__item *item = *docket__item_place(group, i);
        if (docket__item_has_value(item->states[slot])) {
            list->values[list->count++] = docket__item_value(group, item, slot);
        }
    }
    return list->values != NULL;
}

bool docket__group_list_values(docket__group *group, uint32_t first_stage, uint32_t end_stage)
{
    const docket__plan *plan = group->execution->plan;
    bool listed = true;
    for (uint32_t stage = first_stage; stage < end_stage; stage++) {
        const docket__plan_stage *closed = &group->plan->stages[stage];
        for (uint32_t i = 0; i < closed->closer_count && listed; i++) {
            listed = list_values(group, plan->nodes[closed->closers[i]].inputs[0] - group->plan->first_slot);
        }
    }
    return listed;
}

const void **docket__items_gather(docket_execution *execution, uint32_t group_index, uint32_t slot, size_t *count)
{
    docket__group *group = &execution->groups[group_index];
    static const void *none[1];
    pthread_mutex_lock(&group->lock);
    const docket__values *list = &group->lists[slot - group->plan->first_slot];
    const void **values = list->values != NULL ? list->values : none; /* of a fold without a single item */
    *count = list->count;
    pthread_mutex_unlock(&group->lock);
    return values;
}
