/* Isolated steps: every attempt runs in a child process of its own.
 *
 * The child is a fork: it sees the inputs where they are. It runs the function, encodes the output and sends one report
 * through a pipe; the parent decodes it as it would decode a stored value. The parent waits for the end of the pipe or
 * for cancellation, and then kills the child: nothing of it stays behind, and it dies with the parent's thread. A report
 * that is not whole means that the child crashed. Only this child is waited for, and a host that reaps it first is no
 * harm: the report decides. A fork hands every open descriptor down, so one child at a time is made: else a child would
 * hold another's pipe open, and its end would not be seen before both are gone. The files that a child makes lie on the
 * desk that its parent chose, and the parent clears it. */
#include "base/error.h"
#include "engine/execution.h"
#include "engine/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child sends, followed by `size` bytes: the encoded output, or the reason of an absence. */
typedef struct report {
    docket_status status; /* that the function returned */
    docket_status said;   /* by a failure verb */
    docket_error failure;
    int64_t retry_after_ms;
    int64_t ttl_ms;
    bool do_not_record;
    uint64_t size;
} report;

static const docket_type *output_type(const docket_ctx *ctx)
{
    return ctx->execution->graph->types[ctx->step->output].type;
}

/* The child. */

static bool send_all(int descriptor, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        ssize_t sent = write(descriptor, bytes, size);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

/* Held while the writing end of a pipe is open in this process. */
static pthread_mutex_t making_child = PTHREAD_MUTEX_INITIALIZER;

static void renew_making_child(void)
{
    pthread_mutex_init(&making_child, NULL);
}

static void register_renewal(void)
{
    pthread_atfork(NULL, NULL, renew_making_child);
}

/* Locks that another thread of the parent held at the fork stay locked for ever in the child. */
static void renew_locks(docket_execution *execution)
{
    pthread_mutex_init(&execution->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&execution->stirred, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static _Noreturn void run_child(docket_ctx *ctx, void *output, const docket_argument *arguments, int descriptor,
                                pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    renew_locks(ctx->execution);
    report sent = {.status = docket__step_call(ctx, output, arguments)};
    while (ctx->deferred != NULL) {
        docket__deferred *deferred = ctx->deferred;
        ctx->deferred = deferred->next;
        deferred->function(deferred->arg);
    }
    docket_buffer bytes = {0};
    sent.said = ctx->said;
    if (sent.status == DOCKET_OK && (ctx->memory.failed || ctx->scratch.failed)) {
        sent.status = sent.said = DOCKET_NO_MEMORY;
    }
    if (sent.status == DOCKET_OK) {
        sent.status = docket_encode(output_type(ctx), output, &bytes, &ctx->failure);
        sent.said = sent.status;
    } else if (sent.status == DOCKET_ABSENT && ctx->absent_reason != NULL) {
        (void)docket_buffer_append(&bytes, ctx->absent_reason, strlen(ctx->absent_reason));
    }
    sent.failure = ctx->failure;
    sent.retry_after_ms = ctx->retry_after_ms;
    sent.ttl_ms = ctx->ttl_ms;
    sent.do_not_record = ctx->do_not_record;
    sent.size = bytes.size;
    bool whole = send_all(descriptor, &sent, sizeof sent) && send_all(descriptor, bytes.data, bytes.size);
    _exit(whole ? 0 : 1);
}

/* The parent. */

/* Reads until the child closes its end. False: the attempt was cancelled first. */
static bool receive(docket_ctx *ctx, int descriptor, docket_buffer *bytes)
{
    bool manual = docket__pool_is_manual(ctx->execution->pool); /* nobody else looks at its timers meanwhile */
    struct pollfd watched[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = docket_cancel_fd(ctx), .events = POLLIN}};
    for (;;) {
        int ready = poll(watched, 2, manual || watched[1].fd < 0 ? 50 : -1);
        if (docket_cancelled(ctx)) {
            return false;
        }
        if (ready <= 0 || watched[0].revents == 0) {
            continue;
        }
        uint8_t chunk[65536];
        ssize_t got = read(descriptor, chunk, sizeof chunk);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return true;
        }
        if (got > 0 && docket_buffer_append(bytes, chunk, (size_t)got) != DOCKET_OK) {
            ctx->memory.failed = true;
            return false;
        }
    }
}

static docket_status accept_report(docket_ctx *ctx, docket_buffer *bytes, void *output)
{
    report got;
    memcpy(&got, bytes->data, sizeof got);
    docket_bytes rest = {bytes->data + sizeof got, bytes->size - sizeof got};
    ctx->failure = got.failure;
    ctx->said = got.said;
    ctx->retry_after_ms = got.retry_after_ms;
    ctx->ttl_ms = got.ttl_ms;
    ctx->do_not_record = got.do_not_record;
    if (got.status == DOCKET_OK) {
        return docket_decode(output_type(ctx), rest, &ctx->memory, output, &ctx->failure);
    }
    if (got.status == DOCKET_ABSENT) {
        char *reason = docket__arena_take(&ctx->memory, rest.size + 1, 1);
        if (reason == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memcpy(reason, rest.data, rest.size);
        reason[rest.size] = '\0';
        ctx->absent_reason = reason;
    }
    return got.status;
}

static docket_status tell_crash(docket_ctx *ctx, int wait_status)
{
    ctx->said = DOCKET_CRASHED;
    if (WIFSIGNALED(wait_status)) {
        docket__error_set(&ctx->failure, DOCKET_CRASHED, "the process of step \"%s\" died of signal %d (%s)",
                          ctx->step->info.name, WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
        ctx->failure.code = WTERMSIG(wait_status);
    } else {
        docket__error_set(&ctx->failure, DOCKET_CRASHED,
                          "the process of step \"%s\" ended with exit code %d before its function returned",
                          ctx->step->info.name, WEXITSTATUS(wait_status));
        ctx->failure.code = WEXITSTATUS(wait_status);
    }
    return DOCKET_CRASHED;
}

static bool is_whole(const docket_buffer *bytes)
{
    report got;
    if (bytes->size < sizeof got) {
        return false;
    }
    memcpy(&got, bytes->data, sizeof got);
    return bytes->size - sizeof got == got.size;
}

static docket_status supervise(docket_ctx *ctx, pid_t child, int descriptor, void *output)
{
    docket_buffer bytes = {0};
    bool finished = receive(ctx, descriptor, &bytes);
    if (!finished) {
        kill(child, SIGKILL);
    }
    int wait_status = 0;
    while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
    }
    docket_status status;
    if (!finished) {
        status = ctx->memory.failed ? DOCKET_NO_MEMORY : DOCKET_CANCELLED;
        ctx->said = status;
        docket__error_set(&ctx->failure, status, "the process of step \"%s\" was killed", ctx->step->info.name);
    } else {
        status = is_whole(&bytes) ? accept_report(ctx, &bytes, output) : tell_crash(ctx, wait_status);
    }
    docket__buffer_release(&bytes);
    return status;
}

docket_status docket__isolate_call(docket_ctx *ctx, void *output, const docket_argument *arguments)
{
    int ends[2];
    pid_t parent = getpid();
    pid_t child = -1;
    int failure = 0;
    static pthread_once_t registered = PTHREAD_ONCE_INIT;
    pthread_once(&registered, register_renewal);
    docket__files_prepare(ctx);
    pthread_mutex_lock(&making_child);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        failure = errno;
    } else {
        child = fork();
        failure = errno;
        if (child == 0) {
            close(ends[0]);
            run_child(ctx, output, arguments, ends[1], parent);
        }
        close(ends[1]);
        if (child < 0) {
            close(ends[0]);
        }
    }
    pthread_mutex_unlock(&making_child);
    if (child < 0) {
        return docket_fail(ctx, failure, "no process can be started for isolated step \"%s\": %s", ctx->step->info.name,
                           strerror(failure));
    }
    docket_status status = supervise(ctx, child, ends[0], output);
    close(ends[0]);
    return status;
}
