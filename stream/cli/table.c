/* Tables: widths are settled when all rows are known. */
#include "cli/table.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { GAP = 2, WIDTH_USUAL = 100, WIDTH_LEAST = 40 };

struct table_cell {
    struct str text;
    enum table_colour colour;
};

struct table {
    struct arena arena;
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    struct table_cell *cells; /* row by row */
    size_t row_count;
    size_t cell_cap;
};

static int text_width(struct str text)
{
    int width = 0;
    for (size_t i = 0; i < text.n; i++)
        width += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return width;
}

/* Takes the next line of at most `width` columns from the text, broken at a space; a longer word stays whole. */
static struct str take_line(struct str *text, int width)
{
    size_t end = 0; /* the last place to break at; 0: none yet */
    int used = 0;
    size_t at = 0;
    for (; at < text->n && text->p[at] != '\n'; at++) {
        if (text->p[at] == ' ' && (used <= width || end == 0))
            end = at;
        if (text->p[at] == ' ' && used > width)
            break;
        used += ((unsigned char)text->p[at] & 0xC0) != 0x80;
        if (used > width && end > 0)
            break;
    }
    if ((at == text->n || text->p[at] == '\n') && (used <= width || end == 0))
        end = at;
    struct str line = {text->p, end};
    size_t skip = end < text->n ? end + 1 : end;
    *text = (struct str){text->p + skip, text->n - skip};
    return line;
}

struct table *table_new(const struct table_column *columns, size_t count)
{
    ASSERT(count <= TABLE_COLUMNS_MAX);
    struct table *table = mem_zalloc(sizeof *table);
    memcpy(table->columns, columns, count * sizeof *columns);
    table->column_count = count;
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    arena_fini(&table->arena);
    free(table->cells);
    free(table);
}

void table_row(struct table *table, const struct str *cells)
{
    size_t at = table->row_count * table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        table->cells = mem_grow(table->cells, at + i, &table->cell_cap, sizeof *table->cells);
        table->cells[at + i] = (struct table_cell){arena_str(&table->arena, cells[i]), TABLE_PLAIN};
    }
    table->row_count++;
}

void table_paint(struct table *table, size_t column, enum table_colour colour)
{
    ASSERT(table->row_count > 0 && column < table->column_count);
    table->cells[(table->row_count - 1) * table->column_count + column].colour = colour;
}

/* The widest line of a text, and its longest word. */
static void measure(struct str text, int *line_max, int *word_max)
{
    while (text.n > 0) {
        struct str line = take_line(&text, INT32_MAX);
        int width = text_width(line);
        *line_max = width > *line_max ? width : *line_max;
        while (line.n > 0) {
            struct str word = take_line(&line, 1);
            width = text_width(word);
            *word_max = width > *word_max ? width : *word_max;
        }
    }
}

static void settle_widths(const struct table *table, int width, int *widths)
{
    int least[TABLE_COLUMNS_MAX] = {0};
    int sum = (int)(table->column_count - 1) * GAP;
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = 0;
        measure(str_of(table->columns[i].title), &widths[i], &least[i]);
        for (size_t row = 0; row < table->row_count; row++)
            measure(table->cells[row * table->column_count + i].text, &widths[i], &least[i]);
        sum += widths[i];
    }
    /* Column by column, the widest that can gives way. */
    while (sum > width) {
        int widest = -1;
        for (size_t i = 0; i < table->column_count; i++)
            if (table->columns[i].wraps && widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]))
                widest = (int)i;
        if (widest < 0)
            return;
        widths[widest]--;
        sum--;
    }
}

static void spaces(FILE *out, int n)
{
    for (; n > 0; n--)
        (void)fputc(' ', out);
}

/* One row, as many lines as its tallest cell has. `cells` is used up. */
static void print_row(const struct table *table, struct table_cell *cells, const int *widths, FILE *out)
{
    bool more = true;
    while (more) {
        int pending = 0;
        more = false;
        for (size_t i = 0; i < table->column_count; i++) {
            struct str line = take_line(&cells[i].text, widths[i]);
            int blank = widths[i] - text_width(line);
            more = more || cells[i].text.n > 0;
            if (table->columns[i].right)
                pending += blank;
            if (line.n > 0) {
                spaces(out, pending);
                pending = 0;
                if (cells[i].colour != TABLE_PLAIN)
                    table_colour(out, cells[i].colour);
                (void)fwrite(line.p, 1, line.n, out);
                if (cells[i].colour != TABLE_PLAIN)
                    table_colour(out, TABLE_PLAIN);
            }
            pending += (table->columns[i].right ? 0 : blank) + GAP;
        }
        (void)fputc('\n', out);
    }
}

void table_print(const struct table *table, FILE *out, int width)
{
    int widths[TABLE_COLUMNS_MAX];
    struct table_cell cells[TABLE_COLUMNS_MAX];
    settle_widths(table, width, widths);
    for (size_t i = 0; i < table->column_count; i++)
        cells[i] = (struct table_cell){str_of(table->columns[i].title), TABLE_DIM};
    print_row(table, cells, widths, out);
    for (size_t row = 0; row < table->row_count; row++) {
        memcpy(cells, table->cells + row * table->column_count, table->column_count * sizeof *cells);
        print_row(table, cells, widths, out);
    }
}

int table_width(FILE *out)
{
    struct winsize size = {0};
    long width = 0;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    const char *columns = getenv("COLUMNS");
    if (width == 0 && columns != NULL)
        width = strtol(columns, NULL, 10);
    if (width <= 0 || width > 10000)
        width = WIDTH_USUAL;
    return width < WIDTH_LEAST ? WIDTH_LEAST : (int)width;
}

bool table_colours(FILE *out)
{
    const char *never = getenv("NO_COLOR");
    return (never == NULL || never[0] == '\0') && isatty(fileno(out)) == 1;
}

void table_colour(FILE *out, enum table_colour colour)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[31;1m", "\033[33m", "\033[32m"};
    if (table_colours(out))
        (void)fputs(codes[colour], out);
}

void table_paragraph(FILE *out, const char *first, struct str text, int width)
{
    int indent = text_width(str_of(first));
    int room = width - indent > WIDTH_LEAST / 2 ? width - indent : WIDTH_LEAST / 2;
    (void)fputs(first, out);
    for (bool next = false; text.n > 0 || !next; next = true) {
        struct str line = take_line(&text, room);
        if (next)
            spaces(out, indent);
        (void)fprintf(out, "%.*s\n", STR_ARG(line));
    }
}
