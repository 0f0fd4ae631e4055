/* Field reports 07 and 09: an input that changed between hashing and use, and the same input asked for twice. */
#include "support/child.h"
#include "support/ledger.h"
#include "support/run.h"
#include "support/site.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- 07: the caller's memory changes while the step is in its body ---- */

enum { LARGE_BYTES = 1 << 20, ROW_COUNT = 100 };

DOCKET_BLOB(Large);
DOCKET_STRUCT(Row, (STRING, text), (FIXED(8), code), (INT64, number));
DOCKET_STRUCT(Table, (BYTES, head), (LIST(STRUCT(Row)), rows), (STRUCT(Row), last), (LIST(INT64), numbers));
DOCKET_STRUCT(Sum, (UINT64, sum));
DOCKET_STRUCT(TableSum, (UINT64, sum));

typedef struct watched {
    const char *folder_path;
    gate *entered;     /* the body is there, and has read nothing yet */
    gate *overwritten; /* the caller's memory is another's now */
} watched;

static uint64_t add_bytes(uint64_t sum, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static uint64_t sum_large(const Large *in)
{
    return add_bytes(UINT64_C(0xcbf29ce484222325), in->data, in->size);
}

static uint64_t add_row(uint64_t sum, const Row *row)
{
    sum = add_bytes(sum, row->text, strlen(row->text));
    sum = add_bytes(sum, row->code, sizeof row->code);
    return add_bytes(sum, &row->number, sizeof row->number);
}

static uint64_t sum_table(const Table *in)
{
    uint64_t sum = add_bytes(UINT64_C(0xcbf29ce484222325), in->head.data, in->head.size);
    for (size_t i = 0; i < in->rows_count; i++) {
        sum = add_row(sum, &in->rows[i]);
    }
    return add_bytes(add_row(sum, in->last), in->numbers, in->numbers_count * sizeof in->numbers[0]);
}

static bool enter(docket_ctx *ctx)
{
    const watched *user = docket_ctx_user(ctx);
    ledger_note(user->folder_path, "sum");
    gate_arrive(user->entered);
    return gate_wait(user->overwritten);
}

static docket_status crc(docket_ctx *ctx, Sum *out, const Large *in)
{
    if (!enter(ctx)) {
        return docket_abort(ctx, 1, "nobody came to overwrite");
    }
    out->sum = sum_large(in);
    return DOCKET_OK;
}
DOCKET_STEP(crc, Sum, Large);

static docket_status crc_table(docket_ctx *ctx, TableSum *out, const Table *in)
{
    if (!enter(ctx)) {
        return docket_abort(ctx, 1, "nobody came to overwrite");
    }
    out->sum = sum_table(in);
    return DOCKET_OK;
}
DOCKET_STEP(crc_table, TableSum, Table);

/* A table and all that it points to, so that all of it can be overwritten. */
typedef struct table_memory {
    Table table;
    Row rows[ROW_COUNT + 1];
    int64_t numbers[ROW_COUNT];
    char texts[ROW_COUNT + 1][16];
    uint8_t head[64];
} table_memory;

static void fill_table(table_memory *memory, char letter)
{
    memset(memory->head, letter, sizeof memory->head);
    for (int i = 0; i <= ROW_COUNT; i++) {
        snprintf(memory->texts[i], sizeof memory->texts[i], "%c-%d", letter, i);
        memory->rows[i] = (Row){.text = memory->texts[i], .number = letter + i};
        memset(memory->rows[i].code, letter, sizeof memory->rows[i].code);
        if (i < ROW_COUNT) {
            memory->numbers[i] = letter * i;
        }
    }
    memory->table = (Table){.head = {memory->head, sizeof memory->head},
                            .rows = memory->rows,
                            .rows_count = ROW_COUNT,
                            .last = &memory->rows[ROW_COUNT],
                            .numbers = memory->numbers,
                            .numbers_count = ROW_COUNT};
}

typedef struct overwriter {
    pthread_t thread;
    gate entered, overwritten;
    void (*overwrite)(void *memory);
    void *memory;
} overwriter;

static void *overwrite(void *arg)
{
    overwriter *self = arg;
    if (gate_wait(&self->entered)) {
        self->overwrite(self->memory);
    }
    gate_arrive(&self->overwritten);
    return NULL;
}

static void overwriter_start(overwriter *self, void (*how)(void *memory), void *memory)
{
    *self = (overwriter){.entered = GATE_INIT(1), .overwritten = GATE_INIT(1), .overwrite = how, .memory = memory};
    assert_int_equal(pthread_create(&self->thread, NULL, overwrite, self), 0);
}

/* Lets a body that is not entered at all (because its result is there) end the overwriter as well. */
static void overwriter_join(overwriter *self)
{
    gate_arrive(&self->entered);
    pthread_join(self->thread, NULL);
}

static void make_b(void *memory)
{
    memset(memory, 'B', LARGE_BYTES);
}

static void make_table_b(void *memory)
{
    fill_table(memory, 'B');
}

static void do_nothing(void *memory)
{
    (void)memory;
}

typedef struct asked {
    docket_scope scope;
    int64_t time_limit_ms; /* with a limit the step runs on another thread than the caller's */
    bool begin;            /* docket_execute_begin, with the memory overwritten as soon as it returns */
} asked;

static docket_graph *watched_graph(site *at, const asked *how, watched *user, overwriter *by)
{
    *user = (watched){at->folder.path, &by->entered, &by->overwritten};
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT,
                                         .store = how->scope == DOCKET_SCOPE_NONE ? NULL : site_open(at, NULL),
                                         .scope = how->scope, .user = user};
    return graph_of(NULL, &options, DOCKET_STEPS(crc, crc_table));
}

