#include "type/file.h"

#include "type/field.h"
#include "type/tree.h"

static const docket_field fields[] = {
    {.number = 1, .kind = DOCKET_KIND_STRING, .name = "path", .offset = offsetof(docket_file, path)},
    {.number = 2, .kind = DOCKET_KIND_UINT64, .name = "size", .offset = offsetof(docket_file, size)},
    {.number = 3,
     .kind = DOCKET_KIND_FIXED,
     .name = "sha256",
     .offset = offsetof(docket_file, sha256),
     .fixed_size = sizeof(((docket_file *)0)->sha256)},
};
static const docket_schema schema = {fields, 3};
static const docket_schema key_schema = {fields + 1, 2};

#define FILE_TYPE(members)                                                                                       \
    {                                                                                                            \
        .abi = DOCKET_TYPE_ABI, .flags = DOCKET_TYPE_STRUCT, .name = "docket_file", .size = sizeof(docket_file), \
        .alignment = _Alignof(docket_file), .schema = (members),                                                 \
    }

const docket_type docket__file_type = FILE_TYPE(&schema);
const docket_type docket__file_key_type = FILE_TYPE(&key_schema);

static docket_file load(const uint8_t *at)
{
    docket_file file;
    memcpy(&file, at, sizeof file);
    return file;
}

static bool has_path(const docket_file *file)
{
    return file->path != NULL && file->path[0] != '\0';
}

/* No content has a digest of nothing but zeros. */
static bool has_digest(const docket_file *file)
{
    static const uint8_t none[sizeof file->sha256];
    return memcmp(file->sha256, none, sizeof none) != 0;
}

bool docket__file_is_zero(const uint8_t *at)
{
    docket_file file = load(at);
    return !has_path(&file) && file.size == 0 && !has_digest(&file);
}

const char *docket__file_problem(const uint8_t *at)
{
    docket_file file = load(at);
    if (has_path(&file) && has_digest(&file)) {
        return NULL;
    }
    return docket__file_is_zero(at) ? NULL : "the file has no path or no digest: fill it with docket_file_describe";
}

docket_status docket__type_find_files(const docket_type *type, bool *found, docket_error *error)
{
    docket__type_tree tree = {0};
    docket_status status = docket__type_tree_build(&tree, type, error);
    *found = false;
    for (const docket__type_node *node = tree.first; node != NULL && !*found; node = node->next) {
        if (node->type->flags & DOCKET_TYPE_STRUCT) {
            const docket_schema *members = node->type->schema;
            for (size_t i = 0; i < members->field_count; i++) {
                *found = *found || members->fields[i].kind == DOCKET_KIND_FILE;
            }
        }
    }
    docket__type_tree_release(&tree);
    return status;
}

typedef struct visiting {
    bool (*visit)(void *arg, const docket_file *file);
    const char *(*rewrite)(void *arg, const docket_file *file); /* in its place, if the value may be changed */
    void *arg;
} visiting;

static bool rewrite_path(const visiting *self, const docket_file *file, const uint8_t *at)
{
    const char *path = self->rewrite(self->arg, file);
    if (path != NULL) {
        memcpy((uint8_t *)(uintptr_t)at + offsetof(docket_file, path), &path, sizeof path);
    }
    return path != NULL;
}

static bool visit_struct(const visiting *self, const docket_type *type, const uint8_t *value);

/* One value of the field's kind; of a STRUCT the struct itself. */
static bool visit_element(const visiting *self, const docket_field *field, const uint8_t *at)
{
    if (field->kind == DOCKET_KIND_STRUCT) {
        return visit_struct(self, docket__type_base(field->type), at);
    }
    if (docket__file_is_zero(at)) {
        return true;
    }
    docket_file file = load(at);
    return self->rewrite != NULL ? rewrite_path(self, &file, at) : self->visit(self->arg, &file);
}

static bool visit_field(const visiting *self, const docket_field *field, const uint8_t *value)
{
    const uint8_t *member = value + field->offset;
    if (field->kind != DOCKET_KIND_FILE && field->kind != DOCKET_KIND_STRUCT) {
        return true;
    }
    if (field->label == DOCKET_LABEL_OPTIONAL && value[field->side_offset] == 0) {
        return true;
    }
    if (field->label == DOCKET_LABEL_LIST) {
        const uint8_t *elements = docket__pointer_load(member);
        size_t count = docket__count_load(value + field->side_offset);
        bool goes_on = true;
        for (size_t i = 0; i < count && goes_on; i++) {
            goes_on = visit_element(self, field, elements + i * docket__field_element_size(field));
        }
        return goes_on;
    }
    const uint8_t *at = field->kind == DOCKET_KIND_STRUCT ? docket__pointer_load(member) : member;
    return at == NULL || visit_element(self, field, at);
}

static bool visit_struct(const visiting *self, const docket_type *type, const uint8_t *value)
{
    bool goes_on = true;
    for (size_t i = 0; i < type->schema->field_count && goes_on; i++) {
        goes_on = visit_field(self, &type->schema->fields[i], value);
    }
    return goes_on;
}

static bool visit_value(const visiting *self, const docket_type *type, const void *value)
{
    const docket_type *base = docket__type_base(type);
    return (base->flags & DOCKET_TYPE_STRUCT) == 0 || visit_struct(self, base, value);
}

bool docket__type_visit_files(const docket_type *type, const void *value,
                              bool (*visit)(void *arg, const docket_file *file), void *arg)
{
    return visit_value(&(visiting){.visit = visit, .arg = arg}, type, value);
}

bool docket__type_rewrite_files(const docket_type *type, void *value,
                                const char *(*rewrite)(void *arg, const docket_file *file), void *arg)
{
    return visit_value(&(visiting){.rewrite = rewrite, .arg = arg}, type, value);
}
