/* The context of a step: what the functions of docket/context.h do. */
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/expand.h"
#include "engine/file.h"
#include "engine/items.h"
#include "engine/once.h"
#include "engine/subject.h"
#include <docket/context.h>
#include <docket/harness.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

_Thread_local docket_ctx *docket__ctx_current;

/* Life. */

static void begin(docket_ctx *ctx, docket__node *node)
{
    docket_execution *execution = node->execution;
    ctx->execution = execution;
    ctx->node = node;
    ctx->step = node->plan->step;
    ctx->holder.parent = execution->parent == NULL ? NULL : &execution->parent->holder;
    ctx->holder.step = ctx->step->info.name;
    ctx->holder.tree = execution->tree;
    atomic_store_explicit(&ctx->references, 1, memory_order_relaxed);
    ctx->item_index = -1;
    ctx->idempotency_key = NULL;
    ctx->limit_ms = INT64_MAX;
    ctx->cancel_fd = -1;
    const docket__frame *frame = docket__frame_of(node);
    ctx->item_index = frame == NULL ? -1 : (int64_t)frame->index;
    if (frame != NULL) {
        ctx->memory.chunk_bytes = DOCKET__ITEM_CHUNK_BYTES;
    }
}

/* Where a context waits for the next node, if one thread at a time is there. */
static docket_ctx **place_of_spare(const docket__node *node)
{
    docket__frame *frame = docket__frame_of(node);
    if (frame != NULL) {
        return frame->solitary ? &frame->spare : NULL;
    }
    return atomic_load_explicit(&node->execution->shared, memory_order_relaxed) ? NULL : &node->execution->spare;
}

docket_ctx *docket__ctx_new(docket__node *node)
{
    docket_ctx **spare = place_of_spare(node);
    docket_ctx *ctx = NULL;
    if (spare != NULL) {
        ctx = *spare;
        *spare = NULL;
    }
    if (ctx == NULL) {
        ctx = docket__allocate(sizeof *ctx);
    }
    if (ctx != NULL) {
        begin(ctx, node);
    }
    return ctx;
}

docket_ctx *docket__ctx_ref(docket_ctx *ctx)
{
    atomic_fetch_add_explicit(&ctx->references, 1, memory_order_relaxed);
    return ctx;
}

static void release(docket_ctx *ctx)
{
    docket__files_leave(ctx);
    docket__arena_release(&ctx->memory);
    docket__arena_release(&ctx->scratch);
    docket__buffer_release(&ctx->bytes);
    docket__expand_release(ctx);
    docket__once_free(ctx->once);
    docket_record_free(ctx->woken_record);
    docket__free(ctx->woken_failure);
    if (ctx->cancel_fd >= 0) {
        close(ctx->cancel_fd);
    }
}

static void forget_watch(docket_ctx *ctx)
{
    if (ctx->cancel_fd < 0) {
        return;
    }
    pthread_mutex_lock(&ctx->execution->lock);
    docket_ctx **link = &ctx->execution->watched;
    while (*link != ctx) {
        link = &(*link)->watch_next;
    }
    *link = ctx->watch_next;
    pthread_mutex_unlock(&ctx->execution->lock);
}

/* A plain context, as unrecorded steps leave it, serves the next node as it is; only what they may have touched is put
 * back. */
static bool keep_as_spare(docket__node *node)
{
    docket_ctx **spare = place_of_spare(node);
    docket_ctx *ctx = node->ctx;
    if (spare == NULL || *spare != NULL || ctx->step->info.scope != DOCKET_SCOPE_NONE || ctx->cancel_fd >= 0 ||
        ctx->gathered != NULL || atomic_load_explicit(&ctx->references, memory_order_acquire) != 1) {
        return false;
    }
    ctx->attempt = 0;
    *spare = ctx;
    return true;
}

void docket__ctx_detach(docket__node *node)
{
    docket_ctx *ctx = node->ctx;
    bool kept = ctx == NULL || keep_as_spare(node);
    node->ctx = NULL;
    if (!kept) {
        docket__ctx_unref(ctx);
    }
}

void docket__ctx_unref(docket_ctx *ctx)
{
    bool last = atomic_load_explicit(&ctx->references, memory_order_acquire) == 1 ||
                atomic_fetch_sub_explicit(&ctx->references, 1, memory_order_acq_rel) == 1;
    if (!last) {
        return;
    }
    forget_watch(ctx);
    release(ctx);
    docket__free(ctx);
}

void docket__ctx_dispose(docket_ctx *spare)
{
    release(spare);
    docket__free(spare);
}

void docket__ctx_signal(docket_ctx *ctx)
{
    if (ctx->cancel_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(ctx->cancel_fd, &one, sizeof one);
        (void)written; /* a full counter is readable already */
    }
}

