/* What becomes of recorded results when types, names and versions change: each row of the table in
 * docs/guide/evolution.md is a build of evolution_subject.c that meets what the first build recorded. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Two builds of one program ---- */

/* Runs a build and gives what it answered, until the next run. */
static const char *run_build(const site *at, int change, const char *policy)
{
    static char answer[2048];
    char program[FOLDER_PATH_ROOM], path[FOLDER_PATH_ROOM];
    const char *root = getenv("DOCKET_BUILD_ROOT");
    snprintf(program, sizeof program, "%s/tests/fields/evolution_%d", root != NULL ? root : ".", change);
    assert_int_equal(child_run(program, CHILD_ARGUMENTS(at->url, at->folder.path, policy)), 0);
    size_t size = 0;
    uint8_t *bytes = file_read(folder_file(&at->folder, "answer", path), &size);
    assert_non_null(bytes);
    snprintf(answer, sizeof answer, "%s", (const char *)bytes);
    free(bytes);
    return answer;
}

#define FIRST "7000|name|owner"

typedef struct row {
    int change;
    const char *what;
    const char *by_default; /* the start of what is answered */
    const char *rerun;
    const char *older;
} row;

static const row rows[] = {
    {0, "nothing", FIRST, FIRST, FIRST},
    {1, "a member added", "DOCKET_TYPE ", "7001|name|owner|[noted]", FIRST "|[]"},
    {2, "a member added to a nested type", "DOCKET_TYPE ", "7002|name|owner|[mail]", FIRST "|[]"},
    {3, "a member removed", "DOCKET_TYPE ", "7003||owner", "DOCKET_TYPE "},
    {4, "a member renamed", "DOCKET_TYPE ", "7004|name|owner", "DOCKET_TYPE "},
    {5, "a member renumbered", "DOCKET_TYPE ", "7005|name|owner", "DOCKET_TYPE "},
    {6, "a member of another kind", "DOCKET_TYPE ", "7006|name|owner", "DOCKET_TYPE "},
    {7, "a member made optional", "DOCKET_TYPE ", "7007|name|owner", "DOCKET_TYPE "},
    {8, "a member made a list", "DOCKET_TYPE ", "7008|name|owner", "DOCKET_TYPE "},
    {9, "an enum grown", FIRST, FIRST, FIRST},
    {10, "the type renamed", "7010|name|owner", "7010|name|owner", "7010|name|owner"},
    {11, "the step renamed", "7011|name|owner", "7011|name|owner", "7011|name|owner"},
    {12, "the function renamed", FIRST, FIRST, FIRST},
    {13, "the version raised", "7013|name|owner", "7013|name|owner", "7013|name|owner"},
    {14, "members moved", FIRST, FIRST, FIRST},
    {15, "a FIXED added", "DOCKET_TYPE ", "7015|name|owner|[code]", FIRST "|[]"},
    {16, "a member added to an input", "7016|name|owner", "7016|name|owner", "7016|name|owner"},
    {17, "a member made secret", FIRST, FIRST, FIRST},
};

static void assert_starts(const row *of, const char *answer, const char *expected)
{
    if (strncmp(answer, expected, strlen(expected)) != 0) {
        fail_msg("%s: \"%s\" instead of \"%s\"", of->what, answer, expected);
    }
}

/* The first build records; the changed one comes, twice, with the same answer and no further run; the first one finds its
 * own record where nothing replaced it. */
static void meet(site *at, const row *of, const char *policy, const char *expected)
{
    long made_before = ledger_count(at->folder.path, "make");
    assert_status(DOCKET_OK, docket_store_delete(at->url, NULL));
    assert_string_equal(run_build(at, 0, "default"), FIRST);
    for (int round = 0; round < 2; round++) {
        assert_starts(of, run_build(at, of->change, policy), expected);
    }
    bool restored = strncmp(expected, FIRST, strlen(FIRST)) == 0 || strncmp(expected, "DOCKET", 6) == 0;
    assert_int_equal(ledger_count(at->folder.path, "make") - made_before, restored ? 1 : 2);
    bool replaced = strcmp(policy, "rerun") == 0 && strncmp(of->by_default, "DOCKET", 6) == 0;
    assert_starts(of, run_build(at, 0, "default"), replaced ? "DOCKET_TYPE " : FIRST);
    if (replaced) { /* what lacks a member of the first build is an older form of it */
        assert_starts(of, run_build(at, 0, "older"), of->change == 3 ? expected : "DOCKET_TYPE ");
    }
}

