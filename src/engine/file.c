/* Files in values: described by steps, and checked when a value is restored. */
#include "engine/file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "type/file.h"

#include <docket/file.h>

static docket_status describe(docket_arena *arena, bool (*stops)(void *), void *arg, const char *path,
                              docket_file *file, docket_error *error)
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
    docket_status status = docket__file_digest(path, stops, arg, &read.size, read.sha256, error);
    if (status == DOCKET_OK && arena != NULL) {
        read.path = docket__arena_duplicate(arena, path);
        status = read.path == NULL ? docket__error_no_memory(error) : DOCKET_OK;
    }
    if (status == DOCKET_OK) {
        *file = read;
    }
    return status;
}

static bool should_stop(void *ctx)
{
    return docket_cancelled(ctx);
}

docket_status docket_file_describe(docket_ctx *ctx, docket_file *file, const char *path)
{
    docket_error error;
    docket_status status = describe(&ctx->memory, should_stop, ctx, path, file, &error);
    switch (status) {
    case DOCKET_FAILED:
        return docket_fail(ctx, error.code, "%s", error.message);
    case DOCKET_OK:
    case DOCKET_CANCELLED:
        return status;
    default:
        return docket_fail_from(ctx, &error);
    }
}

docket_status docket_file_describe_in(docket_arena *arena, docket_file *file, const char *path, docket_error *error)
{
    return describe(arena, NULL, NULL, path, file, error);
}

/* The files of a restored value. */

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
    self->status = docket__file_digest(file->path, should_stop, self->ctx, &now.size, now.sha256, self->error);
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
