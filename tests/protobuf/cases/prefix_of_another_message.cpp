/* expect: docket: shop__line is not the prefix of the message Shop__Order */
#include <docket/protobuf.h>

typedef struct Shop__Order {
    ProtobufCMessage base;
} Shop__Order;
typedef struct Shop__Line {
    ProtobufCMessage base;
} Shop__Line;
extern const ProtobufCMessageDescriptor shop__order__descriptor;
extern const ProtobufCMessageDescriptor shop__line__descriptor;
extern "C" void shop__order__init(Shop__Order *message);
extern "C" void shop__line__init(Shop__Line *message);

#ifdef TWIN
DOCKET_PROTOBUF(Shop__Order, shop__order);
#else
DOCKET_PROTOBUF(Shop__Order, shop__line);
#endif
