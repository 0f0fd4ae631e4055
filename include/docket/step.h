/** @page docket_step  Steps: plain C functions whose types are checked by the compiler.
 *
 *     static docket_status count(docket_ctx *ctx, LetterCount *out, const Text *text) { ... return DOCKET_OK; }
 *     DOCKET_STEP(count, LetterCount, Text);
 *
 * The line under the function names the output and the inputs in the order of the parameters. If function and line
 * disagree, the compiler says how the function must be declared. The line defines `const docket_step count_step`,
 * which is handed to docket_graph_add; nothing registers itself.
 *
 * A step function gets a zeroed (or initialised) output, fills it and returns DOCKET_OK, or returns what one of the
 * failure verbs of docket/context.h returned. Inputs are const and shared: other steps may read them at the same time.
 * The same function may run on several threads at once.
 */
#ifndef DOCKET_STEP_H
#define DOCKET_STEP_H

#include <docket/struct.h>

#ifdef __cplusplus
#include <initializer_list>
#include <type_traits>
#endif

DOCKET_BEGIN_DECLS

/** The descriptor layout that these headers speak. */
#define DOCKET_STEP_ABI 1u

/** The most inputs that a step can have. */
#define DOCKET_MAX_INPUTS 8

/** What a step function is called with: its identity, its memory, its limits. See docket/context.h. */
typedef struct docket_ctx docket_ctx;

/** One argument of a step call: a value; or, for the items of an aggregate, an array of `count` pointers to values.
 * Values are const although the type does not say so: resources pass through here as well. */
typedef struct docket_argument {
    void *value;
    size_t count;
} docket_argument;

/** How docket calls a step: the macros generate one such function around each step function. */
typedef docket_status docket_step_call(docket_ctx *ctx, void *output, const docket_argument *args);

/** Flags of an input. */
enum {
    DOCKET_INPUT_MAYBE = 1u, /* the step runs even if the value is absent, and then gets NULL */
    DOCKET_INPUT_ITEMS = 2u  /* the step takes all items of the type at once */
};

/** One input of a step. */
typedef struct docket_step_input {
    const docket_type *type;
    uint32_t flags; /* DOCKET_INPUT_... */
} docket_step_input;

/** Flags of a step. */
enum {
    DOCKET_STEP_EXPAND = 1u, /* it makes any number of values of its output's type, with docket_emit */
    DOCKET_STEP_FOLD = 2u    /* it is called for one item of its first input after the other, with one output */
};

/** A step's descriptor: constant data, made by the macros below or by hand for bindings of other languages. */
typedef struct docket_step {
    uint32_t abi;   /* DOCKET_STEP_ABI */
    uint32_t flags; /* DOCKET_STEP_... */
    const char *name;
    uint32_t version; /* part of the key: raise it when the step's results change */
    uint32_t input_count;
    const docket_type *output;
    const docket_step_input *inputs;
    docket_step_call *call;
    const char *file; /* where the line stands; for messages */
    int line;
    const void *reserved[2];
} docket_step;

DOCKET_END_DECLS

/** Defines `const docket_step fn_step` for `docket_status fn(docket_ctx *, Out *, const In *…)` with 0 to 8 inputs and
 * version 1. An input written as `MAYBE(T)` may be absent: the step runs all the same and gets NULL for it. A resource
 * is taken as `T *`, without const. */
#define DOCKET_STEP(fn, ...) DOCKET_STEP_VERSIONED(fn, 1, __VA_ARGS__)

/** The same with a version of 1 or more, kept beside the code it speaks of. */
#define DOCKET_STEP_VERSIONED(fn, number, ...) DOCKET__DEFINE(STEP, fn, fn, number, 0, "", __VA_ARGS__)

/** Defines `name_step` for a function over the bases of aliases: one function, several places in a graph.
 * `DOCKET_STEP_AS(clean_title, clean, CleanTitle, RawTitle)` where CleanTitle and RawTitle are aliases of Text. */
#define DOCKET_STEP_AS(name, fn, ...)                                                                            \
    DOCKET__DEFINE(BASE, name, fn, 1, 0, ", each alias replaced by its base", __VA_ARGS__)

/** Defines a step over all items of a type:
 * `docket_status fn(docket_ctx *, Out *, const Item *const *items, size_t count, const Shared *…)`. It runs once, when
 * every item has its value; absent ones are left out. Where the type has one value only, it sees that one, with count 1.
 * See docket_items(3). */
