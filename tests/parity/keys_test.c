/* What identifies a result: nothing of it may be missing from the key, and nothing else may be in it. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static docket_status count_entries(docket_ctx *ctx, LC *out, const IS *in)
{
    entries *seen = docket_ctx_user(ctx);
    out->count = entries_enter(seen);
    entries_leave(seen);
    out->original = docket_strdup(ctx, in->value);
    return DOCKET_OK;
}
DOCKET_STEP(count_entries, LC, IS);

/* The same step with another descriptor, under the name "Count". */
static int count_with(site *at, const docket_step *step, entries *seen, const char *key_namespace)
{
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = key_namespace};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,     .name = "Count", .user = seen, .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(at, NULL),
    };
    docket_graph *graph = graph_of_one(&graph_options, step, &options);
    int count = letters_count(graph, NULL, "text");
    docket_graph_free(graph);
    return count;
}

static void f_14_a_new_version_is_computed_anew(void **state)
{
    entries seen = {.runs = 0};
    docket_step next = count_entries_step;
    next.version = 2;
    assert_int_equal(count_with(*state, &count_entries_step, &seen, NULL), 1);
    assert_int_equal(count_with(*state, &count_entries_step, &seen, NULL), 1);
    assert_int_equal(count_with(*state, &next, &seen, NULL), 2);
    assert_int_equal(count_with(*state, &next, &seen, NULL), 2);
    assert_int_equal(count_with(*state, &count_entries_step, &seen, NULL), 1);
    assert_int_equal(seen.runs, 2);
}

static void f_14_namespaces_share_nothing(void **state)
{
    entries seen = {.runs = 0};
    assert_int_equal(count_with(*state, &count_entries_step, &seen, NULL), 1);
    assert_int_equal(count_with(*state, &count_entries_step, &seen, "other"), 2);
    assert_int_equal(count_with(*state, &count_entries_step, &seen, "other"), 2);
    assert_int_equal(count_with(*state, &count_entries_step, &seen, ""), 1);
}

/* Types of LC's and IS's layouts under other names. */
static docket_type renamed(const docket_type *type, const char *name)
{
    docket_type copy = *type;
    copy.name = name;
    return copy;
}

/* Runs the step "Count" from a type to a type and returns the number in the result. */
static int count_between(site *at, entries *seen, const docket_type *from, const docket_type *to)
{
    docket_step step = count_entries_step;
    docket_step_input input = {.type = from};
    step.inputs = &input;
    step.output = to;
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,     .name = "Count", .user = seen, .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(at, NULL),
    };
    docket_graph *graph = graph_of_one(NULL, &step, &options);
    IS in = {.value = "text"};
    docket_request request = {DOCKET_REQUEST_INIT, .output = to, .inputs = &(docket_input){.type = from, .value = &in},
                              .input_count = 1};
    outcome of = run(graph, &request);
    assert_status(DOCKET_OK, of.status);
    int count = ((const LC *)docket_result_value(of.result, to))->count;
    outcome_free(&of);
    docket_graph_free(graph);
    return count;
}

static void f_14_types_of_equal_layout_share_nothing(void **state)
{
    entries seen = {.runs = 0};
    docket_type other_input = renamed(DOCKET_OF(IS), "Text");
    docket_type other_output = renamed(DOCKET_OF(LC), "Letters");
    assert_int_equal(count_between(*state, &seen, DOCKET_OF(IS), DOCKET_OF(LC)), 1);
    assert_int_equal(count_between(*state, &seen, &other_input, DOCKET_OF(LC)), 2);
    assert_int_equal(count_between(*state, &seen, DOCKET_OF(IS), &other_output), 3);
    assert_int_equal(count_between(*state, &seen, &other_input, &other_output), 4);
    docket_type same_name_elsewhere = renamed(DOCKET_OF(IS), "IS");
    assert_int_equal(count_between(*state, &seen, &same_name_elsewhere, DOCKET_OF(LC)), 1);
}

/* The input's layout is part of the key: renaming a member makes it another value. */
static void f_14_another_layout_of_the_input_is_another_key(void **state)
{
    static const docket_field fields[] = {
        {1, DOCKET_KIND_STRING, DOCKET_LABEL_ONE, "text", offsetof(IS, value), 0, 0, NULL, NULL, 0},
    };
    static const docket_schema schema = {fields, 1};
    entries seen = {.runs = 0};
    docket_type relabelled = *DOCKET_OF(IS);
    relabelled.schema = &schema;
    assert_int_equal(count_between(*state, &seen, DOCKET_OF(IS), DOCKET_OF(LC)), 1);
    assert_int_equal(count_between(*state, &seen, &relabelled, DOCKET_OF(LC)), 2);
    assert_int_equal(count_between(*state, &seen, DOCKET_OF(IS), DOCKET_OF(LC)), 1);
}

/* F-16: the same step, the same type name, but its layout has changed. */

DOCKET_STRUCT(Final, (INT32, count));

static docket_status take_letters(docket_ctx *ctx, Final *out, const LC *letters)
{
    (void)ctx;
    out->count = letters->count;
    return DOCKET_OK;
}
DOCKET_STEP(take_letters, Final, LC);

