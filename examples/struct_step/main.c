/* Steps with data of their own: settings by the step's `user` pointer, a client by a resource type. */
#include <docket/docket.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DOCKET_STRUCT(Text, (STRING, value));
DOCKET_STRUCT(LetterCount, (INT64, count));
DOCKET_STRUCT(ScoredText, (STRING, value), (INT64, score));

/* Settings: one function, and a struct for each place where it is used. */

typedef struct Counter {
    char letter;
    bool case_sensitive;
    atomic_int runs;
} Counter;

static docket_status count_letter(docket_ctx *ctx, LetterCount *out, const Text *text)
{
    Counter *counter = docket_ctx_user(ctx);
    counter->runs++;
    for (const char *c = text->value; *c != '\0'; c++) {
        int letter = counter->case_sensitive ? *c : tolower((unsigned char)*c);
        out->count += letter == counter->letter;
    }
    return DOCKET_OK;
}
DOCKET_STEP(count_letter, LetterCount, Text);

/* A client: a type without bytes, passed by pointer. A test injects another one. */

typedef struct ScoreClient {
    const char *prefix;
    int64_t (*score)(const char *text);
    atomic_int calls;
} ScoreClient;
DOCKET_RESOURCE(ScoreClient);

static docket_status score_text(docket_ctx *ctx, ScoredText *out, const Text *text, ScoreClient *client)
{
    client->calls++;
    out->value = docket_printf(ctx, "%s%s", client->prefix, text->value);
    out->score = client->score(text->value);
    return DOCKET_OK;
}
DOCKET_STEP(score_text, ScoredText, Text, ScoreClient);

static int64_t ten_a_letter(const char *text)
{
    return 10 * (int64_t)strlen(text);
}

/* Validates and executes a graph, and frees it. Returns: the result, or NULL. */
static docket_result *execute(docket_graph *graph, const docket_type *output, const char *text)
{
    const Text input = {text};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = output,
        DOCKET_INPUTS(DOCKET_IN(Text, &input)),
    };
    docket_error error;
    docket_result *result = NULL;
    if (docket_graph_validate(graph, &error) != DOCKET_OK ||
        docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
        docket_result_free(result);
        result = NULL;
    }
    docket_graph_free(graph);
    return result;
}

static bool count(Counter *counter, const char *text, const char *label, int64_t expected)
{
    docket_graph *graph = docket_graph_new("count", NULL);
    docket_graph_add(graph, &count_letter_step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .user = counter});

    docket_result *result = execute(graph, DOCKET_OF(LetterCount), text);
    bool right = false;
    if (result != NULL) {
        int64_t letters = DOCKET_RESULT(result, LetterCount)->count;
        printf("   %s: %" PRId64 "\n", label, letters);
        right = letters == expected && counter->runs == 1;
    }
    docket_result_free(result);
    return right;
}

static bool score(ScoreClient *client, const char *text)
{
    docket_graph *graph = docket_graph_new("score", NULL);
    docket_graph_add(graph, &score_text_step, NULL);
    docket_graph_provide(graph, DOCKET_IN(ScoreClient, client));

    docket_result *result = execute(graph, DOCKET_OF(ScoredText), text);
    bool right = false;
    if (result != NULL) {
        const ScoredText *scored = DOCKET_RESULT(result, ScoredText);
        printf("   Output: \"%s\" with score %" PRId64 "\n", scored->value, scored->score);
        right = strcmp(scored->value, "scored: docket") == 0 && scored->score == 60 && client->calls == 1;
    }
    docket_result_free(result);
    return right;
}

int main(void)
{
    puts("1. A step with settings: letter 'e', case insensitive, in \"Excellence\"");
    Counter letter_e = {.letter = 'e'};
    bool right = count(&letter_e, "Excellence", "Count", 4);

    puts("\n2. A step with an injected client, for \"docket\"");
    ScoreClient client = {.prefix = "scored: ", .score = ten_a_letter};
    right = score(&client, "docket") && right;

    puts("\n3. One function in three graphs, each with its own settings, in \"ABRACADABRA\"");
    Counter exactly_a = {.letter = 'a', .case_sensitive = true};
    Counter letter_o = {.letter = 'o'};
    Counter letter_a = {.letter = 'a'};
    right = count(&exactly_a, "ABRACADABRA", "Count 'a' (case sensitive)", 0) && right;
    right = count(&letter_o, "ABRACADABRA", "Count 'o' (case insensitive)", 0) && right;
    right = count(&letter_a, "ABRACADABRA", "Count 'a' (case insensitive)", 5) && right;
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
