/* A backend in front of another one, with faults between them.
 *
 * Each call of the table goes through `meet`: it is counted, its fault is chosen by the operation's plan or by the dice,
 * and it waits as that says. Then `fails_at_once` or the call below, and `settle` for faults that come after it. */
#include "testing/inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPERATIONS = DOCKET_TEST_END + 1, MOST_FAULTS = 16 };

typedef struct site {
    docket_test_fault plan[MOST_FAULTS];
    size_t count;
    uint64_t calls, struck, arrived; /* arrived: at a block */
    uint64_t period;                 /* a plan's number: what was blocked by an earlier one goes on */
    bool open;                       /* unblocked */
} site;

struct docket_test_store {
    docket_backend face; /* what docket calls */
    const docket_backend *below;
    void *self;
    char name[256];
    docket_store *store;
    atomic_uint references; /* the test's, and the open store's */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed;
    site sites[OPERATIONS];
    docket_test_rates rates;
    uint64_t dice;
    bool is_random;
};

/* What happens to the call at hand. */
typedef struct blow {
    docket_test_fault_kind kind;
    bool transient;
    uint64_t call;
    docket_test_operation operation;
} blow;

/* Choosing. */

static bool concerns(const docket_test_fault *fault, uint64_t call)
{
    uint64_t from = fault->from > 0 ? fault->from : 1;
    return call >= from && (fault->count == 0 || call - from < fault->count);
}

static bool draws(docket_test_store *self, double rate)
{
    return docket__test_draw_share(&self->dice) < rate;
}

/* Every call draws the same number of times, so that a rate does not change what the others come to. */
static docket_test_fault draw(docket_test_store *self)
{
    const docket_test_rates *rates = &self->rates;
    docket_test_fault drawn = {.kind = DOCKET_TEST_NONE};
    const struct {
        double rate;
        docket_test_fault_kind kind;
    } kinds[] = {
        {rates->fail_before, DOCKET_TEST_FAIL_BEFORE},
        {rates->fail_after, DOCKET_TEST_FAIL_AFTER},
        {rates->tear, DOCKET_TEST_TEAR},
        {rates->disk_full, DOCKET_TEST_DISK_FULL},
        {rates->claim_lost, DOCKET_TEST_CLAIM_LOST},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bool hits = draws(self, kinds[i].rate);
        if (hits && drawn.kind == DOCKET_TEST_NONE) {
            drawn.kind = kinds[i].kind;
        }
    }
    drawn.transient = draws(self, rates->transient);
    bool waits = draws(self, rates->delay);
    double share = docket__test_draw_share(&self->dice);
    drawn.delay_ms = waits ? (int64_t)(share * (double)rates->delay_ms) + 1 : 0;
    return drawn;
}

static docket_test_fault choose(docket_test_store *self, const site *at)
{
    for (size_t i = 0; i < at->count; i++) {
        if (concerns(&at->plan[i], at->calls)) {
            return at->plan[i];
        }
    }
    return self->is_random ? draw(self) : (docket_test_fault){.kind = DOCKET_TEST_NONE};
}

