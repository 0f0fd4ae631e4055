/* What a step finds in its context: memory, identity, and words to end with. */
#include "support/check.h"
#include "support/run.h"
#include "support/site.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(Word, (STRING, text));
DOCKET_STRUCT(Pair, (STRING, left), (STRING, right), (STRUCT(Word), word));

/* Memory. */

static docket_status take_memory(docket_ctx *ctx, LC *out)
{
    int sound = 0;
    unsigned char *some = docket_alloc(ctx, 1000);
    sound += some != NULL && ((uintptr_t)some & 15) == 0 && some[0] == 0 && memcmp(some, some + 1, 999) == 0;
    sound += docket_alloc(ctx, 0) != NULL;
    int64_t *array = DOCKET_NEW_ARRAY(ctx, int64_t, 100);
    sound += array != NULL && array[0] == 0 && array[99] == 0;
    sound += DOCKET_NEW(ctx, Pair)->left == NULL;
    sound += strcmp(docket_strdup(ctx, NULL), "") == 0;
    sound += strcmp(docket_strdup(ctx, "copy"), "copy") == 0;
    sound += strcmp(docket_printf(ctx, "%d %s", 7, "dwarfs"), "7 dwarfs") == 0;
    sound += docket_scratch(ctx, 10) != NULL;
    out->count = sound;
    return DOCKET_OK;
}
DOCKET_STEP(take_memory, LC);

static void test_memory(void **state)
{
    (void)state;
    docket_graph *graph = graph_of_one(NULL, &take_memory_step, NULL);
    assert_int_equal(letters_count(graph, NULL, NULL), 8);
    docket_graph_free(graph);
}

static docket_status ask_too_much(docket_ctx *ctx, LC *out)
{
    out->original = docket_alloc_array(ctx, SIZE_MAX / 2, 3);
    out->count = 1;
    return DOCKET_OK;
}
DOCKET_STEP(ask_too_much, LC);

static void test_a_refused_allocation_is_remembered(void **state)
{
    entries seen = {.runs = 0};
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,         .user = &seen, .max_attempts = 3, .scope = DOCKET_SCOPE_GLOBAL,
        .store = site_open(*state, NULL),
    };
    docket_graph *graph = graph_of_one(NULL, &ask_too_much_step, &options);
    outcome of = run_letters(graph, NULL, NULL);
    assert_status(DOCKET_NO_MEMORY, of.status);
    assert_string_equal(of.error.step, "ask_too_much");
    outcome_free(&of);
    docket_graph_free(graph);
}

/* A value may point to its context's memory, to static data, and into its inputs. */

static docket_status point_around(docket_ctx *ctx, Pair *out, const Word *word)
{
    out->left = docket_printf(ctx, "left of %s", word->text);
    out->right = "static";
    out->word = word;
    return DOCKET_OK;
}
DOCKET_STEP(point_around, Pair, Word);

static docket_status make_word(docket_ctx *ctx, Word *out, const IS *in)
{
    out->text = docket_printf(ctx, "<%s>", in->value);
    return DOCKET_OK;
}
DOCKET_STEP(make_word, Word, IS);

static void test_where_a_value_may_point(void **state)
{
    docket_store *store = site_open(*state, NULL);
    for (int scope = DOCKET_SCOPE_NONE; scope <= DOCKET_SCOPE_GLOBAL; scope++) {
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = (docket_scope)scope, .store = store};
        docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(make_word, point_around));
        for (int i = 0; i < 2; i++) {
            IS in = {.value = "x"};
            outcome of = run(graph, &(docket_request){
                                        DOCKET_REQUEST_INIT,
                                        .execution_id = "p",
                                        .output = DOCKET_OF(Pair),
                                        DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                    });
            assert_status(DOCKET_OK, of.status);
            const Pair *pair = DOCKET_RESULT(of.result, Pair);
            assert_string_equal(pair->left, "left of <x>");
            assert_string_equal(pair->right, "static");
            assert_string_equal(pair->word->text, "<x>");
            outcome_free(&of);
        }
        docket_graph_free(graph);
    }
}

/* Provided values and resources. */

typedef struct Client {
    int calls;
} Client;
DOCKET_RESOURCE(Client);

static docket_status call_client(docket_ctx *ctx, LC *out, Client *client, const Word *word)
{
    client->calls++;
    out->count = (int32_t)strlen(word->text);
    out->original = docket_strdup(ctx, word->text);
    return DOCKET_OK;
}
DOCKET_STEP(call_client, LC, Client, Word);

