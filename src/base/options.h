/* Options structures of programs that were compiled with older or newer headers than the library. */
#ifndef DOCKET_BASE_OPTIONS_H
#define DOCKET_BASE_OPTIONS_H

#include "base/error.h"

#include <string.h>

/* No options structure will ever be so large: a larger struct_size was never initialised. */
enum { DOCKET__OPTIONS_BYTES = 4096 };

/* Fills `options` (`size` bytes, struct_size first) from what the program gave; NULL gives all defaults. A smaller
 * structure is an older program's: what it does not know is 0. A larger one is a newer program's: what the library does
 * not know must be 0. `initialiser` names the macro that starts the structure.
 *
 * Returns DOCKET_INVALID with everything in `options` 0. */
static inline docket_status docket__options_read(void *options, size_t size, const void *given,
                                                 const char *initialiser, docket_error *error)
{
    size_t given_size = size;
    memset(options, 0, size);
    if (given != NULL) {
        memcpy(&given_size, given, sizeof given_size);
        if (given_size < sizeof given_size || given_size > DOCKET__OPTIONS_BYTES) {
            return docket__error_set(error, DOCKET_INVALID, "struct_size is %zu: start the structure with %s",
                                     given_size, initialiser);
        }
        for (size_t i = size; i < given_size; i++) {
            if (((const unsigned char *)given)[i] != 0) {
                return docket__error_set(
                    error, DOCKET_INVALID,
                    "struct_size is %zu, and docket %s knows only the first %zu bytes: the option "
                    "at byte %zu needs a newer library",
                    given_size, DOCKET_VERSION_STRING, size, i);
            }
        }
        memcpy(options, given, given_size < size ? given_size : size);
    }
    memcpy(options, &size, sizeof size);
    return DOCKET_OK;
}

#endif
