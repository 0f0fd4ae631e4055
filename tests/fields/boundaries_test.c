/* Field report 01: arguments that were hashed without their boundaries, so that one caller got another's answer.
 *
 * Each family below is one input type with values that come close to each other: the same bytes cut elsewhere, unset
 * beside empty, lists of other lengths. Every value must run once, get its own answer, and be restored afterwards. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_ROOM = 256 };

DOCKET_ENUM(Side, (SIDE_NONE, 0), (SIDE_LEFT, 1), (SIDE_RIGHT, 2));
DOCKET_STRUCT(Shown, (STRING, text));
DOCKET_STRUCT(Pair, (STRING, a), (STRING, b));
DOCKET_STRUCT(Raw, (BYTES, a), (BYTES, b), (BYTES, c));
DOCKET_STRUCT(Words, (LIST(STRING), words));
DOCKET_STRUCT(Rows, (LIST(INT64), a), (LIST(INT64), b));
DOCKET_STRUCT(Numbers, (INT32, a), (INT64, b), (UINT32, c), (UINT64, d));
DOCKET_STRUCT(Maybes, (OPTIONAL(INT32), a), (OPTIONAL(STRING), b), (OPTIONAL(BOOL), c));
DOCKET_STRUCT(Outer, (STRUCT(Pair), first), (STRUCT(Pair), second));
DOCKET_STRUCT(Pairs, (LIST(STRUCT(Pair)), pairs), (STRING, after));
DOCKET_STRUCT(Small, (FIXED(2), a), (FIXED(3), b), (BOOL, c), (ENUM(Side), d), (FLOAT, e), (DOUBLE, f));
DOCKET_BLOB(Blob);

/* ---- A value as text; of every member with its length ---- */

typedef struct line {
    char *text;
    size_t size;
} line;

__attribute__((format(printf, 2, 3))) static void add(line *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(to->text + to->size, TEXT_ROOM - to->size, format, arguments);
    va_end(arguments);
    to->size += added > 0 ? (size_t)added : 0;
    to->size = to->size < TEXT_ROOM ? to->size : TEXT_ROOM - 1;
}

