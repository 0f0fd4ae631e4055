/* Files: what is in one, as size and SHA-256, read in bounded memory and remembered.
 *
 * The memory of digests is one table for the process, of bounded size. A digest is found again as long as the file has
 * the same device, inode, size, and times of change; it is only kept if its last change lies so far back that another
 * one would have shown in these times. In a forked child the table is read and filled if nobody held its lock when the
 * process was forked; else the child does without.
 *
 * Lock: one, around the table; it is a leaf, and no file is touched under it. */
#ifndef DOCKET_BASE_FILE_H
#define DOCKET_BASE_FILE_H

#include <docket/status.h>

/* Asked before the first chunk of a file is read and after each; false stops. */
typedef struct docket__watch {
    bool (*goes_on)(void *arg, const char *path, uint64_t done_bytes, uint64_t size_bytes);
    void *arg;
} docket__watch;

/* Reads a regular file, or remembers it. `watch` may be NULL; what is remembered is not watched.
 *
 * Returns DOCKET_FAILED: it is not there, not a regular file, cannot be read, or changed meanwhile; error->code is the
 * errno, or 0. DOCKET_CANCELLED: `watch` stopped it. DOCKET_NO_MEMORY, DOCKET_UNSUPPORTED (no SHA-256). */
DOCKET_MUST_CHECK docket_status docket__file_digest(const char *path, const docket__watch *watch, uint64_t *size,
                                                    uint8_t sha256[32], docket_error *error);

/* The same for an open descriptor at its begin; `path` is for messages. */
DOCKET_MUST_CHECK docket_status docket__file_digest_open(int descriptor, const char *path,
                                                         const docket__watch *watch, uint64_t *size,
                                                         uint8_t sha256[32], docket_error *error);

/* True if there is a regular file of this size. */
bool docket__file_has_size(const char *path, uint64_t size);

#endif
