/* Bytes to messages. Whatever the bytes are, memory stays in proportion to them: texts and numbers are paid for by the
 * bytes they stand in, nested messages are drawn from docket__nested_memory_limit, and lists are counted before their
 * arrays are taken.
 *
 * What protobuf allows is read: any order of fields, lists packed or not, varints longer than needed. Of a single field
 * that comes twice the last counts; messages that come twice are merged. Canonical bytes have none of that. */
#include "protobuf/message.h"

#include "base/error.h"
#include "base/text.h"
#include "type/path.h"

typedef struct decoding {
    docket_arena *arena;
    docket_error *error;
    const uint8_t *origin;
    size_t nested_memory; /* what nested messages may still take */
    unsigned depth;
} decoding;

/* A message that is being read. At its first element of a list all lists in these bytes are counted, and their arrays
 * taken; from then on the n_… members count the elements that are filled. Packed numbers come with their count. */
typedef struct reading {
    const docket__path *path;
    const docket__message *message;
    uint8_t *value;
    const uint8_t *start; /* of the field at hand, for messages */
    const uint8_t *next;
    const uint8_t *end;
    size_t hint;
    bool has_counted;
    uint64_t seen_on_stack; /* which fields came, for those that are required */
    uint64_t *seen;
} reading;

/* One field as it stands in the bytes. */
typedef struct entry {
    const docket__message_field *field; /* NULL = unknown */
    uint32_t number;
    unsigned wire;
    uint64_t value;      /* of a number that is not packed */
    const uint8_t *data; /* of everything else; of an unknown field all behind its tag */
    size_t size;
} entry;

static docket_status decode_message(decoding *self, const docket__path *path, const docket__message *message,
                                    docket_bytes bytes, uint8_t *value);

static docket_status fail(decoding *self, const docket__path *path, const uint8_t *at, const char *problem)
{
    return docket__path_fail(path, self->error, DOCKET_CORRUPT, "%s at byte %zu", problem,
                             (size_t)(at - self->origin));
}

static docket_status fail_entry(decoding *self, const reading *in, const entry *read, const char *problem)
{
    if (read->field == NULL) {
        return docket__path_fail(in->path, self->error, DOCKET_CORRUPT, "unknown field %u: %s at byte %zu",
                                 (unsigned)read->number, problem, (size_t)(in->start - self->origin));
    }
    bool is_element = read->field->label == PROTOBUF_C_LABEL_REPEATED && in->has_counted;
    size_t count = is_element ? docket__count_load(in->value + read->field->quantifier_offset) : 0;
    docket__path path = {in->path, read->field->name, count > 0 ? count - 1 : DOCKET__PATH_WHOLE};
    return fail(self, &path, in->start, problem);
}

/* Draws the memory of `count` things from what nested messages may take. */
static bool draw_memory(decoding *self, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total) || total > self->nested_memory) {
        return false;
    }
    self->nested_memory -= total;
    return true;
}

static void *take_array(decoding *self, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : docket_arena_alloc(self->arena, total);
}

static inline docket_status read_tag(decoding *self, reading *in, entry *read)
{
    uint64_t tag = 0;
    const uint8_t *behind = docket__varint_take(in->next, in->end, &tag);
    if (behind == NULL || tag > UINT32_MAX || tag >> 3 == 0) {
        return fail(self, in->path, in->start, "no field number");
    }
    read->wire = (unsigned)(tag & 7);
    read->number = (uint32_t)(tag >> 3);
    read->field = docket__message_find(in->message, read->number, &in->hint);
    in->next = behind;
    if (read->field == NULL) {
        bool is_known = read->wire <= DOCKET__WIRE_BYTES || read->wire == DOCKET__WIRE_FIXED32;
        return is_known ? DOCKET_OK : fail_entry(self, in, read, "a group or no wire type");
    }
    bool is_packed = read->field->label == PROTOBUF_C_LABEL_REPEATED && read->wire == DOCKET__WIRE_BYTES;
    if (read->wire != docket__message_forms[read->field->type].wire && !is_packed) {
        return fail_entry(self, in, read, "wrong wire type");
    }
    return DOCKET_OK;
}

