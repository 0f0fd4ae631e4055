/* Settling: a value is checked and brought into the one form that restored values have. Sealing does so in place,
 * copying on the way into other memory; both walk the same.
 *
 * What a value points to may be constant or shared, so it is never written to. It is looked at through a draft, which
 * turns into a copy in the arena at the first change (or at once, when everything is to be copied). */
#include "protobuf/message.h"

#include "base/error.h"
#include "base/text.h"
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
} draft;

static docket_status settle_message(settling *self, const docket__path *path, const docket__message *message,
                                    draft *in, bool is_entry);

static const uint8_t *look(const draft *in, size_t offset)
{
    return (in->copy != NULL ? in->copy : in->original) + offset;
}

static docket_status change(settling *self, draft *in)
{
    if (in->copy == NULL) {
        in->copy = docket_arena_alloc(self->arena, in->size);
        if (in->copy == NULL) {
            return DOCKET_NO_MEMORY;
        }
        memcpy(in->copy, in->original, in->size);
    }
    return DOCKET_OK;
}

static docket_status change_bytes(settling *self, draft *in, size_t offset, const void *bytes, size_t size)
{
    if (memcmp(look(in, offset), bytes, size) == 0) {
        return DOCKET_OK;
    }
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

static docket_status change_word(settling *self, draft *in, size_t offset, uint32_t word)
{
    return change_bytes(self, in, offset, &word, sizeof word);
}

static docket_status fail(settling *self, const docket__path *parent, const docket__message_field *field,
                          size_t index, const char *problem)
{
    docket__path path = {parent, field->name, index};
    return docket__path_fail(&path, self->error, DOCKET_ENCODE, "%s", problem);
}

static docket_status settle_text(settling *self, const docket__path *path, const docket__message_field *field,
                                 size_t index, draft *in, size_t offset)
{
    const char *text = docket__pointer_load(look(in, offset));
    if (text == NULL) {
        return change_pointer(self, in, offset, protobuf_c_empty_string);
    }
    size_t size = strlen(text);
    if (!docket__utf8_valid(text, size)) {
        return fail(self, path, field, index, "the text is not valid UTF-8");
    }
    if (!self->copies) {
        return DOCKET_OK;
    }
    char *copy = docket_arena_copy(self->arena, text, size);
    return copy == NULL ? DOCKET_NO_MEMORY : change_pointer(self, in, offset, copy);
}

static docket_status settle_bytes(settling *self, const docket__path *path, const docket__message_field *field,
                                  size_t index, draft *in, size_t offset)
{
    ProtobufCBinaryData bytes = docket__data_load(look(in, offset));
    if (bytes.len > 0 && bytes.data == NULL) {
        return fail(self, path, field, index, "the bytes have a length, but their data is NULL");
    }
    if (bytes.len == 0) {
        bytes.data = NULL;
    } else if (self->copies) {
        bytes.data = docket_arena_copy(self->arena, bytes.data, bytes.len);
        if (bytes.data == NULL) {
            return DOCKET_NO_MEMORY;
        }
    }
    return change_bytes(self, in, offset, &bytes, sizeof bytes);
}

/* `original` is not NULL. */
static docket_status settle_nested(settling *self, const docket__path *parent, const docket__message_field *field,
                                   size_t index, draft *in, size_t offset, bool is_entry)
{
    const docket__message *message = docket__message_nested(field);
    docket__path path = {parent, field->name, index};
    draft nested = {docket__pointer_load(look(in, offset)), NULL, message->sizeof_message};
    docket_status status = self->copies ? change(self, &nested) : DOCKET_OK;
    if (status == DOCKET_OK) {
        status = settle_message(self, &path, message, &nested, is_entry);
    }
    return status == DOCKET_OK && nested.copy != NULL ? change_pointer(self, in, offset, nested.copy) : status;
}

/* A value that is there; of a message its pointer, which is not NULL. */
static docket_status settle_value(settling *self, const docket__path *path, const docket__message_field *field,
                                  size_t index, draft *in, size_t offset)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return settle_text(self, path, field, index, in, offset);
    case PROTOBUF_C_TYPE_BYTES:
        return settle_bytes(self, path, field, index, in, offset);
    case PROTOBUF_C_TYPE_MESSAGE:
        return settle_nested(self, path, field, index, in, offset, false);
    case PROTOBUF_C_TYPE_BOOL:
        return change_word(self, in, offset, docket__word_load(look(in, offset)) != 0);
    default:
        return DOCKET_OK;
    }
}

