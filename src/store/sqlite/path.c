#include "store/sqlite/path.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int (*docket__path_statfs)(const char *path, struct statfs *status) = statfs;

/* The other files that SQLite or docket keep beside the database. */
static const char *const siblings[] = {"-wal", "-shm", "-journal", "-docket"};
enum { SIBLING_COUNT = sizeof siblings / sizeof siblings[0] };

static docket_status fail_system(docket_error *error, const char *path, const char *what)
{
    int code = errno;
    char reason[128];
    const char *text = strerror_r(code, reason, sizeof reason);
    docket__error_set(error, DOCKET_STORE, "%s: %s: %s", path, what, text);
    if (error != NULL) {
        error->code = code;
        error->transient = code == EMFILE || code == ENFILE || code == EINTR || code == EAGAIN;
    }
    return DOCKET_STORE;
}

/* ---- Names ---- */

static char *join(const char *first, const char *second, const char *third)
{
    size_t room = strlen(first) + strlen(second) + strlen(third) + 1;
    char *text = docket__allocate(room);
    if (text != NULL) {
        snprintf(text, room, "%s%s%s", first, second, third);
    }
    return text;
}

static docket_status check_given(const char *given, docket_error *error)
{
    if (given[0] == '\0') {
        return docket__error_set(error, DOCKET_INVALID, "the path in \"sqlite:\" is empty: write sqlite:PATH");
    }
    if (strcmp(given, ":memory:") == 0) {
        return docket__error_set(
            error, DOCKET_INVALID,
            "sqlite::memory: would give every connection a database of its own: use \"memory:\"");
    }
    const char *base = strrchr(given, '/');
    base = base != NULL ? base + 1 : given;
    if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
        return docket__error_set(error, DOCKET_STORE, "%s is a directory, a file's path is needed", given);
    }
    return DOCKET_OK;
}

