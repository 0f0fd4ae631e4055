#include "type/schema.h"

#include "base/buffer.h"
#include "type/sample_test.h"

#include <docket/testing.h>

DOCKET_ALIAS(Renamed, Everything);
DOCKET_BLOB(Image);
typedef struct Client Client;
DOCKET_RESOURCE(Client);
DOCKET_STRUCT(Empty, (INT32, only));
DOCKET_STRUCT(OpenInside, (STRING, word));
DOCKET_STRUCT(OpenLogin, (STRING, card), (STRUCT(OpenInside), inside), (STRING, user));
DOCKET_STRUCT(Inside, (SECRET(STRING), word));
DOCKET_STRUCT(Login, (SECRET(STRING), card), (STRUCT(Inside), inside), (STRING, user));
DOCKET_STRUCT(HalfLogin, (SECRET(STRING), card), (STRUCT(OpenInside), inside), (SECRET(STRING), user));

static docket_arena arena;
static docket_buffer out;

static int release_memory(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    docket__buffer_release(&out);
    return 0;
}

static docket_bytes describe(const docket_type *type)
{
    docket_error error;
    docket__buffer_clear(&out);
    assert_status(DOCKET_OK, docket__schema_encode(type, &out, &error));
    return (docket_bytes){docket__arena_copy(&arena, out.data, out.size), out.size};
}

static const docket_type *rebuild(docket_bytes bytes)
{
    const docket_type *type = NULL;
    docket_error error;
    assert_status(DOCKET_OK, docket__schema_decode(bytes, &arena, &type, &error));
    assert_status(DOCKET_OK, docket_type_check(type, &error));
    return type;
}

static void assert_round_trip(const docket_type *type)
{
    uint8_t fingerprint[32];
    uint8_t rebuilt_fingerprint[32];
    docket_bytes bytes = describe(type);
    const docket_type *rebuilt = rebuild(bytes);
    docket_bytes again = describe(rebuilt);
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    assert_string_equal(rebuilt->name, type->name);
    assert_status(DOCKET_OK, docket_type_fingerprint(type, fingerprint, NULL));
    assert_status(DOCKET_OK, docket_type_fingerprint(rebuilt, rebuilt_fingerprint, NULL));
    assert_memory_equal(fingerprint, rebuilt_fingerprint, 32);
}

static void types_come_back(void **state)
{
    (void)state;
    assert_round_trip(DOCKET_OF(Point));
    assert_round_trip(DOCKET_OF(Everything));
    assert_round_trip(DOCKET_OF(Renamed));
    assert_round_trip(DOCKET_OF(Image));
}

/* What protoc 3.21 --encode=Schema makes of the message in schema.c:
 * format: 1 types { name: "Point" form: 1 fields { number: 1 kind: 2 name: "x" } fields { number: 2 kind: 2 name: "y" } } */
static void description_is_stable(void **state)
{
    (void)state;
    docket_bytes bytes = describe(DOCKET_OF(Point));
    docket_bytes expected = hex_bytes(&arena, "0801 12 1b 0a 05 506f696e74 10 01 1a 07 0801 1002 22 01 78"
                                              "1a 07 0802 1002 22 01 79");
    assert_int_equal(bytes.size, expected.size);
    assert_memory_equal(bytes.data, expected.data, expected.size);
}

static const docket_field *find_field(const docket_type *type, const char *name)
{
    for (size_t i = 0; i < type->schema->field_count; i++) {
        if (strcmp(type->schema->fields[i].name, name) == 0) {
            return &type->schema->fields[i];
        }
    }
    fail_msg("no member %s", name);
    return NULL;
}

static void names_of_members_and_enums_are_there(void **state)
{
    (void)state;
    const docket_type *type = rebuild(describe(DOCKET_OF(Everything)));
    const docket_enum *grade = find_field(type, "ograde")->values;
    assert_string_equal(grade->name, "Grade");
    assert_int_equal(grade->value_count, 3);
    assert_string_equal(grade->values[0].name, "GRADE_BAD");
    assert_int_equal(grade->values[0].number, -1);
    assert_string_equal(find_field(type, "lines")->type->name, "Line");
    assert_int_equal(find_field(type, "ofixed")->fixed_size, 3);
    assert_int_equal(find_field(type, "lfixed")->label, DOCKET_LABEL_LIST);
}

