#include "threads/mix.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Steps. Their results are known from the seed's number. */

static docket_status make_left(docket_ctx *ctx, Left *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    noise_make(self->noise);
    out->number = seed->number * 3;
    out->text = docket_printf(ctx, "left of %lld", (long long)seed->number);
    return DOCKET_OK;
}
DOCKET_STEP(make_left, Left, Seed);

static docket_status make_right(docket_ctx *ctx, Right *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    noise_make(self->noise);
    out->number = seed->number + 5;
    return DOCKET_OK;
}
DOCKET_STEP(make_right, Right, Seed);

static docket_status join(docket_ctx *ctx, Joined *out, const Left *left, const Right *right)
{
    mix *self = docket_ctx_user(ctx);
    noise_make(self->noise);
    out->number = left->number + right->number;
    out->text = left->text;
    return DOCKET_OK;
}
DOCKET_STEP(join, Joined, Left, Right);

static docket_status count_global(docket_ctx *ctx, Left *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->global_runs[seed->number], 1);
    return make_left(ctx, out, seed);
}
DOCKET_STEP(count_global, Left, Seed);

static docket_status count_workflow(docket_ctx *ctx, Left *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->workflow_runs[seed->number], 1);
    return make_left(ctx, out, seed);
}
DOCKET_STEP(count_workflow, Left, Seed);

static docket_status stumble(docket_ctx *ctx, Left *out, const Seed *seed)
{
    int attempt = docket_ctx_attempt(ctx);
    if (attempt <= seed->number % 4) {
        return attempt == 2 ? docket_retry_after(ctx, 1, attempt, "again") : docket_fail(ctx, attempt, "not yet");
    }
    return make_left(ctx, out, seed);
}
DOCKET_STEP(stumble, Left, Seed);

static docket_status linger(docket_ctx *ctx, Left *out, const Seed *seed)
{
    docket_status status = docket_sleep(ctx, seed->number % 3 == 0 ? DOCKET_MINUTES(5) : 0);
    return status == DOCKET_OK ? make_left(ctx, out, seed) : status;
}
DOCKET_STEP(linger, Left, Seed);

static docket_status refuse(docket_ctx *ctx, Left *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    (void)out;
    noise_make(self->noise);
    return docket_reject(ctx, (int)seed->number, "no %lld", (long long)seed->number);
}
DOCKET_STEP(refuse, Left, Seed);

static docket_status ask_within(docket_ctx *ctx, Left *out, const Seed *seed)
{
    mix *self = docket_ctx_user(ctx);
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Joined),
                                    DOCKET_INPUTS(DOCKET_IN(Seed, seed))};
    docket_status status = docket_execute(self->global, &request, &result, &error);
    if (status == DOCKET_OK) {
        out->number = seed->number * 3;
        out->text = docket_strdup(ctx, DOCKET_RESULT(result, Joined)->text);
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}
DOCKET_STEP(ask_within, Left, Seed);

/* Graphs. */

static docket_graph *build(mix *self, const char *name, const docket_step *left, docket_step_options options)
{
    const docket_observer observer = noise_observer(self->noise);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->store, .pool = self->pool,
                                                .observers = &observer, .observer_count = 1};
    docket_error error = DOCKET_ERROR_INIT;
    docket_graph *graph = docket_graph_new(name, &graph_options);
    options.struct_size = sizeof options;
    options.user = self;
    docket_graph_add(graph, left, &options);
    docket_graph_add(graph, &make_right_step, &options);
    docket_graph_add(graph, &join_step, &options);
    if (docket_graph_validate(graph, &error) != DOCKET_OK) {
        fprintf(stderr, "mix: %s: %s\n", name, error.message);
        docket_graph_free(graph);
        return NULL;
    }
    return graph;
}

