/* Files that docket keeps: named by their content beside the store, there as long as a record refers to them, and gone
 * after that. */
#include "support/child.h"
#include "support/recorder.h"
#include "support/run.h"
#include "support/site.h"

#include <dirent.h>
#include <docket/testing.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

DOCKET_STRUCT(Settings, (INT64, n), (STRING, text), (STRING, name));
DOCKET_STRUCT(Model, (INT64, n), (FILE, weights));
DOCKET_STRUCT(Package, (STRING, label), (LIST(STRUCT(Model)), models));
DOCKET_STRUCT(Score, (INT64, bytes));

static atomic_int trained;

/* ---- Steps ---- */

static bool put(const char *path, const char *text)
{
    int descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool right = descriptor >= 0 && write(descriptor, text, strlen(text)) == (ssize_t)strlen(text);
    return descriptor >= 0 && close(descriptor) == 0 && right;
}

/* What happens in the step, besides. */
typedef void meanwhile(docket_ctx *ctx, const Settings *settings);

static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
{
    const char *path;
    meanwhile *const *then = docket_ctx_user(ctx);
    atomic_fetch_add(&trained, 1);
    out->n = settings->n;
    docket_status status = docket_file_new(ctx, &path, settings->name[0] != '\0' ? settings->name : NULL);
    if (status != DOCKET_OK) {
        return status;
    }
    if (!put(path, settings->text)) {
        return docket_fail(ctx, errno, "cannot write %s", path);
    }
    status = docket_file_keep(ctx, &out->weights, path);
    if (status == DOCKET_OK && then != NULL) {
        (*then)(ctx, settings);
    }
    return status;
}
DOCKET_STEP(train, Model, Settings);

/* Passes the files on. */
static docket_status pack(docket_ctx *ctx, Package *out, const Model *model)
{
    (void)ctx;
    *out = (Package){.label = "package", .models = model, .models_count = 1};
    return DOCKET_OK;
}
DOCKET_STEP(pack, Package, Model);

static docket_status weigh(docket_ctx *ctx, Score *out, const Package *package)
{
    struct stat status;
    if (stat(package->models[0].weights.path, &status) != 0) {
        return docket_fail(ctx, errno, "the weights are gone");
    }
    out->bytes = status.st_size;
    return DOCKET_OK;
}
DOCKET_STEP(weigh, Score, Package);

/* ---- Running ---- */

static docket_step_options recorded_in(docket_store *store)
{
    return (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
}

static outcome train_with(const docket_step_options *options, const docket_observer *observer,
                          const Settings *settings)
{
    const docket_graph_options watched = {DOCKET_GRAPH_OPTIONS_INIT, .observers = observer,
                                          .observer_count = observer != NULL};
    docket_graph *graph = graph_of_one(&watched, &train_step, options);
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model),
                                              DOCKET_INPUTS(DOCKET_IN(Settings, settings))});
    docket_graph_free(graph);
    return of;
}

static outcome train_at(site *at, int64_t n, const char *text)
{
    const docket_step_options options = recorded_in(site_open(at, NULL));
    return train_with(&options, NULL, &(Settings){.n = n, .text = text, .name = "weights.bin"});
}

static void assert_trained(site *at, int64_t n, const char *text, int times)
{
    atomic_store(&trained, 0);
    outcome of = train_at(at, n, text);
    assert_string_equal(of.error.message, "");
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(atomic_load(&trained), times);
    const docket_file *file = &DOCKET_RESULT(of.result, Model)->weights;
    size_t size;
    uint8_t *content = file_read(file->path, &size);
    assert_non_null(content);
    assert_string_equal((char *)content, text);
    assert_int_equal(file->size, strlen(text));
    free(content);
    outcome_free(&of);
}

static void assert_fails(const docket_step_options *options, const Settings *settings, docket_status status,
                         const char *message)
{
    outcome of = train_with(options, NULL, settings);
    assert_contains(of.error.message, message);
    assert_status(status, of.status);
    outcome_free(&of);
}

/* ---- The depot ---- */

static const char *depot_path(const site *at, char path[FOLDER_PATH_ROOM])
{
    snprintf(path, FOLDER_PATH_ROOM, "%s-files", at->file);
    return path;
}

/* Kept files; the folder of desks is not counted. */
static int kept_count(const site *at)
{
    char path[FOLDER_PATH_ROOM];
    int count = folder_entry_count(depot_path(at, path));
    return count > 0 ? count - 1 : 0;
}

static int desk_count(const site *at)
{
    char path[FOLDER_PATH_ROOM], desks[FOLDER_PATH_ROOM + 8];
    snprintf(desks, sizeof desks, "%s/new", depot_path(at, path));
    return folder_entry_count(desks);
}

