#include "store/claim.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/lookout.h"
#include <string.h>

typedef struct docket__claim docket__claim;
struct docket__claim {
    docket__claim *next;         /* in its bucket */
    const docket__holder *owner; /* NULL = it is away */
    docket_key key;
    docket_lease lease;
    docket__waiter *first, **last;
    docket__claim *next_away, **link_away; /* link_away is NULL unless it stands in the list */
    bool asked;                            /* a thread is inside the backend for it */
};

enum { FIRST_BUCKETS = 64 };

/* The waits of the whole process: an execution may wait in one store while it holds a key of another. */
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;
static docket__waiter *waits;

static bool same_key(const docket_key *a, const docket_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Keys are digests: any of their bytes are well spread. */
static size_t bucket_of(const docket__claims *claims, const docket_key *key)
{
    uint64_t word;
    memcpy(&word, key->bytes, sizeof word);
    return (size_t)word & (claims->bucket_count - 1);
}

static docket__claim **find(const docket__claims *claims, const docket_key *key)
{
    docket__claim **link = &claims->buckets[bucket_of(claims, key)];
    while (*link != NULL && !same_key(&(*link)->key, key)) {
        link = &(*link)->next;
    }
    return link;
}

docket_status docket__claims_init(docket__claims *claims, const docket_backend *backend, void *self)
{
    memset(claims, 0, sizeof *claims);
    bool has_claims = (backend->capabilities & DOCKET_BACKEND_CLAIMS) != 0;
    claims->backend = has_claims ? backend : NULL;
    claims->self = self;
    claims->buckets = docket__allocate_array(FIRST_BUCKETS, sizeof(docket__claim *));
    if (claims->buckets == NULL) {
        return DOCKET_NO_MEMORY;
    }
    claims->bucket_count = FIRST_BUCKETS;
    pthread_mutex_init(&claims->lock, NULL);
    pthread_cond_init(&claims->changed, NULL);
    return DOCKET_OK;
}

void docket__claims_destroy(docket__claims *claims)
{
    pthread_cond_destroy(&claims->changed);
    pthread_mutex_destroy(&claims->lock);
    docket__free(claims->buckets);
    claims->buckets = NULL;
}

uint64_t docket__claims_releases(const docket__claims *claims, const docket_key *key)
{
    uint64_t releases = atomic_load_explicit(&claims->releases, memory_order_acquire);
    bool beyond = claims->backend != NULL && claims->backend->releases != NULL;
    return beyond ? releases + claims->backend->releases(claims->self, key) : releases;
}

/* A table that cannot grow still works, with longer chains. */
static void grow(docket__claims *claims)
{
    size_t bucket_count = claims->bucket_count * 2;
    docket__claim **buckets = docket__allocate_array(bucket_count, sizeof(docket__claim *));
    if (buckets == NULL) {
        return;
    }
    docket__claim **old = claims->buckets;
    size_t old_count = claims->bucket_count;
    claims->buckets = buckets;
    claims->bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        for (docket__claim *claim = old[i], *next; claim != NULL; claim = next) {
            next = claim->next;
            docket__claim **bucket = &buckets[bucket_of(claims, &claim->key)];
            claim->next = *bucket;
            *bucket = claim;
        }
    }
    docket__free(old);
}

static docket__claim *insert(docket__claims *claims, docket__holder *holder)
{
    docket__claim *claim = docket__allocate(sizeof *claim);
    if (claim == NULL) {
        return NULL;
    }
    if (claims->count >= claims->bucket_count) {
        grow(claims);
    }
    claim->key = holder->key;
    claim->owner = holder;
    claim->last = &claim->first;
    docket__claim **bucket = &claims->buckets[bucket_of(claims, &claim->key)];
    claim->next = *bucket;
    *bucket = claim;
    claims->count++;
    atomic_store(&holder->claims, claims);
    return claim;
}

static void remove_claim(docket__claims *claims, docket__claim *claim)
{
    docket__claim **link = find(claims, &claim->key);
    *link = claim->next;
    claims->count--;
    docket__free(claim);
}

/* Claims that are away. */

static void put_away(docket__claims *claims, docket__claim *claim)
{
    claim->owner = NULL;
    claim->next_away = claims->away;
    claim->link_away = &claims->away;
    if (claims->away != NULL) {
        claims->away->link_away = &claim->next_away;
    }
    claims->away = claim;
    claims->away_count++;
    pthread_cond_signal(&claims->changed);
}

static void bring_back(docket__claims *claims, docket__claim *claim)
{
    *claim->link_away = claim->next_away;
    if (claim->next_away != NULL) {
        claim->next_away->link_away = claim->link_away;
    }
    claim->link_away = NULL;
    claims->away_count--;
}

