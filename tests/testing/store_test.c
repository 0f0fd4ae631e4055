/* A store with faults: each kind on each operation, plans, blocks, dice. */
#include "support/run.h"

#include "support/check.h"
#include "support/folder.h"

#include <docket/testing.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static docket_test_store *open_faulty(const char *url, bool writer_thread)
{
    docket_test_store *faulty = NULL;
    docket_error error;
    const docket_store_options store_options = {DOCKET_STORE_OPTIONS_INIT, .retry_budget_ms = 2000};
    const docket_test_store_options options = {DOCKET_TEST_STORE_OPTIONS_INIT, .url = url, .store = &store_options,
                                               .writer_thread = writer_thread};
    assert_status(DOCKET_OK, docket_test_store_open(&faulty, &options, &error));
    return faulty;
}

static docket_graph *recording_graph(docket_test_store *faulty, letters_user *user)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = user, .scope = DOCKET_SCOPE_WORKFLOW,
                                         .store = docket_test_store_get(faulty)};
    return graph_of_one(NULL, &count_letters_step, &options);
}

static void plan(docket_test_store *faulty, docket_test_operation operation, docket_test_fault fault)
{
    assert_status(DOCKET_OK, docket_test_store_plan(faulty, operation, &fault, 1));
}

/* Commits under each fault: what docket says, and what the store holds then. */

static void fail_a_commit(const char *url, bool writer_thread, docket_test_fault fault, docket_status expected,
                          bool is_there)
{
    letters_user user = {.runs = 0};
    docket_test_store *faulty = open_faulty(url, writer_thread);
    docket_graph *graph = recording_graph(faulty, &user);
    plan(faulty, DOCKET_TEST_COMMIT, fault);
    outcome of = run_letters(graph, "e", "abc");
    assert_status(expected, of.status);
    if (expected == DOCKET_STORE) {
        assert_contains(of.error.message, "a test made this fail: commit 1");
        assert_int_equal(of.error.code, fault.kind == DOCKET_TEST_DISK_FULL ? ENOSPC : EIO);
    }
    outcome_free(&of);
    assert_int_equal(docket_test_store_struck(faulty, DOCKET_TEST_COMMIT), 1);
    assert_status(DOCKET_OK, docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, NULL, 0));
    assert_int_equal(letters_count(graph, "e", "abc"), 3);
    assert_int_equal(user.runs, is_there ? 1 : 2);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
}