static uint64_t purge(site *at)
{
    docket_error error = DOCKET_ERROR_INIT;
    uint64_t count = 0;
    docket_status status = docket_store_purge(site_open(at, NULL), &count, &error);
    assert_string_equal(error.message, "");
    assert_status(DOCKET_OK, status);
    return count;
}

static void forget_step(site *at, const char *step)
{
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = step};
    docket_error error;
    assert_status(DOCKET_OK, docket_checkpoint_forget(site_open(at, NULL), &filter, NULL, &error));
}

/* ---- Life ---- */

static void kept_file_is_named_by_its_content(void **state)
{
    site *at = *state;
    char depot[FOLDER_PATH_ROOM], expected[FOLDER_PATH_ROOM + 100];
    struct stat status;
    outcome of = train_at(at, 1, "abc");
    assert_status(DOCKET_OK, of.status);
    const docket_file *file = &DOCKET_RESULT(of.result, Model)->weights;
    snprintf(expected, sizeof expected,
             "%s/docket_ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.bin",
             depot_path(at, depot));
    assert_string_equal(file->path, expected);
    assert_int_equal(stat(file->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0400);
    assert_int_equal(stat(depot, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(desk_count(at), 1); /* holds what the result has */
    outcome_free(&of);
    assert_int_equal(desk_count(at), 0);
    assert_int_equal(kept_count(at), 1);
    site_close(at);
    assert_trained(at, 1, "abc", 0);
    docket_store_close(at->store);
    at->store = NULL;
    assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
    assert_int_equal(folder_entry_count(at->folder.path), 0);
}

static void equal_content_is_one_file(void **state)
{
    site *at = *state;
    for (int64_t n = 0; n < 5; n++) {
        assert_trained(at, n, "the same", 1);
    }
    assert_int_equal(kept_count(at), 1);
    assert_int_equal(purge(at), 0);
    assert_int_equal(kept_count(at), 1);
    assert_trained(at, 3, "the same", 0);
}

static void moved_store_finds_its_files(void **state)
{
    site *at = *state;
    folder elsewhere = folder_make();
    char depot[FOLDER_PATH_ROOM], moved[FOLDER_PATH_ROOM];
    assert_trained(at, 1, "moves", 1);
    site_close(at);
    assert_int_equal(rename(depot_path(at, depot), folder_file(&elsewhere, "new-name.db-files", moved)), 0);
    assert_int_equal(rename(at->file, folder_file(&elsewhere, "new-name.db", moved)), 0);
    snprintf(at->url, sizeof at->url, "sqlite:%.200s", moved);
    assert_trained(at, 1, "moves", 0);
    site_close(at);
    folder_remove(&elsewhere);
}

static void file_that_is_gone_is_a_miss(void **state)
{
    site *at = *state;
    outcome of = train_at(at, 1, "goes");
    assert_int_equal(unlink(DOCKET_RESULT(of.result, Model)->weights.path), 0);
    outcome_free(&of);
    assert_trained(at, 1, "goes", 1);
    assert_trained(at, 1, "goes", 0);
}

/* With verify_files a file that somebody changed is noticed, and keeping it again makes it whole. */
static void damaged_file_is_made_whole(void **state)
{
    site *at = *state;
    docket_step_options options = recorded_in(site_open(at, NULL));
    const Settings settings = {.n = 1, .text = "right", .name = "w"};
    options.verify_files = true;
    outcome of = train_with(&options, NULL, &settings);
    char path[FOLDER_PATH_ROOM];
    snprintf(path, sizeof path, "%s", DOCKET_RESULT(of.result, Model)->weights.path);
    outcome_free(&of);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(put(path, "wrong"));
    atomic_store(&trained, 0);
    of = train_with(&options, NULL, &settings);
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(atomic_load(&trained), 1);
    outcome_free(&of);
    assert_trained(at, 2, "right", 1);
    assert_int_equal(kept_count(at), 2); /* with another ending */
}

static void forgotten_file_goes_with_its_last_record(void **state)
{
    site *at = *state;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT};
    docket_step_options options = recorded_in(site_open(at, NULL));
    options.scope = DOCKET_SCOPE_WORKFLOW;
    docket_graph *graph = graph_of_one(NULL, &train_step, &options);
    static const char *const ids[] = {"a", "b", "c"};
    static const char *const texts[] = {"shared", "shared", "own"};
    docket_error error;
    for (int i = 0; i < 3; i++) {
        const Settings settings = {.n = i, .text = texts[i], .name = "w"};
        assert_status(DOCKET_OK,
                      run_for_status(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = ids[i],
                                                              .output = DOCKET_OF(Model),
                                                              DOCKET_INPUTS(DOCKET_IN(Settings, &settings))}));
    }
    docket_graph_free(graph);
    static const int left[] = {2, 1, 0};
    for (int i = 0; i < 3; i++) {
        filter.execution_id = ids[i];
        assert_status(DOCKET_OK, docket_checkpoint_forget(at->store, &filter, NULL, &error));
        assert_int_equal(kept_count(at), left[i]);
    }
}

/* A record that passes a file on refers to it like the one of the step that made it. */
static void passed_on_file_stays(void **state)
{
    site *at = *state;
    const docket_step_options options = recorded_in(site_open(at, NULL));
    const Settings settings = {.n = 1, .text = "passed on", .name = "w"};
    docket_graph *graph =
        graph_of(NULL, &options, (const docket_step *const[]){&train_step, &pack_step, &weigh_step, NULL});
    const docket_request ask = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Score),
                                DOCKET_INPUTS(DOCKET_IN(Settings, &settings))};
    assert_status(DOCKET_OK, run_for_status(graph, &ask));
    forget_step(at, "train");
    assert_int_equal(kept_count(at), 1);
    assert_int_equal(purge(at), 0);
    assert_int_equal(kept_count(at), 1);
    forget_step(at, "weigh");
    assert_int_equal(kept_count(at), 1);
    assert_status(DOCKET_OK, run_for_status(graph, &ask));
    forget_step(at, "pack");
    forget_step(at, "train");
    assert_int_equal(kept_count(at), 0);
    docket_graph_free(graph);
}

