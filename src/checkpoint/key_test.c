#include "checkpoint/key.h"

#include "base/hash.h"
#include "support/check.h"

#include <string.h>

static uint8_t fingerprint[32], digest[32], other[32];

static int set_bytes(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 32; i++) {
        fingerprint[i] = i;
        digest[i] = (uint8_t)(32 + i);
        other[i] = 0xee;
    }
    return 0;
}

/* One input of each state. */
static const docket__key_input inputs[] = {
    {"Order", fingerprint, digest, DOCKET__KEY_PRESENT, 0},
    {"Gift", fingerprint, NULL, DOCKET__KEY_ABSENT, 0},
    {"Client", fingerprint, NULL, DOCKET__KEY_RESOURCE, 0},
    {"Line", fingerprint, digest, DOCKET__KEY_ITEMS, 1},
};

static const docket__key_subject subject = {
    .key_namespace = "shop",
    .scope = DOCKET_SCOPE_WORKFLOW,
    .execution_id = "order-17",
    .step = "charge",
    .version = 3,
    .output = "Receipt",
    .inputs = inputs,
    .input_count = 4,
};

static docket_key key_of(docket__key_subject of)
{
    docket_key key;
    assert_status(DOCKET_OK, docket__key_make(&of, &key));
    return key;
}

static void assert_key(docket__key_subject of, const char *expected)
{
    char digits[65];
    docket_key key = key_of(of);
    docket__hex(key.bytes, sizeof key.bytes, digits);
    assert_string_equal(digits, expected);
}

static void idempotency_of(const docket__key_subject *of, char digits[33])
{
    uint8_t key[16];
    assert_status(DOCKET_OK, docket__key_idempotency(of, key));
    docket__hex(key, sizeof key, digits);
}

static void assert_idempotency(docket__key_subject of, const char *expected)
{
    char digits[33];
    idempotency_of(&of, digits);
    assert_string_equal(digits, expected);
}

/* The digests come from Python:
 *
 *     from hashlib import sha256
 *     def part(tag, data): return bytes([tag]) + len(data).to_bytes(8, "little") + data
 *     def word(tag, n, size): return part(tag, n.to_bytes(size, "little"))
 *     fp, dg = bytes(range(32)), bytes(range(32, 64))
 *     place = part(2, b"shop") + word(3, 1, 1) + part(4, b"order-17") + part(5, b"charge")
 *     inputs = lambda fp: (part(8, b"Order") + part(9, fp + dg) + part(8, b"Gift") + part(10, b"")
 *                          + part(8, b"Client") + part(11, b"")
 *                          + part(8, b"Line") + part(12, fp + (1).to_bytes(8, "little") + dg))
 *     key = word(1, 1, 4) + place + word(6, 3, 4) + part(7, b"Receipt") + inputs(fp)
 *     print(sha256(key).hexdigest())
 *     print(sha256(word(20, 1, 4) + place + inputs(b"")).hexdigest()[:32])
 *
 * They must never change: stored results are found by them. */
static void test_fixed_vector(void **state)
{
    (void)state;
    assert_key(subject, "84b7214bc58c13da77ac037d316c3813f953fbff6a1844c7b097255b80ffcedf");
    assert_idempotency(subject, "69aaf275d401b8c6b13c0f1df1e271d2");
}

static void test_parts_beside_the_inputs_count(void **state)
{
    (void)state;
    docket__key_subject variants[8];
    for (int i = 0; i < 8; i++) {
        variants[i] = subject;
    }
    variants[1].key_namespace = "shop2";
    variants[2].scope = DOCKET_SCOPE_GLOBAL;
    variants[3].execution_id = "order-18";
    variants[4].step = "refund";
    variants[5].version = 4;
    variants[6].output = "Receipt2";
    variants[7].input_count = 3;
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 8; k++) {
            docket_key one = key_of(variants[i]);
            docket_key two = key_of(variants[k]);
            assert_int_equal(memcmp(&one, &two, sizeof one) == 0, i == k);
        }
    }
}

