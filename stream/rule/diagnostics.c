/* Messages with places, gathered over a whole load, and the way from a byte of a scalar to its place in the file. */
#include "rule/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a person reads of one load; beyond that the count goes on and nothing is kept. */
enum { DIAGNOSTICS_MAX = 10000 };

void diagnostics_fini(struct diagnostics *diagnostics)
{
    free(diagnostics->items);
    free(diagnostics->files);
    *diagnostics = (struct diagnostics){.arena = diagnostics->arena};
}

void diagnostics_add_file(struct diagnostics *diagnostics, const char *file)
{
    diagnostics->files = mem_grow(diagnostics->files, diagnostics->file_count, &diagnostics->file_cap, sizeof(char *));
    diagnostics->files[diagnostics->file_count++] = file;
}

/* Most messages are about the file loaded last, so the search starts there. */
static int file_order(const struct diagnostics *diagnostics, const char *file)
{
    for (size_t i = diagnostics->file_count; i-- > 0;)
        if (diagnostics->files[i] == file)
            return (int)i;
    return (int)diagnostics->file_count;
}

PRINTF_LIKE(3, 0)
static void add(struct diagnostics *diagnostics, struct diagnostic item, const char *format, va_list args)
{
    item.warning = item.code != NULL;
    if (!item.warning) {
        item.code = "error";
        diagnostics->errors++;
    }
    if (diagnostics->count >= DIAGNOSTICS_MAX)
        return;
    char message[1024];
    (void)vsnprintf(message, sizeof message, format, args);
    item.message = arena_str(diagnostics->arena, str_of(message)).p;
    item.file = arena_str(diagnostics->arena, str_of(item.file)).p;
    diagnostics->items = mem_grow(diagnostics->items, diagnostics->count, &diagnostics->cap, sizeof item);
    diagnostics->items[diagnostics->count++] = item;
}

void diagnostic_at(struct diagnostics *diagnostics, const struct yaml_node *node, const char *warning,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diagnostics,
        (struct diagnostic){.file = node->file,
                            .line = node->line,
                            .column = node->column,
                            .code = warning,
                            .file_order = file_order(diagnostics, node->file)},
        format, args);
    va_end(args);
}

void diagnostic_within(struct diagnostics *diagnostics, const struct yaml_node *node, size_t offset,
                       const char *warning, const char *format, ...)
{
    struct diagnostic item = {.file = node->file, .code = warning, .file_order = file_order(diagnostics, node->file)};
    yaml_place(node, offset, &item.line, &item.column);
    va_list args;
    va_start(args, format);
    add(diagnostics, item, format, args);
    va_end(args);
}

void diagnostic_file(struct diagnostics *diagnostics, const char *file, int line, int column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diagnostics,
        (struct diagnostic){.file = file, .line = line, .column = column, .file_order = file_order(diagnostics, file)},
        format, args);
    va_end(args);
}

static int order(const void *left, const void *right)
{
    const struct diagnostic *a = left;
    const struct diagnostic *b = right;
    if (a->file_order != b->file_order)
        return a->file_order < b->file_order ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->message, b->message);
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
    if (diagnostics->count > 1)
        qsort(diagnostics->items, diagnostics->count, sizeof *diagnostics->items, order);
}

/* A walk over a scalar's source, beside its text. */
struct walk {
    const char *p;
    const char *end;
    int line;
    int column;
};

static bool walk_done(const struct walk *walk)
{
    return walk->p >= walk->end;
}

/* One character on; columns count characters, as libyaml's do. */
static void walk_step(struct walk *walk)
{
    char c = *walk->p++;
    if (c == '\n') {
        walk->line++;
        walk->column = 1;
        return;
    }
    while (!walk_done(walk) && ((unsigned char)*walk->p & 0xc0) == 0x80)
        walk->p++;
    walk->column++;
}

static void walk_blanks(struct walk *walk)
{
    while (!walk_done(walk) && (*walk->p == ' ' || *walk->p == '\t' || *walk->p == '\r'))
        walk_step(walk);
}

