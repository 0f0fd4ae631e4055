/* Values to JSON, in one pass over the descriptor. What is appended is not checked piece by piece: a buffer remembers
 * that memory ran out, and is asked once at the end. */
#include "type/json_writing.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "type/file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

typedef docket__json_writing writing;

static docket_status write_struct(writing *self, const docket__path *path, const docket_type *type,
                                  const uint8_t *value);

static docket_status fail(writing *self, const docket__path *parent, const docket_field *field, size_t index,
                          const char *problem)
{
    docket__path path = {parent, field->name, index};
    return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
}

void docket__json_put(writing *self, const char *text)
{
    (void)!docket__buffer_append(self->out, text, strlen(text));
}

static void put_line(writing *self)
{
    static const char spaces[] = "        "; /* as many as an indent may have */
    if (self->options.indent > 0) {
        docket__json_put(self, "\n");
        for (unsigned i = 0; i < self->level; i++) {
            (void)!docket__buffer_append(self->out, spaces, self->options.indent);
        }
    }
}

void docket__json_open(writing *self, const char *bracket)
{
    docket__json_put(self, bracket);
    self->level++;
}

void docket__json_begin_item(writing *self, bool is_first)
{
    if (!is_first) {
        docket__json_put(self, ",");
    }
    put_line(self);
}

void docket__json_close(writing *self, bool is_empty, const char *bracket)
{
    self->level--;
    if (!is_empty) {
        put_line(self);
    }
    docket__json_put(self, bracket);
}

/* A character that may not, or should not, stand in JSON as it is: quotes, and control characters of both sets. */
static size_t find_special(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool is_c1 = byte == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0;
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f || is_c1) {
            return i;
        }
    }
    return size;
}

static void put_special(docket_buffer *out, const char *at)
{
    static const char letters[] = "btnvfr"; /* of 0x08 to 0x0d; JSON has no \v */
    unsigned char byte = (unsigned char)*at;
    char text[8] = {'\\', *at};
    if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b) {
        text[1] = letters[byte - 0x08];
    } else if (byte != '"' && byte != '\\') {
        snprintf(text, sizeof text, "\\u%04x", byte == 0xc2 ? (unsigned)(unsigned char)at[1] : (unsigned)byte);
    }
    (void)!docket__buffer_append(out, text, strlen(text));
}

void docket__json_put_string(docket_buffer *out, const char *text, size_t size)
{
    (void)!docket__buffer_append(out, "\"", 1);
    while (size > 0) {
        size_t plain = find_special(text, size);
        (void)!docket__buffer_append(out, text, plain);
        text += plain;
        size -= plain;
        if (size > 0) {
            size_t special = (unsigned char)*text == 0xc2 ? 2 : 1;
            put_special(out, text);
            text += special;
            size -= special;
        }
    }
    (void)!docket__buffer_append(out, "\"", 1);
}

void docket__json_put_name(writing *self, const char *name, size_t size)
{
    docket__json_put_string(self->out, name, size);
    docket__json_put(self, self->options.indent > 0 ? ": " : ":");
}

void docket__json_put_member(writing *self, const docket_schema *schema, const docket_field *field)
{
    char camel[DOCKET__JSON_NAME];
    const char *name = field->name;
    if (self->options.lower_camel_case) {
        docket__json_camel_name(schema, field, camel);
        name = camel;
    }
    docket__json_put_name(self, name, strlen(name));
}

void docket__json_put_bytes(writing *self, docket_bytes bytes)
{
    docket__json_put(self, "\"");
    (void)!docket__json_put_base64(self->out, bytes);
    docket__json_put(self, "\"");
}

void docket__json_put_quoted(writing *self, const char *text)
{
    docket__json_put(self, "\"");
    docket__json_put(self, text);
    docket__json_put(self, "\"");
}

