/** @page docket_export  How the library's symbols are declared.
 *
 * Every public function carries DOCKET_API; everything else in the library is hidden. Functions whose status must
 * not be ignored carry DOCKET_MUST_CHECK, functions that take a printf format carry DOCKET_PRINTF, so that the
 * compiler checks both.
 */
#ifndef DOCKET_EXPORT_H
#define DOCKET_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of these headers, as numbers and as text. That of the library: docket_version. */
#define DOCKET_VERSION_MAJOR 0
#define DOCKET_VERSION_MINOR 1
#define DOCKET_VERSION_PATCH 0
#define DOCKET_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define DOCKET_API __attribute__((visibility("default")))
#define DOCKET_MUST_CHECK __attribute__((warn_unused_result))
#define DOCKET_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define DOCKET_UNUSED __attribute__((unused))
#else
#define DOCKET_API
#define DOCKET_MUST_CHECK
#define DOCKET_PRINTF(format_index, first_index)
#define DOCKET_UNUSED
#endif

#ifdef __cplusplus
#define DOCKET_BEGIN_DECLS extern "C" {
#define DOCKET_END_DECLS }
#else
#define DOCKET_BEGIN_DECLS
#define DOCKET_END_DECLS
#endif

/** Durations in milliseconds, the unit of every `_ms` member. */
#define DOCKET_SECONDS(n) ((int64_t)(n) * INT64_C(1000))
#define DOCKET_MINUTES(n) ((int64_t)(n) * INT64_C(60000))
#define DOCKET_HOURS(n) ((int64_t)(n) * INT64_C(3600000))
#define DOCKET_DAYS(n) ((int64_t)(n) * INT64_C(86400000))

DOCKET_BEGIN_DECLS

/** The version of the library that runs, as "major.minor.patch"; DOCKET_VERSION_STRING is that of the headers.
 *
 * Valid until: for ever.
 * Threads: any. */
DOCKET_API const char *docket_version(void);

/** Frees memory that a docket function handed over with the words "free with docket_free". NULL is accepted.
 *
 * Threads: any. */
DOCKET_API void docket_free(void *memory);

/** The allocator that a program can put under the library. `resize` follows realloc: NULL memory allocates, size 0 is
 * never asked for, the result is aligned as malloc aligns, NULL says that memory is exhausted. Both functions must be
 * callable from any thread. */
typedef struct docket_allocator {
    void *(*resize)(void *arg, void *memory, size_t size);
    void (*release)(void *arg, void *memory);
    void *arg;
} docket_allocator;

/** Replaces malloc, realloc and free for all memory that docket itself takes; SQLite and libcrypto keep theirs.
 *
 * Call it before any other docket function and never again: memory of one allocator must not meet the other.
 * The structure is copied. NULL restores the default.
 *
 * Threads: none may be inside docket. */
DOCKET_API void docket_set_allocator(const docket_allocator *allocator);

DOCKET_END_DECLS

#endif
