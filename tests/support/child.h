/* Children of a test: a program started anew, mostly the test's own with other arguments, under a limit of time. */
#ifndef DOCKET_TESTS_CHILD_H
#define DOCKET_TESTS_CHILD_H

#include <stdint.h>
#include <sys/types.h>

enum {
    CHILD_LOST = -1000, /* it could not be started or waited for */
    CHILD_HUNG = -1001  /* it did not end in time and was killed */
};

/* Starts a program with NULL-terminated arguments; `program` NULL is the test's own. */
pid_t child_start(const char *program, const char *const *arguments);

/* The exit code of a child, or minus the number of the signal that ended it. */
int child_wait(pid_t child, int64_t limit_ms);

/* Both, under a limit of two minutes. */
int child_run(const char *program, const char *const *arguments);

/* `child_run(NULL, CHILD_ARGUMENTS("write", path))` */
#define CHILD_ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
