/* Field report 40: an attempt that was timed out goes on and finishes anyway. Attempts never overlap, a late result is
 * dropped, and what the straggler touches stays valid until it returns.
 *
 * The clock is a fake one that only stubborn steps move: an attempt that is not meant to pass a limit never does. */
#include "support/child.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_MS = 200, MANY = 50, PATIENCE = 30000 };

static const int64_t noon_ms = INT64_C(1767268800000);

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Word, (STRING, text));

/* A step that overruns: its first entries ignore the limit until they may end. */
typedef struct overrun {
    entries entries;
    int stubborn;            /* so many entries ignore that they should stop */
    int64_t passes_ms;       /* the time that passes in such an entry, */
    int64_t grace_passes_ms; /* and after it was told to stop */
    gate *entered;           /* where a stubborn entry arrives, if anywhere */
    gate *may_end;           /* what a stubborn entry waits for; NULL = a while after it saw the flag */
    atomic_int saw_cancel, dropped, late;
    docket_status late_status; /* OK: a value; ABSENT or FAILED by their verbs */
} overrun;

static docket_status end_late(docket_ctx *ctx, Word *out, overrun *user)
{
    /* Everything a context offers must still work. */
    char *text = docket_alloc(ctx, 1000);
    void *scratch = docket_scratch(ctx, 1000);
    if (text == NULL || scratch == NULL || docket_sleep(ctx, 1) != DOCKET_CANCELLED) {
        return docket_fail(ctx, 1, "the context of a straggler is broken");
    }
    memset(text, 'x', 999);
    memset(scratch, 'x', 1000);
    out->text = docket_printf(ctx, "late, attempt %d of %s", docket_ctx_attempt(ctx), docket_ctx_execution_id(ctx));
    atomic_fetch_add(&user->late, 1);
    switch (user->late_status) {
    case DOCKET_ABSENT:
        return docket_absent(ctx, "late");
    case DOCKET_FAILED:
        return docket_fail(ctx, 7, "late");
    default:
        return DOCKET_OK;
    }
}

static docket_status work(docket_ctx *ctx, Word *out, const Number *in)
{
    overrun *user = docket_ctx_user(ctx);
    int number = entries_enter(&user->entries);
    docket_status status = DOCKET_OK;
    if (number <= user->stubborn) {
        if (user->entered != NULL) {
            gate_arrive(user->entered);
        }
        docket_test_clock_advance(user->passes_ms);
        for (int i = 0; i < PATIENCE && !docket_cancelled(ctx); i++) {
            pause_ms(1);
        }
        atomic_fetch_add(&user->saw_cancel, docket_cancelled(ctx));
        docket_test_clock_advance(user->grace_passes_ms);
        if (user->may_end != NULL) {
            gate_wait(user->may_end);
        } else {
            pause_ms(20);
        }
        status = end_late(ctx, out, user);
    } else {
        out->text = docket_printf(ctx, "entry %d for %d", number, (int)in->n);
    }
    entries_leave(&user->entries);
    return status;
}
DOCKET_STEP(work, Word, Number);

static void note_dropped(void *arg, const docket_event *event)
{
    overrun *user = arg;
    if (event->kind == DOCKET_EVENT_STRAGGLER) {
        atomic_fetch_add(&user->dropped, 1);
    }
}

typedef struct limits {
    int max_attempts;
    int64_t step_ms, grace_ms, execution_ms;
    docket_scope scope;
} limits;

static docket_graph *work_graph(docket_store *store, docket_pool *pool, overrun *user, const limits *of)
{
    const docket_observer observer = {note_dropped, user};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool,
                                                .time_limit_ms = of->execution_ms, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT,
                                         .store = store,
                                         .scope = of->scope,
                                         .user = user,
                                         .max_attempts = of->max_attempts,
                                         .time_limit_ms = of->step_ms,
                                         .grace_ms = of->grace_ms};
    return graph_of_one(&graph_options, &work_step, &options);
}

