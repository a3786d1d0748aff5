/* `validate`: how it is measured whether an implemented recommendation helped. */
#include "rule/rule_load.h"

enum { DAYS_DEFAULT = 30, DAYS_MAX = 400, MIN_BEFORE_DEFAULT = 3 };

static const struct {
    const char *name;
    uint8_t type;
    bool scales;
} named_measures[] = {
    [MEASURE_INCIDENTS] = {"incidents", VALUE_DOUBLE, true},
    [MEASURE_MTTR] = {"mttr", VALUE_DURATION, false},
    [MEASURE_MTTD] = {"mttd", VALUE_DURATION, false},
    [MEASURE_MINUTES_LOST] = {"minutes_lost", VALUE_DOUBLE, true},
    [MEASURE_DETECTIONS] = {"detections", VALUE_DOUBLE, true},
};

static enum measure_kind kind_of(struct str name)
{
    int kind = 0;
    while (kind < MEASURE_VALUE && !str_is(name, named_measures[kind].name))
        kind++;
    return (enum measure_kind)kind;
}

static void note_own_output(void *context, int slot)
{
    struct rule_build *build = context;
    if (slot >= OUT_FIXED_COUNT && slot < OUT_FIXED_COUNT + (int)build->rule->output_count)
        build->measures_own_output = true;
}

/* A number of events, or a sum over them, grows with the days; what is made of several is a ratio for all we know. */
static bool is_sum(const struct rule_build *build, const struct cel *value)
{
    int index = cel_is_slot(value) - (int)rule_aggregate_slot(build->rule, 0);
    if (index < 0 || (size_t)index >= build->aggregate_count)
        return false;
    enum aggregate_function function = build->aggregates[index].function;
    return function == AGGREGATE_COUNT || function == AGGREGATE_SUM || function == AGGREGATE_DISTINCT;
}

static bool is_measurable(struct cel_type type)
{
    return type.type == VALUE_DOUBLE || type.type == VALUE_INT || type.type == VALUE_UINT ||
           type.type == VALUE_DURATION || type.type == TYPE_ANY;
}

/* The value of a measure that has its own, over functions and the fixed outputs. */
static void read_value(struct rule_build *build, const struct yaml_node *node, struct measure *measure, uint8_t *type)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct scope scope;
    if (node == NULL || !build->outputs_known)
        return;
    scope_init(&scope, build, SCOPE_OUTPUT);
    const struct cel *value = scope_compile(&scope, node, "value", TYPE_ANY);
    if (value == NULL)
        return;
    *type = cel_result_type(value).type;
    build->measures_own_output = false;
    cel_slots(value, note_own_output, build);
    if (build->measures_own_output)
        diagnostic_at(diagnostics, node, NULL,
                      "what the detector '%s' gives is not kept by day; measure functions such as avg(INPUT), or "
                      "incidents, mttr and the like",
                      detector_type_names[build->rule->type]);
    else if (!is_measurable(cel_result_type(value)))
        diagnostic_at(diagnostics, node, NULL, "a measure is a number or a duration, not a %s",
                      value_type_name((enum value_type) * type));
    measure->value = value;
    measure->scales = is_sum(build, value);
}

static void read_met(struct rule_build *build, const struct yaml_node *node, struct measure *measure, uint8_t type)
{
    struct scope scope;
    if (node == NULL)
        return;
    scope_init(&scope, build, SCOPE_MEASURE);
    scope.measure_type = type;
    measure->met = scope_compile(&scope, node, "met", VALUE_BOOL);
}

