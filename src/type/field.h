/* Fields: what a kind is in memory and on the wire, how members are read and written, and in what order they come. */
#ifndef DOCKET_TYPE_FIELD_H
#define DOCKET_TYPE_FIELD_H

#include "type/codec.h"
#include "type/wire.h"

#include <string.h>

enum {
    DOCKET__DEEPEST_NESTING = 100,           /* levels of structs, the outermost included */
    DOCKET__MOST_FIELDS = 1024,              /* of one struct */
    DOCKET__LARGEST_FIXED = 16 * 1024 * 1024 /* n of DOCKET_KIND_FIXED */
};

/* Sizes and wire type of a kind's single element; 0 bytes where the field has to tell (FIXED, STRUCT). */
typedef struct docket__kind_form {
    uint8_t wire;
    uint8_t size;
    uint8_t alignment;
} docket__kind_form;

extern const docket__kind_form docket__kind_forms[DOCKET_KIND_FILE + 1];

/* Numbers are packed in lists and omitted at zero. */
static inline bool docket__kind_is_number(unsigned kind)
{
    return docket__kind_forms[kind].wire != DOCKET__WIRE_BYTES;
}

/* Size of one value of the field's kind: what the elements of a LIST measure. */
static inline size_t docket__field_element_size(const docket_field *field)
{
    if (field->kind == DOCKET_KIND_STRUCT) {
        return docket__type_base(field->type)->size;
    }
    return field->kind == DOCKET_KIND_FIXED ? field->fixed_size : docket__kind_forms[field->kind].size;
}

static inline size_t docket__field_element_alignment(const docket_field *field)
{
    return field->kind == DOCKET_KIND_STRUCT ? docket__type_alignment(docket__type_base(field->type))
                                             : docket__kind_forms[field->kind].alignment;
}

/* True if the member is a pointer to what it holds. */
static inline bool docket__field_is_pointer(const docket_field *field)
{
    return field->label == DOCKET_LABEL_LIST || field->kind == DOCKET_KIND_STRUCT;
}

/* Size of the member itself, without its side member. */
static inline size_t docket__field_member_size(const docket_field *field)
{
    return docket__field_is_pointer(field) ? sizeof(void *) : docket__field_element_size(field);
}

/* Members are reached through memcpy: it compiles to a single move and asks for no particular pointer type. */
static inline const void *docket__pointer_load(const uint8_t *at)
{
    const void *pointer;
    memcpy(&pointer, at, sizeof pointer);
    return pointer;
}

static inline void docket__pointer_store(uint8_t *at, const void *pointer)
{
    memcpy(at, &pointer, sizeof pointer);
}

static inline size_t docket__count_load(const uint8_t *at)
{
    size_t count;
    memcpy(&count, at, sizeof count);
    return count;
}

static inline void docket__count_store(uint8_t *at, size_t count)
{
    memcpy(at, &count, sizeof count);
}

static inline docket_bytes docket__bytes_load(const uint8_t *at)
{
    docket_bytes bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static inline void docket__bytes_store(uint8_t *at, docket_bytes bytes)
{
    memcpy(at, &bytes, sizeof bytes);
}

/* True if the fields are declared in the order of their numbers, as they nearly always are. */
static inline bool docket__fields_in_order(const docket_schema *schema)
{
    uint32_t previous = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        if (schema->fields[i].number <= previous) {
            return false;
        }
        previous = schema->fields[i].number;
    }
    return true;
}

const docket_field *docket__fields_next_higher(const docket_schema *schema, uint32_t number);

/* Walks the fields in the order of their numbers: `after` NULL gives the first, NULL comes after the last. */
static inline const docket_field *docket__fields_next(const docket_schema *schema, const docket_field *after,
                                                      bool in_order)
{
    if (!in_order) {
        return docket__fields_next_higher(schema, after != NULL ? after->number : 0);
    }
    const docket_field *next = after != NULL ? after + 1 : schema->fields;
    return next < schema->fields + schema->field_count ? next : NULL;
}

/* The field with a number, looked for first where numbers without gaps would have it, then where the last one was found
 * (*hint, 0 at first); NULL = none. */
const docket_field *docket__fields_find(const docket_schema *schema, uint32_t number, size_t *hint);

/* Gives a zeroed struct the form of one whose members were all left out: texts, the paths of files among them, are "". */
void docket__fields_start(const docket_schema *schema, uint8_t *value);

/* What nested structs may take in memory when they are decoded from so many bytes: a sub-message of 2 bytes stands for
 * a whole struct of zeros, so without a bound a small input could ask for any amount. Encoding refuses what decoding
 * would, so whatever was recorded can be restored; a list of structs up to 512 bytes each never comes near it. */
static inline size_t docket__nested_memory_limit(size_t wire_bytes)
{
    size_t limit = 0;
    if (__builtin_mul_overflow(wire_bytes, 256u, &limit) || __builtin_add_overflow(limit, 1024u * 1024u, &limit)) {
        return SIZE_MAX;
    }
    return limit;
}

#endif
