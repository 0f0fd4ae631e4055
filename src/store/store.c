/* Opening, closing and reading a store.
 *
 * A store owns its backend, a queue with its writer thread (queue.h) and the table of local claims (claim.h). It lives
 * as long as one reference does; the last one may be dropped on the writer thread, by the callback of the last write,
 * and then the writer closes the store when it ends. In a forked child a store answers DOCKET_FORKED and is never
 * closed or freed: its files and locks are the parent's. */
#include "store/store.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/point.h"
#include "base/process.h"
#include "base/random.h"
#include "store/handle.h"
#include "store/memory/memory.h"
#include "store/record.h"
#include "store/sqlite/sqlite.h"

#include <string.h>
#include <time.h>

static const int64_t default_payload_bytes = INT64_C(64) << 20;
static const int64_t most_payload_bytes = INT64_C(900) << 20; /* SQLite's own limit is 10^9 for a row */
static const int64_t default_busy_timeout_ms = 10000;
static const int64_t default_retry_budget_ms = 5000;
static const int64_t default_transaction_timeout_ms = 5000;
static const int64_t first_retry_ms = 4;
static const int64_t longest_retry_ms = 250;

/* ---- Options ---- */

static bool is_prefix(const char *prefix)
{
    static const char reserved[] = "sqlite_"; /* by SQLite, which makes no such tables */
    size_t length = strlen(prefix);
    if (length < 1 || length > 32 || prefix[0] < 'a' || prefix[0] > 'z' ||
        strncmp(prefix, reserved, sizeof reserved - 1) == 0) {
        return false;
    }
    return strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

docket_status docket__store_options_read(docket_store_options *options, const docket_store_options *given,
                                         docket_error *error)
{
    docket_status status =
        docket__options_read(options, sizeof *options, given, "DOCKET_STORE_OPTIONS_INIT", error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (options->prefix == NULL) {
        options->prefix = "docket_";
    }
    if (!is_prefix(options->prefix)) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "the table prefix \"%.64s\" is not acceptable: 1 to 32 of a-z 0-9 _, starting with a "
            "letter, but not with sqlite_",
            options->prefix);
    }
    if (options->durability != DOCKET_DURABILITY_FULL && options->durability != DOCKET_DURABILITY_PROCESS) {
        return docket__error_set(error, DOCKET_INVALID, "durability is %d, which is not a docket_durability",
                                 (int)options->durability);
    }
    if (options->max_payload_bytes > (size_t)most_payload_bytes) {
        return docket__error_set(error, DOCKET_INVALID, "max_payload_bytes is %zu; the most is %lld",
                                 options->max_payload_bytes, (long long)most_payload_bytes);
    }
    if (options->busy_timeout_ms < 0) {
        return docket__error_set(error, DOCKET_INVALID, "busy_timeout_ms is %lld; it must not be negative",
                                 (long long)options->busy_timeout_ms);
    }
    if (options->transaction_timeout_ms < 0) {
        return docket__error_set(error, DOCKET_INVALID, "transaction_timeout_ms is %lld; it must not be negative",
                                 (long long)options->transaction_timeout_ms);
    }
    if (options->transaction_timeout_ms == 0) {
        options->transaction_timeout_ms = default_transaction_timeout_ms;
    }
    if (options->max_payload_bytes == 0) {
        options->max_payload_bytes = (size_t)default_payload_bytes;
    }
    if (options->busy_timeout_ms == 0) {
        options->busy_timeout_ms = default_busy_timeout_ms;
    }
    if (options->retry_budget_ms == 0) {
        options->retry_budget_ms = default_retry_budget_ms;
    }
    return DOCKET_OK;
}

/* ---- Opening and closing ---- */

