/* Fingerprints. What is hashed, with every number in little-endian order:
 *
 *   "docket type 1"  and then
 *   struct:        'S', count of fields (4 bytes), and for each in the order of its number:
 *                  number (4), kind (1), label (1), length of the name (4), the name,
 *                  FIXED: n (8); STRUCT: the nested type's fingerprint (32)
 *   blob:          'B'
 *   hand-written:  'H', length of the layout (4), the layout
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

static void add_field(docket__hash *hash, const docket__type_tree *tree, const docket_field *field)
{
    add_number(hash, field->number, 4);
    add_number(hash, field->kind, 1);
    add_number(hash, field->label, 1);
    add_text(hash, field->name);
    if (field->kind == DOCKET_KIND_FIXED) {
        add_number(hash, field->fixed_size, 8);
    } else if (field->kind == DOCKET_KIND_STRUCT) {
        const docket__type_node *nested = docket__type_tree_find(tree, field->type);
        docket__hash_update(hash, nested->fingerprint, sizeof nested->fingerprint);
    }
}

static void add_fields(docket__hash *hash, const docket__type_tree *tree, const docket_schema *schema)
{
    bool in_order = docket__fields_in_order(schema);
    const docket_field *field = docket__fields_next(schema, NULL, in_order);
    add_number(hash, schema->field_count, 4);
    for (; field != NULL; field = docket__fields_next(schema, field, in_order)) {
        add_field(hash, tree, field);
    }
}

static docket_status hash_node(const docket__type_tree *tree, docket__type_node *node)
{
    static const char header[] = "docket type 1";
    const docket_type *type = node->type;
    docket__hash hash;
    docket__hash_begin(&hash);
    docket__hash_update(&hash, header, sizeof header - 1);
    if (type->flags & DOCKET_TYPE_STRUCT) {
        docket__hash_update(&hash, "S", 1);
        add_fields(&hash, tree, type->schema);
    } else if (type->flags & DOCKET_TYPE_BLOB) {
        docket__hash_update(&hash, "B", 1);
    } else {
        docket__hash_update(&hash, "H", 1);
        add_text(&hash, type->layout);
    }
    return docket__hash_end(&hash, node->fingerprint);
}

docket_status docket__type_tree_fingerprint(docket__type_tree *tree, docket_error *error)
{
    for (docket__type_node *node = tree->first; node != NULL; node = node->next) {
        docket_status status = node->type->flags & DOCKET_TYPE_RESOURCE ? DOCKET_OK : hash_node(tree, node);
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
