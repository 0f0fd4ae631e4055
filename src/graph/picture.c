/* Pictures of a graph: boxes are types, the rounded nodes between them are steps. Identifiers are numbers and names
 * stand in quoted labels only, so that every legal name gives a well-formed picture; equal graphs give equal text. */
#include "base/buffer.h"
#include "graph/build.h"

#include <stdio.h>

typedef struct language {
    void (*begin)(docket_buffer *out, const docket_graph *graph);
    void (*type)(docket_buffer *out, uint32_t number, const docket__graph_type *type);
    void (*step)(docket_buffer *out, uint32_t number, const docket_step_info *step);
    void (*input)(docket_buffer *out, uint32_t type, uint32_t step, uint32_t flags);
    void (*output)(docket_buffer *out, uint32_t step, uint32_t type);
    const char *end;
} language;

static void append_text(docket_buffer *out, const char *text)
{
    docket__buffer_append(out, text, strlen(text));
}

static void append_format(docket_buffer *out, const char *format, ...) DOCKET_PRINTF(2, 3);

/* For numbers and fixed words, never for names. */
static void append_format(docket_buffer *out, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append_text(out, text);
}

/* What a label says below a step's name. */
static void append_notes(docket_buffer *out, const docket_step_info *step, const char *line_break)
{
    if (step->aggregate) {
        append_format(out, step->fold ? "%sitem after item" : "%sover all items", line_break);
    }
    if (step->expand) {
        append_format(out, "%smakes items", line_break);
    }
    if (step->scope == DOCKET_SCOPE_WORKFLOW) {
        append_format(out, "%srecorded per execution", line_break);
    }
    if (step->scope == DOCKET_SCOPE_GLOBAL) {
        append_format(out, "%srecorded for all", line_break);
    }
}

/* A label is read twice: as a quoted string, then as text with HTML entities. */
static void quote_dot(docket_buffer *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '&') {
            append_text(out, "&amp;");
            continue;
        }
        if (*name == '"' || *name == '\\') {
            append_text(out, "\\");
        }
        docket__buffer_append(out, name, 1);
    }
}

static void begin_dot(docket_buffer *out, const docket_graph *graph)
{
    append_text(out, "digraph docket {\n    label=\"");
    quote_dot(out, graph->name);
    append_text(out, "\";\n    rankdir=LR;\n");
}

static void draw_dot_type(docket_buffer *out, uint32_t number, const docket__graph_type *type)
{
    append_format(out, "    t%u [shape=box%s, label=\"", number, type->resource ? ", style=dashed" : "");
    quote_dot(out, type->type->name);
    append_text(out, "\"];\n");
}

static void draw_dot_step(docket_buffer *out, uint32_t number, const docket_step_info *step)
{
    append_format(out, "    s%u [shape=ellipse%s%s, label=\"", number, step->aggregate ? ", peripheries=2" : "",
                  step->scope != DOCKET_SCOPE_NONE ? ", style=filled" : "");
    quote_dot(out, step->name);
    append_notes(out, step, "\\n");
    append_text(out, "\"];\n");
}

static void draw_dot_input(docket_buffer *out, uint32_t type, uint32_t step, uint32_t flags)
{
    append_format(out, "    t%u -> s%u%s%s;\n", type, step, flags & DOCKET_INPUT_ITEMS ? " [label=\"all\"]" : "",
                  flags & DOCKET_INPUT_MAYBE ? " [style=dashed]" : "");
}

static void draw_dot_output(docket_buffer *out, uint32_t step, uint32_t type)
{
    append_format(out, "    s%u -> t%u;\n", step, type);
}

static const language dot = {begin_dot, draw_dot_type, draw_dot_step, draw_dot_input, draw_dot_output, "}\n"};

/* Mermaid writes characters that mean something to it, to HTML or to Markdown as #number; */
static void quote_mermaid(docket_buffer *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (strchr("\"#&<>\\`*~[](){}|;$%^", *name) != NULL) {
            append_format(out, "#%d;", *name);
        } else {
            docket__buffer_append(out, name, 1);
        }
    }
}

static void begin_mermaid(docket_buffer *out, const docket_graph *graph)
{
    (void)graph;
    append_text(out, "flowchart LR\n");
}

static void draw_mermaid_type(docket_buffer *out, uint32_t number, const docket__graph_type *type)
{
    append_format(out, "    t%u[%s\"", number, type->resource ? "/" : "");
    quote_mermaid(out, type->type->name);
    append_format(out, "\"%s]\n", type->resource ? "/" : "");
}

static void draw_mermaid_step(docket_buffer *out, uint32_t number, const docket_step_info *step)
{
    append_format(out, "    s%u%s", number, step->aggregate ? "[[\"" : "([\"");
    quote_mermaid(out, step->name);
    append_notes(out, step, "<br/>");
    append_text(out, step->aggregate ? "\"]]\n" : "\"])\n");
}

static void draw_mermaid_input(docket_buffer *out, uint32_t type, uint32_t step, uint32_t flags)
{
    append_format(out, "    t%u %s%s s%u\n", type, flags & DOCKET_INPUT_MAYBE ? "-.->" : "-->",
                  flags & DOCKET_INPUT_ITEMS ? "|all|" : "", step);
}

static void draw_mermaid_output(docket_buffer *out, uint32_t step, uint32_t type)
{
    append_format(out, "    s%u --> t%u\n", step, type);
}

static const language mermaid = {begin_mermaid,      draw_mermaid_type,   draw_mermaid_step,
                                 draw_mermaid_input, draw_mermaid_output, ""};

static char *draw(const docket_graph *graph, const language *pen)
{
    docket_buffer out = {0};
    size_t size = 0;
    if (graph == NULL) {
        return NULL;
    }
    pen->begin(&out, graph);
    for (uint32_t i = 0; i < graph->type_count; i++) {
        pen->type(&out, i, &graph->types[i]);
    }
    for (uint32_t i = 0; i < graph->step_count; i++) {
        pen->step(&out, i, &graph->steps[i]->info);
    }
    for (uint32_t i = 0; i < graph->step_count; i++) {
        const docket__graph_step *step = graph->steps[i];
        for (uint32_t k = 0; k < step->input_count; k++) {
            pen->input(&out, step->inputs[k], i, step->info.inputs[k].flags);
        }
        pen->output(&out, i, step->output);
    }
    append_text(&out, pen->end);
    docket__buffer_append(&out, "", 1);
    if (out.failed) {
        docket__buffer_release(&out);
        return NULL;
    }
    return (char *)docket__buffer_detach(&out, &size);
}

char *docket_graph_dot(const docket_graph *graph)
{
    return draw(graph, &dot);
}

char *docket_graph_mermaid(const docket_graph *graph)
{
    return draw(graph, &mermaid);
}
