#include "engine/prefetch.h"
#include "base/memory.h"

enum {
    FEWEST_STEPS = 8,       /* below that a scan costs more than the look-ups it spares */
    MOST_BYTES = 8 << 20    /* of values held at once */
};

struct docket__prefetch {
    docket__map by_key;
    size_t most_records;
    size_t bytes;
};

static bool keep(void *arg, const docket_record *record)
{
    docket__prefetch *prefetch = arg;
    if (record->expires_ms != 0 || record->value.size > MOST_BYTES - prefetch->bytes) {
        return true;
    }
    docket_record *copy = docket_record_copy(record);
    if (copy == NULL ||
        docket__map_put(&prefetch->by_key, copy->key.bytes, sizeof copy->key.bytes, copy) != DOCKET_OK) {
        docket_record_free(copy);
        return false;
    }
    prefetch->bytes += record->value.size;
    return prefetch->by_key.count < prefetch->most_records;
}

void docket__prefetch_records(docket_execution *execution)
{
    const docket__plan *plan = execution->plan;
    docket_store *store = execution->recording_store;
    if (!plan->has_workflow || plan->recorded_count < FEWEST_STEPS || execution->several_stores ||
        !docket__store_has_scan(store)) {
        return;
    }
    execution->prefetch = docket__allocate(sizeof *execution->prefetch);
    if (execution->prefetch == NULL) {
        return;
    }
    execution->prefetch->most_records = plan->recorded_count;
    docket_error ignored; /* the same fault will meet the first look-up, which answers for it */
    docket_status status =
        docket__store_scan(store, docket__execution_id(execution), execution->deadline_ms, keep, execution->prefetch,
                           &ignored);
    if (status != DOCKET_OK || execution->prefetch->by_key.count == 0) {
        docket__prefetch_release(execution);
    }
}

const docket_record *docket__prefetch_find(const docket_execution *execution, const docket_key *key)
{
    return execution->prefetch == NULL
               ? NULL
               : docket__map_get(&execution->prefetch->by_key, key->bytes, sizeof key->bytes);
}

void docket__prefetch_release(docket_execution *execution)
{
    docket__prefetch *prefetch = execution->prefetch;
    execution->prefetch = NULL;
    if (prefetch == NULL) {
        return;
    }
    size_t cursor = 0;
    for (const docket__map_entry *entry; (entry = docket__map_next(&prefetch->by_key, &cursor)) != NULL;) {
        docket_record_free(entry->value);
    }
    docket__map_release(&prefetch->by_key);
    docket__free(prefetch);
}
