#include "base/pool.h"

#include "base/clock.h"
#include "support/check.h"
#include "support/gate.h"
#include "support/site.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

/* A task that counts itself, does something, and tells that it is done. */
typedef struct job {
    docket__task task;
    docket_pool *pool;
    entries *seen;
    gate *meet, *done;
    void (*act)(struct job *self);
    int number, entry;
} job;

static void run_job(docket__task *task)
{
    job *self = (job *)task;
    self->entry = self->seen != NULL ? entries_enter(self->seen) : 0;
    if (self->meet != NULL) {
        gate_meet(self->meet);
    }
    if (self->act != NULL) {
        self->act(self);
    }
    if (self->seen != NULL) {
        entries_leave(self->seen);
    }
    if (self->done != NULL) {
        gate_arrive(self->done);
    }
}

static void submit(docket_pool *pool, job *self)
{
    self->task.run = run_job;
    self->pool = pool;
    docket__pool_submit(pool, &self->task);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_null(docket_pool_new(-1));
    assert_null(docket_pool_new(10001));
    docket_pool *pool = docket_pool_new(10000);
    assert_non_null(pool);
    assert_false(docket__pool_is_manual(pool));
    assert_ptr_not_equal(docket__pool_of_thread(), pool);
    docket_pool_free(pool);
    pool = docket_pool_new(0);
    assert_true(docket__pool_is_manual(pool));
    docket_pool_free(pool);
    docket_pool_free(NULL);
    assert_int_equal(docket_pool_run(NULL, 0), 0);
    assert_int_equal(docket_pool_fd(NULL), -1);
}

static void test_one_thread_keeps_the_order(void **state)
{
    (void)state;
    enum { JOBS = 100 };
    entries seen = {.runs = 0};
    gate done = GATE_INIT(JOBS);
    static job jobs[JOBS];
    docket_pool *pool = docket_pool_new(1);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (job){.seen = &seen, .done = &done};
        submit(pool, &jobs[i]);
    }
    assert_true(gate_wait(&done));
    docket_pool_free(pool);
    assert_int_equal(seen.most, 1);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].entry, i + 1);
    }
}

static void take_a_moment(job *self)
{
    (void)self;
    pause_ms(1);
}

/* The first jobs meet, so as many threads as the limit allows are there; none more follow. */
static void test_grows_to_its_limit(void **state)
{
    (void)state;
    enum { LIMIT = 4, JOBS = 60 };
    entries seen = {.runs = 0};
    gate meet = GATE_INIT(LIMIT);
    gate done = GATE_INIT(JOBS);
    static job jobs[JOBS];
    docket_pool *pool = docket_pool_new(LIMIT);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (job){.seen = &seen, .done = &done, .act = take_a_moment, .meet = i < LIMIT ? &meet : NULL};
        submit(pool, &jobs[i]);
    }
    assert_true(gate_wait(&done));
    docket_pool_free(pool);
    assert_true(gate_is_open(&meet));
    assert_int_equal(seen.most, LIMIT);
}

/* The lender waits for a job that can only run because it was lent, then has another one submitted, which may
 * not. */
typedef struct loan {
    job lender, first, second;
    gate first_done, second_done;
    entries seen;
    atomic_bool overlapped;
} loan;

static void note_overlap(job *self)
{
    loan *in = (loan *)((char *)self - offsetof(loan, second));
    atomic_store(&in->overlapped, atomic_load(&in->seen.inside) > 0);
}

static void lend(job *self)
{
    loan *in = (loan *)((char *)self - offsetof(loan, lender));
    docket__pool_lend_begin(self->pool);
    submit(self->pool, &in->first);
    gate_wait(&in->first_done);
    docket__pool_lend_end(self->pool);
    submit(self->pool, &in->second);
    pause_ms(20);
}

static void test_a_lent_thread_does_not_count(void **state)
{
    (void)state;
    gate done = GATE_INIT(1);
    loan in = {.first_done = GATE_INIT(1), .second_done = GATE_INIT(1)};
    in.lender = (job){.seen = &in.seen, .act = lend, .done = &done};
    in.first = (job){.done = &in.first_done};
    in.second = (job){.act = note_overlap, .done = &in.second_done};
    docket_pool *pool = docket_pool_new(1);
    submit(pool, &in.lender);
    assert_true(gate_wait(&done));
    assert_true(gate_wait(&in.second_done));
    assert_false(in.overlapped);
    docket_pool_free(pool);
}

