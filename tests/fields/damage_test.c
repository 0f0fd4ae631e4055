/* Field report 12, SQLite: rows changed behind docket's back, and a database file with random damage. What is read is the
 * recorded value, a status, or (where the damage hides the row) a new run; never another value, never a crash. */
#include "support/run.h"
#include "support/site.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Question, (STRING, text));
DOCKET_STRUCT(Answer, (STRING, text), (INT64, number), (LIST(INT64), list));

static atomic_int answered;

static docket_status answer(docket_ctx *ctx, Answer *out, const Question *in)
{
    static const int64_t list[] = {1, 2, 3};
    atomic_fetch_add(&answered, 1);
    out->text = docket_printf(ctx, "answer to %s", in->text);
    out->number = 42;
    out->list = list;
    out->list_count = 3;
    return DOCKET_OK;
}
DOCKET_STEP(answer, Answer, Question);

/* What came of asking, as a set of one. The statuses beside OK stand at their own number. */
typedef uint32_t verdict;
#define SAYS(status) ((verdict)1 << DOCKET_##status)
enum { RESTORED = 1u << 28, RAN = 1u << 29, WRONG = 1u << 30 };
#define REFUSED (SAYS(CORRUPT) | SAYS(TYPE) | SAYS(SCHEMA_NEWER) | SAYS(STORE))

static const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};

static verdict judge(const outcome *made, int runs)
{
    if (made->status != DOCKET_OK) {
        return (verdict)1 << made->status;
    }
    const Answer *got = DOCKET_RESULT(made->result, Answer);
    bool right = strcmp(got->text, "answer to everything") == 0 && got->number == 42 && got->list_count == 3 &&
                 got->list[0] == 1 && got->list[1] == 2 && got->list[2] == 3;
    return !right ? WRONG : runs == 0 ? RESTORED : RAN;
}

static verdict ask(docket_store *store)
{
    static const Question question = {"everything"};
    int before = atomic_load(&answered);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = graph_of_one(NULL, &answer_step, &options);
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "damaged", .output = DOCKET_OF(Answer),
                                     DOCKET_INPUTS(DOCKET_IN(Question, &question))});
    verdict came = judge(&made, atomic_load(&answered) - before);
    outcome_free(&made);
    docket_graph_free(graph);
    return came;
}

static bool count_entry(void *arg, const docket_checkpoint *entry)
{
    *(size_t *)arg += strlen(entry->step) + strlen(entry->execution_id) + strlen(entry->type);
    return true;
}

/* Looks at everything; nothing is expected of it but to come back. */
static void look_around(docket_store *store)
{
    docket_error error;
    size_t seen = 0;
    uint64_t count;
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true, .expired = true};
    const docket_checkpoint_filter one = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "damaged"};
    if (docket_checkpoint_list(store, &all, count_entry, &seen, &error) == DOCKET_OK &&
        docket_checkpoint_list(store, &one, count_entry, &seen, &error) == DOCKET_OK &&
        docket_store_purge(store, &count, &error) == DOCKET_OK) {
        assert_true(seen < 100000);
    }
}

static void record(site *at)
{
    assert_int_equal(ask(site_open(at, &fast)), RAN);
    assert_int_equal(ask(at->store), RESTORED);
}

/* ---- Rows ---- */

typedef struct damage {
    const char *sql;
    verdict allowed;
} damage;

#define SET(assignment) "UPDATE docket_checkpoint SET " assignment

