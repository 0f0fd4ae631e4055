/* Field report 60: handles that are shared across fork. A child's use of one is answered with DOCKET_FORKED, a store that
 * the child opens for itself is its own, and the parent notices none of it. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/sqlite.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 8, CALLS = 50, PARENT_CALLS = 25, CHILD_LIMIT_MS = 60000 };

/* The thread sanitizer cannot follow threads that a forked child starts: tests whose children do so are left out there,
 * and it is told to go on after fork for the others. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#endif
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* Leaks are looked for where nothing is inherited; to look in children takes long, and finds the parent's threads gone. */
static bool is_child;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

static pid_t fork_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        is_child = true;
        alarm(CHILD_LIMIT_MS / 1000);
    }
    return child;
}

DOCKET_STRUCT(Call, (INT64, process), (INT64, number));
DOCKET_STRUCT(Echo, (INT64, process), (INT64, number), (STRING, text));

static docket_status echo(docket_ctx *ctx, Echo *out, const Call *in)
{
    ledger_note(docket_ctx_user(ctx), "echo-%d-%d", (int)in->process, (int)in->number);
    *out = (Echo){in->process, in->number, docket_printf(ctx, "%d,%d", (int)in->process, (int)in->number)};
    return DOCKET_OK;
}
DOCKET_STEP(echo, Echo, Call);

static docket_graph *echo_graph(docket_store *store, const char *folder_path)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = (void *)(uintptr_t)folder_path};
    docket_graph *graph = docket_graph_new("echo", NULL);
    if (docket_graph_add(graph, &echo_step, &options) != DOCKET_OK ||
        docket_graph_validate(graph, NULL) != DOCKET_OK) {
        abort();
    }
    return graph;
}

/* Says DOCKET_CORRUPT for an answer that is another's. */
static docket_status call(docket_graph *graph, int64_t process, int64_t number)
{
    char expected[64];
    const Call in = {process, number};
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Echo),
                                                DOCKET_INPUTS(DOCKET_IN(Call, &in))});
    snprintf(expected, sizeof expected, "%d,%d", (int)process, (int)number);
    if (made.status == DOCKET_OK && strcmp(DOCKET_RESULT(made.result, Echo)->text, expected) != 0) {
        made.status = DOCKET_CORRUPT;
    }
    outcome_free(&made);
    return made.status;
}

static int count_calls(docket_graph *graph, int64_t process, int first, int count, docket_status expected)
{
    int right = 0;
    for (int i = first; i < first + count; i++) {
        right += call(graph, process, i) == expected;
    }
    return right;
}

/* Runs `in_child` in children forked from this very process, and waits for them; their exit handlers run. */
typedef int child_main(site *at, docket_graph *graph, int number);

static void fork_children(site *at, docket_graph *graph, child_main *in_child, pid_t children[CHILDREN])
{
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork_child();
        if (children[i] == 0) {
            exit(in_child(at, graph, i + 1));
        }
        assert_true(children[i] > 0);
    }
}

static void assert_ended_well(pid_t children[CHILDREN])
{
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(child_wait(children[i], CHILD_LIMIT_MS), 0);
    }
}

static void assert_whole(const site *at)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    if (!at->durable) {
        return;
    }
    assert_int_equal(sqlite3_open_v2(at->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "ok");
    sqlite3_finalize(row);
    sqlite3_close(db);
}

/* The parent works before, during and after its children, and each of its results was computed once. */
static void assert_parent_is_unharmed(site *at, child_main *in_child)
{
    pid_t children[CHILDREN];
    docket_graph *graph = echo_graph(site_open(at, NULL), at->folder.path);
    assert_status(DOCKET_OK, call(graph, 0, 0));
    fork_children(at, graph, in_child, children);
    assert_int_equal(count_calls(graph, 0, 1, PARENT_CALLS, DOCKET_OK), PARENT_CALLS);
    assert_ended_well(children);
    assert_int_equal(count_calls(graph, 0, 1 + PARENT_CALLS, PARENT_CALLS, DOCKET_OK), PARENT_CALLS);
    docket_graph_free(graph);
    site_close(at);
    assert_whole(at);
    graph = echo_graph(site_open(at, NULL), at->folder.path);
    assert_int_equal(count_calls(graph, 0, 0, 1 + 2 * PARENT_CALLS, DOCKET_OK), 1 + 2 * PARENT_CALLS);
    for (int i = 0; i < 1 + 2 * PARENT_CALLS; i++) {
        assert_int_equal(ledger_count(at->folder.path, "echo-0-%d", i), 1);
    }
    docket_graph_free(graph);
}

