/* A pipeline of three steps crashes in its second step. The next attempt restores the first and runs the rest.
 *
 *     crash_recovery          step 2 reports a failure; both attempts in this process
 *     crash_recovery --kill   step 2 kills its process with SIGKILL; each attempt in a process of its own
 */
#include <docket/docket.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_URL "sqlite:crash_recovery.db"
#define RUNS_FILE "crash_recovery.runs"

/* Runs are counted outside of docket and of the process: each entry into a step appends one byte to a file. */
static int runs_file;

static int runs_of(char step)
{
    char entries[64];
    ssize_t size = pread(runs_file, entries, sizeof entries, 0);
    int runs = 0;
    for (ssize_t i = 0; i < size; i++) {
        runs += entries[i] == step;
    }
    return runs;
}

static int count_run(char step)
{
    if (write(runs_file, &step, 1) != 1) {
        perror(RUNS_FILE);
        abort();
    }
    return runs_of(step);
}

/* The pipeline. */

DOCKET_STRUCT(RawData, (STRING, source));
DOCKET_STRUCT(IngestedData, (STRING, text));
DOCKET_STRUCT(ProcessedData, (INT64, letters));
DOCKET_STRUCT(EnrichedData, (INT64, score));

/* What becomes of process_data. */
enum fate { SUCCEED, FAIL, DIE };

static docket_status ingest_data(docket_ctx *ctx, IngestedData *out, const RawData *raw)
{
    printf("  [STEP 1] IngestData executing (run #%d)\n", count_run('1'));
    out->text = docket_printf(ctx, "ingested_%s", raw->source);
    return DOCKET_OK;
}
DOCKET_STEP(ingest_data, IngestedData, RawData);

static docket_status process_data(docket_ctx *ctx, ProcessedData *out, const IngestedData *ingested)
{
    printf("  [STEP 2] ProcessData executing (run #%d)\n", count_run('2'));
    const enum fate *fate = docket_ctx_user(ctx);
    if (*fate == FAIL) {
        puts("    ⚠️  CRASH: Simulated failure in ProcessData");
        return docket_fail(ctx, 1, "simulated crash during processing");
    }
    if (*fate == DIE) {
        puts("    ⚠️  CRASH: ProcessData kills its process");
        raise(SIGKILL);
    }
    out->letters = (int64_t)strlen(ingested->text);
    return DOCKET_OK;
}
DOCKET_STEP(process_data, ProcessedData, IngestedData);

static docket_status enrich_data(docket_ctx *ctx, EnrichedData *out, const ProcessedData *processed)
{
    (void)ctx;
    printf("  [STEP 3] EnrichData executing (run #%d)\n", count_run('3'));
    out->score = 2 * processed->letters;
    return DOCKET_OK;
}
DOCKET_STEP(enrich_data, EnrichedData, ProcessedData);

/* One attempt. True: the pipeline came to its end, and with the right values. */
static bool attempt(enum fate fate)
{
    docket_error error;
    docket_store *store = NULL;
    docket_graph *graph = NULL;
    docket_result *result = NULL;
    bool right = false;
    if (docket_store_open(&store, STORE_URL, NULL, &error) != DOCKET_OK) {
        goto end;
    }

    const docket_step_options recorded = {
        DOCKET_STEP_OPTIONS_INIT,
        .store = store,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .user = &fate,
    };
    graph = docket_graph_new("crash-recovery", NULL);
    docket_graph_add_all(graph, &recorded, DOCKET_STEPS(ingest_data, process_data, enrich_data));
    if (docket_graph_validate(graph, &error) != DOCKET_OK) {
        goto end;
    }

    const RawData raw = {.source = "test_data"};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .execution_id = "crash-recovery-demo", /* the same in both attempts: the second finds what the first left */
        .output = DOCKET_OF(EnrichedData),
        DOCKET_INPUTS(DOCKET_IN(RawData, &raw)),
    };
    if (docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
        goto end;
    }
    right = strcmp(DOCKET_RESULT(result, IngestedData)->text, "ingested_test_data") == 0 &&
            DOCKET_RESULT(result, ProcessedData)->letters == 18 && DOCKET_RESULT(result, EnrichedData)->score == 36;

end:
    if (error.status != DOCKET_OK) {
        printf("\n❌ Execution failed: %s\n", error.message);
    } else {
        puts("\n✓ Execution succeeded!");
    }
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    return right;
}

/* The two attempts. */

static bool attempts_in_this_process(void)
{
    puts("=== Crash Recovery Example ===\n");
    puts("--- First Attempt: Simulating Crash ---\n");
    puts("=== Attempt #1 ===");
    puts("Configuration: Step2 will FAIL (simulating crash)\n");
    bool failed = !attempt(FAIL);

    puts("\n--- Second Attempt: Recovery ---\n");
    puts("=== Attempt #2 ===");
    puts("Configuration: All steps should succeed (recovery mode)\n");
    return attempt(SUCCEED) && failed;
}

/* Starts this program anew, waits for its end and returns what waitpid tells. */
static int run_process(const char *argument)
{
    int ended = -1;
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "crash_recovery", argument, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &ended, 0) != child) {
        perror("crash_recovery");
    }
    return ended;
}

static bool attempts_in_two_processes(void)
{
    puts("=== Crash Recovery Example: kill -9 ===\n");
    puts("--- First Process: Killed in Step 2 ---\n");
    int ended = run_process("--first-attempt");
    bool killed = WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
    puts(killed ? "\n💀 The process died of SIGKILL" : "\n❌ The process was not killed");

    puts("\n--- Second Process: Recovery ---\n");
    ended = run_process("--second-attempt");
    return WIFEXITED(ended) && WEXITSTATUS(ended) == EXIT_SUCCESS && killed;
}

static bool summarise(void)
{
    int step1 = runs_of('1'), step2 = runs_of('2'), step3 = runs_of('3');
    puts("\n=== Execution Summary ===");
    printf("Step1 (IngestData) executions:  %d (expected: 1)\n", step1);
    printf("Step2 (ProcessData) executions: %d (expected: 2)\n", step2);
    printf("Step3 (EnrichData) executions:  %d (expected: 1)\n", step3);
    if (step1 != 1 || step2 != 2 || step3 != 1) {
        return false;
    }
    puts("\n✓ Step1: Executed once (checkpoint restored on retry)");
    puts("✓ Step2: Executed twice (failed first, succeeded on retry)");
    puts("✓ Step3: Executed once (only after Step2 succeeded)");
    return true;
}

static bool delete_store(void)
{
    docket_error error;
    if (docket_store_delete(STORE_URL, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    return error.status == DOCKET_OK;
}

static bool recover(bool (*attempts)(void))
{
    bool right = delete_store() && ftruncate(runs_file, 0) == 0 && attempts();
    right = summarise() && right;
    right = delete_store() && unlink(RUNS_FILE) == 0 && right;
    puts(right ? "\n🎉 SUCCESS: Crash recovery working correctly!" : "\n❌ FAILURE: Crash recovery does not work");
    return right;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* line by line: a killed process takes its buffers with it */
    runs_file = open(RUNS_FILE, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (runs_file < 0) {
        perror(RUNS_FILE);
        return EXIT_FAILURE;
    }

    bool right;
    if (strcmp(mode, "--first-attempt") == 0) {
        right = attempt(DIE);
    } else if (strcmp(mode, "--second-attempt") == 0) {
        right = attempt(SUCCEED);
    } else {
        right = recover(strcmp(mode, "--kill") == 0 ? attempts_in_two_processes : attempts_in_this_process);
    }
    close(runs_file);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
