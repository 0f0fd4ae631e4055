/* A stored schema is a value like any other: the structs below, in docket's own wire format. As a proto3 message:
 *
 *   message Schema    { uint32 format = 1; repeated Type types = 2; }      // nested types first, the described one last
 *   message Type      { string name = 1; uint32 form = 2; repeated Field fields = 3; string layout = 4; }
 *   message Field     { uint32 number = 1; uint32 kind = 2; uint32 label = 3; string name = 4; uint64 fixed_size = 5;
 *                       uint32 type = 6; Enum values = 7; uint32 flags = 8; }
 *   message Enum      { string name = 1; repeated EnumValue values = 2; }
 *   message EnumValue { string name = 1; int32 number = 2; }
 *
 * Kind and label are the numbers of docket/type.h; form is DOCKET_TYPE_STRUCT, DOCKET_TYPE_MESSAGE, DOCKET_TYPE_BLOB, or
 * 0 for a hand-written type, of which only the layout is known. Field.type is 1 + the index of a type: in a struct of an
 * earlier one; messages may lead to each other. Fields stand in the order of their numbers. */
#include "type/schema.h"

#include "base/buffer.h"
#include "base/error.h"
#include "type/field.h"
#include "type/tree.h"

#include <docket/struct.h>

DOCKET_STRUCT(enum_value_record, (STRING, name), (INT32, number));
DOCKET_STRUCT(enum_record, (STRING, name), (LIST(STRUCT(enum_value_record)), values));
DOCKET_STRUCT(field_record, (UINT32, number), (UINT32, kind), (UINT32, label), (STRING, name), (UINT64, fixed_size),
              (UINT32, type), (STRUCT(enum_record), values), (UINT32, flags));
DOCKET_STRUCT(type_record, (STRING, name), (UINT32, form), (LIST(STRUCT(field_record)), fields), (STRING, layout));
DOCKET_STRUCT(schema_record, (UINT32, format), (LIST(STRUCT(type_record)), types));

enum { LARGEST_TYPE_BYTES = 64 * 1024 * 1024 }; /* of a rebuilt type: nobody has to make room for more */

static const enum_record *record_enum(docket_arena *arena, const docket_enum *values)
{
    enum_record *record = docket__arena_allocate(arena, sizeof *record, _Alignof(enum_record));
    enum_value_record *names =
        docket__arena_allocate_array(arena, values->value_count, sizeof *names, _Alignof(enum_value_record));
    if (record == NULL || names == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < values->value_count; i++) {
        names[i] = (enum_value_record){.name = values->values[i].name, .number = values->values[i].number};
    }
    *record = (enum_record){.name = values->name, .values = names, .values_count = values->value_count};
    return record;
}

static field_record record_field(docket__type_tree *tree, const docket_field *field)
{
    field_record record = {
        .number = field->number,
        .kind = field->kind,
        .label = field->label,
        .name = field->name,
        .fixed_size = field->fixed_size,
        .flags = field->flags,
    };
    if (field->kind == DOCKET_KIND_STRUCT) {
        record.type = (uint32_t)docket__type_tree_find(tree, field->type)->index + 1;
    }
    if (field->kind == DOCKET_KIND_ENUM) {
        record.values = record_enum(&tree->arena, field->values);
    }
    return record;
}

static type_record record_type(docket__type_tree *tree, const docket_type *type)
{
    type_record record = {.name = type->name, .form = type->flags, .layout = type->layout};
    if ((type->flags & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_MESSAGE)) == 0) {
        return record;
    }
    record.layout = NULL;
    field_record *fields = docket__arena_allocate_array(&tree->arena, type->schema->field_count, sizeof *fields,
                                                        _Alignof(field_record));
    if (fields == NULL) {
        return record;
    }
    bool in_order = docket__fields_in_order(type->schema);
    const docket_field *field = docket__fields_next(type->schema, NULL, in_order);
    for (; field != NULL; field = docket__fields_next(type->schema, field, in_order)) {
        fields[record.fields_count++] = record_field(tree, field);
    }
    record.fields = fields;
    return record;
}

