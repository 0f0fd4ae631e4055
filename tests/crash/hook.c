#include "crash/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

/* Not from their headers: those rename the functions that are defined here. */
pid_t getpid(void);
long syscall(long number, ...);

typedef struct hook_state {
    atomic_int action;
    atomic_long number;
    atomic_int error;
    atomic_bool struck;
    atomic_long all;
    atomic_long counts[HOOK_CALLS];
} hook_state;

static hook_state *state;  /* shared with children */
static atomic_bool active; /* in this process */
static _Thread_local bool paused;

void hook_install(void)
{
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) {
        abort();
    }
}

void hook_begin(hook_action action, long number, int error)
{
    atomic_store(&active, false);
    atomic_store(&state->action, (int)action);
    atomic_store(&state->number, number);
    atomic_store(&state->error, error);
    atomic_store(&state->struck, false);
    atomic_store(&state->all, 0);
    for (int i = 0; i < HOOK_CALLS; i++) {
        atomic_store(&state->counts[i], 0);
    }
    atomic_store(&active, true);
}

void hook_end(void)
{
    atomic_store(&active, false);
}

void hook_pause(void)
{
    paused = true;
}

void hook_resume(void)
{
    paused = false;
}

bool hook_struck(void)
{
    return atomic_load(&state->struck);
}

long hook_count(hook_call call)
{
    return atomic_load(&state->counts[call]);
}

long hook_count_all(void)
{
    return atomic_load(&state->all);
}

const char *hook_name(hook_call call)
{
    static const char *const names[HOOK_CALLS] = {"open",  "close", "write",  "sync",   "truncate",
                                                  "fcntl", "map",   "unlink", "fchmod", "mknod", "rename", "flock"};
    return names[call];
}

/* Whether the action has anything to do with this kind of call. */
static bool concerns(hook_action action, hook_call call)
{
    switch (action) {
    case HOOK_KILL_WITHIN:
        return call == HOOK_WRITE;
    case HOOK_FAIL:
    case HOOK_FAIL_FROM:
        return call != HOOK_CLOSE;
    default:
        return true;
    }
}

/* Counts a call and tells what is to happen at it. */
static hook_action meet(hook_call call)
{
    if (!atomic_load(&active) || paused) {
        return HOOK_COUNT;
    }
    hook_action action = (hook_action)atomic_load(&state->action);
    if (!concerns(action, call)) {
        return HOOK_COUNT;
    }
    atomic_fetch_add(&state->counts[call], 1);
    long number = atomic_fetch_add(&state->all, 1) + 1;
    long chosen = atomic_load(&state->number);
    if (action == HOOK_COUNT || (number != chosen && (action != HOOK_FAIL_FROM || number < chosen))) {
        return HOOK_COUNT;
    }
    atomic_store(&state->struck, true);
    return action;
}

static _Noreturn void die(void)
{
    for (;;) {
        syscall(SYS_kill, getpid(), SIGKILL);
    }
}

/* Before the call. True: it fails. */
static bool begin(hook_action action)
{
    if (action == HOOK_KILL_BEFORE) {
        die();
    }
    if (action == HOOK_FAIL || action == HOOK_FAIL_FROM) {
        errno = atomic_load(&state->error);
        return true;
    }
    return false;
}

static void end(hook_action action)
{
    if (action == HOOK_KILL_AFTER) {
        die();
    }
}

