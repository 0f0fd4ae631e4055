/* An observer that keeps what it is told, as structures and as text. */
#ifndef DOCKET_TESTS_RECORDER_H
#define DOCKET_TESTS_RECORDER_H

#include <docket/docket.h>
#include <pthread.h>

typedef struct seen_event {
    docket_event_kind kind;
    int32_t attempt;
    uint64_t execution, parent_execution, span;
    char graph[40], execution_id[80], step[80], type[80];
    bool hit;
    char reason[200];
    docket_status status;
    bool has_error;
    int32_t code;      /* of the error */
    char message[200]; /* of the error */
    int64_t wall_ms, duration_ns, delay_ms;
    size_t size_bytes;
    uint64_t done_bytes;
} seen_event;

typedef struct recorder {
    pthread_mutex_t lock;
    seen_event *events;
    size_t count, capacity;
} recorder;

#define RECORDER_INIT                     \
    {                                     \
        .lock = PTHREAD_MUTEX_INITIALIZER \
    }

docket_observer recorder_observer(recorder *self);
void recorder_free(recorder *self);

/* The number of events of a kind, and the one with this index among them; NULL if there is none. Only while no
 * other thread records. */
size_t recorder_count(recorder *self, docket_event_kind kind);
const seen_event *recorder_get(recorder *self, docket_event_kind kind, size_t index);

/* One line per event: its kind, its step and attempt if it has them, then "hit", or why not, or its status:
 *
 *     execution_start
 *     lookup count_letters 0 never recorded
 *     step_start count_letters 1
 *     step_end count_letters 1 FAILED
 *     commit count_letters 2 OK
 *     execution_end OK */
const char *recorder_text(recorder *self, char *text, size_t capacity);

#define assert_events(recorded, expected)                                                            \
    do {                                                                                             \
        char events_text[4096];                                                                      \
        assert_string_equal(recorder_text((recorded), events_text, sizeof events_text), (expected)); \
    } while (0)

#endif
