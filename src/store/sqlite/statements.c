#include "store/sqlite/statements.h"

#include "base/memory.h"

#include <string.h>

/* One row per key: a value or an absence, or (kind 3) the last failure of a key that has neither. Row ids rise in the
 * order of recording. Names stand once in tables of their own; their ids are never given to another name, so a copy of
 * one in memory stays right. `expires` is 0 for never; `size` is that of the value before any codec.
 *
 * Keys are digests, and an index of digests alone is written all over: a group of 64 rows would touch 64 of its pages.
 * So a row of WORKFLOW scope is found by its execution and step first, and what an execution records lies side by side
 * in the index as in the table: a sixth of the log, measured at 30 000 rows and at 300 000. Only rows of GLOBAL scope,
 * which any execution may look for, pay for an index of their keys.
 *
 * The slot of an effect is held by a row of `intent`, and from its outcome on by the row in `checkpoint` that has it;
 * never by both, and never by two. An intent keeps the name of its execution, whose other rows may go. `crash` counts the
 * owners of a key that died; it is empty almost always.
 *
 * The last table tells which files of the depot a checkpoint refers to; it is empty in a store without any. */
const char *const docket__sql_create[] = {
    "CREATE TABLE @meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE @execution (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE @step (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE @type (id INTEGER PRIMARY KEY, name TEXT NOT NULL, fingerprint BLOB NOT NULL,"
    " schema BLOB NOT NULL, UNIQUE (name, fingerprint))",
    "CREATE TABLE @checkpoint (id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
    " execution INTEGER NOT NULL, step INTEGER NOT NULL, type INTEGER NOT NULL,"
    " format INTEGER NOT NULL, codec INTEGER NOT NULL, kind INTEGER NOT NULL, scope INTEGER NOT NULL,"
    " step_version INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " created INTEGER NOT NULL, expires INTEGER NOT NULL, duration INTEGER NOT NULL, size INTEGER NOT NULL,"
    " status INTEGER, code INTEGER, checksum BLOB, slot BLOB, inputs BLOB, value BLOB)",
    "CREATE UNIQUE INDEX @checkpoint_execution ON @checkpoint (execution, step, key)",
    "CREATE UNIQUE INDEX @checkpoint_global ON @checkpoint (key) WHERE scope = 2",
    "CREATE INDEX @checkpoint_expires ON @checkpoint (expires) WHERE expires > 0",
    "CREATE UNIQUE INDEX @checkpoint_slot ON @checkpoint (slot) WHERE slot IS NOT NULL",
    "CREATE TABLE @intent (id INTEGER PRIMARY KEY, slot BLOB NOT NULL UNIQUE, idempotency_key BLOB NOT NULL,"
    " token INTEGER NOT NULL, state INTEGER NOT NULL, key BLOB NOT NULL, execution TEXT NOT NULL,"
    " step INTEGER NOT NULL, type INTEGER NOT NULL, scope INTEGER NOT NULL, step_version INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, created INTEGER NOT NULL, inputs BLOB NOT NULL, reason TEXT NOT NULL)",
    "CREATE TABLE @crash (key BLOB PRIMARY KEY, count INTEGER NOT NULL, token INTEGER NOT NULL,"
    " last INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE @file (checkpoint INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (checkpoint, name))"
    " WITHOUT ROWID",
    "CREATE INDEX @file_name ON @file (name)",
    "INSERT INTO @meta (name, value) VALUES ('format', 1)",
    NULL,
};

const char docket__sql_tables[] =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'";
const char docket__sql_format[] = "SELECT value FROM @meta WHERE name = 'format'";
const char docket__sql_marks[] = "SELECT EXISTS (SELECT 1 FROM sqlite_master) OR EXISTS (SELECT 1 FROM "
                                 "pragma_application_id WHERE application_id <> 0)"
                                 " OR EXISTS (SELECT 1 FROM pragma_user_version WHERE user_version <> 0)";

#define COLUMNS                                                                                              \
    "id, key, execution, step, type, format, codec, kind, scope, step_version, attempts, created, expires, " \
    "duration, checksum, inputs, value"

#define INTENT_COLUMNS                                                                                       \
    "i.id, i.state, i.slot, i.idempotency_key, i.token, i.key, i.execution, s.name, i.step_version, i.scope, " \
    "t.name, t.fingerprint, i.inputs, i.attempt, i.created, i.reason FROM @intent i "                        \
    "LEFT JOIN @step s ON s.id = i.step LEFT JOIN @type t ON t.id = i.type"

