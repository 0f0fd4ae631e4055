#include "base/map.h"

#include "support/check.h"

#include <docket/testing.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 5000 };

typedef struct key {
    char text[16];
    size_t size;
    bool is_present;
    int value;
} key;

static key keys[KEYS];

static void make_keys(void)
{
    for (int i = 0; i < KEYS; i++) {
        keys[i] = (key){.value = i};
        keys[i].size = (size_t)snprintf(keys[i].text, sizeof keys[i].text, "key %d", i);
    }
}

static void assert_agrees(const docket__map *map)
{
    size_t present = 0;
    for (int i = 0; i < KEYS; i++) {
        const int *value = docket__map_get(map, keys[i].text, keys[i].size);
        assert_ptr_equal(value, keys[i].is_present ? &keys[i].value : NULL);
        present += keys[i].is_present;
    }
    assert_int_equal(map->count, present);
    size_t cursor = 0;
    size_t walked = 0;
    while (docket__map_next(map, &cursor) != NULL) {
        walked++;
    }
    assert_int_equal(walked, present);
}

static void map_agrees_with_a_table_under_random_changes(void **state)
{
    (void)state;
    make_keys();
    docket__map map = {0};
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 100000; round++) {
        seed = seed * 1664525 + 1013904223;
        key *chosen = &keys[(seed >> 8) % KEYS];
        if (seed >> 30 != 0) {
            assert_int_equal(docket__map_put(&map, chosen->text, chosen->size, &chosen->value), DOCKET_OK);
            chosen->is_present = true;
        } else {
            const int *removed = docket__map_remove(&map, chosen->text, chosen->size);
            assert_ptr_equal(removed, chosen->is_present ? &chosen->value : NULL);
            chosen->is_present = false;
        }
        if (round % 10000 == 0) {
            assert_agrees(&map);
        }
    }
    assert_agrees(&map);
    docket__map_release(&map);
}

static void later_value_replaces(void **state)
{
    (void)state;
    docket__map map = {0};
    int one = 1;
    int two = 2;
    assert_null(docket__map_get(&map, "k", 1));
    assert_null(docket__map_remove(&map, "k", 1));
    assert_int_equal(docket__map_put(&map, "k", 1, &one), DOCKET_OK);
    assert_int_equal(docket__map_put(&map, "k", 1, &two), DOCKET_OK);
    assert_int_equal(docket__map_put(&map, "", 0, &one), DOCKET_OK);
    assert_ptr_equal(docket__map_get(&map, "k", 1), &two);
    assert_ptr_equal(docket__map_get(&map, NULL, 0), &one);
    assert_null(docket__map_get(&map, "k2", 2));
    assert_int_equal(map.count, 2);
    docket__map_release(&map);
}

static void failed_growth_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    make_keys();
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 2);
    docket__map map = {0};
    int i = 0;
    while (docket__map_put(&map, keys[i].text, keys[i].size, &keys[i].value) == DOCKET_OK) {
        keys[i++].is_present = true;
    }
    assert_agrees(&map);
    docket__map_release(&map);
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_agrees_with_a_table_under_random_changes),
        cmocka_unit_test(later_value_replaces),
        cmocka_unit_test(failed_growth_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
