/* Transactions of steps: the effect of a step on the store's own database, and its checkpoint, in one commit.
 *
 * A transaction holds the commit lock from its beginning to its end. The step works on a connection of its own, which
 * belongs to the program's threads as much as to docket's (SQLITE_OPEN_FULLMUTEX). A commit hook refuses every commit
 * but docket's. The record goes through the same connection, just before that commit; for so long it is self->writer->
 *
 * At its limit the store's guarding thread interrupts the statement under way, rolls back and gives the lock back,
 * whether the step ever returns or not. From then on nothing can be done with the connection: no statement compiles,
 * those that were compiled must be compiled again, and those in the middle of their rows are interrupted. Statements are
 * not reset meanwhile, as the step may be looking at a row. Only a thread that never leaves a callback which SQLite made
 * cannot be got out of the way: the guarding thread then waits for it, and others for the lock.
 *
 * OPEN -> ENDING (by transaction_end), or OPEN -> STRIKING -> STRUCK (by the guarding thread); whoever moves it away from
 * OPEN, under guard.lock, ends it. */
#include "store/sqlite/inside.h"

#include "base/error.h"
#include "base/memory.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { OPERATIONS = 1000 /* of SQLite's machine, between looks at whether the time is up: some microseconds */ };

typedef enum transaction_state { OPEN, ENDING, STRIKING, STRUCK } transaction_state;

typedef struct docket__step_transaction {
    docket__sqlite *store;
    docket__connection connection;
    transaction_state state; /* guarded by guard.lock */
    atomic_bool is_over;     /* no statement may go on */
    int64_t limit_ms;
    int64_t end_ns;   /* real time: the kernel's locks are held */
    bool is_ours;     /* COMMIT or ROLLBACK is docket's own; guarded by the connection's mutex, as the next */
    bool rolled_back; /* by the program, or by SQLite after an error */
} step_transaction;

static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t after_ms(int64_t limit_ms)
{
    int64_t end_ns;
    if (__builtin_mul_overflow(limit_ms, INT64_C(1000000), &end_ns) ||
        __builtin_add_overflow(end_ns, real_now_ns(), &end_ns)) {
        end_ns = INT64_MAX;
    }
    return end_ns;
}

/* ---- Who may commit ---- */

static int judge_commit(void *arg)
{
    const step_transaction *transaction = arg;
    return transaction->is_ours ? 0 : 1;
}

static void note_rollback(void *arg)
{
    step_transaction *transaction = arg;
    transaction->rolled_back = transaction->rolled_back || !transaction->is_ours;
}

static int judge_progress(void *arg)
{
    step_transaction *transaction = arg;
    return atomic_load(&transaction->is_over) && !transaction->is_ours;
}

static int refuse(void *arg)
{
    (void)arg;
    return 1;
}

static int refuse_statement(void *arg, int action, const char *one, const char *two, const char *three,
                            const char *four)
{
    (void)arg;
    (void)action;
    (void)one;
    (void)two;
    (void)three;
    (void)four;
    return SQLITE_DENY;
}

/* With the connection's mutex, outside a transaction. Nothing of the connection points to docket's memory any more. */
static void poison(sqlite3 *db)
{
    sqlite3_commit_hook(db, refuse, NULL);
    sqlite3_progress_handler(db, 1, refuse, NULL);
    sqlite3_rollback_hook(db, NULL, NULL);
    sqlite3_wal_hook(db, NULL, NULL);
    sqlite3_busy_handler(db, NULL, NULL);
    sqlite3_set_authorizer(db, refuse_statement, NULL); /* makes all statements be compiled again */
}

/* ---- The end of a transaction ---- */

static docket_status run_own(step_transaction *transaction, docket__sql which, docket_error *error)
{
    sqlite3_mutex *mutex = sqlite3_db_mutex(transaction->connection.db);
    sqlite3_mutex_enter(mutex);
    transaction->is_ours = true;
    docket_status status = docket__connection_run(&transaction->connection, which, error);
    transaction->is_ours = false;
    sqlite3_mutex_leave(mutex);
    return status;
}

