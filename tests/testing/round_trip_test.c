/* docket_test_round_trip: sound types pass, and each way to be unsound is found and named. */
#include "support/check.h"

#include <docket/testing.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

DOCKET_STRUCT(Point, (INT32, x), (INT32, y));
DOCKET_STRUCT(Drawing, (STRING, title), (LIST(STRUCT(Point)), points), (STRUCT(Point), origin), (DOUBLE, scale),
              (BYTES, data), (OPTIONAL(INT64), layer), (TIME_MS, made_ms));
DOCKET_STRUCT(Login, (STRING, name), (SECRET(STRING), password));
DOCKET_ALIAS(Sketch, Drawing);
DOCKET_BLOB(Raw);

static void test_sound_types_pass(void **state)
{
    (void)state;
    const Point points[] = {{.x = 1, .y = -2}, {.x = 3}};
    docket_error error;
    Drawing drawing = {.title = "a \"b\" ü",
                       .points = points,
                       .points_count = 2,
                       .origin = &points[0],
                       .scale = 0.1,
                       .data = {(const uint8_t *)"\0\xff", 2},
                       .has_layer = true,
                       .made_ms = INT64_C(1700000000123)};
    Sketch sketch = {.value = drawing};
    Login login = {.name = "anna", .password = "***"};
    Raw raw = {(const uint8_t *)"xyz", 3};
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Drawing), &drawing, &error));
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Drawing), &(Drawing){.title = NULL}, &error));
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Sketch), &sketch, &error));
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Login), &login, &error));
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Raw), &raw, &error));
    drawing.scale = (double)NAN;
    assert_status(DOCKET_OK, docket_test_round_trip(DOCKET_OF(Drawing), &drawing, NULL));
}

static void test_what_cannot_be_encoded(void **state)
{
    (void)state;
    docket_error error;
    assert_status(DOCKET_ENCODE, docket_test_round_trip(DOCKET_OF(Drawing), &(Drawing){.title = "\xff"}, &error));
    assert_contains(error.message, "title");
    assert_status(DOCKET_INVALID, docket_test_round_trip(NULL, &error, &error));
    assert_contains(error.message, "type is NULL");
    assert_status(DOCKET_INVALID, docket_test_round_trip(DOCKET_OF(Drawing), NULL, &error));
    docket_type broken = *DOCKET_OF(Drawing);
    broken.abi = 77;
    assert_status(DOCKET_INVALID, docket_test_round_trip(&broken, &error, &error));
}

/* A codec of the program's own that is wrong in one way. */

typedef enum wrong {
    SOUND,
    WRONG_TIME,   /* writes something else each time */
    WRONG_MEMBER, /* reads one byte as another one */
    WRONG_KEY,
    WRONG_COPY,
    WRONG_APPEND, /* leaves its bytes out if there are others */
    WRONG_STATUS, /* of a short text */
    WRONG_DECODE  /* refuses its own bytes */
} wrong;

typedef struct Crate {
    uint8_t bytes[4];
    int readings; /* how often it came out of a codec: not stored */
} Crate;

static wrong chosen;

static docket_status encode_crate(const docket_type *type, const void *value, docket_buffer *out,
                                  docket_error *error)
{
    static uint8_t counter;
    Crate crate = *(const Crate *)value;
    (void)type;
    (void)error;
    crate.bytes[3] = chosen == WRONG_TIME ? counter++ : crate.bytes[3];
    if (chosen == WRONG_APPEND && docket_buffer_bytes(out).size > 0) {
        return docket_buffer_append(out, crate.bytes, 2);
    }
    return docket_buffer_append(out, crate.bytes, 4);
}

static docket_status encode_crate_key(const docket_type *type, const void *value, docket_buffer *out,
                                      docket_error *error)
{
    const Crate *crate = value;
    (void)type;
    (void)error;
    uint8_t byte = chosen == WRONG_KEY ? (uint8_t)crate->readings : crate->bytes[0];
    return docket_buffer_append(out, &byte, 1);
}

static docket_status decode_crate(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                  docket_error *error)
{
    Crate *crate = value;
    (void)type;
    (void)arena;
    if (bytes.size != 4 || chosen == WRONG_DECODE) {
        error->status = chosen == WRONG_STATUS ? DOCKET_STORE : DOCKET_CORRUPT;
        strcpy(error->message, "a crate has 4 bytes");
        return error->status;
    }
    memcpy(crate->bytes, bytes.data, 4);
    crate->bytes[2] ^= chosen == WRONG_MEMBER;
    crate->readings = 1;
    return DOCKET_OK;
}

static docket_status copy_crate(const docket_type *type, const void *from, docket_arena *arena, void *value,
                                docket_error *error)
{
    (void)type;
    (void)arena;
    (void)error;
    *(Crate *)value = *(const Crate *)from;
    ((Crate *)value)->bytes[1] ^= chosen == WRONG_COPY;
    return DOCKET_OK;
}

static const docket_type crate_type = {.abi = DOCKET_TYPE_ABI,
                                       .name = "Crate",
                                       .size = sizeof(Crate),
                                       .layout = "crate 1",
                                       .encode = encode_crate,
                                       .encode_key = encode_crate_key,
                                       .decode = decode_crate,
                                       .copy = copy_crate};

