#include "base/clock.h"
#include "base/error.h"
#include "engine/items.h"

static void list_push(docket__node_list *list, docket__node *node)
{
    node->next = NULL;
    *list->last = node;
    list->last = &node->next;
}

static bool list_remove(docket__node_list *list, const docket__node *node)
{
    docket__node **link = &list->first;
    while (*link != NULL && *link != node) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return false;
    }
    *link = node->next;
    if (*link == NULL) {
        list->last = link;
    }
    return true;
}

static docket__node *list_pop(docket__node_list *list)
{
    docket__node *node = list->first;
    if (node != NULL) {
        list->first = node->next;
        list->last = list->first == NULL ? &list->first : list->last;
    }
    return node;
}

/* Running. */

/* How many frames of this thread run nodes or errands: above 0 it is inside a step, an observer or a `done`. */
static _Thread_local unsigned depth;

void docket__schedule_chain(docket__node *node)
{
    depth++;
    while (node != NULL) {
        docket__node *next = NULL;
        docket__node_run(node, &next);
        node = next;
    }
    depth--;
}

static docket__node *take_any(docket_execution *execution)
{
    docket__node *node = list_pop(&execution->pool_ready);
    return node != NULL ? node : list_pop(&execution->ready);
}

static docket__task *take_errand(docket_execution *execution)
{
    docket__task *errand = execution->errands;
    if (errand != NULL) {
        execution->errands = errand->next;
    }
    return errand;
}

/* Runs something of the execution; its lock is held. False: there is nothing. */
static bool run_something(docket_execution *execution)
{
    docket__task *errand = take_errand(execution);
    docket__node *node = errand == NULL ? take_any(execution) : NULL;
    if (errand == NULL && node == NULL) {
        return false;
    }
    pthread_mutex_unlock(&execution->lock);
    if (errand != NULL) {
        depth++;
        errand->run(errand);
        depth--;
    } else {
        docket__schedule_chain(node);
    }
    pthread_mutex_lock(&execution->lock);
    return true;
}

/* Tokens. */

static void run_all(docket_execution *execution)
{
    docket_ctx *outer =
        docket__ctx_current; /* of a step that waits on this thread and has nothing to do with this */
    docket__ctx_current = NULL;
    bool counts = outer == NULL && docket__pool_of_thread() == execution->pool;
    execution->inside += counts;
    while (run_something(execution)) {
    }
    execution->inside -= counts;
    bool strayed = counts && execution->strays > 0;
    execution->strays -= strayed;
    pthread_mutex_unlock(&execution->lock);
    if (strayed) {
        docket__pool_lend_end(execution->pool);
    }
    docket__ctx_current = outer;
    docket__execution_unref(execution);
}

static void run_token(docket__task *task)
{
    docket__node *node = (docket__node *)task;
    docket_execution *execution = node->execution;
    pthread_mutex_lock(&execution->lock);
    node->token_queued = false;
    run_all(execution);
}

static void run_errand_token(docket__task *task)
{
    docket_execution *execution = (docket_execution *)((char *)task - offsetof(docket_execution, errand_token));
    pthread_mutex_lock(&execution->lock);
    execution->errand_token_queued = false;
    run_all(execution);
}

void docket__schedule_ready(docket__node *node)
{
    docket_execution *execution = node->execution;
    bool manual = docket__pool_is_manual(execution->pool);
    atomic_store(&execution->shared, true);
    pthread_mutex_lock(&execution->lock);
    list_push(node->pool_only ? &execution->pool_ready : &execution->ready, node);
    bool for_caller = !node->pool_only && execution->blocking && !execution->ended;
    bool taken = for_caller && (execution->caller_waits || manual);
    if (taken && execution->caller_waits) {
        execution->caller_waits = false;
        pthread_cond_signal(&execution->changed);
    }
    bool submit = !taken && !node->token_queued;
    if (submit) {
        node->token_queued = true;
        docket__execution_ref(execution);
    }
    if (manual) {
        docket__pool_kick(execution->pool); /* under the lock: once it is free the caller may end the execution */
    }
    pthread_mutex_unlock(&execution->lock);
    if (submit) {
        node->token.run = run_token;
        docket__pool_submit(execution->pool, &node->token);
    }
}

