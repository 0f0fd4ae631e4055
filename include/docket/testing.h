/** @page docket_testing  Testing: what a test of your own pipeline needs, without a framework.
 *
 * A small library of its own, docket-testing: link it with tests only. It works with any test framework, or none: what
 * fails says so by its status, and nothing is printed.
 *
 *     docket_test_step          one step, without graph and store
 *     docket_test_round_trip    whether a type's values come back as they were
 *     docket_graph_replace      a fake in the place of a step (in docket itself)
 *     docket_test_clock_start   time that passes when you say so
 *     docket_test_store_open    a store that fails when you say so, or by dice
 *     docket_test_crash_each    a kill at each moment that makes a difference, one after the other
 *     docket_test_ledger_add    an account of what was done, which no crash takes back
 *     docket_test_memory_start  memory that runs out when you say so
 *
 * The clock, the crash points and the memory belong to the whole process: one test at a time uses them.
 */
#ifndef DOCKET_TESTING_H
#define DOCKET_TESTING_H

#include <docket/backend.h>
#include <docket/docket.h>
#include <docket/harness.h>

DOCKET_BEGIN_DECLS

/* One step. */

/** What a step finds when it is entered by hand. Start with DOCKET_TEST_STEP_OPTIONS_INIT; 0 and NULL mean the default of
 * each. */
typedef struct docket_test_step_options {
    size_t struct_size;
    const docket_input *inputs; /* see DOCKET_INPUTS; a MAYBE that is not among them is absent */
    size_t input_count;
    /** Of an aggregate or a fold: pointers to values of its first type, which then is not among the inputs. Not NULL, also
     * for none. */
    const void *const *items;
    size_t item_count;
    const char *execution_id; /* NULL = a random one */
    void *user;               /* for docket_ctx_user */
    int attempt;              /* which entry it is: 0 = the first */
    int64_t time_limit_ms;    /* until docket_ctx_remaining_ms is 0, by docket's clock; 0 = no limit */
    docket_cancel *cancel; /* the token of the execution. If it is set already, the step is entered all the same and
                                 sees it from its first line */
    int64_t item_number;   /* in a batch, from 1: docket_ctx_item_index answers one less; 0 = in no batch */
    const char *idempotency_key; /* NULL = as docket makes it, of the step, the execution id and the inputs */
} docket_test_step_options;

#define DOCKET_TEST_STEP_OPTIONS_INIT .struct_size = sizeof(docket_test_step_options)

/** Enters a step's function once, on the caller's own thread, as the engine does it: with a fresh output, with inputs that
 * are copies, with a context that works, and with the same checks of what it returns. `options` may be NULL.
 *
 *     Text text = {.text = "abc"};
 *     docket_result *result = NULL;
 *     docket_status status = docket_test_step(&count_step, &(docket_test_step_options){
 *         DOCKET_TEST_STEP_OPTIONS_INIT, DOCKET_INPUTS(DOCKET_IN(Text, &text)),
 *     }, &result, &error);
 *     ... DOCKET_RESULT(result, LetterCount)->count == 3 ...
 *
 * Owns: the caller frees the result with docket_result_free, also after a failure; it may be NULL then.
 * Threads: any, also inside a step.
 * Returns:
 * - DOCKET_OK: the step's value is in the result.
 * - DOCKET_ABSENT: the message is the step's reason.
 * - DOCKET_FAILED, DOCKET_REJECTED, DOCKET_ABORTED, or another status that the step passed on: its own words and code.
 * - DOCKET_CANCELLED, DOCKET_TIMEOUT: the step said so; or it returned a value although it was to stop, which docket
 *   drops.
 * - DOCKET_ENCODE, DOCKET_NO_MEMORY: the value cannot be recorded, or memory ran out in the step.
 * - DOCKET_MISSING, DOCKET_TYPE: of an input that the step needs; it was not entered.
 * - DOCKET_INVALID: the options or the step's descriptor; it was not entered. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_test_step(const docket_step *step,
                                                            const docket_test_step_options *options,
                                                            docket_result **result, docket_error *error);

/* One type. */

/** Checks that a value survives what docket does with it: encoded twice it gives the same bytes; decoded and encoded again,
 * copied and encoded again, written as JSON and read again (with jansson, and unless it has secret members) it gives the
 * same bytes and the same key. Of a type with a codec of its own, whose functions the program wrote, it is also
 * tried that they append to a buffer, and that bytes which are cut off anywhere are refused or read, but do no harm:
 * run the test under AddressSanitizer.
 *
 * Threads: any.
 * Returns:
 * - DOCKET_OK
 * - DOCKET_CORRUPT: the message names what was tried, and the first member that came back otherwise, or the byte.
 * - DOCKET_INVALID: the type does not pass docket_type_check, or is a resource.
 * - DOCKET_ENCODE, DOCKET_NO_MEMORY, or what the type's own functions answer: the message tells where. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_test_round_trip(const docket_type *type, const void *value,
                                                                  docket_error *error);

/* Time. */