/* Lends its thread while it waits for the others. */
typedef struct lender {
    job job;
    gate *all;
} lender;

static void lend_and_meet(job *self)
{
    docket__pool_lend_begin(self->pool);
    gate_meet(((lender *)self)->all);
    docket__pool_lend_end(self->pool);
}

/* What waits in the queue goes on as soon as a thread is lent. */
static void test_lending_lets_the_queue_go_on(void **state)
{
    (void)state;
    enum { LENDERS = 5 };
    gate all = GATE_INIT(LENDERS);
    gate done = GATE_INIT(LENDERS);
    docket_pool *pool = docket_pool_new(1);
    lender lenders[LENDERS];
    for (int i = 0; i < LENDERS; i++) {
        lenders[i] = (lender){.job = {.act = lend_and_meet, .done = &done}, .all = &all};
        submit(pool, &lenders[i].job);
    }
    assert_true(gate_wait(&done));
    assert_true(gate_is_open(&all));
    docket_pool_free(pool);
}

static void drop_the_pool(job *self)
{
    docket_pool_free(self->pool);
}

static void test_the_last_reference_may_go_inside_a_task(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        gate done = GATE_INIT(2);
        docket_pool *pool = docket_pool_new(2);
        job last = {.act = drop_the_pool, .done = &done};
        job other = {.done = &done};
        docket__pool_ref(pool);
        submit(pool, &other);
        submit(pool, &last);
        docket_pool_free(pool);
        assert_true(gate_wait(&done));
    }
}

static void test_a_freed_pool_runs_what_was_submitted(void **state)
{
    (void)state;
    enum { JOBS = 200 };
    entries seen = {.runs = 0};
    gate done = GATE_INIT(JOBS);
    static job jobs[JOBS];
    docket_pool *pool = docket_pool_new(3);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (job){.seen = &seen, .done = &done};
        submit(pool, &jobs[i]);
    }
    docket_pool_free(pool);
    assert_true(gate_wait(&done));
    assert_int_equal(seen.runs, JOBS);
}

static void test_so_does_one_without_threads(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    job jobs[3] = {{.seen = &seen}, {.seen = &seen}, {.seen = &seen}};
    docket_pool *pool = docket_pool_new(0);
    for (int i = 0; i < 3; i++) {
        submit(pool, &jobs[i]);
    }
    docket_pool_free(pool);
    assert_int_equal(seen.runs, 3);
}

/* Timers, on a pool that is run by hand. */

typedef struct alarm_clock {
    docket__timer timer;
    int64_t due_ms;
    bool disarmed;
    int fired; /* its place in the order; 0 = not */
} alarm_clock;

static int fired_count;
static int64_t latest_ms;
static bool in_order;

static void ring(docket__timer *timer)
{
    alarm_clock *self = (alarm_clock *)timer;
    self->fired = ++fired_count;
    in_order = in_order && self->due_ms >= latest_ms;
    latest_ms = self->due_ms;
}

static void arm(docket_pool *pool, alarm_clock *self, int64_t due_ms)
{
    *self = (alarm_clock){.due_ms = due_ms, .timer.fire = ring};
    docket__pool_arm(pool, &self->timer, due_ms);
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    enum { CLOCKS = 500 };
    static alarm_clock clocks[CLOCKS];
    uint64_t seed = site_seed();
    docket_pool *pool = docket_pool_new(0);
    int64_t now_ms = docket__clock_monotonic_ms();
    for (int round = 0; round < 20; round++) {
        int expected = 0;
        fired_count = 0;
        latest_ms = INT64_MIN;
        in_order = true;
        for (int i = 0; i < CLOCKS; i++) {
            arm(pool, &clocks[i], now_ms - (int64_t)(site_random(&seed) % 1000));
        }
        for (int i = 0; i < CLOCKS; i++) {
            clocks[i].disarmed = site_random(&seed) % 3 == 0;
            expected += !clocks[i].disarmed;
            if (clocks[i].disarmed) {
                assert_true(docket__pool_disarm(pool, &clocks[i].timer));
                assert_false(docket__pool_disarm(pool, &clocks[i].timer));
            }
        }
        assert_int_equal(docket_pool_run(pool, 0), expected);
        assert_true(in_order);
        for (int i = 0; i < CLOCKS; i++) {
            assert_int_equal(clocks[i].fired == 0, clocks[i].disarmed);
            assert_false(docket__pool_disarm(pool, &clocks[i].timer));
        }
    }
    docket_pool_free(pool);
}