static docket_status encode_tree(docket__type_tree *tree, const char *name, docket_buffer *out, docket_error *error)
{
    if (tree->last->type->flags & DOCKET_TYPE_RESOURCE) {
        return docket__error_set(error, DOCKET_INVALID, "type %s is a resource, which has no schema", name);
    }
    type_record *types =
        docket__arena_allocate_array(&tree->arena, tree->count, sizeof *types, _Alignof(type_record));
    for (const docket__type_node *node = tree->first; node != NULL && types != NULL; node = node->next) {
        types[node->index] = record_type(tree, node->type);
    }
    if (tree->arena.failed) {
        return docket__error_no_memory(error);
    }
    types[tree->last->index].name = name;
    const schema_record record = {.format = DOCKET__SCHEMA_FORMAT, .types = types, .types_count = tree->count};
    return docket_encode(DOCKET_OF(schema_record), &record, out, error);
}

docket_status docket__schema_encode(const docket_type *type, docket_buffer *out, docket_error *error)
{
    docket__error_clear(error);
    docket__type_tree tree = {0};
    docket_status status = docket__type_tree_build(&tree, type, error);
    if (status == DOCKET_OK) {
        status = encode_tree(&tree, type->name, out, error);
    }
    docket__type_tree_release(&tree);
    return status;
}

/* The types rebuilt so far. */
typedef struct rebuilding {
    docket_arena *arena;
    docket_error *error;
    docket_type *types;
    size_t count; /* of those that are complete */
    size_t whole;
} rebuilding;

static docket_status refuse(const rebuilding *self, const char *problem)
{
    return docket__error_set(self->error, DOCKET_CORRUPT, "schema, type %zu: %s", self->count, problem);
}

static const docket_enum *rebuild_enum(docket_arena *arena, const enum_record *record)
{
    docket_enum *rebuilt = docket__arena_allocate(arena, sizeof *rebuilt, _Alignof(docket_enum));
    docket_enum_value *values =
        docket__arena_allocate_array(arena, record->values_count, sizeof *values, _Alignof(docket_enum_value));
    if (rebuilt == NULL || values == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < record->values_count; i++) {
        values[i] = (docket_enum_value){record->values[i].name, record->values[i].number};
    }
    *rebuilt = (docket_enum){record->name, values, record->values_count};
    return rebuilt;
}

/* The place of the next member of the given size, as a compiler would choose it. */
static size_t place_member(docket_type *type, size_t size, size_t alignment)
{
    size_t offset = (type->size + alignment - 1) & ~(alignment - 1);
    type->size = offset + size;
    if (alignment > type->alignment) {
        type->alignment = alignment;
    }
    return offset;
}

static void place_field(docket_type *type, docket_field *field)
{
    bool is_pointer = docket__field_is_pointer(field);
    field->offset = place_member(type, docket__field_member_size(field),
                                 is_pointer ? _Alignof(void *) : docket__field_element_alignment(field));
    if (field->label == DOCKET_LABEL_LIST) {
        field->side_offset = place_member(type, sizeof(size_t), _Alignof(size_t));
    } else if (field->label == DOCKET_LABEL_OPTIONAL) {
        field->side_offset = place_member(type, sizeof(bool), _Alignof(bool));
    }
}

