/* What the files of this room share while a graph is built. */
#ifndef DOCKET_GRAPH_BUILD_H
#define DOCKET_GRAPH_BUILD_H

#include "graph/graph.h"

/* Where a step stands in a depth-first walk: `next` is the input to look at next. */
typedef struct docket__graph_frame {
    uint32_t step;
    uint32_t next;
} docket__graph_frame;

/* DOCKET_OK while the graph can still be changed, else DOCKET_INVALID (NULL), DOCKET_FORKED or DOCKET_STATE. */
docket_status docket__graph_check_open(const docket_graph *graph);

/* Where an error of new, add or provide goes: the first one is kept, the others are dropped (NULL). */
docket_error *docket__graph_error(docket_graph *graph);

/* Room for one more element of `size` bytes; *capacity doubles. */
docket_status docket__graph_grow(void **elements, uint32_t count, uint32_t *capacity, size_t size,
                                 docket_error *error);

/* Finds or adds a type. Adding is undone by docket__graph_forget_types with the earlier type_count. */
docket_status docket__graph_mention(docket_graph *graph, const docket_type *type, uint32_t *index,
                                    docket_error *error);
void docket__graph_forget_types(docket_graph *graph, uint32_t count);
void docket__graph_release_type(docket__graph_type *type);

/* Checks options and fills in their defaults. */
docket_status docket__graph_resolve(const docket_graph_options *given, docket_graph_options *options,
                                    docket_error *error);
docket_status docket__graph_resolve_step(const docket_graph *graph, const docket_step_options *given,
                                         docket_step_options *options, docket_error *error);

/* effect.c: whether an effect step's options go together, and their defaults. */
docket_status docket__graph_resolve_effect(const docket_step *step, docket_step_options *options, docket_error *error);

/* Tells observers of effect steps that may see other inputs when they are asked again. */
void docket__graph_warn_effects(const docket_graph *graph);

/* Lists the leaves anew if types or steps came since. */
void docket__graph_list_leaves(docket_graph *graph);

void docket__plan_free(docket__plan *plan);

#endif
