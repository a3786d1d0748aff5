/* What was measured: before and after a change. */
#include <math.h>

#include "cli/report_pages.h"
#include "cli/report_words.h"

bool report_days(const struct report *report, const struct report_item *item, int64_t *gone, int64_t *all)
{
    struct value validation = published_value(item->record, "validation");
    int64_t from_ms = published_time(validation, "after_from");
    int64_t to_ms = published_time(validation, "after_to");
    if (from_ms == INT64_MIN || to_ms == INT64_MIN || to_ms <= from_ms)
        return false;
    *all = (to_ms - from_ms) / DAY_MS;
    *gone = floor_div(report->published->now_ms - from_ms, DAY_MS);
    *gone = *gone < 0 ? 0 : *gone > *all ? *all : *gone;
    return true;
}

/* validation.state */
static bool state_is(const struct report_item *item, const char *state)
{
    return str_is(published_text(published_value(item->record, "validation"), "state"), state);
}

/* Implemented, and too little was there to compare. */
static bool is_inconclusive(const struct report_item *item)
{
    return item->stage == STAGE_VALIDATING && state_is(item, "inconclusive");
}

bool report_running(const struct report_item *item)
{
    return item->stage == STAGE_VALIDATING && !state_is(item, "inconclusive") && !state_is(item, "none");
}

bool report_decided(const struct report *report, const struct report_item *item)
{
    bool over = item->stage == STAGE_VALIDATED || item->stage == STAGE_INEFFECTIVE || is_inconclusive(item);
    return over && item->changed_ms >= report->since_ms;
}

/* A measure's figure: spans of what is a time by its name. */
static const char *figure(struct report *report, struct str name, double n)
{
    bool span = str_is(name, "mttr") || str_is(name, "mttd");
    return span ? words_span(&report->arena, n) : words_number(&report->arena, n);
}

/* The same in a sentence. */
static const char *figure_or_none(struct report *report, struct value measure, const char *field)
{
    double n = words_double(measure, field, NAN);
    return isfinite(n) ? figure(report, published_text(measure, "name"), n) : "none";
}

const char *report_measure(struct report *report, struct value measure)
{
    struct value met = published_value(measure, "met");
    return arena_printf(&report->arena, "%s: %s before, %s after%s.",
                        words_name(&report->arena, published_text(measure, "name")),
                        figure_or_none(report, measure, "before"), figure_or_none(report, measure, "after"),
                        met.type != VALUE_BOOL ? ""
                        : met.b                ? ", as wanted"
                                               : ", not enough");
}

static void put_measures(struct report *report, struct document *document, const struct report_item *item)
{
    static const struct document_column columns[] = {
        {"Measure", false}, {"Before", true}, {"After", true}, {"Met", false}};
    static const char *const series[] = {"before", "after"};
    struct value measures = published_value(published_value(item->record, "validation"), "measures");
    const char *caption = arena_printf(&report->arena, "Before and after: %s", report_title(report, item));
    if (measures.type != VALUE_LIST || measures.n == 0) {
        document_paragraph(document, "Nothing was measured yet.");
        return;
    }
    document_pairs(document, caption, series);
    for (uint32_t i = 0; i < measures.n; i++) {
        struct value m = measures.items[i];
        struct str name = published_text(m, "name");
        double before = words_double(m, "before", NAN);
        double after = words_double(m, "after", NAN);
        document_bar(document,
                     (struct document_bar){.label = words_name(&report->arena, name),
                                           .values = {isnan(before) ? 0 : before, isnan(after) ? 0 : after},
                                           .texts = {figure(report, name, before), figure(report, name, after)}});
    }
    document_table(document, arena_printf(&report->arena, "Measures of %s", report_title(report, item)), columns,
                   sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < measures.n; i++) {
        struct value m = measures.items[i];
        struct str name = published_text(m, "name");
        struct value met = published_value(m, "met");
        const char *cells[] = {words_name(&report->arena, name), figure(report, name, words_double(m, "before", NAN)),
                               figure(report, name, words_double(m, "after", NAN)),
                               met.type != VALUE_BOOL ? "-"
                               : met.b                ? "yes"
                                                      : "no"};
        document_row(document, cells);
    }
}

static const char *progress(struct report *report, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    struct value validation = published_value(item->record, "validation");
    const char *when = words_day(arena, published_time(validation, "implemented_at"));
    const char *done = when[0] == '-' ? "It is implemented" : arena_printf(arena, "Implemented on %s", when);
    int64_t gone;
    int64_t all;
    if (!report_days(report, item, &gone, &all))
        return arena_printf(arena, "%s; the comparison begins at the next midnight.", done);
    return arena_printf(arena, "%s; %lld of %lld %s gone.", done, (long long)gone, (long long)all,
                        all == 1 ? "day is" : "days are");
}

static void put_compared(struct report *report, struct document *document, const struct report_item *item,
                         const char *text)
{
    document_heading(document, 3, report_title(report, item));
    document_paragraph(document, text);
    put_measures(report, document, item);
}

static const char *verdict(struct report *report, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    const char *day = words_day(arena, item->changed_ms);
    if (item->stage == STAGE_VALIDATED)
        return arena_printf(arena, "Validated on %s: it helped.", day);
    if (item->stage == STAGE_INEFFECTIVE)
        return arena_printf(arena, "Ineffective, as found on %s: it did not help enough, and is open again.", day);
    return arena_printf(arena, "Inconclusive on %s: there was too little to compare, so nothing can be said.", day);
}

/* Those that are implemented, and of which no measure will tell more. */
static void put_unmeasured(struct report *report, struct document *document)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        const char *why = NULL;
        if (item->stage == STAGE_VALIDATING && state_is(item, "none"))
            why = "its rule measures nothing";
        else if (is_inconclusive(item) && !report_decided(report, item))
            why = "there was too little to compare";
        if (why != NULL)
            document_item(document, arena_printf(&report->arena, "%s Implemented without a verdict: %s.",
                                                 words_sentence(&report->arena, report_title(report, item)), why));
    }
}

void report_validations(struct report *report, struct document *document)
{
    struct arena *arena = &report->arena;
    size_t running = 0;
    size_t decided = 0;
    document_heading(document, 2, "Being validated");
    for (size_t i = 0; i < report->count; i++)
        if (report_running(&report->items[i])) {
            running++;
            put_compared(report, document, &report->items[i], progress(report, &report->items[i]));
        }
    if (running == 0)
        document_paragraph(document, "No implemented recommendation is being measured.");
    document_heading(document, 2, "Verdicts in the period");
    for (size_t i = 0; i < report->count; i++)
        if (report_decided(report, &report->items[i])) {
            decided++;
            put_compared(report, document, &report->items[i], verdict(report, &report->items[i]));
        }
    if (decided == 0)
        document_paragraph(document,
                           arena_printf(arena, "No validation ended since %s.", words_day(arena, report->since_ms)));
    put_unmeasured(report, document);
}