#define DOCKET_AGGREGATE(fn, ...) DOCKET__DEFINE(AGGREGATE, fn, fn, 1, DOCKET_INPUT_ITEMS, "", __VA_ARGS__)

/** Defines a step that takes the items of a type one after the other, in their order and one at a time:
 * `docket_status fn(docket_ctx *, Acc *, const Item *, const Shared *…)`. All calls get the same output, zeroed before
 * the first; its value is what the last call left there. See docket_items(3). */
#define DOCKET_FOLD(fn, ...) DOCKET__DEFINE(FOLD, fn, fn, 1, DOCKET_INPUT_ITEMS, "", __VA_ARGS__)

/** Defines a step that makes items: `docket_status fn(docket_ctx *, const In *…)`, which calls docket_emit for each.
 * Steps that need the item's type run once for each item. See docket_items(3). */
#define DOCKET_EXPAND(fn, ...) DOCKET__DEFINE(EXPAND, fn, fn, 1, 0, "", __VA_ARGS__)

/** Declares a step that another file defines; for headers. Steps are external symbols: two of one name do not link. */
#define DOCKET_STEP_DECLARE(fn) DOCKET__EXTERN_C const docket_step fn##_step

#ifndef __cplusplus
/** A NULL-terminated list of steps for docket_graph_add_all: `DOCKET_STEPS(fetch, parse)` names fetch_step and
 * parse_step. */
#define DOCKET_STEPS(...) ((const docket_step *const[]){DOCKET__EACH(DOCKET__STEP_POINTER, ~, __VA_ARGS__) NULL})
#else
#define DOCKET_STEPS(...)                                                                                        \
    (std::initializer_list<const docket_step *>{DOCKET__EACH(DOCKET__STEP_POINTER, ~, __VA_ARGS__) nullptr}.begin())
#endif
#define DOCKET__STEP_POINTER(t, n, fn) &fn##_step,

/* Whether `fn` is a function of exactly these parameter types. */
#ifdef __cplusplus
#define DOCKET__EXTERN_C extern "C"
#define DOCKET__CAST(T, expression) static_cast<T>(expression)
#define DOCKET__IS_STEP(fn, ...)                                                                                 \
    std::is_convertible<std::add_pointer<decltype(fn)>::type, docket_status (*)(__VA_ARGS__)>::value
#else
#define DOCKET__EXTERN_C extern
#define DOCKET__CAST(T, expression) ((T)(expression))
#define DOCKET__IS_STEP(fn, ...) _Generic((fn), docket_status(*)(__VA_ARGS__) : 1, default : 0)
#endif

/* Checks first, so that the compiler's first message is the one that helps; DOCKET__DECLARED names the types that
 * nobody has declared. */
#define DOCKET__DEFINE(form, name, fn, number, first, note, ...)                                                 \
    DOCKET__DEFINE_I(DOCKET__SIZE(__VA_ARGS__), form, name, fn, number, first, note, __VA_ARGS__)
