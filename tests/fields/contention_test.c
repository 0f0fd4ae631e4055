/* Field report 22: a busy timeout that never applied. Eight processes write one SQLite file; reads, commits and writes
 * interleave; a writer that is blocked for longer than busy_timeout_ms is told so. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/sqlite.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROCESSES = 8, STEPS = 250 };

DOCKET_STRUCT(Job, (INT64, worker), (INT64, number));
DOCKET_STRUCT(Done, (INT64, worker), (INT64, number), (STRING, text));
DOCKET_STRUCT(Other, (INT64, number));

static docket_status work(docket_ctx *ctx, Done *out, const Job *in)
{
    ledger_note(docket_ctx_user(ctx), "work-%d-%d", (int)in->worker, (int)in->number);
    *out = (Done){in->worker, in->number, docket_printf(ctx, "%d of %d", (int)in->number, (int)in->worker)};
    return DOCKET_OK;
}
DOCKET_STEP(work, Done, Job);

static docket_graph *work_graph(docket_store *store, const char *folder_path)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = (void *)(uintptr_t)folder_path};
    docket_graph *graph = docket_graph_new("work", NULL);
    if (docket_graph_add(graph, &work_step, &options) != DOCKET_OK ||
        docket_graph_validate(graph, NULL) != DOCKET_OK) {
        abort();
    }
    return graph;
}

static docket_status do_job(docket_graph *graph, int64_t worker, int64_t number, docket_error *error)
{
    const Job job = {worker, number};
    docket_result *result = NULL;
    docket_status status = docket_execute(
        graph,
        &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Done), DOCKET_INPUTS(DOCKET_IN(Job, &job))},
        &result, error);
    if (status == DOCKET_OK &&
        (DOCKET_RESULT(result, Done)->worker != worker || DOCKET_RESULT(result, Done)->number != number)) {
        status = DOCKET_CORRUPT;
    }
    docket_result_free(result);
    return status;
}

/* A process: does jobs 0 ... count - 1 of a worker. */
static int work_alone(const char *url, const char *folder_path, int64_t worker, int64_t count)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    docket_status status = docket_store_open(&store, url, NULL, &error);
    if (status == DOCKET_OK) {
        docket_graph *graph = work_graph(store, folder_path);
        for (int64_t i = 0; i < count && status == DOCKET_OK; i++) {
            status = do_job(graph, worker, i, &error);
        }
        docket_graph_free(graph);
    }
    docket_store_close(store);
    if (status != DOCKET_OK) {
        fprintf(stderr, "worker %d: %s: %s\n", (int)worker, docket_status_name(status), error.message);
    }
    return status != DOCKET_OK;
}

static void run_processes(const site *at, int count)
{
    char workers[PROCESSES][16], jobs[16];
    pid_t children[PROCESSES];
    snprintf(jobs, sizeof jobs, "%d", count);
    for (int i = 0; i < PROCESSES; i++) {
        snprintf(workers[i], sizeof workers[i], "%d", i);
        children[i] = child_start(NULL, CHILD_ARGUMENTS("work", at->url, at->folder.path, workers[i], jobs));
    }
    int failures = 0;
    for (int i = 0; i < PROCESSES; i++) {
        failures += child_wait(children[i], 120000) != 0;
    }
    assert_int_equal(failures, 0);
}