static bool note_key(void *arg, const docket_checkpoint *entry)
{
    memcpy(arg, entry->key, sizeof entry->key);
    return true;
}

/* What a program decodes by itself has the store's own name for the file, until it asks for the path. */
static void path_of_a_decoded_value_is_located(void **state)
{
    site *at = *state;
    uint8_t key[32] = {0};
    Model model = {0};
    docket_error error;
    assert_trained(at, 1, "abc", 1);
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT};
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, &all, note_key, key, &error));
    docket_buffer *bytes = docket_buffer_new();
    docket_arena *arena = docket_arena_new();
    assert_status(DOCKET_OK, docket_checkpoint_read(at->store, key, bytes, &error));
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Model), docket_buffer_bytes(bytes), arena, &model, &error));
    assert_string_equal(model.weights.path,
                        "docket:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.bin");
    assert_status(DOCKET_OK, docket_file_locate(at->store, arena, &model.weights, &error));
    assert_true(file_exists(model.weights.path));
    docket_file other = {.path = "docket:something", .size = 1};
    assert_status(DOCKET_OK, docket_file_locate(at->store, arena, &other, &error));
    assert_string_equal(other.path, "docket:something");
    assert_status(DOCKET_INVALID, docket_file_locate(NULL, arena, &other, &error));
    docket_arena_free(arena);
    docket_buffer_free(bytes);
}

/* ---- In flight ---- */

static site *watched_site;
static char child_name[] = "purge";

/* A second handle, and a second process, purge while the file is kept and not recorded yet. */
static void purge_elsewhere(docket_ctx *ctx, const Settings *settings)
{
    (void)ctx;
    (void)settings;
    docket_store *other = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket_store_open(&other, watched_site->url, NULL, &error));
    assert_status(DOCKET_OK, docket_store_purge(other, NULL, &error));
    assert_status(DOCKET_OK, docket_store_purge(watched_site->store, NULL, &error));
    docket_store_close(other);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS(child_name, watched_site->url)), 0);
    assert_int_equal(kept_count(watched_site), 1);
}

static void leave_unrecorded(docket_ctx *ctx, const Settings *settings)
{
    (void)settings;
    docket_do_not_record(ctx);
}

static void die(docket_ctx *ctx, const Settings *settings)
{
    (void)ctx;
    (void)settings;
    raise(SIGKILL);
}

static outcome train_and(site *at, meanwhile *const *then, const char *text)
{
    docket_step_options options = recorded_in(site_open(at, NULL));
    options.user = (void *)(uintptr_t)then;
    return train_with(&options, NULL, &(Settings){.n = 1, .text = text, .name = "w"});
}

static void file_in_flight_is_not_swept(void **state)
{
    static meanwhile *const then = purge_elsewhere;
    watched_site = *state;
    outcome of = train_and(watched_site, &then, "in flight");
    assert_status(DOCKET_OK, of.status);
    assert_true(file_exists(DOCKET_RESULT(of.result, Model)->weights.path));
    outcome_free(&of);
    purge_elsewhere(NULL, NULL);
}

/* Nobody will find it again, but who has the result may use it. */
static void unrecorded_file_stays_as_long_as_the_result(void **state)
{
    static meanwhile *const then = leave_unrecorded;
    watched_site = *state;
    outcome of = train_and(watched_site, &then, "unrecorded");
    assert_status(DOCKET_OK, of.status);
    purge_elsewhere(NULL, NULL);
    outcome_free(&of);
    assert_int_equal(kept_count(watched_site), 1);
    purge(watched_site);
    assert_int_equal(kept_count(watched_site), 0);
}

