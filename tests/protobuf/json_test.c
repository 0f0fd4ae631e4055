/* Messages as JSON: what json_oracle cannot compare with protobuf's own library, which is names, options, secrets, what
 * is refused, and stored descriptions. */
#include "type/json.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "known.pb-c.h"
#include "legacy.pb-c.h"
#include "sample.pb-c.h"
#include "shapes.pb-c.h"
#include "support/run.h"
#include "support/site.h"
#include "type/schema.h"

#include <docket/protobuf.h>
#include <docket/testing.h>

DOCKET_PROTOBUF(Sample__Everything, sample__everything);
DOCKET_PROTOBUF(Sample__Point, sample__point);
DOCKET_PROTOBUF(Sample__Tree, sample__tree);
DOCKET_PROTOBUF(Legacy__Inner, legacy__inner);
DOCKET_PROTOBUF(Legacy__OldList, legacy__old_list);
DOCKET_PROTOBUF(Shapes__Known, shapes__known);
DOCKET_PROTOBUF(Google__Protobuf__Timestamp, google__protobuf__timestamp);
DOCKET_PROTOBUF(Google__Protobuf__Struct, google__protobuf__struct);
DOCKET_PROTOBUF_SECRET(Shapes__Order, shapes__order, "card_number", "notes", "iban", "keys",
                       "shapes.Customer.phone");
DOCKET_ALIAS(Where, Sample__Point);

static docket_arena arena;
static docket_error error;
static docket_json_options options;

static int stop(void **state)
{
    (void)state;
    docket__arena_release(&arena);
    options = (docket_json_options){DOCKET_JSON_OPTIONS_INIT};
    return 0;
}

static const char *text_of(docket_buffer *out, docket_status status)
{
    const char *text = NULL;
    if (status == DOCKET_OK) {
        text = docket_arena_copy(&arena, out->data, out->size);
    }
    docket__buffer_release(out);
    return text;
}

/* The JSON of bytes, in a program that knows nothing but the stored description. */
static const char *show_stored(const docket_type *type, docket_bytes bytes)
{
    docket_buffer schema = {0};
    docket_buffer out = {0};
    const docket_type *rebuilt = NULL;
    assert_status(DOCKET_OK, docket__schema_encode(type, &schema, &error));
    assert_status(DOCKET_OK, docket__schema_decode(docket_buffer_bytes(&schema), &arena, &rebuilt, &error));
    docket__buffer_release(&schema);
    return text_of(&out, docket__json_write_stored(rebuilt, bytes, &options, &out, &error));
}

/* The JSON of a value, which must be the same on both ways. */
static const char *show(const docket_type *type, const void *value)
{
    docket_buffer out = {0};
    docket_buffer bytes = {0};
    options.struct_size = sizeof options;
    assert_status(DOCKET_OK, docket_json_write(type, value, &options, &out, &error));
    const char *text = text_of(&out, DOCKET_OK);
    assert_status(DOCKET_OK, docket_encode(type, value, &bytes, &error));
    assert_string_equal(text, show_stored(type, docket_buffer_bytes(&bytes)));
    docket__buffer_release(&bytes);
    return text;
}

static void *read_json(const docket_type *type, const char *text)
{
    void *value = docket_arena_alloc(&arena, type->size);
    docket_status status = docket_json_read(type, text, strlen(text), NULL, &arena, value, &error);
    assert_status(status, error.status);
    return status == DOCKET_OK ? value : NULL;
}

/* What stands in `text` comes back as `shown`. */
static void assert_read(const docket_type *type, const char *text, const char *shown)
{
    void *value = read_json(type, text);
    if (value == NULL) {
        print_error("%s\n%s\n", text, error.message);
    }
    assert_non_null(value);
    assert_string_equal(show(type, value), shown);
}
#define ASSERT_READ(T, text, shown) assert_read(DOCKET_OF(T), text, shown)

static void assert_refused(const docket_type *type, const char *text, const char *message)
{
    assert_null(read_json(type, text));
    assert_status(DOCKET_INVALID, error.status);
    assert_string_equal(error.message, message);
}
#define ASSERT_REFUSED(T, text, message) assert_refused(DOCKET_OF(T), text, message)

