/* When results are recorded, whether at all, and for how long they count. */
#include "support/check.h"
#include "support/faulty.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <stdio.h>
#include <string.h>

DOCKET_STRUCT(First, (INT32, value));
DOCKET_STRUCT(Between, (INT32, value));
DOCKET_STRUCT(Second, (INT32, value));

typedef struct line {
    entries first, between, second;
    gate second_inside;
} line;

static docket_status make_first(docket_ctx *ctx, First *out)
{
    line *of = docket_ctx_user(ctx);
    out->value = entries_enter(&of->first);
    return DOCKET_OK;
}
DOCKET_STEP(make_first, First);

static docket_status make_between(docket_ctx *ctx, Between *out, const First *first)
{
    line *of = docket_ctx_user(ctx);
    entries_enter(&of->between);
    out->value = first->value;
    return DOCKET_OK;
}
DOCKET_STEP(make_between, Between, First);

static docket_status make_second(docket_ctx *ctx, Second *out, const Between *between)
{
    line *of = docket_ctx_user(ctx);
    entries_enter(&of->second);
    out->value = between->value;
    gate_arrive(&of->second_inside);
    return DOCKET_OK;
}
DOCKET_STEP(make_second, Second, Between);

/* A recorded step, an unrecorded one, a recorded one. */
static docket_graph *line_graph(line *of, docket_store *stores[2], const docket_commit_mode modes[2])
{
    static const docket_step *const steps[] = {&make_first_step, &make_between_step, &make_second_step};
    docket_graph *graph = docket_graph_new("line", NULL);
    for (int i = 0; i < 3; i++) {
        docket_step_options options = {
            DOCKET_STEP_OPTIONS_INIT,
            .user = of,
            .scope = i == 1 ? DOCKET_SCOPE_NONE : DOCKET_SCOPE_WORKFLOW,
            .store = i == 1 ? NULL : stores[i / 2],
            .commit = i == 1 ? DOCKET_COMMIT_BEFORE_NEXT : modes[i / 2],
        };
        assert_status(DOCKET_OK, docket_graph_add(graph, steps[i], &options));
    }
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static const docket_request line_request = {DOCKET_REQUEST_INIT, .execution_id = "l", .output = DOCKET_OF(Second)};

/* Holds the first commit. Whether the second recorded step is entered meanwhile depends on the modes; the execution
 * does not return in any case. */
static void hold_the_first_commit(docket_commit_mode first, docket_commit_mode second, bool one_store, bool goes_on)
{
    docket_test_store *stores[2];
    line of = {.second_inside = GATE_INIT(1)};
    stores[0] = faulty_open(false, NULL);
    stores[1] = faulty_open(false, NULL);
    faulty_set(stores[0], DOCKET_TEST_COMMIT, (docket_test_fault){.block = true, .count = 1});
    docket_store *used[] = {docket_test_store_get(stores[0]), docket_test_store_get(stores[one_store ? 0 : 1])};
    docket_graph *graph = line_graph(&of, used, (const docket_commit_mode[]){first, second});
    caller called;
    caller_start(&called, graph, &line_request);
    assert_true(docket_test_store_wait_blocked(stores[0], DOCKET_TEST_COMMIT, GATE_LIMIT_MS));
    if (goes_on) {
        assert_true(gate_wait(&of.second_inside));
    }
    pause_ms(10);
    assert_int_equal(of.second.runs, goes_on);
    assert_false(gate_is_open(&called.returned));
    docket_test_store_unblock(stores[0], DOCKET_TEST_COMMIT);
    assert_status(DOCKET_OK, caller_join(&called)->status);
    assert_int_equal(DOCKET_RESULT(called.outcome.result, Second)->value, 1);
    outcome_free(&called.outcome);

    assert_status(DOCKET_OK, run_for_status(graph, &line_request));
    assert_int_equal(of.first.runs, 1);
    assert_int_equal(of.second.runs, 1);
    docket_graph_free(graph);
    docket_test_store_close(stores[0]);
    docket_test_store_close(stores[1]);
}

static void test_a_commit_before_the_next_step_is_waited_for(void **state)
{
    (void)state;
    hold_the_first_commit(DOCKET_COMMIT_BEFORE_NEXT, DOCKET_COMMIT_BEFORE_NEXT, true, false);
    hold_the_first_commit(DOCKET_COMMIT_BEFORE_NEXT, DOCKET_COMMIT_BEFORE_END, true, false);
}

static void test_a_commit_before_the_end_is_not(void **state)
{
    (void)state;
    hold_the_first_commit(DOCKET_COMMIT_BEFORE_END, DOCKET_COMMIT_BEFORE_END, true, true);
}

static void test_both_steps_must_say_so(void **state)
{
    (void)state;
    hold_the_first_commit(DOCKET_COMMIT_BEFORE_END, DOCKET_COMMIT_BEFORE_NEXT, true, false);
}

static void test_and_use_one_store(void **state)
{
    (void)state;
    hold_the_first_commit(DOCKET_COMMIT_BEFORE_END, DOCKET_COMMIT_BEFORE_END, false, false);
}

/* What depends on a result that could not be recorded is not entered; what does not wait is, and fails all the
 * same. */
static void test_a_late_failure_of_a_commit(void **state)
{
    (void)state;
    for (int inline_commits = 0; inline_commits <= 1; inline_commits++) {
        for (int mode = DOCKET_COMMIT_BEFORE_NEXT; mode <= DOCKET_COMMIT_BEFORE_END; mode++) {
            docket_test_store *store;
            line of = {.second_inside = GATE_INIT(1)};
            store = faulty_open(inline_commits, NULL);
            faulty_set(store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE, .count = 1});
            docket_store *used[] = {docket_test_store_get(store), docket_test_store_get(store)};
            docket_graph *graph = line_graph(
                &of, used, (const docket_commit_mode[]){DOCKET_COMMIT_BEFORE_END, (docket_commit_mode)mode});
            outcome got = run(graph, &line_request);
            assert_status(DOCKET_STORE, got.status);
            assert_string_equal(got.error.step, "make_first");
            assert_contains(got.error.message, FAULT_MESSAGE);
            outcome_free(&got);
            if (mode == DOCKET_COMMIT_BEFORE_NEXT) {
                assert_int_equal(of.second.runs, 0);
            }
            faulty_set(store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_NONE});
            assert_status(DOCKET_OK, run_for_status(graph, &line_request));
            assert_int_equal(of.first.runs, 2);
            docket_graph_free(graph);
            docket_test_store_close(store);
        }
    }
}

