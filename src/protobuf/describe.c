/* What a message's descriptor says, as a docket type: the ground of fingerprint and stored schema. Here a descriptor is
 * looked at for the first time, so here it is refused if docket cannot work with it. */
#include "protobuf/message.h"

#include "base/error.h"

enum { MOST_MESSAGES = 4096 };

/* A message and the type that describes it; the list grows while it is walked. */
typedef struct described {
    struct described *next;
    const docket__message *message;
    docket_type type;
    docket_schema schema;
    docket_field *fields; /* of the schema */
} described;

typedef struct describing {
    docket_arena *arena;
    docket_error *error;
    described *first;
    described *last;
    size_t count;
} describing;

static docket_status refuse(describing *self, const docket__message *message, const char *problem)
{
    return docket__error_set(self->error, DOCKET_INVALID, "message %s: %s", message->name, problem);
}

static docket_status refuse_field(describing *self, const docket__message *message,
                                  const docket__message_field *field, const char *problem)
{
    return docket__error_set(self->error, DOCKET_INVALID, "message %s, field %s: %s", message->name, field->name,
                             problem);
}

static docket_status check_message(describing *self, const docket__message *message)
{
    if (message == NULL || message->magic != PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC) {
        return docket__error_set(self->error, DOCKET_INVALID, "a message's descriptor is none of protobuf-c");
    }
    if (message->name == NULL) {
        return docket__error_set(
            self->error, DOCKET_INVALID,
            "a message was made with optimize_for = CODE_SIZE, which leaves out the names that "
            "docket needs");
    }
    if (message->message_init == NULL) {
        return refuse(self, message, "it has no init function: it was made by a protoc-c older than 1.0");
    }
    if (self->count == MOST_MESSAGES) {
        return refuse(self, message, "more than 4096 messages are nested in one");
    }
    return DOCKET_OK;
}

/* The description of a message, begun if there is none yet. */
static docket_status find_or_add(describing *self, const docket__message *message, described **found)
{
    for (*found = self->first; *found != NULL; *found = (*found)->next) {
        if ((*found)->message == message) {
            return DOCKET_OK;
        }
    }
    docket_status status = check_message(self, message);
    if (status != DOCKET_OK) {
        return status;
    }
    described *added = docket_arena_alloc(self->arena, sizeof *added);
    if (added == NULL) {
        return DOCKET_NO_MEMORY;
    }
    added->message = message;
    added->type = (docket_type){
        .abi = DOCKET_TYPE_ABI, .flags = DOCKET_TYPE_MESSAGE, .name = message->name, .schema = &added->schema};
    if (self->last == NULL) {
        self->first = added;
    } else {
        self->last->next = added;
    }
    self->last = added;
    self->count++;
    *found = added;
    return DOCKET_OK;
}

static docket_kind kind_of(ProtobufCType type)
{
    static const docket_kind kinds[PROTOBUF_C_TYPE_MESSAGE + 1] = {
        [PROTOBUF_C_TYPE_INT32] = DOCKET_KIND_INT32,       [PROTOBUF_C_TYPE_SINT32] = DOCKET_KIND_SINT32,
        [PROTOBUF_C_TYPE_SFIXED32] = DOCKET_KIND_SFIXED32, [PROTOBUF_C_TYPE_INT64] = DOCKET_KIND_INT64,
        [PROTOBUF_C_TYPE_SINT64] = DOCKET_KIND_SINT64,     [PROTOBUF_C_TYPE_SFIXED64] = DOCKET_KIND_SFIXED64,
        [PROTOBUF_C_TYPE_UINT32] = DOCKET_KIND_UINT32,     [PROTOBUF_C_TYPE_FIXED32] = DOCKET_KIND_FIXED32,
        [PROTOBUF_C_TYPE_UINT64] = DOCKET_KIND_UINT64,     [PROTOBUF_C_TYPE_FIXED64] = DOCKET_KIND_FIXED64,
        [PROTOBUF_C_TYPE_FLOAT] = DOCKET_KIND_FLOAT,       [PROTOBUF_C_TYPE_DOUBLE] = DOCKET_KIND_DOUBLE,
        [PROTOBUF_C_TYPE_BOOL] = DOCKET_KIND_BOOL,         [PROTOBUF_C_TYPE_ENUM] = DOCKET_KIND_ENUM,
        [PROTOBUF_C_TYPE_STRING] = DOCKET_KIND_STRING,     [PROTOBUF_C_TYPE_BYTES] = DOCKET_KIND_BYTES,
        [PROTOBUF_C_TYPE_MESSAGE] = DOCKET_KIND_STRUCT,
    };
    return kinds[type];
}

/* As structs have it: a single message is there or NULL, so it needs no label for that. */
static docket_label label_of(const docket__message *message, const docket__message_field *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return docket__message_is_map(message, field) ? DOCKET_LABEL_MAP : DOCKET_LABEL_LIST;
    }
    if (field->label == PROTOBUF_C_LABEL_REQUIRED) {
        return DOCKET_LABEL_REQUIRED;
    }
    bool has_presence = field->label == PROTOBUF_C_LABEL_OPTIONAL || docket__message_is_choice(field);
    return has_presence && field->type != PROTOBUF_C_TYPE_MESSAGE ? DOCKET_LABEL_OPTIONAL : DOCKET_LABEL_ONE;
}

