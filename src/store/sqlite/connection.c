#include "store/sqlite/connection.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/handle.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

/* ---- Failures ---- */

static bool is_out_of_space(const docket__connection *connection, int code, int system_code)
{
    struct statvfs system;
    if ((code & 0xff) == SQLITE_FULL || system_code == ENOSPC || system_code == EDQUOT) {
        return true;
    }
    /* SQLite does not always say why an extension of the log's index failed. */
    return (code & 0xff) == SQLITE_IOERR && connection->folder != NULL &&
           statvfs(connection->folder, &system) == 0 && system.f_bavail == 0;
}

static docket_status fail_busy(const docket__connection *connection, int code, const char *what,
                               docket_error *error)
{
    bool waited = (code & 0xff) == SQLITE_BUSY && !connection->is_impatient;
    docket__error_set(error, DOCKET_STORE,
                      "%s: %s: another connection held the database for %lld ms (SQLite %d: %s)", connection->url,
                      what, (long long)connection->busy_timeout_ms, code, sqlite3_errstr(code));
    error->code = code;
    error->transient = waited ? DOCKET__WAITED : 1;
    return DOCKET_STORE;
}

docket_status docket__connection_fail(docket__connection *connection, int code, const char *what,
                                      docket_error *error)
{
    int system_code = connection->db != NULL ? sqlite3_system_errno(connection->db) : errno;
    const char *text = connection->db != NULL && sqlite3_extended_errcode(connection->db) == code
                           ? sqlite3_errmsg(connection->db)
                           : sqlite3_errstr(code);
    docket_status status = DOCKET_STORE;
    bool transient = false;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return docket__error_no_memory(error);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail_busy(connection, code, what, error);
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
        transient = true;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        status = DOCKET_CORRUPT;
        break;
    case SQLITE_TOOBIG:
        status = DOCKET_TOO_LARGE;
        break;
    case SQLITE_CANTOPEN:
        transient = system_code == EMFILE || system_code == ENFILE;
        break;
    default:
        break;
    }
    if (is_out_of_space(connection, code, system_code)) {
        docket__error_set(error, DOCKET_STORE, "%s: %s: no space left on the device (SQLite %d: %s)",
                          connection->url, what, code, text);
    } else {
        char reason[128] = "";
        const char *why = system_code != 0 ? strerror_r(system_code, reason, sizeof reason) : "";
        docket__error_set(error, status, "%s: %s: %s (SQLite %d%s%s)", connection->url, what, text, code,
                          why[0] != '\0' ? ": " : "", why);
    }
    error->code = code;
    error->transient = transient ? 1 : 0;
    return status;
}

/* ---- Opening ---- */

static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* SQLite's own busy handler has no jitter: writers that collided would collide again. */
static int wait_while_busy(void *arg, int count)
{
    docket__connection *connection = arg;
    int64_t now_ns = real_now_ns();
    if (connection->is_impatient) {
        return 0;
    }
    if (count == 0) {
        connection->busy_since_ns = now_ns;
    }
    int64_t left_ns;
    if (!__builtin_mul_overflow(connection->busy_timeout_ms, INT64_C(1000000), &left_ns)) {
        left_ns -= now_ns - connection->busy_since_ns;
        if (left_ns <= 0) {
            return 0;
        }
    } else {
        left_ns = INT64_MAX;
    }
    int64_t pause_ns = INT64_C(100000) << (count < 6 ? count : 6);
    pause_ns = pause_ns / 2 + (int64_t)docket__random_below((uint64_t)pause_ns);
    pause_ns = pause_ns < left_ns ? pause_ns : left_ns;
    nanosleep(&(struct timespec){.tv_sec = 0, .tv_nsec = (long)pause_ns}, NULL);
    return 1;
}

/* The first for all connections, the others for those that are docket's alone. */
static const struct {
    int option;
    int value;
} settings[] = {
    {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},      {SQLITE_DBCONFIG_ENABLE_FKEY, 0},
};

