/* The engine: runs a plan.
 *
 * An execution is one block of memory: its nodes (one per step of the plan), its slots (one per type) and the values
 * themselves. A node moves through phases; whoever holds it - a thread, a timer, a claim's queue, the commit queue -
 * moves it on alone, so a node needs no lock of its own. What waits holds no thread.
 *
 *     START -> LOOK_UP -> (CLAIM, waits for another owner) -> LOOK_UP again -> ENTER -> COMMIT -> ended
 *                 hit ------------------------------------------------------------------------^
 *
 * A once step takes another way from its claim to its outcome: see engine/once.h.
 *
 * Threads. Ready nodes stand in two lists: those that any thread may run, and those that only pool threads may (see
 * `limited`). A thread that ends a node goes on with the first node this made ready; for each further one a *token* is
 * submitted to the pool: a task that takes one ready node and goes on from there. As long as no token was ever
 * submitted (`shared` is false) the execution belongs to its caller's thread and takes no lock.
 *
 * `live` counts nodes that are ready, run or wait, and commits on their way. When it falls to 0 the execution is over.
 * Its caller may have gone before (`ended`): after that no slot changes any more, but running steps keep everything
 * alive and their results are still recorded.
 *
 * Locks: execution->lock guards the lists, `ended`, the first error, parked nodes, children and, once shared, slots.
 * execution->observer_lock serialises events. Order: a cancel token's lock, then execution->lock; a pool's and a store's
 * locks are leaves; no callback and no step runs under any of them, observers under observer_lock only. */
#ifndef DOCKET_ENGINE_EXECUTION_H
#define DOCKET_ENGINE_EXECUTION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/pool.h"
#include "graph/graph.h"
#include "store/store.h"
#include <docket/execute.h>

/* Most items need little memory each. */
enum { DOCKET__ITEM_CHUNK_BYTES = 32 };

typedef struct docket__node docket__node;
typedef struct docket__row docket__row;
typedef struct docket__group docket__group;
typedef struct docket__chunk docket__chunk;
typedef struct docket__prefetch docket__prefetch;
typedef struct docket__once docket__once;

typedef enum docket__phase {
    DOCKET__PHASE_START,
    DOCKET__PHASE_LOOK_UP,
    DOCKET__PHASE_ONCE, /* a once step, from its claim to its outcome: see engine/once.h */
    DOCKET__PHASE_ENTER,
    DOCKET__PHASE_COMMITTED,
    DOCKET__PHASE_FOLDED /* a fold has taken all items as they came */
} docket__phase;

/* How an attempt stands towards its own time limit; guarded by execution->lock. */
typedef enum docket__limit_state {
    DOCKET__LIMIT_NONE,     /* no attempt under a limit is running */
    DOCKET__LIMIT_RUNNING,
    DOCKET__LIMIT_PASSED,   /* the step was told to stop */
    DOCKET__LIMIT_STRAGGLES /* it did not stop in time either: the node has failed, the step runs on */
} docket__limit_state;

/* Why a node waits without a thread. */
typedef enum docket__parking {
    DOCKET__PARKED_NOT,
    DOCKET__PARKED_FOR_CLAIM,
    DOCKET__PARKED_FOR_DELAY,
    DOCKET__PARKED_FOR_COMMITS,
    DOCKET__PARKED_FOR_TURN /* another item's step has to leave first */
} docket__parking;

typedef struct docket__deferred {
    void (*function)(void *arg);
    void *arg;
    struct docket__deferred *next;
} docket__deferred;

/* What an attempt makes in the depot of its store; then the execution's, as long as anybody uses the values. */
typedef struct docket__drafts {
    docket__depot *depot;
    uint64_t desk;
    struct docket__drafts *next;
} docket__drafts;

/* A step at work: the public docket_ctx. Serves all attempts of one node. References: the node's, until it has ended;
 * one per nested execution; one per commit on its way. */
struct docket_ctx {
    atomic_uint references;
    docket_execution *execution;
    docket__node *node;
    const docket__graph_step *step;
    docket__holder holder;

