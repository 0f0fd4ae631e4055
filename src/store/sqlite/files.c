/* Which records refer to which files of the depot, and what follows from it. */
#include "store/sqlite/inside.h"

#include "base/buffer.h"
#include "base/error.h"

#include <string.h>

docket_status docket__sqlite_note_files(docket__sqlite *self, const docket_commit *commit, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int64_t id = commit->file_count > 0 ? sqlite3_last_insert_rowid(self->writer->db) : 0;
    for (size_t i = 0; i < commit->file_count && status == DOCKET_OK; i++) {
        sqlite3_stmt *insert = docket__connection_statement(self->writer, DOCKET__SQL_ADD_FILE, error);
        if (insert == NULL) {
            return error->status;
        }
        sqlite3_bind_int64(insert, 1, id);
        sqlite3_bind_text(insert, 2, commit->files[i], -1, SQLITE_STATIC);
        status = docket__connection_finish(self->writer, insert, "recording a checkpoint's files", error);
    }
    return status;
}

static docket_status list_files(docket__sqlite *self, int64_t id, docket_buffer *names, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code;
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_FILES, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(row, 1, id);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && status == DOCKET_OK) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        if (name == NULL || docket__buffer_append(names, name, strlen(name) + 1) != DOCKET_OK) {
            status = docket__error_no_memory(error);
        }
    }
    if (status == DOCKET_OK && code != SQLITE_DONE) {
        status = docket__connection_fail(self->writer, code, "finding a checkpoint's files", error);
    }
    sqlite3_reset(row);
    return status;
}

docket_status docket__sqlite_drop_files(docket__sqlite *self, int64_t id, docket_buffer *names, docket_error *error)
{
    docket_status status = names != NULL ? list_files(self, id, names, error) : DOCKET_OK;
    sqlite3_stmt *statement =
        status == DOCKET_OK ? docket__connection_statement(self->writer, DOCKET__SQL_DROP_FILES, error) : NULL;
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(statement, 1, id);
    return docket__connection_finish(self->writer, statement, "removing a checkpoint's files", error);
}

/* ---- What the depot asks ---- */

static bool lives(void *arg, uint64_t owner)
{
    docket__sqlite *self = arg;
    return owner == self->depot->owner || docket__side_is_signed(&self->side, owner);
}

static docket_status ask_reference(docket__connection *reader, const char *name, bool *refers, docket_error *error)
{
    docket_status status = DOCKET_OK;
    sqlite3_stmt *row = docket__connection_statement(reader, DOCKET__SQL_REFERS, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        status = docket__connection_fail(reader, code, "looking for a file's records", error);
    }
    *refers = code != SQLITE_DONE;
    sqlite3_reset(row);
    return status;
}

/* In a read transaction of its own: what was committed before the question is seen. */
static docket_status refers_to(void *arg, const char *name, bool *refers, docket_error *error)
{
    docket__connection *reader = NULL;
    docket_status status = docket__pool_take(arg, &reader, error);
    if (status == DOCKET_OK) {
        status = ask_reference(reader, name, refers, error);
        docket__pool_give(arg, reader, status);
    }
    return status;
}

docket_status docket__sqlite_discard_files(docket__sqlite *self, docket_bytes names, docket_error *error)
{
    const docket__witness witness = {lives, refers_to, self};
    return docket__depot_discard(self->depot, &witness, names, error);
}

docket_status docket__sqlite_sweep(void *handle, docket_error *error)
{
    docket__sqlite *self = handle;
    const docket__witness witness = {lives, refers_to, self};
    return docket__depot_sweep(self->depot, &witness, error);
}
