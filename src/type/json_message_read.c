/* JSON to messages, over their bytes: the description tells what bytes the text stands for, and the type's own codec
 * makes the value of them. Decoding takes any order of fields, so they are written in the order of the text. */
#include "type/json_reading.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "type/described.h"
#include "type/plain.h"

typedef docket__json_reading reading;
typedef docket__json_word word;

static docket_status read_message(reading *self, const docket__path *path, const docket_type *type,
                                  const json_t *json);
static docket_status read_field(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json);

/* ---- Values ---- */

static docket_status put_number(reading *self, const docket_field *field, uint64_t number)
{
    uint8_t *end = docket__buffer_reserve(self->wire, DOCKET__TAG_BYTES + DOCKET__VARINT_BYTES);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    unsigned wire = docket__described_form_of(field->kind).wire;
    end = docket__tag_put(end, field->number, wire);
    end = wire == DOCKET__WIRE_VARINT ? docket__varint_put(end, number)
                                      : docket__little_put(end, number, wire == DOCKET__WIRE_FIXED32 ? 4 : 8);
    self->wire->size = (size_t)(end - self->wire->data);
    return DOCKET_OK;
}

static docket_status put_text(reading *self, const docket_field *field, const char *text, size_t size)
{
    size_t begin = 0;
    docket_status status = docket__length_begin(self->wire, field->number, &begin);
    if (status == DOCKET_OK) {
        status = docket__buffer_append(self->wire, text, size);
    }
    return status == DOCKET_OK ? docket__length_end(self->wire, begin) : status;
}

static docket_status read_number(reading *self, const docket__path *path, const docket_field *field,
                                 const json_t *json)
{
    uint8_t at[sizeof(uint64_t)] = {0};
    docket_field plain = *field;
    plain.kind = docket__described_form_of(field->kind).kind;
    bool is_null = json_is_null(json) && docket__described_is_null(field);
    docket_status status = is_null ? DOCKET_OK : docket__json_read_number(self, path, &plain, json, at);
    return status == DOCKET_OK ? put_number(self, field, docket__described_load(field->kind, at)) : status;
}

static docket_status read_text(reading *self, const docket__path *path, const docket_field *field,
                               const json_t *json)
{
    word taken;
    return docket__json_take_text(json, &taken) ? put_text(self, field, taken.text, taken.size)
                                                : docket__json_fail(self, path, "expected a string");
}

static docket_status read_bytes(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json)
{
    word taken;
    size_t begin = 0;
    size_t size = 0;
    if (!docket__json_take_text(json, &taken)) {
        return docket__json_fail(self, path, "expected base64 in a string");
    }
    docket_status status = docket__length_begin(self->wire, field->number, &begin);
    uint8_t *room = docket__buffer_reserve(self->wire, docket__json_base64_room(taken.size));
    if (status != DOCKET_OK || room == NULL) {
        return DOCKET_NO_MEMORY;
    }
    if (!docket__json_get_base64(taken.text, taken.size, room, &size)) {
        return docket__json_fail(self, path, "the string is not base64");
    }
    self->wire->size += size;
    return docket__length_end(self->wire, begin);
}

static docket_status read_nested(reading *self, const docket__path *path, const docket_field *field,
                                 const json_t *json)
{
    size_t begin = 0;
    docket_status status = docket__length_begin(self->wire, field->number, &begin);
    if (status == DOCKET_OK) {
        status = read_message(self, path, field->type, json);
    }
    return status == DOCKET_OK ? docket__length_end(self->wire, begin) : status;
}

static docket_status read_value(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json)
{
    switch (field->kind) {
    case DOCKET_KIND_STRING:
        return read_text(self, path, field, json);
    case DOCKET_KIND_BYTES:
        return read_bytes(self, path, field, json);
    case DOCKET_KIND_STRUCT:
        return read_nested(self, path, field, json);
    default:
        return read_number(self, path, field, json);
    }
}

/* ---- Lists and maps ---- */

static docket_status read_list(reading *self, const docket__path *path, const docket_field *field,
                               const json_t *json)
{
    docket_status status = DOCKET_OK;
    if (!json_is_array(json)) {
        return docket__json_fail(self, path, "expected an array");
    }
    for (size_t i = 0; i < json_array_size(json) && status == DOCKET_OK; i++) {
        docket__path element = {path->parent, field->name, i};
        self->values++;
        status = read_value(self, &element, field, json_array_get(json, i));
    }
    return status;
}

/* The text of a key, in the one form that each key is written in, so that none can come twice. */
static docket_status read_key(reading *self, const docket__path *path, const docket_field *field, const char *key)
{
    docket__json_integer integer = {false, 0};
    size_t size = strlen(key);
    bool is_integer = docket__json_get_integer(key, size, &integer) && strpbrk(key, ".eE") == NULL &&
                      !(integer.is_negative && integer.magnitude == 0);
    if (field->kind == DOCKET_KIND_STRING) {
        return put_text(self, field, key, size);
    }
    if (field->kind == DOCKET_KIND_BOOL) {
        bool is_true = strcmp(key, "true") == 0;
        return is_true || strcmp(key, "false") == 0 ? put_number(self, field, is_true)
                                                    : docket__json_fail(self, path, "the key is not true or false");
    }
    json_t *digits = is_integer ? json_stringn_nocheck(key, size) : NULL;
    if (is_integer && digits == NULL) {
        return DOCKET_NO_MEMORY;
    }
    docket_status status = is_integer ? read_number(self, path, field, digits)
                                      : docket__json_fail(self, path, "the key is not an integer in plain digits");
    json_decref(digits);
    return status;
}