static void forget_if_unwanted(docket__claims *claims, docket__claim *claim)
{
    if (claim->link_away != NULL && claim->first == NULL && !claim->asked) {
        bring_back(claims, claim);
        remove_claim(claims, claim);
    }
}

size_t docket__claims_list_away(const docket__claims *claims, docket_key *keys, size_t capacity)
{
    size_t count = 0;
    for (const docket__claim *claim = claims->away; claim != NULL; claim = claim->next_away) {
        if (count < capacity) {
            keys[count] = claim->key;
        }
        count++;
    }
    return count;
}

/* Cycles. */

static bool holds(const docket__holder *holder, const void *claims, const docket_key *key)
{
    return atomic_load(&holder->claims) == claims && same_key(&holder->key, key);
}

static const docket__holder *ancestor_holding(const docket__holder *holder, const void *claims,
                                              const docket_key *key)
{
    for (holder = holder->parent; holder != NULL; holder = holder->parent) {
        if (holds(holder, claims, key)) {
            return holder;
        }
    }
    return NULL;
}

/* Follows "the owner of this key, or something that runs inside it, waits for that key" from the wanted key and looks
 * whether it comes back to a key held above `waiter`. Returns the holder where it does. */
static const docket__holder *find_cycle(const docket__waiter *waiter)
{
    if (waiter->holder->parent == NULL) {
        return NULL; /* nothing is held above it */
    }
    for (docket__waiter *other = waits; other != NULL; other = other->published_next) {
        other->visited = false;
    }
    const void *claims = waiter->claims;
    const docket_key *key = &waiter->key;
    docket__waiter *pending = NULL; /* visited, not yet followed */
    for (;;) {
        const docket__holder *held = ancestor_holding(waiter->holder, claims, key);
        if (held != NULL) {
            return held;
        }
        for (docket__waiter *other = waits; other != NULL; other = other->published_next) {
            if (!other->visited && ancestor_holding(other->holder, claims, key) != NULL) {
                other->visited = true;
                other->follow = pending;
                pending = other;
            }
        }
        if (pending == NULL) {
            return NULL;
        }
        claims = pending->claims;
        key = &pending->key;
        pending = pending->follow;
    }
}

static void publish(docket__waiter *waiter)
{
    waiter->published_previous = NULL;
    waiter->published_next = waits;
    if (waits != NULL) {
        waits->published_previous = waiter;
    }
    waits = waiter;
}

static void withdraw(docket__waiter *waiter)
{
    if (waiter->published_previous != NULL) {
        waiter->published_previous->published_next = waiter->published_next;
    } else {
        waits = waiter->published_next;
    }
    if (waiter->published_next != NULL) {
        waiter->published_next->published_previous = waiter->published_previous;
    }
}

/* Circles through others: told of are the keys that are held above the waiter in the same store. */

enum { MOST_HELD = 32 }; /* deeper nests are told of in part */

static size_t list_held(const docket__waiter *waiter, docket_key held[MOST_HELD])
{
    size_t count = 0;
    const docket__holder *holder = waiter->holder->parent;
    for (; holder != NULL && count < MOST_HELD; holder = holder->parent) {
        if (atomic_load(&holder->claims) == waiter->claims) {
            held[count++] = holder->key;
        }
    }
    return count;
}

static bool tell_others(const docket__claims *claims, docket__waiter *waiter, docket_key *closing)
{
    docket_key held[MOST_HELD];
    size_t index = 0;
    bool can_tell = claims->backend != NULL && claims->backend->wait_begin != NULL;
    size_t count = can_tell ? list_held(waiter, held) : 0;
    waiter->told = count > 0 ? docket__resize(NULL, count * sizeof held[0]) : NULL;
    if (waiter->told == NULL) {
        return true;
    }
    waiter->told_count = count;
    memcpy(waiter->told, held, count * sizeof held[0]);
    if (claims->backend->wait_begin(claims->self, held, count, &waiter->key, &index) == DOCKET_OK) {
        return true;
    }
    docket__free(waiter->told);
    waiter->told = NULL;
    *closing = held[index];
    return false;
}

static void untell_others(const docket__claims *claims, docket__waiter *waiter)
{
    if (waiter->told != NULL) {
        claims->backend->wait_end(claims->self, waiter->told, waiter->told_count, &waiter->key);
        docket__free(waiter->told);
        waiter->told = NULL;
    }
}

