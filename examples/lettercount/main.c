/* What a graph costs: one step against the plain function inside it. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

DOCKET_STRUCT(Input, (STRING, text));
DOCKET_STRUCT(LetterCount, (STRING, letter), (INT32, count));

enum { LETTER = 'r', WARM_UP = 200 };

static int32_t count_plainly(const char *text)
{
    int32_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == LETTER;
    }
    return count;
}

static docket_status count_letters(docket_ctx *ctx, LetterCount *out, const Input *input)
{
    (void)ctx;
    out->letter = "r";
    out->count = count_plainly(input->text);
    return DOCKET_OK;
}
DOCKET_STEP(count_letters, LetterCount, Input);

static docket_status count_by_graph(docket_graph *graph, const Input *input, int32_t *count, docket_error *error)
{
    docket_result *result = NULL;
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(LetterCount),
        DOCKET_INPUTS(DOCKET_IN(Input, input)),
    };
    docket_status status = docket_execute(graph, &request, &result, error);
    if (status == DOCKET_OK) {
        *count = DOCKET_RESULT(result, LetterCount)->count;
    }
    docket_result_free(result);
    return status;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Time of `times` executions in nanoseconds; -1 if one fails or counts otherwise than the plain function. */
static int64_t time_graph(docket_graph *graph, const Input *input, int times, docket_error *error)
{
    const int32_t expected = count_plainly(input->text);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        int32_t count = -1;
        if (count_by_graph(graph, input, &count, error) != DOCKET_OK || count != expected) {
            return -1;
        }
    }
    return now_ns() - start;
}

static int64_t time_plainly(const Input *input, int times)
{
    static volatile int32_t total; /* so that the compiler does not leave the calls out */
    const char *volatile text = input->text;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        total = total + count_plainly(text);
    }
    return now_ns() - start;
}

static bool compare(docket_graph *graph, const Input *input, docket_error *error)
{
    static const int sizes[] = {1000, 10000, 100000};
    if (time_graph(graph, input, WARM_UP, error) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int64_t graph_ns = time_graph(graph, input, sizes[i], error);
        int64_t plain_ns = time_plainly(input, sizes[i]);
        if (graph_ns < 0) {
            return false;
        }
        printf("%d executions\n", sizes[i]);
        printf("  Graph:   %.3f ms, %.1f ns each\n", (double)graph_ns / 1e6, (double)graph_ns / sizes[i]);
        printf("  Plain C: %.3f ms, %.1f ns each\n", (double)plain_ns / 1e6, (double)plain_ns / sizes[i]);
        printf("  Ratio:   %.1f\n", (double)graph_ns / (double)(plain_ns > 0 ? plain_ns : 1));
    }
    return true;
}

int main(void)
{
    docket_error error = DOCKET_ERROR_INIT;
    const Input input = {"strawberry"};
    int32_t count = -1;
    docket_graph *graph = docket_graph_new("lettercount", NULL);
    docket_graph_add(graph, &count_letters_step, NULL);

    docket_status status = docket_graph_validate(graph, &error);
    if (status == DOCKET_OK) {
        status = count_by_graph(graph, &input, &count, &error);
    }
    bool agrees = status == DOCKET_OK && count == count_plainly(input.text);
    if (agrees) {
        printf("  Input: \"%s\" → Count: %" PRId32 " (letter '%c')\n", input.text, count, LETTER);
        puts("  Graph and plain C agree.");
        puts("");
        agrees = compare(graph, &input, &error);
    }
    if (!agrees) {
        fprintf(stderr, "%s\n", error.status != DOCKET_OK ? error.message : "graph and plain C disagree");
    }
    docket_graph_free(graph);
    return agrees ? EXIT_SUCCESS : EXIT_FAILURE;
}
