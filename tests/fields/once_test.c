/* Once steps: nothing enters one a second time before it is known what the first entry did. Field reports 13, 15, 16, 37
 * and 39 turned on effects: whatever fails, is late, is asked twice or comes back, the ledger has one entry per thing that
 * happened. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DOCKET_STRUCT(Order, (INT64, number), (STRING, note));
DOCKET_STRUCT(Receipt, (INT64, cents), (STRING, bank));
DOCKET_STRUCT(Letter, (STRING, text));

/* What the bank does next, and what it has seen. */
typedef struct bank {
    docket_status answers[8]; /* of the entries, in their order; DOCKET_OK beyond */
    docket_status verifies;   /* of the step that verifies */
    docket_status raw;        /* returned without a verb by every entry; DOCKET_OK = none */
    atomic_int entries, questions;
    gate *entered, *held_until; /* NULL = nobody waits */
    docket_graph *nested;
    bool dies;
    char key[33], verified_key[33];
} bank;

static docket_status charge(docket_ctx *ctx, Receipt *out, const Order *order)
{
    bank *self = docket_ctx_user(ctx);
    int entry = atomic_fetch_add(&self->entries, 1);
    snprintf(self->key, sizeof self->key, "%s", docket_ctx_idempotency_key(ctx));
    if (self->entered != NULL) {
        gate_arrive(self->entered);
    }
    if (self->held_until != NULL) {
        gate_wait(self->held_until);
    }
    if (self->dies) {
        raise(SIGKILL);
    }
    if (self->raw != DOCKET_OK) {
        return self->raw;
    }
    switch (entry < 8 ? self->answers[entry] : DOCKET_OK) {
    case DOCKET_OK:
        *out = (Receipt){.cents = 100 * order->number, .bank = docket_printf(ctx, "entry %d", entry + 1)};
        return DOCKET_OK;
    case DOCKET_ABSENT:
        return docket_absent(ctx, "nothing to pay");
    case DOCKET_REJECTED:
        return docket_reject(ctx, 7, "card refused");
    case DOCKET_ABORTED:
        return docket_abort(ctx, 8, "the bank is closed");
    default:
        return docket_fail(ctx, 9, "line busy");
    }
}
DOCKET_STEP(charge, Receipt, Order);

static docket_status ask_bank(docket_ctx *ctx, Receipt *out, const Order *order)
{
    bank *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->questions, 1);
    snprintf(self->verified_key, sizeof self->verified_key, "%s", docket_ctx_idempotency_key(ctx));
    out->cents = 100 * order->number;
    out->bank = docket_strdup(ctx, "the bank's books");
    switch (self->verifies) {
    case DOCKET_FAILED:
        return docket_fail(ctx, 3, "the bank does not answer");
    case DOCKET_ABSENT:
        return docket_absent(ctx, "the bank took nothing");
    default:
        return self->verifies;
    }
}
DOCKET_STEP(ask_bank, Receipt, Order);

#define ONCE DOCKET_STEP_OPTIONS_INIT, .effect = DOCKET_EFFECT_ONCE, .scope = DOCKET_SCOPE_WORKFLOW

static docket_graph *bank_graph(docket_store *store, bank *of, docket_step_options options)
{
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = store, .grace_ms = 20};
    options.user = of;
    return graph_of_one(&defaults, &charge_step, &options);
}

static outcome pay_order(docket_graph *graph, const char *execution, int64_t number)
{
    const Order order = {.number = number};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = execution, .output = DOCKET_OF(Receipt),
                                    DOCKET_INPUTS(DOCKET_IN(Order, &order))};
    return run(graph, &request);
}

/* Executes and expects this, in status and in a part of the message. */
static void expect(docket_graph *graph, const char *execution, int64_t number, docket_status status,
                   const char *part)
{
    outcome of = pay_order(graph, execution, number);
    if (of.status != status) {
        fail_msg("%s: %s instead of %s", docket_status_name(of.status), of.error.message,
                 docket_status_name(status));
    }
    if (part != NULL && status == DOCKET_OK) {
        assert_string_equal(DOCKET_RESULT(of.result, Receipt)->bank, part);
        assert_int_equal(DOCKET_RESULT(of.result, Receipt)->cents, 100 * number);
    } else if (part != NULL) {
        assert_contains(of.error.message, part);
    }
    outcome_free(&of);
}

