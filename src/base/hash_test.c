#include "base/hash.h"

#include "support/check.h"

#include <pthread.h>
#include <string.h>

/* FIPS 180-2, appendix B. */
static const char digest_of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char digest_of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void assert_digest(const uint8_t digest[DOCKET__SHA256_BYTES], const char *expected)
{
    char digits[2 * DOCKET__SHA256_BYTES + 1];
    docket__hex(digest, DOCKET__SHA256_BYTES, digits);
    assert_string_equal(digits, expected);
}

static docket_bytes bytes_of(const char *text)
{
    return (docket_bytes){(const uint8_t *)text, strlen(text)};
}

static void parts_are_hashed_as_one(void **state)
{
    (void)state;
    uint8_t digest[DOCKET__SHA256_BYTES];
    const docket_bytes parts[] = {bytes_of("a"), {NULL, 0}, bytes_of("bc")};
    assert_int_equal(docket__sha256(parts, 3, digest), DOCKET_OK);
    assert_digest(digest, digest_of_abc);
    assert_int_equal(docket__sha256(NULL, 0, digest), DOCKET_OK);
    assert_digest(digest, digest_of_nothing);
}

static void digests_in_the_making_do_not_meet(void **state)
{
    (void)state;
    uint8_t digest[DOCKET__SHA256_BYTES];
    docket__hash one;
    docket__hash other;
    for (int round = 0; round < 3; round++) {
        docket__hash_begin(&one);
        docket__hash_update(&one, "ab", 2);
        docket__hash_begin(&other);
        docket__hash_update(&one, "c", 1);
        assert_int_equal(docket__hash_end(&one, digest), DOCKET_OK);
        assert_digest(digest, digest_of_abc);
        assert_int_equal(docket__hash_end(&other, digest), DOCKET_OK);
        assert_digest(digest, digest_of_nothing);
    }
}

static void *hash_abc(void *result)
{
    bool *is_right = result;
    uint8_t digest[DOCKET__SHA256_BYTES];
    const docket_bytes part = bytes_of("abc");
    for (int round = 0; round < 100; round++) {
        char digits[2 * DOCKET__SHA256_BYTES + 1];
        if (docket__sha256(&part, 1, digest) != DOCKET_OK) {
            return NULL;
        }
        docket__hex(digest, sizeof digest, digits);
        *is_right = strcmp(digits, digest_of_abc) == 0;
    }
    return NULL;
}

static void every_thread_has_its_own_context(void **state)
{
    (void)state;
    pthread_t threads[8];
    bool are_right[8] = {false};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_abc, &are_right[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_true(are_right[i]);
    }
}

static void fast_hash_tells_similar_keys_apart(void **state)
{
    (void)state;
    static const char zeros[64];
    uint64_t seen[64];
    for (size_t size = 0; size < 64; size++) {
        seen[size] = docket__hash64(zeros, size);
        for (size_t i = 0; i < size; i++) {
            assert_true(seen[i] != seen[size]);
        }
    }
    assert_true(docket__hash64("step 1", 6) != docket__hash64("step 2", 6));
    assert_int_equal(docket__hash64("step 1", 6), docket__hash64("step 1", 6));
}

static void fast_hash_spreads_over_low_bits(void **state)
{
    (void)state;
    unsigned counts[64] = {0};
    for (uint64_t i = 0; i < 64000; i++) {
        uint64_t aligned = i * 4096;
        counts[docket__hash64(&aligned, sizeof aligned) & 63]++;
    }
    for (size_t i = 0; i < 64; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_hashed_as_one),          cmocka_unit_test(digests_in_the_making_do_not_meet),
        cmocka_unit_test(every_thread_has_its_own_context), cmocka_unit_test(fast_hash_tells_similar_keys_apart),
        cmocka_unit_test(fast_hash_spreads_over_low_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
