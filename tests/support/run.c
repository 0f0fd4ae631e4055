#include "support/run.h"

#include "support/check.h"

outcome run(docket_graph *graph, const docket_request *request)
{
    outcome made = {.error = DOCKET_ERROR_INIT};
    made.status = docket_execute(graph, request, &made.result, &made.error);
    return made;
}

outcome run_letters(docket_graph *graph, const char *execution_id, const char *text)
{
    IS in = {.value = text};
    return run(graph, &(docket_request){
                          DOCKET_REQUEST_INIT,
                          .execution_id = execution_id,
                          .output = DOCKET_OF(LC),
                          .inputs = &DOCKET_IN(IS, &in),
                          .input_count = text != NULL,
                      });
}

void outcome_free(outcome *of)
{
    docket_result_free(of->result);
    of->result = NULL;
}

docket_status run_for_status(docket_graph *graph, const docket_request *request)
{
    outcome of = run(graph, request);
    outcome_free(&of);
    return of.status;
}

int letters_count(docket_graph *graph, const char *execution_id, const char *text)
{
    outcome of = run_letters(graph, execution_id, text);
    int count = of.status == DOCKET_OK ? DOCKET_RESULT(of.result, LC)->count : -1;
    outcome_free(&of);
    return count;
}

docket_graph *graph_of(const docket_graph_options *options, const docket_step_options *step_options,
                       const docket_step *const *steps)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_graph *graph = docket_graph_new("test", options);
    assert_non_null(graph);
    assert_status(DOCKET_OK, docket_graph_add_all(graph, step_options, steps));
    docket_status status = docket_graph_validate(graph, &error);
    assert_string_equal(error.message, "");
    assert_status(DOCKET_OK, status);
    return graph;
}

docket_graph *graph_of_one(const docket_graph_options *options, const docket_step *step,
                           const docket_step_options *step_options)
{
    return graph_of(options, step_options, (const docket_step *const[]){step, NULL});
}

static void *call(void *arg)
{
    caller *self = arg;
    self->outcome = run(self->graph, self->request);
    gate_arrive(&self->returned);
    return NULL;
}

void caller_start(caller *self, docket_graph *graph, const docket_request *request)
{
    *self = (caller){.graph = graph, .request = request, .returned = GATE_INIT(1)};
    assert_int_equal(pthread_create(&self->thread, NULL, call, self), 0);
}

outcome *caller_join(caller *self)
{
    assert_true(gate_wait(&self->returned));
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    return &self->outcome;
}
