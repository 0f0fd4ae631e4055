/* The commit queue over a backend that says what it was asked. */
#include "base/error.h"
#include "store/handle.h"
#include "store/record.h"
#include "support/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MOST_GROUPS = 64, KEYS = 20000 };

/* Counts, and lets others wait for a count; a wait that never ends is ended by the test's alarm. */
typedef struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
} tally;

#define TALLY_INIT                                             \
    {                                                          \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 \
    }

static void tally_add(tally *self)
{
    pthread_mutex_lock(&self->lock);
    self->count++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void tally_wait(tally *self, int count)
{
    pthread_mutex_lock(&self->lock);
    while (self->count < count) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

typedef struct recorder {
    docket_backend backend;
    docket_store *store;
    docket_error error;
    /* what the backend does */
    tally entered, may_go; /* every commit passes here, if `held` */
    atomic_bool held;
    atomic_int transient_failures, waited_failures, final_failures;
    atomic_int held_until_failures; /* transient ones that begin behind the commit that is held */
    bool writes_before_failing;
    int refused_key; /* with CLAIM_LOST; -1 = none */
    /* what it saw */
    atomic_int commits, inside, most_inside, closed;
    size_t groups[MOST_GROUPS];
    int order[KEYS];
    size_t order_count;
    pthread_t thread;
    docket_record *kept[256]; /* by key, for look-ups */
} recorder;

static int key_of(const docket_record *record)
{
    int key;
    memcpy(&key, record->key.bytes, sizeof key);
    return key;
}

static void keep(recorder *self, const docket_record *record)
{
    int key = key_of(record);
    if (key < 256 && self->kept[key] == NULL) {
        self->kept[key] = docket_record_copy(record);
    }
}

static docket_status lookup(void *arg, const docket_address *address, docket_found *found, docket_record **record,
                            docket_error *error)
{
    recorder *self = arg;
    int key;
    (void)error;
    memcpy(&key, address->key.bytes, sizeof key);
    *found = DOCKET_FOUND_NOTHING;
    if (key < 256 && self->kept[key] != NULL) {
        *record = docket_record_copy(self->kept[key]);
        *found = DOCKET_FOUND_RECORD;
    }
    return DOCKET_OK;
}

static docket_status fail_once(atomic_int *left, int32_t transient, docket_error *error)
{
    (*left)--;
    docket__error_set(error, DOCKET_STORE, "the disk is on fire");
    error->transient = transient;
    return DOCKET_STORE;
}

static docket_status commit_group(recorder *self, docket_commit *const *commits, size_t count, docket_error *error)
{
    if (self->transient_failures > 0) {
        return fail_once(&self->transient_failures, 1, error);
    }
    if (self->waited_failures > 0) {
        return fail_once(&self->waited_failures, DOCKET__WAITED, error);
    }
    for (size_t i = 0; i < count && (self->final_failures == 0 || self->writes_before_failing); i++) {
        int key = key_of(commits[i]->record);
        if (key == self->refused_key) {
            commits[i]->status = DOCKET_CLAIM_LOST;
            continue;
        }
        keep(self, commits[i]->record);
        if (self->order_count < KEYS) {
            self->order[self->order_count++] = key;
        }
    }
    return self->final_failures > 0 ? fail_once(&self->final_failures, 0, error) : DOCKET_OK;
}

static docket_status commit(void *arg, docket_commit *const *commits, size_t count, docket_error *error)
{
    recorder *self = arg;
    int inside = atomic_fetch_add(&self->inside, 1) + 1;
    if (inside > self->most_inside) {
        self->most_inside = inside;
    }
    self->thread = pthread_self();
    if (self->commits < MOST_GROUPS) {
        self->groups[self->commits] = count;
    }
    self->commits++;
    if (self->held) {
        tally_add(&self->entered);
        tally_wait(&self->may_go, 1);
    }
    docket_status status = commit_group(self, commits, count, error);
    self->transient_failures += atomic_exchange(&self->held_until_failures, 0);
    atomic_fetch_sub(&self->inside, 1);
    return status;
}

static docket_status list(void *self, const docket_checkpoint_filter *filter, int64_t *position,
                          docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                          docket_error *error)
{
    (void)self, (void)filter, (void)position, (void)entries, (void)capacity, (void)arena, (void)error;
    *count = 0;
    return DOCKET_OK;
}

static docket_status forget(void *arg, const docket_checkpoint_filter *filter, int64_t *position, uint64_t most,
                            uint64_t *count, docket_error *error)
{
    (void)arg, (void)filter, (void)most, (void)error;
    *count = 0;
    *position = INT64_MAX;
    return DOCKET_OK;
}

static docket_status purge(void *arg, uint64_t most, uint64_t *count, docket_error *error)
{
    recorder *self = arg;
    (void)most, (void)error;
    *count = self->order_count;
    self->thread = pthread_self();
    return DOCKET_OK;
}

static docket_status schema(void *self, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                            docket_error *error)
{
    (void)self, (void)type, (void)fingerprint, (void)out, (void)error;
    return DOCKET_OK;
}

static void close_backend(void *arg)
{
    recorder *self = arg;
    self->closed++;
}

static void open_recorder(recorder *self, uint32_t capabilities, int64_t retry_budget_ms)
{
    self->backend = (docket_backend){
        .struct_size = sizeof(docket_backend),
        .name = "recorder",
        .capabilities = capabilities,
        .lookup = lookup,
        .commit = commit,
        .list = list,
        .forget = forget,
        .purge = purge,
        .schema = schema,
        .close = close_backend,
    };
    docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .retry_budget_ms = retry_budget_ms,
                                    .max_payload_bytes = 64 << 20};
    assert_status(DOCKET_OK, docket_store_open_backend(&self->store, &self->backend, self, &options, &self->error));
}

static int setup(void **state)
{
    recorder *self = calloc(1, sizeof *self);
    self->entered = self->may_go = (tally)TALLY_INIT;
    self->refused_key = -1;
    alarm(100);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    recorder *self = *state;
    docket_store_close(self->store);
    for (int i = 0; i < 256; i++) {
        docket_record_free(self->kept[i]);
    }
    free(self);
    alarm(0);
    return 0;
}

/* ---- Writes ---- */

typedef struct note {
    docket__write write;
    docket_record record;
    docket_error error;
    tally *all;
    atomic_bool is_done;
    pthread_t done_on;
} note;

static void done(docket__write *write)
{
    note *self = (note *)write;
    self->is_done = true;
    self->done_on = pthread_self();
    tally_add(self->all);
}

static void prepare(note *self, int key, tally *all)
{
    static const uint8_t value[] = "value";
    *self = (note){.all = all, .error = DOCKET_ERROR_INIT};
    self->record = (docket_record){
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .execution_id = "order-1",
        .step = "pay",
        .type = "Text",
        .value = {value, 5},
    };
    memcpy(self->record.key.bytes, &key, sizeof key);
    assert_status(DOCKET_OK, docket__record_seal(&self->record));
    self->write = (docket__write){
        .commit = {.struct_size = sizeof(docket_commit), .record = &self->record},
        .done = done,
        .error = &self->error,
        .deadline_ms = INT64_MAX,
    };
}

static note *write_many(recorder *self, int first, int count, tally *all)
{
    note *notes = calloc((size_t)count, sizeof *notes);
    for (int i = 0; i < count; i++) {
        prepare(&notes[i], first + i, all);
        docket__store_write(self->store, &notes[i].write);
    }
    return notes;
}

static docket_status write_one(recorder *self, int key, docket_error *error, docket_record **existing)
{
    tally all = TALLY_INIT;
    note one;
    prepare(&one, key, &all);
    docket__store_write(self->store, &one.write);
    tally_wait(&all, 1);
    if (error != NULL) {
        *error = one.error;
    }
    if (existing != NULL) {
        *existing = one.write.commit.existing;
    } else {
        docket_record_free(one.write.commit.existing);
    }
    return one.write.commit.status;
}

/* ---- Groups ---- */

static void what_waits_is_written_together(void **state)
{
    recorder *self = *state;
    tally all = TALLY_INIT;
    self->held = true;
    open_recorder(self, 0, 0);
    note *first = write_many(self, 0, 1, &all);
    tally_wait(&self->entered, 1);
    note *rest = write_many(self, 1, 100, &all);
    assert_int_equal(self->commits, 1);
    tally_add(&self->may_go);
    tally_wait(&all, 101);
    assert_int_equal(self->commits, 2);
    assert_int_equal(self->groups[0], 1);
    assert_int_equal(self->groups[1], 100);
    for (int i = 0; i < 101; i++) {
        assert_int_equal(self->order[i], i);
    }
    assert_false(pthread_equal(first->done_on, pthread_self()));
    free(first);
    free(rest);
}

static void groups_are_bounded(void **state)
{
    enum { COUNT = 10000 };
    recorder *self = *state;
    tally all = TALLY_INIT;
    self->held = true;
    open_recorder(self, 0, 0);
    note *first = write_many(self, 0, 1, &all);
    tally_wait(&self->entered, 1);
    note *rest = write_many(self, 1, COUNT, &all);
    tally_add(&self->may_go);
    tally_wait(&all, COUNT + 1);
    assert_int_equal(self->groups[1], 4096);
    assert_int_equal(self->groups[2], 4096);
    assert_int_equal(self->groups[3], COUNT - 2 * 4096);
    free(first);
    free(rest);
}

static void large_values_close_a_group(void **state)
{
    recorder *self = *state;
    uint8_t *bytes = calloc(1, 20 << 20);
    note notes[6];
    tally all = TALLY_INIT;
    self->held = true;
    open_recorder(self, 0, 0);
    for (int i = 0; i < 6; i++) {
        prepare(&notes[i], 1000 + i, &all);
        notes[i].record.value = (docket_bytes){bytes, 20 << 20};
        docket__store_write(self->store, &notes[i].write);
        if (i == 0) {
            tally_wait(&self->entered, 1);
        }
    }
    tally_add(&self->may_go);
    tally_wait(&all, 6);
    assert_int_equal(self->groups[1], 2);
    assert_int_equal(self->groups[2], 2);
    assert_int_equal(self->groups[3], 1);
    free(bytes);
}

typedef struct pusher {
    recorder *recorder;
    tally *all;
    int first, count;
    note *notes;
} pusher;

static void *push_many(void *arg)
{
    pusher *self = arg;
    self->notes = write_many(self->recorder, self->first, self->count, self->all);
    return NULL;
}

static void every_caller_keeps_its_order(void **state)
{
    enum { THREADS = 4, COUNT = 3000 };
    recorder *self = *state;
    pthread_t threads[THREADS];
    pusher pushers[THREADS];
    int last[THREADS] = {-1, -1, -1, -1};
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    for (int i = 0; i < THREADS; i++) {
        pushers[i] = (pusher){.recorder = self, .all = &all, .first = 1000 + i * COUNT, .count = COUNT};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    tally_wait(&all, THREADS * COUNT);
    assert_int_equal(self->order_count, THREADS * COUNT);
    for (size_t i = 0; i < self->order_count; i++) {
        int of = (self->order[i] - 1000) / COUNT;
        assert_true(self->order[i] > last[of]);
        last[of] = self->order[i];
    }
    for (int i = 0; i < THREADS; i++) {
        free(pushers[i].notes);
    }
    assert_int_equal(self->most_inside, 1);
}

static void lazy_writes_join_others(void **state)
{
    recorder *self = *state;
    note notes[4];
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    for (int i = 0; i < 4; i++) {
        prepare(&notes[i], i, &all);
        notes[i].write.lazy = i < 3;
        docket__store_write(self->store, &notes[i].write);
    }
    tally_wait(&all, 4);
    assert_int_equal(self->order_count, 4);
    prepare(&notes[0], 4, &all);
    notes[0].write.lazy = true;
    docket__store_write(self->store, &notes[0].write);
    docket__store_flush(self->store);
    tally_wait(&all, 5);
    prepare(&notes[1], 5, &all);
    notes[1].write.lazy = true;
    docket__store_write(self->store, &notes[1].write);
    tally_wait(&all, 6); /* nobody flushes: a few milliseconds */
}

/* ---- Refusals and faults ---- */

static void one_refused_write_leaves_the_others_in(void **state)
{
    recorder *self = *state;
    tally all = TALLY_INIT;
    self->refused_key = 2;
    open_recorder(self, 0, 0);
    note *notes = write_many(self, 1, 3, &all);
    tally_wait(&all, 3);
    assert_status(DOCKET_OK, notes[0].write.commit.status);
    assert_status(DOCKET_CLAIM_LOST, notes[1].write.commit.status);
    assert_status(DOCKET_CLAIM_LOST, notes[1].error.status);
    assert_contains(notes[1].error.message, "pay");
    assert_status(DOCKET_OK, notes[2].write.commit.status);
    assert_status(DOCKET_OK, notes[2].error.status);
    free(notes);
}

static void some_writes_never_reach_the_backend(void **state)
{
    recorder *self = *state;
    uint8_t byte = 0;
    note one;
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    prepare(&one, 1, &all);
    one.record.value = (docket_bytes){&byte, (64 << 20) + 1};
    docket__store_write(self->store, &one.write);
    assert_true(one.is_done);
    assert_status(DOCKET_TOO_LARGE, one.write.commit.status);
    assert_contains(one.error.message, "67108865");
    assert_contains(one.error.message, "67108864");
    prepare(&one, 1, &all);
    one.record.ttl_ms = -1;
    docket__store_write(self->store, &one.write);
    assert_status(DOCKET_INVALID, one.write.commit.status);
    assert_int_equal(self->commits, 0);
}

static void transient_faults_are_repeated(void **state)
{
    recorder *self = *state;
    docket_error error;
    self->transient_failures = 3;
    open_recorder(self, 0, 60000);
    assert_status(DOCKET_OK, write_one(self, 1, &error, NULL));
    assert_int_equal(self->commits, 4);
    assert_status(DOCKET_OK, error.status);
}

static void the_budget_ends_repeating(void **state)
{
    recorder *self = *state;
    docket_error error;
    self->transient_failures = 1000000;
    open_recorder(self, 0, 50);
    assert_status(DOCKET_STORE, write_one(self, 1, &error, NULL));
    assert_int_equal(error.transient, 1);
    assert_contains(error.message, "on fire");
    assert_true(self->commits > 1);
}

static void a_negative_budget_repeats_nothing(void **state)
{
    recorder *self = *state;
    self->transient_failures = 1;
    open_recorder(self, 0, -1);
    assert_status(DOCKET_STORE, write_one(self, 1, NULL, NULL));
    assert_int_equal(self->commits, 1);
    assert_status(DOCKET_OK, write_one(self, 1, NULL, NULL));
}

static void a_deadline_ends_repeating_for_its_write_only(void **state)
{
    recorder *self = *state;
    note notes[2];
    tally first = TALLY_INIT;
    tally second = TALLY_INIT;
    self->held = true;
    open_recorder(self, 0, 600000);
    note *before = write_many(self, 10, 1, &second);
    tally_wait(&self->entered, 1);
    prepare(&notes[0], 1, &first);
    prepare(&notes[1], 2, &second);
    notes[0].write.deadline_ms = 1; /* long ago */
    docket__store_write(self->store, &notes[0].write);
    docket__store_write(self->store, &notes[1].write);
    /* The commit under way is held; the group behind it fails until one of the two has given up. */
    self->held_until_failures = 1000000;
    tally_add(&self->may_go);
    tally_wait(&first, 1);
    assert_status(DOCKET_STORE, notes[0].write.commit.status);
    assert_false(notes[1].is_done);
    self->transient_failures = 0;
    tally_wait(&second, 2);
    assert_status(DOCKET_OK, notes[1].write.commit.status);
    free(before);
}

static void who_has_waited_is_not_asked_again(void **state)
{
    recorder *self = *state;
    docket_error error;
    self->waited_failures = 1;
    open_recorder(self, 0, 60000);
    assert_status(DOCKET_STORE, write_one(self, 1, &error, NULL));
    assert_int_equal(self->commits, 1);
    assert_int_equal(error.transient, 1);
}

static void a_failed_group_is_settled_by_reading_back(void **state)
{
    recorder *self = *state;
    docket_record *existing = NULL;
    docket_error error;
    open_recorder(self, 0, 0);
    self->final_failures = 1;
    assert_status(DOCKET_STORE, write_one(self, 1, &error, NULL));
    assert_int_equal(error.transient, 0);
    self->final_failures = 1;
    self->writes_before_failing = true;
    assert_status(DOCKET_OK, write_one(self, 1, &error, &existing));
    assert_null(existing);
    assert_status(DOCKET_OK, error.status);
    /* Another's record is there: it is adopted. */
    docket_record other = *self->kept[1];
    memset(other.checksum, 0x55, sizeof other.checksum);
    docket_record *mine = self->kept[1];
    self->kept[1] = docket_record_copy(&other);
    docket_record_free(mine);
    self->final_failures = 1;
    assert_status(DOCKET_OK, write_one(self, 1, &error, &existing));
    assert_non_null(existing);
    docket_record_free(existing);
}

/* ---- Operations, closing ---- */

static void removals_come_behind_the_writes_before_them(void **state)
{
    recorder *self = *state;
    tally all = TALLY_INIT;
    uint64_t count = 0;
    open_recorder(self, 0, 0);
    note *notes = write_many(self, 1000, 50, &all);
    /* The recorder says how many writes it had seen, which is less than a full batch. */
    assert_status(DOCKET_OK, docket_store_purge(self->store, &count, &self->error));
    assert_int_equal(count, 50);
    assert_false(pthread_equal(self->thread, pthread_self()));
    tally_wait(&all, 50);
    free(notes);
}

static void closing_writes_what_waits(void **state)
{
    recorder *self = *state;
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    note *notes = write_many(self, 1000, 5000, &all);
    docket_store_close(self->store);
    self->store = NULL;
    assert_int_equal(self->closed, 1);
    assert_int_equal(self->order_count, 5000);
    tally_wait(&all, 5000);
    free(notes);
}

static void drop_the_last_reference(docket__write *write)
{
    note *self = (note *)write;
    docket_store *store = (docket_store *)self->record.execution_id;
    docket__store_unref(store);
    tally_add(self->all);
}

static void the_last_reference_may_go_on_the_writer_thread(void **state)
{
    recorder *self = *state;
    note one;
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    prepare(&one, 1000, &all);
    one.write.done = drop_the_last_reference;
    one.record.execution_id = (const char *)self->store;
    docket__store_write(self->store, &one.write);
    self->store = NULL;
    tally_wait(&all, 1);
    while (self->closed == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    /* The writer thread may not have ended yet, but has nothing of the store's left to touch. */
}

static atomic_int chain_left;
static docket_store *chain_store;

static void write_again(docket__write *write)
{
    note *self = (note *)write;
    if (atomic_fetch_sub(&chain_left, 1) > 1) {
        docket__store_write(chain_store, write);
    } else {
        tally_add(self->all);
    }
}

static void a_callback_may_write(void **state)
{
    recorder *self = *state;
    note one;
    tally all = TALLY_INIT;
    open_recorder(self, 0, 0);
    chain_left = 500;
    chain_store = self->store;
    prepare(&one, 1000, &all);
    one.write.done = write_again;
    docket__store_write(self->store, &one.write);
    tally_wait(&all, 1);
    assert_int_equal(self->order_count, 500);
}

static void inline_backends_commit_on_the_callers_thread(void **state)
{
    enum { THREADS = 4, COUNT = 500 };
    recorder *self = *state;
    pthread_t threads[THREADS];
    pusher pushers[THREADS];
    tally all = TALLY_INIT;
    open_recorder(self, DOCKET_BACKEND_INLINE, 0);
    assert_status(DOCKET_OK, write_one(self, 1000, NULL, NULL));
    assert_true(pthread_equal(self->thread, pthread_self()));
    for (int i = 0; i < THREADS; i++) {
        pushers[i] = (pusher){.recorder = self, .all = &all, .first = 2000 + i * COUNT, .count = COUNT};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        free(pushers[i].notes);
    }
    assert_int_equal(self->most_inside, 1);
    assert_int_equal(self->order_count, THREADS * COUNT + 1);
}

static void backends_are_checked(void **state)
{
    recorder *self = *state;
    docket_store *store = NULL;
    open_recorder(self, 0, 0);
    docket_backend broken = self->backend;
    broken.struct_size = 8;
    assert_status(DOCKET_INVALID, docket_store_open_backend(&store, &broken, self, NULL, &self->error));
    broken = self->backend;
    broken.commit = NULL;
    assert_status(DOCKET_INVALID, docket_store_open_backend(&store, &broken, self, NULL, &self->error));
    assert_status(DOCKET_INVALID, docket_store_open_backend(&store, NULL, self, NULL, &self->error));
    assert_status(DOCKET_INVALID, docket_store_open_backend(NULL, &self->backend, self, NULL, &self->error));
    assert_null(store);
    assert_int_equal(self->closed, 0);
}

#define QUEUE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(what_waits_is_written_together),
        QUEUE_TEST(groups_are_bounded),
        QUEUE_TEST(large_values_close_a_group),
        QUEUE_TEST(every_caller_keeps_its_order),
        QUEUE_TEST(lazy_writes_join_others),
        QUEUE_TEST(one_refused_write_leaves_the_others_in),
        QUEUE_TEST(some_writes_never_reach_the_backend),
        QUEUE_TEST(transient_faults_are_repeated),
        QUEUE_TEST(the_budget_ends_repeating),
        QUEUE_TEST(a_negative_budget_repeats_nothing),
        QUEUE_TEST(a_deadline_ends_repeating_for_its_write_only),
        QUEUE_TEST(who_has_waited_is_not_asked_again),
        QUEUE_TEST(a_failed_group_is_settled_by_reading_back),
        QUEUE_TEST(removals_come_behind_the_writes_before_them),
        QUEUE_TEST(closing_writes_what_waits),
        QUEUE_TEST(the_last_reference_may_go_on_the_writer_thread),
        QUEUE_TEST(a_callback_may_write),
        QUEUE_TEST(inline_backends_commit_on_the_callers_thread),
        QUEUE_TEST(backends_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