typedef struct doubts {
    size_t count;
    docket_effect_state state;
    uint8_t slot[16], key[32];
    char reason[200], text[33];
} doubts;

static bool note_doubt(void *arg, const docket_effect *effect)
{
    doubts *found = arg;
    found->count++;
    found->state = effect->state;
    memcpy(found->slot, effect->slot, sizeof found->slot);
    memcpy(found->key, effect->key, sizeof found->key);
    snprintf(found->reason, sizeof found->reason, "%s", effect->reason);
    for (size_t i = 0; i < 16; i++) {
        snprintf(found->text + 2 * i, 3, "%02x", effect->idempotency_key[i]);
    }
    assert_string_equal(effect->step, "charge");
    assert_string_equal(effect->type, "Receipt");
    return true;
}

static doubts list_doubts(docket_store *store)
{
    doubts found = {.count = 0};
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT};
    assert_status(DOCKET_OK, docket_effect_list(store, &all, note_doubt, &found, NULL));
    return found;
}

static docket_status settle_receipt(docket_store *store, const char *name, docket_error *error)
{
    const Receipt receipt = {.cents = 100, .bank = name};
    return docket_settle(store, list_doubts(store).slot, DOCKET_OK, &DOCKET_IN(Receipt, &receipt), error);
}

/* ---- What an entry may come to ---- */

static void an_effect_is_entered_once_and_restored(void **state)
{
    site *self = *state;
    bank of = {.entries = 0};
    for (int pass = 0; pass < 2; pass++) {
        docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE});
        expect(graph, "order-1", 1, DOCKET_OK, "entry 1");
        expect(graph, "order-1", 1, DOCKET_OK, "entry 1");
        assert_int_equal(list_doubts(self->store).count, 0);
        docket_graph_free(graph);
        site_close(self);
    }
    assert_int_equal(of.entries, 1);
}

static void failures_say_that_nothing_happened(void **state)
{
    site *self = *state;
    bank of = {.answers = {DOCKET_FAILED, DOCKET_FAILED, DOCKET_OK}};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE, .max_attempts = 3});
    expect(graph, "order-1", 1, DOCKET_OK, "entry 3");
    docket_graph_free(graph);
    of = (bank){.answers = {DOCKET_FAILED, DOCKET_FAILED, DOCKET_OK}};
    graph = bank_graph(
        self->store, &of,
        (docket_step_options){ONCE, .max_attempts = 3, .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 1}});
    expect(graph, "order-2", 2, DOCKET_OK, "entry 3");
    docket_graph_free(graph);
    static const docket_status verbs[] = {DOCKET_FAILED, DOCKET_REJECTED, DOCKET_ABORTED};
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "refused-%d", i);
        of = (bank){.answers = {verbs[i], DOCKET_OK}};
        graph = bank_graph(self->store, &of, (docket_step_options){ONCE});
        expect(graph, id, 1, verbs[i], NULL);
        assert_int_equal(list_doubts(self->store).count, 0);
        expect(graph, id, 1, DOCKET_OK, "entry 2");
        docket_graph_free(graph);
    }
}

static void an_absence_is_an_outcome(void **state)
{
    site *self = *state;
    bank of = {.answers = {DOCKET_ABSENT}};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE});
    expect(graph, "order-1", 1, DOCKET_ABSENT, "nothing to pay");
    expect(graph, "order-1", 1, DOCKET_ABSENT, "nothing to pay");
    expect(graph, "order-1", 2, DOCKET_CONFLICT, "Order");
    assert_int_equal(of.entries, 1);
    docket_graph_free(graph);
}

