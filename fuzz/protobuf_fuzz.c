/* Messages against hostile bytes: whatever decoding accepts, its canonical bytes must bring back, and copying and sealing
 * it must change nothing. The first byte picks the type. */
#include "base/arena.h"
#include "base/buffer.h"
#include "legacy.pb-c.h"
#include "sample.pb-c.h"
#include "type/codec.h"

#include <docket/protobuf.h>
#include <stdlib.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Sample__Program, sample__program);
DOCKET_PROTOBUF(Legacy__Old, legacy__old);
DOCKET_PROTOBUF(Legacy__Wides, legacy__wides);

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
    static const docket_type *const types[] = {DOCKET_OF(Sample__Everything), DOCKET_OF(Sample__Program),
                                               DOCKET_OF(Legacy__Old), DOCKET_OF(Legacy__Wides)};
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
        /* Canonical bytes may be so much shorter that they no longer account for the nested messages. */
        require(status == DOCKET_OK || status == DOCKET_ENCODE);
    }
    if (status == DOCKET_OK) {
        check_value(type, value, &canonical, &arena);
    }
    docket__buffer_release(&canonical);
    docket__arena_release(&arena);
    return 0;
}
