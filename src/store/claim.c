#include "store/claim.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include <string.h>

typedef struct docket__claim docket__claim;
struct docket__claim {
    docket__claim *next; /* in its bucket */
    const docket__holder *owner;
    docket_key key;
    docket__waiter *first, **last;
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

docket_status docket__claims_init(docket__claims *claims)
{
    memset(claims, 0, sizeof *claims);
    claims->buckets = docket__allocate_array(FIRST_BUCKETS, sizeof(docket__claim *));
    if (claims->buckets == NULL) {
        return DOCKET_NO_MEMORY;
    }
    claims->bucket_count = FIRST_BUCKETS;
    pthread_mutex_init(&claims->lock, NULL);
    return DOCKET_OK;
}

void docket__claims_destroy(docket__claims *claims)
{
    pthread_mutex_destroy(&claims->lock);
    docket__free(claims->buckets);
    claims->buckets = NULL;
}

uint64_t docket__claims_releases(const docket__claims *claims)
{
    return atomic_load_explicit(&claims->releases, memory_order_acquire);
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

static bool insert(docket__claims *claims, docket__holder *holder)
{
    docket__claim *claim = docket__allocate(sizeof *claim);
    if (claim == NULL) {
        return false;
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
    return true;
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

static docket__claim_outcome wait_for(docket__claims *claims, docket__claim *claim, docket__waiter *waiter,
                                      docket_error *error)
{
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
        char wanted[65];
        char own[65];
        docket__hex(waiter->key.bytes, 32, wanted);
        docket__hex(held->key.bytes, 32, own);
        docket__error_set(
            error, DOCKET_CONFLICT,
            "step \"%s\" would wait for ever: the key %s that it needs waits for the key %s, which step "
            "\"%s\" holds above it; break the cycle of nested executions",
            waiter->holder->step, wanted, own, held->step);
        return DOCKET__CLAIM_CYCLE;
    }
    waiter->queued = true;
    *claim->last = waiter;
    claim->last = &waiter->next;
    return DOCKET__CLAIM_WAITING;
}

/* Taking and releasing. */

docket_status docket__claim_take(docket__claims *claims, docket__holder *holder, docket__waiter *waiter,
                                 uint64_t releases, docket__claim_outcome *outcome, bool *stale,
                                 docket_error *error)
{
    docket_status status = DOCKET_OK;
    pthread_mutex_lock(&claims->lock);
    docket__claim *claim = *find(claims, &holder->key);
    if (claim != NULL) {
        *outcome = wait_for(claims, claim, waiter, error);
    } else if (insert(claims, holder)) {
        *outcome = DOCKET__CLAIM_OWNED;
        *stale = docket__claims_releases(claims) != releases;
    } else {
        status = docket__error_no_memory(error);
    }
    pthread_mutex_unlock(&claims->lock);
    return status;
}

static void unqueue(docket__waiter *waiter)
{
    waiter->queued = false;
    pthread_mutex_lock(&waits_lock);
    withdraw(waiter);
    pthread_mutex_unlock(&waits_lock);
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
        unqueue(waiter);
    }
    pthread_mutex_unlock(&claims->lock);
    return queued;
}

void docket__claim_show_owner(docket__claims *claims, const docket__waiter *waiter,
                              void (*look)(void *arg, const docket__holder *owner), void *arg)
{
    pthread_mutex_lock(&claims->lock);
    if (waiter->queued) {
        look(arg, (*find(claims, &waiter->key))->owner);
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
            unqueue(waiter);
            *told_last = waiter;
            told_last = &waiter->next;
        } else if (*heir == NULL) {
            unqueue(waiter);
            *heir = waiter;
        } else {
            *claim->last = waiter;
            claim->last = &waiter->next;
        }
        waiter = next;
    }
    if (*heir != NULL) {
        claim->owner = (*heir)->holder;
        atomic_store(&(*heir)->holder->claims, claims);
    }
    return told;
}

void docket__claim_release(docket__claims *claims, docket__holder *holder, const docket_record *record,
                           const docket_error *failure)
{
    pthread_mutex_lock(&claims->lock);
    docket__claim **link = find(claims, &holder->key);
    docket__claim *claim = *link;
    docket__waiter *heir = NULL;
    docket__waiter *told = settle(claims, claim, record, failure, &heir);
    if (heir == NULL) {
        *link = claim->next;
        claims->count--;
        docket__free(claim);
    }
    atomic_store(&holder->claims, NULL);
    atomic_fetch_add_explicit(&claims->releases, 1, memory_order_release);
    pthread_mutex_unlock(&claims->lock);
    while (told != NULL) {
        docket__waiter *next = told->next;
        told->wake(told, record, record == NULL ? failure : NULL);
        told = next;
    }
    if (heir != NULL) {
        heir->wake(heir, NULL, NULL);
    }
}
