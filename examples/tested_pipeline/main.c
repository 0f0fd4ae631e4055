/* Tests of the pipeline in order.c, without a test framework: each is a function that prints what it has found. */
#include "order.h"

#include <docket/testing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failures;

static void expect(bool holds, const char *what)
{
    if (!holds) {
        printf("   FAILED: %s\n", what);
        failures++;
    }
}

static const Order order = {.customer = "Anna", .articles = 3};

/* One bank keeps a ledger of what it was asked for, another cannot be reached at first. */
static const char *note_charge(Bank *bank, int64_t cents, const char *key)
{
    (void)cents;
    docket_test_ledger_add(bank->arg, "charge", key);
    return "R-1";
}

static const char *be_down_twice(Bank *bank, int64_t cents, const char *key)
{
    int *calls = bank->arg;
    (void)cents;
    (void)key;
    return ++*calls <= 2 ? NULL : "R-2";
}

/* One step by itself. */

static void test_step(void)
{
    docket_error error;
    docket_result *result = NULL;
    docket_status status = docket_test_step(
        &price_order_step,
        &(docket_test_step_options){DOCKET_TEST_STEP_OPTIONS_INIT, DOCKET_INPUTS(DOCKET_IN(Order, &order))},
        &result, &error);
    expect(status == DOCKET_OK && DOCKET_RESULT(result, Price)->cents == 750, "three articles cost 7.50");
    docket_result_free(result);

    const Order empty = {.customer = "Anna", .articles = 0};
    status = docket_test_step(
        &price_order_step,
        &(docket_test_step_options){DOCKET_TEST_STEP_OPTIONS_INIT, DOCKET_INPUTS(DOCKET_IN(Order, &empty))}, NULL,
        &error);
    expect(status == DOCKET_REJECTED, "an order of nothing is rejected");
    printf("   %s\n", error.message);
}

/* A fake in the place of a step. */

