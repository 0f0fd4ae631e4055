#include "engine/once.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/effect.h"
#include "engine/subject.h"
#include "store/effect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the write under way, or the delay, is for. */
typedef enum stage {
    STAGE_NONE,
    STAGE_INTENDING,
    STAGE_WITHDRAWING, /* nothing happened; `then` follows */
    STAGE_DELAYED,
    STAGE_CLEARING, /* verify says that nothing happened */
    STAGE_DOUBTING  /* `then` follows */
} stage;

/* What follows a withdrawal beside the moves. */
enum { THEN_TRY_AGAIN = 100 };

#define DIED "its process died before an outcome was recorded"

struct docket__once {
    docket_intent intent;
    stage stage;
    int then;      /* a docket__once_move, or THEN_TRY_AGAIN */
    bool open;     /* the intent is there, for all we know */
    bool in_doubt; /* what the failure leaves behind is in doubt, or has happened */
    bool verified;
    bool refused; /* an intent was: the slot was taken in spite of the claim */
    bool looked_again;
    docket__attempt_outcome late; /* how the attempt ended that brought its value late */
    bool borrows;
    docket__holder borrowed; /* the claim on the key under which another version entered */
    docket_error reason;     /* why it is in doubt */
    docket_error answer;     /* of the write under way */
    docket_arena texts;
    docket_effect found;
};

static docket_store *store_of(const docket_ctx *ctx)
{
    return ctx->step->options.store;
}

void docket__once_end(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    if (once != NULL && once->borrows) {
        once->borrows = false;
        docket__claim_release(docket__store_claims(store_of(ctx)), &once->borrowed, NULL, NULL);
    }
}

void docket__once_free(docket__once *once)
{
    if (once != NULL) {
        docket__arena_release(&once->texts);
        docket__free(once);
    }
}

