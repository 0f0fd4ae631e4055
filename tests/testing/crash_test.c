/* Crash points, and pipelines that die at each of them. */
#include "support/check.h"
#include "support/folder.h"

#include <docket/testing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DOCKET_STRUCT(Order, (INT64, number));
DOCKET_STRUCT(Invoice, (INT64, number));
DOCKET_STRUCT(Parcel, (INT64, number));

typedef struct shop {
    folder place;
    char ledger[FOLDER_PATH_ROOM];
    bool forgets;       /* its store is in memory */
    int code;           /* with which a run ends that comes to its end */
    bool recovery_dies; /* of another signal */
    const char *complaint;
    int prepared;
} shop;

static docket_status bill(docket_ctx *ctx, Invoice *out, const Order *order)
{
    shop *self = docket_ctx_user(ctx);
    out->number = order->number + 1;
    return docket_test_ledger_add(self->ledger, "bill", "7");
}
DOCKET_STEP(bill, Invoice, Order);

static docket_status pack(docket_ctx *ctx, Parcel *out, const Invoice *invoice)
{
    shop *self = docket_ctx_user(ctx);
    out->number = invoice->number + 1;
    return docket_test_ledger_add(self->ledger, "pack", "7");
}
DOCKET_STEP(pack, Parcel, Invoice);

static int sell(void *arg)
{
    shop *self = arg;
    docket_store *store = NULL;
    docket_result *result = NULL;
    char path[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 8];
    const Order order = {.number = 7};
    snprintf(url, sizeof url, "sqlite:%s", folder_file(&self->place, "shop.db", path));
    if (self->recovery_dies && file_exists(path)) {
        abort();
    }
    if (docket_store_open(&store, self->forgets ? "memory:" : url, NULL, NULL) != DOCKET_OK) {
        return 1;
    }
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .user = self,
                                         .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = docket_graph_new("shop", NULL);
    docket_graph_add_all(graph, &options, DOCKET_STEPS(bill, pack));
    bool sold =
        docket_graph_validate(graph, NULL) == DOCKET_OK &&
        docket_execute(graph,
                       &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "order-7",
                                         .output = DOCKET_OF(Parcel), DOCKET_INPUTS(DOCKET_IN(Order, &order))},
                       &result, NULL) == DOCKET_OK &&
        DOCKET_RESULT(result, Parcel)->number == 9;
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    return sold ? self->code : 2;
}

static void prepare(void *arg)
{
    shop *self = arg;
    if (self->prepared++ > 0) {
        folder_remove(&self->place);
    }
    self->place = folder_make();
    folder_file(&self->place, "ledger", self->ledger);
}

static const char *look(void *arg)
{
    shop *self = arg;
    int64_t bills = docket_test_ledger_count(self->ledger, "bill", NULL);
    int64_t packs = docket_test_ledger_count(self->ledger, "pack", NULL);
    if (self->complaint != NULL) {
        return self->complaint;
    }
    if (bills < 1 || packs < 1) {
        return "a step never ran";
    }
    return bills + packs > 3 ? "a step ran again that was recorded" : NULL;
}

static docket_status crash_each(shop *self, uint64_t *rounds, docket_error *error)
{
    const docket_test_crash_options options = {
        DOCKET_TEST_CRASH_OPTIONS_INIT, .run = sell, .prepare = prepare, .check = look, .arg = self,
        .time_limit_ms = 120000};
    docket_status status = docket_test_crash_each(&options, rounds, error);
    folder_remove(&self->place);
    return status;
}

