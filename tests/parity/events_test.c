/* Observers: F-33 and N-12. Every event, in its order, with the right numbers. */
#include "support/check.h"
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts; fails the first entries; naps a little so that durations are not zero. */
typedef struct plan {
    entries seen;
    int failures;
} plan;

static docket_status count_or_fail(docket_ctx *ctx, LC *out, const IS *in)
{
    plan *by = docket_ctx_user(ctx);
    int entry = entries_enter(&by->seen);
    entries_leave(&by->seen);
    out->count = (int32_t)strlen(in->value);
    pause_ms(2);
    return entry <= by->failures ? docket_fail(ctx, 100 + entry, "entry %d fails", entry) : DOCKET_OK;
}
DOCKET_STEP(count_or_fail, LC, IS);

static docket_status crash(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)in;
    out->count = 1;
    abort();
}
DOCKET_STEP(crash, LC, IS);

static docket_graph *watched(recorder *events, const docket_step *step, docket_step_options options)
{
    docket_observer observer = recorder_observer(events);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    options.name = "Count";
    return graph_of_one(&graph_options, step, &options);
}

static void assert_sound(recorder *events)
{
    const seen_event *first = recorder_get(events, DOCKET_EVENT_EXECUTION_START, 0);
    assert_non_null(first);
    for (size_t i = 0; i < events->count; i++) {
        const seen_event *event = &events->events[i];
        bool has_step = event->kind != DOCKET_EVENT_EXECUTION_START && event->kind != DOCKET_EVENT_EXECUTION_END;
        assert_true(event->execution == first->execution);
        assert_true(event->parent_execution == 0);
        assert_string_equal(event->graph, "test");
        assert_string_equal(event->execution_id, "e");
        assert_string_equal(event->step, has_step ? "Count" : "");
        assert_string_equal(event->type, has_step ? "LC" : "");
        assert_true(event->wall_ms >= first->wall_ms && event->wall_ms < first->wall_ms + 600000);
        assert_int_equal(event->has_error, event->status != DOCKET_OK && event->status != DOCKET_ABSENT);
        assert_true(event->duration_ns >= 0);
    }
}

/* Every attempt's start has one end, and nothing else has its number. */
static void assert_paired(recorder *events, size_t attempts)
{
    assert_int_equal(recorder_count(events, DOCKET_EVENT_STEP_START), attempts);
    assert_int_equal(recorder_count(events, DOCKET_EVENT_STEP_END), attempts);
    for (size_t i = 0; i < attempts; i++) {
        const seen_event *start = recorder_get(events, DOCKET_EVENT_STEP_START, i);
        int ends = 0;
        for (size_t k = 0; k < attempts; k++) {
            const seen_event *end = recorder_get(events, DOCKET_EVENT_STEP_END, k);
            ends +=
                end->span == start->span && end->attempt == start->attempt && end->execution == start->execution;
            assert_true(k == i || recorder_get(events, DOCKET_EVENT_STEP_START, k)->span != start->span);
        }
        assert_int_equal(ends, 1);
        assert_true(start->span != 0);
    }
}

