#include "type/codec.h"

#include "base/buffer.h"
#include "base/error.h"
#include "type/sample_test.h"

#include <docket/testing.h>

DOCKET_BLOB(Image);
DOCKET_ALIAS(Thumbnail, Image);
DOCKET_ALIAS(Target, Point);
DOCKET_ALIAS(FinalTarget, Target);

/* A hand-written type: a number in decimal digits, of which only the last is its key. */
typedef struct Decimal {
    int number;
} Decimal;

static docket_status encode_decimal(const docket_type *type, const void *value, docket_buffer *out,
                                    docket_error *error)
{
    (void)type;
    int number = ((const Decimal *)value)->number;
    if (number < 0) {
        docket_buffer_append(out, "-", 1);
        return number == -1 ? DOCKET_ENCODE : docket__error_set(error, DOCKET_ENCODE, "%d is negative", number);
    }
    const char digits[] = {(char)('0' + number / 10), (char)('0' + number % 10)};
    docket_buffer_append(out, digits, 2);
    return DOCKET_OK;
}

static docket_status encode_decimal_key(const docket_type *type, const void *value, docket_buffer *out,
                                        docket_error *error)
{
    (void)type;
    (void)error;
    const char digit = (char)('0' + ((const Decimal *)value)->number % 10);
    return docket_buffer_append(out, &digit, 1);
}

static docket_status decode_decimal(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                    docket_error *error)
{
    (void)type;
    (void)error;
    docket_arena_alloc(arena, 10);
    ((Decimal *)value)->number = 99;
    if (bytes.size != 2) {
        return DOCKET_CORRUPT;
    }
    ((Decimal *)value)->number = (bytes.data[0] - '0') * 10 + bytes.data[1] - '0';
    return DOCKET_OK;
}

DOCKET_DESCRIBE(Decimal, .layout = "two digits", .encode = encode_decimal, .encode_key = encode_decimal_key,
                .decode = decode_decimal);
DOCKET_ALIAS(Price, Decimal);

typedef struct Client Client;
DOCKET_RESOURCE(Client);

static docket_arena arena;
static docket_buffer out;

static int release_memory(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    docket__buffer_release(&out);
    return 0;
}

static void assert_written(const char *bytes, size_t size)
{
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, bytes, size);
}

static void alias_has_the_bytes_of_its_base(void **state)
{
    (void)state;
    const FinalTarget target = {{{.x = 1, .y = 2}}};
    FinalTarget back = {0};
    docket_error error;
    assert_ptr_equal(docket__type_base(DOCKET_OF(FinalTarget)), DOCKET_OF(Point));
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(FinalTarget), &target, &out, &error));
    assert_written("\x08\x01\x10\x02", 4);
    assert_status(DOCKET_OK,
                  docket_decode(DOCKET_OF(FinalTarget), docket_buffer_bytes(&out), &arena, &back, &error));
    assert_int_equal(back.value.value.y, 2);
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(FinalTarget), (docket_bytes){(const uint8_t *)"", 1},
                                                &arena, &back, &error));
    assert_string_equal(error.message, "FinalTarget: no field number at byte 0");
    assert_string_equal(error.type, "FinalTarget");
}

static void blob_is_its_bytes(void **state)
{
    (void)state;
    const Image image = {(const uint8_t *)"\0png", 4};
    Thumbnail back = {0};
    Image copy = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Image), &image, &out, &error));
    assert_written("\0png", 4);
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Thumbnail), docket_buffer_bytes(&out), &arena, &back, &error));
    assert_ptr_not_equal(back.value.data, out.data);
    assert_int_equal(back.value.size, 4);
    assert_memory_equal(back.value.data, "\0png", 4);
    assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Image), &image, &arena, &copy, &error));
    assert_ptr_not_equal(copy.data, image.data);
    assert_memory_equal(copy.data, "\0png", 4);
}

static void empty_blob_has_no_data(void **state)
{
    (void)state;
    Image image = {(const uint8_t *)"", 0};
    Image back = {0};
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Image), &image, &out, NULL));
    assert_int_equal(out.size, 0);
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Image), (docket_bytes){0}, &arena, &back, NULL));
    assert_null(back.data);
    assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Image), &image, &arena, &back, NULL));
    assert_null(back.data);
    assert_true(docket__type_needs_seal(DOCKET_OF(Thumbnail)));
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Image), &image, &arena, NULL));
    assert_null(image.data);
}

