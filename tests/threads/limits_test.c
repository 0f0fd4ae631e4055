/* The numbers that docket promises to bear: a million executions without growth, a chain of a hundred thousand steps, a
 * recorded chain of two thousand, values of 64 MiB and not a byte more. Sanitized builds take smaller counts. */
#include "support/numbers.h"
#include "support/site.h"
#include "threads/count.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DOCKET_STRUCT(Raw, (STRING, source));
DOCKET_STRUCT(Ingested, (STRING, text));
DOCKET_STRUCT(Processed, (INT64, letters));
DOCKET_STRUCT(Enriched, (INT64, score));
DOCKET_STRUCT(Size, (UINT64, bytes));
DOCKET_BLOB(Load);

static docket_status ingest(docket_ctx *ctx, Ingested *out, const Raw *raw)
{
    out->text = docket_printf(ctx, "ingested_%s", raw->source);
    return DOCKET_OK;
}
DOCKET_STEP(ingest, Ingested, Raw);

static docket_status process(docket_ctx *ctx, Processed *out, const Ingested *ingested)
{
    (void)ctx;
    out->letters = (int64_t)strlen(ingested->text);
    return DOCKET_OK;
}
DOCKET_STEP(process, Processed, Ingested);

static docket_status enrich(docket_ctx *ctx, Enriched *out, const Processed *processed)
{
    (void)ctx;
    out->score = processed->letters * 100;
    return DOCKET_OK;
}
DOCKET_STEP(enrich, Enriched, Processed);

static void execute_many(docket_graph *graph, long count)
{
    const Raw raw = {.source = "test_data"};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Enriched),
                                    DOCKET_INPUTS(DOCKET_IN(Raw, &raw))};
    for (long i = 0; i < count; i++) {
        docket_result *result = NULL;
        assert_status(DOCKET_OK, docket_execute(graph, &request, &result, NULL));
        assert_int_equal(DOCKET_RESULT(result, Enriched)->score, 1800);
        docket_result_free(result);
    }
}

static void test_million(void **state)
{
    (void)state;
    enum { WARM_UP = 10000, MOST_GROWTH_KIB = 256 };
    long count = site_count(1000000, 20000000) / COUNT_SLOW;
    docket_graph *graph = docket_graph_new("million", NULL);
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(ingest, process, enrich));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    execute_many(graph, WARM_UP);
    size_t blocks = count_blocks();
    size_t bytes = count_bytes();
    long resident_kib = count_resident_kib();
    execute_many(graph, count);
    assert_int_equal(count_blocks(), blocks);
    assert_int_equal(count_bytes(), bytes);
    long growth_kib = count_resident_kib() - resident_kib;
    print_message("%ld executions, %zu blocks and %zu bytes held, resident memory %ld KiB, grown by %ld KiB\n",
                  count, blocks, bytes, resident_kib, growth_kib);
    if (COUNT_SANITIZED == 0) { /* else freed memory is kept back on purpose */
        assert_true(growth_kib <= MOST_GROWTH_KIB);
    }
    docket_graph_free(graph);
}

