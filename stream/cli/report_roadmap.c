/* The roadmap: what is open, by the guide's themes, a quarter each. */
#include "cli/report_pages.h"
#include "cli/report_words.h"

const struct roadmap_theme roadmap_themes[ROADMAP_THEMES] = {
    {"foundation", "Quarter 1: Foundation", "Autoscaling, health checks, metrics, logs and traces"},
    {"resilience", "Quarter 2: Resilience", "High availability, circuit breakers, canary deployments"},
    {"quality", "Quarter 3: Quality", "Integration tests, chaos experiments, objectives and their alerts"},
    {"automation", "Quarter 4: Automation", "Automated remediation, failover between regions, self-healing"},
};

void report_roadmap(struct report *report, struct document *document)
{
    struct arena *arena = &report->arena;
    size_t open = 0;
    for (size_t i = 0; i < report->count; i++)
        open += report_is_work(&report->items[i]);
    document_heading(document, 1,
                     arena_printf(arena, "Reliability roadmap, as of %s", words_day(arena, report->published->now_ms)));
    document_paragraph(document, open == 0 ? "No recommendation is open, so the roadmap is empty."
                                           : arena_printf(arena, "%s %s open, each in the quarter of its theme.",
                                                          words_count(arena, open, "recommendation", "recommendations"),
                                                          open == 1 ? "is" : "are"));
    for (size_t k = 0; k < ROADMAP_THEMES; k++) {
        const struct roadmap_theme *theme = &roadmap_themes[k];
        const struct report_item **items = arena_alloc(arena, (report->count + 1) * sizeof *items);
        size_t count = 0;
        for (size_t i = 0; i < report->count; i++)
            if (report_is_work(&report->items[i]) &&
                str_is(published_text(report->items[i].record, "roadmap"), theme->name))
                items[count++] = &report->items[i];
        document_heading(document, 2, theme->heading);
        document_paragraph(document,
                           arena_printf(arena, "%s.%s", theme->aim, count == 0 ? " Nothing of this is open." : ""));
        if (count > 0)
            report_table(report, document, arena_printf(arena, "%s, by impact", theme->heading), items, count);
    }
}
