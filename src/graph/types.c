/* Types of a graph: equal names are one node. Two descriptors of one name must agree in what is stored (their
 * fingerprints) and in how a value lies in memory, since values pass between code that was compiled with either. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "graph/build.h"
#include "type/codec.h"
#include "type/file.h"
#include "type/schema.h"

#include <string.h>

enum { FINGERPRINT_DIGITS = 8, LONGEST_ALIAS_CHAIN = 100 };

/* Unlike docket__type_base this meets descriptors that nobody has checked. NULL = no end in sight. */
static const docket_type *follow_aliases(const docket_type *type)
{
    for (int i = 0; i < LONGEST_ALIAS_CHAIN && type != NULL; i++) {
        if (type->abi != DOCKET_TYPE_ABI) {
            return NULL;
        }
        if (!(type->flags & DOCKET_TYPE_ALIAS)) {
            return type;
        }
        type = type->base;
    }
    return NULL;
}

static bool texts_equal(const char *known, const char *other)
{
    return known == other || (known != NULL && other != NULL && strcmp(known, other) == 0);
}

static bool same_layout(const docket_type *known, const docket_type *other);

static bool same_field(const docket_field *known, const docket_field *other)
{
    return known->number == other->number && known->kind == other->kind && known->label == other->label &&
           known->offset == other->offset && known->side_offset == other->side_offset &&
           known->fixed_size == other->fixed_size && texts_equal(known->name, other->name) &&
           (known->type == other->type ||
            (known->type != NULL && other->type != NULL && same_layout(known->type, other->type)));
}

static bool same_schema(const docket_schema *known, const docket_schema *other)
{
    if (known == other) {
        return true;
    }
    if (known == NULL || other == NULL || known->field_count != other->field_count || other->fields == NULL) {
        return false;
    }
    for (size_t i = 0; i < known->field_count; i++) {
        if (!same_field(&known->fields[i], &other->fields[i])) {
            return false;
        }
    }
    return true;
}

/* The functions of a message serve many types, so what tells them apart is the detail. Two copies of one message, as in
 * two plugins, are known by what they describe. */
static bool same_detail(const docket_type *known, const docket_type *other)
{
    if (known->detail == other->detail || known->describe == NULL || other->describe == NULL) {
        return known->detail == other->detail;
    }
    uint8_t first[DOCKET__SHA256_BYTES];
    uint8_t second[DOCKET__SHA256_BYTES];
    return docket_type_fingerprint(known, first, NULL) == DOCKET_OK &&
           docket_type_fingerprint(other, second, NULL) == DOCKET_OK && memcmp(first, second, sizeof first) == 0;
}

/* `known` has passed docket_type_check, so its nesting, and with it this recursion, is bounded. */
static bool same_layout(const docket_type *known, const docket_type *other)
{
    if (known == other) {
        return true;
    }
    known = follow_aliases(known);
    other = follow_aliases(other);
    return known != NULL && other != NULL &&
           (known == other || (known->flags == other->flags && known->size == other->size &&
                               (known->encode != NULL) == (other->encode != NULL) &&
                               (known->decode != NULL) == (other->decode != NULL) &&
                               docket__type_alignment(known) == docket__type_alignment(other) &&
                               texts_equal(known->layout, other->layout) && same_detail(known, other) &&
                               same_schema(known->schema, other->schema)));
}

