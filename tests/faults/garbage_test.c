/* NULLs, numbers out of range, structs of another size and random bytes: each gets the answer that the headers promise,
 * and nothing else happens. */
#include "faults/stock.h"
#include "support/site.h"

#include <docket/backend.h>
#include <docket/sqlite.h>
#include <limits.h>
#include <sqlite3.h>

#define REFUSED(call)                                \
    do {                                             \
        docket_error error = DOCKET_ERROR_INIT;      \
        assert_status(DOCKET_INVALID, (call));       \
        assert_status(DOCKET_INVALID, error.status); \
        assert_string_not_equal(error.message, "");  \
    } while (0)

static docket_graph *new_valid_graph(stock *user)
{
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .user = user};
    docket_graph *graph = docket_graph_new("valid", NULL);
    assert_non_null(graph);
    assert_status(DOCKET_OK, docket_graph_add_all(graph, &options, DOCKET_STEPS(split, weigh)));
    assert_status(DOCKET_OK, docket_graph_validate(graph, NULL));
    return graph;
}

static void test_freeing_nothing(void **state)
{
    (void)state;
    docket_free(NULL);
    docket_graph_free(NULL);
    docket_pool_free(NULL);
    docket_cancel_free(NULL);
    docket_result_free(NULL);
    docket_store_close(NULL);
    docket_buffer_free(NULL);
    docket_arena_free(NULL);
    docket_record_free(NULL);
    docket_execution_cancel(NULL);
    docket_set_allocator(NULL);
}

static void test_names_of_nothing(void **state)
{
    (void)state;
    assert_string_equal(docket_status_name((docket_status)999), "DOCKET_UNKNOWN");
    assert_non_null(docket_status_text((docket_status)-1));
    assert_non_null(docket_event_name((docket_event_kind)0));
    assert_string_equal(docket_ctx_execution_id(NULL), "");
    assert_string_equal(docket_ctx_step_name(NULL), "");
    assert_int_equal(docket_ctx_attempt(NULL), 0);
    assert_int_equal(docket_ctx_item_index(NULL), -1);
    assert_null(docket_ctx_user(NULL));
    assert_true(docket_ctx_remaining_ms(NULL) == INT64_MAX);
    assert_false(docket_cancelled(NULL));
    assert_null(docket_result_value(NULL, DOCKET_OF(Title)));
    assert_string_equal(docket_result_reason(NULL, DOCKET_OF(Title)), "");
    assert_int_equal(docket_result_state(NULL, DOCKET_OF(Title)), DOCKET_VALUE_NOT_REACHED);
    char line[1] = {'x'};
    docket_error error = DOCKET_ERROR_INIT;
    size_t length = docket_error_format(&error, line, sizeof line);
    assert_int_equal(line[0], '\0');
    assert_int_equal(docket_error_format(&error, NULL, 0), length);
}

static void test_pools(void **state)
{
    (void)state;
    assert_null(docket_pool_new(-1));
    assert_null(docket_pool_new(10001));
    assert_null(docket_pool_new(INT_MIN));
    assert_int_equal(docket_pool_run(NULL, 0), 0);
    assert_int_equal(docket_pool_fd(NULL), -1);
    docket_pool *pool = docket_pool_new(10000);
    assert_non_null(pool);
    docket_pool_free(pool);
}

