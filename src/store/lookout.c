#include "store/lookout.h"

#include "base/memory.h"

#include <signal.h>

enum { LONGEST_MS = 1000, PAUSE_NS = 10 * 1000 * 1000 };

typedef struct view {
    docket_key *keys;
    bool *maybe_free;
    size_t capacity, count;
} view;

/* Takes a copy of what is away; waits if nothing is. False: the end. */
static bool look(docket__lookout *watch, view *seen)
{
    docket__claims *claims = watch->claims;
    pthread_mutex_lock(&claims->lock);
    while (claims->away_count == 0 && !watch->stopping) {
        pthread_cond_wait(&claims->changed, &claims->lock);
    }
    bool stopping = watch->stopping;
    seen->count = docket__claims_list_away(claims, seen->keys, seen->capacity);
    pthread_mutex_unlock(&claims->lock);
    return !stopping;
}

/* Without memory for all, those that fit are waited for. */
static void make_room(view *seen)
{
    if (seen->count <= seen->capacity) {
        return;
    }
    size_t capacity = seen->count + seen->count / 2 + 16;
    docket_key *keys = docket__resize(seen->keys, capacity * sizeof *keys);
    seen->keys = keys != NULL ? keys : seen->keys;
    bool *maybe_free = docket__resize(seen->maybe_free, capacity * sizeof *maybe_free);
    seen->maybe_free = maybe_free != NULL ? maybe_free : seen->maybe_free;
    seen->capacity = keys != NULL && maybe_free != NULL ? capacity : seen->capacity;
}

static void retry_all(docket__lookout *watch, const view *seen, size_t count)
{
    docket__claims *claims = watch->claims;
    docket_error ignored = DOCKET_ERROR_INIT;
    docket_status status =
        claims->backend->await(claims->self, seen->keys, count, seen->maybe_free, LONGEST_MS, &ignored);
    for (size_t i = 0; i < count; i++) {
        if (status != DOCKET_OK || seen->maybe_free[i]) {
            docket__claims_retry(claims, &seen->keys[i]);
        }
    }
    if (status != DOCKET_OK) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
}

static void *run(void *arg)
{
    docket__lookout *watch = arg;
    view seen = {0};
    while (look(watch, &seen)) {
        make_room(&seen);
        size_t count = seen.count < seen.capacity ? seen.count : seen.capacity;
        pthread_mutex_lock(&watch->claims->lock);
        docket__claims_list_away(watch->claims, seen.keys, count);
        pthread_mutex_unlock(&watch->claims->lock);
        retry_all(watch, &seen, count);
    }
    docket__free(seen.keys);
    docket__free(seen.maybe_free);
    pthread_mutex_lock(&watch->claims->lock);
    void (*last_act)(docket_store * store) = watch->last_act;
    pthread_mutex_unlock(&watch->claims->lock);
    if (last_act != NULL) {
        pthread_detach(pthread_self());
        last_act(watch->store);
    }
    return NULL;
}

bool docket__lookout_start(docket__lookout *watch)
{
    pthread_mutex_lock(&watch->claims->lock);
    if (!watch->started && !watch->stopping) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        watch->started = pthread_create(&watch->thread, NULL, run, watch) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    bool started = watch->started;
    pthread_mutex_unlock(&watch->claims->lock);
    return started;
}

static bool begin_stop(docket__lookout *watch, void (*last_act)(docket_store *store))
{
    pthread_mutex_lock(&watch->claims->lock);
    bool started = watch->started;
    watch->stopping = true;
    watch->last_act = last_act;
    pthread_cond_broadcast(&watch->claims->changed);
    pthread_mutex_unlock(&watch->claims->lock);
    if (started) {
        watch->claims->backend->interrupt(watch->claims->self);
    }
    return started;
}

void docket__lookout_stop(docket__lookout *watch)
{
    if (begin_stop(watch, NULL)) {
        pthread_join(watch->thread, NULL);
    }
}

bool docket__lookout_is_watcher(docket__lookout *watch)
{
    pthread_mutex_lock(&watch->claims->lock);
    bool is_watcher = watch->started && pthread_equal(watch->thread, pthread_self());
    pthread_mutex_unlock(&watch->claims->lock);
    return is_watcher;
}

void docket__lookout_stop_later(docket__lookout *watch, void (*last_act)(docket_store *store))
{
    begin_stop(watch, last_act);
}
