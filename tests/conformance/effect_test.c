/* A slot is free, held by one intent, or held by one record, and nothing in between: whatever is repeated, comes late or
 * comes twice. Crashes are counted once each. */
#include "conformance/shelf.h"

#include "base/arena.h"
#include "base/error.h"
#include "store/record.h"

#include <stdlib.h>

static docket_intent intent_of(int slot, uint64_t token)
{
    docket_intent intent = {.token = token};
    memset(intent.slot, slot, sizeof intent.slot);
    memset(intent.idempotency_key, 0xaa, sizeof intent.idempotency_key);
    return intent;
}

static docket_status commit(shelf *self, docket_commit commit)
{
    docket_commit *commits[] = {&commit};
    commit.struct_size = sizeof commit;
    docket_status status = self->backend->commit(self->self, commits, 1, &self->error);
    docket_record_free(commit.existing);
    if (status != DOCKET_OK) {
        fail_msg("%s", self->error.message);
    }
    return commit.status;
}

static docket_status intend(shelf *self, const docket_record *record, const docket_intent *intent)
{
    docket_record bare = *record;
    bare.value = (docket_bytes){NULL, 0};
    return commit(self, (docket_commit){.kind = DOCKET_COMMIT_INTENT, .record = &bare, .intent = intent});
}

static docket_status finish(shelf *self, const docket_record *record, const docket_intent *intent)
{
    return commit(self, (docket_commit){.record = record, .intent = intent});
}

static docket_status withdraw(shelf *self, const docket_record *record, const docket_intent *intent)
{
    return commit(self, (docket_commit){.kind = DOCKET_COMMIT_INTENT_REMOVED, .record = record, .intent = intent});
}

static docket_status doubt(shelf *self, const docket_record *record, const docket_intent *intent, const char *why)
{
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_TIMEOUT, "%s", why);
    return commit(
        self,
        (docket_commit){.kind = DOCKET_COMMIT_IN_DOUBT, .record = record, .failure = &failure, .intent = intent});
}

static docket_effect_state state_of(shelf *self, int slot)
{
    docket_arena texts = {0};
    docket_effect effect;
    docket_intent where = intent_of(slot, 1);
    assert_status(DOCKET_OK, self->backend->effect(self->self, where.slot, &effect, &texts, &self->error));
    docket__arena_release(&texts);
    return effect.state;
}

static size_t count_intents(shelf *self)
{
    docket_arena texts = {0};
    docket_effect entries[2];
    int64_t position = 0;
    size_t count = 2, all = 0;
    while (count == 2) {
        assert_status(DOCKET_OK,
                      self->backend->effects(self->self, &position, entries, 2, &count, &texts, &self->error));
        all += count;
    }
    docket__arena_release(&texts);
    return all;
}

static uint32_t crashes_of(shelf *self, const docket_record *record)
{
    uint32_t count = 77;
    assert_status(DOCKET_OK, self->backend->crashes(self->self, &record->key, &count, &self->error));
    return count;
}

static void an_intent_becomes_the_record_of_its_slot(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "charge", "paid");
    docket_intent intent = intent_of(7, 100);
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_FREE);
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_ENTERED);
    assert_int_equal(shelf_find(self, &record, NULL), DOCKET_FOUND_NOTHING);
    shelf_reopen(self);
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_ENTERED);
    assert_status(DOCKET_OK, finish(self, &record, &intent));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_RECORDED);
    shelf_reopen(self);
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_RECORDED);
    assert_int_equal(count_intents(self), 0);
    shelf_assert_holds(self, &record);
}

static void what_was_applied_may_come_again(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "charge", "paid");
    docket_intent intent = intent_of(7, UINT64_MAX);
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_int_equal(count_intents(self), 1);
    assert_status(DOCKET_OK, finish(self, &record, &intent));
    assert_status(DOCKET_OK, finish(self, &record, &intent));
    assert_status(DOCKET_OK, withdraw(self, &record, &intent));
    shelf_assert_holds(self, &record);
}

