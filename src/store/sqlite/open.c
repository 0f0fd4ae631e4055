/* Opening and closing the file.
 *
 * A file that is not docket's, or is newer, is not touched: everything is found out through a read-only connection
 * before the side file is made and a writer is opened. The tables are made in one transaction under the commit lock,
 * after another look, so that a process that dies at any point, or two that start at once, leave an empty file or a
 * whole store. */
#include "base/error.h"
#include "base/memory.h"
#include "store/sqlite/inside.h"
#include "store/sqlite/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 4096 };

void docket__sqlite_warn(docket__sqlite *self, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (self->options.warning == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&self->warning_lock);
    self->options.warning(self->options.warning_arg, text);
    pthread_mutex_unlock(&self->warning_lock);
}

void docket__sqlite_prepare_connection(const docket__sqlite *self, docket__connection *connection)
{
    *connection = (docket__connection){
        .prefix = self->prefix,
        .url = self->url,
        .folder = self->path.folder,
        .busy_timeout_ms = self->options.busy_timeout_ms,
    };
}

const char *docket__sqlite_url(const docket__sqlite *self)
{
    return self->url;
}

docket__depot *docket__sqlite_depot(const docket__sqlite *self)
{
    return self->depot;
}

/* ---- The handle ---- */

static bool init_locks(docket__sqlite *self)
{
    if (pthread_mutex_init(&self->pool_lock, NULL) != 0) {
        return false;
    }
    if (pthread_cond_init(&self->pool_returned, NULL) != 0) {
        goto no_condition;
    }
    if (pthread_mutex_init(&self->stale_lock, NULL) != 0) {
        goto no_stale_lock;
    }
    if (pthread_mutex_init(&self->warning_lock, NULL) != 0) {
        goto no_warning_lock;
    }
    if (!docket__wall_init(&self->wall)) {
        goto no_wall;
    }
    if (docket__guard_init(&self->guard)) {
        return true;
    }
    docket__wall_destroy(&self->wall);
no_wall:
    pthread_mutex_destroy(&self->warning_lock);
no_warning_lock:
    pthread_mutex_destroy(&self->stale_lock);
no_stale_lock:
    pthread_cond_destroy(&self->pool_returned);
no_condition:
    pthread_mutex_destroy(&self->pool_lock);
    return false;
}

static void free_handle(docket__sqlite *self)
{
    docket__guard_destroy(&self->guard);
    docket__wall_destroy(&self->wall);
    pthread_mutex_destroy(&self->warning_lock);
    pthread_mutex_destroy(&self->stale_lock);
    pthread_cond_destroy(&self->pool_returned);
    pthread_mutex_destroy(&self->pool_lock);
    docket__depot_unref(self->depot);
    docket__path_release(&self->path);
    docket__free(self->url);
    docket__free(self);
}

static docket__sqlite *new_handle(const char *path, const docket_store_options *options, docket_error *error)
{
    docket__sqlite *self = docket__allocate(sizeof *self);
    if (self == NULL || !init_locks(self)) {
        docket__free(self);
        docket__error_no_memory(error);
        return NULL;
    }
    self->options = *options;
    self->writer = &self->own;
    docket__log_init(&self->log);
    snprintf(self->prefix, sizeof self->prefix, "%s", options->prefix);
    self->options.prefix = self->prefix;
    if (docket__path_resolve(&self->path, path, error) != DOCKET_OK) {
        free_handle(self);
        return NULL;
    }
    size_t room = strlen(self->path.file) + sizeof "sqlite:";
    self->url = docket__allocate(room);
    self->depot = docket__depot_new(self->path.file, self->prefix, options->durability == DOCKET_DURABILITY_FULL,
                                    options->busy_timeout_ms);
    if (self->url == NULL || self->depot == NULL) {
        free_handle(self);
        docket__error_no_memory(error);
        return NULL;
    }
    snprintf(self->url, room, "sqlite:%s", self->path.file);
    return self;
}

/* ---- The writer ---- */

