/* Looking a step's result up, and whether what was found may be taken. */
#ifndef DOCKET_ENGINE_LOOKUP_H
#define DOCKET_ENGINE_LOOKUP_H

#include "engine/execution.h"

/* Looks the key up and reports it. DOCKET_OK or DOCKET_ABSENT (*reason): the output is restored; DOCKET_MISSING: run the
 * step, ctx->miss tells why; or an error. `*record` is the caller's. */
docket_status docket__lookup_find(docket_ctx *ctx, docket_record **record, const char **reason,
                                  docket_error *error);

/* What a record is worth: as docket__lookup_find. `fresh`: it was computed while the node waited for it. */
docket_status docket__lookup_judge(docket_ctx *ctx, const docket_record *record, bool fresh, const char **reason,
                                   docket_error *error);

/* Takes the output back to what it was before anything was made. */
void docket__lookup_clear(docket_ctx *ctx);

/* Makes the output of a record, whatever it is worth. */
docket_status docket__lookup_restore(docket_ctx *ctx, const docket_record *record, const char **reason,
                                     docket_error *error);

void docket__lookup_report(docket_ctx *ctx, bool hit, const char *reason, const docket_error *error,
                           int64_t started_ns);

#endif
