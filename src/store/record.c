#include "store/record.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

enum { PART_FORMAT = 1, PART_KEY, PART_CODEC, PART_KIND, PART_TYPE, PART_FINGERPRINT, PART_VALUE };

/* Where a number or a short text is laid out for the hash. */
typedef struct hashed_bytes {
    uint8_t bytes[512];
    size_t size;
    docket__hash *hash;
} hashed_bytes;

static void flush(hashed_bytes *preimage)
{
    docket__hash_update(preimage->hash, preimage->bytes, preimage->size);
    preimage->size = 0;
}

static void put_bytes(hashed_bytes *preimage, const void *data, size_t size)
{
    if (size > sizeof preimage->bytes - preimage->size) {
        flush(preimage);
    }
    if (size > sizeof preimage->bytes) {
        docket__hash_update(preimage->hash, data, size);
    } else if (size > 0) {
        memcpy(preimage->bytes + preimage->size, data, size);
        preimage->size += size;
    }
}

static void put_part(hashed_bytes *preimage, int part, const void *data, size_t size)
{
    uint8_t head[9] = {(uint8_t)part};
    for (size_t i = 0; i < 8; i++) {
        head[1 + i] = (uint8_t)((uint64_t)size >> (8 * i));
    }
    put_bytes(preimage, head, sizeof head);
    put_bytes(preimage, data, size);
}

static void put_number(hashed_bytes *preimage, int part, uint32_t number)
{
    uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16), (uint8_t)(number >> 24)};
    put_part(preimage, part, bytes, sizeof bytes);
}

static docket_status digest(const docket_record *record, uint8_t checksum[16])
{
    static const char tag[] = "docket record";
    docket__hash hash;
    hashed_bytes preimage = {.size = 0, .hash = &hash};
    uint8_t full[DOCKET__SHA256_BYTES];
    const char *type = record->type != NULL ? record->type : "";

    docket__hash_begin(&hash);
    put_bytes(&preimage, tag, sizeof tag);
    put_number(&preimage, PART_FORMAT, record->format);
    put_part(&preimage, PART_KEY, record->key.bytes, sizeof record->key.bytes);
    put_number(&preimage, PART_CODEC, record->codec);
    put_number(&preimage, PART_KIND, record->kind);
    put_part(&preimage, PART_TYPE, type, strlen(type));
    put_part(&preimage, PART_FINGERPRINT, record->fingerprint, sizeof record->fingerprint);
    put_part(&preimage, PART_VALUE, record->value.data, record->value.size);
    flush(&preimage);
    docket_status status = docket__hash_end(&hash, full);
    memcpy(checksum, full, 16);
    return status;
}

docket_status docket__record_seal(docket_record *record)
{
    return digest(record, record->checksum);
}

docket_status docket__record_verify(const docket_record *record, docket_error *error)
{
    uint8_t checksum[16];
    char hex[2 * sizeof record->key.bytes + 1];
    docket__hex(record->key.bytes, sizeof record->key.bytes, hex);
    if (record->format != DOCKET_RECORD_FORMAT || record->codec != 0 ||
        record->kind < DOCKET_CHECKPOINT_VALUE || record->kind > DOCKET_CHECKPOINT_CHUNK ||
        record->kind == DOCKET_CHECKPOINT_FAILURE) {
        return docket__error_set(error, DOCKET_SCHEMA_NEWER,
                                 "checkpoint %s has format %u, kind %u, codec %u: a newer docket wrote it", hex,
                                 (unsigned)record->format, (unsigned)record->kind, (unsigned)record->codec);
    }
    docket_status status = digest(record, checksum);
    if (status != DOCKET_OK) {
        return docket__error_set(error, status, "the checksum of checkpoint %s cannot be computed", hex);
    }
    if (memcmp(checksum, record->checksum, sizeof checksum) != 0) {
        return docket__error_set(error, DOCKET_CORRUPT,
                                 "checkpoint %s of step %s is damaged: its checksum does not match its %zu bytes",
                                 hex, record->step != NULL ? record->step : "", record->value.size);
    }
    return DOCKET_OK;
}

static const char *copy_text(uint8_t **place, const char *text, size_t size)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = (char *)*place;
    memcpy(copy, text, size);
    *place += size;
    return copy;
}

static const uint8_t *copy_bytes(uint8_t **place, const uint8_t *data, size_t size)
{
    if (data == NULL || size == 0) {
        return NULL;
    }
    uint8_t *copy = *place;
    memcpy(copy, data, size);
    *place += size;
    return copy;
}

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

docket_record *docket_record_copy(const docket_record *record)
{
    size_t execution = text_size(record->execution_id);
    size_t step = text_size(record->step);
    size_t type = text_size(record->type);
    size_t digests;
    size_t total = sizeof *record;
    if (!docket__multiply(record->input_count, 32, &digests) || __builtin_add_overflow(total, digests, &total) ||
        __builtin_add_overflow(total, execution + step + type, &total) ||
        __builtin_add_overflow(total, record->value.size, &total)) {
        return NULL;
    }
    docket_record *copy = docket__resize(NULL, total);
    if (copy == NULL) {
        return NULL;
    }
    uint8_t *place = (uint8_t *)(copy + 1);
    *copy = *record;
    copy->value.data = copy_bytes(&place, record->value.data, record->value.size);
    copy->input_digests = copy_bytes(&place, record->input_digests, digests);
    copy->execution_id = copy_text(&place, record->execution_id, execution);
    copy->step = copy_text(&place, record->step, step);
    copy->type = copy_text(&place, record->type, type);
    return copy;
}

void docket_record_free(docket_record *record)
{
    docket__free(record);
}