bool mix_open(mix *self, const char *store_url, int pool_threads, noise *disturbance)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    *self = (mix){.noise = disturbance};
    if (docket_store_open(&self->store, store_url, &options, &error) != DOCKET_OK) {
        fprintf(stderr, "mix: %s\n", error.message);
        return false;
    }
    self->pool = docket_pool_new(pool_threads);
    const docket_backoff backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .cap_ms = 2};
    const docket_step_options global = {.scope = DOCKET_SCOPE_GLOBAL};
    const docket_step_options workflow = {.scope = DOCKET_SCOPE_WORKFLOW};
    const docket_step_options deferred = {.scope = DOCKET_SCOPE_WORKFLOW, .commit = DOCKET_COMMIT_BEFORE_END};
    self->plain = build(self, "plain", &make_left_step, (docket_step_options){.scope = DOCKET_SCOPE_NONE});
    self->global = build(self, "global", &count_global_step, global);
    self->workflow = build(self, "workflow", &count_workflow_step, workflow);
    self->deferred = build(self, "deferred", &make_left_step, deferred);
    self->stumbling =
        build(self, "stumbling", &stumble_step,
              (docket_step_options){.scope = DOCKET_SCOPE_WORKFLOW, .max_attempts = 4, .backoff = backoff});
    self->limited = build(self, "limited", &linger_step,
                          (docket_step_options){.time_limit_ms = 3, .max_attempts = 2, .grace_ms = 60000});
    self->refusing = build(self, "refusing", &refuse_step, global);
    self->nested = build(self, "nested", &ask_within_step, workflow);
    return self->plain && self->global && self->workflow && self->deferred && self->stumbling && self->limited &&
           self->refusing && self->nested;
}

bool mix_close(mix *self)
{
    docket_graph *graphs[] = {self->plain,     self->global,  self->workflow, self->deferred,
                              self->stumbling, self->limited, self->refusing, self->nested};
    bool ok = true;
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        docket_error error = DOCKET_ERROR_INIT;
        if (graphs[i] != NULL && docket_graph_stop(graphs[i], 60000, &error) != DOCKET_OK) {
            fprintf(stderr, "mix: %s\n", error.message);
            ok = false;
        }
        docket_graph_free(graphs[i]);
    }
    docket_store_close(self->store);
    docket_pool_free(self->pool);
    return ok;
}

/* Executions. */

__attribute__((format(printf, 2, 3))) static bool complain(char problem[MIX_TEXT], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, MIX_TEXT, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_value(const docket_result *result, int64_t number, char problem[MIX_TEXT])
{
    char text[40];
    const Joined *joined = DOCKET_RESULT(result, Joined);
    snprintf(text, sizeof text, "left of %lld", (long long)number);
    if (joined == NULL || joined->number != number * 4 + 5 || strcmp(joined->text, text) != 0) {
        return complain(problem, "the value of %lld is %lld, \"%s\"", (long long)number,
                        joined == NULL ? -1LL : (long long)joined->number, joined == NULL ? "" : joined->text);
    }
    return true;
}

typedef struct order {
    docket_graph *graph;
    const char *id;
    int64_t number;
    docket_cancel *cancel;
    docket_status also; /* acceptable beside DOCKET_OK */
    bool never_ok;
} order;

static bool judge(const order *of, docket_status status, docket_result *result, const docket_error *error,
                  char problem[MIX_TEXT])
{
    bool well = true;
    if (status != error->status) {
        well = complain(problem, "%s, but the error says %s", docket_status_name(status),
                        docket_status_name(error->status));
    } else if (status == DOCKET_OK && !of->never_ok) {
        well = check_value(result, of->number, problem);
    } else if (status != of->also || status == DOCKET_OK) {
        well = complain(problem, "%s: %s", docket_status_name(status), error->message);
    }
    docket_result_free(result);
    return well;
}

static docket_request request_of(const order *of, const docket_input *input)
{
    return (docket_request){DOCKET_REQUEST_INIT,  .execution_id = of->id, .output = DOCKET_OF(Joined),
                            .cancel = of->cancel, .inputs = input,        .input_count = 1};
}

static bool run_blocking(const order *of, char problem[MIX_TEXT])
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const Seed seed = {.number = of->number};
    const docket_input input = {.type = DOCKET_OF(Seed), .value = &seed};
    const docket_request request = request_of(of, &input);
    docket_status status = docket_execute(of->graph, &request, &result, &error);
    return judge(of, status, result, &error, problem);
}

