/* Field report 49: a disk that is full in the middle of a save. The store lies on a file system of 4 MiB in memory, which
 * only this program sees: as root in a mount namespace of its own, else in a user namespace. Where neither is allowed the
 * program is skipped. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SKIPPED = 77, DISK_BYTES = 6 << 20, SIDE_FILE_BYTES = 1440 << 10, LARGE = 300 << 10, READERS = 8 };

DOCKET_STRUCT(Want, (INT64, n), (INT64, size));
DOCKET_BLOB(Pile);

/* ---- The disk ---- */

typedef struct disk {
    site *at;
    char path[300];    /* where it is mounted */
    char ballast[300]; /* a file on it */
    char url[300];
    char file[300];
} disk;

static disk mount_disk(site *at)
{
    disk made = {.at = at};
    snprintf(made.path, sizeof made.path, "%s/disk", at->folder.path);
    snprintf(made.ballast, sizeof made.ballast, "%.250s/ballast", made.path);
    snprintf(made.file, sizeof made.file, "%.250s/store.db", made.path);
    snprintf(made.url, sizeof made.url, "sqlite:%.250s", made.file);
    assert_int_equal(mkdir(made.path, 0700), 0);
    assert_int_equal(mount("tmpfs", made.path, "tmpfs", 0, "size=4m,mode=700"), 0);
    return made;
}

static void unmount_disk(disk *self)
{
    assert_int_equal(umount2(self->path, MNT_DETACH), 0);
    assert_int_equal(rmdir(self->path), 0);
}

static size_t free_bytes(const disk *self)
{
    struct statvfs room;
    assert_int_equal(statvfs(self->path, &room), 0);
    return (size_t)room.f_bavail * room.f_frsize;
}

/* Leaves so many bytes free. */
static void load(const disk *self, size_t left_free)
{
    remove(self->ballast);
    size_t room = free_bytes(self);
    int descriptor = open(self->ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    if (room > left_free) {
        assert_int_equal(posix_fallocate(descriptor, 0, (off_t)(room - left_free)), 0);
    }
    close(descriptor);
}

static void unload(const disk *self)
{
    remove(self->ballast);
}

static void assert_whole(const disk *self)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open_v2(self->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "ok");
    sqlite3_finalize(row);
    sqlite3_close(db);
}

/* ---- The work ---- */

static uint8_t letter_of(int64_t n, size_t place)
{
    return (uint8_t)((uint64_t)n * 31 + place % 251);
}

static bool is_pile(int64_t n, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != letter_of(n, i)) {
            return false;
        }
    }
    return true;
}

static docket_status heap_up(docket_ctx *ctx, Pile *out, const Want *in)
{
    ledger_note(docket_ctx_user(ctx), "entered-%d", (int)in->n);
    uint8_t *data = docket_alloc(ctx, (size_t)in->size + 1);
    for (size_t i = 0; data != NULL && i < (size_t)in->size; i++) {
        data[i] = letter_of(in->n, i);
    }
    *out = (Pile){data, (size_t)in->size};
    return DOCKET_OK;
}
DOCKET_STEP(heap_up, Pile, Want);

static docket_graph *pile_graph(docket_store *store, const char *folder_path)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = (void *)(uintptr_t)folder_path};
    docket_graph *graph = docket_graph_new("piles", NULL);
    if (docket_graph_add(graph, &heap_up_step, &options) != DOCKET_OK ||
        docket_graph_validate(graph, NULL) != DOCKET_OK) {
        abort();
    }
    return graph;
}

/* Says DOCKET_CORRUPT for a value that is not right. */
static docket_status ask(docket_graph *graph, int64_t n, int64_t size, docket_error *error)
{
    const Want want = {n, size};
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Pile),
                                                DOCKET_INPUTS(DOCKET_IN(Want, &want))});
    docket_status status = made.status;
    if (status == DOCKET_OK) {
        const Pile *pile = DOCKET_RESULT(made.result, Pile);
        status = pile->size == (size_t)size && is_pile(n, pile->data, pile->size) ? DOCKET_OK : DOCKET_CORRUPT;
    }
    *error = made.error;
    outcome_free(&made);
    return status;
}

static long entries_of(const disk *on, int64_t n)
{
    return ledger_count(on->at->folder.path, "entered-%d", (int)n);
}

/* A store on the disk; the retries are for faults that pass, which a full disk is not. */
static docket_store *open_on(const disk *on)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    docket_status status = docket_store_open(&store, on->url, NULL, &error);
    assert_string_equal(error.message, "");
    assert_status(DOCKET_OK, status);
    return store;
}

