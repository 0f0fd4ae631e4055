/* Random numbers from the kernel: no state in the process, so children of one parent share nothing. Good enough for
 * identifiers and jitter. */
#ifndef DOCKET_BASE_RANDOM_H
#define DOCKET_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t docket__random_number(void);

/* An even choice from 0 to bound - 1; a bound of 0 gives 0. */
uint64_t docket__random_below(uint64_t bound);

void docket__random_bytes(void *bytes, size_t size);

#endif
