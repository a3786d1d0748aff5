/* Outcomes as a table: one row a recommendation, one line of it a measure. */
#include "cli/demo_outcome.h"

#include <stdlib.h>

#include "cli/record.h"
#include "cli/table.h"

/* What can have become of it, in the order of the table. */
enum outcome { OUTCOME_HELPED, OUTCOME_DID_NOT, OUTCOME_UNKNOWN, OUTCOME_MEASURED, OUTCOME_TURNED_DOWN, OUTCOME_OPEN };

static const struct {
    const char *words;
    enum table_colour colour;
} outcomes[] = {
    [OUTCOME_HELPED] = {"it helped", TABLE_GREEN},
    [OUTCOME_DID_NOT] = {"it did not help", TABLE_RED},
    [OUTCOME_UNKNOWN] = {"too little\nto tell", TABLE_YELLOW},
    [OUTCOME_MEASURED] = {"being measured", TABLE_PLAIN},
    [OUTCOME_TURNED_DOWN] = {"turned down", TABLE_DIM},
};

/* Measures as the shop's rules name them. */
static const struct {
    const char *name;
    const char *words;
    const char *unit; /* NULL: a span */
} measures[] = {
    {"incidents", "incidents", ""},
    {"mttr", "time to resolve", NULL},
    {"mttd", "time to detect", NULL},
    {"minutes_lost", "minutes lost", ""},
    {"latency", "latency", " ms"},
    {"memory", "memory", " %"},
    {"cpu", "cpu", " %"},
};

static enum outcome outcome_of(struct value record)
{
    struct str status = record_text(record_member(record, "status"));
    if (str_is(status, "validated"))
        return OUTCOME_HELPED;
    if (str_is(status, "ineffective"))
        return OUTCOME_DID_NOT;
    if (str_is(status, "validating"))
        return OUTCOME_MEASURED;
    if (str_is(status, "dismissed"))
        return OUTCOME_TURNED_DOWN;
    if (!str_is(status, "implemented"))
        return OUTCOME_OPEN;
    struct str state = record_text(record_member(record_member(record, "validation"), "state"));
    return str_is(state, "inconclusive") ? OUTCOME_UNKNOWN : OUTCOME_MEASURED;
}

size_t demo_outcome_part(struct value *records, size_t count)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        struct value record = records[i];
        if (outcome_of(record) != OUTCOME_OPEN)
            continue;
        records[i] = records[open];
        records[open++] = record;
    }
    return open;
}

static int by_outcome(const void *left, const void *right)
{
    struct value a = *(const struct value *)left;
    struct value b = *(const struct value *)right;
    if (outcome_of(a) != outcome_of(b))
        return outcome_of(a) < outcome_of(b) ? -1 : 1;
    return str_cmp(record_text(record_member(a, "recommendation_id")),
                   record_text(record_member(b, "recommendation_id")));
}

/* "12", "25m" or "150 ms". */
static void put_number(struct buf *out, struct value v, const char *unit)
{
    if (v.type == VALUE_NULL)
        buf_puts(out, "none");
    else if (unit == NULL)
        record_put_span(out, v);
    else
        buf_printf(out, "%.0f%s", record_number(v), unit);
}

enum { CELL_OUTCOME, CELL_TITLE, CELL_MEASURE, CELL_BEFORE, CELL_AFTER, CELLS };

static void put_measures(struct buf *cells, struct value record)
{
    struct value list = record_member(record_member(record, "validation"), "measures");
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++) {
        struct str name = record_text(record_member(list.items[i], "name"));
        const char *unit = "";
        const char *line = i > 0 ? "\n" : "";
        for (size_t k = 0; k < sizeof measures / sizeof *measures; k++)
            if (str_is(name, measures[k].name)) {
                name = str_of(measures[k].words);
                unit = measures[k].unit;
            }
        buf_printf(&cells[CELL_MEASURE], "%s%.*s", line, STR_ARG(name));
        buf_puts(&cells[CELL_BEFORE], line);
        put_number(&cells[CELL_BEFORE], record_member(list.items[i], "before"), unit);
        buf_puts(&cells[CELL_AFTER], line);
        put_number(&cells[CELL_AFTER], record_member(list.items[i], "after"), unit);
    }
}

/* The last that a person did about it: "2025-12-17, ben: breaker and cache are in production". */
static void put_deed(struct buf *out, struct value record)
{
    struct value history = record_member(record, "history");
    for (uint32_t i = history.type == VALUE_LIST ? history.n : 0; i-- > 0;) {
        struct str actor = record_text(record_member(history.items[i], "actor"));
        struct str comment = record_text(record_member(history.items[i], "comment"));
        if (str_is(actor, "forestall"))
            continue;
        buf_byte(out, '\n');
        record_put_day(out, record_member(history.items[i], "at"));
        buf_printf(out, ", %.*s%s%.*s", STR_ARG(actor), comment.n > 0 ? ": " : "", STR_ARG(comment));
        return;
    }
}

static void add_row(struct table *table, struct value record)
{
    struct buf cells[CELLS] = {0};
    struct str texts[CELLS];
    enum outcome outcome = outcome_of(record);
    buf_puts(&cells[CELL_OUTCOME], outcomes[outcome].words);
    if (outcome == OUTCOME_MEASURED) {
        buf_puts(&cells[CELL_OUTCOME], "\nuntil ");
        record_put_day(&cells[CELL_OUTCOME], record_member(record_member(record, "validation"), "after_to"));
    }
    buf_str_put(&cells[CELL_TITLE], record_text(record_member(record, "title")));
    put_deed(&cells[CELL_TITLE], record);
    if (outcome != OUTCOME_TURNED_DOWN)
        put_measures(cells, record);
    for (size_t i = 0; i < CELLS; i++)
        texts[i] = buf_str(&cells[i]);
    table_row(table, texts);
    table_paint(table, CELL_OUTCOME, outcomes[outcome].colour);
    for (size_t i = 0; i < CELLS; i++)
        buf_fini(&cells[i]);
}

void demo_outcome_show(FILE *out, struct value *records, size_t count)
{
    static const struct table_column columns[] = {
        {.title = "outcome"},
        {.title = "what was done", .wraps = true},
        {.title = "measured"},
        {.title = "before", .right = true},
        {.title = "after", .right = true},
    };
    if (count == 0)
        return;
    (void)fputc('\n', out);
    table_colour(out, TABLE_BOLD);
    (void)fputs("What became of what was implemented", out);
    table_colour(out, TABLE_PLAIN);
    (void)fputs("\n\n", out);
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    qsort(records, count, sizeof *records, by_outcome);
    for (size_t i = 0; i < count; i++)
        add_row(table, records[i]);
    table_print(table, out, table_width(out));
    table_free(table);
    (void)fputc('\n', out);
    table_paragraph(out, "",
                    STR_LIT("The rule of each recommendation says what is measured and what would be an improvement. "
                            "Compared are the 30 days before the day it was done and the 30 days after it."),
                    table_width(out));
}
