/* The commit lock: among threads, among handles, beside foreign writers, over replaced files and over fork. */
#include "store/record.h"
#include "store/sqlite/inside.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/plant.h"

#include <docket/docket.h>
#include <docket/sqlite.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct bench {
    folder folder;
    char file[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 8];
    docket_store *store;
    docket_error error;
} bench;

static int setup(void **state)
{
    bench *self = calloc(1, sizeof *self);
    self->folder = folder_make();
    folder_file(&self->folder, "store.db", self->file);
    snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
    docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .busy_timeout_ms = 300,
                                    .durability = DOCKET_DURABILITY_PROCESS};
    if (docket_store_open(&self->store, self->url, &options, &self->error) != DOCKET_OK) {
        return 1;
    }
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    bench *self = *state;
    docket_store_close(self->store);
    folder_remove(&self->folder);
    free(self);
    return 0;
}

static docket_status put(docket_store *store, int key, docket_error *error)
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
    return plant_record(store, &record, false, error);
}

static long count_rows(const char *file)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    long count = -1;
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT count(*) FROM docket_checkpoint", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW) {
        count = (long)sqlite3_column_int64(row, 0);
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
    return count;
}

/* ---- Foreign writers ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_busy_file_is_told_of_after_the_timeout(void **state)
{
    bench *self = *state;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(self->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t begin_ms = now_ms();
    assert_status(DOCKET_STORE, put(self->store, 1, &self->error));
    assert_true(now_ms() - begin_ms >= 290);
    assert_int_equal(self->error.transient, 1);
    assert_int_equal(self->error.code & 0xff, SQLITE_BUSY);
    assert_contains(self->error.message, "300 ms");
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_status(DOCKET_OK, put(self->store, 1, &self->error));
    sqlite3_close(db);
}

static void the_commit_lock_is_told_of_after_the_timeout(void **state)
{
    bench *self = *state;
    docket_store *other = NULL;
    sqlite3 *db = NULL;
    assert_status(DOCKET_OK, docket_store_open(&other, self->url, NULL, &self->error));
    assert_int_equal(sqlite3_open(self->file, &db), SQLITE_OK);
    assert_status(DOCKET_OK, docket_sqlite_begin(other, db, &self->error));
    assert_status(DOCKET_STORE, put(self->store, 1, &self->error));
    assert_contains(self->error.message, "commit lock");
    assert_int_equal(self->error.transient, 1);
    assert_status(DOCKET_OK, docket_sqlite_end(other, db, true, &self->error));
    assert_status(DOCKET_OK, put(self->store, 1, &self->error));
    sqlite3_close(db);
    docket_store_close(other);
}

/* ---- Several handles ---- */

typedef struct putter {
    const char *url;
    int first, count;
    docket_status status;
    docket_error error;
} putter;

static void *open_and_put(void *arg)
{
    putter *self = arg;
    docket_store *store = NULL;
    self->status = docket_store_open(&store, self->url, NULL, &self->error);
    for (int i = 0; i < self->count && self->status == DOCKET_OK; i++) {
        self->status = put(store, self->first + i, &self->error);
    }
    docket_store_close(store);
    return NULL;
}

static void handles_of_one_file_wait_for_each_other(void **state)
{
    enum { THREADS = 6, COUNT = 40 };
    bench *self = *state;
    pthread_t threads[THREADS];
    putter putters[THREADS];
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (putter){.url = self->url, .first = i * COUNT, .count = COUNT};
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_put, &putters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(putters[i].error.message, "");
        assert_status(DOCKET_OK, putters[i].status);
    }
    assert_int_equal(count_rows(self->file), THREADS * COUNT);
}

/* The trap: a descriptor of the file that is closed anywhere in the process drops all of SQLite's locks. */
static void opening_and_closing_a_second_handle_loses_nothing(void **state)
{
    enum { ROUNDS = 200 };
    bench *self = *state;
    for (int i = 0; i < ROUNDS; i++) {
        docket_store *other = NULL;
        assert_status(DOCKET_OK, docket_store_open(&other, self->url, NULL, &self->error));
        assert_status(DOCKET_OK, put(self->store, 2 * i, &self->error));
        assert_status(DOCKET_OK, put(other, 2 * i + 1, &self->error));
        if (i % 10 == 0) {
            /* A foreign reader that opens and closes would copy the log and remove it, were it the only one. */
            pid_t child = fork();
            if (child == 0) {
                execlp("sh", "sh", "-c",
                       "exec sqlite3 \"$0\" 'SELECT count(*) FROM docket_checkpoint' >/dev/null 2>&1", self->file,
                       (char *)NULL);
                _exit(0);
            }
            waitpid(child, NULL, 0);
        }
        docket_store_close(other);
        assert_int_equal(count_rows(self->file), 2 * i + 2);
    }
}