static void names_are_those_of_the_file_or_camel_case(void **state)
{
    (void)state;
    ASSERT_READ(Shapes__Order, "{\"orderId\": 5}", "{\"order_id\":\"5\"}");
    options.lower_camel_case = true;
    ASSERT_READ(Shapes__Order, "{\"order_id\": \"5\"}", "{\"orderId\":\"5\"}");
    ASSERT_REFUSED(Shapes__Order, "{\"order_id\": 5, \"orderId\": 5}",
                   "Shapes__Order.order_id: the member is given twice, line 1, column 14");
}

static void all_members_are_shown_on_demand(void **state)
{
    (void)state;
    options.all_members = true;
    ASSERT_READ(Sample__Tree, "{\"left\": {}}",
                "{\"number\":0,\"left\":{\"number\":0,\"left\":null,\"right\":null},\"right\":null}");
    ASSERT_READ(Shapes__Order, "{}",
                "{\"order_id\":\"0\",\"card_number\":\"***\",\"customer\":null,\"others\":[],\"notes\":\"***\","
                "\"iban\":\"***\",\"payer\":null,\"keys\":\"***\"}");
    const char *all = show(DOCKET_OF(Sample__Everything), read_json(DOCKET_OF(Sample__Everything), "{}"));
    assert_contains(all, "\"grade\":\"GRADE_UNKNOWN\"");
    assert_contains(all, "\"counts\":{}");
    assert_contains(all, "\"c_number\":null");
    assert_null(read_json(DOCKET_OF(Shapes__Order), "{\"card_number\": \"***\"}"));
    assert_non_null(read_json(DOCKET_OF(Sample__Everything), all));
}

static void lines_are_indented(void **state)
{
    (void)state;
    options.indent = 2;
    ASSERT_READ(
        Sample__Everything, "{\"ltext\":[\"a\"],\"counts\":{\"b\":1,\"a\":2},\"point\":{}}",
        "{\n  \"point\": {},\n  \"ltext\": [\n    \"a\"\n  ],\n  \"counts\": {\n    \"a\": 2,\n    \"b\": 1\n"
        "  }\n}");
}