static void add_bytes(line *to, const uint8_t *data, size_t size)
{
    add(to, "%zu:", size);
    for (size_t i = 0; i < size; i++) {
        add(to, "%02x", data[i]);
    }
    add(to, ";");
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static void write_Pair(line *to, const Pair *in)
{
    add(to, "[%s|%s]", text_of(in->a), text_of(in->b));
}

static void write_Raw(line *to, const Raw *in)
{
    add_bytes(to, in->a.data, in->a.size);
    add_bytes(to, in->b.data, in->b.size);
    add_bytes(to, in->c.data, in->c.size);
}

static void write_Words(line *to, const Words *in)
{
    add(to, "%zu", in->words_count);
    for (size_t i = 0; i < in->words_count; i++) {
        add(to, "<%s>", in->words[i]);
    }
}

static void write_Rows(line *to, const Rows *in)
{
    for (size_t i = 0; i < in->a_count; i++) {
        add(to, "%" PRId64 ",", in->a[i]);
    }
    add(to, "/");
    for (size_t i = 0; i < in->b_count; i++) {
        add(to, "%" PRId64 ",", in->b[i]);
    }
}

static void write_Numbers(line *to, const Numbers *in)
{
    add(to, "%" PRId32 ",%" PRId64 ",%" PRIu32 ",%" PRIu64, in->a, in->b, in->c, in->d);
}

static void write_Maybes(line *to, const Maybes *in)
{
    add(to, in->has_a ? "%" PRId32 : "-", in->a);
    add(to, in->has_b ? "<%s>" : "-", text_of(in->b));
    add(to, in->has_c ? "%d" : "-", in->c);
}

static void write_Outer(line *to, const Outer *in)
{
    const Pair *const pairs[] = {in->first, in->second};
    for (size_t i = 0; i < 2; i++) {
        if (pairs[i] == NULL) {
            add(to, "-");
        } else {
            write_Pair(to, pairs[i]);
        }
    }
}

static void write_Pairs(line *to, const Pairs *in)
{
    for (size_t i = 0; i < in->pairs_count; i++) {
        write_Pair(to, &in->pairs[i]);
    }
    add(to, "%s", text_of(in->after));
}

static void write_Small(line *to, const Small *in)
{
    add_bytes(to, in->a, sizeof in->a);
    add_bytes(to, in->b, sizeof in->b);
    add(to, "%d,%d,%a,%a", in->c, (int)in->d, (double)in->e, in->f);
}

static void write_Blob(line *to, const Blob *in)
{
    add_bytes(to, in->data, in->size);
}

/* ---- The families ---- */

static docket_status show(docket_ctx *ctx, Shown *out, const char *family, const char *text)
{
    ledger_note(docket_ctx_user(ctx), "%s", family);
    out->text = docket_strdup(ctx, text);
    return DOCKET_OK;
}

#define FAMILY(T)                                                           \
    static void text_of_##T(char *text, const void *in)                     \
    {                                                                       \
        line to = {text, 0};                                                \
        text[0] = '\0';                                                     \
        write_##T(&to, in);                                                 \
    }                                                                       \
    static docket_status show_##T(docket_ctx *ctx, Shown *out, const T *in) \
    {                                                                       \
        char text[TEXT_ROOM];                                               \
        text_of_##T(text, in);                                              \
        return show(ctx, out, #T, text);                                    \
    }                                                                       \
    DOCKET_STEP(show_##T, Shown, T)

FAMILY(Pair);
FAMILY(Raw);
FAMILY(Words);
FAMILY(Rows);
FAMILY(Numbers);
FAMILY(Maybes);
FAMILY(Outer);
FAMILY(Pairs);
FAMILY(Small);
FAMILY(Blob);

#define B(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define L(T, ...) (T[]){__VA_ARGS__}, sizeof((T[]){__VA_ARGS__}) / sizeof(T)

static const Pair pair_values[] = {
    {"ab", "c"},   {"a", "bc"},    {"abc", ""},       {"", "abc"},      {"ABC", ""},         {"abc ", ""},
    {"", ""},      {"a:b", "c"},   {"a", "b:c"},      {"a,b", "c"},     {"a", "b,c"},        {"a|b", "c"},
    {"a", "b|c"},  {"\x01", "a"},  {"a", "\x01"},     {"\n\x01", ""},   {"\n\x01\x61", "b"}, {"a\n\x01", "b"},
    {"a\tb", "c"}, {"a", "\tb\t"}, {"e\xcc\x81", ""}, {"\xc3\xa9", ""},
};
static const Raw raw_values[] = {
    {B(""), B(""), B("")},
    {B("\0"), B(""), B("")},
    {B(""), B("\0"), B("")},
    {B(""), B(""), B("\0")},
    {B("\0\0"), B(""), B("")},
    {B("\0"), B("\0"), B("")},
    {B("ab"), B("c"), B("")},
    {B("a"), B("bc"), B("")},
    {B("a"), B("b"), B("c")},
    {B(""), B("ab"), B("c")},
    {B("a\x12\x01"), B("b"), B("")},
    {B("a"), B("\x12\x01\x62"), B("")},
    {B("\x0a\x01\x61"), B(""), B("")},
    {B(""), B("\x0a\x01\x61"), B("")},
};
static const Words words_values[] = {
    {L(const char *, "ab", "c")},
    {L(const char *, "a", "bc")},
    {L(const char *, "abc")},
    {L(const char *, "abc", "")},
    {L(const char *, "", "abc")},
    {NULL, 0},
    {L(const char *, "")},
    {L(const char *, "", "")},
    {L(const char *, "c", "ab")},
    {L(const char *, "a", "b", "c")},
    {L(const char *, "a", "", "bc")},
    {L(const char *, "a", "bc", "")},
};
static const Rows rows_values[] = {
    {L(const int64_t, 1, 2), L(const int64_t, 3)},
    {L(const int64_t, 1), L(const int64_t, 2, 3)},
    {L(const int64_t, 1, 2, 3), NULL, 0},
    {NULL, 0, L(const int64_t, 1, 2, 3)},
    {L(const int64_t, 12), L(const int64_t, 3)},
    {NULL, 0, NULL, 0},
    {L(const int64_t, 0), NULL, 0},
    {NULL, 0, L(const int64_t, 0)},
    {L(const int64_t, 0, 0), NULL, 0},
    {L(const int64_t, 0), L(const int64_t, 0)},
    {L(const int64_t, -1), NULL, 0},
    {L(const int64_t, 128, 1), NULL, 0},
    {L(const int64_t, 1, 128), NULL, 0},
};
static const Numbers numbers_values[] = {
    {1, 23, 0, 0},         {12, 3, 0, 0},        {123, 0, 0, 0},       {0, 123, 0, 0},       {0, 0, 123, 0},
    {0, 0, 0, 123},        {0, 0, 0, 0},         {-1, 0, 0, 0},        {0, -1, 0, 0},        {0, 0, UINT32_MAX, 0},
    {0, 0, 0, UINT64_MAX}, {INT32_MIN, 0, 0, 0}, {0, INT64_MIN, 0, 0}, {0, INT64_MAX, 0, 0}, {0, 0, 0, INT64_MAX},
    {0, INT32_MIN, 0, 0},  {1, 1, 1, 1},         {256, 0, 0, 0},       {0, 256, 0, 0},       {0, 1, 256, 0},
};
static const Maybes maybes_values[] = {
    {0, false, NULL, false, false, false}, {0, true, NULL, false, false, false},
    {0, false, "", true, false, false},    {0, false, NULL, false, false, true},
    {0, true, "", true, false, true},      {1, true, NULL, false, false, false},
    {0, false, "1", true, false, false},   {0, false, NULL, false, true, true},
    {0, true, NULL, false, false, true},
};
static const Pair ab_c = {"ab", "c"}, a_bc = {"a", "bc"}, nothing = {"", ""};
static const Outer outer_values[] = {
    {NULL, NULL},      {&nothing, NULL}, {NULL, &nothing}, {&nothing, &nothing}, {&ab_c, NULL},  {NULL, &ab_c},
    {&ab_c, &nothing}, {&a_bc, NULL},    {&ab_c, &a_bc},   {&a_bc, &ab_c},       {&ab_c, &ab_c},
};
static const Pairs pairs_values[] = {
    {NULL, 0, ""},
    {NULL, 0, "x"},
    {L(const Pair, {"", ""}), ""},
    {L(const Pair, {"", ""}, {"", ""}), ""},
    {L(const Pair, {"a", "b"}, {"c", "d"}), ""},
    {L(const Pair, {"a", "b"}), "cd"},
    {L(const Pair, {"a", ""}, {"b", ""}), ""},
    {L(const Pair, {"", "a"}, {"", "b"}), ""},
    {L(const Pair, {"a", "b"}, {"", ""}), ""},
    {L(const Pair, {"", ""}, {"a", "b"}), ""},
};
static const Small small_values[] = {
    {{0, 0}, {0, 0, 0}, false, SIDE_NONE, 0, 0},  {{1, 2}, {3, 0, 0}, false, SIDE_NONE, 0, 0},
    {{0, 1}, {2, 3, 0}, false, SIDE_NONE, 0, 0},  {{0, 0}, {1, 2, 3}, false, SIDE_NONE, 0, 0},
    {{0, 0}, {0, 0, 0}, true, SIDE_NONE, 0, 0},   {{0, 0}, {0, 0, 0}, false, SIDE_LEFT, 0, 0},
    {{0, 0}, {0, 0, 0}, false, SIDE_RIGHT, 0, 0}, {{0, 0}, {0, 0, 0}, false, (Side)-1, 0, 0},
    {{0, 0}, {0, 0, 0}, false, SIDE_NONE, 1, 0},  {{0, 0}, {0, 0, 0}, false, SIDE_NONE, 0, 1},
};
static const Blob blob_values[] = {B(""), B("\0"), B("\0\0"), B("a"), B("a\0"), B("\0a"), B("\x0a\x01\x61")};

typedef struct family {
    const char *name;
    const docket_step *step;
    const docket_type *type;
    const void *values;
    size_t size, count;
    void (*text_of)(char *text, const void *in);
} family;

#define MEMBERS(T, list)                                                                               \
    {                                                                                                  \
#T, &show_##T##_step, DOCKET_OF(T), list, sizeof(T), sizeof list / sizeof list[0], text_of_##T \
    }

static const family families[] = {
    MEMBERS(Pair, pair_values),   MEMBERS(Raw, raw_values),         MEMBERS(Words, words_values),
    MEMBERS(Rows, rows_values),   MEMBERS(Numbers, numbers_values), MEMBERS(Maybes, maybes_values),
    MEMBERS(Outer, outer_values), MEMBERS(Pairs, pairs_values),     MEMBERS(Small, small_values),
    MEMBERS(Blob, blob_values),
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

/* ---- One pass: every value of every family once. Returns how many answers were wrong ---- */

static int ask(docket_graph *graph, const family *of, size_t index)
{
    char expected[TEXT_ROOM], execution[64];
    const void *value = (const char *)of->values + index * of->size;
    of->text_of(expected, value);
    snprintf(execution, sizeof execution, "boundaries-%s-%zu", of->name, index);
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = execution, .output = DOCKET_OF(Shown),
                                     .inputs = &(docket_input){.type = of->type, .value = value}, .input_count = 1});
    const char *text = made.status == DOCKET_OK ? DOCKET_RESULT(made.result, Shown)->text : made.error.message;
    int wrong = strcmp(text, expected) != 0;
    if (wrong) {
        print_error("%s %zu: expected \"%s\", got \"%s\"\n", of->name, index, expected, text);
    }
    outcome_free(&made);
    return wrong;
}

static int pass(docket_store *store, char *folder_path)
{
    int wrong = 0;
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = folder_path};
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        docket_graph *graph = docket_graph_new("boundaries", NULL);
        if (graph == NULL || docket_graph_add(graph, families[i].step, &options) != DOCKET_OK ||
            docket_graph_validate(graph, NULL) != DOCKET_OK) {
            wrong++;
        }
        for (size_t j = 0; j < families[i].count; j++) {
            wrong += ask(graph, &families[i], j);
        }
        docket_graph_free(graph);
    }
    return wrong;
}

