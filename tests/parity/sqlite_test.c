/* F-10, F-11, F-13, F-16 to F-18 and F-38 where SQLite is concerned: real kills, times without zones, expired rows, types,
 * keys, large values, prefixes. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/plant.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const int64_t noon_ms = INT64_C(1767268800000); /* 2026-01-01 12:00 UTC */

/* The number that a statement answers to a plain connection. */
static int64_t ask_sqlite(const site *at, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open_v2(at->file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return answer;
}

static void execute_sql(const site *at, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- F-10: killed at every event of three steps ---- */

DOCKET_STRUCT(Raw, (STRING, text));
DOCKET_STRUCT(Ingested, (STRING, text));
DOCKET_STRUCT(Processed, (STRING, text));
DOCKET_STRUCT(Enriched, (STRING, text));

static docket_status ingest(docket_ctx *ctx, Ingested *out, const Raw *in)
{
    ledger_note(docket_ctx_user(ctx), "entered-ingest");
    out->text = docket_printf(ctx, "ingested %s", in->text);
    return DOCKET_OK;
}
DOCKET_STEP(ingest, Ingested, Raw);

static docket_status process(docket_ctx *ctx, Processed *out, const Ingested *in)
{
    ledger_note(docket_ctx_user(ctx), "entered-process");
    out->text = docket_printf(ctx, "processed %s", in->text);
    return DOCKET_OK;
}
DOCKET_STEP(process, Processed, Ingested);

static docket_status enrich(docket_ctx *ctx, Enriched *out, const Processed *in)
{
    ledger_note(docket_ctx_user(ctx), "entered-enrich");
    out->text = docket_printf(ctx, "enriched %s", in->text);
    return DOCKET_OK;
}
DOCKET_STEP(enrich, Enriched, Processed);

typedef struct killer {
    const char *folder_path;
    int events_left;
} killer;

/* A commit is noted before the kill that may follow: it was reported, so it must hold. */
static void kill_at_event(void *arg, const docket_event *event)
{
    killer *self = arg;
    if (event->kind == DOCKET_EVENT_COMMIT && event->status == DOCKET_OK) {
        ledger_note(self->folder_path, "committed-%s", event->step);
    }
    if (--self->events_left == 0) {
        raise(SIGKILL);
    }
}

/* In a child: one execution, which dies at this event (0 = at none). 0 = it came to its end with the right value. */
static int run_pipeline(const site *at, docket_scope scope, int event)
{
    static const Raw raw = {"data"};
    killer by = {at->folder.path, event};
    docket_store *store = NULL;
    if (docket_store_open(&store, at->url, NULL, NULL) != DOCKET_OK) {
        return 2;
    }
    const docket_observer observer = {kill_at_event, &by};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = scope,
                                         .user = (void *)(uintptr_t)at->folder.path};
    docket_graph *graph = graph_of(&graph_options, &options, DOCKET_STEPS(ingest, process, enrich));
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "pipeline", .output = DOCKET_OF(Enriched),
                                     DOCKET_INPUTS(DOCKET_IN(Raw, &raw))});
    bool right = made.status == DOCKET_OK &&
                 strcmp(DOCKET_RESULT(made.result, Enriched)->text, "enriched processed ingested data") == 0;
    outcome_free(&made);
    docket_graph_free(graph);
    docket_store_close(store);
    return right ? 0 : 3;
}

static int run_in_child(const site *at, docket_scope scope, int event)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(run_pipeline(at, scope, event));
    }
    return child_wait(child, 60000);
}

static void assert_recovers(site *at, docket_scope scope, int event)
{
    static const char *const steps[] = {"ingest", "process", "enrich"};
    long committed[3], runs = 0;
    for (int i = 0; i < 3; i++) {
        committed[i] = ledger_count(at->folder.path, "committed-%s", steps[i]);
    }
    assert_int_equal(run_in_child(at, scope, 0), 0);
    for (int i = 0; i < 3; i++) {
        long entered = ledger_count(at->folder.path, "entered-%s", steps[i]);
        assert_true(entered == 1 || (entered == 2 && committed[i] == 0));
        runs += entered;
    }
    if (runs > 4) {
        print_error("event %d\n", event);
    }
    assert_true(runs <= 4);
    assert_int_equal(ask_sqlite(at, "SELECT count(*) FROM docket_checkpoint WHERE kind = 1"), 3);
}

