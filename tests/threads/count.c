#include "threads/count.h"
#include "support/folder.h"

#include <docket/export.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_size_t blocks;
static atomic_size_t bytes;

static void *resize(void *arg, void *memory, size_t size)
{
    (void)arg;
    size_t before = memory == NULL ? 0 : malloc_usable_size(memory);
    void *made = realloc(memory, size);
    if (made != NULL) {
        atomic_fetch_add(&blocks, memory == NULL);
        atomic_fetch_add(&bytes, malloc_usable_size(made) - before);
    }
    return made;
}

static void release(void *arg, void *memory)
{
    (void)arg;
    atomic_fetch_sub(&blocks, 1);
    atomic_fetch_sub(&bytes, malloc_usable_size(memory));
    free(memory);
}

void count_install(void)
{
    docket_set_allocator(&(docket_allocator){resize, release, NULL});
}

size_t count_blocks(void)
{
    return atomic_load(&blocks);
}

size_t count_bytes(void)
{
    return atomic_load(&bytes);
}

int count_descriptors(void)
{
    return folder_entry_count("/proc/self/fd");
}

int count_threads(void)
{
    return folder_entry_count("/proc/self/task");
}

long count_resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int count_expect(size_t expected_blocks, int descriptors, int threads)
{
    enum { PAUSE_US = 1000, MOST_PAUSES = 20000 };
    for (int i = 0; i < MOST_PAUSES; i++) {
        if (count_blocks() == expected_blocks && count_descriptors() == descriptors && count_threads() == threads) {
            return 1;
        }
        usleep(PAUSE_US);
    }
    fprintf(stderr, "left over: %zd blocks, %d descriptors, %d threads\n",
            (ssize_t)(count_blocks() - expected_blocks), count_descriptors() - descriptors,
            count_threads() - threads);
    return 0;
}