static docket_status execute(docket__sqlite *self, const char *text, docket_error *error)
{
    sqlite3_stmt *statement = docket__connection_prepare(self->writer, text, error);
    if (statement == NULL) {
        return error->status;
    }
    docket_status status = docket__connection_finish(self->writer, statement, text, error);
    sqlite3_finalize(statement);
    return status;
}

/* Reads the one text that a PRAGMA answers. */
static docket_status ask(docket__sqlite *self, const char *text, char *answer, size_t room, docket_error *error)
{
    sqlite3_stmt *row = docket__connection_prepare(self->writer, text, error);
    if (row == NULL) {
        return error->status;
    }
    int code = sqlite3_step(row);
    docket_status status = DOCKET_OK;
    if (code == SQLITE_ROW) {
        snprintf(answer, room, "%s", (const char *)sqlite3_column_text(row, 0));
    } else {
        status = docket__connection_fail(self->writer, code, text, error);
    }
    sqlite3_finalize(row);
    return status;
}

static docket_status use_log(docket__sqlite *self, bool is_new, docket_error *error)
{
    char mode[16] = "";
    docket_status status = ask(self, "PRAGMA journal_mode", mode, sizeof mode, error);
    if (status != DOCKET_OK || strcmp(mode, "wal") == 0) {
        return status;
    }
    if (self->options.shared_database && !is_new) {
        return docket__error_set(
            error, DOCKET_STORE,
            "%s has journal_mode %s; docket needs wal, and leaves a shared database's settings to "
            "the application: run PRAGMA journal_mode=wal on it once",
            self->url, mode);
    }
    status = ask(self, "PRAGMA journal_mode = wal", mode, sizeof mode, error);
    if (status == DOCKET_OK && strcmp(mode, "wal") != 0) {
        status = docket__error_set(error, DOCKET_STORE, "%s: SQLite cannot use a write-ahead log here, only %s",
                                   self->url, mode);
    }
    return status;
}

static docket_status configure(docket__sqlite *self, bool is_new, docket_error *error)
{
    char text[64];
    char page[16] = "";
    docket_status status = DOCKET_OK;
    if (is_new) {
        snprintf(text, sizeof text, "PRAGMA page_size = %d", (int)PAGE_BYTES);
        status = execute(self, text, error);
    }
    if (status == DOCKET_OK) {
        status = use_log(self, is_new, error);
    }
    if (status == DOCKET_OK) {
        status = execute(self,
                         self->options.durability == DOCKET_DURABILITY_FULL ? "PRAGMA synchronous = FULL"
                                                                            : "PRAGMA synchronous = NORMAL",
                         error);
    }
    if (status == DOCKET_OK) {
        status = execute(self, "PRAGMA temp_store = MEMORY", error);
    }
    if (status == DOCKET_OK) {
        status = ask(self, "PRAGMA page_size", page, sizeof page, error);
        sscanf(page, "%lld", (long long *)&self->log.page_bytes);
    }
    return status;
}

static docket_status execute_all(docket__sqlite *self, const char *const *texts, docket_error *error)
{
    docket_status status = DOCKET_OK;
    for (; status == DOCKET_OK && *texts != NULL; texts++) {
        status = execute(self, *texts, error);
    }
    return status;
}

static docket_status make_tables(docket__sqlite *self, docket_error *error)
{
    docket__verdict verdict = DOCKET__FILE_READY;
    docket_status status = execute(self, "BEGIN IMMEDIATE", error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__probe_connection(self, self->writer, &verdict, error);
    if (status == DOCKET_OK && verdict == DOCKET__FILE_EMPTY) {
        status = execute_all(self, docket__sql_create, error);
        status = status == DOCKET_OK ? execute_all(self, docket__sql_views, error) : status;
    }
    if (status == DOCKET_OK) {
        status = execute(self, "COMMIT", error);
    }
    if (status != DOCKET_OK && !sqlite3_get_autocommit(self->writer->db)) {
        docket_error ignored;
        execute(self, "ROLLBACK", &ignored);
    }
    return status;
}

/* Ending a transaction must not need memory: a writer that cannot roll back could never begin again. Behind the making
 * of the tables, which would have the statements compiled anew. */
static docket_status prepare_transactions(docket__sqlite *self, docket_error *error)
{
    static const docket__sql needed[] = {DOCKET__SQL_BEGIN, DOCKET__SQL_COMMIT, DOCKET__SQL_ROLLBACK};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (docket__connection_statement(self->writer, needed[i], error) == NULL) {
            return error->status;
        }
    }
    return DOCKET_OK;
}

