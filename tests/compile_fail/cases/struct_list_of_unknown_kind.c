/* expect: docket_has_no_kind_int64_t */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Text, (LIST(INT64), numbers));
#else
DOCKET_STRUCT(Text, (LIST(int64_t), numbers));
#endif
