/* Where a store lies: its files, and what is asked of them before SQLite sees them. Everything here goes by path: a
 * descriptor of the database file that is opened and closed beside SQLite would drop all of SQLite's locks in this
 * process (POSIX record locks), and commits of others would be lost. */
#ifndef DOCKET_STORE_SQLITE_PATH_H
#define DOCKET_STORE_SQLITE_PATH_H

#include <docket/status.h>
#include <sys/stat.h>
#include <sys/vfs.h>

typedef struct docket__path {
    char *folder; /* absolute, without links */
    char *file;   /* the database */
    char *side;   /* docket's own file beside it */
} docket__path;

/* Finds the folder and names the files. DOCKET_INVALID for what cannot be a path, DOCKET_STORE for a folder that is not
 * there. */
docket_status docket__path_resolve(docket__path *path, const char *given, docket_error *error);
void docket__path_release(docket__path *path);

/* Refuses directories, links (also in the place of log, journal and side file), files of one byte and network file
 * systems.
 * `status->st_nlink` is 0 if there is no file. */
docket_status docket__path_inspect(const docket__path *path, struct stat *status, docket_error *error);

/* DOCKET_STORE if the file, or the folder, in which SQLite makes its log, cannot be written. */
docket_status docket__path_check_writable(const docket__path *path, bool exists, docket_error *error);

/* Makes an empty file, mode 0600, without ever holding a descriptor of it. It may be there already. */
docket_status docket__path_create(const docket__path *path, docket_error *error);

/* True if the path still leads to the file that was inspected. */
bool docket__path_is_same(const docket__path *path, const struct stat *before);

/* True if a rollback journal is left of the very first transaction of the file: before it, there was nothing. */
bool docket__path_was_being_made(const docket__path *path);

/* Removes database, log, journal and side file, the side file last. */
docket_status docket__path_remove_all(const docket__path *path, docket_error *error);

/* Asks for the file system of a path; tests put their own in its place. */
extern int (*docket__path_statfs)(const char *path, struct statfs *status);

#endif
