/* Money moves between accounts in the application's own database, in a process that is killed again and again. Every
 * transfer is booked once, and the sum of all accounts is right whenever one looks. */
#include <docket/docket.h>
#include <docket/sqlite.h>

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "bank.db"
enum { ACCOUNTS = 4, MONEY = 4000, FEW = 10 };

DOCKET_STRUCT(Order, (INT64, number), (INT64, payer), (INT64, payee), (INT64, amount));
DOCKET_STRUCT(Receipt, (INT64, number), (INT64, balance));

/* ---- The step ---- */

static int64_t ask(sqlite3 *db, const char *question, int64_t parameter)
{
    sqlite3_stmt *row = NULL;
    int64_t answer = -1;
    if (sqlite3_prepare_v2(db, question, -1, &row, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(row, 1, parameter);
        answer = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : -1;
    }
    sqlite3_finalize(row);
    return answer;
}

static bool change(sqlite3 *db, const char *sql, int64_t one, int64_t two)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
    if (done) {
        sqlite3_bind_int64(statement, 1, one);
        sqlite3_bind_int64(statement, 2, two);
        done = sqlite3_step(statement) == SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return done;
}

static docket_status book(docket_ctx *ctx, Receipt *out, const Order *order)
{
    sqlite3 *db = docket_ctx_sqlite(ctx);
    out->number = order->number;
    if (!change(db, "UPDATE account SET balance = balance - ?2 WHERE id = ?1", order->payer, order->amount) ||
        !change(db, "UPDATE account SET balance = balance + ?2 WHERE id = ?1", order->payee, order->amount) ||
        !change(db, "INSERT INTO booking (number, amount) VALUES (?1, ?2)", order->number, order->amount)) {
        return docket_fail(ctx, 0, "%s", sqlite3_errmsg(db)); /* nothing of it stays */
    }
    out->balance = ask(db, "SELECT balance FROM account WHERE id = ?1", order->payer);
    return DOCKET_OK; /* now all of it and the receipt are committed together */
}
DOCKET_STEP(book, Receipt, Order);

/* ---- The worker: a process that is killed ---- */

static _Noreturn void give_up(const char *what, const docket_error *error)
{
    fprintf(stderr, "%s: %s: %s\n", what, docket_status_name(error->status), error->message);
    exit(EXIT_FAILURE);
}

/* The application's own connection. It leaves the log to docket: see the guide on SQLite. */
static sqlite3 *open_own(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(FILE_NAME, &db) != SQLITE_OK) {
        fprintf(stderr, "%s cannot be opened: %s\n", FILE_NAME, sqlite3_errmsg(db));
        exit(EXIT_FAILURE);
    }
    sqlite3_wal_autocheckpoint(db, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return db;
}

/* Something that the application writes by itself, outside of any step. */
static void sign_in(docket_store *store, sqlite3 *db)
{
    docket_error error;
    if (docket_sqlite_begin(store, db, &error) != DOCKET_OK) {
        give_up("docket_sqlite_begin", &error);
    }
    bool done = change(db, "INSERT INTO worker (process) VALUES (?1 + ?2)", getpid(), 0);
    if (docket_sqlite_end(store, db, done, &error) != DOCKET_OK) {
        give_up("docket_sqlite_end", &error);
    }
}

static void transfer(docket_graph *graph, int64_t number)
{
    char id[32];
    docket_error error;
    const Order order = {number, number % ACCOUNTS, (number + 1) % ACCOUNTS, 1 + number % 7};
    snprintf(id, sizeof id, "transfer-%" PRId64, number);
    docket_status status = docket_execute(graph,
                                          &(docket_request){
                                              DOCKET_REQUEST_INIT,
                                              .execution_id = id,
                                              .output = DOCKET_OF(Receipt),
                                              DOCKET_INPUTS(DOCKET_IN(Order, &order)),
                                          },
                                          NULL, &error);
    if (status != DOCKET_OK) {
        give_up("docket_execute", &error);
    }
}

/* Transfers from `first` on, up to `last`. Each that docket says is done goes into the pipe. */
static _Noreturn void work(int64_t first, int64_t last, int told)
{
    docket_error error;
    docket_store *store = NULL;
    sqlite3 *db = open_own();
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true};
    if (docket_store_open(&store, "sqlite:" FILE_NAME, &options, &error) != DOCKET_OK) {
        give_up("docket_store_open", &error);
    }
    docket_graph *graph = docket_graph_new("ledger", NULL);
    docket_graph_add(graph, &book_step,
                     &(docket_step_options){
                         DOCKET_STEP_OPTIONS_INIT,
                         .store = store,
                         .scope = DOCKET_SCOPE_WORKFLOW,
                         .effect = DOCKET_EFFECT_TRANSACTION,
                     });
    if (docket_graph_validate(graph, &error) != DOCKET_OK) {
        give_up("docket_graph_validate", &error);
    }
    sign_in(store, db);
    for (int64_t number = first; number <= last; number++) {
        transfer(graph, number);
        if (write(told, &number, sizeof number) != (ssize_t)sizeof number) {
            exit(EXIT_FAILURE);
        }
    }
    docket_graph_free(graph);
    docket_store_close(store);
    sqlite3_close(db);
    exit(EXIT_SUCCESS);
}

