/* Memory of the whole library: every byte docket takes passes here, so that a program can put its own allocator
 * underneath (docket_set_allocator) and a test can make any single allocation fail. */
#ifndef DOCKET_BASE_MEMORY_H
#define DOCKET_BASE_MEMORY_H

#include <docket/export.h>

/* Zeroed memory, aligned for any type. NULL when memory is exhausted; a size of 0 gives a unique pointer. */
void *docket__allocate(size_t size);

/* Zeroed memory for `count` elements of `size` bytes; NULL also when the product does not fit into size_t. */
void *docket__allocate_array(size_t count, size_t size);

/* Like realloc: NULL memory allocates, new bytes are not zeroed, on failure the old memory stays as it was. */
void *docket__resize(void *memory, size_t size);

/* NULL is accepted. */
void docket__free(void *memory);

/* A copy of a text, free with docket__free. NULL gives NULL. */
char *docket__duplicate(const char *text);

/* True and *product set when count × size fits into size_t. */
static inline bool docket__multiply(size_t count, size_t size, size_t *product)
{
    return !__builtin_mul_overflow(count, size, product);
}

#endif
