/* What once steps and transactional steps have in common: one slot, which an effect holds from its entry on. */
#ifndef DOCKET_ENGINE_EFFECT_H
#define DOCKET_ENGINE_EFFECT_H

#include "engine/execution.h"

/* Of a new entry: never 0, never repeated. */
uint64_t docket__effect_token(void);

/* The slot is held by something else than this key's record: says what differs. Returns DOCKET_CONFLICT, in ctx->failure. */
docket_status docket__effect_refuse(docket_ctx *ctx, const docket_effect *found);

#endif
