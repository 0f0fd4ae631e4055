/* expect: IS \*.*not compatible with any (generic )?association */
#include <docket/graph.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

docket_input give(IS *text);
docket_input give(IS *text)
{

#ifdef TWIN
    return DOCKET_IN(IS, text);
#else
    return DOCKET_IN(LC, text);
#endif
}
