#include "engine/begin.h"
#include "engine/items.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/transaction.h"
#include "type/codec.h"
#include <string.h>

enum { MOST_INPUTS = 4096, MOST_OUTPUTS = 4096, MOST_WINDOW = 1 << 24 };

/* A request as it is understood: type indices beside what was asked. */
typedef struct reading {
    docket_graph *graph;
    docket_request request;
    const docket_type *const *outputs;
    size_t output_count;
    uint32_t *output_types;
    uint32_t *given_types; /* UINT32_MAX: the graph does not know the type, nobody needs the value */
    uint32_t *known;       /* given_types without these ... */
    size_t known_count;
    uint32_t *items;       /* ... and of these, those that have one value per item */
    size_t item_count;
    docket_arena memory;
    docket_ctx *parent;
} reading;

static docket_status check_graph(docket_graph *graph, docket_error *error)
{
    if (graph == NULL) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the graph is NULL (docket_graph_new answers NULL when memory is exhausted)");
    }
    if (graph->fork_generation != docket__fork_generation()) {
        return docket__error_set(error, DOCKET_FORKED, "graph \"%s\" was made before fork; make it in the child",
                                 graph->name);
    }
    if (!docket_graph_is_frozen(graph)) {
        return docket__error_set(error, DOCKET_STATE,
                                 "graph \"%s\" must be validated (docket_graph_validate) before it is executed",
                                 graph->name);
    }
    return DOCKET_OK;
}

static docket_status read_request(reading *read, const docket_request *request, docket_error *error)
{
    if (request == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the request is NULL");
    }
    docket_status status =
        docket__options_read(&read->request, sizeof read->request, request, "DOCKET_REQUEST_INIT", error);
    if (status != DOCKET_OK) {
        return status;
    }
    const docket_request *got = &read->request;
    read->outputs = got->output != NULL ? &got->output : got->outputs;
    read->output_count = got->output != NULL ? 1 : got->output_count;
    if (got->output != NULL && got->output_count > 0) {
        return docket__error_set(error, DOCKET_INVALID, "give either .output or DOCKET_OUTPUTS, not both");
    }
    if (read->outputs == NULL || read->output_count == 0) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the request names no output: set .output = DOCKET_OF(T) or DOCKET_OUTPUTS(T, ...)");
    }
    if (read->output_count > MOST_OUTPUTS || got->input_count > MOST_INPUTS ||
        (got->inputs == NULL && got->input_count > 0)) {
        return docket__error_set(error, DOCKET_INVALID, "%zu inputs and %zu outputs: at most %d of each, not NULL",
                                 got->input_count, read->output_count, MOST_INPUTS);
    }
    if ((unsigned)got->on_item_error > DOCKET_COLLECT || got->window > MOST_WINDOW) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "on_item_error is %d and window %zu: expected DOCKET_STOP or DOCKET_COLLECT, and at most "
                                 "%d items under way",
                                 (int)got->on_item_error, got->window, MOST_WINDOW);
    }
    return got->execution_id == NULL ? DOCKET_OK : docket__name_check("the execution id", got->execution_id, error);
}

static docket_status refuse_unknown(const docket_type *type, docket_error *error)
{
    docket__error_set(error, DOCKET_MISSING, "no step is registered for type \"%s\" and no value of it was given",
                      type->name);
    docket__error_set_type(error, type->name);
    return DOCKET_MISSING;
}

static docket_status read_outputs(reading *read, docket_error *error)
{
    read->output_types = docket__arena_allocate_array(&read->memory, read->output_count, sizeof(uint32_t), 4);
    if (read->output_types == NULL) {
        return docket__error_no_memory(error);
    }
    for (size_t i = 0; i < read->output_count; i++) {
        if (read->outputs[i] == NULL) {
            return docket__error_set(error, DOCKET_INVALID, "output %zu of the request is NULL", i);
        }
        read->output_types[i] = docket__graph_find_type(read->graph, read->outputs[i], error);
        if (read->output_types[i] == UINT32_MAX) {
            return error->status != DOCKET_OK ? error->status : refuse_unknown(read->outputs[i], error);
        }
    }
    return DOCKET_OK;
}

static docket_status check_form(const docket_input *input, docket_error *error)
{
    const docket_item_source *source = input->value;
    if ((unsigned)input->form > DOCKET_FORM_SOURCE ||
        (input->form == DOCKET_FORM_SOURCE && (source->next == NULL || input->count != 0))) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the items of type \"%s\" have no form that docket knows, or their source has no function: "
                                 "use DOCKET_ITEMS, DOCKET_ITEM_POINTERS or DOCKET_ITEM_SOURCE",
                                 input->type->name);
    }
    if (input->form != DOCKET_FORM_VALUE && (docket__type_base(input->type)->flags & DOCKET_TYPE_RESOURCE)) {
        return docket__error_set(error, DOCKET_INVALID, "type \"%s\" is a resource: it is given once, not per item",
                                 input->type->name);
    }
    for (size_t i = 0; input->form == DOCKET_FORM_POINTERS && i < input->count; i++) {
        if (((const void *const *)input->value)[i] == NULL) {
            docket__error_set(error, DOCKET_INVALID, "item %zu of type \"%s\" is NULL", i, input->type->name);
            error->item_index = (int64_t)i;
            return DOCKET_INVALID;
        }
    }
    return DOCKET_OK;
}

