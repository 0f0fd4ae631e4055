#include "type/field.h"

#define FORM(wire, type)                                  \
    {                                                     \
        DOCKET__WIRE_##wire, sizeof(type), _Alignof(type) \
    }

const docket__kind_form docket__kind_forms[DOCKET_KIND_FILE + 1] = {
    [DOCKET_KIND_BOOL] = FORM(VARINT, bool),           [DOCKET_KIND_INT32] = FORM(VARINT, int32_t),
    [DOCKET_KIND_INT64] = FORM(VARINT, int64_t),       [DOCKET_KIND_UINT32] = FORM(VARINT, uint32_t),
    [DOCKET_KIND_UINT64] = FORM(VARINT, uint64_t),     [DOCKET_KIND_FLOAT] = FORM(FIXED32, float),
    [DOCKET_KIND_DOUBLE] = FORM(FIXED64, double),      [DOCKET_KIND_STRING] = FORM(BYTES, const char *),
    [DOCKET_KIND_BYTES] = FORM(BYTES, docket_bytes),   [DOCKET_KIND_TIME_MS] = FORM(VARINT, int64_t),
    [DOCKET_KIND_FIXED] = {DOCKET__WIRE_BYTES, 0, 1},  [DOCKET_KIND_ENUM] = FORM(VARINT, int32_t),
    [DOCKET_KIND_STRUCT] = {DOCKET__WIRE_BYTES, 0, 0}, [DOCKET_KIND_FILE] = FORM(BYTES, docket_file),
};

const docket_field *docket__fields_next_higher(const docket_schema *schema, uint32_t number)
{
    const docket_field *next = NULL;
    for (size_t i = 0; i < schema->field_count; i++) {
        const docket_field *field = &schema->fields[i];
        if (field->number > number && (next == NULL || field->number < next->number)) {
            next = field;
        }
    }
    return next;
}

const docket_field *docket__fields_find(const docket_schema *schema, uint32_t number, size_t *hint)
{
    const size_t likely[] = {(size_t)number - 1, *hint, *hint + 1};
    for (size_t i = 0; i < sizeof likely / sizeof likely[0]; i++) {
        if (likely[i] < schema->field_count && schema->fields[likely[i]].number == number) {
            *hint = likely[i];
            return &schema->fields[likely[i]];
        }
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        if (schema->fields[i].number == number) {
            *hint = i;
            return &schema->fields[i];
        }
    }
    return NULL;
}

void docket__fields_start(const docket_schema *schema, uint8_t *value)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const docket_field *field = &schema->fields[i];
        size_t path = field->kind == DOCKET_KIND_FILE ? offsetof(docket_file, path) : 0;
        bool is_text = field->kind == DOCKET_KIND_STRING || field->kind == DOCKET_KIND_FILE;
        if (is_text && field->label == DOCKET_LABEL_ONE) {
            docket__pointer_store(value + field->offset + path, "");
        }
    }
}
