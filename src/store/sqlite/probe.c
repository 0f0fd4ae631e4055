#include "store/sqlite/probe.h"

#include "base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the names of a file's tables tell. */
typedef struct table_inventory {
    bool has_meta;   /* docket's, under the store's prefix */
    bool has_docket; /* another of docket's tables, under the store's prefix */
    bool has_others;
    char other[64]; /* one of the others, for the message */
} table_inventory;

static void note_table(const docket__sqlite *self, const char *name, table_inventory *inventory)
{
    static const char *const tables[] = {"checkpoint", "crash", "execution", "file", "intent", "step", "type"};
    size_t length = strlen(self->prefix);
    bool has_prefix = strncmp(name, self->prefix, length) == 0;
    if (has_prefix && strcmp(name + length, "meta") == 0) {
        inventory->has_meta = true;
        return;
    }
    for (size_t i = 0; has_prefix && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(name + length, tables[i]) == 0) {
            inventory->has_docket = true;
            return;
        }
    }
    inventory->has_others = true;
    snprintf(inventory->other, sizeof inventory->other, "%.48s", name);
}

static docket_status take_inventory(const docket__sqlite *self, docket__connection *connection,
                                    table_inventory *inventory, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code;
    *inventory = (struct table_inventory){.has_meta = false};
    sqlite3_stmt *row = docket__connection_prepare(connection, docket__sql_tables, error);
    if (row == NULL) {
        return error->status;
    }
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        note_table(self, name != NULL ? name : "", inventory);
    }
    if (code != SQLITE_DONE) {
        status = docket__connection_fail(connection, code, "reading the list of tables", error);
    }
    sqlite3_finalize(row);
    return status;
}

static docket_status judge_format(const docket__sqlite *self, sqlite3_stmt *row, int code, docket_error *error)
{
    if (code == SQLITE_DONE) {
        return docket__error_set(error, DOCKET_CORRUPT, "%s: the table %smeta holds no format number", self->url,
                                 self->prefix);
    }
    if (sqlite3_column_type(row, 0) != SQLITE_INTEGER || sqlite3_column_int64(row, 0) < 1) {
        const char *text = (const char *)sqlite3_column_text(row, 0);
        return docket__error_set(error, DOCKET_CORRUPT, "%s: the format number in %smeta is \"%.32s\", expected %d",
                                 self->url, self->prefix, text != NULL ? text : "", DOCKET__SQLITE_FORMAT);
    }
    if (sqlite3_column_int64(row, 0) > DOCKET__SQLITE_FORMAT) {
        return docket__error_set(
            error, DOCKET_SCHEMA_NEWER, "%s has format %lld, and docket %s reads up to %d: use a newer docket",
            self->url, (long long)sqlite3_column_int64(row, 0), DOCKET_VERSION_STRING, DOCKET__SQLITE_FORMAT);
    }
    return DOCKET_OK;
}

static docket_status check_format(const docket__sqlite *self, docket__connection *connection, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_prepare(connection, docket__sql_format, error);
    if (row == NULL) {
        return (error->code & 0xff) == SQLITE_ERROR
                   ? docket__error_set(error, DOCKET_CORRUPT, "%s: the table %smeta is not docket's", self->url,
                                       self->prefix)
                   : error->status;
    }
    int code = sqlite3_step(row);
    docket_status status = code == SQLITE_ROW || code == SQLITE_DONE
                               ? judge_format(self, row, code, error)
                               : docket__connection_fail(connection, code, "reading the format number", error);
    sqlite3_finalize(row);
    return status;
}

static docket_status check_unmarked(const docket__sqlite *self, docket__connection *connection, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_prepare(connection, docket__sql_marks, error);
    if (row == NULL) {
        return error->status;
    }
    docket_status status = DOCKET_OK;
    int code = sqlite3_step(row);
    if (code != SQLITE_ROW) {
        status = docket__connection_fail(connection, code, "reading the database's marks", error);
    } else if (sqlite3_column_int(row, 0) != 0) {
        status = docket__error_set(error, DOCKET_CORRUPT,
                                   "%s is not a docket store: it has no tables, but views, an application_id or a "
                                   "user_version of an application's",
                                   self->url);
    }
    sqlite3_finalize(row);
    return status;
}

