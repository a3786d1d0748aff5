/* Recommendations for a person's eyes. */
#include "cli/demo_show.h"

#include <stdlib.h>

#include "cli/record.h"
#include "cli/table.h"

enum { WIDE = 110, EVIDENCE_SHOWN = 3 };

/* "a (12), b (3)": what was counted by name. */
static void put_tallies(struct buf *out, struct value list, const char *name)
{
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++)
        buf_printf(out, "%s%.*s (%.0f)", i > 0 ? ", " : "", STR_ARG(record_text(record_member(list.items[i], name))),
                   record_number(record_member(list.items[i], "count")));
}

static double minutes_saved(struct value record)
{
    return record_number(record_member(record_member(record, "estimated_benefit"), "minutes_per_30d"));
}

static int by_weight(const void *left, const void *right)
{
    struct value a = *(const struct value *)left;
    struct value b = *(const struct value *)right;
    double more = record_number(record_member(b, "impact_score")) - record_number(record_member(a, "impact_score"));
    if (more != 0)
        return more < 0 ? -1 : 1;
    int order = str_cmp(record_text(record_member(a, "priority")), record_text(record_member(b, "priority")));
    return order != 0 ? order
                      : str_cmp(record_text(record_member(a, "recommendation_id")),
                                record_text(record_member(b, "recommendation_id")));
}

static enum table_colour priority_colour(struct str priority)
{
    return str_is(priority, "P0")                             ? TABLE_RED
           : str_is(priority, "P1") || str_is(priority, "P2") ? TABLE_YELLOW
                                                              : TABLE_PLAIN;
}

enum {
    CELL_PRIORITY,
    CELL_IMPACT,
    CELL_SERVICE,
    CELL_TITLE,
    CELL_INCIDENTS,
    CELL_MTTR,
    CELL_OCCURRENCES,
    CELL_SAVED,
    CELLS
};

/* What is being done about it, too. */
static void put_title(struct buf *out, struct value record)
{
    struct str status = record_text(record_member(record, "status"));
    buf_str_put(out, record_text(record_member(record, "title")));
    if (str_is(status, "accepted"))
        buf_puts(out, " (accepted)");
    else if (str_is(status, "in_progress"))
        buf_puts(out, " (in progress)");
    else if (str_is(status, "reopened"))
        buf_puts(out, " (again)");
}

/* A narrow table has the title below the service. */
static void add_row(struct table *table, struct value record, bool wide)
{
    struct buf cells[CELLS] = {0};
    struct str texts[CELLS];
    struct value incidents = record_member(record, "incidents");
    buf_str_put(&cells[CELL_PRIORITY], record_text(record_member(record, "priority")));
    buf_printf(&cells[CELL_IMPACT], "%.0f %.*s", record_number(record_member(record, "impact_score")),
               STR_ARG(record_text(record_member(record, "impact"))));
    record_put_list(&cells[CELL_SERVICE], record_member(record, "services"));
    put_title(&cells[CELL_TITLE], record);
    if (!wide)
        buf_printf(&cells[CELL_SERVICE], "\n%.*s", STR_ARG(buf_str(&cells[CELL_TITLE])));
    if (record_number(incidents) > 0)
        buf_printf(&cells[CELL_INCIDENTS], "%.0f", record_number(incidents));
    else
        buf_puts(&cells[CELL_INCIDENTS], "-");
    record_put_span(&cells[CELL_MTTR], record_member(record, "mttr"));
    buf_printf(&cells[CELL_OCCURRENCES], "%.0f", record_number(record_member(record, "occurrences")));
    if (minutes_saved(record) > 0)
        buf_printf(&cells[CELL_SAVED], "%.0f", minutes_saved(record));
    else
        buf_puts(&cells[CELL_SAVED], "-");
    size_t n = 0;
    for (size_t i = 0; i < CELLS; i++)
        if (wide || i != CELL_TITLE)
            texts[n++] = buf_str(&cells[i]);
    table_row(table, texts);
    table_paint(table, CELL_PRIORITY, priority_colour(texts[CELL_PRIORITY]));
    for (size_t i = 0; i < CELLS; i++)
        buf_fini(&cells[i]);
}