static void what_says_nothing_is_in_doubt(void **state)
{
    site *self = *state;
    static const docket_status silent[] = {DOCKET_CANCELLED, DOCKET_INVALID,  DOCKET_TIMEOUT, DOCKET_NO_MEMORY,
                                           DOCKET_STORE,     DOCKET_IN_DOUBT, DOCKET_NOT_DONE};
    docket_error error;
    site_open(self, NULL);
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        char id[32];
        bank of = {.raw = silent[i]};
        snprintf(id, sizeof id, "order-%zu", i);
        docket_graph *graph = bank_graph(self->store, &of, (docket_step_options){ONCE, .max_attempts = 5});
        outcome first = pay_order(graph, id, 1);
        assert_true(first.status != DOCKET_OK && first.status != DOCKET_IN_DOUBT);
        assert_contains(first.error.cause, "docket_settle");
        outcome_free(&first);
        of.raw = DOCKET_OK;
        expect(graph, id, 1, DOCKET_IN_DOUBT, of.key);
        expect(graph, id, 1, DOCKET_IN_DOUBT, "docket_settle");
        expect(graph, id, 2, DOCKET_CONFLICT, "another input Order");
        assert_int_equal(of.entries, 1);
        doubts found = list_doubts(self->store);
        assert_int_equal(found.count, 1);
        assert_int_equal(found.state, DOCKET_EFFECT_IN_DOUBT);
        assert_string_equal(found.text, of.key);
        if (i % 2 == 0) {
            assert_status(DOCKET_OK, docket_settle(self->store, found.slot, DOCKET_NOT_DONE, NULL, &error));
            expect(graph, id, 1, DOCKET_OK, "entry 2");
        } else {
            assert_status(DOCKET_OK, settle_receipt(self->store, "by hand", &error));
            expect(graph, id, 1, DOCKET_OK, "by hand");
            assert_int_equal(of.entries, 1);
        }
        assert_int_equal(list_doubts(self->store).count, 0);
        docket_graph_free(graph);
    }
}

static void a_dead_child_leaves_doubt(void **state)
{
    site *self = *state;
    bank of = {.dies = true};
    docket_graph *graph =
        bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE, .isolated = true, .max_attempts = 3});
    expect(graph, "order-1", 1, DOCKET_CRASHED, "signal 9");
    of.dies = false;
    expect(graph, "order-1", 1, DOCKET_IN_DOUBT, "signal 9");
    assert_status(DOCKET_OK,
                  docket_settle(self->store, list_doubts(self->store).slot, DOCKET_NOT_DONE, NULL, NULL));
    expect(graph, "order-1", 1, DOCKET_OK, "entry 1"); /* the child's counter is its own */
    docket_graph_free(graph);
}

static void a_value_that_comes_late_is_recorded(void **state)
{
    site *self = *state;
    gate entered = GATE_INIT(1);
    gate release = GATE_INIT(1);
    docket_error error;
    bank of = {.entered = &entered, .held_until = &release};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of,
                                     (docket_step_options){ONCE, .time_limit_ms = 30, .max_attempts = 3,
                                                           .on_failure = DOCKET_FAILURE_IS_ABSENT});
    expect(graph, "order-1", 1, DOCKET_TIMEOUT, "limit");
    assert_true(gate_wait(&entered));
    doubts found = list_doubts(self->store);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.state, DOCKET_EFFECT_ENTERED);
    assert_status(DOCKET_CONFLICT, docket_settle(self->store, found.slot, DOCKET_NOT_DONE, NULL, &error));
    assert_contains(error.message, "runs now");
    gate_arrive(&release);
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    docket_graph_free(graph);
    assert_int_equal(list_doubts(self->store).count, 0);
    graph = bank_graph(self->store, &of, (docket_step_options){ONCE});
    expect(graph, "order-1", 1, DOCKET_OK, "entry 1");
    assert_int_equal(of.entries, 1);
    docket_graph_free(graph);
}

static void a_failure_that_comes_late_frees_the_slot(void **state)
{
    site *self = *state;
    gate release = GATE_INIT(1);
    bank of = {.held_until = &release, .answers = {DOCKET_FAILED}};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE, .time_limit_ms = 30});
    expect(graph, "order-1", 1, DOCKET_TIMEOUT, "limit");
    gate_arrive(&release);
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, NULL));
    docket_graph_free(graph);
    assert_int_equal(list_doubts(self->store).count, 0);
}

