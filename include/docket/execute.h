/** @page docket_execute  Executions: values in, values out.
 *
 *     docket_result *result = NULL;
 *     docket_status status = docket_execute(graph, &(docket_request){
 *         DOCKET_REQUEST_INIT,
 *         .execution_id = "order-17",
 *         .output = DOCKET_OF(Receipt),
 *         DOCKET_INPUTS(DOCKET_IN(Order, &order)),
 *     }, &result, &error);
 *
 * runs the steps that lead from the inputs to the output: those whose results are recorded are restored, the others
 * run, independent ones at the same time. The inputs are copied before any step runs.
 *
 * Without any time limit and cancel token steps run on the caller's own thread, with pool threads beside it. With one,
 * steps that are neither `cooperative` nor `isolated` run on pool threads only, and the call returns at the limit even
 * if a step does not: the straggler keeps its memory and its claim, and an OK result that it still brings is recorded.
 */
#ifndef DOCKET_EXECUTE_H
#define DOCKET_EXECUTE_H

#include <docket/graph.h>

DOCKET_BEGIN_DECLS

/** A flag that cancels every execution whose request carries it. */
typedef struct docket_cancel docket_cancel;

/** Makes a cancel token.
 *
 * Owns: the caller; free with docket_cancel_free. Executions hold references of their own.
 * Threads: any.
 * Returns: NULL when memory is exhausted. */
DOCKET_API docket_cancel *docket_cancel_new(void);

/** Cancels the executions that carry the token now, and those that will: no step starts any more, running steps see it
 * through docket_cancelled, and callers get DOCKET_CANCELLED at once, unless a cooperative step runs on their own
 * thread: then when it returns. A token is never unset. Again is harmless, and so is NULL.
 *
 * Threads: any; it does not wait for running steps. Not from a signal handler: it takes locks. */
DOCKET_API void docket_cancel_set(docket_cancel *cancel);

/** Whether the token was set. For NULL false.
 *
 * Threads: any. */
DOCKET_API bool docket_cancel_is_set(const docket_cancel *cancel);

/** Drops the caller's reference. Executions that carry the token go on. NULL is accepted.
 *
 * Threads: any, but no call with this handle may come after it. */
DOCKET_API void docket_cancel_free(docket_cancel *cancel);

/** What an item's failure means. */
typedef enum docket_item_policy {
    DOCKET_STOP = 0,   /* the execution fails with it, and stops */
    DOCKET_COLLECT = 1 /* the other items go on; the execution fails at the end, with the error of the first item in
                          their order that has one. What takes all items does not run if one has failed before it */
} docket_item_policy;

/** An item: see docket_items(3). */
typedef struct docket_item docket_item;

/** What is asked of a graph. Start with DOCKET_REQUEST_INIT. Everything in it may go as soon as the call returned, also
 * that of docket_execute_begin; resources alone are borrowed until docket_graph_stop. */
typedef struct docket_request {
    size_t struct_size;
    const char *execution_id; /* NULL = a random one, or in a step: parent id "/" step name; a plan with a WORKFLOW
                                 step needs one that the caller knows */
    const docket_type *output;         /* one output … */
    const docket_type *const *outputs; /* … or several, see DOCKET_OUTPUTS */
    size_t output_count;
    const docket_input *inputs; /* see DOCKET_INPUTS; a value given for a type that a step makes wins */
    size_t input_count;
    int64_t time_limit_ms; /* of the whole execution; 0 = none; negative = already passed */
    docket_cancel *cancel;
    size_t window;      /* how many items may be under way at once; 0 = 1024 */
    docket_item_policy on_item_error;
    /** Called for each item when it has ended, in their order and one at a time; the item is then freed, unless a step
     * takes all items. For types that are outputs, in an execution with one kind of items. */
    void (*item_done)(void *arg, docket_item item);
    void *item_arg;
    docket_ctx *parent; /* the step that asks; NULL = the step whose function runs on this thread, if any. Its
                           limits and its cancellation hold for this execution as well */
} docket_request;

#define DOCKET_REQUEST_INIT .struct_size = sizeof(docket_request)

/** The members `inputs` and `input_count`, from 1 to 64 DOCKET_IN(T, pointer). C only. */
#define DOCKET_INPUTS(...)                                                                                       \
    .inputs = (const docket_input[]){__VA_ARGS__},                                                               \
    .input_count = sizeof((const docket_input[]){__VA_ARGS__}) / sizeof(docket_input)

/** The members `outputs` and `output_count`, from 1 to 64 type names. C only. */
#define DOCKET_OUTPUTS(...)                                                                                      \
    .outputs = (const docket_type *const[]){DOCKET__EACH(DOCKET__OUTPUT_POINTER, ~, __VA_ARGS__)},               \
    .output_count = DOCKET__COUNT(__VA_ARGS__)
#define DOCKET__OUTPUT_POINTER(t, n, T) DOCKET_OF(T),

/** What an execution left behind. It outlives the graph and the store: they may be freed before it. */
typedef struct docket_result docket_result;

