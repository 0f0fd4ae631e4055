/* Three fetches at once, and a step that joins them: what may run together follows from the types alone. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

DOCKET_STRUCT(UserID, (STRING, value));
DOCKET_STRUCT(UserProfile, (STRING, name), (STRING, email));
DOCKET_STRUCT(UserPreferences, (STRING, theme), (STRING, language));
DOCKET_STRUCT(UserActivity, (INT64, logins));
DOCKET_STRUCT(EnrichedUser, (STRUCT(UserProfile), profile), (STRUCT(UserPreferences), preferences),
              (INT64, logins));

static atomic_int started, finished, running, most_running;

static void enter(const docket_ctx *ctx)
{
    printf("   %s started\n", docket_ctx_step_name(ctx));
    started++;
    int now = ++running, most = most_running;
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now)) {
    }
}

static void leave(const docket_ctx *ctx)
{
    running--;
    finished++;
    printf("   %s finished\n", docket_ctx_step_name(ctx));
}

/* Stands for 100 ms on the network. It waits for the other two fetches: one after the other, none would ever end. */
static docket_status fetch(docket_ctx *ctx)
{
    enter(ctx);
    docket_status status;
    do {
        status = docket_sleep(ctx, 100);
    } while (status == DOCKET_OK && started < 3);
    leave(ctx);
    return status;
}

static docket_status fetch_profile(docket_ctx *ctx, UserProfile *out, const UserID *id)
{
    (void)id;
    out->name = "Alice";
    out->email = "alice@example.com";
    return fetch(ctx);
}
DOCKET_STEP(fetch_profile, UserProfile, UserID);

static docket_status fetch_preferences(docket_ctx *ctx, UserPreferences *out, const UserID *id)
{
    (void)id;
    out->theme = "dark";
    out->language = "en";
    return fetch(ctx);
}
DOCKET_STEP(fetch_preferences, UserPreferences, UserID);

static docket_status fetch_activity(docket_ctx *ctx, UserActivity *out, const UserID *id)
{
    (void)id;
    out->logins = 42;
    return fetch(ctx);
}
DOCKET_STEP(fetch_activity, UserActivity, UserID);

static docket_status enrich_user(docket_ctx *ctx, EnrichedUser *out, const UserProfile *profile,
                                 const UserPreferences *preferences, const UserActivity *activity)
{
    if (finished != 3) {
        return docket_abort(ctx, 1, "it started after %d fetches, not after all", finished);
    }
    enter(ctx);
    out->profile = profile; /* a value may point into the inputs it is made of */
    out->preferences = preferences;
    out->logins = activity->logins;
    leave(ctx);
    return DOCKET_OK;
}
DOCKET_STEP(enrich_user, EnrichedUser, UserProfile, UserPreferences, UserActivity);

static docket_graph *build_graph(void)
{
    docket_graph *graph = docket_graph_new("parallel", NULL);
    docket_graph_add(graph, &fetch_profile_step,
                     &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "FetchProfile"});
    docket_graph_add(graph, &fetch_preferences_step,
                     &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "FetchPreferences"});
    docket_graph_add(graph, &fetch_activity_step,
                     &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "FetchActivity"});
    docket_graph_add(graph, &enrich_user_step,
                     &(docket_step_options){DOCKET_STEP_OPTIONS_INIT, .name = "EnrichUser"});
    return graph;
}

static docket_status print_plan(docket_graph *graph, docket_error *error)
{
    const docket_step_info **steps;
    size_t count;
    docket_status status = docket_graph_plan(graph, DOCKET_OF(EnrichedUser), &steps, &count, error);
    if (status == DOCKET_OK) {
        puts("Plan:");
        for (size_t i = 0; i < count; i++) {
            printf("   %zu. %s\n", i + 1, steps[i]->name);
        }
        docket_free(steps);
    }
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_user(const EnrichedUser *user)
{
    puts("\nResult:");
    printf("   Profile: %s <%s>\n", user->profile->name, user->profile->email);
    printf("   Theme: %s, Language: %s\n", user->preferences->theme, user->preferences->language);
    printf("   Logins: %" PRId64 "\n", user->logins);
}

int main(void)
{
    docket_error error;
    docket_result *result = NULL;
    docket_graph *graph = build_graph();
    if (docket_graph_validate(graph, &error) != DOCKET_OK || print_plan(graph, &error) != DOCKET_OK) {
        goto end;
    }

    puts("\nExecution:");
    const UserID id = {"user-123"};
    const docket_request request = {
        DOCKET_REQUEST_INIT,
        .output = DOCKET_OF(EnrichedUser),
        DOCKET_INPUTS(DOCKET_IN(UserID, &id)),
        .time_limit_ms = DOCKET_SECONDS(60),
    };
    int64_t begin_ms = now_ms();
    if (docket_execute(graph, &request, &result, &error) != DOCKET_OK) {
        goto end;
    }
    int64_t elapsed_ms = now_ms() - begin_ms;

    print_user(DOCKET_RESULT(result, EnrichedUser));
    puts("\nStatistics:");
    printf("   Max concurrent: %d\n", most_running);
    printf("   Elapsed: %" PRId64 " ms (300 ms of fetching)\n", elapsed_ms);

end:
    if (error.status != DOCKET_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    docket_result_free(result);
    docket_graph_free(graph);
    return error.status == DOCKET_OK && most_running == 3 && started == 4 ? EXIT_SUCCESS : EXIT_FAILURE;
}
