/* Cancellation, deadlines and time limits: who comes back when, with what, and what becomes of a step that does
 * not.
 *
 * Cooperative steps sleep for a minute and blocking ones until the test lets them go: a caller that came back
 * came back early. A hang is ended by the alarm. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LONG_MS = 60000 };

/* What the steps here share with their test. */
typedef struct bed {
    entries seen;
    gate inside;  /* opens with the first entry */
    gate let_go;  /* a blocking step waits here */
    gate touched; /* opens when it has written to its output */
    atomic_int asked;
    const char *word;
} bed;

#define BED_INIT                                                                \
    {                                                                           \
        .inside = GATE_INIT(1), .let_go = GATE_INIT(1), .touched = GATE_INIT(1) \
    }

static docket_status nap(docket_ctx *ctx, LC *out)
{
    bed *in = docket_ctx_user(ctx);
    entries_enter(&in->seen);
    gate_arrive(&in->inside);
    docket_status status = docket_sleep(ctx, LONG_MS);
    out->count = 1;
    entries_leave(&in->seen);
    return status;
}
DOCKET_STEP(nap, LC);

/* Does not look at the cancel flag. What it writes after its caller has gone must still be its own memory. */
static docket_status block(docket_ctx *ctx, LC *out)
{
    bed *in = docket_ctx_user(ctx);
    int run_number = entries_enter(&in->seen);
    gate_arrive(&in->inside);
    bool free_to_go = gate_wait(&in->let_go);
    out->original = docket_printf(ctx, "%s at last", docket_ctx_execution_id(ctx));
    out->count = run_number;
    entries_leave(&in->seen);
    gate_arrive(&in->touched);
    return free_to_go ? DOCKET_OK : docket_fail(ctx, 1, "nobody let it go");
}
DOCKET_STEP(block, LC);

static bool retry_everything(void *user, const docket_error *error)
{
    (void)error;
    atomic_fetch_add(&((bed *)user)->asked, 1);
    return true;
}

static docket_request request_with(docket_cancel *cancel, int64_t time_limit_ms)
{
    return (docket_request){
        DOCKET_REQUEST_INIT,
        .execution_id = "e",
        .output = DOCKET_OF(LC),
        .cancel = cancel,
        .time_limit_ms = time_limit_ms,
    };
}

static void stop_and_free(docket_graph *graph)
{
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    docket_graph_free(graph);
}

static void p_058_cancelled_before_it_starts(void **state)
{
    (void)state;
    for (int cooperative = 0; cooperative <= 1; cooperative++) {
        bed in = BED_INIT;
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .cooperative = cooperative == 1};
        docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
        docket_cancel *cancel = docket_cancel_new();
        docket_cancel_set(cancel);
        docket_cancel_set(cancel);
        assert_true(docket_cancel_is_set(cancel));
        docket_request request = request_with(cancel, 0);
        outcome of = run(graph, &request);
        assert_status(DOCKET_CANCELLED, of.status);
        assert_string_equal(of.error.execution_id, "e");
        assert_non_null(of.result);
        assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_NOT_REACHED);
        assert_int_equal(in.seen.runs, 0);
        outcome_free(&of);
        docket_cancel_free(cancel);
        stop_and_free(graph);
        assert_int_equal(in.seen.runs, 0);
    }
}

static void p_058_a_token_cancels_all_that_carry_it(void **state)
{
    (void)state;
    enum { CALLERS = 6 };
    bed in = {.inside = GATE_INIT(CALLERS)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    assert_false(docket_cancel_is_set(cancel));
    docket_request request = request_with(cancel, 0);
    caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        caller_start(&callers[i], graph, &request);
    }
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    docket_cancel_free(cancel);
    for (int i = 0; i < CALLERS; i++) {
        assert_status(DOCKET_CANCELLED, caller_join(&callers[i])->status);
        outcome_free(&callers[i].outcome);
    }
    stop_and_free(graph);
}

static void p_059_a_deadline_ends_a_cooperative_step(void **state)
{
    (void)state;
    for (int cooperative = 0; cooperative <= 1; cooperative++) {
        bed in = BED_INIT;
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .cooperative = cooperative == 1};
        docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
        docket_request request = request_with(NULL, 10);
        outcome of = run(graph, &request);
        assert_status(DOCKET_TIMEOUT, of.status);
        assert_status(DOCKET_TIMEOUT, of.error.status);
        assert_null(DOCKET_RESULT(of.result, LC));
        outcome_free(&of);
        stop_and_free(graph);
    }
}

