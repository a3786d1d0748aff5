/* Tables of text that fit the terminal, and paragraphs wrapped to it. Colours only on a terminal, and not with
 * NO_COLOR.
 *
 * A character counts as one column, whatever it is. Texts are copied.
 */
#ifndef FORESTALL_CLI_TABLE_H
#define FORESTALL_CLI_TABLE_H

#include <stdio.h>

#include "base/arena.h"

enum { TABLE_COLUMNS_MAX = 16 };

struct table_column {
    const char *title; /* a newline begins a second line */
    bool right;        /* numbers are set to the right */
    bool wraps;        /* gives way where the table is too wide, down to what its longest word needs */
};

enum table_colour { TABLE_PLAIN, TABLE_BOLD, TABLE_DIM, TABLE_RED, TABLE_YELLOW, TABLE_GREEN };

struct table;

struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);
/* A row of as many cells as there are columns. Newlines in a cell are kept. */
void table_row(struct table *table, const struct str *cells);
/* The colour of a cell of the last row. */
void table_paint(struct table *table, size_t column, enum table_colour colour);
/* Prints it in at most `width` characters a line, as far as words allow. */
void table_print(const struct table *table, FILE *out, int width);

/* Characters a line: the terminal's, else COLUMNS, else 100. */
int table_width(FILE *out);
/* Colours are wanted there. */
bool table_colours(FILE *out);
/* Begins a colour and, TABLE_PLAIN, ends it; nothing where colours are not wanted. */
void table_colour(FILE *out, enum table_colour colour);
/* Prints a text wrapped to `width`, its first line after `first` and the others indented as deep. */
void table_paragraph(FILE *out, const char *first, struct str text, int width);

#endif
