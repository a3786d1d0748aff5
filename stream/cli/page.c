/* Pages: the texts of which they are made, and what people ask first. */
#include "cli/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/table.h"

enum { WIDTH_MAX = 110, LABEL = 13 };

void page_init(struct page *page, const struct published *published, struct value record, struct arena *arena)
{
    int width = table_width(stdout);
    *page = (struct page){record, published->now_ms, width < WIDTH_MAX ? width : WIDTH_MAX, arena};
}

void page_section(const char *title)
{
    (void)printf("\n");
    table_colour(stdout, TABLE_BOLD);
    (void)printf("%s", title);
    table_colour(stdout, TABLE_PLAIN);
    (void)printf("\n");
}

void page_line(const struct page *page, const char *label, const char *text)
{
    if (text != NULL)
        table_paragraph(stdout, arena_printf(page->arena, "  %-*s  ", LABEL, label), str_of(text), page->width);
}

void page_item(const struct page *page, const char *label, unsigned number, struct str text)
{
    table_paragraph(stdout, arena_printf(page->arena, "  %-*s  %u. ", LABEL, label, number), text, page->width);
}

static const char *kept(const struct page *page, struct buf *text)
{
    const char *copy = arena_str(page->arena, buf_str(text)).p;
    buf_fini(text);
    return copy;
}

static const char *span_text(const struct page *page, int64_t ms)
{
    struct buf text = {0};
    duration_print(&text, ms);
    return kept(page, &text);
}

const char *page_span(const struct page *page, const char *name)
{
    struct value v = published_value(page->record, name);
    return v.type == VALUE_NULL ? NULL : span_text(page, published_number(page->record, name));
}

/* To the minute; seconds matter to nobody here. */
const char *page_time(const struct page *page, struct value record, const char *name)
{
    int64_t ms = published_time(record, name);
    if (ms == INT64_MIN)
        return NULL;
    int64_t minutes = floor_mod(ms, DAY_MS) / MINUTE_MS;
    int year;
    int month;
    int day;
    civil_from_days(floor_div(ms, DAY_MS), &year, &month, &day);
    return arena_printf(page->arena, "%04d-%02d-%02d %02d:%02d", year, month, day, (int)(minutes / 60),
                        (int)(minutes % 60));
}

const char *page_list(const struct page *page, const char *name, const char *text_of, const char *count_of)
{
    struct value list = published_value(page->record, name);
    struct buf text = {0};
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++) {
        struct value item = list.items[i];
        struct str word = text_of != NULL ? published_text(item, text_of) : value_as_str(item);
        buf_printf(&text, "%s%.*s", i > 0 ? ", " : "", STR_ARG(word));
        if (count_of != NULL)
            buf_printf(&text, " (%" PRId64 ")", published_number(item, count_of));
    }
    if (text.len == 0)
        return NULL;
    return kept(page, &text);
}

static bool is_span(struct str name)
{
    return str_starts(name, STR_LIT("mttr")) || str_starts(name, STR_LIT("mttd")) || str_is(name, "eta") ||
           str_is(name, "silence");
}

const char *page_measure(const struct page *page, struct str name, struct value value)
{
    struct buf text = {0};
    if (value.type == VALUE_NULL)
        return "none";
    if (is_span(name))
        return span_text(page, value.type == VALUE_DOUBLE ? (int64_t)llround(value.d) : value.i);
    value_template(&text, value);
    return kept(page, &text);
}

void page_title(const struct page *page)
{
    table_colour(stdout, TABLE_BOLD);
    table_paragraph(stdout, arena_printf(page->arena, "%.*s  ", STR_ARG(published_text(page->record, "priority"))),
                    published_text(page->record, "title"), page->width);
    table_colour(stdout, TABLE_PLAIN);
    (void)printf("    %.*s\n\n", STR_ARG(published_text(page->record, "recommendation_id")));
}

/* "1 incident", "3 incidents". */
static const char *counted(const struct page *page, int64_t n, const char *what)
{
    return arena_printf(page->arena, "%" PRId64 " %s%s", n, what, n == 1 ? "" : "s");
}