static void p_060_cancelled_caller_returns_before_the_step(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_request request = request_with(cancel, 0);
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    outcome *of = caller_join(&called);
    assert_status(DOCKET_CANCELLED, of->status);
    assert_null(DOCKET_RESULT(of->result, LC));
    assert_int_equal(docket_result_state(of->result, DOCKET_OF(LC)), DOCKET_VALUE_RUNNING);
    assert_false(gate_is_open(&in.touched));
    docket_cancel_free(cancel);

    gate_arrive(&in.let_go);
    assert_true(gate_wait(&in.touched));
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    assert_null(DOCKET_RESULT(of->result, LC));
    assert_int_equal(docket_result_state(of->result, DOCKET_OF(LC)), DOCKET_VALUE_RUNNING);
    outcome_free(of);
    docket_graph_free(graph);
}

static void p_060_the_straggler_outlives_result_graph_and_pool(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_pool *pool = docket_pool_new(1);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(&graph_options, &block_step, &options);
    docket_request request = request_with(NULL, 20);
    outcome of = run(graph, &request);
    assert_status(DOCKET_TIMEOUT, of.status);
    outcome_free(&of);
    docket_graph_free(graph);
    docket_pool_free(pool);
    bool was_entered = gate_is_open(&in.inside);
    gate_arrive(&in.let_go);
    if (was_entered) {
        assert_true(gate_wait(&in.touched));
        pause_ms(20); /* for the sanitizers: the thread lets go of its memory */
    }
}

static void p_061_a_graphs_time_limit_holds(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .time_limit_ms = 10};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in};
    docket_graph *graph = graph_of_one(&graph_options, &nap_step, &options);
    docket_request request = request_with(NULL, 0);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    stop_and_free(graph);
}

static void limited_step(int max_attempts, int expected_runs)
{
    for (int cooperative = 0; cooperative <= 1; cooperative++) {
        bed in = BED_INIT;
        docket_step_options options = {
            DOCKET_STEP_OPTIONS_INIT,
            .name = "Limited",
            .user = &in,
            .time_limit_ms = 10,
            .max_attempts = max_attempts,
            .cooperative = cooperative == 1,
        };
        docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
        docket_request request = request_with(NULL, 0);
        outcome of = run(graph, &request);
        assert_status(DOCKET_TIMEOUT, of.status);
        assert_string_equal(of.error.step, "Limited");
        assert_int_equal(of.error.attempts, expected_runs);
        assert_int_equal(in.seen.runs, expected_runs);
        assert_int_equal(in.seen.most, 1);
        assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_FAILED);
        outcome_free(&of);
        stop_and_free(graph);
    }
}

static void p_062_every_attempt_has_the_limit(void **state)
{
    (void)state;
    limited_step(2, 2);
}

static void p_063_a_passed_limit_is_the_cause(void **state)
{
    (void)state;
    limited_step(0, 1);
}

static void p_064_a_deadline_in_the_past(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .max_attempts = 3};
    docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
    docket_request request = request_with(NULL, -1);
    outcome of = run(graph, &request);
    assert_status(DOCKET_TIMEOUT, of.status);
    outcome_free(&of);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 0);
}

static void p_065_cancellation_is_never_retried(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .max_attempts = 3,
                                   .should_retry = retry_everything};
    docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_cancel_set(cancel);
    docket_request request = request_with(cancel, 0);
    assert_status(DOCKET_CANCELLED, run_for_status(graph, &request));
    docket_cancel_free(cancel);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 0);
    assert_int_equal(in.asked, 0);
}

static void p_065_nor_is_it_in_the_middle(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .max_attempts = 3,
                                   .should_retry = retry_everything};
    docket_graph *graph = graph_of_one(NULL, &nap_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_request request = request_with(cancel, 0);
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_cancel_free(cancel);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
    assert_int_equal(in.asked, 0);
}