static void test_a_kill_at_each_point(void **state)
{
    shop self = {.code = 0};
    uint64_t rounds = 0;
    docket_error error;
    (void)state;
    docket_status status = crash_each(&self, &rounds, &error);
    if (status != DOCKET_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(rounds, 12); /* enter, return, commit, committed, release, released; twice */
    assert_int_equal(self.prepared, 13);
}

static void test_a_store_that_forgets_is_found_out(void **state)
{
    shop self = {.forgets = true};
    uint64_t rounds = 0;
    docket_error error;
    (void)state;
    assert_status(DOCKET_FAILED, crash_each(&self, &rounds, &error));
    /* The first whose kill comes after one step was recorded and the other was entered. */
    assert_string_equal(error.message, "point 8, return(pack): a step ran again that was recorded");
    assert_int_equal(rounds, 8);
}

static void test_what_goes_wrong_is_told(void **state)
{
    docket_error error;
    (void)state;
    shop answers = {.code = 5};
    assert_status(DOCKET_FAILED, crash_each(&answers, NULL, &error));
    assert_string_equal(error.message, "point 1, enter(bill): the run after the kill answered 5");
    shop dies = {.recovery_dies = true};
    assert_status(DOCKET_FAILED, crash_each(&dies, NULL, &error));
    assert_contains(error.message, "point 1, enter(bill): the run after the kill died of signal 6");
    shop complains = {.complaint = "the till is empty"};
    assert_status(DOCKET_FAILED, crash_each(&complains, NULL, &error));
    assert_string_equal(error.message, "point 1, enter(bill): the till is empty");
}

static int hang(void *arg)
{
    (void)arg;
    return pause();
}

static int answer_three(void *arg)
{
    (void)arg;
    return 3;
}

static int pass_two_points(void *arg)
{
    (void)arg;
    docket_result *result = NULL;
    const Order order = {.number = 1};
    shop self = {.ledger = "/dev/null"};
    docket_status status =
        docket_test_step(&bill_step,
                         &(docket_test_step_options){DOCKET_TEST_STEP_OPTIONS_INIT, .user = &self,
                                                     DOCKET_INPUTS(DOCKET_IN(Order, &order))},
                         &result, NULL);
    docket_result_free(result);
    return status != DOCKET_OK;
}

static void test_odd_pipelines_and_options(void **state)
{
    docket_error error;
    uint64_t rounds;
    (void)state;
    docket_test_crash_options options = {DOCKET_TEST_CRASH_OPTIONS_INIT, .run = hang, .time_limit_ms = 50};
    assert_status(DOCKET_TIMEOUT, docket_test_crash_each(&options, &rounds, &error));
    assert_contains(error.message, "point 1: the child that was to be killed did not end within 50 ms");
    options = (docket_test_crash_options){DOCKET_TEST_CRASH_OPTIONS_INIT, .run = answer_three};
    assert_status(DOCKET_FAILED, docket_test_crash_each(&options, &rounds, &error));
    assert_string_equal(error.message, "point 1: the run that was to be killed answered 3");
    assert_int_equal(rounds, 0);
    options.run = pass_two_points;
    assert_status(DOCKET_OK, docket_test_crash_each(&options, &rounds, &error));
    assert_int_equal(rounds, 2);
    options.first = 2;
    assert_status(DOCKET_OK, docket_test_crash_each(&options, &rounds, &error));
    assert_int_equal(rounds, 1);
    options.first = options.most = 1;
    assert_status(DOCKET_OK, docket_test_crash_each(&options, &rounds, &error));
    assert_int_equal(rounds, 1);
    options.run = NULL;
    assert_status(DOCKET_INVALID, docket_test_crash_each(&options, &rounds, &error));
    assert_status(DOCKET_INVALID, docket_test_crash_each(NULL, NULL, NULL));
}

static void note(void *arg, docket_point point, const char *where)
{
    snprintf(arg, 64, "%s %s", docket_point_name(point), where);
}

static void test_a_call_in_the_place_of_death(void **state)
{
    char seen[64] = "";
    (void)state;
    docket_test_crash_call(2, note, seen);
    assert_int_equal(pass_two_points(NULL), 0);
    assert_string_equal(seen, "return bill");
    assert_int_equal(docket_test_crash_passed(), 2);
    docket_test_crash_stop();
    assert_int_equal(pass_two_points(NULL), 0);
    assert_int_equal(docket_test_crash_passed(), 2);
    docket_test_crash_at(0);
    assert_int_equal(pass_two_points(NULL), 0);
    assert_int_equal(docket_test_crash_passed(), 2);
    docket_test_crash_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kill_at_each_point),
        cmocka_unit_test(test_a_store_that_forgets_is_found_out),
        cmocka_unit_test(test_what_goes_wrong_is_told),
        cmocka_unit_test(test_odd_pipelines_and_options),
        cmocka_unit_test(test_a_call_in_the_place_of_death),
    };
    return cmocka_run_group_tests_name("crash_points", tests, NULL, NULL);
}
