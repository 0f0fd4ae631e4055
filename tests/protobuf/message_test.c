#include "base/arena.h"
#include "base/buffer.h"
#include "legacy.pb-c.h"
#include "sample.pb-c.h"
#include "support/check.h"
#include "terse.pb-c.h"
#include "type/codec.h"
#include "type/schema.h"
#include "type/wire.h"

#include <docket/protobuf.h>
#include <docket/testing.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Sample__Plain, sample__plain);
DOCKET_PROTOBUF(Sample__Point, sample__point);
DOCKET_PROTOBUF(Sample__WiderPoint, sample__wider_point);
DOCKET_PROTOBUF(Sample__NarrowPoint, sample__narrow_point);
DOCKET_PROTOBUF(Sample__Pairs, sample__pairs);
DOCKET_PROTOBUF(Sample__Expression, sample__expression);
DOCKET_PROTOBUF(Sample__Call, sample__call);
DOCKET_PROTOBUF(Sample__Program, sample__program);
DOCKET_PROTOBUF(Sample__Tree, sample__tree);
DOCKET_PROTOBUF(Legacy__Old, legacy__old);
DOCKET_PROTOBUF(Legacy__Wides, legacy__wides);
DOCKET_PROTOBUF(Terse__Terse, terse__terse);
DOCKET_ALIAS(OtherPoint, Sample__Point);

static docket_arena arena;
static docket_buffer bytes;
static docket_error error;

static int stop(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    docket__buffer_release(&bytes);
    return 0;
}

/* Encodes into `bytes`, afresh. */
static docket_status encode(const docket_type *type, const void *value)
{
    docket__buffer_clear(&bytes);
    return docket_encode(type, value, &bytes, &error);
}

static void *decode(const docket_type *type, const void *data, size_t size)
{
    void *value = docket_arena_alloc(&arena, type->size);
    docket_status status = docket_decode(type, (docket_bytes){data, size}, &arena, value, &error);
    return status == DOCKET_OK ? value : NULL;
}

static void *copy(const docket_type *type, const void *value)
{
    void *made = docket_arena_alloc(&arena, type->size);
    docket_status status = docket__type_copy(type, value, &arena, made, &error);
    return status == DOCKET_OK ? made : NULL;
}

static void assert_bytes(const docket_type *type, const void *value, const char *expected, size_t size)
{
    assert_status(DOCKET_OK, encode(type, value));
    assert_int_equal(bytes.size, size);
    assert_memory_equal(size > 0 ? bytes.data : (const uint8_t *)"", expected, size);
}
#define ASSERT_BYTES(T, value, literal) assert_bytes(DOCKET_OF(T), value, literal, sizeof(literal) - 1)

/* The same failure from all that looks at a value. */
static void assert_refused(const docket_type *type, void *value, const char *message)
{
    assert_status(DOCKET_ENCODE, encode(type, value));
    assert_string_equal(error.message, message);
    assert_null(copy(type, value));
    assert_status(DOCKET_ENCODE, error.status);
    assert_string_equal(error.message, message);
    assert_status(DOCKET_ENCODE, docket__type_seal(type, value, &arena, &error));
    assert_string_equal(error.message, message);
}

static void types_pass_the_check(void **state)
{
    (void)state;
    const docket_type *const types[] = {DOCKET_OF(Sample__Everything), DOCKET_OF(Sample__Expression),
                                        DOCKET_OF(Sample__Tree), DOCKET_OF(Legacy__Old), DOCKET_OF(OtherPoint)};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_status(DOCKET_OK, docket_type_check(types[i], &error));
    }
    assert_string_equal(DOCKET_OF(Sample__Everything)->name, "Sample__Everything");
}

static void descriptors_are_checked(void **state)
{
    (void)state;
    ProtobufCFieldDescriptor fields[2] = {sample__point__descriptor.fields[0], sample__point__descriptor.fields[1]};
    ProtobufCMessageDescriptor message = sample__point__descriptor;
    docket_type type = *DOCKET_OF(Sample__Point);
    message.fields = fields;
    type.detail = &message;
    assert_status(DOCKET_OK, docket_type_check(&type, &error));
    fields[1].type = (ProtobufCType)17;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_string_equal(error.message,
                        "message sample.Point, field y: groups are not supported: make it a message of "
                        "its own");
    fields[1].type = PROTOBUF_C_TYPE_DOUBLE;
    message.magic++;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_string_equal(error.message, "a message's descriptor is none of protobuf-c");
    type.detail = &sample__line__descriptor;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_string_equal(error.message,
                        "message sample.Line: its descriptor is that of another struct than the type's");
    assert_status(DOCKET_INVALID, docket_type_check(DOCKET_OF(Terse__Terse), &error));
    assert_contains(error.message, "optimize_for = CODE_SIZE");
    type = *DOCKET_OF(Sample__Point);
    type.describe = NULL;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_string_equal(error.message, "type Sample__Point: a message needs describe");
    type = *DOCKET_OF(Sample__Point);
    type.decode = NULL;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_string_equal(error.message, "type Sample__Point: a message needs encode and decode");
}

