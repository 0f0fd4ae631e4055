/* Time. All of docket reads it here, so that a test can install a clock of its own. Monotonic time measures, wall time
 * (milliseconds since 1970-01-01 UTC) is for people and for time to live. */
#ifndef DOCKET_BASE_CLOCK_H
#define DOCKET_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct docket__clock {
    int64_t (*monotonic_ns)(void *arg);
    int64_t (*wall_ms)(void *arg);
    void *arg;
} docket__clock;

int64_t docket__clock_monotonic_ns(void);
int64_t docket__clock_monotonic_ms(void);
int64_t docket__clock_wall_ms(void);

/* The monotonic moment so many milliseconds from now, at most INT64_MAX, which never comes. */
static inline int64_t docket__clock_after_ms(int64_t delay_ms)
{
    int64_t now_ms = docket__clock_monotonic_ms();
    return delay_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + delay_ms;
}

/* Installs a clock, which must stay valid until it is replaced; NULL restores the system's. Its functions may be called
 * from any thread at once. */
void docket__clock_replace(const docket__clock *clock);

/* Whether time may pass otherwise than in the kernel, which knows nothing of a replaced clock when it waits. */
bool docket__clock_is_replaced(void);

#endif
