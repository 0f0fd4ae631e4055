/* The wire codec against hostile bytes: whatever decoding accepts, its canonical bytes must bring back, and copying and
 * sealing it must change nothing. The first byte picks the type. */
#include "base/arena.h"
#include "base/buffer.h"
#include "type/codec.h"

#include <docket/struct.h>
#include <stdlib.h>

DOCKET_ENUM(Grade, (GRADE_BAD, -1), (GRADE_UNKNOWN, 0), (GRADE_GOOD, 7));
DOCKET_STRUCT(Point, (INT32, x), (DOUBLE, y));
DOCKET_STRUCT(Line, (STRING, article), (LIST(STRING), tags), (STRUCT(Point), place), (LIST(STRUCT(Point)), path));
DOCKET_STRUCT(Wide, (OPTIONAL(FIXED(5000)), rarely), (STRUCT(Line), line));
DOCKET_STRUCT(Single, (BOOL, b), (INT32, i32), (INT64, i64), (UINT32, u32), (UINT64, u64), (FLOAT, f), (DOUBLE, d),
              (STRING, text), (BYTES, bytes), (TIME_MS, time), (FIXED(3), fixed), (ENUM(Grade), grade),
              (STRUCT(Line), line));
DOCKET_STRUCT(Optional, (OPTIONAL(BOOL), b), (OPTIONAL(INT32), i32), (OPTIONAL(INT64), i64),
              (OPTIONAL(UINT32), u32), (OPTIONAL(UINT64), u64), (OPTIONAL(FLOAT), f), (OPTIONAL(DOUBLE), d),
              (OPTIONAL(STRING), text), (OPTIONAL(BYTES), bytes), (OPTIONAL(FIXED(3)), fixed),
              (OPTIONAL(ENUM(Grade)), grade));
DOCKET_STRUCT_NUMBERED(Lists, (1, LIST(BOOL), b), (2, LIST(INT32), i32), (3, LIST(INT64), i64),
                       (4, LIST(UINT32), u32), (5, LIST(UINT64), u64), (6, LIST(FLOAT), f), (7, LIST(DOUBLE), d),
                       (30, LIST(STRING), text), (9, LIST(BYTES), bytes), (1000, LIST(FIXED(3)), fixed),
                       (12, LIST(ENUM(Grade)), grade), (13, LIST(STRUCT(Line)), lines),
                       (11, LIST(STRUCT(Wide)), wides));
DOCKET_BLOB(Image);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void require_bytes(const docket_type *type, const void *value, const docket_buffer *canonical)
{
    docket_buffer out = {0};
    require(docket_encode(type, value, &out, NULL) == DOCKET_OK);
    require(out.size == canonical->size && (out.size == 0 || memcmp(out.data, canonical->data, out.size) == 0));
    docket__buffer_release(&out);
}

static void check_value(const docket_type *type, void *value, const docket_buffer *canonical, docket_arena *arena)
{
    void *back = docket__arena_allocate(arena, type->size, type->alignment);
    void *copy = docket__arena_allocate(arena, type->size, type->alignment);
    require(docket_decode(type, docket_buffer_bytes(canonical), arena, back, NULL) == DOCKET_OK);
    require_bytes(type, back, canonical);
    require(docket__type_copy(type, value, arena, copy, NULL) == DOCKET_OK);
    require_bytes(type, copy, canonical);
    require(docket__type_seal(type, value, arena, NULL) == DOCKET_OK);
    require_bytes(type, value, canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const docket_type *const types[] = {DOCKET_OF(Single), DOCKET_OF(Optional), DOCKET_OF(Lists),
                                               DOCKET_OF(Image)};
    if (size == 0) {
        return 0;
    }
    const docket_type *type = types[data[0] % (sizeof types / sizeof types[0])];
    docket_arena arena = {0};
    docket_buffer canonical = {0};
    docket_error error;
    void *value = docket__arena_allocate(&arena, type->size, type->alignment);
    docket_status status = docket_decode(type, (docket_bytes){data + 1, size - 1}, &arena, value, &error);
    require(status == error.status);
    require(status == DOCKET_OK || (status == DOCKET_CORRUPT && error.message[0] != '\0'));
    if (status == DOCKET_OK) {
        status = docket_encode(type, value, &canonical, NULL);
        /* Canonical bytes may be so much shorter that they no longer account for the nested structs. */
        require(status == DOCKET_OK || status == DOCKET_ENCODE);
    }
    if (status == DOCKET_OK) {
        check_value(type, value, &canonical, &arena);
    }
    docket__buffer_release(&canonical);
    docket__arena_release(&arena);
    return 0;
}