static void test_execution_counts_in_workflow_scope_only(void **state)
{
    (void)state;
    docket__key_subject global = subject;
    global.scope = DOCKET_SCOPE_GLOBAL;
    docket__key_subject elsewhere = global;
    elsewhere.execution_id = "order-18";
    docket_key one = key_of(global);
    docket_key two = key_of(elsewhere);
    assert_memory_equal(&one, &two, sizeof one);
}

static void test_inputs_count(void **state)
{
    (void)state;
    static const docket__key_input variants[] = {
        {"Order", fingerprint, digest, DOCKET__KEY_PRESENT, 0}, {"Order2", fingerprint, digest, DOCKET__KEY_PRESENT, 0},
        {"Order", other, digest, DOCKET__KEY_PRESENT, 0},       {"Order", fingerprint, other, DOCKET__KEY_PRESENT, 0},
        {"Order", fingerprint, digest, DOCKET__KEY_ITEMS, 1},   {"Order", fingerprint, NULL, DOCKET__KEY_ABSENT, 0},
        {"Order", fingerprint, NULL, DOCKET__KEY_RESOURCE, 0},
    };
    enum { VARIANTS = sizeof variants / sizeof variants[0] };
    docket__key_subject of = subject;
    of.input_count = 1;
    docket_key keys[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) {
        of.inputs = &variants[i];
        keys[i] = key_of(of);
        for (int k = 0; k < i; k++) {
            assert_memory_not_equal(&keys[i], &keys[k], sizeof keys[i]);
        }
    }
    docket__key_input swapped[] = {inputs[3], inputs[0]};
    docket__key_input straight[] = {inputs[0], inputs[3]};
    of.input_count = 2;
    of.inputs = swapped;
    docket_key one = key_of(of);
    of.inputs = straight;
    docket_key two = key_of(of);
    assert_memory_not_equal(&one, &two, sizeof one);
}

/* Neighbours that a key made by joining texts would take for one another. */
static void test_neighbours_do_not_run_into_each_other(void **state)
{
    (void)state;
    static const char *const texts[][4] = {
        /* namespace, execution, step, output */
        {"", "a:b", "c", "T"}, {"", "a", "b:c", "T"},  {"", "a:b:c", "T", "T"}, {"a", "b", "c", "T"},
        {"a", "bc", "c", "T"}, {"ab", "c", "c", "T"},  {"a", "b", "cT", ""},    {"", "ab", "c", "T"},
        {"a:", "b", "c", "T"}, {"a", ":b", "c", "T"},  {"a", "b", ":c", "T"},   {"a", "b", "c", ":T"},
        {"\1", "b", "c", "T"}, {"\1b", "c", "c", "T"},
    };
    enum { CASES = sizeof texts / sizeof texts[0] };
    docket_key keys[CASES];
    char idempotency[CASES][33];
    for (int i = 0; i < CASES; i++) {
        docket__key_subject of = {.key_namespace = texts[i][0],
                                  .scope = DOCKET_SCOPE_WORKFLOW,
                                  .execution_id = texts[i][1],
                                  .step = texts[i][2],
                                  .version = 1,
                                  .output = texts[i][3]};
        keys[i] = key_of(of);
        idempotency_of(&of, idempotency[i]);
        for (int k = 0; k < i; k++) {
            assert_memory_not_equal(&keys[i], &keys[k], sizeof keys[i]);
            bool same_place = strcmp(texts[i][0], texts[k][0]) == 0 && strcmp(texts[i][1], texts[k][1]) == 0 &&
                              strcmp(texts[i][2], texts[k][2]) == 0;
            assert_int_equal(strcmp(idempotency[i], idempotency[k]) == 0, same_place);
        }
    }
}

