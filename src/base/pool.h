/* Thread pools: tasks, timers and elastic threads. Knows nothing of docket; its public face is docket/pool.h.
 *
 * One lock per pool guards the task queue, the timer heap and the counters. Tasks and timers are embedded in their
 * owners' structures, so that nothing here can run out of memory; they run without the lock. A pool lives until nobody
 * refers to it and its last thread has left. */
#ifndef DOCKET_BASE_POOL_H
#define DOCKET_BASE_POOL_H

#include <docket/pool.h>

typedef struct docket__task docket__task;
struct docket__task {
    void (*run)(docket__task *task);
    docket__task *next;
};

typedef struct docket__timer docket__timer;
struct docket__timer {
    void (*fire)(docket__timer *timer);
    int64_t due_ms; /* monotonic */
    bool armed;
    docket__timer *child, *sibling, *previous; /* a pairing heap: Fredman, Sedgewick, Sleator, Tarjan, 1986 */
};

/* The pool of graphs that name none; made at first need, again in a forked child. NULL when memory is exhausted. */
docket_pool *docket__pool_default(void);
docket_pool *docket__pool_ref(docket_pool *pool);
void docket__pool_unref(docket_pool *pool);

/* Whether the pool has no threads of its own. */
bool docket__pool_is_manual(const docket_pool *pool);

/* Queues a task, and starts a thread if none is idle and the size allows. If no thread exists and none can be started
 * the task runs here and now, so call it without locks. */
void docket__pool_submit(docket_pool *pool, docket__task *task);

/* Makes `fire` run at `due_ms`, on the timer thread (or in docket_pool_run): it must not block. The timer must not be
 * armed already. */
void docket__pool_arm(docket_pool *pool, docket__timer *timer, int64_t due_ms);

/* True: the timer will not fire. False: it was not armed, or `fire` has been or is being called. */
bool docket__pool_disarm(docket_pool *pool, docket__timer *timer);

/* The pool that the calling thread belongs to, or NULL. */
docket_pool *docket__pool_of_thread(void);

/* Between these one of the pool's threads does not count against the size: it waits for others, or is lost in a step
 * that does not return. */
void docket__pool_lend_begin(docket_pool *pool);
void docket__pool_lend_end(docket_pool *pool);

/* Runs one thing that is ready, or waits for one until `deadline_ms`, or until the pool was kicked more often than
 * `kicks` times. False: nothing was run. */
bool docket__pool_run_one(docket_pool *pool, uint64_t kicks, int64_t deadline_ms);

/* The same for timers alone. */
bool docket__pool_run_timer(docket_pool *pool, uint64_t kicks, int64_t deadline_ms);

/* Wakes all threads inside docket__pool_run_one, docket__pool_run_timer and docket_pool_run. */
void docket__pool_kick(docket_pool *pool);
uint64_t docket__pool_kicks(docket_pool *pool);

#endif
