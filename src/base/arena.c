#include "base/arena.h"

#include "base/memory.h"

#include <stdio.h>

enum { FIRST_CHUNK_BYTES = 512, LARGEST_CHUNK_BYTES = 64 * 1024, ALIGNMENT = 16 };

typedef struct chunk {
    docket__arena_link link;
    _Alignas(ALIGNMENT) uint8_t data[];
} chunk;

typedef struct adoption {
    docket__arena_link link;
    void *memory;
    void (*release)(void *memory);
} adoption;

static void push_link(docket__arena_link **last, docket__arena_link *link)
{
    if (*last == NULL) {
        link->next = link;
        *last = link;
    } else {
        link->next = (*last)->next;
        (*last)->next = link;
    }
}

static docket__arena_link *pop_link(docket__arena_link **last)
{
    docket__arena_link *first = (*last)->next;
    if (first == *last) {
        *last = NULL;
    } else {
        (*last)->next = first->next;
    }
    return first;
}

/* The links of `from` come before those of `to`. */
static void join_links(docket__arena_link **to, docket__arena_link **from)
{
    if (*to == NULL) {
        *to = *from;
    } else if (*from != NULL) {
        docket__arena_link *first = (*to)->next;
        (*to)->next = (*from)->next;
        (*from)->next = first;
    }
    *from = NULL;
}

static chunk *take_chunk(docket_arena *arena, size_t bytes)
{
    chunk *taken = bytes <= SIZE_MAX - sizeof(chunk) ? docket__resize(NULL, sizeof(chunk) + bytes) : NULL;
    if (taken == NULL) {
        arena->failed = true;
        return NULL;
    }
    push_link(&arena->chunks, &taken->link);
    return taken;
}

static size_t next_chunk_bytes(const docket_arena *arena)
{
    if (arena->chunk_bytes == 0) {
        return FIRST_CHUNK_BYTES;
    }
    return arena->chunk_bytes < LARGEST_CHUNK_BYTES ? 2 * arena->chunk_bytes : LARGEST_CHUNK_BYTES;
}

static void *align_up(uint8_t *memory, size_t alignment)
{
    return memory + ((size_t)(-(uintptr_t)memory) & (alignment - 1));
}

void *docket__arena_take_slowly(docket_arena *arena, size_t size, size_t alignment)
{
    size_t slack = alignment > ALIGNMENT ? alignment : 0;
    size_t chunk_bytes = next_chunk_bytes(arena);
    bool has_own_chunk = size >= chunk_bytes || slack >= chunk_bytes - size;
    if (has_own_chunk && size > SIZE_MAX - slack) {
        arena->failed = true;
        return NULL;
    }
    chunk *taken = take_chunk(arena, has_own_chunk ? size + slack : chunk_bytes);
    if (taken == NULL) {
        return NULL;
    }
    uint8_t *memory = align_up(taken->data, alignment);
    if (!has_own_chunk) {
        arena->chunk_bytes = chunk_bytes;
        arena->next = memory + size;
        arena->room = chunk_bytes - (size_t)(arena->next - taken->data);
    }
    return memory;
}

void *docket__arena_allocate_array(docket_arena *arena, size_t count, size_t size, size_t alignment)
{
    size_t total = 0;
    if (!docket__multiply(count, size, &total)) {
        arena->failed = true;
        return NULL;
    }
    return docket__arena_allocate(arena, total, alignment);
}

void docket__arena_release(docket_arena *arena)
{
    while (arena->adopted != NULL) {
        const adoption *latest = (const adoption *)pop_link(&arena->adopted);
        latest->release(latest->memory);
    }
    while (arena->chunks != NULL) {
        docket__free(pop_link(&arena->chunks));
    }
    *arena = (docket_arena){0};
}

void *docket__arena_copy(docket_arena *arena, const void *data, size_t size)
{
    void *copy = docket__arena_take(arena, size, ALIGNMENT);
    return copy == NULL || size == 0 ? copy : memcpy(copy, data, size);
}

char *docket__arena_duplicate(docket_arena *arena, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = docket__arena_take(arena, size, 1);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

char *docket__arena_vprintf(docket_arena *arena, const char *format, va_list arguments)
{
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length < 0) {
        arena->failed = true;
        return NULL;
    }
    size_t size = (size_t)length + 1;
    char *text = docket__arena_take(arena, size, 1);
    if (text != NULL) {
        vsnprintf(text, size, format, arguments);
    }
    return text;
}

char *docket__arena_printf(docket_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = docket__arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

bool docket__arena_adopt(docket_arena *arena, void *memory, void (*release)(void *memory))
{
    adoption *adopted = docket__arena_take(arena, sizeof *adopted, _Alignof(adoption));
    if (adopted == NULL) {
        return false;
    }
    adopted->memory = memory;
    adopted->release = release;
    push_link(&arena->adopted, &adopted->link);
    return true;
}

void docket__arena_absorb(docket_arena *to, docket_arena *from)
{
    join_links(&to->chunks, &from->chunks);
    join_links(&to->adopted, &from->adopted);
    if (from->room > to->room) {
        to->next = from->next;
        to->room = from->room;
    }
    if (from->chunk_bytes > to->chunk_bytes) {
        to->chunk_bytes = from->chunk_bytes;
    }
    to->failed = to->failed || from->failed;
    *from = (docket_arena){0};
}

docket_arena *docket_arena_new(void)
{
    return docket__allocate(sizeof(docket_arena));
}

void docket_arena_free(docket_arena *arena)
{
    if (arena != NULL) {
        docket__arena_release(arena);
        docket__free(arena);
    }
}

void *docket_arena_alloc(docket_arena *arena, size_t size)
{
    return docket__arena_allocate(arena, size, ALIGNMENT);
}

void *docket_arena_copy(docket_arena *arena, const void *data, size_t size)
{
    uint8_t *copy = size < SIZE_MAX ? docket__arena_take(arena, size + 1, 1) : NULL;
    if (copy == NULL) {
        arena->failed = true;
        return NULL;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = 0;
    return copy;
}