static const damage damages[] = {
    {SET("value = zeroblob(length(value))"), SAYS(CORRUPT)},
    {SET("value = NULL"), SAYS(CORRUPT)},
    {SET("value = x''"), SAYS(CORRUPT)},
    {SET("value = 'answer to everything'"), SAYS(CORRUPT)},
    {SET("value = 17"), SAYS(CORRUPT)},
    {SET("value = 1e300"), SAYS(CORRUPT)},
    {SET("value = value || x'00'"), SAYS(CORRUPT)},
    {SET("value = substr(value, 1, length(value) - 1)"), SAYS(CORRUPT)},
    {SET("value = zeroblob(10000000)"), SAYS(CORRUPT)},
    {SET("checksum = NULL"), SAYS(CORRUPT)},
    {SET("checksum = x''"), SAYS(CORRUPT)},
    {SET("checksum = zeroblob(16)"), SAYS(CORRUPT)},
    {SET("checksum = substr(checksum, 1, 15)"), SAYS(CORRUPT)},
    {SET("checksum = checksum || x'00'"), SAYS(CORRUPT)},
    {SET("checksum = 'sixteen letters.'"), SAYS(CORRUPT)},
    {SET("format = 2"), SAYS(SCHEMA_NEWER)},
    {SET("format = 4294967297"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("format = 0"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("format = 'text'"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("codec = 7"), SAYS(SCHEMA_NEWER)},
    {SET("codec = -1"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("codec = 4294967296"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("kind = 2"), SAYS(CORRUPT)},
    {SET("kind = 0"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("kind = 9"), SAYS(SCHEMA_NEWER)},
    {SET("kind = 4294967297"), SAYS(SCHEMA_NEWER) | SAYS(CORRUPT)},
    {SET("kind = 3"), RAN | SAYS(CORRUPT)},
    {SET("type = 9999"), SAYS(CORRUPT)},
    /* A row that was moved to another execution or step is not found where it was, as with another key. */
    {SET("step = 9999"), RAN | SAYS(CORRUPT)},
    {SET("execution = 9999"), RAN | SAYS(CORRUPT)},
    {SET("execution = -1"), RAN | SAYS(CORRUPT)},
    {SET("execution = 'text'"), RAN | SAYS(CORRUPT)},
    {SET("expires = 1"), RAN},
    {SET("expires = -1"), RAN | SAYS(CORRUPT)},
    {SET("expires = 9223372036854775807"), RESTORED},
    {SET("expires = 'text'"), RESTORED | RAN | SAYS(CORRUPT)},
    {SET("created = -9223372036854775808, duration = 9223372036854775807, size = -1"), RESTORED},
    {SET("attempts = 9223372036854775807, step_version = -1, scope = 99"), RESTORED},
    {SET("inputs = NULL"), RESTORED},
    {SET("inputs = zeroblob(33)"), RESTORED},
    {SET("inputs = 'text'"), RESTORED},
    {SET("status = 'text', code = x'00'"), RESTORED},
    {SET("key = zeroblob(32)"), RAN},
    {SET("key = substr(key, 1, 31)"), RAN},
    {SET("key = 'text'"), RAN},
    {"DELETE FROM docket_checkpoint", RAN},
    {"UPDATE docket_type SET name = 'Other'", SAYS(CORRUPT) | SAYS(TYPE)},
    {"UPDATE docket_type SET name = x'ff00ff'", SAYS(CORRUPT) | SAYS(TYPE)},
    {"UPDATE docket_type SET fingerprint = zeroblob(32)", SAYS(CORRUPT) | SAYS(TYPE)},
    {"UPDATE docket_type SET fingerprint = x'00'", SAYS(CORRUPT) | SAYS(TYPE)},
    {"UPDATE docket_type SET schema = x'ff'", RESTORED},
    {"UPDATE docket_execution SET name = 'other'", RAN | RESTORED},
    {"UPDATE docket_step SET name = 'other'", RAN | RESTORED},
    {"DELETE FROM docket_type", SAYS(CORRUPT)},
    {"DELETE FROM docket_step", RAN | SAYS(CORRUPT)},
    {"DELETE FROM docket_execution", RAN | SAYS(CORRUPT)},
    {"DROP TABLE docket_step", REFUSED},
    {"DROP TABLE docket_type", REFUSED},
    {"DROP TABLE docket_checkpoint", REFUSED},
    {"DROP TABLE docket_checkpoint; CREATE TABLE docket_checkpoint (key)", REFUSED},
    {"DROP TABLE docket_execution; CREATE VIEW docket_execution AS SELECT 1 AS id, 'damaged' AS name", REFUSED},
    {"DROP INDEX docket_checkpoint_execution; DROP INDEX docket_checkpoint_expires", RESTORED | REFUSED},
};
enum { DAMAGE_COUNT = sizeof damages / sizeof damages[0] };

static void execute_sql(const site *at, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    sqlite3_close(db);
}

/* An open store remembers names and layouts that it has read. */
static bool is_about_names(const damage *of)
{
    return strstr(of->sql, "docket_checkpoint") == NULL;
}

static void assert_damage(site *at, const damage *of, bool while_open)
{
    docket_error error;
    verdict came, allowed = of->allowed | (while_open && is_about_names(of) ? RESTORED : 0);
    record(at);
    if (!while_open) {
        site_close(at);
    }
    execute_sql(at, of->sql);
    if (at->store == NULL && docket_store_open(&at->store, at->url, &fast, &error) != DOCKET_OK) {
        came = (verdict)1 << error.status;
    } else {
        came = ask(at->store);
        look_around(at->store);
    }
    if ((came & allowed) == 0) {
        print_error("%s%s: got 0x%x, allowed 0x%x\n", of->sql, while_open ? " (open)" : "", came, allowed);
    }
    assert_true((came & allowed) != 0);
    site_close(at);
    assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
}

static void fr_12_damaged_rows_are_refused(void **state)
{
    site *at = *state;
    for (size_t i = 0; i < DAMAGE_COUNT; i++) {
        assert_damage(at, &damages[i], false);
    }
}

static void fr_12_rows_damaged_under_an_open_store_are_refused(void **state)
{
    site *at = *state;
    for (size_t i = 0; i < DAMAGE_COUNT; i++) {
        assert_damage(at, &damages[i], true);
    }
}

/* Code in the file of a store must not run in its readers and writers. */
static void fr_12_planted_triggers_and_views_do_not_run(void **state)
{
    site *at = *state;
    record(at);
    site_close(at);
    execute_sql(at,
                "DELETE FROM docket_checkpoint;"
                "CREATE TRIGGER evil_insert AFTER INSERT ON docket_checkpoint BEGIN"
                " DELETE FROM docket_checkpoint; UPDATE docket_type SET name = 'evil'; END;"
                "CREATE TRIGGER evil_instead BEFORE INSERT ON docket_checkpoint BEGIN SELECT RAISE(IGNORE); END;"
                "CREATE TRIGGER evil_delete AFTER DELETE ON docket_checkpoint BEGIN"
                " DELETE FROM docket_execution; END;"
                "CREATE VIEW evil_view AS SELECT * FROM docket_checkpoint;");
    assert_int_equal(ask(site_open(at, &fast)), RAN);
    assert_int_equal(ask(at->store), RESTORED);
    site_close(at);
    assert_int_equal(ask(site_open(at, &fast)), RESTORED);
}

/* ---- Files ---- */

static void write_damaged(const site *at, const uint8_t *whole, size_t size, uint64_t *seed, uint8_t *damaged,
                          size_t *damaged_size)
{
    memcpy(damaged, whole, size);
    *damaged_size = size;
    for (uint64_t left = site_random(seed) % 8 + 1; left > 0; left--) {
        size_t place = site_random(seed) % size;
        size_t length = site_random(seed) % 64 + 1;
        length = length < size - place ? length : size - place;
        switch (site_random(seed) % 5) {
        case 0:
            damaged[place] ^= (uint8_t)(1u << site_random(seed) % 8);
            break;
        case 1:
            memset(damaged + place, (int)(site_random(seed) & 0xff), length);
            break;
        case 2: /* a page is another's */
            memcpy(damaged + place / 4096 * 4096, whole + site_random(seed) % (size / 4096) * 4096, 4096);
            break;
        case 3:
            memmove(damaged + place, damaged + site_random(seed) % (size - length + 1), length);
            break;
        default:
            damaged[place % 4096] = (uint8_t)site_random(seed); /* the first page holds the schema */
        }
    }
    if (site_random(seed) % 16 == 0) {
        *damaged_size = site_random(seed) % size;
    }
    assert_true(file_write(at->file, damaged, *damaged_size));
}

/* The store's other files would make SQLite mend what was damaged. */
static void remove_siblings(const site *at)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    char path[FOLDER_PATH_ROOM];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", at->file, suffixes[i]);
        remove(path);
    }
}

static void assert_untouched(const site *at, const uint8_t *damaged, size_t damaged_size)
{
    size_t size;
    uint8_t *now = file_read(at->file, &size);
    assert_non_null(now);
    assert_int_equal(size, damaged_size);
    assert_memory_equal(now, damaged, size);
    free(now);
}

static void fr_12_damaged_files_give_a_status(void **state)
{
    site *at = *state;
    docket_error error;
    size_t size, damaged_size;
    uint64_t seed = site_seed();
    long refused = 0, count = site_count(120, 20000);
    record(at);
    site_close(at);
    uint8_t *whole = file_read(at->file, &size);
    uint8_t *damaged = malloc(size);
    assert_true(whole != NULL && damaged != NULL && size % 4096 == 0);
    for (long i = 0; i < count; i++) {
        remove_siblings(at);
        write_damaged(at, whole, size, &seed, damaged, &damaged_size);
        if (docket_store_open(&at->store, at->url, &fast, &error) == DOCKET_OK) {
            verdict came = ask(at->store);
            assert_true((came & (RESTORED | RAN | REFUSED | SAYS(NO_MEMORY))) != 0);
            look_around(at->store);
            site_close(at);
        } else {
            /* SQLite takes some damaged schemas for a lack of memory. */
            if ((((verdict)1 << error.status) & (REFUSED | SAYS(NO_MEMORY))) == 0) {
                fail_msg("round %ld: %s: %s", i, docket_status_name(error.status), error.message);
            }
            assert_untouched(at, damaged, damaged_size);
            refused++;
        }
    }
    print_message("%ld of %ld damaged files were refused at open\n", refused, count);
    free(whole);
    free(damaged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_12_damaged_rows_are_refused),
        SITE_SQLITE(fr_12_rows_damaged_under_an_open_store_are_refused),
        SITE_SQLITE(fr_12_planted_triggers_and_views_do_not_run),
        SITE_SQLITE(fr_12_damaged_files_give_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