static void maps_have_one_order(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    Sample__Everything__CountsEntry entries[3] = {SAMPLE__EVERYTHING__COUNTS_ENTRY__INIT,
                                                  SAMPLE__EVERYTHING__COUNTS_ENTRY__INIT,
                                                  SAMPLE__EVERYTHING__COUNTS_ENTRY__INIT};
    entries[0].key = "a", entries[0].value = 1;
    entries[1].key = "b";
    entries[2].key = NULL, entries[2].value = 3;
    for (size_t i = 0; i < 6; i++) {
        Sample__Everything__CountsEntry *list[3];
        Sample__Everything value = SAMPLE__EVERYTHING__INIT;
        for (size_t k = 0; k < 3; k++) {
            list[k] = &entries[orders[i][k]];
        }
        value.counts = list, value.n_counts = 3;
        ASSERT_BYTES(Sample__Everything, &value,
                     "\x9a\x03\x04\x0a\0\x10\x03\x9a\x03\x05\x0a\x01\x61\x10\x01\x9a\x03\x05\x0a\x01\x62\x10\0");
        assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Sample__Everything), &value, &arena, &error));
        assert_int_equal(value.n_counts, 3);
        assert_string_equal(value.counts[0]->key, "");
        assert_string_equal(value.counts[2]->key, "b");
        assert_ptr_equal(list[0], &entries[orders[i][0]]);
    }
    assert_null(entries[2].key);
}

static void last_entry_of_a_key_counts(void **state)
{
    (void)state;
    Sample__Everything__WeightsEntry entries[4];
    Sample__Everything__WeightsEntry *list[4];
    Sample__Everything value = SAMPLE__EVERYTHING__INIT;
    for (size_t i = 0; i < 4; i++) {
        sample__everything__weights_entry__init(&entries[i]);
        entries[i].key = i % 2 == 0 ? UINT64_MAX : 5;
        entries[i].value = (double)i;
        list[i] = &entries[i];
    }
    value.weights = list, value.n_weights = 4;
    assert_status(DOCKET_OK, encode(DOCKET_OF(Sample__Everything), &value));
    Sample__Everything *restored = decode(DOCKET_OF(Sample__Everything), bytes.data, bytes.size);
    Sample__Everything *copied = copy(DOCKET_OF(Sample__Everything), &value);
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Sample__Everything), &value, &arena, &error));
    const Sample__Everything *const all[] = {restored, copied, &value};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(all[i]->n_weights, 2);
        assert_true(all[i]->weights[0]->key == 5 && all[i]->weights[0]->value == 3);
        assert_true(all[i]->weights[1]->key == UINT64_MAX && all[i]->weights[1]->value == 2);
    }
}

/* Keys that differ early, late, or not at all, in a map that is large enough for the sort by bytes. */
static void large_maps_are_sorted(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static char keys[COUNT][40];
    static Sample__Everything__CountsEntry entries[COUNT];
    static Sample__Everything__CountsEntry *list[COUNT];
    static const char *const forms[] = {"customers/%u", "customers/of the north/%u", "customers/%u/of the north",
                                        "%u"};
    uint32_t seed = 12345;
    Sample__Everything value = SAMPLE__EVERYTHING__INIT;
    for (size_t common = 0; common < 2; common++) {
        for (size_t i = 0; i < COUNT; i++) {
            seed = seed * 1664525 + 1013904223;
            sample__everything__counts_entry__init(&entries[i]);
            snprintf(keys[i], sizeof keys[i], forms[seed >> 8 & (common == 0 ? 1 : 3)],
                     (unsigned)(seed >> 12 & 0x3ff));
            entries[i].key = i % 500 == 7 && common == 1 ? NULL : keys[i];
            entries[i].value = (int32_t)i;
            list[i] = &entries[i];
        }
        value.counts = list, value.n_counts = COUNT;
        assert_status(DOCKET_OK, encode(DOCKET_OF(Sample__Everything), &value));
        Sample__Everything *read = decode(DOCKET_OF(Sample__Everything), bytes.data, bytes.size);
        assert_true(read->n_counts > 1000 && read->n_counts < COUNT);
        for (size_t i = 0; i < read->n_counts; i++) {
            assert_true(i == 0 || strcmp(read->counts[i - 1]->key, read->counts[i]->key) < 0);
            for (size_t k = (size_t)read->counts[i]->value + 1; k < COUNT; k++) {
                assert_string_not_equal(entries[k].key != NULL ? entries[k].key : "", read->counts[i]->key);
            }
        }
    }
}

static void large_maps_of_numbers_are_sorted(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static Sample__Everything__BlobsEntry entries[COUNT];
    static Sample__Everything__BlobsEntry *list[COUNT];
    static Sample__Everything__PointsByNumberEntry points[COUNT];
    static Sample__Everything__PointsByNumberEntry *point_list[COUNT];
    uint64_t seed = 99;
    Sample__Everything value = SAMPLE__EVERYTHING__INIT;
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        sample__everything__blobs_entry__init(&entries[i]);
        sample__everything__points_by_number_entry__init(&points[i]);
        entries[i].key = (int64_t)seed, points[i].key = (int32_t)(seed >> 20);
        list[i] = &entries[i], point_list[i] = &points[i];
    }
    value.blobs = list, value.n_blobs = COUNT;
    value.points_by_number = point_list, value.n_points_by_number = COUNT;
    Sample__Everything *copied = copy(DOCKET_OF(Sample__Everything), &value);
    assert_int_equal(copied->n_blobs, COUNT);
    for (size_t i = 1; i < COUNT; i++) {
        assert_true(copied->blobs[i - 1]->key < copied->blobs[i]->key);
        assert_true(copied->points_by_number[i - 1]->key < copied->points_by_number[i]->key);
    }
}

