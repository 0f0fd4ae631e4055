/* expect: declare it as: docket_status split\(docket_ctx \*, const IS \*\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (INT32, count));

#ifdef TWIN
static docket_status split(docket_ctx *, const IS *)
{
    return DOCKET_OK;
}
#else
static docket_status split(docket_ctx *, LC *, const IS *)
{
    return DOCKET_OK;
}
#endif
DOCKET_EXPAND(split, LC, IS);