static docket_status rebuild_field(rebuilding *self, docket_type *type, const field_record *record,
                                   docket_field *field)
{
    bool is_message = (type->flags & DOCKET_TYPE_MESSAGE) != 0;
    if (record->kind < DOCKET_KIND_BOOL || record->kind > (is_message ? DOCKET_KIND_SFIXED64 : DOCKET_KIND_FILE) ||
        record->label > (is_message ? DOCKET_LABEL_REQUIRED : DOCKET_LABEL_LIST)) {
        return refuse(self, "unknown kind or label");
    }
    if (record->type > (is_message ? self->whole : self->count) || (record->kind == DOCKET_KIND_STRUCT) != (record->type != 0)) {
        return refuse(self, "the type of a member is not an earlier one");
    }
    if (record->fixed_size > DOCKET__LARGEST_FIXED) {
        return refuse(self, "a FIXED is too large");
    }
    *field = (docket_field){
        .number = record->number,
        .kind = (uint16_t)record->kind,
        .label = (uint16_t)record->label,
        .name = record->name,
        .fixed_size = (size_t)record->fixed_size,
        .type = record->type != 0 ? &self->types[record->type - 1] : NULL,
        .flags = record->flags,
    };
    if (record->values != NULL) {
        field->values = rebuild_enum(self->arena, record->values);
        if (field->values == NULL) {
            return docket__error_no_memory(self->error);
        }
    }
    if (is_message) {
        return DOCKET_OK;
    }
    place_field(type, field);
    return type->size <= LARGEST_TYPE_BYTES ? DOCKET_OK : refuse(self, "the struct is too large");
}

static docket_status rebuild_fields(rebuilding *self, docket_type *type, const type_record *record)
{
    docket_schema *schema = docket__arena_allocate(self->arena, sizeof *schema, _Alignof(docket_schema));
    docket_field *fields =
        docket__arena_allocate_array(self->arena, record->fields_count, sizeof *fields, _Alignof(docket_field));
    if (schema == NULL || fields == NULL) {
        return docket__error_no_memory(self->error);
    }
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < record->fields_count && status == DOCKET_OK; i++) {
        status = rebuild_field(self, type, &record->fields[i], &fields[i]);
    }
    *schema = (docket_schema){fields, record->fields_count};
    type->schema = schema;
    type->size = (type->size + type->alignment - 1) & ~(type->alignment - 1);
    return status;
}

static docket_status refuse_encode(const docket_type *type, const void *value, docket_buffer *out,
                                   docket_error *error)
{
    (void)value;
    (void)out;
    return docket__error_set(error, DOCKET_UNSUPPORTED,
                             "type %s has a codec of its own, which is not in this program", type->name);
}

static docket_status refuse_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                   docket_error *error)
{
    (void)bytes;
    (void)arena;
    return refuse_encode(type, value, NULL, error);
}

static docket_status rebuild_type(rebuilding *self, const type_record *record)
{
    docket_type *type = &self->types[self->count];
    *type = (docket_type){.abi = DOCKET_TYPE_ABI, .flags = record->form, .name = record->name, .alignment = 1};
    bool has_fields = record->form == DOCKET_TYPE_STRUCT || record->form == DOCKET_TYPE_MESSAGE;
    if (has_fields ? record->layout[0] != '\0' : record->fields_count > 0) {
        return refuse(self, "only structs and messages have members, and only a hand-written type a layout");
    }
    switch (record->form) {
    case DOCKET_TYPE_STRUCT:
        return rebuild_fields(self, type, record);
    case DOCKET_TYPE_MESSAGE:
        type->encode = refuse_encode;
        type->decode = refuse_decode;
        return rebuild_fields(self, type, record);
    case DOCKET_TYPE_BLOB:
        type->size = sizeof(docket_bytes);
        type->alignment = _Alignof(docket_bytes);
        return record->layout[0] == '\0' ? DOCKET_OK : refuse(self, "a blob has no layout");
    case 0:
        type->layout = record->layout;
        type->encode = refuse_encode;
        type->decode = refuse_decode;
        return DOCKET_OK;
    default:
        return refuse(self, "unknown form");
    }
}

/* Each type must be well-formed and, but for the last, nested in a later one. */
static docket_status check_rebuilt(const rebuilding *self)
{
    docket__type_tree tree = {0};
    docket_error cause;
    docket_status status = docket__type_tree_build(&tree, &self->types[self->count - 1], &cause);
    bool is_complete = tree.count == self->count;
    docket__type_tree_release(&tree);
    if (status == DOCKET_NO_MEMORY) {
        return docket__error_no_memory(self->error);
    }
    if (status != DOCKET_OK) {
        docket__error_set(self->error, DOCKET_CORRUPT, "schema: %s", cause.message);
        return DOCKET_CORRUPT;
    }
    return is_complete ? DOCKET_OK : refuse(self, "a type that is nested nowhere");
}

