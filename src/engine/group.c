/* Groups: made with their execution, freed with it. */
#include "engine/group.h"
#include "base/error.h"
#include "base/memory.h"
#include "type/codec.h"

enum { DEFAULT_WINDOW = 1024 };

static bool init_group(docket__group *group, docket_execution *execution, uint32_t index,
                       const docket_request *request)
{
    const docket__plan_group *plan = &execution->plan->groups[index];
    group->execution = execution;
    group->plan = plan;
    group->window = request->window == 0 ? DEFAULT_WINDOW : request->window;
    group->ready_last = &group->ready;
    group->item_done = request->item_done;
    group->item_arg = request->item_arg;
    group->keeps = plan->keeps_rows;
    if (plan->source != DOCKET__NO_STEP) {
        const docket__graph_step *step = execution->plan->nodes[plan->source].step;
        group->holds = step->info.scope != DOCKET_SCOPE_NONE || step->info.max_attempts > 1;
    }
    for (uint32_t i = 0; i < execution->plan->output_count; i++) {
        uint32_t slot = execution->plan->output_slots[i];
        bool own = slot >= plan->first_slot && slot < plan->first_slot + plan->slot_count;
        group->keeps = group->keeps || (own && group->item_done == NULL);
    }
    group->gates = docket__allocate_array(plan->stage_count, sizeof *group->gates);
    group->lists = docket__allocate_array(plan->slot_count, sizeof *group->lists);
    group->admissions = docket__allocate_array(plan->node_count, sizeof *group->admissions);
    group->broken = docket__allocate_array(plan->slot_count, sizeof *group->broken);
    bool in_order = plan->fold_count > 0 || group->item_done != NULL;
    group->folds = docket__allocate_array(plan->fold_count, sizeof(docket__node *));
    group->ring = in_order ? docket__allocate_array(group->window, sizeof *group->ring) : NULL;
    if (group->gates == NULL || group->lists == NULL || group->admissions == NULL || group->broken == NULL ||
        group->folds == NULL || (in_order && group->ring == NULL)) {
        return false;
    }
    group->fold_count = plan->fold_count;
    group->slot_count = plan->slot_count;
    group->first_node = plan->first_node;
    group->node_count = plan->node_count;
    for (uint32_t i = 0; i < plan->fold_count; i++) {
        group->folds[i] = &execution->row.nodes[plan->folds[i]];
    }
    for (uint32_t i = 0; i < plan->stage_count; i++) {
        group->gates[i] = plan->stages[i].gate_count;
    }
    while (group->open_stages < plan->stage_count && group->gates[group->open_stages] == 0) {
        group->open_stages++;
    }
    docket__turns_set(group);
    docket__group_begin_pass(group, 0);
    return true;
}

static void init_locks(docket__group *group)
{
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->room, NULL);
}

bool docket__groups_new(docket_execution *execution, const docket_request *request)
{
    uint32_t count = execution->plan->group_count;
    execution->collects = request->on_item_error == DOCKET_COLLECT;
    if (count == 0) {
        return true;
    }
    execution->groups = docket__allocate_array(count, sizeof *execution->groups);
    bool made = execution->groups != NULL;
    for (uint32_t g = 0; g < count && made; g++) {
        init_locks(&execution->groups[g]);
    }
    execution->group_count = made ? count : 0;
    for (uint32_t g = 0; g < count && made; g++) {
        made = init_group(&execution->groups[g], execution, g, request);
    }
    return made;
}

