#include "base/random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Where a sandbox forbids getrandom: different in every process and every call, but guessable. */
static uint64_t make_number(void)
{
    static _Atomic(uint64_t) calls;
    uint64_t mixed =
        (uint64_t)docket__clock_monotonic_ns() ^ (uint64_t)getpid() << 40 ^ (uint64_t)(uintptr_t)&calls;
    mixed += atomic_fetch_add(&calls, 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static size_t make_bytes(uint8_t *bytes, size_t size)
{
    uint64_t number = make_number();
    size_t made = size < sizeof number ? size : sizeof number;
    memcpy(bytes, &number, made);
    return made;
}

void docket__random_bytes(void *bytes, size_t size)
{
    uint8_t *next = bytes;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        size_t filled = got > 0 ? (size_t)got : make_bytes(next, size);
        next += filled;
        size -= filled;
    }
}

uint64_t docket__random_number(void)
{
    uint64_t number = 0;
    docket__random_bytes(&number, sizeof number);
    return number;
}

uint64_t docket__random_below(uint64_t bound)
{
    if (bound == 0) {
        return 0;
    }
    /* Numbers below 2^64 mod bound would make the low results more frequent. */
    uint64_t uneven = -bound % bound;
    uint64_t number = docket__random_number();
    while (number < uneven) {
        number = docket__random_number();
    }
    return number % bound;
}
