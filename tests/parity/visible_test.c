/* What the reference shows without a test of its own, and what it gets wrong beside keys, stores and threads. */
#include "support/check.h"
#include "support/run.h"

#include <string.h>
#include <unistd.h>

DOCKET_STRUCT(A, (INT32, value));
DOCKET_STRUCT(B, (INT32, value));
DOCKET_STRUCT(C, (INT32, value));
DOCKET_STRUCT(D, (INT32, value));
DOCKET_STRUCT(E, (INT32, value));

static docket_status make_b(docket_ctx *ctx, B *out, const A *a)
{
    entries_enter(docket_ctx_user(ctx));
    out->value = a->value + 1;
    return DOCKET_OK;
}
DOCKET_STEP(make_b, B, A);

static docket_status make_c(docket_ctx *ctx, C *out, const A *a)
{
    entries_enter(docket_ctx_user(ctx));
    out->value = a->value + 10;
    return DOCKET_OK;
}
DOCKET_STEP(make_c, C, A);

static docket_status make_d(docket_ctx *ctx, D *out, const B *b, const C *c)
{
    entries_enter(docket_ctx_user(ctx));
    out->value = b->value + c->value;
    return DOCKET_OK;
}
DOCKET_STEP(make_d, D, B, C);

static docket_status make_e(docket_ctx *ctx, E *out, const D *d, const LC *letters)
{
    entries_enter(docket_ctx_user(ctx));
    out->value = d->value + letters->count;
    return DOCKET_OK;
}
DOCKET_STEP(make_e, E, D, LC);

static docket_graph *graph_of_letters(entries *seen)
{
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = seen};
    return graph_of(NULL, &options, DOCKET_STEPS(make_e, make_d, make_c, make_b));
}

static void n_01_only_what_is_needed_runs(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_graph *graph = graph_of_letters(&seen);
    A a = {.value = 1};
    docket_input input = DOCKET_IN(A, &a);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(C), .inputs = &input, .input_count = 1};
    outcome of = run(graph, &request);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, C)->value, 11);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(B)), DOCKET_VALUE_NOT_REACHED);
    assert_null(DOCKET_RESULT(of.result, B));
    assert_int_equal(seen.runs, 1);
    outcome_free(&of);
    request.output = DOCKET_OF(D);
    of = run(graph, &request);
    assert_int_equal(DOCKET_RESULT(of.result, D)->value, 13);
    assert_int_equal(seen.runs, 4);
    outcome_free(&of);
    docket_graph_free(graph);
}

static docket_status say_name(docket_ctx *ctx, LC *out)
{
    out->original = docket_strdup(ctx, docket_ctx_step_name(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(say_name, LC);

static void n_06_a_step_is_called_like_its_function_or_as_told(void **state)
{
    (void)state;
    char name[] = "told";
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = name};
    docket_graph *graphs[] = {graph_of_one(NULL, &say_name_step, NULL),
                              graph_of_one(NULL, &say_name_step, &options)};
    memset(name, 'x', 4); /* it was copied */
    for (int i = 0; i < 2; i++) {
        outcome of = run_letters(graphs[i], NULL, NULL);
        assert_string_equal(DOCKET_RESULT(of.result, LC)->original, i == 0 ? "say_name" : "told");
        assert_string_equal(docket_graph_step(graphs[i], 0)->name, i == 0 ? "say_name" : "told");
        outcome_free(&of);
        docket_graph_free(graphs[i]);
    }
}

static docket_status nap(docket_ctx *ctx, LC *out)
{
    out->count = 1;
    return docket_sleep(ctx, 60000);
}
DOCKET_STEP(nap, LC);

static void n_11_the_earlier_of_two_limits_wins(void **state)
{
    (void)state;
    static const int64_t limits_ms[][2] = {{20, 3600000},   {3600000, 20}, {20, 20},
                                           {20, INT64_MAX}, {20, 0},       {0, 20}};
    for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++) {
        docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .time_limit_ms = limits_ms[i][0]};
        docket_graph *graph = graph_of_one(&options, &nap_step, NULL);
        docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), .time_limit_ms = limits_ms[i][1]};
        assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
        docket_graph_free(graph);
    }
}

static docket_status fail_with_all(docket_ctx *ctx, LC *out)
{
    (void)out;
    docket_cause(ctx, "the cause");
    return docket_fail(ctx, 1, "the message");
}
DOCKET_STEP(fail_with_all, LC);

static void n_15_an_error_is_one_line(void **state)
{
    (void)state;
    char line[1000];
    docket_graph *graph = graph_of_one(NULL, &fail_with_all_step, NULL);
    outcome of = run_letters(graph, "exec-15", NULL);
    docket_error_format(&of.error, line, sizeof line);
    assert_string_equal(line, "[exec-15] the message (step fail_with_all, type LC, 1 attempt): the cause");
    outcome_free(&of);
    docket_graph_free(graph);
}

