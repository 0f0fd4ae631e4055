/* Field report 15: many callers of one cold key. Sixty-four threads in one process; whoever comes first computes, the
 * others wait and share. */
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 64 };

DOCKET_STRUCT(Question, (INT64, n));
DOCKET_STRUCT(Answer, (INT64, n), (INT64, entry));

/* How the slow step behaves. */
typedef struct slow_plan {
    entries entries;
    gate callers; /* all of them are on their way */
    gate *inside; /* so many must be in the body at once; NULL = none */
    int failures; /* so many entries fail */
    int pause_ms;
    bool absent;
    atomic_int lookups;
} slow_plan;

static docket_status slow(docket_ctx *ctx, Answer *out, const Question *in)
{
    slow_plan *plan = docket_ctx_user(ctx);
    int entry = entries_enter(&plan->entries);
    bool met = gate_wait(&plan->callers) && (plan->inside == NULL || gate_meet(plan->inside));
    pause_ms(plan->pause_ms); /* for the others to come and wait; nothing depends on it */
    entries_leave(&plan->entries);
    if (!met) {
        return docket_abort(ctx, 1, "the others did not come");
    }
    if (entry <= plan->failures) {
        return docket_fail(ctx, entry, "entry %d fails", entry);
    }
    if (plan->absent) {
        return docket_absent(ctx, "entry %d says so", entry);
    }
    *out = (Answer){in->n, entry};
    return DOCKET_OK;
}
DOCKET_STEP(slow, Answer, Question);

static void count_lookups(void *arg, const docket_event *event)
{
    slow_plan *plan = arg;
    if (event->kind == DOCKET_EVENT_LOOKUP) {
        atomic_fetch_add(&plan->lookups, 1);
    }
}

typedef struct asker {
    pthread_t thread;
    docket_graph *graph;
    slow_plan *plan;
    Question question;
    const char *execution_id;
    bool begin;
    outcome made;
} asker;

static void *ask(void *arg)
{
    asker *self = arg;
    docket_execution *execution = NULL;
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = self->execution_id,
                                    .output = DOCKET_OF(Answer),
                                    DOCKET_INPUTS(DOCKET_IN(Question, &self->question))};
    gate_arrive(&self->plan->callers);
    if (!self->begin) {
        self->made = run(self->graph, &request);
        return NULL;
    }
    self->made = (outcome){.error = DOCKET_ERROR_INIT};
    self->made.status = docket_execute_begin(self->graph, &request, NULL, NULL, &execution, &self->made.error);
    if (execution != NULL) {
        self->made.status = docket_execution_end(execution, &self->made.result, &self->made.error);
    }
    return NULL;
}

typedef struct stampede {
    slow_plan plan;
    docket_step_options options;
    bool begin;
    const char *execution_id; /* of all; NULL = random ones */
    bool own_keys;            /* every thread asks another question */
    asker askers[THREADS];
} stampede;

static stampede *stampede_new(site *at)
{
    stampede *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->plan.callers = (gate)GATE_INIT(THREADS);
    self->plan.pause_ms = 30;
    self->options = (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                          .scope = DOCKET_SCOPE_GLOBAL, .user = &self->plan};
    return self;
}

/* Sends all threads at once and waits for them. */
static void stampede_run(stampede *self)
{
    const docket_observer observer = {count_lookups, &self->plan};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                .observer_count = 1};
    docket_graph *graph = graph_of_one(&graph_options, &slow_step, &self->options);
    self->plan.callers.arrived = 0;
    atomic_store(&self->plan.lookups, 0);
    for (int i = 0; i < THREADS; i++) {
        self->askers[i] = (asker){.graph = graph,
                                  .plan = &self->plan,
                                  .question = {self->own_keys ? i : 7},
                                  .execution_id = self->execution_id,
                                  .begin = self->begin};
        assert_int_equal(pthread_create(&self->askers[i].thread, NULL, ask, &self->askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(self->askers[i].thread, NULL);
    }
    docket_graph_free(graph);
}

/* How many of the callers got this status. */
static int count_status(const stampede *self, docket_status status)
{
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        count += self->askers[i].made.status == status;
    }
    return count;
}

/* How many of the callers got the answer of this entry. */
static int count_answers(const stampede *self, int64_t entry)
{
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        const outcome *made = &self->askers[i].made;
        const Answer *answer = made->status == DOCKET_OK ? DOCKET_RESULT(made->result, Answer) : NULL;
        count += answer != NULL && answer->entry == entry && answer->n == self->askers[i].question.n;
    }
    return count;
}

static void free_answers(stampede *self)
{
    for (int i = 0; i < THREADS; i++) {
        outcome_free(&self->askers[i].made);
    }
}

static void stampede_free(stampede *self)
{
    free_answers(self);
    free(self);
}