/* A value can be read without the program that wrote it. */
static void rebuilt_type_reads_and_writes_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const docket_type *type = rebuild(describe(DOCKET_OF(Everything)));
        Everything value = sample_everything(seed, &arena, 0);
        docket__buffer_clear(&out);
        assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &out, NULL));
        docket_buffer again = {0};
        void *shown = docket__arena_allocate(&arena, type->size, type->alignment);
        docket_error error;
        assert_status(DOCKET_OK, docket_decode(type, docket_buffer_bytes(&out), &arena, shown, &error));
        assert_status(DOCKET_OK, docket_encode(type, shown, &again, &error));
        assert_int_equal(again.size, out.size);
        assert_memory_equal(again.data, out.data, out.size);
        const docket_field *text = find_field(type, "text");
        const char *shown_text = docket__pointer_load((const uint8_t *)shown + text->offset);
        assert_string_equal(shown_text, value.text != NULL ? value.text : "");
        docket__buffer_release(&again);
        release_memory(NULL);
    }
}

static void layout_is_what_a_compiler_would_choose(void **state)
{
    (void)state;
    const docket_type *type = rebuild(describe(DOCKET_OF(Line)));
    assert_int_equal(type->size, sizeof(Line));
    assert_int_equal(type->alignment, _Alignof(Line));
    for (size_t i = 0; i < type->schema->field_count; i++) {
        assert_int_equal(type->schema->fields[i].offset, DOCKET_OF(Line)->schema->fields[i].offset);
        assert_int_equal(type->schema->fields[i].side_offset, DOCKET_OF(Line)->schema->fields[i].side_offset);
    }
}

static docket_status encode_nothing(const docket_type *self, const void *value, docket_buffer *to,
                                    docket_error *error)
{
    (void)self;
    (void)value;
    (void)to;
    (void)error;
    return DOCKET_OK;
}

static docket_status decode_nothing(const docket_type *self, docket_bytes bytes, docket_arena *to, void *value,
                                    docket_error *error)
{
    (void)self;
    (void)bytes;
    (void)to;
    (void)value;
    (void)error;
    return DOCKET_OK;
}

static void hand_written_type_comes_back_without_codec(void **state)
{
    (void)state;
    const docket_type picture = {.abi = DOCKET_TYPE_ABI,
                                 .name = "Picture",
                                 .size = 8,
                                 .layout = "png",
                                 .encode = encode_nothing,
                                 .decode = decode_nothing};
    docket_error error;
    assert_round_trip(&picture);
    const docket_type *type = rebuild(describe(&picture));
    assert_string_equal(type->layout, "png");
    assert_status(DOCKET_UNSUPPORTED, docket_decode(type, (docket_bytes){0}, &arena, &(int){0}, &error));
    assert_contains(error.message, "type Picture has a codec of its own");
    assert_status(DOCKET_UNSUPPORTED, docket_encode(type, &(int){0}, &out, &error));
}

static void secret_mark_is_kept(void **state)
{
    (void)state;
    docket_field field = {
        .number = 1, .kind = DOCKET_KIND_STRING, .name = "password", .flags = DOCKET_FIELD_SECRET};
    const docket_schema schema = {&field, 1};
    const docket_type type = {.abi = DOCKET_TYPE_ABI,
                              .flags = DOCKET_TYPE_STRUCT,
                              .name = "Login",
                              .size = sizeof(char *),
                              .alignment = _Alignof(char *),
                              .schema = &schema};
    assert_round_trip(&type);
    assert_int_equal(rebuild(describe(&type))->schema->fields[0].flags, DOCKET_FIELD_SECRET);
}

