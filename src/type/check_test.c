#include "type/sample_test.h"
#include "type/tree.h"

#include <docket/testing.h>

DOCKET_BLOB(Image);
DOCKET_ALIAS(Target, Point);
typedef struct Client Client;
DOCKET_RESOURCE(Client);

typedef struct Sample {
    int64_t number;
    const void *pointer;
    size_t count;
    bool has;
} Sample;

static docket_field fields[2];
static docket_schema schema;
static docket_type type;

/* A struct type of two members that passes the check, to be spoilt by the test. */
static int make_type(void **state)
{
    (void)state;
    fields[0] = (docket_field){.number = 1, .kind = DOCKET_KIND_INT64, .name = "number"};
    fields[1] = (docket_field){.number = 2,
                               .kind = DOCKET_KIND_STRING,
                               .label = DOCKET_LABEL_LIST,
                               .name = "texts",
                               .offset = offsetof(Sample, pointer),
                               .side_offset = offsetof(Sample, count)};
    schema = (docket_schema){fields, 2};
    type = (docket_type){.abi = DOCKET_TYPE_ABI,
                         .flags = DOCKET_TYPE_STRUCT,
                         .name = "Sample",
                         .size = sizeof(Sample),
                         .alignment = _Alignof(Sample),
                         .schema = &schema};
    return 0;
}

static void assert_refused(const char *message)
{
    docket_error error;
    assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
    assert_status(DOCKET_INVALID, error.status);
    assert_string_equal(error.message, message);
    make_type(NULL);
    assert_status(DOCKET_OK, docket_type_check(&type, &error));
}

static void declared_types_pass(void **state)
{
    (void)state;
    docket_error error;
    assert_status(DOCKET_OK, docket_type_check(DOCKET_OF(Everything), &error));
    assert_status(DOCKET_OK, docket_type_check(DOCKET_OF(Image), &error));
    assert_status(DOCKET_OK, docket_type_check(DOCKET_OF(Target), &error));
    assert_status(DOCKET_OK, docket_type_check(DOCKET_OF(Client), &error));
    assert_status(DOCKET_OK, docket_type_check(&type, NULL));
    schema.field_count = 0;
    assert_status(DOCKET_OK, docket_type_check(&type, NULL));
}

static void descriptor_is_checked(void **state)
{
    (void)state;
    docket_error error;
    assert_status(DOCKET_INVALID, docket_type_check(NULL, &error));
    assert_string_equal(error.message, "a type is missing: its descriptor is NULL");
    type.abi = 7;
    assert_refused("a type's abi must be 1, but is 7");
    type.name = "";
    assert_refused("a type's name must be 1 to 255 bytes of UTF-8 without control characters, but is empty");
    type.flags = DOCKET_TYPE_STRUCT | DOCKET_TYPE_BLOB;
    assert_refused("type Sample: its flags must be one of DOCKET_TYPE_…, or 0");
    type.flags = 32;
    assert_refused("type Sample: its flags must be one of DOCKET_TYPE_…, or 0");
    type.alignment = 3;
    assert_refused("type Sample: its alignment must be a power of two up to 4096");
    type.schema = NULL;
    assert_refused("type Sample: a struct needs its fields");
    schema.fields = NULL;
    assert_refused("type Sample: a struct needs its fields");
    schema.field_count = 1025;
    assert_refused("type Sample: a struct has at most 1024 members");
}

static docket_status encode_nothing(const docket_type *self, const void *value, docket_buffer *out,
                                    docket_error *error)
{
    (void)self;
    (void)value;
    (void)out;
    (void)error;
    return DOCKET_OK;
}

static docket_status decode_nothing(const docket_type *self, docket_bytes bytes, docket_arena *arena, void *value,
                                    docket_error *error)
{
    (void)self;
    (void)bytes;
    (void)arena;
    (void)value;
    (void)error;
    return DOCKET_OK;
}