static const docket_field new_fields[] = {
    {1, DOCKET_KIND_STRING, DOCKET_LABEL_ONE, "original", offsetof(LC, original), 0, 0, NULL, NULL, 0},
    {2, DOCKET_KIND_STRING, DOCKET_LABEL_ONE, "target", offsetof(LC, target), 0, 0, NULL, NULL, 0},
    {4, DOCKET_KIND_INT32, DOCKET_LABEL_ONE, "count", offsetof(LC, count), 0, 0, NULL, NULL, 0},
};
static const docket_schema new_schema = {new_fields, 3};

static outcome run_with_layout(site *at, entries *seen, bool new_layout, bool intermediate, docket_unreadable mode)
{
    docket_type letters = *DOCKET_OF(LC);
    letters.schema = new_layout ? &new_schema : letters.schema;
    docket_step step = count_entries_step;
    docket_step consumer = take_letters_step;
    docket_step_input consumed = {.type = &letters};
    step.output = &letters;
    consumer.inputs = &consumed;
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,     .name = "Count",       .user = seen, .scope = DOCKET_SCOPE_WORKFLOW,
        .store = site_open(at, NULL), .on_unreadable = mode,
    };
    docket_graph *graph = docket_graph_new("layouts", NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, &step, &options));
    assert_status(DOCKET_OK, docket_graph_add(graph, &consumer, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    IS in = {.value = "text"};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .execution_id = "exec-16",
                                .output = intermediate ? DOCKET_OF(Final) : &letters,
                                DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                            });
    outcome_free(&of);
    docket_graph_free(graph);
    return of;
}

static void f_16_a_value_of_another_layout_is_refused(void **state)
{
    for (int intermediate = 0; intermediate <= 1; intermediate++) {
        entries seen = {.runs = 0};
        assert_status(DOCKET_OK, run_with_layout(*state, &seen, false, intermediate, DOCKET_FAIL).status);
        int runs = seen.runs;
        outcome of = run_with_layout(*state, &seen, true, intermediate, DOCKET_FAIL);
        assert_status(DOCKET_TYPE, of.status);
        assert_string_equal(of.error.execution_id, "exec-16");
        assert_string_equal(of.error.step, "Count");
        assert_string_equal(of.error.type, "LC");
        assert_contains(of.error.message, "\"LC\"");
        assert_contains(of.error.message, "version");
        assert_int_equal(seen.runs, runs);
    }
}

static void f_16_or_computed_anew_on_request(void **state)
{
    entries seen = {.runs = 0};
    assert_status(DOCKET_OK, run_with_layout(*state, &seen, false, false, DOCKET_FAIL).status);
    assert_status(DOCKET_OK, run_with_layout(*state, &seen, true, false, DOCKET_RERUN).status);
    assert_int_equal(seen.runs, 2);
    assert_status(DOCKET_OK, run_with_layout(*state, &seen, true, true, DOCKET_FAIL).status);
    assert_int_equal(seen.runs, 2);
    assert_status(DOCKET_TYPE, run_with_layout(*state, &seen, false, true, DOCKET_FAIL).status);
    assert_int_equal(seen.runs, 2);
}

/* F-17. */

DOCKET_STRUCT(One, (STRING, text));
DOCKET_STRUCT(Two, (STRING, text));
DOCKET_STRUCT(Joined, (STRING, text), (INT32, entry));
DOCKET_STRUCT(Parts, (LIST(STRING), texts));

static docket_status join_texts(docket_ctx *ctx, Joined *out, const One *one, const Two *two)
{
    entries *seen = docket_ctx_user(ctx);
    out->entry = entries_enter(seen);
    entries_leave(seen);
    out->text = docket_printf(ctx, "%s|%s", one->text, two->text);
    return DOCKET_OK;
}
DOCKET_STEP(join_texts, Joined, One, Two);

static void f_17_inputs_do_not_run_into_each_other(void **state)
{
    static const char *const pairs[][2] = {{"ab", "c"},  {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"a:b", "c"},
                                           {"a", "b:c"}, {"c", "ab"}, {"", ""},    {"a", "b"}};
    enum { PAIRS = sizeof pairs / sizeof pairs[0] };
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &join_texts_step, &options);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < PAIRS; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "%s|%s", pairs[i][0], pairs[i][1]);
            One one = {.text = pairs[i][0]};
            Two two = {.text = pairs[i][1]};
            outcome of = run(graph, &(docket_request){
                                        DOCKET_REQUEST_INIT,
                                        .output = DOCKET_OF(Joined),
                                        DOCKET_INPUTS(DOCKET_IN(One, &one), DOCKET_IN(Two, &two)),
                                    });
            assert_status(DOCKET_OK, of.status);
            assert_string_equal(DOCKET_RESULT(of.result, Joined)->text, expected);
            assert_int_equal(DOCKET_RESULT(of.result, Joined)->entry, i + 1);
            outcome_free(&of);
        }
    }
    docket_graph_free(graph);
}

