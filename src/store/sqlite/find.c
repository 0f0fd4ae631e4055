/* Going to the row at an address.
 *
 * A connection remembers the ids of execution and step names. A remembered id is never another name's, so a row that is
 * found with it is the right one. But an execution may have been forgotten and recorded again under a new id: when
 * nothing is found with a remembered id, its name is asked for again before the answer counts. Names of steps stay. */
#include "store/sqlite/connection.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

/* A name's id; `*id` is 0 if there is no such name. */
static docket_status ask_id(docket__connection *connection, docket__sql which, const char *name, int64_t *id,
                            docket_error *error)
{
    docket_status status = DOCKET_OK;
    sqlite3_stmt *row = docket__connection_statement(connection, which, error);
    *id = 0;
    if (row == NULL) {
        return error->status;
    }
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        *id = sqlite3_column_int64(row, 0);
    } else if (code != SQLITE_DONE) {
        status = docket__connection_fail(connection, code, "looking a name up", error);
    }
    sqlite3_reset(row);
    return status;
}

static docket__name_slot *slot_of(docket__name_slot *slots, const char *name)
{
    return &slots[docket__hash64(name, strlen(name)) % DOCKET__NAME_SLOTS];
}

/* Not remembering is no failure. */
static void remember(docket__name_slot *slot, const char *name, int64_t id)
{
    docket__free(slot->name);
    *slot = (docket__name_slot){.id = id, .name = docket__duplicate(name)};
    if (slot->name == NULL) {
        slot->id = 0;
    }
}

/* `*remembered`: the name was not asked for. */
static docket_status name_id(docket__connection *connection, docket__name_slot *slots, docket__sql which,
                             const char *name, bool *remembered, int64_t *id, docket_error *error)
{
    docket__name_slot *slot = slot_of(slots, name);
    *remembered = slot->id != 0 && strcmp(slot->name, name) == 0;
    if (*remembered) {
        *id = slot->id;
        return DOCKET_OK;
    }
    docket_status status = ask_id(connection, which, name, id, error);
    if (status == DOCKET_OK && *id != 0) {
        remember(slot, name, *id);
    }
    return status;
}

/* `*row` is NULL if the statement gives none. */
static docket_status step_to(docket__connection *connection, sqlite3_stmt *statement, sqlite3_stmt **row,
                             docket_error *error)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *row = statement;
        return DOCKET_OK;
    }
    docket_status status = code == SQLITE_DONE
                               ? DOCKET_OK
                               : docket__connection_fail(connection, code, "looking a checkpoint up", error);
    sqlite3_reset(statement);
    return status;
}

static docket_status find_by_key(docket__connection *connection, const docket_address *address, sqlite3_stmt **row,
                                 docket_error *error)
{
    docket__sql which = address->scope == DOCKET_SCOPE_GLOBAL ? DOCKET__SQL_LOOKUP_GLOBAL : DOCKET__SQL_LOOKUP_KEY;
    sqlite3_stmt *statement = docket__connection_statement(connection, which, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_blob(statement, 1, address->key.bytes, sizeof address->key.bytes, SQLITE_STATIC);
    return step_to(connection, statement, row, error);
}

static docket_status find_by_ids(docket__connection *connection, const docket_address *address, int64_t execution,
                                 sqlite3_stmt **row, docket_error *error)
{
    int64_t step;
    bool ignored;
    docket_status status =
        name_id(connection, connection->step_ids, DOCKET__SQL_STEP_ID, address->step, &ignored, &step, error);
    if (status != DOCKET_OK || step == 0) {
        return status;
    }
    sqlite3_stmt *statement = docket__connection_statement(connection, DOCKET__SQL_LOOKUP_WORKFLOW, error);
    if (statement == NULL) {
        return error->status;
    }
    sqlite3_bind_blob(statement, 1, address->key.bytes, sizeof address->key.bytes, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, execution);
    sqlite3_bind_int64(statement, 3, step);
    return step_to(connection, statement, row, error);
}

static docket_status find_in_execution(docket__connection *connection, const docket_address *address,
                                       sqlite3_stmt **row, docket_error *error)
{
    int64_t execution, before;
    bool remembered;
    docket_status status = name_id(connection, connection->execution_ids, DOCKET__SQL_EXECUTION_ID,
                                   address->execution_id, &remembered, &execution, error);
    if (status == DOCKET_OK && execution != 0) {
        status = find_by_ids(connection, address, execution, row, error);
    }
    if (status != DOCKET_OK || *row != NULL || !remembered) {
        return status;
    }
    before = execution;
    status = ask_id(connection, DOCKET__SQL_EXECUTION_ID, address->execution_id, &execution, error);
    if (status == DOCKET_OK && execution != 0 && execution != before) {
        remember(slot_of(connection->execution_ids, address->execution_id), address->execution_id, execution);
        status = find_by_ids(connection, address, execution, row, error);
    }
    return status;
}

docket_status docket__connection_find(docket__connection *connection, const docket_address *address,
                                      sqlite3_stmt **row, docket_error *error)
{
    *row = NULL;
    if (address->scope == DOCKET_SCOPE_WORKFLOW && address->execution_id != NULL && address->step != NULL) {
        return find_in_execution(connection, address, row, error);
    }
    return find_by_key(connection, address, row, error);
}
