/* Batches: items that the caller brings. Named by the behaviours that they show. */
#include "support/gate.h"
#include "support/site.h"

#include <stdio.h>
#include <string.h>

DOCKET_STRUCT(Word, (STRING, text));
DOCKET_STRUCT(Suffix, (STRING, text));
DOCKET_STRUCT(Length, (INT64, count));
DOCKET_STRUCT(Whole, (INT64, count), (INT64, items));
DOCKET_STRUCT(Part, (DOUBLE, share));

/* What the steps do and count; the `user` of each. */
typedef struct notes {
    atomic_int measured[256]; /* entries, by the first letter of the word */
    atomic_int totals;
    int failing_attempts; /* of words that begin with 'f', and of the total */
    int code;             /* with which they fail */
    bool waits;           /* words that begin with 'w' wait for cancellation */
} notes;

static docket_status measure(docket_ctx *ctx, Length *out, const Word *word)
{
    notes *self = docket_ctx_user(ctx);
    int entry = atomic_fetch_add(&self->measured[(unsigned char)word->text[0]], 1) + 1;
    if (word->text[0] == 'f' && entry <= self->failing_attempts) {
        return docket_fail(ctx, self->code, "no length of \"%s\" yet", word->text);
    }
    if (self->waits && word->text[0] == 'w') {
        return docket_sleep(ctx, DOCKET_MINUTES(5));
    }
    out->count = (int64_t)strlen(word->text);
    return DOCKET_OK;
}
DOCKET_STEP(measure, Length, Word);

static docket_status add_up(docket_ctx *ctx, Whole *out, const Length *const *lengths, size_t count)
{
    notes *self = docket_ctx_user(ctx);
    if (atomic_fetch_add(&self->totals, 1) < self->failing_attempts) {
        return docket_fail(ctx, self->code, "no total yet");
    }
    for (size_t i = 0; i < count; i++) {
        out->count += lengths[i]->count;
    }
    out->items = (int64_t)count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(add_up, Whole, Length);

static docket_status divide(docket_ctx *ctx, Part *out, const Length *length, const Whole *whole)
{
    (void)ctx;
    out->share = (double)length->count / (double)whole->count;
    return DOCKET_OK;
}
DOCKET_STEP(divide, Part, Length, Whole);

static bool code_seven_only(void *user, const docket_error *error)
{
    (void)user;
    return error->code == 7;
}

static docket_graph *make_graph(notes *self, docket_step_options options, docket_pool *pool, docket_store *store)
{
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .pool = pool, .store = store};
    docket_graph *graph = docket_graph_new("words", &graph_options);
    options.struct_size = sizeof options;
    options.user = self;
    assert_status(DOCKET_OK, docket_graph_add_all(graph, &options, DOCKET_STEPS(measure, add_up, divide)));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static Word words_of(const char *text)
{
    return (Word){.text = text};
}

enum { MOST = 8 };

typedef struct batch {
    Word words[MOST];
    size_t count;
} batch;

static batch make_batch(const char *const *texts)
{
    batch made = {.count = 0};
    for (; texts[made.count] != NULL; made.count++) {
        made.words[made.count] = words_of(texts[made.count]);
    }
    return made;
}
#define BATCH(...) make_batch((const char *const[]){__VA_ARGS__, NULL})

static docket_status run(docket_graph *graph, const docket_type *output, batch items, docket_request request,
                         docket_result **result, docket_error *error)
{
    const docket_input input = DOCKET_ITEMS(Word, items.words, items.count);
    request.struct_size = sizeof request;
    request.output = output;
    request.inputs = &input;
    request.input_count = 1;
    return docket_execute(graph, &request, result, error);
}

static int64_t length_of(const docket_result *result, size_t index)
{
    return DOCKET_RESULT_ITEM(result, Length, index)->count;
}

/* P-086, P-087: results keep the order; an empty batch is a success. */
static void p087_results_keep_the_order(void **state)
{
    (void)state;
    notes self = {.code = 1};
    docket_graph *graph = make_graph(&self, (docket_step_options){0}, NULL, NULL);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK,
                  run(graph, DOCKET_OF(Length), BATCH("hello", "a", "bcd"), (docket_request){0}, &result, &error));
    assert_int_equal(docket_result_item_count(result, DOCKET_OF(Length)), 3);
    assert_int_equal(length_of(result, 0), 5);
    assert_int_equal(length_of(result, 1), 1);
    assert_int_equal(length_of(result, 2), 3);
    assert_string_equal(DOCKET_RESULT_ITEM(result, Word, 2)->text, "bcd");
    assert_null(DOCKET_RESULT_ITEM(result, Length, 3));
    assert_null(DOCKET_RESULT(result, Length));
    docket_result_free(result);
    docket_graph_free(graph);
}

