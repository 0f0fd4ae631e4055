/* Field report 54: lengths, Unicode and terminal bytes in names. One verdict on every store: a name works exactly as it
 * is, or is refused; none is folded, normalised, cut or taken for a pattern. */
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 255, NAME_ROOM = 5000 };

DOCKET_STRUCT(Seed, (INT64, n));
DOCKET_STRUCT(Echo, (STRING, execution), (STRING, step));

static atomic_int runs;

static docket_status echo(docket_ctx *ctx, Echo *out)
{
    atomic_fetch_add(&runs, 1);
    out->execution = docket_strdup(ctx, docket_ctx_execution_id(ctx));
    out->step = docket_strdup(ctx, docket_ctx_step_name(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(echo, Echo);

/* ---- Names ---- */

static const char *const good_names[] = {
    "a",
    "Build",
    "build",
    "build ",
    " build",
    "a b",
    "a,b",
    "a;b",
    "a:b",
    "a/b",
    "a\\b",
    "..",
    ".",
    "/",
    "%",
    "_",
    "%s%n%p",
    "a%",
    "a_",
    "ab",
    "*",
    "?",
    "'",
    "\"",
    "''",
    "`",
    "'; DROP TABLE docket_checkpoint; --",
    "NULL",
    "0",
    "1e3",
    "1000.0",
    "-1",
    "{}",
    "[\"a\"]",
    "<b>",
    "&amp;",
    "$HOME",
    "~",
    "#",
    "é",
    "e\xcc\x81", /* the same to the eye, in two characters */
    "É",
    "ß",
    "ss",
    "ı",
    "i",
    "I",
    "K", /* the sign of kelvin */
    "日本",
    "😀",
    "👩‍👩‍👧",
    "\xef\xbb\xbf",     /* a byte order mark */
    "\xc2\xa0",         /* a space that does not break */
    "\xf4\x8f\xbf\xbf", /* the last character */
    "\xef\xbf\xbf",
    "א",
};
enum { GOOD_COUNT = sizeof good_names / sizeof good_names[0] };

static const char *const bad_names[] = {
    "",
    "\n",
    "a\n",
    "a\nb",
    "a\tb",
    "\r",
    "\x1b[31m",
    "a\x1b[0m",
    "\a",
    "\b",
    "\x01",
    "\x1f",
    "\x7f",
    "\xc2\x80",
    "\302\23331m", /* the same as ESC [ in one character */
    "\xff\xfe",
    "\xc3\x28",
    "\xc3",
    "a\xc3",
    "\x80",
    "\xc0\xaf",
    "\xc1\xbf",
    "\xe0\x80\xaf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x80\x80\xaf",
    "\xf4\x90\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xf0\x9f\x98",
};
enum { BAD_COUNT = sizeof bad_names / sizeof bad_names[0] };

/* ---- Asking ---- */

static docket_status ask(docket_store *store, const char *execution, const char *step, outcome *made,
                         docket_error *error)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = step, .store = store,
                                         .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *graph = docket_graph_new("names", NULL);
    *made = (outcome){.error = DOCKET_ERROR_INIT};
    docket_status status = docket_graph_add(graph, &echo_step, &options);
    docket_status validated = docket_graph_validate(graph, error);
    assert_true(status == DOCKET_OK || validated == status);
    if (validated == DOCKET_OK) {
        *made = run(graph,
                    &(docket_request){DOCKET_REQUEST_INIT, .execution_id = execution, .output = DOCKET_OF(Echo)});
        validated = made->status;
        *error = made->error;
    }
    docket_graph_free(graph);
    return validated;
}

/* Whether it had to run. */
static bool works(site *at, const char *execution, const char *step)
{
    outcome made;
    docket_error error = DOCKET_ERROR_INIT;
    int before = atomic_load(&runs);
    docket_status status = ask(site_open(at, NULL), execution, step, &made, &error);
    if (status != DOCKET_OK) {
        print_error("\"%s\", \"%s\": %s\n", execution, step, error.message);
    }
    assert_status(DOCKET_OK, status);
    assert_string_equal(DOCKET_RESULT(made.result, Echo)->execution, execution);
    assert_string_equal(DOCKET_RESULT(made.result, Echo)->step, step);
    assert_string_equal(docket_result_execution_id(made.result), execution);
    outcome_free(&made);
    return atomic_load(&runs) > before;
}

/* What a terminal may be shown. */
static bool is_printable(const char *text)
{
    for (const unsigned char *next = (const unsigned char *)text; *next != '\0'; next++) {
        if (*next < 0x20 || *next == 0x7f || (*next == 0xc2 && next[1] < 0xa0)) {
            return false;
        }
    }
    return true;
}

static void assert_refused(site *at, const char *execution, const char *step)
{
    outcome made;
    docket_error error = DOCKET_ERROR_INIT;
    int before = atomic_load(&runs);
    assert_status(DOCKET_INVALID, ask(site_open(at, NULL), execution, step, &made, &error));
    assert_null(made.result);
    assert_contains(error.message, "1 to 255 bytes");
    assert_true(is_printable(error.message));
    assert_int_equal(atomic_load(&runs), before);
}

/* ---- Listing ---- */

typedef struct listed {
    const char *execution, *step; /* what is looked for */
    int matches, others;
} listed;

static bool match(void *arg, const docket_checkpoint *entry)
{
    listed *self = arg;
    bool same = strcmp(entry->execution_id, self->execution) == 0 && strcmp(entry->step, self->step) == 0;
    self->matches += same;
    self->others += !same;
    return true;
}

/* Lists by both names: the one entry, and no other. */
static void assert_listed_alone(site *at, const char *execution, const char *step)
{
    docket_error error;
    listed found = {.execution = execution, .step = step};
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = execution,
                                             .step = step};
    assert_status(DOCKET_OK, docket_checkpoint_list(site_open(at, NULL), &filter, match, &found, &error));
    assert_int_equal(found.matches, 1);
    assert_int_equal(found.others, 0);
}

static void fr_54_good_names_work_exactly(void **state)
{
    site *at = *state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < GOOD_COUNT; i++) {
            assert_int_equal(works(at, good_names[i], "step"), round == 0);
            assert_int_equal(works(at, "execution", good_names[i]), round == 0);
        }
        site_close(at);
    }
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        assert_listed_alone(at, good_names[i], "step");
        assert_listed_alone(at, "execution", good_names[i]);
    }
}

