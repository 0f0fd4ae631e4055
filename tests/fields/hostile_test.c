/* Field report 12: bytes from a store that others can write. Planted payloads under a right checksum and mutated ones, to
 * the codec and through stores: each time a status, never a crash, a wrong value, or memory out of proportion. */
#include "support/plant.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <stdio.h>
#include <stdlib.h>

DOCKET_ENUM(Grade, (GRADE_NONE, 0), (GRADE_GOOD, 1));
DOCKET_STRUCT(Place, (INT32, x), (DOUBLE, y));
DOCKET_STRUCT(Item, (STRING, article), (INT64, cents), (STRUCT(Place), place), (LIST(STRING), tags));
DOCKET_STRUCT(Cargo, (STRING, name), (BYTES, raw), (LIST(STRUCT(Item)), items), (LIST(INT64), numbers),
              (FIXED(4), code), (OPTIONAL(DOUBLE), weight), (ENUM(Grade), grade), (BOOL, sealed), (INT32, small),
              (UINT64, large), (LIST(DOUBLE), samples), (LIST(FIXED(4)), codes), (STRUCT(Place), place),
              (LIST(BOOL), flags));
DOCKET_STRUCT(Bill, (STRING, number));

static const char *const tags[] = {"fragile", "", "größe"};
static const Place place = {-7, 0.5};
static const Item items[] = {
    {"apple", 120, &place, tags, 3}, {"", -1, NULL, NULL, 0}, {"pear", INT64_MAX, &place, tags, 1}};
static const int64_t numbers[] = {0, 1, -1, INT64_MIN, 300};
static const double samples[] = {0.5, -0.0, 1e300};
static const uint8_t codes[] = {1, 2, 3, 4, 5, 6, 7, 8};
static const bool flags[] = {true, false, true};
static const Cargo good = {
    .name = "cargo",
    .raw = {(const uint8_t *)"\0\1\2\xff", 4},
    .items = items,
    .items_count = 3,
    .numbers = numbers,
    .numbers_count = 5,
    .code = {9, 8, 7, 6},
    .weight = 12.25,
    .has_weight = true,
    .grade = GRADE_GOOD,
    .sealed = true,
    .small = -3,
    .large = UINT64_MAX,
    .samples = samples,
    .samples_count = 3,
    .codes = (const uint8_t (*)[4])codes,
    .codes_count = 2,
    .place = &place,
    .flags = flags,
    .flags_count = 3,
};

/* ---- Payloads ---- */

enum { PAYLOAD_BYTES = 1024, DEEP_BYTES = 100000 };

typedef struct payload {
    const char *name;
    const char *bytes;
    size_t size;
    bool readable; /* it is a value after all */
} payload;

#define PAYLOAD(name, bytes, readable)           \
    {                                            \
        name, bytes, sizeof(bytes) - 1, readable \
    }
#define TEN "0123456789"

