#include "support/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(char *text, size_t capacity, const char *from)
{
    size_t size = from == NULL ? 0 : strnlen(from, capacity - 1);
    memcpy(text, size > 0 ? from : "", size);
    text[size] = '\0';
}

static seen_event take(const docket_event *event)
{
    seen_event seen = {
        .kind = event->kind,
        .attempt = event->attempt,
        .execution = event->execution,
        .parent_execution = event->parent_execution,
        .span = event->span,
        .hit = event->hit,
        .status = event->status,
        .has_error = event->error != NULL,
        .code = event->error != NULL ? event->error->code : 0,
        .wall_ms = event->wall_ms,
        .duration_ns = event->duration_ns,
        .delay_ms = event->delay_ms,
        .size_bytes = event->size_bytes,
        .done_bytes = event->done_bytes,
    };
    keep(seen.graph, sizeof seen.graph, event->graph);
    keep(seen.execution_id, sizeof seen.execution_id, event->execution_id);
    keep(seen.step, sizeof seen.step, event->step);
    keep(seen.type, sizeof seen.type, event->type);
    keep(seen.reason, sizeof seen.reason, event->reason);
    keep(seen.message, sizeof seen.message, event->error != NULL ? event->error->message : NULL);
    return seen;
}

static void record(void *arg, const docket_event *event)
{
    recorder *self = arg;
    pthread_mutex_lock(&self->lock);
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : 64;
        self->events = realloc(self->events, self->capacity * sizeof *self->events);
        if (self->events == NULL) {
            abort();
        }
    }
    self->events[self->count++] = take(event);
    pthread_mutex_unlock(&self->lock);
}

docket_observer recorder_observer(recorder *self)
{
    return (docket_observer){record, self};
}

void recorder_free(recorder *self)
{
    free(self->events);
    *self = (recorder)RECORDER_INIT;
}

const seen_event *recorder_get(recorder *self, docket_event_kind kind, size_t index)
{
    const seen_event *found = NULL;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->count && found == NULL; i++) {
        if (self->events[i].kind == kind && index-- == 0) {
            found = &self->events[i];
        }
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

size_t recorder_count(recorder *self, docket_event_kind kind)
{
    size_t count = 0;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->count; i++) {
        count += self->events[i].kind == kind;
    }
    pthread_mutex_unlock(&self->lock);
    return count;
}

static int write_line(const seen_event *event, char *line, size_t capacity)
{
    char subject[100] = "";
    const char *status = docket_status_name(event->status) + strlen("DOCKET_");
    const char *outcome = status;
    if (event->step[0] != '\0') {
        snprintf(subject, sizeof subject, " %s %d", event->step, (int)event->attempt);
    }
    if (event->kind == DOCKET_EVENT_LOOKUP && event->status == DOCKET_OK) {
        outcome = event->hit ? "hit" : event->reason;
    }
    bool begins = event->kind == DOCKET_EVENT_EXECUTION_START || event->kind == DOCKET_EVENT_STEP_START ||
                  event->kind == DOCKET_EVENT_WAIT;
    return snprintf(line, capacity, "%s%s%s%s\n", docket_event_name(event->kind), subject, begins ? "" : " ",
                    begins ? "" : outcome);
}

const char *recorder_text(recorder *self, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = '\0';
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->count && used < capacity; i++) {
        used += (size_t)write_line(&self->events[i], text + used, capacity - used);
    }
    pthread_mutex_unlock(&self->lock);
    return text;
}
