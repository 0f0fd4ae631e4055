/* The watcher of a store: a thread that waits for the claims that others have, and tries again when they may be free.
 * It is started with the first such claim. */
#ifndef DOCKET_STORE_LOOKOUT_H
#define DOCKET_STORE_LOOKOUT_H

#include "store/claim.h"

typedef struct docket__lookout {
    docket__claims *claims;
    pthread_t thread;
    bool started, stopping; /* guarded by claims->lock */
    void (*last_act)(docket_store *store);
    docket_store *store;
} docket__lookout;

/* Sees to it that somebody watches; any thread. False: no thread can be started. */
bool docket__lookout_start(docket__lookout *watch);

/* Ends the thread. No claim is away any more. */
void docket__lookout_stop(docket__lookout *watch);

/* Whether the calling thread is the watcher; and what it is to do as the last thing. */
bool docket__lookout_is_watcher(docket__lookout *watch);
void docket__lookout_stop_later(docket__lookout *watch, void (*last_act)(docket_store *store));

#endif
