#include "crash/subject.h"
#include "crash/hook.h"
#include "support/folder.h"
#include "support/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

DOCKET_STRUCT(Raw, (STRING, source));
DOCKET_STRUCT(Ingested, (STRING, text), (INT64, entry));
DOCKET_STRUCT(Processed, (INT64, letters), (INT64, entry));
DOCKET_STRUCT(Enriched, (INT64, score), (INT64, entry));

const char *const subject_steps[SUBJECT_STEPS] = {"ingest", "process", "enrich"};

static const subject *enter(docket_ctx *ctx)
{
    const subject *self = docket_ctx_user(ctx);
    hook_pause();
    ledger_note(self->folder, "%s", docket_ctx_step_name(ctx));
    hook_resume();
    if (self->nap_us > 0) {
        usleep((unsigned)random() % self->nap_us);
    }
    return self;
}

static docket_status ingest(docket_ctx *ctx, Ingested *out, const Raw *raw)
{
    const subject *self = enter(ctx);
    out->text = docket_printf(ctx, "ingested_%s", raw->source);
    out->entry = ledger_count(self->folder, "ingest");
    return DOCKET_OK;
}
DOCKET_STEP(ingest, Ingested, Raw);

static docket_status process(docket_ctx *ctx, Processed *out, const Ingested *ingested)
{
    enter(ctx);
    out->letters = (int64_t)strlen(ingested->text);
    out->entry = ingested->entry;
    return DOCKET_OK;
}
DOCKET_STEP(process, Processed, Ingested);

static docket_status enrich(docket_ctx *ctx, Enriched *out, const Processed *processed)
{
    enter(ctx);
    out->score = processed->letters * 100;
    out->entry = processed->entry;
    return DOCKET_OK;
}
DOCKET_STEP(enrich, Enriched, Processed);

static void note_commit(void *arg, const docket_event *event)
{
    const subject *self = arg;
    if (event->kind == DOCKET_EVENT_COMMIT && event->status == DOCKET_OK) {
        hook_pause();
        ledger_note(self->folder, "committed-%s", event->step);
        hook_resume();
    }
}

long subject_entries(const subject *self, int step)
{
    return ledger_count(self->folder, "%s", subject_steps[step]);
}

long subject_commits(const subject *self, int step)
{
    return ledger_count(self->folder, "committed-%s", subject_steps[step]);
}

static subject_end tell(subject_end end, const docket_error *error)
{
    hook_pause();
    fprintf(stderr, "subject: %s: %s\n", docket_status_name(error->status), error->message);
    hook_resume();
    return error->status == DOCKET_STORE ? end : SUBJECT_WRONG_STATUS;
}

static docket_graph *build(const subject *self, docket_store *store, docket_error *error)
{
    const docket_observer observer = {note_commit, (void *)(uintptr_t)self};
    const docket_graph_options options = {DOCKET_GRAPH_OPTIONS_INIT, .store = store, .observers = &observer,
                                          .observer_count = 1};
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .user = (void *)(uintptr_t)self,
                                          .scope = self->scope, .commit = self->commit};
    docket_graph *graph = docket_graph_new("subject", &options);
    docket_graph_add_all(graph, &recorded, DOCKET_STEPS(ingest, process, enrich));
    if (docket_graph_validate(graph, error) != DOCKET_OK) {
        docket_graph_free(graph);
        graph = NULL;
    }
    return graph;
}

static docket_status open_store(const subject *self, docket_store **store, docket_error *error)
{
    char url[256];
    const docket_store_options options = {DOCKET_STORE_OPTIONS_INIT, .durability = self->durability,
                                          .retry_budget_ms = self->impatient ? -1 : 0,
                                          .busy_timeout_ms = self->impatient ? 50 : 0};
    snprintf(url, sizeof url, "sqlite:%s/store.db", self->folder);
    return docket_store_open(store, url, &options, error);
}

static bool is_right(const subject *self, const Enriched *value)
{
    long entry = subject_entries(self, 0);
    if (value != NULL && value->score == 1800 && value->entry == entry) {
        return true;
    }
    fprintf(stderr, "subject: score %lld of entry %lld, there were %ld entries\n",
            value == NULL ? -1LL : (long long)value->score, value == NULL ? -1LL : (long long)value->entry, entry);
    return false;
}

