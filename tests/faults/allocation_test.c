/* Every allocation that docket makes fails once: first each alone, then each with all that follow. Whatever the place,
 * a call answers DOCKET_NO_MEMORY or succeeds, nothing leaks, and the same objects work when memory is back.
 *
 * SQLite and libcrypto have allocators of their own, which are left alone. */
#include "faults/stock.h"
#include "faults/world.h"
#include "support/check.h"

#include <docket/testing.h>
#include <stdlib.h>
#include <unistd.h>

static const char *words_of(docket_test_refusal how)
{
    return how == DOCKET_TEST_REFUSE_ONE ? "alone" : "and all that follow";
}

/* Waits until docket holds nothing: a pool's thread may still be letting go of an execution, the writer of a store. */
static void expect_nothing_left(const scenario *at, docket_test_refusal how, size_t n)
{
    for (int i = 0; i < 50000 && docket_test_memory_read().live != 0; i++) {
        usleep(200);
    }
    if (docket_test_memory_read().live != 0) {
        print_error("%s, request %zu %s refused: %zu blocks are left over\n", at->name, n, words_of(how),
                    docket_test_memory_read().live);
    }
    assert_int_equal(docket_test_memory_read().live, 0);
}

static void run_once(const scenario *at, docket_test_refusal how, size_t n, bool *refused)
{
    world *here = world_new(at);
    docket_test_memory_refuse(how, n);
    at->act(here);
    *refused = docket_test_memory_permit();
    if (here->problem[0] == '\0' && here->ran_out && !*refused) {
        world_complain(here, "DOCKET_NO_MEMORY although every request was granted");
    }
    if (here->problem[0] == '\0') {
        here->memory_is_back = true;
        here->act_succeeded = !here->ran_out;
        here->ran_out = false;
        at->check(here);
    }
    bool well = here->problem[0] == '\0';
    if (!well) {
        print_error("%s, request %zu %s refused: %s\n", at->name, n, words_of(how), here->problem);
    }
    world_free(here);
    assert_true(well);
}

static void test_scenario(void **state)
{
    const scenario *at = *state;
    bool refused = false;
    size_t counts[2] = {0, 0};
    for (docket_test_refusal how = DOCKET_TEST_REFUSE_ONE; how <= DOCKET_TEST_REFUSE_REST; how++) {
        size_t n = 0;
        do {
            run_once(at, how, ++n, &refused);
            expect_nothing_left(at, how, n);
        } while (refused);
        counts[how] = n - 1;
    }
    print_message("%s: %zu requests refused alone, %zu with all that follow\n", at->name, counts[0], counts[1]);
    assert_true(counts[0] >= at->at_least);
}

int main(void)
{
    enum { MOST = 64 };
    struct CMUnitTest tests[MOST];
    size_t count = 0;
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* a thousand stores are made here: a disk's flushes would take minutes */
    }
    docket_test_memory_start();
    for (const scenario *at = scenarios; at->name != NULL && count < MOST; at++) {
        tests[count++] = (struct CMUnitTest){at->name, test_scenario, NULL, NULL, (void *)(uintptr_t)at};
    }
    return _cmocka_run_group_tests("allocation", tests, count, NULL, NULL);
}
