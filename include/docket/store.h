/** @page docket_store  Stores: where results are recorded.
 *
 * A store is opened by URL and handed to graphs; any number of graphs and threads may share it. `sqlite:PATH` is one
 * file, made when it does not exist; `memory:` keeps records as long as the store is open.
 *
 * Transient faults are retried within `retry_budget_ms`; what remains is DOCKET_STORE with the reason. A store fault
 * is never silence: a failed read does not turn into a run, a failed write not into success.
 */
#ifndef DOCKET_STORE_H
#define DOCKET_STORE_H

#include <docket/graph.h>

DOCKET_BEGIN_DECLS

/** What a committed result survives. */
typedef enum docket_durability {
    DOCKET_DURABILITY_FULL = 0,   /* power loss */
    DOCKET_DURABILITY_PROCESS = 1 /* a killed process, not power loss */
} docket_durability;

/** Options of a store. Start with DOCKET_STORE_OPTIONS_INIT; 0 and NULL mean the default of each. */
typedef struct docket_store_options {
    size_t struct_size;
    const char *prefix; /* of table names: 1 to 32 of a-z 0-9 _, starting with a letter but not with sqlite_;
                           NULL = "docket_" */
    docket_durability durability;
    size_t max_payload_bytes; /* of one value: 0 = 64 MiB */
    int64_t busy_timeout_ms;  /* how long a commit waits for other writers of the file: 0 = 10 seconds */
    int64_t transaction_timeout_ms; /* how long a transactional step may hold up other commits: 0 = 5 seconds */
    int64_t retry_budget_ms;  /* how long transient faults are retried: 0 = 5 seconds; negative = not at all */
    bool read_only;           /* look only: never changes a byte of the store; recording answers DOCKET_STORE */
    bool must_exist;          /* do not make the store when it is not there */
    bool shared_database;     /* docket's tables live in the application's own SQLite file; see docket_sqlite */
    /** Told about conditions that need a person: an SQLite with the log-reset fault beside foreign writers, a log that
     * grows because of an old reader. Called from any thread, one call at a time, perhaps in the middle of a commit: it
     * must not use the store. */
    void (*warning)(void *arg, const char *text);
    void *warning_arg;
} docket_store_options;

#define DOCKET_STORE_OPTIONS_INIT .struct_size = sizeof(docket_store_options)

/** Opens a store, and makes it when it does not exist. A file may be open several times, in one process and in many.
 *
 * Owns: the caller; close with docket_store_close.
 * Threads: any. It waits up to busy_timeout_ms for others that write to the file.
 * Returns:
 * - DOCKET_INVALID: an unknown scheme, an empty path, a bad option; the message tells what is allowed.
 * - DOCKET_STORE: the file cannot be opened or made: a directory, a link, no permission, a missing directory, a network
 *   file system; or must_exist or read_only is set and there is none.
 * - DOCKET_CORRUPT: the file is not a docket store, or is damaged; it was not touched.
 * - DOCKET_SCHEMA_NEWER: a newer docket made it; it was not touched.
 * - DOCKET_UNSUPPORTED: this build has no such store.
 * - DOCKET_FORKED: the file was open in this process when it was forked; SQLite cannot open it again in the child.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_store_open(docket_store **store, const char *url,
                                                             const docket_store_options *options,
                                                             docket_error *error);

/** Drops the caller's reference. The store closes when no graph and no running step holds it any more; commits that
 * wait are written first. NULL is accepted.
 *
 * Threads: any, but no call with this handle may come after it. The last reference waits for the disk. */
DOCKET_API void docket_store_close(docket_store *store);

/** Removes a closed store with all its files (`sqlite:`): the database, its log and docket's side file.
 *
 * Threads: any; nobody may have the store open.
 * Returns:
 * - DOCKET_OK: nothing of it is left, or nothing was there.
 * - DOCKET_INVALID: as docket_store_open.
 * - DOCKET_STORE: somebody has it open, or a file cannot be removed.
 * - DOCKET_CORRUPT: the file is not a docket store, or holds tables of others; it was not touched.
 * - DOCKET_UNSUPPORTED, DOCKET_FORKED, DOCKET_NO_MEMORY: as docket_store_open. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_store_delete(const char *url, docket_error *error);

/** What a listed entry is. */
typedef enum docket_checkpoint_kind {
    DOCKET_CHECKPOINT_VALUE = 1,
    DOCKET_CHECKPOINT_ABSENT = 2,
    DOCKET_CHECKPOINT_FAILURE = 3, /* the last failure of a key without a result; for people, never replayed */
    DOCKET_CHECKPOINT_ITEMS = 4,   /* what an expand step made: the list of the chunks that hold the items */
    DOCKET_CHECKPOINT_CHUNK = 5    /* some of these items; forgetting one makes the step run again */
} docket_checkpoint_kind;