static void blob_without_data_is_refused(void **state)
{
    (void)state;
    Image image = {NULL, 1};
    Image copy = {0};
    docket_error error;
    assert_status(DOCKET_ENCODE, docket_encode(DOCKET_OF(Image), &image, &out, &error));
    assert_string_equal(error.type, "Image");
    assert_status(DOCKET_ENCODE, docket__type_copy(DOCKET_OF(Image), &image, &arena, &copy, &error));
    assert_status(DOCKET_ENCODE, docket__type_seal(DOCKET_OF(Image), &image, &arena, &error));
}

static void hand_written_codec_is_used(void **state)
{
    (void)state;
    const Price price = {{42}};
    Price back = {0};
    docket_error error;
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Price), &price, &out, &error));
    assert_status(DOCKET_OK, docket__type_encode_key(DOCKET_OF(Price), &price, &out, &error));
    assert_written("422", 3);
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Price), (docket_bytes){out.data, 2}, &arena, &back, &error));
    assert_int_equal(back.value.number, 42);
    assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Price), &price, &arena, &back, &error));
    assert_int_equal(back.value.number, 42);
    assert_false(docket__type_needs_seal(DOCKET_OF(Price)));
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Price), &back, &arena, &error));
}

static void failure_of_a_hand_written_codec_is_told(void **state)
{
    (void)state;
    Decimal copy = {0};
    docket_error error;
    assert_status(DOCKET_ENCODE, docket_encode(DOCKET_OF(Decimal), &(Decimal){-5}, &out, &error));
    assert_string_equal(error.message, "-5 is negative");
    assert_string_equal(error.type, "Decimal");
    assert_status(DOCKET_ENCODE, docket_encode(DOCKET_OF(Price), &(Price){{-1}}, &out, &error));
    assert_status(DOCKET_ENCODE, error.status);
    assert_string_equal(error.message, docket_status_text(DOCKET_ENCODE));
    assert_string_equal(error.type, "Price");
    assert_int_equal(out.size, 0);
    assert_status(DOCKET_ENCODE, docket__type_copy(DOCKET_OF(Decimal), &(Decimal){-1}, &arena, &copy, &error));
    assert_status(DOCKET_CORRUPT, docket_decode(DOCKET_OF(Decimal), (docket_bytes){0}, &arena, &copy, &error));
    assert_int_equal(copy.number, 0);
}

static void overlooked_lack_of_memory_is_told(void **state)
{
    (void)state;
    Decimal value = {0};
    docket_error error;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    assert_status(DOCKET_NO_MEMORY, docket_encode(DOCKET_OF(Decimal), &(Decimal){42}, &out, &error));
    assert_status(DOCKET_NO_MEMORY, error.status);
    docket__buffer_release(&out);
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    assert_status(DOCKET_NO_MEMORY, docket_decode(DOCKET_OF(Decimal), (docket_bytes){(const uint8_t *)"42", 2},
                                                  &arena, &value, &error));
    assert_int_equal(value.number, 0);
    docket__arena_release(&arena);
    docket_test_memory_stop();
}

static void resource_has_no_bytes(void **state)
{
    (void)state;
    docket_error error;
    assert_status(DOCKET_INVALID, docket_encode(DOCKET_OF(Client), NULL, &out, &error));
    assert_string_equal(error.message, "a resource has no bytes");
    assert_string_equal(error.type, "Client");
    uint8_t value[8];
    assert_status(DOCKET_INVALID, docket_decode(DOCKET_OF(Client), (docket_bytes){0}, &arena, value, &error));
    assert_status(DOCKET_INVALID, docket__type_copy(DOCKET_OF(Client), value, &arena, value, &error));
    assert_status(DOCKET_INVALID, docket__type_encode_key(DOCKET_OF(Client), NULL, &out, &error));
    assert_false(docket__type_needs_seal(DOCKET_OF(Client)));
}

static void success_clears_the_error(void **state)
{
    (void)state;
    Point point = {0};
    docket_error error;
    memset(&error, 0x55, sizeof error);
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Point), &point, &out, &error));
    assert_status(DOCKET_OK, error.status);
    assert_string_equal(error.message, "");
    memset(&error, 0x55, sizeof error);
    assert_status(DOCKET_OK, docket__type_seal(DOCKET_OF(Point), &point, &arena, &error));
    assert_status(DOCKET_OK, error.status);
}

static void copy_equals_decode_of_encode(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        Everything value = sample_everything(seed, &arena, 0xff);
        Everything copy = {0};
        Everything back = {0};
        assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Everything), &value, &arena, &copy, NULL));
        assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &out, NULL));
        assert_status(DOCKET_OK,
                      docket_decode(DOCKET_OF(Everything), docket_buffer_bytes(&out), &arena, &back, NULL));
        assert_same(DOCKET_OF(Everything), &copy, &back);
        release_memory(NULL);
    }
}