    int attempt;
    const void **gathered; /* all items that it takes, and how many */
    size_t gathered_count;
    docket_arena memory;  /* of the value */
    docket_arena scratch; /* of the attempt */
    docket__deferred *deferred;
    docket__drafts *drafts; /* NULL = it has made no file */

    /* What the step said. */
    docket_status said;     /* by a failure verb; DOCKET_OK if none */
    docket_error failure;   /* of the latest attempt or commit */
    const char *absent_reason;
    int64_t retry_after_ms; /* -1 = by the backoff */
    int64_t ttl_ms;
    bool do_not_record;
    bool nothing_happened; /* the latest attempt said so by a failure verb */
    bool late;             /* it brought a value, but after its limit */

    /* What docket_ctx_pretend said. */
    int64_t item_index; /* -1 = none */
    const char *idempotency_key; /* NULL = its own */

    /* Limits. */
    bool has_turn;         /* the step's rate allows the next attempt */
    atomic_bool cancelled; /* this attempt should stop */
    docket__limit_state limit_state;
    int64_t limit_ms;      /* monotonic; INT64_MAX = none */
    docket__timer timer;   /* the attempt's limit, then its grace; or the delay before the next attempt */
    int cancel_fd;
    struct docket_ctx *watch_next; /* in execution->watched */
    int64_t started_ns;
    uint64_t span;
    docket__task report;   /* tells observers what a thread found out that they must not block */

    /* Recording. */
    docket__parking parking;
    struct docket_ctx *parked_next, *parked_previous;
    struct docket_ctx *turn_next; /* of those that wait for a turn; guarded by the group's lock */
    bool queued;
    docket__waiter waiter;
    int64_t wait_started_ns; /* 0 = it does not wait for a claim */
    docket_record *woken_record; /* what another owner recorded */
    docket_error *woken_failure;
    bool claimed;
    bool replace;          /* a record is there but is no good */
    const char *miss;      /* why the step runs */
    docket_buffer bytes;
    docket__chunk *chunks; /* of an expand step: see engine/expand.h */
    docket_record record;
    const char **files;    /* names of the managed files of the value */
    size_t file_count;
    docket__write write;
    int64_t write_started_ns;
    docket_transaction transaction; /* of the attempt, while `self` is not NULL */
    docket_intent intent;           /* of it: holds the effect's slot with the record */
    atomic_int handoff;    /* who goes on after a commit: the second to arrive */
    uint8_t input_digests[DOCKET_MAX_INPUTS][32];
    bool admitted;      /* it holds a place inside a step that takes so many items at a time */
    docket__once *once; /* of a once step, from its claim on */
};

struct docket__node {
    docket__task token; /* must be first */
    docket_execution *execution;
    docket__row *row; /* that its output belongs to */
    const docket__plan_node *plan;
    docket__node *next; /* in a list of ready nodes */
    docket_ctx *ctx;    /* from its start to its end */
    atomic_uint pending;
    uint8_t phase;
    bool pool_only;
    bool broken;       /* an item has failed, so that its output will never be there */
    bool token_queued; /* its token is in the pool's queue; guarded by execution->lock */
};

typedef struct docket__slot {
    const void *value; /* in the value block, or a resource, or a provided value */
    const char *reason; /* of absence or failure */
    uint8_t state;      /* docket_value_state */
    bool broken;        /* an item that it depends on has failed: nobody runs with it */
    atomic_uchar has_digest;
} docket__slot;

/* Where the values of one level live: those of the execution, or those of one item. */
struct docket__row {
    uint32_t first_slot, first_node; /* of the plan */
    docket__slot *slots;
    docket__node *nodes;
    uint8_t (*digests)[32]; /* per slot; NULL in a plan without recorded steps */
    uint8_t *values;
    docket_arena memory; /* what the values point to */
};

typedef struct docket__node_list {
    docket__node *first, **last;
} docket__node_list;

struct docket_result {
    docket_execution *execution;
};

