/* The memory store.
 *
 * One table (table.h) under one lock. Records are copied on their way in and, outside the lock, on their way out. A
 * record that has expired is removed by the look-up that meets it, and every commit removes a few more: the table holds
 * what lives and little else. Commits are the caller's own (DOCKET_BACKEND_INLINE): nothing here waits for a disk.
 *
 * Lock: `lock` guards the table; the wall clock's lock nests inside it. */
#include "store/memory/memory.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "store/memory/effects.h"
#include "store/memory/table.h"
#include "store/record.h"
#include "store/wall.h"
#include "type/schema.h"

#include <string.h>

enum { EXPIRED_PER_COMMIT = 8 };

/* The schema of one layout of a type. */
typedef struct kept_schema {
    size_t name_size;
    size_t size;
    uint8_t bytes[]; /* fingerprint, name: the key; then the schema */
} kept_schema;

typedef struct memory_store {
    pthread_mutex_t lock;
    docket__table table;
    docket__effects effects;
    docket__map schemas;
    docket__wall wall;
} memory_store;

/* ---- Looking ---- */

static docket_status copy_out(docket__shared_record *shared, docket_record **record, docket_error *error)
{
    *record = docket_record_copy(shared->record);
    docket__shared_record_unref(shared);
    return *record != NULL ? DOCKET_OK : docket__error_no_memory(error);
}

