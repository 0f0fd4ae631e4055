/* Where two encodings differ: by the type's fields, as far as it has any. Protobuf wire format, in the order of field
 * numbers; see docket/type.h. */
#include "testing/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, MOST_NESTING = 100 };

typedef struct record {
    uint64_t number; /* UINT64_MAX: there is none */
    unsigned wire;
    docket_bytes whole, payload;
} record;

static bool read_varint(docket_bytes *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        uint8_t byte = *rest->data++;
        rest->size--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool measure(unsigned wire, docket_bytes *rest, uint64_t *size)
{
    docket_bytes after = *rest;
    switch (wire) {
    case WIRE_VARINT:
        if (!read_varint(&after, size)) {
            return false;
        }
        *size = rest->size - after.size;
        return true;
    case WIRE_BYTES:
        return read_varint(rest, size) && *size <= rest->size;
    case WIRE_64:
    case WIRE_32:
        *size = wire == WIRE_64 ? 8 : 4;
        return *size <= rest->size;
    default:
        return false;
    }
}

/* False: what follows is no field. */
static bool take(docket_bytes *rest, record *taken)
{
    docket_bytes start = *rest;
    uint64_t tag;
    uint64_t size;
    *taken = (record){.number = UINT64_MAX};
    if (rest->size == 0) {
        return true;
    }
    if (!read_varint(rest, &tag) || !measure((unsigned)(tag & 7), rest, &size)) {
        return false;
    }
    taken->number = tag >> 3;
    taken->wire = (unsigned)(tag & 7);
    taken->payload = (docket_bytes){rest->data, (size_t)size};
    rest->data += size;
    rest->size -= (size_t)size;
    taken->whole = (docket_bytes){start.data, start.size - rest->size};
    return true;
}

static bool same(docket_bytes a, docket_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static const docket_field *find_field(const docket_schema *schema, uint64_t number)
{
    for (size_t i = 0; schema != NULL && i < schema->field_count; i++) {
        if (schema->fields[i].number == number) {
            return &schema->fields[i];
        }
    }
    return NULL;
}

static void append(char *place, size_t room, const char *format, ...) DOCKET_PRINTF(3, 4);
static void append(char *place, size_t room, const char *format, ...)
{
    size_t used = strlen(place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place + used, room - used, format, arguments);
    va_end(arguments);
}

static const docket_type *base_of(const docket_type *type)
{
    while (type->flags & DOCKET_TYPE_ALIAS) {
        type = type->base;
    }
    return type;
}

/* NULL: the type has no fields that docket knows of. */
static const docket_schema *schema_of(const docket_type *type, docket_arena *arena)
{
    const docket_type *base = base_of(type);
    const docket_type *described = base;
    if (base->describe != NULL && base->schema == NULL &&
        base->describe(base, arena, &described, NULL) != DOCKET_OK) {
        return NULL;
    }
    return described->schema;
}

/* Follows two encodings to the first field that differs, and into it. False: they are no fields. */
static bool follow(const docket_schema *schema, docket_bytes expected, docket_bytes found, docket_arena *arena,
                   char *place, size_t room)
{
    for (int depth = 0; depth < MOST_NESTING && schema != NULL; depth++) {
        record a;
        record b;
        uint64_t number = 0;
        size_t index = 0;
        bool differ;
        do {
            if (!take(&expected, &a) || !take(&found, &b)) {
                return depth > 0;
            }
            index = a.number == number ? index + 1 : 0;
            number = a.number;
            differ = !same(a.whole, b.whole);
        } while (!differ && number != UINT64_MAX);
        if (!differ) {
            return depth > 0;
        }
        number = b.number < a.number ? b.number : a.number;
        const docket_field *field = find_field(schema, number);
        if (field == NULL) {
            append(place, room, ", field %llu", (unsigned long long)number);
            return true;
        }
        append(place, room, ".%s", field->name);
        bool is_nested = field->type != NULL && field->kind == DOCKET_KIND_STRUCT;
        if (is_nested && field->label == DOCKET_LABEL_LIST) {
            append(place, room, "[%zu]", index);
        }
        if (!is_nested || a.number != b.number || a.wire != WIRE_BYTES || b.wire != WIRE_BYTES) {
            return true;
        }
        schema = schema_of(field->type, arena);
        expected = a.payload;
        found = b.payload;
    }
    return true;
}

void docket__test_difference(const docket_type *type, docket_bytes expected, docket_bytes found, char *place,
                             size_t room)
{
    docket_arena *arena = docket_arena_new();
    const docket_schema *schema = arena != NULL ? schema_of(type, arena) : NULL;
    snprintf(place, room, "%s", type->name);
    if (schema == NULL || !follow(schema, expected, found, arena, place, room)) {
        size_t shared = expected.size < found.size ? expected.size : found.size;
        size_t at = 0;
        while (at < shared && expected.data[at] == found.data[at]) {
            at++;
        }
        snprintf(place, room, "%s, byte %zu of %zu", type->name, at, expected.size);
    }
    docket_arena_free(arena);
}
