/* Absent values: said by a step, handed on, caught by MAYBE, made from a failure; and what results keep. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

DOCKET_STRUCT(Order, (STRING, gift), (INT32, price));
DOCKET_STRUCT(Gift, (STRING, name));
DOCKET_STRUCT(Ribbon, (STRING, color));
DOCKET_STRUCT(Price, (INT32, cents));
DOCKET_STRUCT(Parcel, (STRING, label));

typedef struct shop {
    entries gift, ribbon, price, parcel;
    bool gift_fails;
} shop;

static docket_status choose_gift(docket_ctx *ctx, Gift *out, const Order *order)
{
    shop *at = docket_ctx_user(ctx);
    entries_enter(&at->gift);
    out->name = docket_strdup(ctx, order->gift);
    if (at->gift_fails) {
        return docket_fail(ctx, 5, "the gift shop is closed");
    }
    return order->gift[0] != '\0' ? DOCKET_OK : docket_absent(ctx, "no gift in order of %d", (int)order->price);
}
DOCKET_STEP(choose_gift, Gift, Order);

static docket_status choose_ribbon(docket_ctx *ctx, Ribbon *out, const Gift *gift)
{
    shop *at = docket_ctx_user(ctx);
    entries_enter(&at->ribbon);
    out->color = docket_printf(ctx, "red for %s", gift->name);
    return DOCKET_OK;
}
DOCKET_STEP(choose_ribbon, Ribbon, Gift);

static docket_status set_price(docket_ctx *ctx, Price *out, const Order *order)
{
    shop *at = docket_ctx_user(ctx);
    entries_enter(&at->price);
    out->cents = order->price;
    return DOCKET_OK;
}
DOCKET_STEP(set_price, Price, Order);

static docket_status pack(docket_ctx *ctx, Parcel *out, const Price *price, const Gift *gift, const Ribbon *ribbon)
{
    shop *at = docket_ctx_user(ctx);
    entries_enter(&at->parcel);
    out->label = docket_printf(ctx, "%d, %s, %s", (int)price->cents, gift != NULL ? gift->name : "no gift",
                               ribbon != NULL ? ribbon->color : "no ribbon");
    return DOCKET_OK;
}
DOCKET_STEP(pack, Parcel, Price, MAYBE(Gift), MAYBE(Ribbon));

static docket_graph *open_shop(shop *at, docket_step_options options)
{
    options.user = at;
    return graph_of(NULL, &options, DOCKET_STEPS(pack, choose_ribbon, set_price, choose_gift));
}

static outcome order_with(docket_graph *graph, const docket_type *wanted, const char *gift)
{
    Order order = {.gift = gift, .price = 12};
    return run(graph, &(docket_request){
                          DOCKET_REQUEST_INIT,
                          .execution_id = "o",
                          .output = wanted,
                          DOCKET_INPUTS(DOCKET_IN(Order, &order)),
                      });
}

static void test_maybe_gets_the_value_or_null(void **state)
{
    (void)state;
    shop at = {.gift_fails = false};
    docket_graph *graph = open_shop(&at, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, book, red for book");
    outcome_free(&of);
    of = order_with(graph, DOCKET_OF(Parcel), "");
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, no gift, no ribbon");
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Gift)), DOCKET_VALUE_ABSENT);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Ribbon)), DOCKET_VALUE_ABSENT);
    assert_string_equal(docket_result_reason(of.result, DOCKET_OF(Gift)), "no gift in order of 12");
    assert_contains(docket_result_reason(of.result, DOCKET_OF(Ribbon)), "no gift in order of 12");
    assert_contains(docket_result_reason(of.result, DOCKET_OF(Ribbon)), "Gift");
    assert_string_equal(docket_result_reason(of.result, DOCKET_OF(Price)), "");
    assert_null(DOCKET_RESULT(of.result, Gift));
    assert_int_equal(at.ribbon.runs, 1);
    outcome_free(&of);
    docket_graph_free(graph);
}

static void test_an_absent_output_is_a_status(void **state)
{
    (void)state;
    shop at = {.gift_fails = false};
    docket_graph *graph = open_shop(&at, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    static const docket_type *const wanted[] = {DOCKET_OF(Gift), DOCKET_OF(Ribbon)};
    for (int i = 0; i < 2; i++) {
        outcome of = order_with(graph, wanted[i], "");
        assert_status(DOCKET_ABSENT, of.status);
        assert_status(DOCKET_ABSENT, of.error.status);
        assert_contains(of.error.message, "no gift in order of 12");
        assert_string_equal(of.error.type, wanted[i]->name);
        assert_string_equal(of.error.execution_id, "o");
        assert_non_null(of.result);
        assert_null(docket_result_value(of.result, wanted[i]));
        assert_non_null(DOCKET_RESULT(of.result, Order));
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void test_absence_is_recorded_like_a_value(void **state)
{
    shop at = {.gift_fails = false};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = open_shop(&at, options);
    for (int i = 0; i < 3; i++) {
        outcome of = order_with(graph, DOCKET_OF(Parcel), "");
        assert_status(DOCKET_OK, of.status);
        assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, no gift, no ribbon");
        assert_int_equal(docket_result_state(of.result, DOCKET_OF(Gift)), DOCKET_VALUE_ABSENT);
        assert_string_equal(docket_result_reason(of.result, DOCKET_OF(Gift)), "no gift in order of 12");
        assert_int_equal(docket_result_state(of.result, DOCKET_OF(Parcel)),
                         i == 0 ? DOCKET_VALUE_RAN : DOCKET_VALUE_RESTORED);
        outcome_free(&of);
    }
    assert_int_equal(at.gift.runs, 1);
    assert_int_equal(at.parcel.runs, 1);
    outcome of = order_with(graph, DOCKET_OF(Parcel), "book"); /* absent and present are different keys */
    assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, book, red for book");
    outcome_free(&of);
    assert_int_equal(at.parcel.runs, 2);
    docket_graph_free(graph);
}

