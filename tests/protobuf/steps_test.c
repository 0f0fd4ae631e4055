/* Messages in graphs: as inputs, as outputs, recorded and restored. */
#include "legacy.pb-c.h"
#include "sample.pb-c.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/protobuf.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Sample__Plain, sample__plain);
DOCKET_PROTOBUF(Sample__Tree, sample__tree);
DOCKET_PROTOBUF(Sample__Point, sample__point);
DOCKET_PROTOBUF(Sample__WiderPoint, sample__wider_point);
DOCKET_PROTOBUF(Legacy__Inner, legacy__inner);
DOCKET_PROTOBUF(Legacy__Old, legacy__old);
DOCKET_STRUCT(Count, (INT64, count));

typedef struct record {
    int runs;
    int attempts_to_fail;
    bool breaks_text;
} record;

static docket_status count_entries(docket_ctx *ctx, Count *out, const Sample__Everything *in)
{
    record *kept = docket_ctx_user(ctx);
    kept->runs++;
    out->count = (int64_t)in->n_counts;
    return DOCKET_OK;
}
DOCKET_STEP(count_entries, Count, Sample__Everything);

/* Leaves what it can to its start state, and most of it constant. */
static docket_status grow(docket_ctx *ctx, Sample__Everything *out, const Sample__Tree *tree)
{
    static Sample__Everything__CountsEntry pairs[2];
    static Sample__Everything__CountsEntry *list[] = {&pairs[0], &pairs[1]};
    record *kept = docket_ctx_user(ctx);
    kept->runs++;
    if (out->base.descriptor != &sample__everything__descriptor || out->i64 != 0 || out->n_counts != 0) {
        return docket_reject(ctx, 1, "the output is not in its start state");
    }
    out->i64 = tree->number;
    out->n_counts = 2;
    out->counts = list;
    for (int i = 0; i < 2; i++) {
        sample__everything__counts_entry__init(&pairs[i]);
        pairs[i].key = docket_strdup(ctx, i == 0 ? "z" : "a");
        pairs[i].value = tree->number;
    }
    out->text = kept->breaks_text ? docket_strdup(ctx, "\xff") : NULL;
    out->choice_case = SAMPLE__EVERYTHING__CHOICE_C_TEXT;
    out->c_text = docket_printf(ctx, "number %d", (int)tree->number);
    return kept->runs <= kept->attempts_to_fail ? docket_fail(ctx, 1, "not yet") : DOCKET_OK;
}
DOCKET_STEP(grow, Sample__Everything, Sample__Tree);

static docket_graph *graph_with(site *self, const docket_step *step, record *kept, docket_scope scope)
{
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = kept, .scope = scope, .max_attempts = 3};
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    return graph_of_one(&graph_options, step, &options);
}

static void orders_of_a_map_are_one_key(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    site *self = *state;
    record kept = {0};
    docket_graph *graph = graph_with(self, &count_entries_step, &kept, DOCKET_SCOPE_GLOBAL);
    Sample__Everything__CountsEntry pairs[3];
    char keys[3][2] = {"c", "b", "a"};
    for (int i = 0; i < 3; i++) {
        sample__everything__counts_entry__init(&pairs[i]);
        pairs[i].key = keys[i];
        pairs[i].value = i;
    }
    for (size_t i = 0; i < 6; i++) {
        Sample__Everything__CountsEntry *list[3];
        Sample__Everything value = SAMPLE__EVERYTHING__INIT;
        for (size_t k = 0; k < 3; k++) {
            list[k] = &pairs[orders[i][k]];
        }
        value.counts = list, value.n_counts = 3;
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Count),
                                        DOCKET_INPUTS(DOCKET_IN(Sample__Everything, &value))};
        outcome of = run(graph, &request);
        assert_status(DOCKET_OK, of.status);
        assert_int_equal(DOCKET_RESULT(of.result, Count)->count, 3);
        outcome_free(&of);
    }
    assert_int_equal(kept.runs, 1);
    docket_graph_free(graph);
}