static docket_status wrap_backend(docket_store **store, const char *name, const docket_backend *backend, void *self,
                                  const docket_store_options *options, docket_error *error)
{
    docket_store *made = docket__allocate(sizeof *made);
    char *copy = docket__duplicate(name);
    if (made == NULL || copy == NULL || docket__claims_init(&made->claims, backend, self) != DOCKET_OK) {
        docket__free(copy);
        docket__free(made);
        return docket__error_no_memory(error);
    }
    if (docket__queue_init(&made->queue, made) != DOCKET_OK) {
        docket__claims_destroy(&made->claims);
        docket__free(copy);
        docket__free(made);
        return docket__error_no_memory(error);
    }
    made->lookout = (docket__lookout){.claims = &made->claims, .store = made};
    made->claims.lookout = &made->lookout;
    pthread_mutex_init(&made->facts_lock, NULL);
    made->facts = (docket__map){0};
    made->facts_memory = (docket_arena){0};
    atomic_init(&made->references, 1);
    made->backend = backend;
    made->self = self;
    made->name = copy;
    made->generation = docket__fork_generation();
    made->payload_limit = options->max_payload_bytes;
    made->retry_budget_ms = options->retry_budget_ms;
    made->transaction_timeout_ms = options->transaction_timeout_ms;
    made->read_only = options->read_only;
    if (backend == &docket__sqlite_backend) {
        made->depot = docket__depot_ref(docket__sqlite_depot(self));
    }
    *store = made;
    docket__error_clear(error);
    return DOCKET_OK;
}

/* A backend that is open, and what people call it: valid as long as it is open. */
typedef struct opened {
    const docket_backend *backend;
    void *self;
    const char *name;
} opened;

static docket_status open_memory(opened *below, const char *path, const docket_store_options *options,
                                 docket_error *error)
{
    if (path[0] != '\0') {
        return docket__error_set(error, DOCKET_INVALID, "a memory store has no path: open it as \"memory:\"");
    }
    if (options->read_only || options->must_exist || options->shared_database) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "read_only, must_exist and shared_database make no sense for a memory store");
    }
    *below = (opened){&docket__memory_backend, docket__memory_open(error), "memory:"};
    return below->self != NULL ? DOCKET_OK : error->status;
}

static docket_status open_sqlite(opened *below, const char *path, const docket_store_options *options,
                                 docket_error *error)
{
    docket__sqlite *self = NULL;
    docket_status status = docket__sqlite_open(&self, path, options, error);
    if (status == DOCKET_OK) {
        *below = (opened){&docket__sqlite_backend, self, docket__sqlite_url(self)};
    }
    return status;
}

static const char *after_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(url, scheme, length) == 0 ? url + length : NULL;
}

/* Says what is allowed without repeating the URL, which may hold a password. */
static docket_status refuse_scheme(const char *url, docket_error *error)
{
    static const char *const known[] = {"postgres:", "postgresql:", "mysql:", "mariadb:", "redis:", "rediss:"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (after_scheme(url, known[i]) != NULL) {
            return docket__error_set(
                error, DOCKET_UNSUPPORTED,
                "this build of docket has no %s stores; it has sqlite:PATH and memory:", known[i]);
        }
    }
    return docket__error_set(error, DOCKET_INVALID,
                             "a store's URL begins with a known scheme: \"sqlite:PATH\" or \"memory:\"");
}

static docket_status open_below(opened *below, const char *url, const docket_store_options *options,
                                docket_error *error)
{
    const char *path;
    if ((path = after_scheme(url, "memory:")) != NULL) {
        return open_memory(below, path, options, error);
    }
    if ((path = after_scheme(url, "sqlite:")) != NULL) {
        return open_sqlite(below, path, options, error);
    }
    return refuse_scheme(url, error);
}

