/* Field report 34: lifetimes that overflow, or follow the calendar. All times are set on a fake clock. */
#include "support/child.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

DOCKET_STRUCT(Number, (INT64, n));
DOCKET_STRUCT(Kept, (INT64, n));

static const int64_t noon_ms = INT64_C(1767268800000); /* 2026-01-01 12:00 UTC */

/* What the step does beside counting. */
typedef struct keeping {
    atomic_int runs;
    bool sets_ttl;
    int64_t ttl_ms;
    docket_status answer; /* of docket_set_ttl */
    bool absent;
} keeping;

static docket_status keep(docket_ctx *ctx, Kept *out, const Number *in)
{
    keeping *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->runs, 1);
    if (user->sets_ttl) {
        user->answer = docket_set_ttl(ctx, user->ttl_ms);
    }
    if (user->absent) {
        return docket_absent(ctx, "nothing to keep");
    }
    out->n = in->n;
    return DOCKET_OK;
}
DOCKET_STEP(keep, Kept, Number);

static docket_graph *keep_graph(docket_store *store, keeping *user, int64_t ttl_ms)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .ttl_ms = ttl_ms, .user = user};
    return graph_of_one(NULL, &keep_step, &options);
}

/* Whether the value had to be computed. */
static bool runs_for(docket_graph *graph, keeping *user, int64_t n)
{
    const Number number = {n};
    int before = atomic_load(&user->runs);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Kept),
                                                DOCKET_INPUTS(DOCKET_IN(Number, &number))});
    assert_status(user->absent ? DOCKET_ABSENT : DOCKET_OK, made.status);
    if (!user->absent) {
        assert_int_equal(DOCKET_RESULT(made.result, Kept)->n, n);
    }
    outcome_free(&made);
    return atomic_load(&user->runs) > before;
}

/* The same with a store and a graph made for this one question. */
static bool runs_anew(site *at, keeping *user, int64_t ttl_ms, int64_t n)
{
    docket_graph *graph = keep_graph(site_open(at, NULL), user, ttl_ms);
    bool ran = runs_for(graph, user, n);
    docket_graph_free(graph);
    site_close(at);
    return ran;
}

/* ---- Lengths ---- */

static const int64_t long_ttls_ms[] = {
    0, /* for ever */
    1000,
    DOCKET_DAYS(30),
    INT64_C(2592000) * 1000,
    INT64_C(2592001) * 1000,
    INT32_MAX,
    INT64_C(1) + INT32_MAX,
    UINT32_MAX,
    INT64_C(1) + UINT32_MAX,
    INT32_MAX *INT64_C(1000),
    (INT64_C(1) + INT32_MAX) * 1000,
    UINT32_MAX *INT64_C(1000),
    INT64_C(10000000000000000),
    INT64_C(9000000000000000000),
    INT64_MAX - INT64_C(1767268800000) - 1,
    INT64_MAX - INT64_C(1767268800000),
    INT64_MAX - INT64_C(1767268800000) + 1,
    INT64_MAX - 1,
    INT64_MAX,
};
enum { LONG_COUNT = sizeof long_ttls_ms / sizeof long_ttls_ms[0] };

static void fr_34_every_long_lifetime_restores_at_once(void **state)
{
    site *at = *state;
    keeping user = {.runs = 0};
    docket_test_clock_start(noon_ms);
    for (int64_t i = 0; i < LONG_COUNT; i++) {
        assert_true(runs_anew(at, &user, long_ttls_ms[i], i));
        assert_false(runs_anew(at, &user, long_ttls_ms[i], i));
    }
    docket_test_clock_advance(999);
    for (int64_t i = 0; i < LONG_COUNT; i++) {
        assert_false(runs_anew(at, &user, long_ttls_ms[i], i));
    }
    docket_test_clock_stop();
}

static void fr_34_lifetime_set_by_the_step_restores_at_once(void **state)
{
    site *at = *state;
    keeping user = {.sets_ttl = true};
    docket_test_clock_start(noon_ms);
    for (int64_t i = 0; i < LONG_COUNT; i++) {
        user.ttl_ms = long_ttls_ms[i];
        assert_true(runs_anew(at, &user, 1, i));
        assert_status(DOCKET_OK, user.answer);
        docket_test_clock_advance(2);
        assert_false(runs_anew(at, &user, 1, i));
    }
    docket_test_clock_stop();
}

typedef struct found {
    int64_t created_ms, expires_ms;
    int count;
} found;

