/* SIGKILL at every system call with which a step's file is made, kept, recorded and swept; and a disk that is full, or an
 * error, at each of them. Under a kept name stands the whole file or none, what was recorded is found, and nothing is left
 * of the dead. */
#include "crash/hook.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/run.h"
#include "support/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 60000, MOST_CALLS = 2000, BYTES = 200000, REFUSED = 3 };

DOCKET_STRUCT(Seed, (INT64, n));
DOCKET_STRUCT(Video, (FILE, first), (FILE, second));

static atomic_int rendered;

/* In children, where a failed assertion has nowhere to go. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

static bool fill(const char *path, char letter)
{
    char bytes[4096];
    bool right = true;
    memset(bytes, letter, sizeof bytes);
    FILE *file = fopen(path, "wb");
    for (int i = 0; i < BYTES / (int)sizeof bytes && file != NULL; i++) {
        right = fwrite(bytes, sizeof bytes, 1, file) == 1 && right;
    }
    return file != NULL && fclose(file) == 0 && right;
}

static docket_status render(docket_ctx *ctx, Video *out, const Seed *seed)
{
    const char *first, *second;
    atomic_fetch_add(&rendered, 1);
    docket_status status = docket_file_new(ctx, &first, "first.mp4");
    if (status == DOCKET_OK) {
        status = docket_file_new(ctx, &second, "second.mp4");
    }
    if (status != DOCKET_OK) {
        return status;
    }
    hook_pause();
    bool right = fill(first, 'a') && fill(second, (char)('b' + seed->n));
    hook_resume();
    if (!right) {
        return docket_fail(ctx, errno, "cannot write");
    }
    status = docket_file_keep(ctx, &out->first, first);
    return status == DOCKET_OK ? docket_file_keep(ctx, &out->second, second) : status;
}
DOCKET_STEP(render, Video, Seed);

/* ---- The child ---- */

static char url[300], depot[300];

/* Records a video and forgets it, records another, and purges. */
static docket_status work(docket_store *store, bool forgets)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "render"};
    docket_error error;
    docket_graph *graph = graph_of_one(NULL, &render_step, &options);
    docket_status status = DOCKET_OK;
    for (int64_t n = 0; n < 2 && status == DOCKET_OK; n++) {
        const Seed seed = {n};
        if (n == 1 && forgets) {
            status = docket_checkpoint_forget(store, &all, NULL, &error);
        }
        if (status == DOCKET_OK) {
            status = run_for_status(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Video),
                                                             DOCKET_INPUTS(DOCKET_IN(Seed, &seed))});
        }
    }
    docket_graph_free(graph);
    return status == DOCKET_OK ? docket_store_purge(store, NULL, &error) : status;
}

static pid_t start_child(hook_action action, long number, int code)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        docket_store *store = NULL;
        docket_error error;
        docket_status status = docket_store_open(&store, url, NULL, &error);
        if (status == DOCKET_OK) {
            hook_begin(action, number, code);
            status = work(store, true);
            hook_end();
        }
        docket_store_close(store);
        _exit(status == DOCKET_OK ? 0 : status == DOCKET_STORE || status == DOCKET_FAILED ? REFUSED : 1);
    }
    return child;
}

/* ---- Looking at what is left ---- */

static void require_whole(const char *name)
{
    char path[600], digits[65];
    size_t size;
    unsigned char digest[32];
    snprintf(path, sizeof path, "%s/%s", depot, name);
    uint8_t *bytes = file_read(path, &size);
    REQUIRE(bytes != NULL);
    REQUIRE(EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1);
    free(bytes);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    }
    REQUIRE(strncmp(name, "docket_", 7) == 0 && strncmp(name + 7, digits, 64) == 0);
}

/* Kept files, each of them whole. */
static int count_whole(void)
{
    int count = 0;
    DIR *listing = opendir(depot);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "new") != 0) {
            require_whole(entry->d_name);
            count++;
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return count;
}

