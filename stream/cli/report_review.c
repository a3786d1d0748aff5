/* The weekly review: what is new, what rose, what to do first, and whether what was done helped. */
#include "cli/gone.h"
#include "cli/report_pages.h"
#include "cli/report_words.h"

/* Those for which `wanted` holds, in order of rank; of the report's arena. */
typedef bool wanted_fn(const struct report_item *item, const void *context);

static size_t choose(struct report *report, wanted_fn *wanted, const void *context, const struct report_item ***chosen)
{
    size_t count = 0;
    *chosen = arena_alloc(&report->arena, (report->count + 1) * sizeof **chosen);
    for (size_t i = 0; i < report->count; i++)
        if (wanted(&report->items[i], context))
            (*chosen)[count++] = &report->items[i];
    return count;
}

static bool is_work(const struct report_item *item, const void *context)
{
    (void)context;
    return report_is_work(item);
}

static bool appeared(const struct report_item *item, const void *context)
{
    (void)context;
    return report_is_work(item) && (item->is_new || item->is_back);
}

static bool rose(const struct report_item *item, const void *context)
{
    (void)context;
    return item->rose;
}

static bool has_priority(const struct report_item *item, const void *context)
{
    return report_is_work(item) && item->priority == *(const size_t *)context;
}

struct belonging {
    enum report_by by;
    struct str name;
};

static bool belongs(const struct report_item *item, const void *context)
{
    const struct belonging *to = context;
    return report_is_work(item) && report_belongs(item, to->by, to->name);
}

/* "2 P0, 1 P3" */
static const char *priorities_text(struct report *report, const size_t *counts)
{
    struct buf text = {0};
    for (size_t i = 0; i < PRIORITIES; i++)
        if (counts[i] > 0)
            buf_printf(&text, "%s%zu %s", text.len > 0 ? ", " : "", counts[i], report_priority(i));
    const char *kept = arena_str(&report->arena, buf_str(&text)).p;
    buf_fini(&text);
    return kept;
}

static const char *period(struct report *report)
{
    return arena_printf(&report->arena, "since %s", words_day(&report->arena, report->since_ms));
}

/* "new", "back", or both, in the period. */
static const char *appeared_text(struct report *report, size_t new, size_t back)
{
    struct arena *arena = &report->arena;
    const char *text = new == 0 ? "None is new" : new == 1 ? "One is new" : arena_printf(arena, "%zu are new", new);
    const char *more = back == 0 ? "" : arena_printf(arena, ", %zu %s back", back, back == 1 ? "is" : "are");
    return arena_printf(arena, "%s%s %s.", text, more, period(report));
}

size_t report_summary(struct report *report, const char *sentences[static SUMMARY_MAX])
{
    struct arena *arena = &report->arena;
    size_t open = 0;
    size_t counts[PRIORITIES] = {0};
    size_t new = 0;
    size_t back = 0;
    size_t rising = 0;
    size_t running = 0;
    size_t n = 0;
    const struct report_item *first = NULL;
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        running += report_running(item);
        if (!report_is_work(item))
            continue;
        first = first == NULL ? item : first;
        open++;
        counts[item->priority]++;
        new += item->is_new;
        back += item->is_back;
        rising += item->rose;
    }
    if (open == 0)
        sentences[n++] = report->count == 0 ? "There is no recommendation yet."
                                            : "No recommendation is open: nothing is waiting to be done.";
    else
        sentences[n++] =
            arena_printf(arena, "%s %s open: %s.", words_count(arena, open, "recommendation", "recommendations"),
                         open == 1 ? "is" : "are", priorities_text(report, counts));
    if (open > 0)
        sentences[n++] = appeared_text(report, new, back);
    if (report->knows_earlier && rising > 0)
        sentences[n++] = arena_printf(arena, "The impact of %s rose.",
                                      rising == 1 ? "one" : arena_printf(arena, "%zu of them", rising));
    const char *names;
    size_t gone = gone_count(report->published, report->rules, arena, &names);
    if (gone > 0)
        sentences[n++] = arena_printf(
            arena, "%zu %s of rules that the configuration has no longer, so nothing changes %s any more: %s.", gone,
            gone == 1 ? "is" : "are", gone == 1 ? "it" : "them", names);
    if (running > 0)
        sentences[n++] =
            arena_printf(arena, "%s being validated.", words_count(arena, running, "change is", "changes are"));
    if (open > 0)
        sentences[n++] = arena_printf(arena, "What matters most: %s, with an impact score of %s, for %s.",
                                      report_title(report, first), words_number(arena, first->impact),
                                      report_services(report, first));
    return n;
}

