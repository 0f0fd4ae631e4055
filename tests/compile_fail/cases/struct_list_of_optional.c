/* expect: docket_a_LIST_cannot_hold_an_OPTIONAL */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Text, (LIST(INT32), row));
#else
DOCKET_STRUCT(Text, (LIST(OPTIONAL(INT32)), row));
#endif
