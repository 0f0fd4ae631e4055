#include "checkpoint/key.h"
#include "base/hash.h"
#include <string.h>

enum {
    KEY_FORMAT = 1,
    PART_FORMAT = 1,
    PART_NAMESPACE = 2,
    PART_SCOPE = 3,
    PART_EXECUTION = 4,
    PART_STEP = 5,
    PART_VERSION = 6,
    PART_OUTPUT = 7,
    PART_INPUT = 8,
    PART_PRESENT = 9,
    PART_ABSENT = 10,
    PART_RESOURCE = 11,
    PART_ITEMS = 12,
    PART_ITEM = 13,
    PART_IDEMPOTENCY = 20,
    PART_SLOT = 21,
    PART_HEAD_BYTES = 9,
    /* Eight parts of at most 255 bytes before the inputs, and two per input. */
    PREIMAGE_CAPACITY =
        (8 + DOCKET_MAX_INPUTS) * (255 + PART_HEAD_BYTES) + DOCKET_MAX_INPUTS * (72 + PART_HEAD_BYTES)
};

/* The digests of items stay where they are, as parts between the bytes before them and those behind. */
typedef struct preimage {
    uint8_t bytes[PREIMAGE_CAPACITY];
    size_t size;
    size_t start; /* of the bytes that are not yet in a part */
    docket_bytes parts[2 * DOCKET_MAX_INPUTS + 1];
    size_t part_count;
} preimage;

static void begin(preimage *image)
{
    image->size = image->start = image->part_count = 0;
}

static void put_number(uint8_t *bytes, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint8_t *put_part(preimage *image, uint8_t tag, size_t size)
{
    uint8_t *part = image->bytes + image->size;
    part[0] = tag;
    put_number(part + 1, size, 8);
    image->size += PART_HEAD_BYTES + size;
    return part + PART_HEAD_BYTES;
}

static void put_text(preimage *image, uint8_t tag, const char *text)
{
    size_t size = strlen(text);
    memcpy(put_part(image, tag, size), text, size);
}

static void put_word(preimage *image, uint8_t tag, uint64_t number, size_t size)
{
    put_number(put_part(image, tag, size), number, size);
}

static void close_part(preimage *image)
{
    image->parts[image->part_count++] = (docket_bytes){image->bytes + image->start, image->size - image->start};
    image->start = image->size;
}

static void put_value(preimage *image, const docket__key_input *input, bool with_layout)
{
    bool items = input->state == DOCKET__KEY_ITEMS;
    size_t digests = items ? 32 * input->count : 32;
    size_t size = (with_layout ? 32u : 0u) + (items ? 8u : 0u) + digests;
    uint8_t *part = put_part(image, items ? PART_ITEMS : PART_PRESENT, size);
    if (with_layout) {
        memcpy(part, input->fingerprint, 32);
        part += 32;
    }
    if (!items) {
        memcpy(part, input->digest, 32);
        return;
    }
    put_number(part, input->count, 8);
    image->size -= digests;
    close_part(image);
    image->parts[image->part_count++] = (docket_bytes){input->digest, digests};
}

static docket_status digest_of(preimage *image, uint8_t digest[32])
{
    close_part(image);
    return docket__sha256(image->parts, image->part_count, digest);
}

static void put_inputs(preimage *image, const docket__key_subject *subject, bool with_layout)
{
    for (size_t i = 0; i < subject->input_count; i++) {
        const docket__key_input *input = &subject->inputs[i];
        put_text(image, PART_INPUT, input->type);
        if (input->state == DOCKET__KEY_ABSENT) {
            put_part(image, PART_ABSENT, 0);
        } else if (input->state == DOCKET__KEY_RESOURCE) {
            put_part(image, PART_RESOURCE, 0);
        } else {
            put_value(image, input, with_layout);
        }
    }
}

static void put_place(preimage *image, const docket__key_subject *subject, bool with_execution)
{
    put_text(image, PART_NAMESPACE, subject->key_namespace);
    put_word(image, PART_SCOPE, (uint64_t)subject->scope, 1);
    if (with_execution) {
        put_text(image, PART_EXECUTION, subject->execution_id);
    }
    put_text(image, PART_STEP, subject->step);
}

docket_status docket__key_make(const docket__key_subject *subject, docket_key *key)
{
    preimage image;
    begin(&image);
    put_word(&image, PART_FORMAT, KEY_FORMAT, 4);
    put_place(&image, subject, subject->scope == DOCKET_SCOPE_WORKFLOW);
    put_word(&image, PART_VERSION, subject->version, 4);
    put_text(&image, PART_OUTPUT, subject->output);
    put_inputs(&image, subject, true);
    return digest_of(&image, key->bytes);
}

static docket_status digest_half(preimage *image, uint8_t half[16])
{
    uint8_t digest[32];
    docket_status status = digest_of(image, digest);
    memcpy(half, digest, 16);
    return status;
}

docket_status docket__key_idempotency(const docket__key_subject *subject, uint8_t key[16])
{
    preimage image;
    begin(&image);
    put_word(&image, PART_IDEMPOTENCY, KEY_FORMAT, 4);
    put_place(&image, subject, subject->scope != DOCKET_SCOPE_GLOBAL);
    put_inputs(&image, subject, false);
    if (subject->scope == DOCKET_SCOPE_NONE && subject->item_number > 0) {
        put_word(&image, PART_ITEM, subject->item_number, 8);
    }
    return digest_half(&image, key);
}

docket_status docket__key_slot(const docket__key_subject *subject, uint8_t slot[16])
{
    preimage image;
    begin(&image);
    put_word(&image, PART_SLOT, KEY_FORMAT, 4);
    put_place(&image, subject, subject->scope != DOCKET_SCOPE_GLOBAL);
    if (subject->scope == DOCKET_SCOPE_GLOBAL || subject->item_number > 0) {
        put_inputs(&image, subject, false);
    }
    return digest_half(&image, slot);
}
