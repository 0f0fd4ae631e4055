/* Field reports 04 and 06: what must not be part of a key. Encoding order, padding, garbage beside unset members; locale,
 * time zone, folder and environment; and floats that are not equal to themselves. */
#include "base/hash.h"
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- 04: padding and garbage ---- */

DOCKET_STRUCT(Padded, (BOOL, first), (DOUBLE, middle), (BOOL, last), (FIXED(1), code), (INT64, number),
              (FLOAT, ratio));
DOCKET_STRUCT(Deep, (STRUCT(Padded), one), (LIST(STRUCT(Padded)), many), (OPTIONAL(INT64), maybe),
              (OPTIONAL(STRING), maybe_text), (OPTIONAL(BYTES), maybe_bytes), (STRING, unset), (BYTES, empty),
              (LIST(INT32), none), (LIST(STRING), no_texts), (LIST(STRUCT(Padded)), no_structs));
DOCKET_STRUCT(Seen, (INT64, number));

static docket_status see_padded(docket_ctx *ctx, Seen *out, const Padded *in)
{
    ledger_note(docket_ctx_user(ctx), "see");
    out->number = in->number;
    return DOCKET_OK;
}
DOCKET_STEP(see_padded, Seen, Padded);

static docket_status see_deep(docket_ctx *ctx, Seen *out, const Deep *in)
{
    ledger_note(docket_ctx_user(ctx), "see");
    out->number = in->one->number + in->many[1].number;
    return DOCKET_OK;
}
DOCKET_STEP(see_deep, Seen, Deep);

static void fill_padded(Padded *padded, int garbage, int64_t number)
{
    memset(padded, garbage, sizeof *padded);
    padded->first = true;
    padded->middle = 0.25;
    padded->last = false;
    padded->code[0] = 7;
    padded->number = number;
    padded->ratio = -1.5f;
}

/* `parts` has room for three. */
static void fill_deep(Deep *deep, Padded *parts, int garbage)
{
    memset(deep, garbage, sizeof *deep);
    for (int i = 0; i < 3; i++) {
        fill_padded(&parts[i], garbage, 10 + i);
    }
    deep->one = &parts[0];
    deep->many = &parts[1];
    deep->many_count = 2;
    deep->has_maybe = deep->has_maybe_text = deep->has_maybe_bytes = false;
    deep->unset = garbage == 0 ? NULL : "";
    deep->empty.size = 0;
    deep->none_count = deep->no_texts_count = deep->no_structs_count = 0;
}

static const int garbages[] = {0x00, 0xff, 0x55, 0x01};
enum { GARBAGE_COUNT = sizeof garbages / sizeof garbages[0] };

static docket_step_options recorded(site *at)
{
    return (docket_step_options){DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, NULL),
                                 .scope = DOCKET_SCOPE_GLOBAL, .user = at->folder.path};
}

static void assert_seen(docket_graph *graph, docket_input input, int64_t number)
{
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Seen), .inputs = &input,
                                                .input_count = 1});
    assert_string_equal(made.error.message, "");
    assert_status(DOCKET_OK, made.status);
    assert_int_equal(DOCKET_RESULT(made.result, Seen)->number, number);
    outcome_free(&made);
}

static void fr_04_padding_is_not_part_of_the_key(void **state)
{
    site *at = *state;
    const docket_step_options options = recorded(at);
    docket_graph *graph = graph_of_one(NULL, &see_padded_step, &options);
    for (size_t i = 0; i < GARBAGE_COUNT; i++) {
        Padded padded;
        fill_padded(&padded, garbages[i], 42);
        assert_seen(graph, DOCKET_IN(Padded, &padded), 42);
    }
    docket_graph_free(graph);
    assert_int_equal(ledger_count(at->folder.path, "see"), 1);
}

static void fr_04_garbage_beside_unset_members_is_not_part_of_the_key(void **state)
{
    site *at = *state;
    const docket_step_options options = recorded(at);
    docket_graph *graph = graph_of_one(NULL, &see_deep_step, &options);
    for (size_t i = 0; i < GARBAGE_COUNT; i++) {
        Deep deep;
        Padded parts[3];
        fill_deep(&deep, parts, garbages[i]);
        assert_seen(graph, DOCKET_IN(Deep, &deep), 22);
    }
    docket_graph_free(graph);
    assert_int_equal(ledger_count(at->folder.path, "see"), 1);
}

/* The same when a step made the value, and when a graph provides it. */
DOCKET_STRUCT(Garbage, (INT32, byte));

static docket_status make_padded(docket_ctx *ctx, Padded *out, const Garbage *in)
{
    (void)ctx;
    fill_padded(out, in->byte, 42);
    return DOCKET_OK;
}
DOCKET_STEP(make_padded, Padded, Garbage);

