/* Every system call with which a store changes something fails once: an input/output error or a full disk. The
 * execution answers DOCKET_STORE or succeeds; whatever was reported as recorded stays, and when the calls go through again
 * the same file serves as if nothing had been. */
#include "crash/hook.h"
#include "crash/subject.h"
#include "support/child.h"
#include "support/site.h"

#include <errno.h>
#include <stdio.h>

enum { LIMIT_MS = 60000, MOST_CALLS = 5000 };

/* What the next child does. */
static hook_action chosen_action;
static long chosen_number;
static int chosen_error;

static subject_end work_and_fail(const subject *self)
{
    hook_begin(chosen_action, chosen_number, chosen_error);
    subject_end end = subject_work(self);
    hook_end();
    return end;
}

typedef struct tally {
    long not_opened, not_executed, succeeded;
} tally;

/* False: there was no such call. */
static bool fail_once(const subject *like, tally *sum)
{
    long entries[SUBJECT_STEPS];
    long commits[SUBJECT_STEPS];
    subject self = *like;
    folder place = folder_make();
    snprintf(self.folder, sizeof self.folder, "%s", place.path);
    int ended = child_wait(subject_start(&self, work_and_fail), LIMIT_MS);
    bool struck = hook_struck();
    if (ended != SUBJECT_OK && (!struck || (ended != SUBJECT_NOT_OPENED && ended != SUBJECT_NOT_EXECUTED))) {
        fail_msg("call %ld: the process ended with %d (%s)", chosen_number, ended, place.path);
    }
    sum->succeeded += ended == SUBJECT_OK;
    sum->not_opened += ended == SUBJECT_NOT_OPENED;
    sum->not_executed += ended == SUBJECT_NOT_EXECUTED;
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        entries[i] = subject_entries(&self, i);
        commits[i] = subject_commits(&self, i);
    }
    int after = child_wait(subject_start(&self, subject_recover), LIMIT_MS);
    if (after != SUBJECT_OK) {
        fail_msg("call %ld: the process after it ended with %d (%s)", chosen_number, after, place.path);
    }
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        bool was_reported = commits[i] > 0 || ended == SUBJECT_OK;
        if (was_reported && subject_entries(&self, i) != entries[i]) {
            fail_msg("call %ld: step %s was reported as recorded and ran again", chosen_number, subject_steps[i]);
        }
    }
    folder_remove(&place);
    return struck;
}

static void fail_each(hook_action action, int error)
{
    const subject like = {.scope = DOCKET_SCOPE_WORKFLOW, .impatient = true};
    tally sum = {0, 0, 0};
    chosen_action = action;
    chosen_error = error;
    chosen_number = 1;
    while (fail_once(&like, &sum)) {
        chosen_number++;
        assert_true(chosen_number < MOST_CALLS);
    }
    print_message("%ld calls failed: %ld stores not opened, %ld executions failed, %ld succeeded\n",
                  chosen_number - 1, sum.not_opened, sum.not_executed, sum.succeeded);
    assert_true(sum.not_opened > 5 && sum.not_executed > 5);
}

static void test_input_output_error(void **state)
{
    (void)state;
    fail_each(HOOK_FAIL, EIO);
}

static void test_input_output_error_for_good(void **state)
{
    (void)state;
    fail_each(HOOK_FAIL_FROM, EIO);
}

static void test_full_disk(void **state)
{
    (void)state;
    fail_each(HOOK_FAIL, ENOSPC);
}

static void test_full_disk_for_good(void **state)
{
    (void)state;
    fail_each(HOOK_FAIL_FROM, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest brief[] = {cmocka_unit_test(test_input_output_error)};
    const struct CMUnitTest complete[] = {
        cmocka_unit_test(test_input_output_error),
        cmocka_unit_test(test_input_output_error_for_good),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_disk_for_good),
    };
    bool is_long = site_count(0, 1) != 0;
    subject_choose_place();
    hook_install();
    return is_long ? cmocka_run_group_tests_name("system", complete, NULL, NULL)
                   : cmocka_run_group_tests_name("system", brief, NULL, NULL);
}
