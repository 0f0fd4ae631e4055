/* Trying again: with a fixed delay, with a growing one, and only after failures that may pass. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(Length, (INT64, characters));

enum { CONNECTION_LOST = 1, RATE_LIMIT, SERVICE_UNAVAILABLE };

static const char *const failure_texts[] = {
    [CONNECTION_LOST] = "connection lost",
    [RATE_LIMIT] = "rate limit exceeded",
    [SERVICE_UNAVAILABLE] = "service unavailable",
};

/* A service that fails a few times before it answers, and what was seen of it. */
typedef struct Service {
    int failures;
    int code;
    atomic_int runs;
    int64_t delays_ms[4];
} Service;

static docket_status count_characters(docket_ctx *ctx, Length *out, const Text *text)
{
    Service *service = docket_ctx_user(ctx);
    service->runs++;
    if (docket_ctx_attempt(ctx) <= service->failures) {
        return docket_fail(ctx, service->code, "%s", failure_texts[service->code]);
    }
    out->characters = (int64_t)strlen(text->value);
    return DOCKET_OK;
}
DOCKET_STEP(count_characters, Length, Text);

/* The classifier: only a rate limit passes by itself. */
static bool is_rate_limit(void *user, const docket_error *error)
{
    (void)user;
    return error->code == RATE_LIMIT;
}

static void watch(void *arg, const docket_event *event)
{
    Service *service = arg;
    if (event->kind == DOCKET_EVENT_RETRY) {
        printf("   Attempt %d failed: %s; next in %" PRId64 " ms\n", event->attempt, event->error->message,
               event->delay_ms);
        service->delays_ms[event->attempt - 1] = event->delay_ms;
    }
}

static docket_status execute(const docket_step_options *options, const char *text, docket_error *error)
{
    Service *service = options->user;
    const docket_observer observer = {watch, service};
    const docket_graph_options watched = {
        DOCKET_GRAPH_OPTIONS_INIT,
        .observers = &observer,
        .observer_count = 1,
    };
    docket_graph *graph = docket_graph_new("retry", &watched);
    docket_graph_add(graph, &count_characters_step, options);

    const Text input = {text};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(Length),
        DOCKET_INPUTS(DOCKET_IN(Text, &input)),
    };
    docket_result *result = NULL;
    docket_status status = docket_graph_validate(graph, error);
    if (status == DOCKET_OK) {
        status = docket_execute(graph, &request, &result, error);
    }
    if (status == DOCKET_OK) {
        printf("   Success after %d attempts: \"%s\" has %" PRId64 " characters\n", service->runs, text,
               DOCKET_RESULT(result, Length)->characters);
    } else {
        printf("   Failure after attempt %d: %s\n", error->attempts, error->message);
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

int main(void)
{
    docket_error error;

    puts("=== 1. Fixed Delay ===");
    Service lossy = {.failures = 2, .code = CONNECTION_LOST};
    const docket_step_options fixed = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 3,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 100, .no_jitter = true},
        .user = &lossy,
    };
    check(execute(&fixed, "hello", &error) == DOCKET_OK, "the last permitted attempt succeeds");
    check(lossy.runs == 3, "the step is entered three times");
    check(lossy.delays_ms[0] == 100 && lossy.delays_ms[1] == 100, "the delay stays the same");

    puts("\n=== 2. Exponential Delay ===");
    Service slow = {.failures = 3, .code = CONNECTION_LOST};
    const docket_step_options exponential = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 5,
        .backoff =
            {.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 100, .factor = 2, .cap_ms = 2000, .no_jitter = true},
        .user = &slow,
    };
    check(execute(&exponential, "world", &error) == DOCKET_OK, "the fourth attempt succeeds");
    check(slow.runs == 4, "the step is entered four times");
    check(slow.delays_ms[0] == 100 && slow.delays_ms[1] == 200 && slow.delays_ms[2] == 400, "the delay doubles");

    puts("\n=== 3. Only What May Pass: Rate Limit ===");
    Service busy = {.failures = 2, .code = RATE_LIMIT};
    docket_step_options selective = {
        DOCKET_STEP_OPTIONS_INIT,
        .max_attempts = 5,
        .backoff = {.kind = DOCKET_BACKOFF_FIXED, .first_ms = 100}, /* with jitter: between 0 and 100 ms */
        .should_retry = is_rate_limit,
        .user = &busy,
    };
    check(execute(&selective, "retry", &error) == DOCKET_OK, "the third attempt succeeds");
    check(busy.runs == 3, "the step is entered three times");

    puts("\n=== 4. Only What May Pass: Service Unavailable ===");
    Service down = {.failures = 2, .code = SERVICE_UNAVAILABLE};
    selective.user = &down;
    check(execute(&selective, "retry", &error) == DOCKET_FAILED, "the first failure is final");
    check(down.runs == 1 && error.attempts == 1, "the step is entered once");
    check(error.code == SERVICE_UNAVAILABLE, "the failure arrives with its own code");

    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