static void p086_an_empty_batch_succeeds(void **state)
{
    (void)state;
    notes self = {.code = 1};
    docket_graph *graph = make_graph(&self, (docket_step_options){0}, NULL, NULL);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK,
                  run(graph, DOCKET_OF(Whole), (batch){.count = 0}, (docket_request){0}, &result, &error));
    assert_int_equal(DOCKET_RESULT(result, Whole)->items, 0);
    assert_int_equal(atomic_load(&self.totals), 1);
    docket_result_free(result);
    assert_status(DOCKET_OK,
                  run(graph, DOCKET_OF(Part), (batch){.count = 0}, (docket_request){0}, &result, &error));
    assert_int_equal(docket_result_item_count(result, DOCKET_OF(Part)), 0);
    docket_result_free(result);
    const docket_input none = DOCKET_ITEM_POINTERS(Word, (const Word **)NULL, 0);
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Length),
                                                              .inputs = &none, .input_count = 1},
                                            NULL, &error));
    docket_graph_free(graph);
}

static void p085_a_graph_must_be_validated(void **state)
{
    (void)state;
    notes self = {.code = 1};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = &self};
    docket_graph *graph = docket_graph_new("words", NULL);
    docket_graph_add_all(graph, &options, DOCKET_STEPS(measure));
    docket_error error;
    assert_status(DOCKET_STATE, run(graph, DOCKET_OF(Length), BATCH("a"), (docket_request){0}, NULL, &error));
    assert_int_equal(atomic_load(&self.measured['a']), 0);
    docket_graph_free(graph);
}

static docket_backoff quick(void)
{
    return (docket_backoff){.kind = DOCKET_BACKOFF_FIXED, .first_ms = 1, .no_jitter = true};
}

static void p075_a_failing_item_is_tried_again(void **state)
{
    (void)state;
    notes self = {.failing_attempts = 2, .code = 1};
    docket_graph *graph =
        make_graph(&self, (docket_step_options){.max_attempts = 3, .backoff = quick()}, NULL, NULL);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK,
                  run(graph, DOCKET_OF(Length), BATCH("ok1", "fail", "pk2"), (docket_request){0}, &result, &error));
    assert_int_equal(length_of(result, 1), 4);
    assert_int_equal(atomic_load(&self.measured['f']), 3);
    assert_int_equal(atomic_load(&self.measured['o']), 1);
    assert_int_equal(atomic_load(&self.measured['p']), 1);
    docket_result_free(result);
    docket_graph_free(graph);
}

static void p076_an_item_that_always_fails_fails_the_batch(void **state)
{
    (void)state;
    notes self = {.failing_attempts = 99, .code = 31};
    docket_graph *graph =
        make_graph(&self, (docket_step_options){.max_attempts = 3, .backoff = quick()}, NULL, NULL);
    docket_error error;
    assert_status(DOCKET_FAILED,
                  run(graph, DOCKET_OF(Length), BATCH("ok", "fail"), (docket_request){0}, NULL, &error));
    assert_int_equal(atomic_load(&self.measured['f']), 3);
    assert_int_equal(error.item_index, 1);
    assert_int_equal(error.code, 31);
    assert_int_equal(error.attempts, 3);
    assert_string_equal(error.step, "measure");
    assert_contains(error.message, "no length of \"fail\" yet");
    docket_graph_free(graph);
}