/** From here on it is `wall_ms` since 1970-01-01 UTC for docket in this process, and time stands still. Delays, limits,
 * times to live and docket_sleep wait for docket_test_clock_advance or docket_test_clock_run; they notice within 5 ms of
 * real time. What a program reads from the system's clock itself is not changed.
 *
 * Threads: one, before docket reads a clock: before a store is opened or anything is executed. */
DOCKET_API void docket_test_clock_start(int64_t wall_ms);

/** Lets time pass at once. Negative and 0 do nothing.
 *
 * Threads: any, as for all functions of this clock that follow. */
DOCKET_API void docket_test_clock_advance(int64_t duration_ms);

/** Lets time run by itself, `factor` times as fast as the system's: a thousand makes an hour of backoff three seconds and
 * a half. 0 makes it stand still again. */
DOCKET_API void docket_test_clock_run(int64_t factor);

/** Sets the wall clock, as a person or a time server does; elapsed time does not notice. */
DOCKET_API void docket_test_clock_set_wall(int64_t wall_ms);

/** What the wall clock says. */
DOCKET_API int64_t docket_test_clock_wall_ms(void);

/** Gives the system's clock back.
 *
 * Threads: one, when all stores and pools that have seen the other clock are closed. */
DOCKET_API void docket_test_clock_stop(void);

/* A store that fails. */

/** What docket asks of a store; see docket_backend(3). */
typedef enum docket_test_operation {
    DOCKET_TEST_LOOKUP = 0,
    DOCKET_TEST_SCAN = 1,   /* the records of an execution, read ahead; each is looked up again if this fails */
    DOCKET_TEST_COMMIT = 2, /* a group with results or intents */
    DOCKET_TEST_NOTE = 3,   /* a group of nothing but last failures, for which nobody waits */
    DOCKET_TEST_LIST = 4,
    DOCKET_TEST_FORGET = 5,
    DOCKET_TEST_PURGE = 6,
    DOCKET_TEST_SCHEMA = 7,
    DOCKET_TEST_EFFECT = 8, /* reading intents and counts of crashes */
    DOCKET_TEST_LEASE = 9,  /* acquire, renew, release */
    DOCKET_TEST_BEGIN = 10, /* the beginnings of steps' transactions */
    DOCKET_TEST_END = 11    /* their commits, with what the steps did */
} docket_test_operation;

/** What happens to a call. */
typedef enum docket_test_fault_kind {
    DOCKET_TEST_NONE = 0,
    DOCKET_TEST_FAIL_BEFORE = 1, /* it fails and has done nothing */
    DOCKET_TEST_FAIL_AFTER = 2,  /* it does what was asked, then fails: the answer was lost */
    DOCKET_TEST_TEAR = 3,        /* of a group the first half is written (of one, nothing), then it fails */
    DOCKET_TEST_DISK_FULL = 4,   /* it fails for good and has done nothing; the code is ENOSPC */
    DOCKET_TEST_LOSE = 5,        /* it has done nothing and says that all went well; look-ups find nothing */
    DOCKET_TEST_DAMAGE = 6,      /* the last byte of a value that is read is another one */
    DOCKET_TEST_CLAIM_LOST = 7   /* the commits of a group are refused, as if other owners had taken over */
} docket_test_fault_kind;

/** A fault: what happens to which calls of an operation. */
typedef struct docket_test_fault {
    docket_test_fault_kind kind;
    uint64_t from;  /* the first call it happens to, counted from 1 since the plan was set; 0 = 1 */
    uint64_t count; /* how many from there; 0 = all */
    bool transient; /* the failure says that it may pass: docket tries again, within its store's retry_budget_ms */
    bool block;     /* before anything else the call waits for docket_test_store_unblock, */
    int64_t delay_ms; /* and so long, by docket_test_clock_start's clock if that was called */
} docket_test_fault;

/** How often calls fail by dice: shares from 0 to 1 of each operation's calls, tried in this order. What does not apply to
 * an operation does nothing there. */
typedef struct docket_test_rates {
    double fail_before;
    double fail_after;
    double tear;
    double disk_full;
    double claim_lost;
    double transient; /* of the failures, those that say that they may pass */
    double delay;     /* of all calls, those that wait first, up to */
    int64_t delay_ms;
} docket_test_rates;

