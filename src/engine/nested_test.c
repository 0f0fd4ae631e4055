/* Executions inside executions: ids, limits and cancellation that go down, errors that go up, keys that come
 * round. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <string.h>

DOCKET_STRUCT(Outer, (STRING, id), (INT32, count), (INT32, status));

/* What an outer step does with the graph below it. */
typedef struct nest {
    docket_graph *below;
    const docket_type *wanted;
    const char *execution_id;
    const char *text;
    bool from_thread; /* begins the execution on a thread of its own, naming its context */
    int64_t time_limit_ms;
    gate inside;
    entries seen;
} nest;

typedef struct helper {
    docket_ctx *ctx;
    nest *of;
    outcome got;
} helper;

static void run_below(helper *self)
{
    IS in = {.value = self->of->text};
    self->got = run(self->of->below, &(docket_request){
                                         DOCKET_REQUEST_INIT,
                                         .execution_id = self->of->execution_id,
                                         .output = self->of->wanted,
                                         DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                         .time_limit_ms = self->of->time_limit_ms,
                                         .parent = self->of->from_thread ? self->ctx : NULL,
                                     });
}

static void *run_on_thread(void *arg)
{
    run_below(arg);
    return NULL;
}

static docket_status go_down(docket_ctx *ctx, Outer *out, const IS *in)
{
    nest *of = docket_ctx_user(ctx);
    helper self = {.ctx = ctx, .of = of};
    (void)in;
    entries_enter(&of->seen);
    if (of->from_thread) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run_on_thread, &self) != 0) {
            return docket_fail(ctx, 1, "no thread");
        }
        pthread_join(thread, NULL);
    } else {
        run_below(&self);
    }
    entries_leave(&of->seen);
    out->id = docket_strdup(ctx, docket_result_execution_id(self.got.result));
    out->status = (int32_t)self.got.status;
    out->count = self.got.status == DOCKET_OK && of->wanted == DOCKET_OF(LC)
                     ? DOCKET_RESULT(self.got.result, LC)->count
                     : -1;
    outcome_free(&self.got);
    return self.got.status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &self.got.error);
}
DOCKET_STEP(go_down, Outer, IS);

static docket_request outer_request(const docket_input *input, const char *id)
{
    return (docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Outer), .inputs = input,
                            .input_count = 1};
}