static void free_group(docket__group *group)
{
    for (uint32_t i = 0; i < group->slot_count && group->lists != NULL; i++) {
        docket__free(group->lists[i].values);
    }
    docket__free(group->lists);
    for (docket__frame *frame = group->made, *next; frame != NULL; frame = next) {
        next = frame->next_made;
        docket__frame_drop(frame);
        if (frame->spare != NULL) {
            docket__ctx_dispose(frame->spare);
        }
        docket__free(frame);
    }
    for (docket__lane *made = group->made_lanes, *next; made != NULL; made = next) {
        next = made->next_made;
        docket__free(made);
    }
    for (size_t page = 0; page < group->page_count; page++) {
        for (size_t i = 0; group->pages[page] != NULL && i < DOCKET__PAGE; i++) {
            docket__item_free(group->pages[page][i]);
        }
        docket__free(group->pages[page]);
    }
    docket__free(group->pages);
    docket__free(group->gates);
    docket__free(group->admissions);
    docket__free(group->broken);
    for (uint32_t i = 0; i < group->fold_count; i++) { /* that were at work when the execution stopped */
        if (group->folds[i]->ctx != NULL) {
            docket__ctx_unref(group->folds[i]->ctx);
        }
    }
    docket__free(group->folds);
    docket__free(group->ring);
    docket__free(group->error);
    pthread_cond_destroy(&group->room);
    pthread_mutex_destroy(&group->lock);
}

void docket__groups_free(docket_execution *execution)
{
    for (uint32_t g = 0; g < execution->group_count; g++) {
        free_group(&execution->groups[g]);
    }
    docket__free(execution->groups);
    execution->groups = NULL;
}

static docket_status refuse_mixture(const docket_input *input, docket_error *error)
{
    docket__error_set(
        error, DOCKET_INVALID,
        "the items of type \"%s\" do not go with the other items of the request: all have the same count, and "
        "a source is the only one",
        input->type->name);
    docket__error_set_type(error, input->type->name);
    return DOCKET_INVALID;
}

static const void *value_at(const docket_input *input, size_t index)
{
    return input->form == DOCKET_FORM_POINTERS ? ((const void *const *)input->value)[index]
                                               : (const uint8_t *)input->value + index * input->type->size;
}

/* Copies what is brought, since it belongs to the caller again when the call returns. */
static docket_status copy_items(docket__group *group, uint32_t slot, const docket_input *input, docket_error *error)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < input->count && status == DOCKET_OK; i++) {
        bool fits = docket__item_make_place(group, i);
        docket__item **place = fits ? docket__item_place(group, i) : NULL;
        if (fits && *place == NULL) {
            *place = docket__item_make(group);
        }
        docket__item *item = fits ? *place : NULL;
        if (item == NULL) {
            return docket__error_no_memory(error);
        }
        docket_arena memory = {
            .chunk_bytes = DOCKET__ITEM_CHUNK_BYTES, .chunks = item->chunks, .adopted = item->adopted};
        status = docket__type_copy(input->type, value_at(input, i), &memory, docket__item_value(group, item, slot),
                                   error);
        item->chunks = memory.chunks;
        item->adopted = memory.adopted;
        item->states[slot] = DOCKET_VALUE_GIVEN;
        if (status != DOCKET_OK) {
            docket__error_set_type(error, input->type->name);
            error->item_index = (int64_t)i;
        }
    }
    return status;
}

docket_status docket__group_bring(docket_execution *execution, uint32_t slot, const docket_input *input,
                                  docket_error *error)
{
    docket__group *group = execution->groups;
    while (slot < group->plan->first_slot || slot >= group->plan->first_slot + group->plan->slot_count) {
        group++;
    }
    slot -= group->plan->first_slot;
    bool first = !group->holds && group->source == NULL;
    if (!first && (group->source != NULL || input->form == DOCKET_FORM_SOURCE || group->total != input->count)) {
        return refuse_mixture(input, error);
    }
    if (input->form == DOCKET_FORM_SOURCE) {
        group->source = input->value;
        group->source_type = input->type;
        group->source_slot = slot;
        return DOCKET_OK;
    }
    group->holds = true;
    group->total = input->count;
    return copy_items(group, slot, input, error);
}

void docket__groups_start(docket_execution *execution)
{
    for (uint32_t g = 0; g < execution->plan->group_count; g++) {
        docket__group *group = &execution->groups[g];
        if (group->holds && group->plan->source == DOCKET__NO_STEP) {
            docket__group_close(group);
        } else {
            docket__group_advance(group);
        }
    }
}
