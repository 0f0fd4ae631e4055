#include "base/map.h"

#include "base/hash.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

/* The index of the key's entry, or of the free one where it belongs. */
static size_t find_index(const docket__map *map, const void *key, size_t key_size, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    size_t index = (size_t)hash & mask;
    for (;; index = (index + 1) & mask) {
        const docket__map_entry *entry = &map->entries[index];
        if (entry->value == NULL) {
            return index;
        }
        if (entry->hash == hash && entry->key_size == key_size &&
            (key_size == 0 || memcmp(entry->key, key, key_size) == 0)) {
            return index;
        }
    }
}

static bool grow(docket__map *map)
{
    size_t capacity = map->capacity != 0 ? 2 * map->capacity : FIRST_CAPACITY;
    docket__map grown = {docket__allocate_array(capacity, sizeof *map->entries), capacity, map->count};
    if (grown.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        const docket__map_entry *entry = &map->entries[i];
        if (entry->value != NULL) {
            grown.entries[find_index(&grown, entry->key, entry->key_size, entry->hash)] = *entry;
        }
    }
    docket__free(map->entries);
    *map = grown;
    return true;
}

docket_status docket__map_put(docket__map *map, const void *key, size_t key_size, void *value)
{
    assert(value != NULL);
    if (map->count >= map->capacity / 4 * 3 && !grow(map)) {
        return DOCKET_NO_MEMORY;
    }
    uint64_t hash = docket__hash64(key, key_size);
    docket__map_entry *entry = &map->entries[find_index(map, key, key_size, hash)];
    if (entry->value != NULL) {
        entry->value = value;
    } else {
        *entry = (docket__map_entry){key, key_size, hash, value};
        map->count++;
    }
    return DOCKET_OK;
}

void *docket__map_get(const docket__map *map, const void *key, size_t key_size)
{
    if (map->count == 0) {
        return NULL;
    }
    return map->entries[find_index(map, key, key_size, docket__hash64(key, key_size))].value;
}

/* Moves later entries of the same run back over the gap, unless that would put one before its home. */
static void close_gap(docket__map *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    for (size_t index = (gap + 1) & mask; map->entries[index].value != NULL; index = (index + 1) & mask) {
        size_t home = (size_t)map->entries[index].hash & mask;
        if (((index - home) & mask) >= ((index - gap) & mask)) {
            map->entries[gap] = map->entries[index];
            gap = index;
        }
    }
    map->entries[gap] = (docket__map_entry){0};
}

void *docket__map_remove(docket__map *map, const void *key, size_t key_size)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t index = find_index(map, key, key_size, docket__hash64(key, key_size));
    void *value = map->entries[index].value;
    if (value != NULL) {
        close_gap(map, index);
        map->count--;
    }
    return value;
}

const docket__map_entry *docket__map_next(const docket__map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        const docket__map_entry *entry = &map->entries[(*cursor)++];
        if (entry->value != NULL) {
            return entry;
        }
    }
    return NULL;
}

void docket__map_release(docket__map *map)
{
    docket__free(map->entries);
    *map = (docket__map){0};
}
