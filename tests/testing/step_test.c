/* docket_test_step: a step meets what the engine would show it, and its answer comes back as the engine would take it. */
#include "support/check.h"

#include <docket/testing.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

DOCKET_STRUCT(Word, (STRING, text));
DOCKET_STRUCT(Extra, (INT32, value));
DOCKET_STRUCT(Report, (STRING, text), (INT64, number));
typedef struct Desk {
    int stamps;
} Desk;
DOCKET_RESOURCE(Desk);

static docket_status tell(docket_ctx *ctx, Report *out, const Word *word, const Extra *extra)
{
    const char *user = docket_ctx_user(ctx);
    out->text =
        docket_printf(ctx, "%s %s attempt %d item %d of %s in %s key %s", word->text, user != NULL ? user : "-",
                      docket_ctx_attempt(ctx), (int)docket_ctx_item_index(ctx), docket_ctx_step_name(ctx),
                      docket_ctx_execution_id(ctx), docket_ctx_idempotency_key(ctx));
    out->number = extra == NULL ? -1 : extra->value;
    return DOCKET_OK;
}
DOCKET_STEP(tell, Report, Word, MAYBE(Extra));

#define OPTIONS(...) (&(docket_test_step_options){DOCKET_TEST_STEP_OPTIONS_INIT, __VA_ARGS__})

static void test_what_a_step_sees(void **state)
{
    (void)state;
    Word word = {.text = "abc"};
    Extra extra = {.value = 5};
    docket_error error;
    docket_result *result = NULL;
    char user[] = "mine";
    assert_status(DOCKET_OK,
                  docket_test_step(&tell_step,
                                   OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word), DOCKET_IN(Extra, &extra)),
                                           .execution_id = "e", .user = user, .attempt = 3, .item_number = 8,
                                           .idempotency_key = "0123"),
                                   &result, &error));
    assert_string_equal(DOCKET_RESULT(result, Report)->text, "abc mine attempt 3 item 7 of tell in e key 0123");
    assert_int_equal(DOCKET_RESULT(result, Report)->number, 5);
    docket_result_free(result);
}

static void test_what_it_sees_by_default(void **state)
{
    (void)state;
    Word word = {.text = NULL};
    docket_result *result = NULL;
    char first[256];
    for (int i = 0; i < 2; i++) {
        assert_status(DOCKET_OK,
                      docket_test_step(&tell_step,
                                       OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word)), .execution_id = "e"), &result,
                                       NULL));
        const Report *report = DOCKET_RESULT(result, Report);
        assert_int_equal(report->number, -1);
        assert_contains(report->text, " - attempt 1 item -1 of tell in e key ");
        if (i == 0) {
            snprintf(first, sizeof first, "%s", report->text);
        }
        assert_string_equal(report->text, first); /* with the same key */
        docket_result_free(result);
    }
}

static docket_status end_as_told(docket_ctx *ctx, Report *out, const Extra *how)
{
    out->number = docket_ctx_attempt(ctx);
    switch (how->value) {
    case DOCKET_ABSENT:
        return docket_absent(ctx, "nothing for %d", how->value);
    case DOCKET_FAILED:
        docket_cause(ctx, "the deeper reason");
        return docket_fail(ctx, 17, "failed in attempt %d", docket_ctx_attempt(ctx));
    case DOCKET_REJECTED:
        return docket_reject(ctx, 18, "rejected");
    case DOCKET_ABORTED:
        return docket_abort(ctx, 19, "aborted");
    case DOCKET_ENCODE:
        out->text = "\xff";
        return DOCKET_OK;
    case DOCKET_NO_MEMORY:
        docket_alloc_array(ctx, SIZE_MAX / 2, 4);
        return DOCKET_OK;
    case DOCKET_CANCELLED:
        return docket_cancelled(ctx) ? docket_sleep(ctx, 1000000) : DOCKET_OK;
    case DOCKET_TIMEOUT:
        docket_test_clock_advance(DOCKET_MINUTES(1));
        if (docket_sleep(ctx, DOCKET_DAYS(1)) != DOCKET_CANCELLED) {
            return docket_fail(ctx, 21, "nobody woke it");
        }
        return docket_ctx_remaining_ms(ctx) == 0 ? DOCKET_OK : docket_fail(ctx, 20, "there is time left");
    default:
        return (docket_status)how->value;
    }
}
DOCKET_STEP(end_as_told, Report, Extra);