/* The folder's path without links, which SQLITE_OPEN_NOFOLLOW asks for; `buffer` has PATH_MAX bytes. */
static const char *real_folder(const char *given, char *buffer)
{
    const char *slash = strrchr(given, '/');
    char *folder = slash == NULL ? docket__duplicate(".") : docket__allocate((size_t)(slash - given) + 2);
    if (folder == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (slash != NULL) {
        size_t length = slash == given ? 1 : (size_t)(slash - given);
        memcpy(folder, given, length);
    }
    const char *real = realpath(folder, buffer);
    docket__free(folder);
    return real;
}

docket_status docket__path_resolve(docket__path *path, const char *given, docket_error *error)
{
    char buffer[PATH_MAX];
    *path = (docket__path){NULL, NULL, NULL};
    docket_status status = check_given(given, error);
    if (status != DOCKET_OK) {
        return status;
    }
    const char *slash = strrchr(given, '/');
    const char *folder = real_folder(given, buffer);
    if (folder == NULL) {
        return errno == ENOMEM ? docket__error_no_memory(error)
                               : fail_system(error, given, "the folder cannot be found");
    }
    path->folder = docket__duplicate(folder);
    path->file = join(folder, strcmp(folder, "/") == 0 ? "" : "/", slash != NULL ? slash + 1 : given);
    path->side = path->file != NULL ? join(path->file, "-docket", "") : NULL;
    if (path->folder == NULL || path->side == NULL) {
        docket__path_release(path);
        return docket__error_no_memory(error);
    }
    if (strlen(path->file) > 480) { /* SQLite's own limit is 512 with its suffixes */
        docket__error_set(error, DOCKET_INVALID, "%.64s...: the path has %zu bytes, SQLite takes 480", path->file,
                          strlen(path->file));
        docket__path_release(path);
        return DOCKET_INVALID;
    }
    return DOCKET_OK;
}

void docket__path_release(docket__path *path)
{
    docket__free(path->folder);
    docket__free(path->file);
    docket__free(path->side);
    *path = (docket__path){NULL, NULL, NULL};
}

/* ---- File systems ---- */

/* Numbers of statfs(2) and linux/magic.h. The locks and the shared memory of SQLite's log, and docket's claims, need all
 * users of a file under one kernel. */
static const struct {
    unsigned long number;
    const char *name;
} network_file_systems[] = {
    {0x6969, "NFS"},       {0x517b, "SMB"},      {0xff534d42, "CIFS"},        {0xfe534d42, "SMB2"},
    {0x01021997, "9p"},    {0x5346414f, "AFS"},  {0x6b414653, "AFS"},         {0x00c36400, "Ceph"},
    {0x73757245, "Coda"},  {0x564c, "NCP"},      {0x0bd00bd0, "Lustre"},      {0x47504653, "GPFS"},
    {0x7461636f, "OCFS2"}, {0x01161970, "GFS2"}, {0xbacbacbc, "VMware HGFS"}, {0x786f4256, "VirtualBox"},
};
static const unsigned long fuse_number = 0x65735546;

/* Which FUSE file systems are reached over a wire or from another kernel. */
static bool is_remote_fuse(const char *type)
{
    static const char *const remote[] = {
        "virtiofs",           "fuse.sshfs",    "fuse.glusterfs",   "fuse.ceph",      "fuse.ceph-fuse",
        "fuse.s3fs",          "fuse.rclone",   "fuse.gcsfuse",     "fuse.davfs",     "fuse.davfs2",
        "fuse.curlftpfs",     "fuse.blobfuse", "fuse.blobfuse2",   "fuse.goofys",    "fuse.juicefs",
        "fuse.mountpoint-s3", "fuse.smbnetfs", "fuse.grpcfuse",    "fuse.osxfs",     "fuse.moosefs",
        "fuse.mfs",           "fuse.lizardfs", "fuse.vmhgfs-fuse", "fuse.seaweedfs",
    };
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if (strcmp(type, remote[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The type of the mount that holds a device, as /proc/self/mountinfo spells it; false if it cannot be found. */
static bool mount_type(dev_t device, char *type, size_t room)
{
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts != NULL && !found && getline(&line, &capacity, mounts) > 0) {
        unsigned major_number, minor_number;
        const char *separator = strstr(line, " - ");
        if (separator != NULL && sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) == 2 &&
            makedev(major_number, minor_number) == device) {
            size_t length = strcspn(separator + 3, " \n");
            snprintf(type, room, "%.*s", (int)length, separator + 3);
            found = true;
        }
    }
    free(line);
    if (mounts != NULL) {
        fclose(mounts);
    }
    return found;
}

static docket_status refuse_network(const docket__path *path, const char *name, docket_error *error)
{
    return docket__error_set(
        error, DOCKET_STORE,
        "%s lies on a network file system (%s): an SQLite store needs a local one; for a store that "
        "machines share use a server store",
        path->file, name);
}

static docket_status check_file_system(const docket__path *path, docket_error *error)
{
    struct statfs system;
    struct stat folder;
    char type[64];
    if (docket__path_statfs(path->folder, &system) != 0) {
        return fail_system(error, path->folder, "the file system cannot be asked");
    }
    unsigned long number = (unsigned long)system.f_type & 0xffffffffUL;
    for (size_t i = 0; i < sizeof network_file_systems / sizeof network_file_systems[0]; i++) {
        if (number == network_file_systems[i].number) {
            return refuse_network(path, network_file_systems[i].name, error);
        }
    }
    if (number == fuse_number && stat(path->folder, &folder) == 0 && mount_type(folder.st_dev, type, sizeof type) &&
        is_remote_fuse(type)) {
        return refuse_network(path, type, error);
    }
    return DOCKET_OK;
}

/* ---- Files ---- */

static docket_status refuse_link(docket_error *error, const char *file)
{
    return docket__error_set(error, DOCKET_STORE, "%s is a link: docket follows none, give the file's own path",
                             file);
}

static docket_status check_sibling(const char *file, const char *suffix, docket_error *error)
{
    struct stat status;
    char *name = join(file, suffix, "");
    docket_status result = DOCKET_OK;
    if (name == NULL) {
        return docket__error_no_memory(error);
    }
    if (lstat(name, &status) != 0) {
        result = errno == ENOENT ? DOCKET_OK : fail_system(error, name, "cannot be examined");
    } else if (S_ISLNK(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink > 1)) {
        result = refuse_link(error, name);
    } else if (!S_ISREG(status.st_mode)) {
        result = docket__error_set(error, DOCKET_STORE, "%s is not a regular file", name);
    }
    docket__free(name);
    return result;
}

docket_status docket__path_inspect(const docket__path *path, struct stat *status, docket_error *error)
{
    docket_status result = check_file_system(path, error);
    *status = (struct stat){.st_nlink = 0};
    if (result == DOCKET_OK && lstat(path->file, status) != 0) {
        status->st_nlink = 0;
        result = errno == ENOENT ? DOCKET_OK : fail_system(error, path->file, "cannot be examined");
    } else if (result == DOCKET_OK) {
        if (S_ISLNK(status->st_mode) || (S_ISREG(status->st_mode) && status->st_nlink > 1)) {
            result = refuse_link(error, path->file);
        } else if (!S_ISREG(status->st_mode)) {
            result = docket__error_set(error, DOCKET_STORE, "%s is %s, not a file", path->file,
                                       S_ISDIR(status->st_mode) ? "a directory" : "a special file");
        } else if (status->st_size == 1) { /* which SQLite takes for an empty database */
            result =
                docket__error_set(error, DOCKET_CORRUPT, "%s is not a docket store: it holds one byte", path->file);
        }
    }
    for (size_t i = 0; result == DOCKET_OK && i < SIBLING_COUNT; i++) {
        result = check_sibling(path->file, siblings[i], error);
    }
    return result;
}

docket_status docket__path_check_writable(const docket__path *path, bool exists, docket_error *error)
{
    if (faccessat(AT_FDCWD, path->folder, W_OK | X_OK, AT_EACCESS) != 0) {
        return fail_system(
            error, path->folder,
            "SQLite keeps its log in this folder, which cannot be written (the option read_only opens "
            "a store to look at)");
    }
    if (exists && faccessat(AT_FDCWD, path->file, R_OK | W_OK, AT_EACCESS) != 0) {
        return fail_system(error, path->file,
                           "the file cannot be written (the option read_only opens a store to look at)");
    }
    return DOCKET_OK;
}

docket_status docket__path_create(const docket__path *path, docket_error *error)
{
    if (mknod(path->file, S_IFREG | 0600, 0) != 0 && errno != EEXIST) {
        return fail_system(error, path->file, "cannot be made");
    }
    return DOCKET_OK;
}

bool docket__path_is_same(const docket__path *path, const struct stat *before)
{
    struct stat now;
    return lstat(path->file, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino;
}

bool docket__path_was_being_made(const docket__path *path)
{
    static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    uint8_t head[20] = {0};
    char *name = join(path->file, "-journal", "");
    int descriptor = name != NULL ? open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t size = descriptor >= 0 ? read(descriptor, head, sizeof head) : -1;
    if (descriptor >= 0) {
        close(descriptor);
    }
    docket__free(name);
    /* "The initial size of the database in pages": source, SQLite's file format, section 3. */
    return size == (ssize_t)sizeof head && memcmp(head, magic, sizeof magic) == 0 && head[16] == 0 &&
           head[17] == 0 && head[18] == 0 && head[19] == 0;
}

docket_status docket__path_remove_all(const docket__path *path, docket_error *error)
{
    docket_status status = DOCKET_OK;
    if (unlink(path->file) != 0 && errno != ENOENT) {
        return fail_system(error, path->file, "cannot be removed");
    }
    for (size_t i = 0; status == DOCKET_OK && i < SIBLING_COUNT; i++) {
        char *name = join(path->file, siblings[i], "");
        if (name == NULL) {
            return docket__error_no_memory(error);
        }
        if (unlink(name) != 0 && errno != ENOENT) {
            status = fail_system(error, name, "cannot be removed");
        }
        docket__free(name);
    }
    return status;
}
