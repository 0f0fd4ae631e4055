/* What an expand step made is recorded in chunks of items, and a manifest that lists the chunks and is committed last.
 *
 * The manifest stands under the step's key: two numbers of eight bytes in little-endian order, the items and the chunks,
 * and the keys of the chunks. A chunk is a sequence of items, each with its size before it in eight bytes. Its key is made
 * of the step's key and its own bytes, so that chunks of another run never pass for it. */
#include "engine/expand.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/file.h"
#include "engine/group.h"
#include "store/record.h"
#include "type/codec.h"
#include <string.h>

enum { CHUNK_BYTES = 256 * 1024, HEAD_BYTES = 16, CHUNK_TAG = 21 };

struct docket__chunk {
    docket__write write; /* first */
    docket__chunk *next;
    docket_ctx *ctx;
    void (*then)(docket_ctx *ctx);
    docket_record record;
    docket_buffer bytes;
    const char **files; /* managed files of its items */
    size_t file_count;
    docket_error error;
    bool submitted;
    atomic_int handoff;
};

static const docket_type *item_type(const docket_ctx *ctx)
{
    return ctx->execution->graph->types[ctx->step->output].type;
}

static bool has_files(const docket_ctx *ctx)
{
    return ctx->execution->graph->types[ctx->step->output].has_files;
}

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        number |= (uint64_t)bytes[i] << (8 * i);
    }
    return number;
}

static docket_status chunk_key(const docket_ctx *ctx, docket_bytes bytes, docket_key *key)
{
    static const uint8_t tag = CHUNK_TAG;
    uint8_t content[32];
    docket_status status = docket__sha256(&bytes, 1, content);
    const docket_bytes parts[] = {{&tag, 1}, {ctx->holder.key.bytes, 32}, {content, 32}};
    return status == DOCKET_OK ? docket__sha256(parts, 3, key->bytes) : status;
}

/* Encoding. */

static docket__chunk *add_chunk(docket_ctx *ctx)
{
    docket__chunk *chunk = docket__allocate(sizeof *chunk);
    if (chunk != NULL) {
        chunk->ctx = ctx;
        docket__chunk **last = &ctx->chunks;
        while (*last != NULL) {
            last = &(*last)->next;
        }
        *last = chunk;
    }
    return chunk;
}

static docket_status note_files(docket_ctx *ctx, docket__chunk *chunk, docket_error *error)
{
    size_t count = chunk->file_count + ctx->file_count;
    const char **files = docket__resize(chunk->files, count * sizeof *files);
    if (files == NULL) {
        return docket__error_no_memory(error);
    }
    memcpy(files + chunk->file_count, ctx->files, ctx->file_count * sizeof *files);
    chunk->files = files;
    chunk->file_count = count;
    return DOCKET_OK;
}

static docket_status add_item(docket_ctx *ctx, docket__chunk *chunk, const void *value, docket_error *error)
{
    docket_status status = DOCKET_OK;
    size_t start = chunk->bytes.size;
    size_t limit = docket__store_payload_limit(ctx->step->options.store);
    uint8_t head[8] = {0};
    ctx->file_count = 0;
    if (has_files(ctx)) {
        status = docket__files_record(ctx, item_type(ctx), &value, error);
    }
    if (status == DOCKET_OK && docket__buffer_append(&chunk->bytes, head, sizeof head) != DOCKET_OK) {
        status = docket__error_no_memory(error);
    }
    if (status == DOCKET_OK) {
        status = docket_encode(item_type(ctx), value, &chunk->bytes, error);
    }
    if (status == DOCKET_OK && ctx->file_count > 0) {
        status = note_files(ctx, chunk, error);
    }
    if (status == DOCKET_OK && chunk->bytes.size > limit) {
        return docket__error_set(error, DOCKET_TOO_LARGE,
                                 "an item is %zu bytes, the store's limit is %zu (max_payload_bytes)",
                                 chunk->bytes.size - start - sizeof head, limit);
    }
    if (status == DOCKET_OK) {
        put_number(chunk->bytes.data + start, chunk->bytes.size - start - sizeof head);
    }
    return status;
}

