/* docket's tables in an application's database, and the application's writes under docket's commit lock. */
#include "store/sqlite/inside.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/plant.h"

#include <docket/docket.h>
#include <docket/sqlite.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct host {
    folder folder;
    char file[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 8];
    sqlite3 *db;
    docket_store *store;
    docket_error error;
    int warnings;
} host;

static void note_warning(void *arg, const char *text)
{
    host *self = arg;
    assert_contains(text, "docket_sqlite_begin");
    self->warnings++;
}

static docket_status open_store(host *self)
{
    docket_store_options options = {
        DOCKET_STORE_OPTIONS_INIT, .shared_database = true, .busy_timeout_ms = 200,
        .warning = note_warning,   .warning_arg = self,
    };
    return docket_store_open(&self->store, self->url, &options, &self->error);
}

static void run(host *self, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(self->db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

static int64_t ask(host *self, const char *sql)
{
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(self->db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return answer;
}

static int setup(void **state)
{
    host *self = calloc(1, sizeof *self);
    self->folder = folder_make();
    folder_file(&self->folder, "app.db", self->file);
    snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
    assert_int_equal(sqlite3_open(self->file, &self->db), SQLITE_OK);
    run(self, "PRAGMA journal_mode=wal; PRAGMA application_id=17; PRAGMA user_version=42;"
              "CREATE TABLE victim(name); INSERT INTO victim VALUES ('Ada')");
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    host *self = *state;
    docket_store_close(self->store);
    sqlite3_close(self->db);
    folder_remove(&self->folder);
    free(self);
    return 0;
}

static docket_status put(host *self, int key)
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
    return plant_record(self->store, &record, false, &self->error);
}

static void the_applications_own_stays_as_it_is(void **state)
{
    host *self = *state;
    assert_status(DOCKET_OK, open_store(self));
    assert_status(DOCKET_OK, put(self, 1));
    docket_store_close(self->store);
    self->store = NULL;
    assert_int_equal(ask(self, "PRAGMA application_id"), 17);
    assert_int_equal(ask(self, "PRAGMA user_version"), 42);
    assert_int_equal(ask(self, "SELECT count(*) FROM victim"), 1);
    assert_int_equal(ask(self, "SELECT count(*) FROM docket_checkpoint"), 1);
    assert_status(DOCKET_CORRUPT, docket_store_delete(self->url, &self->error));
}

static void the_journal_mode_is_the_applications(void **state)
{
    host *self = *state;
    run(self, "PRAGMA journal_mode=delete");
    assert_status(DOCKET_STORE, open_store(self));
    assert_contains(self->error.message, "journal_mode=wal");
    assert_int_equal(ask(self, "SELECT count(*) FROM sqlite_master"), 1);
}

static void an_affected_sqlite_is_warned_of(void **state)
{
    host *self = *state;
    int version = sqlite3_libversion_number();
    bool sound = version >= 3051003 || (version >= 3050007 && version < 3051000) ||
                 (version >= 3044006 && version < 3045000);
    assert_status(DOCKET_OK, open_store(self));
    assert_int_equal(self->warnings, sound ? 0 : 1);
}

static void the_application_writes_under_the_lock(void **state)
{
    host *self = *state;
    assert_status(DOCKET_OK, open_store(self));
    assert_status(DOCKET_OK, docket_sqlite_begin(self->store, self->db, &self->error));
    assert_int_equal(sqlite3_get_autocommit(self->db), 0);
    run(self, "INSERT INTO victim VALUES ('Bob')");
    assert_status(DOCKET_STORE, put(self, 1)); /* in vain, as busy_timeout_ms is short */
    assert_status(DOCKET_OK, docket_sqlite_end(self->store, self->db, true, &self->error));
    assert_status(DOCKET_OK, put(self, 1));
    assert_int_equal(ask(self, "SELECT count(*) FROM victim"), 2);
    assert_status(DOCKET_OK, docket_sqlite_begin(self->store, self->db, &self->error));
    run(self, "INSERT INTO victim VALUES ('Eve')");
    assert_status(DOCKET_OK, docket_sqlite_end(self->store, self->db, false, &self->error));
    assert_int_equal(ask(self, "SELECT count(*) FROM victim"), 2);
    assert_status(DOCKET_OK, put(self, 2));
}

static void misuse_is_refused(void **state)
{
    host *self = *state;
    docket_store *memory = NULL;
    sqlite3 *other = NULL;
    assert_status(DOCKET_OK, open_store(self));
    assert_status(DOCKET_OK, docket_store_open(&memory, "memory:", NULL, &self->error));
    assert_int_equal(sqlite3_open(":memory:", &other), SQLITE_OK);
    assert_status(DOCKET_INVALID, docket_sqlite_begin(NULL, self->db, &self->error));
    assert_status(DOCKET_INVALID, docket_sqlite_begin(self->store, NULL, &self->error));
    assert_status(DOCKET_INVALID, docket_sqlite_begin(memory, self->db, &self->error));
    assert_status(DOCKET_INVALID, docket_sqlite_begin(self->store, other, &self->error));
    assert_status(DOCKET_INVALID, docket_sqlite_end(self->store, self->db, true, &self->error));
    run(self, "BEGIN");
    assert_status(DOCKET_INVALID, docket_sqlite_begin(self->store, self->db, &self->error));
    run(self, "COMMIT");
    assert_status(DOCKET_OK, docket_sqlite_begin(self->store, self->db, &self->error));
    assert_status(DOCKET_INVALID, docket_sqlite_end(self->store, other, true, &self->error));
    assert_status(DOCKET_OK, docket_sqlite_end(self->store, self->db, true, &self->error));
    assert_status(DOCKET_OK, put(self, 1));
    sqlite3_close(other);
    docket_store_close(memory);
}

static void a_busy_application_is_no_hang(void **state)
{
    host *self = *state;
    sqlite3 *other = NULL;
    assert_status(DOCKET_OK, open_store(self));
    assert_int_equal(sqlite3_open(self->file, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_status(DOCKET_STORE, docket_sqlite_begin(self->store, self->db, &self->error));
    assert_int_equal(self->error.transient, 1);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_status(DOCKET_OK, docket_sqlite_begin(self->store, self->db, &self->error));
    assert_status(DOCKET_OK, docket_sqlite_end(self->store, self->db, true, &self->error));
    sqlite3_close(other);
}

static void a_transaction_that_ended_early_still_gives_the_lock_back(void **state)
{
    host *self = *state;
    assert_status(DOCKET_OK, open_store(self));
    assert_status(DOCKET_OK, docket_sqlite_begin(self->store, self->db, &self->error));
    run(self, "ROLLBACK");
    assert_status(DOCKET_STORE, docket_sqlite_end(self->store, self->db, true, &self->error));
    assert_contains(self->error.message, "rolled back");
    assert_status(DOCKET_OK, put(self, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_applications_own_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(the_journal_mode_is_the_applications, setup, teardown),
        cmocka_unit_test_setup_teardown(an_affected_sqlite_is_warned_of, setup, teardown),
        cmocka_unit_test_setup_teardown(the_application_writes_under_the_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(misuse_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_busy_application_is_no_hang, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_that_ended_early_still_gives_the_lock_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
