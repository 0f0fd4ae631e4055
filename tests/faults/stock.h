/* Types and steps for the allocation tests: each takes memory in as many places as its kind can. */
#ifndef DOCKET_TESTS_STOCK_H
#define DOCKET_TESTS_STOCK_H

#include <docket/docket.h>
#include <stdatomic.h>

DOCKET_STRUCT(Title, (STRING, value));
DOCKET_STRUCT(Words, (STRING, text), (LIST(STRING), words), (STRUCT(Title), title));
DOCKET_STRUCT(Weight, (INT64, letters), (BYTES, bytes));
DOCKET_STRUCT(Report, (STRING, line), (OPTIONAL(INT64), letters), (LIST(STRUCT(Title)), titles));
DOCKET_STRUCT(Wish, (STRING, text));
DOCKET_STRUCT(Summary, (STRING, line));

/* The `user` pointer of all steps. */
typedef struct stock {
    atomic_int splits, weighs, writes; /* entries */
    atomic_int holds;                  /* split waits until this is 0 */
    atomic_int entered;                /* splits that wait or have waited */
    docket_graph *inner;               /* what summarize_within executes */
} stock;

DOCKET_STEP_DECLARE(split);            /* Title -> Words */
DOCKET_STEP_DECLARE(weigh);            /* Words -> Weight */
DOCKET_STEP_DECLARE(write_report);     /* Words, Weight, MAYBE Wish -> Report: see REPORT_LINE */
DOCKET_STEP_DECLARE(wish);             /* Title -> Wish: absent */
DOCKET_STEP_DECLARE(refuse);           /* Title -> Words: rejects */
DOCKET_STEP_DECLARE(stumble);          /* Title -> Words: fails twice, then like split */
DOCKET_STEP_DECLARE(summarize_within); /* Title -> Summary: executes `inner` for its Report */

#define TITLE_TEXT "the quick brown fox"
#define REPORT_LINE "the quick brown fox: 4 words, 16 letters"

#endif
