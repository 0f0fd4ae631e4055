/* The inside of the SQLite store.
 *
 * It owns one file through one writer connection, used by the store's writer thread, and a pool of read-only
 * connections for look-ups and lists. A step's transaction has a connection of its own, see transaction.c.
 *
 * Locks, in this order:
 *   side.lock / the commit lock  held by whoever writes or checkpoints; guards `writer`, `ids`, `log` and `replaced`;
 *   pool_lock                    guards the pool of readers;
 *   stale_lock                   guards the ids of expired rows that look-ups met;
 *   warning_lock                 one warning at a time;
 *   guard.lock                   guards which transaction is open, and the states of transactions.
 * Never two of the last four at once.
 *
 * On disk: a commit is durable when COMMIT has synced the log (durability full). The log is copied into the database
 * only under the commit lock, so that no commit of docket can restart it meanwhile (see docket/sqlite.h). */
#ifndef DOCKET_STORE_SQLITE_INSIDE_H
#define DOCKET_STORE_SQLITE_INSIDE_H

#include "base/map.h"
#include "store/depot.h"
#include "store/sqlite/board.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/lock.h"
#include "store/sqlite/path.h"
#include "store/sqlite/sqlite.h"
#include "store/wall.h"

enum {
    DOCKET__READERS = 16,    /* connections at most */
    DOCKET__STALE_ROWS = 256 /* expired rows remembered for deletion; more are met again */
};

/* Ids of names in the writer's memory; dropped when another connection changed the database, or a rollback took
 * them back. */
typedef struct docket__ids {
    docket__map executions, steps, types;
    int64_t data_version;
    bool knows_crashes, has_crashes; /* whether any key has a count of crashes */
} docket__ids;

typedef struct docket__log {
    int64_t page_bytes;
    int64_t step_bytes; /* 4 MiB; a test may take less */
    int64_t bytes;      /* after the last commit */
    int64_t next_bytes; /* no checkpoint before the log is so large */
    bool warned;
    bool has_grown; /* tell so when the commit lock is given back */
} docket__log;

/* The thread that ends transactions of steps at their limit; started with the first one. */
typedef struct docket__guard {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* waits by CLOCK_MONOTONIC */
    pthread_t thread;
    bool started, stopping;
    int64_t wake_ns; /* when it will look again by itself */
    struct docket__step_transaction *open;
} docket__guard;

struct docket__sqlite {
    docket__path path;
    struct stat file; /* the database file that was opened: device and inode */
    docket_store_options options;
    char prefix[40];
    char *url;
    docket__side side;
    docket__board board; /* of a read-only store: none */
    docket__depot *depot;
    docket__wall wall;

    docket__connection *writer; /* what is written goes through: `own`, or a transaction's connection */
    docket__connection own;
    bool flushes; /* with durability process: `own` is set to flush now */
    docket__ids ids;
    docket__log log;
    _Atomic(void *) visitor; /* the application's connection between docket_sqlite_begin and _end */

    pthread_mutex_t pool_lock;
    pthread_cond_t pool_returned;
    docket__connection *pool;
    size_t pool_open; /* readers, idle or in use */

    pthread_mutex_t stale_lock;
    int64_t stale[DOCKET__STALE_ROWS];
    size_t stale_count;

    pthread_mutex_t warning_lock;
    docket__guard guard;
};

/* open.c: tells the program. */
DOCKET_PRINTF(2, 3) void docket__sqlite_warn(docket__sqlite *self, const char *format, ...);

/* open.c: makes a connection ready to be opened. */
void docket__sqlite_prepare_connection(const docket__sqlite *self, docket__connection *connection);

/* pool.c */
docket_status docket__pool_take(docket__sqlite *self, docket__connection **connection, docket_error *error);
/* A connection that failed is closed rather than kept. */
void docket__pool_give(docket__sqlite *self, docket__connection *connection, docket_status status);
void docket__pool_close(docket__sqlite *self);

/* DOCKET_STORE if the path does not lead to the opened file any more. */
docket_status docket__sqlite_check_file(const docket__sqlite *self, docket_error *error);

/* read.c */
/* Reads the record at an address through a connection, in the transaction that it is in. */
docket_status docket__sqlite_find(docket__sqlite *self, docket__connection *connection,
                                  const docket_address *address, docket_found *found, docket_record **record,
                                  docket_error *error);
docket_status docket__sqlite_lookup(void *self, const docket_address *address, docket_found *found,
                                    docket_record **record, docket_error *error);
docket_status docket__sqlite_scan(void *self, const char *execution_id, docket_record_visit *each, void *arg,
                                  docket_error *error);
docket_status docket__sqlite_schema(void *self, const char *type, const uint8_t fingerprint[32], docket_buffer *out,
                                    docket_error *error);

