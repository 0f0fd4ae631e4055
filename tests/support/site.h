/* Where a test works: a folder of its own and a store in it. What holds for every store is written once and listed with
 * SITE_EACH_STORE, which runs it on each. A test that hangs is ended by a signal. */
#ifndef DOCKET_TESTS_SITE_H
#define DOCKET_TESTS_SITE_H

#include "support/check.h"
#include "support/folder.h"

#include <docket/docket.h>

typedef struct site {
    folder folder;
    bool durable; /* the store outlives its handle */
    char url[264];
    char file[256]; /* of the database; "" if there is none */
    docket_store *store;
} site;

int site_setup(void **state);
int site_teardown(void **state);

/* clang-format off */
#define SITE_TEST(function, kind) {#function "@" kind, function, site_setup, site_teardown, (void *)(uintptr_t)kind}
/* clang-format on */
#define SITE_MEMORY(function) SITE_TEST(function, "memory")
#define SITE_SQLITE(function) SITE_TEST(function, "sqlite")
#define SITE_EACH_STORE(function) SITE_MEMORY(function), SITE_SQLITE(function)

/* The site's store, opened on first use with these options (NULL = defaults), or anew after site_close. */
docket_store *site_open(site *self, const docket_store_options *options);

/* Closes the store if it is one that outlives this; a memory store stays open, so that a second pass finds it. */
void site_close(site *self);

/* The whole test with time to spare: `n` in the short form, `long_n` if DOCKET_LONG is set. */
long site_count(long n, long long_n);

/* A seed, printed; DOCKET_SEED takes it back. */
uint64_t site_seed(void);

/* Numbers from a seed: xorshift64*. */
uint64_t site_random(uint64_t *seed);

#endif
