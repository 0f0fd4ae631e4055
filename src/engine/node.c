/* A node through its phases: inputs, key, look-up, claim, the attempts, the commit, the end. */
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/point.h"
#include "engine/execution.h"
#include "engine/expand.h"
#include "engine/file.h"
#include "engine/items.h"
#include "engine/lookup.h"
#include "engine/once.h"
#include "engine/subject.h"
#include "engine/transaction.h"
#include "type/codec.h"
#include <string.h>

static const docket__graph_type *output_type(const docket_ctx *ctx)
{
    return &ctx->execution->graph->types[ctx->step->output];
}

static void *output_value(const docket_ctx *ctx)
{
    const docket__plan_slot *slot = &ctx->execution->plan->slots[ctx->node->plan->slot];
    return ctx->node->plan->expands == DOCKET__ONCE ? ctx->node->row->values + slot->offset : NULL;
}

static bool is_absent(const docket__slot *slot)
{
    return slot->state == DOCKET_VALUE_ABSENT || slot->state == DOCKET_VALUE_FAILED;
}

static void release_claim(docket_ctx *ctx, const docket_record *record, const docket_error *failure)
{
    if (ctx->claimed) {
        ctx->claimed = false;
        docket__point_pass(DOCKET_POINT_RELEASE, ctx->step->info.name);
        docket__claim_release(docket__store_claims(ctx->step->options.store), &ctx->holder, record, failure);
        docket__point_pass(DOCKET_POINT_RELEASED, ctx->step->info.name);
    }
}

static void commit(docket__node *node, docket__attempt_outcome outcome, docket__node **next);
static void follow(docket__node *node, docket__once_move move, docket__node **next);

/* Failure. */

static void name_culprit(docket_ctx *ctx, docket_error *error)
{
    if (error->step[0] == '\0') {
        docket__error_set_step(error, ctx->step->info.name);
        docket__error_set_type(error, output_type(ctx)->type->name);
        error->attempts = ctx->attempt;
        error->item_index = ctx->item_index;
    }
    if (error->execution_id[0] == '\0') {
        docket__error_set_execution(error, docket__execution_id(ctx->execution));
    }
}

typedef struct failure_note {
    docket__write write;
    docket_record *record; /* the graph, and its names with it, may be gone before this is written */
    docket_error failure, outcome;
} failure_note;

static void note_written(docket__write *write)
{
    failure_note *note = (failure_note *)write;
    docket_record_free(note->record);
    docket__free(note);
}

/* Keeps the failure for people: joins the next commit, nobody waits for it, and if it is lost nothing depends on it.
 * It holds no reference to the store, so that the last one is given up by who closes it, and closing writes the note. */
static void note_failure(docket_ctx *ctx, const docket_error *error)
{
    docket_record record = ctx->record;
    record.attempts = ctx->attempt;
    record.execution_id = docket__execution_id(ctx->execution);
    record.input_digests = ctx->input_digests[0];
    record.value = (docket_bytes){NULL, 0};
    failure_note *note = docket__allocate(sizeof *note);
    docket_record *copy = docket_record_copy(&record);
    if (note == NULL || copy == NULL) {
        docket__free(note);
        docket_record_free(copy);
        return;
    }
    note->record = copy;
    note->failure = *error;
    note->write.commit = (docket_commit){.struct_size = sizeof(docket_commit),
                                         .kind = DOCKET_COMMIT_FAILURE,
                                         .record = copy,
                                         .failure = &note->failure};
    note->write.done = note_written;
    note->write.error = &note->outcome;
    docket__store_write(ctx->step->options.store, &note->write);
}

static bool becomes_absent(const docket_ctx *ctx, docket_status status)
{
    return ctx->step->options.on_failure == DOCKET_FAILURE_IS_ABSENT && docket__once_may_be_absent(ctx) &&
           (status == DOCKET_FAILED || status == DOCKET_REJECTED || status == DOCKET_TIMEOUT ||
            status == DOCKET_CRASHED);
}

static bool records_absence(const docket_ctx *ctx)
{
    return ctx->step->info.scope == DOCKET_SCOPE_WORKFLOW && ctx->claimed;
}

