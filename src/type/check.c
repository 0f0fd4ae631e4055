/* What one descriptor must be. Descriptors come from macros, from hand-written tables and from stored schemas, so
 * nothing is taken for granted. */
#include "type/tree.h"

#include "base/error.h"
#include "base/text.h"
#include "type/field.h"
#include "type/schema.h"

#include <stdio.h>

enum { LONGEST_ALIAS_CHAIN = 100, LARGEST_ALIGNMENT = 4096 };

static docket_status refuse(docket_error *error, const docket_type *type, const char *problem)
{
    return docket__error_set(error, DOCKET_INVALID, "type %s: %s", type->name, problem);
}

static docket_status refuse_field(docket_error *error, const docket_type *type, const docket_field *field,
                                  const char *problem)
{
    return docket__error_set(error, DOCKET_INVALID, "type %s, member %s: %s", type->name, field->name, problem);
}

static bool is_number_allowed(uint32_t number)
{
    bool is_reserved_by_protobuf = number >= 19000 && number <= 19999;
    return number >= 1 && number <= 536870911 && !is_reserved_by_protobuf;
}

static const char *find_kind_problem(const docket_field *field)
{
    if (field->kind < DOCKET_KIND_BOOL || field->kind > DOCKET_KIND_FILE) {
        return "its kind is none of DOCKET_KIND_…";
    }
    if (field->label > DOCKET_LABEL_LIST) {
        return "its label is none of DOCKET_LABEL_…";
    }
    if (field->kind == DOCKET_KIND_STRUCT && field->label == DOCKET_LABEL_OPTIONAL) {
        return "an OPTIONAL cannot hold a STRUCT, which has NULL for that";
    }
    if (field->kind == DOCKET_KIND_FIXED ? field->fixed_size < 1 || field->fixed_size > DOCKET__LARGEST_FIXED
                                         : field->fixed_size != 0) {
        return "fixed_size must be 1 to 16777216 for a FIXED and 0 for other kinds";
    }
    if ((field->kind == DOCKET_KIND_STRUCT) != (field->type != NULL)) {
        return "a STRUCT needs a nested type, and no other kind has one";
    }
    if ((field->kind == DOCKET_KIND_ENUM) != (field->values != NULL)) {
        return "an ENUM needs its values, and no other kind has them";
    }
    return NULL;
}

static const char *find_message_kind_problem(const docket_field *field)
{
    bool is_known = (field->kind >= DOCKET_KIND_BOOL && field->kind <= DOCKET_KIND_BYTES) ||
                    field->kind == DOCKET_KIND_ENUM || field->kind == DOCKET_KIND_STRUCT ||
                    (field->kind >= DOCKET_KIND_SINT32 && field->kind <= DOCKET_KIND_SFIXED64);
    if (!is_known) {
        return "its kind is none that a message has";
    }
    if (field->label > DOCKET_LABEL_REQUIRED) {
        return "its label is none of DOCKET_LABEL_…";
    }
    if (field->label == DOCKET_LABEL_MAP && field->kind != DOCKET_KIND_STRUCT) {
        return "a map is a list of messages";
    }
    if ((field->kind == DOCKET_KIND_STRUCT) != (field->type != NULL)) {
        return "a message needs a nested type, and no other kind has one";
    }
    if ((field->kind == DOCKET_KIND_ENUM) != (field->values != NULL)) {
        return "an ENUM needs its values, and no other kind has them";
    }
    bool is_nested = field->type == NULL || (field->type->flags == DOCKET_TYPE_MESSAGE &&
                                             field->type->describe == NULL && field->type->schema != NULL);
    return is_nested ? NULL : "only the description of a message can be nested";
}

static bool fits(size_t offset, size_t size, size_t whole)
{
    return offset <= whole && size <= whole - offset;
}