static void only_a_map_is_sorted(void **state)
{
    (void)state;
    Sample__Pair one = SAMPLE__PAIR__INIT;
    Sample__Pair two = SAMPLE__PAIR__INIT;
    Sample__Pair *list[] = {&two, &one, &two};
    Sample__Pairs value = SAMPLE__PAIRS__INIT;
    one.value = 1, two.value = 2;
    value.pairs = list, value.n_pairs = 3;
    ASSERT_BYTES(Sample__Pairs, &value, "\x0a\x02\x10\x02\x0a\x02\x10\x01\x0a\x02\x10\x02");
}

/* Entries of proto2 have presence, but in a map both members are always there. */
static void entries_are_complete(void **state)
{
    (void)state;
    Legacy__Old__CountsEntry entry = LEGACY__OLD__COUNTS_ENTRY__INIT;
    Legacy__Old__CountsEntry *entries[] = {&entry};
    Legacy__Inner inner = LEGACY__INNER__INIT;
    Legacy__Old value = LEGACY__OLD__INIT;
    value.name = "n", value.inner = &inner;
    value.counts = entries, value.n_counts = 1;
    entry.value = 9; /* has_value is forgotten */
    assert_status(DOCKET_OK, encode(DOCKET_OF(Legacy__Old), &value));
    Legacy__Old *restored = decode(DOCKET_OF(Legacy__Old), bytes.data, bytes.size);
    assert_true(restored->counts[0]->has_value && restored->counts[0]->value == 9);
    assert_string_equal(restored->counts[0]->key, "");
    static const char without_value[] = "\x0a\x01n\x10\0\x1a\0\x22\x02\x08\0\xca\x02\x03\x0a\x01k\xe8\x02\x03";
    restored = decode(DOCKET_OF(Legacy__Old), without_value, sizeof without_value - 1);
    assert_non_null(restored);
    assert_true(restored->counts[0]->has_value && restored->counts[0]->value == 0);

    Legacy__Old__InnerByIdEntry by_id = LEGACY__OLD__INNER_BY_ID_ENTRY__INIT;
    Legacy__Old__InnerByIdEntry *by_ids[] = {&by_id};
    value.inner_by_id = by_ids, value.n_inner_by_id = 1;
    assert_refused(DOCKET_OF(Legacy__Old), &value,
                   "Legacy__Old.inner_by_id[0].value.id: the required member is not set");
}

static void signs_of_zero_are_kept(void **state)
{
    (void)state;
    Sample__Point value = SAMPLE__POINT__INIT;
    ASSERT_BYTES(Sample__Point, &value, "");
    value.y = -0.0;
    ASSERT_BYTES(Sample__Point, &value, "\x11\0\0\0\0\0\0\0\x80");
    Sample__Point *restored = decode(DOCKET_OF(Sample__Point), bytes.data, bytes.size);
    assert_true(signbit(restored->y));
}

static void unknown_fields_stay(void **state)
{
    (void)state;
    static const char wide[] = "\x08\x05\x11\0\0\0\0\0\0\xf0\x3f\x1a\x03"
                               "abc"
                               "\x20\x01\x20\x82\0\x32\x02\x08\x07"
                               "\x3d\x01\x02\x03\x04\x41\x01\x02\x03\x04\x05\x06\x07\x08";
    Sample__Point *point = decode(DOCKET_OF(Sample__Point), wide, sizeof wide - 1);
    assert_non_null(point);
    assert_int_equal(point->base.n_unknown_fields, 6);
    assert_bytes(DOCKET_OF(Sample__Point), point, wide, sizeof wide - 1);
    Sample__Point *copied = copy(DOCKET_OF(Sample__Point), point);
    assert_bytes(DOCKET_OF(Sample__Point), copied, wide, sizeof wide - 1);
    assert_true(copied->base.unknown_fields[0].data != point->base.unknown_fields[0].data);
    /* The unknown number 1 comes before the known 2, as the one who knows it writes it. */
    Sample__NarrowPoint *narrow = decode(DOCKET_OF(Sample__NarrowPoint), wide, sizeof wide - 1);
    assert_bytes(DOCKET_OF(Sample__NarrowPoint), narrow, wide, sizeof wide - 1);
    Sample__WiderPoint *wider = decode(DOCKET_OF(Sample__WiderPoint), wide, sizeof wide - 1);
    assert_int_equal(wider->base.n_unknown_fields, 0);
    assert_string_equal(wider->name, "abc");
}