static void a_held_slot_takes_no_second_entry(void **state)
{
    shelf *self = *state;
    docket_record first = shelf_record(1, "order-1", "charge", "paid");
    docket_record second = shelf_record(2, "order-1", "charge", "paid twice");
    docket_intent one = intent_of(7, 100);
    docket_intent two = intent_of(7, 200);
    docket_intent elsewhere = intent_of(8, 300);
    assert_status(DOCKET_OK, intend(self, &first, &one));
    assert_status(DOCKET_CONFLICT, intend(self, &second, &two));
    assert_status(DOCKET_CONFLICT, intend(self, &first, &two));
    assert_status(DOCKET_OK, intend(self, &second, &elsewhere));
    assert_status(DOCKET_OK, finish(self, &first, &one));
    assert_status(DOCKET_CONFLICT, intend(self, &second, &two));
    assert_int_equal(count_intents(self), 1);
}

static void who_was_settled_comes_too_late(void **state)
{
    shelf *self = *state;
    docket_record late = shelf_record(1, "order-1", "charge", "paid");
    docket_record settled = shelf_record(1, "order-1", "charge", "as the bank says");
    docket_intent old = intent_of(7, 100);
    docket_intent new = intent_of(7, 200);
    assert_status(DOCKET_OK, intend(self, &late, &old));
    assert_status(DOCKET_OK, withdraw(self, &late, &old));
    assert_status(DOCKET_CLAIM_LOST, finish(self, &late, &old));
    assert_int_equal(shelf_find(self, &late, NULL), DOCKET_FOUND_NOTHING);
    assert_status(DOCKET_OK, intend(self, &late, &new));
    assert_status(DOCKET_CLAIM_LOST, finish(self, &late, &old));
    assert_status(DOCKET_OK, withdraw(self, &late, &old));
    assert_status(DOCKET_OK, doubt(self, &late, &old, "too late"));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_ENTERED);
    assert_status(DOCKET_OK, finish(self, &settled, &new));
    assert_status(DOCKET_CLAIM_LOST, finish(self, &late, &old));
    shelf_assert_holds(self, &settled);
}

static void a_failure_withdraws_its_intent(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "charge", "");
    docket_error failure = DOCKET_ERROR_INIT;
    docket_intent intent = intent_of(7, 100);
    docket_checkpoint_filter all = {DOCKET_CHECKPOINT_FILTER_INIT, .failures = true};
    docket__error_set(&failure, DOCKET_REJECTED, "card refused");
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_status(DOCKET_OK, commit(self, (docket_commit){.kind = DOCKET_COMMIT_FAILURE,
                                                          .record = &record,
                                                          .failure = &failure,
                                                          .intent = &intent}));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_FREE);
    char *listed = shelf_list(self, &all, 10);
    assert_non_null(strstr(listed, "order-1/charge"));
    free(listed);
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_status(DOCKET_OK, finish(self, &record, &intent));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_RECORDED);
}

static void an_effect_tells_its_story(void **state)
{
    shelf *self = *state;
    uint8_t inputs[2 * 32];
    docket_arena texts = {0};
    docket_effect effect;
    docket_record record = shelf_record(1, "order-1", "charge", "paid");
    docket_intent intent = intent_of(7, 100);
    memset(inputs, 0x5a, sizeof inputs);
    record.input_digests = inputs;
    record.input_count = 2;
    record.step_version = 3;
    record.attempts = 2;
    assert_status(DOCKET_OK, intend(self, &record, &intent));
    assert_status(DOCKET_OK, doubt(self, &record, &intent, "the line went dead"));
    shelf_reopen(self);
    for (int i = 0; i < 2; i++) {
        assert_status(DOCKET_OK, self->backend->effect(self->self, intent.slot, &effect, &texts, &self->error));
        assert_int_equal(effect.state, i == 0 ? DOCKET_EFFECT_IN_DOUBT : DOCKET_EFFECT_RECORDED);
        assert_string_equal(effect.execution_id, "order-1");
        assert_string_equal(effect.step, "charge");
        assert_string_equal(effect.type, "Text");
        assert_string_equal(effect.reason, i == 0 ? "the line went dead" : "");
        assert_int_equal(effect.step_version, 3);
        assert_int_equal(effect.attempt, 2);
        assert_int_equal(effect.scope, DOCKET_SCOPE_WORKFLOW);
        assert_int_equal(effect.token, i == 0 ? 100 : 0);
        assert_true(effect.created_ms > 0);
        assert_memory_equal(effect.slot, intent.slot, 16);
        assert_memory_equal(effect.key, record.key.bytes, 32);
        assert_memory_equal(effect.fingerprint, record.fingerprint, 32);
        assert_int_equal(effect.input_count, 2);
        assert_memory_equal(effect.input_digests, inputs, sizeof inputs);
        assert_status(DOCKET_OK, finish(self, &record, &intent));
    }
    docket__arena_release(&texts);
}

