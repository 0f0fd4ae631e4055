/* The type room turns values into bytes and back. It owns nothing and keeps no state: descriptors belong to the
 * program, and every function may be called from any thread at once.
 *
 *   codec.c        the public functions: which codec a type has, and one way to report failures
 *   encode.c       plain structs to protobuf bytes     decode.c   and back, from hostile bytes too
 *   settle.c       fresh and copied values in the form of restored ones
 *   check.c        what a descriptor must be           fingerprint.c   what its layout amounts to
 *   schema.c       a descriptor as bytes               file.c         files as members
 *
 * Invariant: a struct type never contains itself, so descriptors are at most 100 deep and every walk ends. Messages
 * may; tree.c knows how to walk them, and their codecs are not in this room. */
#include "type/codec.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "type/plain.h"

#include <string.h>

typedef docket_status encode_fn(const docket_type *type, const void *value, docket_buffer *out,
                                docket_error *error);

static docket_status refuse_resource(docket_error *error)
{
    return docket__error_set(error, DOCKET_INVALID, "a resource has no bytes");
}

static docket_status check_blob(docket_bytes bytes, docket_error *error)
{
    if (bytes.size > 0 && bytes.data == NULL) {
        return docket__error_set(error, DOCKET_ENCODE, "the bytes have a size, but their data is NULL");
    }
    return DOCKET_OK;
}

static docket_bytes load_blob(const void *value)
{
    docket_bytes bytes;
    memcpy(&bytes, value, sizeof bytes);
    return bytes;
}

static docket_status store_blob(docket_bytes bytes, docket_arena *arena, void *value, docket_error *error)
{
    if (bytes.size > 0) {
        bytes.data = docket__arena_copy(arena, bytes.data, bytes.size);
        if (bytes.data == NULL) {
            return docket__error_no_memory(error);
        }
        memcpy(value, &bytes, sizeof bytes);
    }
    return DOCKET_OK;
}

static docket_status encode(const docket_type *type, const void *value, docket_buffer *out, docket_error *error)
{
    const docket_type *base = docket__type_base(type);
    if (base->flags & DOCKET_TYPE_STRUCT) {
        return docket__plain_encode(type, value, out, error);
    }
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        return refuse_resource(error);
    }
    if ((base->flags & DOCKET_TYPE_BLOB) == 0) {
        return base->encode(base, value, out, error);
    }
    docket_bytes bytes = load_blob(value);
    docket_status status = check_blob(bytes, error);
    return status == DOCKET_OK ? docket__buffer_append(out, bytes.data, bytes.size) : status;
}

static docket_status encode_key(const docket_type *type, const void *value, docket_buffer *out, docket_error *error)
{
    const docket_type *base = docket__type_base(type);
    if (base->encode_key != NULL) {
        return base->encode_key(base, value, out, error);
    }
    return base->flags & DOCKET_TYPE_STRUCT ? docket__plain_encode_key(type, value, out, error)
                                            : encode(type, value, out, error);
}

static docket_status decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                            docket_error *error)
{
    const docket_type *base = docket__type_base(type);
    if (base->flags & DOCKET_TYPE_STRUCT) {
        return docket__plain_decode(type, bytes, arena, value, error);
    }
    if (base->flags & DOCKET_TYPE_BLOB) {
        return store_blob(bytes, arena, value, error);
    }
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        return refuse_resource(error);
    }
    return base->decode(base, bytes, arena, value, error);
}

static docket_status copy_through_bytes(const docket_type *base, const void *from, docket_arena *arena, void *value,
                                        docket_error *error)
{
    docket_buffer bytes = {0};
    docket_status status = base->encode(base, from, &bytes, error);
    if (status == DOCKET_OK && bytes.failed) {
        status = DOCKET_NO_MEMORY;
    }
    if (status == DOCKET_OK) {
        status = base->decode(base, docket_buffer_bytes(&bytes), arena, value, error);
    }
    docket__buffer_release(&bytes);
    return status;
}