static void unknown_fields_are_part_of_the_key(void **state)
{
    site *self = *state;
    record kept = {0};
    docket_graph *graph = graph_with(self, &count_entries_step, &kept, DOCKET_SCOPE_GLOBAL);
    uint8_t number[] = {0};
    ProtobufCMessageUnknownField unknown = {77, PROTOBUF_C_WIRE_TYPE_VARINT, 1, number};
    for (int i = 0; i < 6; i++) {
        Sample__Everything value = SAMPLE__EVERYTHING__INIT;
        number[0] = (uint8_t)(i % 2);
        value.base.unknown_fields = &unknown;
        value.base.n_unknown_fields = i < 4;
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Count),
                                        DOCKET_INPUTS(DOCKET_IN(Sample__Everything, &value))};
        assert_status(DOCKET_OK, run_for_status(graph, &request));
    }
    assert_int_equal(kept.runs, 3); /* 0, 1, none */
    docket_graph_free(graph);
}

static void check_grown(const Sample__Everything *value)
{
    assert_non_null(value);
    assert_ptr_equal(value->base.descriptor, &sample__everything__descriptor);
    assert_int_equal(value->i64, 5);
    assert_string_equal(value->text, "");
    assert_string_equal(value->c_text, "number 5");
    assert_int_equal(value->n_counts, 2);
    assert_string_equal(value->counts[0]->key, "a");
    assert_string_equal(value->counts[1]->key, "z");
}

static docket_status grow_once(docket_graph *graph, docket_error *error)
{
    Sample__Tree tree = SAMPLE__TREE__INIT;
    tree.number = 5;
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "one",
                                    .output = DOCKET_OF(Sample__Everything),
                                    DOCKET_INPUTS(DOCKET_IN(Sample__Tree, &tree))};
    outcome of = run(graph, &request);
    if (of.status == DOCKET_OK) {
        check_grown(DOCKET_RESULT(of.result, Sample__Everything));
    }
    *error = of.error;
    outcome_free(&of);
    return error->status;
}

static void fresh_and_restored_are_alike(void **state)
{
    site *self = *state;
    docket_error error;
    record kept = {.attempts_to_fail = 2};
    docket_graph *graph = graph_with(self, &grow_step, &kept, DOCKET_SCOPE_WORKFLOW);
    assert_status(DOCKET_OK, grow_once(graph, &error));
    assert_status(DOCKET_OK, grow_once(graph, &error));
    docket_graph_free(graph);
    site_close(self);
    graph = graph_with(self, &grow_step, &kept, DOCKET_SCOPE_WORKFLOW);
    assert_status(DOCKET_OK, grow_once(graph, &error));
    assert_int_equal(kept.runs, 3);
    docket_graph_free(graph);
}

static void broken_text_fails_recorded_or_not(void **state)
{
    site *self = *state;
    for (int i = 0; i < 2; i++) {
        docket_error error;
        record kept = {.breaks_text = true};
        docket_graph *graph =
            graph_with(self, &grow_step, &kept, i == 0 ? DOCKET_SCOPE_NONE : DOCKET_SCOPE_WORKFLOW);
        assert_status(DOCKET_ENCODE, grow_once(graph, &error));
        assert_contains(error.message, "Sample__Everything.text: the text is not valid UTF-8");
        assert_int_equal(kept.runs, 1);
        docket_graph_free(graph);
    }
}

static void wrong_descriptors_are_refused_when_added(void **state)
{
    (void)state;
    ProtobufCFieldDescriptor field = sample__tree__descriptor.fields[0];
    ProtobufCMessageDescriptor message = sample__tree__descriptor;
    docket_type type = *DOCKET_OF(Sample__Tree);
    docket_step step = grow_step;
    docket_step_input input = {&type, 0};
    docket_error error;
    field.type = (ProtobufCType)17;
    message.fields = &field, message.n_fields = 1;
    type.detail = &message;
    step.inputs = &input;
    docket_graph *graph = docket_graph_new("wrong", NULL);
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &step, NULL));
    assert_status(DOCKET_INVALID, docket_graph_validate(graph, &error));
    assert_contains(error.message, "message sample.Tree, field number: groups are not supported");
    docket_graph_free(graph);
}

