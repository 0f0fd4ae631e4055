#include "store/queue.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/point.h"
#include "store/handle.h"
#include "store/record.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/* An operation travels through the list as a write without a record. */
typedef struct queued_operation {
    docket__write write; /* first */
    docket__operation *run;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
} queued_operation;

static bool is_inline(const docket__queue *queue)
{
    return (queue->store->backend->capabilities & DOCKET_BACKEND_INLINE) != 0;
}

static bool is_operation(const docket__write *write)
{
    return write->commit.record == NULL;
}

static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Tells the caller what the backend answered for its write. */
static void finish(docket__queue *queue, docket__write *write)
{
    const docket_record *record = write->commit.record;
    switch (write->commit.status) {
    case DOCKET_OK:
        docket__error_clear(write->error);
        break;
    case DOCKET_TOO_LARGE:
        docket__error_set(write->error, DOCKET_TOO_LARGE, "the value of step %s has %zu bytes, the store takes %zu",
                          record->step, record->value.size, queue->store->payload_limit);
        break;
    default:
        docket__error_set(write->error, write->commit.status, "%s of step %s was not recorded: %s",
                          write->commit.kind == DOCKET_COMMIT_RECORD ? "the result" : "a note", record->step,
                          docket_status_text(write->commit.status));
    }
    write->done(write);
}

/* A failed write's story is that of its group. */
static void fail(docket__write *write, const docket_error *error)
{
    docket_record_free(write->commit.existing);
    write->commit.existing = NULL;
    write->commit.status = error->status;
    docket__error_copy(write->error, error);
    if (write->error->transient == DOCKET__WAITED) {
        write->error->transient = 1;
    }
    write->done(write);
}

/* After a failed group: whether an intent is there all the same. If this cannot be found out the step is not entered,
 * and what may be left is in doubt, which is the safe side. */
static bool settle_intent(docket__queue *queue, docket_commit *commit)
{
    docket_arena texts = {0};
    docket_effect effect;
    docket_error ignored;
    docket_status status =
        queue->store->backend->effect(queue->store->self, commit->intent->slot, &effect, &texts, &ignored);
    docket__arena_release(&texts);
    commit->status = DOCKET_OK;
    return status == DOCKET_OK && effect.state != DOCKET_EFFECT_FREE && effect.token == commit->intent->token;
}

/* After a failed group: a record that can be read back with its checksum was written, another live one is adopted. */
static bool settle(docket__queue *queue, docket__write *write)
{
    docket_commit *commit = &write->commit;
    docket_record *record = NULL;
    docket_found found = DOCKET_FOUND_NOTHING;
    docket_error ignored;
    if (commit->kind != DOCKET_COMMIT_RECORD) {
        return commit->kind == DOCKET_COMMIT_INTENT && settle_intent(queue, commit);
    }
    docket_address address = docket__record_address(commit->record);
    docket_status status = queue->store->backend->lookup(queue->store->self, &address, &found, &record, &ignored);
    if (status != DOCKET_OK || found != DOCKET_FOUND_RECORD) {
        docket_record_free(record);
        return false;
    }
    bool same = memcmp(record->checksum, commit->record->checksum, sizeof record->checksum) == 0;
    if (!same && commit->replace) {
        docket_record_free(record);
        return false;
    }
    docket_record_free(commit->existing);
    commit->existing = record;
    if (same) {
        docket_record_free(record);
        commit->existing = NULL;
    }
    commit->status = DOCKET_OK;
    return true;
}

static docket_status commit_once(docket__queue *queue, docket_commit **commits, size_t count, docket_error *error)
{
    const docket_store *store = queue->store;
    for (size_t i = 0; i < count; i++) {
        docket_record_free(commits[i]->existing);
        commits[i]->existing = NULL;
        commits[i]->status = DOCKET_OK;
    }
    docket__error_clear(error);
    docket__point_pass(DOCKET_POINT_COMMIT, store->name);
    if (is_inline(queue)) {
        pthread_mutex_lock(&queue->commit_lock);
    }
    docket_status status = store->backend->commit(store->self, commits, count, error);
    if (is_inline(queue)) {
        pthread_mutex_unlock(&queue->commit_lock);
    }
    docket__point_pass(DOCKET_POINT_COMMITTED, store->name);
    return status;
}

/* Fails the writes of a list whose time is up, and returns the others. Nothing of the group was applied. */
static docket__write *fail_late(docket__write *group, const docket_error *error)
{
    int64_t now = docket__clock_monotonic_ms();
    docket__write **link = &group;
    while (*link != NULL) {
        docket__write *write = *link;
        if (write->deadline_ms > now) {
            link = &write->next;
        } else {
            *link = write->next;
            fail(write, error);
        }
    }
    return group;
}

