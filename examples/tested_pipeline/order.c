#include "order.h"

static docket_status price_order(docket_ctx *ctx, Price *out, const Order *order)
{
    if (order->articles < 1) {
        return docket_reject(ctx, 0, "an order of %d articles", (int)order->articles);
    }
    out->cents = 250 * order->articles;
    return DOCKET_OK;
}
DOCKET_STEP(price_order, Price, Order);

static docket_status charge_customer(docket_ctx *ctx, Charge *out, const Order *order, const Price *price,
                                     Bank *bank)
{
    (void)order;
    const char *receipt = bank->charge(bank, price->cents, docket_ctx_idempotency_key(ctx));
    if (receipt == NULL) {
        return docket_fail(ctx, 503, "the bank cannot be reached");
    }
    out->receipt = docket_strdup(ctx, receipt);
    return DOCKET_OK;
}
DOCKET_STEP(charge_customer, Charge, Order, Price, Bank);

static docket_status confirm_order(docket_ctx *ctx, Confirmation *out, const Order *order, const Charge *charge)
{
    out->text = docket_printf(ctx, "Dear %s, your receipt is %s.", order->customer, charge->receipt);
    return DOCKET_OK;
}
DOCKET_STEP(confirm_order, Confirmation, Order, Charge);

docket_graph *order_graph(docket_store *store)
{
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_step_options patient = recorded;
    patient.max_attempts = 3;
    patient.backoff =
        (docket_backoff){.kind = DOCKET_BACKOFF_FIXED, .first_ms = DOCKET_HOURS(1), .no_jitter = true};
    docket_graph *graph = docket_graph_new("order", NULL);
    if (graph != NULL) { /* validation reports what cannot be added */
        docket_graph_add(graph, &price_order_step, &recorded);
        docket_graph_add(graph, &charge_customer_step, &patient);
        docket_graph_add(graph, &confirm_order_step, &recorded);
    }
    return graph;
}

docket_status order_execute(docket_graph *graph, const char *id, const Order *order, Bank *bank,
                            docket_result **result, docket_error *error)
{
    return docket_execute(graph,
                          &(docket_request){
                              DOCKET_REQUEST_INIT,
                              .execution_id = id,
                              .output = DOCKET_OF(Confirmation),
                              DOCKET_INPUTS(DOCKET_IN(Order, order), DOCKET_IN(Bank, bank)),
                          },
                          result, error);
}
