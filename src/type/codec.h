/* What the other rooms do with values, beside the public docket_encode, docket_decode, docket_type_check and
 * docket_type_fingerprint. All of it follows aliases, expects a type that passed docket_type_check, and may be called
 * from any thread at once. */
#ifndef DOCKET_TYPE_CODEC_H
#define DOCKET_TYPE_CODEC_H

#include <docket/type.h>

/* The type whose codec and layout count: follows aliases to their end. */
static inline const docket_type *docket__type_base(const docket_type *type)
{
    while (type->flags & DOCKET_TYPE_ALIAS) {
        type = type->base;
    }
    return type;
}

/* _Alignof of a value. */
static inline size_t docket__type_alignment(const docket_type *type)
{
    return type->alignment != 0 ? type->alignment : 16;
}

/* Appends the bytes that identify a value as an input: those of encode_key, else the canonical bytes without the paths
 * of files. Statuses as docket_encode; on failure the buffer's bytes are as before. */
DOCKET_MUST_CHECK docket_status docket__type_encode_key(const docket_type *type, const void *value,
                                                        docket_buffer *out, docket_error *error);

/* Fills a zeroed value as a deep copy that equals what docket_decode makes of docket_encode's bytes: an unset STRING
 * reads "". A struct is copied member by member without a way through bytes.
 *
 * Returns DOCKET_ENCODE (the message names the member), DOCKET_INVALID (a resource), DOCKET_NO_MEMORY, or what a
 * hand-written codec answers; the value is zero then. */
DOCKET_MUST_CHECK docket_status docket__type_copy(const docket_type *type, const void *from, docket_arena *arena,
                                                  void *value, docket_error *error);

/* False if docket__type_seal has nothing to do for any value of the type: structs of plain numbers (bool is not plain),
 * hand-written types without `seal`, resources. Cheap, but worth keeping per step. */
bool docket__type_needs_seal(const docket_type *type);

/* Checks and normalises a fresh value in place, so that it cannot be told from a restored one: unset STRING becomes "",
 * empty LIST and BYTES become NULL, an absent OPTIONAL becomes zero, bool becomes 0 or 1. What the value points to may
 * be constant or shared and is never written to: what must change there is copied into the arena.
 *
 * Returns DOCKET_ENCODE (ill-formed UTF-8, a LIST with a count but no elements; the message names the member) or
 * DOCKET_NO_MEMORY; the value may be partly normalised then. */
DOCKET_MUST_CHECK docket_status docket__type_seal(const docket_type *type, void *value, docket_arena *arena,
                                                  docket_error *error);

#endif
