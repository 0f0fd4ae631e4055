/* Listing, reading and removing checkpoints. Entries are fetched in pages and handed to the program between them, so
 * that no lock and no read transaction outlasts a page; removals go through the queue in batches, so that the commits
 * of running steps come in between. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "store/handle.h"
#include "store/record.h"
#include "store/sqlite/sqlite.h"

enum { FIRST_PAGE = 128, LARGEST_PAGE = 10000, REMOVAL_BATCH = 1000 };

static docket_status read_filter(docket_checkpoint_filter *read, const docket_checkpoint_filter *given,
                                 docket_error *error)
{
    docket_status status = docket__options_read(read, sizeof *read, given, "DOCKET_CHECKPOINT_FILTER_INIT", error);
    if (status == DOCKET_OK && read->older_than_ms < 0) {
        status = docket__error_set(error, DOCKET_INVALID, "older_than_ms is %lld; it must not be negative",
                                   (long long)read->older_than_ms);
    }
    return status;
}

/* A page of entries that grows: short lists stay cheap. */
typedef struct entry_page {
    docket_checkpoint *entries;
    size_t capacity, count;
    docket_arena texts;
} entry_page;

static docket_status fetch_page(docket_store *store, const docket_checkpoint_filter *filter, int64_t *position,
                                entry_page *page, docket_error *error)
{
    docket__retry retry;
    docket_status status;
    docket__retry_begin(&retry, store, INT64_MAX);
    do {
        int64_t begin = *position;
        docket__arena_release(&page->texts);
        page->count = 0;
        status = store->backend->list(store->self, filter, position, page->entries, page->capacity, &page->count,
                                      &page->texts, error);
        if (status != DOCKET_OK) {
            *position = begin;
        }
    } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
    return status;
}

static docket_status grow_page(entry_page *page, size_t capacity, docket_error *error)
{
    if (capacity > page->capacity) {
        docket_checkpoint *entries = docket__allocate_array(capacity, sizeof *entries);
        if (entries == NULL) {
            return docket__error_no_memory(error);
        }
        docket__free(page->entries);
        page->entries = entries;
        page->capacity = capacity;
    }
    return DOCKET_OK;
}

docket_status docket_checkpoint_list(docket_store *store, const docket_checkpoint_filter *filter,
                                     bool (*each)(void *arg, const docket_checkpoint *), void *arg,
                                     docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_checkpoint_filter read;
    entry_page page = {.capacity = 0};
    int64_t position = 0;
    bool more = true;
    error = error != NULL ? error : &own;
    docket_status status = docket__store_check(store, error);
    if (status == DOCKET_OK) {
        status = read_filter(&read, filter, error);
    }
    if (status == DOCKET_OK && each == NULL) {
        status = docket__error_set(error, DOCKET_INVALID, "docket_checkpoint_list: each is NULL");
    }
    for (size_t capacity = FIRST_PAGE; status == DOCKET_OK && more; capacity *= 4) {
        status = grow_page(&page, capacity < LARGEST_PAGE ? capacity : LARGEST_PAGE, error);
        if (status == DOCKET_OK) {
            status = fetch_page(store, &read, &position, &page, error);
        }
        more = page.count == page.capacity;
        for (size_t i = 0; status == DOCKET_OK && i < page.count; i++) {
            page.entries[i].struct_size = sizeof page.entries[i];
            if (!each(arg, &page.entries[i])) {
                more = false;
                break;
            }
        }
        if (capacity > LARGEST_PAGE) {
            capacity = LARGEST_PAGE;
        }
    }
    docket__arena_release(&page.texts);
    docket__free(page.entries);
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    return status;
}