/* A final failure becomes absence. In WORKFLOW scope it is recorded as such: a resume must not find a value where its
 * consumers were told that there is none, and do again what they did without it. */
static void fall_back(docket__node *node, const docket_error *error, const char *reason, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    if (docket__observed(node->execution)) {
        docket_event event = {.kind = DOCKET_EVENT_FALLBACK, .status = error->status, .error = error};
        docket__event_emit(node->execution, ctx, &event);
    }
    if (records_absence(ctx)) {
        ctx->absent_reason = reason;
        ctx->do_not_record = false;
        commit(node, DOCKET__ATTEMPT_ABSENT, next);
        return;
    }
    release_claim(ctx, NULL, error);
    docket__schedule_end(node, DOCKET_VALUE_FAILED, reason, next);
}

/* The node's output will never be there because of an item's failure, its own or one before it. */
static void end_broken(docket__node *node, docket_value_state state, const char *reason, docket__node **next)
{
    if (docket__frame_of(node) != NULL) {
        docket__items_break(node);
    }
    if (node->plan->expands == DOCKET__ONCE) {
        docket__node_slot(node, node->plan->slot)->broken = true;
    }
    node->broken = true;
    docket__schedule_end(node, state, reason, next);
}

/* The node's last word is a failure. `error` is consumed: it may be the context's own. */
static void fail(docket__node *node, const docket_error *reason, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_execution *execution = node->execution;
    docket_error error = *reason;
    name_culprit(ctx, &error);
    bool entered = ctx->attempt > 0;
    /* A step that is cut short may say that it failed: that is not its last word, another execution will ask again. */
    bool stopping = atomic_load(&execution->stopping);
    bool absent = !stopping && becomes_absent(ctx, error.status);
    if (ctx->step->info.scope != DOCKET_SCOPE_NONE && entered && !(absent && records_absence(ctx))) {
        note_failure(ctx, &error);
    }
    char *text = docket__arena_duplicate(&ctx->memory, error.message);
    const char *kept = text == NULL ? "" : text;
    if (absent) {
        fall_back(node, &error, kept, next);
        return;
    }
    release_claim(ctx, NULL, stopping ? NULL : &error);
    if (!stopping && docket__items_collect(node, &error)) {
        end_broken(node, DOCKET_VALUE_FAILED, kept, next);
        return;
    }
    docket__schedule_stop(execution, &error, false);
    docket__schedule_drop(node, DOCKET_VALUE_FAILED, kept);
}

static void drop(docket__node *node)
{
    docket_value_state state = DOCKET_VALUE_NOT_REACHED;
    const char *reason = NULL;
    if (node->ctx != NULL) {
        release_claim(node->ctx, NULL, NULL);
        if (node->ctx->attempt > 0) {
            state = DOCKET_VALUE_FAILED;
            reason = "the execution stopped before the step succeeded";
        }
    }
    docket__schedule_drop(node, state, reason);
}

/* Inputs. */

/* A reason that is longer than this is handed on as it is: along a chain of n steps it would grow n times. */
enum { LONG_REASON = 512 };

/* True: a needed input is absent, so is the output. */
static bool end_absent(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    for (size_t i = 0; i < ctx->step->info.input_count; i++) {
        const docket__slot *slot = docket__node_slot(node, node->plan->inputs[i]);
        const docket_step_input *input = &ctx->step->info.inputs[i];
        if (is_absent(slot) && (input->flags & DOCKET_INPUT_MAYBE) == 0) {
            const char *reason = slot->reason == NULL ? "" : slot->reason;
            const char *text = strlen(reason) > LONG_REASON ? reason
                                                            : docket__arena_printf(&ctx->memory, "%s is absent: %s",
                                                                                   input->type->name, reason);
            docket__schedule_end(node, DOCKET_VALUE_ABSENT, text == NULL ? "" : text, next);
            return true;
        }
    }
    return false;
}

/* Some item has failed before something that the node takes; *reason tells what is known of it. */
static bool has_broken_input(docket__node *node, const char **reason)
{
    *reason = NULL;
    for (size_t i = 0; i < node->plan->input_count; i++) {
        const docket__slot *slot = docket__node_slot(node, node->plan->inputs[i]);
        if (slot->broken) {
            *reason = slot->reason;
            return true;
        }
    }
    return node->plan->closes != DOCKET__ONCE &&
           docket__items_are_broken(node->execution, node->plan->closes, node->plan->inputs[0]);
}

