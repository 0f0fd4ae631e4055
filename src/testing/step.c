/* One step, entered by hand.
 *
 * A graph of one step is executed. That step is a copy of the descriptor in question with another function, `enter`,
 * which lets earlier attempts fail, puts the arguments together that no value was given for, and calls the function. It
 * is cooperative, so that it runs on the thread that asks; there `current` leads to what it needs, as the context's
 * `user` pointer is the step's. */
#include "testing/inside.h"

#include <stdio.h>
#include <string.h>

typedef struct entry {
    const docket_step *step;
    docket_test_step_options options;
    docket_cancel *to_be_set;                    /* at the entry; NULL = none */
    docket_step_input inputs[DOCKET_MAX_INPUTS]; /* those of the step for which there are values */
    uint32_t places[DOCKET_MAX_INPUTS];          /* of these, among the step's own */
    uint32_t input_count;
    /* What it came to. */
    bool ended;
    docket_status status;
    docket_error error;
} entry;

static _Thread_local entry *current;

static bool folds_items(const entry *of)
{
    return (of->step->flags & DOCKET_STEP_FOLD) && of->options.items != NULL;
}

/* One item after the other, into one output. */
static docket_status fold(const entry *of, docket_ctx *ctx, void *output, docket_argument *all)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < of->options.item_count && status == DOCKET_OK; i++) {
        all[0] = (docket_argument){(void *)(uintptr_t)of->options.items[i], 1};
        docket_ctx_pretend(ctx, (int64_t)i, of->options.idempotency_key);
        status = of->step->call(ctx, output, all);
    }
    return status;
}

static docket_status enter(docket_ctx *ctx, void *output, const docket_argument *args)
{
    entry *of = current;
    docket_argument all[DOCKET_MAX_INPUTS] = {{NULL, 0}};
    if (docket_ctx_attempt(ctx) < of->options.attempt) {
        return docket_retry_after(ctx, 0, 0, "an attempt before the one in question");
    }
    for (uint32_t i = 0; i < of->input_count; i++) {
        all[of->places[i]] = args[i];
    }
    if (of->options.items != NULL) {
        all[0] = (docket_argument){(void *)(uintptr_t)of->options.items, of->options.item_count};
    }
    docket_ctx_pretend(ctx, of->options.item_number - 1, of->options.idempotency_key);
    docket_cancel_set(of->to_be_set);
    return folds_items(of) ? fold(of, ctx, output, all) : of->step->call(ctx, output, all);
}

static void listen(void *arg, const docket_event *event)
{
    entry *of = arg;
    if (event->kind != DOCKET_EVENT_STEP_END || event->attempt < of->options.attempt) {
        return;
    }
    of->ended = true;
    of->status = event->status;
    docket__test_clear(&of->error);
    if (event->error != NULL) {
        of->error = *event->error;
    } else if (event->status == DOCKET_ABSENT) {
        docket__test_fail(&of->error, DOCKET_ABSENT, "%s", event->reason != NULL ? event->reason : "");
    }
}

/* What is given. */

static bool is_type(const docket_type *a, const docket_type *b)
{
    return a != NULL && b != NULL && a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
}

static bool is_given(const entry *of, const docket_type *type)
{
    for (size_t i = 0; i < of->options.input_count; i++) {
        if (is_type(of->options.inputs[i].type, type)) {
            return true;
        }
    }
    return false;
}

/* The first given value that the step does not take; NULL = none. */
static const docket_type *superfluous(const entry *of)
{
    for (size_t i = 0; i < of->options.input_count; i++) {
        const docket_type *type = of->options.inputs[i].type;
        bool is_taken = type == NULL; /* the engine complains of it in its own words */
        for (uint32_t j = 0; j < of->step->input_count; j++) {
            is_taken = is_taken || is_type(of->step->inputs[j].type, type);
        }
        if (!is_taken) {
            return type;
        }
    }
    return NULL;
}

static bool takes_items(const docket_step *step)
{
    return step->input_count > 0 && (step->inputs[0].flags & DOCKET_INPUT_ITEMS);
}

static docket_status check_items(const entry *of, docket_error *error)
{
    const docket_test_step_options *options = &of->options;
    if (options->items == NULL) {
        return options->item_count == 0
                   ? DOCKET_OK
                   : docket__test_fail(error, DOCKET_INVALID, "item_count is %zu and items is NULL",
                                       options->item_count);
    }
    if (!takes_items(of->step)) {
        return docket__test_fail(error, DOCKET_INVALID,
                                 "step \"%s\" is neither an aggregate nor a fold: it takes no items",
                                 of->step->name);
    }
    if (is_given(of, of->step->inputs[0].type)) {
        return docket__test_fail(error, DOCKET_INVALID, "%s is given as items and as an input: one of them",
                                 of->step->inputs[0].type->name);
    }
    for (size_t i = 0; i < options->item_count; i++) {
        if (options->items[i] == NULL) {
            return docket__test_fail(error, DOCKET_INVALID, "item %zu is NULL", i);
        }
    }
    return DOCKET_OK;
}

