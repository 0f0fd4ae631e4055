/* The tree of a type: itself and every struct type nested in it, each once, the nested ones before those that hold
 * them. Building it checks every descriptor on the way, so that whoever has a tree needs to check nothing.
 *
 * Messages may contain themselves, directly or over others. Types that lead to each other are a circle; they stand
 * together, behind all that they hold and before all that holds them. Source of the method: R. Tarjan, "Depth-First
 * Search and Linear Graph Algorithms", 1972. */
#ifndef DOCKET_TYPE_TREE_H
#define DOCKET_TYPE_TREE_H

#include "base/arena.h"
#include "base/map.h"

typedef struct docket__type_node {
    struct docket__type_node *next;
    const docket_type *type; /* never an alias; of a message that describes itself, the description */
    size_t index;
    unsigned height; /* levels of structs, itself included; 0 while it is being visited */
    bool is_open;    /* while its circle is not complete */
    bool is_circular; /* leads back to itself */
    bool is_hashed;
    size_t visited;  /* its number in the order of visits, from 1 */
    size_t lowest;   /* of the open nodes it leads to */
    size_t circle;   /* the same for all of a circle */
    size_t place;    /* for fingerprint.c: where it stands in the listing of a circle, from 1; 0 = not in it */
    struct docket__type_node *below; /* the next of the open nodes */
    uint8_t fingerprint[32];
} docket__type_node;

/* Embeddable; zero is empty. */
typedef struct docket__type_tree {
    docket_arena arena;
    docket__map nodes; /* by the type's address */
    docket__type_node *first;
    docket__type_node *last; /* of the type itself */
    docket__type_node *open; /* while it is being built */
    size_t count;
    size_t visits;
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