/* Every file that declares the type has a descriptor of its own; so has every plugin the whole message. */
static void copies_of_a_descriptor_are_one_type(void **state)
{
    (void)state;
    docket_type same = *DOCKET_OF(Sample__Tree);
    docket_type copied = *DOCKET_OF(Sample__Tree);
    ProtobufCMessageDescriptor message = sample__tree__descriptor;
    ProtobufCFieldDescriptor fields[3];
    memcpy(fields, message.fields, sizeof fields);
    message.fields = fields;
    fields[1].descriptor = fields[2].descriptor = &message;
    const docket_type *const types[] = {&same, &copied, DOCKET_OF(Legacy__Old)};
    copied.detail = &message;
    for (size_t i = 0; i < 3; i++) {
        docket_type other = *types[i];
        other.name = DOCKET_OF(Sample__Tree)->name;
        docket_step_input input = {&other, 0};
        docket_step step = grow_step;
        step.inputs = &input, step.output = DOCKET_OF(Sample__Plain), step.name = "other";
        docket_graph *graph = docket_graph_new("copies", NULL);
        assert_status(DOCKET_OK, docket_graph_add(graph, &grow_step, NULL));
        assert_status(i < 2 ? DOCKET_OK : DOCKET_TYPE, docket_graph_add(graph, &step, NULL));
        docket_graph_free(graph);
    }
}

/* ---- Messages of another time ---- */

static docket_status make_point(docket_ctx *ctx, Sample__Point *out, const Count *in)
{
    ((record *)docket_ctx_user(ctx))->runs++;
    out->x = (int32_t)in->count;
    return DOCKET_OK;
}
DOCKET_STEP(make_point, Sample__Point, Count);

static docket_status make_wider_point(docket_ctx *ctx, Sample__WiderPoint *out, const Count *in)
{
    ((record *)docket_ctx_user(ctx))->runs++;
    out->x = (int32_t)in->count;
    out->name = docket_strdup(ctx, "new");
    return DOCKET_OK;
}
DOCKET_STEP(make_wider_point, Sample__WiderPoint, Count);

static docket_status make_inner(docket_ctx *ctx, Legacy__Inner *out, const Count *in)
{
    ((record *)docket_ctx_user(ctx))->runs++;
    out->id = (int32_t)in->count;
    return DOCKET_OK;
}
DOCKET_STEP(make_inner, Legacy__Inner, Count);

/* Executes a step as if its output were called Place and itself place. */
static docket_status place(site *self, const docket_step *step, record *kept, outcome *of)
{
    docket_type type = *step->output;
    docket_step renamed = *step;
    type.name = "Place";
    renamed.output = &type, renamed.name = "place";
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = kept, .scope = DOCKET_SCOPE_GLOBAL,
                                   .accept_older = true};
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    docket_graph *graph = graph_of_one(&graph_options, &renamed, &options);
    Count in = {.count = 5};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = &type, DOCKET_INPUTS(DOCKET_IN(Count, &in))};
    *of = run(graph, &request);
    const Sample__WiderPoint *wide = docket_result_value(of->result, &type);
    if (of->status == DOCKET_OK && step == &make_wider_point_step) {
        assert_int_equal(wide->x, 5);
        assert_string_equal(wide->name, kept->runs == 0 ? "" : "new");
    }
    docket_graph_free(graph);
    return of->status;
}

static void older_messages_are_accepted(void **state)
{
    site *self = *state;
    record kept = {0};
    outcome of;
    assert_status(DOCKET_OK, place(self, &make_point_step, &kept, &of));
    outcome_free(&of);
    kept.runs = 0;
    for (int round = 0; round < 2; round++) {
        assert_status(DOCKET_OK, place(self, &make_wider_point_step, &kept, &of));
        outcome_free(&of);
    }
    assert_status(DOCKET_TYPE, place(self, &make_inner_step, &kept, &of));
    assert_contains(of.error.message, "member x (1) of the stored Place has another name in the program's");
    outcome_free(&of);
    assert_int_equal(kept.runs, 0);
}

static void newer_messages_are_not(void **state)
{
    site *self = *state;
    record kept = {0};
    outcome of;
    assert_status(DOCKET_OK, place(self, &make_wider_point_step, &kept, &of));
    outcome_free(&of);
    assert_status(DOCKET_TYPE, place(self, &make_point_step, &kept, &of));
    assert_contains(of.error.message, "member name (3) of the stored Place is not in the program's");
    outcome_free(&of);
    assert_int_equal(kept.runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(older_messages_are_accepted),
        SITE_EACH_STORE(newer_messages_are_not),
        SITE_EACH_STORE(orders_of_a_map_are_one_key),
        SITE_MEMORY(unknown_fields_are_part_of_the_key),
        SITE_EACH_STORE(fresh_and_restored_are_alike),
        SITE_MEMORY(broken_text_fails_recorded_or_not),
        cmocka_unit_test(wrong_descriptors_are_refused_when_added),
        cmocka_unit_test(copies_of_a_descriptor_are_one_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
