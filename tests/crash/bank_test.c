/* Money moved between accounts in the application's own database, by transactional steps and by the application itself,
 * in processes that are killed: at every system call of a transfer, and at random times with two of them at work on the
 * same transfers. Whenever one looks, the sum of all accounts is right, and a transfer is booked once if it is recorded
 * and not at all if it is not. */
#include "crash/hook.h"
#include "support/child.h"
#include "support/run.h"
#include "support/site.h"

#include <docket/sqlite.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ACCOUNTS = 8, MONEY = 8000, LIMIT_MS = 60000, MOST_CALLS = 2000, TRANSFERS = 40 };

DOCKET_STRUCT(Transfer, (INT64, number));
DOCKET_STRUCT(Checked, (INT64, payer), (INT64, payee), (INT64, amount));
DOCKET_STRUCT(Booked, (INT64, number), (INT64, left));

/* ---- The bank ---- */

typedef struct bank {
    docket_store *store;
    docket_graph *graph;
    sqlite3 *db; /* the application's own connection */
} bank;

static int64_t ask(sqlite3 *db, const char *question)
{
    sqlite3_stmt *row = NULL;
    int64_t answer = -1;
    if (sqlite3_prepare_v2(db, question, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW) {
        answer = sqlite3_column_int64(row, 0);
    }
    sqlite3_finalize(row);
    return answer;
}

static docket_status check(docket_ctx *ctx, Checked *out, const Transfer *in)
{
    (void)ctx;
    *out = (Checked){in->number % ACCOUNTS, (in->number + 3) % ACCOUNTS, 1 + in->number % 7};
    return DOCKET_OK;
}
DOCKET_STEP(check, Checked, Transfer);

static docket_status book(docket_ctx *ctx, Booked *out, const Checked *checked, const Transfer *in)
{
    char text[400];
    sqlite3 *db = docket_ctx_sqlite(ctx);
    snprintf(text, sizeof text,
             "UPDATE account SET balance = balance - %d WHERE id = %d; INSERT INTO booking (number) VALUES (%d);"
             "UPDATE account SET balance = balance + %d WHERE id = %d",
             (int)checked->amount, (int)checked->payer, (int)in->number, (int)checked->amount, (int)checked->payee);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        return docket_fail(ctx, 0, "%s", sqlite3_errmsg(db));
    }
    *out = (Booked){in->number, ask(db, "SELECT count(*) FROM booking")};
    return DOCKET_OK;
}
DOCKET_STEP(book, Booked, Checked, Transfer);

static void path_of(const char *folder_path, char path[200])
{
    snprintf(path, 200, "%s/bank.db", folder_path);
}

static sqlite3 *open_own(const char *folder_path)
{
    char path[200];
    sqlite3 *db = NULL;
    path_of(folder_path, path);
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        abort();
    }
    sqlite3_wal_autocheckpoint(db, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(db, 10000);
    return db;
}

static void found(const char *folder_path)
{
    char text[200];
    sqlite3 *db = open_own(folder_path);
    sqlite3_exec(db,
                 "PRAGMA journal_mode=wal; CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
                 "CREATE TABLE booking (number INTEGER NOT NULL)",
                 NULL, NULL, NULL);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(text, sizeof text, "INSERT INTO account VALUES (%d, %d)", i, MONEY / ACCOUNTS);
        sqlite3_exec(db, text, NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

static bool enter(bank *self, const char *folder_path)
{
    char path[200], url[220];
    docket_error error = DOCKET_ERROR_INIT;
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .shared_database = true};
    path_of(folder_path, path);
    snprintf(url, sizeof url, "sqlite:%s", path);
    *self = (bank){.db = open_own(folder_path)};
    if (docket_store_open(&self->store, url, &options, &error) != DOCKET_OK) {
        fprintf(stderr, "bank: %s\n", error.message);
        return false;
    }
    docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .scope = DOCKET_SCOPE_WORKFLOW};
    self->graph =
        docket_graph_new("bank", &(docket_graph_options){DOCKET_GRAPH_OPTIONS_INIT, .store = self->store});
    docket_graph_add(self->graph, &check_step, &recorded);
    recorded.effect = DOCKET_EFFECT_TRANSACTION;
    docket_graph_add(self->graph, &book_step, &recorded);
    return docket_graph_validate(self->graph, &error) == DOCKET_OK;
}

static void leave(bank *self)
{
    docket_graph_free(self->graph);
    docket_store_close(self->store);
    sqlite3_close(self->db);
}

static bool transfer(bank *self, int64_t number)
{
    char id[32];
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const Transfer wanted = {number};
    snprintf(id, sizeof id, "transfer-%d", (int)number);
    docket_status status =
        docket_execute(self->graph,
                       &(docket_request){DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Booked),
                                         DOCKET_INPUTS(DOCKET_IN(Transfer, &wanted))},
                       &result, &error);
    bool done = status == DOCKET_OK && DOCKET_RESULT(result, Booked)->number == number;
    docket_result_free(result);
    if (!done) {
        fprintf(stderr, "bank: %s: %s\n", docket_status_name(status), error.message);
    }
    return done;
}

/* The application moves money by itself. */
static bool move_one(bank *self)
{
    docket_error error = DOCKET_ERROR_INIT;
    if (docket_sqlite_begin(self->store, self->db, &error) != DOCKET_OK) {
        fprintf(stderr, "bank: %s\n", error.message);
        return false;
    }
    bool done = sqlite3_exec(self->db,
                             "UPDATE account SET balance = balance - 1 WHERE id = 0;"
                             "UPDATE account SET balance = balance + 1 WHERE id = 1",
                             NULL, NULL, NULL) == SQLITE_OK;
    return docket_sqlite_end(self->store, self->db, done, &error) == DOCKET_OK && done;
}

