/** @page docket_struct  Plain structs as types: one line declares the struct and its descriptor.
 *
 *     DOCKET_ENUM(Grade, (GRADE_UNKNOWN, 0), (GRADE_GOOD, 1));
 *     DOCKET_STRUCT(Line,  (STRING, article), (INT64, cents));
 *     DOCKET_STRUCT(Order, (STRING, customer), (LIST(STRUCT(Line)), lines), (OPTIONAL(ENUM(Grade)), grade));
 *
 * declares `typedef struct Order Order` with the members `const char *customer`, `const Line *lines`,
 * `size_t lines_count`, `Grade grade` and `bool has_grade`, and what docket needs to store it. Use the macros at file
 * scope, in a header or in a C file. They also compile as C++17.
 *
 * Kinds: BOOL INT32 INT64 UINT32 UINT64 FLOAT DOUBLE STRING (`const char *`, UTF-8) BYTES (docket_bytes) TIME_MS
 * (`int64_t`, milliseconds since 1970) FIXED(n) (`uint8_t name[n]`) ENUM(E) STRUCT(T) (`const T *`, NULL = unset)
 * FILE (docket_file, see docket_file(3))
 * LIST(kind) (`const T *name; size_t name_count`, contiguous) OPTIONAL(kind) (`bool has_name` beside the member).
 * A LIST holds any kind but LIST and OPTIONAL; an OPTIONAL any kind but these and STRUCT, which has NULL for that.
 * SECRET(kind), around any of these, is stored like the kind alone but shown as "***": see docket_json(3).
 *
 * The kinds are pasted to a prefix, never expanded; a program that itself defines a macro named like one of them
 * (`#define BOOL int`) writes the docket_field table by hand instead: see docket_type(3).
 */
#ifndef DOCKET_STRUCT_H
#define DOCKET_STRUCT_H

#include <docket/each.h>
#include <docket/type.h>

#ifdef __cplusplus
#define DOCKET__ALIGNOF(T) alignof(T)
#define DOCKET__STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define DOCKET__ALIGNOF(T) _Alignof(T)
#define DOCKET__STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/** The descriptor of a declared type: `const docket_type *`. Constant data, valid as long as the program (or the shared
 * object that holds it) is loaded. */
#define DOCKET_OF(T) (&docket_type_of_##T)

/** Declares a struct of 1 to 64 members, numbered 1, 2, 3 … in order, and its type. Adding, removing, renaming or
 * moving a member makes another layout: results recorded with the old one answer DOCKET_TYPE, see docket_unreadable. */
#define DOCKET_STRUCT(T, ...)                                                                                    \
    typedef struct T T;                                                                                          \
    struct T {                                                                                                   \
        DOCKET__EACH(DOCKET__MEMBER, T, __VA_ARGS__)                                                             \
    };                                                                                                           \
    static const docket_field docket__fields_of_##T[] = {DOCKET__EACH(DOCKET__FIELD, T, __VA_ARGS__)};           \
    DOCKET__STRUCT_TYPE(T)

/** The same with the number of each member given first: `(7, INT64, cents)`. The numbers are those of the stored bytes,
 * and of a proto3 message that reads them; the order of the members no longer matters. */
#define DOCKET_STRUCT_NUMBERED(T, ...)                                                                           \
    typedef struct T T;                                                                                          \
    struct T {                                                                                                   \
        DOCKET__EACH(DOCKET__NUMBERED_MEMBER, T, __VA_ARGS__)                                                    \
    };                                                                                                           \
    static const docket_field docket__fields_of_##T[] = {DOCKET__EACH(DOCKET__NUMBERED_FIELD, T, __VA_ARGS__)};  \
    DOCKET__STRUCT_TYPE(T)

