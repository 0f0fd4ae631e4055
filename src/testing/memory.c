/* An allocator over malloc, which counts what docket asks for and refuses what the test says. */
#include "testing/inside.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Shared with children: what is refused there counts too. Blocks are counted per process. */
typedef struct refusals {
    atomic_bool refused;
    atomic_uint_fast64_t requests, largest; /* since docket_test_memory_start or _refuse */
    atomic_uint_fast64_t first, last;       /* requests that are refused; from 1 */
} refusals;

static refusals *shared;
static atomic_int_fast64_t live;

static bool is_refused(size_t size)
{
    uint64_t request = atomic_fetch_add(&shared->requests, 1) + 1;
    bool refused = (request >= atomic_load(&shared->first) && request <= atomic_load(&shared->last)) ||
                   size > SIZE_MAX / 8; /* no system has so much, and AddressSanitizer would abort */
    if (refused) {
        atomic_store(&shared->refused, true);
    }
    return refused;
}

static void note_size(size_t size)
{
    uint_fast64_t largest = atomic_load_explicit(&shared->largest, memory_order_relaxed);
    while (size > largest && !atomic_compare_exchange_weak(&shared->largest, &largest, size)) {
    }
}

static void *resize(void *arg, void *memory, size_t size)
{
    (void)arg;
    if (is_refused(size)) {
        return NULL;
    }
    note_size(size);
    void *made = realloc(memory, size);
    if (made != NULL && memory == NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return made;
}

static void release(void *arg, void *memory)
{
    (void)arg;
    atomic_fetch_sub_explicit(&live, memory != NULL, memory_order_relaxed);
    free(memory);
}

static void count_anew(uint64_t first, uint64_t last)
{
    atomic_store(&shared->last, 0);
    atomic_store(&shared->requests, 0);
    atomic_store(&shared->largest, 0);
    atomic_store(&shared->refused, false);
    atomic_store(&shared->first, first);
    atomic_store(&shared->last, last);
}

void docket_test_memory_start(void)
{
    if (shared == NULL) {
        shared = docket__test_share(sizeof *shared);
    }
    count_anew(1, 0);
    atomic_store(&live, 0);
    docket_set_allocator(&(docket_allocator){resize, release, NULL});
}

void docket_test_memory_refuse(docket_test_refusal how, uint64_t number)
{
    if (shared != NULL) {
        count_anew(number > 0 ? number : 1, number == 0 ? 0 : how == DOCKET_TEST_REFUSE_REST ? UINT64_MAX : number);
    }
}

bool docket_test_memory_permit(void)
{
    if (shared == NULL) {
        return false;
    }
    atomic_store(&shared->last, 0);
    return atomic_load(&shared->refused);
}

docket_test_memory docket_test_memory_read(void)
{
    docket_test_memory read = {0, 0, 0};
    if (shared != NULL) {
        read.requests = atomic_load(&shared->requests);
        read.largest_bytes = atomic_load(&shared->largest);
        read.live = atomic_load(&live);
    }
    return read;
}

void docket_test_memory_stop(void)
{
    docket_set_allocator(NULL);
}