/* ---- Who else asks ---- */

static void one_slot_per_execution(void **state)
{
    site *self = *state;
    bank of = {.entries = 0};
    docket_step later = charge_step;
    later.version = 2;
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE});
    expect(graph, "order-1", 1, DOCKET_OK, "entry 1");
    expect(graph, "order-1", 2, DOCKET_CONFLICT, "another input Order");
    expect(graph, "order-2", 2, DOCKET_OK, "entry 2");
    docket_graph_free(graph);
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->store};
    const docket_step_options once = {ONCE, .user = &of};
    graph = graph_of_one(&defaults, &later, &once);
    expect(graph, "order-1", 1, DOCKET_CONFLICT, "version 1 (now 2)");
    expect(graph, "order-1", 2, DOCKET_CONFLICT, "another input Order");
    assert_int_equal(of.entries, 2);
    docket_graph_free(graph);
}

static void a_deploy_opens_no_second_entry(void **state)
{
    site *self = *state;
    bank of = {.raw = DOCKET_CANCELLED};
    docket_step later = charge_step;
    later.version = 2;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .effect = DOCKET_EFFECT_ONCE,
                                   .scope = DOCKET_SCOPE_GLOBAL, .user = &of, .verify = &ask_bank_step};
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    docket_graph *old = graph_of_one(&defaults, &charge_step, &options);
    docket_graph *new = graph_of_one(&defaults, &later, &options);
    of.verifies = DOCKET_IN_DOUBT;
    expect(old, "first", 1, DOCKET_CANCELLED, NULL);
    of.raw = DOCKET_OK;
    expect(new, "second", 1, DOCKET_IN_DOUBT, of.key);
    of.verifies = DOCKET_OK;
    expect(new, "third", 1, DOCKET_OK, "the bank's books");
    assert_string_equal(of.verified_key, of.key);
    expect(new, "fourth", 1, DOCKET_OK, "the bank's books");
    expect(old, "fifth", 1, DOCKET_CONFLICT, "version 2 (now 1)");
    expect(old, "sixth", 2, DOCKET_OK, "entry 2");
    assert_int_equal(of.entries, 2);
    docket_graph_free(old);
    docket_graph_free(new);
}

static void an_older_version_at_work_is_left_to_it(void **state)
{
    site *self = *state;
    gate entered = GATE_INIT(1);
    gate release = GATE_INIT(1);
    caller slow;
    bank of = {.entered = &entered, .held_until = &release};
    docket_step later = charge_step;
    later.version = 2;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .effect = DOCKET_EFFECT_ONCE,
                                   .scope = DOCKET_SCOPE_GLOBAL, .user = &of, .verify = &ask_bank_step};
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    docket_graph *old = graph_of_one(&defaults, &charge_step, &options);
    docket_graph *new = graph_of_one(&defaults, &later, &options);
    const Order order = {.number = 1};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "first", .output = DOCKET_OF(Receipt),
                                    DOCKET_INPUTS(DOCKET_IN(Order, &order))};
    caller_start(&slow, old, &request);
    assert_true(gate_wait(&entered));
    expect(new, "second", 1, DOCKET_CONFLICT, "version 1 (now 2)");
    gate_arrive(&release);
    outcome *of_slow = caller_join(&slow);
    assert_status(DOCKET_OK, of_slow->status);
    outcome_free(of_slow);
    assert_int_equal(of.entries, 1);
    assert_int_equal(of.questions, 0);
    docket_graph_free(old);
    docket_graph_free(new);
}

