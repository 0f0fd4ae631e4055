/* Field report 10: an output's type changed with a deploy. Two builds of one program share a store; beside them the same
 * with many small changes of a layout, in one process. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Two builds ---- */

/* What a build answered, and its layout of the record. */
typedef struct answer {
    char text[2400];
    char layout[2400];
} answer;

static void take_text(const site *at, const char *name, char text[2400])
{
    char path[FOLDER_PATH_ROOM];
    size_t size;
    uint8_t *bytes = file_read(folder_file(&at->folder, name, path), &size);
    assert_non_null(bytes);
    snprintf(text, 2400, "%s", (const char *)bytes);
    free(bytes);
    remove(path);
}

static answer run_build(const site *at, int version, const char *on_unreadable, const char *output)
{
    answer got;
    char program[FOLDER_PATH_ROOM];
    const char *root = getenv("DOCKET_BUILD_ROOT");
    snprintf(program, sizeof program, "%s/tests/fields/deploy_v%d", root != NULL ? root : ".", version);
    assert_int_equal(child_run(program, CHILD_ARGUMENTS(at->url, at->folder.path, on_unreadable, output)), 0);
    take_text(at, "answer", got.text);
    take_text(at, "layout", got.layout);
    return got;
}

static void assert_runs(const site *at, long made, long reported)
{
    assert_int_equal(ledger_count(at->folder.path, "make"), made);
    assert_int_equal(ledger_count(at->folder.path, "report"), reported);
}

static void assert_refused(const answer *got, const answer *by)
{
    assert_int_equal(strncmp(got->text, "DOCKET_TYPE ", 12), 0);
    assert_contains(got->text, "deploy-1");
    assert_contains(got->text, "make_record");
    assert_contains(got->text, "Record");
    assert_contains(got->text, got->layout);
    assert_contains(got->text, by->layout);
}

static void fr_10_another_build_is_told_both_layouts(void **state)
{
    static const char *const outputs[] = {"final", "middle"};
    site *at = *state;
    for (size_t i = 0; i < 2; i++) {
        answer first = run_build(at, 1, "fail", "final");
        assert_string_equal(first.text, "DOCKET_OK 1007|shift");
        answer second = run_build(at, 2, "fail", outputs[i]);
        assert_refused(&second, &first);
        assert_runs(at, 1, 0);
    }
    answer again = run_build(at, 1, "fail", "middle");
    assert_string_equal(again.text, "DOCKET_OK 1007|shift");
    assert_runs(at, 1, 1);
}

static void fr_10_another_build_replaces_the_record_whole(void **state)
{
    site *at = *state;
    answer first = run_build(at, 1, "fail", "final");
    answer second = run_build(at, 2, "rerun", "middle");
    assert_string_equal(second.text, "DOCKET_OK 2007|shift|noted");
    assert_runs(at, 2, 1);
    second = run_build(at, 2, "fail", "middle");
    assert_string_equal(second.text, "DOCKET_OK 2007|shift|noted");
    assert_runs(at, 2, 2);
    answer refused = run_build(at, 1, "fail", "final");
    assert_refused(&refused, &second);
    assert_string_equal(refused.layout, first.layout);
    assert_runs(at, 2, 2);
    first = run_build(at, 1, "rerun", "final");
    assert_string_equal(first.text, "DOCKET_OK 1007|shift");
    assert_runs(at, 3, 2);
    first = run_build(at, 1, "fail", "final");
    assert_string_equal(first.text, "DOCKET_OK 1007|shift");
    assert_runs(at, 3, 2);
}

/* ---- Many layouts under one name ---- */

DOCKET_ENUM(Grade, (GRADE_NONE, 0), (GRADE_GOOD, 1));
DOCKET_STRUCT(Name, (STRING, text));
DOCKET_STRUCT(LongName, (STRING, text), (STRING, more));