static const payload payloads[] = {
    PAYLOAD("no bytes", "", true),
    PAYLOAD("length 0xffffffff of a text", "\x0a\xff\xff\xff\xff\x0f" TEN, false),
    PAYLOAD("length 0xffffffff of bytes", "\x12\xff\xff\xff\xff\x0f" TEN, false),
    PAYLOAD("length 2^31 of a text", "\x0a\x80\x80\x80\x80\x08" TEN, false),
    PAYLOAD("length 2^62 of a list", "\x22\x80\x80\x80\x80\x80\x80\x80\x80\x40" TEN, false),
    PAYLOAD("length 2^62 of structs", "\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x40" TEN, false),
    PAYLOAD("length 2^62 of doubles", "\x5a\x80\x80\x80\x80\x80\x80\x80\x80\x40" TEN, false),
    PAYLOAD("length 2^63", "\x22\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" TEN, false),
    PAYLOAD("negative length", "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TEN, false),
    PAYLOAD("negative length of a text", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TEN, false),
    PAYLOAD("length of eleven bytes", "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TEN, false),
    PAYLOAD("length beyond 64 bits", "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f" TEN, false),
    PAYLOAD("length one too long", "\x0a\x0b" TEN, false),
    PAYLOAD("length without end", "\x0a\xff", false),
    PAYLOAD("number without end", "\x50\xff\xff", false),
    PAYLOAD("tag without end", "\xff", false),
    PAYLOAD("tag without value", "\x50", false),
    PAYLOAD("field 0", "\x00\x00", false),
    PAYLOAD("field 0 with a text", "\x02\x01\x61", false),
    PAYLOAD("field beyond the last", "\x80\x80\x80\x80\x10\x01", false),
    PAYLOAD("tag beyond 32 bits", "\x88\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01", false),
    PAYLOAD("wire type 6", "\x0e" TEN, false),
    PAYLOAD("wire type 7", "\x0f" TEN, false),
    PAYLOAD("group that ends nowhere", "\x0b", false),
    PAYLOAD("end of no group", "\x0c", false),
    PAYLOAD("text as a number", "\x08\x01", false),
    PAYLOAD("number as a text", "\x4a\x01\x01", false),
    PAYLOAD("struct as a number", "\x18\x01", false),
    PAYLOAD("text with a NUL", "\x0a\x03\x61\x00\x62", false),
    PAYLOAD("text that is not UTF-8", "\x0a\x02\xc3\x28", false),
    PAYLOAD("text with a surrogate", "\x0a\x03\xed\xa0\x80", false),
    PAYLOAD("overlong text", "\x0a\x02\xc0\xaf", false),
    PAYLOAD("fixed too short", "\x2a\x03\x01\x02\x03", false),
    PAYLOAD("fixed too long", "\x2a\x05\x01\x02\x03\x04\x05", false),
    PAYLOAD("fixed of a list too short", "\x62\x03\x01\x02\x03", false),
    PAYLOAD("doubles cut short", "\x5a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00", false),
    PAYLOAD("double cut short", "\x31\x00\x00\x00", false),
    PAYLOAD("struct longer than its parent", "\x1a\x04\x0a\x10\x61\x61", false),
    PAYLOAD("packed number cut short", "\x22\x02\x80\x80", false),
    PAYLOAD("nothing but a good text",
            "\x0a\x05"
            "cargo"
            "\x2a\x04\x01\x02\x03\x04",
            true),
};
enum { PAYLOAD_COUNT = sizeof payloads / sizeof payloads[0] };

/* What decoding took. */
typedef struct decoded {
    docket_status status;
    size_t largest; /* request for memory */
} decoded;

/* A value that was read must encode, and come back from that as the same bytes. */
static bool is_stable(const void *value)
{
    docket_error error;
    bool stable = false;
    docket_buffer *once = docket_buffer_new(), *twice = docket_buffer_new();
    docket_arena *arena = docket_arena_new();
    Cargo again;
    memset(&again, 0, sizeof again);
    if (docket_encode(DOCKET_OF(Cargo), value, once, &error) == DOCKET_OK &&
        docket_decode(DOCKET_OF(Cargo), docket_buffer_bytes(once), arena, &again, &error) == DOCKET_OK &&
        docket_encode(DOCKET_OF(Cargo), &again, twice, &error) == DOCKET_OK) {
        docket_bytes one = docket_buffer_bytes(once), other = docket_buffer_bytes(twice);
        stable = one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
    }
    docket_arena_free(arena);
    docket_buffer_free(once);
    docket_buffer_free(twice);
    return stable;
}

/* Decodes bytes that end where their memory ends. */
static decoded decode(const void *bytes, size_t size)
{
    docket_error error = DOCKET_ERROR_INIT;
    Cargo cargo;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memset(&cargo, 0, sizeof cargo);
    if (copy == NULL) {
        return (decoded){DOCKET_NO_MEMORY, 0};
    }
    memcpy(copy, bytes, size);
    docket_test_memory_start();
    docket_arena *arena = docket_arena_new();
    docket_status status = docket_decode(DOCKET_OF(Cargo), (docket_bytes){copy, size}, arena, &cargo, &error);
    if (status == DOCKET_OK && !is_stable(&cargo)) {
        status = DOCKET_ENCODE;
    }
    docket_arena_free(arena);
    if (docket_test_memory_read().live != 0) {
        status = DOCKET_NO_MEMORY;
    }
    docket_test_memory_stop();
    free(copy);
    return (decoded){status, docket_test_memory_read().largest_bytes};
}

static void assert_modest(const decoded *came, size_t size)
{
    assert_true(came->largest <= size + (1 << 20));
}

static void fr_12_planted_payloads_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAYLOAD_COUNT; i++) {
        decoded came = decode(payloads[i].bytes, payloads[i].size);
        if (came.status != (payloads[i].readable ? DOCKET_OK : DOCKET_CORRUPT)) {
            print_error("%s\n", payloads[i].name);
        }
        assert_status(payloads[i].readable ? DOCKET_OK : DOCKET_CORRUPT, came.status);
        assert_modest(&came, payloads[i].size);
    }
}