static inline docket_status read_entry(decoding *self, reading *in, entry *read)
{
    in->start = in->next;
    docket_status status = read_tag(self, in, read);
    if (status != DOCKET_OK) {
        return status;
    }
    const uint8_t *behind = in->next;
    size_t fixed = read->wire == DOCKET__WIRE_FIXED32 ? 4 : read->wire == DOCKET__WIRE_FIXED64 ? 8 : 0;
    read->data = in->next;
    if (fixed > 0) {
        if ((size_t)(in->end - in->next) < fixed) {
            return fail_entry(self, in, read, "bytes are missing");
        }
        read->value = docket__little_get(in->next, fixed);
        behind += fixed;
    } else {
        behind = docket__varint_take(in->next, in->end, &read->value);
        if (behind == NULL) {
            return fail_entry(self, in, read, "no well-formed varint");
        }
    }
    if (read->wire == DOCKET__WIRE_BYTES) {
        if (read->value > (size_t)(in->end - behind)) {
            return fail_entry(self, in, read, "length beyond the end");
        }
        read->data = read->field != NULL ? behind : read->data;
        behind += read->value;
    }
    read->size = (size_t)(behind - read->data);
    in->next = behind;
    return DOCKET_OK;
}

static void store_number(const docket__message_field *field, uint64_t number, uint8_t *at)
{
    uint32_t word = (uint32_t)number;
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        word = number != 0;
        break;
    case PROTOBUF_C_TYPE_SINT32:
        word = word >> 1 ^ (0u - (word & 1));
        break;
    case PROTOBUF_C_TYPE_SINT64:
        number = number >> 1 ^ (0u - (number & 1));
        break;
    default:
        break;
    }
    if (docket__message_forms[field->type].size == sizeof word) {
        docket__word_store(at, word);
    } else {
        memcpy(at, &number, sizeof number);
    }
}

/* An empty text of a field with presence gets a place of its own: protobuf-c takes the default's for "not set". */
static docket_status store_text(decoding *self, const reading *in, const entry *read, uint8_t *at)
{
    if (!docket__text_valid((const char *)read->data, read->size)) {
        return fail_entry(self, in, read, "text that is not UTF-8 without NUL");
    }
    bool has_presence = read->field->label == PROTOBUF_C_LABEL_OPTIONAL || docket__message_is_choice(read->field);
    if (read->size == 0 && !has_presence) {
        docket__pointer_store(at, protobuf_c_empty_string);
        return DOCKET_OK;
    }
    char *text = docket_arena_copy(self->arena, read->data, read->size);
    if (text == NULL) {
        return DOCKET_NO_MEMORY;
    }
    docket__pointer_store(at, text);
    return DOCKET_OK;
}

static docket_status store_bytes(decoding *self, const entry *read, uint8_t *at)
{
    ProtobufCBinaryData bytes = {read->size, NULL};
    if (read->size > 0) {
        bytes.data = docket_arena_copy(self->arena, read->data, read->size);
        if (bytes.data == NULL) {
            return DOCKET_NO_MEMORY;
        }
    }
    memcpy(at, &bytes, sizeof bytes);
    return DOCKET_OK;
}

/* A message in its start state, or what is there already, which is then merged with what comes. */
static docket_status start_nested(decoding *self, const reading *in, const entry *read, uint8_t *at)
{
    const docket__message *message = docket__message_nested(read->field);
    if (!draw_memory(self, 1, docket__message_cost(message))) {
        return fail_entry(self, in, read, "more messages than the bytes can account for");
    }
    if (docket__pointer_load(at) != NULL) {
        return DOCKET_OK;
    }
    void *nested = docket_arena_alloc(self->arena, message->sizeof_message);
    if (nested == NULL) {
        return DOCKET_NO_MEMORY;
    }
    message->message_init(nested);
    docket__pointer_store(at, nested);
    return DOCKET_OK;
}

static uint8_t *nested_at(const uint8_t *at)
{
    uint8_t *nested;
    memcpy(&nested, at, sizeof nested);
    return nested;
}