/* To a folder without store and ledgers. */
static void move_on(site *at)
{
    folder_remove(&at->folder);
    at->folder = folder_make();
    snprintf(at->file, sizeof at->file, "%s/store.db", at->folder.path);
    snprintf(at->url, sizeof at->url, "sqlite:%s", at->file);
}

static void f_10_a_kill_at_any_event_repeats_at_most_one_step(void **state)
{
    site *at = *state;
    static const docket_scope scopes[] = {DOCKET_SCOPE_WORKFLOW, DOCKET_SCOPE_GLOBAL};
    for (int i = 0; i < 2; i++) {
        int event = 1;
        for (;; event++) {
            int end = run_in_child(at, scopes[i], event);
            assert_true(end == 0 || end == -SIGKILL);
            if (end == 0) {
                break;
            }
            assert_recovers(at, scopes[i], event);
            move_on(at);
        }
        assert_true(event > 12); /* start, three of each: look-up, start, end, commit */
        move_on(at);
    }
}

/* ---- A step that counts ---- */

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Result, (INT64, n));
DOCKET_BLOB(Pile);

static atomic_int runs;

static docket_status count_up(docket_ctx *ctx, Result *out, const Number *in)
{
    (void)ctx;
    atomic_fetch_add(&runs, 1);
    out->n = in->n;
    return DOCKET_OK;
}
DOCKET_STEP(count_up, Result, Number);

/* Whether it had to run. */
static bool runs_with(site *at, const docket_store_options *store_options, int64_t n, int64_t ttl_ms)
{
    const Number number = {n};
    int before = atomic_load(&runs);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, store_options),
                                         .scope = DOCKET_SCOPE_GLOBAL, .ttl_ms = ttl_ms};
    docket_graph *graph = graph_of_one(NULL, &count_up_step, &options);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result),
                                                DOCKET_INPUTS(DOCKET_IN(Number, &number))});
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Result)->n, n);
    outcome_free(&made);
    docket_graph_free(graph);
    site_close(at);
    return atomic_load(&runs) > before;
}

static bool runs_for(site *at, int64_t n, int64_t ttl_ms)
{
    return runs_with(at, NULL, n, ttl_ms);
}

/* ---- F-11: no zones ---- */

static void f_11_two_hours_are_two_hours_in_every_zone(void **state)
{
    site *at = *state;
    static const char *const zones[] = {"UTC0", "EET-2", "EST5", "GMT0BST,M3.5.0/1,M10.5.0/2"};
    static const int64_t starts_ms[] = {INT64_C(1767268800000), INT64_C(1774744200000), INT64_C(1792888200000)};
    int64_t n = 0;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 3; j++, n++) {
            assert_int_equal(setenv("TZ", zones[i], 1), 0);
            tzset();
            docket_test_clock_start(starts_ms[j]);
            assert_true(runs_for(at, n, DOCKET_HOURS(2)));
            assert_int_equal(ask_sqlite(at, "SELECT max(created) FROM docket_checkpoint"), starts_ms[j]);
            assert_int_equal(setenv("TZ", zones[(i + 1) % 4], 1), 0); /* it is read in another */
            tzset();
            docket_test_clock_advance(DOCKET_MINUTES(119));
            assert_false(runs_for(at, n, DOCKET_HOURS(2)));
            docket_test_clock_advance(DOCKET_MINUTES(2));
            assert_true(runs_for(at, n, DOCKET_HOURS(2)));
            docket_test_clock_stop();
            execute_sql(at, "DELETE FROM docket_checkpoint");
        }
    }
}

static void f_11_times_are_stored_as_integers(void **state)
{
    site *at = *state;
    docket_test_clock_start(noon_ms + 123);
    runs_for(at, 1, DOCKET_HOURS(2));
    assert_int_equal(ask_sqlite(at, "SELECT count(*) FROM docket_checkpoint WHERE typeof(created) = 'integer' AND "
                                    "typeof(expires) = 'integer' AND expires = created + 7200000"),
                     1);
    assert_int_equal(ask_sqlite(at, "SELECT created FROM docket_checkpoint"), noon_ms + 123);
    docket_test_clock_stop();
}

