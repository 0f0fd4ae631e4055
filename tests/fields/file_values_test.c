/* Values that refer to files: described in bounded memory, found by content wherever they lie, and computed anew when a
 * file is not what was recorded. */
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

DOCKET_STRUCT(Settings, (STRING, text), (STRING, path));
DOCKET_STRUCT(Model, (INT64, steps), (FILE, weights), (OPTIONAL(FILE), notes), (LIST(FILE), parts));
DOCKET_STRUCT(Package, (STRING, name), (LIST(STRUCT(Model)), models));
DOCKET_STRUCT(Score, (INT64, points));

static atomic_int trained, scored;

static docket_status write_text(docket_ctx *ctx, docket_file *file, const char *path, const char *text)
{
    if (!file_write(path, text, strlen(text))) {
        return docket_fail(ctx, errno, "cannot write %s", path);
    }
    return docket_file_describe(ctx, file, path);
}

static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
{
    atomic_fetch_add(&trained, 1);
    docket_file *parts = DOCKET_NEW_ARRAY(ctx, docket_file, 2);
    out->parts = parts;
    out->parts_count = 2;
    out->has_notes = true;
    docket_status status = write_text(ctx, &out->weights, settings->path, settings->text);
    if (status == DOCKET_OK) {
        status = write_text(ctx, &out->notes, docket_printf(ctx, "%s.notes", settings->path), "notes");
    }
    if (status == DOCKET_OK) {
        status = write_text(ctx, &parts[0], docket_printf(ctx, "%s.0", settings->path), "first");
    }
    return status == DOCKET_OK ? write_text(ctx, &parts[1], docket_printf(ctx, "%s.1", settings->path), "")
                               : status;
}
DOCKET_STEP(train, Model, Settings);

static docket_status pack(docket_ctx *ctx, Package *out, const Model *model)
{
    Model *models = DOCKET_NEW(ctx, Model);
    *models = *model;
    *out = (Package){.name = "package", .models = models, .models_count = 1};
    return DOCKET_OK;
}
DOCKET_STEP(pack, Package, Model);

static docket_status score(docket_ctx *ctx, Score *out, const Package *package)
{
    (void)ctx;
    atomic_fetch_add(&scored, 1);
    out->points = (int64_t)package->models[0].weights.size;
    return DOCKET_OK;
}
DOCKET_STEP(score, Score, Package);

/* A run of train alone, or of all three. `reason` is why train was not restored; "" if it was. */
typedef struct asking {
    site *at;
    bool verifies;
    const docket_type *output;
    char path[FOLDER_PATH_ROOM];
    char reason[200];
} asking;

static asking ask_at(site *at)
{
    asking self = {.at = at, .output = DOCKET_OF(Model)};
    folder_file(&at->folder, "weights", self.path);
    atomic_store(&trained, 0);
    atomic_store(&scored, 0);
    return self;
}

static outcome ask(asking *self, const char *text)
{
    const Settings given = {.text = text, .path = self->path};
    recorder seen = RECORDER_INIT;
    const docket_observer observer = recorder_observer(&seen);
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer, .observer_count = 1};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(self->at, NULL),
                                          .scope = DOCKET_SCOPE_GLOBAL, .verify_files = self->verifies};
    docket_graph *graph =
        graph_of(&options, &recorded, (const docket_step *const[]){&train_step, &pack_step, &score_step, NULL});
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = self->output,
                                              DOCKET_INPUTS(DOCKET_IN(Settings, &given))});
    docket_graph_free(graph);
    self->reason[0] = '\0';
    const seen_event *event;
    for (size_t i = 0; (event = recorder_get(&seen, DOCKET_EVENT_LOOKUP, i)) != NULL; i++) {
        if (strcmp(event->step, "train") == 0 && !event->hit) {
            snprintf(self->reason, sizeof self->reason, "%s", event->reason);
        }
    }
    recorder_free(&seen);
    return of;
}

static void assert_trained(asking *self, const char *text, int times, const char *reason)
{
    outcome of = ask(self, text);
    assert_string_equal(of.error.message, "");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(atomic_load(&trained), times);
    assert_string_equal(self->reason, reason);
    outcome_free(&of);
}

