#include "base/file.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 256 * 1024,
    SETS = 256,           /* of the memory */
    WAYS = 4,             /* entries of a set: the oldest makes room */
    FINE_TICK_MS = 20,    /* a file's times are taken from a clock that ticks every 10 ms at least, */
    COARSE_TICK_MS = 2000 /* or from none better than that, on file systems that keep no fractions */
};

/* ---- The memory ---- */

/* What a file looks like from outside. All members have the same size, so that there is no padding to compare. */
typedef struct look {
    uint64_t device, inode, size;
    int64_t modified_s, modified_ns, changed_s, changed_ns;
} look;

typedef struct remembered {
    look look;
    uint8_t sha256[DOCKET__SHA256_BYTES];
} remembered;

typedef struct set {
    remembered entries[WAYS]; /* an inode of 0 is no entry */
    unsigned next;
} set;

static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static set memory[SETS];
static _Atomic(uint64_t) memory_generation; /* of the process that used it first */

/* In a child the lock may be held by a thread that does not exist there. */
static bool lock_memory(void)
{
    uint64_t now = docket__fork_generation();
    uint64_t first = 0;
    atomic_compare_exchange_strong(&memory_generation, &first, now);
    bool is_first = first == 0 || first == now;
    return (is_first ? pthread_mutex_lock(&memory_lock) : pthread_mutex_trylock(&memory_lock)) == 0;
}

static set *set_of(const look *file)
{
    return &memory[docket__hash64(file, sizeof *file) % SETS];
}

static bool recall(const look *file, uint8_t sha256[DOCKET__SHA256_BYTES])
{
    bool found = false;
    if (!lock_memory()) {
        return false;
    }
    const set *in = set_of(file);
    for (size_t i = 0; i < WAYS && !found; i++) {
        found = in->entries[i].look.inode != 0 && memcmp(&in->entries[i].look, file, sizeof *file) == 0;
        if (found) {
            memcpy(sha256, in->entries[i].sha256, DOCKET__SHA256_BYTES);
        }
    }
    pthread_mutex_unlock(&memory_lock);
    return found;
}

/* A change so recent that the next one could get the same time: the file's own clock is the system's, not docket's. */
static bool is_fresh(const look *file)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ms = (now.tv_sec - file->changed_s) * 1000 + (now.tv_nsec - file->changed_ns) / 1000000;
    return age_ms < (file->changed_ns % 1000000 == 0 ? COARSE_TICK_MS : FINE_TICK_MS);
}

static void remember(const look *file, const uint8_t sha256[DOCKET__SHA256_BYTES])
{
    if (file->inode == 0 || is_fresh(file) || !lock_memory()) {
        return;
    }
    set *in = set_of(file);
    remembered *entry = &in->entries[in->next];
    in->next = (in->next + 1) % WAYS;
    entry->look = *file;
    memcpy(entry->sha256, sha256, DOCKET__SHA256_BYTES);
    pthread_mutex_unlock(&memory_lock);
}

/* ---- The file ---- */

static docket_status refuse(docket_error *error, const char *path, int code, const char *what)
{
    char reason[128];
    if (code != 0) {
        docket__error_set(error, DOCKET_FAILED, "the file \"%s\" %s: %s", path, what,
                          strerror_r(code, reason, sizeof reason));
    } else {
        docket__error_set(error, DOCKET_FAILED, "the file \"%s\" %s", path, what);
    }
    if (error != NULL) {
        error->code = code;
    }
    return DOCKET_FAILED;
}

static docket_status take_look(const char *path, const struct stat *status, look *file, docket_error *error)
{
    if (!S_ISREG(status->st_mode)) {
        return refuse(error, path, 0, "is not a regular file");
    }
    *file = (look){
        .device = (uint64_t)status->st_dev,
        .inode = (uint64_t)status->st_ino,
        .size = (uint64_t)status->st_size,
        .modified_s = status->st_mtim.tv_sec,
        .modified_ns = status->st_mtim.tv_nsec,
        .changed_s = status->st_ctim.tv_sec,
        .changed_ns = status->st_ctim.tv_nsec,
    };
    return DOCKET_OK;
}

/* Looks before it opens: to open a device or a pipe may do something. */
static docket_status open_regular(const char *path, int *descriptor, look *file, docket_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return refuse(error, path, errno, "cannot be found");
    }
    docket_status seen = take_look(path, &status, file, error);
    if (seen != DOCKET_OK) {
        return seen;
    }
    *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*descriptor < 0) {
        return refuse(error, path, errno, "cannot be opened");
    }
    if (fstat(*descriptor, &status) != 0) {
        return refuse(error, path, errno, "cannot be looked at");
    }
    return take_look(path, &status, file, error);
}