static void test_a_timer_is_not_early(void **state)
{
    (void)state;
    alarm_clock clock;
    docket_pool *pool = docket_pool_new(0);
    int64_t now_ms = docket__clock_monotonic_ms();
    fired_count = 0;
    arm(pool, &clock, now_ms + 30);
    assert_int_equal(docket_pool_run(pool, 0), 0);
    assert_int_equal(docket_pool_run(pool, -1), 1);
    assert_true(docket__clock_monotonic_ms() >= now_ms + 30);
    assert_int_equal(clock.fired, 1);
    docket_pool_free(pool);
}

static gate rang = GATE_INIT(3);

static void ring_the_gate(docket__timer *timer)
{
    (void)timer;
    gate_arrive(&rang);
}

static void test_a_pool_with_threads_keeps_time_by_itself(void **state)
{
    (void)state;
    docket__timer timers[3] = {{.fire = ring_the_gate}, {.fire = ring_the_gate}, {.fire = ring_the_gate}};
    docket_pool *pool = docket_pool_new(1);
    int64_t now_ms = docket__clock_monotonic_ms();
    docket__pool_arm(pool, &timers[0], now_ms + 20);
    docket__pool_arm(pool, &timers[1], now_ms - 5);
    docket__pool_arm(pool, &timers[2], now_ms + 5);
    assert_true(gate_wait(&rang));
    docket_pool_free(pool);
}

/* Running by hand. */

static void test_run_does_what_is_ready(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    job jobs[3] = {{.seen = &seen}, {.seen = &seen}, {.seen = &seen}};
    docket_pool *pool = docket_pool_new(0);
    assert_int_equal(docket_pool_run(pool, 0), 0);
    assert_int_equal(docket_pool_run(pool, 5), 0);
    for (int i = 0; i < 3; i++) {
        submit(pool, &jobs[i]);
    }
    assert_int_equal(seen.runs, 0);
    assert_int_equal(docket_pool_run(pool, 0), 3);
    assert_int_equal(docket_pool_run(pool, 0), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(jobs[i].entry, i + 1);
    }
    docket_pool_free(pool);
}

static void submit_again(job *self)
{
    if (self->number++ < 5) {
        submit(self->pool, self);
    }
}

static void test_run_goes_on_with_what_it_made_ready(void **state)
{
    (void)state;
    entries seen = {.runs = 0};
    job chain = {.seen = &seen, .act = submit_again};
    docket_pool *pool = docket_pool_new(0);
    submit(pool, &chain);
    assert_int_equal(docket_pool_run(pool, 0), 6);
    assert_int_equal(seen.runs, 6);
    docket_pool_free(pool);
}

typedef struct runner {
    docket_pool *pool;
    gate started, returned;
    size_t count;
} runner;

static void *run_for_ever(void *arg)
{
    runner *self = arg;
    gate_arrive(&self->started);
    self->count = docket_pool_run(self->pool, -1);
    gate_arrive(&self->returned);
    return NULL;
}

/* Being kicked is for those who wait for something else: whoever runs the pool goes on waiting. */
static void test_run_waits_for_work(void **state)
{
    (void)state;
    for (int threads = 0; threads <= 1; threads++) {
        pthread_t thread;
        gate done = GATE_INIT(threads + 1);
        gate meet = GATE_INIT(threads + 1);
        job jobs[2] = {{.done = &done, .meet = &meet}, {.done = &done, .meet = &meet}};
        runner self = {.pool = docket_pool_new(threads), .started = GATE_INIT(1), .returned = GATE_INIT(1)};
        pthread_create(&thread, NULL, run_for_ever, &self);
        assert_true(gate_wait(&self.started));
        pause_ms(10);
        docket__pool_kick(self.pool);
        pause_ms(10);
        assert_false(gate_is_open(&self.returned));
        for (int i = 0; i <= threads; i++) {
            submit(self.pool, &jobs[i]);
        }
        assert_true(gate_wait(&done));
        assert_true(gate_wait(&self.returned));
        pthread_join(thread, NULL);
        assert_int_equal(self.count, 1);
        docket_pool_free(self.pool);
    }
}

