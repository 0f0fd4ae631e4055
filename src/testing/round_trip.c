/* Sends a value through every codec and back, and compares bytes with those that it had at first. */
#include "testing/inside.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CUTS = 4096, PLACE_ROOM = 512 };

typedef struct trip {
    const docket_type *type, *base;
    const void *value;
    docket_buffer *bytes, *key; /* of the value itself */
    docket_buffer *other;       /* of what came back */
    docket_arena *arena;
    docket_error *error;
} trip;

static docket_status no_memory(trip *of)
{
    return docket__test_fail(of->error, DOCKET_NO_MEMORY, "memory is exhausted");
}

/* Zeroed room for a value, aligned as its type asks for. */
static void *new_value(trip *of)
{
    size_t alignment = of->type->alignment > 16 ? of->type->alignment : 16;
    uintptr_t room = (uintptr_t)docket_arena_alloc(of->arena, of->type->size + alignment);
    return room == 0 ? NULL : (void *)((room + alignment - 1) / alignment * alignment);
}

static docket_bytes bytes_of(const docket_buffer *buffer)
{
    return docket_buffer_bytes(buffer);
}

static bool same(docket_bytes a, docket_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static docket_status encode_key(trip *of, const void *value, docket_buffer *out)
{
    return of->base->encode_key != NULL ? of->base->encode_key(of->base, value, out, of->error) : DOCKET_OK;
}

static docket_status renew(trip *of, docket_buffer **buffer)
{
    docket_buffer_free(*buffer);
    *buffer = docket_buffer_new();
    return *buffer != NULL ? DOCKET_OK : no_memory(of);
}

/* Whether a value that came back has the bytes and the key of the first. */
static docket_status compare(trip *of, const void *value, const char *way)
{
    char place[PLACE_ROOM];
    docket_status status = renew(of, &of->other);
    if (status == DOCKET_OK && (status = docket_encode(of->type, value, of->other, of->error)) != DOCKET_OK) {
        return docket__test_explain(of->error, status, "%s and encoded: ", way);
    }
    if (status == DOCKET_OK && !same(bytes_of(of->bytes), bytes_of(of->other))) {
        docket__test_difference(of->type, bytes_of(of->bytes), bytes_of(of->other), place, sizeof place);
        return docket__test_fail(of->error, DOCKET_CORRUPT, "%s, the value is another one: %s", way, place);
    }
    status = status == DOCKET_OK ? renew(of, &of->other) : status;
    if (status == DOCKET_OK && (status = encode_key(of, value, of->other)) != DOCKET_OK) {
        return docket__test_explain(of->error, status, "%s and encoded for a key: ", way);
    }
    if (status == DOCKET_OK && !same(bytes_of(of->key), bytes_of(of->other))) {
        return docket__test_fail(of->error, DOCKET_CORRUPT,
                                 "%s, the value has other key bytes, although its own bytes are the same: %s", way,
                                 of->type->name);
    }
    return status;
}

static docket_status try_decode(trip *of)
{
    void *back = new_value(of);
    if (back == NULL) {
        return no_memory(of);
    }
    docket_status status = docket_decode(of->type, bytes_of(of->bytes), of->arena, back, of->error);
    return status == DOCKET_OK ? compare(of, back, "decoded")
                               : docket__test_explain(of->error, status, "decoding its own bytes: ");
}

static docket_status try_copy(trip *of)
{
    void *copy = new_value(of);
    if (of->base->copy == NULL) {
        return DOCKET_OK;
    }
    if (copy == NULL) {
        return no_memory(of);
    }
    docket_status status = of->base->copy(of->base, of->value, of->arena, copy, of->error);
    return status == DOCKET_OK ? compare(of, copy, "copied")
                               : docket__test_explain(of->error, status, "copying it: ");
}

/* JSON. */

/* Three stars cannot be read back. Types that contain themselves are followed a few turns. */
static bool has_secrets(const docket_type *type, docket_arena *arena, int turns)
{
    const docket_type *described = type;
    while (described->flags & DOCKET_TYPE_ALIAS) {
        described = described->base;
    }
    if (described->describe != NULL && described->schema == NULL) {
        (void)described->describe(described, arena, &described, NULL);
    }
    const docket_schema *schema = described->schema;
    for (size_t i = 0; schema != NULL && i < schema->field_count; i++) {
        const docket_field *field = &schema->fields[i];
        if ((field->flags & DOCKET_FIELD_SECRET) ||
            (field->type != NULL && turns > 0 && has_secrets(field->type, arena, turns - 1))) {
            return true;
        }
    }
    return false;
}

static docket_status try_json(trip *of)
{
    enum { TURNS = 8 };
    docket_buffer *text = docket_buffer_new();
    void *back = new_value(of);
    if (text == NULL || back == NULL) {
        docket_buffer_free(text);
        return no_memory(of);
    }
    docket_status status = docket_json_write(of->type, of->value, NULL, text, of->error);
    if (status != DOCKET_OK) {
        docket__test_explain(of->error, status, "writing it as JSON: ");
    } else if (!has_secrets(of->type, of->arena, TURNS)) {
        docket_bytes json = docket_buffer_bytes(text);
        status = docket_json_read(of->type, (const char *)json.data, json.size, NULL, of->arena, back, of->error);
        if (status == DOCKET_OK) {
            status = compare(of, back, "written as JSON and read again");
        } else if (status == DOCKET_UNSUPPORTED) {
            status = DOCKET_OK;
        } else {
            docket__test_explain(of->error, status, "reading its own JSON: ");
        }
    }
    docket_buffer_free(text);
    return status;
}

/* Codecs that the program wrote. */

static docket_status try_append(trip *of)
{
    static const uint8_t before[] = {1, 2, 3};
    docket_status status = renew(of, &of->other);
    status = status == DOCKET_OK ? docket_buffer_append(of->other, before, sizeof before) : status;
    status = status == DOCKET_OK ? docket_encode(of->type, of->value, of->other, of->error) : status;
    docket_bytes all = bytes_of(of->other);
    docket_bytes bytes = bytes_of(of->bytes);
    if (status == DOCKET_OK &&
        (all.size != bytes.size + sizeof before || memcmp(all.data, before, sizeof before) != 0 ||
         !same((docket_bytes){all.data + sizeof before, bytes.size}, bytes))) {
        return docket__test_fail(of->error, DOCKET_CORRUPT, "%s: encode does not append to what is in the buffer",
                                 of->type->name);
    }
    return status;
}

/* One cut, in a block that ends where the bytes do, so that AddressSanitizer sees who reads beyond. */
static docket_status decode_cut(trip *of, size_t size)
{
    docket_arena *arena = docket_arena_new();
    docket_error ignored = DOCKET_ERROR_INIT;
    uint8_t *cut = malloc(size > 0 ? size : 1);
    void *back = new_value(of);
    docket_status status = arena == NULL || cut == NULL || back == NULL ? no_memory(of) : DOCKET_OK;
    if (status == DOCKET_OK) {
        if (size > 0) {
            memcpy(cut, bytes_of(of->bytes).data, size);
        }
        docket_status answer = docket_decode(of->type, (docket_bytes){cut, size}, arena, back, &ignored);
        if (answer != DOCKET_OK && answer != DOCKET_CORRUPT && answer != DOCKET_NO_MEMORY) {
            status =
                docket__test_fail(of->error, DOCKET_CORRUPT,
                                  "%s: decode answers %s to its bytes cut off after %zu, where DOCKET_CORRUPT is "
                                  "expected",
                                  of->type->name, docket_status_name(answer), size);
        }
    }
    free(cut);
    docket_arena_free(arena);
    return status;
}

static docket_status try_cuts(trip *of)
{
    docket_status status = DOCKET_OK;
    size_t size = bytes_of(of->bytes).size;
    size_t stride = size / MOST_CUTS + 1;
    for (size_t at = 0; at < size && status == DOCKET_OK; at += stride) {
        status = decode_cut(of, at);
    }
    return status;
}

/* All of it. */

static docket_status begin(trip *of)
{
    of->bytes = docket_buffer_new();
    of->key = docket_buffer_new();
    of->arena = docket_arena_new();
    if (of->bytes == NULL || of->key == NULL || of->arena == NULL) {
        return no_memory(of);
    }
    docket_status status = docket_encode(of->type, of->value, of->bytes, of->error);
    if (status == DOCKET_OK && (status = encode_key(of, of->value, of->key)) != DOCKET_OK) {
        docket__test_explain(of->error, status, "encoding it for a key: ");
    }
    return status;
}

static docket_status travel(trip *of)
{
    bool is_own = (of->base->flags & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_BLOB | DOCKET_TYPE_MESSAGE)) == 0;
    docket_status status = begin(of);
    status = status == DOCKET_OK ? compare(of, of->value, "encoded a second time") : status;
    status = status == DOCKET_OK ? try_decode(of) : status;
    status = status == DOCKET_OK ? try_copy(of) : status;
    status = status == DOCKET_OK ? try_json(of) : status;
    status = status == DOCKET_OK && is_own ? try_append(of) : status;
    return status == DOCKET_OK && is_own ? try_cuts(of) : status;
}

docket_status docket_test_round_trip(const docket_type *type, const void *value, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    trip of = {.type = type, .base = type, .value = value, .error = error != NULL ? error : &own};
    docket__test_clear(error);
    if (type == NULL || value == NULL) {
        return docket__test_fail(error, DOCKET_INVALID, "docket_test_round_trip: the %s is NULL",
                                 type == NULL ? "type" : "value");
    }
    docket_status status = docket_type_check(type, of.error);
    if (status != DOCKET_OK) {
        return status;
    }
    while (of.base->flags & DOCKET_TYPE_ALIAS) {
        of.base = of.base->base;
    }
    if (of.base->flags & DOCKET_TYPE_RESOURCE) {
        return docket__test_fail(error, DOCKET_INVALID, "type \"%s\" is a resource: it is never encoded",
                                 type->name);
    }
    status = travel(&of);
    docket_buffer_free(of.bytes);
    docket_buffer_free(of.key);
    docket_buffer_free(of.other);
    docket_arena_free(of.arena);
    return status;
}