static int64_t run_chain(docket_graph *graph, const numbers *all, const char *id, docket_status expected)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const int64_t first = 0;
    const docket_input input = {.type = &all->types[0], .value = &first};
    const docket_type *last = &all->types[all->count - 1];
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = id, .output = last, .inputs = &input,
                                    .input_count = 1};
    docket_status status = docket_execute(graph, &request, &result, &error);
    if (status != expected) {
        fail_msg("%s: %s", docket_status_name(status), error.message);
    }
    const int64_t *value = docket_result_value(result, last);
    int64_t number = value == NULL ? -1 : *value;
    docket_result_free(result);
    return number;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void test_long_chain(void **state)
{
    (void)state;
    enum { STEPS = 100000 };
    numbers all = numbers_chain(STEPS + 1);
    docket_graph *graph = docket_graph_new("chain", NULL);
    assert_status(DOCKET_OK, numbers_add(&all, 1, graph, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    const docket_step_info **steps = NULL;
    size_t count = 0;
    assert_status(DOCKET_OK, docket_graph_plan(graph, &all.types[STEPS], &steps, &count, NULL));
    assert_int_equal(count, STEPS);
    assert_string_equal(steps[0]->name, "n1");
    assert_string_equal(steps[STEPS - 1]->name, "n100000");
    docket_free(steps);
    char *pictures[] = {docket_graph_dot(graph), docket_graph_mermaid(graph)};
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(pictures[i]);
        assert_true(count_lines(pictures[i]) > STEPS);
        docket_free(pictures[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_chain(graph, &all, NULL, DOCKET_OK), STEPS);
    }
    docket_graph_free(graph);
    numbers_free(&all);
}

static bool count_one(void *arg, const docket_checkpoint *checkpoint)
{
    (void)checkpoint;
    *(size_t *)arg += 1;
    return true;
}

static void test_recorded_chain(void **state)
{
    site *here = *state;
    enum { STEPS = 2000 };
    const docket_store_options durability = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    docket_store *store = site_open(here, &durability);
    numbers all = numbers_chain(STEPS + 1);
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = docket_graph_new("chain", &options);
    assert_status(DOCKET_OK, numbers_add(&all, 1, graph, &recorded));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "long"};
        assert_int_equal(run_chain(graph, &all, "long", DOCKET_OK), STEPS);
        assert_status(DOCKET_OK, docket_checkpoint_list(store, &filter, count_one, &count, NULL));
        assert_int_equal(count, STEPS);
    }
    docket_graph_free(graph);
    numbers_free(&all);
}

typedef struct loader {
    uint64_t bytes; /* to make */
    atomic_int runs;
} loader;

static docket_status make_load(docket_ctx *ctx, Load *out)
{
    loader *self = docket_ctx_user(ctx);
    atomic_fetch_add(&self->runs, 1);
    uint8_t *bytes = docket_alloc(ctx, self->bytes);
    if (bytes == NULL) {
        return DOCKET_NO_MEMORY;
    }
    bytes[self->bytes - 1] = 7;
    *out = (Load){bytes, self->bytes};
    return DOCKET_OK;
}
DOCKET_STEP(make_load, Load);

static docket_status weigh(docket_ctx *ctx, Size *out, const Load *load)
{
    (void)ctx;
    out->bytes = load->size;
    return load->data[load->size - 1] == 7 ? DOCKET_OK : DOCKET_FAILED;
}
DOCKET_STEP(weigh, Size, Load);

static docket_graph *load_graph(docket_store *store, loader *user)
{
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW, .user = user,
                                          .max_attempts = 3};
    docket_graph *graph = docket_graph_new("load", &options);
    docket_graph_add_all(graph, &recorded, DOCKET_STEPS(make_load, weigh));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static void test_large_value(void **state)
{
    site *here = *state;
    const uint64_t limit = UINT64_C(64) << 20;
    loader user = {.bytes = limit};
    docket_graph *graph = load_graph(site_open(here, NULL), &user);
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "fits", .output = DOCKET_OF(Size)};
    for (int i = 0; i < 2; i++) {
        if (docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
            fail_msg("%s: %s", docket_status_name(error.status), error.message);
        }
        assert_true(DOCKET_RESULT(result, Size)->bytes == limit);
        docket_result_free(result);
        assert_int_equal(atomic_load(&user.runs), 1);
    }
    user.bytes = limit + 1;
    atomic_store(&user.runs, 0);
    request.execution_id = "does-not-fit";
    assert_status(DOCKET_TOO_LARGE, docket_execute(graph, &request, &result, &error));
    docket_result_free(result);
    assert_int_equal(atomic_load(&user.runs), 1);
    assert_contains(error.message, "67108865");
    assert_contains(error.message, "67108864");
    assert_string_equal(error.step, "make_load");
    size_t count = 0;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "does-not-fit"};
    assert_status(DOCKET_OK, docket_checkpoint_list(here->store, &filter, count_one, &count, NULL));
    assert_int_equal(count, 0);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_long_chain),
        SITE_EACH_STORE(test_recorded_chain),
        SITE_EACH_STORE(test_large_value),
    };
    count_install();
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
