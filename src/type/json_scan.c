#include "type/json_scan.h"

#include "base/buffer.h"
#include "type/json.h"

#include <string.h>

/* A piece of text: a string with its quotes, what looks like a number, a word, or any other single byte. */
typedef struct token {
    size_t offset;
    size_t size;
    char first; /* '"', '0' for a number, 'a' for a word, else the byte itself */
} token;

static bool is_of_number(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || byte == 'e' || byte == 'E';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The end of a string that starts at `at`; the end of the text if it does not end. */
static size_t end_of_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++) {
        if (text[at] == '\\') {
            at++;
        }
    }
    return at < size ? at + 1 : size;
}

static token next_token(const char *text, size_t size, size_t at)
{
    char byte = text[at];
    size_t end = at + 1;
    if (byte == '"') {
        return (token){at, end_of_string(text, size, at) - at, '"'};
    }
    if (byte == '-' || (byte >= '0' && byte <= '9')) {
        while (end < size && is_of_number(text[end])) {
            end++;
        }
        return (token){at, end - at, '0'};
    }
    while (is_letter(byte) && end < size && is_letter(text[end])) {
        end++;
    }
    return (token){at, end - at, is_letter(byte) ? 'a' : byte};
}

static bool holds_nul(const char *string, size_t size)
{
    for (size_t i = 0; i + 6 <= size; i++) {
        if (string[i] == '\\') {
            if (memcmp(string + i, "\\u0000", 6) == 0) {
                return true;
            }
            i++;
        }
    }
    return false;
}

static const char *judge_token(const char *text, const token *piece, unsigned *level, unsigned most_levels)
{
    switch (piece->first) {
    case '"':
        return holds_nul(text + piece->offset, piece->size) ? "a text with a NUL" : NULL;
    case '0':
        return docket__json_is_number(text + piece->offset, piece->size) ? NULL : "this is no JSON number";
    case '{':
    case '[':
        return ++*level > most_levels ? "nested too deeply" : NULL;
    case '}':
    case ']':
        *level -= *level > 0;
        return NULL;
    default:
        return NULL;
    }
}

static const char number_begin[] = "\"\\u0000";
static const char number_end[] = "\"";

docket_status docket__json_mark_numbers(const char *text, size_t size, unsigned most_levels, docket_buffer *out,
                                        docket__json_fault *fault)
{
    unsigned level = 0;
    token piece;
    for (size_t at = 0; at < size; at = piece.offset + piece.size) {
        piece = next_token(text, size, at);
        const char *problem = judge_token(text, &piece, &level, most_levels);
        if (problem != NULL) {
            *fault = (docket__json_fault){problem, at};
            return DOCKET_INVALID;
        }
        bool is_number = piece.first == '0';
        docket_status status = DOCKET_OK;
        if (is_number) {
            status = docket__buffer_append(out, number_begin, sizeof number_begin - 1);
        }
        if (status == DOCKET_OK) {
            status = docket__buffer_append(out, text + at, piece.size);
        }
        if (status == DOCKET_OK && is_number) {
            status = docket__buffer_append(out, number_end, sizeof number_end - 1);
        }
        if (status != DOCKET_OK) {
            return status;
        }
    }
    return DOCKET_OK;
}

size_t docket__json_unmarked(const char *text, size_t size, size_t marked)
{
    size_t added = 0;
    token piece;
    for (size_t at = 0; at < size; at = piece.offset + piece.size) {
        piece = next_token(text, size, at);
        added += piece.first == '0' ? sizeof number_begin - 1 + sizeof number_end - 1 : 0;
        if (at + piece.size + added > marked) {
            return at;
        }
    }
    return size;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_name(const char *text, size_t size, const token *piece)
{
    size_t at = piece->offset + piece->size;
    while (at < size && is_space(text[at])) {
        at++;
    }
    return piece->first == '"' && at < size && text[at] == ':';
}

size_t docket__json_find_value(const char *text, size_t size, size_t index)
{
    token piece;
    for (size_t at = 0; at < size; at = piece.offset + piece.size) {
        piece = next_token(text, size, at);
        bool is_mark = is_space(piece.first) || strchr("}],:", piece.first) != NULL;
        if (!is_mark && !is_name(text, size, &piece) && index-- == 0) {
            return at;
        }
    }
    return size;
}

void docket__json_line(const char *text, size_t offset, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset; i++) {
        ++*column;
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        }
    }
}