static blow meet(docket_test_store *self, docket_test_operation operation)
{
    pthread_mutex_lock(&self->lock);
    site *at = &self->sites[operation];
    at->calls++;
    docket_test_fault fault = choose(self, at);
    blow met = {fault.kind, fault.transient, at->calls, operation};
    at->struck += fault.kind != DOCKET_TEST_NONE || fault.block || fault.delay_ms > 0;
    if (fault.block) {
        uint64_t period = at->period;
        at->arrived++;
        pthread_cond_broadcast(&self->changed);
        while (at->period == period && !at->open) {
            pthread_cond_wait(&self->changed, &self->lock);
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (fault.delay_ms > 0) {
        docket__test_wait_ms(fault.delay_ms);
    }
    return met;
}

/* Failing. */

static const char *operation_name(docket_test_operation operation)
{
    static const char *const names[OPERATIONS] = {"look-up", "scan",   "commit", "note",  "list",  "forget",
                                                  "purge",   "schema", "effect", "lease", "begin", "end"};
    return names[operation];
}

static docket_status fail(const blow *met, docket_error *error, const char *how)
{
    docket__test_fail(error, DOCKET_STORE, "a test made this fail: %s %llu, %s", operation_name(met->operation),
                      (unsigned long long)met->call, how);
    error->code = met->kind == DOCKET_TEST_DISK_FULL ? ENOSPC : EIO;
    error->transient = met->transient && met->kind != DOCKET_TEST_DISK_FULL;
    return DOCKET_STORE;
}

static bool fails_at_once(const blow *met, docket_error *error)
{
    if (met->kind == DOCKET_TEST_FAIL_BEFORE) {
        fail(met, error, "before it did anything");
    } else if (met->kind == DOCKET_TEST_DISK_FULL) {
        fail(met, error, "for no room is left on the disk");
    } else {
        return false;
    }
    return true;
}

static bool fails_late(const blow *met)
{
    return met->kind == DOCKET_TEST_FAIL_AFTER || met->kind == DOCKET_TEST_TEAR;
}

static docket_status settle(const blow *met, docket_status status, docket_error *error)
{
    return fails_late(met) ? fail(met, error, "after it was done") : status;
}

/* The table. */

static void damage(docket_record *record)
{
    if (record != NULL && record->value.size > 0) {
        ((uint8_t *)(uintptr_t)record->value.data)[record->value.size - 1] ^= 1;
    }
}

static docket_status lookup(void *arg, const docket_address *address, docket_found *found, docket_record **record,
                            docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_LOOKUP);
    *found = DOCKET_FOUND_NOTHING;
    if (fails_at_once(&met, error)) {
        return DOCKET_STORE;
    }
    if (met.kind == DOCKET_TEST_LOSE) {
        return DOCKET_OK;
    }
    docket_status status = self->below->lookup(self->self, address, found, record, error);
    if (status == DOCKET_OK && fails_late(&met)) {
        docket_record_free(*record);
        *record = NULL;
    }
    if (status == DOCKET_OK && met.kind == DOCKET_TEST_DAMAGE) {
        damage(*record);
    }
    return settle(&met, status, error);
}

typedef struct damaging {
    docket_record_visit *each;
    void *arg;
} damaging;

static bool visit_damaged(void *arg, const docket_record *record)
{
    damaging *of = arg;
    docket_record *copy = docket_record_copy(record);
    damage(copy);
    bool goes_on = copy == NULL || of->each(of->arg, copy);
    docket_record_free(copy);
    return goes_on;
}

static docket_status scan(void *arg, const char *execution_id, docket_record_visit *each, void *each_arg,
                          docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_SCAN);
    damaging through = {each, each_arg};
    if (fails_at_once(&met, error)) {
        return DOCKET_STORE;
    }
    if (met.kind == DOCKET_TEST_LOSE) {
        return DOCKET_OK;
    }
    if (met.kind == DOCKET_TEST_DAMAGE) {
        return self->below->scan(self->self, execution_id, visit_damaged, &through, error);
    }
    return settle(&met, self->below->scan(self->self, execution_id, each, each_arg, error), error);
}

static docket_test_operation kind_of(docket_commit *const *commits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (commits[i]->kind != DOCKET_COMMIT_FAILURE || commits[i]->intent != NULL) {
            return DOCKET_TEST_COMMIT;
        }
    }
    return DOCKET_TEST_NOTE;
}

static docket_status commit(void *arg, docket_commit *const *commits, size_t count, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, kind_of(commits, count));
    if (fails_at_once(&met, error)) {
        return DOCKET_STORE;
    }
    if (met.kind == DOCKET_TEST_LOSE) {
        return DOCKET_OK;
    }
    if (met.kind == DOCKET_TEST_CLAIM_LOST) {
        for (size_t i = 0; i < count; i++) {
            commits[i]->status = DOCKET_CLAIM_LOST;
        }
        return DOCKET_OK;
    }
    size_t written = met.kind == DOCKET_TEST_TEAR ? count / 2 : count;
    docket_status status = written > 0 ? self->below->commit(self->self, commits, written, error) : DOCKET_OK;
    return met.kind == DOCKET_TEST_TEAR ? fail(&met, error, "after half of it was done")
                                        : settle(&met, status, error);
}

static docket_status list(void *arg, const docket_checkpoint_filter *filter, int64_t *position,
                          docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                          docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_LIST);
    return fails_at_once(&met, error)
               ? DOCKET_STORE
               : settle(&met,
                        self->below->list(self->self, filter, position, entries, capacity, count, arena, error),
                        error);
}

static docket_status forget(void *arg, const docket_checkpoint_filter *filter, int64_t *position, uint64_t most,
                            uint64_t *count, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_FORGET);
    return fails_at_once(&met, error)
               ? DOCKET_STORE
               : settle(&met, self->below->forget(self->self, filter, position, most, count, error), error);
}

