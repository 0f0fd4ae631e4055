/* docket_test_store as most tests here use it: in memory, one fault at a time. */
#ifndef DOCKET_TESTS_FAULTY_H
#define DOCKET_TESTS_FAULTY_H

#include <docket/testing.h>

/* Opens it without faults. `inline_commits`: commits happen on the thread of their step, as in a memory store;
 * else on the store's writer thread, as in a database. Asserts. */
docket_test_store *faulty_open(bool inline_commits, const docket_store_options *options);

/* From now on the operation has this fault. */
void faulty_set(docket_test_store *self, docket_test_operation operation, docket_test_fault with);

#define FAULT_MESSAGE "a test made this fail"

#endif
