/* What is done about the write-ahead log: every 4 MiB it is copied into the database, after which the next commit
 * restarts it if no reader needs it. From 64 MiB on it is tried to be emptied, and at 256 MiB the program is told: a
 * reader keeps it from being restarted. */
#include "store/sqlite/inside.h"

static const int64_t usual_step_bytes = INT64_C(4) << 20;
static const int64_t frame_head_bytes = 24;
enum { TRUNCATE_STEPS = 16, WARNING_STEPS = 64 };

static int note_size(void *arg, sqlite3 *db, const char *name, int frames)
{
    docket__sqlite *self = arg;
    (void)db;
    (void)name;
    self->log.bytes = (int64_t)frames * (self->log.page_bytes + frame_head_bytes);
    return SQLITE_OK;
}

void docket__log_init(docket__log *log)
{
    *log = (docket__log){.step_bytes = usual_step_bytes, .next_bytes = usual_step_bytes};
}

void docket__log_watch(docket__sqlite *self, sqlite3 *db)
{
    sqlite3_wal_hook(db, note_size, self);
}

/* A checkpoint that fails is not the commit's failure: the log keeps what it has, and the next one tries again. */
static void checkpoint(docket__sqlite *self, int mode)
{
    self->writer->is_impatient = true;
    int code = sqlite3_wal_checkpoint_v2(self->writer->db, "main", mode, NULL, NULL);
    self->writer->is_impatient = false;
    if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE) {
        self->log.bytes = 0;
    }
    self->log.next_bytes = self->log.bytes + self->log.step_bytes;
}

void docket__log_keep_small(docket__sqlite *self)
{
    docket__log *log = &self->log;
    if (log->bytes < log->step_bytes) {
        log->next_bytes = log->step_bytes;
        log->warned = false;
        return;
    }
    if (log->bytes < log->next_bytes) {
        return;
    }
    bool is_large = log->bytes >= TRUNCATE_STEPS * log->step_bytes;
    checkpoint(self, is_large ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
    if (log->bytes >= WARNING_STEPS * log->step_bytes && !log->warned) {
        log->warned = true;
        log->has_grown = true;
    }
}

void docket__log_tell(docket__sqlite *self)
{
    if (self->log.has_grown) {
        self->log.has_grown = false;
        docket__sqlite_warn(
            self,
            "%s: the write-ahead log has grown to %lld MiB, because a reader of another program holds "
            "an old state of the database",
            self->url, (long long)(self->log.bytes >> 20));
    }
}

void docket__log_empty(docket__sqlite *self)
{
    checkpoint(self, SQLITE_CHECKPOINT_TRUNCATE);
}
