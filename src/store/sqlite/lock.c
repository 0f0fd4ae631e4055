#include "store/sqlite/lock.h"

#include "base/error.h"
#include "base/process.h"
#include "base/random.h"
#include "store/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const off_t first_signature = (off_t)1 << 62;

enum { COMMIT_BYTE = 0, TURNSTILE_BYTE = 1, PRESENCE_BYTE = 2, BOARD_BYTE = 3 };

enum { BOARD_TIMEOUT_MS = 10000 };
static const off_t first_seat = (off_t)1 << 32;
static const int64_t transactions_begin = INT64_C(1) << 40;
static const int64_t transactions_length = INT64_C(3) << 40; /* the last to begin, and as long as any */
static const int64_t longest_transaction_ms = INT64_C(1) << 40;

static const int64_t shortest_pause_ns = 50 * 1000;
static const int64_t longest_pause_ns = 2 * 1000 * 1000;

/* ---- The registry of side files, and fork ---- */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static docket__side *registry;
static pthread_once_t fork_handlers = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&registry_lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&registry_lock);
}

static void after_fork_in_child(void)
{
    for (docket__side *side = registry; side != NULL; side = side->next) {
        if (side->descriptor >= 0) {
            close(side->descriptor);
            side->descriptor = -1;
        }
    }
    pthread_mutex_unlock(&registry_lock);
}

static void add_fork_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* With registry_lock held. */
static void enlist(docket__side *side)
{
    side->next = registry;
    side->link = &registry;
    if (registry != NULL) {
        registry->link = &side->next;
    }
    registry = side;
}

static bool is_inherited(const struct stat *database)
{
    bool inherited = false;
    uint64_t generation = docket__fork_generation();
    pthread_mutex_lock(&registry_lock);
    for (const docket__side *side = registry; side != NULL && !inherited; side = side->next) {
        inherited = side->generation != generation && side->database.st_dev == database->st_dev &&
                    side->database.st_ino == database->st_ino;
    }
    pthread_mutex_unlock(&registry_lock);
    return inherited;
}

/* ---- Locks of the kernel ---- */

/* The kernel's clock, never a test's: it ends waits that the kernel does. */
static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t after_ms(int64_t timeout_ms)
{
    int64_t end_ns;
    if (__builtin_mul_overflow(timeout_ms, INT64_C(1000000), &end_ns) ||
        __builtin_add_overflow(end_ns, real_now_ns(), &end_ns)) {
        end_ns = INT64_MAX;
    }
    return end_ns;
}

static bool set_range(const docket__side *side, short type, off_t begin, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = begin, .l_len = length};
    int result;
    do {
        result = fcntl(side->descriptor, F_OFD_SETLK, &lock);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

static bool set_lock(const docket__side *side, short type, off_t byte)
{
    return set_range(side, type, byte, 1);
}

static bool is_taken_error(int code)
{
    return code == EAGAIN || code == EACCES;
}

/* How long somebody waits. The time of transactions does not count: but each only as long as it may last. */
typedef struct patience {
    int64_t end_ns;
    int64_t met; /* the transaction that was met last */
} patience;

static bool wait_longer(patience *waiter, int64_t transaction, int64_t limit_ms)
{
    if (transaction == 0 || transaction == waiter->met) {
        return false;
    }
    *waiter = (patience){.end_ns = after_ms(limit_ms), .met = transaction};
    return true;
}

static bool meets_transaction(const docket__side *side, patience *waiter)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = transactions_begin, .l_len = transactions_length};
    return fcntl(side->descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
           wait_longer(waiter, lock.l_start, lock.l_len);
}

/* Polls with growing, jittered pauses: the kernel's own waiting could not be ended by a timeout. */
static bool wait_for_lock(const docket__side *side, short type, off_t byte, patience *waiter)
{
    int64_t pause_ns = shortest_pause_ns;
    while (!set_lock(side, type, byte)) {
        int code = errno;
        int64_t now_ns = real_now_ns();
        if (!is_taken_error(code) || (now_ns >= waiter->end_ns && !meets_transaction(side, waiter))) {
            errno = code;
            return false;
        }
        int64_t nap_ns = pause_ns / 2 + (int64_t)docket__random_below((uint64_t)pause_ns);
        nap_ns = nap_ns < waiter->end_ns - now_ns ? nap_ns : waiter->end_ns - now_ns;
        nanosleep(&(struct timespec){.tv_sec = 0, .tv_nsec = (long)nap_ns}, NULL);
        pause_ns = pause_ns * 2 < longest_pause_ns ? pause_ns * 2 : longest_pause_ns;
    }
    return true;
}

