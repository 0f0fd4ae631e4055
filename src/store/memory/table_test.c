/* The table of the memory store against the simplest thing that does the same. */
#include "store/memory/table.h"

#include "support/check.h"
#include "support/site.h"

#include <stdlib.h>

enum { KEYS = 200 };

typedef struct plain {
    int64_t positions[KEYS]; /* 0 = not there */
    int64_t expires[KEYS];
} plain;

static docket_key key_of(int number)
{
    docket_key key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    return key;
}

static docket__shared_record *make_shared(int number)
{
    const docket_record record = {.key = key_of(number), .step = "step"};
    docket__shared_record *shared = docket__shared_record_new(&record, NULL);
    assert_non_null(shared);
    return shared;
}

static void check_entry(const docket__table *table, const plain *model, int number)
{
    const docket_key key = key_of(number);
    const docket__entry *entry = docket__table_find(table, &key);
    assert_true((entry != NULL) == (model->positions[number] != 0));
    if (entry != NULL) {
        assert_int_equal(entry->position, model->positions[number]);
        assert_int_equal(entry->expires_ms, model->expires[number]);
        assert_ptr_equal(table->order[docket__table_seek(table, entry->position - 1)].entry, entry);
        assert_true(entry->expires_ms == 0 || table->heap[entry->heap_index] == entry);
    }
}

static void check_all(const docket__table *table, const plain *model)
{
    size_t count = 0;
    int64_t soonest = 0;
    for (int i = 0; i < KEYS; i++) {
        check_entry(table, model, i);
        count += model->positions[i] != 0;
        if (model->positions[i] != 0 && model->expires[i] != 0 && (soonest == 0 || model->expires[i] < soonest)) {
            soonest = model->expires[i];
        }
    }
    const docket__entry *next = docket__table_next_to_expire(table);
    assert_int_equal(table->by_key.count, count);
    assert_int_equal(next != NULL ? next->expires_ms : 0, soonest);
    for (size_t i = 1; i < table->order_count; i++) {
        assert_true(table->order[i - 1].position < table->order[i].position);
    }
}

static void it_does_what_a_model_does(void **state)
{
    (void)state;
    uint64_t seed = site_seed();
    docket__table table = {.order = NULL};
    plain model = {{0}, {0}};
    int64_t position = 0;
    for (int round = 0; round < 20000; round++) {
        int number = (int)(site_random(&seed) % KEYS);
        const docket_key key = key_of(number);
        docket__entry *entry = docket__table_find(&table, &key);
        if (site_random(&seed) % 3 != 0) {
            int64_t expires_ms = site_random(&seed) % 2 == 0 ? 0 : (int64_t)(1 + site_random(&seed) % 1000);
            assert_status(DOCKET_OK, docket__table_put(&table, &key, expires_ms, make_shared(number)));
            model.positions[number] = ++position;
            model.expires[number] = expires_ms;
        } else if (entry != NULL) {
            docket__table_remove(&table, entry);
            model.positions[number] = 0;
        }
        if (round % 100 == 0) {
            check_all(&table, &model);
        }
    }
    check_all(&table, &model);
    assert_true(table.order_count < 4 * KEYS);
    docket__table_release(&table);
}

static void what_is_held_outlives_its_entry(void **state)
{
    (void)state;
    docket__table table = {.order = NULL};
    const docket_key key = key_of(1);
    assert_status(DOCKET_OK, docket__table_put(&table, &key, 0, make_shared(1)));
    docket__shared_record *held = docket__shared_record_ref(docket__table_find(&table, &key)->shared);
    docket__table_release(&table);
    assert_string_equal(held->record->step, "step");
    docket__shared_record_unref(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_a_model_does),
        cmocka_unit_test(what_is_held_outlives_its_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
