/* Where in a value something is: "Order.lines[3].article". The parts sit on the stack of the function that descends,
 * and become a text only when something is wrong. */
#ifndef DOCKET_TYPE_PATH_H
#define DOCKET_TYPE_PATH_H

#include <docket/status.h>

#define DOCKET__PATH_WHOLE SIZE_MAX /* an index that says: not an element of a list */

typedef struct docket__path {
    const struct docket__path *parent;
    const char *name; /* of the type at the root, else of the member */
    size_t index;
} docket__path;

/* Sets an error whose message starts with the path. Returns the status. */
docket_status docket__path_fail(const docket__path *path, docket_error *error, docket_status status,
                                const char *format, ...) DOCKET_PRINTF(4, 5);

#endif
