#include "store/depot.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/random.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DIGEST_DIGITS = 2 * DOCKET__SHA256_BYTES,
    LONGEST_EXTENSION = 16, /* with its dot */
    LONGEST_DRAFT_NAME = 200,
    LONGEST_DESK = 2 * 16 + 2,
    DEEPEST_DESK = 64,
    BATCH_BYTES = 32 * 1024, /* of names that are removed under one lock */
    DESK_PATH = PATH_MAX
};

static const char recorded_prefix[] = "docket:";

static docket_status fail_system(docket_error *error, const char *path, const char *what)
{
    int code = errno;
    char reason[128];
    docket__error_set(error, DOCKET_STORE, "%s: %s: %s", path, what, strerror_r(code, reason, sizeof reason));
    if (error != NULL) {
        error->code = code;
        error->transient = code == EMFILE || code == ENFILE;
    }
    return DOCKET_STORE;
}

/* ---- Life ---- */

static char *join(const char *first, const char *second)
{
    size_t room = strlen(first) + strlen(second) + 1;
    char *text = docket__allocate(room);
    if (text != NULL) {
        snprintf(text, room, "%s%s", first, second);
    }
    return text;
}

docket__depot *docket__depot_new(const char *store_file, const char *prefix, bool durable, int64_t busy_timeout_ms)
{
    docket__depot *depot = docket__allocate(sizeof *depot);
    if (depot == NULL) {
        return NULL;
    }
    atomic_init(&depot->references, 1);
    snprintf(depot->prefix, sizeof depot->prefix, "%s", prefix);
    depot->generation = docket__fork_generation();
    depot->busy_timeout_ms = busy_timeout_ms;
    depot->durable = durable;
    depot->folder = join(store_file, "-files");
    depot->desks = depot->folder != NULL ? join(depot->folder, "/new") : NULL;
    if (depot->desks == NULL) {
        docket__depot_unref(depot);
        return NULL;
    }
    return depot;
}

docket__depot *docket__depot_ref(docket__depot *depot)
{
    atomic_fetch_add_explicit(&depot->references, 1, memory_order_relaxed);
    return depot;
}

void docket__depot_unref(docket__depot *depot)
{
    if (depot != NULL && atomic_fetch_sub_explicit(&depot->references, 1, memory_order_acq_rel) == 1) {
        docket__free(depot->folder);
        docket__free(depot->desks);
        docket__free(depot);
    }
}

/* ---- Names ---- */

