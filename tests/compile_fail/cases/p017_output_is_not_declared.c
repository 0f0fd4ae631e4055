/* expect: declare_output_with_DOCKET_STRUCT_Text */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));

#ifdef TWIN
DOCKET_STRUCT(Text, (STRING, text));
#else
typedef struct Text {
    char *text;
} Text;
#endif

static docket_status count(docket_ctx *ctx, Text *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_STEP(count, Text, IS);
