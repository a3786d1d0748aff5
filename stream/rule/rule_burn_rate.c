/* `type: burn_rate`. */
#include "rule/rule_load.h"

#include <math.h>

#define BURN_LONG_MS_MAX (INT64_C(30) * DAY_MS)

/* "Alerting on SLOs" in Google's SRE workbook, for an objective over 30 days: 2 % of the budget in an hour, 5 % in six,
 * 10 % in three days. */
static const struct burn_pair workbook_pairs[] = {
    {HOUR_MS, 5 * MINUTE_MS, 14.4}, {6 * HOUR_MS, 30 * MINUTE_MS, 6}, {3 * (int64_t)DAY_MS, 6 * HOUR_MS, 1}};

/* The number of the function among the rule's aggregates; -1 and an error where it is none. */
static int read_side(struct rule_build *build, const struct yaml_node *detect, const char *key)
{
    struct loader *loader = build->loader;
    const struct yaml_node *node = check_need(loader->diagnostics, detect, "detect", key);
    struct str text;
    if (!check_text(loader->diagnostics, node, key, &text))
        return -1;
    if (name_is_identifier(text) && map_get(&build->file->macros, text) == NULL) {
        if (rule_input_of(build, node, key) < 0)
            return -1;
        node = rule_text_node(build, node, str_of(arena_printf(loader->arena, "count(%.*s)", STR_ARG(text))));
    }
    struct scope scope;
    scope_init(&scope, build, SCOPE_OUTPUT);
    build->functions_detect = true;
    const struct cel *cel = scope_compile(&scope, node, key, TYPE_ANY);
    build->functions_detect = false;
    if (cel == NULL)
        return -1;
    int number = cel_is_slot(cel) - (int)rule_aggregate_slot(build->rule, 0);
    if (number >= 0 && build->aggregates[number].function < AGGREGATE_SHARE) /* the others are over one input */
        return number;
    diagnostic_at(loader->diagnostics, node, false,
                  "%s is an input, whose events count, or one function over an input, such as sum(requests)", key);
    return -1;
}

static void read_objective(struct rule_build *build, const struct yaml_node *detect, struct burn_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *node = check_need(diagnostics, detect, "detect", "objective");
    if (!check_double(diagnostics, node, "objective", &spec->objective))
        return;
    /* The double nearest to what is left of the decimal number: 1 - 0.9 is less than 0.1. */
    spec->budget = (1e15 - round(spec->objective * 1e15)) / 1e15;
    double percent = spec->objective > 1 && spec->objective < 100 ? spec->objective : 99.9;
    if (!(spec->objective > 0 && spec->budget > 0))
        diagnostic_at(
            diagnostics, node, false,
            "objective is the share that is to be good, more than 0 and less than 1; write %.12g for %.12g %%",
            percent / 100, percent);
}

/* One of a pair's windows; false and an error where it is missing or wrong. */
static bool read_window(struct diagnostics *diagnostics, const struct yaml_node *pair, const char *key, int64_t *ms)
{
    const struct yaml_node *node = check_need(diagnostics, pair, "a pair", key);
    if (!check_duration(diagnostics, node, key, ms))
        return false;
    if (*ms > 0 && *ms <= BURN_LONG_MS_MAX && *ms % MINUTE_MS == 0)
        return true;
    diagnostic_at(diagnostics, node, false, "%s must be whole minutes, from 1m to 30d", key);
    return false;
}

static void read_pair(struct diagnostics *diagnostics, const struct yaml_node *node, struct burn_pair *pair)
{
    static const char *const keys[] = {"long", "short", "factor", NULL};
    if (!check_mapping(diagnostics, node, "a pair", keys))
        return;
    const struct yaml_node *factor = check_need(diagnostics, node, "a pair", "factor");
    bool both = read_window(diagnostics, node, "long", &pair->long_ms);
    both &= read_window(diagnostics, node, "short", &pair->short_ms);
    if (both && pair->short_ms >= pair->long_ms)
        diagnostic_at(diagnostics, yaml_get(node, "short"), false, "short must be less than long");
    if (check_double(diagnostics, factor, "factor", &pair->factor) && pair->factor <= 0)
        diagnostic_at(diagnostics, factor, false,
                      "factor must be more than 0; at 1 the budget is used up just in time");
}

static void read_pairs(struct rule_build *build, const struct yaml_node *node, struct burn_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    spec->pairs = workbook_pairs;
    spec->pair_count = sizeof workbook_pairs / sizeof *workbook_pairs;
    if (node == NULL || !check_sequence(diagnostics, node, "pairs"))
        return;
    if (node->count == 0 || node->count > RULE_BURN_PAIRS_MAX) {
        diagnostic_at(diagnostics, node, false, "a burn rate has from 1 to %d pairs, not %zu", RULE_BURN_PAIRS_MAX,
                      node->count);
        return;
    }
    struct burn_pair *pairs = arena_zalloc(build->loader->arena, node->count * sizeof *pairs);
    for (size_t i = 0; i < node->count; i++)
        read_pair(diagnostics, node->items[i], &pairs[i]);
    spec->pairs = pairs;
    spec->pair_count = node->count;
}

/* It is evaluated each minute over all windows at once, so the rule's own is the longest. */
static void set_window(struct rule *rule, const struct burn_spec *spec)
{
    struct window *window = &rule->window;
    *window = (struct window){
        .kind = WINDOW_HOPPING, .slide_ms = MINUTE_MS, .pane_ms = MINUTE_MS, .least_ms = spec->pairs[0].long_ms};
    for (size_t i = 0; i < spec->pair_count; i++) {
        const struct burn_pair *pair = &spec->pairs[i];
        window->size_ms = pair->long_ms > window->size_ms ? pair->long_ms : window->size_ms;
        window->least_ms = pair->long_ms < window->least_ms ? pair->long_ms : window->least_ms;
    }
    rule->reach_ms = window->size_ms + 1; /* a window holds its start */
}

void rule_burn_rate_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct burn_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    /* First, since the functions' slots come behind them. */
    rule_output_add(build, STR_LIT("burn_long"), cel_type_of(VALUE_DOUBLE));
    rule_output_add(build, STR_LIT("burn_short"), cel_type_of(VALUE_DOUBLE));
    rule_output_add(build, STR_LIT("burn_factor"), cel_type_of(VALUE_DOUBLE));
    spec->bad_aggregate = read_side(build, detect, "bad");
    spec->all_aggregate = read_side(build, detect, "all");
    if (spec->bad_aggregate >= 0 && spec->bad_aggregate == spec->all_aggregate)
        diagnostic_at(build->loader->diagnostics, yaml_get(detect, "all"), false,
                      "'all' is the same as 'bad', so all would always be bad");
    read_objective(build, detect, spec);
    read_pairs(build, yaml_get(detect, "pairs"), spec);
    build->when_default = STR_LIT("burn_factor != null");
    build->rule->spec.burn = spec;
    set_window(build->rule, spec);
}
