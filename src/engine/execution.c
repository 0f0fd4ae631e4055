/* An execution's memory: made in one block, freed when caller, running steps and tokens have let go. */
#include "engine/execution.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/begin.h"
#include "engine/file.h"
#include "engine/items.h"
#include "engine/prefetch.h"
#include <string.h>

enum { ALIGNMENT = 16 };

typedef struct layout {
    size_t nodes, slots, digests, values, size;
} layout;

static bool add(size_t *total, size_t count, size_t size, size_t alignment)
{
    size_t bytes;
    return docket__multiply(count, size, &bytes) && !__builtin_add_overflow(*total, bytes, total) &&
           !__builtin_add_overflow(*total, (alignment - *total % alignment) % alignment, total);
}

static bool lay_out(const docket__plan *plan, layout *at)
{
    *at = (layout){0};
    bool fits = add(&at->size, 1, sizeof(docket_execution), ALIGNMENT);
    at->nodes = at->size;
    fits = fits && add(&at->size, plan->once_nodes, sizeof(docket__node), ALIGNMENT);
    at->slots = at->size;
    fits = fits && add(&at->size, plan->once_slots, sizeof(docket__slot), ALIGNMENT);
    at->digests = at->size;
    fits = fits && add(&at->size, plan->recorded_count > 0 ? plan->once_slots : 0, 32, ALIGNMENT);
    at->values = at->size;
    return fits && add(&at->size, 1, plan->values_size + plan->values_alignment, ALIGNMENT);
}

static void init_locks(docket_execution *execution)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&execution->lock, NULL);
    pthread_mutex_init(&execution->observer_lock, NULL);
    pthread_cond_init(&execution->changed, &monotonic);
    pthread_cond_init(&execution->stirred, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void init_nodes(docket_execution *execution)
{
    const docket__plan *plan = execution->plan;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const docket_step_options *options = &plan->nodes[i].step->options;
        if (options->scope != DOCKET_SCOPE_NONE) {
            execution->has_deferred = execution->has_deferred || options->commit == DOCKET_COMMIT_BEFORE_END;
        }
    }
    for (uint32_t i = 0; i < plan->once_nodes; i++) {
        const docket_step_options *options = &plan->nodes[i].step->options;
        docket__node *node = &execution->row.nodes[i];
        node->execution = execution;
        node->plan = &plan->nodes[i];
        atomic_init(&node->pending, plan->nodes[i].pending);
        node->pool_only = docket__step_needs_pool(execution, options);
        node->row = &execution->row;
        if (node->plan->expands == DOCKET__ONCE) {
            execution->row.slots[node->plan->slot].value = execution->row.values + plan->slots[node->plan->slot].offset;
        }
    }
}

void docket__execution_find_stores(docket_execution *execution)
{
    const docket__plan *plan = execution->plan;
    for (uint32_t i = 0; i < plan->node_count && plan->recorded_count > 0; i++) {
        const docket_step_options *options = &plan->nodes[i].step->options;
        if (options->scope != DOCKET_SCOPE_NONE) {
            execution->several_stores = execution->several_stores || (execution->recording_store != NULL &&
                                                                      execution->recording_store != options->store);
            execution->recording_store = options->store;
        }
    }
}

static bool has_limited_step(const docket__plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].step->options.time_limit_ms > 0) {
            return true;
        }
    }
    return false;
}

static uint64_t next_number(void)
{
    static atomic_uint_fast64_t numbers;
    return atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
}

docket_execution *docket__execution_new(docket_graph *graph, const docket__plan *plan, bool blocking, bool limited)
{
    layout at;
    if (!lay_out(plan, &at)) {
        return NULL;
    }
    docket_pool *pool = graph->options.pool != NULL ? graph->options.pool : docket__pool_default();
    uint8_t *block = pool == NULL ? NULL : docket__allocate(at.size);
    if (block == NULL) {
        return NULL;
    }
    docket_execution *execution = (docket_execution *)block;
    atomic_init(&execution->references, 2); /* the caller's and that of the work under way */
    atomic_init(&execution->graph_users, 2);
    execution->graph = docket__graph_ref(graph);
    docket__graph_use_stores(graph);
    execution->plan = plan;
    execution->pool = docket__pool_ref(pool);
    execution->result.execution = execution;
    execution->number = next_number();
    execution->tree = execution;
    execution->row.nodes = (docket__node *)(block + at.nodes);
    execution->row.slots = (docket__slot *)(block + at.slots);
    execution->row.digests = plan->recorded_count > 0 ? (uint8_t(*)[32])(block + at.digests) : NULL;
    uintptr_t values = (uintptr_t)(block + at.values);
    execution->row.values =
        (uint8_t *)(values + (plan->values_alignment - values % plan->values_alignment) % plan->values_alignment);
    execution->blocking = blocking;
    limited = limited || has_limited_step(plan);
    execution->limited = limited && !docket__pool_is_manual(pool);
    execution->ready.last = &execution->ready.first;
    execution->pool_ready.last = &execution->pool_ready.first;
    execution->deadline_ms = INT64_MAX;
    atomic_init(&execution->live, plan->root_count);
    init_locks(execution);
    init_nodes(execution);
    atomic_init(&execution->shared, limited || execution->has_deferred || plan->group_count > 0); /* with timers, tokens, a store's writer */
    return execution;
}

