#ifndef DOCKET_ENGINE_FILE_H
#define DOCKET_ENGINE_FILE_H

#include "engine/execution.h"

/* Whether the files of a restored value are still what was recorded: there, of their size, and with verify_files of their
 * digest.
 *
 * Returns DOCKET_OK; DOCKET_MISSING if one is not (the error says nothing then); DOCKET_CANCELLED, DOCKET_NO_MEMORY or
 * DOCKET_UNSUPPORTED if that cannot be found out. */
DOCKET_MUST_CHECK docket_status docket__files_check(docket_ctx *ctx, const docket_type *type, const void *value,
                                                    docket_error *error);

#endif