static docket_status purge(void *arg, uint64_t most, uint64_t *count, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_PURGE);
    return fails_at_once(&met, error) ? DOCKET_STORE
                                      : settle(&met, self->below->purge(self->self, most, count, error), error);
}

static docket_status schema(void *arg, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                            docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_SCHEMA);
    return fails_at_once(&met, error)
               ? DOCKET_STORE
               : settle(&met, self->below->schema(self->self, type, fingerprint, out, error), error);
}

static docket_status effect(void *arg, const uint8_t slot[16], docket_effect *found, docket_arena *arena,
                            docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_EFFECT);
    return fails_at_once(&met, error)
               ? DOCKET_STORE
               : settle(&met, self->below->effect(self->self, slot, found, arena, error), error);
}

static docket_status effects(void *arg, int64_t *position, docket_effect *entries, size_t capacity, size_t *count,
                             docket_arena *arena, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_EFFECT);
    return fails_at_once(&met, error)
               ? DOCKET_STORE
               : settle(&met, self->below->effects(self->self, position, entries, capacity, count, arena, error),
                        error);
}

static docket_status crashes(void *arg, const docket_key *key, uint32_t *count, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_EFFECT);
    return fails_at_once(&met, error) ? DOCKET_STORE
                                      : settle(&met, self->below->crashes(self->self, key, count, error), error);
}

static docket_status transaction_begin(void *arg, const docket_address *address, docket_transaction *transaction,
                                       docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_BEGIN);
    if (fails_at_once(&met, error)) {
        return DOCKET_STORE;
    }
    docket_status status = self->below->transaction_begin(self->self, address, transaction, error);
    if (status == DOCKET_OK && fails_late(&met)) {
        docket_record_free(transaction->existing);
        transaction->existing = NULL;
        self->below->transaction_end(self->self, transaction, NULL, error);
    }
    return settle(&met, status, error);
}

static docket_status transaction_end(void *arg, docket_transaction *transaction, docket_commit *commit,
                                     docket_error *error)
{
    docket_test_store *self = arg;
    if (commit == NULL) {
        return self->below->transaction_end(self->self, transaction, NULL, error);
    }
    blow met = meet(self, DOCKET_TEST_END);
    bool fails = fails_at_once(&met, error) || met.kind == DOCKET_TEST_TEAR;
    if (fails || met.kind == DOCKET_TEST_LOSE || met.kind == DOCKET_TEST_CLAIM_LOST) {
        docket_error ignored = DOCKET_ERROR_INIT;
        self->below->transaction_end(self->self, transaction, NULL, &ignored);
        commit->status = met.kind == DOCKET_TEST_CLAIM_LOST ? DOCKET_CLAIM_LOST : DOCKET_OK;
        return !fails                         ? DOCKET_OK
               : met.kind == DOCKET_TEST_TEAR ? fail(&met, error, "and left nothing")
                                              : DOCKET_STORE;
    }
    return settle(&met, self->below->transaction_end(self->self, transaction, commit, error), error);
}

static docket_status acquire(void *arg, const docket_key *key, docket_lease *lease, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_LEASE);
    return fails_at_once(&met, error) ? DOCKET_STORE
                                      : settle(&met, self->below->acquire(self->self, key, lease, error), error);
}

static docket_status extend(void *arg, const docket_key *key, docket_lease *lease, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_LEASE);
    return fails_at_once(&met, error) ? DOCKET_STORE
                                      : settle(&met, self->below->renew(self->self, key, lease, error), error);
}

static docket_status release(void *arg, const docket_key *key, const docket_lease *lease, docket_error *error)
{
    docket_test_store *self = arg;
    blow met = meet(self, DOCKET_TEST_LEASE);
    return fails_at_once(&met, error) ? DOCKET_STORE
                                      : settle(&met, self->below->release(self->self, key, lease, error), error);
}

static docket_status await(void *arg, const docket_key *keys, size_t count, bool *maybe_free, int64_t timeout_ms,
                           docket_error *error)
{
    docket_test_store *self = arg;
    return self->below->await(self->self, keys, count, maybe_free, timeout_ms, error);
}

static void interrupt(void *arg)
{
    docket_test_store *self = arg;
    self->below->interrupt(self->self);
}