static outcome ask(docket_graph *graph, int64_t n)
{
    const Number number = {n};
    return run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "limits", .output = DOCKET_OF(Word),
                                        DOCKET_INPUTS(DOCKET_IN(Number, &number))});
}

static void assert_word(docket_graph *graph, int64_t n, docket_value_state state, const char *text)
{
    outcome made = ask(graph, n);
    assert_string_equal(made.error.message, "");
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(docket_result_state(made.result, DOCKET_OF(Word)), state);
    assert_string_equal(DOCKET_RESULT(made.result, Word)->text, text);
    outcome_free(&made);
}

/* `attempts` below 0: the error is the execution's, not the step's. */
static void assert_status_of(docket_graph *graph, int64_t n, docket_status status, int attempts)
{
    outcome made = ask(graph, n);
    assert_status(status, made.status);
    if (attempts >= 0) {
        assert_int_equal(made.error.attempts, attempts);
    }
    outcome_free(&made);
}

/* ---- The report's case ---- */

static void assert_second_attempt_counts(site *at, docket_status late_status)
{
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS, .late_status = late_status};
    const limits two = {.max_attempts = 2, .step_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    int64_t n = (int64_t)late_status;
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &two);
    char text[32];
    snprintf(text, sizeof text, "entry 2 for %d", (int)n);
    assert_word(graph, n, DOCKET_VALUE_RAN, text);
    assert_word(graph, n, DOCKET_VALUE_RESTORED, text);
    docket_graph_free(graph);
    site_close(at);
    graph = work_graph(site_open(at, NULL), NULL, &user, &two);
    assert_word(graph, n, DOCKET_VALUE_RESTORED, text);
    docket_graph_free(graph);
    assert_int_equal(atomic_load(&user.entries.runs), 2);
    assert_int_equal(atomic_load(&user.entries.most), 1);
    assert_int_equal(atomic_load(&user.saw_cancel), 1);
    assert_int_equal(atomic_load(&user.late), 1);
}

static void fr_40_late_value_is_dropped_for_the_second_attempts(void **state)
{
    assert_second_attempt_counts(*state, DOCKET_OK);
}

static void fr_40_late_absence_is_dropped_for_the_second_attempts(void **state)
{
    assert_second_attempt_counts(*state, DOCKET_ABSENT);
}

static void fr_40_late_failure_is_dropped_for_the_second_attempts(void **state)
{
    assert_second_attempt_counts(*state, DOCKET_FAILED);
}

static void fr_40_all_attempts_pass_their_limit(void **state)
{
    site *at = *state;
    overrun user = {.stubborn = 3, .passes_ms = LIMIT_MS};
    const limits three = {.max_attempts = 3, .step_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &three);
    outcome made = ask(graph, 1);
    assert_status(DOCKET_TIMEOUT, made.status);
    assert_int_equal(made.error.attempts, 3);
    assert_string_equal(made.error.step, "work");
    assert_contains(made.error.message, "200 ms");
    outcome_free(&made);
    assert_int_equal(atomic_load(&user.entries.runs), 3);
    assert_int_equal(atomic_load(&user.entries.most), 1);
    assert_int_equal(atomic_load(&user.dropped), 3);
    docket_graph_free(graph);
    const limits patient = {.max_attempts = 1, .scope = DOCKET_SCOPE_GLOBAL};
    graph = work_graph(at->store, NULL, &user, &patient);
    assert_word(graph, 1, DOCKET_VALUE_RAN, "entry 4 for 1");
    docket_graph_free(graph);
}

static void fr_40_limit_of_an_unrecorded_step_drops_its_value(void **state)
{
    (void)state;
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS};
    const limits two = {.max_attempts = 2, .step_ms = LIMIT_MS};
    docket_graph *graph = work_graph(NULL, NULL, &user, &two);
    assert_word(graph, 1, DOCKET_VALUE_RAN, "entry 2 for 1");
    assert_int_equal(atomic_load(&user.entries.most), 1);
    docket_graph_free(graph);
}

/* ---- A straggler that outlives its grace ---- */

static const Number one = {1};