/* All of these are called Record; the first is what is stored. */
DOCKET_STRUCT(Record0, (INT32, id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record1, (INT64, id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record2, (INT32, id), (STRING, name), (STRUCT(Name), owner), (STRING, note));
DOCKET_STRUCT(Record3, (INT32, id), (STRING, name));
DOCKET_STRUCT(Record4, (STRING, name), (INT32, id), (STRUCT(Name), owner));
DOCKET_STRUCT(Record5, (INT32, id), (STRING, label), (STRUCT(Name), owner));
DOCKET_STRUCT(Record6, (UINT32, id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record7, (OPTIONAL(INT32), id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record8, (LIST(INT32), id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record9, (INT32, id), (BYTES, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record10, (INT32, id), (STRING, name), (STRUCT(LongName), owner));
DOCKET_STRUCT(Record11, (INT32, id), (STRING, name), (LIST(STRUCT(Name)), owner));
DOCKET_STRUCT_NUMBERED(Record12, (2, INT32, id), (1, STRING, name), (3, STRUCT(Name), owner));
DOCKET_STRUCT_NUMBERED(Record13, (1, INT32, id), (2, STRING, name), (4, STRUCT(Name), owner));
DOCKET_STRUCT(Record14, (ENUM(Grade), id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record15, (TIME_MS, id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record16, (FIXED(4), id), (STRING, name), (STRUCT(Name), owner));
DOCKET_STRUCT(Record17, (FLOAT, id), (STRING, name), (STRUCT(Name), owner));
DOCKET_BLOB(Record18);
/* The same layout, written in another way: these must be restored. */
DOCKET_STRUCT_NUMBERED(Record19, (1, INT32, id), (2, STRING, name), (3, STRUCT(Name), owner));
DOCKET_ALIAS(Record20, Record0);

#define TYPE(n) DOCKET_OF(Record##n)
static const docket_type *const other_layouts[] = {
    TYPE(1),  TYPE(2),  TYPE(3),  TYPE(4),  TYPE(5),  TYPE(6),  TYPE(7),  TYPE(8),  TYPE(9),
    TYPE(10), TYPE(11), TYPE(12), TYPE(13), TYPE(14), TYPE(15), TYPE(16), TYPE(17), TYPE(18),
};
static const docket_type *const same_layouts[] = {TYPE(0), TYPE(19), TYPE(20)};

static atomic_int made;

static docket_status make_any(docket_ctx *ctx, void *output, const docket_argument *args)
{
    (void)ctx;
    (void)output;
    (void)args;
    atomic_fetch_add(&made, 1);
    return DOCKET_OK;
}

static docket_status make_first(docket_ctx *ctx, void *output, const docket_argument *args)
{
    Record0 *record = output;
    Name *owner = DOCKET_NEW(ctx, Name);
    owner->text = "owner";
    *record = (Record0){.id = 7, .name = "name", .owner = owner};
    return make_any(ctx, output, args);
}

/* A graph whose one step is called make and makes a Record of this layout. Type and step must outlive it. */
static docket_graph *layout_graph(docket_store *store, docket_type *type, docket_step *step,
                                  docket_unreadable policy)
{
    type->name = "Record";
    *step = (docket_step){.abi = DOCKET_STEP_ABI,
                          .name = "make",
                          .version = 1,
                          .output = type,
                          .call = type->schema == TYPE(0)->schema ? make_first : make_any};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .on_unreadable = policy};
    return graph_of_one(NULL, step, &options);
}

static docket_status ask(docket_store *store, const docket_type *layout, docket_unreadable policy,
                         docket_value_state *state)
{
    docket_type type = *layout;
    docket_step step;
    docket_graph *graph = layout_graph(store, &type, &step, policy);
    outcome asked = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = &type});
    *state = docket_result_state(asked.result, &type);
    if (asked.status == DOCKET_OK && *state == DOCKET_VALUE_RESTORED) {
        const Record0 *record = docket_result_value(asked.result, &type);
        assert_int_equal(record->id, 7);
        assert_string_equal(record->name, "name");
        assert_string_equal(record->owner->text, "owner");
    }
    outcome_free(&asked);
    docket_graph_free(graph);
    return asked.status;
}

static void fr_10_no_other_layout_reads_the_record(void **state)
{
    site *at = *state;
    docket_value_state came;
    atomic_store(&made, 0);
    assert_status(DOCKET_OK, ask(site_open(at, NULL), TYPE(0), DOCKET_FAIL, &came));
    for (size_t i = 0; i < sizeof other_layouts / sizeof other_layouts[0]; i++) {
        assert_status(DOCKET_TYPE, ask(site_open(at, NULL), other_layouts[i], DOCKET_FAIL, &came));
        assert_int_equal(atomic_load(&made), 1);
        site_close(at);
    }
    for (size_t i = 0; i < sizeof same_layouts / sizeof same_layouts[0]; i++) {
        assert_status(DOCKET_OK, ask(site_open(at, NULL), same_layouts[i], DOCKET_FAIL, &came));
        assert_int_equal(came, DOCKET_VALUE_RESTORED);
    }
    assert_int_equal(atomic_load(&made), 1);
}

static void fr_10_each_other_layout_replaces_the_record_whole(void **state)
{
    site *at = *state;
    docket_value_state came;
    for (size_t i = 0; i < sizeof other_layouts / sizeof other_layouts[0]; i++) {
        atomic_store(&made, 0);
        assert_status(DOCKET_OK, ask(site_open(at, NULL), TYPE(0), DOCKET_RERUN, &came));
        assert_int_equal(came, DOCKET_VALUE_RAN);
        assert_status(DOCKET_OK, ask(at->store, other_layouts[i], DOCKET_RERUN, &came));
        assert_int_equal(came, DOCKET_VALUE_RAN);
        assert_status(DOCKET_TYPE, ask(at->store, TYPE(0), DOCKET_FAIL, &came));
        assert_int_equal(atomic_load(&made), 2);
    }
}

/* ---- Two layouts at work in one process ---- */

static gate first_entered, first_may_end;

static docket_status make_slowly(docket_ctx *ctx, void *output, const docket_argument *args)
{
    gate_arrive(&first_entered);
    if (!gate_wait(&first_may_end)) {
        return docket_fail(ctx, 1, "left alone");
    }
    pause_ms(50); /* so that the other one waits; if it is too late for that, it finds the record */
    return make_first(ctx, output, args);
}

static void on_wait(void *arg, const docket_event *event)
{
    (void)arg;
    if (event->kind == DOCKET_EVENT_LOOKUP && !event->hit) {
        gate_arrive(&first_may_end);
    }
}

/* A caller that waits for a key while another layout's step computes it must not be handed the other's bytes. */
static docket_status wait_with_other_layout(docket_store *store, docket_unreadable policy,
                                            docket_value_state *state)
{
    docket_type first_type = *TYPE(0), type = *TYPE(1);
    docket_step first_step, step;
    caller first;
    first_entered = (gate)GATE_INIT(1);
    first_may_end = (gate)GATE_INIT(1);
    docket_graph *first_graph = layout_graph(store, &first_type, &first_step, DOCKET_RERUN);
    first_step.call = make_slowly;
    const docket_request first_request = {DOCKET_REQUEST_INIT, .output = &first_type};
    caller_start(&first, first_graph, &first_request);
    assert_true(gate_wait(&first_entered));

    const docket_observer observer = {on_wait, NULL};
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .observers = &observer,
                                                .observer_count = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .on_unreadable = policy};
    type.name = "Record";
    step = (docket_step){.abi = DOCKET_STEP_ABI, .name = "make", .version = 1, .output = &type, .call = make_any};
    docket_graph *graph = graph_of_one(&graph_options, &step, &options);
    outcome asked = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = &type});
    *state = docket_result_state(asked.result, &type);
    outcome_free(&asked);
    outcome *of_first = caller_join(&first);
    assert_status(DOCKET_OK, of_first->status);
    outcome_free(of_first);
    docket_graph_free(graph);
    docket_graph_free(first_graph);
    return asked.status;
}

static void fr_10_waiting_caller_with_another_layout_is_refused(void **state)
{
    site *at = *state;
    docket_value_state came;
    atomic_store(&made, 0);
    assert_status(DOCKET_TYPE, wait_with_other_layout(site_open(at, NULL), DOCKET_FAIL, &came));
    assert_int_equal(atomic_load(&made), 1);
}

static void fr_10_waiting_caller_with_another_layout_reruns(void **state)
{
    site *at = *state;
    docket_value_state came;
    atomic_store(&made, 0);
    assert_status(DOCKET_OK, wait_with_other_layout(site_open(at, NULL), DOCKET_RERUN, &came));
    assert_int_equal(came, DOCKET_VALUE_RAN);
    assert_int_equal(atomic_load(&made), 2);
    assert_status(DOCKET_TYPE, ask(at->store, TYPE(0), DOCKET_FAIL, &came));
}

/* ---- An input's layout, and a version ---- */

DOCKET_STRUCT(Out, (INT64, n));
DOCKET_STRUCT(In1, (INT32, n));
DOCKET_STRUCT(In2, (INT64, n));

static docket_status read_in(docket_ctx *ctx, void *output, const docket_argument *args)
{
    ((Out *)output)->n = ((const In1 *)args[0].value)->n;
    return make_any(ctx, output, args);
}

static void run_with_input(docket_store *store, const docket_type *layout, const void *value, uint32_t version)
{
    docket_type type = *layout;
    type.name = "In";
    const docket_step_input input = {&type, 0};
    const docket_step step = {.abi = DOCKET_STEP_ABI,
                              .name = "read",
                              .version = version,
                              .input_count = 1,
                              .output = DOCKET_OF(Out),
                              .inputs = &input,
                              .call = read_in};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = graph_of_one(NULL, &step, &options);
    outcome asked = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Out),
                                                 .inputs = &(docket_input){.type = &type, .value = value}, .input_count = 1});
    assert_status(DOCKET_OK, asked.status);
    assert_int_equal(DOCKET_RESULT(asked.result, Out)->n, 5);
    outcome_free(&asked);
    docket_graph_free(graph);
}

