/* Groups, scans, schemas, lists and forgetting. */
#include "conformance/shelf.h"

#include "base/buffer.h"
#include "base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Groups ---- */

static void the_order_of_a_group_counts(void **state)
{
    shelf *self = *state;
    docket_record first = shelf_record(1, "order-1", "pay", "first");
    docket_record second = shelf_record(1, "order-1", "pay", "second");
    docket_record third = shelf_record(2, "order-1", "ship", "third");
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_FAILED, "the truck is full");
    docket_commit group[] = {
        {.struct_size = sizeof group[0], .kind = DOCKET_COMMIT_FAILURE, .record = &third, .failure = &failure},
        {.struct_size = sizeof group[0], .record = &first},
        {.struct_size = sizeof group[0], .record = &second},
        {.struct_size = sizeof group[0], .record = &third},
    };
    docket_commit *commits[] = {&group[0], &group[1], &group[2], &group[3]};
    assert_status(DOCKET_OK, self->backend->commit(self->self, commits, 4, &self->error));
    for (int i = 0; i < 4; i++) {
        assert_status(DOCKET_OK, group[i].status);
        assert_true((group[i].existing != NULL) == (i == 2));
    }
    assert_memory_equal(group[2].existing->value.data, "first", 5);
    docket_record_free(group[2].existing);
    docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    char *list = shelf_list(self, &all, 10);
    assert_string_equal(list, "1 1 order-1/pay 5;2 1 order-1/ship 5;");
    free(list);
}

/* ---- Scans ---- */

typedef struct seen {
    int count;
    int stop_after;
    bool keys[3000];
    shelf *self;
} seen;

static bool see(void *arg, const docket_record *record)
{
    seen *all = arg;
    int key = record->key.bytes[0] + 256 * record->key.bytes[1];
    assert_true(key < 3000 && !all->keys[key]);
    assert_string_equal(record->execution_id, "order-1");
    all->keys[key] = true;
    /* No lock and no read transaction is held meanwhile. */
    docket_record other = shelf_record(10000 + key, "order-2", "other", "x");
    assert_status(DOCKET_OK, shelf_put(all->self, &other, NULL, false, NULL));
    return ++all->count != all->stop_after;
}

static void a_scan_visits_what_an_execution_recorded(void **state)
{
    shelf *self = *state;
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_FAILED, "no");
    for (int i = 0; i < 2500; i++) {
        docket_record record = shelf_record(i, i % 5 == 4 ? "order-3" : "order-1", i % 2 == 0 ? "a" : "b", "value");
        if (i % 5 == 3) {
            record.scope = DOCKET_SCOPE_GLOBAL;
        }
        assert_status(DOCKET_OK, shelf_put(self, &record, i % 5 == 2 ? &failure : NULL, false, NULL));
    }
    seen all = {.self = self};
    assert_status(DOCKET_OK, self->backend->scan(self->self, "order-1", see, &all, &self->error));
    assert_int_equal(all.count, 1000);
    for (int i = 0; i < 2500; i++) {
        assert_int_equal(all.keys[i], i % 5 < 2);
    }
    seen few = {.self = self, .stop_after = 3};
    assert_status(DOCKET_OK, self->backend->scan(self->self, "order-1", see, &few, &self->error));
    assert_int_equal(few.count, 3);
    seen none = {.self = self};
    assert_status(DOCKET_OK, self->backend->scan(self->self, "order", see, &none, &self->error));
    assert_int_equal(none.count, 0);
}

/* ---- Schemas ---- */

static void put_with_schema(shelf *self, int key, const char *type, const char *schema)
{
    docket_record record = shelf_record(key, "order-1", "pay", "x");
    record.type = type;
    shelf_seal(&record);
    docket_commit commit = {
        .struct_size = sizeof commit, .record = &record, .schema = {(const uint8_t *)schema, strlen(schema)}};
    docket_commit *commits[] = {&commit};
    assert_status(DOCKET_OK, self->backend->commit(self->self, commits, 1, &self->error));
    assert_status(DOCKET_OK, commit.status);
}