static void unknown_fields_are_ordered_and_checked(void **state)
{
    (void)state;
    uint8_t first[] = {1};
    uint8_t second[] = {2};
    uint8_t third[] = {1, 'x'};
    ProtobufCMessageUnknownField unknown[] = {{9, PROTOBUF_C_WIRE_TYPE_VARINT, 1, first},
                                              {7, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, 2, third},
                                              {9, PROTOBUF_C_WIRE_TYPE_VARINT, 1, second}};
    Sample__Point value = SAMPLE__POINT__INIT;
    value.base.unknown_fields = unknown, value.base.n_unknown_fields = 3;
    ASSERT_BYTES(Sample__Point, &value, "\x3a\x01x\x48\x01\x48\x02");
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Sample__Point), &value, &arena, &error));
    assert_int_equal(value.base.unknown_fields[0].tag, 7);
    assert_int_equal(unknown[0].tag, 9);
    value.base.unknown_fields = unknown;
    unknown[1].len = 1;
    assert_refused(DOCKET_OF(Sample__Point), &value, "Sample__Point: unknown field 7 is not whole");
    unknown[1].len = 2, unknown[1].tag = 2;
    assert_refused(DOCKET_OF(Sample__Point), &value, "Sample__Point: unknown field 2 is a member of the message");
    value.base.unknown_fields = NULL;
    assert_refused(DOCKET_OF(Sample__Point), &value, "Sample__Point: unknown fields have a count, but are NULL");
}

static void one_of_a_choice_is_there(void **state)
{
    (void)state;
    const docket_type *type = DOCKET_OF(Sample__Everything);
    Sample__Everything value = SAMPLE__EVERYTHING__INIT;
    value.choice_case = SAMPLE__EVERYTHING__CHOICE_C_TEXT;
    value.c_text = "";
    ASSERT_BYTES(Sample__Everything, &value, "\xca\x02\0");
    Sample__Everything *restored = decode(type, bytes.data, bytes.size);
    assert_int_equal(restored->choice_case, SAMPLE__EVERYTHING__CHOICE_C_TEXT);
    assert_string_equal(restored->c_text, "");
    value.c_text = NULL;
    ASSERT_BYTES(Sample__Everything, &value, "");
    assert_status(DOCKET_OK, docket__type_seal(type, &value, &arena, &error));
    assert_int_equal(value.choice_case, SAMPLE__EVERYTHING__CHOICE__NOT_SET);
    value.choice_case = (Sample__Everything__ChoiceCase)1;
    assert_status(DOCKET_OK, docket__type_seal(type, &value, &arena, &error));
    assert_int_equal(value.choice_case, SAMPLE__EVERYTHING__CHOICE__NOT_SET);
    value.choice_case = SAMPLE__EVERYTHING__CHOICE_C_NUMBER;
    value.c_number = 0;
    ASSERT_BYTES(Sample__Everything, &value, "\xd0\x02\0");
    /* Of two in the bytes the last counts. */
    restored = decode(type, "\xca\x02\x01x\xda\x02\x02\x08\x05\xe8\x02\x01", 12);
    assert_int_equal(restored->choice_case, SAMPLE__EVERYTHING__CHOICE_C_FLAG);
    assert_int_equal(restored->c_flag, 1);
}

static void text_is_checked(void **state)
{
    (void)state;
    Sample__Line line = SAMPLE__LINE__INIT;
    Sample__Line *lines[] = {&line};
    Sample__Plain value = SAMPLE__PLAIN__INIT;
    char *tags[] = {"fine", "\xff"};
    value.lines = lines, value.n_lines = 1;
    line.tags = tags, line.n_tags = 2;
    assert_refused(DOCKET_OF(Sample__Plain), &value, "Sample__Plain.lines[0].tags[1]: the text is not valid UTF-8");
    static const char *const bad[] = {"\x0a\x01\xff", "\x0a\x01\0"};
    for (size_t i = 0; i < 2; i++) {
        assert_null(decode(DOCKET_OF(Sample__Plain), bad[i], 3));
        assert_string_equal(error.message, "Sample__Plain.customer: text that is not UTF-8 without NUL at byte 0");
    }
}

static void pointers_are_checked(void **state)
{
    (void)state;
    Sample__Line *lines[] = {NULL};
    Sample__Plain value = SAMPLE__PLAIN__INIT;
    value.n_lines = 1;
    assert_refused(DOCKET_OF(Sample__Plain), &value,
                   "Sample__Plain.lines: the list has a count, but its elements are NULL");
    value.lines = lines;
    assert_refused(DOCKET_OF(Sample__Plain), &value, "Sample__Plain.lines[0]: the element is NULL");
    value.n_lines = 0, value.seal.len = 1;
    assert_refused(DOCKET_OF(Sample__Plain), &value,
                   "Sample__Plain.seal: the bytes have a length, but their data is "
                   "NULL");
    Sample__Everything__CountsEntry *entries[] = {NULL};
    Sample__Everything map = SAMPLE__EVERYTHING__INIT;
    map.counts = entries, map.n_counts = 1;
    assert_refused(DOCKET_OF(Sample__Everything), &map, "Sample__Everything.counts[0]: the entry is NULL");
}

static void required_members_are_demanded(void **state)
{
    (void)state;
    Legacy__Inner inner = LEGACY__INNER__INIT;
    Legacy__Old value = LEGACY__OLD__INIT;
    assert_refused(DOCKET_OF(Legacy__Old), &value, "Legacy__Old.name: the required member is not set");
    value.name = "";
    assert_refused(DOCKET_OF(Legacy__Old), &value, "Legacy__Old.inner: the required member is not set");
    value.inner = &inner;
    ASSERT_BYTES(Legacy__Old, &value, "\x0a\0\x10\0\x1a\0\x22\x02\x08\0\xe8\x02\x05");
    assert_non_null(decode(DOCKET_OF(Legacy__Old), bytes.data, bytes.size));
    assert_null(decode(DOCKET_OF(Legacy__Old), bytes.data, bytes.size - 3));
    assert_status(DOCKET_CORRUPT, error.status);
    assert_string_equal(error.message, "Legacy__Old.must: the required member is not there");
    assert_null(decode(DOCKET_OF(Legacy__Old), "\x0a\0\x10\0\x1a\0\x22\0\xe8\x02\x05", 11));
    assert_string_equal(error.message, "Legacy__Old.inner.id: the required member is not there");
}