static void leftovers_of_the_dead_are_swept(void **state)
{
    site *at = *state;
    assert_trained(at, 1, "recorded", 1);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("die", at->url)), -SIGKILL);
    assert_int_equal(desk_count(at), 1);
    assert_int_equal(kept_count(at), 2);
    purge(at);
    assert_int_equal(desk_count(at), 0);
    assert_int_equal(kept_count(at), 1);
    assert_trained(at, 1, "recorded", 0);
}

/* ---- Attempts ---- */

/* The first attempt keeps one file, leaves another with a folder beside it, and fails. */
static docket_status stumble(docket_ctx *ctx, Model *out, const Settings *settings)
{
    const char *kept, *left;
    docket_status status = docket_file_new(ctx, &kept, "kept");
    if (status == DOCKET_OK) {
        status = docket_file_new(ctx, &left, NULL);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    int attempt = docket_ctx_attempt(ctx);
    if (mkdir(docket_printf(ctx, "%s.parts", left), 0700) != 0 ||
        !file_write(docket_printf(ctx, "%s.parts/1", left), "x", 1) ||
        !put(kept, docket_printf(ctx, "%s %d", settings->text, attempt))) {
        return docket_fail(ctx, errno, "cannot write");
    }
    status = docket_file_keep(ctx, &out->weights, kept);
    return status == DOCKET_OK && attempt == 1 ? docket_fail(ctx, 0, "stumbled") : status;
}
DOCKET_STEP(stumble, Model, Settings);

static void test_attempts(site *at, bool isolated)
{
    docket_step_options options = recorded_in(site_open(at, NULL));
    const Settings settings = {.text = "attempt"};
    char depot[FOLDER_PATH_ROOM];
    options.isolated = isolated;
    options.max_attempts = 2;
    docket_graph *graph = graph_of_one(NULL, &stumble_step, &options);
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model),
                                              DOCKET_INPUTS(DOCKET_IN(Settings, &settings))});
    assert_string_equal(of.error.message, "");
    assert_status(DOCKET_OK, of.status);
    size_t size;
    uint8_t *text = file_read(DOCKET_RESULT(of.result, Model)->weights.path, &size);
    assert_string_equal((char *)text, "attempt 2");
    free(text);
    assert_int_equal(kept_count(at), 2);
    assert_int_equal(desk_count(at), 1);
    purge(at);
    assert_int_equal(kept_count(at), 1);
    outcome_free(&of);
    assert_int_equal(desk_count(at), 0);
    docket_graph_free(graph);
    (void)depot_path(at, depot);
}

static void failed_attempt_leaves_nothing(void **state)
{
    test_attempts(*state, false);
}

static void isolated_attempts_keep_files_too(void **state)
{
    test_attempts(*state, true);
}

static void killed_child_leaves_nothing(void **state)
{
    static meanwhile *const then = die;
    site *at = *state;
    docket_step_options options = recorded_in(site_open(at, NULL));
    options.user = (void *)(uintptr_t)&then;
    options.isolated = true;
    assert_fails(&options, &(Settings){.text = "x", .name = "w"}, DOCKET_CRASHED, "died of signal 9");
    assert_int_equal(desk_count(at), 0);
    purge(at);
    assert_int_equal(kept_count(at), 0);
}

/* ---- Refusals ---- */

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const names[] = {"../x", "/etc/x", "a/b", ".x", "..", "a\nb", "\xff"};
    site *at = *state;
    docket_step_options options = recorded_in(site_open(at, NULL));
    options.max_attempts = 3;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        atomic_store(&trained, 0);
        if (i < 6) {
            assert_fails(&options, &(Settings){.text = "x", .name = names[i]}, DOCKET_REJECTED,
                         "a new file's name must be");
            assert_int_equal(atomic_load(&trained), 1);
        }
    }
    assert_int_equal(kept_count(at), 0);
}

static docket_status misuse(docket_ctx *ctx, Score *out, const Settings *settings)
{
    docket_file file;
    const char *path, *again;
    memset(&file, 1, sizeof file);
    docket_status status = docket_file_new(ctx, &path, "file");
    if (status != DOCKET_OK) {
        return status;
    }
    out->bytes = 0;
    switch (settings->n) {
    case 1:
        return docket_file_new(ctx, &again, "file");
    case 2:
        return docket_file_keep(ctx, &file, settings->text);
    case 3:
        status = docket_file_keep(ctx, &file, path);
        return status == DOCKET_OK ? docket_file_keep(ctx, &file, path) : status;
    case 4:
        return docket_file_keep(ctx, &file, docket_printf(ctx, "%s/../file", path));
    case 5:
        return docket_file_keep(ctx, &file, NULL);
    case 6:
        return unlink(path) == 0 && symlink(settings->text, path) == 0 ? docket_file_keep(ctx, &file, path)
                                                                       : DOCKET_OK;
    case 7:
        return unlink(path) == 0 && mkdir(path, 0700) == 0 ? docket_file_keep(ctx, &file, path) : DOCKET_OK;
    default:
        return link(path, settings->text) == 0 ? docket_file_keep(ctx, &file, path) : DOCKET_OK;
    }
}
DOCKET_STEP(misuse, Score, Settings);

