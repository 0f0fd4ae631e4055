/* The commit queue: all writes of a store pass here, in order, from any thread to one writer.
 *
 * `lock` guards the list and the two flags and nothing else; it is never held while the backend or a callback runs. On
 * inline backends there is no writer thread: `commit_lock` lets one caller commit at a time, callbacks run after it was
 * given up. The writer thread starts with the first write and blocks all signals, which belong to the host.
 *
 * Groups: the callbacks of one group set threads free that soon write again, and a writer that took the first of them at
 * once would flush for it alone, with the others behind. So after a group the writer waits for as many writes as that
 * group had, for an eighth of the time it took to commit at most; after a single write it waits for none. Lazy writes
 * wake nobody: several of them share a flush, or join another's.
 *
 * What must be on disk before what: a write's `done` is called only after the backend said that the group is durable,
 * or after reading back showed the record. */
#ifndef DOCKET_STORE_QUEUE_H
#define DOCKET_STORE_QUEUE_H

#include "store/store.h"

#include <pthread.h>

enum {
    DOCKET__GROUP_WRITES = 4096,    /* most writes of one group */
    DOCKET__GROUP_BYTES = 32 << 20, /* a group is closed once its values are so large */
    DOCKET__LAZY_MS = 10            /* how long a lazy write waits for company */
};

typedef struct docket__queue {
    docket_store *store;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    docket__write *first, **last;
    size_t count;      /* of the list */
    size_t wake_count; /* wake the writer when the list has so many; SIZE_MAX = it does not wait */
    pthread_t writer;
    bool started;
    bool stopping;
    bool urgent; /* something queued is not lazy */
    void (*last_act)(docket_store *store);
    docket_commit **commits; /* the writer's own: of the group under way, */
    size_t group_count;      /* how many it has, */
    int64_t group_ns;        /* and how long its commit took */
    pthread_mutex_t commit_lock;
} docket__queue;

/* Ends the wait of lazy writes. */
void docket__queue_flush(docket__queue *queue);

/* Any other write operation. */
typedef void docket__operation(void *arg);

docket_status docket__queue_init(docket__queue *queue, docket_store *store);

/* Never fails: a write that cannot be queued is done at once, with its error. */
void docket__queue_write(docket__queue *queue, docket__write *write);

/* Runs an operation behind the writes that are queued, on the writer thread (on the caller's if the backend is inline),
 * and returns when it is done. */
docket_status docket__queue_run(docket__queue *queue, docket__operation *run, void *arg, docket_error *error);

/* True on the writer thread, which must not wait for itself. */
bool docket__queue_is_writer(docket__queue *queue);

/* Writes what is queued and ends the writer thread. Called on another thread, when no write can come any more. */
void docket__queue_stop(docket__queue *queue);

/* Called on the writer thread, when no write can come any more: `last` runs with the queue's store as its last act. */
void docket__queue_stop_later(docket__queue *queue, void (*last)(docket_store *store));
void docket__queue_destroy(docket__queue *queue);

#endif
