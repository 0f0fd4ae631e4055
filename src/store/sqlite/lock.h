/* The side file (PATH-docket) and the commit lock.
 *
 * Open-file-description locks on bytes of the side file:
 *   byte 0  the commit lock, held from before BEGIN to after COMMIT and over every checkpoint of the log, by one thread
 *           of one process at a time;
 *   byte 1  the turnstile: whoever wants the commit lock passes it first and holds it while waiting, so that a busy
 *           committer cannot take the lock again and again past a waiting one;
 *   byte 2  presence: shared by every open store; whoever can have it alone is the last one;
 *   byte 3  the board (board.h), while it is made or looked at;
 *   from byte 2^32 one for each seat (seat.h), held as long as the store that has it is open;
 *   from byte 2^40 up to 2^42, a range that no other transaction has: a step's transaction holds the commit lock. It begins at
 *           a random place and is as many bytes long as the transaction may last milliseconds, so that those who wait
 *           can tell one from the next, and a slow one from a stopped process.
 *   bytes from 2^62  signatures: each open store holds one of its own, at a random place, by whose number others can
 *           tell whether it lives.
 * Within a process the descriptor is shared by threads, and `taken` keeps them apart; it is handed from one to the next,
 * so that none takes it again and again past those who wait.
 *
 * A forked child inherits the descriptor and with it the locks, which would outlive the parent. So a fork handler
 * closes it in the child; `registry` in lock.c lists all side files, and no side file is opened or closed while a fork
 * is under way. The registry also tells that a database was open in the parent: SQLite cannot open it again in the
 * child, whose copy of SQLite's lock table is wrong.
 *
 * Lock order: taken, turnstile, commit lock. */
#ifndef DOCKET_STORE_SQLITE_LOCK_H
#define DOCKET_STORE_SQLITE_LOCK_H

#include <docket/status.h>
#include <pthread.h>
#include <sys/stat.h>

typedef struct docket__side {
    const char *path;     /* borrowed */
    int descriptor;       /* -1 = a read-only store, which has no side file, or closed after a fork */
    struct stat side;     /* of the side file */
    struct stat database; /* device and inode, for the registry */
    uint64_t generation;  /* of the process that opened it */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t given;
    bool taken;
    bool handed;           /* to a waiting thread */
    unsigned waiting;      /* threads */
    int64_t transaction;   /* where the range begins of the transaction that has taken it; 0 = none has */
    int64_t transaction_ms;
    struct docket__side *next, **link; /* in the registry */
} docket__side;

/* Opens the side file, makes it if needed, and registers it. With `path` NULL only registers. */
docket_status docket__side_open(docket__side *side, const char *path, docket_error *error);

/* DOCKET_FORKED if the process inherited connections to this database from before a fork. */
docket_status docket__side_check_inherited(const struct stat *database, docket_error *error);

/* Names the database, once it exists, and shares the lock of presence. */
docket_status docket__side_enter(docket__side *side, const struct stat *database, int64_t timeout_ms,
                                 docket_error *error);

/* Takes a signature, which lives as long as the side file is open, but not in forked children. */
docket_status docket__side_sign(docket__side *side, uint64_t *signature, docket_error *error);

/* True if another store holds the signature, or if that cannot be found out. */
bool docket__side_is_signed(const docket__side *side, uint64_t signature);

void docket__side_close(docket__side *side);

/* Takes the commit lock, waiting up to `timeout_ms`, and after that for each transaction of a step that it then meets as
 * long as this may last. `transaction_ms`: for such a transaction, which lasts no longer; 0 = for anything else. On
 * DOCKET_STORE error->transient is DOCKET__WAITED. */
docket_status docket__side_take(docket__side *side, int64_t timeout_ms, int64_t transaction_ms, docket_error *error);

/* From any thread. */
void docket__side_give(docket__side *side);

/* The lock under which the board is made. */
docket_status docket__side_lock_board(docket__side *side, docket_error *error);
void docket__side_unlock_board(docket__side *side);

/* Tries for a seat's lock, and looks whether some other store holds it. */
typedef enum docket__seat_lock { DOCKET__SEAT_LOCKED, DOCKET__SEAT_TAKEN, DOCKET__SEAT_FAILED } docket__seat_lock;
docket__seat_lock docket__side_lock_seat(const docket__side *side, size_t seat);
bool docket__side_is_seat_locked(const docket__side *side, size_t seat);

/* A lock of the side file failed, as errno says. */
docket_status docket__side_fail(const docket__side *side, const char *what, docket_error *error);

/* True if no other store has the file open. Others that want to open it wait until docket__side_close. */
bool docket__side_is_last(docket__side *side);

#endif