static void keys_of_maps_are_strings(void **state)
{
    (void)state;
    ASSERT_READ(
        Sample__Everything,
        "{\"pointsByNumber\":{\"-1\":{}},\"flags\":{\"true\":\"\",\"false\":\"x\"},\"blobs\":{\"-9\":\"AA\"},"
        "\"weights\":{\"18446744073709551615\":0},\"counts\":{\"\\\"\":1}}",
        "{\"counts\":{\"\\\"\":1},\"points_by_number\":{\"-1\":{}},\"flags\":{\"false\":\"x\",\"true\":\"\"},"
        "\"blobs\":{\"-9\":\"AA==\"},\"weights\":{\"18446744073709551615\":0}}");
    static const struct {
        const char *text;
        const char *message;
    } refused[] = {
        {"{\"flags\":{\"1\":\"\"}}", "the key is not true or false, line 1, column 15"},
        {"{\"blobs\":{\"1.0\":\"\"}}", "the key is not an integer in plain digits, line 1, column 17"},
        {"{\"blobs\":{\"01\":\"\"}}", "the key is not an integer in plain digits, line 1, column 16"},
        {"{\"blobs\":{\"-0\":\"\"}}", "the key is not an integer in plain digits, line 1, column 16"},
        {"{\"points_by_number\":{\"2147483648\":{}}}", "the number is out of range, line 1, column 35"},
        {"{\"flags\":{\"true\":null}}", "expected a string, line 1, column 18"},
        {"{\"flags\":[]}", "expected an object, line 1, column 10"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_null(read_json(DOCKET_OF(Sample__Everything), refused[i].text));
        assert_contains(error.message, refused[i].message);
    }
}

static void one_of_a_choice_may_be_given(void **state)
{
    (void)state;
    ASSERT_READ(Sample__Everything, "{\"cText\":\"\"}", "{\"c_text\":\"\"}");
    ASSERT_READ(Sample__Everything, "{\"cText\":null,\"cNumber\":0}", "{\"c_number\":0}");
    ASSERT_REFUSED(
        Sample__Everything, "{\"cText\":\"\",\"cNumber\":0}",
        "Sample__Everything.c_text: another member of the same oneof is given as well, line 1, column 10");
    ASSERT_READ(Shapes__Known, "{\"something\":null}", "{\"something\":null}");
    ASSERT_READ(Shapes__Known, "{\"nothing\":null}", "{\"nothing\":null}");
    ASSERT_REFUSED(Shapes__Known, "{\"nothing\":null,\"something\":1}",
                   "Shapes__Known.nothing: another member of the same oneof is given as well, line 1, column 12");
}

static void required_members_are_demanded(void **state)
{
    (void)state;
    ASSERT_READ(Legacy__Inner, "{\"id\":0}", "{\"id\":0}");
    ASSERT_REFUSED(Legacy__Inner, "{\"note\":\"x\"}",
                   "Legacy__Inner.id: the required member is missing, line 1, column 1");
    ASSERT_REFUSED(Legacy__Inner, "{\"id\":null}",
                   "Legacy__Inner.id: the required member is missing, line 1, column 1");
    ASSERT_REFUSED(Legacy__OldList, "{\"items\":[\n{}]}",
                   "Legacy__OldList.items[0].name: the required member is missing, line 2, column 1");
}

static void wrong_values_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } refused[] = {
        {"[]", "Sample__Everything: expected an object, line 1, column 1"},
        {"{\"bad\":1}", "Sample__Everything.bad: the type has no such member, line 1, column 8"},
        {"{\"s32\":2147483648}", "Sample__Everything.s32: the number is out of range, line 1, column 8"},
        {"{\"f32\":-1}", "Sample__Everything.f32: the number is out of range, line 1, column 8"},
        {"{\"f64\":\"x\"}",
         "Sample__Everything.f64: expected an integer, as a number or a string, line 1, column 8"},
        {"{\"grade\":\"X\"}", "Sample__Everything.grade: the enum has no such name, line 1, column 10"},
        {"{\"data\":\"!\"}", "Sample__Everything.data: the string is not base64, line 1, column 9"},
        {"{\"text\":1}", "Sample__Everything.text: expected a string, line 1, column 9"},
        {"{\"li32\":[1,null]}", "Sample__Everything.li32[1]: expected a number or a string, line 1, column 12"},
        {"{\"li32\":1}", "Sample__Everything.li32: expected an array, line 1, column 9"},
        {"{\"children\":[{},{\"point\":{\"x\":\"\"}}]}",
         "Sample__Everything.children[1].point.x: expected an integer, as a number or a string, line 1, column 31"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ASSERT_REFUSED(Sample__Everything, refused[i].text, refused[i].message);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (size_t levels = 99; levels <= 101; levels++) {
        docket_buffer text = {0};
        for (size_t i = 1; i < levels; i++) {
            docket__buffer_append(&text, "{\"left\":", 8);
        }
        docket__buffer_append(&text, "{}", 2);
        for (size_t i = 1; i < levels; i++) {
            docket__buffer_append(&text, "}", 1);
        }
        const char *nested = text_of(&text, DOCKET_OK);
        if (levels <= 100) {
            ASSERT_READ(Sample__Tree, nested, nested);
        } else {
            assert_null(read_json(DOCKET_OF(Sample__Tree), nested));
            assert_contains(error.message, "nested too deeply");
        }
    }
}

static void special_messages_have_their_form(void **state)
{
    (void)state;
    ASSERT_READ(Google__Protobuf__Timestamp, "\"1970-01-01T00:00:00.1Z\"", "\"1970-01-01T00:00:00.100Z\"");
    ASSERT_READ(Google__Protobuf__Struct, "{\"a\":[1,null,{\"b\":\"x\"}]}", "{\"a\":[1,null,{\"b\":\"x\"}]}");
    /* Outside of what the form can tell, and in the form of any other message. */
    ASSERT_READ(Shapes__Known, "{\"at\":{\"seconds\":\"253402300800\"},\"took\":{\"seconds\":1,\"nanos\":-1}}",
                "{\"at\":{\"seconds\":\"253402300800\"},\"took\":{\"seconds\":\"1\",\"nanos\":-1}}");
    ASSERT_READ(Shapes__Known, "{\"mask\":{\"paths\":[\"a_B\"]}}", "{\"mask\":{\"paths\":[\"a_B\"]}}");
    ASSERT_READ(Shapes__Known, "{\"took\":{\"nanos\":5000000}}", "{\"took\":\"0.005s\"}");
    ASSERT_REFUSED(Shapes__Known, "{\"at\":\"1970-01-01\"}",
                   "Shapes__Known.at: expected a time of RFC 3339, line 1, column 7");
    ASSERT_REFUSED(Shapes__Known, "{\"took\":\"5\"}",
                   "Shapes__Known.took: expected seconds with an s behind them, line 1, column 9");
    ASSERT_REFUSED(Shapes__Known, "{\"mask\":\"a_b\"}",
                   "Shapes__Known.mask: the paths of a mask are written in lowerCamelCase, line 1, column 9");
}

static Shapes__Customer ann = SHAPES__CUSTOMER__INIT;
static Shapes__Order__NotesEntry note = SHAPES__ORDER__NOTES_ENTRY__INIT;
static Shapes__Customer *anns[] = {&ann};
static Shapes__Order__NotesEntry *notes[] = {&note};
static ProtobufCBinaryData keys[1];

static Shapes__Order secret_order(void)
{
    Shapes__Order order = SHAPES__ORDER__INIT;
    static char name[] = "Ann";
    static char hidden[] = "hidden";
    ann.name = name, ann.phone = hidden;
    note.key = hidden, note.value = hidden;
    keys[0] = (ProtobufCBinaryData){sizeof hidden - 1, (uint8_t *)hidden};
    order.order_id = 7, order.card_number = hidden, order.customer = &ann;
    order.others = anns, order.n_others = 1;
    order.notes = notes, order.n_notes = 1;
    order.payment_case = SHAPES__ORDER__PAYMENT_IBAN, order.iban = hidden;
    order.keys = keys, order.n_keys = 1;
    return order;
}

static const char secret_json[] =
    "{\"order_id\":\"7\",\"card_number\":\"***\",\"customer\":{\"name\":\"Ann\",\"phone\":\"***\"},"
    "\"others\":[{\"name\":\"Ann\",\"phone\":\"***\"}],\"notes\":\"***\",\"iban\":\"***\",\"keys\":\"***\"}";

static void secrets_are_stored_and_not_shown(void **state)
{
    (void)state;
    Shapes__Order order = secret_order();
    docket_buffer bytes = {0};
    Shapes__Order back;
    assert_string_equal(show(DOCKET_OF(Shapes__Order), &order), secret_json);
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Shapes__Order), &order, &bytes, &error));
    assert_status(DOCKET_OK,
                  docket_decode(DOCKET_OF(Shapes__Order), docket_buffer_bytes(&bytes), &arena, &back, &error));
    assert_string_equal(back.card_number, "hidden");
    docket__buffer_release(&bytes);
    ASSERT_REFUSED(
        Shapes__Order, "{\"customer\":{\"phone\":\"***\"}}",
        "Shapes__Order.customer.phone: the member is secret, and its value was not written, line 1, column 22");
    ASSERT_READ(Shapes__Order, "{\"card_number\":\"4111\"}", "{\"card_number\":\"***\"}");
}

