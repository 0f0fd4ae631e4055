/* Field report 51: a file that is newer, half made, garbage, or another application's. It is refused and left as it is,
 * byte for byte; a store whose making was cut short is made by the next start. */
#include "support/child.h"
#include "support/run.h"
#include "support/site.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Square, (INT64, n));

static atomic_int runs;

static docket_status square(docket_ctx *ctx, Square *out, const Number *in)
{
    (void)ctx;
    atomic_fetch_add(&runs, 1);
    out->n = in->n * in->n;
    return DOCKET_OK;
}
DOCKET_STEP(square, Square, Number);

/* Opens, asks for one square, closes. Says whether it had to run. */
static bool use(site *at, const docket_store_options *options)
{
    static const Number seven = {7};
    int before = atomic_load(&runs);
    const docket_step_options step_options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, options),
                                              .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = graph_of_one(NULL, &square_step, &step_options);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Square),
                                                DOCKET_INPUTS(DOCKET_IN(Number, &seven))});
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Square)->n, 49);
    outcome_free(&made);
    docket_graph_free(graph);
    site_close(at);
    return atomic_load(&runs) > before;
}

static void execute_sql(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    sqlite3_close(db);
}

static void assert_whole(const char *file)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "ok");
    sqlite3_finalize(row);
    sqlite3_close(db);
}

/* ---- Untouched ---- */

static const char *const siblings[] = {"", "-wal", "-journal"};
enum { SIBLING_COUNT = sizeof siblings / sizeof siblings[0] };

typedef struct image {
    uint8_t *bytes[SIBLING_COUNT]; /* NULL = not there */
    size_t sizes[SIBLING_COUNT];
    struct timespec changed; /* the database */
} image;

static image take_image(const site *at)
{
    image taken = {.sizes = {0}};
    char path[FOLDER_PATH_ROOM];
    struct stat status;
    for (size_t i = 0; i < SIBLING_COUNT; i++) {
        snprintf(path, sizeof path, "%s%s", at->file, siblings[i]);
        taken.bytes[i] = file_read(path, &taken.sizes[i]);
    }
    assert_int_equal(stat(at->file, &status), 0);
    taken.changed = status.st_mtim;
    return taken;
}

static void free_image(image *of)
{
    for (size_t i = 0; i < SIBLING_COUNT; i++) {
        free(of->bytes[i]);
    }
}

/* Database, log and journal have the bytes they had; an empty log may have been made; docket's side file was not. */
static void assert_same_image(const site *at, const image *before)
{
    image now = take_image(at);
    char path[FOLDER_PATH_ROOM];
    for (size_t i = 0; i < SIBLING_COUNT; i++) {
        assert_int_equal(now.sizes[i], before->sizes[i]);
        if (before->sizes[i] > 0) {
            assert_memory_equal(now.bytes[i], before->bytes[i], before->sizes[i]);
        }
    }
    assert_memory_equal(&now.changed, &before->changed, sizeof now.changed);
    snprintf(path, sizeof path, "%s-docket", at->file);
    assert_false(file_exists(path));
    free_image(&now);
}

/* Opened in every way, deleted: always refused, never changed. `expected` is a set of statuses. */
static void assert_refused(site *at, unsigned expected, const char *what)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options ways[] = {
        {DOCKET_STORE_OPTIONS_INIT},
        {DOCKET_STORE_OPTIONS_INIT, .read_only = true},
        {DOCKET_STORE_OPTIONS_INIT, .must_exist = true},
        {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS, .busy_timeout_ms = 100},
    };
    image before = take_image(at);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        docket_status status = docket_store_open(&at->store, at->url, &ways[i], &error);
        if ((expected & 1u << status) == 0) {
            print_error("%s, way %zu: %s: %s\n", what, i, docket_status_name(status), error.message);
        }
        assert_true((expected & 1u << status) != 0);
        assert_null(at->store);
        assert_contains(error.message, at->file);
        assert_same_image(at, &before);
    }
    free_image(&before);
}