/* Fresh values look like restored ones: what is absent has its start value. */
static void absent_members_have_their_defaults(void **state)
{
    (void)state;
    Legacy__Inner inner = LEGACY__INNER__INIT;
    Legacy__Old value = LEGACY__OLD__INIT;
    value.name = "", value.inner = &inner;
    value.seven = 1, value.plain = 2, value.level = LEGACY__OLD__LEVEL__LEVEL_LOW, value.half = 9;
    value.low = LEGACY__OLD__LEVEL__LEVEL_HIGH, value.greeting = NULL, value.magic.len = 0, value.blob.len = 4;
    value.flag = 7;
    assert_status(DOCKET_OK, encode(DOCKET_OF(Legacy__Old), &value));
    Legacy__Old *restored = decode(DOCKET_OF(Legacy__Old), bytes.data, bytes.size);
    Legacy__Old *copied = copy(DOCKET_OF(Legacy__Old), &value);
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Legacy__Old), &value, &arena, &error));
    const Legacy__Old *const all[] = {restored, copied, &value};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(all[i]->seven, 7);
        assert_int_equal(all[i]->plain, 0);
        assert_int_equal(all[i]->flag, 0);
        assert_int_equal(all[i]->level, LEGACY__OLD__LEVEL__LEVEL_HIGH);
        assert_int_equal(all[i]->low, LEGACY__OLD__LEVEL__LEVEL_LOW);
        assert_true(all[i]->half == 0.5);
        assert_string_equal(all[i]->greeting, "hello");
        assert_null(all[i]->text);
        assert_int_equal(all[i]->magic.len, 3);
        assert_int_equal(all[i]->blob.len, 0);
    }
}

static void present_members_equal_to_defaults_stay(void **state)
{
    (void)state;
    Legacy__Inner inner = LEGACY__INNER__INIT;
    Legacy__Old value = LEGACY__OLD__INIT;
    value.name = "", value.inner = &inner;
    value.greeting = "hello", value.empty = "", value.has_seven = 5;
    value.has_flag = 1, value.flag = 9;
    assert_status(DOCKET_OK, encode(DOCKET_OF(Legacy__Old), &value));
    Legacy__Old *restored = decode(DOCKET_OF(Legacy__Old), bytes.data, bytes.size);
    assert_true(restored->empty != NULL && restored->empty != legacy__old__descriptor.fields[9].default_value);
    assert_string_equal(restored->greeting, "hello");
    assert_int_equal(restored->flag, 1);
    size_t size = bytes.size;
    assert_status(DOCKET_OK, encode(DOCKET_OF(Legacy__Old), restored));
    assert_int_equal(bytes.size, size);
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Legacy__Old), &value, &arena, &error));
    assert_int_equal(value.has_seven, 1);
    assert_int_equal(value.flag, 1);
}

static void unset_text_reads_empty(void **state)
{
    (void)state;
    Sample__Line line = SAMPLE__LINE__INIT;
    char *tags[] = {NULL};
    line.article = NULL, line.tags = tags, line.n_tags = 1;
    line.base.descriptor = NULL;
    Sample__Line *lines[] = {&line};
    Sample__Plain value = SAMPLE__PLAIN__INIT;
    uint8_t nothing = 0;
    value.customer = NULL, value.lines = lines, value.n_lines = 1;
    value.seal.data = &nothing;
    value.numbers = (uint32_t *)(uintptr_t)&nothing;
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Sample__Plain), &value, &arena, &error));
    assert_string_equal(value.customer, "");
    assert_string_equal(value.lines[0]->article, "");
    assert_string_equal(value.lines[0]->tags[0], "");
    assert_ptr_equal(value.lines[0]->base.descriptor, &sample__line__descriptor);
    assert_null(value.seal.data);
    assert_null(value.numbers);
    assert_null(line.article); /* what a value points to is not written to */
    assert_null(tags[0]);
    assert_ptr_equal(lines[0], &line);
}

static void sealing_copies_only_what_changes(void **state)
{
    (void)state;
    Sample__Line line = SAMPLE__LINE__INIT;
    Sample__Line *lines[] = {&line};
    Sample__Plain value = SAMPLE__PLAIN__INIT;
    line.article = "pen";
    value.lines = lines, value.n_lines = 1;
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Sample__Plain), &value, &arena, &error));
    assert_ptr_equal(value.lines, lines);
    assert_ptr_equal(value.lines[0], &line);
    Sample__Plain *copied = copy(DOCKET_OF(Sample__Plain), &value);
    assert_true(copied->lines != lines && copied->lines[0] != &line && copied->lines[0]->article != line.article);
}

