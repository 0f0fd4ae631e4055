/* An application with a database file of its own, which docket shares: one table, `sale`, and a graph with one transactional
 * step that adds a row to it. */
#ifndef DOCKET_TESTS_SHOP_H
#define DOCKET_TESTS_SHOP_H

#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/sqlite.h>
#include <sqlite3.h>

DOCKET_STRUCT(Order, (INT64, number));
DOCKET_STRUCT(Receipt, (INT64, number), (STRING, text));
DOCKET_STRUCT(Note, (INT64, number));

/* Order -> Receipt, transactional: adds a row, then does what shop->act does. */
DOCKET_STEP_DECLARE(sell);

/* Order -> Note. */
DOCKET_STEP_DECLARE(jot);

typedef struct shop shop;
struct shop {
    site *at;
    sqlite3 *db;
    docket_graph *graph;
    docket_store *other; /* a second handle of the same file */
    docket_status (*act)(docket_ctx *ctx, shop *self);
    atomic_int entries;
    atomic_int codes[8]; /* that the act got from SQLite */
    gate inside, go_on;
    sqlite3_stmt *left;
    recorder recorder;
};

/* The store has a busy_timeout_ms of 50. */
extern const docket_store_options shop_store_options;

/* Makes the file and the store of the site. Close it in the end: that looks at the file, too. */
shop shop_open(void **state, docket_status (*act)(docket_ctx *ctx, shop *self));
void shop_close(shop *self);

/* Of a transactional step in WORKFLOW scope; a graph with `sell` alone, and the shop's own such graph. */
docket_step_options shop_options(shop *self);
docket_graph *shop_graph(shop *self, docket_store *store, const docket_step_options *options);
void shop_use(shop *self, const docket_step_options *options);

/* Asks for a Receipt under the id "one". */
outcome shop_sell(docket_graph *graph);

static const Order first_order = {1};

#define SHOP_REQUEST(T, id)                                                \
    (docket_request)                                                       \
    {                                                                      \
        DOCKET_REQUEST_INIT, .execution_id = (id), .output = DOCKET_OF(T), \
                             DOCKET_INPUTS(DOCKET_IN(Order, &first_order)) \
    }

/* On the application's own connection: assert that it works. */
void shop_sql(sqlite3 *db, const char *text);
int64_t shop_number(sqlite3 *db, const char *question);
int64_t shop_sales(const shop *self);
int64_t shop_records(const shop *self); /* but failures */

/* In a step. SQLite's result code. */
int shop_insert(docket_ctx *ctx, int64_t number);

#endif
