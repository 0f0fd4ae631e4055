/** @page docket_items  Items: steps that run once for each of many values.
 *
 * Some types are there once per execution, others once per *item*. Items come from the caller,
 *
 *     DOCKET_INPUTS(DOCKET_ITEMS(Row, rows, row_count), DOCKET_IN(Config, &config))
 *
 * or from a step of the graph that makes them with docket_emit (DOCKET_EXPAND). A step that needs an item's type runs once
 * per item, and what it makes is there once per item too; its other inputs are shared by all. A step that takes all items
 * closes the level: at once (DOCKET_AGGREGATE), or one after the other in their order (DOCKET_FOLD). What it makes is
 * there once, and steps that run per item may take it again: an item then waits there for all others. It waits nowhere
 * else: one item may be through all its steps when another has not begun.
 *
 * There is one level. A graph in which a step would join items of two expands, or expand once per item, is refused;
 * expand there in a nested execution.
 *
 * Up to `window` items of the request are under way at once, and steps run for at most `max_concurrency` of them. Results
 * keep the order of the items, whatever the order in which they end. Recorded steps record each item by its value, not by
 * its place: equal items are computed once, and a batch that was cut short resumes with what is missing.
 *
 * An expand that is recorded, or that may be tried again, hands its items on when it has succeeded; another at once, while
 * it runs. A fold that is neither recorded nor may be tried again takes each item as it leaves its last step, and the item
 * is then freed: its accumulator must not point into it. Other folds, and aggregates, keep all items until the result is
 * freed.
 */
#ifndef DOCKET_ITEMS_H
#define DOCKET_ITEMS_H

#include <docket/execute.h>

DOCKET_BEGIN_DECLS

/** Makes an item, in an expand step; `item` points to a value of the step's output type and is copied. Waits while the
 * window is full.
 *
 * Threads: that of the step.
 * Returns:
 * - DOCKET_CANCELLED: the step should stop; return this.
 * - DOCKET_STATE: the step does not expand.
 * - DOCKET_ENCODE, DOCKET_NO_MEMORY: the item cannot be copied. The step fails even if it goes on. */
DOCKET_API DOCKET_MUST_CHECK docket_status docket_emit(docket_ctx *ctx, const void *item);

/* Results. */

/** One item of a result, or one that is handed to `item_done`: a small value, to be passed on as it is. */
typedef struct docket_item {
    size_t index;      /* from 0, in the order of the items */
    const void *items; /* docket's own, as the next */
    const void *row;
} docket_item;

/** How many items of a type an execution has; 0 if the type is not there per item.
 *
 * Threads: any, as for all functions on a result. */
DOCKET_API size_t docket_result_item_count(const docket_result *result, const docket_type *type);

/** An item of a type. One beyond the last, and one that the execution did not keep, has no values.
 *
 * Valid until: docket_result_free. */
DOCKET_API docket_item docket_result_item(const docket_result *result, const docket_type *type, size_t index);

/** The value of a type of the item's level, or NULL if there is none: it is absent, failed, or was not reached.
 *
 * Valid until: docket_result_free; in `item_done` until that returns. */
DOCKET_API const void *docket_item_value(docket_item item, const docket_type *type);

/** The same with the type's own pointer. */
#define DOCKET_ITEM(item, T) ((const T *)docket_item_value((item), DOCKET_OF(T)))

/** `DOCKET_RESULT_ITEM(result, Price, 3)->cents`: see docket_result_item. */
#define DOCKET_RESULT_ITEM(result, T, index)                                                                     \
    ((const T *)docket_item_value(docket_result_item((result), DOCKET_OF(T), (index)), DOCKET_OF(T)))

/** What became of a type in an item. */
DOCKET_API docket_value_state docket_item_state(docket_item item, const docket_type *type);

/** Why a type is absent or failed in an item; else the empty string. Never NULL.
 *
 * Valid until: as docket_item_value. */
DOCKET_API const char *docket_item_reason(docket_item item, const docket_type *type);

/** The first error of an item, with DOCKET_COLLECT; DOCKET_OK if it had none. */
DOCKET_API docket_status docket_item_error(docket_item item, docket_error *error);

DOCKET_END_DECLS

#endif
