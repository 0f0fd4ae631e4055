/* Field report 42: steps that wait for steps in one pool. Three levels of executions, each step of one beginning the next,
 * on pools too small for them; and steps that wait, directly or over others, for themselves. */
#include "support/ledger.h"
#include "support/numbers.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Result, (INT64, n));

/* ---- Three levels ---- */

enum { LEVELS = 3 };

/* How many steps stand side by side on each level; their sum, and 1 more, is what the level makes. */
static const size_t widths[LEVELS] = {8, 4, 2};

typedef struct level {
    numbers numbers; /* the steps, and last the one that sums them up */
    docket_graph *graph;
    struct level *inner; /* what each of its steps executes; NULL = none */
} level;

static docket_status execute_inner(docket_ctx *ctx, void *output, const docket_argument *args)
{
    const level *inner = docket_ctx_user(ctx);
    const docket_type *sum = &inner->numbers.types[inner->numbers.count - 1];
    docket_result *result = NULL;
    docket_error error;
    (void)args;
    docket_status status = docket_execute(
        inner->graph, &(docket_request){DOCKET_REQUEST_INIT, .output = sum, .parent = ctx}, &result, &error);
    if (status == DOCKET_OK) {
        memcpy(output, docket_result_value(result, sum), sizeof(int64_t));
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}

typedef struct tower_plan {
    docket_store *store;
    docket_scope scope;
    docket_pool *pools[LEVELS];
    int64_t time_limit_ms; /* of the outermost execution: then no step runs on the caller's thread */
} tower_plan;

/* Builds a level over the one inside it. */
static level *build_level(const tower_plan *plan, size_t depth, level *inner)
{
    level *self = calloc(1, sizeof *self);
    assert_non_null(self);
    size_t width = widths[depth];
    self->inner = inner;
    self->numbers = numbers_new(width + 1);
    char name[16];
    snprintf(name, sizeof name, "level%zu", depth);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = name,
                                                .pool = plan->pools[depth]};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = plan->store, .scope = plan->scope,
                                         .user = inner};
    self->graph = docket_graph_new(name, &graph_options);
    for (size_t i = 0; i < width; i++) {
        numbers_join(&self->numbers, i, width);
        if (inner != NULL) {
            self->numbers.steps[i].call = execute_inner;
        }
    }
    assert_status(DOCKET_OK, numbers_add(&self->numbers, 0, self->graph, &options));
    assert_status(DOCKET_OK, docket_graph_validate(self->graph, NULL));
    return self;
}

static void free_level(level *self)
{
    while (self != NULL) {
        level *inner = self->inner;
        docket_graph_free(self->graph);
        numbers_free(&self->numbers);
        free(self);
        self = inner;
    }
}

/* 2 innermost steps of 1: 3; 4 steps of 3: 13; 8 steps of 13: 105. */
static void assert_sum(const tower_plan *plan)
{
    level *tower = NULL;
    for (size_t depth = LEVELS; depth-- > 0;) {
        tower = build_level(plan, depth, tower);
    }
    const docket_type *sum = &tower->numbers.types[tower->numbers.count - 1];
    for (int round = 0; round < 2; round++) {
        outcome made = run(tower->graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "tower",
                                                           .output = sum, .time_limit_ms = plan->time_limit_ms});
        assert_string_equal(made.error.message, "");
        assert_status(DOCKET_OK, made.status);
        assert_int_equal(*(const int64_t *)docket_result_value(made.result, sum), 105);
        outcome_free(&made);
    }
    free_level(tower);
}

static void assert_sums(site *at, docket_pool *outer, docket_pool *middle, docket_pool *inner)
{
    static const docket_scope scopes[] = {DOCKET_SCOPE_NONE, DOCKET_SCOPE_WORKFLOW, DOCKET_SCOPE_GLOBAL};
    for (size_t i = 0; i < 3; i++) {
        for (int limited = 0; limited < 2; limited++) {
            docket_store_close(at->store);
            at->store = NULL;
            if (at->durable) {
                assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
            }
            const tower_plan plan = {.store = site_open(at, NULL),
                                     .scope = scopes[i],
                                     .pools = {outer, middle, inner},
                                     .time_limit_ms = limited ? DOCKET_MINUTES(60) : 0};
            assert_sum(&plan);
        }
    }
}

static void fr_42_three_levels_on_one_pool(void **state)
{
    static const int sizes[] = {1, 4};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        docket_pool *pool = docket_pool_new(sizes[i]);
        assert_sums(*state, pool, pool, pool);
        docket_pool_free(pool);
    }
}

static void fr_42_three_levels_on_pools_of_their_own(void **state)
{
    docket_pool *pools[LEVELS] = {docket_pool_new(1), docket_pool_new(1), docket_pool_new(1)};
    assert_sums(*state, pools[0], pools[1], pools[2]);
    assert_sums(*state, pools[0], pools[1], pools[0]);
    for (size_t i = 0; i < LEVELS; i++) {
        docket_pool_free(pools[i]);
    }
}