/* Under the commit lock. */
static docket_status open_writer(docket__sqlite *self, docket__verdict verdict, docket_error *error)
{
    docket_status status = docket__path_create(&self->path, error);
    if (status == DOCKET_OK) {
        status = docket__path_inspect(&self->path, &self->file, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    bool is_new = self->file.st_size == 0;
    docket__sqlite_prepare_connection(self, self->writer);
    status = docket__connection_open(self->writer, self->path.file, SQLITE_OPEN_READWRITE, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (sqlite3_db_readonly(self->writer->db, "main") == 1) {
        status = docket__error_set(error, DOCKET_STORE,
                                   "%s: the file cannot be written (the option read_only opens a store to look at)",
                                   self->url);
    }
    if (status == DOCKET_OK) {
        status =
            configure(self, is_new || (verdict == DOCKET__FILE_EMPTY && !self->options.shared_database), error);
    }
    if (status == DOCKET_OK && verdict == DOCKET__FILE_EMPTY) {
        status = make_tables(self, error);
    }
    if (status == DOCKET_OK) {
        status = prepare_transactions(self, error);
    }
    if (status == DOCKET_OK) {
        status = docket__sqlite_check_file(self, error);
    }
    if (status == DOCKET_OK) {
        docket__log_watch(self, self->own.db);
    } else {
        docket__connection_close(self->writer);
    }
    return status;
}

/* ---- Opening ---- */

/* What can be known before anything is made. `exists` tells of the database file. */
static docket_status examine(docket__sqlite *self, bool *exists, docket__verdict *verdict, docket_error *error)
{
    docket_status status = docket__path_inspect(&self->path, &self->file, error);
    *exists = self->file.st_nlink > 0;
    *verdict = DOCKET__FILE_EMPTY;
    if (status != DOCKET_OK) {
        return status;
    }
    bool look_only = self->options.read_only;
    if (!*exists && (look_only || self->options.must_exist)) {
        return docket__error_set(error, DOCKET_STORE, "%s: there is no such file", self->url);
    }
    if (!look_only) {
        status = docket__path_check_writable(&self->path, *exists, error);
    }
    if (status == DOCKET_OK && *exists) {
        status = docket__side_check_inherited(&self->file, error);
    }
    if (status == DOCKET_OK && self->file.st_size == 1) { /* SQLite takes it for an empty file */
        status = docket__error_set(error, DOCKET_CORRUPT, "%s is not a database: it has 1 byte", self->url);
    }
    if (status == DOCKET_OK && self->file.st_size > 0) {
        status = docket__probe_file(self, verdict, error);
    }
    if (status == DOCKET_OK && look_only && *verdict == DOCKET__FILE_EMPTY) {
        status = docket__error_set(error, DOCKET_CORRUPT, "%s is not a docket store: it holds no table %smeta",
                                   self->url, self->prefix);
    }
    return status;
}

static docket_status open_to_write(docket__sqlite *self, docket__verdict verdict, docket_error *error)
{
    docket_status status = docket__side_open(&self->side, self->path.side, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__side_take(&self->side, self->options.busy_timeout_ms, 0, error);
    if (status == DOCKET_OK) {
        status = open_writer(self, verdict, error);
        docket__side_give(&self->side);
    }
    if (status == DOCKET_OK) {
        status = docket__side_enter(&self->side, &self->file, self->options.busy_timeout_ms, error);
        if (status == DOCKET_OK) {
            status = docket__side_sign(&self->side, &self->depot->owner, error);
        }
        if (status == DOCKET_OK) {
            status = docket__board_open(&self->board, &self->side, error);
        }
        if (status != DOCKET_OK) {
            docket__connection_close(self->writer);
        }
    }
    if (status != DOCKET_OK) {
        docket__side_close(&self->side);
    }
    return status;
}

static docket_status open_to_look(docket__sqlite *self, docket_error *error)
{
    docket__connection *reader = NULL;
    docket_status status = docket__side_open(&self->side, NULL, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__side_enter(&self->side, &self->file, self->options.busy_timeout_ms, error);
    if (status == DOCKET_OK) {
        status = docket__pool_take(self, &reader, error);
    }
    if (status == DOCKET_OK) {
        docket__pool_give(self, reader, status);
    } else {
        docket__side_close(&self->side);
    }
    return status;
}

/* The range of the log-reset fault. Source: SQLite release notes, 3.51.3. */
static bool has_log_reset_fault(int version)
{
    return version < 3051003 && !(version >= 3050007 && version < 3051000) &&
           !(version >= 3044006 && version < 3045000);
}

docket_status docket__sqlite_open(docket__sqlite **out, const char *path, const docket_store_options *options,
                                  docket_error *error)
{
    docket__verdict verdict;
    bool exists;
    if (sqlite3_threadsafe() == 0) {
        return docket__error_set(error, DOCKET_UNSUPPORTED, "this SQLite was built without threads");
    }
    docket__sqlite *self = new_handle(path, options, error);
    if (self == NULL) {
        return error->status;
    }
    docket_status status = examine(self, &exists, &verdict, error);
    if (status == DOCKET_OK) {
        status = options->read_only ? open_to_look(self, error) : open_to_write(self, verdict, error);
    }
    if (status != DOCKET_OK) {
        free_handle(self);
        return status;
    }
    if (options->shared_database && !options->read_only && has_log_reset_fault(sqlite3_libversion_number())) {
        docket__sqlite_warn(
            self,
            "%s: SQLite %s can lose commits when a log checkpoint races a writer; let the application "
            "write between docket_sqlite_begin and docket_sqlite_end only, or use SQLite 3.51.3",
            self->url, sqlite3_libversion());
    }
    *out = self;
    return DOCKET_OK;
}

/* ---- Closing and deleting ---- */

/* What look-ups found expired must not revive, and the last one out leaves the log empty. */
static void leave(docket__sqlite *self)
{
    docket_error ignored = DOCKET_ERROR_INIT;
    if (self->stale_count > 0 && docket__sqlite_begin_write(self, &ignored) == DOCKET_OK) {
        docket_status status = docket__sqlite_delete_stale(self, &ignored);
        docket__sqlite_end_write(self, status, &ignored);
    }
    docket__pool_close(self);
    if (docket__side_take(&self->side, self->options.busy_timeout_ms, 0, &ignored) == DOCKET_OK) {
        if (docket__side_is_last(&self->side) && docket__sqlite_check_file(self, &ignored) == DOCKET_OK) {
            docket__log_empty(self);
        }
        docket__ids_clear(&self->ids);
        docket__connection_close(self->writer);
        docket__side_give(&self->side);
    }
}

static void close_store(void *handle)
{
    docket__sqlite *self = handle;
    if (self->options.read_only) {
        docket__pool_close(self);
    } else {
        leave(self);
    }
    docket__ids_clear(&self->ids);
    docket__connection_close(self->writer);
    docket__board_close(&self->board);
    docket__side_close(&self->side);
    free_handle(self);
}

/* ---- Claims ---- */

static docket_status acquire(void *handle, const docket_key *key, docket_lease *lease, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__owner dead;
    (void)error;
    *lease = (docket_lease){0};
    return docket__board_take(&self->board, key, &dead);
}

static docket_status release(void *handle, const docket_key *key, const docket_lease *lease, docket_error *error)
{
    docket__sqlite *self = handle;
    (void)lease;
    (void)error;
    docket__board_give(&self->board, key);
    return DOCKET_OK;
}

static docket_status await(void *handle, const docket_key *keys, size_t count, bool *maybe_free, int64_t timeout_ms,
                           docket_error *error)
{
    docket__sqlite *self = handle;
    (void)error;
    docket__board_await(&self->board, keys, count, maybe_free, timeout_ms);
    return DOCKET_OK;
}

static void interrupt(void *handle)
{
    docket__sqlite *self = handle;
    docket__board_stir(&self->board);
}

static docket_status wait_begin(void *handle, const docket_key *held, size_t count, const docket_key *wanted,
                                size_t *closing)
{
    docket__sqlite *self = handle;
    return docket__board_wait(&self->board, held, count, wanted, closing) ? DOCKET_OK : DOCKET_CONFLICT;
}

static void wait_end(void *handle, const docket_key *held, size_t count, const docket_key *wanted)
{
    docket__sqlite *self = handle;
    docket__board_unwait(&self->board, held, count, wanted);
}

static uint64_t releases(void *handle, const docket_key *key)
{
    const docket__sqlite *self = handle;
    return self->board.map == NULL ? 0 : docket__board_releases(&self->board, key);
}

static docket_status check_is_store(docket__sqlite *self, bool exists, docket_error *error)
{
    docket__verdict verdict = DOCKET__FILE_EMPTY;
    struct stat side;
    char prefix[40] = "";
    if (!exists) {
        return DOCKET_OK;
    }
    docket_status status = docket__side_check_inherited(&self->file, error);
    if (status == DOCKET_OK && self->file.st_size > 0) {
        status = docket__probe_prefix(self, prefix, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    if (prefix[0] != '\0') {
        snprintf(self->prefix, sizeof self->prefix, "%s", prefix);
        status = docket__probe_file(self, &verdict, error);
        return status == DOCKET_SCHEMA_NEWER ? DOCKET_OK : status;
    }
    if (lstat(self->path.side, &side) != 0) {
        return docket__error_set(error, DOCKET_CORRUPT, "%s is not a docket store: it holds no tables of docket's",
                                 self->url);
    }
    return DOCKET_OK;
}

/* The files first: without the database nobody would know that they were its. */
static docket_status remove_all(docket__sqlite *self, docket_error *error)
{
    docket_status status = docket__depot_remove(self->path.file, error);
    return status == DOCKET_OK ? docket__path_remove_all(&self->path, error) : status;
}

static docket_status delete_alone(docket__sqlite *self, docket_error *error)
{
    docket_status status = docket__side_open(&self->side, self->path.side, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__side_take(&self->side, self->options.busy_timeout_ms, 0, error);
    if (status == DOCKET_OK) {
        status = docket__side_is_last(&self->side)
                     ? remove_all(self, error)
                     : docket__error_set(error, DOCKET_STORE, "%s is open: close it everywhere first", self->url);
        docket__side_give(&self->side);
    }
    docket__side_close(&self->side);
    return status;
}

docket_status docket__sqlite_delete(const char *path, docket_error *error)
{
    docket_store_options options = {.prefix = "docket_", .busy_timeout_ms = 1000};
    docket__sqlite *self = new_handle(path, &options, error);
    if (self == NULL) {
        return error->status;
    }
    docket_status status = docket__path_inspect(&self->path, &self->file, error);
    bool exists = self->file.st_nlink > 0;
    if (status == DOCKET_OK) {
        status = check_is_store(self, exists, error);
    }
    if (status == DOCKET_OK) {
        status = exists ? delete_alone(self, error) : remove_all(self, error);
    }
    free_handle(self);
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    return status;
}

const docket_backend docket__sqlite_backend = {
    .struct_size = sizeof(docket_backend),
    .name = "sqlite",
    .capabilities = DOCKET_BACKEND_DURABLE | DOCKET_BACKEND_CLAIMS,
    .lookup = docket__sqlite_lookup,
    .scan = docket__sqlite_scan,
    .commit = docket__sqlite_commit,
    .list = docket__sqlite_list,
    .forget = docket__sqlite_forget,
    .purge = docket__sqlite_purge,
    .schema = docket__sqlite_schema,
    .effect = docket__sqlite_effect,
    .effects = docket__sqlite_effects,
    .crashes = docket__sqlite_crashes,
    .transaction_begin = docket__sqlite_transaction_begin,
    .transaction_end = docket__sqlite_transaction_end,
    .acquire = acquire,
    .release = release,
    .await = await,
    .interrupt = interrupt,
    .wait_begin = wait_begin,
    .wait_end = wait_end,
    .releases = releases,
    .close = close_store,
};
