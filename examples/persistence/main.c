/* Results in memory: what one execution has computed, the next one finds, as long as the store is open. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(Length, (INT64, characters));

static atomic_int runs;

static docket_status count_characters(docket_ctx *ctx, Length *out, const Text *text)
{
    runs++;
    out->characters = (int64_t)strlen(text->value);
    return docket_sleep(ctx, 500); /* an expensive computation */
}
DOCKET_STEP(count_characters, Length, Text);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static docket_status execute(docket_graph *graph, const char *execution_id, docket_error *error)
{
    const Text text = {"persistence_demo"};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .execution_id = execution_id,
        .output = DOCKET_OF(Length),
        DOCKET_INPUTS(DOCKET_IN(Text, &text)),
    };
    docket_result *result = NULL;
    int64_t begin_ms = now_ms();
    docket_status status = docket_execute(graph, &request, &result, error);
    if (status == DOCKET_OK) {
        printf("Result: %" PRId64 ", Duration: %" PRId64 "ms\n", DOCKET_RESULT(result, Length)->characters,
               now_ms() - begin_ms);
    }
    docket_result_free(result);
    return status;
}

static bool show(void *store, const docket_checkpoint *checkpoint)
{
    docket_error error;
    docket_buffer *json = docket_buffer_new();
    if (json != NULL && docket_checkpoint_json(store, checkpoint->key, NULL, json, &error) == DOCKET_OK) {
        docket_bytes text = docket_buffer_bytes(json);
        printf("Recorded: %s of %s: %.*s\n", checkpoint->step, checkpoint->execution_id, (int)text.size,
               (const char *)text.data);
    }
    docket_buffer_free(json);
    return true;
}

static docket_status run_twice(docket_store *store, docket_error *error)
{
    const docket_step_options recorded = {
        DOCKET_STEP_OPTIONS_INIT,
        .store = store,
        .scope = DOCKET_SCOPE_GLOBAL,
        .ttl_ms = DOCKET_MINUTES(1),
    };
    docket_graph *graph = docket_graph_new("persistence", NULL);
    docket_graph_add(graph, &count_characters_step, &recorded);
    docket_status status = docket_graph_validate(graph, error);
    if (status == DOCKET_OK) {
        puts("\n--- Run 1 (Cold Cache) ---");
        status = execute(graph, "exec-001", error);
    }
    if (status == DOCKET_OK) {
        puts("\n--- Run 2 (Warm Cache) ---");
        status = execute(graph, "exec-002", error);
    }
    docket_graph_free(graph);
    return status == DOCKET_OK ? docket_checkpoint_list(store, NULL, show, store, error) : status;
}

int main(void)
{
    docket_error error;
    docket_store *store = NULL;
    docket_status status = docket_store_open(&store, "memory:", NULL, &error);
    if (status == DOCKET_OK) {
        puts("Store initialized (In-Memory)");
        status = run_twice(store, &error);
    }
    docket_store_close(store);

    if (status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    if (runs != 1) {
        printf("\n❌ The step ran %d times\n", runs);
        return EXIT_FAILURE;
    }
    puts("\n✅ Cache hit confirmed (execution was instant)");
    return EXIT_SUCCESS;
}
