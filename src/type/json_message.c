/* Messages to JSON, from their canonical bytes: what protobuf's mapping shows of a message is what stands in them, and
 * the description tells the rest. So a message looks the same in the program that made it and in one that knows only
 * the store. Unknown fields are passed over.
 *
 * Not taken for granted: that the bytes are canonical, or belong to the description. */
#include "type/json_writing.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "type/described.h"

typedef docket__json_writing writing;

/* One field as it stands in the bytes. */
typedef struct entry {
    uint32_t number; /* 0 = behind the last one */
    unsigned wire;
    uint64_t value;     /* of a number that is not packed */
    docket_bytes bytes; /* of everything else */
} entry;

/* A message that is being walked. Its fields stand in the order of their numbers. */
typedef struct walk {
    const docket__path *path;
    const docket_schema *schema;
    docket_bytes rest; /* behind the entry at hand */
    entry at;
} walk;

static docket_status fail(writing *self, const docket__path *path, const char *problem)
{
    return docket__path_fail(path, self->error, DOCKET_CORRUPT, "%s", problem);
}

static docket_status fail_field(writing *self, const walk *in, const docket_field *field, const char *problem)
{
    docket__path path = {in->path, field->name, DOCKET__PATH_WHOLE};
    return fail(self, &path, problem);
}

/* ---- Walking ---- */

static docket_bytes skip(docket_bytes bytes, const uint8_t *next)
{
    return (docket_bytes){next, (size_t)(bytes.data + bytes.size - next)};
}

/* Takes one varint or fixed number from the front. */
static bool take_number(docket_bytes *rest, unsigned wire, uint64_t *number)
{
    size_t size = wire == DOCKET__WIRE_FIXED32 ? 4 : 8;
    const uint8_t *next = rest->data;
    if (wire == DOCKET__WIRE_VARINT) {
        next = docket__varint_take(rest->data, rest->data + rest->size, number);
    } else if (rest->size >= size) {
        *number = docket__little_get(rest->data, size);
        next += size;
    } else {
        next = NULL;
    }
    if (next != NULL) {
        *rest = skip(*rest, next);
    }
    return next != NULL;
}

static docket_status step(writing *self, walk *in)
{
    uint64_t tag = 0;
    uint32_t previous = in->at.number;
    in->at = (entry){.number = 0};
    if (in->rest.size == 0) {
        return DOCKET_OK;
    }
    if (!take_number(&in->rest, DOCKET__WIRE_VARINT, &tag) || tag > UINT32_MAX || tag >> 3 < previous ||
        tag >> 3 == 0) {
        return fail(self, in->path, "fields that are not in the order of their numbers");
    }
    in->at.number = (uint32_t)(tag >> 3);
    in->at.wire = (unsigned)(tag & 7);
    if (in->at.wire > DOCKET__WIRE_BYTES && in->at.wire != DOCKET__WIRE_FIXED32) {
        return fail(self, in->path, "a group or no wire type");
    }
    bool is_bytes = in->at.wire == DOCKET__WIRE_BYTES;
    if (!take_number(&in->rest, is_bytes ? DOCKET__WIRE_VARINT : in->at.wire, &in->at.value) ||
        (is_bytes && in->at.value > in->rest.size)) {
        return fail(self, in->path, "bytes are missing");
    }
    if (is_bytes) {
        in->at.bytes = (docket_bytes){in->rest.data, (size_t)in->at.value};
        in->rest = skip(in->rest, in->rest.data + in->at.bytes.size);
    }
    return DOCKET_OK;
}

static docket_status start(writing *self, walk *in, const docket__path *path, const docket_type *type,
                           docket_bytes bytes)
{
    static const uint8_t nothing[1];
    *in = (walk){.path = path, .schema = type->schema, .rest = bytes.size > 0 ? bytes : (docket_bytes){nothing, 0}};
    return step(self, in);
}

/* Passes over unknown fields, up to the place where a field would stand. */
static docket_status seek(writing *self, walk *in, const docket_field *field)
{
    docket_status status = DOCKET_OK;
    size_t hint = 0;
    while (status == DOCKET_OK && in->at.number != 0 && in->at.number < field->number) {
        if (docket__fields_find(in->schema, in->at.number, &hint) != NULL) {
            return fail(self, in->path, "a single field that stands twice");
        }
        status = step(self, in);
    }
    return status;
}

/* ---- Values ---- */