/* ---- Replaced files ---- */

static void a_replaced_file_is_noticed(void **state)
{
    bench *self = *state;
    char other[FOLDER_PATH_ROOM];
    size_t size;
    assert_status(DOCKET_OK, put(self->store, 1, &self->error));
    uint8_t *bytes = file_read(self->file, &size);
    assert_true(file_write(folder_file(&self->folder, "other.db", other), bytes, size));
    free(bytes);
    assert_int_equal(rename(other, self->file), 0);
    assert_status(DOCKET_STORE, put(self->store, 2, &self->error));
    assert_contains(self->error.message, "replaced");
    assert_int_equal(self->error.transient, 0);
}

static void a_removed_file_is_noticed(void **state)
{
    bench *self = *state;
    assert_status(DOCKET_OK, put(self->store, 1, &self->error));
    assert_int_equal(unlink(self->file), 0);
    assert_status(DOCKET_STORE, put(self->store, 2, &self->error));
    assert_contains(self->error.message, "removed");
    assert_false(file_exists(self->file));
}

static void a_removed_side_file_is_noticed(void **state)
{
    bench *self = *state;
    char side[FOLDER_PATH_ROOM + 16];
    snprintf(side, sizeof side, "%s-docket", self->file);
    assert_int_equal(unlink(side), 0);
    assert_status(DOCKET_STORE, put(self->store, 1, &self->error));
    assert_contains(self->error.message, side);
}

/* ---- Fork ---- */

static int in_child(bench *self)
{
    docket_store *again = NULL;
    docket_error error;
    docket_buffer *out = docket_buffer_new();
    uint8_t key[32] = {1};
    int wrong = 0;
    wrong |= put(self->store, 2, &error) != DOCKET_FORKED ? 1 : 0;
    wrong |= docket_checkpoint_read(self->store, key, out, &error) != DOCKET_FORKED ? 2 : 0;
    wrong |= docket_store_open(&again, self->url, NULL, &error) != DOCKET_FORKED ? 4 : 0;
    wrong |= docket_store_delete(self->url, &error) != DOCKET_FORKED ? 8 : 0;
    wrong |= docket_store_purge(self->store, NULL, &error) != DOCKET_FORKED ? 16 : 0;
    docket_store_close(self->store);
    docket_buffer_free(out);
    return wrong;
}

static void a_child_cannot_use_or_harm_the_store(void **state)
{
    bench *self = *state;
    assert_status(DOCKET_OK, put(self->store, 1, &self->error));
    for (int i = 0; i < 5; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            _exit(in_child(self));
        }
        assert_status(DOCKET_OK, put(self->store, 10 + i, &self->error));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_status(DOCKET_OK, put(self->store, 20 + i, &self->error));
    }
    assert_int_equal(count_rows(self->file), 11);
}

