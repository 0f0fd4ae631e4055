/* expect: declare it as: docket_status count\(docket_ctx \*, LC \*, const IS \*, const Limit \*\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));
DOCKET_STRUCT(Limit, (INT32, most));

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const IS *in, const Limit *limit)
{
    (void)ctx;
    (void)out;
    (void)in;
    (void)limit;
    return DOCKET_OK;
}
#else
static docket_status count(docket_ctx *ctx, LC *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
#endif
DOCKET_STEP(count, LC, IS, Limit);