/* ---- What children do ---- */

static bool ignore_entry(void *arg, const docket_checkpoint *entry)
{
    (void)arg;
    (void)entry;
    return true;
}

/* Every call with an inherited handle. */
static int use_inherited(site *at, docket_graph *graph, int number)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_execution *execution = NULL;
    uint64_t count;
    const Call in = {number, 0};
    const uint8_t key[32] = {0};
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "echo"};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Echo),
                                    DOCKET_INPUTS(DOCKET_IN(Call, &in))};
    docket_buffer *buffer = docket_buffer_new();
    int wrong = CALLS - count_calls(graph, number, 0, CALLS, DOCKET_FORKED);
    wrong += docket_execute_begin(graph, &request, NULL, NULL, &execution, &error) != DOCKET_FORKED;
    wrong += docket_checkpoint_list(at->store, NULL, ignore_entry, NULL, &error) != DOCKET_FORKED;
    wrong += docket_checkpoint_read(at->store, key, buffer, &error) != DOCKET_FORKED;
    wrong += docket_checkpoint_forget(at->store, &filter, &count, &error) != DOCKET_FORKED;
    wrong += docket_store_purge(at->store, &count, &error) != DOCKET_FORKED;
    wrong += docket_graph_add(graph, &echo_step, NULL) != DOCKET_FORKED;
    wrong += docket_graph_validate(graph, &error) != DOCKET_FORKED;
    docket_buffer_free(buffer);
    for (int i = 0; i < CALLS; i++) {
        wrong += ledger_count(at->folder.path, "echo-%d-%d", number, i) != 0;
    }
    return wrong;
}

/* A tidy child that gives back what it inherited. */
static int close_inherited(site *at, docket_graph *graph, int number)
{
    int wrong = call(graph, number, 0) != DOCKET_FORKED;
    docket_graph_free(graph);
    docket_store_close(at->store);
    return wrong;
}

static int use_own_store(site *at, docket_graph *graph, int number)
{
    char url[FOLDER_PATH_ROOM];
    docket_store *store = NULL;
    (void)graph;
    snprintf(url, sizeof url, at->durable ? "sqlite:%s/child-%d.db" : "memory:", at->folder.path, number);
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK) {
        return 1;
    }
    docket_graph *own = echo_graph(store, at->folder.path);
    int right = 0;
    for (int round = 0; round < 2; round++) {
        right += count_calls(own, number, 0, CALLS, DOCKET_OK);
    }
    for (int i = 0; i < CALLS; i++) {
        right += ledger_count(at->folder.path, "echo-%d-%d", number, i) == 1;
    }
    docket_graph_free(own);
    docket_store_close(store);
    return right != 3 * CALLS;
}

/* The same file: SQLite cannot do that, and says so. */
static int open_the_same_file(site *at, docket_graph *graph, int number)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    const docket_store_options look = {DOCKET_STORE_OPTIONS_INIT, .read_only = true};
    (void)graph;
    (void)number;
    int wrong = docket_store_open(&store, at->url, NULL, &error) != DOCKET_FORKED || store != NULL;
    wrong += strstr(error.message, "fork") == NULL;
    wrong += docket_store_open(&store, at->url, &look, &error) != DOCKET_FORKED;
    wrong += docket_store_delete(at->url, &error) == DOCKET_OK;
    return wrong;
}

/* After exec all is well. */
static int execute_program(site *at, docket_graph *graph, int number)
{
    char digits[16];
    (void)graph;
    snprintf(digits, sizeof digits, "%d", number);
    execl("/proc/self/exe", "fork_test", "calls", at->url, at->folder.path, digits, (char *)NULL);
    return 1;
}

static int make_calls(const char *url, const char *folder_path, int number)
{
    docket_store *store = NULL;
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK) {
        return 2;
    }
    docket_graph *graph = echo_graph(store, folder_path);
    int right = count_calls(graph, number, 0, CALLS, DOCKET_OK);
    docket_graph_free(graph);
    docket_store_close(store);
    return right != CALLS;
}

static void fr_60_inherited_handles_answer_forked(void **state)
{
    assert_parent_is_unharmed(*state, use_inherited);
}

static void fr_60_tidy_child_does_not_end_its_parents_session(void **state)
{
    assert_parent_is_unharmed(*state, close_inherited);
}