static void assert_schema(shelf *self, const char *type, uint8_t fingerprint_byte, const char *expected)
{
    uint8_t fingerprint[32];
    docket_buffer out = {.data = NULL};
    memset(fingerprint, fingerprint_byte, sizeof fingerprint);
    assert_status(DOCKET_OK, self->backend->schema(self->self, type, fingerprint, &out, &self->error));
    assert_int_equal(out.size, strlen(expected));
    assert_true(out.size == 0 || memcmp(out.data, expected, out.size) == 0);
    docket__buffer_release(&out);
}

static void a_schema_is_kept_once_per_layout(void **state)
{
    shelf *self = *state;
    assert_schema(self, "Receipt", 0xf1, "");
    put_with_schema(self, 1, "Receipt", "");
    assert_schema(self, "Receipt", 0xf1, "");
    put_with_schema(self, 2, "Receipt", "a receipt");
    put_with_schema(self, 3, "Receipt", "a receipt");
    put_with_schema(self, 4, "receipt", "lower case");
    assert_schema(self, "Receipt", 0xf1, "a receipt");
    put_with_schema(self, 5, "Receipt", "another word for it"); /* see docket__schema_supersedes */
    put_with_schema(self, 6, "Receipt", "");
    shelf_reopen(self);
    assert_schema(self, "Receipt", 0xf1, "another word for it");
    assert_schema(self, "receipt", 0xf1, "lower case");
    assert_schema(self, "Receipt", 0xf2, "");
    assert_schema(self, "Receip", 0xf1, "");
}

static void schemas_outlive_what_is_forgotten(void **state)
{
    shelf *self = *state;
    put_with_schema(self, 1, "Receipt", "a receipt");
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "order-1"};
    assert_int_equal(shelf_forget(self, filter, 10), 1);
    assert_schema(self, "Receipt", 0xf1, "a receipt");
}

/* ---- Lists ---- */

static void record_some(shelf *self)
{
    static const char *const executions[] = {"order-1", "order-2", "order-10", "order"};
    static const char *const steps[] = {"pay", "ship", "pay ", "Pay"};
    for (int i = 0; i < 16; i++) {
        docket_record record = shelf_record(i, executions[i % 4], steps[i / 4], "value");
        shelf_put_new(self, &record);
    }
}

static void assert_list(shelf *self, docket_checkpoint_filter filter, const char *expected)
{
    for (size_t page = 1; page <= 20; page += 3) {
        char *list = shelf_list(self, &filter, page);
        assert_string_equal(list, expected);
        free(list);
    }
}

#define FILTER(...) ((docket_checkpoint_filter){DOCKET_CHECKPOINT_FILTER_INIT, __VA_ARGS__})

static void filters_compare_whole_names(void **state)
{
    shelf *self = *state;
    record_some(self);
    assert_list(self, FILTER(.execution_id = "order"),
                "3 1 order/pay 5;7 1 order/ship 5;11 1 order/pay  5;15 1 order/Pay 5;");
    assert_list(self, FILTER(.step = "pay"),
                "0 1 order-1/pay 5;1 1 order-2/pay 5;2 1 order-10/pay 5;3 1 order/pay 5;");
    assert_list(self, FILTER(.execution_id = "order-10", .step = "ship"), "6 1 order-10/ship 5;");
    assert_list(self, FILTER(.execution_id = "order-%"), "");
    assert_list(self, FILTER(.execution_id = "ORDER"), "");
    assert_list(self, FILTER(.execution_id = ""), "");
    const docket_key key = shelf_record(5, "", "", "").key;
    assert_list(self, FILTER(.key = key.bytes), "5 1 order-2/ship 5;");
    assert_list(self, FILTER(.key = key.bytes, .execution_id = "order-1"), "");
}

