/* Isolated steps: each attempt in a process of its own, which may crash, hang, or send a lot. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared with the children. */
typedef struct page {
    atomic_int entries;
    _Atomic(pid_t) pid;
} page;

static page *shared;

static int map_page(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED;
}

static void begin_test(void)
{
    atomic_store(&shared->entries, 0);
    atomic_store(&shared->pid, 0);
}

DOCKET_STRUCT(Part, (STRING, name), (INT32, number));
DOCKET_STRUCT(Deep, (STRING, text), (LIST(STRUCT(Part)), parts), (STRUCT(Part), one), (BYTES, raw),
              (OPTIONAL(INT64), maybe));

static docket_status obey(docket_ctx *ctx, Deep *out, const IS *in)
{
    int entry = atomic_fetch_add(&shared->entries, 1) + 1;
    atomic_store(&shared->pid, getpid());
    const char *word = in->value;
    if (strcmp(word, "abort") == 0 || (strcmp(word, "abort once") == 0 && entry == 1)) {
        abort();
    } else if (strcmp(word, "segv") == 0) {
        raise(SIGKILL);
    } else if (strcmp(word, "exit") == 0) {
        _exit(3);
    } else if (strcmp(word, "hang") == 0) {
        while (shared != NULL) {
            pause();
        }
    } else if (strcmp(word, "absent") == 0) {
        return docket_absent(ctx, "nothing in %d", entry);
    } else if (strcmp(word, "fail") == 0) {
        docket_cause(ctx, "cause %d", entry);
        return docket_fail(ctx, 40 + entry, "failure %d", entry);
    } else if (strcmp(word, "reject") == 0) {
        return docket_reject(ctx, 9, "never");
    } else if (strcmp(word, "later") == 0) {
        return entry < 2 ? docket_retry_after(ctx, 4, 1, "later") : DOCKET_OK;
    } else if (strcmp(word, "bad text") == 0) {
        out->text = "\xff";
    } else if (strcmp(word, "forget me") == 0) {
        docket_do_not_record(ctx);
    } else if (strcmp(word, "big") == 0) {
        out->raw.size = 5 << 20;
        out->raw.data = memset(docket_alloc(ctx, out->raw.size), 'b', out->raw.size);
    } else {
        Part *parts = DOCKET_NEW_ARRAY(ctx, Part, 3);
        for (int i = 0; i < 3; i++) {
            parts[i] = (Part){.name = docket_printf(ctx, "part %d", i), .number = i};
        }
        *out = (Deep){
            .text = in->value, .parts = parts, .parts_count = 3, .one = &parts[1], .maybe = -5, .has_maybe = true};
    }
    return DOCKET_OK;
}
DOCKET_STEP(obey, Deep, IS);

static outcome send_word(docket_step_options options, const char *word)
{
    begin_test();
    options.isolated = true;
    docket_graph *graph = graph_of_one(NULL, &obey_step, &options);
    IS in = {.value = word};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .execution_id = "i",
                                .output = DOCKET_OF(Deep),
                                DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                            });
    docket_graph_free(graph);
    return of;
}

static const docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT};

static void test_a_value_comes_back_whole(void **state)
{
    (void)state;
    outcome of = send_word(plain, "value");
    assert_status(DOCKET_OK, of.status);
    const Deep *value = DOCKET_RESULT(of.result, Deep);
    assert_string_equal(value->text, "value");
    assert_int_equal(value->parts_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(value->parts[i].number, i);
    }
    assert_string_equal(value->parts[2].name, "part 2");
    assert_string_equal(value->one->name, "part 1");
    assert_true(value->has_maybe && value->maybe == -5);
    assert_int_not_equal(shared->pid, getpid());
    outcome_free(&of);
}

static void test_a_big_value_comes_back_whole(void **state)
{
    (void)state;
    outcome of = send_word(plain, "big");
    assert_status(DOCKET_OK, of.status);
    docket_bytes raw = DOCKET_RESULT(of.result, Deep)->raw;
    assert_int_equal(raw.size, 5 << 20);
    for (size_t i = 0; i < raw.size; i += 4099) {
        assert_int_equal(raw.data[i], 'b');
    }
    outcome_free(&of);
}

static void test_what_the_step_says_comes_back(void **state)
{
    (void)state;
    outcome of = send_word(plain, "absent");
    assert_status(DOCKET_ABSENT, of.status);
    assert_string_equal(of.error.message, "nothing in 1");
    outcome_free(&of);

    docket_step_options twice = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 2};
    of = send_word(twice, "fail");
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, 42);
    assert_int_equal(of.error.attempts, 2);
    assert_string_equal(of.error.message, "failure 2");
    assert_string_equal(of.error.cause, "cause 2");
    outcome_free(&of);

    of = send_word(twice, "reject");
    assert_status(DOCKET_REJECTED, of.status);
    assert_int_equal(shared->entries, 1);
    outcome_free(&of);

    of = send_word(twice, "later");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(shared->entries, 2);
    outcome_free(&of);

    of = send_word(twice, "bad text");
    assert_status(DOCKET_ENCODE, of.status);
    assert_contains(of.error.message, "text");
    assert_int_equal(shared->entries, 1);
    outcome_free(&of);
}