static void test_building(void **state)
{
    (void)state;
    docket_step_options options = {DOCKET_STEP_OPTIONS_INIT};
    assert_status(DOCKET_INVALID, docket_graph_add(NULL, &split_step, &options));
    assert_status(DOCKET_INVALID, docket_graph_add_all(NULL, &options, DOCKET_STEPS(split)));
    assert_status(DOCKET_INVALID,
                  docket_graph_provide(NULL, (docket_input){.type = DOCKET_OF(Title), .value = &(Title){.value = ""}}));
    REFUSED(docket_graph_validate(NULL, &error));
    REFUSED(docket_graph_stop(NULL, 0, &error));
    assert_false(docket_graph_is_frozen(NULL));
    const char *const bad_names[] = {NULL, "", "tab\there", "\xff", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        docket_graph *graph = docket_graph_new(bad_names[i], NULL);
        assert_non_null(graph);
        REFUSED(docket_graph_validate(graph, &error));
        docket_graph_free(graph);
    }
    docket_graph *graph = docket_graph_new("g", &(docket_graph_options){.struct_size = 3});
    assert_non_null(graph);
    REFUSED(docket_graph_validate(graph, &error));
    docket_graph_free(graph);
    graph = docket_graph_new("g", NULL);
    assert_status(DOCKET_INVALID, docket_graph_add(graph, NULL, &options));
    assert_status(DOCKET_INVALID, docket_graph_add_all(graph, &options, NULL));
    options.struct_size = SIZE_MAX;
    assert_status(DOCKET_INVALID, docket_graph_add(graph, &split_step, &options));
    assert_status(DOCKET_INVALID, docket_graph_provide(graph, (docket_input){.type = DOCKET_OF(Title), .value = NULL}));
    assert_status(DOCKET_INVALID, docket_graph_provide(graph, (docket_input){.type = NULL, .value = &options}));
    docket_graph_free(graph);
}

static void test_descriptors(void **state)
{
    (void)state;
    const docket_step good = split_step;
    docket_step steps[8];
    for (size_t i = 0; i < 8; i++) {
        steps[i] = good;
    }
    steps[0].abi = 99;
    steps[1].name = NULL;
    steps[2].version = 0;
    steps[3].output = NULL;
    steps[4].inputs = NULL;
    steps[5].call = NULL;
    steps[6].input_count = UINT32_MAX;
    steps[7].output = &(docket_type){.abi = DOCKET_TYPE_ABI, .name = "Bare"};
    for (size_t i = 0; i < 8; i++) {
        docket_graph *graph = docket_graph_new("g", NULL);
        assert_status(DOCKET_INVALID, docket_graph_add(graph, &steps[i], NULL));
        REFUSED(docket_graph_validate(graph, &error));
        docket_graph_free(graph);
    }
}

static void test_executing(void **state)
{
    (void)state;
    stock user = {.inner = NULL};
    docket_graph *graph = new_valid_graph(&user);
    docket_result *result = NULL;
    docket_execution *execution = NULL;
    const Title title = {.value = "a"};
    docket_request request = {DOCKET_REQUEST_INIT, .output = DOCKET_OF(Weight),
                              DOCKET_INPUTS(DOCKET_IN(Title, &title))};
    REFUSED(docket_execute(NULL, &request, &result, &error));
    REFUSED(docket_execute(graph, NULL, &result, &error));
    REFUSED(docket_execute_begin(graph, &request, NULL, NULL, NULL, &error));
    REFUSED(docket_execute_begin(graph, NULL, NULL, NULL, &execution, &error));
    REFUSED(docket_execution_end(NULL, &result, &error));
    docket_request bad[5] = {request, request, request, request, request};
    bad[0].struct_size = 0;
    bad[1].output = NULL;
    bad[2].inputs = NULL;
    bad[3].execution_id = "";
    bad[4].inputs = &(docket_input){.type = DOCKET_OF(Title), .value = NULL};
    for (size_t i = 0; i < 5; i++) {
        REFUSED(docket_execute(graph, &bad[i], &result, &error));
        assert_null(result);
    }
    const docket_type *const outputs[] = {DOCKET_OF(Weight), NULL};
    request.output = NULL;
    request.outputs = outputs;
    request.output_count = 2;
    REFUSED(docket_execute(graph, &request, &result, &error));
    assert_int_equal(atomic_load(&user.splits), 0);
    request.output_count = 1;
    assert_status(DOCKET_OK, docket_execute(graph, &request, NULL, NULL));
    assert_int_equal(atomic_load(&user.splits), 1);
    const docket_step_info **steps = NULL;
    size_t count = 0;
    REFUSED(docket_graph_plan(NULL, DOCKET_OF(Weight), &steps, &count, &error));
    REFUSED(docket_graph_plan(graph, NULL, &steps, &count, &error));
    assert_null(docket_graph_step(graph, SIZE_MAX));
    assert_null(docket_graph_leaf(graph, SIZE_MAX));
    docket_graph_free(graph);
}

