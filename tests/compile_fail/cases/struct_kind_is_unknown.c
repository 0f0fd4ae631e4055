/* expect: docket_has_no_kind_TEXT */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Text, (STRING, text));
#else
DOCKET_STRUCT(Text, (TEXT, text));
#endif
