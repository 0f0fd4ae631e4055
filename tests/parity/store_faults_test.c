/* A store fault is never silence: neither a run that was not due nor a success that was not kept. */
#include "support/check.h"
#include "support/faulty.h"
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static docket_status count_entries(docket_ctx *ctx, LC *out, const IS *in)
{
    entries *seen = docket_ctx_user(ctx);
    out->count = entries_enter(seen);
    entries_leave(seen);
    out->original = docket_strdup(ctx, in->value);
    return DOCKET_OK;
}
DOCKET_STEP(count_entries, LC, IS);

/* A recorded step on a store with faults, with commits on its own thread or on the store's. */
typedef struct bench {
    docket_test_store *store;
    recorder events;
    entries seen;
    docket_graph *graph;
} bench;

static void bench_open(bench *self, bool inline_commits, docket_commit_mode mode, int64_t budget_ms,
                       docket_unreadable on_unreadable)
{
    *self = (bench){.events = RECORDER_INIT};
    docket_store_options store_options = {DOCKET_STORE_OPTIONS_INIT, .retry_budget_ms = budget_ms};
    self->store = faulty_open(inline_commits, &store_options);
    docket_observer observer = recorder_observer(&self->events);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT, .name = "Count",
        .user = &self->seen,      .scope = DOCKET_SCOPE_WORKFLOW,
        .commit = mode,           .store = docket_test_store_get(self->store),
        .max_attempts = 3,        .on_unreadable = on_unreadable,
    };
    self->graph = graph_of_one(&graph_options, &count_entries_step, &options);
}

static void bench_close(bench *self)
{
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(self->graph, GATE_LIMIT_MS, &error));
    docket_graph_free(self->graph);
    docket_test_store_close(self->store);
    recorder_free(&self->events);
}

#define FOR_BOTH_STORES(inline_commits) for (int inline_commits = 0; (inline_commits) <= 1; (inline_commits)++)

static void f_02_a_failed_lookup_does_not_become_a_run(void **state)
{
    (void)state;
    bench on;
    bench_open(&on, true, DOCKET_COMMIT_BEFORE_NEXT, 0, DOCKET_FAIL);
    faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE});
    outcome of = run_letters(on.graph, "e", "text");
    assert_status(DOCKET_STORE, of.status);
    assert_contains(of.error.message, FAULT_MESSAGE);
    assert_int_equal(of.error.code, EIO);
    assert_string_equal(of.error.step, "Count");
    assert_int_equal(of.error.attempts, 0);
    assert_int_equal(of.error.transient, 0);
    assert_int_equal(on.seen.runs, 0);
    assert_int_equal(docket_test_store_calls(on.store, DOCKET_TEST_LOOKUP), 1);
    outcome_free(&of);

    faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_NONE});
    assert_int_equal(letters_count(on.graph, "e", "text"), 1);
    bench_close(&on);
}

static void f_02_a_passing_fault_is_retried(void **state)
{
    (void)state;
    bench on;
    bench_open(&on, true, DOCKET_COMMIT_BEFORE_NEXT, 0, DOCKET_FAIL);
    faulty_set(on.store, DOCKET_TEST_LOOKUP,
               (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE, .count = 3, .transient = true});
    assert_int_equal(letters_count(on.graph, "e", "text"), 1);
    assert_int_equal(docket_test_store_calls(on.store, DOCKET_TEST_LOOKUP), 4);
    bench_close(&on);
}

static void f_02_retries_have_an_end(void **state)
{
    (void)state;
    bench on;
    bench_open(&on, true, DOCKET_COMMIT_BEFORE_NEXT, 30, DOCKET_FAIL);
    faulty_set(on.store, DOCKET_TEST_LOOKUP,
               (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE, .transient = true});
    outcome of = run_letters(on.graph, "e", "text");
    assert_status(DOCKET_STORE, of.status);
    assert_contains(of.error.message, FAULT_MESSAGE);
    assert_int_equal(of.error.transient, 1);
    assert_true(docket_test_store_calls(on.store, DOCKET_TEST_LOOKUP) > 1);
    assert_int_equal(on.seen.runs, 0);
    outcome_free(&of);
    bench_close(&on);
}