static size_t collect(docket__write *group, docket_commit **commits, int64_t *deadline_ms)
{
    size_t count = 0;
    *deadline_ms = INT64_MIN;
    for (docket__write *write = group; write != NULL; write = write->next) {
        commits[count++] = &write->commit;
        *deadline_ms = write->deadline_ms > *deadline_ms ? write->deadline_ms : *deadline_ms;
    }
    return count;
}

/* Commits a list of writes and repeats it after transient faults; writes whose time is up meanwhile leave the list.
 * `commits` has room for all of them. */
static docket_status commit_group(docket__queue *queue, docket__write **group, docket_commit **commits,
                                  docket_error *error)
{
    docket__retry retry;
    int64_t deadline_ms;
    size_t count = collect(*group, commits, &deadline_ms);
    docket_status status = DOCKET_OK;
    docket__retry_begin(&retry, queue->store, deadline_ms);
    while (count > 0) {
        status = commit_once(queue, commits, count, error);
        if (status == DOCKET_OK || !docket__retry_again(&retry, status, error)) {
            break;
        }
        *group = fail_late(*group, error);
        count = collect(*group, commits, &deadline_ms);
    }
    return status;
}

static void finish_group(docket__queue *queue, docket__write *group, docket_status status,
                         const docket_error *error)
{
    while (group != NULL) {
        docket__write *write = group;
        group = write->next; /* `done` may free the write */
        if (status == DOCKET_OK || settle(queue, write)) {
            finish(queue, write);
        } else {
            fail(write, error);
        }
    }
}

/* On the writer thread. */
static void write_group(docket__queue *queue, docket__write *group, size_t count)
{
    docket_error error = DOCKET_ERROR_INIT;
    int64_t begin_ns = real_now_ns();
    docket_status status = commit_group(queue, &group, queue->commits, &error);
    queue->group_count = count;
    queue->group_ns = real_now_ns() - begin_ns;
    finish_group(queue, group, status, &error);
}

static void run_operation(docket__write *write)
{
    queued_operation *operation = (queued_operation *)write;
    operation->run(operation->arg);
    write->done(write);
}

/* The first writes that wait, up to the bounds of a group, or one operation. With queue->lock held. */
static docket__write *take_group(docket__queue *queue, size_t *count)
{
    docket__write *group = queue->first;
    docket__write *end = group;
    size_t bytes = end->commit.record != NULL ? end->commit.record->value.size : 0;
    *count = 1;
    for (; !is_operation(group) && *count < DOCKET__GROUP_WRITES; (*count)++) {
        docket__write *next = end->next;
        if (next == NULL || is_operation(next) || bytes >= DOCKET__GROUP_BYTES) {
            break;
        }
        bytes += next->commit.record->value.size;
        end = next;
    }
    queue->first = end->next;
    queue->count -= *count;
    if (queue->first == NULL) {
        queue->last = &queue->first;
        queue->urgent = false;
    }
    end->next = NULL;
    return group;
}

/* False when the time has come; with queue->lock held. */
static bool wait_until(docket__queue *queue, int64_t end_ns)
{
    const struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000), .tv_nsec = (long)(end_ns % 1000000000)};
    return pthread_cond_timedwait(&queue->filled, &queue->lock, &end) == 0;
}

/* With queue->lock held. */
static void wait_for_writes(docket__queue *queue)
{
    if (queue->group_count > 1) {
        int64_t end_ns = real_now_ns() + queue->group_ns / 8;
        queue->wake_count = queue->group_count;
        while (queue->count < queue->group_count && !queue->stopping && wait_until(queue, end_ns)) {
        }
    }
    queue->wake_count = 1;
    while (queue->first == NULL && !queue->stopping) {
        pthread_cond_wait(&queue->filled, &queue->lock);
    }
    queue->wake_count = SIZE_MAX;
    int64_t end_ns = real_now_ns() + DOCKET__LAZY_MS * INT64_C(1000000);
    while (!queue->urgent && !queue->stopping && wait_until(queue, end_ns)) {
    }
}

static void *write_groups(void *arg)
{
    docket__queue *queue = arg;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        wait_for_writes(queue);
        if (queue->first == NULL) {
            break;
        }
        size_t count;
        docket__write *group = take_group(queue, &count);
        pthread_mutex_unlock(&queue->lock);
        if (is_operation(group)) {
            run_operation(group);
        } else {
            write_group(queue, group, count);
        }
        pthread_mutex_lock(&queue->lock);
    }
    void (*last_act)(docket_store * store) = queue->last_act;
    pthread_mutex_unlock(&queue->lock);
    if (last_act != NULL) {
        pthread_detach(pthread_self());
        last_act(queue->store);
    }
    return NULL;
}