void docket__ctx_rearm(docket_ctx *ctx)
{
    atomic_store_explicit(&ctx->cancelled, false, memory_order_relaxed);
    if (ctx->cancel_fd < 0) {
        return;
    }
    pthread_mutex_lock(&ctx->execution->lock);
    if (!atomic_load(&ctx->execution->stopping)) {
        uint64_t signals;
        ssize_t got = read(ctx->cancel_fd, &signals, sizeof signals);
        (void)got; /* there may have been none */
    }
    pthread_mutex_unlock(&ctx->execution->lock);
}

/* Identity. */

const char *docket_ctx_execution_id(const docket_ctx *ctx)
{
    return ctx == NULL ? "" : docket__execution_id(ctx->execution);
}

const char *docket_ctx_step_name(const docket_ctx *ctx)
{
    return ctx == NULL ? "" : ctx->step->info.name;
}

int docket_ctx_attempt(const docket_ctx *ctx)
{
    return ctx == NULL ? 0 : ctx->attempt;
}

int64_t docket_ctx_item_index(const docket_ctx *ctx)
{
    return ctx == NULL ? -1 : ctx->item_index;
}

void *docket_ctx_user(const docket_ctx *ctx)
{
    return ctx == NULL ? NULL : ctx->step->options.user;
}

void docket_ctx_pretend(docket_ctx *ctx, int64_t item_index, const char *idempotency_key)
{
    ctx->item_index = item_index;
    ctx->idempotency_key = idempotency_key;
}

const char *docket_ctx_idempotency_key(docket_ctx *ctx)
{
    if (ctx->idempotency_key != NULL) {
        return ctx->idempotency_key;
    }
    char *digits = docket_scratch(ctx, 33);
    uint8_t key[16];
    docket_error error;
    if (digits == NULL || docket__subject_idempotency_key(ctx, key, &error) != DOCKET_OK) {
        ctx->scratch.failed = true;
        return NULL;
    }
    docket__hex(key, sizeof key, digits);
    return digits;
}

static int64_t nearest_limit_ms(const docket_ctx *ctx)
{
    int64_t execution_ms = ctx->execution->deadline_ms;
    return ctx->limit_ms < execution_ms ? ctx->limit_ms : execution_ms;
}

int64_t docket_ctx_remaining_ms(const docket_ctx *ctx)
{
    int64_t limit_ms = ctx == NULL ? INT64_MAX : nearest_limit_ms(ctx);
    if (limit_ms == INT64_MAX) {
        return INT64_MAX;
    }
    int64_t now_ms = docket__clock_monotonic_ms();
    return now_ms < limit_ms ? limit_ms - now_ms : 0;
}

/* Memory. */

void *docket_alloc(docket_ctx *ctx, size_t size)
{
    return docket__arena_allocate(&ctx->memory, size, 16);
}

void *docket_alloc_array(docket_ctx *ctx, size_t count, size_t size)
{
    return docket__arena_allocate_array(&ctx->memory, count, size, 16);
}

static char *never_null(char *text)
{
    static char nothing[1];
    return text == NULL ? nothing : text;
}

char *docket_strdup(docket_ctx *ctx, const char *text)
{
    return never_null(docket__arena_duplicate(&ctx->memory, text == NULL ? "" : text));
}

char *docket_printf(docket_ctx *ctx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = docket__arena_vprintf(&ctx->memory, format, arguments);
    va_end(arguments);
    return never_null(text);
}

void *docket_scratch(docket_ctx *ctx, size_t size)
{
    return docket__arena_allocate(&ctx->scratch, size, 16);
}

docket_status docket_defer(docket_ctx *ctx, void (*function)(void *arg), void *arg)
{
    docket__deferred *deferred = docket_scratch(ctx, sizeof *deferred);
    if (deferred == NULL) {
        return DOCKET_NO_MEMORY;
    }
    *deferred = (docket__deferred){function, arg, ctx->deferred};
    ctx->deferred = deferred;
    return DOCKET_OK;
}

docket_status docket_adopt(docket_ctx *ctx, void *memory, void (*release_memory)(void *memory))
{
    if (docket__arena_adopt(&ctx->memory, memory, release_memory)) {
        return DOCKET_OK;
    }
    release_memory(memory);
    return DOCKET_NO_MEMORY;
}

/* Limits and cancellation. */

bool docket_cancelled(const docket_ctx *ctx)
{
    if (ctx == NULL) {
        return false;
    }
    if (atomic_load_explicit(&ctx->cancelled, memory_order_relaxed) ||
        atomic_load_explicit(&ctx->execution->stopping, memory_order_relaxed)) {
        return true;
    }
    int64_t limit_ms = docket__pool_is_manual(ctx->execution->pool) ? nearest_limit_ms(ctx) : INT64_MAX;
    return limit_ms != INT64_MAX && docket__clock_monotonic_ms() >= limit_ms;
}

int docket_cancel_fd(docket_ctx *ctx)
{
    pthread_mutex_lock(&ctx->execution->lock);
    if (ctx->cancel_fd < 0) {
        ctx->cancel_fd = eventfd(docket_cancelled(ctx), EFD_CLOEXEC | EFD_NONBLOCK);
        if (ctx->cancel_fd >= 0) {
            ctx->watch_next = ctx->execution->watched;
            ctx->execution->watched = ctx;
        }
    }
    int descriptor = ctx->cancel_fd;
    pthread_mutex_unlock(&ctx->execution->lock);
    return descriptor;
}

