/* A document as one HTML file: its style is inside, its charts are inline SVG, and nothing is fetched. */
#include "cli/html.h"

/* From so many sections on a page begins with a list of them. */
enum { CONTENTS_LEAST = 4 };

/* On a narrow screen a row is a card: cells behind their columns' titles, figures side by side, others a line each.
 * What that does to the table's meaning for a screen reader the roles undo. */
static const char style[] =
    ":root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#fff;--fill:#0b5cad;"
    "--other:#6b7a8a;--code:#f3f5f7}\n"
    "@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9aa7b4;--line:#3a434d;--back:#0f1419;"
    "--fill:#5aa9f5;--other:#8b98a5;--code:#1a212a}}\n"
    "body{margin:2rem auto;max-width:72rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:var(--text);"
    "background:var(--back);overflow-wrap:break-word}\n"
    "h1,h2,h3{line-height:1.25;margin:2rem 0 .5rem}h2{border-top:1px solid var(--line);padding-top:1.2rem}\n"
    "p,ul,ol{max-width:52rem}li{margin:.25rem 0}a{color:var(--fill)}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;list-style:none;padding:0;max-width:none}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:.5rem 0;width:100%}\n"
    "caption{text-align:left;color:var(--soft);padding:.25rem 0}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}\n"
    "tbody tr:nth-child(even){background:var(--code)}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em;background:var(--code);border-radius:4px}\n"
    "code{padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.8rem;overflow-x:auto}pre code{padding:0}\n"
    "figure{margin:1rem 0;max-width:46rem}figcaption{color:var(--soft);margin-bottom:.3rem}svg{overflow:visible}\n"
    "svg text{fill:var(--text);font-size:14px}svg .soft{fill:var(--soft);font-size:13px}.fill{fill:var(--fill)}"
    ".other{fill:var(--other)}.axis{stroke:var(--soft)}.grid{stroke:var(--line)}\n"
    "@media (max-width:42rem){body{margin:1rem auto}h1{font-size:1.5rem}table,caption,tbody,tr,td{display:block}"
    "thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
    "tr{border-bottom:1px solid var(--line);padding:.4rem}"
    "td{border:0;padding:.1rem 0 .1rem 9rem;position:relative;min-height:1.5em}"
    "td::before{content:attr(data-label);position:absolute;left:0;color:var(--soft)}"
    "td.n{display:inline-block;padding:.1rem 1.2rem .1rem 0;text-align:left}"
    "td.n::before{content:attr(data-label) \" \";position:static}}\n"
    "@media print{body{margin:0;max-width:none}nav{display:none}tr,figure{break-inside:avoid}}\n";

static void put_char(struct buf *out, char c)
{
    switch (c) {
    case '&':
        buf_puts(out, "&amp;");
        break;
    case '<':
        buf_puts(out, "&lt;");
        break;
    case '>':
        buf_puts(out, "&gt;");
        break;
    case '"':
        buf_puts(out, "&quot;");
        break;
    default:
        buf_byte(out, (uint8_t)c);
    }
}

void html_str(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        put_char(out, text.p[i]);
}

void html_text(struct buf *out, const char *text)
{
    bool code = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '`' || (!code && strchr(p + 1, '`') == NULL)) {
            put_char(out, *p);
            continue;
        }
        buf_puts(out, code ? "</code>" : "<code>");
        code = !code;
    }
}

static void put_cell(struct buf *out, const struct document_column *column, const char *text)
{
    buf_printf(out, "<td role=\"cell\"%s data-label=\"", column->right ? " class=\"n\"" : "");
    html_str(out, str_of(column->title));
    buf_puts(out, "\">");
    html_text(out, text);
    buf_puts(out, "</td>");
}