/* With queue->lock held. Signals belong to the host's threads. */
static bool start_writer(docket__queue *queue)
{
    if (queue->started) {
        return true;
    }
    if (queue->commits == NULL) {
        queue->commits = docket__resize(NULL, DOCKET__GROUP_WRITES * sizeof *queue->commits);
        if (queue->commits == NULL) {
            return false;
        }
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    queue->started = pthread_create(&queue->writer, NULL, write_groups, queue) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return queue->started;
}

static bool push(docket__queue *queue, docket__write *write)
{
    write->next = NULL;
    pthread_mutex_lock(&queue->lock);
    bool started = start_writer(queue);
    if (started) {
        bool ends_laziness = !write->lazy && !queue->urgent;
        queue->urgent = queue->urgent || !write->lazy;
        *queue->last = write;
        queue->last = &write->next;
        queue->count++;
        if (queue->count == queue->wake_count || (ends_laziness && queue->count > 1)) {
            pthread_cond_signal(&queue->filled);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return started;
}

void docket__queue_write(docket__queue *queue, docket__write *write)
{
    if (is_inline(queue)) {
        docket_commit *commits[1];
        docket_error error = DOCKET_ERROR_INIT;
        write->next = NULL;
        docket_status status = commit_group(queue, &write, commits, &error);
        finish_group(queue, write, status, &error);
    } else if (!push(queue, write)) {
        docket_error error = DOCKET_ERROR_INIT;
        docket__error_set(&error, DOCKET_NO_MEMORY, "the store's writer thread cannot be started");
        fail(write, &error);
    }
}

void docket__queue_flush(docket__queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->first != NULL && !queue->urgent) {
        queue->urgent = true;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
}

static void wake_caller(docket__write *write)
{
    queued_operation *operation = (queued_operation *)write;
    pthread_mutex_lock(&operation->lock);
    operation->is_finished = true;
    pthread_cond_signal(&operation->finished);
    pthread_mutex_unlock(&operation->lock);
}

docket_status docket__queue_run(docket__queue *queue, docket__operation *run, void *arg, docket_error *error)
{
    if (is_inline(queue)) {
        pthread_mutex_lock(&queue->commit_lock);
        run(arg);
        pthread_mutex_unlock(&queue->commit_lock);
        return DOCKET_OK;
    }
    queued_operation operation = {.write = {.done = wake_caller}, .run = run, .arg = arg};
    if (pthread_mutex_init(&operation.lock, NULL) != 0) {
        return docket__error_no_memory(error);
    }
    if (pthread_cond_init(&operation.finished, NULL) != 0) {
        pthread_mutex_destroy(&operation.lock);
        return docket__error_no_memory(error);
    }
    bool pushed = push(queue, &operation.write);
    pthread_mutex_lock(&operation.lock);
    while (pushed && !operation.is_finished) {
        pthread_cond_wait(&operation.finished, &operation.lock);
    }
    pthread_mutex_unlock(&operation.lock);
    pthread_cond_destroy(&operation.finished);
    pthread_mutex_destroy(&operation.lock);
    return pushed ? DOCKET_OK
                  : docket__error_set(error, DOCKET_NO_MEMORY, "the store's writer thread cannot be started");
}

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0) {
        return false;
    }
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(condition, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    return made;
}

docket_status docket__queue_init(docket__queue *queue, docket_store *store)
{
    *queue = (docket__queue){.store = store};
    queue->last = &queue->first;
    queue->wake_count = SIZE_MAX;
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        return DOCKET_NO_MEMORY;
    }
    if (pthread_mutex_init(&queue->commit_lock, NULL) != 0) {
        pthread_mutex_destroy(&queue->lock);
        return DOCKET_NO_MEMORY;
    }
    if (!init_condition(&queue->filled)) {
        pthread_mutex_destroy(&queue->commit_lock);
        pthread_mutex_destroy(&queue->lock);
        return DOCKET_NO_MEMORY;
    }
    return DOCKET_OK;
}

bool docket__queue_is_writer(docket__queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool is_writer = queue->started && pthread_equal(queue->writer, pthread_self());
    pthread_mutex_unlock(&queue->lock);
    return is_writer;
}

static bool begin_stop(docket__queue *queue, void (*last_act)(docket_store *store))
{
    pthread_mutex_lock(&queue->lock);
    bool started = queue->started;
    queue->stopping = true;
    queue->last_act = last_act;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
    return started;
}

void docket__queue_stop(docket__queue *queue)
{
    if (begin_stop(queue, NULL)) {
        pthread_join(queue->writer, NULL);
    }
}

void docket__queue_stop_later(docket__queue *queue, void (*last)(docket_store *store))
{
    begin_stop(queue, last);
}

void docket__queue_destroy(docket__queue *queue)
{
    docket__free(queue->commits);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->commit_lock);
    pthread_mutex_destroy(&queue->lock);
}
