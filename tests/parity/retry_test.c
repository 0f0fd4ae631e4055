/* Retry and backoff: how often a step is entered, after which delays, and what is said when it was not enough. */
#include "support/check.h"
#include "support/recorder.h"
#include "support/run.h"

#include <string.h>
#include <unistd.h>

enum { CODE_A = 1, CODE_B = 2, FOR_EVER = 1000000 };

/* What the step does, and how often it was entered. */
typedef struct script {
    entries seen;
    int failures; /* the first so many entries fail */
    int code;
    int64_t retry_after_ms; /* if it is > 0 */
    bool rejects;
    atomic_int asked;
} script;

static docket_status follow(docket_ctx *ctx, LC *out)
{
    script *by = docket_ctx_user(ctx);
    int entry = entries_enter(&by->seen);
    entries_leave(&by->seen);
    out->count = docket_ctx_attempt(ctx);
    if (entry > by->failures) {
        return DOCKET_OK;
    }
    if (by->rejects) {
        return docket_reject(ctx, by->code, "entry %d is refused", entry);
    }
    if (by->retry_after_ms > 0) {
        return docket_retry_after(ctx, by->retry_after_ms, by->code, "entry %d fails", entry);
    }
    return docket_fail(ctx, by->code, "entry %d fails", entry);
}
DOCKET_STEP(follow, LC);

static bool only_a(void *user, const docket_error *error)
{
    atomic_fetch_add(&((script *)user)->asked, 1);
    return error->code == CODE_A;
}

static bool always(void *user, const docket_error *error)
{
    (void)error;
    atomic_fetch_add(&((script *)user)->asked, 1);
    return true;
}

static outcome run_script(script *by, docket_step_options options)
{
    options.user = by;
    docket_graph *graph = graph_of_one(NULL, &follow_step, &options);
    outcome of = run_letters(graph, "r", NULL);
    docket_graph_free(graph);
    return of;
}

static void p_069_succeeds_at_the_third_attempt(void **state)
{
    (void)state;
    script by = {.failures = 2, .code = CODE_A};
    outcome of = run_script(&by, (docket_step_options){
                                     DOCKET_STEP_OPTIONS_INIT,
                                     .max_attempts = 5,
                                     .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 1, .no_jitter = true},
                                 });
    assert_status(DOCKET_OK, of.status);
    assert_status(DOCKET_OK, of.error.status);
    assert_int_equal(by.seen.runs, 3);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 3);
    outcome_free(&of);
}

static void p_070_the_last_attempt_counts(void **state)
{
    (void)state;
    script by = {.failures = 2, .code = CODE_A};
    outcome of = run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3});
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(by.seen.runs, 3);
    outcome_free(&of);
}

static void p_071_fails_when_the_attempts_are_used_up(void **state)
{
    (void)state;
    char line[1000];
    script by = {.failures = FOR_EVER, .code = CODE_A};
    outcome of = run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3});
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(by.seen.runs, 3);
    assert_int_equal(of.error.attempts, 3);
    assert_string_equal(of.error.message, "entry 3 fails");
    docket_error_format(&of.error, line, sizeof line);
    assert_contains(line, "3 attempts");
    outcome_free(&of);
}

static void p_072_the_classifier_allows_another_attempt(void **state)
{
    (void)state;
    script by = {.failures = 1, .code = CODE_A};
    outcome of =
        run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3, .should_retry = only_a});
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(by.seen.runs, 2);
    assert_int_equal(by.asked, 1);
    outcome_free(&of);
}

static void p_073_the_classifier_forbids_it(void **state)
{
    (void)state;
    script by = {.failures = 1, .code = CODE_B};
    outcome of =
        run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3, .should_retry = only_a});
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, CODE_B);
    assert_int_equal(by.seen.runs, 1);
    outcome_free(&of);
}

/* Runs with a recorder and hands it over; the outcome must be `expected`. */
static void record_script(recorder *events, script *by, docket_step_options options, docket_status expected)
{
    docket_observer observer = recorder_observer(events);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    options.user = by;
    docket_graph *graph = graph_of_one(&graph_options, &follow_step, &options);
    outcome of = run_letters(graph, "r", NULL);
    assert_status(expected, of.status);
    outcome_free(&of);
    docket_graph_free(graph);
}