void page_priority(const struct page *page)
{
    int64_t frequency = published_number(page->record, "frequency");
    struct str severity = published_text(page->record, "severity");
    bool incidents = published_number(page->record, "incidents") > 0;
    const char *worst =
        severity.p != NULL ? arena_printf(page->arena, ", the worst of them %.*s", STR_ARG(severity)) : "";
    page_line(page, "priority",
              arena_printf(page->arena,
                           "%.*s: the impact is %.*s (score %" PRId64 ", of %s in the last 30 days%s), and the change "
                           "is of %.*s complexity",
                           STR_ARG(published_text(page->record, "priority")),
                           STR_ARG(published_text(page->record, "impact")),
                           published_number(page->record, "impact_score"),
                           incidents        ? counted(page, frequency, "incident")
                           : frequency == 1 ? "1 day with a firing"
                                            : arena_printf(page->arena, "%" PRId64 " days with a firing", frequency),
                           worst, STR_ARG(published_text(page->record, "complexity"))));
}

static const char *by_whom(const struct page *page, struct value change)
{
    struct str actor = published_text(change, "actor");
    struct str comment = published_text(change, "comment");
    const char *said = comment.n > 0 ? arena_printf(page->arena, ": %.*s", STR_ARG(comment)) : "";
    if (actor.n == 0 || str_is(actor, "forestall"))
        return said;
    return arena_printf(page->arena, ", by %.*s%s", STR_ARG(actor), said);
}

void page_status(const struct page *page)
{
    struct value history = published_value(page->record, "history");
    struct str status = published_text(page->record, "status");
    struct str by = published_text(page->record, "superseded_by");
    const char *since = "";
    for (uint32_t i = history.type == VALUE_LIST ? history.n : 0; i > 0; i--) {
        struct value change = history.items[i - 1];
        if (str_eq(published_text(change, "from"), published_text(change, "to")))
            continue; /* a comment */
        since = arena_printf(page->arena, " since %s%s", page_time(page, change, "at"), by_whom(page, change));
        break;
    }
    if (by.n > 0)
        since = arena_printf(page->arena, "%s, by %.*s", since, STR_ARG(by));
    page_line(page, "status", arena_printf(page->arena, "%.*s%s", STR_ARG(status), since));
}

void page_numbers(const struct page *page)
{
    struct value record = page->record;
    const char *first = page_time(page, record, "first_seen");
    const char *last = page_time(page, record, "last_seen");
    struct value benefit = published_value(record, "estimated_benefit");
    struct value lost = published_value(record, "minutes_lost");
    if (first != NULL && last != NULL)
        page_line(page, "seen", arena_printf(page->arena, "%s to %s", first, last));
    page_line(page, "detections",
              arena_printf(page->arena, "%" PRId64 ", %s, %s", published_number(record, "detections"),
                           counted(page, published_number(record, "firings"), "firing"),
                           counted(page, published_number(record, "occurrences"), "occurrence")));
    if (published_number(record, "incidents") > 0)
        page_line(page, "incidents", page_measure(page, STR_LIT("incidents"), published_value(record, "incidents")));
    if (page_span(page, "mttd") != NULL)
        page_line(page, "to detect",
                  arena_printf(page->arena, "%s on average, median %s", page_span(page, "mttd"),
                               page_span(page, "mttd_median")));
    if (page_span(page, "mttr") != NULL)
        page_line(page, "to resolve",
                  arena_printf(page->arena, "%s on average, median %s", page_span(page, "mttr"),
                               page_span(page, "mttr_median")));
    if (lost.type != VALUE_NULL && published_number(record, "minutes_lost") > 0)
        page_line(page, "lost", span_text(page, published_number(record, "minutes_lost") * MINUTE_MS));
    if (published_number(benefit, "minutes_per_30d") > 0)
        page_line(page, "would avoid",
                  arena_printf(page->arena, "%s and %s a month",
                               counted(page, published_number(benefit, "incidents_per_30d"), "incident"),
                               span_text(page, published_number(benefit, "minutes_per_30d") * MINUTE_MS)));
    page_line(page, "root causes", page_list(page, "root_causes", "cause", "count"));
    page_line(page, "components", page_list(page, "components", "component", "count"));
    page_line(page, "code", page_list(page, "code_refs", "path", "count"));
}

void page_notes(const struct page *page)
{
    page_line(page, "supersedes", page_list(page, "supersedes", NULL, NULL));
    page_line(page, "note", page_list(page, "notes", NULL, NULL));
}