static void put_number(writing *self, const docket_field *field, uint64_t number)
{
    uint8_t at[sizeof number];
    docket_field plain = *field;
    plain.kind = docket__described_form_of(field->kind).kind;
    if (docket__described_is_null(field) && number == 0) {
        docket__json_put(self, "null");
        return;
    }
    docket__described_store(field->kind, number, at);
    docket__json_put_number(self, &plain, at);
}

static docket_status write_bytes(writing *self, const docket__path *path, const docket_field *field,
                                 docket_bytes bytes)
{
    const char *text = (const char *)bytes.data;
    if (field->kind == DOCKET_KIND_STRUCT) {
        return docket__json_write_message(self, path, field->type, bytes);
    }
    if (field->kind == DOCKET_KIND_BYTES) {
        docket__json_put_bytes(self, bytes);
        return DOCKET_OK;
    }
    if (!docket__text_valid(text, bytes.size)) {
        return fail(self, path, "text that is not UTF-8 without NUL");
    }
    docket__json_put_string(self->out, text, bytes.size);
    return DOCKET_OK;
}

static docket_status write_value(writing *self, const docket__path *path, const docket_field *field,
                                 const entry *at)
{
    unsigned wire = docket__described_form_of(field->kind).wire;
    if (at->wire != wire) {
        return fail(self, path, "wrong wire type");
    }
    if (wire == DOCKET__WIRE_BYTES) {
        return write_bytes(self, path, field, at->bytes);
    }
    put_number(self, field, at->value);
    return DOCKET_OK;
}

/* What stands for a value that was left out where one must be. */
static docket_status write_start(writing *self, const docket__path *path, const docket_field *field)
{
    const entry nothing = {.wire = docket__described_form_of(field->kind).wire};
    return write_value(self, path, field, &nothing);
}

static docket_status write_packed(writing *self, const docket__path *path, const docket_field *field,
                                  docket_bytes packed, bool *is_empty)
{
    unsigned wire = docket__described_form_of(field->kind).wire;
    while (packed.size > 0) {
        uint64_t number = 0;
        if (!take_number(&packed, wire, &number)) {
            return fail(self, path, "bytes are missing");
        }
        docket__json_begin_item(self, *is_empty);
        *is_empty = false;
        put_number(self, field, number);
    }
    return DOCKET_OK;
}

static docket_status write_list(writing *self, walk *in, const docket_field *field)
{
    bool is_number = docket__described_form_of(field->kind).wire != DOCKET__WIRE_BYTES;
    bool is_empty = true;
    docket_status status = DOCKET_OK;
    docket__path path = {in->path, field->name, 0};
    docket__json_open(self, "[");
    for (; in->at.number == field->number && status == DOCKET_OK; path.index++) {
        if (is_number && in->at.wire == DOCKET__WIRE_BYTES) {
            status = write_packed(self, &path, field, in->at.bytes, &is_empty);
        } else {
            docket__json_begin_item(self, is_empty);
            is_empty = false;
            status = write_value(self, &path, field, &in->at);
        }
        if (status == DOCKET_OK) {
            status = step(self, in);
        }
    }
    docket__json_close(self, is_empty, "]");
    return status;
}

/* ---- Maps ---- */

/* A key is a string, whatever it is made of. */
static docket_status write_key(writing *self, const docket__path *path, const docket_field *field, const entry *at)
{
    docket_buffer digits = {0};
    docket_bytes key = at->bytes;
    docket_status status = DOCKET_OK;
    unsigned wire = docket__described_form_of(field->kind).wire;
    if (at->wire != wire || field->kind == DOCKET_KIND_BYTES || field->kind == DOCKET_KIND_STRUCT) {
        return fail(self, path, "no key of this type");
    }
    if (wire == DOCKET__WIRE_BYTES) {
        status = write_bytes(self, path, field, key);
    } else {
        writing number = {.out = &digits};
        put_number(&number, field, at->value);
        key = docket_buffer_bytes(&digits);
        status = digits.failed ? DOCKET_NO_MEMORY : DOCKET_OK;
        if (status == DOCKET_OK) {
            bool is_quoted = key.size > 1 && key.data[0] == '"'; /* as the wide numbers are */
            docket__json_put_string(self->out, (const char *)key.data + is_quoted, key.size - 2 * (size_t)is_quoted);
        }
    }
    docket__buffer_release(&digits);
    docket__json_put(self, self->options.indent > 0 ? ": " : ":");
    return status;
}

