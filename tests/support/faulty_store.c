#include "support/faulty_store.h"

#include "base/error.h"
#include "store/memory/memory.h"
#include "support/check.h"

static fault_kind begin(faulty_store *self, const fault *at, atomic_int *calls, fault *taken)
{
    pthread_mutex_lock(&self->lock);
    int call = atomic_fetch_add(calls, 1) + 1;
    *taken = *at;
    pthread_mutex_unlock(&self->lock);
    int first = taken->from > 0 ? taken->from : 1;
    if (call < first || (taken->count > 0 && call - first >= taken->count)) {
        return FAULT_NONE;
    }
    if (taken->reached != NULL) {
        gate_arrive(taken->reached);
    }
    if (taken->held_until != NULL) {
        gate_wait(taken->held_until);
    }
    return taken->kind;
}

static docket_status fail_so(const fault *taken, docket_error *error)
{
    docket__error_set(error, DOCKET_STORE, FAULT_MESSAGE);
    error->code = FAULT_CODE;
    error->transient = taken->transient;
    return DOCKET_STORE;
}

static docket_status lookup(void *arg, const docket_address *address, docket_found *found, docket_record **record,
                            docket_error *error)
{
    faulty_store *self = arg;
    fault taken;
    fault_kind kind = begin(self, &self->lookup, &self->lookups, &taken);
    *found = DOCKET_FOUND_NOTHING;
    if (kind == FAULT_FORGET) {
        return DOCKET_OK;
    }
    if (kind == FAULT_REFUSE) {
        return fail_so(&taken, error);
    }
    docket_status status = docket__memory_backend.lookup(self->memory, address, found, record, error);
    if (kind == FAULT_AFTER) {
        docket_record_free(*record);
        *record = NULL;
        return fail_so(&taken, error);
    }
    if (kind == FAULT_DAMAGE && *record != NULL && (*record)->value.size > 0) {
        ((uint8_t *)(uintptr_t)(*record)->value.data)[(*record)->value.size - 1] ^= 1;
    }
    return status;
}

/* The memory store takes its commits one by one. */
static docket_status commit_all(faulty_store *self, docket_commit *const *commits, size_t count,
                                docket_error *error)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        atomic_fetch_add(&self->failures, commits[i]->kind == DOCKET_COMMIT_FAILURE);
        status = docket__memory_backend.commit(self->memory, &commits[i], 1, error);
    }
    return status;
}

static bool has_kind(docket_commit *const *commits, size_t count, docket_commit_kind kind)
{
    bool has = false;
    for (size_t i = 0; i < count; i++) {
        has = has || commits[i]->kind == kind;
    }
    return has;
}

static docket_status commit(void *arg, docket_commit *const *commits, size_t count, docket_error *error)
{
    faulty_store *self = arg;
    fault taken;
    bool intends = has_kind(commits, count, DOCKET_COMMIT_INTENT);
    if (!intends && !has_kind(commits, count, DOCKET_COMMIT_RECORD)) {
        return commit_all(self, commits, count, error);
    }
    switch (intends ? begin(self, &self->intent, &self->intents, &taken)
                    : begin(self, &self->commit, &self->commits, &taken)) {
    case FAULT_REFUSE:
        return fail_so(&taken, error);
    case FAULT_AFTER:
        (void)commit_all(self, commits, count, error);
        return fail_so(&taken, error);
    case FAULT_FORGET:
        return DOCKET_OK;
    case FAULT_CLAIM_LOST:
        for (size_t i = 0; i < count; i++) {
            commits[i]->status = DOCKET_CLAIM_LOST;
        }
        return DOCKET_OK;
    default:
        return commit_all(self, commits, count, error);
    }
}

/* Everything else is the memory store's own. */

static docket_status list(void *arg, const docket_checkpoint_filter *filter, int64_t *position,
                          docket_checkpoint *listed, size_t capacity, size_t *count, docket_arena *arena,
                          docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.list(self->memory, filter, position, listed, capacity, count, arena, error);
}

static docket_status forget(void *arg, const docket_checkpoint_filter *filter, int64_t *position, uint64_t most,
                            uint64_t *count, docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.forget(self->memory, filter, position, most, count, error);
}

static docket_status purge(void *arg, uint64_t most, uint64_t *count, docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.purge(self->memory, most, count, error);
}

static docket_status schema(void *arg, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                            docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.schema(self->memory, type, fingerprint, out, error);
}

static docket_status effect(void *arg, const uint8_t slot[16], docket_effect *out, docket_arena *arena,
                            docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.effect(self->memory, slot, out, arena, error);
}

static docket_status effects(void *arg, int64_t *position, docket_effect *listed, size_t capacity, size_t *count,
                             docket_arena *arena, docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.effects(self->memory, position, listed, capacity, count, arena, error);
}

static docket_status crashes(void *arg, const docket_key *key, uint32_t *count, docket_error *error)
{
    faulty_store *self = arg;
    return docket__memory_backend.crashes(self->memory, key, count, error);
}

static void close_store(void *arg)
{
    faulty_store *self = arg;
    docket__memory_backend.close(self->memory);
    gate_arrive(&self->closed);
}

void faulty_store_open(faulty_store *self, bool inline_commits, const docket_store_options *options)
{
    docket_error error = DOCKET_ERROR_INIT;
    *self = (faulty_store){
        .backend = {.struct_size = sizeof(docket_backend),
                    .name = "faulty",
                    .capabilities = inline_commits ? DOCKET_BACKEND_INLINE : 0,
                    .lookup = lookup,
                    .commit = commit,
                    .list = list,
                    .forget = forget,
                    .purge = purge,
                    .schema = schema,
                    .effect = effect,
                    .effects = effects,
                    .crashes = crashes,
                    .close = close_store},
        .memory = docket__memory_open(&error),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .closed = GATE_INIT(1),
    };
    assert_non_null(self->memory);
    assert_status(DOCKET_OK, docket_store_open_backend(&self->store, &self->backend, self, options, &error));
}

static void set(faulty_store *self, fault *at, atomic_int *calls, fault with)
{
    pthread_mutex_lock(&self->lock);
    *at = with;
    atomic_store(calls, 0);
    pthread_mutex_unlock(&self->lock);
}

void faulty_store_set_lookup(faulty_store *self, fault with)
{
    set(self, &self->lookup, &self->lookups, with);
}

void faulty_store_set_commit(faulty_store *self, fault with)
{
    set(self, &self->commit, &self->commits, with);
}

void faulty_store_set_intent(faulty_store *self, fault with)
{
    set(self, &self->intent, &self->intents, with);
}

void faulty_store_close(faulty_store *self)
{
    docket_store_close(self->store);
    self->store = NULL;
    assert_true(gate_wait(&self->closed)); /* by a thread that was the last to use it */
}
