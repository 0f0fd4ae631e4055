/* Once steps: a step that must not be entered a second time before it is known what the first entry did.
 *
 *     claim -> slot free? -> INTENT durable -> ENTER -> value, and the intent's end, in one commit
 *                 |                              |---- "nothing happened" -> intent removed -> delay -> INTENT again
 *                 |                              '---- anything else ------> in doubt
 *                 '- held by an intent that nobody works on: in doubt -> verify -> recorded, or INTENT again
 *
 * All of it happens under the key's claim, and nothing of it holds a thread while it waits for the store: a node in
 * DOCKET__PHASE_ONCE is resumed like one that waits for its commit. What must be on disk before what: the intent, with
 * all that was committed before it, before the function is entered; its removal before the next intent. */
#ifndef DOCKET_ENGINE_ONCE_H
#define DOCKET_ENGINE_ONCE_H

#include "engine/execution.h"

/* What the node does next. */
typedef enum docket__once_move {
    DOCKET__ONCE_WAIT,     /* nothing: it will be resumed, or has been */
    DOCKET__ONCE_ENTER,    /* enter the function, then docket__once_left */
    DOCKET__ONCE_VERIFY,   /* ask the step that verifies, then docket__once_verified */
    DOCKET__ONCE_LOOK_UP,  /* look up again: a record came meanwhile */
    DOCKET__ONCE_RECORD,   /* record the output, or the absence if there is a reason */
    DOCKET__ONCE_FAIL,     /* end with ctx->failure */
    DOCKET__ONCE_STRAGGLE, /* end as a straggler */
    DOCKET__ONCE_DROP      /* end, because the execution stops */
} docket__once_move;

/* The claim is held, and there is no record. */
docket__once_move docket__once_begin(docket_ctx *ctx);

/* The node was resumed in DOCKET__PHASE_ONCE. */
docket__once_move docket__once_resume(docket_ctx *ctx);

/* The function was left. `keeps_absence`: a final failure is going to be recorded as absence. */
docket__once_move docket__once_left(docket_ctx *ctx, docket__attempt_outcome outcome, bool keeps_absence);

/* What the verifying step answered; ctx->failure tells more. */
docket__once_move docket__once_verified(docket_ctx *ctx, docket_status answer);

/* The outcome could not be recorded: ctx->failure tells why. */
docket__once_move docket__once_unrecorded(docket_ctx *ctx);

/* The outcome is recorded. DOCKET__ONCE_WAIT: go on as any step does; else a value that came late is not delivered. */
docket__once_move docket__once_recorded(docket_ctx *ctx);

/* Before the node's claim is released for good. */
void docket__once_end(docket_ctx *ctx);

/* Whether a failure may become an absence: not when something may have happened. */
bool docket__once_may_be_absent(const docket_ctx *ctx);

/* Whether the value was found out by `verify`. */
bool docket__once_was_verified(const docket_ctx *ctx);

/* What the record takes the place of; NULL = nothing. */
const docket_intent *docket__once_intent(const docket_ctx *ctx);

/* Where the answer of a write goes; NULL = the step is no once step. */
docket_error *docket__once_answer(const docket_ctx *ctx);

void docket__once_free(docket__once *once);

#endif
