/* Looking into the file with SQL: two views for people, and the function docket_json behind the second of them. The views
 * are part of what is made with the tables; nothing of docket reads them. An SQLite without the function opens the file
 * all the same, because a view is compiled when it is asked. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "store/handle.h"
#include "store/record.h"
#include "store/sqlite/inside.h"
#include "type/json.h"
#include "type/schema.h"

#include <docket/sqlite.h>

#define VIEW_COLUMNS                                                                                             \
    "c.id AS id, e.name AS execution, s.name AS step, c.step_version AS step_version,"                           \
    " CASE c.scope WHEN 1 THEN 'workflow' WHEN 2 THEN 'global' ELSE c.scope END AS scope, t.name AS type,"       \
    " CASE c.kind WHEN 1 THEN 'value' WHEN 2 THEN 'absent' WHEN 3 THEN 'failure' WHEN 4 THEN 'items' WHEN 5 THEN 'chunk' ELSE c.kind END AS kind,"       \
    " c.created AS created_ms, nullif(c.expires, 0) AS expires_ms, c.duration AS duration_ms,"                   \
    " c.attempts AS attempts, c.size AS size_bytes, lower(hex(c.key)) AS key,"                                   \
    " c.status AS status, c.code AS code,"                                                                       \
    " CASE WHEN c.kind IN (2, 3) THEN CAST(c.value AS TEXT) END AS message"
#define VIEW_TABLES                                                                                              \
    " FROM @checkpoint c LEFT JOIN @execution e ON e.id = c.execution LEFT JOIN @step s ON s.id = c.step"        \
    " LEFT JOIN @type t ON t.id = c.type"

const char *const docket__sql_views[] = {
    "CREATE VIEW @checkpoints AS SELECT " VIEW_COLUMNS VIEW_TABLES,
    "CREATE VIEW @checkpoints_json AS SELECT " VIEW_COLUMNS
    ", CASE WHEN c.kind = 1 THEN"
    " docket_json(t.schema, c.value, c.checksum, c.key, c.format, c.codec, t.name, t.fingerprint)"
    " END AS value" VIEW_TABLES,
    NULL,
};

/* The arguments of docket_json: the first two, or all. */
enum {
    ARGUMENT_SCHEMA,
    ARGUMENT_VALUE,
    ARGUMENTS_WITHOUT_CHECK,
    ARGUMENT_CHECKSUM = ARGUMENTS_WITHOUT_CHECK,
    ARGUMENT_KEY,
    ARGUMENT_FORMAT,
    ARGUMENT_CODEC,
    ARGUMENT_TYPE,
    ARGUMENT_FINGERPRINT,
    ARGUMENTS_WITH_CHECK
};

/* Rows of one query name few types, and rebuilding one takes longer than showing a value. */
enum { KNOWN_TYPES = 8 };

typedef struct known_type {
    docket_buffer schema;
    docket_arena arena;
    const docket_type *type; /* NULL = the slot is free */
} known_type;

/* What a registered function keeps; a connection calls it from one thread at a time. */
typedef struct shower {
    known_type types[KNOWN_TYPES];
    size_t next; /* slot to be given away */
} shower;

static void forget_type(known_type *known)
{
    docket__buffer_release(&known->schema);
    docket__arena_release(&known->arena);
    known->type = NULL;
}

static void free_shower(void *arg)
{
    shower *self = arg;
    for (size_t i = 0; i < KNOWN_TYPES; i++) {
        forget_type(&self->types[i]);
    }
    docket__free(self);
}

static docket_bytes bytes_of(sqlite3_value *argument)
{
    const void *data = sqlite3_value_blob(argument);
    return (docket_bytes){data, data != NULL ? (size_t)sqlite3_value_bytes(argument) : 0};
}

static docket_status find_type(shower *self, docket_bytes schema, const docket_type **type, docket_error *error)
{
    for (size_t i = 0; i < KNOWN_TYPES; i++) {
        known_type *known = &self->types[i];
        if (known->type != NULL && known->schema.size == schema.size &&
            memcmp(known->schema.data, schema.data, schema.size) == 0) {
            *type = known->type;
            return DOCKET_OK;
        }
    }
    known_type *known = &self->types[self->next++ % KNOWN_TYPES];
    forget_type(known);
    docket_status status = docket__buffer_append(&known->schema, schema.data, schema.size);
    status = status == DOCKET_OK ? docket__schema_decode(schema, &known->arena, type, error)
                                 : docket__error_no_memory(error);
    if (status == DOCKET_OK) {
        known->type = *type;
    } else {
        forget_type(known);
    }
    return status;
}

static docket_status copy_bytes(uint8_t *to, size_t size, docket_bytes bytes, docket_error *error)
{
    if (bytes.size != size) {
        return docket__error_set(error, DOCKET_CORRUPT, "key, checksum or fingerprint have another size");
    }
    memcpy(to, bytes.data, size);
    return DOCKET_OK;
}

