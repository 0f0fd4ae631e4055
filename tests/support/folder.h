/* Temporary folders: made for one test, removed with all they hold. */
#ifndef DOCKET_TESTS_FOLDER_H
#define DOCKET_TESTS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FOLDER_PATH_ROOM = 512 };

typedef struct folder {
    char path[128];
} folder;

/* A new folder, mode 0700, below TMPDIR or where it is fast. Aborts when there can be none. */
folder folder_make(void);
void folder_remove(const folder *self);

/* Writes the path of a file in the folder into `path` and returns it. */
const char *folder_file(const folder *self, const char *name, char path[FOLDER_PATH_ROOM]);

/* Whole files by path. `read` returns malloc'd bytes with a NUL behind them, or NULL when there is no such file. */
bool file_write(const char *path, const void *bytes, size_t size);
uint8_t *file_read(const char *path, size_t *size);
bool file_exists(const char *path);

/* Both files are there and have the same bytes. */
bool file_equal(const char *one, const char *other);

/* How many entries a folder has, "." and ".." not counted; -1 if it cannot be read. */
int folder_entry_count(const char *path);

#endif
