/* Executions from the outside: run, begin, end, cancel, stop; and what a result tells. */
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "engine/begin.h"
#include "engine/items.h"
#include "engine/prefetch.h"
#include <docket/execute.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* The execution whose done callback runs on this thread: it may end itself. */
static _Thread_local const docket_execution *announcing;

/* The end for the caller. */

static docket_status find_absent(docket_execution *execution, docket_error *error)
{
    const docket__plan *plan = execution->plan;
    for (uint32_t i = 0; i < plan->output_count; i++) {
        if (plan->output_slots[i] >= plan->once_slots) {
            continue; /* each item has a state of its own */
        }
        const docket__slot *slot = &execution->row.slots[plan->output_slots[i]];
        if (slot->state == DOCKET_VALUE_ABSENT || slot->state == DOCKET_VALUE_FAILED) {
            const char *type = execution->graph->types[plan->outputs[i]].type->name;
            docket__error_set(error, DOCKET_ABSENT, "%s", slot->reason == NULL ? "" : slot->reason);
            docket__error_set_type(error, type);
            docket__error_set_execution(error, docket__execution_id(execution));
            return DOCKET_ABSENT;
        }
    }
    docket__error_clear(error);
    return DOCKET_OK;
}

static docket_status conclude(docket_execution *execution, docket_error *error)
{
    pthread_mutex_lock(&execution->lock);
    docket_status status = execution->error.status;
    if (status != DOCKET_OK) {
        docket__error_copy(error, &execution->error);
    }
    pthread_mutex_unlock(&execution->lock);
    status = status == DOCKET_OK ? docket__items_error(execution, error) : status;
    return status != DOCKET_OK ? status : find_absent(execution, error);
}

static void report_start(docket_execution *execution)
{
    if (docket__observed(execution)) {
        execution->started_ns = docket__clock_monotonic_ns();
        docket_event event = {.kind = DOCKET_EVENT_EXECUTION_START};
        docket__event_emit(execution, NULL, &event);
    }
}

static void report_end(docket_execution *execution)
{
    if (docket__observed(execution)) {
        docket_error error = DOCKET_ERROR_INIT;
        docket_status status = conclude(execution, &error);
        docket_event event = {
            .kind = DOCKET_EVENT_EXECUTION_END,
            .status = status,
            .error = status == DOCKET_OK ? NULL : &error,
            .duration_ns = docket__clock_monotonic_ns() - execution->started_ns,
        };
        docket__event_emit(execution, NULL, &event);
    }
}

/* Hands the caller's reference over as a result, or drops it. */
static void hand_over(docket_execution *execution, docket_result **result)
{
    if (execution->parent != NULL) {
        docket__execution_part_parent(execution);
    }
    if (result != NULL) {
        *result = &execution->result;
    } else {
        docket_result_free(&execution->result);
    }
}

/* The beginning. */

static void on_deadline(docket__timer *timer)
{
    docket_execution *execution = (docket_execution *)((char *)timer - offsetof(docket_execution, deadline));
    docket__schedule_time_out(execution);
    docket__execution_unref(execution);
}

static docket_status enter_graph(docket_execution *execution, docket_error *error)
{
    docket_graph *graph = execution->graph;
    pthread_mutex_lock(&graph->activity_lock);
    bool stopped = graph->stopped;
    if (!stopped) {
        execution->active_next = graph->active;
        if (graph->active != NULL) {
            graph->active->active_previous = execution;
        }
        graph->active = execution;
    }
    pthread_mutex_unlock(&graph->activity_lock);
    return stopped
               ? docket__error_set(error, DOCKET_STATE, "graph \"%s\" was stopped (docket_graph_stop)", graph->name)
               : DOCKET_OK;
}

static void stop_if_parent_stops(docket_execution *execution)
{
    if (execution->parent == NULL || !docket_cancelled(execution->parent)) {
        return;
    }
    if (docket__clock_monotonic_ms() >= execution->deadline_ms) {
        docket__schedule_time_out(execution);
    } else {
        docket_error error;
        docket__error_set(&error, DOCKET_CANCELLED, "the step that began this execution was cancelled");
        docket__schedule_stop(execution, &error, true);
    }
}

