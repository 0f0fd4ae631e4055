/* Lanes: they take one item after the other and carry it as far as it goes. */
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/group.h"
#include "type/codec.h"

enum { LARGEST_TURN = 4 /* items that a lane takes at once, if they are quick: the next may be a slow one */ };

static const int64_t quick_ns = 20000; /* an item that takes less is not worth a thread */

/* Lanes; with group->lock held. */

static bool has_more(const docket__group *group)
{
    if (group->source != NULL && group->first_stage == 0) {
        return !group->closed && !group->pulling;
    }
    bool kept = group->holds || group->first_stage > 0;
    return kept && group->closed && group->next < group->total && group->open_stages > group->first_stage;
}

static bool has_work(const docket__group *group)
{
    return group->ready != NULL || (group->in_flight < group->window && group->open_stages > 0 && has_more(group));
}

/* A lane to be made ready, if there is work that no lane will come for; it is counted as under way. */
docket__node *docket__lane_call(docket__group *group)
{
    size_t most = group->quick && group->few_lanes < group->most_lanes ? group->few_lanes : group->most_lanes;
    if (group->lanes >= most || !has_work(group) || atomic_load(&group->execution->stopping)) {
        return NULL;
    }
    docket__lane *idle = group->idle_lanes;
    if (idle != NULL) {
        group->idle_lanes = idle->next;
    } else {
        idle = docket__allocate(sizeof *idle);
        if (idle == NULL) {
            return NULL; /* the lanes that there are do it; the first was made with the group */
        }
        idle->group = group;
        idle->node.execution = group->execution;
        idle->next_made = group->made_lanes;
        group->made_lanes = idle;
        for (uint32_t i = 0; i < group->plan->node_count; i++) {
            const docket_step_options *options =
                &group->execution->plan->nodes[group->plan->first_node + i].step->options;
            idle->node.pool_only = idle->node.pool_only || docket__step_needs_pool(group->execution, options);
        }
    }
    group->lanes++;
    atomic_fetch_add(&group->execution->live, 1);
    return &idle->node;
}

void docket__lane_send(docket__node *called)
{
    if (called != NULL) {
        docket__schedule_ready(called);
    }
}

/* Carrying. */

static bool is_chain(const docket__plan *plan, const docket__plan_stage *stage)
{
    bool chain = stage->root_count <= 1;
    for (uint32_t i = stage->first; i < stage->end && chain; i++) {
        chain = plan->nodes[i].dependent_count <= 1 && plan->nodes[i].pending <= 1;
    }
    return chain;
}

static void run_stage(docket__frame *frame)
{
    docket__group *group = frame->group;
    docket_execution *execution = group->execution;
    const docket__plan_stage *stage = &group->plan->stages[frame->stage];
    if (stage->first == stage->end) {
        docket__group_pass(frame);
        return;
    }
    for (uint32_t i = stage->first; i < stage->end; i++) {
        docket__node *node = &frame->row.nodes[i - group->plan->first_node];
        node->phase = DOCKET__PHASE_START;
        node->broken = false;
        atomic_store_explicit(&node->pending, execution->plan->nodes[i].pending, memory_order_relaxed);
    }
    atomic_store_explicit(&frame->remaining, stage->end - stage->first, memory_order_relaxed);
    frame->solitary = is_chain(execution->plan, stage);
    uint32_t first = stage->roots[0] - group->plan->first_node;
    atomic_fetch_add(&execution->live, stage->root_count);
    for (uint32_t i = 1; i < stage->root_count; i++) {
        docket__schedule_ready(&frame->row.nodes[stage->roots[i] - group->plan->first_node]);
    }
    docket__schedule_chain(&frame->row.nodes[first]);
}

/* Fills the frame with what was kept of the item. */
static void fill(docket__frame *frame, uint64_t index)
{
    docket__group *group = frame->group;
    frame->index = index;
    frame->stage = group->first_stage;
    pthread_mutex_lock(&group->lock);
    docket__item **place = docket__item_place(group, index);
    docket__item *item = *place;
    *place = NULL;
    pthread_mutex_unlock(&group->lock);
    docket__frame_unpack(frame, item);
}

