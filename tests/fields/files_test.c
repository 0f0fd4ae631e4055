/* Field report 58: predictable files and open permissions. Every file of a store is for its owner only, and what others
 * planted in its place is refused and left as it is. */
#include "support/run.h"
#include "support/site.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Square, (INT64, n), (STRING, padding));

/* The names that a store uses. */
static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-docket"};
enum { SUFFIX_COUNT = sizeof suffixes / sizeof suffixes[0] };

static const char victim_text[] = "the victim's own words, which nobody may change";

/* ---- Watching a folder ---- */

typedef struct watch {
    pthread_t thread;
    const char *folder_path;
    const char *base; /* of the database's name */
    atomic_bool ended;
    atomic_uint seen;                  /* a bit per suffix */
    int open_modes, strangers, others; /* files with bits for others; of other names; not regular */
    char example[300];
} watch;

static void look_at(watch *self, const struct dirent *entry)
{
    char path[600];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", self->folder_path, entry->d_name);
    if (entry->d_name[0] == '.' || lstat(path, &status) != 0) {
        return;
    }
    bool known = false;
    for (unsigned i = 0; i < SUFFIX_COUNT; i++) {
        size_t length = strlen(self->base);
        if (strncmp(entry->d_name, self->base, length) == 0 && strcmp(entry->d_name + length, suffixes[i]) == 0) {
            atomic_fetch_or(&self->seen, 1u << i);
            known = true;
        }
    }
    bool is_open = (status.st_mode & 0777) != 0600;
    self->strangers += !known;
    self->others += !S_ISREG(status.st_mode);
    self->open_modes += is_open;
    if (!known || is_open || !S_ISREG(status.st_mode)) {
        snprintf(self->example, sizeof self->example, "%s: mode %o", entry->d_name, status.st_mode);
    }
}

static void *keep_looking(void *arg)
{
    watch *self = arg;
    while (!atomic_load(&self->ended)) {
        DIR *listing = opendir(self->folder_path);
        const struct dirent *entry;
        while (listing != NULL && (entry = readdir(listing)) != NULL) {
            look_at(self, entry);
        }
        if (listing != NULL) {
            closedir(listing);
        }
    }
    return NULL;
}

static void watch_start(watch *self, const site *at)
{
    *self = (watch){.folder_path = at->folder.path, .base = "store.db"};
    assert_int_equal(pthread_create(&self->thread, NULL, keep_looking, self), 0);
}

static void watch_end(watch *self)
{
    atomic_store(&self->ended, true);
    pthread_join(self->thread, NULL);
    if (self->open_modes + self->strangers + self->others > 0) {
        print_error("%s\n", self->example);
    }
    assert_int_equal(self->open_modes, 0);
    assert_int_equal(self->strangers, 0);
    assert_int_equal(self->others, 0);
}

/* ---- Using a store ---- */

static docket_status square(docket_ctx *ctx, Square *out, const Number *in)
{
    char *padding = docket_alloc(ctx, 20001);
    if (padding != NULL) {
        memset(padding, 'x', 20000);
    }
    out->padding = padding;
    out->n = in->n * in->n;
    return DOCKET_OK;
}
DOCKET_STEP(square, Square, Number);

static docket_status square_one(docket_graph *graph, int64_t n)
{
    const Number number = {n};
    return run_for_status(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Square),
                                                   DOCKET_INPUTS(DOCKET_IN(Number, &number))});
}

static docket_graph *square_graph(docket_store *store)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
    return graph_of_one(NULL, &square_step, &options);
}

/* Opens, records, purges and closes. */
static void use(site *at, int64_t first)
{
    docket_error error;
    uint64_t count;
    docket_graph *graph = square_graph(site_open(at, NULL));
    for (int64_t n = first; n < first + 5; n++) {
        assert_status(DOCKET_OK, square_one(graph, n));
    }
    assert_status(DOCKET_OK, docket_store_purge(at->store, &count, &error));
    docket_graph_free(graph);
    site_close(at);
}