static void copy_shares_nothing_with_its_source(void **state)
{
    (void)state;
    docket_arena source = {0};
    Everything value = sample_everything(77, &source, 0);
    Everything copy = {0};
    Everything back = {0};
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &out, NULL));
    assert_status(DOCKET_OK, docket__type_copy(DOCKET_OF(Everything), &value, &arena, &copy, NULL));
    docket__arena_release(&source);
    assert_status(DOCKET_OK, docket_decode(DOCKET_OF(Everything), docket_buffer_bytes(&out), &arena, &back, NULL));
    assert_same(DOCKET_OF(Everything), &copy, &back);
}

static void copy_of_a_wrong_value_is_refused(void **state)
{
    (void)state;
    static const Everything zero;
    const Line wrong[] = {{.article = "ok"}, {.article = "\xff"}};
    Everything copy = {0};
    docket_error error;
    assert_status(DOCKET_ENCODE,
                  docket__type_copy(DOCKET_OF(Everything), &(Everything){.lines = wrong, .lines_count = 2}, &arena,
                                    &copy, &error));
    assert_string_equal(error.message, "Everything.lines[1].article: the text is not valid UTF-8");
    assert_memory_equal(&copy, &zero, sizeof zero);
}

typedef docket_status run_fn(const Everything *value, docket_bytes bytes, Everything *made, docket_error *error);

static docket_status run_encode(const Everything *value, docket_bytes bytes, Everything *made, docket_error *error)
{
    (void)bytes;
    (void)made;
    return docket_encode(DOCKET_OF(Everything), value, &out, error);
}

static docket_status run_decode(const Everything *value, docket_bytes bytes, Everything *made, docket_error *error)
{
    (void)value;
    return docket_decode(DOCKET_OF(Everything), bytes, &arena, made, error);
}

static docket_status run_copy(const Everything *value, docket_bytes bytes, Everything *made, docket_error *error)
{
    (void)bytes;
    return docket__type_copy(DOCKET_OF(Everything), value, &arena, made, error);
}

static docket_status run_seal(const Everything *value, docket_bytes bytes, Everything *made, docket_error *error)
{
    (void)bytes;
    *made = *value;
    return docket__type_seal(DOCKET_OF(Everything), made, &arena, error);
}

/* Lets each allocation of a run fail in turn, until one run needs fewer. */
static size_t fail_each_allocation(run_fn *run, const Everything *value, docket_bytes bytes)
{
    docket_status status = DOCKET_NO_MEMORY;
    size_t fail_at = 0;
    while (status != DOCKET_OK) {
        Everything made = {0};
        docket_error error;
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, ++fail_at);
        status = run(value, bytes, &made, &error);
        assert_status(status, error.status);
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        release_memory(NULL);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
    return fail_at - 1;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    docket_arena source = {0};
    docket_buffer bytes = {0};
    Everything value = sample_everything(5, &source, 0);
    const docket_bytes large = {docket__arena_allocate(&source, 300000, 1), 300000};
    value.lbytes = &large;
    value.lbytes_count = 1;
    value.text = docket__arena_printf(&source, "%20000d", 1);
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Everything), &value, &bytes, NULL));
    docket_bytes encoded = docket_buffer_bytes(&bytes);
    assert_true(fail_each_allocation(run_encode, &value, encoded) > 2);
    assert_true(fail_each_allocation(run_decode, &value, encoded) > 2);
    assert_true(fail_each_allocation(run_copy, &value, encoded) > 2);
    assert_true(fail_each_allocation(run_seal, &value, encoded) > 0);
    docket__buffer_release(&bytes);
    docket__arena_release(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(alias_has_the_bytes_of_its_base, release_memory),
        cmocka_unit_test_teardown(blob_is_its_bytes, release_memory),
        cmocka_unit_test_teardown(empty_blob_has_no_data, release_memory),
        cmocka_unit_test_teardown(blob_without_data_is_refused, release_memory),
        cmocka_unit_test_teardown(hand_written_codec_is_used, release_memory),
        cmocka_unit_test_teardown(failure_of_a_hand_written_codec_is_told, release_memory),
        cmocka_unit_test_teardown(overlooked_lack_of_memory_is_told, release_memory),
        cmocka_unit_test_teardown(resource_has_no_bytes, release_memory),
        cmocka_unit_test_teardown(success_clears_the_error, release_memory),
        cmocka_unit_test_teardown(copy_equals_decode_of_encode, release_memory),
        cmocka_unit_test_teardown(copy_shares_nothing_with_its_source, release_memory),
        cmocka_unit_test_teardown(copy_of_a_wrong_value_is_refused, release_memory),
        cmocka_unit_test_teardown(every_allocation_may_fail, release_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