static void misuse_is_told(void **state)
{
    static const struct {
        docket_status status;
        const char *message;
    } expected[] = {
        {DOCKET_REJECTED, "has a new file \"file\" already"},
        {DOCKET_REJECTED, "is no new file of this attempt"},
        {DOCKET_FAILED, "not there, or was kept before"},
        {DOCKET_REJECTED, "is no new file of this attempt"},
        {DOCKET_REJECTED, "is no new file of this attempt"},
        {DOCKET_FAILED, "it is a link"},
        {DOCKET_FAILED, "not a regular file"},
        {DOCKET_FAILED, "has another name"},
    };
    site *at = *state;
    char victim[FOLDER_PATH_ROOM];
    const docket_step_options options = recorded_in(site_open(at, NULL));
    docket_graph *graph = graph_of_one(NULL, &misuse_step, &options);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const Settings settings = {.n = (int64_t)i + 1, .text = folder_file(&at->folder, "victim", victim)};
        if (i < 7) {
            assert_true(file_write(victim, "victim", 6));
        } else {
            assert_int_equal(unlink(victim), 0);
        }
        outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Score),
                                                  DOCKET_INPUTS(DOCKET_IN(Settings, &settings))});
        assert_contains(of.error.message, expected[i].message);
        assert_status(expected[i].status, of.status);
        outcome_free(&of);
        assert_true(file_exists(victim));
        assert_int_equal(desk_count(at), 0);
    }
    docket_graph_free(graph);
}

static void unrecorded_steps_keep_no_files(void **state)
{
    site *at = *state;
    docket_step_options options = recorded_in(site_open(at, NULL));
    options.scope = DOCKET_SCOPE_NONE;
    assert_fails(&options, &(Settings){.text = "x"}, DOCKET_REJECTED, "records nothing");
}

static void memory_store_keeps_no_files(void **state)
{
    const docket_step_options options = recorded_in(site_open(*state, NULL));
    assert_fails(&options, &(Settings){.text = "x"}, DOCKET_REJECTED,
                 "keeps no files: record the step in a sqlite:");
}

static void read_only_store_makes_no_files(void **state)
{
    site *at = *state;
    const docket_store_options look = {DOCKET_STORE_OPTIONS_INIT, .read_only = true};
    assert_trained(at, 1, "recorded", 1);
    site_close(at);
    const docket_step_options options = recorded_in(site_open(at, &look));
    assert_trained(at, 1, "recorded", 0);
    assert_fails(&options, &(Settings){.n = 2, .text = "x"}, DOCKET_STORE, "read-only");
    assert_int_equal(kept_count(at), 1);
}

static void planted_folder_is_refused(void **state)
{
    site *at = *state;
    folder elsewhere = folder_make();
    char depot[FOLDER_PATH_ROOM];
    docket_step_options options = recorded_in(site_open(at, NULL));
    assert_int_equal(symlink(elsewhere.path, depot_path(at, depot)), 0);
    assert_fails(&options, &(Settings){.text = "x"}, DOCKET_STORE, "is a link");
    assert_int_equal(folder_entry_count(elsewhere.path), 0);
    assert_int_equal(unlink(depot), 0);
    assert_true(file_write(depot, "x", 1));
    assert_fails(&options, &(Settings){.text = "x"}, DOCKET_STORE, "not a folder");
    assert_int_equal(unlink(depot), 0);
    assert_int_equal(mkdir(depot, 0777), 0);
    assert_int_equal(chmod(depot, 0777), 0);
    assert_fails(&options, &(Settings){.text = "x"}, DOCKET_STORE, "can be written by others");
    folder_remove(&elsewhere);
}

/* Who can write to the database cannot have other files removed. */
static void planted_name_removes_nothing(void **state)
{
    site *at = *state;
    char depot[FOLDER_PATH_ROOM], victim[FOLDER_PATH_ROOM], folder_path[FOLDER_PATH_ROOM + 16];
    sqlite3 *db;
    assert_trained(at, 1, "own", 1);
    site_close(at);
    assert_true(file_write(folder_file(&at->folder, "victim", victim), "victim", 6));
    snprintf(folder_path, sizeof folder_path, "%s/docket_", depot_path(at, depot));
    assert_int_equal(mkdir(folder_path, 0700), 0);
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO docket_file SELECT checkpoint, '/../../victim' FROM docket_file",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    forget_step(at, "train");
    purge(at);
    assert_true(file_exists(victim));
    assert_int_equal(kept_count(at), 1); /* the folder */
}