static void assert_each_ran_once(const site *at)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        long runs = ledger_count(at->folder.path, "%s", families[i].name);
        if (runs != (long)families[i].count) {
            print_error("family %s\n", families[i].name);
        }
        assert_int_equal(runs, families[i].count);
    }
}

static void fr_01_field_boundaries_make_different_keys(void **state)
{
    site *at = *state;
    assert_int_equal(pass(site_open(at, NULL), at->folder.path), 0);
    assert_each_ran_once(at);
    site_close(at);
    assert_int_equal(pass(site_open(at, NULL), at->folder.path), 0);
    assert_each_ran_once(at);
}

static void fr_01_another_process_finds_each_answer(void **state)
{
    site *at = *state;
    assert_int_equal(pass(site_open(at, NULL), at->folder.path), 0);
    site_close(at);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("pass", at->url, at->folder.path)), 0);
    assert_each_ran_once(at);
}

/* ---- The same boundaries between two inputs ---- */

DOCKET_STRUCT(Left, (STRING, text));
DOCKET_STRUCT(Right, (STRING, text));

static docket_status join(docket_ctx *ctx, Shown *out, const Left *left, const Right *right)
{
    ledger_note(docket_ctx_user(ctx), "join");
    out->text = docket_printf(ctx, "[%s|%s]", left->text, right == NULL ? "(none)" : right->text);
    return DOCKET_OK;
}
DOCKET_STEP(join, Shown, Left, MAYBE(Right));

