/* Points: where a test may kill the process. See docket/harness.h for what each means. */
#ifndef DOCKET_BASE_POINT_H
#define DOCKET_BASE_POINT_H

#include <docket/harness.h>
#include <stdatomic.h>

extern _Atomic(const docket_probe *) docket__probe;

/* No lock may be held here. */
static inline void docket__point_pass(docket_point point, const char *where)
{
    const docket_probe *probe = atomic_load_explicit(&docket__probe, memory_order_acquire);
    if (probe != NULL) {
        probe->reached(probe->arg, point, where);
    }
}

#endif
