#include "support/site.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 200, LONG_LIMIT_S = 3600 };

static bool is_long(void)
{
    const char *word = getenv("DOCKET_LONG");
    return word != NULL && word[0] != '\0';
}

int site_setup(void **state)
{
    const char *kind = *state;
    site *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return 1;
    }
    self->folder = folder_make();
    self->durable = strcmp(kind, "sqlite") == 0;
    if (self->durable) {
        snprintf(self->file, sizeof self->file, "%s/store.db", self->folder.path);
        snprintf(self->url, sizeof self->url, "sqlite:%s", self->file);
    } else {
        snprintf(self->url, sizeof self->url, "memory:");
    }
    *state = self;
    alarm(is_long() ? LONG_LIMIT_S : LIMIT_S);
    return 0;
}

int site_teardown(void **state)
{
    site *self = *state;
    alarm(0);
    docket_store_close(self->store);
    folder_remove(&self->folder);
    free(self);
    return 0;
}

docket_store *site_open(site *self, const docket_store_options *options)
{
    docket_error error = DOCKET_ERROR_INIT;
    if (self->store == NULL && docket_store_open(&self->store, self->url, options, &error) != DOCKET_OK) {
        fail_msg("%s: %s: %s", self->url, docket_status_name(error.status), error.message);
    }
    return self->store;
}

void site_close(site *self)
{
    if (self->durable) {
        docket_store_close(self->store);
        self->store = NULL;
    }
}

long site_count(long n, long long_n)
{
    return is_long() ? long_n : n;
}

uint64_t site_seed(void)
{
    const char *word = getenv("DOCKET_SEED");
    uint64_t seed = word != NULL ? strtoull(word, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    seed = seed != 0 ? seed : 1;
    print_message("DOCKET_SEED=%" PRIu64 "\n", seed);
    return seed;
}

uint64_t site_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}
