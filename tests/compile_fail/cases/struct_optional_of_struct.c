/* expect: docket_a_STRUCT_has_NULL_and_needs_no_OPTIONAL */
#include <docket/struct.h>
DOCKET_STRUCT(Line, (STRING, text));

#ifdef TWIN
DOCKET_STRUCT(Text, (STRUCT(Line), line));
#else
DOCKET_STRUCT(Text, (OPTIONAL(STRUCT(Line)), line));
#endif
