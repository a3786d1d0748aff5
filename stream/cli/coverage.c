/* See coverage.h. */
#include "cli/coverage.h"

#include <stdlib.h>

#include "cli/table.h"
#include "rule/cel_cover.h"

struct covered_rule {
    const struct rule *rule;
    struct rule copy;
    struct scorecard scorecard; /* the copy's, where it is one */
    struct cel_coverage when;   /* of a scorecard its target; no parts where the rule has none */
    size_t tests;
    size_t fired; /* tests in which it did */
};

struct coverage {
    struct arena arena;
    struct covered_rule *rules;
    size_t count;
};

struct coverage *coverage_new(const struct ruleset *rules)
{
    struct coverage *coverage = mem_zalloc(sizeof *coverage);
    coverage->count = rules->count;
    coverage->rules = arena_zalloc(&coverage->arena, (rules->count + 1) * sizeof *coverage->rules);
    for (size_t i = 0; i < rules->count; i++) {
        struct covered_rule *covered = &coverage->rules[i];
        covered->rule = &rules->rules[i];
        covered->copy = rules->rules[i];
        if (covered->rule->when != NULL)
            covered->copy.when = cel_cover(&coverage->arena, covered->rule->when, &covered->when);
        if (covered->rule->scorecard == NULL)
            continue;
        covered->scorecard = *covered->rule->scorecard;
        covered->copy.scorecard = &covered->scorecard;
        if (covered->scorecard.target != NULL)
            covered->scorecard.target = cel_cover(&coverage->arena, covered->scorecard.target, &covered->when);
    }
    return coverage;
}

void coverage_free(struct coverage *coverage)
{
    if (coverage == NULL)
        return;
    arena_fini(&coverage->arena);
    free(coverage);
}

const struct rule *coverage_rule(const struct coverage *coverage, size_t rule)
{
    ASSERT(rule < coverage->count);
    return &coverage->rules[rule].copy;
}

void coverage_test(struct coverage *coverage, size_t rule, bool fired)
{
    ASSERT(rule < coverage->count);
    coverage->rules[rule].tests++;
    coverage->rules[rule].fired += fired;
}

static size_t branches_seen(const struct covered_rule *covered)
{
    size_t seen = 0;
    for (size_t i = 0; i < covered->when.count; i++)
        seen += (covered->when.parts[i].held > 0) + (covered->when.parts[i].failed > 0);
    return seen;
}

static void add_row(struct table *table, const struct covered_rule *covered)
{
    char tests[24];
    char fired[24];
    char branches[48] = "-";
    (void)snprintf(tests, sizeof tests, "%zu", covered->tests);
    (void)snprintf(fired, sizeof fired, "%zu", covered->fired);
    if (covered->when.count > 0)
        (void)snprintf(branches, sizeof branches, "%zu/%zu", branches_seen(covered), 2 * covered->when.count);
    const struct str cells[] = {covered->rule->id, str_of(tests), str_of(fired), str_of(branches)};
    table_row(table, cells);
    if (covered->fired == 0)
        table_paint(table, 2, TABLE_YELLOW);
    if (branches_seen(covered) < 2 * covered->when.count)
        table_paint(table, 3, TABLE_YELLOW);
}

/* Where nothing was evaluated the rule's place says more than that of each part. */
static void print_unseen(const struct covered_rule *covered, FILE *out)
{
    bool scores = covered->rule->scorecard != NULL;
    const struct yaml_node *when =
        scores ? yaml_get(covered->rule->node, "target") : yaml_get(yaml_get(covered->rule->node, "detect"), "when");
    if (when == NULL) /* a default of the detector's */
        when = covered->rule->node;
    if (covered->when.count == 0)
        return;
    if (branches_seen(covered) == 0) {
        (void)fprintf(out, "%s:%d:%d: '%s' was never evaluated\n", when->file, when->line, when->column,
                      scores ? "target" : "when");
        return;
    }
    for (size_t i = 0; i < covered->when.count; i++) {
        const struct cel_part *part = &covered->when.parts[i];
        int line;
        int column;
        if (part->held > 0 && part->failed > 0)
            continue;
        yaml_place(when, part->offset, &line, &column);
        (void)fprintf(out, "%s:%d:%d: %.*s was never %s\n", when->file, line, column, STR_ARG(part->text),
                      part->held > 0     ? "false"
                      : part->failed > 0 ? "true"
                                         : "reached");
    }
}

static void print_sums(const struct coverage *coverage, bool all, FILE *out)
{
    size_t rules = 0;
    size_t fired = 0;
    size_t branches = 0;
    size_t seen = 0;
    for (size_t i = 0; i < coverage->count; i++) {
        const struct covered_rule *covered = &coverage->rules[i];
        if (!all && covered->tests == 0)
            continue;
        rules++;
        fired += covered->fired > 0;
        branches += 2 * covered->when.count;
        seen += branches_seen(covered);
    }
    (void)fprintf(out, "%zu of %zu rules fire in a test; %zu of %zu branches of conditions are seen", fired, rules,
                  seen, branches);
    if (branches > 0)
        (void)fprintf(out, ", %zu %%", 100 * seen / branches);
    (void)fputc('\n', out);
}

void coverage_print(const struct coverage *coverage, bool all, FILE *out)
{
    static const struct table_column columns[] = {
        {"rule", false, true}, {"tests", true, false}, {"fired", true, false}, {"branches", true, false}};
    struct table *table = table_new(columns, 4);
    for (size_t i = 0; i < coverage->count; i++)
        if (all || coverage->rules[i].tests > 0)
            add_row(table, &coverage->rules[i]);
    (void)fputc('\n', out);
    table_print(table, out, table_width(out));
    table_free(table);
    for (size_t i = 0; i < coverage->count; i++)
        if (all || coverage->rules[i].tests > 0)
            print_unseen(&coverage->rules[i], out);
    print_sums(coverage, all, out);
}
