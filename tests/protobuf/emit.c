/* For `agree`: writes canonical bytes to standard output.
 *
 *     emit random TYPE SEED COUNT     a list of COUNT random messages
 *     emit again TYPE                 what standard input holds, decoded and encoded again */
#include "legacy.pb-c.h"
#include "random.h"
#include "sample.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Legacy__OldList, legacy__old_list);

static int write_value(const docket_type *type, const void *value)
{
    docket_error error;
    docket_buffer *bytes = docket_buffer_new();
    if (bytes == NULL || docket_encode(type, value, bytes, &error) != DOCKET_OK) {
        fprintf(stderr, "encode: %s\n", error.message);
        return EXIT_FAILURE;
    }
    docket_bytes written = docket_buffer_bytes(bytes);
    size_t done = fwrite(written.data, 1, written.size, stdout);
    docket_buffer_free(bytes);
    return done == written.size && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int write_random(const docket_type *type, docket_arena *arena, void *value, uint64_t seed, size_t count)
{
    const ProtobufCMessageDescriptor *message = type->detail;
    const ProtobufCFieldDescriptor *list = &message->fields[message->n_fields - 1];
    const ProtobufCMessageDescriptor *item = list->descriptor;
    void **items = docket_arena_alloc(arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = docket_arena_alloc(arena, item->sizeof_message);
        item->message_init(items[i]);
        random_message(&seed, arena, item, items[i], 2, 0);
    }
    memcpy((uint8_t *)value + list->quantifier_offset, &count, sizeof count);
    memcpy((uint8_t *)value + list->offset, &items, sizeof items);
    return write_value(type, value);
}

static int write_again(const docket_type *type, docket_arena *arena, void *value)
{
    static uint8_t data[1024 * 1024];
    docket_error error;
    docket_bytes bytes = {data, fread(data, 1, sizeof data, stdin)};
    if (docket_decode(type, bytes, arena, value, &error) != DOCKET_OK) {
        fprintf(stderr, "decode: %s\n", error.message);
        return EXIT_FAILURE;
    }
    return write_value(type, value);
}

int main(int count, char **arguments)
{
    if (count < 3) {
        return EXIT_FAILURE;
    }
    const docket_type *type =
        strcmp(arguments[2], "legacy.OldList") == 0 ? DOCKET_OF(Legacy__OldList) : DOCKET_OF(Sample__Everything);
    docket_arena *arena = docket_arena_new();
    void *value = docket_arena_alloc(arena, type->size);
    type->init(type, value);
    int result = count == 5 ? write_random(type, arena, value, strtoull(arguments[3], NULL, 10),
                                           strtoull(arguments[4], NULL, 10))
                            : write_again(type, arena, value);
    docket_arena_free(arena);
    return result;
}
