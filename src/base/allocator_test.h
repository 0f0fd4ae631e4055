/* For tests: an allocator that counts what is taken, remembers the largest request, and fails at one chosen request. */
#ifndef DOCKET_BASE_ALLOCATOR_TEST_H
#define DOCKET_BASE_ALLOCATOR_TEST_H

#include <docket/export.h>
#include <stdlib.h>

typedef struct test_allocator {
    size_t requests;
    size_t fail_at; /* the number of the request that fails, from 1; 0 = none */
    size_t largest;
    size_t live; /* blocks not yet released */
} test_allocator;

static void *test_allocator_resize(void *arg, void *memory, size_t size)
{
    test_allocator *self = arg;
    bool is_impossible = size > SIZE_MAX / 8; /* where AddressSanitizer would abort */
    if (++self->requests == self->fail_at || is_impossible) {
        return NULL;
    }
    if (size > self->largest) {
        self->largest = size;
    }
    self->live += memory == NULL;
    return realloc(memory, size);
}

static void test_allocator_release(void *arg, void *memory)
{
    test_allocator *self = arg;
    self->live--;
    free(memory);
}

/* From here on docket allocates through `self`; what was taken before must not be resized or released meanwhile. */
static inline void test_allocator_begin(test_allocator *self, size_t fail_at)
{
    *self = (test_allocator){.fail_at = fail_at};
    docket_set_allocator(&(docket_allocator){test_allocator_resize, test_allocator_release, self});
}

static inline void test_allocator_end(void)
{
    docket_set_allocator(NULL);
}

#endif