#define DOCKET__DEFINE_I(size, form, ...) DOCKET__DEFINE_II(size, form, __VA_ARGS__)
#define DOCKET__DEFINE_II(size, form, ...) DOCKET__DEFINE_##form##_##size(form, __VA_ARGS__)
#define DOCKET__DEFINE_STEP_BARE DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_STEP_FITTING DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_STEP_LARGE DOCKET__DEFINE_LARGE
#define DOCKET__DEFINE_BASE_BARE DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_BASE_FITTING DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_BASE_LARGE DOCKET__DEFINE_LARGE
#define DOCKET__DEFINE_AGGREGATE_BARE DOCKET__DEFINE_WITHOUT_ITEMS
#define DOCKET__DEFINE_AGGREGATE_FITTING DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_AGGREGATE_LARGE DOCKET__DEFINE_LARGE
#define DOCKET__DEFINE_FOLD_BARE DOCKET__DEFINE_WITHOUT_ITEM
#define DOCKET__DEFINE_FOLD_FITTING DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_FOLD_LARGE DOCKET__DEFINE_LARGE
#define DOCKET__DEFINE_EXPAND_BARE DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_EXPAND_FITTING DOCKET__DEFINE_FITTING
#define DOCKET__DEFINE_EXPAND_LARGE DOCKET__DEFINE_LARGE
#define DOCKET__DEFINE_LARGE(form, name, fn, ...)                                                                \
    DOCKET__STATIC_ASSERT(0, "docket: " #fn " has more than 8 inputs: put some of them into one struct")
#define DOCKET__DEFINE_WITHOUT_ITEMS(form, name, fn, ...)                                                        \
    DOCKET__STATIC_ASSERT(0, "docket: name the type of the items: DOCKET_AGGREGATE(" #fn ", Out, Item)")
#define DOCKET__DEFINE_WITHOUT_ITEM(form, name, fn, ...)                                                         \
    DOCKET__STATIC_ASSERT(0, "docket: name the type of the items: DOCKET_FOLD(" #fn ", Acc, Item)")
#define DOCKET__DEFINE_FITTING(form, name, fn, number, first, note, ...)                                         \
    DOCKET__STATIC_ASSERT(DOCKET__OUTPUT_DECLARED(__VA_ARGS__, ~) DOCKET__EACH(DOCKET__DECLARED, ~, __VA_ARGS__) \
                              (number) > 0,                                                                      \
                          "docket: the version of " #fn " must be 1 or more");                                   \
    DOCKET__STATIC_ASSERT(DOCKET__IS_STEP(fn, DOCKET__APPLY(DOCKET__TYPES_OF_##form, __VA_ARGS__)),               \
                          "docket: declare it as: docket_status " #fn "(docket_ctx *" DOCKET__APPLY(             \
                              DOCKET__TEXTS_OF_##form, __VA_ARGS__) ")" note " (no const for a resource)");      \
    DOCKET__STEP_DEFINE(name, fn, number, DOCKET__FLAGS_OF_##form, first,                                        \
                        (DOCKET__APPLY(DOCKET__ARGS_OF_##form, __VA_ARGS__)), __VA_ARGS__)
#define DOCKET__DECLARED(t, n, x) (sizeof(DOCKET__IN(x)) > 0) *
#define DOCKET__OUTPUT_DECLARED(o, ...) (sizeof(DOCKET__OUT(o)) > 0) *
#define DOCKET__TEXTS_OF_STEP DOCKET__STEP_TEXT_
#define DOCKET__TEXTS_OF_BASE DOCKET__STEP_TEXT_
#define DOCKET__TEXTS_OF_AGGREGATE DOCKET__AGGREGATE_TEXT_
#define DOCKET__TEXTS_OF_FOLD DOCKET__STEP_TEXT_
#define DOCKET__TEXTS_OF_EXPAND DOCKET__EXPAND_TEXT_
#define DOCKET__TYPES_OF_STEP DOCKET__STEP_TYPES_
#define DOCKET__TYPES_OF_BASE DOCKET__BASE_TYPES_
#define DOCKET__TYPES_OF_AGGREGATE DOCKET__AGGREGATE_TYPES_
#define DOCKET__TYPES_OF_FOLD DOCKET__STEP_TYPES_
#define DOCKET__TYPES_OF_EXPAND DOCKET__EXPAND_TYPES_
#define DOCKET__ARGS_OF_STEP DOCKET__STEP_ARGS_
#define DOCKET__ARGS_OF_BASE DOCKET__BASE_ARGS_
#define DOCKET__ARGS_OF_AGGREGATE DOCKET__AGGREGATE_ARGS_
#define DOCKET__ARGS_OF_FOLD DOCKET__STEP_ARGS_
#define DOCKET__ARGS_OF_EXPAND DOCKET__EXPAND_ARGS_
#define DOCKET__FLAGS_OF_STEP 0
#define DOCKET__FLAGS_OF_BASE 0
#define DOCKET__FLAGS_OF_AGGREGATE 0
#define DOCKET__FLAGS_OF_FOLD DOCKET_STEP_FOLD
#define DOCKET__FLAGS_OF_EXPAND DOCKET_STEP_EXPAND

#define DOCKET__STEP_DEFINE(name, fn, number, form_flags, first, call_args, ...)                                 \
    static docket_status docket__call_##name(docket_ctx *ctx, void *output, const docket_argument *args)         \
    {                                                                                                            \
        (void)args;                                                                                              \
        (void)output;                                                                                            \
        return fn call_args;                                                                               \
    }                                                                                                            \
    static const docket_step_input docket__inputs_of_##name[] = {DOCKET__INPUTS(first, __VA_ARGS__)};            \
    DOCKET_STEP_DECLARE(name);                                                                                   \
    const docket_step name##_step = {DOCKET_STEP_ABI, form_flags, #name, (number),                                        \
                                     DOCKET__COUNT(__VA_ARGS__) - 1, DOCKET__OUTPUT_TYPE(__VA_ARGS__),           \
                                     docket__inputs_of_##name, docket__call_##name, __FILE__, __LINE__,          \
                                     {NULL, NULL}}

#define DOCKET__OUTPUT_TYPE(...) DOCKET__FIRST(__VA_ARGS__, ~)
#define DOCKET__FIRST(o, ...) DOCKET_OF(o)

#define DOCKET__OUT(T) docket__declare_output_with_DOCKET_STRUCT_##T
#define DOCKET__BASE_OUT(T) docket__base_output_of_##T
#define DOCKET__TEXT(T) #T

/* MAYBE(T) or T: the probe turns MAYBE(T) into "~, 1, T" and leaves any other token alone. */
#define DOCKET__PROBE_MAYBE(T) ~, DOCKET_INPUT_MAYBE, T
#define DOCKET__INPUT_TYPE(x) DOCKET__THIRD(DOCKET__PROBE_##x, 0, x, ~)
#define DOCKET__INPUT_FLAGS(x) DOCKET__SECOND(DOCKET__PROBE_##x, 0, x, ~)
#define DOCKET__SECOND(...) DOCKET__SECOND_I(__VA_ARGS__)
#define DOCKET__SECOND_I(a, b, ...) b
#define DOCKET__THIRD(...) DOCKET__THIRD_I(__VA_ARGS__)
#define DOCKET__THIRD_I(a, b, c, ...) c

#define DOCKET__IN(x) DOCKET__IN_I(DOCKET__INPUT_TYPE(x))
#define DOCKET__IN_I(T) DOCKET__IN_II(T)
#define DOCKET__IN_II(T) docket__declare_with_DOCKET_STRUCT_##T
#define DOCKET__BASE_IN(x) DOCKET__BASE_IN_I(DOCKET__INPUT_TYPE(x))
#define DOCKET__BASE_IN_I(T) DOCKET__BASE_IN_II(T)
#define DOCKET__BASE_IN_II(T) docket__base_input_of_##T
#define DOCKET__TYPE_TEXT(x) DOCKET__TYPE_TEXT_I(DOCKET__INPUT_TYPE(x))
#define DOCKET__TYPE_TEXT_I(T) DOCKET__TYPE_TEXT_II(T)
#define DOCKET__TYPE_TEXT_II(T) #T
#define DOCKET__INPUT(x, more) {DOCKET__DESCRIPTOR(DOCKET__INPUT_TYPE(x)), DOCKET__INPUT_FLAGS(x) | (more)}
#define DOCKET__DESCRIPTOR(T) DOCKET__DESCRIPTOR_I(T)
#define DOCKET__DESCRIPTOR_I(T) DOCKET_OF(T)

/* Pick the macro of the right arity: one output and 0 to 8 inputs. */
#define DOCKET__APPLY(prefix, ...) DOCKET__APPLY_I(prefix, DOCKET__ARITY(__VA_ARGS__), __VA_ARGS__)
#define DOCKET__APPLY_I(prefix, n, ...) DOCKET__APPLY_II(prefix, n, __VA_ARGS__)
#define DOCKET__APPLY_II(prefix, n, ...) prefix##n(__VA_ARGS__)
#define DOCKET__INPUTS(first, ...) DOCKET__INPUTS_I(DOCKET__ARITY(__VA_ARGS__), first, __VA_ARGS__)
#define DOCKET__INPUTS_I(n, first, ...) DOCKET__INPUTS_II(n, first, __VA_ARGS__)
#define DOCKET__INPUTS_II(n, first, ...) DOCKET__INPUTS_##n(first, __VA_ARGS__)
#define DOCKET__ARITY(...) DOCKET__PICK(__VA_ARGS__, ~, ~, ~, ~, ~, ~, ~, ~, 8, 7, 6, 5, 4, 3, 2, 1, 0, ~)
#define DOCKET__SIZE(...)                                                                                        \
    DOCKET__PICK(__VA_ARGS__, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, FITTING, FITTING, FITTING, \
                 FITTING, FITTING, FITTING, FITTING, FITTING, BARE, ~)
#define DOCKET__PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, ...) r

#define DOCKET__STEP_TYPES_0(o) docket_ctx *, DOCKET__OUT(o)
#define DOCKET__STEP_TYPES_1(o, a) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a)
#define DOCKET__STEP_TYPES_2(o, a, b) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), DOCKET__IN(b)
#define DOCKET__STEP_TYPES_3(o, a, b, c) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), DOCKET__IN(b), DOCKET__IN(c)
#define DOCKET__STEP_TYPES_4(o, a, b, c, d) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), DOCKET__IN(b), \
    DOCKET__IN(c), DOCKET__IN(d)
#define DOCKET__STEP_TYPES_5(o, a, b, c, d, e) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), DOCKET__IN(b), \
    DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e)
#define DOCKET__STEP_TYPES_6(o, a, b, c, d, e, f) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), DOCKET__IN(b), \
    DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f)
#define DOCKET__STEP_TYPES_7(o, a, b, c, d, e, f, g) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), \
    DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g)
#define DOCKET__STEP_TYPES_8(o, a, b, c, d, e, f, g, h) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a), \
    DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g), DOCKET__IN(h)
#define DOCKET__BASE_TYPES_0(o) docket_ctx *, DOCKET__BASE_OUT(o)
#define DOCKET__BASE_TYPES_1(o, a) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a)
#define DOCKET__BASE_TYPES_2(o, a, b) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), DOCKET__BASE_IN(b)
#define DOCKET__BASE_TYPES_3(o, a, b, c) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c)
#define DOCKET__BASE_TYPES_4(o, a, b, c, d) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c), DOCKET__BASE_IN(d)
#define DOCKET__BASE_TYPES_5(o, a, b, c, d, e) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c), DOCKET__BASE_IN(d), DOCKET__BASE_IN(e)
#define DOCKET__BASE_TYPES_6(o, a, b, c, d, e, f) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c), DOCKET__BASE_IN(d), DOCKET__BASE_IN(e), DOCKET__BASE_IN(f)
#define DOCKET__BASE_TYPES_7(o, a, b, c, d, e, f, g) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c), DOCKET__BASE_IN(d), DOCKET__BASE_IN(e), DOCKET__BASE_IN(f), \
    DOCKET__BASE_IN(g)
#define DOCKET__BASE_TYPES_8(o, a, b, c, d, e, f, g, h) docket_ctx *, DOCKET__BASE_OUT(o), DOCKET__BASE_IN(a), \
    DOCKET__BASE_IN(b), DOCKET__BASE_IN(c), DOCKET__BASE_IN(d), DOCKET__BASE_IN(e), DOCKET__BASE_IN(f), \
    DOCKET__BASE_IN(g), DOCKET__BASE_IN(h)
#define DOCKET__AGGREGATE_TYPES_1(o, a) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, size_t
#define DOCKET__AGGREGATE_TYPES_2(o, a, b) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, size_t, \
    DOCKET__IN(b)
#define DOCKET__AGGREGATE_TYPES_3(o, a, b, c) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, size_t, \
    DOCKET__IN(b), DOCKET__IN(c)
#define DOCKET__AGGREGATE_TYPES_4(o, a, b, c, d) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, size_t, \
    DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d)
#define DOCKET__AGGREGATE_TYPES_5(o, a, b, c, d, e) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, \
    size_t, DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e)
#define DOCKET__AGGREGATE_TYPES_6(o, a, b, c, d, e, f) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, \
    size_t, DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f)
#define DOCKET__AGGREGATE_TYPES_7(o, a, b, c, d, e, f, g) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const *, \
    size_t, DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g)
#define DOCKET__AGGREGATE_TYPES_8(o, a, b, c, d, e, f, g, h) docket_ctx *, DOCKET__OUT(o), DOCKET__IN(a) const \
    *, size_t, DOCKET__IN(b), DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g), \
    DOCKET__IN(h)
