#include "type/described.h"

docket__described_form docket__described_form_of(unsigned kind)
{
    switch (kind) {
    case DOCKET_KIND_SINT32:
        return (docket__described_form){DOCKET_KIND_INT32, DOCKET__WIRE_VARINT, true};
    case DOCKET_KIND_SINT64:
        return (docket__described_form){DOCKET_KIND_INT64, DOCKET__WIRE_VARINT, true};
    case DOCKET_KIND_FIXED32:
        return (docket__described_form){DOCKET_KIND_UINT32, DOCKET__WIRE_FIXED32, false};
    case DOCKET_KIND_FIXED64:
        return (docket__described_form){DOCKET_KIND_UINT64, DOCKET__WIRE_FIXED64, false};
    case DOCKET_KIND_SFIXED32:
        return (docket__described_form){DOCKET_KIND_INT32, DOCKET__WIRE_FIXED32, false};
    case DOCKET_KIND_SFIXED64:
        return (docket__described_form){DOCKET_KIND_INT64, DOCKET__WIRE_FIXED64, false};
    case DOCKET_KIND_STRUCT:
        return (docket__described_form){DOCKET_KIND_STRUCT, DOCKET__WIRE_BYTES, false};
    default:
        return (docket__described_form){(uint16_t)kind, docket__kind_forms[kind].wire, false};
    }
}

void docket__described_store(unsigned kind, uint64_t number, uint8_t *at)
{
    docket__described_form form = docket__described_form_of(kind);
    if (form.is_zigzag) {
        number = number >> 1 ^ (0u - (number & 1));
    }
    uint32_t word = (uint32_t)number;
    switch (docket__kind_forms[form.kind].size) {
    case 1:
        *at = number != 0;
        break;
    case sizeof word:
        memcpy(at, &word, sizeof word);
        break;
    default:
        memcpy(at, &number, sizeof number);
    }
}

uint64_t docket__described_load(unsigned kind, const uint8_t *at)
{
    docket__described_form form = docket__described_form_of(kind);
    uint64_t number = 0;
    int32_t word = 0;
    if (form.kind == DOCKET_KIND_BOOL) {
        return *at != 0;
    }
    if (docket__kind_forms[form.kind].size == sizeof word) {
        memcpy(&word, at, sizeof word);
        bool is_signed = form.kind == DOCKET_KIND_INT32 || form.kind == DOCKET_KIND_ENUM;
        number = is_signed ? (uint64_t)(int64_t)word : (uint32_t)word;
    } else {
        memcpy(&number, at, sizeof number);
    }
    return form.is_zigzag ? number << 1 ^ (0u - (number >> 63)) : number;
}

enum { MOST_SPECIAL_FIELDS = 6 };

typedef struct known {
    const char *name;
    docket__special special;
    uint8_t count;
    uint8_t kinds[MOST_SPECIAL_FIELDS]; /* of the members 1, 2, … */
} known;

static const known specials[] = {
    {"Timestamp", DOCKET__SPECIAL_TIMESTAMP, 2, {DOCKET_KIND_INT64, DOCKET_KIND_INT32}},
    {"Duration", DOCKET__SPECIAL_DURATION, 2, {DOCKET_KIND_INT64, DOCKET_KIND_INT32}},
    {"FieldMask", DOCKET__SPECIAL_FIELD_MASK, 1, {DOCKET_KIND_STRING}},
    {"Struct", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_STRUCT}},
    {"ListValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_STRUCT}},
    {"Value",
     DOCKET__SPECIAL_VALUE,
     6,
     {DOCKET_KIND_ENUM, DOCKET_KIND_DOUBLE, DOCKET_KIND_STRING, DOCKET_KIND_BOOL, DOCKET_KIND_STRUCT,
      DOCKET_KIND_STRUCT}},
    {"BoolValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_BOOL}},
    {"Int32Value", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_INT32}},
    {"Int64Value", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_INT64}},
    {"UInt32Value", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_UINT32}},
    {"UInt64Value", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_UINT64}},
    {"FloatValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_FLOAT}},
    {"DoubleValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_DOUBLE}},
    {"StringValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_STRING}},
    {"BytesValue", DOCKET__SPECIAL_INNER, 1, {DOCKET_KIND_BYTES}},
};

static bool is_label_right(const known *form, unsigned label)
{
    bool is_map = form->kinds[0] == DOCKET_KIND_STRUCT && strcmp(form->name, "Struct") == 0;
    bool is_list = form->special == DOCKET__SPECIAL_FIELD_MASK || strcmp(form->name, "ListValue") == 0;
    unsigned first = is_map ? DOCKET_LABEL_MAP : is_list ? DOCKET_LABEL_LIST : DOCKET_LABEL_ONE;
    return form->special == DOCKET__SPECIAL_VALUE ? label == DOCKET_LABEL_ONE || label == DOCKET_LABEL_OPTIONAL
                                                  : label == first;
}

static bool has_members(const docket_schema *schema, const known *form)
{
    bool is_alike = schema->field_count == form->count;
    for (size_t i = 0; i < form->count && is_alike; i++) {
        const docket_field *field = &schema->fields[i];
        is_alike = field->number == i + 1 && field->kind == form->kinds[i] && field->flags == 0 &&
                   is_label_right(form, field->label);
    }
    return is_alike;
}

/* The outermost type of a stored description has the name of the C struct. */
docket__special docket__described_special(const docket_type *type)
{
    static const char *const packages[] = {"google.protobuf.", "Google__Protobuf__"};
    for (size_t p = 0; p < sizeof packages / sizeof packages[0]; p++) {
        size_t length = strlen(packages[p]);
        if (strncmp(type->name, packages[p], length) != 0) {
            continue;
        }
        for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
            if (strcmp(type->name + length, specials[i].name) == 0) {
                return has_members(type->schema, &specials[i]) ? specials[i].special : DOCKET__SPECIAL_NONE;
            }
        }
    }
    return DOCKET__SPECIAL_NONE;
}

bool docket__described_is_secret(const docket_field *field)
{
    uint32_t flags = field->flags;
    for (size_t i = 0; field->label == DOCKET_LABEL_MAP && i < field->type->schema->field_count; i++) {
        flags |= field->type->schema->fields[i].flags;
    }
    return (flags & DOCKET_FIELD_SECRET) != 0;
}

bool docket__described_is_null(const docket_field *field)
{
    return field->kind == DOCKET_KIND_ENUM && strcmp(field->values->name, "google.protobuf.NullValue") == 0;
}
