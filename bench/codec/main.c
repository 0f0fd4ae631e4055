/* The codec beside protobuf-c's own. Both do all that a program would: take memory, write or read a value, free it. The
 * bytes are the same, but for maps whose entries protobuf-c leaves in the order in which they were given. */
#include "codec.pb-c.h"
#include "support/bench.h"

#include <docket/docket.h>
#include <docket/protobuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(Small, (STRING, name), (INT64, id), (DOUBLE, weight), (UINT32, flags), (STRING, note), (BYTES, seal),
              (BOOL, is_open), (LIST(UINT32), numbers));
DOCKET_PROTOBUF(Codec__Small, codec__small);
DOCKET_PROTOBUF(Codec__Text, codec__text);
DOCKET_PROTOBUF(Codec__Data, codec__data);
DOCKET_PROTOBUF(Codec__Items, codec__items);
DOCKET_PROTOBUF(Codec__Numbers, codec__numbers);
DOCKET_PROTOBUF(Codec__Counts, codec__counts);

/* A value, and its bytes as docket and as protobuf-c write them. */
typedef struct work {
    const docket_type *type;
    const void *value;
    const ProtobufCMessage *message;
    docket_bytes bytes;
} work;

static void encode(void *context, size_t times)
{
    const work *self = context;
    for (size_t i = 0; i < times; i++) {
        docket_buffer *out = docket_buffer_new();
        bench_require(docket_encode(self->type, self->value, out, NULL) == DOCKET_OK, "encode failed");
        docket_buffer_free(out);
    }
}

static void pack(void *context, size_t times)
{
    const work *self = context;
    for (size_t i = 0; i < times; i++) {
        uint8_t *out = malloc(protobuf_c_message_get_packed_size(self->message));
        bench_require(out != NULL && protobuf_c_message_pack(self->message, out) > 0, "pack failed");
        free(out);
    }
}

static void decode(void *context, size_t times)
{
    const work *self = context;
    union {
        max_align_t alignment;
        uint8_t bytes[256];
    } value;
    for (size_t i = 0; i < times; i++) {
        docket_arena *arena = docket_arena_new();
        memset(&value, 0, self->type->size);
        bench_require(docket_decode(self->type, self->bytes, arena, &value, NULL) == DOCKET_OK, "decode failed");
        docket_arena_free(arena);
    }
}

