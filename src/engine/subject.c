#include "engine/subject.h"
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/key.h"
#include "type/codec.h"
#include <string.h>

/* slot->has_digest: whoever moves it from NO to BEING_MADE may write; READY is published with release order. */
enum { DIGEST_NO, DIGEST_BEING_MADE, DIGEST_READY };

static void keep(docket__node *node, uint32_t slot, const uint8_t digest[32])
{
    unsigned char expected = DIGEST_NO;
    atomic_uchar *state = &docket__node_slot(node, slot)->has_digest;
    uint8_t *place = docket__node_digest(node, slot);
    if (place != NULL && atomic_compare_exchange_strong(state, &expected, DIGEST_BEING_MADE)) {
        memcpy(place, digest, 32);
        atomic_store_explicit(state, DIGEST_READY, memory_order_release);
    }
}

static const docket__graph_type *type_of(const docket__node *node, uint32_t slot)
{
    return &node->execution->graph->types[node->execution->plan->slots[slot].type];
}

void docket__subject_keep_digest(docket__node *node, docket_bytes bytes)
{
    const docket__graph_type *type = type_of(node, node->plan->slot);
    bool key_is_value = !type->has_files && docket__type_base(type->type)->encode_key == NULL;
    uint8_t digest[32];
    if (key_is_value && docket__sha256(&bytes, 1, digest) == DOCKET_OK) {
        keep(node, node->plan->slot, digest);
    }
}

void docket__subject_forget_digest(docket__node *node)
{
    atomic_store(&docket__node_slot(node, node->plan->slot)->has_digest, DIGEST_NO);
}

static docket_status check_size(const docket_ctx *ctx, const docket_type *type, size_t size, docket_error *error)
{
    docket_store *store = ctx->step->options.store;
    if (ctx->step->info.scope == DOCKET_SCOPE_NONE || size <= docket__store_payload_limit(store)) {
        return DOCKET_OK;
    }
    docket__error_set(error, DOCKET_TOO_LARGE,
                      "the input is %zu bytes, the store's limit is %zu (max_payload_bytes)", size,
                      docket__store_payload_limit(store));
    docket__error_set_type(error, type->name);
    return DOCKET_TOO_LARGE;
}

static docket_status find_digest(const docket_ctx *ctx, uint32_t slot, uint8_t digest[32], docket_error *error)
{
    docket__slot *from = docket__node_slot(ctx->node, slot);
    const uint8_t *kept = docket__node_digest(ctx->node, slot);
    if (kept != NULL && atomic_load_explicit(&from->has_digest, memory_order_acquire) == DIGEST_READY) {
        memcpy(digest, kept, 32);
        return DOCKET_OK;
    }
    const docket_type *type = type_of(ctx->node, slot)->type;
    docket_buffer bytes = {0};
    docket_status status = docket__type_encode_key(type, from->value, &bytes, error);
    if (status == DOCKET_OK) {
        status = check_size(ctx, type, bytes.size, error);
    }
    if (status == DOCKET_OK) {
        status = docket__sha256(&(docket_bytes){bytes.data, bytes.size}, 1, digest);
        if (status == DOCKET_OK) {
            keep(ctx->node, slot, digest);
        } else {
            docket__error_set(error, status, "the digest of an input cannot be made");
        }
    }
    docket__buffer_release(&bytes);
    return status;
}

/* The digests of all items that the step takes. What stands for them in the record is the digest of these. */
static docket_status describe_items(docket_ctx *ctx, const docket_type *type, docket__key_input *input,
                                    docket_error *error)
{
    size_t count = ctx->gathered_count;
    uint8_t *digests = docket__arena_allocate_array(&ctx->scratch, count, 32, 1);
    docket_buffer bytes = {0};
    docket_status status = digests == NULL ? docket__error_no_memory(error) : DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        bytes.size = 0;
        status = docket__type_encode_key(type, ctx->gathered[i], &bytes, error);
        if (status == DOCKET_OK) {
            status = docket__sha256(&(docket_bytes){bytes.data, bytes.size}, 1, digests + 32 * i);
        }
    }
    docket__buffer_release(&bytes);
    if (status == DOCKET_OK) {
        status = docket__sha256(&(docket_bytes){digests, 32 * count}, 1, ctx->input_digests[0]);
    }
    input->state = DOCKET__KEY_ITEMS;
    input->digest = digests;
    input->count = count;
    return status;
}

