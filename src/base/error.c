#include "base/error.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *docket_version(void)
{
    return DOCKET_VERSION_STRING;
}

const char *docket_status_name(docket_status status)
{
    switch (status) {
#define NAME(number, name, text) \
    case DOCKET_##name:          \
        return "DOCKET_" #name;
        DOCKET_STATUS_MAP(NAME)
#undef NAME
    }
    return "DOCKET_UNKNOWN";
}

const char *docket_status_text(docket_status status)
{
    switch (status) {
#define TEXT(number, name, text) \
    case DOCKET_##name:          \
        return text;
        DOCKET_STATUS_MAP(TEXT)
#undef TEXT
    }
    return "a status that this library does not know";
}

void docket__error_clear(docket_error *error)
{
    if (error == NULL) {
        return;
    }
    error->status = DOCKET_OK;
    error->code = 0;
    error->attempts = 0;
    error->transient = 0;
    error->item_index = -1;
    error->execution_id[0] = '\0';
    error->step[0] = '\0';
    error->type[0] = '\0';
    error->message[0] = '\0';
    error->cause[0] = '\0';
}

/* Every raw byte takes at least one place, so what does not fit here would not fit there either; the four more bytes
 * keep the cut of a character out of sight. */
typedef struct raw_message {
    char text[sizeof((docket_error *)NULL)->message + 4];
    size_t size;
} raw_message;

static void format_raw(raw_message *raw, const char *format, va_list arguments)
{
    int length = vsnprintf(raw->text, sizeof raw->text, format, arguments);
    if (length < 0) {
        raw->size = 0;
    } else {
        raw->size = (size_t)length < sizeof raw->text ? (size_t)length : sizeof raw->text - 1;
    }
}

docket_status docket__error_vset(docket_error *error, docket_status status, const char *format, va_list arguments)
{
    if (error == NULL) {
        return status;
    }
    raw_message raw;
    format_raw(&raw, format, arguments);
    docket__error_clear(error);
    error->status = status;
    docket__text_escape(error->message, sizeof error->message, raw.text, raw.size);
    return status;
}

docket_status docket__error_set(docket_error *error, docket_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket__error_vset(error, status, format, arguments);
    va_end(arguments);
    return status;
}

docket_status docket__error_no_memory(docket_error *error)
{
    return docket__error_set(error, DOCKET_NO_MEMORY, "memory is exhausted");
}

void docket__error_copy(docket_error *error, const docket_error *from)
{
    if (from == NULL) {
        docket__error_clear(error);
    } else if (error != NULL && error != from) {
        *error = *from;
    }
}

static void set_text(char *text, size_t capacity, const char *from)
{
    docket__text_escape(text, capacity, from != NULL ? from : "", from != NULL ? strlen(from) : 0);
}

void docket__error_set_execution(docket_error *error, const char *execution_id)
{
    if (error != NULL) {
        set_text(error->execution_id, sizeof error->execution_id, execution_id);
    }
}

void docket__error_set_step(docket_error *error, const char *step)
{
    if (error != NULL) {
        set_text(error->step, sizeof error->step, step);
    }
}

void docket__error_set_type(docket_error *error, const char *type)
{
    if (error != NULL) {
        set_text(error->type, sizeof error->type, type);
    }
}

void docket__error_set_cause(docket_error *error, const char *cause)
{
    if (error != NULL) {
        set_text(error->cause, sizeof error->cause, cause);
    }
}

/* A line that is cut at its capacity but goes on counting. */
typedef struct line {
    char *text;
    size_t capacity;
    size_t length;
} line;

static void append(line *to, const char *format, ...) DOCKET_PRINTF(2, 3);

static void append(line *to, const char *format, ...)
{
    size_t used = to->length < to->capacity ? to->length : to->capacity;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to->text + used, to->capacity - used, format, arguments);
    va_end(arguments);
    to->length += length > 0 ? (size_t)length : 0;
}

static void append_details(line *to, const docket_error *error)
{
    const char *separator = " (";
    if (error->step[0] != '\0') {
        append(to, "%sstep %s", separator, error->step);
        separator = ", ";
    }
    if (error->type[0] != '\0') {
        append(to, "%stype %s", separator, error->type);
        separator = ", ";
    }
    if (error->item_index >= 0) {
        append(to, "%sitem %" PRId64, separator, error->item_index);
        separator = ", ";
    }
    if (error->attempts > 0) {
        append(to, "%s%" PRId32 " attempt%s", separator, error->attempts, error->attempts == 1 ? "" : "s");
        separator = ", ";
    }
    if (separator[0] == ',') {
        append(to, ")");
    }
}

/* Takes back a character of which the cut left only the front. */
static void trim_cut(line *cut)
{
    if (cut->length < cut->capacity || cut->capacity == 0) {
        return;
    }
    size_t size = cut->capacity - 1;
    size_t start = size;
    while (start > 0 && ((uint8_t)cut->text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start > 0 && !docket__utf8_valid(cut->text + start - 1, size - (start - 1))) {
        cut->text[start - 1] = '\0';
    }
}

size_t docket_error_format(const docket_error *error, char *text, size_t capacity)
{
    char nowhere[1];
    line written = {capacity > 0 ? text : nowhere, capacity, 0};
    if (capacity > 0) {
        text[0] = '\0';
    }
    if (error == NULL) {
        return 0;
    }
    if (error->execution_id[0] != '\0') {
        append(&written, "[%s] ", error->execution_id);
    }
    append(&written, "%s", error->message[0] != '\0' ? error->message : docket_status_text(error->status));
    append_details(&written, error);
    if (error->cause[0] != '\0') {
        append(&written, ": %s", error->cause);
    }
    trim_cut(&written);
    return written.length;
}

docket_status docket_error_set(docket_error *error, docket_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    docket__error_vset(error, status, format, arguments);
    va_end(arguments);
    return status;
}