/* ---- The parent: kills it, and looks at the books ---- */

typedef struct books {
    int64_t sum, bookings, twice, lost, workers;
} books;

/* `told`: so many transfers have been reported as done. */
static books audit(int64_t told)
{
    sqlite3 *db = open_own();
    sqlite3_busy_timeout(db, 10000);
    books seen = {
        .sum = ask(db, "SELECT sum(balance) FROM account", 0),
        .bookings = ask(db, "SELECT count(*) FROM booking", 0),
        .twice = ask(db, "SELECT count(*) - count(DISTINCT number) FROM booking", 0),
        .workers = ask(db, "SELECT count(*) FROM worker", 0),
    };
    seen.lost = told - ask(db, "SELECT count(DISTINCT number) FROM booking WHERE number < ?1", told);
    sqlite3_close(db);
    return seen;
}

static bool is_right(const books *seen)
{
    return seen->sum == MONEY && seen->twice == 0 && seen->lost == 0;
}

static void found_bank(void)
{
    sqlite3 *db = open_own();
    bool done =
        sqlite3_exec(db,
                     "PRAGMA journal_mode = wal; CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER);"
                     "CREATE TABLE booking (number INTEGER, amount INTEGER);"
                     "CREATE TABLE worker (process INTEGER)",
                     NULL, NULL, NULL) == SQLITE_OK;
    for (int64_t id = 0; id < ACCOUNTS && done; id++) {
        done = change(db, "INSERT INTO account VALUES (?1, ?2)", id, MONEY / ACCOUNTS);
    }
    sqlite3_close(db);
    if (!done) {
        fprintf(stderr, "%s cannot be made; is there one already?\n", FILE_NAME);
        exit(EXIT_FAILURE);
    }
}

/* Runs a worker, and kills it after some milliseconds (0 = not). `*told` is what it reported before. True: it was killed. */
static bool run_worker(int64_t last, long lifetime_ms, int64_t *told)
{
    int ends[2];
    int64_t number, first = *told > FEW ? *told - FEW : 0; /* going back a little: those are done, and stay so */
    if (pipe(ends) != 0) {
        exit(EXIT_FAILURE);
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        work(first, last, ends[1]);
    }
    close(ends[1]);
    if (lifetime_ms > 0) {
        nanosleep(&(struct timespec){.tv_nsec = lifetime_ms * 1000000}, NULL);
        kill(child, SIGKILL);
    }
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
        *told = number + 1 > *told ? number + 1 : *told;
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_SUCCESS) {
        exit(EXIT_FAILURE); /* it has said why */
    }
    return WIFSIGNALED(status);
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? (int)strtol(argv[1], NULL, 10) : FEW;
    int kills = 0, wrong = 0;
    int64_t told = 0;
    printf("=== Ledger: %d accounts, %d in all ===\n\n", ACCOUNTS, MONEY);
    fflush(stdout);
    found_bank();
    while (kills < wanted) {
        kills += run_worker(INT32_MAX, 20 + random() % 60, &told);
        books seen = audit(told);
        wrong += !is_right(&seen);
        if (wanted <= FEW) {
            printf("kill %d: %" PRId64 " transfers booked, sum %" PRId64 "\n", kills, seen.bookings, seen.sum);
            fflush(stdout);
        }
    }
    run_worker(told + FEW, 0, &told);
    books seen = audit(told);
    wrong += !is_right(&seen) || seen.bookings != told;
    printf("\nA last worker comes to its end: %" PRId64 " transfers booked by %" PRId64 " workers, sum %" PRId64
           "\n",
           seen.bookings, seen.workers, seen.sum);
    printf("%d kills: lost %" PRId64 ", booked twice %" PRId64 ", wrong sums %d\n", kills, seen.lost, seen.twice,
           wrong);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
