/* Settling: a value is checked and brought into the one form that restored values have. Sealing does so in place,
 * copying on the way into other memory; both walk the same.
 *
 * What a value points to may be constant or shared, so it is never written to. It is looked at through a draft, which
 * turns into a copy in the arena at the first change (or at once, when everything is to be copied). */
#include "type/plain.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "type/field.h"
#include "type/file.h"
#include "type/path.h"

typedef struct settling {
    docket_arena *arena;
    docket_error *error;
    bool copies; /* everything, changed or not */
    unsigned depth;
} settling;

typedef struct draft {
    const uint8_t *original;
    uint8_t *copy; /* NULL = nothing changed so far */
    size_t size;
    size_t alignment;
} draft;

static docket_status settle_struct(settling *self, const docket__path *path, const docket_type *type, draft *in,
                                   size_t offset);

static const uint8_t *look(const draft *in, size_t offset)
{
    return (in->copy != NULL ? in->copy : in->original) + offset;
}

static docket_status change(settling *self, draft *in)
{
    if (in->copy == NULL) {
        in->copy = docket__arena_take(self->arena, in->size, in->alignment);
        if (in->copy == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memcpy(in->copy, in->original, in->size);
    }
    return DOCKET_OK;
}

static docket_status change_bytes(settling *self, draft *in, size_t offset, const void *bytes, size_t size)
{
    docket_status status = change(self, in);
    if (status == DOCKET_OK) {
        memcpy(in->copy + offset, bytes, size);
    }
    return status;
}

static docket_status change_pointer(settling *self, draft *in, size_t offset, const void *pointer)
{
    return change_bytes(self, in, offset, &pointer, sizeof pointer);
}

static docket_status fail(settling *self, const docket__path *parent, const docket_field *field, size_t index,
                          const char *problem)
{
    docket__path path = {parent, field->name, index};
    return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
}

static docket_status settle_bool(settling *self, draft *in, size_t offset)
{
    static const uint8_t one = 1;
    return *look(in, offset) <= 1 ? DOCKET_OK : change_bytes(self, in, offset, &one, sizeof one);
}

static docket_status settle_text(settling *self, const docket__path *path, const docket_field *field, size_t index,
                                 draft *in, size_t offset)
{
    const char *text = docket__pointer_load(look(in, offset));
    if (text == NULL) {
        return change_pointer(self, in, offset, "");
    }
    size_t size = strlen(text);
    if (!docket__utf8_valid(text, size)) {
        return fail(self, path, field, index, "the text is not valid UTF-8");
    }
    if (!self->copies) {
        return DOCKET_OK;
    }
    char *copy = docket__arena_take(self->arena, size + 1, 1);
    if (copy == NULL) {
        return DOCKET_NO_MEMORY;
    }
    return change_pointer(self, in, offset, memcpy(copy, text, size + 1));
}

static docket_status settle_bytes(settling *self, const docket__path *path, const docket_field *field, size_t index,
                                  draft *in, size_t offset)
{
    docket_bytes bytes = docket__bytes_load(look(in, offset));
    if (bytes.size > 0 && bytes.data == NULL) {
        return fail(self, path, field, index, "the bytes have a size, but their data is NULL");
    }
    bool is_settled = bytes.size > 0 ? !self->copies : bytes.data == NULL;
    if (is_settled) {
        return DOCKET_OK;
    }
    bytes.data = bytes.size > 0 ? docket__arena_copy(self->arena, bytes.data, bytes.size) : NULL;
    if (bytes.size > 0 && bytes.data == NULL) {
        return DOCKET_NO_MEMORY;
    }
    return change_bytes(self, in, offset, &bytes, sizeof bytes);
}

static docket_status settle_nested(settling *self, const docket__path *parent, const docket_field *field, draft *in,
                                   size_t offset)
{
    const docket_type *type = docket__type_base(field->type);
    docket__path path = {parent, field->name, DOCKET__PATH_WHOLE};
    draft nested = {docket__pointer_load(look(in, offset)), NULL, type->size, docket__type_alignment(type)};
    if (nested.original == NULL) {
        return DOCKET_OK;
    }
    docket_status status = self->copies ? change(self, &nested) : DOCKET_OK;
    if (status == DOCKET_OK) {
        status = settle_struct(self, &path, type, &nested, 0);
    }
    return status == DOCKET_OK && nested.copy != NULL ? change_pointer(self, in, offset, nested.copy) : status;
}

static docket_status settle_file(settling *self, const docket__path *parent, const docket_field *field,
                                 size_t index, draft *in, size_t offset)
{
    docket__path path = {parent, field->name, index};
    const char *problem = docket__file_problem(look(in, offset));
    return problem != NULL ? docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem)
                           : settle_struct(self, &path, &docket__file_type, in, offset);
}

