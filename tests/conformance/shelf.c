#include "conformance/shelf.h"

#include "base/arena.h"
#include "base/memory.h"
#include "store/handle.h"
#include "store/memory/memory.h"
#include "store/record.h"
#include "store/sqlite/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HANG_SECONDS = 200 };

static void open_backend(shelf *self)
{
    if (strcmp(self->kind, "memory") == 0) {
        self->backend = &docket__memory_backend;
        self->self = docket__memory_open(&self->error);
        assert_non_null(self->self);
        return;
    }
    char path[FOLDER_PATH_ROOM];
    docket_store_options options;
    docket__sqlite *sqlite = NULL;
    assert_status(DOCKET_OK, docket__store_options_read(&options, NULL, &self->error));
    options.durability = DOCKET_DURABILITY_PROCESS;
    if (docket__sqlite_open(&sqlite, folder_file(&self->folder, "store.db", path), &options, &self->error) !=
        DOCKET_OK) {
        fail_msg("%s", self->error.message);
    }
    self->backend = &docket__sqlite_backend;
    self->self = sqlite;
}

int shelf_setup(void **state)
{
    shelf *self = calloc(1, sizeof *self);
    alarm(HANG_SECONDS);
    self->kind = *state;
    self->folder = folder_make();
    open_backend(self);
    *state = self;
    return 0;
}

int shelf_teardown(void **state)
{
    shelf *self = *state;
    self->backend->close(self->self);
    folder_remove(&self->folder);
    free(self);
    alarm(0);
    return 0;
}

void shelf_reopen(shelf *self)
{
    if ((self->backend->capabilities & DOCKET_BACKEND_DURABLE) != 0) {
        self->backend->close(self->self);
        open_backend(self);
    }
}

void shelf_seal(docket_record *record)
{
    assert_status(DOCKET_OK, docket__record_seal(record));
}

docket_record shelf_record(int key, const char *execution_id, const char *step, const char *value)
{
    docket_record record = {
        .format = DOCKET_RECORD_FORMAT,
        .kind = DOCKET_CHECKPOINT_VALUE,
        .scope = DOCKET_SCOPE_WORKFLOW,
        .step_version = 1,
        .attempts = 1,
        .execution_id = execution_id,
        .step = step,
        .type = "Text",
        .value = {(const uint8_t *)value, strlen(value)},
        .duration_ms = 7,
    };
    for (size_t i = 0; i < sizeof record.key.bytes; i++) {
        record.key.bytes[i] = (uint8_t)((unsigned)key >> (8 * (i % 4)));
    }
    memset(record.fingerprint, 0xf1, sizeof record.fingerprint);
    shelf_seal(&record);
    return record;
}

docket_status shelf_put(shelf *self, const docket_record *record, const docket_error *failure, bool replace,
                        docket_record **existing)
{
    docket_commit commit = {.struct_size = sizeof commit,
                            .kind = failure != NULL ? DOCKET_COMMIT_FAILURE : DOCKET_COMMIT_RECORD,
                            .record = record,
                            .failure = failure,
                            .replace = replace,
                            .status = DOCKET_FAILED};
    docket_commit *commits[] = {&commit};
    docket_status status = self->backend->commit(self->self, commits, 1, &self->error);
    if (existing != NULL) {
        *existing = commit.existing;
    } else {
        docket_record_free(commit.existing);
    }
    return status == DOCKET_OK ? commit.status : status;
}

void shelf_put_new(shelf *self, const docket_record *record)
{
    docket_record *existing = NULL;
    if (shelf_put(self, record, NULL, false, &existing) != DOCKET_OK) {
        fail_msg("%s", self->error.message);
    }
    assert_null(existing);
}

docket_found shelf_find(shelf *self, const docket_record *where, docket_record **found)
{
    docket_address address = docket__record_address(where);
    docket_found answer = DOCKET_FOUND_EXPIRED;
    docket_record *record = NULL;
    if (self->backend->lookup(self->self, &address, &answer, &record, &self->error) != DOCKET_OK) {
        fail_msg("%s", self->error.message);
    }
    assert_true((answer == DOCKET_FOUND_RECORD) == (record != NULL));
    if (found != NULL) {
        *found = record;
    } else {
        docket_record_free(record);
    }
    return answer;
}

void shelf_assert_holds(shelf *self, const docket_record *record)
{
    docket_record *found = NULL;
    assert_int_equal(shelf_find(self, record, &found), DOCKET_FOUND_RECORD);
    assert_memory_equal(found->key.bytes, record->key.bytes, sizeof record->key.bytes);
    assert_int_equal(found->format, record->format);
    assert_int_equal(found->codec, record->codec);
    assert_int_equal(found->kind, record->kind);
    assert_int_equal(found->step_version, record->step_version);
    assert_int_equal(found->scope, record->scope);
    assert_int_equal(found->attempts, record->attempts);
    assert_string_equal(found->execution_id, record->execution_id);
    assert_string_equal(found->step, record->step);
    assert_string_equal(found->type, record->type);
    assert_memory_equal(found->fingerprint, record->fingerprint, sizeof record->fingerprint);
    assert_memory_equal(found->checksum, record->checksum, sizeof record->checksum);
    assert_int_equal(found->input_count, record->input_count);
    if (record->input_count > 0) {
        assert_memory_equal(found->input_digests, record->input_digests, 32 * record->input_count);
    }
    assert_int_equal(found->value.size, record->value.size);
    if (record->value.size > 0) {
        assert_memory_equal(found->value.data, record->value.data, record->value.size);
    }
    assert_int_equal(found->duration_ms, record->duration_ms);
    assert_status(DOCKET_OK, docket__record_verify(found, &self->error));
    docket_record_free(found);
}

char *shelf_list(shelf *self, const docket_checkpoint_filter *filter, size_t page)
{
    docket_checkpoint *entries = calloc(page, sizeof *entries);
    docket_arena texts = {.next = NULL};
    int64_t position = 0;
    size_t room = 1;
    char *text = calloc(1, room);
    size_t count;
    do {
        if (self->backend->list(self->self, filter, &position, entries, page, &count, &texts, &self->error) !=
            DOCKET_OK) {
            fail_msg("%s", self->error.message);
        }
        for (size_t i = 0; i < count; i++) {
            char line[700];
            int size =
                snprintf(line, sizeof line, "%d %d %s/%s %zu;", entries[i].key[0] + 256 * entries[i].key[1],
                         (int)entries[i].kind, entries[i].execution_id, entries[i].step, entries[i].size_bytes);
            text = realloc(text, room + (size_t)size);
            memcpy(text + room - 1, line, (size_t)size + 1);
            room += (size_t)size;
        }
        docket__arena_release(&texts);
    } while (count == page);
    free(entries);
    return text;
}

uint64_t shelf_forget(shelf *self, docket_checkpoint_filter filter, uint64_t most)
{
    int64_t position = 0;
    uint64_t sum = 0;
    filter.failures = true;
    filter.expired = true;
    do {
        uint64_t count = 0;
        if (self->backend->forget(self->self, &filter, &position, most, &count, &self->error) != DOCKET_OK) {
            fail_msg("%s", self->error.message);
        }
        assert_true(count <= most);
        sum += count;
    } while (position != INT64_MAX);
    return sum;
}