/* Fills the disk with results of this size; the number of the one that did not fit. */
static int64_t fill(const disk *on, docket_graph *graph, int64_t size)
{
    docket_error error;
    for (int64_t n = 0; n < 10000; n++) {
        docket_status status = ask(graph, n, size, &error);
        if (status != DOCKET_OK) {
            assert_status(DOCKET_STORE, status);
            assert_contains(error.message, "no space");
            assert_string_equal(error.step, "heap_up");
            assert_int_equal(entries_of(on, n), 1);
            return n;
        }
    }
    fail_msg("the disk is never full");
    return -1;
}

static void assert_restored(const disk *on, docket_graph *graph, int64_t count, int64_t size)
{
    docket_error error;
    for (int64_t n = 0; n < count; n++) {
        assert_status(DOCKET_OK, ask(graph, n, size, &error));
        assert_int_equal(entries_of(on, n), 1);
    }
}

static void forget_ledger(const disk *on, int64_t count)
{
    char path[FOLDER_PATH_ROOM], name[32];
    for (int64_t n = 0; n < count; n++) {
        snprintf(name, sizeof name, "ledger-entered-%d", (int)n);
        remove(folder_file(&on->at->folder, name, path));
    }
}

/* Until it is full; then room is made, in the same process or after a restart, and the work goes on where it stopped. */
static void assert_goes_on(site *at, int64_t size, bool restart)
{
    docket_error error;
    disk on = mount_disk(at);
    load(&on, DISK_BYTES / 2);
    docket_store *store = open_on(&on);
    docket_graph *graph = pile_graph(store, at->folder.path);
    int64_t full = fill(&on, graph, size);
    assert_true(full > 0);
    assert_restored(&on, graph, full, size);
    assert_status(DOCKET_STORE, ask(graph, full, size, &error));
    assert_int_equal(entries_of(&on, full), 2);
    if (restart) {
        docket_graph_free(graph);
        docket_store_close(store);
        store = open_on(&on);
        graph = pile_graph(store, at->folder.path);
        assert_restored(&on, graph, full, size);
    }
    unload(&on);
    assert_status(DOCKET_OK, ask(graph, full, size, &error));
    assert_status(DOCKET_OK, ask(graph, full, size, &error));
    assert_int_equal(entries_of(&on, full), 3);
    assert_restored(&on, graph, full, size);
    docket_graph_free(graph);
    docket_store_close(store);
    assert_whole(&on);
    forget_ledger(&on, full + 1);
    unmount_disk(&on);
}

static void fr_49_work_goes_on_when_there_is_room_again(void **state)
{
    static const int64_t sizes[] = {LARGE, 1000, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_goes_on(*state, sizes[i], false);
    }
}

static void fr_49_work_goes_on_after_a_restart(void **state)
{
    static const int64_t sizes[] = {LARGE, 1000, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_goes_on(*state, sizes[i], true);
    }
}

/* The disk is full at another place each time: while the store is made, its log, its index, its side file. */
static void fr_49_disk_of_any_room_is_told_or_used(void **state)
{
    site *at = *state;
    docket_error error;
    int refused = 0, used = 0;
    for (size_t left = 0; left <= (size_t)site_count(1800 << 10, 3 << 20); left += left < SIDE_FILE_BYTES ? 65536 : 8192) {
        disk on = mount_disk(at);
        docket_store *store = NULL;
        load(&on, left);
        docket_status status = docket_store_open(&store, on.url, NULL, &error);
        if (status == DOCKET_OK) {
            docket_graph *graph = pile_graph(store, at->folder.path);
            status = ask(graph, 0, 100000, &error);
            docket_graph_free(graph);
            docket_store_close(store);
        }
        if (status != DOCKET_OK) {
            assert_status(DOCKET_STORE, status);
            assert_contains(error.message, "no space");
        }
        refused += status != DOCKET_OK;
        used += status == DOCKET_OK;
        unload(&on);
        store = open_on(&on);
        docket_graph *graph = pile_graph(store, at->folder.path);
        assert_status(DOCKET_OK, ask(graph, 0, 100000, &error));
        docket_graph_free(graph);
        docket_store_close(store);
        assert_whole(&on);
        assert_true(entries_of(&on, 0) <= 2);
        forget_ledger(&on, 1);
        unmount_disk(&on);
    }
    assert_true(refused > 0 && used > 0);
}

