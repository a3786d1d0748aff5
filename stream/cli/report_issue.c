/* A recommendation as an issue for a tracker: the sections that the guide asks for, and what they rest on. */
#include <math.h>

#include "cli/explain.h"
#include "cli/report_pages.h"
#include "cli/report_words.h"

enum { EVIDENCE_SHOWN = 20 };

typedef void put_fn(struct document *document, const char *text);

/* A list of texts under a heading; a sentence where it is empty. */
static void put_list(struct report *report, struct document *document, const char *heading, struct value list,
                     put_fn *put, const char *none)
{
    document_heading(document, 2, heading);
    if (list.type != VALUE_LIST || list.n == 0) {
        document_paragraph(document, none);
        return;
    }
    for (uint32_t i = 0; i < list.n; i++)
        if (list.items[i].type == VALUE_STRING)
            put(document, words_text(&report->arena, value_as_str(list.items[i])));
}

static void put_text(struct report *report, struct document *document, const char *heading, struct str text,
                     const char *none)
{
    const char *words = words_text(&report->arena, text);
    document_heading(document, 2, heading);
    document_paragraph(document, words[0] == '\0' ? none : words_sentence(&report->arena, words));
}

/* The figures in words: how often, how bad, how long. */
static void put_figures(struct report *report, struct document *document, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    struct value record = item->record;
    struct value benefit = published_value(record, "estimated_benefit");
    double incidents = words_double(record, "incidents", 0);
    double lost = words_double(benefit, "minutes_per_30d", 0);
    double saved = words_double(benefit, "incidents_per_30d", 0);
    const char *severity = words_text(arena, published_text(record, "severity"));
    document_item(document,
                  arena_printf(arena, "Priority %s (%s), impact score %s (%s), complexity %s%s%s.",
                               report_priority(item->priority), report_action(item->priority),
                               words_number(arena, item->impact), words_name(arena, published_text(record, "impact")),
                               words_name(arena, published_text(record, "complexity")),
                               severity[0] != '\0' ? ", worst severity " : "", severity));
    document_item(document, arena_printf(arena, "Services: %s.", report_services(report, item)));
    document_item(
        document,
        arena_printf(arena, "Seen from %s to %s, %s.", words_day(arena, published_time(record, "first_seen")),
                     words_day(arena, published_time(record, "last_seen")),
                     words_count(arena, (size_t)published_number(record, "occurrences"), "occurrence", "occurrences")));
    if (incidents > 0) {
        const char *mttr = words_span_of(arena, record, "mttr");
        const char *mttd = words_span_of(arena, record, "mttd");
        document_item(document,
                      arena_printf(arena, "%s%s%s%s%s.", words_count(arena, (size_t)incidents, "incident", "incidents"),
                                   mttd[0] == '-' ? "" : ", mean time to detect ", mttd[0] == '-' ? "" : mttd,
                                   mttr[0] == '-' ? "" : ", mean time to resolve ", mttr[0] == '-' ? "" : mttr));
    }
    if (saved > 0)
        document_item(document, arena_printf(arena, "Would have saved up to %s and %s minutes in the last 30 days.",
                                             words_count(arena, (size_t)saved, "incident", "incidents"),
                                             words_number(arena, round(lost))));
}

static void put_code(struct report *report, struct document *document, struct value code)
{
    document_heading(document, 2, "Code samples");
    if (code.type != VALUE_LIST || code.n == 0) {
        document_paragraph(document, "The rule has no code sample.");
        return;
    }
    for (uint32_t i = 0; i < code.n; i++) {
        struct str path = published_text(code.items[i], "path");
        if (path.n > 0)
            document_paragraph(document, arena_printf(&report->arena, "`%.*s`:", STR_ARG(path)));
        document_code(document, published_text(code.items[i], "language"), published_text(code.items[i], "text"));
    }
}

static void put_tallies(struct report *report, struct document *document, struct value list, const char *name,
                        const char *what)
{
    struct buf text = {0};
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++)
        buf_printf(&text, "%s`%.*s` (%lld)", text.len > 0 ? ", " : "", STR_ARG(published_text(list.items[i], name)),
                   (long long)published_number(list.items[i], "count"));
    if (text.len > 0)
        document_item(document, arena_printf(&report->arena, "%s: %.*s.", what, STR_ARG(buf_str(&text))));
    buf_fini(&text);
}

static void put_evidence(struct report *report, struct document *document, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    struct value evidence = published_value(item->record, "evidence");
    document_heading(document, 2, "Evidence");
    put_figures(report, document, item);
    put_tallies(report, document, published_value(item->record, "root_causes"), "cause", "Root causes, by events");
    put_tallies(report, document, published_value(item->record, "components"), "component", "Components");
    put_tallies(report, document, published_value(item->record, "code_refs"), "path", "Code");
    for (uint32_t i = 0; evidence.type == VALUE_LIST && i < evidence.n && i < EVIDENCE_SHOWN; i++) {
        struct value event = evidence.items[i];
        struct str incident = published_text(event, "incident_id");
        const char *summary = words_text(arena, published_text(event, "summary"));
        const char *id = words_text(arena, incident.n > 0 ? incident : published_text(event, "event_id"));
        const char *service = words_text(arena, published_text(event, "service"));
        document_item(document,
                      arena_printf(arena, "%s%s%s%s%s%s%s", words_day(arena, published_time(event, "occurred_at")),
                                   service[0] != '\0' ? ", " : "", service, id[0] != '\0' ? ", " : "", id,
                                   summary[0] != '\0' ? ": " : "", summary));
    }
    document_paragraph(document, arena_printf(arena, "Recommendation `%.*s`, by the rule `%.*s`.",
                                              STR_ARG(published_text(item->record, "recommendation_id")),
                                              STR_ARG(published_text(item->record, "rule_id"))));
}