static bool note_found(void *arg, const docket_checkpoint *entry)
{
    found *self = arg;
    self->created_ms = entry->created_ms;
    self->expires_ms = entry->expires_ms;
    self->count++;
    return true;
}

static found list_all(site *at, bool expired)
{
    docket_error error;
    found got = {.count = 0};
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .expired = expired};
    assert_status(DOCKET_OK, docket_checkpoint_list(site_open(at, NULL), &filter, note_found, &got, &error));
    return got;
}

/* A time that cannot be expressed is never. */
static void fr_34_lifetime_beyond_time_is_for_ever(void **state)
{
    site *at = *state;
    static const struct {
        int64_t ttl_ms, expires_ms;
    } ends[] = {
        {0, 0},
        {1, INT64_C(1767268800001)},
        {INT64_MAX - INT64_C(1767268800000), INT64_MAX},
        {INT64_MAX - INT64_C(1767268800000) + 1, 0},
        {INT64_MAX, 0},
    };
    docket_error error;
    uint64_t count;
    keeping user = {.runs = 0};
    docket_test_clock_start(noon_ms);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        assert_true(runs_anew(at, &user, ends[i].ttl_ms, 1));
        found got = list_all(at, true);
        assert_int_equal(got.count, 1);
        assert_int_equal(got.created_ms, noon_ms);
        assert_true(got.expires_ms == ends[i].expires_ms);
        const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "keep"};
        assert_status(DOCKET_OK, docket_checkpoint_forget(site_open(at, NULL), &filter, &count, &error));
        assert_int_equal(count, 1);
    }
    docket_test_clock_stop();
}

static void fr_34_negative_lifetime_is_refused(void **state)
{
    site *at = *state;
    static const int64_t negative_ms[] = {-1, -1000, INT32_MIN, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof negative_ms / sizeof negative_ms[0]; i++) {
        docket_error error = DOCKET_ERROR_INIT;
        const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                             .scope = DOCKET_SCOPE_GLOBAL, .ttl_ms = negative_ms[i]};
        docket_graph *graph = docket_graph_new("negative", NULL);
        assert_status(DOCKET_INVALID, docket_graph_add(graph, &keep_step, &options));
        assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
        assert_contains(error.message, "ttl_ms");
        docket_graph_free(graph);
        keeping user = {.sets_ttl = true, .ttl_ms = negative_ms[i]};
        assert_true(runs_anew(at, &user, 0, (int64_t)i));
        assert_status(DOCKET_INVALID, user.answer);
        assert_false(runs_anew(at, &user, 0, (int64_t)i));
    }
}

/* ---- The end of a lifetime ---- */

static void fr_34_lifetime_ends_to_the_millisecond(void **state)
{
    site *at = *state;
    static const int64_t ttls_ms[] = {
        1, 2, 500, 999, 1000, 1001, DOCKET_HOURS(2), DOCKET_DAYS(30), DOCKET_DAYS(36525)};
    keeping user = {.runs = 0};
    docket_test_clock_start(noon_ms);
    for (int64_t i = 0; i < (int64_t)(sizeof ttls_ms / sizeof ttls_ms[0]); i++) {
        assert_true(runs_anew(at, &user, ttls_ms[i], i));
        assert_false(runs_anew(at, &user, ttls_ms[i], i));
        docket_test_clock_advance(ttls_ms[i] - 1);
        assert_false(runs_anew(at, &user, ttls_ms[i], i));
        docket_test_clock_advance(1);
        assert_true(runs_anew(at, &user, ttls_ms[i], i));
        assert_false(runs_anew(at, &user, ttls_ms[i], i));
    }
    docket_test_clock_stop();
}

static void fr_34_absence_lapses_as_well(void **state)
{
    site *at = *state;
    keeping user = {.absent = true};
    docket_test_clock_start(noon_ms);
    assert_true(runs_anew(at, &user, 1000, 1));
    docket_test_clock_advance(999);
    assert_false(runs_anew(at, &user, 1000, 1));
    docket_test_clock_advance(1);
    assert_true(runs_anew(at, &user, 1000, 1));
    docket_test_clock_stop();
}