static docket_status check_input(const reading *read, size_t index, docket_error *error)
{
    const docket_input *input = &read->request.inputs[index];
    bool may_be_null = (input->form == DOCKET_FORM_ARRAY || input->form == DOCKET_FORM_POINTERS) && input->count == 0;
    if (input->type == NULL || input->type->name == NULL || (input->value == NULL && !may_be_null)) {
        return docket__error_set(error, DOCKET_INVALID, "input %zu (type \"%s\") of the request has a NULL %s",
                                 index, input->type == NULL || input->type->name == NULL ? "?" : input->type->name,
                                 input->type == NULL ? "type" : "value");
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(read->request.inputs[i].type->name, input->type->name) == 0) {
            docket__error_set(error, DOCKET_INVALID, "two values were given for type \"%s\": a type takes one",
                              input->type->name);
            docket__error_set_type(error, input->type->name);
            return DOCKET_INVALID;
        }
    }
    return check_form(input, error);
}

static docket_status read_inputs(reading *read, docket_error *error)
{
    size_t count = read->request.input_count;
    read->given_types = docket__arena_allocate_array(&read->memory, count, sizeof(uint32_t), 4);
    read->known = docket__arena_allocate_array(&read->memory, count, sizeof(uint32_t), 4);
    read->items = docket__arena_allocate_array(&read->memory, count, sizeof(uint32_t), 4);
    if (read->given_types == NULL || read->known == NULL || read->items == NULL) {
        return docket__error_no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        docket_status status = check_input(read, i, error);
        if (status != DOCKET_OK) {
            return status;
        }
        read->given_types[i] = docket__graph_find_type(read->graph, read->request.inputs[i].type, error);
        if (read->given_types[i] != UINT32_MAX) {
            read->known[read->known_count++] = read->given_types[i];
            if (read->request.inputs[i].form != DOCKET_FORM_VALUE) {
                read->items[read->item_count++] = read->given_types[i];
            }
        } else if (error->status != DOCKET_OK) {
            return error->status;
        }
    }
    return DOCKET_OK;
}

/* Values. */

static docket_status copy_input(docket_execution *execution, docket__slot *slot, docket_input input,
                                docket_error *error)
{
    const docket_type *base = docket__type_base(input.type);
    slot->state = DOCKET_VALUE_GIVEN;
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        slot->value = input.value;
        return DOCKET_OK;
    }
    void *value =
        docket__arena_allocate(&execution->row.memory, input.type->size, docket__type_alignment(input.type));
    if (value == NULL) {
        return docket__error_no_memory(error);
    }
    slot->value = value;
    docket_status status = docket__type_copy(input.type, input.value, &execution->row.memory, value, error);
    if (status != DOCKET_OK) {
        docket__error_set_type(error, input.type->name);
    }
    return status;
}

static docket_status take_inputs(const reading *read, docket_execution *execution, docket_error *error)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < read->request.input_count && status == DOCKET_OK; i++) {
        uint32_t slot = read->given_types[i] == UINT32_MAX
                            ? UINT32_MAX
                            : docket__plan_slot_of(execution->plan, read->given_types[i]);
        if (slot == UINT32_MAX) {
            continue;
        }
        status = slot < execution->plan->once_slots
                     ? copy_input(execution, &execution->row.slots[slot], read->request.inputs[i], error)
                     : docket__group_bring(execution, slot, &read->request.inputs[i], error);
    }
    return status;
}

/* Provided values, and the complaint about leaves that have none. */
static docket_status fill_leaves(docket_execution *execution, docket_error *error)
{
    const docket__plan *plan = execution->plan;
    for (uint32_t i = 0; i < plan->once_slots; i++) {
        docket__slot *slot = &execution->row.slots[i];
        const docket__graph_type *type = &execution->graph->types[plan->slots[i].type];
        if (plan->slots[i].producer != DOCKET__NO_STEP || slot->state == DOCKET_VALUE_GIVEN) {
            continue;
        }
        if (type->provided == NULL) {
            return refuse_unknown(type->type, error);
        }
        slot->value = type->provided;
        slot->state = DOCKET_VALUE_GIVEN;
    }
    return DOCKET_OK;
}

