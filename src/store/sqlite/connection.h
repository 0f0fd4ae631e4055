/* Connections to the database: opening them the one right way, their prepared statements, the names they have seen, and
 * what SQLite's result codes mean. A connection belongs to one thread at a time (SQLITE_OPEN_NOMUTEX) unless it serves the
 * program. */
#ifndef DOCKET_STORE_SQLITE_CONNECTION_H
#define DOCKET_STORE_SQLITE_CONNECTION_H

#include "store/sqlite/statements.h"

#include <docket/backend.h>
#include <sqlite3.h>

enum { DOCKET__NAME_SLOTS = 64 };

/* A name that an id stands for; ids never change their meaning. */
typedef struct docket__name_slot {
    int64_t id; /* 0 = empty */
    char *name;
    uint8_t fingerprint[32]; /* of types */
} docket__name_slot;

typedef struct docket__connection {
    sqlite3 *db;
    const char *prefix; /* borrowed */
    const char *url;    /* borrowed; for messages */
    const char *folder; /* borrowed; asked for room when SQLite says I/O error */
    int64_t busy_timeout_ms;
    bool is_impatient;     /* answer SQLITE_BUSY at once */
    bool serves_program;   /* its SQL is the program's too, from any thread: triggers and views are as SQLite has them */
    int64_t busy_since_ns; /* real time; when the wait under way began */
    sqlite3_stmt *statements[DOCKET__SQL_COUNT];
    docket__name_slot executions[DOCKET__NAME_SLOTS];
    docket__name_slot steps[DOCKET__NAME_SLOTS];
    docket__name_slot types[DOCKET__NAME_SLOTS];
    docket__name_slot execution_ids[DOCKET__NAME_SLOTS]; /* these two by the hash of the name */
    docket__name_slot step_ids[DOCKET__NAME_SLOTS];
    struct docket__connection *next; /* in the pool */
} docket__connection;

/* Opens a connection: no links followed, no checkpoint of its own, ever. `file` is the absolute path. The connection
 * must be zero; `prefix`, `url`, `folder`, `busy_timeout_ms` and `serves_program` set. On failure nothing is left open. */
docket_status docket__connection_open(docket__connection *connection, const char *file, int flags,
                                      docket_error *error);
void docket__connection_close(docket__connection *connection);

/* Drops the names that it remembers: after a rollback their ids may become other names'. */
void docket__connection_forget_names(docket__connection *connection);

/* The prepared statement, reset. NULL: the error tells why. */
sqlite3_stmt *docket__connection_statement(docket__connection *connection, docket__sql which, docket_error *error);

/* Prepares any other text, with `@` for the prefix; finalize it. NULL: the error tells why. */
sqlite3_stmt *docket__connection_prepare(docket__connection *connection, const char *text, docket_error *error);

/* Runs a prepared statement that gives no rows. */
docket_status docket__connection_run(docket__connection *connection, docket__sql which, docket_error *error);

/* Steps and resets; DOCKET_OK after SQLITE_DONE. `what` says what was attempted, for the message. */
docket_status docket__connection_finish(docket__connection *connection, sqlite3_stmt *statement, const char *what,
                                        docket_error *error);

/* Turns the result code of the last call into a status and a message. */
docket_status docket__connection_fail(docket__connection *connection, int code, const char *what,
                                      docket_error *error);

/* Goes to the row at an address: reset `*row` when done with it. NULL if there is none. */
docket_status docket__connection_find(docket__connection *connection, const docket_address *address,
                                      sqlite3_stmt **row, docket_error *error);

/* Fills a record from a row with the columns of DOCKET__SQL_LOOKUP_.... Its texts belong to the connection, its bytes to the
 * row: copy it before anything else happens. */
docket_status docket__connection_record(docket__connection *connection, sqlite3_stmt *row, docket_record *record,
                                        docket_error *error);

#endif
