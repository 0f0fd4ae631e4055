/* expect: IS ?\*.*LC ?\* */
#include <docket/graph.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

static docket_input give(IS *text)
{

#ifdef TWIN
    return DOCKET_IN(IS, text);
#else
    return DOCKET_IN(LC, text);
#endif
}

docket_input given();
docket_input given()
{
    static IS text;
    return give(&text);
}
