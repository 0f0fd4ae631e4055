/** @page docket_type  Types: nominal value types with a codec, the nodes of a graph.
 *
 * A docket_type tells how big a value is in memory and how it becomes bytes and back. Most programs never write one:
 * DOCKET_STRUCT and its relatives (docket/struct.h) make it from the list of members. Two types with the same layout
 * are different types; a type is known by its name and its fingerprint, never by the descriptor's address.
 *
 * Bytes on disk are protobuf wire format in canonical form: fields in number order, floats by their bits, no padding,
 * independent of locale, time zone, process and build. A struct and the proto3 message with the same fields are the
 * same bytes. Source: the Protocol Buffers encoding specification.
 */
#ifndef DOCKET_TYPE_H
#define DOCKET_TYPE_H

#include <docket/status.h>

DOCKET_BEGIN_DECLS

/** The descriptor layout that these headers speak. */
#define DOCKET_TYPE_ABI 1u

/** What a member holds. The numbers are part of fingerprints and are frozen. */
typedef enum docket_kind {
    DOCKET_KIND_BOOL = 1,   /* bool */
    DOCKET_KIND_INT32 = 2,  /* int32_t */
    DOCKET_KIND_INT64 = 3,  /* int64_t */
    DOCKET_KIND_UINT32 = 4, /* uint32_t */
    DOCKET_KIND_UINT64 = 5, /* uint64_t */
    DOCKET_KIND_FLOAT = 6,  /* float */
    DOCKET_KIND_DOUBLE = 7, /* double */
    DOCKET_KIND_STRING = 8, /* const char *: valid UTF-8; NULL means "" */
    DOCKET_KIND_BYTES = 9,  /* docket_bytes */
    DOCKET_KIND_TIME_MS = 10, /* int64_t: milliseconds since 1970-01-01 UTC */
    DOCKET_KIND_FIXED = 11, /* uint8_t[n] */
    DOCKET_KIND_ENUM = 12,  /* an enum of DOCKET_ENUM: 32 bits; numbers without a name are kept */
    DOCKET_KIND_STRUCT = 13, /* const T *; NULL = unset */
    DOCKET_KIND_FILE = 14, /* docket_file: zero, or filled by docket_file_describe */
    /* Of messages only: numbers that protobuf writes in other ways. */
    DOCKET_KIND_SINT32 = 32,
    DOCKET_KIND_SINT64 = 33,
    DOCKET_KIND_FIXED32 = 34,
    DOCKET_KIND_FIXED64 = 35,
    DOCKET_KIND_SFIXED32 = 36,
    DOCKET_KIND_SFIXED64 = 37
} docket_kind;

/** How often a member occurs. */
typedef enum docket_label {
    DOCKET_LABEL_ONE = 0,
    DOCKET_LABEL_OPTIONAL = 1, /* beside it: bool has_NAME */
    DOCKET_LABEL_LIST = 2,     /* the member points to a contiguous array; beside it: size_t NAME_count */
    /* Of messages only: */
    DOCKET_LABEL_MAP = 3,      /* a list of structs with the members key (1) and value (2), sorted by key */
    DOCKET_LABEL_REQUIRED = 4  /* always in the bytes */
} docket_label;

/** Bytes with a length. `data` may be NULL when `size` is 0. */
typedef struct docket_bytes {
    const uint8_t *data;
    size_t size;
} docket_bytes;

/** A file that a value refers to: where it is and what was in it. Fill it with docket_file_describe; see docket_file(3).
 * As a member it is stored like the message { string path = 1; uint64 size = 2; bytes sha256 = 3; }, and counts in a
 * key by size and digest alone. All of it is zero (no file), or path and digest are both there. */
typedef struct docket_file {
    const char *path;
    uint64_t size;
    uint8_t sha256[32];
} docket_file;

/** One name of an enum. */
typedef struct docket_enum_value {
    const char *name;
    int32_t number;
} docket_enum_value;

/** The names of an enum, in the order of their declaration. */
typedef struct docket_enum {
    const char *name;
    const docket_enum_value *values;
    size_t value_count;
} docket_enum;

typedef struct docket_type docket_type;

/** Flags of a field. */
enum {
    DOCKET_FIELD_SECRET = 1u /* stored like any other, but shown as "***"; not part of the fingerprint */
};