static void repeated_messages_are_merged(void **state)
{
    (void)state;
    static const char twice[] = "\x8a\x01\x02\x08\x05\xc2\x3e\x06\xb0\x02\x01\xb0\x02\x02"
                                "\x8a\x01\x09\x11\0\0\0\0\0\0\xf0\x3f\xc2\x3e\x06\xb0\x02\x03\xb0\x02\x04";
    Sample__Everything *value = decode(DOCKET_OF(Sample__Everything), twice, sizeof twice - 1);
    assert_non_null(value);
    assert_int_equal(value->point->x, 5);
    assert_true(value->point->y == 1.0);
    assert_int_equal(value->self->n_unpacked, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(value->self->unpacked[i], i + 1);
    }
}

/* A tree that leans to the left. */
static Sample__Tree *lean(size_t levels)
{
    Sample__Tree *tree = NULL;
    for (size_t i = 0; i < levels; i++) {
        Sample__Tree *above = docket_arena_alloc(&arena, sizeof *above);
        sample__tree__init(above);
        above->left = tree;
        tree = above;
    }
    return tree;
}

static void recursion_is_bounded(void **state)
{
    (void)state;
    assert_status(DOCKET_OK, encode(DOCKET_OF(Sample__Tree), lean(100)));
    assert_non_null(decode(DOCKET_OF(Sample__Tree), bytes.data, bytes.size));
    assert_non_null(copy(DOCKET_OF(Sample__Tree), lean(100)));
    assert_status(DOCKET_ENCODE, encode(DOCKET_OF(Sample__Tree), lean(101)));
    assert_contains(error.message, "nested deeper than 100 levels");
    assert_null(copy(DOCKET_OF(Sample__Tree), lean(101)));
    assert_status(DOCKET_ENCODE, docket__type_seal(DOCKET_OF(Sample__Tree), lean(101), &arena, &error));
    /* The same bytes within one more level. */
    assert_status(DOCKET_OK, encode(DOCKET_OF(Sample__Tree), lean(100)));
    uint8_t *deep = docket_arena_alloc(&arena, bytes.size + 4);
    deep[0] = 0x12;
    uint8_t *end = docket__varint_put(deep + 1, bytes.size);
    memcpy(end, bytes.data, bytes.size);
    assert_null(decode(DOCKET_OF(Sample__Tree), deep, bytes.size + (size_t)(end - deep)));
    assert_status(DOCKET_CORRUPT, error.status);
    assert_contains(error.message, "nested too deeply");
}

static void memory_is_bounded(void **state)
{
    (void)state;
    /* Trees of nothing take 48 bytes and a pointer for 2 bytes each. */
    static uint8_t children[2 * 100000];
    for (size_t i = 0; i < sizeof children; i += 2) {
        memcpy(children + i, "\x12", 2);
    }
    assert_non_null(decode(DOCKET_OF(Sample__Tree), children, sizeof children));
    /* Messages of more than 1 KB for 5 bytes do not. */
    static uint8_t wide[5 * 10000];
    for (size_t i = 0; i < sizeof wide; i += 5) {
        memcpy(wide + i, "\x0a\x03\xb0\x04\x01", 5);
    }
    Legacy__Wides *some = decode(DOCKET_OF(Legacy__Wides), wide, sizeof wide / 100);
    assert_non_null(some);
    assert_int_equal(some->n_wides, 100);
    assert_int_equal(some->wides[99]->last, 1);
    assert_null(decode(DOCKET_OF(Legacy__Wides), wide, sizeof wide));
    assert_contains(error.message, "more messages than the bytes can account for");
    assert_null(decode(DOCKET_OF(Legacy__Wides), "\x0a\x03\xb8\x04\x01", 5));
    assert_string_equal(error.message, "Legacy__Wides.wides[0].last: the required member is not there");
    /* Points that are merged over and over. */
    static uint8_t merged[3 * 100000];
    for (size_t i = 0; i + 3 <= sizeof merged; i += 3) {
        memcpy(merged + i, "\x8a\x01\0", 3);
    }
    Sample__Everything *value = decode(DOCKET_OF(Sample__Everything), merged, sizeof merged);
    assert_non_null(value);
    /* Lists that grow by one with every merge would take the square of their length. */
    static uint8_t grown[6 * 20000];
    for (size_t i = 0; i + 6 <= sizeof grown; i += 6) {
        memcpy(grown + i, "\xc2\x3e\x03\xb0\x02\x01", 6);
    }
    assert_null(decode(DOCKET_OF(Sample__Everything), grown, sizeof grown));
    assert_status(DOCKET_CORRUPT, error.status);
    assert_contains(error.message, "than the bytes can account for");
}

static void wrong_bytes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
        const char *message;
    } cases[] = {
        {"\x00\x01", 2, "Sample__Point: no field number at byte 0"},
        {"\x08", 1, "Sample__Point.x: no well-formed varint at byte 0"},
        {"\x0a\x01\x01", 3, "Sample__Point.x: wrong wire type at byte 0"},
        {"\x11\x01", 2, "Sample__Point.y: bytes are missing at byte 0"},
        {"\x08\x01\x1b", 3, "Sample__Point: unknown field 3: a group or no wire type at byte 2"},
        {"\x1a\x05\x01", 3, "Sample__Point: unknown field 3: length beyond the end at byte 0"},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, "Sample__Point: no field number at byte 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(decode(DOCKET_OF(Sample__Point), cases[i].data, cases[i].size));
        assert_status(DOCKET_CORRUPT, error.status);
        assert_string_equal(error.message, cases[i].message);
    }
}

