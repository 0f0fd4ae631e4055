#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "graph/build.h"
#include "store/store.h"
#include "type/schema.h"

#include <stdio.h>
#include <string.h>

/* A step on its way into the graph. */
typedef struct addition {
    const docket_step *step;
    const char *name;
    docket_step_options options;
    uint32_t output;
    uint32_t inputs[DOCKET_MAX_INPUTS];
} addition;

/* The end of a source file's path: enough to find it by, short enough for two in one message. */
static const char *file_of(const docket_step *step)
{
    enum { LONGEST = 80 };
    const char *file = step->file != NULL ? step->file : "unknown";
    size_t length = strlen(file);
    if (length <= LONGEST) {
        return file;
    }
    const char *tail = strchr(file + length - LONGEST, '/');
    return tail != NULL ? tail + 1 : file + length - LONGEST;
}

static docket_status check_input(const docket_step *step, uint32_t i, docket_error *error)
{
    const docket_step_input *input = &step->inputs[i];
    if (input->type == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the type of input %u is NULL", i + 1);
    }
    if (input->flags & ~(uint32_t)(DOCKET_INPUT_MAYBE | DOCKET_INPUT_ITEMS)) {
        return docket__error_set(error, DOCKET_INVALID, "input %u has flags that docket %s does not know: 0x%x",
                                 i + 1, DOCKET_VERSION_STRING, (unsigned)input->flags);
    }
    if ((input->flags & DOCKET_INPUT_ITEMS) && i > 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "input %u has DOCKET_INPUT_ITEMS: the items of an aggregate are its first input",
                                 i + 1);
    }
    return DOCKET_OK;
}

static docket_status check_inputs(const docket_step *step, docket_error *error)
{
    if (step->input_count > DOCKET_MAX_INPUTS) {
        return docket__error_set(error, DOCKET_INVALID, "the step has %u inputs: %d is the most",
                                 (unsigned)step->input_count, DOCKET_MAX_INPUTS);
    }
    if (step->input_count > 0 && step->inputs == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "input_count is %u and inputs is NULL",
                                 (unsigned)step->input_count);
    }
    for (uint32_t i = 0; i < step->input_count; i++) {
        docket_status status = check_input(step, i, error);
        if (status != DOCKET_OK) {
            return status;
        }
    }
    return DOCKET_OK;
}

static docket_status check_form(const docket_step *step, docket_error *error)
{
    bool expand = (step->flags & DOCKET_STEP_EXPAND) != 0;
    bool fold = (step->flags & DOCKET_STEP_FOLD) != 0;
    bool items = step->input_count > 0 && (step->inputs[0].flags & DOCKET_INPUT_ITEMS);
    if (expand && (fold || items)) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the step expands and takes all items as well: let an aggregate make what it expands");
    }
    if (fold && !items) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the step folds: its first input must have DOCKET_INPUT_ITEMS");
    }
    return DOCKET_OK;
}

static docket_status check_descriptor(const docket_step *step, docket_error *error)
{
    if (step->abi != DOCKET_STEP_ABI) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the step's descriptor has ABI %u: docket %s reads ABI %u, compile the step again with "
            "its headers",
            (unsigned)step->abi, DOCKET_VERSION_STRING, DOCKET_STEP_ABI);
    }
    if ((step->flags & ~(uint32_t)(DOCKET_STEP_EXPAND | DOCKET_STEP_FOLD)) != 0 || step->reserved[0] != NULL ||
        step->reserved[1] != NULL) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the step's descriptor has flags that docket %s does not know, or reserved members "
            "that are not 0",
            DOCKET_VERSION_STRING);
    }
    if (step->version < 1) {
        return docket__error_set(error, DOCKET_INVALID, "the step's version is 0: versions start at 1");
    }
    if (step->call == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the step has no function: call is NULL");
    }
    if (step->output == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the step has no output: its type is NULL");
    }
    docket_status status = check_inputs(step, error);
    return status == DOCKET_OK ? check_form(step, error) : status;
}

