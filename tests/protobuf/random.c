#include "random.h"

#include <math.h>
#include <string.h>

uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    return (random_next(seed) >> 11) % limit;
}

static uint64_t random_number(uint64_t *seed)
{
    uint64_t number = random_next(seed) >> random_below(seed, 64);
    switch (random_below(seed, 8)) {
    case 0:
        return 0;
    case 1:
        return 0u - number;
    default:
        return number;
    }
}

static double random_double(uint64_t *seed, unsigned flags)
{
    double number;
    uint64_t bits = random_next(seed);
    switch (random_below(seed, 8)) {
    case 0:
        return 0.0;
    case 1:
        return -0.0;
    case 2:
        return (double)INFINITY;
    case 3:
        return (double)random_below(seed, 1000) / 8;
    default:
        memcpy(&number, &bits, sizeof number);
        return isnan(number) && !(flags & RANDOM_NAN) ? 1.5 : number;
    }
}

static float random_float(uint64_t *seed, unsigned flags)
{
    uint32_t bits = (uint32_t)random_next(seed);
    float number;
    memcpy(&number, &bits, sizeof number);
    if (random_below(seed, 4) == 0) {
        return -0.0F;
    }
    return isnan(number) && !(flags & RANDOM_NAN) ? 2.5F : number;
}

static char *random_text(uint64_t *seed, docket_arena *arena)
{
    static const char *const letters[] = {"a", "Z", " ", "é", "€", "😀", "\n", "0123456789abcdef", "\"", "\\"};
    size_t count = random_below(seed, 12);
    char *text = docket_arena_alloc(arena, count * 16 + 1);
    char *end = text;
    for (size_t i = 0; i < count; i++) {
        const char *letter = letters[random_below(seed, sizeof letters / sizeof letters[0])];
        size_t size = strlen(letter);
        memcpy(end, letter, size);
        end += size;
    }
    return text;
}

static ProtobufCBinaryData random_bytes(uint64_t *seed, docket_arena *arena)
{
    ProtobufCBinaryData bytes = {random_below(seed, 8) == 0 ? random_below(seed, 300) : random_below(seed, 12),
                                 NULL};
    bytes.data = docket_arena_alloc(arena, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] = (uint8_t)random_next(seed);
    }
    return bytes;
}

static void *random_nested(uint64_t *seed, docket_arena *arena, const ProtobufCMessageDescriptor *message,
                           unsigned depth, unsigned flags)
{
    void *nested = docket_arena_alloc(arena, message->sizeof_message);
    message->message_init(nested);
    random_message(seed, arena, message, nested, depth, flags);
    return nested;
}

/* One value of the field's type. */
static void random_value(uint64_t *seed, docket_arena *arena, const ProtobufCFieldDescriptor *field, uint8_t *at,
                         unsigned depth, unsigned flags)
{
    uint64_t wide = random_number(seed);
    uint32_t word = (uint32_t)wide;
    double wide_real;
    float real;
    void *pointer;
    ProtobufCBinaryData bytes;
    const ProtobufCEnumDescriptor *values = field->descriptor;
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        word &= 1;
        memcpy(at, &word, sizeof word);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        word = (uint32_t)values->values[random_below(seed, values->n_values)].value;
        memcpy(at, &word, sizeof word);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        real = random_float(seed, flags);
        memcpy(at, &real, sizeof real);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        wide_real = random_double(seed, flags);
        memcpy(at, &wide_real, sizeof wide_real);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        memcpy(at, &wide, sizeof wide);
        break;
    case PROTOBUF_C_TYPE_STRING:
        pointer = random_text(seed, arena);
        memcpy(at, &pointer, sizeof pointer);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes = random_bytes(seed, arena);
        memcpy(at, &bytes, sizeof bytes);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        pointer = random_nested(seed, arena, field->descriptor, depth - 1, flags);
        memcpy(at, &pointer, sizeof pointer);
        break;
    default:
        memcpy(at, &word, sizeof word);
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static void random_list(uint64_t *seed, docket_arena *arena, const ProtobufCFieldDescriptor *field, uint8_t *value,
                        unsigned depth, unsigned flags)
{
    size_t count = random_below(seed, 5);
    size_t size = size_of(field->type);
    uint8_t *elements = docket_arena_alloc(arena, (count + 1) * size);
    for (size_t i = 0; i < count; i++) {
        random_value(seed, arena, field, elements + i * size, depth, flags);
    }
    if ((flags & RANDOM_DUPLICATES) && field->type == PROTOBUF_C_TYPE_MESSAGE && count > 0 &&
        random_below(seed, 3) == 0) {
        memcpy(elements + count * size, elements + random_below(seed, count) * size, size);
        count++;
    }
    memcpy(value + field->offset, &elements, sizeof elements);
    memcpy(value + field->quantifier_offset, &count, sizeof count);
}

static void random_field(uint64_t *seed, docket_arena *arena, const ProtobufCFieldDescriptor *field, uint8_t *value,
                         unsigned depth, unsigned flags)
{
    uint32_t has = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? field->id : 1;
    bool is_pointer = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
    bool is_entry_value = field->type == PROTOBUF_C_TYPE_MESSAGE && strcmp(field->name, "value") == 0;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED || is_entry_value) {
        random_value(seed, arena, field, value + field->offset, depth > 0 ? depth : 1, flags);
        return;
    }
    if (random_below(seed, 3) == 0 || (depth == 0 && field->type == PROTOBUF_C_TYPE_MESSAGE)) {
        return;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        random_list(seed, arena, field, value, depth, flags);
        return;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memset(value + field->offset, 0, size_of(field->type));
    }
    random_value(seed, arena, field, value + field->offset, depth, flags);
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
        (field->label == PROTOBUF_C_LABEL_OPTIONAL && !is_pointer)) {
        memcpy(value + field->quantifier_offset, &has, sizeof has);
    }
}

static void random_unknown(uint64_t *seed, docket_arena *arena, ProtobufCMessage *base)
{
    static const uint8_t varint[] = {0x85, 0x80, 0x00};
    static const uint8_t bytes[] = {3, 'a', 'b', 'c'};
    static const uint8_t fixed[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const ProtobufCMessageUnknownField kinds[] = {
        {.wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = sizeof varint, .data = (uint8_t *)(uintptr_t)varint},
        {.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
         .len = sizeof bytes,
         .data = (uint8_t *)(uintptr_t)bytes},
        {.wire_type = PROTOBUF_C_WIRE_TYPE_64BIT, .len = 8, .data = (uint8_t *)(uintptr_t)fixed},
        {.wire_type = PROTOBUF_C_WIRE_TYPE_32BIT, .len = 4, .data = (uint8_t *)(uintptr_t)fixed},
    };
    base->n_unknown_fields = (unsigned)random_below(seed, 4);
    base->unknown_fields = docket_arena_alloc(arena, base->n_unknown_fields * sizeof *base->unknown_fields);
    for (size_t i = 0; i < base->n_unknown_fields; i++) {
        base->unknown_fields[i] = kinds[random_below(seed, 4)];
        base->unknown_fields[i].tag = (uint32_t)(200 + random_below(seed, 4) * 1000);
    }
}

void random_message(uint64_t *seed, docket_arena *arena, const ProtobufCMessageDescriptor *message, void *value,
                    unsigned depth, unsigned flags)
{
    for (unsigned i = 0; i < message->n_fields; i++) {
        random_field(seed, arena, &message->fields[i], value, depth, flags);
    }
    if ((flags & RANDOM_UNKNOWN) && random_below(seed, 4) == 0) {
        random_unknown(seed, arena, value);
    }
}