/* Field report 15. */
static void a_stampede_enters_once(void **state)
{
    enum { CALLERS = 16 };
    site *self = *state;
    gate release = GATE_INIT(1);
    gate entered = GATE_INIT(1);
    caller callers[CALLERS];
    bank of = {.entered = &entered, .held_until = &release};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE});
    const Order order = {.number = 1};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "order-1", .output = DOCKET_OF(Receipt),
                                    DOCKET_INPUTS(DOCKET_IN(Order, &order))};
    for (int i = 0; i < CALLERS; i++) {
        caller_start(&callers[i], graph, &request);
    }
    assert_true(gate_wait(&entered));
    gate_arrive(&release);
    for (int i = 0; i < CALLERS; i++) {
        outcome *got = caller_join(&callers[i]);
        assert_status(DOCKET_OK, got->status);
        assert_string_equal(DOCKET_RESULT(got->result, Receipt)->bank, "entry 1");
        outcome_free(got);
    }
    assert_int_equal(of.entries, 1);
    docket_graph_free(graph);
}

/* ---- Verifying and settling ---- */

static void the_verify_step_decides(void **state)
{
    site *self = *state;
    static const struct {
        docket_status verifies, expected;
        const char *part;
        int entries;
    } cases[] = {
        {DOCKET_OK, DOCKET_OK, "the bank's books", 1},
        {DOCKET_NOT_DONE, DOCKET_OK, "entry 2", 2},
        {DOCKET_ABSENT, DOCKET_ABSENT, "the bank took nothing", 1},
        {DOCKET_IN_DOUBT, DOCKET_IN_DOUBT, "attempt 1", 1},
        {DOCKET_FAILED, DOCKET_IN_DOUBT, "attempt 1", 1},
        {DOCKET_CANCELLED, DOCKET_IN_DOUBT, "attempt 1", 1},
    };
    site_open(self, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[32];
        bank of = {.raw = DOCKET_CANCELLED, .verifies = cases[i].verifies};
        snprintf(id, sizeof id, "order-%zu", i);
        docket_graph *graph = bank_graph(self->store, &of, (docket_step_options){ONCE, .verify = &ask_bank_step});
        expect(graph, id, 1, DOCKET_CANCELLED, NULL);
        assert_int_equal(of.questions, 0);
        of.raw = DOCKET_OK;
        outcome got = pay_order(graph, id, 1);
        assert_status(cases[i].expected, got.status);
        if (cases[i].verifies == DOCKET_FAILED) {
            assert_contains(got.error.cause, "the bank does not answer");
        }
        if (cases[i].verifies == DOCKET_OK) {
            assert_int_equal(docket_result_state(got.result, DOCKET_OF(Receipt)), DOCKET_VALUE_RESTORED);
        }
        outcome_free(&got);
        expect(graph, id, 1, cases[i].expected, cases[i].part);
        assert_int_equal(of.entries, cases[i].entries);
        assert_string_equal(of.verified_key, of.key);
        docket_graph_free(graph);
    }
    assert_int_equal(list_doubts(self->store).count, 3);
}

