#include "faults/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void world_complain(world *self, const char *format, ...)
{
    if (self->problem[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(self->problem, sizeof self->problem, format, arguments);
        va_end(arguments);
    }
}

/* Takes note of a status: the expected one, or that memory ran out. True: it is the expected one. */
static bool came(world *self, const char *call, docket_status expected, docket_status status,
                 const docket_error *error)
{
    if (status == DOCKET_NO_MEMORY && !self->memory_is_back) {
        self->ran_out = true;
    } else if (status != expected) {
        world_complain(self, "%s answered %s instead of %s: %s", call, docket_status_name(status),
                       docket_status_name(expected), error == NULL ? "" : error->message);
    }
    if (error != NULL && error->status != status) {
        world_complain(self, "%s answered %s, its error says %s: %s", call, docket_status_name(status),
                       docket_status_name(error->status), error->message);
    }
    return status == expected;
}

/* The same for calls that answer NULL. True: it is not NULL. */
static bool made(world *self, const char *call, const void *pointer)
{
    if (pointer == NULL) {
        came(self, call, DOCKET_OK, DOCKET_NO_MEMORY, NULL);
    }
    return pointer != NULL;
}

static void expect_text(world *self, const char *what, const char *text, const char *expected)
{
    if (strcmp(text, expected) != 0) {
        world_complain(self, "%s is \"%s\" instead of \"%s\"", what, text, expected);
    }
}

/* Making worlds. */

static void open_store(world *self)
{
    char url[256] = "memory:";
    docket_error error = DOCKET_ERROR_INIT;
    if (self->at->sqlite) {
        snprintf(url, sizeof url, "sqlite:%s/store.db", self->files.path);
    }
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    came(self, "docket_store_open", DOCKET_OK, docket_store_open(&self->store, url, &options, &error), &error);
}

static void open_pool(world *self, int threads)
{
    self->pool = docket_pool_new(threads);
    made(self, "docket_pool_new", self->pool);
}

static docket_graph *new_graph(world *self, const char *name)
{
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->store, .pool = self->pool};
    docket_graph *graph = docket_graph_new(name, &options);
    made(self, "docket_graph_new", graph);
    return graph;
}

static docket_step_options options_of(world *self, docket_scope scope)
{
    return (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = &self->user, .scope = scope};
}

static void add(world *self, docket_graph *graph, const docket_step *step, docket_step_options options)
{
    came(self, "docket_graph_add", DOCKET_OK, docket_graph_add(graph, step, &options), NULL);
}

static void add_report_steps(world *self, docket_graph *graph, docket_step_options options)
{
    add(self, graph, &split_step, options);
    add(self, graph, &weigh_step, options);
    add(self, graph, &wish_step, options);
    add(self, graph, &write_report_step, options);
}

static void validate(world *self, docket_graph *graph)
{
    docket_error error = DOCKET_ERROR_INIT;
    came(self, "docket_graph_validate", DOCKET_OK, docket_graph_validate(graph, &error), &error);
}

static void build_with(world *self, docket_step_options options)
{
    open_pool(self, 2);
    self->graph = new_graph(self, "reports");
    add_report_steps(self, self->graph, options);
    validate(self, self->graph);
}

world *world_new(const scenario *at)
{
    world *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->at = at;
    if (at->sqlite) {
        self->files = folder_make();
    }
    if (at->prepare != NULL) {
        self->memory_is_back = true;
        at->prepare(self);
        self->memory_is_back = false;
    }
    return self;
}

void world_free(world *self)
{
    docket_graph_free(self->graph);
    docket_graph_free(self->inner);
    docket_store_close(self->store);
    docket_pool_free(self->pool);
    docket_cancel_free(self->cancel);
    if (self->at->sqlite) {
        folder_remove(&self->files);
    }
    free(self);
}

/* Executing. */

static void expect_report(world *self, const docket_result *result)
{
    const Report *report = DOCKET_RESULT(result, Report);
    if (report == NULL) {
        world_complain(self, "DOCKET_OK without a value");
        return;
    }
    expect_text(self, "the report", report->line, REPORT_LINE);
    if (report->titles_count != 4 || strcmp(report->titles[3].value, "fox") != 0 || report->letters != 16) {
        world_complain(self, "the report has %zu titles, %lld letters", report->titles_count,
                       (long long)report->letters);
    }
}

