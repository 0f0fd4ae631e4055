#include "base/random.h"

#include "support/check.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 50 };

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static void assert_all_differ(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof numbers[0], compare_numbers);
    for (size_t i = 1; i < count; i++) {
        assert_true(numbers[i - 1] != numbers[i]);
    }
}

static void numbers_differ(void **state)
{
    (void)state;
    uint64_t numbers[10000];
    for (size_t i = 0; i < 10000; i++) {
        numbers[i] = docket__random_number();
    }
    assert_all_differ(numbers, 10000);
}

static void choices_stay_below_the_bound_and_reach_all(void **state)
{
    (void)state;
    unsigned counts[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t choice = docket__random_below(7);
        assert_true(choice < 7);
        counts[choice]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(counts[i], 700, 1300);
    }
    assert_int_equal(docket__random_below(0), 0);
    assert_int_equal(docket__random_below(1), 0);
    assert_true(docket__random_below(UINT64_MAX) < UINT64_MAX);
}

static void bytes_are_filled_to_the_end(void **state)
{
    (void)state;
    uint8_t bytes[1000] = {0};
    unsigned zeros = 0;
    docket__random_bytes(bytes, 999);
    for (size_t i = 0; i < 999; i++) {
        zeros += bytes[i] == 0;
    }
    assert_true(zeros < 40);
    assert_int_equal(bytes[999], 0);
}

static void children_of_one_parent_share_nothing(void **state)
{
    (void)state;
    uint64_t numbers[CHILDREN + 1];
    int ends[2];
    numbers[CHILDREN] = docket__random_number();
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            uint64_t number = docket__random_number();
            _exit(write(ends[1], &number, sizeof number) == sizeof number ? 0 : 1);
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(read(ends[0], &numbers[i], sizeof numbers[i]), sizeof numbers[i]);
    }
    close(ends[0]);
    close(ends[1]);
    assert_all_differ(numbers, CHILDREN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_differ),
        cmocka_unit_test(choices_stay_below_the_bound_and_reach_all),
        cmocka_unit_test(bytes_are_filled_to_the_end),
        cmocka_unit_test(children_of_one_parent_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
