/* Records put into a store as if a step had made them: with any key, any bytes and a right checksum. */
#ifndef DOCKET_TESTS_PLANT_H
#define DOCKET_TESTS_PLANT_H

#include <docket/backend.h>

/* Seals a record unless its checksum is set already, and writes it; with `replace` in the place of a live one.
 *
 * Returns what the commit came to. */
docket_status plant_record(docket_store *store, docket_record *record, bool replace, docket_error *error);

#endif
