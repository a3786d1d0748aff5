/* `forestall explain RECOMMENDATION_ID`: why it was made, and why it is what it is. The record holds what was seen; the
 * rule, where the configuration has it, says what that was held against. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/explain.h"
#include "cli/find.h"
#include "cli/load.h"
#include "cli/page.h"
#include "recommend/impact.h"

#define IMPACT_HIGH_USUAL   40.0
#define IMPACT_MEDIUM_USUAL 10.0

struct why {
    struct page page;
    struct arena *arena;
    const struct rule *rule; /* NULL: no configuration has it */
    bool changed;            /* since this version was made */
    double high;
    double medium;
    const char *when; /* of the rule; NULL: always, or not known */
    const char *means;
};

static void rule_find(struct why *why, const struct loaded *loaded)
{
    struct value record = why->page.record;
    why->high = loaded->config != NULL ? loaded->config->impact_high : IMPACT_HIGH_USUAL;
    why->medium = loaded->config != NULL ? loaded->config->impact_medium : IMPACT_MEDIUM_USUAL;
    if (loaded->rules != NULL)
        why->rule = ruleset_find(loaded->rules, published_text(record, "rule_id"));
    if (why->rule == NULL)
        return;
    const struct explanation e = {
        .arena = why->arena, .rule = why->rule, .rules = loaded->rules, .config = loaded->config, .configured = true};
    why->changed =
        !str_is(published_text(record, "rule_hash"), arena_printf(why->arena, "%016" PRIx64, why->rule->hash));
    if (why->rule->when == NULL)
        return;
    why->when = explain_canonical(&e, why->rule->when);
    why->means = explain_words(&e, why->rule->when, NULL);
}

/* Times to detect and resolve stand in fields of their own, not among the values. */
static const char *times_text(const struct why *why, const char *text)
{
    static const char *const names[] = {"mttd", "mttd_median", "mttr", "mttr_median"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *span = page_span(&why->page, names[i]);
        const char *at = why->when != NULL ? strstr(why->when, names[i]) : NULL;
        if (span != NULL && at != NULL && at[strlen(names[i])] != '_')
            text = arena_printf(why->arena, "%s%s%s = %s", text != NULL ? text : "", text != NULL ? ", " : "", names[i],
                                span);
    }
    return text;
}

/* "count(bad) = 12, mttr = 25m", of the newest evaluation that was true. */
static const char *values_text(const struct why *why)
{
    struct value values = published_value(why->page.record, "values");
    const char *text = NULL;
    for (uint32_t i = 0; values.type == VALUE_MAP && i < values.n; i++) {
        struct str name = value_as_str(values.items[(size_t)2 * i]);
        struct value v = values.items[(size_t)2 * i + 1];
        text = arena_printf(why->arena, "%s%s%.*s = %s", text != NULL ? text : "", text != NULL ? ", " : "",
                            STR_ARG(name), page_measure(&why->page, name, v));
    }
    return times_text(why, text);
}

static const char *group_text(const struct why *why)
{
    struct value group = published_value(why->page.record, "group");
    const char *text = NULL;
    for (uint32_t i = 0; group.type == VALUE_MAP && i < group.n; i++) {
        struct value v = group.items[(size_t)2 * i + 1];
        text = arena_printf(why->arena, "%s%s%.*s %.*s", text != NULL ? text : "", text != NULL ? ", " : "",
                            STR_ARG(value_as_str(group.items[(size_t)2 * i])),
                            STR_ARG(v.type == VALUE_STRING ? value_as_str(v) : STR_LIT("unknown")));
    }
    return text;
}

static void print_rule(const struct why *why)
{
    const struct page *page = &why->page;
    page_section("What fired");
    page_line(page, "rule",
              why->rule != NULL
                  ? arena_printf(why->arena, "%.*s  %s:%d", STR_ARG(why->rule->id), why->rule->file, why->rule->line)
                  : arena_printf(why->arena, "%.*s (no configuration here has it: its condition is not known)",
                                 STR_ARG(published_text(page->record, "rule_id"))));
    if (why->changed)
        page_line(page, "", "The rule was changed since: what follows is its text now.");
    if (why->rule != NULL && why->rule->description.n > 0)
        page_line(page, "", arena_str(why->arena, why->rule->description).p);
    page_line(page, "group", group_text(why));
    page_line(page, "when", why->when);
    page_line(page, "that is", why->means);
    page_line(page, "it was", values_text(why));
    page_numbers(page);
}