static docket_status check(const entry *of, docket_error *error)
{
    const docket_step *step = of->step;
    const docket_test_step_options *options = &of->options;
    if (step->abi != DOCKET_STEP_ABI || step->name == NULL || step->call == NULL ||
        step->input_count > DOCKET_MAX_INPUTS || (step->input_count > 0 && step->inputs == NULL)) {
        return docket__test_fail(error, DOCKET_INVALID,
                                 "the step's descriptor is no good: docket_graph_add tells what is wrong with it");
    }
    if (options->input_count > 0 && options->inputs == NULL) {
        return docket__test_fail(error, DOCKET_INVALID, "input_count is %zu and inputs is NULL",
                                 options->input_count);
    }
    if (options->attempt < 0 || options->item_number < 0) {
        return docket__test_fail(error, DOCKET_INVALID, "attempt is %d and item_number %lld: both count from 1",
                                 options->attempt, (long long)options->item_number);
    }
    if (options->time_limit_ms < 0) {
        return docket__test_fail(
            error, DOCKET_INVALID,
            "time_limit_ms is negative: for a step whose time is up, set the cancel token before");
    }
    const docket_type *type = superfluous(of);
    if (type != NULL) {
        return docket__test_fail(error, DOCKET_INVALID, "step \"%s\" takes no %s: a value of it was given",
                                 step->name, type->name != NULL ? type->name : "?");
    }
    return check_items(of, error);
}

static void choose_inputs(entry *of)
{
    for (uint32_t i = 0; i < of->step->input_count; i++) {
        const docket_step_input *input = &of->step->inputs[i];
        bool is_absent = (input->flags & DOCKET_INPUT_MAYBE) && !is_given(of, input->type);
        if (!is_absent && !(i == 0 && of->options.items != NULL)) {
            of->inputs[of->input_count] = *input;
            of->places[of->input_count++] = i;
        }
    }
}

/* The execution. */

static docket_graph *make_graph(entry *of, const docket_step *host, docket_error *error)
{
    const docket_observer observer = {listen, of};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options step_options = {DOCKET_STEP_OPTIONS_INIT, .user = of->options.user,
                                              .max_attempts = of->options.attempt, .cooperative = true};
    docket_graph *graph = docket_graph_new("docket_test_step", &graph_options);
    if (graph == NULL) {
        docket__test_fail(error, DOCKET_NO_MEMORY, "memory is exhausted");
        return NULL;
    }
    (void)docket_graph_add(graph, host, &step_options); /* validation repeats its complaint */
    if (docket_graph_validate(graph, error) != DOCKET_OK) {
        docket_graph_free(graph);
        return NULL;
    }
    return graph;
}

static docket_status execute(entry *of, docket_graph *graph, docket_cancel *cancel, docket_result **result,
                             docket_error *error)
{
    const docket_request request = {DOCKET_REQUEST_INIT,
                                    .execution_id = of->options.execution_id,
                                    .output = of->step->output,
                                    .inputs = of->options.inputs,
                                    .input_count = of->options.input_count,
                                    .time_limit_ms = of->options.time_limit_ms,
                                    .cancel = cancel};
    entry *outer = current;
    current = of;
    docket_status status = docket_execute(graph, &request, result, error);
    current = outer;
    bool has_own_words = of->ended && of->status != DOCKET_OK && of->status != status;
    if (has_own_words) { /* the execution says that it was cancelled, or that its time was up */
        snprintf(of->error.step, sizeof of->error.step, "%s", of->step->name);
        of->error.attempts = of->options.attempt;
        *error = of->error;
        status = of->status;
    }
    return status;
}

static docket_status run(entry *of, docket_result **result, docket_error *error)
{
    docket_step host = *of->step;
    docket_cancel *own = NULL;
    docket_cancel *cancel = of->options.cancel;
    if (docket_cancel_is_set(cancel)) {
        cancel = own = of->to_be_set = docket_cancel_new();
        if (own == NULL) {
            return docket__test_fail(error, DOCKET_NO_MEMORY, "memory is exhausted");
        }
    }
    choose_inputs(of);
    host.call = enter;
    host.flags &= folds_items(of) ? ~(uint32_t)DOCKET_STEP_FOLD : UINT32_MAX;
    host.inputs = of->inputs;
    host.input_count = of->input_count;
    docket_graph *graph = make_graph(of, &host, error);
    docket_status status = graph != NULL ? execute(of, graph, cancel, result, error) : error->status;
    docket_graph_free(graph);
    docket_cancel_free(own);
    return status;
}

docket_status docket_test_step(const docket_step *step, const docket_test_step_options *options,
                               docket_result **result, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    entry of = {.step = step, .options = {DOCKET_TEST_STEP_OPTIONS_INIT}};
    error = error != NULL ? error : &own;
    docket__test_clear(error);
    if (result != NULL) {
        *result = NULL;
    }
    if (step == NULL) {
        return docket__test_fail(error, DOCKET_INVALID, "docket_test_step: step is NULL");
    }
    docket_status status =
        docket__test_options(&of.options, sizeof of.options, options, "DOCKET_TEST_STEP_OPTIONS_INIT", error);
    if (status == DOCKET_OK) {
        status = check(&of, error);
    }
    if (status == DOCKET_OK) {
        of.options.attempt = of.options.attempt > 0 ? of.options.attempt : 1;
        status = run(&of, result, error);
    }
    return status;
}
