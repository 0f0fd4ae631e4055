/* Transactional steps: what the function wrote and the step's record are there together, or neither is. */
#include "support/shop.h"

#include <docket/testing.h>
#include <stdlib.h>

DOCKET_BLOB(Bulk);

/* ---- Together or not at all ---- */

static void effect_and_record_are_one(void **state)
{
    shop self = shop_open(state, NULL);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    for (int round = 0; round < 2; round++) {
        outcome got = shop_sell(self.graph);
        assert_status(DOCKET_OK, got.status);
        assert_string_equal(DOCKET_RESULT(got.result, Receipt)->text, "sale 1");
        assert_int_equal(docket_result_state(got.result, DOCKET_OF(Receipt)),
                         round == 0 ? DOCKET_VALUE_RAN : DOCKET_VALUE_RESTORED);
        outcome_free(&got);
        assert_int_equal(shop_sales(&self), 1);
        assert_int_equal(shop_records(&self), 1);
    }
    assert_int_equal(self.entries, 1);
    assert_events(&self.recorder,
                  "execution_start\nlookup sell 0 never recorded\nstep_start sell 1\nstep_end sell 1 OK\n"
                  "commit sell 1 OK\nexecution_end OK\n"
                  "execution_start\nlookup sell 0 hit\nexecution_end OK\n");
    shop_close(&self);
}

static docket_status fail_at_first(docket_ctx *ctx, shop *self)
{
    (void)self;
    return docket_ctx_attempt(ctx) < 3 ? docket_fail(ctx, 0, "not yet") : DOCKET_OK;
}

static void each_attempt_is_a_new_transaction(void **state)
{
    shop self = shop_open(state, fail_at_first);
    docket_step_options options = shop_options(&self);
    options.max_attempts = 3;
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_int_equal(self.entries, 3);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
}

static docket_status reject(docket_ctx *ctx, shop *self)
{
    (void)self;
    return docket_reject(ctx, 7, "sold out");
}

static docket_status abort_all(docket_ctx *ctx, shop *self)
{
    (void)self;
    return docket_abort(ctx, 7, "sold out");
}

static docket_status say_cancelled(docket_ctx *ctx, shop *self)
{
    (void)ctx;
    (void)self;
    return DOCKET_CANCELLED;
}

static void a_failure_leaves_nothing(void **state)
{
    static const struct {
        docket_status (*act)(docket_ctx *ctx, shop *self);
        docket_status status;
    } cases[] = {{reject, DOCKET_REJECTED}, {abort_all, DOCKET_ABORTED}, {say_cancelled, DOCKET_CANCELLED}};
    shop self = shop_open(state, NULL);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        self.act = cases[i].act;
        outcome got = shop_sell(self.graph);
        assert_status(cases[i].status, got.status);
        outcome_free(&got);
        assert_int_equal(shop_sales(&self), 0);
        assert_int_equal(shop_records(&self), 0);
    }
    shop_close(&self);
}

static docket_status be_absent(docket_ctx *ctx, shop *self)
{
    (void)self;
    return docket_absent(ctx, "given away");
}

static void an_absence_is_a_success(void **state)
{
    shop self = shop_open(state, be_absent);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    for (int round = 0; round < 2; round++) {
        outcome got = shop_sell(self.graph);
        assert_status(DOCKET_ABSENT, got.status);
        assert_string_equal(got.error.message, "given away");
        outcome_free(&got);
    }
    assert_int_equal(self.entries, 1);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
}

static void a_failure_that_is_an_absence_leaves_no_effect(void **state)
{
    shop self = shop_open(state, reject);
    docket_step_options options = shop_options(&self);
    options.on_failure = DOCKET_FAILURE_IS_ABSENT;
    shop_use(&self, &options);
    for (int round = 0; round < 2; round++) {
        outcome got = shop_sell(self.graph);
        assert_status(DOCKET_ABSENT, got.status);
        outcome_free(&got);
    }
    assert_int_equal(self.entries, 1);
    assert_int_equal(shop_sales(&self), 0);
    assert_int_equal(shop_records(&self), 1);
    shop_close(&self);
}

static docket_status not_record(docket_ctx *ctx, shop *self)
{
    (void)self;
    assert_status(DOCKET_INVALID, docket_set_ttl(ctx, 1000));
    docket_do_not_record(ctx);
    return DOCKET_OK;
}

static void what_is_not_to_be_recorded_is_not_done(void **state)
{
    shop self = shop_open(state, not_record);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_INVALID, got.status);
    assert_contains(got.error.message, "docket_do_not_record");
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 0);
    shop_close(&self);
}

