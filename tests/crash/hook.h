/* Stands in front of the system calls with which a store changes something, counts them, and kills the process at a
 * chosen one, or lets that one fail.
 *
 * hook.c defines open64, write, fdatasync and the like in the program itself, so that SQLite's and docket's calls come
 * here first; no other tool is needed, and sanitizers may be beside it. What one process counts its parent can read. */
#ifndef DOCKET_TESTS_HOOK_H
#define DOCKET_TESTS_HOOK_H

#include <stdbool.h>

typedef enum hook_call {
    HOOK_OPEN,
    HOOK_CLOSE,
    HOOK_WRITE, /* write and pwrite64 */
    HOOK_SYNC,  /* fsync and fdatasync */
    HOOK_TRUNCATE,
    HOOK_FCNTL,
    HOOK_MAP, /* mmap64 and munmap */
    HOOK_UNLINK, /* unlink, unlinkat and rmdir */
    HOOK_MODE, /* fchmod */
    HOOK_NODE, /* mknod and mkdir */
    HOOK_RENAME,
    HOOK_LOCK, /* flock */
    HOOK_CALLS
} hook_call;

/* What happens at the chosen call. */
typedef enum hook_action {
    HOOK_COUNT,       /* nothing */
    HOOK_KILL_BEFORE, /* SIGKILL instead of the call */
    HOOK_KILL_WITHIN, /* SIGKILL after half of the bytes of a write; calls that write nothing are not counted */
    HOOK_KILL_AFTER,  /* SIGKILL as soon as the call was made */
    HOOK_FAIL,        /* it fails with an error number; closing and unmapping never fail and are not counted */
    HOOK_FAIL_FROM    /* so do all that follow */
} hook_action;

/* Once, before children are made. */
void hook_install(void);

/* In the process that is to be hit: from now on calls are counted, from 1, and the one with this number is chosen. */
void hook_begin(hook_action action, long number, int error);

/* Calls go through again. */
void hook_end(void);

/* The calling thread's calls go through uncounted, as they are a test's own; and do not any more. */
void hook_pause(void);
void hook_resume(void);

/* Of the process that called hook_begin last: whether the chosen call came, how many were counted. */
bool hook_struck(void);
long hook_count(hook_call call);
long hook_count_all(void);
const char *hook_name(hook_call call);

#endif