/* No docket store is to be found in it, so it is not docket's to remove either. */
static void assert_not_deleted(site *at, const char *what)
{
    docket_error error = DOCKET_ERROR_INIT;
    image before = take_image(at);
    docket_status status = docket_store_delete(at->url, &error);
    if (status != DOCKET_CORRUPT && status != DOCKET_STORE) {
        print_error("delete %s: %s\n", what, docket_status_name(status));
    }
    assert_true(status == DOCKET_CORRUPT || status == DOCKET_STORE);
    assert_same_image(at, &before);
    free_image(&before);
}

static void remove_all(const site *at)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-docket"};
    char path[FOLDER_PATH_ROOM];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", at->file, suffixes[i]);
        remove(path);
    }
}

#define CORRUPT (1u << DOCKET_CORRUPT)
#define NEWER (1u << DOCKET_SCHEMA_NEWER)
#define STORE (1u << DOCKET_STORE)

/* ---- Other versions ---- */

static void fr_51_other_formats_are_refused(void **state)
{
    site *at = *state;
    static const struct {
        const char *sql;
        unsigned expected;
    } formats[] = {
        {"UPDATE docket_meta SET value = value + 1 WHERE name = 'format'", NEWER},
        {"UPDATE docket_meta SET value = 1000 WHERE name = 'format'", NEWER},
        {"UPDATE docket_meta SET value = 4294967297 WHERE name = 'format'", NEWER},
        {"UPDATE docket_meta SET value = 9223372036854775807 WHERE name = 'format'", NEWER},
        {"UPDATE docket_meta SET value = 0 WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = -1 WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = 'text' WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = '' WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = '1' WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = '2' WHERE name = 'format'", CORRUPT | NEWER},
        {"UPDATE docket_meta SET value = 1.5 WHERE name = 'format'", CORRUPT | NEWER},
        {"UPDATE docket_meta SET value = x'01' WHERE name = 'format'", CORRUPT},
        {"UPDATE docket_meta SET value = NULL WHERE name = 'format'", CORRUPT},
        {"DELETE FROM docket_meta", CORRUPT},
        {"DROP TABLE docket_meta", CORRUPT},
        {"DROP TABLE docket_meta; CREATE TABLE docket_meta (a, b)", CORRUPT},
        {"DROP TABLE docket_meta; CREATE VIEW docket_meta AS SELECT 'format' AS name, 1 AS value", CORRUPT | STORE},
        {"CREATE TABLE intruder (a)", CORRUPT},
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char side[FOLDER_PATH_ROOM];
        use(at, NULL);
        execute_sql(at->file, formats[i].sql);
        snprintf(side, sizeof side, "%s-docket", at->file);
        remove(side);
        assert_refused(at, formats[i].expected, formats[i].sql);
        remove_all(at);
    }
}

/* A program of a newer docket has it open, and its log is not empty. */
static void fr_51_newer_store_with_a_log_is_left_as_it_is(void **state)
{
    site *at = *state;
    char side[FOLDER_PATH_ROOM];
    sqlite3 *db = NULL;
    use(at, NULL);
    snprintf(side, sizeof side, "%s-docket", at->file);
    remove(side);
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    sqlite3_wal_autocheckpoint(db, 0);
    assert_int_equal(sqlite3_exec(db, "UPDATE docket_meta SET value = 2", NULL, NULL, NULL), SQLITE_OK);
    assert_refused(at, NEWER, "newer, open elsewhere");
    sqlite3_close(db);
    assert_refused(at, NEWER, "newer, closed");
}

static void fr_51_store_of_another_prefix_is_refused(void **state)
{
    site *at = *state;
    char side[FOLDER_PATH_ROOM];
    const docket_store_options other = {DOCKET_STORE_OPTIONS_INIT, .prefix = "other_"};
    assert_true(use(at, &other));
    snprintf(side, sizeof side, "%s-docket", at->file);
    remove(side);
    assert_refused(at, CORRUPT, "another prefix");
    assert_false(use(at, &other));
}

