/* Plain structs: the codec behind every type with DOCKET_TYPE_STRUCT. The functions take the type as it was named (an
 * alias, perhaps), because its name begins the path in their messages. They leave the error alone on success. */
#ifndef DOCKET_TYPE_PLAIN_H
#define DOCKET_TYPE_PLAIN_H

#include <docket/type.h>

/* Appends canonical protobuf bytes; on failure what was appended stays. */
docket_status docket__plain_encode(const docket_type *type, const void *value, docket_buffer *out,
                                   docket_error *error);

/* The same without the paths of files: what identifies the value. */
docket_status docket__plain_encode_key(const docket_type *type, const void *value, docket_buffer *out,
                                       docket_error *error);

/* Fills a zeroed value; on failure it is left half filled. */
docket_status docket__plain_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                   docket_error *error);

/* A field of bytes whose length is not known yet: begin writes its tag and keeps a byte for the length, end makes room
 * for a longer one. DOCKET_NO_MEMORY. */
docket_status docket__length_begin(docket_buffer *out, uint32_t number, size_t *start);
docket_status docket__length_end(docket_buffer *out, size_t start);

/* See docket__type_copy and docket__type_seal. */
docket_status docket__plain_copy(const docket_type *type, const void *from, docket_arena *arena, void *value,
                                 docket_error *error);
docket_status docket__plain_seal(const docket_type *type, void *value, docket_arena *arena, docket_error *error);

#endif
