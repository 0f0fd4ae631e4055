/* One program in two builds: -DVERSION=1 stores {int32 id; string name}, -DVERSION=2 {int64 id; string name; string note}
 * under the same names. Started as
 *
 *     deploy_v1 URL FOLDER "fail" | "rerun" "final" | "middle"
 *
 * it asks once, writes what came of it into FOLDER/answer and its own layout of the record, as 16 hexadecimal digits, into
 * FOLDER/layout, and ends with 0. */
#include "base/hash.h"
#include "support/folder.h"
#include "support/ledger.h"

#include <docket/docket.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if VERSION == 1
DOCKET_STRUCT(Record, (INT32, id), (STRING, name));
#else
DOCKET_STRUCT(Record, (INT64, id), (STRING, name), (STRING, note));
#endif
DOCKET_STRUCT(Ask, (STRING, name));
DOCKET_STRUCT(Report, (STRING, text));

static docket_status make_record(docket_ctx *ctx, Record *out, const Ask *in)
{
    ledger_note(docket_ctx_user(ctx), "make");
    out->id = VERSION * 1000 + 7;
    out->name = in->name;
#if VERSION > 1
    out->note = "noted";
#endif
    return DOCKET_OK;
}
DOCKET_STEP(make_record, Record, Ask);

static const char *describe(docket_ctx *ctx, const Record *in)
{
#if VERSION == 1
    return docket_printf(ctx, "%" PRId64 "|%s", (int64_t)in->id, in->name);
#else
    return docket_printf(ctx, "%" PRId64 "|%s|%s", (int64_t)in->id, in->name, in->note);
#endif
}

static docket_status report_record(docket_ctx *ctx, Report *out, const Record *in)
{
    ledger_note(docket_ctx_user(ctx), "report");
    out->text = describe(ctx, in);
    return DOCKET_OK;
}
DOCKET_STEP(report_record, Report, Record);

static docket_graph *make_graph(docket_store *store, char *folder_path, bool rerun)
{
    docket_graph *graph = docket_graph_new("deploy", NULL);
    const docket_step_options recorded = {DOCKET_STEP_OPTIONS_INIT, .store = store, .scope = DOCKET_SCOPE_GLOBAL,
                                          .user = folder_path, .on_unreadable = rerun ? DOCKET_RERUN : DOCKET_FAIL};
    const docket_step_options plain = {DOCKET_STEP_OPTIONS_INIT, .user = folder_path};
    if (docket_graph_add(graph, &make_record_step, &recorded) != DOCKET_OK ||
        docket_graph_add(graph, &report_record_step, &plain) != DOCKET_OK ||
        docket_graph_validate(graph, NULL) != DOCKET_OK) {
        exit(3);
    }
    return graph;
}

static void write_text(const char *folder_path, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder_path, name);
    if (!file_write(path, text, strlen(text))) {
        exit(4);
    }
}

static void answer(const char *folder_path, docket_status status, const char *text)
{
    char line[2400], layout[17];
    uint8_t fingerprint[32];
    snprintf(line, sizeof line, "%s %s", docket_status_name(status), text);
    write_text(folder_path, "answer", line);
    if (docket_type_fingerprint(DOCKET_OF(Record), fingerprint, NULL) != DOCKET_OK) {
        exit(5);
    }
    docket__hex(fingerprint, 8, layout);
    write_text(folder_path, "layout", layout);
}

int main(int argc, char **argv)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_store *store = NULL;
    docket_result *result = NULL;
    char line[2048];
    if (argc != 5 || docket_store_open(&store, argv[1], NULL, &error) != DOCKET_OK) {
        return 2;
    }
    bool final = strcmp(argv[4], "final") == 0;
    docket_graph *graph = make_graph(store, argv[2], strcmp(argv[3], "rerun") == 0);
    const Ask ask = {"shift"};
    docket_status status = docket_execute(graph,
                                          &(docket_request){DOCKET_REQUEST_INIT, .execution_id = "deploy-1",
                                                            .output = final ? DOCKET_OF(Record) : DOCKET_OF(Report),
                                                            DOCKET_INPUTS(DOCKET_IN(Ask, &ask))},
                                          &result, &error);
    if (status != DOCKET_OK) {
        docket_error_format(&error, line, sizeof line);
        answer(argv[2], status, line);
    } else if (final) {
        const Record *record = DOCKET_RESULT(result, Record);
        snprintf(line, sizeof line, "%" PRId64 "|%s", (int64_t)record->id, record->name);
        answer(argv[2], status, line);
    } else {
        answer(argv[2], status, DOCKET_RESULT(result, Report)->text);
    }
    docket_result_free(result);
    docket_graph_free(graph);
    docket_store_close(store);
    return 0;
}