/* The answer of a statement to a plain connection. */
static void ask_sqlite(const site *at, const char *sql, char answer[64])
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open_v2(at->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    snprintf(answer, 64, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
}

static void assert_all_done_once(site *at, int count)
{
    char answer[64], expected[16];
    ask_sqlite(at, "PRAGMA integrity_check", answer);
    assert_string_equal(answer, "ok");
    ask_sqlite(at, "SELECT count(*) FROM docket_checkpoint WHERE kind = 1", answer);
    snprintf(expected, sizeof expected, "%d", PROCESSES * count);
    assert_string_equal(answer, expected);
    docket_error error;
    docket_graph *graph = work_graph(site_open(at, NULL), at->folder.path);
    for (int worker = 0; worker < PROCESSES; worker++) {
        for (int number = 0; number < count; number++) {
            assert_status(DOCKET_OK, do_job(graph, worker, number, &error));
            assert_int_equal(ledger_count(at->folder.path, "work-%d-%d", worker, number), 1);
        }
    }
    docket_graph_free(graph);
    site_close(at);
}

static void fr_22_eight_processes_write_one_file(void **state)
{
    site *at = *state;
    run_processes(at, STEPS);
    assert_all_done_once(at, STEPS);
}

static void fr_22_eight_processes_make_the_file_at_once(void **state)
{
    site *at = *state;
    for (long round = site_count(3, 200); round > 0; round--) {
        run_processes(at, 1);
        assert_all_done_once(at, 1);
        assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
        folder_remove(&at->folder);
        at->folder = folder_make();
        snprintf(at->file, sizeof at->file, "%s/store.db", at->folder.path);
        snprintf(at->url, sizeof at->url, "sqlite:%s", at->file);
    }
}

/* ---- Threads, each with a store of its own on the file ---- */

typedef struct worker {
    pthread_t thread;
    const site *at;
    int number;
    int result;
} worker;

static void *work_in_thread(void *arg)
{
    worker *self = arg;
    self->result = work_alone(self->at->url, self->at->folder.path, self->number, 25);
    return NULL;
}

static void fr_22_eight_stores_in_one_process_write_one_file(void **state)
{
    site *at = *state;
    worker workers[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        workers[i] = (worker){.at = at, .number = i, .result = -1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work_in_thread, &workers[i]), 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].result, 0);
    }
    assert_all_done_once(at, 25);
}

/* ---- Forced interleavings ---- */

/* Commits through another store on the same file, between this step's look-up and its own commit. */
static docket_status read_then_write(docket_ctx *ctx, Other *out, const Job *in)
{
    docket_error error;
    docket_graph *between = docket_ctx_user(ctx);
    for (int64_t i = 0; i < 3; i++) {
        if (do_job(between, in->worker, in->number + i, &error) != DOCKET_OK) {
            return docket_fail_from(ctx, &error);
        }
    }
    out->number = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(read_then_write, Other, Job);

static void fr_22_commit_between_a_read_and_its_write(void **state)
{
    site *at = *state;
    docket_store *other = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_store_open(&other, at->url, NULL, &error));
    docket_graph *between = work_graph(other, at->folder.path);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = between};
    docket_graph *graph = graph_of_one(NULL, &read_then_write_step, &options);
    for (int64_t i = 0; i < 20; i++) {
        const Job job = {1, i * 10};
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Other),
                                        DOCKET_INPUTS(DOCKET_IN(Job, &job))};
        outcome made = run(graph, &request);
        assert_string_equal(made.error.message, "");
        assert_status(DOCKET_OK, made.status);
        outcome_free(&made);
    }
    docket_graph_free(graph);
    docket_graph_free(between);
    docket_store_close(other);
}

/* A plain connection to the file, with a transaction begun. */
static sqlite3 *begin_foreign(const site *at, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_wal_autocheckpoint(db, 0);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void end_foreign(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void fr_22_old_readers_block_nobody(void **state)
{
    site *at = *state;
    docket_error error;
    docket_graph *graph = work_graph(site_open(at, NULL), at->folder.path);
    assert_status(DOCKET_OK, do_job(graph, 0, 0, &error));
    sqlite3 *reader = begin_foreign(at, "BEGIN; SELECT count(*) FROM docket_checkpoint");
    for (int64_t i = 1; i < 20; i++) {
        assert_status(DOCKET_OK, do_job(graph, 0, i, &error));
    }
    end_foreign(reader);
    docket_graph_free(graph);
}

/* A writer that another holds up for so long must be told, and go on afterwards as if nothing had been. */
static void assert_told_when_blocked(site *at, const char *sql)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options hasty = {DOCKET_STORE_OPTIONS_INIT, .busy_timeout_ms = 150};
    docket_graph *graph = work_graph(site_open(at, &hasty), at->folder.path);
    assert_status(DOCKET_OK, do_job(graph, 0, 0, &error));
    sqlite3 *writer = begin_foreign(at, sql);
    assert_status(DOCKET_STORE, do_job(graph, 0, 1, &error));
    assert_contains(error.message, "150 ms");
    assert_int_equal(error.transient, 1);
    assert_int_equal(ledger_count(at->folder.path, "work-0-1"), 1);
    assert_status(DOCKET_OK, do_job(graph, 0, 0, &error));
    end_foreign(writer);
    assert_status(DOCKET_OK, do_job(graph, 0, 1, &error));
    assert_status(DOCKET_OK, do_job(graph, 0, 1, &error));
    assert_int_equal(ledger_count(at->folder.path, "work-0-1"), 2);
    docket_graph_free(graph);
}

static void fr_22_blocked_writer_is_told(void **state)
{
    assert_told_when_blocked(*state, "BEGIN IMMEDIATE");
}

static void fr_22_writer_blocked_by_an_exclusive_transaction_is_told(void **state)
{
    assert_told_when_blocked(*state, "BEGIN EXCLUSIVE");
}

typedef struct holder {
    pthread_t thread;
    sqlite3 *db;
    gate entered;
} holder;

static void *hold_for_a_while(void *arg)
{
    holder *self = arg;
    gate_wait(&self->entered);
    pause_ms(300);
    sqlite3_exec(self->db, "COMMIT", NULL, NULL, NULL);
    return NULL;
}

static docket_status announce(docket_ctx *ctx, Other *out, const Job *in)
{
    gate_arrive(docket_ctx_user(ctx));
    out->number = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(announce, Other, Job);

static void fr_22_short_block_is_waited_for(void **state)
{
    site *at = *state;
    holder by = {.entered = GATE_INIT(1)};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = &by.entered};
    docket_graph *graph = graph_of_one(NULL, &announce_step, &options);
    by.db = begin_foreign(at, "BEGIN IMMEDIATE");
    assert_int_equal(pthread_create(&by.thread, NULL, hold_for_a_while, &by), 0);
    const Job job = {1, 1};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Other),
                                    DOCKET_INPUTS(DOCKET_IN(Job, &job))};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    pthread_join(by.thread, NULL);
    sqlite3_close(by.db);
    docket_graph_free(graph);
}