/* An execution whose deadline passes while it waits. */
static void assert_times_out(docket_graph *graph)
{
    caller waiting;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Word),
                                    DOCKET_INPUTS(DOCKET_IN(Number, &one))};
    caller_start(&waiting, graph, &request);
    while (!gate_wait_ms(&waiting.returned, 10)) {
        docket_test_clock_advance(LIMIT_MS);
    }
    outcome *made = caller_join(&waiting);
    assert_status(DOCKET_TIMEOUT, made->status);
    outcome_free(made);
}

static void fr_40_straggler_keeps_its_key_and_its_result_is_dropped(void **state)
{
    site *at = *state;
    docket_error error;
    gate may_end = GATE_INIT(1);
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS, .grace_passes_ms = LIMIT_MS, .may_end = &may_end};
    const limits short_grace = {
        .max_attempts = 5, .step_ms = LIMIT_MS, .grace_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    const limits hasty = {.max_attempts = 1, .execution_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &short_grace);
    docket_graph *other = work_graph(at->store, NULL, &user, &hasty);
    assert_status_of(graph, 1, DOCKET_TIMEOUT, 1);
    assert_int_equal(atomic_load(&user.late), 0);
    /* Nobody else may enter while it is inside. */
    assert_times_out(other);
    assert_status(DOCKET_TIMEOUT, docket_graph_stop(graph, 0, &error));
    assert_contains(error.message, "limits");
    gate_arrive(&may_end);
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
    assert_int_equal(atomic_load(&user.late), 1);
    assert_word(other, 1, DOCKET_VALUE_RAN, "entry 2 for 1");
    assert_int_equal(atomic_load(&user.entries.most), 1);
    docket_graph_free(graph);
    docket_graph_free(other);
}

/* Limit first and limit of the caller are different things: what an attempt in time brings is kept, though the caller
 * has left. */
static void fr_40_result_after_the_callers_deadline_is_recorded(void **state)
{
    site *at = *state;
    docket_error error;
    gate may_end = GATE_INIT(1);
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS, .may_end = &may_end};
    const limits deadline = {.max_attempts = 1, .execution_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    const limits none = {.max_attempts = 1, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &deadline);
    assert_status_of(graph, 1, DOCKET_TIMEOUT, -1);
    gate_arrive(&may_end);
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
    docket_graph_free(graph);
    graph = work_graph(at->store, NULL, &user, &none);
    assert_word(graph, 1, DOCKET_VALUE_RESTORED, "late, attempt 1 of limits");
    assert_int_equal(atomic_load(&user.entries.runs), 1);
    docket_graph_free(graph);
}

static void fr_40_waiting_caller_gets_what_a_straggler_brings_in_time(void **state)
{
    site *at = *state;
    caller waiting;
    gate may_end = GATE_INIT(1);
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS, .may_end = &may_end};
    const limits deadline = {.max_attempts = 1, .execution_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    const limits none = {.max_attempts = 1, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &deadline);
    docket_graph *other = work_graph(at->store, NULL, &user, &none);
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Word),
                                    DOCKET_INPUTS(DOCKET_IN(Number, &one))};
    assert_status_of(graph, 1, DOCKET_TIMEOUT, -1);
    caller_start(&waiting, other, &request);
    pause_ms(20);
    gate_arrive(&may_end);
    outcome *made = caller_join(&waiting);
    assert_status(DOCKET_OK, made->status);
    assert_string_equal(DOCKET_RESULT(made->result, Word)->text, "late, attempt 1 of limits");
    outcome_free(made);
    docket_graph_free(graph);
    docket_graph_free(other);
    assert_int_equal(atomic_load(&user.entries.runs), 1);
}

