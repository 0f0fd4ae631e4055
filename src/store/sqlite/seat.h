/* Seats: which store handles are alive.
 *
 * Every handle that may claim sits on a seat of the board (board.h): one byte of the side file, locked by an
 * open-file-description lock as long as the handle lives, and 64 bytes of shared memory. Owner of something is a seat
 * together with its generation, which the handle raises under the seat's lock before it owns anything. So an owner is
 * dead when its seat is unlocked or has another generation, and a dead owner's number never comes back.
 *
 * A child that was forked past the fork handlers keeps the kernel's lock alive. So a seat also names its process (id,
 * start time) as a second witness, for whoever counts processes and time in the same namespaces. */
#ifndef DOCKET_STORE_SQLITE_SEAT_H
#define DOCKET_STORE_SQLITE_SEAT_H

#include "store/sqlite/lock.h"

#include <stdatomic.h>

enum { DOCKET__SEATS = 1024 };

/* In shared memory. Only the handle that has the seat writes, but for `stirred`. */
typedef struct docket__seat {
    _Atomic(uint64_t) generation;
    _Atomic(uint32_t) stirred; /* a futex: changes to wake who sleeps on this seat */
    _Atomic(uint32_t) process; /* 0 = no witness */
    _Atomic(uint64_t) started; /* as in /proc/PID/stat */
    _Atomic(uint64_t) process_namespace, time_namespace;
    uint8_t reserved[24];
} docket__seat;
_Static_assert(sizeof(docket__seat) == 64, "part of the layout of the board");

typedef uint64_t docket__owner; /* seat and generation; 0 = nobody */

/* What this process knows of itself. */
typedef struct docket__process_mark {
    uint32_t process; /* 0 = /proc does not tell */
    uint64_t started, process_namespace, time_namespace;
} docket__process_mark;

size_t docket__owner_seat(docket__owner owner);

/* Takes a free seat. DOCKET_STORE: all are taken, or the lock fails. */
docket_status docket__seat_take(docket__seat *seats, const docket__side *side, docket__process_mark *self,
                                docket__owner *owner, docket_error *error);

/* Whether an owner is dead. Of one that is alive it may be said late, of a live one never. */
bool docket__seat_is_dead(const docket__seat *seats, const docket__side *side, const docket__process_mark *self,
                          docket__owner owner);

#endif
