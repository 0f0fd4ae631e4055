/* Eight processes on one file, killed at random and started again for some seconds. What one of them was told is recorded
 * (and wrote down outside docket) is there afterwards, with that very value; a key that many of them computed has one
 * value for all. */
#include "crash/subject.h"
#include "support/child.h"
#include "support/site.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 8, SHARED_KEYS = 50, LINE_BYTES = 64, LIMIT_MS = 120000 };

DOCKET_STRUCT(Order, (INT64, number));
DOCKET_STRUCT(Rate, (INT64, mark));
DOCKET_STRUCT(Booked, (INT64, mark));
DOCKET_STRUCT(Shipped, (INT64, booked), (INT64, rate));

/* No two entries make the same mark. */
static int64_t new_mark(void)
{
    static atomic_int serial;
    return (int64_t)getpid() * 1000000 + atomic_fetch_add(&serial, 1);
}

static docket_status look_up_rate(docket_ctx *ctx, Rate *out, const Order *order)
{
    (void)ctx;
    (void)order;
    out->mark = new_mark();
    return DOCKET_OK;
}
DOCKET_STEP(look_up_rate, Rate, Order);

static docket_status book(docket_ctx *ctx, Booked *out, const Order *order)
{
    (void)ctx;
    (void)order;
    out->mark = new_mark();
    return DOCKET_OK;
}
DOCKET_STEP(book, Booked, Order);

static docket_status ship(docket_ctx *ctx, Shipped *out, const Booked *booked, const Rate *rate)
{
    (void)ctx;
    out->booked = booked->mark;
    out->rate = rate->mark;
    return DOCKET_OK;
}
DOCKET_STEP(ship, Shipped, Booked, Rate);

typedef struct counter {
    char folder[128];
    docket_store *store;
    docket_pool *pool;
    docket_graph *graph;
} counter;

/* False: told on stderr. */
static bool open_counter(counter *self, const char *folder_path)
{
    char url[256];
    docket_error error = DOCKET_ERROR_INIT;
    *self = (counter){.store = NULL};
    snprintf(self->folder, sizeof self->folder, "%s", folder_path);
    snprintf(url, sizeof url, "sqlite:%s/store.db", folder_path);
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .busy_timeout_ms = 60000};
    if (docket_store_open(&self->store, url, &options, &error) != DOCKET_OK) {
        fprintf(stderr, "crowd: open: %s: %s\n", docket_status_name(error.status), error.message);
        return false;
    }
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = self->store};
    const docket_step_options own = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    const docket_step_options shared = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL};
    self->graph = docket_graph_new("crowd", &graph_options);
    docket_graph_add(self->graph, &look_up_rate_step, &shared);
    docket_graph_add(self->graph, &book_step, &own);
    docket_graph_add(self->graph, &ship_step, &own);
    return docket_graph_validate(self->graph, &error) == DOCKET_OK;
}

static void close_counter(counter *self)
{
    docket_graph_free(self->graph);
    docket_store_close(self->store);
}

/* One execution; false: told on stderr. */
static bool deliver(counter *self, const char *id, int64_t number, Shipped *shipped, bool *restored)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const Order order = {.number = number};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Shipped),
                                    DOCKET_INPUTS(DOCKET_IN(Order, &order))};
    bool ok = docket_execute(self->graph, &request, &result, &error) == DOCKET_OK;
    if (ok) {
        *shipped = *DOCKET_RESULT(result, Shipped);
        *restored = docket_result_state(result, DOCKET_OF(Shipped)) == DOCKET_VALUE_RESTORED;
    } else {
        fprintf(stderr, "crowd: %s: %s: %s\n", id, docket_status_name(error.status), error.message);
    }
    docket_result_free(result);
    return ok;
}

/* A line of fixed length in one write: whole or not there. */
static bool acknowledge(const char *folder_path, const char *id, int64_t number, const Shipped *shipped)
{
    char path[256];
    char line[LINE_BYTES + 1];
    snprintf(path, sizeof path, "%s/acknowledged", folder_path);
    int length = snprintf(line, sizeof line, "%s %lld %lld %lld", id, (long long)number, (long long)shipped->booked,
                          (long long)shipped->rate);
    memset(line + length, ' ', (size_t)(LINE_BYTES - length));
    line[LINE_BYTES - 1] = '\n';
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool whole = descriptor >= 0 && write(descriptor, line, LINE_BYTES) == LINE_BYTES;
    close(descriptor);
    return whole;
}

