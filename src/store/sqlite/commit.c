#include "store/sqlite/inside.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/record.h"

#include <string.h>

/* ---- Write transactions ---- */

/* Outside a transaction only. */
static docket_status set_flush(docket__sqlite *self, bool flush, docket_error *error)
{
    if (self->options.durability == DOCKET_DURABILITY_FULL || flush == self->flushes) {
        return DOCKET_OK;
    }
    int code = sqlite3_exec(self->writer->db, flush ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return docket__connection_fail(self->writer, code, "choosing when to flush", error);
    }
    self->flushes = flush;
    return DOCKET_OK;
}

/* `flush`: durable against power loss, however the store was opened. */
static docket_status begin_write(docket__sqlite *self, bool flush, docket_error *error)
{
    docket_status status = docket__side_take(&self->side, self->options.busy_timeout_ms, 0, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__sqlite_check_file(self, error);
    if (status == DOCKET_OK) {
        docket__log_keep_small(self);
        status = set_flush(self, flush, error);
    }
    if (status == DOCKET_OK) {
        status = docket__connection_run(self->writer, DOCKET__SQL_BEGIN, error);
    }
    if (status == DOCKET_OK) {
        status = docket__ids_refresh(self, error);
        if (status != DOCKET_OK) {
            return docket__sqlite_end_write(self, status, error);
        }
        return DOCKET_OK;
    }
    docket__side_give(&self->side);
    return status;
}

docket_status docket__sqlite_begin_write(docket__sqlite *self, docket_error *error)
{
    return begin_write(self, false, error);
}

docket_status docket__sqlite_end_write(docket__sqlite *self, docket_status status, docket_error *error)
{
    if (status == DOCKET_OK) {
        status = docket__connection_run(self->writer, DOCKET__SQL_COMMIT, error);
    }
    if (status != DOCKET_OK) {
        /* What SQLite has rolled back by itself already makes this one fail, which is what is wanted. */
        docket_error ignored;
        if (!sqlite3_get_autocommit(self->writer->db)) {
            docket__connection_run(self->writer, DOCKET__SQL_ROLLBACK, &ignored);
        }
        docket__ids_clear(&self->ids);
        docket__connection_forget_names(self->writer);
    }
    docket__side_give(&self->side);
    docket__log_tell(self);
    return status;
}

/* ---- One commit ---- */

typedef struct row_ids {
    int64_t execution, step, type;
} row_ids;

static bool is_failure(const docket_commit *commit)
{
    return commit->kind == DOCKET_COMMIT_FAILURE;
}

static docket_status find_ids(docket__sqlite *self, const docket_commit *commit, row_ids *ids, docket_error *error)
{
    docket_status status = docket__ids_execution(self, commit->record->execution_id, &ids->execution, error);
    if (status == DOCKET_OK) {
        status = docket__ids_step(self, commit->record->step, &ids->step, error);
    }
    if (status == DOCKET_OK) {
        status = docket__ids_type(self, commit->record, commit->schema, &ids->type, error);
    }
    return status;
}

static void bind_common(sqlite3_stmt *insert, const docket_record *record, const row_ids *ids, int64_t now_ms)
{
    sqlite3_bind_blob(insert, DOCKET__INSERT_KEY, record->key.bytes, sizeof record->key.bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, DOCKET__INSERT_EXECUTION, ids->execution);
    sqlite3_bind_int64(insert, DOCKET__INSERT_STEP, ids->step);
    sqlite3_bind_int64(insert, DOCKET__INSERT_TYPE, ids->type);
    sqlite3_bind_int64(insert, DOCKET__INSERT_FORMAT, record->format);
    sqlite3_bind_int64(insert, DOCKET__INSERT_CODEC, record->codec);
    sqlite3_bind_int64(insert, DOCKET__INSERT_SCOPE, record->scope);
    sqlite3_bind_int64(insert, DOCKET__INSERT_STEP_VERSION, record->step_version);
    sqlite3_bind_int64(insert, DOCKET__INSERT_ATTEMPTS, record->attempts);
    sqlite3_bind_int64(insert, DOCKET__INSERT_CREATED, now_ms);
    sqlite3_bind_int64(insert, DOCKET__INSERT_DURATION, record->duration_ms);
    sqlite3_bind_blob64(insert, DOCKET__INSERT_INPUTS,
                        record->input_count > 0 ? (const void *)record->input_digests : "",
                        record->input_count * 32, SQLITE_STATIC);
    sqlite3_bind_null(insert, DOCKET__INSERT_SLOT);
}

static void bind_record(sqlite3_stmt *insert, const docket_record *record, int64_t now_ms)
{
    sqlite3_bind_int64(insert, DOCKET__INSERT_KIND, record->kind);
    sqlite3_bind_int64(insert, DOCKET__INSERT_EXPIRES, docket__expiry_ms(now_ms, record->ttl_ms));
    sqlite3_bind_int64(insert, DOCKET__INSERT_SIZE, (int64_t)record->value.size);
    sqlite3_bind_null(insert, DOCKET__INSERT_STATUS);
    sqlite3_bind_null(insert, DOCKET__INSERT_CODE);
    sqlite3_bind_blob(insert, DOCKET__INSERT_CHECKSUM, record->checksum, sizeof record->checksum, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, DOCKET__INSERT_VALUE,
                        record->value.size > 0 ? (const void *)record->value.data : "", record->value.size,
                        SQLITE_STATIC);
}

static void bind_failure(sqlite3_stmt *insert, const docket_error *failure)
{
    sqlite3_bind_int64(insert, DOCKET__INSERT_KIND, DOCKET_CHECKPOINT_FAILURE);
    sqlite3_bind_int64(insert, DOCKET__INSERT_EXPIRES, 0);
    sqlite3_bind_int64(insert, DOCKET__INSERT_SIZE, 0);
    sqlite3_bind_int64(insert, DOCKET__INSERT_STATUS, failure->status);
    sqlite3_bind_int64(insert, DOCKET__INSERT_CODE, failure->code);
    sqlite3_bind_null(insert, DOCKET__INSERT_CHECKSUM);
    sqlite3_bind_text(insert, DOCKET__INSERT_VALUE, failure->message, -1, SQLITE_STATIC);
}

/* `*inserted` is false if there is a row with this key already. */
static docket_status insert_row(docket__sqlite *self, const docket_commit *commit, const row_ids *ids,
                                int64_t now_ms, bool *inserted, docket_error *error)
{
    sqlite3_stmt *insert = docket__connection_statement(self->writer, DOCKET__SQL_INSERT, error);
    if (insert == NULL) {
        return error->status;
    }
    bind_common(insert, commit->record, ids, now_ms);
    if (is_failure(commit)) {
        bind_failure(insert, commit->failure);
    } else {
        bind_record(insert, commit->record, now_ms);
        if (commit->intent != NULL) {
            sqlite3_bind_blob(insert, DOCKET__INSERT_SLOT, commit->intent->slot, sizeof commit->intent->slot,
                              SQLITE_STATIC);
        }
    }
    docket_status status = docket__connection_finish(self->writer, insert, "recording a checkpoint", error);
    *inserted = status == DOCKET_OK && sqlite3_changes(self->writer->db) == 1;
    return *inserted ? docket__sqlite_note_files(self, commit, error) : status;
}

static docket_status delete_row(docket__sqlite *self, int64_t id, docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(self->writer, DOCKET__SQL_DELETE, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(statement, 1, id);
    docket_status status = docket__connection_finish(self->writer, statement, "removing a checkpoint", error);
    return status == DOCKET_OK ? docket__sqlite_drop_files(self, id, NULL, error) : status;
}

/* Looks at the row that is in the way. `*id` is 0 if it stays: it lives, and is copied into commit->existing unless the
 * commit is a failure. */
static docket_status judge_row(docket__sqlite *self, docket_commit *commit, int64_t now_ms, int64_t *id,
                               docket_error *error)
{
    sqlite3_stmt *row;
    docket_record borrowed;
    docket_address address = docket__record_address(commit->record);
    *id = 0;
    docket_status status = docket__connection_find(self->writer, &address, &row, error);
    if (status == DOCKET_OK && row == NULL) {
        status =
            docket__connection_fail(self->writer, SQLITE_CORRUPT, "looking for the record that is there", error);
    } else if (status == DOCKET_OK) {
        bool lives = sqlite3_column_int(row, DOCKET__COLUMN_KIND) != DOCKET_CHECKPOINT_FAILURE &&
                     !docket__is_expired(sqlite3_column_int64(row, DOCKET__COLUMN_EXPIRES), now_ms);
        if (!lives || (commit->replace && !is_failure(commit))) {
            *id = sqlite3_column_int64(row, DOCKET__COLUMN_ID);
        } else if (!is_failure(commit)) {
            status = docket__connection_record(self->writer, row, &borrowed, error);
            commit->existing = status == DOCKET_OK ? docket_record_copy(&borrowed) : NULL;
            if (status == DOCKET_OK && commit->existing == NULL) {
                status = docket__error_no_memory(error);
            }
        }
    }
    if (row != NULL) {
        sqlite3_reset(row);
    }
    return status;
}

static docket_status put_row(docket__sqlite *self, docket_commit *commit, int64_t now_ms, docket_error *error)
{
    row_ids ids;
    int64_t in_the_way = 0;
    bool inserted = false;
    docket_status status = find_ids(self, commit, &ids, error);
    if (status == DOCKET_OK) {
        status = insert_row(self, commit, &ids, now_ms, &inserted, error);
    }
    if (status != DOCKET_OK || inserted) {
        return status;
    }
    status = judge_row(self, commit, now_ms, &in_the_way, error);
    if (status == DOCKET_OK && in_the_way != 0) {
        status = delete_row(self, in_the_way, error);
        if (status == DOCKET_OK) {
            status = insert_row(self, commit, &ids, now_ms, &inserted, error);
        }
    }
    return status;
}

/* The intent of an effect is gone: this very commit may have been applied before, and its answer lost. Then all is
 * well; else somebody else has settled the effect. */
static docket_status judge_late(docket__sqlite *self, docket_commit *commit, docket_error *error)
{
    sqlite3_stmt *row;
    docket_address address = docket__record_address(commit->record);
    docket_status status = docket__connection_find(self->writer, &address, &row, error);
    commit->status = DOCKET_CLAIM_LOST;
    if (status == DOCKET_OK && row != NULL) {
        const void *checksum = sqlite3_column_blob(row, DOCKET__COLUMN_CHECKSUM);
        if (checksum != NULL && sqlite3_column_bytes(row, DOCKET__COLUMN_CHECKSUM) == 16 &&
            memcmp(checksum, commit->record->checksum, 16) == 0) {
            commit->status = DOCKET_OK;
        }
    }
    if (row != NULL) {
        sqlite3_reset(row);
    }
    return status;
}

static docket_status commit_record(docket__sqlite *self, docket_commit *commit, int64_t now_ms, docket_error *error)
{
    bool removed = true;
    docket_status status = DOCKET_OK;
    if (commit->intent != NULL) {
        status = docket__sqlite_remove_intent(self, commit->intent, &removed, error);
        if (status == DOCKET_OK && !removed && !is_failure(commit)) {
            return judge_late(self, commit, error);
        }
    }
    if (status == DOCKET_OK) {
        status = put_row(self, commit, now_ms, error);
    }
    if (status == DOCKET_OK && !is_failure(commit)) {
        status = docket__sqlite_clear_crashes(self, &commit->record->key, error);
    }
    return status;
}

docket_status docket__sqlite_commit_one(docket__sqlite *self, docket_commit *commit, int64_t now_ms,
                                        docket_error *error)
{
    bool ignored;
    commit->status = DOCKET_OK;
    switch (commit->kind) {
    case DOCKET_COMMIT_RECORD:
    case DOCKET_COMMIT_FAILURE:
        return commit_record(self, commit, now_ms, error);
    case DOCKET_COMMIT_INTENT:
        return docket__sqlite_commit_intent(self, commit, now_ms, error);
    case DOCKET_COMMIT_INTENT_REMOVED:
        return docket__sqlite_remove_intent(self, commit->intent, &ignored, error);
    case DOCKET_COMMIT_IN_DOUBT:
        return docket__sqlite_commit_doubt(self, commit, error);
    case DOCKET_COMMIT_CRASH:
        return docket__sqlite_commit_crash(self, commit, now_ms, error);
    case DOCKET_COMMIT_FORGET:
        return docket__sqlite_commit_forget(self, commit, error);
    }
    commit->status = DOCKET_UNSUPPORTED;
    return DOCKET_OK;
}

/* An intent must survive power loss whatever the store was opened for: a step that is entered and forgotten would be
 * entered again. Its flush takes along all that was committed before. */
static bool needs_flush(const docket__sqlite *self, docket_commit *const *commits, size_t count)
{
    bool needed = false;
    for (size_t i = 0; i < count && self->options.durability != DOCKET_DURABILITY_FULL; i++) {
        needed = needed || commits[i]->kind == DOCKET_COMMIT_INTENT;
    }
    return needed;
}

docket_status docket__sqlite_commit(void *handle, docket_commit *const *commits, size_t count, docket_error *error)
{
    docket__sqlite *self = handle;
    docket_status status = begin_write(self, needs_flush(self, commits, count), error);
    if (status != DOCKET_OK) {
        return status;
    }
    int64_t now_ms = docket__wall_now_ms(&self->wall);
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        status = docket__sqlite_commit_one(self, commits[i], now_ms, error);
    }
    if (status == DOCKET_OK) {
        status = docket__sqlite_delete_stale(self, error);
    }
    return docket__sqlite_end_write(self, status, error);
}

/* ---- Rows that a look-up found expired ---- */

void docket__sqlite_note_stale(docket__sqlite *self, int64_t id)
{
    if (self->options.read_only) {
        return;
    }
    pthread_mutex_lock(&self->stale_lock);
    if (self->stale_count < DOCKET__STALE_ROWS) {
        self->stale[self->stale_count++] = id;
    }
    pthread_mutex_unlock(&self->stale_lock);
}

docket_status docket__sqlite_delete_stale(docket__sqlite *self, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int64_t ids[DOCKET__STALE_ROWS];
    pthread_mutex_lock(&self->stale_lock);
    size_t count = self->stale_count;
    memcpy(ids, self->stale, count * sizeof ids[0]);
    self->stale_count = 0;
    pthread_mutex_unlock(&self->stale_lock);
    int64_t now_ms = count > 0 ? docket__wall_now_ms(&self->wall) : 0;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        sqlite3_stmt *statement = docket__connection_statement(self->writer, DOCKET__SQL_DELETE_IF_EXPIRED, error);
        if (statement == NULL) {
            return error->status;
        }
        sqlite3_bind_int64(statement, 1, ids[i]);
        sqlite3_bind_int64(statement, 2, now_ms);
        status = docket__connection_finish(self->writer, statement, "removing an expired checkpoint", error);
        if (status == DOCKET_OK && sqlite3_changes(self->writer->db) > 0) {
            status = docket__sqlite_drop_files(self, ids[i], NULL, error);
        }
    }
    return status;
}
