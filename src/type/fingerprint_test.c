#include "base/hash.h"
#include "type/sample_test.h"

#include <docket/testing.h>

DOCKET_STRUCT(Shipment, (STRING, customer), (LIST(STRUCT(Point)), path), (OPTIONAL(ENUM(Grade)), grade),
              (FIXED(16), id));
DOCKET_ALIAS(Delivery, Shipment);
DOCKET_BLOB(Image);
DOCKET_ALIAS(Thumbnail, Image);
typedef struct Client Client;
DOCKET_RESOURCE(Client);

static void assert_fingerprint(const docket_type *type, const char *expected)
{
    uint8_t fingerprint[32];
    char digits[65];
    docket_error error;
    assert_status(DOCKET_OK, docket_type_fingerprint(type, fingerprint, &error));
    docket__hex(fingerprint, sizeof fingerprint, digits);
    assert_string_equal(digits, expected);
}

/* Stored rows carry these: they must never change. Made without docket:
 *
 *   python3 -c 'from hashlib import sha256 as h; from struct import pack as p
 *   s = lambda b: p("<I", len(b)) + b
 *   f = lambda n, k, l, name, more=b"": p("<IBB", n, k, l) + s(name) + more
 *   t = lambda *f: h(b"docket type 1S" + p("<I", len(f)) + b"".join(f))
 *   print(t(f(1, 8, 0, b"customer"), f(2, 13, 2, b"path", t(f(1, 2, 0, b"x"), f(2, 2, 0, b"y")).digest()),
 *           f(3, 12, 1, b"grade"), f(4, 11, 0, b"id", p("<Q", 16))).hexdigest())
 *   print(h(b"docket type 1B").hexdigest(), h(b"docket type 1H" + s(b"png, version 2")).hexdigest())' */
static void known_types_have_their_known_fingerprints(void **state)
{
    (void)state;
    assert_fingerprint(DOCKET_OF(Shipment), "708ae95b79e02b1bd5734ed7f471e44a7b029c1caed358f0c9c26ecaa04c9dbd");
    assert_fingerprint(DOCKET_OF(Delivery), "708ae95b79e02b1bd5734ed7f471e44a7b029c1caed358f0c9c26ecaa04c9dbd");
    assert_fingerprint(DOCKET_OF(Image), "9455015044f142657a55f45108a2fbd3730102005d5f716198b440dc4385a986");
    assert_fingerprint(DOCKET_OF(Thumbnail), "9455015044f142657a55f45108a2fbd3730102005d5f716198b440dc4385a986");
    assert_fingerprint(DOCKET_OF(Client), "0000000000000000000000000000000000000000000000000000000000000000");
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

static void layout_of_a_hand_written_type_is_its_fingerprint(void **state)
{
    (void)state;
    const docket_type picture = {.abi = DOCKET_TYPE_ABI,
                                 .name = "Picture",
                                 .layout = "png, version 2",
                                 .encode = encode_nothing,
                                 .decode = decode_nothing};
    assert_fingerprint(&picture, "5219f6c45e4de3165df3b6eae326897efae53625c8335deefacbde491a065acc");
}

static docket_field fields[2];
static docket_schema schema;
static docket_type type;

static int make_type(void **state)
{
    (void)state;
    fields[0] = (docket_field){.number = 1, .kind = DOCKET_KIND_INT64, .name = "a"};
    fields[1] = (docket_field){.number = 2,
                               .kind = DOCKET_KIND_STRUCT,
                               .name = "b",
                               .offset = 8,
                               .side_offset = 16,
                               .type = DOCKET_OF(Point)};
    schema = (docket_schema){fields, 2};
    type = (docket_type){.abi = DOCKET_TYPE_ABI,
                         .flags = DOCKET_TYPE_STRUCT,
                         .name = "T",
                         .size = 48,
                         .alignment = 8,
                         .schema = &schema};
    return 0;
}

static void fingerprint(uint8_t digest[32])
{
    assert_status(DOCKET_OK, docket_type_fingerprint(&type, digest, NULL));
    make_type(NULL);
}

/* Compares the type as the test changed it with the type as it was, and restores it. */
static void assert_change(bool counts)
{
    uint8_t changed[32];
    uint8_t original[32];
    fingerprint(changed);
    fingerprint(original);
    assert_int_equal(memcmp(changed, original, 32) != 0, counts);
}

static void every_ingredient_counts(void **state)
{
    (void)state;
    fields[0].number = 3;
    assert_change(true);
    fields[0].kind = DOCKET_KIND_TIME_MS;
    assert_change(true);
    fields[1].label = DOCKET_LABEL_LIST;
    assert_change(true);
    fields[0].name = "A";
    assert_change(true);
    fields[1].type = DOCKET_OF(Line);
    assert_change(true);
    schema.field_count = 1;
    assert_change(true);
    uint8_t eight[32];
    uint8_t seven[32];
    fields[0].kind = DOCKET_KIND_FIXED;
    fields[0].fixed_size = 8;
    fingerprint(eight);
    fields[0].kind = DOCKET_KIND_FIXED;
    fields[0].fixed_size = 7;
    fingerprint(seven);
    assert_memory_not_equal(eight, seven, 32);
}

/* Two members named "ab" and "c" are not "a" and "bc". */
static void names_do_not_run_together(void **state)
{
    (void)state;
    uint8_t one[32];
    uint8_t other[32];
    fields[0].name = "ab";
    fields[1].name = "c";
    fingerprint(one);
    fields[0].name = "a";
    fields[1].name = "bc";
    fingerprint(other);
    assert_memory_not_equal(one, other, 32);
}

static void what_does_not_change_the_bytes_does_not_count(void **state)
{
    (void)state;
    docket_field swapped[] = {fields[1], fields[0]};
    schema.fields = swapped;
    assert_change(false);
    type.name = "U";
    assert_change(false);
    type.size = 64;
    fields[0].offset = 40;
    assert_change(false);
}

static void names_of_an_enum_may_grow(void **state)
{
    (void)state;
    static const docket_enum_value values[] = {{"NEW", 8}};
    static const docket_enum grown = {"Grown", values, 1};
    uint8_t one[32];
    uint8_t other[32];
    fields[0].kind = DOCKET_KIND_ENUM;
    fields[0].values = &docket_enum_of_Grade;
    fingerprint(one);
    fields[0].kind = DOCKET_KIND_ENUM;
    fields[0].values = &grown;
    fingerprint(other);
    assert_memory_equal(one, other, 32);
}

static void wrong_descriptor_is_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    uint8_t digest[32] = {1};
    docket_error error;
    fields[0].number = 0;
    assert_status(DOCKET_INVALID, docket_type_fingerprint(&type, digest, &error));
    assert_contains(error.message, "type T, member a: its number");
    assert_memory_equal(digest, zeros, 32);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        uint8_t digest[32];
        docket_error error;
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        status = docket_type_fingerprint(DOCKET_OF(Everything), digest, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        assert_status(status, error.status);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_types_have_their_known_fingerprints),
        cmocka_unit_test(layout_of_a_hand_written_type_is_its_fingerprint),
        cmocka_unit_test_setup(every_ingredient_counts, make_type),
        cmocka_unit_test_setup(names_do_not_run_together, make_type),
        cmocka_unit_test_setup(what_does_not_change_the_bytes_does_not_count, make_type),
        cmocka_unit_test_setup(names_of_an_enum_may_grow, make_type),
        cmocka_unit_test_setup(wrong_descriptor_is_refused, make_type),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
