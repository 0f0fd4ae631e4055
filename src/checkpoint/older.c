#include "checkpoint/older.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "type/field.h"
#include "type/schema.h"

#include <stdio.h>

typedef struct pair {
    const docket_type *stored, *wanted;
} pair;

/* Two nested types may meet along many ways, and messages in circles: each pair is looked at once. If one does not fit,
 * none does. */
typedef struct comparing {
    docket_arena arena;
    docket__map met; /* by pair */
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

/* New members must do without a value. */
static docket_status compare_fields(comparing *self, const docket_type *stored, const docket_type *wanted)
{
    docket_status status = DOCKET_OK;
    for (size_t i = 0; i < stored->schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &stored->schema->fields[i];
        status = compare_field(self, stored, field, find(wanted->schema, field->number));
    }
    for (size_t i = 0; i < wanted->schema->field_count && status == DOCKET_OK; i++) {
        const docket_field *field = &wanted->schema->fields[i];
        if (field->label == DOCKET_LABEL_REQUIRED && find(stored->schema, field->number) == NULL) {
            snprintf(self->why, DOCKET__OLDER_WHY,
                     "the required member %.60s (%u) of the program's %.40s is not in it", field->name,
                     (unsigned)field->number, wanted->name);
            status = DOCKET_TYPE;
        }
    }
    return status;
}

static docket_status compare(comparing *self, const docket_type *stored, const docket_type *wanted)
{
    const pair met = {stored, wanted};
    if (docket__map_get(&self->met, &met, sizeof met) != NULL) {
        return DOCKET_OK;
    }
    if (((stored->flags & wanted->flags) & (DOCKET_TYPE_STRUCT | DOCKET_TYPE_MESSAGE)) == 0) {
        snprintf(self->why, DOCKET__OLDER_WHY, "only a struct or a message can have an older form");
        return DOCKET_TYPE;
    }
    pair *kept = docket__arena_copy(&self->arena, &met, sizeof met);
    docket_status status = kept != NULL ? docket__map_put(&self->met, kept, sizeof *kept, kept) : DOCKET_NO_MEMORY;
    return status == DOCKET_OK ? compare_fields(self, stored, wanted) : status;
}

/* The program's type as it can be compared: a message tells its fields when it is asked. */
static docket_status describe(comparing *self, const docket_type *type, const docket_type **described,
                              docket_error *error)
{
    *described = docket__type_base(type);
    return (*described)->describe != NULL ? (*described)->describe(*described, &self->arena, described, error)
                                          : DOCKET_OK;
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

static docket_status check(docket_store *store, const docket_record *record, const docket_type *type,
                           comparing *self, docket_error *error)
{
    docket_buffer bytes = {0};
    const docket_type *stored = NULL;
    const docket_type *wanted = NULL;
    docket_status status = docket__store_schema(store, record->type, record->fingerprint, &bytes, error);
    if (status == DOCKET_OK && bytes.size == 0) {
        snprintf(self->why, DOCKET__OLDER_WHY, "the store keeps no description of it");
        status = DOCKET_TYPE;
    }
    if (status == DOCKET_OK) {
        status = read_schema(docket_buffer_bytes(&bytes), record, &self->arena, &stored, error);
    }
    if (status == DOCKET_OK) {
        status = describe(self, type, &wanted, error);
    }
    if (status == DOCKET_OK) {
        status = compare(self, docket__type_base(stored), wanted);
        status = status == DOCKET_NO_MEMORY ? docket__error_no_memory(error) : status;
    }
    docket__buffer_release(&bytes);
    return status;
}

/* The two layouts are all that the answer depends on, so it is found out once for each pair of them. */
docket_status docket__older_check(docket_store *store, const docket_record *record, const docket__graph_type *type,
                                  char why[DOCKET__OLDER_WHY], docket_error *error)
{
    comparing self = {.why = why};
    uint8_t fact[32];
    const docket_bytes parts[] = {{(const uint8_t *)"older form", sizeof "older form"},
                                  {record->fingerprint, sizeof record->fingerprint},
                                  {type->fingerprint, sizeof type->fingerprint}};
    docket_status status = docket__sha256(parts, sizeof parts / sizeof parts[0], fact);
    if (status != DOCKET_OK) {
        return docket__error_set(error, status, "the layouts could not be compared");
    }
    if (docket__store_knows(store, fact)) {
        return DOCKET_OK;
    }
    status = check(store, record, type->type, &self, error);
    if (status == DOCKET_OK) {
        docket__store_learn(store, fact);
    }
    docket__map_release(&self.met);
    docket__arena_release(&self.arena);
    return status;
}
