/* expect: declare it as: docket_status count\(docket_ctx \*, LC \*, const Left \*\), each alias replaced by its base */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));
DOCKET_ALIAS(Left, IS);

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
#else
static docket_status count(docket_ctx *ctx, LC *out, const Left *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
#endif
DOCKET_STEP_AS(count_left, count, LC, Left);