static const char *find_place_problem(const docket_type *type, const docket_field *field)
{
    size_t size = docket__field_member_size(field);
    if (!fits(field->offset, size, type->size)) {
        return "its offset lies outside the struct";
    }
    if (field->label == DOCKET_LABEL_ONE) {
        return NULL;
    }
    size_t side_size = field->label == DOCKET_LABEL_LIST ? sizeof(size_t) : sizeof(bool);
    if (!fits(field->side_offset, side_size, type->size)) {
        return "its side_offset lies outside the struct";
    }
    bool is_apart = field->side_offset >= field->offset + size || field->offset >= field->side_offset + side_size;
    return is_apart ? NULL : "its side_offset lies inside the member itself";
}

/* A nested type must be reachable before its size can be asked for. */
static const char *find_alias_problem(const docket_type *type)
{
    unsigned links = 0;
    for (; type->flags & DOCKET_TYPE_ALIAS; type = type->base) {
        if (type->base == NULL) {
            return "an alias needs a base";
        }
        if (++links > LONGEST_ALIAS_CHAIN) {
            return "its aliases lead in a circle";
        }
    }
    return NULL;
}

static const char *find_nested_problem(const docket_field *field)
{
    if (field->kind != DOCKET_KIND_STRUCT) {
        return NULL;
    }
    const char *problem = find_alias_problem(field->type);
    if (problem == NULL && docket__type_base(field->type)->flags != DOCKET_TYPE_STRUCT) {
        problem = "only a struct type can be nested";
    }
    return problem;
}

static docket_status check_name(const docket_type *type, const docket_field *field, const char *what,
                                const char *name, docket_error *error)
{
    char whose[DOCKET__NAME_BYTES + 80];
    snprintf(whose, sizeof whose, "type %s, member number %u: %s", type->name, (unsigned)field->number, what);
    return docket__name_check(whose, name, error);
}

static docket_status check_enum(const docket_type *type, const docket_field *field, docket_error *error)
{
    const docket_enum *values = field->values;
    if (values->value_count > 0 && values->values == NULL) {
        return refuse_field(error, type, field, "its enum has a count, but no values");
    }
    docket_status status = check_name(type, field, "the enum's name", values->name, error);
    for (size_t i = 0; i < values->value_count && status == DOCKET_OK; i++) {
        status = check_name(type, field, "the name of an enum's value", values->values[i].name, error);
    }
    return status;
}

/* What fields of structs and of messages have in common. */
static docket_status check_field_head(const docket_type *type, const docket_field *field, docket_error *error)
{
    docket_status status = check_name(type, field, "its name", field->name, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (!is_number_allowed(field->number)) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "type %s, member %s: its number must be 1 to 536870911 without 19000 to 19999, but "
            "is %u",
            type->name, field->name, (unsigned)field->number);
    }
    const char *problem =
        type->flags & DOCKET_TYPE_MESSAGE ? find_message_kind_problem(field) : find_kind_problem(field);
    if (problem == NULL && (field->flags & ~(uint32_t)DOCKET_FIELD_SECRET) != 0) {
        problem = "its flags are reserved";
    }
    if (problem != NULL) {
        return refuse_field(error, type, field, problem);
    }
    return field->kind == DOCKET_KIND_ENUM ? check_enum(type, field, error) : DOCKET_OK;
}

static docket_status check_field(const docket_type *type, const docket_field *field, docket_error *error)
{
    docket_status status = check_field_head(type, field, error);
    if (status != DOCKET_OK) {
        return status;
    }
    const char *problem = find_nested_problem(field);
    if (problem == NULL) {
        problem = find_place_problem(type, field);
    }
    return problem == NULL ? DOCKET_OK : refuse_field(error, type, field, problem);
}

static docket_status check_unique(const docket_type *type, const docket_field *field, docket_error *error)
{
    for (const docket_field *other = type->schema->fields; other < field; other++) {
        if (other->number == field->number || strcmp(other->name, field->name) == 0) {
            return docket__error_set(
                error, DOCKET_INVALID, "type %s: members %s (%u) and %s (%u) must have different names and numbers",
                type->name, other->name, (unsigned)other->number, field->name, (unsigned)field->number);
        }
    }
    return DOCKET_OK;
}

