#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *resize_with_libc(void *arg, void *memory, size_t size)
{
    (void)arg;
    return realloc(memory, size);
}

static void release_with_libc(void *arg, void *memory)
{
    (void)arg;
    free(memory);
}

static const docket_allocator libc_allocator = {resize_with_libc, release_with_libc, NULL};
static docket_allocator allocator = {resize_with_libc, release_with_libc, NULL};

void docket_set_allocator(const docket_allocator *replacement)
{
    allocator = replacement != NULL ? *replacement : libc_allocator;
}

void *docket__resize(void *memory, size_t size)
{
    return allocator.resize(allocator.arg, memory, size > 0 ? size : 1);
}

void *docket__allocate(size_t size)
{
    void *memory = docket__resize(NULL, size);
    return memory == NULL ? NULL : memset(memory, 0, size);
}

void *docket__allocate_array(size_t count, size_t size)
{
    size_t total = 0;
    return docket__multiply(count, size, &total) ? docket__allocate(total) : NULL;
}

void docket__free(void *memory)
{
    if (memory != NULL) {
        allocator.release(allocator.arg, memory);
    }
}

void docket_free(void *memory)
{
    docket__free(memory);
}

char *docket__duplicate(const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = docket__resize(NULL, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}
