/* Recording what an expand step made. */
#ifndef DOCKET_ENGINE_EXPAND_H
#define DOCKET_ENGINE_EXPAND_H

#include "engine/execution.h"

/* Encodes the items into chunks, kept by the context, and the manifest into ctx->bytes.
 *
 * Returns DOCKET_ENCODE, DOCKET_TOO_LARGE (an item, or the manifest), DOCKET_STORE, DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__expand_encode(docket_ctx *ctx, docket_error *error);

/* Commits the chunks, and calls `then` when they are durable, perhaps at once, perhaps on the store's thread;
 * ctx->write.commit.status is then DOCKET_OK, or why not, with ctx->failure. */
void docket__expand_commit(docket_ctx *ctx, void (*then)(docket_ctx *ctx));

void docket__expand_release(docket_ctx *ctx);

/* Takes the items from a recorded manifest and its chunks. What the node had before is forgotten.
 *
 * Returns DOCKET_MISSING when a chunk is gone (ctx->miss tells why), else as docket__record_restore and
 * docket__files_check. */
DOCKET_MUST_CHECK docket_status docket__expand_restore(docket_ctx *ctx, const docket_record *record,
                                                       docket_error *error);

#endif
