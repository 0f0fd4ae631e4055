/* Field reports 39 and 46: a failure that was fixed but still stands in the store, and a result that is too large to be
 * saved. */
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- 39: A, B, C, where B is broken at first ---- */

DOCKET_STRUCT(Order, (INT64, number));
DOCKET_STRUCT(A, (INT64, n));
DOCKET_STRUCT(B, (STRING, text), (LIST(INT64), list), (BYTES, bytes));
DOCKET_STRUCT(C, (STRING, text));

/* How B behaves. */
typedef enum fault {
    WORKS,
    FAILS,
    REJECTS,
    ABORTS,
    GIVES_BAD_TEXT,   /* not UTF-8 */
    GIVES_BAD_LIST,   /* a count without elements */
    GIVES_BAD_BYTES,  /* a size without data */
    GIVES_NO_MEMORY,  /* OK after an allocation that failed */
    RETURNS_NONSENSE, /* a status that is not a step's */
    FAULT_COUNT
} fault;

typedef struct flow {
    const char *folder_path;
    fault fault;
} flow;

static docket_status make_a(docket_ctx *ctx, A *out, const Order *in)
{
    const flow *user = docket_ctx_user(ctx);
    ledger_note(user->folder_path, "a");
    out->n = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(make_a, A, Order);

static docket_status be_faulty(docket_ctx *ctx, B *out, fault how)
{
    switch (how) {
    case FAILS:
        return docket_fail(ctx, 5, "B is broken");
    case REJECTS:
        return docket_reject(ctx, 6, "B refuses");
    case ABORTS:
        return docket_abort(ctx, 7, "B stops everything");
    case GIVES_BAD_TEXT:
        out->text = "\xc3\x28";
        return DOCKET_OK;
    case GIVES_BAD_LIST:
        out->list = NULL;
        out->list_count = 3;
        return DOCKET_OK;
    case GIVES_BAD_BYTES:
        out->bytes = (docket_bytes){NULL, 3};
        return DOCKET_OK;
    case GIVES_NO_MEMORY:
        (void)docket_alloc_array(ctx, SIZE_MAX / 2, 4);
        return DOCKET_OK;
    case RETURNS_NONSENSE:
        return (docket_status)12345;
    default:
        return docket_abort(ctx, 8, "no such fault");
    }
}

static docket_status make_b(docket_ctx *ctx, B *out, const A *in)
{
    const flow *user = docket_ctx_user(ctx);
    ledger_note(user->folder_path, "b");
    if (user->fault != WORKS) {
        return be_faulty(ctx, out, user->fault);
    }
    out->text = docket_printf(ctx, "b%d", (int)in->n);
    return DOCKET_OK;
}
DOCKET_STEP(make_b, B, A);

static docket_status make_c(docket_ctx *ctx, C *out, const B *in)
{
    const flow *user = docket_ctx_user(ctx);
    ledger_note(user->folder_path, "c");
    out->text = docket_printf(ctx, "c%s", in->text);
    return DOCKET_OK;
}
DOCKET_STEP(make_c, C, B);

static outcome run_flow(site *at, flow *user, docket_scope scope, int attempts, int64_t number)
{
    char id[32];
    const Order order = {number};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL), .scope = scope,
                                         .user = user, .max_attempts = attempts};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(make_a, make_b, make_c));
    snprintf(id, sizeof id, "order-%d", (int)number);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(C),
                                                DOCKET_INPUTS(DOCKET_IN(Order, &order))});
    docket_graph_free(graph);
    return made;
}

static void assert_runs(const site *at, long a, long b, long c)
{
    assert_int_equal(ledger_count(at->folder.path, "a"), a);
    assert_int_equal(ledger_count(at->folder.path, "b"), b);
    assert_int_equal(ledger_count(at->folder.path, "c"), c);
}

