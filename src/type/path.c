#include "type/path.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static size_t append(char *text, size_t capacity, size_t length, const char *separator, const char *name,
                     size_t index)
{
    size_t room = capacity - length;
    int wanted = index == DOCKET__PATH_WHOLE ? snprintf(text + length, room, "%s%s", separator, name)
                                             : snprintf(text + length, room, "%s%s[%zu]", separator, name, index);
    return wanted >= 0 && (size_t)wanted < room ? length + (size_t)wanted : capacity - 1;
}

static size_t write_path(const docket__path *path, char *text, size_t capacity)
{
    size_t length = path->parent == NULL ? 0 : write_path(path->parent, text, capacity);
    return append(text, capacity, length, path->parent == NULL ? "" : ".", path->name, path->index);
}

docket_status docket__path_fail(const docket__path *path, docket_error *error, docket_status status,
                                const char *format, ...)
{
    if (error == NULL) {
        return status;
    }
    char where[sizeof error->message / 2];
    char what[sizeof error->message / 2];
    write_path(path, where, sizeof where);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return docket__error_set(error, status, "%s: %s", where, what);
}
