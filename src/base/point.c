#include "base/point.h"

_Atomic(const docket_probe *) docket__probe;

void docket_set_probe(const docket_probe *probe)
{
    atomic_store_explicit(&docket__probe, probe, memory_order_release);
}

const char *docket_point_name(docket_point point)
{
    static const char *const names[] = {"enter", "return", "commit", "committed", "release", "released"};
    bool is_known = point >= DOCKET_POINT_ENTER && point <= DOCKET_POINT_RELEASED;
    return is_known ? names[point - DOCKET_POINT_ENTER] : "unknown";
}