/* Forgetting one of them leaves all the others. */
static void fr_54_names_are_no_patterns(void **state)
{
    site *at = *state;
    docket_error error;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        works(at, good_names[i], "step");
        works(at, "execution", good_names[i]);
    }
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        uint64_t count = 0;
        const docket_checkpoint_filter one = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = good_names[i]};
        assert_status(DOCKET_OK, docket_checkpoint_forget(at->store, &one, &count, &error));
        assert_int_equal(count, 1);
        const docket_checkpoint_filter other = {DOCKET_CHECKPOINT_FILTER_INIT, .step = good_names[i]};
        assert_status(DOCKET_OK, docket_checkpoint_forget(at->store, &other, &count, &error));
        assert_int_equal(count, 1);
    }
    listed found = {.execution = "", .step = ""};
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, NULL, match, &found, &error));
    assert_int_equal(found.others, 0);
}

/* A name that cannot be finds nothing, or is refused; it is never half a name that finds another. */
static void fr_54_bad_names_find_nothing(void **state)
{
    site *at = *state;
    docket_error error;
    char name[NAME_ROOM];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    name[LONGEST] = '\0';
    assert_true(works(at, name, "step"));
    assert_true(works(at, "a", "step"));
    name[LONGEST] = 'n';
    for (size_t i = 0; i <= BAD_COUNT; i++) {
        uint64_t count = 0;
        const char *bad = i < BAD_COUNT ? bad_names[i] : name;
        listed found = {.execution = "", .step = ""};
        const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = bad};
        docket_status status = docket_checkpoint_list(site_open(at, NULL), &filter, match, &found, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_INVALID);
        assert_int_equal(found.others, 0);
        status = docket_checkpoint_forget(at->store, &filter, &count, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_INVALID);
        assert_int_equal(count, 0);
    }
    assert_false(works(at, "a", "step"));
}

