#include "store/sqlite/inside.h"

#include "base/error.h"
#include "base/memory.h"

docket_status docket__sqlite_check_file(const docket__sqlite *self, docket_error *error)
{
    if (docket__path_is_same(&self->path, &self->file)) {
        return DOCKET_OK;
    }
    return docket__error_set(
        error, DOCKET_STORE,
        "%s: the file was replaced or removed while the store was open: close the store and open "
        "it again",
        self->url);
}

/* The path may lead to another file by now, and SQLite would not notice. */
static docket_status check_opened(docket__sqlite *self, docket__connection *connection, docket_error *error)
{
    int moved = 0;
    docket_status status = docket__sqlite_check_file(self, error);
    if (status == DOCKET_OK) {
        sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        if (moved) {
            status =
                docket__error_set(error, DOCKET_STORE, "%s: the file was replaced while it was opened", self->url);
        }
    }
    return status;
}

static docket_status open_reader(docket__sqlite *self, docket__connection **out, docket_error *error)
{
    docket__connection *connection = docket__allocate(sizeof *connection);
    if (connection == NULL) {
        return docket__error_no_memory(error);
    }
    docket__sqlite_prepare_connection(self, connection);
    docket_status status = docket__connection_open(connection, self->path.file, SQLITE_OPEN_READONLY, error);
    if (status == DOCKET_OK) {
        status = check_opened(self, connection, error);
        if (status != DOCKET_OK) {
            docket__connection_close(connection);
        }
    }
    if (status != DOCKET_OK) {
        docket__free(connection);
        return status;
    }
    *out = connection;
    return DOCKET_OK;
}

docket_status docket__pool_take(docket__sqlite *self, docket__connection **connection, docket_error *error)
{
    pthread_mutex_lock(&self->pool_lock);
    while (self->pool == NULL && self->pool_open == DOCKET__READERS) {
        pthread_cond_wait(&self->pool_returned, &self->pool_lock);
    }
    *connection = self->pool;
    if (*connection != NULL) {
        self->pool = (*connection)->next;
    } else {
        self->pool_open++;
    }
    pthread_mutex_unlock(&self->pool_lock);
    if (*connection != NULL) {
        return DOCKET_OK;
    }
    docket_status status = open_reader(self, connection, error);
    if (status != DOCKET_OK) {
        pthread_mutex_lock(&self->pool_lock);
        self->pool_open--;
        pthread_cond_signal(&self->pool_returned);
        pthread_mutex_unlock(&self->pool_lock);
    }
    return status;
}

void docket__pool_give(docket__sqlite *self, docket__connection *connection, docket_status status)
{
    bool keep = status == DOCKET_OK;
    if (!keep) {
        docket__connection_close(connection);
    }
    pthread_mutex_lock(&self->pool_lock);
    if (keep) {
        connection->next = self->pool;
        self->pool = connection;
    } else {
        self->pool_open--;
    }
    pthread_cond_signal(&self->pool_returned);
    pthread_mutex_unlock(&self->pool_lock);
    if (!keep) {
        docket__free(connection);
    }
}

void docket__pool_close(docket__sqlite *self)
{
    while (self->pool != NULL) {
        docket__connection *connection = self->pool;
        self->pool = connection->next;
        docket__connection_close(connection);
        docket__free(connection);
    }
    self->pool_open = 0;
}
