/* Transactional steps beside others: commits wait for the transaction, nothing is recorded from inside, and it ends at its
 * limit whatever the function does. */
#include "support/shop.h"

#include <stdio.h>

enum { SHORT_MS = 100 };

/* ---- Others ---- */

static docket_status stay(docket_ctx *ctx, shop *self)
{
    (void)ctx;
    gate_arrive(&self->inside);
    gate_wait(&self->go_on);
    pause_ms(4 * (int)shop_store_options.busy_timeout_ms);
    return DOCKET_OK;
}

static void let_go_at_lookup(void *arg, const docket_event *event)
{
    if (event->kind == DOCKET_EVENT_LOOKUP) {
        gate_arrive(arg);
    }
}

/* A recorded step of another graph commits while a transaction is open for longer than busy_timeout_ms. */
static void others_wait(void **state, bool same_handle)
{
    shop self = shop_open(state, stay);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    assert_status(DOCKET_OK, docket_store_open(&self.other, self.at->url, &shop_store_options, NULL));
    const docket_observer observer = {let_go_at_lookup, &self.go_on};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT,
                                                .store = same_handle ? self.at->store : self.other,
                                                .observers = &observer, .observer_count = 1};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = graph_of_one(&graph_options, &jot_step, &recorded);
    const docket_request request = SHOP_REQUEST(Receipt, "one");
    caller seller;
    caller_start(&seller, self.graph, &request);
    assert_true(gate_wait(&self.inside));
    outcome got = run(graph, &SHOP_REQUEST(Note, "two"));
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    outcome *sold = caller_join(&seller);
    assert_status(DOCKET_OK, sold->status);
    outcome_free(sold);
    docket_graph_free(graph);
    assert_int_equal(shop_sales(&self), 1);
    assert_int_equal(shop_records(&self), 2);
    shop_close(&self);
}

static void commits_of_the_store_wait(void **state)
{
    others_wait(state, true);
}

static void commits_through_another_handle_wait(void **state)
{
    others_wait(state, false);
}

static void the_application_waits(void **state)
{
    shop self = shop_open(state, stay);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    const docket_request request = SHOP_REQUEST(Receipt, "one");
    caller seller;
    gate_arrive(&self.go_on);
    caller_start(&seller, self.graph, &request);
    assert_true(gate_wait(&self.inside));
    docket_error error = DOCKET_ERROR_INIT;
    assert_status(DOCKET_OK, docket_sqlite_begin(self.at->store, self.db, &error));
    shop_sql(self.db, "INSERT INTO sale (number) VALUES (2)");
    assert_status(DOCKET_OK, docket_sqlite_end(self.at->store, self.db, true, &error));
    outcome *sold = caller_join(&seller);
    assert_status(DOCKET_OK, sold->status);
    outcome_free(sold);
    assert_int_equal(shop_sales(&self), 2);
    shop_close(&self);
}

/* Both handles have looked and found nothing when the first enters. */
static void a_record_that_came_meanwhile_is_adopted(void **state)
{
    shop self = shop_open(state, stay);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    assert_status(DOCKET_OK, docket_store_open(&self.other, self.at->url, &shop_store_options, NULL));
    const docket_observer observer = {let_go_at_lookup, &self.go_on};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self.other,
                                                .observers = &observer, .observer_count = 1};
    docket_graph *graph = graph_of_one(&graph_options, &sell_step, &options);
    const docket_request request = SHOP_REQUEST(Receipt, "one");
    caller seller;
    caller_start(&seller, self.graph, &request);
    assert_true(gate_wait(&self.inside));
    outcome got = shop_sell(graph);
    assert_status(DOCKET_OK, got.status);
    assert_string_equal(DOCKET_RESULT(got.result, Receipt)->text, "sale 1");
    assert_int_equal(docket_result_state(got.result, DOCKET_OF(Receipt)), DOCKET_VALUE_RESTORED);
    outcome_free(&got);
    outcome *sold = caller_join(&seller);
    assert_status(DOCKET_OK, sold->status);
    outcome_free(sold);
    docket_graph_free(graph);
    assert_int_equal(self.entries, 1);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
}

typedef struct crowd_job {
    shop *shop;
    docket_graph *graph;
    int first, wrong;
} crowd_job;

enum { SELLERS = 6, SALES = 20 };

static void *sell_many(void *arg)
{
    crowd_job *job = arg;
    for (int i = 0; i < SALES; i++) {
        char id[32];
        snprintf(id, sizeof id, "sale-%d", job->first + i);
        docket_status status = run_for_status(job->graph, &SHOP_REQUEST(Receipt, id));
        job->wrong += status != DOCKET_OK;
    }
    return NULL;
}