static void p_074_exponential_delays(void **state)
{
    (void)state;
    static const int64_t expected_ms[] = {10, 20, 40, 80, 100};
    recorder events = RECORDER_INIT;
    script by = {.failures = 5, .code = CODE_A};
    docket_backoff backoff = {
        .kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 10, .factor = 2, .cap_ms = 100, .no_jitter = true};
    record_script(&events, &by,
                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 6, .backoff = backoff},
                  DOCKET_OK);
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_RETRY), 5);
    for (size_t i = 0; i < 5; i++) {
        const seen_event *retry = recorder_get(&events, DOCKET_EVENT_RETRY, i);
        const seen_event *end = recorder_get(&events, DOCKET_EVENT_STEP_END, i);
        const seen_event *start = recorder_get(&events, DOCKET_EVENT_STEP_START, i + 1);
        assert_int_equal(retry->delay_ms, expected_ms[i]);
        assert_int_equal(retry->attempt, i + 1);
        assert_int_equal(retry->code, CODE_A);
        assert_true(start->wall_ms >= end->wall_ms + expected_ms[i] - 2);
    }
    recorder_free(&events);
}

static void f_26_zero_attempts_are_one(void **state)
{
    (void)state;
    script by = {.failures = FOR_EVER, .code = CODE_A};
    outcome of = run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 0});
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, CODE_A);
    assert_int_equal(of.error.attempts, 1);
    assert_int_equal(by.seen.runs, 1);
    outcome_free(&of);
}

static void f_26_negative_attempts_are_refused(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("negative", NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = -1};
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &follow_step, &options));
    docket_error error;
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_contains(error.message, "max_attempts");
    docket_graph_free(graph);
}

static void f_27_without_a_cap_delays_grow_on(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    script by = {.failures = 7, .code = CODE_A};
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .no_jitter = true};
    record_script(&events, &by,
                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 8, .backoff = backoff},
                  DOCKET_OK);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(recorder_get(&events, DOCKET_EVENT_RETRY, i)->delay_ms, INT64_C(1) << i);
    }
    recorder_free(&events);
}

/* 50 executions fail at the same moment; nobody waits for what they drew. */
static void f_27_clients_that_fail_together_do_not_come_back_together(void **state)
{
    (void)state;
    enum { CLIENTS = 50 };
    static const int64_t first_ms = INT64_C(1000000000000); /* so long that nobody's draw passes here */
    recorder events = RECORDER_INIT;
    docket_observer observer = recorder_observer(&events);
    docket_pool *pool = docket_pool_new(0);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool, .observers = &observer,
                                          .observer_count = 1};
    script by = {.failures = FOR_EVER, .code = CODE_A};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &by,
        .max_attempts = 2,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = first_ms, .cap_ms = first_ms},
    };
    docket_graph *graph = graph_of_one(&graph_options, &follow_step, &options);
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC)};
    docket_execution *clients[CLIENTS];
    docket_error error;
    for (int i = 0; i < CLIENTS; i++) {
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &clients[i], &error));
    }
    docket_pool_run(pool, 0);
    assert_int_equal(recorder_count(&events, DOCKET_EVENT_RETRY), CLIENTS);
    int lower_half = 0;
    int equal = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        int64_t delay_ms = recorder_get(&events, DOCKET_EVENT_RETRY, i)->delay_ms;
        assert_in_range(delay_ms, 0, first_ms);
        lower_half += delay_ms < first_ms / 2;
        equal += i > 0 && delay_ms == recorder_get(&events, DOCKET_EVENT_RETRY, i - 1)->delay_ms;
        docket_execution_cancel(clients[i]);
        assert_status(DOCKET_CANCELLED, docket_execution_end(clients[i], NULL, &error));
    }
    assert_in_range(lower_half, 5, 45); /* fails once in 10^8 runs */
    assert_in_range(equal, 0, 5);
    assert_int_equal(by.seen.runs, CLIENTS);
    docket_pool_run(pool, 0);
    docket_graph_free(graph);
    docket_pool_free(pool);
    recorder_free(&events);
}

static void f_29_the_text_tells_the_attempts_that_were_made(void **state)
{
    (void)state;
    char line[1000];
    script by = {.failures = FOR_EVER, .code = CODE_B};
    outcome of =
        run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 5, .should_retry = only_a});
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.attempts, 1);
    docket_error_format(&of.error, line, sizeof line);
    assert_contains(line, "1 attempt");
    assert_null(strstr(line, "5"));
    outcome_free(&of);
}

static void a_rejection_is_final(void **state)
{
    (void)state;
    script by = {.failures = FOR_EVER, .code = CODE_A, .rejects = true};
    outcome of =
        run_script(&by, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 5, .should_retry = always});
    assert_status(DOCKET_REJECTED, of.status);
    assert_int_equal(of.error.code, CODE_A);
    assert_int_equal(by.seen.runs, 1);
    assert_int_equal(by.asked, 0);
    outcome_free(&of);
}