static docket_status fill_chunks(docket_ctx *ctx, docket_error *error)
{
    const docket__node *node = ctx->node;
    docket__group *group = &ctx->execution->groups[node->plan->expands];
    uint32_t slot = node->plan->slot - group->plan->first_slot;
    size_t most = docket__store_payload_limit(ctx->step->options.store);
    most = most / 2 < CHUNK_BYTES ? most / 2 : CHUNK_BYTES;
    docket__chunk *chunk = NULL;
    docket_status status = DOCKET_OK;
    for (uint64_t i = 0; i < group->total && status == DOCKET_OK; i++) {
        if (chunk == NULL || chunk->bytes.size >= most) {
            chunk = add_chunk(ctx);
        }
        status = chunk == NULL
                     ? docket__error_no_memory(error)
                     : add_item(ctx, chunk, docket__item_value(group, *docket__item_place(group, i), slot), error);
        if (status != DOCKET_OK) {
            error->item_index = (int64_t)i;
        }
    }
    return status;
}

static docket_status seal_chunk(docket_ctx *ctx, docket__chunk *chunk)
{
    docket_record *record = &chunk->record;
    *record = ctx->record;
    record->format = DOCKET_RECORD_FORMAT;
    record->kind = DOCKET_CHECKPOINT_CHUNK;
    record->attempts = ctx->attempt;
    record->execution_id = docket__execution_id(ctx->execution);
    record->ttl_ms = ctx->ttl_ms;
    record->value = docket_buffer_bytes(&chunk->bytes);
    docket_status status = chunk_key(ctx, record->value, &record->key);
    return status == DOCKET_OK ? docket__record_seal(record) : status;
}

docket_status docket__expand_encode(docket_ctx *ctx, docket_error *error)
{
    uint8_t head[HEAD_BYTES];
    uint64_t chunks = 0;
    docket__expand_release(ctx);
    docket_status status = fill_chunks(ctx, error);
    ctx->file_count = 0;
    for (docket__chunk *chunk = ctx->chunks; chunk != NULL; chunk = chunk->next) {
        chunks++;
    }
    put_number(head, ctx->execution->groups[ctx->node->plan->expands].total);
    put_number(head + 8, chunks);
    if (status == DOCKET_OK && docket__buffer_append(&ctx->bytes, head, sizeof head) != DOCKET_OK) {
        status = docket__error_no_memory(error);
    }
    for (docket__chunk *chunk = ctx->chunks; chunk != NULL && status == DOCKET_OK; chunk = chunk->next) {
        status = seal_chunk(ctx, chunk);
        if (status != DOCKET_OK) {
            docket__error_set(error, status, "the checksum of a chunk of items cannot be computed");
        } else if (docket__buffer_append(&ctx->bytes, chunk->record.key.bytes, 32) != DOCKET_OK) {
            status = docket__error_no_memory(error);
        }
    }
    return status;
}

void docket__expand_release(docket_ctx *ctx)
{
    while (ctx->chunks != NULL) {
        docket__chunk *chunk = ctx->chunks;
        ctx->chunks = chunk->next;
        docket__buffer_release(&chunk->bytes);
        docket__free(chunk->files);
        docket__free(chunk);
    }
}

/* Committing. One chunk at a time, so that no more is on its way than that: the queue is everybody's. The answer comes
 * before the call returns, or later on the store's thread; who is second goes on with the next chunk. */

static void commit_from(docket__chunk *chunk, void (*then)(docket_ctx *ctx));

static void chunk_written(docket__write *write)
{
    docket__chunk *chunk = (docket__chunk *)write;
    docket_record_free(write->commit.existing); /* the same bytes under the same key */
    write->commit.existing = NULL;
    if (atomic_exchange(&chunk->handoff, 1) == 1) {
        commit_from(chunk, chunk->then);
    }
}

static void submit(docket__chunk *chunk, void (*then)(docket_ctx *ctx))
{
    chunk->then = then;
    chunk->write.commit = docket__ctx_commit(chunk->ctx);
    chunk->write.commit.record = &chunk->record;
    chunk->write.commit.files = chunk->files;
    chunk->write.commit.file_count = chunk->file_count;
    chunk->write.commit.replace = false;
    chunk->write.done = chunk_written;
    chunk->write.error = &chunk->error;
    chunk->write.deadline_ms = INT64_MAX;
    chunk->submitted = true;
    docket__store_write(chunk->ctx->step->options.store, &chunk->write);
}

/* Goes on with a chunk that is to be submitted, or whose answer is there. */
static void commit_from(docket__chunk *chunk, void (*then)(docket_ctx *ctx))
{
    docket_ctx *ctx = chunk->ctx;
    for (; chunk != NULL; chunk = chunk->next) {
        if (!chunk->submitted) {
            submit(chunk, then);
            if (atomic_exchange(&chunk->handoff, 1) == 0) {
                return;
            }
        }
        ctx->write.commit.status = chunk->write.commit.status;
        if (chunk->write.commit.status != DOCKET_OK) {
            ctx->failure = chunk->error;
            break;
        }
    }
    then(ctx);
}

