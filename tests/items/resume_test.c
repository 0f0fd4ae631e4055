/* Batches that are recorded: equal items, repaired faults, and processes that die in the middle. */
#include "support/child.h"
#include "support/site.h"

#include <docket/testing.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

DOCKET_STRUCT(Number, (INT64, value));
DOCKET_STRUCT(Drawn, (INT64, value), (INT64, turn));
DOCKET_STRUCT(Sum, (INT64, value), (INT64, count));

typedef struct desk {
    atomic_int runs;
    int64_t fail_at; /* -1 = nowhere */
    const char *ledger;
} desk;

static docket_status draw(docket_ctx *ctx, Drawn *out, const Number *number)
{
    desk *self = docket_ctx_user(ctx);
    if (number->value == self->fail_at) {
        return docket_reject(ctx, 4, "no");
    }
    out->value = 3 * number->value;
    out->turn = atomic_fetch_add(&self->runs, 1);
    return DOCKET_OK;
}
DOCKET_STEP(draw, Drawn, Number);

static docket_status add_up(docket_ctx *ctx, Sum *out, const Drawn *const *drawn, size_t count)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        out->value += drawn[i]->value;
    }
    out->count = (int64_t)count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(add_up, Sum, Drawn);

static docket_graph *make(desk *self, docket_store *store)
{
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .user = self, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = docket_graph_new("draw", &options);
    docket_graph_add_all(graph, &recorded, DOCKET_STEPS(draw, add_up));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static docket_status run(docket_graph *graph, const Number *numbers, size_t count, docket_item_policy policy,
                         docket_result **result, docket_error *error)
{
    return docket_execute(graph,
                          &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "batch", .on_item_error = policy,
                                            DOCKET_OUTPUTS(Drawn, Sum),
                                            DOCKET_INPUTS(DOCKET_ITEMS(Number, numbers, count))},
                          result, error);
}

/* F-19: a recorded step computes equal items once, the first time too. */
static void f19_equal_items_are_computed_once(void **state)
{
    site *at = *state;
    const Number numbers[] = {{.value = 1}, {.value = 1}, {.value = 1}, {.value = 2}, {.value = 2}};
    for (int pass = 0; pass < 2; pass++) {
        desk self = {.fail_at = -1};
        docket_graph *graph = make(&self, site_open(at, NULL));
        docket_result *result = NULL;
        docket_error error;
        assert_status(DOCKET_OK, run(graph, numbers, 5, DOCKET_STOP, &result, &error));
        assert_int_equal(atomic_load(&self.runs), pass == 0 ? 2 : 0);
        for (size_t i = 1; i < 3; i++) {
            assert_int_equal(DOCKET_RESULT_ITEM(result, Drawn, i)->turn,
                             DOCKET_RESULT_ITEM(result, Drawn, 0)->turn);
        }
        assert_int_equal(DOCKET_RESULT_ITEM(result, Drawn, 3)->turn, DOCKET_RESULT_ITEM(result, Drawn, 4)->turn);
        assert_int_equal(DOCKET_RESULT(result, Sum)->value, 21);
        docket_result_free(result);
        docket_graph_free(graph);
        site_close(at);
    }
}

/* F-31: what succeeded beside a failure stays recorded, and is not done again. */
static void f31_a_repaired_batch_does_what_is_missing(void **state)
{
    enum { COUNT = 100, BAD = 57 };
    site *at = *state;
    Number numbers[COUNT];
    for (int64_t i = 0; i < COUNT; i++) {
        numbers[i].value = i;
    }
    desk self = {.fail_at = BAD};
    docket_graph *graph = make(&self, site_open(at, NULL));
    docket_error error;
    assert_status(DOCKET_REJECTED, run(graph, numbers, COUNT, DOCKET_COLLECT, NULL, &error));
    assert_int_equal(error.item_index, BAD);
    assert_int_equal(atomic_load(&self.runs), COUNT - 1);
    self.fail_at = -1;
    docket_result *result = NULL;
    assert_status(DOCKET_OK, run(graph, numbers, COUNT, DOCKET_STOP, &result, &error));
    assert_int_equal(atomic_load(&self.runs), COUNT);
    assert_int_equal(DOCKET_RESULT(result, Sum)->value, 3 * COUNT * (COUNT - 1) / 2);
    docket_result_free(result);
    docket_graph_free(graph);
}

/* ---- Death ---- */

/* A child works on a large batch and prints nothing; it is killed. What it had recorded is counted by the store. */
static int work(const char *url, long count)
{
    docket_store *store = NULL;
    docket_error error;
    if (docket_store_open(&store, url, NULL, &error) != DOCKET_OK) {
        return 1;
    }
    desk self = {.fail_at = -1};
    docket_graph *graph = make(&self, store);
    Number *numbers = calloc((size_t)count, sizeof *numbers);
    for (long i = 0; i < count; i++) {
        numbers[i].value = i;
    }
    return run(graph, numbers, (size_t)count, DOCKET_STOP, NULL, &error) == DOCKET_OK ? 0 : 2;
}

static bool count_entry(void *arg, const docket_checkpoint *entry)
{
    (void)entry;
    ++*(long *)arg;
    return true;
}

static long recorded(docket_store *store)
{
    long count = 0;
    docket_error error;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "draw"};
    assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, count_entry, &count, &error));
    return count;
}

static void a_killed_batch_resumes(void **state)
{
    site *at = *state;
    long count = site_count(5000, 100000);
    uint64_t seed = site_seed();
    char digits[24];
    snprintf(digits, sizeof digits, "%ld", count);
    long before = 0;
    for (int kill_number = 0; kill_number < 4; kill_number++) {
        pid_t child = child_start(NULL, CHILD_ARGUMENTS("work", at->url, digits));
        int64_t delay_ms = 30 + (int64_t)(site_random(&seed) % 150);
        nanosleep(&(struct timespec){.tv_nsec = (long)(delay_ms * 1000000)}, NULL);
        kill(child, SIGKILL);
        int ended = child_wait(child, 60000);
        assert_true(ended == -SIGKILL || ended == 0);
        docket_store *store = site_open(at, NULL);
        long now = recorded(store);
        assert_true(now >= before);
        before = now;
        site_close(at);
    }
    docket_store *store = site_open(at, NULL);
    desk self = {.fail_at = -1};
    docket_graph *graph = make(&self, store);
    Number *numbers = calloc((size_t)count, sizeof *numbers);
    assert_non_null(numbers);
    for (long i = 0; i < count; i++) {
        numbers[i].value = i;
    }
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK, run(graph, numbers, (size_t)count, DOCKET_STOP, &result, &error));
    assert_int_equal(atomic_load(&self.runs), count - before);
    assert_int_equal(DOCKET_RESULT(result, Sum)->value, 3 * count * (count - 1) / 2);
    assert_int_equal(DOCKET_RESULT(result, Sum)->count, count);
    docket_result_free(result);
    docket_graph_free(graph);
    free(numbers);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "work") == 0) {
        return work(argv[2], strtol(argv[3], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(f19_equal_items_are_computed_once),
        SITE_EACH_STORE(f31_a_repaired_batch_does_what_is_missing),
        SITE_SQLITE(a_killed_batch_resumes),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