/** Declares an enum of 1 to 64 `(NAME, number)` pairs and its names. A stored number without a name is kept. */
#define DOCKET_ENUM(E, ...)                                                                                      \
    typedef enum E { DOCKET__EACH(DOCKET__ENUMERATOR, E, __VA_ARGS__) } E;                                       \
    DOCKET__STATIC_ASSERT(sizeof(E) == 4, "docket stores enums in 32 bits: " #E " does not fit");                \
    static const docket_enum_value docket__values_of_##E[] = {DOCKET__EACH(DOCKET__ENUM_VALUE, E, __VA_ARGS__)}; \
    DOCKET_UNUSED static const docket_enum docket_enum_of_##E = {                                                \
        #E, docket__values_of_##E, sizeof(docket__values_of_##E) / sizeof(docket__values_of_##E[0])}

/** Declares `New` as a distinct C type, `struct New { Old value; }`, with the bytes of `Old`: what was ingested is not
 * what was given, and swapping two aliases does not compile. */
#define DOCKET_ALIAS(New, Old)                                                                                   \
    typedef struct New {                                                                                         \
        Old value;                                                                                               \
    } New;                                                                                                       \
    DOCKET__VALUE_PARAMETERS(New, Old);                                                                          \
    DOCKET_UNUSED static const docket_type docket_type_of_##New = {                                              \
        DOCKET_TYPE_ABI, DOCKET_TYPE_ALIAS, #New, sizeof(New), DOCKET__ALIGNOF(New), NULL, DOCKET_OF(Old), NULL, \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {NULL}}

/** Declares `T` as bytes with a length, `struct T { const uint8_t *data; size_t size; }`, stored as they are. */
#define DOCKET_BLOB(T)                                                                                           \
    typedef struct T {                                                                                           \
        const uint8_t *data;                                                                                     \
        size_t size;                                                                                             \
    } T;                                                                                                         \
    DOCKET__VALUE_PARAMETERS(T, T);                                                                              \
    DOCKET_UNUSED static const docket_type docket_type_of_##T = {                                                \
        DOCKET_TYPE_ABI, DOCKET_TYPE_BLOB, #T, sizeof(T), DOCKET__ALIGNOF(T), NULL, NULL, NULL, NULL,            \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {NULL}}

/** Announces an existing type (a client, a pool, a secret) as a resource: steps take it as `T *`, without const. It is
 * never encoded, hashed, shown or produced; only its name is part of a key. */
#define DOCKET_RESOURCE(T)                                                                                       \
    typedef T *docket__declare_with_DOCKET_STRUCT_##T;                                                           \
    typedef T *docket__base_input_of_##T;                                                                        \
    DOCKET_UNUSED static const docket_type docket_type_of_##T = {                                                \
        DOCKET_TYPE_ABI, DOCKET_TYPE_RESOURCE, #T, 0, 0, NULL, NULL, NULL, NULL,                                 \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {NULL}}

/** Announces a hand-written descriptor of an existing C type, so that steps can name it:
 * `DOCKET_DESCRIBE(Image, .layout = "png", .encode = image_encode, .decode = image_decode);`. Name, size and
 * alignment are filled in. C only: in C++ write the lines it stands for. */
#define DOCKET_DESCRIBE(T, ...)                                                                                  \
    DOCKET__VALUE_PARAMETERS(T, T);                                                                              \
    DOCKET_UNUSED static const docket_type docket_type_of_##T = {.abi = DOCKET_TYPE_ABI,                         \
                                                                 .name = #T,                                     \
                                                                 .size = sizeof(T),                              \
                                                                 .alignment = DOCKET__ALIGNOF(T),                \
                                                                 __VA_ARGS__}

/* What a step function's parameters must be for this type. The names are the compiler's message when T was never
 * declared. */
#define DOCKET__VALUE_PARAMETERS(T, Base)                                                                        \
    typedef T *docket__declare_output_with_DOCKET_STRUCT_##T;                                                      \
    typedef const T *docket__declare_with_DOCKET_STRUCT_##T;                                                     \
    typedef Base *docket__base_output_of_##T;                                                                    \
    typedef const Base *docket__base_input_of_##T

