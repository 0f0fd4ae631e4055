/** @page docket_status  Statuses and errors: what every call answers, and the full story behind it.
 *
 * Every function that can fail returns a docket_status. Functions whose failure has more to tell take a
 * caller-owned docket_error as their last parameter; NULL is accepted everywhere. The error holds the *first*
 * cause: a step that was cancelled because its sibling failed never hides the sibling.
 */
#ifndef DOCKET_STATUS_H
#define DOCKET_STATUS_H

#include <docket/export.h>

DOCKET_BEGIN_DECLS

/** One line per status: number, name, one-line text. The numbers are frozen; new ones come at the end. */
#define DOCKET_STATUS_MAP(X)                                                                                     \
    X(0, OK, "success")                                                                                          \
    X(1, ABSENT, "success without a value: a step said that there is none")                                      \
    X(2, INVALID, "an argument or option is not acceptable")                                                     \
    X(3, STATE, "the call came in the wrong phase: a graph must be validated before it is executed, and not "    \
                "changed afterwards")                                                                            \
    X(4, MISSING, "no value was given for a type, and no step makes it")                                         \
    X(5, DUPLICATE, "two steps have the same output type or the same name")                                      \
    X(6, CYCLE, "the steps form a cycle")                                                                        \
    X(7, TYPE, "a value has another type or layout than the program expects")                                    \
    X(8, ENCODE, "a value cannot be encoded")                                                                    \
    X(9, TOO_LARGE, "a value is larger than the store's limit")                                                  \
    X(10, FAILED, "a step reported a failure and its attempts are used up")                                      \
    X(11, REJECTED, "a step refused its input for good")                                                         \
    X(12, ABORTED, "a step stopped the whole execution")                                                         \
    X(13, CANCELLED, "the execution was cancelled")                                                              \
    X(14, TIMEOUT, "a time limit passed")                                                                        \
    X(15, CRASHED, "an isolated step's process died")                                                            \
    X(16, CONFLICT, "the work needs a result that waits for this very work")                                     \
    X(17, CLAIM_LOST, "another owner took over the key; the stored result is untouched")                         \
    X(18, STORE, "the store failed")                                                                             \
    X(19, CORRUPT, "stored bytes are damaged or foreign")                                                        \
    X(20, SCHEMA_NEWER, "the store was written by a newer docket")                                               \
    X(21, NO_MEMORY, "memory is exhausted")                                                                      \
    X(22, FORKED, "a handle made before fork was used in the child")                                             \
    X(23, UNSUPPORTED, "this build or this store cannot do that")                                                \
    X(24, IN_DOUBT, "an effect began, and nobody knows whether it happened: see docket_settle")                  \
    X(25, NOT_DONE, "an effect that was in doubt did not happen")

/** What a call answers. DOCKET_OK is 0 and every other status is positive. */
typedef enum docket_status {
#define DOCKET__STATUS(number, name, text) DOCKET_##name = (number),
    DOCKET_STATUS_MAP(DOCKET__STATUS)
#undef DOCKET__STATUS
} docket_status;

/** The name of a status, as "DOCKET_TIMEOUT"; for an unknown number "DOCKET_UNKNOWN". Never NULL.
 *
 * Valid until: for ever.
 * Threads: any. */
DOCKET_API const char *docket_status_name(docket_status status);

/** A status in a few English words. Never NULL.
 *
 * Valid until: for ever.
 * Threads: any. */
DOCKET_API const char *docket_status_text(docket_status status);

/** The full story of a failure. Caller-owned; its size (2048 bytes) is frozen.
 *
 * Texts are NUL-terminated, valid UTF-8 without control characters (foreign bytes arrive escaped as \xNN), and cut
 * at a character boundary if longer than their room. A call that succeeds leaves status DOCKET_OK behind and clears
 * the rest. */
typedef struct docket_error {
    docket_status status;
    int32_t code;           /* the number the step gave to docket_fail, or the store's native code; 0 = none */
    int32_t attempts;       /* entries into the step's function so far; 0 = it was never entered */
    int32_t transient;      /* 1 = the store's fault may pass; docket has used up its own retries */
    int64_t item_index;     /* of a batch; -1 = no item */
    char execution_id[256];
    char step[256];
    char type[256];
    char message[768];      /* what was expected and what was found; for a failed step: the step's own words */
    char cause[384];        /* the underlying cause, if any: see docket_cause */
    unsigned char reserved[104];
} docket_error;

/** Room for any line of docket_error_format: `char line[DOCKET_ERROR_LINE]`. */
#define DOCKET_ERROR_LINE 2560

/** An error without content, for initialising. */
#define DOCKET_ERROR_INIT {DOCKET_OK, 0, 0, 0, -1, {0}, {0}, {0}, {0}, {0}, {0}}

/** Writes the error as one line: `[execution] message (step S, type T, item I, N attempts): cause`, leaving out
 * what is not known; NULL gives an empty line. The line ends with a NUL and is cut at `capacity`, between characters.
 *
 * Threads: any.
 * Returns: the length of the whole line without its NUL, like snprintf. */
DOCKET_API size_t docket_error_format(const docket_error *error, char *line, size_t capacity);

/** Writes an error: for callbacks that are handed one, such as a source of items or a backend. What the error held before
 * is gone; the arguments may point into it. NULL is accepted.
 *
 * Threads: those that may use the error.
 * Returns: `status`, to be returned on. */
DOCKET_API docket_status docket_error_set(docket_error *error, docket_status status, const char *format, ...)
    DOCKET_PRINTF(3, 4);

DOCKET_END_DECLS

#endif