/* F-09: whoever asks for the same again waits for the straggler instead of running beside it. */
static void f_09_a_new_attempt_does_not_overlap_with_a_straggler(void **state)
{
    bed in = BED_INIT;
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &in,
        .store = site_open(*state, NULL),
        .scope = DOCKET_SCOPE_WORKFLOW,
    };
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_request cancelled = request_with(cancel, 0);
    caller first;
    caller_start(&first, graph, &cancelled);
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&first)->status);
    outcome_free(&first.outcome);
    docket_cancel_free(cancel);

    docket_request patient = request_with(NULL, 0);
    docket_request hasty = request_with(NULL, 20);
    caller second;
    caller_start(&second, graph, &patient);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &hasty));
    assert_int_equal(in.seen.runs, 1);
    gate_arrive(&in.let_go);
    outcome *of = caller_join(&second);
    assert_status(DOCKET_OK, of->status);
    assert_string_equal(DOCKET_RESULT(of->result, LC)->original, "e at last");
    assert_int_equal(docket_result_state(of->result, DOCKET_OF(LC)), DOCKET_VALUE_RESTORED);
    outcome_free(of);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
    assert_int_equal(in.seen.most, 1);
}

/* The same after the step's own limit: its late result does not count, and the next owner runs on its own. */
static void f_09_a_straggler_beyond_its_own_limit_keeps_its_claim(void **state)
{
    bed in = BED_INIT;
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &in,
        .store = site_open(*state, NULL),
        .scope = DOCKET_SCOPE_WORKFLOW,
        .time_limit_ms = 300,
        .grace_ms = 1,
        .max_attempts = 3,
    };
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    docket_request request = request_with(NULL, 0);
    outcome of = run(graph, &request);
    assert_status(DOCKET_TIMEOUT, of.status);
    assert_int_equal(of.error.attempts, 1);
    outcome_free(&of);

    docket_request hasty = request_with(NULL, 20);
    caller second;
    caller_start(&second, graph, &request);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &hasty));
    assert_int_equal(in.seen.runs, 1);
    gate_arrive(&in.let_go);
    outcome *late = caller_join(&second);
    assert_status(DOCKET_OK, late->status);
    assert_int_equal(DOCKET_RESULT(late->result, LC)->count, 2);
    outcome_free(late);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 2);
    assert_int_equal(in.seen.most, 1);
}

static void f_09_stopping_a_graph_reports_its_stragglers(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .time_limit_ms = 10, .grace_ms = 1};
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    docket_request request = request_with(NULL, 0);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    docket_error error;
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 0, &error));
    assert_string_equal(error.execution_id, "e");
    assert_contains(error.message, "\"e\"");
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 10, &error));
    assert_status(DOCKET_STATE, run_for_status(graph, &request));
    gate_arrive(&in.let_go);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
}

static void f_25_the_caller_returns_although_the_step_does_not(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .time_limit_ms = 10, .grace_ms = 1,
                                   .max_attempts = 5};
    docket_graph *graph = graph_of_one(NULL, &block_step, &options);
    docket_request request = request_with(NULL, 0);
    outcome of = run(graph, &request);
    assert_status(DOCKET_TIMEOUT, of.status);
    assert_contains(of.error.message, "grace");
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(LC)), DOCKET_VALUE_RUNNING);
    assert_false(gate_is_open(&in.touched));
    outcome_free(&of);
    gate_arrive(&in.let_go);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
}

typedef struct shared_page {
    _Atomic(pid_t) pid;
} shared_page;

static docket_status hang(docket_ctx *ctx, LC *out)
{
    shared_page *page = docket_ctx_user(ctx);
    out->count = 1;
    atomic_store(&page->pid, getpid());
    while (page != NULL) {
        pause();
    }
    return DOCKET_OK;
}
DOCKET_STEP(hang, LC);

static void f_25_an_isolated_step_is_killed_at_its_limit(void **state)
{
    (void)state;
    shared_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = page, .isolated = true, .time_limit_ms = 300};
    docket_graph *graph = graph_of_one(NULL, &hang_step, &options);
    docket_request request = request_with(NULL, 0);
    outcome of = run(graph, &request);
    assert_status(DOCKET_TIMEOUT, of.status);
    assert_int_not_equal(page->pid, 0);
    assert_int_equal(kill(page->pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    outcome_free(&of);
    stop_and_free(graph);
    munmap(page, sizeof *page);
}

static void f_25_an_isolated_step_is_killed_with_its_execution(void **state)
{
    (void)state;
    shared_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = page, .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &hang_step, &options);
    docket_request request = request_with(NULL, 300);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    stop_and_free(graph);
    assert_int_not_equal(page->pid, 0);
    assert_int_equal(kill(page->pid, 0), -1);
    munmap(page, sizeof *page);
}