static docket_status start(docket_execution *execution, docket_error *error)
{
    docket_status status = enter_graph(execution, error);
    if (status != DOCKET_OK) {
        docket__execution_discard(execution);
        return status;
    }
    docket__execution_find_stores(execution);
    report_start(execution); /* before anybody can end it */
    if (execution->parent != NULL) {
        docket__execution_join_siblings(execution);
    }
    if (execution->deadline_ms != INT64_MAX) {
        docket__execution_ref(execution);
        execution->deadline.fire = on_deadline;
        docket__pool_arm(execution->pool, &execution->deadline, execution->deadline_ms);
    }
    if (execution->cancel != NULL) {
        docket__cancel_join(execution->cancel, execution);
    }
    stop_if_parent_stops(execution);
    docket__prefetch_records(execution);
    docket__schedule_run(execution);
    return DOCKET_OK;
}

docket_status docket_execute(docket_graph *graph, const docket_request *request, docket_result **result,
                             docket_error *error)
{
    docket_error own;
    error = error == NULL ? &own : error;
    if (result != NULL) {
        *result = NULL;
    }
    docket_execution *execution = NULL;
    docket_status status = docket__execution_prepare(graph, request, true, &execution, error);
    if (status == DOCKET_OK) {
        status = start(execution, error);
    }
    if (status != DOCKET_OK) {
        return status;
    }
    status = conclude(execution, error);
    report_end(execution);
    hand_over(execution, result);
    return status;
}

static void announce(docket__task *task)
{
    docket_execution *execution = (docket_execution *)((char *)task - offsetof(docket_execution, done_task));
    report_end(execution);
    if (execution->done != NULL) {
        const docket_execution *outer = announcing;
        docket_ctx *outer_ctx =
            docket__ctx_current; /* of a step that waits on this thread: no parent for what `done` begins */
        announcing = execution;
        docket__ctx_current = NULL;
        execution->done(execution->done_arg);
        docket__ctx_current = outer_ctx;
        announcing = outer;
    }
    pthread_mutex_lock(&execution->lock);
    execution->announced = true;
    pthread_cond_broadcast(&execution->changed);
    pthread_mutex_unlock(&execution->lock);
    if (docket__pool_is_manual(execution->pool)) {
        docket__pool_kick(execution->pool);
    }
    docket__execution_unref(execution);
}

docket_status docket_execute_begin(docket_graph *graph, const docket_request *request, void (*done)(void *arg),
                                   void *arg, docket_execution **execution, docket_error *error)
{
    docket_error own;
    error = error == NULL ? &own : error;
    if (execution == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the place for the execution is NULL");
    }
    *execution = NULL;
    docket_execution *made = NULL;
    docket_status status = docket__execution_prepare(graph, request, false, &made, error);
    if (status != DOCKET_OK) {
        return status;
    }
    made->done = done;
    made->done_arg = arg;
    made->done_task.run = announce;
    *execution = made; /* before it starts: `done` may look there */
    status = start(made, error);
    if (status != DOCKET_OK) {
        *execution = NULL;
        return status;
    }
    docket__error_clear(error);
    return DOCKET_OK;
}

/* In a child the threads are gone that would end it, and its locks may be held for ever. */
static docket_status check_same_process(const docket_graph *graph, docket_error *error)
{
    if (graph->fork_generation != docket__fork_generation()) {
        return docket__error_set(error, DOCKET_FORKED, "graph \"%s\" was made before fork; make it in the child",
                                 graph->name);
    }
    return DOCKET_OK;
}

docket_status docket_execution_end(docket_execution *execution, docket_result **result, docket_error *error)
{
    docket_error own;
    error = error == NULL ? &own : error;
    if (result != NULL) {
        *result = NULL;
    }
    if (execution == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the execution is NULL");
    }
    if (check_same_process(execution->graph, error) != DOCKET_OK) {
        return DOCKET_FORKED;
    }
    if (announcing != execution) {
        docket__schedule_wait(execution, &execution->announced);
    }
    docket_status status = conclude(execution, error);
    hand_over(execution, result);
    return status;
}

void docket_execution_cancel(docket_execution *execution)
{
    docket_error error;
    if (execution != NULL && check_same_process(execution->graph, &error) == DOCKET_OK) {
        docket__error_set(&error, DOCKET_CANCELLED, "the execution was cancelled");
        docket__schedule_stop(execution, &error, true);
    }
}

/* Stopping a graph. */

