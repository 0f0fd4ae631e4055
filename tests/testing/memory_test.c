/* Memory that runs out where the test says so. */
#include "support/run.h"

#include "support/check.h"

#include <docket/testing.h>
#include <sys/wait.h>
#include <unistd.h>

/* A graph, built, executed and freed. */
static docket_status use_docket(void)
{
    docket_graph *graph = docket_graph_new("memory", NULL);
    if (graph == NULL) {
        return DOCKET_NO_MEMORY;
    }
    const IS input = {.value = "abc"};
    docket_status status = docket_graph_add(graph, &count_letters_step, NULL);
    status = status == DOCKET_OK ? docket_graph_validate(graph, NULL) : status;
    if (status == DOCKET_OK) {
        status = docket_execute(
            graph,
            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(IS, &input))},
            NULL, NULL);
    }
    docket_graph_free(graph);
    return status;
}

static void test_every_request_fails_once(void **state)
{
    (void)state;
    assert_status(DOCKET_OK, use_docket()); /* the default pool is made once, and stays */
    docket_test_memory_start();
    for (docket_test_refusal how = DOCKET_TEST_REFUSE_ONE; how <= DOCKET_TEST_REFUSE_REST; how++) {
        uint64_t number = 0;
        bool refused;
        do {
            docket_test_memory_refuse(how, ++number);
            docket_status status = use_docket();
            refused = docket_test_memory_permit();
            assert_status(refused ? DOCKET_NO_MEMORY : DOCKET_OK, status);
            assert_int_equal(docket_test_memory_read().live, 0);
        } while (refused);
        assert_true(number > 5);
    }
    docket_test_memory_stop();
}

static void test_counts(void **state)
{
    (void)state;
    docket_buffer *older = docket_buffer_new();
    docket_test_memory_start();
    assert_int_equal(docket_test_memory_read().requests, 0);
    docket_buffer *buffer = docket_buffer_new();
    uint8_t bytes[100000] = {0};
    assert_status(DOCKET_OK, docket_buffer_append(buffer, bytes, sizeof bytes));
    docket_test_memory seen = docket_test_memory_read();
    assert_true(seen.requests >= 2 && seen.largest_bytes >= sizeof bytes);
    assert_int_equal(seen.live, 2);
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 0);
    assert_status(DOCKET_OK, use_docket());
    assert_false(docket_test_memory_permit());
    docket_buffer_free(older);
    assert_int_equal(docket_test_memory_read().live, 1);
    docket_test_memory_stop();
    docket_buffer_free(buffer);
}

static void test_a_child_counts_too(void **state)
{
    int ended = 1;
    (void)state;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    pid_t child = fork();
    if (child == 0) {
        _exit(docket_buffer_new() != NULL);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    docket_buffer *second = docket_buffer_new();
    assert_non_null(second);
    assert_true(docket_test_memory_permit());
    docket_buffer_free(second);
    docket_test_memory_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_fails_once),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_a_child_counts_too),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