static void a_child_may_open_what_its_parent_had_not(void **state)
{
    bench *self = *state;
    char url[FOLDER_PATH_ROOM + 16];
    int status = 0;
    snprintf(url, sizeof url, "sqlite:%s2", self->file);
    pid_t child = fork();
    if (child == 0) {
        docket_store *own = NULL;
        docket_error error;
        int wrong = docket_store_open(&own, url, NULL, &error) != DOCKET_OK || put(own, 1, &error) != DOCKET_OK;
        docket_store_close(own);
        _exit(wrong);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A process takes the commit lock, forks, and is killed; its child lives on, and must not keep the lock alive. */
static void locks_die_with_their_process(void **state)
{
    bench *self = *state;
    int from_child[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe(from_child), 0);
    pid_t child = fork();
    if (child == 0) {
        docket_error error;
        docket__side side;
        char path[FOLDER_PATH_ROOM + 16];
        snprintf(path, sizeof path, "%s-docket", self->file);
        if (docket__side_open(&side, path, &error) != DOCKET_OK ||
            docket__side_take(&side, 1000, 0, &error) != DOCKET_OK) {
            _exit(1);
        }
        pid_t own = fork();
        if (own == 0) {
            pause();
            _exit(0);
        }
        if (write(from_child[1], &own, sizeof own) != (ssize_t)sizeof own) {
            _exit(2);
        }
        pause();
        _exit(0);
    }
    assert_int_equal(read(from_child[0], &grandchild, sizeof grandchild), sizeof grandchild);
    assert_status(DOCKET_STORE, put(self->store, 1, &self->error));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    docket_status status = put(self->store, 1, &self->error);
    kill(grandchild, SIGKILL);
    assert_status(DOCKET_OK, status);
    close(from_child[0]);
    close(from_child[1]);
}

/* ---- Transactions of steps ---- */

typedef struct pair {
    docket__side one, other; /* as in two processes */
    char path[FOLDER_PATH_ROOM];
} pair;

static void open_pair(bench *self, pair *made)
{
    folder_file(&self->folder, "side", made->path);
    assert_status(DOCKET_OK, docket__side_open(&made->one, made->path, &self->error));
    assert_status(DOCKET_OK, docket__side_open(&made->other, made->path, &self->error));
}

static void close_pair(pair *self)
{
    docket__side_close(&self->one);
    docket__side_close(&self->other);
}

static void *give_late(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    docket__side_give(arg);
    return NULL;
}

/* `taker` waits for less time than it takes. */
static void take_from(docket__side *owner, docket__side *taker, docket_error *error)
{
    pthread_t giver;
    assert_status(DOCKET_OK, docket__side_take(owner, 50, DOCKET_MINUTES(1), error));
    assert_int_equal(pthread_create(&giver, NULL, give_late, owner), 0);
    docket_status status = docket__side_take(taker, 50, 0, error);
    pthread_join(giver, NULL);
    assert_status(DOCKET_OK, status);
    docket__side_give(taker);
}

static void the_time_of_a_transaction_does_not_count(void **state)
{
    bench *self = *state;
    pair sides;
    open_pair(self, &sides);
    take_from(&sides.one, &sides.other, &self->error);
    take_from(&sides.one, &sides.one, &self->error);
    close_pair(&sides);
}

/* Its process was stopped, or the computer is too slow for it. */
static void a_transaction_beyond_its_limit_is_a_fault(void **state)
{
    bench *self = *state;
    pair sides;
    open_pair(self, &sides);
    assert_status(DOCKET_OK, docket__side_take(&sides.one, 50, 100, &self->error));
    int64_t begin_ms = now_ms();
    assert_status(DOCKET_STORE, docket__side_take(&sides.other, 50, 0, &self->error));
    assert_true(now_ms() - begin_ms >= 140);
    assert_status(DOCKET_STORE, docket__side_take(&sides.one, 50, 0, &self->error));
    docket__side_give(&sides.one);
    assert_status(DOCKET_OK, docket__side_take(&sides.one, 50, 0, &self->error)); /* an ordinary commit now */
    begin_ms = now_ms();
    assert_status(DOCKET_STORE, docket__side_take(&sides.other, 50, 0, &self->error));
    docket__side_give(&sides.one);
    close_pair(&sides);
}

/* Whoever gives the lock back does not get it again before those who wait. */
typedef struct turn {
    docket__side *side;
    atomic_int order;
    int mine;
} turn;

static void *wait_for_turn(void *arg)
{
    turn *self = arg;
    docket_error error;
    if (docket__side_take(self->side, 10000, 0, &error) == DOCKET_OK) {
        self->mine = atomic_fetch_add(&self->order, 1) + 1;
        docket__side_give(self->side);
    }
    return NULL;
}

static void the_lock_is_handed_on(void **state)
{
    bench *self = *state;
    pair sides;
    pthread_t thread;
    open_pair(self, &sides);
    for (int round = 0; round < 20; round++) {
        turn waiting = {.side = &sides.one};
        bool waits = false;
        assert_status(DOCKET_OK, docket__side_take(&sides.one, 50, 0, &self->error));
        assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, &waiting), 0);
        while (!waits) {
            pthread_mutex_lock(&sides.one.lock);
            waits = sides.one.waiting > 0;
            pthread_mutex_unlock(&sides.one.lock);
        }
        docket__side_give(&sides.one);
        assert_status(DOCKET_OK, docket__side_take(&sides.one, 10000, 0, &self->error));
        int second = atomic_fetch_add(&waiting.order, 1) + 1;
        docket__side_give(&sides.one);
        pthread_join(thread, NULL);
        assert_int_equal(waiting.mine, 1);
        assert_int_equal(second, 2);
    }
    close_pair(&sides);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_busy_file_is_told_of_after_the_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(the_commit_lock_is_told_of_after_the_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_of_one_file_wait_for_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_and_closing_a_second_handle_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replaced_file_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_file_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_side_file_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_cannot_use_or_harm_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_may_open_what_its_parent_had_not, setup, teardown),
        cmocka_unit_test_setup_teardown(locks_die_with_their_process, setup, teardown),
        cmocka_unit_test_setup_teardown(the_time_of_a_transaction_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_beyond_its_limit_is_a_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(the_lock_is_handed_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