static void many_sell_at_once(void **state)
{
    shop self = shop_open(state, NULL);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    assert_status(DOCKET_OK, docket_store_open(&self.other, self.at->url, &shop_store_options, NULL));
    docket_graph *graph = shop_graph(&self, self.other, &options);
    crowd_job jobs[SELLERS];
    pthread_t threads[SELLERS];
    for (int i = 0; i < SELLERS; i++) {
        jobs[i] = (crowd_job){&self, i % 2 == 0 ? self.graph : graph, i / 2 * SALES, 0}; /* each id is sold twice */
        assert_int_equal(pthread_create(&threads[i], NULL, sell_many, &jobs[i]), 0);
    }
    for (int i = 0; i < SELLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].wrong, 0);
    }
    docket_graph_free(graph);
    assert_int_equal(shop_sales(&self), SELLERS / 2 * SALES);
    assert_int_equal(self.entries, SELLERS / 2 * SALES);
    shop_close(&self);
}

/* ---- From inside ---- */

static docket_status execute_inside(docket_ctx *ctx, shop *self)
{
    const docket_graph_options mine = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->at->store};
    const docket_graph_options twin = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->other};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_store *memory = NULL;
    (void)ctx;
    assert_status(DOCKET_OK, docket_store_open(&memory, "memory:", NULL, NULL));
    const docket_graph_options elsewhere = {DOCKET_GRAPH_OPTIONS_INIT, .store = memory};
    docket_graph *graphs[] = {graph_of_one(&mine, &jot_step, &recorded), graph_of_one(&twin, &jot_step, &recorded),
                              graph_of_one(&elsewhere, &jot_step, &recorded), graph_of_one(NULL, &jot_step, NULL)};
    for (int i = 0; i < 4; i++) {
        outcome got = run(graphs[i], &SHOP_REQUEST(Note, "inner"));
        atomic_store(&self->codes[i], (int)got.status);
        outcome_free(&got);
        docket_graph_free(graphs[i]);
    }
    docket_store_close(memory);
    return DOCKET_OK;
}

static void nothing_is_recorded_inside(void **state)
{
    shop self = shop_open(state, execute_inside);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    assert_status(DOCKET_OK, docket_store_open(&self.other, self.at->url, &shop_store_options, NULL));
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_status(DOCKET_CONFLICT, (docket_status)self.codes[0]);
    assert_status(DOCKET_CONFLICT, (docket_status)self.codes[1]);
    assert_status(DOCKET_OK, (docket_status)self.codes[2]);
    assert_status(DOCKET_OK, (docket_status)self.codes[3]);
    assert_int_equal(shop_sales(&self), 1);
    assert_int_equal(shop_records(&self), 1);
    shop_close(&self);
}

static docket_status write_otherwise(docket_ctx *ctx, shop *self)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "other"};
    (void)ctx;
    atomic_store(&self->codes[0], (int)docket_sqlite_begin(self->at->store, self->db, &error));
    assert_contains(error.message, "docket_ctx_sqlite");
    atomic_store(&self->codes[1], (int)docket_checkpoint_forget(self->at->store, &filter, NULL, &error));
    atomic_store(&self->codes[2], (int)docket_store_purge(self->at->store, NULL, &error));
    return DOCKET_OK;
}

static void the_store_is_not_written_otherwise(void **state)
{
    shop self = shop_open(state, write_otherwise);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    for (int i = 0; i < 3; i++) {
        assert_status(DOCKET_CONFLICT, (docket_status)self.codes[i]);
    }
    shop_close(&self);
}

/* ---- Limits ---- */

static docket_status sleep_on(docket_ctx *ctx, shop *self)
{
    (void)self;
    return docket_ctx_attempt(ctx) == 1 ? docket_sleep(ctx, DOCKET_MINUTES(1)) : DOCKET_OK;
}

static void a_passed_limit_rolls_back(void **state)
{
    shop self = shop_open(state, sleep_on);
    docket_step_options options = shop_options(&self);
    options.time_limit_ms = SHORT_MS;
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_TIMEOUT, got.status);
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 0);
    docket_graph_free(self.graph);
    options.max_attempts = 2;
    shop_use(&self, &options);
    got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_int_equal(self.entries, 3);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
}

static docket_status count_for_ever(docket_ctx *ctx, shop *self)
{
    int code = sqlite3_exec(
        docket_ctx_sqlite(ctx),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", NULL, NULL, NULL);
    atomic_store(&self->codes[0], code);
    return docket_fail(ctx, code, "%s", sqlite3_errmsg(docket_ctx_sqlite(ctx)));
}

static void a_statement_under_way_is_interrupted(void **state)
{
    shop self = shop_open(state, count_for_ever);
    docket_step_options options = shop_options(&self);
    options.time_limit_ms = SHORT_MS;
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_TIMEOUT, got.status);
    assert_contains(got.error.message, "limit of 100 ms");
    assert_int_equal(self.codes[0] & 0xff, SQLITE_INTERRUPT);
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 0);
    shop_close(&self);
}

