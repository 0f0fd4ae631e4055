/* Effect steps: which options go together with one. */
#include "base/clock.h"
#include "base/error.h"
#include "graph/build.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What would enter the step again although its outcome is known, or without anybody knowing. */
static docket_status check_options(const docket_step_options *options, docket_error *error)
{
    bool is_once = options->effect == DOCKET_EFFECT_ONCE;
    const struct {
        bool is_set;
        const char *option, *reason;
    } refused[] = {
        {options->scope == DOCKET_SCOPE_NONE, "scope DOCKET_SCOPE_NONE", "what is not recorded would happen again"},
        {options->commit == DOCKET_COMMIT_BEFORE_END, "commit DOCKET_COMMIT_BEFORE_END",
         "an effect is committed before anything depends on it"},
        {options->ttl_ms != 0, "ttl_ms", "an effect that expires would happen again"},
        {options->still_good != NULL, "still_good", "an effect that is no longer good would happen again"},
        {options->on_unreadable == DOCKET_RERUN, "on_unreadable DOCKET_RERUN", "the effect would happen again"},
        {options->isolated && !is_once, "isolated", "the transaction belongs to this process"},
        {options->accept_older && is_once, "accept_older", "a changed layout is another thing to do"},
        {options->verify != NULL && !is_once, "verify", "nothing of it is ever in doubt"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i].is_set) {
            return docket__error_set(error, DOCKET_INVALID, "effect %s does not go with %s: %s",
                                     is_once ? "DOCKET_EFFECT_ONCE" : "DOCKET_EFFECT_TRANSACTION", refused[i].option,
                                     refused[i].reason);
        }
    }
    return DOCKET_OK;
}

static bool same_input(const docket_step_input *one, const docket_step_input *other)
{
    return one->flags == other->flags && strcmp(one->type->name, other->type->name) == 0;
}

static docket_status check_verify(const docket_step *step, const docket_step *verify, docket_error *error)
{
    bool same = verify->abi == DOCKET_STEP_ABI && verify->call != NULL &&
                strcmp(verify->output->name, step->output->name) == 0 && verify->input_count == step->input_count &&
                verify->flags == step->flags;
    for (uint32_t i = 0; same && i < step->input_count; i++) {
        same = same_input(&verify->inputs[i], &step->inputs[i]);
    }
    return same ? DOCKET_OK
                : docket__error_set(
                      error, DOCKET_INVALID,
                      "verify must have the output and the inputs of the step whose effect it verifies, "
                      "in the same order");
}

/* A transaction holds up others: the store says for how long at most. */
static docket_status resolve_transaction(docket_step_options *options, docket_error *error)
{
    int64_t longest_ms = docket__store_transaction_timeout_ms(options->store);
    if (!docket__store_has_transactions(options->store)) {
        return docket__error_set(error, DOCKET_UNSUPPORTED,
                                 "the store %s has no transactions for steps: effect DOCKET_EFFECT_TRANSACTION needs "
                                 "an SQLite store",
                                 docket__store_name(options->store));
    }
    if (options->time_limit_ms > longest_ms) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "time_limit_ms is %" PRId64 ", longer than a transaction of its store may last: "
                                 "transaction_timeout_ms in the options of the store is %" PRId64,
                                 options->time_limit_ms, longest_ms);
    }
    options->time_limit_ms = options->time_limit_ms > 0 ? options->time_limit_ms : longest_ms;
    return DOCKET_OK;
}

static docket_status check_once(const docket_step *step, const docket_step_options *options, docket_error *error)
{
    if (step->flags & DOCKET_STEP_EXPAND) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "effect DOCKET_EFFECT_ONCE does not go with a step that expands: its outcome is one value");
    }
    if (!docket__store_has_effects(options->store)) {
        return docket__error_set(error, DOCKET_UNSUPPORTED, "the store %s keeps no effects",
                                 docket__store_name(options->store));
    }
    return options->verify != NULL ? check_verify(step, options->verify, error) : DOCKET_OK;
}

docket_status docket__graph_resolve_effect(const docket_step *step, docket_step_options *options, docket_error *error)
{
    if (options->effect == DOCKET_EFFECT_NONE) {
        return options->verify == NULL
                   ? DOCKET_OK
                   : docket__error_set(error, DOCKET_INVALID,
                                       "verify belongs to a once step: set effect to DOCKET_EFFECT_ONCE");
    }
    docket_status status = check_options(options, error);
    if (status != DOCKET_OK) {
        return status;
    }
    return options->effect == DOCKET_EFFECT_ONCE ? check_once(step, options, error)
                                                 : resolve_transaction(options, error);
}

static void warn(const docket_graph *graph, const docket__graph_step *step, const docket__graph_step *unrecorded)
{
    char reason[640];
    snprintf(
        reason, sizeof reason,
        "the effect step depends on step \"%s\", which is not recorded: asked again it may make another value, and "
        "the effect ends in DOCKET_CONFLICT; record that step",
        unrecorded->info.name);
    docket_event event = {
        .struct_size = sizeof event,
        .kind = DOCKET_EVENT_WARNING,
        .graph = graph->name,
        .step = step->info.name,
        .type = step->info.output->name,
        .item_index = -1,
        .reason = reason,
        .wall_ms = docket__clock_wall_ms(),
    };
    for (size_t i = 0; i < graph->options.observer_count; i++) {
        graph->observers[i].event(graph->observers[i].arg, &event);
    }
}

void docket__graph_warn_effects(const docket_graph *graph)
{
    for (uint32_t i = 0; i < graph->step_count; i++) {
        const docket__graph_step *step = graph->steps[i];
        for (uint32_t k = 0; step->options.effect != DOCKET_EFFECT_NONE && k < step->input_count; k++) {
            const docket__graph_type *input = &graph->types[step->inputs[k]];
            const docket__graph_step *producer = input->producer == DOCKET__NO_STEP || input->provided != NULL
                                                     ? NULL
                                                     : graph->steps[input->producer];
            if (producer != NULL && producer->info.scope == DOCKET_SCOPE_NONE) {
                warn(graph, step, producer);
            }
        }
    }
}