static void fr_12_single_bytes_are_refused(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const uint8_t bytes[1] = {(uint8_t)byte};
        decoded came = decode(bytes, 1);
        assert_status(DOCKET_CORRUPT, came.status);
        assert_modest(&came, 1);
    }
}

static void fr_12_every_cut_of_a_value_gives_a_status(void **state)
{
    (void)state;
    docket_error error;
    docket_buffer *buffer = docket_buffer_new();
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Cargo), &good, buffer, &error));
    docket_bytes whole = docket_buffer_bytes(buffer);
    assert_true(whole.size < PAYLOAD_BYTES);
    for (size_t size = 0; size <= whole.size; size++) {
        decoded came = decode(whole.data, size);
        assert_true(came.status == DOCKET_OK || came.status == DOCKET_CORRUPT);
        assert_modest(&came, size);
    }
    docket_buffer_free(buffer);
}

/* ---- Depth, on a small stack ---- */

static void *decode_deep(void *arg)
{
    decoded *came = arg;
    uint8_t *bytes = malloc(DEEP_BYTES);
    if (bytes != NULL) {
        memset(bytes, 0x0b, DEEP_BYTES); /* groups, each begun inside the one before */
        came[0] = decode(bytes, DEEP_BYTES);
        memset(bytes, 0xa3, DEEP_BYTES); /* the same of fields with a number of two bytes */
        came[1] = decode(bytes, DEEP_BYTES);
        for (size_t i = 0; i < DEEP_BYTES; i++) { /* items, each a tag and a length */
            bytes[i] = i % 2 == 0 ? 0x1a : 0x7f;
        }
        came[2] = decode(bytes, DEEP_BYTES);
        free(bytes);
    }
    return NULL;
}

static void fr_12_deep_nesting_is_refused_on_a_small_stack(void **state)
{
    (void)state;
    decoded came[3] = {{DOCKET_OK, 0}, {DOCKET_OK, 0}, {DOCKET_OK, 0}};
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, decode_deep, came), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    for (int i = 0; i < 3; i++) {
        assert_status(DOCKET_CORRUPT, came[i].status);
        assert_modest(&came[i], DEEP_BYTES);
    }
}

/* ---- Mutations ---- */

static size_t good_bytes(uint8_t bytes[PAYLOAD_BYTES])
{
    docket_error error;
    docket_buffer *buffer = docket_buffer_new();
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Cargo), &good, buffer, &error));
    docket_bytes whole = docket_buffer_bytes(buffer);
    assert_true(whole.size <= PAYLOAD_BYTES / 2);
    memcpy(bytes, whole.data, whole.size);
    docket_buffer_free(buffer);
    return whole.size;
}

/* One to four changes: a bit, a byte, a large number, a cut, bytes doubled or left out. */
static size_t mutate(uint64_t *seed, uint8_t bytes[PAYLOAD_BYTES], size_t size)
{
    for (uint64_t left = site_random(seed) % 4 + 1; left > 0 && size > 0; left--) {
        size_t at = site_random(seed) % size;
        size_t length = site_random(seed) % 12 < size - at ? site_random(seed) % 12 : size - at;
        length = length < size - at ? length : size - at;
        switch (site_random(seed) % 6) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << site_random(seed) % 8);
            break;
        case 1:
            bytes[at] = (uint8_t)site_random(seed);
            break;
        case 2:
            memset(bytes + at, 0xff, length);
            break;
        case 3:
            size = at;
            break;
        case 4:
            if (size + length <= PAYLOAD_BYTES) {
                memmove(bytes + at + length, bytes + at, size - at);
                size += length;
            }
            break;
        default:
            memmove(bytes + at, bytes + at + length, size - at - length);
            size -= length;
        }
    }
    return size;
}

