/* expect: declare_output_with_DOCKET_STRUCT_Client */
#include <docket/step.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));
typedef struct Client Client;
DOCKET_RESOURCE(Client);

#ifdef TWIN
static docket_status count(docket_ctx *ctx, LC *out, Client *client)
{
    (void)ctx;
    (void)out;
    (void)client;
    return DOCKET_OK;
}
DOCKET_STEP(count, LC, Client);
#else
static docket_status count(docket_ctx *ctx, Client *out, const IS *in)
{
    (void)ctx;
    (void)out;
    (void)in;
    return DOCKET_OK;
}
DOCKET_STEP(count, Client, IS);
#endif
