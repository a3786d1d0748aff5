/* See diagnostics.h. What comes from a file is printed without its control characters: it may end on a terminal. */
#include "cli/diagnostics.h"

#include <stdlib.h>
#include <unistd.h>

enum { QUOTE_COLUMNS = 160, QUOTE_BEFORE = 60, FILE_BYTES_MAX = 10 * 1024 * 1024 };

/* The file quoted last: messages are sorted by file. */
struct quoted_file {
    struct arena arena;
    const char *name;
    struct str text;
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

static void put_clean(FILE *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        (void)fputc(c == '\t' ? ' ' : c < 0x20 || c == 0x7f ? '?' : c, out);
    }
}

static struct str line_of(struct str text, int line)
{
    size_t start = 0;
    for (size_t i = 0; i < text.n && line > 1; i++)
        if (text.p[i] == '\n') {
            line--;
            start = i + 1;
        }
    if (line > 1 || start >= text.n)
        return (struct str){NULL, 0};
    size_t end = start;
    while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
        end++;
    return (struct str){text.p + start, end - start};
}

/* Bytes of the first `characters` characters. */
static size_t bytes_of(struct str text, size_t characters)
{
    size_t at = 0;
    for (; characters > 0 && at < text.n; characters--) {
        at++;
        while (at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

static void quote(FILE *out, struct quoted_file *file, const struct diagnostic *item, const struct colours *colours)
{
    if (file->name == NULL || strcmp(file->name, item->file) != 0) {
        arena_reset(&file->arena);
        struct error err;
        file->text = (struct str){NULL, 0};
        file->text.p = yaml_read_file(&file->arena, item->file, FILE_BYTES_MAX, &file->text.n, &err);
        file->name = item->file;
        if (file->text.p == NULL)
            file->text.n = 0;
    }
    struct str line = line_of(file->text, item->line);
    if (line.p == NULL)
        return;
    size_t column = item->column > 0 ? (size_t)item->column - 1 : 0;
    size_t skip = column > QUOTE_COLUMNS - QUOTE_BEFORE / 2 ? column - QUOTE_BEFORE : 0;
    size_t from = bytes_of(line, skip);
    struct str rest = {line.p + from, line.n - from};
    rest.n = bytes_of(rest, QUOTE_COLUMNS);
    (void)fputs("  ", out);
    put_clean(out, rest);
    (void)fprintf(out, "\n  %*s%s^%s\n", (int)(column - skip), "", colours->error, colours->off);
}

bool diagnostics_repeated(const struct diagnostics *diagnostics, size_t at)
{
    const struct diagnostic *item = &diagnostics->items[at];
    for (size_t i = 0; i < at; i++) {
        const struct diagnostic *other = &diagnostics->items[i];
        if (other->line == item->line && other->column == item->column && strcmp(other->file, item->file) == 0 &&
            strcmp(other->message, item->message) == 0)
            return true;
    }
    return false;
}

size_t diagnostics_count(const struct diagnostics *diagnostics, bool warnings)
{
    size_t count = 0;
    for (size_t i = 0; i < diagnostics->count; i++)
        count += diagnostics->items[i].warning == warnings && !diagnostics_repeated(diagnostics, i);
    return count;
}

void diagnostics_allow(struct diagnostics *diagnostics, char *const *codes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < diagnostics->count; i++) {
        bool allowed = false;
        for (size_t j = 0; j < count; j++)
            allowed |= diagnostics->items[i].warning && strcmp(diagnostics->items[i].code, codes[j]) == 0;
        if (!allowed)
            diagnostics->items[kept++] = diagnostics->items[i];
    }
    diagnostics->count = kept;
}

void diagnostics_print(FILE *out, const struct diagnostics *diagnostics)
{
    struct colours colours = colours_for(out);
    struct quoted_file file = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (diagnostics_repeated(diagnostics, i))
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
    arena_fini(&file.arena);
}