static void fr_12_hundred_thousand_mutations_give_a_status(void **state)
{
    (void)state;
    uint8_t whole[PAYLOAD_BYTES], bytes[PAYLOAD_BYTES];
    size_t whole_size = good_bytes(whole);
    uint64_t seed = site_seed();
    for (long i = site_count(100000, 5000000); i > 0; i--) {
        memcpy(bytes, whole, whole_size);
        size_t size = mutate(&seed, bytes, whole_size);
        decoded came = decode(bytes, size);
        if (came.status != DOCKET_OK && came.status != DOCKET_CORRUPT) {
            fail_msg("%s after mutation", docket_status_name(came.status));
        }
        assert_modest(&came, size);
    }
}

/* ---- In a store, under a right checksum ---- */

static atomic_int packed;

static docket_status pack(docket_ctx *ctx, Cargo *out, const Bill *in)
{
    (void)ctx;
    (void)in;
    atomic_fetch_add(&packed, 1);
    *out = good;
    return DOCKET_OK;
}
DOCKET_STEP(pack, Cargo, Bill);

static const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};

static docket_graph *pack_graph(site *at, docket_unreadable policy)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, &fast),
                                         .scope = DOCKET_SCOPE_GLOBAL, .on_unreadable = policy};
    return graph_of_one(NULL, &pack_step, &options);
}

/* `same` tells whether a value came that is the one that was made. */
static docket_status ask(docket_graph *graph, bool *same)
{
    static const Bill bill = {"17"};
    docket_error error;
    uint8_t whole[PAYLOAD_BYTES];
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Cargo),
                                                DOCKET_INPUTS(DOCKET_IN(Bill, &bill))});
    *same = false;
    if (made.status == DOCKET_OK) {
        docket_buffer *buffer = docket_buffer_new();
        assert_status(DOCKET_OK,
                      docket_encode(DOCKET_OF(Cargo), DOCKET_RESULT(made.result, Cargo), buffer, &error));
        docket_bytes bytes = docket_buffer_bytes(buffer);
        *same = good_bytes(whole) == bytes.size && memcmp(whole, bytes.data, bytes.size) == 0;
        docket_buffer_free(buffer);
    }
    outcome_free(&made);
    return made.status;
}

static bool copy_key(void *arg, const docket_checkpoint *found)
{
    memcpy(arg, found->key, sizeof found->key);
    return false;
}

/* Records the good value and finds out its key. */
static docket_key record_good(site *at)
{
    docket_error error;
    docket_key key = {{0}};
    bool same;
    atomic_store(&packed, 0);
    docket_graph *graph = pack_graph(at, DOCKET_FAIL);
    assert_status(DOCKET_OK, ask(graph, &same));
    assert_true(same);
    docket_graph_free(graph);
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "pack"};
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, &filter, copy_key, key.bytes, &error));
    return key;
}

static void plant(site *at, const docket_key *key, const void *bytes, size_t size)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_record record = {.key = *key,
                            .format = DOCKET_RECORD_FORMAT,
                            .kind = DOCKET_CHECKPOINT_VALUE,
                            .step_version = 1,
                            .scope = DOCKET_SCOPE_GLOBAL,
                            .attempts = 1,
                            .execution_id = "planted",
                            .step = "pack",
                            .type = "Cargo",
                            .value = {bytes, size}};
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Cargo), record.fingerprint, &error));
    assert_status(DOCKET_OK, plant_record(site_open(at, &fast), &record, true, &error));
}

static void fr_12_planted_payloads_in_a_store_are_refused(void **state)
{
    site *at = *state;
    bool same;
    docket_key key = record_good(at);
    docket_graph *graph = pack_graph(at, DOCKET_FAIL);
    for (size_t i = 0; i < PAYLOAD_COUNT; i++) {
        plant(at, &key, payloads[i].bytes, payloads[i].size);
        assert_status(payloads[i].readable ? DOCKET_OK : DOCKET_CORRUPT, ask(graph, &same));
        assert_false(same);
    }
    assert_int_equal(atomic_load(&packed), 1);
    docket_graph_free(graph);
}