static docket__claim_outcome refuse_circle(const docket__waiter *waiter, const docket_key *held, const char *step,
                                           docket_error *error)
{
    char wanted[65];
    char own[65];
    docket__hex(waiter->key.bytes, 32, wanted);
    docket__hex(held->bytes, 32, own);
    docket__error_set(
        error, DOCKET_CONFLICT,
        "step \"%s\" would wait for ever: the key %s that it needs waits for the key %s, which %s%s%s holds "
        "above it; break the cycle of nested executions",
        waiter->holder->step, wanted, own, step == NULL ? "a step" : "step \"", step == NULL ? "" : step,
        step == NULL ? "" : "\"");
    return DOCKET__CLAIM_CYCLE;
}

static docket__claim_outcome wait_for(docket__claims *claims, docket__claim *claim, docket__waiter *waiter,
                                      docket_error *error)
{
    docket_key closing;
    waiter->key = claim->key;
    waiter->claims = claims;
    waiter->next = NULL;
    pthread_mutex_lock(&waits_lock);
    const docket__holder *held = find_cycle(waiter);
    if (held == NULL) {
        publish(waiter);
    }
    pthread_mutex_unlock(&waits_lock);
    if (held != NULL) {
        return refuse_circle(waiter, &held->key, held->step, error);
    }
    if (!tell_others(claims, waiter, &closing)) {
        pthread_mutex_lock(&waits_lock);
        withdraw(waiter);
        pthread_mutex_unlock(&waits_lock);
        return refuse_circle(waiter, &closing, NULL, error);
    }
    waiter->queued = true;
    *claim->last = waiter;
    claim->last = &waiter->next;
    return DOCKET__CLAIM_WAITING;
}

/* Taking and releasing. */

static void unqueue(const docket__claims *claims, docket__waiter *waiter)
{
    untell_others(claims, waiter);
    waiter->queued = false;
    pthread_mutex_lock(&waits_lock);
    withdraw(waiter);
    pthread_mutex_unlock(&waits_lock);
}

static void give_back(docket__claims *claims, const docket_key *key, const docket_lease *lease)
{
    docket_error ignored = DOCKET_ERROR_INIT; /* a lease runs out by itself, a lock goes with its process */
    (void)claims->backend->release(claims->self, key, lease, &ignored);
}

/* Makes the first who waits the owner; it is told by the caller, without the lock. */
static docket__waiter *inherit(docket__claims *claims, docket__claim *claim)
{
    docket__waiter *heir = claim->first;
    if (heir != NULL) {
        claim->first = heir->next;
        claim->last = claim->first == NULL ? &claim->first : claim->last;
        heir->next = NULL;
        unqueue(claims, heir);
        claim->owner = heir->holder;
        heir->holder->lease = claim->lease;
        atomic_store(&heir->holder->claims, claims);
    }
    return heir;
}

/* The claim beyond this handle, for the one who has just become the owner here. */
static docket_status take_beyond(docket__claims *claims, docket__claim *claim, docket__holder *holder,
                                 docket__waiter *waiter, docket__claim_outcome *outcome, docket_error *error)
{
    docket_status status = claims->backend->acquire(claims->self, &claim->key, &claim->lease, error);
    if (status == DOCKET_OK) {
        holder->lease = claim->lease;
        *outcome = DOCKET__CLAIM_OWNED;
        return DOCKET_OK;
    }
    if (!docket__lookout_start(claims->lookout)) {
        status = docket__error_set(error, DOCKET_NO_MEMORY, "the store's watcher thread cannot be started");
    }
    pthread_mutex_lock(&claims->lock);
    atomic_store(&holder->claims, NULL);
    if (status == DOCKET_CONFLICT) {
        put_away(claims, claim);
        *outcome = wait_for(claims, claim, waiter, error);
        forget_if_unwanted(claims, claim);
        status = DOCKET_OK;
    } else {
        put_away(claims, claim); /* whoever waits here meanwhile may fare better */
        forget_if_unwanted(claims, claim);
    }
    pthread_mutex_unlock(&claims->lock);
    claims->backend->interrupt(claims->self);
    return status;
}

docket_status docket__claim_take(docket__claims *claims, docket__holder *holder, docket__waiter *waiter,
                                 uint64_t releases, docket__claim_outcome *outcome, bool *stale,
                                 docket_error *error)
{
    docket_status status = DOCKET_OK;
    pthread_mutex_lock(&claims->lock);
    docket__claim *claim = *find(claims, &holder->key);
    docket__claim *made = NULL;
    if (claim != NULL) {
        *outcome = wait_for(claims, claim, waiter, error);
    } else {
        made = insert(claims, holder);
        *outcome = DOCKET__CLAIM_OWNED;
        status = made != NULL ? DOCKET_OK : docket__error_no_memory(error);
    }
    pthread_mutex_unlock(&claims->lock);
    if (made != NULL && claims->backend != NULL) {
        status = take_beyond(claims, made, holder, waiter, outcome, error);
    }
    *stale = docket__claims_releases(claims, &holder->key) != releases ||
             (claims->backend != NULL && claims->backend->releases == NULL);
    return status;
}

