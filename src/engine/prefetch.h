/* Prefetch: what an execution id has recorded before, read with one range scan in place of a look-up per step.
 *
 * A hit here counts like a hit in the store: only records that never expire are kept. A miss means nothing: the store
 * is asked. The records are read-only once the execution runs, so that finding one needs no lock. */
#ifndef DOCKET_ENGINE_PREFETCH_H
#define DOCKET_ENGINE_PREFETCH_H

#include "engine/execution.h"

/* Before the execution runs. Whatever goes wrong, each step still looks up its own. */
void docket__prefetch_records(docket_execution *execution);

/* NULL = not prefetched. */
const docket_record *docket__prefetch_find(const docket_execution *execution, const docket_key *key);

void docket__prefetch_release(docket_execution *execution);

#endif