static void fr_49_forgetting_on_a_full_disk_is_told(void **state)
{
    site *at = *state;
    docket_error error;
    uint64_t count = 0;
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "heap_up"};
    disk on = mount_disk(at);
    docket_store *store = open_on(&on);
    docket_graph *graph = pile_graph(store, at->folder.path);
    for (int64_t n = 0; n < 4; n++) {
        assert_status(DOCKET_OK, ask(graph, n, LARGE, &error));
    }
    load(&on, 0);
    docket_status status = docket_checkpoint_forget(store, &all, &count, &error);
    if (status != DOCKET_OK) {
        assert_status(DOCKET_STORE, status);
        assert_contains(error.message, "no space");
        assert_int_equal(count, 0);
        assert_restored(&on, graph, 4, LARGE);
        unload(&on);
        assert_status(DOCKET_OK, docket_checkpoint_forget(store, &all, &count, &error));
    }
    assert_int_equal(count, 4);
    unload(&on);
    docket_graph_free(graph);
    docket_store_close(store);
    assert_whole(&on);
    forget_ledger(&on, 4);
    unmount_disk(&on);
}

/* ---- Readers beside the writer ---- */

typedef struct reading {
    docket_store *store;
    int wrong, seen;
} reading;

static bool read_entry(void *arg, const docket_checkpoint *entry)
{
    reading *self = arg;
    docket_error error;
    docket_buffer *buffer = docket_buffer_new();
    docket_status status = docket_checkpoint_read(self->store, entry->key, buffer, &error);
    if (status == DOCKET_OK) {
        docket_bytes bytes = docket_buffer_bytes(buffer);
        int64_t n = strtol(entry->execution_id, NULL, 10);
        self->wrong += bytes.size != LARGE || entry->size_bytes != LARGE || !is_pile(n, bytes.data, bytes.size);
        self->seen++;
    } else {
        self->wrong += status != DOCKET_MISSING;
    }
    docket_buffer_free(buffer);
    return true;
}

/* A process that reads all there is, until it is told to stop. */
static int read_all(const char *url, const char *folder_path)
{
    reading self = {.wrong = 0};
    const docket_store_options look = {DOCKET_STORE_OPTIONS_INIT, .read_only = true};
    if (docket_store_open(&self.store, url, &look, NULL) != DOCKET_OK) {
        return 2;
    }
    for (bool told = false; !told;) {
        told = ledger_count(folder_path, "stop") > 0; /* and once more after that */
        docket_error error;
        if (docket_checkpoint_list(self.store, NULL, read_entry, &self, &error) != DOCKET_OK) {
            self.wrong++;
        }
    }
    docket_store_close(self.store);
    return self.wrong != 0 ? 3 : self.seen == 0 ? 4 : 0;
}

static void fr_49_readers_see_whole_values_or_none(void **state)
{
    site *at = *state;
    pid_t readers[READERS];
    disk on = mount_disk(at);
    docket_store *store = open_on(&on);
    docket_graph *graph = pile_graph(store, at->folder.path);
    int64_t n = 0;
    int failures = 0;
    for (int i = 0; i < READERS; i++) {
        readers[i] = child_start(NULL, CHILD_ARGUMENTS("read", on.url, at->folder.path));
    }
    /* Full, room again, full: the execution's id tells what the value must be. */
    for (int attempt = 0; attempt < 25; attempt++) {
        char id[16];
        const Want want = {n, LARGE};
        snprintf(id, sizeof id, "%d", (int)n);
        outcome made =
            run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Pile),
                                         DOCKET_INPUTS(DOCKET_IN(Want, &want))});
        assert_true(made.status == DOCKET_OK || made.status == DOCKET_STORE);
        failures += made.status != DOCKET_OK;
        n += made.status == DOCKET_OK;
        outcome_free(&made);
        if (attempt % 5 == 0) {
            load(&on, attempt % 10 == 0 ? LARGE : 3 * LARGE);
        }
    }
    ledger_note(at->folder.path, "stop");
    int ends = 0;
    for (int i = 0; i < READERS; i++) {
        ends |= child_wait(readers[i], 60000);
    }
    assert_int_equal(ends, 0);
    assert_true(failures > 0 && n > 0);
    docket_graph_free(graph);
    docket_store_close(store);
    assert_whole(&on);
    unmount_disk(&on);
}

/* ---- Killed while saving ---- */

