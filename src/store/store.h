/* Stores as the rest of the library sees them: a backend behind retries, one commit queue and local claims.
 *
 * Every write of a store passes through its queue. The writer thread takes all that wait, hands them to the backend as
 * one group, and calls each write's `done` after the group is durable; on backends with DOCKET_BACKEND_INLINE the
 * caller's thread does the same at once, under the queue's lock order. Writes of one caller keep their order.
 *
 * A failed group is settled by reading back: a record that is there with the same checksum was written. */
#ifndef DOCKET_STORE_STORE_H
#define DOCKET_STORE_STORE_H

#include "store/claim.h"
#include "store/depot.h"

/* One write on its way: filled by the caller, owned by the queue until `done` is called. */
typedef struct docket__write docket__write;
struct docket__write {
    docket_commit commit;
    void (*done)(
        docket__write *write); /* from the writer thread, or before docket__store_write returns; commit.status
                                           and commit.existing tell; `error` is set if the status is not OK */
    docket_error *error;       /* the caller's, never NULL */
    bool lazy;                 /* may wait a little for company: see docket__store_flush */
    int64_t deadline_ms;       /* monotonic; transient faults are retried no longer; INT64_MAX = budget only */
    docket__write *next;       /* the queue's */
};

docket_store *docket__store_ref(docket_store *store);
void docket__store_unref(docket_store *store);

docket__claims *docket__store_claims(docket_store *store);
size_t docket__store_payload_limit(const docket_store *store);
bool docket__store_is_read_only(const docket_store *store);
bool docket__store_has_scan(const docket_store *store);
bool docket__store_has_effects(const docket_store *store);
docket__depot *docket__store_depot(const docket_store *store); /* NULL = it keeps no managed files */
const char *docket__store_name(const docket_store *store); /* the URL without secrets, for messages */

/* Reads one record. Transient faults are retried until `deadline_ms` or the budget. The record is freed with
 * docket_record_free. DOCKET_FORKED in a child. */
docket_status docket__store_lookup(docket_store *store, const docket_address *address, int64_t deadline_ms,
                                   docket_found *found, docket_record **record, docket_error *error);

/* Appends the description that the store keeps of a type's layout, with retries; nothing if there is none. */
docket_status docket__store_schema(docket_store *store, const char *type, const uint8_t fingerprint[32],
                                   docket_buffer *out, docket_error *error);

/* What was found out with effort and stays true, by its digest: kept as long as the store is open, or, when memory is
 * short, not at all. */
bool docket__store_knows(docket_store *store, const uint8_t fact[32]);
void docket__store_learn(docket_store *store, const uint8_t fact[32]);

/* As the backend's scan, with retries (of the start only). */
docket_status docket__store_scan(docket_store *store, const char *execution_id, int64_t deadline_ms,
                                 docket_record_visit *each, void *arg, docket_error *error);

/* Transactions of steps: see docket_backend. The timeout is the longest, and the usual, limit of one. */
bool docket__store_has_transactions(const docket_store *store);
int64_t docket__store_transaction_timeout_ms(const docket_store *store);

/* As the backend's transaction_begin, with retries. `limit_ms` is set by the caller. */
docket_status docket__store_transaction_begin(docket_store *store, const docket_address *address,
                                              docket_transaction *transaction, docket_error *error);

/* As the backend's transaction_end, on the thread that began; `commit->status` tells as after docket__store_write. */
docket_status docket__store_transaction_end(docket_store *store, docket_transaction *transaction,
                                            docket_commit *commit, docket_error *error);

/* Queues a write. `done` is called in every case, also when the store is read-only or memory is exhausted. */
void docket__store_write(docket_store *store, docket__write *write);

/* Writes the lazy writes that are queued now; without it they wait for the next other write, or a few milliseconds. */
void docket__store_flush(docket_store *store);

#endif