static void f_30_an_aggregate_in_a_single_execution_sees_one_item(void **state)
{
    (void)state;
    letters_user user = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &user};
    docket_graph *graph = graph_of_one(NULL, &count_all_letters_step, &options);
    outcome of = run_letters(graph, NULL, "seven..");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 7);
    assert_string_equal(DOCKET_RESULT(of.result, LC)->original, "seven..");
    assert_int_equal(user.runs, 1);
    outcome_free(&of);
    docket_graph_free(graph);
}

DOCKET_STRUCT(Count, (INT64, items), (INT64, sum), (INT32, shared));

static docket_status sum_items(docket_ctx *ctx, Count *out, const B *const *items, size_t count, const A *shared)
{
    (void)ctx;
    out->items = (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        out->sum += items[i]->value;
    }
    out->shared = shared->value;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(sum_items, Count, B, A);

static void f_30_an_aggregate_over_a_made_value_counts_one(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(make_b, sum_items));
    A a = {.value = 5};
    outcome of = run(
        graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Count), DOCKET_INPUTS(DOCKET_IN(A, &a))});
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, Count)->items, 1);
    assert_int_equal(DOCKET_RESULT(of.result, Count)->sum, 6);
    assert_int_equal(DOCKET_RESULT(of.result, Count)->shared, 5);
    outcome_free(&of);
    docket_graph_free(graph);
}

static void f_35_a_missing_leaf_is_reported_before_any_step_runs(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_graph *graph = graph_of_letters(&seen);
    A a = {.value = 1};
    outcome of =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(E), DOCKET_INPUTS(DOCKET_IN(A, &a))});
    assert_status(DOCKET_MISSING, of.status);
    assert_contains(of.error.message, "LC");
    assert_null(of.result);
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
    assert_int_equal(seen.runs, 0);
    docket_graph_free(graph);
}

/* One test per kind of mistake in a request; those of graphs are in validation_test.c. */
static void f_35_every_mistake_in_a_request_has_its_status(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_graph *graph = graph_of_letters(&seen);
    A a = {.value = 1};
    IS stranger = {.value = "nobody needs it"};
    docket_input good = DOCKET_IN(A, &a);
    docket_input no_type = {.type = NULL, .value = &a};
    docket_input no_value = {.type = DOCKET_OF(A), .value = NULL};
    const docket_type *wanted = DOCKET_OF(C);
    const docket_type *none[] = {NULL};
    char long_id[300];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    const struct {
        docket_status status;
        const char *words;
        docket_request request;
    } cases[] = {
        {DOCKET_INVALID, "output", {DOCKET_REQUEST_INIT, .inputs = &good, .input_count = 1}},
        {DOCKET_INVALID, "both", {DOCKET_REQUEST_INIT, .output = wanted, .outputs = &wanted, .output_count = 1}},
        {DOCKET_INVALID, "NULL", {DOCKET_REQUEST_INIT, .outputs = none, .output_count = 1}},
        {DOCKET_INVALID, "NULL", {DOCKET_REQUEST_INIT, .output = wanted, .inputs = &no_type, .input_count = 1}},
        {DOCKET_INVALID, "NULL", {DOCKET_REQUEST_INIT, .output = wanted, .inputs = &no_value, .input_count = 1}},
        {DOCKET_INVALID, "NULL", {DOCKET_REQUEST_INIT, .output = wanted, .input_count = 1}},
        {DOCKET_INVALID, "execution id", {DOCKET_REQUEST_INIT, .output = wanted, .execution_id = ""}},
        {DOCKET_INVALID, "execution id", {DOCKET_REQUEST_INIT, .output = wanted, .execution_id = long_id}},
        {DOCKET_INVALID, "execution id", {DOCKET_REQUEST_INIT, .output = wanted, .execution_id = "a\nb"}},
        {DOCKET_INVALID, "DOCKET_REQUEST_INIT", {.output = wanted}},
        {DOCKET_MISSING, "\"A\"", {DOCKET_REQUEST_INIT, .output = wanted}},
        {DOCKET_MISSING, "\"IS\"", {DOCKET_REQUEST_INIT, .output = DOCKET_OF(IS)}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome of = run(graph, &cases[i].request);
        assert_status(cases[i].status, of.status);
        assert_contains(of.error.message, cases[i].words);
        assert_null(of.result);
    }
    outcome of = run(graph, NULL);
    assert_status(DOCKET_INVALID, of.status);
    of = run(NULL, &cases[0].request);
    assert_status(DOCKET_INVALID, of.status);
    assert_int_equal(seen.runs, 0);
    of = run(graph, &(docket_request){
                        DOCKET_REQUEST_INIT,
                        .output = wanted,
                        DOCKET_INPUTS(good, DOCKET_IN(IS, &stranger)),
                    });
    assert_status(DOCKET_OK, of.status);
    outcome_free(&of);
    docket_graph_free(graph);
}

/* F-39. */

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_ALIAS(RawTitle, Text);
DOCKET_ALIAS(CleanTitle, Text);
DOCKET_ALIAS(RawBody, Text);
DOCKET_ALIAS(CleanBody, Text);
DOCKET_STRUCT(Page, (STRING, title), (STRING, body));

static docket_status clean(docket_ctx *ctx, Text *out, const Text *raw)
{
    out->value = docket_printf(ctx, "clean %s", raw->value);
    return DOCKET_OK;
}
DOCKET_STEP_AS(clean_title, clean, CleanTitle, RawTitle);
DOCKET_STEP_AS(clean_body, clean, CleanBody, RawBody);

static docket_status lay_out(docket_ctx *ctx, Page *out, const CleanTitle *title, const CleanBody *body)
{
    (void)ctx;
    *out = (Page){.title = title->value.value, .body = body->value.value};
    return DOCKET_OK;
}
DOCKET_STEP(lay_out, Page, CleanTitle, CleanBody);

static void f_39_types_of_equal_layout_are_different_types(void **state)
{
    (void)state;
    docket_graph *graph = graph_of(NULL, NULL, DOCKET_STEPS(clean_title, clean_body, lay_out));
    assert_int_equal(docket_graph_leaf_count(graph), 2);
    RawTitle title = {{.value = "title"}};
    RawBody body = {{.value = "body"}};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .output = DOCKET_OF(Page),
                                DOCKET_INPUTS(DOCKET_IN(RawBody, &body), DOCKET_IN(RawTitle, &title)),
                            });
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(DOCKET_RESULT(of.result, Page)->title, "clean title");
    assert_string_equal(DOCKET_RESULT(of.result, Page)->body, "clean body");
    outcome_free(&of);
    docket_graph_free(graph);
}