/* "" or a dot and a few letters. */
static bool is_extension(const char *text)
{
    size_t length = strlen(text);
    return length == 0 ||
           (text[0] == '.' && length > 1 && length <= LONGEST_EXTENSION &&
            strspn(text + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length - 1);
}

/* The part of a file's name in the depot that follows the prefix, whatever prefix that is; NULL = not of docket's. */
static const char *kept_name(const char *entry)
{
    size_t stem = strcspn(entry, ".");
    if (stem <= DIGEST_DIGITS || !is_extension(entry + stem)) {
        return NULL;
    }
    size_t prefix = stem - DIGEST_DIGITS;
    bool right = strspn(entry, "abcdefghijklmnopqrstuvwxyz0123456789_") == stem &&
                 strspn(entry + prefix, "0123456789abcdef") >= DIGEST_DIGITS;
    return right ? entry + prefix : NULL;
}

/* The same for files of this depot's prefix only. */
static const char *own_name(const docket__depot *depot, const char *entry)
{
    const char *name = kept_name(entry);
    size_t length = strlen(depot->prefix);
    return name == entry + length && memcmp(entry, depot->prefix, length) == 0 ? name : NULL;
}

static bool is_name_of(const char *name, const uint8_t sha256[DOCKET__SHA256_BYTES])
{
    char digits[DIGEST_DIGITS + 1];
    docket__hex(sha256, DOCKET__SHA256_BYTES, digits);
    return strncmp(name, digits, DIGEST_DIGITS) == 0 && is_extension(name + DIGEST_DIGITS);
}

const char *docket__depot_name(const docket__depot *depot, const docket_file *file)
{
    size_t length = strlen(depot->folder);
    if (strncmp(file->path, depot->folder, length) != 0 || file->path[length] != '/') {
        return NULL;
    }
    const char *name = own_name(depot, file->path + length + 1);
    return name != NULL && is_name_of(name, file->sha256) ? name : NULL;
}

const char *docket__depot_recorded_name(const docket_file *file)
{
    size_t length = sizeof recorded_prefix - 1;
    bool recorded = strncmp(file->path, recorded_prefix, length) == 0;
    return recorded && is_name_of(file->path + length, file->sha256) ? file->path + length : NULL;
}

const char *docket__depot_recorded_path(const char *name, docket_arena *arena)
{
    return docket__arena_printf(arena, "%s%s", recorded_prefix, name);
}

const char *docket__depot_path(const docket__depot *depot, const char *name, docket_arena *arena)
{
    return docket__arena_printf(arena, "%s/%s%s", depot->folder, depot->prefix, name);
}

static void desk_path(const docket__depot *depot, uint64_t desk, char path[DESK_PATH])
{
    snprintf(path, DESK_PATH, "%s/%016" PRIx64 "-%016" PRIx64, depot->desks, depot->owner, desk);
}

/* ---- Folders ---- */

/* Where others may rename, or wrote already, nothing is safe. */
static docket_status check_folder(const char *path, docket_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return fail_system(error, path, "the folder for files cannot be examined");
    }
    if (!S_ISDIR(status.st_mode)) {
        return docket__error_set(error, DOCKET_STORE, "%s is %s, but must be a folder for the store's files", path,
                                 S_ISLNK(status.st_mode) ? "a link" : "not a folder");
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (status.st_uid != geteuid() && geteuid() != 0)) {
        return docket__error_set(error, DOCKET_STORE,
                                 "%s can be written by others or is somebody else's: make it yours, mode 0700",
                                 path);
    }
    return DOCKET_OK;
}

static docket_status make_folder(const char *path, docket_error *error)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fail_system(error, path, "the folder for files cannot be made");
    }
    return check_folder(path, error);
}

static docket_status make_desk(const docket__depot *depot, uint64_t desk, char path[DESK_PATH], docket_error *error)
{
    desk_path(depot, desk, path);
    docket_status status = make_folder(depot->folder, error);
    if (status == DOCKET_OK) {
        status = make_folder(depot->desks, error);
    }
    return status == DOCKET_OK ? make_folder(path, error) : status;
}