static docket_request request_for(const char *id, const docket_input *title)
{
    return (docket_request){
        DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Report), .inputs = title, .input_count = 1,
    };
}

static const Title the_title = {.value = TITLE_TEXT};
static const docket_input title_input = {.type = DOCKET_OF(Title), .value = &the_title};

/* True: the report came. */
static bool execute(world *self, const docket_request *request)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    docket_status status = docket_execute(self->graph, request, &result, &error);
    bool ok = came(self, "docket_execute", DOCKET_OK, status, &error);
    if (ok) {
        expect_report(self, result);
    }
    docket_result_free(result);
    return ok;
}

static void run(world *self)
{
    docket_request request = request_for("run", &title_input);
    execute(self, &request);
}

/* Nothing that a successful execution recorded is computed again; a failed one repeats at most what it had not
 * committed, so that no step is entered more than twice. */
static void run_recorded_again(world *self)
{
    int before =
        atomic_load(&self->user.splits) + atomic_load(&self->user.weighs) + atomic_load(&self->user.writes);
    docket_request request = request_for("run", &title_input);
    execute(self, &request);
    int after = atomic_load(&self->user.splits) + atomic_load(&self->user.weighs) + atomic_load(&self->user.writes);
    if (self->act_succeeded && before != after) {
        world_complain(self, "%d entries after a success, %d after its repetition", before, after);
    }
    if (atomic_load(&self->user.splits) > 2 || atomic_load(&self->user.weighs) > 2 ||
        atomic_load(&self->user.writes) > 2) {
        world_complain(self, "entries: %d, %d, %d", atomic_load(&self->user.splits),
                       atomic_load(&self->user.weighs), atomic_load(&self->user.writes));
    }
    execute(self, &request);
    if (after !=
        atomic_load(&self->user.splits) + atomic_load(&self->user.weighs) + atomic_load(&self->user.writes)) {
        world_complain(self, "what was recorded ran again");
    }
}

/* Graphs. */

static void act_build(world *self)
{
    docket_graph *graph = docket_graph_new("reports", NULL);
    if (!made(self, "docket_graph_new", graph)) {
        return;
    }
    add_report_steps(self, graph, options_of(self, DOCKET_SCOPE_NONE));
    came(self, "docket_graph_provide", DOCKET_OK, docket_graph_provide(graph, title_input), NULL);
    bool complete = !self->ran_out;
    docket_error error = DOCKET_ERROR_INIT;
    docket_status status = docket_graph_validate(graph, &error);
    came(self, "docket_graph_validate", DOCKET_OK, status, &error);
    if (!complete && status == DOCKET_OK) {
        world_complain(self, "a failed docket_graph_add or _provide was forgotten");
    }
    docket_graph_free(graph);
}

static void check_build(world *self)
{
    act_build(self);
}

static void prepare_unvalidated(world *self)
{
    open_pool(self, 1);
    self->graph = new_graph(self, "reports");
    add_report_steps(self, self->graph, options_of(self, DOCKET_SCOPE_NONE));
}

static void act_validate(world *self)
{
    validate(self, self->graph);
}

static void check_validate(world *self)
{
    validate(self, self->graph);
    run(self);
}

static void prepare_plain(world *self)
{
    build_with(self, options_of(self, DOCKET_SCOPE_NONE));
}

static void act_plan(world *self)
{
    const docket_step_info **steps = NULL;
    size_t count = 0;
    docket_error error = DOCKET_ERROR_INIT;
    docket_status status = docket_graph_plan(self->graph, DOCKET_OF(Report), &steps, &count, &error);
    if (came(self, "docket_graph_plan", DOCKET_OK, status, &error) && count != 4) {
        world_complain(self, "a plan of %zu steps", count);
    }
    docket_free(steps);
    char *dot = docket_graph_dot(self->graph);
    char *mermaid = docket_graph_mermaid(self->graph);
    if (made(self, "docket_graph_dot", dot) && strstr(dot, "Report") == NULL) {
        world_complain(self, "a picture without Report");
    }
    if (made(self, "docket_graph_mermaid", mermaid) && strstr(mermaid, "Report") == NULL) {
        world_complain(self, "a picture without Report");
    }
    docket_free(dot);
    docket_free(mermaid);
}

