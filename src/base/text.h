/* Texts: UTF-8, names, escaping. Well-formed UTF-8 is that of Unicode's table 3-7: no surrogates, no overlong forms,
 * nothing above U+10FFFF. */
#ifndef DOCKET_BASE_TEXT_H
#define DOCKET_BASE_TEXT_H

#include <docket/status.h>

enum { DOCKET__NAME_BYTES = 255 };

/* True if all bytes are well-formed UTF-8. A NUL is a well-formed character. */
bool docket__utf8_valid(const char *text, size_t size);

/* The same without NUL. */
bool docket__text_valid(const char *text, size_t size);

/* Length in bytes of the well-formed character at the front, 1 to 4; 0 if there is none. */
size_t docket__utf8_front(const char *text, size_t size);

/* True for 1 to 255 bytes of UTF-8 without control characters (C0, DEL, C1). NULL is not a name. */
bool docket__name_valid(const char *name);

/* DOCKET_OK, or DOCKET_INVALID with a message that starts with `what` ("the step's name") and says what was found. */
docket_status docket__name_check(const char *what, const char *name, docket_error *error);

/* Writes a text into `capacity` bytes, with control characters and ill-formed bytes as \xNN, cut at a character
 * boundary if it is too long, and always with a NUL. Returns its length. */
size_t docket__text_escape(char *out, size_t capacity, const char *text, size_t size);

#endif