static docket_status flush_folder(const char *path, docket_error *error)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    docket_status status = DOCKET_OK;
    if (descriptor < 0 || fsync(descriptor) != 0) {
        status = fail_system(error, path, "the folder cannot be flushed to the disk");
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

/* The folder's own name, once per handle: who made it may have died before it was flushed. */
static docket_status anchor(docket__depot *depot, docket_error *error)
{
    if (!depot->durable || atomic_load(&depot->anchored)) {
        return DOCKET_OK;
    }
    char *parent = docket__duplicate(depot->folder);
    if (parent == NULL) {
        return docket__error_no_memory(error);
    }
    char *slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    docket_status status = flush_folder(parent, error);
    docket__free(parent);
    atomic_store(&depot->anchored, status == DOCKET_OK);
    return status;
}

/* ---- The lock ---- */

static docket_status lock(const docket__depot *depot, int how, int *descriptor, docket_error *error)
{
    int64_t waited_ms = 0;
    *descriptor = open(depot->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*descriptor < 0) {
        return fail_system(error, depot->folder, "the folder for files cannot be opened");
    }
    while (flock(*descriptor, how | LOCK_NB) != 0) {
        bool taken = errno == EWOULDBLOCK || errno == EINTR;
        if (!taken || waited_ms >= depot->busy_timeout_ms) {
            docket_status status = fail_system(error, depot->folder, "the lock of the store's files");
            error->transient = taken ? 1 : 0;
            close(*descriptor);
            *descriptor = -1;
            return status;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        waited_ms++;
    }
    return DOCKET_OK;
}

/* Explicitly: a forked child may have inherited the descriptor, and with it the lock. */
static void unlock(int descriptor)
{
    flock(descriptor, LOCK_UN);
    close(descriptor);
}

/* ---- Drafts ---- */

static bool is_draft_name(const char *name)
{
    size_t length = strlen(name);
    bool right = length >= 1 && length <= LONGEST_DRAFT_NAME && name[0] != '.' && docket__utf8_valid(name, length);
    for (size_t i = 0; i < length && right; i++) {
        right = name[i] != '/' && (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    }
    return right;
}

docket_status docket__depot_draft(docket__depot *depot, uint64_t desk, const char *name, docket_arena *arena,
                                  const char **path, docket_error *error)
{
    char at[DESK_PATH], invented[17];
    snprintf(invented, sizeof invented, "%016" PRIx64, docket__random_number());
    name = name != NULL ? name : invented;
    if (!is_draft_name(name)) {
        return docket__error_set(
            error, DOCKET_REJECTED,
            "a new file's name must be 1 to %d bytes of UTF-8 without / and control characters, and "
            "not begin with a dot",
            (int)LONGEST_DRAFT_NAME);
    }
    docket_status status = make_desk(depot, desk, at, error);
    if (status != DOCKET_OK) {
        return status;
    }
    const char *made = docket__arena_printf(arena, "%s/%s", at, name);
    if (made == NULL) {
        return docket__error_no_memory(error);
    }
    int descriptor = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return errno == EEXIST
                   ? docket__error_set(error, DOCKET_REJECTED,
                                       "this attempt has a new file \"%s\" already: give each its name", name)
                   : fail_system(error, made, "the new file cannot be made");
    }
    close(descriptor);
    *path = made;
    return DOCKET_OK;
}

/* Its name, or NULL. */
static const char *draft_of(const docket__depot *depot, uint64_t desk, const char *path)
{
    char at[DESK_PATH];
    desk_path(depot, desk, at);
    size_t length = strlen(at);
    bool inside = strncmp(path, at, length) == 0 && path[length] == '/' && is_draft_name(path + length + 1);
    return inside ? path + length + 1 : NULL;
}

static docket_status fail_draft(docket_error *error, const char *path, const char *what)
{
    docket__error_set(error, DOCKET_FAILED, "the file \"%s\" cannot be kept: %s", path, what);
    if (error != NULL) {
        error->code = 0;
    }
    return DOCKET_FAILED;
}

/* Opens a draft, makes it read-only, and has it on the disk, so that what follows needs no more room than a name. */
static docket_status seal_draft(const docket__depot *depot, const char *path, int *descriptor, docket_error *error)
{
    struct stat status;
    *descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*descriptor < 0) {
        return errno == ENOENT  ? fail_draft(error, path, "it is not there, or was kept before")
               : errno == ELOOP ? fail_draft(error, path, "it is a link")
                                : fail_system(error, path, "the new file cannot be opened");
    }
    if (fstat(*descriptor, &status) != 0) {
        return fail_system(error, path, "the new file cannot be examined");
    }
    if (!S_ISREG(status.st_mode)) {
        return fail_draft(error, path, "it is not a regular file");
    }
    if (status.st_nlink != 1) {
        return fail_draft(error, path, "it has another name too, under which it could be changed");
    }
    if (fchmod(*descriptor, 0400) != 0 || (depot->durable && fsync(*descriptor) != 0)) {
        return fail_system(error, path, "the new file cannot be flushed to the disk");
    }
    return DOCKET_OK;
}

/* ---- Keeping ---- */

/* Under the lock. The desk may be one that only holds. */
static docket_status place_hold(const docket__depot *depot, uint64_t desk, const char *name, docket_error *error)
{
    char at[DESK_PATH], path[DESK_PATH + NAME_MAX];
    docket_status status = make_desk(depot, desk, at, error);
    if (status != DOCKET_OK) {
        return status;
    }
    snprintf(path, sizeof path, "%s/.%s%s", at, depot->prefix, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return fail_system(error, path, "a file cannot be held");
    }
    close(descriptor);
    return DOCKET_OK;
}

docket_status docket__depot_hold(docket__depot *depot, uint64_t desk, const char *name, docket_error *error)
{
    int locked;
    docket_status status = make_folder(depot->folder, error);
    if (status == DOCKET_OK) {
        status = lock(depot, LOCK_SH, &locked, error);
    }
    if (status == DOCKET_OK) {
        status = place_hold(depot, desk, name, error);
        unlock(locked);
    }
    return status;
}

/* The hold first: there must be no moment at which the file has its name and can be taken for forsaken. A file of equal
 * content gives way, so that one that was damaged is whole again. */
static docket_status rename_draft(docket__depot *depot, uint64_t desk, const char *draft, const char *name,
                                  const char *kept, docket_error *error)
{
    int locked;
    docket_status status = lock(depot, LOCK_SH, &locked, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = place_hold(depot, desk, name, error);
    if (status == DOCKET_OK && rename(draft, kept) != 0) {
        status = fail_system(error, kept, "the new file cannot be renamed to this");
    }
    flock(locked, LOCK_UN);
    if (status == DOCKET_OK && depot->durable && fsync(locked) != 0) {
        status = fail_system(error, depot->folder, "the folder cannot be flushed to the disk");
    }
    close(locked);
    return status;
}

static docket_status keep_sealed(docket__depot *depot, uint64_t desk, const char *path, const char *draft,
                                 docket_arena *arena, docket_file *file, docket_error *error)
{
    char digits[DIGEST_DIGITS + 1];
    char name[DIGEST_DIGITS + LONGEST_EXTENSION + 1];
    const char *extension = strrchr(draft, '.');
    docket__hex(file->sha256, DOCKET__SHA256_BYTES, digits);
    snprintf(name, sizeof name, "%s%s", digits, extension != NULL && is_extension(extension) ? extension : "");
    file->path = docket__depot_path(depot, name, arena);
    if (file->path == NULL) {
        return docket__error_no_memory(error);
    }
    docket_status status = anchor(depot, error);
    return status == DOCKET_OK ? rename_draft(depot, desk, path, name, file->path, error) : status;
}

docket_status docket__depot_keep(docket__depot *depot, uint64_t desk, const char *path, const docket__watch *watch,
                                 docket_arena *arena, docket_file *file, docket_error *error)
{
    const char *draft = draft_of(depot, desk, path);
    int descriptor = -1;
    *file = (docket_file){0};
    if (draft == NULL) {
        return docket__error_set(error, DOCKET_REJECTED,
                                 "\"%s\" is no new file of this attempt: docket_file_keep takes a path that "
                                 "docket_file_new gave; describe other files with docket_file_describe",
                                 path);
    }
    docket_status status = seal_draft(depot, path, &descriptor, error);
    if (status == DOCKET_OK) {
        status = docket__file_digest_open(descriptor, path, watch, &file->size, file->sha256, error);
    }
    if (status == DOCKET_OK) {
        status = keep_sealed(depot, desk, path, draft, arena, file, error);
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (status != DOCKET_OK) {
        *file = (docket_file){0};
    }
    return status;
}

/* ---- Clearing ---- */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void remove_entry(int folder, const char *name, int depth);

/* Takes the descriptor. */
static void remove_content(int descriptor, bool hidden_too, int depth)
{
    DIR *listing = fdopendir(descriptor);
    const struct dirent *entry;
    if (listing == NULL) {
        close(descriptor);
        return;
    }
    while ((entry = readdir(listing)) != NULL) {
        if (!is_dots(entry->d_name) && (hidden_too || entry->d_name[0] != '.')) {
            remove_entry(dirfd(listing), entry->d_name, depth);
        }
    }
    closedir(listing);
}

/* A file, or a folder that a tool made beside its draft. Links are not followed. */
static void remove_entry(int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || depth == 0) {
        return;
    }
    int descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) {
        remove_content(descriptor, true, depth - 1);
        unlinkat(folder, name, AT_REMOVEDIR);
    }
}

void docket__depot_clear(docket__depot *depot, uint64_t desk, bool holds)
{
    char at[DESK_PATH];
    if (depot->generation != docket__fork_generation()) {
        return;
    }
    desk_path(depot, desk, at);
    int descriptor = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) {
        remove_content(descriptor, holds, DEEPEST_DESK);
        if (holds) {
            rmdir(at);
        }
    }
}