static docket_status fail_when_cancelled(docket_ctx *ctx, LC *out)
{
    bed *in = docket_ctx_user(ctx);
    (void)out;
    entries_enter(&in->seen);
    gate_arrive(&in->inside);
    bool cancelled = docket_sleep(ctx, LONG_MS) == DOCKET_CANCELLED && docket_cancelled(ctx);
    entries_leave(&in->seen);
    return docket_fail(ctx, 1, cancelled ? "told to stop" : "slept out");
}
DOCKET_STEP(fail_when_cancelled, LC);

static void f_28_cancellation_is_seen_before_every_attempt(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .max_attempts = 1000};
    docket_graph *graph = graph_of_one(NULL, &fail_when_cancelled_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_request request = request_with(cancel, 0);
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_cancel_free(cancel);
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
}

static void f_28_a_wait_between_attempts_is_cut_short(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &in,
        .max_attempts = 1000,
        .time_limit_ms = 5,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = LONG_MS, .no_jitter = true},
    };
    docket_graph *graph = graph_of_one(NULL, &fail_when_cancelled_step, &options);
    docket_request request = request_with(NULL, 100);
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    stop_and_free(graph);
    assert_int_equal(in.seen.runs, 1);
}

static docket_status poll_for_cancellation(docket_ctx *ctx, LC *out)
{
    bed *in = docket_ctx_user(ctx);
    struct pollfd watched = {.fd = docket_cancel_fd(ctx), .events = POLLIN};
    out->count = watched.fd >= 0 && docket_cancel_fd(ctx) == watched.fd && poll(&watched, 1, 0) == 0;
    gate_arrive(&in->inside);
    out->count += poll(&watched, 1, LONG_MS) == 1 && docket_cancelled(ctx);
    atomic_store(&in->asked, out->count);
    return DOCKET_CANCELLED;
}
DOCKET_STEP(poll_for_cancellation, LC);

static void a_step_can_poll_for_cancellation(void **state)
{
    (void)state;
    bed in = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &in, .cooperative = true};
    docket_graph *graph = graph_of_one(NULL, &poll_for_cancellation_step, &options);
    docket_cancel *cancel = docket_cancel_new();
    docket_request request = request_with(cancel, 0);
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&in.inside));
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_cancel_free(cancel);
    stop_and_free(graph);
    assert_int_equal(in.asked, 2);
}

static docket_status read_remaining(docket_ctx *ctx, LC *out)
{
    int64_t remaining_ms = docket_ctx_remaining_ms(ctx);
    out->count = remaining_ms > 1000000 ? 1000000 : (int32_t)remaining_ms;
    return docket_sleep(ctx, 1);
}
DOCKET_STEP(read_remaining, LC);

static void the_nearest_limit_can_be_read(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .time_limit_ms = 50000};
    docket_graph *limited = graph_of_one(NULL, &read_remaining_step, &options);
    docket_graph *unlimited = graph_of_one(NULL, &read_remaining_step, NULL);
    docket_request none = request_with(NULL, 0);
    docket_request earlier = request_with(NULL, 40000);
    const struct {
        docket_graph *graph;
        docket_request *request;
        int32_t least, most;
    } cases[] = {
        {unlimited, &none, 1000000, 1000000},
        {unlimited, &earlier, 1000, 40000},
        {limited, &none, 1000, 50000},
        {limited, &earlier, 1000, 40000},
    };
    for (size_t i = 0; i < 4; i++) {
        outcome of = run(cases[i].graph, cases[i].request);
        assert_status(DOCKET_OK, of.status);
        assert_in_range(DOCKET_RESULT(of.result, LC)->count, cases[i].least, cases[i].most);
        outcome_free(&of);
    }
    stop_and_free(limited);
    stop_and_free(unlimited);
}

/* A step that is cut short and says that it failed: a resume asks it again. */
static docket_status complain(docket_ctx *ctx, LC *out)
{
    bed *in = docket_ctx_user(ctx);
    if (entries_enter(&in->seen) == 1) {
        gate_arrive(&in->inside);
        docket_status slept = docket_sleep(ctx, LONG_MS);
        entries_leave(&in->seen);
        gate_arrive(&in->touched);
        return docket_fail(ctx, (int)slept, "interrupted");
    }
    out->count = 2;
    entries_leave(&in->seen);
    return DOCKET_OK;
}
DOCKET_STEP(complain, LC);