static int runs(const stampede *self)
{
    return atomic_load(&self->plan.entries.runs);
}

static void fr_15_cold_key_is_computed_once(void **state)
{
    stampede *all = stampede_new(*state);
    stampede_run(all);
    assert_int_equal(runs(all), 1);
    assert_int_equal(count_answers(all, 1), THREADS);
    /* Waiting asks the store at most twice per caller. */
    assert_true(atomic_load(&all->plan.lookups) <= 3 * THREADS);
    stampede_free(all);
}

static void fr_15_executions_on_the_pool_share_one_run(void **state)
{
    stampede *all = stampede_new(*state);
    all->begin = true;
    stampede_run(all);
    assert_int_equal(runs(all), 1);
    assert_int_equal(count_answers(all, 1), THREADS);
    stampede_free(all);
}

static void fr_15_callers_of_one_execution_id_share_one_run(void **state)
{
    stampede *all = stampede_new(*state);
    all->options.scope = DOCKET_SCOPE_WORKFLOW;
    all->execution_id = "one";
    stampede_run(all);
    assert_int_equal(runs(all), 1);
    assert_int_equal(count_answers(all, 1), THREADS);
    stampede_free(all);
}

static void fr_15_commit_before_end_shares_one_run(void **state)
{
    stampede *all = stampede_new(*state);
    all->options.commit = DOCKET_COMMIT_BEFORE_END;
    stampede_run(all);
    assert_int_equal(runs(all), 1);
    assert_int_equal(count_answers(all, 1), THREADS);
    stampede_free(all);
}

static void fr_15_first_entry_fails_and_all_get_the_second(void **state)
{
    stampede *all = stampede_new(*state);
    all->plan.failures = 1;
    all->options.max_attempts = 2;
    stampede_run(all);
    assert_int_equal(runs(all), 2);
    assert_int_equal(count_answers(all, 2), THREADS);
    stampede_free(all);
}

static void fr_15_first_entry_fails_after_a_delay_and_all_get_the_second(void **state)
{
    stampede *all = stampede_new(*state);
    all->plan.failures = 1;
    all->options.max_attempts = 2;
    all->options.backoff = (docket_backoff){.kind = DOCKET_BACKOFF_FIXED, .first_ms = 30, .no_jitter = true};
    stampede_run(all);
    assert_int_equal(runs(all), 2);
    assert_int_equal(count_answers(all, 2), THREADS);
    stampede_free(all);
}

/* The owner's failure is its own; the next waiter runs, and the others share what it makes. */
static void fr_15_owner_fails_for_good_and_one_waiter_takes_over(void **state)
{
    stampede *all = stampede_new(*state);
    all->plan.failures = 1;
    stampede_run(all);
    assert_int_equal(runs(all), 2);
    assert_int_equal(count_status(all, DOCKET_FAILED), 1);
    assert_int_equal(count_answers(all, 2), THREADS - 1);
    stampede_free(all);
}

static void fr_15_all_fail_one_after_another(void **state)
{
    stampede *all = stampede_new(*state);
    all->plan.failures = 2 * THREADS;
    all->plan.pause_ms = 1;
    stampede_run(all);
    assert_int_equal(runs(all), THREADS);
    assert_int_equal(count_status(all, DOCKET_FAILED), THREADS);
    assert_int_equal(atomic_load(&all->plan.entries.most), 1);
    stampede_free(all);
}

static void fr_15_absence_is_shared_as_well(void **state)
{
    stampede *all = stampede_new(*state);
    all->plan.absent = true;
    stampede_run(all);
    assert_int_equal(runs(all), 1);
    assert_int_equal(count_status(all, DOCKET_ABSENT), THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_contains(all->askers[i].made.error.message, "entry 1 says so");
    }
    stampede_free(all);
}

static void fr_15_lapsed_key_is_computed_once_more(void **state)
{
    docket_test_clock_start(INT64_C(1700000000000));
    stampede *all = stampede_new(*state);
    all->options.ttl_ms = DOCKET_MINUTES(10);
    for (int round = 1; round <= 3; round++) {
        stampede_run(all);
        assert_int_equal(runs(all), round);
        assert_int_equal(count_answers(all, round), THREADS);
        free_answers(all);
        docket_test_clock_advance(DOCKET_MINUTES(10));
    }
    free(all);
    docket_test_clock_stop();
}

static void fr_15_different_keys_do_not_wait_for_each_other(void **state)
{
    stampede *all = stampede_new(*state);
    gate inside = GATE_INIT(THREADS);
    all->own_keys = true;
    all->plan.inside = &inside;
    stampede_run(all);
    assert_int_equal(runs(all), THREADS);
    assert_int_equal(count_status(all, DOCKET_OK), THREADS);
    assert_int_equal(atomic_load(&all->plan.entries.most), THREADS);
    stampede_free(all);
}