static outcome run_outer(docket_graph *graph, const char *id)
{
    IS in = {.value = "outer"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = outer_request(&input, id);
    return run(graph, &request);
}

/* Ids. */

static void assert_id(const char *parent, const char *step, const char *own, bool from_thread, const char *expected)
{
    nest of = {.wanted = DOCKET_OF(LC), .text = "four", .execution_id = own, .from_thread = from_thread};
    of.below = graph_of_one(NULL, &count_letters_step, NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = step, .user = &of};
    docket_graph *graph = graph_of_one(NULL, &go_down_step, &options);
    outcome got = run_outer(graph, parent);
    assert_status(DOCKET_OK, got.status);
    assert_int_equal(DOCKET_RESULT(got.result, Outer)->count, 4);
    assert_string_equal(DOCKET_RESULT(got.result, Outer)->id, expected);
    outcome_free(&got);
    docket_graph_free(graph);
    docket_graph_free(of.below);
}

static void test_a_nested_id_is_derived(void **state)
{
    (void)state;
    assert_id("parent", "step", NULL, false, "parent/step");
    assert_id("parent", "step", "own", false, "own");
    assert_id("a/b", "c d", NULL, true, "a/b/c d");
}

/* Beyond 255 bytes: 190 bytes, a tilde, and the digest of the whole, without cutting a character. The digests
 * come from Python: sha256((parent + "/step").encode()).hexdigest() */
static void test_a_long_nested_id_is_shortened(void **state)
{
    (void)state;
    char parent[256] = "";
    char expected[256];
    memset(parent, 'p', 250);
    snprintf(expected, sizeof expected, "%.250s/step", parent);
    assert_id(parent, "step", NULL, false, expected);

    memset(parent, 'p', 251);
    snprintf(expected, sizeof expected, "%.190s~%s", parent,
             "a1c527921bb943ae8274c401f86a7b024315cd85f0904cdf0efc597734e829a7");
    assert_id(parent, "step", NULL, false, expected);

    for (int i = 0; i < 32; i++) {
        memcpy(parent + 189 + 2 * i, "\xc3\xa9", 2); /* one of these lies across the cut */
    }
    parent[253] = '\0';
    snprintf(expected, sizeof expected, "%.189s~%s", parent,
             "a03e2dcdc840b1059f03dac065973f5f0a52ce9a12b0dc47ea0ff9f3585e9419");
    assert_id(parent, "step", NULL, false, expected);
}

static void test_a_workflow_step_below_needs_no_id_of_its_own(void **state)
{
    letters_user user = {.runs = 0};
    docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .user = &user, .scope = DOCKET_SCOPE_WORKFLOW,
                                    .store = site_open(*state, NULL)};
    nest of = {.wanted = DOCKET_OF(LC), .text = "four"};
    of.below = graph_of_one(NULL, &count_letters_step, &recorded);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of};
    docket_graph *graph = graph_of_one(NULL, &go_down_step, &options);
    static const struct {
        const char *id;
        int runs;
    } cases[] = {{"one", 1}, {"one", 1}, {"two", 2}, {"one", 2}};
    for (size_t i = 0; i < 4; i++) {
        outcome got = run_outer(graph, cases[i].id);
        assert_status(DOCKET_OK, got.status);
        assert_int_equal(user.runs, cases[i].runs);
        outcome_free(&got);
    }
    outcome got = run_letters(of.below, NULL, "four"); /* on top it does */
    assert_status(DOCKET_INVALID, got.status);
    assert_contains(got.error.message, "execution_id");
    docket_graph_free(graph);
    docket_graph_free(of.below);
}

/* Cancellation and limits. */

static docket_status nap_below(docket_ctx *ctx, LC *out, const IS *in)
{
    nest *of = docket_ctx_user(ctx);
    gate_arrive(&of->inside);
    out->count = (int32_t)strlen(in->value);
    return docket_sleep(ctx, 60000);
}
DOCKET_STEP(nap_below, LC, IS);

static void open_nap(nest *of, docket_graph **graph, docket_step_options options)
{
    docket_step_options below = {DOCKET_STEP_OPTIONS_INIT, .user = of};
    *of = (nest){.wanted = DOCKET_OF(LC), .text = "four", .inside = GATE_INIT(1), .from_thread = of->from_thread};
    of->below = graph_of_one(NULL, &nap_below_step, &below);
    options.user = of;
    *graph = graph_of_one(NULL, &go_down_step, &options);
}

static void close_nap(nest *of, docket_graph *graph)
{
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    assert_status(DOCKET_OK, docket_graph_stop(of->below, GATE_LIMIT_MS, &error));
    docket_graph_free(graph);
    docket_graph_free(of->below);
}

