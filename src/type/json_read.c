/* JSON to values. jansson makes a tree of the text; numbers come through it as texts (see json_scan.h) and are read here,
 * exactly. The tree keeps the order of the text, so counting the values on the way tells where each stands.
 *
 * Memory: the tree stays within a constant multiple of the text. In the arena, texts and numbers are paid for by the
 * characters they stand in; nested structs and lists of FIXED are drawn from a limit like that of decoding. */
#include "type/json_reading.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "type/file.h"
#include "type/json_scan.h"

enum {
    MOST_LEVELS = 2 * DOCKET__DEEPEST_NESTING, /* of brackets: a struct may stand in a list */
    TEXT_PER_WIRE = 3                          /* "-1" stands for ten bytes */
};

typedef docket__json_reading reading;
typedef docket__json_word word;

static docket_status read_struct(reading *self, const docket__path *path, const docket_type *type,
                                 const json_t *json, uint8_t *value);

docket_status docket__json_fail(reading *self, const docket__path *path, const char *problem)
{
    size_t line = 0;
    size_t column = 0;
    size_t offset = docket__json_find_value(self->text, self->size, self->values - 1);
    docket__json_line(self->text, offset, &line, &column);
    return docket__path_fail(path, self->error, DOCKET_INVALID, "%s, line %zu, column %zu", problem, line, column);
}

bool docket__json_take_word(const json_t *json, word *taken)
{
    if (!json_is_string(json)) {
        return false;
    }
    *taken = (word){.text = json_string_value(json), .size = json_string_length(json)};
    if (taken->size > 0 && taken->text[0] == '\0') {
        *taken = (word){taken->text + 1, taken->size - 1, true};
    }
    return true;
}

bool docket__json_take_text(const json_t *json, word *taken)
{
    return docket__json_take_word(json, taken) && !taken->is_number;
}

bool docket__json_is_text(const word *taken, const char *text)
{
    return !taken->is_number && strlen(text) == taken->size && memcmp(taken->text, text, taken->size) == 0;
}

bool docket__json_is_hidden(const json_t *json)
{
    word taken;
    return docket__json_take_word(json, &taken) && docket__json_is_text(&taken, DOCKET__JSON_SECRET);
}

/* ---- Numbers ---- */

static const char *store_signed(const docket__json_integer *integer, int64_t least, int64_t most, int64_t *number)
{
    uint64_t limit = integer->is_negative ? (uint64_t) - (least + 1) + 1 : (uint64_t)most;
    if (integer->magnitude > limit) {
        return "the number is out of range";
    }
    *number = (int64_t)(integer->is_negative ? -integer->magnitude : integer->magnitude);
    return NULL;
}

static const char *store_unsigned(const docket__json_integer *integer, uint64_t most, uint64_t *number)
{
    if (integer->magnitude > most || (integer->is_negative && integer->magnitude > 0)) {
        return "the number is out of range";
    }
    *number = integer->magnitude;
    return NULL;
}

static const char *store_integer(const docket_field *field, const word *taken, uint8_t *at)
{
    docket__json_integer integer = {false, 0};
    int64_t number = 0;
    uint64_t natural = 0;
    const char *problem = NULL;
    if (!docket__json_is_number(taken->text, taken->size)) {
        return "expected an integer, as a number or a string";
    }
    if (!docket__json_get_integer(taken->text, taken->size, &integer)) {
        return "the number is out of range or not an integer";
    }
    switch (field->kind) {
    case DOCKET_KIND_UINT32:
        problem = store_unsigned(&integer, UINT32_MAX, &natural);
        break;
    case DOCKET_KIND_UINT64:
        problem = store_unsigned(&integer, UINT64_MAX, &natural);
        break;
    case DOCKET_KIND_INT32:
    case DOCKET_KIND_ENUM:
        problem = store_signed(&integer, INT32_MIN, INT32_MAX, &number);
        natural = (uint64_t)number;
        break;
    default:
        problem = store_signed(&integer, INT64_MIN, INT64_MAX, &number);
        natural = (uint64_t)number;
    }
    if (problem == NULL) {
        uint32_t narrow = (uint32_t)natural;
        bool is_narrow = docket__kind_forms[field->kind].size == sizeof narrow;
        memcpy(at, is_narrow ? (const void *)&narrow : (const void *)&natural,
               is_narrow ? sizeof narrow : sizeof natural);
    }
    return problem;
}

