#include "type/tree.h"

#include "base/error.h"
#include "type/field.h"

static docket__type_node *add_node(docket__type_tree *tree, const docket_type *type)
{
    docket__type_node *node = docket__arena_allocate(&tree->arena, sizeof *node, _Alignof(docket__type_node));
    if (node == NULL) {
        return NULL;
    }
    node->type = type;
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

docket__type_node *docket__type_tree_find(const docket__type_tree *tree, const docket_type *type)
{
    const docket_type *base = docket__type_base(type);
    return docket__map_get(&tree->nodes, &base, sizeof base);
}

static docket_status refuse_depth(const docket_type *type, docket_error *error)
{
    return docket__error_set(error, DOCKET_INVALID, "type %s: nested deeper than %d levels", type->name,
                             DOCKET__DEEPEST_NESTING);
}

/* Checks a type and all it is made of; an alias, and then its base. */
static docket_status visit(docket__type_tree *tree, const docket_type *type, unsigned depth, docket_error *error);

static docket_status visit_nested(docket__type_tree *tree, docket__type_node *node, const docket_field *field,
                                  unsigned depth, unsigned *height, docket_error *error)
{
    docket_status status = visit(tree, field->type, depth + 1, error);
    if (status != DOCKET_OK) {
        return status;
    }
    const docket__type_node *nested = docket__type_tree_find(tree, field->type);
    if (nested->height == 0) {
        return docket__error_set(error, DOCKET_INVALID,
                                 "type %s, member %s: leads back to type %s, and a struct cannot contain itself",
                                 node->type->name, field->name, nested->type->name);
    }
    if (nested->height >= *height) {
        *height = nested->height + 1;
    }
    return *height <= DOCKET__DEEPEST_NESTING ? DOCKET_OK : refuse_depth(node->type, error);
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
    if (type->flags & DOCKET_TYPE_STRUCT) {
        bool in_order = docket__fields_in_order(type->schema);
        const docket_field *field = docket__fields_next(type->schema, NULL, in_order);
        for (; field != NULL && status == DOCKET_OK; field = docket__fields_next(type->schema, field, in_order)) {
            if (field->kind == DOCKET_KIND_STRUCT) {
                status = visit_nested(tree, node, field, depth, &height, error);
            }
        }
    }
    node->height = height;
    append_node(tree, node);
    return status;
}

static docket_status visit(docket__type_tree *tree, const docket_type *type, unsigned depth, docket_error *error)
{
    if (depth > DOCKET__DEEPEST_NESTING) {
        return refuse_depth(type, error);
    }
    if (docket__map_get(&tree->nodes, &type, sizeof type) != NULL) {
        return DOCKET_OK;
    }
    docket_status status = docket__type_check_alone(type, error);
    if (status != DOCKET_OK) {
        return status;
    }
    return type->flags & DOCKET_TYPE_ALIAS ? visit(tree, type->base, depth, error)
                                           : visit_new(tree, type, depth, error);
}

docket_status docket__type_tree_build(docket__type_tree *tree, const docket_type *type, docket_error *error)
{
    docket_status status = visit(tree, type, 1, error);
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