static docket_status end_as(int how, docket_cancel *cancel, int64_t time_limit_ms, docket_error *error)
{
    Extra extra = {.value = how};
    docket_result *result = NULL;
    docket_status status = docket_test_step(&end_as_told_step,
                                            OPTIONS(DOCKET_INPUTS(DOCKET_IN(Extra, &extra)), .attempt = 2,
                                                    .cancel = cancel, .time_limit_ms = time_limit_ms),
                                            &result, error);
    assert_status(status, error->status);
    assert_true((status == DOCKET_OK) == (DOCKET_RESULT(result, Report) != NULL));
    docket_result_free(result);
    return status;
}

static void test_its_own_words_come_back(void **state)
{
    (void)state;
    docket_error error;
    assert_status(DOCKET_ABSENT, end_as(DOCKET_ABSENT, NULL, 0, &error));
    assert_contains(error.message, "nothing for");
    assert_status(DOCKET_FAILED, end_as(DOCKET_FAILED, NULL, 0, &error));
    assert_string_equal(error.message, "failed in attempt 2");
    assert_string_equal(error.cause, "the deeper reason");
    assert_string_equal(error.step, "end_as_told");
    assert_int_equal(error.code, 17);
    assert_int_equal(error.attempts, 2);
    assert_status(DOCKET_REJECTED, end_as(DOCKET_REJECTED, NULL, 0, &error));
    assert_int_equal(error.code, 18);
    assert_status(DOCKET_ABORTED, end_as(DOCKET_ABORTED, NULL, 0, &error));
    assert_int_equal(error.code, 19);
    assert_status(DOCKET_ENCODE, end_as(DOCKET_ENCODE, NULL, 0, &error));
    assert_contains(error.message, "text");
    assert_status(DOCKET_NO_MEMORY, end_as(DOCKET_NO_MEMORY, NULL, 0, &error));
    assert_status(DOCKET_FAILED, end_as(DOCKET_CONFLICT, NULL, 0, &error)); /* not a step's to give */
    assert_status(DOCKET_OK, end_as(DOCKET_OK, NULL, 0, &error));
}

static void test_cancellation(void **state)
{
    (void)state;
    docket_error error;
    docket_cancel *cancel = docket_cancel_new();
    assert_status(DOCKET_OK, end_as(DOCKET_CANCELLED, cancel, 0, &error));
    docket_cancel_set(cancel);
    assert_status(DOCKET_CANCELLED, end_as(DOCKET_CANCELLED, cancel, 0, &error));
    assert_status(DOCKET_CANCELLED, end_as(DOCKET_OK, cancel, 0, &error)); /* it does not look */
    assert_status(DOCKET_FAILED, end_as(DOCKET_FAILED, cancel, 0, &error));
    assert_string_equal(error.message, "failed in attempt 2");
    assert_int_equal(error.attempts, 2);
    docket_cancel_free(cancel);
}

static void test_a_time_limit_follows_the_clock(void **state)
{
    (void)state;
    docket_error error;
    docket_test_clock_start(0);
    assert_status(DOCKET_TIMEOUT, end_as(DOCKET_TIMEOUT, NULL, 60000, &error));
    assert_status(DOCKET_OK, end_as(DOCKET_OK, NULL, 60000, &error));
    docket_test_clock_stop();
}

/* From another thread, while the step sleeps. */

static void *set_later(void *arg)
{
    docket_cancel_set(arg);
    return NULL;
}

static docket_status wait_for_cancel(docket_ctx *ctx, Report *out)
{
    pthread_t thread;
    (void)out;
    if (pthread_create(&thread, NULL, set_later, docket_ctx_user(ctx)) != 0) {
        return docket_fail(ctx, 1, "no thread");
    }
    docket_status status = docket_sleep(ctx, 1000000000);
    pthread_join(thread, NULL);
    return status == DOCKET_CANCELLED ? docket_fail(ctx, 2, "woken") : status;
}
DOCKET_STEP(wait_for_cancel, Report);

