/* expect: docket_a_SECRET_stands_around_the_LIST */
#include <docket/struct.h>

#ifdef TWIN
DOCKET_STRUCT(Point, (INT32, x));
DOCKET_STRUCT(Text, (SECRET(LIST(STRING)), words), (SECRET(OPTIONAL(INT64)), pin), (SECRET(FIXED(4)), digest),
              (SECRET(STRUCT(Point)), place), (SECRET(LIST(STRUCT(Point))), places));
DOCKET_STRUCT_NUMBERED(Card, (4, SECRET(STRING), number), (2, STRING, holder));
DOCKET__STATIC_ASSERT(sizeof(((Text *)0)->words_count) == sizeof(size_t), "a secret list has a count");
#else
DOCKET_STRUCT(Text, (LIST(SECRET(STRING)), words));
#endif
