/** @page docket_backend  For people who write a store: what docket asks of one.
 *
 * A backend is a table of functions over its own handle. docket puts in front of it: opening and reference counts,
 * retries of transient faults, one writer thread per store that collects the waiting commits of all executions into
 * groups, and the local claims that let threads share one computation. A backend only has to be right.
 *
 * Unless said otherwise a function may be called from any thread at once, may block on I/O, must not keep pointers it
 * was handed, and is never called with a docket lock held. `commit`, `forget` and `purge` are called by the writer
 * thread only, one at a time. The error is never NULL. A function that fails with DOCKET_STORE sets error->transient to
 * 1 if the same call may succeed a moment later and nothing of it was applied, and to 2 if that holds but the backend
 * has itself waited as long as it may: docket does not repeat the call then.
 */
#ifndef DOCKET_BACKEND_H
#define DOCKET_BACKEND_H

#include <docket/store.h>

DOCKET_BEGIN_DECLS

/** The record layout that this library reads and writes. */
#define DOCKET_RECORD_FORMAT 1u

/** SHA-256 over everything that identifies a computation. */
typedef struct docket_key {
    uint8_t bytes[32];
} docket_key;

/** Where a record is to be found. The key alone tells it from all others; the rest is what the key was made of, so that a
 * store can keep side by side what belongs to one execution. */
typedef struct docket_address {
    docket_key key;
    docket_scope scope;       /* DOCKET_SCOPE_NONE: nothing but the key is known */
    const char *execution_id; /* that looks */
    const char *step;
} docket_address;

/** One checkpoint. */
typedef struct docket_record {
    docket_key key;
    uint32_t format; /* DOCKET_RECORD_FORMAT */
    uint32_t codec;  /* 0 = plain */
    uint32_t kind;   /* DOCKET_CHECKPOINT_..., but _FAILURE; an absent record's value is its reason, UTF-8 */
    uint32_t step_version;
    docket_scope scope;
    int32_t attempts;
    const char *execution_id;
    const char *step;
    const char *type;
    uint8_t fingerprint[32];
    uint8_t checksum[16]; /* first half of SHA-256 over format, key, codec, kind, type, fingerprint and value */
    const uint8_t *input_digests; /* 32 bytes each */
    size_t input_count;
    docket_bytes value;
    int64_t created_ms; /* set by the backend on commit, by its own clock */
    int64_t ttl_ms;     /* on commit: 0 = for ever */
    int64_t expires_ms; /* on look-up: 0 = never; set by the backend on commit, saturating to never */
    int64_t duration_ms;
} docket_record;

/** Makes a copy of a record and all it points to in one block.
 *
 * Owns: the caller; free with docket_record_free, which accepts NULL.
 * Threads: any.
 * Returns: NULL when memory is exhausted. */
DOCKET_API docket_record *docket_record_copy(const docket_record *record);
DOCKET_API void docket_record_free(docket_record *record);

/** What a look-up found. */
typedef enum docket_found {
    DOCKET_FOUND_NOTHING = 0,
    DOCKET_FOUND_RECORD = 1,
    DOCKET_FOUND_EXPIRED = 2 /* a record that does not count any more; it must never count again */
} docket_found;

/** One entry into a once step, or one attempt of a transactional one. A *slot* is what may hold one effect: a step of an
 * execution in WORKFLOW scope, a step with its inputs in GLOBAL scope. It is free, or held by an intent (somebody has
 * entered, and no outcome is known), or by the record that is the effect's outcome. */
typedef struct docket_intent {
    uint8_t slot[16];
    uint8_t idempotency_key[16];
    uint64_t token; /* of this entry: drawn anew for each, never 0 and never repeated */
} docket_intent;

/** What a commit is about. Every commit has `record` with key, scope, names, version, fingerprint, input digests and
 * attempts; only the first kind has a value in it. Repeating a commit that was applied before changes nothing and is
 * DOCKET_OK: an answer may have been lost. */
typedef enum docket_commit_kind {
    /** Keep the record. With `intent`: only if the slot is held by an intent with this token, which goes in the same
     * transaction, and the record holds the slot from then on. Else DOCKET_CLAIM_LOST, unless the record is there
     * already (same checksum). A kept record sets the key's count of crashes to 0. */
    DOCKET_COMMIT_RECORD = 0,
    /** Keep `failure` as the key's last failure unless it has a live record. With `intent`: as INTENT_REMOVED too. */
    DOCKET_COMMIT_FAILURE = 1,
    /** Keep an intent in its slot. DOCKET_CONFLICT, and nothing is changed, if the slot is held already (by this very
     * token: DOCKET_OK). Durable against power loss when the call returns, however the store was opened. */
    DOCKET_COMMIT_INTENT = 2,
    /** Nothing happened: remove the intent that has this slot and token, if it is there. */
    DOCKET_COMMIT_INTENT_REMOVED = 3,
    /** Nobody knows what happened: mark that intent, if it is there, as in doubt, and keep the message of `failure`. */
    DOCKET_COMMIT_IN_DOUBT = 4,
    /** An owner of the key died: add 1 to the key's count of crashes, unless `crash` was the last one counted. */
    DOCKET_COMMIT_CRASH = 5,
    /** A person forgets the key: remove its record or last failure, and its count of crashes. DOCKET_IN_DOUBT, and nothing
     * is changed, if an intent has this key. */
    DOCKET_COMMIT_FORGET = 6
} docket_commit_kind;

