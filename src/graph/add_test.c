#include "graph/graph.h"

#include "support/check.h"
#include "support/letters.h"
#include "support/numbers.h"
#include "type/schema.h"

#include <math.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static docket_graph *new_graph(void)
{
    docket_graph *graph = docket_graph_new("test", NULL);
    assert_non_null(graph);
    return graph;
}

/* The graph's remembered error must be this one. */
static void assert_remembered(docket_graph *graph, docket_status status, const char *part)
{
    docket_error error;
    assert_status(status, docket_graph_validate(graph, &error));
    assert_status(status, error.status);
    assert_contains(error.message, part);
    assert_false(docket_graph_is_frozen(graph));
}

/* Adding this must be refused, and must leave the graph empty. */
static void assert_refused(const docket_step *step, const docket_step_options *options, docket_status status,
                           const char *part)
{
    docket_graph *graph = new_graph();
    assert_status(status, docket_graph_add(graph, step, options));
    assert_int_equal(docket_graph_step_count(graph), 0);
    assert_int_equal(docket_graph_leaf_count(graph), 0);
    assert_remembered(graph, status, part);
    docket_graph_free(graph);
}

#define OPTIONS(...) (&(docket_step_options){DOCKET_STEP_OPTIONS_INIT, __VA_ARGS__})
#define BACKOFF(...) OPTIONS(.backoff = {__VA_ARGS__})
#define assert_options_refused(options, part) assert_refused(&count_letters_step, options, DOCKET_INVALID, part)

static int64_t wait_a_second(void *user, int failed_attempt)
{
    (void)user;
    (void)failed_attempt;
    return 1000;
}

static void test_options_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_options_refused(OPTIONS(.max_attempts = -1), "max_attempts is -1");
    assert_options_refused(OPTIONS(.ttl_ms = -1), "ttl_ms is -1");
    assert_options_refused(OPTIONS(.time_limit_ms = -5), "time_limit_ms is -5");
    assert_options_refused(OPTIONS(.grace_ms = -1), "grace_ms is -1");
    assert_options_refused(OPTIONS(.scope = (docket_scope)3), "scope is 3");
    assert_options_refused(OPTIONS(.commit = (docket_commit_mode)2), "commit is 2");
    assert_options_refused(OPTIONS(.on_unreadable = (docket_unreadable)9), "on_unreadable is 9");
    assert_options_refused(OPTIONS(.on_failure = (docket_failure_policy)7), "on_failure is 7");
    assert_options_refused(OPTIONS(.scope = DOCKET_SCOPE_WORKFLOW), "docket_store_open");
    assert_options_refused(OPTIONS(.scope = DOCKET_SCOPE_GLOBAL), "there is no store");
}

static void test_bad_backoffs_are_refused(void **state)
{
    (void)state;
    assert_options_refused(BACKOFF(.kind = (docket_backoff_kind)4), "backoff.kind is 4");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .first_ms = -1), "first_ms is -1");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .cap_ms = -1), "cap_ms is -1");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .first_ms = 100, .cap_ms = 99), "cap_ms is 99");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .first_ms = DOCKET_HOURS(1) + 1),
                           "set backoff.cap_ms");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .factor = 0.5),
                           "factor is 0.5");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .factor = NAN), "factor is");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 1, .factor = INFINITY),
                           "factor is");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_CALLBACK), "delay_ms is missing");
    assert_options_refused(BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .delay_ms = wait_a_second), "the kind is missing");
    assert_options_refused(BACKOFF(.first_ms = 100), "no kind");
}

static const docket_step_options *add_resolved(docket_graph *graph, const docket_step_options *options)
{
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, options));
    return &graph->steps[graph->step_count - 1]->options;
}