docket_execution *docket__execution_ref(docket_execution *execution)
{
    atomic_fetch_add_explicit(&execution->references, 1, memory_order_relaxed);
    return execution;
}

static void leave_parent(docket_execution *execution)
{
    docket_ctx *parent = execution->parent;
    if (parent == NULL) {
        return;
    }
    docket_execution *above = parent->execution;
    pthread_mutex_lock(&above->lock);
    if (execution->sibling_previous != NULL) {
        execution->sibling_previous->sibling_next = execution->sibling_next;
    } else if (above->children == execution) {
        above->children = execution->sibling_next;
    }
    if (execution->sibling_next != NULL) {
        execution->sibling_next->sibling_previous = execution->sibling_previous;
    }
    pthread_mutex_unlock(&above->lock);
}

void docket__execution_leave_graph(docket_execution *execution)
{
    if (atomic_fetch_sub_explicit(&execution->graph_users, 1, memory_order_acq_rel) == 1) {
        docket__plan_release(execution->plan);
        docket__graph_unref(execution->graph);
    }
}

/* The thread that lets go last may be one that runs inside this very pool: that goes after everything else. */
void docket__execution_unref(docket_execution *execution)
{
    if (atomic_fetch_sub_explicit(&execution->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    docket_pool *pool = execution->pool;
    docket_ctx *parent = execution->parent;
    docket_execution *above = parent == NULL ? NULL : parent->execution;
    docket_cancel_free(execution->cancel);
    if (execution->spare != NULL) {
        docket__ctx_dispose(execution->spare);
    }
    docket__prefetch_release(execution);
    docket__files_release(execution);
    docket__groups_free(execution);
    docket__arena_release(&execution->row.memory);
    docket__free(execution->id);
    pthread_mutex_destroy(&execution->lock);
    pthread_mutex_destroy(&execution->observer_lock);
    pthread_cond_destroy(&execution->changed);
    pthread_cond_destroy(&execution->stirred);
    docket__free(execution);
    if (parent != NULL) {
        docket__ctx_unref(parent);
        docket__execution_unref(above);
    }
    docket__pool_unref(pool);
}

void docket__execution_discard(docket_execution *execution)
{
    docket__graph_leave_stores(execution->graph);
    for (int user = 0; user < 2; user++) {
        docket__execution_leave_graph(execution);
        docket__execution_unref(execution);
    }
}

/* Ids. */

/* Random digits are made when somebody asks: most unrecorded executions never need them. */
const char *docket__execution_id(docket_execution *execution)
{
    char *id = atomic_load_explicit(&execution->id, memory_order_acquire);
    if (id != NULL) {
        return id;
    }
    uint8_t bytes[16];
    char digits[33];
    docket__random_bytes(bytes, sizeof bytes);
    docket__hex(bytes, sizeof bytes, digits);
    char *made = docket__duplicate(digits);
    if (made != NULL && !atomic_compare_exchange_strong(&execution->id, &id, made)) {
        docket__free(made);
        return id;
    }
    return made == NULL ? "" : made;
}

char *docket__execution_derive_id(const docket_ctx *parent)
{
    const char *above = docket__execution_id(parent->execution);
    docket_arena memory = {0};
    char *whole = docket__arena_printf(&memory, "%s/%s", above, parent->step->info.name);
    char *id = NULL;
    if (whole != NULL && strlen(whole) <= 255) {
        id = docket__duplicate(whole);
    } else if (whole != NULL) {
        enum { KEPT = 190 };
        size_t kept = KEPT;
        while (((unsigned char)whole[kept] & 0xC0u) == 0x80u) {
            kept--; /* not in the middle of a character */
        }
        uint8_t digest[32];
        char digits[65];
        if (docket__sha256(&(docket_bytes){(const uint8_t *)whole, strlen(whole)}, 1, digest) == DOCKET_OK) {
            docket__hex(digest, sizeof digest, digits);
            whole[kept] = '\0';
            const char *cut = docket__arena_printf(&memory, "%s~%s", whole, digits);
            id = docket__duplicate(cut);
        }
    }
    docket__arena_release(&memory);
    return id;
}

void docket__execution_join_parent(docket_execution *execution, docket_ctx *parent)
{
    docket_execution *above = parent->execution;
    execution->parent = docket__ctx_ref(parent);
    docket__execution_ref(above);
    execution->tree = above->tree;
    /* Each may reach into the other from its own threads: to stop it, and to let go of the attempt. */
    atomic_store(&execution->shared, true);
    atomic_store(&above->shared, true);
}

void docket__execution_join_siblings(docket_execution *execution)
{
    docket_execution *above = execution->parent->execution;
    pthread_mutex_lock(&above->lock);
    execution->sibling_next = above->children;
    if (above->children != NULL) {
        above->children->sibling_previous = execution;
    }
    above->children = execution;
    pthread_mutex_unlock(&above->lock);
}

void docket__execution_part_parent(docket_execution *execution)
{
    leave_parent(execution);
}