static void test_a_failure_can_be_absence(void **state)
{
    (void)state;
    shop at = {.gift_fails = true};
    docket_graph *graph = open_shop(&at, (docket_step_options){
                                             DOCKET_STEP_OPTIONS_INIT,
                                             .max_attempts = 2,
                                             .on_failure = DOCKET_FAILURE_IS_ABSENT,
                                         });
    outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, no gift, no ribbon");
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Gift)), DOCKET_VALUE_FAILED);
    assert_string_equal(docket_result_reason(of.result, DOCKET_OF(Gift)), "the gift shop is closed");
    assert_int_equal(at.gift.runs, 2);
    outcome_free(&of);
    of = order_with(graph, DOCKET_OF(Gift), "book");
    assert_status(DOCKET_ABSENT, of.status);
    assert_string_equal(of.error.message, "the gift shop is closed");
    outcome_free(&of);
    docket_graph_free(graph);
}

/* In WORKFLOW scope the absence is part of the execution's story; in GLOBAL scope it is tried again. */
static void test_absence_by_failure_is_replayed_in_its_execution_only(void **state)
{
    docket_store *store = site_open(*state, NULL);
    for (int scope = DOCKET_SCOPE_WORKFLOW; scope <= DOCKET_SCOPE_GLOBAL; scope++) {
        bool replayed = scope == DOCKET_SCOPE_WORKFLOW;
        shop at = {.gift_fails = true};
        docket_graph *graph = open_shop(&at, (docket_step_options){
                                                 DOCKET_STEP_OPTIONS_INIT,
                                                 .on_failure = DOCKET_FAILURE_IS_ABSENT,
                                                 .scope = (docket_scope)scope,
                                                 .store = store,
                                             });
        outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
        assert_status(DOCKET_OK, of.status);
        assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "12, no gift, no ribbon");
        outcome_free(&of);
        at.gift_fails = false;
        of = order_with(graph, DOCKET_OF(Parcel), "book");
        assert_status(DOCKET_OK, of.status);
        assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label,
                            replayed ? "12, no gift, no ribbon" : "12, book, red for book");
        assert_int_equal(at.gift.runs, replayed ? 1 : 2);
        assert_int_equal(at.parcel.runs, replayed ? 1 : 2);
        outcome_free(&of);
        docket_graph_free(graph);
    }
}

static docket_status abort_gift(docket_ctx *ctx, Gift *out, const Order *order)
{
    (void)out;
    (void)order;
    return docket_abort(ctx, 1, "stop");
}
DOCKET_STEP(abort_gift, Gift, Order);

static docket_status reject_gift(docket_ctx *ctx, Gift *out, const Order *order)
{
    (void)out;
    (void)order;
    return docket_reject(ctx, 2, "never");
}
DOCKET_STEP(reject_gift, Gift, Order);

static docket_status write_bad_text(docket_ctx *ctx, Gift *out, const Order *order)
{
    (void)ctx;
    (void)order;
    out->name = "\xff\xfe";
    return DOCKET_OK;
}
DOCKET_STEP(write_bad_text, Gift, Order);

static void test_which_failures_become_absence(void **state)
{
    (void)state;
    static const struct {
        const docket_step *step;
        docket_status status;
    } cases[] = {{&choose_gift_step, DOCKET_OK},
                 {&reject_gift_step, DOCKET_OK},
                 {&abort_gift_step, DOCKET_ABORTED},
                 {&write_bad_text_step, DOCKET_ENCODE}};
    for (size_t i = 0; i < 4; i++) {
        shop at = {.gift_fails = true};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &at,
                                       .on_failure = DOCKET_FAILURE_IS_ABSENT};
        docket_graph *graph = graph_of(
            NULL, &options,
            (const docket_step *const[]){cases[i].step, &pack_step, &choose_ribbon_step, &set_price_step, NULL});
        outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
        assert_status(cases[i].status, of.status);
        assert_int_equal(at.parcel.runs, cases[i].status == DOCKET_OK);
        outcome_free(&of);
        docket_graph_free(graph);
    }
}

