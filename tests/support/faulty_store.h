/* A store that fails where a test wants it to. It keeps its records in a memory store and counts what is asked
 * of it. */
#ifndef DOCKET_TESTS_FAULTY_STORE_H
#define DOCKET_TESTS_FAULTY_STORE_H

#include "support/gate.h"

#include <docket/backend.h>
#include <limits.h>

typedef enum fault_kind {
    FAULT_NONE = 0,
    FAULT_REFUSE,     /* fails, and has done nothing */
    FAULT_AFTER,      /* does what it was asked, then fails */
    FAULT_FORGET,     /* says that all went well, and has done nothing; a look-up finds nothing */
    FAULT_DAMAGE,     /* a look-up: the last byte of the value is another one */
    FAULT_CLAIM_LOST, /* a commit: refuses the records one by one, as if other owners had taken their keys over */
} fault_kind;

/* What happens to some calls of one operation. */
typedef struct fault {
    fault_kind kind;
    int from;         /* the first call that it happens to; 0 and 1 are the first of all */
    int count;        /* how many from there; 0 = all */
    bool transient;   /* FAULT_REFUSE and FAULT_AFTER: says that it may pass */
    gate *reached;    /* the call arrives here, if this is not NULL, */
    gate *held_until; /* and waits for this, before anything else */
} fault;

typedef struct faulty_store {
    docket_backend backend;
    void *memory;
    docket_store *store;
    pthread_mutex_t lock; /* guards the faults */
    fault lookup, commit, intent;
    atomic_int lookups, commits, intents; /* calls since the fault was set; commits: of records */
    atomic_int failures;                  /* notes of failures that were kept */
    gate closed;
} faulty_store;

/* Opens it without faults. `inline_commits`: commits happen on the thread of their step, as in a memory store;
 * else on the store's writer thread, as in a database. Asserts. */
void faulty_store_open(faulty_store *self, bool inline_commits, const docket_store_options *options);

/* From now on look-ups, or commits, have this fault; their count begins anew. */
void faulty_store_set_lookup(faulty_store *self, fault with);
void faulty_store_set_commit(faulty_store *self, fault with);
void faulty_store_set_intent(faulty_store *self, fault with);

/* Drops the test's reference to the store, which must be the last one, and waits until it is closed. */
void faulty_store_close(faulty_store *self);

/* What a failed call says. */
#define FAULT_MESSAGE "the disk is on fire"
enum { FAULT_CODE = 5 };

#endif