static struct timespec deadline_after(int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    timeout_ms = timeout_ms > DOCKET_DAYS(36500) ? DOCKET_DAYS(36500) : timeout_ms;
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

/* Steps of a pool without threads run inside docket_pool_run: somebody must do that while we wait. */
static void run_manual_pool(docket_graph *graph, int64_t timeout_ms)
{
    docket_pool *pool = graph->options.pool;
    if (pool == NULL || !docket__pool_is_manual(pool)) {
        return;
    }
    int64_t end_ms = timeout_ms < 0 ? INT64_MAX : docket__clock_after_ms(timeout_ms);
    pthread_mutex_lock(&graph->activity_lock);
    while (graph->active != NULL && docket__clock_monotonic_ms() < end_ms) {
        uint64_t kicks = docket__pool_kicks(pool);
        pthread_mutex_unlock(&graph->activity_lock);
        docket__pool_run_one(pool, kicks, end_ms);
        pthread_mutex_lock(&graph->activity_lock);
    }
    pthread_mutex_unlock(&graph->activity_lock);
    /* What came too late to find work still holds its execution, and perhaps nobody runs the pool any more. */
    while (docket__pool_run_one(pool, docket__pool_kicks(pool), INT64_MIN)) {
    }
}

docket_status docket_graph_stop(docket_graph *graph, int64_t timeout_ms, docket_error *error)
{
    if (graph == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "the graph is NULL");
    }
    if (check_same_process(graph, error) != DOCKET_OK) {
        return DOCKET_FORKED;
    }
    struct timespec until = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    pthread_mutex_lock(&graph->activity_lock);
    graph->stopped = true;
    pthread_mutex_unlock(&graph->activity_lock);
    run_manual_pool(graph, timeout_ms);
    pthread_mutex_lock(&graph->activity_lock);
    int waited = 0;
    while (graph->active != NULL && waited != ETIMEDOUT) {
        waited = timeout_ms < 0 ? pthread_cond_wait(&graph->activity_ended, &graph->activity_lock)
                                : pthread_cond_timedwait(&graph->activity_ended, &graph->activity_lock, &until);
    }
    docket_execution *active = graph->active == NULL ? NULL : docket__execution_ref(graph->active);
    if (active == NULL) {
        docket__graph_drop_stores(graph);
    }
    pthread_mutex_unlock(&graph->activity_lock);
    if (active == NULL) {
        docket__error_clear(error);
        return DOCKET_OK;
    }
    docket_status status =
        docket__error_set(error, DOCKET_TIMEOUT, "execution \"%s\" of graph \"%s\" still runs after %lld ms",
                          docket__execution_id(active), graph->name, (long long)timeout_ms);
    docket__error_set_execution(error, docket__execution_id(active));
    docket__execution_unref(active);
    return status;
}

/* Results. */

static const docket__slot *find_slot(const docket_result *result, const docket_type *type)
{
    if (result == NULL || type == NULL) {
        return NULL;
    }
    docket_execution *execution = result->execution;
    docket_error error;
    uint32_t index = docket__graph_find_type(execution->graph, type, &error);
    uint32_t slot = index == UINT32_MAX ? UINT32_MAX : docket__plan_slot_of(execution->plan, index);
    return slot >= execution->plan->once_slots ? NULL : &execution->row.slots[slot];
}

const void *docket_result_value(const docket_result *result, const docket_type *type)
{
    const docket__slot *slot = find_slot(result, type);
    bool has_value = slot != NULL && (slot->state == DOCKET_VALUE_GIVEN || slot->state == DOCKET_VALUE_RAN ||
                                      slot->state == DOCKET_VALUE_RESTORED);
    return has_value ? slot->value : NULL;
}

docket_value_state docket_result_state(const docket_result *result, const docket_type *type)
{
    const docket__slot *slot = find_slot(result, type);
    return slot == NULL ? DOCKET_VALUE_NOT_REACHED : (docket_value_state)slot->state;
}

const char *docket_result_reason(const docket_result *result, const docket_type *type)
{
    const docket__slot *slot = find_slot(result, type);
    return slot == NULL || slot->reason == NULL ? "" : slot->reason;
}

const char *docket_result_execution_id(const docket_result *result)
{
    return result == NULL ? "" : docket__execution_id(result->execution);
}

void docket_result_free(docket_result *result)
{
    if (result != NULL) {
        docket_execution *execution = result->execution;
        docket__execution_leave_graph(execution);
        docket__execution_unref(execution);
    }
}
