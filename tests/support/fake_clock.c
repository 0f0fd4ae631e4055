#include "support/fake_clock.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(int64_t) fake_monotonic_ns, fake_wall_ms;

static int64_t read_monotonic_ns(void *arg)
{
    (void)arg;
    return atomic_load(&fake_monotonic_ns);
}

static int64_t read_wall_ms(void *arg)
{
    (void)arg;
    return atomic_load(&fake_wall_ms);
}

void fake_clock_start(int64_t wall_ms)
{
    static const docket_clock clock = {read_monotonic_ns, read_wall_ms, NULL};
    docket_set_clock(NULL);
    atomic_store(&fake_monotonic_ns, docket__clock_monotonic_ns());
    atomic_store(&fake_wall_ms, wall_ms);
    docket_set_clock(&clock);
}

void fake_clock_advance(int64_t duration_ms)
{
    int64_t most_ms = (INT64_MAX - atomic_load(&fake_monotonic_ns)) / 2 / 1000000; /* 146 years: enough of a wait */
    atomic_fetch_add(&fake_monotonic_ns, (duration_ms < most_ms ? duration_ms : most_ms) * 1000000);
    atomic_fetch_add(&fake_wall_ms, duration_ms);
}

void fake_clock_set_wall(int64_t wall_ms)
{
    atomic_store(&fake_wall_ms, wall_ms);
}

int64_t fake_clock_wall_ms(void)
{
    return atomic_load(&fake_wall_ms);
}

void fake_clock_stop(void)
{
    docket_set_clock(NULL);
}
