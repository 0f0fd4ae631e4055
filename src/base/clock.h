/* Time. All of docket reads it here, so that a test can install a clock of its own. Monotonic time measures, wall time
 * (milliseconds since 1970-01-01 UTC) is for people and for time to live. */
#ifndef DOCKET_BASE_CLOCK_H
#define DOCKET_BASE_CLOCK_H

#include <docket/harness.h>

int64_t docket__clock_monotonic_ns(void);
int64_t docket__clock_monotonic_ms(void);
int64_t docket__clock_wall_ms(void);

/* The monotonic moment so many milliseconds from now, at most INT64_MAX, which never comes. */
static inline int64_t docket__clock_after_ms(int64_t delay_ms)
{
    int64_t now_ms = docket__clock_monotonic_ms();
    return delay_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + delay_ms;
}

/* The longest that may be waited in one go for a moment `remaining_ms` away: the kernel, which does the waiting, knows
 * nothing of a replaced clock (docket_set_clock), so that this one is looked at again and again. */
int64_t docket__clock_nap_ms(int64_t remaining_ms);

#endif
