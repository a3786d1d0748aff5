/* Putting a document together. */
#include "cli/document.h"

#include <stdlib.h>

void document_fini(struct document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        free(document->blocks[i].cells);
        free(document->blocks[i].bars);
    }
    free(document->blocks);
    arena_fini(&document->arena);
}

static const char *copy(struct document *document, const char *text)
{
    return text == NULL ? NULL : arena_str(&document->arena, str_of(text)).p;
}

static struct document_block *add(struct document *document, enum document_kind kind, const char *text)
{
    document->blocks = mem_grow(document->blocks, document->count, &document->cap, sizeof *document->blocks);
    struct document_block *block = &document->blocks[document->count++];
    *block = (struct document_block){.kind = kind, .text = copy(document, text)};
    return block;
}

static struct document_block *last(struct document *document, enum document_kind kind)
{
    ASSERT(document->count > 0 && document->blocks[document->count - 1].kind == kind);
    return &document->blocks[document->count - 1];
}

void document_heading(struct document *document, int level, const char *text)
{
    add(document, DOCUMENT_HEADING, text)->level = level;
}

void document_paragraph(struct document *document, const char *text)
{
    (void)add(document, DOCUMENT_PARAGRAPH, text);
}

void document_item(struct document *document, const char *text)
{
    (void)add(document, DOCUMENT_ITEM, text);
}

void document_step(struct document *document, const char *text)
{
    (void)add(document, DOCUMENT_STEP, text);
}

void document_code(struct document *document, struct str language, struct str code)
{
    struct str name = arena_str(&document->arena, language);
    add(document, DOCUMENT_CODE, name.p)->code = arena_str(&document->arena, code);
}

void document_table(struct document *document, const char *caption, const struct document_column *columns, size_t count)
{
    ASSERT(count > 0 && count <= DOCUMENT_CELLS_MAX);
    struct document_block *block = add(document, DOCUMENT_TABLE, caption);
    block->columns = columns;
    block->column_count = count;
}

void document_row(struct document *document, const char *const *cells)
{
    struct document_block *block = last(document, DOCUMENT_TABLE);
    size_t at = block->row_count * block->column_count;
    for (size_t i = 0; i < block->column_count; i++) {
        block->cells = mem_grow(block->cells, at + i, &block->cell_cap, sizeof *block->cells);
        block->cells[at + i] = copy(document, cells[i]);
    }
    block->row_count++;
}

void document_bars(struct document *document, const char *caption, const char *unit)
{
    add(document, DOCUMENT_BARS, caption)->unit = copy(document, unit);
}

void document_pairs(struct document *document, const char *caption, const char *const *series)
{
    add(document, DOCUMENT_BARS, caption)->series = series;
}

void document_bar(struct document *document, struct document_bar bar)
{
    struct document_block *block = last(document, DOCUMENT_BARS);
    bar.label = copy(document, bar.label);
    for (size_t i = 0; i < 2; i++)
        bar.texts[i] = copy(document, bar.texts[i]);
    block->bars = mem_grow(block->bars, block->bar_count, &block->bar_cap, sizeof *block->bars);
    block->bars[block->bar_count++] = bar;
}