/* Commits keep their order. */

typedef struct order {
    char text[200];
} order;

static bool append_step(void *arg, const docket_checkpoint *entry)
{
    order *to = arg;
    size_t used = strlen(to->text);
    snprintf(to->text + used, sizeof to->text - used, "%s ", entry->step);
    return true;
}

static void test_commits_keep_their_order(void **state)
{
    docket_store *store = site_open(*state, NULL);
    docket_store *used[] = {store, store};
    line of = {.second_inside = GATE_INIT(1)};
    for (int modes = 0; modes < 4; modes++) {
        order in = {""};
        docket_error error;
        uint64_t forgotten = 0;
        docket_graph *graph = line_graph(
            &of, used,
            (const docket_commit_mode[]){(docket_commit_mode)(modes & 1), (docket_commit_mode)(modes >> 1)});
        assert_status(DOCKET_OK, run_for_status(graph, &line_request));
        docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "l"};
        assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, append_step, &in, &error));
        assert_string_equal(in.text, "make_first make_second ");
        assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &forgotten, &error));
        docket_graph_free(graph);
    }
}

/* Freshness. */

typedef struct freshness {
    entries seen;
    atomic_int asked;
    bool good;
    const char *last_seen; /* what still_good was shown: a static text */
    bool sets_ttl;
    int64_t ttl_ms;
    docket_status ttl_status;
    bool do_not_record, absent;
} freshness;

static docket_status count(docket_ctx *ctx, LC *out, const IS *in)
{
    freshness *of = docket_ctx_user(ctx);
    out->count = entries_enter(&of->seen);
    entries_leave(&of->seen);
    out->original = docket_strdup(ctx, in->value);
    if (of->sets_ttl) {
        of->ttl_status = docket_set_ttl(ctx, of->ttl_ms);
    }
    if (of->do_not_record) {
        docket_do_not_record(ctx);
    }
    return of->absent ? docket_absent(ctx, "nothing") : DOCKET_OK;
}
DOCKET_STEP(count, LC, IS);

