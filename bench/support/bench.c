#include "support/bench.h"

#include <docket/docket.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { USUAL_ROUNDS = 9, FEWEST_ROUNDS = 5, MOST_ROUNDS = 1001 };

static const double round_ns = 3e7; /* long enough to be measured, short enough to take turns often */

static struct {
    const char *name;
    const char *filter;
    size_t rounds;
    unsigned lines;
    unsigned missed;
    bool is_json;
} self = {.rounds = USUAL_ROUNDS};

void bench_require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_ns(const bench_subject *subject, size_t times)
{
    double start = now_ns();
    subject->run(subject->context, times);
    return now_ns() - start;
}

/* How often the work fits into a round. Doing so warms caches and allocators as well. */
static size_t find_times(const bench_subject *subject)
{
    size_t times = 1;
    while (time_ns(subject, times) < round_ns / 2 && times < SIZE_MAX / 2) {
        times *= 2;
    }
    return times;
}

static int compare(const void *first, const void *second)
{
    double left = *(const double *)first;
    double right = *(const double *)second;
    return (left > right) - (left < right);
}

typedef struct figure {
    double median_ns;
    double spread; /* between the quartiles, as a part of the median */
} figure;

static figure figure_of(double *each_ns, size_t count)
{
    qsort(each_ns, count, sizeof *each_ns, compare);
    double median = (each_ns[(count - 1) / 2] + each_ns[count / 2]) / 2;
    return (figure){median, (each_ns[count - 1 - count / 4] - each_ns[count / 4]) / median};
}

static void read_model(char *model, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(model, size, "unknown processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *text = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && text != NULL) {
            snprintf(model, size, "%.*s", (int)strcspn(text + 2, "\n\"\\"), text + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void print_machine(const char *limit_name)
{
    char model[256];
    struct utsname system;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    read_model(model, sizeof model);
    bench_require(uname(&system) == 0, "uname failed");
    if (self.is_json) {
        printf("{\"benchmark\":\"%s\",\"compared_with\":\"%s\",\"processor\":\"%s\",\"processors\":%ld,\"system\":"
               "\"%s %s "
               "%s\",\"compiler\":\"%s\",\"docket\":\"%s\",\"rounds\":%zu}\n",
               self.name, limit_name, model, processors, system.sysname, system.release, system.machine,
               __VERSION__, docket_version(), self.rounds);
        return;
    }
    printf("%s, compared with %s\n%s, %ld processors, %s %s %s, compiler %s, docket %s, medians of %zu rounds\n\n",
           self.name, limit_name, model, processors, system.sysname, system.release, system.machine, __VERSION__,
           docket_version(), self.rounds);
    printf("%-36s %12s %7s %12s %7s %9s %7s %7s\n", "", "docket", "spread", "limit", "spread", "MiB/s", "ratio",
           "target");
}

void bench_begin(int count, char **arguments, const char *name, const char *limit_name)
{
    self.name = name;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0) {
            self.is_json = true;
        } else if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count) {
            self.rounds = (size_t)strtoull(arguments[++i], NULL, 10);
            bench_require(self.rounds >= FEWEST_ROUNDS && self.rounds <= MOST_ROUNDS, "--rounds takes 5 to 1001");
        } else {
            bench_require(arguments[i][0] != '-', "usage: [--json] [--rounds N] [PART OF A NAME]");
            self.filter = arguments[i];
        }
    }
    print_machine(limit_name);
}

static void print_time(char *text, size_t size, double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    for (; ns >= 10000 && unit < 3; unit++) {
        ns /= 1000;
    }
    snprintf(text, size, "%.*f %s", ns < 100 ? 1 : 0, ns, units[unit]);
}

static void print_line(const bench_line *line, figure ours, figure limit)
{
    char ours_text[32];
    char limit_text[32];
    double ratio = limit.median_ns / ours.median_ns;
    double speed = (double)line->bytes / ours.median_ns * 1e9 / (1024 * 1024);
    bool is_missed = ratio < line->target;
    self.lines++;
    self.missed += is_missed;
    if (self.is_json) {
        printf("{\"name\":\"%s\",\"ours_ns\":%.1f,\"ours_spread\":%.3f,\"limit_ns\":%.1f,\"limit_spread\":%.3f,"
               "\"bytes\":%zu,"
               "\"ratio\":%.3f,\"target\":%.2f,\"missed\":%s}\n",
               line->name, ours.median_ns, ours.spread, limit.median_ns, limit.spread, line->bytes, ratio,
               line->target, is_missed ? "true" : "false");
    } else {
        print_time(ours_text, sizeof ours_text, ours.median_ns);
        print_time(limit_text, sizeof limit_text, limit.median_ns);
        printf("%-36s %12s %6.1f%% %12s %6.1f%% %9.0f %7.2f %7.2f%s\n", line->name, ours_text, ours.spread * 100,
               limit_text, limit.spread * 100, speed, ratio, line->target, is_missed ? "  MISSED" : "");
    }
    fflush(stdout);
}

void bench_compare(const bench_line *line)
{
    if (self.filter != NULL && strstr(line->name, self.filter) == NULL) {
        return;
    }
    double *ours_ns = calloc(self.rounds, sizeof *ours_ns);
    double *limit_ns = calloc(self.rounds, sizeof *limit_ns);
    bench_require(ours_ns != NULL && limit_ns != NULL, "no memory");
    size_t ours_times = find_times(&line->ours);
    size_t limit_times = find_times(&line->limit);
    for (size_t i = 0; i < self.rounds; i++) {
        ours_ns[i] = time_ns(&line->ours, ours_times) / (double)ours_times;
        limit_ns[i] = time_ns(&line->limit, limit_times) / (double)limit_times;
    }
    print_line(line, figure_of(ours_ns, self.rounds), figure_of(limit_ns, self.rounds));
    free(ours_ns);
    free(limit_ns);
}

int bench_end(void)
{
    bench_require(self.lines > 0, "no line has such a name");
    if (!self.is_json) {
        printf("\n%u of %u targets missed\n", self.missed, self.lines);
    }
    return EXIT_SUCCESS;
}