static void secrets_of_entries_hide_the_map(void **state)
{
    (void)state;
    static const char *const secrets[] = {"shapes.Order.NotesEntry.value", NULL};
    docket_type type = *DOCKET_OF(Shapes__Order);
    Shapes__Order order = secret_order();
    type.secrets = secrets;
    assert_contains(show(&type, &order), "\"notes\":\"***\"");
    assert_contains(show(&type, &order), "\"card_number\":\"hidden\"");
}

static void secrets_leave_the_fingerprint_alone(void **state)
{
    (void)state;
    uint8_t open[32];
    uint8_t hidden[32];
    docket_type type = *DOCKET_OF(Shapes__Order);
    type.secrets = NULL;
    assert_status(DOCKET_OK, docket_type_fingerprint(&type, open, &error));
    assert_status(DOCKET_OK, docket_type_fingerprint(DOCKET_OF(Shapes__Order), hidden, &error));
    assert_memory_equal(open, hidden, sizeof open);
}

static void secrets_that_lead_nowhere_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *secrets[2];
        const char *message;
    } refused[] = {
        {{"crad", NULL}, "type Shapes__Order: the secret \"crad\" is no member of the message shapes.Order"},
        {{"", NULL}, "type Shapes__Order: the secret \"\" is no member of the message shapes.Order"},
        {{"shapes.Customer.fone", NULL},
         "type Shapes__Order: the secret \"shapes.Customer.fone\" is no member of the message shapes.Customer"},
        {{"customer.phone", NULL},
         "type Shapes__Order: the secret \"customer.phone\" is of the message customer, which is no part of it"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        docket_type type = *DOCKET_OF(Shapes__Order);
        type.secrets = refused[i].secrets;
        assert_status(DOCKET_INVALID, docket_type_check(&type, &error));
        assert_string_equal(error.message, refused[i].message);
    }
}

