/* Levels: expand, aggregate, fold, and what may not meet. */
#include "support/site.h"

#include <string.h>

DOCKET_STRUCT(Range, (INT64, from), (INT64, to));
DOCKET_STRUCT(Number, (INT64, value));
DOCKET_STRUCT(Square, (INT64, value));
DOCKET_STRUCT(Trace, (STRING, text));
DOCKET_STRUCT(Total, (INT64, value), (INT64, count));
DOCKET_STRUCT(Rest, (INT64, value));
DOCKET_STRUCT(RestTotal, (INT64, value));
DOCKET_STRUCT(Other, (INT64, value));
DOCKET_STRUCT(Both, (INT64, value));

static int failing_attempts;
static int expansions;

static docket_status count_up(docket_ctx *ctx, const Range *range)
{
    expansions++;
    for (int64_t i = range->from; i < range->to; i++) {
        docket_status status = docket_emit(ctx, &(Number){.value = i});
        if (status != DOCKET_OK) {
            return status;
        }
        if (expansions <= failing_attempts && i == range->from + 2) {
            return docket_fail(ctx, 1, "broke off");
        }
    }
    return range->to < range->from ? docket_absent(ctx, "an empty range") : DOCKET_OK;
}
DOCKET_EXPAND(count_up, Number, Range);

static docket_status square(docket_ctx *ctx, Square *out, const Number *number)
{
    (void)ctx;
    out->value = number->value * number->value;
    return DOCKET_OK;
}
DOCKET_STEP(square, Square, Number);

/* Shows the order in which the items come. */
static docket_status trace(docket_ctx *ctx, Trace *out, const Square *square_value)
{
    out->text = docket_printf(ctx, "%s %lld", out->text == NULL ? "" : out->text, (long long)square_value->value);
    return DOCKET_OK;
}
DOCKET_FOLD(trace, Trace, Square);

static docket_status add_up(docket_ctx *ctx, Total *out, const Square *const *squares, size_t count)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        out->value += squares[i]->value;
    }
    out->count = (int64_t)count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(add_up, Total, Square);

static docket_status subtract(docket_ctx *ctx, Rest *out, const Square *one, const Total *total)
{
    (void)ctx;
    out->value = total->value - one->value;
    return DOCKET_OK;
}
DOCKET_STEP(subtract, Rest, Square, Total);

static docket_status add_rests(docket_ctx *ctx, RestTotal *out, const Rest *const *rests, size_t count)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        out->value += rests[i]->value;
    }
    return DOCKET_OK;
}
DOCKET_AGGREGATE(add_rests, RestTotal, Rest);

static docket_status count_others(docket_ctx *ctx, const Total *total)
{
    for (int64_t i = 0; i < total->count; i++) {
        docket_status status = docket_emit(ctx, &(Other){.value = i});
        if (status != DOCKET_OK) {
            return status;
        }
    }
    return DOCKET_OK;
}
DOCKET_EXPAND(count_others, Other, Total);

static docket_status join_both(docket_ctx *ctx, Both *out, const Number *number, const Other *other)
{
    (void)ctx;
    out->value = number->value + other->value;
    return DOCKET_OK;
}
DOCKET_STEP(join_both, Both, Number, Other);

static docket_graph *make(docket_pool *pool, docket_store *store, docket_step_options options)
{
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool, .store = store};
    docket_graph *graph = docket_graph_new("numbers", &graph_options);
    options.struct_size = sizeof options;
    failing_attempts = expansions = 0;
    assert_status(DOCKET_OK, docket_graph_add_all(
                                 graph, &options,
                                 DOCKET_STEPS(count_up, square, trace, add_up, subtract, add_rests, count_others)));
    docket_error error;
    docket_status status = docket_graph_validate(graph, &error);
    assert_string_equal(error.message, "");
    assert_status(DOCKET_OK, status);
    return graph;
}

static docket_status run(docket_graph *graph, int64_t count, size_t window, docket_result **result,
                         docket_error *error)
{
    const Range range = {.from = 0, .to = count};
    return docket_execute(graph,
                          &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "levels", .window = window,
                                            DOCKET_OUTPUTS(Trace, RestTotal, Other),
                                            DOCKET_INPUTS(DOCKET_IN(Range, &range))},
                          result, error);
}

/* The sums over 0 .. n - 1 of i², and over all items of the sum without it. */
static void assert_sums(const docket_result *result, int64_t count)
{
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        total += i * i;
    }
    assert_int_equal(DOCKET_RESULT(result, Total)->value, total);
    assert_int_equal(DOCKET_RESULT(result, Total)->count, count);
    assert_int_equal(DOCKET_RESULT(result, RestTotal)->value, total * count - total);
    assert_int_equal(docket_result_item_count(result, DOCKET_OF(Other)), (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(DOCKET_RESULT_ITEM(result, Other, (size_t)i)->value, i);
        assert_int_equal(DOCKET_RESULT_ITEM(result, Rest, (size_t)i)->value, total - i * i);
    }
}