/** What is to be written in one commit, and what came of it. */
typedef struct docket_commit {
    size_t struct_size;
    /* What. */
    docket_commit_kind kind;
    const docket_record *record;
    const docket_error *failure;
    const docket_intent *intent; /* NULL = the step is no effect step */
    uint64_t crash;              /* the token of the dead owner; never 0 */
    docket_bytes schema;         /* of the record's type: keep once per (type, fingerprint) */
    uint64_t fence;              /* of the claim, on stores with leases; 0 = none */
    const char *const *files;    /* names of managed files that the value refers to; see docket_file. Of docket's */
    size_t file_count;           /* own stores only: a backend of others keeps none, and 0 is what it gets */
    bool replace;                /* a live record of this key is no good: put this one in its place */
    /* What came of it, set by the backend when the whole call returns DOCKET_OK. */
    docket_status status;    /* DOCKET_OK, or why this one was refused: see the kinds; DOCKET_TOO_LARGE */
    docket_record *existing; /* a live record was there and stays: a copy of it; freed by docket */
} docket_commit;

/** What a store can do. */
enum {
    DOCKET_BACKEND_DURABLE = 1u, /* records outlive the process */
    DOCKET_BACKEND_INLINE = 2u,  /* commit never blocks on I/O: docket calls it on the step's thread, one at a time,
                                    without a writer thread */
    DOCKET_BACKEND_LEASES = 4u,  /* other machines may write: claims are leases, renew is set. Reserved: this version
                                    answers DOCKET_UNSUPPORTED to a backend that has it */
    DOCKET_BACKEND_CLAIMS = 8u   /* others may claim keys too: acquire, release, await and interrupt are set */
};

/** A transaction of a store's own database in which one attempt of a transactional step runs. */
typedef struct docket_transaction {
    size_t struct_size;
    int64_t limit_ms; /* how long it may last: set by docket */
    /* Set by the backend. */
    void *self;              /* its own; not NULL */
    const char *kind;        /* of connection: "sqlite" */
    void *connection;        /* what the step's function works with: the database library's handle */
    docket_record *existing; /* a live record that is there already; freed by docket */
} docket_transaction;

/** A claim on a key, held until `expires` by the store's clock unless renewed. */
typedef struct docket_lease {
    uint64_t fence; /* grows with every acquisition of the key; a commit with an older one is refused */
    int64_t duration_ms;
} docket_lease;

/** Calls `each` for a record; false stops. The record is borrowed for the call. */
typedef bool docket_record_visit(void *arg, const docket_record *record);