static void test_cancelled_in_the_middle(void **state)
{
    (void)state;
    docket_error error;
    docket_cancel *cancel = docket_cancel_new();
    assert_status(DOCKET_FAILED,
                  docket_test_step(&wait_for_cancel_step, OPTIONS(.cancel = cancel, .user = cancel), NULL, &error));
    assert_int_equal(error.code, 2);
    docket_cancel_free(cancel);
}

/* Aggregates and resources. */

static docket_status join(docket_ctx *ctx, Report *out, const Word *const *words, size_t count, Desk *desk)
{
    out->text = "";
    for (size_t i = 0; i < count; i++) {
        out->text = docket_printf(ctx, "%s%s", out->text, words[i]->text);
        desk->stamps++;
    }
    out->number = (int64_t)count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(join, Report, Word, Desk);

static void test_an_aggregate_takes_items(void **state)
{
    (void)state;
    Word words[] = {{.text = "a"}, {.text = "b"}, {.text = "c"}};
    const void *items[] = {&words[0], &words[1], &words[2]};
    Desk desk = {0};
    for (size_t count = 0; count <= 3; count++) {
        docket_result *result = NULL;
        assert_status(DOCKET_OK, docket_test_step(&join_step,
                                                  OPTIONS(DOCKET_INPUTS(DOCKET_IN(Desk, &desk)), .items = items,
                                                          .item_count = count),
                                                  &result, NULL));
        assert_int_equal(DOCKET_RESULT(result, Report)->number, count);
        assert_int_equal(strlen(DOCKET_RESULT(result, Report)->text), count);
        docket_result_free(result);
    }
    assert_int_equal(desk.stamps, 6);
    docket_result *result = NULL;
    assert_status(DOCKET_OK,
                  docket_test_step(&join_step,
                                   OPTIONS(DOCKET_INPUTS(DOCKET_IN(Desk, &desk), DOCKET_IN(Word, &words[1]))),
                                   &result, NULL));
    assert_string_equal(DOCKET_RESULT(result, Report)->text, "b");
    docket_result_free(result);
}

/* Folds and expansions. */

static docket_status append(docket_ctx *ctx, Report *out, const Word *word)
{
    if (word->text[0] == '!') {
        return docket_reject(ctx, 3, "item %d is loud", (int)docket_ctx_item_index(ctx));
    }
    out->text = docket_printf(ctx, "%s%s", out->text == NULL ? "" : out->text, word->text);
    out->number = 10 * out->number + docket_ctx_item_index(ctx);
    return DOCKET_OK;
}
DOCKET_FOLD(append, Report, Word);

static void test_a_fold_takes_items_one_by_one(void **state)
{
    (void)state;
    Word words[] = {{.text = "a"}, {.text = "b"}, {.text = "!"}, {.text = "c"}};
    const void *items[] = {&words[0], &words[1], &words[3], &words[2]};
    docket_error error;
    docket_result *result = NULL;
    assert_status(DOCKET_OK,
                  docket_test_step(&append_step, OPTIONS(.items = items, .item_count = 3), &result, NULL));
    assert_string_equal(DOCKET_RESULT(result, Report)->text, "abc");
    assert_int_equal(DOCKET_RESULT(result, Report)->number, 12);
    docket_result_free(result);
    assert_status(DOCKET_REJECTED,
                  docket_test_step(&append_step, OPTIONS(.items = items, .item_count = 4), NULL, &error));
    assert_string_equal(error.message, "item 3 is loud");
    assert_status(DOCKET_OK, docket_test_step(&append_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &words[1]))),
                                              &result, NULL));
    assert_string_equal(DOCKET_RESULT(result, Report)->text, "b");
    docket_result_free(result);
}

static docket_status split(docket_ctx *ctx, const Word *word)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; word->text[i] != '\0' && status == DOCKET_OK; i++) {
        Report letter = {.text = docket_printf(ctx, "%c", word->text[i]), .number = docket_ctx_attempt(ctx)};
        status = docket_emit(ctx, &letter);
    }
    return status;
}
DOCKET_EXPAND(split, Report, Word);

