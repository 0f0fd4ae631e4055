/* Steps and graphs for the mix: what threads ask of docket at once. */
#ifndef DOCKET_TESTS_MIX_H
#define DOCKET_TESTS_MIX_H

#include "threads/noise.h"

#include <docket/docket.h>
#include <stdatomic.h>

enum { MIX_KEYS = 24, MIX_TEXT = 200 };

DOCKET_STRUCT(Seed, (INT64, number));
DOCKET_STRUCT(Left, (INT64, number), (STRING, text));
DOCKET_STRUCT(Right, (INT64, number));
DOCKET_STRUCT(Joined, (INT64, number), (STRING, text));

/* What all threads share. */
typedef struct mix {
    docket_store *store;
    docket_pool *pool;
    docket_graph *plain, *global, *workflow, *deferred, *stumbling, *limited, *refusing, *nested;
    atomic_int global_runs[MIX_KEYS];
    atomic_int workflow_runs[MIX_KEYS];
    noise *noise;
} mix;

/* Opens the store and builds the graphs. False: told on stderr. */
bool mix_open(mix *self, const char *store_url, int pool_threads, noise *disturbance);

/* Stops and frees everything. False: a graph could not be stopped. */
bool mix_close(mix *self);

/* One execution of some kind. False: `problem` tells what was wrong. */
bool mix_one(mix *self, uint64_t *seed, long serial, char problem[MIX_TEXT]);

#endif