static void clear_ledger(const site *at)
{
    char path[FOLDER_PATH_ROOM];
    remove(folder_file(&at->folder, "ledger-a", path));
    remove(folder_file(&at->folder, "ledger-b", path));
    remove(folder_file(&at->folder, "ledger-c", path));
}

static const struct {
    docket_status status;
    int attempts; /* of three */
} faults[FAULT_COUNT] = {
    [FAILS] = {DOCKET_FAILED, 3},
    [REJECTS] = {DOCKET_REJECTED, 1},
    [ABORTS] = {DOCKET_ABORTED, 1},
    [GIVES_BAD_TEXT] = {DOCKET_ENCODE, 1},
    [GIVES_BAD_LIST] = {DOCKET_ENCODE, 1},
    [GIVES_BAD_BYTES] = {DOCKET_ENCODE, 1},
    [GIVES_NO_MEMORY] = {DOCKET_NO_MEMORY, 1},
    [RETURNS_NONSENSE] = {DOCKET_FAILED, 3},
};

/* Fails in every way, is fixed, and is resumed under the same id: A is restored, B and C run. */
static void assert_fixed_failure_is_forgotten(site *at, docket_scope scope)
{
    for (int how = FAILS; how < FAULT_COUNT; how++) {
        flow user = {at->folder.path, (fault)how};
        clear_ledger(at);
        outcome made = run_flow(at, &user, scope, 3, how);
        assert_status(faults[how].status, made.status);
        assert_string_equal(made.error.step, "make_b");
        assert_int_equal(made.error.attempts, faults[how].attempts);
        assert_int_equal(docket_result_state(made.result, DOCKET_OF(A)), DOCKET_VALUE_RAN);
        assert_int_equal(docket_result_state(made.result, DOCKET_OF(B)), DOCKET_VALUE_FAILED);
        assert_int_equal(docket_result_state(made.result, DOCKET_OF(C)), DOCKET_VALUE_NOT_REACHED);
        outcome_free(&made);
        assert_runs(at, 1, faults[how].attempts, 0);
        site_close(at);

        char expected[16];
        snprintf(expected, sizeof expected, "cb%d", how);
        user.fault = WORKS;
        for (int round = 0; round < 2; round++) {
            made = run_flow(at, &user, scope, 3, how);
            assert_status(DOCKET_OK, made.status);
            assert_string_equal(DOCKET_RESULT(made.result, C)->text, expected);
            outcome_free(&made);
            assert_runs(at, 1, faults[how].attempts + 1, 1);
        }
    }
}

static void fr_39_fixed_step_runs_on_resume(void **state)
{
    assert_fixed_failure_is_forgotten(*state, DOCKET_SCOPE_WORKFLOW);
}

static void fr_39_fixed_global_step_runs_on_resume(void **state)
{
    assert_fixed_failure_is_forgotten(*state, DOCKET_SCOPE_GLOBAL);
}

typedef struct kinds {
    int values, failures;
    docket_status status;
    int code, attempts;
    char message[64];
} kinds;

static bool count_kinds(void *arg, const docket_checkpoint *entry)
{
    kinds *self = arg;
    self->values += entry->kind == DOCKET_CHECKPOINT_VALUE;
    if (entry->kind == DOCKET_CHECKPOINT_FAILURE) {
        self->failures++;
        self->status = entry->status;
        self->code = entry->code;
        self->attempts = entry->attempts;
        snprintf(self->message, sizeof self->message, "%s", entry->message);
    }
    return true;
}

static kinds list_kinds(site *at, bool failures)
{
    kinds counted = {.values = 0};
    docket_error error;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = failures};
    assert_status(DOCKET_OK, docket_checkpoint_list(site_open(at, NULL), &filter, count_kinds, &counted, &error));
    return counted;
}