static void fr_42_three_levels_on_the_default_pool(void **state)
{
    assert_sums(*state, NULL, NULL, NULL);
}

/* Many towers over one pool of one thread. */
typedef struct climber {
    pthread_t thread;
    level *tower;
    int number;
    docket_status status;
    int64_t sum;
} climber;

static void *climb(void *arg)
{
    climber *self = arg;
    char id[16];
    const docket_type *sum = &self->tower->numbers.types[self->tower->numbers.count - 1];
    snprintf(id, sizeof id, "tower-%d", self->number);
    outcome made =
        run(self->tower->graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = sum});
    self->status = made.status;
    self->sum = made.status == DOCKET_OK ? *(const int64_t *)docket_result_value(made.result, sum) : -1;
    outcome_free(&made);
    return NULL;
}

static void fr_42_many_callers_of_three_levels_on_a_pool_of_one(void **state)
{
    enum { CLIMBERS = 8 };
    static const docket_scope scopes[] = {DOCKET_SCOPE_WORKFLOW, DOCKET_SCOPE_GLOBAL};
    site *at = *state;
    docket_pool *pool = docket_pool_new(1);
    for (size_t i = 0; i < 2; i++) {
        climber climbers[CLIMBERS];
        level *tower = NULL;
        const tower_plan plan = {.store = site_open(at, NULL), .scope = scopes[i], .pools = {pool, pool, pool}};
        for (size_t depth = LEVELS; depth-- > 0;) {
            tower = build_level(&plan, depth, tower);
        }
        for (int j = 0; j < CLIMBERS; j++) {
            climbers[j] = (climber){.tower = tower, .number = j};
            assert_int_equal(pthread_create(&climbers[j].thread, NULL, climb, &climbers[j]), 0);
        }
        for (int j = 0; j < CLIMBERS; j++) {
            pthread_join(climbers[j].thread, NULL);
            assert_status(DOCKET_OK, climbers[j].status);
            assert_int_equal(climbers[j].sum, 105);
        }
        free_level(tower);
    }
    docket_pool_free(pool);
}

/* ---- Steps that call themselves ---- */

typedef struct caller_plan {
    const char *folder_path;
    docket_graph *graph; /* that the step executes */
    int64_t modulus;     /* it asks for (n + 1) mod this */
    gate *meeting;       /* where it waits for the others before it asks; NULL = nowhere */
} caller_plan;

static docket_status ask_next(docket_ctx *ctx, Result *out, const Number *in)
{
    const caller_plan *plan = docket_ctx_user(ctx);
    const Number next = {(in->n + 1) % plan->modulus};
    docket_result *result = NULL;
    docket_error error;
    ledger_note(plan->folder_path, "ask");
    if (plan->meeting != NULL) {
        gate_meet(plan->meeting);
    }
    docket_status status = docket_execute(plan->graph,
                                          &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result),
                                                            DOCKET_INPUTS(DOCKET_IN(Number, &next))},
                                          &result, &error);
    if (status == DOCKET_OK) {
        out->n = DOCKET_RESULT(result, Result)->n + in->n;
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}
DOCKET_STEP(ask_next, Result, Number);

static docket_graph *asking_graph(site *at, caller_plan *plan, docket_pool *pool)
{
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = plan};
    plan->graph = graph_of_one(&graph_options, &ask_next_step, &options);
    return plan->graph;
}

static outcome ask(docket_graph *graph, int64_t n)
{
    const Number number = {n};
    return run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result),
                                        DOCKET_INPUTS(DOCKET_IN(Number, &number))});
}

/* A circle of one is the step that asks for its own result. */
static void fr_42_circle_of_calls_is_refused_at_once(void **state)
{
    site *at = *state;
    static const int64_t circles[] = {1, 2, 3, 10};
    for (size_t i = 0; i < sizeof circles / sizeof circles[0]; i++) {
        for (int size = 1; size <= 4; size += 3) {
            docket_pool *pool = docket_pool_new(size);
            long before = ledger_count(at->folder.path, "ask");
            caller_plan plan = {.folder_path = at->folder.path, .modulus = circles[i]};
            docket_graph *graph = asking_graph(at, &plan, pool);
            outcome made = ask(graph, 0);
            assert_status(DOCKET_CONFLICT, made.status);
            assert_contains(made.error.message, "wait");
            assert_contains(made.error.message, "ask_next");
            assert_int_equal(ledger_count(at->folder.path, "ask") - before, circles[i]);
            outcome_free(&made);
            docket_graph_free(graph);
            docket_pool_free(pool);
        }
    }
}

