/* Many at once: executions of one graph, steps of one execution, owners and waiters of one key. */
#include "support/check.h"
#include "support/numbers.h"
#include "support/run.h"
#include "support/site.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A step's `user`: counts, and lets entries wait for each other. */
typedef struct bed {
    entries seen;
    gate inside, let_go;
    int failures; /* the first so many entries fail */
} bed;

static docket_status count_slowly(docket_ctx *ctx, LC *out, const IS *in)
{
    bed *by = docket_ctx_user(ctx);
    int entry = entries_enter(&by->seen);
    gate_arrive(&by->inside);
    bool went_on = gate_wait(&by->let_go);
    out->count = (int32_t)strlen(in->value);
    out->original = docket_strdup(ctx, in->value);
    out->target = docket_printf(ctx, "entry %d", entry);
    entries_leave(&by->seen);
    return went_on && entry > by->failures ? DOCKET_OK : docket_fail(ctx, 100 + entry, "entry %d fails", entry);
}
DOCKET_STEP(count_slowly, LC, IS);

/* Callers with the same input, each with an id of its own behind a prefix; without a prefix they share one. */
enum { MOST_CALLERS = 64 };

typedef struct crowd {
    int size;
    IS in;
    docket_input input;
    char ids[MOST_CALLERS][16];
    docket_request requests[MOST_CALLERS];
    caller callers[MOST_CALLERS];
} crowd;

static void crowd_start(crowd *all, int size, docket_graph *graph, const char *id_prefix, const char *text)
{
    all->size = size;
    all->in.value = text;
    all->input = DOCKET_IN(IS, &all->in);
    for (int i = 0; i < size; i++) {
        snprintf(all->ids[i], sizeof all->ids[i], "%s%d", id_prefix, id_prefix[0] != '\0' ? i : 0);
        all->requests[i] = (docket_request){
            DOCKET_REQUEST_INIT, .execution_id = all->ids[i], .output = DOCKET_OF(LC), .inputs = &all->input,
            .input_count = 1,
        };
        caller_start(&all->callers[i], graph, &all->requests[i]);
    }
}

static void crowd_free(crowd *all)
{
    for (int i = 0; i < all->size; i++) {
        outcome_free(&all->callers[i].outcome);
    }
}

/* All succeeded; returns how many different results there are (of at most 2). */
static int crowd_join(crowd *all)
{
    int different = 1;
    const LC *first = NULL;
    for (int i = 0; i < all->size; i++) {
        assert_status(DOCKET_OK, caller_join(&all->callers[i])->status);
        const LC *value = DOCKET_RESULT(all->callers[i].outcome.result, LC);
        assert_int_equal(value->count, strlen(all->in.value));
        assert_string_equal(value->original, all->in.value);
        first = first == NULL ? value : first;
        different = strcmp(first->target, value->target) == 0 ? different : 2;
    }
    return different;
}

static void p_104_executions_run_at_once(void **state)
{
    (void)state;
    enum { CALLERS = 10 };
    bed by = {.inside = GATE_INIT(CALLERS), .let_go = GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by};
    docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
    static crowd all;
    crowd_start(&all, CALLERS, graph, "id-", "four");
    assert_true(gate_wait(&by.inside));
    gate_arrive(&by.let_go);
    assert_int_equal(crowd_join(&all), 2);
    assert_int_equal(by.seen.runs, CALLERS);
    assert_int_equal(by.seen.most, CALLERS);
    crowd_free(&all);
    docket_graph_free(graph);
}

static void p_105_executions_of_one_id(void **state)
{
    (void)state;
    bed by = {.inside = GATE_INIT(5), .let_go = GATE_INIT(0)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by};
    docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
    static crowd all;
    crowd_start(&all, 5, graph, "", "four");
    crowd_join(&all);
    assert_int_equal(by.seen.runs, 5);
    crowd_free(&all);
    docket_graph_free(graph);
}

static void share_one_id(site *at, docket_scope scope, int expected_runs)
{
    bed by = {.inside = GATE_INIT(expected_runs), .let_go = GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .scope = scope,
                                   .store = site_open(at, NULL)};
    docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
    static crowd all;
    crowd_start(&all, 3, graph, "", "four");
    assert_true(gate_wait(&by.inside));
    pause_ms(20); /* the others come to wait for the key */
    gate_arrive(&by.let_go);
    assert_int_equal(crowd_join(&all), expected_runs == 1 ? 1 : 2);
    assert_int_equal(by.seen.runs, expected_runs);
    crowd_free(&all);
    docket_graph_free(graph);
}