/* ---- Garbage ---- */

static void write_garbage(const site *at, const void *head, size_t head_size, size_t size, uint64_t *seed)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)site_random(seed);
    }
    memcpy(bytes, head, head_size);
    assert_true(file_write(at->file, bytes, size));
    free(bytes);
}

static void fr_51_random_files_are_refused(void **state)
{
    site *at = *state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 99, 100, 101, 511, 512, 1024, 4095, 4096, 4097, 65536, 100000};
    static const char sqlite_head[] = "SQLite format 3"; /* with its NUL */
    uint64_t seed = site_seed();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_garbage(at, "", 0, sizes[i], &seed);
        assert_refused(at, CORRUPT | STORE, "random bytes");
        assert_not_deleted(at, "random bytes");
        if (sizes[i] > sizeof sqlite_head) {
            write_garbage(at, sqlite_head, sizeof sqlite_head, sizes[i], &seed);
            assert_refused(at, CORRUPT | STORE, "random bytes behind SQLite's head");
            assert_not_deleted(at, "random bytes behind SQLite's head");
        }
        remove_all(at);
    }
}

static void fr_51_other_kinds_of_files_are_refused(void **state)
{
    site *at = *state;
    static const char zeros[8192];
    static const struct {
        const char *what;
        const void *bytes;
        size_t size;
    } files[] = {
        {"a text", "key: value\n", 11},
        {"a letter", "x", 1},
        {"a newline", "\n", 1},
        {"a picture", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16},
        {"a program",
         "\x7f"
         "ELF\2\1\1",
         7},
        {"an archive", "PK\3\4", 4},
        {"a page of zeros", zeros, 4096},
        {"two pages of zeros", zeros, 8192},
        {"a zero", zeros, 1},
        {"SQLite's head alone", "SQLite format 3", 16},
        {"SQLite 2", "** This file contains an SQLite 2.1 database **", 48},
        {"an old log", "\x37\x7f\x06\x82\0\x2d\xe2\x18", 8},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_true(file_write(at->file, files[i].bytes, files[i].size));
        assert_refused(at, CORRUPT | STORE, files[i].what);
        assert_not_deleted(at, files[i].what);
        remove_all(at);
    }
}

static void fr_51_store_that_was_cut_is_refused(void **state)
{
    site *at = *state;
    size_t size;
    use(at, NULL);
    uint8_t *whole = file_read(at->file, &size);
    assert_non_null(whole);
    /* A last page that is there in part may be in the log: SQLite mends it. */
    for (size_t kept = 1; kept + 4096 <= size; kept += kept < 600 ? 50 : 1500) {
        remove_all(at);
        assert_true(file_write(at->file, whole, kept));
        assert_refused(at, CORRUPT | STORE, "a store that was cut");
    }
    free(whole);
}

/* ---- Other applications ---- */

static void fr_51_other_applications_databases_are_refused(void **state)
{
    site *at = *state;
    static const char *const databases[] = {
        "CREATE TABLE people (name); INSERT INTO people VALUES ('Ada')",
        "PRAGMA journal_mode = wal; CREATE TABLE people (name); INSERT INTO people VALUES ('Ada')",
        "PRAGMA page_size = 65536; CREATE TABLE people (name)",
        "PRAGMA page_size = 512; CREATE TABLE people (name)",
        "PRAGMA encoding = 'UTF-16'; CREATE TABLE people (name)",
        "PRAGMA auto_vacuum = full; CREATE TABLE people (name)",
        "PRAGMA application_id = 4711; CREATE TABLE people (name)",
        "CREATE TABLE meta (name, value); INSERT INTO meta VALUES ('format', 1)",
        "CREATE TABLE docketmeta (name, value)",
        "CREATE TABLE docket_meta (id INTEGER, text)",
        "CREATE TABLE docket_checkpoint (id INTEGER)",
        "CREATE TABLE \"docket_meta \" (name, value)",
        "CREATE TABLE a (b); CREATE TABLE docket_meta (name, value); INSERT INTO docket_meta VALUES ('format', 1)",
        "CREATE VIRTUAL TABLE words USING fts5(text)",
    };
    for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
        execute_sql(at->file, databases[i]);
        assert_refused(at, CORRUPT, databases[i]);
        if (i != 9) { /* whether a table of that name alone is docket's, deleting cannot know */
            assert_not_deleted(at, databases[i]);
        }
        remove_all(at);
    }
}