static void put_summary(struct report *report, struct document *document)
{
    const char *sentences[SUMMARY_MAX];
    struct buf text = {0};
    size_t n = report_summary(report, sentences);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%s", i > 0 ? " " : "", sentences[i]);
    document_paragraph(document, arena_str(&report->arena, buf_str(&text)).p);
    buf_fini(&text);
}

static void put_new(struct report *report, struct document *document)
{
    const struct report_item **items;
    size_t count = choose(report, appeared, NULL, &items);
    document_heading(document, 2, "New in the period");
    if (count == 0) {
        document_paragraph(document,
                           arena_printf(&report->arena, "No recommendation appeared or came back %s.", period(report)));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *title = words_sentence(&report->arena, report_title(report, items[i]));
        document_item(document, arena_printf(&report->arena, "%s, rank %zu: %s %s %s.",
                                             report_priority(items[i]->priority), items[i]->rank, title,
                                             items[i]->is_back ? "It came back; first proposed" : "Proposed",
                                             words_day(&report->arena, items[i]->created_ms)));
    }
}

static void put_rising(struct report *report, struct document *document)
{
    const struct report_item **items;
    size_t count = choose(report, rose, NULL, &items);
    struct arena *arena = &report->arena;
    document_heading(document, 2, "Rising");
    if (!report->knows_earlier) {
        document_paragraph(
            document,
            "The topic keeps the newest versions only, so what rose cannot be told from it; `--file` with the "
            "output of `forestall replay` can tell.");
        return;
    }
    if (count == 0)
        document_paragraph(document, arena_printf(arena, "No impact rose %s.", period(report)));
    for (size_t i = 0; i < count; i++) {
        struct str level = published_text(items[i]->record, "impact");
        const char *levels =
            str_eq(level, items[i]->earlier_level)
                ? arena_printf(arena, "still %.*s", STR_ARG(level))
                : arena_printf(arena, "from %.*s to %.*s", STR_ARG(items[i]->earlier_level), STR_ARG(level));
        document_item(document, arena_printf(arena, "%s The impact score rose from %s to %s, %s.",
                                             words_sentence(arena, report_title(report, items[i])),
                                             words_number(arena, items[i]->earlier_impact),
                                             words_number(arena, items[i]->impact), levels));
    }
}

static void put_priorities(struct report *report, struct document *document)
{
    static const char *const levels[PRIORITIES] = {"high impact, low complexity", "high impact, high complexity",
                                                   "medium impact, low complexity", "medium impact, high complexity",
                                                   "low impact, any complexity"};
    struct arena *arena = &report->arena;
    const struct report_item **items;
    size_t empty = 0;
    struct buf none = {0};
    document_heading(document, 2, "By priority");
    document_bars(document, "Open recommendations by priority", "open recommendations");
    for (size_t i = 0; i < PRIORITIES; i++) {
        size_t count = choose(report, has_priority, &i, &items);
        document_bar(document,
                     (struct document_bar){.label = arena_printf(arena, "%s: %s", report_priority(i), report_action(i)),
                                           .values = {(double)count},
                                           .texts = {arena_printf(arena, "%zu", count)}});
    }
    for (size_t i = 0; i < PRIORITIES; i++) {
        size_t count = choose(report, has_priority, &i, &items);
        if (count == 0) {
            buf_printf(&none, "%s%s", empty++ > 0 ? ", " : "", report_priority(i));
            continue;
        }
        document_heading(document, 3, arena_printf(arena, "%s: %s", report_priority(i), report_action(i)));
        report_table(report, document, arena_printf(arena, "%s, %s, by impact", report_priority(i), levels[i]), items,
                     count);
        for (size_t k = 0; k < count && i <= 1; k++)
            report_in_words(report, document, items[k]);
    }
    if (empty > 0)
        document_paragraph(document, arena_printf(arena, "Nothing is open in %.*s.", STR_ARG(buf_str(&none))));
    buf_fini(&none);
}

