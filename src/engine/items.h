/* Items: the groups of an execution whose steps run once per item.
 *
 * An item on its way stands in a frame: its row of slots and the nodes of its steps. At most `window` frames are under
 * way. What is kept of an item afterwards is small: its values, where they are, their states and the memory that they
 * point to.
 *
 * Items pass the stages of their group (see docket__plan_stage) in passes. A pass takes items from where they come from,
 * or at a barrier from what was kept of them, and carries each as far as the next barrier or the end. Who carries them are
 * lanes: things in the execution's lists of ready nodes that take one item after the other. An item that waits for
 * something does not hold its lane up.
 *
 * Locks: group->lock guards the group; it nests inside execution->lock, and inside it nothing but a pool's and memory's
 * locks. No callback and no step runs under it. */
#ifndef DOCKET_ENGINE_ITEMS_H
#define DOCKET_ENGINE_ITEMS_H

#include "engine/execution.h"
#include <docket/items.h>

/* What is kept of an item. The values follow, in the alignment of their group. */
typedef struct docket__item {
    docket__arena_link *chunks, *adopted; /* of the memory that the values point to */
    docket_error *error;                  /* the first, or NULL */
    const char **reasons;                 /* of each slot, or NULL if there is none */
    uint8_t *values;
    uint8_t states[]; /* of each slot */
} docket__item;

typedef struct docket__frame docket__frame;
struct docket__frame {
    docket__row row; /* first */
    docket__group *group;
    docket__item *item;
    uint64_t index;
    uint32_t stage;
    atomic_uint remaining; /* nodes of the stage that have not ended */
    bool solitary;         /* one node of the stage at a time: a chain */
    docket_ctx *spare;     /* for the next node of a solitary stage */
    docket_error *error;
    docket__frame *next;   /* in a list */
    docket__frame *next_made;
};

/* Makes the groups of an execution's plan. False when memory is exhausted. */
bool docket__groups_new(docket_execution *execution, const docket_request *request);
void docket__groups_free(docket_execution *execution);

/* Takes what the caller brings for a slot. DOCKET_INVALID: other items of the group have another count. */
docket_status docket__group_bring(docket_execution *execution, uint32_t slot, const docket_input *input,
                                  docket_error *error);

/* The execution starts. Counts in `live` what this makes ready. */
void docket__groups_start(docket_execution *execution);

/* The execution stops: nobody waits for room or for a turn any more. */
void docket__groups_stop(docket_execution *execution);

/* A node of an item's row has ended; its slot is written. */
void docket__items_pass(docket__node *node);

/* A node that is there once has ended: it was the source of a group, or a gate. `broken`: an item it depends on failed. */
void docket__items_end(docket__node *node, bool broken);

/* Runs a lane. */
void docket__items_carry(docket__node *lane);

/* Takes what an expand step emits; forgets what a failed attempt of it emitted. */
docket_status docket__items_emit(docket__node *node, const void *value, docket_error *error);
void docket__items_forget(docket__node *node);

/* Whether the node may enter its step now; if not it will be made ready when another has left. */
bool docket__items_admit(docket__node *node);
void docket__items_leave(docket__group *group, uint32_t node);

/* The frame of a node that runs per item, else NULL. */
static inline docket__frame *docket__frame_of(const docket__node *node)
{
    return node->plan->group == DOCKET__ONCE ? NULL : (docket__frame *)node->row;
}

/* Keeps an item's failure if failures are collected. False: it stops the execution. */
bool docket__items_collect(docket__node *node, const docket_error *error);

/* The output of an item's node will never be there. */
void docket__items_break(docket__node *node);

/* Whether that has happened to some item. */
bool docket__items_are_broken(docket_execution *execution, uint32_t group, uint32_t slot);

/* Pointers to all values of a slot, in the order of the items, for a node that closes the group; the list is the group's. */
const void **docket__items_gather(docket_execution *execution, uint32_t group, uint32_t slot, size_t *count);

/* The first error of an item, in their order: DOCKET_OK if there is none. */
docket_status docket__items_error(docket_execution *execution, docket_error *error);

#endif
