/* Buffers: bytes that grow at their end. Embeddable; zero is empty. A failed growth leaves the bytes as they are and
 * is remembered: later appends fail too, so that a writer may check once at its end. */
#ifndef DOCKET_BASE_BUFFER_H
#define DOCKET_BASE_BUFFER_H

#include <docket/type.h>
#include <string.h>

struct docket_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity; /* once failed: equal to size, so that every request comes to docket__buffer_grow */
    bool failed;
};

/* Makes room for `extra` more bytes and one spare. False when memory is exhausted, now or before. */
bool docket__buffer_grow(docket_buffer *buffer, size_t extra);

/* The place behind the last byte, with room for `extra` more; the caller writes there and raises `size`. NULL when
 * memory is exhausted. */
static inline uint8_t *docket__buffer_reserve(docket_buffer *buffer, size_t extra)
{
    if (extra >= buffer->capacity - buffer->size && !docket__buffer_grow(buffer, extra)) {
        return NULL;
    }
    return buffer->data + buffer->size;
}

/* Appends bytes; DOCKET_NO_MEMORY leaves the buffer unchanged. */
static inline docket_status docket__buffer_append(docket_buffer *buffer, const void *data, size_t size)
{
    uint8_t *end = docket__buffer_reserve(buffer, size);
    if (end == NULL) {
        return DOCKET_NO_MEMORY;
    }
    if (size > 0) {
        memcpy(end, data, size);
        buffer->size += size;
    }
    return DOCKET_OK;
}

/* Shortens the bytes to `size`; a failure stays. */
static inline void docket__buffer_truncate(docket_buffer *buffer, size_t size)
{
    buffer->size = size;
    if (buffer->failed) {
        buffer->capacity = size;
    }
}

/* Forgets the bytes and a failure, keeps the memory. */
void docket__buffer_clear(docket_buffer *buffer);

/* Frees the memory. The buffer is empty and usable again. */
void docket__buffer_release(docket_buffer *buffer);

/* Hands the bytes over, free with docket__free, and leaves the buffer empty. NULL if it held none. */
uint8_t *docket__buffer_detach(docket_buffer *buffer, size_t *size);

#endif
