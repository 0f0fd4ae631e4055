/* What was recorded, as JSON: the value's bytes by the description of their type that the store keeps. */
#include <docket/json.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "store/handle.h"
#include "type/json.h"
#include "type/schema.h"

static docket_status fetch_schema(docket_store *store, const docket_record *record, docket_buffer *schema,
                                  docket_error *error)
{
    docket_status status = docket__store_schema(store, record->type, record->fingerprint, schema, error);
    if (status == DOCKET_OK && schema->size == 0) {
        status = docket__error_set(error, DOCKET_UNSUPPORTED, "the store keeps no description of the type %s",
                                   record->type);
    }
    return status;
}

docket_status docket__check_described(const docket_type *type, const uint8_t fingerprint[32], docket_error *error)
{
    uint8_t described[32];
    docket_status status = docket_type_fingerprint(type, described, error);
    if (status == DOCKET_OK && memcmp(described, fingerprint, sizeof described) != 0) {
        status = docket__error_set(error, DOCKET_CORRUPT, "the description of the type %s is that of another layout",
                                   type->name);
    }
    return status;
}

static docket_status show(docket_store *store, const docket_record *record, const docket_json_options *options,
                          docket_buffer *out, docket_error *error)
{
    docket_buffer schema = {0};
    docket_arena arena = {0};
    const docket_type *type = NULL;
    docket_status status = fetch_schema(store, record, &schema, error);
    if (status == DOCKET_OK) {
        status = docket__schema_decode(docket_buffer_bytes(&schema), &arena, &type, error);
    }
    if (status == DOCKET_OK) {
        status = docket__check_described(type, record->fingerprint, error);
    }
    if (status == DOCKET_OK) {
        status = docket__json_write_stored(type, record->value, options, out, error);
    }
    docket__arena_release(&arena);
    docket__buffer_release(&schema);
    return status;
}

docket_status docket_checkpoint_json(docket_store *store, const uint8_t key[32], const docket_json_options *options,
                                     docket_buffer *out, docket_error *error)
{
    docket_error own = DOCKET_ERROR_INIT;
    docket_json_options read;
    docket_record *record = NULL;
    error = error != NULL ? error : &own;
    if (key == NULL || out == NULL) {
        return docket__error_set(error, DOCKET_INVALID, "docket_checkpoint_json: %s is NULL",
                                 key == NULL ? "key" : "out");
    }
    docket_status status = docket__json_options_read(&read, options, error);
    if (status == DOCKET_OK) {
        status = docket__store_read(store, key, &record, error);
    }
    if (status == DOCKET_OK && record->kind != DOCKET_CHECKPOINT_VALUE) {
        status = docket__error_set(error, DOCKET_UNSUPPORTED,
                                   "the checkpoint holds items that an expand step made, not a value of type %s",
                                   record->type);
    }
    if (status == DOCKET_OK) {
        status = show(store, record, &read, out, error);
    }
    if (status == DOCKET_OK) {
        docket__error_clear(error);
    }
    docket_record_free(record);
    return status;
}