/** Which entries to list or forget. Members that are NULL or 0 do not restrict. */
typedef struct docket_checkpoint_filter {
    size_t struct_size;
    const char *execution_id;
    const char *step;
    int64_t older_than_ms;  /* recorded at least so long ago */
    const uint8_t *key;     /* 32 bytes */
    bool failures;          /* failures as well; docket_checkpoint_forget always removes them */
    bool expired;           /* expired entries as well */
} docket_checkpoint_filter;

#define DOCKET_CHECKPOINT_FILTER_INIT .struct_size = sizeof(docket_checkpoint_filter)

/** One entry of a store, without its value.
 *
 * Valid until: the callback returns. */
typedef struct docket_checkpoint {
    size_t struct_size; /* set by docket */
    docket_checkpoint_kind kind;
    uint8_t key[32];
    const char *execution_id; /* that recorded it */
    const char *step;
    uint32_t step_version;
    docket_scope scope;
    const char *type;
    uint8_t fingerprint[32];
    const uint8_t *input_digests; /* 32 bytes per input, in the step's order; zero for absent and resources */
    size_t input_count;
    int64_t created_ms; /* since 1970 */
    int64_t expires_ms; /* 0 = never */
    int64_t duration_ms;
    int32_t attempts;
    size_t size_bytes;
    docket_status status; /* of a failure, with its code and message */
    int32_t code;
    const char *message;
} docket_checkpoint;

/** What holds the slot of an effect. */
typedef enum docket_effect_state {
    DOCKET_EFFECT_FREE = 0,
    DOCKET_EFFECT_ENTERED = 1,  /* the step was entered and no outcome is known: it runs now, or its process died */
    DOCKET_EFFECT_IN_DOUBT = 2, /* it was entered, and ended without saying whether anything happened */
    DOCKET_EFFECT_RECORDED = 3  /* its outcome is recorded */
} docket_effect_state;

/** An effect as a store knows it, without a value.
 *
 * Valid until: the callback returns. */
typedef struct docket_effect {
    size_t struct_size; /* set by docket */
    docket_effect_state state;
    uint8_t slot[16];
    uint8_t idempotency_key[16]; /* see docket_ctx_idempotency_key; zero once recorded */
    uint64_t token;              /* of the entry; 0 once recorded */
    uint8_t key[32];
    const char *execution_id; /* that entered it */
    const char *step;
    uint32_t step_version;
    docket_scope scope;
    const char *type;
    uint8_t fingerprint[32];
    const uint8_t *input_digests; /* as in docket_checkpoint */
    size_t input_count;
    int32_t attempt;    /* which one entered */
    int64_t created_ms; /* since 1970: when it was entered, or recorded */
    const char *reason; /* why it is in doubt; else the empty string */
} docket_effect;

/** Calls `each(arg, checkpoint)` for the matching entries in the order of recording, until it returns false. Values
 * are not read. The store is not locked while `each` runs, so it may call docket; entries that others add or remove
 * meanwhile may or may not be seen. Failures are written without anyone waiting for them, and may come a moment late.
 *
 * Threads: any; `each` runs on the caller's thread.
 * Returns:
 * - DOCKET_INVALID: a NULL, a filter that was not started with DOCKET_CHECKPOINT_FILTER_INIT, a negative age.
 * - DOCKET_STORE, DOCKET_CORRUPT: what was listed before was.
 * - DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_checkpoint_list(docket_store *store,
                                                                  const docket_checkpoint_filter *filter,
                                                                  bool (*each)(void *arg, const docket_checkpoint *),
                                                                  void *arg, docket_error *error);

/** Appends the stored bytes of one value, checked against its checksum, to `out`; docket_decode makes a value of them.
 *
 * Threads: any.
 * Returns:
 * - DOCKET_INVALID: a NULL.
 * - DOCKET_MISSING: there is no live record of this key.
 * - DOCKET_ABSENT: it is recorded as absent; the message gives the reason.
 * - DOCKET_CORRUPT: the bytes do not match their checksum.
 * - DOCKET_SCHEMA_NEWER: a newer docket wrote the record.
 * - DOCKET_STORE, DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_checkpoint_read(docket_store *store, const uint8_t key[32],
                                                                  docket_buffer *out, docket_error *error);

/** Removes the matching entries in bounded batches and counts them, failures and expired ones too. The filter must
 * restrict something; `count` may be NULL. A step that runs meanwhile commits all the same.
 *
 * Threads: any; it waits for the disk.
 * Durable: on return.
 * Returns:
 * - DOCKET_INVALID: the filter restricts nothing.
 * - DOCKET_STORE: `*count` were removed before; or the store is read-only.
 * - DOCKET_CORRUPT, DOCKET_NO_MEMORY: `*count` were removed before.
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_checkpoint_forget(docket_store *store,
                                                                    const docket_checkpoint_filter *filter,
                                                                    uint64_t *count, docket_error *error);

/* Effects: see docket_effect_kind in docket_graph(3). */