static bool ask(docket_ctx *ctx, const void *value)
{
    freshness *of = docket_ctx_user(ctx);
    const LC *letters = value;
    atomic_fetch_add(&of->asked, 1);
    of->last_seen = letters == NULL ? "absent" : strcmp(letters->original, "text") == 0 ? "text" : "something else";
    return of->good;
}

static docket_graph *fresh_graph(freshness *of, docket_store *store, docket_step_options options)
{
    options.user = of;
    options.store = store;
    options.scope = DOCKET_SCOPE_GLOBAL;
    return graph_of_one(NULL, &count_step, &options);
}

static void test_still_good_is_asked_on_a_hit(void **state)
{
    freshness of = {.good = true};
    docket_graph *graph = fresh_graph(&of, site_open(*state, NULL),
                                      (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .still_good = ask});
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    assert_int_equal(of.asked, 0);
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    assert_int_equal(of.asked, 1);
    assert_string_equal(of.last_seen, "text");
    of.good = false;
    assert_int_equal(letters_count(graph, NULL, "text"), 2);
    assert_true(of.asked >= 2);
    of.good = true;
    assert_int_equal(letters_count(graph, NULL, "text"), 2); /* the new one took its place */
    assert_int_equal(of.seen.runs, 2);
    docket_graph_free(graph);
}

static void test_still_good_sees_absence(void **state)
{
    freshness of = {.good = true, .absent = true};
    docket_graph *graph = fresh_graph(&of, site_open(*state, NULL),
                                      (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .still_good = ask});
    assert_int_equal(letters_count(graph, NULL, "text"), -1);
    assert_int_equal(letters_count(graph, NULL, "text"), -1);
    assert_int_equal(of.seen.runs, 1);
    assert_string_equal(of.last_seen, "absent");
    of.good = of.absent = false;
    assert_int_equal(letters_count(graph, NULL, "text"), 2);
    of.good = true;
    assert_int_equal(letters_count(graph, NULL, "text"), 2);
    assert_string_equal(of.last_seen, "text");
    docket_graph_free(graph);
}

static void test_a_ttl_can_be_set_from_inside(void **state)
{
    freshness of = {.sets_ttl = true, .ttl_ms = 50};
    docket_test_clock_start(INT64_C(1700000000000));
    docket_graph *graph =
        fresh_graph(&of, site_open(*state, NULL), (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .ttl_ms = 1000});
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    assert_status(DOCKET_OK, of.ttl_status);
    docket_test_clock_advance(49);
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    docket_test_clock_advance(1);
    of.ttl_ms = -1; /* refused, and the step's own holds */
    assert_int_equal(letters_count(graph, NULL, "text"), 2);
    assert_status(DOCKET_INVALID, of.ttl_status);
    docket_test_clock_advance(999);
    assert_int_equal(letters_count(graph, NULL, "text"), 2);
    docket_test_clock_advance(1);
    assert_int_equal(letters_count(graph, NULL, "text"), 3);
    docket_test_clock_stop();
    docket_graph_free(graph);
}

static void test_a_ttl_of_zero_from_inside_is_for_ever(void **state)
{
    freshness of = {.sets_ttl = true};
    docket_test_clock_start(INT64_C(1700000000000));
    docket_graph *graph =
        fresh_graph(&of, site_open(*state, NULL), (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .ttl_ms = 10});
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    docket_test_clock_advance(DOCKET_DAYS(36500));
    assert_int_equal(letters_count(graph, NULL, "text"), 1);
    docket_test_clock_stop();
    docket_graph_free(graph);
}