/* ---- docket's own commit lock, held by another process ---- */

/* Takes the lock, says so, and keeps it until it is killed. */
static int hold_lock(const char *url, const char *folder_path)
{
    docket_store *store = NULL;
    sqlite3 *db = NULL;
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK ||
        sqlite3_open(url + strlen("sqlite:"), &db) != SQLITE_OK ||
        docket_sqlite_begin(store, db, NULL) != DOCKET_OK) {
        return 1;
    }
    ledger_note(folder_path, "held");
    pause();
    return 0;
}

static void fr_22_writer_blocked_by_a_stopped_process_is_told(void **state)
{
    site *at = *state;
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options hasty = {DOCKET_STORE_OPTIONS_INIT, .busy_timeout_ms = 150};
    docket_store *second = NULL;
    docket_graph *graph = work_graph(site_open(at, &hasty), at->folder.path);
    assert_status(DOCKET_OK, do_job(graph, 0, 0, &error));
    pid_t child = child_start(NULL, CHILD_ARGUMENTS("hold", at->url, at->folder.path));
    for (int i = 0; i < 10000 && ledger_count(at->folder.path, "held") == 0; i++) {
        pause_ms(2);
    }
    assert_int_equal(kill(child, SIGSTOP), 0);
    assert_status(DOCKET_STORE, do_job(graph, 0, 1, &error));
    assert_contains(error.message, "150 ms");
    assert_status(DOCKET_OK, do_job(graph, 0, 0, &error));
    /* Another store cannot be opened to write meanwhile, and says why. */
    docket_status status = docket_store_open(&second, at->url, &hasty, &error);
    assert_true(status == DOCKET_OK || status == DOCKET_STORE);
    docket_store_close(second);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(child_wait(child, 60000), -SIGKILL);
    assert_status(DOCKET_OK, do_job(graph, 0, 1, &error));
    docket_graph_free(graph);
}

/* ---- An application and two stores in one file ---- */

enum { SHARED_STEPS = 40, APPLICATIONS = 2 };

/* A process of the application: adds rows of its own under docket's commit lock. */
static int apply(const char *url, const char *prefix)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    sqlite3 *db = NULL;
    const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .prefix = prefix, .shared_database = true};
    docket_status status = docket_store_open(&store, url, &shared, &error);
    if (status != DOCKET_OK || sqlite3_open(url + strlen("sqlite:"), &db) != SQLITE_OK) {
        return 1;
    }
    sqlite3_wal_autocheckpoint(db, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (int i = 0; i < SHARED_STEPS && status == DOCKET_OK; i++) {
        status = docket_sqlite_begin(store, db, &error);
        bool written = status == DOCKET_OK &&
                       sqlite3_exec(db, "INSERT INTO people VALUES ('Ada')", NULL, NULL, NULL) == SQLITE_OK;
        if (status == DOCKET_OK) {
            status = docket_sqlite_end(store, db, written && i % 4 != 3, &error); /* every fourth is taken back */
        }
        status = status == DOCKET_OK && !written ? DOCKET_STORE : status;
    }
    sqlite3_close(db);
    docket_store_close(store);
    if (status != DOCKET_OK) {
        fprintf(stderr, "application: %s: %s\n", docket_status_name(status), error.message);
    }
    return status != DOCKET_OK;
}