#define DOCKET__EXPAND_TYPES_0(o) docket_ctx *
#define DOCKET__EXPAND_TYPES_1(o, a) docket_ctx *, DOCKET__IN(a)
#define DOCKET__EXPAND_TYPES_2(o, a, b) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b)
#define DOCKET__EXPAND_TYPES_3(o, a, b, c) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), DOCKET__IN(c)
#define DOCKET__EXPAND_TYPES_4(o, a, b, c, d) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), DOCKET__IN(c), \
    DOCKET__IN(d)
#define DOCKET__EXPAND_TYPES_5(o, a, b, c, d, e) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), DOCKET__IN(c), \
    DOCKET__IN(d), DOCKET__IN(e)
#define DOCKET__EXPAND_TYPES_6(o, a, b, c, d, e, f) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), DOCKET__IN(c), \
    DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f)
#define DOCKET__EXPAND_TYPES_7(o, a, b, c, d, e, f, g) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), \
    DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g)
#define DOCKET__EXPAND_TYPES_8(o, a, b, c, d, e, f, g, h) docket_ctx *, DOCKET__IN(a), DOCKET__IN(b), \
    DOCKET__IN(c), DOCKET__IN(d), DOCKET__IN(e), DOCKET__IN(f), DOCKET__IN(g), DOCKET__IN(h)