static void later_descriptions_supersede_unless_they_reveal(void **state)
{
    (void)state;
    docket_bytes open = describe(DOCKET_OF(OpenLogin));
    docket_bytes secret = describe(DOCKET_OF(Login));
    docket_bytes half = describe(DOCKET_OF(HalfLogin));
    const docket_bytes damaged = {(const uint8_t *)"\x08\x01\xff", 3};
    const docket_bytes newer = {(const uint8_t *)"\x08\x02", 2};
    assert_true(docket__schema_supersedes(open, secret));
    assert_true(docket__schema_supersedes(open, half));
    assert_false(docket__schema_supersedes(open, open));
    assert_false(docket__schema_supersedes(secret, open));
    assert_false(docket__schema_supersedes(secret, half));
    assert_false(docket__schema_supersedes(half, secret));
    assert_false(docket__schema_supersedes(secret, describe(DOCKET_OF(Empty))));
    assert_true(docket__schema_supersedes(damaged, open));
    assert_false(docket__schema_supersedes(open, damaged));
    assert_false(docket__schema_supersedes(newer, open));
    assert_true(docket__schema_supersedes((docket_bytes){NULL, 0}, open));
    assert_false(docket__schema_supersedes((docket_bytes){NULL, 0}, (docket_bytes){NULL, 0}));
}

static void resource_and_wrong_types_have_no_schema(void **state)
{
    (void)state;
    docket_error error;
    docket_type wrong = *DOCKET_OF(Empty);
    wrong.abi = 99;
    assert_status(DOCKET_INVALID, docket__schema_encode(DOCKET_OF(Client), &out, &error));
    assert_string_equal(error.message, "type Client is a resource, which has no schema");
    assert_status(DOCKET_INVALID, docket__schema_encode(&wrong, &out, &error));
}

static void assert_refused(docket_status expected, const char *digits, const char *message)
{
    const docket_type *type = DOCKET_OF(Point);
    docket_error error;
    assert_status(expected, docket__schema_decode(hex_bytes(&arena, digits), &arena, &type, &error));
    assert_status(expected, error.status);
    assert_string_equal(error.message, message);
    assert_null(type);
}

static void other_formats_are_not_read(void **state)
{
    (void)state;
    assert_refused(DOCKET_CORRUPT, "", "schema: it does not begin with its format");
    assert_refused(DOCKET_CORRUPT, "08", "schema: it does not begin with its format");
    assert_refused(DOCKET_CORRUPT, "0800", "schema: it does not begin with its format");
    assert_refused(DOCKET_CORRUPT, "1200", "schema: it does not begin with its format");
    assert_refused(DOCKET_SCHEMA_NEWER, "0802 aa", "schema: format 2 is newer than this library's 1");
}

static void damaged_schemas_are_refused(void **state)
{
    (void)state;
    assert_refused(DOCKET_CORRUPT, "0801", "schema, type 0: there is none");
    assert_refused(DOCKET_CORRUPT, "0801 18 01", "schema_record: unknown field number 3 at byte 2");
    assert_refused(
        DOCKET_CORRUPT, "0801 12 02 10 01",
        "schema: a type's name must be 1 to 255 bytes of UTF-8 without control characters, but is empty");
    assert_refused(DOCKET_CORRUPT, "0801 12 05 0a 01 41 10 04", "schema, type 0: unknown form");
    assert_refused(DOCKET_CORRUPT, "0801 12 08 0a 01 41 10 02 22 01 61", "schema, type 0: a blob has no layout");
    assert_refused(DOCKET_CORRUPT, "0801 12 08 0a 01 41 10 01 22 01 61",
                   "schema, type 0: only structs and messages have members, and only a hand-written type a layout");
    assert_refused(DOCKET_CORRUPT, "0801 12 0d 0a 01 41 10 01 1a 06 0801 10 0f 22 00",
                   "schema, type 0: unknown kind or label");
    assert_refused(DOCKET_CORRUPT, "0801 12 10 0a 01 41 10 01 1a 09 0801 10 0d 22 01 61 30 01",
                   "schema, type 0: the type of a member is not an earlier one");
    assert_refused(DOCKET_CORRUPT, "0801 12 13 0a 01 41 10 01 1a 0c 0801 10 0b 22 01 61 28 81808008",
                   "schema, type 0: a FIXED is too large");
    assert_refused(DOCKET_CORRUPT, "0801 12 0e 0a 01 41 10 01 1a 07 0801 10 0b 22 01 61",
                   "schema: type A, member a: fixed_size must be 1 to 16777216 for a FIXED and 0 for other kinds");
    assert_refused(DOCKET_CORRUPT, "0801 12 05 0a 01 41 10 01 12 05 0a 01 42 10 01",
                   "schema, type 2: a type that is nested nowhere");
}

