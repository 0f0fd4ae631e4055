/* Checkpoints: what is computed once, for whom, for how long. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
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

static docket_graph *recorded(site *at, entries *seen, docket_scope scope, int64_t ttl_ms)
{
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT, .user = seen, .store = site_open(at, NULL), .scope = scope, .ttl_ms = ttl_ms,
    };
    return graph_of_one(NULL, &count_entries_step, &options);
}

static void p_110_to_p_112_one_run_per_execution_id(void **state)
{
    entries seen = {.runs = 0};
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_WORKFLOW, DOCKET_HOURS(1));
    assert_int_equal(letters_count(graph, "exec-1", "test"), 1);
    assert_int_equal(seen.runs, 1);

    outcome of = run_letters(graph, "exec-1", "test");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_RESTORED);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 1);
    assert_string_equal(DOCKET_RESULT(of.result, LC)->original, "test");
    assert_string_equal(DOCKET_RESULT(of.result, LC)->target, "");
    assert_int_equal(seen.runs, 1);
    outcome_free(&of);

    assert_int_equal(letters_count(graph, "exec-2", "test"), 2);
    assert_int_equal(seen.runs, 2);
    docket_graph_free(graph);
}

static void p_113_p_114_global_results_are_for_all(void **state)
{
    entries seen = {.runs = 0};
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_GLOBAL, 0);
    assert_int_equal(letters_count(graph, "exec-A", "hello"), 1);
    assert_int_equal(letters_count(graph, "exec-B", "hello"), 1);
    assert_int_equal(letters_count(graph, NULL, "hello"), 1);
    assert_int_equal(seen.runs, 1);
    assert_int_equal(letters_count(graph, "exec-C", "world"), 2);
    assert_int_equal(seen.runs, 2);
    docket_graph_free(graph);
}

static void p_115_a_result_lives_as_long_as_its_ttl(void **state)
{
    entries seen = {.runs = 0};
    docket_test_clock_start(INT64_C(1700000000000));
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_GLOBAL, 50);
    assert_int_equal(letters_count(graph, "a", "text"), 1);
    assert_int_equal(letters_count(graph, "b", "text"), 1);
    docket_test_clock_advance(49);
    assert_int_equal(letters_count(graph, "c", "text"), 1);
    docket_test_clock_advance(51);
    assert_int_equal(letters_count(graph, "d", "text"), 2);
    assert_int_equal(letters_count(graph, "e", "text"), 2);
    docket_test_clock_advance(100);
    docket_test_clock_set_wall(INT64_C(1700000000000)); /* what has expired does not come back to life */
    assert_int_equal(letters_count(graph, "f", "text"), 3);
    assert_int_equal(seen.runs, 3);
    docket_test_clock_stop();
    docket_graph_free(graph);
}

static void p_116_nothing_remains_of_a_deleted_store(void **state)
{
    site *at = *state;
    entries seen = {.runs = 0};
    docket_graph *graph = recorded(at, &seen, DOCKET_SCOPE_GLOBAL, 0);
    assert_int_equal(letters_count(graph, "a", "text"), 1);
    docket_graph_free(graph);
    site_close(at);
    assert_true(folder_entry_count(at->folder.path) > 0);
    docket_error error;
    assert_status(DOCKET_OK, docket_store_delete(at->url, &error));
    assert_int_equal(folder_entry_count(at->folder.path), 0);
}

static void f_46_an_execution_can_be_taken_up_again(void **state)
{
    site *at = *state;
    entries seen = {.runs = 0};
    for (int i = 0; i < 3; i++) {
        docket_graph *graph = recorded(at, &seen, DOCKET_SCOPE_WORKFLOW, 0);
        assert_int_equal(letters_count(graph, "order-17", "text"), 1);
        docket_graph_free(graph);
        site_close(at);
    }
    assert_int_equal(seen.runs, 1);
}

static void n_07_a_ttl_of_zero_is_for_ever_and_a_negative_one_is_refused(void **state)
{
    entries seen = {.runs = 0};
    docket_test_clock_start(INT64_C(1700000000000));
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_GLOBAL, 0);
    assert_int_equal(letters_count(graph, "a", "text"), 1);
    docket_test_clock_advance(DOCKET_DAYS(36500));
    assert_int_equal(letters_count(graph, "b", "text"), 1);
    docket_test_clock_stop();
    docket_graph_free(graph);

    graph = docket_graph_new("negative", NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .ttl_ms = -1};
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &count_entries_step, &options));
    docket_graph_free(graph);
}

static void n_07_a_ttl_beyond_all_time_is_for_ever(void **state)
{
    entries seen = {.runs = 0};
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_GLOBAL, INT64_MAX);
    assert_int_equal(letters_count(graph, "a", "text"), 1);
    assert_int_equal(letters_count(graph, "b", "text"), 1);
    docket_graph_free(graph);
}

static void n_07_forgetting_what_is_not_there_is_no_error(void **state)
{
    entries seen = {.runs = 0};
    uint64_t count = 7;
    docket_error error;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "a"};
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_WORKFLOW, 0);
    docket_store *store = site_open(*state, NULL);
    assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &count, &error));
    assert_int_equal(count, 0);
    assert_int_equal(letters_count(graph, "a", "text"), 1);
    assert_int_equal(letters_count(graph, "b", "text"), 2);
    assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &count, &error));
    assert_int_equal(count, 1);
    assert_int_equal(letters_count(graph, "a", "text"), 3);
    assert_int_equal(letters_count(graph, "b", "text"), 2);
    docket_graph_free(graph);
}

