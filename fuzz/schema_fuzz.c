/* Stored schemas against hostile bytes: what is accepted is a type that passes the check, has a fingerprint, and comes
 * back from its own description. */
#include "base/arena.h"
#include "base/buffer.h"
#include "type/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_type(const docket_type *type, docket_arena *arena)
{
    docket_buffer one = {0};
    docket_buffer other = {0};
    const docket_type *again = NULL;
    uint8_t fingerprint[32];
    uint8_t fingerprint_again[32];
    require(docket_type_check(type, NULL) == DOCKET_OK);
    require(docket__schema_encode(type, &one, NULL) == DOCKET_OK);
    require(docket__schema_decode(docket_buffer_bytes(&one), arena, &again, NULL) == DOCKET_OK);
    require(docket__schema_encode(again, &other, NULL) == DOCKET_OK);
    require(one.size == other.size && memcmp(one.data, other.data, one.size) == 0);
    require(docket_type_fingerprint(type, fingerprint, NULL) == DOCKET_OK);
    require(docket_type_fingerprint(again, fingerprint_again, NULL) == DOCKET_OK);
    require(memcmp(fingerprint, fingerprint_again, sizeof fingerprint) == 0);
    docket__buffer_release(&one);
    docket__buffer_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    docket_arena arena = {0};
    docket_error error;
    const docket_type *type = NULL;
    docket_status status = docket__schema_decode((docket_bytes){data, size}, &arena, &type, &error);
    require(status == error.status);
    if (status == DOCKET_OK) {
        check_type(type, &arena);
    } else {
        require(type == NULL && (status == DOCKET_CORRUPT || status == DOCKET_SCHEMA_NEWER));
    }
    docket__arena_release(&arena);
    return 0;
}
