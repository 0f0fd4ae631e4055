/* Bytes to structs. Whatever the bytes are, memory stays in proportion to them: texts and numbers are paid for by the
 * bytes they stand in, nested structs are drawn from docket__nested_memory_limit, and a list is counted before its
 * array is taken.
 *
 * Any order of fields is read, packed or not. Of a singular field that comes twice the last counts; a sub-message that
 * comes twice is not merged: the last counts as well. Canonical bytes never have either. */
#include "type/plain.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "type/field.h"
#include "type/file.h"
#include "type/path.h"

typedef struct decoding {
    docket_arena *arena;
    docket_error *error;
    const uint8_t *origin;
    size_t nested_memory; /* what nested structs may still take */
    unsigned depth;
} decoding;

/* A message that is being read. At its first list entry all its lists are counted and their arrays taken; from then on
 * the NAME_count members count the elements that are filled. Packed numbers of the last list come with their count: if
 * they turn out not to be all, the message is read again from its begin. */
typedef struct message {
    const docket__path *path;
    const docket_schema *schema;
    uint8_t *value;
    const uint8_t *start; /* of the field at hand, for messages */
    const uint8_t *begin;
    const uint8_t *next;
    const uint8_t *end;
    size_t hint;
    bool has_counted;
    bool has_last; /* of the lists, which was not counted ahead */
} message;

/* One field as it stands in the bytes. */
typedef struct entry {
    const docket_field *field;
    unsigned wire;
    uint64_t number;     /* of a number that is not packed */
    const uint8_t *data; /* of everything else */
    size_t size;
} entry;

static docket_status decode_struct(decoding *self, const docket__path *path, const docket_type *type,
                                   docket_bytes bytes, uint8_t *value);

static docket_status fail(decoding *self, const docket__path *path, const uint8_t *at, const char *problem)
{
    return docket__path_fail(path, self->error, DOCKET_CORRUPT, "%s at byte %zu", problem,
                             (size_t)(at - self->origin));
}

static docket_status fail_field(decoding *self, const message *in, const docket_field *field, const char *problem)
{
    bool is_element = field->label == DOCKET_LABEL_LIST && in->has_counted;
    size_t index = is_element ? docket__count_load(in->value + field->side_offset) - 1 : DOCKET__PATH_WHOLE;
    docket__path path = {in->path, field->name, index};
    return fail(self, &path, in->start, problem);
}

static inline docket_status read_tag(decoding *self, message *in, entry *read)
{
    uint64_t tag = 0;
    const uint8_t *behind = docket__varint_get(in->next, in->end, &tag);
    if (behind == NULL || tag > UINT32_MAX || tag >> 3 == 0) {
        return fail(self, in->path, in->start, "no field number");
    }
    read->wire = (unsigned)(tag & 7);
    read->field = docket__fields_find(in->schema, (uint32_t)(tag >> 3), &in->hint);
    if (read->field == NULL) {
        return docket__path_fail(in->path, self->error, DOCKET_CORRUPT, "unknown field number %u at byte %zu",
                                 (unsigned)(tag >> 3), (size_t)(in->start - self->origin));
    }
    unsigned expected = docket__kind_forms[read->field->kind].wire;
    bool is_packed = read->field->label == DOCKET_LABEL_LIST && read->wire == DOCKET__WIRE_BYTES;
    if (read->wire != expected && !is_packed) {
        return fail_field(self, in, read->field, "wrong wire type");
    }
    in->next = behind;
    return DOCKET_OK;
}

static docket_status read_fixed(decoding *self, message *in, entry *read, size_t size)
{
    if ((size_t)(in->end - in->next) < size) {
        return fail_field(self, in, read->field, "bytes are missing");
    }
    read->number = docket__little_get(in->next, size);
    in->next += size;
    return DOCKET_OK;
}

