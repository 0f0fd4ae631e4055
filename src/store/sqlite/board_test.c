#include "store/sqlite/board.h"

#include "support/check.h"
#include "support/child.h"
#include "support/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Two stores' ends of one side file. */
typedef struct desk {
    folder folder;
    char path[FOLDER_PATH_ROOM];
    docket__side sides[2];
    docket__board boards[2];
} desk;

static docket_key key_of(unsigned number)
{
    docket_key key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    key.bytes[31] = (uint8_t)number;
    return key;
}

static docket_status sit(const char *path, docket__side *side, docket__board *board, docket_error *error)
{
    docket_status status = docket__side_open(side, path, error);
    return status == DOCKET_OK ? docket__board_open(board, side, error) : status;
}

static int begin(void **state)
{
    static desk self;
    docket_error error;
    self.folder = folder_make();
    folder_file(&self.folder, "side", self.path);
    for (size_t i = 0; i < 2; i++) {
        assert_status(DOCKET_OK, sit(self.path, &self.sides[i], &self.boards[i], &error));
    }
    *state = &self;
    return 0;
}

static int end(void **state)
{
    desk *self = *state;
    for (size_t i = 0; i < 2; i++) {
        docket__board_close(&self->boards[i]);
        docket__side_close(&self->sides[i]);
    }
    unlink(self->path);
    folder_remove(&self->folder);
    return 0;
}

static docket_status take(docket__board *board, unsigned number)
{
    docket__owner dead;
    const docket_key key = key_of(number);
    return docket__board_take(board, &key, &dead);
}

static void give(docket__board *board, unsigned number)
{
    const docket_key key = key_of(number);
    docket__board_give(board, &key);
}

static void a_key_has_one_owner(void **state)
{
    desk *self = *state;
    const docket_key key = key_of(1);
    uint64_t before = docket__board_releases(&self->boards[1], &key);
    assert_status(DOCKET_OK, take(&self->boards[0], 1));
    assert_status(DOCKET_CONFLICT, take(&self->boards[1], 1));
    assert_status(DOCKET_CONFLICT, take(&self->boards[0], 1));
    assert_status(DOCKET_OK, take(&self->boards[1], 2));
    give(&self->boards[1], 1); /* not its own */
    assert_status(DOCKET_CONFLICT, take(&self->boards[1], 1));
    give(&self->boards[0], 1);
    assert_int_equal(docket__board_releases(&self->boards[1], &key), before + 1);
    assert_status(DOCKET_OK, take(&self->boards[1], 1));
    give(&self->boards[1], 1);
    give(&self->boards[1], 2);
}

static void who_waits_is_stirred(void **state)
{
    desk *self = *state;
    const docket_key keys[] = {key_of(1), key_of(2)};
    bool maybe_free[2] = {false, false};
    assert_status(DOCKET_OK, take(&self->boards[0], 1));
    assert_status(DOCKET_OK, take(&self->boards[0], 2));
    assert_status(DOCKET_CONFLICT, take(&self->boards[1], 1));
    assert_status(DOCKET_CONFLICT, take(&self->boards[1], 2));
    give(&self->boards[0], 2);
    while (!maybe_free[1]) {
        docket__board_await(&self->boards[1], keys, 2, maybe_free, 60000);
        assert_false(maybe_free[0]);
    }
    docket__board_stir(&self->boards[1]);
    docket__board_await(&self->boards[1], keys, 1, maybe_free, 60000); /* returns */
    give(&self->boards[0], 1);
}

/* A stripe has 128 entries; what does not fit waits until one is given back. */
static void a_full_stripe_makes_the_next_wait(void **state)
{
    desk *self = *state;
    enum { FULL = 128, STEP = 256 };
    bool maybe_free = false;
    const docket_key more = key_of(FULL * STEP);
    for (unsigned i = 0; i < FULL; i++) {
        assert_status(DOCKET_OK, take(&self->boards[0], i * STEP));
    }
    assert_status(DOCKET_CONFLICT, take(&self->boards[1], FULL * STEP));
    give(&self->boards[0], 5 * STEP);
    while (!maybe_free) {
        docket__board_await(&self->boards[1], &more, 1, &maybe_free, 60000);
    }
    assert_status(DOCKET_OK, take(&self->boards[1], FULL * STEP));
    for (unsigned i = 0; i < FULL; i++) {
        give(&self->boards[0], i * STEP);
    }
    give(&self->boards[1], FULL * STEP);
}