/** The functions of a backend. A NULL marked "optional" is a thing the store cannot do. */
typedef struct docket_backend {
    size_t struct_size;
    const char *name;
    uint32_t capabilities; /* DOCKET_BACKEND_... */

    /** Reads the record at an address in a read transaction that begins with this call. `*record` is set only with
     * DOCKET_FOUND_RECORD, made by docket_record_copy; unknown formats are returned as they are. */
    docket_status (*lookup)(void *self, const docket_address *address, docket_found *found, docket_record **record,
                            docket_error *error);

    /** Visits the live records that an execution id wrote in WORKFLOW scope, in any order. Optional: a way to read
     * many with one query. What it does not visit is not thereby absent. */
    docket_status (*scan)(void *self, const char *execution_id, docket_record_visit *each, void *arg,
                          docket_error *error);

    /** Writes a group. Atomic: after anything but DOCKET_OK nothing of the group is there, or the caller is told by
     * reading back. One refused commit leaves the others in. A live record is never replaced unless `replace` says
     * so, and then whole. Durable when it returns, as the store was opened. */
    docket_status (*commit)(void *self, docket_commit *const *commits, size_t count, docket_error *error);

    /** Lists up to `capacity` matching entries with positions beyond `*position` (0 = from the first), in the order of
     * recording, and moves `*position`. Texts are taken from the arena. Fewer than `capacity` = the end. */
    docket_status (*list)(void *self, const docket_checkpoint_filter *filter, int64_t *position,
                          docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                          docket_error *error);

    /** Removes up to `most` matching entries with positions beyond `*position` (0 = from the first) in one short
     * transaction, and moves `*position`; INT64_MAX = nothing is left to look at. */
    docket_status (*forget)(void *self, const docket_checkpoint_filter *filter, int64_t *position, uint64_t most,
                            uint64_t *count, docket_error *error);

    /** Removes up to `most` expired entries in one transaction; fewer = no more are expired. */
    docket_status (*purge)(void *self, uint64_t most, uint64_t *count, docket_error *error);

    /** Appends the schema kept for a type's layout; nothing if there is none. */
    docket_status (*schema)(void *self, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                            docket_error *error);

    /** Tells what holds a slot, in a read transaction that begins with this call: `effect->state`, and unless it is
     * DOCKET_EFFECT_FREE all the rest, with texts and digests from the arena. Optional, together with `effects`: a store
     * without them takes no effect steps. */
    docket_status (*effect)(void *self, const uint8_t slot[16], docket_effect *effect, docket_arena *arena,
                            docket_error *error);

    /** Lists intents, as `list` lists entries: in the order of entry, up to `capacity` with positions beyond `*position`. */
    docket_status (*effects)(void *self, int64_t *position, docket_effect *entries, size_t capacity, size_t *count,
                             docket_arena *arena, docket_error *error);

    /** Reads how many owners of a key have died since its last success. Optional: a store without it counts none. */
    docket_status (*crashes)(void *self, const docket_key *key, uint32_t *count, docket_error *error);

    /** Begins a transaction, and looks the address up in it (not with NULL: then a record that is there is to be
     * replaced). From here to transaction_end nobody else can record that key. If it is not ended within `limit_ms`, the
     * backend rolls it back by itself, whatever the step's function is doing, and lets nothing more be done with the
     * connection. While it is open, commits of others may wait; for them that is no fault. Waits as `commit` does; any
     * thread. Optional, together with transaction_end. */
    docket_status (*transaction_begin)(void *self, const docket_address *address, docket_transaction *transaction,
                                       docket_error *error);

    /** Ends a transaction and frees it, in every case. With `commit`, which has a record, writes it as `commit` does, in
     * this transaction, and if it has an intent, this first (DOCKET_CONFLICT as there): what the step did and its record are durable together when it returns DOCKET_OK, with
     * commit->status DOCKET_OK and no commit->existing; else neither is there. NULL rolls back. DOCKET_TIMEOUT: the
     * transaction was rolled back at its limit. DOCKET_FAILED: the step has ended it, or the database refuses what it
     * did. From the thread that began it. */
    docket_status (*transaction_end)(void *self, docket_transaction *transaction, docket_commit *commit,
                                     docket_error *error);

    /** Takes the claim on a key and, with leases, for `lease->duration_ms`; sets its fence, which is 0 without leases.
     * Atomic with respect to commit. Does not wait: DOCKET_CONFLICT: another owner holds it, or this handle does; the
     * error is not set then. With DOCKET_BACKEND_CLAIMS only, as the next but renew. */
    docket_status (*acquire)(void *self, const docket_key *key, docket_lease *lease, docket_error *error);

    /** Extends a claim that is still held. DOCKET_CLAIM_LOST: it is not. With DOCKET_BACKEND_LEASES only. */
    docket_status (*renew)(void *self, const docket_key *key, docket_lease *lease, docket_error *error);

    /** Gives a claim back; nothing happens if it is not held with this fence. */
    docket_status (*release)(void *self, const docket_key *key, const docket_lease *lease, docket_error *error);

    /** Waits until one of these keys may be free, which acquire has refused, until interrupt is called, or for
     * `timeout_ms`; sets for each whether it may be. A dead owner's key counts as free. One thread at a time. */
    docket_status (*await)(void *self, const docket_key *keys, size_t count, bool *maybe_free, int64_t timeout_ms,
                           docket_error *error);

    /** Makes a running or the next await return. */
    void (*interrupt)(void *self);

    /** Something that holds the keys `held` is about to wait for `wanted`. DOCKET_CONFLICT: that would close a circle of
     * waiting, also through others; `*closing` is then the index of a key of it. Must not wait. Optional, together with
     * the next: without them only circles within this handle are found. */
    docket_status (*wait_begin)(void *self, const docket_key *held, size_t count, const docket_key *wanted,
                                size_t *closing);

    /** That wait is over. */
    void (*wait_end)(void *self, const docket_key *held, size_t count, const docket_key *wanted);

    /** A number that changes at least whenever somebody gives a claim on this key back; a look-up made while it stayed
     * the same holds. Optional: without it docket looks up again after every claim. */
    uint64_t (*releases)(void *self, const docket_key *key);

    /** Frees the handle. No other call runs or follows. */
    void (*close)(void *self);
} docket_backend;

/** Opens the backend of a URL alone, without what docket puts in front of it: for a backend of your own that stands before
 * another one, to count, to encrypt, or to fail on purpose. Hand the options to docket_store_open_backend as well.
 *
 * Owns: the caller; close with `(*backend)->close(*self)`, unless a store has taken it.
 * Valid until: for ever, for the table.
 * Threads: any.
 * Returns: as docket_store_open. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_backend_open(const docket_backend **backend, void **self,
                                                               const char *url, const docket_store_options *options,
                                                               docket_error *error);

/** Opens a store over a backend of your own. On failure `close` is not called.
 *
 * Owns: the store takes `self` and closes it; `backend` must outlive the store. The caller closes the store with
 * docket_store_close.
 * Threads: any.
 * Returns:
 * - DOCKET_INVALID: a required function is missing, or struct_size is not this header's.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_store_open_backend(docket_store **store,
                                                                     const docket_backend *backend, void *self,
                                                                     const docket_store_options *options,
                                                                     docket_error *error);

DOCKET_END_DECLS

#endif