static void settling_takes_what_fits_and_no_more(void **state)
{
    site *self = *state;
    docket_error error;
    uint8_t nowhere[16] = {1};
    const Letter letter = {.text = "dear bank"};
    const Receipt receipt = {.cents = 1, .bank = "x"};
    const docket_input value = DOCKET_IN(Receipt, &receipt);
    bank of = {.raw = DOCKET_CANCELLED};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE});
    expect(graph, "order-1", 1, DOCKET_CANCELLED, NULL);
    doubts found = list_doubts(self->store);
    assert_status(DOCKET_MISSING, docket_settle(self->store, nowhere, DOCKET_NOT_DONE, NULL, &error));
    assert_status(DOCKET_INVALID, docket_settle(self->store, NULL, DOCKET_NOT_DONE, NULL, &error));
    assert_status(DOCKET_INVALID, docket_settle(NULL, found.slot, DOCKET_NOT_DONE, NULL, &error));
    assert_status(DOCKET_INVALID, docket_settle(self->store, found.slot, DOCKET_OK, NULL, &error));
    assert_status(DOCKET_INVALID, docket_settle(self->store, found.slot, DOCKET_NOT_DONE, &value, &error));
    assert_status(DOCKET_INVALID, docket_settle(self->store, found.slot, DOCKET_IN_DOUBT, NULL, &error));
    assert_status(DOCKET_TYPE,
                  docket_settle(self->store, found.slot, DOCKET_OK, &DOCKET_IN(Letter, &letter), &error));
    assert_contains(error.message, "Receipt");
    assert_status(DOCKET_IN_DOUBT, docket_forget(self->store, found.key, &error));
    assert_contains(error.message, "docket_settle");
    uint64_t count = 0;
    const docket_checkpoint_filter order = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "order-1"};
    assert_status(DOCKET_OK, docket_checkpoint_forget(self->store, &order, &count, &error));
    assert_status(DOCKET_OK, docket_store_purge(self->store, &count, &error));
    expect(graph, "order-1", 1, DOCKET_IN_DOUBT, NULL);
    assert_status(DOCKET_OK, docket_settle(self->store, found.slot, DOCKET_OK, &value, &error));
    assert_status(DOCKET_MISSING, docket_settle(self->store, found.slot, DOCKET_OK, &value, &error));
    assert_contains(error.message, "recorded");
    of.raw = DOCKET_OK;
    assert_status(DOCKET_OK, docket_forget(self->store, found.key, &error));
    expect(graph, "order-1", 1, DOCKET_OK, "entry 2");
    assert_status(DOCKET_OK, docket_checkpoint_forget(self->store, &order, &count, &error));
    assert_int_equal(count, 1);
    expect(graph, "order-1", 2, DOCKET_OK, "entry 3");
    docket_graph_free(graph);
}

/* ---- Beside other things ---- */

static void a_fallback_knows_that_nothing_happened(void **state)
{
    site *self = *state;
    bank of = {.answers = {DOCKET_REJECTED}};
    docket_graph *graph =
        bank_graph(site_open(self, NULL), &of, (docket_step_options){ONCE, .on_failure = DOCKET_FAILURE_IS_ABSENT});
    expect(graph, "order-1", 1, DOCKET_ABSENT, "card refused");
    expect(graph, "order-1", 1, DOCKET_ABSENT, "card refused");
    expect(graph, "order-1", 2, DOCKET_CONFLICT, "another input Order");
    assert_int_equal(of.entries, 1);
    of.raw = DOCKET_TIMEOUT;
    expect(graph, "order-2", 1, DOCKET_FAILED, NULL); /* who knows what it did */
    of.raw = DOCKET_OK;
    expect(graph, "order-2", 1, DOCKET_IN_DOUBT, NULL);
    assert_int_equal(list_doubts(self->store).count, 1);
    docket_graph_free(graph);
}

static docket_status write_letter(docket_ctx *ctx, Letter *out, const Order *order)
{
    bank *self = docket_ctx_user(ctx);
    docket_result *result = NULL;
    docket_error error;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Receipt),
                                    DOCKET_INPUTS(DOCKET_IN(Order, order))};
    if (docket_execute(self->nested, &request, &result, &error) != DOCKET_OK) {
        docket_result_free(result);
        return docket_fail_from(ctx, &error);
    }
    out->text = docket_printf(ctx, "paid: %s", DOCKET_RESULT(result, Receipt)->bank);
    docket_result_free(result);
    return DOCKET_OK;
}
DOCKET_STEP(write_letter, Letter, Order);

static void inside_another_execution(void **state)
{
    site *self = *state;
    bank of = {.raw = DOCKET_CANCELLED};
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    const docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW, .user = &of};
    of.nested = bank_graph(self->store, &of, (docket_step_options){ONCE});
    docket_graph *graph = graph_of_one(&defaults, &write_letter_step, &plain);
    const Order order = {.number = 1};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "order-1", .output = DOCKET_OF(Letter),
                                    DOCKET_INPUTS(DOCKET_IN(Order, &order))};
    assert_status(DOCKET_CANCELLED, run_for_status(graph, &request));
    of.raw = DOCKET_OK;
    assert_status(DOCKET_IN_DOUBT, run_for_status(graph, &request));
    assert_int_equal(of.entries, 1);
    assert_status(DOCKET_OK, settle_receipt(self->store, "by hand", NULL));
    outcome got = run(graph, &request);
    assert_status(DOCKET_OK, got.status);
    assert_string_equal(DOCKET_RESULT(got.result, Letter)->text, "paid: by hand");
    outcome_free(&got);
    docket_graph_free(graph);
    docket_graph_free(of.nested);
}

