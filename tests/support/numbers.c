#include "support/numbers.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct number {
    int64_t value;
} number;

static const docket_field number_fields[] = {
    {1, DOCKET_KIND_INT64, DOCKET_LABEL_ONE, "value", offsetof(number, value), 0, 0, NULL, NULL, 0},
};
static const docket_schema number_schema = {number_fields, 1};

static docket_status add_one(void *output, const docket_argument *args, size_t count)
{
    number *sum = output;
    sum->value = 1;
    for (size_t i = 0; i < count; i++) {
        sum->value += ((const number *)args[i].value)->value;
    }
    return DOCKET_OK;
}

/* A step function is not told how many inputs it has, so each number of inputs has one of its own. */
#define CALL(n)                                                                                     \
    static docket_status add_one_to_##n(docket_ctx *ctx, void *output, const docket_argument *args) \
    {                                                                                               \
        (void)ctx;                                                                                  \
        return add_one(output, args, n);                                                            \
    }
CALL(0)
CALL(1)
CALL(2)
CALL(3)
CALL(4)
CALL(5)
CALL(6)
CALL(7)
CALL(8)

static docket_step_call *const calls[] = {add_one_to_0, add_one_to_1, add_one_to_2, add_one_to_3, add_one_to_4,
                                          add_one_to_5, add_one_to_6, add_one_to_7, add_one_to_8};

static void *need(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

numbers numbers_new(size_t count)
{
    numbers all = {
        .count = count,
        .names = need(count, sizeof *all.names),
        .types = need(count, sizeof *all.types),
        .steps = need(count, sizeof *all.steps),
        .inputs = need(count, sizeof *all.inputs),
    };
    for (size_t i = 0; i < count; i++) {
        snprintf(all.names[i], sizeof all.names[i], "n%zu", i);
        all.types[i] = (docket_type){.abi = DOCKET_TYPE_ABI,
                                     .flags = DOCKET_TYPE_STRUCT,
                                     .name = all.names[i],
                                     .size = sizeof(number),
                                     .alignment = _Alignof(number),
                                     .schema = &number_schema};
        all.steps[i] = (docket_step){.abi = DOCKET_STEP_ABI,
                                     .name = all.names[i],
                                     .version = 1,
                                     .output = &all.types[i],
                                     .inputs = all.inputs[i],
                                     .call = calls[0],
                                     .file = __FILE__,
                                     .line = (int)i};
    }
    return all;
}

void numbers_join(numbers *all, size_t from, size_t to)
{
    docket_step *step = &all->steps[to];
    if (step->input_count == DOCKET_MAX_INPUTS) {
        abort();
    }
    all->inputs[to][step->input_count++] = (docket_step_input){&all->types[from], 0};
    step->call = calls[step->input_count];
}

numbers numbers_chain(size_t count)
{
    numbers all = numbers_new(count);
    for (size_t i = 1; i < count; i++) {
        numbers_join(&all, i - 1, i);
    }
    return all;
}

docket_status numbers_add(const numbers *all, size_t first, docket_graph *graph, const docket_step_options *options)
{
    docket_status status = DOCKET_OK;
    for (size_t i = first; i < all->count; i++) {
        docket_status added = docket_graph_add(graph, &all->steps[i], options);
        status = status == DOCKET_OK ? added : status;
    }
    return status;
}

void numbers_free(numbers *all)
{
    free(all->names);
    free(all->types);
    free(all->steps);
    free(all->inputs);
    *all = (numbers){0};
}
