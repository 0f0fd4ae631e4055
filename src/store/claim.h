/* Claims: who computes a key now.
 *
 * A claim is taken before a step is entered and released after its result is durable (or its failure final). Whoever
 * comes in between becomes a waiter: a small structure with a callback, no thread. On release every waiter is handed
 * the record, or, when there is none, the first one the claim and the others wait on.
 *
 * A step that begins a nested execution may come to wait for a key while it holds one. Waits are published in one list
 * for the process, so that a wait that would close a cycle is refused instead: see docket__claim_take.
 *
 * On a store whose backend has claims of its own, with other handles, processes or machines, the first local claimant
 * takes that one as well. If another has it, the local claim is *away*: nobody here owns it, all who want it wait, and the
 * store's watcher thread (lookout.h) tries again when it may be free. Then the first of them inherits it, and looks up
 * again.
 *
 * Locks: `claims->lock` protects one store's table, `waits` (in claim.c) the published waits of the process; waits
 * nests inside claims->lock. Callbacks run without either. */
#ifndef DOCKET_STORE_CLAIM_H
#define DOCKET_STORE_CLAIM_H

#include <docket/backend.h>
#include <pthread.h>
#include <stdatomic.h>

/* A link of the chain "this attempt runs inside that attempt": who holds which key. Lives as long as the attempt. */
typedef struct docket__holder {
    const struct docket__holder *parent;
    _Atomic(const void *) claims; /* the table in which `key` is held; NULL = this attempt holds none */
    docket_key key;
    docket_lease lease;           /* of the claim beyond this handle */
    const char *step;             /* for messages */
    const void *tree;             /* the root execution: waiters of the same tree share a final failure */
} docket__holder;

typedef enum docket__claim_outcome {
    DOCKET__CLAIM_OWNED,   /* the key is yours: look up again if `looked_before` is stale, run, release */
    DOCKET__CLAIM_WAITING, /* `wake` will be called */
    DOCKET__CLAIM_CYCLE    /* waiting would never end */
} docket__claim_outcome;

typedef struct docket__waiter docket__waiter;
struct docket__waiter {
    docket__holder *holder; /* of the attempt that waits; becomes the owner's when the claim is inherited */
    /* Called once without locks, from the thread that released: with the owner's record; with its final failure
     * (same tree only); or with neither: the claim is the waiter's now. Record and error are borrowed. */
    void (*wake)(docket__waiter *waiter, const docket_record *record, const docket_error *failure);
    /* claim.c's own */
    docket_key key;
    const void *claims;
    docket__waiter *next;
    docket__waiter *follow; /* of the search for cycles */
    docket__waiter *published_next, *published_previous;
    bool queued, visited;
    docket_key *told; /* the keys that are held above it, if the backend was told of the wait */
    size_t told_count;
};

/* The claims of one store. */
typedef struct docket__claims {
    pthread_mutex_t lock;
    struct docket__claim **buckets;
    size_t bucket_count, count;
    const docket_backend *backend; /* with claims of its own, or NULL */
    void *self;
    struct docket__claim *away; /* those that somebody beyond this handle has */
    size_t away_count;
    struct docket__lookout *lookout;
    pthread_cond_t changed; /* for the watcher: a claim is away, or the end */
    atomic_uint_fast64_t releases; /* grows with every release: a look-up made since an unchanged count still holds */
} docket__claims;

docket_status docket__claims_init(docket__claims *claims, const docket_backend *backend, void *self);
/* No claim is held any more. */
void docket__claims_destroy(docket__claims *claims);

/* A number that changes whenever a claim on this key is released; read it before a look-up. */
uint64_t docket__claims_releases(const docket__claims *claims, const docket_key *key);

/* Takes the claim on `holder->key`, or queues the waiter, or says that waiting would close a cycle and writes the keys
 * into the error. On DOCKET__CLAIM_OWNED holder->claims is set and `*stale` tells whether a claim was released since
 * `releases` was read. DOCKET_NO_MEMORY through the return value only. */
docket_status docket__claim_take(docket__claims *claims, docket__holder *holder, docket__waiter *waiter,
                                 uint64_t releases, docket__claim_outcome *outcome, bool *stale, docket_error *error);

/* Takes a waiter out of its queue. False: it was not queued any more, `wake` has been or is being called. */
bool docket__claim_forsake(docket__claims *claims, docket__waiter *waiter);

/* Calls `look` with the owner of the key that a queued waiter waits for. The owner stays the owner during the call, under
 * claims->lock; nothing is called if the waiter is not queued. */
void docket__claim_show_owner(docket__claims *claims, const docket__waiter *waiter,
                              void (*look)(void *arg, const docket__holder *owner), void *arg);

/* Gives the claim back. `record`: what all waiters get. `failure`: what waiters of the same tree get; the first of the
 * others becomes the owner. Neither: the first waiter becomes the owner. */
void docket__claim_release(docket__claims *claims, docket__holder *holder, const docket_record *record,
                           const docket_error *failure);

/* The watcher's. */

/* Copies the keys that are away, up to `capacity`; returns how many there are. With claims->lock held. */
size_t docket__claims_list_away(const docket__claims *claims, docket_key *keys, size_t capacity);

/* Tries to get a claim that is away, and hands it to the first who waits. False: somebody still has it. */
bool docket__claims_retry(docket__claims *claims, const docket_key *key);

#endif
