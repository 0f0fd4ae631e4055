/* The points that an execution passes, in their order, and what a step is told in the place of the truth. */
#include "support/run.h"

#include "support/check.h"
#include "support/site.h"

#include <docket/harness.h>
#include <stdio.h>
#include <string.h>

typedef struct trace {
    char text[512];
} trace;

static void note(void *arg, docket_point point, const char *where)
{
    trace *of = arg;
    size_t used = strlen(of->text);
    snprintf(of->text + used, sizeof of->text - used, "%s(%s) ", docket_point_name(point), where);
}

static docket_status fail_twice(docket_ctx *ctx, LC *out)
{
    out->count = docket_ctx_attempt(ctx);
    return out->count < 3 ? docket_fail(ctx, 1, "not yet") : DOCKET_OK;
}
DOCKET_STEP(fail_twice, LC);

static void test_points_of_a_recorded_step(void **state)
{
    (void)state;
    trace of = {""};
    const docket_probe probe = {note, &of};
    docket_store *store = NULL;
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", NULL, NULL));
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                   .max_attempts = 3};
    docket_graph *graph = graph_of_one(NULL, &fail_twice_step, &options);
    docket_set_probe(&probe);
    assert_int_equal(letters_count(graph, NULL, NULL), 3);
    assert_string_equal(of.text, "enter(fail_twice) return(fail_twice) enter(fail_twice) return(fail_twice) "
                                 "enter(fail_twice) return(fail_twice) commit(memory:) committed(memory:) "
                                 "release(fail_twice) released(fail_twice) ");
    of.text[0] = '\0';
    assert_int_equal(letters_count(graph, NULL, NULL), 3);
    assert_string_equal(of.text, "");
    docket_set_probe(NULL);
    docket_graph_free(graph);
    docket_store_close(store);
}

static docket_status look_in_the_mirror(docket_ctx *ctx, LC *out)
{
    int64_t before = docket_ctx_item_index(ctx);
    out->target = docket_ctx_idempotency_key(ctx);
    if (docket_ctx_attempt(ctx) == 1) {
        docket_ctx_pretend(ctx, 17, "key");
    }
    out->original = docket_printf(ctx, "%s, %s, %d, %d", out->target, docket_ctx_idempotency_key(ctx), (int)before,
                                  (int)docket_ctx_item_index(ctx));
    out->target = "";
    return DOCKET_OK;
}
DOCKET_STEP(look_in_the_mirror, LC);

static void test_pretence(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &look_in_the_mirror_step, NULL);
    for (int i = 0; i < 2; i++) { /* the next execution knows nothing of it */
        outcome of = run_letters(graph, "e", NULL);
        const char *text = DOCKET_RESULT(of.result, LC)->original;
        assert_int_equal(strlen(text), 32 + strlen(", key, -1, 17"));
        assert_string_equal(text + 32, ", key, -1, 17");
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(docket_point_name(DOCKET_POINT_ENTER), "enter");
    assert_string_equal(docket_point_name(DOCKET_POINT_RELEASED), "released");
    assert_string_equal(docket_point_name((docket_point)0), "unknown");
    assert_string_equal(docket_point_name((docket_point)7), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_of_a_recorded_step),
        cmocka_unit_test(test_pretence),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