static void forgetting_and_purging_leave_intents_alone(void **state)
{
    shelf *self = *state;
    uint64_t purged = 0;
    docket_record open = shelf_record(1, "order-1", "charge", "paid");
    docket_record done = shelf_record(2, "order-1", "ship", "shipped");
    docket_intent one = intent_of(7, 100);
    docket_intent two = intent_of(8, 200);
    assert_status(DOCKET_OK, intend(self, &open, &one));
    assert_status(DOCKET_OK, intend(self, &done, &two));
    assert_status(DOCKET_OK, finish(self, &done, &two));
    docket_checkpoint_filter order = {DOCKET_CHECKPOINT_FILTER_INIT, .execution_id = "order-1", .failures = true};
    assert_int_equal(shelf_forget(self, order, 100), 1);
    assert_status(DOCKET_OK, self->backend->purge(self->self, 100, &purged, &self->error));
    assert_int_equal(purged, 0);
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_ENTERED);
    assert_int_equal(state_of(self, 8), DOCKET_EFFECT_FREE);
    assert_status(DOCKET_IN_DOUBT, commit(self, (docket_commit){.kind = DOCKET_COMMIT_FORGET, .record = &open}));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_ENTERED);
    assert_status(DOCKET_OK, finish(self, &open, &one));
    assert_status(DOCKET_OK, commit(self, (docket_commit){.kind = DOCKET_COMMIT_FORGET, .record = &open}));
    assert_int_equal(state_of(self, 7), DOCKET_EFFECT_FREE);
    assert_int_equal(shelf_find(self, &open, NULL), DOCKET_FOUND_NOTHING);
}

static void a_dead_owner_counts_once(void **state)
{
    shelf *self = *state;
    docket_record record = shelf_record(1, "order-1", "parse", "x");
    docket_record other = shelf_record(2, "order-1", "parse", "x");
    docket_error failure = DOCKET_ERROR_INIT;
    docket__error_set(&failure, DOCKET_CRASHED, "dead");
    assert_int_equal(crashes_of(self, &record), 0);
    for (uint64_t token = 10; token < 13; token++) {
        docket_commit crash = {.kind = DOCKET_COMMIT_CRASH, .record = &record, .crash = token};
        assert_status(DOCKET_OK, commit(self, crash));
        assert_status(DOCKET_OK, commit(self, crash));
    }
    shelf_reopen(self);
    assert_int_equal(crashes_of(self, &record), 3);
    assert_int_equal(crashes_of(self, &other), 0);
    assert_status(DOCKET_OK, shelf_put(self, &record, &failure, false, NULL));
    assert_status(DOCKET_OK, shelf_put(self, &other, NULL, false, NULL));
    assert_int_equal(crashes_of(self, &record), 3);
    assert_status(DOCKET_OK, shelf_put(self, &record, NULL, false, NULL));
    assert_int_equal(crashes_of(self, &record), 0);
    assert_status(DOCKET_OK,
                  commit(self, (docket_commit){.kind = DOCKET_COMMIT_CRASH, .record = &other, .crash = 99}));
    assert_status(DOCKET_OK, commit(self, (docket_commit){.kind = DOCKET_COMMIT_FORGET, .record = &other}));
    assert_int_equal(crashes_of(self, &other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHELF_EACH(an_intent_becomes_the_record_of_its_slot),
        SHELF_EACH(what_was_applied_may_come_again),
        SHELF_EACH(a_held_slot_takes_no_second_entry),
        SHELF_EACH(who_was_settled_comes_too_late),
        SHELF_EACH(a_failure_withdraws_its_intent),
        SHELF_EACH(an_effect_tells_its_story),
        SHELF_EACH(forgetting_and_purging_leave_intents_alone),
        SHELF_EACH(a_dead_owner_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