/** One member of a struct type. */
typedef struct docket_field {
    uint32_t number;        /* 1 to 536870911, not 19000 to 19999, unique in the struct */
    uint16_t kind;          /* docket_kind */
    uint16_t label;         /* docket_label */
    const char *name;
    size_t offset;          /* of the member */
    size_t side_offset;     /* of has_NAME or NAME_count; 0 for DOCKET_LABEL_ONE. In the description of a message: not 0
                             * for members of a oneof, and the same for all of it */
    size_t fixed_size;      /* n of DOCKET_KIND_FIXED, else 0 */
    const docket_type *type;   /* of DOCKET_KIND_STRUCT, else NULL */
    const docket_enum *values; /* of DOCKET_KIND_ENUM, else NULL */
    uint32_t flags;         /* DOCKET_FIELD_... */
} docket_field;

/** The members of a struct type. */
typedef struct docket_schema {
    const docket_field *fields;
    size_t field_count;
} docket_schema;

/** Memory that is freed all at once; handed to decode functions. */
typedef struct docket_arena docket_arena;

/** Bytes that grow at their end; handed to encode functions. */
typedef struct docket_buffer docket_buffer;

/** Takes zeroed memory, aligned for any type, from an arena.
 *
 * Valid until: the value for which it was taken is freed.
 * Threads: the one that was handed the arena.
 * Returns: NULL when memory is exhausted; the arena remembers that. */
DOCKET_API void *docket_arena_alloc(docket_arena *arena, size_t size);

/** A copy of bytes in an arena, with a zero behind them, so that it serves as text as well. Not aligned.
 *
 * Valid until: the value for which it was taken is freed.
 * Threads: the one that was handed the arena.
 * Returns: NULL when memory is exhausted; the arena remembers that. */
DOCKET_API void *docket_arena_copy(docket_arena *arena, const void *data, size_t size);

/** Appends bytes. They are copied.
 *
 * Threads: one at a time for each buffer.
 * Returns:
 * - DOCKET_NO_MEMORY: the buffer is unchanged and remembers it; later appends fail as well. */
DOCKET_API docket_status docket_buffer_append(docket_buffer *buffer, const void *data, size_t size);

/** Makes room behind the last byte, for `size` bytes that the caller writes there himself; docket_buffer_commit then
 * adds those that he has written. Cheaper than an append for each of many small pieces.
 *
 * Valid until: the next call with this buffer.
 * Threads: one at a time for each buffer.
 * Returns: NULL when memory is exhausted; the buffer remembers that. */
DOCKET_API uint8_t *docket_buffer_reserve(docket_buffer *buffer, size_t size);
DOCKET_API void docket_buffer_commit(docket_buffer *buffer, size_t size);

/** The bytes so far.
 *
 * Valid until: the next append, or docket_buffer_free. */
DOCKET_API docket_bytes docket_buffer_bytes(const docket_buffer *buffer);

/** Makes an empty buffer, for docket_encode and docket_checkpoint_read.
 *
 * Owns: the caller; free with docket_buffer_free, which accepts NULL.
 * Threads: any; a buffer is used by one at a time.
 * Returns: NULL when memory is exhausted. */
DOCKET_API docket_buffer *docket_buffer_new(void);
DOCKET_API void docket_buffer_free(docket_buffer *buffer);

/** Makes an arena for use with docket_decode.
 *
 * Owns: the caller; docket_arena_free, which accepts NULL, frees it and every value decoded into it.
 * Threads: any; an arena is used by one at a time.
 * Returns: NULL when memory is exhausted. */
DOCKET_API docket_arena *docket_arena_new(void);
DOCKET_API void docket_arena_free(docket_arena *arena);

/** Flags of a type. */
enum {
    DOCKET_TYPE_STRUCT = 1u,   /* `schema` describes it and docket's own codec is used */
    DOCKET_TYPE_BLOB = 2u,     /* laid out like docket_bytes; the bytes themselves are the encoding */
    DOCKET_TYPE_ALIAS = 4u,    /* has `base`'s size, layout, codec and fingerprint under another name */
    DOCKET_TYPE_RESOURCE = 8u, /* has no codec: passed by pointer, never recorded or produced */
    DOCKET_TYPE_MESSAGE = 16u  /* a protobuf message: its own codec, and fields that `describe` tells */
};

/** A type. Make it with the macros of docket/struct.h, or by hand for a foreign format: then set abi, name, size,
 * alignment, layout, encode and decode, leave flags 0, and announce it with DOCKET_DESCRIBE.
 *
 * Hand-written functions must be deterministic and callable from any thread at once. `decode` gets bytes that passed
 * their checksum, but must still refuse what it cannot read, and must take memory from the arena only.
 */