static void folder_with_other_files_is_not_deleted(void **state)
{
    site *at = *state;
    char depot[FOLDER_PATH_ROOM], stranger[FOLDER_PATH_ROOM + 16];
    docket_error error;
    assert_trained(at, 1, "own", 1);
    site_close(at);
    snprintf(stranger, sizeof stranger, "%s/stranger", depot_path(at, depot));
    assert_true(file_write(stranger, "x", 1));
    assert_status(DOCKET_STORE, docket_store_delete(at->url, &error));
    assert_contains(error.message, "-files");
    assert_true(file_exists(at->file));
    assert_true(file_exists(stranger));
    assert_int_equal(unlink(stranger), 0);
    assert_status(DOCKET_OK, docket_store_delete(at->url, &error));
    assert_int_equal(folder_entry_count(at->folder.path), 0);
}

/* ---- Many ---- */

/* Two stores in one database, each with its own files. */
static void prefixes_do_not_touch_each_other(void **state)
{
    site *at = *state;
    static const char *const prefixes[] = {"docket_", "other_", "docket_a"};
    docket_store *stores[3];
    docket_error error;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(at->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = wal; CREATE TABLE own (x)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 3; i++) {
        const docket_store_options shared = {DOCKET_STORE_OPTIONS_INIT, .prefix = prefixes[i],
                                             .shared_database = true};
        assert_status(DOCKET_OK, docket_store_open(&stores[i], at->url, &shared, &error));
        const docket_step_options options = recorded_in(stores[i]);
        outcome of = train_with(&options, NULL, &(Settings){.text = "the same", .name = "w"});
        assert_status(DOCKET_OK, of.status);
        outcome_free(&of);
    }
    assert_int_equal(kept_count(at), 3);
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "train"};
    for (int i = 0; i < 3; i++) {
        assert_status(DOCKET_OK, docket_store_purge(stores[i], NULL, &error));
        assert_int_equal(kept_count(at), 3 - i);
        assert_status(DOCKET_OK, docket_checkpoint_forget(stores[i], &filter, NULL, &error));
        assert_int_equal(kept_count(at), 2 - i);
        docket_store_close(stores[i]);
    }
}

static long kept_of(const site *at, long n)
{
    char depot[FOLDER_PATH_ROOM], path[FOLDER_PATH_ROOM + 100], text[32], digits[65];
    docket_file file;
    (void)at;
    snprintf(text, sizeof text, "content %ld", n);
    snprintf(path, sizeof path, "%s/probe", at->folder.path);
    assert_true(file_write(path, text, strlen(text)));
    assert_status(DOCKET_OK, docket_file_describe_in(NULL, &file, path, NULL));
    for (size_t i = 0; i < 32; i++) {
        snprintf(digits + 2 * i, 3, "%02x", file.sha256[i]);
    }
    snprintf(path, sizeof path, "%s/docket_%s.w", depot_path(at, depot), digits);
    return file_exists(path);
}

/* Records n = 0, 1, …: two of a pair refer to one file. Every third record expires. Some files are nobody's. */
static void purge_leaves_exactly_what_is_referred_to(void **state)
{
    site *at = *state;
    enum { COUNT = 10000 };
    const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    static meanwhile *const then = leave_unrecorded;
    docket_test_clock_start(INT64_C(1700000000000));
    docket_step_options lasting = recorded_in(site_open(at, &fast)), passing = lasting, unrecorded = lasting;
    passing.ttl_ms = 1000;
    unrecorded.user = (void *)(uintptr_t)&then;
    docket_graph *graphs[] = {graph_of_one(NULL, &train_step, &lasting), graph_of_one(NULL, &train_step, &passing),
                              graph_of_one(NULL, &train_step, &unrecorded)};
    for (long n = 0; n < COUNT + 100; n++) {
        char text[32];
        snprintf(text, sizeof text, "content %ld", n / 2);
        const Settings settings = {.n = n, .text = text, .name = "w.w"};
        assert_status(DOCKET_OK, run_for_status(graphs[n >= COUNT ? 2 : n % 3 == 0],
                                                &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model),
                                                                  DOCKET_INPUTS(DOCKET_IN(Settings, &settings))}));
    }
    assert_int_equal(kept_count(at), COUNT / 2 + 50);
    assert_int_equal(purge(at), 0);
    assert_int_equal(kept_count(at), COUNT / 2);
    docket_test_clock_advance(2000);
    assert_int_equal(purge(at), (COUNT + 2) / 3);
    assert_int_equal(kept_count(at), COUNT / 2); /* at least one of each pair lasts */
    const docket_checkpoint_filter old = {DOCKET_CHECKPOINT_FILTER_INIT, .older_than_ms = 1000};
    uint64_t forgotten;
    docket_error error;
    for (long n = 0; n < 20; n++) {
        assert_int_equal(kept_of(at, n), 1);
    }
    assert_status(DOCKET_OK, docket_checkpoint_forget(at->store, &old, &forgotten, &error));
    assert_int_equal(forgotten, COUNT - (COUNT + 2) / 3);
    assert_int_equal(kept_count(at), 0);
    assert_int_equal(kept_of(at, 0), 0);
    assert_int_equal(desk_count(at), 0);
    for (int i = 0; i < 3; i++) {
        docket_graph_free(graphs[i]);
    }
    docket_test_clock_stop();
}