/* One expand, a fold, an aggregate, steps behind it, and another expand behind that: on pools of all kinds. */
static void a_whole_walk(void **state)
{
    (void)state;
    static const int threads[] = {0, 1, 2, 8};
    static const size_t windows[] = {1, 2, 7, 0};
    for (size_t i = 0; i < 4; i++) {
        docket_pool *pool = docket_pool_new(threads[i]);
        docket_graph *graph = make(pool, NULL, (docket_step_options){0});
        for (size_t k = 0; k < 4; k++) {
            docket_error error;
            docket_result *result = NULL;
            docket_status status = run(graph, 100, windows[k], &result, &error);
            assert_string_equal(error.message, "");
            assert_status(DOCKET_OK, status);
            assert_sums(result, 100);
            assert_true(strncmp(DOCKET_RESULT(result, Trace)->text, " 0 1 4 9 16 25 36 49", 20) == 0);
            docket_result_free(result);
        }
        docket_graph_free(graph);
        docket_pool_free(pool);
    }
}

static void nothing_expanded(void **state)
{
    (void)state;
    docket_graph *graph = make(NULL, NULL, (docket_step_options){0});
    docket_error error;
    docket_result *result = NULL;
    assert_status(DOCKET_OK, run(graph, 0, 0, &result, &error));
    assert_sums(result, 0);
    docket_result_free(result);
    assert_status(DOCKET_OK, run(graph, -5, 0, &result, &error)); /* the step says that there is nothing */
    assert_sums(result, 0);
    docket_result_free(result);
    docket_graph_free(graph);
}

/* What a failed attempt has made never was. */
static void an_expand_is_tried_again(void **state)
{
    (void)state;
    docket_graph *graph = make(NULL, NULL, (docket_step_options){.max_attempts = 3});
    docket_error error;
    docket_result *result = NULL;
    failing_attempts = 2;
    assert_status(DOCKET_OK, run(graph, 50, 0, &result, &error));
    assert_sums(result, 50);
    assert_int_equal(expansions, 3);
    docket_result_free(result);
    docket_graph_free(graph);
    graph = make(NULL, NULL, (docket_step_options){0});
    failing_attempts = 1;
    assert_status(DOCKET_FAILED, run(graph, 50, 0, NULL, &error));
    assert_string_equal(error.step, "count_up");
    assert_int_equal(error.item_index, -1);
    docket_graph_free(graph);
}

/* Everything is recorded, what was expanded too: the second time nothing runs. */
static void an_expand_is_recorded(void **state)
{
    site *at = *state;
    docket_graph *graph = make(NULL, site_open(at, NULL), (docket_step_options){.scope = DOCKET_SCOPE_WORKFLOW});
    docket_error error;
    docket_result *result = NULL;
    docket_status status = run(graph, 300, 0, &result, &error);
    assert_string_equal(error.message, "");
    assert_status(DOCKET_OK, status);
    assert_sums(result, 300);
    assert_int_equal(expansions, 1);
    docket_result_free(result);
    docket_graph_free(graph);
    site_close(at);
    graph = make(NULL, site_open(at, NULL), (docket_step_options){.scope = DOCKET_SCOPE_WORKFLOW});
    assert_status(DOCKET_OK, run(graph, 300, 0, &result, &error));
    assert_sums(result, 300);
    assert_int_equal(expansions, 0);
    assert_int_equal(docket_result_state(result, DOCKET_OF(Total)), DOCKET_VALUE_RESTORED);
    docket_result_free(result);
    docket_graph_free(graph);
}

/* ---- Refusals ---- */

static void items_of_two_expands_are_not_joined(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("joins", NULL);
    docket_error error;
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(count_up, square, add_up, count_others, join_both));
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_contains(error.message, "count_up");
    assert_contains(error.message, "count_others");
    assert_string_equal(error.step, "join_both");
    docket_graph_free(graph);
}

DOCKET_STRUCT(Digit, (INT64, value));
static docket_status split(docket_ctx *ctx, const Number *number)
{
    return docket_emit(ctx, &(Digit){.value = number->value % 10});
}
DOCKET_EXPAND(split, Digit, Number);

static void nothing_expands_within_a_level(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("within", NULL);
    docket_error error;
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(count_up, split));
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_contains(error.message, "split");
    assert_contains(error.message, "count_up");
    docket_graph_free(graph);
    /* The same by a request: the graph alone is fine. */
    graph = docket_graph_new("within", NULL);
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(split));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    const Number numbers[2] = {{.value = 11}, {.value = 22}};
    assert_status(DOCKET_INVALID, docket_execute(graph,
                                                 &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Digit),
                                                                   DOCKET_INPUTS(DOCKET_ITEMS(Number, numbers, 2))},
                                                 NULL, &error));
    assert_contains(error.message, "split");
    docket_graph_free(graph);
}

static docket_status emits_without_right(docket_ctx *ctx, Square *out, const Number *number)
{
    out->value = docket_emit(ctx, number);
    return DOCKET_OK;
}
DOCKET_STEP(emits_without_right, Square, Number);

static void only_an_expand_emits(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("emits", NULL);
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(emits_without_right));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_result *result = NULL;
    const Number number = {.value = 1};
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Square),
                                                              DOCKET_INPUTS(DOCKET_IN(Number, &number))},
                                            &result, NULL));
    assert_int_equal(DOCKET_RESULT(result, Square)->value, DOCKET_STATE);
    docket_result_free(result);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_walk),
        cmocka_unit_test(nothing_expanded),
        cmocka_unit_test(an_expand_is_tried_again),
        SITE_EACH_STORE(an_expand_is_recorded),
        cmocka_unit_test(items_of_two_expands_are_not_joined),
        cmocka_unit_test(nothing_expands_within_a_level),
        cmocka_unit_test(only_an_expand_emits),
    };
    return cmocka_run_group_tests_name("levels", tests, NULL, NULL);
}
