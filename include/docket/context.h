/** @page docket_context  Inside a step: identity, memory, limits, and the ways to fail.
 *
 * A docket_ctx belongs to one attempt of one step. It is valid from the entry into the step's function until its
 * return, on the thread that called it; hand it to another thread only if the step waits for that thread.
 *
 * Memory taken from a context lives as long as the step's value: as long as any consumer needs it, and in the result
 * until docket_result_free. Memory of a failed attempt is freed before the next one. A value may point to context
 * memory, to static data and into the step's inputs. A failed allocation is remembered: a step that then returns
 * DOCKET_OK fails with DOCKET_NO_MEMORY and nothing is recorded.
 */
#ifndef DOCKET_CONTEXT_H
#define DOCKET_CONTEXT_H

#include <docket/step.h>

DOCKET_BEGIN_DECLS

/* Identity. */

/** The execution's id, also a random one. For NULL the empty string.
 *
 * Valid until: the step returns, as for all texts of this page. */
DOCKET_API const char *docket_ctx_execution_id(const docket_ctx *ctx);

/** The step's name in its graph. For NULL the empty string.
 *
 * Valid until: the graph is freed. */
DOCKET_API const char *docket_ctx_step_name(const docket_ctx *ctx);

/** Which entry into the step's function this is, from 1. For NULL 0. */
DOCKET_API int docket_ctx_attempt(const docket_ctx *ctx);

/** The item's index in a batch, or -1. */
DOCKET_API int64_t docket_ctx_item_index(const docket_ctx *ctx);

/** The `user` pointer of the step's options. For NULL NULL.
 *
 * Valid until: as long as the program keeps it, which is at least until docket_graph_stop. */
DOCKET_API void *docket_ctx_user(const docket_ctx *ctx);

/** 32 hexadecimal digits that stay the same over attempts, crashes and deploys, and differ for other inputs: hand
 * them to a foreign system so that it can recognise a repeated request. Made of namespace, scope, execution id (unless
 * GLOBAL), step name and inputs; neither version nor layout is part of it.
 *
 * Valid until: the attempt ends.
 * Returns: NULL when memory is exhausted or an input cannot be encoded; a step that then returns DOCKET_OK fails with
 * DOCKET_NO_MEMORY. */
DOCKET_API const char *docket_ctx_idempotency_key(docket_ctx *ctx);

/** Milliseconds until the nearest limit of attempt or execution, 0 when it has passed, INT64_MAX without one and for
 * NULL. For calls that take a timeout of their own. */
DOCKET_API int64_t docket_ctx_remaining_ms(const docket_ctx *ctx);

/* Memory. */

/** Zeroed memory for the value.
 *
 * Valid until: the value is freed.
 * Returns: NULL when memory is exhausted, which the context remembers. */
DOCKET_API void *docket_alloc(docket_ctx *ctx, size_t size);

/** `count` times `size` zeroed bytes; a product that overflows is exhausted memory.
 *
 * Valid until: the value is freed.
 * Returns: as docket_alloc. */
DOCKET_API void *docket_alloc_array(docket_ctx *ctx, size_t count, size_t size);

/** A zeroed T, or an array of them, in the value's memory: see docket_alloc. */
#define DOCKET_NEW(ctx, T) ((T *)docket_alloc((ctx), sizeof(T)))
#define DOCKET_NEW_ARRAY(ctx, T, count) ((T *)docket_alloc_array((ctx), (count), sizeof(T)))

/** Copies text into the value's memory; NULL copies as "". Never NULL: when memory is exhausted the result is "" and
 * the step fails.
 *
 * Valid until: the value is freed. */
DOCKET_API char *docket_strdup(docket_ctx *ctx, const char *text);

/** Formats text into the value's memory. Never NULL: when memory is exhausted the result is "" and the step fails.
 *
 * Valid until: the value is freed. */
DOCKET_API char *docket_printf(docket_ctx *ctx, const char *format, ...) DOCKET_PRINTF(2, 3);

/** Zeroed memory that is freed when the attempt ends.
 *
 * Valid until: the attempt ends; the deferred functions still see it.
 * Returns: NULL when memory is exhausted, which the context remembers. */
DOCKET_API void *docket_scratch(docket_ctx *ctx, size_t size);

/** Calls `function(arg)` when the attempt ends, also after failure and cancellation; the last deferred first. In an
 * isolated step it is called in the child.
 *
 * Threads: it is called on the step's thread.
 * Returns:
 * - DOCKET_NO_MEMORY: nothing was deferred; call it yourself. */