static void test_idempotency_survives_a_deploy(void **state)
{
    (void)state;
    docket__key_input changed[4];
    memcpy(changed, inputs, sizeof changed);
    changed[0].fingerprint = changed[3].fingerprint = other;
    docket__key_subject of = subject;
    of.version = 9;
    of.output = "Receipt2";
    of.inputs = changed;
    assert_idempotency(of, "69aaf275d401b8c6b13c0f1df1e271d2");

    char digits[33];
    changed[0].digest = other;
    idempotency_of(&of, digits);
    assert_string_not_equal(digits, "69aaf275d401b8c6b13c0f1df1e271d2");
    of = subject;
    of.execution_id = "order-18";
    idempotency_of(&of, digits);
    assert_string_not_equal(digits, "69aaf275d401b8c6b13c0f1df1e271d2");
    of.scope = DOCKET_SCOPE_NONE; /* an unrecorded step's executions are told apart as well */
    docket__key_subject here = subject;
    here.scope = DOCKET_SCOPE_NONE;
    char elsewhere[33];
    idempotency_of(&here, elsewhere);
    idempotency_of(&of, digits);
    assert_string_not_equal(digits, elsewhere);
    of.scope = here.scope = DOCKET_SCOPE_GLOBAL;
    idempotency_of(&here, elsewhere);
    idempotency_of(&of, digits);
    assert_string_equal(digits, elsewhere);
}

static void test_a_slot_is_one_step_of_an_execution(void **state)
{
    (void)state;
    docket__key_input changed[4];
    uint8_t slot[16], elsewhere[16];
    memcpy(changed, inputs, sizeof changed);
    changed[0].digest = other;
    for (int global = 0; global < 2; global++) {
        docket__key_subject here = subject;
        here.scope = global ? DOCKET_SCOPE_GLOBAL : DOCKET_SCOPE_WORKFLOW;
        assert_status(DOCKET_OK, docket__key_slot(&here, slot));
        docket__key_subject of = here;
        of.version = 9;
        of.output = "Receipt2";
        assert_status(DOCKET_OK, docket__key_slot(&of, elsewhere));
        assert_memory_equal(slot, elsewhere, sizeof slot);
        of.inputs = changed;
        assert_status(DOCKET_OK, docket__key_slot(&of, elsewhere));
        assert_int_equal(memcmp(slot, elsewhere, sizeof slot) != 0, global);
        of = here;
        of.execution_id = "order-18";
        assert_status(DOCKET_OK, docket__key_slot(&of, elsewhere));
        assert_int_equal(memcmp(slot, elsewhere, sizeof slot) != 0, !global);
        of = here;
        of.step = "another";
        assert_status(DOCKET_OK, docket__key_slot(&of, elsewhere));
        assert_memory_not_equal(slot, elsewhere, sizeof slot);
        of = here;
        of.key_namespace = "another";
        assert_status(DOCKET_OK, docket__key_slot(&of, elsewhere));
        assert_memory_not_equal(slot, elsewhere, sizeof slot);
    }
}

/* The preimage is built on the stack: the longest names and the most inputs fit. */
static void test_longest_names_fit(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    docket__key_input all[DOCKET_MAX_INPUTS];
    for (int i = 0; i < DOCKET_MAX_INPUTS; i++) {
        all[i] = (docket__key_input){name, fingerprint, digest, DOCKET__KEY_ITEMS, 1};
    }
    docket__key_subject of = {.key_namespace = name,
                              .scope = DOCKET_SCOPE_WORKFLOW,
                              .execution_id = name,
                              .step = name,
                              .version = UINT32_MAX,
                              .output = name,
                              .inputs = all,
                              .input_count = DOCKET_MAX_INPUTS};
    char digits[33];
    (void)key_of(of);
    idempotency_of(&of, digits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_vector),
        cmocka_unit_test(test_parts_beside_the_inputs_count),
        cmocka_unit_test(test_execution_counts_in_workflow_scope_only),
        cmocka_unit_test(test_inputs_count),
        cmocka_unit_test(test_neighbours_do_not_run_into_each_other),
        cmocka_unit_test(test_idempotency_survives_a_deploy),
        cmocka_unit_test(test_a_slot_is_one_step_of_an_execution),
        cmocka_unit_test(test_longest_names_fit),
    };
    return cmocka_run_group_tests(tests, set_bytes, NULL);
}
