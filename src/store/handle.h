/* The inside of a store, for this room only. */
#ifndef DOCKET_STORE_HANDLE_H
#define DOCKET_STORE_HANDLE_H

#include "base/arena.h"
#include "base/map.h"
#include "store/depot.h"
#include "store/queue.h"
#include "store/lookout.h"

struct docket_store {
    atomic_size_t references;
    const docket_backend *backend;
    void *self;
    char *name;
    uint64_t generation; /* of the process that opened it: see base/process.h */
    size_t payload_limit;
    int64_t retry_budget_ms; /* negative = none */
    int64_t transaction_timeout_ms;
    bool read_only;
    docket__depot *depot; /* of managed files; NULL = the store keeps none */
    _Atomic(pthread_t) transaction_thread; /* on which a step's transaction began, while `in_transaction` */
    atomic_bool in_transaction;
    docket__claims claims;
    docket__lookout lookout;
    docket__queue queue;
    pthread_mutex_t facts_lock; /* guards the two below */
    docket__map facts;
    docket_arena facts_memory;
};

/* Reads a program's options and puts the defaults in the place of zeros. DOCKET_INVALID names the option. */
docket_status docket__store_options_read(docket_store_options *options, const docket_store_options *given,
                                         docket_error *error);

/* DOCKET_INVALID for NULL, DOCKET_FORKED for a store of the parent process. */
docket_status docket__store_check(const docket_store *store, docket_error *error);

/* DOCKET_STORE if the store is read-only, DOCKET_CONFLICT if a step that has a transaction of this store calls from its
 * function, which would have to wait for itself; else as docket__store_check. */
docket_status docket__store_check_writable(const docket_store *store, docket_error *error);

/* checkpoint.c: reads the value of a key and checks it. DOCKET_MISSING, DOCKET_ABSENT, and what docket__store_lookup and
 * docket__record_verify answer; the record is NULL then. */
docket_status docket__store_read(docket_store *store, const uint8_t key[32], docket_record **record,
                                 docket_error *error);

/* json.c: DOCKET_CORRUPT if a type that was rebuilt from its description has another fingerprint. */
docket_status docket__check_described(const docket_type *type, const uint8_t fingerprint[32], docket_error *error);

/* `error->transient` of a backend that has already waited as long as it may: the fault may pass, but docket does not
 * repeat the call. The caller sees 1. */
enum { DOCKET__WAITED = 2 };

/* The retries of one call: pauses of full jitter, doubling, until the budget or the deadline is used up. */
typedef struct docket__retry {
    int64_t end_ms;  /* monotonic */
    int64_t left_ms; /* of pauses: bounds the retries even if the clock stands still */
    int64_t delay_ms;
} docket__retry;

void docket__retry_begin(docket__retry *retry, const docket_store *store, int64_t deadline_ms);

/* True after a pause if the call is to be repeated; else the error is final. */
bool docket__retry_again(docket__retry *retry, docket_status status, docket_error *error);

#endif