static void p077_an_aggregate_is_tried_again(void **state)
{
    (void)state;
    notes self = {.failing_attempts = 2, .code = 1};
    docket_graph *graph =
        make_graph(&self, (docket_step_options){.max_attempts = 3, .backoff = quick()}, NULL, NULL);
    docket_result *result = NULL;
    docket_error error;
    assert_status(DOCKET_OK, run(graph, DOCKET_OF(Whole), BATCH("a", "b"), (docket_request){0}, &result, &error));
    assert_int_equal(atomic_load(&self.totals), 3);
    assert_int_equal(DOCKET_RESULT(result, Whole)->items, 2);
    docket_result_free(result);
    self = (notes){.failing_attempts = 99, .code = 1};
    assert_status(DOCKET_FAILED,
                  run(graph, DOCKET_OF(Whole), BATCH("a"), (docket_request){0}, NULL, &error)); /* P-078 */
    assert_int_equal(atomic_load(&self.totals), 3);
    assert_int_equal(error.item_index, -1);
    docket_graph_free(graph);
}

static void p079_a_classifier_is_asked_per_item(void **state)
{
    (void)state;
    notes self = {.failing_attempts = 1, .code = 7};
    const docket_step_options options = {.max_attempts = 3, .backoff = quick(), .should_retry = code_seven_only};
    docket_graph *graph = make_graph(&self, options, NULL, NULL);
    docket_error error;
    assert_status(DOCKET_OK, run(graph, DOCKET_OF(Length), BATCH("f"), (docket_request){0}, NULL, &error));
    assert_int_equal(atomic_load(&self.measured['f']), 2);
    self = (notes){.failing_attempts = 1, .code = 8};
    assert_status(DOCKET_FAILED,
                  run(graph, DOCKET_OF(Length), BATCH("f"), (docket_request){0}, NULL, &error)); /* P-080 */
    assert_int_equal(atomic_load(&self.measured['f']), 1);
    docket_graph_free(graph);
}

/* P-088, P-099: the first failure stops the others, and is what the caller is told. */
static void p099_the_first_failure_stops_the_siblings(void **state)
{
    (void)state;
    docket_pool *pool = docket_pool_new(4);
    for (int round = 0; round < (int)site_count(50, 1000); round++) {
        notes self = {.failing_attempts = 99, .code = 5, .waits = true};
        docket_graph *graph = make_graph(&self, (docket_step_options){0}, pool, NULL);
        docket_error error;
        docket_result *result = NULL;
        assert_status(DOCKET_FAILED, run(graph, DOCKET_OF(Length), BATCH("w1", "f", "w2", "w3"),
                                         (docket_request){0}, &result, &error));
        assert_int_equal(error.code, 5);
        assert_int_equal(error.item_index, 1);
        docket_result_free(result);
        docket_graph_free(graph);
    }
    docket_pool_free(pool);
}

static void p100_batches_run_at_once(void **state)
{
    (void)state;
    enum { BATCHES = 5 };
    notes self = {.code = 1};
    docket_pool *pool = docket_pool_new(4);
    docket_graph *graph = make_graph(&self, (docket_step_options){0}, pool, NULL);
    docket_execution *executions[BATCHES];
    batch items = BATCH("aa", "aa", "aa", "aa", "aa", "aa", "aa", "aa");
    const docket_input input = DOCKET_ITEMS(Word, items.words, items.count);
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Part), .inputs = &input,
                                    .input_count = 1};
    for (int i = 0; i < BATCHES; i++) {
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &executions[i], NULL));
    }
    memset(&items, 0xee, sizeof items); /* what was given belongs to the caller again */
    for (int i = 0; i < BATCHES; i++) {
        docket_result *result = NULL;
        assert_status(DOCKET_OK, docket_execution_end(executions[i], &result, NULL));
        assert_int_equal(docket_result_item_count(result, DOCKET_OF(Part)), 8);
        assert_true(DOCKET_RESULT_ITEM(result, Part, 7)->share > 0.124);
        docket_result_free(result);
    }
    assert_int_equal(atomic_load(&self.measured['a']), 40);
    docket_graph_free(graph);
    docket_pool_free(pool);
}