static const char *store_real(const docket_field *field, const word *taken, uint8_t *at)
{
    static const struct {
        const char *name;
        uint32_t narrow;
        uint64_t wide;
    } specials[] = {
        {"NaN", 0x7fc00000, UINT64_C(0x7ff8000000000000)},
        {"Infinity", 0x7f800000, UINT64_C(0x7ff0000000000000)},
        {"-Infinity", 0xff800000, UINT64_C(0xfff0000000000000)},
    };
    bool is_float = field->kind == DOCKET_KIND_FLOAT;
    float narrow = 0;
    double wide = 0;
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        if (docket__json_is_text(taken, specials[i].name)) {
            memcpy(at, is_float ? (const void *)&specials[i].narrow : (const void *)&specials[i].wide,
                   is_float ? sizeof(uint32_t) : sizeof(uint64_t));
            return NULL;
        }
    }
    if (!docket__json_is_number(taken->text, taken->size)) {
        return "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"";
    }
    if (is_float ? !docket__json_get_float(taken->text, taken->size, &narrow)
                 : !docket__json_get_double(taken->text, taken->size, &wide)) {
        return "the number is out of range";
    }
    memcpy(at, is_float ? (const void *)&narrow : (const void *)&wide, is_float ? sizeof narrow : sizeof wide);
    return NULL;
}

static const char *store_enum(const docket_field *field, const word *taken, uint8_t *at)
{
    if (taken->is_number) {
        return store_integer(field, taken, at);
    }
    for (size_t i = 0; i < field->values->value_count; i++) {
        if (docket__json_is_text(taken, field->values->values[i].name)) {
            memcpy(at, &field->values->values[i].number, sizeof(int32_t));
            return NULL;
        }
    }
    return "the enum has no such name";
}

static const char *store_time(const docket_field *field, const word *taken, uint8_t *at)
{
    int64_t time_ms = 0;
    if (docket__json_is_number(taken->text, taken->size)) {
        return store_integer(field, taken, at);
    }
    if (!docket__json_get_time(taken->text, taken->size, &time_ms)) {
        return "expected a time of RFC 3339 in whole milliseconds, or milliseconds since 1970";
    }
    memcpy(at, &time_ms, sizeof time_ms);
    return NULL;
}

docket_status docket__json_read_number(reading *self, const docket__path *path, const docket_field *field,
                                       const json_t *json, uint8_t *at)
{
    word taken;
    const char *problem = NULL;
    if (field->kind == DOCKET_KIND_BOOL) {
        if (!json_is_boolean(json)) {
            return docket__json_fail(self, path, "expected true or false");
        }
        *at = json_is_true(json);
        return DOCKET_OK;
    }
    if (!docket__json_take_word(json, &taken)) {
        return docket__json_fail(self, path, "expected a number or a string");
    }
    switch (field->kind) {
    case DOCKET_KIND_FLOAT:
    case DOCKET_KIND_DOUBLE:
        problem = store_real(field, &taken, at);
        break;
    case DOCKET_KIND_ENUM:
        problem = store_enum(field, &taken, at);
        break;
    case DOCKET_KIND_TIME_MS:
        problem = store_time(field, &taken, at);
        break;
    default:
        problem = store_integer(field, &taken, at);
    }
    return problem == NULL ? DOCKET_OK : docket__json_fail(self, path, problem);
}

/* ---- Texts and bytes ---- */

static docket_status read_text(reading *self, const docket__path *path, const json_t *json, uint8_t *at)
{
    word taken;
    if (!docket__json_take_text(json, &taken)) {
        return docket__json_fail(self, path, "expected a string");
    }
    char *text = docket__arena_take(self->arena, taken.size + 1, 1);
    if (text == NULL) {
        return DOCKET_NO_MEMORY;
    }
    memcpy(text, taken.text, taken.size);
    text[taken.size] = '\0';
    docket__pointer_store(at, text);
    return DOCKET_OK;
}