/* ---- Death ---- */

/* Takes keys 1 to 20, says so, and waits to be killed; with "fork" a child of its own lives on. */
static int hold(const char *path, const char *how)
{
    docket__side side;
    docket__board board;
    docket_error error;
    if (sit(path, &side, &board, &error) != DOCKET_OK) {
        return 1;
    }
    for (unsigned i = 1; i <= 20; i++) {
        if (take(&board, i) != DOCKET_OK) {
            return 2;
        }
    }
    if (strcmp(how, "fork") == 0 && fork() == 0) {
        while (access(path, F_OK) == 0) { /* until the test is over */
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        _exit(0);
    }
    char name[FOLDER_PATH_ROOM + 8];
    snprintf(name, sizeof name, "%s-held", path);
    close(open(name, O_CREAT | O_WRONLY, 0600));
    for (;;) {
        pause();
    }
}

static void wait_for_file(const char *name)
{
    while (access(name, F_OK) != 0) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    unlink(name);
}

static void a_killed_owners_keys_are_free(void **state, const char *how)
{
    desk *self = *state;
    char name[FOLDER_PATH_ROOM + 8];
    docket_key keys[20];
    bool maybe_free[20] = {false};
    snprintf(name, sizeof name, "%s-held", self->path);
    pid_t holder = child_start(NULL, CHILD_ARGUMENTS("hold", self->path, how));
    wait_for_file(name);
    for (unsigned i = 0; i < 20; i++) {
        keys[i] = key_of(i + 1);
        assert_status(DOCKET_CONFLICT, take(&self->boards[0], i + 1));
    }
    docket__board_await(&self->boards[0], keys, 20, maybe_free, 0);
    kill(holder, SIGSTOP); /* one that does not run keeps what it has */
    docket__board_await(&self->boards[0], keys, 20, maybe_free, 200);
    for (size_t i = 0; i < 20; i++) {
        assert_false(maybe_free[i]);
    }
    kill(holder, SIGKILL);
    assert_int_equal(child_wait(holder, 10000), -SIGKILL);
    while (!maybe_free[19]) {
        docket__board_await(&self->boards[0], keys, 20, maybe_free, 1000);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_true(maybe_free[i]);
        assert_status(DOCKET_OK, take(&self->boards[0], i + 1));
        assert_status(DOCKET_CONFLICT, take(&self->boards[1], i + 1));
        give(&self->boards[0], i + 1);
    }
}

static void a_killed_owner_is_found(void **state)
{
    a_killed_owners_keys_are_free(state, "alone");
}

static void a_killed_owners_child_does_not_keep_its_keys(void **state)
{
    a_killed_owners_keys_are_free(state, "fork");
}

/* Takes and gives back as fast as it can, until it is killed anywhere. */
static int churn(const char *path, const char *seed)
{
    docket__side side;
    docket__board board;
    docket_error error;
    unsigned number = (unsigned)strtoul(seed, NULL, 10);
    if (sit(path, &side, &board, &error) != DOCKET_OK) {
        return 1;
    }
    for (;;) {
        number = number * 1103515245u + 12345u;
        if (take(&board, number >> 16 & 7) == DOCKET_OK) {
            give(&board, number >> 16 & 7);
        }
    }
}

static void any_instruction_may_be_the_last(void **state)
{
    desk *self = *state;
    char seed[16];
    int rounds = getenv("DOCKET_LONG") != NULL ? 2000 : 60;
    for (int round = 0; round < rounds; round++) {
        pid_t churners[2];
        for (int i = 0; i < 2; i++) {
            snprintf(seed, sizeof seed, "%d", 2 * round + i);
            churners[i] = child_start(NULL, CHILD_ARGUMENTS("churn", self->path, seed));
        }
        nanosleep(&(struct timespec){.tv_nsec = 8000000 + round * 37 % 1000 * 2000}, NULL);
        for (int i = 0; i < 2; i++) {
            kill(churners[i], SIGKILL);
            assert_int_equal(child_wait(churners[i], 10000), -SIGKILL);
        }
        for (unsigned i = 0; i < 8; i++) {
            assert_status(DOCKET_OK, take(&self->boards[0], i));
            assert_status(DOCKET_CONFLICT, take(&self->boards[1], i));
        }
        for (unsigned i = 0; i < 8; i++) {
            give(&self->boards[0], i);
        }
    }
}

/* ---- The file ---- */

static void reopen(desk *self, size_t i)
{
    docket__board_close(&self->boards[i]);
    docket__side_close(&self->sides[i]);
}

static void patch(const desk *self, off_t offset, const void *bytes, size_t size)
{
    int file = open(self->path, O_WRONLY);
    assert_int_equal(pwrite(file, bytes, size, offset), size);
    close(file);
}

static void a_foreign_file_is_refused(void **state)
{
    desk *self = *state;
    docket_error error;
    reopen(self, 0);
    patch(self, 0, "SQLite f", 8);
    assert_status(DOCKET_STORE, sit(self->path, &self->sides[0], &self->boards[0], &error));
    assert_contains(error.message, "no side file of docket");
    docket__side_close(&self->sides[0]);
    patch(self, 0, "docketbd", 8);
    patch(self, 8, &(uint32_t){99}, 4);
    assert_status(DOCKET_STORE, sit(self->path, &self->sides[0], &self->boards[0], &error));
    assert_contains(error.message, "format 99");
    docket__side_close(&self->sides[0]);
    patch(self, 8, &(uint32_t){1}, 4);
    assert_status(DOCKET_OK, sit(self->path, &self->sides[0], &self->boards[0], &error));
}

/* What a machine held before it was switched off has no owner any more. */
static void another_boot_begins_anew(void **state)
{
    desk *self = *state;
    docket_error error;
    assert_status(DOCKET_OK, take(&self->boards[0], 7));
    reopen(self, 0);
    reopen(self, 1);
    patch(self, 24, "00000000-0000-0000-0000-000000000000", 36);
    for (size_t i = 0; i < 2; i++) {
        assert_status(DOCKET_OK, sit(self->path, &self->sides[i], &self->boards[i], &error));
    }
    assert_status(DOCKET_OK, take(&self->boards[1], 7));
    give(&self->boards[1], 7);
}

static void a_closed_stores_keys_are_free(void **state)
{
    desk *self = *state;
    docket_error error;
    assert_status(DOCKET_OK, take(&self->boards[0], 7));
    reopen(self, 0);
    assert_status(DOCKET_OK, take(&self->boards[1], 7));
    assert_status(DOCKET_OK, sit(self->path, &self->sides[0], &self->boards[0], &error));
    assert_status(DOCKET_CONFLICT, take(&self->boards[0], 7));
    give(&self->boards[1], 7);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        return hold(argv[2], argv[3]);
    }
    if (argc == 4 && strcmp(argv[1], "churn") == 0) {
        return churn(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_has_one_owner, begin, end),
        cmocka_unit_test_setup_teardown(who_waits_is_stirred, begin, end),
        cmocka_unit_test_setup_teardown(a_full_stripe_makes_the_next_wait, begin, end),
        cmocka_unit_test_setup_teardown(a_killed_owner_is_found, begin, end),
        cmocka_unit_test_setup_teardown(a_killed_owners_child_does_not_keep_its_keys, begin, end),
        cmocka_unit_test_setup_teardown(any_instruction_may_be_the_last, begin, end),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(another_boot_begins_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_closed_stores_keys_are_free, begin, end),
    };
    return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}