static void test_defaults_are_filled_in(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    const docket_step_options *options = add_resolved(graph, NULL);
    assert_string_equal(options->name, "count_letters");
    assert_int_equal(options->max_attempts, 1);
    assert_int_equal(options->grace_ms, DOCKET_SECONDS(5));
    assert_int_equal(options->backoff.kind, DOCKET_BACKOFF_NONE);
    docket_graph_free(graph);

    graph = new_graph();
    options = add_resolved(graph, BACKOFF(.kind = DOCKET_BACKOFF_EXPONENTIAL, .first_ms = 10));
    assert_true(options->backoff.factor == 2);
    assert_int_equal(options->backoff.cap_ms, DOCKET_HOURS(1));
    docket_graph_free(graph);

    docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .grace_ms = 70};
    graph = docket_graph_new("test", &defaults);
    options = add_resolved(graph, BACKOFF(.kind = DOCKET_BACKOFF_FIXED, .first_ms = 10, .factor = 3));
    assert_true(options->backoff.factor == 1);
    assert_int_equal(options->grace_ms, 70);
    docket_graph_free(graph);
}

static void test_options_of_other_sizes(void **state)
{
    (void)state;
    struct {
        docket_step_options known;
        int64_t unknown;
    } newer = {.known = {.struct_size = sizeof newer, .max_attempts = 3}};
    docket_graph *graph = new_graph();
    assert_int_equal(add_resolved(graph, &newer.known)->max_attempts, 3);
    docket_graph_free(graph);

    newer.unknown = 1;
    assert_options_refused(&newer.known, "needs a newer library");

    docket_step_options older = {.struct_size = offsetof(docket_step_options, backoff), .max_attempts = 4};
    older.time_limit_ms = -1; /* beyond what the older program knows */
    graph = new_graph();
    assert_int_equal(add_resolved(graph, &older)->max_attempts, 4);
    docket_graph_free(graph);

    docket_step_options forgotten = {.max_attempts = 4};
    assert_options_refused(&forgotten, "DOCKET_STEP_OPTIONS_INIT");
    forgotten.struct_size = SIZE_MAX;
    assert_options_refused(&forgotten, "DOCKET_STEP_OPTIONS_INIT");
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    char name[257];
    memset(name, 'x', sizeof name);
    name[256] = '\0';
    assert_options_refused(OPTIONS(.name = name), "name");
    name[255] = '\0';
    docket_graph *graph = new_graph();
    assert_string_equal(add_resolved(graph, OPTIONS(.name = name))->name, name);
    docket_graph_free(graph);
    assert_options_refused(OPTIONS(.name = ""), "name");
    assert_options_refused(OPTIONS(.name = "two\nlines"), "name");
    assert_options_refused(OPTIONS(.name = "\xff"), "name");

    docket_step nameless = count_letters_step;
    nameless.name = NULL;
    assert_refused(&nameless, NULL, DOCKET_INVALID, "name");

    name[255] = 'x';
    graph = docket_graph_new(name, NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_remembered(graph, DOCKET_INVALID, "the graph's name");
    docket_graph_free(graph);
    graph = docket_graph_new(NULL, NULL);
    assert_remembered(graph, DOCKET_INVALID, "the graph's name");
    docket_graph_free(graph);
}

static void test_bad_graph_options_are_remembered(void **state)
{
    (void)state;
    const docket_observer deaf[] = {{NULL, NULL}};
    const docket_graph_options bad[] = {
        {DOCKET_GRAPH_OPTIONS_INIT, .time_limit_ms = -1},
        {DOCKET_GRAPH_OPTIONS_INIT, .grace_ms = -1},
        {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = "a\tb"},
        {DOCKET_GRAPH_OPTIONS_INIT, .observer_count = 1},
        {DOCKET_GRAPH_OPTIONS_INIT, .observers = deaf, .observer_count = 1},
        {.time_limit_ms = 1},
    };
    const char *parts[] = {"time_limit_ms is -1", "grace_ms is -1",     "key_namespace",
                           "observers is NULL",   "observers[0].event", "DOCKET_GRAPH_OPTIONS_INIT"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        docket_graph *graph = docket_graph_new("test", &bad[i]);
        assert_remembered(graph, DOCKET_INVALID, parts[i]);
        assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
        docket_graph_free(graph);
    }
}

static docket_status call_nothing(docket_ctx *ctx, void *output, const docket_argument *args)
{
    (void)ctx;
    (void)output;
    (void)args;
    return DOCKET_OK;
}

typedef struct Client Client;
DOCKET_RESOURCE(Client);
DOCKET_STRUCT(Other, (INT32, value));

static void test_bad_descriptors_are_refused(void **state)
{
    (void)state;
    const docket_step_input nine[9] = {{DOCKET_OF(IS), 0}};
    const docket_step_input untyped[] = {{DOCKET_OF(IS), 0}, {NULL, 0}};
    const docket_step_input late_items[] = {{DOCKET_OF(IS), 0}, {DOCKET_OF(Other), DOCKET_INPUT_ITEMS}};
    const docket_step_input strange[] = {{DOCKET_OF(IS), 4}};
    const docket_step_input clients[] = {{DOCKET_OF(Client), DOCKET_INPUT_ITEMS}};
    const docket_step good = {
        .abi = DOCKET_STEP_ABI, .name = "s", .version = 1, .output = DOCKET_OF(LC), .call = call_nothing};
    struct {
        docket_step step;
        const char *part;
    } bad[12];
    for (size_t i = 0; i < 12; i++) {
        bad[i].step = good;
    }
    bad[0].step.abi = 2, bad[0].part = "ABI 2";
    bad[1].step.flags = 8, bad[1].part = "reserved";
    bad[2].step.reserved[1] = "", bad[2].part = "reserved";
    bad[3].step.version = 0, bad[3].part = "versions start at 1";
    bad[4].step.call = NULL, bad[4].part = "call is NULL";
    bad[5].step.output = NULL, bad[5].part = "no output";
    bad[6].step.input_count = 9, bad[6].step.inputs = nine, bad[6].part = "9 inputs";
    bad[7].step.input_count = 1, bad[7].part = "inputs is NULL";
    bad[8].step.input_count = 2, bad[8].step.inputs = untyped, bad[8].part = "input 2 is NULL";
    bad[9].step.input_count = 2, bad[9].step.inputs = late_items, bad[9].part = "input 2 has DOCKET_INPUT_ITEMS";
    bad[10].step.input_count = 1, bad[10].step.inputs = strange, bad[10].part = "0x4";
    bad[11].step.input_count = 1, bad[11].step.inputs = clients, bad[11].part = "item of an aggregate";
    for (size_t i = 0; i < 12; i++) {
        assert_refused(&bad[i].step, NULL, DOCKET_INVALID, bad[i].part);
    }
    docket_step makes_client = good;
    makes_client.output = DOCKET_OF(Client);
    assert_refused(&makes_client, NULL, DOCKET_INVALID, "\"Client\" is a resource");
    assert_refused(NULL, NULL, DOCKET_INVALID, "the step is NULL");
}

/* A second layout of a name: as another compilation unit could declare it. */
static docket_type retype(const docket_type *type, const char *name)
{
    docket_type other = *type;
    other.name = name;
    return other;
}

static docket_step retake(const docket_type *type, const docket_step_input *input)
{
    return (docket_step){.abi = DOCKET_STEP_ABI,
                         .name = "retake",
                         .version = 1,
                         .input_count = 1,
                         .output = type,
                         .inputs = input,
                         .call = call_nothing,
                         .file = "retake.c",
                         .line = 7};
}

static void test_one_name_has_one_layout(void **state)
{
    (void)state;
    docket_type imposter = retype(DOCKET_OF(Other), "IS");
    docket_step_input input = {&imposter, 0};
    docket_step step = retake(DOCKET_OF(Other), &input);
    docket_graph *graph = new_graph();
    docket_error error;
    char digits[9];
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_TYPE, docket_graph_add(graph, &step, NULL));
    assert_status(DOCKET_TYPE, docket_graph_validate(graph, &error));
    assert_string_equal(error.type, "IS");
    assert_string_equal(error.step, "retake");
    for (int i = 0; i < 2; i++) {
        uint8_t fingerprint[32];
        assert_status(DOCKET_OK, docket_type_fingerprint(i == 0 ? DOCKET_OF(IS) : &imposter, fingerprint, NULL));
        snprintf(digits, sizeof digits, "%02x%02x%02x%02x", fingerprint[0], fingerprint[1], fingerprint[2],
                 fingerprint[3]);
        assert_contains(error.message, digits);
    }
    assert_int_equal(graph->type_count, 2);
    docket_graph_free(graph);
}