#define DOCKET__STEP_ARGS_0(o) ctx, DOCKET__CAST(DOCKET__OUT(o), output)
#define DOCKET__STEP_ARGS_1(o, a) ctx, DOCKET__CAST(DOCKET__OUT(o), output), DOCKET__CAST(DOCKET__IN(a), \
    args[0].value)
#define DOCKET__STEP_ARGS_2(o, a, b) ctx, DOCKET__CAST(DOCKET__OUT(o), output), DOCKET__CAST(DOCKET__IN(a), \
    args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value)
#define DOCKET__STEP_ARGS_3(o, a, b, c) ctx, DOCKET__CAST(DOCKET__OUT(o), output), DOCKET__CAST(DOCKET__IN(a), \
    args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value)
#define DOCKET__STEP_ARGS_4(o, a, b, c, d) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a), args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value)
#define DOCKET__STEP_ARGS_5(o, a, b, c, d, e) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a), args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value)
#define DOCKET__STEP_ARGS_6(o, a, b, c, d, e, f) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a), args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value)
#define DOCKET__STEP_ARGS_7(o, a, b, c, d, e, f, g) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a), args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__IN(g), args[6].value)
#define DOCKET__STEP_ARGS_8(o, a, b, c, d, e, f, g, h) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a), args[0].value), DOCKET__CAST(DOCKET__IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__IN(g), args[6].value), DOCKET__CAST(DOCKET__IN(h), args[7].value)
#define DOCKET__BASE_ARGS_0(o) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output)
#define DOCKET__BASE_ARGS_1(o, a) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value)
#define DOCKET__BASE_ARGS_2(o, a, b) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value)
#define DOCKET__BASE_ARGS_3(o, a, b, c) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value)
#define DOCKET__BASE_ARGS_4(o, a, b, c, d) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value), DOCKET__CAST(DOCKET__BASE_IN(d), args[3].value)
#define DOCKET__BASE_ARGS_5(o, a, b, c, d, e) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value), DOCKET__CAST(DOCKET__BASE_IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__BASE_IN(e), args[4].value)
#define DOCKET__BASE_ARGS_6(o, a, b, c, d, e, f) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value), DOCKET__CAST(DOCKET__BASE_IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__BASE_IN(e), args[4].value), DOCKET__CAST(DOCKET__BASE_IN(f), args[5].value)
#define DOCKET__BASE_ARGS_7(o, a, b, c, d, e, f, g) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value), DOCKET__CAST(DOCKET__BASE_IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__BASE_IN(e), args[4].value), DOCKET__CAST(DOCKET__BASE_IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__BASE_IN(g), args[6].value)
#define DOCKET__BASE_ARGS_8(o, a, b, c, d, e, f, g, h) ctx, DOCKET__CAST(DOCKET__BASE_OUT(o), output), \
    DOCKET__CAST(DOCKET__BASE_IN(a), args[0].value), DOCKET__CAST(DOCKET__BASE_IN(b), args[1].value), \
    DOCKET__CAST(DOCKET__BASE_IN(c), args[2].value), DOCKET__CAST(DOCKET__BASE_IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__BASE_IN(e), args[4].value), DOCKET__CAST(DOCKET__BASE_IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__BASE_IN(g), args[6].value), DOCKET__CAST(DOCKET__BASE_IN(h), args[7].value)