static void put_table(struct buf *out, const struct document_block *table)
{
    buf_puts(out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
    html_str(out, str_of(table->text));
    buf_puts(out, "\"><table role=\"table\">\n<caption>");
    html_text(out, table->text);
    buf_puts(out, "</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">");
    for (size_t i = 0; i < table->column_count; i++) {
        buf_printf(out, "<th role=\"columnheader\" scope=\"col\"%s>", table->columns[i].right ? " class=\"n\"" : "");
        html_text(out, table->columns[i].title);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for (size_t row = 0; row < table->row_count; row++) {
        buf_puts(out, "<tr role=\"row\">");
        for (size_t i = 0; i < table->column_count; i++)
            put_cell(out, &table->columns[i], table->cells[row * table->column_count + i]);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</tbody></table></div>\n");
}

static void put_code(struct buf *out, const struct document_block *block)
{
    buf_puts(out, "<pre tabindex=\"0\"><code>");
    html_str(out, block->code);
    buf_puts(out, "</code></pre>\n");
}

static void put_wrapped(struct buf *out, const char *tag, const char *text)
{
    buf_printf(out, "<%s>", tag);
    html_text(out, text);
    buf_printf(out, "</%s>\n", tag);
}

static const char *list_tag(const struct document *document, size_t i)
{
    if (i >= document->count)
        return NULL;
    return document->blocks[i].kind == DOCUMENT_ITEM ? "ul" : document->blocks[i].kind == DOCUMENT_STEP ? "ol" : NULL;
}

static bool is_section(const struct document_block *block)
{
    return block->kind == DOCUMENT_HEADING && block->level == 2;
}

static void put_heading(struct buf *out, const struct document_block *block, size_t i)
{
    buf_printf(out, "<h%d id=\"s%zu\">", block->level, i);
    html_text(out, block->text);
    buf_printf(out, "</h%d>\n", block->level);
}

/* Links to the sections, before the first of them. */
static void put_contents(struct buf *out, const struct document *document)
{
    size_t sections = 0;
    for (size_t i = 0; i < document->count; i++)
        sections += is_section(&document->blocks[i]);
    if (sections < CONTENTS_LEAST)
        return;
    buf_puts(out, "<nav aria-label=\"Contents\"><ul>\n");
    for (size_t i = 0; i < document->count; i++)
        if (is_section(&document->blocks[i])) {
            buf_printf(out, "<li><a href=\"#s%zu\">", i);
            html_text(out, document->blocks[i].text);
            buf_puts(out, "</a></li>\n");
        }
    buf_puts(out, "</ul></nav>\n");
}

static void put_block(struct buf *out, const struct document *document, size_t i)
{
    const struct document_block *block = &document->blocks[i];
    const char *list = list_tag(document, i);
    switch (block->kind) {
    case DOCUMENT_HEADING:
        put_heading(out, block, i);
        break;
    case DOCUMENT_PARAGRAPH:
        put_wrapped(out, "p", block->text);
        break;
    case DOCUMENT_ITEM:
    case DOCUMENT_STEP:
        if (i == 0 || list_tag(document, i - 1) != list)
            buf_printf(out, "<%s>\n", list);
        put_wrapped(out, "li", block->text);
        if (list_tag(document, i + 1) != list)
            buf_printf(out, "</%s>\n", list);
        break;
    case DOCUMENT_TABLE:
        put_table(out, block);
        break;
    case DOCUMENT_CODE:
        put_code(out, block);
        break;
    case DOCUMENT_BARS:
        if (block->bar_count > 0)
            html_chart(out, block, i);
        break;
    }
}

void document_html(const struct document *document, struct buf *out)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html_str(out, str_of(document->count > 0 ? document->blocks[0].text : ""));
    buf_printf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
    bool listed = false;
    for (size_t i = 0; i < document->count; i++) {
        if (!listed && is_section(&document->blocks[i])) {
            put_contents(out, document);
            listed = true;
        }
        put_block(out, document, i);
    }
    buf_puts(out, "</main>\n</body>\n</html>\n");
}
