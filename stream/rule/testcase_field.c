/* What an expectation may say of a field: a text that can be no value of it is a mistake. */
#include "rule/testcase_load.h"

#include <stdlib.h>

enum expected_kind {
    EXPECTED_NUMBER,
    EXPECTED_LENGTH,
    EXPECTED_INSTANT,
    EXPECTED_SYMBOL,
    EXPECTED_ITEMS,
    EXPECTED_MEMBERS
};

static const char *const statuses[] = {"proposed",   "accepted",  "in_progress", "implemented",
                                       "validating", "validated", "ineffective", "dismissed",
                                       "superseded", "reopened",  NULL};
static const char *const priorities[] = {"P0", "P1", "P2", "P3", "P4", NULL};
static const char *const levels[] = {"low", "medium", "high", NULL};
static const char *const severities[] = {"sev1", "sev2", "sev3", "sev4", "sev5", NULL};
static const char *const trends[] = {"up", "down", "flat", NULL};
static const char *const truths[] = {"true", "false", NULL};

/* Those that are not listed are texts, or of the rule's own kind. */
static const struct {
    const char *name;
    enum expected_kind kind;
    const char *const *symbols;
} fields[] = {
    {"version", EXPECTED_NUMBER, NULL},
    {"life_version", EXPECTED_NUMBER, NULL},
    {"status", EXPECTED_SYMBOL, statuses},
    {"category", EXPECTED_SYMBOL, category_names},
    {"group", EXPECTED_MEMBERS, NULL},
    {"services", EXPECTED_ITEMS, NULL},
    {"priority", EXPECTED_SYMBOL, priorities},
    {"impact_score", EXPECTED_NUMBER, NULL},
    {"impact", EXPECTED_SYMBOL, levels},
    {"complexity", EXPECTED_SYMBOL, levels},
    {"roadmap", EXPECTED_SYMBOL, roadmap_names},
    {"severity", EXPECTED_SYMBOL, severities},
    {"frequency", EXPECTED_NUMBER, NULL},
    {"detections", EXPECTED_NUMBER, NULL},
    {"firings", EXPECTED_NUMBER, NULL},
    {"occurrences", EXPECTED_NUMBER, NULL},
    {"incidents", EXPECTED_NUMBER, NULL},
    {"first_seen", EXPECTED_INSTANT, NULL},
    {"last_seen", EXPECTED_INSTANT, NULL},
    {"mttd", EXPECTED_LENGTH, NULL},
    {"mttd_median", EXPECTED_LENGTH, NULL},
    {"mttr", EXPECTED_LENGTH, NULL},
    {"mttr_median", EXPECTED_LENGTH, NULL},
    {"minutes_lost", EXPECTED_NUMBER, NULL},
    {"estimated_benefit", EXPECTED_MEMBERS, NULL},
    {"evidence", EXPECTED_ITEMS, NULL},
    {"code_refs", EXPECTED_ITEMS, NULL},
    {"root_causes", EXPECTED_ITEMS, NULL},
    {"components", EXPECTED_ITEMS, NULL},
    {"values", EXPECTED_MEMBERS, NULL},
    {"spec", EXPECTED_MEMBERS, NULL},
    {"validation", EXPECTED_MEMBERS, NULL},
    {"history", EXPECTED_ITEMS, NULL},
    {"supersedes", EXPECTED_ITEMS, NULL},
    {"notes", EXPECTED_ITEMS, NULL},
    {"event_time", EXPECTED_INSTANT, NULL},
    {"value", EXPECTED_LENGTH, NULL},
    {"previous", EXPECTED_LENGTH, NULL},
    {"change", EXPECTED_NUMBER, NULL},
    {"trend", EXPECTED_SYMBOL, trends},
    {"target_met", EXPECTED_SYMBOL, truths},
    {"window_from", EXPECTED_INSTANT, NULL},
    {"window_to", EXPECTED_INSTANT, NULL},
};

static bool is_number(struct str text)
{
    char copy[64];
    char *end = copy;
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    (void)strtod(copy, &end);
    return *end == '\0';
}

static void check_scalar(struct diagnostics *diagnostics, const struct yaml_node *node, const char *name,
                         enum expected_kind kind)
{
    int64_t ms;
    if (node->kind != YAML_SCALAR)
        diagnostic_at(diagnostics, node, NULL, "%s is %s, not a %s", name,
                      kind == EXPECTED_INSTANT  ? "a time"
                      : kind == EXPECTED_LENGTH ? "a number or a duration"
                                                : "a number",
                      node->kind == YAML_SEQUENCE ? "list" : "mapping");
    else if (kind == EXPECTED_NUMBER && !is_number(node->text))
        diagnostic_at(diagnostics, node, NULL, "%s is a number, and '%.*s' is none", name, STR_ARG(node->text));
    else if (kind == EXPECTED_LENGTH && !is_number(node->text) && !duration_parse(node->text, &ms))
        diagnostic_at(diagnostics, node, NULL, "%s is a duration such as 25m, or a number, and '%.*s' is neither", name,
                      STR_ARG(node->text));
    else if (kind == EXPECTED_INSTANT && !duration_parse(node->text, &ms) && !time_parse_ms(node->text, &ms))
        diagnostic_at(
            diagnostics, node, NULL,
            "%s is a time, since the test's beginning such as 1d12h or as 2024-01-02T00:00:00Z, and '%.*s' is "
            "none",
            name, STR_ARG(node->text));
}

void test_field_check(struct test_load *load, const struct yaml_node *key, const struct yaml_node *node)
{
    struct diagnostics *diagnostics = load->diagnostics;
    size_t i = 0;
    while (i < sizeof fields / sizeof *fields && !str_is(key->text, fields[i].name))
        i++;
    if (i == sizeof fields / sizeof *fields || yaml_is_null(node))
        return;
    if (fields[i].kind == EXPECTED_SYMBOL)
        (void)check_symbol(diagnostics, node, fields[i].name, fields[i].symbols);
    else if (fields[i].kind == EXPECTED_ITEMS)
        (void)check_sequence(diagnostics, node, fields[i].name);
    else if (fields[i].kind == EXPECTED_MEMBERS)
        (void)check_map(diagnostics, node, fields[i].name);
    else
        check_scalar(diagnostics, node, fields[i].name, fields[i].kind);
}
