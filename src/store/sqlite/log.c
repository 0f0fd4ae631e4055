/* What is done about the write-ahead log: copied into the database at 4 MiB, tried to be emptied from 64 MiB on, and a
 * warning at 256 MiB, when a reader keeps it from being restarted. */
#include "store/sqlite/inside.h"

static const int64_t checkpoint_bytes = INT64_C(4) << 20;
static const int64_t truncate_bytes = INT64_C(64) << 20;
static const int64_t warning_bytes = INT64_C(256) << 20;
static const int64_t frame_head_bytes = 24;

static int note_size(void *arg, sqlite3 *db, const char *name, int frames)
{
    docket__sqlite *self = arg;
    (void)db;
    (void)name;
    self->log.bytes = (int64_t)frames * (self->log.page_bytes + frame_head_bytes);
    return SQLITE_OK;
}

void docket__log_watch(docket__sqlite *self)
{
    self->log.next_bytes = checkpoint_bytes;
    sqlite3_wal_hook(self->writer.db, note_size, self);
}

/* A checkpoint that fails is not the commit's failure: the log keeps what it has, and the next one tries again. */
static void checkpoint(docket__sqlite *self, int mode)
{
    int frames = -1;
    int copied = -1;
    self->writer.is_impatient = true;
    int code = sqlite3_wal_checkpoint_v2(self->writer.db, "main", mode, &frames, &copied);
    self->writer.is_impatient = false;
    if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE) {
        self->log.bytes = 0;
    }
    self->log.next_bytes = code == SQLITE_OK && frames == copied ? checkpoint_bytes : self->log.bytes + checkpoint_bytes;
}

void docket__log_keep_small(docket__sqlite *self)
{
    docket__log *log = &self->log;
    if (log->bytes < checkpoint_bytes) {
        log->next_bytes = checkpoint_bytes;
        log->warned = false;
        return;
    }
    if (log->bytes < log->next_bytes) {
        return;
    }
    checkpoint(self, log->bytes >= truncate_bytes ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
    if (log->bytes >= warning_bytes && !log->warned) {
        log->warned = true;
        log->has_grown = true;
    }
}

void docket__log_tell(docket__sqlite *self)
{
    if (self->log.has_grown) {
        self->log.has_grown = false;
        docket__sqlite_warn(self,
                            "%s: the write-ahead log has grown to %lld MiB, because a reader of another program holds "
                            "an old state of the database",
                            self->url, (long long)(self->log.bytes >> 20));
    }
}

void docket__log_empty(docket__sqlite *self)
{
    checkpoint(self, SQLITE_CHECKPOINT_TRUNCATE);
}
