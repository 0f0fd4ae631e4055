/* Effects and crashes: what the commits of intents, doubts and dead owners do to the tables, and how they are read. */
#include "store/sqlite/inside.h"

#include "base/arena.h"
#include "base/error.h"
#include "store/record.h"

#include <string.h>

/* ---- Writing: between begin_write and end_write ---- */

static sqlite3_stmt *bind_intent(docket__sqlite *self, docket__sql which, const docket_intent *intent,
                                 docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(self->writer, which, error);
    if (statement != NULL) {
        sqlite3_bind_blob(statement, 1, intent->slot, sizeof intent->slot, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (int64_t)intent->token);
    }
    return statement;
}

static sqlite3_stmt *bind_key(docket__connection *connection, docket__sql which, const docket_key *key,
                              docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(connection, which, error);
    if (statement != NULL) {
        sqlite3_bind_blob(statement, 1, key->bytes, sizeof key->bytes, SQLITE_STATIC);
    }
    return statement;
}

/* The first column of the only row; `*is_there` is false if there is none. */
static docket_status ask_number(docket__connection *connection, sqlite3_stmt *row, const char *what, bool *is_there,
                                int64_t *number, docket_error *error)
{
    int code = sqlite3_step(row);
    *is_there = code == SQLITE_ROW;
    *number = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    docket_status status = code == SQLITE_ROW || code == SQLITE_DONE
                               ? DOCKET_OK
                               : docket__connection_fail(connection, code, what, error);
    sqlite3_reset(row);
    return status;
}

docket_status docket__sqlite_remove_intent(docket__sqlite *self, const docket_intent *intent, bool *removed,
                                           docket_error *error)
{
    sqlite3_stmt *statement = bind_intent(self, DOCKET__SQL_REMOVE_INTENT, intent, error);
    if (statement == NULL) {
        return error->status;
    }
    docket_status status = docket__connection_finish(self->writer, statement, "removing an intent", error);
    *removed = status == DOCKET_OK && sqlite3_changes(self->writer->db) == 1;
    return status;
}

/* Statement: DOCKET__SQL_ADD_INTENT, with slot bound. */
static docket_status insert_intent(docket__sqlite *self, const docket_commit *commit, int64_t step, int64_t type,
                                   int64_t now_ms, docket_error *error)
{
    const docket_record *record = commit->record;
    sqlite3_stmt *insert = docket__connection_statement(self->writer, DOCKET__SQL_ADD_INTENT, error);
    if (insert == NULL) {
        return error->status;
    }
    sqlite3_bind_blob(insert, 1, commit->intent->slot, sizeof commit->intent->slot, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 2, commit->intent->idempotency_key, sizeof commit->intent->idempotency_key,
                      SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, (int64_t)commit->intent->token);
    sqlite3_bind_blob(insert, 4, record->key.bytes, sizeof record->key.bytes, SQLITE_STATIC);
    sqlite3_bind_text(insert, 5, record->execution_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, step);
    sqlite3_bind_int64(insert, 7, type);
    sqlite3_bind_int64(insert, 8, record->scope);
    sqlite3_bind_int64(insert, 9, record->step_version);
    sqlite3_bind_int64(insert, 10, record->attempts);
    sqlite3_bind_int64(insert, 11, now_ms);
    sqlite3_bind_blob64(insert, 12, record->input_count > 0 ? (const void *)record->input_digests : "",
                        record->input_count * 32, SQLITE_STATIC);
    return docket__connection_finish(self->writer, insert, "recording an intent", error);
}

docket_status docket__sqlite_commit_intent(docket__sqlite *self, docket_commit *commit, int64_t now_ms,
                                           docket_error *error)
{
    bool is_held = false;
    int64_t token = 0, step = 0, type = 0;
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_SLOT_HOLDER, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_blob(row, 1, commit->intent->slot, sizeof commit->intent->slot, SQLITE_STATIC);
    docket_status status = ask_number(self->writer, row, "looking at an effect's slot", &is_held, &token, error);
    if (status == DOCKET_OK && is_held) {
        commit->status = (uint64_t)token == commit->intent->token ? DOCKET_OK : DOCKET_CONFLICT;
        return DOCKET_OK;
    }
    if (status == DOCKET_OK) {
        status = docket__ids_step(self, commit->record->step, &step, error);
    }
    if (status == DOCKET_OK) {
        status = docket__ids_type(self, commit->record, commit->schema, &type, error);
    }
    return status == DOCKET_OK ? insert_intent(self, commit, step, type, now_ms, error) : status;
}