/* Saves results one after another, and notes each that it was told of as saved; a full disk is no reason to stop. */
static int save_until_killed(const char *url, const char *folder_path, int64_t first)
{
    docket_store *store = NULL;
    docket_error error;
    if (docket_store_open(&store, url, NULL, &error) != DOCKET_OK) {
        return error.status == DOCKET_STORE ? 0 : 2;
    }
    docket_graph *graph = pile_graph(store, folder_path);
    for (int64_t n = first; n < first + 1000; n++) {
        docket_status status = ask(graph, n, 30000, &error);
        if (status == DOCKET_OK) {
            ledger_note(folder_path, "saved-%d", (int)n);
        } else if (status != DOCKET_STORE) {
            return 3;
        }
    }
    return 0;
}

/* All that was noted as saved is there; then the place is made free again. Where even that finds no room, the store is
 * removed. */
static long assert_saved_is_there(const disk *on, int64_t first)
{
    docket_error error;
    uint64_t count;
    long saved = 0;
    docket_store *store = open_on(on);
    docket_graph *graph = pile_graph(store, on->at->folder.path);
    for (int64_t n = first; n < first + 1000 && entries_of(on, n) > 0; n++) {
        if (ledger_count(on->at->folder.path, "saved-%d", (int)n) > 0) {
            assert_status(DOCKET_OK, ask(graph, n, 30000, &error));
            assert_int_equal(entries_of(on, n), 1);
            saved++;
        }
    }
    const docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "heap_up"};
    docket_status status = docket_checkpoint_forget(store, &all, &count, &error);
    docket_graph_free(graph);
    docket_store_close(store);
    assert_whole(on);
    if (status != DOCKET_OK) {
        assert_status(DOCKET_STORE, status);
        assert_contains(error.message, "no space");
        assert_status(DOCKET_OK, docket_store_delete(on->url, &error));
    }
    return saved;
}

static void fr_49_every_kill_leaves_a_readable_store(void **state)
{
    site *at = *state;
    uint64_t seed = site_seed();
    disk on = mount_disk(at);
    long saved = 0, killed = 0;
    for (int64_t round = 0; round < site_count(200, 5000); round++) {
        load(&on, site_random(&seed) % DISK_BYTES);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            _exit(save_until_killed(on.url, at->folder.path, round * 1000));
        }
        assert_true(child > 0);
        for (int waited = 0; waited < 100 && entries_of(&on, round * 1000) == 0; waited++) {
            usleep(1000); /* a disk too full to begin is tried as well */
        }
        usleep((useconds_t)(site_random(&seed) % 15000));
        kill(child, SIGKILL);
        int end = child_wait(child, 60000);
        assert_true(end == 0 || end == -SIGKILL);
        killed += end == -SIGKILL;
        unload(&on);
        saved += assert_saved_is_there(&on, round * 1000);
    }
    print_message("%ld kills, %ld saved\n", killed, saved);
    assert_true(killed > 0 && saved > 0);
    unmount_disk(&on);
}

/* ---- A place for the disk ---- */

/* True if this process sees its own mounts, and may make them. */
static bool is_apart(void)
{
    folder tried = folder_make();
    bool mounted = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("tmpfs", tried.path, "tmpfs", 0, "size=64k") == 0;
    if (mounted) {
        umount2(tried.path, MNT_DETACH);
    }
    folder_remove(&tried);
    return mounted;
}

/* Starts this program again in a user namespace, where it may mount. Returns if there can be none. */
static void start_in_user_namespace(void)
{
    char program[512];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (getenv("DOCKET_TEST_IN_NAMESPACE") != NULL || length <= 0) {
        return;
    }
    program[length] = '\0';
    setenv("DOCKET_TEST_IN_NAMESPACE", "1", 1);
    execlp("unshare", "unshare", "--user", "--map-root-user", "--mount", program, (char *)NULL);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "read") == 0) {
        return read_all(argv[2], argv[3]);
    }
    if (!is_apart()) {
        start_in_user_namespace();
        print_message("no file system can be mounted here\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_49_every_kill_leaves_a_readable_store),
        SITE_SQLITE(fr_49_work_goes_on_when_there_is_room_again),
        SITE_SQLITE(fr_49_work_goes_on_after_a_restart),
        SITE_SQLITE(fr_49_disk_of_any_room_is_told_or_used),
        SITE_SQLITE(fr_49_forgetting_on_a_full_disk_is_told),
        SITE_SQLITE(fr_49_readers_see_whole_values_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