static void check_plan(world *self)
{
    act_plan(self);
    run(self);
}

static void prepare_cycle(world *self)
{
    self->graph = new_graph(self, "cycle");
    add(self, self->graph, &split_step, options_of(self, DOCKET_SCOPE_NONE));
    static const docket_step_input from_words = {DOCKET_OF(Words), 0};
    static docket_step back;
    back = (docket_step){.abi = DOCKET_STEP_ABI,
                         .name = "back",
                         .version = 1,
                         .input_count = 1,
                         .output = DOCKET_OF(Title),
                         .inputs = &from_words,
                         .call = split_step.call,
                         .file = __FILE__,
                         .line = __LINE__};
    add(self, self->graph, &back, options_of(self, DOCKET_SCOPE_NONE));
}

static void act_cycle(world *self)
{
    docket_error error = DOCKET_ERROR_INIT;
    came(self, "docket_graph_validate", DOCKET_CYCLE, docket_graph_validate(self->graph, &error), &error);
}

/* Executions without records. */

static void act_limited(world *self)
{
    docket_request request = request_for(NULL, &title_input);
    request.time_limit_ms = DOCKET_MINUTES(10);
    execute(self, &request);
}

static void act_cancellable(world *self)
{
    docket_cancel *cancel = docket_cancel_new();
    if (made(self, "docket_cancel_new", cancel)) {
        docket_request request = request_for(NULL, &title_input);
        request.cancel = cancel;
        execute(self, &request);
    }
    docket_cancel_free(cancel);
}

