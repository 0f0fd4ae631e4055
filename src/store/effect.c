/* Effects that have no outcome: telling what there are, and settling them by hand. */
#include "store/effect.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "store/handle.h"
#include "store/record.h"
#include "type/codec.h"

#include <string.h>

enum { PAGE = 128 };

/* ---- Claims ---- */

/* A waiter that does not mean to wait: it leaves at once, unless the claim is being handed to it just then. */
typedef struct visitor {
    docket__waiter waiter;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool is_told, inherits;
} visitor;

static void tell(docket__waiter *waiter, const docket_record *record, const docket_error *failure)
{
    visitor *self = (visitor *)waiter;
    pthread_mutex_lock(&self->lock);
    self->is_told = true;
    self->inherits = record == NULL && failure == NULL;
    pthread_cond_signal(&self->told);
    pthread_mutex_unlock(&self->lock);
}

static bool leave(docket__claims *claims, visitor *self)
{
    if (docket__claim_forsake(claims, &self->waiter)) {
        return false;
    }
    pthread_mutex_lock(&self->lock);
    while (!self->is_told) {
        pthread_cond_wait(&self->told, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return self->inherits;
}

bool docket__claim_try(docket__claims *claims, docket__holder *holder)
{
    docket_error ignored;
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    bool stale = false;
    visitor self = {.waiter = {.holder = holder, .wake = tell},
                    .lock = PTHREAD_MUTEX_INITIALIZER,
                    .told = PTHREAD_COND_INITIALIZER};
    docket_status status = docket__claim_take(claims, holder, &self.waiter, docket__claims_releases(claims, &holder->key),
                                              &outcome, &stale, &ignored);
    bool taken = status == DOCKET_OK &&
                 (outcome == DOCKET__CLAIM_OWNED || (outcome == DOCKET__CLAIM_WAITING && leave(claims, &self)));
    pthread_cond_destroy(&self.told);
    pthread_mutex_destroy(&self.lock);
    return taken;
}

/* ---- Reading ---- */

docket_status docket__store_effect(docket_store *store, const uint8_t slot[16], int64_t deadline_ms,
                                   docket_effect *effect, docket_arena *arena, docket_error *error)
{
    docket__retry retry;
    docket_status status = docket__store_check(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__retry_begin(&retry, store, deadline_ms);
    do {
        docket__arena_release(arena);
        status = store->backend->effect(store->self, slot, effect, arena, error);
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    return status;
}

static docket_status check_effects(const docket_store *store, bool writes, docket_error *error)
{
    docket_status status = writes ? docket__store_check_writable(store, error) : docket__store_check(store, error);
    if (status == DOCKET_OK && !docket__store_has_effects(store)) {
        status = docket__error_set(error, DOCKET_UNSUPPORTED, "the store %s keeps no effects", store->name);
    }
    return status;
}

static docket_status fetch_page(docket_store *store, int64_t *position, docket_effect *entries, size_t *count,
                                docket_arena *texts, docket_error *error)
{
    docket__retry retry;
    docket_status status;
    docket__retry_begin(&retry, store, INT64_MAX);
    do {
        int64_t begin = *position;
        docket__arena_release(texts);
        status = store->backend->effects(store->self, position, entries, PAGE, count, texts, error);
        if (status != DOCKET_OK) {
            *position = begin;
        }
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    return status;
}

static bool matches(const docket_effect *effect, const docket_checkpoint_filter *filter)
{
    return (filter->execution_id == NULL || strcmp(filter->execution_id, effect->execution_id) == 0) &&
           (filter->step == NULL || strcmp(filter->step, effect->step) == 0) &&
           (filter->key == NULL || memcmp(filter->key, effect->key, sizeof effect->key) == 0);
}

static docket_status list(docket_store *store, const docket_checkpoint_filter *filter,
                          bool (*each)(void *arg, const docket_effect *), void *arg, docket_error *error)
{
    docket_effect *entries = docket__allocate_array(PAGE, sizeof *entries);
    docket_arena texts = {0};
    docket_status status = entries != NULL ? DOCKET_OK : docket__error_no_memory(error);
    int64_t position = 0;
    size_t count = PAGE;
    while (status == DOCKET_OK && count == PAGE) {
        status = fetch_page(store, &position, entries, &count, &texts, error);
        for (size_t i = 0; status == DOCKET_OK && i < count; i++) {
            if (matches(&entries[i], filter) && !each(arg, &entries[i])) {
                count = 0;
            }
        }
    }
    docket__arena_release(&texts);
    docket__free(entries);
    return status;
}

docket_status docket_effect_list(docket_store *store, const docket_checkpoint_filter *filter,
                                 bool (*each)(void *arg, const docket_effect *), void *arg, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_checkpoint_filter read;
    error = error != NULL ? error : &own;
    docket_status status = check_effects(store, false, error);
    if (status == DOCKET_OK) {
        status = docket__options_read(&read, sizeof read, filter, "DOCKET_CHECKPOINT_FILTER_INIT", error);
    }
    if (status == DOCKET_OK && each == NULL) {
        status = docket__error_set(error, DOCKET_INVALID, "docket_effect_list: each is NULL");
    }
    if (status == DOCKET_OK && read.older_than_ms != 0) {
        status = docket__error_set(error, DOCKET_INVALID, "effects are not listed by age: older_than_ms must be 0");
    }
    if (status == DOCKET_OK) {
        status = list(store, &read, each, arg, error);
    }
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    return status;
}

/* ---- Writing one commit and waiting for it ---- */

typedef struct awaited_write {
    docket__write write; /* first */
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
} awaited_write;

static void finish(docket__write *write)
{
    awaited_write *self = (awaited_write *)write;
    pthread_mutex_lock(&self->lock);
    self->is_finished = true;
    pthread_cond_signal(&self->finished);
    pthread_mutex_unlock(&self->lock);
}

static docket_status write_one(docket_store *store, const docket_commit *commit, docket_error *error)
{
    awaited_write self = {.write = {.commit = *commit, .done = finish, .error = error, .deadline_ms = INT64_MAX},
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .finished = PTHREAD_COND_INITIALIZER};
    self.write.commit.struct_size = sizeof self.write.commit;
    docket__store_write(store, &self.write);
    pthread_mutex_lock(&self.lock);
    while (!self.is_finished) {
        pthread_cond_wait(&self.finished, &self.lock);
    }
    pthread_mutex_unlock(&self.lock);
    pthread_cond_destroy(&self.finished);
    pthread_mutex_destroy(&self.lock);
    docket_record_free(self.write.commit.existing);
    return self.write.commit.status;
}

/* ---- Settling ---- */

static docket_status check_value(const docket_effect *effect, docket_input value, docket_error *error)
{
    uint8_t fingerprint[32];
    if (value.type == NULL || value.value == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_settle: an effect that happened has a value");
    }
    docket_status status = docket_type_fingerprint(value.type, fingerprint, error);
    if (status == DOCKET_OK && (strcmp(value.type->name, effect->type) != 0 ||
                                memcmp(fingerprint, effect->fingerprint, sizeof fingerprint) != 0)) {
        status = docket__error_set(
            error, DOCKET_TYPE,
            "step \"%s\" was entered for a value of type \"%s\"; the one given is of type \"%s\"%s", effect->step,
            effect->type, value.type->name,
            strcmp(value.type->name, effect->type) == 0 ? " with another layout" : "");
    }
    return status;
}

static docket_record record_of(const docket_effect *effect)
{
    docket_record record = {
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .step_version = effect->step_version,
        .scope = effect->scope,
        .attempts = effect->attempt,
        .execution_id = effect->execution_id,
        .step = effect->step,
        .type = effect->type,
        .input_digests = effect->input_digests,
        .input_count = effect->input_count,
    };
    memcpy(record.key.bytes, effect->key, sizeof record.key.bytes);
    memcpy(record.fingerprint, effect->fingerprint, sizeof record.fingerprint);
    return record;
}

static docket_status settle_as(docket_store *store, const docket_effect *effect, const docket_input *value,
                               docket_error *error)
{
    docket_buffer bytes = {0};
    docket_record record = record_of(effect);
    docket_intent intent = {.token = effect->token};
    docket_commit commit = {.kind = DOCKET_COMMIT_INTENT_REMOVED, .record = &record, .intent = &intent};
    memcpy(intent.slot, effect->slot, sizeof intent.slot);
    memcpy(intent.idempotency_key, effect->idempotency_key, sizeof intent.idempotency_key);
    docket_status status = DOCKET_OK;
    if (value != NULL) {
        commit.kind = DOCKET_COMMIT_RECORD;
        status = check_value(effect, *value, error);
        status = status == DOCKET_OK ? docket_encode(value->type, value->value, &bytes, error) : status;
        record.value = (docket_bytes){bytes.data, bytes.size};
        if (status == DOCKET_OK && docket__record_seal(&record) != DOCKET_OK) {
            status = docket__error_no_memory(error);
        }
    }
    status = status == DOCKET_OK ? write_one(store, &commit, error) : status;
    docket__buffer_release(&bytes);
    return status;
}

/* Under the claim of whoever would be working on it. */
static docket_status settle(docket_store *store, const docket_effect *seen, const docket_input *value,
                            docket_error *error)
{
    docket_arena texts = {0};
    docket_effect effect;
    docket__holder holder = {.step = seen->step};
    memcpy(holder.key.bytes, seen->key, sizeof holder.key.bytes);
    if (!docket__claim_try(docket__store_claims(store), &holder)) {
        return docket__error_set(error, DOCKET_CONFLICT,
                                 "step \"%s\" of execution \"%s\" runs now: it is not in doubt", seen->step,
                                 seen->execution_id);
    }
    docket_status status = docket__store_effect(store, seen->slot, INT64_MAX, &effect, &texts, error);
    if (status == DOCKET_OK && effect.token != seen->token) {
        status = docket__error_set(error, DOCKET_MISSING, "the effect has been settled meanwhile");
    }
    if (status == DOCKET_OK) {
        status = settle_as(store, &effect, value, error);
    }
    docket__claim_release(docket__store_claims(store), &holder, NULL, NULL);
    docket__arena_release(&texts);
    return status;
}

docket_status docket_settle(docket_store *store, const uint8_t slot[16], docket_status outcome,
                            const docket_input *value, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_arena texts = {0};
    docket_effect effect;
    error = error != NULL ? error : &own;
    docket_status status = check_effects(store, true, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (slot == NULL || (outcome != DOCKET_OK && outcome != DOCKET_NOT_DONE) ||
        (outcome == DOCKET_OK) != (value != NULL)) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "docket_settle takes a slot, and DOCKET_OK with a value or DOCKET_NOT_DONE without");
    }
    status = docket__store_effect(store, slot, INT64_MAX, &effect, &texts, error);
    if (status == DOCKET_OK && effect.state != DOCKET_EFFECT_ENTERED && effect.state != DOCKET_EFFECT_IN_DOUBT) {
        status = docket__error_set(error, DOCKET_MISSING, "no effect without an outcome holds this slot%s",
                                   effect.state == DOCKET_EFFECT_RECORDED ? ": its outcome is recorded" : "");
    }
    if (status == DOCKET_OK) {
        status = settle(store, &effect, value, error);
    }
    docket__arena_release(&texts);
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    return status;
}

docket_status docket_forget(docket_store *store, const uint8_t key[32], docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_record record = {.step = "", .execution_id = ""};
    error = error != NULL ? error : &own;
    docket_status status = check_effects(store, true, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (key == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_forget: key is NULL");
    }
    memcpy(record.key.bytes, key, sizeof record.key.bytes);
    status = write_one(store, &(docket_commit){.kind = DOCKET_COMMIT_FORGET, .record = &record}, error);
    if (status == DOCKET_IN_DOUBT) {
        return docket__error_set(
            error, DOCKET_IN_DOUBT,
            "an effect was entered with this key and its outcome is not known: docket_settle it");
    }
    return status;
}
