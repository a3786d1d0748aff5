/* Warnings of inputs that select nothing, and of conditions that never or always hold. */
#include "rule/warn.h"

/* A condition under examination, and where to tell of it. */
struct subject {
    const struct rule_build *build;
    const struct yaml_node *node;
    const struct rule_input *input; /* of a where-clause; NULL: `when` */
    const struct cel_domain *domains;
    size_t domain_count;
    bool told;
};

static int field_domain(void *context, bool slot, int index)
{
    (void)context;
    return slot ? -1 : index;
}

static int slot_domain(void *context, bool slot, int index)
{
    const struct subject *subject = context;
    return slot && (size_t)index < subject->domain_count ? index : -1;
}

static bool can_be(struct subject *subject, const struct cel *cel, enum cel_wanted wanted)
{
    struct cel_claim claim = {.cel = cel,
                              .wanted = wanted,
                              .domain = subject->input != NULL ? field_domain : slot_domain,
                              .context = subject};
    return cel_possible(&claim, 1, subject->domains, subject->domain_count);
}

static const char *text_of(struct arena *arena, const struct cel *cel)
{
    struct buf text = {0};
    cel_print(cel, &text);
    const char *result = arena_printf(arena, "%.*s", STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return result;
}

/* What an event that `match` lets through can have in a field. */
static struct cel_domain domain_of_field(struct arena *arena, const struct rule_input *input, int number)
{
    const struct stream_field *field = &input->stream->fields[number];
    struct cel_domain domain = {.maybe_null = field->nullable || input->stream->rows,
                                .maybe_nan = field->kind == FIELD_DOUBLE};
    if (field->symbols != NULL) {
        size_t count = 0;
        while (field->symbols[count] != NULL)
            count++;
        struct value *values = arena_alloc(arena, (count + 1) * sizeof *values);
        for (size_t i = 0; i < count; i++)
            values[i] = value_text(field->symbols[i]);
        domain.values = values;
        domain.value_count = count;
    }
    for (size_t i = 0; i < input->match_count; i++) {
        const struct match_term *term = &input->match[i];
        if (term->field != number)
            continue;
        domain = (struct cel_domain){.values = term->values, .value_count = term->count};
        for (size_t j = 0; j < term->count; j++)
            domain.maybe_null |= value_is_null(term->values[j]);
    }
    return domain;
}

/* Tells of the first condition that is never true by itself: the likely slip. */
static void tell_where(void *context, const struct cel *condition)
{
    struct subject *subject = context;
    struct diagnostics *diagnostics = subject->build->loader->diagnostics;
    if (subject->told || can_be(subject, condition, CEL_TRUE))
        return;
    subject->told = true;
    diagnostic_within(diagnostics, subject->node, cel_offset(condition), "cannot-fire",
                      "%s is never true of what 'match' selects, so the input selects nothing",
                      text_of(diagnostics->arena, condition));
}

static void warn_where(const struct rule_build *build, size_t number)
{
    const struct rule_input *input = &build->rule->inputs[number];
    if (input->where == NULL)
        return;
    struct arena scratch = {0};
    struct cel_domain domains[STREAM_FIELDS_MAX];
    for (int i = 0; i < input->stream->field_count; i++)
        domains[i] = domain_of_field(&scratch, input, i);
    struct subject subject = {.build = build,
                              .node = yaml_get(build->input_nodes[number], "where"),
                              .input = input,
                              .domains = domains,
                              .domain_count = (size_t)input->stream->field_count};
    if (!can_be(&subject, input->where, CEL_TRUE)) {
        cel_conditions(input->where, tell_where, &subject);
        if (!subject.told)
            diagnostic_at(build->loader->diagnostics, subject.node, "cannot-fire",
                          "the conditions of this contradict each other, so the input selects nothing");
    }
    arena_fini(&scratch);
}

/* A number that is at least 0. */
static struct cel_domain from_zero(bool whole)
{
    return (struct cel_domain){.whole = whole, .low = value_double(0)};
}

static struct cel_domain anything(void)
{
    return (struct cel_domain){.maybe_null = true, .maybe_nan = true};
}

static bool reads_incidents(const struct rule *rule)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].stream->id != STREAM_TELEMETRY && rule->inputs[i].stream->id != STREAM_DEPLOYMENT)
            return true;
    return false;
}

static struct cel_domain domain_of_output(const struct rule *rule, int slot)
{
    struct cel_domain number = from_zero(true);
    struct cel_domain span = {.maybe_null = true, .low = value_span_ms(0)};
    if (!reads_incidents(rule)) {
        number.high = value_double(0);
        span.no_value = true;
    }
    switch (slot) {
    case OUT_INCIDENTS:
        return number;
    case OUT_MINUTES_LOST:
        number.whole = false;
        return number;
    case OUT_MTTR:
    case OUT_MTTR_MEDIAN:
    case OUT_MTTD:
    case OUT_MTTD_MEDIAN:
        return span;
    case OUT_EVENTS:
        return from_zero(true);
    default:
        return anything();
    }
}

static struct cel_domain domain_of_aggregate(const struct aggregate *aggregate)
{
    if (aggregate->function == AGGREGATE_COUNT)
        return from_zero(true);
    if (aggregate->function == AGGREGATE_SHARE)
        return (struct cel_domain){.maybe_null = true, .low = value_double(0), .high = value_double(1)};
    struct cel_domain domain = aggregate->function == AGGREGATE_DISTINCT ? from_zero(false) : anything();
    if (aggregate->function == AGGREGATE_STDDEV)
        domain.low = value_double(0);
    return domain;
}

