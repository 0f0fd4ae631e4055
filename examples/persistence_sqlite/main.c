/* Results in a file: what one process has computed, the next one finds. */
#include <docket/docket.h>

#include <glob.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STORE_FILE "persistence_sqlite.db"
#define STORE_URL "sqlite:" STORE_FILE

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(Length, (INT64, characters));

static atomic_int runs; /* in this process */

static docket_status count_characters(docket_ctx *ctx, Length *out, const Text *text)
{
    runs++;
    out->characters = (int64_t)strlen(text->value);
    return docket_sleep(ctx, 200); /* an expensive computation */
}
DOCKET_STEP(count_characters, Length, Text);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static docket_status execute(docket_store *store, const char *execution_id, docket_error *error)
{
    const docket_step_options recorded = {
        DOCKET_STEP_OPTIONS_INIT,
        .store = store,
        .scope = DOCKET_SCOPE_GLOBAL,
        .ttl_ms = DOCKET_HOURS(1),
    };
    docket_graph *graph = docket_graph_new("persistence", NULL);
    docket_graph_add(graph, &count_characters_step, &recorded);

    const Text text = {"hello sqlite"};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .execution_id = execution_id,
        .output = DOCKET_OF(Length),
        DOCKET_INPUTS(DOCKET_IN(Text, &text)),
    };
    docket_result *result = NULL;
    int64_t begin_ms = now_ms();
    docket_status status = docket_graph_validate(graph, error);
    if (status == DOCKET_OK) {
        status = docket_execute(graph, &request, &result, error);
    }
    if (status == DOCKET_OK) {
        printf("Result: Count = %" PRId64 "\n", DOCKET_RESULT(result, Length)->characters);
        printf("Duration: %" PRId64 "ms\n", now_ms() - begin_ms);
    }
    docket_result_free(result);
    docket_graph_free(graph);
    return status;
}

static bool count_one(void *count, const docket_checkpoint *checkpoint)
{
    (void)checkpoint;
    ++*(int *)count;
    return true;
}

/* One run in this process. True: the step was entered as often as expected, and one checkpoint is there. */
static bool run(const char *execution_id, int expected_runs)
{
    docket_error error;
    docket_store *store = NULL;
    int checkpoints = 0;
    docket_status status = docket_store_open(&store, STORE_URL, NULL, &error);
    if (status == DOCKET_OK) {
        status = execute(store, execution_id, &error);
    }
    if (status == DOCKET_OK) {
        status = docket_checkpoint_list(store, NULL, count_one, &checkpoints, &error);
    }
    docket_store_close(store);

    if (status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    printf("Verified: Found %d row(s) in database\n\n", checkpoints);
    return runs == expected_runs && checkpoints == 1;
}

/* The same in a process of its own. */
static bool run_in_new_process(const char *execution_id)
{
    int ended = -1;
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "persistence_sqlite", execution_id, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &ended, 0) != child) {
        perror("persistence_sqlite");
    }
    return WIFEXITED(ended) && WEXITSTATUS(ended) == EXIT_SUCCESS;
}

/* The file, its log, and what docket keeps beside them. */
static bool delete_store(void)
{
    docket_error error;
    glob_t left;
    if (docket_store_delete(STORE_URL, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    int found = glob(STORE_FILE "*", 0, NULL, &left);
    globfree(&left);
    return found == GLOB_NOMATCH;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* two processes write to it */
    if (argc > 1) {
        return run(argv[1], 0) ? EXIT_SUCCESS : EXIT_FAILURE; /* the second process: nothing is computed */
    }

    bool right = delete_store();
    puts("--- Run 1 (Cold) ---");
    right = run("exec-1", 1) && right;
    puts("--- Run 2 (Warm) ---");
    right = run_in_new_process("exec-2") && right;
    right = delete_store() && right;
    puts(right ? "SUCCESS: Cache hit confirmed!" : "FAILURE: the result was computed again");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