/* Everything is given up before the straggler returns: it must find all it touches, and nothing may be left behind. */
static void fr_40_everything_is_closed_before_the_straggler_returns(void **state)
{
    site *at = *state;
    gate may_end = GATE_INIT(1);
    overrun user = {.stubborn = 1, .passes_ms = LIMIT_MS, .may_end = &may_end};
    const limits deadline = {.max_attempts = 1, .execution_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    docket_pool *pool = docket_pool_new(2);
    docket_graph *graph = work_graph(site_open(at, NULL), pool, &user, &deadline);
    assert_status_of(graph, 1, DOCKET_TIMEOUT, -1);
    docket_graph_free(graph);
    docket_pool_free(pool);
    docket_store_close(at->store);
    at->store = NULL;
    gate_arrive(&may_end);
    for (int i = 0; i < 30000 && atomic_load(&user.entries.inside) > 0; i++) {
        pause_ms(1);
    }
    assert_int_equal(atomic_load(&user.late), 1);
    pause_ms(50); /* it still has to give up what it holds */
}

/* ---- Many at once, then everything is closed ---- */

typedef struct many {
    overrun users[MANY];
    docket_graph *graphs[MANY];
    docket_execution *executions[MANY];
} many;

static bool begin_one(many *all, int i, docket_store *store, docket_pool *pool, gate *entered)
{
    const Number number = {i};
    const limits two = {.max_attempts = 2, .step_ms = LIMIT_MS, .scope = DOCKET_SCOPE_GLOBAL};
    all->users[i] = (overrun){.stubborn = 1, .entered = entered};
    all->graphs[i] = work_graph(store, pool, &all->users[i], &two);
    return docket_execute_begin(all->graphs[i],
                                &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "limits",
                                                  .output = DOCKET_OF(Word),
                                                  DOCKET_INPUTS(DOCKET_IN(Number, &number))},
                                NULL, NULL, &all->executions[i], NULL) == DOCKET_OK;
}

static bool end_one(many *all, int i)
{
    docket_result *result = NULL;
    char text[32];
    snprintf(text, sizeof text, "entry 2 for %d", i);
    bool right = docket_execution_end(all->executions[i], &result, NULL) == DOCKET_OK &&
                 strcmp(DOCKET_RESULT(result, Word)->text, text) == 0 &&
                 atomic_load(&all->users[i].entries.most) == 1 && atomic_load(&all->users[i].late) == 1;
    docket_result_free(result);
    docket_graph_free(all->graphs[i]);
    return right;
}

static void *come_and_go(void *arg)
{
    return arg;
}

/* How many threads there are, with those that a sanitizer starts beside the first one. */
static int count_threads(void)
{
    pthread_t first;
    if (pthread_create(&first, NULL, come_and_go, NULL) == 0) {
        pthread_join(first, NULL);
    }
    return folder_entry_count("/proc/self/task");
}

/* A process of its own, so that all other threads are known to be docket's. 0 = all went well. */
static int run_fifty(const char *url)
{
    static many all;
    gate entered = GATE_INIT(MANY);
    docket_store *store = NULL;
    docket_pool *pool = docket_pool_new(2 * MANY);
    int before = count_threads();
    int wrong = 0;
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK) {
        return 2;
    }
    for (int i = 0; i < MANY; i++) {
        wrong += !begin_one(&all, i, store, pool, &entered);
    }
    wrong += !gate_wait(&entered);
    docket_test_clock_advance(LIMIT_MS);
    for (int i = 0; i < MANY; i++) {
        wrong += !end_one(&all, i);
    }
    docket_store_close(store);
    docket_pool_free(pool);
    for (int i = 0; i < PATIENCE && folder_entry_count("/proc/self/task") > before; i++) {
        pause_ms(1);
    }
    return wrong != 0 ? 3 : folder_entry_count("/proc/self/task") > before ? 4 : 0;
}

static void fr_40_fifty_stragglers_leave_no_thread_behind(void **state)
{
    site *at = *state;
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("fifty", at->url)), 0);
}

/* ---- How a step learns that it should stop ---- */

static docket_status sleep_long(docket_ctx *ctx, Word *out, const Number *in)
{
    (void)out;
    (void)in;
    entries_enter(docket_ctx_user(ctx));
    docket_test_clock_advance(LIMIT_MS);
    docket_status status = docket_sleep(ctx, DOCKET_HOURS(1));
    entries_leave(docket_ctx_user(ctx));
    return status;
}
DOCKET_STEP(sleep_long, Word, Number);

