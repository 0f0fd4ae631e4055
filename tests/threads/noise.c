#include "threads/noise.h"

#include <sched.h>
#include <unistd.h>

/* splitmix64: a counter, so that threads share a state without a lock. */
static uint64_t draw(noise *self)
{
    uint64_t z = atomic_fetch_add(&self->state, UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void noise_make(noise *self)
{
    uint64_t number = draw(self);
    if (number % 8 == 0) {
        usleep((useconds_t)(number >> 8) % 200);
    } else if (number % 4 == 1) {
        sched_yield();
    }
}

static void hear(void *arg, const docket_event *event)
{
    noise *self = arg;
    (void)event;
    atomic_fetch_add(&self->events, 1);
    noise_make(self);
}

docket_observer noise_observer(noise *self)
{
    return (docket_observer){hear, self};
}