/* Members of a map's entry that are left out are there all the same. */
static docket_status complete_entry(decoding *self, const reading *in, const entry *read, const docket__path *path,
                                    uint8_t *value)
{
    const docket__message *message = docket__message_nested(read->field);
    docket_status status = DOCKET_OK;
    for (unsigned i = 0; i < message->n_fields && status == DOCKET_OK; i++) {
        const docket__message_field *field = &message->fields[i];
        uint8_t *member = value + field->offset;
        bool is_pointer = docket__message_is_pointer(field);
        if (!is_pointer && field->label == PROTOBUF_C_LABEL_OPTIONAL) {
            docket__word_store(value + field->quantifier_offset, 1);
        }
        if (!is_pointer || docket__pointer_load(member) != NULL) {
            continue;
        }
        if (field->type == PROTOBUF_C_TYPE_STRING) {
            docket__pointer_store(member, protobuf_c_empty_string);
            continue;
        }
        const entry absent = {.field = field};
        docket__path inner = {path, field->name, DOCKET__PATH_WHOLE};
        const reading whole = {.path = path, .message = message, .value = value, .start = in->start};
        status = start_nested(self, &whole, &absent, member);
        if (status == DOCKET_OK) {
            status = decode_message(self, &inner, docket__message_nested(field), (docket_bytes){in->start, 0},
                                    nested_at(member));
        }
    }
    return status;
}

static docket_status store_nested(decoding *self, const reading *in, const entry *read, uint8_t *at)
{
    docket_status status = start_nested(self, in, read, at);
    if (status != DOCKET_OK) {
        return status;
    }
    bool is_element = read->field->label == PROTOBUF_C_LABEL_REPEATED;
    size_t index =
        is_element ? docket__count_load(in->value + read->field->quantifier_offset) - 1 : DOCKET__PATH_WHOLE;
    docket__path path = {in->path, read->field->name, index};
    status = decode_message(self, &path, docket__message_nested(read->field),
                            (docket_bytes){read->data, read->size}, nested_at(at));
    if (status == DOCKET_OK && docket__message_is_map(in->message, read->field)) {
        status = complete_entry(self, in, read, &path, nested_at(at));
    }
    return status;
}

