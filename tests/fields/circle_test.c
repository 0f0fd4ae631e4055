/* Steps of two processes that wait for each other's keys: the wait that would close the circle is refused. */
#include "support/child.h"
#include "support/site.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

DOCKET_STRUCT(Question, (INT64, number));
DOCKET_STRUCT(Left, (INT64, number));
DOCKET_STRUCT(Right, (INT64, number));

typedef struct pair {
    docket_graph *lefts, *rights;
    const char *folder;
    bool waits_for_other; /* the first step to be entered does, so that each process holds one key */
} pair;

static void leave_mark(const pair *self, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    assert_true(file_write(path, "", 0));
}

static void wait_for_mark(const pair *self, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    while (access(path, F_OK) != 0) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static docket_status ask_other(docket_ctx *ctx, docket_graph *graph, const docket_type *type,
                               const Question *question)
{
    docket_error error;
    docket_status status = docket_execute(
        graph, &(docket_request){DOCKET_REQUEST_INIT, .output = type, DOCKET_INPUTS(DOCKET_IN(Question, question))},
        NULL, &error);
    return status == DOCKET_OK ? DOCKET_OK : docket_fail_from(ctx, &error);
}

static docket_status make_left(docket_ctx *ctx, Left *out, const Question *question)
{
    pair *self = docket_ctx_user(ctx);
    out->number = question->number;
    if (!self->waits_for_other) {
        return DOCKET_OK;
    }
    self->waits_for_other = false;
    leave_mark(self, "left");
    wait_for_mark(self, "right");
    return ask_other(ctx, self->rights, DOCKET_OF(Right), question);
}
DOCKET_STEP(make_left, Left, Question);

static docket_status make_right(docket_ctx *ctx, Right *out, const Question *question)
{
    pair *self = docket_ctx_user(ctx);
    out->number = question->number;
    if (!self->waits_for_other) {
        return DOCKET_OK;
    }
    self->waits_for_other = false;
    leave_mark(self, "right");
    wait_for_mark(self, "left");
    return ask_other(ctx, self->lefts, DOCKET_OF(Left), question);
}
DOCKET_STEP(make_right, Right, Question);

static docket_graph *one_step(const char *name, const docket_step *step, pair *self, docket_store *store)
{
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .user = self, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = docket_graph_new(name, &options);
    docket_graph_add(graph, step, &recorded);
    docket_error error;
    docket_status status = docket_graph_validate(graph, &error);
    assert_status(DOCKET_OK, status);
    return graph;
}

/* One process: 0 = it got its answer, 1 = it was refused with both keys. */
static int ask(const char *url, const char *marks, const char *side)
{
    docket_store *store = NULL;
    docket_error error;
    if (docket_store_open(&store, url, NULL, &error) != DOCKET_OK) {
        return 2;
    }
    pair self = {.folder = marks, .waits_for_other = true};
    self.lefts = one_step("lefts", &make_left_step, &self, store);
    self.rights = one_step("rights", &make_right_step, &self, store);
    const Question question = {.number = 7};
    bool left = strcmp(side, "left") == 0;
    const docket_request request = {DOCKET_REQUEST_INIT, .output = left ? DOCKET_OF(Left) : DOCKET_OF(Right),
                                    DOCKET_INPUTS(DOCKET_IN(Question, &question))};
    docket_status status = docket_execute(left ? self.lefts : self.rights, &request, NULL, &error);
    docket_graph_free(self.lefts);
    docket_graph_free(self.rights);
    docket_store_close(store);
    if (status == DOCKET_CONFLICT && strstr(error.message, "would wait for ever") != NULL) {
        return 1;
    }
    return status == DOCKET_OK ? 0 : 3;
}

static void a_circle_of_two_processes_is_refused(void **state)
{
    site *at = *state;
    int rounds = (int)site_count(5, 200);
    for (int round = 0; round < rounds; round++) {
        site_open(at, NULL);
        site_close(at);
        pid_t left = child_start(NULL, CHILD_ARGUMENTS("ask", at->url, at->folder.path, "left"));
        pid_t right = child_start(NULL, CHILD_ARGUMENTS("ask", at->url, at->folder.path, "right"));
        int of_left = child_wait(left, 60000);
        int of_right = child_wait(right, 60000);
        assert_true(of_left == 0 || of_left == 1);
        assert_true(of_right == 0 || of_right == 1);
        assert_true(of_left + of_right >= 1); /* somebody was told */
        char path[FOLDER_PATH_ROOM];
        unlink(folder_file(&at->folder, "left", path));
        unlink(folder_file(&at->folder, "right", path));
        docket_error error;
        assert_status(DOCKET_OK, docket_store_delete(at->url, &error));
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "ask") == 0) {
        return ask(argv[2], argv[3], argv[4]);
    }
    const struct CMUnitTest tests[] = {SITE_SQLITE(a_circle_of_two_processes_is_refused)};
    return cmocka_run_group_tests_name("circle", tests, NULL, NULL);
}