static inline docket_status read_entry(decoding *self, message *in, entry *read)
{
    in->start = in->next;
    docket_status status = read_tag(self, in, read);
    if (status != DOCKET_OK) {
        return status;
    }
    if (read->wire == DOCKET__WIRE_FIXED32 || read->wire == DOCKET__WIRE_FIXED64) {
        return read_fixed(self, in, read, read->wire == DOCKET__WIRE_FIXED32 ? 4 : 8);
    }
    const uint8_t *behind = docket__varint_get(in->next, in->end, &read->number);
    if (behind == NULL) {
        return fail_field(self, in, read->field, "no well-formed varint");
    }
    if (read->wire == DOCKET__WIRE_BYTES) {
        if (read->number > (size_t)(in->end - behind)) {
            return fail_field(self, in, read->field, "length beyond the end");
        }
        read->data = behind;
        read->size = (size_t)read->number;
        behind += read->size;
    }
    in->next = behind;
    return DOCKET_OK;
}

static bool is_in_range(unsigned kind, uint64_t number)
{
    switch (kind) {
    case DOCKET_KIND_BOOL:
        return number <= 1;
    case DOCKET_KIND_UINT32:
        return number <= UINT32_MAX;
    case DOCKET_KIND_INT32:
    case DOCKET_KIND_ENUM:
        return number <= INT32_MAX || number >= (uint64_t)INT32_MIN;
    default:
        return true;
    }
}

static docket_status store_number(decoding *self, const message *in, const docket_field *field, uint64_t number,
                                  uint8_t *at)
{
    if (!is_in_range(field->kind, number)) {
        return fail_field(self, in, field, "number out of range");
    }
    uint32_t narrow = (uint32_t)number;
    switch (docket__kind_forms[field->kind].size) {
    case 1:
        *at = (uint8_t)number;
        break;
    case 4:
        memcpy(at, &narrow, sizeof narrow);
        break;
    default:
        memcpy(at, &number, sizeof number);
    }
    return DOCKET_OK;
}

static docket_status store_text(decoding *self, const message *in, const entry *read, uint8_t *at)
{
    if (!docket__text_valid((const char *)read->data, read->size)) {
        return fail_field(self, in, read->field, "text that is not UTF-8 without NUL");
    }
    char *text = docket__arena_take(self->arena, read->size + 1, 1);
    if (text == NULL) {
        return DOCKET_NO_MEMORY;
    }
    memcpy(text, read->data, read->size);
    text[read->size] = '\0';
    docket__pointer_store(at, text);
    return DOCKET_OK;
}

static docket_status store_bytes(decoding *self, const entry *read, uint8_t *at)
{
    docket_bytes bytes = {NULL, read->size};
    if (read->size > 0) {
        bytes.data = docket__arena_copy(self->arena, read->data, read->size);
        if (bytes.data == NULL) {
            return DOCKET_NO_MEMORY;
        }
    }
    docket__bytes_store(at, bytes);
    return DOCKET_OK;
}

/* Draws the memory of `count` structs from what nested structs may take. */
static bool draw_memory(decoding *self, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total) || total > self->nested_memory) {
        return false;
    }
    self->nested_memory -= total;
    return true;
}

static docket_status store_nested(decoding *self, const message *in, const entry *read, uint8_t *nested,
                                  size_t index)
{
    docket__path path = {in->path, read->field->name, index};
    docket_bytes bytes = {read->data, read->size};
    return decode_struct(self, &path, docket__type_base(read->field->type), bytes, nested);
}

static docket_status store_single_nested(decoding *self, const message *in, const entry *read, uint8_t *at)
{
    const docket_type *type = docket__type_base(read->field->type);
    uint8_t *nested = NULL;
    memcpy(&nested, at, sizeof nested);
    if (nested != NULL) {
        memset(nested, 0, type->size);
    } else {
        if (!draw_memory(self, 1, type->size)) {
            return fail_field(self, in, read->field, "more structs than the bytes can account for");
        }
        nested = docket__arena_allocate(self->arena, type->size, docket__type_alignment(type));
        if (nested == NULL) {
            return DOCKET_NO_MEMORY;
        }
        docket__pointer_store(at, nested);
    }
    return store_nested(self, in, read, nested, DOCKET__PATH_WHOLE);
}

static docket_status store_file(decoding *self, const message *in, const entry *read, uint8_t *at)
{
    bool is_element = read->field->label == DOCKET_LABEL_LIST;
    size_t index = is_element ? docket__count_load(in->value + read->field->side_offset) - 1 : DOCKET__PATH_WHOLE;
    docket__path path = {in->path, read->field->name, index};
    memset(at, 0, sizeof(docket_file));
    docket_status status =
        decode_struct(self, &path, &docket__file_type, (docket_bytes){read->data, read->size}, at);
    if (status == DOCKET_OK && docket__file_problem(at) != NULL) {
        return fail(self, &path, in->start, "a file without path or digest");
    }
    return status;
}