struct docket_execution {
    atomic_uint references;
    atomic_uint graph_users; /* the caller with its result, and the work under way: they hold graph and plan */
    docket_graph *graph;
    const docket__plan *plan;
    docket_pool *pool;
    docket_result result; /* the caller's view of this execution */
    uint64_t number;
    const void *tree;     /* the execution at the root of the nest: identity only */
    _Atomic(char *) id;   /* NULL = a random one that nobody has asked for yet */

    docket__row row; /* of what is there once; guarded by lock once shared */
    docket__group *groups; /* of what is there per item: see engine/items.h */
    uint32_t group_count;
    docket__slot nowhere;  /* of a type that is there per item, as a node sees it that runs once */
    bool collects;         /* an item's failure stops nothing but the item */
    docket_ctx *spare;      /* for the next node of a solitary execution */

    bool limited; /* a deadline, a token, or a step with a limit: only cooperative steps on the caller's thread */
    bool blocking; /* docket_execute: a caller waits inside */
    bool has_deferred;   /* a step of the plan commits before the end only */
    bool several_stores; /* recorded steps of the plan use more than one */
    docket_store *recording_store; /* the one they use, unless several_stores; borrowed from them */
    docket__prefetch *prefetch; /* NULL = none */
    atomic_bool shared;
    atomic_bool stopping; /* start nothing more: the first error is set */
    atomic_size_t live;

    pthread_mutex_t lock;
    pthread_cond_t changed;  /* for the caller: a ready node, the end */
    pthread_cond_t stirred;  /* for sleeping steps: cancellation */
    docket__node_list ready, pool_ready;
    bool caller_waits;
    atomic_bool ended; /* set under the lock */
    unsigned inside; /* threads of the pool that are at work here */
    unsigned strays; /* of these, those that were still here when the caller was let go */
    unsigned lending; /* so many, until the pool knows: see docket__pool_lend_begin */
    docket_error error;     /* the first; DOCKET_OK if none */
    docket_ctx *parked, *watched;
    docket__drafts *drafts; /* of attempts that are over */
    atomic_size_t commits;  /* deferred ones on their way */
    docket__timer deadline, grace;
    int64_t deadline_ms;    /* INT64_MAX = none */
    int64_t limit_ms;       /* from the start to there; for messages */

    docket_cancel *cancel;
    docket_execution *cancel_next, *cancel_previous; /* in the token's list */
    docket_ctx *parent;
    docket_execution *children, *sibling_next, *sibling_previous;
    docket_execution *active_next, *active_previous; /* in graph->active */

    void (*done)(void *arg);
    void *done_arg;
    docket__task done_task;
    docket__task *errands; /* on a pool without threads; guarded by lock */
    docket__task errand_token;
    bool errand_token_queued;
    bool announced; /* done has returned; guarded by lock */

    pthread_mutex_t observer_lock;
    int64_t started_ns;
};

/* The slot of a type of the plan as a node sees it: as output or input. */
static inline docket__slot *docket__node_slot(const docket__node *node, uint32_t slot)
{
    docket_execution *execution = node->execution;
    if (slot < execution->plan->once_slots) {
        return &execution->row.slots[slot];
    }
    return node->plan->group == DOCKET__ONCE ? &execution->nowhere : &node->row->slots[slot - node->row->first_slot];
}

/* Where the digest of its key bytes is kept, or NULL. */
static inline uint8_t *docket__node_digest(const docket__node *node, uint32_t slot)
{
    const docket__row *row = slot < node->execution->plan->once_slots ? &node->execution->row : node->row;
    bool elsewhere = slot >= node->execution->plan->once_slots && node->plan->group == DOCKET__ONCE;
    return row->digests == NULL || elsewhere ? NULL : row->digests[slot - row->first_slot];
}

/* Whether only pool threads may run the step: the caller's must be free to return at a limit, and a transaction's must not
 * be one that SQLite's locks tie to something else. */
static inline bool docket__step_needs_pool(const docket_execution *execution, const docket_step_options *options)
{
    bool elsewhere = execution->limited && !options->cooperative && !options->isolated;
    return execution->blocking && (elsewhere || options->effect == DOCKET_EFFECT_TRANSACTION);
}

