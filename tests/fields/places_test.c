/* Field report 24: a database in memory that every connection has for itself; paths that are none; file systems that do
 * not do. */
#include "store/sqlite/path.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Square, (INT64, n));

static atomic_int runs;

static docket_status square(docket_ctx *ctx, Square *out, const Number *in)
{
    (void)ctx;
    atomic_fetch_add(&runs, 1);
    out->n = in->n * in->n;
    return DOCKET_OK;
}
DOCKET_STEP(square, Square, Number);

static docket_graph *square_graph(docket_store *store)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
    return graph_of_one(NULL, &square_step, &options);
}

static bool is_squared(docket_graph *graph, int64_t n)
{
    const Number number = {n};
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Square),
                                                DOCKET_INPUTS(DOCKET_IN(Number, &number))});
    bool right = made.status == DOCKET_OK && DOCKET_RESULT(made.result, Square)->n == n * n;
    outcome_free(&made);
    return right;
}

/* Goes to the site's folder, so that a file which a path makes by mistake is seen. */
static void go_to(const site *at)
{
    assert_int_equal(chdir(at->folder.path), 0);
}

static void leave(void)
{
    assert_int_equal(chdir("/"), 0);
}

/* ---- Memory ---- */

enum { THREADS = 8, STEPS = 50 };

typedef struct worker {
    pthread_t thread;
    docket_graph *graph;
    int first, right;
} worker;

static void *square_all(void *arg)
{
    worker *self = arg;
    for (int i = 0; i < STEPS; i++) {
        self->right += is_squared(self->graph, (self->first + i) % STEPS);
    }
    return NULL;
}

static void fr_24_threads_share_the_store(void **state)
{
    site *at = *state;
    worker workers[THREADS];
    go_to(at);
    atomic_store(&runs, 0);
    docket_graph *graph = square_graph(site_open(at, NULL));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.graph = graph, .first = i * 7};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, square_all, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].right, STEPS);
    }
    assert_int_equal(atomic_load(&runs), STEPS);
    docket_graph_free(graph);
    assert_false(file_exists(":memory:"));
    if (!at->durable) {
        assert_int_equal(folder_entry_count("."), 0);
    }
    leave();
}

static void fr_24_memory_stores_are_apart(void **state)
{
    site *at = *state;
    docket_error error;
    docket_store *other = NULL;
    atomic_store(&runs, 0);
    docket_graph *graph = square_graph(site_open(at, NULL));
    assert_status(DOCKET_OK, docket_store_open(&other, at->url, NULL, &error));
    docket_graph *other_graph = square_graph(other);
    for (int round = 0; round < 2; round++) {
        assert_true(is_squared(graph, 3));
        assert_true(is_squared(other_graph, 3));
        assert_int_equal(atomic_load(&runs), 2);
    }
    docket_graph_free(graph);
    docket_graph_free(other_graph);
    docket_store_close(other);
}

/* ---- Refused at open ---- */

static void assert_refused(const char *url, const docket_store_options *options, const char *part)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = (docket_store *)(uintptr_t)1;
    docket_status status = docket_store_open(&store, url, options, &error);
    if (status != DOCKET_INVALID && status != DOCKET_STORE) {
        print_error("%s: %s\n", url, docket_status_name(status));
    }
    assert_true(status == DOCKET_INVALID || status == DOCKET_STORE);
    assert_int_equal(error.status, status);
    assert_null(store);
    assert_contains(error.message, part);
    assert_status(status, docket_store_open(&store, url, options, NULL));
}

static void fr_24_urls_that_are_none_are_refused(void **state)
{
    site *at = *state;
    static const char *const urls[][2] = {
        {"", "sqlite:PATH"},           {":memory:", "sqlite:PATH"},        {"sqlite", "sqlite:PATH"},
        {"memory", "sqlite:PATH"},     {"/tmp/docket.db", "sqlite:PATH"},  {"SQLITE:a.db", "sqlite:PATH"},
        {" sqlite:a", "sqlite:PATH"},  {"file:a.db", "sqlite:PATH"},       {"sqlite3:a.db", "sqlite:PATH"},
        {"sqlite:", "empty"},          {"sqlite::memory:", "\"memory:\""}, {"memory:a", "\"memory:\""},
        {"memory::memory:", "memory"}, {"memory:?shared", "memory"},
    };
    go_to(at);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_refused(urls[i][0], NULL, urls[i][1]);
    }
    assert_int_equal(folder_entry_count("."), 0);
    leave();
}

static void fr_24_paths_that_cannot_be_are_refused(void **state)
{
    site *at = *state;
    char path[FOLDER_PATH_ROOM];
    static const char *const urls[][2] = {
        {"sqlite:folder", "folder"},
        {"sqlite:folder/", "folder/"},
        {"sqlite:.", "."},
        {"sqlite:..", ".."},
        {"sqlite:/", "/"},
        {"sqlite:folder/.", "folder"},
        {"sqlite:folder/..", "folder"},
        {"sqlite:missing/store.db", "missing"},
        {"sqlite:missing/../store.db", "missing"},
        {"sqlite:plain/store.db", "plain"},
        {"sqlite:pipe", "pipe"},
        {"sqlite:/dev/null", "/dev/null"},
        {"sqlite:/dev/zero", "/dev/zero"},
        {"sqlite:/proc/store.db", "/proc"},
        {"sqlite:socket", "socket"},
    };
    go_to(at);
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(mknod("socket", S_IFSOCK | 0600, 0), 0);
    assert_true(file_write(folder_file(&at->folder, "plain", path), "text", 4));
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_refused(urls[i][0], NULL, urls[i][1]);
    }
    assert_int_equal(folder_entry_count("."), 4);
    assert_int_equal(folder_entry_count("folder"), 0);
    leave();
}

