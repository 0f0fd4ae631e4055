/** @page docket_graph  Graphs: steps joined by their types.
 *
 * A graph is a named set of steps. Which step feeds which follows from the types alone: a step runs when the types it
 * needs are there, and at most one step makes a type. Types that no step makes are leaves: the caller gives them.
 *
 * Build a graph on one thread: new, add, provide, validate. Validation freezes it; from then on any number of threads
 * may execute it at once. Errors of docket_graph_add are remembered, and docket_graph_validate reports the first of
 * them even if the caller ignored it.
 */
#ifndef DOCKET_GRAPH_H
#define DOCKET_GRAPH_H

#include <docket/context.h>
#include <docket/observer.h>
#include <docket/pool.h>

DOCKET_BEGIN_DECLS

/** A graph, and a store: see docket_store(3). Both are counted references. */
typedef struct docket_graph docket_graph;
typedef struct docket_store docket_store;

/** How a docket_input gives what it gives. */
typedef enum docket_input_form {
    DOCKET_FORM_VALUE = 0,    /* `value` is one value */
    DOCKET_FORM_ARRAY = 1,    /* `value` is an array of `count` values: items */
    DOCKET_FORM_POINTERS = 2, /* `value` is an array of `count` pointers to values: items */
    DOCKET_FORM_SOURCE = 3    /* `value` is a docket_item_source: items, one after the other */
} docket_input_form;

/** Where items come from that are not all there. `next` is called by one thread at a time.
 *
 * It fills in `item`, which is zeroed (or initialised), and returns DOCKET_OK; docket copies it before the next call. Or
 * it returns DOCKET_ABSENT: there are no more. Anything else is an error and stops the execution; then it may write into
 * `error`, as docket_error_set does. It is not called when the execution stops. */
typedef struct docket_item_source {
    docket_status (*next)(void *arg, void *item, docket_error *error);
    void *arg;
} docket_item_source;

/** A value, or the items of a type, given to an execution; or a value given to a graph. Make it with DOCKET_IN,
 * DOCKET_ITEMS, DOCKET_ITEM_POINTERS or DOCKET_ITEM_SOURCE. */
typedef struct docket_input {
    const docket_type *type;
    const void *value;
    docket_input_form form;
    size_t count;
} docket_input;

#ifndef __cplusplus
/** `pointer` (a `T *`, checked by the compiler) as a value of type T. */
#define DOCKET_IN(T, pointer)                                                                                    \
    ((docket_input){DOCKET_OF(T), _Generic((pointer), T *: (pointer), const T *: (pointer)), DOCKET_FORM_VALUE, 1})

/** An array of `item_count` values of type T: one item each. NULL is an array of none. */
#define DOCKET_ITEMS(T, array, item_count)                                                                       \
    ((docket_input){DOCKET_OF(T), _Generic(&(array)[0], T *: &(array)[0], const T *: &(array)[0]),               \
                    DOCKET_FORM_ARRAY, (item_count)})

/** An array of `item_count` pointers to values of type T. */
#define DOCKET_ITEM_POINTERS(T, array, item_count)                                                               \
    ((docket_input){DOCKET_OF(T),                                                                                \
                    (const void *)_Generic(&(array)[0],                                                          \
                        T **: &(array)[0],                                                                       \
                        const T **: &(array)[0],                                                                 \
                        T *const *: &(array)[0],                                                                 \
                        const T *const *: &(array)[0]),                                                          \
                    DOCKET_FORM_POINTERS, (item_count)})

/** Items of type T from a docket_item_source, to which `source` points. */
#define DOCKET_ITEM_SOURCE(T, source)                                                                            \
    ((docket_input){DOCKET_OF(T), _Generic((source), docket_item_source *: (source),                             \
                                           const docket_item_source *: (source)),                                \
                    DOCKET_FORM_SOURCE, 0})
#else
#define DOCKET_IN(T, pointer)                                                                                    \
    (docket_input{DOCKET_OF(T), static_cast<const T *>(pointer), DOCKET_FORM_VALUE, 1})
#define DOCKET_ITEMS(T, array, item_count)                                                                       \
    (docket_input{DOCKET_OF(T), static_cast<const T *>(array), DOCKET_FORM_ARRAY, (item_count)})