static uint32_t natural_of(sqlite3_value *argument)
{
    int64_t number = sqlite3_value_int64(argument);
    return number >= 0 && number <= UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/* Checks the value against its checksum, and the type against its fingerprint. */
static docket_status check_row(sqlite3_value **arguments, docket_error *error)
{
    docket_record record = {
        .format = natural_of(arguments[ARGUMENT_FORMAT]),
        .codec = natural_of(arguments[ARGUMENT_CODEC]),
        .kind = DOCKET_CHECKPOINT_VALUE,
        .type = (const char *)sqlite3_value_text(arguments[ARGUMENT_TYPE]),
        .value = bytes_of(arguments[ARGUMENT_VALUE]),
    };
    record.type = record.type != NULL ? record.type : "";
    docket_status status =
        copy_bytes(record.checksum, sizeof record.checksum, bytes_of(arguments[ARGUMENT_CHECKSUM]), error);
    if (status == DOCKET_OK) {
        status = copy_bytes(record.key.bytes, sizeof record.key.bytes, bytes_of(arguments[ARGUMENT_KEY]), error);
    }
    if (status == DOCKET_OK) {
        status = copy_bytes(record.fingerprint, sizeof record.fingerprint, bytes_of(arguments[ARGUMENT_FINGERPRINT]),
                            error);
    }
    return status == DOCKET_OK ? docket__record_verify(&record, error) : status;
}

static docket_status show(shower *self, int count, sqlite3_value **arguments, docket_buffer *out,
                          docket_error *error)
{
    const docket_type *type = NULL;
    bool is_checked = count == ARGUMENTS_WITH_CHECK;
    docket_bytes schema = bytes_of(arguments[ARGUMENT_SCHEMA]);
    docket_status status = is_checked ? check_row(arguments, error) : DOCKET_OK;
    if (status == DOCKET_OK && schema.size == 0) {
        status = docket__error_set(error, DOCKET_UNSUPPORTED, "the store keeps no description of the type");
    }
    if (status == DOCKET_OK) {
        status = find_type(self, schema, &type, error);
    }
    if (status == DOCKET_OK && is_checked) {
        status = docket__check_described(type, bytes_of(arguments[ARGUMENT_FINGERPRINT]).data, error);
    }
    return status == DOCKET_OK
               ? docket__json_write_stored(type, bytes_of(arguments[ARGUMENT_VALUE]), NULL, out, error)
               : status;
}

/* One damaged row must not end a query over the others, nor pass for one without a value. */
static void show_error(docket_buffer *out, const docket_error *error)
{
    static const char begin[] = "{\"@error\":";
    docket__buffer_clear(out);
    (void)!docket__buffer_append(out, begin, sizeof begin - 1);
    docket__json_put_string(out, error->message, strlen(error->message));
    (void)!docket__buffer_append(out, "}", 1);
}

static void run_docket_json(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_buffer out = {0};
    if (sqlite3_value_type(arguments[ARGUMENT_VALUE]) == SQLITE_NULL && count == ARGUMENTS_WITHOUT_CHECK) {
        return;
    }
    docket_status status = show(sqlite3_user_data(context), count, arguments, &out, &error);
    if (status != DOCKET_OK && status != DOCKET_NO_MEMORY) {
        show_error(&out, &error);
    }
    if (status == DOCKET_NO_MEMORY || out.failed) {
        docket__buffer_release(&out);
        sqlite3_result_error_nomem(context);
        return;
    }
    size_t size = 0;
    char *text = (char *)docket__buffer_detach(&out, &size);
    sqlite3_result_text64(context, text, size, docket__free, SQLITE_UTF8);
}

/* SQLite frees what is registered, even if it refuses. */
static int register_with(sqlite3 *db, int count)
{
    shower *self = docket__allocate(sizeof *self);
    return self == NULL ? SQLITE_NOMEM
                        : sqlite3_create_function_v2(db, "docket_json", count,
                                                     SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, self,
                                                     run_docket_json, NULL, NULL, free_shower);
}

docket_status docket_sqlite_register(struct sqlite3 *db, docket_error *error)
{
    docket__error_clear(error);
    if (db == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_sqlite_register: the connection is NULL");
    }
    int code = register_with(db, ARGUMENTS_WITHOUT_CHECK);
    if (code == SQLITE_OK) {
        code = register_with(db, ARGUMENTS_WITH_CHECK);
    }
    if (code == SQLITE_NOMEM) {
        return docket__error_no_memory(error);
    }
    if (code != SQLITE_OK) {
        return docket__error_set(error, DOCKET_STORE, "registering docket_json: %s (SQLite %d)", sqlite3_errmsg(db),
                                 code);
    }
    return DOCKET_OK;
}