static void f_33_events_of_an_unrecorded_run(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    plan by = {.failures = 0};
    docket_graph *graph =
        watched(&events, &count_or_fail_step, (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &by});
    assert_int_equal(letters_count(graph, "e", "text"), 4);
    assert_events(&events, "execution_start\n"
                           "step_start Count 1\n"
                           "step_end Count 1 OK\n"
                           "execution_end OK\n");
    assert_sound(&events);
    assert_paired(&events, 1);
    const seen_event *end = recorder_get(&events, DOCKET_EVENT_STEP_END, 0);
    const seen_event *whole = recorder_get(&events, DOCKET_EVENT_EXECUTION_END, 0);
    assert_in_range(end->duration_ns, 1000000, INT64_C(60000000000));
    assert_in_range(whole->duration_ns, end->duration_ns, INT64_C(60000000000));
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_recorded_run_and_of_a_hit(void **state)
{
    site *at = *state;
    recorder events = RECORDER_INIT;
    plan by = {.failures = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .scope = DOCKET_SCOPE_WORKFLOW,
                                   .store = site_open(at, NULL)};
    docket_graph *graph = watched(&events, &count_or_fail_step, options);
    assert_int_equal(letters_count(graph, "e", "text"), 4);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 never recorded\n"
                           "step_start Count 1\n"
                           "step_end Count 1 OK\n"
                           "commit Count 1 OK\n"
                           "execution_end OK\n");
    assert_sound(&events);
    assert_paired(&events, 1);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_COMMIT, 0)->size_bytes, 2); /* field 3, varint 4 */
    assert_true(recorder_get(&events, DOCKET_EVENT_COMMIT, 0)->duration_ns > 0);
    assert_true(recorder_get(&events, DOCKET_EVENT_LOOKUP, 0)->duration_ns > 0);
    recorder_free(&events);

    assert_int_equal(letters_count(graph, "e", "text"), 4);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 hit\n"
                           "execution_end OK\n");
    assert_sound(&events);
    assert_true(recorder_get(&events, DOCKET_EVENT_LOOKUP, 0)->hit);
    assert_string_equal(recorder_get(&events, DOCKET_EVENT_LOOKUP, 0)->reason, "");
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_retry(void **state)
{
    site *at = *state;
    recorder events = RECORDER_INIT;
    plan by = {.failures = 2};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .user = &by,
        .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(at, NULL),
        .max_attempts = 5,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 3, .no_jitter = true},
    };
    docket_graph *graph = watched(&events, &count_or_fail_step, options);
    assert_int_equal(letters_count(graph, "e", "text"), 4);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 never recorded\n"
                           "step_start Count 1\n"
                           "step_end Count 1 FAILED\n"
                           "retry Count 1 FAILED\n"
                           "step_start Count 2\n"
                           "step_end Count 2 FAILED\n"
                           "retry Count 2 FAILED\n"
                           "step_start Count 3\n"
                           "step_end Count 3 OK\n"
                           "commit Count 3 OK\n"
                           "execution_end OK\n");
    assert_sound(&events);
    assert_paired(&events, 3);
    for (size_t i = 0; i < 2; i++) {
        const seen_event *retry = recorder_get(&events, DOCKET_EVENT_RETRY, i);
        assert_int_equal(retry->delay_ms, 3);
        assert_int_equal(retry->code, 101 + i);
        assert_string_equal(retry->message, i == 0 ? "entry 1 fails" : "entry 2 fails");
        assert_int_equal(recorder_get(&events, DOCKET_EVENT_STEP_END, i)->code, 101 + i);
    }
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_failure(void **state)
{
    site *at = *state;
    recorder events = RECORDER_INIT;
    plan by = {.failures = 100};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,     .user = &by,       .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(at, NULL), .max_attempts = 2,
    };
    docket_graph *graph = watched(&events, &count_or_fail_step, options);
    assert_int_equal(letters_count(graph, "e", "text"), -1);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 never recorded\n"
                           "step_start Count 1\n"
                           "step_end Count 1 FAILED\n"
                           "retry Count 1 FAILED\n"
                           "step_start Count 2\n"
                           "step_end Count 2 FAILED\n"
                           "execution_end FAILED\n");
    assert_sound(&events);
    assert_paired(&events, 2);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_RETRY, 0)->delay_ms, 0);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_EXECUTION_END, 0)->code, 102);
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_crash(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .isolated = true, .max_attempts = 2};
    docket_graph *graph = watched(&events, &crash_step, options);
    assert_int_equal(letters_count(graph, "e", "text"), -1);
    assert_events(&events, "execution_start\n"
                           "step_start Count 1\n"
                           "step_end Count 1 CRASHED\n"
                           "retry Count 1 CRASHED\n"
                           "step_start Count 2\n"
                           "step_end Count 2 CRASHED\n"
                           "execution_end CRASHED\n");
    assert_sound(&events);
    assert_paired(&events, 2);
    assert_int_equal(recorder_get(&events, DOCKET_EVENT_STEP_END, 0)->code, SIGABRT);
    docket_graph_free(graph);
    recorder_free(&events);
}

static docket_status have_none(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)out;
    (void)in;
    return docket_absent(ctx, "nothing to count");
}
DOCKET_STEP(have_none, LC, IS);

static void f_33_events_of_an_absence(void **state)
{
    site *at = *state;
    recorder events = RECORDER_INIT;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(at, NULL)};
    docket_graph *graph = watched(&events, &have_none_step, options);
    outcome of = run_letters(graph, "e", "text");
    assert_status(DOCKET_ABSENT, of.status);
    outcome_free(&of);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 never recorded\n"
                           "step_start Count 1\n"
                           "step_end Count 1 ABSENT\n"
                           "commit Count 1 OK\n"
                           "execution_end ABSENT\n");
    assert_string_equal(recorder_get(&events, DOCKET_EVENT_STEP_END, 0)->reason, "nothing to count");
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_fallback(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    plan by = {.failures = 100};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &by, .on_failure = DOCKET_FAILURE_IS_ABSENT};
    docket_graph *graph = watched(&events, &count_or_fail_step, options);
    outcome of = run_letters(graph, "e", "text");
    assert_status(DOCKET_ABSENT, of.status);
    outcome_free(&of);
    assert_events(&events, "execution_start\n"
                           "step_start Count 1\n"
                           "step_end Count 1 FAILED\n"
                           "fallback Count 1 FAILED\n"
                           "execution_end ABSENT\n");
    docket_graph_free(graph);
    recorder_free(&events);
}

