/* The SQLite store, as the room sees it. */
#ifndef DOCKET_STORE_SQLITE_SQLITE_H
#define DOCKET_STORE_SQLITE_SQLITE_H

#include "store/depot.h"
#include <docket/backend.h>

typedef struct docket__sqlite docket__sqlite;

extern const docket_backend docket__sqlite_backend;

/* Opens a file, or makes it; `options` have their defaults filled in. The result is the `self` of
 * docket__sqlite_backend, whose `close` frees it. Statuses as docket_store_open. */
docket_status docket__sqlite_open(docket__sqlite **self, const char *path, const docket_store_options *options,
                                  docket_error *error);

/* "sqlite:" and the absolute path; valid as long as the handle. */
const char *docket__sqlite_url(const docket__sqlite *self);

/* Its managed files; valid as long as the handle, longer with a reference. */
docket__depot *docket__sqlite_depot(const docket__sqlite *self);

/* Removes managed files that no record refers to, and what dead writers left. On any thread. */
docket_status docket__sqlite_sweep(void *self, docket_error *error);

/* docket_store_delete for a path. */
docket_status docket__sqlite_delete(const char *path, docket_error *error);

#endif
