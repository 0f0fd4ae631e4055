/* docket's side of json_oracle.
 *
 *     json_subject write COUNT    a line per random value: its canonical bytes in hexadecimal digits, and its JSON
 *     json_subject read           the canonical bytes of the JSON in each line of the standard input
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "type/sample_test.h"

#include <docket/json.h>
#include <stdio.h>
#include <stdlib.h>

/* json_oracle has the same members in the same order. */
DOCKET_STRUCT(Inner, (STRING, some_text), (LIST(INT64), numbers));
DOCKET_STRUCT(Mapped, (BOOL, b), (INT32, i32), (INT64, i64), (UINT32, u32), (UINT64, u64), (FLOAT, f), (DOUBLE, d),
              (STRING, text), (BYTES, bytes), (FIXED(3), fixed), (ENUM(Grade), grade), (STRUCT(Inner), inner_one),
              (OPTIONAL(BOOL), o_b), (OPTIONAL(INT32), o_i32), (OPTIONAL(INT64), o_i64), (OPTIONAL(UINT32), o_u32),
              (OPTIONAL(UINT64), o_u64), (OPTIONAL(FLOAT), o_f), (OPTIONAL(DOUBLE), o_d), (OPTIONAL(STRING), o_text),
              (OPTIONAL(BYTES), o_bytes), (OPTIONAL(FIXED(3)), o_fixed), (OPTIONAL(ENUM(Grade)), o_grade),
              (LIST(BOOL), l_b), (LIST(INT32), l_i32), (LIST(INT64), l_i64), (LIST(UINT32), l_u32),
              (LIST(UINT64), l_u64), (LIST(FLOAT), l_f), (LIST(DOUBLE), l_d), (LIST(STRING), l_text),
              (LIST(BYTES), l_bytes), (LIST(FIXED(3)), l_fixed), (LIST(ENUM(Grade)), l_grade),
              (LIST(STRUCT(Inner)), l_inner));

static void require(docket_status status, const docket_error *error)
{
    if (status != DOCKET_OK) {
        fprintf(stderr, "json_subject: %s\n", error->message);
        exit(EXIT_FAILURE);
    }
}

static void print_bytes(const Mapped *value)
{
    docket_error error;
    docket_buffer bytes = {0};
    require(docket_encode(DOCKET_OF(Mapped), value, &bytes, &error), &error);
    for (size_t i = 0; i < bytes.size; i++) {
        printf("%02x", bytes.data[i]);
    }
    docket__buffer_release(&bytes);
}

static void write_values(uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        docket_error error;
        docket_arena arena = {0};
        docket_buffer text = {0};
        Mapped value = {0};
        uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
        sample_fill(&seed, &arena, DOCKET_OF(Mapped), (uint8_t *)&value);
        require(docket_json_write(DOCKET_OF(Mapped), &value, NULL, &text, &error), &error);
        print_bytes(&value);
        printf(" %.*s\n", (int)text.size, (const char *)text.data);
        docket__buffer_release(&text);
        docket__arena_release(&arena);
    }
}

static void read_values(void)
{
    char *line = NULL;
    size_t room = 0;
    for (ssize_t size; (size = getline(&line, &room, stdin)) > 0;) {
        docket_error error;
        docket_arena arena = {0};
        Mapped value = {0};
        require(docket_json_read(DOCKET_OF(Mapped), line, (size_t)size, NULL, &arena, &value, &error), &error);
        print_bytes(&value);
        printf("\n");
        docket__arena_release(&arena);
    }
    free(line);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        write_values(strtoull(argv[2], NULL, 10));
    } else if (argc == 2 && strcmp(argv[1], "read") == 0) {
        read_values();
    } else {
        return 2;
    }
    return EXIT_SUCCESS;
}