DOCKET_API docket_status docket_defer(docket_ctx *ctx, void (*function)(void *arg), void *arg);

/** Ties foreign memory to the value: `release(memory)` is called when the value is freed, or at once when the attempt
 * fails.
 *
 * Owns: docket, from the call on, even if it fails.
 * Returns:
 * - DOCKET_NO_MEMORY: the memory was released. */
DOCKET_API docket_status docket_adopt(docket_ctx *ctx, void *memory, void (*release)(void *memory));

/* Limits and cancellation. */

/** Whether the step should stop: the execution was cancelled, a limit passed, or a sibling failed. Cheap enough for
 * an inner loop. A step that stops for it returns DOCKET_CANCELLED. For NULL false.
 *
 * Threads: any that the step waits for. */
DOCKET_API bool docket_cancelled(const docket_ctx *ctx);

/** A descriptor that becomes readable when docket_cancelled becomes true; for poll. Do not read or close it.
 *
 * Valid until: the step returns.
 * Returns: -1 when none can be made. */
DOCKET_API int docket_cancel_fd(docket_ctx *ctx);

/** Sleeps, but no longer than until cancellation. A negative time is 0.
 *
 * Threads: it holds the step's thread; the delay before another attempt (docket_retry_after) holds none.
 * Returns:
 * - DOCKET_OK: the time has passed.
 * - DOCKET_CANCELLED: the step should stop; return this. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_sleep(docket_ctx *ctx, int64_t duration_ms);

/* The ways to end without a value. Each returns the status that the step must return. */

/** Says that there is no value, and why: a success that is recorded like any other. Steps that need the type do not
 * run and are absent too, except those that declared it MAYBE.
 *
 * Returns: DOCKET_ABSENT, for the step to return. */
DOCKET_API docket_status docket_absent(docket_ctx *ctx, const char *format, ...) DOCKET_PRINTF(2, 3);

/** Reports a failure that may pass: the step is entered again while attempts are left. `code` is the step's own
 * number and arrives in docket_error.code.
 *
 * Returns: DOCKET_FAILED, for the step to return. */
DOCKET_API docket_status docket_fail(docket_ctx *ctx, int code, const char *format, ...) DOCKET_PRINTF(3, 4);

/** The same, and sets the delay before the next attempt in place of the backoff; a negative one is 0. */
DOCKET_API docket_status docket_retry_after(docket_ctx *ctx, int64_t delay_ms, int code, const char *format, ...)
    DOCKET_PRINTF(4, 5);

/** Refuses this input for good: no further attempt, whatever should_retry would say.
 *
 * Returns: DOCKET_REJECTED, for the step to return. */
DOCKET_API docket_status docket_reject(docket_ctx *ctx, int code, const char *format, ...) DOCKET_PRINTF(3, 4);

/** Stops the whole execution: no further attempt of any step, no fallback.
 *
 * Returns: DOCKET_ABORTED, for the step to return. */
DOCKET_API docket_status docket_abort(docket_ctx *ctx, int code, const char *format, ...) DOCKET_PRINTF(3, 4);

/** Passes on the error of another docket call, with its first cause, code and message. The step counts as failed;
 * an abort stays an abort, a rejection a rejection, a cancellation a cancellation.
 *
 * Returns: the error's status, for the step to return; DOCKET_FAILED if it is DOCKET_OK or DOCKET_ABSENT. */
DOCKET_API docket_status docket_fail_from(docket_ctx *ctx, const docket_error *error);

/** Adds the underlying cause to the failure that this attempt is about to report; it arrives in docket_error.cause. */
DOCKET_API void docket_cause(docket_ctx *ctx, const char *format, ...) DOCKET_PRINTF(2, 3);

/* Recording. */

/** Replaces the step's TTL for this result; 0 = for ever. Each attempt begins with the step's own.
 *
 * Returns:
 * - DOCKET_INVALID: negative; or an effect step, which takes none. */
DOCKET_API docket_status docket_set_ttl(docket_ctx *ctx, int64_t ttl_ms);

/** Keeps this result out of the store: good for this execution, computed again in the next. Not in an effect step: the
 * attempt of a transactional one fails with DOCKET_INVALID, and what a once step did is recorded all the same. */
DOCKET_API void docket_do_not_record(docket_ctx *ctx);

DOCKET_END_DECLS

#endif
