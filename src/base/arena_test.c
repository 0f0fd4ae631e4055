#include "base/arena.h"

#include "base/memory.h"
#include "support/check.h"

#include <docket/testing.h>

static char released[8];
static size_t released_count;

static void note_release(void *memory)
{
    released[released_count++] = *(const char *)memory;
}

static void nothing_is_taken_before_the_first_request(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_arena arena = {0};
    docket__arena_release(&arena);
    assert_int_equal(docket_test_memory_read().requests, 0);
    docket_test_memory_stop();
}

static void memory_is_aligned_and_zeroed_and_apart(void **state)
{
    (void)state;
    docket_arena arena = {0};
    uint8_t *previous = NULL;
    size_t previous_size = 0;
    for (size_t i = 0; i < 5000; i++) {
        size_t size = i % 97;
        size_t alignment = (size_t)1 << i % 8;
        uint8_t *memory = docket__arena_allocate(&arena, size, alignment);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(memory[k], 0);
        }
        for (size_t k = 0; k < previous_size; k++) {
            assert_int_equal(previous[k], 0xff);
        }
        memset(memory, 0xff, size);
        previous = memory;
        previous_size = size;
    }
    assert_false(arena.failed);
    docket__arena_release(&arena);
}

static void chunks_grow_so_that_few_are_taken(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_arena arena = {0};
    for (size_t i = 0; i < 10000; i++) {
        assert_non_null(docket__arena_take(&arena, 16, 8));
    }
    assert_in_range(docket_test_memory_read().requests, 5, 12);
    assert_true(docket_test_memory_read().largest_bytes < 66000);
    docket__arena_release(&arena);
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

static void large_request_keeps_the_current_chunk(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_arena arena = {0};
    uint8_t *first = docket__arena_take(&arena, 10, 1);
    uint8_t *large = docket__arena_allocate(&arena, 1000000, 4096);
    uint8_t *second = docket__arena_take(&arena, 10, 1);
    assert_int_equal((uintptr_t)large % 4096, 0);
    assert_ptr_equal(second, first + 10);
    assert_int_equal(docket_test_memory_read().requests, 2);
    docket__arena_release(&arena);
    docket_test_memory_stop();
}

static void released_arena_is_usable_again(void **state)
{
    (void)state;
    docket_arena arena = {0};
    assert_non_null(docket__arena_take(&arena, 100, 16));
    docket__arena_release(&arena);
    assert_non_null(docket__arena_take(&arena, 100, 16));
    docket__arena_release(&arena);
}

static void texts_and_bytes_are_copied(void **state)
{
    (void)state;
    docket_arena arena = {0};
    assert_string_equal(docket__arena_duplicate(&arena, "text"), "text");
    assert_null(docket__arena_duplicate(&arena, NULL));
    assert_memory_equal(docket__arena_copy(&arena, "abc", 3), "abc", 3);
    assert_non_null(docket__arena_copy(&arena, NULL, 0));
    assert_string_equal(docket__arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    char *wide = docket__arena_printf(&arena, "%5000d", 1);
    assert_int_equal(strlen(wide), 5000);
    docket__arena_release(&arena);
}

static void failure_is_remembered(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    docket_arena arena = {0};
    assert_null(docket__arena_duplicate(&arena, "text"));
    assert_true(arena.failed);
    assert_non_null(docket__arena_duplicate(&arena, "text"));
    assert_true(arena.failed);
    docket__arena_release(&arena);
    assert_false(arena.failed);
    docket_test_memory_stop();
}

static void impossible_sizes_fail(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_arena arena = {0};
    assert_null(docket__arena_take(&arena, SIZE_MAX, 1));
    assert_null(docket__arena_take(&arena, SIZE_MAX, 4096));
    assert_null(docket__arena_take(&arena, SIZE_MAX - 16, 16));
    assert_null(docket__arena_allocate_array(&arena, SIZE_MAX / 4, 8, 8));
    assert_true(arena.failed);
    docket__arena_release(&arena);
    docket_test_memory_stop();
}

static void adopted_memory_is_released_latest_first(void **state)
{
    (void)state;
    docket_arena arena = {0};
    released_count = 0;
    assert_true(docket__arena_adopt(&arena, (char[]){'a'}, note_release));
    assert_true(docket__arena_adopt(&arena, (char[]){'b'}, note_release));
    assert_true(docket__arena_adopt(&arena, (char[]){'c'}, note_release));
    docket__arena_release(&arena);
    assert_int_equal(released_count, 3);
    assert_memory_equal(released, "cba", 3);
}

static void adoption_that_fails_leaves_the_memory_to_the_caller(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    docket_arena arena = {0};
    released_count = 0;
    assert_false(docket__arena_adopt(&arena, (char[]){'a'}, note_release));
    docket__arena_release(&arena);
    assert_int_equal(released_count, 0);
    docket_test_memory_stop();
}

static void absorbing_moves_everything(void **state)
{
    (void)state;
    docket_test_memory_start();
    docket_arena to = {0};
    docket_arena from = {0};
    released_count = 0;
    char *kept = docket__arena_duplicate(&to, "to");
    char *moved = docket__arena_duplicate(&from, "from");
    docket__arena_take(&from, 100000, 1);
    docket__arena_adopt(&to, (char[]){'t'}, note_release);
    docket__arena_adopt(&from, (char[]){'f'}, note_release);
    from.failed = true;
    docket__arena_absorb(&to, &from);
    docket__arena_release(&from);
    assert_string_equal(kept, "to");
    assert_string_equal(moved, "from");
    assert_true(to.failed);
    assert_false(from.failed);
    docket__arena_release(&to);
    assert_int_equal(released_count, 2);
    assert_int_equal(docket_test_memory_read().live, 0);
    docket_test_memory_stop();
}

static void absorbing_into_or_from_nothing_works(void **state)
{
    (void)state;
    docket_arena to = {0};
    docket_arena from = {0};
    docket__arena_absorb(&to, &from);
    char *moved = docket__arena_duplicate(&from, "moved");
    docket__arena_absorb(&to, &from);
    docket__arena_absorb(&to, &from);
    assert_string_equal(moved, "moved");
    uint8_t *next = docket__arena_take(&to, 1, 1);
    assert_ptr_equal(next, moved + 6);
    docket__arena_release(&to);
}

static void arena_handles_are_freed(void **state)
{
    (void)state;
    docket_arena *arena = docket_arena_new();
    assert_non_null(docket_arena_alloc(arena, 40));
    assert_int_equal((uintptr_t)docket_arena_alloc(arena, 1) % 16, 0);
    docket_arena_free(arena);
    docket_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_before_the_first_request),
        cmocka_unit_test(memory_is_aligned_and_zeroed_and_apart),
        cmocka_unit_test(chunks_grow_so_that_few_are_taken),
        cmocka_unit_test(large_request_keeps_the_current_chunk),
        cmocka_unit_test(released_arena_is_usable_again),
        cmocka_unit_test(texts_and_bytes_are_copied),
        cmocka_unit_test(failure_is_remembered),
        cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(adopted_memory_is_released_latest_first),
        cmocka_unit_test(adoption_that_fails_leaves_the_memory_to_the_caller),
        cmocka_unit_test(absorbing_moves_everything),
        cmocka_unit_test(absorbing_into_or_from_nothing_works),
        cmocka_unit_test(arena_handles_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