static void fr_34_year_2038_makes_no_difference(void **state)
{
    site *at = *state;
    static const int64_t edges_ms[] = {
        INT64_C(2147483647000),   /* 2038-01-19 03:14:07 */
        INT64_C(4294967295000),   /* 2106: 32 bits without a sign */
        INT64_C(253402300800000), /* the year 10000 */
        INT32_MAX,                /* 32 bits of milliseconds */
    };
    for (int64_t i = 0; i < (int64_t)(sizeof edges_ms / sizeof edges_ms[0]); i++) {
        keeping user = {.runs = 0};
        docket_test_clock_start(edges_ms[i] - 1000);
        assert_true(runs_anew(at, &user, 0, 10 * i));
        assert_true(runs_anew(at, &user, 3000, 10 * i + 1));
        docket_test_clock_advance(2000);
        assert_true(runs_anew(at, &user, 3000, 10 * i + 2));
        for (int64_t n = 0; n < 3; n++) {
            assert_false(runs_anew(at, &user, 3000, 10 * i + n));
        }
        docket_test_clock_advance(1000);
        assert_false(runs_anew(at, &user, 0, 10 * i));
        assert_true(runs_anew(at, &user, 3000, 10 * i + 1));
        assert_false(runs_anew(at, &user, 3000, 10 * i + 2));
        docket_test_clock_stop();
        docket_store_close(at->store); /* whose clock does not go back to the next edge */
        at->store = NULL;
    }
}

/* ---- Zones and changes of the clock ---- */

static void live_in(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

/* Stored 30 minutes before `change_ms`, a lifetime of two hours ends 7200 seconds later. */
static void assert_two_hours(site *at, const char *zone, int64_t change_ms, int64_t n)
{
    keeping user = {.runs = 0};
    live_in(zone);
    docket_test_clock_start(change_ms - DOCKET_MINUTES(30));
    assert_true(runs_anew(at, &user, DOCKET_HOURS(2), n));
    docket_test_clock_advance(DOCKET_MINUTES(119));
    assert_false(runs_anew(at, &user, DOCKET_HOURS(2), n));
    docket_test_clock_advance(DOCKET_MINUTES(2));
    assert_true(runs_anew(at, &user, DOCKET_HOURS(2), n));
    docket_test_clock_stop();
    docket_store_close(at->store);
    at->store = NULL;
}

static void fr_34_lifetime_is_elapsed_time_over_clock_changes(void **state)
{
    site *at = *state;
    static const struct {
        const char *zone;
        int64_t change_ms;
    } changes[] = {
        {"GMT0BST,M3.5.0/1,M10.5.0/2", INT64_C(1774746000000)},           /* London, 2026-03-29 01:00 UTC */
        {"GMT0BST,M3.5.0/1,M10.5.0/2", INT64_C(1792890000000)},           /* London, 2026-10-25 01:00 UTC */
        {"CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1774746000000)},           /* Berlin */
        {"EST5EDT,M3.2.0,M11.1.0", INT64_C(1772953200000)},               /* New York, 2026-03-08 07:00 UTC */
        {"EST5EDT,M3.2.0,M11.1.0", INT64_C(1793512800000)},               /* New York, 2026-11-01 06:00 UTC */
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1775314800000)}, /* Lord Howe */
        {"<+1345>-13:45", INT64_C(1774746000000)},
        {"EET-2", INT64_C(1774746000000)},
        {"EST5", INT64_C(1774746000000)},
        {"UTC0", INT64_C(1774746000000)},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_two_hours(at, changes[i].zone, changes[i].change_ms, (int64_t)i);
    }
    live_in("UTC0");
}

/* A process of another zone: 0 = it found the value, 1 = it had to run, else something went wrong. */
static int ask_from_zone(const char *url, const char *wall_ms, const char *zone)
{
    docket_store *store = NULL;
    keeping user = {.runs = 0};
    if (setenv("TZ", zone, 1) != 0) {
        return 3;
    }
    tzset();
    docket_test_clock_start(strtoll(wall_ms, NULL, 10));
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK) {
        return 4;
    }
    docket_graph *graph = keep_graph(store, &user, DOCKET_HOURS(2));
    bool ran = runs_for(graph, &user, 1);
    docket_graph_free(graph);
    docket_store_close(store);
    return ran;
}

static int ask_process(const site *at, int64_t wall_ms, const char *zone)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)wall_ms);
    return child_run(NULL, CHILD_ARGUMENTS("zone", at->url, digits, zone));
}

static void fr_34_zones_of_writer_and_reader_do_not_matter(void **state)
{
    site *at = *state;
    static const char *const zones[] = {"UTC0", "EET-2", "EST5", "<+1345>-13:45"};
    int64_t now_ms = noon_ms;
    for (size_t writer = 0; writer < 4; writer++) {
        size_t reader = (writer + 1) % 4;
        assert_int_equal(ask_process(at, now_ms, zones[writer]), 1);
        assert_int_equal(ask_process(at, now_ms + DOCKET_MINUTES(119), zones[reader]), 0);
        assert_int_equal(ask_process(at, now_ms + DOCKET_MINUTES(121), zones[reader]), 1);
        now_ms += DOCKET_DAYS(1);
    }
}

