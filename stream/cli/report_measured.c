/* What was measured: before and after a change, and the scorecards. */
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

bool report_decided(const struct report *report, const struct report_item *item)
{
    return (item->stage == STAGE_VALIDATED || item->stage == STAGE_INEFFECTIVE) && item->changed_ms >= report->since_ms;
}

/* A measure's figure: spans of what is a time by its name. */
static const char *figure(struct report *report, struct str name, double n)
{
    bool span = str_is(name, "mttr") || str_is(name, "mttd");
    return span ? words_span(&report->arena, n) : words_number(&report->arena, n);
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
    document_bars(document, caption, series);
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
    document_table(document, caption, columns, sizeof columns / sizeof *columns);
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
    if (str_is(published_text(validation, "state"), "inconclusive"))
        return arena_printf(arena, "%s; there was too little to compare, so nothing can be said.", done);
    if (!report_days(report, item, &gone, &all))
        return str_is(published_text(validation, "state"), "none")
                   ? arena_printf(arena, "%s; its rule measures nothing.", done)
                   : arena_printf(arena, "%s; the comparison begins at the next midnight.", done);
    return arena_printf(arena, "%s; %lld of %lld %s gone.", done, (long long)gone, (long long)all,
                        all == 1 ? "day is" : "days are");
}

static void put_compared(struct report *report, struct document *document, const struct report_item *item,
                         const char *text)
{
    document_heading(document, 3, report_title(report, item));
    document_paragraph(document, text);
    if (!str_is(published_text(published_value(item->record, "validation"), "state"), "none"))
        put_measures(report, document, item);
}

void report_validations(struct report *report, struct document *document)
{
    struct arena *arena = &report->arena;
    size_t running = 0;
    size_t decided = 0;
    document_heading(document, 2, "Being validated");
    for (size_t i = 0; i < report->count; i++)
        if (report->items[i].stage == STAGE_VALIDATING) {
            running++;
            put_compared(report, document, &report->items[i], progress(report, &report->items[i]));
        }
    if (running == 0)
        document_paragraph(document, "No implemented recommendation is being measured.");
    document_heading(document, 2, "Validated or ineffective in the period");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        if (!report_decided(report, item))
            continue;
        decided++;
        const char *day = words_day(arena, item->changed_ms);
        put_compared(
            report, document, item,
            item->stage == STAGE_VALIDATED
                ? arena_printf(arena, "Validated on %s: it helped.", day)
                : arena_printf(arena, "Ineffective, as found on %s: it did not help enough, and is open again.", day));
    }
    if (decided == 0)
        document_paragraph(document,
                           arena_printf(arena, "Nothing was decided since %s.", words_day(arena, report->since_ms)));
}

/* The shipped scorecards by their ids, which may end in "-overall": what they say, and how their value is written. */
static const struct {
    const char *id;
    const char *name;
    enum { UNIT_SPAN, UNIT_SHARE, UNIT_NUMBER } unit;
} known_cards[] = {
    {"mttd", "Mean time to detect", UNIT_SPAN},
    {"mttr", "Mean time to resolve", UNIT_SPAN},
    {"incident-frequency", "Incidents", UNIT_NUMBER},
    {"deployment-success", "Deployment success rate", UNIT_SHARE},
    {"change-failure-rate", "Change failure rate", UNIT_SHARE},
};

static const char *card_figure(struct report *report, struct str id, double value)
{
    for (size_t i = 0; i < sizeof known_cards / sizeof *known_cards; i++)
        if (str_starts(id, str_of(known_cards[i].id))) {
            if (known_cards[i].unit == UNIT_SPAN)
                return words_span(&report->arena, value);
            if (known_cards[i].unit == UNIT_SHARE && isfinite(value))
                return arena_printf(&report->arena, "%s %%", words_number(&report->arena, 100 * value));
        }
    return words_number(&report->arena, value);
}

static const char *card_name(struct report *report, struct str id)
{
    for (size_t i = 0; i < sizeof known_cards / sizeof *known_cards; i++)
        if (str_starts(id, str_of(known_cards[i].id)))
            return known_cards[i].name;
    return words_text(&report->arena, id);
}

/* Whose it is: its service, else the values of its group, else all. */
static const char *card_scope(struct report *report, struct value card)
{
    struct str service = published_text(card, "service");
    struct value group = published_value(card, "group");
    struct buf text = {0};
    if (service.n > 0)
        return words_text(&report->arena, service);
    for (uint32_t i = 0; group.type == VALUE_MAP && i < group.n; i++)
        if (group.items[2 * i + 1].type == VALUE_STRING)
            buf_printf(&text, "%s%.*s", text.len > 0 ? ", " : "", STR_ARG(value_as_str(group.items[2 * i + 1])));
    const char *kept = text.len > 0 ? words_text(&report->arena, buf_str(&text)) : "overall";
    buf_fini(&text);
    return kept;
}

void report_scorecards(struct report *report, struct document *document)
{
    static const struct document_column columns[] = {{"Scorecard", false}, {"Service", false}, {"Value", true},
                                                     {"Before", true},     {"Change", true},   {"Target", false}};
    struct arena *arena = &report->arena;
    const struct published *published = report->published;
    size_t met = 0;
    size_t judged = 0;
    document_heading(document, 2, "Scorecards");
    for (size_t i = 0; i < published->scorecard_count; i++) {
        struct value target = published_value(published->scorecards[i], "target_met");
        judged += target.type == VALUE_BOOL;
        met += target.type == VALUE_BOOL && target.b;
    }
    if (published->scorecard_count == 0) {
        document_paragraph(document, "There are no scorecards: no rule file has any, or none has been published yet.");
        return;
    }
    document_paragraph(document, judged == 0 ? "No target can be judged yet."
                                             : arena_printf(arena, "%zu of %s met.", met,
                                                            words_count(arena, judged, "target is", "targets are")));
    document_table(document, "Scorecards against their targets", columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < published->scorecard_count; i++) {
        struct value card = published->scorecards[i];
        struct str id = published_text(card, "id");
        struct value target = published_value(card, "target_met");
        double change = words_double(card, "change", NAN);
        const char *cells[] = {
            card_name(report, id),
            card_scope(report, card),
            card_figure(report, id, words_double(card, "value", NAN)),
            card_figure(report, id, words_double(card, "previous", NAN)),
            isfinite(change) ? arena_printf(arena, "%+.0f %%", 100 * change) : "-",
            target.type != VALUE_BOOL ? "-"
            : target.b                ? "met"
                                      : "missed",
        };
        document_row(document, cells);
    }
}
