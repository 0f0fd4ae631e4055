/* An allocator for docket that refuses chosen requests, from any thread and in forked children as well. */
#ifndef DOCKET_TESTS_SCARCE_H
#define DOCKET_TESTS_SCARCE_H

#include <stdbool.h>
#include <stddef.h>

/* How requests are refused, counted from 1 at the moment of the call. */
typedef enum scarcity {
    SCARCE_ONCE, /* request n only */
    SCARCE_FROM  /* request n and all that follow */
} scarcity;

/* Puts the allocator under docket. Before any other docket function, and once. */
void scarce_install(void);

/* From now on memory is scarce. */
void scarce_begin(scarcity how, size_t n);

/* Memory is plenty again. True: a request was refused meanwhile. */
bool scarce_end(void);

/* Blocks that docket holds. */
size_t scarce_live(void);

#endif
