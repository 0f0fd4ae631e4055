/** @page docket_file  Files as values: what a step wrote into a file, kept beside the store or where it likes.
 *
 * Large results (a model, a video) are better kept in files than in a store. A member of kind FILE refers to one:
 *
 *     DOCKET_STRUCT(Model, (INT64, steps), (FILE, weights));
 *
 *     static docket_status train(docket_ctx *ctx, Model *out, const Settings *settings)
 *     {
 *         const char *path;
 *         docket_status status = docket_file_new(ctx, &path, "weights.bin");
 *         if (status != DOCKET_OK) {
 *             return status;
 *         }
 *         if (write_weights(path, settings) != 0) {
 *             return docket_fail(ctx, errno, "cannot write %s", path);
 *         }
 *         out->steps = settings->steps;
 *         return docket_file_keep(ctx, &out->weights, path);
 *     }
 *
 * Whoever takes the value opens `model->weights.path`.
 *
 * MANAGED FILES
 *
 * What docket_file_keep makes is a managed file. It lies in the folder PATH-files beside the store PATH, read-only, named
 * by the SHA-256 of its content with the ending of the name it was written under; equal content with an equal ending is
 * one file. It stays as long as a record refers to it, or an execution whose result is not freed yet has kept it.
 * docket_checkpoint_forget and docket_store_purge remove it after that, and purging removes what crashed programs left
 * behind. A crash at any moment leaves no file under such a name or the whole one.
 *
 * A record refers to a managed file by its name in that folder, not by its path: a store that is moved or copied together
 * with its folder finds its files, and every restored value has the paths of the store it was restored from. Copy the
 * database first. A step of the same store that passes such a file on refers to it like the one that made it.
 *
 * Only SQLite stores keep files.
 *
 * OTHER FILES
 *
 * A file that the program keeps by itself is described with docket_file_describe. The store has its path, size and
 * SHA-256, never the file. A relative path is kept as it is, and means what it means in the working folder of who
 * restores it. A file that is written through mmap should be unmapped, or flushed with msync, before it is described.
 *
 * BOTH
 *
 * Keys of steps that take such a value count size and digest, never the path: moving a file changes nothing for them.
 * When a recorded value is restored, each of its files must be there with its size, or the record is a miss with the
 * reason "file changed", and the step runs again; `verify_files` in docket_step_options compares the digest as well.
 * Files of a value that the caller gives are not looked at again: they are what the description says.
 *
 * A file is read once, in bounded memory: its digest is remembered in the process as long as device, inode, size and
 * times of change stay the same. While it is read, a step stops when it should (see docket_cancelled), and observers
 * are told of the progress, DOCKET_EVENT_PROGRESS: every 16 MiB, or every hundredth if that is more. Isolated steps
 * tell of none.
 */
#ifndef DOCKET_FILE_H
#define DOCKET_FILE_H

#include <docket/context.h>
#include <docket/store.h>

DOCKET_BEGIN_DECLS

/** Makes an empty file beside the store for the step to write to, by whatever means: the path may be handed to a program,
 * or be replaced by another file. A file that is not kept is removed when the attempt ends.
 *
 * `name` is what the file is called while it is written, so that messages and tools see a name they know: 1 to 200 bytes
 * without `/`, not beginning with a dot, and another one for each file of the attempt. NULL invents one. Its ending
 * stays with a file that is kept.
 *
 * Valid until: the attempt ends, for the path.
 * Threads: the step's.
 * Returns: what the step may return at once; `*path` is NULL unless DOCKET_OK.
 * - DOCKET_REJECTED: not such a name, or the attempt has a new file of this name; the step records nothing, or its store
 *   keeps no files.
 * - DOCKET_STORE: the file cannot be made: no space, no permission, a link in the folder's place; or the store is
 *   read-only.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_new(docket_ctx *ctx, const char **path, const char *name);

/** Keeps a file that docket_file_new made: flushes it to the disk, makes it read-only, names it by its digest, and fills
 * in its new path (in the value's memory), size and digest. Close it before, so that all of it is in the file.
 *
 * The old path is free then, and another file may be made under it. If the attempt fails after all, or its result is not
 * recorded, the file is removed later.
 *
 * Threads: the step's.
 * Durable: the file's content and name, as the store was opened; the record that refers to it comes after.
 * Returns: what the step may return at once; `*file` is zero unless DOCKET_OK.
 * - DOCKET_REJECTED: the path is not from docket_file_new in this attempt; or as docket_file_new.
 * - DOCKET_FAILED: there is no such file, it is not a regular one, has other names (hard links), or changed meanwhile.
 * - DOCKET_STORE: it cannot be flushed or renamed: no space, an error of the disk.
 * - DOCKET_CANCELLED: the step should stop.
 * - DOCKET_NO_MEMORY, DOCKET_UNSUPPORTED: memory is exhausted; libcrypto refuses SHA-256. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_keep(docket_ctx *ctx, docket_file *file, const char *path);

/** Fills in a file's path (copied into the value's memory), size and digest. Reads it in bounded memory, and asks between
 * chunks whether the step should stop. Links are followed. Flushing the file to the disk is the step's own business.
 *
 * Threads: the step's.
 * Returns: what the step may return at once, as docket_fail; `*file` is zero unless DOCKET_OK.
 * - DOCKET_FAILED: there is no such file, it is not a regular one, cannot be read, changed meanwhile, or the path is
 *   empty or not UTF-8; the error's code is the errno, or 0.
 * - DOCKET_CANCELLED: the step should stop.
 * - DOCKET_NO_MEMORY, DOCKET_UNSUPPORTED: memory is exhausted; libcrypto refuses SHA-256. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_describe(docket_ctx *ctx, docket_file *file,
                                                                const char *path);

/** The same outside of steps, for the inputs of a request.
 *
 * Valid until: docket_arena_free, for the path; with `arena` NULL nothing is copied and `file->path` is `path` itself.
 * Threads: any, with arenas of their own.
 * Returns: as docket_file_describe, but never DOCKET_CANCELLED. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_describe_in(docket_arena *arena, docket_file *file,
                                                                   const char *path, docket_error *error);

/** Puts the path of a managed file in the place of what a record has for it ("docket:" and a name). For values that a
 * program decodes by itself from docket_checkpoint_read; restored values have their paths. Other paths stay. Whether the
 * file is there is not looked at.
 *
 * Valid until: docket_arena_free, for the path.
 * Threads: any, with arenas of their own.
 * Returns:
 * - DOCKET_INVALID: a NULL.
 * - DOCKET_NO_MEMORY */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_file_locate(docket_store *store, docket_arena *arena,
                                                              docket_file *file, docket_error *error);

DOCKET_END_DECLS

#endif
