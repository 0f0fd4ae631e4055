/* Messages to canonical bytes, in one pass: a sub-message is written behind one byte kept for its length, and moved up
 * by the few bytes that are missing when it turns out longer than 127.
 *
 * In an entry of a map, key and value are always written, as protoc does. Unknown fields take the place that their
 * number gives them, so that a program that knows less writes the same bytes. */
#include "protobuf/message.h"

#include "base/error.h"
#include "base/text.h"
#include "type/path.h"

/* The end of the buffer: room that was reserved in it, written in place and handed over now and then. */
typedef struct encoding {
    docket_buffer *out;
    docket_error *error;
    docket_arena *scratch; /* where maps are sorted; NULL = none was needed yet */
    uint8_t *origin;       /* where the value's first byte stands */
    size_t size;           /* bytes written so far */
    size_t committed;      /* of these, what the buffer knows of */
    size_t capacity;
    size_t nested_memory; /* what decoding will have to take for nested messages */
    unsigned depth;
} encoding;

enum { FIRST_ROOM = 512, HEAD_BYTES = DOCKET__TAG_BYTES + DOCKET__VARINT_BYTES };

static docket_status encode_message(encoding *self, const docket__path *path, const docket__message *message,
                                    const uint8_t *value, bool is_entry);

static docket_status grow(encoding *self, size_t extra)
{
    size_t room = self->size > FIRST_ROOM ? self->size : FIRST_ROOM;
    if (extra > room) {
        room = extra;
    }
    docket_buffer_commit(self->out, self->size - self->committed);
    self->committed = self->size;
    uint8_t *end = docket_buffer_reserve(self->out, room);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    self->origin = end - self->size;
    self->capacity = self->size + room;
    return DOCKET_OK;
}

/* The place behind the last byte, with room for `extra` more; NULL when memory is exhausted. */
static inline uint8_t *reserve(encoding *self, size_t extra)
{
    if (extra > self->capacity - self->size && grow(self, extra) != DOCKET_OK) {
        return NULL;
    }
    return self->origin + self->size;
}

static inline docket_status advance(encoding *self, const uint8_t *end)
{
    self->size = (size_t)(end - self->origin);
    return DOCKET_OK;
}

static docket_status fail(encoding *self, const docket__path *parent, const docket__message_field *field,
                          size_t index, const char *problem)
{
    docket__path path = {parent, field->name, index};
    return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
}

static void *take_scratch(encoding *self, size_t count, size_t size)
{
    size_t bytes;
    if (self->scratch == NULL) {
        self->scratch = docket_arena_new();
    }
    if (self->scratch == NULL || __builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return docket_arena_alloc(self->scratch, bytes);
}

static inline uint8_t *put_number(uint8_t *at, unsigned wire, uint64_t number)
{
    switch (wire) {
    case DOCKET__WIRE_FIXED32:
        return docket__little_put(at, number, 4);
    case DOCKET__WIRE_FIXED64:
        return docket__little_put(at, number, 8);
    default:
        return docket__varint_put(at, number);
    }
}

static docket_status encode_number(encoding *self, const docket__message_field *field, const uint8_t *at)
{
    uint8_t *end = reserve(self, HEAD_BYTES);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    unsigned wire = docket__message_forms[field->type].wire;
    end = docket__tag_put(end, field->id, wire);
    return advance(self, put_number(end, wire, docket__message_number(field->type, at)));
}

static docket_status encode_bytes(encoding *self, const docket__message_field *field, const void *data, size_t size)
{
    uint8_t *end = size <= SIZE_MAX - HEAD_BYTES ? reserve(self, HEAD_BYTES + size) : NULL;
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    end = docket__tag_put(end, field->id, DOCKET__WIRE_BYTES);
    end = docket__varint_put(end, size);
    if (size > 0) {
        memcpy(end, data, size);
    }
    return advance(self, end + size);
}

/* Writes a tag and keeps a byte for the length of what follows. */
static docket_status begin_length(encoding *self, const docket__message_field *field, size_t *start)
{
    uint8_t *end = reserve(self, DOCKET__TAG_BYTES + 1);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    end = docket__tag_put(end, field->id, DOCKET__WIRE_BYTES);
    *end++ = 0;
    advance(self, end);
    *start = self->size;
    return DOCKET_OK;
}

static docket_status end_length(encoding *self, size_t start)
{
    size_t length = self->size - start;
    size_t missing = docket__varint_size(length) - 1;
    if (missing > 0) {
        if (reserve(self, missing) == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memmove(self->origin + start + missing, self->origin + start, length);
        self->size += missing;
    }
    docket__varint_put(self->origin + start - 1, length);
    return DOCKET_OK;
}

static docket_status encode_nested(encoding *self, const docket__path *parent, const docket__message_field *field,
                                   size_t index, const uint8_t *nested, bool is_entry)
{
    docket__path path = {parent, field->name, index};
    const docket__message *message = docket__message_nested(field);
    size_t start = 0;
    docket_status status = begin_length(self, field, &start);
    if (status == DOCKET_OK) {
        self->nested_memory += docket__message_cost(message);
        status = encode_message(self, &path, message, nested, is_entry);
    }
    return status == DOCKET_OK ? end_length(self, start) : status;
}

/* The value of an entry without a value: a message in which nothing is set. */
static docket_status encode_empty(encoding *self, const docket__path *parent, const docket__message_field *field)
{
    const docket__message *message = docket__message_nested(field);
    docket__path path = {parent, field->name, DOCKET__PATH_WHOLE};
    docket__path member = {&path, docket__message_first_required(message), DOCKET__PATH_WHOLE};
    if (member.name != NULL) {
        return docket__path_fail(&member, self->error, DOCKET_ENCODE, "the required member is not set");
    }
    self->nested_memory += docket__message_cost(message);
    return encode_bytes(self, field, NULL, 0);
}

/* One value of any type, also when it is zero. */
static docket_status encode_value(encoding *self, const docket__path *path, const docket__message_field *field,
                                  size_t index, const uint8_t *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = docket__pointer_load(at);
        size_t size = text == NULL ? 0 : strlen(text);
        if (!docket__utf8_valid(text, size)) {
            return fail(self, path, field, index, "the text is not valid UTF-8");
        }
        return encode_bytes(self, field, text, size);
    }
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData bytes = docket__data_load(at);
        if (bytes.data == NULL && bytes.len > 0) {
            return fail(self, path, field, index, "the bytes have a length, but their data is NULL");
        }
        return encode_bytes(self, field, bytes.data, bytes.len);
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        const uint8_t *nested = docket__pointer_load(at);
        return nested == NULL ? encode_empty(self, path, field)
                              : encode_nested(self, path, field, index, nested, false);
    }
    default:
        return encode_number(self, field, at);
    }
}