static docket_status take_base64(reading *self, const docket__path *path, const json_t *json, docket_bytes *bytes)
{
    word taken;
    if (!docket__json_take_text(json, &taken)) {
        return docket__json_fail(self, path, "expected base64 in a string");
    }
    uint8_t *data = docket__arena_take(self->arena, docket__json_base64_room(taken.size), 1);
    size_t size = 0;
    if (data == NULL) {
        return DOCKET_NO_MEMORY;
    }
    if (!docket__json_get_base64(taken.text, taken.size, data, &size)) {
        return docket__json_fail(self, path, "the string is not base64");
    }
    *bytes = (docket_bytes){size > 0 ? data : NULL, size};
    return DOCKET_OK;
}

static docket_status read_bytes(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json, uint8_t *at)
{
    docket_bytes bytes = {NULL, 0};
    docket_status status = take_base64(self, path, json, &bytes);
    if (status != DOCKET_OK) {
        return status;
    }
    if (field->kind == DOCKET_KIND_BYTES) {
        docket__bytes_store(at, bytes);
        return DOCKET_OK;
    }
    if (bytes.size != field->fixed_size) {
        return docket__json_fail(self, path, "another length than the fixed one");
    }
    memcpy(at, bytes.data, bytes.size);
    return DOCKET_OK;
}

/* ---- Members ---- */

static docket_status draw_memory(reading *self, const docket__path *path, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total) || total > self->memory) {
        return docket__json_fail(self, path, "more structs than the text can account for");
    }
    self->memory -= total;
    return DOCKET_OK;
}

static docket_status read_file(reading *self, const docket__path *path, const json_t *json, uint8_t *at)
{
    docket_status status = read_struct(self, path, &docket__file_type, json, at);
    if (status == DOCKET_OK && docket__file_problem(at) != NULL) {
        return docket__json_fail(self, path, "a file without path or digest");
    }
    return status;
}

/* One value; of a STRUCT the struct itself. */
static docket_status read_value(reading *self, const docket__path *path, const docket_field *field,
                                const json_t *json, uint8_t *at)
{
    switch (field->kind) {
    case DOCKET_KIND_STRING:
        return read_text(self, path, json, at);
    case DOCKET_KIND_BYTES:
    case DOCKET_KIND_FIXED:
        return read_bytes(self, path, field, json, at);
    case DOCKET_KIND_STRUCT:
        return read_struct(self, path, docket__type_base(field->type), json, at);
    case DOCKET_KIND_FILE:
        return read_file(self, path, json, at);
    default:
        return docket__json_read_number(self, path, field, json, at);
    }
}

static docket_status read_list(reading *self, const docket__path *path, const docket_field *field,
                               const json_t *json, uint8_t *value)
{
    if (!json_is_array(json)) {
        return docket__json_fail(self, path, "expected an array");
    }
    size_t count = json_array_size(json);
    size_t size = docket__field_element_size(field);
    bool is_large = !docket__kind_is_number(field->kind) && field->kind != DOCKET_KIND_STRING &&
                    field->kind != DOCKET_KIND_BYTES;
    docket_status status = is_large ? draw_memory(self, path, count, size) : DOCKET_OK;
    if (status != DOCKET_OK || count == 0) {
        return status;
    }
    uint8_t *elements =
        docket__arena_allocate_array(self->arena, count, size, docket__field_element_alignment(field));
    if (elements == NULL) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        docket__path element = {path->parent, field->name, i};
        self->values++;
        status = read_value(self, &element, field, json_array_get(json, i), elements + i * size);
    }
    docket__pointer_store(value + field->offset, elements);
    docket__count_store(value + field->side_offset, count);
    return status;
}

static docket_status read_nested(reading *self, const docket__path *path, const docket_field *field,
                                 const json_t *json, uint8_t *at)
{
    const docket_type *type = docket__type_base(field->type);
    docket_status status = draw_memory(self, path, 1, type->size);
    if (status != DOCKET_OK) {
        return status;
    }
    uint8_t *nested = docket__arena_allocate(self->arena, type->size, docket__type_alignment(type));
    if (nested == NULL) {
        return DOCKET_NO_MEMORY;
    }
    docket__pointer_store(at, nested);
    return read_struct(self, path, type, json, nested);
}

