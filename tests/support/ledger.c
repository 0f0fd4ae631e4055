#include "support/ledger.h"

#include <docket/testing.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 512 };

static void name_file(char path[PATH_ROOM], const char *folder_path, const char *name, va_list arguments)
{
    char text[256];
    vsnprintf(text, sizeof text, name, arguments);
    for (char *slash = strchr(text, '/'); slash != NULL; slash = strchr(slash, '/')) {
        *slash = '_';
    }
    snprintf(path, PATH_ROOM, "%s/ledger-%s", folder_path, text);
}

void ledger_note(const char *folder_path, const char *name, ...)
{
    char path[PATH_ROOM];
    va_list arguments;
    va_start(arguments, name);
    name_file(path, folder_path, name, arguments);
    va_end(arguments);
    if (docket_test_ledger_add(path, "", NULL) != DOCKET_OK) {
        perror(path);
        abort();
    }
}

long ledger_count(const char *folder_path, const char *name, ...)
{
    char path[PATH_ROOM];
    va_list arguments;
    va_start(arguments, name);
    name_file(path, folder_path, name, arguments);
    va_end(arguments);
    return (long)docket_test_ledger_count(path, NULL, NULL);
}
