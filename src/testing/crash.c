/* Points, counted, and death at one of them; then children that die at each, one after the other. */
#include "testing/inside.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROUNDS = 100000, CHILD_LIMIT_MS = 60000 };

/* What a parent reads after its child is dead. */
typedef struct crash_state {
    atomic_uint_fast64_t passed, number;
    docket_point point; /* at which it died */
    char where[256];
} crash_state;

static crash_state *state;
static void (*_Atomic on_reached)(void *arg, docket_point point, const char *where); /* NULL = die */
static void *_Atomic on_reached_arg;

static void die(docket_point point, const char *where)
{
    state->point = point;
    snprintf(state->where, sizeof state->where, "%s", where);
    for (;;) {
        kill(getpid(), SIGKILL);
    }
}

static void pass(void *arg, docket_point point, const char *where)
{
    (void)arg;
    if (atomic_fetch_add(&state->passed, 1) + 1 != atomic_load(&state->number)) {
        return;
    }
    void (*reached)(void *, docket_point, const char *) = atomic_load(&on_reached);
    if (reached == NULL) {
        die(point, where);
    } else {
        reached(atomic_load(&on_reached_arg), point, where);
    }
}

static void begin(uint64_t number, void (*reached)(void *, docket_point, const char *), void *arg)
{
    static const docket_probe probe = {pass, NULL};
    docket_set_probe(NULL);
    if (state == NULL) {
        state = docket__test_share(sizeof *state);
    }
    atomic_store(&on_reached_arg, arg);
    atomic_store(&on_reached, reached);
    atomic_store(&state->passed, 0);
    atomic_store(&state->number, number);
    docket_set_probe(&probe);
}

void docket_test_crash_at(uint64_t number)
{
    begin(number, NULL, NULL);
}

void docket_test_crash_call(uint64_t number, void (*reached)(void *arg, docket_point point, const char *where),
                            void *arg)
{
    begin(reached != NULL ? number : 0, reached, arg);
}

uint64_t docket_test_crash_passed(void)
{
    return state != NULL ? atomic_load(&state->passed) : 0;
}

void docket_test_crash_stop(void)
{
    docket_set_probe(NULL);
}

/* Children. */

static int64_t system_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False: it did not end in time, and was killed for that. */
static bool wait_for(pid_t child, int64_t limit_ms, int *ended)
{
    int64_t end_ms = system_ms() + limit_ms;
    struct timespec nap = {.tv_nsec = 200000};
    pid_t got;
    while ((got = waitpid(child, ended, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (system_ms() >= end_ms) {
            kill(child, SIGKILL);
            while (waitpid(child, ended, 0) < 0 && errno == EINTR) {
            }
            return false;
        }
        nanosleep(&nap, NULL);
        nap.tv_nsec = nap.tv_nsec < 5000000 ? nap.tv_nsec * 2 : nap.tv_nsec;
    }
    return true;
}

/* number 0: a child that is not killed. */
static docket_status run_child(const docket_test_crash_options *options, uint64_t number, int *ended,
                               docket_error *error)
{
    fflush(NULL); /* else what waits in a buffer would be written twice */
    docket_test_crash_at(number);
    docket_test_crash_stop(); /* the child alone is to count */
    pid_t child = fork();
    if (child < 0) {
        return docket__test_fail(error, DOCKET_NO_MEMORY, "no child process can be made: %s", strerror(errno));
    }
    if (child == 0) {
        docket_test_crash_at(number);
        int code = options->run(options->arg);
        fflush(NULL);
        _exit(code);
    }
    if (!wait_for(child, options->time_limit_ms, ended)) {
        return docket__test_fail(error, DOCKET_TIMEOUT, "%s did not end within %lld ms",
                                 number > 0 ? "the child that was to be killed" : "the child after the killed one",
                                 (long long)options->time_limit_ms);
    }
    return DOCKET_OK;
}

static bool was_killed(int ended, uint64_t number)
{
    return WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL && docket_test_crash_passed() >= number;
}

static docket_status judge(int ended, const char *which, docket_error *error)
{
    if (WIFSIGNALED(ended)) {
        return docket__test_fail(error, DOCKET_FAILED, "%s died of signal %d (%s)", which, WTERMSIG(ended),
                                 strsignal(WTERMSIG(ended)));
    }
    return WEXITSTATUS(ended) == 0
               ? DOCKET_OK
               : docket__test_fail(error, DOCKET_FAILED, "%s answered %d", which, WEXITSTATUS(ended));
}

static docket_status look(const docket_test_crash_options *options, docket_error *error)
{
    const char *fault = options->check != NULL ? options->check(options->arg) : NULL;
    return fault == NULL ? DOCKET_OK : docket__test_fail(error, DOCKET_FAILED, "%s", fault);
}

/* One kill and what follows it. `*killed` false: the pipeline came to its end before. */
static docket_status run_round(const docket_test_crash_options *options, uint64_t number, bool *killed,
                               docket_error *error)
{
    int ended = 0;
    char place[320] = "";
    if (options->prepare != NULL) {
        options->prepare(options->arg);
    }
    docket_status status = run_child(options, number, &ended, error);
    *killed = status == DOCKET_OK && was_killed(ended, number);
    if (*killed) {
        snprintf(place, sizeof place, ", %s(%s)", docket_point_name(state->point), state->where);
        status = run_child(options, 0, &ended, error);
        status = status == DOCKET_OK ? judge(ended, "the run after the kill", error) : status;
    } else if (status == DOCKET_OK) {
        status = judge(ended, "the run that was to be killed", error);
    }
    if (status == DOCKET_OK) {
        status = look(options, error);
    }
    if (status != DOCKET_OK) {
        docket__test_explain(error, status, "point %llu%s: ", (unsigned long long)number, place);
    }
    return status;
}

docket_status docket_test_crash_each(const docket_test_crash_options *options, uint64_t *rounds,
                                     docket_error *error)
{
    docket_test_crash_options read = {DOCKET_TEST_CRASH_OPTIONS_INIT};
    docket__test_clear(error);
    if (rounds != NULL) {
        *rounds = 0;
    }
    docket_status status =
        docket__test_options(&read, sizeof read, options, "DOCKET_TEST_CRASH_OPTIONS_INIT", error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (read.run == NULL || read.time_limit_ms < 0) {
        return docket__test_fail(error, DOCKET_INVALID, "docket_test_crash_each: %s",
                                 read.run == NULL ? "run is NULL" : "time_limit_ms is negative");
    }
    read.time_limit_ms = read.time_limit_ms > 0 ? read.time_limit_ms : CHILD_LIMIT_MS;
    uint64_t number = read.first > 0 ? read.first : 1;
    uint64_t most = read.most > 0 ? read.most : MOST_ROUNDS;
    bool killed = true;
    for (uint64_t done = 0; killed && done < most && status == DOCKET_OK; done++, number++) {
        status = run_round(&read, number, &killed, error);
        if (killed && rounds != NULL) {
            *rounds = done + 1;
        }
    }
    if (status == DOCKET_OK && killed && read.most == 0) {
        return docket__test_fail(error, DOCKET_FAILED, "the pipeline passes more than %d points", MOST_ROUNDS);
    }
    return status;
}
