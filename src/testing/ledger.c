/* Lines "step<TAB>input<LF>", each appended by one write: the kernel puts it behind all others as a whole. */
#include "testing/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_TEXT = 200, LINE_ROOM = 2 * LONGEST_TEXT + 3 };

static size_t append_text(char *line, const char *text, char end)
{
    size_t length = 0;
    for (; text[length] != '\0' && length < LONGEST_TEXT; length++) {
        unsigned char byte = (unsigned char)text[length];
        line[length] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
    }
    line[length] = end;
    return length + 1;
}

static size_t make_line(char line[LINE_ROOM], const char *step, const char *input)
{
    size_t length = append_text(line, step, '\t');
    return length + append_text(line + length, input != NULL ? input : "", '\n');
}

docket_status docket_test_ledger_add(const char *path, const char *step, const char *input)
{
    char line[LINE_ROOM];
    if (path == NULL || step == NULL) {
        return DOCKET_INVALID;
    }
    size_t length = make_line(line, step, input);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return DOCKET_STORE;
    }
    ssize_t written;
    do {
        written = write(descriptor, line, length);
    } while (written < 0 && errno == EINTR);
    int cause = written < 0 ? errno : ENOSPC;
    close(descriptor);
    errno = written == (ssize_t)length ? 0 : cause;
    return written == (ssize_t)length ? DOCKET_OK : DOCKET_STORE;
}

/* Calls `each` for the lines of a step, or of any; without the line feed. False: the file cannot be read. */
static bool read_lines(const char *path, const char *step, bool (*each)(void *arg, const char *line, size_t length),
                       void *arg)
{
    char line[LINE_ROOM + 1];
    char wanted[LINE_ROOM];
    size_t wanted_length = step != NULL ? append_text(wanted, step, '\t') : 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT;
    }
    bool goes_on = true;
    while (goes_on && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        bool is_whole = length > 0 && line[length - 1] == '\n';
        if (is_whole && length > wanted_length && memcmp(line, wanted, wanted_length) == 0) {
            line[length - 1] = '\0';
            goes_on = each(arg, line, length - 1);
        }
    }
    bool is_read = goes_on && ferror(file) == 0;
    fclose(file);
    return is_read;
}

typedef struct counting {
    const char *input; /* NULL = any */
    int64_t count;
} counting;

static bool count_line(void *arg, const char *line, size_t length)
{
    counting *of = arg;
    const char *input = strchr(line, '\t');
    (void)length;
    of->count += of->input == NULL || (input != NULL && strcmp(input + 1, of->input) == 0);
    return true;
}

int64_t docket_test_ledger_count(const char *path, const char *step, const char *input)
{
    char wanted[LINE_ROOM];
    counting of = {.input = input};
    if (input != NULL) {
        size_t length = append_text(wanted, input, '\0');
        of.input = length > 0 ? wanted : "";
    }
    return path != NULL && read_lines(path, step, count_line, &of) ? of.count : -1;
}

typedef struct collection {
    char **lines;
    size_t count, capacity;
} collection;

static bool collect_line(void *arg, const char *line, size_t length)
{
    collection *of = arg;
    if (of->count == of->capacity) {
        size_t capacity = of->capacity > 0 ? 2 * of->capacity : 64;
        char **lines = realloc(of->lines, capacity * sizeof *lines);
        if (lines == NULL) {
            return false;
        }
        of->lines = lines;
        of->capacity = capacity;
    }
    of->lines[of->count] = strndup(line, length);
    return of->lines[of->count++] != NULL;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int64_t docket_test_ledger_most(const char *path, const char *step)
{
    collection of = {NULL, 0, 0};
    int64_t most = -1;
    if (path != NULL && read_lines(path, step, collect_line, &of)) {
        int64_t run = 0;
        most = 0;
        if (of.count > 0) {
            qsort(of.lines, of.count, sizeof *of.lines, compare_lines);
        }
        for (size_t i = 0; i < of.count; i++) {
            run = i > 0 && strcmp(of.lines[i], of.lines[i - 1]) == 0 ? run + 1 : 1;
            most = run > most ? run : most;
        }
    }
    for (size_t i = 0; i < of.count; i++) {
        free(of.lines[i]);
    }
    free(of.lines);
    return most;
}