static docket_status bloat(docket_ctx *ctx, Bulk *out, const Order *in)
{
    shop *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->entries, 1);
    shop_insert(ctx, in->number);
    *out = (Bulk){docket_alloc(ctx, 2000), 2000};
    return DOCKET_OK;
}
DOCKET_STEP(bloat, Bulk, Order);

static void a_result_too_large_leaves_no_effect(void **state)
{
    shop self = shop_open(state, NULL);
    docket_store_options small = shop_store_options;
    small.max_payload_bytes = 1000;
    assert_status(DOCKET_OK, docket_store_open(&self.other, self.at->url, &small, NULL));
    docket_step_options options = shop_options(&self);
    options.max_attempts = 3;
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self.other};
    self.graph = graph_of_one(&graph_options, &bloat_step, &options);
    assert_status(DOCKET_TOO_LARGE, run_for_status(self.graph, &SHOP_REQUEST(Bulk, "one")));
    assert_int_equal(self.entries, 1);
    assert_int_equal(shop_sales(&self), 0);
    shop_close(&self);
}

/* ---- One slot ---- */

static docket_status sell_in_two_versions(shop *self, uint32_t version, const char *id, int64_t number,
                                          docket_error *error)
{
    docket_step changed = sell_step;
    changed.version = version;
    const Order order = {number};
    docket_result *result = NULL;
    const docket_step_options options = shop_options(self);
    docket_graph *graph = graph_of_one(&(docket_graph_options){DOCKET_GRAPH_OPTIONS_INIT, .store = self->at->store},
                                       &changed, &options);
    docket_status status =
        docket_execute(graph,
                       &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Receipt),
                                         DOCKET_INPUTS(DOCKET_IN(Order, &order))},
                       &result, error);
    docket_result_free(result);
    docket_graph_free(graph);
    return status;
}

static void an_execution_does_it_once(void **state)
{
    shop self = shop_open(state, NULL);
    docket_error error = DOCKET_ERROR_INIT;
    assert_status(DOCKET_OK, sell_in_two_versions(&self, 1, "one", 1, &error));
    assert_status(DOCKET_CONFLICT, sell_in_two_versions(&self, 1, "one", 2, &error));
    assert_contains(error.message, "another input Order");
    assert_status(DOCKET_CONFLICT, sell_in_two_versions(&self, 2, "one", 1, &error));
    assert_contains(error.message, "version 1 (now 2)");
    assert_int_equal(self.entries, 1);
    assert_int_equal(shop_sales(&self), 1);
    assert_status(DOCKET_OK, sell_in_two_versions(&self, 2, "two", 1, &error));
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "one"};
    assert_status(DOCKET_OK, docket_checkpoint_forget(self.at->store, &filter, NULL, &error));
    assert_status(DOCKET_OK, sell_in_two_versions(&self, 2, "one", 1, &error));
    assert_int_equal(shop_sales(&self), 3);
    assert_int_equal(shop_number(self.db, "SELECT count(*) FROM docket_intent"), 0);
    shop_close(&self);
}

/* ---- Faults of the store ---- */

static void each_fault_leaves_both_or_neither(void **state)
{
    static const struct {
        docket_test_operation operation;
        docket_test_fault fault;
        docket_status status;
        int sales;
    } cases[] = {
        {DOCKET_TEST_BEGIN, {.kind = DOCKET_TEST_FAIL_BEFORE}, DOCKET_STORE, 0},
        {DOCKET_TEST_BEGIN, {.kind = DOCKET_TEST_FAIL_AFTER}, DOCKET_STORE, 0},
        {DOCKET_TEST_BEGIN, {.kind = DOCKET_TEST_FAIL_AFTER, .count = 1, .transient = true}, DOCKET_OK, 1},
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_FAIL_BEFORE}, DOCKET_STORE, 0},
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_FAIL_BEFORE, .count = 2}, DOCKET_OK, 1}, /* the third attempt */
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_FAIL_AFTER}, DOCKET_OK, 1},              /* read back */
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_TEAR}, DOCKET_STORE, 0},
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_DISK_FULL}, DOCKET_STORE, 0},
        {DOCKET_TEST_END, {.kind = DOCKET_TEST_CLAIM_LOST}, DOCKET_CLAIM_LOST, 0},
    };
    shop self = shop_open(state, NULL);
    const docket_test_store_options faulty_options = {DOCKET_TEST_STORE_OPTIONS_INIT, .url = self.at->url,
                                                      .store = &shop_store_options};
    docket_step_options options = shop_options(&self);
    options.max_attempts = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docket_test_store *faulty = NULL;
        assert_status(DOCKET_OK, docket_test_store_open(&faulty, &faulty_options, NULL));
        assert_status(DOCKET_OK, docket_test_store_plan(faulty, cases[i].operation, &cases[i].fault, 1));
        docket_graph *graph = shop_graph(&self, docket_test_store_get(faulty), &options);
        assert_status(cases[i].status, run_for_status(graph, &SHOP_REQUEST(Receipt, "one")));
        docket_graph_free(graph);
        docket_test_store_close(faulty);
        assert_int_equal(shop_sales(&self), cases[i].sales);
        assert_int_equal(shop_records(&self), cases[i].sales);
        shop_sql(self.db, "DELETE FROM sale; DELETE FROM docket_checkpoint");
    }
    shop_close(&self);
}