/* execution.c: life. */
docket_execution *docket__execution_ref(docket_execution *execution);
void docket__execution_unref(docket_execution *execution);
/* One of the two users of the graph needs it no more. A token that finds nothing to do may come after both. */
void docket__execution_leave_graph(docket_execution *execution);
const char *docket__execution_id(docket_execution *execution);

/* schedule.c: which node runs where and when. */

/* Puts a node into its list and sees to it that somebody comes for it. The caller has counted it in `live`. */
void docket__schedule_ready(docket__node *node);

/* Runs a node, and what it makes ready that may follow on this thread. */
void docket__schedule_chain(docket__node *node);

/* One of those that a node waits for has ended. True: it was the last. */
bool docket__schedule_satisfy(docket__node *node);

/* Runs something else of the execution on the thread of a step that waits for it. False: there is nothing. */
bool docket__schedule_help(docket_execution *execution);

/* Starts the roots; with `blocking` runs and waits until the execution has ended for its caller. */
void docket__schedule_run(docket_execution *execution);

/* Waits until `*flag`, which execution->lock guards, is true. */
void docket__schedule_wait(docket_execution *execution, const bool *flag);

/* Says what is becoming of a node's output while it is under way. */
void docket__schedule_mark(docket__node *node, docket_value_state state);

/* Ends a node: publishes what became of its output, frees its consumers, and puts the first that this made ready and
 * that this thread may run into *next. `reason` must live in the execution's memory. */
void docket__schedule_end(docket__node *node, docket_value_state state, const char *reason, docket__node **next);

/* Ends a node whose output nobody will see: it failed for good, or the execution stops. `state` may be
 * DOCKET_VALUE_FAILED or DOCKET_VALUE_NOT_REACHED. */
void docket__schedule_drop(docket__node *node, docket_value_state state, const char *reason);

/* Marks a node as waiting. False: the execution stops, or there are no commits to wait for; the node was not parked. */
bool docket__schedule_park(docket_ctx *ctx, docket__parking parking);

/* Undoes it, if nobody else resumed the node meanwhile. */
void docket__schedule_unpark(docket_ctx *ctx);

/* A deferred commit begins, or has ended: nodes that waited for the last one go on. */
void docket__schedule_commit_begin(docket_execution *execution);
void docket__schedule_commit_end(docket_execution *execution);

/* Takes a parked or otherwise threadless node back into the lists. Any thread. */
void docket__schedule_resume(docket__node *node);

/* Has a task run for the execution on a thread of its pool. Whoever waits inside a step for this execution may run it, and
 * whoever waits for the claim of the context whose `report` it is. */
void docket__schedule_errand(docket_execution *execution, docket__task *errand);

/* Adds to or takes from the count of things under way; at 0 the execution is over. */
void docket__schedule_live(docket_execution *execution, int change);

/* Records the first error, and stops: no node starts any more, running steps see it. With `at_once` the caller is let
 * go now (cancellation, deadline, a straggler); otherwise when all has ended or the grace has passed. */
void docket__schedule_stop(docket_execution *execution, const docket_error *error, bool at_once);

/* Stops because the execution's own limit has passed. */
void docket__schedule_time_out(docket_execution *execution);

/* Whether nothing more may start. Notices a passed deadline by itself: on a pool without threads no timer tells it while
 * a step runs. */
bool docket__schedule_stops(docket_execution *execution);

/* Stops the executions that were begun from this attempt. */
void docket__schedule_stop_children(docket_ctx *ctx, const docket_error *error);

/* Hands one item to a fold that takes them as they come; its node is not under way otherwise. */
void docket__node_fold(docket__node *node, const docket__slot *item, uint64_t index);

/* node.c: one node through its phases. Returns when it waits or has ended; *next as for docket__schedule_end. */
void docket__node_run(docket__node *node, docket__node **next);