static docket_status no_right(docket_ctx *ctx, Right *out, const Left *left)
{
    (void)out;
    return docket_absent(ctx, "there is nothing right of %s", left->text);
}
DOCKET_STEP(no_right, Right, Left);

/* `right` NULL = absent. */
static void assert_joined(docket_graph *graph, const char *left, const char *right)
{
    char expected[TEXT_ROOM];
    snprintf(expected, sizeof expected, "[%s|%s]", left, right == NULL ? "(none)" : right);
    const docket_input inputs[] = {DOCKET_IN(Left, &(Left){left}), DOCKET_IN(Right, &(Right){right})};
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "join", .output = DOCKET_OF(Shown),
                                     .inputs = inputs, .input_count = right == NULL ? 1 : 2});
    assert_status(DOCKET_OK, made.status);
    assert_string_equal(DOCKET_RESULT(made.result, Shown)->text, expected);
    outcome_free(&made);
}

static void fr_01_two_inputs_keep_their_boundary(void **state)
{
    site *at = *state;
    static const char *const sides[][2] = {
        {"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"},  {"c", "ab"},
        {"bc", "a"}, {"", ""},    {"", NULL},  {"ab", NULL},
    };
    enum { SIDE_COUNT = sizeof sides / sizeof sides[0] };
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_GLOBAL, .user = at->folder.path};
    docket_graph *graph = graph_of(NULL, &options, DOCKET_STEPS(join, no_right));
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < SIDE_COUNT; i++) {
            assert_joined(graph, sides[i][0], sides[i][1]);
        }
        assert_int_equal(ledger_count(at->folder.path, "join"), SIDE_COUNT);
    }
    docket_graph_free(graph);
}