/* ---- The connection ---- */

static docket_status use_savepoints(docket_ctx *ctx, shop *self)
{
    sqlite3 *db = docket_ctx_sqlite(ctx);
    (void)self;
    int code = sqlite3_exec(db, "SAVEPOINT s; INSERT INTO sale (number) VALUES (2); ROLLBACK TO s; RELEASE s", NULL,
                            NULL, NULL);
    return code == SQLITE_OK ? DOCKET_OK : docket_fail(ctx, code, "%s", sqlite3_errmsg(db));
}

static void savepoints_are_the_steps(void **state)
{
    shop self = shop_open(state, use_savepoints);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
}

static docket_status commit_by_hand(docket_ctx *ctx, shop *self)
{
    atomic_store(&self->codes[0], sqlite3_exec(docket_ctx_sqlite(ctx), "COMMIT", NULL, NULL, NULL));
    return DOCKET_OK;
}

static docket_status roll_back_by_hand(docket_ctx *ctx, shop *self)
{
    atomic_store(&self->codes[0], sqlite3_exec(docket_ctx_sqlite(ctx), "ROLLBACK", NULL, NULL, NULL));
    atomic_store(&self->codes[1], shop_insert(ctx, 2)); /* in a transaction of its own: its commit is refused */
    atomic_store(&self->codes[2], sqlite3_exec(docket_ctx_sqlite(ctx), "BEGIN IMMEDIATE", NULL, NULL, NULL));
    atomic_store(&self->codes[3], shop_insert(ctx, 3));
    return DOCKET_OK;
}

static void the_step_cannot_end_the_transaction(void **state)
{
    shop self = shop_open(state, commit_by_hand);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_FAILED, got.status);
    assert_contains(got.error.message, "rolled back");
    assert_contains(got.error.message, "savepoints");
    assert_int_not_equal(self.codes[0], SQLITE_OK);
    outcome_free(&got);
    self.act = roll_back_by_hand;
    got = shop_sell(self.graph);
    assert_status(DOCKET_FAILED, got.status);
    assert_contains(got.error.message, "ROLLBACK");
    outcome_free(&got);
    assert_int_equal(self.codes[0], SQLITE_OK);
    assert_int_equal(self.codes[1] & 0xff, SQLITE_CONSTRAINT);
    assert_int_equal(shop_sales(&self), 0);
    assert_int_equal(shop_records(&self), 0);
    shop_close(&self);
}

static docket_status leave_statements(docket_ctx *ctx, shop *self)
{
    sqlite3 *db = docket_ctx_sqlite(ctx);
    sqlite3_prepare_v2(db, "INSERT INTO sale (number) VALUES (2), (3) RETURNING id", -1, &self->left, NULL);
    atomic_store(&self->codes[0], sqlite3_step(self->left)); /* the second row is not asked for */
    return DOCKET_OK;
}

static void statements_may_be_left_in_the_middle(void **state)
{
    shop self = shop_open(state, leave_statements);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    assert_int_equal(self.codes[0], SQLITE_ROW);
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 3);
    assert_int_not_equal(sqlite3_step(self.left), SQLITE_ROW); /* it has outlived the step, and does no harm */
    sqlite3_finalize(self.left);
    assert_int_equal(shop_sales(&self), 3);
    shop_close(&self);
}

static docket_status attach(docket_ctx *ctx, shop *self)
{
    atomic_store(&self->codes[0],
                 sqlite3_exec(docket_ctx_sqlite(ctx), "ATTACH ':memory:' AS more", NULL, NULL, NULL));
    return DOCKET_OK;
}

static void nothing_can_be_attached(void **state)
{
    shop self = shop_open(state, attach);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    assert_int_not_equal(self.codes[0], SQLITE_OK);
    outcome_free(&got);
    shop_close(&self);
}

static docket_status refer_to_nothing(docket_ctx *ctx, shop *self)
{
    sqlite3 *db = docket_ctx_sqlite(ctx);
    (void)self;
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_exec(db, "INSERT INTO refund (sale) VALUES (99)", NULL, NULL, NULL);
    return DOCKET_OK;
}

