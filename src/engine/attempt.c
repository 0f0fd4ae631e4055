/* Attempts: entering a step's function, with its limit, until it succeeds or may not be tried again.
 *
 * An attempt ends by returning or by its own limit, whichever is first; execution->lock decides. After a passed limit
 * the step has the grace to return before the next attempt, so that attempts never overlap. If it does not, the
 * execution is told at once, and the step runs on as a straggler with its memory and its claim. */
#include "base/clock.h"
#include "base/error.h"
#include "base/point.h"
#include "engine/backoff.h"
#include "engine/file.h"
#include "engine/transaction.h"
#include "engine/items.h"
#include "type/codec.h"
#include <string.h>

static const docket__graph_type *output_type(const docket_ctx *ctx)
{
    return &ctx->execution->graph->types[ctx->step->output];
}

static docket_ctx *ctx_of(docket__timer *timer)
{
    return (docket_ctx *)((char *)timer - offsetof(docket_ctx, timer));
}

/* What a timer or a task holds on to while it is on its way: the context, and the execution that it stands in. */
static void hold(docket_ctx *ctx)
{
    docket__execution_ref(ctx->execution);
    docket__ctx_ref(ctx);
}

static void let_go(docket_ctx *ctx)
{
    docket_execution *execution = ctx->execution;
    docket__ctx_unref(ctx);
    docket__execution_unref(execution);
}

/* Limits. */

static void set_limit_error(const docket_ctx *ctx, docket_error *error, const char *what)
{
    docket__error_set(error, DOCKET_TIMEOUT, "attempt %d passed its time limit of %lld ms%s", ctx->attempt,
                      (long long)ctx->step->options.time_limit_ms, what);
    docket__error_set_step(error, ctx->step->info.name);
    docket__error_set_type(error, output_type(ctx)->type->name);
    error->item_index = ctx->item_index;
    error->attempts = ctx->attempt;
}

static void report_straggler(docket_ctx *ctx, const docket_error *error, const char *reason)
{
    if (docket__observed(ctx->execution)) {
        docket_event event = {
            .kind = DOCKET_EVENT_STRAGGLER, .reason = reason, .status = DOCKET_TIMEOUT, .error = error};
        docket__event_emit(ctx->execution, ctx, &event);
    }
}

static void report_missing(docket__task *task)
{
    docket_ctx *ctx = (docket_ctx *)((char *)task - offsetof(docket_ctx, report));
    docket_error error;
    set_limit_error(ctx, &error, "");
    report_straggler(ctx, &error, "a step did not return in time and runs on");
    docket__schedule_live(ctx->execution, -1);
    let_go(ctx);
}

/* On the timer thread, which observers must not hold up. Counts as under way, since it tells names of the graph. */
static void submit_report(docket_ctx *ctx)
{
    if (docket__observed(ctx->execution)) {
        hold(ctx);
        docket__schedule_live(ctx->execution, 1);
        ctx->report.run = report_missing;
        docket__schedule_errand(ctx->execution, &ctx->report);
    }
}

static void on_grace_passed(docket__timer *timer)
{
    docket_ctx *ctx = ctx_of(timer);
    docket_execution *execution = ctx->execution;
    pthread_mutex_lock(&execution->lock);
    bool straggles = ctx->limit_state == DOCKET__LIMIT_PASSED;
    docket_error error = DOCKET_ERROR_INIT;
    if (straggles) {
        ctx->limit_state = DOCKET__LIMIT_STRAGGLES;
        docket__schedule_live(execution, 1); /* the step may return as soon as the lock is free */
        set_limit_error(ctx, &error, " and did not return within its grace; it runs on and its result will be dropped");
    }
    pthread_mutex_unlock(&execution->lock);
    if (straggles) {
        submit_report(ctx);
        docket__schedule_stop(execution, &error, true);
        docket__schedule_live(execution, -1);
    }
    let_go(ctx);
}