/* The failure is kept for people, until a success takes its place. */
static void fr_39_failure_is_shown_until_it_is_fixed(void **state)
{
    site *at = *state;
    flow user = {at->folder.path, FAILS};
    outcome made = run_flow(at, &user, DOCKET_SCOPE_WORKFLOW, 3, 1);
    outcome_free(&made);
    site_close(at); /* after which the note is written, for nobody waits for it */
    kinds seen = list_kinds(at, true);
    assert_int_equal(seen.values, 1);
    assert_int_equal(seen.failures, 1);
    assert_status(DOCKET_FAILED, seen.status);
    assert_int_equal(seen.code, 5);
    assert_int_equal(seen.attempts, 3);
    assert_string_equal(seen.message, "B is broken");
    assert_int_equal(list_kinds(at, false).failures, 0);
    user.fault = WORKS;
    made = run_flow(at, &user, DOCKET_SCOPE_WORKFLOW, 3, 1);
    assert_status(DOCKET_OK, made.status);
    outcome_free(&made);
    seen = list_kinds(at, true);
    assert_int_equal(seen.values, 3);
    assert_int_equal(seen.failures, 0);
}

/* ---- 39: a failure that was declared to mean "absent" ---- */

DOCKET_STRUCT(Plan, (STRING, text));

static docket_status make_plan(docket_ctx *ctx, Plan *out, const A *a, const B *b)
{
    const flow *user = docket_ctx_user(ctx);
    ledger_note(user->folder_path, "c");
    out->text = docket_printf(ctx, "%d with %s", (int)a->n, b != NULL ? b->text : "nothing");
    return DOCKET_OK;
}
DOCKET_STEP(make_plan, Plan, A, MAYBE(B));

static void assert_plan(site *at, flow *user, docket_scope scope, const char *id, const char *expected)
{
    docket_error error;
    static const Order order = {7};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL), .scope = scope,
                                   .user = user};
    docket_graph *graph = docket_graph_new("plan", NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, &make_a_step, &options));
    assert_status(DOCKET_OK, docket_graph_add(graph, &make_plan_step, &options));
    options.on_failure = DOCKET_FAILURE_IS_ABSENT;
    assert_status(DOCKET_OK, docket_graph_add(graph, &make_b_step, &options));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Plan),
                                                DOCKET_INPUTS(DOCKET_IN(Order, &order))});
    assert_string_equal(made.error.message, "");
    assert_status(DOCKET_OK, made.status);
    assert_string_equal(DOCKET_RESULT(made.result, Plan)->text, expected);
    outcome_free(&made);
    docket_graph_free(graph);
    site_close(at);
}

/* A resume agrees with what was done on the strength of the failure; one call clears exactly that step. */
static void fr_39_absence_by_failure_is_replayed_until_forgotten(void **state)
{
    site *at = *state;
    docket_error error;
    uint64_t count = 0;
    flow user = {at->folder.path, FAILS};
    assert_plan(at, &user, DOCKET_SCOPE_WORKFLOW, "order-1", "7 with nothing");
    assert_runs(at, 1, 1, 1);
    user.fault = WORKS;
    assert_plan(at, &user, DOCKET_SCOPE_WORKFLOW, "order-1", "7 with nothing");
    assert_runs(at, 1, 1, 1);
    assert_plan(at, &user, DOCKET_SCOPE_WORKFLOW, "order-2", "7 with b7");
    assert_runs(at, 2, 2, 2);
    const docket_checkpoint_filter broken = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "order-1",
                                             .step = "make_b"};
    assert_status(DOCKET_OK, docket_checkpoint_forget(site_open(at, NULL), &broken, &count, &error));
    assert_int_equal(count, 1);
    assert_plan(at, &user, DOCKET_SCOPE_WORKFLOW, "order-1", "7 with b7");
    assert_runs(at, 2, 3, 3);
    assert_plan(at, &user, DOCKET_SCOPE_WORKFLOW, "order-1", "7 with b7");
    assert_runs(at, 2, 3, 3);
}