static void the_databases_own_rules_hold(void **state)
{
    shop self = shop_open(state, refer_to_nothing);
    docket_step_options options = shop_options(&self);
    shop_sql(self.db, "CREATE TABLE refund (sale INTEGER REFERENCES sale (id) DEFERRABLE INITIALLY DEFERRED);"
                      "CREATE TABLE trail (number INTEGER); CREATE TRIGGER t AFTER INSERT ON sale BEGIN"
                      " INSERT INTO trail VALUES (new.number); END");
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_FAILED, got.status);
    assert_contains(got.error.message, "FOREIGN KEY");
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 0);
    self.act = NULL;
    got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_int_equal(shop_number(self.db, "SELECT count(*) FROM trail"), 1);
    shop_close(&self);
}

static docket_status ask_for_connection(docket_ctx *ctx, Note *out, const Order *in)
{
    out->number = in->number;
    return docket_ctx_sqlite(ctx) == NULL ? DOCKET_OK : docket_fail(ctx, 0, "there is a connection");
}
DOCKET_STEP(ask_for_connection, Note, Order);

static void other_steps_have_no_connection(void **state)
{
    shop self = shop_open(state, NULL);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self.at->store};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    self.graph = graph_of_one(&graph_options, &ask_for_connection_step, &recorded);
    assert_status(DOCKET_OK, run_for_status(self.graph, &SHOP_REQUEST(Note, "one")));
    assert_null(docket_ctx_sqlite(NULL));
    shop_close(&self);
}

/* ---- Validation ---- */

static bool always_good(docket_ctx *ctx, const void *value)
{
    (void)ctx;
    (void)value;
    return true;
}

static void refuse(const docket_step_options *options, docket_status status, const char *message)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_graph *graph = docket_graph_new("refused", NULL);
    docket_graph_add(graph, &sell_step, options);
    assert_status(status, docket_graph_validate(graph, &error));
    assert_contains(error.message, message);
    assert_string_equal(error.step, "sell");
    docket_graph_free(graph);
}

static void what_cannot_be_is_refused(void **state)
{
    shop self = shop_open(state, NULL);
    docket_store *memory = NULL;
    assert_status(DOCKET_OK, docket_store_open(&memory, "memory:", NULL, NULL));
    docket_step_options options = shop_options(&self);
    options.store = self.at->store;
    docket_step_options changed = options;
    changed.scope = DOCKET_SCOPE_NONE;
    refuse(&changed, DOCKET_INVALID, "DOCKET_SCOPE_NONE");
    changed = options;
    changed.commit = DOCKET_COMMIT_BEFORE_END;
    refuse(&changed, DOCKET_INVALID, "DOCKET_COMMIT_BEFORE_END");
    changed = options;
    changed.isolated = true;
    refuse(&changed, DOCKET_INVALID, "isolated");
    changed = options;
    changed.ttl_ms = 1;
    refuse(&changed, DOCKET_INVALID, "ttl_ms");
    changed = options;
    changed.still_good = always_good;
    refuse(&changed, DOCKET_INVALID, "still_good");
    changed = options;
    changed.on_unreadable = DOCKET_RERUN;
    refuse(&changed, DOCKET_INVALID, "on_unreadable");
    changed = options;
    changed.time_limit_ms = 5001;
    refuse(&changed, DOCKET_INVALID, "transaction_timeout_ms");
    changed = options;
    changed.effect = (docket_effect_kind)3;
    refuse(&changed, DOCKET_INVALID, "effect");
    changed = options;
    changed.store = memory;
    refuse(&changed, DOCKET_UNSUPPORTED, "the store memory: has no transactions");
    docket_store_close(memory);
    shop_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(effect_and_record_are_one),
        SITE_SQLITE(each_attempt_is_a_new_transaction),
        SITE_SQLITE(a_failure_leaves_nothing),
        SITE_SQLITE(an_absence_is_a_success),
        SITE_SQLITE(a_failure_that_is_an_absence_leaves_no_effect),
        SITE_SQLITE(what_is_not_to_be_recorded_is_not_done),
        SITE_SQLITE(a_result_too_large_leaves_no_effect),
        SITE_SQLITE(an_execution_does_it_once),
        SITE_SQLITE(each_fault_leaves_both_or_neither),
        SITE_SQLITE(savepoints_are_the_steps),
        SITE_SQLITE(the_step_cannot_end_the_transaction),
        SITE_SQLITE(statements_may_be_left_in_the_middle),
        SITE_SQLITE(nothing_can_be_attached),
        SITE_SQLITE(the_databases_own_rules_hold),
        SITE_SQLITE(other_steps_have_no_connection),
        SITE_SQLITE(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