/* ---- A clock that is set ---- */

static bool copy_key(void *arg, const docket_checkpoint *entry)
{
    memcpy(arg, entry->key, sizeof entry->key);
    return false;
}

static docket_status read_key(docket_store *store, const uint8_t key[32])
{
    docket_error error;
    docket_buffer *buffer = docket_buffer_new();
    docket_status status = docket_checkpoint_read(store, key, buffer, &error);
    docket_buffer_free(buffer);
    return status;
}

static void fr_34_what_has_expired_does_not_come_back(void **state)
{
    site *at = *state;
    docket_error error;
    uint8_t key[32];
    keeping user = {.runs = 0};
    docket_test_clock_start(noon_ms);
    docket_graph *graph = keep_graph(site_open(at, NULL), &user, DOCKET_HOURS(1));
    assert_true(runs_for(graph, &user, 1));
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, NULL, copy_key, key, &error));
    assert_status(DOCKET_OK, read_key(at->store, key));
    docket_test_clock_advance(DOCKET_HOURS(2));
    assert_status(DOCKET_MISSING, read_key(at->store, key));
    docket_test_clock_set_wall(noon_ms + DOCKET_MINUTES(30));
    assert_status(DOCKET_MISSING, read_key(at->store, key));
    docket_graph_free(graph);
    if (at->durable) {
        site_close(at);
        assert_status(DOCKET_MISSING, read_key(site_open(at, NULL), key));
    }
    assert_true(runs_anew(at, &user, DOCKET_HOURS(1), 1));
    assert_false(runs_anew(at, &user, DOCKET_HOURS(1), 1));
    docket_test_clock_stop();
}

/* A wrong clock for a while harms only what it says of people's time, not what is kept for ever. */
static void fr_34_clock_set_far_back_or_forth_loses_nothing_kept_for_ever(void **state)
{
    site *at = *state;
    static const int64_t walls_ms[] = {0, 1, INT64_C(946684800000), INT64_C(2147483648000), INT64_C(4102444800000),
                                       1};
    keeping user = {.runs = 0};
    docket_test_clock_start(noon_ms);
    assert_true(runs_anew(at, &user, 0, 1));
    for (size_t i = 0; i < sizeof walls_ms / sizeof walls_ms[0]; i++) {
        docket_test_clock_set_wall(walls_ms[i]);
        assert_false(runs_anew(at, &user, 0, 1));
        assert_true(runs_anew(at, &user, 0, 10 + (int64_t)i));
        assert_false(runs_anew(at, &user, 0, 10 + (int64_t)i));
    }
    docket_test_clock_stop();
}

static void fr_34_clock_of_an_unset_machine_does_not_harm(void **state)
{
    site *at = *state;
    keeping user = {.runs = 0};
    docket_test_clock_start(0);
    assert_true(runs_anew(at, &user, 1000, 1));
    docket_test_clock_advance(999);
    assert_false(runs_anew(at, &user, 1000, 1));
    docket_test_clock_advance(1);
    assert_true(runs_anew(at, &user, 1000, 1));
    docket_test_clock_stop();
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "zone") == 0) {
        return ask_from_zone(argv[2], argv[3], argv[4]);
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_34_every_long_lifetime_restores_at_once),
        SITE_EACH_STORE(fr_34_lifetime_set_by_the_step_restores_at_once),
        SITE_EACH_STORE(fr_34_lifetime_beyond_time_is_for_ever),
        SITE_EACH_STORE(fr_34_negative_lifetime_is_refused),
        SITE_EACH_STORE(fr_34_lifetime_ends_to_the_millisecond),
        SITE_EACH_STORE(fr_34_absence_lapses_as_well),
        SITE_EACH_STORE(fr_34_year_2038_makes_no_difference),
        SITE_EACH_STORE(fr_34_lifetime_is_elapsed_time_over_clock_changes),
        SITE_SQLITE(fr_34_zones_of_writer_and_reader_do_not_matter),
        SITE_EACH_STORE(fr_34_what_has_expired_does_not_come_back),
        SITE_EACH_STORE(fr_34_clock_set_far_back_or_forth_loses_nothing_kept_for_ever),
        SITE_EACH_STORE(fr_34_clock_of_an_unset_machine_does_not_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
