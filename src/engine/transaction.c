#include "engine/transaction.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/effect.h"
#include "engine/subject.h"
#include "store/effect.h"
#include <docket/sqlite.h>
#include <string.h>

/* Nobody can write now: what is not in the slot does not come into it. */
static docket_status check_slot(docket_ctx *ctx)
{
    docket_effect found = {.state = DOCKET_EFFECT_FREE};
    docket_status status = docket__subject_effect(ctx, &ctx->intent, &ctx->failure);
    if (status == DOCKET_OK && docket__store_has_effects(ctx->step->options.store)) {
        ctx->intent.token = docket__effect_token();
        status = docket__store_effect(ctx->step->options.store, ctx->intent.slot, ctx->execution->deadline_ms,
                                      &found, &ctx->scratch, &ctx->failure);
    }
    return status == DOCKET_OK && found.state != DOCKET_EFFECT_FREE ? docket__effect_refuse(ctx, &found) : status;
}

docket__attempt_outcome docket__transaction_begin(docket_ctx *ctx)
{
    docket_store *store = ctx->step->options.store;
    docket_transaction *transaction = &ctx->transaction;
    const docket_address address = {
        .key = ctx->holder.key,
        .scope = ctx->step->options.scope,
        .execution_id = docket__execution_id(ctx->execution),
        .step = ctx->step->info.name,
    };
    *transaction = (docket_transaction){.limit_ms = ctx->step->options.time_limit_ms};
    docket_error *error = &ctx->failure;
    if (docket__store_transaction_begin(store, ctx->replace ? NULL : &address, transaction, error) != DOCKET_OK) {
        return DOCKET__ATTEMPT_FAILED;
    }
    bool stops = docket__schedule_stops(ctx->execution); /* it may have waited long */
    docket__attempt_outcome outcome = transaction->existing != NULL  ? DOCKET__ATTEMPT_FOUND
                                      : stops                        ? DOCKET__ATTEMPT_STOPPED
                                      : check_slot(ctx) != DOCKET_OK ? DOCKET__ATTEMPT_FAILED
                                                                     : DOCKET__ATTEMPT_OK;
    if (outcome == DOCKET__ATTEMPT_OK) {
        return outcome;
    }
    docket_error ignored = DOCKET_ERROR_INIT;
    ctx->woken_record = transaction->existing;
    transaction->existing = NULL;
    docket__store_transaction_end(store, transaction, NULL, &ignored);
    return outcome;
}

static docket_status record(docket_ctx *ctx, docket_status status)
{
    docket__attempt_outcome outcome = status == DOCKET_ABSENT ? DOCKET__ATTEMPT_ABSENT : DOCKET__ATTEMPT_OK;
    if (ctx->do_not_record) {
        return docket__error_set(
            &ctx->failure, DOCKET_INVALID,
            "docket_do_not_record was called in a transactional step, whose record is a part of "
            "its transaction");
    }
    return docket__ctx_record(ctx, outcome, &ctx->failure);
}

/* That the limit has passed says more than what the step made of its statements' failure. */
static docket_status roll_back(docket_ctx *ctx, docket_status status)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_status ended = docket__store_transaction_end(ctx->step->options.store, &ctx->transaction, NULL, &error);
    if (ended != DOCKET_TIMEOUT || status == DOCKET_TIMEOUT) {
        return status;
    }
    ctx->failure = error;
    return DOCKET_TIMEOUT;
}

docket_status docket__transaction_end(docket_ctx *ctx, docket_status status)
{
    docket_store *store = ctx->step->options.store;
    docket_commit *commit = &ctx->write.commit;
    bool done = status == DOCKET_OK || status == DOCKET_ABSENT;
    docket_status recorded = done ? record(ctx, status) : status;
    if (!done || recorded != DOCKET_OK) {
        return roll_back(ctx, recorded);
    }
    ctx->write_started_ns = docket__observed(ctx->execution) ? docket__clock_monotonic_ns() : 0;
    ctx->write.error = &ctx->failure;
    *commit = docket__ctx_commit(ctx);
    commit->intent = docket__store_has_effects(store) ? &ctx->intent : NULL;
    recorded = docket__store_transaction_end(store, &ctx->transaction, commit, &ctx->failure);
    if (recorded != DOCKET_OK) {
        docket__subject_forget_digest(ctx->node);
        return recorded;
    }
    return status;
}

/* Two handles of one store have the same name. */
static bool records_in(const docket__plan *plan, const docket_store *store)
{
    bool records = false;
    for (uint32_t i = 0; i < plan->node_count && plan->recorded_count > 0; i++) {
        const docket__graph_step *step = plan->nodes[i].step;
        records = records || (step->info.scope != DOCKET_SCOPE_NONE &&
                              strcmp(docket__store_name(step->options.store), docket__store_name(store)) == 0);
    }
    return records;
}

docket_status docket__transaction_check_nested(docket_ctx *parent, const docket__plan *plan, docket_error *error)
{
    for (docket_ctx *ctx = parent; ctx != NULL; ctx = ctx->execution->parent) {
        if (ctx->transaction.self != NULL && records_in(plan, ctx->step->options.store)) {
            return docket__error_set(
                error, DOCKET_CONFLICT,
                "the execution would record in %s, and step \"%s\", inside of which it begins, "
                "has a transaction there: it would wait for itself. Execute it before or after "
                "that step, or with another store",
                docket__store_name(ctx->step->options.store), ctx->step->info.name);
        }
    }
    return DOCKET_OK;
}

struct sqlite3 *docket_ctx_sqlite(docket_ctx *ctx)
{
    bool is_sqlite = ctx != NULL && ctx->transaction.self != NULL && strcmp(ctx->transaction.kind, "sqlite") == 0;
    return is_sqlite ? ctx->transaction.connection : NULL;
}
