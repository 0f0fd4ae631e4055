/* Meeting points for threads: what proves that things happen at once, or in an order, without looking at a
 * clock. No wait is longer than GATE_LIMIT_MS, so that a test which would hang fails instead. */
#ifndef DOCKET_TESTS_GATE_H
#define DOCKET_TESTS_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { GATE_LIMIT_MS = 30000 };

/* Opens when so many have arrived, and stays open. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int parties, arrived;
} gate;

#define GATE_INIT(n)                                                \
    {                                                               \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, (n), 0 \
    }

/* Arrives, without waiting. */
void gate_arrive(gate *at);

/* Waits until the gate is open. False: it did not open in time. */
bool gate_wait(gate *at);
bool gate_wait_ms(gate *at, int limit_ms);

/* Arrives and waits. */
bool gate_meet(gate *at);

bool gate_is_open(gate *at);

/* How many have arrived so far. */
int gate_arrived(gate *at);

/* Entries into a function: how many so far, how many now, and the most there ever were at once. */
typedef struct entries {
    atomic_int runs, inside, most;
} entries;

/* The number of this entry, from 1. */
int entries_enter(entries *to);
void entries_leave(entries *to);

/* Waits until `*flag` is true. False: it did not become so in time. */
bool eventually(atomic_bool *flag);

void pause_ms(int duration_ms);

#endif