static docket_status tell_difference(const docket__graph_type *known, const docket_type *type, docket_error *error)
{
    uint8_t fingerprint[DOCKET__SHA256_BYTES];
    char first[FINGERPRINT_DIGITS + 1];
    char second[FINGERPRINT_DIGITS + 1];
    docket_status status = docket_type_fingerprint(type, fingerprint, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (memcmp(known->fingerprint, fingerprint, sizeof fingerprint) == 0) {
        docket__error_set(
            error, DOCKET_TYPE,
            "two descriptors of type \"%s\" have the same members but lie differently in memory (%zu bytes "
            "aligned to %zu, and %zu bytes aligned to %zu): use one declaration",
            type->name, known->type->size, docket__type_alignment(known->type), type->size,
            docket__type_alignment(type));
    } else {
        docket__hex(known->fingerprint, FINGERPRINT_DIGITS / 2, first);
        docket__hex(fingerprint, FINGERPRINT_DIGITS / 2, second);
        docket__error_set(
            error, DOCKET_TYPE,
            "type \"%s\" has two layouts: fingerprint %s where the graph met it first, %s here; types "
            "with different members need different names",
            type->name, first, second);
    }
    docket__error_set_type(error, type->name);
    return DOCKET_TYPE;
}

static docket_status find_known(const docket_graph *graph, const docket_type *type, uint32_t *index,
                                docket_error *error)
{
    if (type->abi != DOCKET_TYPE_ABI || type->name == NULL) {
        docket_status status = docket_type_check(type, error);
        return status != DOCKET_OK ? status : docket__error_set(error, DOCKET_INVALID, "a type has no name");
    }
    uintptr_t found = (uintptr_t)docket__map_get(&graph->type_by_name, type->name, strlen(type->name));
    if (found == 0) {
        *index = UINT32_MAX;
        return DOCKET_OK;
    }
    *index = (uint32_t)(found - 1);
    const docket__graph_type *known = &graph->types[*index];
    return same_layout(known->type, type) ? DOCKET_OK : tell_difference(known, type, error);
}

uint32_t docket__graph_find_type(const docket_graph *graph, const docket_type *type, docket_error *error)
{
    uint32_t index = UINT32_MAX;
    docket__error_clear(error);
    return find_known(graph, type, &index, error) == DOCKET_OK ? index : UINT32_MAX;
}

/* The list of leaves has room for every type, so that listing them cannot fail. */
static docket_status grow_types(docket_graph *graph, docket_error *error)
{
    uint32_t capacity = graph->type_capacity;
    void *types = graph->types;
    void *leaves = graph->leaves;
    docket_status status = docket__graph_grow(&leaves, graph->type_count, &capacity, sizeof *graph->leaves, error);
    graph->leaves = leaves;
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__graph_grow(&types, graph->type_count, &graph->type_capacity, sizeof *graph->types, error);
    graph->types = types;
    return status;
}

static docket_status describe_type(docket__graph_type *added, docket_error *error)
{
    docket_buffer schema = {0};
    docket_status status = docket__schema_encode(added->type, &schema, error);
    if (status != DOCKET_OK) {
        docket__buffer_release(&schema);
        return status;
    }
    added->schema.data = docket__buffer_detach(&schema, &added->schema.size);
    return DOCKET_OK;
}

void docket__graph_release_type(docket__graph_type *type)
{
    docket__free((void *)(uintptr_t)type->schema.data);
    type->schema = (docket_bytes){NULL, 0};
}

static docket_status append_type(docket_graph *graph, const docket_type *type, docket_error *error)
{
    docket_status status = grow_types(graph, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__graph_type *added = &graph->types[graph->type_count];
    *added = (docket__graph_type){.type = type, .producer = DOCKET__NO_STEP};
    status = docket_type_fingerprint(type, added->fingerprint, error);
    if (status != DOCKET_OK) {
        return status;
    }
    added->resource = (docket__type_base(type)->flags & DOCKET_TYPE_RESOURCE) != 0;
    added->needs_seal = !added->resource && docket__type_needs_seal(type);
    status = docket__type_find_files(type, &added->has_files, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (!added->resource && (status = describe_type(added, error)) != DOCKET_OK) {
        return status;
    }
    void *numbered = (void *)((uintptr_t)graph->type_count + 1);
    if (docket__map_put(&graph->type_by_name, type->name, strlen(type->name), numbered) != DOCKET_OK) {
        docket__graph_release_type(added);
        return docket__error_no_memory(error);
    }
    graph->type_count++;
    graph->leaves_stale = true;
    return DOCKET_OK;
}

docket_status docket__graph_mention(docket_graph *graph, const docket_type *type, uint32_t *index,
                                    docket_error *error)
{
    docket_status status = find_known(graph, type, index, error);
    if (status != DOCKET_OK || *index != UINT32_MAX) {
        return status;
    }
    status = docket_type_check(type, error);
    if (status == DOCKET_OK) {
        *index = graph->type_count;
        status = append_type(graph, type, error);
    }
    return status;
}

void docket__graph_forget_types(docket_graph *graph, uint32_t count)
{
    while (graph->type_count > count) {
        const char *name = graph->types[--graph->type_count].type->name;
        docket__graph_release_type(&graph->types[graph->type_count]);
        docket__map_remove(&graph->type_by_name, name, strlen(name));
        graph->leaves_stale = true;
    }
}

void docket__graph_list_leaves(docket_graph *graph)
{
    if (!graph->leaves_stale) {
        return;
    }
    graph->leaf_count = 0;
    for (uint32_t i = 0; i < graph->type_count; i++) {
        if (graph->types[i].producer == DOCKET__NO_STEP) {
            graph->leaves[graph->leaf_count++] = i;
        }
    }
    graph->leaves_stale = false;
}
