/* Fork detection: a handle keeps the generation it was made in; in a child the current one differs, and the handle
 * answers DOCKET_FORKED. */
#ifndef DOCKET_BASE_PROCESS_H
#define DOCKET_BASE_PROCESS_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic(uint64_t) docket__fork_count; /* 0 until the fork handler is registered */

uint64_t docket__fork_register(void);

/* Changes with every fork, in the child only. One atomic load. */
static inline uint64_t docket__fork_generation(void)
{
    uint64_t generation = atomic_load_explicit(&docket__fork_count, memory_order_relaxed);
    return generation != 0 ? generation : docket__fork_register();
}

#endif