/** What became of a type in an execution. */
typedef enum docket_value_state {
    DOCKET_VALUE_NOT_REACHED = 0, /* not in the plan, or its step was never entered */
    DOCKET_VALUE_GIVEN = 1,       /* by the caller or by docket_graph_provide */
    DOCKET_VALUE_RAN = 2,         /* computed here */
    DOCKET_VALUE_RESTORED = 3,    /* taken from a checkpoint, or from a computation that ran elsewhere */
    DOCKET_VALUE_ABSENT = 4,
    DOCKET_VALUE_FAILED = 5,
    DOCKET_VALUE_RUNNING = 6 /* its step was entered and had brought no result when the call returned */
} docket_value_state;

/** Runs a graph and waits for it.
 *
 * `*result` is NULL only if the execution never began, because of what was asked (DOCKET_INVALID, DOCKET_STATE,
 * DOCKET_MISSING, DOCKET_TYPE, DOCKET_ENCODE, DOCKET_FORKED) or for lack of memory; after any other failure it holds
 * every value that was reached. `result` itself may be NULL for a caller who wants only the status.
 *
 * Owns: the caller frees the result with docket_result_free.
 * Threads: any, at once.
 * Durable: on DOCKET_OK every recorded result is as durable as its store promises.
 * Returns:
 * - DOCKET_OK: all outputs have values.
 * - DOCKET_ABSENT: an output is absent; the message gives the step's reason.
 * - DOCKET_INVALID: a NULL; a bad id; an id is needed; no output; two values for one type; a request that was not
 *   started with DOCKET_REQUEST_INIT.
 * - DOCKET_STATE: the graph was not validated, or was stopped.
 * - DOCKET_MISSING: no value for a leaf; no step has run.
 * - DOCKET_FAILED, DOCKET_REJECTED, DOCKET_ABORTED, DOCKET_CRASHED: a step's failure, with its own code and message.
 * - DOCKET_CANCELLED: the token, the parent or docket_execution_cancel.
 * - DOCKET_TIMEOUT: a limit of the step, the request, the graph or the parent.
 * - DOCKET_STORE, DOCKET_CORRUPT, DOCKET_TYPE, DOCKET_TOO_LARGE, DOCKET_SCHEMA_NEWER: the store. DOCKET_TYPE also when
 *   a type of the request has another layout in the graph.
 * - DOCKET_ENCODE: an input or output cannot be encoded.
 * - DOCKET_CONFLICT: a step would wait for itself; the message names the keys.
 * - DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the graph was made before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_execute(docket_graph *graph, const docket_request *request,
                                                          docket_result **result, docket_error *error);

/** An execution that goes on while its caller does something else. */
typedef struct docket_execution docket_execution;

/** Starts an execution on the graph's pool and returns. `done(arg)` is called once, from a pool thread, when it has
 * ended (from docket_pool_run if the pool has 0 threads); it may be NULL, and must not call docket_execution_end
 * itself unless nobody else does.
 *
 * Owns: the caller ends the execution with docket_execution_end, always, also after cancelling it.
 * Threads: any.
 * Returns: DOCKET_OK once it has begun; else as docket_execute for executions that never begin: `*execution` is then
 * NULL and `done` is not called. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_execute_begin(docket_graph *graph, const docket_request *request,
                                                                void (*done)(void *arg), void *arg,
                                                                docket_execution **execution, docket_error *error);

/** Waits for an execution, hands over its result and frees it. On a pool of 0 threads the waiting caller runs it.
 *
 * Owns: the caller frees the result with docket_result_free; `execution` is gone.
 * Threads: one, once; also inside `done`.
 * Returns: as docket_execute. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_execution_end(docket_execution *execution, docket_result **result,
                                                                docket_error *error);

/** Cancels an execution as docket_cancel_set does; again, or after its end, is harmless. NULL is accepted.
 *
 * Threads: any, before docket_execution_end. */
DOCKET_API void docket_execution_cancel(docket_execution *execution);

/* Results. */

/** The value of a type in a result, or NULL if there is none: of the outputs, of everything computed on the way to them
 * and of the inputs that were needed.
 *
 * Valid until: docket_result_free.
 * Threads: any, as for all functions on a result. */
DOCKET_API const void *docket_result_value(const docket_result *result, const docket_type *type);

/** The same with the type's own pointer: `DOCKET_RESULT(result, Receipt)->total`. */
#define DOCKET_RESULT(result, T) ((const T *)docket_result_value((result), DOCKET_OF(T)))

/** What became of a type. For NULL, and for a type outside the plan, DOCKET_VALUE_NOT_REACHED. */
DOCKET_API docket_value_state docket_result_state(const docket_result *result, const docket_type *type);

/** Why a type is absent or failed; else the empty string. Never NULL.
 *
 * Valid until: docket_result_free. */
DOCKET_API const char *docket_result_reason(const docket_result *result, const docket_type *type);

/** The execution's id, also a random one. For NULL the empty string.
 *
 * Valid until: docket_result_free. */
DOCKET_API const char *docket_result_execution_id(const docket_result *result);

/** Frees a result and all its values. NULL is accepted.
 *
 * Threads: any, but no call with this handle may come after it. */
DOCKET_API void docket_result_free(docket_result *result);

DOCKET_END_DECLS

#endif
