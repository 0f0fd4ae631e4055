/* The JSON reader against hostile text: what it accepts must come back from its own JSON, and what it refuses must come
 * with a message. The first byte picks the type. */
#include "base/arena.h"
#include "base/buffer.h"
#include "type/codec.h"

#include <docket/json.h>
#include <docket/struct.h>
#include <stdlib.h>

DOCKET_ENUM(Grade, (GRADE_BAD, -1), (GRADE_UNKNOWN, 0), (GRADE_GOOD, 7));
DOCKET_STRUCT(Point, (INT32, x), (DOUBLE, y));
DOCKET_STRUCT(Line, (STRING, article), (LIST(STRING), tags), (STRUCT(Point), place), (LIST(STRUCT(Point)), path));
DOCKET_STRUCT(Single, (BOOL, b), (INT32, i32), (INT64, i64), (UINT32, u32), (UINT64, u64), (FLOAT, f), (DOUBLE, d),
              (STRING, text), (BYTES, bytes), (TIME_MS, time), (FIXED(3), fixed), (ENUM(Grade), grade),
              (STRUCT(Line), line), (SECRET(STRING), card), (OPTIONAL(INT64), a_long_name), (OPTIONAL(FLOAT), of));
DOCKET_STRUCT(Lists, (LIST(BOOL), b), (LIST(INT32), i32), (LIST(INT64), i64), (LIST(UINT32), u32),
              (LIST(UINT64), u64), (LIST(FLOAT), f), (LIST(DOUBLE), d), (LIST(STRING), text), (LIST(BYTES), bytes),
              (LIST(FIXED(3)), fixed), (LIST(ENUM(Grade)), grade), (LIST(STRUCT(Line)), lines), (LIST(TIME_MS), time));
DOCKET_BLOB(Image);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void write(const docket_type *type, const void *value, docket_buffer *out)
{
    require(docket_json_write(type, value, NULL, out, NULL) == DOCKET_OK);
}

/* A secret is not in its JSON, and so does not come back. */
static void check_value(const docket_type *type, void *value, docket_arena *arena)
{
    docket_buffer one = {0};
    docket_buffer other = {0};
    void *back = docket__arena_allocate(arena, type->size, type->alignment);
    if (type == DOCKET_OF(Single)) {
        ((Single *)value)->card = "";
    }
    write(type, value, &one);
    require(docket_json_read(type, (const char *)one.data, one.size, NULL, arena, back, NULL) == DOCKET_OK);
    write(type, back, &other);
    require(one.size == other.size && memcmp(one.data, other.data, one.size) == 0);
    docket__buffer_release(&one);
    docket__buffer_release(&other);
    docket_status status = docket_encode(type, value, &one, NULL);
    require(status == DOCKET_OK || status == DOCKET_ENCODE);
    require(docket_encode(type, back, &other, NULL) == status);
    require(one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0));
    docket__buffer_release(&one);
    docket__buffer_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const docket_type *const types[] = {DOCKET_OF(Single), DOCKET_OF(Lists), DOCKET_OF(Image)};
    static const docket_json_options ignore = {DOCKET_JSON_OPTIONS_INIT, .ignore_unknown = true};
    if (size == 0) {
        return 0;
    }
    const docket_type *type = types[data[0] % (sizeof types / sizeof types[0])];
    docket_arena arena = {0};
    docket_error error;
    void *value = docket__arena_allocate(&arena, type->size, type->alignment);
    docket_status status = docket_json_read(type, (const char *)data + 1, size - 1, data[0] & 0x80 ? &ignore : NULL,
                                            &arena, value, &error);
    require(status == error.status);
    require(status == DOCKET_OK || (status == DOCKET_INVALID && error.message[0] != '\0'));
    if (status == DOCKET_OK) {
        check_value(type, value, &arena);
    }
    docket__arena_release(&arena);
    return 0;
}