static void on_limit_passed(docket__timer *timer)
{
    docket_ctx *ctx = ctx_of(timer);
    docket_execution *execution = ctx->execution;
    docket_error error = DOCKET_ERROR_INIT;
    pthread_mutex_lock(&execution->lock);
    bool passed = ctx->limit_state == DOCKET__LIMIT_RUNNING && docket__clock_monotonic_ms() >= ctx->limit_ms;
    if (passed) {
        ctx->limit_state = DOCKET__LIMIT_PASSED;
        atomic_store(&ctx->cancelled, true);
        docket__ctx_signal(ctx);
        pthread_cond_broadcast(&execution->stirred);
        set_limit_error(ctx, &error, "");
        hold(ctx);
        ctx->timer.fire = on_grace_passed;
        docket__pool_arm(execution->pool, &ctx->timer, docket__clock_after_ms(ctx->step->options.grace_ms));
    }
    pthread_mutex_unlock(&execution->lock);
    if (passed) {
        docket__schedule_stop_children(ctx, &error);
    }
    let_go(ctx);
}

static void begin_limit(docket_ctx *ctx)
{
    int64_t limit_ms = ctx->step->options.time_limit_ms;
    if (limit_ms == 0) {
        return;
    }
    docket_execution *execution = ctx->execution;
    pthread_mutex_lock(&execution->lock);
    ctx->limit_ms = docket__clock_after_ms(limit_ms);
    ctx->limit_state = DOCKET__LIMIT_RUNNING;
    ctx->timer.fire = on_limit_passed;
    hold(ctx);
    docket__pool_arm(execution->pool, &ctx->timer, ctx->limit_ms);
    pthread_mutex_unlock(&execution->lock);
}

/* How the attempt stood towards its limit when it returned. */
static docket__limit_state end_limit(docket_ctx *ctx)
{
    if (ctx->step->options.time_limit_ms == 0) {
        return DOCKET__LIMIT_NONE;
    }
    docket_execution *execution = ctx->execution;
    pthread_mutex_lock(&execution->lock);
    docket__limit_state state = ctx->limit_state;
    if (state == DOCKET__LIMIT_RUNNING) {
        state = docket__clock_monotonic_ms() >= ctx->limit_ms ? DOCKET__LIMIT_PASSED : DOCKET__LIMIT_NONE;
    }
    ctx->limit_state = DOCKET__LIMIT_NONE;
    ctx->limit_ms = INT64_MAX;
    bool disarmed = docket__pool_disarm(execution->pool, &ctx->timer);
    pthread_mutex_unlock(&execution->lock);
    if (disarmed) {
        let_go(ctx);
    }
    return state;
}

/* One entry. */

static void prepare(docket_ctx *ctx, void *output)
{
    const docket_type *type = output_type(ctx)->type;
    const docket_type *base = docket__type_base(type);
    if (ctx->attempt > 0 || ctx->replace) {
        docket__arena_release(&ctx->memory);
    }
    if (output == NULL) {
        docket__items_forget(ctx->node);
    } else if (ctx->attempt > 0 || ctx->replace) {
        memset(output, 0, type->size);
    }
    if (output != NULL && base->init != NULL) {
        base->init(base, output);
    }
    ctx->attempt++;
    ctx->said = DOCKET_OK;
    ctx->absent_reason = NULL;
    ctx->retry_after_ms = -1;
    ctx->ttl_ms = ctx->step->info.ttl_ms;
    ctx->do_not_record = false;
    ctx->late = false;
    ctx->memory.failed = ctx->scratch.failed = false;
    docket__ctx_rearm(ctx);
    docket__error_clear(&ctx->failure);
}

static void clean_up(docket_ctx *ctx)
{
    while (ctx->deferred != NULL) {
        docket__deferred *deferred = ctx->deferred;
        ctx->deferred = deferred->next;
        deferred->function(deferred->arg);
    }
}

static void report_start(docket_ctx *ctx)
{
    static atomic_uint_fast64_t spans;
    ctx->span = atomic_fetch_add_explicit(&spans, 1, memory_order_relaxed) + 1;
    docket_event event = {.kind = DOCKET_EVENT_STEP_START};
    docket__event_emit(ctx->execution, ctx, &event);
}

static void report_end(docket_ctx *ctx, docket_status status)
{
    docket_event event = {
        .kind = DOCKET_EVENT_STEP_END,
        .status = status,
        .error = status == DOCKET_OK || status == DOCKET_ABSENT ? NULL : &ctx->failure,
        .reason = ctx->absent_reason,
        .duration_ns = docket__clock_monotonic_ns() - ctx->started_ns,
    };
    docket__event_emit(ctx->execution, ctx, &event);
}

