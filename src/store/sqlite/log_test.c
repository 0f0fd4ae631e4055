/* The write-ahead log stays small, and a full disk loses nothing. */
#include "store/handle.h"
#include "store/record.h"
#include "store/sqlite/inside.h"
#include "support/check.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/plant.h"

#include <docket/docket.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

typedef struct desk {
    folder folder;
    char file[FOLDER_PATH_ROOM], log[FOLDER_PATH_ROOM + 8];
    char url[FOLDER_PATH_ROOM + 8];
    docket_store *store;
    docket_error error;
    int warnings;
    char warning[512];
} desk;

static void note_warning(void *arg, const char *text)
{
    desk *self = arg;
    self->warnings++;
    snprintf(self->warning, sizeof self->warning, "%s", text);
}

static docket_status open_store(desk *self)
{
    docket_store_options options = {
        DOCKET_STORE_OPTIONS_INIT,
        .durability = DOCKET_DURABILITY_PROCESS,
        .warning = note_warning,
        .warning_arg = self,
    };
    return docket_store_open(&self->store, self->url, &options, &self->error);
}

static void name_files(desk *self, const char *where)
{
    snprintf(self->file, sizeof self->file, "%s/store.db", where);
    snprintf(self->log, sizeof self->log, "%s-wal", self->file);
    snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
}

static int setup(void **state)
{
    desk *self = calloc(1, sizeof *self);
    self->folder = folder_make();
    name_files(self, self->folder.path);
    *state = self;
    return open_store(self) == DOCKET_OK ? 0 : 1;
}

static int teardown(void **state)
{
    desk *self = *state;
    docket_store_close(self->store);
    folder_remove(&self->folder);
    free(self);
    return 0;
}

static docket_record make_record(int key, const uint8_t *bytes, size_t size)
{
    docket_record record = {
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .execution_id = "order-1",
        .step = "load",
        .type = "Bytes",
        .value = {bytes, size},
    };
    memcpy(record.key.bytes, &key, sizeof key);
    return record;
}

static docket_status put(desk *self, int key, size_t size)
{
    uint8_t *bytes = malloc(size);
    memset(bytes, key, size);
    docket_record record = make_record(key, bytes, size);
    docket_status status = plant_record(self->store, &record, false, &self->error);
    free(bytes);
    return status;
}

static int64_t size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : -1;
}

static docket__log *log_of(desk *self)
{
    return &((docket__sqlite *)self->store->self)->log;
}

/* Steps of 64 KiB instead of 4 MiB: 1 MiB is large, 4 MiB is worth a warning. */
static void take_small_steps(desk *self)
{
    log_of(self)->step_bytes = 65536;
}

static void the_log_is_copied_and_restarted(void **state)
{
    desk *self = *state;
    take_small_steps(self);
    for (int i = 0; i < 200; i++) {
        assert_status(DOCKET_OK, put(self, i, 8000));
        assert_true(size_of(self->log) < 150000);
    }
    assert_true(size_of(self->file) > 1000000);
}

static void closing_leaves_an_empty_log(void **state)
{
    desk *self = *state;
    docket_store *other = NULL;
    assert_status(DOCKET_OK, put(self, 1, 50000));
    assert_status(DOCKET_OK, docket_store_open(&other, self->url, NULL, &self->error));
    docket_store_close(self->store);
    assert_true(size_of(self->log) > 50000);
    docket_store_close(other);
    assert_int_equal(size_of(self->log), 0);
    assert_status(DOCKET_OK, open_store(self));
}

/* A reader of another program that stays in its transaction. */
static sqlite3 *begin_to_read(desk *self)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(self->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM docket_checkpoint", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static void an_old_reader_is_told_of_and_forgiven(void **state)
{
    desk *self = *state;
    take_small_steps(self);
    assert_status(DOCKET_OK, put(self, 0, 1000));
    sqlite3 *db = begin_to_read(self);
    int key = 1;
    while (self->warnings == 0 && key < 1000) {
        assert_status(DOCKET_OK, put(self, key++, 30000));
    }
    assert_int_equal(self->warnings, 1);
    assert_contains(self->warning, self->file);
    assert_contains(self->warning, "reader");
    assert_true(size_of(self->log) >= 64 * 65536);
    for (int i = 0; i < 20; i++) {
        assert_status(DOCKET_OK, put(self, key++, 30000));
    }
    assert_int_equal(self->warnings, 1);
    sqlite3_close(db);
    for (int i = 0; i < 6; i++) {
        assert_status(DOCKET_OK, put(self, key++, 30000));
    }
    assert_true(size_of(self->log) < 10 * 65536);
    for (int i = 0; i < key; i++) {
        docket_buffer *out = docket_buffer_new();
        docket_record record = make_record(i, NULL, 0);
        assert_status(DOCKET_OK, docket_checkpoint_read(self->store, record.key.bytes, out, &self->error));
        docket_buffer_free(out);
    }
}

/* ---- A full disk: a small file system in a mount namespace of a child ---- */

enum { VALUE_BYTES = 100000, NOT_ALLOWED = 77 };

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, self->error.message); \
            return 1;                                                                        \
        }                                                                                    \
    } while (0)

