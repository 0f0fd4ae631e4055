#include "base/clock.h"
#include "engine/execution.h"

/* Attempts and lookups of a step carry its names; events of the execution have none. */
static void fill_in(docket_execution *execution, const docket_ctx *ctx, docket_event *event)
{
    event->struct_size = sizeof *event;
    event->execution = execution->number;
    event->parent_execution = execution->parent == NULL ? 0 : execution->parent->execution->number;
    event->graph = execution->graph->name;
    event->execution_id = docket__execution_id(execution);
    event->item_index = -1;
    event->wall_ms = docket__clock_wall_ms();
    if (ctx != NULL) {
        event->item_index = ctx->item_index;
        event->span = ctx->span;
        event->step = ctx->step->info.name;
        event->type = ctx->step->info.output->name;
        event->attempt = ctx->attempt;
    }
}

void docket__event_emit(docket_execution *execution, const docket_ctx *ctx, docket_event *event)
{
    fill_in(execution, ctx, event);
    pthread_mutex_lock(&execution->observer_lock);
    for (size_t i = 0; i < execution->graph->options.observer_count; i++) {
        const docket_observer *observer = &execution->graph->observers[i];
        observer->event(observer->arg, event);
    }
    pthread_mutex_unlock(&execution->observer_lock);
}