/* ---- F-13: expired rows go ---- */

enum { MANY = 10000 };

static void plant_many(site *at, int first, int count, int64_t ttl_ms)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    static const uint8_t value[200] = {1};
    for (int i = first; i < first + count; i++) {
        docket_record record = {.format = DOCKET_RECORD_FORMAT,
                                .kind = DOCKET_CHECKPOINT_VALUE,
                                .step_version = 1,
                                .scope = DOCKET_SCOPE_GLOBAL,
                                .execution_id = "many",
                                .step = "count_up",
                                .type = "Result",
                                .value = {value, sizeof value},
                                .ttl_ms = ttl_ms};
        memcpy(record.key.bytes, &i, sizeof i);
        assert_status(DOCKET_OK, plant_record(site_open(at, &fast), &record, false, &error));
    }
}

static bool count_entry(void *arg, const docket_checkpoint *entry)
{
    (void)entry;
    ++*(int *)arg;
    return true;
}

static int count_entries(site *at)
{
    docket_error error;
    int count = 0;
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .expired = true};
    assert_status(DOCKET_OK, docket_checkpoint_list(site_open(at, NULL), &all, count_entry, &count, &error));
    return count;
}

static void assert_purged(site *at, uint64_t expected)
{
    docket_error error;
    uint64_t count = 0;
    assert_status(DOCKET_OK, docket_store_purge(site_open(at, NULL), &count, &error));
    assert_int_equal(count, expected);
}

static void f_13_purge_removes_what_has_expired_and_counts_it(void **state)
{
    site *at = *state;
    docket_test_clock_start(noon_ms);
    plant_many(at, 0, MANY, 1000);
    plant_many(at, MANY, 50, 0);
    plant_many(at, MANY + 50, 50, DOCKET_HOURS(1));
    assert_purged(at, 0);
    docket_test_clock_advance(1000);
    assert_purged(at, MANY);
    assert_purged(at, 0);
    assert_int_equal(count_entries(at), 100);
    docket_test_clock_advance(DOCKET_HOURS(1));
    assert_purged(at, 50);
    assert_int_equal(count_entries(at), 50);
    docket_test_clock_stop();
}

/* What purge frees is used again: the file does not grow any further. */
static void f_13_room_of_purged_rows_is_used_again(void **state)
{
    site *at = *state;
    int64_t pages = 0;
    docket_test_clock_start(noon_ms);
    for (int round = 0; round < 4; round++) {
        plant_many(at, round * MANY, MANY / 4, 1000);
        site_close(at);
        int64_t now = ask_sqlite(at, "PRAGMA page_count");
        pages = round == 0 ? now : pages;
        assert_true(now <= pages + pages / 10 + 10);
        docket_test_clock_advance(1000);
        assert_purged(at, MANY / 4);
        site_close(at);
        assert_true(
            ask_sqlite(at, "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count") <
            pages / 4);
    }
    docket_test_clock_stop();
}

static void f_13_memory_is_used_again(void **state)
{
    site *at = *state;
    int64_t after_first = 0;
    docket_test_memory_start();
    docket_test_clock_start(noon_ms);
    for (int round = 0; round < 5; round++) {
        plant_many(at, round * MANY, MANY / 10, 1000);
        docket_test_clock_advance(1000);
        assert_purged(at, MANY / 10);
        after_first = round == 0 ? docket_test_memory_read().live : after_first;
        assert_true(docket_test_memory_read().live <= after_first + 10);
    }
    docket_store_close(at->store);
    at->store = NULL;
    docket_test_clock_stop();
    docket_test_memory_stop();
}

/* ---- F-16, F-17, F-18 over a restart ---- */

DOCKET_STRUCT(Wide, (INT64, n), (STRING, note));