/* P-066, P-067: a batch ends at its deadline, or when it is cancelled. */
static void p066_a_batch_has_a_deadline(void **state)
{
    (void)state;
    notes self = {.code = 1, .waits = true};
    docket_graph *graph = make_graph(&self, (docket_step_options){0}, NULL, NULL);
    docket_error error;
    assert_status(DOCKET_TIMEOUT, run(graph, DOCKET_OF(Length), BATCH("w1", "w2"),
                                      (docket_request){.time_limit_ms = 10}, NULL, &error));
    docket_cancel *cancel = docket_cancel_new();
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED,
                  run(graph, DOCKET_OF(Length), BATCH("w1"), (docket_request){.cancel = cancel}, NULL, &error));
    docket_cancel_free(cancel);
    assert_status(DOCKET_OK, docket_graph_stop(graph, 10000, NULL));
    docket_graph_free(graph);
}

static void p068_a_limit_names_the_item_and_the_others_have_results(void **state)
{
    (void)state;
    notes self = {.code = 1, .waits = true};
    docket_graph *graph = make_graph(&self, (docket_step_options){.time_limit_ms = 200}, NULL, NULL);
    docket_error error;
    docket_result *result = NULL;
    assert_status(DOCKET_TIMEOUT,
                  run(graph, DOCKET_OF(Length), BATCH("fast", "wait"), (docket_request){0}, &result, &error));
    assert_int_equal(error.item_index, 1);
    assert_int_equal(length_of(result, 0), 4);
    assert_null(DOCKET_RESULT_ITEM(result, Length, 1));
    docket_result_free(result);
    docket_graph_free(graph);
}

/* ---- Collecting ---- */

static void collecting_keeps_the_others(void **state)
{
    (void)state;
    enum { COUNT = 100, BAD = 57 };
    static Word words[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        words[i] = words_of(i == BAD ? "fail" : "good");
    }
    notes self = {.failing_attempts = 99, .code = 9};
    docket_pool *pool = docket_pool_new(8);
    docket_graph *graph = make_graph(&self, (docket_step_options){.max_concurrency = 8}, pool, NULL);
    docket_error error;
    docket_result *result = NULL;
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Length),
                              DOCKET_INPUTS(DOCKET_ITEMS(Word, words, COUNT)), .on_item_error = DOCKET_COLLECT};
    assert_status(DOCKET_FAILED, docket_execute(graph, &request, &result, &error));
    assert_int_equal(error.item_index, BAD);
    assert_int_equal(error.code, 9);
    for (size_t i = 0; i < COUNT; i++) {
        docket_item item = docket_result_item(result, DOCKET_OF(Length), i);
        assert_status(i == BAD ? DOCKET_FAILED : DOCKET_OK, docket_item_error(item, &error));
        assert_int_equal(docket_item_state(item, DOCKET_OF(Length)),
                         i == BAD ? DOCKET_VALUE_FAILED : DOCKET_VALUE_RAN);
        if (i != BAD) {
            assert_int_equal(DOCKET_ITEM(item, Length)->count, 4);
        }
    }
    docket_result_free(result);
    /* What takes all items does not run, and neither does what needs that. */
    request.output = DOCKET_OF(Part);
    assert_status(DOCKET_FAILED, docket_execute(graph, &request, &result, &error));
    assert_int_equal(error.item_index, BAD);
    assert_int_equal(atomic_load(&self.totals), 0);
    assert_int_equal(docket_result_state(result, DOCKET_OF(Whole)), DOCKET_VALUE_NOT_REACHED);
    assert_int_equal(docket_item_state(docket_result_item(result, DOCKET_OF(Part), 3), DOCKET_OF(Part)),
                     DOCKET_VALUE_NOT_REACHED);
    assert_int_equal(length_of(result, 3), 4);
    docket_result_free(result);
    request.on_item_error = DOCKET_STOP;
    request.output = DOCKET_OF(Length);
    assert_status(DOCKET_FAILED, docket_execute(graph, &request, NULL, &error));
    assert_int_equal(error.item_index, BAD);
    docket_graph_free(graph);
    docket_pool_free(pool);
}

/* ---- What is asked ---- */

