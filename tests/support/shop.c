#include "support/shop.h"

#include <stdio.h>

void shop_sql(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
}

int64_t shop_number(sqlite3 *db, const char *question)
{
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return answer;
}

int64_t shop_sales(const shop *self)
{
    return shop_number(self->db, "SELECT count(*) FROM sale");
}

int64_t shop_records(const shop *self)
{
    return shop_number(self->db, "SELECT count(*) FROM docket_checkpoint WHERE kind <> 3");
}

int shop_insert(docket_ctx *ctx, int64_t number)
{
    char text[80];
    snprintf(text, sizeof text, "INSERT INTO sale (number) VALUES (%d)", (int)number);
    return sqlite3_exec(docket_ctx_sqlite(ctx), text, NULL, NULL, NULL);
}

static docket_status sell(docket_ctx *ctx, Receipt *out, const Order *in)
{
    shop *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->entries, 1);
    out->number = in->number;
    out->text = docket_printf(ctx, "sale %d", (int)in->number);
    if (shop_insert(ctx, in->number) != SQLITE_OK) {
        return docket_fail(ctx, 0, "%s", sqlite3_errmsg(docket_ctx_sqlite(ctx)));
    }
    return self->act == NULL ? DOCKET_OK : self->act(ctx, self);
}
DOCKET_STEP(sell, Receipt, Order);

static docket_status jot(docket_ctx *ctx, Note *out, const Order *in)
{
    (void)ctx;
    out->number = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(jot, Note, Order);

const docket_store_options shop_store_options = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true,
                                                 .busy_timeout_ms = 50};

shop shop_open(void **state, docket_status (*act)(docket_ctx *ctx, shop *self))
{
    site *at = *state;
    shop made = {.at = at, .act = act, .inside = GATE_INIT(1), .go_on = GATE_INIT(1), .recorder = RECORDER_INIT};
    snprintf(at->url, sizeof at->url, "sqlite:%s/shop.db", at->folder.path);
    assert_int_equal(sqlite3_open(at->url + strlen("sqlite:"), &made.db), SQLITE_OK);
    sqlite3_wal_autocheckpoint(made.db, 0);
    sqlite3_db_config(made.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    shop_sql(made.db,
             "PRAGMA journal_mode=wal; CREATE TABLE sale (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)");
    site_open(at, &shop_store_options);
    return made;
}

void shop_close(shop *self)
{
    assert_int_equal(
        shop_number(self->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    docket_graph_free(self->graph);
    docket_store_close(self->other);
    recorder_free(&self->recorder);
    sqlite3_close(self->db);
}

docket_step_options shop_options(shop *self)
{
    return (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = self, .scope = DOCKET_SCOPE_WORKFLOW,
                                 .effect = DOCKET_EFFECT_TRANSACTION};
}

docket_graph *shop_graph(shop *self, docket_store *store, const docket_step_options *options)
{
    const docket_observer observer = recorder_observer(&self->recorder);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store, .observers = &observer,
                                                .observer_count = 1};
    return graph_of_one(&graph_options, &sell_step, options);
}

void shop_use(shop *self, const docket_step_options *options)
{
    self->graph = shop_graph(self, self->at->store, options);
}

outcome shop_sell(docket_graph *graph)
{
    return run(graph, &SHOP_REQUEST(Receipt, "one"));
}
