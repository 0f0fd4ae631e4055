#include "store/memory/table.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/record.h"

#include <string.h>

docket__shared_record *docket__shared_record_new(const docket_record *record, const docket_error *failure)
{
    docket__shared_record *shared = docket__allocate(sizeof *shared);
    if (shared == NULL) {
        return NULL;
    }
    atomic_init(&shared->holders, 1);
    shared->record = docket_record_copy(record);
    if (failure != NULL) {
        shared->failure = docket__allocate(sizeof *failure);
        docket__error_copy(shared->failure, failure);
    }
    if (shared->record == NULL || (failure != NULL && shared->failure == NULL)) {
        docket__shared_record_unref(shared);
        return NULL;
    }
    return shared;
}

docket__shared_record *docket__shared_record_ref(docket__shared_record *shared)
{
    atomic_fetch_add_explicit(&shared->holders, 1, memory_order_relaxed);
    return shared;
}

void docket__shared_record_unref(docket__shared_record *shared)
{
    if (shared == NULL || atomic_fetch_sub_explicit(&shared->holders, 1, memory_order_acq_rel) != 1) {
        return;
    }
    docket_record_free(shared->record);
    docket__free(shared->failure);
    docket__free(shared);
}

/* ---- The heap of entries that expire ---- */

static void heap_set(docket__table *table, size_t index, docket__entry *entry)
{
    table->heap[index] = entry;
    entry->heap_index = index;
}

static void sift_up(docket__table *table, size_t index)
{
    docket__entry *entry = table->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (table->heap[parent]->expires_ms <= entry->expires_ms) {
            break;
        }
        heap_set(table, index, table->heap[parent]);
        index = parent;
    }
    heap_set(table, index, entry);
}

static void sift_down(docket__table *table, size_t index)
{
    docket__entry *entry = table->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= table->heap_count) {
            break;
        }
        if (child + 1 < table->heap_count && table->heap[child + 1]->expires_ms < table->heap[child]->expires_ms) {
            child++;
        }
        if (entry->expires_ms <= table->heap[child]->expires_ms) {
            break;
        }
        heap_set(table, index, table->heap[child]);
        index = child;
    }
    heap_set(table, index, entry);
}

static void heap_remove(docket__table *table, docket__entry *entry)
{
    size_t index = entry->heap_index;
    docket__entry *last = table->heap[--table->heap_count];
    if (last != entry) {
        heap_set(table, index, last);
        sift_up(table, index);
        sift_down(table, last->heap_index);
    }
}

/* ---- Room ---- */

static bool grow(void **array, size_t *capacity, size_t needed, size_t element)
{
    size_t wanted = *capacity < 32 ? 32 : *capacity;
    size_t bytes;
    while (wanted < needed) {
        wanted *= 2;
    }
    if (wanted == *capacity) {
        return true;
    }
    if (!docket__multiply(wanted, element, &bytes)) {
        return false;
    }
    void *larger = docket__resize(*array, bytes);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *capacity = wanted;
    return true;
}

/* Closes the gaps once they are more than half, so that the order does not grow with what is long gone. */
static void close_gaps(docket__table *table)
{
    size_t kept = 0;
    if (table->order_count < 64 || table->order_count < 2 * table->by_key.count) {
        return;
    }
    for (size_t i = 0; i < table->order_count; i++) {
        if (table->order[i].entry != NULL) {
            table->order[kept++] = table->order[i];
        }
    }
    table->order_count = kept;
}

static bool make_room(docket__table *table)
{
    void *order = table->order;
    void *heap = table->heap;
    close_gaps(table);
    bool made = grow(&order, &table->order_capacity, table->order_count + 1, sizeof *table->order);
    table->order = order;
    made = made && grow(&heap, &table->heap_capacity, table->heap_count + 1, sizeof(docket__entry *));
    table->heap = heap;
    return made;
}

/* ---- The table ---- */

docket__entry *docket__table_find(const docket__table *table, const docket_key *key)
{
    return docket__map_get(&table->by_key, key->bytes, sizeof key->bytes);
}

/* An entry whose key is out of the map already. */
static void discard(docket__table *table, docket__entry *entry)
{
    table->order[docket__table_seek(table, entry->position - 1)].entry = NULL;
    if (entry->expires_ms != 0) {
        heap_remove(table, entry);
    }
    if (entry->has_slot) {
        docket__map_remove(&table->by_slot, entry->slot, sizeof entry->slot);
    }
    docket__shared_record_unref(entry->shared);
    docket__free(entry);
}

docket_status docket__table_put(docket__table *table, const docket_key *key, int64_t expires_ms,
                                docket__shared_record *shared)
{
    docket__entry *entry = docket__allocate(sizeof *entry);
    if (entry == NULL || !make_room(table)) {
        docket__free(entry);
        return DOCKET_NO_MEMORY;
    }
    docket__entry *before = docket__table_find(table, key);
    if (before != NULL) {
        /* The map borrows its key from the entry that goes; the room for the new one is there already. */
        docket__map_remove(&table->by_key, before->key.bytes, sizeof before->key.bytes);
    }
    entry->key = *key;
    entry->expires_ms = expires_ms;
    entry->shared = shared;
    if (docket__map_put(&table->by_key, entry->key.bytes, sizeof entry->key.bytes, entry) != DOCKET_OK) {
        docket__free(entry);
        return DOCKET_NO_MEMORY; /* only when the key was new: a place that was just freed is still there */
    }
    if (before != NULL) {
        discard(table, before);
    }
    entry->position = ++table->last_position;
    table->order[table->order_count++] = (docket__place){entry->position, entry};
    if (expires_ms != 0) {
        table->heap[table->heap_count++] = entry;
        sift_up(table, table->heap_count - 1);
    }
    return DOCKET_OK;
}

void docket__table_remove(docket__table *table, docket__entry *entry)
{
    docket__map_remove(&table->by_key, entry->key.bytes, sizeof entry->key.bytes);
    discard(table, entry);
}

docket_status docket__table_hold_slot(docket__table *table, docket__entry *entry, const uint8_t slot[16])
{
    memcpy(entry->slot, slot, sizeof entry->slot);
    docket_status status = docket__map_put(&table->by_slot, entry->slot, sizeof entry->slot, entry);
    entry->has_slot = status == DOCKET_OK;
    return status;
}

docket__entry *docket__table_next_to_expire(const docket__table *table)
{
    return table->heap_count > 0 ? table->heap[0] : NULL;
}

size_t docket__table_seek(const docket__table *table, int64_t position)
{
    size_t low = 0;
    size_t high = table->order_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->order[middle].position <= position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void docket__table_release(docket__table *table)
{
    size_t cursor = 0;
    for (const docket__map_entry *slot; (slot = docket__map_next(&table->by_key, &cursor)) != NULL;) {
        docket__entry *entry = slot->value;
        docket__shared_record_unref(entry->shared);
        docket__free(entry);
    }
    docket__map_release(&table->by_key);
    docket__map_release(&table->by_slot);
    docket__free(table->order);
    docket__free(table->heap);
    *table = (docket__table){.order = NULL};
}
