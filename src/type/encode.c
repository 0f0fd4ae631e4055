/* Structs to bytes, in one pass: a sub-message is written behind one byte kept for its length, and moved up by the few
 * bytes that are missing when it turns out longer than 127. */
#include "type/plain.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "type/field.h"
#include "type/file.h"
#include "type/path.h"

typedef struct encoding {
    docket_buffer *out;
    docket_error *error;
    size_t nested_memory; /* what decoding will have to take for nested structs */
    unsigned depth;
    bool is_key; /* leave out the paths of files */
} encoding;

static docket_status encode_struct(encoding *self, const docket__path *path, const docket_type *type,
                                   const uint8_t *value);

/* A number as it goes to the wire: sign-extended to 64 bits, or the bits of a float. */
static inline uint64_t load_number(unsigned kind, const uint8_t *at)
{
    int32_t narrow;
    uint32_t word;
    uint64_t wide;
    switch (kind) {
    case DOCKET_KIND_BOOL:
        return *at != 0;
    case DOCKET_KIND_INT32:
    case DOCKET_KIND_ENUM:
        memcpy(&narrow, at, sizeof narrow);
        return (uint64_t)(int64_t)narrow;
    case DOCKET_KIND_UINT32:
    case DOCKET_KIND_FLOAT:
        memcpy(&word, at, sizeof word);
        return word;
    default:
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
}

static inline uint8_t *put_number(uint8_t *out, unsigned wire, uint64_t number)
{
    switch (wire) {
    case DOCKET__WIRE_FIXED32:
        return docket__little_put(out, number, 4);
    case DOCKET__WIRE_FIXED64:
        return docket__little_put(out, number, 8);
    default:
        return docket__varint_put(out, number);
    }
}

static docket_status encode_number(encoding *self, const docket_field *field, uint64_t number)
{
    docket_buffer *out = self->out;
    uint8_t *end = docket__buffer_reserve(out, DOCKET__TAG_BYTES + DOCKET__VARINT_BYTES);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    unsigned wire = docket__kind_forms[field->kind].wire;
    end = docket__tag_put(end, field->number, wire);
    end = put_number(end, wire, number);
    out->size = (size_t)(end - out->data);
    return DOCKET_OK;
}

static docket_status encode_bytes(encoding *self, const docket_field *field, const void *data, size_t size)
{
    docket_buffer *out = self->out;
    size_t room = DOCKET__TAG_BYTES + DOCKET__VARINT_BYTES;
    uint8_t *end = size <= SIZE_MAX - room ? docket__buffer_reserve(out, room + size) : NULL;
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    end = docket__tag_put(end, field->number, DOCKET__WIRE_BYTES);
    end = docket__varint_put(end, size);
    if (size > 0) {
        memcpy(end, data, size);
    }
    out->size = (size_t)(end - out->data) + size;
    return DOCKET_OK;
}

static docket_status fail(encoding *self, const docket__path *parent, const docket_field *field, size_t index,
                          const char *problem)
{
    docket__path path = {parent, field->name, index};
    return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
}

docket_status docket__length_begin(docket_buffer *out, uint32_t number, size_t *start)
{
    uint8_t *end = docket__buffer_reserve(out, DOCKET__TAG_BYTES + 1);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    end = docket__tag_put(end, number, DOCKET__WIRE_BYTES);
    *end++ = 0;
    *start = out->size = (size_t)(end - out->data);
    return DOCKET_OK;
}

docket_status docket__length_end(docket_buffer *out, size_t start)
{
    size_t length = out->size - start;
    size_t missing = docket__varint_size(length) - 1;
    if (missing > 0) {
        if (docket__buffer_reserve(out, missing) == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memmove(out->data + start + missing, out->data + start, length);
        out->size += missing;
    }
    docket__varint_put(out->data + start - 1, length);
    return DOCKET_OK;
}

static docket_status encode_nested(encoding *self, const docket__path *parent, const docket_field *field,
                                   size_t index, const uint8_t *nested)
{
    docket__path path = {parent, field->name, index};
    const docket_type *type = docket__type_base(field->type);
    size_t start = 0;
    docket_status status = docket__length_begin(self->out, field->number, &start);
    if (status == DOCKET_OK) {
        self->nested_memory += type->size;
        status = encode_struct(self, &path, type, nested);
    }
    return status == DOCKET_OK ? docket__length_end(self->out, start) : status;
}

static docket_status encode_file(encoding *self, const docket__path *parent, const docket_field *field,
                                 size_t index, const uint8_t *file)
{
    docket__path path = {parent, field->name, index};
    const char *problem = docket__file_problem(file);
    size_t start = 0;
    if (problem != NULL) {
        return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
    }
    docket_status status = docket__length_begin(self->out, field->number, &start);
    if (status == DOCKET_OK) {
        status = encode_struct(self, &path, self->is_key ? &docket__file_key_type : &docket__file_type, file);
    }
    return status == DOCKET_OK ? docket__length_end(self->out, start) : status;
}

/* One value of any kind, also when it is zero. `at` is the value itself; for a STRUCT the struct. */
static docket_status encode_value(encoding *self, const docket__path *path, const docket_field *field, size_t index,
                                  const uint8_t *at)
{
    switch (field->kind) {
    case DOCKET_KIND_STRING: {
        const char *text = docket__pointer_load(at);
        size_t size = text == NULL ? 0 : strlen(text);
        if (!docket__utf8_valid(text, size)) {
            return fail(self, path, field, index, "the text is not valid UTF-8");
        }
        return encode_bytes(self, field, text, size);
    }
    case DOCKET_KIND_BYTES: {
        docket_bytes bytes = docket__bytes_load(at);
        if (bytes.data == NULL && bytes.size > 0) {
            return fail(self, path, field, index, "the bytes have a size, but their data is NULL");
        }
        return encode_bytes(self, field, bytes.data, bytes.size);
    }
    case DOCKET_KIND_FIXED:
        return encode_bytes(self, field, at, field->fixed_size);
    case DOCKET_KIND_STRUCT:
        return encode_nested(self, path, field, index, at);
    case DOCKET_KIND_FILE:
        return encode_file(self, path, field, index, at);
    default:
        return encode_number(self, field, load_number(field->kind, at));
    }
}

/* A member that is always there: left out where proto3 leaves it out. */
static docket_status encode_single(encoding *self, const docket__path *path, const docket_field *field,
                                   const uint8_t *at)
{
    switch (field->kind) {
    case DOCKET_KIND_STRING: {
        const char *text = docket__pointer_load(at);
        return text == NULL || *text == '\0' ? DOCKET_OK : encode_value(self, path, field, DOCKET__PATH_WHOLE, at);
    }
    case DOCKET_KIND_BYTES:
        return docket__bytes_load(at).size == 0 ? DOCKET_OK
                                                : encode_value(self, path, field, DOCKET__PATH_WHOLE, at);
    case DOCKET_KIND_FIXED:
        return encode_value(self, path, field, DOCKET__PATH_WHOLE, at);
    case DOCKET_KIND_STRUCT: {
        const uint8_t *nested = docket__pointer_load(at);
        return nested == NULL ? DOCKET_OK : encode_nested(self, path, field, DOCKET__PATH_WHOLE, nested);
    }
    case DOCKET_KIND_FILE:
        return docket__file_is_zero(at) ? DOCKET_OK : encode_file(self, path, field, DOCKET__PATH_WHOLE, at);
    default: {
        uint64_t number = load_number(field->kind, at);
        return number == 0 ? DOCKET_OK : encode_number(self, field, number);
    }
    }
}

static docket_status encode_packed(encoding *self, const docket_field *field, const uint8_t *elements, size_t count)
{
    docket_buffer *out = self->out;
    docket__kind_form form = docket__kind_forms[field->kind];
    size_t start = 0;
    docket_status status = docket__length_begin(self->out, field->number, &start);
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        uint8_t *end = docket__buffer_reserve(out, DOCKET__VARINT_BYTES);
        if (end == NULL) {
            return DOCKET_NO_MEMORY;
        }
        end = put_number(end, form.wire, load_number(field->kind, elements + i * form.size));
        out->size = (size_t)(end - out->data);
    }
    return status == DOCKET_OK ? docket__length_end(self->out, start) : status;
}

static docket_status encode_list(encoding *self, const docket__path *path, const docket_field *field,
                                 const uint8_t *elements, size_t count)
{
    if (count == 0) {
        return DOCKET_OK;
    }
    if (elements == NULL) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list has a count, but its elements are NULL");
    }
    if (docket__kind_is_number(field->kind)) {
        return encode_packed(self, field, elements, count);
    }
    size_t size = docket__field_element_size(field);
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        status = encode_value(self, path, field, i, elements + i * size);
    }
    return status;
}

