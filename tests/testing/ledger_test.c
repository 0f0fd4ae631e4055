/* The ledger: threads and processes write it side by side, and a kill takes nothing back. */
#include "support/check.h"
#include "support/folder.h"

#include <docket/testing.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_counts_by_step_and_input(void **state)
{
    folder place = folder_make();
    char path[FOLDER_PATH_ROOM];
    (void)state;
    folder_file(&place, "ledger", path);
    assert_int_equal(docket_test_ledger_count(path, NULL, NULL), 0);
    assert_int_equal(docket_test_ledger_most(path, NULL), 0);
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "charge", "order-1"));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "charge", "order-2"));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "ship", "order-1"));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "charge", "order-1"));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "chargeback", NULL));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "a\tb\n", "c\nd"));
    assert_int_equal(docket_test_ledger_count(path, NULL, NULL), 6);
    assert_int_equal(docket_test_ledger_count(path, "charge", NULL), 3);
    assert_int_equal(docket_test_ledger_count(path, "charge", "order-1"), 2);
    assert_int_equal(docket_test_ledger_count(path, NULL, "order-1"), 3);
    assert_int_equal(docket_test_ledger_count(path, "charge", "order-3"), 0);
    assert_int_equal(docket_test_ledger_count(path, "chargeback", ""), 1);
    assert_int_equal(docket_test_ledger_count(path, "a\tb\n", "c\nd"), 1);
    assert_int_equal(docket_test_ledger_most(path, NULL), 2);
    assert_int_equal(docket_test_ledger_most(path, "ship"), 1);
    assert_int_equal(docket_test_ledger_most(path, "nobody"), 0);
    folder_remove(&place);
}

static void test_long_texts_are_cut_the_same_way(void **state)
{
    folder place = folder_make();
    char path[FOLDER_PATH_ROOM];
    char text[1000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    folder_file(&place, "ledger", path);
    assert_status(DOCKET_OK, docket_test_ledger_add(path, text, text));
    assert_status(DOCKET_OK, docket_test_ledger_add(path, "s", "t"));
    assert_int_equal(docket_test_ledger_count(path, text, text), 1);
    assert_int_equal(docket_test_ledger_count(path, "s", "t"), 1);
    folder_remove(&place);
}

enum { WRITERS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        docket_test_ledger_add(arg, "thread", "same");
    }
    return NULL;
}

static void test_many_write_at_once(void **state)
{
    folder place = folder_make();
    char path[FOLDER_PATH_ROOM];
    pthread_t threads[WRITERS];
    pid_t children[WRITERS];
    (void)state;
    folder_file(&place, "ledger", path);
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int j = 0;; j++) {
                char input[16];
                snprintf(input, sizeof input, "%d", j);
                docket_test_ledger_add(path, i == 0 ? "child" : "killed", input);
                if (i == 0 && j == LINES - 1) {
                    _exit(0);
                }
            }
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, path), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        int ended;
        if (i > 0) {
            kill(children[i], SIGKILL);
        }
        waitpid(children[i], &ended, 0);
    }
    assert_int_equal(docket_test_ledger_count(path, "thread", "same"), WRITERS * LINES);
    assert_int_equal(docket_test_ledger_most(path, "thread"), WRITERS * LINES);
    assert_int_equal(docket_test_ledger_count(path, "child", NULL), LINES);
    assert_int_equal(docket_test_ledger_most(path, "child"), 1);
    assert_true(docket_test_ledger_most(path, "killed") <= WRITERS - 1);
    folder_remove(&place);
}

static void test_what_cannot_be_written_or_read(void **state)
{
    folder place = folder_make();
    (void)state;
    assert_status(DOCKET_STORE, docket_test_ledger_add(place.path, "s", "t"));
    assert_status(DOCKET_INVALID, docket_test_ledger_add(NULL, "s", "t"));
    assert_status(DOCKET_INVALID, docket_test_ledger_add(place.path, NULL, "t"));
    assert_status(DOCKET_STORE, docket_test_ledger_add("/dev/full", "s", "t"));
    assert_int_equal(docket_test_ledger_count(place.path, NULL, NULL), -1);
    assert_int_equal(docket_test_ledger_most(place.path, NULL), -1);
    assert_int_equal(docket_test_ledger_count(NULL, NULL, NULL), -1);
    folder_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_by_step_and_input),
        cmocka_unit_test(test_long_texts_are_cut_the_same_way),
        cmocka_unit_test(test_many_write_at_once),
        cmocka_unit_test(test_what_cannot_be_written_or_read),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
