/* One rule, from its node to what the engine runs. */
#include "rule/warn.h"

static const char *const rule_keys[] = {"id", "description", "from", "detect", "recommend", "validate", "tests", NULL};

static bool keeps_rows(const struct rule_input *input)
{
    return input->stream != NULL && input->stream->rows && !input->updates;
}

/* Which inputs take part in detection: those that `when` or a template names, and, where neither names any of it but
 * the rule's outputs run over all inputs, those that no measure has for itself. */
static void decide_detecting(struct rule_build *build)
{
    struct rule *rule = build->rule;
    struct diagnostics *diagnostics = build->loader->diagnostics;
    bool any = false;
    for (size_t i = 0; i < rule->input_count; i++) {
        struct rule_input *input = &rule->inputs[i];
        input->detects = build->named_detecting[i] || (build->when_takes_all && !build->named_validating[i]);
        any |= input->detects;
        if (!input->detects && !build->named_validating[i])
            diagnostic_at(diagnostics, build->input_nodes[i], false,
                          "input '%.*s' is used nowhere; name it in %s, or leave it out", STR_ARG(input->name),
                          rule->scorecard != NULL ? "'value'" : "'when', a template or a measure");
        if (input->detects && input->stream != NULL && input->stream->id == STREAM_INCIDENT)
            rule->reads_incidents = true;
    }
    if (!any && rule->input_count > 0)
        diagnostic_at(diagnostics, rule_detect_node(build), false,
                      "no input takes part in detection, so the rule cannot fire; name one in 'when'");
}

static void check_windows(struct rule_build *build)
{
    struct rule *rule = build->rule;
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *window = yaml_get(rule_detect_node(build), "window");
    static const char *const keys[] = {"size", "calendar", "max", "gap"};
    const struct yaml_node *length = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && length == NULL; i++)
        length = yaml_get(window, keys[i]);
    if (rule->type == DETECTOR_BURN_RATE)
        length = rule_detect_node(build);
    int64_t retention = build->loader->options.row_retention_ms;
    if (length == NULL || rule->window.size_ms + rule->look_back_ms <= retention)
        return;
    for (size_t i = 0; i < rule->input_count; i++) {
        const struct rule_input *input = &rule->inputs[i];
        if (!input->detects || !keeps_rows(input))
            continue;
        struct buf text = {0};
        duration_print(&text, retention);
        diagnostic_at(diagnostics, length, false,
                      "a window over %ss%s is at most %.*s, for which their rows are kept (state.row_retention)",
                      input->stream->name,
                      rule->scorecard != NULL  ? ", with the one before it,"
                      : rule->look_back_ms > 0 ? ", with what ago() looks back on,"
                                               : "",
                      STR_ARG(buf_str(&text)));
        buf_fini(&text);
        return;
    }
}

static void mark_reads(struct rule *rule)
{
    for (size_t i = 0; i < rule->input_count; i++) {
        struct rule_input *input = &rule->inputs[i];
        for (size_t j = 0; j < input->match_count; j++)
            input->reads |= FIELD_BIT(input->match[j].field);
        if (input->where != NULL)
            input->reads |= cel_event_fields(input->where);
        for (size_t j = 0; j < rule->group_count; j++)
            input->reads |= input->group[j].expr != NULL ? cel_event_fields(input->group[j].expr)
                                                         : FIELD_BIT(input->group[j].field);
        if (rule->type == DETECTOR_SEQUENCE && input->detects) /* conditions and templates read whole events */
            input->reads |= FIELD_BIT(input->stream->field_count) - 1;
    }
    if (rule->type == DETECTOR_CASCADE) {
        struct rule_input *of = &rule->inputs[rule->spec.cascade->of];
        of->reads |= FIELD_BIT(of->stream->service_field);
    }
    if (rule->type == DETECTOR_NEW_VALUE || rule->type == DETECTOR_REVERT)
        rule->inputs[rule->spec.memory->of].reads |= cel_event_fields(rule->spec.memory->value);
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if (rule->aggregates[i].expr != NULL && rule->aggregates[i].input >= 0)
            rule->inputs[rule->aggregates[i].input].reads |= cel_event_fields(rule->aggregates[i].expr);
}

static void read_parts(struct rule_build *build)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    (void)check_mapping(diagnostics, build->node, "a rule", rule_keys);
    rule_inputs_read(build);
    const struct yaml_node *detect = check_need(diagnostics, build->node, "a rule", "detect");
    if (detect != NULL)
        rule_detect_read(build, detect);
    rule_recommend_read(build, yaml_get(build->node, "recommend"));
    rule_validate_read(build, yaml_get(build->node, "validate"));
}

void rule_build(struct loader *loader, const struct rule_source *source, struct rule *rule)
{
    struct diagnostics *diagnostics = loader->diagnostics;
    size_t errors_before = diagnostics->errors;
    struct rule_build build = {
        .loader = loader, .file = source->file, .node = source->node, .rule = rule, .outputs_known = true};
    rule->level = 1;
    rule->id = source->id;
    rule->file = source->node->file;
    rule->line = source->node->line;
    rule->node = source->node;
    (void)check_text(diagnostics, yaml_get(source->node, "description"), "description", &rule->description);
    if (source->scorecard)
        rule_scorecard_read(&build);
    else
        read_parts(&build);
    struct rule_output *outputs = arena_alloc(loader->arena, (rule->output_count + 1) * sizeof *outputs);
    memcpy(outputs, build.outputs, rule->output_count * sizeof *outputs);
    rule->outputs = outputs;
    rule->shows_events = !source->scorecard || rule_scorecard_shows_events(rule->scorecard);
    rule->aggregates = arena_alloc(loader->arena, (build.aggregate_count + 1) * sizeof *rule->aggregates);
    memcpy(rule->aggregates, build.aggregates, build.aggregate_count * sizeof *rule->aggregates);
    rule->aggregate_count = build.aggregate_count;
    /* Which inputs are used is not known while something could not be read. */
    if (diagnostics->errors == errors_before && !build.unsound)
        decide_detecting(&build);
    rule_ago_finish(&build);
    if (diagnostics->errors == errors_before && !build.unsound)
        rule_validate_finish(&build);
    check_windows(&build);
    if (diagnostics->errors == errors_before && !build.unsound) {
        mark_reads(rule);
        rule->hash = rule_hash(rule);
    }
    build.sound = diagnostics->errors == errors_before && !build.unsound;
    rule->tests = yaml_get(source->node, "tests");
    if (rule->tests != NULL && !loader->options.tests_unread)
        rule_tests_check(&build);
    if (build.sound && loader->options.warn)
        rule_warn(&build);
}
