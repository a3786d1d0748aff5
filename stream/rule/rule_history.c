/* Histories: for each rule that is validated a rule beside it, which no file names and which only keeps what the
 * measures compare. It selects what the rule selects, or rather those of its inputs that are measured, by the keys that
 * identify the rule's recommendations, so its group for a recommendation has the recommendation's hash. */
#include "rule/rule_load.h"

/* Both spans end within a day of now when they are read. */
enum { DAYS_BESIDE = 2 };

/* Where `per` has an output no event says whose it is: there only what contributed is compared. */
static bool has_history(const struct rule *rule)
{
    return rule->validation != NULL && rule->recommend != NULL && rule->recommend->per_kind != PER_OUTPUTS;
}

static void note_output(void *context, int slot)
{
    *(bool *)context |= slot < OUT_FIXED_COUNT;
}

/* The fixed outputs are wanted, which are over all inputs that detect: incidents for min_before at least. */
static bool wants_outputs(const struct rule *rule)
{
    const struct validation *validation = rule->validation;
    bool any = rule->reads_incidents;
    for (size_t i = 0; i < validation->measure_count; i++) {
        const struct measure *measure = &validation->measures[i];
        any |= measure->kind != MEASURE_VALUE && measure->kind != MEASURE_DETECTIONS;
        if (measure->value != NULL)
            cel_slots(measure->value, note_output, &any);
    }
    return any;
}

/* The keys that identify recommendations, of the rule's or an input's own. */
static const struct group_key *keys_of(struct loader *loader, const struct rule *rule, const struct group_key *group)
{
    const struct recommend *recommend = rule->recommend;
    if (recommend->per_kind == PER_GROUP)
        return group;
    struct group_key *keys = arena_zalloc(loader->arena, (recommend->per_count + 1) * sizeof *keys);
    for (size_t i = 0; i < recommend->per_count; i++) {
        keys[i] = group[recommend->per[i].key];
        keys[i].name = recommend->per[i].name;
    }
    return keys;
}

static void take_inputs(struct loader *loader, const struct rule *rule, struct rule *history, struct history_spec *spec)
{
    bool outputs = wants_outputs(rule);
    struct rule_input *inputs = arena_alloc(loader->arena, (rule->input_count + 1) * sizeof *inputs);
    memcpy(inputs, rule->inputs, rule->input_count * sizeof *inputs);
    for (size_t i = 0; i < rule->input_count; i++) {
        inputs[i].group = keys_of(loader, rule, rule->inputs[i].group);
        inputs[i].detects = outputs && rule->inputs[i].detects;
        if (inputs[i].detects)
            spec->output_inputs |= (uint16_t)(1U << i);
    }
    struct aggregate *aggregates = arena_alloc(loader->arena, (rule->aggregate_count + 1) * sizeof *aggregates);
    memcpy(aggregates, rule->aggregates, rule->aggregate_count * sizeof *aggregates);
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        aggregates[i].detects = aggregates[i].measured;
        if (aggregates[i].measured)
            inputs[aggregates[i].input].detects = true;
    }
    history->inputs = inputs;
    history->aggregates = aggregates;
}

static bool build_history(struct loader *loader, const struct rule *rule, struct rule *history)
{
    const struct validation *validation = rule->validation;
    struct history_spec *spec = arena_zalloc(loader->arena, sizeof *spec);
    int64_t days = validation->before_days > validation->after_days ? validation->before_days : validation->after_days;
    *history = *rule;
    take_inputs(loader, rule, history, spec);
    history->type = DETECTOR_HISTORY;
    history->spec.history = spec;
    history->group = keys_of(loader, rule, rule->group);
    history->group_count = rule->recommend->per_kind == PER_GROUP ? rule->group_count : rule->recommend->per_count;
    history->window =
        (struct window){.kind = WINDOW_HOPPING, .size_ms = DAY_MS, .slide_ms = DAY_MS, .pane_ms = PANE_MS_MAX};
    spec->of = rule;
    spec->keep_ms = (days + DAYS_BESIDE) * DAY_MS;
    history->reach_ms = spec->keep_ms;
    history->look_back_ms = 0;
    history->when = NULL;
    history->read_count = 0;
    history->is_read = false;
    history->recommend = NULL;
    history->validation = NULL;
    history->history = NULL;
    history->tests = NULL;
    history->hash = rule_hash(history);
    for (size_t i = 0; i < history->input_count; i++)
        if (history->inputs[i].detects)
            return true;
    return false; /* detections alone are measured */
}

void rule_histories_build(struct loader *loader)
{
    struct ruleset *set = loader->set;
    for (size_t i = 0; i < set->count; i++) {
        struct rule *rule = &set->rules[i];
        if (has_history(rule) && build_history(loader, rule, &set->rules[set->all_count]))
            rule->history = &set->rules[set->all_count++];
    }
}
