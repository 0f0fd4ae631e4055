/* What a JSON parser that makes a tree of values does not tell: numbers exactly, and where a value stands. Works on text
 * that is not known to be JSON. */
#ifndef DOCKET_TYPE_JSON_SCAN_H
#define DOCKET_TYPE_JSON_SCAN_H

#include <docket/type.h>

typedef struct docket__json_fault {
    const char *problem;
    size_t offset; /* in the text */
} docket__json_fault;

/* Appends the text with every number made a string: "\u0000" and the number as it stands. No other string of the result
 * begins so, because a NUL in a string is refused; that, numbers which are none, and nesting beyond `most_levels` are
 * the faults that are found here.
 *
 * DOCKET_INVALID: see the fault. DOCKET_NO_MEMORY. */
DOCKET_MUST_CHECK docket_status docket__json_mark_numbers(const char *text, size_t size, unsigned most_levels,
                                                          docket_buffer *out, docket__json_fault *fault);

/* Where the string, number, word or mark begins of which the byte at `marked` of the marked text is a part. */
size_t docket__json_unmarked(const char *text, size_t size, size_t marked);

/* The place of the value with the given number, counted from 0 in the order of the text, of text that is JSON. */
size_t docket__json_find_value(const char *text, size_t size, size_t index);

/* Line and column (in bytes), from 1. */
void docket__json_line(const char *text, size_t offset, size_t *line, size_t *column);

#endif