static docket_status write_pair(writing *self, const docket__path *path, const docket_type *pair,
                                docket_bytes bytes)
{
    walk in;
    const docket_field *key = &pair->schema->fields[0];
    const docket_field *value = &pair->schema->fields[1];
    docket__path place = {path, value->name, DOCKET__PATH_WHOLE};
    entry left_out = {.wire = docket__described_form_of(key->kind).wire};
    docket_status status = start(self, &in, path, pair, bytes);
    if (status == DOCKET_OK) {
        bool is_there = in.at.number == key->number;
        status = write_key(self, path, key, is_there ? &in.at : &left_out);
        if (status == DOCKET_OK && is_there) {
            status = step(self, &in);
        }
    }
    if (status == DOCKET_OK) {
        status = seek(self, &in, value);
    }
    if (status == DOCKET_OK) {
        status = in.at.number == value->number ? write_value(self, &place, value, &in.at)
                                               : write_start(self, &place, value);
    }
    return status;
}

static docket_status write_map(writing *self, walk *in, const docket_field *field)
{
    const docket_schema *pair = field->type->schema;
    docket__path path = {in->path, field->name, 0};
    docket_status status = DOCKET_OK;
    if (pair->field_count != 2 || pair->fields[0].number != 1 || pair->fields[1].number != 2) {
        return fail_field(self, in, field, "the description of its entries is none of a map");
    }
    docket__json_open(self, "{");
    for (; in->at.number == field->number && status == DOCKET_OK; path.index++) {
        if (in->at.wire != DOCKET__WIRE_BYTES) {
            return fail(self, &path, "wrong wire type");
        }
        docket__json_begin_item(self, path.index == 0);
        status = write_pair(self, &path, field->type, in->at.bytes);
        if (status == DOCKET_OK) {
            status = step(self, in);
        }
    }
    docket__json_close(self, path.index == 0, "}");
    return status;
}

/* ---- Members ---- */

static docket_status write_field(writing *self, walk *in, const docket_field *field)
{
    docket__path path = {in->path, field->name, DOCKET__PATH_WHOLE};
    docket_status status = DOCKET_OK;
    if (docket__described_is_secret(field)) {
        docket__json_put_quoted(self, DOCKET__JSON_SECRET);
        while (in->at.number == field->number && status == DOCKET_OK) {
            status = step(self, in);
        }
        return status;
    }
    switch (field->label) {
    case DOCKET_LABEL_LIST:
        return write_list(self, in, field);
    case DOCKET_LABEL_MAP:
        return write_map(self, in, field);
    default:
        status = write_value(self, &path, field, &in->at);
        return status == DOCKET_OK ? step(self, in) : status;
    }
}

/* With `all_members`. */
static docket_status write_left_out(writing *self, walk *in, const docket_field *field)
{
    docket__path path = {in->path, field->name, DOCKET__PATH_WHOLE};
    bool is_repeated = field->label == DOCKET_LABEL_LIST || field->label == DOCKET_LABEL_MAP;
    if (is_repeated || docket__described_is_secret(field)) {
        return write_field(self, in, field);
    }
    if (field->label == DOCKET_LABEL_OPTIONAL || field->kind == DOCKET_KIND_STRUCT) {
        docket__json_put(self, "null");
        return DOCKET_OK;
    }
    return write_start(self, &path, field);
}

static docket_status write_members(writing *self, walk *in)
{
    bool is_empty = true;
    docket_status status = DOCKET_OK;
    docket__json_open(self, "{");
    for (size_t i = 0; i < in->schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &in->schema->fields[i];
        status = seek(self, in, field);
        bool is_there = status == DOCKET_OK && in->at.number == field->number;
        if (status == DOCKET_OK && !is_there && field->label == DOCKET_LABEL_REQUIRED) {
            status = fail_field(self, in, field, "the required member is not there");
        }
        if (status == DOCKET_OK && (is_there || self->options.all_members)) {
            docket__json_begin_item(self, is_empty);
            docket__json_put_member(self, in->schema, field);
            status = is_there ? write_field(self, in, field) : write_left_out(self, in, field);
            is_empty = false;
        }
    }
    const docket_field end = {.number = UINT32_MAX};
    if (status == DOCKET_OK) {
        status = seek(self, in, &end);
    }
    docket__json_close(self, is_empty, "}");
    return status;
}

/* ---- Messages with a JSON of their own ---- */