docket_status docket__step_call(docket_ctx *ctx, void *output, const docket_argument *arguments)
{
    const docket_step *step = ctx->step->step;
    if ((step->flags & DOCKET_STEP_FOLD) == 0) {
        return step->call(ctx, output, arguments);
    }
    docket_argument one[DOCKET_MAX_INPUTS];
    memcpy(one, arguments, ctx->step->info.input_count * sizeof *one);
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < arguments[0].count && status == DOCKET_OK; i++) {
        one[0] = (docket_argument){((void *const *)arguments[0].value)[i], 1};
        status = docket_cancelled(ctx) ? DOCKET_CANCELLED : step->call(ctx, output, one);
        docket__arena_release(&ctx->scratch);
    }
    return status;
}

static docket_status call(docket_ctx *ctx, const docket_argument *arguments, void *output)
{
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = ctx;
    docket__point_pass(DOCKET_POINT_ENTER, ctx->step->info.name);
    docket_status status = ctx->step->options.isolated ? docket__isolate_call(ctx, output, arguments)
                                                       : docket__step_call(ctx, output, arguments);
    docket__point_pass(DOCKET_POINT_RETURN, ctx->step->info.name);
    if (ctx->deferred != NULL) {
        clean_up(ctx);
    }
    docket__ctx_current = outer;
    return status;
}

/* What an attempt came to. */

static docket_status refuse(docket_ctx *ctx, docket_status status, const char *format, ...) DOCKET_PRINTF(3, 4);
static docket_status refuse(docket_ctx *ctx, docket_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket__error_vset(&ctx->failure, status, format, arguments);
    va_end(arguments);
    return status;
}

/* A step may return a failure without a verb, or a status that is not its to give. */
static docket_status take_word(docket_ctx *ctx, docket_status returned)
{
    if (returned == ctx->said && returned != DOCKET_OK) {
        return returned; /* by a verb, or by an isolated attempt */
    }
    switch (returned) {
    case DOCKET_OK:
        return DOCKET_OK;
    case DOCKET_ABSENT:
        ctx->absent_reason = docket__arena_duplicate(&ctx->memory, "");
        return DOCKET_ABSENT;
    case DOCKET_FAILED:
    case DOCKET_REJECTED:
    case DOCKET_ABORTED:
    case DOCKET_CANCELLED:
    case DOCKET_NO_MEMORY:
        return refuse(ctx, returned, "the step returned %s without a message", docket_status_name(returned));
    default:
        return refuse(ctx, DOCKET_FAILED, "the step returned %s; a step passes an error on with docket_fail_from",
                      docket_status_name(returned));
    }
}

/* To a once step the failure verbs mean more than to others; a verb that passes a nested error on means it only if the
 * error is a failure's. */
static bool states_failure(docket_status status)
{
    return status == DOCKET_FAILED || status == DOCKET_REJECTED || status == DOCKET_ABORTED;
}

static docket_status inspect(docket_ctx *ctx, docket_status returned, void *output)
{
    docket_status status = take_word(ctx, returned);
    if (status == DOCKET_OK && ctx->said != DOCKET_OK && output == NULL) {
        status = ctx->said; /* an item could not be taken, and the step went on */
    }
    ctx->nothing_happened = states_failure(returned) && (ctx->said == returned || ctx->said == DOCKET_OK);
    if (status == DOCKET_OK && output != NULL && output_type(ctx)->needs_seal) {
        status = docket__type_seal(output_type(ctx)->type, output, &ctx->memory, &ctx->failure);
    }
    bool value = status == DOCKET_OK || status == DOCKET_ABSENT;
    if (value && (ctx->memory.failed || ctx->scratch.failed)) {
        status = DOCKET_NO_MEMORY;
    }
    if (status == DOCKET_NO_MEMORY) {
        refuse(ctx, status, "memory ran out in the step");
    }
    return status;
}

static bool may_retry(docket_ctx *ctx, docket_status status)
{
    if (ctx->step->options.effect == DOCKET_EFFECT_ONCE && !ctx->nothing_happened) {
        return false;
    }
    if (ctx->attempt >= ctx->step->info.max_attempts || status == DOCKET_REJECTED || status == DOCKET_ABORTED ||
        status == DOCKET_CANCELLED || status == DOCKET_ENCODE || status == DOCKET_TOO_LARGE ||
        status == DOCKET_NO_MEMORY ||
        atomic_load(&ctx->execution->stopping)) {
        return false;
    }
    bool (*ask)(void *, const docket_error *) = ctx->step->options.should_retry;
    return ask == NULL || ask(ctx->step->options.user, &ctx->failure);
}

