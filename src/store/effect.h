/* Effects in a store, for the engine: what holds a slot, and a claim that is not waited for. */
#ifndef DOCKET_STORE_EFFECT_H
#define DOCKET_STORE_EFFECT_H

#include "store/store.h"

/* As the backend's `effect`, with retries. Texts and digests are taken from the arena. */
docket_status docket__store_effect(docket_store *store, const uint8_t slot[16], int64_t deadline_ms,
                                   docket_effect *effect, docket_arena *arena, docket_error *error);

/* Takes the claim on holder->key if nobody holds it. */
bool docket__claim_try(docket__claims *claims, docket__holder *holder);

#endif