/* The sum that an execution gives for an input whose memory `how_to` overwrites meanwhile. */
static uint64_t sum_of(site *at, const asked *how, docket_input input, const docket_type *output,
                       void (*how_to)(void *memory), void *memory)
{
    watched user;
    overwriter by;
    outcome made = {.error = DOCKET_ERROR_INIT};
    char id[16] = "overwritten";
    overwriter_start(&by, how->begin ? do_nothing : how_to, memory);
    docket_graph *graph = watched_graph(at, how, &user, &by);
    docket_request request = {DOCKET_REQUEST_INIT, .execution_id = id, .output = output,
                              .inputs = &input,    .input_count = 1,   .time_limit_ms = how->time_limit_ms};
    if (how->begin) {
        docket_execution *execution = NULL;
        assert_status(DOCKET_OK, docket_execute_begin(graph, &request, NULL, NULL, &execution, &made.error));
        how_to(memory);
        memset(&request, 0xff, sizeof request);
        memset(&input, 0xff, sizeof input);
        memset(id, '?', sizeof id - 1);
        made.status = docket_execution_end(execution, &made.result, &made.error);
    } else {
        made.status = docket_execute(graph, &request, &made.result, &made.error);
    }
    overwriter_join(&by);
    assert_string_equal(made.error.message, "");
    assert_status(DOCKET_OK, made.status);
    uint64_t sum =
        output == DOCKET_OF(Sum) ? DOCKET_RESULT(made.result, Sum)->sum : DOCKET_RESULT(made.result, TableSum)->sum;
    assert_string_equal(docket_result_execution_id(made.result), "overwritten");
    outcome_free(&made);
    docket_graph_free(graph);
    return sum;
}

static uint64_t large_sum(site *at, const asked *how, char letter, bool changes)
{
    uint8_t *memory = malloc(LARGE_BYTES);
    assert_non_null(memory);
    memset(memory, letter, LARGE_BYTES);
    const Large large = {memory, LARGE_BYTES};
    uint64_t sum = sum_of(at, how, DOCKET_IN(Large, &large), DOCKET_OF(Sum), changes ? make_b : do_nothing, memory);
    free(memory);
    return sum;
}

static uint64_t table_sum(site *at, const asked *how, char letter, bool changes)
{
    table_memory *memory = calloc(1, sizeof *memory);
    assert_non_null(memory);
    fill_table(memory, letter);
    uint64_t sum = sum_of(at, how, DOCKET_IN(Table, &memory->table), DOCKET_OF(TableSum),
                          changes ? make_table_b : do_nothing, memory);
    free(memory);
    return sum;
}