static void test_equal_descriptors_are_one_type(void **state)
{
    (void)state;
    docket_type twin = *DOCKET_OF(IS);
    docket_field fields[1] = {DOCKET_OF(IS)->schema->fields[0]};
    docket_schema schema = {fields, 1};
    char name[] = "IS";
    twin.schema = &schema;
    twin.name = name;
    docket_step_input input = {&twin, 0};
    docket_step step = retake(DOCKET_OF(Other), &input);
    docket_graph *graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_add(graph, &step, NULL));
    assert_int_equal(graph->type_count, 3);
    assert_int_equal(docket_graph_leaf_count(graph), 1);
    docket_graph_free(graph);
}

static void test_equal_members_elsewhere_in_memory_are_refused(void **state)
{
    (void)state;
    docket_type wide = *DOCKET_OF(IS);
    docket_type moved = *DOCKET_OF(IS);
    docket_field fields[1] = {DOCKET_OF(IS)->schema->fields[0]};
    docket_schema schema = {fields, 1};
    wide.size = 2 * wide.size;
    moved.size = wide.size;
    fields[0].offset = DOCKET_OF(IS)->size;
    moved.schema = &schema;
    const docket_type *others[] = {&wide, &moved};
    for (int i = 0; i < 2; i++) {
        docket_step_input input = {others[i], 0};
        docket_step step = retake(DOCKET_OF(Other), &input);
        docket_graph *graph = new_graph();
        assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
        assert_status(DOCKET_TYPE, docket_graph_add(graph, &step, NULL));
        assert_remembered(graph, DOCKET_TYPE, "differently in memory");
        docket_graph_free(graph);
    }
}