static bool see_nothing(void *arg, const docket_checkpoint *checkpoint)
{
    (void)arg;
    (void)checkpoint;
    return true;
}

static void test_opening(void **state)
{
    site *here = *state;
    docket_store *store = NULL;
    REFUSED(docket_store_open(NULL, "memory:", NULL, &error));
    REFUSED(docket_store_open(&store, NULL, NULL, &error));
    REFUSED(docket_store_open(&store, "", NULL, &error));
    REFUSED(docket_store_open(&store, "sqlite:", NULL, &error));
    REFUSED(docket_store_open(&store, "memory:x", NULL, &error));
    REFUSED(docket_store_open(&store, "ftp://there", NULL, &error));
    REFUSED(docket_store_delete(NULL, &error));
    REFUSED(docket_store_delete("nothing", &error));
    docket_store_options bad[6];
    for (size_t i = 0; i < 6; i++) {
        bad[i] = (docket_store_options){DOCKET_STORE_OPTIONS_INIT};
    }
    bad[0].struct_size = 1;
    bad[1].prefix = "Robert'); DROP TABLE";
    bad[2].durability = (docket_durability)7;
    bad[3].max_payload_bytes = SIZE_MAX;
    bad[4].busy_timeout_ms = -1;
    bad[5].prefix = "";
    for (size_t i = 0; i < 6; i++) {
        REFUSED(docket_store_open(&store, here->url, &bad[i], &error));
        assert_null(store);
        assert_false(file_exists(here->file));
    }
    docket_backend backend = {.struct_size = sizeof backend, .name = "none"};
    REFUSED(docket_store_open_backend(&store, &backend, NULL, NULL, &error));
    REFUSED(docket_store_open_backend(&store, NULL, NULL, NULL, &error));
    REFUSED(docket_store_open_backend(NULL, &backend, NULL, NULL, &error));
}

static void test_using_stores(void **state)
{
    site *here = *state;
    docket_store *store = site_open(here, NULL);
    const uint8_t key[32] = {1};
    docket_buffer *bytes = docket_buffer_new();
    uint64_t count = 7;
    docket_checkpoint_filter filter = {DOCKET_CHECKPOINT_FILTER_INIT};
    REFUSED(docket_checkpoint_list(NULL, &filter, see_nothing, NULL, &error));
    REFUSED(docket_checkpoint_list(store, &filter, NULL, NULL, &error));
    assert_status(DOCKET_OK, docket_checkpoint_list(store, NULL, see_nothing, NULL, NULL));
    REFUSED(docket_checkpoint_read(NULL, key, bytes, &error));
    REFUSED(docket_checkpoint_read(store, NULL, bytes, &error));
    REFUSED(docket_checkpoint_read(store, key, NULL, &error));
    assert_status(DOCKET_MISSING, docket_checkpoint_read(store, key, bytes, NULL));
    REFUSED(docket_checkpoint_forget(NULL, &filter, &count, &error));
    REFUSED(docket_checkpoint_forget(store, &filter, &count, &error));
    REFUSED(docket_checkpoint_forget(store, NULL, &count, &error));
    filter.older_than_ms = -1;
    REFUSED(docket_checkpoint_forget(store, &filter, &count, &error));
    filter.struct_size = 2;
    REFUSED(docket_checkpoint_list(store, &filter, see_nothing, NULL, &error));
    REFUSED(docket_store_purge(NULL, &count, &error));
    assert_int_equal(count, 0);
    assert_status(DOCKET_OK, docket_store_purge(store, NULL, NULL));
    REFUSED(docket_sqlite_begin(NULL, NULL, &error));
    REFUSED(docket_sqlite_begin(store, NULL, &error));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    REFUSED(docket_sqlite_begin(store, db, &error));
    sqlite3_close(db);
    docket_buffer_free(bytes);
}