static void f_33_events_of_a_missing_leaf_are_none(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    docket_graph *graph = watched(&events, &have_none_step, (docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    assert_int_equal(letters_count(graph, "e", NULL), -1);
    assert_events(&events, "");
    docket_graph_free(graph);
    recorder_free(&events);
}

/* One of several: notes itself in a line that all share. */
typedef struct scribe {
    char *line;
    char letter;
} scribe;

static void scribble(void *arg, const docket_event *event)
{
    const scribe *self = arg;
    size_t length = strlen(self->line);
    snprintf(self->line + length, 64 - length, "%c", event->struct_size == sizeof *event ? self->letter : '?');
}

static void n_12_several_observers_are_called_in_the_given_order(void **state)
{
    (void)state;
    char line[64] = "";
    scribe scribes[3] = {{line, 'a'}, {line, 'b'}, {line, 'c'}};
    docket_observer observers[3];
    for (int i = 0; i < 3; i++) {
        observers[i] = (docket_observer){scribble, &scribes[i]};
    }
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = observers, .observer_count = 3};
    docket_graph *graph = graph_of_one(&graph_options, &count_letters_step, NULL);
    memset(observers, 0, sizeof observers); /* they were copied */
    assert_int_equal(letters_count(graph, NULL, "text"), 4);
    assert_string_equal(line, "abcabcabcabc");
    docket_graph_free(graph);
}

static void n_12_names_of_events(void **state)
{
    (void)state;
    assert_string_equal(docket_event_name(DOCKET_EVENT_EXECUTION_START), "execution_start");
    assert_string_equal(docket_event_name(DOCKET_EVENT_STRAGGLER), "straggler");
    assert_string_equal(docket_event_name((docket_event_kind)99), "unknown");
    for (int kind = DOCKET_EVENT_EXECUTION_START; kind <= DOCKET_EVENT_PROGRESS; kind++) {
        assert_string_not_equal(docket_event_name((docket_event_kind)kind), "unknown");
    }
}

/* Nested executions name the one that began them. */

DOCKET_STRUCT(Outer, (INT32, count));

static docket_status nest(docket_ctx *ctx, Outer *out, const IS *in)
{
    docket_graph *inner = docket_ctx_user(ctx);
    IS given = *in;
    outcome of = run_letters(inner, NULL, given.value);
    out->count = of.status == DOCKET_OK ? DOCKET_RESULT(of.result, LC)->count : -1;
    docket_status status = of.status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &of.error);
    outcome_free(&of);
    return status;
}
DOCKET_STEP(nest, Outer, IS);

static void f_44_a_nested_execution_names_its_parent(void **state)
{
    (void)state;
    recorder events = RECORDER_INIT;
    docket_observer observer = recorder_observer(&events);
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    docket_graph *inner = graph_of_one(&graph_options, &count_letters_step, NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = inner};
    docket_graph *outer = graph_of_one(&graph_options, &nest_step, &options);
    IS in = {.value = "four"};
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "up", .output = DOCKET_OF(Outer),
                              DOCKET_INPUTS(DOCKET_IN(IS, &in))};
    assert_status(DOCKET_OK, run_for_status(outer, &request));
    assert_events(&events, "execution_start\n"
                           "step_start nest 1\n"
                           "execution_start\n"
                           "step_start count_letters 1\n"
                           "step_end count_letters 1 OK\n"
                           "execution_end OK\n"
                           "step_end nest 1 OK\n"
                           "execution_end OK\n");
    const seen_event *above = recorder_get(&events, DOCKET_EVENT_EXECUTION_START, 0);
    const seen_event *below = recorder_get(&events, DOCKET_EVENT_EXECUTION_START, 1);
    assert_true(above->parent_execution == 0);
    assert_true(below->parent_execution == above->execution);
    assert_string_equal(below->execution_id, "up/nest");
    docket_graph_free(outer);
    docket_graph_free(inner);
    recorder_free(&events);
}