static void fr_24_paths_that_are_too_long_are_refused(void **state)
{
    site *at = *state;
    static const size_t lengths[] = {256, 511, 512, 1024, 4095, 4096, 5000};
    char url[5200];
    go_to(at);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(url, 'a', sizeof url);
        memcpy(url, "sqlite:", 7);
        url[7 + lengths[i]] = '\0';
        assert_refused(url, NULL, "aaaa");
    }
    assert_int_equal(folder_entry_count("."), 0);
    leave();
}

static void fr_24_missing_files_are_not_made_by_looking(void **state)
{
    site *at = *state;
    const docket_store_options look = {DOCKET_STORE_OPTIONS_INIT, .read_only = true};
    const docket_store_options existing = {DOCKET_STORE_OPTIONS_INIT, .must_exist = true};
    assert_refused(at->url, &look, at->file);
    assert_refused(at->url, &existing, at->file);
    assert_int_equal(folder_entry_count(at->folder.path), 0);
}

/* ---- Names that look like something else ---- */

static void fr_24_odd_names_are_plain_files(void **state)
{
    site *at = *state;
    static const char *const names[] = {
        "with space",    "file:store.db?mode=memory",
        "file::memory:", "a?mode=ro",
        "a%20b",         "a#b",
        "-dash",         "'quote'",
        "\"double\"",    "semi;DROP TABLE",
        "größe",         "new\nline",
        "a.db-wal.db",   ":memory:x",
        "$HOME",         "*",
        "a\\b",
    };
    char url[FOLDER_PATH_ROOM];
    docket_error error;
    go_to(at);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        atomic_store(&runs, 0);
        for (int round = 0; round < 2; round++) {
            docket_store *store = NULL;
            snprintf(url, sizeof url, "sqlite:%s%s", round == 0 ? "" : "./", names[i]);
            assert_status(DOCKET_OK, docket_store_open(&store, url, NULL, &error));
            docket_graph *graph = square_graph(store);
            assert_true(is_squared(graph, 5));
            assert_int_equal(atomic_load(&runs), 1);
            docket_graph_free(graph);
            docket_store_close(store);
        }
        assert_true(file_exists(names[i]));
        assert_status(DOCKET_OK, docket_store_delete(url, &error));
        assert_int_equal(folder_entry_count("."), 0);
    }
    leave();
}

static void fr_24_relative_path_means_where_it_was_opened(void **state)
{
    site *at = *state;
    docket_error error;
    docket_store *store = NULL;
    go_to(at);
    atomic_store(&runs, 0);
    assert_status(DOCKET_OK, docket_store_open(&store, "sqlite:store.db", NULL, &error));
    leave();
    docket_graph *graph = square_graph(store);
    for (int64_t i = 0; i < 10; i++) {
        assert_true(is_squared(graph, i));
    }
    docket_graph_free(graph);
    docket_store_close(store);
    assert_false(file_exists("/store.db"));
    graph = square_graph(site_open(at, NULL));
    for (int64_t i = 0; i < 10; i++) {
        assert_true(is_squared(graph, i));
    }
    assert_int_equal(atomic_load(&runs), 10);
    docket_graph_free(graph);
}

/* ---- File systems ---- */

static unsigned long pretended;

static int pretend(const char *path, struct statfs *status)
{
    int result = statfs(path, status);
    memcpy(&status->f_type, &pretended, sizeof status->f_type);
    return result;
}

static void fr_24_network_file_systems_are_refused(void **state)
{
    site *at = *state;
    static const unsigned long numbers[] = {
        0x6969,     /* NFS */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x517b,     /* SMB */
        0x01021997, /* 9p */
        0x00c36400, /* Ceph */
        0x0bd00bd0, /* Lustre */
    };
    docket__path_statfs = pretend;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        pretended = numbers[i];
        assert_refused(at->url, NULL, at->file);
        assert_refused(at->url, NULL, "network file system");
        assert_int_equal(folder_entry_count(at->folder.path), 0);
    }
    docket__path_statfs = statfs;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_24_threads_share_the_store),
        SITE_MEMORY(fr_24_memory_stores_are_apart),
        SITE_MEMORY(fr_24_urls_that_are_none_are_refused),
        SITE_MEMORY(fr_24_paths_that_cannot_be_are_refused),
        SITE_MEMORY(fr_24_paths_that_are_too_long_are_refused),
        SITE_SQLITE(fr_24_missing_files_are_not_made_by_looking),
        SITE_SQLITE(fr_24_odd_names_are_plain_files),
        SITE_SQLITE(fr_24_relative_path_means_where_it_was_opened),
        SITE_SQLITE(fr_24_network_file_systems_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