static void f_03_a_failed_write_does_not_become_success(void **state)
{
    (void)state;
    FOR_BOTH_STORES(inline_commits)
    {
        for (int mode = DOCKET_COMMIT_BEFORE_NEXT; mode <= DOCKET_COMMIT_BEFORE_END; mode++) {
            bench on;
            bench_open(&on, inline_commits, (docket_commit_mode)mode, 0, DOCKET_FAIL);
            faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE});
            outcome of = run_letters(on.graph, "e", "text");
            assert_status(DOCKET_STORE, of.status);
            assert_contains(of.error.message, FAULT_MESSAGE);
            assert_string_equal(of.error.step, "Count");
            assert_int_equal(of.error.attempts, 1);
            assert_int_equal(on.seen.runs, 1);
            outcome_free(&of);

            faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_NONE});
            of = run_letters(on.graph, "e", "text");
            assert_status(DOCKET_OK, of.status);
            assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 2);
            assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_RAN);
            outcome_free(&of);
            assert_int_equal(letters_count(on.graph, "e", "text"), 2);
            bench_close(&on);
        }
    }
}

static void f_03_a_passing_fault_is_retried(void **state)
{
    (void)state;
    FOR_BOTH_STORES(inline_commits)
    {
        for (int mode = DOCKET_COMMIT_BEFORE_NEXT; mode <= DOCKET_COMMIT_BEFORE_END; mode++) {
            bench on;
            bench_open(&on, inline_commits, (docket_commit_mode)mode, 0, DOCKET_FAIL);
            faulty_set(on.store, DOCKET_TEST_COMMIT,
                       (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE, .count = 2, .transient = true});
            assert_int_equal(letters_count(on.graph, "e", "text"), 1);
            assert_int_equal(docket_test_store_calls(on.store, DOCKET_TEST_COMMIT), 3);
            assert_int_equal(letters_count(on.graph, "e", "text"), 1);
            bench_close(&on);
        }
    }
}

static void f_03_a_write_whose_answer_was_lost_is_read_back(void **state)
{
    (void)state;
    FOR_BOTH_STORES(inline_commits)
    {
        bench on;
        bench_open(&on, inline_commits, DOCKET_COMMIT_BEFORE_NEXT, 0, DOCKET_FAIL);
        faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_FAIL_AFTER});
        assert_int_equal(letters_count(on.graph, "e", "text"), 1);
        assert_int_equal(letters_count(on.graph, "e", "text"), 1);
        assert_int_equal(on.seen.runs, 1);

        faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE, .from = 2});
        outcome of = run_letters(on.graph, "another", "text");
        assert_status(DOCKET_STORE, of.status);
        outcome_free(&of);
        faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_NONE});
        of = run_letters(on.graph, "another", "text");
        assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 2);
        assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_RESTORED);
        outcome_free(&of);
        bench_close(&on);
    }
}

static void f_06_an_owner_without_its_claim_cannot_write(void **state)
{
    (void)state;
    FOR_BOTH_STORES(inline_commits)
    {
        bench on;
        bench_open(&on, inline_commits, DOCKET_COMMIT_BEFORE_NEXT, 0, DOCKET_FAIL);
        faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_CLAIM_LOST});
        outcome of = run_letters(on.graph, "e", "text");
        assert_status(DOCKET_CLAIM_LOST, of.status);
        assert_int_equal(on.seen.runs, 1);
        outcome_free(&of);
        bench_close(&on);
    }
}

static void damaged_bytes_are_never_values(void **state)
{
    (void)state;
    for (int mode = DOCKET_FAIL; mode <= DOCKET_RERUN; mode++) {
        bench on;
        bench_open(&on, true, DOCKET_COMMIT_BEFORE_NEXT, 0, (docket_unreadable)mode);
        assert_int_equal(letters_count(on.graph, "e", "text"), 1);
        faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_DAMAGE});
        outcome of = run_letters(on.graph, "e", "text");
        if (mode == DOCKET_FAIL) {
            assert_status(DOCKET_CORRUPT, of.status);
            assert_contains(of.error.message, "Count");
        } else {
            assert_status(DOCKET_OK, of.status);
            assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 2);
        }
        outcome_free(&of);
        faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_NONE});
        assert_int_equal(letters_count(on.graph, "e", "text"), mode == DOCKET_FAIL ? 1 : 2);
        bench_close(&on);
    }
}

/* F-04. */

DOCKET_STRUCT(Done, (INT32, value));
DOCKET_STRUCT(Broken, (INT32, value));
DOCKET_STRUCT(Joined, (INT32, value));

typedef struct pair {
    docket_test_store *store;
    entries done;
    atomic_bool breaks;
} pair;

static docket_status get_done(docket_ctx *ctx, Done *out)
{
    pair *on = docket_ctx_user(ctx);
    out->value = entries_enter(&on->done);
    entries_leave(&on->done);
    return DOCKET_OK;
}
DOCKET_STEP(get_done, Done);