#define DOCKET_ITEM_POINTERS(T, array, item_count)                                                               \
    (docket_input{DOCKET_OF(T), static_cast<const T *const *>(array), DOCKET_FORM_POINTERS, (item_count)})
#define DOCKET_ITEM_SOURCE(T, source)                                                                            \
    (docket_input{DOCKET_OF(T), static_cast<const docket_item_source *>(source), DOCKET_FORM_SOURCE, 0})
#endif

/** How long a recorded result counts. */
typedef enum docket_scope {
    DOCKET_SCOPE_NONE = 0,     /* not recorded */
    DOCKET_SCOPE_WORKFLOW = 1, /* within executions of one id, also across restarts */
    DOCKET_SCOPE_GLOBAL = 2    /* for all executions */
} docket_scope;

/** When a recorded result must be on disk, or what takes the place of a disk in its store. A step that waits for
 * commits still waits for those that were put off before it: commits of one execution keep their order. */
typedef enum docket_commit_mode {
    DOCKET_COMMIT_BEFORE_NEXT = 0, /* before a dependent step starts */
    DOCKET_COMMIT_BEFORE_END = 1   /* before the execution returns: for steps that are safe to repeat; a whole
                                      execution then shares one flush. If another owner has recorded a different
                                      result meanwhile, the execution ends with DOCKET_CONFLICT: execute it again */
} docket_commit_mode;

/** What a stored record that cannot be used does: damaged, or of another layout. */
typedef enum docket_unreadable {
    DOCKET_FAIL = 0, /* the step fails with DOCKET_CORRUPT or DOCKET_TYPE */
    DOCKET_RERUN = 1 /* the step runs and replaces the record whole */
} docket_unreadable;

/** What a step's final failure means to its consumers. */
typedef enum docket_failure_policy {
    DOCKET_FAILURE_STOPS = 0,    /* the execution fails */
    DOCKET_FAILURE_IS_ABSENT = 1 /* the output is absent; a fallback step that declares it MAYBE runs. Aborts,
                                    cancellations and the store's own faults still stop. In WORKFLOW scope the absence
                                    is recorded and replayed under that id until it is forgotten, so that a resume
                                    agrees with what its consumers did; in other scopes it is never recorded */
} docket_failure_policy;

/** What a step does to the world beside making its value: see the guide to effects.
 *
 * An effect step is always recorded, commits before the next step, waits for all commits it depends on, and takes
 * neither a TTL nor any option that would run it again beside a record. Once steps have one *slot* per execution in
 * WORKFLOW scope, and one per inputs in GLOBAL scope: asked again under other inputs, version or layout, while the slot
 * is held by its record or an open entry, such a step ends with DOCKET_CONFLICT and is not entered. */
typedef enum docket_effect_kind {
    DOCKET_EFFECT_NONE = 0, /* nothing, or what may happen again */
    DOCKET_EFFECT_ONCE = 1, /* what must not happen twice: the entry is recorded before the function is called, and what
                               came of it after. If that is not known - the process died, a limit passed and the function
                               did not return, the result could not be recorded - it is *in doubt*: DOCKET_IN_DOUBT, and
                               no further entry, until `verify` or docket_settle tells. docket_fail, docket_reject and
                               docket_abort state that nothing happened; no other ending without a value does */
    DOCKET_EFFECT_TRANSACTION = 2 /* rows in the store's own database: the function's writes and the record are
                                     committed together, or neither is. The function gets its connection from
                                     docket_ctx_sqlite. See docket_sqlite(3) */
} docket_effect_kind;

/** How the delay between attempts grows. */
typedef enum docket_backoff_kind {
    DOCKET_BACKOFF_NONE = 0,
    DOCKET_BACKOFF_FIXED = 1,
    DOCKET_BACKOFF_EXPONENTIAL = 2,
    DOCKET_BACKOFF_CALLBACK = 3
} docket_backoff_kind;

/** Delays between attempts. Each delay is drawn evenly from 1 ms to its size (full jitter), so that many clients do not
 * come back at once; `no_jitter` switches that off. Source: M. Brooker, "Exponential Backoff And Jitter", 2015. */
