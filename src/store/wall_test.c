/* The clock that never goes back. */
#include "store/wall.h"

#include "support/check.h"

#include <docket/testing.h>

static const int64_t begin_ms = INT64_C(1764000000000);

static void it_follows_the_clock_forward(void **state)
{
    (void)state;
    docket__wall wall;
    docket_test_clock_start(begin_ms);
    assert_true(docket__wall_init(&wall));
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms);
    docket_test_clock_advance(5);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms + 5);
    docket_test_clock_set_wall(begin_ms + 1000000);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms + 1000000);
    docket__wall_destroy(&wall);
    docket_test_clock_stop();
}

static void it_goes_on_when_the_clock_is_set_back(void **state)
{
    (void)state;
    docket__wall wall;
    docket_test_clock_start(begin_ms);
    assert_true(docket__wall_init(&wall));
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms);
    docket_test_clock_set_wall(begin_ms - 3600000);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms);
    docket_test_clock_advance(1000);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms + 1000);
    docket_test_clock_advance(3600000);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms + 3601000);
    docket_test_clock_set_wall(begin_ms + 7200000);
    assert_int_equal(docket__wall_now_ms(&wall), begin_ms + 7200000);
    docket__wall_destroy(&wall);
    docket_test_clock_stop();
}

static void expiry_saturates(void **state)
{
    (void)state;
    assert_int_equal(docket__expiry_ms(begin_ms, 0), 0);
    assert_int_equal(docket__expiry_ms(begin_ms, 1), begin_ms + 1);
    assert_int_equal(docket__expiry_ms(begin_ms, INT64_MAX), 0);
    assert_int_equal(docket__expiry_ms(begin_ms, INT64_MAX - begin_ms), INT64_MAX);
    assert_false(docket__is_expired(0, INT64_MAX));
    assert_false(docket__is_expired(begin_ms + 1, begin_ms));
    assert_true(docket__is_expired(begin_ms, begin_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_follows_the_clock_forward),
        cmocka_unit_test(it_goes_on_when_the_clock_is_set_back),
        cmocka_unit_test(expiry_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