static void test_what_is_not_to_be_recorded_is_not(void **state)
{
    freshness of = {.do_not_record = true};
    docket_store *store = site_open(*state, NULL);
    for (int mode = DOCKET_COMMIT_BEFORE_NEXT; mode <= DOCKET_COMMIT_BEFORE_END; mode++) {
        order in = {""};
        docket_error error;
        docket_graph *graph = fresh_graph(
            &of, store, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .commit = (docket_commit_mode)mode});
        assert_int_equal(letters_count(graph, NULL, "text"), 2 * mode + 1);
        assert_int_equal(letters_count(graph, NULL, "text"), 2 * mode + 2);
        assert_status(DOCKET_OK, docket_checkpoint_list(store, NULL, append_step, &in, &error));
        assert_string_equal(in.text, "");
        docket_graph_free(graph);
    }
    of.do_not_record = false;
    docket_graph *graph = fresh_graph(&of, store, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    assert_int_equal(letters_count(graph, NULL, "text"), 5);
    assert_int_equal(letters_count(graph, NULL, "text"), 5);
    docket_graph_free(graph);
}

/* Somebody else, whom no claim of this process holds back, was faster: what they recorded is taken. */
static void test_a_commit_that_meets_a_record_adopts_it(void **state)
{
    (void)state;
    for (int inline_commits = 0; inline_commits <= 1; inline_commits++) {
        docket_test_store *store;
        freshness of = {.good = true};
        store = faulty_open(inline_commits, NULL);
        docket_graph *graph =
            fresh_graph(&of, docket_test_store_get(store), (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
        assert_int_equal(letters_count(graph, NULL, "text"), 1);
        faulty_set(store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_LOSE});
        IS in = {.value = "text"};
        outcome got = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC),
                                                   DOCKET_INPUTS(DOCKET_IN(IS, &in))});
        assert_status(DOCKET_OK, got.status);
        assert_int_equal(of.seen.runs, 2);
        assert_int_equal(DOCKET_RESULT(got.result, LC)->count, 1);
        assert_string_equal(DOCKET_RESULT(got.result, LC)->original, "text");
        assert_int_equal(docket_result_state(got.result, DOCKET_OF(LC)), DOCKET_VALUE_RESTORED);
        outcome_free(&got);

        of.absent = true; /* whatever the late one would have said */
        assert_int_equal(letters_count(graph, NULL, "text"), 1);
        docket_graph_free(graph);
        docket_test_store_close(store);
    }
}

static docket_status count_at_the_gate(docket_ctx *ctx, LC *out, const IS *in)
{
    gate *gates = docket_ctx_user(ctx);
    gate_arrive(&gates[0]);
    out->count = (int32_t)strlen(in->value);
    return gate_wait(&gates[1]) ? DOCKET_OK : docket_fail(ctx, 1, "nobody came");
}
DOCKET_STEP(count_at_the_gate, LC, IS);

/* Forgetting a key that is being computed forgets what was there; the owner's commit stands. */
static void test_forgetting_what_is_being_computed(void **state)
{
    docket_store *store = site_open(*state, NULL);
    gate gates[2] = {GATE_INIT(1), GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = gates, .scope = DOCKET_SCOPE_WORKFLOW,
                                   .store = store};
    docket_graph *graph = graph_of_one(NULL, &count_at_the_gate_step, &options);
    IS in = {.value = "text"};
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "f", .output = DOCKET_OF(LC),
                              DOCKET_INPUTS(DOCKET_IN(IS, &in))};
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&gates[0]));
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "f"};
    docket_error error;
    uint64_t forgotten = 9;
    assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &forgotten, &error));
    assert_int_equal(forgotten, 0);
    gate_arrive(&gates[1]);
    assert_status(DOCKET_OK, caller_join(&called)->status);
    outcome_free(&called.outcome);
    assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &forgotten, &error));
    assert_int_equal(forgotten, 1);
    docket_graph_free(graph);
}

/* What one waited for is good, even if its time is over by the time one looks. */
static void test_a_waiter_takes_what_expires_at_once(void **state)
{
    docket_store *store = site_open(*state, NULL);
    gate gates[2] = {GATE_INIT(1), GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = gates, .scope = DOCKET_SCOPE_WORKFLOW,
                                   .store = store, .ttl_ms = 1};
    docket_graph *graph = graph_of_one(NULL, &count_at_the_gate_step, &options);
    IS in = {.value = "text"};
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "f", .output = DOCKET_OF(LC),
                              DOCKET_INPUTS(DOCKET_IN(IS, &in))};
    caller owner, waiter;
    caller_start(&owner, graph, &request);
    assert_true(gate_wait(&gates[0]));
    caller_start(&waiter, graph, &request);
    pause_ms(50);
    gate_arrive(&gates[1]);
    assert_status(DOCKET_OK, caller_join(&owner)->status);
    assert_status(DOCKET_OK, caller_join(&waiter)->status);
    assert_int_equal(DOCKET_RESULT(waiter.outcome.result, LC)->count, 4);
    outcome_free(&owner.outcome);
    outcome_free(&waiter.outcome);
    docket_graph_free(graph);
}

