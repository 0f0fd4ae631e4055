#include "testing/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void docket__test_clear(docket_error *error)
{
    static const docket_error empty = DOCKET_ERROR_INIT;
    if (error != NULL) {
        *error = empty;
    }
}

docket_status docket__test_fail(docket_error *error, docket_status status, const char *format, ...)
{
    va_list arguments;
    docket__test_clear(error);
    if (error != NULL) {
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

docket_status docket__test_explain(docket_error *error, docket_status status, const char *format, ...)
{
    va_list arguments;
    char text[sizeof error->message];
    if (error == NULL) {
        return status;
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    snprintf(text + used, sizeof text - used, "%s", error->message);
    memcpy(error->message, text, sizeof text);
    return status;
}

docket_status docket__test_options(void *options, size_t size, const void *given, const char *init,
                                   docket_error *error)
{
    size_t given_size = size;
    if (given != NULL) {
        memcpy(&given_size, given, sizeof given_size);
        if (given_size < sizeof given_size || given_size > size) {
            return docket__test_fail(
                error, DOCKET_INVALID,
                "the options' struct_size is %zu, at most %zu is known: start them with %s, and "
                "compile with the headers of this library",
                given_size, size, init);
        }
        memcpy(options, given, given_size);
    }
    return DOCKET_OK;
}

void *docket__test_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        abort();
    }
    return memory;
}

uint64_t docket__test_draw(uint64_t *state)
{
    uint64_t drawn = *state += UINT64_C(0x9e3779b97f4a7c15);
    drawn = (drawn ^ drawn >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    drawn = (drawn ^ drawn >> 27) * UINT64_C(0x94d049bb133111eb);
    return drawn ^ drawn >> 31;
}

double docket__test_draw_share(uint64_t *state)
{
    return (double)(docket__test_draw(state) >> 11) / 9007199254740992.0; /* 2^53 */
}
