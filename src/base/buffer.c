#include "base/buffer.h"

#include "base/memory.h"

enum { FIRST_CAPACITY = 256 };

static bool fail(docket_buffer *buffer)
{
    buffer->failed = true;
    buffer->capacity = buffer->size;
    return false;
}

bool docket__buffer_grow(docket_buffer *buffer, size_t extra)
{
    if (buffer->failed || extra >= SIZE_MAX / 2 - buffer->size) {
        return fail(buffer);
    }
    size_t needed = buffer->size + extra + 1;
    size_t capacity = buffer->capacity > FIRST_CAPACITY ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        capacity *= 2;
    }
    uint8_t *data = docket__resize(buffer->data, capacity);
    if (data == NULL) {
        return fail(buffer);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void docket__buffer_clear(docket_buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void docket__buffer_release(docket_buffer *buffer)
{
    docket__free(buffer->data);
    *buffer = (docket_buffer){0};
}

uint8_t *docket__buffer_detach(docket_buffer *buffer, size_t *size)
{
    uint8_t *data = buffer->data;
    *size = buffer->size;
    *buffer = (docket_buffer){0};
    return data;
}

docket_status docket_buffer_append(docket_buffer *buffer, const void *data, size_t size)
{
    return docket__buffer_append(buffer, data, size);
}

uint8_t *docket_buffer_reserve(docket_buffer *buffer, size_t size)
{
    return docket__buffer_reserve(buffer, size);
}

void docket_buffer_commit(docket_buffer *buffer, size_t size)
{
    buffer->size += size;
}

docket_bytes docket_buffer_bytes(const docket_buffer *buffer)
{
    return (docket_bytes){buffer->data, buffer->size};
}

docket_buffer *docket_buffer_new(void)
{
    return docket__allocate(sizeof(docket_buffer));
}

void docket_buffer_free(docket_buffer *buffer)
{
    if (buffer != NULL) {
        docket__buffer_release(buffer);
        docket__free(buffer);
    }
}