static docket_status encode_nothing(const docket_type *type, const void *value, docket_buffer *out,
                                    docket_error *error)
{
    (void)type;
    (void)value;
    (void)out;
    (void)error;
    return DOCKET_OK;
}

static docket_status decode_nothing(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                    docket_error *error)
{
    (void)type;
    (void)bytes;
    (void)arena;
    (void)value;
    (void)error;
    return DOCKET_OK;
}

static void test_hand_written_types_agree_by_their_layout(void **state)
{
    (void)state;
    docket_type png = {.abi = DOCKET_TYPE_ABI,
                       .name = "image",
                       .size = 4,
                       .alignment = 4,
                       .layout = "png",
                       .encode = encode_nothing,
                       .decode = decode_nothing};
    docket_type same = png;
    docket_type jpeg = png;
    docket_type mute = png;
    docket_error error;
    docket_step_input input = {&png, 0};
    docket_step step = retake(DOCKET_OF(Other), &input);
    docket_graph *graph = new_graph();
    jpeg.layout = "jpeg";
    mute.encode = NULL;
    assert_status(DOCKET_OK, docket_graph_add(graph, &step, NULL));
    assert_int_not_equal(docket__graph_find_type(graph, &same, &error), UINT32_MAX);
    assert_int_equal(docket__graph_find_type(graph, &jpeg, &error), UINT32_MAX);
    assert_status(DOCKET_TYPE, error.status);
    assert_int_equal(docket__graph_find_type(graph, &mute, &error), UINT32_MAX);
    assert_status(DOCKET_INVALID, error.status);
    docket_graph_free(graph);
}