static void note_done(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void act_begin(world *self)
{
    docket_request request = request_for("run", &title_input);
    docket_error error = DOCKET_ERROR_INIT;
    docket_execution *execution = NULL;
    docket_result *result = NULL;
    atomic_int done = 0;
    docket_status status = docket_execute_begin(self->graph, &request, note_done, &done, &execution, &error);
    if (!came(self, "docket_execute_begin", DOCKET_OK, status, &error)) {
        if (execution != NULL || atomic_load(&done) != 0) {
            world_complain(self, "an execution that never began");
        }
        return;
    }
    status = docket_execution_end(execution, &result, &error);
    if (came(self, "docket_execution_end", DOCKET_OK, status, &error)) {
        expect_report(self, result);
    }
    docket_result_free(result);
    if (atomic_load(&done) != 1) {
        world_complain(self, "done was called %d times", atomic_load(&done));
    }
}

static void prepare_manual(world *self)
{
    open_pool(self, 0);
    self->graph = new_graph(self, "reports");
    add_report_steps(self, self->graph, options_of(self, DOCKET_SCOPE_NONE));
    validate(self, self->graph);
}

static void prepare_stumbling(world *self)
{
    open_pool(self, 2);
    self->graph = new_graph(self, "reports");
    docket_step_options options = options_of(self, DOCKET_SCOPE_NONE);
    options.max_attempts = 3;
    options.backoff = (docket_backoff){.kind = DOCKET_BACKOFF_FIXED, .first_ms = 1};
    add(self, self->graph, &stumble_step, options);
    add(self, self->graph, &weigh_step, options);
    add(self, self->graph, &wish_step, options);
    add(self, self->graph, &write_report_step, options);
    validate(self, self->graph);
}

/* One step only: each attempt is a fork. */
static void prepare_isolated(world *self)
{
    docket_step_options isolated = options_of(self, DOCKET_SCOPE_NONE);
    isolated.isolated = true;
    open_pool(self, 2);
    self->graph = new_graph(self, "reports");
    add(self, self->graph, &split_step, isolated);
    add(self, self->graph, &weigh_step, options_of(self, DOCKET_SCOPE_NONE));
    add(self, self->graph, &wish_step, options_of(self, DOCKET_SCOPE_NONE));
    add(self, self->graph, &write_report_step, options_of(self, DOCKET_SCOPE_NONE));
    validate(self, self->graph);
}

static void prepare_nested(world *self)
{
    open_pool(self, 2);
    open_store(self);
    self->inner = new_graph(self, "inner");
    self->user.inner = self->inner;
    add_report_steps(self, self->inner, options_of(self, DOCKET_SCOPE_WORKFLOW));
    validate(self, self->inner);
    self->graph = new_graph(self, "outer");
    add(self, self->graph, &summarize_within_step, options_of(self, DOCKET_SCOPE_WORKFLOW));
    validate(self, self->graph);
}

static void act_nested(world *self)
{
    docket_request request = request_for("run", &title_input);
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    request.output = DOCKET_OF(Summary);
    docket_status status = docket_execute(self->graph, &request, &result, &error);
    if (came(self, "docket_execute", DOCKET_OK, status, &error)) {
        expect_text(self, "the summary", DOCKET_RESULT(result, Summary)->line, REPORT_LINE);
    }
    docket_result_free(result);
}

/* Recorded executions. */

static void prepare_recorded(world *self)
{
    open_store(self);
    build_with(self, options_of(self, DOCKET_SCOPE_WORKFLOW));
}

static void prepare_global(world *self)
{
    open_store(self);
    build_with(self, options_of(self, DOCKET_SCOPE_GLOBAL));
}

static void prepare_before_end(world *self)
{
    docket_step_options options = options_of(self, DOCKET_SCOPE_WORKFLOW);
    options.commit = DOCKET_COMMIT_BEFORE_END;
    open_store(self);
    build_with(self, options);
}

static void prepare_restored(world *self)
{
    prepare_recorded(self);
    run(self);
}

static void prepare_refusing(world *self)
{
    open_store(self);
    open_pool(self, 2);
    self->graph = new_graph(self, "reports");
    docket_step_options options = options_of(self, DOCKET_SCOPE_WORKFLOW);
    add(self, self->graph, &refuse_step, options);
    add(self, self->graph, &weigh_step, options);
    add(self, self->graph, &wish_step, options);
    add(self, self->graph, &write_report_step, options);
    validate(self, self->graph);
}

static void act_refused(world *self)
{
    docket_request request = request_for("run", &title_input);
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    docket_status status = docket_execute(self->graph, &request, &result, &error);
    if (came(self, "docket_execute", DOCKET_REJECTED, status, &error)) {
        expect_text(self, "the message", error.message, "no such title: " TITLE_TEXT);
    }
    docket_result_free(result);
}

/* Two executions want the same keys: one waits and shares. */
static void act_shared(world *self)
{
    docket_request request = request_for("one", &title_input);
    docket_error error = DOCKET_ERROR_INIT;
    docket_execution *executions[2] = {NULL, NULL};
    atomic_store(&self->user.entered, 0);
    atomic_store(&self->user.holds, 1);
    docket_status status = docket_execute_begin(self->graph, &request, NULL, NULL, &executions[0], &error);
    came(self, "docket_execute_begin", DOCKET_OK, status, &error);
    for (int i = 0; i < 20 && atomic_load(&self->user.entered) == 0; i++) {
        usleep(100);
    }
    request.execution_id = "two";
    status = docket_execute_begin(self->graph, &request, NULL, NULL, &executions[1], &error);
    came(self, "docket_execute_begin", DOCKET_OK, status, &error);
    usleep(500);
    atomic_store(&self->user.holds, 0);
    for (int i = 0; i < 2; i++) {
        docket_result *result = NULL;
        if (executions[i] != NULL) {
            status = docket_execution_end(executions[i], &result, &error);
            if (came(self, "docket_execution_end", DOCKET_OK, status, &error)) {
                expect_report(self, result);
            }
        }
        docket_result_free(result);
    }
}

/* Stores. */

static void act_open(world *self)
{
    open_store(self);
    docket_store_close(self->store);
    self->store = NULL;
}

typedef struct listing {
    size_t count;
    uint8_t key[32];
} listing;

static bool note_checkpoint(void *arg, const docket_checkpoint *checkpoint)
{
    listing *list = arg;
    list->count++;
    if (checkpoint->kind == DOCKET_CHECKPOINT_VALUE) {
        memcpy(list->key, checkpoint->key, sizeof list->key);
    }
    return true;
}

static void act_list(world *self)
{
    listing list = {.count = 0};
    docket_error error = DOCKET_ERROR_INIT;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "run",
                                             .failures = true};
    docket_status status = docket_checkpoint_list(self->store, &filter, note_checkpoint, &list, &error);
    bool listed = came(self, "docket_checkpoint_list", DOCKET_OK, status, &error);
    if (listed && list.count != 4) {
        world_complain(self, "%zu checkpoints listed", list.count);
    }
    docket_buffer *bytes = docket_buffer_new();
    if (made(self, "docket_buffer_new", bytes) && listed) {
        status = docket_checkpoint_read(self->store, list.key, bytes, &error);
        if (came(self, "docket_checkpoint_read", DOCKET_OK, status, &error) &&
            docket_buffer_bytes(bytes).size == 0) {
            world_complain(self, "a value of no bytes was read");
        }
    }
    docket_buffer_free(bytes);
}