/* A value that does not come from a packed list. */
static docket_status store_value(decoding *self, const reading *in, const entry *read, uint8_t *at)
{
    switch (read->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return store_text(self, in, read, at);
    case PROTOBUF_C_TYPE_BYTES:
        return store_bytes(self, read, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return store_nested(self, in, read, at);
    default:
        store_number(read->field, read->value, at);
        return DOCKET_OK;
    }
}

/* Number of elements that an entry of a list stands for. */
static docket_status count_elements(decoding *self, const reading *in, const entry *read, size_t *count)
{
    *count = 1;
    if (!docket__message_is_number(read->field) || read->wire != DOCKET__WIRE_BYTES) {
        return DOCKET_OK;
    }
    docket__message_form form = docket__message_forms[read->field->type];
    if (form.wire == DOCKET__WIRE_VARINT) {
        *count = 0;
        for (size_t i = 0; i < read->size; i++) {
            *count += read->data[i] < 0x80;
        }
        return DOCKET_OK;
    }
    *count = read->size / form.size;
    return read->size % form.size == 0 ? DOCKET_OK : fail_entry(self, in, read, "bytes are missing");
}

/* Takes the array of a list. Elements are there already when a message is merged into an earlier one. */
static docket_status take_list(decoding *self, const reading *in, const docket__message_field *field, size_t more)
{
    uint8_t *side = in->value + field->quantifier_offset;
    size_t size = docket__message_forms[field->type].size;
    size_t before = docket__count_load(side);
    if (more == 0) {
        return DOCKET_OK;
    }
    if (before > 0 && !draw_memory(self, before + more, size)) {
        const entry merged = {.field = field, .number = field->id};
        return fail_entry(self, in, &merged, "a list in more pieces than the bytes can account for");
    }
    uint8_t *elements = take_array(self, before + more, size);
    if (elements == NULL) {
        return DOCKET_NO_MEMORY;
    }
    if (before > 0) {
        memcpy(elements, docket__pointer_load(in->value + field->offset), before * size);
    }
    docket__pointer_store(in->value + field->offset, elements);
    return DOCKET_OK;
}

/* Reads ahead to the end, counts every list and the unknown fields, and takes their arrays. */
static docket_status count_lists(decoding *self, reading *in)
{
    size_t on_stack[DOCKET__FIELDS_ON_STACK + 1];
    unsigned unknown = in->message->n_fields; /* counted in the last place */
    size_t *counts = on_stack;
    reading ahead = *in;
    if (unknown > DOCKET__FIELDS_ON_STACK) {
        counts = take_array(self, unknown + 1, sizeof *counts);
        if (counts == NULL) {
            return DOCKET_NO_MEMORY;
        }
    } else {
        memset(counts, 0, (unknown + 1) * sizeof *counts);
    }
    docket_status status = DOCKET_OK;
    while (ahead.next < ahead.end && status == DOCKET_OK) {
        entry read = {0};
        size_t count = 1;
        status = read_entry(self, &ahead, &read);
        if (status == DOCKET_OK && read.field == NULL) {
            counts[unknown]++;
        } else if (status == DOCKET_OK && read.field->label == PROTOBUF_C_LABEL_REPEATED) {
            status = count_elements(self, &ahead, &read, &count);
            counts[read.field - in->message->fields] += count;
        }
    }
    for (unsigned i = 0; i < unknown && status == DOCKET_OK; i++) {
        status = counts[i] > 0 ? take_list(self, in, &in->message->fields[i], counts[i]) : DOCKET_OK;
    }
    ProtobufCMessage *base = (ProtobufCMessage *)(void *)in->value;
    if (counts[unknown] > 0 && status == DOCKET_OK) {
        size_t before = base->n_unknown_fields;
        if (before > 0 && !draw_memory(self, before + counts[unknown], sizeof(docket__unknown))) {
            return fail(self, in->path, in->start, "unknown fields in more pieces than the bytes can account for");
        }
        docket__unknown *all = take_array(self, before + counts[unknown], sizeof *all);
        if (all == NULL) {
            return DOCKET_NO_MEMORY;
        }
        if (before > 0) {
            memcpy(all, base->unknown_fields, before * sizeof *all);
        }
        base->unknown_fields = all;
    }
    in->has_counted = true;
    return status;
}

static uint8_t *next_element(const reading *in, const docket__message_field *field)
{
    uint8_t *side = in->value + field->quantifier_offset;
    size_t index = docket__count_load(side);
    uint8_t *elements = NULL;
    memcpy(&elements, in->value + field->offset, sizeof elements);
    docket__count_store(side, index + 1);
    return elements + index * docket__message_forms[field->type].size;
}

/* What was not counted ahead is nearly always all of the list. */
static docket_status store_packed(decoding *self, const reading *in, const entry *read)
{
    const docket__message_field *field = read->field;
    docket__message_form form = docket__message_forms[field->type];
    uint8_t *side = in->value + field->quantifier_offset;
    size_t count = docket__count_load(side);
    uint8_t *element = NULL;
    size_t more = 0;
    docket_status status = DOCKET_OK;
    if (!in->has_counted) {
        status = count_elements(self, in, read, &more);
        status = status == DOCKET_OK ? take_list(self, in, field, more) : status;
    }
    if (status != DOCKET_OK || read->size == 0) {
        return status;
    }
    memcpy(&element, in->value + field->offset, sizeof element);
    if (count > 0) { /* else there may be none at all, of malformed bytes */
        element += count * form.size;
    }
    if (form.wire != DOCKET__WIRE_VARINT) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        memcpy(element, read->data, read->size);
#else
        for (size_t i = 0; i < read->size; i += form.size) {
            store_number(field, docket__little_get(read->data + i, form.size), element + i);
        }
#endif
        docket__count_store(side, count + read->size / form.size);
        return DOCKET_OK;
    }
    const uint8_t *end = read->data + read->size;
    for (const uint8_t *next = read->data; next < end; element += form.size) {
        uint64_t number = 0;
        next = docket__varint_take(next, end, &number);
        if (next == NULL) {
            return fail_entry(self, in, read, "no well-formed varint");
        }
        store_number(field, number, element);
        count++;
    }
    docket__count_store(side, count);
    return DOCKET_OK;
}

static docket_status store_unknown(decoding *self, const reading *in, const entry *read)
{
    ProtobufCMessage *base = (ProtobufCMessage *)(void *)in->value;
    docket__unknown *unknown = &base->unknown_fields[base->n_unknown_fields];
    uint8_t *data = docket_arena_copy(self->arena, read->data, read->size);
    if (data == NULL) {
        return DOCKET_NO_MEMORY;
    }
    *unknown = (docket__unknown){read->number, (ProtobufCWireType)read->wire, read->size, data};
    base->n_unknown_fields++;
    return DOCKET_OK;
}

