/** @page docket_pool  Pools: the threads that run steps.
 *
 * Every graph uses a pool: the one in its options, or a default one that is made at first need, grows to 256 threads
 * and lives as long as the program. A pool is elastic: threads are started when ready steps wait, and leave after ten
 * idle seconds. Steps may block. A thread that waits inside a nested docket_execute, and a step that overran its
 * limit, do not count against the size: the pool adds one for each.
 *
 * A pool of 0 threads runs nothing by itself: steps, timers and `done` callbacks run inside docket_pool_run, on the
 * caller's thread, so that an event loop can own them. A passed limit is then noticed when the running step returns.
 * A step that waits there for a nested execution runs only that one meanwhile, and the owners of keys that it waits for,
 * on top of its own stack. Graphs whose steps execute each other's share one such pool: nobody else runs it meanwhile.
 */
#ifndef DOCKET_POOL_H
#define DOCKET_POOL_H

#include <docket/status.h>

DOCKET_BEGIN_DECLS

/** A pool; a counted reference. */
typedef struct docket_pool docket_pool;

/** Makes a pool of at most `threads` threads, 0 to 10000. No thread is started yet.
 *
 * Owns: the caller; free with docket_pool_free.
 * Threads: any.
 * Returns: NULL when memory is exhausted or `threads` is out of range. */
DOCKET_API docket_pool *docket_pool_new(int threads);

/** Drops the caller's reference. Graphs and running steps hold their own; when the last is gone the idle threads end,
 * and this call waits for them. A pool of 0 threads first runs what is ready, such as what is left of cancelled
 * executions; docket_graph_stop does so as well. NULL is accepted.
 *
 * Threads: any, but no call with this handle may come after it. */
DOCKET_API void docket_pool_free(docket_pool *pool);

/** Runs what is ready: steps, timers, `done` callbacks. Returns when something was run and nothing more is ready, or
 * when `timeout_ms` has passed (0 = do not wait, negative = wait without limit). On a pool with threads of its own the
 * caller helps them.
 *
 * Threads: any, several at once.
 * Returns: the number of things run. */
DOCKET_API size_t docket_pool_run(docket_pool *pool, int64_t timeout_ms);

/** A descriptor that is readable while docket_pool_run has something to do; for poll, epoll and event loops. Do not
 * read or close it.
 *
 * Valid until: docket_pool_free.
 * Threads: any.
 * Returns: -1 when none can be made. */
DOCKET_API int docket_pool_fd(docket_pool *pool);

DOCKET_END_DECLS

#endif