/* Other writers' varints may be longer than needed, or longer than the type. */
static void foreign_varints_are_read(void **state)
{
    (void)state;
    Sample__Point *value = decode(DOCKET_OF(Sample__Point), "\x88\x00\x85\x00", 4);
    assert_int_equal(value->x, 5);
    value = decode(DOCKET_OF(Sample__Point), "\x08\xff\xff\xff\xff\x0f", 6);
    assert_int_equal(value->x, -1);
    ASSERT_BYTES(Sample__Point, value, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

DOCKET_STRUCT(Point, (INT32, x), (DOUBLE, y));
DOCKET_STRUCT(Line, (STRING, article), (INT64, cents), (LIST(STRING), tags), (STRUCT(Point), place));
DOCKET_STRUCT(Plain, (STRING, customer), (LIST(STRUCT(Line)), lines), (DOUBLE, weight), (LIST(UINT32), numbers),
              (BYTES, seal));

static void struct_and_message_are_one(void **state)
{
    (void)state;
    uint8_t first[32];
    uint8_t second[32];
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Plain), first, &error));
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Sample__Plain), second, &error));
    assert_memory_equal(first, second, sizeof first);
    const Point place = {.x = -3};
    const Line lines[] = {{.article = "pen", .cents = 250, .tags = (const char *const[]){"a", ""}, .tags_count = 2},
                          {.place = &place}};
    const uint32_t numbers[] = {0, 1, 300};
    const Plain plain = {.customer = "c",
                         .lines = lines,
                         .lines_count = 2,
                         .weight = -0.0,
                         .numbers = numbers,
                         .numbers_count = 3,
                         .seal = {(const uint8_t *)"\0x", 2}};
    assert_status(DOCKET_OK, encode(DOCKET_OF(Plain), &plain));
    const Sample__Plain *message = decode(DOCKET_OF(Sample__Plain), bytes.data, bytes.size);
    assert_non_null(message);
    assert_string_equal(message->lines[0]->article, "pen");
    docket_buffer of_struct = bytes;
    bytes = (docket_buffer){0};
    assert_bytes(DOCKET_OF(Sample__Plain), message, (const char *)of_struct.data, of_struct.size);
    docket__buffer_release(&of_struct);
}

/* Every type of the circle has a fingerprint of its own, and one that does not depend on where it was met. */
static void circles_have_fingerprints(void **state)
{
    (void)state;
    const docket_type *const types[] = {DOCKET_OF(Sample__Expression), DOCKET_OF(Sample__Call),
                                        DOCKET_OF(Sample__Program), DOCKET_OF(Sample__Tree),
                                        DOCKET_OF(Sample__Everything)};
    uint8_t prints[5][32];
    for (size_t i = 0; i < 5; i++) {
        assert_status(DOCKET_OK, docket_type_fingerprint(types[i], prints[i], &error));
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(prints[i], prints[k], 32);
        }
    }
    /* A field that is renamed far down the circle changes all that lead to it. */
    ProtobufCFieldDescriptor fields[3];
    ProtobufCFieldDescriptor forms[2];
    ProtobufCMessageDescriptor call = sample__call__descriptor;
    ProtobufCMessageDescriptor expression = sample__expression__descriptor;
    memcpy(fields, call.fields, sizeof fields);
    memcpy(forms, expression.fields, sizeof forms);
    call.fields = fields, expression.fields = forms;
    forms[1].descriptor = &call, fields[1].descriptor = &expression;
    docket_type type = *DOCKET_OF(Sample__Expression);
    uint8_t print[32];
    type.detail = &expression;
    assert_status(DOCKET_OK, docket_type_fingerprint(&type, print, &error));
    assert_memory_equal(print, prints[0], 32);
    fields[0].name = "renamed";
    assert_status(DOCKET_OK, docket_type_fingerprint(&type, print, &error));
    assert_memory_not_equal(print, prints[0], 32);
}

static void schemas_stand_alone(void **state)
{
    (void)state;
    const docket_type *const types[] = {DOCKET_OF(Sample__Everything), DOCKET_OF(Sample__Program),
                                        DOCKET_OF(Sample__Tree), DOCKET_OF(Legacy__Old), DOCKET_OF(OtherPoint)};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        docket_buffer schema = {0};
        docket_buffer again = {0};
        uint8_t first[32];
        uint8_t second[32];
        const docket_type *rebuilt;
        assert_status(DOCKET_OK, docket__schema_encode(types[i], &schema, &error));
        assert_status(DOCKET_OK, docket__schema_decode(docket_buffer_bytes(&schema), &arena, &rebuilt, &error));
        assert_string_equal(rebuilt->name, types[i]->name);
        assert_int_equal(rebuilt->flags, DOCKET_TYPE_MESSAGE);
        assert_status(DOCKET_OK, docket__schema_encode(rebuilt, &again, &error));
        assert_int_equal(schema.size, again.size);
        assert_memory_equal(schema.data, again.data, again.size);
        assert_status(DOCKET_OK, docket_type_fingerprint(types[i], first, &error));
        assert_status(DOCKET_OK, docket_type_fingerprint(rebuilt, second, &error));
        assert_memory_equal(first, second, 32);
        assert_status(DOCKET_UNSUPPORTED, docket_encode(rebuilt, "", &bytes, &error));
        docket__buffer_release(&schema);
        docket__buffer_release(&again);
    }
}