static void fr_58_files_are_for_their_owner_only(void **state)
{
    site *at = *state;
    static const mode_t masks[] = {0022, 0000, 0077, 0027};
    watch by;
    watch_start(&by, at);
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        for (int64_t round = 0; round < 5; round++) {
            use(at, 10 * round);
        }
        assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
        assert_int_equal(folder_entry_count(at->folder.path), 0);
        umask(before);
    }
    watch_end(&by);
    assert_int_equal(atomic_load(&by.seen) & 1u, 1u);
}

/* The files of a store that is in use, one by one. */
static void fr_58_files_of_an_open_store_are_for_their_owner_only(void **state)
{
    site *at = *state;
    mode_t before = umask(0);
    docket_graph *graph = square_graph(site_open(at, NULL));
    assert_status(DOCKET_OK, square_one(graph, 1));
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        char path[FOLDER_PATH_ROOM];
        struct stat status;
        snprintf(path, sizeof path, "%s%s", at->file, suffixes[i]);
        bool there = lstat(path, &status) == 0;
        assert_true(there || strcmp(suffixes[i], "-journal") == 0);
        if (there) {
            assert_int_equal(status.st_mode & 07777, 0600);
            assert_int_equal(status.st_uid, geteuid());
        }
    }
    docket_graph_free(graph);
    umask(before);
}

/* ---- Planted things ---- */

typedef enum plant { LINK, DANGLING_LINK, LINK_TO_FOLDER, HARD_LINK, FOLDER, PIPE, PLANT_COUNT } plant;

static const char *place(const site *at, const char *suffix, char path[FOLDER_PATH_ROOM])
{
    snprintf(path, FOLDER_PATH_ROOM, "%s%s", at->file, suffix);
    return path;
}

