/* The memory store: records that live as long as the handle. */
#ifndef DOCKET_STORE_MEMORY_MEMORY_H
#define DOCKET_STORE_MEMORY_MEMORY_H

#include <docket/backend.h>

extern const docket_backend docket__memory_backend;

/* The `self` of docket__memory_backend; its `close` frees it. NULL: the error tells why. */
void *docket__memory_open(docket_error *error);

#endif
