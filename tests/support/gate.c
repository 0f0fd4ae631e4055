#include "support/gate.h"

#include <errno.h>
#include <time.h>

void gate_arrive(gate *at)
{
    pthread_mutex_lock(&at->lock);
    at->arrived++;
    pthread_cond_broadcast(&at->changed);
    pthread_mutex_unlock(&at->lock);
}

bool gate_wait_ms(gate *at, int limit_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += limit_ms / 1000;
    until.tv_nsec += (long)(limit_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&at->lock);
    int waited = 0;
    while (at->arrived < at->parties && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&at->changed, &at->lock, &until);
    }
    bool open = at->arrived >= at->parties;
    pthread_mutex_unlock(&at->lock);
    return open;
}

bool gate_wait(gate *at)
{
    return gate_wait_ms(at, GATE_LIMIT_MS);
}

bool gate_meet(gate *at)
{
    gate_arrive(at);
    return gate_wait(at);
}

int gate_arrived(gate *at)
{
    pthread_mutex_lock(&at->lock);
    int arrived = at->arrived;
    pthread_mutex_unlock(&at->lock);
    return arrived;
}

bool gate_is_open(gate *at)
{
    return gate_wait_ms(at, 0);
}

int entries_enter(entries *to)
{
    int number = atomic_fetch_add(&to->runs, 1) + 1;
    int inside = atomic_fetch_add(&to->inside, 1) + 1;
    int most = atomic_load(&to->most);
    while (most < inside && !atomic_compare_exchange_weak(&to->most, &most, inside)) {
    }
    return number;
}

void entries_leave(entries *to)
{
    atomic_fetch_sub(&to->inside, 1);
}

bool eventually(atomic_bool *flag)
{
    for (int waited_ms = 0; !atomic_load(flag) && waited_ms < GATE_LIMIT_MS; waited_ms++) {
        pause_ms(1);
    }
    return atomic_load(flag);
}

void pause_ms(int duration_ms)
{
    struct timespec duration = {.tv_sec = duration_ms / 1000, .tv_nsec = (long)(duration_ms % 1000) * 1000000};
    nanosleep(&duration, NULL);
}