static void set_cause(docket_ctx *ctx, const char *format, ...) DOCKET_PRINTF(2, 3);
static void set_cause(docket_ctx *ctx, const char *format, ...)
{
    char cause[sizeof ctx->failure.cause];
    va_list arguments;
    if (ctx->failure.cause[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(cause, sizeof cause, format, arguments);
        va_end(arguments);
        docket__error_set_cause(&ctx->failure, cause);
    }
}

/* ---- Writes ---- */

/* The second of the two - the thread that submitted the write, and this one - goes on. */
static void written(docket__write *write)
{
    docket_ctx *ctx = (docket_ctx *)((char *)write - offsetof(docket_ctx, write));
    if (atomic_exchange(&ctx->handoff, 1) == 1) {
        docket__schedule_resume(ctx->node);
    }
}

/* The last thing that is done with the context, unless the answer is there already. */
static docket__once_move submit(docket_ctx *ctx, docket_commit_kind kind, stage purpose)
{
    docket__once *once = ctx->once;
    once->stage = purpose;
    ctx->node->phase = DOCKET__PHASE_ONCE; /* it may come from a commit that failed */
    ctx->record.attempts = ctx->attempt + (kind == DOCKET_COMMIT_INTENT);
    ctx->record.value = (docket_bytes){NULL, 0};
    ctx->write = (docket__write){
        .commit = {.struct_size = sizeof(docket_commit),
                   .kind = kind,
                   .record = &ctx->record,
                   .intent = &once->intent,
                   .failure = kind == DOCKET_COMMIT_IN_DOUBT ? &once->reason : NULL,
                   .schema = ctx->execution->graph->types[ctx->step->output].schema},
        .done = written,
        .error = &once->answer,
        .deadline_ms = INT64_MAX,
    };
    atomic_store(&ctx->handoff, 0);
    docket__store_write(store_of(ctx), &ctx->write);
    return atomic_exchange(&ctx->handoff, 1) == 1 ? docket__once_resume(ctx) : DOCKET__ONCE_WAIT;
}

static docket__once_move intend(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    once->stage = STAGE_DELAYED;
    if (docket__attempt_wait_for_turn(ctx)) {
        return DOCKET__ONCE_WAIT;
    }
    once->intent.token = docket__effect_token();
    return submit(ctx, DOCKET_COMMIT_INTENT, STAGE_INTENDING);
}

static docket__once_move withdraw(docket_ctx *ctx, int then)
{
    ctx->once->then = then;
    return submit(ctx, DOCKET_COMMIT_INTENT_REMOVED, STAGE_WITHDRAWING);
}

static void tell_doubt(docket_ctx *ctx)
{
    if (ctx->failure.status != DOCKET_IN_DOUBT) {
        set_cause(ctx,
                  "whether its effect happened is in doubt: it is not entered again before docket_settle or its "
                  "verify step has told");
    }
    if (docket__observed(ctx->execution)) {
        docket_event event = {.kind = DOCKET_EVENT_IN_DOUBT, .status = ctx->failure.status, .error = &ctx->failure};
        docket__event_emit(ctx->execution, ctx, &event);
    }
}

/* Why: once->reason. */
static docket__once_move doubt(docket_ctx *ctx, docket__once_move then)
{
    ctx->once->in_doubt = true;
    ctx->once->then = (int)then;
    return submit(ctx, DOCKET_COMMIT_IN_DOUBT, STAGE_DOUBTING);
}

/* ---- What holds the slot ---- */

static bool same_key(const docket_ctx *ctx)
{
    return memcmp(ctx->once->found.key, ctx->record.key.bytes, sizeof ctx->once->found.key) == 0;
}

static docket__once_move refuse(docket_ctx *ctx)
{
    docket__effect_refuse(ctx, &ctx->once->found);
    return DOCKET__ONCE_FAIL;
}

static void describe_doubt(docket_ctx *ctx)
{
    const docket_effect *found = &ctx->once->found;
    char digits[33];
    docket__hex(found->idempotency_key, sizeof found->idempotency_key, digits);
    docket__error_set(&ctx->failure, DOCKET_IN_DOUBT,
                      "attempt %d was entered, and its outcome is not known: %s; it is not entered again until "
                      "docket_settle tells what happened (idempotency key %s)",
                      (int)found->attempt, found->reason[0] != '\0' ? found->reason : DIED, digits);
}

/* Nobody works on the entry any more: it is ours now. */
static docket__once_move inherit(docket_ctx *ctx)
{
    ctx->once->intent.token = ctx->once->found.token;
    return ctx->step->options.verify != NULL ? DOCKET__ONCE_VERIFY : docket__once_verified(ctx, DOCKET_IN_DOUBT);
}

/* Another version, or another layout, has entered for the same inputs. If its owner lives it holds another key's claim. */
static docket__once_move inherit_foreign(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    once->borrowed =
        (docket__holder){.parent = &ctx->holder, .step = ctx->step->info.name, .tree = ctx->holder.tree};
    memcpy(once->borrowed.key.bytes, once->found.key, sizeof once->borrowed.key.bytes);
    once->borrows = docket__claim_try(docket__store_claims(store_of(ctx)), &once->borrowed);
    return once->borrows ? inherit(ctx) : refuse(ctx);
}

static docket__once_move judge_holder(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    switch (once->found.state) {
    case DOCKET_EFFECT_FREE:
        return intend(ctx);
    case DOCKET_EFFECT_RECORDED:
        if (!same_key(ctx)) {
            return refuse(ctx);
        }
        if (once->looked_again) {
            docket__error_set(&ctx->failure, DOCKET_CORRUPT,
                              "the effect's slot is held by a record that is not found by its key");
            return DOCKET__ONCE_FAIL;
        }
        once->looked_again = true;
        return DOCKET__ONCE_LOOK_UP;
    default:
        if (same_key(ctx) && once->refused) {
            docket__error_set(&ctx->failure, DOCKET_CLAIM_LOST, "another owner has entered meanwhile");
            return DOCKET__ONCE_FAIL;
        }
        if (same_key(ctx)) {
            return inherit(ctx);
        }
        return ctx->step->info.scope == DOCKET_SCOPE_GLOBAL ? inherit_foreign(ctx) : refuse(ctx);
    }
}

static docket__once_move look(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    docket__arena_release(&once->texts);
    docket_status status = docket__store_effect(store_of(ctx), once->intent.slot, ctx->execution->deadline_ms,
                                                &once->found, &once->texts, &ctx->failure);
    return status == DOCKET_OK ? judge_holder(ctx) : DOCKET__ONCE_FAIL;
}

docket__once_move docket__once_begin(docket_ctx *ctx)
{
    if (ctx->once == NULL) {
        ctx->once = docket__allocate(sizeof *ctx->once);
        if (ctx->once == NULL) {
            docket__error_no_memory(&ctx->failure);
            return DOCKET__ONCE_FAIL;
        }
        if (docket__subject_effect(ctx, &ctx->once->intent, &ctx->failure) != DOCKET_OK) {
            return DOCKET__ONCE_FAIL;
        }
    }
    return look(ctx);
}

docket__once_move docket__once_verified(docket_ctx *ctx, docket_status answer)
{
    docket__once *once = ctx->once;
    bool was_told = once->found.state == DOCKET_EFFECT_IN_DOUBT;
    if (answer == DOCKET_OK || answer == DOCKET_ABSENT) {
        once->verified = once->open = true;
        return DOCKET__ONCE_RECORD;
    }
    if (answer == DOCKET_NOT_DONE) {
        return submit(ctx, DOCKET_COMMIT_INTENT_REMOVED, STAGE_CLEARING);
    }
    char words[300] = "";
    if (answer != DOCKET_IN_DOUBT) {
        snprintf(words, sizeof words, "%.299s", ctx->failure.message);
    }
    describe_doubt(ctx);
    if (words[0] != '\0') {
        set_cause(ctx, "its verify step could not tell: %s", words);
    }
    once->in_doubt = true;
    if (was_told) {
        tell_doubt(ctx);
        return DOCKET__ONCE_FAIL;
    }
    docket__error_set(&once->reason, DOCKET_IN_DOUBT, "%s", DIED);
    return doubt(ctx, DOCKET__ONCE_FAIL);
}

/* ---- Answers of writes ---- */

static docket__once_move intended(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    switch (ctx->write.commit.status) {
    case DOCKET_OK:
        once->open = true;
        return docket__schedule_stops(ctx->execution) ? withdraw(ctx, DOCKET__ONCE_DROP) : DOCKET__ONCE_ENTER;
    case DOCKET_CONFLICT:
        once->refused = true;
        return look(ctx);
    default:
        ctx->failure = once->answer;
        /* It may be there although the answer is a failure: unless removed it would be in doubt, and nothing was done. */
        return once->answer.transient ? DOCKET__ONCE_FAIL : withdraw(ctx, DOCKET__ONCE_FAIL);
    }
}

static docket__once_move try_again(docket_ctx *ctx)
{
    ctx->once->stage = STAGE_DELAYED;
    return docket__attempt_wait(ctx) ? DOCKET__ONCE_WAIT : docket__once_resume(ctx);
}

static docket__once_move withdrawn(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    if (ctx->write.commit.status == DOCKET_OK) {
        once->open = false;
        return once->then == THEN_TRY_AGAIN ? try_again(ctx) : (docket__once_move)once->then;
    }
    set_cause(ctx, "nothing happened, but the entry stays in doubt, as its intent could not be removed: %.200s",
              once->answer.message);
    once->in_doubt = true;
    return once->then == THEN_TRY_AGAIN ? DOCKET__ONCE_FAIL : (docket__once_move)once->then;
}

docket__once_move docket__once_resume(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    switch (once->stage) {
    case STAGE_INTENDING:
        return intended(ctx);
    case STAGE_WITHDRAWING:
        return withdrawn(ctx);
    case STAGE_CLEARING:
        docket__once_end(ctx);
        if (ctx->write.commit.status != DOCKET_OK) {
            ctx->failure = once->answer;
            return DOCKET__ONCE_FAIL;
        }
        return docket__schedule_stops(ctx->execution) ? DOCKET__ONCE_DROP : intend(ctx);
    case STAGE_DELAYED:
        return docket__schedule_stops(ctx->execution) ? DOCKET__ONCE_DROP : intend(ctx);
    case STAGE_DOUBTING:
        tell_doubt(ctx);
        return (docket__once_move)once->then;
    case STAGE_NONE:
        break;
    }
    return look(ctx);
}

/* ---- Outcomes ---- */

static docket__once_move end_of(docket__attempt_outcome outcome)
{
    return outcome == DOCKET__ATTEMPT_STRAGGLED ? DOCKET__ONCE_STRAGGLE
           : outcome == DOCKET__ATTEMPT_STOPPED ? DOCKET__ONCE_DROP
                                                : DOCKET__ONCE_FAIL;
}

docket__once_move docket__once_left(docket_ctx *ctx, docket__attempt_outcome outcome, bool keeps_absence)
{
    docket__once *once = ctx->once;
    if (outcome == DOCKET__ATTEMPT_OK || outcome == DOCKET__ATTEMPT_ABSENT) {
        return DOCKET__ONCE_RECORD;
    }
    if (ctx->late) {
        once->in_doubt = true; /* until it is recorded, and then it is no failure to fall back from */
        once->late = outcome;
        return DOCKET__ONCE_RECORD;
    }
    if (!ctx->nothing_happened) {
        once->reason = ctx->failure;
        return doubt(ctx, end_of(outcome));
    }
    if (outcome == DOCKET__ATTEMPT_AGAIN) {
        return withdraw(ctx, THEN_TRY_AGAIN);
    }
    if (outcome == DOCKET__ATTEMPT_FAILED && keeps_absence) {
        return DOCKET__ONCE_FAIL;
    }
    return withdraw(ctx, (int)end_of(outcome));
}

docket__once_move docket__once_unrecorded(docket_ctx *ctx)
{
    docket__once *once = ctx->once;
    once->reason = ctx->failure;
    return doubt(ctx, ctx->late ? end_of(once->late) : DOCKET__ONCE_FAIL);
}

docket__once_move docket__once_recorded(docket_ctx *ctx)
{
    ctx->once->open = false;
    docket__once_end(ctx);
    return ctx->late ? end_of(ctx->once->late) : DOCKET__ONCE_WAIT;
}

bool docket__once_may_be_absent(const docket_ctx *ctx)
{
    return ctx->once == NULL || !ctx->once->in_doubt;
}

bool docket__once_was_verified(const docket_ctx *ctx)
{
    return ctx->once != NULL && ctx->once->verified;
}

const docket_intent *docket__once_intent(const docket_ctx *ctx)
{
    return ctx->once != NULL && ctx->once->open ? &ctx->once->intent : NULL;
}

docket_error *docket__once_answer(const docket_ctx *ctx)
{
    return ctx->once != NULL ? &ctx->once->answer : NULL;
}