static void codec_fits_the_flags(void **state)
{
    (void)state;
    type.encode = encode_nothing;
    assert_refused("type Sample: a struct has docket's own codec, so encode and decode must be NULL");
    type.flags = 0;
    assert_refused("type Sample: a hand-written type needs encode and decode");
    type.flags = 0;
    type.encode = encode_nothing;
    type.decode = decode_nothing;
    assert_refused("type Sample: a hand-written type needs a layout, the name of its format");
    type.flags = DOCKET_TYPE_BLOB;
    assert_refused("type Sample: a blob must be laid out like docket_bytes");
    type.flags = DOCKET_TYPE_BLOB;
    type.size = sizeof(docket_bytes);
    type.decode = decode_nothing;
    assert_refused("type Sample: a blob has docket's own codec, so encode and decode must be NULL");
}

static void alias_fits_its_base(void **state)
{
    (void)state;
    type.flags = DOCKET_TYPE_ALIAS;
    assert_refused("type Sample: an alias needs a base");
    type.flags = DOCKET_TYPE_ALIAS;
    type.base = &type;
    assert_refused("type Sample: its aliases lead in a circle");
    type.flags = DOCKET_TYPE_ALIAS;
    type.base = DOCKET_OF(Client);
    assert_refused("type Sample: a resource cannot have an alias");
    type.flags = DOCKET_TYPE_ALIAS;
    type.base = DOCKET_OF(Point);
    assert_refused("type Sample: an alias must have the size and alignment of its base");
    docket_type base = type;
    base.name = "Base";
    schema.field_count = 3000;
    type.flags = DOCKET_TYPE_ALIAS;
    type.base = &base;
    assert_refused("type Base: a struct has at most 1024 members");
}

static void members_are_checked(void **state)
{
    (void)state;
    static const docket_enum no_values = {"Empty", NULL, 1};
    static const docket_enum_value bad_value[] = {{"", 0}};
    static const docket_enum bad_values = {"Bad", bad_value, 1};
    fields[0].number = 0;
    assert_refused(
        "type Sample, member number: its number must be 1 to 536870911 without 19000 to 19999, but is 0");
    fields[0].number = 19500;
    assert_refused(
        "type Sample, member number: its number must be 1 to 536870911 without 19000 to 19999, but is 19500");
    fields[0].number = 2;
    assert_refused("type Sample: members number (2) and texts (2) must have different names and numbers");
    fields[0].name = "texts";
    assert_refused("type Sample: members texts (1) and texts (2) must have different names and numbers");
    fields[1].name = NULL;
    assert_refused(
        "type Sample, member number 2: its name must be 1 to 255 bytes of UTF-8 without control characters, "
        "but is NULL");
    fields[0].kind = DOCKET_KIND_FILE + 1;
    assert_refused("type Sample, member number: its kind is none of DOCKET_KIND_…");
    fields[0].label = 3;
    assert_refused("type Sample, member number: its label is none of DOCKET_LABEL_…");
    fields[0].fixed_size = 8;
    assert_refused(
        "type Sample, member number: fixed_size must be 1 to 16777216 for a FIXED and 0 for other kinds");
    fields[0].kind = DOCKET_KIND_FIXED;
    assert_refused(
        "type Sample, member number: fixed_size must be 1 to 16777216 for a FIXED and 0 for other kinds");
    fields[0].kind = DOCKET_KIND_STRUCT;
    assert_refused("type Sample, member number: a STRUCT needs a nested type, and no other kind has one");
    fields[0].type = DOCKET_OF(Point);
    assert_refused("type Sample, member number: a STRUCT needs a nested type, and no other kind has one");
    fields[0].kind = DOCKET_KIND_ENUM;
    assert_refused("type Sample, member number: an ENUM needs its values, and no other kind has them");
    fields[0].kind = DOCKET_KIND_ENUM;
    fields[0].values = &no_values;
    assert_refused("type Sample, member number: its enum has a count, but no values");
    fields[0].kind = DOCKET_KIND_ENUM;
    fields[0].values = &bad_values;
    assert_refused(
        "type Sample, member number 1: the name of an enum's value must be 1 to 255 bytes of UTF-8 without "
        "control characters, but is empty");
    fields[0].flags = 2;
    assert_refused("type Sample, member number: its flags are reserved");
}