static void test_an_expansion_makes_items(void **state)
{
    (void)state;
    Word word = {.text = "xyz"};
    docket_result *result = NULL;
    assert_status(
        DOCKET_OK,
        docket_test_step(&split_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word)), .attempt = 2), &result, NULL));
    assert_int_equal(docket_result_item_count(result, DOCKET_OF(Report)), 3);
    assert_string_equal(DOCKET_RESULT_ITEM(result, Report, 2)->text, "z");
    assert_int_equal(DOCKET_RESULT_ITEM(result, Report, 0)->number, 2);
    docket_result_free(result);
}

/* A step may test another one. */
static docket_status ask_another(docket_ctx *ctx, Report *out)
{
    Word word = {.text = "inner"};
    docket_error error;
    docket_result *result = NULL;
    if (docket_test_step(&tell_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word)), .attempt = 2), &result,
                         &error) != DOCKET_OK) {
        docket_result_free(result);
        return docket_fail_from(ctx, &error);
    }
    out->text = docket_strdup(ctx, DOCKET_RESULT(result, Report)->text);
    docket_result_free(result);
    return DOCKET_OK;
}
DOCKET_STEP(ask_another, Report);

static void test_nested(void **state)
{
    (void)state;
    docket_result *result = NULL;
    assert_status(DOCKET_OK, docket_test_step(&ask_another_step, OPTIONS(.attempt = 3), &result, NULL));
    assert_contains(DOCKET_RESULT(result, Report)->text, "inner - attempt 2");
    docket_result_free(result);
}

static void refuse(const docket_step *step, const docket_test_step_options *options, docket_status status,
                   const char *part)
{
    docket_error error;
    docket_result *result = NULL;
    assert_status(status, docket_test_step(step, options, &result, &error));
    assert_contains(error.message, part);
    assert_null(result);
    assert_status(status, docket_test_step(step, options, NULL, NULL));
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    Word word = {.text = "a"};
    Extra extra = {.value = 1};
    Desk desk = {0};
    const void *items[] = {&word, NULL};
    docket_step broken = tell_step;
    broken.call = NULL;
    docket_test_step_options other_size = {.struct_size = 100000};
    refuse(NULL, NULL, DOCKET_INVALID, "step is NULL");
    refuse(&broken, NULL, DOCKET_INVALID, "descriptor");
    refuse(&tell_step, &other_size, DOCKET_INVALID, "DOCKET_TEST_STEP_OPTIONS_INIT");
    refuse(&tell_step, NULL, DOCKET_MISSING, "Word");
    refuse(&tell_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word), DOCKET_IN(Desk, &desk))), DOCKET_INVALID,
           "takes no Desk");
    refuse(&tell_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word), DOCKET_IN(Word, &word))), DOCKET_INVALID,
           "two values");
    refuse(&tell_step, OPTIONS(.attempt = -1), DOCKET_INVALID, "attempt is -1");
    refuse(&tell_step, OPTIONS(.item_number = -1), DOCKET_INVALID, "item_number -1");
    refuse(&tell_step, OPTIONS(.time_limit_ms = -1), DOCKET_INVALID, "set the cancel token");
    refuse(&tell_step, OPTIONS(.items = items, .item_count = 1), DOCKET_INVALID, "neither an aggregate nor a fold");
    refuse(&join_step, OPTIONS(.items = items, .item_count = 2), DOCKET_INVALID, "item 1 is NULL");
    refuse(&join_step, OPTIONS(.item_count = 2), DOCKET_INVALID, "items is NULL");
    refuse(&join_step, OPTIONS(DOCKET_INPUTS(DOCKET_IN(Word, &word)), .items = items, .item_count = 1),
           DOCKET_INVALID, "one of them");
    refuse(&end_as_told_step, OPTIONS(.inputs = NULL, .input_count = 1), DOCKET_INVALID, "inputs is NULL");
    (void)extra;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_step_sees),
        cmocka_unit_test(test_what_it_sees_by_default),
        cmocka_unit_test(test_its_own_words_come_back),
        cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_a_time_limit_follows_the_clock),
        cmocka_unit_test(test_cancelled_in_the_middle),
        cmocka_unit_test(test_an_aggregate_takes_items),
        cmocka_unit_test(test_a_fold_takes_items_one_by_one),
        cmocka_unit_test(test_an_expansion_makes_items),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