static docket_status wait_begin(void *arg, const docket_key *held, size_t count, const docket_key *wanted,
                                size_t *closing)
{
    docket_test_store *self = arg;
    return self->below->wait_begin(self->self, held, count, wanted, closing);
}

static void wait_end(void *arg, const docket_key *held, size_t count, const docket_key *wanted)
{
    docket_test_store *self = arg;
    self->below->wait_end(self->self, held, count, wanted);
}

static uint64_t releases(void *arg, const docket_key *key)
{
    docket_test_store *self = arg;
    return self->below->releases(self->self, key);
}

static void drop(docket_test_store *self)
{
    if (atomic_fetch_sub(&self->references, 1) == 1) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

static void close_below(void *arg)
{
    docket_test_store *self = arg;
    self->below->close(self->self);
    drop(self);
}

/* Of all functions of a backend: a new one must be passed on here as well. */
_Static_assert(sizeof(docket_backend) == 24 * sizeof(void *), "docket_backend has changed: pass its functions on");

static docket_backend make_face(const docket_test_store *self, bool writer_thread)
{
    const docket_backend *below = self->below;
    uint32_t dropped = writer_thread ? DOCKET_BACKEND_INLINE : 0;
    return (docket_backend){
        .struct_size = sizeof(docket_backend),
        .name = self->name,
        .capabilities = below->capabilities & ~dropped,
        .lookup = lookup,
        .scan = below->scan != NULL ? scan : NULL,
        .commit = commit,
        .list = list,
        .forget = forget,
        .purge = purge,
        .schema = schema,
        .effect = below->effect != NULL ? effect : NULL,
        .effects = below->effects != NULL ? effects : NULL,
        .crashes = below->crashes != NULL ? crashes : NULL,
        .transaction_begin = below->transaction_begin != NULL ? transaction_begin : NULL,
        .transaction_end = below->transaction_end != NULL ? transaction_end : NULL,
        .acquire = below->acquire != NULL ? acquire : NULL,
        .renew = below->renew != NULL ? extend : NULL,
        .release = below->release != NULL ? release : NULL,
        .await = below->await != NULL ? await : NULL,
        .interrupt = below->interrupt != NULL ? interrupt : NULL,
        .wait_begin = below->wait_begin != NULL ? wait_begin : NULL,
        .wait_end = below->wait_end != NULL ? wait_end : NULL,
        .releases = below->releases != NULL ? releases : NULL,
        .close = close_below,
    };
}

/* Life. */

static docket_test_store *make(void)
{
    pthread_condattr_t monotonic;
    docket_test_store *made = calloc(1, sizeof *made);
    if (made == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return NULL;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int failure = pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (failure != 0) {
        pthread_mutex_destroy(&made->lock);
        free(made);
        return NULL;
    }
    atomic_init(&made->references, 1);
    return made;
}

static docket_status open_below(docket_test_store *made, const docket_test_store_options *options,
                                docket_error *error)
{
    const char *url = options->url != NULL ? options->url : "memory:";
    if (options->backend != NULL) {
        made->below = options->backend;
        made->self = options->self;
        snprintf(made->name, sizeof made->name, "%s",
                 options->backend->name != NULL ? options->backend->name : "backend");
        return DOCKET_OK;
    }
    snprintf(made->name, sizeof made->name, "%s", url);
    return docket_backend_open(&made->below, &made->self, url, options->store, error);
}

docket_status docket_test_store_open(docket_test_store **faulty, const docket_test_store_options *options,
                                     docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_test_store_options read = {DOCKET_TEST_STORE_OPTIONS_INIT};
    error = error != NULL ? error : &own;
    docket__test_clear(error);
    if (faulty == NULL) {
        return docket__test_fail(error, DOCKET_INVALID, "docket_test_store_open: faulty is NULL");
    }
    *faulty = NULL;
    docket_status status =
        docket__test_options(&read, sizeof read, options, "DOCKET_TEST_STORE_OPTIONS_INIT", error);
    if (status == DOCKET_OK && read.backend != NULL && read.url != NULL) {
        status = docket__test_fail(error, DOCKET_INVALID, "give either a URL or a backend, not both");
    }
    if (status != DOCKET_OK) {
        return status;
    }
    docket_test_store *made = make();
    if (made == NULL) {
        return docket__test_fail(error, DOCKET_NO_MEMORY, "memory is exhausted");
    }
    status = open_below(made, &read, error);
    if (status == DOCKET_OK) {
        made->face = make_face(made, read.writer_thread);
        atomic_fetch_add(&made->references, 1);
        status = docket_store_open_backend(&made->store, &made->face, made, read.store, error);
        if (status != DOCKET_OK) {
            drop(made);
            if (read.backend == NULL) {
                made->below->close(made->self);
            }
        }
    }
    if (status != DOCKET_OK) {
        drop(made);
        return status;
    }
    *faulty = made;
    return DOCKET_OK;
}

docket_store *docket_test_store_get(const docket_test_store *faulty)
{
    return faulty != NULL ? faulty->store : NULL;
}

void docket_test_store_close(docket_test_store *faulty)
{
    if (faulty == NULL) {
        return;
    }
    for (int operation = 0; operation < OPERATIONS; operation++) {
        docket_test_store_unblock(faulty, (docket_test_operation)operation);
    }
    docket_store_close(faulty->store);
    drop(faulty);
}

/* Plans and counts. */

static bool is_operation(docket_test_operation operation)
{
    return (int)operation >= 0 && (int)operation < OPERATIONS;
}

docket_status docket_test_store_plan(docket_test_store *faulty, docket_test_operation operation,
                                     const docket_test_fault *faults, size_t count)
{
    if (faulty == NULL || !is_operation(operation) || count > MOST_FAULTS || (faults == NULL && count > 0)) {
        return DOCKET_INVALID;
    }
    pthread_mutex_lock(&faulty->lock);
    site *at = &faulty->sites[operation];
    *at = (site){.count = count, .period = at->period + 1};
    for (size_t i = 0; i < count; i++) {
        at->plan[i] = faults[i];
    }
    pthread_cond_broadcast(&faulty->changed);
    pthread_mutex_unlock(&faulty->lock);
    return DOCKET_OK;
}

static bool are_rates(const docket_test_rates *rates)
{
    const double shares[] = {rates->fail_before, rates->fail_after, rates->tear, rates->disk_full,
                             rates->claim_lost,  rates->transient,  rates->delay};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        if (!(shares[i] >= 0 && shares[i] <= 1)) {
            return false;
        }
    }
    return rates->delay_ms >= 0;
}

docket_status docket_test_store_randomize(docket_test_store *faulty, uint64_t seed, const docket_test_rates *rates)
{
    if (faulty == NULL || (rates != NULL && !are_rates(rates))) {
        return DOCKET_INVALID;
    }
    pthread_mutex_lock(&faulty->lock);
    faulty->is_random = rates != NULL;
    faulty->dice = seed;
    if (rates != NULL) {
        faulty->rates = *rates;
    }
    pthread_mutex_unlock(&faulty->lock);
    return DOCKET_OK;
}

uint64_t docket_test_store_calls(docket_test_store *faulty, docket_test_operation operation)
{
    if (faulty == NULL || !is_operation(operation)) {
        return 0;
    }
    pthread_mutex_lock(&faulty->lock);
    uint64_t calls = faulty->sites[operation].calls;
    pthread_mutex_unlock(&faulty->lock);
    return calls;
}

uint64_t docket_test_store_struck(docket_test_store *faulty, docket_test_operation operation)
{
    if (faulty == NULL || !is_operation(operation)) {
        return 0;
    }
    pthread_mutex_lock(&faulty->lock);
    uint64_t struck = faulty->sites[operation].struck;
    pthread_mutex_unlock(&faulty->lock);
    return struck;
}

bool docket_test_store_wait_blocked(docket_test_store *faulty, docket_test_operation operation, int64_t timeout_ms)
{
    struct timespec end;
    if (faulty == NULL || !is_operation(operation)) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(timeout_ms / 1000);
    end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&faulty->lock);
    int answer = 0;
    while (faulty->sites[operation].arrived == 0 && answer == 0) {
        answer = pthread_cond_timedwait(&faulty->changed, &faulty->lock, &end);
    }
    bool arrived = faulty->sites[operation].arrived > 0;
    pthread_mutex_unlock(&faulty->lock);
    return arrived;
}

void docket_test_store_unblock(docket_test_store *faulty, docket_test_operation operation)
{
    if (faulty == NULL || !is_operation(operation)) {
        return;
    }
    pthread_mutex_lock(&faulty->lock);
    faulty->sites[operation].open = true;
    pthread_cond_broadcast(&faulty->changed);
    pthread_mutex_unlock(&faulty->lock);
}
