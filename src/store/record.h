/* Records: their checksum and their copies.
 *
 * The checksum is the first half of SHA-256 over a tag and, each with its own tag and length: format, key, codec, kind,
 * type name, fingerprint and value. It is made where the value is encoded and checked where it is decoded, so that no
 * layer in between can change a value unseen. */
#ifndef DOCKET_STORE_RECORD_H
#define DOCKET_STORE_RECORD_H

#include <docket/backend.h>

/* Sets the record's checksum. Returns as docket__hash_end. */
DOCKET_MUST_CHECK docket_status docket__record_seal(docket_record *record);

/* Where the record is, or is to be. */
static inline docket_address docket__record_address(const docket_record *record)
{
    return (docket_address){record->key, record->scope, record->execution_id, record->step};
}

/* Checks a record that was read.
 *
 * Returns DOCKET_SCHEMA_NEWER for a format, kind or codec that this library does not know, DOCKET_CORRUPT if checksum
 * and content disagree, DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__record_verify(const docket_record *record, docket_error *error);

#endif