/* Without tables there is nothing to lose, but somebody has put a mark on it. */
static void fr_51_marked_database_without_tables_is_refused(void **state)
{
    site *at = *state;
    static const char *const databases[] = {
        "PRAGMA application_id = 4711",
        "PRAGMA user_version = 3",
        "CREATE VIEW answer AS SELECT 42",
    };
    for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
        execute_sql(at->file, databases[i]);
        assert_refused(at, CORRUPT, databases[i]);
        assert_not_deleted(at, databases[i]);
        remove_all(at);
    }
}

static void fr_51_application_with_an_open_log_is_left_as_it_is(void **state)
{
    site *at = *state;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE people (name);"
                     "INSERT INTO people VALUES ('Ada')",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_refused(at, CORRUPT, "an application's database that is open");
    assert_not_deleted(at, "an application's database that is open");
    assert_int_equal(sqlite3_exec(db, "INSERT INTO people VALUES ('Grace')", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* An application died in the middle of a transaction: its journal must be there for the application to roll back. */
static void fr_51_applications_hot_journal_is_left_as_it_is(void **state)
{
    site *at = *state;
    execute_sql(at->file, "CREATE TABLE people (name); INSERT INTO people VALUES ('Ada')");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(at->file, &db) == SQLITE_OK &&
            sqlite3_exec(
                db,
                "PRAGMA cache_size = 1; BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                " WHERE i < 3000) INSERT INTO people SELECT printf('person %d', i) FROM n",
                NULL, NULL, NULL) == SQLITE_OK) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    assert_int_equal(child_wait(child, 60000), -SIGKILL);
    image before = take_image(at);
    assert_true(before.sizes[2] > 0);
    free_image(&before);
    assert_refused(at, CORRUPT | STORE, "a hot journal");
    assert_not_deleted(at, "a hot journal");
    assert_whole(at->file); /* and rolls back */
}

/* ---- Initialised ---- */

static void fr_51_empty_file_is_initialised(void **state)
{
    site *at = *state;
    const docket_store_options existing = {DOCKET_STORE_OPTIONS_INIT, .must_exist = true};
    for (int way = 0; way < 2; way++) {
        assert_true(file_write(at->file, "", 0));
        assert_true(use(at, way == 0 ? NULL : &existing));
        assert_false(use(at, NULL));
        assert_whole(at->file);
        remove_all(at);
    }
}

static void fr_51_shared_database_keeps_its_application(void **state)
{
    site *at = *state;
    const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true};
    execute_sql(at->file, "PRAGMA journal_mode = wal; PRAGMA application_id = 4711; PRAGMA user_version = 3;"
                          "CREATE TABLE people (name); INSERT INTO people VALUES ('Ada')");
    assert_true(use(at, &shared));
    assert_false(use(at, &shared));
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT name, (SELECT application_id FROM pragma_application_id), (SELECT"
                                        " user_version FROM pragma_user_version) FROM people",
                                        -1, &row, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "Ada");
    assert_int_equal(sqlite3_column_int(row, 1), 4711);
    assert_int_equal(sqlite3_column_int(row, 2), 3);
    sqlite3_finalize(row);
    sqlite3_close(db);
    assert_whole(at->file);
}

/* ---- Killed while it is made ---- */