/* ---- The books ---- */

static const char recorded_bookings[] = "SELECT count(*) FROM docket_checkpoint c JOIN docket_step s ON s.id = "
                                        "c.step WHERE s.name = 'book' AND c.kind = 1";

/* The number of bookings. */
static int64_t audit(const char *folder_path)
{
    sqlite3 *db = open_own(folder_path);
    assert_int_equal(ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    assert_int_equal(ask(db, "SELECT sum(balance) FROM account"), MONEY);
    int64_t bookings = ask(db, "SELECT count(*) FROM booking");
    assert_int_equal(ask(db, "SELECT count(DISTINCT number) FROM booking"), bookings);
    bool has_store = ask(db, "SELECT count(*) FROM sqlite_master WHERE name = 'docket_checkpoint'") == 1;
    assert_int_equal(has_store ? ask(db, recorded_bookings) : 0, bookings);
    sqlite3_close(db);
    return bookings;
}

/* ---- Killed at each system call ---- */

static hook_action chosen_action;
static long chosen_number;

static int transfer_and_be_hit(const char *folder_path)
{
    bank self;
    if (!enter(&self, folder_path)) {
        return 1;
    }
    hook_begin(chosen_action, chosen_number, 0);
    bool done = transfer(&self, 1);
    hook_end();
    leave(&self);
    return !done;
}

static int transfer_again(const char *folder_path)
{
    bank self;
    bool done = enter(&self, folder_path) && transfer(&self, 1) && move_one(&self);
    leave(&self);
    return !done;
}

static pid_t start(int (*function)(const char *folder_path), const char *folder_path)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exit(function(folder_path));
    }
    return child;
}

/* False: the child came to its end. */
static bool kill_once(long *booked)
{
    folder place = folder_make();
    found(place.path);
    int ended = child_wait(start(transfer_and_be_hit, place.path), LIMIT_MS);
    bool struck = hook_struck();
    if (ended != (struck ? -SIGKILL : 0)) {
        fail_msg("call %ld: the child ended with %d", chosen_number, ended);
    }
    *booked += audit(place.path);
    assert_int_equal(child_wait(start(transfer_again, place.path), LIMIT_MS), 0);
    assert_int_equal(audit(place.path), 1);
    folder_remove(&place);
    return struck;
}

static void kill_at_each(hook_action action)
{
    long booked = 0;
    chosen_action = action;
    chosen_number = 1;
    while (kill_once(&booked)) {
        chosen_number++;
        assert_true(chosen_number < MOST_CALLS);
    }
    print_message("%ld kills, %ld after the booking\n", chosen_number - 1, booked - 1);
    assert_true(hook_count(HOOK_WRITE) > 5 && chosen_number > 5);
}

static void killed_before_each_call(void **state)
{
    (void)state;
    kill_at_each(HOOK_KILL_BEFORE);
}

static void killed_within_each_write(void **state)
{
    (void)state;
    kill_at_each(HOOK_KILL_WITHIN);
}

static void killed_after_each_call(void **state)
{
    (void)state;
    kill_at_each(HOOK_KILL_AFTER);
}

/* ---- Killed at random, two at a time ---- */

static int transfer_all(const char *folder_path)
{
    bank self;
    bool done = enter(&self, folder_path);
    for (int64_t i = 0; i < TRANSFERS && done; i++) {
        done = transfer(&self, i) && (i % 4 != 0 || move_one(&self));
    }
    leave(&self);
    return !done;
}

static void killed_at_random_times(void **state)
{
    (void)state;
    folder place = folder_make();
    uint64_t seed = site_seed();
    long kills = 0, rounds = 0, wanted = site_count(60, 500);
    while (kills < wanted) {
        if (rounds == 0) { /* a new bank whenever all is done */
            folder_remove(&place);
            place = folder_make();
            found(place.path);
        }
        pid_t children[] = {start(transfer_all, place.path), start(transfer_all, place.path)};
        usleep((useconds_t)(site_random(&seed) % 60000));
        kill(children[kills % 2], SIGKILL);
        int killed = child_wait(children[kills % 2], LIMIT_MS);
        assert_true(killed == -SIGKILL || killed == 0);
        if (site_random(&seed) % 2 == 0) {
            kill(children[(kills + 1) % 2], SIGKILL);
        }
        int other = child_wait(children[(kills + 1) % 2], LIMIT_MS);
        assert_true(other == -SIGKILL || other == 0);
        kills += (killed == -SIGKILL) + (other == -SIGKILL);
        rounds = audit(place.path) == TRANSFERS ? 0 : rounds + 1;
    }
    assert_int_equal(child_wait(start(transfer_all, place.path), LIMIT_MS), 0);
    assert_int_equal(audit(place.path), TRANSFERS);
    print_message("%ld kills\n", kills);
    folder_remove(&place);
}

int main(void)
{
    const struct CMUnitTest brief[] = {
        cmocka_unit_test(killed_before_each_call),
        cmocka_unit_test(killed_within_each_write),
        cmocka_unit_test(killed_at_random_times),
    };
    const struct CMUnitTest complete[] = {
        cmocka_unit_test(killed_before_each_call),
        cmocka_unit_test(killed_within_each_write),
        cmocka_unit_test(killed_after_each_call),
        cmocka_unit_test(killed_at_random_times),
    };
    hook_install();
    return site_count(0, 1) != 0 ? cmocka_run_group_tests_name("bank", complete, NULL, NULL)
                                 : cmocka_run_group_tests_name("bank", brief, NULL, NULL);
}
