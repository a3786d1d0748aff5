/* What the parts of an HTML page share: texts, escaped, and charts. */
#ifndef FORESTALL_CLI_HTML_H
#define FORESTALL_CLI_HTML_H

#include "cli/document.h"

void html_str(struct buf *out, struct str text);
/* `…` becomes <code>, where it is closed. */
void html_text(struct buf *out, const char *text);
/* html_chart.c: a figure of bars as inline SVG; `id` is the page's only one of that number. Lengths across are parts of
 * its width, so that it fits any screen and its text keeps its size. */
void html_chart(struct buf *out, const struct document_block *chart, size_t id);

#endif
