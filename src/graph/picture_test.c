#include "graph/graph.h"

#include "support/check.h"
#include "support/letters.h"

typedef struct Client Client;
DOCKET_RESOURCE(Client);
DOCKET_STRUCT(Report, (STRING, text));

static docket_status report(docket_ctx *ctx, Report *out, const LC *letters, const IS *text, Client *client)
{
    (void)ctx;
    (void)letters;
    (void)client;
    out->text = text->value;
    return DOCKET_OK;
}
DOCKET_STEP(report, Report, LC, MAYBE(IS), Client);

static docket_graph *make_graph(docket_store *store)
{
    docket_graph *graph = docket_graph_new("the \"graph\"", NULL);
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                          .name = "say \"hi\" & [go] \\ #1"};
    assert_status(DOCKET_OK, docket_graph_add(graph, &count_all_letters_step, NULL));
    assert_status(DOCKET_OK, docket_graph_add(graph, &report_step, &recorded));
    return graph;
}

static void assert_picture(char *(*draw)(const docket_graph *graph), const char *expected)
{
    docket_store *store = NULL;
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", NULL, NULL));
    docket_graph *graph = make_graph(store);
    char *picture = draw(graph);
    assert_non_null(picture);
    assert_string_equal(picture, expected);
    docket_free(picture);
    docket_graph_free(graph);
    docket_store_close(store);
}

static void test_dot(void **state)
{
    (void)state;
    assert_picture(
        docket_graph_dot,
        "digraph docket {\n"
        "    label=\"the \\\"graph\\\"\";\n"
        "    rankdir=LR;\n"
        "    t0 [shape=box, label=\"LC\"];\n"
        "    t1 [shape=box, label=\"IS\"];\n"
        "    t2 [shape=box, label=\"Report\"];\n"
        "    t3 [shape=box, style=dashed, label=\"Client\"];\n"
        "    s0 [shape=ellipse, peripheries=2, label=\"count_all_letters\\nover all items\"];\n"
        "    s1 [shape=ellipse, style=filled, label=\"say \\\"hi\\\" &amp; [go] \\\\ #1\\nrecorded for all\"];\n"
        "    t1 -> s0 [label=\"all\"];\n"
        "    s0 -> t0;\n"
        "    t0 -> s1;\n"
        "    t1 -> s1 [style=dashed];\n"
        "    t3 -> s1;\n"
        "    s1 -> t2;\n"
        "}\n");
}

static void test_mermaid(void **state)
{
    (void)state;
    assert_picture(docket_graph_mermaid,
                   "flowchart LR\n"
                   "    t0[\"LC\"]\n"
                   "    t1[\"IS\"]\n"
                   "    t2[\"Report\"]\n"
                   "    t3[/\"Client\"/]\n"
                   "    s0[[\"count_all_letters<br/>over all items\"]]\n"
                   "    s1([\"say #34;hi#34; #38; #91;go#93; #92; #35;1<br/>recorded for all\"])\n"
                   "    t1 -->|all| s0\n"
                   "    s0 --> t0\n"
                   "    t0 --> s1\n"
                   "    t1 -.-> s1\n"
                   "    t3 --> s1\n"
                   "    s1 --> t2\n");
}

static void test_a_graph_without_steps_has_a_picture(void **state)
{
    (void)state;
    docket_graph *graph = docket_graph_new("empty", NULL);
    char *picture = docket_graph_mermaid(graph);
    assert_string_equal(picture, "flowchart LR\n");
    docket_free(picture);
    docket_graph_free(graph);
    assert_null(docket_graph_dot(NULL));
    assert_null(docket_graph_mermaid(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_mermaid),
        cmocka_unit_test(test_a_graph_without_steps_has_a_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
