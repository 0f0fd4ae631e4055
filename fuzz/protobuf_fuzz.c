/* Messages against hostile bytes: whatever decoding accepts, its canonical bytes must bring back, and copying and sealing
 * it must change nothing. It must have a JSON that reads back as itself, and the bytes, whatever they are, a JSON by the
 * stored description or a fault. The first byte picks the type; with its highest bit the rest is JSON. */
#include "base/arena.h"
#include "base/buffer.h"
#include "legacy.pb-c.h"
#include "sample.pb-c.h"
#include "shapes.pb-c.h"
#include "type/codec.h"
#include "type/json.h"
#include "type/schema.h"

#include <docket/protobuf.h>
#include <stdlib.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Sample__Program, sample__program);
DOCKET_PROTOBUF(Legacy__Old, legacy__old);
DOCKET_PROTOBUF(Legacy__Wides, legacy__wides);
DOCKET_PROTOBUF(Shapes__Known, shapes__known);
DOCKET_PROTOBUF_SECRET(Shapes__Order, shapes__order, "card_number", "notes");

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

/* JSON leaves unknown fields out, and a secret says so itself; what is left must come back and look the same. */
static void check_json(const docket_type *type, const void *value, docket_arena *arena)
{
    docket_buffer one = {0};
    docket_buffer other = {0};
    docket_error error;
    void *back = docket__arena_allocate(arena, type->size, type->alignment);
    require(docket_json_write(type, value, NULL, &one, NULL) == DOCKET_OK);
    docket_status status = docket_json_read(type, (const char *)one.data, one.size, NULL, arena, back, &error);
    bool is_hidden =
        type == DOCKET_OF(Shapes__Order) && status == DOCKET_INVALID && strstr(error.message, "secret") != NULL;
    bool is_dense = strstr(error.message, "account for") != NULL; /* less text than messages */
    if (status == DOCKET_OK) {
        require(docket_json_write(type, back, NULL, &other, NULL) == DOCKET_OK);
        require(one.size == other.size && memcmp(one.data, other.data, one.size) == 0);
    } else {
        require(is_hidden || is_dense || status == DOCKET_UNSUPPORTED);
    }
    docket__buffer_release(&one);
    docket__buffer_release(&other);
}

static void check_stored(const docket_type *type, docket_bytes bytes, docket_arena *arena)
{
    static const docket_json_options all = {DOCKET_JSON_OPTIONS_INIT, .all_members = true};
    docket_buffer schema = {0};
    docket_buffer out = {0};
    const docket_type *described;
    docket_error error;
    require(docket__schema_encode(type, &schema, NULL) == DOCKET_OK);
    require(docket__schema_decode(docket_buffer_bytes(&schema), arena, &described, NULL) == DOCKET_OK);
    docket_status status = docket__json_write_stored(described, bytes, &all, &out, &error);
    require(status == DOCKET_OK || (status == DOCKET_CORRUPT && error.message[0] != '\0' && out.size == 0));
    docket__buffer_release(&schema);
    docket__buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const docket_type *const types[] = {DOCKET_OF(Sample__Everything), DOCKET_OF(Sample__Program),
                                               DOCKET_OF(Legacy__Old),        DOCKET_OF(Legacy__Wides),
                                               DOCKET_OF(Shapes__Known),      DOCKET_OF(Shapes__Order)};
    if (size == 0) {
        return 0;
    }
    const docket_type *type = types[(data[0] & 0x7f) % (sizeof types / sizeof types[0])];
    docket_arena arena = {0};
    docket_buffer canonical = {0};
    docket_error error;
    void *value = docket__arena_allocate(&arena, type->size, type->alignment);
    bool is_json = (data[0] & 0x80) != 0;
    docket_status status =
        is_json ? docket_json_read(type, (const char *)data + 1, size - 1, NULL, &arena, value, &error)
                : docket_decode(type, (docket_bytes){data + 1, size - 1}, &arena, value, &error);
    require(status == error.status);
    require(status == DOCKET_OK || status == DOCKET_UNSUPPORTED ||
            (status == (is_json ? DOCKET_INVALID : DOCKET_CORRUPT) && error.message[0] != '\0'));
    if (!is_json) {
        check_stored(type, (docket_bytes){data + 1, size - 1}, &arena);
    }
    if (status == DOCKET_OK) {
        status = docket_encode(type, value, &canonical, NULL);
        /* Canonical bytes may be so much shorter that they no longer account for the nested messages. */
        require(status == DOCKET_OK || status == DOCKET_ENCODE);
    }
    if (status == DOCKET_OK) {
        check_value(type, value, &canonical, &arena);
        check_json(type, value, &arena);
    }
    docket__buffer_release(&canonical);
    docket__arena_release(&arena);
    return 0;
}