/* The bytes of 5 are the same in both layouts. */
static void fr_10_another_layout_of_an_input_is_a_miss(void **state)
{
    site *at = *state;
    atomic_store(&made, 0);
    for (int round = 0; round < 2; round++) {
        run_with_input(site_open(at, NULL), DOCKET_OF(In1), &(In1){5}, 1);
        run_with_input(site_open(at, NULL), DOCKET_OF(In2), &(In2){5}, 1);
        assert_int_equal(atomic_load(&made), 2);
        site_close(at);
    }
}

static void fr_10_each_version_keeps_its_own_record(void **state)
{
    site *at = *state;
    atomic_store(&made, 0);
    for (int round = 0; round < 2; round++) {
        run_with_input(site_open(at, NULL), DOCKET_OF(In1), &(In1){5}, 1);
        run_with_input(site_open(at, NULL), DOCKET_OF(In1), &(In1){5}, 2);
        run_with_input(site_open(at, NULL), DOCKET_OF(In1), &(In1){5}, 256);
        run_with_input(site_open(at, NULL), DOCKET_OF(In1), &(In1){5}, 65537);
        assert_int_equal(atomic_load(&made), 4);
        site_close(at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_SQLITE(fr_10_another_build_is_told_both_layouts),
        SITE_SQLITE(fr_10_another_build_replaces_the_record_whole),
        SITE_EACH_STORE(fr_10_no_other_layout_reads_the_record),
        SITE_EACH_STORE(fr_10_each_other_layout_replaces_the_record_whole),
        SITE_EACH_STORE(fr_10_waiting_caller_with_another_layout_is_refused),
        SITE_EACH_STORE(fr_10_waiting_caller_with_another_layout_reruns),
        SITE_EACH_STORE(fr_10_another_layout_of_an_input_is_a_miss),
        SITE_EACH_STORE(fr_10_each_version_keeps_its_own_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