static void p_106_a_recorded_step_of_one_id_runs_once(void **state)
{
    share_one_id(*state, DOCKET_SCOPE_WORKFLOW, 1);
    share_one_id(*state, DOCKET_SCOPE_GLOBAL, 1);
    share_one_id(*state, DOCKET_SCOPE_NONE, 3);
}

DOCKET_STRUCT(UserID, (INT64, id));
DOCKET_STRUCT(Profile, (STRING, name));
DOCKET_STRUCT(Preferences, (STRING, theme));
DOCKET_STRUCT(EnrichedUser, (STRING, name), (STRING, theme));

static gate both_inside = GATE_INIT(2);
static atomic_int enrichments;

static docket_status load_profile(docket_ctx *ctx, Profile *out, const UserID *user)
{
    (void)user;
    out->name = "User";
    return gate_meet(&both_inside) ? DOCKET_OK : docket_fail(ctx, 1, "alone");
}
DOCKET_STEP(load_profile, Profile, UserID);

static docket_status load_preferences(docket_ctx *ctx, Preferences *out, const UserID *user)
{
    (void)user;
    out->theme = "Dark";
    return gate_meet(&both_inside) ? DOCKET_OK : docket_fail(ctx, 1, "alone");
}
DOCKET_STEP(load_preferences, Preferences, UserID);

static docket_status enrich(docket_ctx *ctx, EnrichedUser *out, const Profile *profile, const Preferences *wishes)
{
    atomic_fetch_add(&enrichments, 1);
    out->name = docket_strdup(ctx, profile->name);
    out->theme = wishes->theme;
    return DOCKET_OK;
}
DOCKET_STEP(enrich, EnrichedUser, Profile, Preferences);

static void p_107_p_109_independent_steps_are_in_flight_at_once(void **state)
{
    (void)state;
    docket_graph *graph = graph_of(NULL, NULL, DOCKET_STEPS(load_profile, load_preferences, enrich));
    UserID user = {.id = 7};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .output = DOCKET_OF(EnrichedUser),
                                DOCKET_INPUTS(DOCKET_IN(UserID, &user)),
                            });
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(gate_arrived(&both_inside), 2);
    assert_int_equal(enrichments, 1);
    assert_string_equal(DOCKET_RESULT(of.result, EnrichedUser)->name, "User");
    assert_string_equal(DOCKET_RESULT(of.result, EnrichedUser)->theme, "Dark");
    outcome_free(&of);
    docket_graph_free(graph);
}

DOCKET_STRUCT(A, (INT32, value));
DOCKET_STRUCT(B, (INT32, value));
DOCKET_STRUCT(C, (INT32, value));
DOCKET_STRUCT(D, (INT32, value));

static docket_status make_b(docket_ctx *ctx, B *out, const A *a)
{
    (void)ctx;
    out->value = a->value;
    return DOCKET_OK;
}
DOCKET_STEP(make_b, B, A);

static docket_status make_c(docket_ctx *ctx, C *out, const A *a)
{
    (void)out;
    return docket_fail(ctx, a->value, "dep2 failed");
}
DOCKET_STEP(make_c, C, A);

static docket_status make_d(docket_ctx *ctx, D *out, const B *b, const C *c)
{
    entries_enter(docket_ctx_user(ctx));
    out->value = b->value + c->value;
    return DOCKET_OK;
}
DOCKET_STEP(make_d, D, B, C);

static void p_108_a_failed_dependency_names_itself(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(make_b, make_c, make_d));
    A a = {.value = 11};
    outcome of =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(D), DOCKET_INPUTS(DOCKET_IN(A, &a))});
    assert_status(DOCKET_FAILED, of.status);
    assert_string_equal(of.error.step, "make_c");
    assert_string_equal(of.error.type, "C");
    assert_string_equal(of.error.message, "dep2 failed");
    assert_int_equal(of.error.code, 11);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(C)), DOCKET_VALUE_FAILED);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(D)), DOCKET_VALUE_NOT_REACHED);
    assert_int_equal(seen.runs, 0);
    outcome_free(&of);
    docket_graph_free(graph);
}

/* F-05, within one process. */

