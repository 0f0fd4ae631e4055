/* Sixty-four threads, each with many executions of every kind: shared keys, retries, limits, cancellations, nested
 * executions, commits at the end, on pools of several sizes and on one that the caller runs. Random yields and naps in
 * steps and observers shake the schedule. Every answer is checked; a key is computed once; nothing is left behind. */
#include "support/site.h"
#include "threads/count.h"
#include "threads/mix.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLERS = 64 };

typedef struct caller {
    pthread_t thread;
    mix *mix;
    uint64_t seed;
    long first, count;
    char problem[MIX_TEXT];
} caller;

static void *call(void *arg)
{
    caller *self = arg;
    for (long i = 0; i < self->count && self->problem[0] == '\0'; i++) {
        mix_one(self->mix, &self->seed, self->first + i, self->problem);
    }
    return NULL;
}

typedef struct runner {
    pthread_t thread;
    docket_pool *pool;
    atomic_bool stop;
} runner;

/* The event loop of a pool without threads. */
static void *run_pool(void *arg)
{
    runner *self = arg;
    while (!atomic_load(&self->stop)) {
        docket_pool_run(self->pool, 5);
    }
    return NULL;
}

static void check_runs(const mix *self)
{
    for (int i = 0; i < MIX_KEYS; i++) {
        assert_in_range(atomic_load(&self->global_runs[i]), 0, 1);
        assert_in_range(atomic_load(&self->workflow_runs[i]), 0, 1);
    }
}

static void shake(const char *url, int pool_threads, long executions)
{
    mix all;
    caller callers[CALLERS];
    noise disturbance = {0};
    uint64_t seed = site_seed();
    runner loop = {.stop = false};
    atomic_init(&disturbance.state, seed);
    assert_true(mix_open(&all, url, pool_threads, &disturbance));
    loop.pool = all.pool;
    assert_true(pool_threads > 0 || pthread_create(&loop.thread, NULL, run_pool, &loop) == 0);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.mix = &all, .seed = site_random(&seed), .first = i * 1000000L, .count = executions};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    bool well = true;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        if (callers[i].problem[0] != '\0') {
            print_error("caller %d: %s\n", i, callers[i].problem);
            well = false;
        }
    }
    if (pool_threads == 0) {
        atomic_store(&loop.stop, true);
        pthread_join(loop.thread, NULL);
    }
    check_runs(&all);
    assert_true(mix_close(&all) && well);
    print_message("%ld executions, %ld events\n", CALLERS * executions, atomic_load(&disturbance.events));
}

static void shake_and_count(void **state, int pool_threads, long executions)
{
    site *here = *state;
    size_t blocks = count_blocks();
    int descriptors = count_descriptors();
    int threads = count_threads();
    shake(here->url, pool_threads, executions);
    assert_true(count_expect(blocks, descriptors, threads));
}

static void test_pool_of_one(void **state)
{
    shake_and_count(state, 1, site_count(8, 400));
}

static void test_pool_of_two(void **state)
{
    shake_and_count(state, 2, site_count(8, 400));
}

static void test_pool_of_eight(void **state)
{
    shake_and_count(state, 8, site_count(8, 400));
}

static void test_manual_pool(void **state)
{
    shake_and_count(state, 0, site_count(8, 400));
}

/* Sanitizers start threads of their own with the first one. */
static void *do_nothing(void *arg)
{
    return arg;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(test_pool_of_one),
        SITE_EACH_STORE(test_pool_of_two),
        SITE_EACH_STORE(test_pool_of_eight),
        SITE_EACH_STORE(test_manual_pool),
    };
    pthread_t first;
    count_install();
    if (pthread_create(&first, NULL, do_nothing, NULL) == 0) {
        pthread_join(first, NULL);
    }
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