static docket_status lookup(void *self, const docket_address *address, docket_found *found, docket_record **record,
                            docket_error *error)
{
    memory_store *store = self;
    docket__shared_record *shared = NULL;
    *found = DOCKET_FOUND_NOTHING;
    pthread_mutex_lock(&store->lock);
    docket__entry *entry = docket__table_find(&store->table, &address->key);
    if (entry != NULL && entry->shared->failure == NULL) {
        if (docket__is_expired(entry->expires_ms, docket__wall_now_ms(&store->wall))) {
            *found = DOCKET_FOUND_EXPIRED;
            docket__table_remove(&store->table, entry);
        } else {
            *found = DOCKET_FOUND_RECORD;
            shared = docket__shared_record_ref(entry->shared);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return shared != NULL ? copy_out(shared, record, error) : DOCKET_OK;
}

static bool belongs(const docket__entry *entry, const char *execution_id, int64_t now_ms)
{
    const docket_record *record = entry->shared->record;
    return entry->shared->failure == NULL && record->scope == DOCKET_SCOPE_WORKFLOW &&
           !docket__is_expired(entry->expires_ms, now_ms) && record->execution_id != NULL &&
           strcmp(record->execution_id, execution_id) == 0;
}

/* The next record of an execution, held for the caller; NULL = no more. */
static docket__shared_record *next_of(memory_store *store, const char *execution_id, int64_t *position)
{
    docket__shared_record *shared = NULL;
    pthread_mutex_lock(&store->lock);
    int64_t now_ms = docket__wall_now_ms(&store->wall);
    for (size_t i = docket__table_seek(&store->table, *position); i < store->table.order_count; i++) {
        const docket__place *place = &store->table.order[i];
        *position = place->position;
        if (place->entry != NULL && belongs(place->entry, execution_id, now_ms)) {
            shared = docket__shared_record_ref(place->entry->shared);
            break;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return shared;
}

static docket_status scan(void *self, const char *execution_id, docket_record_visit *each, void *arg,
                          docket_error *error)
{
    int64_t position = 0;
    bool more = true;
    (void)error;
    while (more) {
        docket__shared_record *shared = next_of(self, execution_id, &position);
        if (shared == NULL) {
            break;
        }
        more = each(arg, shared->record);
        docket__shared_record_unref(shared);
    }
    return DOCKET_OK;
}

/* ---- Committing ---- */

static docket_status keep_schema(memory_store *store, const docket_record *record, docket_bytes schema)
{
    uint8_t key[32 + 256];
    size_t name_size = record->type != NULL ? strlen(record->type) : 0;
    if (schema.size == 0 || name_size > 255) {
        return DOCKET_OK;
    }
    memcpy(key, record->fingerprint, 32);
    memcpy(key + 32, record->type, name_size);
    kept_schema *before = docket__map_get(&store->schemas, key, 32 + name_size);
    if (before != NULL &&
        !docket__schema_supersedes((docket_bytes){before->bytes + 32 + name_size, before->size}, schema)) {
        return DOCKET_OK;
    }
    kept_schema *kept = docket__allocate(sizeof *kept + 32 + name_size + schema.size);
    if (kept == NULL) {
        return DOCKET_NO_MEMORY;
    }
    kept->name_size = name_size;
    kept->size = schema.size;
    memcpy(kept->bytes, key, 32 + name_size);
    memcpy(kept->bytes + 32 + name_size, schema.data, schema.size);
    docket__map_remove(&store->schemas, key, 32 + name_size); /* its key lies in the earlier one */
    docket_status status = docket__map_put(&store->schemas, kept->bytes, 32 + name_size, kept);
    docket__free(status == DOCKET_OK ? before : kept);
    return status;
}

static docket_status put(memory_store *store, const docket_commit *commit, int64_t now_ms)
{
    docket_record record = *commit->record;
    record.created_ms = now_ms;
    record.expires_ms = docket__expiry_ms(now_ms, record.ttl_ms);
    if (commit->kind == DOCKET_COMMIT_FAILURE) {
        record.kind = DOCKET_CHECKPOINT_FAILURE;
        record.expires_ms = 0;
        record.value = (docket_bytes){NULL, 0};
    }
    docket__shared_record *shared =
        docket__shared_record_new(&record, commit->kind == DOCKET_COMMIT_FAILURE ? commit->failure : NULL);
    if (shared == NULL) {
        return DOCKET_NO_MEMORY;
    }
    docket_status status = docket__table_put(&store->table, &record.key, record.expires_ms, shared);
    if (status != DOCKET_OK) {
        docket__shared_record_unref(shared);
    } else if (commit->intent != NULL && commit->kind == DOCKET_COMMIT_RECORD) {
        docket__entry *entry = docket__table_find(&store->table, &record.key);
        status = docket__table_hold_slot(&store->table, entry, commit->intent->slot);
        if (status != DOCKET_OK) {
            docket__table_remove(&store->table, entry);
        }
    }
    return status;
}

static const docket_record *live_record(const memory_store *store, const docket_key *key, int64_t now_ms)
{
    const docket__entry *entry = docket__table_find(&store->table, key);
    bool lives = entry != NULL && entry->shared->failure == NULL && !docket__is_expired(entry->expires_ms, now_ms);
    return lives ? entry->shared->record : NULL;
}

static docket_status put_entry(memory_store *store, docket_commit *commit, int64_t now_ms)
{
    const docket_record *live = live_record(store, &commit->record->key, now_ms);
    if (live != NULL && commit->kind == DOCKET_COMMIT_FAILURE) {
        return DOCKET_OK;
    }
    if (live != NULL && !commit->replace) {
        commit->existing = docket_record_copy(live);
        return commit->existing != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
    }
    docket_status status = keep_schema(store, commit->record, commit->schema);
    return status == DOCKET_OK ? put(store, commit, now_ms) : status;
}

/* The intent of an effect is gone: see docket_commit_kind. */
static docket_status judge_late(const memory_store *store, docket_commit *commit, int64_t now_ms)
{
    const docket_record *live = live_record(store, &commit->record->key, now_ms);
    bool same = live != NULL && memcmp(live->checksum, commit->record->checksum, sizeof live->checksum) == 0;
    commit->status = same ? DOCKET_OK : DOCKET_CLAIM_LOST;
    return DOCKET_OK;
}

static docket_status commit_record(memory_store *store, docket_commit *commit, int64_t now_ms)
{
    bool is_record = commit->kind == DOCKET_COMMIT_RECORD;
    if (commit->intent != NULL && is_record && !docket__effects_has(&store->effects, commit->intent)) {
        return judge_late(store, commit, now_ms);
    }
    docket_status status = put_entry(store, commit, now_ms);
    if (status == DOCKET_OK && commit->intent != NULL) {
        docket__effects_remove(&store->effects, commit->intent);
    }
    if (status == DOCKET_OK && is_record) {
        docket__effects_clear_crashes(&store->effects, &commit->record->key);
    }
    return status;
}

static docket_status commit_intent(memory_store *store, docket_commit *commit, int64_t now_ms)
{
    const docket_intent *intent = commit->intent;
    if (docket__effects_has(&store->effects, intent)) {
        return DOCKET_OK;
    }
    if (docket__effects_find(&store->effects, intent->slot) != NULL ||
        docket__map_get(&store->table.by_slot, intent->slot, sizeof intent->slot) != NULL) {
        commit->status = DOCKET_CONFLICT;
        return DOCKET_OK;
    }
    docket_status status = keep_schema(store, commit->record, commit->schema);
    return status == DOCKET_OK ? docket__effects_add(&store->effects, intent, commit->record, now_ms) : status;
}

static docket_status commit_forget(memory_store *store, docket_commit *commit)
{
    const docket_key *key = &commit->record->key;
    docket__entry *entry = docket__table_find(&store->table, key);
    if (docket__effects_has_key(&store->effects, key)) {
        commit->status = DOCKET_IN_DOUBT;
        return DOCKET_OK;
    }
    if (entry != NULL) {
        docket__table_remove(&store->table, entry);
    }
    docket__effects_clear_crashes(&store->effects, key);
    return DOCKET_OK;
}

static docket_status commit_one(memory_store *store, docket_commit *commit, int64_t now_ms)
{
    commit->status = DOCKET_OK;
    switch (commit->kind) {
    case DOCKET_COMMIT_RECORD:
    case DOCKET_COMMIT_FAILURE:
        return commit_record(store, commit, now_ms);
    case DOCKET_COMMIT_INTENT:
        return commit_intent(store, commit, now_ms);
    case DOCKET_COMMIT_INTENT_REMOVED:
        docket__effects_remove(&store->effects, commit->intent);
        return DOCKET_OK;
    case DOCKET_COMMIT_IN_DOUBT:
        return docket__effects_doubt(&store->effects, commit->intent,
                                     commit->failure != NULL ? commit->failure->message : "");
    case DOCKET_COMMIT_CRASH:
        return docket__effects_count_crash(&store->effects, &commit->record->key, commit->crash);
    case DOCKET_COMMIT_FORGET:
        return commit_forget(store, commit);
    }
    commit->status = DOCKET_UNSUPPORTED;
    return DOCKET_OK;
}

static uint64_t remove_expired(memory_store *store, int64_t now_ms, uint64_t most)
{
    uint64_t count = 0;
    docket__entry *entry;
    while (count < most && (entry = docket__table_next_to_expire(&store->table)) != NULL &&
           docket__is_expired(entry->expires_ms, now_ms)) {
        docket__table_remove(&store->table, entry);
        count++;
    }
    return count;
}

/* Groups have one commit here (DOCKET_BACKEND_INLINE); a larger one that runs out of memory in its middle is told by
 * reading back. */
static docket_status commit(void *self, docket_commit *const *commits, size_t count, docket_error *error)
{
    memory_store *store = self;
    docket_status status = DOCKET_OK;
    pthread_mutex_lock(&store->lock);
    int64_t now_ms = docket__wall_now_ms(&store->wall);
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        status = commit_one(store, commits[i], now_ms);
    }
    remove_expired(store, now_ms, EXPIRED_PER_COMMIT);
    pthread_mutex_unlock(&store->lock);
    return status == DOCKET_OK ? DOCKET_OK : docket__error_no_memory(error);
}

/* ---- Listing and removing ---- */

static bool matches_text(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

static bool matches(const docket__entry *entry, const docket_checkpoint_filter *filter, int64_t now_ms)
{
    const docket_record *record = entry->shared->record;
    return (filter->failures || entry->shared->failure == NULL) &&
           (filter->expired || !docket__is_expired(entry->expires_ms, now_ms)) &&
           (filter->key == NULL || memcmp(filter->key, entry->key.bytes, sizeof entry->key.bytes) == 0) &&
           (filter->older_than_ms == 0 || record->created_ms <= now_ms - filter->older_than_ms) &&
           matches_text(filter->execution_id, record->execution_id) && matches_text(filter->step, record->step);
}

static void describe(const docket__entry *entry, docket_checkpoint *out, docket_arena *arena)
{
    const docket_record *record = entry->shared->record;
    const docket_error *failure = entry->shared->failure;
    *out = (docket_checkpoint){
        .struct_size = sizeof *out,
        .kind = (docket_checkpoint_kind)record->kind,
        .execution_id = docket__arena_duplicate(arena, record->execution_id != NULL ? record->execution_id : ""),
        .step = docket__arena_duplicate(arena, record->step != NULL ? record->step : ""),
        .step_version = record->step_version,
        .scope = record->scope,
        .type = docket__arena_duplicate(arena, record->type != NULL ? record->type : ""),
        .input_count = record->input_count,
        .created_ms = record->created_ms,
        .expires_ms = record->expires_ms,
        .duration_ms = record->duration_ms,
        .attempts = record->attempts,
        .size_bytes = record->value.size,
    };
    memcpy(out->key, entry->key.bytes, sizeof out->key);
    memcpy(out->fingerprint, record->fingerprint, sizeof out->fingerprint);
    if (record->input_count > 0) {
        out->input_digests = docket__arena_copy(arena, record->input_digests, record->input_count * 32);
    }
    if (failure != NULL) {
        out->status = failure->status;
        out->code = failure->code;
        out->message = docket__arena_duplicate(arena, failure->message);
    }
}

static docket_status list(void *self, const docket_checkpoint_filter *filter, int64_t *position,
                          docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                          docket_error *error)
{
    memory_store *store = self;
    *count = 0;
    pthread_mutex_lock(&store->lock);
    int64_t now_ms = docket__wall_now_ms(&store->wall);
    size_t i = docket__table_seek(&store->table, *position);
    for (; i < store->table.order_count && *count < capacity; i++) {
        const docket__place *place = &store->table.order[i];
        if (place->entry != NULL && matches(place->entry, filter, now_ms)) {
            describe(place->entry, &entries[*count], arena);
            (*count)++;
        }
        *position = place->position;
    }
    pthread_mutex_unlock(&store->lock);
    return arena->failed ? docket__error_no_memory(error) : DOCKET_OK;
}

static docket_status forget(void *self, const docket_checkpoint_filter *filter, int64_t *position, uint64_t most,
                            uint64_t *count, docket_error *error)
{
    memory_store *store = self;
    (void)error;
    *count = 0;
    pthread_mutex_lock(&store->lock);
    int64_t now_ms = docket__wall_now_ms(&store->wall);
    size_t i = docket__table_seek(&store->table, *position);
    for (; i < store->table.order_count && *count < most; i++) {
        docket__entry *entry = store->table.order[i].entry;
        *position = store->table.order[i].position;
        if (entry != NULL && matches(entry, filter, now_ms)) {
            docket__table_remove(&store->table, entry);
            (*count)++;
        }
    }
    if (i == store->table.order_count) {
        *position = INT64_MAX;
    }
    pthread_mutex_unlock(&store->lock);
    return DOCKET_OK;
}

static docket_status purge(void *self, uint64_t most, uint64_t *count, docket_error *error)
{
    memory_store *store = self;
    (void)error;
    pthread_mutex_lock(&store->lock);
    *count = remove_expired(store, docket__wall_now_ms(&store->wall), most);
    pthread_mutex_unlock(&store->lock);
    return DOCKET_OK;
}

static docket_status schema(void *self, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                            docket_error *error)
{
    memory_store *store = self;
    uint8_t key[32 + 256];
    size_t name_size = strlen(type);
    docket_status status = DOCKET_OK;
    if (name_size > 255) {
        return DOCKET_OK;
    }
    memcpy(key, fingerprint, 32);
    memcpy(key + 32, type, name_size);
    pthread_mutex_lock(&store->lock);
    const kept_schema *kept = docket__map_get(&store->schemas, key, 32 + name_size);
    if (kept != NULL) {
        status = docket__buffer_append(out, kept->bytes + 32 + kept->name_size, kept->size);
    }
    pthread_mutex_unlock(&store->lock);
    return status == DOCKET_OK ? DOCKET_OK : docket__error_no_memory(error);
}

/* ---- Effects ---- */

static docket_status effect(void *self, const uint8_t slot[16], docket_effect *out, docket_arena *arena,
                            docket_error *error)
{
    memory_store *store = self;
    *out = (docket_effect){.struct_size = sizeof *out};
    pthread_mutex_lock(&store->lock);
    const docket__effect *held = docket__effects_find(&store->effects, slot);
    const docket__entry *outcome = docket__map_get(&store->table.by_slot, slot, 16);
    if (held != NULL) {
        docket__effect_describe(held, out, arena);
    } else if (outcome != NULL) {
        docket__effect_describe_record(outcome->shared->record, DOCKET_EFFECT_RECORDED, out, arena);
        memcpy(out->slot, slot, sizeof out->slot);
    }
    pthread_mutex_unlock(&store->lock);
    return arena->failed ? docket__error_no_memory(error) : DOCKET_OK;
}

static docket_status effects(void *self, int64_t *position, docket_effect *entries, size_t capacity, size_t *count,
                             docket_arena *arena, docket_error *error)
{
    memory_store *store = self;
    *count = 0;
    pthread_mutex_lock(&store->lock);
    for (const docket__effect *next = store->effects.first; next != NULL && *count < capacity; next = next->next) {
        if (next->position > *position) {
            docket__effect_describe(next, &entries[(*count)++], arena);
            *position = next->position;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return arena->failed ? docket__error_no_memory(error) : DOCKET_OK;
}

static docket_status crashes(void *self, const docket_key *key, uint32_t *count, docket_error *error)
{
    memory_store *store = self;
    (void)error;
    pthread_mutex_lock(&store->lock);
    *count = docket__effects_crashes(&store->effects, key);
    pthread_mutex_unlock(&store->lock);
    return DOCKET_OK;
}

/* ---- Opening and closing ---- */

static void close_store(void *self)
{
    memory_store *store = self;
    size_t cursor = 0;
    docket__table_release(&store->table);
    docket__effects_release(&store->effects);
    for (const docket__map_entry *slot; (slot = docket__map_next(&store->schemas, &cursor)) != NULL;) {
        docket__free(slot->value);
    }
    docket__map_release(&store->schemas);
    docket__wall_destroy(&store->wall);
    pthread_mutex_destroy(&store->lock);
    docket__free(store);
}

void *docket__memory_open(docket_error *error)
{
    memory_store *store = docket__allocate(sizeof *store);
    if (store == NULL) {
        docket__error_no_memory(error);
        return NULL;
    }
    if (pthread_mutex_init(&store->lock, NULL) != 0) {
        docket__free(store);
        docket__error_no_memory(error);
        return NULL;
    }
    if (!docket__wall_init(&store->wall)) {
        pthread_mutex_destroy(&store->lock);
        docket__free(store);
        docket__error_no_memory(error);
        return NULL;
    }
    return store;
}

const docket_backend docket__memory_backend = {
    .struct_size = sizeof(docket_backend),
    .name = "memory",
    .capabilities = DOCKET_BACKEND_INLINE,
    .lookup = lookup,
    .scan = scan,
    .commit = commit,
    .list = list,
    .forget = forget,
    .purge = purge,
    .schema = schema,
    .effect = effect,
    .effects = effects,
    .crashes = crashes,
    .close = close_store,
};