static void fr_54_bad_names_are_refused(void **state)
{
    site *at = *state;
    for (size_t i = 0; i < BAD_COUNT; i++) {
        assert_refused(at, bad_names[i], "step");
        assert_refused(at, "execution", bad_names[i]);
    }
}

/* ---- Lengths ---- */

/* A name of so many bytes that ends in `last`. */
static const char *long_name(char buffer[NAME_ROOM], size_t size, char last)
{
    memset(buffer, 'n', size);
    buffer[size - 1] = last;
    buffer[size] = '\0';
    return buffer;
}

static void fr_54_lengths_have_one_limit(void **state)
{
    site *at = *state;
    static const size_t good[] = {1, 2, 63, 64, 190, 191, 254, LONGEST};
    static const size_t bad[] = {LONGEST + 1, 257, 511, 512, 1024, 4096, 4999};
    char name[NAME_ROOM];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(works(at, long_name(name, good[i], 'e'), "step"));
        assert_true(works(at, "execution", name));
        assert_false(works(at, name, "step"));
        assert_false(works(at, "execution", name));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refused(at, long_name(name, bad[i], 'e'), "step");
        assert_refused(at, "execution", name);
    }
}

static void fr_54_length_counts_bytes(void **state)
{
    site *at = *state;
    char name[NAME_ROOM] = "";
    for (size_t i = 0; i < 127; i++) {
        memcpy(name + 2 * i, "é", 3);
    }
    assert_true(works(at, name, "step")); /* 254 bytes */
    memcpy(name + 254, "é", 3);
    assert_refused(at, name, "step");
    name[254] = 'e';
    name[255] = '\0';
    assert_true(works(at, name, "step"));
}

static void fr_54_long_names_differ_in_their_last_byte(void **state)
{
    site *at = *state;
    char name[NAME_ROOM];
    for (int round = 0; round < 2; round++) {
        for (char last = 'a'; last <= 'z'; last++) {
            assert_int_equal(works(at, long_name(name, LONGEST, last), "step"), round == 0);
            assert_int_equal(works(at, "execution", name), round == 0);
        }
        site_close(at);
    }
}

/* ---- Names of graphs, types, namespaces ---- */

static docket_status validate_named(const char *graph_name, const char *type_name, const char *key_namespace)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_type type = *DOCKET_OF(Echo);
    docket_step step = echo_step;
    type.name = type_name;
    step.output = &type;
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = key_namespace};
    docket_graph *graph = docket_graph_new(graph_name, &options);
    assert_non_null(graph);
    docket_status added = docket_graph_add(graph, &step, NULL);
    docket_status status = docket_graph_validate(graph, &error);
    assert_true(added == DOCKET_OK || status != DOCKET_OK);
    assert_true(is_printable(error.message));
    docket_graph_free(graph);
    return status;
}

static void fr_54_all_names_have_the_same_rule(void **state)
{
    (void)state;
    char name[NAME_ROOM];
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        assert_status(DOCKET_OK, validate_named(good_names[i], "Type", "space"));
        assert_status(DOCKET_OK, validate_named("graph", good_names[i], "space"));
        assert_status(DOCKET_OK, validate_named("graph", "Type", good_names[i]));
    }
    for (size_t i = 0; i < BAD_COUNT; i++) {
        assert_status(DOCKET_INVALID, validate_named(bad_names[i], "Type", "space"));
        assert_status(DOCKET_INVALID, validate_named("graph", bad_names[i], "space"));
        /* No namespace is the empty one. */
        assert_status(bad_names[i][0] == '\0' ? DOCKET_OK : DOCKET_INVALID,
                      validate_named("graph", "Type", bad_names[i]));
    }
    assert_status(DOCKET_OK, validate_named(long_name(name, LONGEST, 'e'), "Type", "space"));
    assert_status(DOCKET_OK, validate_named("graph", name, "space"));
    assert_status(DOCKET_OK, validate_named("graph", "Type", name));
    assert_status(DOCKET_INVALID, validate_named(long_name(name, LONGEST + 1, 'e'), "Type", "space"));
    assert_status(DOCKET_INVALID, validate_named("graph", name, "space"));
    assert_status(DOCKET_INVALID, validate_named("graph", "Type", name));
    assert_status(DOCKET_INVALID, validate_named(NULL, "Type", "space"));
    assert_status(DOCKET_INVALID, validate_named("graph", NULL, "space"));
}