static void act_forget(world *self)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "weigh"};
    uint64_t forgotten = 0;
    docket_status status = docket_checkpoint_forget(self->store, &filter, &forgotten, &error);
    came(self, "docket_checkpoint_forget", DOCKET_OK, status, &error);
    if (forgotten > 1 || (status == DOCKET_OK && forgotten != 1)) {
        world_complain(self, "%d checkpoints forgotten", (int)forgotten);
    }
    uint64_t purged = 0;
    status = docket_store_purge(self->store, &purged, &error);
    if (came(self, "docket_store_purge", DOCKET_OK, status, &error) && purged != 0) {
        world_complain(self, "%d checkpoints purged", (int)purged);
    }
}

static void check_forget(world *self)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "weigh"};
    came(self, "docket_checkpoint_forget", DOCKET_OK, docket_checkpoint_forget(self->store, &filter, NULL, &error),
         &error);
    run(self);
    if (atomic_load(&self->user.weighs) != 2 || atomic_load(&self->user.splits) != 1) {
        world_complain(self, "what was forgotten ran %d times in all, what was not %d times",
                       atomic_load(&self->user.weighs), atomic_load(&self->user.splits));
    }
}

/* Types and small things. */

static void act_types(world *self)
{
    uint8_t fingerprint[32];
    docket_error error = DOCKET_ERROR_INIT;
    const char *words[] = {"a", "b"};
    const Words value = {.text = "a b", .words = words, .words_count = 2, .title = &the_title};
    came(self, "docket_type_check", DOCKET_OK, docket_type_check(DOCKET_OF(Report), &error), &error);
    came(self, "docket_type_fingerprint", DOCKET_OK,
         docket_type_fingerprint(DOCKET_OF(Report), fingerprint, &error), &error);
    docket_buffer *bytes = docket_buffer_new();
    docket_arena *arena = docket_arena_new();
    if (made(self, "docket_buffer_new", bytes) && made(self, "docket_arena_new", arena)) {
        docket_status status = docket_encode(DOCKET_OF(Words), &value, bytes, &error);
        Words copy = {.text = NULL};
        if (came(self, "docket_encode", DOCKET_OK, status, &error)) {
            status = docket_decode(DOCKET_OF(Words), docket_buffer_bytes(bytes), arena, &copy, &error);
            if (came(self, "docket_decode", DOCKET_OK, status, &error)) {
                expect_text(self, "the title", copy.title->value, TITLE_TEXT);
            }
        }
    }
    docket_buffer_free(bytes);
    docket_arena_free(arena);
    open_pool(self, 3);
    docket_pool_free(self->pool);
    self->pool = NULL;
}

static void act_record(world *self)
{
    static const uint8_t digests[64] = {1};
    const docket_record record = {.format = DOCKET_RECORD_FORMAT,
                                  .execution_id = "run",
                                  .step = "split",
                                  .type = "Words",
                                  .input_digests = digests,
                                  .input_count = 2,
                                  .value = {digests, 40}};
    docket_record *copy = docket_record_copy(&record);
    if (made(self, "docket_record_copy", copy)) {
        expect_text(self, "the copied step", copy->step, "split");
    }
    docket_record_free(copy);
}

/* Files that docket keeps. */

DOCKET_STRUCT(Album, (FILE, picture), (STRING, label));

