/* Counts entries into step functions outside of docket: docket_test_ledger_add, with one file per name, by formatted
 * names, and an end of the test when it cannot be written. */
#ifndef DOCKET_TESTS_LEDGER_H
#define DOCKET_TESTS_LEDGER_H

/* `name` is a printf format; "/" in what it makes is replaced. */
__attribute__((format(printf, 2, 3))) void ledger_note(const char *folder_path, const char *name, ...);
__attribute__((format(printf, 2, 3))) long ledger_count(const char *folder_path, const char *name, ...);

#endif
