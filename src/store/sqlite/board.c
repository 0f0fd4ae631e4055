#include "store/sqlite/board.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    FORMAT = 1,
    STRIPES = 128,
    PER_STRIPE = 128,
    EDGES = 4096,
    BOOT_ID = 36,
    PROBE_MS = 50,   /* how often the owners of awaited keys are looked at */
    SPINS = 100,     /* tries for a stripe's lock before its holder is looked at */
    PATIENCE_MS = 20 /* for a stripe's lock whose holder lives but does not run */
};

static const uint64_t magic = UINT64_C(0x646274656b636f64); /* "docketbd" where the first byte is the lowest */

/* States of an entry. */
enum { FREE = 0, HELD = 1 };

typedef struct entry {
    uint8_t key[32];
    _Atomic(uint64_t) owner;
    _Atomic(uint64_t) dead;    /* an owner that died inside the step, and is not counted yet */
    _Atomic(uint32_t) state;   /* written last */
    _Atomic(uint32_t) waited;  /* somebody is to be stirred when it is given back */
    _Atomic(uint32_t) entered; /* the owner is inside the step */
    uint32_t reserved;
} entry;
_Static_assert(sizeof(entry) == 64, "part of the layout");

typedef struct stripe {
    _Atomic(uint64_t) holder; /* of the stripe's lock; 0 = nobody */
    _Atomic(uint64_t) releases;
    _Atomic(uint32_t) crowded; /* somebody waits for a free entry */
    uint8_t reserved[44];
} stripe;
_Static_assert(sizeof(stripe) == 64, "part of the layout");

typedef struct head {
    _Atomic(uint64_t) magic; /* written last; 0 = the board is not made */
    uint32_t format, seats, stripes, per_stripe;
    char boot_id[BOOT_ID];
    uint8_t reserved[4096 - 8 - 16 - BOOT_ID];
} head;
_Static_assert(sizeof(head) == 4096, "part of the layout");

/* What of a seat tells that its handle waits: one bit per stripe in which something was given back. */
typedef struct waiting {
    _Atomic(uint32_t) waits;
    uint32_t reserved;
    _Atomic(uint64_t) stripes[STRIPES / 64];
    uint8_t more[64 - 8 - STRIPES / 8];
} waiting;
_Static_assert(sizeof(waiting) == 64, "part of the layout");

/* "Who holds this key waits for that one", by the first half of each: see docket__board_wait. */
typedef struct edge {
    _Atomic(uint64_t) owner; /* written last; 0 = free */
    uint8_t held[16], wanted[16];
    uint8_t reserved[24];
} edge;
_Static_assert(sizeof(edge) == 64, "part of the layout");

struct docket__board_map {
    head head;
    docket__seat seats[DOCKET__SEATS];
    waiting waiting[DOCKET__SEATS];
    stripe stripes[STRIPES];
    entry entries[STRIPES][PER_STRIPE];
    stripe edges_lock;
    edge edges[EDGES];
};

typedef struct docket__board_map board_map;

/* ---- Making the board ---- */

static bool read_boot_id(char boot_id[BOOT_ID])
{
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, boot_id, BOOT_ID);
    if (file >= 0) {
        close(file);
    }
    return got == BOOT_ID;
}

static docket_status fail(const docket__board *board, const char *what, int code, docket_error *error)
{
    char reason[128];
    docket__error_set(error, DOCKET_STORE, "%s: %s: %s", board->side->path, what,
                      code == ENOSPC ? "no space left on the disk" : strerror_r(code, reason, sizeof reason));
    error->code = code;
    error->transient = code == ENOSPC || code == ENOMEM;
    return DOCKET_STORE;
}

/* Whoever opens the board looks at it under a lock of its own. A board of another boot has no live owner; one that was
 * never finished has none either. */
static docket_status prepare(docket__board *board, docket_error *error)
{
    head *top = &board->map->head;
    char boot_id[BOOT_ID] = {0};
    read_boot_id(boot_id);
    uint64_t found = atomic_load(&top->magic);
    if (found != 0 && found != magic) {
        return docket__error_set(error, DOCKET_STORE,
                                 "%s is no side file of docket: remove it while no program has the store open",
                                 board->side->path);
    }
    bool same_layout = top->format == FORMAT && top->seats == DOCKET__SEATS && top->stripes == STRIPES &&
                       top->per_stripe == PER_STRIPE;
    bool same_boot = memcmp(top->boot_id, boot_id, BOOT_ID) == 0;
    if (found != 0 && same_boot && !same_layout) {
        return docket__error_set(
            error, DOCKET_STORE,
            "%s has format %u, this docket reads %d: programs that have the store open at the same "
            "time must use versions of docket that agree",
            board->side->path, (unsigned)top->format, (int)FORMAT);
    }
    if (found == 0 || !same_boot) {
        atomic_store(&top->magic, 0);
        memset((uint8_t *)board->map + sizeof top->magic, 0, sizeof(board_map) - sizeof top->magic);
        top->format = FORMAT;
        top->seats = DOCKET__SEATS;
        top->stripes = STRIPES;
        top->per_stripe = PER_STRIPE;
        memcpy(top->boot_id, boot_id, BOOT_ID);
        atomic_store(&top->magic, magic);
    }
    return DOCKET_OK;
}

