/* The flow of items: how many at once, in what order they leave, and where they come from. */
#include "support/gate.h"
#include "support/site.h"

#include <sys/resource.h>

DOCKET_STRUCT(Number, (INT64, value));
DOCKET_STRUCT(Half, (INT64, value));
DOCKET_STRUCT(Last, (INT64, value));
DOCKET_STRUCT(Sum, (INT64, value), (INT64, count));

typedef struct flow {
    entries inside;
    gate *meeting;   /* NULL = none */
    int64_t fail_at; /* -1 = nowhere */
} flow;

static docket_status halve(docket_ctx *ctx, Half *out, const Number *number)
{
    flow *self = docket_ctx_user(ctx);
    entries_enter(&self->inside);
    bool met = self->meeting == NULL || gate_meet(self->meeting);
    entries_leave(&self->inside);
    if (number->value == self->fail_at || !met) {
        return docket_fail(ctx, 1, "not this one");
    }
    out->value = number->value * 2;
    return DOCKET_OK;
}
DOCKET_STEP(halve, Half, Number);

static docket_status finish(docket_ctx *ctx, Last *out, const Half *half)
{
    (void)ctx;
    out->value = half->value + 1;
    return DOCKET_OK;
}
DOCKET_STEP(finish, Last, Half);

static docket_status add_up(docket_ctx *ctx, Sum *out, const Last *last)
{
    (void)ctx;
    out->value += last->value;
    out->count++;
    return DOCKET_OK;
}
DOCKET_FOLD(add_up, Sum, Last);

static docket_graph *make(flow *self, docket_pool *pool, docket_step_options options)
{
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_graph *graph = docket_graph_new("flow", &graph_options);
    options.struct_size = sizeof options;
    options.user = self;
    docket_graph_add_all(graph, &options, DOCKET_STEPS(halve, finish, add_up));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

enum { COUNT = 200 };

static void fill(Number numbers[COUNT])
{
    for (int64_t i = 0; i < COUNT; i++) {
        numbers[i].value = i;
    }
}

/* As many as the limit says are inside at once, and never more. */
static void a_step_has_a_limit_of_items(void **state)
{
    (void)state;
    enum { LIMIT = 5 };
    gate meeting = GATE_INIT(LIMIT);
    flow self = {.meeting = &meeting, .fail_at = -1};
    Number numbers[COUNT];
    fill(numbers);
    docket_pool *pool = docket_pool_new(16);
    docket_graph *graph = make(&self, pool, (docket_step_options){.max_concurrency = LIMIT, .max_attempts = 2});
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Last),
                                                              DOCKET_INPUTS(DOCKET_ITEMS(Number, numbers, COUNT))},
                                            NULL, NULL));
    assert_int_equal(atomic_load(&self.inside.runs), COUNT);
    assert_int_equal(atomic_load(&self.inside.most), LIMIT);
    docket_graph_free(graph);
    docket_pool_free(pool);
}

/* Without a limit as many as the window. */
static void a_window_bounds_what_is_under_way(void **state)
{
    (void)state;
    enum { WINDOW = 7 };
    gate meeting = GATE_INIT(WINDOW);
    flow self = {.meeting = &meeting, .fail_at = -1};
    Number numbers[COUNT];
    fill(numbers);
    docket_pool *pool = docket_pool_new(16);
    docket_graph *graph = make(&self, pool, (docket_step_options){.max_concurrency = -1});
    assert_status(DOCKET_OK,
                  docket_execute(graph,
                                 &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Last), .window = WINDOW,
                                                   DOCKET_INPUTS(DOCKET_ITEMS(Number, numbers, COUNT))},
                                 NULL, NULL));
    assert_int_equal(atomic_load(&self.inside.most), WINDOW);
    docket_graph_free(graph);
    docket_pool_free(pool);
}

static void a_rate_lets_all_pass(void **state)
{
    (void)state;
    flow self = {.fail_at = -1};
    Number numbers[COUNT];
    fill(numbers);
    docket_graph *graph = make(&self, NULL, (docket_step_options){.rate = {.per_second = 10000, .burst = 3}});
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Last),
                                                              DOCKET_INPUTS(DOCKET_ITEMS(Number, numbers, COUNT))},
                                            &result, NULL));
    assert_int_equal(DOCKET_RESULT_ITEM(result, Last, COUNT - 1)->value, 2 * COUNT - 1);
    docket_result_free(result);
    docket_graph_free(graph);
}