/* The items that the step takes. Where the type is there once, that is the one value, or none. */
static void find_items(docket_ctx *ctx)
{
    const docket__plan_node *plan = ctx->node->plan;
    if (plan->closes != DOCKET__ONCE) {
        ctx->gathered = docket__items_gather(ctx->execution, plan->closes, plan->inputs[0], &ctx->gathered_count);
    }
}

static void gather(docket__node *node, docket_argument *arguments, const void **items)
{
    const docket__graph_step *step = node->plan->step;
    for (size_t i = 0; i < step->info.input_count; i++) {
        if (i == 0 && node->plan->closes != DOCKET__ONCE) {
            arguments[0] = (docket_argument){(void *)node->ctx->gathered, node->ctx->gathered_count};
            continue;
        }
        const docket__slot *slot = docket__node_slot(node, node->plan->inputs[i]);
        const void *value = is_absent(slot) ? NULL : slot->value;
        arguments[i] = (docket_argument){(void *)(uintptr_t)value, 1};
        if (step->info.inputs[i].flags & DOCKET_INPUT_ITEMS) {
            items[i] = value;
            arguments[i] = (docket_argument){(void *)(uintptr_t)&items[i], value != NULL};
        }
    }
}

/* Claims. */

static void wake(docket__waiter *waiter, const docket_record *record, const docket_error *failure)
{
    docket_ctx *ctx = (docket_ctx *)((char *)waiter - offsetof(docket_ctx, waiter));
    if (record != NULL) {
        ctx->woken_record = docket_record_copy(record);
    }
    if (failure != NULL) {
        ctx->woken_failure = docket__allocate(sizeof *failure);
        if (ctx->woken_failure != NULL) {
            *ctx->woken_failure = *failure;
        }
    }
    /* Neither, or no memory for it: with the claim inherited look up again; without it try from the start. */
    ctx->claimed = record == NULL && failure == NULL;
    docket__schedule_resume(ctx->node);
}

typedef enum claiming { CLAIM_TAKEN, CLAIM_TAKEN_STALE, CLAIM_PARKED, CLAIM_STOPPED, CLAIM_FAILED } claiming;

/* Parks before it queues, so that a stop in between finds the node. Once queued, the node may belong to another thread,
 * and end there: this look at it counts as under way, so that context, graph and store stay. */
static claiming claim(docket_ctx *ctx, uint64_t releases, docket_error *error)
{
    docket__claims *claims = docket__store_claims(ctx->step->options.store);
    if (!docket__schedule_park(ctx, DOCKET__PARKED_FOR_CLAIM)) {
        return CLAIM_STOPPED;
    }
    docket_execution *execution = docket__execution_ref(ctx->execution);
    docket__schedule_live(execution, 1);
    docket__ctx_ref(ctx);
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    bool stale = false;
    ctx->wait_started_ns = docket__clock_monotonic_ns();
    docket_status status =
        docket__claim_take(claims, &ctx->holder, &ctx->waiter, releases, &outcome, &stale, error);
    claiming answer = CLAIM_FAILED;
    if (status == DOCKET_OK && outcome == DOCKET__CLAIM_WAITING) {
        answer = CLAIM_PARKED;
        if (atomic_load(&execution->stopping) && docket__claim_forsake(claims, &ctx->waiter)) {
            docket__schedule_unpark(ctx);
            answer = CLAIM_STOPPED;
        }
    } else {
        docket__schedule_unpark(ctx);
        ctx->wait_started_ns = 0;
        ctx->claimed = status == DOCKET_OK && outcome == DOCKET__CLAIM_OWNED;
        answer = !ctx->claimed ? CLAIM_FAILED : stale ? CLAIM_TAKEN_STALE : CLAIM_TAKEN;
    }
    docket__ctx_unref(ctx);
    docket__schedule_live(execution, -1);
    docket__execution_unref(execution);
    return answer;
}

