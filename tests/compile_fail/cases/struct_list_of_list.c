/* expect: docket_a_LIST_cannot_hold_a_LIST */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Text, (LIST(INT32), row));
#else
DOCKET_STRUCT(Text, (LIST(LIST(INT32)), rows));
#endif