/* A sparse page on a full disk would be a signal later. */
static docket_status map_file(docket__board *board, docket_error *error)
{
    struct stat status;
    int descriptor = board->side->descriptor;
    if (fstat(descriptor, &status) != 0) {
        return fail(board, "the side file", errno, error);
    }
    if (status.st_size < (off_t)sizeof(board_map)) {
        int code = posix_fallocate(descriptor, 0, sizeof(board_map));
        if (code != 0) {
            return fail(board, "the table of claims", code, error);
        }
    }
    void *map = mmap(NULL, sizeof(board_map), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (map == MAP_FAILED) {
        return fail(board, "the table of claims", errno, error);
    }
    board->map = map;
    /* A mapping holds on to the open file, and with it to the locks: a forked child must not have it. */
    if (madvise(map, sizeof(board_map), MADV_DONTFORK) != 0) {
        return fail(board, "the table of claims", errno, error);
    }
    return DOCKET_OK;
}

docket_status docket__board_open(docket__board *board, docket__side *side, docket_error *error)
{
    *board = (docket__board){.side = side};
    docket_status status = docket__side_lock_board(side, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = map_file(board, error);
    if (status == DOCKET_OK) {
        status = prepare(board, error);
    }
    if (status == DOCKET_OK) {
        status = docket__seat_take(board->map->seats, side, &board->self, &board->owner, error);
    }
    if (status == DOCKET_OK) {
        waiting *own = &board->map->waiting[docket__owner_seat(board->owner)];
        atomic_store(&own->waits, 0);
    }
    docket__side_unlock_board(side);
    if (status != DOCKET_OK) {
        docket__board_close(board);
    }
    return status;
}

void docket__board_close(docket__board *board)
{
    if (board->map != NULL) {
        munmap(board->map, sizeof(board_map));
        board->map = NULL;
    }
}

/* ---- Sleeping ---- */

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t timeout_ms)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_nsec = (long)(timeout_ms % 1000 * 1000000)};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