static docket_status read_member(reading *self, const docket__path *path, const docket_field *field,
                                 const json_t *json, uint8_t *value)
{
    if ((field->flags & DOCKET_FIELD_SECRET) != 0 && docket__json_is_hidden(json)) {
        return docket__json_fail(self, path, DOCKET__JSON_HIDDEN);
    }
    if (json_is_null(json)) {
        return DOCKET_OK;
    }
    if (field->label == DOCKET_LABEL_LIST) {
        return read_list(self, path, field, json, value);
    }
    if (field->label == DOCKET_LABEL_OPTIONAL) {
        value[field->side_offset] = 1;
    }
    uint8_t *at = value + field->offset;
    return field->kind == DOCKET_KIND_STRUCT ? read_nested(self, path, field, json, at)
                                             : read_value(self, path, field, json, at);
}

/* Counts the values in one that is passed over. */
static size_t count_values(const json_t *json)
{
    size_t count = 1;
    const char *name;
    json_t *member;
    size_t index;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, name, member)
        {
            count += count_values(member);
        }
    }
    json_array_foreach(json, index, member)
    {
        count += count_values(member);
    }
    return count;
}

docket_status docket__json_fail_name(reading *self, const docket__path *path, const char *name, const char *problem)
{
    char shown[128];
    docket__text_escape(shown, sizeof shown, name, strlen(name));
    docket__path member = {path, shown, DOCKET__PATH_WHOLE};
    return docket__json_fail(self, &member, problem);
}

docket_status docket__json_pass_over(reading *self, const docket__path *path, const char *name,
                                     const json_t *member)
{
    if (!self->options.ignore_unknown) {
        return docket__json_fail_name(self, path, name, "the type has no such member");
    }
    self->values += count_values(member) - 1;
    return DOCKET_OK;
}

static docket_status read_struct(reading *self, const docket__path *path, const docket_type *type,
                                 const json_t *json, uint8_t *value)
{
    uint8_t seen[DOCKET__MOST_FIELDS / 8] = {0};
    docket_status status = DOCKET_OK;
    const char *name;
    json_t *member;
    if (!json_is_object(json)) {
        return docket__json_fail(self, path, "expected an object");
    }
    docket__fields_start(type->schema, value);
    json_object_foreach((json_t *)(uintptr_t)json, name, member)
    {
        const docket_field *field = docket__json_find_member(type->schema, name);
        self->values++;
        if (field == NULL) {
            status = docket__json_pass_over(self, path, name, member);
            if (status != DOCKET_OK) {
                break;
            }
            continue;
        }
        size_t index = (size_t)(field - type->schema->fields);
        if (seen[index / 8] >> index % 8 & 1) {
            return docket__json_fail_name(self, path, name, "the member is given twice");
        }
        seen[index / 8] = (uint8_t)(seen[index / 8] | 1u << index % 8);
        docket__path place = {path, field->name, DOCKET__PATH_WHOLE};
        status = read_member(self, &place, field, member, value);
        if (status != DOCKET_OK) {
            break;
        }
    }
    return status;
}

/* {"@type": …, "base64": …} of a type with a codec of its own. */
static docket_status read_foreign(reading *self, const docket__path *path, const docket_type *type,
                                  const json_t *json, void *value)
{
    word named;
    docket_bytes bytes = {NULL, 0};
    const json_t *content = json_object_get(json, "base64");
    const json_t *name = json_object_get(json, "@type");
    if (content == NULL || json_object_size(json) != (name != NULL ? 2 : 1)) {
        return docket__json_fail(self, path, "expected an object with the members @type and base64");
    }
    if (name != NULL && !(docket__json_take_text(name, &named) && docket__json_is_text(&named, type->name))) {
        return docket__json_fail(self, path, "@type names another type");
    }
    docket_status status = take_base64(self, path, content, &bytes);
    return status == DOCKET_OK ? docket_decode(type, bytes, self->arena, value, self->error) : status;
}

static docket_status read_any(reading *self, const docket_type *type, const json_t *json, void *value)
{
    const docket_type *base = docket__type_base(type);
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    docket_bytes bytes = {NULL, 0};
    self->values = 1;
    if (base->flags & DOCKET_TYPE_STRUCT) {
        return read_struct(self, &root, base, json, value);
    }
    if (base->flags & DOCKET_TYPE_MESSAGE) {
        return docket__json_read_message(self, &root, type, json, value);
    }
    if ((base->flags & DOCKET_TYPE_BLOB) == 0) {
        return read_foreign(self, &root, type, json, value);
    }
    docket_status status = take_base64(self, &root, json, &bytes);
    if (status == DOCKET_OK) {
        docket__bytes_store(value, bytes);
    }
    return status;
}

