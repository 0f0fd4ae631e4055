/** @page docket_observer  Observers: what happens, as it happens.
 *
 * An observer is a callback that gets one docket_event for everything worth knowing about an execution. Register it in
 * the options of a graph; several observers are called in the order given. Without one, events cost nothing.
 *
 * The events of one execution arrive one at a time and in order, from whatever thread caused them. An observer that
 * blocks delays only its own execution. It may call docket, but must not wait for the execution it is told about. A
 * step that outlives its execution is still told of after DOCKET_EVENT_EXECUTION_END.
 */
#ifndef DOCKET_OBSERVER_H
#define DOCKET_OBSERVER_H

#include <docket/status.h>

DOCKET_BEGIN_DECLS

/** What happened. The numbers are frozen. */
typedef enum docket_event_kind {
    DOCKET_EVENT_EXECUTION_START = 1,
    DOCKET_EVENT_EXECUTION_END = 2, /* status, duration_ns, error */
    DOCKET_EVENT_LOOKUP = 3,        /* hit or reason, duration_ns; status and error when the store failed */
    DOCKET_EVENT_STEP_START = 4,    /* an attempt begins */
    DOCKET_EVENT_STEP_END = 5,      /* an attempt ended: status, duration_ns, error */
    DOCKET_EVENT_RETRY = 6,         /* another attempt follows after delay_ms; error of the one before */
    DOCKET_EVENT_COMMIT = 7,        /* a result is durable, or not: status, duration_ns, error */
    DOCKET_EVENT_WAIT = 8,          /* the step waited for another owner of its key: duration_ns */
    DOCKET_EVENT_FALLBACK = 9,      /* a final failure became absence: error */
    DOCKET_EVENT_STRAGGLER = 10,    /* a step did not return in time; or returned late and its result was dropped */
    DOCKET_EVENT_WARNING = 11,      /* reason tells */
    DOCKET_EVENT_PROGRESS = 12,     /* a large file is being read: done_bytes of size_bytes; reason is its path */
    DOCKET_EVENT_IN_DOUBT = 13      /* an effect ended, or was found, without an outcome: status and error tell */
} docket_event_kind;

/** One event. Members that do not apply are 0, NULL or -1.
 *
 * Valid until: the callback returns; copy what you keep. */
typedef struct docket_event {
    size_t struct_size; /* set by docket */
    docket_event_kind kind;
    int32_t attempt;
    uint64_t execution;        /* unique in this process; pairs the events of one execution */
    uint64_t parent_execution; /* of the execution whose step began this one; 0 = none */
    uint64_t span;             /* pairs STEP_START and STEP_END of one attempt; unique in this process */
    const char *graph;
    const char *execution_id;
    const char *step;
    const char *type;
    int64_t item_index;
    bool hit;
    const char *reason; /* of a miss: "never recorded", "expired", … ; of a warning: what is wrong */
    docket_status status;
    const docket_error *error;
    int64_t wall_ms;     /* when, since 1970 */
    int64_t duration_ns; /* how long it took, monotonic */
    int64_t delay_ms;
    size_t size_bytes;   /* of a recorded value, or of a file */
    uint64_t done_bytes; /* of these, so many were read */
} docket_event;

/** An observer. `event` must not be NULL; `arg` is handed to it. */
typedef struct docket_observer {
    void (*event)(void *arg, const docket_event *event);
    void *arg;
} docket_observer;

/** The kind's name in lower case, as "step_start". Never NULL.
 *
 * Valid until: for ever.
 * Threads: any. */
DOCKET_API const char *docket_event_name(docket_event_kind kind);

DOCKET_END_DECLS

#endif
