#include "support/letters.h"

#include <string.h>

static letters_user *enter(docket_ctx *ctx)
{
    letters_user *user = docket_ctx_user(ctx);
    if (user != NULL) {
        atomic_fetch_add(&user->runs, 1);
    }
    return user;
}

static docket_status count_letters(docket_ctx *ctx, LC *out, const IS *in)
{
    const letters_user *user = enter(ctx);
    const char *prefix = user != NULL && user->prefix != NULL ? user->prefix : "";
    out->original = docket_printf(ctx, "%s%s", prefix, in->value);
    out->count = (int32_t)strlen(in->value);
    return DOCKET_OK;
}
DOCKET_STEP(count_letters, LC, IS);

static docket_status make_letters(docket_ctx *ctx, LC *out)
{
    const letters_user *user = enter(ctx);
    out->count = user != NULL ? user->value : 42;
    return DOCKET_OK;
}
DOCKET_STEP(make_letters, LC);

static docket_status count_all_letters(docket_ctx *ctx, LC *out, const IS *const *items, size_t item_count)
{
    enter(ctx);
    for (size_t i = 0; i < item_count; i++) {
        out->original = items[i]->value;
        out->count += (int32_t)strlen(items[i]->value);
    }
    return DOCKET_OK;
}
DOCKET_AGGREGATE(count_all_letters, LC, IS);

static docket_status recount_letters(docket_ctx *ctx, LC *out, const LC *in)
{
    enter(ctx);
    *out = *in;
    return DOCKET_OK;
}
DOCKET_STEP(recount_letters, LC, LC);