static void fail_commits(const char *(*new_url)(void), bool writer_thread)
{
    static const struct {
        docket_test_fault_kind kind;
        docket_status status;
        bool is_there;
    } cases[] = {
        {DOCKET_TEST_FAIL_BEFORE, DOCKET_STORE, false},
        {DOCKET_TEST_FAIL_AFTER, DOCKET_OK, true}, /* it is read back */
        {DOCKET_TEST_TEAR, DOCKET_STORE, false},
        {DOCKET_TEST_DISK_FULL, DOCKET_STORE, false},
        {DOCKET_TEST_LOSE, DOCKET_OK, false},
        {DOCKET_TEST_CLAIM_LOST, DOCKET_CLAIM_LOST, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const docket_test_fault fault = {.kind = cases[i].kind, .count = 1};
        fail_a_commit(new_url(), writer_thread, fault, cases[i].status, cases[i].is_there);
    }
}

static const char *memory_url(void)
{
    return NULL;
}

static folder place;

static const char *file_url(void)
{
    static char url[160];
    static int number;
    snprintf(url, sizeof url, "sqlite:%s/%d.db", place.path, number++);
    return url;
}

static void test_commits_fail_in_memory(void **state)
{
    (void)state;
    fail_commits(memory_url, false);
    fail_commits(memory_url, true);
}

static void test_commits_fail_in_a_file(void **state)
{
    (void)state;
    place = folder_make();
    fail_commits(file_url, false);
    folder_remove(&place);
}

/* Look-ups. */

static void test_look_ups_fail(void **state)
{
    static const struct {
        docket_test_fault_kind kind;
        docket_status status;
        int runs; /* after one run without fault */
    } cases[] = {
        {DOCKET_TEST_FAIL_BEFORE, DOCKET_STORE, 1}, {DOCKET_TEST_FAIL_AFTER, DOCKET_STORE, 1},
        {DOCKET_TEST_TEAR, DOCKET_STORE, 1},        {DOCKET_TEST_DAMAGE, DOCKET_CORRUPT, 1},
        {DOCKET_TEST_LOSE, DOCKET_OK, 2},           {DOCKET_TEST_CLAIM_LOST, DOCKET_OK, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        letters_user user = {.runs = 0};
        docket_test_store *faulty = open_faulty(NULL, false);
        docket_graph *graph = recording_graph(faulty, &user);
        assert_int_equal(letters_count(graph, "e", "abc"), 3);
        plan(faulty, DOCKET_TEST_LOOKUP, (docket_test_fault){.kind = cases[i].kind});
        outcome of = run_letters(graph, "e", "abc");
        assert_status(cases[i].status, of.status);
        assert_int_equal(user.runs, cases[i].runs);
        outcome_free(&of);
        docket_graph_free(graph);
        docket_test_store_close(faulty);
    }
}

static void test_transient_faults_are_tried_again(void **state)
{
    letters_user user = {.runs = 0};
    (void)state;
    docket_test_store *faulty = open_faulty(NULL, true);
    docket_graph *graph = recording_graph(faulty, &user);
    const docket_test_fault faults[] = {
        {.kind = DOCKET_TEST_FAIL_AFTER, .from = 1, .count = 1, .transient = true},
        {.kind = DOCKET_TEST_FAIL_BEFORE, .from = 2, .count = 2, .transient = true},
        {.kind = DOCKET_TEST_LOSE, .from = 3, .count = 1}, /* the one before is first */
    };
    assert_status(DOCKET_OK, docket_test_store_plan(faulty, DOCKET_TEST_LOOKUP, faults, 3));
    assert_int_equal(letters_count(graph, "e", "abc"), 3);
    assert_int_equal(docket_test_store_struck(faulty, DOCKET_TEST_LOOKUP), 3);
    assert_true(docket_test_store_calls(faulty, DOCKET_TEST_LOOKUP) >= 4);
    assert_int_equal(user.runs, 1);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
}

/* What is asked through the store's own functions. */

static bool count_entry(void *arg, const docket_checkpoint *checkpoint)
{
    int *count = arg;
    (void)checkpoint;
    ++*count;
    return true;
}

static void test_the_other_operations_fail(void **state)
{
    letters_user user = {.runs = 0};
    docket_error error;
    uint64_t removed;
    int listed = 0;
    (void)state;
    docket_test_store *faulty = open_faulty(NULL, false);
    docket_store *store = docket_test_store_get(faulty);
    docket_graph *graph = recording_graph(faulty, &user);
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "e"};
    assert_int_equal(letters_count(graph, "e", "abc"), 3);
    for (docket_test_operation operation = DOCKET_TEST_LIST; operation <= DOCKET_TEST_PURGE; operation++) {
        plan(faulty, operation, (docket_test_fault){.kind = DOCKET_TEST_FAIL_BEFORE});
    }
    assert_status(DOCKET_STORE, docket_checkpoint_list(store, &filter, count_entry, &listed, &error));
    assert_contains(error.message, "list 1");
    assert_status(DOCKET_STORE, docket_checkpoint_forget(store, &filter, &removed, &error));
    assert_contains(error.message, "forget 1");
    assert_status(DOCKET_STORE, docket_store_purge(store, &removed, &error));
    assert_contains(error.message, "purge 1");
    for (docket_test_operation operation = DOCKET_TEST_LIST; operation <= DOCKET_TEST_PURGE; operation++) {
        assert_int_equal(docket_test_store_struck(faulty, operation), 1);
        assert_status(DOCKET_OK, docket_test_store_plan(faulty, operation, NULL, 0));
    }
    assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, count_entry, &listed, &error));
    assert_int_equal(listed, 1);
    assert_status(DOCKET_OK, docket_checkpoint_forget(store, &filter, &removed, &error));
    assert_int_equal(removed, 1);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
}

/* Blocks and delays. */

static void test_a_call_blocks_until_it_is_told(void **state)
{
    letters_user user = {.runs = 0};
    const IS input = {.value = "abc"};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "e", .output = DOCKET_OF(LC),
                                    DOCKET_INPUTS(DOCKET_IN(IS, &input))};
    (void)state;
    for (int end = 0; end < 3; end++) {
        caller called;
        docket_test_store *faulty = open_faulty(NULL, true);
        docket_graph *graph = recording_graph(faulty, &user);
        assert_false(docket_test_store_wait_blocked(faulty, DOCKET_TEST_COMMIT, 5));
        plan(faulty, DOCKET_TEST_COMMIT, (docket_test_fault){.block = true});
        caller_start(&called, graph, &request);
        assert_true(docket_test_store_wait_blocked(faulty, DOCKET_TEST_COMMIT, GATE_LIMIT_MS));
        pause_ms(5);
        assert_false(gate_is_open(&called.returned));
        if (end == 0) {
            docket_test_store_unblock(faulty, DOCKET_TEST_COMMIT);
        } else if (end == 1) {
            assert_status(DOCKET_OK, docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, NULL, 0));
        } else {
            docket_graph_free(graph); /* the execution holds it */
            graph = NULL;
            docket_test_store_close(faulty);
        }
        assert_status(DOCKET_OK, caller_join(&called)->status);
        outcome_free(&called.outcome);
        if (end < 2) {
            docket_graph_free(graph);
            docket_test_store_close(faulty);
        }
    }
}