static void value_is_restored_while_its_files_are_there(void **state)
{
    asking self = ask_at(*state);
    assert_trained(&self, "text", 1, "never recorded");
    outcome of = ask(&self, "text");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(docket_result_state(of.result, DOCKET_OF(Model)), DOCKET_VALUE_RESTORED);
    const Model *model = DOCKET_RESULT(of.result, Model);
    docket_file again;
    assert_status(DOCKET_OK, docket_file_describe_in(NULL, &again, self.path, NULL));
    assert_string_equal(model->weights.path, self.path);
    assert_int_equal(model->weights.size, 4);
    assert_memory_equal(model->weights.sha256, again.sha256, 32);
    assert_int_equal(model->parts[1].size, 0);
    assert_int_equal(atomic_load(&trained), 1);
    outcome_free(&of);
}

static void any_file_that_is_gone_is_a_miss(void **state)
{
    static const char *const names[] = {"weights", "weights.notes", "weights.0", "weights.1"};
    asking self = ask_at(*state);
    assert_trained(&self, "text", 1, "never recorded");
    for (int i = 0; i < 4; i++) {
        char path[FOLDER_PATH_ROOM];
        site_close(self.at);
        assert_int_equal(remove(folder_file(&self.at->folder, names[i], path)), 0);
        assert_trained(&self, "text", i + 2, "file changed");
        assert_trained(&self, "text", i + 2, "");
    }
}

static void another_size_is_a_miss_another_content_only_if_verified(void **state)
{
    asking self = ask_at(*state);
    assert_trained(&self, "text", 1, "never recorded");
    assert_true(file_write(self.path, "longer", 6));
    assert_trained(&self, "text", 2, "file changed");
    assert_true(file_write(self.path, "TEXT", 4));
    assert_trained(&self, "text", 2, "");
    self.verifies = true;
    assert_trained(&self, "text", 3, "file changed");
    assert_trained(&self, "text", 3, "");
    assert_int_equal(remove(self.path), 0);
    assert_int_equal(mkdir(self.path, 0700), 0);
    outcome of = ask(&self, "text");
    assert_status(DOCKET_FAILED, of.status);
    assert_string_equal(self.reason, "file changed");
    outcome_free(&of);
}

/* Steps that take the file find their results by its content. */
static void moved_file_changes_no_key(void **state)
{
    asking self = ask_at(*state);
    self.output = DOCKET_OF(Score);
    assert_trained(&self, "text", 1, "never recorded");
    assert_trained(&self, "text", 1, "");
    assert_int_equal(atomic_load(&scored), 1);
    folder_file(&self.at->folder, "elsewhere", self.path);
    assert_trained(&self, "text", 2, "never recorded");
    assert_int_equal(atomic_load(&scored), 1);
    folder_file(&self.at->folder, "elsewhere2", self.path);
    assert_trained(&self, "other", 3, "never recorded");
    assert_int_equal(atomic_load(&scored), 2);
}

/* ---- Describing ---- */

DOCKET_STRUCT(Path, (STRING, text));
DOCKET_STRUCT(Description, (FILE, file));

static docket_status describe_path(docket_ctx *ctx, Description *out, const Path *path)
{
    gate *entered = docket_ctx_user(ctx);
    if (entered != NULL) {
        gate_arrive(entered);
    }
    return docket_file_describe(ctx, &out->file, path->text);
}
DOCKET_STEP(describe_path, Description, Path);

static outcome describe(const char *text, gate *entered, docket_cancel *cancel)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = entered};
    docket_graph *graph = graph_of_one(NULL, &describe_path_step, &options);
    const Path path = {text};
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Description),
                                              .cancel = cancel, DOCKET_INPUTS(DOCKET_IN(Path, &path))});
    assert_status(DOCKET_OK, docket_graph_stop(graph, 60000, NULL));
    docket_graph_free(graph);
    return of;
}

static void assert_not_described(const char *path, int code, const char *message)
{
    outcome of = describe(path, NULL, NULL);
    assert_status(DOCKET_FAILED, of.status);
    assert_int_equal(of.error.code, code);
    assert_contains(of.error.message, message);
    outcome_free(&of);
    docket_file file;
    docket_error error;
    assert_status(DOCKET_FAILED, docket_file_describe_in(NULL, &file, path, &error));
    assert_contains(error.message, message);
    assert_null(file.path);
}

