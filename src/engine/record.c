/* The record of what an attempt came to. */
#include "store/record.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/expand.h"
#include "engine/file.h"
#include "engine/once.h"
#include "engine/subject.h"
#include <string.h>

static docket_status encode(docket_ctx *ctx, bool absent, docket_error *error)
{
    if (absent) {
        return docket__buffer_append(&ctx->bytes, ctx->absent_reason, strlen(ctx->absent_reason));
    }
    if (ctx->node->plan->expands != DOCKET__ONCE) {
        return docket__expand_encode(ctx, error);
    }
    const docket__graph_type *type = &ctx->execution->graph->types[ctx->step->output];
    const docket__plan_slot *slot = &ctx->execution->plan->slots[ctx->node->plan->slot];
    const void *output = ctx->node->row->values + slot->offset;
    docket_status status = type->has_files ? docket__files_record(ctx, type->type, &output, error) : DOCKET_OK;
    return status == DOCKET_OK ? docket_encode(type->type, output, &ctx->bytes, error) : status;
}

static docket_status encode_within_limit(docket_ctx *ctx, bool absent, docket_error *error)
{
    docket__buffer_clear(&ctx->bytes); /* what an attempt before has left */
    ctx->file_count = 0;
    docket_status status = encode(ctx, absent, error);
    size_t limit = docket__store_payload_limit(ctx->step->options.store);
    if (status == DOCKET_OK && ctx->bytes.size > limit) {
        return docket__error_set(error, DOCKET_TOO_LARGE,
                                 "the result is %zu bytes, the store's limit is %zu (max_payload_bytes)",
                                 ctx->bytes.size, limit);
    }
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}

docket_status docket__ctx_record(docket_ctx *ctx, docket__attempt_outcome outcome, docket_error *error)
{
    docket_record *record = &ctx->record;
    bool absent = outcome == DOCKET__ATTEMPT_ABSENT;
    docket_status status = encode_within_limit(ctx, absent, error);
    if (status != DOCKET_OK) {
        return status;
    }
    record->format = DOCKET_RECORD_FORMAT;
    record->kind = absent                                     ? DOCKET_CHECKPOINT_ABSENT
                   : ctx->node->plan->expands != DOCKET__ONCE ? DOCKET_CHECKPOINT_ITEMS
                                                              : DOCKET_CHECKPOINT_VALUE;
    record->attempts = ctx->attempt;
    record->execution_id = docket__execution_id(ctx->execution);
    record->value = (docket_bytes){ctx->bytes.data, ctx->bytes.size};
    record->ttl_ms = ctx->ttl_ms;
    record->duration_ms = (docket__clock_monotonic_ns() - ctx->started_ns) / 1000000;
    if (record->kind == DOCKET_CHECKPOINT_VALUE) {
        docket__subject_keep_digest(ctx->node, record->value);
    }
    return docket__record_seal(record);
}

docket_commit docket__ctx_commit(const docket_ctx *ctx)
{
    return (docket_commit){.struct_size = sizeof(docket_commit),
                           .record = &ctx->record,
                           .intent = docket__once_intent(ctx),
                           .schema = ctx->execution->graph->types[ctx->step->output].schema,
                           .files = ctx->files,
                           .file_count = ctx->file_count,
                           .replace = ctx->replace};
}