static void plant_at(const site *at, const folder *elsewhere, const char *path, plant what)
{
    char victim[FOLDER_PATH_ROOM], missing[FOLDER_PATH_ROOM];
    (void)at;
    folder_file(elsewhere, "victim", victim);
    folder_file(elsewhere, "missing", missing);
    switch (what) {
    case LINK:
        assert_int_equal(symlink(victim, path), 0);
        break;
    case DANGLING_LINK:
        assert_int_equal(symlink(missing, path), 0);
        break;
    case LINK_TO_FOLDER:
        assert_int_equal(symlink(elsewhere->path, path), 0);
        break;
    case HARD_LINK:
        assert_int_equal(link(victim, path), 0);
        break;
    case FOLDER:
        assert_int_equal(mkdir(path, 0700), 0);
        break;
    default:
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

/* The victim has its own words, nothing was made beside it, and the planted thing stands as it stood. */
static void assert_untouched(const folder *elsewhere, const char *path, const struct stat *planted)
{
    char victim[FOLDER_PATH_ROOM];
    struct stat now;
    size_t size;
    uint8_t *text = file_read(folder_file(elsewhere, "victim", victim), &size);
    assert_non_null(text);
    assert_int_equal(size, sizeof victim_text - 1);
    assert_memory_equal(text, victim_text, size);
    free(text);
    assert_int_equal(stat(victim, &now), 0);
    assert_int_equal(now.st_mode & 0777, 0644);
    assert_int_equal(folder_entry_count(elsewhere->path), 1);
    assert_int_equal(lstat(path, &now), 0);
    assert_true(now.st_ino == planted->st_ino && now.st_mode == planted->st_mode);
}

static void assert_refused(site *at, const docket_store_options *options)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_status status = docket_store_open(&at->store, at->url, options, &error);
    assert_status(DOCKET_STORE, status);
    assert_null(at->store);
    assert_contains(error.message, at->file);
}

static folder make_victim(void)
{
    char victim[FOLDER_PATH_ROOM];
    folder elsewhere = folder_make();
    assert_true(file_write(folder_file(&elsewhere, "victim", victim), victim_text, sizeof victim_text - 1));
    assert_int_equal(chmod(victim, 0644), 0);
    return elsewhere;
}

/* In the place of each of its files, before the store is made and after. */
static void assert_planted_is_refused(site *at, bool made_before)
{
    const docket_store_options look = {DOCKET_STORE_OPTIONS_INIT, .read_only = true};
    folder elsewhere = make_victim();
    for (size_t i = made_before ? 1 : 0; i < SUFFIX_COUNT; i++) {
        for (int what = LINK; what < PLANT_COUNT; what++) {
            char path[FOLDER_PATH_ROOM];
            struct stat planted;
            if (made_before) {
                use(at, 0);
            }
            remove(place(at, suffixes[i], path));
            plant_at(at, &elsewhere, path, (plant)what);
            assert_int_equal(lstat(path, &planted), 0);
            assert_refused(at, NULL);
            assert_untouched(&elsewhere, path, &planted);
            assert_refused(at, &look);
            assert_untouched(&elsewhere, path, &planted);
            docket_status status = docket_store_delete(at->url, NULL);
            assert_true(status == DOCKET_STORE || status == DOCKET_CORRUPT);
            assert_untouched(&elsewhere, path, &planted);
            assert_int_equal(remove(path), 0);
            assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
            assert_int_equal(folder_entry_count(at->folder.path), 0);
        }
    }
    folder_remove(&elsewhere);
}

static void fr_58_planted_things_are_refused_before_a_store_is_made(void **state)
{
    assert_planted_is_refused(*state, false);
}

static void fr_58_planted_things_are_refused_beside_a_store(void **state)
{
    assert_planted_is_refused(*state, true);
}

/* A link put in the place of the database while it is open. */
static void fr_58_replaced_file_is_noticed(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    struct stat planted;
    for (int what = LINK; what <= DANGLING_LINK; what++) {
        folder elsewhere = make_victim();
        docket_graph *graph = square_graph(site_open(at, NULL));
        assert_status(DOCKET_OK, square_one(graph, 1));
        assert_int_equal(remove(place(at, "", path)), 0);
        plant_at(at, &elsewhere, path, (plant)what);
        assert_int_equal(lstat(path, &planted), 0);
        assert_status(DOCKET_STORE, square_one(graph, 2));
        docket_graph_free(graph);
        site_close(at);
        assert_untouched(&elsewhere, path, &planted);
        assert_int_equal(remove(path), 0);
        folder_remove(&elsewhere);
        for (size_t i = 1; i < SUFFIX_COUNT; i++) {
            remove(place(at, suffixes[i], path));
        }
    }
}

/* ---- Folders ---- */

static void fr_58_folder_of_another_user_is_refused_or_kept_private(void **state)
{
    site *at = *state;
    static const mode_t modes[] = {0777, 01777, 0755, 0775};
    docket_error error;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        mode_t before = umask(0022);
        assert_int_equal(chmod(at->folder.path, modes[i]), 0);
        if (geteuid() == 0) {
            assert_int_equal(chown(at->folder.path, 65534, 65534), 0);
        }
        watch by;
        watch_start(&by, at);
        docket_status status = docket_store_open(&at->store, at->url, NULL, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_STORE);
        if (status == DOCKET_OK) {
            use(at, 0);
        }
        watch_end(&by);
        assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
        umask(before);
    }
}

static void fr_58_folder_may_be_reached_over_a_link(void **state)
{
    site *at = *state;
    folder elsewhere = folder_make();
    docket_error error;
    char url[FOLDER_PATH_ROOM], path[FOLDER_PATH_ROOM];
    assert_int_equal(symlink(at->folder.path, folder_file(&elsewhere, "way", path)), 0);
    snprintf(url, sizeof url, "sqlite:%s/way/store.db", elsewhere.path);
    assert_status(DOCKET_OK, docket_store_open(&at->store, url, NULL, &error));
    use(at, 0);
    assert_true(file_exists(at->file));
    use(at, 0);
    folder_remove(&elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_58_files_are_for_their_owner_only),
        SITE_SQLITE(fr_58_files_of_an_open_store_are_for_their_owner_only),
        SITE_SQLITE(fr_58_planted_things_are_refused_before_a_store_is_made),
        SITE_SQLITE(fr_58_planted_things_are_refused_beside_a_store),
        SITE_SQLITE(fr_58_replaced_file_is_noticed),
        SITE_SQLITE(fr_58_folder_of_another_user_is_refused_or_kept_private),
        SITE_SQLITE(fr_58_folder_may_be_reached_over_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
