/* Writing JSON: what structs (json_write.c) and messages (json_message.c) have in common. */
#ifndef DOCKET_TYPE_JSON_WRITING_H
#define DOCKET_TYPE_JSON_WRITING_H

#include "type/json.h"
#include "type/path.h"

/* Appends that fail are remembered by the buffer, which is asked once at the end. */
typedef struct docket__json_writing {
    docket_buffer *out;
    docket_error *error;
    docket_json_options options;
    unsigned depth; /* of structs and messages */
    unsigned level; /* of indentation */
} docket__json_writing;

void docket__json_put(docket__json_writing *self, const char *text);
void docket__json_put_quoted(docket__json_writing *self, const char *text);
void docket__json_put_bytes(docket__json_writing *self, docket_bytes bytes);

/* A number, an enum or a bool of a struct's kind, as it lies in memory. */
void docket__json_put_number(docket__json_writing *self, const docket_field *field, const uint8_t *at);

/* An object or an array: open, begin each item (of an object with its name), close. */
void docket__json_open(docket__json_writing *self, const char *bracket);
void docket__json_begin_item(docket__json_writing *self, bool is_first);
void docket__json_put_name(docket__json_writing *self, const char *name, size_t size);
void docket__json_put_member(docket__json_writing *self, const docket_schema *schema, const docket_field *field);
void docket__json_close(docket__json_writing *self, bool is_empty, const char *bracket);

/* The JSON of a message that lies in its canonical bytes, by its description. DOCKET_CORRUPT if the bytes are not
 * canonical ones of this type. */
docket_status docket__json_write_message(docket__json_writing *self, const docket__path *path,
                                         const docket_type *type, docket_bytes bytes);

#endif