static void end_restored(docket__node *node, docket_status status, const docket_record *record, const char *reason,
                         docket__node **next)
{
    release_claim(node->ctx, record, NULL);
    docket__schedule_end(node, status == DOCKET_ABSENT ? DOCKET_VALUE_ABSENT : DOCKET_VALUE_RESTORED, reason, next);
}

static void report_wait(docket_ctx *ctx)
{
    if (ctx->wait_started_ns != 0 && docket__observed(ctx->execution)) {
        docket_event event = {.kind = DOCKET_EVENT_WAIT,
                              .reason = "another owner had this key",
                              .duration_ns = docket__clock_monotonic_ns() - ctx->wait_started_ns};
        docket__event_emit(ctx->execution, ctx, &event);
    }
    ctx->wait_started_ns = 0;
}

static bool stops(docket_execution *execution)
{
    if (execution->deadline_ms != INT64_MAX && !atomic_load(&execution->stopping) &&
        docket__clock_monotonic_ms() >= execution->deadline_ms) {
        docket__schedule_time_out(execution);
    }
    return atomic_load_explicit(&execution->stopping, memory_order_relaxed);
}

/* A look-up that answered neither a value nor a miss. */
static void end_unanswered(docket__node *node, docket_status status, const docket_error *error, docket__node **next)
{
    if (status == DOCKET_CANCELLED && stops(node->execution)) {
        drop(node);
    } else {
        fail(node, error, next);
    }
}

/* Takes what another owner left for a waiter. True: the node has ended. */
static bool take_over(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_record *record = ctx->woken_record;
    docket_error *failure = ctx->woken_failure;
    ctx->woken_record = NULL;
    ctx->woken_failure = NULL;
    bool ended = false;
    docket_error *error = &ctx->failure;
    if (failure != NULL) {
        fail(node, failure, next);
        ended = true;
    } else if (record != NULL) {
        const char *reason = NULL;
        docket_status status = docket__lookup_judge(ctx, record, true, &reason, error);
        if (status == DOCKET_OK || status == DOCKET_ABSENT) {
            docket__lookup_report(ctx, true, NULL, NULL, docket__clock_monotonic_ns());
            end_restored(node, status, NULL, reason, next);
        } else if (status != DOCKET_MISSING) {
            end_unanswered(node, status, error, next);
        }
        ended = status != DOCKET_MISSING;
    }
    docket_record_free(record);
    docket__free(failure);
    return ended;
}

/* True: go on and enter the step. False: the node has ended, waits, or was dropped. */
static bool find_recorded(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_error *error = &ctx->failure;
    for (;;) {
        uint64_t releases =
            docket__claims_releases(docket__store_claims(ctx->step->options.store), &ctx->holder.key);
        docket_record *record = NULL;
        const char *reason = NULL;
        docket_status status = docket__lookup_find(ctx, &record, &reason, error);
        if (status == DOCKET_OK || status == DOCKET_ABSENT) {
            end_restored(node, status, record, reason, next);
        } else if (status != DOCKET_MISSING) {
            end_unanswered(node, status, error, next);
        }
        docket_record_free(record);
        if (status != DOCKET_MISSING) {
            return false;
        }
        if (docket__store_is_read_only(ctx->step->options.store)) {
            docket__error_set(error, DOCKET_STORE,
                              "the step would have to run (%s), and its store was opened read-only", ctx->miss);
            fail(node, error, next);
            return false;
        }
        claiming answer = ctx->claimed ? CLAIM_TAKEN : claim(ctx, releases, error);
        if (answer == CLAIM_TAKEN) {
            return true;
        }
        if (answer == CLAIM_FAILED) {
            fail(node, error, next);
        } else if (answer == CLAIM_STOPPED) {
            drop(node);
        }
        if (answer != CLAIM_TAKEN_STALE) {
            return false;
        }
    }
}

/* Commit. */

static void report_commit(docket_ctx *ctx)
{
    if (docket__observed(ctx->execution)) {
        docket_status status = ctx->write.commit.status;
        docket_event event = {
            .kind = DOCKET_EVENT_COMMIT,
            .status = status,
            .error = status == DOCKET_OK ? NULL : ctx->write.error,
            .duration_ns = docket__clock_monotonic_ns() - ctx->write_started_ns,
            .size_bytes = ctx->bytes.size,
        };
        docket__event_emit(ctx->execution, ctx, &event);
    }
}

