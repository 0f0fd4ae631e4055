/* expect: declare it as: docket_status count\(docket_ctx \*, LC \*, const IS \*\) */
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
#else
static const struct {
    int letters;
} count = {1};
#endif
DOCKET_STEP(count, LC, IS);