static void roll_back(step_transaction *transaction)
{
    docket_error ignored = DOCKET_ERROR_INIT;
    sqlite3_mutex *mutex = sqlite3_db_mutex(transaction->connection.db);
    sqlite3_mutex_enter(mutex);
    if (!sqlite3_get_autocommit(transaction->connection.db)) {
        run_own(transaction, DOCKET__SQL_ROLLBACK, &ignored);
    }
    poison(transaction->connection.db);
    sqlite3_mutex_leave(mutex);
}

/* On the guarding thread. A statement under way holds the connection's mutex until it notices. sqlite3_interrupt would not
 * do: as long as statements are in the middle of their rows, it stops ROLLBACK as well. */
static void strike(step_transaction *transaction)
{
    atomic_store(&transaction->is_over, true);
    roll_back(transaction);
    docket__side_give(&transaction->store->side);
}

/* ---- The guarding thread ---- */

/* With guard->lock held. */
static void wait_until(docket__guard *guard, int64_t end_ns)
{
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000), .tv_nsec = (long)(end_ns % 1000000000)};
    guard->wake_ns = end_ns;
    pthread_cond_timedwait(&guard->changed, &guard->lock, &end);
}

static void *guard_transactions(void *arg)
{
    docket__guard *guard = arg;
    pthread_mutex_lock(&guard->lock);
    while (!guard->stopping) {
        step_transaction *transaction = guard->open;
        int64_t end_ns = transaction == NULL ? INT64_MAX : transaction->end_ns;
        if (real_now_ns() < end_ns) {
            wait_until(guard, end_ns);
            continue;
        }
        guard->open = NULL;
        transaction->state = STRIKING;
        pthread_mutex_unlock(&guard->lock);
        strike(transaction);
        pthread_mutex_lock(&guard->lock);
        transaction->state = STRUCK;
        pthread_cond_broadcast(&guard->changed);
    }
    pthread_mutex_unlock(&guard->lock);
    return NULL;
}

/* With guard->lock held. Signals belong to the host's threads. */
static bool start_guarding(docket__guard *guard)
{
    if (!guard->started) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        guard->started = pthread_create(&guard->thread, NULL, guard_transactions, guard) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return guard->started;
}

static docket_status begin_guard(step_transaction *transaction, docket_error *error)
{
    docket__guard *guard = &transaction->store->guard;
    pthread_mutex_lock(&guard->lock);
    bool started = start_guarding(guard);
    if (started) {
        guard->open = transaction;
        if (transaction->end_ns < guard->wake_ns) {
            pthread_cond_broadcast(&guard->changed);
        }
    }
    pthread_mutex_unlock(&guard->lock);
    return started ? DOCKET_OK
                   : docket__error_set(error, DOCKET_NO_MEMORY,
                                       "the thread that guards transactions cannot be started");
}

/* True: the transaction is open, and the caller's to end. False: it was rolled back at its limit. */
static bool end_guard(step_transaction *transaction)
{
    docket__guard *guard = &transaction->store->guard;
    pthread_mutex_lock(&guard->lock);
    bool ours = transaction->state == OPEN;
    if (ours) {
        transaction->state = ENDING;
        guard->open = NULL;
    }
    while (transaction->state == STRIKING) {
        pthread_cond_wait(&guard->changed, &guard->lock);
    }
    pthread_mutex_unlock(&guard->lock);
    return ours;
}

bool docket__guard_init(docket__guard *guard)
{
    pthread_condattr_t monotonic;
    *guard = (docket__guard){.wake_ns = INT64_MAX};
    if (pthread_mutex_init(&guard->lock, NULL) != 0) {
        return false;
    }
    bool made = pthread_condattr_init(&monotonic) == 0;
    if (made) {
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        made = pthread_cond_init(&guard->changed, &monotonic) == 0;
        pthread_condattr_destroy(&monotonic);
    }
    if (!made) {
        pthread_mutex_destroy(&guard->lock);
    }
    return made;
}

