/* The depot: files that steps wrote, kept beside a store under the digest of their content.
 *
 *     PATH-files/                      the depot; made with its first file
 *         <prefix><digest>.bin         a kept file: whole, flushed, read-only, never changed
 *         new/<owner>-<desk>/          the desk of one attempt
 *             weights.bin              a draft: what the step writes
 *             .<prefix><digest>.bin    a hold, empty: the kept file of this name must not go yet
 *
 * A kept file's name in records is "docket:<digest>.bin", so that it is found wherever the store is. It may be removed
 * when no record refers to it and nobody holds it. An attempt holds a file from before the file has its name until its
 * record is committed, or nobody uses its value any more. So whoever looks for holds first and for records then cannot
 * miss both. A desk counts as long as its owner, an open store, lives; what is left of dead owners is swept.
 *
 * A crash at any point leaves drafts and holds of a dead owner, and kept files that are whole: a draft is flushed before
 * it is renamed.
 *
 * Lock: flock(2) on the depot's folder. Shared: to place a hold, and rename the draft. Alone: to look for holds and
 * records, and remove. Nothing waits under it but for the records to be read.
 *
 * The depot outlives its store's handle while results hold files; only names are left of it then. */
#ifndef DOCKET_STORE_DEPOT_H
#define DOCKET_STORE_DEPOT_H

#include "base/file.h"
#include <docket/type.h>

#include <stdatomic.h>

typedef struct docket__depot {
    atomic_uint references;
    char *folder, *desks;
    char prefix[40];
    uint64_t owner;      /* 0 = read-only: nothing is made or removed */
    uint64_t generation; /* of the process that opened it */
    int64_t busy_timeout_ms;
    bool durable;         /* flush */
    atomic_bool anchored; /* the folder's own name was flushed */
} docket__depot;

/* `store_file` is the path of the store, absolute and without links. NULL when memory is exhausted. */
docket__depot *docket__depot_new(const char *store_file, const char *prefix, bool durable, int64_t busy_timeout_ms);
docket__depot *docket__depot_ref(docket__depot *depot);
void docket__depot_unref(docket__depot *depot);

/* ---- For attempts ---- */

/* Makes an empty draft; `name` NULL invents one. The path is taken from the arena.
 *
 * Returns DOCKET_REJECTED: not a name, or there is such a draft; DOCKET_STORE; DOCKET_NO_MEMORY. */
docket_status docket__depot_draft(docket__depot *depot, uint64_t desk, const char *name, docket_arena *arena,
                                  const char **path, docket_error *error);

/* Makes a kept file of a draft, and describes it.
 *
 * Returns DOCKET_REJECTED: not the path of a draft of this desk; DOCKET_FAILED: it is gone, or not a file any more, or
 * changes; DOCKET_STORE: it cannot be flushed or renamed; DOCKET_CANCELLED, DOCKET_NO_MEMORY, DOCKET_UNSUPPORTED. */
docket_status docket__depot_keep(docket__depot *depot, uint64_t desk, const char *path, const docket__watch *watch,
                                 docket_arena *arena, docket_file *file, docket_error *error);

/* Holds a kept file by its name. */
docket_status docket__depot_hold(docket__depot *depot, uint64_t desk, const char *name, docket_error *error);

/* Removes a desk's drafts, and with `holds` the desk. What cannot be removed is left to the next sweep. In a forked
 * child nothing happens. */
void docket__depot_clear(docket__depot *depot, uint64_t desk, bool holds);

/* ---- Names ---- */

/* The name of a kept file, `<digest>.bin`, as part of file->path; NULL if it is not one of this depot. */
const char *docket__depot_name(const docket__depot *depot, const docket_file *file);

/* The same for a path as records have it: "docket:<digest>.bin". */
const char *docket__depot_recorded_name(const docket_file *file);

/* Both ways; from the arena, NULL when memory is exhausted. */
const char *docket__depot_recorded_path(const char *name, docket_arena *arena);
const char *docket__depot_path(const docket__depot *depot, const char *name, docket_arena *arena);

/* ---- For whoever removes records ---- */

/* What a depot cannot know. */
typedef struct docket__witness {
    bool (*lives)(void *arg, uint64_t owner);
    docket_status (*refers)(void *arg, const char *name, bool *refers,
                            docket_error *error); /* any record to `name` */
    void *arg;
} docket__witness;

/* Removes those of the files that nobody holds or refers to. `names` end with NUL each. */
docket_status docket__depot_discard(docket__depot *depot, const docket__witness *witness, docket_bytes names,
                                    docket_error *error);

/* The same for all files; and the desks of dead owners. */
docket_status docket__depot_sweep(docket__depot *depot, const docket__witness *witness, docket_error *error);

/* Removes the whole depot of a store that nobody has open, of all prefixes. DOCKET_STORE if anything else lies in it. */
docket_status docket__depot_remove(const char *store_file, docket_error *error);

#endif