static void test_cancellation_goes_down(void **state)
{
    (void)state;
    for (int from_thread = 0; from_thread <= 1; from_thread++) {
        docket_graph *graph;
        nest of = {.from_thread = from_thread == 1};
        open_nap(&of, &graph, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
        IS in = {.value = "outer"};
        docket_input input = DOCKET_IN(IS, &in);
        docket_request request = outer_request(&input, "c");
        request.cancel = docket_cancel_new();
        caller called;
        caller_start(&called, graph, &request);
        assert_true(gate_wait(&of.inside));
        docket_cancel_set(request.cancel);
        assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
        outcome_free(&called.outcome);
        docket_cancel_free(request.cancel);
        close_nap(&of, graph);
    }
}

static void test_the_cancellation_of_a_begun_execution_goes_down(void **state)
{
    (void)state;
    docket_graph *graph;
    nest of = {.from_thread = false};
    open_nap(&of, &graph, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    IS in = {.value = "outer"};
    docket_input input = DOCKET_IN(IS, &in);
    docket_request request = outer_request(&input, "c");
    docket_execution *execution = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
    assert_true(gate_wait(&of.inside));
    docket_execution_cancel(execution);
    assert_status(DOCKET_CANCELLED, docket_execution_end(execution, NULL, &error));
    close_nap(&of, graph);
}

static void test_limits_go_down(void **state)
{
    (void)state;
    static const struct {
        int64_t request_ms, step_ms, below_ms;
    } cases[] = {
        {20, 0, 0}, {0, 20, 0}, {0, 0, 20}, {20, 3600000, 3600000}, {3600000, 20, 3600000}, {3600000, 3600000, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int cooperative = 0; cooperative <= 1; cooperative++) {
            docket_graph *graph;
            nest of = {.from_thread = false};
            open_nap(&of, &graph,
                     (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .time_limit_ms = cases[i].step_ms,
                                           .cooperative = cooperative == 1});
            of.time_limit_ms = cases[i].below_ms;
            IS in = {.value = "outer"};
            docket_input input = DOCKET_IN(IS, &in);
            docket_request request = outer_request(&input, "c");
            request.time_limit_ms = cases[i].request_ms;
            outcome got = run(graph, &request);
            assert_status(DOCKET_TIMEOUT, got.status);
            outcome_free(&got);
            close_nap(&of, graph);
        }
    }
}

/* A sibling fails: what its neighbour has begun is cancelled as well. */

DOCKET_STRUCT(Failing, (INT32, value));
DOCKET_STRUCT(Joint, (INT32, value));

static docket_status fail_beside(docket_ctx *ctx, Failing *out, const IS *in)
{
    nest *of = docket_ctx_user(ctx);
    (void)in;
    out->value = gate_wait(&of->inside);
    return docket_fail(ctx, 55, "beside");
}
DOCKET_STEP(fail_beside, Failing, IS);

static docket_status join(docket_ctx *ctx, Joint *out, const Outer *outer, const Failing *failing)
{
    (void)ctx;
    out->value = outer->count + failing->value;
    return DOCKET_OK;
}
DOCKET_STEP(join, Joint, Outer, Failing);

static void test_a_siblings_failure_goes_down(void **state)
{
    (void)state;
    nest of = {.wanted = DOCKET_OF(LC), .text = "four", .inside = GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of};
    of.below = graph_of_one(NULL, &nap_below_step, &options);
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(go_down, fail_beside, join));
    IS in = {.value = "outer"};
    outcome got = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Joint),
                                               DOCKET_INPUTS(DOCKET_IN(IS, &in))});
    assert_status(DOCKET_FAILED, got.status);
    assert_int_equal(got.error.code, 55);
    assert_string_equal(got.error.step, "fail_beside");
    outcome_free(&got);
    close_nap(&of, graph);
}

/* Begun inside and left to others: it may outlive the step, its execution and its graph. */

typedef struct orphan {
    docket_graph *below;
    docket_execution *execution;
    gate inside, let_go;
} orphan;

static docket_status wait_below(docket_ctx *ctx, LC *out, const IS *in)
{
    orphan *of = docket_ctx_user(ctx);
    gate_arrive(&of->inside);
    out->count = (int32_t)strlen(in->value);
    out->original = docket_strdup(ctx, docket_ctx_execution_id(ctx));
    return gate_wait(&of->let_go) ? DOCKET_OK : docket_fail(ctx, 1, "nobody came");
}
DOCKET_STEP(wait_below, LC, IS);