const char *const docket__sql_texts[DOCKET__SQL_COUNT] = {
    [DOCKET__SQL_LOOKUP_WORKFLOW] = "SELECT " COLUMNS " FROM @checkpoint INDEXED BY @checkpoint_execution"
                                    " WHERE execution = ?2 AND step = ?3 AND key = ?1",
    [DOCKET__SQL_LOOKUP_GLOBAL] = "SELECT " COLUMNS " FROM @checkpoint INDEXED BY @checkpoint_global"
                                  " WHERE scope = 2 AND key = ?1",
    /* For people: walks an index from end to end. */
    [DOCKET__SQL_LOOKUP_KEY] = "SELECT " COLUMNS " FROM @checkpoint WHERE id ="
                               " (SELECT id FROM @checkpoint INDEXED BY @checkpoint_execution WHERE key = ?1)",
    [DOCKET__SQL_SCAN] = "SELECT " COLUMNS " FROM @checkpoint INDEXED BY @checkpoint_execution"
                         " WHERE execution = (SELECT id FROM @execution WHERE name = ?1) AND (step, key) > (?2, ?3)"
                         " ORDER BY step, key",
    [DOCKET__SQL_EXECUTION_NAME] = "SELECT name FROM @execution WHERE id = ?1",
    [DOCKET__SQL_STEP_NAME] = "SELECT name FROM @step WHERE id = ?1",
    [DOCKET__SQL_TYPE_NAME] = "SELECT name, fingerprint FROM @type WHERE id = ?1",
    [DOCKET__SQL_SCHEMA] = "SELECT schema FROM @type WHERE name = ?1 AND fingerprint = ?2",
    [DOCKET__SQL_LAST_ID] = "SELECT max(id) FROM @checkpoint",
    [DOCKET__SQL_BEGIN] = "BEGIN IMMEDIATE",
    [DOCKET__SQL_COMMIT] = "COMMIT",
    [DOCKET__SQL_ROLLBACK] = "ROLLBACK",
    [DOCKET__SQL_DATA_VERSION] = "PRAGMA data_version",
    [DOCKET__SQL_EXECUTION_ID] = "SELECT id FROM @execution WHERE name = ?1",
    [DOCKET__SQL_ADD_EXECUTION] = "INSERT INTO @execution (name) VALUES (?1)",
    [DOCKET__SQL_STEP_ID] = "SELECT id FROM @step WHERE name = ?1",
    [DOCKET__SQL_ADD_STEP] = "INSERT INTO @step (name) VALUES (?1)",
    [DOCKET__SQL_TYPE_ID] = "SELECT id, length(schema) FROM @type WHERE name = ?1 AND fingerprint = ?2",
    [DOCKET__SQL_ADD_TYPE] = "INSERT INTO @type (name, fingerprint, schema) VALUES (?1, ?2, ?3)",
    [DOCKET__SQL_FILL_SCHEMA] = "UPDATE @type SET schema = ?2 WHERE id = ?1",
    [DOCKET__SQL_INSERT] =
        "INSERT INTO @checkpoint (key, execution, step, type, format, codec, kind, scope, step_version, attempts,"
        " created, expires, duration, size, status, code, checksum, slot, inputs, value)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
        " ON CONFLICT DO NOTHING",
    [DOCKET__SQL_DELETE] = "DELETE FROM @checkpoint WHERE id = ?1",
    [DOCKET__SQL_DELETE_IF_EXPIRED] = "DELETE FROM @checkpoint WHERE id = ?1 AND expires > 0 AND expires <= ?2",
    [DOCKET__SQL_EXPIRED] = "SELECT id, execution FROM @checkpoint INDEXED BY @checkpoint_expires"
                            " WHERE expires > 0 AND expires <= ?1 LIMIT ?2",
    [DOCKET__SQL_DROP_FILES_OF_KEY] =
        "DELETE FROM @file WHERE checkpoint ="
        " (SELECT id FROM @checkpoint INDEXED BY @checkpoint_execution WHERE key = ?1)",
    [DOCKET__SQL_DELETE_KEY] = "DELETE FROM @checkpoint WHERE id ="
                               " (SELECT id FROM @checkpoint INDEXED BY @checkpoint_execution WHERE key = ?1)",
    [DOCKET__SQL_SLOT_INTENT] = "SELECT " INTENT_COLUMNS " WHERE i.slot = ?1",
    [DOCKET__SQL_SLOT_RECORD] =
        "SELECT c.id, 3, c.slot, zeroblob(16), 0, c.key, e.name, s.name, c.step_version, c.scope,"
        " t.name, t.fingerprint, c.inputs, c.attempts, c.created, '' FROM @checkpoint c"
        " LEFT JOIN @execution e ON e.id = c.execution LEFT JOIN @step s ON s.id = c.step"
        " LEFT JOIN @type t ON t.id = c.type WHERE c.slot = ?1",
    [DOCKET__SQL_INTENTS] = "SELECT " INTENT_COLUMNS " WHERE i.id > ?1 ORDER BY i.id LIMIT ?2",
    [DOCKET__SQL_SLOT_HOLDER] = "SELECT token FROM @intent WHERE slot = ?1 UNION ALL"
                                " SELECT 0 FROM @checkpoint WHERE slot = ?1",
    [DOCKET__SQL_ADD_INTENT] =
        "INSERT INTO @intent (slot, idempotency_key, token, state, key, execution, step, type, scope, step_version,"
        " attempt, created, inputs, reason) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, '')",
    [DOCKET__SQL_REMOVE_INTENT] = "DELETE FROM @intent WHERE slot = ?1 AND token = ?2",
    [DOCKET__SQL_DOUBT_INTENT] = "UPDATE @intent SET state = 2, reason = ?3 WHERE slot = ?1 AND token = ?2",
    [DOCKET__SQL_KEY_INTENT] = "SELECT 1 FROM @intent WHERE key = ?1",
    [DOCKET__SQL_CRASHES] = "SELECT count FROM @crash WHERE key = ?1",
    [DOCKET__SQL_ANY_CRASH] = "SELECT EXISTS (SELECT 1 FROM @crash)",
    [DOCKET__SQL_ADD_CRASH] = "INSERT INTO @crash (key, count, token, last) VALUES (?1, 1, ?2, ?3)"
                              " ON CONFLICT (key) DO UPDATE SET count = count + 1, token = ?2, last = ?3"
                              " WHERE token <> ?2",
    [DOCKET__SQL_CLEAR_CRASHES] = "DELETE FROM @crash WHERE key = ?1",
    /* The newest name stays, so that its id is not given away again. */
    [DOCKET__SQL_DROP_EXECUTION] = "DELETE FROM @execution WHERE id = ?1 AND id < (SELECT max(id) FROM @execution)"
                                   " AND NOT EXISTS (SELECT 1 FROM @checkpoint WHERE execution = ?1)",
    [DOCKET__SQL_ADD_FILE] = "INSERT INTO @file (checkpoint, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    [DOCKET__SQL_FILES] = "SELECT name FROM @file WHERE checkpoint = ?1",
    [DOCKET__SQL_DROP_FILES] = "DELETE FROM @file WHERE checkpoint = ?1",
    [DOCKET__SQL_REFERS] = "SELECT 1 FROM @file INDEXED BY @file_name WHERE name = ?1 LIMIT 1",
};

