/* Which options an effect step takes, and what its observers are warned of. */
#include "graph/graph.h"

#include "support/check.h"
#include "support/letters.h"

#include <docket/store.h>

DOCKET_STRUCT(Bill, (INT64, cents));

static docket_status bill(docket_ctx *ctx, Bill *out, const LC *count)
{
    (void)ctx;
    out->cents = count->count;
    return DOCKET_OK;
}
DOCKET_STEP(bill, Bill, LC);

static docket_status look_for_bill(docket_ctx *ctx, Bill *out, const LC *count)
{
    return bill(ctx, out, count);
}
DOCKET_STEP(look_for_bill, Bill, LC);

static bool never_good(docket_ctx *ctx, const void *value)
{
    (void)ctx;
    (void)value;
    return false;
}

static docket_store *open_store(void)
{
    docket_store *store = NULL;
    assert_status(DOCKET_OK, docket_store_open(&store, "memory:", NULL, NULL));
    return store;
}

static docket_status add_bill(docket_store *store, docket_step_options options, docket_error *error)
{
    const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = store};
    docket_graph *graph = docket_graph_new("bills", &defaults);
    assert_non_null(graph);
    (void)docket_graph_add(graph, &bill_step, &options);
    docket_status status = docket_graph_validate(graph, error);
    docket_graph_free(graph);
    return status;
}

#define ONCE DOCKET_STEP_OPTIONS_INIT, .effect = DOCKET_EFFECT_ONCE, .scope = DOCKET_SCOPE_WORKFLOW

static void test_options_that_would_run_again_are_refused(void **state)
{
    (void)state;
    docket_store *store = open_store();
    const struct {
        docket_step_options options;
        const char *part;
    } cases[] = {
        {{DOCKET_STEP_OPTIONS_INIT, .effect = DOCKET_EFFECT_ONCE}, "DOCKET_SCOPE_NONE"},
        {{ONCE, .commit = DOCKET_COMMIT_BEFORE_END}, "BEFORE_END"},
        {{ONCE, .ttl_ms = 1}, "ttl_ms"},
        {{ONCE, .still_good = never_good}, "still_good"},
        {{ONCE, .on_unreadable = DOCKET_RERUN}, "on_unreadable"},
        {{ONCE, .accept_older = true}, "accept_older"},
        {{ONCE, .verify = &bill_step}, NULL},
        {{ONCE, .verify = &look_for_bill_step}, NULL},
        {{ONCE, .verify = &count_letters_step}, "output and the inputs"},
        {{DOCKET_STEP_OPTIONS_INIT, .verify = &look_for_bill_step}, "DOCKET_EFFECT_ONCE"},
        {{DOCKET_STEP_OPTIONS_INIT, .effect = (docket_effect_kind)77}, "effect is 77"},
        {{ONCE, .max_attempts = 3, .isolated = true, .time_limit_ms = 5}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docket_error error;
        docket_status status = add_bill(store, cases[i].options, &error);
        assert_status(cases[i].part == NULL ? DOCKET_OK : DOCKET_INVALID, status);
        if (cases[i].part != NULL) {
            assert_contains(error.message, cases[i].part);
        }
    }
    docket_store_close(store);
}

static void count_warning(void *arg, const docket_event *event)
{
    assert_int_equal(event->kind, DOCKET_EVENT_WARNING);
    assert_string_equal(event->step, "bill");
    assert_contains(event->reason, "count_letters");
    (*(int *)arg)++;
}

static void test_an_unrecorded_step_before_an_effect_is_told(void **state)
{
    (void)state;
    docket_store *store = open_store();
    for (int recorded = 0; recorded < 2; recorded++) {
        int warnings = 0;
        const docket_observer observer = {count_warning, &warnings};
        const docket_graph_options defaults = {DOCKET_GRAPH_OPTIONS_INIT, .store = store, .observers = &observer,
                                               .observer_count = 1};
        const docket_step_options once = {ONCE};
        const docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT,
                                           .scope = recorded ? DOCKET_SCOPE_WORKFLOW : DOCKET_SCOPE_NONE};
        docket_graph *graph = docket_graph_new("bills", &defaults);
        assert_status(DOCKET_OK, docket_graph_add(graph, &count_letters_step, &plain));
        assert_status(DOCKET_OK, docket_graph_add(graph, &bill_step, &once));
        assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
        assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
        assert_int_equal(warnings, recorded ? 0 : 1);
        docket_graph_free(graph);
    }
    docket_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_that_would_run_again_are_refused),
        cmocka_unit_test(test_an_unrecorded_step_before_an_effect_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
