/* Fingerprints of all types in a tree; see fingerprint.c for what is hashed. */
#ifndef DOCKET_TYPE_FINGERPRINT_H
#define DOCKET_TYPE_FINGERPRINT_H

#include "type/tree.h"

/* Fills in every node's fingerprint; a resource's stays zero, and that of a message in a circle if no message outside
 * leads to it. */
DOCKET_MUST_CHECK docket_status docket__type_tree_fingerprint(docket__type_tree *tree, docket_error *error);

#endif
