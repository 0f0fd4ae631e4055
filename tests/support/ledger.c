#include "support/ledger.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0 || write(descriptor, "+", 1) != 1) {
        perror(path);
        abort();
    }
    close(descriptor);
}

long ledger_count(const char *folder_path, const char *name, ...)
{
    char path[PATH_ROOM];
    struct stat status;
    va_list arguments;
    va_start(arguments, name);
    name_file(path, folder_path, name, arguments);
    va_end(arguments);
    return stat(path, &status) == 0 ? (long)status.st_size : 0;
}
