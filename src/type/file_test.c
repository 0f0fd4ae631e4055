#include "type/file.h"

#include "base/buffer.h"
#include "type/sample_test.h"
#include "type/schema.h"

#include <docket/json.h>
#include <docket/testing.h>

#include <stdio.h>

DOCKET_STRUCT(Model, (INT64, steps), (FILE, weights), (OPTIONAL(FILE), notes), (LIST(FILE), parts));
DOCKET_STRUCT(Shelf, (STRING, name), (STRUCT(Model), first), (LIST(STRUCT(Model)), models));
DOCKET_ALIAS(Rack, Shelf);
/* The same members as messages: what FILE must be on the wire. */
DOCKET_STRUCT(PlainFile, (STRING, path), (UINT64, size), (FIXED(32), sha256));
DOCKET_STRUCT(PlainModel, (INT64, steps), (STRUCT(PlainFile), weights), (STRUCT(PlainFile), notes),
              (LIST(STRUCT(PlainFile)), parts));
/* What the key keeps of it. */
DOCKET_STRUCT_NUMBERED(KeyFile, (2, UINT64, size), (3, FIXED(32), sha256));
DOCKET_STRUCT(KeyModel, (INT64, steps), (STRUCT(KeyFile), weights), (STRUCT(KeyFile), notes),
              (LIST(STRUCT(KeyFile)), parts));

static docket_arena arena;

static int release_arena(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    return 0;
}

static docket_file some_file(const char *path, uint64_t size)
{
    docket_file file = {.path = path, .size = size};
    memset(file.sha256, (int)(size % 250) + 1, sizeof file.sha256);
    return file;
}

static PlainFile plain(docket_file file)
{
    PlainFile same = {.path = file.path, .size = file.size};
    memcpy(same.sha256, file.sha256, sizeof same.sha256);
    return same;
}

static KeyFile key_of(docket_file file)
{
    KeyFile same = {.size = file.size};
    memcpy(same.sha256, file.sha256, sizeof same.sha256);
    return same;
}

typedef docket_status encode_fn(const docket_type *type, const void *value, docket_buffer *out,
                                docket_error *error);

static docket_bytes bytes_of(encode_fn *encode, const docket_type *type, const void *value)
{
    docket_buffer out = {0};
    docket_error error;
    assert_status(DOCKET_OK, encode(type, value, &out, &error));
    docket_bytes bytes = docket_buffer_bytes(&out);
    bytes.data = docket__arena_copy(&arena, bytes.data, bytes.size);
    docket__buffer_release(&out);
    return bytes;
}

static void assert_same_bytes(docket_bytes one, docket_bytes other)
{
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
}

static void file_is_a_message_on_the_wire(void **state)
{
    (void)state;
    const docket_file parts[] = {some_file("/a/b", 1), some_file("c", 0), some_file("é", UINT64_MAX)};
    const Model model = {.steps = 3,
                         .weights = some_file("weights.bin", 1 << 20),
                         .notes = some_file("n", 9),
                         .has_notes = true,
                         .parts = parts,
                         .parts_count = 3};
    const PlainFile weights = plain(model.weights), notes = plain(model.notes);
    const PlainFile plain_parts[] = {plain(parts[0]), plain(parts[1]), plain(parts[2])};
    const PlainModel same = {
        .steps = 3, .weights = &weights, .notes = &notes, .parts = plain_parts, .parts_count = 3};
    assert_same_bytes(bytes_of(docket_encode, DOCKET_OF(Model), &model),
                      bytes_of(docket_encode, DOCKET_OF(PlainModel), &same));
    const KeyFile key_weights = key_of(model.weights), key_notes = key_of(model.notes);
    const KeyFile key_parts[] = {key_of(parts[0]), key_of(parts[1]), key_of(parts[2])};
    const KeyModel key = {
        .steps = 3, .weights = &key_weights, .notes = &key_notes, .parts = key_parts, .parts_count = 3};
    assert_same_bytes(bytes_of(docket__type_encode_key, DOCKET_OF(Model), &model),
                      bytes_of(docket_encode, DOCKET_OF(KeyModel), &key));
    assert_int_equal(bytes_of(docket_encode, DOCKET_OF(Model), &(Model){0}).size, 0);
}