#define DOCKET__STRUCT_TYPE(T)                                                                                   \
    static const docket_schema docket__schema_of_##T = {                                                         \
        docket__fields_of_##T, sizeof(docket__fields_of_##T) / sizeof(docket__fields_of_##T[0])};                \
    DOCKET__VALUE_PARAMETERS(T, T);                                                                              \
    DOCKET_UNUSED static const docket_type docket_type_of_##T = {                                                \
        DOCKET_TYPE_ABI, DOCKET_TYPE_STRUCT, #T, sizeof(T), DOCKET__ALIGNOF(T), &docket__schema_of_##T,          \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {NULL}}

#define DOCKET__ENUMERATOR(E, n, pair) DOCKET__ENUMERATOR_I pair
#define DOCKET__ENUMERATOR_I(name, number) name = (number),
#define DOCKET__ENUM_VALUE(E, n, pair) DOCKET__ENUM_VALUE_I pair
#define DOCKET__ENUM_VALUE_I(name, number) {#name, (number)},

/* A kind expands to: shape, C type, kind, fixed size, nested type, enum. */
#define DOCKET__KIND_BOOL ONE, bool, BOOL, 0, NULL, NULL
#define DOCKET__KIND_INT32 ONE, int32_t, INT32, 0, NULL, NULL
#define DOCKET__KIND_INT64 ONE, int64_t, INT64, 0, NULL, NULL
#define DOCKET__KIND_UINT32 ONE, uint32_t, UINT32, 0, NULL, NULL
#define DOCKET__KIND_UINT64 ONE, uint64_t, UINT64, 0, NULL, NULL
#define DOCKET__KIND_FLOAT ONE, float, FLOAT, 0, NULL, NULL
#define DOCKET__KIND_DOUBLE ONE, double, DOUBLE, 0, NULL, NULL
#define DOCKET__KIND_STRING ONE, const char *, STRING, 0, NULL, NULL
#define DOCKET__KIND_BYTES ONE, docket_bytes, BYTES, 0, NULL, NULL
#define DOCKET__KIND_TIME_MS ONE, int64_t, TIME_MS, 0, NULL, NULL
#define DOCKET__KIND_FIXED(n) ARRAY, uint8_t, FIXED, n, NULL, NULL
#define DOCKET__KIND_ENUM(E) ONE, E, ENUM, 0, NULL, &docket_enum_of_##E
#define DOCKET__KIND_FILE ONE, docket_file, FILE, 0, NULL, NULL
#define DOCKET__KIND_STRUCT(T) ONE, const T *, STRUCT, 0, DOCKET_OF(T), NULL
#define DOCKET__KIND_LIST(kind) DOCKET__LIST_OF(DOCKET__ELEMENT_##kind)
#define DOCKET__KIND_OPTIONAL(kind) DOCKET__OPTIONAL_OF(DOCKET__MAYBE_##kind)
#define DOCKET__KIND_SECRET(kind) DOCKET__SECRET_OF(DOCKET__KIND_##kind)

#define DOCKET__LIST_OF(...) DOCKET__LIST_OF_I(__VA_ARGS__)
#define DOCKET__LIST_OF_I(shape, ...) LIST_##shape, __VA_ARGS__
#define DOCKET__OPTIONAL_OF(...) DOCKET__OPTIONAL_OF_I(__VA_ARGS__)
#define DOCKET__OPTIONAL_OF_I(shape, ...) OPTIONAL_##shape, __VA_ARGS__
#define DOCKET__SECRET_OF(...) DOCKET__SECRET_OF_I(__VA_ARGS__)
#define DOCKET__SECRET_OF_I(shape, ...) SECRET_##shape, __VA_ARGS__

