/* The ways in which a step fails, and how the caller tells them apart: refused input, a network that fails, a stop of
 * everything, a passed deadline. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(ValidText, (STRING, value));
DOCKET_STRUCT(Length, (INT64, characters));

/* The program's own numbers for what goes wrong; they arrive in docket_error.code. */
enum { EMPTY_VALUE = 1, NETWORK_DOWN, DATABASE_DOWN };

static atomic_int validations, fetches;

static docket_status validate(docket_ctx *ctx, ValidText *out, const Text *text)
{
    validations++;
    if (text->value[0] == '\0') {
        return docket_reject(ctx, EMPTY_VALUE, "validation failed on value: cannot be empty");
    }
    out->value = text->value;
    return DOCKET_OK;
}
DOCKET_STEP(validate, ValidText, Text);

static docket_status fetch_data(docket_ctx *ctx, Length *out, const ValidText *text)
{
    fetches++;
    if (strcmp(text->value, "flaky") == 0) {
        return docket_fail(ctx, NETWORK_DOWN, "network error during FetchData: connection timeout");
    }
    if (strcmp(text->value, "critical") == 0) {
        docket_cause(ctx, "database unavailable");
        return docket_abort(ctx, DATABASE_DOWN, "critical system failure detected");
    }
    if (strcmp(text->value, "slow") == 0) {
        return docket_sleep(ctx, DOCKET_SECONDS(60));
    }
    out->characters = (int64_t)strlen(text->value);
    return DOCKET_OK;
}
DOCKET_STEP(fetch_data, Length, ValidText);

static void print_outcome(docket_status status, const docket_result *result, const docket_error *error)
{
    switch (status) {
    case DOCKET_OK:
        printf("Success: Count=%" PRId64 "\n", DOCKET_RESULT(result, Length)->characters);
        break;
    case DOCKET_REJECTED:
        printf("ValidationError (expected): %s\n", error->message);
        break;
    case DOCKET_FAILED:
        printf("NetworkError after retries (expected): %s\n", error->message);
        break;
    case DOCKET_ABORTED:
        printf("AbortError (expected): abort: %s: %s\n", error->message, error->cause);
        break;
    case DOCKET_TIMEOUT:
        printf("Timeout (expected): %s\n", error->message);
        break;
    default:
        printf("%s: %s\n", docket_status_name(status), error->message);
    }
}

/* What is given, and what must come of it. */
typedef struct Case {
    const char *text;
    int64_t time_limit_ms;
    docket_status status;
    int code;
    int validations, fetches;
} Case;

static const Case cases[] = {
    {"hello world", 0, DOCKET_OK, 0, 1, 1},
    {"", 0, DOCKET_REJECTED, EMPTY_VALUE, 1, 0},
    {"flaky", 0, DOCKET_FAILED, NETWORK_DOWN, 1, 3},
    {"critical", 0, DOCKET_ABORTED, DATABASE_DOWN, 1, 1},
    {"slow", 1, DOCKET_TIMEOUT, 0, 1, 1},
};

static bool runs_are_right(const Case *expected)
{
    if (expected->status == DOCKET_TIMEOUT) { /* the limit may pass before the first step is entered */
        return validations <= expected->validations && fetches <= expected->fetches;
    }
    return validations == expected->validations && fetches == expected->fetches;
}

static bool execute(docket_graph *graph, const Case *expected)
{
    const Text text = {expected->text};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(Length),
        DOCKET_INPUTS(DOCKET_IN(Text, &text)),
        .time_limit_ms = expected->time_limit_ms,
    };
    docket_error error;
    docket_result *result = NULL;
    validations = fetches = 0;
    docket_status status = docket_execute(graph, &request, &result, &error);
    print_outcome(status, result, &error);
    docket_result_free(result);
    return status == expected->status && error.code == expected->code && runs_are_right(expected);
}

int main(void)
{
    docket_error error;
    docket_graph *graph = docket_graph_new("error-handling", NULL);
    docket_graph_add(graph, &validate_step, NULL);
    docket_graph_add(graph, &fetch_data_step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .max_attempts = 3});

    docket_status status = docket_graph_validate(graph, &error);
    bool right = status == DOCKET_OK;
    for (size_t i = 0; right && i < sizeof cases / sizeof cases[0]; i++) {
        right = execute(graph, &cases[i]);
    }
    if (status == DOCKET_OK) { /* the slow step may still be on its way out */
        status = docket_graph_stop(graph, DOCKET_SECONDS(60), &error);
    }
    if (status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    docket_graph_free(graph);
    return right && status == DOCKET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
