/* Files in values: described by steps or made by them, recorded, and checked when a value is restored. */
#include "engine/file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "type/codec.h"
#include "type/file.h"

#include <docket/file.h>

/* Reading. */

static const uint64_t least_stride_bytes = UINT64_C(16) << 20;

/* Of one file at a time. */
typedef struct progress {
    docket_ctx *ctx;
    bool silent;         /* in a child of its own there is nobody to tell */
    uint64_t next_bytes; /* 0 = a new file */
} progress;

/* A hundred times per file, and not for every small one. */
static bool report_progress(void *arg, const char *path, uint64_t done_bytes, uint64_t size_bytes)
{
    progress *self = arg;
    uint64_t stride_bytes = size_bytes / 100 > least_stride_bytes ? size_bytes / 100 : least_stride_bytes;
    if (done_bytes == 0) {
        self->next_bytes = stride_bytes;
    } else if (done_bytes >= self->next_bytes && done_bytes < size_bytes) {
        self->next_bytes = done_bytes + stride_bytes;
        if (!self->silent && docket__observed(self->ctx->execution)) {
            docket_event event = {.kind = DOCKET_EVENT_PROGRESS,
                                  .reason = path,
                                  .done_bytes = done_bytes,
                                  .size_bytes = (size_t)size_bytes};
            docket__event_emit(self->ctx->execution, self->ctx, &event);
        }
    }
    return !docket_cancelled(self->ctx);
}

/* Describing. */

static docket_status describe(docket_arena *arena, const docket__watch *watch, const char *path, docket_file *file,
                              docket_error *error)
{
    docket__error_clear(error);
    *file = (docket_file){0};
    if (path == NULL || path[0] == '\0' || !docket__utf8_valid(path, strlen(path))) {
        return docket__error_set(error, DOCKET_FAILED, "a file's path must be a text of valid UTF-8, but is %s",
                                 path == NULL      ? "NULL"
                                 : path[0] == '\0' ? "empty"
                                                   : "not");
    }
    docket_file read = {.path = path};
    docket_status status = docket__file_digest(path, watch, &read.size, read.sha256, error);
    if (status == DOCKET_OK && arena != NULL) {
        read.path = docket__arena_duplicate(arena, path);
        status = read.path == NULL ? docket__error_no_memory(error) : DOCKET_OK;
    }
    if (status == DOCKET_OK) {
        *file = read;
    }
    return status;
}

/* For the step to return. */
static docket_status answer(docket_ctx *ctx, docket_status status, const docket_error *error)
{
    switch (status) {
    case DOCKET_FAILED:
        return docket_fail(ctx, error->code, "%s", error->message);
    case DOCKET_REJECTED:
        return docket_reject(ctx, error->code, "%s", error->message);
    case DOCKET_OK:
    case DOCKET_CANCELLED:
        return status;
    default:
        return docket_fail_from(ctx, error);
    }
}

docket_status docket_file_describe(docket_ctx *ctx, docket_file *file, const char *path)
{
    docket_error error;
    progress seen = {.ctx = ctx, .silent = ctx->step->options.isolated};
    docket_status status = describe(&ctx->memory, &(docket__watch){report_progress, &seen}, path, file, &error);
    return answer(ctx, status, &error);
}

docket_status docket_file_describe_in(docket_arena *arena, docket_file *file, const char *path, docket_error *error)
{
    return describe(arena, NULL, path, file, error);
}

/* Making. */

static docket__depot *depot_of(const docket_ctx *ctx)
{
    bool records = ctx->step->info.scope != DOCKET_SCOPE_NONE;
    return records ? docket__store_depot(ctx->step->options.store) : NULL;
}

static docket_status open_desk(docket_ctx *ctx, docket__depot *depot, docket_error *error)
{
    if (ctx->drafts != NULL) {
        return DOCKET_OK;
    }
    docket__drafts *drafts = docket__allocate(sizeof *drafts);
    if (drafts == NULL) {
        return docket__error_no_memory(error);
    }
    drafts->depot = docket__depot_ref(depot);
    drafts->desk = docket__random_number();
    ctx->drafts = drafts;
    return DOCKET_OK;
}