/** Calls `each(arg, effect)` for the effects that were entered and have no outcome, in the order of entry, until it
 * returns false: those that are in doubt, and those that run now or whose process died unseen (DOCKET_EFFECT_ENTERED).
 * Of the filter `execution_id`, `step` and `key` count. The store is not locked while `each` runs.
 *
 * Threads: any; `each` runs on the caller's thread.
 * Returns:
 * - DOCKET_INVALID: a NULL, a filter that was not started with DOCKET_CHECKPOINT_FILTER_INIT, an age.
 * - DOCKET_UNSUPPORTED: the store keeps no effects.
 * - DOCKET_STORE, DOCKET_CORRUPT: what was listed before was.
 * - DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_effect_list(docket_store *store,
                                                              const docket_checkpoint_filter *filter,
                                                              bool (*each)(void *arg, const docket_effect *effect),
                                                              void *arg, docket_error *error);

/** Says what became of an effect that is in doubt; take its slot from docket_effect_list.
 *
 *     docket_settle(store, slot, DOCKET_OK, &DOCKET_IN(Receipt, &receipt), &error);   it happened: this is its value
 *     docket_settle(store, slot, DOCKET_NOT_DONE, NULL, &error);                      it did not: the step may be entered
 *
 * Threads: any; it waits for the disk.
 * Durable: on return.
 * Returns:
 * - DOCKET_INVALID: a NULL, another outcome than these two, a value too many or too few.
 * - DOCKET_MISSING: the slot is free, or its outcome is recorded.
 * - DOCKET_CONFLICT: the step runs now.
 * - DOCKET_TYPE: the value is not of the type that the step makes.
 * - DOCKET_ENCODE, DOCKET_TOO_LARGE: the value cannot be recorded.
 * - DOCKET_UNSUPPORTED: the store keeps no effects.
 * - DOCKET_CLAIM_LOST: somebody else settled it at the same moment.
 * - DOCKET_STORE, DOCKET_CORRUPT, DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_settle(docket_store *store, const uint8_t slot[16],
                                                         docket_status outcome, const docket_input *value,
                                                         docket_error *error);

/** Forgets one key: its record or last failure, and how many of its owners crashed. An effect step may then be entered
 * again under this key. docket_checkpoint_forget does the same for many, and leaves counts of crashes alone.
 *
 * Threads: any; it waits for the disk. An owner that runs meanwhile commits all the same.
 * Durable: on return.
 * Returns:
 * - DOCKET_OK: it is forgotten, or there was nothing.
 * - DOCKET_IN_DOUBT: an effect was entered with this key and has no outcome: nothing was forgotten.
 * - DOCKET_INVALID: a NULL.
 * - DOCKET_UNSUPPORTED: the store keeps no effects.
 * - DOCKET_STORE, DOCKET_CORRUPT, DOCKET_NO_MEMORY
 * - DOCKET_FORKED: the store was opened before fork. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_forget(docket_store *store, const uint8_t key[32],
                                                         docket_error *error);

/** Removes expired entries in bounded batches, lets other writers in between, and counts them. Types' schemas and
 * everything that has not expired stay. A look-up never takes an expired entry, purged or not: purging frees room.
 *
 * Threads: any; it waits for the disk.
 * Durable: on return.
 * Returns: as docket_checkpoint_forget. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_store_purge(docket_store *store, uint64_t *count,
                                                              docket_error *error);

DOCKET_END_DECLS

#endif
