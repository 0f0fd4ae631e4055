/* Counts what docket holds: blocks and bytes of memory through its allocator, and what the kernel knows of the process. */
#ifndef DOCKET_TESTS_COUNT_H
#define DOCKET_TESTS_COUNT_H

#include <stddef.h>

/* Before any other docket function. */
void count_install(void);

size_t count_blocks(void);
size_t count_bytes(void);

/* Open descriptors and threads of this process; its resident memory. */
int count_descriptors(void);
int count_threads(void);
long count_resident_kib(void);

/* Waits until blocks, descriptors and threads are back at these numbers: threads that were sent home need a moment.
 * Returns whether they are; else tells on stderr what is left over. */
int count_expect(size_t blocks, int descriptors, int threads);

/* How the program was built: sanitizers are slow, keep freed memory, and have threads of their own. */
enum {
#if defined(__SANITIZE_ADDRESS__)
    COUNT_SANITIZED = 1,
    COUNT_SLOW = 4
#elif defined(__SANITIZE_THREAD__)
    COUNT_SANITIZED = 1,
    COUNT_SLOW = 16
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    COUNT_SANITIZED = 1,
    COUNT_SLOW = 4
#elif __has_feature(thread_sanitizer)
    COUNT_SANITIZED = 1,
    COUNT_SLOW = 16
#else
    COUNT_SANITIZED = 0,
    COUNT_SLOW = 1
#endif
#else
    COUNT_SANITIZED = 0,
    COUNT_SLOW = 1
#endif
};

#endif
