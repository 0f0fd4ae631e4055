/* Items of a result. */
#include "base/error.h"
#include "engine/group.h"

static docket__group *group_of(const docket_result *result, const docket_type *type, uint32_t *slot)
{
    docket_error error;
    if (result == NULL || type == NULL) {
        return NULL;
    }
    docket_execution *execution = result->execution;
    uint32_t index = docket__graph_find_type(execution->graph, type, &error);
    *slot = index == UINT32_MAX ? UINT32_MAX : docket__plan_slot_of(execution->plan, index);
    for (uint32_t g = 0; g < execution->plan->group_count && *slot != UINT32_MAX; g++) {
        const docket__plan_group *plan = execution->groups[g].plan;
        if (*slot >= plan->first_slot && *slot < plan->first_slot + plan->slot_count) {
            *slot -= plan->first_slot;
            return &execution->groups[g];
        }
    }
    return NULL;
}

size_t docket_result_item_count(const docket_result *result, const docket_type *type)
{
    uint32_t slot;
    docket__group *group = group_of(result, type, &slot);
    if (group == NULL) {
        return 0;
    }
    pthread_mutex_lock(&group->lock);
    size_t count = (size_t)group->total;
    pthread_mutex_unlock(&group->lock);
    return count;
}

docket_item docket_result_item(const docket_result *result, const docket_type *type, size_t index)
{
    uint32_t slot;
    docket_item item = {.index = index};
    docket__group *group = group_of(result, type, &slot);
    if (group != NULL) {
        pthread_mutex_lock(&group->lock);
        bool kept = index < group->total && index / DOCKET__PAGE < group->page_count &&
                    group->pages[index / DOCKET__PAGE] != NULL;
        item.items = group;
        item.row = kept ? *docket__item_place(group, index) : NULL;
        pthread_mutex_unlock(&group->lock);
    }
    return item;
}

static const docket__item *find_in(docket_item item, const docket_type *type, uint32_t *slot)
{
    docket__group *group = (docket__group *)(uintptr_t)item.items;
    if (group == NULL || item.row == NULL || group_of(&group->execution->result, type, slot) != group) {
        return NULL;
    }
    return item.row;
}

const void *docket_item_value(docket_item item, const docket_type *type)
{
    uint32_t slot;
    const docket__item *found = find_in(item, type, &slot);
    return found != NULL && docket__item_has_value(found->states[slot] & (uint8_t)~DOCKET__BROKEN)
               ? docket__item_value(item.items, found, slot)
               : NULL;
}

docket_value_state docket_item_state(docket_item item, const docket_type *type)
{
    uint32_t slot;
    const docket__item *found = find_in(item, type, &slot);
    return found == NULL ? DOCKET_VALUE_NOT_REACHED
                         : (docket_value_state)(found->states[slot] & (uint8_t)~DOCKET__BROKEN);
}

const char *docket_item_reason(docket_item item, const docket_type *type)
{
    uint32_t slot;
    const docket__item *found = find_in(item, type, &slot);
    return found == NULL || found->reasons == NULL || found->reasons[slot] == NULL ? "" : found->reasons[slot];
}

docket_status docket_item_error(docket_item item, docket_error *error)
{
    const docket__item *found = item.row;
    if (found == NULL || found->error == NULL) {
        docket__error_clear(error);
        return DOCKET_OK;
    }
    docket__error_copy(error, found->error);
    return found->error->status;
}