static int work_beside(const char *url, const char *folder_path, const char *prefix, int64_t place)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .prefix = prefix, .shared_database = true};
    docket_status status = docket_store_open(&store, url, &shared, &error);
    if (status == DOCKET_OK) {
        docket_graph *graph = work_graph(store, folder_path);
        for (int64_t i = 0; i < SHARED_STEPS && status == DOCKET_OK; i++) {
            status = do_job(graph, place, i, &error);
        }
        docket_graph_free(graph);
    }
    docket_store_close(store);
    if (status != DOCKET_OK) {
        fprintf(stderr, "worker %d: %s: %s\n", (int)place, docket_status_name(status), error.message);
    }
    return status != DOCKET_OK;
}

static void assert_number(const site *at, const char *sql, int expected)
{
    char answer[64], digits[16];
    ask_sqlite(at, sql, answer);
    snprintf(digits, sizeof digits, "%d", expected);
    assert_string_equal(answer, digits);
}

static void fr_22_application_and_two_stores_write_one_file(void **state)
{
    enum { WORKERS = 4 };
    static const char *const prefixes[] = {"first_", "second_"};
    site *at = *state;
    sqlite3 *db = begin_foreign(at, "PRAGMA journal_mode = wal; CREATE TABLE people (name)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    pid_t children[WORKERS + APPLICATIONS];
    int ends = 0;
    for (int i = 0; i < WORKERS + APPLICATIONS; i++) {
        char digits[16];
        const char *prefix = prefixes[i % 2];
        snprintf(digits, sizeof digits, "%d", i);
        children[i] = i < WORKERS
                          ? child_start(NULL, CHILD_ARGUMENTS("beside", at->url, at->folder.path, prefix, digits))
                          : child_start(NULL, CHILD_ARGUMENTS("apply", at->url, prefix));
    }
    for (int i = 0; i < WORKERS + APPLICATIONS; i++) {
        ends |= child_wait(children[i], 120000);
    }
    assert_int_equal(ends, 0);
    assert_number(at, "SELECT count(*) FROM people", APPLICATIONS * SHARED_STEPS * 3 / 4);
    assert_number(at, "SELECT count(*) FROM first_checkpoint WHERE kind = 1", WORKERS / 2 * SHARED_STEPS);
    assert_number(at, "SELECT count(*) FROM second_checkpoint WHERE kind = 1", WORKERS / 2 * SHARED_STEPS);
    char answer[64];
    ask_sqlite(at, "PRAGMA integrity_check", answer);
    assert_string_equal(answer, "ok");
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(work_beside(at->url, at->folder.path, prefixes[i % 2], i), 0);
        for (int number = 0; number < SHARED_STEPS; number++) {
            assert_int_equal(ledger_count(at->folder.path, "work-%d-%d", i, number), 1);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "beside") == 0) {
        return work_beside(argv[2], argv[3], argv[4], strtol(argv[5], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "apply") == 0) {
        return apply(argv[2], argv[3]);
    }
    if (argc == 6 && strcmp(argv[1], "work") == 0) {
        return work_alone(argv[2], argv[3], strtol(argv[4], NULL, 10), strtol(argv[5], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        return hold_lock(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_22_eight_processes_write_one_file),
        SITE_SQLITE(fr_22_eight_processes_make_the_file_at_once),
        SITE_SQLITE(fr_22_eight_stores_in_one_process_write_one_file),
        SITE_SQLITE(fr_22_commit_between_a_read_and_its_write),
        SITE_SQLITE(fr_22_old_readers_block_nobody),
        SITE_SQLITE(fr_22_application_and_two_stores_write_one_file),
        SITE_SQLITE(fr_22_blocked_writer_is_told),
        SITE_SQLITE(fr_22_writer_blocked_by_an_exclusive_transaction_is_told),
        SITE_SQLITE(fr_22_short_block_is_waited_for),
        SITE_SQLITE(fr_22_writer_blocked_by_a_stopped_process_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