static void fr_39_absence_by_failure_is_not_kept_for_all_executions(void **state)
{
    site *at = *state;
    flow user = {at->folder.path, FAILS};
    assert_plan(at, &user, DOCKET_SCOPE_GLOBAL, "order-1", "7 with nothing");
    assert_runs(at, 1, 1, 1);
    user.fault = WORKS;
    assert_plan(at, &user, DOCKET_SCOPE_GLOBAL, "order-1", "7 with b7");
    assert_runs(at, 1, 2, 2);
    user.fault = FAILS;
    assert_plan(at, &user, DOCKET_SCOPE_GLOBAL, "order-1", "7 with b7");
    assert_runs(at, 1, 2, 2);
}

/* ---- 46: too large ---- */

enum { LIMIT = 1 << 20 };

DOCKET_STRUCT(Want, (INT64, size));
DOCKET_BLOB(Pile);
DOCKET_STRUCT(Text, (STRING, text));
DOCKET_STRUCT(Counted, (INT64, size));

static docket_status make_pile(docket_ctx *ctx, Pile *out, const Want *in)
{
    ledger_note(docket_ctx_user(ctx), "pile-%d", (int)in->size);
    uint8_t *data = docket_alloc(ctx, (size_t)in->size + 1);
    if (data != NULL) {
        memset(data, 'p', (size_t)in->size);
    }
    *out = (Pile){data, (size_t)in->size};
    return DOCKET_OK;
}
DOCKET_STEP(make_pile, Pile, Want);

static docket_status make_text(docket_ctx *ctx, Text *out, const Want *in)
{
    ledger_note(docket_ctx_user(ctx), "text-%d", (int)in->size);
    char *text = docket_alloc(ctx, (size_t)in->size + 1);
    if (text != NULL) {
        memset(text, 't', (size_t)in->size);
    }
    out->text = text;
    return DOCKET_OK;
}
DOCKET_STEP(make_text, Text, Want);

static docket_status say_no_reason(docket_ctx *ctx, Counted *out, const Want *in)
{
    (void)out;
    char *reason = docket_alloc(ctx, (size_t)in->size + 1);
    if (reason != NULL) {
        memset(reason, 'r', (size_t)in->size);
    }
    return docket_absent(ctx, "%s", reason != NULL ? reason : "");
}
DOCKET_STEP(say_no_reason, Counted, Want);

static docket_status count_pile(docket_ctx *ctx, Counted *out, const Pile *in)
{
    ledger_note(docket_ctx_user(ctx), "count-%d", (int)in->size);
    out->size = (int64_t)in->size;
    return DOCKET_OK;
}
DOCKET_STEP(count_pile, Counted, Pile);

static docket_graph *pile_graph(site *at, const docket_step *step, size_t limit, docket_commit_mode commit)
{
    const docket_store_options store_options = {DOCKET_STORE_OPTIONS_INIT, .max_payload_bytes = limit};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT,       .store = site_open(at, &store_options),
                                         .scope = DOCKET_SCOPE_WORKFLOW, .commit = commit,
                                         .user = at->folder.path,        .max_attempts = 5};
    return graph_of_one(NULL, step, &options);
}

static outcome ask_for(docket_graph *graph, const docket_type *output, int64_t size)
{
    const Want want = {size};
    return run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "piles", .output = output,
                                        DOCKET_INPUTS(DOCKET_IN(Want, &want))});
}

static void assert_too_large(outcome *made, const char *step, int64_t size, int64_t limit, int attempts)
{
    char digits[32];
    assert_status(DOCKET_TOO_LARGE, made->status);
    assert_string_equal(made->error.step, step);
    assert_int_equal(made->error.attempts, attempts);
    snprintf(digits, sizeof digits, "%lld", (long long)size);
    assert_contains(made->error.message, digits);
    snprintf(digits, sizeof digits, "%lld", (long long)limit);
    assert_contains(made->error.message, digits);
    outcome_free(made);
}