static void test_find_type_tells_unknown_from_wrong(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_int_equal(docket__graph_find_type(graph, DOCKET_OF(LC), &error), graph->steps[0]->output);
    assert_int_equal(docket__graph_find_type(graph, DOCKET_OF(Other), &error), UINT32_MAX);
    assert_status(DOCKET_OK, error.status);
    docket_type imposter = retype(DOCKET_OF(Other), "LC");
    assert_int_equal(docket__graph_find_type(graph, &imposter, &error), UINT32_MAX);
    assert_status(DOCKET_TYPE, error.status);
    imposter.abi = 0;
    assert_int_equal(docket__graph_find_type(graph, &imposter, &error), UINT32_MAX);
    assert_status(DOCKET_INVALID, error.status);
    imposter.abi = DOCKET_TYPE_ABI;
    imposter.name = NULL;
    assert_int_equal(docket__graph_find_type(graph, &imposter, &error), UINT32_MAX);
    assert_status(DOCKET_INVALID, error.status);
    docket_graph_free(graph);
}

static void test_a_refused_step_leaves_no_types_behind(void **state)
{
    (void)state;
    docket_type broken = retype(DOCKET_OF(Other), "broken");
    broken.schema = NULL;
    docket_step_input inputs[] = {{DOCKET_OF(IS), 0}, {&broken, 0}};
    docket_step step = retake(DOCKET_OF(LC), inputs);
    step.input_count = 2;
    docket_graph *graph = new_graph();
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    assert_int_equal(graph->type_count, 0);
    assert_int_equal(graph->type_by_name.count, 0);
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_int_equal(graph->type_count, 2);
    assert_remembered(graph, DOCKET_INVALID, "broken");
    docket_graph_free(graph);
}

static void test_the_first_error_is_the_one_remembered(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &count_letters_step, OPTIONS(.max_attempts = -1)));
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &count_letters_step, OPTIONS(.ttl_ms = -1)));
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    assert_remembered(graph, DOCKET_INVALID, "max_attempts");
    assert_remembered(graph, DOCKET_INVALID, "max_attempts");
    docket_graph_free(graph);
}

static void test_add_all_adds_what_it_can(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    docket_step bad = make_letters_step;
    bad.version = 0;
    const docket_step *steps[] = {&bad, &make_letters_step, &count_letters_step, NULL};
    assert_status(DOCKET_INVALID, docket_graph_add_all(graph, NULL, steps));
    assert_int_equal(docket_graph_step_count(graph), 1);
    assert_status(DOCKET_INVALID, docket_graph_add_all(graph, NULL, NULL));
    assert_status(DOCKET_INVALID, docket_graph_add_all(NULL, NULL, steps));
    docket_graph_free(graph);

    graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add_all(graph, NULL, DOCKET_STEPS(count_letters)));
    assert_int_equal(docket_graph_step_count(graph), 1);
    docket_graph_free(graph);
}

static void test_provided_values_are_copies_and_resources_are_not(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    char text[] = "hello";
    IS value = {text};
    int client = 0;
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(IS, &value)));
    assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(Client, (Client *)&client)));
    text[0] = 'j';
    value.value = NULL;
    const IS *copy = graph->types[docket__graph_find_type(graph, DOCKET_OF(IS), &error)].provided;
    assert_string_equal(copy->value, "hello");
    assert_ptr_equal(graph->types[docket__graph_find_type(graph, DOCKET_OF(Client), &error)].provided, &client);
    assert_status(DOCKET_INVALID, docket_graph_provide(graph, DOCKET_IN(IS, &value)));
    assert_remembered(graph, DOCKET_INVALID, "already provided");
    docket_graph_free(graph);
}

static void test_provide_refuses_what_it_cannot_hold(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    IS value = {"\xff"};
    assert_status(DOCKET_ENCODE, docket_graph_provide(graph, DOCKET_IN(IS, &value)));
    assert_int_equal(graph->type_count, 0);
    assert_status(DOCKET_INVALID, docket_graph_provide(graph, (docket_input){.type = NULL, .value = &value}));
    assert_status(DOCKET_INVALID, docket_graph_provide(graph, (docket_input){.type = DOCKET_OF(IS), .value = NULL}));
    assert_status(DOCKET_INVALID, docket_graph_provide(NULL, DOCKET_IN(IS, &value)));
    assert_remembered(graph, DOCKET_ENCODE, "");
    docket_graph_free(graph);
}