/* What will be compared, as the rule has it. */
static void put_rule_measures(struct report *report, struct document *document, const struct rule *rule)
{
    struct arena *arena = &report->arena;
    const struct validation *validation = rule->validation;
    const struct explanation e = {.arena = arena, .rule = rule, .rules = report->rules};
    document_paragraph(document,
                       arena_printf(arena,
                                    "The %s before the day of the change are compared with the %s after it, if there "
                                    "were at least %lld incidents (or events, where the rule sees none) before:",
                                    words_count(arena, (size_t)validation->before_days, "day", "days"),
                                    words_count(arena, (size_t)validation->after_days, "day", "days"),
                                    (long long)validation->min_before));
    for (size_t i = 0; i < validation->measure_count; i++) {
        const struct measure *measure = &validation->measures[i];
        const char *value = measure->kind == MEASURE_VALUE
                                ? arena_printf(arena, ", which is `%s`", explain_canonical(&e, measure->value))
                                : "";
        document_item(document, arena_printf(arena, "%s%s: met if `%s`.", words_name(arena, measure->name), value,
                                             explain_canonical(&e, measure->met)));
    }
}

/* Of one that is implemented: what came of it so far. */
static void put_measured(struct report *report, struct document *document, struct value validation)
{
    struct arena *arena = &report->arena;
    struct value measures = published_value(validation, "measures");
    struct str state = published_text(validation, "state");
    document_paragraph(document, arena_printf(arena, "Implemented on %s; the comparison of before and after is %s.",
                                              words_day(arena, published_time(validation, "implemented_at")),
                                              str_is(state, "validated")     ? "over: it helped"
                                              : str_is(state, "ineffective") ? "over: it did not help enough"
                                              : str_is(state, "running")     ? "running"
                                              : str_is(state, "none") ? "not made, since its rule measures nothing"
                                                                      : "over: there was too little to compare"));
    for (uint32_t i = 0; measures.type == VALUE_LIST && i < measures.n; i++)
        document_item(document, report_measure(report, measures.items[i]));
}

static void put_validation(struct report *report, struct document *document, const struct report_item *item)
{
    struct arena *arena = &report->arena;
    struct str rule_id = published_text(item->record, "rule_id");
    struct value validation = published_value(item->record, "validation");
    const struct rule *rule = report->rules != NULL ? ruleset_find(report->rules, rule_id) : NULL;
    document_heading(document, 2, "Validation");
    if (item->stage != STAGE_OPEN && published_time(validation, "implemented_at") != INT64_MIN) {
        put_measured(report, document, validation);
        return;
    }
    document_paragraph(document,
                       arena_printf(arena,
                                    "When it is in production, tell Forestall: `forestall recommendations implement "
                                    "%.*s`.",
                                    STR_ARG(published_text(item->record, "recommendation_id"))));
    if (rule != NULL && rule->validation == NULL) {
        document_paragraph(document, "Its rule measures nothing: it stays implemented, without a verdict.");
        return;
    }
    document_paragraph(document, "From the next midnight (UTC) whole days after the change are compared with those "
                                 "before it, and the recommendation becomes validated or ineffective.");
    if (rule != NULL)
        put_rule_measures(report, document, rule);
    else
        document_paragraph(document, arena_printf(arena,
                                                  "What is measured the recommendation tells from then on; now it "
                                                  "stands in the rule `%.*s` under `validate` (a rule over incidents "
                                                  "without it expects a fifth fewer in 30 days).",
                                                  STR_ARG(rule_id)));
}

void report_issue(struct report *report, const struct report_item *item, struct document *document)
{
    struct value spec = published_value(item->record, "spec");
    document_heading(document, 1, report_title(report, item));
    put_text(report, document, "Problem statement", published_text(spec, "problem"), "The rule does not say.");
    put_text(report, document, "Proposed solution", published_text(spec, "solution"), "The rule does not say.");
    put_list(report, document, "Implementation plan", published_value(spec, "implementation"), document_step,
             "The rule names no steps; they are to be worked out from the solution.");
    put_list(report, document, "Testing approach", published_value(spec, "testing"), document_item,
             "The rule names no tests; they are to be worked out.");
    put_list(report, document, "Rollout plan", published_value(spec, "rollout"), document_step,
             "The rule names no rollout; the usual one will do.");
    put_text(report, document, "Effort", published_text(spec, "effort"), "It was not estimated.");
    put_list(report, document, "Dependencies", published_value(spec, "dependencies"), document_item,
             "It depends on nothing else.");
    put_code(report, document, published_value(spec, "code"));
    put_evidence(report, document, item);
    put_validation(report, document, item);
    struct value references = published_value(spec, "references");
    if (references.type == VALUE_LIST && references.n > 0)
        put_list(report, document, "References", references, document_item, "");
}