/* The next definition: a sanitizer's or the C library's. */
static void *next_of(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

#define DEFINE(call, type, name, parameters, arguments, failed) \
    type hooked_##name parameters __asm__(#name);               \
    type hooked_##name parameters                               \
    {                                                           \
        static type(*_Atomic real) parameters;                  \
        if (atomic_load(&real) == NULL) {                       \
            type(*found) parameters;                            \
            *(void **)&found = next_of(#name);                  \
            atomic_store(&real, found);                         \
        }                                                       \
        hook_action action = meet(call);                        \
        if (begin(action)) {                                    \
            return failed;                                      \
        }                                                       \
        type result = atomic_load(&real) arguments;             \
        end(action);                                            \
        return result;                                          \
    }

DEFINE(HOOK_CLOSE, int, close, (int descriptor), (descriptor), -1)
DEFINE(HOOK_SYNC, int, fsync, (int descriptor), (descriptor), -1)
DEFINE(HOOK_SYNC, int, fdatasync, (int descriptor), (descriptor), -1)
DEFINE(HOOK_TRUNCATE, int, ftruncate64, (int descriptor, int64_t size), (descriptor, size), -1)
DEFINE(HOOK_UNLINK, int, unlink, (const char *path), (path), -1)
DEFINE(HOOK_UNLINK, int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), -1)
DEFINE(HOOK_UNLINK, int, rmdir, (const char *path), (path), -1)
DEFINE(HOOK_RENAME, int, rename, (const char *from, const char *to), (from, to), -1)
DEFINE(HOOK_LOCK, int, flock, (int descriptor, int how), (descriptor, how), -1)
DEFINE(HOOK_NODE, int, mkdir, (const char *path, unsigned mode), (path, mode), -1)
DEFINE(HOOK_MODE, int, fchmod, (int descriptor, unsigned mode), (descriptor, mode), -1)
DEFINE(HOOK_NODE, int, mknod, (const char *path, unsigned mode, unsigned long device), (path, mode, device), -1)
DEFINE(HOOK_MAP, void *, mmap64, (void *at, size_t size, int access, int flags, int descriptor, int64_t offset),
       (at, size, access, flags, descriptor, offset), MAP_FAILED)

/* SQLite naps a hundred times, ten seconds in all, before it gives up a log that it cannot join: after a failure that
 * was made here nobody has to wait for it. */
int hooked_usleep(unsigned duration_us) __asm__("usleep");
int hooked_usleep(unsigned duration_us)
{
    bool in_haste = atomic_load(&active) && atomic_load(&state->struck);
    const struct timespec nap = {.tv_sec = duration_us / 1000000, .tv_nsec = (long)(duration_us % 1000000) * 1000};
    return in_haste ? 0 : nanosleep(&nap, NULL);
}

/* With an argument more, or with bytes that can be halved. */

int hooked_open64(const char *path, int flags, ...) __asm__("open64");
int hooked_open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = va_arg(arguments, unsigned); /* garbage where there is none, and then not looked at */
    va_end(arguments);
    hook_action action = meet(HOOK_OPEN);
    if (begin(action)) {
        return -1;
    }
    static int (*_Atomic real)(const char *, int, ...);
    if (atomic_load(&real) == NULL) {
        int (*found)(const char *, int, ...);
        *(void **)&found = next_of("open64");
        atomic_store(&real, found);
    }
    int result = atomic_load(&real)(path, flags, mode);
    end(action);
    return result;
}

int hooked_fcntl64(int descriptor, int command, ...) __asm__("fcntl64");
int hooked_fcntl64(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    hook_action action = meet(HOOK_FCNTL);
    if (begin(action)) {
        return -1;
    }
    static int (*_Atomic real)(int, int, ...);
    if (atomic_load(&real) == NULL) {
        int (*found)(int, int, ...);
        *(void **)&found = next_of("fcntl64");
        atomic_store(&real, found);
    }
    int result = atomic_load(&real)(descriptor, command, argument);
    end(action);
    return result;
}

ssize_t hooked_write(int descriptor, const void *bytes, size_t size) __asm__("write");
ssize_t hooked_write(int descriptor, const void *bytes, size_t size)
{
    hook_action action = meet(HOOK_WRITE);
    if (begin(action)) {
        return -1;
    }
    if (action == HOOK_KILL_WITHIN) {
        syscall(SYS_write, descriptor, bytes, size / 2);
        die();
    }
    static ssize_t (*_Atomic real)(int, const void *, size_t);
    if (atomic_load(&real) == NULL) {
        ssize_t (*found)(int, const void *, size_t);
        *(void **)&found = next_of("write");
        atomic_store(&real, found);
    }
    ssize_t result = atomic_load(&real)(descriptor, bytes, size);
    end(action);
    return result;
}

ssize_t hooked_pwrite64(int descriptor, const void *bytes, size_t size, int64_t offset) __asm__("pwrite64");
ssize_t hooked_pwrite64(int descriptor, const void *bytes, size_t size, int64_t offset)
{
    hook_action action = meet(HOOK_WRITE);
    if (begin(action)) {
        return -1;
    }
    if (action == HOOK_KILL_WITHIN) {
        syscall(SYS_pwrite64, descriptor, bytes, size / 2, offset);
        die();
    }
    static ssize_t (*_Atomic real)(int, const void *, size_t, int64_t);
    if (atomic_load(&real) == NULL) {
        ssize_t (*found)(int, const void *, size_t, int64_t);
        *(void **)&found = next_of("pwrite64");
        atomic_store(&real, found);
    }
    ssize_t result = atomic_load(&real)(descriptor, bytes, size, offset);
    end(action);
    return result;
}
