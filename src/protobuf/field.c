#include "protobuf/message.h"

#define FORM(wire, type)                  \
    {                                     \
        DOCKET__WIRE_##wire, sizeof(type) \
    }

const docket__message_form docket__message_forms[PROTOBUF_C_TYPE_MESSAGE + 1] = {
    [PROTOBUF_C_TYPE_INT32] = FORM(VARINT, int32_t),
    [PROTOBUF_C_TYPE_SINT32] = FORM(VARINT, int32_t),
    [PROTOBUF_C_TYPE_SFIXED32] = FORM(FIXED32, int32_t),
    [PROTOBUF_C_TYPE_INT64] = FORM(VARINT, int64_t),
    [PROTOBUF_C_TYPE_SINT64] = FORM(VARINT, int64_t),
    [PROTOBUF_C_TYPE_SFIXED64] = FORM(FIXED64, int64_t),
    [PROTOBUF_C_TYPE_UINT32] = FORM(VARINT, uint32_t),
    [PROTOBUF_C_TYPE_FIXED32] = FORM(FIXED32, uint32_t),
    [PROTOBUF_C_TYPE_UINT64] = FORM(VARINT, uint64_t),
    [PROTOBUF_C_TYPE_FIXED64] = FORM(FIXED64, uint64_t),
    [PROTOBUF_C_TYPE_FLOAT] = FORM(FIXED32, float),
    [PROTOBUF_C_TYPE_DOUBLE] = FORM(FIXED64, double),
    [PROTOBUF_C_TYPE_BOOL] = FORM(VARINT, protobuf_c_boolean),
    [PROTOBUF_C_TYPE_ENUM] = FORM(VARINT, int32_t),
    [PROTOBUF_C_TYPE_STRING] = FORM(BYTES, char *),
    [PROTOBUF_C_TYPE_BYTES] = FORM(BYTES, ProtobufCBinaryData),
    [PROTOBUF_C_TYPE_MESSAGE] = FORM(BYTES, void *),
};

_Static_assert(sizeof(protobuf_c_boolean) == 4, "a boolean is read as 32 bits");

static bool is_set(const docket__message_field *field, const uint8_t *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = docket__pointer_load(member);
        return text != NULL && *text != '\0';
    }
    case PROTOBUF_C_TYPE_BYTES:
        return docket__data_load(member).len > 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return docket__pointer_load(member) != NULL;
    default:
        return docket__message_number(field->type, member) != 0;
    }
}

bool docket__message_has(const docket__message_field *field, const uint8_t *message)
{
    const uint8_t *member = message + field->offset;
    bool is_pointer = docket__message_is_pointer(field);
    if (docket__message_is_choice(field)) {
        return docket__word_load(message + field->quantifier_offset) == field->id &&
               (!is_pointer || docket__pointer_load(member) != NULL);
    }
    switch (field->label) {
    case PROTOBUF_C_LABEL_REQUIRED:
        return !is_pointer || docket__pointer_load(member) != NULL;
    case PROTOBUF_C_LABEL_OPTIONAL:
        if (is_pointer) {
            const void *pointer = docket__pointer_load(member);
            return pointer != NULL && pointer != field->default_value;
        }
        return docket__word_load(message + field->quantifier_offset) != 0;
    default:
        return is_set(field, member);
    }
}

/* protoc's name for the entries of a map: total_by_name gives TotalByNameEntry. */
static bool is_entry_name(const char *name, const char *of)
{
    bool is_first = true;
    for (; *of != '\0'; of++) {
        if (*of == '_') {
            is_first = true;
            continue;
        }
        char letter = is_first && *of >= 'a' && *of <= 'z' ? (char)(*of - 'a' + 'A') : *of;
        is_first = false;
        if (*name++ != letter) {
            return false;
        }
    }
    return strcmp(name, "Entry") == 0;
}

static bool is_key_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return false;
    default:
        return true;
    }
}

static bool is_entry_member(const docket__message_field *member, uint32_t number, const char *name)
{
    bool is_plain = member->label == PROTOBUF_C_LABEL_NONE || member->label == PROTOBUF_C_LABEL_OPTIONAL;
    return member->id == number && is_plain && member->name != NULL && !docket__message_is_choice(member) &&
           strcmp(member->name, name) == 0;
}

bool docket__message_is_map(const docket__message *message, const docket__message_field *field)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED) {
        return false;
    }
    const docket__message *entry = docket__message_nested(field);
    if (entry->n_fields != 2 || !is_entry_member(&entry->fields[0], 1, "key") ||
        !is_entry_member(&entry->fields[1], 2, "value") || !is_key_type(entry->fields[0].type)) {
        return false;
    }
    size_t length = strlen(message->name);
    return strncmp(entry->name, message->name, length) == 0 && entry->name[length] == '.' &&
           is_entry_name(entry->name + length + 1, field->name);
}

const docket__message_field *docket__message_search(const docket__message *message, uint32_t number, size_t *hint)
{
    size_t low = 0;
    size_t high = message->n_fields;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (message->fields[middle].id < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == message->n_fields || message->fields[low].id != number) {
        return NULL;
    }
    *hint = low;
    return &message->fields[low];
}

const char *docket__message_first_required(const docket__message *message)
{
    for (unsigned i = 0; i < message->n_fields; i++) {
        if (message->fields[i].label == PROTOBUF_C_LABEL_REQUIRED) {
            return message->fields[i].name;
        }
    }
    return NULL;
}

/* The bytes of a varint at the front; 0 = there is none. It may be longer than needed. */
static size_t measure_varint(const uint8_t *data, size_t size, uint64_t *value)
{
    uint64_t read = 0;
    for (size_t i = 0; i < size && i < DOCKET__VARINT_BYTES; i++) {
        read |= (uint64_t)(data[i] & 0x7f) << 7 * i;
        if (data[i] < 0x80) {
            *value = read;
            return i + 1;
        }
    }
    return 0;
}

bool docket__unknown_is_whole(const docket__unknown *unknown)
{
    if (unknown->tag < 1 || unknown->tag > 536870911 || unknown->data == NULL) {
        return false;
    }
    uint64_t length = 0;
    size_t head;
    switch (unknown->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return measure_varint(unknown->data, unknown->len, &length) == unknown->len && unknown->len > 0;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return unknown->len == 8;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return unknown->len == 4;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        head = measure_varint(unknown->data, unknown->len, &length);
        return head > 0 && length == unknown->len - head;
    default:
        return false;
    }
}
