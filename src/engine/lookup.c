#include "engine/lookup.h"
#include "base/clock.h"
#include "base/error.h"
#include "checkpoint/restore.h"
#include "engine/expand.h"
#include "engine/file.h"
#include "engine/items.h"
#include "engine/prefetch.h"
#include "engine/subject.h"
#include <stdio.h>
#include <string.h>

static const docket__graph_type *output_type(const docket_ctx *ctx)
{
    return &ctx->execution->graph->types[ctx->step->output];
}

static void *output_value(const docket_ctx *ctx)
{
    const docket__plan_slot *slot = &ctx->execution->plan->slots[ctx->node->plan->slot];
    return ctx->node->plan->expands == DOCKET__ONCE ? ctx->node->row->values + slot->offset : NULL;
}

void docket__lookup_clear(docket_ctx *ctx)
{
    if (output_value(ctx) != NULL) {
        memset(output_value(ctx), 0, output_type(ctx)->type->size);
    } else {
        docket__items_forget(ctx->node);
    }
}

void docket__lookup_report(docket_ctx *ctx, bool hit, const char *reason, const docket_error *error,
                           int64_t started_ns)
{
    if (docket__observed(ctx->execution)) {
        docket_event event = {
            .kind = DOCKET_EVENT_LOOKUP,
            .hit = hit,
            .reason = reason,
            .status = error == NULL ? DOCKET_OK : error->status,
            .error = error,
            .duration_ns = docket__clock_monotonic_ns() - started_ns,
        };
        docket__event_emit(ctx->execution, ctx, &event);
    }
}

static bool still_good(docket_ctx *ctx, docket_status restored)
{
    bool (*ask)(docket_ctx *, const void *) = ctx->step->options.still_good;
    if (ask == NULL) {
        return true;
    }
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = ctx;
    bool good = ask(ctx, restored == DOCKET_ABSENT ? NULL : output_value(ctx));
    docket__ctx_current = outer;
    return good;
}

docket_status docket__lookup_restore(docket_ctx *ctx, const docket_record *record, const char **reason,
                                     docket_error *error)
{
    docket_store *older = ctx->step->options.accept_older ? ctx->step->options.store : NULL;
    if (ctx->node->plan->expands != DOCKET__ONCE && record->kind != DOCKET_CHECKPOINT_ABSENT) {
        docket_status checked = docket__record_check(record, output_type(ctx), older, error);
        return checked == DOCKET_OK ? docket__expand_restore(ctx, record, error) : checked;
    }
    docket_status status =
        docket__record_restore(record, output_type(ctx), older, &ctx->memory, output_value(ctx), reason, error);
    if (status == DOCKET_OK && output_type(ctx)->has_files) {
        status = docket__files_resolve(ctx, output_type(ctx)->type, output_value(ctx), error);
    }
    return status;
}

/* Whether a restored value still holds: DOCKET_OK, DOCKET_MISSING (ctx->miss tells why not), or an error. Files may go at
 * any time: those of a fresh value too. */
static docket_status check_restored(docket_ctx *ctx, docket_status restored, bool fresh, docket_error *error)
{
    docket_status status = DOCKET_OK;
    if (restored == DOCKET_OK && output_type(ctx)->has_files && output_value(ctx) != NULL) {
        status = docket__files_check(ctx, output_type(ctx)->type, output_value(ctx), error);
    }
    if (status == DOCKET_MISSING) {
        ctx->miss = "file changed";
    } else if (status == DOCKET_OK && !fresh && !still_good(ctx, restored)) {
        ctx->miss = "no longer good";
        status = DOCKET_MISSING;
    }
    return status;
}

/* The bytes of an older layout may lack what the value has. */
static void keep_digest(docket_ctx *ctx, const docket_record *record)
{
    const docket__graph_type *type = output_type(ctx);
    if (memcmp(record->fingerprint, type->fingerprint, sizeof type->fingerprint) == 0) {
        docket__subject_keep_digest(ctx->node, record->value);
    }
}

static bool is_effect(const docket_ctx *ctx)
{
    return ctx->step->options.effect != DOCKET_EFFECT_NONE;
}

/* What has happened cannot be done over because its record is no good any more. */
static docket_status refuse_effect(docket_error *error, const char *why)
{
    char reason[512];
    snprintf(reason, sizeof reason, "%.511s", why);
    return docket__error_set(
        error, DOCKET_CONFLICT,
        "the effect was recorded, but its result does not hold any more (%s): it is not entered "
        "again; docket_forget it to have it done anew",
        reason);
}

docket_status docket__lookup_judge(docket_ctx *ctx, const docket_record *record, bool fresh, const char **reason,
                                   docket_error *error)
{
    docket_status status = docket__lookup_restore(ctx, record, reason, error);
    bool unreadable = status == DOCKET_CORRUPT || status == DOCKET_TYPE;
    if (unreadable && ctx->step->options.on_unreadable == DOCKET_RERUN) {
        ctx->miss = status == DOCKET_TYPE ? "type changed" : "damaged";
    } else if (status == DOCKET_MISSING) {
        /* a part of it is gone: ctx->miss tells */
    } else if (status == DOCKET_OK || status == DOCKET_ABSENT) {
        docket_status checked = check_restored(ctx, status, fresh, error);
        if (checked == DOCKET_OK && status == DOCKET_OK && output_value(ctx) != NULL) {
            keep_digest(ctx, record);
        }
        if (checked != DOCKET_MISSING) {
            return checked == DOCKET_OK ? status : checked;
        }
    } else {
        return status == DOCKET_TYPE && is_effect(ctx) ? refuse_effect(error, error->message) : status;
    }
    if (is_effect(ctx)) {
        return refuse_effect(error, ctx->miss);
    }
    ctx->replace = true;
    docket__lookup_clear(ctx);
    docket__arena_release(&ctx->memory);
    docket__error_clear(error);
    return DOCKET_MISSING;
}

/* Asks the store, unless the record was prefetched; after a claim only the store knows. `*record` is the caller's. */
static docket_status find_record(docket_ctx *ctx, docket_record **record, const char **reason, docket_error *error)
{
    const docket_record *prefetched = ctx->claimed ? NULL : docket__prefetch_find(ctx->execution, &ctx->holder.key);
    if (prefetched != NULL) {
        return docket__lookup_judge(ctx, prefetched, false, reason, error);
    }
    docket_found found;
    const docket_address address = {
        .key = ctx->holder.key,
        .scope = ctx->step->options.scope,
        .execution_id = docket__execution_id(ctx->execution),
        .step = ctx->step->info.name,
    };
    docket_status status = docket__store_lookup(ctx->step->options.store, &address, ctx->execution->deadline_ms,
                                                &found, record, error);
    if (status != DOCKET_OK) {
        return status;
    }
    ctx->miss = found == DOCKET_FOUND_EXPIRED ? "expired" : "never recorded";
    return found == DOCKET_FOUND_RECORD ? docket__lookup_judge(ctx, *record, false, reason, error) : DOCKET_MISSING;
}

docket_status docket__lookup_find(docket_ctx *ctx, docket_record **record, const char **reason, docket_error *error)
{
    int64_t started_ns = docket__observed(ctx->execution) ? docket__clock_monotonic_ns() : 0;
    ctx->replace = false;
    docket_status status = find_record(ctx, record, reason, error);
    bool hit = status == DOCKET_OK || status == DOCKET_ABSENT;
    bool miss = status == DOCKET_MISSING;
    docket__lookup_report(ctx, hit, miss ? ctx->miss : NULL, hit || miss ? NULL : error, started_ns);
    return status;
}