static void bad_numbers_are_refused(void **state)
{
    (void)state;
    const docket_step_options bad[] = {
        {DOCKET_STEP_OPTIONS_INIT, .max_concurrency = -2},
        {DOCKET_STEP_OPTIONS_INIT, .rate = {.per_second = -1}},
        {DOCKET_STEP_OPTIONS_INIT, .rate = {.burst = 3}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        docket_graph *graph = docket_graph_new("bad", NULL);
        assert_status(DOCKET_INVALID, docket_graph_add(graph, &halve_step, &bad[i]));
        docket_graph_free(graph);
    }
}

/* ---- Streams ---- */

typedef struct stream {
    int64_t next, count;
    int64_t fail_at;
    int64_t done; /* of item_done */
    bool in_order, has_values;
    bool called_at_once;
    atomic_int inside;
} stream;

static docket_status next_number(void *arg, void *item, docket_error *error)
{
    stream *self = arg;
    if (atomic_fetch_add(&self->inside, 1) != 0) {
        self->called_at_once = true;
    }
    docket_status status = self->next < self->count ? DOCKET_OK : DOCKET_ABSENT;
    if (self->next == self->fail_at) {
        status = docket_error_set(error, DOCKET_FAILED, "the file ends in the middle of a line");
    }
    ((Number *)item)->value = self->next++;
    atomic_fetch_sub(&self->inside, 1);
    return status;
}

static void note_done(void *arg, docket_item item)
{
    stream *self = arg;
    const Last *last = DOCKET_ITEM(item, Last);
    self->in_order = self->in_order && (int64_t)item.index == self->done;
    self->has_values = self->has_values && last != NULL && last->value == 2 * self->done + 1;
    self->done++;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Sanitizers keep freed memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURES_MEMORY false
#elif defined(__has_feature)
#define MEASURES_MEMORY !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define MEASURES_MEMORY true
#endif

/* Items that nobody holds all at once. */
static void a_stream_passes_in_order_and_in_little_memory(void **state)
{
    (void)state;
    flow self = {.fail_at = -1};
    stream numbers = {.count = site_count(200000, 10000000), .fail_at = -1, .in_order = true, .has_values = true};
    const docket_item_source source = {next_number, &numbers};
    docket_pool *pool = docket_pool_new(4);
    docket_graph *graph = make(&self, pool, (docket_step_options){0});
    docket_result *result = NULL;
    long before_kib = peak_kib();
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, DOCKET_OUTPUTS(Sum, Last),
                                                              .item_done = note_done, .item_arg = &numbers,
                                                              DOCKET_INPUTS(DOCKET_ITEM_SOURCE(Number, &source))},
                                            &result, NULL));
    assert_true(!MEASURES_MEMORY || peak_kib() - before_kib < 16 * 1024);
    assert_int_equal(numbers.done, numbers.count);
    assert_true(numbers.in_order);
    assert_true(numbers.has_values);
    assert_false(numbers.called_at_once);
    assert_int_equal(DOCKET_RESULT(result, Sum)->count, numbers.count);
    assert_int_equal(DOCKET_RESULT(result, Sum)->value, numbers.count * numbers.count);
    docket_result_free(result);
    docket_graph_free(graph);
    docket_pool_free(pool);
}

static void a_source_may_fail(void **state)
{
    (void)state;
    flow self = {.fail_at = -1};
    stream numbers = {.count = 1000, .fail_at = 500};
    const docket_item_source source = {next_number, &numbers};
    docket_graph *graph = make(&self, NULL, (docket_step_options){0});
    docket_error error;
    assert_status(DOCKET_FAILED,
                  docket_execute(graph,
                                 &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Sum),
                                                   DOCKET_INPUTS(DOCKET_ITEM_SOURCE(Number, &source))},
                                 NULL, &error));
    assert_contains(error.message, "in the middle of a line");
    docket_graph_free(graph);
}

static void a_stream_stops_at_a_failure(void **state)
{
    (void)state;
    flow self = {.fail_at = 300};
    stream numbers = {.count = 1000000, .fail_at = -1, .in_order = true, .has_values = true};
    const docket_item_source source = {next_number, &numbers};
    docket_graph *graph = make(&self, NULL, (docket_step_options){0});
    docket_error error;
    assert_status(
        DOCKET_FAILED,
        docket_execute(graph,
                       &(docket_request){DOCKET_REQUEST_INIT, DOCKET_OUTPUTS(Sum, Last), .item_done = note_done,
                                         .item_arg = &numbers, DOCKET_INPUTS(DOCKET_ITEM_SOURCE(Number, &source))},
                       NULL, &error));
    assert_int_equal(error.item_index, 300);
    assert_true(numbers.done <= 300);
    assert_true(numbers.in_order);
    assert_true(numbers.next < 1000000);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_has_a_limit_of_items),
        cmocka_unit_test(a_window_bounds_what_is_under_way),
        cmocka_unit_test(a_rate_lets_all_pass),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(a_stream_passes_in_order_and_in_little_memory),
        cmocka_unit_test(a_source_may_fail),
        cmocka_unit_test(a_stream_stops_at_a_failure),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
