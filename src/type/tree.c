#include "type/tree.h"

#include "base/error.h"
#include "type/field.h"

enum { DEEPEST_MESSAGES = 1000 }; /* types of messages, one within the other; values are bounded by the codec */

static docket__type_node *add_node(docket__type_tree *tree, const docket_type *type)
{
    docket__type_node *node = docket__arena_allocate(&tree->arena, sizeof *node, _Alignof(docket__type_node));
    if (node == NULL) {
        return NULL;
    }
    node->type = type;
    node->is_open = true;
    node->visited = node->lowest = ++tree->visits;
    node->below = tree->open;
    tree->open = node;
    return docket__map_put(&tree->nodes, &node->type, sizeof node->type, node) == DOCKET_OK ? node : NULL;
}

static void append_node(docket__type_tree *tree, docket__type_node *node)
{
    node->index = tree->count++;
    if (tree->last == NULL) {
        tree->first = node;
    } else {
        tree->last->next = node;
    }
    tree->last = node;
}

/* A node that leads to none before itself is the first of its circle: all that is open above it belongs to it. */
static void close_circle(docket__type_tree *tree, docket__type_node *first)
{
    docket__type_node *node;
    do {
        node = tree->open;
        tree->open = node->below;
        node->is_open = false;
        node->circle = first->visited;
        append_node(tree, node);
    } while (node != first);
}

docket__type_node *docket__type_tree_find(const docket__type_tree *tree, const docket_type *type)
{
    const docket_type *base = docket__type_base(type);
    return docket__map_get(&tree->nodes, &base, sizeof base);
}

static docket_status refuse_depth(const docket_type *type, unsigned deepest, docket_error *error)
{
    return docket__error_set(error, DOCKET_INVALID, "type %s: nested deeper than %u levels", type->name, deepest);
}

/* Checks a type and all it is made of; an alias, and then its base; a message, and then its description. */
static docket_status visit(docket__type_tree *tree, const docket_type *type, unsigned depth, docket_error *error);

static docket_status visit_nested(docket__type_tree *tree, docket__type_node *node, const docket_field *field,
                                  unsigned depth, unsigned *height, docket_error *error)
{
    docket_status status = visit(tree, field->type, depth + 1, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket__type_node *nested = docket__type_tree_find(tree, field->type);
    if (nested->is_open && nested->lowest < node->lowest) {
        node->lowest = nested->lowest;
    }
    if (node->type->flags & DOCKET_TYPE_MESSAGE) {
        node->is_circular = node->is_circular || nested->is_open;
        nested->is_circular = nested->is_circular || nested->is_open;
        return DOCKET_OK;
    }
    if (nested->height == 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "type %s, member %s: leads back to type %s, and a struct cannot contain itself",
                                 node->type->name, field->name, nested->type->name);
    }
    if (nested->height >= *height) {
        *height = nested->height + 1;
    }
    return *height <= DOCKET__DEEPEST_NESTING ? DOCKET_OK
                                              : refuse_depth(node->type, DOCKET__DEEPEST_NESTING, error);
}

static docket_status visit_new(docket__type_tree *tree, const docket_type *type, unsigned depth,
                               docket_error *error)
{
    docket__type_node *node = add_node(tree, type);
    if (node == NULL) {
        return docket__error_no_memory(error);
    }
    unsigned height = 1;
    docket_status status = DOCKET_OK;
    if (type->flags & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_MESSAGE)) {
        bool in_order = docket__fields_in_order(type->schema);
        const docket_field *field = docket__fields_next(type->schema, NULL, in_order);
        for (; field != NULL && status == DOCKET_OK; field = docket__fields_next(type->schema, field, in_order)) {
            if (field->kind == DOCKET_KIND_STRUCT) {
                status = visit_nested(tree, node, field, depth, &height, error);
            } else if (field->kind == DOCKET_KIND_FILE && height < 2) {
                height = 2; /* a message of its own */
            }
        }
    }
    node->height = height;
    if (status == DOCKET_OK && node->lowest == node->visited) {
        close_circle(tree, node);
    }
    return status;
}

/* A message with functions is the outermost type; what it describes takes its place. */
static docket_status visit_description(docket__type_tree *tree, const docket_type *type, docket_error *error)
{
    const docket_type *described = NULL;
    docket_status status = type->describe(type, &tree->arena, &described, error);
    if (status == DOCKET_OK && tree->arena.failed) {
        return docket__error_no_memory(error);
    }
    bool is_description = described != NULL && described->flags == DOCKET_TYPE_MESSAGE && described->schema != NULL;
    if (status == DOCKET_OK && !is_description) {
        return docket__error_set(error, DOCKET_INVALID, "type %s: its describe gives no description", type->name);
    }
    if (status != DOCKET_OK) {
        return error == NULL || error->status == status
                   ? status
                   : docket__error_set(error, status, "type %s: it could not be described", type->name);
    }
    return visit(tree, described, 1, error);
}

static docket_status visit(docket__type_tree *tree, const docket_type *type, unsigned depth, docket_error *error)
{
    unsigned deepest =
        type != NULL && type->flags == DOCKET_TYPE_MESSAGE ? DEEPEST_MESSAGES : DOCKET__DEEPEST_NESTING;
    if (depth > deepest) {
        return refuse_depth(type, deepest, error);
    }
    if (docket__map_get(&tree->nodes, &type, sizeof type) != NULL) {
        return DOCKET_OK;
    }
    docket_status status = docket__type_check_alone(type, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (type->flags & DOCKET_TYPE_ALIAS) {
        return visit(tree, type->base, depth, error);
    }
    bool describes_itself = type->flags == DOCKET_TYPE_MESSAGE && type->describe != NULL;
    return describes_itself ? visit_description(tree, type, error) : visit_new(tree, type, depth, error);
}

docket_status docket__type_tree_build(docket__type_tree *tree, const docket_type *type, docket_error *error)
{
    docket_status status = visit(tree, type, 1, error);
    if (status == DOCKET_OK && docket__type_base(type)->flags == DOCKET_TYPE_MESSAGE &&
        (docket__type_base(type)->encode == NULL || docket__type_base(type)->decode == NULL)) {
        status = docket__error_set(error, DOCKET_INVALID, "type %s: a message needs encode and decode", type->name);
    }
    if (status != DOCKET_OK) {
        docket__type_tree_release(tree);
    }
    return status;
}

void docket__type_tree_release(docket__type_tree *tree)
{
    docket__map_release(&tree->nodes);
    docket__arena_release(&tree->arena);
    *tree = (docket__type_tree){0};
}

docket_status docket_type_check(const docket_type *type, docket_error *error)
{
    docket__error_clear(error);
    docket__type_tree tree = {0};
    docket_status status = docket__type_tree_build(&tree, type, error);
    docket__type_tree_release(&tree);
    return status;
}
