/* Time that stands still, or runs fast, until a test moves it. */
#include "testing/inside.h"

#include <pthread.h>
#include <time.h>

typedef struct test_clock {
    int64_t monotonic_ns, wall_ms; /* at the moment `since_ns` of the system's clock */
    int64_t since_ns;
    int64_t factor;
} test_clock;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `now` */
static test_clock now;
static bool is_started;

static int64_t system_ns(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (int64_t)moment.tv_sec * 1000000000 + moment.tv_nsec;
}

/* Adds to both clocks; at most half of what is left of monotonic time: 146 years are enough of a wait. */
static void pass(int64_t duration_ms, int64_t duration_ns)
{
    int64_t most_ns = (INT64_MAX - now.monotonic_ns) / 2;
    now.monotonic_ns += duration_ns < most_ns ? duration_ns : most_ns;
    if (__builtin_add_overflow(now.wall_ms, duration_ms, &now.wall_ms)) {
        now.wall_ms = INT64_MAX;
    }
}

/* With the lock held: takes in what has passed by itself, whole milliseconds of it. */
static void catch_up(void)
{
    if (now.factor > 0) {
        int64_t passed_ns;
        int64_t system = system_ns();
        if (__builtin_mul_overflow(system - now.since_ns, now.factor, &passed_ns)) {
            passed_ns = INT64_MAX;
        }
        int64_t passed_ms = passed_ns / 1000000;
        if (passed_ms > 0) {
            pass(passed_ms, passed_ms * 1000000);
            now.since_ns = system - passed_ns % 1000000 / now.factor;
        }
    }
}

static int64_t read_monotonic_ns(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    catch_up();
    int64_t moment_ns = now.monotonic_ns;
    pthread_mutex_unlock(&lock);
    return moment_ns;
}

static int64_t read_wall_ms(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    catch_up();
    int64_t moment_ms = now.wall_ms;
    pthread_mutex_unlock(&lock);
    return moment_ms;
}

void docket_test_clock_start(int64_t wall_ms)
{
    static const docket_clock clock = {read_monotonic_ns, read_wall_ms, NULL};
    pthread_mutex_lock(&lock);
    now = (test_clock){.monotonic_ns = system_ns(), .wall_ms = wall_ms};
    is_started = true;
    pthread_mutex_unlock(&lock);
    docket_set_clock(&clock);
}

void docket_test_clock_advance(int64_t duration_ms)
{
    int64_t duration_ns;
    if (duration_ms <= 0) {
        return;
    }
    if (__builtin_mul_overflow(duration_ms, 1000000, &duration_ns)) {
        duration_ns = INT64_MAX;
    }
    pthread_mutex_lock(&lock);
    catch_up();
    pass(duration_ms, duration_ns);
    pthread_mutex_unlock(&lock);
}

void docket_test_clock_run(int64_t factor)
{
    pthread_mutex_lock(&lock);
    catch_up();
    now.since_ns = system_ns();
    now.factor = factor > 0 ? factor : 0;
    pthread_mutex_unlock(&lock);
}

void docket_test_clock_set_wall(int64_t wall_ms)
{
    pthread_mutex_lock(&lock);
    catch_up();
    now.wall_ms = wall_ms;
    pthread_mutex_unlock(&lock);
}

int64_t docket_test_clock_wall_ms(void)
{
    return read_wall_ms(NULL);
}

void docket_test_clock_stop(void)
{
    docket_set_clock(NULL);
    pthread_mutex_lock(&lock);
    is_started = false;
    pthread_mutex_unlock(&lock);
}

/* A moment of the test's clock, or of the system's. */
static int64_t moment_ns(void)
{
    pthread_mutex_lock(&lock);
    bool is_mine = is_started;
    pthread_mutex_unlock(&lock);
    return is_mine ? read_monotonic_ns(NULL) : system_ns();
}

void docket__test_wait_ms(int64_t duration_ms)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    int64_t end_ns;
    if (__builtin_mul_overflow(duration_ms, 1000000, &end_ns) ||
        __builtin_add_overflow(end_ns, moment_ns(), &end_ns)) {
        end_ns = INT64_MAX;
    }
    while (moment_ns() < end_ns) {
        nanosleep(&nap, NULL);
    }
}