#define DOCKET__AGGREGATE_ARGS_1(o, a) ctx, DOCKET__CAST(DOCKET__OUT(o), output), DOCKET__CAST(DOCKET__IN(a) \
    const *, args[0].value), args[0].count
#define DOCKET__AGGREGATE_ARGS_2(o, a, b) ctx, DOCKET__CAST(DOCKET__OUT(o), output), DOCKET__CAST(DOCKET__IN(a) \
    const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), args[1].value)
#define DOCKET__AGGREGATE_ARGS_3(o, a, b, c) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value)
#define DOCKET__AGGREGATE_ARGS_4(o, a, b, c, d) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value)
#define DOCKET__AGGREGATE_ARGS_5(o, a, b, c, d, e) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value)
#define DOCKET__AGGREGATE_ARGS_6(o, a, b, c, d, e, f) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value)
#define DOCKET__AGGREGATE_ARGS_7(o, a, b, c, d, e, f, g) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__IN(g), args[6].value)
#define DOCKET__AGGREGATE_ARGS_8(o, a, b, c, d, e, f, g, h) ctx, DOCKET__CAST(DOCKET__OUT(o), output), \
    DOCKET__CAST(DOCKET__IN(a) const *, args[0].value), args[0].count, DOCKET__CAST(DOCKET__IN(b), \
    args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), DOCKET__CAST(DOCKET__IN(d), args[3].value), \
    DOCKET__CAST(DOCKET__IN(e), args[4].value), DOCKET__CAST(DOCKET__IN(f), args[5].value), \
    DOCKET__CAST(DOCKET__IN(g), args[6].value), DOCKET__CAST(DOCKET__IN(h), args[7].value)
