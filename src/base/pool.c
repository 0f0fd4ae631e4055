#include "base/pool.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/process.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 10000, DEFAULT_THREADS = 256, IDLE_MS = 10000 };

struct docket_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;   /* a task, a kick, the end: workers and docket_pool_run */
    pthread_cond_t timing; /* an earlier timer, the end: the timer thread */
    pthread_cond_t left;   /* a worker has left */
    unsigned references;
    unsigned limit, threads, idle;
    unsigned busy; /* threads inside a task */
    int lent; /* of these, those that do not count against the limit; below 0 where an end overtakes its beginning */
    unsigned helpers; /* callers waiting in docket__pool_run_one or _run_timer */
    bool timer_thread;
    uint64_t generation;    /* of the process that made it: see base/process.h */
    docket_pool *inherited; /* of the default pool: the parent process's, which graphs of its time still name */
    uint64_t kicks;
    docket__task *first, **last;
    size_t queued;
    docket__timer *timers;
    int poll_fd, event_fd, timer_fd; /* of docket_pool_fd; -1 until asked for */
};

/* Timers. */

static docket__timer *meld(docket__timer *a, docket__timer *b)
{
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    if (b->due_ms < a->due_ms) {
        docket__timer *swap = a;
        a = b;
        b = swap;
    }
    b->previous = a;
    b->sibling = a->child;
    if (a->child != NULL) {
        a->child->previous = b;
    }
    a->child = b;
    return a;
}