bool docket__claims_retry(docket__claims *claims, const docket_key *key)
{
    docket_lease lease = {0};
    docket_error error = DOCKET_ERROR_INIT;
    pthread_mutex_lock(&claims->lock);
    docket__claim *claim = *find(claims, key);
    if (claim == NULL || claim->link_away == NULL) {
        pthread_mutex_unlock(&claims->lock);
        return true;
    }
    claim->asked = true;
    pthread_mutex_unlock(&claims->lock);
    docket_status status = claims->backend->acquire(claims->self, key, &lease, &error);
    pthread_mutex_lock(&claims->lock);
    claim->asked = false;
    docket__waiter *heir = NULL;
    bool wanted = claim->first != NULL;
    if (status == DOCKET_OK && wanted) {
        bring_back(claims, claim);
        claim->lease = lease;
        heir = inherit(claims, claim);
    }
    forget_if_unwanted(claims, claim);
    pthread_mutex_unlock(&claims->lock);
    if (status == DOCKET_OK && !wanted) {
        give_back(claims, key, &lease);
    }
    if (heir != NULL) {
        heir->wake(heir, NULL, NULL);
    }
    return status == DOCKET_OK;
}

bool docket__claim_forsake(docket__claims *claims, docket__waiter *waiter)
{
    pthread_mutex_lock(&claims->lock);
    bool queued = waiter->queued;
    if (queued) {
        docket__claim *claim = *find(claims, &waiter->key);
        docket__waiter **link = &claim->first;
        while (*link != waiter) {
            link = &(*link)->next;
        }
        *link = waiter->next;
        if (*link == NULL) {
            claim->last = link;
        }
        unqueue(claims, waiter);
        forget_if_unwanted(claims, claim);
    }
    pthread_mutex_unlock(&claims->lock);
    return queued;
}

void docket__claim_show_owner(docket__claims *claims, const docket__waiter *waiter,
                              void (*look)(void *arg, const docket__holder *owner), void *arg)
{
    pthread_mutex_lock(&claims->lock);
    const docket__claim *claim = waiter->queued ? *find(claims, &waiter->key) : NULL;
    if (claim != NULL && claim->owner != NULL) {
        look(arg, claim->owner);
    }
    pthread_mutex_unlock(&claims->lock);
}

/* Moves the waiters that are to be told now to the returned list. Without a record the first one who does not share
 * the failure inherits the claim and the rest go on waiting. */
static docket__waiter *settle(docket__claims *claims, docket__claim *claim, const docket_record *record,
                              const docket_error *failure, docket__waiter **heir)
{
    docket__waiter *told = NULL;
    docket__waiter **told_last = &told;
    docket__waiter *waiter = claim->first;
    claim->first = NULL;
    claim->last = &claim->first;
    *heir = NULL;
    while (waiter != NULL) {
        docket__waiter *next = waiter->next;
        waiter->next = NULL;
        bool shares = record != NULL || (failure != NULL && waiter->holder->tree == claim->owner->tree);
        if (shares) {
            unqueue(claims, waiter);
            *told_last = waiter;
            told_last = &waiter->next;
        } else if (*heir == NULL) {
            unqueue(claims, waiter);
            *heir = waiter;
        } else {
            *claim->last = waiter;
            claim->last = &waiter->next;
        }
        waiter = next;
    }
    if (*heir != NULL) {
        claim->owner = (*heir)->holder;
        (*heir)->holder->lease = claim->lease;
        atomic_store(&(*heir)->holder->claims, claims);
    }
    return told;
}

void docket__claim_release(docket__claims *claims, docket__holder *holder, const docket_record *record,
                           const docket_error *failure)
{
    pthread_mutex_lock(&claims->lock);
    docket__claim *claim = *find(claims, &holder->key);
    docket__waiter *heir = NULL;
    docket__waiter *told = settle(claims, claim, record, failure, &heir);
    const docket_lease lease = claim->lease;
    if (heir == NULL) {
        remove_claim(claims, claim);
    }
    atomic_store(&holder->claims, NULL);
    atomic_fetch_add_explicit(&claims->releases, 1, memory_order_release);
    pthread_mutex_unlock(&claims->lock);
    if (heir == NULL && claims->backend != NULL) {
        give_back(claims, &holder->key, &lease);
    }
    while (told != NULL) {
        docket__waiter *next = told->next;
        told->wake(told, record, record == NULL ? failure : NULL);
        told = next;
    }
    if (heir != NULL) {
        heir->wake(heir, NULL, NULL);
    }
}