static void put_real(writing *self, double value, bool is_float)
{
    char text[DOCKET__JSON_NUMBER];
    if (isnan(value)) {
        docket__json_put(self, "\"NaN\"");
    } else if (isinf(value)) {
        docket__json_put(self, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    } else {
        (void)(is_float ? docket__json_put_float((float)value, text) : docket__json_put_double(value, text));
        docket__json_put(self, text);
    }
}

static void put_enum(writing *self, const docket_enum *names, int32_t number)
{
    char text[DOCKET__JSON_NUMBER];
    for (size_t i = 0; i < names->value_count; i++) {
        if (names->values[i].number == number) {
            docket__json_put_string(self->out, names->values[i].name, strlen(names->values[i].name));
            return;
        }
    }
    snprintf(text, sizeof text, "%" PRId32, number);
    docket__json_put(self, text);
}

static void put_narrow(writing *self, const docket_field *field, const uint8_t *at)
{
    char text[DOCKET__JSON_NUMBER];
    uint32_t word;
    float real;
    memcpy(&word, at, sizeof word);
    memcpy(&real, at, sizeof real);
    switch (field->kind) {
    case DOCKET_KIND_FLOAT:
        put_real(self, (double)real, true);
        return;
    case DOCKET_KIND_ENUM:
        put_enum(self, field->values, (int32_t)word);
        return;
    case DOCKET_KIND_INT32:
        snprintf(text, sizeof text, "%" PRId32, (int32_t)word);
        break;
    default:
        snprintf(text, sizeof text, "%" PRIu32, word);
    }
    docket__json_put(self, text);
}

static void put_wide(writing *self, const docket_field *field, const uint8_t *at)
{
    char text[DOCKET__JSON_NUMBER];
    uint64_t word;
    double real;
    memcpy(&word, at, sizeof word);
    memcpy(&real, at, sizeof real);
    switch (field->kind) {
    case DOCKET_KIND_DOUBLE:
        put_real(self, real, false);
        return;
    case DOCKET_KIND_TIME_MS:
        docket__json_put_time((int64_t)word, text);
        break;
    case DOCKET_KIND_INT64:
        snprintf(text, sizeof text, "%" PRId64, (int64_t)word);
        break;
    default:
        snprintf(text, sizeof text, "%" PRIu64, word);
    }
    docket__json_put_quoted(self, text);
}

void docket__json_put_number(writing *self, const docket_field *field, const uint8_t *at)
{
    if (field->kind == DOCKET_KIND_BOOL) {
        docket__json_put(self, *at != 0 ? "true" : "false");
    } else if (docket__kind_forms[field->kind].size == sizeof(uint32_t)) {
        put_narrow(self, field, at);
    } else {
        put_wide(self, field, at);
    }
}

/* One value of any kind. `at` is the value itself; for a STRUCT the struct. */
static docket_status write_value(writing *self, const docket__path *path, const docket_field *field, size_t index,
                                 const uint8_t *at)
{
    switch (field->kind) {
    case DOCKET_KIND_STRING: {
        const char *text = docket__pointer_load(at);
        size_t size = text == NULL ? 0 : strlen(text);
        if (!docket__utf8_valid(text, size)) {
            return fail(self, path, field, index, "the text is not valid UTF-8");
        }
        docket__json_put_string(self->out, text, size);
        return DOCKET_OK;
    }
    case DOCKET_KIND_BYTES: {
        docket_bytes bytes = docket__bytes_load(at);
        if (bytes.data == NULL && bytes.size > 0) {
            return fail(self, path, field, index, "the bytes have a size, but their data is NULL");
        }
        docket__json_put_bytes(self, bytes);
        return DOCKET_OK;
    }
    case DOCKET_KIND_FIXED:
        docket__json_put_bytes(self, (docket_bytes){at, field->fixed_size});
        return DOCKET_OK;
    case DOCKET_KIND_STRUCT: {
        docket__path nested = {path, field->name, index};
        return write_struct(self, &nested, docket__type_base(field->type), at);
    }
    case DOCKET_KIND_FILE: {
        docket__path nested = {path, field->name, index};
        const char *problem = docket__file_problem(at);
        return problem != NULL ? fail(self, path, field, index, problem)
                               : write_struct(self, &nested, &docket__file_type, at);
    }
    default:
        docket__json_put_number(self, field, at);
        return DOCKET_OK;
    }
}

static docket_status write_list(writing *self, const docket__path *path, const docket_field *field,
                                const uint8_t *elements, size_t count)
{
    if (elements == NULL && count > 0) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list has a count, but its elements are NULL");
    }
    size_t size = docket__field_element_size(field);
    docket_status status = DOCKET_OK;
    docket__json_open(self, "[");
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        docket__json_begin_item(self, i == 0);
        status = write_value(self, path, field, i, elements + i * size);
    }
    docket__json_close(self, count == 0, "]");
    return status;
}

