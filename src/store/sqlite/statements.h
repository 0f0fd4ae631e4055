/* Every word of SQL that docket says. In the texts `@` stands for the table prefix, which docket__sql_expand puts in;
 * the prefix has letters, digits and underlines only and so needs no quoting. Values are always bound. */
#ifndef DOCKET_STORE_SQLITE_STATEMENTS_H
#define DOCKET_STORE_SQLITE_STATEMENTS_H

#include <docket/status.h>

/* The layout of the tables, kept in <prefix>meta under the name `format`. */
enum { DOCKET__SQLITE_FORMAT = 1 };

/* Statements that a connection prepares once, at their first use. */
typedef enum docket__sql {
    DOCKET__SQL_LOOKUP_WORKFLOW,
    DOCKET__SQL_LOOKUP_GLOBAL,
    DOCKET__SQL_LOOKUP_KEY,
    DOCKET__SQL_SCAN,
    DOCKET__SQL_EXECUTION_NAME,
    DOCKET__SQL_STEP_NAME,
    DOCKET__SQL_TYPE_NAME,
    DOCKET__SQL_EXECUTION_ID,
    DOCKET__SQL_STEP_ID,
    DOCKET__SQL_SCHEMA,
    DOCKET__SQL_LAST_ID,
    DOCKET__SQL_SLOT_INTENT,
    DOCKET__SQL_SLOT_RECORD,
    DOCKET__SQL_INTENTS,
    DOCKET__SQL_CRASHES,
    DOCKET__SQL_REFERS,
    /* of the writer */
    DOCKET__SQL_BEGIN,
    DOCKET__SQL_COMMIT,
    DOCKET__SQL_ROLLBACK,
    DOCKET__SQL_DATA_VERSION,
    DOCKET__SQL_ADD_EXECUTION,
    DOCKET__SQL_ADD_STEP,
    DOCKET__SQL_TYPE_ID,
    DOCKET__SQL_ADD_TYPE,
    DOCKET__SQL_FILL_SCHEMA,
    DOCKET__SQL_INSERT,
    DOCKET__SQL_DELETE,
    DOCKET__SQL_DELETE_IF_EXPIRED,
    DOCKET__SQL_EXPIRED,
    DOCKET__SQL_DROP_EXECUTION,
    DOCKET__SQL_DROP_FILES_OF_KEY,
    DOCKET__SQL_DELETE_KEY,
    DOCKET__SQL_SLOT_HOLDER,
    DOCKET__SQL_ADD_INTENT,
    DOCKET__SQL_REMOVE_INTENT,
    DOCKET__SQL_DOUBT_INTENT,
    DOCKET__SQL_KEY_INTENT,
    DOCKET__SQL_ANY_CRASH,
    DOCKET__SQL_ADD_CRASH,
    DOCKET__SQL_CLEAR_CRASHES,
    DOCKET__SQL_ADD_FILE,
    DOCKET__SQL_FILES,
    DOCKET__SQL_DROP_FILES,
    DOCKET__SQL_COUNT
} docket__sql;

extern const char *const docket__sql_texts[DOCKET__SQL_COUNT];

/* Makes the tables: one statement after the other, in one transaction. Ends with NULL. */
extern const char *const docket__sql_create[];

/* For looking at a file before anything is known about it. */
extern const char docket__sql_tables[];
extern const char docket__sql_format[];
extern const char docket__sql_marks[]; /* of a database without tables: whether it is somebody's all the same */

/* The columns of DOCKET__SQL_LOOKUP_... and DOCKET__SQL_SCAN. */
enum {
    DOCKET__COLUMN_ID,
    DOCKET__COLUMN_KEY,
    DOCKET__COLUMN_EXECUTION,
    DOCKET__COLUMN_STEP,
    DOCKET__COLUMN_TYPE,
    DOCKET__COLUMN_FORMAT,
    DOCKET__COLUMN_CODEC,
    DOCKET__COLUMN_KIND,
    DOCKET__COLUMN_SCOPE,
    DOCKET__COLUMN_STEP_VERSION,
    DOCKET__COLUMN_ATTEMPTS,
    DOCKET__COLUMN_CREATED,
    DOCKET__COLUMN_EXPIRES,
    DOCKET__COLUMN_DURATION,
    DOCKET__COLUMN_CHECKSUM,
    DOCKET__COLUMN_INPUTS,
    DOCKET__COLUMN_VALUE
};

/* The columns of DOCKET__SQL_SLOT_... and DOCKET__SQL_INTENTS. */
enum {
    DOCKET__EFFECT_ID,
    DOCKET__EFFECT_STATE,
    DOCKET__EFFECT_SLOT,
    DOCKET__EFFECT_IDEMPOTENCY_KEY,
    DOCKET__EFFECT_TOKEN,
    DOCKET__EFFECT_KEY,
    DOCKET__EFFECT_EXECUTION,
    DOCKET__EFFECT_STEP,
    DOCKET__EFFECT_STEP_VERSION,
    DOCKET__EFFECT_SCOPE,
    DOCKET__EFFECT_TYPE,
    DOCKET__EFFECT_FINGERPRINT,
    DOCKET__EFFECT_INPUTS,
    DOCKET__EFFECT_ATTEMPT,
    DOCKET__EFFECT_CREATED,
    DOCKET__EFFECT_REASON
};

/* The parameters of DOCKET__SQL_INSERT. */
enum {
    DOCKET__INSERT_KEY = 1,
    DOCKET__INSERT_EXECUTION,
    DOCKET__INSERT_STEP,
    DOCKET__INSERT_TYPE,
    DOCKET__INSERT_FORMAT,
    DOCKET__INSERT_CODEC,
    DOCKET__INSERT_KIND,
    DOCKET__INSERT_SCOPE,
    DOCKET__INSERT_STEP_VERSION,
    DOCKET__INSERT_ATTEMPTS,
    DOCKET__INSERT_CREATED,
    DOCKET__INSERT_EXPIRES,
    DOCKET__INSERT_DURATION,
    DOCKET__INSERT_SIZE,
    DOCKET__INSERT_STATUS,
    DOCKET__INSERT_CODE,
    DOCKET__INSERT_CHECKSUM,
    DOCKET__INSERT_SLOT,
    DOCKET__INSERT_INPUTS,
    DOCKET__INSERT_VALUE
};

/* Listing and forgetting put a filter's conditions together from these; see select.c. */
extern const char docket__sql_list[];           /* + conditions + docket__sql_list_end */
extern const char docket__sql_list_execution[]; /* the same for one execution, by its index */
extern const char docket__sql_list_end[];
extern const char docket__sql_find[]; /* ids and executions of the rows to be forgotten */
extern const char docket__sql_find_execution[];

/* A copy of `text` with the prefix in the place of every `@`; free with docket__free. NULL when memory is exhausted. */
char *docket__sql_expand(const char *text, const char *prefix);

#endif