typedef struct docket_backoff {
    docket_backoff_kind kind;
    bool no_jitter;
    int64_t first_ms; /* the delay after the first failed attempt; 0 = none */
    double factor;    /* of each delay to the one before; 0 = 2; at least 1 */
    int64_t cap_ms;   /* no delay is longer; 0 = one hour; at least first_ms */
    int64_t (*delay_ms)(void *user, int failed_attempt); /* of DOCKET_BACKOFF_CALLBACK; clamped to 0 … cap_ms */
} docket_backoff;

/** How often something may start: `per_second` times on average, and `burst` times at once after a pause. */
typedef struct docket_rate {
    double per_second; /* 0 = without limit */
    int burst;         /* 0 = 1 */
} docket_rate;

/** Options of a step. Start with DOCKET_STEP_OPTIONS_INIT; 0 and NULL mean the default of each. */
typedef struct docket_step_options {
    size_t struct_size;
    const char *name;     /* in keys and messages; NULL = the function's name */
    void *user;           /* for docket_ctx_user; not part of the key. Borrowed as long as a step may run: until an
                             execution without limits and tokens has returned, or until docket_graph_stop. What differs
                             from one execution to the next is an input, or a resource */
    docket_store *store;  /* NULL = the graph's; docket takes a reference */
    docket_scope scope;
    docket_commit_mode commit;
    docket_effect_kind effect; /* else not with what would run the step again: the message tells */
    int64_t ttl_ms;       /* 0 = for ever */
    int max_attempts;     /* entries into the function: 0 = 1 */
    docket_backoff backoff;
    /** Asked after a failed attempt whether another may follow; NULL = after docket_fail yes, after a limit yes.
     * Never asked after reject, abort or cancellation. */
    bool (*should_retry)(void *user, const docket_error *error);
    int64_t time_limit_ms; /* of one attempt; 0 = none, for a transactional step its store's transaction_timeout_ms */
    int64_t grace_ms;      /* how long to wait for a step that overran its limit; 0 = the graph's */
    bool cooperative;      /* watches docket_cancelled: may run on the caller's thread in spite of limits */
    bool isolated;         /* every attempt runs in a child process of its own: it can crash and be killed. What it
                              writes into memory but its output, and what stdio has not flushed, is lost with it */
    docket_unreadable on_unreadable;
    docket_failure_policy on_failure;
    /** Asked on a hit whether the value still holds; false = run again and replace. `value` is NULL if absent. Not
     * asked for a value that was computed while the step waited for it. */
    bool (*still_good)(docket_ctx *ctx, const void *value);
    bool verify_files;     /* on a hit, read the files of the value and compare their digests; else only that they are
                              there with their sizes. See docket_file(3) */
    int max_concurrency;   /* a step that runs per item: for how many at once in one execution; 0 = 100, -1 = any */
    docket_rate rate;      /* starts of attempts, over all executions of the graph */
    bool accept_older;     /* a record whose layout lacks members of the program's type, and has no others, is taken
                              with these zero; nested structs alike. Else it is unreadable: DOCKET_TYPE */
    /** Asked when an effect of a once step is in doubt: a step with the same output and inputs, which finds out what
     * happened (its docket_ctx_idempotency_key is that of the entry) and answers DOCKET_OK with the value, or
     * docket_absent: recorded as if the step had ended so; DOCKET_NOT_DONE: the step is entered again; or anything else:
     * it stays in doubt. Make it with DOCKET_STEP; its name and version mean nothing. NULL = docket_settle decides. */
    const docket_step *verify;
} docket_step_options;

/** First member of every initialiser: `docket_step_options o = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3};` */
#define DOCKET_STEP_OPTIONS_INIT .struct_size = sizeof(docket_step_options)

/** Options of a graph: defaults for its steps and executions. Start with DOCKET_GRAPH_OPTIONS_INIT; 0 and NULL mean the
 * default of each. */
