/* Disturbs schedules: yields and naps at random places, from a seed. */
#ifndef DOCKET_TESTS_NOISE_H
#define DOCKET_TESTS_NOISE_H

#include <docket/observer.h>
#include <stdatomic.h>
#include <stdint.h>

typedef struct noise {
    atomic_uint_fast64_t state;
    atomic_long events;
} noise;

/* Nothing, a yield, or a nap of up to 200 µs. */
void noise_make(noise *self);

/* An observer that makes noise at every event. */
docket_observer noise_observer(noise *self);

#endif
