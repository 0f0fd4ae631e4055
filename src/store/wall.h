/* The wall clock of a store's records, which never goes back: what has expired stays expired when the system's clock is
 * set back. From then on it goes by the monotonic clock until the system's has caught up. */
#ifndef DOCKET_STORE_WALL_H
#define DOCKET_STORE_WALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct docket__wall {
    pthread_mutex_t lock; /* guards the rest */
    int64_t reference_wall_ms;
    int64_t reference_monotonic_ms;
    bool started;
} docket__wall;

/* False when memory is exhausted. */
bool docket__wall_init(docket__wall *wall);
void docket__wall_destroy(docket__wall *wall);

/* Milliseconds since 1970. Takes only the wall's own lock. */
int64_t docket__wall_now_ms(docket__wall *wall);

/* When a record made at `now_ms` expires: 0 = never, also when that time cannot be expressed. */
static inline int64_t docket__expiry_ms(int64_t now_ms, int64_t ttl_ms)
{
    int64_t expires_ms;
    if (ttl_ms <= 0 || __builtin_add_overflow(now_ms, ttl_ms, &expires_ms)) {
        return 0;
    }
    return expires_ms;
}

static inline bool docket__is_expired(int64_t expires_ms, int64_t now_ms)
{
    return expires_ms != 0 && expires_ms <= now_ms;
}

#endif
