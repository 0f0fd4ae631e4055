/* Delays between attempts. */
#ifndef DOCKET_ENGINE_BACKOFF_H
#define DOCKET_ENGINE_BACKOFF_H

#include <docket/graph.h>

/* The delay after the `failed_attempt`-th entry (from 1) failed: never negative, never above the cap, without overflow
 * for any number of attempts. With jitter it is drawn evenly from 1 to the delay. The backoff has passed the checks of
 * docket_graph_add, which also fill in factor and cap. */
int64_t docket__backoff_delay_ms(const docket_backoff *backoff, void *user, int failed_attempt);

#endif