static const char *name_of(struct report *report, enum report_by by, struct str name)
{
    if (by == REPORT_BY_CATEGORY)
        return words_category(&report->arena, name);
    return name.n == 0 ? "No service in particular" : words_text(&report->arena, name);
}

/* The sums of services or categories in a table and as bars. */
static void put_sums(struct report *report, struct document *document, enum report_by by)
{
    static const struct document_column by_service[] = {
        {"Service", false}, {"Open", true}, {"Impact", true}, {"Priorities", false}, {"First to do", false}};
    static const struct document_column by_category[] = {
        {"Category", false}, {"Open", true}, {"Impact", true}, {"Priorities", false}, {"First to do", false}};
    struct arena *arena = &report->arena;
    struct report_sum *sums;
    size_t count = report_sums(report, by, &sums);
    const char *caption = by == REPORT_BY_SERVICE ? "Impact by service" : "Impact by category";
    document_heading(document, 2, by == REPORT_BY_SERVICE ? "By service" : "By category");
    if (count == 0) {
        document_paragraph(document, "Nothing is open.");
        return;
    }
    if (by == REPORT_BY_SERVICE)
        document_paragraph(document, "A recommendation counts for each service that it names.");
    document_paragraph(document,
                       "Where several recommendations answer the same incidents, their impact counts for each.");
    document_bars(document, caption, "sum of impact scores");
    for (size_t i = 0; i < count; i++)
        document_bar(document, (struct document_bar){.label = name_of(report, by, sums[i].name),
                                                     .values = {sums[i].impact},
                                                     .texts = {words_number(arena, sums[i].impact)}});
    document_table(document, caption, by == REPORT_BY_SERVICE ? by_service : by_category, 5);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {name_of(report, by, sums[i].name), words_number(arena, (double)sums[i].open),
                               words_number(arena, sums[i].impact), priorities_text(report, sums[i].priorities),
                               report_title(report, sums[i].first)};
        document_row(document, cells);
    }
}

/* In place of the priorities: the recommendations of each service or category. */
static void put_grouped(struct report *report, struct document *document)
{
    struct report_sum *sums;
    size_t count = report_sums(report, report->by, &sums);
    put_sums(report, document, report->by);
    for (size_t i = 0; i < count; i++) {
        const struct report_item **items;
        struct belonging to = {report->by, sums[i].name};
        size_t chosen = choose(report, belongs, &to, &items);
        const char *name = name_of(report, report->by, sums[i].name);
        document_heading(document, 3, name);
        report_table(report, document, arena_printf(&report->arena, "%s, by impact", name), items, chosen);
        for (size_t k = 0; k < chosen; k++)
            if (items[k]->priority <= 1)
                report_in_words(report, document, items[k]);
    }
}

void report_review(struct report *report, struct document *document)
{
    struct arena *arena = &report->arena;
    const struct report_item **items;
    document_heading(document, 1,
                     arena_printf(arena, "Prevention review, %s to %s", words_day(arena, report->since_ms),
                                  words_day(arena, report->published->now_ms)));
    put_summary(report, document);
    put_new(report, document);
    put_rising(report, document);
    report_decided_by_people(report, document);
    if (report->by != REPORT_BY_PRIORITY)
        put_grouped(report, document);
    else if (choose(report, is_work, NULL, &items) > 0)
        put_priorities(report, document);
    if (report->by != REPORT_BY_SERVICE)
        put_sums(report, document, REPORT_BY_SERVICE);
    if (report->by != REPORT_BY_CATEGORY)
        put_sums(report, document, REPORT_BY_CATEGORY);
    report_validations(report, document);
    report_scorecards(report, document, NULL);
    report_outlook(report, document);
    document_heading(document, 2, "How to read this");
    document_paragraph(document,
                       "Impact is the sum of a weight for each incident of the last 30 days (sev1 16, sev2 8, sev3 4, "
                       "sev4 2, sev5 1), or, where a rule sees no incidents, for each day on which it fired. Priority "
                       "follows from the impact and from the complexity of the change; rank is the order of impact. "
                       "MTTR is the mean time to resolve. `forestall explain ID` tells where a figure comes from.");
}