static void only_regular_files_are_described(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    assert_not_described("", 0, "a file's path must be a text of valid UTF-8, but is empty");
    assert_not_described(at->folder.path, 0, "is not a regular file");
    assert_not_described(folder_file(&at->folder, "none", path), ENOENT, "cannot be found");
    assert_int_equal(mkfifo(folder_file(&at->folder, "pipe", path), 0600), 0);
    assert_not_described(path, 0, "is not a regular file");
    docket_error error;
    docket_file file;
    assert_status(DOCKET_FAILED, docket_file_describe_in(NULL, &file, "\xff", &error));
    assert_status(DOCKET_FAILED, docket_file_describe_in(NULL, &file, NULL, &error));
}

static void path_is_copied_into_the_arena(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    docket_arena *arena = docket_arena_new();
    docket_file file;
    assert_true(file_write(folder_file(&at->folder, "f", path), "x", 1));
    assert_status(DOCKET_OK, docket_file_describe_in(NULL, &file, path, NULL));
    assert_ptr_equal(file.path, path);
    assert_status(DOCKET_OK, docket_file_describe_in(arena, &file, path, NULL));
    assert_ptr_not_equal(file.path, path);
    assert_string_equal(file.path, path);
    docket_arena_free(arena);
}

static void make_sparse(site *at, off_t size, char path[FOLDER_PATH_ROOM])
{
    int file = open(folder_file(&at->folder, "large", path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, size), 0);
    close(file);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void large_file_is_read_in_bounded_memory(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    off_t size = (off_t)site_count(256, 1024) << 20;
    make_sparse(at, size, path);
    outcome of = describe(path, NULL, NULL);
    assert_status(DOCKET_OK, of.status);
    outcome_free(&of);
    long before = peak_kib();
    int file = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "x", 1, size - 1), 1);
    close(file);
    of = describe(path, NULL, NULL);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, Description)->file.size, size);
    assert_true(peak_kib() - before < 16 * 1024);
    outcome_free(&of);
}

static void *cancel_once_entered(void *arg)
{
    void **parts = arg;
    gate_wait(parts[0]);
    docket_cancel_set(parts[1]);
    return NULL;
}

/* Only cancellation ends it in time. */
static void describing_stops_when_cancelled(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    gate entered = GATE_INIT(1);
    docket_cancel *cancel = docket_cancel_new();
    void *parts[] = {&entered, cancel};
    pthread_t thread;
    make_sparse(at, (off_t)1 << 40, path);
    assert_int_equal(pthread_create(&thread, NULL, cancel_once_entered, parts), 0);
    outcome of = describe(path, &entered, cancel);
    assert_status(DOCKET_CANCELLED, of.status);
    outcome_free(&of);
    pthread_join(thread, NULL);
    docket_cancel_free(cancel);
}

/* A record that speaks of a terabyte: to verify it takes for ever. */
static docket_status claim_terabyte(docket_ctx *ctx, Description *out, const Path *path)
{
    docket_status status = docket_file_describe(ctx, &out->file, path->text);
    out->file.size = (uint64_t)1 << 40;
    return truncate(path->text, (off_t)1 << 40) == 0 ? status : docket_fail(ctx, errno, "no room");
}
DOCKET_STEP(claim_terabyte, Description, Path);

static void *cancel_soon(void *arg)
{
    pause_ms(100);
    docket_cancel_set(arg);
    return NULL;
}

static void verifying_stops_when_cancelled(void **state)
{
    site *at = *state;
    char text[FOLDER_PATH_ROOM];
    assert_true(file_write(folder_file(&at->folder, "large", text), "x", 1));
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                          .scope = DOCKET_SCOPE_GLOBAL, .verify_files = true};
    docket_graph *graph = graph_of_one(NULL, &claim_terabyte_step, &recorded);
    const Path path = {text};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Description),
                              DOCKET_INPUTS(DOCKET_IN(Path, &path))};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    docket_cancel *cancel = docket_cancel_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
    request.cancel = cancel;
    assert_status(DOCKET_CANCELLED, run_for_status(graph, &request));
    pthread_join(thread, NULL);
    docket_cancel_free(cancel);
    request.cancel = NULL;
    request.time_limit_ms = 100;
    assert_status(DOCKET_TIMEOUT, run_for_status(graph, &request));
    assert_status(DOCKET_OK, docket_graph_stop(graph, 60000, NULL));
    docket_graph_free(graph);
}

