/* Looking at a graph without running it: steps, leaves, plans and a picture. The types are protobuf messages. */
#include "user.pb-c.h"

#include <docket/docket.h>
#include <docket/protobuf.h>

#include <stdio.h>
#include <stdlib.h>

DOCKET_PROTOBUF(App__UserID, app__user_id);
DOCKET_PROTOBUF(App__UserProfile, app__user_profile);
DOCKET_PROTOBUF(App__UserPreferences, app__user_preferences);
DOCKET_PROTOBUF(App__UserActivity, app__user_activity);
DOCKET_PROTOBUF(App__EnrichedUser, app__enriched_user);

static docket_status fetch_profile(docket_ctx *ctx, App__UserProfile *out, const App__UserID *id)
{
    out->name = "Alice";
    out->email = docket_printf(ctx, "%s@example.com", id->value);
    return DOCKET_OK;
}
DOCKET_STEP(fetch_profile, App__UserProfile, App__UserID);

static docket_status fetch_preferences(docket_ctx *ctx, App__UserPreferences *out, const App__UserID *id)
{
    (void)ctx;
    (void)id;
    out->theme = "dark";
    out->language = "en";
    return DOCKET_OK;
}
DOCKET_STEP(fetch_preferences, App__UserPreferences, App__UserID);

static docket_status fetch_activity(docket_ctx *ctx, App__UserActivity *out, const App__UserID *id)
{
    (void)ctx;
    (void)id;
    out->logins = 42;
    return DOCKET_OK;
}
DOCKET_STEP(fetch_activity, App__UserActivity, App__UserID);

static docket_status enrich_user(docket_ctx *ctx, App__EnrichedUser *out, const App__UserProfile *profile,
                                 const App__UserPreferences *preferences, const App__UserActivity *activity)
{
    (void)ctx;
    out->profile = (App__UserProfile *)profile; /* protobuf-c knows no const; docket does not write there */
    out->preferences = (App__UserPreferences *)preferences;
    out->logins = activity->logins;
    return DOCKET_OK;
}
DOCKET_STEP(enrich_user, App__EnrichedUser, App__UserProfile, App__UserPreferences, App__UserActivity);

static const struct {
    const docket_step *step;
    const char *name;
} steps[] = {
    {&fetch_profile_step, "FetchProfile"},
    {&fetch_preferences_step, "FetchPreferences"},
    {&fetch_activity_step, "FetchActivity"},
    {&enrich_user_step, "EnrichUser"},
};

static void list_steps(const docket_graph *graph)
{
    puts("1. Steps");
    printf("   Found %zu registered steps:\n", docket_graph_step_count(graph));
    for (size_t i = 0; i < docket_graph_step_count(graph); i++) {
        const docket_step_info *step = docket_graph_step(graph, i);
        printf("   - %s\n     Output: %s\n     Dependencies:", step->name, step->output->name);
        for (size_t k = 0; k < step->input_count; k++) {
            printf("%s %s", k > 0 ? "," : "", step->inputs[k].type->name);
        }
        puts("");
    }
}

static void list_leaves(const docket_graph *graph)
{
    puts("\n2. Leaves: what the caller has to give");
    for (size_t i = 0; i < docket_graph_leaf_count(graph); i++) {
        printf("   - %s\n", docket_graph_leaf(graph, i)->name);
    }
}

static docket_status list_plan(docket_graph *graph, const docket_type *output, docket_error *error)
{
    const docket_step_info **plan = NULL;
    size_t count = 0;
    docket_status status = docket_graph_plan(graph, output, &plan, &count, error);
    if (status == DOCKET_OK) {
        printf("   Plan for %s:\n", output->name);
    }
    for (size_t i = 0; i < count; i++) {
        printf("   %zu. %s\n", i + 1, plan[i]->name);
    }
    docket_free((void *)plan);
    return status;
}

static docket_status draw(const docket_graph *graph, docket_error *error)
{
    char *picture = docket_graph_mermaid(graph);
    if (picture == NULL) {
        snprintf(error->message, sizeof error->message, "memory ran out");
        return error->status = DOCKET_NO_MEMORY;
    }
    printf("\n4. A picture, for whatever shows Mermaid\n%s", picture);
    docket_free(picture);
    return DOCKET_OK;
}

int main(void)
{
    docket_error error = DOCKET_ERROR_INIT;
    docket_graph *graph = docket_graph_new("users", NULL);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        docket_graph_add(graph, steps[i].step, &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = steps[i].name});
    }
    docket_status status = docket_graph_validate(graph, &error);
    if (status == DOCKET_OK) {
        list_steps(graph);
        list_leaves(graph);
        puts("\n3. Plans: what would run, in order");
        status = list_plan(graph, DOCKET_OF(App__EnrichedUser), &error);
    }
    if (status == DOCKET_OK) {
        status = list_plan(graph, DOCKET_OF(App__UserProfile), &error);
    }
    if (status == DOCKET_OK) {
        status = draw(graph, &error);
    }
    if (status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    docket_graph_free(graph);
    return status == DOCKET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