/* A value of any kind but an element of a list of structs. */
static docket_status settle_value(settling *self, const docket__path *path, const docket_field *field, size_t index,
                                  draft *in, size_t offset)
{
    switch (field->kind) {
    case DOCKET_KIND_BOOL:
        return settle_bool(self, in, offset);
    case DOCKET_KIND_STRING:
        return settle_text(self, path, field, index, in, offset);
    case DOCKET_KIND_BYTES:
        return settle_bytes(self, path, field, index, in, offset);
    case DOCKET_KIND_STRUCT:
        return settle_nested(self, path, field, in, offset);
    case DOCKET_KIND_FILE:
        return settle_file(self, path, field, index, in, offset);
    default:
        return DOCKET_OK;
    }
}

static bool needs_settling(const docket_field *field)
{
    switch (field->kind) {
    case DOCKET_KIND_BOOL:
    case DOCKET_KIND_STRING:
    case DOCKET_KIND_BYTES:
    case DOCKET_KIND_FILE:
        return true;
    case DOCKET_KIND_STRUCT:
        return docket__type_needs_seal(field->type);
    default:
        return false;
    }
}

static docket_status settle_elements(settling *self, const docket__path *parent, const docket_field *field,
                                     draft *elements, size_t count)
{
    size_t size = docket__field_element_size(field);
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        if (field->kind == DOCKET_KIND_STRUCT) {
            docket__path path = {parent, field->name, i};
            status = settle_struct(self, &path, docket__type_base(field->type), elements, i * size);
        } else {
            status = settle_value(self, parent, field, i, elements, i * size);
        }
    }
    return status;
}

static docket_status settle_list(settling *self, const docket__path *path, const docket_field *field, draft *in,
                                 size_t base)
{
    size_t offset = base + field->offset;
    size_t count = docket__count_load(look(in, base + field->side_offset));
    draft elements = {docket__pointer_load(look(in, offset)), NULL, 0, docket__field_element_alignment(field)};
    if (count == 0) {
        return elements.original == NULL ? DOCKET_OK : change_pointer(self, in, offset, NULL);
    }
    if (elements.original == NULL) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list has a count, but its elements are NULL");
    }
    if (__builtin_mul_overflow(count, docket__field_element_size(field), &elements.size)) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list's count is larger than memory");
    }
    docket_status status = self->copies ? change(self, &elements) : DOCKET_OK;
    if (status == DOCKET_OK && needs_settling(field)) {
        status = settle_elements(self, path, field, &elements, count);
    }
    return status == DOCKET_OK && elements.copy != NULL ? change_pointer(self, in, offset, elements.copy) : status;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Zeroes the member of an OPTIONAL that is absent. */
static docket_status settle_absent(settling *self, const docket_field *field, draft *in, size_t offset)
{
    size_t size = docket__field_member_size(field);
    if (is_zero(look(in, offset), size)) {
        return DOCKET_OK;
    }
    docket_status status = change(self, in);
    if (status == DOCKET_OK) {
        memset(in->copy + offset, 0, size);
    }
    return status;
}

static docket_status settle_field(settling *self, const docket__path *path, const docket_field *field, draft *in,
                                  size_t base)
{
    if (field->label == DOCKET_LABEL_LIST) {
        return settle_list(self, path, field, in, base);
    }
    if (field->label == DOCKET_LABEL_OPTIONAL) {
        if (*look(in, base + field->side_offset) == 0) {
            return settle_absent(self, field, in, base + field->offset);
        }
        docket_status status = settle_bool(self, in, base + field->side_offset);
        if (status != DOCKET_OK) {
            return status;
        }
    }
    return settle_value(self, path, field, DOCKET__PATH_WHOLE, in, base + field->offset);
}

static docket_status settle_struct(settling *self, const docket__path *path, const docket_type *type, draft *in,
                                   size_t offset)
{
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    self->depth++;
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < type->schema->field_count && status == DOCKET_OK; i++) {
        status = settle_field(self, path, &type->schema->fields[i], in, offset);
    }
    self->depth--;
    return status;
}

static docket_status settle(const docket_type *type, void *value, docket_arena *arena, bool copies,
                            docket_error *error)
{
    settling self = {.arena = arena, .error = error, .copies = copies};
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    draft whole = {.copy = value};
    docket_status status = settle_struct(&self, &root, docket__type_base(type), &whole, 0);
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}

docket_status docket__plain_seal(const docket_type *type, void *value, docket_arena *arena, docket_error *error)
{
    return settle(type, value, arena, false, error);
}

docket_status docket__plain_copy(const docket_type *type, const void *from, docket_arena *arena, void *value,
                                 docket_error *error)
{
    memcpy(value, from, docket__type_base(type)->size);
    return docket__type_needs_seal(type) ? settle(type, value, arena, true, error) : DOCKET_OK;
}