/* ---- The same between the other parts of a key ---- */

static docket_status whoami(docket_ctx *ctx, Shown *out)
{
    ledger_note(docket_ctx_user(ctx), "whoami");
    out->text = docket_printf(ctx, "%s,%s", docket_ctx_execution_id(ctx), docket_ctx_step_name(ctx));
    return DOCKET_OK;
}
DOCKET_STEP(whoami, Shown);

static void assert_named(site *at, const char *key_namespace, const char *execution, const char *step)
{
    char expected[TEXT_ROOM];
    snprintf(expected, sizeof expected, "%s,%s", execution, step);
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = key_namespace};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = step, .store = site_open(at, NULL),
                                         .scope = DOCKET_SCOPE_WORKFLOW, .user = at->folder.path};
    docket_graph *graph = graph_of_one(&graph_options, &whoami_step, &options);
    outcome made =
        run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = execution, .output = DOCKET_OF(Shown)});
    assert_status(DOCKET_OK, made.status);
    assert_string_equal(DOCKET_RESULT(made.result, Shown)->text, expected);
    outcome_free(&made);
    docket_graph_free(graph);
}

static void fr_01_names_keep_their_boundaries(void **state)
{
    site *at = *state;
    static const char *const names[][3] = {
        {"", "a:b", "c"},  {"", "a", "b:c"},  {"", "a:b:c", "d"}, {"a", "b", "c"},  {"ab", "c", "c"},
        {"a", "bc", "c"},  {"", "abc", "c"},  {"", "ab", "cc"},   {"", "a/b", "c"}, {"", "a", "b/c"},
        {"n", "a", "b"},   {"", "na", "b"},   {"", "n", "ab"},    {"", "c", "a:b"}, {"", "A:B", "c"},
        {"", "a:b ", "c"}, {"", "a:b", "c "}, {"", "a:b", " c"},  {"", "a#b", "c"}, {"", "a", "b#c"},
    };
    enum { NAME_COUNT = sizeof names / sizeof names[0] };
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < NAME_COUNT; i++) {
            assert_named(at, names[i][0], names[i][1], names[i][2]);
        }
        assert_int_equal(ledger_count(at->folder.path, "whoami"), NAME_COUNT);
        site_close(at);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "pass") == 0) {
        docket_store *store = NULL;
        int wrong = docket_store_open(&store, argv[2], NULL, NULL) == DOCKET_OK ? pass(store, argv[3]) : 1;
        docket_store_close(store);
        return wrong != 0;
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_01_field_boundaries_make_different_keys),
        SITE_SQLITE(fr_01_another_process_finds_each_answer),
        SITE_EACH_STORE(fr_01_two_inputs_keep_their_boundary),
        SITE_EACH_STORE(fr_01_names_keep_their_boundaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