static bool is_zero(const uint8_t *at, size_t size)
{
    size_t i = 0;
    while (i < size && at[i] == 0) {
        i++;
    }
    return i == size;
}

/* False for what proto3 leaves out. */
static bool is_shown(const docket_field *field, const uint8_t *value)
{
    const uint8_t *at = value + field->offset;
    if (field->label == DOCKET_LABEL_LIST) {
        return docket__count_load(value + field->side_offset) > 0;
    }
    if (field->label == DOCKET_LABEL_OPTIONAL) {
        return value[field->side_offset] != 0;
    }
    switch (field->kind) {
    case DOCKET_KIND_STRING: {
        const char *text = docket__pointer_load(at);
        return text != NULL && *text != '\0';
    }
    case DOCKET_KIND_BYTES:
        return docket__bytes_load(at).size > 0;
    case DOCKET_KIND_STRUCT:
        return docket__pointer_load(at) != NULL;
    case DOCKET_KIND_FILE:
        return !docket__file_is_zero(at);
    case DOCKET_KIND_FIXED:
        return true;
    default:
        return !is_zero(at, docket__kind_forms[field->kind].size);
    }
}

static docket_status write_member(writing *self, const docket__path *path, const docket_field *field,
                                  const uint8_t *value)
{
    const uint8_t *at = value + field->offset;
    if (field->flags & DOCKET_FIELD_SECRET) {
        docket__json_put_quoted(self, DOCKET__JSON_SECRET);
        return DOCKET_OK;
    }
    if (field->label == DOCKET_LABEL_LIST) {
        return write_list(self, path, field, docket__pointer_load(at),
                          docket__count_load(value + field->side_offset));
    }
    bool is_struct = field->kind == DOCKET_KIND_STRUCT;
    bool is_file = field->kind == DOCKET_KIND_FILE;
    if ((field->label == DOCKET_LABEL_OPTIONAL || is_struct || is_file) && !is_shown(field, value)) {
        docket__json_put(self, "null");
        return DOCKET_OK;
    }
    return write_value(self, path, field, DOCKET__PATH_WHOLE, is_struct ? docket__pointer_load(at) : at);
}

static docket_status write_struct(writing *self, const docket__path *path, const docket_type *type,
                                  const uint8_t *value)
{
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    bool is_empty = true;
    bool in_order = docket__fields_in_order(type->schema);
    docket_status status = DOCKET_OK;
    self->depth++;
    docket__json_open(self, "{");
    const docket_field *field = docket__fields_next(type->schema, NULL, in_order);
    for (; field != NULL && status == DOCKET_OK; field = docket__fields_next(type->schema, field, in_order)) {
        if (!self->options.all_members && !is_shown(field, value)) {
            continue;
        }
        docket__json_begin_item(self, is_empty);
        is_empty = false;
        docket__json_put_member(self, type->schema, field);
        status = write_member(self, path, field, value);
    }
    docket__json_close(self, is_empty, "}");
    self->depth--;
    return status;
}

/* A type with a codec of its own. */
static void put_foreign(writing *self, const docket_type *type, docket_bytes bytes)
{
    docket__json_open(self, "{");
    docket__json_begin_item(self, true);
    docket__json_put_name(self, "@type", strlen("@type"));
    docket__json_put_string(self->out, type->name, strlen(type->name));
    docket__json_begin_item(self, false);
    docket__json_put_name(self, "base64", strlen("base64"));
    docket__json_put_bytes(self, bytes);
    docket__json_close(self, false, "}");
}