/* ---- Owners and waiters that leave ---- */

typedef struct patient_plan {
    entries entries;
    gate entered;
    gate may_end;
} patient_plan;

static docket_status patient(docket_ctx *ctx, Answer *out, const Question *in)
{
    patient_plan *plan = docket_ctx_user(ctx);
    int entry = entries_enter(&plan->entries);
    gate_arrive(&plan->entered);
    while (!gate_is_open(&plan->may_end) && !docket_cancelled(ctx)) {
        pause_ms(1);
    }
    entries_leave(&plan->entries);
    if (docket_cancelled(ctx)) {
        return DOCKET_CANCELLED;
    }
    *out = (Answer){in->n, entry};
    return DOCKET_OK;
}
DOCKET_STEP(patient, Answer, Question);

static docket_graph *patient_graph(site *at, patient_plan *plan)
{
    *plan = (patient_plan){.entered = GATE_INIT(1), .may_end = GATE_INIT(1)};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = plan};
    return graph_of_one(NULL, &patient_step, &options);
}

static const Question seven = {7};
static const docket_input asked = {.type = DOCKET_OF(Question), .value = &seven};

static void fr_15_waiter_gives_up_and_the_owner_goes_on(void **state)
{
    patient_plan plan;
    caller owner;
    docket_graph *graph = patient_graph(*state, &plan);
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Answer), .inputs = &asked,
                                    .input_count = 1};
    docket_request hasty = request;
    hasty.time_limit_ms = 30;
    caller_start(&owner, graph, &request);
    assert_true(gate_wait(&plan.entered));
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &hasty));
    gate_arrive(&plan.may_end);
    outcome *of_owner = caller_join(&owner);
    assert_status(DOCKET_OK, of_owner->status);
    outcome_free(of_owner);
    outcome again = run(graph, &hasty);
    assert_status(DOCKET_OK, again.status);
    assert_int_equal(docket_result_state(again.result, DOCKET_OF(Answer)), DOCKET_VALUE_RESTORED);
    outcome_free(&again);
    assert_int_equal(atomic_load(&plan.entries.runs), 1);
    docket_graph_free(graph);
}

static void fr_15_cancelled_owner_hands_the_key_on(void **state)
{
    enum { WAITERS = 16 };
    patient_plan plan;
    caller owner, waiters[WAITERS];
    docket_graph *graph = patient_graph(*state, &plan);
    docket_cancel *cancel = docket_cancel_new();
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Answer), .inputs = &asked,
                                    .input_count = 1};
    docket_request doomed = request;
    doomed.cancel = cancel;
    caller_start(&owner, graph, &doomed);
    assert_true(gate_wait(&plan.entered));
    for (int i = 0; i < WAITERS; i++) {
        caller_start(&waiters[i], graph, &request);
    }
    pause_ms(20);
    docket_cancel_set(cancel);
    outcome *of_owner = caller_join(&owner);
    assert_status(DOCKET_CANCELLED, of_owner->status);
    outcome_free(of_owner);
    gate_arrive(&plan.may_end);
    for (int i = 0; i < WAITERS; i++) {
        outcome *made = caller_join(&waiters[i]);
        assert_status(DOCKET_OK, made->status);
        assert_int_equal(DOCKET_RESULT(made->result, Answer)->entry, 2);
        outcome_free(made);
    }
    assert_int_equal(atomic_load(&plan.entries.runs), 2);
    assert_int_equal(atomic_load(&plan.entries.most), 1);
    docket_cancel_free(cancel);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_15_cold_key_is_computed_once),
        SITE_EACH_STORE(fr_15_executions_on_the_pool_share_one_run),
        SITE_EACH_STORE(fr_15_callers_of_one_execution_id_share_one_run),
        SITE_EACH_STORE(fr_15_commit_before_end_shares_one_run),
        SITE_EACH_STORE(fr_15_first_entry_fails_and_all_get_the_second),
        SITE_EACH_STORE(fr_15_first_entry_fails_after_a_delay_and_all_get_the_second),
        SITE_EACH_STORE(fr_15_owner_fails_for_good_and_one_waiter_takes_over),
        SITE_EACH_STORE(fr_15_all_fail_one_after_another),
        SITE_EACH_STORE(fr_15_absence_is_shared_as_well),
        SITE_EACH_STORE(fr_15_lapsed_key_is_computed_once_more),
        SITE_EACH_STORE(fr_15_different_keys_do_not_wait_for_each_other),
        SITE_EACH_STORE(fr_15_waiter_gives_up_and_the_owner_goes_on),
        SITE_EACH_STORE(fr_15_cancelled_owner_hands_the_key_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
