#include "support/child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 14, LIMIT_MS = 120000 };

/* Its name, since a tool that runs the program on its own processor does not let the link be executed. */
static const char *own_program(void)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return path;
}

pid_t child_start(const char *program, const char *const *arguments)
{
    const char *path = program != NULL ? program : own_program();
    char *list[MOST_ARGUMENTS + 2] = {(char *)(uintptr_t)path};
    for (size_t i = 0; i < MOST_ARGUMENTS && arguments[i] != NULL; i++) {
        list[i + 1] = (char *)(uintptr_t)arguments[i];
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execv(path, list);
        _exit(127);
    }
    return child;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int result_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? -WTERMSIG(status) : CHILD_LOST;
}

int child_wait(pid_t child, int64_t limit_ms)
{
    int64_t end_ms = now_ms() + limit_ms;
    int status = 0;
    if (child <= 0) {
        return CHILD_LOST;
    }
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) {
            return result_of(status);
        }
        if (ended < 0 && errno != EINTR) {
            return CHILD_LOST;
        }
        if (now_ms() >= end_ms) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return CHILD_HUNG;
}

int child_run(const char *program, const char *const *arguments)
{
    return child_wait(child_start(program, arguments), LIMIT_MS);
}