void demo_show_table(FILE *out, struct value *records, size_t count)
{
    static const struct table_column wide_columns[] = {
        {.title = "priority"},
        {.title = "impact"},
        {.title = "service", .wraps = true},
        {.title = "recommendation", .wraps = true},
        {.title = "incidents", .right = true},
        {.title = "MTTR", .right = true},
        {.title = "occurrences", .right = true},
        {.title = "minutes a\nmonth saved", .right = true},
    };
    static const struct table_column narrow_columns[] = {
        {.title = "prio"},
        {.title = "impact"},
        {.title = "recommendation", .wraps = true},
        {.title = "inci-\ndents", .right = true},
        {.title = "MTTR", .right = true},
        {.title = "occur-\nrences", .right = true},
        {.title = "min/month\nsaved", .right = true},
    };
    int width = table_width(out);
    bool wide = width >= WIDE;
    struct table *table = wide ? table_new(wide_columns, sizeof wide_columns / sizeof *wide_columns)
                               : table_new(narrow_columns, sizeof narrow_columns / sizeof *narrow_columns);
    qsort(records, count, sizeof *records, by_weight);
    for (size_t i = 0; i < count; i++)
        add_row(table, records[i], wide);
    table_print(table, out, width);
    table_free(table);
}

static void heading(FILE *out, const char *text)
{
    (void)fputc('\n', out);
    table_colour(out, TABLE_BOLD);
    (void)fputs(text, out);
    table_colour(out, TABLE_PLAIN);
    (void)fputc('\n', out);
}

/* "  label      text", left out where the text is empty; empties the text. */
static void fact(FILE *out, const char *label, struct buf *text)
{
    char first[32];
    (void)snprintf(first, sizeof first, "  %-10s ", label);
    if (text->len > 0)
        table_paragraph(out, first, buf_str(text), table_width(out));
    buf_reset(text);
}

static void show_facts(FILE *out, struct value record)
{
    struct buf text = {0};
    record_put_list(&text, record_member(record, "services"));
    fact(out, "services", &text);
    buf_printf(&text, "%.0f times from ", record_number(record_member(record, "occurrences")));
    record_put_day(&text, record_member(record, "first_seen"));
    buf_puts(&text, " to ");
    record_put_day(&text, record_member(record, "last_seen"));
    struct str worst = record_text(record_member(record, "severity"));
    if (worst.n > 0)
        buf_printf(&text, ", at worst %.*s", STR_ARG(worst));
    fact(out, "seen", &text);
    buf_puts(&text, "mean time to detect ");
    record_put_span(&text, record_member(record, "mttd"));
    buf_puts(&text, ", to resolve ");
    record_put_span(&text, record_member(record, "mttr"));
    fact(out, "took", &text);
    buf_printf(&text, "%.0f minutes and %.0f incidents a month, if it works", minutes_saved(record),
               record_number(record_member(record_member(record, "estimated_benefit"), "incidents_per_30d")));
    fact(out, "saves", &text);
    put_tallies(&text, record_member(record, "root_causes"), "cause");
    fact(out, "causes", &text);
    put_tallies(&text, record_member(record, "code_refs"), "path");
    fact(out, "code", &text);
    buf_fini(&text);
}

static void show_text(FILE *out, const char *title, struct value v)
{
    if (v.type != VALUE_STRING)
        return;
    heading(out, title);
    table_paragraph(out, "  ", value_as_str(v), table_width(out));
}

