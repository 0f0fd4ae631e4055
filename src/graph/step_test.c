/* The functions that the step macros put round a step: every argument must arrive at its parameter, for every number of
 * inputs. */
#include "support/check.h"

#include <docket/docket.h>

DOCKET_STRUCT(Base, (INT32, value));
DOCKET_ALIAS(Alias, Base);
typedef struct Client Client;
DOCKET_RESOURCE(Client);

static const void *seen[DOCKET_MAX_INPUTS];
static size_t seen_count;
static size_t seen_items;
static const void *seen_output;

static docket_status see(docket_ctx *ctx, const void *output, const void *const *inputs, size_t count)
{
    assert_null(ctx);
    seen_output = output;
    seen_count = count;
    for (size_t i = 0; i < count; i++) {
        seen[i] = inputs[i];
    }
    return DOCKET_ABSENT;
}

static docket_status step_0(docket_ctx *ctx, Base *out)
{
    return see(ctx, out, NULL, 0);
}
DOCKET_STEP(step_0, Base);
DOCKET_STEP_AS(alias_0, step_0, Alias);

static docket_status step_1(docket_ctx *ctx, Base *out, const Base *a)
{
    return see(ctx, out, (const void *const[]){a}, 1);
}
DOCKET_STEP(step_1, Base, Base);
DOCKET_STEP_AS(alias_1, step_1, Alias, Alias);

static docket_status step_2(docket_ctx *ctx, Base *out, const Base *a, const Base *b)
{
    return see(ctx, out, (const void *const[]){a, b}, 2);
}
DOCKET_STEP(step_2, Base, Base, Base);
DOCKET_STEP_AS(alias_2, step_2, Alias, Alias, Alias);

static docket_status step_3(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c)
{
    return see(ctx, out, (const void *const[]){a, b, c}, 3);
}
DOCKET_STEP(step_3, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_3, step_3, Alias, Alias, Alias, Alias);

static docket_status step_4(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c, const Base *d)
{
    return see(ctx, out, (const void *const[]){a, b, c, d}, 4);
}
DOCKET_STEP(step_4, Base, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_4, step_4, Alias, Alias, Alias, Alias, Alias);

static docket_status step_5(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c, const Base *d,
                            const Base *e)
{
    return see(ctx, out, (const void *const[]){a, b, c, d, e}, 5);
}
DOCKET_STEP(step_5, Base, Base, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_5, step_5, Alias, Alias, Alias, Alias, Alias, Alias);

static docket_status step_6(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c, const Base *d,
                            const Base *e, const Base *f)
{
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f}, 6);
}
DOCKET_STEP(step_6, Base, Base, Base, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_6, step_6, Alias, Alias, Alias, Alias, Alias, Alias, Alias);

static docket_status step_7(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c, const Base *d,
                            const Base *e, const Base *f, const Base *g)
{
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f, g}, 7);
}
DOCKET_STEP(step_7, Base, Base, Base, Base, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_7, step_7, Alias, Alias, Alias, Alias, Alias, Alias, Alias, Alias);

static docket_status step_8(docket_ctx *ctx, Base *out, const Base *a, const Base *b, const Base *c, const Base *d,
                            const Base *e, const Base *f, const Base *g, const Base *h)
{
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f, g, h}, 8);
}
DOCKET_STEP(step_8, Base, Base, Base, Base, Base, Base, Base, Base, Base);
DOCKET_STEP_AS(alias_8, step_8, Alias, Alias, Alias, Alias, Alias, Alias, Alias, Alias, Alias);

static docket_status aggregate_1(docket_ctx *ctx, Base *out, const Base *const *a, size_t items)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a}, 1);
}
DOCKET_AGGREGATE(aggregate_1, Base, Base);

static docket_status aggregate_2(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b}, 2);
}
DOCKET_AGGREGATE(aggregate_2, Base, Base, Base);

static docket_status aggregate_3(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c}, 3);
}
DOCKET_AGGREGATE(aggregate_3, Base, Base, Base, Base);

static docket_status aggregate_4(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c, const Base *d)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c, d}, 4);
}
DOCKET_AGGREGATE(aggregate_4, Base, Base, Base, Base, Base);

static docket_status aggregate_5(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c, const Base *d, const Base *e)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c, d, e}, 5);
}
DOCKET_AGGREGATE(aggregate_5, Base, Base, Base, Base, Base, Base);

static docket_status aggregate_6(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c, const Base *d, const Base *e, const Base *f)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f}, 6);
}
DOCKET_AGGREGATE(aggregate_6, Base, Base, Base, Base, Base, Base, Base);

static docket_status aggregate_7(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c, const Base *d, const Base *e, const Base *f, const Base *g)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f, g}, 7);
}
DOCKET_AGGREGATE(aggregate_7, Base, Base, Base, Base, Base, Base, Base, Base);