static docket_status probe_snapshot(const docket__sqlite *self, docket__connection *connection,
                                    docket__verdict *verdict, docket_error *error)
{
    table_inventory inventory;
    docket_status status = take_inventory(self, connection, &inventory, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (!self->options.shared_database && inventory.has_others) {
        return docket__error_set(error, DOCKET_CORRUPT,
                                 "%s is not a docket store: it holds the table %s (the option shared_database puts "
                                 "docket's tables into an application's database)",
                                 self->url, inventory.other);
    }
    if (inventory.has_meta) {
        *verdict = DOCKET__FILE_READY;
        return check_format(self, connection, error);
    }
    if (inventory.has_docket) {
        return docket__error_set(error, DOCKET_CORRUPT, "%s: there are tables named %s..., but %smeta is missing",
                                 self->url, self->prefix, self->prefix);
    }
    *verdict = DOCKET__FILE_EMPTY;
    return self->options.shared_database ? DOCKET_OK : check_unmarked(self, connection, error);
}

/* All of it in one read transaction: another process may be making the tables just now. */
docket_status docket__probe_connection(const docket__sqlite *self, docket__connection *connection,
                                       docket__verdict *verdict, docket_error *error)
{
    bool begins = sqlite3_get_autocommit(connection->db) != 0;
    int code = begins ? sqlite3_exec(connection->db, "BEGIN", NULL, NULL, NULL) : SQLITE_OK;
    if (code != SQLITE_OK) {
        return docket__connection_fail(connection, code, "beginning to look at the file", error);
    }
    docket_status status = probe_snapshot(self, connection, verdict, error);
    if (begins) {
        sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    }
    return status;
}

static docket_status open_probe(const docket__sqlite *self, docket__connection *connection, docket_error *error)
{
    docket__sqlite_prepare_connection(self, connection);
    return docket__connection_open(connection, self->path.file, SQLITE_OPEN_READONLY, error);
}

docket_status docket__probe_file(const docket__sqlite *self, docket__verdict *verdict, docket_error *error)
{
    docket__connection connection = {.db = NULL};
    docket_status status = open_probe(self, &connection, error);
    if (status == DOCKET_OK) {
        status = docket__probe_connection(self, &connection, verdict, error);
        docket__connection_close(&connection);
    }
    if (status == DOCKET_STORE && (error->code & 0xff) == SQLITE_CANTOPEN &&
        faccessat(AT_FDCWD, self->path.folder, W_OK, AT_EACCESS) != 0) {
        return docket__error_set(
            error, DOCKET_STORE,
            "%s: SQLite cannot read its log, because the folder is read-only and the files %s-wal "
            "and %s-shm are not both there: open the store once where it can be written, or copy "
            "its files to such a folder",
            self->url, strrchr(self->path.file, '/') + 1, strrchr(self->path.file, '/') + 1);
    }
    if (status == DOCKET_STORE && error->code == SQLITE_READONLY_ROLLBACK) {
        /* A rollback journal is left. If the transaction was the first one, nothing is lost by rolling it back. */
        if (docket__path_was_being_made(&self->path) || self->options.shared_database) {
            docket__error_clear(error);
            *verdict = DOCKET__FILE_EMPTY;
            return DOCKET_OK;
        }
        return docket__error_set(
            error, DOCKET_CORRUPT,
            "%s is not a docket store: it has a rollback journal of an interrupted transaction", self->url);
    }
    return status;
}

static docket_status find_prefix(docket__connection *connection, char prefix[40], docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code;
    sqlite3_stmt *row = docket__connection_prepare(connection, docket__sql_tables, error);
    if (row == NULL) {
        return error->status;
    }
    prefix[0] = '\0';
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        size_t length = name != NULL ? strlen(name) : 0;
        if (length > 4 && length < 40 && strcmp(name + length - 4, "meta") == 0) {
            snprintf(prefix, 40, "%.*s", (int)(length - 4), name);
        }
    }
    if (code != SQLITE_DONE) {
        status = docket__connection_fail(connection, code, "reading the list of tables", error);
    }
    sqlite3_finalize(row);
    return status;
}

docket_status docket__probe_prefix(const docket__sqlite *self, char prefix[40], docket_error *error)
{
    docket__connection connection = {.db = NULL};
    docket_status status = open_probe(self, &connection, error);
    if (status == DOCKET_OK) {
        status = find_prefix(&connection, prefix, error);
        docket__connection_close(&connection);
    }
    return status;
}
