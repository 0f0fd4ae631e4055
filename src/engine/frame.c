#include "base/error.h"
#include "base/memory.h"
#include "engine/group.h"
#include "type/codec.h"
#include <string.h>

/* Kept items. */

docket__item **docket__item_place(const docket__group *group, uint64_t index)
{
    return &group->pages[index / DOCKET__PAGE][index % DOCKET__PAGE];
}

/* With group->lock held. */
bool docket__item_make_place(docket__group *group, uint64_t index)
{
    size_t page = (size_t)(index / DOCKET__PAGE);
    if (page >= group->page_count) {
        size_t count = group->page_count == 0 ? 16 : 2 * group->page_count;
        count = count > page ? count : page + 1;
        docket__item ***pages = docket__resize(group->pages, count * sizeof *pages);
        if (pages == NULL) {
            return false;
        }
        memset(pages + group->page_count, 0, (count - group->page_count) * sizeof *pages);
        group->pages = pages;
        group->page_count = count;
    }
    if (group->pages[page] == NULL) {
        group->pages[page] = docket__allocate_array(DOCKET__PAGE, sizeof(docket__item *));
    }
    return group->pages[page] != NULL;
}

docket__item *docket__item_make(const docket__group *group)
{
    const docket__plan_group *plan = group->plan;
    size_t head = sizeof(docket__item) + plan->slot_count;
    size_t slack = plan->values_alignment - 1;
    docket__item *item = docket__allocate(head + slack + plan->values_size);
    if (item != NULL) {
        uintptr_t values = (uintptr_t)item + head;
        item->values = (uint8_t *)item + head + ((0 - values) & slack);
    }
    return item;
}

void docket__item_free(docket__item *item)
{
    if (item != NULL) {
        docket_arena memory = {.chunks = item->chunks, .adopted = item->adopted};
        docket__arena_release(&memory);
        docket__free(item->reasons);
        docket__free(item->error);
        docket__free(item);
    }
}

void *docket__item_value(const docket__group *group, const docket__item *item, uint32_t slot)
{
    return item->values + group->execution->plan->slots[group->plan->first_slot + slot].offset;
}

/* What the frame knows goes into what is kept. A reason that cannot be kept for lack of memory is left out. */
void docket__frame_pack(docket__frame *frame)
{
    docket__item *item = frame->item;
    uint32_t count = frame->group->plan->slot_count;
    for (uint32_t i = 0; i < count; i++) {
        const docket__slot *slot = &frame->row.slots[i];
        item->states[i] = (uint8_t)(slot->state | (slot->broken ? DOCKET__BROKEN : 0));
        if (slot->reason != NULL && item->reasons == NULL) {
            item->reasons = docket__allocate_array(count, sizeof *item->reasons);
        }
        if (item->reasons != NULL) {
            item->reasons[i] = slot->reason;
        }
    }
    item->chunks = frame->row.memory.chunks;
    item->adopted = frame->row.memory.adopted;
    item->error = frame->error;
    frame->row.memory = (docket_arena){0};
    frame->error = NULL;
    frame->item = NULL;
}

void docket__frame_unpack(docket__frame *frame, docket__item *item)
{
    docket__group *group = frame->group;
    frame->item = item;
    frame->row.values = item->values;
    frame->row.memory = (docket_arena){.chunks = item->chunks, .adopted = item->adopted};
    frame->error = item->error;
    item->chunks = item->adopted = NULL;
    item->error = NULL;
    for (uint32_t i = 0; i < group->plan->slot_count; i++) {
        docket__slot *slot = &frame->row.slots[i];
        slot->state = item->states[i] & (uint8_t)~DOCKET__BROKEN;
        slot->broken = (item->states[i] & DOCKET__BROKEN) != 0;
        slot->value = docket__item_value(group, item, i);
        slot->reason = item->reasons == NULL ? NULL : item->reasons[i];
        atomic_store_explicit(&slot->has_digest, 0, memory_order_relaxed);
    }
}

void docket__frame_drop(docket__frame *frame)
{
    docket__arena_release(&frame->row.memory);
    docket__free(frame->error);
    frame->error = NULL;
    docket__item_free(frame->item);
    frame->item = NULL;
}

/* Frames. */

static size_t add_up(size_t *total, size_t count, size_t size)
{
    size_t start = *total;
    *total += (count * size + 15) / 16 * 16;
    return start;
}

docket__frame *docket__frame_make(docket__group *group)
{
    const docket__plan_group *plan = group->plan;
    docket_execution *execution = group->execution;
    size_t size = 0;
    add_up(&size, 1, sizeof(docket__frame));
    size_t nodes = add_up(&size, plan->node_count, sizeof(docket__node));
    size_t slots = add_up(&size, plan->slot_count, sizeof(docket__slot));
    size_t digests = add_up(&size, execution->plan->recorded_count > 0 ? plan->slot_count : 0, 32);
    uint8_t *block = docket__allocate(size);
    if (block == NULL) {
        return NULL;
    }
    docket__frame *frame = (docket__frame *)block;
    frame->group = group;
    frame->row.first_slot = plan->first_slot;
    frame->row.first_node = plan->first_node;
    frame->row.nodes = (docket__node *)(block + nodes);
    frame->row.slots = (docket__slot *)(block + slots);
    frame->row.digests = execution->plan->recorded_count > 0 ? (uint8_t(*)[32])(block + digests) : NULL;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        docket__node *node = &frame->row.nodes[i];
        const docket_step_options *options = &execution->plan->nodes[plan->first_node + i].step->options;
        node->execution = execution;
        node->plan = &execution->plan->nodes[plan->first_node + i];
        node->row = &frame->row;
        node->pool_only = docket__step_needs_pool(execution, options);
    }
    pthread_mutex_lock(&group->lock);
    frame->next_made = group->made;
    group->made = frame;
    pthread_mutex_unlock(&group->lock);
    return frame;
}

/* A frame for a new item: all its slots are empty, their values zeroed. */
bool docket__frame_prepare(docket__frame *frame, uint64_t index)
{
    docket__group *group = frame->group;
    frame->item = docket__item_make(group);
    if (frame->item == NULL) {
        return false;
    }
    frame->index = index;
    frame->row.values = frame->item->values;
    for (uint32_t i = 0; i < group->plan->slot_count; i++) {
        docket__slot *slot = &frame->row.slots[i];
        slot->value = docket__item_value(group, frame->item, i);
        slot->reason = NULL;
        slot->state = DOCKET_VALUE_NOT_REACHED;
        slot->broken = false;
        atomic_store_explicit(&slot->has_digest, 0, memory_order_relaxed);
    }
    return true;
}

docket_status docket__frame_copy(docket__frame *frame, uint32_t slot, const docket_type *type, const void *value,
                                 docket_error *error)
{
    docket__slot *to = &frame->row.slots[slot];
    frame->row.memory.chunk_bytes = DOCKET__ITEM_CHUNK_BYTES;
    docket_status status = docket__type_copy(type, value, &frame->row.memory, (void *)(uintptr_t)to->value, error);
    to->state = DOCKET_VALUE_GIVEN;
    if (status != DOCKET_OK) {
        docket__error_set_type(error, type->name);
        error->item_index = (int64_t)frame->index;
    }
    return status;
}

/* With group->lock held. */
docket__frame *docket__frame_take(docket__group *group)
{
    docket__frame *frame = group->spare;
    if (frame != NULL) {
        group->spare = frame->next;
        frame->next = NULL;
    }
    return frame;
}

void docket__frame_give(docket__frame *frame)
{
    frame->next = frame->group->spare;
    frame->group->spare = frame;
}