static Shelf sample_shelf(const char *prefix)
{
    Model *models = docket__arena_allocate_array(&arena, 3, sizeof *models, _Alignof(Model));
    docket_file *parts = docket__arena_allocate_array(&arena, 2, sizeof *parts, _Alignof(docket_file));
    parts[0] = some_file(docket__arena_printf(&arena, "%s/0", prefix), 10);
    parts[1] = some_file(docket__arena_printf(&arena, "%s/1", prefix), 300);
    models[0].weights = some_file(docket__arena_printf(&arena, "%s/w", prefix), 5);
    models[1] = (Model){.parts = parts, .parts_count = 2};
    models[2] = (Model){.notes = some_file(docket__arena_printf(&arena, "%s/n", prefix), 6), .has_notes = true};
    return (Shelf){.name = "shelf", .first = &models[2], .models = models, .models_count = 3};
}

static void path_never_counts_in_a_key(void **state)
{
    (void)state;
    Shelf one = sample_shelf("one"), other = sample_shelf("another/place");
    docket_bytes stored = bytes_of(docket_encode, DOCKET_OF(Shelf), &one);
    docket_bytes key = bytes_of(docket__type_encode_key, DOCKET_OF(Shelf), &one);
    assert_true(key.size < stored.size);
    assert_same_bytes(key, bytes_of(docket__type_encode_key, DOCKET_OF(Shelf), &other));
    assert_same_bytes(key, bytes_of(docket__type_encode_key, DOCKET_OF(Rack), &other));
    ((docket_file *)(uintptr_t)other.models[1].parts)->sha256[31]++;
    docket_bytes changed = bytes_of(docket__type_encode_key, DOCKET_OF(Shelf), &other);
    assert_int_equal(changed.size, key.size);
    assert_memory_not_equal(changed.data, key.data, key.size);
}

static void types_without_files_have_one_form(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        Everything value = sample_everything(seed, &arena, 0xff);
        assert_same_bytes(bytes_of(docket__type_encode_key, DOCKET_OF(Everything), &value),
                          bytes_of(docket_encode, DOCKET_OF(Everything), &value));
    }
}

static void assert_same_file(docket_file one, docket_file other)
{
    assert_string_equal(one.path, other.path);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.sha256, other.sha256, sizeof one.sha256);
}

static void assert_same_model(const Model *one, const Model *other)
{
    assert_same_file(one->weights, other->weights);
    assert_int_equal(one->has_notes, other->has_notes);
    if (one->has_notes) {
        assert_same_file(one->notes, other->notes);
    }
    assert_int_equal(one->parts_count, other->parts_count);
    for (size_t i = 0; i < one->parts_count; i++) {
        assert_same_file(one->parts[i], other->parts[i]);
    }
}

static void restored_sealed_and_copied_are_alike(void **state)
{
    (void)state;
    Shelf shelf = sample_shelf("one"), restored = {0}, copied = {0};
    docket_bytes bytes = bytes_of(docket_encode, DOCKET_OF(Shelf), &shelf);
    assert_true(docket__type_needs_seal(DOCKET_OF(Model)));
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Shelf), bytes, &arena, &restored, NULL));
    assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Shelf), &shelf, &arena, &copied, NULL));
    assert_ptr_not_equal(copied.models[0].weights.path, shelf.models[0].weights.path);
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Shelf), &shelf, &arena, NULL));
    assert_same_bytes(bytes, bytes_of(docket_encode, DOCKET_OF(Shelf), &restored));
    assert_string_equal(restored.models[1].weights.path, "");
    assert_null(restored.models[0].notes.path);
    for (size_t i = 0; i < 3; i++) {
        assert_same_model(&shelf.models[i], &restored.models[i]);
        assert_same_model(&shelf.models[i], &copied.models[i]);
    }
}

static void assert_not_described(docket_file weights, docket_file part, const char *message)
{
    Model model = {.weights = weights, .parts = &part, .parts_count = 1};
    docket_buffer out = {0};
    docket_error error;
    assert_status(DOCKET_ENCODE, docket_encode(DOCKET_OF(Model), &model, &out, &error));
    assert_string_equal(error.message, message);
    assert_status(DOCKET_ENCODE, docket__type_encode_key(DOCKET_OF(Model), &model, &out, &error));
    assert_status(DOCKET_ENCODE, docket__type_seal(DOCKET_OF(Model), &model, &arena, &error));
    assert_string_equal(error.message, message);
    docket__buffer_release(&out);
}

