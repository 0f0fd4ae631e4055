/* How far a recorded result reaches: within the executions of one id (WORKFLOW), or to all executions (GLOBAL). */
#include <docket/docket.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(User, (STRING, name));
DOCKET_STRUCT(ProcessedData, (STRING, text));

/* One graph with one recorded step, over a new store. */
typedef struct Trial {
    docket_store *store;
    docket_graph *graph;
    const char *label; /* that the step prints; NULL = it is silent */
    atomic_int runs;
} Trial;

static docket_status process(docket_ctx *ctx, ProcessedData *out, const User *user)
{
    Trial *trial = docket_ctx_user(ctx);
    int run = ++trial->runs;
    if (trial->label != NULL) {
        printf("    [%s] Executing for user %s (execution #%d)\n", trial->label, user->name, run);
    }
    out->text = docket_printf(ctx, "Processed: %s", user->name);
    return DOCKET_OK;
}
DOCKET_STEP(process, ProcessedData, User);

static bool begin(Trial *trial, docket_scope scope)
{
    docket_error error;
    docket_status status = docket_store_open(&trial->store, "memory:", NULL, &error);
    if (status == DOCKET_OK) {
        const docket_step_options recorded = {
            DOCKET_STEP_OPTIONS_INIT,
            .store = trial->store,
            .scope = scope,
            .user = trial,
        };
        trial->graph = docket_graph_new("scope-comparison", NULL);
        docket_graph_add(trial->graph, &process_step, &recorded);
        status = docket_graph_validate(trial->graph, &error);
    }
    if (status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    return status == DOCKET_OK;
}

static void end(Trial *trial)
{
    docket_graph_free(trial->graph);
    docket_store_close(trial->store);
}

/* Executes the graph under an id. True: the result is right. */
static bool execute(const Trial *trial, const char *execution_id)
{
    const User alice = {"Alice"};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .execution_id = execution_id,
        .output = DOCKET_OF(ProcessedData),
        DOCKET_INPUTS(DOCKET_IN(User, &alice)),
    };
    docket_error error;
    docket_result *result = NULL;
    bool right = docket_execute(trial->graph, &request, &result, &error) == DOCKET_OK;
    if (right) {
        right = strcmp(DOCKET_RESULT(result, ProcessedData)->text, "Processed: Alice") == 0;
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    docket_result_free(result);
    return right;
}

static bool three_executions(docket_scope scope, const char *name, const char *label, int expected)
{
    Trial trial = {.label = label};
    bool right = begin(&trial, scope);
    for (int i = 1; right && i <= 3; i++) {
        char execution_id[32];
        snprintf(execution_id, sizeof execution_id, "execution-%d", i);
        printf("  Execution #%d (%s Scope)\n", i, name);
        int runs_before = trial.runs;
        right = execute(&trial, execution_id);
        puts(trial.runs == runs_before ? "    [result from cache - no execution]\n" : "");
    }
    printf("%s Scope Executions: %d (expected: %d)\n\n", name, trial.runs, expected);
    end(&trial);
    return right && trial.runs == expected;
}

static bool one_execution(docket_scope scope, const char *name)
{
    Trial trial = {0};
    bool right = begin(&trial, scope);
    puts("  Resolving ProcessedData 3 times in same execution:");
    for (int i = 1; right && i <= 3; i++) {
        int runs_before = trial.runs;
        right = execute(&trial, "the-same-execution");
        printf("    Resolve #%d: Done%s\n", i, trial.runs == runs_before ? " (cached)" : "");
    }
    printf("\n  %s executions: %d (deduplicated within execution)\n\n", name, trial.runs);
    end(&trial);
    return right && trial.runs == 1;
}

int main(void)
{
    puts("=== Part 1: Three Executions ===\n");
    puts("--- ScopeWorkflow: Cache per execution ---\n");
    bool right = three_executions(DOCKET_SCOPE_WORKFLOW, "Workflow", "WORKFLOW SCOPE", 3);
    puts("--- ScopeGlobal: Cache across executions ---\n");
    right = three_executions(DOCKET_SCOPE_GLOBAL, "Global", "GLOBAL SCOPE", 1) && right;

    puts("=== Part 2: One Execution, Asked Three Times ===\n");
    puts("--- ScopeWorkflow: Within-execution deduplication ---");
    right = one_execution(DOCKET_SCOPE_WORKFLOW, "Workflow") && right;
    puts("--- ScopeGlobal: Within-execution deduplication ---");
    right = one_execution(DOCKET_SCOPE_GLOBAL, "Global") && right;

    puts("=== Comparison ===\n");
    puts("                    ScopeWorkflow           ScopeGlobal");
    puts("Within execution    reused                  reused");
    puts("Across executions   runs again              reused");
    puts("Key                 with execution id       without execution id");
    puts("Use for             run-local results       reusable results");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