static docket_status fail_lock(const docket__side *side, const char *what, int64_t timeout_ms, docket_error *error)
{
    int code = errno;
    if (!is_taken_error(code)) {
        char reason[128];
        docket__error_set(error, DOCKET_STORE, "%s: %s: %s", side->path, what,
                          strerror_r(code, reason, sizeof reason));
        error->code = code;
        return DOCKET_STORE;
    }
    docket__error_set(error, DOCKET_STORE, "%s: %s: another writer held it for %lld ms (busy_timeout_ms)",
                      side->path, what, (long long)timeout_ms);
    error->transient = DOCKET__WAITED;
    return DOCKET_STORE;
}

/* ---- Opening and closing ---- */

static docket_status open_side_file(docket__side *side, docket_error *error)
{
    char reason[128];
    side->descriptor = open(side->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (side->descriptor < 0) {
        int code = errno;
        docket__error_set(error, DOCKET_STORE, "%s: docket's side file cannot be opened: %s", side->path,
                          code == ELOOP ? "it is a link" : strerror_r(code, reason, sizeof reason));
        error->code = code;
        error->transient = code == EMFILE || code == ENFILE;
        return DOCKET_STORE;
    }
    if (fstat(side->descriptor, &side->side) != 0 || !S_ISREG(side->side.st_mode) || side->side.st_nlink > 1) {
        close(side->descriptor);
        side->descriptor = -1;
        return docket__error_set(error, DOCKET_STORE, "%s is a link or not a regular file", side->path);
    }
    return DOCKET_OK;
}

static bool init_threads(docket__side *side)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&side->lock, NULL) != 0) {
        return false;
    }
    bool made = pthread_condattr_init(&attributes) == 0;
    if (made) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        made = pthread_cond_init(&side->given, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
    }
    if (!made) {
        pthread_mutex_destroy(&side->lock);
    }
    return made;
}

docket_status docket__side_open(docket__side *side, const char *path, docket_error *error)
{
    docket_status status = DOCKET_OK;
    *side = (docket__side){.path = path, .descriptor = -1, .generation = docket__fork_generation()};
    if (!init_threads(side)) {
        return docket__error_no_memory(error);
    }
    pthread_once(&fork_handlers, add_fork_handlers);
    pthread_mutex_lock(&registry_lock);
    if (path != NULL) {
        status = open_side_file(side, error);
    }
    if (status == DOCKET_OK) {
        enlist(side);
    }
    pthread_mutex_unlock(&registry_lock);
    if (status != DOCKET_OK) {
        pthread_cond_destroy(&side->given);
        pthread_mutex_destroy(&side->lock);
    }
    return status;
}

docket_status docket__side_check_inherited(const struct stat *database, docket_error *error)
{
    if (is_inherited(database)) {
        return docket__error_set(
            error, DOCKET_FORKED,
            "the file was open in this process before fork, and SQLite cannot open it again in "
            "the child: open the store after fork only, or exec");
    }
    return DOCKET_OK;
}

docket_status docket__side_enter(docket__side *side, const struct stat *database, int64_t timeout_ms,
                                 docket_error *error)
{
    pthread_mutex_lock(&registry_lock);
    side->database = *database;
    pthread_mutex_unlock(&registry_lock);
    if (side->descriptor < 0) {
        return DOCKET_OK;
    }
    if (!wait_for_lock(side, F_RDLCK, PRESENCE_BYTE, &(patience){.end_ns = after_ms(timeout_ms)})) {
        return fail_lock(side, "the lock of open stores", timeout_ms, error);
    }
    return DOCKET_OK;
}

docket_status docket__side_sign(docket__side *side, uint64_t *signature, docket_error *error)
{
    *signature = docket__random_number() >> 2;
    if (!set_lock(side, F_WRLCK, first_signature + (off_t)*signature)) {
        return fail_lock(side, "the lock of an open store", 0, error);
    }
    return DOCKET_OK;
}