static void file_must_be_described(void **state)
{
    (void)state;
    const docket_file good = some_file("x", 1);
    docket_file nameless = good;
    nameless.path = "";
    assert_not_described((docket_file){.path = "x"}, good,
                         "Model.weights: the file has no path or no digest: fill it with docket_file_describe");
    assert_not_described(good, (docket_file){.path = "x", .size = 1},
                         "Model.parts[0]: the file has no path or no digest: fill it with docket_file_describe");
    assert_not_described(nameless, good,
                         "Model.weights: the file has no path or no digest: fill it with docket_file_describe");
    docket_file garbled = good;
    garbled.path = "\xff";
    Model model = {.weights = garbled};
    docket_error error;
    docket_buffer out = {0};
    assert_status(DOCKET_ENCODE, docket_encode(DOCKET_OF(Model), &model, &out, &error));
    assert_string_equal(error.message, "Model.weights.path: the text is not valid UTF-8");
    docket__buffer_release(&out);
}

static void assert_corrupt(const char *digits, const char *message)
{
    Model value = {0};
    docket_error error;
    assert_status(DOCKET_CORRUPT,
                  docket_decode(DOCKET_OF(Model), hex_bytes(&arena, digits), &arena, &value, &error));
    assert_string_equal(error.message, message);
    assert_null(value.weights.path);
}

#define DIGEST "0101010101010101010101010101010101010101010101010101010101010101"

static void hostile_bytes_are_refused(void **state)
{
    (void)state;
    assert_corrupt("12 03 0a0178", "Model.weights: a file without path or digest at byte 0");
    assert_corrupt("22 24 1001 1a20" DIGEST, "Model.parts[0]: a file without path or digest at byte 0");
    assert_corrupt("22 00 22 03 0a0178", "Model.parts[1]: a file without path or digest at byte 2");
    assert_corrupt("12 05 0a01ff 1001", "Model.weights.path: text that is not UTF-8 without NUL at byte 2");
    assert_corrupt("12 03 1a0101", "Model.weights.sha256: another length than the fixed one at byte 2");
    assert_corrupt("12 02 2001", "Model.weights: unknown field number 4 at byte 2");
    assert_corrupt("12 09 0a", "Model.weights: length beyond the end at byte 0");
    assert_corrupt("10 01", "Model.weights: wrong wire type at byte 0");
    Model twice = {0};
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Model), hex_bytes(&arena, "12 25 0a0178 1a20" DIGEST "12 00"),
                                           &arena, &twice, NULL));
    assert_string_equal(twice.weights.path, "");
    assert_int_equal(twice.weights.sha256[0], 0);
}

static bool note(void *arg, const docket_file *file)
{
    char *seen = arg;
    size_t used = strlen(seen);
    snprintf(seen + used, 200 - used, "%s ", file->path);
    return strstr(seen, "stop") == NULL;
}

static void every_file_is_visited(void **state)
{
    (void)state;
    char seen[200] = "";
    const Shelf shelf = sample_shelf("s");
    assert_true(docket__type_visit_files(DOCKET_OF(Rack), &shelf, note, seen));
    assert_string_equal(seen, "s/n s/w s/0 s/1 s/n ");
    const Model model = {.weights = some_file("a", 1),
                         .notes = some_file("no", 1),
                         .parts = (docket_file[]){some_file("stop", 1), some_file("b", 1)},
                         .parts_count = 2};
    seen[0] = '\0';
    assert_false(docket__type_visit_files(DOCKET_OF(Model), &model, note, seen));
    assert_string_equal(seen, "a stop ");
}

static void types_with_files_are_known(void **state)
{
    (void)state;
    static const struct {
        const docket_type *type;
        bool has;
    } cases[] = {{DOCKET_OF(Model), true}, {DOCKET_OF(Shelf), true},       {DOCKET_OF(Rack), true},
                 {DOCKET_OF(Line), false}, {DOCKET_OF(Everything), false}, {DOCKET_OF(PlainModel), false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found = !cases[i].has;
        assert_status(DOCKET_OK, docket__type_find_files(cases[i].type, &found, NULL));
        assert_int_equal(found, cases[i].has);
    }
}

static void schema_and_fingerprint_know_the_kind(void **state)
{
    (void)state;
    docket_buffer schema = {0};
    docket_error error;
    const docket_type *rebuilt = NULL;
    uint8_t one[32], other[32];
    assert_status(DOCKET_OK, docket__schema_encode(DOCKET_OF(Shelf), &schema, &error));
    assert_status(DOCKET_OK, docket__schema_decode(docket_buffer_bytes(&schema), &arena, &rebuilt, &error));
    assert_status(DOCKET_OK, docket_type_fingerprint(rebuilt, one, &error));
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Shelf), other, &error));
    assert_memory_equal(one, other, 32);
    const Shelf shelf = sample_shelf("s");
    docket_bytes bytes = bytes_of(docket_encode, DOCKET_OF(Shelf), &shelf);
    void *value = docket__arena_allocate(&arena, rebuilt->size, rebuilt->alignment);
    assert_status(DOCKET_OK, docket_decode(rebuilt, bytes, &arena, value, &error));
    assert_same_bytes(bytes, bytes_of(docket_encode, rebuilt, value));
    docket__buffer_release(&schema);
}