void docket__files_prepare(docket_ctx *ctx)
{
    docket_error ignored;
    docket__depot *depot = depot_of(ctx);
    if (depot != NULL && depot->owner != 0 && open_desk(ctx, depot, &ignored) != DOCKET_OK) {
        ctx->memory.failed = true;
    }
}

/* The step's desk, or why it can have none. */
static docket_status find_desk(docket_ctx *ctx, docket_error *error)
{
    docket__depot *depot = depot_of(ctx);
    if (ctx->step->info.scope == DOCKET_SCOPE_NONE) {
        return docket__error_set(
            error, DOCKET_REJECTED,
            "step \"%s\" records nothing, and a file that it keeps would belong to no record: give "
            "it a scope, or describe a file of its own",
            ctx->step->info.name);
    }
    if (depot == NULL) {
        return docket__error_set(
            error, DOCKET_REJECTED,
            "the store %s keeps no files: record the step in a sqlite: store, or describe a file "
            "of its own",
            docket__store_name(ctx->step->options.store));
    }
    if (depot->owner == 0) {
        return docket__error_set(error, DOCKET_STORE, "the store %s was opened read-only and keeps no files",
                                 docket__store_name(ctx->step->options.store));
    }
    return open_desk(ctx, depot, error);
}

docket_status docket_file_new(docket_ctx *ctx, const char **path, const char *name)
{
    docket_error error = DOCKET_ERROR_INIT;
    *path = NULL;
    docket_status status = find_desk(ctx, &error);
    if (status == DOCKET_OK) {
        status = docket__depot_draft(ctx->drafts->depot, ctx->drafts->desk, name, &ctx->memory, path, &error);
    }
    return answer(ctx, status, &error);
}

docket_status docket_file_keep(docket_ctx *ctx, docket_file *file, const char *path)
{
    docket_error error = DOCKET_ERROR_INIT;
    progress seen = {.ctx = ctx, .silent = ctx->step->options.isolated};
    *file = (docket_file){0};
    docket_status status = find_desk(ctx, &error);
    if (status == DOCKET_OK) {
        status = docket__depot_keep(ctx->drafts->depot, ctx->drafts->desk, path == NULL ? "" : path,
                                    &(docket__watch){report_progress, &seen}, &ctx->memory, file, &error);
    }
    return answer(ctx, status, &error);
}

void docket__files_settle(docket_ctx *ctx, bool succeeded)
{
    if (ctx->drafts != NULL) {
        docket__depot_clear(ctx->drafts->depot, ctx->drafts->desk, !succeeded);
    }
}

void docket__files_leave(docket_ctx *ctx)
{
    docket_execution *execution = ctx->execution;
    if (ctx->drafts != NULL) {
        pthread_mutex_lock(&execution->lock);
        ctx->drafts->next = execution->drafts;
        execution->drafts = ctx->drafts;
        pthread_mutex_unlock(&execution->lock);
        ctx->drafts = NULL;
    }
}

void docket__files_release(docket_execution *execution)
{
    while (execution->drafts != NULL) {
        docket__drafts *drafts = execution->drafts;
        execution->drafts = drafts->next;
        docket__depot_clear(drafts->depot, drafts->desk, true);
        docket__depot_unref(drafts->depot);
        docket__free(drafts);
    }
}

/* Recording and restoring: a managed file's path in a record does not depend on where the store is. */

typedef struct recording {
    docket_ctx *ctx;
    docket__depot *depot;
    size_t count;
    docket_status status;
    docket_error *error;
} recording;

static bool count_managed(void *arg, const docket_file *file)
{
    recording *self = arg;
    self->count += docket__depot_name(self->depot, file) != NULL;
    return true;
}

/* Held from here on, for those that others kept and this value passes on. */
static const char *rewrite_to_recorded(void *arg, const docket_file *file)
{
    recording *self = arg;
    docket_ctx *ctx = self->ctx;
    const char *name = docket__depot_name(self->depot, file);
    if (name == NULL) {
        return file->path;
    }
    self->status = docket__depot_hold(self->depot, ctx->drafts->desk, name, self->error);
    const char *path = self->status == DOCKET_OK ? docket__depot_recorded_path(name, &ctx->memory) : NULL;
    if (path != NULL) {
        ctx->files[ctx->file_count++] = path + strlen(path) - strlen(name);
    }
    return path;
}

