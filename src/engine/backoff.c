#include "engine/backoff.h"
#include "base/random.h"

static int64_t exponential(const docket_backoff *backoff, int failed_attempt)
{
    double delay_ms = (double)backoff->first_ms;
    for (int i = 1; i < failed_attempt && backoff->factor > 1.0 && delay_ms < (double)backoff->cap_ms; i++) {
        delay_ms *= backoff->factor;
    }
    return delay_ms < (double)backoff->cap_ms ? (int64_t)delay_ms : backoff->cap_ms;
}

int64_t docket__backoff_delay_ms(const docket_backoff *backoff, void *user, int failed_attempt)
{
    int64_t delay_ms = 0;
    switch (backoff->kind) {
    case DOCKET_BACKOFF_NONE:
        return 0;
    case DOCKET_BACKOFF_FIXED:
        delay_ms = backoff->first_ms;
        break;
    case DOCKET_BACKOFF_EXPONENTIAL:
        delay_ms = backoff->first_ms == 0 ? 0 : exponential(backoff, failed_attempt);
        break;
    case DOCKET_BACKOFF_CALLBACK:
        delay_ms = backoff->delay_ms(user, failed_attempt);
        break;
    }
    delay_ms = delay_ms < 0 ? 0 : delay_ms > backoff->cap_ms ? backoff->cap_ms : delay_ms;
    if (delay_ms == 0 || backoff->no_jitter) {
        return delay_ms;
    }
    return 1 + (int64_t)docket__random_below((uint64_t)delay_ms);
}
