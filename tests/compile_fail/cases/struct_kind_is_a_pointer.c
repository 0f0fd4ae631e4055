/* expect: docket_has_no_kind_const */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Text, (STRING, text));
#else
DOCKET_STRUCT(Text, (const char *, text));
#endif