/* On a pool without threads errands stand in their execution's own list, where who waits for it finds them. */
void docket__schedule_errand(docket_execution *execution, docket__task *errand)
{
    if (!docket__pool_is_manual(execution->pool)) {
        docket__pool_submit(execution->pool, errand);
        return;
    }
    pthread_mutex_lock(&execution->lock);
    docket__task **last = &execution->errands;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    errand->next = NULL;
    *last = errand;
    bool submit = !execution->errand_token_queued;
    if (submit) {
        execution->errand_token_queued = true;
        docket__execution_ref(execution);
    }
    docket__pool_kick(execution->pool);
    pthread_mutex_unlock(&execution->lock);
    if (submit) {
        execution->errand_token.run = run_errand_token;
        docket__pool_submit(execution->pool, &execution->errand_token);
    }
}

/* The end. */

static void leave_activity(docket_execution *execution)
{
    docket_graph *graph = execution->graph;
    pthread_mutex_lock(&graph->activity_lock);
    if (execution->active_previous != NULL) {
        execution->active_previous->active_next = execution->active_next;
    } else {
        graph->active = execution->active_next;
    }
    if (execution->active_next != NULL) {
        execution->active_next->active_previous = execution->active_previous;
    }
    if (graph->active == NULL) {
        pthread_cond_broadcast(&graph->activity_ended);
    }
    pthread_mutex_unlock(&graph->activity_lock);
}

/* Lets the caller go; execution->lock is held. True: announce it when the lock is free. Unless all work is done, threads
 * of the pool that are still inside a step do not count against its size from now on until they come back; one of them
 * may do so before the pool has been told. */
static bool end_for_caller(docket_execution *execution)
{
    if (execution->ended) {
        return false;
    }
    execution->ended = true;
    execution->strays = execution->lending = atomic_load(&execution->live) > 0 ? execution->inside : 0;
    pthread_cond_broadcast(&execution->changed);
    return true;
}

static void announce_end(docket_execution *execution)
{
    for (; execution->lending > 0; execution->lending--) {
        docket__pool_lend_begin(execution->pool);
    }
    if (!execution->blocking) {
        docket__execution_ref(execution);
        docket__schedule_errand(execution, &execution->done_task);
    } else if (docket__pool_is_manual(execution->pool)) {
        docket__pool_kick(execution->pool);
    }
}

static void end_now(docket_execution *execution)
{
    pthread_mutex_lock(&execution->lock);
    bool announce = end_for_caller(execution);
    pthread_mutex_unlock(&execution->lock);
    if (announce) {
        announce_end(execution);
    }
}

static void disarm(docket_execution *execution, docket__timer *timer)
{
    if (docket__pool_disarm(execution->pool, timer)) {
        docket__execution_unref(execution);
    }
}

/* The caller is let go last, so that it can free the graph and close its store for good when its call has returned. */
static void finish(docket_execution *execution)
{
    if (execution->deadline_ms != INT64_MAX) {
        disarm(execution, &execution->deadline);
    }
    if (atomic_load(&execution->stopping)) {
        disarm(execution, &execution->grace);
    }
    if (execution->cancel != NULL) {
        docket__cancel_part(execution->cancel, execution);
    }
    leave_activity(execution);
    docket__graph_leave_stores(execution->graph);
    docket__execution_leave_graph(execution);
    end_now(execution);
    docket__execution_unref(execution);
}

/* Nothing else will give the deferred commits company. */
static void flush(docket_execution *execution)
{
    if (!execution->several_stores) {
        docket__store_flush(execution->recording_store);
    }
}

void docket__schedule_live(docket_execution *execution, int change)
{
    /* Before this thread lets go. If others change the counts meanwhile the store's own patience ends the wait. */
    if (execution->has_deferred &&
        atomic_load(&execution->live) + (size_t)change == atomic_load(&execution->commits)) {
        flush(execution);
    }
    if (atomic_fetch_add(&execution->live, (size_t)change) + (size_t)change == 0) {
        finish(execution);
    }
}

/* Publishes what became of an output and moves its memory to where the result keeps it. Tells whether other threads take
 * part. */