/* The commit's answer arrived. The second of the two - the thread that submitted it, and this one - goes on. */
static void committed(docket__write *write)
{
    docket_ctx *ctx = (docket_ctx *)((char *)write - offsetof(docket_ctx, write));
    if (atomic_exchange(&ctx->handoff, 1) == 1) {
        docket__schedule_resume(ctx->node);
    }
}

static void end_late(docket_ctx *ctx)
{
    docket_execution *execution = ctx->execution;
    docket__write *write = &ctx->write;
    docket_record *existing = write->commit.existing;
    bool stored = write->commit.status == DOCKET_OK;
    bool differs = stored && existing != NULL && memcmp(existing->checksum, ctx->record.checksum, 16) != 0;
    if (differs) {
        docket__error_set(
            write->error, DOCKET_CONFLICT,
            "another owner recorded a different result of this key meanwhile, and consumers had seen the "
            "one made here: execute again, it will be restored");
    }
    release_claim(ctx, !stored ? NULL : existing != NULL ? existing : &ctx->record, stored ? NULL : write->error);
    docket_record_free(existing);
    if (!stored || differs) {
        name_culprit(ctx, write->error);
        docket__schedule_stop(execution, write->error, false);
    }
    docket__ctx_unref(ctx);
    docket__schedule_commit_end(execution);
}

static void report_late(docket__task *task)
{
    docket_ctx *ctx = (docket_ctx *)((char *)task - offsetof(docket_ctx, report));
    report_commit(ctx);
    end_late(ctx);
}

/* A deferred commit's answer arrived, on the store's thread, which observers must not hold up; the node has ended. */
static void committed_late(docket__write *write)
{
    docket_ctx *ctx = (docket_ctx *)((char *)write - offsetof(docket_ctx, write));
    if (docket__observed(ctx->execution)) {
        ctx->report.run = report_late;
        docket__schedule_errand(ctx->execution, &ctx->report);
    } else {
        end_late(ctx);
    }
}

static void submit(docket_ctx *ctx, void (*done)(docket__write *))
{
    ctx->write_started_ns = docket__observed(ctx->execution) ? docket__clock_monotonic_ns() : 0;
    ctx->write.commit = docket__ctx_commit(ctx);
    ctx->write.done = done;
    ctx->write.error = ctx->once != NULL ? docket__once_answer(ctx) : &ctx->failure;
    ctx->write.lazy = done == committed_late && !ctx->execution->several_stores;
    ctx->write.deadline_ms = INT64_MAX;
    docket__store_write(ctx->step->options.store, &ctx->write);
}

/* A result that could not be recorded. `error` is not ctx->failure itself for a once step, which keeps that for a late
 * value's story. */
static void fail_unrecorded(docket__node *node, const docket_error *error, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    if (ctx->once == NULL || docket__once_intent(ctx) == NULL) {
        fail(node, error, next);
        return;
    }
    if (!ctx->late) {
        docket__error_copy(&ctx->failure, error);
    }
    follow(node, docket__once_unrecorded(ctx), next);
}

static void end_committed(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_commit *commit = &ctx->write.commit;
    report_commit(ctx);
    if (commit->status != DOCKET_OK) {
        fail_unrecorded(node, ctx->write.error, next);
        return;
    }
    docket__once_move move = ctx->once != NULL ? docket__once_recorded(ctx) : DOCKET__ONCE_WAIT;
    if (move != DOCKET__ONCE_WAIT) {
        docket_record_free(commit->existing);
        commit->existing = NULL;
        follow(node, move, next);
        return;
    }
    const char *reason = ctx->absent_reason;
    docket_status status = ctx->record.kind == DOCKET_CHECKPOINT_ABSENT ? DOCKET_ABSENT : DOCKET_OK;
    docket_value_state state = status == DOCKET_ABSENT          ? DOCKET_VALUE_ABSENT
                               : docket__once_was_verified(ctx) ? DOCKET_VALUE_RESTORED
                                                                : DOCKET_VALUE_RAN;
    docket_record *existing = commit->existing;
    commit->existing = NULL;
    if (existing != NULL) {
        docket_error *error = &ctx->failure;
        docket__lookup_clear(ctx);
        status = docket__lookup_restore(ctx, existing, &reason, error);
        if (status != DOCKET_OK && status != DOCKET_ABSENT) {
            fail(node, error, next);
            docket_record_free(existing);
            return;
        }
        docket__subject_forget_digest(node);
        state = status == DOCKET_ABSENT ? DOCKET_VALUE_ABSENT : DOCKET_VALUE_RESTORED;
    }
    release_claim(ctx, existing != NULL ? existing : &ctx->record, NULL);
    docket_record_free(existing);
    docket__schedule_end(node, state, reason, next);
}

