/* The figures of reports for programs. Names are stable; what is not known is null; times are ISO 8601, spans
 * milliseconds. */
#include <math.h>

#include "cli/report_pages.h"
#include "cli/report_words.h"

/* Begins a member: a comma where one is due, and its name. */
static void put_name(struct buf *out, const char *name)
{
    if (out->len > 0 && strchr("{[", out->p[out->len - 1]) == NULL)
        buf_byte(out, ',');
    if (name == NULL)
        return;
    value_json_string(out, str_of(name));
    buf_byte(out, ':');
}

static void put(struct buf *out, const char *name, struct value v)
{
    put_name(out, name);
    value_json(out, v);
}

static void put_time(struct buf *out, const char *name, int64_t ms)
{
    put(out, name, ms == INT64_MIN || ms == INT64_MAX ? value_null() : value_time_ms(ms));
}

static void put_number(struct buf *out, const char *name, double n)
{
    put(out, name, isfinite(n) ? value_double(n) : value_null());
}

static void begin(struct buf *out, const char *name, char bracket)
{
    put_name(out, name);
    buf_byte(out, (uint8_t)bracket);
}

static void end(struct buf *out, char bracket)
{
    buf_byte(out, (uint8_t)bracket);
}

static void copy(struct buf *out, const char *name, struct value record)
{
    put(out, name, published_value(record, name));
}

static void put_item(struct buf *out, const struct report_item *item)
{
    static const char *const copied[] = {"recommendation_id", "rule_id", "title", "status", "category", "priority"};
    static const char *const counted[] = {"complexity", "roadmap", "services",     "incidents", "occurrences",
                                          "mttd",       "mttr",    "minutes_lost", "last_seen"};
    struct value spec = published_value(item->record, "spec");
    begin(out, NULL, '{');
    put(out, "rank", item->rank > 0 ? value_int((int64_t)item->rank) : value_null());
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        copy(out, copied[i], item->record);
    put(out, "action", value_text(report_action(item->priority)));
    put_number(out, "impact_score", item->impact);
    copy(out, "impact", item->record);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        copy(out, counted[i], item->record);
    copy(out, "effort", spec);
    copy(out, "problem", spec);
    copy(out, "solution", spec);
    put_time(out, "proposed_at", item->created_ms);
    put(out, "new", value_bool(item->is_new));
    put(out, "back", value_bool(item->is_back));
    put_number(out, "impact_score_before", item->rose ? item->earlier_impact : NAN);
    end(out, '}');
}

static void put_id(struct buf *out, const struct report_item *item)
{
    put(out, NULL, published_value(item->record, "recommendation_id"));
}

static void put_head(const struct report *report, const char *kind, struct buf *out)
{
    begin(out, NULL, '{');
    put(out, "kind", value_text(kind));
    put_time(out, "since", report->since_ms);
    put_time(out, "until", report->published->now_ms);
}

static void put_sums(struct report *report, enum report_by by, struct buf *out)
{
    struct report_sum *sums;
    size_t count = report_sums(report, by, &sums);
    begin(out, by == REPORT_BY_SERVICE ? "by_service" : "by_category", '[');
    for (size_t i = 0; i < count; i++) {
        begin(out, NULL, '{');
        put(out, by == REPORT_BY_SERVICE ? "service" : "category",
            sums[i].name.n > 0 ? value_str(sums[i].name) : value_null());
        put(out, "open", value_int((int64_t)sums[i].open));
        put_number(out, "impact_score", sums[i].impact);
        put(out, "first", published_value(sums[i].first->record, "recommendation_id"));
        end(out, '}');
    }
    end(out, ']');
}

static void put_priorities(const struct report *report, struct buf *out)
{
    begin(out, "by_priority", '[');
    for (size_t priority = 0; priority < PRIORITIES; priority++) {
        begin(out, NULL, '{');
        put(out, "priority", value_text(report_priority(priority)));
        put(out, "action", value_text(report_action(priority)));
        begin(out, "recommendations", '[');
        for (size_t i = 0; i < report->count; i++)
            if (report_is_work(&report->items[i]) && report->items[i].priority == priority)
                put_id(out, &report->items[i]);
        end(out, ']');
        end(out, '}');
    }
    end(out, ']');
}

static void put_validation(const struct report *report, const struct report_item *item, struct buf *out)
{
    struct value validation = published_value(item->record, "validation");
    int64_t gone;
    int64_t all;
    bool begun = report_days(report, item, &gone, &all);
    begin(out, NULL, '{');
    copy(out, "recommendation_id", item->record);
    copy(out, "title", item->record);
    copy(out, "status", item->record);
    copy(out, "state", validation);
    copy(out, "implemented_at", validation);
    put(out, "days_gone", begun ? value_int(gone) : value_null());
    put(out, "days", begun ? value_int(all) : value_null());
    copy(out, "measures", validation);
    end(out, '}');
}

static void put_validations(const struct report *report, struct buf *out)
{
    begin(out, "validating", '[');
    for (size_t i = 0; i < report->count; i++)
        if (report_running(&report->items[i]))
            put_validation(report, &report->items[i], out);
    end(out, ']');
    begin(out, "decided", '[');
    for (size_t i = 0; i < report->count; i++)
        if (report_decided(report, &report->items[i]))
            put_validation(report, &report->items[i], out);
    end(out, ']');
}

