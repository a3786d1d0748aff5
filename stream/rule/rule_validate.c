/* `validate`: how it is measured whether an implemented recommendation helped. The form is checked and the expressions
 * are compiled; measuring is not part of this version. */
#include "rule/rule_load.h"

static const struct {
    const char *name;
    uint8_t type;
} named_measures[] = {{"incidents", VALUE_DOUBLE},
                      {"mttr", VALUE_DURATION},
                      {"mttd", VALUE_DURATION},
                      {"minutes_lost", VALUE_DOUBLE},
                      {"detections", VALUE_DOUBLE}};

static int measure_type(struct str name)
{
    for (size_t i = 0; i < sizeof named_measures / sizeof *named_measures; i++)
        if (str_is(name, named_measures[i].name))
            return named_measures[i].type;
    return -1;
}

static void read_measure(struct rule_build *build, const struct yaml_node *key, const struct yaml_node *node)
{
    static const char *const keys[] = {"value", "met", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    int type = measure_type(key->text);
    if (!name_is_identifier(key->text)) {
        diagnostic_at(diagnostics, key, false, "'%.*s' is no name for a measure; take letters, digits and _",
                      STR_ARG(key->text));
        return;
    }
    const struct yaml_node *met = node;
    if (node->kind == YAML_SCALAR && type < 0) {
        diagnostic_at(diagnostics, node, false,
                      "'%.*s' is measured by what? Write {value: FUNCTION, met: EXPRESSION}; incidents, mttr, mttd, "
                      "minutes_lost and detections need no value",
                      STR_ARG(key->text));
        return;
    }
    uint8_t measured = type < 0 ? (uint8_t)TYPE_ANY : (uint8_t)type;
    if (node->kind != YAML_SCALAR) {
        if (!check_mapping(diagnostics, node, "a measure", keys))
            return;
        met = check_need(diagnostics, node, "a measure", "met");
        struct yaml_node *value =
            type < 0 ? check_need(diagnostics, node, "a measure", "value") : yaml_get(node, "value");
        struct scope outputs;
        scope_init(&outputs, build, SCOPE_OUTPUT);
        const struct cel *cel =
            value == NULL || !build->outputs_known ? NULL : scope_compile(&outputs, value, "value", TYPE_ANY);
        if (cel != NULL)
            measured = cel_result_type(cel).type;
    }
    struct scope scope;
    scope_init(&scope, build, SCOPE_MEASURE);
    scope.measure_type = measured;
    if (met != NULL)
        (void)scope_compile(&scope, met, "met", VALUE_BOOL);
}

static void read_days(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what)
{
    int64_t ms = 0;
    if (!check_duration(diagnostics, node, what, &ms))
        return;
    if (ms < DAY_MS || ms > 400 * (int64_t)DAY_MS || ms % DAY_MS != 0)
        diagnostic_at(diagnostics, node, false, "%s must be whole days, from 1d to 400d", what);
}

void rule_validate_read(struct rule_build *build, const struct yaml_node *node)
{
    static const char *const keys[] = {"before", "after", "min_before", "measures", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (node == NULL || !check_mapping(diagnostics, node, "validate", keys))
        return;
    build->rule->validate = node;
    if (yaml_get(build->node, "recommend") == NULL)
        diagnostic_at(diagnostics, node, false, "a rule without 'recommend' has nothing to validate");
    read_days(diagnostics, yaml_get(node, "before"), "before");
    read_days(diagnostics, yaml_get(node, "after"), "after");
    int64_t min_before = 0;
    (void)check_int(diagnostics, yaml_get(node, "min_before"), "min_before", 0, 1000000, &min_before);
    const struct yaml_node *measures = check_need(diagnostics, node, "validate", "measures");
    if (!check_map(diagnostics, measures, "measures"))
        return;
    if (measures->count == 0)
        diagnostic_at(diagnostics, measures, false, "measures names at least one measure");
    build->validating = true;
    for (size_t i = 0; i < measures->count; i++)
        read_measure(build, measures->keys[i], measures->items[i]);
    build->validating = false;
}