/* ---- Waiting ---- */

static gate slow_entered, slow_may_end;

static docket_status train_slowly(docket_ctx *ctx, Model *out, const Settings *settings)
{
    if (atomic_fetch_add(&trained, 1) == 0) {
        gate_arrive(&slow_entered);
        gate_wait(&slow_may_end);
        pause_ms(50); /* so that the other one waits; if it is too late for that, it finds the record */
    }
    return write_text(ctx, &out->weights, settings->path, settings->text);
}
DOCKET_STEP(train_slowly, Model, Settings);

/* The first commit's file goes before anybody waiting is told. */
static void remove_once_committed(void *arg, const docket_event *event)
{
    if (event->kind == DOCKET_EVENT_COMMIT) {
        remove(arg);
    }
}

static void let_end(void *arg, const docket_event *event)
{
    (void)arg;
    if (event->kind == DOCKET_EVENT_LOOKUP && !event->hit) {
        gate_arrive(&slow_may_end);
    }
}

static void who_waited_for_a_file_that_went_makes_it_again(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    folder_file(&at->folder, "weights", path);
    atomic_store(&trained, 0);
    slow_entered = (gate)GATE_INIT(1);
    slow_may_end = (gate)GATE_INIT(1);
    const docket_observer observers[] = {{remove_once_committed, path}, {let_end, NULL}};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                          .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graphs[2];
    for (size_t i = 0; i < 2; i++) {
        graphs[i] = graph_of_one(
            &(docket_graph_options){DOCKET_GRAPH_OPTIONS_INIT, .observers = &observers[i], .observer_count = 1},
            &train_slowly_step, &recorded);
    }
    const Settings settings = {"text", path};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model),
                                    DOCKET_INPUTS(DOCKET_IN(Settings, &settings))};
    caller first;
    caller_start(&first, graphs[0], &request);
    assert_true(gate_wait(&slow_entered));
    outcome second = run(graphs[1], &request);
    assert_status(DOCKET_OK, second.status);
    assert_int_equal(docket_result_state(second.result, DOCKET_OF(Model)), DOCKET_VALUE_RAN);
    assert_true(file_exists(path));
    assert_int_equal(atomic_load(&trained), 2);
    outcome_free(&second);
    assert_status(DOCKET_OK, caller_join(&first)->status);
    outcome_free(&first.outcome);
    docket_graph_free(graphs[0]);
    docket_graph_free(graphs[1]);
}

static docket_status make_nothing(docket_ctx *ctx, Description *out, const Path *path)
{
    (void)ctx;
    out->file.path = path->text;
    return DOCKET_OK;
}
DOCKET_STEP(make_nothing, Description, Path);

static void file_that_nobody_described_is_refused(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &make_nothing_step, NULL);
    const Path path = {"somewhere"};
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Description),
                                              DOCKET_INPUTS(DOCKET_IN(Path, &path))});
    assert_status(DOCKET_ENCODE, of.status);
    assert_contains(of.error.message, "Description.file");
    assert_contains(of.error.message, "docket_file_describe");
    outcome_free(&of);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(value_is_restored_while_its_files_are_there),
        SITE_EACH_STORE(any_file_that_is_gone_is_a_miss),
        SITE_EACH_STORE(another_size_is_a_miss_another_content_only_if_verified),
        SITE_EACH_STORE(moved_file_changes_no_key),
        SITE_MEMORY(only_regular_files_are_described),
        SITE_MEMORY(path_is_copied_into_the_arena),
        SITE_MEMORY(large_file_is_read_in_bounded_memory),
        SITE_MEMORY(describing_stops_when_cancelled),
        SITE_EACH_STORE(verifying_stops_when_cancelled),
        SITE_EACH_STORE(who_waited_for_a_file_that_went_makes_it_again),
        SITE_MEMORY(file_that_nobody_described_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