/* attempt.c: one entry into a step's function. */
typedef enum docket__attempt_outcome {
    DOCKET__ATTEMPT_OK,
    DOCKET__ATTEMPT_ABSENT,
    DOCKET__ATTEMPT_FOUND,  /* nothing was entered: ctx->woken_record was there when the transaction began */
    DOCKET__ATTEMPT_FAILED, /* for good: ctx->failure tells */
    DOCKET__ATTEMPT_STOPPED, /* without a result, because the execution stops */
    DOCKET__ATTEMPT_PARKED,  /* another one follows after a delay */
    DOCKET__ATTEMPT_AGAIN,   /* another one may follow: of docket__attempt_enter only */
    DOCKET__ATTEMPT_STRAGGLED /* it came back after the execution was told that it did not */
} docket__attempt_outcome;

/* record.c: makes ctx->record of what an attempt came to: encoded, within the store's limit, sealed. */
docket_status docket__ctx_record(docket_ctx *ctx, docket__attempt_outcome outcome, docket_error *error);
/* What is to be committed for it. */
docket_commit docket__ctx_commit(const docket_ctx *ctx);

/* Enters the step's function until an attempt succeeds or no further one may follow now. */
docket__attempt_outcome docket__attempt_run(docket_ctx *ctx, const docket_argument *arguments, void *output);

/* The same in two parts, for steps with something to do in between: one entry; and the wait for the next one: true if
 * the node is parked for it. */
docket__attempt_outcome docket__attempt_enter(docket_ctx *ctx, const docket_argument *arguments, void *output);
bool docket__attempt_wait(docket_ctx *ctx);

/* Before it: true if the node is parked until the step's rate lets it start. Asked again then. */
bool docket__attempt_wait_for_turn(docket_ctx *ctx);

/* Asks the step that verifies a once step's effect. Returns its status; ctx->failure tells more about a failure. */
docket_status docket__attempt_verify(docket_ctx *ctx, const docket_step *verify, const docket_argument *arguments,
                                     void *output);

/* The same for a fold that takes items as they come: it begins, takes one after the other, and ends. */
void docket__attempt_open(docket_ctx *ctx, void *output);
bool docket__attempt_feed(docket_ctx *ctx, const void *item, void *output);
docket__attempt_outcome docket__attempt_close(docket_ctx *ctx, void *output);

/* Calls the step's function; a fold's once for each item. */
docket_status docket__step_call(docket_ctx *ctx, void *output, const docket_argument *arguments);

/* isolate.c: the same in a child process. Returns the status of the function, with what the step said in ctx. */
docket_status docket__isolate_call(docket_ctx *ctx, void *output, const docket_argument *arguments);

/* context.c */
docket_ctx *docket__ctx_new(docket__node *node);
docket_ctx *docket__ctx_ref(docket_ctx *ctx);
void docket__ctx_unref(docket_ctx *ctx);
/* The node has ended: its context goes, or serves the next node. */
void docket__ctx_detach(docket__node *node);
void docket__ctx_dispose(docket_ctx *spare);
/* The context of the step function that runs on this thread, or NULL. */
extern _Thread_local docket_ctx *docket__ctx_current;
/* Wakes whoever sleeps or polls for cancellation; execution->lock is held. */
void docket__ctx_signal(docket_ctx *ctx);
/* Before a further attempt: that the one before was to stop does not count for it. */
void docket__ctx_rearm(docket_ctx *ctx);

/* cancel.c */
docket_cancel *docket__cancel_ref(docket_cancel *cancel);
void docket__cancel_join(docket_cancel *cancel, docket_execution *execution);
void docket__cancel_part(docket_cancel *cancel, docket_execution *execution);

/* events.c: what observers are told. Nothing is done when there is none. */
static inline bool docket__observed(const docket_execution *execution)
{
    return execution->graph->options.observer_count > 0;
}
/* Fills in graph, ids, names and time, and calls the observers one after another. `ctx` may be NULL. */
void docket__event_emit(docket_execution *execution, const docket_ctx *ctx, docket_event *event);

#endif