static void unpack(void *context, size_t times)
{
    const work *self = context;
    for (size_t i = 0; i < times; i++) {
        ProtobufCMessage *message =
            protobuf_c_message_unpack(self->message->descriptor, NULL, self->bytes.size, self->bytes.data);
        bench_require(message != NULL, "unpack failed");
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

static void compare(const char *name, const docket_type *type, const void *value, const void *message)
{
    char line[64];
    docket_buffer *out = docket_buffer_new();
    bench_require(docket_encode(type, value, out, NULL) == DOCKET_OK, "encode failed");
    work self = {type, value, message, docket_buffer_bytes(out)};
    bench_require(self.bytes.size == protobuf_c_message_get_packed_size(message), "the bytes are not the same");
    snprintf(line, sizeof line, "encode %s", name);
    bench_compare(&(bench_line){line, 0.8, self.bytes.size, {encode, &self}, {pack, &self}});
    snprintf(line, sizeof line, "decode %s", name);
    bench_compare(&(bench_line){line, 0.8, self.bytes.size, {decode, &self}, {unpack, &self}});
    docket_buffer_free(out);
}

static void *take(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    bench_require(memory != NULL, "no memory");
    return memory;
}

static void compare_small(void)
{
    static uint8_t seal[32] = {1, 2, 3};
    static uint32_t numbers[] = {1, 22, 333, 4444, 55555, 666666};
    static char note[] = "a parcel of three books and one pair of shoes, to be left with the neighbours if nobody is there";
    Small value = {.name = "warehouse 7",
                   .id = 1234567890123,
                   .weight = 3.25,
                   .flags = 77,
                   .note = note,
                   .seal = {seal, sizeof seal},
                   .is_open = true,
                   .numbers = numbers,
                   .numbers_count = 6};
    Codec__Small message = CODEC__SMALL__INIT;
    char name[] = "warehouse 7";
    message.name = name, message.id = value.id, message.weight = value.weight, message.flags = value.flags;
    message.note = note, message.seal.data = seal, message.seal.len = sizeof seal, message.is_open = true;
    message.numbers = numbers, message.n_numbers = 6;
    compare("200-byte struct", DOCKET_OF(Small), &value, &message);
    compare("200-byte message", DOCKET_OF(Codec__Small), &message, &message);
}

enum { LARGE_BYTES = 1024 * 1024 };

static void compare_text(const char *name, const char *piece)
{
    Codec__Text message = CODEC__TEXT__INIT;
    size_t length = strlen(piece);
    message.text = take(LARGE_BYTES + 1, 1);
    for (size_t at = 0; at + length <= LARGE_BYTES; at += length) {
        memcpy(message.text + at, piece, length);
    }
    compare(name, DOCKET_OF(Codec__Text), &message, &message);
    free(message.text);
}

static void compare_data(void)
{
    Codec__Data message = CODEC__DATA__INIT;
    message.data.data = take(LARGE_BYTES, 1);
    message.data.len = LARGE_BYTES;
    compare("1 MiB of bytes", DOCKET_OF(Codec__Data), &message, &message);
    free(message.data.data);
}

static void compare_items(void)
{
    enum { COUNT = 25000 };
    Codec__Items message = CODEC__ITEMS__INIT;
    Codec__Item *items = take(COUNT, sizeof *items);
    char(*names)[16] = take(COUNT, sizeof *names);
    message.items = take(COUNT, sizeof *message.items);
    message.n_items = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        codec__item__init(&items[i]);
        snprintf(names[i], sizeof names[i], "article %06zu", i);
        items[i].id = (int64_t)(i * 7919), items[i].name = names[i], items[i].price = (double)i / 4;
        message.items[i] = &items[i];
    }
    compare("25 000 nested messages", DOCKET_OF(Codec__Items), &message, &message);
    free(message.items);
    free(names);
    free(items);
}

static void compare_numbers(void)
{
    enum { COUNT = 90000 };
    Codec__Numbers message = CODEC__NUMBERS__INIT;
    message.numbers = take(COUNT, sizeof *message.numbers);
    message.reals = take(COUNT, sizeof *message.reals);
    message.n_numbers = message.n_reals = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        message.numbers[i] = (int64_t)(i * i), message.reals[i] = (double)i;
    }
    compare("180 000 packed numbers", DOCKET_OF(Codec__Numbers), &message, &message);
    free(message.numbers);
    free(message.reals);
}

static void compare_counts(const char *name, size_t step)
{
    enum { COUNT = 20011 }; /* a prime: every step goes through all of them */
    Codec__Counts message = CODEC__COUNTS__INIT;
    Codec__Counts__CountsEntry *entries = take(COUNT, sizeof *entries);
    char(*keys)[48] = take(COUNT, sizeof *keys);
    message.counts = take(COUNT, sizeof *message.counts);
    message.n_counts = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        size_t number = i * step % COUNT;
        codec__counts__counts_entry__init(&entries[i]);
        snprintf(keys[i], sizeof keys[i], "customers/%05zu/orders of this year", number);
        entries[i].key = keys[i], entries[i].value = (int64_t)number + 1;
        message.counts[i] = &entries[i];
    }
    compare(name, DOCKET_OF(Codec__Counts), &message, &message);
    free(message.counts);
    free(keys);
    free(entries);
}

int main(int count, char **arguments)
{
    char limit[64];
    snprintf(limit, sizeof limit, "pack and unpack of protobuf-c %s", protobuf_c_version());
    bench_begin(count, arguments, "codec", limit);
    compare_small();
    compare_text("1 MiB of ASCII text", "The quick brown fox jumps over the lazy dog. ");
    compare_text("1 MiB of German text", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ");
    compare_text("1 MiB of Chinese text", "道可道,非常道。名可名,非常名。");
    compare_data();
    compare_items();
    compare_numbers();
    compare_counts("map of 20 011, in order", 1);
    compare_counts("map of 20 011, in no order", 7919);
    return bench_end();
}
