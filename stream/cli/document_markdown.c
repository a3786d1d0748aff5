/* A document as Markdown that reads well as it stands: tables are set in columns. */
#include "cli/document.h"

/* A column wider than this does not make the others' rows wider. */
enum { COLUMN_WIDTH_MAX = 60 };

/* Escapes what Markdown would take for markup of its own. `in_cell`: a bar would end it. */
static void put_text(struct buf *out, const char *text, bool in_cell)
{
    bool code = false;
    for (const char *p = text; *p != '\0'; p++) {
        code = code != (*p == '`');
        char next = (char)(p[1] | 0x20);
        bool tag = *p == '<' && ((next >= 'a' && next <= 'z') || p[1] == '/' || p[1] == '!');
        if ((*p == '|' && in_cell) || (!code && (tag || *p == '*')))
            buf_byte(out, '\\');
        buf_byte(out, *p == '\n' || *p == '\r' ? ' ' : (uint8_t)*p);
    }
}

static size_t columns_of(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static size_t cell_width(const char *text)
{
    struct buf cell = {0};
    put_text(&cell, text, true);
    size_t n = columns_of(buf_str(&cell));
    buf_fini(&cell);
    return n;
}

static void put_cell(struct buf *out, const char *text, size_t width, bool right)
{
    size_t n = cell_width(text);
    size_t blank = n < width ? width - n : 0;
    buf_puts(out, " ");
    if (right)
        buf_printf(out, "%*s", (int)blank, "");
    put_text(out, text, true);
    if (!right)
        buf_printf(out, "%*s", (int)blank, "");
    buf_puts(out, " |");
}

static void put_table(struct buf *out, const struct document_block *table)
{
    size_t widths[DOCUMENT_CELLS_MAX];
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = cell_width(table->columns[i].title) > 3 ? cell_width(table->columns[i].title) : 3;
        for (size_t row = 0; row < table->row_count; row++) {
            size_t n = cell_width(table->cells[row * table->column_count + i]);
            n = n < COLUMN_WIDTH_MAX ? n : COLUMN_WIDTH_MAX;
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    buf_byte(out, '|');
    for (size_t i = 0; i < table->column_count; i++)
        put_cell(out, table->columns[i].title, widths[i], table->columns[i].right);
    buf_puts(out, "\n|");
    for (size_t i = 0; i < table->column_count; i++) {
        buf_byte(out, ' ');
        for (size_t n = table->columns[i].right ? 1 : 0; n < widths[i]; n++)
            buf_byte(out, '-');
        buf_puts(out, table->columns[i].right ? ": |" : " |");
    }
    buf_byte(out, '\n');
    for (size_t row = 0; row < table->row_count; row++) {
        buf_byte(out, '|');
        for (size_t i = 0; i < table->column_count; i++)
            put_cell(out, table->cells[row * table->column_count + i], widths[i], table->columns[i].right);
        buf_byte(out, '\n');
    }
}

/* The fence is longer than any run of backticks in the code. */
static void put_code(struct buf *out, const struct document_block *block)
{
    size_t run = 0;
    size_t longest = 2;
    for (size_t i = 0; i < block->code.n; i++) {
        run = block->code.p[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        buf_byte(out, '`');
    buf_printf(out, "%s\n", block->text);
    buf_str_put(out, block->code);
    if (block->code.n == 0 || block->code.p[block->code.n - 1] != '\n')
        buf_byte(out, '\n');
    for (size_t i = 0; i <= longest; i++)
        buf_byte(out, '`');
    buf_byte(out, '\n');
}

void document_markdown(const struct document *document, struct buf *out)
{
    int step = 0;
    for (size_t i = 0; i < document->count; i++) {
        const struct document_block *block = &document->blocks[i];
        bool goes_on = i > 0 && document->blocks[i - 1].kind == block->kind;
        if (block->kind == DOCUMENT_BARS)
            continue;
        if (out->len > 0 && !(goes_on && (block->kind == DOCUMENT_ITEM || block->kind == DOCUMENT_STEP)))
            buf_byte(out, '\n');
        step = block->kind == DOCUMENT_STEP ? step + 1 : 0;
        if (block->kind == DOCUMENT_TABLE) {
            put_table(out, block);
            continue;
        }
        if (block->kind == DOCUMENT_CODE) {
            put_code(out, block);
            continue;
        }
        if (block->kind == DOCUMENT_HEADING)
            buf_printf(out, "%.*s ", block->level, "######");
        if (block->kind == DOCUMENT_ITEM)
            buf_puts(out, "- ");
        if (block->kind == DOCUMENT_STEP)
            buf_printf(out, "%d. ", step);
        put_text(out, block->text, false);
        buf_byte(out, '\n');
    }
}
