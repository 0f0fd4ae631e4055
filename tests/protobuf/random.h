/* Messages that depend on a seed only, filled by their descriptors. */
#ifndef DOCKET_TESTS_PROTOBUF_RANDOM_H
#define DOCKET_TESTS_PROTOBUF_RANDOM_H

#include <docket/protobuf.h>

/* What may be in them. */
enum {
    RANDOM_UNKNOWN = 1u,    /* unknown fields */
    RANDOM_DUPLICATES = 2u, /* map keys more than once */
    RANDOM_NAN = 4u         /* NaNs of any bits */
};

uint64_t random_next(uint64_t *seed);

/* Fills a message that was initialised, nested up to `depth` levels deep. */
void random_message(uint64_t *seed, docket_arena *arena, const ProtobufCMessageDescriptor *message, void *value,
                    unsigned depth, unsigned flags);

#endif