static void test_types(void **state)
{
    (void)state;
    REFUSED(docket_type_check(NULL, &error));
    uint8_t fingerprint[32];
    const docket_field fields[] = {
        {0, DOCKET_KIND_INT64, 0, "a", 0, 0, 0, NULL, NULL, 0},
        {1, 99, 0, "a", 0, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_INT64, 9, "a", 0, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_INT64, 0, NULL, 0, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_INT64, 0, "a", 4096, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_STRUCT, 0, "a", 0, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_ENUM, 0, "a", 0, 0, 0, NULL, NULL, 0},
        {1, DOCKET_KIND_FIXED, 0, "a", 0, 0, SIZE_MAX, NULL, NULL, 0},
        {19500, DOCKET_KIND_INT64, 0, "a", 0, 0, 0, NULL, NULL, 0},
        {UINT32_MAX, DOCKET_KIND_INT64, 0, "a", 0, 0, 0, NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const docket_schema schema = {&fields[i], 1};
        const docket_type type = {.abi = DOCKET_TYPE_ABI,
                                  .flags = DOCKET_TYPE_STRUCT,
                                  .name = "T",
                                  .size = 8,
                                  .alignment = 8,
                                  .schema = &schema};
        REFUSED(docket_type_check(&type, &error));
        REFUSED(docket_type_fingerprint(&type, fingerprint, &error));
    }
}

/* Any bytes decode to a value or are refused as DOCKET_CORRUPT; what was decoded can be encoded again. */
static void test_random_bytes(void **state)
{
    (void)state;
    uint64_t seed = site_seed();
    long rounds = site_count(20000, 2000000);
    const Title titles[] = {{.value = "x"}, {.value = "yy"}};
    const Report report = {.line = "line", .letters = 3, .has_letters = true, .titles = titles, .titles_count = 2};
    docket_buffer *original = docket_buffer_new();
    assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Report), &report, original, NULL));
    docket_bytes good = docket_buffer_bytes(original);
    long decoded = 0;
    for (long i = 0; i < rounds; i++) {
        uint8_t bytes[64];
        size_t size = good.size;
        memcpy(bytes, good.data, good.size);
        if (site_random(&seed) % 2 == 0) {
            size = site_random(&seed) % sizeof bytes;
            for (size_t at = 0; at < size; at++) {
                bytes[at] = (uint8_t)site_random(&seed);
            }
        } else {
            bytes[site_random(&seed) % size] = (uint8_t)site_random(&seed);
            size -= site_random(&seed) % 3;
        }
        docket_arena *arena = docket_arena_new();
        docket_buffer *again = docket_buffer_new();
        docket_error error = DOCKET_ERROR_INIT;
        Report value = {.line = NULL};
        docket_status status = docket_decode(DOCKET_OF(Report), (docket_bytes){bytes, size}, arena, &value, &error);
        assert_true(status == DOCKET_OK || status == DOCKET_CORRUPT);
        if (status == DOCKET_OK) {
            decoded++;
            assert_status(DOCKET_OK, docket_encode(DOCKET_OF(Report), &value, again, &error));
        }
        docket_buffer_free(again);
        docket_arena_free(arena);
    }
    docket_buffer_free(original);
    print_message("%ld of %ld were values\n", decoded, rounds);
    assert_true(decoded > 0 && decoded < rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freeing_nothing),
        cmocka_unit_test(test_names_of_nothing),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_building),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_executing),
        SITE_SQLITE(test_opening),
        SITE_EACH_STORE(test_using_stores),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests_name("garbage", tests, NULL, NULL);
}