static docket_status make_order(docket_ctx *ctx, Shapes__Order *out, const IS *in)
{
    (void)in;
    *out = secret_order();
    out->card_number = docket_strdup(ctx, "hidden");
    return DOCKET_OK;
}
DOCKET_STEP(make_order, Shapes__Order, IS);

static bool note_key(void *arg, const docket_checkpoint *checkpoint)
{
    memcpy(arg, checkpoint->key, 32);
    return true;
}

static void records_are_shown_by_the_store_alone(void **state)
{
    site *self = *state;
    uint8_t key[32] = {0};
    docket_buffer out = {0};
    docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .store = site_open(self, NULL)};
    docket_step_options step_options = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_GLOBAL};
    docket_graph *graph = graph_of_one(&graph_options, &make_order_step, &step_options);
    IS in = {0};
    const docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Shapes__Order),
                                    DOCKET_INPUTS(DOCKET_IN(IS, &in))};
    assert_status(DOCKET_OK, run_for_status(graph, &request));
    assert_status(DOCKET_OK, docket_checkpoint_list(self->store, NULL, note_key, key, &error));
    assert_status(DOCKET_OK, docket_checkpoint_json(self->store, key, NULL, &out, &error));
    assert_int_equal(out.size, strlen(secret_json));
    assert_memory_equal(out.data, secret_json, out.size);
    docket__buffer_release(&out);
    docket_graph_free(graph);
}

static void bytes_that_are_not_canonical_are_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } refused[] = {
#define BAD(literal, message) {literal, sizeof(literal) - 1, "Sample__Everything" message}
        BAD("\x10\x01\x08\x01", ": fields that are not in the order of their numbers"),
        BAD("\x08\x01\x08\x01", ": a single field that stands twice"),
        BAD("\x08", ": bytes are missing"),
        BAD("\x0b", ": a group or no wire type"),
        BAD("\x0d\x00\x00\x00\x00", ".b: wrong wire type"),
        BAD("\x72\x05z", ": bytes are missing"),
        BAD("\x72\x01\xff", ".text: text that is not UTF-8 without NUL"),
        BAD("\x72\x01\x00", ".text: text that is not UTF-8 without NUL"),
        BAD("\x8a\x01\x02\x08\xff", ".point: bytes are missing"),
        BAD("\xe2\x01\x01\xff", ".lu32[0]: bytes are missing"),
        BAD("\x98\x03\x01", ".counts[0]: wrong wire type"),
        BAD("\x9a\x03\x02\x08\x01", ".counts[0]: no key of this type"),
        BAD("\x00", ": fields that are not in the order of their numbers"),
#undef BAD
    };
    options.struct_size = sizeof options;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        docket_bytes bytes = {(const uint8_t *)refused[i].bytes, refused[i].size};
        assert_null(show_stored(DOCKET_OF(Sample__Everything), bytes));
        assert_status(DOCKET_CORRUPT, error.status);
        assert_string_equal(error.message, refused[i].message);
    }
    assert_null(show_stored(DOCKET_OF(Legacy__Inner), (docket_bytes){NULL, 0}));
    assert_string_equal(error.message, "Legacy__Inner.id: the required member is not there");
}

