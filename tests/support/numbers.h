/* Graphs of any size and shape, made at run time: type number i is a struct { int64_t value }, and the step that makes
 * it adds 1 to the sum of its inputs. */
#ifndef DOCKET_TESTS_NUMBERS_H
#define DOCKET_TESTS_NUMBERS_H

#include <docket/docket.h>

typedef struct numbers {
    size_t count;
    char (*names)[24]; /* "n0", "n1", …; of type and step */
    docket_type *types;
    docket_step *steps; /* of each type; those without inputs write 1 */
    docket_step_input (*inputs)[DOCKET_MAX_INPUTS];
} numbers;

/* Types 0 … count - 1 and a step for each, without inputs as yet. Aborts when memory is exhausted. */
numbers numbers_new(size_t count);

/* Makes type `from` an input of the step that makes `to`; also called for chains and other shapes by the functions
 * below. At most DOCKET_MAX_INPUTS times per step. */
void numbers_join(numbers *all, size_t from, size_t to);

/* n0 is a leaf, n1 comes from n0, n2 from n1, … */
numbers numbers_chain(size_t count);

/* Adds the steps of the types `first` to `count` - 1 in ascending order. The first failure is returned. */
docket_status numbers_add(const numbers *all, size_t first, docket_graph *graph,
                          const docket_step_options *options);

void numbers_free(numbers *all);

#endif