static void each_change_does_what_the_guide_says(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        meet(*state, &rows[i], "default", rows[i].by_default);
        meet(*state, &rows[i], "rerun", rows[i].rerun);
        meet(*state, &rows[i], "older", rows[i].older);
    }
}

static void older_record_is_taken_before_a_rerun(void **state)
{
    site *at = *state;
    assert_string_equal(run_build(at, 0, "default"), FIRST);
    assert_string_equal(run_build(at, 1, "both"), FIRST "|[]");
    assert_int_equal(ledger_count(at->folder.path, "make"), 1);
    assert_string_equal(run_build(at, 6, "both"), "7006|name|owner");
    assert_int_equal(ledger_count(at->folder.path, "make"), 2);
}

static void refusal_names_the_member(void **state)
{
    static const struct {
        int change;
        const char *message;
    } cases[] = {
        {3, "it is no older form: member name (2) of the stored Record is not in the program's"},
        {4, "it is no older form: member name (2) of the stored Record has another name in the program's"},
        {5, "it is no older form: member name (2) of the stored Record is not in the program's"},
        {6, "it is no older form: member id (1) of the stored Record has another kind in the program's"},
        {7, "it is no older form: member id (1) of the stored Record has another kind in the program's"},
    };
    site *at = *state;
    assert_string_equal(run_build(at, 0, "default"), FIRST);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_contains(run_build(at, cases[i].change, "older"), cases[i].message);
    }
    assert_null(strstr(run_build(at, 3, "default"), "older form"));
    /* What a newer build recorded is not taken by the older one, which would drop a member. */
    assert_string_equal(run_build(at, 2, "rerun"), "7002|name|owner|[mail]");
    assert_contains(run_build(at, 0, "older"), "member mail (2) of the stored Owner is not in the program's");
}

/* ---- In one process ---- */

DOCKET_STRUCT(Old, (INT32, id));
DOCKET_STRUCT(New, (INT32, id), (FIXED(4), code), (STRING, note), (FILE, file));
DOCKET_STRUCT(Out, (INT64, n));

static atomic_int made, used;

static docket_status make(docket_ctx *ctx, void *output, const docket_argument *args)
{
    (void)ctx;
    (void)args;
    atomic_fetch_add(&made, 1);
    *(int32_t *)output = 5; /* the first member of both */
    return DOCKET_OK;
}

static docket_status use(docket_ctx *ctx, void *output, const docket_argument *args)
{
    (void)ctx;
    atomic_fetch_add(&used, 1);
    ((Out *)output)->n = *(const int32_t *)args[0].value;
    return DOCKET_OK;
}

/* make → Thing → use → Out, where Thing is Old or New. */
typedef struct program {
    docket_type type;
    docket_step steps[2];
    docket_step_input input;
    docket_graph *graph;
} program;

static void begin(program *self, docket_store *store, const docket_type *layout, const docket_step_options *given)
{
    docket_step_options options = *given;
    options.store = store;
    options.scope = options.scope == DOCKET_SCOPE_NONE ? DOCKET_SCOPE_GLOBAL : options.scope;
    self->type = *layout;
    self->type.name = "Thing";
    self->input = (docket_step_input){&self->type, 0};
    self->steps[0] =
        (docket_step){.abi = DOCKET_STEP_ABI, .name = "make", .version = 1, .output = &self->type, .call = make};
    self->steps[1] = (docket_step){.abi = DOCKET_STEP_ABI,
                                   .name = "use",
                                   .version = 1,
                                   .input_count = 1,
                                   .output = DOCKET_OF(Out),
                                   .inputs = &self->input,
                                   .call = use};
    self->graph = graph_of(NULL, &options, (const docket_step *const[]){&self->steps[0], &self->steps[1], NULL});
}

static docket_status ask(program *self, const void *given)
{
    const docket_input input = {.type = &self->type, .value = given};
    outcome of =
        run(self->graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "one", .output = DOCKET_OF(Out),
                                           .inputs = &input, .input_count = given != NULL});
    if (of.status == DOCKET_OK) {
        assert_int_equal(DOCKET_RESULT(of.result, Out)->n, 5);
    }
    if (of.status == DOCKET_OK && given == NULL && self->type.size == sizeof(New)) {
        const New *value = docket_result_value(of.result, &self->type);
        assert_memory_equal(value->code, "\0\0\0\0", 4);
        assert_string_equal(value->note, "");
        assert_string_equal(value->file.path, "");
    }
    outcome_free(&of);
    return of.status;
}