#define DOCKET__ELEMENT_BOOL DOCKET__KIND_BOOL
#define DOCKET__ELEMENT_INT32 DOCKET__KIND_INT32
#define DOCKET__ELEMENT_INT64 DOCKET__KIND_INT64
#define DOCKET__ELEMENT_UINT32 DOCKET__KIND_UINT32
#define DOCKET__ELEMENT_UINT64 DOCKET__KIND_UINT64
#define DOCKET__ELEMENT_FLOAT DOCKET__KIND_FLOAT
#define DOCKET__ELEMENT_DOUBLE DOCKET__KIND_DOUBLE
#define DOCKET__ELEMENT_STRING DOCKET__KIND_STRING
#define DOCKET__ELEMENT_BYTES DOCKET__KIND_BYTES
#define DOCKET__ELEMENT_TIME_MS DOCKET__KIND_TIME_MS
#define DOCKET__ELEMENT_FIXED(n) DOCKET__KIND_FIXED(n)
#define DOCKET__ELEMENT_ENUM(E) DOCKET__KIND_ENUM(E)
#define DOCKET__ELEMENT_FILE DOCKET__KIND_FILE
#define DOCKET__ELEMENT_STRUCT(T) ONE, T, STRUCT, 0, DOCKET_OF(T), NULL
#define DOCKET__ELEMENT_LIST(kind) ONE, docket_a_LIST_cannot_hold_a_LIST, INT32, 0, NULL, NULL
#define DOCKET__ELEMENT_OPTIONAL(kind) ONE, docket_a_LIST_cannot_hold_an_OPTIONAL, INT32, 0, NULL, NULL
#define DOCKET__ELEMENT_SECRET(kind) ONE, docket_a_SECRET_stands_around_the_LIST, INT32, 0, NULL, NULL

#define DOCKET__MAYBE_BOOL DOCKET__KIND_BOOL
#define DOCKET__MAYBE_INT32 DOCKET__KIND_INT32
#define DOCKET__MAYBE_INT64 DOCKET__KIND_INT64
#define DOCKET__MAYBE_UINT32 DOCKET__KIND_UINT32
#define DOCKET__MAYBE_UINT64 DOCKET__KIND_UINT64
#define DOCKET__MAYBE_FLOAT DOCKET__KIND_FLOAT
#define DOCKET__MAYBE_DOUBLE DOCKET__KIND_DOUBLE
#define DOCKET__MAYBE_STRING DOCKET__KIND_STRING
#define DOCKET__MAYBE_BYTES DOCKET__KIND_BYTES
#define DOCKET__MAYBE_TIME_MS DOCKET__KIND_TIME_MS
#define DOCKET__MAYBE_FIXED(n) DOCKET__KIND_FIXED(n)
#define DOCKET__MAYBE_ENUM(E) DOCKET__KIND_ENUM(E)
#define DOCKET__MAYBE_FILE DOCKET__KIND_FILE
#define DOCKET__MAYBE_STRUCT(T) ONE, docket_a_STRUCT_has_NULL_and_needs_no_OPTIONAL, INT32, 0, NULL, NULL
#define DOCKET__MAYBE_LIST(kind) ONE, docket_a_LIST_can_be_empty_and_needs_no_OPTIONAL, INT32, 0, NULL, NULL
#define DOCKET__MAYBE_OPTIONAL(kind) ONE, docket_OPTIONAL_stands_once, INT32, 0, NULL, NULL
#define DOCKET__MAYBE_SECRET(kind) ONE, docket_a_SECRET_stands_around_the_OPTIONAL, INT32, 0, NULL, NULL

#define DOCKET__MEMBER(T, n, field) DOCKET__MEMBER_I field
#define DOCKET__MEMBER_I(kind, name) DOCKET__DECLARE(docket_has_no_kind_##kind, name, DOCKET__KIND_##kind)
#define DOCKET__NUMBERED_MEMBER(T, n, field) DOCKET__NUMBERED_MEMBER_I field
#define DOCKET__NUMBERED_MEMBER_I(number, kind, name) DOCKET__MEMBER_I(kind, name)

/* A kind that nobody knows expands to fewer words than a known one. It becomes a member of the type
 * docket_has_no_kind_…, which the compiler then complains about. */
