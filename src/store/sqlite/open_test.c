/* What files are taken for, which are left alone, and what is made of the others. */
#include "store/record.h"
#include "store/sqlite/inside.h"
#include "support/check.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/plant.h"

#include <docket/docket.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct desk {
    folder folder;
    char file[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 8];
    docket_store *store;
    docket_error error;
} desk;

static int setup(void **state)
{
    desk *self = calloc(1, sizeof *self);
    self->folder = folder_make();
    folder_file(&self->folder, "store.db", self->file);
    snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    desk *self = *state;
    docket_store_close(self->store);
    folder_remove(&self->folder);
    free(self);
    return 0;
}

static docket_status try_open(desk *self, docket_store_options options)
{
    options.struct_size = sizeof options;
    docket_store_close(self->store);
    return docket_store_open(&self->store, self->url, &options, &self->error);
}

#define OPTIONS(...) ((docket_store_options){DOCKET_STORE_OPTIONS_INIT, __VA_ARGS__})
#define DEFAULTS OPTIONS(.prefix = NULL)

static void close_store(desk *self)
{
    docket_store_close(self->store);
    self->store = NULL;
}

static docket_record make_record(int key)
{
    docket_record record = {
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .execution_id = "order-1",
        .step = "pay",
        .type = "Text",
        .value = {(const uint8_t *)"hello", 5},
    };
    memcpy(record.key.bytes, &key, sizeof key);
    return record;
}

static void put(desk *self, int key)
{
    docket_record record = make_record(key);
    if (plant_record(self->store, &record, false, &self->error) != DOCKET_OK) {
        fail_msg("%s", self->error.message);
    }
}

static void assert_has(desk *self, int key)
{
    docket_buffer *out = docket_buffer_new();
    assert_status(DOCKET_OK, docket_checkpoint_read(self->store, make_record(key).key.bytes, out, &self->error));
    assert_int_equal(docket_buffer_bytes(out).size, 5);
    docket_buffer_free(out);
}

/* A store with one record, closed. */
static void make_store(desk *self)
{
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    put(self, 1);
    close_store(self);
}

/* Another program's statements; the connection leaves the log as it is. */
static void run_sql(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    sqlite3_close(db);
}

/* Opening must fail, and leave every byte of the file as it is. */
static void assert_left_alone(desk *self, docket_status expected, const char *part, docket_store_options options)
{
    size_t before_size, after_size;
    char side[FOLDER_PATH_ROOM + 16];
    snprintf(side, sizeof side, "%s-docket", self->file);
    bool had_side = file_exists(side);
    uint8_t *before = file_read(self->file, &before_size);
    assert_non_null(before);
    assert_status(expected, try_open(self, options));
    assert_null(self->store);
    assert_status(expected, self->error.status);
    assert_contains(self->error.message, part);
    assert_contains(self->error.message, self->file);
    uint8_t *after = file_read(self->file, &after_size);
    assert_int_equal(after_size, before_size);
    assert_memory_equal(after, before, before_size);
    assert_int_equal(file_exists(side), had_side);
    free(before);
    free(after);
}

/* ---- Making ---- */

static mode_t mode_of(const char *file, const char *suffix)
{
    char path[FOLDER_PATH_ROOM + 16];
    struct stat status;
    snprintf(path, sizeof path, "%s%s", file, suffix);
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode;
}

static void files_are_for_their_owner_only(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-docket"};
    desk *self = *state;
    mode_t before = umask(022);
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    put(self, 1);
    umask(before);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mode_of(self->file, suffixes[i]), S_IFREG | 0600);
    }
    assert_int_equal(folder_entry_count(self->folder.path), 4);
}

static void a_closed_store_is_whole_in_one_file(void **state)
{
    desk *self = *state;
    char copy[FOLDER_PATH_ROOM];
    size_t size;
    make_store(self);
    uint8_t *bytes = file_read(self->file, &size);
    assert_true(file_write(folder_file(&self->folder, "copy.db", copy), bytes, size));
    free(bytes);
    snprintf(self->url, sizeof self->url, "sqlite:%s", copy);
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    assert_has(self, 1);
}