static docket_status charge_for_free(docket_ctx *ctx, Charge *out, const Order *of, const Price *price, Bank *bank)
{
    (void)of;
    (void)price;
    (void)bank;
    out->receipt = docket_printf(ctx, "FAKE-%d", docket_ctx_attempt(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(charge_for_free, Charge, Order, Price, Bank);

static void test_fake(docket_store *store)
{
    docket_error error;
    docket_result *result = NULL;
    Bank nobody = {NULL, NULL};
    docket_graph *graph = order_graph(store);
    docket_graph_replace(graph, "charge_customer", &charge_for_free_step, NULL);
    docket_status status = docket_graph_validate(graph, &error);
    status = status == DOCKET_OK ? order_execute(graph, "faked", &order, &nobody, &result, &error) : status;
    expect(status == DOCKET_OK, "the order is confirmed");
    printf("   %s\n", status == DOCKET_OK ? DOCKET_RESULT(result, Confirmation)->text : error.message);
    docket_result_free(result);
    docket_graph_free(graph);
}

/* Two hours of waiting for the bank, in a moment. */

static void test_patience(void)
{
    docket_error error;
    docket_result *result = NULL;
    docket_store *store = NULL;
    int calls = 0;
    Bank bank = {be_down_twice, &calls};
    docket_test_clock_start(0);
    docket_test_clock_run(DOCKET_HOURS(1)); /* an hour in a millisecond */
    docket_graph *graph = NULL;
    docket_status status = docket_store_open(&store, "memory:", NULL, &error);
    if (status == DOCKET_OK) {
        graph = order_graph(store);
        status = docket_graph_validate(graph, &error);
    }
    status = status == DOCKET_OK ? order_execute(graph, "patient", &order, &bank, &result, &error) : status;
    expect(status == DOCKET_OK && calls == 3, "the third attempt reaches the bank");
    expect(docket_test_clock_wall_ms() >= DOCKET_HOURS(2), "two hours have passed");
    printf("   %s\n", status == DOCKET_OK ? DOCKET_RESULT(result, Confirmation)->text : error.message);
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    docket_test_clock_stop();
}

/* A store that fails by dice: whatever happens, the order is confirmed in the end, and the bank sees one key. */

static void test_faults(uint64_t seed)
{
    static const docket_test_rates rates = {.fail_before = 0.3, .fail_after = 0.2, .tear = 0.1, .disk_full = 0.1};
    docket_error error;
    docket_test_store *faulty = NULL;
    char ledger[] = "faults.ledger";
    Bank bank = {note_charge, ledger};
    if (docket_test_store_open(&faulty, NULL, &error) != DOCKET_OK) {
        expect(false, error.message);
        return;
    }
    docket_graph *graph = order_graph(docket_test_store_get(faulty));
    docket_status status = docket_graph_validate(graph, &error);
    docket_test_store_randomize(faulty, seed, &rates);
    int executions = 0;
    do {
        status = order_execute(graph, "unlucky", &order, &bank, NULL, &error);
    } while (status == DOCKET_STORE && ++executions < 1000);
    expect(status == DOCKET_OK, "the order is confirmed in the end");
    int64_t charges = docket_test_ledger_count(ledger, "charge", NULL);
    expect(charges > 0 && charges == docket_test_ledger_most(ledger, "charge"), "every request had the same key");
    printf("   seed %llu: failed %d times, the bank was asked %lld times, always with the same key\n",
           (unsigned long long)seed, executions, (long long)charges);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
}

/* A kill at every point that makes a difference. */

static const char ledger_of_kills[] = "kills.ledger";

static int run_pipeline(void *arg)
{
    docket_error error;
    docket_store *store = NULL;
    docket_result *result = NULL;
    Bank bank = {note_charge, arg};
    if (docket_store_open(&store, "sqlite:orders.db", NULL, &error) != DOCKET_OK) {
        return 1;
    }
    docket_graph *graph = order_graph(store);
    bool done = docket_graph_validate(graph, &error) == DOCKET_OK &&
                order_execute(graph, "order-17", &order, &bank, &result, &error) == DOCKET_OK;
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    return done ? 0 : 2;
}

static void start_anew(void *arg)
{
    docket_error error;
    unlink(arg);
    expect(docket_store_delete("sqlite:orders.db", &error) == DOCKET_OK, error.message);
}

static const char *look_at_charges(void *arg)
{
    int64_t requests = docket_test_ledger_count(arg, "charge", NULL);
    if (requests < 1 || requests > 2) {
        return "the bank was asked neither once nor twice";
    }
    return docket_test_ledger_most(arg, "charge") == requests ? NULL
                                                              : "the bank could not know that it was asked again";
}

static void test_kills(void)
{
    docket_error error;
    uint64_t rounds = 0;
    char ledger[sizeof ledger_of_kills];
    memcpy(ledger, ledger_of_kills, sizeof ledger);
    docket_status status = docket_test_crash_each(
        &(docket_test_crash_options){
            DOCKET_TEST_CRASH_OPTIONS_INIT,
            .prepare = start_anew,
            .run = run_pipeline,
            .check = look_at_charges,
            .arg = ledger,
        },
        &rounds, &error);
    expect(status == DOCKET_OK, error.message);
    printf("   %llu kills: each time the next run confirmed the order\n", (unsigned long long)rounds);
}

/* The types come back as they were. */

static void test_types(void)
{
    docket_error error;
    const Confirmation confirmation = {.text = "Dear Zoë"};
    expect(docket_test_round_trip(DOCKET_OF(Order), &order, &error) == DOCKET_OK, error.message);
    expect(docket_test_round_trip(DOCKET_OF(Confirmation), &confirmation, &error) == DOCKET_OK, error.message);
}

int main(void)
{
    docket_error error;
    docket_store *store = NULL;
    printf("1. A kill at every point\n");
    test_kills(); /* while nothing of docket is open: it forks */
    printf("2. One step by itself\n");
    test_step();
    printf("3. A fake for the bank's step\n");
    if (docket_store_open(&store, "memory:", NULL, &error) == DOCKET_OK) {
        test_fake(store);
    }
    docket_store_close(store);
    printf("4. Two hours of backoff\n");
    test_patience();
    printf("5. A store with faults\n");
    test_faults(8);
    printf("6. Types\n");
    test_types();
    printf("%d expectations do not hold\n", failures);
    return failures == 0 ? 0 : 1;
}