static const docket_enum *describe_enum(describing *self, const ProtobufCEnumDescriptor *from)
{
    docket_enum *made = docket_arena_alloc(self->arena, sizeof *made);
    docket_enum_value *values = docket_arena_alloc(self->arena, from->n_values * sizeof *values);
    if (made == NULL || values == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < from->n_values; i++) {
        values[i] = (docket_enum_value){from->values[i].name, from->values[i].value};
    }
    *made = (docket_enum){from->name, values, from->n_values};
    return made;
}

static docket_status check_field(describing *self, const docket__message *message,
                                 const docket__message_field *field)
{
    if (field->name == NULL) {
        return refuse(self, message,
                      "it was made with optimize_for = CODE_SIZE, which leaves out the names that docket needs");
    }
    if ((unsigned)field->type > PROTOBUF_C_TYPE_MESSAGE) {
        return refuse_field(self, message, field, "groups are not supported: make it a message of its own");
    }
    if ((unsigned)field->label > PROTOBUF_C_LABEL_NONE) {
        return refuse_field(self, message, field, "its label is unknown");
    }
    const ProtobufCEnumDescriptor *values = field->descriptor;
    if (field->type == PROTOBUF_C_TYPE_ENUM &&
        (values == NULL || values->magic != PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC || values->name == NULL)) {
        return refuse_field(self, message, field,
                            "its enum has no names: was it made with optimize_for = CODE_SIZE?");
    }
    return DOCKET_OK;
}

static docket_status describe_field(describing *self, const docket__message *message,
                                    const docket__message_field *from, docket_field *field)
{
    docket_status status = check_field(self, message, from);
    if (status != DOCKET_OK) {
        return status;
    }
    *field = (docket_field){.number = from->id, .name = from->name, .kind = (uint16_t)kind_of(from->type)};
    if (from->type == PROTOBUF_C_TYPE_ENUM) {
        field->values = describe_enum(self, from->descriptor);
        status = field->values != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
    } else if (from->type == PROTOBUF_C_TYPE_MESSAGE) {
        described *nested;
        status = find_or_add(self, from->descriptor, &nested);
        if (status == DOCKET_OK) {
            field->type = &nested->type;
        }
    }
    if (status == DOCKET_OK) {
        field->label = (uint16_t)label_of(message, from);
        field->side_offset = docket__message_is_choice(from) ? from->quantifier_offset : 0;
    }
    return status;
}

/* "card" is a member of the type's own message, "shop.Customer.phone" one of the message shop.Customer. */
static docket_status hide_member(describing *self, const docket_type *type, const char *secret)
{
    const char *point = strrchr(secret, '.');
    const char *name = point != NULL ? point + 1 : secret;
    size_t length = point != NULL ? (size_t)(point - secret) : 0;
    described *holder = self->first;
    while (point != NULL && holder != NULL &&
           (strncmp(holder->message->name, secret, length) != 0 || holder->message->name[length] != '\0')) {
        holder = holder->next;
    }
    if (holder == NULL) {
        return docket__error_set(self->error, DOCKET_INVALID,
                                 "type %s: the secret \"%.100s\" is of the message %.*s, which is no part of it",
                                 type->name, secret, (int)length, secret);
    }
    for (size_t i = 0; i < holder->schema.field_count; i++) {
        if (strcmp(holder->fields[i].name, name) == 0) {
            holder->fields[i].flags |= DOCKET_FIELD_SECRET;
            return DOCKET_OK;
        }
    }
    return docket__error_set(self->error, DOCKET_INVALID,
                             "type %s: the secret \"%.100s\" is no member of the message %s", type->name, secret,
                             holder->message->name);
}

static docket_status describe_message(describing *self, described *made)
{
    const docket__message *message = made->message;
    docket_field *fields = docket_arena_alloc(self->arena, message->n_fields * sizeof *fields);
    docket_status status = fields != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
    for (unsigned i = 0; i < message->n_fields && status == DOCKET_OK; i++) {
        status = describe_field(self, message, &message->fields[i], &fields[i]);
    }
    made->fields = fields;
    made->schema = (docket_schema){fields, message->n_fields};
    return status;
}

docket_status docket_protobuf_describe(const docket_type *type, docket_arena *arena, const docket_type **result,
                                       docket_error *error)
{
    describing self = {.arena = arena, .error = error};
    described *root;
    docket_status status = find_or_add(&self, docket__message_of(type), &root);
    if (status == DOCKET_OK && root->message->sizeof_message != type->size) {
        status = refuse(&self, root->message, "its descriptor is that of another struct than the type's");
    }
    for (described *at = self.first; at != NULL && status == DOCKET_OK; at = at->next) {
        status = describe_message(&self, at);
    }
    for (const char *const *secret = type->secrets; secret != NULL && *secret != NULL && status == DOCKET_OK;
         secret++) {
        status = hide_member(&self, type, *secret);
    }
    *result = status == DOCKET_OK ? &root->type : NULL;
    return status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
}
