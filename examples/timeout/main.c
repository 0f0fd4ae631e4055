/* Time limits: a step that keeps its limit, one that does not, one that does at its second attempt, and one that has to
 * be killed. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(Length, (INT64, characters));

/* How long each attempt takes, and how many there were. */
typedef struct Pace {
    int64_t attempt_ms[3];
    atomic_int runs;
} Pace;

/* Cooperative: its sleep ends when the limit passes, and then it returns. */
static docket_status count_slowly(docket_ctx *ctx, Length *out, const Text *text)
{
    Pace *pace = docket_ctx_user(ctx);
    int attempt = docket_ctx_attempt(ctx);
    pace->runs++;
    docket_status status = docket_sleep(ctx, pace->attempt_ms[attempt - 1]);
    printf("   Attempt %d %s\n", attempt, status == DOCKET_OK ? "completed" : "timed out");
    out->characters = (int64_t)strlen(text->value);
    return status;
}
DOCKET_STEP(count_slowly, Length, Text);

/* Stubborn: it never looks at docket_cancelled and never returns. */
static docket_status count_for_ever(docket_ctx *ctx, Length *out, const Text *text)
{
    const int *runs = docket_ctx_user(ctx);
    if (write(*runs, "x", 1) != 1) {
        return docket_fail(ctx, 1, "the run cannot be counted");
    }
    for (;;) {
        out->characters += (int64_t)strlen(text->value);
        pause();
    }
}
DOCKET_STEP(count_for_ever, Length, Text);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static docket_status execute(const docket_step *step, const docket_step_options *options, const char *text,
                             docket_error *error)
{
    docket_result *result = NULL;
    docket_graph *graph = docket_graph_new("timeout", NULL);
    docket_graph_add(graph, step, options);

    const Text input = {text};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(Length),
        DOCKET_INPUTS(DOCKET_IN(Text, &input)),
    };
    int64_t begin_ms = now_ms();
    docket_status status = docket_graph_validate(graph, error);
    if (status == DOCKET_OK) {
        status = docket_execute(graph, &request, &result, error);
    }
    int64_t elapsed_ms = now_ms() - begin_ms;
    if (status == DOCKET_OK) {
        printf("   \"%s\" has %" PRId64 " characters (after %" PRId64 " ms)\n", text,
               DOCKET_RESULT(result, Length)->characters, elapsed_ms);
    } else {
        printf("   %s: %s (after %" PRId64 " ms)\n", docket_status_name(status), error->message, elapsed_ms);
    }
    docket_result_free(result);
    docket_graph_free(graph);
    return status;
}

static int wrong;

static void check(bool holds, const char *claim)
{
    if (!holds) {
        fprintf(stderr, "Not so: %s\n", claim);
        wrong++;
    }
}

/* A process that could still write would keep the pipe open: the end of the file is the proof that none is left. */
static int count_runs_until_all_are_gone(int runs)
{
    int count = 0;
    char run;
    while (read(runs, &run, 1) == 1) {
        count++;
    }
    close(runs);
    return count;
}

int main(void)
{
    docket_error error;

    puts("=== 1. A Step of 50 ms, Limit 2 s ===");
    Pace quick = {.attempt_ms = {50}};
    const docket_step_options generous = {
        DOCKET_STEP_OPTIONS_INIT,
        .time_limit_ms = DOCKET_SECONDS(2),
        .user = &quick,
    };
    check(execute(&count_slowly_step, &generous, "quick", &error) == DOCKET_OK, "the step completes");
    check(quick.runs == 1, "the step is entered once");

    puts("\n=== 2. A Step of 500 ms, Limit 100 ms ===");
    Pace slow = {.attempt_ms = {500}};
    const docket_step_options strict = {
        DOCKET_STEP_OPTIONS_INIT,
        .time_limit_ms = 100,
        .user = &slow,
    };
    check(execute(&count_slowly_step, &strict, "slow", &error) == DOCKET_TIMEOUT, "the limit passes");
    check(slow.runs == 1 && error.attempts == 1, "the step is entered once");

    puts("\n=== 3. Limit 500 ms, Another Attempt ===");
    Pace improving = {.attempt_ms = {2000, 20, 20}};
    const docket_step_options patient = {
        DOCKET_STEP_OPTIONS_INIT,
        .time_limit_ms = 500,
        .max_attempts = 3,
        .user = &improving,
    };
    check(execute(&count_slowly_step, &patient, "retry-timeout", &error) == DOCKET_OK, "the step completes");
    check(improving.runs == 2, "the step is entered twice");

    puts("\n=== 4. A Step That Never Returns, Isolated, Limit 1 s ===");
    int runs[2];
    if (pipe(runs) != 0) {
        perror("pipe");
        return EXIT_FAILURE;
    }
    const docket_step_options isolated = {
        DOCKET_STEP_OPTIONS_INIT,
        .time_limit_ms = DOCKET_SECONDS(1),
        .isolated = true,
        .user = &runs[1],
    };
    check(execute(&count_for_ever_step, &isolated, "stubborn", &error) == DOCKET_TIMEOUT, "the limit passes");
    close(runs[1]);
    check(count_runs_until_all_are_gone(runs[0]) == 1, "the step is entered once");
    puts("   Its process is gone");

    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