static bool needs_settling(const docket__message_field *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES ||
           field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_BOOL;
}

static docket_status settle_elements(settling *self, const docket__path *path, const docket__message_field *field,
                                     bool is_map, draft *elements, size_t count)
{
    size_t size = docket__message_forms[field->type].size;
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            status = settle_value(self, path, field, i, elements, i * size);
        } else if (docket__pointer_load(look(elements, i * size)) == NULL) {
            status = fail(self, path, field, i, is_map ? "the entry is NULL" : "the element is NULL");
        } else {
            status = settle_nested(self, path, field, i, elements, i * size, is_map);
        }
    }
    return status;
}

static docket_status arrange_map(settling *self, const docket__message_field *field, draft *elements, size_t *count)
{
    const void *const *entries = (const void *const *)(const void *)look(elements, 0);
    if (docket__entries_in_order(field, entries, *count)) {
        return DOCKET_OK;
    }
    docket__ranked *room = docket_arena_alloc(self->arena, 2 * *count * sizeof *room);
    if (room == NULL || change(self, elements) != DOCKET_OK) {
        return DOCKET_NO_MEMORY;
    }
    *count = docket__entries_arrange(field, (const void **)(void *)elements->copy, room, *count);
    return DOCKET_OK;
}

static docket_status settle_repeated(settling *self, const docket__path *path, const docket__message *message,
                                     const docket__message_field *field, draft *in)
{
    size_t count = docket__count_load(look(in, field->quantifier_offset));
    draft elements = {.original = docket__pointer_load(look(in, field->offset))};
    if (count == 0) {
        return change_pointer(self, in, field->offset, NULL);
    }
    if (elements.original == NULL) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list has a count, but its elements are NULL");
    }
    if (__builtin_mul_overflow(count, (size_t)docket__message_forms[field->type].size, &elements.size)) {
        return fail(self, path, field, DOCKET__PATH_WHOLE, "the list's count is larger than memory");
    }
    bool is_map = docket__message_is_map(message, field);
    docket_status status = self->copies ? change(self, &elements) : DOCKET_OK;
    if (status == DOCKET_OK && needs_settling(field)) {
        status = settle_elements(self, path, field, is_map, &elements, count);
    }
    if (status == DOCKET_OK && is_map) {
        status = arrange_map(self, field, &elements, &count);
    }
    if (status == DOCKET_OK && elements.copy != NULL) {
        status = change_pointer(self, in, field->offset, elements.copy);
    }
    return status == DOCKET_OK ? change_bytes(self, in, field->quantifier_offset, &count, sizeof count) : status;
}

/* The value that an enum starts with is its first one, which only the message's own function knows. */
static docket_status reset_enum(settling *self, const docket__message *message, const docket__message_field *field,
                                draft *in)
{
    uint8_t *fresh = docket_arena_alloc(self->arena, message->sizeof_message);
    if (fresh == NULL) {
        return DOCKET_NO_MEMORY;
    }
    message->message_init((ProtobufCMessage *)(void *)fresh);
    return change_word(self, in, field->offset, docket__word_load(fresh + field->offset));
}

