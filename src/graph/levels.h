/* The levels of a plan: which of its steps run once, which once per item, and what their items wait for. */
#ifndef DOCKET_GRAPH_LEVELS_H
#define DOCKET_GRAPH_LEVELS_H

#include "graph/graph.h"

/* Steps and slots by their numbers in the walk that found them. */
typedef struct docket__levels {
    /* What the walk found. */
    const docket_graph *graph;
    const uint32_t *steps; /* each after those that feed it */
    uint32_t step_count;
    const docket__plan_slot *slots; /* producers are numbers of steps */
    uint32_t slot_count;
    const uint32_t *slot_of; /* of each type of the graph */
    const bool *brought;     /* of each type: the caller has a value per item */

    /* What follows. */
    uint32_t *slot_group, *step_group; /* or DOCKET__ONCE */
    uint32_t *step_stage;              /* of steps that run per item */
    uint32_t *step_closes;             /* the group whose items the step takes, or DOCKET__ONCE */
    uint32_t *group_source;            /* a step, or DOCKET__NO_STEP: the caller */
    uint32_t *group_stages;            /* how many */
    uint32_t group_count;
    docket__plan_gate *gates; /* one for each pair of a step and a group that it feeds ... */
    uint32_t *gate_steps;     /* ... and the step */
    uint32_t gate_count;
    bool **barriers; /* of each group, of each of its stages */
} docket__levels;

/* Fills in what follows; memory comes from the arena. DOCKET_INVALID: items of two sources meet. */
docket_status docket__levels_find(docket__levels *levels, docket_arena *scratch, docket_error *error);

#endif