void docket__guard_destroy(docket__guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    bool started = guard->started;
    guard->stopping = true;
    pthread_cond_broadcast(&guard->changed);
    pthread_mutex_unlock(&guard->lock);
    if (started) {
        pthread_join(guard->thread, NULL);
    }
    pthread_cond_destroy(&guard->changed);
    pthread_mutex_destroy(&guard->lock);
}

/* ---- Beginning ---- */

static docket_status execute(docket__connection *connection, const char *text, docket_error *error)
{
    int code = sqlite3_exec(connection->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? DOCKET_OK : docket__connection_fail(connection, code, text, error);
}

/* What ends the transaction is compiled before it begins, and needs no memory then. Databases cannot be attached: a
 * commit over several files is not atomic with a write-ahead log. */
static docket_status open_connection(step_transaction *transaction, docket_error *error)
{
    docket__sqlite *self = transaction->store;
    docket__connection *connection = &transaction->connection;
    docket__sqlite_prepare_connection(self, connection);
    connection->serves_program = true;
    docket_status status = docket__connection_open(connection, self->path.file, SQLITE_OPEN_READWRITE, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = execute(connection,
                     self->options.durability == DOCKET_DURABILITY_FULL ? "PRAGMA synchronous = FULL"
                                                                        : "PRAGMA synchronous = NORMAL",
                     error);
    if (status == DOCKET_OK && (docket__connection_statement(connection, DOCKET__SQL_COMMIT, error) == NULL ||
                                docket__connection_statement(connection, DOCKET__SQL_ROLLBACK, error) == NULL)) {
        status = error->status;
    }
    sqlite3_limit(connection->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_commit_hook(connection->db, judge_commit, transaction);
    sqlite3_rollback_hook(connection->db, note_rollback, transaction);
    sqlite3_progress_handler(connection->db, OPERATIONS, judge_progress, transaction);
    docket__log_watch(self, connection->db);
    return status;
}

/* Under the commit lock, with an open connection. */
static docket_status begin(step_transaction *transaction, const docket_address *address, docket_record **existing,
                           docket_error *error)
{
    docket__sqlite *self = transaction->store;
    docket_found found;
    docket_status status = docket__sqlite_check_file(self, error);
    if (status == DOCKET_OK) {
        docket__log_keep_small(self);
        status = docket__connection_run(&transaction->connection, DOCKET__SQL_BEGIN, error);
    }
    if (status == DOCKET_OK && address != NULL) {
        status = docket__sqlite_find(self, &transaction->connection, address, &found, existing, error);
    }
    if (status == DOCKET_OK) {
        transaction->end_ns = after_ms(transaction->limit_ms);
        status = begin_guard(transaction, error);
    }
    return status;
}

static void dispose(step_transaction *transaction)
{
    docket__connection_close(&transaction->connection);
    docket__free(transaction);
}

docket_status docket__sqlite_transaction_begin(void *handle, const docket_address *address,
                                               docket_transaction *transaction, docket_error *error)
{
    docket__sqlite *self = handle;
    step_transaction *made = docket__allocate(sizeof *made);
    if (made == NULL) {
        return docket__error_no_memory(error);
    }
    *made = (step_transaction){.store = self, .limit_ms = transaction->limit_ms};
    docket_status status = open_connection(made, error);
    if (status == DOCKET_OK) {
        status = docket__side_take(&self->side, self->options.busy_timeout_ms, made->limit_ms, error);
    }
    if (status == DOCKET_OK) {
        status = begin(made, address, &transaction->existing, error);
        if (status != DOCKET_OK) {
            roll_back(made);
            docket__side_give(&self->side);
        }
    }
    if (status != DOCKET_OK) {
        docket_record_free(transaction->existing);
        transaction->existing = NULL;
        dispose(made);
        return status;
    }
    transaction->self = made;
    transaction->kind = "sqlite";
    transaction->connection = made->connection.db;
    return DOCKET_OK;
}

/* ---- Ending ---- */

/* The step may have left statements in the middle of their rows: those that write would keep COMMIT from happening. */
static void reset_statements(sqlite3 *db)
{
    for (sqlite3_stmt *left = sqlite3_next_stmt(db, NULL); left != NULL; left = sqlite3_next_stmt(db, left)) {
        if (sqlite3_stmt_busy(left)) {
            sqlite3_reset(left);
        }
    }
}

/* A record takes its slot from an intent; here both come in one transaction. */
static docket_status take_slot(docket__sqlite *self, docket_commit *commit, int64_t now_ms, docket_error *error)
{
    docket_commit intent = *commit;
    if (commit->intent == NULL) {
        return DOCKET_OK;
    }
    intent.kind = DOCKET_COMMIT_INTENT;
    docket_status status = docket__sqlite_commit_one(self, &intent, now_ms, error);
    commit->status = intent.status;
    return status;
}

static docket_status record(step_transaction *transaction, docket_commit *commit, docket_error *error)
{
    docket__sqlite *self = transaction->store;
    docket__ids_clear(&self->ids);
    self->writer = &transaction->connection;
    int64_t now_ms = docket__wall_now_ms(&self->wall);
    docket_status status = take_slot(self, commit, now_ms, error);
    if (status == DOCKET_OK && commit->status == DOCKET_OK) {
        status = docket__sqlite_commit_one(self, commit, now_ms, error);
    }
    self->writer = &self->own;
    docket__ids_clear(&self->ids);
    return status;
}

static docket_status run_commit(step_transaction *transaction, docket_error *error)
{
    docket_status status = run_own(transaction, DOCKET__SQL_COMMIT, error);
    if (status == DOCKET_STORE && (error->code & 0xff) == SQLITE_CONSTRAINT) {
        docket__error_set(error, DOCKET_FAILED, "the step's transaction cannot be committed: %s",
                          sqlite3_errmsg(transaction->connection.db));
    }
    return status != DOCKET_OK ? error->status : DOCKET_OK;
}

/* A commit that is refused, or meets a live record, leaves nothing of the step's effect. */
static docket_status commit_all(step_transaction *transaction, docket_commit *commit, docket_error *error)
{
    sqlite3 *db = transaction->connection.db;
    if (transaction->rolled_back || sqlite3_get_autocommit(db)) {
        return docket__error_set(
            error, DOCKET_FAILED,
            "the step's transaction was rolled back before the step returned OK: by the step, "
            "with ROLLBACK or COMMIT, which are docket's (savepoints are not), or by SQLite after "
            "an error that the step passed over");
    }
    reset_statements(db);
    docket_status status = docket__sqlite_check_file(transaction->store, error);
    if (status == DOCKET_OK) {
        status = record(transaction, commit, error);
    }
    if (status == DOCKET_OK && commit->status == DOCKET_OK && commit->existing == NULL) {
        status = run_commit(transaction, error);
    }
    return status;
}

docket_status docket__sqlite_transaction_end(void *handle, docket_transaction *transaction, docket_commit *commit,
                                             docket_error *error)
{
    docket__sqlite *self = handle;
    step_transaction *ended = transaction->self;
    docket_status status = DOCKET_OK;
    if (end_guard(ended)) {
        status = commit != NULL ? commit_all(ended, commit, error) : DOCKET_OK;
        roll_back(ended); /* what was not committed */
        docket__side_give(&self->side);
        docket__log_tell(self);
    } else {
        status = docket__error_set(error, DOCKET_TIMEOUT,
                                   "the step's transaction reached its limit of %lld ms and was rolled back",
                                   (long long)ended->limit_ms);
    }
    reset_statements(ended->connection.db);
    dispose(ended);
    *transaction = (docket_transaction){.struct_size = sizeof *transaction};
    return status;
}