static void f_05_one_computation_per_key_at_a_time(void **state)
{
    static crowd all;
    long rounds = site_count(5, 100);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    for (long round = 0; round < rounds; round++) {
        bed by = {.inside = GATE_INIT(1), .let_go = GATE_INIT(0)};
        char text[32];
        snprintf(text, sizeof text, "round %ld", round);
        options.user = &by;
        docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
        crowd_start(&all, MOST_CALLERS, graph, "id-", text);
        assert_int_equal(crowd_join(&all), 1);
        assert_int_equal(by.seen.runs, 1);
        crowd_free(&all);
        docket_graph_free(graph);
    }
}

static void f_05_after_a_failure_another_takes_over(void **state)
{
    static crowd all;
    bed by = {.inside = GATE_INIT(1), .let_go = GATE_INIT(1), .failures = 1};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
    crowd_start(&all, 16, graph, "id-", "text");
    assert_true(gate_wait(&by.inside));
    pause_ms(20);
    gate_arrive(&by.let_go);
    int failed = 0;
    for (int i = 0; i < all.size; i++) {
        outcome *of = caller_join(&all.callers[i]);
        failed += of->status == DOCKET_FAILED && of->error.code == 101;
        assert_true(of->status == DOCKET_FAILED || of->status == DOCKET_OK);
    }
    assert_int_equal(failed, 1);
    assert_int_equal(by.seen.runs, 2);
    assert_int_equal(by.seen.most, 1);
    crowd_free(&all);
    docket_graph_free(graph);
}

static void f_05_those_that_all_fail_run_one_at_a_time(void **state)
{
    static crowd all;
    bed by = {.inside = GATE_INIT(1), .let_go = GATE_INIT(0), .failures = 1000};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &count_slowly_step, &options);
    crowd_start(&all, 16, graph, "id-", "text");
    for (int i = 0; i < all.size; i++) {
        assert_status(DOCKET_FAILED, caller_join(&all.callers[i])->status);
    }
    assert_int_equal(by.seen.runs, all.size);
    assert_int_equal(by.seen.most, 1);
    crowd_free(&all);
    docket_graph_free(graph);
}

/* F-22: the owner is cancelled, the one who waits for the same key is not. */
static docket_status nap_first(docket_ctx *ctx, LC *out, const IS *in)
{
    bed *by = docket_ctx_user(ctx);
    int entry = entries_enter(&by->seen);
    out->count = (int32_t)strlen(in->value);
    gate_arrive(&by->inside);
    docket_status status = entry == 1 ? docket_sleep(ctx, 60000) : DOCKET_OK;
    entries_leave(&by->seen);
    return status;
}
DOCKET_STEP(nap_first, LC, IS);

static void f_22_a_waiter_is_not_cancelled_with_the_owner(void **state)
{
    bed by = {.inside = GATE_INIT(1), .let_go = GATE_INIT(0)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &nap_first_step, &options);
    IS in = {.value = "text"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_cancel *cancel = docket_cancel_new();
    docket_request owner = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), .inputs = &input, .input_count = 1,
                            .cancel = cancel};
    docket_request waiter = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), .inputs = &input, .input_count = 1};
    caller first, second;
    caller_start(&first, graph, &owner);
    assert_true(gate_wait(&by.inside));
    caller_start(&second, graph, &waiter);
    pause_ms(20);
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&first)->status);
    assert_status(DOCKET_OK, caller_join(&second)->status);
    assert_int_equal(DOCKET_RESULT(second.outcome.result, LC)->count, 4);
    assert_int_equal(by.seen.runs, 2);
    outcome_free(&first.outcome);
    outcome_free(&second.outcome);
    docket_cancel_free(cancel);
    docket_graph_free(graph);
}

DOCKET_STRUCT(Slow, (INT32, value));
DOCKET_STRUCT(Quick, (INT32, value));
DOCKET_STRUCT(Sum, (INT32, value));

static docket_status be_slow(docket_ctx *ctx, Slow *out)
{
    out->value = 1;
    return docket_sleep(ctx, 60000);
}
DOCKET_STEP(be_slow, Slow);

static docket_status fail_quickly(docket_ctx *ctx, Quick *out)
{
    (void)out;
    return docket_fail(ctx, 22, "the cause");
}
DOCKET_STEP(fail_quickly, Quick);

static docket_status add_up(docket_ctx *ctx, Sum *out, const Slow *slow, const Quick *quick)
{
    (void)ctx;
    out->value = slow->value + quick->value;
    return DOCKET_OK;
}
DOCKET_STEP(add_up, Sum, Slow, Quick);

