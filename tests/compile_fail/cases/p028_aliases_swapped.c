/* expect: declare it as: docket_status count\(docket_ctx \*, LC \*, const Left \*, const Right \*\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));
DOCKET_ALIAS(Left, IS);
DOCKET_ALIAS(Right, IS);

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const Left *left, const Right *right)
{
    (void)ctx;
    (void)out;
    (void)left;
    (void)right;
    return DOCKET_OK;
}
#else
static docket_status count(docket_ctx *ctx, LC *out, const Right *right, const Left *left)
{
    (void)ctx;
    (void)out;
    (void)left;
    (void)right;
    return DOCKET_OK;
}
#endif
DOCKET_STEP(count, LC, Left, Right);