static void f_16_a_row_of_another_type_is_refused_after_a_restart(void **state)
{
    site *at = *state;
    static const Number one = {1};
    docket_type type = *DOCKET_OF(Wide);
    docket_step step = count_up_step;
    type.name = "Result";
    step.output = &type;
    assert_true(runs_for(at, 1, 0));
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = graph_of_one(NULL, &step, &options);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "later", .output = &type,
                                                DOCKET_INPUTS(DOCKET_IN(Number, &one))});
    assert_status(DOCKET_TYPE, made.status);
    assert_string_equal(made.error.execution_id, "later");
    assert_string_equal(made.error.step, "count_up");
    outcome_free(&made);
    docket_graph_free(graph);
    assert_false(runs_for(at, 1, 0));
}

static void f_17_ids_and_steps_are_apart_after_a_restart(void **state)
{
    site *at = *state;
    static const char *const names[][2] = {{"a:b", "c"}, {"a", "b:c"}, {"ab", "c"}, {"a", "bc"}};
    int before = atomic_load(&runs);
    static const Number one = {1};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = names[i][1],
                                                 .store = site_open(at, NULL), .scope = DOCKET_SCOPE_WORKFLOW};
            docket_graph *graph = graph_of_one(NULL, &count_up_step, &options);
            const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = names[i][0],
                                            .output = DOCKET_OF(Result), DOCKET_INPUTS(DOCKET_IN(Number, &one))};
            assert_status(DOCKET_OK, run_for_status(graph, &request));
            docket_graph_free(graph);
            site_close(at);
        }
        assert_int_equal(atomic_load(&runs) - before, 4);
    }
}

/* The key of count_up over {n = 1}, made outside of docket. A store of today must be of use tomorrow. */
static void f_18_key_of_a_row_is_fixed(void **state)
{
    site *at = *state;
    runs_for(at, 1, 0);
    assert_int_equal(ask_sqlite(at, "SELECT count(*) FROM docket_checkpoint WHERE hex(key) = "
                                    "'C05C680EA4C757FD6E69CD00D91044239DDE9C5300DEEEB24DE86F1A01F0ED5E'"),
                     1);
}

/* ---- F-38: large values, short times, prefixes ---- */

static docket_status make_pile(docket_ctx *ctx, Pile *out, const Number *in)
{
    uint64_t seed = (uint64_t)in->n + 1;
    size_t size = (size_t)in->n;
    uint8_t *data = docket_alloc(ctx, size + 8);
    for (size_t i = 0; data != NULL && i < size; i += 8) {
        uint64_t number = site_random(&seed);
        memcpy(data + i, &number, sizeof number);
    }
    *out = (Pile){data, size};
    atomic_fetch_add(&runs, 1);
    return DOCKET_OK;
}
DOCKET_STEP(make_pile, Pile, Number);

static bool is_pile(const Pile *pile, size_t size)
{
    uint64_t seed = (uint64_t)size + 1;
    bool same = pile->size == size;
    for (size_t i = 0; same && i < size; i += 8) {
        uint64_t number = site_random(&seed);
        same = memcmp(pile->data + i, &number, size - i < 8 ? size - i : 8) == 0;
    }
    return same;
}

static docket_status ask_pile(site *at, size_t size)
{
    const Number number = {(int64_t)size};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .max_attempts = 5};
    docket_graph *graph = graph_of_one(NULL, &make_pile_step, &options);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Pile),
                                                DOCKET_INPUTS(DOCKET_IN(Number, &number))});
    if (made.status == DOCKET_OK) {
        assert_true(is_pile(DOCKET_RESULT(made.result, Pile), size));
    }
    outcome_free(&made);
    docket_graph_free(graph);
    site_close(at);
    return made.status;
}

static void f_38_values_come_back_byte_for_byte(void **state)
{
    site *at = *state;
    static const size_t sizes[] = {0,     1,       255,      256,      4095,     4096,          65535,
                                   65536, 1 << 20, 16777215, 16777216, 64 << 20, (64 << 20) - 1};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    size_t count = (size_t)site_count(at->durable ? COUNT - 1 : COUNT - 3, COUNT);
    for (size_t i = 0; i < count; i++) {
        int before = atomic_load(&runs);
        assert_status(DOCKET_OK, ask_pile(at, sizes[i]));
        assert_status(DOCKET_OK, ask_pile(at, sizes[i]));
        assert_int_equal(atomic_load(&runs) - before, 1);
    }
}

