#include "faults/stock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_WORDS = 16 };

static docket_status split_text(docket_ctx *ctx, Words *out, const Title *title)
{
    char *copy = docket_scratch(ctx, strlen(title->value) + 1);
    const char **words = DOCKET_NEW_ARRAY(ctx, const char *, MOST_WORDS);
    if (copy == NULL || words == NULL) {
        return DOCKET_NO_MEMORY;
    }
    memcpy(copy, title->value, strlen(title->value) + 1);
    char *rest = copy;
    for (char *word; out->words_count < MOST_WORDS && (word = strsep(&rest, " ")) != NULL;) {
        words[out->words_count++] = docket_strdup(ctx, word);
    }
    out->words = words;
    out->text = docket_printf(ctx, "%s", title->value);
    out->title = title;
    return DOCKET_OK;
}

static docket_status split(docket_ctx *ctx, Words *out, const Title *title)
{
    stock *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->splits, 1);
    atomic_fetch_add(&user->entered, 1);
    while (atomic_load(&user->holds) != 0) {
        usleep(100);
    }
    return split_text(ctx, out, title);
}
DOCKET_STEP(split, Words, Title);

static docket_status weigh(docket_ctx *ctx, Weight *out, const Words *words)
{
    stock *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->weighs, 1);
    void *foreign = malloc(8);
    if (foreign == NULL || docket_adopt(ctx, foreign, free) != DOCKET_OK) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < words->words_count; i++) {
        out->letters += (int64_t)strlen(words->words[i]);
    }
    memset(foreign, 7, 8);
    out->bytes = (docket_bytes){foreign, 8};
    return DOCKET_OK;
}
DOCKET_STEP(weigh, Weight, Words);

static void count_down(void *arg)
{
    atomic_fetch_sub((atomic_int *)arg, 1);
}

static docket_status write_report(docket_ctx *ctx, Report *out, const Words *words, const Weight *weight,
                                  const Wish *wished)
{
    stock *user = docket_ctx_user(ctx);
    atomic_fetch_add(&user->writes, 2);
    if (docket_defer(ctx, count_down, &user->writes) != DOCKET_OK) {
        count_down(&user->writes);
        return DOCKET_NO_MEMORY;
    }
    Title *titles = DOCKET_NEW_ARRAY(ctx, Title, words->words_count);
    if (titles == NULL || docket_ctx_idempotency_key(ctx) == NULL) {
        return DOCKET_NO_MEMORY;
    }
    for (size_t i = 0; i < words->words_count; i++) {
        titles[i].value = words->words[i];
    }
    out->titles = titles;
    out->titles_count = words->words_count;
    out->line = docket_printf(ctx, "%s: %zu words, %lld letters%s", words->text, words->words_count,
                              (long long)weight->letters, wished == NULL ? "" : wished->text);
    out->letters = weight->letters;
    out->has_letters = true;
    return DOCKET_OK;
}
DOCKET_STEP(write_report, Report, Words, Weight, MAYBE(Wish));

static docket_status wish(docket_ctx *ctx, Wish *out, const Title *title)
{
    (void)out;
    return docket_absent(ctx, "nobody wished for %s", title->value);
}
DOCKET_STEP(wish, Wish, Title);

static docket_status refuse(docket_ctx *ctx, Words *out, const Title *title)
{
    (void)out;
    return docket_reject(ctx, 17, "no such title: %s", title->value);
}
DOCKET_STEP(refuse, Words, Title);

static docket_status stumble(docket_ctx *ctx, Words *out, const Title *title)
{
    if (docket_ctx_attempt(ctx) < 3) {
        docket_cause(ctx, "attempt %d", docket_ctx_attempt(ctx));
        return docket_fail(ctx, 5, "not yet");
    }
    return split_text(ctx, out, title);
}
DOCKET_STEP(stumble, Words, Title);

static docket_status summarize_within(docket_ctx *ctx, Summary *out, const Title *title)
{
    stock *user = docket_ctx_user(ctx);
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    docket_status status = docket_execute(user->inner,
                                          &(docket_request){
                                              DOCKET_REQUEST_INIT,
                                              .output = DOCKET_OF(Report),
                                              DOCKET_INPUTS(DOCKET_IN(Title, title)),
                                          },
                                          &result, &error);
    if (status == DOCKET_OK) {
        out->line = docket_strdup(ctx, DOCKET_RESULT(result, Report)->line);
    } else {
        status = docket_fail_from(ctx, &error);
    }
    docket_result_free(result);
    return status;
}
DOCKET_STEP(summarize_within, Summary, Title);