static void an_empty_file_is_filled(void **state)
{
    desk *self = *state;
    struct stat before, after;
    assert_true(file_write(self->file, "", 0));
    assert_int_equal(stat(self->file, &before), 0);
    make_store(self);
    assert_int_equal(stat(self->file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    assert_has(self, 1);
}

static void a_database_without_tables_is_filled(void **state)
{
    static const char *const sql[] = {
        "PRAGMA page_size=1024; VACUUM; CREATE TABLE t(x); DROP TABLE t",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(x); DROP TABLE t",
    };
    desk *self = *state;
    for (size_t i = 0; i < 2; i++) {
        unlink(self->file);
        run_sql(self->file, sql[i]);
        make_store(self);
        assert_status(DOCKET_OK, try_open(self, DEFAULTS));
        assert_has(self, 1);
        close_store(self);
        assert_status(DOCKET_OK, docket_store_delete(self->url, &self->error));
    }
}

static void two_prefixes_are_not_one_store(void **state)
{
    desk *self = *state;
    make_store(self);
    assert_left_alone(self, DOCKET_CORRUPT, "shared_database", OPTIONS(.prefix = "other_"));
    assert_left_alone(self, DOCKET_CORRUPT, "shared_database", OPTIONS(.prefix = "dock"));
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.prefix = "other_", .shared_database = true)));
    put(self, 2);
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.shared_database = true)));
    assert_has(self, 1);
    docket_buffer *out = docket_buffer_new();
    assert_status(DOCKET_MISSING, docket_checkpoint_read(self->store, make_record(2).key.bytes, out, &self->error));
    docket_buffer_free(out);
}

/* ---- Foreign files ---- */

static void garbage_is_left_alone(void **state)
{
    desk *self = *state;
    uint8_t bytes[65536];
    static const size_t sizes[] = {65536, 4096, 1024, 512, 100, 16, 5, 1};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 167 + i / 3 + 1);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        /* SQLite takes a file of one byte for an empty database; docket looks itself. */
        const char *part = sizes[i] == 1 ? "it holds one byte" : "not a database";
        assert_true(file_write(self->file, bytes, sizes[i]));
        assert_left_alone(self, DOCKET_CORRUPT, part, DEFAULTS);
        assert_left_alone(self, DOCKET_CORRUPT, part, OPTIONS(.read_only = true));
        assert_left_alone(self, DOCKET_CORRUPT, part, OPTIONS(.shared_database = true));
    }
    memset(bytes, 0, sizeof bytes);
    assert_true(file_write(self->file, bytes, 4096));
    assert_left_alone(self, DOCKET_CORRUPT, "not a database", DEFAULTS);
}

static void databases_of_others_are_left_alone(void **state)
{
    static const char *const sql[] = {
        "CREATE TABLE customer(name); INSERT INTO customer VALUES ('Ada')",
        "PRAGMA journal_mode=WAL; CREATE TABLE customer(name); INSERT INTO customer VALUES ('Ada')",
        "CREATE TABLE docket_meta(a, b); INSERT INTO docket_meta VALUES (1, 2)",
        "CREATE TABLE docket_meta(name, value); INSERT INTO docket_meta VALUES ('version', 2)",
        "CREATE TABLE docket_checkpoint(a, b)",
    };
    desk *self = *state;
    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        char other[FOLDER_PATH_ROOM + 16];
        unlink(self->file);
        snprintf(other, sizeof other, "%s-wal", self->file);
        unlink(other);
        run_sql(self->file, sql[i]);
        assert_left_alone(self, DOCKET_CORRUPT, "docket", DEFAULTS);
        assert_left_alone(self, DOCKET_CORRUPT, "docket", OPTIONS(.read_only = true));
        assert_status(DOCKET_CORRUPT, docket_store_delete(self->url, &self->error));
        assert_true(file_exists(self->file));
    }
}

