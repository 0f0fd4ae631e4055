#include "engine/effect.h"
#include "base/error.h"
#include "base/random.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t docket__effect_token(void)
{
    uint64_t token;
    do {
        token = docket__random_number() >> 1; /* a positive number to every database */
    } while (token == 0);
    return token;
}

static void add(char *text, size_t capacity, const char *format, ...) DOCKET_PRINTF(3, 4);
static void add(char *text, size_t capacity, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    snprintf(text + used, capacity - used, "%s", used > 0 ? ", " : "");
    used = strlen(text);
    vsnprintf(text + used, capacity - used, format, arguments);
    va_end(arguments);
}

static void name_differences(const docket_ctx *ctx, const docket_effect *found, char *text, size_t capacity)
{
    const docket_record *own = &ctx->record;
    text[0] = '\0';
    if (found->step_version != own->step_version) {
        add(text, capacity, "version %u (now %u)", (unsigned)found->step_version, (unsigned)own->step_version);
    }
    if (strcmp(found->type, own->type) != 0) {
        add(text, capacity, "output type %.64s (now %.64s)", found->type, own->type);
    } else if (memcmp(found->fingerprint, own->fingerprint, sizeof own->fingerprint) != 0) {
        add(text, capacity, "another layout of %.64s", own->type);
    }
    if (found->input_count != own->input_count) {
        add(text, capacity, "%zu inputs (now %zu)", found->input_count, own->input_count);
        return;
    }
    for (size_t i = 0; i < own->input_count; i++) {
        if (memcmp(found->input_digests + 32 * i, own->input_digests + 32 * i, 32) != 0) {
            add(text, capacity, "another input %.64s", ctx->step->info.inputs[i].type->name);
        }
    }
    if (text[0] == '\0') {
        bool same_key = memcmp(found->key, own->key.bytes, sizeof own->key.bytes) == 0;
        add(text, capacity, same_key ? "the same inputs, by a once step" : "other names or layouts of its inputs");
    }
}

docket_status docket__effect_refuse(docket_ctx *ctx, const docket_effect *found)
{
    char differences[400];
    name_differences(ctx, found, differences, sizeof differences);
    return docket__error_set(
        &ctx->failure, DOCKET_CONFLICT, "the effect was %s under %s: it is not entered again; %s",
        found->state == DOCKET_EFFECT_RECORDED ? "recorded" : "entered, and its outcome is not known,", differences,
        found->state == DOCKET_EFFECT_RECORDED
            ? "ask with what was recorded, or docket_forget it to have it done anew"
            : "ask with what was entered, or docket_settle it");
}