docket_status docket__sqlite_commit_doubt(docket__sqlite *self, const docket_commit *commit, docket_error *error)
{
    sqlite3_stmt *statement = bind_intent(self, DOCKET__SQL_DOUBT_INTENT, commit->intent, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_text(statement, 3, commit->failure != NULL ? commit->failure->message : "", -1, SQLITE_STATIC);
    return docket__connection_finish(self->writer, statement, "marking an intent", error);
}

docket_status docket__sqlite_commit_crash(docket__sqlite *self, const docket_commit *commit, int64_t now_ms,
                                          docket_error *error)
{
    sqlite3_stmt *statement = bind_key(self->writer, DOCKET__SQL_ADD_CRASH, &commit->record->key, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(statement, 2, (int64_t)commit->crash);
    sqlite3_bind_int64(statement, 3, now_ms);
    self->ids.has_crashes = true;
    return docket__connection_finish(self->writer, statement, "counting a crash", error);
}

/* Almost no store has any: the rows of a group should not pay for it. */
static docket_status know_crashes(docket__sqlite *self, docket_error *error)
{
    bool is_there;
    int64_t any = 0;
    if (self->ids.knows_crashes) {
        return DOCKET_OK;
    }
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_ANY_CRASH, error);
    if (row == NULL) {
        return error->status;
    }
    docket_status status = ask_number(self->writer, row, "looking for crashes", &is_there, &any, error);
    self->ids.knows_crashes = status == DOCKET_OK;
    self->ids.has_crashes = any != 0;
    return status;
}

docket_status docket__sqlite_clear_crashes(docket__sqlite *self, const docket_key *key, docket_error *error)
{
    docket_status status = know_crashes(self, error);
    if (status != DOCKET_OK || !self->ids.has_crashes) {
        return status;
    }
    sqlite3_stmt *statement = bind_key(self->writer, DOCKET__SQL_CLEAR_CRASHES, key, error);
    return statement != NULL
               ? docket__connection_finish(self->writer, statement, "clearing a count of crashes", error)
               : error->status;
}

docket_status docket__sqlite_commit_forget(docket__sqlite *self, docket_commit *commit, docket_error *error)
{
    bool is_there = false;
    int64_t ignored;
    const docket_key *key = &commit->record->key;
    sqlite3_stmt *row = bind_key(self->writer, DOCKET__SQL_KEY_INTENT, key, error);
    if (row == NULL) {
        return error->status;
    }
    docket_status status = ask_number(self->writer, row, "looking for an intent", &is_there, &ignored, error);
    if (status != DOCKET_OK || is_there) {
        commit->status = is_there ? DOCKET_IN_DOUBT : DOCKET_OK;
        return status;
    }
    static const docket__sql removals[] = {DOCKET__SQL_DROP_FILES_OF_KEY, DOCKET__SQL_DELETE_KEY};
    for (size_t i = 0; i < sizeof removals / sizeof removals[0] && status == DOCKET_OK; i++) {
        sqlite3_stmt *statement = bind_key(self->writer, removals[i], key, error);
        if (statement == NULL) {
            return error->status;
        }
        status = docket__connection_finish(self->writer, statement, "removing a checkpoint", error);
    }
    return status == DOCKET_OK ? docket__sqlite_clear_crashes(self, key, error) : status;
}

/* ---- Reading ---- */

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

static void describe(sqlite3_stmt *row, docket_effect *out, docket_arena *arena)
{
    *out = (docket_effect){
        .struct_size = sizeof *out,
        .state = (docket_effect_state)sqlite3_column_int(row, DOCKET__EFFECT_STATE),
        .token = (uint64_t)sqlite3_column_int64(row, DOCKET__EFFECT_TOKEN),
        .execution_id = take_text(row, DOCKET__EFFECT_EXECUTION, arena),
        .step = take_text(row, DOCKET__EFFECT_STEP, arena),
        .step_version = (uint32_t)sqlite3_column_int64(row, DOCKET__EFFECT_STEP_VERSION),
        .scope = (docket_scope)sqlite3_column_int(row, DOCKET__EFFECT_SCOPE),
        .type = take_text(row, DOCKET__EFFECT_TYPE, arena),
        .attempt = sqlite3_column_int(row, DOCKET__EFFECT_ATTEMPT),
        .created_ms = sqlite3_column_int64(row, DOCKET__EFFECT_CREATED),
        .reason = take_text(row, DOCKET__EFFECT_REASON, arena),
    };
    take_bytes(row, DOCKET__EFFECT_SLOT, out->slot, sizeof out->slot);
    take_bytes(row, DOCKET__EFFECT_IDEMPOTENCY_KEY, out->idempotency_key, sizeof out->idempotency_key);
    take_bytes(row, DOCKET__EFFECT_KEY, out->key, sizeof out->key);
    take_bytes(row, DOCKET__EFFECT_FINGERPRINT, out->fingerprint, sizeof out->fingerprint);
    size_t inputs = (size_t)sqlite3_column_bytes(row, DOCKET__EFFECT_INPUTS) / 32;
    if (inputs > 0) {
        out->input_digests =
            docket__arena_copy(arena, sqlite3_column_blob(row, DOCKET__EFFECT_INPUTS), inputs * 32);
        out->input_count = inputs;
    }
}

static docket_status finish_effects(docket__connection *reader, int code, docket_arena *arena, docket_error *error)
{
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        return docket__connection_fail(reader, code, "reading effects", error);
    }
    return arena->failed ? docket__error_no_memory(error) : DOCKET_OK;
}