static void tell_when(void *context, const struct cel *condition)
{
    struct subject *subject = context;
    struct diagnostics *diagnostics = subject->build->loader->diagnostics;
    bool can = can_be(subject, condition, CEL_TRUE);
    if (can && can_be(subject, condition, CEL_NOT_TRUE))
        return;
    subject->told = true;
    diagnostic_within(diagnostics, subject->node, cel_offset(condition), "constant", "%s is %s true",
                      text_of(diagnostics->arena, condition), can ? "always" : "never");
}

/* What the detector puts out beside the fixed outputs. Burns are never NaN, and one of a count is not negative. */
static struct cel_domain domain_of_own(const struct rule *rule, size_t output)
{
    if (rule->type != DETECTOR_BURN_RATE)
        return anything();
    const struct burn_spec *spec = rule->spec.burn;
    enum aggregate_function bad = rule->aggregates[spec->bad_aggregate].function;
    struct cel_domain domain = {.maybe_null = true};
    if (output != BURN_FACTOR) {
        if (bad == AGGREGATE_COUNT || bad == AGGREGATE_DISTINCT)
            domain.low = value_double(0);
        return domain;
    }
    double low = spec->pairs[0].factor;
    double high = low;
    for (size_t i = 1; i < spec->pair_count; i++) {
        low = spec->pairs[i].factor < low ? spec->pairs[i].factor : low;
        high = spec->pairs[i].factor > high ? spec->pairs[i].factor : high;
    }
    domain.low = value_double(low);
    domain.high = value_double(high);
    return domain;
}

size_t rule_slot_domains(const struct rule *rule, struct cel_domain domains[RULE_SLOTS_MAX])
{
    for (int i = 0; i < OUT_FIXED_COUNT; i++)
        domains[i] = domain_of_output(rule, i);
    for (size_t i = 0; i < rule->output_count; i++)
        domains[OUT_FIXED_COUNT + i] = domain_of_own(rule, i);
    for (size_t i = 0; i < rule->aggregate_count; i++)
        domains[rule_aggregate_slot(rule, i)] = domain_of_aggregate(&rule->aggregates[i]);
    return rule_slot_count(rule);
}

static void warn_when(const struct rule_build *build)
{
    const struct rule *rule = build->rule;
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct cel_domain domains[RULE_SLOTS_MAX];
    size_t count = rule_slot_domains(rule, domains);
    struct subject subject = {.build = build,
                              .node = yaml_get(yaml_get(build->node, "detect"), "when"),
                              .domains = domains,
                              .domain_count = count};
    if (!can_be(&subject, rule->when, CEL_TRUE))
        diagnostic_at(diagnostics, subject.node, "cannot-fire", "this is never true, so the rule cannot fire");
    else if (!can_be(&subject, rule->when, CEL_NOT_TRUE))
        diagnostic_at(diagnostics, subject.node, "constant",
                      "this is always true: every event that an input selects is a firing");
    else
        cel_conditions(rule->when, tell_when, &subject);
}

/* What a target sees: a value that is no number is null there, and what is at least 0 falls by 100 % at most. */
static void target_domains(const struct rule *rule, struct cel_domain domains[SCORECARD_SLOT_COUNT])
{
    struct cel_domain of_rule[RULE_SLOTS_MAX];
    size_t count = rule_slot_domains(rule, of_rule);
    int slot = cel_is_slot(rule->scorecard->value);
    struct cel_domain value = slot >= 0 && (size_t)slot < count ? of_rule[slot] : anything();
    value.maybe_null |= value.maybe_nan;
    value.maybe_nan = false;
    domains[SCORECARD_SLOT_VALUE] = value;
    value.maybe_null = true;
    domains[SCORECARD_SLOT_PREVIOUS] = value;
    domains[SCORECARD_SLOT_CHANGE] = (struct cel_domain){.maybe_null = true};
    if (!value_is_null(value.low))
        domains[SCORECARD_SLOT_CHANGE].low = value_double(-1);
}

/* A target that is unknown where a value is null says something all the same: one that is never missed, or never met
 * otherwise, does not. */
static void warn_target(const struct rule_build *build)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct cel *target = build->rule->scorecard->target;
    struct cel_domain domains[SCORECARD_SLOT_COUNT];
    target_domains(build->rule, domains);
    struct subject subject = {.build = build,
                              .node = yaml_get(build->node, "target"),
                              .domains = domains,
                              .domain_count = SCORECARD_SLOT_COUNT};
    if (!can_be(&subject, target, CEL_TRUE))
        diagnostic_at(diagnostics, subject.node, "constant", "this is never true, so the target is never met");
    else if (!can_be(&subject, target, CEL_FALSE))
        diagnostic_at(diagnostics, subject.node, "constant", "this is never false, so the target is never missed");
    else
        cel_conditions(target, tell_when, &subject);
}

void rule_warn_conditions(const struct rule_build *build)
{
    for (size_t i = 0; i < build->rule->input_count; i++)
        warn_where(build, i);
    if (build->rule->when != NULL)
        warn_when(build);
    if (build->rule->scorecard != NULL && build->rule->scorecard->target != NULL)
        warn_target(build);
}