/* Fails while its sibling's result is on its way to the store. */
static docket_status get_broken(docket_ctx *ctx, Broken *out)
{
    pair *on = docket_ctx_user(ctx);
    out->value = 100;
    if (!atomic_load(&on->breaks)) {
        return DOCKET_OK;
    }
    bool reached = docket_test_store_wait_blocked(on->store, DOCKET_TEST_COMMIT, GATE_LIMIT_MS);
    return docket_fail(ctx, 7, reached ? "broken" : "nothing was written");
}
DOCKET_STEP(get_broken, Broken);

static docket_status join(docket_ctx *ctx, Joined *out, const Done *done, const Broken *broken)
{
    (void)ctx;
    out->value = done->value + broken->value;
    return DOCKET_OK;
}
DOCKET_STEP(join, Joined, Done, Broken);

static docket_graph *pair_graph(pair *on)
{
    docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .user = on, .scope = DOCKET_SCOPE_WORKFLOW,
                                    .store = docket_test_store_get(on->store)};
    docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT, .user = on};
    docket_graph *graph = docket_graph_new("pair", NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, &get_done_step, &recorded));
    assert_status(DOCKET_OK, docket_graph_add(graph, &get_broken_step, &plain));
    assert_status(DOCKET_OK, docket_graph_add(graph, &join_step, &plain));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static void fail_while_writing(bool inline_commits, int64_t time_limit_ms, docket_status expected)
{
    pair on = {.breaks = time_limit_ms == 0};
    on.store = faulty_open(inline_commits, NULL);
    faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.block = true});
    docket_graph *graph = pair_graph(&on);
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "p", .output = DOCKET_OF(Joined),
                              .time_limit_ms = time_limit_ms};
    caller called;
    caller_start(&called, graph, &request);
    assert_true(docket_test_store_wait_blocked(on.store, DOCKET_TEST_COMMIT, GATE_LIMIT_MS));
    if (time_limit_ms > 0) {
        caller_join(&called); /* it does not wait for the store */
        docket_test_store_unblock(on.store, DOCKET_TEST_COMMIT);
    } else {
        pause_ms(5);
        docket_test_store_unblock(on.store, DOCKET_TEST_COMMIT);
        caller_join(&called);
        assert_int_equal(called.outcome.error.code, 7);
    }
    assert_status(expected, called.outcome.status);
    outcome_free(&called.outcome);

    atomic_store(&on.breaks, false);
    request.time_limit_ms = 0;
    outcome of = run(graph, &request);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, Joined)->value, 101);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Done)), DOCKET_VALUE_RESTORED);
    outcome_free(&of);
    assert_int_equal(on.done.runs, 1);
    docket_graph_free(graph);
    docket_test_store_close(on.store);
}

static void f_04_a_finished_step_is_recorded_although_its_sibling_fails(void **state)
{
    (void)state;
    fail_while_writing(true, 0, DOCKET_FAILED);
    fail_while_writing(false, 0, DOCKET_FAILED);
}

static void f_04_a_finished_step_is_recorded_although_the_deadline_passes(void **state)
{
    (void)state;
    fail_while_writing(true, 200, DOCKET_TIMEOUT);
    fail_while_writing(false, 200, DOCKET_TIMEOUT);
}

/* F-21 and F-46, on every store. */

typedef struct listing {
    int values, failures;
    docket_status status;
    int32_t code, attempts;
    char step[40], execution_id[40], message[80];
} listing;

static bool note_entry(void *arg, const docket_checkpoint *entry)
{
    listing *into = arg;
    into->values += entry->kind == DOCKET_CHECKPOINT_VALUE;
    if (entry->kind == DOCKET_CHECKPOINT_FAILURE) {
        into->failures++;
        into->status = entry->status;
        into->code = entry->code;
        into->attempts = entry->attempts;
        snprintf(into->step, sizeof into->step, "%s", entry->step);
        snprintf(into->execution_id, sizeof into->execution_id, "%s", entry->execution_id);
        snprintf(into->message, sizeof into->message, "%s", entry->message);
    }
    return true;
}

static listing list_all(docket_store *store)
{
    listing made = {.values = 0};
    docket_error error;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, note_entry, &made, &error));
    return made;
}

static docket_status fail_three_times(docket_ctx *ctx, LC *out)
{
    entries *seen = docket_ctx_user(ctx);
    out->count = entries_enter(seen);
    entries_leave(seen);
    return out->count <= 3 ? docket_fail(ctx, 40 + out->count, "no luck in entry %d", (int)out->count) : DOCKET_OK;
}
DOCKET_STEP(fail_three_times, LC);

