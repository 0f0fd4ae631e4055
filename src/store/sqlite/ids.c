#include "store/sqlite/inside.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "type/schema.h"

#include <string.h>

enum { MOST_IDS = 4096 /* of one kind in memory */ };

typedef struct known_id {
    int64_t id;
    uint64_t schema_hash; /* of a type: of the description that was dealt with last; 0 = none yet */
    size_t size;
    uint8_t key[];
} known_id;

static void clear_map(docket__map *map)
{
    size_t cursor = 0;
    for (const docket__map_entry *slot; (slot = docket__map_next(map, &cursor)) != NULL;) {
        docket__free(slot->value);
    }
    docket__map_release(map);
}

void docket__ids_clear(docket__ids *ids)
{
    clear_map(&ids->executions);
    clear_map(&ids->steps);
    clear_map(&ids->types);
    ids->knows_crashes = false;
}

docket_status docket__ids_refresh(docket__sqlite *self, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_DATA_VERSION, error);
    if (row == NULL) {
        return error->status;
    }
    int code = sqlite3_step(row);
    int64_t version = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : -1;
    docket_status status =
        code == SQLITE_ROW ? DOCKET_OK : docket__connection_fail(self->writer, code, "asking for changes", error);
    sqlite3_reset(row);
    if (version != self->ids.data_version) {
        docket__ids_clear(&self->ids);
        self->ids.data_version = version;
    }
    return status;
}

/* Not remembering is no failure. */
static known_id *remember(docket__map *map, const void *key, size_t size, int64_t id, uint64_t schema_hash)
{
    if (map->count >= MOST_IDS) {
        clear_map(map);
    }
    known_id *known = docket__resize(NULL, sizeof *known + size);
    if (known == NULL) {
        return NULL;
    }
    *known = (known_id){.id = id, .schema_hash = schema_hash, .size = size};
    memcpy(known->key, key, size);
    if (docket__map_put(map, known->key, size, known) != DOCKET_OK) {
        docket__free(known);
        return NULL;
    }
    return known;
}

/* Runs a statement that may give an id in its first column, and the size of a schema in its second. */
static docket_status ask_id(docket__sqlite *self, sqlite3_stmt *row, int64_t *id, bool *has_schema,
                            docket_error *error)
{
    docket_status status = DOCKET_OK;
    int code = sqlite3_step(row);
    *id = 0;
    if (code == SQLITE_ROW) {
        *id = sqlite3_column_int64(row, 0);
        *has_schema = sqlite3_column_count(row) > 1 && sqlite3_column_int64(row, 1) > 0;
    } else if (code != SQLITE_DONE) {
        status = docket__connection_fail(self->writer, code, "reading a name's id", error);
    }
    sqlite3_reset(row);
    return status;
}

static docket_status name_id(docket__sqlite *self, docket__map *map, docket__sql ask, docket__sql add,
                             const char *name, int64_t *id, docket_error *error)
{
    const char *text = name != NULL ? name : "";
    size_t size = strlen(text);
    bool ignored = false;
    const known_id *known = docket__map_get(map, text, size);
    if (known != NULL) {
        *id = known->id;
        return DOCKET_OK;
    }
    sqlite3_stmt *row = docket__connection_statement(self->writer, ask, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, text, (int)size, SQLITE_STATIC);
    docket_status status = ask_id(self, row, id, &ignored, error);
    if (status == DOCKET_OK && *id == 0) {
        sqlite3_stmt *insert = docket__connection_statement(self->writer, add, error);
        if (insert == NULL) {
            return error->status;
        }
        sqlite3_bind_text(insert, 1, text, (int)size, SQLITE_STATIC);
        status = docket__connection_finish(self->writer, insert, "adding a name", error);
        *id = sqlite3_last_insert_rowid(self->writer->db);
    }
    if (status == DOCKET_OK) {
        remember(map, text, size, *id, 0);
    }
    return status;
}

docket_status docket__ids_execution(docket__sqlite *self, const char *name, int64_t *id, docket_error *error)
{
    return name_id(self, &self->ids.executions, DOCKET__SQL_EXECUTION_ID, DOCKET__SQL_ADD_EXECUTION, name, id,
                   error);
}