/* Brings a member that is not there into its start state. */
static docket_status settle_absent(settling *self, const docket__message *message,
                                   const docket__message_field *field, draft *in)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
    if (field->type == PROTOBUF_C_TYPE_STRING && field->label == PROTOBUF_C_LABEL_NONE) {
        return change_pointer(self, in, field->offset, protobuf_c_empty_string);
    }
    if (docket__message_is_pointer(field)) {
        return change_pointer(self, in, field->offset, field->default_value);
    }
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type == PROTOBUF_C_TYPE_ENUM &&
        field->default_value == NULL) {
        return reset_enum(self, message, field, in);
    }
    const void *start =
        field->label == PROTOBUF_C_LABEL_OPTIONAL && field->default_value != NULL ? field->default_value : zeros;
    return change_bytes(self, in, field->offset, start, docket__message_forms[field->type].size);
}

/* Nothing of the choice is there. */
static docket_status reset_choice(settling *self, const docket__message *message,
                                  const docket__message_field *field, draft *in)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
    docket_status status = change_word(self, in, field->quantifier_offset, 0);
    for (unsigned i = 0; i < message->n_fields && status == DOCKET_OK; i++) {
        const docket__message_field *other = &message->fields[i];
        if (docket__message_is_choice(other) && other->quantifier_offset == field->quantifier_offset) {
            status = change_bytes(self, in, other->offset, zeros, docket__message_forms[other->type].size);
        }
    }
    return status;
}

static docket_status settle_choice(settling *self, const docket__path *path, const docket__message *message,
                                   const docket__message_field *field, draft *in)
{
    uint32_t chosen = docket__word_load(look(in, field->quantifier_offset));
    if (chosen == field->id) {
        return docket__message_has(field, look(in, 0))
                   ? settle_value(self, path, field, DOCKET__PATH_WHOLE, in, field->offset)
                   : reset_choice(self, message, field, in);
    }
    size_t hint = 0;
    const docket__message_field *other = chosen != 0 ? docket__message_find(message, chosen, &hint) : field;
    bool is_member =
        other != NULL && docket__message_is_choice(other) && other->quantifier_offset == field->quantifier_offset;
    return is_member ? DOCKET_OK : reset_choice(self, message, field, in);
}

/* Key or value of a map's entry: there, whatever the entry says. */
static docket_status settle_entry_member(settling *self, const docket__path *path,
                                         const docket__message_field *field, draft *in)
{
    const void *pointer = NULL;
    docket_status status = DOCKET_OK;
    if (!docket__message_is_pointer(field)) {
        status =
            field->label == PROTOBUF_C_LABEL_OPTIONAL ? change_word(self, in, field->quantifier_offset, 1) : status;
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        memcpy(&pointer, look(in, field->offset), sizeof pointer);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && pointer == NULL) {
        const docket__message *message = docket__message_nested(field);
        docket__path inner = {path, field->name, DOCKET__PATH_WHOLE};
        docket__path member = {&inner, docket__message_first_required(message), DOCKET__PATH_WHOLE};
        if (member.name != NULL) {
            return docket__path_fail(&member, self->error, DOCKET_ENCODE, "the required member is not set");
        }
        ProtobufCMessage *fresh = docket_arena_alloc(self->arena, message->sizeof_message);
        if (fresh == NULL) {
            return DOCKET_NO_MEMORY;
        }
        message->message_init(fresh);
        return change_pointer(self, in, field->offset, fresh);
    }
    return status == DOCKET_OK ? settle_value(self, path, field, DOCKET__PATH_WHOLE, in, field->offset) : status;
}

static docket_status settle_single(settling *self, const docket__path *path, const docket__message *message,
                                   const docket__message_field *field, draft *in)
{
    if (!docket__message_has(field, look(in, 0))) {
        return field->label == PROTOBUF_C_LABEL_REQUIRED
                   ? fail(self, path, field, DOCKET__PATH_WHOLE, "the required member is not set")
                   : settle_absent(self, message, field, in);
    }
    docket_status status = DOCKET_OK;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !docket__message_is_pointer(field)) {
        status = change_word(self, in, field->quantifier_offset, 1);
    }
    return status == DOCKET_OK ? settle_value(self, path, field, DOCKET__PATH_WHOLE, in, field->offset) : status;
}

