/* What the benchmarks have in common: two subjects that take turns, medians of their rounds, and one table of it all. */
#ifndef DOCKET_BENCH_H
#define DOCKET_BENCH_H

#include <stdbool.h>
#include <stddef.h>

/* One way to do a piece of work: does it `times` times. */
typedef struct bench_subject {
    void (*run)(void *context, size_t times);
    void *context;
} bench_subject;

/* One line of the table. */
typedef struct bench_line {
    const char *name;
    double target; /* the least ratio that is good enough; 0 = none */
    size_t bytes;  /* that one piece of work goes through, for the throughput; 0 = not shown */
    bench_subject ours;
    bench_subject limit; /* what it is compared with */
} bench_line;

/* Reads the arguments, and prints the machine and the heading. `limit_name` is what all lines are compared with. Ends the
 * program if an argument is not acceptable. */
void bench_begin(int count, char **arguments, const char *name, const char *limit_name);

/* Measures and prints a line, unless the arguments leave it out. */
void bench_compare(const bench_line *line);

/* Prints what was missed. Returns the status for main. */
int bench_end(void);

/* Ends the program if something that a benchmark relies on does not hold. */
void bench_require(bool holds, const char *what);

#endif