/* ---- Removing ---- */

/* Opens a folder of the depot; `*listing` is NULL if it is not there. */
static docket_status list_folder(const char *path, DIR **listing, docket_error *error)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *listing = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (*listing != NULL || errno == ENOENT) {
        return DOCKET_OK;
    }
    docket_status status = fail_system(error, path, "the folder for files cannot be read");
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

/* False: not the name of a desk. */
static bool read_desk(const char *entry, uint64_t *owner)
{
    uint64_t desk;
    int end = 0;
    return sscanf(entry, "%16" SCNx64 "-%16" SCNx64 "%n", owner, &desk, &end) == 2 && end == 2 * 16 + 1 &&
           entry[end] == '\0';
}

/* The names of the files that are held. */
typedef struct holds {
    docket_arena memory;
    docket__map names;
} holds;

static docket_status collect_desk(const docket__depot *depot, const char *entry, holds *into, docket_error *error)
{
    char path[DESK_PATH];
    DIR *listing;
    const struct dirent *file;
    snprintf(path, sizeof path, "%s/%s", depot->desks, entry);
    docket_status status = list_folder(path, &listing, error);
    while (listing != NULL && status == DOCKET_OK && (file = readdir(listing)) != NULL) {
        const char *name = file->d_name[0] == '.' ? own_name(depot, file->d_name + 1) : NULL;
        if (name != NULL) {
            char *copy = docket__arena_duplicate(&into->memory, name);
            if (copy == NULL || docket__map_put(&into->names, copy, strlen(copy), copy) != DOCKET_OK) {
                status = docket__error_no_memory(error);
            }
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return status;
}

static docket_status collect_holds(const docket__depot *depot, const docket__witness *witness, holds *into,
                                   docket_error *error)
{
    DIR *listing;
    const struct dirent *entry;
    uint64_t owner;
    docket_status status = list_folder(depot->desks, &listing, error);
    while (listing != NULL && status == DOCKET_OK && (entry = readdir(listing)) != NULL) {
        if (read_desk(entry->d_name, &owner) && witness->lives(witness->arg, owner)) {
            status = collect_desk(depot, entry->d_name, into, error);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return status;
}

/* The names come from a database that others may have written to: nothing but a kept file may be meant. */
static docket_status discard_one(int folder, const docket__depot *depot, const docket__witness *witness,
                                 const holds *held, const char *name, docket_error *error)
{
    char entry[NAME_MAX + 1];
    bool refers = false;
    snprintf(entry, sizeof entry, "%s%s", depot->prefix, name);
    if (own_name(depot, entry) == NULL || docket__map_get(&held->names, name, strlen(name)) != NULL) {
        return DOCKET_OK;
    }
    docket_status status = witness->refers(witness->arg, name, &refers, error);
    if (status == DOCKET_OK && !refers && unlinkat(folder, entry, 0) != 0 && errno != ENOENT) {
        status = fail_system(error, depot->folder, "a file that nobody needs cannot be removed");
    }
    return status;
}

docket_status docket__depot_discard(docket__depot *depot, const docket__witness *witness, docket_bytes names,
                                    docket_error *error)
{
    int locked;
    holds held = {0};
    if (names.size == 0) {
        return DOCKET_OK;
    }
    docket_status status = lock(depot, LOCK_EX, &locked, error);
    if (status != DOCKET_OK) {
        return status == DOCKET_STORE && error->code == ENOENT ? DOCKET_OK : status;
    }
    status = collect_holds(depot, witness, &held, error);
    const char *name = (const char *)names.data;
    for (const char *end = name + names.size; status == DOCKET_OK && name < end; name += strlen(name) + 1) {
        status = discard_one(locked, depot, witness, &held, name, error);
    }
    unlock(locked);
    docket__map_release(&held.names);
    docket__arena_release(&held.memory);
    return status;
}

/* Nobody makes anything on a dead owner's desk. */
static docket_status clear_dead_desks(const docket__depot *depot, const docket__witness *witness,
                                      docket_error *error)
{
    DIR *listing;
    const struct dirent *entry;
    uint64_t owner;
    docket_status status = list_folder(depot->desks, &listing, error);
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (read_desk(entry->d_name, &owner) && !witness->lives(witness->arg, owner)) {
            remove_entry(dirfd(listing), entry->d_name, DEEPEST_DESK);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return status;
}

static docket_status sweep_entry(docket__depot *depot, const docket__witness *witness, const char *entry,
                                 docket_buffer *forsaken, docket_error *error)
{
    bool refers = false;
    const char *name = own_name(depot, entry);
    if (name == NULL) {
        return DOCKET_OK;
    }
    docket_status status = witness->refers(witness->arg, name, &refers, error);
    if (status == DOCKET_OK && !refers && docket__buffer_append(forsaken, name, strlen(name) + 1) != DOCKET_OK) {
        status = docket__error_no_memory(error);
    }
    if (status == DOCKET_OK && forsaken->size >= BATCH_BYTES) {
        status = docket__depot_discard(depot, witness, docket_buffer_bytes(forsaken), error);
        docket__buffer_clear(forsaken);
    }
    return status;
}

docket_status docket__depot_sweep(docket__depot *depot, const docket__witness *witness, docket_error *error)
{
    DIR *listing;
    const struct dirent *entry;
    docket_buffer forsaken = {0};
    docket_status status = clear_dead_desks(depot, witness, error);
    if (status == DOCKET_OK) {
        status = list_folder(depot->folder, &listing, error);
    } else {
        listing = NULL;
    }
    while (listing != NULL && status == DOCKET_OK && (entry = readdir(listing)) != NULL) {
        status = sweep_entry(depot, witness, entry->d_name, &forsaken, error);
    }
    if (status == DOCKET_OK) {
        status = docket__depot_discard(depot, witness, docket_buffer_bytes(&forsaken), error);
    }
    if (listing != NULL) {
        closedir(listing);
    }
    docket__buffer_release(&forsaken);
    return status;
}

docket_status docket__depot_remove(const char *store_file, docket_error *error)
{
    DIR *listing;
    const struct dirent *entry;
    char *folder = join(store_file, "-files");
    if (folder == NULL) {
        return docket__error_no_memory(error);
    }
    docket_status status = list_folder(folder, &listing, error);
    if (listing != NULL) {
        while ((entry = readdir(listing)) != NULL) {
            if (kept_name(entry->d_name) != NULL || strcmp(entry->d_name, "new") == 0) {
                remove_entry(dirfd(listing), entry->d_name, DEEPEST_DESK);
            }
        }
        closedir(listing);
        if (rmdir(folder) != 0) {
            status = fail_system(error, folder, "the folder for the store's files cannot be removed");
        }
    }
    docket__free(folder);
    return status;
}
