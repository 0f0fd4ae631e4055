#include "checkpoint/older.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/map.h"
#include "type/field.h"
#include "type/schema.h"

#include <stdio.h>

typedef struct pair {
    const docket_type *stored, *wanted;
} pair;

/* Two nested types may meet along many ways: those that were found to fit are kept, so that each pair is looked at
 * once. */
typedef struct comparing {
    docket_arena arena;
    docket__map fitting; /* by pair */
    char *why;
} comparing;

static docket_status compare(comparing *self, const docket_type *stored, const docket_type *wanted);

static const docket_field *find(const docket_schema *schema, uint32_t number)
{
    size_t hint = 0;
    return docket__fields_find(schema, number, &hint);
}

static docket_status differ(comparing *self, const docket_type *stored, const docket_field *field, const char *how)
{
    snprintf(self->why, DOCKET__OLDER_WHY, "member %.60s (%u) of the stored %.40s %s", field->name,
             (unsigned)field->number, stored->name, how);
    return DOCKET_TYPE;
}

static docket_status compare_field(comparing *self, const docket_type *stored, const docket_field *field,
                                   const docket_field *wanted)
{
    if (wanted == NULL) {
        return differ(self, stored, field, "is not in the program's");
    }
    if (strcmp(field->name, wanted->name) != 0) {
        return differ(self, stored, field, "has another name in the program's");
    }
    if (field->kind != wanted->kind || field->label != wanted->label || field->fixed_size != wanted->fixed_size) {
        return differ(self, stored, field, "has another kind in the program's");
    }
    return field->kind == DOCKET_KIND_STRUCT
               ? compare(self, docket__type_base(field->type), docket__type_base(wanted->type))
               : DOCKET_OK;
}

static docket_status compare(comparing *self, const docket_type *stored, const docket_type *wanted)
{
    const pair met = {stored, wanted};
    if (docket__map_get(&self->fitting, &met, sizeof met) != NULL) {
        return DOCKET_OK;
    }
    if (((stored->flags & wanted->flags) & DOCKET_TYPE_STRUCT) == 0) {
        snprintf(self->why, DOCKET__OLDER_WHY, "only a struct can have an older form");
        return DOCKET_TYPE;
    }
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < stored->schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &stored->schema->fields[i];
        status = compare_field(self, stored, field, find(wanted->schema, field->number));
    }
    pair *kept = status == DOCKET_OK ? docket__arena_copy(&self->arena, &met, sizeof met) : NULL;
    if (status != DOCKET_OK) {
        return status;
    }
    return kept == NULL ? DOCKET_NO_MEMORY : docket__map_put(&self->fitting, kept, sizeof *kept, kept);
}

/* The description must be the one of the record's layout: it is stored apart from the record and not under its checksum. */
static docket_status read_schema(docket_bytes bytes, const docket_record *record, docket_arena *arena,
                                 const docket_type **stored, docket_error *error)
{
    uint8_t fingerprint[32];
    docket_status status = docket__schema_decode(bytes, arena, stored, error);
    if (status == DOCKET_OK) {
        status = docket_type_fingerprint(*stored, fingerprint, error);
    }
    if (status == DOCKET_OK && memcmp(fingerprint, record->fingerprint, sizeof fingerprint) != 0) {
        status = docket__error_set(error, DOCKET_CORRUPT,
                                   "the description of type \"%s\" is that of another layout", record->type);
    }
    return status;
}

docket_status docket__older_check(docket_store *store, const docket_record *record, const docket_type *type,
                                  char why[DOCKET__OLDER_WHY], docket_error *error)
{
    docket_buffer bytes = {0};
    const docket_type *stored = NULL;
    comparing self = {.why = why};
    docket_status status = docket__store_schema(store, record->type, record->fingerprint, &bytes, error);
    if (status == DOCKET_OK && bytes.size == 0) {
        snprintf(why, DOCKET__OLDER_WHY, "the store keeps no description of it");
        status = DOCKET_TYPE;
    }
    if (status == DOCKET_OK) {
        status = read_schema(docket_buffer_bytes(&bytes), record, &self.arena, &stored, error);
    }
    if (status == DOCKET_OK) {
        status = compare(&self, docket__type_base(stored), docket__type_base(type));
        status = status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
    }
    docket__map_release(&self.fitting);
    docket__arena_release(&self.arena);
    docket__buffer_release(&bytes);
    return status;
}
