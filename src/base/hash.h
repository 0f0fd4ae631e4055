/* Digests: SHA-256 from libcrypto for all that is stored, and a fast hash for tables in memory.
 *
 * libcrypto looks a digest up by name unless told otherwise, which costs several times the hash of a short key. So the
 * method is fetched once per process, and each thread keeps one idle context, freed when it ends. */
#ifndef DOCKET_BASE_HASH_H
#define DOCKET_BASE_HASH_H

#include <docket/type.h>

enum { DOCKET__SHA256_BYTES = 32 };

/* A digest in the making. Any number may be under way in one thread; begin and end must come from the same thread. */
typedef struct docket__hash {
    void *context;
    docket_status status;
} docket__hash;

/* Every begin needs its end. A failure is remembered: updates do nothing then, and the end answers it. */
void docket__hash_begin(docket__hash *hash);
void docket__hash_update(docket__hash *hash, const void *data, size_t size);

/* Writes the digest; zeros on failure. Returns DOCKET_NO_MEMORY, or DOCKET_UNSUPPORTED when libcrypto refuses SHA-256. */
DOCKET_MUST_CHECK docket_status docket__hash_end(docket__hash *hash, uint8_t digest[DOCKET__SHA256_BYTES]);

/* The digest of the parts' concatenation. Statuses as docket__hash_end. */
DOCKET_MUST_CHECK docket_status docket__sha256(const docket_bytes *parts, size_t count,
                                               uint8_t digest[DOCKET__SHA256_BYTES]);

/* A well-spread 64-bit hash for tables in memory: never stored, not proof against keys chosen by an enemy. */
uint64_t docket__hash64(const void *data, size_t size);

/* Writes the lower-case hex digits of `size` bytes and a NUL: 2 × size + 1 characters. */
void docket__hex(const uint8_t *bytes, size_t size, char *digits);

#endif