static docket_status mention_types(docket_graph *graph, addition *new, docket_error *error)
{
    const docket_step *step = new->step;
    docket_status status = docket__graph_mention(graph, step->output, &new->output, error);
    for (uint32_t i = 0; i < step->input_count && status == DOCKET_OK; i++) {
        status = docket__graph_mention(graph, step->inputs[i].type, &new->inputs[i], error);
    }
    return status;
}

static docket_status check_types(const docket_graph *graph, const addition *new, docket_error *error)
{
    const docket__graph_type *output = &graph->types[new->output];
    bool is_aggregate = new->step->input_count > 0 && (new->step->inputs[0].flags &DOCKET_INPUT_ITEMS);
    if (output->resource) {
        docket__error_set(error, DOCKET_INVALID,
                          "type \"%s\" is a resource: steps take resources, but do not make them",
                          output->type->name);
        docket__error_set_type(error, output->type->name);
        return DOCKET_INVALID;
    }
    if (is_aggregate && graph->types[new->inputs[0]].resource) {
        const char *item = new->step->inputs[0].type->name;
        docket__error_set(error, DOCKET_INVALID, "type \"%s\" is a resource and cannot be the item of an aggregate",
                          item);
        docket__error_set_type(error, item);
        return DOCKET_INVALID;
    }
    return DOCKET_OK;
}

static docket_status check_unique(const docket_graph *graph, const addition *new, docket_error *error)
{
    const docket__graph_type *output = &graph->types[new->output];
    if (output->producer != DOCKET__NO_STEP) {
        const docket__graph_step *first = graph->steps[output->producer];
        docket__error_set(
            error, DOCKET_DUPLICATE,
            "step \"%s\" (%s:%d) makes type \"%s\", which step \"%s\" (%s:%d) already makes: a type has "
            "one step",
            new->name, file_of(new->step), new->step->line, output->type->name, first->info.name,
            file_of(first->step), first->step->line);
        docket__error_set_type(error, output->type->name);
        return DOCKET_DUPLICATE;
    }
    const docket__graph_step *namesake = docket__map_get(&graph->step_by_name, new->name, strlen(new->name));
    if (namesake != NULL) {
        return docket__error_set(
            error, DOCKET_DUPLICATE,
            "two steps have the name \"%s\": one at %s:%d, one at %s:%d; set .name in the options "
            "of one of them",
            new->name, file_of(namesake->step), namesake->step->line, file_of(new->step), new->step->line);
    }
    return DOCKET_OK;
}

static docket_step_info describe(const addition *new, const char *name)
{
    const docket_step *step = new->step;
    const docket_step_options *options = &new->options;
    return (docket_step_info){
        .struct_size = sizeof(docket_step_info),
        .name = name,
        .version = step->version,
        .output = step->output,
        .inputs = step->inputs,
        .input_count = step->input_count,
        .aggregate = step->input_count > 0 && (step->inputs[0].flags & DOCKET_INPUT_ITEMS),
        .fold = (step->flags & DOCKET_STEP_FOLD) != 0,
        .expand = (step->flags & DOCKET_STEP_EXPAND) != 0,
        .scope = options->scope,
        .commit = options->commit,
        .effect = options->effect,
        .ttl_ms = options->ttl_ms,
        .max_attempts = options->max_attempts,
        .backoff = options->backoff,
        .time_limit_ms = options->time_limit_ms,
        .cooperative = options->cooperative,
        .isolated = options->isolated,
        .file = step->file,
        .line = step->line,
    };
}

static docket__graph_step *make_step(docket_graph *graph, const addition *new)
{
    docket_arena *memory = &graph->memory;
    docket__graph_step *made = docket__arena_allocate(memory, sizeof *made, _Alignof(docket__graph_step));
    const char *name = docket__arena_duplicate(memory, new->name);
    const uint32_t *inputs = docket__arena_copy(memory, new->inputs, new->step->input_count * sizeof *inputs);
    if (made == NULL || name == NULL || inputs == NULL) {
        return NULL;
    }
    made->info = describe(new, name);
    made->step = new->step;
    made->options = new->options;
    made->options.name = name;
    made->output = new->output;
    made->inputs = inputs;
    made->input_count = new->step->input_count;
    return made;
}