typedef struct docket_graph_options {
    size_t struct_size;
    const char *key_namespace; /* first part of every key: keeps programs apart that share a store; NULL = "" */
    docket_store *store;       /* of steps that name none; docket takes a reference */
    docket_pool *pool;         /* NULL = the default pool; docket takes a reference */
    int64_t time_limit_ms;     /* of an execution, together with the request's: the earlier wins; 0 = none */
    int64_t grace_ms;          /* 0 = 5 seconds */
    const docket_observer *observers; /* copied */
    size_t observer_count;
} docket_graph_options;

#define DOCKET_GRAPH_OPTIONS_INIT .struct_size = sizeof(docket_graph_options)

/** Makes an empty graph. Name and options are copied; bad ones are reported by docket_graph_validate.
 *
 * Owns: the caller; free with docket_graph_free. The graph holds references to its store and pool.
 * Threads: any.
 * Returns: NULL when memory is exhausted. */
DOCKET_API docket_graph *docket_graph_new(const char *name, const docket_graph_options *options);

/** Drops the caller's reference; running executions hold their own. NULL is accepted.
 *
 * Threads: any, but no call with this handle may come after it. */
DOCKET_API void docket_graph_free(docket_graph *graph);

/** Adds a step. `step` and the types it names must stay valid for the life of the graph (they are constants when the
 * macros made them); options are copied; NULL = all defaults.
 *
 * Threads: one at a time, before validation.
 * Returns:
 * - DOCKET_INVALID: a NULL, a bad name, descriptor or option; the message tells which and what is allowed.
 * - DOCKET_DUPLICATE: another step has that name or makes that type; the first stays.
 * - DOCKET_TYPE: a type of that name is already there with another layout.
 * - DOCKET_STATE: the graph is frozen; it is unchanged and stays usable.
 * - DOCKET_FORKED: the graph was made before fork.
 * - DOCKET_NO_MEMORY */
DOCKET_API docket_status docket_graph_add(docket_graph *graph, const docket_step *step,
                                          const docket_step_options *options);

/** Adds all steps of a NULL-terminated list (see DOCKET_STEPS) with the same options. The list itself may go
 * afterwards.
 *
 * Threads: one at a time, before validation.
 * Returns: the first failure, as docket_graph_add; the steps after it are added all the same. */
DOCKET_API docket_status docket_graph_add_all(docket_graph *graph, const docket_step_options *options,
                                              const docket_step *const *steps);

/** Puts another function in the place of a registered step's, for a test: the fake must take and make the same types, in
 * the same order. Name, version, options and so the keys of results stay those of the step: give the graph a store of
 * the test's own, or results of the fake will be restored in its place. `user` is what docket_ctx_user answers in the
 * fake; NULL = the pointer of the step's options. Errors are remembered as those of docket_graph_add.
 *
 *     docket_graph_replace(graph, "charge", &charge_declined_step, NULL);
 *
 * Threads: one at a time, before validation.
 * Returns:
 * - DOCKET_INVALID: a NULL, or the fake's descriptor is no good.
 * - DOCKET_MISSING: the graph has no step of that name.
 * - DOCKET_TYPE: the types differ; the message names the first that does.
 * - DOCKET_STATE, DOCKET_FORKED, DOCKET_NO_MEMORY: as docket_graph_add. */
DOCKET_API docket_status docket_graph_replace(docket_graph *graph, const char *name, const docket_step *fake,
                                              void *user);

/** Gives a leaf for all executions: `docket_graph_provide(graph, DOCKET_IN(Config, &config))`. Values are copied,
 * resources borrowed until docket_graph_stop; the type must stay valid for the life of the graph. A request's value
 * wins. A step of the graph that would make the type does not run.
 *
 * Threads: one at a time, before validation.
 * Returns:
 * - DOCKET_INVALID: a NULL, or the type was already provided.
 * - DOCKET_TYPE, DOCKET_STATE, DOCKET_ENCODE, DOCKET_FORKED, DOCKET_NO_MEMORY: as for docket_graph_add and
 *   docket_encode. */
DOCKET_API docket_status docket_graph_provide(docket_graph *graph, docket_input input);

