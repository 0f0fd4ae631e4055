/** @page docket_protobuf  Protobuf messages as types: one line for a message of protoc-c.
 *
 *     #include "order.pb-c.h"
 *     #include <docket/protobuf.h>
 *
 *     DOCKET_PROTOBUF(Shop__Order, shop__order);
 *
 * makes a type of the message that protoc-c has called Shop__Order, to be used like any other: in DOCKET_STEP, DOCKET_OF,
 * DOCKET_IN and DOCKET_RESULT. Link with the flags that `pkg-config --cflags --libs docket-protobuf` prints.
 *
 * A step gets its output initialised as by shop__order__init and fills it: members may point to memory of the context,
 * to literals, and into the step's inputs. Maps may be filled in any order; of entries with the same key the last
 * counts. Values that are restored, and inputs, lie in docket's memory: never call shop__order__free_unpacked on them.
 *
 * What is stored is protobuf's wire format in one canonical form: fields in the order of their numbers, what proto3
 * leaves out left out, map entries with key and value and sorted by key, floats by their bits, unknown fields as they
 * are. protobuf-c's own packer is not used; it drops the sign of -0.0 and keeps duplicate keys.
 *
 * Text must be valid UTF-8. A required member that is a text or a message must be set. Messages are nested 100 deep at
 * most. Groups, and messages made with `optimize_for = CODE_SIZE`, are refused when the type is first looked at.
 */
#ifndef DOCKET_PROTOBUF_H
#define DOCKET_PROTOBUF_H

#include <docket/struct.h>
#include <protobuf-c/protobuf-c.h>

#ifdef __cplusplus
#include <type_traits>
#endif

DOCKET_BEGIN_DECLS

/** Makes a message of protoc-c a type: `T` as the struct is called in C, `prefix` as its functions begin (`T` for
 * Shop__Order is followed by shop__order, for shop__order__init). If the two do not belong together, the line does not
 * compile. The type's name is that of the C struct, here Shop__Order. */
#define DOCKET_PROTOBUF(T, prefix) DOCKET__PROTOBUF(T, prefix, NULL)

/** The same for a message with secret members, whose names follow as texts: these are stored like any other, but shown as
 * "***" wherever docket shows the value (see docket_json(3)).
 *
 *     DOCKET_PROTOBUF_SECRET(Shop__Order, shop__order, "card", "shop.Customer.phone");
 *
 * hides the member `card` of the message itself, and `phone` of the message shop.Customer wherever that is nested in it;
 * both are named as in the .proto file. A name that leads nowhere is refused with DOCKET_INVALID when the type is first
 * looked at, by docket_graph_add or docket_type_check. Secrecy is not part of the fingerprint: a member may become secret
 * later, and what was recorded stays valid. */
#define DOCKET_PROTOBUF_SECRET(T, prefix, ...)                                                                   \
    static const char *const docket__secrets_of_##T[] = {__VA_ARGS__, NULL};                                     \
    DOCKET__PROTOBUF(T, prefix, docket__secrets_of_##T)

#define DOCKET__PROTOBUF(T, prefix, secrets)                                                                     \
    DOCKET__STATIC_ASSERT(DOCKET__IS_MESSAGE(T, prefix##__init),                                                 \
                          "docket: " #prefix " is not the prefix of the message " #T                             \
                          ": take the one of its ..__init function");                                            \
    DOCKET__VALUE_PARAMETERS(T, T);                                                                              \
    DOCKET_UNUSED static const docket_type docket_type_of_##T = {                                                \
        DOCKET_TYPE_ABI, DOCKET_TYPE_MESSAGE, #T, sizeof(T), DOCKET__ALIGNOF(T), NULL, NULL, NULL,               \
        docket_protobuf_init, docket_protobuf_encode, NULL, docket_protobuf_decode, docket_protobuf_copy,        \
        docket_protobuf_seal, docket_protobuf_describe, &prefix##__descriptor, secrets, {NULL}}

#ifdef __cplusplus
#define DOCKET__IS_MESSAGE(T, init) std::is_same<decltype(&init), void (*)(T *)>::value
#else
#define DOCKET__IS_MESSAGE(T, init) _Generic((init), void (*)(T *) : 1, default : 0)
#endif

/** The functions of such a type; for descriptors that are made by hand, as bindings of other languages do: `flags` is
 * DOCKET_TYPE_MESSAGE, `detail` the message's `const ProtobufCMessageDescriptor *`. Call docket_encode and its relatives
 * instead, which say what they return: these leave to them what all types have in common.
 *
 * Threads: any, with buffers and arenas of their own. */
DOCKET_API void docket_protobuf_init(const docket_type *type, void *value);
DOCKET_API docket_status docket_protobuf_encode(const docket_type *type, const void *value, docket_buffer *out,
                                                docket_error *error);
DOCKET_API docket_status docket_protobuf_decode(const docket_type *type, docket_bytes bytes, docket_arena *arena,
                                                void *value, docket_error *error);
DOCKET_API docket_status docket_protobuf_copy(const docket_type *type, const void *from, docket_arena *arena,
                                              void *value, docket_error *error);
DOCKET_API docket_status docket_protobuf_seal(const docket_type *type, void *value, docket_arena *arena,
                                              docket_error *error);
DOCKET_API docket_status docket_protobuf_describe(const docket_type *type, docket_arena *arena,
                                                  const docket_type **described, docket_error *error);

DOCKET_END_DECLS

#endif
