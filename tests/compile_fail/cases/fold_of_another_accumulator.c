/* expect: declare it as: docket_status add\(docket_ctx \*, LC \*, const IS \*\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (INT32, count));

#ifdef TWIN
static docket_status add(docket_ctx *ctx, LC *out, const IS *in)
#else
static docket_status add(docket_ctx *ctx, IS *out, const IS *in)
#endif
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_FOLD(add, LC, IS);
