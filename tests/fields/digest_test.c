/* Field report 03: a digest so short that different inputs met in one key. */
#include "base/hash.h"
#include "checkpoint/key.h"
#include "support/plant.h"
#include "support/run.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Text, (STRING, text));
DOCKET_STRUCT(Same, (STRING, text));

static atomic_long runs;

static docket_status same(docket_ctx *ctx, Same *out, const Text *in)
{
    (void)ctx;
    atomic_fetch_add(&runs, 1);
    out->text = in->text;
    return DOCKET_OK;
}
DOCKET_STEP(same, Same, Text);

enum { THREADS = 16 };

typedef struct part {
    pthread_t thread;
    docket_graph *graph;
    long first, count;
    long wrong;
} part;

static void *ask_for_part(void *arg)
{
    part *self = arg;
    for (long i = 0; i < self->count; i++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%ld", self->first + i);
        const Text in = {digits};
        outcome made =
            run(self->graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "digits",
                                               .output = DOCKET_OF(Same), DOCKET_INPUTS(DOCKET_IN(Text, &in))});
        self->wrong += made.status != DOCKET_OK || strcmp(DOCKET_RESULT(made.result, Same)->text, digits) != 0;
        outcome_free(&made);
    }
    return NULL;
}

/* Asks for the decimal strings 0 ... count - 1, by many threads; returns how many did not get their own text back. */
static long ask_for_all(docket_graph *graph, long count)
{
    part parts[THREADS];
    long wrong = 0;
    for (int i = 0; i < THREADS; i++) {
        parts[i] = (part){.graph = graph, .first = count / THREADS * i, .count = count / THREADS};
        assert_int_equal(pthread_create(&parts[i].thread, NULL, ask_for_part, &parts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(parts[i].thread, NULL);
        wrong += parts[i].wrong;
    }
    return wrong;
}

static void assert_all_different(site *at, long count)
{
    const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    atomic_store(&runs, 0);
    for (int round = 0; round < 2; round++) {
        const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = site_open(at, &fast),
                                             .scope = DOCKET_SCOPE_GLOBAL};
        docket_graph *graph = graph_of_one(NULL, &same_step, &options);
        assert_int_equal(ask_for_all(graph, count), 0);
        assert_int_equal(atomic_load(&runs), count);
        docket_graph_free(graph);
        site_close(at);
    }
}

static void fr_03_many_inputs_do_not_collide(void **state)
{
    site *at = *state;
    assert_all_different(at, at->durable ? site_count(8000, 200000) : site_count(32000, 200000));
}

/* ---- As many keys as the report has, without the steps ---- */

static int compare_keys(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(docket_key));
}

static docket_status key_of(long number, docket_key *key)
{
    static const uint8_t fingerprint[32];
    char digits[24];
    uint8_t digest[32];
    snprintf(digits, sizeof digits, "%ld", number);
    docket_status status = docket__sha256(&(docket_bytes){(const uint8_t *)digits, strlen(digits)}, 1, digest);
    const docket__key_input input = {
        .type = "Text", .fingerprint = fingerprint, .digest = digest, .state = DOCKET__KEY_PRESENT};
    const docket__key_subject subject = {.key_namespace = "",
                                         .scope = DOCKET_SCOPE_GLOBAL,
                                         .execution_id = "",
                                         .step = "same",
                                         .version = 1,
                                         .output = "Same",
                                         .inputs = &input,
                                         .input_count = 1};
    return status != DOCKET_OK ? status : docket__key_make(&subject, key);
}

static void fr_03_two_hundred_thousand_keys_differ(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    docket_key *keys = calloc(COUNT, sizeof *keys);
    assert_non_null(keys);
    for (long i = 0; i < COUNT; i++) {
        assert_status(DOCKET_OK, key_of(i, &keys[i]));
    }
    qsort(keys, COUNT, sizeof *keys, compare_keys);
    for (long i = 1; i < COUNT; i++) {
        assert_true(compare_keys(&keys[i - 1], &keys[i]) < 0);
    }
    free(keys);
}

/* ---- Keys that agree in all bits but one ---- */

enum { KEY_BITS = 256 };

static docket_key neighbour(int bit)
{
    docket_key key;
    memset(key.bytes, 0xa5, sizeof key.bytes);
    if (bit < KEY_BITS) {
        key.bytes[bit / 8] = (uint8_t)(key.bytes[bit / 8] ^ 1u << bit % 8);
    }
    return key;
}

static void plant_neighbour(docket_store *store, int bit)
{
    docket_error error = DOCKET_ERROR_INIT;
    const uint8_t value[2] = {(uint8_t)bit, (uint8_t)(bit >> 8)};
    docket_record record = {.key = neighbour(bit),
                            .format = DOCKET_RECORD_FORMAT,
                            .kind = DOCKET_CHECKPOINT_VALUE,
                            .scope = DOCKET_SCOPE_GLOBAL,
                            .execution_id = "neighbours",
                            .step = "same",
                            .type = "Same",
                            .value = {value, sizeof value}};
    assert_status(DOCKET_OK, plant_record(store, &record, false, &error));
}

static void assert_neighbour(docket_store *store, int bit)
{
    docket_error error = DOCKET_ERROR_INIT;
    const docket_key key = neighbour(bit);
    docket_buffer *buffer = docket_buffer_new();
    assert_status(DOCKET_OK, docket_checkpoint_read(store, key.bytes, buffer, &error));
    docket_bytes bytes = docket_buffer_bytes(buffer);
    assert_int_equal(bytes.size, 2);
    assert_int_equal(bytes.data[0] | bytes.data[1] << 8, bit);
    docket_buffer_free(buffer);
}

static void fr_03_every_bit_of_a_key_counts(void **state)
{
    site *at = *state;
    const docket_store_options fast = {DOCKET_STORE_OPTIONS_INIT, .durability = DOCKET_DURABILITY_PROCESS};
    for (int bit = 0; bit <= KEY_BITS; bit++) {
        plant_neighbour(site_open(at, &fast), bit);
    }
    site_close(at);
    for (int bit = 0; bit <= KEY_BITS; bit++) {
        assert_neighbour(site_open(at, &fast), bit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_03_many_inputs_do_not_collide),
        SITE_MEMORY(fr_03_two_hundred_thousand_keys_differ),
        SITE_EACH_STORE(fr_03_every_bit_of_a_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
