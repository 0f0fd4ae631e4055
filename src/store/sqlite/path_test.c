/* Links, and file systems, by path. */
#include "store/sqlite/path.h"
#include "support/check.h"
#include "support/folder.h"

#include <docket/docket.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct place {
    folder folder;
    char file[FOLDER_PATH_ROOM], victim[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 8];
    docket_error error;
} place;

static const char victim_bytes[] = "do not touch";

static int setup(void **state)
{
    place *self = calloc(1, sizeof *self);
    self->folder = folder_make();
    folder_file(&self->folder, "store.db", self->file);
    folder_file(&self->folder, "victim", self->victim);
    snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
    if (!file_write(self->victim, victim_bytes, sizeof victim_bytes)) {
        return 1;
    }
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    place *self = *state;
    docket__path_statfs = statfs;
    folder_remove(&self->folder);
    free(self);
    return 0;
}

static docket_status open_and_close(place *self, const char *url)
{
    docket_store *store = NULL;
    docket_status status = docket_store_open(&store, url, NULL, &self->error);
    docket_store_close(store);
    return status;
}

static void assert_victim_is_whole(const place *self)
{
    size_t size;
    uint8_t *bytes = file_read(self->victim, &size);
    assert_int_equal(size, sizeof victim_bytes);
    assert_memory_equal(bytes, victim_bytes, size);
    free(bytes);
}

static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-docket"};
enum { SUFFIXES = sizeof suffixes / sizeof suffixes[0] };

static void planted_links_are_refused(void **state)
{
    place *self = *state;
    char nowhere[FOLDER_PATH_ROOM];
    folder_file(&self->folder, "nowhere", nowhere);
    for (int i = 0; i < 3 * SUFFIXES; i++) {
        char name[FOLDER_PATH_ROOM + 16];
        snprintf(name, sizeof name, "%s%s", self->file, suffixes[i % SUFFIXES]);
        assert_int_equal(i / SUFFIXES == 0   ? symlink(self->victim, name)
                         : i / SUFFIXES == 1 ? symlink(nowhere, name)
                                             : link(self->victim, name),
                         0);
        assert_status(DOCKET_STORE, open_and_close(self, self->url));
        assert_contains(self->error.message, "link");
        assert_contains(self->error.message, name);
        assert_victim_is_whole(self);
        assert_false(file_exists(nowhere));
        assert_int_equal(folder_entry_count(self->folder.path), 2);
        assert_status(DOCKET_STORE, docket_store_delete(self->url, &self->error));
        assert_victim_is_whole(self);
        assert_int_equal(unlink(name), 0);
    }
    assert_status(DOCKET_OK, open_and_close(self, self->url));
}

static void links_planted_beside_a_store_are_refused(void **state)
{
    place *self = *state;
    assert_status(DOCKET_OK, open_and_close(self, self->url));
    for (int i = 1; i < SUFFIXES; i++) {
        char name[FOLDER_PATH_ROOM + 16];
        snprintf(name, sizeof name, "%s%s", self->file, suffixes[i]);
        unlink(name);
        assert_int_equal(symlink(self->victim, name), 0);
        assert_status(DOCKET_STORE, open_and_close(self, self->url));
        assert_victim_is_whole(self);
        assert_int_equal(unlink(name), 0);
    }
    assert_status(DOCKET_OK, open_and_close(self, self->url));
}

static void folders_may_be_links(void **state)
{
    place *self = *state;
    char way[FOLDER_PATH_ROOM], real[FOLDER_PATH_ROOM];
    char url[FOLDER_PATH_ROOM + 24];
    assert_int_equal(mkdir(folder_file(&self->folder, "real", real), 0700), 0);
    assert_int_equal(symlink("real", folder_file(&self->folder, "way", way)), 0);
    snprintf(url, sizeof url, "sqlite:%s/../way/store.db", way);
    assert_status(DOCKET_OK, open_and_close(self, url));
    snprintf(url, sizeof url, "%s/store.db", real);
    assert_true(file_exists(url));
}

static void what_is_no_file_is_refused(void **state)
{
    place *self = *state;
    static const struct {
        const char *path, *part;
        docket_status status;
    } cases[] = {
        {"", "empty", DOCKET_INVALID},
        {":memory:", "memory:", DOCKET_INVALID},
        {"/", "directory", DOCKET_STORE},
        {"/tmp", "directory", DOCKET_STORE},
        {"/tmp/", "directory", DOCKET_STORE},
        {"/tmp/..", "directory", DOCKET_STORE},
        {".", "directory", DOCKET_STORE},
        {"/dev/null", "special", DOCKET_STORE},
        {"/no/such/folder/store.db", "folder", DOCKET_STORE},
        {"/dev/null/store.db", "Not a directory", DOCKET_STORE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char url[64];
        snprintf(url, sizeof url, "sqlite:%s", cases[i].path);
        assert_status(cases[i].status, open_and_close(self, url));
        assert_contains(self->error.message, cases[i].part);
        assert_contains(self->error.message, cases[i].path);
    }
}

/* ---- File systems ---- */

static long pretended;

static int pretend(const char *path, struct statfs *status)
{
    int result = statfs(path, status);
    status->f_type = (__typeof__(status->f_type))pretended;
    return result;
}

static void network_file_systems_are_refused(void **state)
{
    place *self = *state;
    static const struct {
        long number;
        const char *name;
    } systems[] = {{0x6969, "NFS"},
                   {0x517b, "SMB"},
                   {(long)0xff534d42, "CIFS"},
                   {(long)0xfe534d42, "SMB2"},
                   {0x01021997, "9p"}};
    docket__path_statfs = pretend;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        pretended = systems[i].number;
        assert_status(DOCKET_STORE, open_and_close(self, self->url));
        assert_contains(self->error.message, systems[i].name);
        assert_contains(self->error.message, "server store");
        assert_int_equal(folder_entry_count(self->folder.path), 1);
    }
    pretended = (int)0xff534d42; /* as some platforms hand it over */
    assert_status(DOCKET_STORE, open_and_close(self, self->url));
    pretended = 0xef53; /* ext4 */
    assert_status(DOCKET_OK, open_and_close(self, self->url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(planted_links_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(links_planted_beside_a_store_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_may_be_links, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(network_file_systems_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