/** What the store is made of. Start with DOCKET_TEST_STORE_OPTIONS_INIT; 0 and NULL mean the default of each. */
typedef struct docket_test_store_options {
    size_t struct_size;
    const char *url;                   /* of the store that does the work: NULL = "memory:" */
    const docket_backend *backend;     /* or a backend of the test's own, */
    void *self;                        /* with its handle, which is closed with the store */
    const docket_store_options *store; /* options of both */
    bool writer_thread; /* a memory store takes commits as a database does: in groups, on a thread of their own */
} docket_test_store_options;

#define DOCKET_TEST_STORE_OPTIONS_INIT .struct_size = sizeof(docket_test_store_options)

/** A store with faults. */
typedef struct docket_test_store docket_test_store;

/** Opens a store in front of which faults can be put; there are none yet. docket_sqlite_begin does not
 * work on it. `options` may be NULL.
 *
 * Owns: the caller; close with docket_test_store_close. A backend's handle is the caller's again after a failure.
 * Threads: any, as for all functions on this handle.
 * Returns: as docket_store_open, and DOCKET_INVALID for a backend together with a URL. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_test_store_open(docket_test_store **faulty,
                                                                  const docket_test_store_options *options,
                                                                  docket_error *error);

/** The store, for graphs.
 *
 * Owns: the test store; graphs take references of their own.
 * Valid until: docket_test_store_close. */
DOCKET_API docket_store *docket_test_store_get(const docket_test_store *faulty);

/** Drops the test's reference to the store. Faults that are set stay as long as a graph holds it; blocked calls go on.
 * NULL is accepted. */
DOCKET_API void docket_test_store_close(docket_test_store *faulty);

/** Sets the faults of one operation in the place of those before: `count` of them, of which the first that concerns a call
 * happens to it; 0 = none. The operation's calls count from 1 again, and calls that were blocked go on.
 *
 *     docket_test_store_plan(faulty, DOCKET_TEST_COMMIT,
 *                            &(docket_test_fault){.kind = DOCKET_TEST_FAIL_AFTER, .from = 2, .count = 1}, 1);
 *
 * Returns:
 * - DOCKET_INVALID: a NULL, an unknown operation, or more than 16 faults. */
DOCKET_API docket_status docket_test_store_plan(docket_test_store *faulty, docket_test_operation operation,
                                                const docket_test_fault *faults, size_t count);

/** Lets dice decide about every call that no plan concerns. The same seed and the same calls in the same order give the
 * same faults: print it with a test that failed. NULL ends it.
 *
 * Returns:
 * - DOCKET_INVALID: a NULL handle, a rate that is not from 0 to 1, a negative delay. */
DOCKET_API docket_status docket_test_store_randomize(docket_test_store *faulty, uint64_t seed,
                                                     const docket_test_rates *rates);

/** How many calls of an operation there were, and how many of them met a fault, since its plan was set. */
DOCKET_API uint64_t docket_test_store_calls(docket_test_store *faulty, docket_test_operation operation);
DOCKET_API uint64_t docket_test_store_struck(docket_test_store *faulty, docket_test_operation operation);

/** Waits until a call of the operation is blocked, or has been since the plan was set.
 *
 * Returns: false after `timeout_ms` of real time. */
DOCKET_API bool docket_test_store_wait_blocked(docket_test_store *faulty, docket_test_operation operation,
                                               int64_t timeout_ms);

/** Lets the blocked calls go on; those that follow do not block until the plan is set again. */
DOCKET_API void docket_test_store_unblock(docket_test_store *faulty, docket_test_operation operation);

/* Crashes. */

/** From here on the points of docket/harness.h are counted, and the process kills itself (SIGKILL) at the one with this
 * number, from 1; 0 only counts. Points of one thread come in a fixed order; where steps run side by side it may change
 * from run to run.
 *
 * Threads: any. */
DOCKET_API void docket_test_crash_at(uint64_t number);

/** The same, but instead of dying calls `reached`, on the thread that passes the point.
 *
 * Threads: any. */
DOCKET_API void docket_test_crash_call(uint64_t number,
                                       void (*reached)(void *arg, docket_point point, const char *where),
                                       void *arg);

/** How many points were passed since.
 *
 * Threads: any. */
DOCKET_API uint64_t docket_test_crash_passed(void);

/** Nothing is counted any more.
 *
 * Threads: any. */
DOCKET_API void docket_test_crash_stop(void);