/** Checks the graph and freezes it. Valid again is OK. A failed validation does not freeze: mend and validate again;
 * remembered errors of docket_graph_add and docket_graph_new stay.
 *
 * Threads: one at a time; once it answered DOCKET_OK, the graph may be used by any.
 * Returns:
 * - DOCKET_INVALID: the graph has no registered steps, or a remembered error.
 * - DOCKET_CYCLE: the message gives the path, as "A -> B -> A".
 * - DOCKET_DUPLICATE, DOCKET_TYPE, DOCKET_ENCODE: remembered.
 * - DOCKET_FORKED: the graph was made before fork.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_graph_validate(docket_graph *graph, docket_error *error);

/** Whether docket_graph_validate has succeeded. NULL is not frozen.
 *
 * Threads: any. */
DOCKET_API bool docket_graph_is_frozen(const docket_graph *graph);

/** Refuses new executions from now on, and waits until no execution runs any more, stragglers included. It cancels
 * nothing: use docket_execution_cancel or a cancel token before. It may be called again.
 *
 * Threads: any but one on which a step of the graph runs.
 * Returns:
 * - DOCKET_OK: no step runs; resources and `user` pointers may go.
 * - DOCKET_TIMEOUT: after `timeout_ms` (negative = wait without limit) a step still ran; the message names its
 *   execution.
 * - DOCKET_INVALID: the graph is NULL.
 * - DOCKET_FORKED: the graph was made before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_graph_stop(docket_graph *graph, int64_t timeout_ms,
                                                             docket_error *error);

/* Introspection. */

/** A step as the graph holds it, with its options resolved. */
typedef struct docket_step_info {
    size_t struct_size; /* set by docket */
    const char *name;
    uint32_t version;
    const docket_type *output;
    const docket_step_input *inputs; /* as registered; an input's `type` may be another descriptor of the same type */
    size_t input_count;
    bool aggregate; /* it takes all items of its first input, at once or, with `fold`, one after the other */
    bool fold;
    bool expand; /* it makes any number of values of its output's type */
    docket_scope scope;
    docket_commit_mode commit;
    docket_effect_kind effect;
    int64_t ttl_ms;
    int max_attempts;
    docket_backoff backoff;
    int64_t time_limit_ms;
    bool cooperative;
    bool isolated;
    const char *file;
    int line;
} docket_step_info;

/** How many steps the graph has.
 *
 * Threads: any once the graph is frozen, as for all introspection; before, the one that builds it. */
DOCKET_API size_t docket_graph_step_count(const docket_graph *graph);

/** The step at `index`, in the order of registration; NULL beyond the last.
 *
 * Valid until: docket_graph_free. */
DOCKET_API const docket_step_info *docket_graph_step(const docket_graph *graph, size_t index);

/** How many leaves the graph has: types that a step needs and no step makes.
 *
 * Threads: as docket_graph_step_count. */
DOCKET_API size_t docket_graph_leaf_count(const docket_graph *graph);

/** The leaf at `index`, in the order of first mention; NULL beyond the last.
 *
 * Valid until: the descriptor itself goes, which must outlive the graph. */
DOCKET_API const docket_type *docket_graph_leaf(const docket_graph *graph, size_t index);

/** The steps that lead to a type, dependencies before their consumers, in declared order.
 *
 * Owns: the caller frees the list with docket_free; the infos belong to the graph.
 * Valid until: docket_graph_free, for the infos.
 * Threads: any.
 * Returns:
 * - DOCKET_OK: `*count` may be 0 and the list NULL: no step makes the type, or a value was provided for it.
 * - DOCKET_STATE: the graph was not validated.
 * - DOCKET_TYPE: the graph knows a type of that name with another layout.
 * - DOCKET_INVALID, DOCKET_FORKED, DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_graph_plan(docket_graph *graph, const docket_type *output,
                                                             const docket_step_info ***steps, size_t *count,
                                                             docket_error *error);

/** The graph as a picture in the DOT language (Graphviz) or in Mermaid's: types as boxes, steps between them.
 *
 * Owns: the caller frees the text with docket_free.
 * Threads: as docket_graph_step_count.
 * Returns: NULL when memory is exhausted. */
DOCKET_API char *docket_graph_dot(const docket_graph *graph);
DOCKET_API char *docket_graph_mermaid(const docket_graph *graph);

DOCKET_END_DECLS

#endif
