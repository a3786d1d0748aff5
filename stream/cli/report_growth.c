/* Growth towards a limit: what trends found, from the values of their recommendations. */
#include <math.h>
#include <stdlib.h>

#include "cli/report_pages.h"
#include "cli/report_words.h"

/* The shipped rules whose level is a part of a limit. */
static const char *const percent_rules[] = {"review-cpu-grows",  "review-memory-grows",
                                            "review-disk-grows", "cart-redis-memory-grows",
                                            "ads-heap-grows",    "recommendation-memory-grows"};

enum { HOURS_A_WEEK = 168 };

bool report_is_growth(struct value record)
{
    return isfinite(words_double(published_value(record, "values"), "slope_per_hour", NAN));
}

/* Shipped titles end with the time, which has a column of its own. */
static const char *title_of(struct report *report, const struct report_item *item)
{
    const char *title = report_title(report, item);
    const char *mark = strstr(title, ": time left until ");
    return mark == NULL ? title : arena_str(&report->arena, (struct str){title, (size_t)(mark - title)}).p;
}

static void fill_time(struct report *report, struct growth *growth, double eta_ms)
{
    growth->left = "-";
    growth->reached_ms = INT64_MAX;
    if (!(eta_ms >= 0 && eta_ms < 1e15))
        return;
    growth->left = eta_ms == 0 ? "none" : words_span(&report->arena, eta_ms);
    growth->reached_ms = growth->seen_ms + (int64_t)eta_ms;
}

static int by_time(const void *left, const void *right)
{
    const struct growth *a = left;
    const struct growth *b = right;
    if (a->reached_ms != b->reached_ms)
        return a->reached_ms < b->reached_ms ? -1 : 1;
    return a->item->rank < b->item->rank ? -1 : 1;
}

size_t report_growths(struct report *report, struct growth **growths)
{
    size_t count = 0;
    *growths = arena_alloc(&report->arena, (report->count + 1) * sizeof **growths);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        struct value values = published_value(item->record, "values");
        double slope = words_double(values, "slope_per_hour", NAN);
        int64_t seen_ms = published_time(item->record, "last_seen");
        if (!report_is_work(item) || !report_is_growth(item->record) || seen_ms < report->since_ms)
            continue;
        struct growth *growth = &(*growths)[count++];
        *growth = (struct growth){.item = item,
                                  .title = title_of(report, item),
                                  .current = words_double(values, "current", NAN),
                                  .week = HOURS_A_WEEK * slope,
                                  .seen_ms = seen_ms};
        for (size_t k = 0; k < sizeof percent_rules / sizeof *percent_rules; k++)
            growth->percent = growth->percent || str_is(published_text(item->record, "rule_id"), percent_rules[k]);
        fill_time(report, growth, words_double(values, "eta", NAN));
    }
    if (count > 1)
        qsort(*growths, count, sizeof **growths, by_time);
    return count;
}

void report_outlook(struct report *report, struct document *document)
{
    static const struct document_column columns[] = {
        {"Services", false}, {"Recommendation", false}, {"Now", true},           {"A week", true},
        {"Time left", true}, {"As of", false},          {"Reached about", false}};
    struct arena *arena = &report->arena;
    struct growth *growths;
    size_t count = report_growths(report, &growths);
    document_heading(document, 2, "Capacity outlook");
    if (count == 0) {
        document_paragraph(document, arena_printf(arena, "Nothing was seen to grow towards a limit since %s.",
                                                  words_day(arena, report->since_ms)));
        return;
    }
    document_paragraph(
        document, arena_printf(arena, "%s, if it goes on as it did.",
                               count == 1 ? "One resource grows towards its limit"
                                          : arena_printf(arena, "%zu resources grow towards their limits", count)));
    document_table(document, "Time until a limit is reached, the soonest first", columns,
                   sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        const struct growth *growth = &growths[i];
        const char *unit = growth->percent ? " %" : "";
        const char *points = growth->percent ? " points" : "";
        const char *cells[] = {
            report_services(report, growth->item),
            growth->title,
            isnan(growth->current) ? "-" : arena_printf(arena, "%s%s", words_number(arena, growth->current), unit),
            arena_printf(arena, "+%s%s", words_number(arena, growth->week), points),
            growth->left,
            words_day(arena, growth->seen_ms),
            words_day(arena, growth->reached_ms),
        };
        document_row(document, cells);
    }
}
