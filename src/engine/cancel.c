/* Cancel tokens: a flag and the executions that carry it. cancel->lock is taken before an execution's lock. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/execution.h"

struct docket_cancel {
    atomic_uint references;
    atomic_bool set;
    pthread_mutex_t lock;
    docket_execution *executions;
};

docket_cancel *docket_cancel_new(void)
{
    docket_cancel *cancel = docket__allocate(sizeof *cancel);
    if (cancel != NULL) {
        atomic_store(&cancel->references, 1);
        pthread_mutex_init(&cancel->lock, NULL);
    }
    return cancel;
}

docket_cancel *docket__cancel_ref(docket_cancel *cancel)
{
    atomic_fetch_add(&cancel->references, 1);
    return cancel;
}

void docket_cancel_free(docket_cancel *cancel)
{
    if (cancel != NULL && atomic_fetch_sub(&cancel->references, 1) == 1) {
        pthread_mutex_destroy(&cancel->lock);
        docket__free(cancel);
    }
}

bool docket_cancel_is_set(const docket_cancel *cancel)
{
    return cancel != NULL && atomic_load(&cancel->set);
}

static void stop(docket_execution *execution)
{
    docket_error error;
    docket__error_set(&error, DOCKET_CANCELLED, "the execution's cancel token was set");
    docket__schedule_stop(execution, &error, true);
}

static docket_execution *next_running(docket_cancel *cancel)
{
    pthread_mutex_lock(&cancel->lock);
    docket_execution *execution = cancel->executions;
    while (execution != NULL && atomic_load(&execution->ended)) {
        execution = execution->cancel_next;
    }
    if (execution != NULL) {
        docket__execution_ref(execution);
    }
    pthread_mutex_unlock(&cancel->lock);
    return execution;
}

void docket_cancel_set(docket_cancel *cancel)
{
    if (cancel == NULL || atomic_exchange(&cancel->set, true)) {
        return;
    }
    for (docket_execution *execution; (execution = next_running(cancel)) != NULL;) {
        stop(execution);
        docket__execution_unref(execution);
    }
}

void docket__cancel_join(docket_cancel *cancel, docket_execution *execution)
{
    pthread_mutex_lock(&cancel->lock);
    execution->cancel_previous = NULL;
    execution->cancel_next = cancel->executions;
    if (cancel->executions != NULL) {
        cancel->executions->cancel_previous = execution;
    }
    cancel->executions = execution;
    pthread_mutex_unlock(&cancel->lock);
    if (docket_cancel_is_set(cancel)) {
        stop(execution);
    }
}

void docket__cancel_part(docket_cancel *cancel, docket_execution *execution)
{
    pthread_mutex_lock(&cancel->lock);
    if (execution->cancel_previous != NULL) {
        execution->cancel_previous->cancel_next = execution->cancel_next;
    } else {
        cancel->executions = execution->cancel_next;
    }
    if (execution->cancel_next != NULL) {
        execution->cancel_next->cancel_previous = execution->cancel_previous;
    }
    pthread_mutex_unlock(&cancel->lock);
}
