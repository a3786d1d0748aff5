/* A document as one HTML file: its style is inside, its charts are inline SVG, and nothing is fetched. */
#include "cli/document.h"

enum { BAR_HEIGHT = 16, BAR_GAP = 10, LABEL_WIDTH = 260, BAR_WIDTH = 420, CHART_WIDTH = 800, LABEL_CHARS = 36 };

static const char style[] =
    ":root{color-scheme:light "
    "dark;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#fff;--fill:#0b5cad;--other:#6b7a8a;"
    "--code:#f3f5f7}\n"
    "@media "
    "(prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9aa7b4;--line:#3a434d;--back:#0f1419;--fill:#5aa9f5;"
    "--other:#8b98a5;--code:#1a212a}}\n"
    "body{margin:2rem auto;max-width:68rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:var(--text);"
    "background:var(--back)}\n"
    "h1,h2,h3{line-height:1.25;margin:2rem 0 .5rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:.5rem 0;width:100%}\n"
    "caption{text-align:left;color:var(--soft);padding:.25rem 0}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "code,pre{font-family:ui-monospace,monospace;background:var(--code);border-radius:4px}\n"
    "code{padding:.1em .3em}pre{padding:.8rem;overflow-x:auto}pre code{padding:0}\n"
    "figure{margin:1rem 0}figcaption{color:var(--soft)}svg{max-width:100%;height:auto}\n"
    "svg text{fill:var(--text);font-size:14px}.fill{fill:var(--fill)}.other{fill:var(--other)}\n"
    "@media print{body{margin:0;max-width:none}}\n";

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

static void put_str(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        put_char(out, text.p[i]);
}

/* `code` becomes <code>, where it is closed. */
static void put_text(struct buf *out, const char *text)
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

static void put_table(struct buf *out, const struct document_block *table)
{
    buf_puts(out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
    put_str(out, str_of(table->text));
    buf_puts(out, "\"><table>\n<caption>");
    put_text(out, table->text);
    buf_puts(out, "</caption>\n<thead><tr>");
    for (size_t i = 0; i < table->column_count; i++) {
        buf_printf(out, "<th scope=\"col\"%s>", table->columns[i].right ? " class=\"n\"" : "");
        put_text(out, table->columns[i].title);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead>\n<tbody>\n");
    for (size_t row = 0; row < table->row_count; row++) {
        buf_puts(out, "<tr>");
        for (size_t i = 0; i < table->column_count; i++) {
            buf_puts(out, table->columns[i].right ? "<td class=\"n\">" : "<td>");
            put_text(out, table->cells[row * table->column_count + i]);
            buf_puts(out, "</td>");
        }
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</tbody></table></div>\n");
}

static double greatest(const struct document_block *chart)
{
    double most = 0;
    for (size_t i = 0; i < chart->bar_count; i++)
        for (size_t k = 0; k < (chart->series != NULL ? 2 : 1); k++)
            most = chart->bars[i].values[k] > most ? chart->bars[i].values[k] : most;
    return most;
}

/* A label that fits beside its bar, cut at a character. */
static struct str label_cut(const char *text)
{
    size_t n = 0;
    size_t at = 0;
    for (; text[at] != '\0'; at++) {
        n += ((unsigned char)text[at] & 0xC0) != 0x80;
        if (n > LABEL_CHARS)
            break;
    }
    return (struct str){text, at};
}

/* Bars that compare are measured within their pair, others by the longest of all. */
static void put_bars(struct buf *out, const struct document_block *chart, size_t id)
{
    size_t each = chart->series != NULL ? 2 : 1;
    int step = (int)each * BAR_HEIGHT + BAR_GAP;
    buf_puts(out, "<figure><figcaption>");
    put_text(out, chart->text);
    buf_printf(out,
               "</figcaption>\n<svg role=\"img\" aria-labelledby=\"t%zu d%zu\" viewBox=\"0 0 %d %d\" width=\"%d\">", id,
               id, CHART_WIDTH, (int)chart->bar_count * step + BAR_GAP, CHART_WIDTH);
    buf_printf(out, "<title id=\"t%zu\">", id);
    put_str(out, str_of(chart->text));
    buf_printf(out, "</title><desc id=\"d%zu\">", id);
    for (size_t i = 0; i < chart->bar_count; i++)
        for (size_t k = 0; k < each; k++) {
            put_str(out, str_of(chart->bars[i].label));
            buf_printf(out, "%s%s: ", each == 2 ? ", " : "", each == 2 ? chart->series[k] : "");
            put_str(out, str_of(chart->bars[i].texts[k]));
            buf_puts(out, ". ");
        }
    buf_puts(out, "</desc>\n");
    for (size_t i = 0; i < chart->bar_count; i++) {
        const struct document_bar *bar = &chart->bars[i];
        double most = greatest(chart);
        if (each == 2)
            most = bar->values[0] > bar->values[1] ? bar->values[0] : bar->values[1];
        int top = (int)i * step + BAR_GAP;
        buf_printf(out, "<text x=\"0\" y=\"%d\">", top + BAR_HEIGHT - 3);
        put_str(out, label_cut(bar->label));
        buf_puts(out, "</text>");
        for (size_t k = 0; k < each; k++) {
            int y = top + (int)k * BAR_HEIGHT;
            double width = most > 0 && bar->values[k] > 0 ? bar->values[k] / most * BAR_WIDTH : 0;
            buf_printf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                       each == 2 && k == 0 ? "other" : "fill", LABEL_WIDTH, y, width + 1, BAR_HEIGHT - 2);
            buf_printf(out, "<text x=\"%.1f\" y=\"%d\">", LABEL_WIDTH + width + 8, y + BAR_HEIGHT - 3);
            if (each == 2)
                buf_printf(out, "%s ", chart->series[k]);
            put_str(out, str_of(bar->texts[k]));
            buf_puts(out, "</text>\n");
        }
    }
    buf_puts(out, "</svg></figure>\n");
}

static void put_code(struct buf *out, const struct document_block *block)
{
    buf_puts(out, "<pre tabindex=\"0\"><code>");
    put_str(out, block->code);
    buf_puts(out, "</code></pre>\n");
}

static void put_wrapped(struct buf *out, const char *tag, const char *text)
{
    buf_printf(out, "<%s>", tag);
    put_text(out, text);
    buf_printf(out, "</%s>\n", tag);
}

static const char *list_tag(const struct document *document, size_t i)
{
    if (i >= document->count)
        return NULL;
    return document->blocks[i].kind == DOCUMENT_ITEM ? "ul" : document->blocks[i].kind == DOCUMENT_STEP ? "ol" : NULL;
}

static void put_block(struct buf *out, const struct document *document, size_t i)
{
    const struct document_block *block = &document->blocks[i];
    static const char *const headings[] = {"h1", "h2", "h3", "h4", "h5", "h6"};
    const char *list = list_tag(document, i);
    switch (block->kind) {
    case DOCUMENT_HEADING:
        put_wrapped(out, headings[block->level - 1], block->text);
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
            put_bars(out, block, i);
        break;
    }
}

void document_html(const struct document *document, struct buf *out)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    put_str(out, str_of(document->count > 0 ? document->blocks[0].text : ""));
    buf_printf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
    for (size_t i = 0; i < document->count; i++)
        put_block(out, document, i);
    buf_puts(out, "</main>\n</body>\n</html>\n");
}
