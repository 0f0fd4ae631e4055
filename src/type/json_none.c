/* In the place of json_read.c where there is no jansson. */
#include "base/error.h"

#include <docket/json.h>

docket_status docket_json_read(const docket_type *type, const char *text, size_t size,
                               const docket_json_options *options, docket_arena *arena, void *value,
                               docket_error *error)
{
    (void)type;
    (void)text;
    (void)size;
    (void)options;
    (void)arena;
    (void)value;
    return docket__error_set(error, DOCKET_UNSUPPORTED,
                             "docket_json_read: this library was built without jansson (libjansson-dev)");
}