docket_status docket__files_record(docket_ctx *ctx, const docket_type *type, const void **value,
                                   docket_error *error)
{
    recording self = {.ctx = ctx, .depot = depot_of(ctx), .error = error};
    ctx->file_count = 0;
    if (self.depot == NULL || self.depot->owner == 0) {
        return DOCKET_OK;
    }
    docket__type_visit_files(type, *value, count_managed, &self);
    if (self.count == 0) {
        return DOCKET_OK;
    }
    void *copy = docket__arena_allocate(&ctx->memory, type->size, docket__type_alignment(type));
    ctx->files = docket__arena_allocate_array(&ctx->memory, self.count, sizeof *ctx->files, _Alignof(const char *));
    if (copy == NULL || ctx->files == NULL) {
        return docket__error_no_memory(error);
    }
    docket_status status = docket__type_copy(type, *value, &ctx->memory, copy, error);
    if (status == DOCKET_OK) {
        status = open_desk(ctx, self.depot, error);
    }
    if (status == DOCKET_OK && !docket__type_rewrite_files(type, copy, rewrite_to_recorded, &self)) {
        status = self.status == DOCKET_OK ? docket__error_no_memory(error) : self.status;
    }
    *value = copy;
    return status;
}

static const char *rewrite_to_path(void *arg, const docket_file *file)
{
    docket_ctx *ctx = arg;
    const char *name = docket__depot_recorded_name(file);
    return name == NULL ? file->path : docket__depot_path(depot_of(ctx), name, &ctx->memory);
}

docket_status docket__files_resolve(docket_ctx *ctx, const docket_type *type, void *value, docket_error *error)
{
    if (depot_of(ctx) == NULL || docket__type_rewrite_files(type, value, rewrite_to_path, ctx)) {
        return DOCKET_OK;
    }
    return docket__error_no_memory(error);
}

docket_status docket_file_locate(docket_store *store, docket_arena *arena, docket_file *file, docket_error *error)
{
    docket__error_clear(error);
    if (store == NULL || arena == NULL || file == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_file_locate: %s is NULL",
                                 store == NULL   ? "store"
                                 : arena == NULL ? "arena"
                                                 : "file");
    }
    const char *name = file->path == NULL ? NULL : docket__depot_recorded_name(file);
    const docket__depot *depot = docket__store_depot(store);
    if (name == NULL || depot == NULL) {
        return DOCKET_OK;
    }
    const char *path = docket__depot_path(depot, name, arena);
    if (path == NULL) {
        return docket__error_no_memory(error);
    }
    file->path = path;
    return DOCKET_OK;
}

/* Checking: the files of a restored value. */

typedef struct checking {
    docket_ctx *ctx;
    docket_status status;
    docket_error *error;
} checking;

static bool check_file(void *arg, const docket_file *file)
{
    checking *self = arg;
    if (!docket__file_has_size(file->path, file->size)) {
        self->status = DOCKET_MISSING;
        return false;
    }
    if (!self->ctx->step->options.verify_files) {
        return true;
    }
    docket_file now = {0};
    progress seen = {.ctx = self->ctx};
    self->status = docket__file_digest(file->path, &(docket__watch){report_progress, &seen}, &now.size, now.sha256,
                                       self->error);
    bool same = now.size == file->size && memcmp(now.sha256, file->sha256, sizeof now.sha256) == 0;
    if (self->status == DOCKET_FAILED || (self->status == DOCKET_OK && !same)) {
        self->status = DOCKET_MISSING; /* what cannot be read is not what was recorded */
    }
    return self->status == DOCKET_OK;
}

docket_status docket__files_check(docket_ctx *ctx, const docket_type *type, const void *value, docket_error *error)
{
    checking self = {ctx, DOCKET_OK, error};
    docket__type_visit_files(type, value, check_file, &self);
    return self.status;
}