static bool publish(docket__node *node, docket_value_state state, const char *reason)
{
    docket_execution *execution = node->execution;
    docket__slot *slot = docket__node_slot(node, node->plan->slot);
    const docket__frame *frame = docket__frame_of(node);
    bool shared = frame != NULL ? !frame->solitary : atomic_load(&execution->shared);
    if (shared) {
        pthread_mutex_lock(&execution->lock);
    }
    if (node->ctx != NULL) {
        docket__arena_absorb(&node->row->memory, &node->ctx->memory);
    }
    if (slot != &execution->nowhere && (frame != NULL || !execution->ended)) {
        slot->state = (uint8_t)state;
        slot->reason = reason;
    }
    if (shared) {
        pthread_mutex_unlock(&execution->lock);
    }
    docket__ctx_detach(node);
    return shared;
}

/* True: this was the last that the node waited for. A solitary execution needs no locked instruction for it. */
static bool satisfy(docket__node *node, bool shared)
{
    if (shared) {
        return atomic_fetch_sub_explicit(&node->pending, 1, memory_order_acq_rel) == 1;
    }
    unsigned pending = atomic_load_explicit(&node->pending, memory_order_relaxed) - 1;
    atomic_store_explicit(&node->pending, pending, memory_order_relaxed);
    return pending == 0;
}

bool docket__schedule_satisfy(docket__node *node)
{
    return satisfy(node, true);
}

void docket__schedule_mark(docket__node *node, docket_value_state state)
{
    docket_execution *execution = node->execution;
    docket__slot *slot = docket__node_slot(node, node->plan->slot);
    if (slot == &execution->nowhere) {
        return;
    }
    if (docket__frame_of(node) != NULL || !atomic_load_explicit(&execution->shared, memory_order_relaxed)) {
        slot->state = (uint8_t)state;
        return;
    }
    pthread_mutex_lock(&execution->lock);
    if (!execution->ended) {
        slot->state = (uint8_t)state;
    }
    pthread_mutex_unlock(&execution->lock);
}

/* Tells the items' side: their stage, and what comes from the level above. */
static void tell_groups(docket__node *node)
{
    if (node->plan->group != DOCKET__ONCE) {
        docket__items_pass(node);
    } else if (node->plan->gate_count > 0 || node->plan->expands != DOCKET__ONCE) {
        docket__items_end(node, node->broken);
    }
}

void docket__schedule_end(docket__node *node, docket_value_state state, const char *reason, docket__node **next)
{
    docket_execution *execution = node->execution;
    const docket__plan_node *plan = node->plan;
    bool on_pool = node->pool_only;
    bool shared = publish(node, state, reason);
    docket__node_list made = {NULL, &made.first};
    size_t count = 0;
    for (uint32_t i = 0; i < plan->dependent_count; i++) {
        docket__node *dependent = &node->row->nodes[plan->dependents[i] - node->row->first_node];
        if (satisfy(dependent, shared)) {
            list_push(&made, dependent);
            count++;
        }
    }
    if (count == 0) {
        tell_groups(node);
        docket__schedule_live(execution, -1);
        return;
    }
    tell_groups(node);
    if (count > 1) {
        atomic_fetch_add(&execution->live, count - 1);
    }
    for (docket__node *dependent = list_pop(&made); dependent != NULL; dependent = list_pop(&made)) {
        if (*next == NULL && (on_pool || !dependent->pool_only)) {
            *next = dependent;
        } else {
            docket__schedule_ready(dependent);
        }
    }
}

void docket__schedule_drop(docket__node *node, docket_value_state state, const char *reason)
{
    publish(node, state, reason);
    docket__schedule_live(node->execution, -1);
}

/* Parking. */

static void unlink_parked(docket_ctx *ctx)
{
    if (ctx->parking == DOCKET__PARKED_NOT) {
        return;
    }
    if (ctx->parked_previous != NULL) {
        ctx->parked_previous->parked_next = ctx->parked_next;
    } else {
        ctx->execution->parked = ctx->parked_next;
    }
    if (ctx->parked_next != NULL) {
        ctx->parked_next->parked_previous = ctx->parked_previous;
    }
    ctx->parking = DOCKET__PARKED_NOT;
}

