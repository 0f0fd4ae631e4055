/* Stored schemas: a type's description as bytes that stand alone, so that values can be shown without the program that
 * wrote them. The description is itself a docket struct (see schema.c), in the same wire format as every value. */
#ifndef DOCKET_TYPE_SCHEMA_H
#define DOCKET_TYPE_SCHEMA_H

#include <docket/type.h>

enum { DOCKET__SCHEMA_FORMAT = 1 };

/* Appends the description of a type and all types nested in it. Equal types give equal bytes. Returns DOCKET_INVALID
 * (a resource, or the descriptor does not pass docket_type_check) or DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__schema_encode(const docket_type *type, docket_buffer *out,
                                                      docket_error *error);

/* Rebuilds a type from its description, laid out in memory by docket itself: docket_decode, docket_encode and
 * docket_type_fingerprint work with it as with the original, and so can a renderer. Everything lives in the arena.
 * A hand-written type comes back with name and layout, but without codec. Hostile bytes are safe.
 *
 * Returns DOCKET_CORRUPT, DOCKET_SCHEMA_NEWER (a format this library does not know), DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__schema_decode(docket_bytes bytes, docket_arena *arena,
                                                      const docket_type **type, docket_error *error);

/* True if the description `given` should take the place of `kept`, which a store has of the same name and fingerprint.
 * Names of an enum and secrecy may differ: the later description counts, but never shows a member that the kept one
 * hides. */
bool docket__schema_supersedes(docket_bytes kept, docket_bytes given);

#endif
