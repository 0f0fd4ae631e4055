/* A batch: one step looks at all movies, another at each of them beside what was made of all. */
#include <docket/docket.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

DOCKET_STRUCT(Movie, (STRING, title), (INT64, year), (DOUBLE, rating), (INT64, minutes));
DOCKET_STRUCT(Statistics, (INT64, count), (DOUBLE, average_rating), (DOUBLE, lowest), (DOUBLE, highest),
              (INT64, total_minutes));
DOCKET_STRUCT(Comparison, (DOUBLE, percentile), (BOOL, above_average), (BOOL, is_long));

static atomic_int aggregate_runs, item_runs;

static docket_status compute(docket_ctx *ctx, Statistics *out, const Movie *const *movies, size_t count)
{
    (void)ctx;
    aggregate_runs++;
    for (size_t i = 0; i < count; i++) {
        double rating = movies[i]->rating;
        out->average_rating += rating / (double)count;
        out->lowest = i == 0 || rating < out->lowest ? rating : out->lowest;
        out->highest = i == 0 || rating > out->highest ? rating : out->highest;
        out->total_minutes += movies[i]->minutes;
    }
    out->count = (int64_t)count;
    return DOCKET_OK;
}
DOCKET_AGGREGATE(compute, Statistics, Movie);

static docket_status compare(docket_ctx *ctx, Comparison *out, const Movie *movie, const Statistics *all)
{
    (void)ctx;
    item_runs++;
    double spread = all->highest - all->lowest;
    out->percentile = spread > 0 ? 100 * (movie->rating - all->lowest) / spread : 100;
    out->above_average = movie->rating > all->average_rating;
    out->is_long = movie->minutes * all->count > all->total_minutes;
    return DOCKET_OK;
}
DOCKET_STEP(compare, Comparison, Movie, Statistics);

static void print_statistics(const Statistics *all)
{
    printf("Of all movies:\n");
    printf("   Count:           %" PRId64 " movies\n", all->count);
    printf("   Average Rating:  %.2f\n", all->average_rating);
    printf("   Average Runtime: %" PRId64 " min\n", all->total_minutes / all->count);
    printf("   Total Runtime:   %" PRId64 " min (%.1f hours)\n", all->total_minutes,
           (double)all->total_minutes / 60);
}

/* What is sorted: the number of an item, by its percentile; equal ones stay in their order. */
typedef struct place {
    size_t index;
    double percentile;
} place;

static int higher_first(const void *one, const void *other)
{
    const place *a = one;
    const place *b = other;
    int by_percentile = (a->percentile < b->percentile) - (a->percentile > b->percentile);
    return by_percentile != 0 ? by_percentile : (a->index > b->index) - (a->index < b->index);
}

static void print_comparisons(const docket_result *result)
{
    place places[16];
    size_t count = docket_result_item_count(result, DOCKET_OF(Comparison));
    for (size_t i = 0; i < count; i++) {
        places[i] = (place){i, DOCKET_RESULT_ITEM(result, Comparison, i)->percentile};
    }
    qsort(places, count, sizeof places[0], higher_first);
    printf("\nEach beside all:\n");
    for (size_t i = 0; i < count; i++) {
        docket_item item = docket_result_item(result, DOCKET_OF(Comparison), places[i].index);
        const Movie *movie = DOCKET_ITEM(item, Movie);
        const Comparison *comparison = DOCKET_ITEM(item, Comparison);
        printf(" %s %3.0f%%  %s (%" PRId64 ")%s\n", comparison->above_average ? "*" : " ", comparison->percentile,
               movie->title, movie->year, comparison->is_long ? " (long)" : "");
    }
    printf("\n * above average\n");
}

int main(void)
{
    static const Movie movies[] = {
        {.title = "The Shawshank Redemption", .year = 1994, .rating = 9.3, .minutes = 142},
        {.title = "The Godfather", .year = 1972, .rating = 9.2, .minutes = 175},
        {.title = "The Dark Knight", .year = 2008, .rating = 9.0, .minutes = 152},
        {.title = "The Godfather Part II", .year = 1974, .rating = 9.0, .minutes = 202},
        {.title = "12 Angry Men", .year = 1957, .rating = 9.0, .minutes = 96},
    };
    enum { COUNT = sizeof movies / sizeof movies[0] };
    docket_error error;
    docket_result *result = NULL;
    docket_graph *graph = docket_graph_new("movies", NULL);
    docket_graph_add_all(graph, NULL, DOCKET_STEPS(compute, compare));
    docket_status status = docket_graph_validate(graph, &error);
    if (status == DOCKET_OK) {
        status = docket_execute(graph,
                                &(docket_request){
                                    DOCKET_REQUEST_INIT,
                                    .output = DOCKET_OF(Comparison),
                                    DOCKET_INPUTS(DOCKET_ITEMS(Movie, movies, COUNT)),
                                },
                                &result, &error);
    }
    if (status != DOCKET_OK) {
        fprintf(stderr, "%s: %s\n", docket_status_name(status), error.message);
        return 1;
    }
    print_statistics(DOCKET_RESULT(result, Statistics));
    print_comparisons(result);
    printf("\n%d run over all, %d runs over one\n", aggregate_runs, item_runs);
    docket_result_free(result);
    docket_graph_free(graph);
    return aggregate_runs == 1 && item_runs == COUNT ? 0 : 1;
}