/* The text is not JSON. */
static docket_status fail_text(reading *self, const docket_type *type, size_t offset, const char *problem)
{
    char shown[JSON_ERROR_TEXT_LENGTH];
    size_t line = 0;
    size_t column = 0;
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    docket__text_escape(shown, sizeof shown, problem, strlen(problem));
    docket__json_line(self->text, offset < self->size ? offset : self->size, &line, &column);
    return docket__path_fail(&root, self->error, DOCKET_INVALID, "%s, line %zu, column %zu", shown, line, column);
}

/* What jansson says may quote a marked number. */
static const char *problem_of(const json_error_t *fault)
{
    switch (json_error_code(fault)) {
    case json_error_premature_end_of_input:
        return "the text ends too soon";
    case json_error_end_of_input_expected:
        return "something follows the value";
    case json_error_invalid_utf8:
        return "the text is not valid UTF-8";
    case json_error_duplicate_key:
        return "a member is given twice";
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return "a text with a NUL";
    default:
        return "this is no JSON";
    }
}

static docket_status parse(reading *self, const docket_type *type, json_t **json)
{
    docket_buffer marked = {0};
    docket__json_fault fault = {NULL, 0};
    json_error_t refused;
    docket_status status = docket__json_mark_numbers(self->text, self->size, MOST_LEVELS, &marked, &fault);
    if (status == DOCKET_INVALID) {
        fail_text(self, type, fault.offset, fault.problem);
    }
    if (status == DOCKET_OK) {
        size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
        *json = json_loadb(marked.size > 0 ? (const char *)marked.data : "", marked.size, flags, &refused);
        if (*json == NULL && json_error_code(&refused) == json_error_out_of_memory) {
            status = DOCKET_NO_MEMORY;
        } else if (*json == NULL) {
            bool is_at_end = json_error_code(&refused) == json_error_premature_end_of_input;
            size_t at = refused.position > 0 ? (size_t)refused.position - 1 : 0;
            at = is_at_end ? self->size : docket__json_unmarked(self->text, self->size, at);
            status = fail_text(self, type, at, problem_of(&refused));
        }
    }
    docket__buffer_release(&marked);
    return status;
}

static docket_status check_call(const docket_type *type, const char *text, size_t size, const docket_arena *arena,
                                const void *value, docket_error *error)
{
    const char *missing = arena == NULL              ? "arena"
                          : value == NULL            ? "value"
                          : text == NULL && size > 0 ? "text"
                                                     : NULL;
    if (missing != NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_json_read: %s is NULL", missing);
    }
    docket_status status = docket_type_check(type, error);
    if (status == DOCKET_OK && (docket__type_base(type)->flags & DOCKET_TYPE_RESOURCE) != 0) {
        status = docket__error_set(error, DOCKET_INVALID, "type %s is a resource, which has no value", type->name);
    }
    return status;
}

docket_status docket_json_read(const docket_type *type, const char *text, size_t size,
                               const docket_json_options *options, docket_arena *arena, void *value,
                               docket_error *error)
{
    docket_error own;
    reading self = {.arena = arena, .text = size > 0 ? text : "", .size = size};
    json_t *json = NULL;
    self.error = error = error != NULL ? error : &own;
    docket__error_clear(error);
    docket_status status = check_call(type, text, size, arena, value, error);
    if (status == DOCKET_OK) {
        status = docket__json_options_read(&self.options, options, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    size_t wire_size = 0;
    self.memory = __builtin_mul_overflow(size, (size_t)TEXT_PER_WIRE, &wire_size)
                      ? SIZE_MAX
                      : docket__nested_memory_limit(wire_size);
    status = parse(&self, type, &json);
    if (status == DOCKET_OK) {
        status = read_any(&self, type, json, value);
    }
    json_decref(json);
    if (status == DOCKET_NO_MEMORY) {
        docket__error_no_memory(error);
    }
    if (status != DOCKET_OK) {
        memset(value, 0, docket__type_base(type)->size);
        docket__error_set_type(error, type->name);
    }
    return status;
}
