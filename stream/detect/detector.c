/* What all detectors share: which one a rule has, and a call's results. */
#include "detect/detector.h"

const struct detector_ops *detector_of(const struct rule *rule)
{
    switch (rule->type) {
    case DETECTOR_WINDOW:
        return rule->window.kind == WINDOW_SLIDING   ? &detector_sliding
               : rule->window.kind == WINDOW_SESSION ? &detector_session
                                                     : &detector_hopping;
    case DETECTOR_SEQUENCE:
        return &detector_sequence;
    case DETECTOR_ABSENCE:
        return &detector_absence;
    case DETECTOR_CASCADE:
        return &detector_cascade;
    case DETECTOR_NEW_VALUE:
        return &detector_new_value;
    case DETECTOR_REVERT:
        return &detector_revert;
    case DETECTOR_TREND:
        return &detector_trend;
    case DETECTOR_BURN_RATE:
        return &detector_burn_rate;
    case DETECTOR_HISTORY:
        return &detector_history_days;
    default:
        return NULL;
    }
}

bool detector_folds(const struct rule *rule, const struct rule_input *input)
{
    bool plain = !input->stream->rows || input->updates;
    switch (rule->type) {
    case DETECTOR_WINDOW:
        return plain && (rule->window.kind == WINDOW_HOPPING || rule->window.kind == WINDOW_CALENDAR);
    case DETECTOR_HISTORY:
        return plain;
    case DETECTOR_TREND: /* its resets are needed one by one */
        return plain && input == &rule->inputs[rule->spec.trend->of];
    case DETECTOR_BURN_RATE:
        return plain;
    default:
        return false;
    }
}

struct evaluation *detector_evaluation(struct detector_context *context, const struct group *group, int64_t time_ms,
                                       struct value **slots)
{
    if (context->evaluation_count == context->evaluation_cap) {
        size_t cap = context->evaluation_cap == 0 ? 4 : context->evaluation_cap * 2;
        struct evaluation **grown = arena_alloc(context->arena, cap * sizeof(struct evaluation *));
        if (context->evaluation_count > 0)
            memcpy(grown, context->evaluations, context->evaluation_count * sizeof(struct evaluation *));
        context->evaluations = grown;
        context->evaluation_cap = cap;
    }
    struct evaluation *evaluation = arena_zalloc(context->arena, sizeof *evaluation);
    size_t slot_count = rule_slot_count(group->rule);
    *slots = arena_zalloc(context->arena, slot_count * sizeof **slots);
    evaluation->time_ms = time_ms;
    evaluation->slots = *slots;
    evaluation->slot_count = slot_count;
    context->evaluations[context->evaluation_count++] = evaluation;
    return evaluation;
}

int64_t detector_history(const struct detector_context *context, const struct rule_input *input, int64_t time_ms)
{
    int64_t first_ms = context->first_ms == NULL ? INT64_MAX : context->first_ms[input->stream->id];
    if (first_ms == INT64_MAX)
        return -1;
    return time_ms - (first_ms > context->since_ms ? first_ms : context->since_ms);
}

bool detector_when(struct detector_context *context, const struct group *group, const struct evaluation *evaluation)
{
    if (group->rule->when == NULL)
        return true;
    struct cel_frame frame = {
        .slots = evaluation->slots, .slot_count = evaluation->slot_count, .arena = context->arena};
    return cel_eval_bool(group->rule->when, &frame, &context->counters->when_errors,
                         &context->counters->when_null_errors);
}

struct event *detector_entry_event(const struct entry *entry, struct arena *arena)
{
    struct event *event = arena_alloc(arena, sizeof *event);
    struct str kept = arena_str(arena, entry->event);
    struct reader r = reader_of(kept.p, kept.n);
    bool good = event_decode(&r, arena, event);
    ASSERT(good); /* written by group_entry_set, and checked when loaded */
    return event;
}

bool detector_cap_entries(struct detector_context *context, struct group *group)
{
    bool any = false;
    for (; (int64_t)group->entry_count > context->window_events_max; any = true) {
        if (group->entries[0].time_ms > group->dropped_ms)
            group->dropped_ms = group->entries[0].time_ms;
        group_entry_drop(group, context->state, 0);
        context->counters->entries_dropped++;
        group->capped = true;
    }
    return any;
}
