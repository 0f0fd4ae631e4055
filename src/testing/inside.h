/* What the files of this room share. */
#ifndef DOCKET_TESTING_INSIDE_H
#define DOCKET_TESTING_INSIDE_H

#include <docket/testing.h>

/* Fills in an error, which may be NULL, and returns its status. */
docket_status docket__test_fail(docket_error *error, docket_status status, const char *format, ...)
    DOCKET_PRINTF(3, 4);

/* The same, with a text before the message that is there. */
docket_status docket__test_explain(docket_error *error, docket_status status, const char *format, ...)
    DOCKET_PRINTF(3, 4);

void docket__test_clear(docket_error *error);

/* Takes over an options struct that may be shorter than this library's. NULL `given` leaves the defaults. `init` is the
 * macro that a caller forgot. */
docket_status docket__test_options(void *options, size_t size, const void *given, const char *init,
                                   docket_error *error);

/* Zeroed memory that forked children share with this process; never given back. Aborts when there is none: whoever asks
 * needs a few bytes, at a test's start. */
void *docket__test_share(size_t size);

/* Waits by the test's clock, or by the system's if there is no other. */
void docket__test_wait_ms(int64_t duration_ms);

/* Finds where two encodings of a type differ, and names it in `place`: a member's path, or a byte. */
void docket__test_difference(const docket_type *type, docket_bytes expected, docket_bytes found, char *place,
                             size_t room);

/* Dice: splitmix64. */
uint64_t docket__test_draw(uint64_t *state);
/* From 0 up to, not including, 1. */
double docket__test_draw_share(uint64_t *state);

#endif