static docket_status encode_packed(encoding *self, const docket__message_field *field, const uint8_t *elements,
                                   size_t count)
{
    docket__message_form form = docket__message_forms[field->type];
    size_t bytes;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (form.wire != DOCKET__WIRE_VARINT) {
        return __builtin_mul_overflow(count, (size_t)form.size, &bytes)
                   ? DOCKET_NO_MEMORY
                   : encode_bytes(self, field, elements, bytes);
    }
#endif
    size_t start = 0;
    docket_status status = begin_length(self, field, &start);
    if (status != DOCKET_OK || __builtin_mul_overflow(count, (size_t)form.size, &bytes)) {
        return DOCKET_NO_MEMORY;
    }
    const size_t batch = 64;
    for (size_t i = 0; i < count;) {
        uint8_t *end = reserve(self, batch * DOCKET__VARINT_BYTES);
        if (end == NULL) {
            return DOCKET_NO_MEMORY;
        }
        size_t stop = count - i < batch ? count : i + batch;
        for (; i < stop; i++) {
            end = put_number(end, form.wire, docket__message_number(field->type, elements + i * form.size));
        }
        advance(self, end);
    }
    return end_length(self, start);
}

static docket_status encode_elements(encoding *self, const docket__path *path, const docket__message_field *field,
                                     const uint8_t *elements, size_t count)
{
    size_t size = docket__message_forms[field->type].size;
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        const uint8_t *at = elements + i * size;
        bool is_missing = field->type == PROTOBUF_C_TYPE_MESSAGE && docket__pointer_load(at) == NULL;
        status =
            is_missing ? fail(self, path, field, i, "the element is NULL") : encode_value(self, path, field, i, at);
    }
    return status;
}

static docket_status encode_map(encoding *self, const docket__path *path, const docket__message_field *field,
                                const uint8_t *elements, size_t count)
{
    const void *const *entries = (const void *const *)(const void *)elements;
    for (size_t i = 0; i < count; i++) {
        if (entries[i] == NULL) {
            return fail(self, path, field, i, "the entry is NULL");
        }
    }
    if (!docket__entries_in_order(field, entries, count)) {
        const void **sorted = take_scratch(self, count, sizeof *sorted);
        docket__ranked *room = take_scratch(self, count, 2 * sizeof *room);
        if (sorted == NULL || room == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memcpy(sorted, entries, count * sizeof *sorted);
        count = docket__entries_arrange(field, sorted, room, count);
        entries = sorted;
    }
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        status = encode_nested(self, path, field, i, entries[i], true);
    }
    return status;
}