static docket_status make_deep(docket_ctx *ctx, Deep *out, const Garbage *in)
{
    fill_deep(out, DOCKET_NEW_ARRAY(ctx, Padded, 3), in->byte);
    return DOCKET_OK;
}
DOCKET_STEP(make_deep, Deep, Garbage);

static void assert_made_values_are_seen_once(site *at, const docket_step *make, const docket_step *see,
                                             int64_t number)
{
    docket_error error;
    const docket_step_options options = recorded(at);
    docket_graph *graph = docket_graph_new("made", NULL);
    assert_status(DOCKET_OK, docket_graph_add(graph, make, NULL));
    assert_status(DOCKET_OK, docket_graph_add(graph, see, &options));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    for (size_t i = 0; i < GARBAGE_COUNT; i++) {
        const Garbage garbage = {garbages[i]};
        assert_seen(graph, DOCKET_IN(Garbage, &garbage), number);
    }
    docket_graph_free(graph);
}

static void fr_04_padding_of_a_made_value_is_not_part_of_the_key(void **state)
{
    site *at = *state;
    assert_made_values_are_seen_once(at, &make_padded_step, &see_padded_step, 42);
    assert_int_equal(ledger_count(at->folder.path, "see"), 1);
    assert_made_values_are_seen_once(at, &make_deep_step, &see_deep_step, 22);
    assert_int_equal(ledger_count(at->folder.path, "see"), 2);
}

static void fr_04_padding_of_a_provided_value_is_not_part_of_the_key(void **state)
{
    site *at = *state;
    docket_error error;
    const docket_step_options options = recorded(at);
    for (size_t i = 0; i < GARBAGE_COUNT; i++) {
        Deep deep;
        Padded parts[3];
        fill_deep(&deep, parts, garbages[i]);
        docket_graph *graph = docket_graph_new("provided", NULL);
        assert_status(DOCKET_OK, docket_graph_add(graph, &see_deep_step, &options));
        assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(Deep, &deep)));
        assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
        const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Seen)};
        assert_status(DOCKET_OK, run_for_status(graph, &request));
        docket_graph_free(graph);
    }
    assert_int_equal(ledger_count(at->folder.path, "see"), 1);
}

/* ---- 04: the fixed vector ---- */

DOCKET_ENUM(Side, (SIDE_NONE, 0), (SIDE_LEFT, 1), (SIDE_RIGHT, 2));
DOCKET_STRUCT(VectorPart, (INT64, n));
DOCKET_STRUCT(Vector, (BOOL, flag), (INT32, small), (INT64, large), (UINT32, count), (FLOAT, ratio),
              (DOUBLE, precise), (STRING, name), (BYTES, raw), (TIME_MS, when), (FIXED(4), code),
              (ENUM(Side), side), (STRUCT(VectorPart), part), (LIST(INT64), list), (OPTIONAL(INT32), maybe));
DOCKET_STRUCT(VectorResult, (INT64, n));

static docket_status fixed_vector(docket_ctx *ctx, VectorResult *out, const Vector *in, const VectorPart *part)
{
    ledger_note(docket_ctx_user(ctx), "vector");
    out->n = in->part->n + (part != NULL ? part->n : 0);
    return DOCKET_OK;
}
DOCKET_STEP_VERSIONED(fixed_vector, 3, VectorResult, Vector, MAYBE(VectorPart));

static docket_status no_part(docket_ctx *ctx, VectorPart *out, const Vector *in)
{
    (void)in;
    (void)out;
    return docket_absent(ctx, "none");
}
DOCKET_STEP(no_part, VectorPart, Vector);

/* Made outside of docket, by hand from the layout that checkpoint/key.h and type/fingerprint.c describe. If one of these
 * changes, every stored result is lost: raise the key's format instead. */
static const char vector_bytes[] =
    "080110feffffffffffffffff011880808080802020ac022d0000c03f319a9999999999b9bf3a076772c3"
    "b6c39f65420200ff48fbd095ffbc315204010203045802620208076a0d01ffffffffffffffffff01ac02"
    "7000";
static const char vector_fingerprint[] = "9d4fa5881b16279d03f515366e1b12bb9034db6c60073435df2a0912b14fdbd6";
static const char vector_key_global[] = "972d8d63b97217e62de34c527d868e467b5e946df22ffec3821ec8950a4e5ff9";
static const char vector_key_workflow[] = "bae1d6eda5cfe52a149b9bf8b8a7eab10d95d0b31b54b5ab502415c7b8e4c3c7";
static const char vector_key_with_part[] = "6f50f6595100cf8455aae28badb8f36d7fa0a36e37c4df31191ff54fcaa76e36";

