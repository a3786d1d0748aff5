/* `detect`: the detector's kind and its condition. */
#include "rule/rule_load.h"

const char *const detector_type_names[DETECTOR_TYPE_COUNT + 1] = {
    [DETECTOR_WINDOW] = "window",       [DETECTOR_SEQUENCE] = "sequence", [DETECTOR_ABSENCE] = "absence",
    [DETECTOR_CASCADE] = "cascade",     [DETECTOR_TREND] = "trend",       [DETECTOR_BURN_RATE] = "burn_rate",
    [DETECTOR_NEW_VALUE] = "new_value", [DETECTOR_REVERT] = "revert",
};

/* The keys of each detector, and what reads them. */
static const struct {
    const char *keys[16];
    void (*read)(struct rule_build *build, const struct yaml_node *detect);
} detectors[DETECTOR_TYPE_COUNT] = {
    [DETECTOR_WINDOW] = {{"type", "group_by", "window", "when", "warmup", NULL}, rule_window_read},
    [DETECTOR_SEQUENCE] = {{"type", "group_by", "when", "within", "max_gap", "skip", "steps", "warmup", NULL},
                           rule_sequence_read},
    [DETECTOR_ABSENCE] = {{"type", "group_by", "when", "of", "every", NULL}, rule_absence_read},
    [DETECTOR_CASCADE] = {{"type", "group_by", "when", "of", "within", NULL}, rule_cascade_read},
    [DETECTOR_TREND] = {{"type", "group_by", "when", "window", "of", "value", "step", "limit", "horizon", "min_points",
                         "min_fit", "method", "reset", NULL},
                        rule_trend_read},
    [DETECTOR_BURN_RATE] = {{"type", "group_by", "when", "bad", "all", "objective", "pairs", NULL},
                            rule_burn_rate_read},
    [DETECTOR_NEW_VALUE] = {{"type", "group_by", "when", "of", "value", "memory", "warmup", NULL}, rule_memory_read},
    [DETECTOR_REVERT] = {{"type", "group_by", "when", "of", "value", "memory", NULL}, rule_memory_read},
};

/* The detector's number; -1 and an error where there is no such one. */
static int read_type(struct diagnostics *diagnostics, const struct yaml_node *detect)
{
    const struct yaml_node *node = yaml_get(detect, "type");
    if (node == NULL)
        return DETECTOR_WINDOW;
    return check_symbol(diagnostics, node, "detector", detector_type_names);
}

int rule_input_of(struct rule_build *build, const struct yaml_node *node, const char *what)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct rule *rule = build->rule;
    struct str name;
    if (!check_text(diagnostics, node, what, &name) || rule->input_count == 0)
        return -1;
    int input = rule_find_input(rule, name);
    if (input >= 0) {
        build->named_detecting[input] = true;
        return input;
    }
    const char *names[RULE_INPUTS_MAX + 1] = {0};
    for (size_t i = 0; i < rule->input_count; i++)
        names[i] = rule->inputs[i].name.p;
    diagnostic_at(diagnostics, node, false, "unknown input '%.*s' in '%s'%s", STR_ARG(name), what,
                  check_suggest(diagnostics->arena, name, names, "inputs are "));
    return -1;
}

void rule_output_add(struct rule_build *build, struct str name, struct cel_type type)
{
    ASSERT(build->rule->output_count < RULE_OUTPUTS_MAX);
    build->outputs[build->rule->output_count++] = (struct rule_output){name, type};
    build->rule->outputs = build->outputs;
}

bool rule_span_read(struct rule_build *build, const struct yaml_node *detect, const char *key, int64_t *ms)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *node = check_need(diagnostics, detect, "detect", key);
    if (!check_duration(diagnostics, node, key, ms))
        return false;
    if (*ms > 0 && *ms <= RULE_SPAN_MS_MAX)
        return true;
    diagnostic_at(diagnostics, node, false, "%s must be more than 0s and at most 3660d", key);
    return false;
}

static bool constant_value(const struct cel *cel, struct value *value)
{
    struct arena scratch = {0};
    struct cel_frame frame = {.arena = &scratch};
    *value = cel_eval(cel, &frame);
    arena_fini(&scratch);
    return value->type == VALUE_BOOL;
}

struct slots_read {
    bool any;
    bool over_all;
};

static void see_slot(void *context, int slot)
{
    struct slots_read *slots = context;
    slots->any = true;
    slots->over_all |= slot < OUT_FIXED_COUNT && slot != OUT_GROUP;
}

/* What a condition reads, by way of ago() too. */
static struct slots_read slots_of(const struct rule_build *build, const struct cel *when)
{
    struct slots_read slots = {0};
    cel_slots(when, see_slot, &slots);
    for (size_t i = 0; i < build->aggregate_count; i++)
        if (build->aggregates[i].function == AGGREGATE_AGO)
            cel_slots(build->aggregates[i].expr, see_slot, &slots);
    return slots;
}

const struct yaml_node *rule_text_node(struct rule_build *build, const struct yaml_node *at, struct str text)
{
    struct yaml_node *made = arena_alloc(build->loader->arena, sizeof *made);
    *made = (struct yaml_node){.kind = YAML_SCALAR,
                               .quoted = true,
                               .text = text,
                               .raw = text,
                               .file = at->file,
                               .line = at->line,
                               .column = at->column};
    return made;
}

/* `when`, or what stands for it where it is left out; NULL: nothing does. */
static const struct yaml_node *when_of(struct rule_build *build, const struct yaml_node *detect)
{
    const struct yaml_node *node = yaml_get(detect, "when");
    if (node != NULL || build->rule->type == DETECTOR_WINDOW)
        return check_need(build->loader->diagnostics, detect, "detect", "when");
    if (build->when_default.n == 0)
        return NULL;
    return rule_text_node(build, detect, build->when_default);
}

static void read_when(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *node = when_of(build, detect);
    if (node == NULL)
        return;
    struct scope scope;
    scope_init(&scope, build, SCOPE_OUTPUT);
    build->rule->when = scope_compile(&scope, node, "when", VALUE_BOOL);
    if (build->rule->when == NULL)
        return;
    struct slots_read slots = slots_of(build, build->rule->when);
    build->when_takes_all = build->rule->type == DETECTOR_WINDOW && (slots.over_all || !slots.any);
    struct value value;
    if (slots.any || !constant_value(build->rule->when, &value))
        return;
    if (!value.b)
        diagnostic_at(diagnostics, node, false, "this is never true, so the rule cannot fire");
}

void rule_detect_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    size_t errors_before = diagnostics->errors;
    build->outputs_known = false;
    if (!check_map(diagnostics, detect, "detect"))
        return;
    static const char *const type_key[] = {"type", NULL};
    check_spelling(diagnostics, detect, "detect", type_key);
    int type = read_type(diagnostics, detect);
    if (type >= 0)
        (void)check_mapping(diagnostics, detect, "detect", detectors[type].keys);
    rule_group_read(build, detect);
    if (type < 0)
        return;
    build->rule->type = (enum detector_type)type;
    detectors[type].read(build, detect);
    /* A window's mistakes leave its names known; what another detector puts out may not be. */
    build->outputs_known = type == DETECTOR_WINDOW || diagnostics->errors == errors_before;
    if (build->outputs_known)
        read_when(build, detect);
    /* What a strict step follows is the next event of all inputs. */
    build->when_takes_all |= type == DETECTOR_SEQUENCE;
}
