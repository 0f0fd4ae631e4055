/* The smallest program: one step that turns a name into a greeting. */
#include <docket/docket.h>

#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Name, (STRING, text));
DOCKET_STRUCT(Greeting, (STRING, text));

static docket_status greet(docket_ctx *ctx, Greeting *out, const Name *name)
{
    out->text = docket_printf(ctx, "Hello from %s!", name->text);
    return DOCKET_OK;
}
DOCKET_STEP(greet, Greeting, Name);

int main(void)
{
    docket_error error;
    docket_result *result = NULL;
    docket_graph *graph = docket_graph_new("hello", NULL);
    docket_graph_add(graph, &greet_step, NULL); /* what goes wrong here is told by docket_graph_validate */

    docket_status status = docket_graph_validate(graph, &error);
    if (status == DOCKET_OK) {
        const Name name = {"Docket"};
        const docket_request request = {
            DOCKET_REQUEST_INIT,
            .output = DOCKET_OF(Greeting),
            DOCKET_INPUTS(DOCKET_IN(Name, &name)),
        };
        status = docket_execute(graph, &request, &result, &error);
    }
    if (status == DOCKET_OK) {
        puts(DOCKET_RESULT(result, Greeting)->text);
        puts("See examples/lettercount for a full working example.");
    } else {
        fprintf(stderr, "%s\n", error.message);
    }

    docket_result_free(result);
    docket_graph_free(graph);
    return status == DOCKET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
