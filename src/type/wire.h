/* The protobuf wire format's smallest parts. Source: the Protocol Buffers encoding specification. */
#ifndef DOCKET_TYPE_WIRE_H
#define DOCKET_TYPE_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum docket__wire {
    DOCKET__WIRE_VARINT = 0,
    DOCKET__WIRE_FIXED64 = 1,
    DOCKET__WIRE_BYTES = 2,
    DOCKET__WIRE_FIXED32 = 5
};

enum {
    DOCKET__VARINT_BYTES = 10, /* of the longest varint */
    DOCKET__TAG_BYTES = 5      /* of the longest tag */
};

static inline size_t docket__varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

/* Each put returns the place behind what it wrote. */
static inline uint8_t *docket__varint_put(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *docket__tag_put(uint8_t *at, uint32_t number, enum docket__wire wire)
{
    return docket__varint_put(at, number << 3 | (uint32_t)wire);
}

static inline uint8_t *docket__little_put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
    return at + size;
}

static inline uint64_t docket__little_get(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << 8 * i;
    }
    return value;
}

/* Reads a varint of the shortest form that fits 64 bits and returns the place behind it; NULL = there is none. */
static inline const uint8_t *docket__varint_get(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (at < end && *at < 0x80) {
        *value = *at;
        return at + 1;
    }
    uint64_t read = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) {
            return NULL;
        }
        read |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return byte == 0 && shift > 0 ? NULL : at;
        }
    }
    return NULL;
}

/* The same for one of any length up to ten bytes, as protobuf reads it. */
static inline const uint8_t *docket__varint_take(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (at < end && *at < 0x80) {
        *value = *at;
        return at + 1;
    }
    uint64_t read = 0;
    for (unsigned shift = 0; at < end && shift < 70; shift += 7) {
        uint8_t byte = *at++;
        read |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return at;
        }
    }
    return NULL;
}

#endif
