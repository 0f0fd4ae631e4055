/* The table behind the memory store: entries by key, by order of recording, and by time of expiry. No lock: the store's
 * protects it. */
#ifndef DOCKET_STORE_MEMORY_TABLE_H
#define DOCKET_STORE_MEMORY_TABLE_H

#include "base/map.h"

#include <docket/backend.h>
#include <stdatomic.h>

/* A record that look-ups copy outside the lock: it never changes, and goes with its last holder. */
typedef struct docket__shared_record {
    atomic_size_t holders;
    docket_record *record;
    docket_error *failure; /* of a failure entry, else NULL */
} docket__shared_record;

/* Takes copies. NULL when memory is exhausted. */
docket__shared_record *docket__shared_record_new(const docket_record *record, const docket_error *failure);
docket__shared_record *docket__shared_record_ref(docket__shared_record *shared);
void docket__shared_record_unref(docket__shared_record *shared);

typedef struct docket__entry {
    docket_key key;
    int64_t position;
    int64_t expires_ms; /* 0 = never */
    size_t heap_index;  /* among the entries that expire */
    bool has_slot;      /* it is the outcome of an effect */
    uint8_t slot[16];
    docket__shared_record *shared;
} docket__entry;

/* A place in the order of recording; `entry` is NULL once it is gone. */
typedef struct docket__place {
    int64_t position;
    docket__entry *entry;
} docket__place;

typedef struct docket__table {
    docket__map by_key;
    docket__map by_slot;  /* outcomes of effects; keys are borrowed from the entries */
    docket__place *order; /* by rising position */
    size_t order_count, order_capacity;
    docket__entry **heap; /* the first one expires first */
    size_t heap_count, heap_capacity;
    int64_t last_position;
} docket__table;

docket__entry *docket__table_find(const docket__table *table, const docket_key *key);

/* Adds an entry, in place of one with the same key, and takes over the caller's hold on `shared`. On DOCKET_NO_MEMORY
 * nothing changed and the hold is still the caller's. */
docket_status docket__table_put(docket__table *table, const docket_key *key, int64_t expires_ms,
                                docket__shared_record *shared);

void docket__table_remove(docket__table *table, docket__entry *entry);

/* Says which slot an entry holds, which no other one holds. DOCKET_NO_MEMORY: it does not. */
docket_status docket__table_hold_slot(docket__table *table, docket__entry *entry, const uint8_t slot[16]);

/* The entry that expires first; NULL if none ever does. */
docket__entry *docket__table_next_to_expire(const docket__table *table);

/* The index in `order` of the first place beyond a position. */
size_t docket__table_seek(const docket__table *table, int64_t position);

void docket__table_release(docket__table *table);

#endif