static docket_status read_map(reading *self, const docket__path *path, const docket_field *field,
                              const json_t *json)
{
    const docket_schema *pair = field->type->schema;
    const char *key;
    json_t *member;
    docket_status status = DOCKET_OK;
    size_t index = 0;
    if (!json_is_object(json)) {
        return docket__json_fail(self, path, "expected an object");
    }
    json_object_foreach((json_t *)(uintptr_t)json, key, member)
    {
        size_t begin = 0;
        docket__path entry = {path->parent, field->name, index++};
        self->values++;
        status = docket__length_begin(self->wire, field->number, &begin);
        if (status == DOCKET_OK) {
            status = read_key(self, &entry, &pair->fields[0], key);
        }
        if (status == DOCKET_OK) {
            status = read_value(self, &entry, &pair->fields[1], member);
        }
        if (status == DOCKET_OK) {
            status = docket__length_end(self->wire, begin);
        }
        if (status != DOCKET_OK) {
            break;
        }
    }
    return status;
}

/* ---- Members ---- */

static const json_t *find_value(const json_t *json, const docket_schema *schema, const docket_field *field)
{
    char camel[DOCKET__JSON_NAME];
    docket__json_camel_name(schema, field, camel);
    const json_t *value = json_object_get(json, field->name);
    return value != NULL ? value : json_object_get(json, camel);
}

/* A null is a value of its own where the type is made for that; elsewhere it says that there is none. */
static bool is_left_out(const docket_field *field, const json_t *value)
{
    bool is_single = field->label != DOCKET_LABEL_LIST && field->label != DOCKET_LABEL_MAP;
    bool takes_null = field->kind == DOCKET_KIND_STRUCT
                          ? docket__described_special(field->type) == DOCKET__SPECIAL_VALUE
                          : docket__described_is_null(field);
    return value == NULL || (json_is_null(value) && !(is_single && takes_null));
}

static bool is_given_twice(const json_t *json, const docket_schema *schema, const docket_field *field)
{
    char camel[DOCKET__JSON_NAME];
    docket__json_camel_name(schema, field, camel);
    return strcmp(camel, field->name) != 0 && json_object_get(json, camel) != NULL &&
           json_object_get(json, field->name) != NULL;
}

/* Members of one oneof have the same side_offset. */
static bool is_chosen_twice(const json_t *json, const docket_schema *schema, const docket_field *field)
{
    for (size_t i = 0; i < schema->field_count && field->side_offset != 0; i++) {
        const docket_field *other = &schema->fields[i];
        if (other != field && other->side_offset == field->side_offset &&
            !is_left_out(other, find_value(json, schema, other))) {
            return true;
        }
    }
    return false;
}

static docket_status read_field(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json)
{
    if (docket__described_is_secret(field) && docket__json_is_hidden(json)) {
        return docket__json_fail(self, path, DOCKET__JSON_HIDDEN);
    }
    switch (field->label) {
    case DOCKET_LABEL_LIST:
        return read_list(self, path, field, json);
    case DOCKET_LABEL_MAP:
        return read_map(self, path, field, json);
    default:
        return read_value(self, path, field, json);
    }
}

static docket_status read_member(reading *self, const docket__path *path, const docket_schema *schema,
                                 const json_t *json, const char *name, const json_t *member)
{
    const docket_field *field = docket__json_find_member(schema, name);
    self->values++;
    if (field == NULL) {
        return docket__json_pass_over(self, path, name, member);
    }
    if (is_given_twice(json, schema, field)) {
        return docket__json_fail_name(self, path, name, "the member is given twice");
    }
    docket__path place = {path, field->name, DOCKET__PATH_WHOLE};
    if (is_left_out(field, member)) {
        return DOCKET_OK;
    }
    if (is_chosen_twice(json, schema, field)) {
        return docket__json_fail(self, &place, "another member of the same oneof is given as well");
    }
    return read_field(self, &place, field, member);
}

