/* The pipeline that is tested: an order is priced, charged and confirmed. */
#ifndef ORDER_H
#define ORDER_H

#include <docket/docket.h>

DOCKET_STRUCT(Order, (STRING, customer), (INT64, articles));
DOCKET_STRUCT(Price, (INT64, cents));
DOCKET_STRUCT(Charge, (STRING, receipt));
DOCKET_STRUCT(Confirmation, (STRING, text));

/* The bank, behind a function so that a test can put its own there. */
typedef struct Bank {
    /* Answers a receipt, or NULL if it cannot be reached. The key tells a repeated request from a new one. */
    const char *(*charge)(struct Bank *bank, int64_t cents, const char *key);
    void *arg;
} Bank;
DOCKET_RESOURCE(Bank);

DOCKET_STEP_DECLARE(price_order);
DOCKET_STEP_DECLARE(charge_customer);
DOCKET_STEP_DECLARE(confirm_order);

/* The graph, not yet validated, so that a test can put fakes into it. NULL when memory is exhausted. */
docket_graph *order_graph(docket_store *store);

/* Executes an order under its id. */
docket_status order_execute(docket_graph *graph, const char *id, const Order *order, Bank *bank,
                            docket_result **result, docket_error *error);

#endif
