/* Arenas: memory that is taken piece by piece and freed all at once.
 *
 * An arena is embeddable and zero is empty; it takes nothing from the heap before the first request. Chunks grow from
 * 512 bytes by doubling to 64 KiB; a request larger than a chunk gets one of its own. Whoever holds the arena may use
 * it from one thread at a time; there is no lock.
 *
 * A failed request sets `failed`, and the flag stays: a step may build strings without checking each one, the engine
 * looks at the flag afterwards.
 */
#ifndef DOCKET_BASE_ARENA_H
#define DOCKET_BASE_ARENA_H

#include <docket/type.h>
#include <stdarg.h>
#include <string.h>

/* A link of a circular list; the holder points to the last link, so that two lists join by swapping two pointers. */
typedef struct docket__arena_link {
    struct docket__arena_link *next;
} docket__arena_link;

struct docket_arena {
    uint8_t *next;      /* first unused byte of the current chunk */
    size_t room;        /* unused bytes from there */
    size_t chunk_bytes; /* size of the latest ordinary chunk; 0 = none yet */
    docket__arena_link *chunks;
    docket__arena_link *adopted; /* foreign memory; its links live in the chunks */
    bool failed;
};

/* What docket__arena_take does when the current chunk has no room. */
void *docket__arena_take_slowly(docket_arena *arena, size_t size, size_t alignment);

/* Memory with any content, for callers that overwrite all of it. `alignment` is a power of two. NULL when memory is
 * exhausted; a size of 0 gives a pointer that is not NULL. */
static inline void *docket__arena_take(docket_arena *arena, size_t size, size_t alignment)
{
    size_t padding = (size_t)(-(uintptr_t)arena->next) & (alignment - 1);
    if (size >= arena->room || padding >= arena->room - size) {
        return docket__arena_take_slowly(arena, size, alignment);
    }
    uint8_t *memory = arena->next + padding;
    arena->next = memory + size;
    arena->room -= padding + size;
    return memory;
}

/* Zeroed memory. */
static inline void *docket__arena_allocate(docket_arena *arena, size_t size, size_t alignment)
{
    void *memory = docket__arena_take(arena, size, alignment);
    return memory == NULL ? NULL : memset(memory, 0, size);
}

/* Zeroed memory for `count` elements; an overflow of the product is a failed request. */
void *docket__arena_allocate_array(docket_arena *arena, size_t count, size_t size, size_t alignment);

/* Frees all chunks and adopted memory, the latest adopted first. The arena is empty and usable again. */
void docket__arena_release(docket_arena *arena);

/* A copy of a text; NULL gives NULL. */
char *docket__arena_duplicate(docket_arena *arena, const char *text);

/* A copy of bytes, aligned for any type. */
void *docket__arena_copy(docket_arena *arena, const void *data, size_t size);

/* A formatted text. NULL when memory is exhausted or the format cannot be carried out. */
char *docket__arena_printf(docket_arena *arena, const char *format, ...) DOCKET_PRINTF(2, 3);
char *docket__arena_vprintf(docket_arena *arena, const char *format, va_list arguments) DOCKET_PRINTF(2, 0);

/* Ties foreign memory to the arena: `release(memory)` runs when the arena is released. False when memory is exhausted:
 * then nothing was tied and the caller still owns it. */
bool docket__arena_adopt(docket_arena *arena, void *memory, void (*release)(void *memory));

/* Moves everything that `from` holds into `to`, in constant time: pointers into it stay valid as long as `to` lives.
 * `from` is empty afterwards; its failure, if any, becomes that of `to`. */
void docket__arena_absorb(docket_arena *to, docket_arena *from);

#endif
