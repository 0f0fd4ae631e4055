#include "base/process.h"

#include "support/check.h"

#include <sys/wait.h>
#include <unistd.h>

static void generation_changes_in_children_only(void **state)
{
    (void)state;
    uint64_t generation = docket__fork_generation();
    assert_true(generation != 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t inherited = docket__fork_generation();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            _exit(docket__fork_generation() != inherited ? 0 : 1);
        }
        int status = 1;
        waitpid(grandchild, &status, 0);
        _exit(inherited != generation && status == 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(docket__fork_generation() == generation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_changes_in_children_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
