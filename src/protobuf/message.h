/* The protobuf room: values of protobuf-c messages to bytes and back, and their description.
 *
 *   describe.c   what a message's descriptor says, as a docket type     encode.c   canonical bytes
 *   decode.c     and back, from hostile bytes too                       settle.c   copies, and fresh values in the form
 *   field.c      what fields are in memory and on the wire                         of restored ones
 *   order.c      the one order of map entries and of unknown fields
 *
 * It owns nothing and keeps no state. It is a library of its own beside docket, so memory comes from docket's public
 * functions only; of base and type it uses what needs no state: texts, errors, paths, the wire format.
 *
 * Always true: what is walked is the type's own descriptor and those that it names, never the pointer in the value,
 * which a program may have left NULL. A descriptor has passed docket_protobuf_describe before a value meets it. */
#ifndef DOCKET_PROTOBUF_MESSAGE_H
#define DOCKET_PROTOBUF_MESSAGE_H

#include "type/field.h"

#include <docket/protobuf.h>

typedef ProtobufCMessageDescriptor docket__message;
typedef ProtobufCFieldDescriptor docket__message_field;
typedef ProtobufCMessageUnknownField docket__unknown;

/* Wire type and size in memory of one value of a type. */
typedef struct docket__message_form {
    uint8_t wire;
    uint8_t size;
} docket__message_form;

extern const docket__message_form docket__message_forms[PROTOBUF_C_TYPE_MESSAGE + 1];

static inline const docket__message *docket__message_of(const docket_type *type)
{
    return type->detail;
}

static inline const docket__message *docket__message_nested(const docket__message_field *field)
{
    return field->descriptor;
}

static inline bool docket__message_is_number(const docket__message_field *field)
{
    return docket__message_forms[field->type].wire != DOCKET__WIRE_BYTES;
}

/* True if a single value is a pointer that is NULL when it is not there. */
static inline bool docket__message_is_pointer(const docket__message_field *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static inline bool docket__message_is_choice(const docket__message_field *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static inline uint32_t docket__word_load(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline void docket__word_store(uint8_t *at, uint32_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline ProtobufCBinaryData docket__data_load(const uint8_t *at)
{
    ProtobufCBinaryData data;
    memcpy(&data, at, sizeof data);
    return data;
}

/* A number as it goes to the wire. */
static inline uint64_t docket__message_number(ProtobufCType type, const uint8_t *at)
{
    uint32_t word = 0;
    uint64_t wide = 0;
    if (docket__message_forms[type].size == sizeof word) {
        memcpy(&word, at, sizeof word);
    } else {
        memcpy(&wide, at, sizeof wide);
    }
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        return word != 0;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        return (uint64_t)(int64_t)(int32_t)word;
    case PROTOBUF_C_TYPE_SINT32:
        return word << 1 ^ (0u - (word >> 31));
    case PROTOBUF_C_TYPE_SINT64:
        return wide << 1 ^ (0u - (wide >> 63));
    default:
        return docket__message_forms[type].size == sizeof word ? word : wide;
    }
}

/* Whether a field that is not repeated is there, in the way that its label says. */
bool docket__message_has(const docket__message_field *field, const uint8_t *message);

/* True if a repeated field is a map: a nested message named after the field with exactly key = 1 and value = 2. In an
 * entry neither is ever left out. */
bool docket__message_is_map(const docket__message *message, const docket__message_field *field);

/* The field with a number; NULL = none. */
const docket__message_field *docket__message_search(const docket__message *message, uint32_t number, size_t *hint);

/* The same, looked for first where the last one was found (*hint, 0 at first), and behind it. */
static inline const docket__message_field *docket__message_find(const docket__message *message, uint32_t number,
                                                                size_t *hint)
{
    for (size_t i = *hint; i < message->n_fields && i <= *hint + 1; i++) {
        if (message->fields[i].id == number) {
            *hint = i;
            return &message->fields[i];
        }
    }
    return docket__message_search(message, number, hint);
}

enum { DOCKET__FIELDS_ON_STACK = 64 };

/* What decoding takes for each nested message: itself, and notes about its fields where there are many. */
static inline size_t docket__message_cost(const docket__message *message)
{
    size_t fields = message->n_fields;
    size_t notes = fields > DOCKET__FIELDS_ON_STACK ? (fields + fields / 64 + 2) * sizeof(uint64_t) : 0;
    return message->sizeof_message + notes;
}

/* The name of a required field, if the message has one; it may be left unset by a map's entry without a value. */
const char *docket__message_first_required(const docket__message *message);

/* True if the bytes of an unknown field are one value of its wire type, and its number is one that can be read. */
bool docket__unknown_is_whole(const docket__unknown *unknown);

/* True if the entries stand in strictly ascending order of their keys. None of them is NULL. */
bool docket__entries_in_order(const docket__message_field *field, const void *const *entries, size_t count);

/* An entry, and the part of its key that tells most of them apart, as a number. */
typedef struct docket__ranked {
    uint64_t rank;
    const void *entry;
} docket__ranked;

/* Sorts entries by key and drops all but the last of each key; `room` is for twice as many. Returns how many are left. */
size_t docket__entries_arrange(const docket__message_field *field, const void **entries, docket__ranked *room,
                               size_t count);

/* Sorts unknown fields by number; those of one number keep their order. */
bool docket__unknowns_in_order(const docket__unknown *unknowns, size_t count);
void docket__unknowns_arrange(const void **unknowns, const void **spare, size_t count);

#endif