/* Sizes. */

DOCKET_STRUCT(Bulk, (BYTES, bytes));

static docket_status make_bulk(docket_ctx *ctx, Bulk *out, const LC *size)
{
    freshness *of = docket_ctx_user(ctx);
    entries_enter(&of->seen);
    out->bytes.size = (size_t)size->count;
    out->bytes.data = docket_alloc(ctx, out->bytes.size);
    return DOCKET_OK;
}
DOCKET_STEP(make_bulk, Bulk, LC);

static docket_status measure_bulk(docket_ctx *ctx, Second *out, const Bulk *bulk)
{
    freshness *of = docket_ctx_user(ctx);
    entries_enter(&of->seen);
    out->value = (int32_t)bulk->bytes.size;
    return DOCKET_OK;
}
DOCKET_STEP(measure_bulk, Second, Bulk);

static void test_a_result_may_be_too_large(void **state)
{
    site *at = *state;
    docket_store_options store_options = {DOCKET_STORE_OPTIONS_INIT, .max_payload_bytes = 1000};
    freshness of = {.good = true};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT, .user = &of, .scope = DOCKET_SCOPE_GLOBAL, .store = site_open(at, &store_options),
        .max_attempts = 3,
    };
    docket_graph *graph = graph_of_one(NULL, &make_bulk_step, &options);
    for (int32_t size = 997; size <= 998; size++) { /* and three bytes for tag and length */
        LC in = {.count = size};
        int runs = of.seen.runs;
        outcome got = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Bulk),
                                                   DOCKET_INPUTS(DOCKET_IN(LC, &in))});
        assert_int_equal(of.seen.runs, runs + 1);
        if (size == 997) {
            assert_status(DOCKET_OK, got.status);
        } else {
            assert_status(DOCKET_TOO_LARGE, got.status);
            assert_contains(got.error.message, "1001");
            assert_contains(got.error.message, "1000");
        }
        outcome_free(&got);
    }
    docket_graph_free(graph);
}

/* An unrecorded value of any size can be an input of a recorded step: only its digest is kept. */
static void test_an_input_beside_the_limit(void **state)
{
    site *at = *state;
    docket_store_options store_options = {DOCKET_STORE_OPTIONS_INIT, .max_payload_bytes = 1000};
    freshness of = {.good = true};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &of,
        .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(at, &store_options),
    };
    static uint8_t bytes[998];
    docket_graph *graph = graph_of_one(NULL, &measure_bulk_step, &options);
    Bulk in = {.bytes = {bytes, 997}};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Second),
                              DOCKET_INPUTS(DOCKET_IN(Bulk, &in))};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_a_commit_before_the_next_step_is_waited_for),
        SITE_MEMORY(test_a_commit_before_the_end_is_not),
        SITE_MEMORY(test_both_steps_must_say_so),
        SITE_MEMORY(test_and_use_one_store),
        SITE_MEMORY(test_a_late_failure_of_a_commit),
        SITE_EACH_STORE(test_commits_keep_their_order),
        SITE_EACH_STORE(test_still_good_is_asked_on_a_hit),
        SITE_EACH_STORE(test_still_good_sees_absence),
        SITE_EACH_STORE(test_a_ttl_can_be_set_from_inside),
        SITE_EACH_STORE(test_a_ttl_of_zero_from_inside_is_for_ever),
        SITE_EACH_STORE(test_what_is_not_to_be_recorded_is_not),
        SITE_MEMORY(test_a_commit_that_meets_a_record_adopts_it),
        SITE_EACH_STORE(test_forgetting_what_is_being_computed),
        SITE_EACH_STORE(test_a_waiter_takes_what_expires_at_once),
        SITE_EACH_STORE(test_a_result_may_be_too_large),
        SITE_EACH_STORE(test_an_input_beside_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