docket_status docket_backend_open(const docket_backend **backend, void **self, const char *url,
                                  const docket_store_options *options, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_store_options read;
    opened below = {NULL, NULL, NULL};
    error = error != NULL ? error : &own;
    if (backend != NULL && self != NULL) {
        *backend = NULL;
        *self = NULL;
    }
    if (backend == NULL || self == NULL || url == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_backend_open: %s is NULL",
                                 backend == NULL ? "backend"
                                 : self == NULL  ? "self"
                                                 : "url");
    }
    docket_status status = docket__store_options_read(&read, options, error);
    if (status == DOCKET_OK) {
        status = open_below(&below, url, &read, error);
    }
    if (status == DOCKET_OK) {
        *backend = below.backend;
        *self = below.self;
        docket__error_clear(error);
    }
    return status;
}

docket_status docket_store_open(docket_store **store, const char *url, const docket_store_options *options,
                                docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_store_options read;
    opened below;
    error = error != NULL ? error : &own;
    if (store != NULL) {
        *store = NULL;
    }
    if (store == NULL || url == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_store_open: %s is NULL",
                                 store == NULL ? "store" : "url");
    }
    docket_status status = docket__store_options_read(&read, options, error);
    if (status == DOCKET_OK) {
        status = open_below(&below, url, &read, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    status = wrap_backend(store, below.name, below.backend, below.self, &read, error);
    if (status != DOCKET_OK) {
        below.backend->close(below.self);
    }
    return status;
}

docket_status docket_store_open_backend(docket_store **store, const docket_backend *backend, void *self,
                                        const docket_store_options *options, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_store_options read;
    error = error != NULL ? error : &own;
    if (store != NULL) {
        *store = NULL;
    }
    if (store == NULL || backend == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_store_open_backend: %s is NULL",
                                 store == NULL ? "store" : "backend");
    }
    if (backend->struct_size != sizeof *backend) {
        return docket__error_set(error, DOCKET_INVALID, "the backend's struct_size is %zu, this docket's is %zu",
                                 backend->struct_size, sizeof *backend);
    }
    bool has_claims = backend->acquire != NULL && backend->release != NULL && backend->await != NULL &&
                      backend->interrupt != NULL;
    bool has_leases = backend->acquire != NULL && backend->renew != NULL && backend->release != NULL;
    if (backend->name == NULL || backend->lookup == NULL || backend->commit == NULL || backend->list == NULL ||
        backend->forget == NULL || backend->purge == NULL || backend->schema == NULL || backend->close == NULL ||
        ((backend->capabilities & DOCKET_BACKEND_LEASES) != 0 && !has_leases) ||
        ((backend->capabilities & DOCKET_BACKEND_CLAIMS) != 0 && !has_claims) ||
        (backend->effect == NULL) != (backend->effects == NULL) ||
        (backend->transaction_begin == NULL) != (backend->transaction_end == NULL)) {
        return docket__error_set(error, DOCKET_INVALID, "the backend lacks a name or a required function");
    }
    if ((backend->capabilities & DOCKET_BACKEND_LEASES) != 0) {
        return docket__error_set(error, DOCKET_UNSUPPORTED, "docket %s does not drive leases",
                                 DOCKET_VERSION_STRING);
    }
    docket_status status = docket__store_options_read(&read, options, error);
    if (status != DOCKET_OK) {
        return status;
    }
    return wrap_backend(store, backend->name, backend, self, &read, error);
}

static void destroy(docket_store *store)
{
    store->backend->close(store->self);
    docket__queue_destroy(&store->queue);
    docket__claims_destroy(&store->claims);
    docket__depot_unref(store->depot);
    docket__map_release(&store->facts);
    docket__arena_release(&store->facts_memory);
    pthread_mutex_destroy(&store->facts_lock);
    docket__free(store->name);
    docket__free(store);
}

docket_store *docket__store_ref(docket_store *store)
{
    if (store != NULL) {
        atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
    }
    return store;
}

static void destroy_watched(docket_store *store)
{
    docket__lookout_stop(&store->lookout);
    destroy(store);
}

