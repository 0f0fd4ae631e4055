#include "store/memory/effects.h"

#include "base/memory.h"

#include <string.h>

typedef struct crash_count {
    docket_key key;
    uint32_t count;
    uint64_t token; /* of the owner counted last */
} crash_count;

docket__effect *docket__effects_find(const docket__effects *effects, const uint8_t slot[16])
{
    return docket__map_get(&effects->by_slot, slot, 16);
}

static docket__effect *find_intent(const docket__effects *effects, const docket_intent *intent)
{
    docket__effect *effect = docket__effects_find(effects, intent->slot);
    return effect != NULL && effect->intent.token == intent->token ? effect : NULL;
}

bool docket__effects_has(const docket__effects *effects, const docket_intent *intent)
{
    return find_intent(effects, intent) != NULL;
}

bool docket__effects_has_key(const docket__effects *effects, const docket_key *key)
{
    for (const docket__effect *effect = effects->first; effect != NULL; effect = effect->next) {
        if (memcmp(effect->record->key.bytes, key->bytes, sizeof key->bytes) == 0) {
            return true;
        }
    }
    return false;
}

static void free_effect(docket__effect *effect)
{
    if (effect != NULL) {
        docket_record_free(effect->record);
        docket__free(effect->reason);
        docket__free(effect);
    }
}

static void append(docket__effects *effects, docket__effect *effect)
{
    effect->position = ++effects->last_position;
    effect->previous = effects->last;
    if (effects->last != NULL) {
        effects->last->next = effect;
    } else {
        effects->first = effect;
    }
    effects->last = effect;
}

docket_status docket__effects_add(docket__effects *effects, const docket_intent *intent,
                                  const docket_record *record, int64_t now_ms)
{
    docket__effect *effect = docket__allocate(sizeof *effect);
    docket_record described = *record;
    described.created_ms = now_ms;
    described.value = (docket_bytes){NULL, 0};
    if (effect != NULL) {
        effect->intent = *intent;
        effect->record = docket_record_copy(&described);
    }
    if (effect == NULL || effect->record == NULL ||
        docket__map_put(&effects->by_slot, effect->intent.slot, sizeof effect->intent.slot, effect) != DOCKET_OK) {
        free_effect(effect);
        return DOCKET_NO_MEMORY;
    }
    append(effects, effect);
    return DOCKET_OK;
}

void docket__effects_remove(docket__effects *effects, const docket_intent *intent)
{
    docket__effect *effect = find_intent(effects, intent);
    if (effect == NULL) {
        return;
    }
    docket__map_remove(&effects->by_slot, effect->intent.slot, sizeof effect->intent.slot);
    *(effect->previous != NULL ? &effect->previous->next : &effects->first) = effect->next;
    *(effect->next != NULL ? &effect->next->previous : &effects->last) = effect->previous;
    free_effect(effect);
}

docket_status docket__effects_doubt(docket__effects *effects, const docket_intent *intent, const char *reason)
{
    docket__effect *effect = find_intent(effects, intent);
    if (effect == NULL) {
        return DOCKET_OK;
    }
    char *copy = docket__duplicate(reason);
    if (copy == NULL) {
        return DOCKET_NO_MEMORY;
    }
    docket__free(effect->reason);
    effect->reason = copy;
    return DOCKET_OK;
}

void docket__effect_describe_record(const docket_record *record, docket_effect_state state, docket_effect *out,
                                    docket_arena *arena)
{
    *out = (docket_effect){
        .struct_size = sizeof *out,
        .state = state,
        .execution_id = docket__arena_duplicate(arena, record->execution_id != NULL ? record->execution_id : ""),
        .step = docket__arena_duplicate(arena, record->step != NULL ? record->step : ""),
        .step_version = record->step_version,
        .scope = record->scope,
        .type = docket__arena_duplicate(arena, record->type != NULL ? record->type : ""),
        .input_count = record->input_count,
        .attempt = record->attempts,
        .created_ms = record->created_ms,
        .reason = "",
    };
    memcpy(out->key, record->key.bytes, sizeof out->key);
    memcpy(out->fingerprint, record->fingerprint, sizeof out->fingerprint);
    if (record->input_count > 0) {
        out->input_digests = docket__arena_copy(arena, record->input_digests, record->input_count * 32);
    }
}

void docket__effect_describe(const docket__effect *effect, docket_effect *out, docket_arena *arena)
{
    docket__effect_describe_record(
        effect->record, effect->reason != NULL ? DOCKET_EFFECT_IN_DOUBT : DOCKET_EFFECT_ENTERED, out, arena);
    memcpy(out->slot, effect->intent.slot, sizeof out->slot);
    memcpy(out->idempotency_key, effect->intent.idempotency_key, sizeof out->idempotency_key);
    out->token = effect->intent.token;
    if (effect->reason != NULL) {
        out->reason = docket__arena_duplicate(arena, effect->reason);
    }
}

docket_status docket__effects_count_crash(docket__effects *effects, const docket_key *key, uint64_t token)
{
    crash_count *crashes = docket__map_get(&effects->crashes, key->bytes, sizeof key->bytes);
    if (crashes == NULL) {
        crashes = docket__allocate(sizeof *crashes);
        if (crashes == NULL) {
            return DOCKET_NO_MEMORY;
        }
        crashes->key = *key;
        if (docket__map_put(&effects->crashes, crashes->key.bytes, sizeof crashes->key.bytes, crashes) !=
            DOCKET_OK) {
            docket__free(crashes);
            return DOCKET_NO_MEMORY;
        }
    }
    crashes->count += crashes->token != token;
    crashes->token = token;
    return DOCKET_OK;
}

uint32_t docket__effects_crashes(const docket__effects *effects, const docket_key *key)
{
    const crash_count *crashes = docket__map_get(&effects->crashes, key->bytes, sizeof key->bytes);
    return crashes != NULL ? crashes->count : 0;
}

void docket__effects_clear_crashes(docket__effects *effects, const docket_key *key)
{
    docket__free(docket__map_remove(&effects->crashes, key->bytes, sizeof key->bytes));
}

void docket__effects_release(docket__effects *effects)
{
    size_t cursor = 0;
    while (effects->first != NULL) {
        docket__effect *effect = effects->first;
        effects->first = effect->next;
        free_effect(effect);
    }
    for (const docket__map_entry *slot; (slot = docket__map_next(&effects->crashes, &cursor)) != NULL;) {
        docket__free(slot->value);
    }
    docket__map_release(&effects->by_slot);
    docket__map_release(&effects->crashes);
    *effects = (docket__effects){.first = NULL};
}