static void an_interrupted_transaction_of_others_is_left_alone(void **state)
{
    desk *self = *state;
    char journal[FOLDER_PATH_ROOM + 16];
    char copy[FOLDER_PATH_ROOM];
    size_t size, journal_size;
    sqlite3 *db = NULL;
    run_sql(self->file, "CREATE TABLE customer(name); INSERT INTO customer VALUES ('Ada')");
    assert_int_equal(sqlite3_open(self->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN;"
                                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                                  " INSERT INTO customer SELECT randomblob(200) FROM n",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    snprintf(journal, sizeof journal, "%s-journal", self->file);
    uint8_t *bytes = file_read(self->file, &size);
    uint8_t *journal_bytes = file_read(journal, &journal_size);
    sqlite3_close(db);
    folder_file(&self->folder, "copy.db", copy);
    assert_true(file_write(copy, bytes, size));
    snprintf(journal, sizeof journal, "%s-journal", copy);
    assert_true(file_write(journal, journal_bytes, journal_size));
    snprintf(self->file, sizeof self->file, "%s", copy);
    snprintf(self->url, sizeof self->url, "sqlite:%s", copy);
    assert_left_alone(self, DOCKET_CORRUPT, "journal", DEFAULTS);
    assert_true(file_exists(journal));
    free(bytes);
    free(journal_bytes);
}

static void an_interrupted_making_is_completed(void **state)
{
    desk *self = *state;
    char journal[FOLDER_PATH_ROOM + 16];
    /* The header of a journal that SQLite writes before the first page: magic, no pages, a nonce, initial size 0. */
    uint8_t head[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 0, 1,    2,
                         3,    4,    0,    0,    0,    0,    0,    0,    2, 0, 0, 0, 0x10, 0};
    uint8_t page[4096] = "SQLite format 3";
    snprintf(journal, sizeof journal, "%s-journal", self->file);
    assert_true(file_write(self->file, page, sizeof page));
    assert_true(file_write(journal, head, sizeof head));
    make_store(self);
    assert_false(file_exists(journal));
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    assert_has(self, 1);
}

/* ---- Versions ---- */

static void newer_stores_are_left_alone(void **state)
{
    desk *self = *state;
    make_store(self);
    run_sql(self->file, "UPDATE docket_meta SET value = value + 1 WHERE name = 'format'");
    assert_left_alone(self, DOCKET_SCHEMA_NEWER, "newer docket", DEFAULTS);
    assert_left_alone(self, DOCKET_SCHEMA_NEWER, "newer docket", OPTIONS(.read_only = true));
    assert_left_alone(self, DOCKET_SCHEMA_NEWER, "newer docket", OPTIONS(.shared_database = true));
    run_sql(self->file, "UPDATE docket_meta SET value = 9223372036854775807 WHERE name = 'format'");
    assert_left_alone(self, DOCKET_SCHEMA_NEWER, "newer docket", DEFAULTS);
    assert_status(DOCKET_OK, docket_store_delete(self->url, &self->error));
    assert_false(file_exists(self->file));
}

static void damaged_versions_are_left_alone(void **state)
{
    static const char *const values[] = {"0", "-1", "'text'", "'1'", "1.5", "x'01'", "NULL"};
    desk *self = *state;
    make_store(self);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE docket_meta SET value = %s WHERE name = 'format'", values[i]);
        run_sql(self->file, sql);
        assert_left_alone(self, DOCKET_CORRUPT, "format", DEFAULTS);
    }
    run_sql(self->file, "DELETE FROM docket_meta");
    assert_left_alone(self, DOCKET_CORRUPT, "format", DEFAULTS);
}

/* ---- Looking only ---- */

static void looking_changes_nothing(void **state)
{
    desk *self = *state;
    size_t before_size, after_size;
    make_store(self);
    uint8_t *before = file_read(self->file, &before_size);
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.read_only = true)));
    assert_has(self, 1);
    docket_record record = make_record(2);
    uint64_t count;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "pay"};
    assert_status(DOCKET_STORE, plant_record(self->store, &record, false, &self->error));
    assert_contains(self->error.message, "read-only");
    assert_status(DOCKET_STORE, docket_checkpoint_forget(self->store, &filter, &count, &self->error));
    assert_status(DOCKET_STORE, docket_store_purge(self->store, &count, &self->error));
    close_store(self);
    uint8_t *after = file_read(self->file, &after_size);
    assert_int_equal(after_size, before_size);
    assert_memory_equal(after, before, before_size);
    free(before);
    free(after);
}

static void looking_makes_no_file(void **state)
{
    desk *self = *state;
    assert_status(DOCKET_STORE, try_open(self, OPTIONS(.read_only = true)));
    assert_contains(self->error.message, "no such file");
    assert_status(DOCKET_STORE, try_open(self, OPTIONS(.must_exist = true)));
    assert_contains(self->error.message, "no such file");
    assert_int_equal(folder_entry_count(self->folder.path), 0);
    assert_true(file_write(self->file, "", 0));
    assert_left_alone(self, DOCKET_CORRUPT, "docket", OPTIONS(.read_only = true));
    assert_int_equal(folder_entry_count(self->folder.path), 1);
}