static void stir(docket__seat *seat)
{
    atomic_fetch_add(&seat->stirred, 1);
    syscall(SYS_futex, &seat->stirred, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void stir_waiting(const docket__board *board, size_t number)
{
    for (size_t i = 0; i < DOCKET__SEATS; i++) {
        waiting *of = &board->map->waiting[i];
        if (atomic_load(&of->waits) != 0) {
            atomic_fetch_or(&of->stripes[number / 64], UINT64_C(1) << (number % 64));
            stir(&board->map->seats[i]);
        }
    }
}

/* ---- Stripes ---- */

static size_t stripe_of(const docket_key *key)
{
    return key->bytes[31] % STRIPES;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The lock is held for some hundred instructions. Its holder may be dead, or stopped; of one that lives and does not run
 * nobody may wait for long. */
static bool lock_stripe(const docket__board *board, stripe *of)
{
    int64_t end_ms = 0;
    for (unsigned tries = 1;; tries++) {
        uint64_t holder = 0;
        if (atomic_compare_exchange_strong(&of->holder, &holder, board->owner)) {
            return true;
        }
        if (tries % SPINS != 0) {
            continue;
        }
        if (holder != board->owner && docket__seat_is_dead(board->map->seats, board->side, &board->self, holder)) {
            if (atomic_compare_exchange_strong(&of->holder, &holder, board->owner)) {
                return true;
            }
            continue;
        }
        if (end_ms == 0) {
            end_ms = now_ms() + PATIENCE_MS;
        } else if (now_ms() >= end_ms && holder != board->owner) {
            return false;
        }
        sched_yield();
    }
}

static void unlock_stripe(stripe *of)
{
    atomic_store(&of->holder, 0);
}

static entry *find(const docket__board *board, size_t number, const docket_key *key, entry **free_entry)
{
    entry *entries = board->map->entries[number];
    for (size_t i = 0; i < PER_STRIPE; i++) {
        if (atomic_load_explicit(&entries[i].state, memory_order_acquire) == FREE) {
            if (free_entry != NULL && *free_entry == NULL) {
                *free_entry = &entries[i];
            }
        } else if (memcmp(entries[i].key, key->bytes, sizeof entries[i].key) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

static bool is_dead(const docket__board *board, docket__owner owner)
{
    return owner != board->owner && docket__seat_is_dead(board->map->seats, board->side, &board->self, owner);
}

/* A stripe that is full of the dead is not full. */
static entry *bury_one(const docket__board *board, size_t number)
{
    entry *entries = board->map->entries[number];
    for (size_t i = 0; i < PER_STRIPE; i++) {
        if (atomic_load(&entries[i].entered) == 0 && atomic_load(&entries[i].dead) == 0 &&
            is_dead(board, atomic_load(&entries[i].owner))) {
            atomic_store(&entries[i].state, FREE);
            return &entries[i];
        }
    }
    return NULL;
}

static void put(const docket__board *board, entry *at, const docket_key *key)
{
    memcpy(at->key, key->bytes, sizeof at->key);
    atomic_store(&at->dead, 0);
    atomic_store(&at->waited, 0);
    atomic_store(&at->entered, 0);
    atomic_store(&at->owner, board->owner);
    atomic_store(&at->state, HELD);
}

/* Under the stripe's lock, so that whoever gives the entry back sees it. */
static void announce_waiting(const docket__board *board)
{
    atomic_store(&board->map->waiting[docket__owner_seat(board->owner)].waits, 1);
}

static bool take_over(const docket__board *board, entry *at, docket__owner *dead)
{
    docket__owner owner = atomic_load(&at->owner);
    if (!is_dead(board, owner)) {
        atomic_store(&at->waited, 1);
        announce_waiting(board);
        return false;
    }
    if (atomic_load(&at->entered) != 0) {
        atomic_store(&at->dead, owner);
        atomic_store(&at->entered, 0);
    }
    atomic_store(&at->owner, board->owner);
    *dead = atomic_load(&at->dead);
    return true;
}

docket_status docket__board_take(docket__board *board, const docket_key *key, docket__owner *dead)
{
    size_t number = stripe_of(key);
    stripe *of = &board->map->stripes[number];
    entry *free_entry = NULL;
    bool taken = true;
    *dead = 0;
    if (!lock_stripe(board, of)) {
        return DOCKET_CONFLICT;
    }
    entry *at = find(board, number, key, &free_entry);
    if (at != NULL) {
        taken = take_over(board, at, dead);
    } else {
        free_entry = free_entry != NULL ? free_entry : bury_one(board, number);
        taken = free_entry != NULL;
        if (taken) {
            put(board, free_entry, key);
        } else {
            atomic_store(&of->crowded, 1);
            announce_waiting(board);
        }
    }
    unlock_stripe(of);
    return taken ? DOCKET_OK : DOCKET_CONFLICT;
}

void docket__board_give(docket__board *board, const docket_key *key)
{
    size_t number = stripe_of(key);
    stripe *of = &board->map->stripes[number];
    while (!lock_stripe(board, of)) {
    }
    bool stirs = atomic_exchange(&of->crowded, 0) != 0;
    entry *at = find(board, number, key, NULL);
    if (at != NULL && atomic_load(&at->owner) == board->owner) {
        stirs = stirs || atomic_load(&at->waited) != 0;
        atomic_fetch_add(&of->releases, 1);
        atomic_store(&at->state, FREE);
    }
    unlock_stripe(of);
    if (stirs) {
        stir_waiting(board, number);
    }
}

uint64_t docket__board_releases(const docket__board *board, const docket_key *key)
{
    return atomic_load(&board->map->stripes[stripe_of(key)].releases);
}

/* ---- Circles ---- */

static bool is_key(const uint8_t half[16], const docket_key *key)
{
    return memcmp(half, key->bytes, 16) == 0;
}

/* Follows the edges from `wanted`; true if they lead to one of the keys that are held. With the lock of edges. */
static bool leads_back(const docket__board *board, const docket_key *held, size_t count, const docket_key *wanted,
                       size_t *closing)
{
    bool seen[EDGES] = {false};
    uint16_t pending[EDGES];
    size_t pending_count = 0;
    const uint8_t *at = wanted->bytes;
    for (;;) {
        for (size_t i = 0; i < count; i++) {
            if (is_key(at, &held[i])) {
                *closing = i;
                return true;
            }
        }
        for (size_t i = 0; i < EDGES; i++) {
            const edge *of = &board->map->edges[i];
            docket__owner owner = atomic_load(&of->owner);
            if (owner != 0 && !seen[i] && memcmp(of->held, at, 16) == 0) {
                seen[i] = true;
                if (!is_dead(board, owner)) {
                    pending[pending_count++] = (uint16_t)i;
                }
            }
        }
        if (pending_count == 0) {
            return false;
        }
        at = board->map->edges[pending[--pending_count]].wanted;
    }
}

/* One that finds no room is not seen by others: then only time limits end a circle that it closes. */
static void add_edge(docket__board *board, const docket_key *held, const docket_key *wanted)
{
    for (size_t i = 0; i < EDGES; i++) {
        edge *of = &board->map->edges[i];
        docket__owner owner = atomic_load(&of->owner);
        if (owner == 0 || is_dead(board, owner)) {
            atomic_store(&of->owner, 0);
            memcpy(of->held, held->bytes, sizeof of->held);
            memcpy(of->wanted, wanted->bytes, sizeof of->wanted);
            atomic_store(&of->owner, board->owner);
            return;
        }
    }
}

static void remove_edge(docket__board *board, const docket_key *held, const docket_key *wanted)
{
    for (size_t i = 0; i < EDGES; i++) {
        edge *of = &board->map->edges[i];
        if (atomic_load(&of->owner) == board->owner && is_key(of->held, held) && is_key(of->wanted, wanted)) {
            atomic_store(&of->owner, 0);
            return;
        }
    }
}

bool docket__board_wait(docket__board *board, const docket_key *held, size_t count, const docket_key *wanted,
                        size_t *closing)
{
    stripe *lock = &board->map->edges_lock;
    if (!lock_stripe(board, lock)) {
        return true; /* its holder does not run: nobody is told */
    }
    bool closes = leads_back(board, held, count, wanted, closing);
    for (size_t i = 0; i < count && !closes; i++) {
        add_edge(board, &held[i], wanted);
    }
    unlock_stripe(lock);
    return !closes;
}

/* Without the lock: an edge is its owner's alone, and one word ends it. */
void docket__board_unwait(docket__board *board, const docket_key *held, size_t count, const docket_key *wanted)
{
    for (size_t i = 0; i < count; i++) {
        remove_edge(board, &held[i], wanted);
    }
}

/* ---- Waiting ---- */

static bool may_be_free(const docket__board *board, const docket_key *key, uint64_t *known_alive)
{
    stripe *of = &board->map->stripes[stripe_of(key)];
    if (!lock_stripe(board, of)) {
        return false;
    }
    const entry *at = find(board, stripe_of(key), key, NULL);
    docket__owner owner = at == NULL ? 0 : atomic_load(&at->owner);
    unlock_stripe(of);
    if (at == NULL) {
        return true;
    }
    if (owner == board->owner || owner == *known_alive) {
        return false;
    }
    if (is_dead(board, owner)) {
        return true;
    }
    *known_alive = owner;
    return false;
}

/* The stripes in which something was given back since the last call; false: none. */
static bool take_given(waiting *of, uint64_t given[STRIPES / 64])
{
    bool any = false;
    for (size_t i = 0; i < STRIPES / 64; i++) {
        given[i] = atomic_exchange(&of->stripes[i], 0);
        any = any || given[i] != 0;
    }
    return any;
}

void docket__board_await(docket__board *board, const docket_key *keys, size_t count, bool *maybe_free,
                         int64_t timeout_ms)
{
    size_t own = docket__owner_seat(board->owner);
    docket__seat *seat = &board->map->seats[own];
    waiting *of = &board->map->waiting[own];
    uint64_t given[STRIPES / 64];
    uint32_t stirred = atomic_load(&seat->stirred);
    int64_t probe_ms = board->probed_ms + PROBE_MS - now_ms();
    if (!take_given(of, given) && probe_ms > 0) {
        futex_wait(&seat->stirred, stirred, timeout_ms < probe_ms ? timeout_ms : probe_ms);
        take_given(of, given);
    }
    uint64_t known_alive = 0;
    bool probes = now_ms() >= board->probed_ms + PROBE_MS;
    board->probed_ms = probes ? now_ms() : board->probed_ms;
    for (size_t i = 0; i < count; i++) {
        size_t number = stripe_of(&keys[i]);
        maybe_free[i] = (given[number / 64] >> (number % 64) & 1) != 0 ||
                        (probes && may_be_free(board, &keys[i], &known_alive));
    }
}

void docket__board_stir(docket__board *board)
{
    stir(&board->map->seats[docket__owner_seat(board->owner)]);
}