static void file_is_an_object_in_json(void **state)
{
    (void)state;
    const docket_file part = some_file("p", 0);
    const Model model = {.weights = some_file("a b", 5000000000), .parts = &part, .parts_count = 1};
    docket_buffer out = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket_json_write(DOCKET_OF(Model), &model, NULL, &out, &error));
    assert_status(DOCKET_OK, docket_buffer_append(&out, "", 1));
    assert_string_equal(
        (const char *)out.data,
        "{\"weights\":{\"path\":\"a b\",\"size\":\"5000000000\","
        "\"sha256\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"},"
        "\"parts\":[{\"path\":\"p\",\"sha256\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}]}");
    Model back = {0};
    docket_status status =
        docket_json_read(DOCKET_OF(Model), (const char *)out.data, out.size - 1, NULL, &arena, &back, &error);
    if (status != DOCKET_UNSUPPORTED) {
        assert_status(DOCKET_OK, status);
        assert_same_model(&model, &back);
        static const char bad[] = "{\"parts\":[{\"path\":\"p\"}]}";
        assert_status(DOCKET_INVALID,
                      docket_json_read(DOCKET_OF(Model), bad, sizeof bad - 1, NULL, &arena, &(Model){0}, &error));
        assert_contains(error.message, "Model.parts[0]");
        assert_contains(error.message, "a file without path or digest");
    }
    docket__buffer_release(&out);
    const Model unset = {0};
    const docket_json_options all = {DOCKET_JSON_OPTIONS_INIT, .all_members = true};
    assert_status(DOCKET_OK, docket_json_write(DOCKET_OF(Model), &unset, &all, &out, &error));
    assert_status(DOCKET_OK, docket_buffer_append(&out, "", 1));
    assert_string_equal((const char *)out.data, "{\"steps\":\"0\",\"weights\":null,\"notes\":null,\"parts\":[]}");
    docket__buffer_release(&out);
}

/* A file is a level of its own: what can be encoded can be decoded. */
static void file_counts_as_a_level(void **state)
{
    (void)state;
    enum { LEVELS = 100 };
    static docket_type types[LEVELS];
    static docket_field fields[LEVELS];
    static docket_schema schemas[LEVELS];
    for (size_t i = 0; i < LEVELS; i++) {
        bool last = i == LEVELS - 1;
        fields[i] = (docket_field){.number = 1,
                                   .kind = last ? DOCKET_KIND_FILE : DOCKET_KIND_STRUCT,
                                   .name = "m",
                                   .type = last ? NULL : &types[i + 1]};
        schemas[i] = (docket_schema){&fields[i], 1};
        types[i] = (docket_type){.abi = DOCKET_TYPE_ABI,
                                 .flags = DOCKET_TYPE_STRUCT,
                                 .name = "Level",
                                 .size = sizeof(docket_file),
                                 .alignment = _Alignof(docket_file),
                                 .schema = &schemas[i]};
    }
    docket_error error;
    assert_status(DOCKET_INVALID, docket_type_check(&types[0], &error));
    assert_string_equal(error.message, "type Level: nested deeper than 100 levels");
    assert_status(DOCKET_OK, docket_type_check(&types[1], &error));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const Shelf shelf = sample_shelf("some");
    docket_bytes bytes = bytes_of(docket_encode, DOCKET_OF(Shelf), &shelf);
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        Shelf value = {0};
        docket_arena own = {0};
        docket_buffer out = {0};
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket_decode(DOCKET_OF(Shelf), bytes, &own, &value, NULL);
        if (status == DOCKET_OK) {
            status = docket__type_encode_key(DOCKET_OF(Shelf), &value, &out, NULL);
        }
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        docket__buffer_release(&out);
        docket__arena_release(&own);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

#define TEST(test) cmocka_unit_test_teardown(test, release_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_is_a_message_on_the_wire),
        TEST(path_never_counts_in_a_key),
        TEST(types_without_files_have_one_form),
        TEST(restored_sealed_and_copied_are_alike),
        TEST(file_must_be_described),
        TEST(hostile_bytes_are_refused),
        TEST(every_file_is_visited),
        TEST(types_with_files_are_known),
        TEST(schema_and_fingerprint_know_the_kind),
        TEST(file_is_an_object_in_json),
        TEST(file_counts_as_a_level),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