static docket_status paint(docket_ctx *ctx, Album *out, const Title *title)
{
    const char *path;
    out->label = docket_strdup(ctx, title->value);
    docket_status status = docket_file_new(ctx, &path, "picture.png");
    if (status != DOCKET_OK) {
        return status;
    }
    if (!file_write(path, title->value, strlen(title->value))) {
        return docket_fail(ctx, 0, "cannot write");
    }
    return docket_file_keep(ctx, &out->picture, path);
}
DOCKET_STEP(paint, Album, Title);

static void prepare_album(world *self)
{
    docket_step_options options = options_of(self, DOCKET_SCOPE_GLOBAL);
    open_store(self);
    open_pool(self, 1);
    self->graph = new_graph(self, "albums");
    options.store = self->store;
    add(self, self->graph, &paint_step, options);
    validate(self, self->graph);
}

static void act_album(world *self)
{
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "paint"};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Album), .inputs = &title_input,
                                    .input_count = 1};
    docket_error error = DOCKET_ERROR_INIT;
    for (int round = 0; round < 2; round++) {
        docket_result *result = NULL;
        docket_status status = docket_execute(self->graph, &request, &result, &error);
        if (came(self, "docket_execute", DOCKET_OK, status, &error) &&
            !file_exists(DOCKET_RESULT(result, Album)->picture.path)) {
            world_complain(self, "the picture is not there");
        }
        docket_result_free(result);
    }
    came(self, "docket_store_purge", DOCKET_OK, docket_store_purge(self->store, NULL, &error), &error);
    came(self, "docket_checkpoint_forget", DOCKET_OK, docket_checkpoint_forget(self->store, &all, NULL, &error),
         &error);
}

static void check_album(world *self)
{
    char path[FOLDER_PATH_ROOM];
    docket_error error = DOCKET_ERROR_INIT;
    act_album(self);
    came(self, "docket_store_purge", DOCKET_OK, docket_store_purge(self->store, NULL, &error), &error);
    if (folder_entry_count(folder_file(&self->files, "store.db-files", path)) != 1) {
        world_complain(self, "files are left that nobody needs");
    }
}

#define BOTH(name, at_least, prepare, act, check)              \
    {name " in memory", at_least, false, prepare, act, check}, \
    {                                                          \
        name " in sqlite", at_least, true, prepare, act, check \
    }

const scenario scenarios[] = {
    {"types", 5, false, NULL, act_types, act_types},
    {"records", 1, false, NULL, act_record, act_record},
    {"build", 15, false, NULL, act_build, check_build},
    {"validate", 2, false, prepare_unvalidated, act_validate, check_validate},
    {"cycle", 1, false, prepare_cycle, act_cycle, act_cycle},
    {"plan", 4, false, prepare_plain, act_plan, check_plan},
    {"execute", 5, false, prepare_plain, run, run},
    {"limited", 5, false, prepare_plain, act_limited, act_limited},
    {"cancellable", 5, false, prepare_plain, act_cancellable, act_cancellable},
    {"begin", 5, false, prepare_plain, act_begin, act_begin},
    {"manual pool", 5, false, prepare_manual, act_begin, act_begin},
    {"retries", 5, false, prepare_stumbling, run, run},
    {"isolated", 5, false, prepare_isolated, run, run},
    BOTH("open", 3, NULL, act_open, act_open),
    BOTH("recorded", 20, prepare_recorded, run, run_recorded_again),
    BOTH("recorded for all", 20, prepare_global, run, run_recorded_again),
    BOTH("recorded before the end", 20, prepare_before_end, run, run_recorded_again),
    BOTH("begin recorded", 20, prepare_recorded, act_begin, run_recorded_again),
    BOTH("restored", 10, prepare_restored, run, run_recorded_again),
    BOTH("refused", 10, prepare_refusing, act_refused, act_refused),
    BOTH("nested", 20, prepare_nested, act_nested, act_nested),
    BOTH("shared", 20, prepare_global, act_shared, act_shared),
    {"kept files", 20, true, prepare_album, act_album, check_album},
    BOTH("list", 3, prepare_restored, act_list, act_list),
    BOTH("forget", 0, prepare_restored, act_forget, check_forget),
    {NULL, 0, false, NULL, NULL, NULL},
};
