#include "faults/scarce.h"

#include <docket/export.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Lives in shared memory: what is refused in a child counts too. Blocks are counted per process. */
typedef struct scarce_state {
    atomic_bool armed;
    atomic_bool refused;
    atomic_size_t requests;
    atomic_size_t first, last; /* requests from first to last are refused */
} scarce_state;

static scarce_state *state;
static atomic_size_t live;

static bool is_refused(void)
{
    if (!atomic_load(&state->armed)) {
        return false;
    }
    size_t request = atomic_fetch_add(&state->requests, 1) + 1;
    bool refused = request >= atomic_load(&state->first) && request <= atomic_load(&state->last);
    if (refused) {
        atomic_store(&state->refused, true);
    }
    return refused;
}

static void *resize(void *arg, void *memory, size_t size)
{
    (void)arg;
    void *made = is_refused() ? NULL : realloc(memory, size);
    if (made != NULL && memory == NULL) {
        atomic_fetch_add(&live, 1);
    }
    return made;
}

static void release(void *arg, void *memory)
{
    (void)arg;
    atomic_fetch_sub(&live, 1);
    free(memory);
}

void scarce_install(void)
{
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) {
        abort();
    }
    docket_set_allocator(&(docket_allocator){resize, release, NULL});
}

void scarce_begin(scarcity how, size_t n)
{
    atomic_store(&state->requests, 0);
    atomic_store(&state->refused, false);
    atomic_store(&state->first, n);
    atomic_store(&state->last, how == SCARCE_ONCE ? n : SIZE_MAX);
    atomic_store(&state->armed, true);
}

bool scarce_end(void)
{
    atomic_store(&state->armed, false);
    return atomic_load(&state->refused);
}

size_t scarce_live(void)
{
    return atomic_load(&live);
}