/* The chunks of items are durable, or not. */
static void submit_manifest(docket_ctx *ctx)
{
    if (ctx->write.commit.status == DOCKET_OK) {
        submit(ctx, committed);
    } else {
        ctx->write.error = &ctx->failure;
        committed(&ctx->write);
    }
}

static void commit(docket__node *node, docket__attempt_outcome outcome, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_error *error = ctx->once != NULL ? docket__once_answer(ctx) : &ctx->failure;
    docket_value_state state = outcome == DOCKET__ATTEMPT_ABSENT ? DOCKET_VALUE_ABSENT : DOCKET_VALUE_RAN;
    if (ctx->do_not_record) {
        release_claim(ctx, NULL, NULL);
        docket__schedule_end(node, state, ctx->absent_reason, next);
        return;
    }
    if (docket__ctx_record(ctx, outcome, error) != DOCKET_OK) {
        fail_unrecorded(node, error, next);
        return;
    }
    atomic_store(&ctx->handoff, 0); /* a once step has written before */
    if (ctx->chunks != NULL) {
        node->phase = DOCKET__PHASE_COMMITTED;
        docket__expand_commit(ctx, submit_manifest);
        if (atomic_exchange(&ctx->handoff, 1) == 1) {
            end_committed(node, next);
        }
        return;
    }
    if (ctx->step->options.commit == DOCKET_COMMIT_BEFORE_END) {
        docket__ctx_ref(ctx);
        docket__schedule_commit_begin(node->execution);
        const char *reason = ctx->absent_reason;
        submit(ctx, committed_late);
        docket__schedule_end(node, state, reason, next);
        return;
    }
    node->phase = DOCKET__PHASE_COMMITTED;
    submit(ctx, committed);
    if (atomic_exchange(&ctx->handoff, 1) == 1) {
        end_committed(node, next);
    }
}

/* The attempts. */

static void end_attempts(docket__node *node, docket__attempt_outcome outcome, docket__node **next);

static void end_straggler(docket__node *node)
{
    docket_ctx *ctx = node->ctx;
    docket__schedule_stop(node->execution, &ctx->failure, true); /* unless its timer was faster */
    release_claim(ctx, NULL, NULL);
    docket__schedule_drop(node, DOCKET_VALUE_FAILED, NULL);
}

static void enter(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    docket_argument arguments[DOCKET_MAX_INPUTS];
    const void *items[DOCKET_MAX_INPUTS];
    gather(node, arguments, items);
    docket__schedule_mark(node, DOCKET_VALUE_RUNNING);
    end_attempts(node, docket__attempt_run(ctx, arguments, output_value(ctx)), next);
}

static void end_attempts(docket__node *node, docket__attempt_outcome outcome, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    switch (outcome) {
    case DOCKET__ATTEMPT_OK:
    case DOCKET__ATTEMPT_ABSENT:
        if (docket__transaction_is_asked(ctx)) {
            end_committed(node, next);
        } else if (ctx->step->info.scope != DOCKET_SCOPE_NONE) {
            commit(node, outcome, next);
        } else {
            docket__schedule_end(node, outcome == DOCKET__ATTEMPT_OK ? DOCKET_VALUE_RAN : DOCKET_VALUE_ABSENT,
                                 ctx->absent_reason, next);
        }
        break;
    case DOCKET__ATTEMPT_FOUND:
        if (!take_over(node, next)) {
            enter(node, next); /* a record that is no good: it will be replaced */
        }
        break;
    case DOCKET__ATTEMPT_FAILED:
        fail(node, &ctx->failure, next);
        break;
    case DOCKET__ATTEMPT_STRAGGLED:
        end_straggler(node);
        break;
    case DOCKET__ATTEMPT_STOPPED:
        drop(node);
        break;
    case DOCKET__ATTEMPT_PARKED:
    case DOCKET__ATTEMPT_AGAIN:
        break;
    }
}

