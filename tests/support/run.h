/* Executions in tests: a graph in one call, an execution and all that came of it in one structure, callers on
 * threads of their own. */
#ifndef DOCKET_TESTS_RUN_H
#define DOCKET_TESTS_RUN_H

#include "support/gate.h"
#include "support/letters.h"

/* What an execution came to. Free it with outcome_free. */
typedef struct outcome {
    docket_status status;
    docket_result *result;
    docket_error error;
} outcome;

outcome run(docket_graph *graph, const docket_request *request);

/* Asks for an LC and gives an IS of this text (none for NULL). */
outcome run_letters(docket_graph *graph, const char *execution_id, const char *text);

void outcome_free(outcome *of);

/* The status, and nothing else of it. */
docket_status run_for_status(docket_graph *graph, const docket_request *request);

/* The count of an LC that an execution of `execution_id` with this text makes; -1 if it fails. */
int letters_count(docket_graph *graph, const char *execution_id, const char *text);

/* A validated graph with the steps of a NULL-terminated list, all with the same options. Asserts. */
docket_graph *graph_of(const docket_graph_options *options, const docket_step_options *step_options,
                       const docket_step *const *steps);

/* The same with one step. */
docket_graph *graph_of_one(const docket_graph_options *options, const docket_step *step,
                           const docket_step_options *step_options);

/* A graph whose execution goes on in a thread of its own. The request must outlive the call. */
typedef struct caller {
    pthread_t thread;
    docket_graph *graph;
    const docket_request *request;
    gate returned;
    outcome outcome;
} caller;

void caller_start(caller *self, docket_graph *graph, const docket_request *request);

/* Waits for it. The outcome is the caller's. Asserts that it comes back at all. */
outcome *caller_join(caller *self);

#endif