static void n_09_nobody_changes_a_stored_value(void **state)
{
    entries seen = {.runs = 0};
    docket_graph *graph = recorded(*state, &seen, DOCKET_SCOPE_GLOBAL, 0);
    for (int i = 0; i < 3; i++) {
        outcome of = run_letters(graph, "a", "text");
        LC *value = (LC *)(uintptr_t)DOCKET_RESULT(of.result, LC);
        assert_int_equal(value->count, 1);
        assert_string_equal(value->original, "text");
        memset((char *)(uintptr_t)value->original, 'x', 4);
        value->count = 99;
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void n_10_prefixes_follow_a_rule(void **state)
{
    site *at = *state;
    static const char *const bad[] = {"",         "9a",
                                      "_a",       "A",
                                      "a-b",      "a b",
                                      "a.b",      "a;DROP TABLE victim",
                                      "\xc3\xa9", "a23456789012345678901234567890123"};
    static const char *const good[] = {"a", "docket_", "a_9", "a2345678901234567890123456789012"};
    docket_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        docket_store *store = NULL;
        docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .prefix = bad[i]};
        assert_status(DOCKET_INVALID, docket_store_open(&store, at->url, &options, &error));
        assert_contains(error.message, "prefix");
        assert_null(store);
        assert_int_equal(folder_entry_count(at->folder.path), 0);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        docket_store *store = NULL;
        docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .prefix = good[i]};
        assert_status(DOCKET_OK, docket_store_open(&store, at->url, &options, &error));
        docket_store_close(store);
        assert_status(DOCKET_OK, docket_store_delete(at->url, &error));
    }
}

/* A chain whose middle is not recorded, with the commit modes mixed. */

DOCKET_STRUCT(First, (INT32, value));
DOCKET_STRUCT(Second, (INT32, value));
DOCKET_STRUCT(Third, (INT32, value));

typedef struct chain {
    entries first, second, third;
} chain;

static docket_status make_first(docket_ctx *ctx, First *out)
{
    chain *of = docket_ctx_user(ctx);
    out->value = entries_enter(&of->first);
    entries_leave(&of->first);
    return DOCKET_OK;
}
DOCKET_STEP(make_first, First);

static docket_status make_second(docket_ctx *ctx, Second *out, const First *first)
{
    chain *of = docket_ctx_user(ctx);
    out->value = 10 * first->value;
    entries_enter(&of->second);
    entries_leave(&of->second);
    return DOCKET_OK;
}
DOCKET_STEP(make_second, Second, First);

static docket_status make_third(docket_ctx *ctx, Third *out, const Second *second, const First *first)
{
    chain *of = docket_ctx_user(ctx);
    out->value = second->value + first->value;
    entries_enter(&of->third);
    entries_leave(&of->third);
    return DOCKET_OK;
}
DOCKET_STEP(make_third, Third, Second, First);

static void a_chain_is_restored_whatever_the_commit_modes(void **state)
{
    site *at = *state;
    docket_store *store = site_open(at, NULL);
    for (int modes = 0; modes < 16; modes++) {
        chain of = {.first = {.runs = 0}};
        docket_step_options options[3];
        for (int i = 0; i < 3; i++) {
            options[i] = (docket_step_options){
                DOCKET_STEP_OPTIONS_INIT,
                .user = &of,
                .store = store,
                .scope = i == 1 && modes >= 8 ? DOCKET_SCOPE_NONE : DOCKET_SCOPE_WORKFLOW,
                .commit = (modes >> i) & 1 ? DOCKET_COMMIT_BEFORE_END : DOCKET_COMMIT_BEFORE_NEXT,
            };
        }
        docket_graph *graph = docket_graph_new("chain", NULL);
        assert_status(DOCKET_OK, docket_graph_add(graph, &make_first_step, &options[0]));
        assert_status(DOCKET_OK, docket_graph_add(graph, &make_second_step, &options[1]));
        assert_status(DOCKET_OK, docket_graph_add(graph, &make_third_step, &options[2]));
        assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
        char id[24];
        snprintf(id, sizeof id, "modes-%d", modes);
        docket_request request = {DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Third)};
        for (int again = 0; again < 2; again++) {
            outcome got = run(graph, &request);
            assert_status(DOCKET_OK, got.status);
            assert_int_equal(DOCKET_RESULT(got.result, Third)->value, 11);
            assert_int_equal(docket_result_state(got.result, DOCKET_OF(Third)),
                             again ? DOCKET_VALUE_RESTORED : DOCKET_VALUE_RAN);
            outcome_free(&got);
        }
        assert_int_equal(of.first.runs, 1);
        assert_int_equal(of.third.runs, 1);
        assert_int_equal(of.second.runs, modes >= 8 ? 2 : 1);
        docket_graph_free(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(p_110_to_p_112_one_run_per_execution_id),
        SITE_EACH_STORE(p_113_p_114_global_results_are_for_all),
        SITE_EACH_STORE(p_115_a_result_lives_as_long_as_its_ttl),
        SITE_SQLITE(p_116_nothing_remains_of_a_deleted_store),
        SITE_EACH_STORE(f_46_an_execution_can_be_taken_up_again),
        SITE_EACH_STORE(n_07_a_ttl_of_zero_is_for_ever_and_a_negative_one_is_refused),
        SITE_EACH_STORE(n_07_a_ttl_beyond_all_time_is_for_ever),
        SITE_EACH_STORE(n_07_forgetting_what_is_not_there_is_no_error),
        SITE_EACH_STORE(n_09_nobody_changes_a_stored_value),
        SITE_EACH_STORE(n_10_prefixes_follow_a_rule),
        SITE_EACH_STORE(a_chain_is_restored_whatever_the_commit_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
