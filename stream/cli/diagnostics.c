/* See diagnostics.h. What comes from a file is printed without its control characters: it may end on a terminal. */
#include "cli/diagnostics.h"

#include <stdlib.h>
#include <unistd.h>

enum { QUOTE_COLUMNS = 160, QUOTE_BEFORE = 60, FILE_BYTES_MAX = 10 * 1024 * 1024 };

/* The file quoted last, and the last place in it: messages are sorted by file, line and column. */
struct quoted_file {
    struct arena arena;
    const char *name;
    struct str text;
    int line;
    size_t column; /* from 0 */
    size_t at;     /* the byte of that place */
};

struct colours {
    const char *bold;
    const char *error;
    const char *warning;
    const char *off;
};

static struct colours colours_for(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    if (isatty(fileno(out)) == 1 && (no_color == NULL || *no_color == '\0'))
        return (struct colours){"\033[1m", "\033[1;31m", "\033[1;35m", "\033[0m"};
    return (struct colours){"", "", "", ""};
}

/* Bytes of the character at `p` that may be shown; 0: a control character, or no character at all. */
static size_t shown(const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c < 0x20 || c == 0x7f || n > (size_t)(end - p) || !utf8_valid(p, n))
        return 0;
    return c == 0xc2 && (unsigned char)p[1] < 0xa0 ? 0 : n;
}

static void put_clean(FILE *out, struct str text)
{
    const char *end = text.p + text.n;
    for (const char *p = text.p; p < end;) {
        size_t n = shown(p, end);
        if (n > 0)
            (void)fwrite(p, 1, n, out);
        else
            (void)fputc(*p == '\t' ? ' ' : '?', out);
        p++;
        while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
            p++;
    }
}

/* One character, or line break, on; false at the end. */
static bool place_step(struct quoted_file *file)
{
    const char *end = file->text.p + file->text.n;
    const char *p = file->text.p + file->at;
    if (p == end)
        return false;
    size_t line_break = yaml_break(p, end);
    if (line_break > 0) {
        file->at += line_break;
        file->line++;
        file->column = 0;
        return true;
    }
    do
        p++;
    while (p < end && ((unsigned char)*p & 0xc0) == 0x80);
    file->at = (size_t)(p - file->text.p);
    file->column++;
    return true;
}

/* Moves to the place; false where the file has no such line. A line that is shorter is left at its end. */
static bool place_find(struct quoted_file *file, int line, size_t column)
{
    const char *end = file->text.p + file->text.n;
    if (line < file->line || (line == file->line && column < file->column)) {
        file->line = 1;
        file->column = 0;
        file->at = 0;
    }
    while (file->line < line)
        if (!place_step(file))
            return false;
    while (file->column < column && yaml_break(file->text.p + file->at, end) == 0)
        if (!place_step(file))
            break;
    return true;
}

static struct str rest_of_line(const struct quoted_file *file, size_t characters)
{
    const char *start = file->text.p + file->at;
    const char *end = file->text.p + file->text.n;
    const char *p = start;
    for (; p < end && yaml_break(p, end) == 0; p++)
        if (((unsigned char)*p & 0xc0) != 0x80 && characters-- == 0)
            break;
    return (struct str){start, (size_t)(p - start)};
}

static void quote(FILE *out, struct quoted_file *file, const struct diagnostic *item, const struct colours *colours)
{
    if (file->name == NULL || strcmp(file->name, item->file) != 0) {
        arena_reset(&file->arena);
        struct error err;
        file->text = (struct str){NULL, 0};
        file->text.p = yaml_read_file(&file->arena, item->file, FILE_BYTES_MAX, &file->text.n, &err);
        file->name = item->file;
        file->line = 1;
        file->column = 0;
        file->at = 0;
        if (file->text.p == NULL)
            file->text.n = 0;
        file->text = yaml_without_mark(file->text);
    }
    size_t column = item->column > 0 ? (size_t)item->column - 1 : 0;
    size_t skip = column > QUOTE_COLUMNS - QUOTE_BEFORE / 2 ? column - QUOTE_BEFORE : 0;
    if (file->text.n == 0 || !place_find(file, item->line, skip))
        return;
    if (file->at == file->text.n && file->column == 0)
        return;
    struct str rest = rest_of_line(file, QUOTE_COLUMNS);
    (void)fputs("  ", out);
    put_clean(out, rest);
    (void)fprintf(out, "\n  %*s%s^%s\n", (int)(column - skip), "", colours->error, colours->off);
}

static void put_rest(FILE *out, const struct diagnostics *diagnostics, bool warnings)
{
    size_t rest = warnings ? diagnostics->warnings : diagnostics->errors;
    for (size_t i = 0; i < diagnostics->count; i++)
        rest -= diagnostics->items[i].warning == warnings;
    if (rest > 0)
        (void)fprintf(out, "... and %zu more %s%s\n", rest, warnings ? "warning" : "error", rest == 1 ? "" : "s");
}

void diagnostics_print(FILE *out, const struct diagnostics *diagnostics)
{
    struct colours colours = colours_for(out);
    struct quoted_file file = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->again)
            continue;
        (void)fputs(colours.bold, out);
        put_clean(out, str_of(item->file));
        (void)fprintf(out, ":%d:%d:%s %s%s:%s ", item->line, item->column, colours.off,
                      item->warning ? colours.warning : colours.error, item->warning ? "warning" : "error",
                      colours.off);
        put_clean(out, str_of(item->message));
        if (item->warning)
            (void)fprintf(out, " [%s]", item->code);
        (void)fputc('\n', out);
        quote(out, &file, item, &colours);
    }
    put_rest(out, diagnostics, false);
    put_rest(out, diagnostics, true);
    arena_fini(&file.arena);
}
