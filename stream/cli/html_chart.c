/* Bars as inline SVG. A label stands above its bar, or its pair of bars, and the figure behind it. */
#include <math.h>

#include "cli/html.h"

enum { LABEL_HEIGHT = 20, BAR_HEIGHT = 14, ROW_GAP = 8, AXIS_HEIGHT = 42, TICKS_MAX = 5, LABEL_CHARS = 60 };
/* The longest bar, in hundredths of the width; the rest is for its figure. */
static const double full = 70;

struct axis {
    double step; /* 1, 2 or 5 times a power of ten */
    int steps;   /* it ends at so many */
};

static size_t bars_each(const struct document_block *chart)
{
    return chart->series != NULL ? 2 : 1;
}

/* The first round step of which few reach the greatest value. */
static struct axis axis_of(const struct document_block *chart)
{
    static const double round_steps[] = {1, 2, 5, 10};
    double most = 0;
    for (size_t i = 0; i < chart->bar_count; i++)
        most = chart->bars[i].values[0] > most ? chart->bars[i].values[0] : most;
    double power = most > TICKS_MAX ? pow(10, floor(log10(most / TICKS_MAX))) : 1;
    struct axis axis = {power, 1};
    for (size_t i = 0; i < sizeof round_steps / sizeof *round_steps && axis.step * TICKS_MAX < most; i++)
        axis.step = power * round_steps[i];
    if (most > 0)
        axis.steps = (int)ceil(most / axis.step);
    return axis;
}

/* A label cut at a character. */
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

/* All figures in words, for who does not see them. */
static void put_description(struct buf *out, const struct document_block *chart, size_t id)
{
    size_t each = bars_each(chart);
    buf_printf(out, "<title id=\"t%zu\">", id);
    html_str(out, str_of(chart->text));
    buf_printf(out, "</title><desc id=\"d%zu\">", id);
    for (size_t i = 0; i < chart->bar_count; i++)
        for (size_t k = 0; k < each; k++) {
            html_str(out, str_of(chart->bars[i].label));
            buf_printf(out, "%s%s: ", each == 2 ? ", " : "", each == 2 ? chart->series[k] : "");
            html_str(out, str_of(chart->bars[i].texts[k]));
            buf_puts(out, ". ");
        }
    buf_puts(out, "</desc>\n");
}

static void put_axis(struct buf *out, const struct document_block *chart, struct axis axis, int bottom)
{
    for (int i = 0; i <= axis.steps; i++) {
        double x = full * i / axis.steps;
        buf_printf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>", i == 0 ? "axis" : "grid",
                   x, x, bottom);
        buf_printf(out, "<text class=\"soft\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">%g</text>\n", x, bottom + 16,
                   i == 0 ? "start" : "middle", axis.step * i);
    }
    buf_printf(out, "<text class=\"soft\" x=\"0\" y=\"%d\">", bottom + 34);
    html_str(out, str_of(chart->unit));
    buf_puts(out, "</text>\n");
}

static void put_bar(struct buf *out, const struct document_block *chart, const struct document_bar *bar, double most,
                    int y)
{
    size_t each = bars_each(chart);
    for (size_t k = 0; k < each; k++, y += BAR_HEIGHT + 2) {
        double width = most > 0 && bar->values[k] > 0 ? full * bar->values[k] / most : 0;
        buf_printf(out, "<rect class=\"%s\" x=\"0\" y=\"%d\" width=\"%.2f%%\" height=\"%d\"/>",
                   each == 2 && k == 0 ? "other" : "fill", y, width, BAR_HEIGHT);
        buf_printf(out, "<text x=\"%.2f%%\" dx=\"6\" y=\"%d\">", width, y + BAR_HEIGHT - 2);
        if (each == 2)
            buf_printf(out, "%s ", chart->series[k]);
        html_str(out, str_of(bar->texts[k]));
        buf_puts(out, "</text>\n");
    }
}

void html_chart(struct buf *out, const struct document_block *chart, size_t id)
{
    int step = LABEL_HEIGHT + (int)bars_each(chart) * (BAR_HEIGHT + 2) + ROW_GAP;
    int bottom = (int)chart->bar_count * step;
    struct axis axis = axis_of(chart);
    buf_puts(out, "<figure><figcaption>");
    html_text(out, chart->text);
    buf_printf(out, "</figcaption>\n<svg role=\"img\" aria-labelledby=\"t%zu d%zu\" width=\"100%%\" height=\"%d\">", id,
               id, bottom + (chart->unit != NULL ? AXIS_HEIGHT : 0));
    put_description(out, chart, id);
    if (chart->unit != NULL)
        put_axis(out, chart, axis, bottom);
    for (size_t i = 0; i < chart->bar_count; i++) {
        const struct document_bar *bar = &chart->bars[i];
        double pair = bar->values[0] > bar->values[1] ? bar->values[0] : bar->values[1];
        int top = (int)i * step;
        buf_printf(out, "<text x=\"4\" y=\"%d\">", top + LABEL_HEIGHT - 5);
        html_str(out, label_cut(bar->label));
        buf_puts(out, "</text>");
        put_bar(out, chart, bar, chart->series != NULL ? pair : axis.step * axis.steps, top + LABEL_HEIGHT);
    }
    buf_puts(out, "</svg></figure>\n");
}
