#include "store/sqlite/seat.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int generation_bits = 48;
static const uint64_t generation_mask = (UINT64_C(1) << 48) - 1;

size_t docket__owner_seat(docket__owner owner)
{
    return (size_t)(owner >> generation_bits);
}

/* ---- Processes, as /proc shows them ---- */

typedef struct process_line {
    long id;
    char state;
    long threads;
    unsigned long long started;
} process_line;

/* The name in the second field may hold anything, spaces and brackets too. */
static bool read_process(const char *path, process_line *line)
{
    char text[1024];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name != NULL && sscanf(text, "%ld", &line->id) == 1 &&
           sscanf(behind_name, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
                  &line->state, &line->threads, &line->started) == 3;
}

static uint64_t namespace_number(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static void describe_self(docket__process_mark *self)
{
    process_line line;
    *self = (docket__process_mark){.process_namespace = namespace_number("/proc/self/ns/pid"),
                                   .time_namespace = namespace_number("/proc/self/ns/time")};
    /* A /proc of another namespace knows this process by another number. */
    if (self->process_namespace != 0 && read_process("/proc/self/stat", &line) && line.id == (long)getpid()) {
        self->process = (uint32_t)line.id;
        self->started = line.started;
    }
}

static bool has_ended(uint32_t process, uint64_t started)
{
    char path[48];
    process_line line;
    if (kill((pid_t)process, 0) != 0 && errno == ESRCH) {
        return true;
    }
    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)process);
    if (!read_process(path, &line)) {
        return false; /* it may be hidden */
    }
    bool is_zombie = (line.state == 'Z' || line.state == 'X') && line.threads <= 1;
    return is_zombie || line.started != started;
}

/* ---- Seats ---- */

static void sit_down(docket__seat *seat, const docket__process_mark *self, size_t number, docket__owner *owner)
{
    uint64_t generation = (atomic_load(&seat->generation) + 1) & generation_mask;
    generation = generation > 0 ? generation : 1;
    atomic_store(&seat->process, 0); /* until the whole witness is there */
    atomic_store(&seat->generation, generation);
    atomic_store(&seat->started, self->started);
    atomic_store(&seat->process_namespace, self->process_namespace);
    atomic_store(&seat->time_namespace, self->time_namespace);
    atomic_store(&seat->process, self->process);
    *owner = (uint64_t)number << generation_bits | generation;
}

docket_status docket__seat_take(docket__seat *seats, const docket__side *side, docket__process_mark *self,
                                docket__owner *owner, docket_error *error)
{
    describe_self(self);
    for (size_t i = 0; i < DOCKET__SEATS; i++) {
        switch (docket__side_lock_seat(side, i)) {
        case DOCKET__SEAT_LOCKED:
            sit_down(&seats[i], self, i, owner);
            return DOCKET_OK;
        case DOCKET__SEAT_TAKEN:
            break;
        case DOCKET__SEAT_FAILED:
            return docket__side_fail(side, "a seat", error);
        }
    }
    docket__error_set(error, DOCKET_STORE, "%s: %d store handles have the file open, which is the most", side->path,
                      (int)DOCKET__SEATS);
    error->transient = 1;
    return DOCKET_STORE;
}

bool docket__seat_is_dead(const docket__seat *seats, const docket__side *side, const docket__process_mark *self,
                          docket__owner owner)
{
    size_t number = docket__owner_seat(owner);
    uint64_t generation = owner & generation_mask;
    if (number >= DOCKET__SEATS || atomic_load(&seats[number].generation) != generation) {
        return true;
    }
    if (!docket__side_is_seat_locked(side, number)) {
        return true;
    }
    const docket__seat *seat = &seats[number];
    uint32_t process = atomic_load(&seat->process);
    uint64_t started = atomic_load(&seat->started);
    bool can_tell = process != 0 && self->process != 0 &&
                    atomic_load(&seat->process_namespace) == self->process_namespace &&
                    atomic_load(&seat->time_namespace) == self->time_namespace;
    if (atomic_load(&seat->generation) != generation) {
        return true;
    }
    return can_tell && process != self->process && has_ended(process, started);
}