/* A step behind finds its result whether the value came from an older record or from the caller. */
static void older_value_has_the_key_of_a_new_one(void **state)
{
    site *at = *state;
    program old, new;
    atomic_store(&made, 0);
    atomic_store(&used, 0);
    begin(&old, site_open(at, NULL), DOCKET_OF(Old), &(docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    begin(&new, at->store, DOCKET_OF(New), &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .accept_older = true});
    assert_status(DOCKET_OK, ask(&old, NULL));
    assert_status(DOCKET_OK, ask(&new, NULL));
    assert_int_equal(atomic_load(&used), 2);
    assert_status(DOCKET_OK, ask(&new, &(New){.id = 5}));
    assert_status(DOCKET_OK, ask(&new, NULL));
    assert_int_equal(atomic_load(&used), 2);
    assert_int_equal(atomic_load(&made), 1);
    docket_graph_free(old.graph);
    docket_graph_free(new.graph);
}

/* Two types that hold each other's like twice on each of many levels: 2^60 ways, each pair looked at once. */
static void nested_types_are_compared_once(void **state)
{
    enum { LEVELS = 60 };
    static docket_type types[2][LEVELS];
    static docket_field fields[2][LEVELS][3];
    static docket_schema schemas[2][LEVELS];
    site *at = *state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < LEVELS; i++) {
            bool last = i == LEVELS - 1;
            static const char *const names[] = {"id", "left", "right"};
            for (size_t m = 0; m < 3; m++) {
                fields[k][i][m] = (docket_field){.number = (uint32_t)m + 1,
                                                 .kind = m == 0 || last ? DOCKET_KIND_INT32 : DOCKET_KIND_STRUCT,
                                                 .name = names[m],
                                                 .offset = m * 8,
                                                 .type = m == 0 || last ? NULL : &types[k][i + 1]};
            }
            schemas[k][i] = (docket_schema){fields[k][i], last && k == 0 ? 2 : 3};
            types[k][i] = *DOCKET_OF(Old);
            types[k][i].size = 24;
            types[k][i].alignment = 8;
            types[k][i].schema = &schemas[k][i];
        }
    }
    program old, new;
    atomic_store(&made, 0);
    begin(&old, site_open(at, NULL), &types[0][0], &(docket_step_options){DOCKET_STEP_OPTIONS_INIT});
    begin(&new, at->store, &types[1][0], &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .accept_older = true});
    assert_status(DOCKET_OK, ask(&old, NULL));
    assert_status(DOCKET_OK, ask(&new, NULL));
    assert_int_equal(atomic_load(&made), 1);
    docket_graph_free(old.graph);
    docket_graph_free(new.graph);
}

/* Also where a whole execution's records are read at once, and where commits are put off. */
static void older_records_are_taken_in_every_mode(void **state)
{
    static const docket_step_options modes[] = {
        {DOCKET_STEP_OPTIONS_INIT, .accept_older = true, .scope = DOCKET_SCOPE_WORKFLOW},
        {DOCKET_STEP_OPTIONS_INIT, .accept_older = true, .commit = DOCKET_COMMIT_BEFORE_END},
        {DOCKET_STEP_OPTIONS_INIT, .accept_older = true, .verify_files = true, .scope = DOCKET_SCOPE_GLOBAL},
    };
    site *at = *state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        program old, new;
        atomic_store(&made, 0);
        begin(&old, site_open(at, NULL), DOCKET_OF(Old), &modes[i]);
        begin(&new, at->store, DOCKET_OF(New), &modes[i]);
        assert_status(DOCKET_OK, ask(&old, NULL));
        int before = atomic_load(&made);
        assert_status(DOCKET_OK, ask(&new, NULL));
        assert_status(DOCKET_OK, ask(&new, NULL));
        assert_int_equal(atomic_load(&made), before);
        docket_graph_free(old.graph);
        docket_graph_free(new.graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(each_change_does_what_the_guide_says),
        SITE_SQLITE(older_record_is_taken_before_a_rerun),
        SITE_SQLITE(refusal_names_the_member),
        SITE_EACH_STORE(older_value_has_the_key_of_a_new_one),
        SITE_EACH_STORE(nested_types_are_compared_once),
        SITE_EACH_STORE(older_records_are_taken_in_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