static docket_status write_inner(writing *self, walk *in)
{
    const docket_field *field = &in->schema->fields[0];
    docket__path path = {in->path, field->name, DOCKET__PATH_WHOLE};
    bool is_there = in->at.number == field->number || field->label != DOCKET_LABEL_ONE;
    return is_there ? write_field(self, in, field) : write_start(self, &path, field);
}

static docket_status write_dynamic(writing *self, walk *in)
{
    size_t hint = 0;
    const docket_field *field = docket__fields_find(in->schema, in->at.number, &hint);
    if (field == NULL) { /* nothing is set, or something unknown */
        docket__json_put(self, "null");
        return DOCKET_OK;
    }
    return write_field(self, in, field);
}

static docket_status write_time(writing *self, walk *in, docket__special special, bool *is_written)
{
    char text[DOCKET__JSON_NUMBER];
    uint64_t numbers[2] = {0, 0}; /* seconds, nanos */
    docket_status status = DOCKET_OK;
    while (in->at.number != 0 && status == DOCKET_OK) {
        if (in->at.number <= 2 && in->at.wire == DOCKET__WIRE_VARINT) {
            numbers[in->at.number - 1] = in->at.value;
        }
        status = step(self, in);
    }
    docket__json_moment moment = {(int64_t)numbers[0], (int32_t)(uint32_t)numbers[1]};
    *is_written =
        status == DOCKET_OK && (special == DOCKET__SPECIAL_TIMESTAMP ? docket__json_put_timestamp(moment, text)
                                                                     : docket__json_put_duration(moment, text));
    if (*is_written) {
        docket__json_put_quoted(self, text);
    }
    return status;
}

/* A path can be written if reading it, lower_with_underscores for lowerWithCapitals, brings it back. */
static bool put_path(docket_buffer *out, docket_bytes path)
{
    for (size_t i = 0; i < path.size; i++) {
        uint8_t byte = path.data[i];
        if (byte == '_') {
            i++;
            if (i == path.size || path.data[i] < 'a' || path.data[i] > 'z') {
                return false;
            }
            byte = (uint8_t)(path.data[i] - 'a' + 'A');
        } else if ((byte >= 'A' && byte <= 'Z') || byte == ',') {
            return false;
        }
        (void)!docket__buffer_append(out, &byte, 1);
    }
    return path.size > 0;
}

static docket_status write_mask(writing *self, walk *in, bool *is_written)
{
    docket_buffer text = {0};
    docket_status status = DOCKET_OK;
    *is_written = true;
    while (in->at.number != 0 && status == DOCKET_OK) {
        if (in->at.number == 1) {
            if (text.size > 0) {
                (void)!docket__buffer_append(&text, ",", 1);
            }
            *is_written = *is_written && in->at.wire == DOCKET__WIRE_BYTES && put_path(&text, in->at.bytes);
        }
        status = step(self, in);
    }
    *is_written = *is_written && status == DOCKET_OK && !text.failed &&
                  (text.size == 0 || docket__utf8_valid((const char *)text.data, text.size));
    if (*is_written) {
        docket__json_put_string(self->out, (const char *)text.data, text.size);
    }
    docket__buffer_release(&text);
    return status;
}

/* A time or mask that its own form cannot tell is written like any other message. */
static docket_status write_special(writing *self, walk *in, docket__special special)
{
    walk again = *in;
    bool is_written = false;
    docket_status status;
    switch (special) {
    case DOCKET__SPECIAL_INNER:
        return write_inner(self, in);
    case DOCKET__SPECIAL_VALUE:
        return write_dynamic(self, in);
    case DOCKET__SPECIAL_FIELD_MASK:
        status = write_mask(self, in, &is_written);
        break;
    default:
        status = write_time(self, in, special, &is_written);
    }
    return status == DOCKET_OK && !is_written ? write_members(self, &again) : status;
}

docket_status docket__json_write_message(writing *self, const docket__path *path, const docket_type *type,
                                         docket_bytes bytes)
{
    walk in;
    docket__special special = docket__described_special(type);
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return docket__path_fail(path, self->error, DOCKET_CORRUPT, "nested deeper than %d levels",
                                 DOCKET__DEEPEST_NESTING);
    }
    self->depth++;
    docket_status status = start(self, &in, path, type, bytes);
    if (status == DOCKET_OK) {
        status = special == DOCKET__SPECIAL_NONE ? write_members(self, &in) : write_special(self, &in, special);
    }
    self->depth--;
    return status;
}