static docket_status leave_behind(docket_ctx *ctx, Outer *out, const IS *in)
{
    orphan *of = docket_ctx_user(ctx);
    docket_error error;
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(IS, in))};
    out->count = 1;
    docket_status status = docket_execute_begin(of->below, &request, NULL, NULL, &of->execution, &error);
    return status == DOCKET_OK && gate_wait(&of->inside) ? DOCKET_OK : docket_fail_from(ctx, &error);
}
DOCKET_STEP(leave_behind, Outer, IS);

static void test_a_nested_execution_may_outlive_its_step(void **state)
{
    (void)state;
    orphan of = {.inside = GATE_INIT(1), .let_go = GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of};
    of.below = graph_of_one(NULL, &wait_below_step, &options);
    docket_graph *graph = graph_of_one(NULL, &leave_behind_step, &options);
    outcome got = run_outer(graph, "up");
    assert_status(DOCKET_OK, got.status);
    outcome_free(&got);
    docket_graph_free(graph);
    gate_arrive(&of.let_go);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_execution_end(of.execution, &result, &error));
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 5);
    assert_string_equal(DOCKET_RESULT(result, LC)->original, "up/leave_behind");
    docket_graph_free(of.below);
    docket_result_free(result);
}

/* Keys that come round. */

static docket_status call_itself(docket_ctx *ctx, LC *out, const IS *in)
{
    nest *of = docket_ctx_user(ctx);
    entries_enter(&of->seen);
    outcome got = run_letters(of->below, NULL, in->value);
    out->count = (int32_t)got.status;
    outcome_free(&got);
    entries_leave(&of->seen);
    return got.status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &got.error);
}
DOCKET_STEP(call_itself, LC, IS);

static void test_a_step_that_needs_itself_is_a_conflict(void **state)
{
    nest of = {.wanted = DOCKET_OF(LC)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &call_itself_step, &options);
    of.below = graph;
    outcome got = run_letters(graph, "round", "text");
    assert_status(DOCKET_CONFLICT, got.status);
    assert_contains(got.error.message, "call_itself");
    assert_int_equal(of.seen.runs, 1);
    outcome_free(&got);
    docket_graph_free(graph);
}

/* Two steps that need each other, entered at once from both sides; tables of one store or of two. */

typedef struct crossing {
    docket_graph *graphs[2];
    gate both_inside;
} crossing;

DOCKET_STRUCT(Heads, (INT32, value));
DOCKET_STRUCT(Tails, (INT32, value));

static docket_status cross_over(docket_ctx *ctx, docket_graph *to, const docket_type *wanted)
{
    outcome got = run(to, &(docket_request){DOCKET_REQUEST_INIT, .output = wanted});
    outcome_free(&got);
    return got.status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &got.error);
}

static docket_status need_tails(docket_ctx *ctx, Heads *out)
{
    crossing *of = docket_ctx_user(ctx);
    out->value = gate_meet(&of->both_inside);
    return cross_over(ctx, of->graphs[1], DOCKET_OF(Tails));
}
DOCKET_STEP(need_tails, Heads);

static docket_status need_heads(docket_ctx *ctx, Tails *out)
{
    crossing *of = docket_ctx_user(ctx);
    out->value = gate_meet(&of->both_inside);
    return cross_over(ctx, of->graphs[0], DOCKET_OF(Heads));
}
DOCKET_STEP(need_heads, Tails);

static void cross(docket_store *one, docket_store *other)
{
    crossing of = {.both_inside = GATE_INIT(2)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = one};
    of.graphs[0] = graph_of_one(NULL, &need_tails_step, &options);
    options.store = other;
    of.graphs[1] = graph_of_one(NULL, &need_heads_step, &options);
    docket_request heads = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Heads)};
    docket_request tails = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Tails)};
    caller callers[2];
    caller_start(&callers[0], of.graphs[0], &heads);
    caller_start(&callers[1], of.graphs[1], &tails);
    for (int i = 0; i < 2; i++) {
        assert_status(DOCKET_CONFLICT, caller_join(&callers[i])->status);
        outcome_free(&callers[i].outcome);
    }
    docket_graph_free(of.graphs[0]);
    docket_graph_free(of.graphs[1]);
}

