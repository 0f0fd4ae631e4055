/* Filling in a docket_error. Every function accepts NULL for the error. Texts from elsewhere (a step's message, a
 * server's answer) arrive escaped: see docket__text_escape. */
#ifndef DOCKET_BASE_ERROR_H
#define DOCKET_BASE_ERROR_H

#include <docket/status.h>
#include <stdarg.h>

/* Sets status and message, clears everything else (item_index becomes -1). Returns the status:
 * `return docket__error_set(error, DOCKET_INVALID, "…", …);`. The arguments may point into the error itself. */
docket_status docket__error_set(docket_error *error, docket_status status, const char *format, ...)
    DOCKET_PRINTF(3, 4);
docket_status docket__error_vset(docket_error *error, docket_status status, const char *format, va_list arguments)
    DOCKET_PRINTF(3, 0);

/* The usual message for exhausted memory; returns DOCKET_NO_MEMORY. */
docket_status docket__error_no_memory(docket_error *error);

/* Makes it a success without content, in a few stores: only the first bytes of the texts are written. */
void docket__error_clear(docket_error *error);

/* Copies all of it; `from` NULL clears. */
void docket__error_copy(docket_error *error, const docket_error *from);

/* Fill in who and what, keeping the rest. NULL makes the text empty. */
void docket__error_set_execution(docket_error *error, const char *execution_id);
void docket__error_set_step(docket_error *error, const char *step);
void docket__error_set_type(docket_error *error, const char *type);
void docket__error_set_cause(docket_error *error, const char *cause);

#endif
