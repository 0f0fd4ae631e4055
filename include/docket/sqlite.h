/** @page docket_sqlite  SQLite: sharing one database file with the application, and asking it what was recorded.
 *
 * With `shared_database` docket keeps its tables, under their prefix, in the application's own SQLite file. It never
 * touches application_id, user_version or the settings of other connections.
 *
 * SQLite versions before 3.51.3, except 3.50.7 and 3.44.6 with what follows in these two lines, can lose pages when a
 * log checkpoint races a commit that restarts the log. docket's own connections never race: they never checkpoint by
 * themselves, and commit only under docket's commit lock. A connection of the application joins them by writing between
 * docket_sqlite_begin and docket_sqlite_end, and by switching off its own log checkpoints (`PRAGMA
 * wal_autocheckpoint=0` and SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE). Readers are harmless. Source: SQLite release notes,
 * 3.51.3.
 */
#ifndef DOCKET_SQLITE_H
#define DOCKET_SQLITE_H

#include <docket/store.h>

struct sqlite3;

DOCKET_BEGIN_DECLS

/** The connection of a transactional step (`.effect = DOCKET_EFFECT_TRANSACTION`) whose store is an SQLite file. It is
 * the step's own, fresh for each attempt, and inside a transaction: what the function writes through it and the step's
 * record are committed together when the function has returned DOCKET_OK or an absence, or neither is. After any other
 * status, after the attempt's time limit, or when the process dies, nothing of it is there.
 *
 * - COMMIT, ROLLBACK and END are docket's: a step that says one of them fails, and nothing of it is there. Savepoints are
 *   the step's to use.
 * - A trigger, a view, a foreign key behaves as on any connection; `PRAGMA foreign_keys` does nothing inside a
 *   transaction, sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) does.
 * - Databases cannot be attached: a commit over several files would not be one. The commit, rollback, progress and log
 *   hooks, and the authorizer, are docket's.
 * - No other connection can write meanwhile, and nothing else of this store is recorded: keep it short. An execution that
 *   would record in the same store, docket_sqlite_begin, docket_checkpoint_forget and docket_store_purge answer
 *   DOCKET_CONFLICT inside the function.
 * - After the limit every statement fails, however long the function still runs.
 *
 * Owns: docket; finalize your statements, and never close it.
 * Valid until: the function returns, functions of docket_defer included.
 * Threads: those that the function waits for.
 * Returns: NULL outside of a transactional step, and for a store that is not SQLite.
 * See: docket_step_options. */
DOCKET_API struct sqlite3 *docket_ctx_sqlite(docket_ctx *ctx);

/** Takes the store's commit lock and begins a write transaction (BEGIN IMMEDIATE) on the application's connection to
 * the same file. Commits of steps wait meanwhile: keep it short, and execute nothing recorded on this store inside.
 *
 * Owns: the caller keeps `db` and calls docket_sqlite_end, always, when this returned DOCKET_OK.
 * Threads: any that may use `db`; one transaction at a time per store, others wait.
 * Returns:
 * - DOCKET_INVALID: a NULL, a store that is not SQLite, a connection to another file or inside a transaction.
 * - DOCKET_CONFLICT: called inside a transactional step of this store.
 * - DOCKET_FORKED: the store was opened before fork.
 * - DOCKET_STORE: the lock or the transaction was not to be had within busy_timeout_ms. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_sqlite_begin(docket_store *store, struct sqlite3 *db,
                                                               docket_error *error);

/** Commits (or, with `commit` false, rolls back) and gives the lock back, also when the commit fails.
 *
 * Threads: any that may use `db`.
 * Durable: on DOCKET_OK, as the connection's own synchronous setting says.
 * Returns:
 * - DOCKET_INVALID: docket_sqlite_begin was not called with this connection.
 * - DOCKET_STORE: the transaction was rolled back; the message is SQLite's. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_sqlite_end(docket_store *store, struct sqlite3 *db, bool commit,
                                                             docket_error *error);

/** Registers the SQL function docket_json on a connection of the application to any database file with a docket store.
 * The views of the store then show what was recorded, and nothing is changed by looking:
 *
 *     SELECT execution, json_extract(value, '$.status') FROM docket_checkpoints_json
 *      WHERE step = 'charge' AND json_extract(value, '$.status') = 'failed';
 *
 * `<prefix>checkpoints` has one row per entry, and needs no function: id, execution, step, step_version, scope
 * ('workflow', 'global'), type, kind ('value', 'absent', 'failure', 'items', 'chunk'), created_ms, expires_ms (NULL = never), duration_ms,
 * attempts, size_bytes, key (hexadecimal), status and code (of a failure), message (of a failure or an absence).
 * `<prefix>checkpoints_json` has the same columns and `value`: as docket_checkpoint_json, of values, else NULL. A value
 * that cannot be shown (it does not match its checksum, or is of a newer docket) is {"@error":"…"}.
 *
 * Owns: the connection; the function goes with it.
 * Threads: any that may use `db`.
 * Returns:
 * - DOCKET_INVALID: `db` is NULL.
 * - DOCKET_STORE: SQLite refused; the message is its own.
 * - DOCKET_NO_MEMORY
 * See: docket_checkpoint_json. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_sqlite_register(struct sqlite3 *db, docket_error *error);

DOCKET_END_DECLS

#endif