static void read_measure(struct rule_build *build, const struct yaml_node *key, const struct yaml_node *node,
                         struct measure *measure)
{
    static const char *const keys[] = {"value", "met", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    *measure = (struct measure){.name = key->text, .kind = kind_of(key->text)};
    bool named = measure->kind != MEASURE_VALUE;
    if (!name_is_identifier(key->text)) {
        diagnostic_at(diagnostics, key, NULL, "'%.*s' is no name for a measure; take letters, digits and _",
                      STR_ARG(key->text));
        return;
    }
    uint8_t type = named ? named_measures[measure->kind].type : (uint8_t)TYPE_ANY;
    measure->scales = named && named_measures[measure->kind].scales;
    if (node->kind == YAML_SCALAR && !named) {
        diagnostic_at(diagnostics, node, NULL,
                      "'%.*s' is measured by what? Write {value: FUNCTION, met: EXPRESSION}; incidents, mttr, mttd, "
                      "minutes_lost and detections need no value",
                      STR_ARG(key->text));
        return;
    }
    if (node->kind == YAML_SCALAR) {
        read_met(build, node, measure, type);
        return;
    }
    if (!check_mapping(diagnostics, node, "a measure", keys))
        return;
    const struct yaml_node *value = yaml_get(node, "value");
    if (named && value != NULL)
        diagnostic_at(diagnostics, value, NULL, "the measure '%.*s' has its value; give another one another name",
                      STR_ARG(key->text));
    if (!named)
        read_value(build, check_need(diagnostics, node, "a measure", "value"), measure, &type);
    read_met(build, check_need(diagnostics, node, "a measure", "met"), measure, type);
}

static void read_days(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t *days)
{
    int64_t ms = 0;
    if (!check_duration(diagnostics, node, what, &ms))
        return;
    if (ms < DAY_MS || ms > DAYS_MAX * (int64_t)DAY_MS || ms % DAY_MS != 0)
        diagnostic_at(diagnostics, node, NULL, "%s must be whole days, from 1d to %dd", what, DAYS_MAX);
    else
        *days = ms / DAY_MS;
}

static struct validation *validation_new(struct rule_build *build)
{
    struct validation *validation = arena_zalloc(build->loader->arena, sizeof *validation);
    validation->before_days = validation->after_days = DAYS_DEFAULT;
    validation->min_before = MIN_BEFORE_DEFAULT;
    build->rule->validation = validation;
    return validation;
}

void rule_validate_read(struct rule_build *build, const struct yaml_node *node)
{
    static const char *const keys[] = {"before", "after", "min_before", "measures", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (node == NULL || !check_mapping(diagnostics, node, "validate", keys))
        return;
    struct validation *validation = validation_new(build);
    if (yaml_get(build->node, "recommend") == NULL)
        diagnostic_at(diagnostics, node, NULL, "a rule without 'recommend' has nothing to validate");
    read_days(diagnostics, yaml_get(node, "before"), "before", &validation->before_days);
    read_days(diagnostics, yaml_get(node, "after"), "after", &validation->after_days);
    (void)check_int(diagnostics, yaml_get(node, "min_before"), "min_before", 0, 1000000, &validation->min_before);
    const struct yaml_node *list = check_need(diagnostics, node, "validate", "measures");
    if (!check_map(diagnostics, list, "measures"))
        return;
    if (list->count == 0)
        diagnostic_at(diagnostics, list, NULL, "measures names at least one measure");
    struct measure *measures = arena_zalloc(build->loader->arena, (list->count + 1) * sizeof *measures);
    build->validating = true;
    for (size_t i = 0; i < list->count; i++)
        read_measure(build, list->keys[i], list->items[i], &measures[i]);
    build->validating = false;
    validation->measures = measures;
    validation->measure_count = list->count;
}

/* The node of a measure, for messages. */
static const struct yaml_node *measure_node(const struct rule_build *build, size_t i)
{
    return yaml_get(yaml_get(build->node, "validate"), "measures")->keys[i];
}

static bool is_over_incidents(const struct measure *measure)
{
    return measure->kind != MEASURE_DETECTIONS && measure->kind != MEASURE_VALUE;
}

void rule_validate_finish(struct rule_build *build)
{
    static const struct str met = {"after <= 0.8 * before", 21};
    struct rule *rule = build->rule;
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (rule->validation == NULL && rule->recommend != NULL && rule->reads_incidents) {
        struct validation *validation = validation_new(build);
        struct measure *measure = arena_zalloc(build->loader->arena, sizeof *measure);
        struct yaml_node node = {.kind = YAML_SCALAR, .text = met, .file = rule->file, .line = 1, .column = 1};
        *measure = (struct measure){.name = str_of("incidents"), .kind = MEASURE_INCIDENTS, .scales = true};
        read_met(build, &node, measure, VALUE_DOUBLE);
        validation->measures = measure;
        validation->measure_count = 1;
        return;
    }
    for (size_t i = 0; rule->validation != NULL && i < rule->validation->measure_count; i++) {
        const struct measure *measure = &rule->validation->measures[i];
        if (is_over_incidents(measure) && !rule->reads_incidents)
            diagnostic_at(diagnostics, measure_node(build, i), NULL,
                          "'%.*s' is over incidents, and no input that detects reads any; measure a function, or "
                          "detections",
                          STR_ARG(measure->name));
        else if (measure->kind == MEASURE_VALUE && rule->recommend != NULL && rule->recommend->per_kind == PER_OUTPUTS)
            diagnostic_at(diagnostics, measure_node(build, i), NULL,
                          "where 'per' names an output only incidents, mttr, mttd, minutes_lost and detections are "
                          "measured: no other event tells whose it is");
    }
}