static void assert_what_was_hashed_is_read(site *at, const asked *how,
                                           uint64_t (*sum)(site *, const asked *, char, bool))
{
    const asked undisturbed = {.scope = DOCKET_SCOPE_NONE};
    uint64_t a = sum(at, &undisturbed, 'A', false);
    uint64_t b = sum(at, &undisturbed, 'B', false);
    assert_true(a != b);
    long before = ledger_count(at->folder.path, "sum");
    assert_true(sum(at, how, 'A', true) == a);
    assert_true(sum(at, how, 'A', true) == a);
    assert_true(sum(at, how, 'B', true) == b);
    long runs = ledger_count(at->folder.path, "sum") - before;
    assert_int_equal(runs, how->scope == DOCKET_SCOPE_NONE ? 3 : 2);
}

static void fr_07_body_reads_what_was_hashed(void **state)
{
    site *at = *state;
    const asked how = {.scope = DOCKET_SCOPE_GLOBAL};
    assert_what_was_hashed_is_read(at, &how, large_sum);
    assert_what_was_hashed_is_read(at, &how, table_sum);
}

static void fr_07_body_on_another_thread_reads_what_was_hashed(void **state)
{
    site *at = *state;
    const asked how = {.scope = DOCKET_SCOPE_GLOBAL, .time_limit_ms = DOCKET_MINUTES(10)};
    assert_what_was_hashed_is_read(at, &how, large_sum);
    assert_what_was_hashed_is_read(at, &how, table_sum);
}

static void fr_07_memory_is_the_callers_again_once_an_execution_began(void **state)
{
    site *at = *state;
    const asked how = {.scope = DOCKET_SCOPE_GLOBAL, .begin = true};
    assert_what_was_hashed_is_read(at, &how, large_sum);
    assert_what_was_hashed_is_read(at, &how, table_sum);
}

static void fr_07_unrecorded_body_reads_what_was_given(void **state)
{
    site *at = *state;
    const asked how = {.scope = DOCKET_SCOPE_NONE};
    assert_what_was_hashed_is_read(at, &how, large_sum);
    assert_what_was_hashed_is_read(at, &how, table_sum);
}

static void fr_07_provided_value_and_options_are_copied(void **state)
{
    site *at = *state;
    docket_error error;
    char name[] = "named_step", key_namespace[] = "space", graph_name[] = "graph";
    gate entered = GATE_INIT(1), open = GATE_INIT(0);
    watched user = {at->folder.path, &entered, &open};
    table_memory *memory = calloc(1, sizeof *memory);
    assert_non_null(memory);
    for (int round = 0; round < 2; round++) {
        fill_table(memory, 'A');
        uint64_t a = sum_table(&memory->table);
        docket_graph_options graph_options = {DOCKET_GRAPH_OPTIONS_INIT, .key_namespace = key_namespace};
        docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .name = name, .store = site_open(at, NULL),
                                       .scope = DOCKET_SCOPE_GLOBAL, .user = &user};
        docket_graph *graph = docket_graph_new(graph_name, &graph_options);
        assert_status(DOCKET_OK, docket_graph_add(graph, &crc_table_step, &options));
        assert_status(DOCKET_OK, docket_graph_provide(graph, DOCKET_IN(Table, &memory->table)));
        memset(&options, 0xff, sizeof options);
        memset(&graph_options, 0xff, sizeof graph_options);
        memset(name, '?', sizeof name - 1);
        memset(key_namespace, '?', sizeof key_namespace - 1);
        memset(graph_name, '?', sizeof graph_name - 1);
        fill_table(memory, 'B');
        assert_status(DOCKET_OK, docket_graph_validate(graph, &error));
        outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(TableSum)});
        assert_status(DOCKET_OK, made.status);
        assert_true(DOCKET_RESULT(made.result, TableSum)->sum == a);
        outcome_free(&made);
        docket_graph_free(graph);
        snprintf(name, sizeof name, "named_step");
        snprintf(key_namespace, sizeof key_namespace, "space");
    }
    assert_int_equal(ledger_count(at->folder.path, "sum"), 1);
    free(memory);
}

/* ---- 09: the same step and input, several times ---- */