static void f_22_the_first_cause_is_reported(void **state)
{
    (void)state;
    docket_graph *graph = graph_of(NULL, NULL, DOCKET_STEPS(be_slow, fail_quickly, add_up));
    docket_request plain = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Sum)};
    docket_request limited = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Sum), .time_limit_ms = 3600000};
    long rounds = site_count(1000, 100000);
    for (long round = 0; round < rounds; round++) {
        outcome of = run(graph, round % 2 == 0 ? &plain : &limited);
        assert_status(DOCKET_FAILED, of.status);
        assert_int_equal(of.error.code, 22);
        assert_string_equal(of.error.step, "fail_quickly");
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

/* F-20. */

DOCKET_STRUCT(Large, (LIST(INT32), numbers));
DOCKET_STRUCT(Forward, (INT64, sum));
DOCKET_STRUCT(Backward, (INT64, sum));
DOCKET_STRUCT(Pair, (INT64, forward), (INT64, backward));

static gate summing = GATE_INIT(2);
static gate scribbled = GATE_INIT(1);

static docket_status sum_forward(docket_ctx *ctx, Forward *out, const Large *in)
{
    if (!gate_meet(&summing) || !gate_wait(&scribbled)) {
        return docket_fail(ctx, 1, "alone");
    }
    for (size_t i = 0; i < in->numbers_count; i++) {
        out->sum += in->numbers[i];
    }
    return DOCKET_OK;
}
DOCKET_STEP(sum_forward, Forward, Large);

static docket_status sum_backward(docket_ctx *ctx, Backward *out, const Large *in)
{
    if (!gate_meet(&summing) || !gate_wait(&scribbled)) {
        return docket_fail(ctx, 1, "alone");
    }
    for (size_t i = in->numbers_count; i > 0; i--) {
        out->sum += in->numbers[i - 1];
    }
    return DOCKET_OK;
}
DOCKET_STEP(sum_backward, Backward, Large);

static docket_status pair_up(docket_ctx *ctx, Pair *out, const Forward *forward, const Backward *backward)
{
    (void)ctx;
    *out = (Pair){.forward = forward->sum, .backward = backward->sum};
    return DOCKET_OK;
}
DOCKET_STEP(pair_up, Pair, Forward, Backward);

static void f_20_inputs_are_stable_while_the_caller_overwrites_its_own(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    int32_t *numbers_given = malloc(COUNT * sizeof *numbers_given);
    assert_non_null(numbers_given);
    for (int i = 0; i < COUNT; i++) {
        numbers_given[i] = i;
    }
    docket_graph *graph = graph_of(NULL, NULL, DOCKET_STEPS(sum_forward, sum_backward, pair_up));
    Large in = {.numbers = numbers_given, .numbers_count = COUNT};
    docket_input input = DOCKET_IN(Large, &in);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Pair), .inputs = &input, .input_count = 1};
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&summing));
    memset(numbers_given, 0xff, COUNT * sizeof *numbers_given);
    in = (Large){.numbers = NULL};
    free(numbers_given);
    gate_arrive(&scribbled);
    assert_status(DOCKET_OK, caller_join(&called)->status);
    int64_t expected = (int64_t)COUNT * (COUNT - 1) / 2;
    assert_true(DOCKET_RESULT(called.outcome.result, Pair)->forward == expected);
    assert_true(DOCKET_RESULT(called.outcome.result, Pair)->backward == expected);
    outcome_free(&called.outcome);
    docket_graph_free(graph);
}

/* F-32. */