static docket_status copy(const docket_type *type, const void *from, docket_arena *arena, void *value,
                          docket_error *error)
{
    const docket_type *base = docket__type_base(type);
    if (base->copy != NULL) {
        return base->copy(base, from, arena, value, error);
    }
    if (base->flags & DOCKET_TYPE_STRUCT) {
        return docket__plain_copy(type, from, arena, value, error);
    }
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        return refuse_resource(error);
    }
    if ((base->flags & DOCKET_TYPE_BLOB) == 0) {
        return copy_through_bytes(base, from, arena, value, error);
    }
    docket_status status = check_blob(load_blob(from), error);
    return status == DOCKET_OK ? store_blob(load_blob(from), arena, value, error) : status;
}

/* A hand-written codec may have failed without a word, or have overlooked that memory ran out. */
static docket_status finish(const docket_type *type, docket_status status, bool is_out_of_memory,
                            docket_error *error)
{
    if (status == DOCKET_OK && is_out_of_memory) {
        status = DOCKET_NO_MEMORY;
    }
    if (status == DOCKET_OK || error == NULL) {
        return status;
    }
    if (error->status != status) {
        docket__error_set(error, status, "%s", docket_status_text(status));
    }
    docket__error_set_type(error, type->name);
    return status;
}

static docket_status run_encode(encode_fn *run, const docket_type *type, const void *value, docket_buffer *out,
                                docket_error *error)
{
    docket__error_clear(error);
    size_t start = out->size;
    docket_status status = run(type, value, out, error);
    status = finish(type, status, out->failed, error);
    if (status != DOCKET_OK) {
        docket__buffer_truncate(out, start);
    }
    return status;
}

docket_status docket_encode(const docket_type *type, const void *value, docket_buffer *out, docket_error *error)
{
    return run_encode(encode, type, value, out, error);
}

docket_status docket__type_encode_key(const docket_type *type, const void *value, docket_buffer *out,
                                      docket_error *error)
{
    return run_encode(encode_key, type, value, out, error);
}

docket_status docket_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                            docket_error *error)
{
    docket__error_clear(error);
    bool had_failed = arena->failed;
    docket_status status = decode(type, bytes, arena, value, error);
    status = finish(type, status, arena->failed && !had_failed, error);
    if (status != DOCKET_OK) {
        memset(value, 0, docket__type_base(type)->size);
    }
    return status;
}

docket_status docket__type_copy(const docket_type *type, const void *from, docket_arena *arena, void *value,
                                docket_error *error)
{
    docket__error_clear(error);
    bool had_failed = arena->failed;
    docket_status status = copy(type, from, arena, value, error);
    status = finish(type, status, arena->failed && !had_failed, error);
    if (status != DOCKET_OK) {
        memset(value, 0, docket__type_base(type)->size);
    }
    return status;
}

static bool is_plain_number(const docket_field *field)
{
    return field->label == DOCKET_LABEL_ONE && field->kind != DOCKET_KIND_BOOL &&
           field->kind != DOCKET_KIND_STRING && field->kind != DOCKET_KIND_BYTES &&
           field->kind != DOCKET_KIND_STRUCT && field->kind != DOCKET_KIND_FILE;
}

bool docket__type_needs_seal(const docket_type *type)
{
    const docket_type *base = docket__type_base(type);
    if (base->seal != NULL) {
        return true;
    }
    if ((base->flags & DOCKET_TYPE_STRUCT) == 0) {
        return (base->flags & DOCKET_TYPE_BLOB) != 0;
    }
    for (size_t i = 0; i < base->schema->field_count; i++) {
        if (!is_plain_number(&base->schema->fields[i])) {
            return true;
        }
    }
    return false;
}

static docket_status seal_blob(void *value, docket_error *error)
{
    docket_bytes bytes = load_blob(value);
    if (bytes.size == 0) {
        memset(value, 0, sizeof bytes);
    }
    return check_blob(bytes, error);
}

docket_status docket__type_seal(const docket_type *type, void *value, docket_arena *arena, docket_error *error)
{
    docket__error_clear(error);
    if (!docket__type_needs_seal(type)) {
        return DOCKET_OK;
    }
    const docket_type *base = docket__type_base(type);
    bool had_failed = arena->failed;
    docket_status status;
    if (base->seal != NULL) {
        status = base->seal(base, value, arena, error);
    } else if (base->flags & DOCKET_TYPE_STRUCT) {
        status = docket__plain_seal(type, value, arena, error);
    } else {
        status = seal_blob(value, error);
    }
    return finish(type, status, arena->failed && !had_failed, error);
}