DOCKET_STRUCT(Number, (INT64, n), (STRING, discriminator));
DOCKET_STRUCT(Token, (STRING, text));
DOCKET_ALIAS(First, Token);
DOCKET_ALIAS(Second, Token);
DOCKET_STRUCT(Both, (STRING, text));

/* "i-n": n is taken from a counter outside of docket, so two runs never give the same. */
static docket_status token(docket_ctx *ctx, Token *out, const Number *in)
{
    const char *folder_path = docket_ctx_user(ctx);
    ledger_note(folder_path, "token-%" PRId64, in->n);
    ledger_note(folder_path, "counter");
    out->text = docket_printf(ctx, "%" PRId64 "-%ld", in->n, ledger_count(folder_path, "counter"));
    return DOCKET_OK;
}
DOCKET_STEP(token, Token, Number);

static docket_status first(docket_ctx *ctx, First *out, const Token *in)
{
    (void)ctx;
    out->value = *in;
    return DOCKET_OK;
}
DOCKET_STEP(first, First, Token);

static docket_status second(docket_ctx *ctx, Second *out, const Token *in)
{
    (void)ctx;
    out->value = *in;
    return DOCKET_OK;
}
DOCKET_STEP(second, Second, Token);

static docket_status both(docket_ctx *ctx, Both *out, const First *one, const Second *other,
                          const Token *token_itself)
{
    out->text = docket_printf(ctx, "%s %s %s", one->value.text, other->value.text, token_itself->text);
    return DOCKET_OK;
}
DOCKET_STEP(both, Both, First, Second, Token);

static docket_graph *token_graph(docket_store *store, const char *folder_path, docket_scope scope)
{
    docket_error error;
    const docket_step_options options = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = scope,
                                         .user = (void *)(uintptr_t)folder_path};
    docket_graph *graph = docket_graph_new("tokens", NULL);
    bool made = docket_graph_add(graph, &token_step, &options) == DOCKET_OK &&
                docket_graph_add_all(graph, NULL, DOCKET_STEPS(first, second, both)) == DOCKET_OK &&
                docket_graph_validate(graph, &error) == DOCKET_OK;
    if (!made) {
        abort();
    }
    return graph;
}

/* False if the execution failed. */
static bool ask_token(docket_graph *graph, const char *id, const Number *in, char text[32])
{
    outcome made = run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Token),
                                                DOCKET_INPUTS(DOCKET_IN(Number, in))});
    bool ok = made.status == DOCKET_OK;
    snprintf(text, 32, "%s", ok ? DOCKET_RESULT(made.result, Token)->text : "");
    outcome_free(&made);
    return ok;
}

static void assert_token(docket_graph *graph, const char *id, const Number *in, const char *expected)
{
    char text[32];
    assert_true(ask_token(graph, id, in, text));
    assert_string_equal(text, expected);
}

static const Number one = {1, ""}, two = {2, ""}, other_one = {1, "again"};

static void fr_09_sequential_calls_give_the_recorded_value(void **state)
{
    site *at = *state;
    for (int round = 0; round < 2; round++) {
        docket_graph *graph = token_graph(site_open(at, NULL), at->folder.path, DOCKET_SCOPE_GLOBAL);
        assert_token(graph, "a", &one, "1-1");
        assert_token(graph, "a", &one, "1-1");
        assert_token(graph, "b", &one, "1-1");
        assert_token(graph, NULL, &two, "2-2");
        assert_token(graph, "a", &one, "1-1");
        docket_graph_free(graph);
        site_close(at);
    }
    assert_int_equal(ledger_count(at->folder.path, "token-1"), 1);
    assert_int_equal(ledger_count(at->folder.path, "token-2"), 1);
}

static void fr_09_discriminator_asks_for_a_run_of_its_own(void **state)
{
    site *at = *state;
    docket_graph *graph = token_graph(site_open(at, NULL), at->folder.path, DOCKET_SCOPE_GLOBAL);
    assert_token(graph, "a", &one, "1-1");
    assert_token(graph, "a", &other_one, "1-2");
    assert_token(graph, "a", &one, "1-1");
    assert_token(graph, "a", &other_one, "1-2");
    docket_graph_free(graph);
}