bool docket__side_is_signed(const docket__side *side, uint64_t signature)
{
    if (signature >= (uint64_t)first_signature) {
        return false;
    }
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first_signature + (off_t)signature, .l_len = 1};
    return fcntl(side->descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

void docket__side_close(docket__side *side)
{
    pthread_mutex_lock(&registry_lock);
    *side->link = side->next;
    if (side->next != NULL) {
        side->next->link = side->link;
    }
    if (side->descriptor >= 0) {
        close(side->descriptor);
    }
    pthread_mutex_unlock(&registry_lock);
    pthread_cond_destroy(&side->given);
    pthread_mutex_destroy(&side->lock);
}

bool docket__side_is_last(docket__side *side)
{
    return side->descriptor >= 0 && set_lock(side, F_WRLCK, PRESENCE_BYTE);
}

/* ---- The board and its seats ---- */

docket_status docket__side_lock_board(docket__side *side, docket_error *error)
{
    return wait_for_lock(side, F_WRLCK, BOARD_BYTE, &(patience){.end_ns = after_ms(BOARD_TIMEOUT_MS)})
               ? DOCKET_OK
               : fail_lock(side, "the lock of the table of claims", BOARD_TIMEOUT_MS, error);
}

void docket__side_unlock_board(docket__side *side)
{
    set_lock(side, F_UNLCK, BOARD_BYTE);
}

docket__seat_lock docket__side_lock_seat(const docket__side *side, size_t seat)
{
    if (set_lock(side, F_WRLCK, first_seat + (off_t)seat)) {
        return DOCKET__SEAT_LOCKED;
    }
    return is_taken_error(errno) ? DOCKET__SEAT_TAKEN : DOCKET__SEAT_FAILED;
}

/* If the kernel does not tell, it counts as locked: nothing may be taken from a live owner. */
bool docket__side_is_seat_locked(const docket__side *side, size_t seat)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first_seat + (off_t)seat, .l_len = 1};
    return fcntl(side->descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

docket_status docket__side_fail(const docket__side *side, const char *what, docket_error *error)
{
    return fail_lock(side, what, 0, error);
}

/* ---- The commit lock ---- */

/* False when the time is up; with side->lock held. */
static bool wait_for_hand(docket__side *side, patience *waiter)
{
    int64_t end_ns = waiter->end_ns;
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000), .tv_nsec = (long)(end_ns % 1000000000)};
    return pthread_cond_timedwait(&side->given, &side->lock, &end) == 0 ||
           wait_longer(waiter, side->transaction, side->transaction_ms) || meets_transaction(side, waiter);
}

static bool take_among_threads(docket__side *side, patience *waiter)
{
    pthread_mutex_lock(&side->lock);
    bool taken = !side->taken;
    if (!taken) {
        bool has_time = true;
        side->waiting++;
        do { /* at least once: what is in the hand now is for those who came before */
            has_time = wait_for_hand(side, waiter);
        } while (!side->handed && has_time);
        side->waiting--;
        taken = side->handed;
        side->handed = false;
    }
    side->taken = true;
    pthread_mutex_unlock(&side->lock);
    return taken;
}

static void give_among_threads(docket__side *side)
{
    pthread_mutex_lock(&side->lock);
    side->transaction = 0;
    side->taken = side->handed = side->waiting > 0;
    pthread_cond_signal(&side->given);
    pthread_mutex_unlock(&side->lock);
}

/* A side file that someone removed or replaced locks nobody out any more. */
static bool is_replaced(const docket__side *side)
{
    struct stat now;
    return lstat(side->path, &now) != 0 || now.st_dev != side->side.st_dev || now.st_ino != side->side.st_ino;
}

/* Tells those who wait, and takes back what was told before: at no moment is there nothing to be met. */
static void announce(docket__side *side, int64_t limit_ms)
{
    int64_t before = side->transaction;
    int64_t length = limit_ms < longest_transaction_ms ? limit_ms : longest_transaction_ms;
    int64_t begin = transactions_begin + (int64_t)docket__random_below((uint64_t)transactions_begin);
    set_range(side, F_WRLCK, begin, length);
    pthread_mutex_lock(&side->lock);
    side->transaction = begin;
    side->transaction_ms = length;
    pthread_mutex_unlock(&side->lock);
    if (before != 0) {
        set_range(side, F_UNLCK, before, length);
    }
}

static void hush(const docket__side *side)
{
    if (side->transaction != 0) {
        set_range(side, F_UNLCK, side->transaction, side->transaction_ms);
    }
}

static bool take_among_processes(docket__side *side, patience *waiter)
{
    bool locked = wait_for_lock(side, F_WRLCK, TURNSTILE_BYTE, waiter);
    if (locked) {
        locked = wait_for_lock(side, F_WRLCK, COMMIT_BYTE, waiter);
        int code = errno;
        set_lock(side, F_UNLCK, TURNSTILE_BYTE);
        errno = code;
    }
    return locked;
}

docket_status docket__side_take(docket__side *side, int64_t timeout_ms, int64_t transaction_ms, docket_error *error)
{
    patience waiter = {.end_ns = after_ms(timeout_ms)};
    if (!take_among_threads(side, &waiter)) {
        errno = EAGAIN;
        return fail_lock(side, "the commit lock", timeout_ms, error);
    }
    if (transaction_ms > 0) {
        announce(side, transaction_ms); /* before it can be waited for */
    }
    if (!take_among_processes(side, &waiter)) {
        docket_status status = fail_lock(side, "the commit lock", timeout_ms, error);
        hush(side);
        give_among_threads(side);
        return status;
    }
    if (transaction_ms > 0) {
        announce(side, transaction_ms); /* its time begins now */
    }
    if (is_replaced(side)) {
        docket__side_give(side);
        return docket__error_set(error, DOCKET_STORE,
                                 "%s was replaced or removed while the store was open: close the store and open it "
                                 "again",
                                 side->path);
    }
    return DOCKET_OK;
}

void docket__side_give(docket__side *side)
{
    set_lock(side, F_UNLCK, COMMIT_BYTE);
    hush(side);
    give_among_threads(side);
}
