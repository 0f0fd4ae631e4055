#include "store/wall.h"

#include "base/clock.h"

bool docket__wall_init(docket__wall *wall)
{
    *wall = (docket__wall){.started = false};
    return pthread_mutex_init(&wall->lock, NULL) == 0;
}

void docket__wall_destroy(docket__wall *wall)
{
    pthread_mutex_destroy(&wall->lock);
}

int64_t docket__wall_now_ms(docket__wall *wall)
{
    pthread_mutex_lock(&wall->lock);
    int64_t now_ms = docket__clock_wall_ms();
    int64_t monotonic_ms = docket__clock_monotonic_ms();
    if (wall->started) {
        int64_t elapsed_ms = monotonic_ms - wall->reference_monotonic_ms;
        int64_t least_ms = wall->reference_wall_ms + (elapsed_ms > 0 ? elapsed_ms : 0);
        now_ms = now_ms > least_ms ? now_ms : least_ms;
    }
    wall->started = true;
    wall->reference_wall_ms = now_ms;
    wall->reference_monotonic_ms = monotonic_ms;
    pthread_mutex_unlock(&wall->lock);
    return now_ms;
}
