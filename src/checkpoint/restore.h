/* Restoring: from a stored record to a value, or to the reason why not. */
#ifndef DOCKET_CHECKPOINT_RESTORE_H
#define DOCKET_CHECKPOINT_RESTORE_H

#include "base/arena.h"
#include "graph/graph.h"
#include <docket/backend.h>

/* Verifies a record, without its value, and that it is of the type. */
DOCKET_MUST_CHECK docket_status docket__record_check(const docket_record *record, const docket__graph_type *type,
                                                     docket_store *older, docket_error *error);

/* Verifies a record and decodes it into `value` (zeroed, of the step's output type); what it points to, and an absent
 * record's reason, live in the arena. `older` is the store whose older layouts are accepted, or NULL.
 *
 * Returns DOCKET_OK; DOCKET_ABSENT with *reason; DOCKET_CORRUPT, DOCKET_TYPE or DOCKET_SCHEMA_NEWER: the record cannot
 * be used; DOCKET_NO_MEMORY; and with `older` what its store answered. */
DOCKET_MUST_CHECK docket_status docket__record_restore(const docket_record *record, const docket__graph_type *type,
                                                       docket_store *older, docket_arena *arena, void *value,
                                                       const char **reason, docket_error *error);

#endif