static void put_scorecards(const struct report *report, const struct question *question, struct buf *out)
{
    begin(out, "scorecards", '[');
    for (size_t i = 0; i < report->published->scorecard_count; i++)
        if (report_scorecard_of(report->published->scorecards[i], question))
            put(out, NULL, report->published->scorecards[i]);
    end(out, ']');
}

static void put_decisions(struct report *report, struct buf *out)
{
    struct decision *decisions;
    size_t count = report_decisions(report, &decisions);
    begin(out, "decisions", '[');
    for (size_t i = 0; i < count; i++) {
        begin(out, NULL, '{');
        copy(out, "recommendation_id", decisions[i].item->record);
        copy(out, "title", decisions[i].item->record);
        copy(out, "at", decisions[i].change);
        copy(out, "from", decisions[i].change);
        copy(out, "to", decisions[i].change);
        copy(out, "actor", decisions[i].change);
        copy(out, "comment", decisions[i].change);
        end(out, '}');
    }
    end(out, ']');
}

static void put_growths(struct report *report, struct buf *out)
{
    struct growth *growths;
    size_t count = report_growths(report, &growths);
    begin(out, "capacity", '[');
    for (size_t i = 0; i < count; i++) {
        begin(out, NULL, '{');
        copy(out, "recommendation_id", growths[i].item->record);
        copy(out, "services", growths[i].item->record);
        put(out, "title", value_text(growths[i].title));
        put_number(out, "current", growths[i].current);
        put_number(out, "growth_a_week", growths[i].week);
        put_time(out, "seen_at", growths[i].seen_ms);
        put_time(out, "reached_at", growths[i].reached_ms);
        end(out, '}');
    }
    end(out, ']');
}

void report_review_json(struct report *report, struct buf *out)
{
    const char *sentences[SUMMARY_MAX];
    size_t n = report_summary(report, sentences);
    put_head(report, "review", out);
    begin(out, "summary", '[');
    for (size_t i = 0; i < n; i++)
        put(out, NULL, value_text(sentences[i]));
    end(out, ']');
    begin(out, "recommendations", '[');
    for (size_t i = 0; i < report->count; i++)
        if (report_is_work(&report->items[i]))
            put_item(out, &report->items[i]);
    end(out, ']');
    begin(out, "new", '[');
    for (size_t i = 0; i < report->count; i++)
        if (report_is_work(&report->items[i]) && (report->items[i].is_new || report->items[i].is_back))
            put_id(out, &report->items[i]);
    end(out, ']');
    if (report->knows_earlier) {
        begin(out, "rising", '[');
        for (size_t i = 0; i < report->count; i++)
            if (report->items[i].rose)
                put_id(out, &report->items[i]);
        end(out, ']');
    } else {
        put(out, "rising", value_null());
    }
    put_decisions(report, out);
    put_priorities(report, out);
    put_sums(report, REPORT_BY_SERVICE, out);
    put_sums(report, REPORT_BY_CATEGORY, out);
    put_validations(report, out);
    put_scorecards(report, NULL, out);
    put_growths(report, out);
    end(out, '}');
    buf_byte(out, '\n');
}

void report_roadmap_json(struct report *report, struct buf *out)
{
    put_head(report, "roadmap", out);
    begin(out, "themes", '[');
    for (size_t k = 0; k < ROADMAP_THEMES; k++) {
        begin(out, NULL, '{');
        put(out, "roadmap", value_text(roadmap_themes[k].name));
        put(out, "quarter", value_int((int64_t)k + 1));
        begin(out, "recommendations", '[');
        for (size_t i = 0; i < report->count; i++)
            if (report_is_work(&report->items[i]) &&
                str_is(published_text(report->items[i].record, "roadmap"), roadmap_themes[k].name))
                put_item(out, &report->items[i]);
        end(out, ']');
        end(out, '}');
    }
    end(out, ']');
    end(out, '}');
    buf_byte(out, '\n');
}

void report_question_json(struct report *report, const struct question *question, struct buf *out)
{
    put_head(report, question->name, out);
    put(out, "looked_at", value_text(question->looks_at));
    begin(out, "parts", '[');
    for (size_t k = 0; k < QUESTION_PARTS_MAX && question->parts[k].heading != NULL; k++) {
        const struct report_item **found;
        struct question_rest rest;
        size_t count = question_found(report, question, &question->parts[k], &found, &rest);
        begin(out, NULL, '{');
        put(out, "heading", value_text(question->parts[k].heading));
        put(out, "older", value_int((int64_t)rest.older));
        put(out, "settled", value_int((int64_t)rest.settled));
        begin(out, "recommendations", '[');
        for (size_t i = 0; i < count; i++)
            put_item(out, found[i]);
        end(out, ']');
        end(out, '}');
    }
    end(out, ']');
    if (strcmp(question->name, "capacity") == 0)
        put_growths(report, out);
    if (question->scorecards[0] != NULL)
        put_scorecards(report, question, out);
    end(out, '}');
    buf_byte(out, '\n');
}