static void test_run_one_ends_with_a_kick(void **state)
{
    (void)state;
    docket_pool *pool = docket_pool_new(0);
    uint64_t kicks = docket__pool_kicks(pool);
    docket__pool_kick(pool);
    assert_false(docket__pool_run_one(pool, kicks, INT64_MAX));
    assert_int_equal(docket__pool_kicks(pool), kicks + 1);
    docket_pool_free(pool);
}

static bool is_readable(int descriptor, int timeout_ms)
{
    struct pollfd watched = {.fd = descriptor, .events = POLLIN};
    return poll(&watched, 1, timeout_ms) == 1 && (watched.revents & POLLIN) != 0;
}

static void test_descriptor_tells_when_there_is_something_to_run(void **state)
{
    (void)state;
    job early = {.number = 0}, late = {.number = 1};
    alarm_clock clock;
    docket_pool *pool = docket_pool_new(0);
    submit(pool, &early);
    int descriptor = docket_pool_fd(pool);
    assert_true(descriptor >= 0);
    assert_int_equal(docket_pool_fd(pool), descriptor);
    assert_true(is_readable(descriptor, 0)); /* submitted before it was asked for */
    assert_int_equal(docket_pool_run(pool, 0), 1);
    assert_false(is_readable(descriptor, 0));
    submit(pool, &late);
    assert_true(is_readable(descriptor, 0));
    assert_int_equal(docket_pool_run(pool, 0), 1);
    assert_false(is_readable(descriptor, 0));

    int64_t now_ms = docket__clock_monotonic_ms();
    arm(pool, &clock, now_ms + 20);
    assert_false(is_readable(descriptor, 0));
    assert_true(is_readable(descriptor, GATE_LIMIT_MS));
    assert_int_equal(docket_pool_run(pool, GATE_LIMIT_MS), 1);
    assert_false(is_readable(descriptor, 0));
    arm(pool, &clock, now_ms);
    assert_true(is_readable(descriptor, GATE_LIMIT_MS));
    assert_true(docket__pool_disarm(pool, &clock.timer));
    assert_int_equal(docket_pool_run(pool, 0), 0);
    assert_false(is_readable(descriptor, 0));
    docket_pool_free(pool);
}

/* Neither the threads nor the state of the lock are there in a child. */
static void test_a_forked_child_may_free_it(void **state)
{
    (void)state;
    gate done = GATE_INIT(2);
    gate meet = GATE_INIT(2);
    job jobs[2] = {{.done = &done, .meet = &meet}, {.done = &done, .meet = &meet}};
    docket_pool *pool = docket_pool_new(2);
    submit(pool, &jobs[0]);
    submit(pool, &jobs[1]);
    assert_true(gate_wait(&done));
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool left_alone = docket_pool_run(pool, -1) == 0 && docket_pool_fd(pool) == -1;
        docket_pool_free(docket__pool_ref(pool));
        docket_pool_free(pool);
        _exit(left_alone ? 0 : 1);
    }
    int ended = -1;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    docket_pool_free(pool);
}

static void test_default_pool_is_one(void **state)
{
    (void)state;
    docket_pool *pool = docket__pool_default();
    assert_non_null(pool);
    assert_ptr_equal(docket__pool_default(), pool);
    gate done = GATE_INIT(1);
    job task = {.done = &done};
    submit(pool, &task);
    assert_true(gate_wait(&done));
}

static int set_alarm(void **state)
{
    (void)state;
    alarm(100);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_one_thread_keeps_the_order),
        cmocka_unit_test(test_grows_to_its_limit),
        cmocka_unit_test(test_a_lent_thread_does_not_count),
        cmocka_unit_test(test_lending_lets_the_queue_go_on),
        cmocka_unit_test(test_the_last_reference_may_go_inside_a_task),
        cmocka_unit_test(test_a_freed_pool_runs_what_was_submitted),
        cmocka_unit_test(test_so_does_one_without_threads),
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_a_timer_is_not_early),
        cmocka_unit_test(test_a_pool_with_threads_keeps_time_by_itself),
        cmocka_unit_test(test_run_does_what_is_ready),
        cmocka_unit_test(test_run_goes_on_with_what_it_made_ready),
        cmocka_unit_test(test_run_waits_for_work),
        cmocka_unit_test(test_run_one_ends_with_a_kick),
        cmocka_unit_test(test_descriptor_tells_when_there_is_something_to_run),
        cmocka_unit_test(test_a_forked_child_may_free_it),
        cmocka_unit_test(test_default_pool_is_one),
    };
    return cmocka_run_group_tests(tests, set_alarm, NULL);
}