static docket__timer *meld_siblings(docket__timer *first)
{
    docket__timer *pairs = NULL;
    while (first != NULL) {
        docket__timer *a = first;
        docket__timer *b = a->sibling;
        first = b == NULL ? NULL : b->sibling;
        a->sibling = a->previous = NULL;
        if (b != NULL) {
            b->sibling = b->previous = NULL;
        }
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    docket__timer *root = NULL;
    while (pairs != NULL) {
        docket__timer *next = pairs->sibling;
        pairs->sibling = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void remove_timer(docket_pool *pool, docket__timer *timer)
{
    docket__timer *children = meld_siblings(timer->child);
    if (timer == pool->timers) {
        pool->timers = children;
    } else {
        if (timer->previous->child == timer) {
            timer->previous->child = timer->sibling;
        } else {
            timer->previous->sibling = timer->sibling;
        }
        if (timer->sibling != NULL) {
            timer->sibling->previous = timer->previous;
        }
        pool->timers = meld(pool->timers, children);
    }
    timer->child = timer->sibling = timer->previous = NULL;
    timer->armed = false;
}

typedef void firing(docket__timer *timer);

/* What to call is read here, under the lock: once the timer is out of the heap its owner may arm it for something else,
 * while this firing is still on its way. */
static docket__timer *take_due(docket_pool *pool, firing **fire)
{
    docket__timer *timer = pool->timers;
    if (timer == NULL || timer->due_ms > docket__clock_monotonic_ms()) {
        return NULL;
    }
    remove_timer(pool, timer);
    *fire = timer->fire;
    return timer;
}

/* The clock of pthread_cond_timedwait is CLOCK_MONOTONIC here; a replaced clock is waited for in short naps. */
static void wait_until(docket_pool *pool, pthread_cond_t *condition, int64_t due_ms)
{
    if (due_ms == INT64_MAX) {
        pthread_cond_wait(condition, &pool->lock);
        return;
    }
    int64_t remaining_ms = due_ms - docket__clock_monotonic_ms();
    if (remaining_ms <= 0) {
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    remaining_ms = docket__clock_nap_ms(remaining_ms);
    until.tv_sec += remaining_ms / 1000;
    until.tv_nsec += remaining_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(condition, &pool->lock, &until);
}

/* Life. */

static void close_descriptors(docket_pool *pool)
{
    int *descriptors[] = {&pool->poll_fd, &pool->event_fd, &pool->timer_fd};
    for (size_t i = 0; i < 3; i++) {
        if (*descriptors[i] >= 0) {
            close(*descriptors[i]);
            *descriptors[i] = -1;
        }
    }
}

static void destroy(docket_pool *pool)
{
    close_descriptors(pool);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->timing);
    pthread_cond_destroy(&pool->left);
    pthread_mutex_destroy(&pool->lock);
    docket__free(pool);
}

/* Unlocks, and frees the pool if this was the last interest in it. */
static void leave(docket_pool *pool)
{
    bool last = pool->references == 0 && pool->threads == 0 && !pool->timer_thread;
    pthread_mutex_unlock(&pool->lock);
    if (last) {
        destroy(pool);
    }
}

docket_pool *docket_pool_new(int threads)
{
    if (threads < 0 || threads > MAX_THREADS) {
        return NULL;
    }
    docket_pool *pool = docket__allocate(sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, &monotonic);
    pthread_cond_init(&pool->timing, &monotonic);
    pthread_cond_init(&pool->left, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pool->references = 1;
    pool->generation = docket__fork_generation();
    pool->limit = (unsigned)threads;
    pool->last = &pool->first;
    pool->poll_fd = pool->event_fd = pool->timer_fd = -1;
    return pool;
}

/* In a forked child the threads are gone and the lock may be held for ever: the pool is left alone there. */
static bool is_foreign(const docket_pool *pool)
{
    return pool->generation != docket__fork_generation();
}

docket_pool *docket__pool_ref(docket_pool *pool)
{
    if (is_foreign(pool)) {
        return pool;
    }
    pthread_mutex_lock(&pool->lock);
    pool->references++;
    pthread_mutex_unlock(&pool->lock);
    return pool;
}

static _Thread_local docket_pool *pool_of_this_thread;

/* Sends idle threads home and waits for them, so that a freed pool leaves no thread behind but those inside a step. */
static void dismiss(docket_pool *pool)
{
    pthread_cond_broadcast(&pool->work);
    pthread_cond_broadcast(&pool->timing);
    while (pool_of_this_thread != pool && (pool->idle > 0 || pool->timer_thread)) {
        pthread_cond_wait(&pool->left, &pool->lock);
    }
}

void docket__pool_unref(docket_pool *pool)
{
    if (pool == NULL || is_foreign(pool)) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    if (--pool->references > 0) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    pool->threads++; /* stay: a leaving worker must not free the pool under this thread */
    dismiss(pool);
    pool->threads--;
    leave(pool);
}

/* What is left of executions that were cancelled waits in the queue: nobody else will come for it. */
void docket_pool_free(docket_pool *pool)
{
    if (pool != NULL && docket__pool_is_manual(pool)) {
        docket_pool_run(pool, 0);
    }
    docket__pool_unref(pool);
}

docket_pool *docket__pool_of_thread(void)
{
    docket_pool *pool = pool_of_this_thread;
    return pool == NULL || is_foreign(pool) ? NULL : pool;
}

bool docket__pool_is_manual(const docket_pool *pool)
{
    return pool->limit == 0;
}

/* Threads. */

static docket__task *take_task(docket_pool *pool)
{
    docket__task *task = pool->first;
    if (task != NULL) {
        pool->first = task->next;
        pool->last = pool->first == NULL ? &pool->first : pool->last;
        pool->queued--;
    }
    return task;
}

/* A thread that was lent out and came back may be one too many: then those that wait leave the tasks to those that are
 * at work, who take the next one themselves. */
static bool may_take(const docket_pool *pool)
{
    return (int)pool->busy - pool->lent < (int)pool->limit;
}

static void *work(void *arg)
{
    docket_pool *pool = arg;
    pool_of_this_thread = pool;
    pthread_mutex_lock(&pool->lock);
    int64_t leave_ms = docket__clock_monotonic_ms() + IDLE_MS;
    for (;;) {
        docket__task *task = may_take(pool) ? take_task(pool) : NULL;
        if (task != NULL) {
            pool->busy++;
            pthread_mutex_unlock(&pool->lock);
            task->run(task);
            pthread_mutex_lock(&pool->lock);
            pool->busy--;
            leave_ms = docket__clock_monotonic_ms() + IDLE_MS;
        } else if (pool->references == 0 || docket__clock_monotonic_ms() >= leave_ms) {
            break;
        } else {
            pool->idle++;
            wait_until(pool, &pool->work, leave_ms);
            pool->idle--;
        }
    }
    pool->threads--;
    pthread_cond_broadcast(&pool->left);
    leave(pool);
    return NULL;
}

static void *keep_time(void *arg)
{
    docket_pool *pool = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pool_of_this_thread = pool;
    pthread_mutex_lock(&pool->lock);
    while (pool->references > 0 || pool->timers != NULL) {
        firing *fire = NULL;
        docket__timer *timer = take_due(pool, &fire);
        if (timer != NULL) {
            pthread_mutex_unlock(&pool->lock);
            fire(timer);
            pthread_mutex_lock(&pool->lock);
        } else {
            wait_until(pool, &pool->timing, pool->timers == NULL ? INT64_MAX : pool->timers->due_ms);
        }
    }
    pool->timer_thread = false;
    pthread_cond_broadcast(&pool->left);
    leave(pool);
    return NULL;
}

/* Steps run with the signal mask of whoever made their thread start; the timer thread leaves all signals to the host. */
static bool start_thread(void *(*function)(void *), docket_pool *pool)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failure = pthread_create(&thread, &detached, function, pool);
    pthread_attr_destroy(&detached);
    return failure == 0;
}

static bool may_grow(const docket_pool *pool)
{
    return pool->limit > 0 && (int)pool->threads - pool->lent < (int)pool->limit;
}

static bool grow(docket_pool *pool)
{
    pool->threads++;
    if (start_thread(work, pool)) {
        return true;
    }
    pool->threads--;
    return false;
}

static void signal_event(docket_pool *pool)
{
    if (pool->event_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(pool->event_fd, &one, sizeof one);
        (void)written; /* a full counter is readable already */
    }
}

/* A thread that may not take a task must not swallow the signal for a helper. */
static void wake_one(docket_pool *pool)
{
    if (pool->helpers > 0) {
        pthread_cond_broadcast(&pool->work);
    } else {
        pthread_cond_signal(&pool->work);
    }
}

void docket__pool_submit(docket_pool *pool, docket__task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool has_thread = true;
    if (pool->queued >= pool->idle && may_grow(pool)) {
        has_thread = grow(pool) || pool->threads > 0;
    }
    if (has_thread) {
        *pool->last = task;
        pool->last = &task->next;
        pool->queued++;
        wake_one(pool);
        signal_event(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!has_thread) {
        task->run(task);
    }
}

void docket__pool_lend_begin(docket_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->lent++;
    if (pool->queued > pool->idle && may_grow(pool)) {
        grow(pool); /* those that are idle have been woken for other tasks */
    } else if (pool->queued > 0) {
        wake_one(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

void docket__pool_lend_end(docket_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->lent--;
    pthread_mutex_unlock(&pool->lock);
}

static void set_timer_descriptor(docket_pool *pool)
{
    if (pool->timer_fd < 0) {
        return;
    }
    struct itimerspec spec = {0};
    if (pool->timers != NULL) {
        int64_t remaining_ms = pool->timers->due_ms - docket__clock_monotonic_ms();
        remaining_ms = remaining_ms < 0 ? 0 : remaining_ms;
        spec.it_value.tv_sec = remaining_ms / 1000;
        spec.it_value.tv_nsec = remaining_ms % 1000 * 1000000 + 1; /* zero would disarm */
    }
    timerfd_settime(pool->timer_fd, 0, &spec, NULL);
}

void docket__pool_arm(docket_pool *pool, docket__timer *timer, int64_t due_ms)
{
    pthread_mutex_lock(&pool->lock);
    timer->due_ms = due_ms;
    timer->armed = true;
    timer->child = timer->sibling = timer->previous = NULL;
    pool->timers = meld(pool->timers, timer);
    if (pool->timers == timer) {
        set_timer_descriptor(pool);
        pthread_cond_signal(&pool->timing);
        if (pool->helpers > 0) {
            pthread_cond_broadcast(&pool->work);
        }
    }
    if (pool->limit > 0 && !pool->timer_thread) {
        pool->timer_thread = start_thread(keep_time, pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

bool docket__pool_disarm(docket_pool *pool, docket__timer *timer)
{
    pthread_mutex_lock(&pool->lock);
    bool armed = timer->armed;
    if (armed) {
        remove_timer(pool, timer);
    }
    pthread_mutex_unlock(&pool->lock);
    return armed;
}

/* Helping. */

static bool run_due_timer(docket_pool *pool)
{
    firing *fire = NULL;
    docket__timer *timer = take_due(pool, &fire);
    if (timer == NULL) {
        return false;
    }
    pthread_mutex_unlock(&pool->lock);
    fire(timer);
    pthread_mutex_lock(&pool->lock);
    return true;
}

static bool run_ready(docket_pool *pool)
{
    if (run_due_timer(pool)) {
        return true;
    }
    docket__task *task = take_task(pool);
    if (task == NULL) {
        return false;
    }
    pthread_mutex_unlock(&pool->lock);
    task->run(task);
    pthread_mutex_lock(&pool->lock);
    return true;
}

static void wait_for_work(docket_pool *pool, int64_t deadline_ms)
{
    int64_t until_ms =
        pool->timers != NULL && pool->timers->due_ms < deadline_ms ? pool->timers->due_ms : deadline_ms;
    pool->helpers++;
    wait_until(pool, &pool->work, until_ms);
    pool->helpers--;
}

static bool help(docket_pool *pool, bool (*run)(docket_pool *), uint64_t kicks, int64_t deadline_ms)
{
    pthread_mutex_lock(&pool->lock);
    bool ran = run(pool);
    while (!ran && pool->kicks == kicks && docket__clock_monotonic_ms() < deadline_ms) {
        wait_for_work(pool, deadline_ms);
        ran = run(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return ran;
}

bool docket__pool_run_one(docket_pool *pool, uint64_t kicks, int64_t deadline_ms)
{
    return help(pool, run_ready, kicks, deadline_ms);
}

bool docket__pool_run_timer(docket_pool *pool, uint64_t kicks, int64_t deadline_ms)
{
    return help(pool, run_due_timer, kicks, deadline_ms);
}

void docket__pool_kick(docket_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->kicks++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

uint64_t docket__pool_kicks(docket_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint64_t kicks = pool->kicks;
    pthread_mutex_unlock(&pool->lock);
    return kicks;
}

static void drain_event(docket_pool *pool)
{
    if (pool->event_fd >= 0 && pool->first == NULL) {
        uint64_t count;
        ssize_t got = read(pool->event_fd, &count, sizeof count);
        (void)got;
    }
    set_timer_descriptor(pool);
}

size_t docket_pool_run(docket_pool *pool, int64_t timeout_ms)
{
    if (pool == NULL || is_foreign(pool)) {
        return 0;
    }
    int64_t now_ms = docket__clock_monotonic_ms();
    int64_t deadline_ms = timeout_ms < 0 || timeout_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + timeout_ms;
    bool ran;
    do {
        ran = docket__pool_run_one(pool, docket__pool_kicks(pool), deadline_ms);
    } while (!ran && docket__clock_monotonic_ms() < deadline_ms); /* it was kicked for somebody else */
    size_t count = ran;
    while (ran && docket__pool_run_one(pool, docket__pool_kicks(pool), INT64_MIN)) {
        count++;
    }
    pthread_mutex_lock(&pool->lock);
    drain_event(pool);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static bool open_descriptors(docket_pool *pool)
{
    pool->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    pool->event_fd = eventfd(pool->first != NULL, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event readable = {.events = EPOLLIN};
    return pool->poll_fd >= 0 && pool->event_fd >= 0 && pool->timer_fd >= 0 &&
           epoll_ctl(pool->poll_fd, EPOLL_CTL_ADD, pool->event_fd, &readable) == 0 &&
           epoll_ctl(pool->poll_fd, EPOLL_CTL_ADD, pool->timer_fd, &readable) == 0;
}

int docket_pool_fd(docket_pool *pool)
{
    if (pool == NULL || is_foreign(pool)) {
        return -1;
    }
    pthread_mutex_lock(&pool->lock);
    if (pool->poll_fd < 0) {
        if (open_descriptors(pool)) {
            set_timer_descriptor(pool);
        } else {
            close_descriptors(pool);
        }
    }
    int descriptor = pool->poll_fd;
    pthread_mutex_unlock(&pool->lock);
    return descriptor;
}

/* The default pool: the library's only global object besides the fork counter. */

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static docket_pool *default_pool;
static uint64_t default_generation;

docket_pool *docket__pool_default(void)
{
    pthread_mutex_lock(&default_lock);
    docket_pool *pool = default_pool;
    if (pool == NULL || default_generation != docket__fork_generation()) {
        pool = docket_pool_new(DEFAULT_THREADS);
        if (pool != NULL) {
            pool->inherited = default_pool;
            default_pool = pool;
            default_generation = docket__fork_generation();
        }
    }
    pthread_mutex_unlock(&default_lock);
    return pool;
}

/* Threads must not outlive the code they run: at the end of the program, or when the library is unloaded, the idle
 * ones are sent home. */
__attribute__((destructor)) static void end_default_pool(void)
{
    docket_pool *pool = default_pool;
    if (pool != NULL && default_generation == docket__fork_generation()) {
        default_pool = pool->inherited;
        default_generation = 0;
        docket_pool_free(pool);
    }
}