static void a_hint_takes_the_place_of_the_backoff(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    script by = {.failures = 2, .code = CODE_A, .retry_after_ms = 3};
    docket_backoff backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 3600000, .no_jitter = true};
    record_script(&events, &by,
                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3, .backoff = backoff},
                  DOCKET_OK);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_RETRY, 0)->delay_ms, 3);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_RETRY, 1)->delay_ms, 3);
    recorder_free(&events);
}

static int64_t delay_of(void *user, int failed_attempt)
{
    (void)user;
    return failed_attempt == 1 ? -5 : failed_attempt == 2 ? 4 : 1000000;
}

static void a_callbacks_delays_are_kept_in_bounds(void **state)
{
    (void)state;
    static const int64_t expected_ms[] = {0, 4, 7};
    recorder events = RECORDER_INIT;
    script by = {.failures = 3, .code = CODE_A};
    docket_backoff backoff = {
        .kind = DOCKET_BACKOFF_CALLBACK, .delay_ms = delay_of, .cap_ms = 7, .no_jitter = true};
    record_script(&events, &by,
                  (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 4, .backoff = backoff},
                  DOCKET_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(recorder_get(&events, DOCKET_EVENT_RETRY, i)->delay_ms, expected_ms[i]);
    }
    recorder_free(&events);
}

/* What the attempts took and gave back, in order: 'd' deferred, 'a' adopted, '|' the entry of the next attempt. */
typedef struct trace {
    char marks[32];
    atomic_int count;
} trace;

static trace traced;

static void mark(char with)
{
    traced.marks[atomic_fetch_add(&traced.count, 1)] = with;
}

static void deferred(void *arg)
{
    mark(*(const char *)arg);
}

static void adopted(void *memory)
{
    mark(*(const char *)memory);
}

static docket_status take_and_fail(docket_ctx *ctx, LC *out)
{
    mark('|');
    (void)docket_defer(ctx, deferred, "1");
    (void)docket_defer(ctx, deferred, "2");
    (void)docket_adopt(ctx, "A", adopted);
    (void)docket_adopt(ctx, "B", adopted);
    char *text = docket_alloc(ctx, 100);
    char *scratch = docket_scratch(ctx, 100);
    if (text == NULL || scratch == NULL || text[99] != 0 || scratch[99] != 0) {
        return docket_abort(ctx, 1, "memory is not zeroed");
    }
    memset(text, 'x', 99);
    memset(scratch, 'x', 100);
    out->original = text;
    return docket_ctx_attempt(ctx) < 2 ? docket_fail(ctx, 1, "again") : DOCKET_OK;
}
DOCKET_STEP(take_and_fail, LC);

static void memory_of_a_failed_attempt_goes_before_the_next(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 2};
    docket_graph *graph = graph_of_one(NULL, &take_and_fail_step, &options);
    outcome of = run_letters(graph, NULL, NULL);
    assert_status(DOCKET_OK, of.status);
    assert_string_equal(traced.marks, "|21BA|21");
    outcome_free(&of);
    assert_string_equal(traced.marks, "|21BA|21BA");
    docket_graph_free(graph);
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
        cmocka_unit_test(p_069_succeeds_at_the_third_attempt),
        cmocka_unit_test(p_070_the_last_attempt_counts),
        cmocka_unit_test(p_071_fails_when_the_attempts_are_used_up),
        cmocka_unit_test(p_072_the_classifier_allows_another_attempt),
        cmocka_unit_test(p_073_the_classifier_forbids_it),
        cmocka_unit_test(p_074_exponential_delays),
        cmocka_unit_test(f_26_zero_attempts_are_one),
        cmocka_unit_test(f_26_negative_attempts_are_refused),
        cmocka_unit_test(f_27_without_a_cap_delays_grow_on),
        cmocka_unit_test(f_27_clients_that_fail_together_do_not_come_back_together),
        cmocka_unit_test(f_29_the_text_tells_the_attempts_that_were_made),
        cmocka_unit_test(a_rejection_is_final),
        cmocka_unit_test(a_hint_takes_the_place_of_the_backoff),
        cmocka_unit_test(a_callbacks_delays_are_kept_in_bounds),
        cmocka_unit_test(memory_of_a_failed_attempt_goes_before_the_next),
    };
    return cmocka_run_group_tests(tests, set_alarm, NULL);
}