/* ---- Ids that docket makes ---- */

DOCKET_STRUCT(Inner, (STRING, id));

static docket_status call_inner(docket_ctx *ctx, Inner *out, const Seed *in)
{
    docket_result *result = NULL;
    docket_error error;
    (void)in;
    docket_status status = docket_execute(
        docket_ctx_user(ctx), &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Echo)}, &result, &error);
    if (status == DOCKET_OK) {
        out->id = docket_strdup(ctx, DOCKET_RESULT(result, Echo)->execution);
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}
DOCKET_STEP(call_inner, Inner, Seed);

static void nested_id(site *at, const char *parent, const char *step, char id[NAME_ROOM])
{
    static const Seed seed = {1};
    const docket_step_options inner_options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                               .scope = DOCKET_SCOPE_WORKFLOW};
    docket_graph *inner = graph_of_one(NULL, &echo_step, &inner_options);
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = step, .user = inner};
    docket_graph *graph = graph_of_one(NULL, &call_inner_step, &options);
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = parent,
                                                .output = DOCKET_OF(Inner), DOCKET_INPUTS(DOCKET_IN(Seed, &seed))});
    assert_string_equal(made.error.message, "");
    assert_status(DOCKET_OK, made.status);
    snprintf(id, NAME_ROOM, "%s", DOCKET_RESULT(made.result, Inner)->id);
    outcome_free(&made);
    docket_graph_free(graph);
    docket_graph_free(inner);
}

static void fr_54_ids_of_nested_executions_stay_apart(void **state)
{
    site *at = *state;
    char parent[NAME_ROOM], id[NAME_ROOM], other[NAME_ROOM], again[NAME_ROOM];
    nested_id(at, "parent", "step", id);
    assert_string_equal(id, "parent/step");
    nested_id(at, long_name(parent, 250, 'e'), "step", id);
    assert_int_equal(strlen(id), 255);
    nested_id(at, long_name(parent, 251, 'e'), "step", id); /* one byte too long */
    assert_int_equal(strlen(id), 255);
    assert_int_equal(strncmp(id, parent, 190), 0);
    assert_int_equal(id[190], '~');
    assert_int_equal(strspn(id + 191, "0123456789abcdef"), 64);
    nested_id(at, parent, "step", again);
    assert_string_equal(again, id);
    nested_id(at, long_name(parent, 251, 'f'), "step", other);
    assert_string_not_equal(other, id);
    assert_int_equal(strncmp(other, id, 190), 0);
    /* A cut through a character would make a name that is none. */
    memset(parent, 'n', 189);
    memcpy(parent + 189, "éééééééééééééééééééééééééééééé", 61);
    nested_id(at, parent, "step", id);
    assert_true(strlen(id) <= LONGEST);
    assert_true(works(at, id, "step"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_54_good_names_work_exactly),
        SITE_EACH_STORE(fr_54_names_are_no_patterns),
        SITE_EACH_STORE(fr_54_bad_names_are_refused),
        SITE_EACH_STORE(fr_54_bad_names_find_nothing),
        SITE_EACH_STORE(fr_54_lengths_have_one_limit),
        SITE_EACH_STORE(fr_54_length_counts_bytes),
        SITE_EACH_STORE(fr_54_long_names_differ_in_their_last_byte),
        SITE_MEMORY(fr_54_all_names_have_the_same_rule),
        SITE_EACH_STORE(fr_54_ids_of_nested_executions_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