static docket_status read_holder(docket__connection *reader, docket__sql which, const uint8_t slot[16],
                                 docket_effect *effect, docket_arena *arena, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_statement(reader, which, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_blob(row, 1, slot, 16, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        describe(row, effect, arena);
    }
    docket_status status = finish_effects(reader, code, arena, error);
    sqlite3_reset(row);
    return status;
}

/* Both looks in one read transaction: else an intent that becomes a record in between would be seen as neither. */
static docket_status read_slot(docket__connection *reader, const uint8_t slot[16], docket_effect *effect,
                               docket_arena *arena, docket_error *error)
{
    int code = sqlite3_exec(reader->db, "BEGIN", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return docket__connection_fail(reader, code, "beginning to look at a slot", error);
    }
    docket_status status = read_holder(reader, DOCKET__SQL_SLOT_INTENT, slot, effect, arena, error);
    if (status == DOCKET_OK && effect->state == DOCKET_EFFECT_FREE) {
        status = read_holder(reader, DOCKET__SQL_SLOT_RECORD, slot, effect, arena, error);
    }
    sqlite3_exec(reader->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    return status;
}

docket_status docket__sqlite_effect(void *handle, const uint8_t slot[16], docket_effect *effect,
                                    docket_arena *arena, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    *effect = (docket_effect){.struct_size = sizeof *effect};
    docket_status status = docket__pool_take(self, &reader, error);
    if (status == DOCKET_OK) {
        status = read_slot(reader, slot, effect, arena, error);
        docket__pool_give(self, reader, status);
    }
    return status;
}

static docket_status list_effects(docket__connection *reader, int64_t *position, docket_effect *entries,
                                  size_t capacity, size_t *count, docket_arena *arena, docket_error *error)
{
    int code;
    sqlite3_stmt *row = docket__connection_statement(reader, DOCKET__SQL_INTENTS, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(row, 1, *position);
    sqlite3_bind_int64(row, 2, (int64_t)capacity);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && *count < capacity) {
        describe(row, &entries[(*count)++], arena);
        *position = sqlite3_column_int64(row, DOCKET__EFFECT_ID);
    }
    docket_status status = finish_effects(reader, code, arena, error);
    sqlite3_reset(row);
    return status;
}

docket_status docket__sqlite_effects(void *handle, int64_t *position, docket_effect *entries, size_t capacity,
                                     size_t *count, docket_arena *arena, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    *count = 0;
    docket_status status = docket__pool_take(self, &reader, error);
    if (status == DOCKET_OK) {
        status = list_effects(reader, position, entries, capacity, count, arena, error);
        docket__pool_give(self, reader, status);
    }
    return status;
}

docket_status docket__sqlite_crashes(void *handle, const docket_key *key, uint32_t *count, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    bool is_there;
    int64_t crashes = 0;
    *count = 0;
    docket_status status = docket__pool_take(self, &reader, error);
    if (status != DOCKET_OK) {
        return status;
    }
    sqlite3_stmt *row = bind_key(reader, DOCKET__SQL_CRASHES, key, error);
    status = row != NULL ? ask_number(reader, row, "reading a count of crashes", &is_there, &crashes, error)
                         : error->status;
    docket__pool_give(self, reader, status);
    *count = crashes > 0 && crashes < UINT32_MAX ? (uint32_t)crashes : crashes > 0 ? UINT32_MAX : 0;
    return status;
}