static struct timespec real_after(int64_t duration_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += duration_ms / 1000;
    until.tv_nsec += duration_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

docket_status docket_sleep(docket_ctx *ctx, int64_t duration_ms)
{
    docket_execution *execution = ctx->execution;
    int64_t remaining_ms = docket_ctx_remaining_ms(ctx);
    bool manual = docket__pool_is_manual(execution->pool);
    int64_t sleep_ms = duration_ms < 0 ? 0 : duration_ms;
    sleep_ms = manual && remaining_ms < sleep_ms ? remaining_ms : sleep_ms;
    sleep_ms = sleep_ms > DOCKET_DAYS(36500) ? DOCKET_DAYS(36500) : sleep_ms;
    int64_t left_ns = sleep_ms * 1000000;
    int64_t end_ns = docket__clock_monotonic_ns() + left_ns;
    pthread_mutex_lock(&execution->lock);
    while (left_ns > 0 && !docket_cancelled(ctx)) {
        struct timespec until = real_after(docket__clock_nap_ms((left_ns + 999999) / 1000000));
        pthread_cond_timedwait(&execution->stirred, &execution->lock, &until);
        left_ns = end_ns - docket__clock_monotonic_ns();
    }
    pthread_mutex_unlock(&execution->lock);
    return docket_cancelled(ctx) ? DOCKET_CANCELLED : DOCKET_OK;
}

/* The ways to end without a value. */

static docket_status say(docket_ctx *ctx, docket_status status, int code, const char *format, va_list arguments)
{
    char cause[sizeof ctx->failure.cause];
    memcpy(cause, ctx->failure.cause, sizeof cause);
    docket__error_vset(&ctx->failure, status, format, arguments);
    memcpy(ctx->failure.cause, cause, sizeof cause);
    ctx->failure.code = code;
    ctx->said = status;
    return status;
}

docket_status docket_absent(docket_ctx *ctx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ctx->absent_reason = never_null(docket__arena_vprintf(&ctx->memory, format, arguments));
    va_end(arguments);
    ctx->said = DOCKET_ABSENT;
    return DOCKET_ABSENT;
}

docket_status docket_fail(docket_ctx *ctx, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket_status status = say(ctx, DOCKET_FAILED, code, format, arguments);
    va_end(arguments);
    return status;
}

docket_status docket_retry_after(docket_ctx *ctx, int64_t delay_ms, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket_status status = say(ctx, DOCKET_FAILED, code, format, arguments);
    va_end(arguments);
    ctx->retry_after_ms = delay_ms < 0 ? 0 : delay_ms;
    return status;
}

docket_status docket_reject(docket_ctx *ctx, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket_status status = say(ctx, DOCKET_REJECTED, code, format, arguments);
    va_end(arguments);
    return status;
}

docket_status docket_abort(docket_ctx *ctx, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket_status status = say(ctx, DOCKET_ABORTED, code, format, arguments);
    va_end(arguments);
    return status;
}

docket_status docket_fail_from(docket_ctx *ctx, const docket_error *error)
{
    if (error == NULL || error->status == DOCKET_OK || error->status == DOCKET_ABSENT) {
        return docket_fail(ctx, 0, "%s", error == NULL ? "" : error->message);
    }
    ctx->failure = *error;
    ctx->said = error->status;
    return error->status;
}

void docket_cause(docket_ctx *ctx, const char *format, ...)
{
    docket_error words;
    va_list arguments;
    va_start(arguments, format);
    docket__error_vset(&words, DOCKET_FAILED, format, arguments);
    va_end(arguments);
    docket__error_set_cause(&ctx->failure, words.message);
}

/* Recording. */

docket_status docket_set_ttl(docket_ctx *ctx, int64_t ttl_ms)
{
    if (ttl_ms < 0 || ctx->step->options.effect != DOCKET_EFFECT_NONE) {
        return DOCKET_INVALID;
    }
    ctx->ttl_ms = ttl_ms;
    return DOCKET_OK;
}

void docket_do_not_record(docket_ctx *ctx)
{
    ctx->do_not_record = ctx->step->options.effect != DOCKET_EFFECT_ONCE;
}

/* Items. */

docket_status docket_emit(docket_ctx *ctx, const void *item)
{
    docket_error error = DOCKET_ERROR_INIT;
    if (ctx == NULL || item == NULL || ctx->node == NULL || ctx->node->plan->expands == DOCKET__ONCE) {
        return DOCKET_STATE;
    }
    docket_status status = docket__items_emit(ctx->node, item, &error);
    if (status != DOCKET_OK && status != DOCKET_CANCELLED) {
        ctx->failure = error;
        ctx->said = status;
    }
    return status;
}