/* select.c */
docket_status docket__sqlite_list(void *self, const docket_checkpoint_filter *filter, int64_t *position,
                                  docket_checkpoint *entries, size_t capacity, size_t *count, docket_arena *arena,
                                  docket_error *error);
docket_status docket__sqlite_forget(void *self, const docket_checkpoint_filter *filter, int64_t *position,
                                    uint64_t most, uint64_t *count, docket_error *error);
docket_status docket__sqlite_purge(void *self, uint64_t most, uint64_t *count, docket_error *error);

/* commit.c: a write transaction under the commit lock. End it in every case once begun; it then is committed if
 * `status` is DOCKET_OK and rolled back otherwise. The result is the status, or why the commit failed. */
docket_status docket__sqlite_begin_write(docket__sqlite *self, docket_error *error);
docket_status docket__sqlite_end_write(docket__sqlite *self, docket_status status, docket_error *error);
docket_status docket__sqlite_commit(void *self, docket_commit *const *commits, size_t count, docket_error *error);
/* Writes one commit. Between begin_write and end_write. */
docket_status docket__sqlite_commit_one(docket__sqlite *self, docket_commit *commit, int64_t now_ms,
                                        docket_error *error);
/* Deletes the expired rows that look-ups met. Between begin_write and end_write. */
docket_status docket__sqlite_delete_stale(docket__sqlite *self, docket_error *error);
/* For a look-up: this row has expired and must never count again. */
void docket__sqlite_note_stale(docket__sqlite *self, int64_t id);

/* effect.c: single commits about effects and crashes. Between begin_write and end_write. */
docket_status docket__sqlite_commit_intent(docket__sqlite *self, docket_commit *commit, int64_t now_ms,
                                           docket_error *error);
docket_status docket__sqlite_commit_doubt(docket__sqlite *self, const docket_commit *commit, docket_error *error);
docket_status docket__sqlite_commit_crash(docket__sqlite *self, const docket_commit *commit, int64_t now_ms,
                                          docket_error *error);
docket_status docket__sqlite_commit_forget(docket__sqlite *self, docket_commit *commit, docket_error *error);
docket_status docket__sqlite_remove_intent(docket__sqlite *self, const docket_intent *intent, bool *removed,
                                           docket_error *error);
docket_status docket__sqlite_clear_crashes(docket__sqlite *self, const docket_key *key, docket_error *error);
docket_status docket__sqlite_effect(void *self, const uint8_t slot[16], docket_effect *effect, docket_arena *arena,
                                    docket_error *error);
docket_status docket__sqlite_effects(void *self, int64_t *position, docket_effect *entries, size_t capacity,
                                     size_t *count, docket_arena *arena, docket_error *error);
docket_status docket__sqlite_crashes(void *self, const docket_key *key, uint32_t *count, docket_error *error);

/* files.c: the files of the depot that a row refers to. The first two between begin_write and end_write: for the row
 * that was inserted last; for one that goes, whose files' names are appended unless `names` is NULL. */
docket_status docket__sqlite_note_files(docket__sqlite *self, const docket_commit *commit, docket_error *error);
docket_status docket__sqlite_drop_files(docket__sqlite *self, int64_t id, docket_buffer *names,
                                        docket_error *error);
/* Removes those of these files that no row refers to any more. Without a transaction. */
docket_status docket__sqlite_discard_files(docket__sqlite *self, docket_bytes names, docket_error *error);

/* ids.c: ids of names, given to new ones. Between begin_write and end_write. */
docket_status docket__ids_execution(docket__sqlite *self, const char *name, int64_t *id, docket_error *error);
docket_status docket__ids_step(docket__sqlite *self, const char *name, int64_t *id, docket_error *error);
docket_status docket__ids_type(docket__sqlite *self, const docket_record *record, docket_bytes schema, int64_t *id,
                               docket_error *error);
/* Drops what another connection may have made wrong. */
docket_status docket__ids_refresh(docket__sqlite *self, docket_error *error);
void docket__ids_clear(docket__ids *ids);

/* transaction.c: transactions of steps. */
bool docket__guard_init(docket__guard *guard);
void docket__guard_destroy(docket__guard *guard); /* no transaction is open any more */
docket_status docket__sqlite_transaction_begin(void *self, const docket_address *address,
                                               docket_transaction *transaction, docket_error *error);
docket_status docket__sqlite_transaction_end(void *self, docket_transaction *transaction, docket_commit *commit,
                                             docket_error *error);

/* log.c: what is done about the write-ahead log. Under the commit lock, outside a transaction. */
void docket__log_init(docket__log *log);
void docket__log_watch(docket__sqlite *self, sqlite3 *db); /* notes the size of the log after its commits */
void docket__log_keep_small(docket__sqlite *self);
void docket__log_tell(docket__sqlite *self); /* without the commit lock */
void docket__log_empty(docket__sqlite *self);

/* views.c: makes the views; like docket__sql_create. */
extern const char *const docket__sql_views[];

#endif
