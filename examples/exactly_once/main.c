/* A recorded result is not computed again: three graphs share one store, and the second finds what the first left. */
#include <docket/docket.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(User, (STRING, name));
DOCKET_STRUCT(Report, (STRING, text));

static atomic_int runs;

static docket_status expensive_computation(docket_ctx *ctx, Report *out, const User *user)
{
    printf("  [EXECUTING] ExpensiveComputation for user %s (execution #%d)\n\n", user->name, ++runs);
    out->text = docket_printf(ctx, "Processed: %s", user->name);
    return DOCKET_OK;
}
DOCKET_STEP(expensive_computation, Report, User);

/* Builds a graph, executes it once and prints the result. False: the result is not what it must be. */
static bool process(docket_store *store, const char *name, const char *expected)
{
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = docket_graph_new("exactly-once", NULL);
    docket_graph_add(graph, &expensive_computation_step, &recorded);

    const User user = {name};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(Report),
        DOCKET_INPUTS(DOCKET_IN(User, &user)),
    };
    docket_error error;
    docket_result *result = NULL;
    bool right = false;
    if (docket_graph_validate(graph, &error) != DOCKET_OK ||
        docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    } else {
        const Report *report = DOCKET_RESULT(result, Report);
        printf("Result: %s\n", report->text);
        right = strcmp(report->text, expected) == 0;
    }

    docket_result_free(result);
    docket_graph_free(graph);
    return right;
}

int main(void)
{
    docket_error error;
    docket_store *store = NULL;
    if (docket_store_open(&store, "memory:", NULL, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }

    puts("=== Exactly-Once Semantics Demo ===\n");
    puts("--- First Execution ---");
    puts("Expected: Step will execute (cache miss)\n");
    bool right = process(store, "Alice", "Processed: Alice") && runs == 1;
    printf("Execution count: %d\n\n", runs);

    puts("--- Second Execution (Same Input) ---");
    puts("Expected: Step will NOT execute (cache hit - exactly once guarantee)\n");
    right = process(store, "Alice", "Processed: Alice") && runs == 1 && right;
    printf("Execution count: %d (should still be 1!)\n\n", runs);
    puts(right ? "✓ SUCCESS: Exactly-once semantics verified!\n" : "✗ FAILURE: the step ran again\n");

    puts("--- Third Execution (Different Input) ---");
    puts("Expected: Step WILL execute (different inputs = different cache key)\n");
    right = process(store, "Bob", "Processed: Bob") && runs == 2 && right;
    printf("Execution count: %d (should be 2 now)\n\n", runs);
    puts("Note: a recorded result is not computed again; an effect on another system may repeat after a crash.");

    docket_store_close(store);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