docket_status docket__connection_open(docket__connection *connection, const char *file, int flags,
                                      docket_error *error)
{
    size_t setting_count = connection->serves_program ? 1 : sizeof settings / sizeof settings[0];
    flags |= SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
    flags |= connection->serves_program ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(file, &connection->db, flags, NULL);
    if (connection->db != NULL) {
        sqlite3_extended_result_codes(connection->db, 1);
        code = code != SQLITE_OK ? sqlite3_extended_errcode(connection->db) : code;
    }
    for (size_t i = 0; code == SQLITE_OK && i < setting_count; i++) {
        code = sqlite3_db_config(connection->db, settings[i].option, settings[i].value, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_wal_autocheckpoint(connection->db, 0);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_busy_handler(connection->db, wait_while_busy, connection);
    }
    if (code != SQLITE_OK) {
        docket_status status = docket__connection_fail(connection, code, "the database cannot be opened", error);
        docket__connection_close(connection);
        return status;
    }
    return DOCKET_OK;
}

static void release_slots(docket__name_slot *slots)
{
    for (size_t i = 0; i < DOCKET__NAME_SLOTS; i++) {
        docket__free(slots[i].name);
        slots[i] = (docket__name_slot){.id = 0};
    }
}

void docket__connection_forget_names(docket__connection *connection)
{
    release_slots(connection->executions);
    release_slots(connection->steps);
    release_slots(connection->types);
    release_slots(connection->execution_ids);
    release_slots(connection->step_ids);
}

void docket__connection_close(docket__connection *connection)
{
    for (size_t i = 0; i < DOCKET__SQL_COUNT; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    docket__connection_forget_names(connection);
    sqlite3_close_v2(connection->db); /* statements of the program may be left */
    connection->db = NULL;
}

/* ---- Statements ---- */

static sqlite3_stmt *prepare(docket__connection *connection, const char *text, unsigned flags, docket_error *error)
{
    sqlite3_stmt *statement = NULL;
    char *expanded = docket__sql_expand(text, connection->prefix);
    if (expanded == NULL) {
        docket__error_no_memory(error);
        return NULL;
    }
    int code = sqlite3_prepare_v3(connection->db, expanded, -1, flags, &statement, NULL);
    docket__free(expanded);
    if (code != SQLITE_OK) {
        docket__connection_fail(connection, code, "a statement cannot be prepared", error);
        return NULL;
    }
    return statement;
}

sqlite3_stmt *docket__connection_prepare(docket__connection *connection, const char *text, docket_error *error)
{
    return prepare(connection, text, 0, error);
}

sqlite3_stmt *docket__connection_statement(docket__connection *connection, docket__sql which, docket_error *error)
{
    if (connection->statements[which] == NULL) {
        connection->statements[which] =
            prepare(connection, docket__sql_texts[which], SQLITE_PREPARE_PERSISTENT, error);
    }
    return connection->statements[which];
}

docket_status docket__connection_finish(docket__connection *connection, sqlite3_stmt *statement, const char *what,
                                        docket_error *error)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    docket_status status = code == SQLITE_DONE ? DOCKET_OK : docket__connection_fail(connection, code, what, error);
    sqlite3_reset(statement);
    return status;
}

docket_status docket__connection_run(docket__connection *connection, docket__sql which, docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(connection, which, error);
    if (statement == NULL) {
        return error->status;
    }
    return docket__connection_finish(connection, statement, docket__sql_texts[which], error);
}

/* ---- Records ---- */

static docket_status learn_name(docket__connection *connection, docket__sql which, int64_t id,
                                docket__name_slot *slot, docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_statement(connection, which, error);
    if (statement == NULL) {
        return error->status;
    }
    docket_status status = DOCKET_OK;
    sqlite3_bind_int64(statement, 1, id);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        const void *fingerprint = sqlite3_column_count(statement) > 1 ? sqlite3_column_blob(statement, 1) : NULL;
        char *name = docket__duplicate((const char *)text);
        if (name == NULL) {
            status = docket__error_no_memory(error);
        } else {
            docket__free(slot->name);
            *slot = (docket__name_slot){.id = id, .name = name};
            if (fingerprint != NULL && sqlite3_column_bytes(statement, 1) == (int)sizeof slot->fingerprint) {
                memcpy(slot->fingerprint, fingerprint, sizeof slot->fingerprint);
            }
        }
    } else if (code == SQLITE_DONE) {
        status = docket__error_set(error, DOCKET_CORRUPT, "%s: a checkpoint names id %lld, which is not there",
                                   connection->url, (long long)id);
    } else {
        status = docket__connection_fail(connection, code, "reading a name", error);
    }
    sqlite3_reset(statement);
    return status;
}

