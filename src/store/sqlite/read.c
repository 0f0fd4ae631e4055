#include "store/sqlite/inside.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "store/record.h"

#include <string.h>

enum { PAGE_RECORDS = 1024, PAGE_BYTES = 8 << 20 };

static docket_status take_found(docket__sqlite *self, docket__connection *reader, sqlite3_stmt *row,
                                docket_found *found, docket_record **record, docket_error *error)
{
    docket_record borrowed;
    if (sqlite3_column_int(row, DOCKET__COLUMN_KIND) == DOCKET_CHECKPOINT_FAILURE) {
        return DOCKET_OK;
    }
    int64_t expires_ms = sqlite3_column_int64(row, DOCKET__COLUMN_EXPIRES);
    if (expires_ms != 0 && docket__is_expired(expires_ms, docket__wall_now_ms(&self->wall))) {
        *found = DOCKET_FOUND_EXPIRED;
        docket__sqlite_note_stale(self, sqlite3_column_int64(row, DOCKET__COLUMN_ID));
        return DOCKET_OK;
    }
    docket_status status = docket__connection_record(reader, row, &borrowed, error);
    if (status != DOCKET_OK) {
        return status;
    }
    *record = docket_record_copy(&borrowed);
    if (*record == NULL) {
        return docket__error_no_memory(error);
    }
    *found = DOCKET_FOUND_RECORD;
    return DOCKET_OK;
}

docket_status docket__sqlite_find(docket__sqlite *self, docket__connection *connection,
                                  const docket_address *address, docket_found *found, docket_record **record,
                                  docket_error *error)
{
    sqlite3_stmt *row = NULL;
    *found = DOCKET_FOUND_NOTHING;
    *record = NULL;
    docket_status status = docket__connection_find(connection, address, &row, error);
    if (row != NULL) {
        status = take_found(self, connection, row, found, record, error);
        sqlite3_reset(row);
    }
    return status;
}

docket_status docket__sqlite_lookup(void *handle, const docket_address *address, docket_found *found,
                                    docket_record **record, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    *found = DOCKET_FOUND_NOTHING;
    *record = NULL;
    docket_status status = docket__pool_take(self, &reader, error);
    if (status != DOCKET_OK) {
        return status;
    }
    status = docket__sqlite_find(self, reader, address, found, record, error);
    docket__pool_give(self, reader, status);
    return status;
}

/* Records of one read transaction on their way to the visitor, which runs after it. */
typedef struct record_page {
    docket_record *records[PAGE_RECORDS];
    size_t count, bytes;
    int64_t step; /* the place of the last one; `key` is empty before the first */
    uint8_t key[32];
    int key_size;
    bool is_last;
} record_page;

static docket_status read_row(docket__sqlite *self, docket__connection *reader, sqlite3_stmt *row, int64_t now_ms,
                              record_page *page, docket_error *error)
{
    docket_record borrowed;
    int64_t expires_ms = sqlite3_column_int64(row, DOCKET__COLUMN_EXPIRES);
    (void)self;
    page->step = sqlite3_column_int64(row, DOCKET__COLUMN_STEP);
    page->key_size = sqlite3_column_bytes(row, DOCKET__COLUMN_KEY);
    page->key_size = page->key_size < (int)sizeof page->key ? page->key_size : (int)sizeof page->key;
    if (page->key_size > 0) {
        memcpy(page->key, sqlite3_column_blob(row, DOCKET__COLUMN_KEY), (size_t)page->key_size);
    }
    if (sqlite3_column_int(row, DOCKET__COLUMN_KIND) == DOCKET_CHECKPOINT_FAILURE ||
        sqlite3_column_int(row, DOCKET__COLUMN_SCOPE) != DOCKET_SCOPE_WORKFLOW ||
        docket__is_expired(expires_ms, now_ms)) {
        return DOCKET_OK;
    }
    docket_status status = docket__connection_record(reader, row, &borrowed, error);
    if (status != DOCKET_OK) {
        return status;
    }
    docket_record *copy = docket_record_copy(&borrowed);
    if (copy == NULL) {
        return docket__error_no_memory(error);
    }
    page->records[page->count++] = copy;
    page->bytes += copy->value.size;
    return DOCKET_OK;
}

static docket_status read_page(docket__sqlite *self, docket__connection *reader, const char *execution_id,
                               record_page *page, docket_error *error)
{
    docket_status status = DOCKET_OK;
    int64_t now_ms = docket__wall_now_ms(&self->wall);
    sqlite3_stmt *row = docket__connection_statement(reader, DOCKET__SQL_SCAN, error);
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, execution_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, page->step);
    sqlite3_bind_blob(row, 3, page->key, page->key_size, SQLITE_STATIC);
    page->count = 0;
    page->bytes = 0;
    int code = SQLITE_ROW;
    for (size_t rows = 0; status == DOCKET_OK && rows < PAGE_RECORDS && page->bytes < PAGE_BYTES; rows++) {
        code = sqlite3_step(row);
        if (code != SQLITE_ROW) {
            break;
        }
        status = read_row(self, reader, row, now_ms, page, error);
    }
    page->is_last = code == SQLITE_DONE;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        status = docket__connection_fail(reader, code, "reading an execution's checkpoints", error);
    }
    sqlite3_reset(row);
    return status;
}

docket_status docket__sqlite_scan(void *handle, const char *execution_id, docket_record_visit *each, void *arg,
                                  docket_error *error)
{
    docket__sqlite *self = handle;
    docket_status status = DOCKET_OK;
    bool more = true;
    record_page *page = docket__allocate(sizeof *page);
    if (page == NULL) {
        return docket__error_no_memory(error);
    }
    while (status == DOCKET_OK && more && !page->is_last) {
        docket__connection *reader = NULL;
        status = docket__pool_take(self, &reader, error);
        if (status != DOCKET_OK) {
            break;
        }
        status = read_page(self, reader, execution_id, page, error);
        docket__pool_give(self, reader, status);
        for (size_t i = 0; i < page->count; i++) {
            more = more && status == DOCKET_OK && each(arg, page->records[i]);
            docket_record_free(page->records[i]);
        }
    }
    docket__free(page);
    return status;
}

docket_status docket__sqlite_schema(void *handle, const char *type, const uint8_t fingerprint[32],
                                    docket_buffer *out, docket_error *error)
{
    docket__sqlite *self = handle;
    docket__connection *reader = NULL;
    docket_status status = docket__pool_take(self, &reader, error);
    if (status != DOCKET_OK) {
        return status;
    }
    sqlite3_stmt *row = docket__connection_statement(reader, DOCKET__SQL_SCHEMA, error);
    if (row == NULL) {
        status = error->status;
    } else {
        sqlite3_bind_text(row, 1, type, -1, SQLITE_STATIC);
        sqlite3_bind_blob(row, 2, fingerprint, 32, SQLITE_STATIC);
        int code = sqlite3_step(row);
        if (code == SQLITE_ROW) {
            const void *bytes = sqlite3_column_blob(row, 0);
            if (docket__buffer_append(out, bytes, (size_t)sqlite3_column_bytes(row, 0)) != DOCKET_OK) {
                status = docket__error_no_memory(error);
            }
        } else if (code != SQLITE_DONE) {
            status = docket__connection_fail(reader, code, "reading a schema", error);
        }
        sqlite3_reset(row);
    }
    docket__pool_give(self, reader, status);
    return status;
}
