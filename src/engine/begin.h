/* From a request to an execution. */
#ifndef DOCKET_ENGINE_BEGIN_H
#define DOCKET_ENGINE_BEGIN_H

#include "engine/execution.h"

/* Checks a request, finds its plan, copies its inputs and makes the execution, not yet started. On failure the
 * execution never began. */
DOCKET_MUST_CHECK docket_status docket__execution_prepare(docket_graph *graph, const docket_request *request,
                                                          bool blocking, docket_execution **execution,
                                                          docket_error *error);

/* execution.c. The plan is the execution's from here on. NULL when memory is exhausted; the plan is not released. */
docket_execution *docket__execution_new(docket_graph *graph, const docket__plan *plan, bool blocking, bool limited);

/* Frees an execution that will not be started. */
void docket__execution_discard(docket_execution *execution);

/* parent id "/" step name, or its shortened form. NULL when memory is exhausted; free with docket__free. */
char *docket__execution_derive_id(const docket_ctx *parent);

/* Looks which stores its recorded steps use, when docket_graph_stop cannot take them away any more. */
void docket__execution_find_stores(docket_execution *execution);

/* Holds on to the attempt that begins it. */
void docket__execution_join_parent(docket_execution *execution, docket_ctx *parent);

/* Becomes known to that attempt, so that its end reaches down, which it may at once; and is forgotten again. */
void docket__execution_join_siblings(docket_execution *execution);
void docket__execution_part_parent(docket_execution *execution);

#endif