static void the_order_is_that_of_recording(void **state)
{
    shelf *self = *state;
    for (int i = 9; i >= 0; i--) {
        docket_record record = shelf_record(i, i % 2 == 0 ? "b" : "a", "step", "x");
        shelf_put_new(self, &record);
    }
    docket_record again = shelf_record(7, "a", "step", "xyz");
    assert_status(DOCKET_OK, shelf_put(self, &again, NULL, true, NULL));
    assert_list(self, FILTER(.step = NULL),
                "9 1 a/step 1;8 1 b/step 1;6 1 b/step 1;5 1 a/step 1;4 1 b/step 1;3 1 a/step 1;"
                "2 1 b/step 1;1 1 a/step 1;0 1 b/step 1;7 1 a/step 3;");
    shelf_reopen(self);
    assert_list(self, FILTER(.execution_id = "a"),
                "9 1 a/step 1;5 1 a/step 1;3 1 a/step 1;1 1 a/step 1;7 1 a/step 3;");
}

static void an_entry_tells_all_but_the_value(void **state)
{
    shelf *self = *state;
    uint8_t inputs[64];
    memset(inputs, 3, sizeof inputs);
    docket_record record = shelf_record(1, "order-1", "pay", "hello");
    record.input_digests = inputs;
    record.input_count = 2;
    record.step_version = 12;
    record.ttl_ms = 60000;
    record.attempts = 4;
    shelf_put_new(self, &record);
    docket_checkpoint entry;
    docket_checkpoint_filter filter = FILTER(.execution_id = "order-1");
    docket_arena *texts = docket_arena_new();
    int64_t position = 0;
    size_t count;
    assert_status(DOCKET_OK,
                  self->backend->list(self->self, &filter, &position, &entry, 1, &count, texts, &self->error));
    assert_int_equal(count, 1);
    assert_int_equal(entry.kind, DOCKET_CHECKPOINT_VALUE);
    assert_memory_equal(entry.key, record.key.bytes, 32);
    assert_int_equal(entry.step_version, 12);
    assert_int_equal(entry.scope, DOCKET_SCOPE_WORKFLOW);
    assert_string_equal(entry.type, "Text");
    assert_memory_equal(entry.fingerprint, record.fingerprint, 32);
    assert_int_equal(entry.input_count, 2);
    assert_memory_equal(entry.input_digests, inputs, 64);
    assert_int_equal(entry.expires_ms, entry.created_ms + 60000);
    assert_int_equal(entry.duration_ms, 7);
    assert_int_equal(entry.attempts, 4);
    assert_int_equal(entry.size_bytes, 5);
    assert_null(entry.message);
    docket_arena_free(texts);
}

/* ---- Forgetting ---- */

static void forgetting_takes_what_matches_and_no_more(void **state)
{
    shelf *self = *state;
    record_some(self);
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_FAILED, "no");
    docket_record failed = shelf_record(100, "order-1", "refund", "");
    assert_status(DOCKET_OK, shelf_put(self, &failed, &failure, false, NULL));
    assert_int_equal(shelf_forget(self, FILTER(.execution_id = "order-1"), 2), 5);
    assert_int_equal(shelf_forget(self, FILTER(.execution_id = "order-1"), 2), 0);
    assert_int_equal(shelf_forget(self, FILTER(.step = "Pay"), 100), 3);
    const docket_key key = shelf_record(5, "", "", "").key;
    assert_int_equal(shelf_forget(self, FILTER(.key = key.bytes), 100), 1);
    assert_list(self, FILTER(.failures = true, .expired = true),
                "1 1 order-2/pay 5;2 1 order-10/pay 5;3 1 order/pay 5;6 1 order-10/ship 5;7 1 order/ship 5;"
                "9 1 order-2/pay  5;10 1 order-10/pay  5;11 1 order/pay  5;");
}

