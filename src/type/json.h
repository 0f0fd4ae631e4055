/* JSON's smallest parts: names, numbers, times and base64 as text and back. Nothing here depends on the locale. */
#ifndef DOCKET_TYPE_JSON_H
#define DOCKET_TYPE_JSON_H

#include "type/field.h"

#include <docket/json.h>

enum {
    DOCKET__JSON_NUMBER = 32, /* bytes of the longest number or time, with its NUL */
    DOCKET__JSON_NAME = 256   /* of the longest name, with its NUL */
};

#define DOCKET__JSON_SECRET "***"

/* Reads a program's options. DOCKET_INVALID names the option. */
docket_status docket__json_options_read(docket_json_options *options, const docket_json_options *given,
                                        docket_error *error);

/* The lowerCamelCase name of a member; its own name if another member has that one too. */
void docket__json_camel_name(const docket_schema *schema, const docket_field *field, char name[DOCKET__JSON_NAME]);

/* The member of that name; of that lowerCamelCase name, if there is none. NULL = neither. */
const docket_field *docket__json_find_member(const docket_schema *schema, const char *name);

/* The shortest JSON number that reads back as the same; the value is finite. Returns its length. */
size_t docket__json_put_double(double value, char text[DOCKET__JSON_NUMBER]);
size_t docket__json_put_float(float value, char text[DOCKET__JSON_NUMBER]);

/* RFC 3339 in UTC; outside the years 1 to 9999 the milliseconds in digits. Returns its length. */
size_t docket__json_put_time(int64_t time_ms, char text[DOCKET__JSON_NUMBER]);

/* A JSON string of well-formed UTF-8. The buffer remembers if memory runs out. */
void docket__json_put_string(docket_buffer *out, const char *text, size_t size);

docket_status docket__json_put_base64(docket_buffer *out, docket_bytes bytes);

/* An integer of 64 bits and a sign. */
typedef struct docket__json_integer {
    bool is_negative;
    uint64_t magnitude;
} docket__json_integer;

/* True if the text is a number by JSON's grammar, whatever its size. */
bool docket__json_is_number(const char *text, size_t size);

/* Numbers by JSON's grammar. False: another text, not an integer, or out of range. */
bool docket__json_get_integer(const char *text, size_t size, docket__json_integer *integer);
bool docket__json_get_double(const char *text, size_t size, double *value);
bool docket__json_get_float(const char *text, size_t size, float *value);

/* RFC 3339 in the years 1 to 9999 with at most milliseconds. */
bool docket__json_get_time(const char *text, size_t size, int64_t *time_ms);

/* What google.protobuf.Timestamp and Duration hold. */
typedef struct docket__json_moment {
    int64_t seconds;
    int32_t nanos;
} docket__json_moment;

/* RFC 3339 in the years 1 to 9999, and seconds with an s behind them, up to 10000 years either way; with 0, 3, 6 or 9
 * digits of a second. False: the moment has no such form. */
bool docket__json_put_timestamp(docket__json_moment moment, char text[DOCKET__JSON_NUMBER]);
bool docket__json_put_duration(docket__json_moment moment, char text[DOCKET__JSON_NUMBER]);

/* And back, with up to 9 digits of a second. */
bool docket__json_get_timestamp(const char *text, size_t size, docket__json_moment *moment);
bool docket__json_get_duration(const char *text, size_t size, docket__json_moment *moment);

/* Room that the bytes of so much base64 need at most. */
static inline size_t docket__json_base64_room(size_t size)
{
    return size / 4 * 3 + 3;
}

/* Reads base64 of either alphabet, padded or not, into docket__json_base64_room bytes. */
bool docket__json_get_base64(const char *text, size_t size, uint8_t *out, size_t *out_size);

/* Appends the JSON of a value that lies in its stored bytes, by a type of docket__schema_decode: as docket_json_write,
 * but works for types with a codec of their own as well. DOCKET_CORRUPT if the bytes are not of this type. */
docket_status docket__json_write_stored(const docket_type *type, docket_bytes bytes,
                                        const docket_json_options *options, docket_buffer *out,
                                        docket_error *error);

#endif
