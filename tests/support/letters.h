/* The types and steps that most tests use: InputString (IS) and LetterCount (LC), and a step from the one to the other
 * that counts bytes. */
#ifndef DOCKET_TESTS_LETTERS_H
#define DOCKET_TESTS_LETTERS_H

#include <docket/docket.h>
#include <stdatomic.h>

DOCKET_STRUCT(IS, (STRING, value));
DOCKET_STRUCT(LC, (STRING, original), (STRING, target), (INT32, count));

/* A step's `user` pointer; NULL is fine as well. */
typedef struct letters_user {
    atomic_int runs;    /* entries into the function */
    const char *prefix; /* of the text before it is counted; NULL = none */
    int32_t value;      /* what make_letters writes */
} letters_user;

/* IS → LC: original = prefix + value, count = its length in bytes. */
DOCKET_STEP_DECLARE(count_letters);

/* → LC without inputs: count = user->value. */
DOCKET_STEP_DECLARE(make_letters);

/* IS → LC over all items: count = the sum of their lengths, original = the last. */
DOCKET_STEP_DECLARE(count_all_letters);

/* LC → LC: a cycle. */
DOCKET_STEP_DECLARE(recount_letters);

#endif
