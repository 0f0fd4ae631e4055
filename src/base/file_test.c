#include "base/file.h"

#include "base/hash.h"
#include "support/check.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static folder place;
static char path[FOLDER_PATH_ROOM];

static int make_place(void **state)
{
    (void)state;
    place = folder_make();
    folder_file(&place, "file", path);
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Counts how often it is asked, which is once per chunk that is read, and stops at the given time. */
typedef struct counter {
    int asked, stop_at;
} counter;

static bool count(void *arg, const char *which, uint64_t done_bytes, uint64_t size_bytes)
{
    counter *self = arg;
    assert_string_equal(which, path);
    assert_true(done_bytes <= size_bytes);
    return ++self->asked != self->stop_at;
}

static void write_file(const void *bytes, size_t size)
{
    assert_true(file_write(path, bytes, size));
}

static void assert_digest_of(const void *bytes, size_t size)
{
    uint8_t expected[32], got[32];
    uint64_t got_size = 0;
    docket_error error = DOCKET_ERROR_INIT;
    assert_status(DOCKET_OK, docket__sha256(&(docket_bytes){bytes, size}, 1, expected));
    assert_status(DOCKET_OK, docket__file_digest(path, NULL, &got_size, got, &error));
    assert_int_equal(got_size, size);
    assert_memory_equal(got, expected, sizeof expected);
}

static void every_size_has_its_digest(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 262143, 262144, 262145, 524288, 3000000};
    char *bytes = malloc(3000000);
    assert_non_null(bytes);
    for (size_t i = 0; i < 3000000; i++) {
        bytes[i] = (char)(i * 31 >> 3);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file(bytes, sizes[i]);
        assert_digest_of(bytes, sizes[i]);
        assert_true(docket__file_has_size(path, sizes[i]));
        assert_false(docket__file_has_size(path, sizes[i] + 1));
    }
    free(bytes);
}

static void assert_refused(const char *which, int code, const char *message)
{
    uint8_t digest[32];
    uint64_t size = 7;
    docket_error error = DOCKET_ERROR_INIT;
    assert_status(DOCKET_FAILED, docket__file_digest(which, NULL, &size, digest, &error));
    assert_status(DOCKET_FAILED, error.status);
    assert_int_equal(error.code, code);
    assert_contains(error.message, which);
    assert_contains(error.message, message);
    assert_int_equal(size, 0);
    assert_false(docket__file_has_size(which, 0));
    assert_status(DOCKET_FAILED, docket__file_digest(which, NULL, &size, digest, NULL));
}

static void what_is_no_regular_file_is_refused(void **state)
{
    (void)state;
    char other[FOLDER_PATH_ROOM];
    assert_refused(path, ENOENT, "cannot be found");
    assert_refused(place.path, 0, "is not a regular file");
    assert_refused("/dev/zero", 0, "is not a regular file");
    assert_int_equal(mkfifo(folder_file(&place, "pipe", other), 0600), 0);
    assert_refused(other, 0, "is not a regular file");
    assert_int_equal(symlink("nowhere", folder_file(&place, "link", other)), 0);
    assert_refused(other, ENOENT, "cannot be found");
    write_file("x", 1);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(symlink("file", other), 0);
    assert_true(docket__file_has_size(other, 1));
}

static void unreadable_file_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        return; /* nothing is unreadable for root */
    }
    write_file("x", 1);
    assert_int_equal(chmod(path, 0), 0);
    uint8_t digest[32];
    uint64_t size = 0;
    docket_error error;
    assert_status(DOCKET_FAILED, docket__file_digest(path, NULL, &size, digest, &error));
    assert_int_equal(error.code, EACCES);
}

static void reading_stops_when_told(void **state)
{
    (void)state;
    uint8_t digest[32];
    uint64_t size = 0;
    docket_error error;
    counter stop = {.stop_at = 3};
    char *bytes = calloc(1, 2000000);
    write_file(bytes, 2000000);
    free(bytes);
    assert_status(DOCKET_CANCELLED,
                  docket__file_digest(path, &(docket__watch){count, &stop}, &size, digest, &error));
    assert_int_equal(stop.asked, 3);
    assert_status(DOCKET_CANCELLED, error.status);
}

/* How often a chunk was read for the digest: 0 = it was remembered. */
static int reads(uint8_t digest[32])
{
    uint64_t size = 0;
    counter asked = {0};
    assert_status(DOCKET_OK, docket__file_digest(path, &(docket__watch){count, &asked}, &size, digest, NULL));
    return asked.asked;
}

/* Until the file is old enough to be remembered; some seconds at most, where times have no fractions. */
static void wait_until_remembered(uint8_t digest[32])
{
    for (int tries = 0; tries < 200 && reads(digest) > 0; tries++) {
        nap(50);
    }
    assert_int_equal(reads(digest), 0);
}

static void digest_is_remembered_until_the_file_changes(void **state)
{
    (void)state;
    uint8_t before[32], after[32];
    struct stat old;
    write_file("before", 6);
    assert_int_not_equal(reads(before), 0);
    wait_until_remembered(before);
    assert_digest_of("before", 6);
    assert_int_equal(stat(path, &old), 0);
    write_file("after!", 6);
    const struct timespec times[] = {old.st_atim, old.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_not_equal(reads(after), 0);
    assert_digest_of("after!", 6);
    assert_memory_not_equal(before, after, 32);
    char moved[FOLDER_PATH_ROOM];
    wait_until_remembered(after);
    assert_int_equal(rename(path, folder_file(&place, "moved", moved)), 0);
    write_file("others", 6);
    assert_int_not_equal(reads(before), 0);
    assert_digest_of("others", 6);
}

/* Two changes within one tick of the file system's clock look the same from outside. */
static void quick_changes_are_never_missed(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        char text[16];
        snprintf(text, sizeof text, "%08d", i);
        write_file(text, 8);
        assert_digest_of(text, 8);
    }
}

static void memory_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        folder_file(&place, name, path);
        write_file(name, strlen(name));
    }
    nap(60);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1500; i++) {
            char name[16];
            snprintf(name, sizeof name, "f%d", i);
            folder_file(&place, name, path);
            assert_digest_of(name, strlen(name));
        }
    }
}

static void forked_child_reads_and_remembers(void **state)
{
    (void)state;
    uint8_t digest[32];
    write_file("text", 4);
    wait_until_remembered(digest);
    pid_t child = fork();
    if (child == 0) {
        uint8_t again[32];
        uint64_t size = 0;
        bool right = docket__file_digest(path, NULL, &size, again, NULL) == DOCKET_OK && size == 4 &&
                     memcmp(digest, again, 32) == 0;
        _exit(right ? 0 : 1);
    }
    int ended = -1;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(every_size_has_its_digest),
        IN_PLACE(what_is_no_regular_file_is_refused),
        IN_PLACE(unreadable_file_is_refused),
        IN_PLACE(reading_stops_when_told),
        IN_PLACE(digest_is_remembered_until_the_file_changes),
        IN_PLACE(quick_changes_are_never_missed),
        IN_PLACE(memory_is_bounded),
        IN_PLACE(forked_child_reads_and_remembers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
