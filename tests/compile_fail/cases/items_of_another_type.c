/* expect: (incompatible|no matching|not compatible|_Generic) */
#include <docket/docket.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (INT32, count));

docket_input items(const IS *words, const LC *counts);
docket_input items(const IS *words, const LC *counts)
{
    (void)words;
    (void)counts;
#ifdef TWIN
    return DOCKET_ITEMS(IS, words, 3);
#else
    return DOCKET_ITEMS(IS, counts, 3);
#endif
}
