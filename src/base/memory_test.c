#include "base/memory.h"

#include "support/check.h"

#include <docket/testing.h>
#include <string.h>

static void memory_is_zeroed(void **state)
{
    (void)state;
    static const uint8_t zeros[100];
    uint8_t *memory = docket__allocate(sizeof zeros);
    assert_memory_equal(memory, zeros, sizeof zeros);
    memset(memory, 1, sizeof zeros);
    docket__free(memory);
    memory = docket__allocate_array(10, 10);
    assert_memory_equal(memory, zeros, sizeof zeros);
    docket__free(memory);
}

static void nothing_is_still_a_pointer(void **state)
{
    (void)state;
    void *one = docket__allocate(0);
    void *other = docket__allocate_array(0, 8);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    docket__free(one);
    docket__free(other);
    docket__free(NULL);
    docket_free(NULL);
}

static void product_that_overflows_is_refused(void **state)
{
    (void)state;
    size_t product = 0;
    assert_null(docket__allocate_array(SIZE_MAX / 2, 3));
    assert_false(docket__multiply(SIZE_MAX, 2, &product));
    assert_true(docket__multiply(SIZE_MAX / 2, 2, &product));
    assert_int_equal(product, SIZE_MAX - 1);
}

static void text_is_duplicated(void **state)
{
    (void)state;
    char *copy = docket__duplicate("docket");
    assert_string_equal(copy, "docket");
    docket_free(copy);
    assert_null(docket__duplicate(NULL));
}

static void all_memory_passes_the_allocator(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 4);
    void *memory = docket__resize(docket__allocate(10), 1000);
    char *copy = docket__duplicate("x");
    assert_int_equal(docket_test_memory_read().requests, 3);
    assert_int_equal(docket_test_memory_read().live, 2);
    assert_int_equal(docket_test_memory_read().largest_bytes, 1000);
    assert_null(docket__resize(memory, 2000));
    docket__free(memory);
    docket__free(copy);
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed),
        cmocka_unit_test(nothing_is_still_a_pointer),
        cmocka_unit_test(product_that_overflows_is_refused),
        cmocka_unit_test(text_is_duplicated),
        cmocka_unit_test(all_memory_passes_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