static void fr_60_child_may_have_a_store_of_its_own(void **state)
{
    assert_parent_is_unharmed(*state, use_own_store);
}

static void fr_60_child_cannot_open_its_parents_file(void **state)
{
    assert_parent_is_unharmed(*state, open_the_same_file);
}

static void fr_60_programs_share_the_file(void **state)
{
    site *at = *state;
    assert_parent_is_unharmed(at, execute_program);
    docket_graph *graph = echo_graph(at->store, at->folder.path);
    for (int number = 1; number <= CHILDREN; number++) {
        assert_int_equal(count_calls(graph, number, 0, CALLS, DOCKET_OK), CALLS);
        for (int i = 0; i < CALLS; i++) {
            assert_int_equal(ledger_count(at->folder.path, "echo-%d-%d", number, i), 1);
        }
    }
    docket_graph_free(graph);
}

#ifndef UNDER_THREAD_SANITIZER
/* Once the parent has closed it, the file is as good as new to a child forked later. */
static void fr_60_file_closed_before_fork_may_be_opened(void **state)
{
    site *at = *state;
    docket_graph *graph = echo_graph(site_open(at, NULL), at->folder.path);
    assert_status(DOCKET_OK, call(graph, 0, 0));
    docket_graph_free(graph);
    site_close(at);
    for (int number = 1; number <= 4; number++) {
        pid_t child = fork_child();
        if (child == 0) {
            exit(make_calls(at->url, at->folder.path, number));
        }
        assert_int_equal(child_wait(child, CHILD_LIMIT_MS), 0);
    }
}

#endif

/* ---- Work under way ---- */

static docket_status wait_for_gate(docket_ctx *ctx, Echo *out, const Call *in)
{
    gate *gates = docket_ctx_user(ctx);
    gate_arrive(&gates[0]);
    out->number = in->number;
    return gate_wait(&gates[1]) ? DOCKET_OK : docket_abort(ctx, 1, "left alone");
}
DOCKET_STEP(wait_for_gate, Echo, Call);

/* All that can be done with what is under way: none of it may wait for threads that the child does not have. */
static int meddle(docket_execution *execution, docket_graph *graph, docket_pool *pool, docket_cancel *cancel)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    docket_execution_cancel(execution);
    docket_cancel_set(cancel);
    int wrong = docket_execution_end(execution, &result, &error) != DOCKET_FORKED || result != NULL;
    wrong += docket_graph_stop(graph, -1, &error) != DOCKET_FORKED;
    wrong += docket_graph_stop(graph, 1000, &error) != DOCKET_FORKED;
    wrong += docket_pool_run(pool, -1) != 0;
    docket_cancel_free(cancel);
    docket_graph_free(graph);
    docket_pool_free(pool);
    return wrong;
}

static void fr_60_work_under_way_is_the_parents(void **state)
{
    site *at = *state;
    docket_error error;
    docket_execution *execution = NULL;
    docket_result *result = NULL;
    gate gates[2] = {GATE_INIT(1), GATE_INIT(1)};
    docket_pool *pool = docket_pool_new(2);
    docket_cancel *cancel = docket_cancel_new();
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = gates};
    docket_graph *graph = graph_of_one(&graph_options, &wait_for_gate_step, &options);
    const Call in = {0, 7};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Echo),
                                    DOCKET_INPUTS(DOCKET_IN(Call, &in)), .cancel = cancel};
    assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &error));
    assert_true(gate_wait(&gates[0]));
    pid_t child = fork_child();
    if (child == 0) {
        _exit(meddle(execution, graph, pool, cancel));
    }
    assert_int_equal(child_wait(child, CHILD_LIMIT_MS), 0);
    gate_arrive(&gates[1]);
    assert_status(DOCKET_OK, docket_execution_end(execution, &result, &error));
    assert_int_equal(DOCKET_RESULT(result, Echo)->number, 7);
    docket_result_free(result);
    docket_graph_free(graph);
    docket_cancel_free(cancel);
    docket_pool_free(pool);
}

/* ---- A child that lives on ---- */

static pid_t fork_sleeper(void)
{
    pid_t child = fork_child();
    if (child == 0) {
        sleep(CHILD_LIMIT_MS / 1000);
        _exit(0);
    }
    return child;
}

