/* Reading JSON: what structs (json_read.c) and messages (json_message_read.c) have in common. */
#ifndef DOCKET_TYPE_JSON_READING_H
#define DOCKET_TYPE_JSON_READING_H

#include "type/json.h"
#include "type/path.h"

#include <jansson.h>

typedef struct docket__json_reading {
    docket_arena *arena;
    docket_error *error;
    docket_json_options options;
    const char *text;
    size_t size;
    size_t values;       /* met so far, the one at hand included */
    size_t memory;       /* what nested structs may still take */
    unsigned depth;      /* of messages */
    docket_buffer *wire; /* of a message: its bytes so far */
} docket__json_reading;

/* Text or number of a value. */
typedef struct docket__json_word {
    const char *text;
    size_t size;
    bool is_number;
} docket__json_word;

#define DOCKET__JSON_HIDDEN "the member is secret, and its value was not written"

/* The value at hand is no good, or the member of that name in it. Both return DOCKET_INVALID. */
docket_status docket__json_fail(docket__json_reading *self, const docket__path *path, const char *problem);
docket_status docket__json_fail_name(docket__json_reading *self, const docket__path *path, const char *name,
                                     const char *problem);

/* A string, or a number too; false = something else. */
bool docket__json_take_text(const json_t *json, docket__json_word *taken);
bool docket__json_take_word(const json_t *json, docket__json_word *taken);
bool docket__json_is_text(const docket__json_word *taken, const char *text);

/* True if the value is what is written for a secret member. */
bool docket__json_is_hidden(const json_t *json);

/* A number, an enum or a bool of a struct's kind into the memory of a member. */
docket_status docket__json_read_number(docket__json_reading *self, const docket__path *path,
                                       const docket_field *field, const json_t *json, uint8_t *at);

/* A member that the type does not have: refused, unless the options say to pass over it. */
docket_status docket__json_pass_over(docket__json_reading *self, const docket__path *path, const char *name,
                                     const json_t *member);

/* A message into zeroed memory. */
docket_status docket__json_read_message(docket__json_reading *self, const docket__path *path,
                                        const docket_type *type, const json_t *json, void *value);

#endif
