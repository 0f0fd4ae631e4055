/* Options are judged once, when they are handed over: what comes out of here is complete and within its limits. */
#include "base/options.h"
#include "base/error.h"
#include "base/text.h"
#include "graph/build.h"

#include <inttypes.h>
#include <math.h>

#define DEFAULT_GRACE_MS DOCKET_SECONDS(5)
#define DEFAULT_CAP_MS DOCKET_HOURS(1)
enum { DEFAULT_CONCURRENCY = 100 };
static const double default_factor = 2;

typedef struct limit {
    const char *name;
    int64_t value;
    int64_t largest;
} limit;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static docket_status check_limits(const limit *limits, size_t count, docket_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (limits[i].value < 0) {
            return docket__error_set(error, DOCKET_INVALID, "%s is %" PRId64 ": it cannot be negative",
                                     limits[i].name, limits[i].value);
        }
        if (limits[i].value > limits[i].largest) {
            return docket__error_set(error, DOCKET_INVALID, "%s is %" PRId64 ": docket %s knows 0 to %" PRId64,
                                     limits[i].name, limits[i].value, DOCKET_VERSION_STRING, limits[i].largest);
        }
    }
    return DOCKET_OK;
}

static docket_status check_observers(const docket_graph_options *options, docket_error *error)
{
    if (options->observer_count > 0 && options->observers == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "observer_count is %zu and observers is NULL",
                                 options->observer_count);
    }
    for (size_t i = 0; i < options->observer_count; i++) {
        if (options->observers[i].event == NULL) {
            return docket__error_set(error, DOCKET_INVALID, "observers[%zu].event is NULL", i);
        }
    }
    return DOCKET_OK;
}

docket_status docket__graph_resolve(const docket_graph_options *given, docket_graph_options *options,
                                    docket_error *error)
{
    docket_status status =
        docket__options_read(options, sizeof *options, given, "DOCKET_GRAPH_OPTIONS_INIT", error);
    const limit limits[] = {
        {"time_limit_ms", options->time_limit_ms, INT64_MAX},
        {"grace_ms", options->grace_ms, INT64_MAX},
    };
    if (status == DOCKET_OK && options->key_namespace != NULL && options->key_namespace[0] != '\0') {
        status = docket__name_check("the graph's key_namespace", options->key_namespace, error);
    }
    if (status == DOCKET_OK) {
        status = check_limits(limits, COUNT(limits), error);
    }
    if (status == DOCKET_OK) {
        status = check_observers(options, error);
    }
    if (status != DOCKET_OK) {
        *options = (docket_graph_options){.struct_size = sizeof *options};
    }
    options->grace_ms = options->grace_ms > 0 ? options->grace_ms : DEFAULT_GRACE_MS;
    return status;
}

static docket_status check_unused_backoff(const docket_backoff *backoff, docket_error *error)
{
    if (backoff->first_ms != 0 || backoff->factor != 0 || backoff->cap_ms != 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "backoff has times but no kind: set backoff.kind to DOCKET_BACKOFF_FIXED or "
                                 "DOCKET_BACKOFF_EXPONENTIAL");
    }
    return DOCKET_OK;
}

static docket_status check_growth(const docket_backoff *backoff, docket_error *error)
{
    if (backoff->factor != 0 && !(backoff->factor >= 1 && isfinite(backoff->factor))) {
        return docket__error_set(error, DOCKET_INVALID, "backoff.factor is %g: it must be at least 1, or 0 for %g",
                                 backoff->factor, default_factor);
    }
    if (backoff->cap_ms != 0 && backoff->cap_ms < backoff->first_ms) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "backoff.cap_ms is %" PRId64 ", below first_ms, which is %" PRId64,
                                 backoff->cap_ms, backoff->first_ms);
    }
    if (backoff->cap_ms == 0 && backoff->first_ms > DEFAULT_CAP_MS) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "backoff.first_ms is %" PRId64
                                 ", above the cap of one hour: set backoff.cap_ms as well",
                                 backoff->first_ms);
    }
    return DOCKET_OK;
}