void docket__expand_commit(docket_ctx *ctx, void (*then)(docket_ctx *ctx))
{
    commit_from(ctx->chunks, then);
}

/* Restoring. */

static docket_status refuse_damaged(const docket_ctx *ctx, const char *what, docket_error *error)
{
    return docket__error_set(error, DOCKET_CORRUPT, "the recorded items of step \"%s\" are damaged: %s",
                             ctx->step->info.name, what);
}

static docket_status take_item(docket_ctx *ctx, docket_bytes bytes, void *value, docket_arena *memory,
                               docket_error *error)
{
    const docket_type *type = item_type(ctx);
    memset(value, 0, type->size);
    docket_status status = docket_decode(type, bytes, memory, value, error);
    if (status == DOCKET_OK && has_files(ctx)) {
        status = docket__files_resolve(ctx, type, value, error);
        status = status == DOCKET_OK ? docket__files_check(ctx, type, value, error) : status;
        ctx->miss = "file changed";
    }
    return status == DOCKET_OK ? docket__items_emit(ctx->node, value, error) : status;
}

static docket_status take_chunk(docket_ctx *ctx, docket_bytes bytes, void *value, docket_error *error)
{
    docket_status status = DOCKET_OK;
    while (bytes.size > 0 && status == DOCKET_OK) {
        uint64_t size = bytes.size < 8 ? UINT64_MAX : get_number(bytes.data);
        if (size > bytes.size - 8) {
            return refuse_damaged(ctx, "an item is cut short", error);
        }
        docket_arena memory = {0};
        status = take_item(ctx, (docket_bytes){bytes.data + 8, (size_t)size}, value, &memory, error);
        docket__arena_release(&memory);
        bytes.data += 8 + size;
        bytes.size -= 8 + (size_t)size;
    }
    return status;
}

static docket_status fetch_chunk(docket_ctx *ctx, const uint8_t *key, docket_record **record, docket_error *error)
{
    docket_found found;
    docket_address address = {
        .scope = ctx->step->options.scope,
        .execution_id = docket__execution_id(ctx->execution),
        .step = ctx->step->info.name,
    };
    memcpy(address.key.bytes, key, sizeof address.key.bytes);
    docket_status status = docket__store_lookup(ctx->step->options.store, &address, ctx->execution->deadline_ms,
                                                &found, record, error);
    if (status == DOCKET_OK && found != DOCKET_FOUND_RECORD) {
        ctx->miss = found == DOCKET_FOUND_EXPIRED ? "expired" : "incomplete";
        return DOCKET_MISSING;
    }
    if (status == DOCKET_OK) {
        status = docket__record_verify(*record, error);
    }
    if (status == DOCKET_OK && (*record)->kind != DOCKET_CHECKPOINT_CHUNK) {
        status = refuse_damaged(ctx, "what stands for a chunk is none", error);
    }
    return status;
}

static docket_status take_chunks(docket_ctx *ctx, const docket_record *manifest, docket_error *error)
{
    const uint8_t *bytes = manifest->value.data;
    size_t size = manifest->value.size;
    uint64_t chunks = size < HEAD_BYTES ? 0 : get_number(bytes + 8);
    if (size < HEAD_BYTES || chunks != (size - HEAD_BYTES) / 32 || (size - HEAD_BYTES) % 32 != 0) {
        return refuse_damaged(ctx, "the manifest does not fit its size", error);
    }
    void *value = docket__allocate(item_type(ctx)->size);
    docket_status status = value == NULL ? docket__error_no_memory(error) : DOCKET_OK;
    for (uint64_t i = 0; i < chunks && status == DOCKET_OK; i++) {
        docket_record *record = NULL;
        status = fetch_chunk(ctx, bytes + HEAD_BYTES + 32 * i, &record, error);
        if (status == DOCKET_OK) {
            status = take_chunk(ctx, record->value, value, error);
        }
        docket_record_free(record);
    }
    docket__free(value);
    if (status == DOCKET_OK && ctx->execution->groups[ctx->node->plan->expands].total != get_number(bytes)) {
        return refuse_damaged(ctx, "they are not as many as the manifest says", error);
    }
    return status;
}

docket_status docket__expand_restore(docket_ctx *ctx, const docket_record *record, docket_error *error)
{
    docket__items_forget(ctx->node);
    docket_status status = take_chunks(ctx, record, error);
    if (status != DOCKET_OK) {
        docket__items_forget(ctx->node);
    }
    return status;
}