static void unknown_fields_are_passed_over(void **state)
{
    (void)state;
    static const char bytes[] = "\x08\x05\x18\x01\x22\x02zz";
    Sample__Point *value = docket_arena_alloc(&arena, sizeof *value);
    assert_status(DOCKET_OK,
                  docket_decode(DOCKET_OF(Sample__Point), (docket_bytes){(const uint8_t *)bytes, sizeof bytes - 1},
                                &arena, value, &error));
    assert_int_equal(value->base.n_unknown_fields, 2);
    assert_string_equal(show(DOCKET_OF(Sample__Point), value), "{\"x\":5}");
}

static void aliases_look_like_their_base(void **state)
{
    (void)state;
    ASSERT_READ(Where, "{\"y\": -0.0}", "{\"y\":-0.0}");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char text[] =
        "{\"counts\":{\"a\":1},\"li32\":[1],\"text\":\"x\",\"data\":\"AAAA\",\"flags\":{\"true\":\"\"},"
        "\"blobs\":{\"1\":\"\"},\"point\":{\"x\":1}}";
    docket_status status = DOCKET_NO_MEMORY;
    for (size_t fail_at = 1; status != DOCKET_OK; fail_at++) {
        docket_test_memory_start();
        docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, fail_at);
        docket_arena *own = docket_arena_new();
        docket_buffer *out = docket_buffer_new();
        Sample__Everything value;
        memset(&value, 0, sizeof value);
        status = own != NULL && out != NULL ? DOCKET_OK : DOCKET_NO_MEMORY;
        if (status == DOCKET_OK) {
            status =
                docket_json_read(DOCKET_OF(Sample__Everything), text, sizeof text - 1, NULL, own, &value, &error);
        }
        if (status == DOCKET_OK) {
            status = docket_json_write(DOCKET_OF(Sample__Everything), &value, NULL, out, &error);
        }
        assert_true(status == DOCKET_OK || status == DOCKET_NO_MEMORY);
        docket_arena_free(own);
        docket_buffer_free(out);
        assert_int_equal(docket_test_memory_read().live, 0);
        docket_test_memory_stop();
    }
}

int main(void)
{
    options = (docket_json_options){DOCKET_JSON_OPTIONS_INIT};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_are_those_of_the_file_or_camel_case, stop),
        cmocka_unit_test_teardown(all_members_are_shown_on_demand, stop),
        cmocka_unit_test_teardown(lines_are_indented, stop),
        cmocka_unit_test_teardown(keys_of_maps_are_strings, stop),
        cmocka_unit_test_teardown(one_of_a_choice_may_be_given, stop),
        cmocka_unit_test_teardown(required_members_are_demanded, stop),
        cmocka_unit_test_teardown(wrong_values_are_refused_with_their_place, stop),
        cmocka_unit_test_teardown(nesting_is_bounded, stop),
        cmocka_unit_test_teardown(special_messages_have_their_form, stop),
        cmocka_unit_test_teardown(secrets_are_stored_and_not_shown, stop),
        cmocka_unit_test_teardown(secrets_of_entries_hide_the_map, stop),
        cmocka_unit_test_teardown(secrets_leave_the_fingerprint_alone, stop),
        cmocka_unit_test_teardown(secrets_that_lead_nowhere_are_refused, stop),
        SITE_EACH_STORE(records_are_shown_by_the_store_alone),
        cmocka_unit_test_teardown(bytes_that_are_not_canonical_are_corrupt, stop),
        cmocka_unit_test_teardown(unknown_fields_are_passed_over, stop),
        cmocka_unit_test_teardown(aliases_look_like_their_base, stop),
        cmocka_unit_test_teardown(every_allocation_may_fail, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