static void schemas_tell_what_fields_are(void **state)
{
    (void)state;
    docket_buffer schema = {0};
    const docket_type *type;
    assert_status(DOCKET_OK, docket__schema_encode(DOCKET_OF(Sample__Everything), &schema, &error));
    assert_status(DOCKET_OK, docket__schema_decode(docket_buffer_bytes(&schema), &arena, &type, &error));
    docket__buffer_release(&schema);
    static const struct {
        uint32_t number;
        docket_kind kind;
        docket_label label;
    } expected[] = {{3, DOCKET_KIND_SINT32, DOCKET_LABEL_ONE},  {11, DOCKET_KIND_FIXED64, DOCKET_LABEL_ONE},
                    {16, DOCKET_KIND_ENUM, DOCKET_LABEL_ONE},   {17, DOCKET_KIND_STRUCT, DOCKET_LABEL_ONE},
                    {38, DOCKET_KIND_INT32, DOCKET_LABEL_LIST}, {41, DOCKET_KIND_STRING, DOCKET_LABEL_OPTIONAL},
                    {51, DOCKET_KIND_STRUCT, DOCKET_LABEL_MAP}, {1000, DOCKET_KIND_STRUCT, DOCKET_LABEL_ONE}};
    size_t found = 0;
    for (size_t i = 0; i < type->schema->field_count; i++) {
        const docket_field *field = &type->schema->fields[i];
        for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++) {
            if (field->number == expected[k].number) {
                assert_int_equal(field->kind, expected[k].kind);
                assert_int_equal(field->label, expected[k].label);
                found++;
            }
        }
        if (field->number == 1000) {
            assert_ptr_equal(field->type, type);
        }
    }
    assert_int_equal(found, sizeof expected / sizeof expected[0]);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char wide[] = "\x08\x05\x1a\x03"
                               "abc"
                               "\x20\x01";
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        docket_arena *own = docket_arena_new();
        docket_buffer *out = docket_buffer_new();
        Sample__Point value;
        Sample__Point second;
        uint8_t print[32];
        status = own != NULL && out != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
        if (status == DOCKET_OK) {
            status = docket_decode(DOCKET_OF(Sample__Point), (docket_bytes){(const uint8_t *)wide, sizeof wide - 1},
                                   own, &value, &error);
        }
        if (status == DOCKET_OK) {
            status = docket__type_copy(DOCKET_OF(Sample__Point), &value, own, &second, &error);
        }
        if (status == DOCKET_OK) {
            status = docket_encode(DOCKET_OF(Sample__Point), &second, out, &error);
        }
        if (status == DOCKET_OK) {
            status = docket_type_fingerprint(DOCKET_OF(Sample__Everything), print, &error);
        }
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        docket_arena_free(own);
        docket_buffer_free(out);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(types_pass_the_check, stop),
        cmocka_unit_test_teardown(descriptors_are_checked, stop),
        cmocka_unit_test_teardown(maps_have_one_order, stop),
        cmocka_unit_test_teardown(last_entry_of_a_key_counts, stop),
        cmocka_unit_test_teardown(large_maps_are_sorted, stop),
        cmocka_unit_test_teardown(large_maps_of_numbers_are_sorted, stop),
        cmocka_unit_test_teardown(only_a_map_is_sorted, stop),
        cmocka_unit_test_teardown(entries_are_complete, stop),
        cmocka_unit_test_teardown(signs_of_zero_are_kept, stop),
        cmocka_unit_test_teardown(unknown_fields_stay, stop),
        cmocka_unit_test_teardown(unknown_fields_are_ordered_and_checked, stop),
        cmocka_unit_test_teardown(one_of_a_choice_is_there, stop),
        cmocka_unit_test_teardown(text_is_checked, stop),
        cmocka_unit_test_teardown(pointers_are_checked, stop),
        cmocka_unit_test_teardown(required_members_are_demanded, stop),
        cmocka_unit_test_teardown(absent_members_have_their_defaults, stop),
        cmocka_unit_test_teardown(present_members_equal_to_defaults_stay, stop),
        cmocka_unit_test_teardown(unset_text_reads_empty, stop),
        cmocka_unit_test_teardown(sealing_copies_only_what_changes, stop),
        cmocka_unit_test_teardown(repeated_messages_are_merged, stop),
        cmocka_unit_test_teardown(recursion_is_bounded, stop),
        cmocka_unit_test_teardown(memory_is_bounded, stop),
        cmocka_unit_test_teardown(wrong_bytes_are_refused, stop),
        cmocka_unit_test_teardown(foreign_varints_are_read, stop),
        cmocka_unit_test_teardown(struct_and_message_are_one, stop),
        cmocka_unit_test_teardown(circles_have_fingerprints, stop),
        cmocka_unit_test_teardown(schemas_stand_alone, stop),
        cmocka_unit_test_teardown(schemas_tell_what_fields_are, stop),
        cmocka_unit_test_teardown(every_allocation_may_fail, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