/* Each item is a slot of its own, by its inputs: equal ones share it. */
static void per_item(void **state)
{
    site *self = *state;
    bank of = {.answers = {DOCKET_FAILED}};
    const Order orders[] = {{.number = 1}, {.number = 2}, {.number = 1}, {.number = 3}, {.number = 4}};
    docket_graph *graph = bank_graph(site_open(self, NULL), &of,
                                     (docket_step_options){ONCE, .max_attempts = 3, .max_concurrency = 2});
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "batch", .output = DOCKET_OF(Receipt),
                                    DOCKET_INPUTS(DOCKET_ITEMS(Order, orders, 5))};
    for (int pass = 0; pass < 2; pass++) {
        assert_status(DOCKET_OK, run_for_status(graph, &request));
        assert_int_equal(of.entries, 5); /* four orders, one of them with a failure first */
        assert_int_equal(list_doubts(self->store).count, 0);
    }
    docket_graph_free(graph);
    of = (bank){.raw = DOCKET_TIMEOUT};
    graph = bank_graph(self->store, &of, (docket_step_options){ONCE, .max_concurrency = 1});
    const docket_request doubtful = {DOCKET_REQUEST_INIT, .execution_id = "doubtful", .output = DOCKET_OF(Receipt),
                                     .on_item_error = DOCKET_COLLECT,
                                     DOCKET_INPUTS(DOCKET_ITEMS(Order, orders, 5))};
    assert_status(DOCKET_FAILED, run_for_status(graph, &doubtful));
    of.raw = DOCKET_OK;
    assert_status(DOCKET_IN_DOUBT, run_for_status(graph, &doubtful));
    assert_int_equal(of.entries, 4);
    assert_int_equal(list_doubts(self->store).count, 4);
    docket_graph_free(graph);
}

static void observers_hear_of_doubt(void **state)
{
    site *self = *state;
    recorder seen = RECORDER_INIT;
    bank of = {.raw = DOCKET_CANCELLED};
    const docket_observer observer = recorder_observer(&seen);
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL),
                                           .observers = &observer, .observer_count = 1};
    const docket_step_options once = {ONCE, .user = &of};
    docket_graph *graph = graph_of_one(&defaults, &charge_step, &once);
    expect(graph, "order-1", 1, DOCKET_CANCELLED, NULL);
    expect(graph, "order-1", 1, DOCKET_IN_DOUBT, NULL);
    assert_int_equal(recorder_count(&seen, DOCKET_EVENT_IN_DOUBT), 2);
    assert_status(DOCKET_CANCELLED, recorder_get(&seen, DOCKET_EVENT_IN_DOUBT, 0)->status);
    assert_status(DOCKET_IN_DOUBT, recorder_get(&seen, DOCKET_EVENT_IN_DOUBT, 1)->status);
    docket_graph_free(graph);
    recorder_free(&seen);
}

/* ---- A store that fails ---- */

static docket_test_store *open_faulty(bool writer_thread)
{
    docket_test_store *faulty = NULL;
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .retry_budget_ms = -1};
    const docket_test_store_options test = {DOCKET_TEST_STORE_OPTIONS_INIT, .store = &options,
                                            .writer_thread = writer_thread};
    assert_status(DOCKET_OK, docket_test_store_open(&faulty, &test, NULL));
    return faulty;
}

