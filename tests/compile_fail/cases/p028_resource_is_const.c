/* expect: declare it as: .*no const for a resource */
#include <docket/step.h>

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
#else
static docket_status count(docket_ctx *ctx, LC *out, const Client *client)
{
    (void)ctx;
    (void)out;
    (void)client;
    return DOCKET_OK;
}
#endif
DOCKET_STEP(count, LC, Client);