static const char *stop_file(const char *folder_path, char path[256])
{
    snprintf(path, 256, "%s/stop", folder_path);
    return path;
}

/* Takes orders until it is killed or told to stop. */
static subject_end serve(const subject *like)
{
    char id[32];
    char path[256];
    counter self;
    bool ok = open_counter(&self, like->folder);
    for (long i = 0; ok && access(stop_file(like->folder, path), F_OK) != 0; i++) {
        Shipped shipped;
        bool restored;
        int64_t number = random() % SHARED_KEYS;
        snprintf(id, sizeof id, "%d-%ld", (int)getpid(), i);
        ok = deliver(&self, id, number, &shipped, &restored) && acknowledge(like->folder, id, number, &shipped);
    }
    close_counter(&self);
    return ok ? SUBJECT_OK : SUBJECT_NOT_EXECUTED;
}

/* Every acknowledged execution, asked for again, is restored with the values it had. */
static subject_end audit(const subject *like)
{
    char path[256];
    counter self;
    size_t size = 0;
    int64_t rates[SHARED_KEYS] = {0};
    long lines = 0;
    subject_end end = open_counter(&self, like->folder) ? SUBJECT_OK : SUBJECT_NOT_OPENED;
    snprintf(path, sizeof path, "%s/acknowledged", like->folder);
    char *text = (char *)file_read(path, &size);
    for (; end == SUBJECT_OK && (size_t)(lines + 1) * LINE_BYTES <= size; lines++) {
        char id[32];
        long long number, booked, rate;
        Shipped shipped;
        bool restored = false;
        if (sscanf(text + lines * LINE_BYTES, "%31s %lld %lld %lld", id, &number, &booked, &rate) != 4 ||
            !deliver(&self, id, number, &shipped, &restored)) {
            end = SUBJECT_NOT_EXECUTED;
        } else if (!restored) {
            fprintf(stderr, "crowd: %s was lost\n", id);
            end = SUBJECT_RAN_AGAIN;
        } else if (shipped.booked != booked || shipped.rate != rate ||
                   (rates[number] != 0 && rates[number] != rate)) {
            fprintf(stderr, "crowd: %s: booked %lld/%lld, rate %lld/%lld/%lld\n", id, booked,
                    (long long)shipped.booked, rate, (long long)shipped.rate, (long long)rates[number]);
            end = SUBJECT_WRONG_VALUE;
        } else {
            rates[number] = rate;
        }
    }
    free(text);
    close_counter(&self);
    fprintf(stderr, "crowd: %ld acknowledged executions found again\n", lines);
    return end;
}

static void wait_for_all(const pid_t *children)
{
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(child_wait(children[i], LIMIT_MS), SUBJECT_OK);
    }
}

static void test_crowd(void **state)
{
    (void)state;
    char path[256];
    uint64_t seed = site_seed();
    subject like = {.scope = DOCKET_SCOPE_WORKFLOW};
    folder place = folder_make();
    snprintf(like.folder, sizeof like.folder, "%s", place.path);
    time_t end = time(NULL) + site_count(4, 120);
    pid_t children[CROWD];
    long kills = 0;
    for (int i = 0; i < CROWD; i++) {
        children[i] = subject_start(&like, serve);
    }
    while (time(NULL) < end) {
        usleep((useconds_t)(site_random(&seed) % 40000));
        size_t victim = site_random(&seed) % CROWD;
        kill(children[victim], SIGKILL);
        assert_int_equal(child_wait(children[victim], LIMIT_MS), -SIGKILL);
        kills++;
        children[victim] = subject_start(&like, serve);
    }
    assert_true(file_write(stop_file(place.path, path), "", 0));
    wait_for_all(children);
    size_t size = 0;
    snprintf(path, sizeof path, "%s/acknowledged", place.path);
    free(file_read(path, &size));
    print_message("%ld kills, %zu acknowledged executions\n", kills, size / LINE_BYTES);
    assert_true(size >= 8 * LINE_BYTES && kills > 20);
    int ended = child_wait(subject_start(&like, audit), LIMIT_MS);
    if (ended != SUBJECT_OK) {
        fail_msg("the audit ended with %d (%s)", ended, place.path);
    }
    unlink(path);
    unlink(stop_file(place.path, path));
    assert_int_equal(child_wait(subject_start(&like, subject_inspect), LIMIT_MS), SUBJECT_OK);
    folder_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crowd)};
    subject_choose_place();
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
