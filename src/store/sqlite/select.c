/* Listing, forgetting and purging: the statements that a filter makes. Ids are walked in windows, so that neither a
 * read transaction nor the commit lock lasts as long as the table is large. */
#include "store/sqlite/inside.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum { WINDOW = 20000 };

/* Parameters: ?1 and ?2 the window of ids, ?3 the limit, ?4 and on the filter's. */
static docket_status add_conditions(docket_buffer *text, const docket_checkpoint_filter *filter)
{
    const struct {
        bool is_set;
        const char *condition;
    } conditions[] = {
        {filter->step != NULL, " AND step = (SELECT id FROM @step WHERE name = ?5)"},
        {filter->key != NULL,
         " AND id = (SELECT id FROM @checkpoint INDEXED BY @checkpoint_execution WHERE key = ?6)"},
        {filter->older_than_ms > 0, " AND created <= ?7"},
        {!filter->failures, " AND kind <> 3"},
        {!filter->expired, " AND (expires = 0 OR expires > ?8)"},
    };
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (conditions[i].is_set) {
            docket__buffer_append(text, conditions[i].condition, strlen(conditions[i].condition));
        }
    }
    return text->failed ? DOCKET_NO_MEMORY : DOCKET_OK;
}

static void bind_filter(sqlite3_stmt *statement, const docket_checkpoint_filter *filter, int64_t now_ms)
{
    if (filter->execution_id != NULL) {
        sqlite3_bind_text(statement, 4, filter->execution_id, -1, SQLITE_STATIC);
    }
    if (filter->step != NULL) {
        sqlite3_bind_text(statement, 5, filter->step, -1, SQLITE_STATIC);
    }
    if (filter->key != NULL) {
        sqlite3_bind_blob(statement, 6, filter->key, 32, SQLITE_STATIC);
    }
    if (filter->older_than_ms > 0) {
        sqlite3_bind_int64(statement, 7, now_ms - filter->older_than_ms);
    }
    if (!filter->expired) {
        sqlite3_bind_int64(statement, 8, now_ms);
    }
}

static sqlite3_stmt *prepare_filtered(docket__connection *connection, const docket_checkpoint_filter *filter,
                                      const char *begin, const char *end, int64_t now_ms, docket_error *error)
{
    docket_buffer text = {.data = NULL};
    sqlite3_stmt *statement = NULL;
    docket__buffer_append(&text, begin, strlen(begin));
    add_conditions(&text, filter);
    if (docket__buffer_append(&text, end, strlen(end) + 1) == DOCKET_OK) {
        statement = docket__connection_prepare(connection, (const char *)text.data, error);
    } else {
        docket__error_no_memory(error);
    }
    docket__buffer_release(&text);
    if (statement != NULL) {
        bind_filter(statement, filter, now_ms);
    }
    return statement;
}

/* True if an index leads to the few rows that can match. */
static bool has_index(const docket_checkpoint_filter *filter)
{
    return filter->execution_id != NULL || filter->key != NULL;
}

static docket_status last_id(docket__connection *connection, int64_t *id, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_statement(connection, DOCKET__SQL_LAST_ID, error);
    if (row == NULL) {
        return error->status;
    }
    int code = sqlite3_step(row);
    docket_status status =
        code == SQLITE_ROW ? DOCKET_OK : docket__connection_fail(connection, code, "reading the last id", error);
    *id = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_reset(row);
    return status;
}

static int64_t end_of_window(const docket_checkpoint_filter *filter, int64_t position, int64_t last)
{
    return has_index(filter) || last - position <= WINDOW ? last : position + WINDOW;
}

/* ---- Listing ---- */

static const char *take_text(sqlite3_stmt *row, int column, docket_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return docket__arena_duplicate(arena, text != NULL ? text : "");
}

static void take_bytes(sqlite3_stmt *row, int column, uint8_t *out, size_t size)
{
    const void *bytes = sqlite3_column_blob(row, column);
    if (bytes != NULL && (size_t)sqlite3_column_bytes(row, column) == size) {
        memcpy(out, bytes, size);
    }
}

