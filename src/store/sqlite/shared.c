/* docket_sqlite_begin and docket_sqlite_end: the application's own connection under docket's commit lock. */
#include "base/error.h"
#include "store/handle.h"
#include "store/sqlite/inside.h"

#include <docket/sqlite.h>
#include <sys/stat.h>

static docket__sqlite *sqlite_of(docket_store *store)
{
    return store->backend == &docket__sqlite_backend ? store->self : NULL;
}

static docket_status check_call(docket_store *store, sqlite3 *db, docket_error *error)
{
    docket_status status = docket__store_check_writable(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (db == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the connection is NULL");
    }
    if (sqlite_of(store) == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the store %s is not an SQLite store", store->name);
    }
    return DOCKET_OK;
}

static docket_status check_connection(const docket__sqlite *self, sqlite3 *db, docket_error *error)
{
    struct stat file;
    const char *name = sqlite3_db_filename(db, "main");
    if (name == NULL || name[0] == '\0' || stat(name, &file) != 0 || file.st_dev != self->file.st_dev ||
        file.st_ino != self->file.st_ino) {
        return docket__error_set(error, DOCKET_INVALID, "the connection's main database is \"%s\", the store is %s",
                                 name != NULL ? name : "", self->url);
    }
    if (!sqlite3_get_autocommit(db)) {
        return docket__error_set(error, DOCKET_INVALID, "the connection is inside a transaction already");
    }
    return DOCKET_OK;
}

static docket_status fail_statement(sqlite3 *db, const char *what, int code, docket_error *error)
{
    docket__error_set(error, DOCKET_STORE, "%s: %s (SQLite %d)", what, sqlite3_errmsg(db), code);
    if (error != NULL) {
        error->code = code;
        error->transient = (code & 0xff) == SQLITE_BUSY;
    }
    return DOCKET_STORE;
}

docket_status docket_sqlite_begin(docket_store *store, struct sqlite3 *db, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    error = error != NULL ? error : &own;
    docket_status status = check_call(store, db, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__sqlite *self = sqlite_of(store);
    status = check_connection(self, db, error);
    if (status == DOCKET_OK) {
        status = docket__side_take(&self->side, self->options.busy_timeout_ms, 0, error);
        error->transient = error->transient != 0;
    }
    if (status != DOCKET_OK) {
        return status;
    }
    /* The lock keeps docket out; other programs' transactions are waited for as the connection is set to. */
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        status = fail_statement(db, "BEGIN IMMEDIATE", code, error);
        docket__side_give(&self->side);
        return status;
    }
    self->visitor = db;
    docket__error_clear(error);
    return DOCKET_OK;
}

static docket_status commit_visit(sqlite3 *db, docket_error *error)
{
    if (sqlite3_get_autocommit(db)) {
        return docket__error_set(error, DOCKET_STORE,
                                 "the transaction was ended, or rolled back by SQLite, before");
    }
    int code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code == SQLITE_OK ? DOCKET_OK : fail_statement(db, "COMMIT", code, error);
}

docket_status docket_sqlite_end(docket_store *store, struct sqlite3 *db, bool commit, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    error = error != NULL ? error : &own;
    docket_status status = check_call(store, db, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__sqlite *self = sqlite_of(store);
    if (self->visitor != db) {
        return docket__error_set(error, DOCKET_INVALID, "docket_sqlite_begin was not called with this connection");
    }
    self->visitor = NULL;
    docket__error_clear(error);
    status = commit ? commit_visit(db, error) : DOCKET_OK;
    if (!sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    docket__side_give(&self->side);
    return status;
}