static docket_status encode_field(encoding *self, const docket__path *path, const docket_field *field,
                                  const uint8_t *value)
{
    const uint8_t *member = value + field->offset;
    switch (field->label) {
    case DOCKET_LABEL_OPTIONAL:
        return value[field->side_offset] == 0 ? DOCKET_OK
                                              : encode_value(self, path, field, DOCKET__PATH_WHOLE, member);
    case DOCKET_LABEL_LIST:
        return encode_list(self, path, field, docket__pointer_load(member),
                           docket__count_load(value + field->side_offset));
    default:
        return encode_single(self, path, field, member);
    }
}

static docket_status encode_struct(encoding *self, const docket__path *path, const docket_type *type,
                                   const uint8_t *value)
{
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    self->depth++;
    bool in_order = docket__fields_in_order(type->schema);
    docket_status status = DOCKET_OK;
    const docket_field *field = docket__fields_next(type->schema, NULL, in_order);
    while (field != NULL && status == DOCKET_OK) {
        status = encode_field(self, path, field, value);
        field = docket__fields_next(type->schema, field, in_order);
    }
    self->depth--;
    return status;
}

static docket_status encode_whole(const docket_type *type, const void *value, bool is_key, docket_buffer *out,
                                  docket_error *error)
{
    encoding self = {.out = out, .error = error, .is_key = is_key};
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    size_t start = out->size;
    docket_status status = encode_struct(&self, &root, docket__type_base(type), value);
    if (status == DOCKET_NO_MEMORY) {
        return docket__error_no_memory(error);
    }
    size_t written = out->size - start;
    if (status == DOCKET_OK && self.nested_memory > docket__nested_memory_limit(written)) {
        return docket__path_fail(
            &root, error, DOCKET_ENCODE,
            "%zu bytes of nested structs have only %zu bytes of content: more than the limit of "
            "1 MiB and 256 to 1",
            self.nested_memory, written);
    }
    return status;
}

docket_status docket__plain_encode(const docket_type *type, const void *value, docket_buffer *out,
                                   docket_error *error)
{
    return encode_whole(type, value, false, out, error);
}

docket_status docket__plain_encode_key(const docket_type *type, const void *value, docket_buffer *out,
                                       docket_error *error)
{
    return encode_whole(type, value, true, out, error);
}
