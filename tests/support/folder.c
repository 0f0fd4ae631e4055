#include "support/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* In memory, where flushes cost nothing; on the disk in the long form of the tests, or when there is little memory. */
static const char *choose_root(void)
{
    static const char in_memory[] = "/dev/shm";
    enum { NEEDED_BYTES = 512 << 20 };
    struct statvfs room;
    const char *chosen = getenv("TMPDIR");
    const char *is_long = getenv("DOCKET_LONG");
    if (chosen != NULL && chosen[0] != '\0' && strlen(chosen) < 80) {
        return chosen;
    }
    bool fits = access(in_memory, W_OK | X_OK) == 0 && statvfs(in_memory, &room) == 0 &&
                room.f_bavail * room.f_frsize >= NEEDED_BYTES;
    return fits && (is_long == NULL || is_long[0] == '\0') ? in_memory : "/tmp";
}

folder folder_make(void)
{
    folder made;
    const char *root = choose_root();
    snprintf(made.path, sizeof made.path, "%s/docket-test-XXXXXX", root);
    if (mkdtemp(made.path) == NULL) {
        perror(made.path);
        abort();
    }
    return made;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(const folder *self)
{
    nftw(self->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *folder_file(const folder *self, const char *name, char path[FOLDER_PATH_ROOM])
{
    snprintf(path, FOLDER_PATH_ROOM, "%s/%s", self->path, name);
    return path;
}

bool file_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    bool whole = size == 0 || fwrite(bytes, size, 1, file) == 1;
    return fclose(file) == 0 && whole;
}

uint8_t *file_read(const char *path, size_t *size)
{
    struct stat status;
    *size = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    uint8_t *bytes = fstat(fileno(file), &status) == 0 ? malloc((size_t)status.st_size + 1) : NULL;
    if (bytes != NULL) {
        *size = fread(bytes, 1, (size_t)status.st_size, file);
        bytes[*size] = 0;
    }
    fclose(file);
    return bytes;
}

bool file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

bool file_equal(const char *one, const char *other)
{
    size_t one_size, other_size;
    uint8_t *one_bytes = file_read(one, &one_size);
    uint8_t *other_bytes = file_read(other, &other_size);
    bool equal = one_bytes != NULL && other_bytes != NULL && one_size == other_size &&
                 memcmp(one_bytes, other_bytes, one_size) == 0;
    free(one_bytes);
    free(other_bytes);
    return equal;
}

int folder_entry_count(const char *path)
{
    DIR *entries = opendir(path);
    const struct dirent *entry;
    int count = 0;
    if (entries == NULL) {
        return -1;
    }
    while ((entry = readdir(entries)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(entries);
    return count;
}