static void post(void *arg)
{
    sem_post(arg);
}

static bool run_begun(const order *of, bool cancel, noise *disturbance, char problem[MIX_TEXT])
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_execution *execution = NULL;
    docket_result *result = NULL;
    sem_t done;
    const Seed seed = {.number = of->number};
    const docket_input input = {.type = DOCKET_OF(Seed), .value = &seed};
    const docket_request request = request_of(of, &input);
    sem_init(&done, 0, 0);
    docket_status status = docket_execute_begin(of->graph, &request, post, &done, &execution, &error);
    if (status != DOCKET_OK) {
        sem_destroy(&done);
        return judge(of, status, NULL, &error, problem);
    }
    noise_make(disturbance);
    if (cancel) {
        docket_execution_cancel(execution);
    }
    status = docket_execution_end(execution, &result, &error);
    sem_wait(&done); /* it was called before the end came back */
    sem_destroy(&done);
    return judge(of, status, result, &error, problem);
}

typedef struct canceller {
    docket_cancel *cancel;
    noise *noise;
} canceller;

static void *cancel_soon(void *arg)
{
    canceller *self = arg;
    for (int i = 0; i < 4; i++) {
        noise_make(self->noise);
    }
    docket_cancel_set(self->cancel);
    return NULL;
}

/* The token is set by another thread while the execution runs. */
static bool run_cancelled(mix *self, order *of, char problem[MIX_TEXT])
{
    pthread_t thread;
    canceller other = {docket_cancel_new(), self->noise};
    if (other.cancel == NULL || pthread_create(&thread, NULL, cancel_soon, &other) != 0) {
        docket_cancel_free(other.cancel);
        return complain(problem, "no thread to cancel");
    }
    of->cancel = other.cancel;
    of->also = DOCKET_CANCELLED;
    bool well = run_blocking(of, problem);
    pthread_join(thread, NULL);
    docket_cancel_free(other.cancel);
    return well;
}

bool mix_one(mix *self, uint64_t *seed, long serial, char problem[MIX_TEXT])
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t draw = *seed >> 33;
    char own[32];
    char common[32];
    order of = {.number = (int64_t)(draw / 16 % MIX_KEYS)};
    snprintf(own, sizeof own, "own-%ld", serial);
    snprintf(common, sizeof common, "common-%lld", (long long)of.number);
    uint64_t kind = draw % 16;
    switch (kind) {
    case 0:
    case 1:
        of.graph = self->plain;
        return run_blocking(&of, problem);
    case 2:
    case 3:
        of.graph = self->global;
        return run_blocking(&of, problem);
    case 4:
        of.graph = self->workflow;
        of.id = common;
        return run_blocking(&of, problem);
    case 5:
    case 6:
        of.graph = self->deferred;
        of.id = kind == 5 ? own : common;
        return run_blocking(&of, problem);
    case 7:
        of.graph = self->stumbling;
        of.id = own;
        return run_blocking(&of, problem);
    case 8:
        of.graph = self->limited;
        of.also = DOCKET_TIMEOUT;
        of.never_ok = of.number % 3 == 0;
        return run_blocking(&of, problem);
    case 9:
        of.graph = self->refusing;
        of.also = DOCKET_REJECTED;
        of.never_ok = true;
        return run_blocking(&of, problem);
    case 10:
        of.graph = self->nested;
        of.id = own;
        return run_blocking(&of, problem);
    case 11:
        of.graph = self->plain;
        return run_cancelled(self, &of, problem);
    case 12:
        of.graph = self->global;
        return run_begun(&of, false, self->noise, problem);
    case 13:
        of.graph = self->deferred;
        of.id = own;
        of.also = DOCKET_CANCELLED;
        return run_begun(&of, true, self->noise, problem);
    case 14:
        of.graph = self->nested;
        of.id = own;
        return run_cancelled(self, &of, problem);
    default:
        of.graph = self->plain;
        return run_begun(&of, false, self->noise, problem);
    }
}
