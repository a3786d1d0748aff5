/* Messages with places, gathered over a whole load, and the way from a byte of a scalar to its place in the file. */
#include "rule/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a person reads of one load, errors and warnings each; beyond that they are counted and not kept. */
enum { DIAGNOSTICS_MAX = 1000 };

void diagnostics_fini(struct diagnostics *diagnostics)
{
    free(diagnostics->items);
    free(diagnostics->files);
    *diagnostics = (struct diagnostics){.arena = diagnostics->arena};
}

bool diagnostics_full(const struct diagnostics *diagnostics)
{
    return diagnostics->errors >= DIAGNOSTICS_MAX;
}

void diagnostics_add_file(struct diagnostics *diagnostics, const char *file)
{
    diagnostics->files = mem_grow(diagnostics->files, diagnostics->file_count, &diagnostics->file_cap, sizeof(char *));
    diagnostics->files[diagnostics->file_count++] = arena_str(diagnostics->arena, str_of(file)).p;
}

/* A file that was loaded twice has its first place. */
static int file_order(const struct diagnostics *diagnostics, const char *file)
{
    size_t i = 0;
    while (i < diagnostics->file_count && strcmp(diagnostics->files[i], file) != 0)
        i++;
    return (int)i;
}

/* Counts a message; false where it is not to be kept: allowed, or one too many. */
static bool count(struct diagnostics *diagnostics, const char *warning)
{
    for (size_t i = 0; warning != NULL && i < diagnostics->allowed_count; i++)
        if (strcmp(warning, diagnostics->allowed[i]) == 0)
            return false;
    size_t *counter = warning != NULL ? &diagnostics->warnings : &diagnostics->errors;
    return ++*counter <= DIAGNOSTICS_MAX;
}

PRINTF_LIKE(3, 0)
static void add(struct diagnostics *diagnostics, struct diagnostic item, const char *format, va_list args)
{
    item.warning = item.code != NULL;
    if (!item.warning)
        item.code = "error";
    char message[1024];
    (void)vsnprintf(message, sizeof message, format, args);
    item.message = arena_str(diagnostics->arena, str_of(message)).p;
    item.file_order = file_order(diagnostics, item.file);
    item.file = arena_str(diagnostics->arena, str_of(item.file)).p;
    diagnostics->items = mem_grow(diagnostics->items, diagnostics->count, &diagnostics->cap, sizeof item);
    diagnostics->items[diagnostics->count++] = item;
}

void diagnostic_at(struct diagnostics *diagnostics, const struct yaml_node *node, const char *warning,
                   const char *format, ...)
{
    if (!count(diagnostics, warning))
        return;
    va_list args;
    va_start(args, format);
    add(diagnostics,
        (struct diagnostic){.file = node->file, .line = node->line, .column = node->column, .code = warning}, format,
        args);
    va_end(args);
}

void diagnostic_within(struct diagnostics *diagnostics, const struct yaml_node *node, size_t offset,
                       const char *warning, const char *format, ...)
{
    if (!count(diagnostics, warning))
        return;
    struct diagnostic item = {.file = node->file, .code = warning};
    yaml_place(node, offset, &item.line, &item.column);
    va_list args;
    va_start(args, format);
    add(diagnostics, item, format, args);
    va_end(args);
}

void diagnostic_file(struct diagnostics *diagnostics, const char *file, int line, int column, const char *format, ...)
{
    if (!count(diagnostics, NULL))
        return;
    va_list args;
    va_start(args, format);
    add(diagnostics, (struct diagnostic){.file = file, .line = line, .column = column}, format, args);
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
    for (size_t i = 0; i < diagnostics->count; i++)
        diagnostics->items[i].again = i > 0 && order(&diagnostics->items[i - 1], &diagnostics->items[i]) == 0;
}

size_t diagnostics_count(const struct diagnostics *diagnostics, bool warnings)
{
    size_t total = warnings ? diagnostics->warnings : diagnostics->errors;
    for (size_t i = 0; i < diagnostics->count; i++)
        total -= diagnostics->items[i].again && diagnostics->items[i].warning == warnings;
    return total;
}

size_t yaml_break(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);
    if (left == 0)
        return 0;
    if (p[0] == '\n' || p[0] == '\r')
        return p[0] == '\r' && left > 1 && p[1] == '\n' ? 2 : 1;
    if (left > 1 && memcmp(p, "\xc2\x85", 2) == 0)
        return 2;
    return left > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0) ? 3 : 0;
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

static bool walk_at_break(const struct walk *walk)
{
    return yaml_break(walk->p, walk->end) > 0;
}

/* A backslash that ends a line, which stands for nothing. */
static bool walk_at_continuation(const struct walk *walk)
{
    return walk->end - walk->p > 1 && *walk->p == '\\' && yaml_break(walk->p + 1, walk->end) > 0;
}

/* One character on; columns count characters, as libyaml's do. */
static void walk_step(struct walk *walk)
{
    size_t line_break = yaml_break(walk->p, walk->end);
    if (line_break > 0) {
        walk->p += line_break;
        walk->line++;
        walk->column = 1;
        return;
    }
    walk->p++;
    while (!walk_done(walk) && ((unsigned char)*walk->p & 0xc0) == 0x80)
        walk->p++;
    walk->column++;
}

static void walk_blanks(struct walk *walk)
{
    while (!walk_done(walk) && (*walk->p == ' ' || *walk->p == '\t'))
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
    bool folds = walk_at_break(walk);
    walk_step(walk);
    if (folds) {
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
    for (; walk_at_break(walk); breaks++) {
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
    while (!walk_done(walk) && (at < offset || (quote == '"' && walk_at_continuation(walk)))) {
        char c = *walk->p;
        struct walk ahead = *walk;
        walk_blanks(&ahead);
        if (walk_at_break(&ahead)) {
            *walk = ahead;
            at += walk_fold(walk);
            continue;
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
    while (p < end) {
        size_t indent = line_indent(p, end);
        size_t line_break = yaml_break(p + indent, end);
        if (line_break == 0)
            return p + indent < end ? indent : 0;
        p += indent + line_break;
    }
    return 0;
}

/* Of a block the lines of text are the lines of source less one indentation, which its first line that is not empty
 * tells: by what it has in the source and in the text. */
static void place_block(const struct yaml_node *node, struct walk *walk, size_t offset)
{
    while (!walk_done(walk) && !walk_at_break(walk))
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
        while (!walk_done(walk) && !walk_at_break(walk) && at < offset) {
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