static void f_21_failures_are_kept_for_people_and_never_replayed(void **state)
{
    site *at = *state;
    entries seen = {.runs = 0};
    docket_store *store = site_open(at, NULL);
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,       .name = "Unlucky", .user = &seen,
        .scope = DOCKET_SCOPE_WORKFLOW, .max_attempts = 3, .store = store,
    };
    docket_graph *graph = graph_of_one(NULL, &fail_three_times_step, &options);
    outcome of = run_letters(graph, "order-1", NULL);
    assert_status(DOCKET_FAILED, of.status);
    outcome_free(&of);
    listing seen_by_people = list_all(store);
    for (int waited_ms = 0; seen_by_people.failures == 0 && waited_ms < GATE_LIMIT_MS; waited_ms++) {
        pause_ms(1); /* it joins the next commit; nobody waits for it */
        seen_by_people = list_all(store);
    }
    assert_int_equal(seen_by_people.values, 0);
    assert_int_equal(seen_by_people.failures, 1);
    assert_status(DOCKET_FAILED, seen_by_people.status);
    assert_int_equal(seen_by_people.code, 43);
    assert_int_equal(seen_by_people.attempts, 3);
    assert_string_equal(seen_by_people.step, "Unlucky");
    assert_string_equal(seen_by_people.execution_id, "order-1");
    assert_string_equal(seen_by_people.message, "no luck in entry 3");

    assert_int_equal(letters_count(graph, "order-1", NULL), 4);
    seen_by_people = list_all(store);
    assert_int_equal(seen_by_people.values, 1);
    assert_int_equal(seen_by_people.failures, 0);
    docket_graph_free(graph);
}

static void f_45_a_failed_lookup_leaves_a_trace(void **state)
{
    (void)state;
    bench on;
    bench_open(&on, true, DOCKET_COMMIT_BEFORE_NEXT, 0, DOCKET_FAIL);
    faulty_set(on.store, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE});
    outcome of = run_letters(on.graph, "e", "text");
    assert_status(DOCKET_STORE, of.status);
    outcome_free(&of);
    assert_events(&on.events, "execution_start\n"
                              "lookup Count 0 STORE\n"
                              "execution_end STORE\n");
    const seen_event *lookup = recorder_get(&on.events, DOCKET_EVENT_LOOKUP, 0);
    assert_true(lookup->has_error);
    assert_false(lookup->hit);
    assert_contains(lookup->message, FAULT_MESSAGE);
    assert_int_equal(lookup->code, EIO);
    bench_close(&on);
}

static void f_45_a_failed_commit_leaves_a_trace(void **state)
{
    (void)state;
    FOR_BOTH_STORES(inline_commits)
    {
        for (int mode = DOCKET_COMMIT_BEFORE_NEXT; mode <= DOCKET_COMMIT_BEFORE_END; mode++) {
            bench on;
            bench_open(&on, inline_commits, (docket_commit_mode)mode, 0, DOCKET_FAIL);
            faulty_set(on.store, DOCKET_TEST_COMMIT, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE});
            outcome of = run_letters(on.graph, "e", "text");
            assert_status(DOCKET_STORE, of.status);
            outcome_free(&of);
            assert_events(&on.events, "execution_start\n"
                                      "lookup Count 0 never recorded\n"
                                      "step_start Count 1\n"
                                      "step_end Count 1 OK\n"
                                      "commit Count 1 STORE\n"
                                      "execution_end STORE\n");
            const seen_event *commit = recorder_get(&on.events, DOCKET_EVENT_COMMIT, 0);
            assert_true(commit->has_error);
            assert_contains(commit->message, FAULT_MESSAGE);
            bench_close(&on);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f_02_a_failed_lookup_does_not_become_a_run),
        cmocka_unit_test(f_02_a_passing_fault_is_retried),
        cmocka_unit_test(f_02_retries_have_an_end),
        cmocka_unit_test(f_03_a_failed_write_does_not_become_success),
        cmocka_unit_test(f_03_a_passing_fault_is_retried),
        cmocka_unit_test(f_03_a_write_whose_answer_was_lost_is_read_back),
        cmocka_unit_test(f_04_a_finished_step_is_recorded_although_its_sibling_fails),
        cmocka_unit_test(f_04_a_finished_step_is_recorded_although_the_deadline_passes),
        cmocka_unit_test(f_06_an_owner_without_its_claim_cannot_write),
        cmocka_unit_test(damaged_bytes_are_never_values),
        SITE_EACH_STORE(f_21_failures_are_kept_for_people_and_never_replayed),
        cmocka_unit_test(f_45_a_failed_lookup_leaves_a_trace),
        cmocka_unit_test(f_45_a_failed_commit_leaves_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