static docket_status settle_field(settling *self, const docket__path *path, const docket__message *message,
                                  const docket__message_field *field, draft *in, bool is_entry)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return settle_repeated(self, path, message, field, in);
    }
    if (is_entry) {
        return settle_entry_member(self, path, field, in);
    }
    return docket__message_is_choice(field) ? settle_choice(self, path, message, field, in)
                                            : settle_single(self, path, message, field, in);
}

static docket_status check_unknowns(settling *self, const docket__path *path, const docket__message *message,
                                    const docket__unknown *unknowns, size_t count)
{
    size_t hint = 0;
    if (unknowns == NULL) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "unknown fields have a count, but are NULL");
    }
    for (size_t i = 0; i < count; i++) {
        const char *problem = !docket__unknown_is_whole(&unknowns[i]) ? "is not whole"
                              : docket__message_find(message, unknowns[i].tag, &hint) != NULL
                                  ? "is a member of the message"
                                  : NULL;
        if (problem != NULL) {
            return docket__path_fail(path, self->error, DOCKET_ENCODE, "unknown field %u %s",
                                     (unsigned)unknowns[i].tag, problem);
        }
    }
    return DOCKET_OK;
}

/* A new list of the unknown fields, in order. */
static docket_status list_unknowns(settling *self, const docket__unknown *unknowns, size_t count, draft *in)
{
    docket__unknown *list = docket_arena_alloc(self->arena, count * sizeof *list);
    const void **places = docket_arena_alloc(self->arena, count * sizeof *places);
    const void **spare = docket_arena_alloc(self->arena, count * sizeof *spare);
    if (list == NULL || places == NULL || spare == NULL) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = &unknowns[i];
    }
    docket__unknowns_arrange(places, spare, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(&list[i], places[i], sizeof list[i]);
        if (self->copies) {
            list[i].data = docket_arena_copy(self->arena, list[i].data, list[i].len);
            if (list[i].data == NULL) {
                return DOCKET_NO_MEMORY;
            }
        }
    }
    return change_pointer(self, in, offsetof(ProtobufCMessage, unknown_fields), list);
}

static docket_status settle_base(settling *self, const docket__path *path, const docket__message *message,
                                 draft *in)
{
    ProtobufCMessage base;
    memcpy(&base, look(in, 0), sizeof base);
    docket_status status = change_pointer(self, in, offsetof(ProtobufCMessage, descriptor), message);
    if (status != DOCKET_OK || base.n_unknown_fields == 0) {
        return status == DOCKET_OK ? change_pointer(self, in, offsetof(ProtobufCMessage, unknown_fields), NULL)
                                   : status;
    }
    status = check_unknowns(self, path, message, base.unknown_fields, base.n_unknown_fields);
    if (status == DOCKET_OK &&
        (self->copies || !docket__unknowns_in_order(base.unknown_fields, base.n_unknown_fields))) {
        status = list_unknowns(self, base.unknown_fields, base.n_unknown_fields, in);
    }
    return status;
}

static docket_status settle_message(settling *self, const docket__path *path, const docket__message *message,
                                    draft *in, bool is_entry)
{
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_ENCODE, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    self->depth++;
    docket_status status = settle_base(self, path, message, in);
    for (unsigned i = 0; i < message->n_fields && status == DOCKET_OK; i++) {
        status = settle_field(self, path, message, &message->fields[i], in, is_entry);
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
    docket_status status = settle_message(&self, &root, docket__message_of(type), &whole, false);
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}

docket_status docket_protobuf_seal(const docket_type *type, void *value, docket_arena *arena, docket_error *error)
{
    return settle(type, value, arena, false, error);
}

docket_status docket_protobuf_copy(const docket_type *type, const void *from, docket_arena *arena, void *value,
                                   docket_error *error)
{
    memcpy(value, from, docket__message_of(type)->sizeof_message);
    return settle(type, value, arena, true, error);
}

void docket_protobuf_init(const docket_type *type, void *value)
{
    docket__message_of(type)->message_init(value);
}
