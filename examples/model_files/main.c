/* A model in a file of its own: trained once, restored as long as the file is what was recorded. */
#include <docket/docket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_URL "sqlite:model_files.db"
#define MODEL_PATH "model.bin"

enum { WEIGHTS = 100000 };

DOCKET_STRUCT(Settings, (INT64, steps), (DOUBLE, rate));
DOCKET_STRUCT(Model, (INT64, steps), (FILE, weights));
DOCKET_STRUCT(Score, (DOUBLE, error));

static bool write_weights(const char *path, const Settings *settings)
{
    FILE *file = fopen(path, "wb");
    bool right = file != NULL;
    double weight = 1;
    for (int i = 0; i < WEIGHTS && right; i++) {
        weight -= settings->rate * (weight - 0.5);
        right = fwrite(&weight, sizeof weight, 1, file) == 1;
    }
    if (file != NULL) {
        right = fflush(file) == 0 && fsync(fileno(file)) == 0 && right;
        right = fclose(file) == 0 && right;
    }
    return right;
}

static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
{
    puts("training: this takes a day");
    if (!write_weights(MODEL_PATH, settings)) {
        return docket_fail(ctx, errno, "cannot write %s", MODEL_PATH);
    }
    out->steps = settings->steps;
    return docket_file_describe(ctx, &out->weights, MODEL_PATH);
}
DOCKET_STEP(train, Model, Settings);

static docket_status evaluate(docket_ctx *ctx, Score *out, const Model *model)
{
    puts("evaluating: this takes an hour");
    FILE *file = fopen(model->weights.path, "rb");
    double weight = 0;
    if (file == NULL || fseek(file, -(long)sizeof weight, SEEK_END) != 0 ||
        fread(&weight, sizeof weight, 1, file) != 1) {
        int code = errno;
        if (file != NULL) {
            fclose(file);
        }
        return docket_fail(ctx, code, "cannot read %s", model->weights.path);
    }
    fclose(file);
    out->error = weight - 0.5;
    return DOCKET_OK;
}
DOCKET_STEP(evaluate, Score, Model);

/* Tells why a step is not restored. */
static void tell_misses(void *arg, const docket_event *event)
{
    (void)arg;
    if (event->kind == DOCKET_EVENT_LOOKUP && !event->hit) {
        printf("%s: %s\n", event->step, event->reason);
    }
}

static bool run(docket_store *store)
{
    const docket_observer observer = {tell_misses, NULL};
    const docket_step_options recorded = {
        DOCKET_STEP_OPTIONS_INIT,
        .store = store,
        .scope = DOCKET_SCOPE_GLOBAL,
        .verify_files = true,
    };
    docket_error error;
    docket_result *result = NULL;
    docket_graph *graph = docket_graph_new("models", &(docket_graph_options){
        DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1});
    docket_graph_add(graph, &train_step, &recorded);
    docket_graph_add(graph, &evaluate_step, &recorded);
    const Settings settings = {.steps = 1000, .rate = 0.25};
    docket_status status = docket_graph_validate(graph, &error);
    if (status == DOCKET_OK) {
        status = docket_execute(graph, &(docket_request){
            DOCKET_REQUEST_INIT,
            .output = DOCKET_OF(Score),
            DOCKET_INPUTS(DOCKET_IN(Settings, &settings)),
        }, &result, &error);
    }
    if (status == DOCKET_OK) {
        const Model *model = DOCKET_RESULT(result, Model);
        printf("%s, %" PRIu64 " bytes, error %.3f\n", model->weights.path, model->weights.size,
               DOCKET_RESULT(result, Score)->error);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    docket_result_free(result);
    docket_graph_free(graph);
    return status == DOCKET_OK;
}

/* One run in a process of its own, so that nothing but the disk is left of the one before. */
static bool run_in_new_process(const char *title)
{
    int ended = -1;
    printf("--- %s ---\n", title);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "model_files", "run", (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &ended, 0) != child) {
        perror("model_files");
    }
    return WIFEXITED(ended) && WEXITSTATUS(ended) == EXIT_SUCCESS;
}

/* Turns over one byte in the middle of the model. */
static bool damage_model(void)
{
    FILE *file = fopen(MODEL_PATH, "r+b");
    bool right = file != NULL && fseek(file, 1234, SEEK_SET) == 0 && fputc('!', file) == '!';
    return file != NULL && fclose(file) == 0 && right;
}

static int run_once(void)
{
    docket_error error;
    docket_store *store = NULL;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (docket_store_open(&store, STORE_URL, NULL, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    bool right = run(store);
    docket_store_close(store);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "run") == 0) {
        return run_once();
    }
    docket_error error;
    bool right = docket_store_delete(STORE_URL, &error) == DOCKET_OK;
    right = run_in_new_process("Nothing is there") && right;
    right = run_in_new_process("All is there") && right;
    remove(MODEL_PATH);
    right = run_in_new_process("The model was deleted") && right;
    right = damage_model() && right;
    right = run_in_new_process("A byte of the model was changed") && right;
    right = docket_store_delete(STORE_URL, &error) == DOCKET_OK && right;
    remove(MODEL_PATH);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
