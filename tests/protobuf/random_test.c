/* Random messages on every way through the codec, and hostile bytes made of them. The seed is printed; DOCKET_SEED takes
 * it back. */
#include "base/arena.h"
#include "base/buffer.h"
#include "legacy.pb-c.h"
#include "random.h"
#include "sample.pb-c.h"
#include "support/check.h"
#include "type/codec.h"

#include <stdio.h>
#include <stdlib.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Legacy__Old, legacy__old);
DOCKET_PROTOBUF(Legacy__Wides, legacy__wides);

static const docket_type *const types[] = {DOCKET_OF(Sample__Everything), DOCKET_OF(Legacy__Old),
                                           DOCKET_OF(Legacy__Wides)};
static uint64_t seed;
static docket_arena arena;

static size_t rounds(size_t few, size_t many)
{
    return getenv("DOCKET_LONG") != NULL ? many : few;
}

static int start(void **state)
{
    (void)state;
    const char *given = getenv("DOCKET_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : UINT64_C(20240229);
    printf("seed %llu\n", (unsigned long long)seed);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    return 0;
}

static void *make(const docket_type *type, unsigned flags)
{
    void *value = docket_arena_alloc(&arena, type->size);
    type->init(type, value);
    random_message(&seed, &arena, type->detail, value, 2, flags);
    return value;
}

static void assert_bytes(const docket_type *type, const void *value, const docket_buffer *expected)
{
    docket_buffer bytes = {0};
    docket_error error;
    docket_status status = docket_encode(type, value, &bytes, &error);
    if (status != DOCKET_OK) {
        print_error("%s\n", error.message);
    }
    assert_status(DOCKET_OK, status);
    assert_int_equal(expected->size, bytes.size);
    if (bytes.size > 0) {
        assert_memory_equal(expected->data, bytes.data, bytes.size);
    }
    docket__buffer_release(&bytes);
}

static void *decode(const docket_type *type, const docket_buffer *bytes)
{
    void *value = docket_arena_alloc(&arena, type->size);
    docket_error error;
    docket_status status = docket_decode(type, docket_buffer_bytes(bytes), &arena, value, &error);
    if (status != DOCKET_OK) {
        print_error("%s\n", error.message);
    }
    assert_status(DOCKET_OK, status);
    return value;
}

static void values_survive_every_way(void **state)
{
    (void)state;
    size_t count = rounds(1500, 100000);
    for (size_t i = 0; i < count; i++) {
        const docket_type *type = types[i % 3];
        void *value = make(type, RANDOM_UNKNOWN | RANDOM_DUPLICATES | RANDOM_NAN);
        docket_buffer bytes = {0};
        assert_status(DOCKET_OK, docket_encode(type, value, &bytes, NULL));
        assert_bytes(type, decode(type, &bytes), &bytes);
        void *copy = docket_arena_alloc(&arena, type->size);
        assert_status(DOCKET_OK, docket__type_copy(type, value, &arena, copy, NULL));
        assert_bytes(type, copy, &bytes);
        assert_status(DOCKET_OK, docket__type_seal(type, value, &arena, NULL));
        assert_bytes(type, value, &bytes);
        docket__buffer_release(&bytes);
        docket__arena_release(&arena);
    }
}

/* protobuf-c reads what docket writes; what protobuf-c writes, docket reads. */
static void protobuf_c_understands(void **state)
{
    (void)state;
    size_t count = rounds(1000, 30000);
    for (size_t i = 0; i < count; i++) {
        const docket_type *type = types[i % 3];
        void *value = make(type, RANDOM_UNKNOWN | RANDOM_NAN);
        docket_buffer bytes = {0};
        assert_status(DOCKET_OK, docket_encode(type, value, &bytes, NULL));
        ProtobufCMessage *read = protobuf_c_message_unpack(type->detail, NULL, bytes.size, bytes.data);
        assert_non_null(read);
        assert_bytes(type, read, &bytes);
        docket_buffer packed = {0};
        uint8_t *room = docket__buffer_reserve(&packed, protobuf_c_message_get_packed_size(read));
        packed.size = protobuf_c_message_pack(read, room);
        void *again = decode(type, &packed);
        ProtobufCMessage *second = protobuf_c_message_unpack(type->detail, NULL, packed.size, packed.data);
        docket_buffer expected = {0};
        assert_status(DOCKET_OK, docket_encode(type, second, &expected, NULL));
        assert_bytes(type, again, &expected);
        protobuf_c_message_free_unpacked(read, NULL);
        protobuf_c_message_free_unpacked(second, NULL);
        docket__buffer_release(&expected);
        docket__buffer_release(&packed);
        docket__buffer_release(&bytes);
        docket__arena_release(&arena);
    }
}

/* What is accepted must be a value like any other; what is refused says why. */
static void check_hostile(const docket_type *type, docket_bytes bytes)
{
    docket_error error;
    docket_buffer canonical = {0};
    void *value = docket_arena_alloc(&arena, type->size);
    docket_status status = docket_decode(type, bytes, &arena, value, &error);
    assert_status(status, error.status);
    if (status == DOCKET_OK) {
        status = docket_encode(type, value, &canonical, &error);
        if (status == DOCKET_OK) {
            assert_bytes(type, decode(type, &canonical), &canonical);
            void *copy = docket_arena_alloc(&arena, type->size);
            assert_status(DOCKET_OK, docket__type_copy(type, value, &arena, copy, NULL));
            assert_bytes(type, copy, &canonical);
        } else {
            assert_status(DOCKET_ENCODE, status);
        }
    } else {
        assert_status(DOCKET_CORRUPT, status);
        assert_true(error.message[0] != '\0');
    }
    docket__buffer_release(&canonical);
}

static void hostile_bytes_are_safe(void **state)
{
    (void)state;
    size_t count = rounds(300, 10000);
    for (size_t i = 0; i < count; i++) {
        const docket_type *type = types[i % 3];
        docket_buffer bytes = {0};
        assert_status(DOCKET_OK, docket_encode(type, make(type, RANDOM_UNKNOWN), &bytes, NULL));
        for (size_t k = 0; k < 20 && bytes.size > 0; k++) {
            size_t size = k % 4 == 0 ? random_next(&seed) % bytes.size : bytes.size;
            uint8_t *mutated = malloc(size > 0 ? size : 1);
            memcpy(mutated, bytes.data, size);
            for (size_t changes = 1 + random_next(&seed) % 3; changes > 0 && size > 0; changes--) {
                mutated[random_next(&seed) % size] = (uint8_t)random_next(&seed);
            }
            check_hostile(type, (docket_bytes){mutated, size});
            free(mutated);
        }
        docket__buffer_release(&bytes);
        docket__arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_survive_every_way, start, stop),
        cmocka_unit_test_setup_teardown(protobuf_c_understands, start, stop),
        cmocka_unit_test_setup_teardown(hostile_bytes_are_safe, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
