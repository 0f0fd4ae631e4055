/* Records of an older layout of a type: what they lack is zero. */
#ifndef DOCKET_CHECKPOINT_OLDER_H
#define DOCKET_CHECKPOINT_OLDER_H

#include "graph/graph.h"
#include "store/store.h"

enum { DOCKET__OLDER_WHY = 256 }; /* bytes of a reason */

/* Whether a record's layout, by the description that its store keeps, is an older form of the program's type: each member
 * that it has is there with the same number, name, kind and label, and so on in nested structs and messages. The record's
 * bytes are then bytes of the program's type.
 *
 * Returns DOCKET_OK; DOCKET_TYPE: it is not, and *why tells what differs; else what the store answered, DOCKET_CORRUPT
 * (the description is damaged), DOCKET_SCHEMA_NEWER, DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__older_check(docket_store *store, const docket_record *record,
                                                    const docket__graph_type *type, char why[DOCKET__OLDER_WHY],
                                                    docket_error *error);

#endif