/* P-127: a failure three executions deep. */

typedef struct layer {
    docket_graph *below;
    bool aborts;
} layer;

DOCKET_STRUCT(Top, (INT32, value));
DOCKET_STRUCT(Middle, (INT32, value));

static docket_status fail_at_the_bottom(docket_ctx *ctx, LC *out)
{
    const layer *self = docket_ctx_user(ctx);
    (void)out;
    docket_cause(ctx, "root cause");
    return self->aborts ? docket_abort(ctx, 77, "bottom aborts") : docket_fail(ctx, 77, "bottom fails");
}
DOCKET_STEP(fail_at_the_bottom, LC);

static docket_status pass_on(docket_ctx *ctx, const docket_type *wanted)
{
    const layer *self = docket_ctx_user(ctx);
    outcome of = run(self->below, &(docket_request){DOCKET_REQUEST_INIT, .output = wanted});
    outcome_free(&of);
    return of.status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &of.error);
}

static docket_status stand_in_the_middle(docket_ctx *ctx, Middle *out)
{
    out->value = 1;
    return pass_on(ctx, DOCKET_OF(LC));
}
DOCKET_STEP(stand_in_the_middle, Middle);

static docket_status stand_on_top(docket_ctx *ctx, Top *out)
{
    out->value = 1;
    return pass_on(ctx, DOCKET_OF(Middle));
}
DOCKET_STEP(stand_on_top, Top);

static void p_127_an_error_survives_several_layers(void **state)
{
    (void)state;
    for (int aborts = 0; aborts <= 1; aborts++) {
        layer bottom = {.aborts = aborts == 1};
        layer middle = {.below = NULL};
        layer top = {.below = NULL};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &bottom, .max_attempts = 2};
        middle.below = graph_of_one(NULL, &fail_at_the_bottom_step, &options);
        options.user = &middle;
        options.max_attempts = 0;
        top.below = graph_of_one(NULL, &stand_in_the_middle_step, &options);
        options.user = &top;
        docket_graph *graph = graph_of_one(NULL, &stand_on_top_step, &options);
        outcome of =
            run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "top", .output = DOCKET_OF(Top)});
        assert_status(aborts ? DOCKET_ABORTED : DOCKET_FAILED, of.status);
        assert_int_equal(of.error.code, 77);
        assert_string_equal(of.error.message, aborts ? "bottom aborts" : "bottom fails");
        assert_string_equal(of.error.cause, "root cause");
        assert_string_equal(of.error.step, "fail_at_the_bottom");
        assert_string_equal(of.error.execution_id, "top/stand_on_top/stand_in_the_middle");
        assert_int_equal(of.error.attempts, aborts ? 1 : 2);
        outcome_free(&of);
        docket_graph_free(graph);
        docket_graph_free(top.below);
        docket_graph_free(middle.below);
    }
}

static int set_alarm(void **state)
{
    (void)state;
    alarm(200);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(n_01_only_what_is_needed_runs),
        cmocka_unit_test(n_06_a_step_is_called_like_its_function_or_as_told),
        cmocka_unit_test(n_11_the_earlier_of_two_limits_wins),
        cmocka_unit_test(n_15_an_error_is_one_line),
        cmocka_unit_test(f_30_an_aggregate_in_a_single_execution_sees_one_item),
        cmocka_unit_test(f_30_an_aggregate_over_a_made_value_counts_one),
        cmocka_unit_test(f_35_a_missing_leaf_is_reported_before_any_step_runs),
        cmocka_unit_test(f_35_every_mistake_in_a_request_has_its_status),
        cmocka_unit_test(f_39_types_of_equal_layout_are_different_types),
        cmocka_unit_test(p_127_an_error_survives_several_layers),
    };
    return cmocka_run_group_tests(tests, set_alarm, NULL);
}