/* Whatever another member has left in the place that they share is not this one's. */
static void choose(const reading *in, const docket__message_field *field)
{
    uint8_t *chosen = in->value + field->quantifier_offset;
    if (docket__word_load(chosen) != field->id) {
        memset(in->value + field->offset, 0, docket__message_forms[field->type].size);
        docket__word_store(chosen, field->id);
    }
}

static docket_status decode_single(decoding *self, reading *in, const entry *read)
{
    const docket__message_field *field = read->field;
    if (docket__message_is_choice(field)) {
        choose(in, field);
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !docket__message_is_pointer(field)) {
        docket__word_store(in->value + field->quantifier_offset, 1);
    } else if (field->label == PROTOBUF_C_LABEL_REQUIRED) {
        size_t index = (size_t)(field - in->message->fields);
        in->seen[index / 64] |= (uint64_t)1 << index % 64;
    }
    return store_value(self, in, read, in->value + field->offset);
}

static docket_status decode_entry(decoding *self, reading *in)
{
    entry read = {0};
    docket_status status = read_entry(self, in, &read);
    if (status != DOCKET_OK) {
        return status;
    }
    bool is_single = read.field != NULL && read.field->label != PROTOBUF_C_LABEL_REPEATED;
    if (is_single) {
        return decode_single(self, in, &read);
    }
    if (read.field != NULL && docket__message_is_number(read.field) && read.wire == DOCKET__WIRE_BYTES) {
        return store_packed(self, in, &read);
    }
    if (!in->has_counted) {
        in->next = in->start;
        return count_lists(self, in);
    }
    if (read.field == NULL) {
        return store_unknown(self, in, &read);
    }
    return store_value(self, in, &read, next_element(in, read.field));
}

static docket_status check_required(decoding *self, const reading *in)
{
    for (unsigned i = 0; i < in->message->n_fields; i++) {
        const docket__message_field *field = &in->message->fields[i];
        if (field->label == PROTOBUF_C_LABEL_NONE) {
            break; /* a message of proto3, where nothing is required */
        }
        if (field->label == PROTOBUF_C_LABEL_REQUIRED && (in->seen[i / 64] >> i % 64 & 1) == 0) {
            docket__path path = {in->path, field->name, DOCKET__PATH_WHOLE};
            return docket__path_fail(&path, self->error, DOCKET_CORRUPT, "the required member is not there");
        }
    }
    return DOCKET_OK;
}

static docket_status decode_message(decoding *self, const docket__path *path, const docket__message *message,
                                    docket_bytes bytes, uint8_t *value)
{
    reading in = {
        .path = path, .message = message, .value = value, .next = bytes.data, .end = bytes.data + bytes.size};
    if (self->depth == DOCKET__DEEPEST_NESTING) {
        return fail(self, path, in.next, "nested too deeply");
    }
    in.seen = &in.seen_on_stack;
    if (message->n_fields > DOCKET__FIELDS_ON_STACK) {
        in.seen = take_array(self, message->n_fields / 64 + 1, sizeof *in.seen);
        if (in.seen == NULL) {
            return DOCKET_NO_MEMORY;
        }
    }
    self->depth++;
    docket_status status = DOCKET_OK;
    while (in.next < in.end && status == DOCKET_OK) {
        status = decode_entry(self, &in);
    }
    self->depth--;
    return status == DOCKET_OK ? check_required(self, &in) : status;
}

docket_status docket_protobuf_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                     docket_error *error)
{
    static const uint8_t nothing[1];
    if (bytes.size == 0) {
        bytes.data = nothing;
    }
    decoding self = {.arena = arena,
                     .error = error,
                     .origin = bytes.data,
                     .nested_memory = docket__nested_memory_limit(bytes.size)};
    docket__path root = {NULL, type->name, DOCKET__PATH_WHOLE};
    const docket__message *message = docket__message_of(type);
    message->message_init(value);
    docket_status status = decode_message(&self, &root, message, bytes, value);
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}
