/* What a file is, found out without changing a byte of it. */
#ifndef DOCKET_STORE_SQLITE_PROBE_H
#define DOCKET_STORE_SQLITE_PROBE_H

#include "store/sqlite/inside.h"

typedef enum docket__verdict {
    DOCKET__FILE_EMPTY, /* no tables, or none of docket's in a shared database: docket may make its own */
    DOCKET__FILE_READY  /* a store of this format */
} docket__verdict;

/* Judges by an open connection. DOCKET_CORRUPT: another application's file or no database at all; DOCKET_SCHEMA_NEWER;
 * DOCKET_STORE. */
docket_status docket__probe_connection(const docket__sqlite *self, docket__connection *connection,
                                       docket__verdict *verdict, docket_error *error);

/* Judges by a read-only connection of its own. */
docket_status docket__probe_file(const docket__sqlite *self, docket__verdict *verdict, docket_error *error);

/* Finds the prefix of the store that fills the file; for deleting it. DOCKET_CORRUPT if there is anything else. An empty
 * file gives the empty prefix. */
docket_status docket__probe_prefix(const docket__sqlite *self, char prefix[40], docket_error *error);

#endif