#define docket_has_no_kind_LIST(kind) docket_has_no_kind_##kind
#define docket_has_no_kind_OPTIONAL(kind) docket_has_no_kind_##kind
#define docket_has_no_kind_SECRET(kind) docket_has_no_kind_##kind
#define DOCKET__DECLARE(...) DOCKET__DECLARE_IF(DOCKET__KNOWN(__VA_ARGS__, ~), __VA_ARGS__)
#define DOCKET__DECLARE_IF(known, ...) DOCKET__DECLARE_IF_I(known, __VA_ARGS__)
#define DOCKET__DECLARE_IF_I(known, ...) DOCKET__DECLARE_##known(__VA_ARGS__)
#define DOCKET__DECLARE_KNOWN(complaint, name, shape, ctype, kind, n, type, values)                              \
    DOCKET__DECLARE_##shape(ctype, n, name)
#define DOCKET__DECLARE_UNKNOWN(complaint, name, ...) complaint name;
#define DOCKET__KNOWN(a, b, ...)                                                                                 \
    DOCKET__KNOWN_PICK(__VA_ARGS__, KNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, ~)
#define DOCKET__KNOWN_PICK(shape, ctype, kind, n, type, values, end, known, ...) known

#define DOCKET__DECLARE_ONE(ctype, n, name) ctype name;
#define DOCKET__DECLARE_ARRAY(ctype, n, name) ctype name[n];
#define DOCKET__DECLARE_OPTIONAL_ONE(ctype, n, name) ctype name; bool has_##name;
#define DOCKET__DECLARE_OPTIONAL_ARRAY(ctype, n, name) ctype name[n]; bool has_##name;
#define DOCKET__DECLARE_LIST_ONE(ctype, n, name) ctype const *name; size_t name##_count;
#define DOCKET__DECLARE_LIST_ARRAY(ctype, n, name) ctype const (*name)[n]; size_t name##_count;
#define DOCKET__DECLARE_SECRET_ONE DOCKET__DECLARE_ONE
#define DOCKET__DECLARE_SECRET_ARRAY DOCKET__DECLARE_ARRAY
#define DOCKET__DECLARE_SECRET_OPTIONAL_ONE DOCKET__DECLARE_OPTIONAL_ONE
#define DOCKET__DECLARE_SECRET_OPTIONAL_ARRAY DOCKET__DECLARE_OPTIONAL_ARRAY
#define DOCKET__DECLARE_SECRET_LIST_ONE DOCKET__DECLARE_LIST_ONE
#define DOCKET__DECLARE_SECRET_LIST_ARRAY DOCKET__DECLARE_LIST_ARRAY

#define DOCKET__FIELD(T, n, field) DOCKET__FIELD_I(T, n, DOCKET__UNWRAP field)
#define DOCKET__FIELD_I(...) DOCKET__FIELD_II(__VA_ARGS__)
#define DOCKET__FIELD_II(T, number, kind, name) DOCKET__DESCRIBE_FIELD(T, number, name, DOCKET__KIND_##kind)
#define DOCKET__NUMBERED_FIELD(T, n, field) DOCKET__NUMBERED_FIELD_I(T, DOCKET__UNWRAP field)
#define DOCKET__NUMBERED_FIELD_I(...) DOCKET__FIELD_II(__VA_ARGS__)
#define DOCKET__UNWRAP(...) __VA_ARGS__

#define DOCKET__DESCRIBE_FIELD(T, number, name, ...)                                                             \
    DOCKET__DESCRIBE_IF(DOCKET__KNOWN(~, ~, __VA_ARGS__, ~), T, number, name, __VA_ARGS__)
