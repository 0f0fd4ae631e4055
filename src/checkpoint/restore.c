#include "checkpoint/restore.h"
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/older.h"
#include "store/record.h"
#include <string.h>

static docket_status refuse_type(const docket_record *record, const docket__graph_type *type, const char *why,
                                 docket_error *error)
{
    char stored[17];
    char wanted[17];
    docket__hex(record->fingerprint, 8, stored);
    docket__hex(type->fingerprint, 8, wanted);
    return docket__error_set(
        error, DOCKET_TYPE,
        "the record holds type \"%s\" with layout %s, the program expects \"%s\" with layout %s; "
        "raise the step's version, or set on_unreadable = DOCKET_RERUN%s%s",
        record->type, stored, type->type->name, wanted,
        why == NULL ? "" : "; it is no older form: ", why == NULL ? "" : why);
}

/* An absent record has no layout to speak of, but keeps to the same rule: who changed the type says what may be read. */
static docket_status check_layout(const docket_record *record, const docket__graph_type *type, docket_store *older,
                                  docket_error *error)
{
    char why[DOCKET__OLDER_WHY];
    bool same_name = strcmp(record->type, type->type->name) == 0;
    if (same_name && memcmp(record->fingerprint, type->fingerprint, sizeof type->fingerprint) == 0) {
        return DOCKET_OK;
    }
    if (!same_name || older == NULL) {
        return refuse_type(record, type, NULL, error);
    }
    docket_status status = docket__older_check(older, record, type, why, error);
    return status == DOCKET_TYPE ? refuse_type(record, type, why, error) : status;
}

docket_status docket__record_check(const docket_record *record, const docket__graph_type *type, docket_store *older,
                                   docket_error *error)
{
    docket_status status = docket__record_verify(record, error);
    return status == DOCKET_OK ? check_layout(record, type, older, error) : status;
}

docket_status docket__record_restore(const docket_record *record, const docket__graph_type *type,
                                     docket_store *older, docket_arena *arena, void *value, const char **reason,
                                     docket_error *error)
{
    docket_status status = docket__record_check(record, type, older, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (record->kind != DOCKET_CHECKPOINT_ABSENT && record->kind != DOCKET_CHECKPOINT_VALUE) {
        return docket__error_set(error, DOCKET_TYPE,
                                 "the record holds items that the step expanded, and it expands no more: raise its version");
    }
    if (record->kind != DOCKET_CHECKPOINT_ABSENT) {
        return docket_decode(type->type, record->value, arena, value, error);
    }
    char *text = docket__arena_take(arena, record->value.size + 1, 1);
    if (text == NULL) {
        return docket__error_no_memory(error);
    }
    memcpy(text, record->value.data, record->value.size);
    text[record->value.size] = '\0';
    *reason = text;
    return DOCKET_ABSENT;
}
