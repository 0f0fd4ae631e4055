/* Two stores on one file in one process, opened and closed a thousand times, while readers of other processes open,
 * read and close the file as the sqlite3 shell does. A reader that closes last would copy the log into the database and
 * remove it, and a descriptor of the file that is closed drops all locks of its process: nothing that was reported as
 * recorded may get lost on either way. */
#include "crash/subject.h"
#include "support/child.h"
#include "support/ledger.h"
#include "support/site.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READERS = 2, LIMIT_MS = 600000 };

static long rounds;

DOCKET_STRUCT(Question, (INT64, number));
DOCKET_STRUCT(Answer, (INT64, number));

static docket_status answer(docket_ctx *ctx, Answer *out, const Question *question)
{
    const subject *self = docket_ctx_user(ctx);
    ledger_note(self->folder, "answer");
    out->number = question->number * 3;
    return DOCKET_OK;
}
DOCKET_STEP(answer, Answer, Question);

typedef struct side {
    docket_store *store;
    docket_graph *graph;
} side;

static bool open_side(side *of, const subject *self)
{
    char url[256];
    docket_error error = DOCKET_ERROR_INIT;
    snprintf(url, sizeof url, "sqlite:%s/store.db", self->folder);
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    if (docket_store_open(&of->store, url, &options, &error) != DOCKET_OK) {
        fprintf(stderr, "pair: open: %s: %s\n", docket_status_name(error.status), error.message);
        return false;
    }
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL,
                                          .store = of->store, .user = (void *)(uintptr_t)self};
    of->graph = docket_graph_new("pair", NULL);
    docket_graph_add(of->graph, &answer_step, &recorded);
    return docket_graph_validate(of->graph, &error) == DOCKET_OK;
}

static void close_side(side *of)
{
    docket_graph_free(of->graph);
    docket_store_close(of->store);
    *of = (side){NULL, NULL};
}

static bool ask(const side *of, int64_t number)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const Question question = {.number = number};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Answer),
                                    DOCKET_INPUTS(DOCKET_IN(Question, &question))};
    bool ok = docket_execute(of->graph, &request, &result, &error) == DOCKET_OK &&
              DOCKET_RESULT(result, Answer)->number == number * 3;
    if (!ok) {
        fprintf(stderr, "pair: question %lld: %s: %s\n", (long long)number, docket_status_name(error.status),
                error.message);
    }
    docket_result_free(result);
    return ok;
}

/* Both sides record something new, then each looks for what the other has recorded. */
static subject_end open_and_close(const subject *self)
{
    side sides[2] = {{NULL, NULL}, {NULL, NULL}};
    bool ok = true;
    for (long i = 0; ok && i < rounds; i++) {
        ok = open_side(&sides[0], self) && open_side(&sides[1], self);
        ok = ok && ask(&sides[0], 2 * i) && ask(&sides[1], 2 * i + 1);
        int first = (int)(random() % 2);
        if (random() % 2 == 0) {
            close_side(&sides[first]);
            ok = ok && ask(&sides[1 - first], 2 * i + first);
        }
        close_side(&sides[first]);
        close_side(&sides[1 - first]);
    }
    return ok ? SUBJECT_OK : SUBJECT_NOT_EXECUTED;
}

/* Asks for everything once more. */
static subject_end audit(const subject *self)
{
    side of = {NULL, NULL};
    bool ok = open_side(&of, self);
    for (long i = 0; ok && i < 2 * rounds; i++) {
        ok = ask(&of, i);
    }
    close_side(&of);
    return ok ? SUBJECT_OK : SUBJECT_NOT_EXECUTED;
}

static const char *stop_file(const subject *self)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/ledger-stop", self->folder);
    return path;
}

/* What the shell does for one SELECT, over and over; docket is not in it. */
static subject_end read_like_the_shell(const subject *self)
{
    char path[256];
    snprintf(path, sizeof path, "%s/store.db", self->folder);
    while (access(stop_file(self), F_OK) != 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_busy_timeout(db, 1000) == SQLITE_OK &&
            sqlite3_exec(db, "SELECT count(*), max(length(value)) FROM docket_checkpoint", NULL, NULL, NULL) ==
                SQLITE_OK) {
            ledger_note(self->folder, "reads");
        }
        sqlite3_close(db);
        usleep((useconds_t)(random() % 3000));
    }
    return SUBJECT_OK;
}

static void test_pair(void **state)
{
    (void)state;
    subject self = {.scope = DOCKET_SCOPE_GLOBAL};
    folder place = folder_make();
    snprintf(self.folder, sizeof self.folder, "%s", place.path);
    rounds = site_count(1000, 5000);
    pid_t readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = subject_start(&self, read_like_the_shell);
    }
    int ended = child_wait(subject_start(&self, open_and_close), LIMIT_MS);
    ledger_note(place.path, "stop");
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(child_wait(readers[i], LIMIT_MS), SUBJECT_OK);
    }
    assert_int_equal(ended, SUBJECT_OK);
    assert_int_equal(ledger_count(place.path, "answer"), 2 * rounds);
    assert_int_equal(child_wait(subject_start(&self, audit), LIMIT_MS), SUBJECT_OK);
    if (ledger_count(place.path, "answer") != 2 * rounds) {
        fail_msg("%ld of %ld recorded answers were lost (%s)", ledger_count(place.path, "answer") - 2 * rounds,
                 2 * rounds, place.path);
    }
    assert_int_equal(child_wait(subject_start(&self, subject_inspect), LIMIT_MS), SUBJECT_OK);
    print_message("%ld pairs of stores, %ld reads beside them, %ld answers found again\n", rounds,
                  ledger_count(place.path, "reads"), 2 * rounds);
    assert_true(ledger_count(place.path, "reads") > 100);
    folder_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pair)};
    subject_choose_place();
    return cmocka_run_group_tests_name("pair", tests, NULL, NULL);
}
