/* expect: declare_with_DOCKET_STRUCT_Text */
#include <docket/step.h>

DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

#ifdef TWIN
DOCKET_STRUCT(Text, (STRING, text));
#else
typedef struct Text {
    char *text;
} Text;
#endif

static docket_status count(docket_ctx *ctx, LC *out, const Text *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_STEP(count, LC, MAYBE(Text));