/* Bytes of text that an escape of a double-quoted scalar stands for; steps over it. */
static size_t walk_escape(struct walk *walk)
{
    walk_step(walk);
    if (walk_done(walk))
        return 1;
    char kind = *walk->p;
    size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    walk_step(walk);
    if (kind == '\n') {
        walk_blanks(walk);
        return 0;
    }
    unsigned long code = 0;
    for (size_t i = 0; i < digits && !walk_done(walk); i++) {
        char digit[2] = {*walk->p, '\0'};
        code = code * 16 + strtoul(digit, NULL, 16);
        walk_step(walk);
    }
    if (kind == 'N' || kind == '_')
        return 2;
    if (kind == 'L' || kind == 'P')
        return 3;
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Bytes of text that a line break of a plain or quoted scalar, blanks about it included, stands for. */
static size_t walk_fold(struct walk *walk)
{
    size_t breaks = 0;
    for (; !walk_done(walk) && *walk->p == '\n'; breaks++) {
        walk_step(walk);
        walk_blanks(walk);
    }
    return breaks > 1 ? breaks - 1 : 1;
}

static void place_flow(const struct yaml_node *node, struct walk *walk, size_t offset)
{
    char quote = '\0';
    if (node->quoted && !walk_done(walk)) {
        quote = *walk->p;
        walk_step(walk);
    }
    size_t at = 0;
    while (at < offset && !walk_done(walk)) {
        char c = *walk->p;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            struct walk ahead = *walk;
            walk_blanks(&ahead);
            if (!walk_done(&ahead) && *ahead.p == '\n') {
                *walk = ahead;
                at += walk_fold(walk);
                continue;
            }
        }
        const char *before = walk->p;
        if (quote == '"' && c == '\\') {
            at += walk_escape(walk);
            continue;
        }
        if (quote == '\'' && c == '\'')
            walk_step(walk);
        if (!walk_done(walk))
            walk_step(walk);
        at += quote == '\'' && c == '\'' ? 1 : (size_t)(walk->p - before);
    }
}

static size_t line_indent(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && p[n] == ' ')
        n++;
    return n;
}

/* The spaces before the first line of a block that is not empty. */
static size_t block_indent(const char *p, const char *end)
{
    for (; p < end; p++) {
        size_t indent = line_indent(p, end);
        p += indent;
        if (p < end && *p != '\n')
            return indent;
        if (p >= end)
            break;
    }
    return 0;
}

/* Of a block the lines of text are the lines of source less one indentation, which its first line that is not empty
 * tells: by what it has in the source and in the text. */
static void place_block(const struct yaml_node *node, struct walk *walk, size_t offset)
{
    while (!walk_done(walk) && *walk->p != '\n')
        walk_step(walk);
    if (walk_done(walk))
        return;
    walk_step(walk);
    size_t in_source = block_indent(walk->p, walk->end);
    size_t in_text = block_indent(node->text.p, node->text.p + node->text.n);
    size_t indent = in_source > in_text ? in_source - in_text : 0;
    size_t at = 0;
    while (!walk_done(walk)) {
        for (size_t i = 0; i < indent && !walk_done(walk) && *walk->p == ' '; i++)
            walk_step(walk);
        while (!walk_done(walk) && *walk->p != '\n' && at < offset) {
            const char *before = walk->p;
            walk_step(walk);
            at += (size_t)(walk->p - before);
        }
        if (at >= offset || walk_done(walk))
            return;
        walk_step(walk);
        at++;
    }
}

void yaml_place(const struct yaml_node *node, size_t offset, int *line, int *column)
{
    struct walk walk = {node->raw.p, node->raw.p + node->raw.n, node->line, node->column};
    if (node->raw.n > 0 && node->block)
        place_block(node, &walk, offset);
    else if (node->raw.n > 0)
        place_flow(node, &walk, offset);
    *line = walk.line;
    *column = walk.column;
}
