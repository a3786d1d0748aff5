/* `detect` of types new_value and revert: an expression over one input, whose values are remembered for a while. */
#include "rule/rule_load.h"

static const int64_t WARMUP_MS_MAX = INT64_C(3660) * DAY_MS;

static void read_value(struct rule_build *build, const struct yaml_node *node, struct memory_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct rule_input *input = spec->of >= 0 ? &build->rule->inputs[spec->of] : NULL;
    if (node == NULL || input == NULL || input->stream == NULL)
        return;
    struct scope scope;
    scope_init(&scope, build, SCOPE_EVENT);
    scope.stream = input->stream;
    spec->value = scope_compile(&scope, node, "value", TYPE_ANY);
    if (spec->value == NULL)
        return;
    rule_derived_check(build, node, input, spec->value);
    uint8_t type = cel_result_type(spec->value).type;
    if (type == VALUE_LIST || type == VALUE_MAP)
        diagnostic_at(diagnostics, node, false, "what is remembered is a single value, not a %s",
                      type == VALUE_LIST ? "list" : "map");
    else if (cel_event_fields(spec->value) == 0)
        diagnostic_at(diagnostics, node, false,
                      "this reads nothing of the event, so it is the same for each; name a field, such as event.%s",
                      input->stream->fields[input->stream->service_field].name);
}

static void read_warmup(struct rule_build *build, const struct yaml_node *node, int64_t *warmup_ms)
{
    if (check_duration(build->loader->diagnostics, node, "warmup", warmup_ms) && *warmup_ms > WARMUP_MS_MAX)
        diagnostic_at(build->loader->diagnostics, node, false, "warmup is at most 3660d");
}

void rule_memory_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct rule *rule = build->rule;
    struct memory_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    spec->of = rule_input_of(build, check_need(diagnostics, detect, "detect", "of"), "of");
    read_value(build, check_need(diagnostics, detect, "detect", "value"), spec);
    (void)rule_span_read(build, detect, "memory", &spec->memory_ms);
    rule->spec.memory = spec;
    rule->look_back_ms = spec->memory_ms;
    struct cel_type type = spec->value != NULL ? cel_result_type(spec->value) : cel_type_of(TYPE_ANY);
    rule_output_add(build, STR_LIT("value"), type);
    if (rule->type == DETECTOR_REVERT) {
        rule_output_add(build, STR_LIT("previous"), type);
        return;
    }
    spec->warmup_ms = spec->memory_ms;
    read_warmup(build, yaml_get(detect, "warmup"), &spec->warmup_ms);
}