static void mutate(uint64_t *seed, uint8_t *bytes, size_t *size)
{
    for (size_t changes = sample_next(seed) % 3; changes < 3; changes++) {
        size_t at = sample_next(seed) % *size;
        uint64_t choice = sample_next(seed);
        if (choice % 8 == 0) {
            *size = at + 1;
        } else if (choice % 2 == 0) {
            bytes[at] ^= (uint8_t)(1u << (choice >> 8) % 8);
        } else {
            bytes[at] = (uint8_t)(choice >> 8);
        }
    }
}

/* DOCKET_TEST_SEED repeats a run. */
static void random_damage_is_refused_or_read(void **state)
{
    (void)state;
    const char *given = getenv("DOCKET_TEST_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 20240229;
    print_message("30000 mutations, seed %llu\n", (unsigned long long)first);
    uint64_t seed = first * UINT64_C(0x9e3779b97f4a7c15) + 1;
    docket_bytes original = describe(DOCKET_OF(Everything));
    uint8_t *bytes = malloc(original.size);
    for (int round = 0; round < 30000; round++) {
        docket_arena memory = {0};
        size_t size = original.size;
        const docket_type *type = NULL;
        docket_error error;
        memcpy(bytes, original.data, size);
        mutate(&seed, bytes, &size);
        docket_status status = docket__schema_decode((docket_bytes){bytes, size}, &memory, &type, &error);
        if (status == DOCKET_OK) {
            uint8_t fingerprint[32];
            docket__buffer_clear(&out);
            assert_status(DOCKET_OK, docket_type_fingerprint(type, fingerprint, &error));
            assert_status(DOCKET_OK, docket__schema_encode(type, &out, &error));
        } else {
            assert_true(status == DOCKET_CORRUPT || status == DOCKET_SCHEMA_NEWER);
            assert_null(type);
        }
        docket__arena_release(&memory);
    }
    free(bytes);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    docket_bytes bytes = describe(DOCKET_OF(Everything));
    docket__buffer_release(&out);
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        const docket_type *type = NULL;
        docket_error error;
        docket_arena memory = {0};
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket__schema_decode(bytes, &memory, &type, &error);
        if (status == DOCKET_OK) {
            status = docket__schema_encode(type, &out, &error);
        }
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        assert_status(status, error.status);
        docket__arena_release(&memory);
        docket__buffer_release(&out);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(types_come_back, release_memory),
        cmocka_unit_test_teardown(description_is_stable, release_memory),
        cmocka_unit_test_teardown(names_of_members_and_enums_are_there, release_memory),
        cmocka_unit_test_teardown(rebuilt_type_reads_and_writes_the_same_bytes, release_memory),
        cmocka_unit_test_teardown(layout_is_what_a_compiler_would_choose, release_memory),
        cmocka_unit_test_teardown(hand_written_type_comes_back_without_codec, release_memory),
        cmocka_unit_test_teardown(secret_mark_is_kept, release_memory),
        cmocka_unit_test_teardown(later_descriptions_supersede_unless_they_reveal, release_memory),
        cmocka_unit_test_teardown(resource_and_wrong_types_have_no_schema, release_memory),
        cmocka_unit_test_teardown(other_formats_are_not_read, release_memory),
        cmocka_unit_test_teardown(damaged_schemas_are_refused, release_memory),
        cmocka_unit_test_teardown(random_damage_is_refused_or_read, release_memory),
        cmocka_unit_test_teardown(every_allocation_may_fail, release_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
