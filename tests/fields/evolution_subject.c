/* One program at one time (-DCHANGE=0), and as it might be later: each other number is one change, see the lines below.
 * Started as
 *
 *     evolution_N URL FOLDER "default" | "rerun" | "older" | "both"
 *
 * it asks for a record and a report of it, writes what came of it into FOLDER/answer, and ends with 0. */
#include "support/folder.h"
#include "support/ledger.h"

#include <docket/docket.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE = 7000 + CHANGE };

#if CHANGE == 2 /* a member is added to a nested type */
DOCKET_STRUCT(Owner, (STRING, name), (STRING, mail));
#else
DOCKET_STRUCT(Owner, (STRING, name));
#endif

#if CHANGE == 9 /* an enum grows */
DOCKET_ENUM(Grade, (GRADE_NONE, 0), (GRADE_GOOD, 1), (GRADE_BETTER, 2));
#else
DOCKET_ENUM(Grade, (GRADE_NONE, 0), (GRADE_GOOD, 1));
#endif

#define REST (3, ENUM(Grade), grade), (4, STRUCT(Owner), owner)
#if CHANGE == 10 /* the type is renamed */
#define RECORD(...) DOCKET_STRUCT_NUMBERED(Entry, __VA_ARGS__)
typedef struct Entry Record;
#else
#define RECORD(...) DOCKET_STRUCT_NUMBERED(Record, __VA_ARGS__)
#endif
#if CHANGE == 1 /* a member is added */
RECORD((1, INT32, id), (2, STRING, name), REST, (5, STRING, note));
#elif CHANGE == 3  /* a member is removed */
RECORD((1, INT32, id), REST);
#elif CHANGE == 4  /* a member is renamed */
RECORD((1, INT32, id), (2, STRING, label), REST);
#elif CHANGE == 5  /* a member gets another number */
RECORD((1, INT32, id), (7, STRING, name), REST);
#elif CHANGE == 6  /* a member gets another kind */
RECORD((1, INT64, id), (2, STRING, name), REST);
#elif CHANGE == 7  /* a member is made optional */
RECORD((1, OPTIONAL(INT32), id), (2, STRING, name), REST);
#elif CHANGE == 8  /* a member is made a list */
RECORD((1, LIST(INT32), id), (2, STRING, name), REST);
#elif CHANGE == 14 /* members change places and keep their numbers */
RECORD((2, STRING, name), REST, (1, INT32, id));
#elif CHANGE == 15 /* a FIXED is added, which is stored even when it is zero */
RECORD((1, INT32, id), (2, STRING, name), REST, (5, FIXED(4), code));
#elif CHANGE == 17 /* a member is made secret */
RECORD((1, INT32, id), (2, SECRET(STRING), name), REST);
#else
RECORD((1, INT32, id), (2, STRING, name), REST);
#endif

#if CHANGE == 16 /* a member is added to an input */
DOCKET_STRUCT(Ask, (STRING, name), (STRING, why));
#else
DOCKET_STRUCT(Ask, (STRING, name));
#endif
DOCKET_STRUCT(Report, (STRING, text));

#if CHANGE == 11 || CHANGE == 12 /* the step's function is renamed; with 12 the step keeps its name */
#define make_record produce_record
#define make_record_step produce_record_step
#endif
#if CHANGE == 13 /* the step's version is raised */
enum { VERSION = 2 };
#else
enum { VERSION = 1 };
#endif

static docket_status make_record(docket_ctx *ctx, Record *out, const Ask *in)
{
    ledger_note(docket_ctx_user(ctx), "make");
    Owner *owner = DOCKET_NEW(ctx, Owner);
    owner->name = "owner";
    out->owner = owner;
    out->grade = GRADE_GOOD;
#if CHANGE == 8
    int32_t *id = DOCKET_NEW(ctx, int32_t);
    *id = VALUE;
    out->id = id;
    out->id_count = 1;
#else
    out->id = VALUE;
#endif
#if CHANGE == 7
    out->has_id = true;
#endif
#if CHANGE == 4
    out->label = in->name;
#elif CHANGE != 3
    out->name = in->name;
#else
    (void)in;
#endif
#if CHANGE == 1
    out->note = "noted";
#elif CHANGE == 15
    memcpy(out->code, "code", 4);
#elif CHANGE == 2
    owner->mail = "mail";
#endif
    return DOCKET_OK;
}
#if CHANGE == 11 || CHANGE == 12
DOCKET_STEP_VERSIONED(produce_record, VERSION, Record, Ask);
#elif CHANGE == 10
DOCKET_STEP_VERSIONED(make_record, VERSION, Entry, Ask);
#else
DOCKET_STEP_VERSIONED(make_record, VERSION, Record, Ask);
#endif

