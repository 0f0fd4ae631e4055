/* The tree of a type: itself and every struct type nested in it, each once, the nested ones before those that hold
 * them. Building it checks every descriptor on the way, so that whoever has a tree needs to check nothing. */
#ifndef DOCKET_TYPE_TREE_H
#define DOCKET_TYPE_TREE_H

#include "base/arena.h"
#include "base/map.h"

typedef struct docket__type_node {
    struct docket__type_node *next;
    const docket_type *type; /* never an alias */
    size_t index;
    unsigned height; /* levels of structs, itself included; 0 while it is being visited */
    uint8_t fingerprint[32];
} docket__type_node;

/* Embeddable; zero is empty. */
typedef struct docket__type_tree {
    docket_arena arena;
    docket__map nodes; /* by the type's address */
    docket__type_node *first;
    docket__type_node *last; /* of the type itself */
    size_t count;
} docket__type_tree;

/* DOCKET_INVALID: the message names type and member. After a failure the tree is empty. */
DOCKET_MUST_CHECK docket_status docket__type_tree_build(docket__type_tree *tree, const docket_type *type,
                                                        docket_error *error);
void docket__type_tree_release(docket__type_tree *tree);

/* The node of a type in the tree, which may be named by an alias; NULL = it is not there. */
docket__type_node *docket__type_tree_find(const docket__type_tree *tree, const docket_type *type);

/* Checks one descriptor, and that what it is made of can be followed; not what nested types look like inside. */
DOCKET_MUST_CHECK docket_status docket__type_check_alone(const docket_type *type, docket_error *error);

#endif