static const docket__name_slot *find_name(docket__connection *connection, docket__name_slot *slots,
                                          docket__sql which, int64_t id, docket_error *error)
{
    docket__name_slot *slot = &slots[(uint64_t)id % DOCKET__NAME_SLOTS];
    if (slot->id != id || slot->name == NULL) {
        if (learn_name(connection, which, id, slot, error) != DOCKET_OK) {
            return NULL;
        }
    }
    return slot;
}

/* What does not fit, or is no number, becomes a number that nobody knows. */
static uint32_t small_number(sqlite3_stmt *row, int column)
{
    int64_t number = sqlite3_column_int64(row, column);
    bool fits = sqlite3_column_type(row, column) == SQLITE_INTEGER && number >= 0 && number < UINT32_MAX;
    return fits ? (uint32_t)number : UINT32_MAX;
}

docket_status docket__connection_record(docket__connection *connection, sqlite3_stmt *row, docket_record *record,
                                        docket_error *error)
{
    const docket__name_slot *execution = find_name(connection, connection->executions, DOCKET__SQL_EXECUTION_NAME,
                                                   sqlite3_column_int64(row, DOCKET__COLUMN_EXECUTION), error);
    const docket__name_slot *step = find_name(connection, connection->steps, DOCKET__SQL_STEP_NAME,
                                              sqlite3_column_int64(row, DOCKET__COLUMN_STEP), error);
    const docket__name_slot *type = find_name(connection, connection->types, DOCKET__SQL_TYPE_NAME,
                                              sqlite3_column_int64(row, DOCKET__COLUMN_TYPE), error);
    if (execution == NULL || step == NULL || type == NULL) {
        return error->status;
    }
    const void *key = sqlite3_column_blob(row, DOCKET__COLUMN_KEY);
    const void *checksum = sqlite3_column_blob(row, DOCKET__COLUMN_CHECKSUM);
    *record = (docket_record){
        .format = small_number(row, DOCKET__COLUMN_FORMAT),
        .codec = small_number(row, DOCKET__COLUMN_CODEC),
        .kind = small_number(row, DOCKET__COLUMN_KIND),
        .step_version = (uint32_t)sqlite3_column_int64(row, DOCKET__COLUMN_STEP_VERSION),
        .scope = (docket_scope)sqlite3_column_int(row, DOCKET__COLUMN_SCOPE),
        .attempts = sqlite3_column_int(row, DOCKET__COLUMN_ATTEMPTS),
        .execution_id = execution->name,
        .step = step->name,
        .type = type->name,
        .created_ms = sqlite3_column_int64(row, DOCKET__COLUMN_CREATED),
        .expires_ms = sqlite3_column_int64(row, DOCKET__COLUMN_EXPIRES),
        .duration_ms = sqlite3_column_int64(row, DOCKET__COLUMN_DURATION),
        .input_digests = sqlite3_column_blob(row, DOCKET__COLUMN_INPUTS),
        .input_count = (size_t)sqlite3_column_bytes(row, DOCKET__COLUMN_INPUTS) / 32,
        .value = {.data = sqlite3_column_blob(row, DOCKET__COLUMN_VALUE),
                  .size = (size_t)sqlite3_column_bytes(row, DOCKET__COLUMN_VALUE)},
    };
    memcpy(record->fingerprint, type->fingerprint, sizeof record->fingerprint);
    if (key != NULL && sqlite3_column_bytes(row, DOCKET__COLUMN_KEY) == (int)sizeof record->key.bytes) {
        memcpy(record->key.bytes, key, sizeof record->key.bytes);
    }
    if (checksum != NULL && sqlite3_column_bytes(row, DOCKET__COLUMN_CHECKSUM) == (int)sizeof record->checksum) {
        memcpy(record->checksum, checksum, sizeof record->checksum);
    }
    if (record->value.data == NULL && sqlite3_errcode(connection->db) == SQLITE_NOMEM) {
        return docket__error_no_memory(error);
    }
    return DOCKET_OK;
}
