/* A document of headings, paragraphs, lists, tables, code and bars, put together once and written as Markdown or as
 * HTML.
 *
 * Texts are plain, and copied; `…` in one is code. What would end a cell, a paragraph or a tag is escaped in writing.
 * An order of calls is an order on the document; items that follow one another are one list, rows belong to the table
 * before.
 */
#ifndef FORESTALL_CLI_DOCUMENT_H
#define FORESTALL_CLI_DOCUMENT_H

#include "base/buf.h"

enum { DOCUMENT_CELLS_MAX = 10 };

enum document_kind {
    DOCUMENT_HEADING,
    DOCUMENT_PARAGRAPH,
    DOCUMENT_ITEM,
    DOCUMENT_STEP,
    DOCUMENT_TABLE,
    DOCUMENT_CODE,
    DOCUMENT_BARS
};

struct document_column {
    const char *title;
    bool right; /* numbers are set to the right */
};

/* A bar, or two one below the other where the chart compares. */
struct document_bar {
    const char *label;
    double values[2];
    const char *texts[2]; /* what stands behind the bar */
};

struct document_block {
    enum document_kind kind;
    int level;        /* of a heading, from 1 */
    const char *text; /* of code its language, of a table and of bars the caption */
    struct str code;
    const struct document_column *columns; /* borrowed */
    size_t column_count;
    const char **cells; /* row by row */
    size_t row_count;
    size_t cell_cap;
    struct document_bar *bars;
    size_t bar_count;
    size_t bar_cap;
    const char *const *series; /* borrowed: the two names where the bars compare; NULL: one bar each */
    const char *unit;          /* of the axis, where all bars have one */
};

struct document {
    struct arena arena;
    struct document_block *blocks;
    size_t count;
    size_t cap;
};

/* A document of all zeroes is an empty one. */
void document_fini(struct document *document);
/* The first heading, of level 1, is the document's title. */
void document_heading(struct document *document, int level, const char *text);
void document_paragraph(struct document *document, const char *text);
void document_item(struct document *document, const char *text);
/* An item of a numbered list. */
void document_step(struct document *document, const char *text);
void document_code(struct document *document, struct str language, struct str code);
void document_table(struct document *document, const char *caption, const struct document_column *columns,
                    size_t count);
/* As many cells as the table has columns. */
void document_row(struct document *document, const char *const *cells);
/* A chart, in HTML only: what it shows is told in words or a table too. With a `unit` its bars share an axis, from 0.
 * Else each pair of bars is drawn to its own scale, since its values have a unit of their own, and `series`, borrowed,
 * names the two. */
void document_bars(struct document *document, const char *caption, const char *unit);
void document_pairs(struct document *document, const char *caption, const char *const *series);
void document_bar(struct document *document, struct document_bar bar);

void document_markdown(const struct document *document, struct buf *out);
/* One file without script and without references to others, for light and dark. */
void document_html(const struct document *document, struct buf *out);

#endif