static void no_absence_is_recorded_of_a_step_that_was_cut_short(void **state)
{
    site *at = *state;
    bed own = BED_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &own, .scope = DOCKET_SCOPE_WORKFLOW,
                                   .store = site_open(at, NULL), .max_attempts = 3,
                                   .on_failure = DOCKET_FAILURE_IS_ABSENT};
    docket_graph *graph = graph_of_one(NULL, &complain_step, &options);
    docket_error error;
    docket_request request = request_with(docket_cancel_new(), 0);
    caller called;
    caller_start(&called, graph, &request);
    assert_true(gate_wait(&own.inside));
    docket_cancel_set(request.cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_cancel_free(request.cancel);
    assert_true(gate_wait(&own.touched));
    usleep(50000); /* what would be recorded has been by now */
    request.cancel = NULL;
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_execute(graph, &request, &result, &error));
    assert_int_equal(DOCKET_RESULT(result, LC)->count, 2);
    docket_result_free(result);
    stop_and_free(graph);
}

/* After the first failure the caller waits for the others, but no longer than until it is cancelled. */
DOCKET_STRUCT(Ruin, (INT64, count));
static docket_status ruin(docket_ctx *ctx, Ruin *out)
{
    (void)out;
    bed *in = docket_ctx_user(ctx);
    return gate_wait(&in->inside) ? docket_fail(ctx, 1, "ruined") : DOCKET_OK;
}
DOCKET_STEP(ruin, Ruin);

static void *cancel_soon(void *token)
{
    usleep(100000);
    docket_cancel_set(token);
    return NULL;
}

static void a_token_frees_a_caller_who_waits_for_the_grace(void **state)
{
    (void)state;
    bed own = BED_INIT;
    docket_error error;
    docket_graph *graph =
        docket_graph_new("g", &(docket_graph_options){DOCKET_GRAPH_OPTIONS_INIT, .grace_ms = LONG_MS});
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &own};
    assert_status(DOCKET_OK, docket_graph_add(graph, &block_step, &options));
    assert_status(DOCKET_OK, docket_graph_add(graph, &ruin_step, &options));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    docket_cancel *token = docket_cancel_new();
    docket_request request = {DOCKET_REQUEST_INIT, DOCKET_OUTPUTS(LC, Ruin), .cancel = token};
    pthread_t canceller;
    assert_int_equal(pthread_create(&canceller, NULL, cancel_soon, token), 0);
    assert_status(DOCKET_FAILED, docket_execute(graph, &request, NULL, &error)); /* the first cause */
    assert_int_equal(gate_arrived(&own.touched), 0);
    pthread_join(canceller, NULL);
    gate_arrive(&own.let_go);
    stop_and_free(graph);
    docket_cancel_free(token);
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
        TEST(p_058_cancelled_before_it_starts),
        TEST(p_058_a_token_cancels_all_that_carry_it),
        TEST(p_059_a_deadline_ends_a_cooperative_step),
        TEST(p_060_cancelled_caller_returns_before_the_step),
        TEST(p_060_the_straggler_outlives_result_graph_and_pool),
        TEST(p_061_a_graphs_time_limit_holds),
        TEST(p_062_every_attempt_has_the_limit),
        TEST(p_063_a_passed_limit_is_the_cause),
        TEST(p_064_a_deadline_in_the_past),
        TEST(p_065_cancellation_is_never_retried),
        TEST(p_065_nor_is_it_in_the_middle),
        SITE_EACH_STORE(f_09_a_new_attempt_does_not_overlap_with_a_straggler),
        SITE_EACH_STORE(f_09_a_straggler_beyond_its_own_limit_keeps_its_claim),
        TEST(f_09_stopping_a_graph_reports_its_stragglers),
        TEST(f_25_the_caller_returns_although_the_step_does_not),
        TEST(f_25_an_isolated_step_is_killed_at_its_limit),
        TEST(f_25_an_isolated_step_is_killed_with_its_execution),
        TEST(f_28_cancellation_is_seen_before_every_attempt),
        TEST(f_28_a_wait_between_attempts_is_cut_short),
        TEST(a_step_can_poll_for_cancellation),
        TEST(the_nearest_limit_can_be_read),
        SITE_EACH_STORE(no_absence_is_recorded_of_a_step_that_was_cut_short),
        TEST(a_token_frees_a_caller_who_waits_for_the_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
