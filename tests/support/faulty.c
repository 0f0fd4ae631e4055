#include "support/faulty.h"

#include "support/check.h"

docket_test_store *faulty_open(bool inline_commits, const docket_store_options *options)
{
    docket_test_store *self = NULL;
    const docket_test_store_options made_of = {DOCKET_TEST_STORE_OPTIONS_INIT, .store = options,
                                               .writer_thread = !inline_commits};
    assert_status(DOCKET_OK, docket_test_store_open(&self, &made_of, NULL));
    return self;
}

void faulty_set(docket_test_store *self, docket_test_operation operation, docket_test_fault with)
{
    assert_status(DOCKET_OK, docket_test_store_plan(self, operation, &with, 1));
}
