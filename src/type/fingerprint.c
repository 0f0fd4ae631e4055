/* Fingerprints. What is hashed, with every number in little-endian order:
 *
 *   "docket type 1"  and then
 *   struct:        'S', count of fields (4 bytes), and for each in the order of its number:
 *                  number (4), kind (1), label (1), length of the name (4), the name,
 *                  FIXED: n (8); STRUCT: the nested type's fingerprint (32)
 *   blob:          'B'
 *   hand-written:  'H', length of the layout (4), the layout
 *   message:       as a struct; one that contains itself: 'R', then the fields of all messages of its circle, beginning
 *                  with itself, the others in the order in which they are first named; where a field leads into the
 *                  circle: 'I' and the place of that message in this listing, from 0 (4); where it leads out of it:
 *                  'O' and the fingerprint
 *
 * Names and values of an enum are left out: they may grow without changing what stored bytes mean. */
#include "type/fingerprint.h"

#include "base/error.h"
#include "base/hash.h"
#include "type/codec.h"
#include "type/field.h"

static void add_number(docket__hash *hash, uint64_t number, size_t size)
{
    uint8_t bytes[8];
    docket__little_put(bytes, number, size);
    docket__hash_update(hash, bytes, size);
}

static void add_text(docket__hash *hash, const char *text)
{
    size_t length = strlen(text);
    add_number(hash, length, 4);
    docket__hash_update(hash, text, length);
}

static void add_field_head(docket__hash *hash, const docket_field *field)
{
    add_number(hash, field->number, 4);
    add_number(hash, field->kind, 1);
    add_number(hash, field->label, 1);
    add_text(hash, field->name);
}

static docket_status make_fingerprint(docket__type_tree *tree, docket__type_node *node);

static docket_status add_field(docket__hash *hash, docket__type_tree *tree, const docket_field *field)
{
    add_field_head(hash, field);
    if (field->kind == DOCKET_KIND_FIXED) {
        add_number(hash, field->fixed_size, 8);
    } else if (field->kind == DOCKET_KIND_STRUCT) {
        docket__type_node *nested = docket__type_tree_find(tree, field->type);
        docket_status status = make_fingerprint(tree, nested);
        docket__hash_update(hash, nested->fingerprint, sizeof nested->fingerprint);
        return status;
    }
    return DOCKET_OK;
}

static docket_status add_fields(docket__hash *hash, docket__type_tree *tree, const docket_schema *schema)
{
    docket_status status = DOCKET_OK;
    bool in_order = docket__fields_in_order(schema);
    const docket_field *field = docket__fields_next(schema, NULL, in_order);
    add_number(hash, schema->field_count, 4);
    for (; field != NULL && status == DOCKET_OK; field = docket__fields_next(schema, field, in_order)) {
        status = add_field(hash, tree, field);
    }
    return status;
}

/* A field of a message in a circle. Messages that are named for the first time join the listing. */
static docket_status add_circular_field(docket__hash *hash, docket__type_tree *tree, docket__type_node **listing,
                                        size_t *count, const docket_field *field)
{
    add_field_head(hash, field);
    if (field->kind != DOCKET_KIND_STRUCT) {
        return DOCKET_OK;
    }
    docket__type_node *nested = docket__type_tree_find(tree, field->type);
    if (nested->circle != listing[0]->circle) {
        docket_status status = make_fingerprint(tree, nested);
        docket__hash_update(hash, "O", 1);
        docket__hash_update(hash, nested->fingerprint, sizeof nested->fingerprint);
        return status;
    }
    if (nested->place == 0) {
        listing[(*count)++] = nested;
        nested->place = *count;
    }
    docket__hash_update(hash, "I", 1);
    add_number(hash, nested->place - 1, 4);
    return DOCKET_OK;
}

static docket_status hash_circle(docket__type_tree *tree, docket__type_node *node, docket__hash *hash)
{
    docket__type_node **listing =
        docket__arena_allocate_array(&tree->arena, tree->count, sizeof *listing, _Alignof(docket__type_node *));
    if (listing == NULL) {
        return DOCKET_NO_MEMORY;
    }
    size_t count = 1;
    listing[0] = node;
    node->place = 1;
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < count && status == DOCKET_OK; i++) {
        const docket_schema *schema = listing[i]->type->schema;
        add_number(hash, schema->field_count, 4);
        for (size_t j = 0; j < schema->field_count && status == DOCKET_OK; j++) {
            status = add_circular_field(hash, tree, listing, &count, &schema->fields[j]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        listing[i]->place = 0;
    }
    return status;
}

static docket_status hash_node(docket__type_tree *tree, docket__type_node *node)
{
    static const char header[] = "docket type 1";
    const docket_type *type = node->type;
    docket_status status = DOCKET_OK;
    docket__hash hash;
    docket__hash_begin(&hash);
    docket__hash_update(&hash, header, sizeof header - 1);
    if (node->is_circular) {
        docket__hash_update(&hash, "R", 1);
        status = hash_circle(tree, node, &hash);
    } else if (type->flags & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_MESSAGE)) {
        docket__hash_update(&hash, "S", 1);
        status = add_fields(&hash, tree, type->schema);
    } else if (type->flags & DOCKET_TYPE_BLOB) {
        docket__hash_update(&hash, "B", 1);
    } else {
        docket__hash_update(&hash, "H", 1);
        add_text(&hash, type->layout);
    }
    docket_status ended = docket__hash_end(&hash, node->fingerprint);
    return status == DOCKET_OK ? ended : status;
}

static docket_status make_fingerprint(docket__type_tree *tree, docket__type_node *node)
{
    if (node->is_hashed || node->type->flags & DOCKET_TYPE_RESOURCE) {
        return DOCKET_OK;
    }
    node->is_hashed = true;
    return hash_node(tree, node);
}

docket_status docket__type_tree_fingerprint(docket__type_tree *tree, docket_error *error)
{
    for (docket__type_node *node = tree->first; node != NULL; node = node->next) {
        bool is_needed = !node->is_circular || node == tree->last;
        docket_status status = is_needed ? make_fingerprint(tree, node) : DOCKET_OK;
        if (status != DOCKET_OK) {
            return docket__error_set(error, status, "the fingerprint of type %s could not be made: SHA-256 failed",
                                     node->type->name);
        }
    }
    return DOCKET_OK;
}

docket_status docket_type_fingerprint(const docket_type *type, uint8_t fingerprint[32], docket_error *error)
{
    docket__error_clear(error);
    memset(fingerprint, 0, 32);
    docket__type_tree tree = {0};
    docket_status status = docket__type_tree_build(&tree, type, error);
    if (status == DOCKET_OK) {
        status = docket__type_tree_fingerprint(&tree, error);
    }
    if (status == DOCKET_OK) {
        memcpy(fingerprint, tree.last->fingerprint, 32);
    }
    docket__type_tree_release(&tree);
    return status;
}