/* Two that ask for each other, from two threads: neither may wait for ever. */
static void fr_42_two_that_wait_for_each_other_are_told(void **state)
{
    site *at = *state;
    for (int round = 0; round < 20; round++) {
        caller other;
        static const Number one = {1};
        gate meeting = GATE_INIT(2);
        caller_plan plan = {.folder_path = at->folder.path, .modulus = 2, .meeting = &meeting};
        docket_graph *graph = asking_graph(at, &plan, NULL);
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result),
                                        DOCKET_INPUTS(DOCKET_IN(Number, &one))};
        caller_start(&other, graph, &request);
        outcome made = ask(graph, 0);
        outcome *of_other = caller_join(&other);
        assert_true(made.status != DOCKET_OK && of_other->status != DOCKET_OK);
        outcome_free(of_other);
        outcome_free(&made);
        docket_graph_free(graph);
    }
}

/* ---- Recursion over other inputs is fine ---- */

static docket_status fibonacci(docket_ctx *ctx, Result *out, const Number *in)
{
    const caller_plan *plan = docket_ctx_user(ctx);
    ledger_note(plan->folder_path, "fibonacci");
    out->n = in->n < 2 ? in->n : 0;
    for (int64_t less = 1; less <= 2 && in->n >= 2; less++) {
        const Number smaller = {in->n - less};
        docket_result *result = NULL;
        docket_error error;
        if (docket_execute(plan->graph,
                           &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result),
                                             DOCKET_INPUTS(DOCKET_IN(Number, &smaller))},
                           &result, &error) != DOCKET_OK) {
            docket_result_free(result);
            return docket_fail_from(ctx, &error);
        }
        out->n += DOCKET_RESULT(result, Result)->n;
        docket_result_free(result);
    }
    return DOCKET_OK;
}
DOCKET_STEP(fibonacci, Result, Number);

static void fr_42_recursion_runs_each_input_once(void **state)
{
    site *at = *state;
    docket_pool *pool = docket_pool_new(1);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    caller_plan plan = {.folder_path = at->folder.path};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = &plan};
    plan.graph = graph_of_one(&graph_options, &fibonacci_step, &options);
    for (int round = 0; round < 2; round++) {
        outcome made = ask(plan.graph, 40);
        assert_status(DOCKET_OK, made.status);
        assert_int_equal(DOCKET_RESULT(made.result, Result)->n, 102334155);
        outcome_free(&made);
        assert_int_equal(ledger_count(at->folder.path, "fibonacci"), 41);
    }
    docket_graph_free(plan.graph);
    docket_pool_free(pool);
}

/* A cancelled or timed out outer execution ends what its steps began. */
static docket_status wait_for_cancel(docket_ctx *ctx, Result *out, const Number *in)
{
    (void)out;
    (void)in;
    gate_arrive(docket_ctx_user(ctx));
    return docket_sleep(ctx, DOCKET_HOURS(1));
}
DOCKET_STEP(wait_for_cancel, Result, Number);

DOCKET_ALIAS(Outer, Result);

static docket_status call_inner(docket_ctx *ctx, Outer *out, const Number *in)
{
    docket_result *result = NULL;
    docket_error error;
    docket_status status = docket_execute(
        docket_ctx_user(ctx),
        &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Result), DOCKET_INPUTS(DOCKET_IN(Number, in))},
        &result, &error);
    if (status == DOCKET_OK) {
        out->value.n = DOCKET_RESULT(result, Result)->n;
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}
DOCKET_STEP(call_inner, Outer, Number);

static void fr_42_cancelling_the_outermost_ends_them_all(void **state)
{
    site *at = *state;
    caller waiting;
    static const Number one = {1};
    gate entered = GATE_INIT(1);
    docket_cancel *cancel = docket_cancel_new();
    const docket_step_options inner_options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                               .scope = DOCKET_SCOPE_GLOBAL, .user = &entered};
    docket_graph *inner = graph_of_one(NULL, &wait_for_cancel_step, &inner_options);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = at->store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = inner};
    docket_graph *graph = graph_of_one(NULL, &call_inner_step, &options);
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Outer),
                                    DOCKET_INPUTS(DOCKET_IN(Number, &one)), .cancel = cancel};
    caller_start(&waiting, graph, &request);
    assert_true(gate_wait(&entered));
    docket_cancel_set(cancel);
    outcome *made = caller_join(&waiting);
    assert_status(DOCKET_CANCELLED, made->status);
    outcome_free(made);
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, NULL));
    assert_status(DOCKET_OK, docket_graph_stop(inner, -1, NULL));
    docket_graph_free(graph);
    docket_graph_free(inner);
    docket_cancel_free(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_42_three_levels_on_one_pool),
        SITE_EACH_STORE(fr_42_three_levels_on_pools_of_their_own),
        SITE_EACH_STORE(fr_42_three_levels_on_the_default_pool),
        SITE_EACH_STORE(fr_42_many_callers_of_three_levels_on_a_pool_of_one),
        SITE_EACH_STORE(fr_42_circle_of_calls_is_refused_at_once),
        SITE_EACH_STORE(fr_42_two_that_wait_for_each_other_are_told),
        SITE_EACH_STORE(fr_42_recursion_runs_each_input_once),
        SITE_EACH_STORE(fr_42_cancelling_the_outermost_ends_them_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
