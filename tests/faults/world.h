/* The scenarios of the allocation tests and the objects they play with. */
#ifndef DOCKET_TESTS_WORLD_H
#define DOCKET_TESTS_WORLD_H

#include "faults/stock.h"
#include "support/folder.h"

#include <docket/backend.h>
#include <docket/testing.h>

typedef struct world world;

/* One walk through a part of the public API. */
typedef struct scenario {
    const char *name;
    size_t at_least; /* requests for memory that there must be: fewer show that the test does not test */
    bool sqlite;     /* the store is a file */
    void (*prepare)(world *);
    void (*act)(world *);   /* memory is scarce */
    void (*check)(world *); /* memory is back: the same objects work */
} scenario;

struct world {
    const scenario *at;
    folder files;
    docket_pool *pool;
    docket_store *store;
    docket_graph *graph, *inner;
    docket_cancel *cancel;
    stock user;
    bool ran_out;        /* a call answered DOCKET_NO_MEMORY or, where that is its word for it, NULL */
    bool act_succeeded;  /* no call of `act` did */
    bool memory_is_back; /* from here on DOCKET_NO_MEMORY is a fault */
    char problem[1024];  /* what went wrong; the first is kept */
};

/* Ends with a scenario without name. */
extern const scenario scenarios[];

world *world_new(const scenario *at);
void world_free(world *self);

void world_complain(world *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