static void fr_09_executions_of_their_own_run_once_each(void **state)
{
    site *at = *state;
    for (int round = 0; round < 2; round++) {
        docket_graph *graph = token_graph(site_open(at, NULL), at->folder.path, DOCKET_SCOPE_WORKFLOW);
        assert_token(graph, "a", &one, "1-1");
        assert_token(graph, "a", &one, "1-1");
        assert_token(graph, "b", &one, "1-2");
        assert_token(graph, "a", &one, "1-1");
        assert_token(graph, "b", &one, "1-2");
        docket_graph_free(graph);
        site_close(at);
    }
}

static void fr_09_unrecorded_step_runs_each_time(void **state)
{
    site *at = *state;
    docket_graph *graph = token_graph(NULL, at->folder.path, DOCKET_SCOPE_NONE);
    assert_token(graph, "a", &one, "1-1");
    assert_token(graph, "a", &one, "1-2");
    docket_graph_free(graph);
}

/* Three consumers of one value see the same one, when it is computed and when it is restored. */
static void fr_09_several_consumers_share_one_run(void **state)
{
    site *at = *state;
    for (int round = 0; round < 2; round++) {
        docket_graph *graph = token_graph(site_open(at, NULL), at->folder.path, DOCKET_SCOPE_GLOBAL);
        outcome made =
            run(graph, &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "both", .output = DOCKET_OF(Both),
                                         DOCKET_INPUTS(DOCKET_IN(Number, &one))});
        assert_status(DOCKET_OK, made.status);
        assert_string_equal(DOCKET_RESULT(made.result, Both)->text, "1-1 1-1 1-1");
        outcome_free(&made);
        docket_graph_free(graph);
        site_close(at);
    }
    assert_int_equal(ledger_count(at->folder.path, "token-1"), 1);
}

static void fr_09_resumed_process_gives_the_recorded_value(void **state)
{
    site *at = *state;
    docket_graph *graph = token_graph(site_open(at, NULL), at->folder.path, DOCKET_SCOPE_GLOBAL);
    assert_token(graph, "a", &one, "1-1");
    docket_graph_free(graph);
    site_close(at);
    assert_int_equal(child_run(NULL, CHILD_ARGUMENTS("resume", at->url, at->folder.path)), 0);
    assert_int_equal(ledger_count(at->folder.path, "token-1"), 1);
    assert_int_equal(ledger_count(at->folder.path, "token-2"), 1);
}

static int resume(const char *url, const char *folder_path)
{
    char first_text[32], second_text[32], third_text[32];
    docket_store *store = NULL;
    if (docket_store_open(&store, url, NULL, NULL) != DOCKET_OK) {
        return 2;
    }
    docket_graph *graph = token_graph(store, folder_path, DOCKET_SCOPE_GLOBAL);
    bool ok = ask_token(graph, "a", &one, first_text) && ask_token(graph, "a", &two, second_text) &&
              ask_token(graph, "a", &two, third_text);
    docket_graph_free(graph);
    docket_store_close(store);
    return !(ok && strcmp(first_text, "1-1") == 0 && strcmp(second_text, "2-2") == 0 &&
             strcmp(third_text, "2-2") == 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "resume") == 0) {
        return resume(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        SITE_EACH_STORE(fr_07_body_reads_what_was_hashed),
        SITE_EACH_STORE(fr_07_body_on_another_thread_reads_what_was_hashed),
        SITE_EACH_STORE(fr_07_memory_is_the_callers_again_once_an_execution_began),
        SITE_MEMORY(fr_07_unrecorded_body_reads_what_was_given),
        SITE_EACH_STORE(fr_07_provided_value_and_options_are_copied),
        SITE_EACH_STORE(fr_09_sequential_calls_give_the_recorded_value),
        SITE_EACH_STORE(fr_09_discriminator_asks_for_a_run_of_its_own),
        SITE_EACH_STORE(fr_09_executions_of_their_own_run_once_each),
        SITE_MEMORY(fr_09_unrecorded_step_runs_each_time),
        SITE_EACH_STORE(fr_09_several_consumers_share_one_run),
        SITE_SQLITE(fr_09_resumed_process_gives_the_recorded_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
