/* SIGKILL at random times, a process after the other until one comes to its end: whatever was committed is there, and
 * each process repeats at most what was not. The seed is printed; DOCKET_SEED takes it back (the moments of the kills
 * remain the kernel's). */
#include "crash/subject.h"
#include "support/child.h"
#include "support/site.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 60000, MOST_KILLS_OF_ROUND = 50 };

typedef struct tally {
    long kills, repeated, rounds;
    int64_t span_us; /* kills are aimed into it: shorter after a process that came to its end, else longer */
} tally;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

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

static void compare_books(const books *before, const books *after, long round)
{
    long repeated = 0;
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        long more = after->entries[i] - before->entries[i];
        if (before->commits[i] > 0 && more != 0) {
            fail_msg("round %ld: step %s was committed and ran again", round, subject_steps[i]);
        }
        assert_in_range(more, 0, 1);
        repeated += more > 0 && before->entries[i] > 0;
    }
    assert_in_range(repeated, 0, 1);
}

/* One process. True: it came to its end. */
static bool run_and_kill(const subject *self, uint64_t *seed, tally *sum)
{
    int64_t aim_us = (int64_t)(site_random(seed) % (uint64_t)(sum->span_us + 1));
    books before = read_books(self);
    pid_t child = subject_start(self, subject_work);
    usleep((useconds_t)aim_us);
    kill(child, SIGKILL);
    int ended = child_wait(child, LIMIT_MS);
    books after = read_books(self);
    compare_books(&before, &after, sum->rounds);
    if (ended == SUBJECT_OK) {
        sum->span_us = sum->span_us * 7 / 8;
        return true;
    }
    assert_int_equal(ended, -SIGKILL);
    sum->span_us += sum->span_us / 16 + 50;
    sum->kills++;
    return false;
}

static void run_round(const subject *like, uint64_t *seed, tally *sum)
{
    subject self = *like;
    folder place = folder_make();
    snprintf(self.folder, sizeof self.folder, "%s", place.path);
    for (int i = 0; i < MOST_KILLS_OF_ROUND && !run_and_kill(&self, seed, sum); i++) {
    }
    books before = read_books(&self);
    self.nap_us = 0;
    int ended = child_wait(subject_start(&self, subject_recover), LIMIT_MS);
    if (ended != SUBJECT_OK) {
        fail_msg("round %ld: the last process ended with %d (%s)", sum->rounds, ended, place.path);
    }
    books after = read_books(&self);
    compare_books(&before, &after, sum->rounds);
    for (int i = 0; i < SUBJECT_STEPS; i++) {
        sum->repeated += after.entries[i] - 1;
    }
    sum->rounds++;
    folder_remove(&place);
}

/* How long a process takes that nobody kills. */
static int64_t measure(const subject *like)
{
    subject self = *like;
    folder place = folder_make();
    snprintf(self.folder, sizeof self.folder, "%s", place.path);
    int64_t start_us = now_us();
    assert_int_equal(child_wait(subject_start(&self, subject_work), LIMIT_MS), SUBJECT_OK);
    int64_t took_us = now_us() - start_us;
    folder_remove(&place);
    return took_us;
}

static void kill_at_random(const subject *like, long kills)
{
    uint64_t seed = site_seed();
    tally sum = {.span_us = measure(like)};
    while (sum.kills < kills) {
        run_round(like, &seed, &sum);
    }
    print_message("%ld kills in %ld rounds, %ld entries were repetitions\n", sum.kills, sum.rounds, sum.repeated);
}

static void test_workflow(void **state)
{
    (void)state;
    const subject like = {.scope = DOCKET_SCOPE_WORKFLOW, .nap_us = 2000};
    kill_at_random(&like, site_count(140, 700));
}

static void test_global(void **state)
{
    (void)state;
    const subject like = {.scope = DOCKET_SCOPE_GLOBAL, .nap_us = 2000};
    kill_at_random(&like, site_count(60, 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_workflow), cmocka_unit_test(test_global)};
    subject_choose_place();
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
