/* Graphs inside the library: what was registered, what follows from it, and the plans made from it.
 *
 * Until docket_graph_validate succeeds one thread builds the graph; afterwards everything here is constant but the
 * list of plans (append-only, published by an atomic store under `plans_lock`) and the members at the end, which
 * belong to the engine. Indices join types and steps, so that arrays may grow while a graph is built; the steps
 * themselves never move.
 *
 * graph.c makes and frees graphs; types.c, options.c and add.c take in what is registered; validate.c freezes; plan.c
 * plans; introspect.c and picture.c show. What they share is in build.h. */
#ifndef DOCKET_GRAPH_GRAPH_H
#define DOCKET_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/map.h"
#include <docket/graph.h>
#include <pthread.h>
#include <stdatomic.h>

#define DOCKET__NO_STEP UINT32_MAX

/* A type of the graph: equal names are one node. What planning looks at stands first, here and in steps. */
typedef struct docket__graph_type {
    const docket_type *type; /* the descriptor that was mentioned first */
    const void *provided; /* by docket_graph_provide, or NULL; cuts every plan here even if a step makes the type */
    uint32_t producer;    /* index of the step that makes it, or DOCKET__NO_STEP */
    bool resource;
    bool needs_seal;     /* see docket__type_seal */
    bool has_files;      /* its values may hold files: see docket__type_find_files */
    docket_bytes schema; /* its description for stores, if a recorded step makes it; else empty */
    uint8_t fingerprint[32];
} docket__graph_type;

/* A step of the graph. Names are copies that live as long as the graph. */
typedef struct docket__graph_step {
    const uint32_t *inputs; /* type indices */
    uint32_t input_count;
    uint32_t output; /* type index */
    const docket_step *step;
    docket_step_info info;
    /* With defaults filled in: attempts ≥ 1, backoff complete, store and grace resolved. The step holds a reference to
     * the store. */
    docket_step_options options;
} docket__graph_step;

/* One step of a plan. */
typedef struct docket__plan_node {
    const docket__graph_step *step;
    uint32_t slot; /* of its output */
    uint32_t input_count;
    const uint32_t *inputs;     /* slots, in the order of the step's inputs */
    const uint32_t *dependents; /* nodes that take its output, each once, in plan order */
    uint32_t dependent_count;
    uint32_t pending; /* how many distinct nodes feed it: it is ready when they have ended */
} docket__plan_node;

/* One type of a plan: where its value lives in the execution's value block. */
typedef struct docket__plan_slot {
    uint32_t type;     /* type index */
    uint32_t producer; /* node index, or DOCKET__NO_STEP for a leaf or a given value */
    size_t offset;     /* of the value; aligned */
} docket__plan_slot;

/* How to get from given types to wanted ones: made once per set of outputs and given types, then shared. Nodes are in
 * depth-first order: dependencies in declared order before their consumer. */
typedef struct docket__plan {
    struct docket__plan *next;
    docket_arena memory;     /* of everything below */
    bool kept;               /* by the graph, as long as it lives; else by who asked: see docket__plan_release */
    uint64_t identity;       /* hash of outputs and overrides; the lists decide */
    const uint32_t *outputs; /* type indices, as asked */
    uint32_t output_count;
    const uint32_t *overrides; /* type indices that a step would make but that are given, ascending */
    uint32_t override_count;
    docket__plan_node *nodes;
    uint32_t node_count;
    docket__plan_slot *slots;
    uint32_t slot_count;
    const uint32_t *output_slots;
    size_t values_size;      /* of the block that holds all values of the plan */
    size_t values_alignment; /* of that block: the strictest of its types, at least 16 */
    const uint32_t *roots;   /* nodes with pending == 0, in plan order */
    uint32_t root_count;
    uint32_t recorded_count;      /* nodes whose step is recorded */
    bool has_workflow;            /* one of them in WORKFLOW scope */
    const uint32_t *slot_of_type; /* sparse pairs sorted by type: see docket__plan_slot_of */
} docket__plan;

struct docket_graph {
    atomic_uint references;
    atomic_uint store_users; /* the program's handle, and executions under way */
    uint64_t fork_generation;
    char *name;
    char *key_namespace;
    docket_graph_options options; /* with copies; grace_ms resolved */
    docket_observer *observers;
    docket_arena memory; /* names, steps, input lists, observers, provided values */

    docket__graph_type *types;
    uint32_t type_count, type_capacity;
    docket__map type_by_name;
    docket__graph_step **steps;
    uint32_t step_count, step_capacity;
    docket__map step_by_name;

    docket_error first_error; /* of new, add and provide; status DOCKET_OK if none */
    atomic_bool frozen;
    uint32_t *leaves; /* type indices in order of first mention; room for all types */
    uint32_t leaf_count;
    bool leaves_stale; /* types or steps came since they were listed; never in a frozen graph */

    pthread_mutex_t plans_lock;
    _Atomic(docket__plan *) plans;
    uint32_t plan_count;

    /* The engine's: executions whose steps may still run, and whether docket_graph_stop refuses new ones. */
    pthread_mutex_t activity_lock;
    pthread_cond_t activity_ended;   /* waits by CLOCK_MONOTONIC */
    struct docket_execution *active; /* the first of a list */
    bool stopped;
};

docket_graph *docket__graph_ref(docket_graph *graph);
void docket__graph_unref(docket_graph *graph);

/* An execution begins to use the steps' stores, and needs them no more. When the program has freed its handle as well,
 * the stores go; what is kept of results goes on holding the graph alone. */
void docket__graph_use_stores(docket_graph *graph);
void docket__graph_leave_stores(docket_graph *graph);

/* Gives back the references to stores, for good: the graph was stopped and no step of it runs or will run. */
void docket__graph_drop_stores(docket_graph *graph);

/* The graph's type of that name, or UINT32_MAX: then the error's status is DOCKET_OK if the graph does not know the
 * name, DOCKET_TYPE if it knows it with another layout, DOCKET_INVALID if the descriptor is no good. Descriptors are
 * compared member by member, without a digest. */
uint32_t docket__graph_find_type(const docket_graph *graph, const docket_type *type, docket_error *error);

/* Finds or makes the plan for these outputs when values of `given` types (sorted or not, producers or leaves) are at
 * hand. `outputs` are type indices. Provided types count as given without being named. Give the plan back with
 * docket__plan_release.
 *
 * A frozen graph keeps its first DOCKET__PLANS_KEPT plans and shares them without a lock; a program that goes on asking
 * for ever new sets gets plans of its own, so that neither memory nor the search grows without end. */
enum { DOCKET__PLANS_KEPT = 256 };

docket_status docket__graph_plan_for(docket_graph *graph, const uint32_t *outputs, uint32_t output_count,
                                     const uint32_t *given, uint32_t given_count, const docket__plan **plan,
                                     docket_error *error);

/* Gives back what docket__graph_plan_for handed out: frees a plan that the graph does not keep. NULL is accepted. */
void docket__plan_release(const docket__plan *plan);

/* The slot of a type in a plan, or UINT32_MAX. */
uint32_t docket__plan_slot_of(const docket__plan *plan, uint32_t type);

#endif
