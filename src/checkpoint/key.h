/* Keys: what identifies a computation.
 *
 * A key is SHA-256 over a sequence of parts. Each part is one tag byte, its length as eight bytes in little-endian
 * order, and its bytes; so no two different sequences share a preimage. In order:
 *
 *     1  the key format: 4 bytes, little-endian, now 1
 *     2  the graph's key namespace
 *     3  the scope: 1 byte
 *     4  the execution id; in WORKFLOW scope only
 *     5  the step's name
 *     6  the step's version: 4 bytes, little-endian
 *     7  the name of its output type
 *     and for each input, in the step's order:
 *     8  the name of its type, then one of
 *     9    present: fingerprint (32 bytes) and digest of its key bytes (32)
 *     10   absent: nothing
 *     11   a resource: nothing
 *     12   all items: fingerprint (32), count (8, little-endian), and the digest of each item's key bytes (32)
 *
 * The idempotency key is the first half of SHA-256 over tag 20 with the format and the parts 2 to 5 and 8 to 12, without
 * fingerprints: it survives a deploy that changes version or layout. Of an unrecorded step that runs per item, tag 13 with
 * the item's number (8 bytes) follows. The slot of an effect is made as the idempotency key is, over tag 21, but in
 * WORKFLOW scope without the inputs, unless the step runs per item: one step of one execution.
 *
 * This layout is what stored results are found by: it never changes without raising the format. */
#ifndef DOCKET_CHECKPOINT_KEY_H
#define DOCKET_CHECKPOINT_KEY_H

#include <docket/backend.h>

typedef enum docket__key_state {
    DOCKET__KEY_ABSENT,
    DOCKET__KEY_PRESENT,
    DOCKET__KEY_RESOURCE,
    DOCKET__KEY_ITEMS /* all items; only the first input */
} docket__key_state;

typedef struct docket__key_input {
    const char *type;
    const uint8_t *fingerprint;
    const uint8_t *digest; /* of the key bytes, of each item one behind the other; NULL unless present */
    docket__key_state state;
    size_t count; /* of items */
} docket__key_input;

typedef struct docket__key_subject {
    const char *key_namespace;
    docket_scope scope;
    const char *execution_id;
    const char *step;
    uint32_t version;
    const char *output;
    const docket__key_input *inputs;
    size_t input_count; /* at most DOCKET_MAX_INPUTS */
    uint64_t item_number; /* of a step that runs per item, from 1; else 0 */
} docket__key_subject;

DOCKET_MUST_CHECK docket_status docket__key_make(const docket__key_subject *subject, docket_key *key);

DOCKET_MUST_CHECK docket_status docket__key_idempotency(const docket__key_subject *subject, uint8_t key[16]);

/* The slot of an effect. */
DOCKET_MUST_CHECK docket_status docket__key_slot(const docket__key_subject *subject, uint8_t slot[16]);

#endif
