/* Recommendations in tables and in words. */
#include "cli/find.h"
#include "cli/report_pages.h"
#include "cli/report_words.h"

void report_table(struct report *report, struct document *document, const char *caption,
                  const struct report_item *const *items, size_t count)
{
    static const struct document_column columns[] = {
        {"Rank", true},    {"Priority", true},  {"Impact", true}, {"Recommendation", false}, {"Services", false},
        {"Status", false}, {"Incidents", true}, {"MTTR", true},   {"Effort", true}};
    struct arena *arena = &report->arena;
    document_table(document, caption, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        struct value record = items[i]->record;
        struct value spec = published_value(record, "spec");
        int64_t incidents = published_number(record, "incidents");
        struct str effort = published_text(spec, "effort");
        const char *cells[] = {
            items[i]->rank > 0 ? words_number(arena, (double)items[i]->rank) : "-",
            report_priority(items[i]->priority),
            words_number(arena, items[i]->impact),
            report_title(report, items[i]),
            report_services(report, items[i]),
            report_status(report, items[i]),
            incidents > 0 ? words_number(arena, (double)incidents) : "-",
            words_span_of(arena, record, "mttr"),
            effort.n > 0 ? words_text(arena, effort) : "-",
        };
        document_row(document, cells);
    }
}

void report_in_words(struct report *report, struct document *document, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    struct value spec = published_value(item->record, "spec");
    const char *problem = words_text(arena, published_text(spec, "problem"));
    const char *solution = words_text(arena, published_text(spec, "solution"));
    struct buf text = {0};
    buf_puts(&text, words_sentence(arena, report_title(report, item)));
    if (problem[0] != '\0')
        buf_printf(&text, " %s", words_sentence(arena, problem));
    if (solution[0] != '\0')
        buf_printf(&text, " Recommended change: %s", words_sentence(arena, solution));
    buf_printf(&text, " The whole specification: `forestall report issue %.*s`.",
               STR_ARG(find_short_id(report->published, item->record)));
    document_item(document, arena_str(arena, buf_str(&text)).p);
    buf_fini(&text);
}