static void on_delay_passed(docket__timer *timer)
{
    docket__schedule_resume(ctx_of(timer)->node);
}

static bool wait_for(docket_ctx *ctx, int64_t delay_ms);

bool docket__attempt_wait(docket_ctx *ctx)
{
    int64_t delay_ms = ctx->retry_after_ms >= 0
                           ? ctx->retry_after_ms
                           : docket__backoff_delay_ms(&ctx->step->info.backoff, ctx->step->options.user, ctx->attempt);
    if (docket__observed(ctx->execution)) {
        docket_event event = {.kind = DOCKET_EVENT_RETRY, .delay_ms = delay_ms, .status = ctx->failure.status, .error = &ctx->failure};
        docket__event_emit(ctx->execution, ctx, &event);
    }
    return delay_ms > 0 && wait_for(ctx, delay_ms);
}

/* When the step's rate lets it start again: its due time moves on by one interval for each start, and may lie behind the
 * present by as many as make a burst. */
bool docket__attempt_wait_for_turn(docket_ctx *ctx)
{
    const docket_rate *rate = &ctx->step->options.rate;
    if (rate->per_second == 0 || ctx->has_turn) {
        ctx->has_turn = false;
        return false;
    }
    _Atomic int64_t *due = &((docket__graph_step *)(uintptr_t)ctx->step)->rate_due_ns;
    int64_t interval_ns = (int64_t)(1e9 / rate->per_second);
    int64_t now_ns = docket__clock_monotonic_ns();
    int64_t earliest_ns = now_ns - (rate->burst - 1) * interval_ns;
    int64_t start_ns = atomic_load(due);
    int64_t from_ns;
    do {
        from_ns = start_ns > earliest_ns ? start_ns : earliest_ns;
    } while (!atomic_compare_exchange_weak(due, &start_ns, from_ns + interval_ns));
    int64_t delay_ms = (from_ns - now_ns + 999999) / 1000000;
    ctx->has_turn = delay_ms > 0 && wait_for(ctx, delay_ms);
    return ctx->has_turn;
}

/* The node waits without a thread. False: the execution stops. */
static bool wait_for(docket_ctx *ctx, int64_t delay_ms)
{
    if (!docket__schedule_park(ctx, DOCKET__PARKED_FOR_DELAY)) {
        return false;
    }
    docket_execution *execution = ctx->execution;
    hold(ctx);
    ctx->timer.fire = on_delay_passed;
    docket__pool_arm(execution->pool, &ctx->timer, docket__clock_after_ms(delay_ms));
    bool parked = true;
    if (atomic_load(&execution->stopping) && docket__pool_disarm(execution->pool, &ctx->timer)) {
        docket__schedule_unpark(ctx);
        parked = false;
    }
    let_go(ctx);
    return parked;
}

static docket_status one_attempt(docket_ctx *ctx, const docket_argument *arguments, void *output, bool *straggled)
{
    bool observed = docket__observed(ctx->execution);
    prepare(ctx, output);
    if (observed) {
        report_start(ctx);
    }
    if (observed || ctx->step->info.scope != DOCKET_SCOPE_NONE) {
        ctx->started_ns = docket__clock_monotonic_ns();
    }
    begin_limit(ctx);
    docket_status status = call(ctx, arguments, output);
    docket__limit_state limit = end_limit(ctx);
    status = inspect(ctx, status, output);
    docket__arena_release(&ctx->scratch);
    if (limit == DOCKET__LIMIT_PASSED || limit == DOCKET__LIMIT_STRAGGLES) {
        bool dropped = status == DOCKET_OK || status == DOCKET_ABSENT;
        status = DOCKET_TIMEOUT;
        set_limit_error(ctx, &ctx->failure, "");
        ctx->late = dropped;
        if (dropped) {
            report_straggler(ctx, &ctx->failure,
                             ctx->step->options.effect == DOCKET_EFFECT_ONCE
                                 ? "a step returned after its limit; its result is recorded, but not delivered"
                                 : "a step returned after its limit; its result was dropped");
        }
    }
    if (docket__transaction_is_asked(ctx)) {
        status = docket__transaction_end(ctx, status);
    }
    docket__files_settle(ctx, status == DOCKET_OK);
    if (observed) {
        report_end(ctx, status);
    }
    *straggled = limit == DOCKET__LIMIT_STRAGGLES;
    return status;
}