static void fr_12_planted_payload_is_replaced_when_asked(void **state)
{
    site *at = *state;
    bool same;
    docket_key key = record_good(at);
    docket_graph *graph = pack_graph(at, DOCKET_RERUN);
    plant(at, &key, "\x0a\xff\xff\xff\xff\x0f" TEN, 16);
    for (int round = 0; round < 2; round++) {
        assert_status(DOCKET_OK, ask(graph, &same));
        assert_true(same);
        assert_int_equal(atomic_load(&packed), 2);
    }
    docket_graph_free(graph);
}

static void fr_12_planted_mutations_in_a_store_give_a_status(void **state)
{
    site *at = *state;
    uint8_t whole[PAYLOAD_BYTES], bytes[PAYLOAD_BYTES];
    size_t whole_size = good_bytes(whole);
    uint64_t seed = site_seed();
    bool same;
    docket_key key = record_good(at);
    docket_graph *graph = pack_graph(at, DOCKET_FAIL);
    for (long i = site_count(1000, 50000); i > 0; i--) {
        memcpy(bytes, whole, whole_size);
        plant(at, &key, bytes, mutate(&seed, bytes, whole_size));
        docket_status status = ask(graph, &same);
        assert_true(status == DOCKET_OK || status == DOCKET_CORRUPT);
    }
    assert_int_equal(atomic_load(&packed), 1);
    docket_graph_free(graph);
}

/* A record that says so itself: of a later docket, or of another type. */
static void fr_12_records_of_another_kind_are_refused(void **state)
{
    site *at = *state;
    docket_error error = DOCKET_ERROR_INIT;
    uint8_t whole[PAYLOAD_BYTES];
    bool same;
    docket_key key = record_good(at);
    docket_record plain = {.key = key,
                           .format = DOCKET_RECORD_FORMAT,
                           .kind = DOCKET_CHECKPOINT_VALUE,
                           .step_version = 1,
                           .scope = DOCKET_SCOPE_GLOBAL,
                           .execution_id = "planted",
                           .step = "pack",
                           .type = "Cargo",
                           .value = {whole, good_bytes(whole)}};
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Cargo), plain.fingerprint, &error));
    docket_record records[] = {plain, plain, plain, plain, plain, plain, plain, plain};
    records[0].format = 2;
    records[1].format = UINT32_MAX;
    records[2].codec = 1;
    records[3].kind = 9;
    records[4].type = "Bill";
    records[5].fingerprint[31] ^= 1;
    records[6].checksum[0] = 1;
    records[7].format = 0;
    static const docket_status expected[] = {DOCKET_SCHEMA_NEWER, DOCKET_SCHEMA_NEWER, DOCKET_SCHEMA_NEWER,
                                             DOCKET_SCHEMA_NEWER, DOCKET_TYPE,         DOCKET_TYPE,
                                             DOCKET_CORRUPT,      DOCKET_SCHEMA_NEWER};
    docket_graph *graph = pack_graph(at, DOCKET_FAIL);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        assert_status(DOCKET_OK, plant_record(at->store, &records[i], true, &error));
        docket_status status = ask(graph, &same);
        if (status != expected[i]) {
            print_error("record %zu\n", i);
        }
        assert_status(expected[i], status);
    }
    assert_int_equal(atomic_load(&packed), 1);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(fr_12_planted_payloads_are_refused),
        SITE_MEMORY(fr_12_single_bytes_are_refused),
        SITE_MEMORY(fr_12_every_cut_of_a_value_gives_a_status),
        SITE_MEMORY(fr_12_deep_nesting_is_refused_on_a_small_stack),
        SITE_MEMORY(fr_12_hundred_thousand_mutations_give_a_status),
        SITE_EACH_STORE(fr_12_planted_payloads_in_a_store_are_refused),
        SITE_EACH_STORE(fr_12_planted_payload_is_replaced_when_asked),
        SITE_EACH_STORE(fr_12_planted_mutations_in_a_store_give_a_status),
        SITE_EACH_STORE(fr_12_records_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
