#include "support/plant.h"

#include "store/record.h"
#include "store/store.h"
#include "support/gate.h"

#include <string.h>

typedef struct planting {
    docket__write write; /* first */
    gate written;
} planting;

static void on_written(docket__write *write)
{
    planting *self = (planting *)write;
    gate_arrive(&self->written);
}

docket_status plant_record(docket_store *store, docket_record *record, bool replace, docket_error *error)
{
    static const uint8_t unset[sizeof record->checksum];
    if (memcmp(record->checksum, unset, sizeof unset) == 0 && docket__record_seal(record) != DOCKET_OK) {
        return DOCKET_NO_MEMORY;
    }
    planting self = {
        .write = {.commit = {.struct_size = sizeof(docket_commit), .record = record, .replace = replace},
                  .done = on_written,
                  .error = error,
                  .deadline_ms = INT64_MAX},
        .written = GATE_INIT(1),
    };
    docket__store_write(store, &self.write);
    if (!gate_wait(&self.written)) {
        return DOCKET_TIMEOUT;
    }
    docket_record_free(self.write.commit.existing);
    return self.write.commit.status;
}
