/* cmocka with the headers that it wants, and assertions on statuses and texts that show what came instead. */
#ifndef DOCKET_TESTS_CHECK_H
#define DOCKET_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <docket/status.h>
#include <string.h>

#define assert_status(expected, actual) \
    assert_string_equal(docket_status_name(actual), docket_status_name(expected))

#define assert_contains(text, part)                                                  \
    do {                                                                             \
        const char *check_text = (text);                                             \
        const char *check_part = (part);                                             \
        if (strstr(check_text, check_part) == NULL) {                                \
            print_error("\"%s\" does not contain \"%s\"\n", check_text, check_part); \
            fail();                                                                  \
        }                                                                            \
    } while (0)

#endif
