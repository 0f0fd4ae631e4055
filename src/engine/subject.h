/* What a step's key is made of: the digests of its inputs, each made once per execution, and the parts beside them. */
#ifndef DOCKET_ENGINE_SUBJECT_H
#define DOCKET_ENGINE_SUBJECT_H

#include "engine/execution.h"

/* Makes the key of a recorded step and fills in what its record says about it: ctx->holder.key and ctx->record.
 *
 * Returns DOCKET_ENCODE, DOCKET_TOO_LARGE (an input is larger than the store's limit), DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__subject_prepare(docket_ctx *ctx, docket_error *error);

/* The step\'s idempotency key. */
DOCKET_MUST_CHECK docket_status docket__subject_idempotency_key(docket_ctx *ctx, uint8_t key[16],
                                                                docket_error *error);

/* Fills in slot and idempotency key of an effect step. */
DOCKET_MUST_CHECK docket_status docket__subject_effect(docket_ctx *ctx, docket_intent *intent, docket_error *error);

/* Keeps the digest of a node's output whose canonical bytes are at hand, if these are its key bytes. */
void docket__subject_keep_digest(docket__node *node, docket_bytes bytes);

/* The output was replaced by another. Only before any consumer has seen it. */
void docket__subject_forget_digest(docket__node *node);

#endif