static void test_each_fault_of_a_codec_is_named(void **state)
{
    static const struct {
        wrong how;
        const char *message;
    } cases[] = {
        {WRONG_TIME, "encoded a second time, the value is another one: Crate, byte 3 of 4"},
        {WRONG_MEMBER, "decoded, the value is another one: Crate, byte 2 of 4"},
        {WRONG_KEY, "decoded, the value has other key bytes"},
        {WRONG_COPY, "copied, the value is another one: Crate, byte 1 of 4"},
        {WRONG_APPEND, "encode does not append"},
        {WRONG_STATUS, "decode answers DOCKET_STORE to its bytes cut off after 0"},
        {WRONG_DECODE, "decoding its own bytes: a crate has 4 bytes"},
    };
    Crate crate = {{1, 2, 3, 4}, 0};
    docket_error error;
    (void)state;
    chosen = SOUND;
    assert_status(DOCKET_OK, docket_test_round_trip(&crate_type, &crate, &error));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chosen = cases[i].how;
        assert_status(DOCKET_CORRUPT, docket_test_round_trip(&crate_type, &crate, &error));
        assert_contains(error.message, cases[i].message);
    }
}

/* The member that differs is named by the description of the type: here of a message whose decoding loses something. */

static size_t lost_at; /* the byte that decoding changes */
static uint8_t lost_as;

static docket_status encode_drawing(const docket_type *type, const void *value, docket_buffer *out,
                                    docket_error *error)
{
    const docket_bytes *bytes = value;
    (void)type;
    (void)error;
    return docket_buffer_append(out, bytes->data, bytes->size);
}

static docket_status decode_drawing(const docket_type *type, docket_bytes bytes, docket_arena *arena, void *value,
                                    docket_error *error)
{
    docket_bytes *out = value;
    uint8_t *copy = docket_arena_copy(arena, bytes.data, bytes.size);
    (void)type;
    (void)error;
    copy[lost_at] = lost_as;
    *out = (docket_bytes){copy, bytes.size};
    return DOCKET_OK;
}

static docket_status describe_drawing(const docket_type *type, docket_arena *arena, const docket_type **described,
                                      docket_error *error)
{
    static docket_type point, drawing;
    static docket_field fields[8];
    static docket_schema schema;
    (void)type;
    (void)arena;
    (void)error;
    point = *DOCKET_OF(Point);
    drawing = *DOCKET_OF(Drawing);
    schema = *drawing.schema;
    memcpy(fields, schema.fields, schema.field_count * sizeof fields[0]);
    fields[1].type = fields[2].type = &point;
    schema.fields = fields;
    schema.field_count = 5; /* those that a message can have */
    drawing.schema = &schema;
    point.flags = drawing.flags = DOCKET_TYPE_MESSAGE;
    *described = &drawing;
    return DOCKET_OK;
}

static void test_the_member_is_named(void **state)
{
    const Point points[] = {{.x = 1, .y = 2}, {.x = 3, .y = 4}};
    const Drawing drawing = {.title = "ab", .points = points, .points_count = 2, .origin = &points[0], .scale = 2};
    static const docket_type message = {.abi = DOCKET_TYPE_ABI,
                                        .flags = DOCKET_TYPE_MESSAGE,
                                        .name = "Drawn",
                                        .size = sizeof(docket_bytes),
                                        .encode = encode_drawing,
                                        .decode = decode_drawing,
                                        .describe = describe_drawing};
    /* 0a 02 'a' 'b' | 12 04 08 01 10 02 | 12 04 08 03 10 04 | 1a 04 08 01 10 02 | 21 ... */
    static const struct {
        size_t at;
        uint8_t as;
        const char *place;
    } cases[] = {
        {2, 'x', ": Drawn.title"},       {15, 9, ": Drawn.points[1].y"},  {13, 9, ": Drawn.points[1].x"},
        {19, 9, ": Drawn.origin.x"},     {29, 9, ": Drawn.scale"},        {16, 0x22, ": Drawn.origin"},
        {10, 0x42, ": Drawn.points[1]"}, {1, 0xff, ": Drawn, byte 1 of"}, {6, 0x18, ": Drawn.points[0].x"},
    };
    docket_error error;
    docket_buffer *buffer = docket_buffer_new();
    (void)state;
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Drawing), &drawing, buffer, NULL));
    docket_bytes value = docket_buffer_bytes(buffer);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lost_at = cases[i].at;
        lost_as = cases[i].as;
        docket_status status = docket_test_round_trip(&message, &value, &error);
        assert_status(DOCKET_CORRUPT, status);
        assert_contains(error.message, cases[i].place);
    }
    docket_buffer_free(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_types_pass),
        cmocka_unit_test(test_what_cannot_be_encoded),
        cmocka_unit_test(test_each_fault_of_a_codec_is_named),
        cmocka_unit_test(test_the_member_is_named),
    };
    return cmocka_run_group_tests_name("round_trip", tests, NULL, NULL);
}