/* A value that does not come from a packed list; of a struct only the singular kind. */
static docket_status store_value(decoding *self, const message *in, const entry *read, uint8_t *at)
{
    switch (read->field->kind) {
    case DOCKET_KIND_STRING:
        return store_text(self, in, read, at);
    case DOCKET_KIND_BYTES:
        return store_bytes(self, read, at);
    case DOCKET_KIND_FIXED:
        if (read->size != read->field->fixed_size) {
            return fail_field(self, in, read->field, "another length than the fixed one");
        }
        memcpy(at, read->data, read->size);
        return DOCKET_OK;
    case DOCKET_KIND_STRUCT:
        return store_single_nested(self, in, read, at);
    case DOCKET_KIND_FILE:
        return store_file(self, in, read, at);
    default:
        return store_number(self, in, read->field, read->number, at);
    }
}

/* Number of elements that an entry of a list stands for. A FIXED must have its length before an array of them is taken,
 * so that each is paid for by its bytes. */
static docket_status count_elements(decoding *self, const message *in, const entry *read, size_t *count)
{
    *count = 0;
    if (read->field->kind == DOCKET_KIND_FIXED && read->size != read->field->fixed_size) {
        docket__path path = {in->path, read->field->name, docket__count_load(in->value + read->field->side_offset)};
        return fail(self, &path, in->start, "another length than the fixed one");
    }
    if (!docket__kind_is_number(read->field->kind) || read->wire != DOCKET__WIRE_BYTES) {
        *count = 1;
        return DOCKET_OK;
    }
    docket__kind_form form = docket__kind_forms[read->field->kind];
    if (form.wire == DOCKET__WIRE_VARINT) {
        for (size_t i = 0; i < read->size; i++) {
            *count += read->data[i] < 0x80;
        }
        return DOCKET_OK;
    }
    *count = read->size / form.size;
    return read->size % form.size == 0 ? DOCKET_OK : fail_field(self, in, read->field, "bytes are missing");
}

static docket_status take_list(decoding *self, const message *in, const docket_field *field)
{
    uint8_t *side = in->value + field->side_offset;
    size_t count = docket__count_load(side);
    size_t size = docket__field_element_size(field);
    if (count == 0) {
        return DOCKET_OK;
    }
    if (field->kind == DOCKET_KIND_STRUCT && !draw_memory(self, count, size)) {
        return fail_field(self, in, field, "more structs than the bytes can account for");
    }
    void *elements = docket__arena_allocate_array(self->arena, count, size, docket__field_element_alignment(field));
    docket__pointer_store(in->value + field->offset, elements);
    docket__count_store(side, 0);
    return elements != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
}

/* Reads ahead to the end, counts every list and takes its array. */
static docket_status count_lists(decoding *self, message *in)
{
    message ahead = *in;
    while (ahead.next < ahead.end) {
        entry read = {0};
        size_t count = 0;
        docket_status status = read_entry(self, &ahead, &read);
        if (status == DOCKET_OK && read.field->label == DOCKET_LABEL_LIST) {
            status = count_elements(self, &ahead, &read, &count);
            uint8_t *side = in->value + read.field->side_offset;
            docket__count_store(side, docket__count_load(side) + count);
        }
        if (status != DOCKET_OK) {
            return status;
        }
    }
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < in->schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &in->schema->fields[i];
        status = field->label == DOCKET_LABEL_LIST ? take_list(self, in, field) : DOCKET_OK;
    }
    in->has_counted = true;
    return status;
}

static uint8_t *next_element(const message *in, const docket_field *field)
{
    uint8_t *side = in->value + field->side_offset;
    size_t index = docket__count_load(side);
    uint8_t *elements = NULL;
    memcpy(&elements, in->value + field->offset, sizeof elements);
    docket__count_store(side, index + 1);
    return elements + index * docket__field_element_size(field);
}

