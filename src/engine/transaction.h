/* Transactional steps: every attempt runs in a transaction of the store's own database, and its record is written in it.
 *
 *     look up in the transaction -> enter -> encode -> commit both, or roll back both
 *
 * Looking up inside means that a record which somebody else made is met before the function is entered, whoever had the
 * claim. The store ends a transaction at its limit by itself; the attempt's own limit is never longer. */
#ifndef DOCKET_ENGINE_TRANSACTION_H
#define DOCKET_ENGINE_TRANSACTION_H

#include "engine/execution.h"

static inline bool docket__transaction_is_asked(const docket_ctx *ctx)
{
    return ctx->step->options.effect == DOCKET_EFFECT_TRANSACTION;
}

/* Before an attempt. DOCKET__ATTEMPT_OK: enter. Else there is no transaction: _FOUND, _FAILED (ctx->failure tells),
 * _STOPPED. */
docket__attempt_outcome docket__transaction_begin(docket_ctx *ctx);

/* After an attempt that came to `status`: commits if that is DOCKET_OK or DOCKET_ABSENT, with ctx->write.commit as after
 * an ordinary write; else rolls back. The result is what the attempt came to in the end; ctx->failure tells. */
docket_status docket__transaction_end(docket_ctx *ctx, docket_status status);

/* DOCKET_CONFLICT if an attempt that `parent` is, or runs inside of, has a transaction of a store in which a step of the
 * plan would record. */
docket_status docket__transaction_check_nested(docket_ctx *parent, const docket__plan *plan, docket_error *error);

#endif