DOCKET_STRUCT(Pair, (STRING, text));
static docket_status join(docket_ctx *ctx, Pair *out, const Word *word, const Suffix *suffix)
{
    out->text = docket_printf(ctx, "%s%s", word->text, suffix->text);
    return DOCKET_OK;
}
DOCKET_STEP(join, Pair, Word, Suffix);

static void several_types_of_items_and_shared_values(void **state)
{
    (void)state;
    const Word words[] = {{.text = "a"}, {.text = "b"}, {.text = "c"}};
    const Suffix suffixes[] = {{.text = "1"}, {.text = "2"}, {.text = "3"}};
    const Suffix *pointers[] = {&suffixes[2], &suffixes[1], &suffixes[0]};
    docket_graph *graph = docket_graph_new("pairs", NULL);
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(join));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    docket_error error;
    docket_result *result = NULL;
    docket_request request = {
        DOCKET_REQUEST_INIT, .output = DOCKET_OF(Pair),
        DOCKET_INPUTS(DOCKET_ITEMS(Word, words, 3), DOCKET_ITEM_POINTERS(Suffix, pointers, 3))};
    assert_status(DOCKET_OK, docket_execute(graph, &request, &result, &error));
    assert_string_equal(DOCKET_RESULT_ITEM(result, Pair, 0)->text, "a3");
    assert_string_equal(DOCKET_RESULT_ITEM(result, Pair, 2)->text, "c1");
    docket_result_free(result);
    const docket_input shared[] = {DOCKET_ITEMS(Word, words, 3), DOCKET_IN(Suffix, &suffixes[0])};
    request.inputs = shared;
    assert_status(DOCKET_OK, docket_execute(graph, &request, &result, &error));
    assert_string_equal(DOCKET_RESULT_ITEM(result, Pair, 2)->text, "c1");
    docket_result_free(result);
    const docket_input unequal[] = {DOCKET_ITEMS(Word, words, 3), DOCKET_ITEMS(Suffix, suffixes, 2)};
    request.inputs = unequal;
    assert_status(DOCKET_INVALID, docket_execute(graph, &request, &result, &error));
    assert_contains(error.message, "same count");
    assert_null(result);
    const Suffix *holes[] = {&suffixes[0], NULL, &suffixes[1]};
    const docket_input broken[] = {DOCKET_ITEMS(Word, words, 3), DOCKET_ITEM_POINTERS(Suffix, holes, 3)};
    request.inputs = broken;
    assert_status(DOCKET_INVALID, docket_execute(graph, &request, &result, &error));
    assert_int_equal(error.item_index, 1);
    docket_graph_free(graph);
}

/* F-30: in an execution without items an aggregate sees the one value. */
static void f30_an_aggregate_without_items(void **state)
{
    (void)state;
    notes self = {.code = 1};
    docket_graph *graph = make_graph(&self, (docket_step_options){0}, NULL, NULL);
    const Word word = {.text = "one"};
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_execute(graph,
                                            &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Part),
                                                              DOCKET_INPUTS(DOCKET_IN(Word, &word))},
                                            &result, NULL));
    assert_int_equal(DOCKET_RESULT(result, Whole)->items, 1);
    assert_true(DOCKET_RESULT(result, Part)->share == 1.0);
    docket_result_free(result);
    docket_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p087_results_keep_the_order),
        cmocka_unit_test(p086_an_empty_batch_succeeds),
        cmocka_unit_test(p085_a_graph_must_be_validated),
        cmocka_unit_test(p075_a_failing_item_is_tried_again),
        cmocka_unit_test(p076_an_item_that_always_fails_fails_the_batch),
        cmocka_unit_test(p077_an_aggregate_is_tried_again),
        cmocka_unit_test(p079_a_classifier_is_asked_per_item),
        cmocka_unit_test(p099_the_first_failure_stops_the_siblings),
        cmocka_unit_test(p100_batches_run_at_once),
        cmocka_unit_test(p066_a_batch_has_a_deadline),
        cmocka_unit_test(p068_a_limit_names_the_item_and_the_others_have_results),
        cmocka_unit_test(collecting_keeps_the_others),
        cmocka_unit_test(several_types_of_items_and_shared_values),
        cmocka_unit_test(f30_an_aggregate_without_items),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