static docket_status describe_input(docket_ctx *ctx, size_t index, docket__key_input *input, docket_error *error)
{
    uint32_t slot = ctx->node->plan->inputs[index];
    const docket__graph_type *type = type_of(ctx->node, slot);
    uint8_t state = docket__node_slot(ctx->node, slot)->state;
    memset(ctx->input_digests[index], 0, 32);
    *input = (docket__key_input){.type = type->type->name, .fingerprint = type->fingerprint};
    if (type->resource) {
        input->state = DOCKET__KEY_RESOURCE;
        return DOCKET_OK;
    }
    if (state == DOCKET_VALUE_ABSENT || state == DOCKET_VALUE_FAILED) {
        input->state = DOCKET__KEY_ABSENT;
        return DOCKET_OK;
    }
    if (index == 0 && ctx->node->plan->closes != DOCKET__ONCE) {
        return describe_items(ctx, type->type, input, error);
    }
    bool items = (ctx->step->info.inputs[index].flags & DOCKET_INPUT_ITEMS) != 0;
    input->state = items ? DOCKET__KEY_ITEMS : DOCKET__KEY_PRESENT;
    input->digest = ctx->input_digests[index];
    input->count = 1;
    return find_digest(ctx, slot, ctx->input_digests[index], error);
}

static docket_status describe(docket_ctx *ctx, docket__key_subject *subject, docket__key_input *inputs,
                              docket_error *error)
{
    const docket_step_info *info = &ctx->step->info;
    *subject = (docket__key_subject){
        .key_namespace = ctx->execution->graph->key_namespace,
        .scope = info->scope,
        .execution_id = docket__execution_id(ctx->execution),
        .step = info->name,
        .version = info->version,
        .output = info->output->name,
        .inputs = inputs,
        .input_count = info->input_count,
        .item_number = (uint64_t)(ctx->item_index + 1),
    };
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < info->input_count && status == DOCKET_OK; i++) {
        status = describe_input(ctx, i, &inputs[i], error);
    }
    return status;
}

static docket_status answer_digest(docket_status status, docket_error *error)
{
    return status == DOCKET_OK ? DOCKET_OK : docket__error_set(error, status, "the step's key cannot be made");
}

docket_status docket__subject_prepare(docket_ctx *ctx, docket_error *error)
{
    docket__key_subject subject;
    docket__key_input inputs[DOCKET_MAX_INPUTS];
    docket_status status = describe(ctx, &subject, inputs, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = answer_digest(docket__key_make(&subject, &ctx->holder.key), error);
    const docket__graph_type *type = &ctx->execution->graph->types[ctx->step->output];
    ctx->record = (docket_record){
        .key = ctx->holder.key,
        .step_version = subject.version,
        .scope = subject.scope,
        .execution_id = subject.execution_id,
        .step = subject.step,
        .type = subject.output,
        .input_digests = ctx->input_digests[0],
        .input_count = subject.input_count,
    };
    memcpy(ctx->record.fingerprint, type->fingerprint, sizeof type->fingerprint);
    return status;
}

docket_status docket__subject_idempotency_key(docket_ctx *ctx, uint8_t key[16], docket_error *error)
{
    docket__key_subject subject;
    docket__key_input inputs[DOCKET_MAX_INPUTS];
    docket_status status = describe(ctx, &subject, inputs, error);
    return status != DOCKET_OK ? status : answer_digest(docket__key_idempotency(&subject, key), error);
}

docket_status docket__subject_effect(docket_ctx *ctx, docket_intent *intent, docket_error *error)
{
    docket__key_subject subject;
    docket__key_input inputs[DOCKET_MAX_INPUTS];
    docket_status status = describe(ctx, &subject, inputs, error);
    if (status == DOCKET_OK) {
        status = answer_digest(docket__key_idempotency(&subject, intent->idempotency_key), error);
    }
    return status != DOCKET_OK ? status : answer_digest(docket__key_slot(&subject, intent->slot), error);
}