static bool require_files(void *arg, const docket_checkpoint *entry)
{
    docket_store *store = arg;
    docket_error error;
    Video video;
    docket_buffer *bytes = docket_buffer_new();
    docket_arena *arena = docket_arena_new();
    REQUIRE(docket_checkpoint_read(store, entry->key, bytes, &error) == DOCKET_OK);
    REQUIRE(docket_decode(DOCKET_OF(Video), docket_buffer_bytes(bytes), arena, &video, &error) == DOCKET_OK);
    REQUIRE(docket_file_locate(store, arena, &video.first, &error) == DOCKET_OK);
    REQUIRE(docket_file_locate(store, arena, &video.second, &error) == DOCKET_OK);
    REQUIRE(file_exists(video.first.path) && file_exists(video.second.path));
    docket_arena_free(arena);
    docket_buffer_free(bytes);
    return true;
}

/* Every record has its files; a purge leaves these and nothing else; and all goes on. */
static void require_recovery(void)
{
    docket_store *store = NULL;
    docket_error error;
    char desks[320];
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "render"};
    snprintf(desks, sizeof desks, "%s/new", depot);
    count_whole();
    REQUIRE(docket_store_open(&store, url, NULL, &error) == DOCKET_OK);
    REQUIRE(docket_checkpoint_list(store, &all, require_files, store, &error) == DOCKET_OK);
    REQUIRE(docket_store_purge(store, NULL, &error) == DOCKET_OK);
    REQUIRE(folder_entry_count(desks) <= 0);
    REQUIRE(work(store, false) == DOCKET_OK);
    REQUIRE(count_whole() == 3); /* the two first are equal */
    REQUIRE(folder_entry_count(desks) == 0);
    atomic_store(&rendered, 0);
    REQUIRE(work(store, false) == DOCKET_OK);
    REQUIRE(atomic_load(&rendered) == 0);
    REQUIRE(docket_checkpoint_forget(store, &all, NULL, &error) == DOCKET_OK);
    REQUIRE(count_whole() == 0);
    docket_store_close(store);
    REQUIRE(docket_store_delete(url, &error) == DOCKET_OK);
}

static int recover(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        require_recovery();
        _exit(0);
    }
    return child_wait(child, LIMIT_MS);
}

/* False: there was no such call. */
static bool hit_once(hook_action action, long number, int code)
{
    folder place = folder_make();
    snprintf(url, sizeof url, "sqlite:%s/store.db", place.path);
    snprintf(depot, sizeof depot, "%s/store.db-files", place.path);
    int ended = child_wait(start_child(action, number, code), LIMIT_MS);
    bool struck = hook_struck();
    bool kills = action == HOOK_KILL_BEFORE || action == HOOK_KILL_AFTER;
    bool right = !struck ? ended == 0 : kills ? ended == -SIGKILL : ended == REFUSED || ended == 0;
    if (!right) {
        fail_msg("call %ld: the child ended with %d (%s)", number, ended, place.path);
    }
    if (recover() != 0) {
        fail_msg("call %ld: what came after it failed (%s)", number, place.path);
    }
    assert_int_equal(folder_entry_count(place.path), 0);
    folder_remove(&place);
    return struck;
}

static void hit_each(hook_action action, int code)
{
    long number = 1;
    long step = site_count(code == 0 ? 1 : 5, 1);
    while (hit_once(action, number, code)) {
        number += step;
        assert_true(number < MOST_CALLS);
    }
    print_message("%ld calls\n", number - 1);
    assert_true(hook_count(HOOK_RENAME) > 0 && hook_count(HOOK_LOCK) > 0 && hook_count(HOOK_SYNC) > 4 &&
                hook_count(HOOK_UNLINK) > 0 && hook_count(HOOK_NODE) > 0);
}

static void test_killed_before(void **state)
{
    (void)state;
    hit_each(HOOK_KILL_BEFORE, 0);
}

static void test_killed_after(void **state)
{
    (void)state;
    hit_each(HOOK_KILL_AFTER, 0);
}

static void test_disk_full(void **state)
{
    (void)state;
    hit_each(HOOK_FAIL, ENOSPC);
}

static void test_disk_full_from_there(void **state)
{
    (void)state;
    hit_each(HOOK_FAIL_FROM, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest brief[] = {
        cmocka_unit_test(test_killed_before),
        cmocka_unit_test(test_disk_full),
    };
    const struct CMUnitTest complete[] = {
        cmocka_unit_test(test_killed_before),
        cmocka_unit_test(test_killed_after),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_disk_full_from_there),
    };
    bool is_long = site_count(0, 1) != 0;
    hook_install();
    return is_long ? cmocka_run_group_tests_name("files", complete, NULL, NULL)
                   : cmocka_run_group_tests_name("files", brief, NULL, NULL);
}