static bool mount_small(const char *disk)
{
    bool apart = geteuid() == 0 ? unshare(CLONE_NEWNS) == 0 : unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    return apart && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", disk, "tmpfs", 0, "size=4m,mode=0700") == 0;
}

static bool is_whole(desk *self, int key)
{
    docket_buffer *out = docket_buffer_new();
    docket_record record = make_record(key, NULL, 0);
    bool whole = docket_checkpoint_read(self->store, record.key.bytes, out, &self->error) == DOCKET_OK &&
                 docket_buffer_bytes(out).size == VALUE_BYTES;
    docket_buffer_free(out);
    return whole;
}

static int fill_a_disk(const char *disk)
{
    static desk place;
    desk *self = &place;
    char ballast[FOLDER_PATH_ROOM];
    uint8_t bytes[300000] = {0};
    if (!mount_small(disk)) {
        return NOT_ALLOWED;
    }
    name_files(self, disk);
    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    CHECK(file_write(ballast, bytes, sizeof bytes));
    CHECK(open_store(self) == DOCKET_OK);
    int key = 0;
    while (put(self, key, VALUE_BYTES) == DOCKET_OK) {
        CHECK(++key < 100);
    }
    CHECK(self->error.status == DOCKET_STORE);
    CHECK(strstr(self->error.message, "no space") != NULL);
    CHECK(self->error.code != 0);
    CHECK(key > 2);
    CHECK(put(self, key, VALUE_BYTES) == DOCKET_STORE);
    for (int i = 0; i < key; i++) {
        CHECK(is_whole(self, i));
    }
    CHECK(!is_whole(self, key) && self->error.status == DOCKET_MISSING);
    CHECK(unlink(ballast) == 0);
    CHECK(put(self, key, VALUE_BYTES) == DOCKET_OK);
    docket_store_close(self->store);
    CHECK(open_store(self) == DOCKET_OK);
    for (int i = 0; i <= key; i++) {
        CHECK(is_whole(self, i));
    }
    docket_store_close(self->store);
    return 0;
}

/* No room for the first page, or for the log's index. */
static int open_on_a_full_disk(const char *disk)
{
    static desk place;
    desk *self = &place;
    char ballast[FOLDER_PATH_ROOM];
    uint8_t bytes[4096] = {0};
    if (!mount_small(disk)) {
        return NOT_ALLOWED;
    }
    name_files(self, disk);
    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    for (int left = 0; left < 20; left++) {
        FILE *file = fopen(ballast, "we");
        CHECK(file != NULL);
        for (int page = 0; page < 1023 - left; page++) {
            (void)fwrite(bytes, 1, sizeof bytes, file);
        }
        (void)fclose(file);
        if (open_store(self) == DOCKET_OK) {
            (void)put(self, left, 10);
        }
        CHECK(self->error.status == DOCKET_OK ||
              (self->error.status == DOCKET_STORE && strstr(self->error.message, "no space") != NULL));
        docket_store_close(self->store);
        self->store = NULL;
        CHECK(unlink(ballast) == 0);
        CHECK(open_store(self) == DOCKET_OK);
        CHECK(put(self, 1000 + left, 10) == DOCKET_OK);
        docket_store_close(self->store);
        self->store = NULL;
        CHECK(docket_store_delete(self->url, &self->error) == DOCKET_OK);
    }
    return 0;
}

static void run_apart(desk *self, const char *what)
{
    char disk[FOLDER_PATH_ROOM];
    folder_file(&self->folder, "disk", disk);
    assert_int_equal(mkdir(disk, 0700), 0);
    int result = child_run(NULL, CHILD_ARGUMENTS(what, disk));
    if (result == NOT_ALLOWED) {
        print_message("mounting a small file system is not allowed here\n");
        skip();
    }
    assert_int_equal(result, 0);
}

static void a_full_disk_is_named_and_loses_nothing(void **state)
{
    run_apart(*state, "fill");
}

static void a_disk_may_be_full_from_the_start(void **state)
{
    run_apart(*state, "open");
}

int main(int count, char **arguments)
{
    if (count == 3) {
        return strcmp(arguments[1], "fill") == 0 ? fill_a_disk(arguments[2]) : open_on_a_full_disk(arguments[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_log_is_copied_and_restarted, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_leaves_an_empty_log, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_reader_is_told_of_and_forgiven, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_named_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_may_be_full_from_the_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
