/* A model in a file of its own, which docket keeps beside the store: trained once, restored as long as the file is what
 * was recorded, removed with its record. */
#include <docket/docket.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_URL "sqlite:model_files.db"
#define FILES_FOLDER "model_files.db-files"

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
        right = fclose(file) == 0 && right;
    }
    return right;
}

static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
{
    const char *path;
    puts("training: this takes a day");
    docket_status status = docket_file_new(ctx, &path, "weights.bin");
    if (status != DOCKET_OK) {
        return status;
    }
    if (!write_weights(path, settings)) {
        return docket_fail(ctx, errno, "cannot write %s", path);
    }
    out->steps = settings->steps;
    return docket_file_keep(ctx, &out->weights, path);
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
        const char *slash = strrchr(model->weights.path, '/');
        printf("%.14s..., %" PRIu64 " bytes, error %.3f\n", slash + 1, model->weights.size,
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

/* Calls `act` with the path of each kept file, and counts them. */
static int for_each_kept(bool (*act)(const char *path))
{
    char path[512];
    int count = 0;
    DIR *folder = opendir(FILES_FOLDER);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "docket_", 7) == 0) {
            snprintf(path, sizeof path, "%s/%s", FILES_FOLDER, entry->d_name);
            count += act(path);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static bool delete(const char *path)
{
    return remove(path) == 0;
}

/* Turns over one byte in the middle. A kept file is read-only, so this takes some doing. */
static bool damage(const char *path)
{
    FILE *file = chmod(path, 0600) == 0 ? fopen(path, "r+b") : NULL;
    bool right = file != NULL && fseek(file, 1234, SEEK_SET) == 0 && fputc('!', file) == '!';
    return file != NULL && fclose(file) == 0 && right;
}

static bool is_there(const char *path)
{
    return access(path, R_OK) == 0;
}

/* Forgets the models. Their files go with the last record of them. */
static bool forget_models(void)
{
    docket_error error;
    docket_store *store = NULL;
    docket_status status = docket_store_open(&store, STORE_URL, NULL, &error);
    printf("--- The model is forgotten ---\nkept files: %d\n", for_each_kept(is_there));
    if (status == DOCKET_OK) {
        status = docket_checkpoint_forget(store, &(docket_checkpoint_filter){
            DOCKET_CHECKPOINT_FILTER_INIT, .step = "train"}, NULL, &error);
    }
    docket_store_close(store);
    printf("kept files: %d\n", for_each_kept(is_there));
    return status == DOCKET_OK;
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
    right = for_each_kept(delete) == 1 && right;
    right = run_in_new_process("The model was deleted") && right;
    right = for_each_kept(damage) == 1 && right;
    right = run_in_new_process("A byte of the model was changed") && right;
    right = forget_models() && right;
    right = docket_store_delete(STORE_URL, &error) == DOCKET_OK && right;
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