static void describe(sqlite3_stmt *row, docket_checkpoint *out, docket_arena *arena)
{
    *out = (docket_checkpoint){
        .struct_size = sizeof *out,
        .kind = (docket_checkpoint_kind)sqlite3_column_int(row, 2),
        .execution_id = take_text(row, 3, arena),
        .step = take_text(row, 4, arena),
        .type = take_text(row, 5, arena),
        .step_version = (uint32_t)sqlite3_column_int64(row, 7),
        .scope = (docket_scope)sqlite3_column_int(row, 8),
        .created_ms = sqlite3_column_int64(row, 10),
        .expires_ms = sqlite3_column_int64(row, 11),
        .duration_ms = sqlite3_column_int64(row, 12),
        .attempts = sqlite3_column_int(row, 13),
        .size_bytes = (size_t)sqlite3_column_int64(row, 14),
    };
    take_bytes(row, 1, out->key, sizeof out->key);
    take_bytes(row, 6, out->fingerprint, sizeof out->fingerprint);
    size_t inputs = (size_t)sqlite3_column_bytes(row, 9) / 32;
    if (inputs > 0) {
        out->input_digests = docket__arena_copy(arena, sqlite3_column_blob(row, 9), inputs * 32);
        out->input_count = inputs;
    }
    if (out->kind == DOCKET_CHECKPOINT_FAILURE) {
        out->status = (docket_status)sqlite3_column_int(row, 15);
        out->code = sqlite3_column_int(row, 16);
        out->message = take_text(row, 17, arena);
    }
}

static docket_status list_window(docket__connection *reader, sqlite3_stmt *row, int64_t *position, int64_t end,
                                 docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                                 docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code;
    sqlite3_bind_int64(row, 1, *position);
    sqlite3_bind_int64(row, 2, end);
    sqlite3_bind_int64(row, 3, (int64_t)(capacity - *count));
    while ((code = sqlite3_step(row)) == SQLITE_ROW && *count < capacity) {
        describe(row, &entries[*count], arena);
        *position = sqlite3_column_int64(row, 0);
        (*count)++;
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        status = docket__connection_fail(reader, code, "listing checkpoints", error);
    } else if (arena->failed) {
        status = docket__error_no_memory(error);
    } else if (*count < capacity) {
        *position = end;
    }
    sqlite3_reset(row);
    return status;
}

static docket_status list_with(docket__sqlite *self, docket__connection *reader,
                               const docket_checkpoint_filter *filter, int64_t *position,
                               docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                               docket_error *error)
{
    int64_t last = 0;
    const char *begin = filter->execution_id != NULL ? docket__sql_list_execution : docket__sql_list;
    docket_status status = last_id(reader, &last, error);
    if (status != DOCKET_OK) {
        return status;
    }
    sqlite3_stmt *row =
        prepare_filtered(reader, filter, begin, docket__sql_list_end, docket__wall_now_ms(&self->wall), error);
    if (row == NULL) {
        return error->status;
    }
    while (status == DOCKET_OK && *count < capacity && *position < last) {
        status = list_window(reader, row, position, end_of_window(filter, *position, last), entries, capacity,
                             count, arena, error);
    }
    sqlite3_finalize(row);
    return status;
}

docket_status docket__sqlite_list(void *handle, const docket_checkpoint_filter *filter, int64_t *position,
                                  docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                                  docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    *count = 0;
    docket_status status = docket__pool_take(self, &reader, error);
    if (status == DOCKET_OK) {
        status = list_with(self, reader, filter, position, entries, capacity, count, arena, error);
        docket__pool_give(self, reader, status);
    }
    return status;
}

/* ---- Removing ---- */

/* Rows to be removed in one transaction, and the executions whose names may go with them. */
typedef struct doomed_rows {
    int64_t *ids, *executions;
    size_t count, most;
    docket_buffer files; /* names of files that they referred to */
} doomed_rows;

static docket_status collect(docket__sqlite *self, sqlite3_stmt *row, doomed_rows *removal, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code;
    while ((code = sqlite3_step(row)) == SQLITE_ROW && removal->count < removal->most) {
        removal->ids[removal->count] = sqlite3_column_int64(row, 0);
        removal->executions[removal->count] = sqlite3_column_int64(row, 1);
        removal->count++;
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        status = docket__connection_fail(self->writer, code, "finding checkpoints to remove", error);
    }
    sqlite3_reset(row);
    return status;
}

