/* For `agree` and `json_oracle`: writes to standard output.
 *
 *     emit random TYPE SEED COUNT     canonical bytes of a list of COUNT random messages
 *     emit again TYPE                 the bytes in standard input, decoded and encoded again
 *     emit show TYPE                  the JSON of these; the stored description must tell the same
 *     emit parse TYPE                 canonical bytes of the JSON in standard input */
#include "base/arena.h"
#include "legacy.pb-c.h"
#include "random.h"
#include "sample.pb-c.h"
#include "shapes.pb-c.h"
#include "type/json.h"
#include "type/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Legacy__OldList, legacy__old_list);
DOCKET_PROTOBUF(Shapes__Known, shapes__known);

static docket_arena *arena;
static docket_error error;

static void require(docket_status status, const char *what)
{
    if (status != DOCKET_OK) {
        fprintf(stderr, "%s: %s\n", what, error.message);
        exit(EXIT_FAILURE);
    }
}

static docket_bytes encode(const docket_type *type, const void *value)
{
    docket_buffer *bytes = docket_buffer_new();
    require(docket_encode(type, value, bytes, &error), "encode");
    docket_bytes all = docket_buffer_bytes(bytes);
    all.data = docket_arena_copy(arena, all.data, all.size);
    docket_buffer_free(bytes);
    return all;
}

static docket_bytes make_random(const docket_type *type, void *value, uint64_t seed, size_t count)
{
    const ProtobufCMessageDescriptor *message = type->detail;
    const ProtobufCFieldDescriptor *list = &message->fields[message->n_fields - 1];
    const ProtobufCMessageDescriptor *item = list->descriptor;
    void **items = docket_arena_alloc(arena, count * sizeof *items);
    type->init(type, value);
    for (size_t i = 0; i < count; i++) {
        items[i] = docket_arena_alloc(arena, item->sizeof_message);
        item->message_init(items[i]);
        random_message(&seed, arena, item, items[i], 2, 0);
    }
    memcpy((uint8_t *)value + list->quantifier_offset, &count, sizeof count);
    memcpy((uint8_t *)value + list->offset, &items, sizeof items);
    return encode(type, value);
}

static docket_bytes show(const docket_type *type, const void *value)
{
    const docket_json_options options = {DOCKET_JSON_OPTIONS_INIT};
    docket_buffer *text = docket_buffer_new();
    docket_buffer *stored = docket_buffer_new();
    docket_buffer *schema = docket_buffer_new();
    const docket_type *described;
    require(docket_json_write(type, value, &options, text, &error), "json");
    require(docket__schema_encode(type, schema, &error), "schema");
    require(docket__schema_decode(docket_buffer_bytes(schema), arena, &described, &error), "schema");
    require(docket__json_write_stored(described, encode(type, value), &options, stored, &error), "stored json");
    docket_bytes all = docket_buffer_bytes(text);
    docket_bytes again = docket_buffer_bytes(stored);
    if (all.size != again.size || memcmp(all.data, again.data, all.size) != 0) {
        fprintf(stderr, "%.*s\n%.*s\n", (int)all.size, (const char *)all.data, (int)again.size,
                (const char *)again.data);
        exit(EXIT_FAILURE);
    }
    all.data = docket_arena_copy(arena, all.data, all.size);
    docket_buffer_free(text);
    docket_buffer_free(stored);
    docket_buffer_free(schema);
    return all;
}

static docket_bytes transform(const docket_type *type, void *value, const char *verb)
{
    static uint8_t data[4 * 1024 * 1024];
    size_t size = fread(data, 1, sizeof data, stdin);
    if (strcmp(verb, "parse") == 0) {
        require(docket_json_read(type, (const char *)data, size, NULL, arena, value, &error), "read");
        return encode(type, value);
    }
    require(docket_decode(type, (docket_bytes){data, size}, arena, value, &error), "decode");
    return strcmp(verb, "show") == 0 ? show(type, value) : encode(type, value);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        const docket_type *type;
    } types[] = {{"sample.Everything", DOCKET_OF(Sample__Everything)},
                 {"legacy.OldList", DOCKET_OF(Legacy__OldList)},
                 {"shapes.Known", DOCKET_OF(Shapes__Known)}};
    const docket_type *type = NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0] && count >= 3; i++) {
        type = strcmp(arguments[2], types[i].name) == 0 ? types[i].type : type;
    }
    if (type == NULL) {
        return EXIT_FAILURE;
    }
    arena = docket_arena_new();
    void *value = docket_arena_alloc(arena, type->size);
    docket_bytes all = count == 5 ? make_random(type, value, strtoull(arguments[3], NULL, 10),
                                                (size_t)strtoull(arguments[4], NULL, 10))
                                  : transform(type, value, arguments[1]);
    size_t written = fwrite(all.data, 1, all.size, stdout);
    docket_arena_free(arena);
    return written == all.size && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