/* Distinct incidents of the evidence that opened in the 30 days before the version. */
static const char *incidents_text(const struct why *why)
{
    struct value evidence = published_value(why->page.record, "evidence");
    int64_t end_ms = published_time(why->page.record, "event_time");
    const char *text = NULL;
    for (uint32_t i = 0; evidence.type == VALUE_LIST && i < evidence.n; i++) {
        struct str id = published_text(evidence.items[i], "incident_id");
        int64_t at_ms = published_time(evidence.items[i], "occurred_at");
        bool again = id.n == 0 || at_ms <= end_ms - IMPACT_SPAN_MS;
        for (uint32_t j = 0; j < i && !again; j++)
            again = str_eq(id, published_text(evidence.items[j], "incident_id"));
        if (!again)
            text =
                arena_printf(why->arena, "%s%s%.*s", text != NULL ? text : "", text != NULL ? ", " : "", STR_ARG(id));
    }
    return text;
}

static const char *matrix_text(const struct why *why)
{
    const char *text = "";
    for (int level = IMPACT_HIGH; level >= IMPACT_LOW; level--) {
        const char *easy = impact_priority((enum impact_level)level, false);
        const char *hard = impact_priority((enum impact_level)level, true);
        bool same = strcmp(easy, hard) == 0;
        text = arena_printf(why->arena, "%s%s%s impact %s%s%s", text, *text != '\0' ? "; " : "",
                            impact_level_name((enum impact_level)level), easy, same ? "" : " or ", same ? "" : hard);
    }
    return arena_printf(why->arena, "%s, as the complexity is low or high", text);
}

static void print_priority(const struct why *why)
{
    const struct page *page = &why->page;
    struct value record = page->record;
    int64_t frequency = published_number(record, "frequency");
    bool incidents = published_number(record, "incidents") > 0;
    page_section("Why this priority");
    page_priority(page);
    page_line(page, "score",
              arena_printf(why->arena,
                           "%" PRId64 " = the sum of a weight for each of the %" PRId64
                           " %s in the 30 days to %s: sev1 "
                           "16, sev2 8, sev3 4, sev4 2, sev5 1",
                           published_number(record, "impact_score"), frequency,
                           incidents ? "distinct incidents that opened" : "days with a firing",
                           page_time(page, record, "event_time")));
    page_line(page, "incidents", incidents_text(why));
    page_line(page, "levels", arena_printf(why->arena, "medium from %g, high from %g", why->medium, why->high));
    page_line(page, "matrix", matrix_text(why));
}

static void print_page(const struct why *why)
{
    const struct page *page = &why->page;
    page_title(page);
    page_status(page);
    page_notes(page);
    print_rule(why);
    print_priority(why);
    page_validation(page);
    page_history(page);
    page_evidence(page);
}

/* The parts of the record that answer why, and the rule. */
static void print_json(const struct why *why)
{
    static const char *const parts[] = {"recommendation_id", "rule_id",    "rule_hash",  "group",    "status",
                                        "priority",          "impact",     "complexity", "severity", "impact_score",
                                        "frequency",         "detections", "firings",    "values",   "validation",
                                        "history",           "evidence",   "event_time"};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_printf(&out, "%s\n  \"%s\": ", i == 0 ? "{" : ",", parts[i]);
        value_json(&out, published_value(why->page.record, parts[i]));
    }
    buf_printf(&out, ",\n  \"levels\": {\"medium\":%g,\"high\":%g},\n  \"rule\": ", why->medium, why->high);
    if (why->rule == NULL) {
        buf_puts(&out, "null");
    } else {
        buf_puts(&out, "{\"file\":");
        value_json_string(&out, str_of(why->rule->file));
        buf_printf(&out, ",\"line\":%d,\"changed\":%s,\"when\":", why->rule->line, why->changed ? "true" : "false");
        value_json(&out, why->when != NULL ? value_text(why->when) : value_null());
        buf_byte(&out, '}');
    }
    buf_puts(&out, "\n}\n");
    (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
}

static int explain_of(const struct why_request *request, const struct loaded *loaded)
{
    const struct published_options options = {
        .config = loaded->config, .file = request->file, .only_recommendations = true};
    struct published published;
    struct error err = {0};
    if (published_read(&published, &options, &err) != 0) {
        (void)fprintf(stderr, "error: %s\n", err.message);
        return 1;
    }
    const struct value *record = find_recommendation(&published, request->id);
    if (record != NULL) {
        struct why why = {.arena = &published.arena};
        page_init(&why.page, &published, *record, why.arena);
        rule_find(&why, loaded);
        if (request->json)
            print_json(&why);
        else
            print_page(&why);
    }
    published_fini(&published);
    return record != NULL ? 0 : 1;
}

int explain_why(const struct why_request *request)
{
    struct loaded loaded = {0};
    struct stat info;
    const char *path = request->config_path;
    unsigned needs = CONFIG_NEED_RULES;
    if (request->file == NULL)
        needs |= CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES;
    if (path == NULL && (request->file == NULL || stat("forestall.yaml", &info) == 0))
        path = "forestall.yaml";
    if (path != NULL && !load(&loaded, path, needs))
        return 1;
    int status = explain_of(request, &loaded);
    loaded_free(&loaded);
    return status;
}