static docket_status run_for(docket__sqlite *self, docket__sql which, int64_t id, docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(self->writer, which, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(statement, 1, id);
    return docket__connection_finish(self->writer, statement, "removing a checkpoint", error);
}

static docket_status remove_rows(docket__sqlite *self, doomed_rows *removal, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int64_t before = 0;
    for (size_t i = 0; i < removal->count && status == DOCKET_OK; i++) {
        status = run_for(self, DOCKET__SQL_DELETE, removal->ids[i], error);
        if (status == DOCKET_OK) {
            status = docket__sqlite_drop_files(self, removal->ids[i], &removal->files, error);
        }
    }
    for (size_t i = 0; i < removal->count && status == DOCKET_OK; i++) {
        if (removal->executions[i] != before) {
            before = removal->executions[i];
            status = run_for(self, DOCKET__SQL_DROP_EXECUTION, before, error);
        }
    }
    docket__ids_clear(&self->ids);
    return status;
}

static docket_status begin_removal(docket__sqlite *self, doomed_rows *removal, uint64_t most, docket_error *error)
{
    *removal = (struct doomed_rows){.most = (size_t)most};
    removal->ids = docket__allocate_array(removal->most, sizeof *removal->ids);
    removal->executions = docket__allocate_array(removal->most, sizeof *removal->executions);
    if (removal->ids == NULL || removal->executions == NULL) {
        docket__free(removal->ids);
        docket__free(removal->executions);
        return docket__error_no_memory(error);
    }
    docket_status status = docket__sqlite_begin_write(self, error);
    if (status != DOCKET_OK) {
        docket__free(removal->ids);
        docket__free(removal->executions);
    }
    return status;
}

static docket_status end_removal(docket__sqlite *self, doomed_rows *removal, docket_status status, uint64_t *count,
                                 docket_error *error)
{
    if (status == DOCKET_OK) {
        status = remove_rows(self, removal, error);
    }
    status = docket__sqlite_end_write(self, status, error);
    *count = status == DOCKET_OK ? removal->count : 0;
    if (status == DOCKET_OK) {
        status = docket__sqlite_discard_files(self, docket_buffer_bytes(&removal->files), error);
    }
    docket__buffer_release(&removal->files);
    docket__free(removal->ids);
    docket__free(removal->executions);
    return status;
}

static docket_status find_filtered(docket__sqlite *self, const docket_checkpoint_filter *filter, int64_t *position,
                                   doomed_rows *removal, docket_error *error)
{
    int64_t last = 0;
    const char *begin = filter->execution_id != NULL ? docket__sql_find_execution : docket__sql_find;
    docket_status status = last_id(self->writer, &last, error);
    if (status != DOCKET_OK) {
        return status;
    }
    /* Sorting what an index gives would cost more with every batch; there the first rows are as good as any. */
    const char *tail = has_index(filter) ? " LIMIT ?3" : " ORDER BY id LIMIT ?3";
    sqlite3_stmt *row =
        prepare_filtered(self->writer, filter, begin, tail, docket__wall_now_ms(&self->wall), error);
    if (row == NULL) {
        return error->status;
    }
    int64_t end = end_of_window(filter, *position, last);
    sqlite3_bind_int64(row, 1, *position);
    sqlite3_bind_int64(row, 2, end);
    sqlite3_bind_int64(row, 3, (int64_t)removal->most);
    status = collect(self, row, removal, error);
    sqlite3_finalize(row);
    if (removal->count == removal->most) {
        *position = has_index(filter) ? *position : removal->ids[removal->count - 1];
    } else {
        *position = end >= last ? INT64_MAX : end;
    }
    return status;
}

docket_status docket__sqlite_forget(void *handle, const docket_checkpoint_filter *filter, int64_t *position,
                                    uint64_t most, uint64_t *count, docket_error *error)
{
    docket__sqlite *self = handle;
    doomed_rows removal;
    int64_t next = *position;
    *count = 0;
    docket_status status = begin_removal(self, &removal, most, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = find_filtered(self, filter, &next, &removal, error);
    status = end_removal(self, &removal, status, count, error);
    if (status == DOCKET_OK) {
        *position = next;
    }
    return status;
}

docket_status docket__sqlite_purge(void *handle, uint64_t most, uint64_t *count, docket_error *error)
{
    docket__sqlite *self = handle;
    doomed_rows removal;
    *count = 0;
    docket_status status = begin_removal(self, &removal, most, error);
    if (status != DOCKET_OK) {
        return status;
    }
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_EXPIRED, error);
    if (row == NULL) {
        status = error->status;
    } else {
        sqlite3_bind_int64(row, 1, docket__wall_now_ms(&self->wall));
        sqlite3_bind_int64(row, 2, (int64_t)removal.most);
        status = collect(self, row, &removal, error);
    }
    return end_removal(self, &removal, status, count, error);
}
