#include "checkpoint/restore.h"
#include "base/error.h"
#include "base/hash.h"
#include "store/record.h"
#include <string.h>

static docket_status refuse_type(const docket_record *record, const docket__graph_type *type, docket_error *error)
{
    char stored[17];
    char wanted[17];
    docket__hex(record->fingerprint, 8, stored);
    docket__hex(type->fingerprint, 8, wanted);
    return docket__error_set(error, DOCKET_TYPE,
                             "the record holds type \"%s\" with layout %s, the program expects \"%s\" with layout %s; "
                             "raise the step's version, or set on_unreadable = DOCKET_RERUN",
                             record->type, stored, type->type->name, wanted);
}

docket_status docket__record_restore(const docket_record *record, const docket__graph_type *type, docket_arena *arena,
                                     void *value, const char **reason, docket_error *error)
{
    docket_status status = docket__record_verify(record, error);
    if (status != DOCKET_OK) {
        return status;
    }
    if (strcmp(record->type, type->type->name) != 0 ||
        memcmp(record->fingerprint, type->fingerprint, sizeof type->fingerprint) != 0) {
        return refuse_type(record, type, error);
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
