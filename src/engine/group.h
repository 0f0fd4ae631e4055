/* What the files of items share: a group, its frames, lanes and turns. See engine/items.h. */
#ifndef DOCKET_ENGINE_GROUP_H
#define DOCKET_ENGINE_GROUP_H

#include "engine/items.h"

enum {
    DOCKET__PAGE = 1024,  /* kept items per page */
    DOCKET__BROKEN = 0x80 /* beside the state of a kept slot */
};

typedef struct docket__lane {
    docket__node node; /* first; without a plan */
    docket__group *group;
    struct docket__lane *next, *next_made;
} docket__lane;

/* How many items are inside one step, and who waits for one to leave. */
typedef struct docket__admission {
    bool counts;
    uint32_t limit, inside;
    docket_ctx *first, **last;
} docket__admission;

/* Pointers to the values of all items that have one, in their order. */
typedef struct docket__values {
    const void **values; /* NULL = not listed yet */
    size_t count;
} docket__values;

struct docket__group {
    docket_execution *execution;
    const docket__plan_group *plan;
    pthread_mutex_t lock;
    pthread_cond_t room; /* for a step that emits */

    /* Where items come from. */
    const docket_item_source *source;
    const docket_type *source_type;
    uint32_t source_slot;
    bool pulling; /* a lane is inside source->next */
    bool holds;   /* items are all there before the first begins: brought, or kept until their step has succeeded */
    uint64_t total;
    bool closed; /* total is final */

    /* The pass. */
    uint32_t first_stage, end_stage;
    uint64_t next;   /* the first item that no lane has taken */
    uint64_t passed; /* items that have left the pass */
    bool listed;     /* the values that are taken when it has ended */
    bool over;       /* the last one has ended */
    bool starved;    /* memory ran out between two passes */
    uint32_t open_stages;
    uint32_t *gates; /* of each stage: nodes that have to end */

    docket__frame *ready, **ready_last;
    docket__frame *gated; /* waiting for their stage to open */
    docket__frame *spare, *made;
    size_t window, in_flight;
    docket__lane *idle_lanes, *made_lanes;
    size_t lanes, most_lanes, few_lanes;
    atomic_bool quick; /* the last items were */

    uint32_t slot_count;
    docket__values *lists; /* of each slot: what steps that take all items take, once all are there */

    docket__item ***pages;
    size_t page_count;
    bool keeps;

    /* Those who take items in their order as they leave. */
    docket__frame **ring; /* of window places; NULL = nobody */
    docket__node **folds; /* that do */
    uint32_t fold_count;
    uint64_t delivered;
    bool delivering;
    void (*item_done)(void *arg, docket_item item);
    void *item_arg;

    /* These outlive the plan: a stop, or a step that has just ended its execution, may come late. */
    uint32_t first_node, node_count;
    docket__admission *admissions; /* of each node */
    bool *broken;                  /* of each slot: an item has failed before it */
    docket_error *error;           /* of the first item that failed, in their order */
};

/* frame.c: what is kept of items, and the frames that carry them. */

/* Where a kept item stands; with group->lock held. False: memory is exhausted. */
docket__item **docket__item_place(const docket__group *group, uint64_t index);
bool docket__item_make_place(docket__group *group, uint64_t index);
/* A new item: nothing is there yet. NULL when memory is exhausted. */
docket__item *docket__item_make(const docket__group *group);
void docket__item_free(docket__item *item);
void *docket__item_value(const docket__group *group, const docket__item *item, uint32_t slot);

static inline bool docket__item_has_value(uint8_t state)
{
    return state == DOCKET_VALUE_GIVEN || state == DOCKET_VALUE_RAN || state == DOCKET_VALUE_RESTORED;
}

/* A new frame, or one that is to spare (with group->lock held). NULL when there is none. */
docket__frame *docket__frame_make(docket__group *group);
docket__frame *docket__frame_take(docket__group *group);
void docket__frame_give(docket__frame *frame); /* with group->lock held */

/* Makes a frame ready for a new item: all its slots are empty, their values zeroed. False: memory is exhausted. */
bool docket__frame_prepare(docket__frame *frame, uint64_t index);
docket_status docket__frame_copy(docket__frame *frame, uint32_t slot, const docket_type *type, const void *value,
                                 docket_error *error);

/* What the frame knows goes into what is kept, and back. */
void docket__frame_pack(docket__frame *frame);
void docket__frame_unpack(docket__frame *frame, docket__item *item);
void docket__frame_drop(docket__frame *frame);

/* lanes.c: who carries items. */

/* A lane to be made ready with docket__lane_send when the lock is free, or NULL: there is no work that no lane will come
 * for. With group->lock held. */
docket__node *docket__lane_call(docket__group *group);
void docket__lane_send(docket__node *called);

/* items.c: the order of events. */
void docket__group_push(docket__group *group, docket__frame *frame); /* these three with group->lock held */
void docket__group_push_first(docket__group *group, docket__frame *frame);
docket__frame *docket__group_pop(docket__group *group);
void docket__group_pass(docket__frame *frame);    /* the item has passed its stage */
void docket__group_advance(docket__group *group); /* goes on as far as what is known allows */
void docket__group_close(docket__group *group);   /* no item comes any more */
void docket__group_begin_pass(docket__group *group, uint32_t stage);
void docket__group_stop_without_memory(docket__group *group);

/* collect.c: lists what the closers of these stages take. Every item is where it is kept, and group->lock is held. False:
 * memory is exhausted. */
bool docket__group_list_values(docket__group *group, uint32_t first_stage, uint32_t end_stage);

/* turns.c */
void docket__turns_set(docket__group *group);

#endif
