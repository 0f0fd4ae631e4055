/* The program that is killed: a recorded execution of three steps on a SQLite file.
 *
 * Outside docket it leaves in the folder: a byte per entry into each step (ledger-STEP), and a byte per commit that
 * docket reported (ledger-committed-STEP). The first step's value holds the number of its entry, so that a value which
 * was computed again cannot pass for the recorded one. */
#ifndef DOCKET_TESTS_SUBJECT_H
#define DOCKET_TESTS_SUBJECT_H

#include <docket/docket.h>
#include <sys/types.h>

enum { SUBJECT_STEPS = 3 };
extern const char *const subject_steps[SUBJECT_STEPS];

typedef struct subject {
    char folder[128];
    docket_scope scope; /* GLOBAL: every process has an execution id of its own */
    docket_commit_mode commit;
    docket_durability durability;
    bool impatient;       /* the store does not repeat what failed, and waits for nobody */
    unsigned nap_us;      /* most time that each step takes */
    void (*opened)(void); /* called when the store is open; NULL = nothing is */
} subject;

/* What a child's exit code says. */
typedef enum subject_end {
    SUBJECT_OK = 0,
    SUBJECT_NOT_OPENED = 10,   /* the store failed (DOCKET_STORE) */
    SUBJECT_NOT_EXECUTED = 11, /* likewise */
    SUBJECT_WRONG_VALUE = 12,
    SUBJECT_RAN_AGAIN = 13,   /* what was recorded was not restored */
    SUBJECT_DAMAGED = 14,     /* integrity_check */
    SUBJECT_DESCRIPTORS = 15, /* some are left open */
    SUBJECT_MODES = 16,       /* a file that is not 0600, or that should not be there */
    SUBJECT_WRONG_STATUS = 17 /* another failure than the store's */
} subject_end;

/* Opens, executes once, closes. To be killed. */
subject_end subject_work(const subject *self);

/* Opens and closes. */
subject_end subject_open_only(const subject *self);

/* The same to the end, then a second time, when all must be restored, and then looks at the file. */
subject_end subject_recover(const subject *self);

/* PRAGMA integrity_check through a connection of its own; the modes of all files. */
subject_end subject_inspect(const subject *self);

/* Runs one of these in a fork of this process, which must not have opened the file. */
pid_t subject_start(const subject *self, subject_end (*function)(const subject *));

/* What is written is there for the next process whether there is a disk below or not: the short form of a test works in
 * memory, where flushes cost nothing, the long one on the disk. Before the first folder is made. */
void subject_choose_place(void);

/* Entries and reported commits so far. */
long subject_entries(const subject *self, int step);
long subject_commits(const subject *self, int step);

#endif
