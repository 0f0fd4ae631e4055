#include "base/buffer.h"

#include "base/memory.h"
#include "support/check.h"

#include <docket/testing.h>

static void bytes_are_appended(void **state)
{
    (void)state;
    docket_buffer buffer = {0};
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)i;
        assert_int_equal(docket_buffer_append(&buffer, &byte, 1), DOCKET_OK);
    }
    assert_int_equal(docket_buffer_append(&buffer, NULL, 0), DOCKET_OK);
    docket_bytes bytes = docket_buffer_bytes(&buffer);
    assert_int_equal(bytes.size, 10000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(bytes.data[i], (uint8_t)i);
    }
    docket__buffer_release(&buffer);
}

static void reserved_room_is_written_in_place(void **state)
{
    (void)state;
    docket_buffer buffer = {0};
    uint8_t *end = docket__buffer_reserve(&buffer, 1000);
    memset(end, 'x', 1000);
    buffer.size += 1000;
    assert_ptr_equal(docket__buffer_reserve(&buffer, 0), buffer.data + 1000);
    docket__buffer_truncate(&buffer, 3);
    assert_int_equal(docket__buffer_append(&buffer, "y", 1), DOCKET_OK);
    assert_memory_equal(buffer.data, "xxxy", 4);
    docket__buffer_clear(&buffer);
    assert_int_equal(docket_buffer_bytes(&buffer).size, 0);
    docket__buffer_release(&buffer);
}

static void failure_is_remembered(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 2);
    docket_buffer buffer = {0};
    static const uint8_t many[1000];
    assert_int_equal(docket_buffer_append(&buffer, "abc", 3), DOCKET_OK);
    assert_int_equal(docket_buffer_append(&buffer, many, sizeof many), DOCKET_NO_MEMORY);
    assert_int_equal(docket_buffer_append(&buffer, "d", 1), DOCKET_NO_MEMORY);
    assert_memory_equal(docket_buffer_bytes(&buffer).data, "abc", 3);
    assert_int_equal(docket_buffer_bytes(&buffer).size, 3);
    docket__buffer_truncate(&buffer, 1);
    assert_int_equal(docket_buffer_append(&buffer, "d", 1), DOCKET_NO_MEMORY);
    docket__buffer_clear(&buffer);
    assert_int_equal(docket_buffer_append(&buffer, "d", 1), DOCKET_OK);
    docket__buffer_release(&buffer);
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

static void impossible_sizes_fail(void **state)
{
    (void)state;
    docket_buffer buffer = {0};
    assert_int_equal(docket_buffer_append(&buffer, "abc", 3), DOCKET_OK);
    assert_null(docket__buffer_reserve(&buffer, SIZE_MAX));
    assert_null(docket__buffer_reserve(&buffer, 1));
    docket__buffer_release(&buffer);
}

static void bytes_are_handed_over(void **state)
{
    (void)state;
    docket_buffer buffer = {0};
    size_t size = 0;
    assert_int_equal(docket_buffer_append(&buffer, "abc", 3), DOCKET_OK);
    uint8_t *bytes = docket__buffer_detach(&buffer, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_null(buffer.data);
    docket_free(bytes);
    assert_null(docket__buffer_detach(&buffer, &size));
    assert_int_equal(size, 0);
}

static void buffer_handles_are_freed(void **state)
{
    (void)state;
    docket_buffer *buffer = docket_buffer_new();
    assert_int_equal(docket_buffer_append(buffer, "abc", 3), DOCKET_OK);
    docket_buffer_free(buffer);
    docket_buffer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_appended),    cmocka_unit_test(reserved_room_is_written_in_place),
        cmocka_unit_test(failure_is_remembered), cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(bytes_are_handed_over), cmocka_unit_test(buffer_handles_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