static void test_provided_values_and_resources(void **state)
{
    Client client = {0};
    char text[] = "provided";
    Word word = {.text = text};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL,
                                   .store = site_open(*state, NULL)};
    docket_graph *graph = docket_graph_new("provided", NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, &call_client_step, &options));
    assert_status(DOCKET_OK, docket_graph_add(graph, &make_word_step, &options));
    assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(Client, &client)));
    assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(Word, &word)));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    memset(text, 'x', 8); /* it was copied */
    assert_int_equal(letters_count(graph, NULL, NULL), 8);
    assert_int_equal(letters_count(graph, NULL, NULL), 8);
    assert_int_equal(client.calls, 1);

    Word own = {.text = "own"}; /* a request's value wins; another resource is the same key */
    Client other = {0};
    outcome of = run(graph, &(docket_request){
                                DOCKET_REQUEST_INIT,
                                .output = DOCKET_OF(LC),
                                DOCKET_INPUTS(DOCKET_IN(Word, &own), DOCKET_IN(Client, &other)),
                            });
    assert_status(DOCKET_OK, of.status);
    assert_int_equal(DOCKET_RESULT(of.result, LC)->count, 3);
    assert_ptr_equal(docket_result_value(of.result, DOCKET_OF(Client)), &other);
    assert_int_equal(client.calls, 1);
    assert_int_equal(other.calls, 1);
    outcome_free(&of);
    docket_graph_free(graph);
}

/* The idempotency key. */

typedef struct keys {
    char seen[8][33];
    atomic_int count;
    int failures;
} keys;

static docket_status note_key(docket_ctx *ctx, LC *out, const IS *in)
{
    keys *of = docket_ctx_user(ctx);
    const char *key = docket_ctx_idempotency_key(ctx);
    int entry = atomic_fetch_add(&of->count, 1);
    out->count = (int32_t)strlen(in->value);
    if (key == NULL || entry >= 8) {
        return docket_abort(ctx, 1, "no key");
    }
    memcpy(of->seen[entry], key, 33);
    return docket_ctx_attempt(ctx) <= of->failures ? docket_fail(ctx, 1, "again") : DOCKET_OK;
}
DOCKET_STEP(note_key, LC, IS);

static const char *key_of(keys *of, docket_step_options options, uint32_t version, const char *id, const char *text)
{
    docket_step step = note_key_step;
    step.version = version;
    options.user = of;
    docket_graph *graph = graph_of_one(NULL, &step, &options);
    outcome got = run_letters(graph, id, text);
    assert_true(got.status == DOCKET_OK || got.status == DOCKET_FAILED);
    outcome_free(&got);
    docket_graph_free(graph);
    return of->seen[of->count - 1];
}

static void test_the_idempotency_key(void **state)
{
    docket_store *store = site_open(*state, NULL);
    for (int scope = DOCKET_SCOPE_NONE; scope <= DOCKET_SCOPE_GLOBAL; scope++) {
        keys of = {.failures = 2};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .scope = (docket_scope)scope, .store = store,
                                       .max_attempts = 2};
        const char *first = key_of(&of, options, 1, "one", "text");
        assert_int_equal(of.count, 2);
        assert_int_equal(strlen(first), 32);
        assert_int_equal(strspn(first, "0123456789abcdef"), 32);
        assert_string_equal(of.seen[0], of.seen[1]); /* over attempts */
        of.failures = 0;
        assert_string_equal(key_of(&of, options, 2, "one", "text"), first); /* over executions and deploys */
        assert_string_not_equal(key_of(&of, options, 2, "one", "other"), first);
        if (scope == DOCKET_SCOPE_GLOBAL) {
            assert_string_equal(key_of(&of, options, 3, "two", "text"), first);
        } else {
            assert_string_not_equal(key_of(&of, options, 2, "two", "text"), first);
        }
    }
}

/* Words that do not fit together. */

static docket_status misspeak(docket_ctx *ctx, LC *out, const IS *in)
{
    const char *word = in->value;
    out->count = 7;
    if (strcmp(word, "fails, and says that all is well") == 0) {
        return docket_fail(ctx, 1, "never mind") == DOCKET_FAILED ? DOCKET_OK : DOCKET_FAILED;
    }
    if (strcmp(word, "fails without a word") == 0) {
        return DOCKET_FAILED;
    }
    if (strcmp(word, "rejects without a word") == 0) {
        return DOCKET_REJECTED;
    }
    if (strcmp(word, "is absent without a word") == 0) {
        return DOCKET_ABSENT;
    }
    if (strcmp(word, "fails, then rejects") == 0) {
        return docket_fail(ctx, 1, "first") == DOCKET_FAILED ? docket_reject(ctx, 2, "second") : DOCKET_OK;
    }
    if (strcmp(word, "blames the store") == 0) {
        return DOCKET_STORE;
    }
    if (strcmp(word, "passes nothing on") == 0) {
        return docket_fail_from(ctx, NULL);
    }
    return strcmp(word, "is cancelled") == 0 ? DOCKET_CANCELLED : (docket_status)9999;
}
DOCKET_STEP(misspeak, LC, IS);

