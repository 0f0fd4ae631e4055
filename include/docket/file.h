/** @page docket_file  Files as values: what a step wrote into a file of its own, described by size and digest.
 *
 * Large results (a model, a video) are better kept in files than in a store. A member of kind FILE refers to one:
 *
 *     DOCKET_STRUCT(Model, (INT64, steps), (FILE, weights));
 *
 *     static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
 *     {
 *         out->steps = settings->steps;
 *         if (write_weights("weights.bin", settings) != 0) {
 *             return docket_fail(ctx, errno, "cannot write weights.bin");
 *         }
 *         return docket_file_describe(ctx, &out->weights, "weights.bin");
 *     }
 *
 * The store keeps path, size and SHA-256, not the file. Keys of steps that take such a value count size and digest, never
 * the path: moving a file changes nothing for them. When a recorded value is restored, each of its files must be there
 * with its size, or the record is a miss with the reason "file changed", and the step runs again; `verify_files` in
 * docket_step_options compares the digest as well. Files of a value that the caller gives are not looked at again: they
 * are what the description says.
 *
 * A file is read once: its digest is remembered in the process as long as device, inode, size and times of change stay
 * the same. A file that is written through mmap should be unmapped, or flushed with msync, before it is described.
 * A relative path is kept as it is, and means what it means in the working folder of who restores it.
 */
#ifndef DOCKET_FILE_H
#define DOCKET_FILE_H

#include <docket/context.h>

DOCKET_BEGIN_DECLS

/** Fills in a file's path (copied into the value's memory), size and digest. Reads it in bounded memory, and asks between
 * chunks whether the step should stop. Links are followed. Flushing the file to the disk is the step's own business.
 *
 * Threads: the step's.
 * Returns: what the step may return at once, as docket_fail; `*file` is zero unless DOCKET_OK.
 * - DOCKET_FAILED: there is no such file, it is not a regular one, cannot be read, changed meanwhile, or the path is
 *   empty or not UTF-8; the error's code is the errno, or 0.
 * - DOCKET_CANCELLED: the step should stop.
 * - DOCKET_NO_MEMORY, DOCKET_UNSUPPORTED: memory is exhausted; libcrypto refuses SHA-256. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_describe(docket_ctx *ctx, docket_file *file, const char *path);

/** The same outside of steps, for the inputs of a request.
 *
 * Valid until: docket_arena_free, for the path; with `arena` NULL nothing is copied and `file->path` is `path` itself.
 * Threads: any, with arenas of their own.
 * Returns: as docket_file_describe, but never DOCKET_CANCELLED. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_describe_in(docket_arena *arena, docket_file *file,
                                                                   const char *path, docket_error *error);

DOCKET_END_DECLS

#endif