#define LIST_COLUMNS                                                                                         \
    "SELECT c.id, c.key, c.kind, e.name, s.name, t.name, t.fingerprint, c.step_version, c.scope, c.inputs, " \
    "c.created, c.expires, c.duration, c.attempts, c.size, c.status, c.code, "                               \
    "CASE WHEN c.kind = 3 THEN c.value END FROM @checkpoint c "                                              \
    "LEFT JOIN @execution e ON e.id = c.execution LEFT JOIN @step s ON s.id = c.step "                       \
    "LEFT JOIN @type t ON t.id = c.type WHERE c.id IN "

const char docket__sql_list[] = LIST_COLUMNS "(SELECT id FROM @checkpoint WHERE id > ?1 AND id <= ?2";
const char docket__sql_list_execution[] =
    LIST_COLUMNS "(SELECT id FROM @checkpoint INDEXED BY @checkpoint_execution WHERE execution ="
                 " (SELECT id FROM @execution WHERE name = ?4) AND id > ?1 AND id <= ?2";
const char docket__sql_list_end[] = " ORDER BY id LIMIT ?3) ORDER BY c.id";

const char docket__sql_find[] = "SELECT id, execution FROM @checkpoint WHERE id > ?1 AND id <= ?2";
const char docket__sql_find_execution[] =
    "SELECT id, execution FROM @checkpoint INDEXED BY @checkpoint_execution WHERE execution ="
    " (SELECT id FROM @execution WHERE name = ?4) AND id > ?1 AND id <= ?2";

char *docket__sql_expand(const char *text, const char *prefix)
{
    size_t prefix_length = strlen(prefix);
    size_t length = 0;
    for (const char *from = text; *from != '\0'; from++) {
        length += *from == '@' ? prefix_length : 1;
    }
    char *expanded = docket__resize(NULL, length + 1);
    char *to = expanded;
    for (const char *from = text; expanded != NULL && *from != '\0'; from++) {
        if (*from == '@') {
            memcpy(to, prefix, prefix_length);
            to += prefix_length;
        } else {
            *to++ = *from;
        }
    }
    if (expanded != NULL) {
        *to = '\0';
    }
    return expanded;
}