static void test_recorded_steps_hold_store_and_schema(void **state)
{
    (void)state;
    docket_store *first = NULL;
    docket_store *second = NULL;
    assert_status(DOCKET_OK, docket_store_open(&first, "memory:", NULL, NULL));
    assert_status(DOCKET_OK, docket_store_open(&second, "memory:", NULL, NULL));
    docket_graph *graph =
        docket_graph_new("test", &(docket_graph_options){DOCKET_GRAPH_OPTIONS_INIT, .store = first});
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, OPTIONS(.scope = DOCKET_SCOPE_GLOBAL)));
    assert_ptr_equal(graph->steps[0]->options.store, first);
    docket_step other = retake(DOCKET_OF(Other), &(docket_step_input){DOCKET_OF(IS), 0});
    assert_status(DOCKET_OK,
                  docket_graph_add(graph, &other, OPTIONS(.scope = DOCKET_SCOPE_WORKFLOW, .store = second)));
    assert_ptr_equal(graph->steps[1]->options.store, second);
    for (int i = 0; i < 2; i++) {
        docket_bytes schema = graph->types[graph->steps[i]->output].schema;
        const docket_type *type = NULL;
        docket_arena *arena = docket_arena_new();
        assert_status(DOCKET_OK, docket__schema_decode(schema, arena, &type, NULL));
        assert_string_equal(type->name, i == 0 ? "LC" : "Other");
        docket_arena_free(arena);
    }
    docket_store_close(first);
    docket_store_close(second);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_graph_free(graph);
}

static void test_infos_stay_where_they_are_while_the_graph_grows(void **state)
{
    (void)state;
    numbers all = numbers_chain(200);
    docket_graph *graph = new_graph();
    assert_status(DOCKET_OK, docket_graph_add(graph, &all.steps[0], NULL));
    const docket_step_info *first = docket_graph_step(graph, 0);
    assert_status(DOCKET_OK, numbers_add(&all, 1, graph, NULL));
    assert_ptr_equal(docket_graph_step(graph, 0), first);
    assert_string_equal(first->name, "n0");
    docket_graph_free(graph);
    numbers_free(&all);
}

static void test_a_graph_of_the_parent_is_refused_in_the_child(void **state)
{
    (void)state;
    docket_graph *graph = new_graph();
    IS value = {"x"};
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, NULL));
    pid_t child = fork();
    if (child == 0) {
        docket_error error;
        bool refused = docket_graph_add(graph, &make_letters_step, NULL) == DOCKET_FORKED &&
                       docket_graph_provide(graph, DOCKET_IN(IS, &value)) == DOCKET_FORKED &&
                       docket_graph_validate(graph, &error) == DOCKET_FORKED &&
                       strstr(error.message, "fork") != NULL;
        docket_graph_free(graph);
        _exit(refused ? 0 : 1);
    }
    int ended = 1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_out_of_range_are_refused),
        cmocka_unit_test(test_bad_backoffs_are_refused),
        cmocka_unit_test(test_defaults_are_filled_in),
        cmocka_unit_test(test_options_of_other_sizes),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_bad_graph_options_are_remembered),
        cmocka_unit_test(test_bad_descriptors_are_refused),
        cmocka_unit_test(test_one_name_has_one_layout),
        cmocka_unit_test(test_equal_descriptors_are_one_type),
        cmocka_unit_test(test_equal_members_elsewhere_in_memory_are_refused),
        cmocka_unit_test(test_hand_written_types_agree_by_their_layout),
        cmocka_unit_test(test_find_type_tells_unknown_from_wrong),
        cmocka_unit_test(test_a_refused_step_leaves_no_types_behind),
        cmocka_unit_test(test_the_first_error_is_the_one_remembered),
        cmocka_unit_test(test_add_all_adds_what_it_can),
        cmocka_unit_test(test_provided_values_are_copies_and_resources_are_not),
        cmocka_unit_test(test_provide_refuses_what_it_cannot_hold),
        cmocka_unit_test(test_recorded_steps_hold_store_and_schema),
        cmocka_unit_test(test_infos_stay_where_they_are_while_the_graph_grows),
        cmocka_unit_test(test_a_graph_of_the_parent_is_refused_in_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
