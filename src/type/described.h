/* Messages as their descriptions tell them: how numbers stand in the bytes, and which messages have a JSON of their own. */
#ifndef DOCKET_TYPE_DESCRIBED_H
#define DOCKET_TYPE_DESCRIBED_H

#include "type/field.h"

/* What a kind of messages is to a struct. */
typedef struct docket__described_form {
    uint16_t kind; /* of a struct's member that holds the same numbers */
    uint8_t wire;
    bool is_zigzag;
} docket__described_form;

docket__described_form docket__described_form_of(unsigned kind);

/* A number from the wire into the memory of a struct's member, of at most 8 bytes; and back. */
void docket__described_store(unsigned kind, uint64_t number, uint8_t *at);
uint64_t docket__described_load(unsigned kind, const uint8_t *at);

/* Messages of google.protobuf that protobuf's JSON mapping does not write as objects of their members. */
typedef enum docket__special {
    DOCKET__SPECIAL_NONE,
    DOCKET__SPECIAL_INNER, /* as its only member: the wrappers, Struct and ListValue */
    DOCKET__SPECIAL_VALUE,
    DOCKET__SPECIAL_TIMESTAMP,
    DOCKET__SPECIAL_DURATION,
    DOCKET__SPECIAL_FIELD_MASK
} docket__special;

/* Known by name and members; one with a secret member is no special one. */
docket__special docket__described_special(const docket_type *type);

/* A secret member; of maps also one whose keys or values are. */
bool docket__described_is_secret(const docket_field *field);

/* The enum whose one name stands for null. */
bool docket__described_is_null(const docket_field *field);

#endif