void docket__store_unref(docket_store *store)
{
    if (store == NULL || atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (store->generation != docket__fork_generation()) {
        return;
    }
    if (docket__queue_is_writer(&store->queue)) {
        docket__queue_stop_later(&store->queue, destroy_watched);
        return;
    }
    docket__queue_stop(&store->queue);
    if (docket__lookout_is_watcher(&store->lookout)) {
        docket__lookout_stop_later(&store->lookout, destroy);
        return;
    }
    destroy_watched(store);
}

void docket_store_close(docket_store *store)
{
    docket__store_unref(store);
}

docket_status docket_store_delete(const char *url, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    const char *path;
    error = error != NULL ? error : &own;
    docket__error_clear(error);
    if (url == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_store_delete: url is NULL");
    }
    if ((path = after_scheme(url, "sqlite:")) != NULL) {
        return docket__sqlite_delete(path, error);
    }
    if (strcmp(url, "memory:") == 0) {
        return DOCKET_OK;
    }
    return refuse_scheme(url, error);
}

/* ---- What others ask ---- */

docket__claims *docket__store_claims(docket_store *store)
{
    return &store->claims;
}

size_t docket__store_payload_limit(const docket_store *store)
{
    return store->payload_limit;
}

bool docket__store_has_scan(const docket_store *store)
{
    return store->backend->scan != NULL;
}

bool docket__store_has_effects(const docket_store *store)
{
    return store->backend->effect != NULL;
}

void docket__store_flush(docket_store *store)
{
    docket__queue_flush(&store->queue);
}

bool docket__store_is_read_only(const docket_store *store)
{
    return store->read_only;
}

docket__depot *docket__store_depot(const docket_store *store)
{
    return store != NULL ? store->depot : NULL;
}

const char *docket__store_name(const docket_store *store)
{
    return store->name;
}

docket_status docket__store_check(const docket_store *store, docket_error *error)
{
    if (store == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the store is NULL");
    }
    if (store->generation != docket__fork_generation()) {
        return docket__error_set(error, DOCKET_FORKED,
                                 "the store %s was opened before fork: open it in the child only, or exec",
                                 store->name);
    }
    return DOCKET_OK;
}

static bool is_inside_transaction(const docket_store *store)
{
    return atomic_load(&store->in_transaction) &&
           pthread_equal(atomic_load(&store->transaction_thread), pthread_self());
}

docket_status docket__store_check_writable(const docket_store *store, docket_error *error)
{
    docket_status status = docket__store_check(store, error);
    if (status == DOCKET_OK && is_inside_transaction(store)) {
        return docket__error_set(error, DOCKET_CONFLICT,
                                 "a step inside its transaction cannot write to the store %s in any other way: use "
                                 "docket_ctx_sqlite, or do it in a step before or after",
                                 store->name);
    }
    if (status == DOCKET_OK && store->read_only) {
        status = docket__error_set(error, DOCKET_STORE, "the store %s was opened read-only", store->name);
    }
    return status;
}

/* ---- Retries ---- */

void docket__retry_begin(docket__retry *retry, const docket_store *store, int64_t deadline_ms)
{
    int64_t budget_ms = store->retry_budget_ms > 0 ? store->retry_budget_ms : 0;
    int64_t end_ms;
    if (__builtin_add_overflow(docket__clock_monotonic_ms(), budget_ms, &end_ms) || end_ms > deadline_ms) {
        end_ms = deadline_ms;
    }
    *retry = (docket__retry){.end_ms = end_ms, .left_ms = budget_ms, .delay_ms = first_retry_ms};
}

static void pause_ms(int64_t delay_ms)
{
    struct timespec delay = {.tv_sec = (time_t)(delay_ms / 1000), .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
}

bool docket__retry_again(docket__retry *retry, docket_status status, docket_error *error)
{
    int64_t left_ms = retry->end_ms - docket__clock_monotonic_ms();
    if (left_ms > retry->left_ms) {
        left_ms = retry->left_ms;
    }
    if (status != DOCKET_STORE || error->transient != 1 || left_ms <= 0) {
        error->transient = error->transient != 0;
        return false;
    }
    int64_t delay_ms = 1 + (int64_t)docket__random_below((uint64_t)retry->delay_ms);
    delay_ms = delay_ms < left_ms ? delay_ms : left_ms;
    pause_ms(delay_ms);
    retry->left_ms -= delay_ms;
    retry->delay_ms = retry->delay_ms < longest_retry_ms / 2 ? retry->delay_ms * 2 : longest_retry_ms;
    return true;
}

/* ---- Reading and writing ---- */

docket_status docket__store_lookup(docket_store *store, const docket_address *address, int64_t deadline_ms,
                                   docket_found *found, docket_record **record, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket__retry retry;
    error = error != NULL ? error : &own;
    *found = DOCKET_FOUND_NOTHING;
    *record = NULL;
    docket_status status = docket__store_check(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__retry_begin(&retry, store, deadline_ms);
    do {
        status = store->backend->lookup(store->self, address, found, record, error);
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    if (status == DOCKET_OK && *record != NULL &&
        memcmp(&(*record)->key, &address->key, sizeof address->key) != 0) {
        status = docket__error_set(error, DOCKET_CORRUPT, "the store %s answered with the record of another key",
                                   store->name);
    }
    if (status != DOCKET_OK) {
        docket_record_free(*record);
        *record = NULL;
        *found = DOCKET_FOUND_NOTHING;
    }
    return status;
}

docket_status docket__store_schema(docket_store *store, const char *type, const uint8_t fingerprint[32],
                                   docket_buffer *out, docket_error *error)
{
    docket__retry retry;
    docket_status status = docket__store_check(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    size_t start = docket_buffer_bytes(out).size;
    docket__retry_begin(&retry, store, INT64_MAX);
    do {
        docket__buffer_truncate(out, start);
        status = store->backend->schema(store->self, type, fingerprint, out, error);
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    return status;
}

bool docket__store_knows(docket_store *store, const uint8_t fact[32])
{
    pthread_mutex_lock(&store->facts_lock);
    bool is_known = docket__map_get(&store->facts, fact, 32) != NULL;
    pthread_mutex_unlock(&store->facts_lock);
    return is_known;
}

void docket__store_learn(docket_store *store, const uint8_t fact[32])
{
    pthread_mutex_lock(&store->facts_lock);
    if (docket__map_get(&store->facts, fact, 32) == NULL) {
        void *kept = docket__arena_copy(&store->facts_memory, fact, 32);
        (void)!(kept != NULL && docket__map_put(&store->facts, kept, 32, kept) == DOCKET_OK);
    }
    pthread_mutex_unlock(&store->facts_lock);
}

typedef struct watched_visit {
    docket_record_visit *each;
    void *arg;
    bool began;
} watched_visit;

static bool visit(void *arg, const docket_record *record)
{
    watched_visit *watched = arg;
    watched->began = true;
    return watched->each(watched->arg, record);
}

docket_status docket__store_scan(docket_store *store, const char *execution_id, int64_t deadline_ms,
                                 docket_record_visit *each, void *arg, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket__retry retry;
    watched_visit watched = {.each = each, .arg = arg};
    error = error != NULL ? error : &own;
    docket_status status = docket__store_check(store, error);
    if (status != DOCKET_OK || store->backend->scan == NULL) {
        return status;
    }
    docket__retry_begin(&retry, store, deadline_ms);
    do {
        status = store->backend->scan(store->self, execution_id, visit, &watched, error);
    } while (status != DOCKET_OK && !watched.began && docket__retry_again(&retry, status, error));
    return status;
}

/* What can be refused without asking the backend. */
static docket_status check_write(const docket_store *store, const docket__write *write, docket_error *error)
{
    const docket_record *record = write->commit.record;
    docket_status status = docket__store_check_writable(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (record->ttl_ms < 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the time to live of step %s is %lld ms; it must not be negative", record->step,
                                 (long long)record->ttl_ms);
    }
    if (write->commit.kind == DOCKET_COMMIT_RECORD && record->value.size > store->payload_limit) {
        return docket__error_set(error, DOCKET_TOO_LARGE,
                                 "the value of step %s has %zu bytes, the store takes %zu (max_payload_bytes)",
                                 record->step, record->value.size, store->payload_limit);
    }
    return DOCKET_OK;
}

/* ---- Transactions ---- */

bool docket__store_has_transactions(const docket_store *store)
{
    return store->backend->transaction_begin != NULL;
}

int64_t docket__store_transaction_timeout_ms(const docket_store *store)
{
    return store->transaction_timeout_ms;
}

docket_status docket__store_transaction_begin(docket_store *store, const docket_address *address,
                                              docket_transaction *transaction, docket_error *error)
{
    docket__retry retry;
    int64_t limit_ms = transaction->limit_ms;
    docket_status status = docket__store_check_writable(store, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__retry_begin(&retry, store, INT64_MAX);
    do {
        *transaction = (docket_transaction){.struct_size = sizeof *transaction, .limit_ms = limit_ms};
        status = store->backend->transaction_begin(store->self, address, transaction, error);
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    if (status == DOCKET_OK) {
        atomic_store(&store->transaction_thread, pthread_self());
        atomic_store(&store->in_transaction, true);
    }
    return status;
}

/* After a failure: the answer may have been lost, and the record be there; or another one, which then counts. */
static bool is_recorded(docket_store *store, docket_commit *commit)
{
    docket_found found = DOCKET_FOUND_NOTHING;
    docket_record *record = NULL;
    docket_error ignored;
    docket_address address = docket__record_address(commit->record);
    if (store->backend->lookup(store->self, &address, &found, &record, &ignored) != DOCKET_OK ||
        found != DOCKET_FOUND_RECORD) {
        docket_record_free(record);
        return false;
    }
    bool same = memcmp(record->checksum, commit->record->checksum, sizeof record->checksum) == 0;
    docket_record_free(commit->existing);
    commit->existing = same ? NULL : record;
    if (same) {
        docket_record_free(record);
    }
    return true;
}

docket_status docket__store_transaction_end(docket_store *store, docket_transaction *transaction,
                                            docket_commit *commit, docket_error *error)
{
    if (is_inside_transaction(store)) { /* else it was rolled back at its limit, and the next one has begun */
        atomic_store(&store->in_transaction, false);
    }
    if (commit != NULL) {
        commit->existing = NULL;
        commit->status = DOCKET_OK;
        docket__point_pass(DOCKET_POINT_COMMIT, store->name);
    }
    docket_status status = store->backend->transaction_end(store->self, transaction, commit, error);
    if (commit != NULL) {
        docket__point_pass(DOCKET_POINT_COMMITTED, store->name);
    }
    if (status == DOCKET_STORE && commit != NULL && !commit->replace && is_recorded(store, commit)) {
        commit->status = DOCKET_OK;
        return DOCKET_OK;
    }
    if (status == DOCKET_OK && commit != NULL && commit->status != DOCKET_OK) {
        status = docket__error_set(error, commit->status, "the result of step %s was not recorded: %s",
                                   commit->record->step, docket_status_text(commit->status));
    }
    if (status != DOCKET_OK && commit != NULL) {
        docket_record_free(commit->existing);
        commit->existing = NULL;
        commit->status = status;
    }
    return status;
}

void docket__store_write(docket_store *store, docket__write *write)
{
    write->commit.existing = NULL;
    write->commit.status = check_write(store, write, write->error);
    if (write->commit.status != DOCKET_OK) {
        write->done(write);
        return;
    }
    docket__queue_write(&store->queue, write);
}