docket_status docket__store_read(docket_store *store, const uint8_t key[32], docket_record **record,
                                 docket_error *error)
{
    docket_found found = DOCKET_FOUND_NOTHING;
    docket_address address = {.scope = DOCKET_SCOPE_NONE};
    *record = NULL;
    memcpy(address.key.bytes, key, sizeof address.key.bytes);
    docket_status status = docket__store_lookup(store, &address, INT64_MAX, &found, record, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (found != DOCKET_FOUND_RECORD) {
        return docket__error_set(error, DOCKET_MISSING, "there is no %srecord of this key",
                                 found == DOCKET_FOUND_EXPIRED ? "unexpired " : "");
    }
    const docket_record *read = *record;
    status = docket__record_verify(read, error);
    if (status == DOCKET_OK && read->kind == DOCKET_CHECKPOINT_ABSENT) {
        status = docket__error_set(error, DOCKET_ABSENT, "recorded as absent: %.*s",
                                   (int)(read->value.size < 512 ? read->value.size : 512),
                                   read->value.size > 0 ? (const char *)read->value.data : "");
    }
    if (status != DOCKET_OK) {
        docket_record_free(*record);
        *record = NULL;
    }
    return status;
}

docket_status docket_checkpoint_read(docket_store *store, const uint8_t key[32], docket_buffer *out,
                                     docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_record *record = NULL;
    error = error != NULL ? error : &own;
    if (key == NULL || out == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_checkpoint_read: %s is NULL",
                                 key == NULL ? "key" : "out");
    }
    docket_status status = docket__store_read(store, key, &record, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__buffer_append(out, record->value.data, record->value.size);
    if (status != DOCKET_OK) {
        docket__error_no_memory(error);
    } else {
        docket__error_clear(error);
    }
    docket_record_free(record);
    return status;
}

/* One batch of a removal on its way through the queue. */
typedef struct removal_batch {
    docket_store *store;
    const docket_checkpoint_filter *filter; /* NULL = purge */
    int64_t position;
    uint64_t count;
    docket_status status;
    docket_error *error;
} removal_batch;

static void remove_batch(void *arg)
{
    removal_batch *batch = arg;
    const docket_backend *backend = batch->store->backend;
    batch->count = 0;
    if (batch->filter != NULL) {
        batch->status = backend->forget(batch->store->self, batch->filter, &batch->position, REMOVAL_BATCH,
                                        &batch->count, batch->error);
    } else {
        batch->status = backend->purge(batch->store->self, REMOVAL_BATCH, &batch->count, batch->error);
        batch->position = batch->count < REMOVAL_BATCH ? INT64_MAX : 0;
    }
}

static docket_status remove_all(docket_store *store, const docket_checkpoint_filter *filter, uint64_t *count,
                                docket_error *error)
{
    removal_batch batch = {.store = store, .filter = filter, .error = error};
    docket_status status;
    do {
        docket__retry retry;
        docket__retry_begin(&retry, store, INT64_MAX);
        do {
            status = docket__queue_run(&store->queue, remove_batch, &batch, error);
            status = status == DOCKET_OK ? batch.status : status;
        } while (status != DOCKET_OK && docket__retry_again(&retry, status, error));
        if (status == DOCKET_OK) {
            *count += batch.count;
        }
    } while (status == DOCKET_OK && batch.position != INT64_MAX);
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    return status;
}

docket_status docket_checkpoint_forget(docket_store *store, const docket_checkpoint_filter *filter, uint64_t *count,
                                       docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_checkpoint_filter read;
    uint64_t ignored;
    error = error != NULL ? error : &own;
    count = count != NULL ? count : &ignored;
    *count = 0;
    docket_status status = docket__store_check_writable(store, error);
    if (status == DOCKET_OK) {
        status = read_filter(&read, filter, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    if (read.execution_id == NULL && read.step == NULL && read.key == NULL && read.older_than_ms == 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "the filter restricts nothing: set execution_id, step, key or older_than_ms");
    }
    read.failures = true;
    read.expired = true;
    return remove_all(store, &read, count, error);
}

docket_status docket_store_purge(docket_store *store, uint64_t *count, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    uint64_t ignored;
    error = error != NULL ? error : &own;
    count = count != NULL ? count : &ignored;
    *count = 0;
    docket_status status = docket__store_check_writable(store, error);
    if (status == DOCKET_OK) {
        status = remove_all(store, NULL, count, error);
    }
    return status == DOCKET_OK && store->depot != NULL ? docket__sqlite_sweep(store->self, error) : status;
}