static docket_status fall_back(docket_ctx *ctx, Parcel *out, const Gift *gift)
{
    out->label = docket_printf(ctx, "%s", gift != NULL ? gift->name : "voucher");
    return DOCKET_OK;
}
DOCKET_STEP(fall_back, Parcel, MAYBE(Gift));

static docket_status time_out_gift(docket_ctx *ctx, Gift *out, const Order *order)
{
    out->name = order->gift;
    return docket_sleep(ctx, 60000);
}
DOCKET_STEP(time_out_gift, Gift, Order);

static void test_a_passed_limit_can_be_absence(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .on_failure = DOCKET_FAILURE_IS_ABSENT,
                                   .time_limit_ms = 10};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(time_out_gift, fall_back));
    outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Parcel)->label, "voucher");
    outcome_free(&of);
    docket_graph_free(graph);
}

/* Several outputs, and what is kept when one of them fails. */

static void test_several_outputs(void **state)
{
    (void)state;
    shop at = {.gift_fails = false};
    docket_graph *graph = open_shop(&at, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    Order order = {.gift = "book", .price = 12};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                DOCKET_OUTPUTS(Ribbon, Price, Order, Ribbon),
                                DOCKET_INPUTS(DOCKET_IN(Order, &order)),
                            });
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Ribbon)->color, "red for book");
    assert_int_equal(DOCKET_RESULT(of.result, Price)->cents, 12);
    assert_int_equal(DOCKET_RESULT(of.result, Order)->price, 12);
    assert_string_equal(DOCKET_RESULT(of.result, Gift)->name, "book"); /* on the way */
    assert_null(DOCKET_RESULT(of.result, Parcel));
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Parcel)), DOCKET_VALUE_NOT_REACHED);
    assert_int_equal(at.parcel.runs, 0);
    assert_int_equal(at.ribbon.runs, 1);
    outcome_free(&of);

    order.gift = "";
    of = run(graph, &(docket_request){
                        DOCKET_REQUEST_INIT,
                        DOCKET_OUTPUTS(Price, Ribbon),
                        DOCKET_INPUTS(DOCKET_IN(Order, &order)),
                    });
    assert_status(DOCKET_ABSENT, of.status);
    assert_string_equal(of.error.type, "Ribbon");
    assert_int_equal(DOCKET_RESULT(of.result, Price)->cents, 12);
    outcome_free(&of);
    docket_graph_free(graph);
}

static docket_status break_parcel(docket_ctx *ctx, Parcel *out, const Price *price, const Ribbon *ribbon)
{
    (void)out;
    return docket_fail(ctx, price->cents, "the parcel broke: %s", ribbon->color);
}
DOCKET_STEP(break_parcel, Parcel, Price, Ribbon);

static void test_what_was_reached_is_kept(void **state)
{
    (void)state;
    shop at = {.gift_fails = false};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &at};
    docket_graph *graph =
        graph_of(NULL, &options, DOCKET_STEPS(break_parcel, choose_ribbon, set_price, choose_gift));
    outcome of = order_with(graph, DOCKET_OF(Parcel), "book");
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, 12);
    assert_string_equal(of.error.message, "the parcel broke: red for book");
    assert_string_equal(DOCKET_RESULT(of.result, Gift)->name, "book");
    assert_string_equal(DOCKET_RESULT(of.result, Ribbon)->color, "red for book");
    assert_int_equal(DOCKET_RESULT(of.result, Price)->cents, 12);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Order)), DOCKET_VALUE_GIVEN);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Gift)), DOCKET_VALUE_RAN);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Parcel)), DOCKET_VALUE_FAILED);
    assert_string_equal(docket_result_execution_id(of.result), "o");
    docket_graph_free(graph); /* the result holds what it needs */
    assert_string_equal(DOCKET_RESULT(of.result, Gift)->name, "book");
    outcome_free(&of);
}

static void test_questions_about_no_result(void **state)
{
    (void)state;
    assert_null(docket_result_value(NULL, DOCKET_OF(Gift)));
    assert_int_equal(docket_result_state(NULL, DOCKET_OF(Gift)), DOCKET_VALUE_NOT_REACHED);
    assert_string_equal(docket_result_reason(NULL, DOCKET_OF(Gift)), "");
    assert_string_equal(docket_result_execution_id(NULL), "");
    docket_result_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_maybe_gets_the_value_or_null),
        SITE_MEMORY(test_an_absent_output_is_a_status),
        SITE_EACH_STORE(test_absence_is_recorded_like_a_value),
        SITE_MEMORY(test_a_failure_can_be_absence),
        SITE_EACH_STORE(test_absence_by_failure_is_replayed_in_its_execution_only),
        SITE_MEMORY(test_which_failures_become_absence),
        SITE_MEMORY(test_a_passed_limit_can_be_absence),
        SITE_MEMORY(test_several_outputs),
        SITE_MEMORY(test_what_was_reached_is_kept),
        SITE_MEMORY(test_questions_about_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