/* What a store keeps beside the values of a recorded step. */
static docket_status describe_output(docket_graph *graph, const addition *new, docket_error *error)
{
    docket__graph_type *output = &graph->types[new->output];
    docket_buffer schema = {0};
    if (new->options.scope == DOCKET_SCOPE_NONE || output->schema.size > 0) {
        return DOCKET_OK;
    }
    docket_status status = docket__schema_encode(output->type, &schema, error);
    if (status == DOCKET_OK) {
        const uint8_t *kept = docket__arena_copy(&graph->memory, schema.data, schema.size);
        if (kept != NULL) {
            output->schema = (docket_bytes){kept, schema.size};
        } else {
            status = docket__error_no_memory(error);
        }
    }
    docket__buffer_release(&schema);
    return status;
}

/* The last thing an addition does: what is written here stays. */
static docket_status append_step(docket_graph *graph, const addition *new, docket_error *error)
{
    void *steps = graph->steps;
    docket_status status =
        docket__graph_grow(&steps, graph->step_count, &graph->step_capacity, sizeof *graph->steps, error);
    graph->steps = steps;
    if (status != DOCKET_OK) {
        return status;
    }
    docket__graph_step *made = make_step(graph, new);
    if (made == NULL ||
        docket__map_put(&graph->step_by_name, made->info.name, strlen(made->info.name), made) != DOCKET_OK) {
        return docket__error_no_memory(error);
    }
    if (made->options.store != NULL) {
        docket__store_ref(made->options.store);
    }
    graph->types[new->output].producer = graph->step_count;
    graph->steps[graph->step_count++] = made;
    graph->leaves_stale = true;
    return DOCKET_OK;
}