static void members_lie_inside_the_struct(void **state)
{
    (void)state;
    fields[0].offset = sizeof(Sample) - 7;
    assert_refused("type Sample, member number: its offset lies outside the struct");
    fields[0].offset = SIZE_MAX;
    assert_refused("type Sample, member number: its offset lies outside the struct");
    fields[1].side_offset = sizeof(Sample);
    assert_refused("type Sample, member texts: its side_offset lies outside the struct");
    fields[1].side_offset = offsetof(Sample, pointer);
    assert_refused("type Sample, member texts: its side_offset lies inside the member itself");
}

static void only_structs_are_nested(void **state)
{
    (void)state;
    fields[0] = (docket_field){.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "nested", .type = DOCKET_OF(Image)};
    assert_refused("type Sample, member nested: only a struct type can be nested");
    fields[0] =
        (docket_field){.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "nested", .type = DOCKET_OF(Target)};
    assert_status(DOCKET_OK, docket_type_check(&type, NULL));
    fields[0].label = DOCKET_LABEL_OPTIONAL;
    assert_refused("type Sample, member nested: an OPTIONAL cannot hold a STRUCT, which has NULL for that");
}

static void struct_does_not_contain_itself(void **state)
{
    (void)state;
    docket_field inner_field = {.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "outer", .type = &type};
    const docket_schema inner_schema = {&inner_field, 1};
    docket_type inner = type;
    inner.name = "Inner";
    inner.schema = &inner_schema;
    fields[0] = (docket_field){.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "inner", .type = &inner};
    assert_refused("type Inner, member outer: leads back to type Sample, and a struct cannot contain itself");
    fields[0] = (docket_field){.number = 1, .kind = DOCKET_KIND_STRUCT, .name = "self", .type = &type};
    assert_refused("type Sample, member self: leads back to type Sample, and a struct cannot contain itself");
}

enum { LEVELS = 100 };

/* Each type holds the next one twice: 2^99 ways from top to bottom. */
static void many_ways_to_one_type_are_walked_once(void **state)
{
    (void)state;
    static docket_type types[LEVELS + 1];
    static docket_field pairs[LEVELS + 1][2];
    static docket_schema schemas[LEVELS + 1];
    for (size_t i = 0; i <= LEVELS; i++) {
        types[i] = type;
        schemas[i] = (docket_schema){pairs[i], i < LEVELS - 1 ? 2 : 0};
        types[i].schema = &schemas[i];
        for (size_t k = 0; k < 2 && i < LEVELS; k++) {
            pairs[i][k] = (docket_field){.number = (uint32_t)k + 1,
                                         .kind = DOCKET_KIND_STRUCT,
                                         .name = k == 0 ? "left" : "right",
                                         .offset = k * sizeof(void *),
                                         .type = &types[i + 1]};
        }
    }
    docket__type_tree tree = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket__type_tree_build(&tree, &types[0], &error));
    assert_int_equal(tree.count, LEVELS);
    assert_ptr_equal(tree.last->type, &types[0]);
    assert_int_equal(tree.last->height, LEVELS);
    docket__type_tree_release(&tree);
    schemas[LEVELS - 1].field_count = 2;
    assert_status(DOCKET_INVALID, docket_type_check(&types[0], &error));
    assert_string_equal(error.message, "type Sample: nested deeper than 100 levels");
    assert_status(DOCKET_OK, docket_type_check(&types[1], &error));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        docket_error error;
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket_type_check(DOCKET_OF(Everything), &error);
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        assert_status(status, error.status);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(declared_types_pass, make_type),
        cmocka_unit_test_setup(descriptor_is_checked, make_type),
        cmocka_unit_test_setup(codec_fits_the_flags, make_type),
        cmocka_unit_test_setup(alias_fits_its_base, make_type),
        cmocka_unit_test_setup(members_are_checked, make_type),
        cmocka_unit_test_setup(members_lie_inside_the_struct, make_type),
        cmocka_unit_test_setup(only_structs_are_nested, make_type),
        cmocka_unit_test_setup(struct_does_not_contain_itself, make_type),
        cmocka_unit_test_setup(many_ways_to_one_type_are_walked_once, make_type),
        cmocka_unit_test_setup(every_allocation_may_fail, make_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