/* Whoever waits for another owner says so. */

typedef struct rendezvous {
    gate inside, let_go;
} rendezvous;

static docket_status meet(docket_ctx *ctx, LC *out, const IS *in)
{
    rendezvous *at = docket_ctx_user(ctx);
    gate_arrive(&at->inside);
    out->count = (int32_t)strlen(in->value);
    return gate_wait(&at->let_go) ? DOCKET_OK : docket_fail(ctx, 1, "nobody came");
}
DOCKET_STEP(meet, LC, IS);

static void n_12_a_wait_for_another_owner_is_told(void **state)
{
    site *from = *state;
    recorder events = RECORDER_INIT;
    rendezvous at = {.inside = GATE_INIT(1), .let_go = GATE_INIT(1)};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &at, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(from, NULL), .name = "Count"};
    docket_graph *quiet = graph_of_one(NULL, &meet_step, &options);
    docket_graph *loud = watched(&events, &meet_step, options);
    IS in = {.value = "text"};
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "e", .output = DOCKET_OF(LC),
                              DOCKET_INPUTS(DOCKET_IN(IS, &in))};
    caller owner, waiter;
    caller_start(&owner, quiet, &request);
    assert_true(gate_wait(&at.inside));
    caller_start(&waiter, loud, &request);
    for (int waited_ms = 0; recorder_count(&events, DOCKET_EVENT_LOOKUP) == 0 && waited_ms < GATE_LIMIT_MS;
         waited_ms++) {
        pause_ms(1);
    }
    pause_ms(100);
    gate_arrive(&at.let_go);
    assert_status(DOCKET_OK, caller_join(&owner)->status);
    assert_status(DOCKET_OK, caller_join(&waiter)->status);
    assert_int_equal(docket_result_state(waiter.outcome.result, DOCKET_OF(LC)), DOCKET_VALUE_RESTORED);
    assert_events(&events, "execution_start\n"
                           "lookup Count 0 never recorded\n"
                           "wait Count 0\n"
                           "lookup Count 0 hit\n"
                           "execution_end OK\n");
    assert_true(recorder_get(&events, DOCKET_EVENT_WAIT, 0)->duration_ns > 0);
    outcome_free(&owner.outcome);
    outcome_free(&waiter.outcome);
    docket_graph_free(quiet);
    docket_graph_free(loud);
    recorder_free(&events);
}

/* An observer may call docket, also to stop what it is told about. */

typedef struct stopper {
    docket_cancel *cancel;
    docket_graph *other;
    atomic_int other_count;
} stopper;

static void stop_at_the_start(void *arg, const docket_event *event)
{
    stopper *self = arg;
    if (event->kind == DOCKET_EVENT_STEP_START) {
        atomic_store(&self->other_count, letters_count(self->other, NULL, "another"));
        docket_cancel_set(self->cancel);
    }
}

static void n_12_an_observer_may_cancel_and_execute(void **state)
{
    (void)state;
    stopper self = {.cancel = docket_cancel_new(), .other = graph_of_one(NULL, &count_letters_step, NULL)};
    docket_observer observer = {stop_at_the_start, &self};
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    docket_graph *graph = graph_of_one(&graph_options, &count_letters_step, NULL);
    IS in = {.value = "text"};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                              .cancel = self.cancel};
    assert_status(DOCKET_CANCELLED, run_for_status(graph, &request));
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    assert_int_equal(self.other_count, 7);
    docket_cancel_free(self.cancel);
    docket_graph_free(graph);
    docket_graph_free(self.other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f_33_events_of_an_unrecorded_run),
        SITE_EACH_STORE(f_33_events_of_a_recorded_run_and_of_a_hit),
        SITE_EACH_STORE(f_33_events_of_a_retry),
        SITE_EACH_STORE(f_33_events_of_a_failure),
        cmocka_unit_test(f_33_events_of_a_crash),
        SITE_EACH_STORE(f_33_events_of_an_absence),
        cmocka_unit_test(f_33_events_of_a_fallback),
        cmocka_unit_test(f_33_events_of_a_missing_leaf_are_none),
        cmocka_unit_test(n_12_several_observers_are_called_in_the_given_order),
        cmocka_unit_test(n_12_names_of_events),
        SITE_EACH_STORE(n_12_a_wait_for_another_owner_is_told),
        cmocka_unit_test(n_12_an_observer_may_cancel_and_execute),
        cmocka_unit_test(f_44_a_nested_execution_names_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
