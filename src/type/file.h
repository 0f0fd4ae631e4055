/* Files as members: a docket_file is stored as the message that its type below describes. */
#ifndef DOCKET_TYPE_FILE_H
#define DOCKET_TYPE_FILE_H

#include <docket/type.h>

/* docket_file as a struct type: path = 1, size = 2, sha256 = 3; and what of it counts in a key, which is the same
 * without the path. */
extern const docket_type docket__file_type;
extern const docket_type docket__file_key_type;

/* True if the member at `at` is no file: no path, no size, no digest. */
bool docket__file_is_zero(const uint8_t *at);

/* What is wrong with the file at `at`; NULL = nothing. A path without a digest is the name of a file that nobody has
 * read: it would make a key that stays the same whatever is in the file. */
const char *docket__file_problem(const uint8_t *at);

/* True if a value of the type can hold files, at whatever depth. Costs a walk over all nested types: keep the answer.
 * Returns as docket_type_check. */
DOCKET_MUST_CHECK docket_status docket__type_find_files(const docket_type *type, bool *found, docket_error *error);

/* Calls `visit` for every file in a value of a checked type, but for those that are zero, until it returns false. The
 * value has passed docket_decode or docket__type_seal. False if it was stopped. */
bool docket__type_visit_files(const docket_type *type, const void *value,
                              bool (*visit)(void *arg, const docket_file *file), void *arg);

/* The same, and puts what `rewrite` answers in the place of each path. All of the value must be the caller's own memory,
 * as after docket_decode. NULL stops. */
bool docket__type_rewrite_files(const docket_type *type, void *value,
                                const char *(*rewrite)(void *arg, const docket_file *file), void *arg);

#endif