static docket_status check_struct(const docket_type *type, docket_error *error)
{
    const docket_schema *schema = type->schema;
    if (schema == NULL || (schema->fields == NULL && schema->field_count > 0)) {
        return refuse(error, type, "a struct needs its fields");
    }
    if (schema->field_count > DOCKET__MOST_FIELDS) {
        return refuse(error, type, "a struct has at most 1024 members");
    }
    if (type->encode != NULL || type->decode != NULL) {
        return refuse(error, type, "a struct has docket's own codec, so encode and decode must be NULL");
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        docket_status status = check_field(type, &schema->fields[i], error);
        if (status == DOCKET_OK) {
            status = check_unique(type, &schema->fields[i], error);
        }
        if (status != DOCKET_OK) {
            return status;
        }
    }
    return DOCKET_OK;
}

static docket_status check_message(const docket_type *type, docket_error *error)
{
    const docket_schema *schema = type->schema;
    if (type->describe != NULL) {
        return DOCKET_OK;
    }
    if (schema == NULL || (schema->fields == NULL && schema->field_count > 0)) {
        return refuse(error, type, "a message needs describe");
    }
    uint32_t previous = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        docket_status status = check_field_head(type, &schema->fields[i], error);
        if (status == DOCKET_OK && schema->fields[i].number <= previous) {
            status =
                refuse_field(error, type, &schema->fields[i], "its number is not above that of the field before");
        }
        if (status != DOCKET_OK) {
            return status;
        }
        previous = schema->fields[i].number;
    }
    return DOCKET_OK;
}

static docket_status check_alias(const docket_type *type, docket_error *error)
{
    const char *problem = find_alias_problem(type);
    if (problem != NULL) {
        return refuse(error, type, problem);
    }
    const docket_type *base = docket__type_base(type);
    if (base->flags & DOCKET_TYPE_RESOURCE) {
        return refuse(error, type, "a resource cannot have an alias");
    }
    if (type->size != base->size || docket__type_alignment(type) != docket__type_alignment(base)) {
        return refuse(error, type, "an alias must have the size and alignment of its base");
    }
    return DOCKET_OK;
}

static docket_status check_foreign(const docket_type *type, docket_error *error)
{
    if (type->encode == NULL || type->decode == NULL) {
        return refuse(error, type, "a hand-written type needs encode and decode");
    }
    if (type->layout == NULL || type->layout[0] == '\0') {
        return refuse(error, type, "a hand-written type needs a layout, the name of its format");
    }
    return DOCKET_OK;
}

static docket_status check_blob(const docket_type *type, docket_error *error)
{
    if (type->size != sizeof(docket_bytes)) {
        return refuse(error, type, "a blob must be laid out like docket_bytes");
    }
    if (type->encode != NULL || type->decode != NULL) {
        return refuse(error, type, "a blob has docket's own codec, so encode and decode must be NULL");
    }
    return DOCKET_OK;
}

docket_status docket__type_check_alone(const docket_type *type, docket_error *error)
{
    if (type == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "a type is missing: its descriptor is NULL");
    }
    if (type->abi != DOCKET_TYPE_ABI) {
        return docket__error_set(error, DOCKET_INVALID, "a type's abi must be %u, but is %u", DOCKET_TYPE_ABI,
                                 (unsigned)type->abi);
    }
    docket_status status = docket__name_check("a type's name", type->name, error);
    if (status != DOCKET_OK) {
        return status;
    }
    size_t alignment = docket__type_alignment(type);
    if ((alignment & (alignment - 1)) != 0 || alignment > LARGEST_ALIGNMENT) {
        return refuse(error, type, "its alignment must be a power of two up to 4096");
    }
    switch (type->flags) {
    case 0:
        return check_foreign(type, error);
    case DOCKET_TYPE_STRUCT:
        return check_struct(type, error);
    case DOCKET_TYPE_BLOB:
        return check_blob(type, error);
    case DOCKET_TYPE_ALIAS:
        return check_alias(type, error);
    case DOCKET_TYPE_MESSAGE:
        return check_message(type, error);
    case DOCKET_TYPE_RESOURCE:
        return DOCKET_OK;
    default:
        return refuse(error, type, "its flags must be one of DOCKET_TYPE_…, or 0");
    }
}