/* In a child: the moments that a statement begins or has ended, and the one that is the last. */
static int moments_left;

static int on_moment(unsigned kind, void *arg, void *one, void *other)
{
    (void)kind;
    (void)arg;
    (void)one;
    (void)other;
    if (--moments_left == 0) {
        raise(SIGKILL);
    }
    return 0;
}

static int watch_connection(sqlite3 *db, const char **message, const struct sqlite3_api_routines *routines)
{
    (void)message;
    (void)routines;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, on_moment, NULL);
}

/* Opens the store in a child that dies at this moment. True: it did; false: there are not so many. */
static bool die_at(const site *at, const docket_store_options *options, int moment)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        docket_store *store = NULL;
        moments_left = moment;
        sqlite3_auto_extension((void (*)(void))watch_connection);
        docket_status status = docket_store_open(&store, at->url, options, NULL);
        docket_store_close(store);
        _exit(status != DOCKET_OK);
    }
    int end = child_wait(child, 60000);
    assert_true(end == 0 || end == -SIGKILL);
    return end == -SIGKILL;
}

static void assert_made_by_the_next_start(site *at, const docket_store_options *options)
{
    assert_true(use(at, options));
    assert_false(use(at, options));
    assert_whole(at->file);
}

static void fr_51_killed_making_is_completed_by_the_next_start(void **state)
{
    site *at = *state;
    int moment = 1;
    for (; die_at(at, NULL, moment); moment++) {
        assert_made_by_the_next_start(at, NULL);
        remove_all(at);
    }
    print_message("%d moments\n", moment - 1);
    assert_true(moment > 10);
}

static void fr_51_making_that_is_killed_twice_is_completed(void **state)
{
    site *at = *state;
    uint64_t seed = site_seed();
    for (long round = site_count(15, 2000); round > 0; round--) {
        die_at(at, NULL, 1 + (int)(site_random(&seed) % 40));
        die_at(at, NULL, 1 + (int)(site_random(&seed) % 40));
        use(at, NULL);
        assert_false(use(at, NULL));
        assert_whole(at->file);
        remove_all(at);
    }
}

static void fr_51_killed_making_in_a_shared_database_is_completed(void **state)
{
    site *at = *state;
    const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true};
    static const char *const application = "PRAGMA journal_mode = wal; CREATE TABLE people (name);"
                                           "INSERT INTO people VALUES ('Ada')";
    execute_sql(at->file, application);
    int moment = 1;
    for (; die_at(at, &shared, moment); moment++) {
        assert_made_by_the_next_start(at, &shared);
        execute_sql(at->file, "UPDATE people SET name = 'Grace' WHERE name = 'Ada'");
        remove_all(at);
        execute_sql(at->file, application);
    }
    assert_true(moment > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_51_killed_making_is_completed_by_the_next_start),
        SITE_SQLITE(fr_51_making_that_is_killed_twice_is_completed),
        SITE_SQLITE(fr_51_killed_making_in_a_shared_database_is_completed),
        SITE_SQLITE(fr_51_other_formats_are_refused),
        SITE_SQLITE(fr_51_newer_store_with_a_log_is_left_as_it_is),
        SITE_SQLITE(fr_51_store_of_another_prefix_is_refused),
        SITE_SQLITE(fr_51_random_files_are_refused),
        SITE_SQLITE(fr_51_other_kinds_of_files_are_refused),
        SITE_SQLITE(fr_51_store_that_was_cut_is_refused),
        SITE_SQLITE(fr_51_other_applications_databases_are_refused),
        SITE_SQLITE(fr_51_marked_database_without_tables_is_refused),
        SITE_SQLITE(fr_51_application_with_an_open_log_is_left_as_it_is),
        SITE_SQLITE(fr_51_applications_hot_journal_is_left_as_it_is),
        SITE_SQLITE(fr_51_empty_file_is_initialised),
        SITE_SQLITE(fr_51_shared_database_keeps_its_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
