/** @page docket_harness  For people who write test tools: what a harness may put in the place of docket's own.
 *
 * docket_testing(3) is made with these functions and is what most tests want: a clock that stands still, a kill at the
 * n-th moment, a step entered by hand. Others may be made the same way, for another language or another framework.
 *
 * All of it belongs to tests. A program that is in use changes none of it.
 */
#ifndef DOCKET_HARNESS_H
#define DOCKET_HARNESS_H

#include <docket/context.h>

DOCKET_BEGIN_DECLS

/** Where docket reads the time. Monotonic time measures and never goes back; wall time (milliseconds since 1970-01-01
 * UTC) is for people and for times to live. Both functions are called from any thread at once. */
typedef struct docket_clock {
    int64_t (*monotonic_ns)(void *arg);
    int64_t (*wall_ms)(void *arg);
    void *arg;
} docket_clock;

/** Replaces the clocks of the whole process; NULL gives the system's back. While a clock is replaced, what waits for a
 * moment looks at it every 5 ms: timers, delays, docket_sleep, docket_pool_run. The kernel knows nothing of it, so
 * docket_pool_fd does not become readable for a timer, and a store waits for locks and before its retries in real time.
 *
 * Owns: the caller; the structure must stay valid until another one is in its place and no call of docket that began
 * before is under way.
 * Threads: any; before docket has read a clock, as time should not jump under executions. */
DOCKET_API void docket_set_clock(const docket_clock *clock);

/** Moments between which a crash makes a difference. */
typedef enum docket_point {
    DOCKET_POINT_ENTER = 1,     /* a step's function is about to be entered */
    DOCKET_POINT_RETURN = 2,    /* it has returned */
    DOCKET_POINT_COMMIT = 3,    /* a group of commits, or a step's transaction, is about to be handed to the store */
    DOCKET_POINT_COMMITTED = 4, /* the store has answered, well or badly */
    DOCKET_POINT_RELEASE = 5,   /* a claim on a key is about to be given up */
    DOCKET_POINT_RELEASED = 6   /* it was given up, and whoever waited for it was told */
} docket_point;

/** The point's name in lower case, as "committed". Never NULL.
 *
 * Valid until: for ever.
 * Threads: any. */
DOCKET_API const char *docket_point_name(docket_point point);

/** Told of every point that the process passes, on the thread that passes it, with no lock of docket held. `where` is the
 * step, or for commits the store. It may end the process, and must not call docket. */
typedef struct docket_probe {
    void (*reached)(void *arg, docket_point point, const char *where);
    void *arg;
} docket_probe;

/** Puts a probe in the place of the one before; NULL takes it away. Without one, a point costs one look at a variable.
 *
 * Owns: the caller, as with docket_set_clock.
 * Threads: any. */
DOCKET_API void docket_set_probe(const docket_probe *probe);

/** From here on, docket_ctx_item_index and docket_ctx_idempotency_key answer this in the step that has the context.
 * NULL as the key leaves its own.
 *
 * Owns: the caller; the text must stay valid until the step has ended.
 * Threads: the step's. */
DOCKET_API void docket_ctx_pretend(docket_ctx *ctx, int64_t item_index, const char *idempotency_key);

DOCKET_END_DECLS

#endif
