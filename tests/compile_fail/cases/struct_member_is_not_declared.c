/* expect: docket_type_of_Line */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Line, (INT32, length));
#else
typedef struct Line {
    int length;
} Line;
#endif
DOCKET_STRUCT(Text, (LIST(STRUCT(Line)), lines));