static const int64_t vector_list[] = {1, -1, 300};
static const VectorPart vector_part = {7};
static const Vector vector = {
    .flag = true,
    .small = -2,
    .large = INT64_C(1) << 40,
    .count = 300,
    .ratio = 1.5f,
    .precise = -0.1,
    .name = "größe",
    .raw = {(const uint8_t *)"\0\xff", 2},
    .when = INT64_C(1700000000123),
    .code = {1, 2, 3, 4},
    .side = SIDE_RIGHT,
    .part = &vector_part,
    .list = vector_list,
    .list_count = 3,
    .maybe = 0,
    .has_maybe = true,
};

static void fr_04_bytes_and_fingerprint_of_the_vector_are_fixed(void **state)
{
    (void)state;
    docket_error error;
    char digits[2 * 128 + 1];
    uint8_t fingerprint[32];
    docket_buffer *buffer = docket_buffer_new();
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Vector), &vector, buffer, &error));
    docket_bytes bytes = docket_buffer_bytes(buffer);
    assert_true(bytes.size <= 128);
    docket__hex(bytes.data, bytes.size, digits);
    assert_string_equal(digits, vector_bytes);
    docket_buffer_free(buffer);
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Vector), fingerprint, &error));
    docket__hex(fingerprint, sizeof fingerprint, digits);
    assert_string_equal(digits, vector_fingerprint);
}

static bool copy_key(void *arg, const docket_checkpoint *found)
{
    docket__hex(found->key, sizeof found->key, arg);
    return true;
}

static void assert_vector_key(site *at, docket_scope scope, const VectorPart *part, const char *expected)
{
    docket_error error = DOCKET_ERROR_INIT;
    char digits[65] = "";
    const docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = "vectors"};
    docket_step_options options = recorded(at);
    options.scope = scope;
    docket_graph *graph = docket_graph_new("vectors", &graph_options);
    assert_status(DOCKET_OK, docket_graph_add(graph, &fixed_vector_step, &options));
    assert_status(DOCKET_OK, docket_graph_add(graph, &no_part_step, NULL));
    assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
    const docket_input inputs[] = {DOCKET_IN(Vector, &vector), DOCKET_IN(VectorPart, part)};
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = "run-1", .output = DOCKET_OF(VectorResult),
                                    .inputs = inputs, .input_count = part == NULL ? 1 : 2};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    docket_graph_free(graph);
    const docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .step = "fixed_vector"};
    assert_status(DOCKET_OK, docket_checkpoint_list(at->store, &filter, copy_key, digits, &error));
    assert_string_equal(digits, expected);
}

static void fr_04_key_of_the_vector_is_fixed(void **state)
{
    site *at = *state;
    assert_vector_key(at, DOCKET_SCOPE_GLOBAL, NULL, vector_key_global);
    assert_vector_key(at, DOCKET_SCOPE_WORKFLOW, NULL, vector_key_workflow);
    assert_vector_key(at, DOCKET_SCOPE_GLOBAL, &(VectorPart){9}, vector_key_with_part);
    assert_int_equal(ledger_count(at->folder.path, "vector"), 3);
}

/* ---- 06: floats and surroundings ---- */

DOCKET_STRUCT(Float, (DOUBLE, d), (FLOAT, f), (LIST(DOUBLE), list));

static docket_status keep_float(docket_ctx *ctx, Float *out, const Float *in)
{
    (void)ctx;
    *out = *in;
    return DOCKET_OK;
}

DOCKET_ALIAS(Kept, Float);

static docket_status keep(docket_ctx *ctx, Kept *out, const Float *in)
{
    ledger_note(docket_ctx_user(ctx), "keep");
    return keep_float(ctx, &out->value, in);
}
DOCKET_STEP(keep, Kept, Float);

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A double and a float with the same meaning. */
static const struct {
    uint64_t d;
    uint32_t f;
} odd_floats[] = {
    {0x3fb999999999999a, 0x3dcccccd},                                   /* 0.1 */
    {0x7e37e43c8800759c, 0x7e967699},                                   /* 1e300, 1e38 */
    {0x7ff8000000000000, 0x7fc00000},                                   /* NaN */
    {0x7ff8000000000001, 0x7fc00001},                                   /* NaN of another payload */
    {0xfff8000000000000, 0xffc00000},                                   /* NaN with a sign */
    {0x0000000000000000, 0x00000000},                                   /* +0 */
    {0x8000000000000000, 0x80000000},                                   /* -0 */
    {0x7ff0000000000000, 0x7f800000},                                   /* infinity */
    {0xfff0000000000000, 0xff800000},                                   /* -infinity */
    {0x0000000000000001, 0x00000001},                                   /* the smallest */
    {0x8000000000000001, 0x80000001}, {0x3ff8000000000000, 0x3fc00000}, /* 1.5: what a comma changes when printed */
};
enum { ODD_COUNT = sizeof odd_floats / sizeof odd_floats[0] };