static docket_status store_packed(decoding *self, const message *in, const entry *read)
{
    docket__kind_form form = docket__kind_forms[read->field->kind];
    const docket__path path = {in->path, read->field->name, DOCKET__PATH_WHOLE};
    const uint8_t *next = read->data;
    const uint8_t *end = next + read->size;
    docket_status status = DOCKET_OK;
    while (next < end && status == DOCKET_OK) {
        uint64_t number = 0;
        if (form.wire == DOCKET__WIRE_VARINT) {
            next = docket__varint_get(next, end, &number);
            if (next == NULL) {
                return fail(self, &path, in->start, "no well-formed varint");
            }
        } else {
            number = docket__little_get(next, form.size);
            next += form.size;
        }
        status = store_number(self, in, read->field, number, next_element(in, read->field));
    }
    return status;
}

static docket_status store_element(decoding *self, const message *in, const entry *read)
{
    const docket_field *field = read->field;
    if (docket__kind_is_number(field->kind) && read->wire == DOCKET__WIRE_BYTES) {
        return store_packed(self, in, read);
    }
    uint8_t *element = next_element(in, field);
    if (field->kind == DOCKET_KIND_STRUCT) {
        return store_nested(self, in, read, element, docket__count_load(in->value + field->side_offset) - 1);
    }
    return store_value(self, in, read, element);
}

static bool is_last_list(const docket_schema *schema, const docket_field *field)
{
    const docket_field *end = schema->fields + schema->field_count;
    do {
        field++;
    } while (field < end && field->label != DOCKET_LABEL_LIST);
    return field == end;
}

static docket_status store_last(decoding *self, message *in, const entry *read)
{
    size_t count = 0;
    docket_status status = count_elements(self, in, read, &count);
    if (status == DOCKET_OK) {
        docket__count_store(in->value + read->field->side_offset, count);
        status = take_list(self, in, read->field);
    }
    in->has_last = true;
    return status == DOCKET_OK ? store_packed(self, in, read) : status;
}

static docket_status restart(decoding *self, message *in)
{
    for (size_t i = 0; i < in->schema->field_count; i++) {
        if (in->schema->fields[i].label == DOCKET_LABEL_LIST) {
            docket__count_store(in->value + in->schema->fields[i].side_offset, 0);
        }
    }
    in->next = in->has_last ? in->begin : in->start;
    return count_lists(self, in);
}

static docket_status decode_entry(decoding *self, message *in)
{
    entry read;
    docket_status status = read_entry(self, in, &read);
    if (status != DOCKET_OK) {
        return status;
    }
    if (read.field->label != DOCKET_LABEL_LIST) {
        if (read.field->label == DOCKET_LABEL_OPTIONAL) {
            in->value[read.field->side_offset] = 1;
        }
        return store_value(self, in, &read, in->value + read.field->offset);
    }
    if (in->has_counted) {
        return store_element(self, in, &read);
    }
    bool is_packed = read.wire == DOCKET__WIRE_BYTES && docket__kind_is_number(read.field->kind);
    return is_packed && !in->has_last && is_last_list(in->schema, read.field) ? store_last(self, in, &read)
                                                                              : restart(self, in);
}

static docket_status decode_struct(decoding *self, const docket__path *path, const docket_type *type,
                                   docket_bytes bytes, uint8_t *value)
{
    message in = {.path = path,
                  .schema = type->schema,
                  .value = value,
                  .begin = bytes.data,
                  .next = bytes.data,
                  .end = bytes.data + bytes.size};
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return fail(self, path, in.next, "nested too deeply");
    }
    self->depth++;
    docket__fields_start(in.schema, value);
    docket_status status = DOCKET_OK;
    while (in.next < in.end && status == DOCKET_OK) {
        status = decode_entry(self, &in);
    }
    self->depth--;
    return status;
}

docket_status docket__plain_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                   docket_error *error)
{
    static const uint8_t nothing[1];
    if (bytes.size == 0) {
        bytes.data = nothing;
    }
    decoding self = {.arena = arena,
                     .error = error,
                     .origin = bytes.data,
                     .nested_memory = docket__nested_memory_limit(bytes.size)};
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    docket_status status = decode_struct(&self, &root, docket__type_base(type), bytes, value);
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}