/* The first commit is the intent, the second one the outcome. */
static void each_commit_may_fail(void **state)
{
    (void)state;
    static const struct {
        docket_test_fault fault;
        docket_status first, second;
        int entries;
    } cases[] = {
        {{.kind = DOCKET_TEST_FAIL_BEFORE, .from = 1, .count = 1}, DOCKET_STORE, DOCKET_OK, 1},
        {{.kind = DOCKET_TEST_FAIL_BEFORE, .from = 1, .count = 1, .transient = true}, DOCKET_STORE, DOCKET_OK, 1},
        {{.kind = DOCKET_TEST_FAIL_AFTER, .from = 1, .count = 1}, DOCKET_OK, DOCKET_OK, 1},
        {{.kind = DOCKET_TEST_DISK_FULL, .from = 1, .count = 1}, DOCKET_STORE, DOCKET_OK, 1},
        {{.kind = DOCKET_TEST_FAIL_BEFORE, .from = 2, .count = 1}, DOCKET_STORE, DOCKET_IN_DOUBT, 1},
        {{.kind = DOCKET_TEST_FAIL_BEFORE, .from = 2}, DOCKET_STORE, DOCKET_IN_DOUBT, 1},
        {{.kind = DOCKET_TEST_FAIL_AFTER, .from = 2, .count = 1}, DOCKET_OK, DOCKET_OK, 1},
        {{.kind = DOCKET_TEST_CLAIM_LOST, .from = 2, .count = 1}, DOCKET_CLAIM_LOST, DOCKET_IN_DOUBT, 1},
        {{.kind = DOCKET_TEST_LOSE, .from = 2, .count = 1}, DOCKET_OK, DOCKET_IN_DOUBT, 1},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bank of = {.entries = 0};
        docket_test_store *faulty = open_faulty(i % 2 == 0);
        docket_graph *graph =
            bank_graph(docket_test_store_get(faulty), &of, (docket_step_options){ONCE, .max_attempts = 3});
        docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, &cases[i / 2].fault, 1);
        expect(graph, "order-1", 1, cases[i / 2].first, NULL);
        docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, NULL, 0);
        expect(graph, "order-1", 1, cases[i / 2].second, NULL);
        assert_int_equal(of.entries, cases[i / 2].entries);
        assert_int_equal(list_doubts(docket_test_store_get(faulty)).count, cases[i / 2].second == DOCKET_IN_DOUBT);
        docket_graph_free(graph);
        docket_test_store_close(faulty);
    }
}

static void too_large_a_value_is_in_doubt(void **state)
{
    (void)state;
    docket_store *store = NULL;
    bank of = {.entries = 0};
    const docket_store_options small = {DOCKET_STORE_OPTIONS_INIT, .max_payload_bytes = 10};
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", &small, NULL));
    docket_graph *graph = bank_graph(store, &of, (docket_step_options){ONCE, .max_attempts = 3});
    expect(graph, "order-1", 1, DOCKET_TOO_LARGE, "10");
    expect(graph, "order-1", 1, DOCKET_IN_DOUBT, "max_payload_bytes");
    assert_int_equal(of.entries, 1);
    docket_graph_free(graph);
    docket_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(an_effect_is_entered_once_and_restored),
        SITE_EACH_STORE(failures_say_that_nothing_happened),
        SITE_EACH_STORE(an_absence_is_an_outcome),
        SITE_EACH_STORE(what_says_nothing_is_in_doubt),
        SITE_EACH_STORE(a_dead_child_leaves_doubt),
        SITE_EACH_STORE(a_value_that_comes_late_is_recorded),
        SITE_EACH_STORE(a_failure_that_comes_late_frees_the_slot),
        SITE_EACH_STORE(one_slot_per_execution),
        SITE_EACH_STORE(a_deploy_opens_no_second_entry),
        SITE_EACH_STORE(an_older_version_at_work_is_left_to_it),
        SITE_EACH_STORE(a_stampede_enters_once),
        SITE_EACH_STORE(the_verify_step_decides),
        SITE_EACH_STORE(settling_takes_what_fits_and_no_more),
        SITE_EACH_STORE(a_fallback_knows_that_nothing_happened),
        SITE_EACH_STORE(inside_another_execution),
        SITE_EACH_STORE(per_item),
        SITE_EACH_STORE(observers_hear_of_doubt),
        cmocka_unit_test(each_commit_may_fail),
        cmocka_unit_test(too_large_a_value_is_in_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
