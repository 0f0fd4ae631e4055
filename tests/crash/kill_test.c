/* SIGKILL at every system call with which an execution of three recorded steps, or the making of a store, changes
 * something: one call after the other, each in a process and a folder of its own. What comes after the kill must find
 * everything that was committed, and repeat at most what was not. */
#include "crash/hook.h"
#include "crash/subject.h"
#include "support/child.h"
#include "support/site.h"

#include <signal.h>
#include <stdio.h>

enum { LIMIT_MS = 60000, MOST_CALLS = 5000 };

/* What the next child does. */
static hook_action chosen_action;
static long chosen_number;

static void begin_to_be_hit(void)
{
    hook_begin(chosen_action, chosen_number, 0);
}

static subject_end work_and_be_hit(const subject *self)
{
    if (self->opened == NULL) {
        begin_to_be_hit();
    }
    subject_end end = subject_work(self);
    hook_end();
    return end;
}

static subject_end open_and_be_hit(const subject *self)
{
    begin_to_be_hit();
    subject_end end = subject_open_only(self);
    hook_end();
    return end;
}

typedef struct tally {
    long kills, repeated, commits_seen;
} tally;

typedef struct books {
    long entries[SUBJECT_STEPS], commits[SUBJECT_STEPS];
} books;

static books read_books(const subject *self)
{
    books of;
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        of.entries[i] = subject_entries(self, i);
        of.commits[i] = subject_commits(self, i);
    }
    return of;
}

/* Commits that were reported before the kill were not computed again; of the rest at most one step ran twice (all
 * three, if they commit together at the end). */
static void check_books(const subject *self, const books *before, tally *sum)
{
    long repeated = 0;
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        long entries = subject_entries(self, i);
        if (before->commits[i] > 0 && entries != before->entries[i]) {
            fail_msg("call %ld: step %s was committed and ran again", chosen_number, subject_steps[i]);
        }
        assert_in_range(entries, 1, 2);
        repeated += entries - 1;
        sum->commits_seen += before->commits[i];
    }
    assert_in_range(repeated, 0, self->commit == DOCKET_COMMIT_BEFORE_END ? SUBJECT_STEPS : 1);
    sum->repeated += repeated;
}

/* False: the child came to its end, there was no such call. */
static bool kill_once(const subject *like, subject_end (*function)(const subject *), tally *sum)
{
    subject self = *like;
    folder place = folder_make();
    snprintf(self.folder, sizeof self.folder, "%s", place.path);
    int ended = child_wait(subject_start(&self, function), LIMIT_MS);
    bool struck = hook_struck();
    if (ended != (struck ? -SIGKILL : SUBJECT_OK)) {
        fail_msg("call %ld: the child ended with %d", chosen_number, ended);
    }
    books before = read_books(&self);
    self.opened = NULL;
    ended = child_wait(subject_start(&self, subject_recover), LIMIT_MS);
    if (ended != SUBJECT_OK) {
        fail_msg("call %ld: the child after the killed one ended with %d (%s)", chosen_number, ended, place.path);
    }
    check_books(&self, &before, sum);
    sum->kills += struck;
    folder_remove(&place);
    return struck;
}

static void kill_at_each(const subject *like, subject_end (*function)(const subject *), hook_action action)
{
    tally sum = {0, 0, 0};
    chosen_action = action;
    chosen_number = 1;
    while (kill_once(like, function, &sum)) {
        chosen_number++;
        assert_true(chosen_number < MOST_CALLS);
    }
    print_message("%ld kills, %ld steps had been committed before, %ld ran twice\n", sum.kills, sum.commits_seen,
                  sum.repeated);
    for (hook_call call = HOOK_OPEN; call < HOOK_CALLS; call++) {
        print_message("    %s %ld\n", hook_name(call), hook_count(call));
    }
    /* Else the hook is not in front of SQLite's calls. */
    assert_true(hook_count(HOOK_WRITE) > 5);
    if (action != HOOK_KILL_WITHIN) {
        assert_true(hook_count(HOOK_SYNC) > 0 && hook_count(HOOK_FCNTL) > 10);
        assert_int_equal(hook_count(HOOK_NODE), like->opened == NULL);
        assert_true(like->opened != NULL || (hook_count(HOOK_OPEN) > 2 && hook_count(HOOK_MAP) > 0));
    }
}

static const subject workflow = {.scope = DOCKET_SCOPE_WORKFLOW};
static const subject global = {.scope = DOCKET_SCOPE_GLOBAL};
static const subject global_opened = {.scope = DOCKET_SCOPE_GLOBAL, .opened = begin_to_be_hit};
static const subject at_end_opened = {
    .scope = DOCKET_SCOPE_WORKFLOW, .commit = DOCKET_COMMIT_BEFORE_END, .opened = begin_to_be_hit};
static const subject at_end = {.scope = DOCKET_SCOPE_WORKFLOW, .commit = DOCKET_COMMIT_BEFORE_END};
static const subject process_only = {.scope = DOCKET_SCOPE_WORKFLOW, .durability = DOCKET_DURABILITY_PROCESS};

static void test_workflow_before(void **state)
{
    (void)state;
    kill_at_each(&workflow, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_workflow_within(void **state)
{
    (void)state;
    kill_at_each(&workflow, work_and_be_hit, HOOK_KILL_WITHIN);
}

static void test_workflow_after(void **state)
{
    (void)state;
    kill_at_each(&workflow, work_and_be_hit, HOOK_KILL_AFTER);
}

static void test_global_before(void **state)
{
    (void)state;
    kill_at_each(&global, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_global_within(void **state)
{
    (void)state;
    kill_at_each(&global, work_and_be_hit, HOOK_KILL_WITHIN);
}

/* The making of the store is the same in any scope: these begin behind it. */
static void test_global_opened(void **state)
{
    (void)state;
    kill_at_each(&global_opened, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_before_end_opened(void **state)
{
    (void)state;
    kill_at_each(&at_end_opened, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_before_end(void **state)
{
    (void)state;
    kill_at_each(&at_end, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_process_durability(void **state)
{
    (void)state;
    kill_at_each(&process_only, work_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_making(void **state)
{
    (void)state;
    kill_at_each(&workflow, open_and_be_hit, HOOK_KILL_BEFORE);
}

static void test_making_within(void **state)
{
    (void)state;
    kill_at_each(&workflow, open_and_be_hit, HOOK_KILL_WITHIN);
}

int main(void)
{
    const struct CMUnitTest brief[] = {
        cmocka_unit_test(test_workflow_before),
        cmocka_unit_test(test_workflow_within),
        cmocka_unit_test(test_global_opened),
        cmocka_unit_test(test_before_end_opened),
    };
    const struct CMUnitTest complete[] = {
        cmocka_unit_test(test_workflow_before),    cmocka_unit_test(test_workflow_within),
        cmocka_unit_test(test_workflow_after),     cmocka_unit_test(test_global_before),
        cmocka_unit_test(test_global_within),      cmocka_unit_test(test_before_end),
        cmocka_unit_test(test_process_durability), cmocka_unit_test(test_making),
        cmocka_unit_test(test_making_within),
    };
    bool is_long = site_count(0, 1) != 0;
    subject_choose_place();
    hook_install();
    return is_long ? cmocka_run_group_tests_name("kill", complete, NULL, NULL)
                   : cmocka_run_group_tests_name("kill", brief, NULL, NULL);
}
