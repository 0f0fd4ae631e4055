/* Copies of records and their checksums. */
#include "store/record.h"

#include "base/hash.h"
#include "support/check.h"

static docket_record make_record(void)
{
    static const uint8_t inputs[64] = {1, 2, 3};
    docket_record record = {
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .step_version = 3,
        .attempts = 2,
        .execution_id = "order-1",
        .step = "pay",
        .type = "Receipt",
        .value = {(const uint8_t *)"\x08\x2a", 2},
        .input_digests = inputs,
        .input_count = 2,
    };
    for (size_t i = 0; i < 32; i++) {
        record.key.bytes[i] = (uint8_t)i;
        record.fingerprint[i] = (uint8_t)(255 - i);
    }
    assert_status(DOCKET_OK, docket__record_seal(&record));
    return record;
}

/* What stores hold must stay readable: this digest never changes. It was computed by hand over
 * "docket record\0", and for each of format, key, codec, kind, type, fingerprint and value: its number from 1 (1 byte),
 * its length (8 bytes, little-endian) and its bytes (numbers: 4 bytes, little-endian). */
static void the_checksum_is_frozen(void **state)
{
    (void)state;
    docket_record record = make_record();
    char digits[33];
    docket__hex(record.checksum, sizeof record.checksum, digits);
    assert_string_equal(digits, "7818d43d45e3f55889ffbafdc41e0e2e");
}

static void a_copy_is_the_same_and_apart(void **state)
{
    (void)state;
    docket_record record = make_record();
    docket_record *copy = docket_record_copy(&record);
    assert_non_null(copy);
    assert_ptr_not_equal(copy->step, record.step);
    assert_string_equal(copy->execution_id, "order-1");
    assert_string_equal(copy->step, "pay");
    assert_string_equal(copy->type, "Receipt");
    assert_ptr_not_equal(copy->value.data, record.value.data);
    assert_memory_equal(copy->value.data, record.value.data, 2);
    assert_memory_equal(copy->input_digests, record.input_digests, 64);
    docket_error error;
    assert_status(DOCKET_OK, docket__record_verify(copy, &error));
    docket_record_free(copy);
    docket_record_free(NULL);
}

static void what_is_not_there_stays_so_in_a_copy(void **state)
{
    (void)state;
    const docket_record empty = {.format = 1};
    docket_record *copy = docket_record_copy(&empty);
    assert_null(copy->step);
    assert_null(copy->value.data);
    assert_null(copy->input_digests);
    docket_record_free(copy);
    const docket_record huge = {.value = {(const uint8_t *)"", SIZE_MAX - 8}};
    assert_null(docket_record_copy(&huge));
    const docket_record many = {.input_digests = (const uint8_t *)"", .input_count = SIZE_MAX / 16};
    assert_null(docket_record_copy(&many));
}

static void any_change_is_noticed(void **state)
{
    (void)state;
    docket_error error;
    const docket_record sealed = make_record();
    for (int what = 0; what < 6; what++) {
        docket_record record = sealed;
        switch (what) {
        case 0:
            record.key.bytes[31] ^= 1;
            break;
        case 1:
            record.kind = DOCKET_CHECKPOINT_ABSENT;
            break;
        case 2:
            record.type = "Receip";
            break;
        case 3:
            record.fingerprint[0] ^= 1;
            break;
        case 4:
            record.value = (docket_bytes){(const uint8_t *)"\x08\x2b", 2};
            break;
        default:
            record.value.size = 1;
        }
        assert_status(DOCKET_CORRUPT, docket__record_verify(&record, &error));
        assert_contains(error.message, "000102");
        assert_contains(error.message, "pay");
    }
    docket_record record = sealed;
    record.step = "other"; /* names are for people */
    assert_status(DOCKET_OK, docket__record_verify(&record, &error));
}

static void what_is_not_known_is_newer(void **state)
{
    (void)state;
    docket_error error;
    docket_record record = make_record();
    record.format = 2;
    assert_status(DOCKET_SCHEMA_NEWER, docket__record_verify(&record, &error));
    record = make_record();
    record.codec = 1;
    assert_status(DOCKET_SCHEMA_NEWER, docket__record_verify(&record, &error));
    record = make_record();
    record.kind = DOCKET_CHECKPOINT_FAILURE;
    assert_status(DOCKET_SCHEMA_NEWER, docket__record_verify(&record, &error));
}

static void long_types_and_values_are_hashed_whole(void **state)
{
    (void)state;
    char type[256];
    static uint8_t value[5000];
    docket_error error;
    memset(type, 't', 255);
    type[255] = '\0';
    docket_record record = make_record();
    record.type = type;
    record.value = (docket_bytes){value, sizeof value};
    assert_status(DOCKET_OK, docket__record_seal(&record));
    assert_status(DOCKET_OK, docket__record_verify(&record, &error));
    value[sizeof value - 1] = 1;
    assert_status(DOCKET_CORRUPT, docket__record_verify(&record, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_frozen),
        cmocka_unit_test(a_copy_is_the_same_and_apart),
        cmocka_unit_test(what_is_not_there_stays_so_in_a_copy),
        cmocka_unit_test(any_change_is_noticed),
        cmocka_unit_test(what_is_not_known_is_newer),
        cmocka_unit_test(long_types_and_values_are_hashed_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