/** A pipeline that is to be killed. Start with DOCKET_TEST_CRASH_OPTIONS_INIT. */
typedef struct docket_test_crash_options {
    size_t struct_size;
    /** Opens the store, executes, closes; from start to end, as the program does it. Called in child processes. 0 is success.
     */
    int (*run)(void *arg);
    /** Before each round, in the test's own process: makes an empty folder. May be NULL. */
    void (*prepare)(void *arg);
    /** After each round, in the test's own process: looks at what is left. NULL = all is well, else what is wrong. The
     * member may be NULL. */
    const char *(*check)(void *arg);
    void *arg;
    uint64_t first;        /* the point of the first round; 0 = 1 */
    uint64_t most;         /* rounds; 0 = until the pipeline ends before it is killed, at most 100000 */
    int64_t time_limit_ms; /* of each child; 0 = one minute */
} docket_test_crash_options;

#define DOCKET_TEST_CRASH_OPTIONS_INIT .struct_size = sizeof(docket_test_crash_options)

/** Runs a pipeline in a child process that is killed at point 1, then again in a child that is not, which must succeed;
 * checks what is left; and does the same with point 2, 3, …, until a child comes to its end without being killed.
 * `*rounds`, which may be NULL, is the number of children that were killed.
 *
 * Children are forks: they may use what `arg` points to, and change only their copy of it.
 *
 * Threads: one, when no handle of docket is open in this process, no execution is under way, and no other thread could
 * hold a lock that a child needs.
 * Returns:
 * - DOCKET_OK
 * - DOCKET_FAILED: the message tells the round, the point, and what went wrong in the child or what `check` said.
 * - DOCKET_TIMEOUT: a child did not end in time; it was killed.
 * - DOCKET_INVALID: the options.
 * - DOCKET_NO_MEMORY: no child can be made. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_test_crash_each(const docket_test_crash_options *options,
                                                                  uint64_t *rounds, docket_error *error);

/* The ledger. */

/** Appends one line to a file, which is made if need be: the step's name and what the entry was about. The line is there as
 * a whole or not at all, survives the death of the process, and may be written by many threads and processes.
 * Control characters become spaces; more than 200 bytes of each text are cut off. `input` may be NULL.
 *
 * Threads: any, also in a step, and in a forked child.
 * Returns:
 * - DOCKET_INVALID: path or step is NULL.
 * - DOCKET_STORE: the file cannot be written; errno tells why. */
DOCKET_API docket_status docket_test_ledger_add(const char *path, const char *step, const char *input);

/** How many entries of a step with this input there are; NULL = any step, any input. A file that is not there has none.
 *
 * Threads: any.
 * Returns: -1 when the file cannot be read. */
DOCKET_API int64_t docket_test_ledger_count(const char *path, const char *step, const char *input);

/** How often the input that came up most often did for this step; NULL = any step. 1 says that nothing was done twice.
 *
 * Threads: any.
 * Returns: -1 when the file cannot be read. */
DOCKET_API int64_t docket_test_ledger_most(const char *path, const char *step);

/* Memory. */

/** Puts an allocator under docket that counts and can refuse; SQLite, libcrypto and jansson keep theirs, and so does this
 * library. Counts begin at 0. Forked children share what is refused, and count with.
 *
 * Threads: none may be inside docket. */
DOCKET_API void docket_test_memory_start(void);

/** Which requests are refused. */
typedef enum docket_test_refusal {
    DOCKET_TEST_REFUSE_ONE = 0, /* this one */
    DOCKET_TEST_REFUSE_REST = 1 /* this one and all that follow */
} docket_test_refusal;

/** From here on requests are counted from 1, and the one with this number is refused; 0 refuses none. To test each,
 * begin with 1 and go on until docket_test_memory_permit answers false.
 *
 * Threads: any. */
DOCKET_API void docket_test_memory_refuse(docket_test_refusal how, uint64_t number);

/** Nothing is refused any more.
 *
 * Threads: any.
 * Returns: whether a request was refused since docket_test_memory_refuse. */
DOCKET_API bool docket_test_memory_permit(void);

/** What was asked for. The default pool, made at the first execution, stays live until the program ends. */
typedef struct docket_test_memory {
    uint64_t requests;      /* since docket_test_memory_start or _refuse */
    uint64_t largest_bytes; /* the largest of these that was granted */
    int64_t live; /* blocks that this process took since docket_test_memory_start, less those that it gave back */
} docket_test_memory;

/** Reads the counts.
 *
 * Threads: any. */
DOCKET_API docket_test_memory docket_test_memory_read(void);

/** Gives malloc, realloc and free back to docket; blocks that are live may be released later.
 *
 * Threads: none may be inside docket. */
DOCKET_API void docket_test_memory_stop(void);

DOCKET_END_DECLS

#endif
