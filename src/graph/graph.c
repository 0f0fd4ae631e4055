#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/process.h"
#include "base/text.h"
#include "graph/build.h"
#include "store/store.h"
#include "type/codec.h"

#include <time.h>

docket_error *docket__graph_error(docket_graph *graph)
{
    return graph->first_error.status == DOCKET_OK ? &graph->first_error : NULL;
}

docket_status docket__graph_check_open(const docket_graph *graph)
{
    if (graph == NULL) {
        return DOCKET_INVALID;
    }
    if (graph->fork_generation != docket__fork_generation()) {
        return DOCKET_FORKED;
    }
    return docket_graph_is_frozen(graph) ? DOCKET_STATE : DOCKET_OK;
}

docket_status docket__graph_grow(void **elements, uint32_t count, uint32_t *capacity, size_t size,
                                 docket_error *error)
{
    if (count < *capacity) {
        return DOCKET_OK;
    }
    size_t grown = *capacity > 0 ? 2 * (size_t)*capacity : 16;
    size_t bytes = 0;
    if (grown >= UINT32_MAX || !docket__multiply(grown, size, &bytes)) {
        return docket__error_no_memory(error);
    }
    void *moved = docket__resize(*elements, bytes);
    if (moved == NULL) {
        return docket__error_no_memory(error);
    }
    *elements = moved;
    *capacity = (uint32_t)grown;
    return DOCKET_OK;
}

static bool init_locks(docket_graph *graph)
{
    pthread_condattr_t monotonic;
    if (pthread_mutex_init(&graph->plans_lock, NULL) != 0) {
        return false;
    }
    if (pthread_mutex_init(&graph->activity_lock, NULL) != 0) {
        goto no_activity_lock;
    }
    if (pthread_condattr_init(&monotonic) != 0) {
        goto no_attributes;
    }
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&graph->activity_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (failed == 0) {
        return true;
    }
no_attributes:
    pthread_mutex_destroy(&graph->activity_lock);
no_activity_lock:
    pthread_mutex_destroy(&graph->plans_lock);
    return false;
}

static void destroy_locks(docket_graph *graph)
{
    pthread_cond_destroy(&graph->activity_ended);
    pthread_mutex_destroy(&graph->activity_lock);
    pthread_mutex_destroy(&graph->plans_lock);
}

/* Copies what the options point to and takes references. */
static bool take_options(docket_graph *graph)
{
    docket_graph_options *options = &graph->options;
    size_t observers_size = options->observer_count * sizeof(docket_observer);
    const char *key_namespace = options->key_namespace != NULL ? options->key_namespace : "";
    graph->key_namespace = docket__arena_duplicate(&graph->memory, key_namespace);
    graph->observers = docket__arena_copy(&graph->memory, options->observers, observers_size);
    if (graph->key_namespace == NULL || graph->observers == NULL) {
        return false;
    }
    options->key_namespace = graph->key_namespace;
    options->observers = graph->observers;
    if (options->store != NULL) {
        docket__store_ref(options->store);
    }
    if (options->pool != NULL) {
        docket__pool_ref(options->pool);
    }
    return true;
}

docket_graph *docket_graph_new(const char *name, const docket_graph_options *options)
{
    docket_graph *graph = docket__allocate(sizeof *graph);
    if (graph == NULL) {
        return NULL;
    }
    if (!init_locks(graph)) {
        docket__free(graph);
        return NULL;
    }
    atomic_init(&graph->references, 1);
    atomic_init(&graph->store_users, 1);
    graph->fork_generation = docket__fork_generation();
    docket_status status = docket__name_check("the graph's name", name, &graph->first_error);
    graph->name = docket__arena_duplicate(&graph->memory, status == DOCKET_OK ? name : "");
    docket__graph_resolve(options, &graph->options, docket__graph_error(graph));
    if (graph->name == NULL || !take_options(graph)) {
        docket__arena_release(&graph->memory);
        destroy_locks(graph);
        docket__free(graph);
        return NULL;
    }
    return graph;
}

docket_graph *docket__graph_ref(docket_graph *graph)
{
    atomic_fetch_add_explicit(&graph->references, 1, memory_order_relaxed);
    return graph;
}

static void free_plans(docket_graph *graph)
{
    docket__plan *plan = atomic_load_explicit(&graph->plans, memory_order_relaxed);
    while (plan != NULL) {
        docket__plan *next = plan->next;
        docket__plan_free(plan);
        plan = next;
    }
}

void docket__graph_drop_stores(docket_graph *graph)
{
    for (uint32_t i = 0; i < graph->step_count; i++) {
        docket__store_unref(graph->steps[i]->options.store);
        graph->steps[i]->options.store = NULL;
    }
    docket__store_unref(graph->options.store);
    graph->options.store = NULL;
}

void docket__graph_use_stores(docket_graph *graph)
{
    atomic_fetch_add_explicit(&graph->store_users, 1, memory_order_relaxed);
}

void docket__graph_leave_stores(docket_graph *graph)
{
    if (atomic_fetch_sub_explicit(&graph->store_users, 1, memory_order_acq_rel) == 1) {
        docket__graph_drop_stores(graph);
    }
}

void docket_graph_free(docket_graph *graph)
{
    if (graph != NULL) {
        docket__graph_leave_stores(graph);
        docket__graph_unref(graph);
    }
}

void docket__graph_unref(docket_graph *graph)
{
    if (atomic_fetch_sub_explicit(&graph->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    free_plans(graph);
    docket__pool_unref(graph->options.pool);
    docket__map_release(&graph->type_by_name);
    docket__map_release(&graph->step_by_name);
    for (uint32_t i = 0; i < graph->type_count; i++) {
        docket__graph_release_type(&graph->types[i]);
    }
    docket__free(graph->types);
    docket__free(graph->leaves);
    docket__free(graph->steps);
    docket__arena_release(&graph->memory);
    destroy_locks(graph);
    docket__free(graph);
}

/* The value itself if it is a resource, else a copy in the graph's memory. */
static docket_status hold_value(docket_graph *graph, docket_input input, const void **held, docket_error *error)
{
    const docket_type *type = input.type;
    if (docket__type_base(type)->flags & DOCKET_TYPE_RESOURCE) {
        *held = input.value;
        return DOCKET_OK;
    }
    void *copy = docket__arena_allocate(&graph->memory, type->size, docket__type_alignment(type));
    if (copy == NULL) {
        return docket__error_no_memory(error);
    }
    *held = copy;
    return docket__type_copy(type, input.value, &graph->memory, copy, error);
}

static docket_status provide(docket_graph *graph, docket_input input, docket_error *error)
{
    uint32_t index = 0;
    const void *held = NULL;
    docket_status status = docket__graph_mention(graph, input.type, &index, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (graph->types[index].provided != NULL) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "a value of type \"%s\" was already provided: a graph holds one",
                                 input.type->name);
    }
    status = hold_value(graph, input, &held, error);
    if (status == DOCKET_OK) {
        graph->types[index].provided = held;
    }
    return status;
}

docket_status docket_graph_provide(docket_graph *graph, docket_input input)
{
    docket_status status = docket__graph_check_open(graph);
    if (status != DOCKET_OK) {
        return status;
    }
    docket_error *error = docket__graph_error(graph);
    if (input.type == NULL || input.value == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_graph_provide: the %s is NULL",
                                 input.type == NULL ? "type" : "value");
    }
    uint32_t known_types = graph->type_count;
    status = provide(graph, input, error);
    if (status != DOCKET_OK) {
        docket__graph_forget_types(graph, known_types);
        docket__error_set_type(error, input.type->name);
    }
    return status;
}