static void a_look_shares_the_file_with_a_writer(void **state)
{
    desk *self = *state;
    docket_store *writer = NULL;
    assert_status(DOCKET_OK, docket_store_open(&writer, self->url, NULL, &self->error));
    docket_record record = make_record(1);
    assert_status(DOCKET_OK, plant_record(writer, &record, false, &self->error));
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.read_only = true)));
    assert_has(self, 1);
    record = make_record(2);
    assert_status(DOCKET_OK, plant_record(writer, &record, false, &self->error));
    assert_has(self, 2);
    docket_store_close(writer);
    assert_has(self, 2);
}

/* ---- Without permission; in a child that is nobody in particular ---- */

enum { NOBODY = 65534 };

static int as_nobody(const char *what, const char *url)
{
    docket_store *store = NULL;
    docket_error error;
    docket_store_options options = OPTIONS(.read_only = strcmp(what, "look") == 0);
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
        return 2;
    }
    docket_status status = docket_store_open(&store, url, &options, &error);
    if (status == DOCKET_OK) {
        docket_buffer *out = docket_buffer_new();
        status = docket_checkpoint_read(store, make_record(1).key.bytes, out, &error);
        docket_buffer_free(out);
        docket_store_close(store);
    } else if (strstr(error.message, strcmp(what, "look") == 0 ? "read" : "read_only") == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 3;
    }
    return 10 + (int)status;
}

static void folders_and_files_may_be_read_only(void **state)
{
    desk *self = *state;
    char name[FOLDER_PATH_ROOM + 16];
    make_store(self);
    assert_int_equal(chmod(self->file, 0644), 0);
    snprintf(name, sizeof name, "%s-wal", self->file);
    assert_int_equal(chmod(name, 0644), 0);
    snprintf(name, sizeof name, "%s-shm", self->file);
    assert_int_equal(chmod(name, 0644), 0);
    assert_int_equal(chmod(self->folder.path, 0555), 0);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("write", self->url)), 10 + DOCKET_STORE);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("look", self->url)), 10 + DOCKET_OK);
    assert_int_equal(chmod(self->folder.path, 0755), 0);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("write", self->url)), 10 + DOCKET_STORE);
    /* A log that is not empty, but no index to read it by, and none can be made. */
    assert_true(file_write(name, "", 0));
    unlink(name);
    snprintf(name, sizeof name, "%s-wal", self->file);
    uint8_t log[4096] = {0x37, 0x7f, 0x06, 0x82};
    assert_true(file_write(name, log, sizeof log));
    assert_int_equal(chmod(name, 0644), 0);
    assert_int_equal(chmod(self->folder.path, 0555), 0);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("look", self->url)), 10 + DOCKET_STORE);
    assert_int_equal(chmod(self->folder.path, 0700), 0);
}

/* ---- Deleting ---- */

static void deleting_removes_all_files(void **state)
{
    desk *self = *state;
    make_store(self);
    assert_status(DOCKET_OK, docket_store_delete(self->url, &self->error));
    assert_int_equal(folder_entry_count(self->folder.path), 0);
    assert_status(DOCKET_OK, docket_store_delete(self->url, &self->error));
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.prefix = "p_")));
    put(self, 1);
    close_store(self);
    assert_status(DOCKET_OK, docket_store_delete(self->url, &self->error));
    assert_int_equal(folder_entry_count(self->folder.path), 0);
}

static void an_open_store_is_not_deleted(void **state)
{
    desk *self = *state;
    assert_status(DOCKET_OK, try_open(self, DEFAULTS));
    put(self, 1);
    assert_status(DOCKET_STORE, docket_store_delete(self->url, &self->error));
    assert_contains(self->error.message, "open");
    assert_has(self, 1);
    put(self, 2);
}

static void what_is_shared_is_not_deleted(void **state)
{
    desk *self = *state;
    assert_status(DOCKET_OK, try_open(self, OPTIONS(.shared_database = true)));
    close_store(self);
    run_sql(self->file, "CREATE TABLE customer(name)");
    assert_status(DOCKET_CORRUPT, docket_store_delete(self->url, &self->error));
    assert_true(file_exists(self->file));
}

int main(int count, char **arguments)
{
    if (count == 3) {
        return as_nobody(arguments[1], arguments[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_for_their_owner_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_store_is_whole_in_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_database_without_tables_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(two_prefixes_are_not_one_store, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(databases_of_others_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_transaction_of_others_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_making_is_completed, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_stores_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_versions_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_makes_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_look_shares_the_file_with_a_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_and_files_may_be_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(deleting_removes_all_files, setup, teardown),
        cmocka_unit_test_setup_teardown(an_open_store_is_not_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_shared_is_not_deleted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