static void test_steps_that_need_each_other_are_a_conflict(void **state)
{
    docket_store *store = site_open(*state, NULL);
    docket_store *other = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_store_open(&other, "memory:", NULL, &error));
    for (int i = 0; i < 20; i++) {
        cross(store, store);
        cross(store, other);
    }
    docket_store_close(other);
}

/* Waiters of one tree share a failure; others try for themselves. */

typedef struct family {
    docket_graph *below;
    entries seen;
    gate inside;
    gate both_looked; /* and now one of them owns the key and the other waits for it, or is about to */
} family;

DOCKET_STRUCT(North, (INT32, status));
DOCKET_STRUCT(South, (INT32, status));
DOCKET_STRUCT(Earth, (INT32, north), (INT32, south));

static docket_status fail_slowly(docket_ctx *ctx, LC *out)
{
    family *of = docket_ctx_user(ctx);
    out->count = entries_enter(&of->seen);
    gate_wait(&of->both_looked);
    pause_ms(100);
    entries_leave(&of->seen);
    return docket_fail(ctx, 66, "below");
}
DOCKET_STEP(fail_slowly, LC);

static void note_lookup(void *arg, const docket_event *event)
{
    if (event->kind == DOCKET_EVENT_LOOKUP) {
        gate_arrive(&((family *)arg)->both_looked);
    }
}

static int32_t ask_below(family *of)
{
    gate_meet(&of->inside);
    return (int32_t)run_for_status(of->below, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC)});
}

static docket_status go_north(docket_ctx *ctx, North *out)
{
    out->status = ask_below(docket_ctx_user(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(go_north, North);

static docket_status go_south(docket_ctx *ctx, South *out)
{
    out->status = ask_below(docket_ctx_user(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(go_south, South);

static docket_status meet_again(docket_ctx *ctx, Earth *out, const North *north, const South *south)
{
    (void)ctx;
    *out = (Earth){.north = north->status, .south = south->status};
    return DOCKET_OK;
}
DOCKET_STEP(meet_again, Earth, North, South);

static void test_one_tree_shares_a_failure(void **state)
{
    family of = {.inside = GATE_INIT(2), .both_looked = GATE_INIT(2)};
    docket_observer observer = {note_lookup, &of};
    docket_graph_options watched = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &of};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(go_north, go_south, meet_again));
    options.scope = DOCKET_SCOPE_GLOBAL;
    options.store = site_open(*state, NULL);
    of.below = graph_of_one(&watched, &fail_slowly_step, &options);
    outcome got = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Earth)});
    assert_status(DOCKET_OK, got.status);
    assert_int_equal(DOCKET_RESULT(got.result, Earth)->north, DOCKET_FAILED);
    assert_int_equal(DOCKET_RESULT(got.result, Earth)->south, DOCKET_FAILED);
    assert_int_equal(of.seen.runs, 1);
    outcome_free(&got);
    docket_graph_free(graph);
    docket_graph_free(of.below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_a_nested_id_is_derived),
        SITE_MEMORY(test_a_long_nested_id_is_shortened),
        SITE_EACH_STORE(test_a_workflow_step_below_needs_no_id_of_its_own),
        SITE_MEMORY(test_cancellation_goes_down),
        SITE_MEMORY(test_the_cancellation_of_a_begun_execution_goes_down),
        SITE_MEMORY(test_limits_go_down),
        SITE_MEMORY(test_a_siblings_failure_goes_down),
        SITE_MEMORY(test_a_nested_execution_may_outlive_its_step),
        SITE_EACH_STORE(test_a_step_that_needs_itself_is_a_conflict),
        SITE_EACH_STORE(test_steps_that_need_each_other_are_a_conflict),
        SITE_EACH_STORE(test_one_tree_shares_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
