/* What the memory store knows of effects without an outcome, and of crashes. No lock: the store's protects it. */
#ifndef DOCKET_STORE_MEMORY_EFFECTS_H
#define DOCKET_STORE_MEMORY_EFFECTS_H

#include "base/arena.h"
#include "base/map.h"

#include <docket/backend.h>

/* An intent. Few are open at a time, so that a list with an index by slot will do. */
typedef struct docket__effect {
    docket_intent intent;
    docket_record *record; /* without a value */
    char *reason;          /* why it is in doubt; NULL = it is not known to be */
    int64_t position;
    struct docket__effect *next, *previous;
} docket__effect;

typedef struct docket__effects {
    docket__map by_slot;
    docket__effect *first, *last; /* in the order of entry */
    int64_t last_position;
    docket__map crashes; /* by key */
} docket__effects;

docket__effect *docket__effects_find(const docket__effects *effects, const uint8_t slot[16]);

/* Whether this very intent is there. */
bool docket__effects_has(const docket__effects *effects, const docket_intent *intent);
bool docket__effects_has_key(const docket__effects *effects, const docket_key *key);

/* The slot is free. */
docket_status docket__effects_add(docket__effects *effects, const docket_intent *intent,
                                  const docket_record *record, int64_t now_ms);

/* Nothing happens unless this very intent is there. */
void docket__effects_remove(docket__effects *effects, const docket_intent *intent);
docket_status docket__effects_doubt(docket__effects *effects, const docket_intent *intent, const char *reason);

void docket__effect_describe(const docket__effect *effect, docket_effect *out, docket_arena *arena);

/* The part of it that a record tells. */
void docket__effect_describe_record(const docket_record *record, docket_effect_state state, docket_effect *out,
                                    docket_arena *arena);

docket_status docket__effects_count_crash(docket__effects *effects, const docket_key *key, uint64_t token);
uint32_t docket__effects_crashes(const docket__effects *effects, const docket_key *key);
void docket__effects_clear_crashes(docket__effects *effects, const docket_key *key);

void docket__effects_release(docket__effects *effects);

#endif
