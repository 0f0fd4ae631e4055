#include "base/clock.h"

#include "support/check.h"

static int64_t fake_monotonic_ns(void *arg)
{
    return *(int64_t *)arg;
}

static int64_t fake_wall_ms(void *arg)
{
    return -*(int64_t *)arg;
}

static void system_clock_goes_forward(void **state)
{
    (void)state;
    int64_t before = docket__clock_monotonic_ns();
    assert_true(docket__clock_monotonic_ns() >= before);
    assert_true(docket__clock_wall_ms() > INT64_C(1700000000000));
}

static void clock_is_replaced_and_restored(void **state)
{
    (void)state;
    int64_t now = 1234567890123;
    const docket_clock fake = {fake_monotonic_ns, fake_wall_ms, &now};
    docket_set_clock(&fake);
    assert_int_equal(docket__clock_monotonic_ns(), now);
    assert_int_equal(docket__clock_monotonic_ms(), 1234567);
    assert_int_equal(docket__clock_wall_ms(), -now);
    docket_set_clock(NULL);
    assert_true(docket__clock_wall_ms() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_goes_forward),
        cmocka_unit_test(clock_is_replaced_and_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