static docket_status rebuild(rebuilding *self, const schema_record *record)
{
    if (record->types_count == 0) {
        return refuse(self, "there is none");
    }
    self->types =
        docket__arena_allocate_array(self->arena, record->types_count, sizeof *self->types, _Alignof(docket_type));
    if (self->types == NULL) {
        return docket__error_no_memory(self->error);
    }
    self->whole = record->types_count;
    docket_status status = DOCKET_OK;
    for (; self->count < record->types_count && status == DOCKET_OK; self->count++) {
        status = rebuild_type(self, &record->types[self->count]);
    }
    return status == DOCKET_OK ? check_rebuilt(self) : status;
}

/* The format comes first in the bytes, and is read before anything else that a newer format may have changed. */
static docket_status check_format(docket_bytes bytes, docket_error *error)
{
    uint64_t format = 0;
    uint8_t tag[DOCKET__TAG_BYTES];
    docket__tag_put(tag, 1, DOCKET__WIRE_VARINT);
    bool has_format = bytes.size > 1 && bytes.data[0] == tag[0] &&
                      docket__varint_get(bytes.data + 1, bytes.data + bytes.size, &format) != NULL && format > 0;
    if (!has_format) {
        return docket__error_set(error, DOCKET_CORRUPT, "schema: it does not begin with its format");
    }
    if (format > DOCKET__SCHEMA_FORMAT) {
        return docket__error_set(error, DOCKET_SCHEMA_NEWER, "schema: format %llu is newer than this library's %d",
                                 (unsigned long long)format, DOCKET__SCHEMA_FORMAT);
    }
    return DOCKET_OK;
}

docket_status docket__schema_decode(docket_bytes bytes, docket_arena *arena, const docket_type **type,
                                    docket_error *error)
{
    docket__error_clear(error);
    *type = NULL;
    docket_status status = check_format(bytes, error);
    if (status != DOCKET_OK) {
        return status;
    }
    schema_record record = {0};
    status = docket_decode(DOCKET_OF(schema_record), bytes, arena, &record, error);
    if (status != DOCKET_OK) {
        return status;
    }
    rebuilding self = {.arena = arena, .error = error};
    status = rebuild(&self, &record);
    if (status == DOCKET_OK) {
        *type = &self.types[self.count - 1];
    }
    return status;
}

/* True if a member is secret in `kept` and not in `given`, or might be: the same layout may be described with another
 * number of nested types. */
static bool reveals(const schema_record *kept, const schema_record *given)
{
    bool is_alike = kept->types_count == given->types_count;
    for (size_t i = 0; i < kept->types_count; i++) {
        const type_record *type = &kept->types[i];
        is_alike = is_alike && type->fields_count == given->types[i].fields_count;
        for (size_t k = 0; k < type->fields_count; k++) {
            bool was_secret = (type->fields[k].flags & DOCKET_FIELD_SECRET) != 0;
            if (was_secret && !(is_alike && (given->types[i].fields[k].flags & DOCKET_FIELD_SECRET) != 0)) {
                return true;
            }
        }
    }
    return false;
}

bool docket__schema_supersedes(docket_bytes kept, docket_bytes given)
{
    if (kept.size == given.size && (kept.size == 0 || memcmp(kept.data, given.data, kept.size) == 0)) {
        return false;
    }
    docket_arena arena = {0};
    schema_record old = {0};
    schema_record new = {0};
    docket_status status = check_format(kept, NULL);
    if (status == DOCKET_OK) {
        status = docket_decode(DOCKET_OF(schema_record), kept, &arena, &old, NULL);
    }
    /* A damaged description helps nobody. A newer one, or one for which there is no memory now, stays. */
    bool supersedes = status == DOCKET_CORRUPT;
    if (status == DOCKET_OK && docket_decode(DOCKET_OF(schema_record), given, &arena, &new, NULL) == DOCKET_OK) {
        supersedes = !reveals(&old, &new);
    }
    docket__arena_release(&arena);
    return supersedes;
}