bool docket__schedule_park(docket_ctx *ctx, docket__parking parking)
{
    docket_execution *execution = ctx->execution;
    if (parking == DOCKET__PARKED_FOR_COMMITS) {
        flush(execution);
    }
    pthread_mutex_lock(&execution->lock);
    bool pointless =
        atomic_load(&execution->stopping) || (parking == DOCKET__PARKED_FOR_COMMITS && execution->commits == 0);
    if (!pointless) {
        ctx->parking = parking;
        ctx->parked_previous = NULL;
        ctx->parked_next = execution->parked;
        if (execution->parked != NULL) {
            execution->parked->parked_previous = ctx;
        }
        execution->parked = ctx;
    }
    pthread_mutex_unlock(&execution->lock);
    return !pointless;
}

void docket__schedule_unpark(docket_ctx *ctx)
{
    pthread_mutex_lock(&ctx->execution->lock);
    unlink_parked(ctx);
    pthread_mutex_unlock(&ctx->execution->lock);
}

void docket__schedule_resume(docket__node *node)
{
    if (node->ctx != NULL) {
        docket__schedule_unpark(node->ctx);
    }
    docket__schedule_ready(node);
}

/* Takes one parked node that fits out of the list; its context is referenced. */
static docket_ctx *take_parked(docket_execution *execution, bool only_for_commits, docket__parking *parking)
{
    pthread_mutex_lock(&execution->lock);
    docket_ctx *ctx = execution->parked;
    while (ctx != NULL && only_for_commits && ctx->parking != DOCKET__PARKED_FOR_COMMITS) {
        ctx = ctx->parked_next;
    }
    if (ctx != NULL) {
        *parking = ctx->parking;
        unlink_parked(ctx);
        docket__ctx_ref(ctx);
    }
    pthread_mutex_unlock(&execution->lock);
    return ctx;
}

/* Whether this thread won the node: nobody else will resume it. */
static bool pull(docket_ctx *ctx, docket__parking parking)
{
    switch (parking) {
    case DOCKET__PARKED_FOR_CLAIM:
        return docket__claim_forsake(docket__store_claims(ctx->step->options.store), &ctx->waiter);
    case DOCKET__PARKED_FOR_DELAY:
        return docket__pool_disarm(ctx->execution->pool, &ctx->timer);
    case DOCKET__PARKED_FOR_TURN:
        return false; /* docket__groups_stop sends them on */
    default:
        return parking == DOCKET__PARKED_FOR_COMMITS;
    }
}

static void resume_parked(docket_execution *execution, bool only_for_commits)
{
    docket__parking parking;
    for (docket_ctx *ctx; (ctx = take_parked(execution, only_for_commits, &parking)) != NULL;) {
        if (pull(ctx, parking)) {
            docket__schedule_ready(ctx->node);
        }
        docket__ctx_unref(ctx);
    }
}

void docket__schedule_commit_begin(docket_execution *execution)
{
    atomic_fetch_add(&execution->live, 1);
    atomic_fetch_add(&execution->commits, 1);
}

void docket__schedule_commit_end(docket_execution *execution)
{
    pthread_mutex_lock(&execution->lock);
    bool last = atomic_fetch_sub(&execution->commits, 1) == 1;
    pthread_mutex_unlock(&execution->lock);
    if (last) {
        resume_parked(execution, true);
    }
    docket__schedule_live(execution, -1);
}

/* Stopping. */

static docket_execution *next_child(docket_execution *execution, const docket_ctx *of)
{
    pthread_mutex_lock(&execution->lock);
    docket_execution *child = execution->children;
    while (child != NULL && ((of != NULL && child->parent != of) || atomic_load(&child->ended))) {
        child = child->sibling_next;
    }
    if (child != NULL) {
        docket__execution_ref(child);
    }
    pthread_mutex_unlock(&execution->lock);
    return child;
}

static void stop_children(docket_execution *execution, const docket_ctx *of, const docket_error *error)
{
    docket_status status = error->status == DOCKET_TIMEOUT ? DOCKET_TIMEOUT : DOCKET_CANCELLED;
    for (docket_execution *child; (child = next_child(execution, of)) != NULL;) {
        docket_error passed;
        docket__error_set(&passed, status, "%s",
                          status == DOCKET_TIMEOUT
                              ? "the time limit of the step that began this execution has passed"
                              : "the step that began this execution was cancelled");
        docket__schedule_stop(child, &passed, true);
        docket__execution_unref(child);
    }
}