static docket_status poll_long(docket_ctx *ctx, Word *out, const Number *in)
{
    (void)out;
    (void)in;
    struct pollfd watched = {.fd = docket_cancel_fd(ctx), .events = POLLIN};
    entries_enter(docket_ctx_user(ctx));
    docket_test_clock_advance(LIMIT_MS);
    int ready = watched.fd >= 0 ? poll(&watched, 1, 60000) : -1;
    bool cancelled = docket_cancelled(ctx);
    entries_leave(docket_ctx_user(ctx));
    return ready == 1 && cancelled ? DOCKET_CANCELLED : docket_abort(ctx, 1, "nothing to read after a minute");
}
DOCKET_STEP(poll_long, Word, Number);

static void fr_40_limit_wakes_a_step_that_sleeps_or_polls(void **state)
{
    site *at = *state;
    static const docket_step *const steps[] = {&sleep_long_step, &poll_long_step};
    for (size_t i = 0; i < 2; i++) {
        for (int cooperative = 0; cooperative < 2; cooperative++) {
            entries user = {.runs = 0};
            const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT,
                                                 .store = site_open(at, NULL),
                                                 .scope = DOCKET_SCOPE_GLOBAL,
                                                 .user = &user,
                                                 .max_attempts = 2,
                                                 .time_limit_ms = LIMIT_MS,
                                                 .cooperative = cooperative == 1};
            docket_graph *graph = graph_of_one(NULL, steps[i], &options);
            outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Word),
                                                        DOCKET_INPUTS(DOCKET_IN(Number, &one))});
            assert_status(DOCKET_TIMEOUT, made.status);
            assert_int_equal(made.error.attempts, 2);
            assert_int_equal(atomic_load(&user.runs), 2);
            assert_int_equal(atomic_load(&user.most), 1);
            outcome_free(&made);
            docket_graph_free(graph);
        }
    }
}

static void fr_40_deadline_that_has_passed_runs_nothing(void **state)
{
    site *at = *state;
    overrun user = {.stubborn = 0};
    const limits none = {.max_attempts = 1, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = work_graph(site_open(at, NULL), NULL, &user, &none);
    static const int64_t passed_ms[] = {-1, -1000, INT64_MIN};
    for (size_t i = 0; i < sizeof passed_ms / sizeof passed_ms[0]; i++) {
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Word),
                                        DOCKET_INPUTS(DOCKET_IN(Number, &one)), .time_limit_ms = passed_ms[i]};
        assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    }
    assert_int_equal(atomic_load(&user.entries.runs), 0);
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Word),
                                    DOCKET_INPUTS(DOCKET_IN(Number, &one)), .time_limit_ms = INT64_MAX};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    docket_graph_free(graph);
}

int main(int argc, char **argv)
{
    docket_test_clock_start(noon_ms);
    if (argc == 3 && strcmp(argv[1], "fifty") == 0) {
        return run_fifty(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_40_late_value_is_dropped_for_the_second_attempts),
        SITE_EACH_STORE(fr_40_late_absence_is_dropped_for_the_second_attempts),
        SITE_EACH_STORE(fr_40_late_failure_is_dropped_for_the_second_attempts),
        SITE_EACH_STORE(fr_40_all_attempts_pass_their_limit),
        SITE_MEMORY(fr_40_limit_of_an_unrecorded_step_drops_its_value),
        SITE_EACH_STORE(fr_40_straggler_keeps_its_key_and_its_result_is_dropped),
        SITE_EACH_STORE(fr_40_result_after_the_callers_deadline_is_recorded),
        SITE_EACH_STORE(fr_40_waiting_caller_gets_what_a_straggler_brings_in_time),
        SITE_EACH_STORE(fr_40_everything_is_closed_before_the_straggler_returns),
        SITE_EACH_STORE(fr_40_fifty_stragglers_leave_no_thread_behind),
        SITE_EACH_STORE(fr_40_limit_wakes_a_step_that_sleeps_or_polls),
        SITE_EACH_STORE(fr_40_deadline_that_has_passed_runs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
