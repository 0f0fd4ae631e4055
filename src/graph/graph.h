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
    _Atomic int64_t rate_due_ns; /* when its rate is used up to; monotonic */
} docket__graph_step;

#define DOCKET__ONCE UINT32_MAX

/* A stage that waits for a node: see docket__plan_stage. */
typedef struct docket__plan_gate {
    uint32_t group;
    uint32_t stage;
} docket__plan_gate;

/* One step of a plan. */
typedef struct docket__plan_node {
    const docket__graph_step *step;
    uint32_t slot; /* of its output */
    uint32_t input_count;
    const uint32_t *inputs;     /* slots, in the order of the step's inputs */
    const uint32_t *dependents; /* nodes of the same level that take its output, each once, in plan order */
    uint32_t dependent_count;
    uint32_t pending; /* how many distinct nodes of its level and stage feed it, and one more if it closes a group: it is
                         ready when they have ended */
    uint32_t group;   /* whose items it runs for, or DOCKET__ONCE */
    uint32_t expands; /* the group that it makes items for, or DOCKET__ONCE */
    uint32_t closes;  /* the group whose items it takes, or DOCKET__ONCE */
    const docket__plan_gate *gates; /* that its end helps to open */
    uint32_t gate_count;
} docket__plan_node;

/* Nodes of a group that an item passes without waiting for anything but each other. The first is there even if it has no
 * nodes. A later one opens when the nodes whose output its own nodes take from the level above have ended. */
typedef struct docket__plan_stage {
    uint32_t first, end;   /* nodes of the plan */
    const uint32_t *roots; /* of these, those that wait for nothing */
    uint32_t root_count;
    uint32_t gate_count;   /* nodes that have to end first, beside those of the stages before */
    bool barrier;          /* one of these takes all items of the group */
    const uint32_t *closers; /* nodes that become ready when all items have passed this stage */
    uint32_t closer_count;
} docket__plan_stage;

/* The items of one expand step, or those that the caller brings. Each item has a row of slots and values. */
typedef struct docket__plan_group {
    uint32_t source; /* the node that expands; DOCKET__NO_STEP: the caller */
    uint32_t first_slot, slot_count;
    uint32_t first_node, node_count;
    docket__plan_stage *stages;
    uint32_t stage_count;
    size_t values_size;      /* of one item's block of values; offsets of its slots begin there */
    size_t values_alignment;
    const uint32_t *folds;   /* nodes that take items one by one as they come: see docket__plan_streams */
    uint32_t fold_count;
    bool keeps_rows;         /* a step needs them after their item has passed the last stage */
} docket__plan_group;

/* One type of a plan: where its value lives in the execution's value block. */
typedef struct docket__plan_slot {
    uint32_t type;     /* type index */
    uint32_t producer; /* node index, or DOCKET__NO_STEP for a leaf or a given value */
    size_t offset;     /* of the value in its level's block; aligned */
} docket__plan_slot;

/* How to get from given types to wanted ones: made once per set of outputs and given types, then shared. Within a level
 * and stage nodes are in depth-first order: dependencies in declared order before their consumer. */
typedef struct docket__plan {
    struct docket__plan *next;
    docket_arena memory;     /* of everything below */
    bool kept;               /* by the graph, as long as it lives; else by who asked: see docket__plan_release */
    uint64_t identity;       /* hash of outputs and overrides; the lists decide */
    const uint32_t *outputs; /* type indices, as asked */
    uint32_t output_count;
    const uint32_t *overrides; /* type indices that a step would make but that are given, ascending */
    uint32_t override_count;
    const uint32_t *items;     /* type indices that the caller brings one value per item of, ascending */
    uint32_t item_count;
    docket__plan_node *nodes; /* those that run once, then group by group, stage by stage */
    uint32_t node_count;
    uint32_t once_nodes;
    docket__plan_slot *slots; /* those that are there once, then group by group */
    uint32_t slot_count;
    uint32_t once_slots;
    docket__plan_group *groups;
    uint32_t group_count;
    const uint32_t *order; /* nodes, dependencies before their consumers, in declared order */
    const uint32_t *output_slots;
    size_t values_size;      /* of the block that holds all values that are there once */
    size_t values_alignment; /* of that block: the strictest of its types, at least 16 */
    const uint32_t *roots;   /* nodes that run once and wait for nothing, in plan order */
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
 * hand. All are type indices. Provided types count as given without being named. DOCKET_INVALID: the items that are
 * brought meet those of an expand step. Give the plan back with docket__plan_release.
 *
 * A frozen graph keeps its first DOCKET__PLANS_KEPT plans and shares them without a lock; a program that goes on asking
 * for ever new sets gets plans of its own, so that neither memory nor the search grows without end. */
enum { DOCKET__PLANS_KEPT = 256 };

typedef struct docket__demand {
    const uint32_t *outputs;
    uint32_t output_count;
    const uint32_t *given; /* of these the types in `items` have one value per item */
    uint32_t given_count;
    const uint32_t *items;
    uint32_t item_count;
} docket__demand;

docket_status docket__graph_plan_for(docket_graph *graph, const docket__demand *demand, const docket__plan **plan,
                                     docket_error *error);

/* Whether a fold takes each item as it comes, so that no item has to be kept: it is not recorded and has one attempt. */
bool docket__plan_streams(const docket__graph_step *step);

/* Gives back what docket__graph_plan_for handed out: frees a plan that the graph does not keep. NULL is accepted. */
void docket__plan_release(const docket__plan *plan);

/* The slot of a type in a plan, or UINT32_MAX. */
uint32_t docket__plan_slot_of(const docket__plan *plan, uint32_t type);

#endif