static void test_ends_that_are_no_answer(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int code;
        const char *says;
    } cases[] = {{"abort", SIGABRT, "signal 6"}, {"segv", SIGKILL, "signal 9"}, {"exit", 3, "exit code 3"}};
    for (int i = 0; i < 3; i++) {
        outcome of = send_word(plain, cases[i].word);
        assert_status(DOCKET_CRASHED, of.status);
        assert_int_equal(of.error.code, cases[i].code);
        assert_contains(of.error.message, cases[i].says);
        assert_contains(of.error.message, "obey");
        outcome_free(&of);
    }
}

static void test_a_crash_may_be_tried_again(void **state)
{
    (void)state;
    docket_step_options twice = {DOCKET_STEP_OPTIONS_INIT, .max_attempts = 2};
    outcome of = send_word(twice, "abort once");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(shared->entries, 2);
    outcome_free(&of);
    of = send_word(twice, "abort");
    assert_status(DOCKET_CRASHED, of.status);
    assert_int_equal(of.error.attempts, 2);
    outcome_free(&of);
}

static void assert_gone(pid_t pid)
{
    assert_int_not_equal(pid, 0);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_a_hanging_one_is_killed_at_its_limit(void **state)
{
    (void)state;
    outcome of =
        send_word((docket_step_options){DOCKET_STEP_OPTIONS_INIT, .time_limit_ms = 100, .max_attempts = 2}, "hang");
    assert_status(DOCKET_TIMEOUT, of.status);
    assert_int_equal(of.error.attempts, 2);
    assert_gone(shared->pid);
    outcome_free(&of);
}

/* Cancelled by a token, on the caller's own thread. */
static void test_a_hanging_one_is_killed_when_cancelled(void **state)
{
    (void)state;
    begin_test();
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &obey_step, &options);
    IS in = {.value = "hang"};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Deep), DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                              .cancel = docket_cancel_new()};
    caller called;
    caller_start(&called, graph, &request);
    for (int waited_ms = 0; atomic_load(&shared->pid) == 0 && waited_ms < GATE_LIMIT_MS; waited_ms++) {
        pause_ms(1);
    }
    docket_cancel_set(request.cancel);
    assert_status(DOCKET_CANCELLED, caller_join(&called)->status);
    outcome_free(&called.outcome);
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
    assert_gone(shared->pid);
    docket_cancel_free(request.cancel);
    docket_graph_free(graph);
}

/* No timer thread is there to kill it. */
static void test_a_hanging_one_on_a_pool_without_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        begin_test();
        docket_pool *pool = docket_pool_new(0);
        docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .isolated = true,
                                       .time_limit_ms = i == 0 ? 100 : 0};
        docket_graph *graph = graph_of_one(&graph_options, &obey_step, &options);
        IS in = {.value = "hang"};
        outcome of = run(graph, &(docket_request){
                                    DOCKET_REQUEST_INIT,
                                    .output = DOCKET_OF(Deep),
                                    DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                    .time_limit_ms = i == 0 ? 0 : 100,
                                });
        assert_status(DOCKET_TIMEOUT, of.status);
        assert_gone(shared->pid);
        outcome_free(&of);
        docket_error error;
        assert_status(DOCKET_OK, docket_graph_stop(graph, GATE_LIMIT_MS, &error));
        docket_graph_free(graph);
        docket_pool_free(pool);
    }
}

static void test_isolated_results_are_recorded(void **state)
{
    docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW,
                                    .store = site_open(*state, NULL)};
    static const struct {
        const char *word;
        docket_status status;
        int again; /* entries of the second execution */
    } cases[] = {{"value", DOCKET_OK, 0},    {"absent", DOCKET_ABSENT, 0}, {"forget me", DOCKET_OK, 1},
                 {"fail", DOCKET_FAILED, 1}, {"abort", DOCKET_CRASHED, 1}, {"big", DOCKET_OK, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int again = 0; again <= 1; again++) {
            outcome of = send_word(recorded, cases[i].word);
            assert_status(cases[i].status, of.status);
            assert_int_equal(shared->entries, again ? cases[i].again : 1);
            outcome_free(&of);
        }
    }
}