/* Fills the chunk unless the file ends. */
static ssize_t read_chunk(int descriptor, uint8_t *chunk)
{
    size_t filled = 0;
    while (filled < CHUNK_BYTES) {
        ssize_t count = read(descriptor, chunk + filled, CHUNK_BYTES - filled);
        if (count == 0) {
            break;
        }
        if (count > 0) {
            filled += (size_t)count;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)filled;
}

typedef struct reading {
    const char *path;
    int descriptor;
    const docket__watch *watch;
    uint8_t *chunk;
    uint64_t size, done; /* the size that the file had: one that keeps growing is not followed */
} reading;

static bool goes_on(const reading *self)
{
    const docket__watch *watch = self->watch;
    return watch == NULL || watch->goes_on(watch->arg, self->path, self->done, self->size);
}

static docket_status hash_content(reading *self, docket__hash *hash, docket_error *error)
{
    for (;;) {
        if (!goes_on(self)) {
            return docket__error_set(error, DOCKET_CANCELLED, "cancelled while the file \"%s\" was read",
                                     self->path);
        }
        ssize_t count = read_chunk(self->descriptor, self->chunk);
        if (count < 0) {
            return refuse(error, self->path, errno, "cannot be read");
        }
        uint64_t left = self->size - self->done;
        if ((uint64_t)count > left || (count < CHUNK_BYTES && (uint64_t)count != left)) {
            return refuse(error, self->path, 0, "changed while it was read");
        }
        docket__hash_update(hash, self->chunk, (size_t)count);
        self->done += (uint64_t)count;
        if (count < CHUNK_BYTES) {
            return DOCKET_OK;
        }
    }
}

static docket_status check_unchanged(const reading *self, const look *before, docket_error *error)
{
    struct stat status;
    look after;
    if (fstat(self->descriptor, &status) != 0) {
        return refuse(error, self->path, errno, "cannot be looked at");
    }
    docket_status seen = take_look(self->path, &status, &after, error);
    if (seen == DOCKET_OK && memcmp(before, &after, sizeof after) != 0) {
        return refuse(error, self->path, 0, "changed while it was read");
    }
    return seen;
}

static docket_status digest_content(reading *self, const look *file, uint8_t sha256[32], docket_error *error)
{
    docket__hash hash;
    self->size = file->size;
    self->chunk = docket__allocate(CHUNK_BYTES);
    if (self->chunk == NULL) {
        return docket__error_no_memory(error);
    }
    docket__hash_begin(&hash);
    docket_status status = hash_content(self, &hash, error);
    docket_status hashed = docket__hash_end(&hash, sha256);
    docket__free(self->chunk);
    if (status == DOCKET_OK && hashed != DOCKET_OK) {
        return docket__error_set(error, hashed, "the digest of the file \"%s\" cannot be made", self->path);
    }
    return status == DOCKET_OK ? check_unchanged(self, file, error) : status;
}

static docket_status digest_regular(reading *self, const look *file, uint64_t *size, uint8_t sha256[32],
                                    docket_error *error)
{
    docket_status status = DOCKET_OK;
    if (!recall(file, sha256)) {
        status = digest_content(self, file, sha256, error);
        if (status == DOCKET_OK) {
            remember(file, sha256);
        }
    }
    *size = status == DOCKET_OK ? file->size : 0;
    return status;
}

docket_status docket__file_digest_open(int descriptor, const char *path, const docket__watch *watch, uint64_t *size,
                                       uint8_t sha256[32], docket_error *error)
{
    look file;
    struct stat seen;
    reading self = {.path = path, .descriptor = descriptor, .watch = watch};
    *size = 0;
    if (fstat(descriptor, &seen) != 0) {
        return refuse(error, path, errno, "cannot be looked at");
    }
    docket_status status = take_look(path, &seen, &file, error);
    return status == DOCKET_OK ? digest_regular(&self, &file, size, sha256, error) : status;
}

docket_status docket__file_digest(const char *path, const docket__watch *watch, uint64_t *size, uint8_t sha256[32],
                                  docket_error *error)
{
    look file;
    reading self = {.path = path, .descriptor = -1, .watch = watch};
    *size = 0;
    docket_status status = open_regular(path, &self.descriptor, &file, error);
    if (status == DOCKET_OK) {
        status = digest_regular(&self, &file, size, sha256, error);
    }
    if (self.descriptor >= 0) {
        close(self.descriptor);
    }
    return status;
}

bool docket__file_has_size(const char *path, uint64_t size)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == size;
}
