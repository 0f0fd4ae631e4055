#ifndef DOCKET_ENGINE_FILE_H
#define DOCKET_ENGINE_FILE_H

#include "engine/execution.h"

/* Before a step runs in a child: what it makes must be known here. */
void docket__files_prepare(docket_ctx *ctx);

/* An attempt ended: its drafts go, and unless it succeeded all that it kept may go too. */
void docket__files_settle(docket_ctx *ctx, bool succeeded);

/* A context goes: the execution holds what it kept until it goes itself. */
void docket__files_leave(docket_ctx *ctx);
void docket__files_release(docket_execution *execution);

/* Before a result is encoded: if it has managed files, `*value` becomes a copy with paths as records have them, and
 * ctx->files their names. DOCKET_STORE if they cannot be held, DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__files_record(docket_ctx *ctx, const docket_type *type, const void **value,
                                                     docket_error *error);

/* After a result was decoded: paths as they are here. DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__files_resolve(docket_ctx *ctx, const docket_type *type, void *value,
                                                      docket_error *error);

/* Whether the files of a restored value are still what was recorded: there, of their size, and with verify_files of their
 * digest.
 *
 * Returns DOCKET_OK; DOCKET_MISSING if one is not (the error says nothing then); DOCKET_CANCELLED, DOCKET_NO_MEMORY or
 * DOCKET_UNSUPPORTED if that cannot be found out. */
DOCKET_MUST_CHECK docket_status docket__files_check(docket_ctx *ctx, const docket_type *type, const void *value,
                                                    docket_error *error);

#endif