static void test_words_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        docket_status status;
        const char *message;
    } cases[] = {
        {"fails, and says that all is well", DOCKET_OK, ""},
        {"fails without a word", DOCKET_FAILED, "without a message"},
        {"rejects without a word", DOCKET_REJECTED, "without a message"},
        {"is absent without a word", DOCKET_ABSENT, ""},
        {"fails, then rejects", DOCKET_REJECTED, "second"},
        {"blames the store", DOCKET_FAILED, "DOCKET_STORE"},
        {"passes nothing on", DOCKET_FAILED, ""},
        {"is cancelled", DOCKET_CANCELLED, "without a message"},
        {"says nonsense", DOCKET_FAILED, "DOCKET_UNKNOWN"},
    };
    docket_graph *graph = graph_of_one(NULL, &misspeak_step, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome of = run_letters(graph, NULL, cases[i].word);
        assert_status(cases[i].status, of.status);
        assert_contains(of.error.message, cases[i].message);
        outcome_free(&of);
    }
    docket_graph_free(graph);
}

/* Deferred calls and adopted memory, whatever becomes of the attempt. */

static atomic_int deferred_calls, released_blocks;

static void count_deferred(void *arg)
{
    (void)arg;
    atomic_fetch_add(&deferred_calls, 1);
}

static void release_block(void *memory)
{
    atomic_fetch_add(&released_blocks, 1);
    free(memory);
}

static docket_status clean_up(docket_ctx *ctx, LC *out, const IS *in)
{
    char *block = malloc(8);
    if (block == NULL || docket_defer(ctx, count_deferred, NULL) != DOCKET_OK) {
        free(block);
        return DOCKET_NO_MEMORY;
    }
    memcpy(block, "adopted", 8);
    out->original = block;
    docket_status adopted = docket_adopt(ctx, block, release_block);
    if (adopted != DOCKET_OK || strcmp(in->value, "works") == 0) {
        return adopted;
    }
    if (strcmp(in->value, "is cancelled") == 0) {
        return docket_sleep(ctx, 60000);
    }
    return strcmp(in->value, "is absent") == 0 ? docket_absent(ctx, "none") : docket_fail(ctx, 1, "fails");
}
DOCKET_STEP(clean_up, LC, IS);

static void test_what_is_taken_is_given_back(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        docket_status status;
    } cases[] = {{"works", DOCKET_OK},
                 {"fails", DOCKET_FAILED},
                 {"is absent", DOCKET_ABSENT},
                 {"is cancelled", DOCKET_TIMEOUT}};
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .cooperative = true};
    docket_graph *graph = graph_of_one(NULL, &clean_up_step, &options);
    for (int i = 0; i < 4; i++) {
        IS in = {.value = cases[i].word};
        outcome of = run(graph, &(docket_request){
                                    DOCKET_REQUEST_INIT,
                                    .output = DOCKET_OF(LC),
                                    DOCKET_INPUTS(DOCKET_IN(IS, &in)),
                                    .time_limit_ms = i == 3 ? 500 : 0,
                                });
        assert_status(cases[i].status, of.status);
        if (i == 0) {
            assert_string_equal(DOCKET_RESULT(of.result, LC)->original, "adopted");
            assert_int_equal(released_blocks, 0);
        }
        outcome_free(&of);
    }
    docket_error error;
    assert_status(DOCKET_OK, docket_graph_stop(graph, -1, &error));
    docket_graph_free(graph);
    assert_int_equal(deferred_calls, 4);
    assert_int_equal(released_blocks, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_MEMORY(test_memory),
        SITE_EACH_STORE(test_a_refused_allocation_is_remembered),
        SITE_EACH_STORE(test_where_a_value_may_point),
        SITE_EACH_STORE(test_provided_values_and_resources),
        SITE_EACH_STORE(test_the_idempotency_key),
        SITE_MEMORY(test_words_that_do_not_fit),
        SITE_MEMORY(test_what_is_taken_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