static docket_status join_parts(docket_ctx *ctx, Joined *out, const Parts *parts)
{
    entries *seen = docket_ctx_user(ctx);
    out->entry = entries_enter(seen);
    entries_leave(seen);
    out->text = docket_printf(ctx, "%zu", parts->texts_count);
    return DOCKET_OK;
}
DOCKET_STEP(join_parts, Joined, Parts);

static void f_17_elements_do_not_run_into_each_other(void **state)
{
    static const char *const texts[][3] = {{"ab", "c", NULL},  {"a", "bc", NULL}, {"abc", NULL, NULL},
                                           {"abc", "", NULL},  {"", "abc", NULL}, {"a", "b", "c"},
                                           {NULL, NULL, NULL}, {"", NULL, NULL}};
    enum { LISTS = sizeof texts / sizeof texts[0] };
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &join_parts_step, &options);
    for (int i = 0; i < 2 * LISTS; i++) {
        Parts parts = {.texts = texts[i % LISTS]};
        while (parts.texts_count < 3 && parts.texts[parts.texts_count] != NULL) {
            parts.texts_count++;
        }
        outcome of = run(graph, &(docket_request){
                                    DOCKET_REQUEST_INIT,
                                    .output = DOCKET_OF(Joined),
                                    DOCKET_INPUTS(DOCKET_IN(Parts, &parts)),
                                });
        assert_status(DOCKET_OK, of.status);
        assert_int_equal(DOCKET_RESULT(of.result, Joined)->entry, i % LISTS + 1);
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void f_17_execution_and_step_do_not_run_into_each_other(void **state)
{
    static const char *const names[][2] = {{"a:b", "c"}, {"a", "b:c"}, {"a:", "b"}, {"a", ":b"}, {"a", "b"}};
    entries seen = {.runs = 0};
    for (int i = 0; i < 10; i++) {
        docket_step_options options = {
            DOCKET_STEP_OPTIONS_INIT,       .name = names[i % 5][1],          .user = &seen,
            .scope = DOCKET_SCOPE_WORKFLOW, .store = site_open(*state, NULL),
        };
        docket_graph *graph = graph_of_one(NULL, &count_entries_step, &options);
        assert_int_equal(letters_count(graph, names[i % 5][0], "text"), i % 5 + 1);
        docket_graph_free(graph);
    }
}

/* F-18. */

DOCKET_STRUCT(Padded, (BOOL, small), (INT64, large), (BOOL, flag), (DOUBLE, number), (OPTIONAL(INT32), maybe));

static docket_status read_padded(docket_ctx *ctx, LC *out, const Padded *in)
{
    entries *seen = docket_ctx_user(ctx);
    out->count = in->large == 7 ? entries_enter(seen) : -1;
    entries_leave(seen);
    return DOCKET_OK;
}
DOCKET_STEP(read_padded, LC, Padded);

static void f_18_padding_is_no_part_of_a_value(void **state)
{
    static const int fills[] = {0x00, 0xff, 0xa5};
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &read_padded_step, &options);
    for (int i = 0; i < 3; i++) {
        Padded in;
        memset(&in, fills[i], sizeof in);
        in.small = true;
        in.large = 7;
        in.flag = false;
        in.number = 0.1;
        in.has_maybe = false;
        outcome of = run(graph, &(docket_request){
                                    DOCKET_REQUEST_INIT,
                                    .output = DOCKET_OF(LC),
                                    DOCKET_INPUTS(DOCKET_IN(Padded, &in)),
                                });
        assert_status(DOCKET_OK, of.status);
        assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 1);
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void f_18_neither_locale_nor_zone_changes_a_key(void **state)
{
    static const char *const zones[] = {"UTC", "America/New_York", "Asia/Kathmandu"};
    entries seen = {.runs = 0};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &seen, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = graph_of_one(NULL, &read_padded_step, &options);
    Padded in = {.large = 7, .number = 1234567.125};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(LC), DOCKET_INPUTS(DOCKET_IN(Padded, &in))};
    for (int i = 0; i < 3; i++) {
        setenv("TZ", zones[i], 1);
        tzset();
        setlocale(LC_ALL, i == 1 ? "de_DE.UTF-8" : "C");
        assert_status(DOCKET_OK, run_for_status(graph, &request));
    }
    setlocale(LC_ALL, "C");
    unsetenv("TZ");
    tzset();
    assert_int_equal(seen.runs, 1);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(f_14_a_new_version_is_computed_anew),
        SITE_EACH_STORE(f_14_namespaces_share_nothing),
        SITE_EACH_STORE(f_14_types_of_equal_layout_share_nothing),
        SITE_EACH_STORE(f_14_another_layout_of_the_input_is_another_key),
        SITE_EACH_STORE(f_16_a_value_of_another_layout_is_refused),
        SITE_EACH_STORE(f_16_or_computed_anew_on_request),
        SITE_EACH_STORE(f_17_inputs_do_not_run_into_each_other),
        SITE_EACH_STORE(f_17_elements_do_not_run_into_each_other),
        SITE_EACH_STORE(f_17_execution_and_step_do_not_run_into_each_other),
        SITE_EACH_STORE(f_18_padding_is_no_part_of_a_value),
        SITE_EACH_STORE(f_18_neither_locale_nor_zone_changes_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