/* Threads keep files of a few contents while records go and files are swept. */

typedef struct keeper {
    pthread_t thread;
    docket_graph *graph;
    int64_t first;
    int failures;
} keeper;

enum { KEEPERS = 4, ROUNDS = 40 };

static void *keep_on(void *arg)
{
    keeper *self = arg;
    for (int64_t n = self->first; n < self->first + ROUNDS; n++) {
        char text[8];
        snprintf(text, sizeof text, "%d", (int)(n % 3));
        const Settings settings = {.n = n, .text = text, .name = "w"};
        docket_result *result = NULL;
        docket_status status = docket_execute(self->graph,
                                              &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model),
                                                                DOCKET_INPUTS(DOCKET_IN(Settings, &settings))},
                                              &result, NULL);
        bool right = status == DOCKET_OK && file_exists(DOCKET_RESULT(result, Model)->weights.path);
        self->failures += !right;
        docket_result_free(result);
    }
    return NULL;
}

static bool check_is_there(void *arg, const docket_checkpoint *entry)
{
    docket_store *store = arg;
    docket_error error;
    Model model = {0};
    docket_buffer *bytes = docket_buffer_new();
    docket_arena *arena = docket_arena_new();
    assert_status(DOCKET_OK, docket_checkpoint_read(store, entry->key, bytes, &error));
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Model), docket_buffer_bytes(bytes), arena, &model, &error));
    assert_status(DOCKET_OK, docket_file_locate(store, arena, &model.weights, &error));
    assert_true(file_exists(model.weights.path));
    docket_arena_free(arena);
    docket_buffer_free(bytes);
    return true;
}

static void keeping_and_sweeping_at_once(void **state)
{
    site *at = *state;
    keeper keepers[KEEPERS];
    docket_error error;
    const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "train"};
    const docket_step_options options = recorded_in(site_open(at, &fast));
    docket_graph *graph = graph_of_one(NULL, &train_step, &options);
    docket_store *other = NULL;
    assert_status(DOCKET_OK, docket_store_open(&other, at->url, &fast, &error));
    for (int i = 0; i < KEEPERS; i++) {
        keepers[i] = (keeper){.graph = graph, .first = (int64_t)i * ROUNDS};
        assert_int_equal(pthread_create(&keepers[i].thread, NULL, keep_on, &keepers[i]), 0);
    }
    for (int i = 0; i < 2 * ROUNDS; i++) {
        docket_store *store = i % 2 == 0 ? at->store : other;
        docket_status status = i % 3 == 0 ? docket_checkpoint_forget(store, &all, NULL, &error)
                                          : docket_store_purge(store, NULL, &error);
        assert_status(DOCKET_OK, status);
    }
    for (int i = 0; i < KEEPERS; i++) {
        pthread_join(keepers[i].thread, NULL);
        assert_int_equal(keepers[i].failures, 0);
    }
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, &all, check_is_there, at->store, &error));
    assert_status(DOCKET_OK, docket_checkpoint_forget(other, &all, NULL, &error));
    purge(at);
    assert_int_equal(kept_count(at), 0);
    assert_int_equal(desk_count(at), 0);
    docket_graph_free(graph);
    docket_store_close(other);
}

/* ---- Large ---- */

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void enlarge(docket_ctx *ctx, const Settings *settings);

/* Keeps a file of settings->n bytes, all zero. */
static docket_status inflate(docket_ctx *ctx, Model *out, const Settings *settings)
{
    const char *path;
    docket_status status = docket_file_new(ctx, &path, "large.bin");
    if (status == DOCKET_OK && truncate(path, settings->n) != 0) {
        status = docket_fail(ctx, errno, "cannot enlarge %s", path);
    }
    enlarge(ctx, settings);
    return status == DOCKET_OK ? docket_file_keep(ctx, &out->weights, path) : status;
}
DOCKET_STEP(inflate, Model, Settings);

static docket_cancel *to_be_set;

static void enlarge(docket_ctx *ctx, const Settings *settings)
{
    (void)ctx;
    (void)settings;
    if (to_be_set != NULL) {
        docket_cancel_set(to_be_set);
    }
}

