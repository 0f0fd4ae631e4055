/* Time that stands still until a test moves it. Install it before docket reads a clock, on one thread. */
#ifndef DOCKET_TESTS_FAKE_CLOCK_H
#define DOCKET_TESTS_FAKE_CLOCK_H

#include <stdint.h>

/* From here on it is `wall_ms` since 1970, and no time passes. Monotonic time starts where the system's is. */
void fake_clock_start(int64_t wall_ms);

/* Lets time pass on both clocks. */
void fake_clock_advance(int64_t duration_ms);

/* Sets the wall clock, as a person does: monotonic time does not notice. */
void fake_clock_set_wall(int64_t wall_ms);

int64_t fake_clock_wall_ms(void);

/* Gives the system's clock back. */
void fake_clock_stop(void);

#endif
