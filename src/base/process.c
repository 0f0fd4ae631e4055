#include "base/process.h"

#include <pthread.h>

_Atomic(uint64_t) docket__fork_count;

static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add(&docket__fork_count, 1);
}

static void register_handler(void)
{
    pthread_atfork(NULL, NULL, count_fork);
    atomic_store(&docket__fork_count, 1);
}

uint64_t docket__fork_register(void)
{
    pthread_once(&registered, register_handler);
    return atomic_load(&docket__fork_count);
}
