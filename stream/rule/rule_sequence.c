/* `sequence`: an ordered pattern of events. Its steps one by one are read in rule_step.c. */
#include "rule/rule_step.h"

#include <stdlib.h>

static const int64_t WITHIN_MS_MAX = INT64_C(3660) * DAY_MS;

static void wrong(const struct rule_build *build, const struct yaml_node *node, const char *what)
{
    diagnostic_at(build->loader->diagnostics, node, NULL, "%s", what);
}

/* A duration that may be missing (0), else more than nothing. */
static int64_t read_span(struct rule_build *build, const struct yaml_node *detect, const char *key)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *node = yaml_get(detect, key);
    int64_t ms = 0;
    if (!check_duration(diagnostics, node, key, &ms))
        return 0;
    if (ms > 0 && ms <= WITHIN_MS_MAX)
        return ms;
    diagnostic_at(diagnostics, node, NULL, "%s must be more than 0s and at most 3660d", key);
    return 0;
}

/* What a step may be beside the one before it. */
static void check_neighbours(const struct step_build *before, const struct step_build *step)
{
    const struct rule_build *build = step->build;
    if (step->step.negated && before->step.optional)
        wrong(build, step->node,
              "a 'not' cannot follow an optional step: whether it holds from that step or the one before would not be "
              "clear; write two rules, one with the step and one without");
    if (!step->step.negated && step->step.optional && before->step.greedy)
        wrong(build, step->node, "an optional step cannot follow a greedy one; leave one of the two out");
}

static void check_ends(const struct step_build *steps, size_t n, const struct sequence_options *options)
{
    const struct step_build *first = &steps[0];
    const struct step_build *last = &steps[n - 1];
    if (first->step.negated && first->step.contiguity == SEQUENCE_STRICT)
        wrong(first->build, first->node, "a strict 'not' is about the event after a step, so it cannot be first");
    if (options->within_ms > 0)
        return;
    if (first->step.negated)
        wrong(first->build, first->node, "a 'not' in front looks back for as long as 'within' says; give one");
    if (n > 1 && last->step.negated && last->step.contiguity != SEQUENCE_STRICT)
        wrong(last->build, last->node, "a 'not' at the end waits for as long as 'within' says; give one");
}

/* Two negations side by side are one, of either. */
static bool merge(struct rule_build *build, struct step_build *before, const struct step_build *step)
{
    if (!before->step.negated || !step->step.negated)
        return false;
    if (before->step.contiguity != step->step.contiguity)
        wrong(build, step->node, "a strict 'not' cannot stand beside another one; write {not: [a, b]}");
    size_t n = before->condition.count + step->condition.count;
    struct sequence_alternative *both = arena_alloc(build->loader->arena, n * sizeof *both);
    for (size_t i = 0; i < n; i++)
        both[i] = i < before->condition.count ? before->condition.alternatives[i]
                                              : step->condition.alternatives[i - before->condition.count];
    before->condition = (struct sequence_condition){both, n};
    return true;
}

static size_t read_steps(struct rule_build *build, const struct yaml_node *node, struct step_build *steps)
{
    size_t n = 0;
    size_t errors = build->loader->diagnostics->errors;
    for (size_t i = 0; i < node->count; i++) {
        steps[n] = (struct step_build){.build = build, .node = node->items[i], .steps = steps, .number = n};
        rule_step_read(&steps[n]);
        if (n > 0 && merge(build, &steps[n - 1], &steps[n]))
            continue;
        if (n > 0)
            check_neighbours(&steps[n - 1], &steps[n]);
        n++;
    }
    return build->loader->diagnostics->errors == errors ? n : 0;
}

