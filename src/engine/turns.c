/* Turns: how many items may be inside one step. Who has to wait stands in a list, without a thread. */
#include "engine/group.h"
#include <unistd.h>

bool docket__items_admit(docket__node *node)
{
    docket__frame *frame = docket__frame_of(node);
    docket__group *group = frame->group;
    docket__admission *at = &group->admissions[node - frame->row.nodes];
    if (!at->counts) {
        return true;
    }
    pthread_mutex_lock(&group->lock);
    bool admitted = at->inside < at->limit;
    at->inside += admitted;
    pthread_mutex_unlock(&group->lock);
    if (admitted) {
        return true;
    }
    docket_ctx *ctx = node->ctx;
    if (!docket__schedule_park(ctx, DOCKET__PARKED_FOR_TURN)) {
        docket__schedule_ready(node); /* it will see that the execution stops */
        return false;
    }
    pthread_mutex_lock(&group->lock);
    admitted = at->inside < at->limit;
    at->inside += admitted;
    if (!admitted) {
        ctx->turn_next = NULL;
        *at->last = ctx;
        at->last = &ctx->turn_next;
        ctx->queued = true;
    }
    pthread_mutex_unlock(&group->lock);
    if (admitted) {
        docket__schedule_unpark(ctx);
        return true;
    }
    if (atomic_load(&group->execution->stopping)) {
        docket__groups_stop(group->execution);
    }
    return false;
}

static docket_ctx *pop_waiting(docket__admission *at)
{
    docket_ctx *ctx = at->first;
    if (ctx != NULL) {
        at->first = ctx->turn_next;
        at->last = at->first == NULL ? &at->first : at->last;
        ctx->queued = false;
    }
    return ctx;
}

void docket__items_leave(docket__group *group, uint32_t node)
{
    docket__admission *at = &group->admissions[node - group->first_node];
    if (!at->counts) {
        return;
    }
    pthread_mutex_lock(&group->lock);
    at->inside--;
    docket_ctx *next = pop_waiting(at);
    pthread_mutex_unlock(&group->lock);
    if (next != NULL) {
        docket__schedule_resume(next->node);
    }
}

void docket__groups_stop(docket_execution *execution)
{
    for (uint32_t g = 0; g < execution->group_count; g++) {
        docket__group *group = &execution->groups[g];
        for (uint32_t i = 0; i < group->node_count; i++) {
            docket_ctx *ctx;
            do {
                pthread_mutex_lock(&group->lock);
                ctx = pop_waiting(&group->admissions[i]);
                pthread_mutex_unlock(&group->lock);
                if (ctx != NULL) {
                    docket__schedule_resume(ctx->node);
                }
            } while (ctx != NULL);
        }
        pthread_mutex_lock(&group->lock);
        pthread_cond_broadcast(&group->room);
        pthread_mutex_unlock(&group->lock);
    }
}

static bool counts_turns(const docket__group *group, const docket__plan_node *node)
{
    const docket_step_info *info = &node->step->info;
    bool may_wait = info->scope != DOCKET_SCOPE_NONE || info->max_attempts > 1;
    int most = node->step->options.max_concurrency;
    return most > 0 && (may_wait || (size_t)most < group->most_lanes);
}

void docket__turns_set(docket__group *group)
{
    const docket__plan *plan = group->execution->plan;
    group->most_lanes = 1;
    for (uint32_t i = 0; i < group->plan->node_count; i++) {
        int most = plan->nodes[group->plan->first_node + i].step->options.max_concurrency;
        size_t lanes = most < 0 || (size_t)most > group->window ? group->window : (size_t)most;
        group->most_lanes = lanes > group->most_lanes ? lanes : group->most_lanes;
    }
    for (uint32_t i = 0; i < group->plan->node_count; i++) {
        const docket__plan_node *node = &plan->nodes[group->plan->first_node + i];
        int most = node->step->options.max_concurrency;
        docket__admission *at = &group->admissions[i];
        at->counts = counts_turns(group, node);
        at->limit = most < 0 ? UINT32_MAX : (uint32_t)most;
        at->last = &at->first;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    group->few_lanes = processors > 0 ? (size_t)processors : 1;
}
