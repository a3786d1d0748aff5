/* What is said of `validate`: what is compared, and what is kept for it. */
#include "cli/explain.h"

static const char *measure_text(const struct explanation *e, const struct measure *measure)
{
    const char *met = explain_canonical(e, measure->met);
    if (measure->kind != MEASURE_VALUE)
        return arena_printf(e->arena, "It is met if %s.", met);
    return arena_printf(e->arena, "%s is met if %s.", explain_canonical(e, measure->value), met);
}

static void explain_measures(struct explanation *e, const struct validation *validation)
{
    for (size_t i = 0; i < validation->measure_count; i++) {
        const struct measure *measure = &validation->measures[i];
        const char *name = arena_str(e->arena, measure->name).p;
        explain_labelled(e, "validation", name, value_text(explain_canonical(e, measure->met)),
                         measure_text(e, measure));
    }
}

static const char *kept_text(const struct explanation *e)
{
    const struct rule *history = e->rule->history;
    const char *most = explain_number(e, e->config->window_events_max);
    if (history == NULL)
        return "What is compared are the rows that contributed, and the days with detections.";
    return arena_printf(e->arena,
                        "For it each recommendation's rows and single events of the last %s are kept, at most %s "
                        "(limits.window_events), and of what folds one pane a day.",
                        explain_span(e, history->spec.history->keep_ms), most);
}

void explain_validation(struct explanation *e)
{
    const struct validation *validation = e->rule->validation;
    if (validation == NULL || e->rule->recommend == NULL)
        return;
    bool written = yaml_get(e->rule->node, "validate") != NULL;
    const char *before = explain_span(e, validation->before_days * DAY_MS);
    const char *after = explain_span(e, validation->after_days * DAY_MS);
    explain_add(e, "validation", "before", value_text(before),
                arena_printf(e->arena,
                             "%sThe %s before the day on which a recommendation is implemented are compared with the "
                             "%s after it, whole days of UTC.",
                             written ? "" : "By default: ", before, after));
    explain_add(e, "validation", "after", value_text(after), NULL);
    explain_add(e, "validation", "min_before", value_int(validation->min_before),
                validation->min_before == 0
                    ? "Whatever there was before, it is judged."
                    : arena_printf(e->arena, "It is inconclusive with fewer than %s incidents before%s.",
                                   explain_number(e, validation->min_before),
                                   e->rule->reads_incidents ? "" : " (here: events, or detections)"));
    explain_measures(e, validation);
    explain_add(e, "validation", NULL, value_null(), kept_text(e));
}