static void fr_46_result_of_the_limit_is_kept(void **state)
{
    site *at = *state;
    for (int round = 0; round < 2; round++) {
        docket_graph *graph = pile_graph(at, &make_pile_step, LIMIT, DOCKET_COMMIT_BEFORE_NEXT);
        outcome made = ask_for(graph, DOCKET_OF(Pile), LIMIT);
        assert_status(DOCKET_OK, made.status);
        assert_int_equal(DOCKET_RESULT(made.result, Pile)->size, LIMIT);
        assert_int_equal(DOCKET_RESULT(made.result, Pile)->data[LIMIT - 1], 'p');
        outcome_free(&made);
        docket_graph_free(graph);
        site_close(at);
        assert_int_equal(ledger_count(at->folder.path, "pile-%d", LIMIT), 1);
    }
}

static void fr_46_result_beyond_the_limit_runs_once_and_fails(void **state)
{
    site *at = *state;
    static const docket_commit_mode modes[] = {DOCKET_COMMIT_BEFORE_NEXT, DOCKET_COMMIT_BEFORE_END};
    static const int64_t sizes[] = {LIMIT + 1, LIMIT + 4096, 3 * LIMIT};
    for (size_t i = 0; i < 3; i++) {
        for (int mode = 0; mode < 2; mode++) {
            docket_graph *graph = pile_graph(at, &make_pile_step, LIMIT, modes[mode]);
            outcome made = ask_for(graph, DOCKET_OF(Pile), sizes[i]);
            assert_too_large(&made, "make_pile", sizes[i], LIMIT, 1);
            assert_int_equal(ledger_count(at->folder.path, "pile-%d", (int)sizes[i]), mode + 1);
            docket_graph_free(graph);
        }
    }
    assert_int_equal(list_kinds(at, false).values, 0);
}

/* The limit is one of encoded bytes: of a text with its field's head. */
static void fr_46_limit_counts_encoded_bytes(void **state)
{
    site *at = *state;
    enum { HEAD = 3 }; /* a tag, and a length of two bytes */
    docket_graph *graph = pile_graph(at, &make_text_step, 1000, DOCKET_COMMIT_BEFORE_NEXT);
    outcome made = ask_for(graph, DOCKET_OF(Text), 1000 - HEAD);
    assert_status(DOCKET_OK, made.status);
    outcome_free(&made);
    made = ask_for(graph, DOCKET_OF(Text), 1000 - HEAD + 1);
    assert_too_large(&made, "make_text", 1001, 1000, 1);
    made = ask_for(graph, DOCKET_OF(Text), 0);
    assert_status(DOCKET_OK, made.status);
    outcome_free(&made);
    docket_graph_free(graph);
}

static void fr_46_reason_of_an_absence_counts_as_well(void **state)
{
    site *at = *state;
    docket_graph *graph = pile_graph(at, &say_no_reason_step, 100, DOCKET_COMMIT_BEFORE_NEXT);
    outcome made = ask_for(graph, DOCKET_OF(Counted), 100);
    assert_status(DOCKET_ABSENT, made.status);
    outcome_free(&made);
    made = ask_for(graph, DOCKET_OF(Counted), 101);
    assert_too_large(&made, "say_no_reason", 101, 100, 1);
    docket_graph_free(graph);
}

static outcome count_bytes(docket_graph *graph, size_t size)
{
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    const Pile pile = {data, size};
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "piles", .output = DOCKET_OF(Counted),
                                     DOCKET_INPUTS(DOCKET_IN(Pile, &pile))});
    free(data);
    return made;
}

static void fr_46_input_beyond_the_limit_runs_nothing(void **state)
{
    site *at = *state;
    docket_graph *graph = pile_graph(at, &count_pile_step, LIMIT, DOCKET_COMMIT_BEFORE_NEXT);
    outcome made = count_bytes(graph, LIMIT);
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Counted)->size, LIMIT);
    outcome_free(&made);
    made = count_bytes(graph, LIMIT + 1);
    assert_too_large(&made, "count_pile", LIMIT + 1, LIMIT, 0);
    assert_int_equal(ledger_count(at->folder.path, "count-%d", LIMIT), 1);
    assert_int_equal(ledger_count(at->folder.path, "count-%d", LIMIT + 1), 0);
    docket_graph_free(graph);
}