/* Once steps. */

/* Calls the function, or the step that verifies, and tells once.c what came of it. */
static docket__once_move act(docket__node *node, docket__once_move move)
{
    docket_ctx *ctx = node->ctx;
    docket_argument arguments[DOCKET_MAX_INPUTS];
    const void *items[DOCKET_MAX_INPUTS];
    gather(node, arguments, items);
    if (move == DOCKET__ONCE_VERIFY) {
        return docket__once_verified(
            ctx, docket__attempt_verify(ctx, ctx->step->options.verify, arguments, output_value(ctx)));
    }
    docket__schedule_mark(node, DOCKET_VALUE_RUNNING);
    docket__attempt_outcome outcome = docket__attempt_enter(ctx, arguments, output_value(ctx));
    bool stopping = atomic_load(&node->execution->stopping);
    return docket__once_left(ctx, outcome,
                             !stopping && becomes_absent(ctx, ctx->failure.status) && records_absence(ctx));
}

static void end_once(docket__node *node, docket__once_move move, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    if (move == DOCKET__ONCE_RECORD) {
        commit(node, ctx->absent_reason != NULL ? DOCKET__ATTEMPT_ABSENT : DOCKET__ATTEMPT_OK, next);
        return;
    }
    docket__once_end(ctx);
    if (move == DOCKET__ONCE_FAIL) {
        fail(node, &ctx->failure, next);
    } else if (move == DOCKET__ONCE_STRAGGLE) {
        end_straggler(node);
    } else if (move == DOCKET__ONCE_DROP) {
        drop(node);
    } else {
        node->phase = DOCKET__PHASE_LOOK_UP;
        docket__node_run(node, next);
    }
}

static void follow(docket__node *node, docket__once_move move, docket__node **next)
{
    docket_ctx *ctx = node->ctx;
    while (move == DOCKET__ONCE_ENTER || move == DOCKET__ONCE_VERIFY) {
        move = act(node, move);
    }
    if (move == DOCKET__ONCE_WAIT) {
        return; /* the node may have gone on elsewhere */
    }
    docket__group *group = ctx->admitted ? docket__frame_of(node)->group : NULL;
    uint32_t number = (uint32_t)(node->plan - node->execution->plan->nodes);
    ctx->admitted = false;
    end_once(node, move, next);
    if (group != NULL) {
        docket__items_leave(group, number);
    }
}

/* A place inside the step is held from before the intent until the function was left for good: an intent that waits for
 * its turn would be in doubt after a crash. */
static void begin_once(docket__node *node, docket__node **next)
{
    bool is_item = docket__frame_of(node) != NULL;
    if (is_item && !docket__items_admit(node)) {
        return;
    }
    node->ctx->admitted = is_item;
    follow(node, docket__once_begin(node->ctx), next);
}

/* Commits that this step's own must not overtake: those deferred into another mode or another store. */
static bool must_wait_for_commits(const docket_ctx *ctx)
{
    return ctx->step->info.scope != DOCKET_SCOPE_NONE && ctx->execution->has_deferred &&
           (ctx->step->options.commit != DOCKET_COMMIT_BEFORE_END || ctx->execution->several_stores);
}

static void stop_without_memory(docket__node *node)
{
    docket_error error;
    docket__error_no_memory(&error);
    docket__error_set_step(&error, node->plan->step->info.name);
    docket__schedule_stop(node->execution, &error, false);
    docket__schedule_drop(node, DOCKET_VALUE_FAILED, NULL);
}

