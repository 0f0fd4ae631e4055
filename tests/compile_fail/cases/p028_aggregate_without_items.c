/* expect: name the type of the items: DOCKET_AGGREGATE\(count, Out, Item\) */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const IS *const *items, size_t item_count)
{
    (void)ctx;
    (void)out;
    (void)items;
    (void)item_count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(count, LC, IS);
#else
static docket_status count(docket_ctx *ctx, LC *out)
{
    (void)ctx;
    (void)out;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(count, LC);
#endif