static int thread_count(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *entry; tasks != NULL && (entry = readdir(tasks)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return count;
}

typedef struct watch {
    entries seen;
    atomic_int most_threads;
} watch;

static docket_status be_watched(docket_ctx *ctx, void *output, const docket_argument *args)
{
    watch *by = docket_ctx_user(ctx);
    (void)args;
    int entry = entries_enter(&by->seen);
    if (entry % 100 == 0) {
        int threads = thread_count();
        int most = atomic_load(&by->most_threads);
        while (most < threads && !atomic_compare_exchange_weak(&by->most_threads, &most, threads)) {
        }
    }
    *(int64_t *)output = 1;
    entries_leave(&by->seen);
    return DOCKET_OK;
}

static void f_32_a_pool_bounds_the_threads(void **state)
{
    (void)state;
    enum { STEPS = 4000, THREADS = 4 };
    watch by = {.most_threads = 0};
    numbers all = numbers_new(STEPS);
    const docket_type **outputs = calloc(STEPS, sizeof *outputs);
    assert_non_null(outputs);
    for (size_t i = 0; i < STEPS; i++) {
        all.steps[i].call = be_watched;
        outputs[i] = &all.types[i];
    }
    docket_pool *pool = docket_pool_new(THREADS);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by};
    docket_graph *graph = docket_graph_new("wide", &graph_options);
    assert_status(DOCKET_OK, numbers_add(&all, 0, graph, &options));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    int before = thread_count();
    docket_request request = {DOCKET_REQUEST_INIT, .outputs = outputs, .output_count = STEPS};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    assert_int_equal(by.seen.runs, STEPS);
    assert_in_range(by.seen.most, 1, THREADS + 1);
    assert_in_range(by.most_threads, before, before + THREADS);
    docket_graph_free(graph);
    docket_pool_free(pool);
    numbers_free(&all);
    free(outputs);
}

/* Each level begins an execution of the next on the same pool, with a limit so that none may run on the caller's
 * own thread. */
typedef struct tower {
    docket_graph *graph;
    atomic_int deepest;
} tower;

static docket_status climb(docket_ctx *ctx, LC *out, const IS *in)
{
    tower *up = docket_ctx_user(ctx);
    int depth = (int)strlen(in->value);
    if (depth == 12) {
        out->count = 1;
        return DOCKET_OK;
    }
    IS next = {.value = docket_printf(ctx, "%s.", in->value)};
    docket_error error;
    docket_result *result = NULL;
    docket_status status = docket_execute(up->graph,
                                          &(docket_request){
                                              DOCKET_REQUEST_INIT,
                                              .output = DOCKET_OF(LC),
                                              DOCKET_INPUTS(DOCKET_IN(IS, &next)),
                                              .time_limit_ms = depth % 2 == 0 ? 3600000 : 0,
                                          },
                                          &result, &error);
    if (status == DOCKET_OK) {
        out->count = 1 + DOCKET_RESULT(result, LC)->count;
    }
    docket_result_free(result);
    return status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &error);
}
DOCKET_STEP(climb, LC, IS);

static void f_32_nested_executions_do_not_starve_a_pool_of_one(void **state)
{
    (void)state;
    tower up = {.deepest = 0};
    docket_pool *pool = docket_pool_new(1);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &up};
    up.graph = graph_of_one(&graph_options, &climb_step, &options);
    assert_int_equal(letters_count(up.graph, NULL, ""), 13);
    static crowd all;
    all.size = 8;
    all.in.value = "";
    all.input = DOCKET_IN(IS, &all.in);
    for (int i = 0; i < all.size; i++) {
        all.requests[i] = (docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), .inputs = &all.input,
                                           .input_count = 1, .time_limit_ms = 3600000};
        caller_start(&all.callers[i], up.graph, &all.requests[i]);
    }
    for (int i = 0; i < all.size; i++) {
        assert_status(DOCKET_OK, caller_join(&all.callers[i])->status);
        assert_int_equal(DOCKET_RESULT(all.callers[i].outcome.result, LC)->count, 13);
    }
    crowd_free(&all);
    docket_graph_free(up.graph);
    docket_pool_free(pool);
}

static int set_alarm(void **state)
{
    (void)state;
    alarm(200);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, set_alarm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(p_104_executions_run_at_once),
        TEST(p_105_executions_of_one_id),
        SITE_EACH_STORE(p_106_a_recorded_step_of_one_id_runs_once),
        TEST(p_107_p_109_independent_steps_are_in_flight_at_once),
        TEST(p_108_a_failed_dependency_names_itself),
        SITE_EACH_STORE(f_05_one_computation_per_key_at_a_time),
        SITE_EACH_STORE(f_05_after_a_failure_another_takes_over),
        SITE_EACH_STORE(f_05_those_that_all_fail_run_one_at_a_time),
        TEST(f_20_inputs_are_stable_while_the_caller_overwrites_its_own),
        SITE_EACH_STORE(f_22_a_waiter_is_not_cancelled_with_the_owner),
        TEST(f_22_the_first_cause_is_reported),
        TEST(f_32_a_pool_bounds_the_threads),
        TEST(f_32_nested_executions_do_not_starve_a_pool_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