/* True: go on. */
static bool start(docket__node *node, docket__node **next)
{
    docket_ctx *ctx = node->ctx = docket__ctx_new(node);
    if (ctx == NULL) {
        stop_without_memory(node);
        return false;
    }
    const char *reason;
    if (has_broken_input(node, &reason)) {
        end_broken(node, DOCKET_VALUE_NOT_REACHED, reason, next);
        return false;
    }
    if (end_absent(node, next)) {
        return false;
    }
    find_items(ctx);
    if (ctx->step->info.scope == DOCKET_SCOPE_NONE) {
        node->phase = DOCKET__PHASE_ENTER;
        return true;
    }
    node->phase = DOCKET__PHASE_LOOK_UP;
    ctx->waiter = (docket__waiter){.holder = &ctx->holder, .wake = wake}; /* later others may be looking at it */
    if (docket__subject_prepare(ctx, &ctx->failure) != DOCKET_OK) {
        fail(node, &ctx->failure, next);
        return false;
    }
    return !must_wait_for_commits(ctx) || !docket__schedule_park(ctx, DOCKET__PARKED_FOR_COMMITS);
}

/* Folds that take items as they come. Whoever hands over an item is alone with the node. */

static void end_fold(docket__node *node, docket__node **next)
{
    end_attempts(node, docket__attempt_close(node->ctx, output_value(node->ctx)), next);
}

void docket__node_fold(docket__node *node, const docket__slot *item, uint64_t index)
{
    bool begins = node->phase == DOCKET__PHASE_START;
    if (begins) {
        node->ctx = docket__ctx_new(node);
        if (node->ctx == NULL) {
            docket_error error;
            docket__error_no_memory(&error);
            docket__schedule_stop(node->execution, &error, false);
            return;
        }
        node->phase = DOCKET__PHASE_FOLDED;
        docket__schedule_mark(node, DOCKET_VALUE_RUNNING);
        docket__attempt_open(node->ctx, output_value(node->ctx));
    }
    docket_ctx *ctx = node->ctx;
    if (item->broken || is_absent(item) || item->state == DOCKET_VALUE_NOT_REACHED) {
        return;
    }
    if (!docket__attempt_feed(ctx, item->value, output_value(ctx))) {
        docket_error error = ctx->failure;
        name_culprit(ctx, &error);
        error.item_index = (int64_t)index;
        docket__schedule_stop(node->execution, &error, false);
    }
}

void docket__node_run(docket__node *node, docket__node **next)
{
    if (node->plan == NULL) {
        docket__items_carry(node);
        return;
    }
    if (node->phase == DOCKET__PHASE_FOLDED && !docket__schedule_stops(node->execution)) {
        const char *reason;
        if (has_broken_input(node, &reason)) {
            end_broken(node, DOCKET_VALUE_NOT_REACHED, reason, next);
        } else {
            end_fold(node, next);
        }
        return;
    }
    if (node->phase == DOCKET__PHASE_COMMITTED) {
        end_committed(node, next);
        return;
    }
    if (node->phase == DOCKET__PHASE_ONCE && node->ctx->once != NULL) {
        follow(node, docket__once_resume(node->ctx), next);
        return;
    }
    if (docket__schedule_stops(node->execution)) {
        drop(node);
        return;
    }
    if (node->phase == DOCKET__PHASE_START && !start(node, next)) {
        return;
    }
    if (node->phase == DOCKET__PHASE_LOOK_UP) {
        report_wait(node->ctx);
        if (take_over(node, next) || !find_recorded(node, next)) {
            return;
        }
        if (docket__schedule_stops(node->execution)) { /* looking up takes its time */
            drop(node);
            return;
        }
        bool is_once = node->ctx->step->options.effect == DOCKET_EFFECT_ONCE;
        node->phase = is_once ? DOCKET__PHASE_ONCE : DOCKET__PHASE_ENTER;
    }
    if (node->phase == DOCKET__PHASE_ONCE) {
        begin_once(node, next);
        return;
    }
    docket__frame *frame = docket__frame_of(node);
    if (frame == NULL) {
        enter(node, next);
        return;
    }
    docket__group *group = frame->group;
    uint32_t number = (uint32_t)(node->plan - node->execution->plan->nodes);
    if (docket__items_admit(node)) {
        enter(node, next);
        docket__items_leave(group, number);
    }
}
