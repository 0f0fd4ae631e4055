/* expect: declare it as: docket_status split\(docket_ctx \*, const IS \*\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (INT32, count));

#ifdef TWIN
static docket_status split(docket_ctx *ctx, const IS *in)
{
    (void)ctx;
    (void)in;
    return DOCKET_OK;
}
#else
static docket_status split(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
#endif
DOCKET_EXPAND(split, LC, IS);