#define DOCKET__DESCRIBE_IF(known, ...) DOCKET__DESCRIBE_IF_I(known, __VA_ARGS__)
#define DOCKET__DESCRIBE_IF_I(known, ...) DOCKET__DESCRIBE_##known(__VA_ARGS__)
#define DOCKET__DESCRIBE_KNOWN(T, number, name, shape, ctype, kind, n, type, values)                             \
    {(number), DOCKET_KIND_##kind, DOCKET__LABEL_##shape, #name, offsetof(T, name),                              \
     DOCKET__SIDE_##shape(T, name), (n), type, values, DOCKET__FLAGS_##shape},
#define DOCKET__DESCRIBE_UNKNOWN(...) {0, 0, 0, NULL, 0, 0, 0, NULL, NULL, 0},
#define DOCKET__LABEL_ONE DOCKET_LABEL_ONE
#define DOCKET__LABEL_ARRAY DOCKET_LABEL_ONE
#define DOCKET__LABEL_OPTIONAL_ONE DOCKET_LABEL_OPTIONAL
#define DOCKET__LABEL_OPTIONAL_ARRAY DOCKET_LABEL_OPTIONAL
#define DOCKET__LABEL_LIST_ONE DOCKET_LABEL_LIST
#define DOCKET__LABEL_LIST_ARRAY DOCKET_LABEL_LIST
#define DOCKET__LABEL_SECRET_ONE DOCKET__LABEL_ONE
#define DOCKET__LABEL_SECRET_ARRAY DOCKET__LABEL_ARRAY
#define DOCKET__LABEL_SECRET_OPTIONAL_ONE DOCKET__LABEL_OPTIONAL_ONE
#define DOCKET__LABEL_SECRET_OPTIONAL_ARRAY DOCKET__LABEL_OPTIONAL_ARRAY
#define DOCKET__LABEL_SECRET_LIST_ONE DOCKET__LABEL_LIST_ONE
#define DOCKET__LABEL_SECRET_LIST_ARRAY DOCKET__LABEL_LIST_ARRAY
#define DOCKET__SIDE_ONE(T, name) 0
#define DOCKET__SIDE_ARRAY(T, name) 0
#define DOCKET__SIDE_OPTIONAL_ONE(T, name) offsetof(T, has_##name)
#define DOCKET__SIDE_OPTIONAL_ARRAY(T, name) offsetof(T, has_##name)
#define DOCKET__SIDE_LIST_ONE(T, name) offsetof(T, name##_count)
#define DOCKET__SIDE_LIST_ARRAY(T, name) offsetof(T, name##_count)
#define DOCKET__SIDE_SECRET_ONE DOCKET__SIDE_ONE
#define DOCKET__SIDE_SECRET_ARRAY DOCKET__SIDE_ARRAY
#define DOCKET__SIDE_SECRET_OPTIONAL_ONE DOCKET__SIDE_OPTIONAL_ONE
#define DOCKET__SIDE_SECRET_OPTIONAL_ARRAY DOCKET__SIDE_OPTIONAL_ARRAY
#define DOCKET__SIDE_SECRET_LIST_ONE DOCKET__SIDE_LIST_ONE
#define DOCKET__SIDE_SECRET_LIST_ARRAY DOCKET__SIDE_LIST_ARRAY
#define DOCKET__FLAGS_ONE 0
#define DOCKET__FLAGS_ARRAY 0
#define DOCKET__FLAGS_OPTIONAL_ONE 0
#define DOCKET__FLAGS_OPTIONAL_ARRAY 0
#define DOCKET__FLAGS_LIST_ONE 0
#define DOCKET__FLAGS_LIST_ARRAY 0
#define DOCKET__FLAGS_SECRET_ONE DOCKET_FIELD_SECRET
#define DOCKET__FLAGS_SECRET_ARRAY DOCKET_FIELD_SECRET
#define DOCKET__FLAGS_SECRET_OPTIONAL_ONE DOCKET_FIELD_SECRET
#define DOCKET__FLAGS_SECRET_OPTIONAL_ARRAY DOCKET_FIELD_SECRET
#define DOCKET__FLAGS_SECRET_LIST_ONE DOCKET_FIELD_SECRET
#define DOCKET__FLAGS_SECRET_LIST_ARRAY DOCKET_FIELD_SECRET

#endif
