/* expect: the version of count must be 1 or more */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_STEP_VERSIONED(count, 1, LC, IS);
#else
static docket_status count(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_STEP_VERSIONED(count, 0, LC, IS);
#endif
