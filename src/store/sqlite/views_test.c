/* What was recorded, seen with JSON and SQL: by the description in the store, without the types of the program. */
#include "support/run.h"
#include "support/site.h"

#include <docket/json.h>
#include <docket/sqlite.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Charge, (STRING, order));
DOCKET_STRUCT(Receipt, (STRING, status), (SECRET(STRING), card), (INT64, cents));
DOCKET_STRUCT(OpenReceipt, (STRING, status), (STRING, card), (INT64, cents)); /* as it was before */
DOCKET_STRUCT(Note, (STRING, text));
DOCKET_STRUCT(Other, (INT32, number));

static docket_status charge(docket_ctx *ctx, Receipt *out, const Charge *of)
{
    out->status = strcmp(of->order, "b") == 0 ? "failed" : "paid";
    out->card = "4711";
    out->cents = INT64_C(9007199254740993);
    (void)ctx;
    return DOCKET_OK;
}
DOCKET_STEP(charge, Receipt, Charge);

static docket_status remark(docket_ctx *ctx, Note *out, const Charge *of)
{
    (void)out;
    (void)of;
    return docket_absent(ctx, "nothing to say");
}
DOCKET_STEP(remark, Note, Charge);

static docket_status refuse(docket_ctx *ctx, Other *out, const Charge *of)
{
    (void)out;
    (void)of;
    return docket_reject(ctx, 7, "no such order");
}
DOCKET_STEP(refuse, Other, Charge);

static void record(docket_store *store, const docket_step *step, const char *execution_id)
{
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = graph_of_one(NULL, step, &recorded);
    const Charge of = {.order = execution_id};
    outcome came = run(graph, &(docket_request){
                                  DOCKET_REQUEST_INIT,
                                  .execution_id = execution_id,
                                  .output = step->output,
                                  DOCKET_INPUTS(DOCKET_IN(Charge, &of)),
                              });
    assert_true(came.status == DOCKET_OK || came.status == DOCKET_ABSENT || came.status == DOCKET_REJECTED);
    outcome_free(&came);
    docket_graph_free(graph);
}

/* ---- JSON ---- */

static bool take_key(void *arg, const docket_checkpoint *checkpoint)
{
    memcpy(arg, checkpoint->key, 32);
    return false;
}

static char *json_of(docket_store *store, const char *execution_id, docket_status expected)
{
    static char shown[512];
    uint8_t key[32] = {0};
    docket_error error;
    docket_buffer *out = docket_buffer_new();
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = execution_id};
    assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, take_key, key, &error));
    assert_status(expected, docket_checkpoint_json(store, key, NULL, out, &error));
    docket_bytes bytes = docket_buffer_bytes(out);
    snprintf(shown, sizeof shown, "%.*s", (int)bytes.size, bytes.size > 0 ? (const char *)bytes.data : "");
    docket_buffer_free(out);
    return shown;
}

static void values_are_shown_without_their_type(void **state)
{
    site *at = *state;
    docket_store *store = site_open(at, NULL);
    record(store, &charge_step, "a");
    record(store, &remark_step, "n");
    assert_string_equal(json_of(store, "a", DOCKET_OK),
                        "{\"status\":\"paid\",\"card\":\"***\",\"cents\":\"9007199254740993\"}");
    assert_string_equal(json_of(store, "n", DOCKET_ABSENT), "");
    assert_string_equal(json_of(store, "none", DOCKET_MISSING), "");
}

/* A member that becomes secret is hidden in what was recorded before, from the next commit on; never the reverse. */
static void what_becomes_secret_is_hidden(void **state)
{
    site *at = *state;
    docket_store *store = site_open(at, NULL);
    docket_type open_type = docket_type_of_OpenReceipt;
    docket_step open_step = charge_step;
    open_type.name = "Receipt";
    open_step.output = &open_type;
    record(store, &open_step, "a");
    assert_string_equal(json_of(store, "a", DOCKET_OK),
                        "{\"status\":\"paid\",\"card\":\"4711\",\"cents\":\"9007199254740993\"}");
    site_close(at);
    store = site_open(at, NULL);
    record(store, &charge_step, "b");
    assert_string_equal(json_of(store, "a", DOCKET_OK),
                        "{\"status\":\"paid\",\"card\":\"***\",\"cents\":\"9007199254740993\"}");
    site_close(at);
    store = site_open(at, NULL);
    record(store, &open_step, "c");
    assert_string_equal(json_of(store, "c", DOCKET_OK),
                        "{\"status\":\"paid\",\"card\":\"***\",\"cents\":\"9007199254740993\"}");
}

/* ---- SQL ---- */

static int add_row(void *arg, int count, char **values, char **names)
{
    char *text = arg;
    (void)names;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, 2048 - length, "%s%s", values[i] != NULL ? values[i] : "-",
                 i + 1 < count ? " " : "\n");
    }
    return 0;
}