static void what_was_forgotten_can_be_recorded_again(void **state)
{
    shelf *self = *state;
    docket_record before = shelf_record(1, "order-1", "pay", "before");
    docket_record after = shelf_record(1, "order-1", "pay", "after");
    docket_record other = shelf_record(2, "order-2", "pay", "other");
    shelf_put_new(self, &before);
    shelf_put_new(self, &other);
    shelf_assert_holds(self, &before);
    assert_int_equal(shelf_forget(self, FILTER(.execution_id = "order-1"), 10), 1);
    assert_int_equal(shelf_find(self, &before, NULL), DOCKET_FOUND_NOTHING);
    shelf_put_new(self, &after);
    shelf_assert_holds(self, &after);
    shelf_assert_holds(self, &other);
}

static void ten_thousand_are_forgotten_in_batches(void **state)
{
    enum { COUNT = 10000 };
    shelf *self = *state;
    docket_commit *group = calloc(COUNT, sizeof *group);
    docket_record *records = calloc(COUNT, sizeof *records);
    docket_commit **commits = calloc(COUNT, sizeof *commits);
    char(*names)[24] = calloc(COUNT, sizeof *names);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "order-%d", i / 3);
        records[i] = shelf_record(i, names[i], i % 2 == 0 ? "even" : "odd", "x");
        group[i] = (docket_commit){.struct_size = sizeof group[i], .record = &records[i]};
        commits[i] = &group[i];
    }
    assert_status(DOCKET_OK, self->backend->commit(self->self, commits, COUNT, &self->error));
    assert_int_equal(shelf_forget(self, FILTER(.step = "even"), 999), COUNT / 2);
    assert_int_equal(shelf_forget(self, FILTER(.step = "odd"), 1000), COUNT / 2);
    assert_list(self, FILTER(.failures = true), "");
    free(names);
    free(commits);
    free(records);
    free(group);
}

/* ---- Threads ---- */

typedef struct looking {
    shelf *self;
    const docket_record *records;
    size_t count;
    size_t found;
    docket_status status;
} looking;

static void *look(void *arg)
{
    looking *work = arg;
    for (size_t i = 0; i < 20 * work->count && work->status == DOCKET_OK; i++) {
        docket_error error;
        docket_found found = DOCKET_FOUND_NOTHING;
        docket_record *record = NULL;
        const docket_record *wanted = &work->records[i % work->count];
        const docket_address address = {wanted->key, wanted->scope, wanted->execution_id, wanted->step};
        work->status = work->self->backend->lookup(work->self->self, &address, &found, &record, &error);
        work->found += found == DOCKET_FOUND_RECORD && record->value.size == wanted->value.size;
        docket_record_free(record);
    }
    return NULL;
}

static void threads_look_while_one_writes(void **state)
{
    enum { THREADS = 24, COUNT = 50 };
    shelf *self = *state;
    docket_record records[COUNT];
    pthread_t threads[THREADS];
    looking work[THREADS];
    for (int i = 0; i < COUNT; i++) {
        records[i] = shelf_record(i, i % 2 == 0 ? "order-1" : "order-2", i % 3 == 0 ? "a" : "b", "value");
        shelf_put_new(self, &records[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        work[i] = (looking){.self = self, .records = records, .count = COUNT};
        assert_int_equal(pthread_create(&threads[i], NULL, look, &work[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        docket_record record = shelf_record(1000 + i, "order-3", "c", "value");
        shelf_put_new(self, &record);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_status(DOCKET_OK, work[i].status);
        assert_int_equal(work[i].found, 20 * COUNT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHELF_EACH(the_order_of_a_group_counts),
        SHELF_EACH(a_scan_visits_what_an_execution_recorded),
        SHELF_EACH(a_schema_is_kept_once_per_layout),
        SHELF_EACH(schemas_outlive_what_is_forgotten),
        SHELF_EACH(filters_compare_whole_names),
        SHELF_EACH(the_order_is_that_of_recording),
        SHELF_EACH(an_entry_tells_all_but_the_value),
        SHELF_EACH(forgetting_takes_what_matches_and_no_more),
        SHELF_EACH(what_was_forgotten_can_be_recorded_again),
        SHELF_EACH(ten_thousand_are_forgotten_in_batches),
        SHELF_EACH(threads_look_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