static void f_38_one_byte_too_many_is_refused_before_anything_is_written(void **state)
{
    site *at = *state;
    int before = atomic_load(&runs);
    assert_status(DOCKET_TOO_LARGE, ask_pile(at, (64 << 20) + 1));
    assert_int_equal(atomic_load(&runs) - before, 1);
    assert_int_equal(ask_sqlite(at, "SELECT count(*) FROM docket_checkpoint WHERE kind <> 3"), 0);
}

static void f_38_half_a_second_is_half_a_second(void **state)
{
    site *at = *state;
    docket_test_clock_start(noon_ms + 999);
    assert_true(runs_for(at, 1, 500));
    docket_test_clock_advance(499);
    assert_false(runs_for(at, 1, 500));
    docket_test_clock_advance(1);
    assert_true(runs_for(at, 1, 500));
    docket_test_clock_stop();
}

/* With a prefix the store works or is refused, and the application's table beside it is as it was. */
static void assert_prefix(site *at, const char *prefix, bool good)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .prefix = prefix, .shared_database = true};
    docket_status status = docket_store_open(&at->store, at->url, &options, &error);
    if (status != (good ? DOCKET_OK : DOCKET_INVALID)) {
        print_error("prefix \"%s\": %s\n", prefix, docket_status_name(status));
    }
    assert_status(good ? DOCKET_OK : DOCKET_INVALID, status);
    if (good) {
        site_close(at);
        assert_true(runs_with(at, &options, 1, 0));
        assert_false(runs_with(at, &options, 1, 0));
    } else {
        assert_contains(error.message, "prefix");
    }
    assert_int_equal(ask_sqlite(at, "SELECT count(*) FROM victim"), 1);
}

static void f_38_prefixes_work_exactly_or_are_refused(void **state)
{
    site *at = *state;
    static const char *const good[] = {
        "select",
        "group_",
        "a",
        "docket_",
        "docket_2_",
        "x123",
        "sqlit_",
        "a__",
        "order",
        "abcdefghijklmnopqrstuvwxyz012345", /* 32 */
        "abcdefghijklmnopqrstuvwxyz012346",
    };
    static const char *const bad[] = {
        "",
        "1abc",
        "_abc",
        "a-b",
        "A",
        "aB",
        "A\"b",
        "a`b",
        "a;DROP TABLE victim;--",
        "a'b",
        "app.tbl",
        " a",
        "a ",
        "a b",
        "a\nb",
        "a%",
        "日本",
        "é",
        "a[0]",
        "a\"",
        "--",
        "abcdefghijklmnopqrstuvwxyz0123456", /* 33 */
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr",
        "sqlite_",
        "sqlite_x",
    };
    execute_sql(at, "PRAGMA journal_mode = wal; CREATE TABLE victim (a); INSERT INTO victim VALUES (1)");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_prefix(at, good[i], true);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_prefix(at, bad[i], false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(f_10_a_kill_at_any_event_repeats_at_most_one_step),
        SITE_SQLITE(f_11_two_hours_are_two_hours_in_every_zone),
        SITE_SQLITE(f_11_times_are_stored_as_integers),
        SITE_MEMORY(f_13_memory_is_used_again),
        SITE_EACH_STORE(f_13_purge_removes_what_has_expired_and_counts_it),
        SITE_SQLITE(f_13_room_of_purged_rows_is_used_again),
        SITE_SQLITE(f_16_a_row_of_another_type_is_refused_after_a_restart),
        SITE_SQLITE(f_17_ids_and_steps_are_apart_after_a_restart),
        SITE_SQLITE(f_18_key_of_a_row_is_fixed),
        SITE_EACH_STORE(f_38_values_come_back_byte_for_byte),
        SITE_SQLITE(f_38_one_byte_too_many_is_refused_before_anything_is_written),
        SITE_EACH_STORE(f_38_half_a_second_is_half_a_second),
        SITE_SQLITE(f_38_prefixes_work_exactly_or_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