static docket_status choose_id(const reading *read, docket_execution *execution, docket_error *error)
{
    const char *id = read->request.execution_id;
    if (id != NULL) {
        execution->id = docket__duplicate(id);
    } else if (read->parent != NULL) {
        execution->id = docket__execution_derive_id(read->parent);
    } else if (execution->plan->has_workflow) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the plan has a step in WORKFLOW scope: set .execution_id to an id that you will know "
            "again after a crash");
    } else {
        return DOCKET_OK;
    }
    return execution->id == NULL ? docket__error_no_memory(error) : DOCKET_OK;
}

/* Limits. */

static int64_t earlier(int64_t deadline_ms, int64_t now_ms, int64_t limit_ms)
{
    if (limit_ms == 0 || limit_ms > INT64_MAX - now_ms) {
        return deadline_ms;
    }
    int64_t other_ms = limit_ms < 0 ? now_ms : now_ms + limit_ms;
    return other_ms < deadline_ms ? other_ms : deadline_ms;
}

/* *limit_ms: from now to there. */
static int64_t choose_deadline(const reading *read, int64_t *limit_ms)
{
    const docket_graph *graph = read->graph;
    int64_t deadline_ms = INT64_MAX;
    int64_t now_ms = 0;
    if (read->request.time_limit_ms != 0 || graph->options.time_limit_ms != 0 || read->parent != NULL) {
        now_ms = docket__clock_monotonic_ms();
        deadline_ms = earlier(deadline_ms, now_ms, read->request.time_limit_ms);
        deadline_ms = earlier(deadline_ms, now_ms, graph->options.time_limit_ms);
    }
    if (read->parent != NULL) {
        int64_t above_ms = read->parent->execution->deadline_ms;
        above_ms = read->parent->limit_ms < above_ms ? read->parent->limit_ms : above_ms;
        deadline_ms = above_ms < deadline_ms ? above_ms : deadline_ms;
    }
    *limit_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return deadline_ms;
}

static docket_status check_items(const reading *read, const docket_execution *execution, docket_error *error)
{
    const docket_request *request = &read->request;
    if (request->item_done != NULL && execution->group_count != 1) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "item_done is set, and the execution has %u kinds of items: it must have one",
                                 (unsigned)execution->group_count);
    }
    return DOCKET_OK;
}

static docket_status make_execution(reading *read, bool blocking, docket_execution **execution, docket_error *error)
{
    const docket__plan *plan = NULL;
    const docket__demand demand = {
        .outputs = read->output_types,
        .output_count = (uint32_t)read->output_count,
        .given = read->known,
        .given_count = (uint32_t)read->known_count,
        .items = read->items,
        .item_count = (uint32_t)read->item_count,
    };
    docket_status status = docket__graph_plan_for(read->graph, &demand, &plan, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__transaction_check_nested(read->parent, plan, error);
    if (status != DOCKET_OK) {
        docket__plan_release(plan);
        return status;
    }
    int64_t limit_ms;
    int64_t deadline_ms = choose_deadline(read, &limit_ms);
    bool limited = deadline_ms != INT64_MAX || read->request.cancel != NULL ||
                   (read->parent != NULL && read->parent->execution->limited);
    docket_execution *made = docket__execution_new(read->graph, plan, blocking, limited);
    if (made == NULL) {
        docket__plan_release(plan);
        return docket__error_no_memory(error);
    }
    made->deadline_ms = deadline_ms;
    made->limit_ms = limit_ms;
    status = docket__groups_new(made, &read->request) ? DOCKET_OK : docket__error_no_memory(error);
    status = status == DOCKET_OK ? check_items(read, made, error) : status;
    status = status == DOCKET_OK ? take_inputs(read, made, error) : status;
    status = status == DOCKET_OK ? fill_leaves(made, error) : status;
    status = status == DOCKET_OK ? choose_id(read, made, error) : status;
    if (status != DOCKET_OK) {
        docket__execution_discard(made);
        return status;
    }
    if (read->request.cancel != NULL) {
        made->cancel = docket__cancel_ref(read->request.cancel);
    }
    if (read->parent != NULL) {
        docket__execution_join_parent(made, read->parent);
    }
    *execution = made;
    return DOCKET_OK;
}

docket_status docket__execution_prepare(docket_graph *graph, const docket_request *request, bool blocking,
                                        docket_execution **execution, docket_error *error)
{
    docket_status status = check_graph(graph, error);
    if (status != DOCKET_OK) {
        return status;
    }
    reading read = {.graph = graph};
    status = read_request(&read, request, error);
    if (status == DOCKET_OK) {
        read.parent = read.request.parent != NULL ? read.request.parent : docket__ctx_current;
        status = read_outputs(&read, error);
    }
    status = status == DOCKET_OK ? read_inputs(&read, error) : status;
    status = status == DOCKET_OK ? make_execution(&read, blocking, execution, error) : status;
    docket__arena_release(&read.memory);
    if (status != DOCKET_OK && read.request.execution_id != NULL) {
        docket__error_set_execution(error, read.request.execution_id);
    }
    return status;
}