static docket_status add(docket_graph *graph, addition *new, const docket_step_options *options,
                         docket_error *error)
{
    docket_status status = check_descriptor(new->step, error);
    if (status == DOCKET_OK) {
        status = docket__graph_resolve_step(graph, options, &new->options, error);
    }
    if (status == DOCKET_OK) {
        status = docket__graph_resolve_effect(new->step, &new->options, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    new->name = new->options.name != NULL ? new->options.name : new->step->name;
    status = docket__name_check("the step's name", new->name, error);
    if (status == DOCKET_OK) {
        status = mention_types(graph, new, error);
    }
    if (status == DOCKET_OK) {
        status = check_types(graph, new, error);
    }
    if (status == DOCKET_OK) {
        status = check_unique(graph, new, error);
    }
    if (status == DOCKET_OK) {
        status = describe_output(graph, new, error);
    }
    if (status == DOCKET_OK) {
        status = append_step(graph, new, error);
    }
    return status;
}

docket_status docket_graph_add(docket_graph *graph, const docket_step *step, const docket_step_options *options)
{
    docket_status status = docket__graph_check_open(graph);
    if (status != DOCKET_OK) {
        return status;
    }
    docket_error *error = docket__graph_error(graph);
    if (step == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_graph_add: the step is NULL");
    }
    addition new = {.step = step};
    uint32_t known_types = graph->type_count;
    status = add(graph, &new, options, error);
    if (status != DOCKET_OK) {
        docket__graph_forget_types(graph, known_types);
        docket__error_set_step(error, new.name != NULL ? new.name : step->name);
    }
    return status;
}

docket_status docket_graph_add_all(docket_graph *graph, const docket_step_options *options,
                                   const docket_step *const *steps)
{
    docket_status first = docket__graph_check_open(graph);
    if (first != DOCKET_OK) {
        return first;
    }
    if (steps == NULL) {
        return docket__error_set(docket__graph_error(graph), DOCKET_INVALID,
                                 "docket_graph_add_all: the list is NULL");
    }
    for (size_t i = 0; steps[i] != NULL; i++) {
        docket_status status = docket_graph_add(graph, steps[i], options);
        first = first == DOCKET_OK ? status : first;
    }
    return first;
}

/* Fakes. */

static const char *flag_text(uint32_t flags)
{
    return flags & DOCKET_INPUT_ITEMS ? " (all items)" : flags & DOCKET_INPUT_MAYBE ? " (MAYBE)" : "";
}

static docket_status compare(const docket_graph *graph, uint32_t type, const docket_step_input *expected,
                             const docket_step *fake, const docket_step_input *found, const char *place,
                             docket_error *error)
{
    docket_error differs = DOCKET_ERROR_INIT;
    uint32_t index = docket__graph_find_type(graph, found->type, &differs);
    if (index == UINT32_MAX && differs.status != DOCKET_OK) {
        docket__error_copy(error, &differs);
        return differs.status;
    }
    if (index == type && found->flags == expected->flags) {
        return DOCKET_OK;
    }
    docket__error_set(error, DOCKET_TYPE, "the fake \"%s\" (%s:%d) has %s%s as its %s, where the step has %s%s",
                      fake->name, file_of(fake), fake->line, found->type->name, flag_text(found->flags), place,
                      expected->type->name, flag_text(expected->flags));
    docket__error_set_type(error, expected->type->name);
    return DOCKET_TYPE;
}

static const char *form_text(uint32_t flags)
{
    return flags & DOCKET_STEP_EXPAND ? "an expansion" : flags & DOCKET_STEP_FOLD ? "a fold" : "a plain step";
}

static docket_status compare_types(const docket_graph *graph, const docket__graph_step *known,
                                   const docket_step *fake, docket_error *error)
{
    if (fake->flags != known->step->flags) {
        return docket__error_set(error, DOCKET_TYPE, "the fake \"%s\" (%s:%d) is %s, where the step is %s", fake->name,
                                 file_of(fake), fake->line, form_text(fake->flags), form_text(known->step->flags));
    }
    const docket_step_input outputs[] = {{known->step->output, 0}, {fake->output, 0}};
    docket_status status = compare(graph, known->output, &outputs[0], fake, &outputs[1], "output", error);
    if (status == DOCKET_OK && fake->input_count != known->input_count) {
        return docket__error_set(error, DOCKET_TYPE, "the fake \"%s\" (%s:%d) has %u inputs, where the step has %u",
                                 fake->name, file_of(fake), fake->line, (unsigned)fake->input_count,
                                 (unsigned)known->input_count);
    }
    for (uint32_t i = 0; i < known->input_count && status == DOCKET_OK; i++) {
        char place[24];
        snprintf(place, sizeof place, "input %u", (unsigned)i + 1);
        status = compare(graph, known->inputs[i], &known->step->inputs[i], fake, &fake->inputs[i], place, error);
    }
    return status;
}

static docket_status replace(docket_graph *graph, docket__graph_step *known, const docket_step *fake, void *user,
                             docket_error *error)
{
    docket_status status = check_descriptor(fake, error);
    if (status == DOCKET_OK) {
        status = compare_types(graph, known, fake, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    docket_step *disguised = docket__arena_allocate(&graph->memory, sizeof *disguised, _Alignof(docket_step));
    if (disguised == NULL) {
        return docket__error_no_memory(error);
    }
    *disguised = *known->step;
    disguised->call = fake->call;
    known->info.file = disguised->file = fake->file;
    known->info.line = disguised->line = fake->line;
    known->step = disguised;
    known->options.user = user != NULL ? user : known->options.user;
    return DOCKET_OK;
}

docket_status docket_graph_replace(docket_graph *graph, const char *name, const docket_step *fake, void *user)
{
    docket_status status = docket__graph_check_open(graph);
    if (status != DOCKET_OK) {
        return status;
    }
    docket_error *error = docket__graph_error(graph);
    if (name == NULL || fake == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_graph_replace: the %s is NULL",
                                 name == NULL ? "name" : "fake");
    }
    docket__graph_step *known = docket__map_get(&graph->step_by_name, name, strlen(name));
    status = known != NULL
                 ? replace(graph, known, fake, user, error)
                 : docket__error_set(error, DOCKET_MISSING, "docket_graph_replace: graph \"%s\" has no step \"%s\"",
                                     graph->name, name);
    if (status != DOCKET_OK) {
        docket__error_set_step(error, name);
    }
    return status;
}