/* What the record holds: a new member in brackets, zero or not. */
static const char *describe(docket_ctx *ctx, const Record *in)
{
#if CHANGE == 8
    int64_t id = in->id_count > 0 ? in->id[0] : -1;
#else
    int64_t id = in->id;
#endif
#if CHANGE == 1
    return docket_printf(ctx, "%" PRId64 "|%s|%s|[%s]", id, in->name, in->owner->name, in->note);
#elif CHANGE == 2
    return docket_printf(ctx, "%" PRId64 "|%s|%s|[%s]", id, in->name, in->owner->name, in->owner->mail);
#elif CHANGE == 15
    return docket_printf(ctx, "%" PRId64 "|%s|%s|[%.4s]", id, in->name, in->owner->name, (const char *)in->code);
#elif CHANGE == 3
    return docket_printf(ctx, "%" PRId64 "||%s", id, in->owner->name);
#elif CHANGE == 4
    return docket_printf(ctx, "%" PRId64 "|%s|%s", id, in->label, in->owner->name);
#else
    return docket_printf(ctx, "%" PRId64 "|%s|%s", id, in->name, in->owner->name);
#endif
}

static docket_status report_record(docket_ctx *ctx, Report *out, const Record *in)
{
    ledger_note(docket_ctx_user(ctx), "report");
    out->text = describe(ctx, in);
    return DOCKET_OK;
}
#if CHANGE == 10
DOCKET_STEP(report_record, Report, Entry);
#else
DOCKET_STEP(report_record, Report, Record);
#endif

static docket_graph *make_graph(docket_store *store, char *folder_path, const char *policy)
{
    bool both = strcmp(policy, "both") == 0;
    docket_graph *graph = docket_graph_new("evolution", NULL);
    docket_step_options options = {
        DOCKET_STEP_OPTIONS_INIT,
        .store = store,
        .scope = DOCKET_SCOPE_GLOBAL,
        .user = folder_path,
        .on_unreadable = both || strcmp(policy, "rerun") == 0 ? DOCKET_RERUN : DOCKET_FAIL,
        .accept_older = both || strcmp(policy, "older") == 0,
    };
    docket_graph_add(graph, &report_record_step, &options);
    options.name = CHANGE == 12 ? "make_record" : NULL;
    docket_graph_add(graph, &make_record_step, &options);
    if (docket_graph_validate(graph, NULL) != DOCKET_OK) {
        exit(3);
    }
    return graph;
}

int main(int argc, char **argv)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    docket_result *result = NULL;
    char line[DOCKET_ERROR_LINE], path[600];
    if (argc != 4 || docket_store_open(&store, argv[1], NULL, &error) != DOCKET_OK) {
        return 2;
    }
    docket_graph *graph = make_graph(store, argv[2], argv[3]);
    const Ask ask = {.name = "name"};
    docket_status status = docket_execute(
        graph,
        &(docket_request){DOCKET_REQUEST_INIT, .output = DOCKET_OF(Report), DOCKET_INPUTS(DOCKET_IN(Ask, &ask))},
        &result, &error);
    snprintf(line, sizeof line, "%s",
             status == DOCKET_OK ? DOCKET_RESULT(result, Report)->text : docket_status_name(status));
    if (status != DOCKET_OK) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, " %s", error.message);
    }
    snprintf(path, sizeof path, "%s/answer", argv[2]);
    bool written = file_write(path, line, strlen(line));
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    return written ? 0 : 4;
}