static docket_status read_members(reading *self, const docket__path *path, const docket_schema *schema,
                                  const json_t *json)
{
    const char *name;
    json_t *member;
    docket_status status = DOCKET_OK;
    size_t here = self->values;
    if (!json_is_object(json)) {
        return docket__json_fail(self, path, "expected an object");
    }
    json_object_foreach((json_t *)(uintptr_t)json, name, member)
    {
        status = read_member(self, path, schema, json, name, member);
        if (status != DOCKET_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &schema->fields[i];
        if (field->label == DOCKET_LABEL_REQUIRED && is_left_out(field, find_value(json, schema, field))) {
            self->values = here;
            status = docket__json_fail_name(self, path, field->name, "the required member is missing");
        }
    }
    return status;
}

/* ---- Messages with a JSON of their own ---- */

static docket_status read_dynamic(reading *self, const docket__path *path, const docket_schema *schema,
                                  const json_t *json)
{
    word taken;
    size_t index = 0; /* of null_value, number_value, string_value, bool_value, struct_value, list_value */
    if (docket__json_take_word(json, &taken)) {
        index = taken.is_number ? 1 : 2;
    } else if (!json_is_null(json)) {
        index = json_is_object(json) ? 4 : json_is_array(json) ? 5 : 3;
    }
    return index == 0 ? put_number(self, &schema->fields[0], 0)
                      : read_value(self, path, &schema->fields[index], json);
}

static docket_status put_moment(reading *self, const docket_schema *schema, docket__json_moment moment)
{
    docket_status status = put_number(self, &schema->fields[0], (uint64_t)moment.seconds);
    return status == DOCKET_OK ? put_number(self, &schema->fields[1], (uint64_t)(int64_t)moment.nanos) : status;
}

/* lowerWithCapitals to lower_with_underscores, path by path. */
static docket_status read_mask(reading *self, const docket_field *field, const word *taken)
{
    const char *end = taken->text + taken->size;
    const char *next = taken->text;
    docket_status status = DOCKET_OK;
    while (next < end && status == DOCKET_OK) {
        size_t begin = 0;
        status = docket__length_begin(self->wire, field->number, &begin);
        for (; next < end && *next != ',' && status == DOCKET_OK; next++) {
            bool is_capital = *next >= 'A' && *next <= 'Z';
            char text[2] = {'_', (char)(is_capital ? *next - 'A' + 'a' : *next)};
            status = is_capital ? docket__buffer_append(self->wire, text, 2)
                                : docket__buffer_append(self->wire, text + 1, 1);
        }
        next += next < end;
        status = status == DOCKET_OK ? docket__length_end(self->wire, begin) : status;
    }
    return status;
}

/* The text of a time or a mask. */
static docket_status read_special_text(reading *self, const docket__path *path, const docket_schema *schema,
                                       docket__special special, const word *taken)
{
    docket__json_moment moment = {0, 0};
    switch (special) {
    case DOCKET__SPECIAL_TIMESTAMP:
        return docket__json_get_timestamp(taken->text, taken->size, &moment)
                   ? put_moment(self, schema, moment)
                   : docket__json_fail(self, path, "expected a time of RFC 3339");
    case DOCKET__SPECIAL_DURATION:
        return docket__json_get_duration(taken->text, taken->size, &moment)
                   ? put_moment(self, schema, moment)
                   : docket__json_fail(self, path, "expected seconds with an s behind them");
    default:
        return memchr(taken->text, '_', taken->size) == NULL
                   ? read_mask(self, &schema->fields[0], taken)
                   : docket__json_fail(self, path, "the paths of a mask are written in lowerCamelCase");
    }
}

static docket_status read_special(reading *self, const docket__path *path, const docket_type *type,
                                  docket__special special, const json_t *json)
{
    word taken;
    switch (special) {
    case DOCKET__SPECIAL_INNER:
        return read_field(self, path, &type->schema->fields[0], json);
    case DOCKET__SPECIAL_VALUE:
        return read_dynamic(self, path, type->schema, json);
    default:
        return docket__json_take_text(json, &taken) ? read_special_text(self, path, type->schema, special, &taken)
                                                    : read_members(self, path, type->schema, json);
    }
}

static docket_status read_message(reading *self, const docket__path *path, const docket_type *type,
                                  const json_t *json)
{
    docket__special special = docket__described_special(type);
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__json_fail(self, path, "nested too deeply");
    }
    self->depth++;
    docket_status status = special == DOCKET__SPECIAL_NONE ? read_members(self, path, type->schema, json)
                                                           : read_special(self, path, type, special, json);
    self->depth--;
    return status;
}

/* Bytes that the codec refuses are the fault of the text. */
static docket_status decode(reading *self, const docket_type *type, void *value)
{
    docket_status status = docket_decode(type, docket_buffer_bytes(self->wire), self->arena, value, self->error);
    if (status == DOCKET_CORRUPT) {
        status = self->error->status = DOCKET_INVALID;
    }
    return status;
}

docket_status docket__json_read_message(reading *self, const docket__path *path, const docket_type *type,
                                        const json_t *json, void *value)
{
    docket_arena arena = {0};
    docket_buffer wire = {0};
    const docket_type *base = docket__type_base(type);
    const docket_type *described = base;
    docket_status status =
        base->describe != NULL ? base->describe(base, &arena, &described, self->error) : DOCKET_OK;
    self->wire = &wire;
    if (status == DOCKET_OK) {
        status = read_message(self, path, described, json);
    }
    if (status == DOCKET_OK) {
        status = decode(self, type, value);
    }
    docket__buffer_release(&wire);
    docket__arena_release(&arena);
    return status;
}
