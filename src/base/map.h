/* Hash maps from a byte string to a pointer. Keys are borrowed: they must live as long as their entry. Open addressing
 * with linear probing, at most three quarters full; a removal closes its gap, so nothing ever needs sweeping.
 * Embeddable; zero is empty. */
#ifndef DOCKET_BASE_MAP_H
#define DOCKET_BASE_MAP_H

#include <docket/type.h>

typedef struct docket__map_entry {
    const void *key;
    size_t key_size;
    uint64_t hash;
    void *value; /* NULL = free */
} docket__map_entry;

typedef struct docket__map {
    docket__map_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} docket__map;

/* Sets the value of a key, in place of an earlier one; the key of an earlier one stays the borrowed one. The value is
 * not NULL. DOCKET_NO_MEMORY leaves the map as it was. */
DOCKET_MUST_CHECK docket_status docket__map_put(docket__map *map, const void *key, size_t key_size, void *value);

/* NULL = no such key. */
void *docket__map_get(const docket__map *map, const void *key, size_t key_size);

/* Removes a key and returns its value; NULL = no such key. */
void *docket__map_remove(docket__map *map, const void *key, size_t key_size);

/* Walks the entries in no particular order: start with *cursor = 0; NULL = no more. The map must not change
 * meanwhile. */
const docket__map_entry *docket__map_next(const docket__map *map, size_t *cursor);

/* Frees the table, not the values. The map is empty and usable again. */
void docket__map_release(docket__map *map);

#endif