#define DOCKET__EXPAND_ARGS_0(o) ctx
#define DOCKET__EXPAND_ARGS_1(o, a) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value)
#define DOCKET__EXPAND_ARGS_2(o, a, b) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value)
#define DOCKET__EXPAND_ARGS_3(o, a, b, c) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value)
#define DOCKET__EXPAND_ARGS_4(o, a, b, c, d) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), \
    DOCKET__CAST(DOCKET__IN(d), args[3].value)
#define DOCKET__EXPAND_ARGS_5(o, a, b, c, d, e) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), \
    DOCKET__CAST(DOCKET__IN(d), args[3].value), DOCKET__CAST(DOCKET__IN(e), args[4].value)
#define DOCKET__EXPAND_ARGS_6(o, a, b, c, d, e, f) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), \
    DOCKET__CAST(DOCKET__IN(d), args[3].value), DOCKET__CAST(DOCKET__IN(e), args[4].value), \
    DOCKET__CAST(DOCKET__IN(f), args[5].value)
#define DOCKET__EXPAND_ARGS_7(o, a, b, c, d, e, f, g) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), \
    DOCKET__CAST(DOCKET__IN(d), args[3].value), DOCKET__CAST(DOCKET__IN(e), args[4].value), \
    DOCKET__CAST(DOCKET__IN(f), args[5].value), DOCKET__CAST(DOCKET__IN(g), args[6].value)
#define DOCKET__EXPAND_ARGS_8(o, a, b, c, d, e, f, g, h) ctx, DOCKET__CAST(DOCKET__IN(a), args[0].value), \
    DOCKET__CAST(DOCKET__IN(b), args[1].value), DOCKET__CAST(DOCKET__IN(c), args[2].value), \
    DOCKET__CAST(DOCKET__IN(d), args[3].value), DOCKET__CAST(DOCKET__IN(e), args[4].value), \
    DOCKET__CAST(DOCKET__IN(f), args[5].value), DOCKET__CAST(DOCKET__IN(g), args[6].value), \
    DOCKET__CAST(DOCKET__IN(h), args[7].value)
#define DOCKET__STEP_TEXT_0(o) ", " DOCKET__TEXT(o) " *"
#define DOCKET__STEP_TEXT_1(o, a) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *"
#define DOCKET__STEP_TEXT_2(o, a, b) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *"
#define DOCKET__STEP_TEXT_3(o, a, b, c) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *" \
    ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *"
#define DOCKET__STEP_TEXT_4(o, a, b, c, d) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *" \
    ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *"
#define DOCKET__STEP_TEXT_5(o, a, b, c, d, e) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *" \
    ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) \
    " *" ", const " DOCKET__TYPE_TEXT(e) " *"
#define DOCKET__STEP_TEXT_6(o, a, b, c, d, e, f) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) " *" \
    ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) \
    " *" ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *"
#define DOCKET__STEP_TEXT_7(o, a, b, c, d, e, f, g) ", " DOCKET__TEXT(o) " *" ", const " DOCKET__TYPE_TEXT(a) \
    " *" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " \
    DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *" \
    ", const " DOCKET__TYPE_TEXT(g) " *"
#define DOCKET__STEP_TEXT_8(o, a, b, c, d, e, f, g, h) ", " DOCKET__TEXT(o) " *" ", const " \
    DOCKET__TYPE_TEXT(a) " *" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" \
    ", const " DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) \
    " *" ", const " DOCKET__TYPE_TEXT(g) " *" ", const " DOCKET__TYPE_TEXT(h) " *"
#define DOCKET__AGGREGATE_TEXT_1(o, a) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) " *const *, size_t"
#define DOCKET__AGGREGATE_TEXT_2(o, a, b) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *"
#define DOCKET__AGGREGATE_TEXT_3(o, a, b, c) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *"
#define DOCKET__AGGREGATE_TEXT_4(o, a, b, c, d) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " \
    DOCKET__TYPE_TEXT(d) " *"