static subject_end execute(const subject *self, docket_graph *graph, bool must_restore)
{
    char id[64];
    docket_error error = DOCKET_ERROR_INIT;
    docket_result *result = NULL;
    const Raw raw = {.source = "test_data"};
    static int serial;
    snprintf(id, sizeof id, self->scope == DOCKET_SCOPE_GLOBAL ? "run-%d-%d" : "run", (int)getpid(), serial++);
    const docket_request request = {DOCKET_REQUEST_INIT, .execution_id = id, .output = DOCKET_OF(Enriched),
                                    DOCKET_INPUTS(DOCKET_IN(Raw, &raw))};
    if (docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
        docket_result_free(result);
        return tell(SUBJECT_NOT_EXECUTED, &error);
    }
    subject_end end = is_right(self, DOCKET_RESULT(result, Enriched)) ? SUBJECT_OK : SUBJECT_WRONG_VALUE;
    const docket_type *const types[] = {DOCKET_OF(Ingested), DOCKET_OF(Processed), DOCKET_OF(Enriched)};
    for (int i = 0; must_restore && i < SUBJECT_STEPS; i++) {
        docket_value_state state = docket_result_state(result, types[i]);
        if (state != DOCKET_VALUE_RESTORED && state != DOCKET_VALUE_NOT_REACHED) {
            end = SUBJECT_RAN_AGAIN;
        }
    }
    docket_result_free(result);
    return end;
}

static subject_end work(const subject *self, int rounds)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    if (open_store(self, &store, &error) != DOCKET_OK) {
        return tell(SUBJECT_NOT_OPENED, &error);
    }
    if (self->opened != NULL) {
        self->opened();
    }
    docket_graph *graph = build(self, store, &error);
    subject_end end = graph == NULL ? tell(SUBJECT_NOT_EXECUTED, &error) : SUBJECT_OK;
    for (int i = 0; i < rounds && end == SUBJECT_OK; i++) {
        end = execute(self, graph, i > 0);
    }
    docket_graph_free(graph);
    docket_store_close(store);
    return end;
}

subject_end subject_work(const subject *self)
{
    return work(self, 1);
}

subject_end subject_open_only(const subject *self)
{
    return work(self, 0);
}

/* Files. */

static subject_end check_integrity(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    subject_end end = SUBJECT_DAMAGED;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(row, 0), "ok") == 0) {
        end = SUBJECT_OK;
    } else {
        fprintf(stderr, "subject: integrity_check: %s\n",
                row == NULL ? sqlite3_errmsg(db) : (const char *)sqlite3_column_text(row, 0));
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
    return end;
}

static subject_end check_files(const subject *self)
{
    subject_end end = SUBJECT_OK;
    DIR *open = opendir(self->folder);
    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        struct stat status;
        bool known = strcmp(entry->d_name, "store.db") == 0 || strcmp(entry->d_name, "store.db-wal") == 0 ||
                     strcmp(entry->d_name, "store.db-shm") == 0 || strcmp(entry->d_name, "store.db-docket") == 0 ||
                     strncmp(entry->d_name, "ledger-", 7) == 0;
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (fstatat(dirfd(open), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !known ||
            !S_ISREG(status.st_mode) || (status.st_mode & 07777) != 0600) {
            fprintf(stderr, "subject: %s has mode %o\n", entry->d_name, (unsigned)status.st_mode);
            end = SUBJECT_MODES;
        }
    }
    closedir(open);
    return end;
}

subject_end subject_inspect(const subject *self)
{
    char path[256];
    snprintf(path, sizeof path, "%s/store.db", self->folder);
    subject_end end = check_files(self);
    return end == SUBJECT_OK ? check_integrity(path) : end;
}

/* The last reference to a store may be the writer thread's, which lets go a moment after its commit was reported. */
static int count_descriptors(int expected)
{
    int count = folder_entry_count("/proc/self/fd");
    for (int i = 0; i < 5000 && count != expected; i++) {
        usleep(1000);
        count = folder_entry_count("/proc/self/fd");
    }
    return count;
}

subject_end subject_recover(const subject *self)
{
    int before = folder_entry_count("/proc/self/fd");
    subject_end end = work(self, 2);
    int after = count_descriptors(before);
    if (end == SUBJECT_OK && before != after) {
        fprintf(stderr, "subject: %d descriptors before, %d after\n", before, after);
        end = SUBJECT_DESCRIPTORS;
    }
    return end == SUBJECT_OK ? subject_inspect(self) : end;
}

void subject_choose_place(void)
{
    const char *word = getenv("DOCKET_LONG");
    bool is_long = word != NULL && word[0] != '\0';
    if (!is_long && access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
}

pid_t subject_start(const subject *self, subject_end (*function)(const subject *))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        srandom((unsigned)getpid());
        _exit((int)function(self));
    }
    return child;
}