static void fr_46_unrecorded_steps_have_no_limit(void **state)
{
    site *at = *state;
    const docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT, .user = at->folder.path};
    docket_graph *graph = graph_of(NULL, &plain, DOCKET_STEPS(make_pile, count_pile));
    outcome made = ask_for(graph, DOCKET_OF(Counted), 3 * LIMIT);
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Counted)->size, 3 * LIMIT);
    outcome_free(&made);
    docket_graph_free(graph);
}

/* One that is too large leaves the others of its group in. */
typedef struct asker {
    pthread_t thread;
    docket_graph *graph;
    int64_t size;
    docket_status status;
} asker;

static void *ask_in_thread(void *arg)
{
    asker *self = arg;
    outcome made = ask_for(self->graph, DOCKET_OF(Pile), self->size);
    self->status = made.status;
    outcome_free(&made);
    return NULL;
}

static void fr_46_only_the_large_one_of_many_fails(void **state)
{
    enum { ASKERS = 16 };
    site *at = *state;
    asker askers[ASKERS];
    docket_graph *graph = pile_graph(at, &make_pile_step, 1000, DOCKET_COMMIT_BEFORE_NEXT);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (asker){.graph = graph, .size = 993 + i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_in_thread, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_status(askers[i].size <= 1000 ? DOCKET_OK : DOCKET_TOO_LARGE, askers[i].status);
        assert_int_equal(ledger_count(at->folder.path, "pile-%d", (int)askers[i].size), 1);
    }
    docket_graph_free(graph);
    site_close(at);
    if (at->durable) {
        assert_int_equal(list_kinds(at, false).values, 8);
    }
}

/* A record of a store that took more: what is there is read, whatever this store would take. */
static void fr_46_larger_record_of_before_is_restored(void **state)
{
    site *at = *state;
    docket_graph *graph = pile_graph(at, &make_pile_step, LIMIT, DOCKET_COMMIT_BEFORE_NEXT);
    outcome made = ask_for(graph, DOCKET_OF(Pile), 5000);
    outcome_free(&made);
    docket_graph_free(graph);
    site_close(at);
    graph = pile_graph(at, &make_pile_step, 1000, DOCKET_COMMIT_BEFORE_NEXT);
    made = ask_for(graph, DOCKET_OF(Pile), 5000);
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Pile)->size, 5000);
    outcome_free(&made);
    docket_graph_free(graph);
    assert_int_equal(ledger_count(at->folder.path, "pile-5000"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_39_fixed_step_runs_on_resume),
        SITE_EACH_STORE(fr_39_fixed_global_step_runs_on_resume),
        SITE_EACH_STORE(fr_39_failure_is_shown_until_it_is_fixed),
        SITE_EACH_STORE(fr_39_absence_by_failure_is_replayed_until_forgotten),
        SITE_EACH_STORE(fr_39_absence_by_failure_is_not_kept_for_all_executions),
        SITE_EACH_STORE(fr_46_result_of_the_limit_is_kept),
        SITE_EACH_STORE(fr_46_result_beyond_the_limit_runs_once_and_fails),
        SITE_EACH_STORE(fr_46_limit_counts_encoded_bytes),
        SITE_EACH_STORE(fr_46_reason_of_an_absence_counts_as_well),
        SITE_EACH_STORE(fr_46_input_beyond_the_limit_runs_nothing),
        SITE_MEMORY(fr_46_unrecorded_steps_have_no_limit),
        SITE_EACH_STORE(fr_46_only_the_large_one_of_many_fails),
        SITE_SQLITE(fr_46_larger_record_of_before_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