static void show_list(FILE *out, const char *title, struct value list, bool numbered)
{
    if (list.type != VALUE_LIST || list.n == 0)
        return;
    heading(out, title);
    for (uint32_t i = 0; i < list.n; i++) {
        char first[16] = "  - ";
        if (numbered)
            (void)snprintf(first, sizeof first, "  %u. ", (unsigned)i + 1);
        table_paragraph(out, first, record_text(list.items[i]), table_width(out));
    }
}

/* Code is printed as it is. */
static void show_code(FILE *out, struct value list)
{
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++) {
        struct buf title = {0};
        buf_printf(&title, "Code for %.*s", STR_ARG(record_text(record_member(list.items[i], "path"))));
        buf_byte(&title, '\0');
        heading(out, title.p);
        buf_fini(&title);
        struct str text = record_text(record_member(list.items[i], "text"));
        for (size_t at = 0; at < text.n;) {
            const char *newline = memchr(text.p + at, '\n', text.n - at);
            size_t n = newline != NULL ? (size_t)(newline - text.p) - at : text.n - at;
            (void)fprintf(out, "%s%.*s\n", n > 0 ? "  " : "", (int)n, text.p + at);
            at += n + 1;
        }
    }
}

static void show_evidence(FILE *out, struct value list)
{
    if (list.type != VALUE_LIST || list.n == 0)
        return;
    uint32_t shown = list.n < EVIDENCE_SHOWN ? list.n : EVIDENCE_SHOWN;
    heading(out, "Evidence, newest first");
    for (uint32_t i = 0; i < shown; i++) {
        struct value item = list.items[list.n - 1 - i];
        struct buf line = {0};
        record_put_day(&line, record_member(item, "occurred_at"));
        struct str id = record_text(record_member(item, "incident_id"));
        buf_printf(&line, "  %.*s%s%.*s", STR_ARG(id), id.n > 0 ? "  " : "",
                   STR_ARG(record_text(record_member(item, "summary"))));
        table_paragraph(out, "  ", buf_str(&line), table_width(out));
        buf_fini(&line);
    }
    if (list.n > shown)
        (void)fprintf(out, "  and %u more\n", (unsigned)(list.n - shown));
}

void demo_show_whole(FILE *out, struct value record)
{
    struct value spec = record_member(record, "spec");
    struct buf text = {0};
    buf_str_put(&text, record_text(record_member(record, "title")));
    buf_byte(&text, '\0');
    heading(out, text.p);
    buf_reset(&text);
    buf_printf(
        &text, "%.*s: %.*s impact (%.0f), %.*s complexity, %.*s; %.*s",
        STR_ARG(record_text(record_member(record, "priority"))), STR_ARG(record_text(record_member(record, "impact"))),
        record_number(record_member(record, "impact_score")), STR_ARG(record_text(record_member(record, "complexity"))),
        STR_ARG(record_text(record_member(record, "category"))),
        STR_ARG(record_text(record_member(record, "recommendation_id"))));
    table_paragraph(out, "  ", buf_str(&text), table_width(out));
    buf_fini(&text);
    show_facts(out, record);
    show_text(out, "Problem", record_member(spec, "problem"));
    show_text(out, "Solution", record_member(spec, "solution"));
    show_list(out, "Implementation", record_member(spec, "implementation"), true);
    show_list(out, "Testing", record_member(spec, "testing"), false);
    show_list(out, "Rollout", record_member(spec, "rollout"), true);
    show_text(out, "Effort", record_member(spec, "effort"));
    show_list(out, "Dependencies", record_member(spec, "dependencies"), false);
    show_code(out, record_member(spec, "code"));
    show_evidence(out, record_member(record, "evidence"));
}

void demo_show_line(FILE *out, struct value record)
{
    (void)fprintf(
        out, "%.*s %.0f %.*s: %.*s (version %.0f)\n", STR_ARG(record_text(record_member(record, "priority"))),
        record_number(record_member(record, "impact_score")), STR_ARG(record_text(record_member(record, "impact"))),
        STR_ARG(record_text(record_member(record, "title"))), record_number(record_member(record, "version")));
}