void docket__schedule_stop_children(docket_ctx *ctx, const docket_error *error)
{
    stop_children(ctx->execution, ctx, error);
}

static void on_grace(docket__timer *timer)
{
    docket_execution *execution = (docket_execution *)((char *)timer - offsetof(docket_execution, grace));
    end_now(execution);
    docket__execution_unref(execution);
}

static void set_first_error(docket_execution *execution, const docket_error *error)
{
    execution->error = *error;
    if (execution->error.execution_id[0] == '\0') {
        docket__error_set_execution(&execution->error, docket__execution_id(execution));
    }
}

void docket__schedule_stop(docket_execution *execution, const docket_error *error, bool at_once)
{
    pthread_mutex_lock(&execution->lock);
    bool first = !atomic_exchange(&execution->stopping, true);
    if (first && !execution->ended) {
        set_first_error(execution, error);
    }
    bool announce = false;
    if (at_once) {
        announce = end_for_caller(execution);
    } else if (first && !execution->ended) {
        docket__execution_ref(execution);
        execution->grace.fire = on_grace;
        docket__pool_arm(execution->pool, &execution->grace,
                         docket__clock_after_ms(execution->graph->options.grace_ms));
    }
    for (docket_ctx *ctx = execution->watched; ctx != NULL; ctx = ctx->watch_next) {
        docket__ctx_signal(ctx);
    }
    pthread_cond_broadcast(&execution->stirred);
    pthread_mutex_unlock(&execution->lock);
    if (announce) {
        announce_end(execution);
    }
    if (first) {
        docket__groups_stop(execution);
        resume_parked(execution, false);
        stop_children(execution, NULL, error);
    }
}

void docket__schedule_time_out(docket_execution *execution)
{
    docket_error error;
    docket__error_set(&error, DOCKET_TIMEOUT, "the execution's time limit of %lld ms has passed",
                      (long long)execution->limit_ms);
    docket__schedule_stop(execution, &error, true);
}

bool docket__schedule_stops(docket_execution *execution)
{
    if (execution->deadline_ms != INT64_MAX && !atomic_load(&execution->stopping) &&
        docket__clock_monotonic_ms() >= execution->deadline_ms) {
        docket__schedule_time_out(execution);
    }
    return atomic_load_explicit(&execution->stopping, memory_order_relaxed);
}

/* Waiting. */

/* Work on the claim that a node waits for. */
typedef struct owners_work {
    const docket_execution *waiting;
    docket__node *node;
    docket__task *errand;
    bool contended;
} owners_work;

/* With the waiting execution's lock and the claims' lock: the owner's may only be tried. Whoever holds it may wait for
 * these. */
static void find_owners_work(void *arg, const docket__holder *holder)
{
    owners_work *found = arg;
    docket_ctx *owner = (docket_ctx *)((char *)(uintptr_t)holder - offsetof(docket_ctx, holder));
    docket_execution *execution = owner->execution;
    if (execution == found->waiting) {
        return;
    }
    if (pthread_mutex_trylock(&execution->lock) != 0) {
        found->contended = true;
        return;
    }
    docket__node *node = owner->node;
    if (list_remove(&execution->pool_ready, node) || list_remove(&execution->ready, node)) {
        found->node = node;
    }
    for (docket__task **link = &execution->errands; found->node == NULL && *link != NULL; link = &(*link)->next) {
        if (*link == &owner->report) {
            found->errand = *link;
            *link = (*link)->next;
            break;
        }
    }
    pthread_mutex_unlock(&execution->lock);
}

/* Runs the owner of a key that a node of the execution waits for, if it is ready; execution->lock is held. */
static bool run_owner(docket_execution *execution)
{
    owners_work found = {.waiting = execution};
    for (docket_ctx *ctx = execution->parked; ctx != NULL && found.node == NULL && found.errand == NULL;
         ctx = ctx->parked_next) {
        if (ctx->parking == DOCKET__PARKED_FOR_CLAIM) {
            docket__claim_show_owner(docket__store_claims(ctx->step->options.store), &ctx->waiter, find_owners_work,
                                     &found);
        }
    }
    pthread_mutex_unlock(&execution->lock);
    if (found.node != NULL) {
        docket__node *next = NULL;
        depth++;
        docket__node_run(found.node, &next);
        depth--;
        if (next != NULL) {
            docket__schedule_ready(next);
        }
    } else if (found.errand != NULL) {
        depth++;
        found.errand->run(found.errand);
        depth--;
    }
    pthread_mutex_lock(&execution->lock);
    return found.node != NULL || found.errand != NULL || found.contended;
}