static docket_status check_backoff(const docket_backoff *backoff, docket_error *error)
{
    const limit limits[] = {
        {"backoff.kind", (int64_t)backoff->kind, DOCKET_BACKOFF_CALLBACK},
        {"backoff.first_ms", backoff->first_ms, INT64_MAX},
        {"backoff.cap_ms", backoff->cap_ms, INT64_MAX},
    };
    docket_status status = check_limits(limits, COUNT(limits), error);
    if (status != DOCKET_OK) {
        return status;
    }
    if ((backoff->kind == DOCKET_BACKOFF_CALLBACK) != (backoff->delay_ms != NULL)) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "backoff.kind DOCKET_BACKOFF_CALLBACK and backoff.delay_ms go together: %s is missing",
            backoff->delay_ms == NULL ? "delay_ms" : "the kind");
    }
    return backoff->kind == DOCKET_BACKOFF_NONE ? check_unused_backoff(backoff, error)
                                                : check_growth(backoff, error);
}

static void complete_backoff(docket_backoff *backoff)
{
    if (backoff->kind == DOCKET_BACKOFF_NONE) {
        return;
    }
    if (backoff->kind == DOCKET_BACKOFF_FIXED) {
        backoff->factor = 1;
    } else if (backoff->factor == 0) {
        backoff->factor = default_factor;
    }
    backoff->cap_ms = backoff->cap_ms > 0 ? backoff->cap_ms : DEFAULT_CAP_MS;
}

/* How many at once, and how often. */
static docket_status check_flow(const docket_step_options *options, docket_error *error)
{
    if (options->max_concurrency < -1) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "max_concurrency is %d: expected a number of items, 0 (the default) or -1 (any number)",
                                 options->max_concurrency);
    }
    const docket_rate *rate = &options->rate;
    if (!(rate->per_second >= 0) || rate->per_second > 1e9 || rate->burst < 0 ||
        (rate->burst > 0 && rate->per_second == 0)) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "rate is %g per second with a burst of %d: expected up to 1e9 per second, and a burst that "
                                 "is not negative",
                                 rate->per_second, rate->burst);
    }
    return DOCKET_OK;
}

static docket_status check_step_options(const docket_step_options *options, docket_error *error)
{
    const limit limits[] = {
        {"scope", (int64_t)options->scope, DOCKET_SCOPE_GLOBAL},
        {"commit", (int64_t)options->commit, DOCKET_COMMIT_BEFORE_END},
        {"effect", (int64_t)options->effect, DOCKET_EFFECT_TRANSACTION},
        {"ttl_ms", options->ttl_ms, INT64_MAX},
        {"max_attempts", options->max_attempts, INT64_MAX},
        {"time_limit_ms", options->time_limit_ms, INT64_MAX},
        {"grace_ms", options->grace_ms, INT64_MAX},
        {"on_unreadable", (int64_t)options->on_unreadable, DOCKET_RERUN},
        {"on_failure", (int64_t)options->on_failure, DOCKET_FAILURE_IS_ABSENT},
    };
    docket_status status = check_limits(limits, COUNT(limits), error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = check_backoff(&options->backoff, error);
    return status == DOCKET_OK ? check_flow(options, error) : status;
}

docket_status docket__graph_resolve_step(const docket_graph *graph, const docket_step_options *given,
                                         docket_step_options *options, docket_error *error)
{
    docket_status status = docket__options_read(options, sizeof *options, given, "DOCKET_STEP_OPTIONS_INIT", error);
    if (status == DOCKET_OK) {
        status = check_step_options(options, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    options->store = options->store != NULL ? options->store : graph->options.store;
    if (options->scope != DOCKET_SCOPE_NONE && options->store == NULL) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the step is to be recorded, but there is no store: open one with docket_store_open "
            "and set it in the options of the graph or of the step");
    }
    options->max_attempts = options->max_attempts > 0 ? options->max_attempts : 1;
    options->max_concurrency = options->max_concurrency != 0 ? options->max_concurrency : DEFAULT_CONCURRENCY;
    options->rate.burst = options->rate.burst > 0 ? options->rate.burst : 1;
    options->grace_ms = options->grace_ms > 0 ? options->grace_ms : graph->options.grace_ms;
    complete_backoff(&options->backoff);
    return DOCKET_OK;
}