static void read_skip(struct rule_build *build, const struct yaml_node *node, const struct step_build *steps, size_t n,
                      struct sequence_options *options)
{
    static const char *const words[] = {"no_skip", "to_next", "past_last", "to_first:STEP", "to_last:STEP", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct str text;
    if (!check_text(diagnostics, node, "skip", &text))
        return;
    for (int i = SEQUENCE_NO_SKIP; i <= SEQUENCE_PAST_LAST; i++)
        if (str_is(text, words[i])) {
            options->skip = (enum sequence_skip)i;
            return;
        }
    bool first = str_starts(text, STR_LIT("to_first:"));
    if (!first && !str_starts(text, STR_LIT("to_last:"))) {
        (void)check_symbol(diagnostics, node, "skip strategy", words);
        return;
    }
    options->skip = first ? SEQUENCE_TO_FIRST : SEQUENCE_TO_LAST;
    size_t head = first ? strlen("to_first:") : strlen("to_last:");
    struct str name = {text.p + head, text.n - head};
    const char *names[SEQUENCE_STEPS_MAX + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (steps[i].step.negated)
            continue;
        names[count++] = steps[i].name.p;
        options->skip_step = (int)i;
        if (str_eq(steps[i].name, name))
            return;
    }
    diagnostic_at(diagnostics, node, NULL, "skip goes to '%.*s', which is no step that takes events%s", STR_ARG(name),
                  check_suggest(diagnostics->arena, name, names, "those are "));
}

/* Puts the steps together: numbers the conditions, names the outputs, compiles the pattern. */
static void assemble(struct rule_build *build, const struct yaml_node *node, const struct step_build *steps,
                     struct sequence_options *options, struct sequence_spec *spec)
{
    struct arena *arena = build->loader->arena;
    size_t n = options->step_count;
    struct sequence_step *pattern = arena_alloc(arena, n * sizeof *pattern);
    struct sequence_condition *conditions = arena_alloc(arena, 2 * n * sizeof *conditions);
    struct sequence_output *outputs = arena_zalloc(arena, n * sizeof *outputs);
    for (size_t i = 0; i < n; i++) {
        pattern[i] = steps[i].step;
        pattern[i].condition = (uint8_t)spec->condition_count;
        conditions[spec->condition_count++] = steps[i].condition;
        pattern[i].until = -1;
        if (steps[i].until.count > 0) {
            pattern[i].until = (int16_t)spec->condition_count;
            conditions[spec->condition_count++] = steps[i].until;
        }
        if (steps[i].step.negated)
            continue;
        outputs[i] = (struct sequence_output){steps[i].name, steps[i].list};
        rule_output_add(build, steps[i].name, rule_step_type(&steps[i]));
    }
    for (size_t i = 0; i < spec->condition_count; i++)
        for (size_t k = 0; k < conditions[i].count; k++)
            if (conditions[i].alternatives[k].reads)
                options->reads |= UINT64_C(1) << i;
    spec->conditions = conditions;
    spec->outputs = outputs;
    options->steps = pattern;
    struct error err;
    if (sequence_pattern_compile(options, arena, &spec->pattern, &err) != 0)
        wrong(build, node, err.message);
}

static void read_warmup(struct rule_build *build, const struct yaml_node *detect, const struct step_build *first,
                        struct sequence_spec *spec)
{
    const struct yaml_node *node = yaml_get(detect, "warmup");
    if (node == NULL || !check_duration(build->loader->diagnostics, node, "warmup", &spec->warmup_ms))
        return;
    if (!first->step.negated)
        wrong(build, node, "warmup is for a 'not' in front, and there is none; leave it out");
    else if (spec->warmup_ms < 0 || spec->warmup_ms > WITHIN_MS_MAX)
        wrong(build, node, "warmup is at most 3660d");
}

/* How long before an evaluation an event of its match can lie: rows may have been opened long before. */
static int64_t reach_of(const struct rule_build *build, int64_t within_ms)
{
    int64_t reach_ms = within_ms > 0 ? within_ms : WITHIN_MS_MAX;
    for (size_t i = 0; i < build->rule->input_count; i++) {
        const struct rule_input *input = &build->rule->inputs[i];
        if (input->stream != NULL && input->stream->rows && !input->updates)
            return reach_ms + build->loader->options.row_retention_ms;
    }
    return reach_ms;
}

/* False: an input is not what it should be, which was reported before. */
static bool understood(const struct step_build *steps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < steps[i].condition.count + 1; k++)
            if (steps[i].condition.count == 0 ||
                (k < steps[i].condition.count && steps[i].condition.alternatives[k].stream == NULL))
                return false;
    return true;
}

void rule_sequence_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    size_t errors_before = diagnostics->errors;
    struct sequence_options options = {.within_ms = read_span(build, detect, "within"),
                                       .max_gap_ms = read_span(build, detect, "max_gap")};
    if (options.within_ms > 0 && options.max_gap_ms > options.within_ms)
        wrong(build, yaml_get(detect, "max_gap"), "max_gap is longer than within, so it would never end a match");
    const struct yaml_node *node = check_need(diagnostics, detect, "detect", "steps");
    if (node == NULL || !check_sequence(diagnostics, node, "steps"))
        return;
    if (node->count == 0 || node->count > RULE_OUTPUTS_MAX) {
        diagnostic_at(diagnostics, node, NULL, "a sequence has from 1 to %d steps, not %zu", RULE_OUTPUTS_MAX,
                      node->count);
        return;
    }
    struct step_build *steps = mem_zalloc(node->count * sizeof *steps);
    size_t n = read_steps(build, node, steps);
    struct sequence_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    spec->warmup_ms = options.within_ms;
    bool positive = false;
    for (size_t i = 0; i < n; i++)
        positive |= !steps[i].step.negated;
    if (n > 0 && !positive)
        wrong(build, node, "every step is a 'not'; name an input whose events make the match");
    if (positive) {
        options.step_count = n;
        check_ends(steps, n, &options);
        read_skip(build, yaml_get(detect, "skip"), steps, n, &options);
        read_warmup(build, detect, &steps[0], spec);
    }
    if (positive && diagnostics->errors == errors_before && understood(steps, n))
        assemble(build, node, steps, &options, spec);
    free(steps);
    build->rule->spec.sequence = spec;
    build->rule->reach_ms = reach_of(build, options.within_ms);
}
