#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum { NAP_MS = 5, LONGEST_NAP_MS = 1000000 };

static int64_t read_monotonic_ns(void *arg)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t read_wall_ms(void *arg)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const docket_clock system_clock = {read_monotonic_ns, read_wall_ms, NULL};
static _Atomic(const docket_clock *) current = &system_clock;

void docket_set_clock(const docket_clock *replacement)
{
    atomic_store(&current, replacement != NULL ? replacement : &system_clock);
}

int64_t docket__clock_nap_ms(int64_t remaining_ms)
{
    bool is_replaced = atomic_load_explicit(&current, memory_order_relaxed) != &system_clock;
    int64_t longest_ms = is_replaced ? NAP_MS : LONGEST_NAP_MS;
    return remaining_ms < longest_ms ? remaining_ms : longest_ms;
}

int64_t docket__clock_monotonic_ns(void)
{
    const docket_clock *source = atomic_load_explicit(&current, memory_order_acquire);
    return source->monotonic_ns(source->arg);
}

int64_t docket__clock_monotonic_ms(void)
{
    return docket__clock_monotonic_ns() / 1000000;
}

int64_t docket__clock_wall_ms(void)
{
    const docket_clock *source = atomic_load_explicit(&current, memory_order_acquire);
    return source->wall_ms(source->arg);
}