static void test_delays_follow_the_clock(void **state)
{
    letters_user user = {.runs = 0};
    const IS input = {.value = "abc"};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "e", .output = DOCKET_OF(LC),
                                    DOCKET_INPUTS(DOCKET_IN(IS, &input))};
    caller called;
    (void)state;
    docket_test_clock_start(0);
    docket_test_store *faulty = open_faulty(NULL, true);
    docket_graph *graph = recording_graph(faulty, &user);
    plan(faulty, DOCKET_TEST_COMMIT, (docket_test_fault){.delay_ms = DOCKET_HOURS(1), .block = true});
    caller_start(&called, graph, &request);
    assert_true(docket_test_store_wait_blocked(faulty, DOCKET_TEST_COMMIT, GATE_LIMIT_MS));
    docket_test_store_unblock(faulty, DOCKET_TEST_COMMIT);
    pause_ms(20);
    assert_false(gate_is_open(&called.returned));
    while (!gate_is_open(&called.returned)) {
        docket_test_clock_advance(DOCKET_MINUTES(30));
        pause_ms(1);
    }
    assert_status(DOCKET_OK, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
    docket_test_clock_stop();
}

/* Dice. */

static void play(uint64_t seed, char trace[64])
{
    static const docket_test_rates rates = {.fail_before = 0.2,
                                            .fail_after = 0.2,
                                            .tear = 0.1,
                                            .disk_full = 0.1,
                                            .claim_lost = 0.1,
                                            .delay = 0.5,
                                            .delay_ms = 1};
    letters_user user = {.runs = 0};
    docket_test_store *faulty = open_faulty(NULL, false);
    docket_graph *graph = recording_graph(faulty, &user);
    assert_status(DOCKET_OK, docket_test_store_randomize(faulty, seed, &rates));
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i / 2);
        outcome of = run_letters(graph, id, "abc");
        assert_true(of.status == DOCKET_OK || of.status == DOCKET_STORE || of.status == DOCKET_CLAIM_LOST);
        trace[i] = of.status == DOCKET_OK ? '.' : of.status == DOCKET_STORE ? 'S' : 'C';
        outcome_free(&of);
    }
    trace[40] = '\0';
    assert_status(DOCKET_OK, docket_test_store_randomize(faulty, 0, NULL));
    assert_int_equal(letters_count(graph, "last", "abc"), 3);
    docket_graph_free(graph);
    docket_test_store_close(faulty);
}

static void test_dice(void **state)
{
    char first[64];
    char again[64];
    char other[64];
    (void)state;
    play(17, first);
    play(17, again);
    play(18, other);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_true(strchr(first, '.') != NULL && strchr(first, 'S') != NULL);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    docket_error error;
    docket_test_store *faulty = NULL;
    const docket_backend nothing = {.struct_size = sizeof nothing, .name = "nothing"};
    docket_test_store_options options = {DOCKET_TEST_STORE_OPTIONS_INIT, .url = "nonsense:"};
    docket_test_fault faults[17] = {{DOCKET_TEST_NONE, 0, 0, false, false, 0}};
    (void)state;
    assert_status(DOCKET_INVALID, docket_test_store_open(&faulty, &options, &error));
    assert_null(faulty);
    options.backend = &nothing;
    assert_status(DOCKET_INVALID, docket_test_store_open(&faulty, &options, &error));
    assert_contains(error.message, "not both");
    assert_status(DOCKET_INVALID, docket_test_store_open(NULL, NULL, NULL));
    options = (docket_test_store_options){.struct_size = 3};
    assert_status(DOCKET_INVALID, docket_test_store_open(&faulty, &options, &error));
    assert_contains(error.message, "DOCKET_TEST_STORE_OPTIONS_INIT");
    assert_status(DOCKET_OK, docket_test_store_open(&faulty, NULL, &error));
    assert_status(DOCKET_INVALID, docket_test_store_plan(faulty, (docket_test_operation)99, NULL, 0));
    assert_status(DOCKET_INVALID, docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, faults, 17));
    assert_status(DOCKET_INVALID, docket_test_store_plan(faulty, DOCKET_TEST_COMMIT, NULL, 1));
    assert_status(DOCKET_INVALID, docket_test_store_plan(NULL, DOCKET_TEST_COMMIT, faults, 1));
    assert_status(DOCKET_INVALID, docket_test_store_randomize(faulty, 1, &(docket_test_rates){.tear = 1.5}));
    assert_status(DOCKET_INVALID, docket_test_store_randomize(faulty, 1, &(docket_test_rates){.delay_ms = -1}));
    assert_int_equal(docket_test_store_calls(faulty, (docket_test_operation)-1), 0);
    assert_null(docket_test_store_get(NULL));
    docket_test_store_close(faulty);
    docket_test_store_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_fail_in_memory),
        cmocka_unit_test(test_commits_fail_in_a_file),
        cmocka_unit_test(test_look_ups_fail),
        cmocka_unit_test(test_transient_faults_are_tried_again),
        cmocka_unit_test(test_the_other_operations_fail),
        cmocka_unit_test(test_a_call_blocks_until_it_is_told),
        cmocka_unit_test(test_delays_follow_the_clock),
        cmocka_unit_test(test_dice),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("faulty_store", tests, NULL, NULL);
}