/* Asks the source for the item of a frame. False: there is none, or the execution stops. */
static bool pull(docket__group *group, docket__frame *frame)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_type *type = group->source_type;
    void *value = docket__allocate(type->size);
    docket_status status = value == NULL ? docket__error_no_memory(&error) : DOCKET_OK;
    if (status == DOCKET_OK) {
        const docket_type *base = docket__type_base(type);
        if (base->init != NULL) {
            base->init(base, value);
        }
        status = group->source->next(group->source->arg, value, &error);
    }
    bool ends = status == DOCKET_ABSENT;
    if (status == DOCKET_OK) {
        status = docket__frame_prepare(frame, group->next)
                     ? docket__frame_copy(frame, group->source_slot, type, value, &error)
                     : docket__error_no_memory(&error);
    }
    docket__free(value);
    if (status != DOCKET_OK && !ends) {
        if (error.status != status) {
            docket__error_set(&error, status, "the source of the items of type \"%s\" failed", type->name);
            error.item_index = (int64_t)group->next;
        }
        docket__schedule_stop(group->execution, &error, false);
    }
    return status == DOCKET_OK;
}

/* The next items for a lane, at most `most`; NULL: there are none for now, and the lane rests. With the lock held. */
static docket__frame *take(docket__group *group, size_t most, uint64_t *first, size_t *count)
{
    *count = 0;
    if (group->ready != NULL || !has_work(group)) {
        return docket__group_pop(group);
    }
    size_t room = group->window - group->in_flight;
    most = most < room ? most : room;
    if (group->source != NULL && group->first_stage == 0) {
        most = 1;
        group->pulling = true;
    } else {
        uint64_t left = group->total - group->next;
        most = most < left ? most : (size_t)left;
        *first = group->next;
        group->next += most;
    }
    group->in_flight += most;
    *count = most;
    docket__frame *frames = NULL;
    for (size_t i = 0; i < most && group->spare != NULL; i++) {
        docket__frame *frame = docket__frame_take(group);
        frame->next = frames;
        frames = frame;
    }
    return frames;
}

/* One by one: a frame from the list, or a new one. */
static bool carry_new(docket__group *group, docket__frame *frames, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        docket__frame *frame = frames;
        if (frame != NULL) {
            frames = frame->next;
            frame->next = NULL;
        } else {
            frame = docket__frame_make(group);
        }
        if (frame == NULL) {
            docket__group_stop_without_memory(group);
            return false;
        }
        fill(frame, first + i);
        run_stage(frame);
        if (docket__schedule_stops(group->execution)) {
            return false;
        }
    }
    return true;
}

static void carry_pulled(docket__group *group, docket__frame *frame)
{
    frame = frame != NULL ? frame : docket__frame_make(group);
    bool pulled = frame != NULL && pull(group, frame);
    if (frame == NULL) {
        docket__group_stop_without_memory(group);
    }
    pthread_mutex_lock(&group->lock);
    group->pulling = false;
    if (pulled) {
        frame->stage = 0;
        group->total = ++group->next;
    } else {
        group->in_flight--;
        if (frame != NULL) {
            docket__frame_give(frame);
        }
    }
    docket__node *called = pulled ? docket__lane_call(group) : NULL;
    pthread_mutex_unlock(&group->lock);
    docket__lane_send(called);
    if (pulled) {
        run_stage(frame);
    } else {
        docket__group_close(group);
    }
}

void docket__items_carry(docket__node *node)
{
    docket__lane *self = (docket__lane *)node;
    docket__group *group = self->group;
    docket_execution *execution = group->execution;
    size_t turn = 1;
    for (;;) {
        uint64_t first = 0;
        size_t count = 0;
        bool pulls = false;
        docket__frame *frames = NULL;
        bool stops = docket__schedule_stops(execution);
        pthread_mutex_lock(&group->lock);
        bool works = !stops && has_work(group);
        if (works) {
            frames = take(group, turn, &first, &count);
            pulls = group->pulling && count == 1 && group->source != NULL && group->first_stage == 0;
        } else {
            group->lanes--;
            self->next = group->idle_lanes;
            group->idle_lanes = self;
        }
        docket__node *called = works && !pulls ? docket__lane_call(group) : NULL;
        pthread_mutex_unlock(&group->lock);
        if (!works) {
            break;
        }
        docket__lane_send(called);
        int64_t begun_ns = docket__clock_monotonic_ns();
        if (pulls) {
            carry_pulled(group, frames);
        } else if (count > 0) {
            carry_new(group, frames, first, count);
        } else {
            run_stage(frames);
        }
        size_t done = count > 0 ? count : 1;
        group->quick = docket__clock_monotonic_ns() - begun_ns < quick_ns * (int64_t)done;
        turn = !group->quick ? 1 : turn < LARGEST_TURN ? 2 * turn : turn;
    }
    docket__schedule_live(execution, -1);
}