struct docket_type {
    uint32_t abi;   /* DOCKET_TYPE_ABI */
    uint32_t flags; /* DOCKET_TYPE_... */
    const char *name;
    size_t size;      /* of a value in memory: sizeof */
    size_t alignment; /* _Alignof; 0 = 16 */
    const docket_schema *schema;
    const docket_type *base;
    const char *layout; /* of a hand-written type: names its format, becomes its fingerprint; change it with the format */

    /** Gives a zeroed value its start state before every attempt. NULL = zero is the start state. */
    void (*init)(const docket_type *type, void *value);
    /** Appends the value's canonical bytes. */
    docket_status (*encode)(const docket_type *type, const void *value, docket_buffer *out, docket_error *error);
    /** Appends the bytes that identify the value as an input. NULL = the bytes of `encode`, without the paths of FILE
     * members. */
    docket_status (*encode_key)(const docket_type *type, const void *value, docket_buffer *out, docket_error *error);
    /** Fills a zeroed value from bytes. Everything it points to lives in the arena. */
    docket_status (*decode)(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                            docket_error *error);
    /** Fills a zeroed value as a deep copy of `from`. NULL = decode what encode gives. */
    docket_status (*copy)(const docket_type *type, const void *from, docket_arena *arena, void *value,
                          docket_error *error);
    /** Checks a fresh value and brings it into the form that `decode` would give, in place. What it points to may be
     * constant or shared: what must change there is copied into the arena. NULL = nothing to do. */
    docket_status (*seal)(const docket_type *type, void *value, docket_arena *arena, docket_error *error);
    /** Of a DOCKET_TYPE_MESSAGE: makes a type in the arena whose `schema` tells the fields, for fingerprint and stored
     * schema. Of the types in it only flags (DOCKET_TYPE_MESSAGE), name and schema count, of fields not where they lie;
     * fields stand in the order of their numbers, and messages may contain themselves. */
    docket_status (*describe)(const docket_type *type, docket_arena *arena, const docket_type **described,
                              docket_error *error);
    const void *detail; /* for the functions above, which may serve many types */
    const char *const *secrets; /* of a DOCKET_TYPE_MESSAGE: members that `describe` marks as secret, then NULL; or NULL */
    const void *reserved[1];
};

/** Checks a descriptor: ABI, name, codec, field numbers, nested types. A graph does so by itself for every type that
 * its steps name.
 *
 * Threads: any.
 * Returns:
 * - DOCKET_INVALID: the message names the type, the member and what is wrong with it.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_type_check(const docket_type *type, docket_error *error);

/** Writes the 32-byte fingerprint of a type's layout: SHA-256 over (number, kind, name, label, nested fingerprint)
 * of its fields, without the type's own name and without the names of an enum, which may grow. An alias has its base's
 * fingerprint; a resource's is zero. Of messages that contain themselves, the whole circle is hashed.
 *
 * Threads: any.
 * Returns:
 * - DOCKET_INVALID: the descriptor does not pass docket_type_check.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_type_fingerprint(const docket_type *type, uint8_t fingerprint[32],
                                                                   docket_error *error);

/** Appends a value's canonical bytes to a buffer. After a failure the buffer holds what it held before.
 *
 * Threads: any, with buffers of their own.
 * Returns:
 * - DOCKET_ENCODE: a STRING is not valid UTF-8; a list or bytes have a count or size but are NULL; a FILE was not
 *   described; structs are nested more than 100 deep, or take more than 1 MiB and 256 times their own bytes. The message
 *   names the member.
 * - DOCKET_INVALID: the type is a resource.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_encode(const docket_type *type, const void *value,
                                                         docket_buffer *out, docket_error *error);

/** Fills `value` (type->size zeroed bytes) from bytes; everything it points to lives in the arena. Hostile bytes are
 * safe: nesting is bounded at 100 levels, and memory at 256 times the bytes and 1 MiB. After a failure `value` is zero.
 *
 * Valid until: what the value points to, until docket_arena_free; `bytes` may go at once.
 * Threads: any, with arenas of their own.
 * Returns:
 * - DOCKET_CORRUPT: the bytes are not a value of this type; the message tells where and why.
 * - DOCKET_INVALID: the type is a resource.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_decode(const docket_type *type, docket_bytes bytes,
                                                         docket_arena *arena, void *value, docket_error *error);

DOCKET_END_DECLS

#endif
