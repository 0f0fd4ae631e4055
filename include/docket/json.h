/** @page docket_json  JSON: showing values and what was recorded of them, and reading values from JSON.
 *
 * Values become JSON by protobuf's JSON mapping, so that whoever knows the one knows the other:
 *
 *     BOOL                    true, false
 *     INT32 UINT32            a number
 *     INT64 UINT64            a string of digits, exact: "9007199254740993"
 *     FLOAT DOUBLE            the shortest number that reads back as the same; "NaN" "Infinity" "-Infinity"
 *     STRING                  a string
 *     BYTES FIXED(n), a blob  a string: base64, standard alphabet, padded
 *     TIME_MS                 a string: "2026-01-31T12:00:00.000Z"; outside the years 1 to 9999 its digits
 *     ENUM                    the name as a string; the number, if it has none
 *     STRUCT(T)               an object with T's members in the order of their numbers
 *     LIST(kind)              an array
 *     OPTIONAL(kind)          the member, if it is there
 *
 * Members have the names of the struct (protobuf calls that preserving the proto field names); `lower_camel_case` writes
 * orderId for order_id instead, except where two members would get the same name. A member that is zero, empty, NULL or
 * absent is left out, unless it is a FIXED or an OPTIONAL that is there. An alias is shown like its base. A type with a
 * codec of its own is shown as its bytes: {"@type":"Image","base64":"…"}. A resource is not shown.
 *
 * A protobuf message is an object as well, with the names of its .proto file; members that have presence are there when
 * they are set, and maps are objects with their keys as strings. Timestamp, Duration, FieldMask, Struct, Value, ListValue
 * and the wrappers of google.protobuf have the forms that protobuf gives them; what cannot be told in its form is shown
 * like any other message. Unknown fields are left out.
 *
 * A SECRET member (of a message: one named by DOCKET_PROTOBUF_SECRET) reads "***", whatever is in it. Reading refuses these three stars for such a member.
 */
#ifndef DOCKET_JSON_H
#define DOCKET_JSON_H

#include <docket/store.h>

DOCKET_BEGIN_DECLS

/** How JSON is written and read. Start with DOCKET_JSON_OPTIONS_INIT. */
typedef struct docket_json_options {
    size_t struct_size;
    bool all_members;      /* writing: also members that are zero, empty or absent; absent ones as null */
    bool lower_camel_case; /* writing: orderId for order_id. Reading takes both */
    bool ignore_unknown;   /* reading: pass over members that the type does not have */
    unsigned indent;       /* writing: spaces per level, up to 8, and a line per member; 0 = all in one line */
} docket_json_options;

#define DOCKET_JSON_OPTIONS_INIT .struct_size = sizeof(docket_json_options)

/** Appends a value as JSON text, UTF-8 without a final newline or NUL. Nothing depends on the locale. After a failure
 * the buffer holds what it held before. `options` may be NULL.
 *
 * Threads: any, with buffers of their own.
 * Returns:
 * - DOCKET_ENCODE: as docket_encode; the message names the member.
 * - DOCKET_INVALID: a NULL, the type is a resource or does not pass docket_type_check, or an option is not acceptable.
 * - DOCKET_NO_MEMORY
 * - Of a type with a codec of its own: what its `encode` answers. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_json_write(const docket_type *type, const void *value,
                                                             const docket_json_options *options,
                                                             docket_buffer *out, docket_error *error);

/** Fills `value` (type->size zeroed bytes) from `size` bytes of JSON; everything it points to lives in the arena. What
 * docket_json_write writes comes back bit for bit, but for secrets and the payload of a NaN. Beside that it takes what
 * protobuf's mapping says: integers as number or string, 1e3 and 1.0 as integers, numbers of enums, base64 of either
 * alphabet with or without padding, times with any offset, null for a member that is left out, lowerCamelCase names.
 *
 * It is strict where silence would lose something: members that the type does not have, members given twice, two of one
 * oneof, a required one that is missing, numbers out of range, fractions of a millisecond are refused. Hostile text is safe: memory stays in proportion to it, and nesting
 * is bounded. The tree of the text is jansson's: it is freed before the call returns, and does not pass through
 * docket_set_allocator. After a failure `value` is zero.
 *
 * Valid until: what the value points to, until docket_arena_free; `text` may go at once.
 * Threads: any, with arenas of their own.
 * Returns:
 * - DOCKET_INVALID: a NULL, a resource, an option, or the text is not JSON or not a value of this type; the message tells
 *   path, line and column (in bytes), and why.
 * - DOCKET_UNSUPPORTED: this library was built without jansson.
 * - DOCKET_NO_MEMORY
 * - Of a type with a codec of its own: what its `decode` answers. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_json_read(const docket_type *type, const char *text, size_t size,
                                                            const docket_json_options *options, docket_arena *arena,
                                                            void *value, docket_error *error);

/** Appends a recorded value as JSON, by the description of its type that the store keeps: the program that reads need not
 * know the type. The bytes are checked against their checksum first. A member that was declared SECRET by any program
 * that recorded the type is shown as "***".
 *
 * Threads: any.
 * Returns:
 * - DOCKET_INVALID: a NULL, or an option is not acceptable.
 * - DOCKET_MISSING, DOCKET_ABSENT, DOCKET_CORRUPT, DOCKET_STORE, DOCKET_FORKED: as docket_checkpoint_read. DOCKET_CORRUPT
 *   also if the description does not belong to the bytes.
 * - DOCKET_SCHEMA_NEWER: a newer docket wrote the record or the description.
 * - DOCKET_UNSUPPORTED: the store keeps no description of the type.
 * - DOCKET_NO_MEMORY
 * See: docket_json_write. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_checkpoint_json(docket_store *store, const uint8_t key[32],
                                                                  const docket_json_options *options,
                                                                  docket_buffer *out, docket_error *error);

DOCKET_END_DECLS

#endif