static docket_status aggregate_8(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Base *b,
                                 const Base *c, const Base *d, const Base *e, const Base *f, const Base *g,
                                 const Base *h)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b, c, d, e, f, g, h}, 8);
}
DOCKET_AGGREGATE(aggregate_8, Base, Base, Base, Base, Base, Base, Base, Base, Base);

static void check_call(const docket_step *step, size_t count)
{
    char places[DOCKET_MAX_INPUTS];
    Base output;
    docket_argument args[DOCKET_MAX_INPUTS];
    for (size_t i = 0; i < DOCKET_MAX_INPUTS; i++) {
        args[i] = (docket_argument){&places[i], 100 + i};
    }
    assert_int_equal(step->input_count, count);
    assert_status(DOCKET_ABSENT, step->call(NULL, &output, args));
    assert_ptr_equal(seen_output, &output);
    assert_int_equal(seen_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(seen[i], &places[i]);
    }
}

static void test_steps(void **state)
{
    (void)state;
    const docket_step *const *steps =
        DOCKET_STEPS(step_0, step_1, step_2, step_3, step_4, step_5, step_6, step_7, step_8);
    for (size_t i = 0; i <= DOCKET_MAX_INPUTS; i++) {
        check_call(steps[i], i);
        assert_ptr_equal(steps[i]->output, DOCKET_OF(Base));
        for (size_t k = 0; k < i; k++) {
            assert_ptr_equal(steps[i]->inputs[k].type, DOCKET_OF(Base));
            assert_int_equal(steps[i]->inputs[k].flags, 0);
        }
    }
}

static void test_steps_over_aliases(void **state)
{
    (void)state;
    const docket_step *const *steps =
        DOCKET_STEPS(alias_0, alias_1, alias_2, alias_3, alias_4, alias_5, alias_6, alias_7, alias_8);
    for (size_t i = 0; i <= DOCKET_MAX_INPUTS; i++) {
        check_call(steps[i], i);
        assert_ptr_equal(steps[i]->output, DOCKET_OF(Alias));
        for (size_t k = 0; k < i; k++) {
            assert_ptr_equal(steps[i]->inputs[k].type, DOCKET_OF(Alias));
        }
    }
    assert_string_equal(steps[3]->name, "alias_3");
}

static void test_aggregates(void **state)
{
    (void)state;
    const docket_step *const *steps = DOCKET_STEPS(aggregate_1, aggregate_2, aggregate_3, aggregate_4, aggregate_5,
                                                   aggregate_6, aggregate_7, aggregate_8);
    for (size_t i = 1; i <= DOCKET_MAX_INPUTS; i++) {
        seen_items = 0;
        check_call(steps[i - 1], i);
        assert_int_equal(seen_items, 100);
        for (size_t k = 0; k < i; k++) {
            assert_int_equal(steps[i - 1]->inputs[k].flags, k == 0 ? DOCKET_INPUT_ITEMS : 0);
        }
    }
}

static docket_status mixed(docket_ctx *ctx, Base *out, const Base *a, Client *b, const Alias *c)
{
    return see(ctx, out, (const void *const[]){a, b, c}, 3);
}
DOCKET_STEP_VERSIONED(mixed, 7, Base, MAYBE(Base), Client, MAYBE(Alias));

static docket_status mixed_items(docket_ctx *ctx, Base *out, const Base *const *a, size_t items, const Alias *b)
{
    seen_items = items;
    return see(ctx, out, (const void *const[]){a, b}, 2);
}
DOCKET_AGGREGATE(mixed_items, Base, MAYBE(Base), MAYBE(Alias));

static void test_descriptors(void **state)
{
    (void)state;
    check_call(&mixed_step, 3);
    assert_int_equal(mixed_step.abi, DOCKET_STEP_ABI);
    assert_int_equal(mixed_step.version, 7);
    assert_int_equal(step_0_step.version, 1);
    assert_string_equal(mixed_step.name, "mixed");
    assert_string_equal(mixed_step.file, __FILE__);
    assert_true(mixed_step.line > step_0_step.line);
    assert_int_equal(mixed_step.inputs[0].flags, DOCKET_INPUT_MAYBE);
    assert_int_equal(mixed_step.inputs[1].flags, 0);
    assert_int_equal(mixed_step.inputs[2].flags, DOCKET_INPUT_MAYBE);
    assert_ptr_equal(mixed_step.inputs[0].type, DOCKET_OF(Base));
    assert_ptr_equal(mixed_step.inputs[1].type, DOCKET_OF(Client));
    assert_ptr_equal(mixed_step.inputs[2].type, DOCKET_OF(Alias));
    check_call(&mixed_items_step, 2);
    assert_int_equal(mixed_items_step.inputs[0].flags, DOCKET_INPUT_MAYBE | DOCKET_INPUT_ITEMS);
    assert_int_equal(mixed_items_step.inputs[1].flags, DOCKET_INPUT_MAYBE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_steps_over_aliases),
        cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