static bool same_bits(const Kept *kept, size_t index)
{
    double listed[2];
    memcpy(listed, kept->value.list, sizeof listed);
    return memcmp(&kept->value.d, &odd_floats[index].d, 8) == 0 &&
           memcmp(&kept->value.f, &odd_floats[index].f, 4) == 0 && kept->value.list_count == 2 &&
           memcmp(&listed[1], &odd_floats[index].d, 8) == 0;
}

/* Asks once for each; returns how many answers had other bits. */
static int keep_all(docket_store *store, const char *folder_path)
{
    int wrong = 0;
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                         .user = (void *)(uintptr_t)folder_path};
    docket_graph *graph = docket_graph_new("floats", NULL);
    if (docket_graph_add(graph, &keep_step, &options) != DOCKET_OK ||
        docket_graph_validate(graph, NULL) != DOCKET_OK) {
        wrong++;
    }
    for (size_t i = 0; i < ODD_COUNT; i++) {
        const double list[2] = {1, double_of(odd_floats[i].d)};
        const Float in = {double_of(odd_floats[i].d), float_of(odd_floats[i].f), list, 2};
        outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Kept),
                                                    DOCKET_INPUTS(DOCKET_IN(Float, &in))});
        wrong += made.status != DOCKET_OK || !same_bits(DOCKET_RESULT(made.result, Kept), i);
        outcome_free(&made);
    }
    docket_graph_free(graph);
    return wrong;
}

static void fr_06_odd_floats_run_once_and_keep_their_bits(void **state)
{
    site *at = *state;
    assert_int_equal(keep_all(site_open(at, NULL), at->folder.path), 0);
    assert_int_equal(ledger_count(at->folder.path, "keep"), ODD_COUNT);
    site_close(at);
    assert_int_equal(keep_all(site_open(at, NULL), at->folder.path), 0);
    assert_int_equal(ledger_count(at->folder.path, "keep"), ODD_COUNT);
}

/* Writes glibc's file for LC_NUMERIC with a comma for the decimal point: which locales a machine has is not known. */
static void make_comma_locale(const folder *in)
{
    static const char texts[] = ",\0.\0\3\3\0\0,\0\0\0.\0\0\0UTF-8";
    static const uint32_t head[] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 36, 40, 44, 48};
    char path[FOLDER_PATH_ROOM];
    uint8_t bytes[sizeof head + sizeof texts];
    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, texts, sizeof texts);
    assert_int_equal(mkdir(folder_file(in, "comma", path), 0700), 0);
    assert_true(file_write(folder_file(in, "comma/LC_NUMERIC", path), bytes, sizeof bytes));
}

/* The second run's surroundings. */
static int run_elsewhere(const char *url, const char *folder_path)
{
    char text[16];
    docket_store *store = NULL;
    if (chdir("/") != 0 || setenv("LC_ALL", "de_DE.UTF-8", 1) != 0 || setenv("TZ", "Asia/Kathmandu", 1) != 0 ||
        setenv("DOCKET_SOMETHING", "else", 1) != 0 || setenv("LOCPATH", folder_path, 1) != 0) {
        return 2;
    }
    if (setlocale(LC_NUMERIC, "comma") == NULL || snprintf(text, sizeof text, "%.1f", 1.5) < 0 ||
        strcmp(text, "1,5") != 0) {
        return 3;
    }
    int wrong = docket_store_open(&store, url, NULL, NULL) == DOCKET_OK ? keep_all(store, folder_path) : 1;
    docket_store_close(store);
    return wrong != 0;
}

static void fr_06_surroundings_are_not_part_of_the_key(void **state)
{
    site *at = *state;
    make_comma_locale(&at->folder);
    assert_int_equal(keep_all(site_open(at, NULL), at->folder.path), 0);
    site_close(at);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("elsewhere", at->url, at->folder.path)), 0);
    assert_int_equal(ledger_count(at->folder.path, "keep"), ODD_COUNT);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "elsewhere") == 0) {
        return run_elsewhere(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_04_padding_is_not_part_of_the_key),
        SITE_EACH_STORE(fr_04_garbage_beside_unset_members_is_not_part_of_the_key),
        SITE_EACH_STORE(fr_04_padding_of_a_made_value_is_not_part_of_the_key),
        SITE_EACH_STORE(fr_04_padding_of_a_provided_value_is_not_part_of_the_key),
        SITE_MEMORY(fr_04_bytes_and_fingerprint_of_the_vector_are_fixed),
        SITE_EACH_STORE(fr_04_key_of_the_vector_is_fixed),
        SITE_EACH_STORE(fr_06_odd_floats_run_once_and_keep_their_bits),
        SITE_SQLITE(fr_06_surroundings_are_not_part_of_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
