/* What people did about recommendations in the period, as their histories tell. */
#include <stdlib.h>

#include "cli/report_pages.h"
#include "cli/report_words.h"

static int by_time(const void *left, const void *right)
{
    const struct decision *a = left;
    const struct decision *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return a->item != b->item ? (a->item < b->item ? -1 : 1) : (a->number > b->number) - (a->number < b->number);
}

size_t report_decisions(struct report *report, struct decision **decisions)
{
    size_t most = 0;
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++)
        most += published_value(report->items[i].record, "history").n;
    *decisions = arena_alloc(&report->arena, (most + 1) * sizeof **decisions);
    for (size_t i = 0; i < report->count; i++) {
        struct value history = published_value(report->items[i].record, "history");
        for (uint32_t k = 0; history.type == VALUE_LIST && k < history.n; k++) {
            int64_t at_ms = published_time(history.items[k], "at");
            struct str actor = published_text(history.items[k], "actor");
            if (at_ms >= report->since_ms && actor.n > 0 && !str_is(actor, "forestall"))
                (*decisions)[count++] = (struct decision){&report->items[i], history.items[k], at_ms, k};
        }
    }
    if (count > 1)
        qsort(*decisions, count, sizeof **decisions, by_time);
    return count;
}

/* "Accepted" of the change to `accepted`. */
static const char *deed(struct report *report, struct value change)
{
    struct str to = published_text(change, "to");
    if (str_eq(to, published_text(change, "from")))
        return "Commented on";
    return str_is(to, "in_progress") ? "Begun" : words_first_upper(&report->arena, words_name(&report->arena, to));
}

void report_decided_by_people(struct report *report, struct document *document)
{
    struct arena *arena = &report->arena;
    struct decision *decisions;
    size_t count = report_decisions(report, &decisions);
    document_heading(document, 2, "Decisions in the period");
    if (count == 0)
        document_paragraph(document, arena_printf(arena, "Nobody accepted, implemented or dismissed anything since %s.",
                                                  words_day(arena, report->since_ms)));
    for (size_t i = 0; i < count; i++) {
        struct value change = decisions[i].change;
        const char *comment = words_text(arena, published_text(change, "comment"));
        document_item(document, arena_printf(arena, "%s: %s %s by %.*s%s%s", words_day(arena, decisions[i].at_ms),
                                             words_sentence(arena, report_title(report, decisions[i].item)),
                                             deed(report, change), STR_ARG(published_text(change, "actor")),
                                             comment[0] != '\0' ? ": " : ".", words_sentence(arena, comment)));
    }
}