static outcome inflate_at(site *at, int64_t bytes, docket_cancel *cancel, const docket_observer *observer)
{
    const docket_step_options options = recorded_in(site_open(at, NULL));
    const docket_graph_options watched = {DOCKET_GRAPH_OPTIONS_INIT, .observers = observer, .observer_count = 1};
    const Settings settings = {.n = bytes};
    docket_graph *graph = graph_of_one(&watched, &inflate_step, &options);
    outcome of = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Model), .cancel = cancel,
                                              DOCKET_INPUTS(DOCKET_IN(Settings, &settings))});
    docket_graph_free(graph);
    return of;
}

static void large_file_is_kept_in_bounded_memory_and_tells_of_it(void **state)
{
    site *at = *state;
    const int64_t size = INT64_C(1) << 30, stride = INT64_C(16) << 20;
    recorder seen = RECORDER_INIT;
    const docket_observer observer = recorder_observer(&seen);
    outcome of = inflate_at(at, 1, NULL, &observer);
    assert_status(DOCKET_OK, of.status);
    outcome_free(&of);
    assert_int_equal(recorder_count(&seen, DOCKET_EVENT_PROGRESS), 0);
    long before = peak_kib();
    of = inflate_at(at, size, NULL, &observer);
    assert_status(DOCKET_OK, of.status);
    assert_true(peak_kib() - before < 16 * 1024);
    assert_int_equal(DOCKET_RESULT(of.result, Model)->weights.size, size);
    assert_int_equal(recorder_count(&seen, DOCKET_EVENT_PROGRESS), size / stride - 1);
    const seen_event *last = recorder_get(&seen, DOCKET_EVENT_PROGRESS, (size_t)(size / stride - 2));
    assert_int_equal(last->done_bytes, size - stride);
    assert_int_equal(last->size_bytes, size);
    assert_string_equal(last->step, "inflate");
    assert_contains(last->reason, "large.bin");
    outcome_free(&of);
    recorder_free(&seen);
}

static void keeping_stops_when_cancelled(void **state)
{
    site *at = *state;
    recorder seen = RECORDER_INIT;
    const docket_observer observer = recorder_observer(&seen);
    to_be_set = docket_cancel_new();
    outcome of = inflate_at(at, INT64_C(1) << 40, to_be_set, &observer);
    assert_status(DOCKET_CANCELLED, of.status);
    outcome_free(&of);
    docket_cancel_free(to_be_set);
    to_be_set = NULL;
    site_close(at);
    purge(at);
    assert_int_equal(kept_count(at), 0);
    assert_int_equal(desk_count(at), 0);
    recorder_free(&seen);
}

/* ---- As a child ---- */

static int act(const char *what, const char *url)
{
    docket_store *store = NULL;
    docket_error error;
    static meanwhile *const then = die;
    docket_status status = docket_store_open(&store, url, NULL, &error);
    if (status == DOCKET_OK && strcmp(what, "purge") == 0) {
        status = docket_store_purge(store, NULL, &error);
    } else if (status == DOCKET_OK) {
        docket_step_options options = recorded_in(store);
        options.user = (void *)(uintptr_t)&then;
        train_with(&options, NULL, &(Settings){.n = 9, .text = "of the dead", .name = "w"});
    }
    docket_store_close(store);
    return status == DOCKET_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return act(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(kept_file_is_named_by_its_content),
        SITE_SQLITE(equal_content_is_one_file),
        SITE_SQLITE(moved_store_finds_its_files),
        SITE_SQLITE(file_that_is_gone_is_a_miss),
        SITE_SQLITE(damaged_file_is_made_whole),
        SITE_SQLITE(forgotten_file_goes_with_its_last_record),
        SITE_SQLITE(passed_on_file_stays),
        SITE_SQLITE(path_of_a_decoded_value_is_located),
        SITE_SQLITE(file_in_flight_is_not_swept),
        SITE_SQLITE(unrecorded_file_stays_as_long_as_the_result),
        SITE_SQLITE(leftovers_of_the_dead_are_swept),
        SITE_SQLITE(failed_attempt_leaves_nothing),
        SITE_SQLITE(isolated_attempts_keep_files_too),
        SITE_SQLITE(killed_child_leaves_nothing),
        SITE_SQLITE(names_that_lead_elsewhere_are_refused),
        SITE_SQLITE(misuse_is_told),
        SITE_SQLITE(unrecorded_steps_keep_no_files),
        SITE_MEMORY(memory_store_keeps_no_files),
        SITE_SQLITE(read_only_store_makes_no_files),
        SITE_SQLITE(planted_folder_is_refused),
        SITE_SQLITE(planted_name_removes_nothing),
        SITE_SQLITE(folder_with_other_files_is_not_deleted),
        SITE_SQLITE(prefixes_do_not_touch_each_other),
        SITE_SQLITE(purge_leaves_exactly_what_is_referred_to),
        SITE_SQLITE(keeping_and_sweeping_at_once),
        SITE_SQLITE(large_file_is_kept_in_bounded_memory_and_tells_of_it),
        SITE_SQLITE(keeping_stops_when_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