/* A step, an observer or a `done` waits on a pool without threads: what it runs meanwhile stands on top of its own stack,
 * and what is below can only go on when that has returned. So it runs nothing but its own execution and the owners of
 * the keys that this waits for: then whoever waits for something below is part of a cycle, and that is refused. */
static void help_itself(docket_execution *execution)
{
    docket_pool *pool = execution->pool;
    uint64_t kicks = docket__pool_kicks(pool);
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = NULL;
    if (!run_something(execution) && !run_owner(execution)) {
        pthread_mutex_unlock(&execution->lock);
        docket__pool_run_timer(pool, kicks, INT64_MAX);
        pthread_mutex_lock(&execution->lock);
    }
    docket__ctx_current = outer;
}

bool docket__schedule_help(docket_execution *execution)
{
    docket_ctx *outer = docket__ctx_current;
    docket__ctx_current = NULL;
    pthread_mutex_lock(&execution->lock);
    bool manual = docket__pool_is_manual(execution->pool);
    bool helped = manual || run_something(execution);
    if (manual) {
        help_itself(execution);
    }
    pthread_mutex_unlock(&execution->lock);
    docket__ctx_current = outer;
    return helped;
}

/* Waits on behalf of the caller; execution->lock is held. */
static void wait_for_change(docket_execution *execution)
{
    docket_pool *pool = execution->pool;
    if (docket__pool_is_manual(pool)) {
        if (depth > 0) {
            help_itself(execution);
            return;
        }
        uint64_t kicks = docket__pool_kicks(pool);
        pthread_mutex_unlock(&execution->lock);
        docket__pool_run_one(pool, kicks, INT64_MAX);
        pthread_mutex_lock(&execution->lock);
        return;
    }
    docket_pool *lender = docket__pool_of_thread(); /* perhaps another one */
    if (lender != NULL) {
        docket__pool_lend_begin(lender);
    }
    execution->caller_waits = true;
    pthread_cond_wait(&execution->changed, &execution->lock);
    execution->caller_waits = false;
    if (lender != NULL) {
        docket__pool_lend_end(lender);
    }
}

void docket__schedule_wait(docket_execution *execution, const bool *flag)
{
    pthread_mutex_lock(&execution->lock);
    while (!*flag) {
        wait_for_change(execution);
    }
    pthread_mutex_unlock(&execution->lock);
}

/* The next node for the caller's thread, or NULL at the end. What stands in the list at the end is still taken: it was
 * left to the caller. */
static docket__node *wait_for_node(docket_execution *execution)
{
    pthread_mutex_lock(&execution->lock);
    docket__node *node;
    while ((node = list_pop(&execution->ready)) == NULL && !execution->ended) {
        wait_for_change(execution);
    }
    pthread_mutex_unlock(&execution->lock);
    return node;
}

void docket__schedule_run(docket_execution *execution)
{
    const docket__plan *plan = execution->plan;
    const uint32_t root_count = plan->root_count;
    const bool blocking = execution->blocking;
    docket__node *mine = NULL;
    bool has_groups = execution->group_count > 0;
    if (has_groups) {
        atomic_fetch_add(&execution->live, 1);
        docket__groups_start(execution);
    }
    if (root_count == 0 && !has_groups) {
        finish(execution);
    }
    for (uint32_t i = 0; i < root_count; i++) {
        docket__node *node = &execution->row.nodes[plan->roots[i]];
        if (mine == NULL && blocking && !node->pool_only) {
            mine = node;
        } else {
            docket__schedule_ready(node);
        }
    }
    if (has_groups) {
        docket__schedule_live(execution, -1);
    }
    if (!blocking) {
        return; /* `done` may have ended and freed the execution by now */
    }
    while (mine != NULL || (mine = wait_for_node(execution)) != NULL) {
        docket__schedule_chain(mine);
        mine = NULL;
    }
}