static docket_status encode_repeated(encoding *self, const docket__path *path, const docket__message *message,
                                     const docket__message_field *field, const uint8_t *value)
{
    size_t count = docket__count_load(value + field->quantifier_offset);
    const uint8_t *elements = docket__pointer_load(value + field->offset);
    if (count == 0) {
        return DOCKET_OK;
    }
    if (elements == NULL) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list has a count, but its elements are NULL");
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) {
        return encode_packed(self, field, elements, count);
    }
    return docket__message_is_map(message, field) ? encode_map(self, path, field, elements, count)
                                                  : encode_elements(self, path, field, elements, count);
}

static docket_status encode_field(encoding *self, const docket__path *path, const docket__message *message,
                                  const docket__message_field *field, const uint8_t *value, bool is_entry)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return encode_repeated(self, path, message, field, value);
    }
    if (is_entry || docket__message_has(field, value)) {
        return encode_value(self, path, field, DOCKET__PATH_WHOLE, value + field->offset);
    }
    return field->label == PROTOBUF_C_LABEL_REQUIRED
               ? fail(self, path, field, DOCKET__PATH_WHOLE, "the required member is not set")
               : DOCKET_OK;
}

/* The unknown fields of a message on their way between the known ones. */
typedef struct strangers {
    const docket__unknown *const *next;
    const docket__unknown *const *end;
} strangers;

static docket_status list_strangers(encoding *self, const docket__path *path, const uint8_t *value,
                                    strangers *strange)
{
    const ProtobufCMessage *base = (const ProtobufCMessage *)(const void *)value;
    size_t count = base->n_unknown_fields;
    if (base->unknown_fields == NULL) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "unknown fields have a count, but are NULL");
    }
    const void **list = take_scratch(self, count, sizeof *list);
    const void **spare = take_scratch(self, count, sizeof *spare);
    if (list == NULL || spare == NULL) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = &base->unknown_fields[i];
    }
    if (!docket__unknowns_in_order(base->unknown_fields, count)) {
        docket__unknowns_arrange(list, spare, count);
    }
    strange->next = (const docket__unknown *const *)list;
    strange->end = strange->next + count;
    return DOCKET_OK;
}

static docket_status encode_stranger(encoding *self, const docket__path *path, const docket__unknown *unknown)
{
    if (!docket__unknown_is_whole(unknown)) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "unknown field %u is not whole",
                                 (unsigned)unknown->tag);
    }
    uint8_t *end = unknown->len <= SIZE_MAX - HEAD_BYTES ? reserve(self, HEAD_BYTES + unknown->len) : NULL;
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    end = docket__tag_put(end, unknown->tag, (enum docket__wire)unknown->wire_type);
    memcpy(end, unknown->data, unknown->len);
    return advance(self, end + unknown->len);
}

/* Those before a field, whose number none of them may have. */
static docket_status encode_strangers(encoding *self, const docket__path *path, strangers *strange, uint32_t before)
{
    docket_status status = DOCKET_OK;
    while (strange->next < strange->end && (*strange->next)->tag < before && status == DOCKET_OK) {
        status = encode_stranger(self, path, *strange->next++);
    }
    if (status == DOCKET_OK && strange->next < strange->end && (*strange->next)->tag == before) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "unknown field %u is a member of the message",
                                 (unsigned)before);
    }
    return status;
}

static docket_status encode_message(encoding *self, const docket__path *path, const docket__message *message,
                                    const uint8_t *value, bool is_entry)
{
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    self->depth++;
    strangers strange = {NULL, NULL};
    docket_status status = DOCKET_OK;
    if (((const ProtobufCMessage *)(const void *)value)->n_unknown_fields > 0) {
        status = list_strangers(self, path, value, &strange);
    }
    for (unsigned i = 0; i < message->n_fields && status == DOCKET_OK; i++) {
        if (strange.next < strange.end) {
            status = encode_strangers(self, path, &strange, message->fields[i].id);
        }
        if (status == DOCKET_OK) {
            status = encode_field(self, path, message, &message->fields[i], value, is_entry);
        }
    }
    if (status == DOCKET_OK && strange.next < strange.end) {
        status = encode_strangers(self, path, &strange, UINT32_MAX);
    }
    self->depth--;
    return status;
}

docket_status docket_protobuf_encode(const docket_type *type, const void *value, docket_buffer *out,
                                     docket_error *error)
{
    encoding self = {.out = out, .error = error};
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    docket_status status = grow(&self, 0);
    if (status == DOCKET_OK) {
        status = encode_message(&self, &root, docket__message_of(type), value, false);
    }
    docket_arena_free(self.scratch);
    if (status == DOCKET_NO_MEMORY) {
        return docket__error_no_memory(error);
    }
    if (status == DOCKET_OK && self.nested_memory > docket__nested_memory_limit(self.size)) {
        return docket__path_fail(
            &root, error, DOCKET_ENCODE,
            "%zu bytes of nested messages have only %zu bytes of content: more than the limit of "
            "1 MiB and 256 to 1",
            self.nested_memory, self.size);
    }
    docket_buffer_commit(out, self.size - self.committed);
    return status;
}