docket_status docket__ids_step(docket__sqlite *self, const char *name, int64_t *id, docket_error *error)
{
    return name_id(self, &self->ids.steps, DOCKET__SQL_STEP_ID, DOCKET__SQL_ADD_STEP, name, id, error);
}

static docket_status add_type(docket__sqlite *self, const docket_record *record, docket_bytes schema, int64_t *id,
                              docket_error *error)
{
    sqlite3_stmt *insert = docket__connection_statement(self->writer, DOCKET__SQL_ADD_TYPE, error);
    if (insert == NULL) {
        return error->status;
    }
    sqlite3_bind_text(insert, 1, record->type != NULL ? record->type : "", -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 2, record->fingerprint, sizeof record->fingerprint, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 3, schema.size > 0 ? (const void *)schema.data : "", schema.size, SQLITE_STATIC);
    docket_status status = docket__connection_finish(self->writer, insert, "adding a type", error);
    *id = sqlite3_last_insert_rowid(self->writer->db);
    return status;
}

/* Names of an enum and secrecy of members are not part of the fingerprint: a later description may tell more. */
static docket_status read_is_older(docket__sqlite *self, const docket_record *record, docket_bytes schema,
                                   bool *is_older, docket_error *error)
{
    docket_status status = DOCKET_OK;
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_SCHEMA, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, record->type != NULL ? record->type : "", -1, SQLITE_STATIC);
    sqlite3_bind_blob(row, 2, record->fingerprint, sizeof record->fingerprint, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(row, 0);
        docket_bytes kept = {bytes, bytes != NULL ? (size_t)sqlite3_column_bytes(row, 0) : 0};
        *is_older = docket__schema_supersedes(kept, schema);
    } else if (code != SQLITE_DONE) {
        status = docket__connection_fail(self->writer, code, "reading a schema", error);
    }
    sqlite3_reset(row);
    return status;
}

static docket_status fill_schema(docket__sqlite *self, int64_t id, docket_bytes schema, docket_error *error)
{
    sqlite3_stmt *update = docket__connection_statement(self->writer, DOCKET__SQL_FILL_SCHEMA, error);
    if (update == NULL) {
        return error->status;
    }
    sqlite3_bind_int64(update, 1, id);
    sqlite3_bind_blob64(update, 2, schema.data, schema.size, SQLITE_STATIC);
    return docket__connection_finish(self->writer, update, "adding a schema", error);
}

/* The type's id in the database, which then has the description, if one is given. */
static docket_status settle_type(docket__sqlite *self, const docket_record *record, docket_bytes schema,
                                 int64_t *id, docket_error *error)
{
    bool has_schema = false;
    sqlite3_stmt *row = docket__connection_statement(self->writer, DOCKET__SQL_TYPE_ID, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, record->type != NULL ? record->type : "", -1, SQLITE_STATIC);
    sqlite3_bind_blob(row, 2, record->fingerprint, sizeof record->fingerprint, SQLITE_STATIC);
    docket_status status = ask_id(self, row, id, &has_schema, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (*id == 0) {
        return add_type(self, record, schema, id, error);
    }
    bool is_older = !has_schema && schema.size > 0;
    if (has_schema && schema.size > 0) {
        status = read_is_older(self, record, schema, &is_older, error);
    }
    return status == DOCKET_OK && is_older ? fill_schema(self, *id, schema, error) : status;
}

docket_status docket__ids_type(docket__sqlite *self, const docket_record *record, docket_bytes schema, int64_t *id,
                               docket_error *error)
{
    uint8_t key[32 + 256];
    const char *type = record->type != NULL ? record->type : "";
    size_t size = strnlen(type, 256) + 32;
    uint64_t hash = schema.size > 0 ? docket__hash64(schema.data, schema.size) | 1 : 0;
    memcpy(key, record->fingerprint, 32);
    memcpy(key + 32, type, size - 32);
    known_id *known = docket__map_get(&self->ids.types, key, size);
    if (known != NULL && (hash == 0 || hash == known->schema_hash)) {
        *id = known->id;
        return DOCKET_OK;
    }
    docket_status status = settle_type(self, record, schema, id, error);
    if (status == DOCKET_OK && known != NULL) {
        known->schema_hash = hash;
    } else if (status == DOCKET_OK) {
        remember(&self->ids.types, key, size, *id, hash);
    }
    return status;
}
