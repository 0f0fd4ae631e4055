/* The board: who computes a key now, among all processes that have the file open.
 *
 * It is a table in the side file, mapped into each process: a head, the seats (see seat.h), and entries of 64 bytes in
 * stripes of their own, chosen by the key. An entry is taken, taken over from a dead owner, or given back under its
 * stripe's lock, a word that holds an owner and can itself be taken over from a dead one. Key and owner are written first,
 * the state last: whatever instruction was the last of a process, the table is whole.
 *
 * A claim needs no lease and no clean-up: its owner is a seat that is locked as long as its process lives. Who waits sets
 * the entry's mark, and sleeps on the futex of its seat; who gives a marked entry back stirs the seats of those who wait.
 *
 * Nothing here blocks but docket__board_await. Any thread. */
#ifndef DOCKET_STORE_SQLITE_BOARD_H
#define DOCKET_STORE_SQLITE_BOARD_H

#include "store/sqlite/seat.h"
#include <docket/backend.h>

typedef struct docket__board {
    docket__side *side;            /* borrowed */
    struct docket__board_map *map; /* shared memory */
    docket__process_mark self;
    docket__owner owner;
    int64_t probed_ms; /* of the one thread that awaits: when it last looked at the owners */
} docket__board;

/* Maps the board, makes it if it is not there, and takes a seat. DOCKET_STORE: it cannot be had, or has another format. */
docket_status docket__board_open(docket__board *board, docket__side *side, docket_error *error);
void docket__board_close(docket__board *board);

/* Takes the claim on a key, also from a dead owner. DOCKET_CONFLICT: another owner has it, or the key's stripe is full:
 * then the caller is woken when that may have changed. `*dead` is the dead owner that had entered its step, or 0. */
docket_status docket__board_take(docket__board *board, const docket_key *key, docket__owner *dead);

void docket__board_give(docket__board *board, const docket_key *key);

/* Tells that something which holds these keys waits for another one. False: that would close a circle of waits, among all
 * who use the board, and nothing was told; `*closing` is the index of a key of it. */
bool docket__board_wait(docket__board *board, const docket_key *held, size_t count, const docket_key *wanted,
                        size_t *closing);
void docket__board_unwait(docket__board *board, const docket_key *held, size_t count, const docket_key *wanted);

/* How many claims of the key's stripe have been given back so far. */
uint64_t docket__board_releases(const docket__board *board, const docket_key *key);

/* Sleeps until one of these keys may be free, docket__board_stir was called, or the time is over; sets for each key
 * whether it may be. One thread at a time. */
void docket__board_await(docket__board *board, const docket_key *keys, size_t count, bool *maybe_free,
                         int64_t timeout_ms);
void docket__board_stir(docket__board *board);

#endif