/* It must not keep the locks of a parent that has closed its store. */
static void fr_60_sleeping_child_keeps_no_lock(void **state)
{
    site *at = *state;
    docket_graph *graph = echo_graph(site_open(at, NULL), at->folder.path);
    assert_status(DOCKET_OK, call(graph, 0, 0));
    pid_t child = fork_sleeper();
    assert_status(DOCKET_OK, call(graph, 0, 1));
    docket_graph_free(graph);
    site_close(at);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("calls", at->url, at->folder.path, "1")), 0);
    assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
    assert_int_equal(folder_entry_count(at->folder.path), 2 + CALLS); /* the ledgers */
    kill(child, SIGKILL);
    child_wait(child, CHILD_LIMIT_MS);
}

/* A process that holds the commit lock, has a child, and is killed. Its child's id stands in the ledger. */
static int hold_and_die(const char *url, const char *folder_path)
{
    docket_store *store = NULL;
    sqlite3 *db = NULL;
    char path[FOLDER_PATH_ROOM];
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK ||
        sqlite3_open(url + strlen("sqlite:"), &db) != SQLITE_OK ||
        docket_sqlite_begin(store, db, NULL) != DOCKET_OK) {
        return 1;
    }
    pid_t child = fork_sleeper();
    snprintf(path, sizeof path, "%s/sleeper", folder_path);
    if (!file_write(path, &child, sizeof child)) {
        return 2;
    }
    raise(SIGKILL);
    return 3;
}

static void fr_60_child_of_a_killed_holder_keeps_no_lock(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    size_t size;
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("hold", at->url, at->folder.path)), -SIGKILL);
    docket_graph *graph = echo_graph(site_open(at, NULL), at->folder.path);
    assert_int_equal(count_calls(graph, 0, 0, CALLS, DOCKET_OK), CALLS);
    docket_graph_free(graph);
    pid_t *sleeper = (pid_t *)(void *)file_read(folder_file(&at->folder, "sleeper", path), &size);
    assert_non_null(sleeper);
    assert_int_equal(size, sizeof *sleeper);
    assert_int_equal(kill(*sleeper, SIGKILL), 0);
    free(sleeper);
}

/* ---- fork in the midst of work ---- */

typedef struct worker {
    pthread_t thread;
    docket_graph *graph;
    int number;
    atomic_bool *ended;
    int wrong;
} worker;

static void *work(void *arg)
{
    worker *self = arg;
    for (int i = 0; !atomic_load(self->ended); i++) {
        self->wrong += call(self->graph, self->number, i % 200) != DOCKET_OK;
    }
    return NULL;
}

static void fr_60_fork_amid_work_hangs_nobody(void **state)
{
    enum { WORKERS = 3 };
    site *at = *state;
    worker workers[WORKERS];
    atomic_bool ended = false;
    docket_graph *graph = echo_graph(site_open(at, NULL), at->folder.path);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.graph = graph, .number = 100 + i, .ended = &ended};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    int wrong = 0;
    for (long round = site_count(10, 2000); round > 0; round--) {
        pid_t child = fork_child();
        if (child == 0) {
            _exit(call(graph, 1, 1) != DOCKET_FORKED || call(graph, 1, 2) != DOCKET_FORKED);
        }
        wrong += child_wait(child, CHILD_LIMIT_MS) != 0;
    }
    atomic_store(&ended, true);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        wrong += workers[i].wrong;
        for (int n = 0; n < 200; n++) {
            wrong += ledger_count(at->folder.path, "echo-%d-%d", 100 + i, n) > 1;
        }
    }
    assert_int_equal(wrong, 0);
    docket_graph_free(graph);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "calls") == 0) {
        return make_calls(argv[2], argv[3], (int)strtol(argv[4], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        return hold_and_die(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_60_inherited_handles_answer_forked),
        SITE_EACH_STORE(fr_60_tidy_child_does_not_end_its_parents_session),
        SITE_MEMORY(fr_60_child_may_have_a_store_of_its_own),
        SITE_SQLITE(fr_60_child_cannot_open_its_parents_file),
        SITE_SQLITE(fr_60_programs_share_the_file),
        SITE_EACH_STORE(fr_60_work_under_way_is_the_parents),
        SITE_SQLITE(fr_60_sleeping_child_keeps_no_lock),
        SITE_SQLITE(fr_60_child_of_a_killed_holder_keeps_no_lock),
        SITE_EACH_STORE(fr_60_fork_amid_work_hangs_nobody),
#ifndef UNDER_THREAD_SANITIZER
        SITE_SQLITE(fr_60_child_may_have_a_store_of_its_own),
        SITE_SQLITE(fr_60_file_closed_before_fork_may_be_opened),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
