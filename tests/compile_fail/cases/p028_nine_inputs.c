/* expect: count has more than 8 inputs: put some of them into one struct */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, const IS *a, const IS *b, const IS *c, const IS *d,
                           const IS *e, const IS *f, const IS *g, const IS *h)
{
    (void)ctx;
    (void)out;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    (void)f;
    (void)g;
    (void)h;
    return DOCKET_OK;
}
DOCKET_STEP(count, LC, IS, IS, IS, IS, IS, IS, IS, IS);
#else
static docket_status count(docket_ctx *ctx, LC *out, const IS *a, const IS *b, const IS *c, const IS *d,
                           const IS *e, const IS *f, const IS *g, const IS *h, const IS *i)
{
    (void)ctx;
    (void)out;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    (void)f;
    (void)g;
    (void)h;
    (void)i;
    return DOCKET_OK;
}
DOCKET_STEP(count, LC, IS, IS, IS, IS, IS, IS, IS, IS, IS);
#endif