#define DOCKET__AGGREGATE_TEXT_5(o, a, b, c, d, e) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " \
    DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *"
#define DOCKET__AGGREGATE_TEXT_6(o, a, b, c, d, e, f) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " \
    DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *"
#define DOCKET__AGGREGATE_TEXT_7(o, a, b, c, d, e, f, g) ", " DOCKET__TEXT(o) " *, const " DOCKET__TYPE_TEXT(a) \
    " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " \
    DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *" \
    ", const " DOCKET__TYPE_TEXT(g) " *"
#define DOCKET__AGGREGATE_TEXT_8(o, a, b, c, d, e, f, g, h) ", " DOCKET__TEXT(o) " *, const " \
    DOCKET__TYPE_TEXT(a) " *const *, size_t" ", const " DOCKET__TYPE_TEXT(b) " *" ", const " \
    DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *" ", const " DOCKET__TYPE_TEXT(e) " *" \
    ", const " DOCKET__TYPE_TEXT(f) " *" ", const " DOCKET__TYPE_TEXT(g) " *" ", const " DOCKET__TYPE_TEXT(h) " *"
#define DOCKET__EXPAND_TEXT_0(o) ""
#define DOCKET__EXPAND_TEXT_1(o, a) ", const " DOCKET__TYPE_TEXT(a) " *"
#define DOCKET__EXPAND_TEXT_2(o, a, b) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " DOCKET__TYPE_TEXT(b) " *"
#define DOCKET__EXPAND_TEXT_3(o, a, b, c) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " DOCKET__TYPE_TEXT(b) \
    " *" ", const " DOCKET__TYPE_TEXT(c) " *"
#define DOCKET__EXPAND_TEXT_4(o, a, b, c, d) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *"
#define DOCKET__EXPAND_TEXT_5(o, a, b, c, d, e) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *" \
    ", const " DOCKET__TYPE_TEXT(e) " *"
#define DOCKET__EXPAND_TEXT_6(o, a, b, c, d, e, f) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *" \
    ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *"
#define DOCKET__EXPAND_TEXT_7(o, a, b, c, d, e, f, g) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *" \
    ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *" ", const " DOCKET__TYPE_TEXT(g) " *"
#define DOCKET__EXPAND_TEXT_8(o, a, b, c, d, e, f, g, h) ", const " DOCKET__TYPE_TEXT(a) " *" ", const " \
    DOCKET__TYPE_TEXT(b) " *" ", const " DOCKET__TYPE_TEXT(c) " *" ", const " DOCKET__TYPE_TEXT(d) " *" \
    ", const " DOCKET__TYPE_TEXT(e) " *" ", const " DOCKET__TYPE_TEXT(f) " *" ", const " DOCKET__TYPE_TEXT(g) \
    " *" ", const " DOCKET__TYPE_TEXT(h) " *"
#define DOCKET__INPUTS_0(first, o) {NULL, 0}
#define DOCKET__INPUTS_1(first, o, a) DOCKET__INPUT(a, first)
#define DOCKET__INPUTS_2(first, o, a, b) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0)
#define DOCKET__INPUTS_3(first, o, a, b, c) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), DOCKET__INPUT(c, 0)
#define DOCKET__INPUTS_4(first, o, a, b, c, d) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), DOCKET__INPUT(c, \
    0), DOCKET__INPUT(d, 0)
#define DOCKET__INPUTS_5(first, o, a, b, c, d, e) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), DOCKET__INPUT(c, \
    0), DOCKET__INPUT(d, 0), DOCKET__INPUT(e, 0)
#define DOCKET__INPUTS_6(first, o, a, b, c, d, e, f) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), \
    DOCKET__INPUT(c, 0), DOCKET__INPUT(d, 0), DOCKET__INPUT(e, 0), DOCKET__INPUT(f, 0)
#define DOCKET__INPUTS_7(first, o, a, b, c, d, e, f, g) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), \
    DOCKET__INPUT(c, 0), DOCKET__INPUT(d, 0), DOCKET__INPUT(e, 0), DOCKET__INPUT(f, 0), DOCKET__INPUT(g, 0)
#define DOCKET__INPUTS_8(first, o, a, b, c, d, e, f, g, h) DOCKET__INPUT(a, first), DOCKET__INPUT(b, 0), \
    DOCKET__INPUT(c, 0), DOCKET__INPUT(d, 0), DOCKET__INPUT(e, 0), DOCKET__INPUT(f, 0), DOCKET__INPUT(g, 0), \
    DOCKET__INPUT(h, 0)

#endif