/* The library reaps its own children and no others, whoever else reaps them. */
static void test_other_children_are_left_alone(void **state)
{
    (void)state;
    pid_t other = fork();
    if (other == 0) {
        _exit(7);
    }
    outcome of = send_word(plain, "value");
    assert_status(DOCKET_OK, of.status);
    outcome_free(&of);
    int ended = 0;
    assert_int_equal(waitpid(other, &ended, 0), other);
    assert_int_equal(WEXITSTATUS(ended), 7);

    signal(SIGCHLD, SIG_IGN); /* the system reaps them all */
    of = send_word(plain, "value");
    assert_status(DOCKET_OK, of.status);
    outcome_free(&of);
    of = send_word(plain, "abort");
    assert_status(DOCKET_CRASHED, of.status);
    outcome_free(&of);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(waitpid(-1, &ended, 0), -1);
    assert_int_equal(errno, ECHILD);
}

/* Many at once: no child keeps another's pipe open, none is mistaken for another. */
static void test_many_at_once(void **state)
{
    (void)state;
    enum { CALLERS = 16 };
    static const char *const words[] = {"value", "abort", "absent", "exit"};
    static const docket_status expected[] = {DOCKET_OK, DOCKET_CRASHED, DOCKET_ABSENT, DOCKET_CRASHED};
    static IS in[CALLERS];
    static docket_input inputs[CALLERS];
    static docket_request requests[CALLERS];
    static caller callers[CALLERS];
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &obey_step, &options);
    long rounds = site_count(3, 200);
    for (long round = 0; round < rounds; round++) {
        begin_test();
        for (int i = 0; i < CALLERS; i++) {
            in[i] = (IS){.value = words[i % 4]};
            inputs[i] = DOCKET_IN(IS, &in[i]);
            requests[i] = (docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Deep), .inputs = &inputs[i],
                                           .input_count = 1};
            caller_start(&callers[i], graph, &requests[i]);
        }
        for (int i = 0; i < CALLERS; i++) {
            assert_status(expected[i % 4], caller_join(&callers[i])->status);
            outcome_free(&callers[i].outcome);
        }
        assert_int_equal(shared->entries, CALLERS);
    }
    docket_graph_free(graph);
}

/* Memory of the attempt is the child's; what was deferred runs there. */
static void leave_mark(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 100);
}

static docket_status defer_in_child(docket_ctx *ctx, LC *out)
{
    (void)docket_defer(ctx, leave_mark, &shared->entries);
    out->count = docket_ctx_attempt(ctx);
    out->original = docket_strdup(ctx, docket_ctx_execution_id(ctx));
    out->target = docket_strdup(ctx, docket_ctx_idempotency_key(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(defer_in_child, LC);

static void test_the_context_works_in_the_child(void **state)
{
    (void)state;
    begin_test();
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &defer_in_child_step, &options);
    outcome of = run_letters(graph, "id", NULL);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 1);
    assert_string_equal(DOCKET_RESULT(of.result, LC)->original, "id");
    assert_int_equal(strlen(DOCKET_RESULT(of.result, LC)->target), 32);
    assert_int_equal(shared->entries, 100);
    outcome_free(&of);
    docket_graph_free(graph);
}

/* Handles of the parent are not for the child. */
static docket_status execute_in_child(docket_ctx *ctx, LC *out, const IS *in)
{
    outcome of = run_letters(docket_ctx_user(ctx), NULL, in->value);
    out->count = (int32_t)of.status;
    outcome_free(&of);
    return DOCKET_OK;
}
DOCKET_STEP(execute_in_child, LC, IS);

static void test_graphs_of_the_parent_answer_forked(void **state)
{
    (void)state;
    docket_graph *below = graph_of_one(NULL, &count_letters_step, NULL);
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = below, .isolated = true};
    docket_graph *graph = graph_of_one(NULL, &execute_in_child_step, &options);
    assert_int_equal(letters_count(graph, NULL, "text"), DOCKET_FORKED);
    docket_graph_free(graph);
    docket_graph_free(below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_a_value_comes_back_whole),
        SITE_MEMORY(test_a_big_value_comes_back_whole),
        SITE_MEMORY(test_what_the_step_says_comes_back),
        SITE_MEMORY(test_ends_that_are_no_answer),
        SITE_MEMORY(test_a_crash_may_be_tried_again),
        SITE_MEMORY(test_a_hanging_one_is_killed_at_its_limit),
        SITE_MEMORY(test_a_hanging_one_is_killed_when_cancelled),
        SITE_MEMORY(test_a_hanging_one_on_a_pool_without_threads),
        SITE_EACH_STORE(test_isolated_results_are_recorded),
        SITE_MEMORY(test_other_children_are_left_alone),
        SITE_MEMORY(test_many_at_once),
        SITE_MEMORY(test_the_context_works_in_the_child),
        SITE_MEMORY(test_graphs_of_the_parent_answer_forked),
    };
    return cmocka_run_group_tests(tests, map_page, NULL);
}