/* Rows of a query as lines; "error: …" if there is none. */
static const char *ask(const char *file, bool with_function, const char *sql)
{
    static char text[2048];
    sqlite3 *db = NULL;
    char *message = NULL;
    docket_error error;
    text[0] = '\0';
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (with_function) {
        assert_status(DOCKET_OK, docket_sqlite_register(db, &error));
    }
    if (sqlite3_exec(db, sql, add_row, text, &message) != SQLITE_OK) {
        snprintf(text, sizeof text, "error: %s", message);
        sqlite3_free(message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return text;
}

static void record_all(site *at)
{
    docket_store *store = site_open(at, NULL);
    record(store, &charge_step, "a");
    record(store, &charge_step, "b");
    record(store, &remark_step, "n");
    record(store, &refuse_step, "f");
    site_close(at);
}

static void plain_view_needs_no_function(void **state)
{
    site *at = *state;
    record_all(at);
    assert_string_equal(
        ask(at->file, false,
            "SELECT execution, step, step_version, scope, type, kind, expires_ms, attempts, size_bytes,"
            " length(key), status, code, message FROM docket_checkpoints ORDER BY id"),
        "a charge 1 workflow Receipt value - 1 21 64 - - -\n"
        "b charge 1 workflow Receipt value - 1 23 64 - - -\n"
        "n remark 1 workflow Note absent - 1 14 64 - - nothing to say\n"
        "f refuse 1 workflow Other failure - 1 0 64 11 7 no such order\n");
    assert_string_equal(ask(at->file, false,
                            "SELECT count(*) FROM docket_checkpoints WHERE created_ms > 0 AND"
                            " duration_ms >= 0 AND key = lower(key)"),
                        "4\n");
    assert_string_equal(ask(at->file, false, "PRAGMA integrity_check"), "ok\n");
    assert_string_equal(ask(at->file, false, "SELECT value FROM docket_checkpoints_json"),
                        "error: no such function: docket_json");
}

static void values_are_asked_with_sql(void **state)
{
    site *at = *state;
    record_all(at);
    assert_string_equal(ask(at->file, true, "SELECT execution, value FROM docket_checkpoints_json ORDER BY id"),
                        "a {\"status\":\"paid\",\"card\":\"***\",\"cents\":\"9007199254740993\"}\n"
                        "b {\"status\":\"failed\",\"card\":\"***\",\"cents\":\"9007199254740993\"}\n"
                        "n -\nf -\n");
    assert_string_equal(ask(at->file, true,
                            "SELECT execution, json_extract(value, '$.cents') FROM docket_checkpoints_json"
                            " WHERE json_extract(value, '$.status') = 'failed'"),
                        "b 9007199254740993\n");
    assert_string_equal(ask(at->file, true,
                            "SELECT docket_json(t.schema, c.value) FROM docket_checkpoint c"
                            " JOIN docket_type t ON t.id = c.type WHERE c.kind = 1 LIMIT 1"),
                        "{\"status\":\"paid\",\"card\":\"***\",\"cents\":\"9007199254740993\"}\n");
    assert_string_equal(ask(at->file, true, "SELECT docket_json(x'00', NULL), docket_json(NULL, x'')"),
                        "- {\"@error\":\"the store keeps no description of the type\"}\n");
    assert_string_equal(
        ask(at->file, true, "PRAGMA trusted_schema = 0; SELECT count(value) FROM docket_checkpoints_json"), "2\n");
}

static void looking_changes_nothing(void **state)
{
    site *at = *state;
    size_t before_size = 0;
    size_t after_size = 0;
    record_all(at);
    uint8_t *before = file_read(at->file, &before_size);
    ask(at->file, true, "SELECT * FROM docket_checkpoints_json");
    ask(at->file, false, "SELECT * FROM docket_checkpoints");
    uint8_t *after = file_read(at->file, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    free(before);
    free(after);
}

static void execute_sql(const site *at, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void damaged_values_say_so(void **state)
{
    site *at = *state;
    record_all(at);
    execute_sql(at, "UPDATE docket_checkpoint SET value = x'0a00' WHERE id = 1;"
                    "UPDATE docket_checkpoint SET format = 9 WHERE id = 2");
    assert_contains(ask(at->file, true, "SELECT value FROM docket_checkpoints_json WHERE id = 1"),
                    "{\"@error\":\"");
    assert_contains(ask(at->file, true, "SELECT value FROM docket_checkpoints_json WHERE id = 2"),
                    "{\"@error\":\"");
    assert_string_equal(ask(at->file, true,
                            "SELECT count(json_extract(value, '$.\"@error\"'))"
                            " FROM docket_checkpoints_json"),
                        "2\n");
    execute_sql(at, "UPDATE docket_type SET schema = x'ff'");
    assert_contains(ask(at->file, true, "SELECT value FROM docket_checkpoints_json"), "{\"@error\":\"");
}

static void tables_of_the_application_can_be_altered(void **state)
{
    site *at = *state;
    const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true, .prefix = "kept_"};
    site_open(at, &shared);
    site_close(at);
    execute_sql(at, "CREATE TABLE own (a, b); ALTER TABLE own RENAME COLUMN b TO c; ALTER TABLE own RENAME TO mine;"
                    "ALTER TABLE mine DROP COLUMN c; VACUUM");
    assert_string_equal(ask(at->file, false, "SELECT count(*) FROM kept_checkpoints"), "0\n");
    assert_string_equal(ask(at->file, true, "SELECT count(value) FROM kept_checkpoints_json"), "0\n");
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    docket_error error;
    uint8_t key[32] = {0};
    docket_buffer *out = docket_buffer_new();
    assert_status(DOCKET_INVALID, docket_sqlite_register(NULL, &error));
    assert_status(DOCKET_INVALID, docket_checkpoint_json(NULL, key, NULL, out, &error));
    assert_status(DOCKET_INVALID, docket_checkpoint_json(NULL, NULL, NULL, out, &error));
    assert_status(DOCKET_INVALID, docket_checkpoint_json(NULL, key, NULL, NULL, NULL));
    docket_buffer_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(values_are_shown_without_their_type),
        SITE_EACH_STORE(what_becomes_secret_is_hidden),
        SITE_SQLITE(plain_view_needs_no_function),
        SITE_SQLITE(values_are_asked_with_sql),
        SITE_SQLITE(looking_changes_nothing),
        SITE_SQLITE(damaged_values_say_so),
        SITE_SQLITE(tables_of_the_application_can_be_altered),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