docket_status docket__attempt_verify(docket_ctx *ctx, const docket_step *verify, const docket_argument *arguments,
                                     void *output)
{
    prepare(ctx, output);
    ctx->attempt--; /* asking is no entry */
    ctx->started_ns = docket__clock_monotonic_ns();
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = ctx;
    docket_status status = verify->call(ctx, output, arguments);
    clean_up(ctx);
    docket__ctx_current = outer;
    if (status != DOCKET_IN_DOUBT && status != DOCKET_NOT_DONE) {
        status = inspect(ctx, status, output);
    }
    docket__arena_release(&ctx->scratch);
    if (status != DOCKET_OK && status != DOCKET_ABSENT) {
        docket__arena_release(&ctx->memory);
        memset(output, 0, output_type(ctx)->type->size);
    }
    return status;
}

docket__attempt_outcome docket__attempt_enter(docket_ctx *ctx, const docket_argument *arguments, void *output)
{
    bool straggled;
    docket__attempt_outcome beginning =
        docket__transaction_is_asked(ctx) ? docket__transaction_begin(ctx) : DOCKET__ATTEMPT_OK;
    if (beginning != DOCKET__ATTEMPT_OK) {
        return beginning;
    }
    docket_status status = one_attempt(ctx, arguments, output, &straggled);
    if (straggled) {
        return DOCKET__ATTEMPT_STRAGGLED;
    }
    if (status == DOCKET_OK) {
        return DOCKET__ATTEMPT_OK;
    }
    if (status == DOCKET_ABSENT) {
        return DOCKET__ATTEMPT_ABSENT;
    }
    bool stopping = docket__schedule_stops(ctx->execution);
    if (!may_retry(ctx, status)) {
        return stopping && status == DOCKET_CANCELLED ? DOCKET__ATTEMPT_STOPPED : DOCKET__ATTEMPT_FAILED;
    }
    return DOCKET__ATTEMPT_AGAIN;
}

docket__attempt_outcome docket__attempt_run(docket_ctx *ctx, const docket_argument *arguments, void *output)
{
    for (;;) {
        if (docket__attempt_wait_for_turn(ctx)) {
            return DOCKET__ATTEMPT_PARKED;
        }
        docket__attempt_outcome outcome = docket__attempt_enter(ctx, arguments, output);
        if (outcome != DOCKET__ATTEMPT_AGAIN) {
            return outcome;
        }
        if (docket__attempt_wait(ctx)) {
            return DOCKET__ATTEMPT_PARKED;
        }
        if (atomic_load(&ctx->execution->stopping)) {
            return DOCKET__ATTEMPT_STOPPED;
        }
    }
}

/* Folds that take items as they come: one attempt, without a limit of its own. */

void docket__attempt_open(docket_ctx *ctx, void *output)
{
    prepare(ctx, output);
    if (docket__observed(ctx->execution)) {
        report_start(ctx);
        ctx->started_ns = docket__clock_monotonic_ns();
    }
}

bool docket__attempt_feed(docket_ctx *ctx, const void *item, void *output)
{
    const docket_argument argument = {(void *)(uintptr_t)item, 1};
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = ctx;
    docket_status status = take_word(ctx, ctx->step->step->call(ctx, output, &argument));
    clean_up(ctx);
    docket__ctx_current = outer;
    if (status == DOCKET_OK && (ctx->memory.failed || ctx->scratch.failed)) {
        status = refuse(ctx, DOCKET_NO_MEMORY, "memory ran out in the step");
    }
    docket__arena_release(&ctx->scratch);
    if (status == DOCKET_ABSENT) {
        status = refuse(ctx, DOCKET_FAILED, "a fold that takes items as they come cannot be absent");
    }
    return status == DOCKET_OK;
}

docket__attempt_outcome docket__attempt_close(docket_ctx *ctx, void *output)
{
    docket_status status = inspect(ctx, DOCKET_OK, output);
    if (docket__observed(ctx->execution)) {
        report_end(ctx, status);
    }
    return status == DOCKET_OK ? DOCKET__ATTEMPT_OK : DOCKET__ATTEMPT_FAILED;
}