/* Comes back long after everybody has given it up, and tries all that may be tried. */
static docket_status straggle(docket_ctx *ctx, shop *self)
{
    static const char *const tries[] = {"INSERT INTO sale (number) VALUES (7)",
                                        "SELECT count(*) FROM sale",
                                        "BEGIN IMMEDIATE",
                                        "COMMIT",
                                        "SAVEPOINT s",
                                        "PRAGMA wal_checkpoint"};
    sqlite3 *db = docket_ctx_sqlite(ctx);
    sqlite3_stmt *write = NULL, *read = NULL;
    sqlite3_prepare_v2(db, "INSERT INTO sale (number) VALUES (8)", -1, &write, NULL);
    sqlite3_prepare_v2(
        db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i, number"
        " FROM n, sale",
        -1, &read, NULL);
    sqlite3_step(read);
    gate_wait(&self->go_on);
    int failed = 0;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        failed += sqlite3_exec(db, tries[i], NULL, NULL, NULL) != SQLITE_OK;
    }
    atomic_store(&self->codes[0], failed);
    atomic_store(&self->codes[1], sqlite3_step(write) != SQLITE_DONE);
    int code;
    while ((code = sqlite3_step(read)) == SQLITE_ROW) {
    }
    atomic_store(&self->codes[2], code != SQLITE_DONE);
    sqlite3_finalize(write);
    sqlite3_finalize(read);
    gate_arrive(&self->inside);
    return DOCKET_OK;
}

static void a_straggler_holds_up_nobody(void **state)
{
    shop self = shop_open(state, straggle);
    docket_step_options options = shop_options(&self);
    options.time_limit_ms = SHORT_MS;
    options.grace_ms = 1;
    shop_use(&self, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_TIMEOUT, got.status);
    assert_contains(got.error.message, "runs on");
    outcome_free(&got);
    /* The lock is free, and there is nothing of the step: with the straggler still inside. */
    docket_error error = DOCKET_ERROR_INIT;
    assert_status(DOCKET_OK, docket_sqlite_begin(self.at->store, self.db, &error));
    assert_int_equal(shop_sales(&self), 0);
    shop_sql(self.db, "INSERT INTO sale (number) VALUES (2)");
    assert_status(DOCKET_OK, docket_sqlite_end(self.at->store, self.db, true, &error));
    gate_arrive(&self.go_on);
    assert_true(gate_wait(&self.inside));
    assert_status(DOCKET_OK, docket_graph_stop(self.graph, GATE_LIMIT_MS, &error));
    assert_int_equal(self.codes[0], 6);
    assert_int_equal(self.codes[1], 1);
    assert_int_equal(self.codes[2], 1);
    assert_int_equal(shop_sales(&self), 1);
    assert_int_equal(shop_records(&self), 0);
    shop_close(&self);
}

static docket_status stay_until_gone(docket_ctx *ctx, shop *self)
{
    gate_arrive(&self->inside);
    while (!docket_cancelled(ctx)) {
        docket_status slept = docket_sleep(ctx, 1000);
        (void)slept;
    }
    return DOCKET_OK;
}

static void what_returned_is_recorded_though_nobody_waits(void **state)
{
    shop self = shop_open(state, stay_until_gone);
    docket_step_options options = shop_options(&self);
    shop_use(&self, &options);
    docket_request request = SHOP_REQUEST(Receipt, "one");
    request.cancel = docket_cancel_new();
    caller seller;
    caller_start(&seller, self.graph, &request);
    assert_true(gate_wait(&self.inside));
    docket_cancel_set(request.cancel);
    outcome *sold = caller_join(&seller);
    assert_status(DOCKET_CANCELLED, sold->status);
    outcome_free(sold);
    docket_cancel_free(request.cancel);
    request.cancel = NULL;
    request.execution_id = "two";
    request.time_limit_ms = SHORT_MS;
    assert_status(DOCKET_TIMEOUT, run_for_status(self.graph, &request));
    assert_status(DOCKET_OK, docket_graph_stop(self.graph, GATE_LIMIT_MS, NULL));
    assert_int_equal(shop_sales(&self), 2);
    assert_int_equal(shop_records(&self), 2);
    shop_close(&self);
}

static void a_pool_without_threads_does_it_too(void **state)
{
    shop self = shop_open(state, NULL);
    docket_step_options options = shop_options(&self);
    docket_pool *pool = docket_pool_new(0);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self.at->store, .pool = pool};
    self.graph = graph_of_one(&graph_options, &sell_step, &options);
    outcome got = shop_sell(self.graph);
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    assert_int_equal(shop_sales(&self), 1);
    shop_close(&self);
    docket_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(commits_of_the_store_wait),
        SITE_SQLITE(commits_through_another_handle_wait),
        SITE_SQLITE(the_application_waits),
        SITE_SQLITE(a_record_that_came_meanwhile_is_adopted),
        SITE_SQLITE(many_sell_at_once),
        SITE_SQLITE(nothing_is_recorded_inside),
        SITE_SQLITE(the_store_is_not_written_otherwise),
        SITE_SQLITE(a_passed_limit_rolls_back),
        SITE_SQLITE(a_statement_under_way_is_interrupted),
        SITE_SQLITE(a_straggler_holds_up_nobody),
        SITE_SQLITE(what_returned_is_recorded_though_nobody_waits),
        SITE_SQLITE(a_pool_without_threads_does_it_too),
    };
    return cmocka_run_group_tests_name("transaction_others", tests, NULL, NULL);
}
