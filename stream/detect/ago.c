/* Looking back: a view of the earlier window folds what the expressions over it read, and nothing else. */
#include "detect/ago.h"

static bool is_ago(const struct aggregate *aggregate)
{
    return aggregate->function == AGGREGATE_AGO && aggregate->detects;
}

bool ago_is_known(const struct detector_context *context, const struct group *group, int64_t end_ms)
{
    const struct rule *rule = group->rule;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        const struct aggregate *ago = &rule->aggregates[i];
        if (!is_ago(ago))
            continue;
        int64_t wanted_ms = rule->warmup_ms;
        if (wanted_ms < 0)
            wanted_ms = end_ms - span_end_ago(&rule->window, end_ms, ago->ago_ms);
        for (size_t k = 0; k < rule->input_count; k++)
            if ((ago->ago_inputs >> k & 1) != 0 && detector_history(context, &rule->inputs[k], end_ms) < wanted_ms)
                return false;
    }
    return true;
}

/* What expressions read. */
struct reads {
    const struct rule *rule;
    uint32_t outputs; /* bit i: output i */
    uint32_t functions;
};

static void note_slot(void *context, int slot)
{
    struct reads *reads = context;
    size_t first = rule_aggregate_slot(reads->rule, 0);
    if (slot < OUT_FIXED_COUNT)
        reads->outputs |= UINT32_C(1) << slot;
    else if ((size_t)slot >= first)
        reads->functions |= UINT32_C(1) << ((size_t)slot - first);
}

/* All that look back by `ago_ms` share one view. */
static void evaluate(struct detector_context *context, const struct group *group, struct span span, int64_t ago_ms,
                     struct evaluation *out, struct value *slots)
{
    const struct rule *rule = group->rule;
    struct reads reads = {.rule = rule};
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if (is_ago(&rule->aggregates[i]) && rule->aggregates[i].ago_ms == ago_ms)
            cel_slots(rule->aggregates[i].expr, note_slot, &reads);
    struct view *view = view_span(group, span, reads.functions, context->arena);
    struct value *then = arena_zalloc(context->arena, rule_slot_count(rule) * sizeof *then);
    view_cheap_outputs(view, then);
    if ((reads.outputs & ~OUTPUTS_CHEAP) != 0)
        view_outputs(view, context->arena, then);
    view_results(view, &out->approximate, then);
    out->capped |= view->capped;
    view_fini(view);
    struct cel_frame frame = {.slots = then, .slot_count = rule_slot_count(rule), .arena = context->arena};
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if (is_ago(&rule->aggregates[i]) && rule->aggregates[i].ago_ms == ago_ms)
            slots[rule_aggregate_slot(rule, i)] = cel_eval(rule->aggregates[i].expr, &frame);
}

/* The same span was taken by an ago() before this one. */
static bool taken(const struct rule *rule, size_t ago)
{
    for (size_t i = 0; i < ago; i++)
        if (is_ago(&rule->aggregates[i]) && rule->aggregates[i].ago_ms == rule->aggregates[ago].ago_ms)
            return true;
    return false;
}

void ago_evaluate(struct detector_context *context, const struct group *group, int64_t end_ms, struct evaluation *out,
                  struct value *slots)
{
    const struct rule *rule = group->rule;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        if (!is_ago(&rule->aggregates[i]) || taken(rule, i))
            continue;
        int64_t then_ms = span_end_ago(&rule->window, end_ms, rule->aggregates[i].ago_ms);
        struct span span = {span_start(&rule->window, then_ms), then_ms};
        evaluate(context, group, span, rule->aggregates[i].ago_ms, out, slots);
    }
}