static docket_status write_foreign(writing *self, const docket_type *type, const void *value)
{
    docket_buffer bytes = {0};
    docket_status status = docket_encode(type, value, &bytes, self->error);
    if (status == DOCKET_OK) {
        put_foreign(self, type, docket_buffer_bytes(&bytes));
    }
    docket__buffer_release(&bytes);
    return status;
}

/* A message is shown from its bytes, by its description: the one way for values and for what was recorded. */
static docket_status write_described(writing *self, const docket__path *path, const docket_type *type,
                                     const docket_type *base, const void *value)
{
    docket_arena arena = {0};
    docket_buffer bytes = {0};
    const docket_type *described = base;
    docket_status status = docket_encode(type, value, &bytes, self->error);
    if (status == DOCKET_OK && base->describe != NULL) {
        status = base->describe(base, &arena, &described, self->error);
    }
    if (status == DOCKET_OK) {
        status = docket__json_write_message(self, path, described, docket_buffer_bytes(&bytes));
    }
    docket__buffer_release(&bytes);
    docket__arena_release(&arena);
    return status;
}

static docket_status write_any(writing *self, const docket_type *type, const void *value)
{
    const docket_type *base = docket__type_base(type);
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    if (base->flags & DOCKET_TYPE_STRUCT) {
        return write_struct(self, &root, base, value);
    }
    if (base->flags & DOCKET_TYPE_MESSAGE) {
        return write_described(self, &root, type, base, value);
    }
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        return docket__path_fail(&root, self->error, DOCKET_INVALID, "a resource is not shown");
    }
    if ((base->flags & DOCKET_TYPE_BLOB) == 0) {
        return write_foreign(self, type, value);
    }
    docket_bytes bytes = docket__bytes_load(value);
    if (bytes.data == NULL && bytes.size > 0) {
        return docket__path_fail(&root, self->error, DOCKET_ENCODE,
                                 "the bytes have a size, but their data is NULL");
    }
    docket__json_put_bytes(self, bytes);
    return DOCKET_OK;
}

static docket_status finish(writing *self, const docket_type *type, docket_status status, size_t start)
{
    if (status == DOCKET_OK && self->out->failed) {
        status = docket__error_no_memory(self->error);
    }
    if (status != DOCKET_OK) {
        docket__buffer_truncate(self->out, start);
        docket__error_set_type(self->error, type->name);
    }
    return status;
}

docket_status docket_json_write(const docket_type *type, const void *value, const docket_json_options *options,
                                docket_buffer *out, docket_error *error)
{
    writing self = {.out = out, .error = error};
    docket__error_clear(error);
    if (value == NULL || out == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_json_write: %s is NULL",
                                 value == NULL ? "value" : "out");
    }
    docket_status status = docket_type_check(type, error);
    if (status == DOCKET_OK) {
        status = docket__json_options_read(&self.options, options, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    size_t start = out->size;
    return finish(&self, type, write_any(&self, type, value), start);
}

docket_status docket__json_write_stored(const docket_type *type, docket_bytes bytes,
                                        const docket_json_options *options, docket_buffer *out, docket_error *error)
{
    writing self = {.out = out, .error = error};
    docket_arena arena = {0};
    size_t start = out->size;
    docket_status status = docket__json_options_read(&self.options, options, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (type->flags & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_BLOB)) {
        void *value = docket__arena_allocate(&arena, type->size, docket__type_alignment(type));
        status = value == NULL ? docket__error_no_memory(error) : docket_decode(type, bytes, &arena, value, error);
        if (status == DOCKET_OK) {
            status = write_any(&self, type, value);
        }
    } else if (type->flags & DOCKET_TYPE_MESSAGE) {
        docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
        status = docket__json_write_message(&self, &root, type, bytes);
    } else {
        put_foreign(&self, type, bytes);
    }
    docket__arena_release(&arena);
    return finish(&self, type, status, start);
}
