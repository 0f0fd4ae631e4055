/* A store's backend under test, without the queue, the retries and the claims that docket puts in front of it. What a
 * backend must do is written once and listed with SHELF_EACH, which runs it on every backend: equal answers are the
 * point. */
#ifndef DOCKET_TESTS_SHELF_H
#define DOCKET_TESTS_SHELF_H

#include "support/check.h"
#include "support/folder.h"

#include <docket/backend.h>

typedef struct shelf {
    folder folder;
    const char *kind; /* "memory" or "sqlite" */
    const docket_backend *backend;
    void *self;
    docket_error error;
} shelf;

int shelf_setup(void **state);
int shelf_teardown(void **state);

/* clang-format off */
#define SHELF_TEST(function, kind) {#function "@" kind, function, shelf_setup, shelf_teardown, (void *)(uintptr_t)kind}
/* clang-format on */
#define SHELF_EACH(function) SHELF_TEST(function, "memory"), SHELF_TEST(function, "sqlite")

/* Closes a durable backend and opens it anew; others stay open. */
void shelf_reopen(shelf *self);

/* A sealed record of WORKFLOW scope with a text as its value, which is borrowed. */
docket_record shelf_record(int key, const char *execution_id, const char *step, const char *value);

/* After a member was changed. */
void shelf_seal(docket_record *record);

/* Commits one record, or its failure, and returns what became of it. `existing` may be NULL. */
docket_status shelf_put(shelf *self, const docket_record *record, const docket_error *failure, bool replace,
                        docket_record **existing);

/* Commits one record of which it is known that it is new. */
void shelf_put_new(shelf *self, const docket_record *record);

/* Looks where the record should be. The caller frees what is found; `found` may be NULL. */
docket_found shelf_find(shelf *self, const docket_record *where, docket_record **found);

/* Asserts that the record that is found is this one, byte for byte, its checksum included. */
void shelf_assert_holds(shelf *self, const docket_record *record);

/* Everything a filter lists, in one text: "key kind execution/step value-size;" for each entry, freed by the caller. */
char *shelf_list(shelf *self, const docket_checkpoint_filter *filter, size_t page);

uint64_t shelf_forget(shelf *self, docket_checkpoint_filter filter, uint64_t most);

#endif
