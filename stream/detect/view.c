/* Views: folding what lies in a window, and the outputs over it. */
#include "detect/view.h"

#include "detect/statistics.h"

struct view *view_new(const struct group *group, struct arena *arena)
{
    struct view *view = arena_alloc(arena, sizeof *view);
    view->group = group;
    view->count = view->entries = view->pane_count = 0;
    view->pane_events = 0;
    view->capped = group->capped;
    view->first_ms = INT64_MAX;
    view->last_ms = INT64_MIN;
    view->contributions =
        arena_alloc(arena, (group->entry_count + group->pane_count + 1) * sizeof *view->contributions);
    view->panes = arena_alloc(arena, (group->pane_count + 1) * sizeof(struct pane *));
    view->folding = group->rule->type == DETECTOR_WINDOW;
    for (size_t i = 0; view->folding && i < group->rule->aggregate_count; i++)
        fold_init(&view->folds[i], group->rule->aggregates[i].function);
    return view;
}

void view_fini(struct view *view)
{
    for (size_t i = 0; view->folding && i < view->group->rule->aggregate_count; i++)
        fold_fini(&view->folds[i]);
}

static void see(struct view *view, int64_t first_ms, int64_t last_ms)
{
    if (first_ms < view->first_ms)
        view->first_ms = first_ms;
    if (last_ms > view->last_ms)
        view->last_ms = last_ms;
}

struct value view_value(const struct aggregate *aggregate, const struct event *event, struct arena *arena)
{
    if (aggregate->field >= 0)
        return event->values[aggregate->field];
    if (aggregate->expr == NULL)
        return value_null();
    return cel_eval(aggregate->expr, &(struct cel_frame){.event = event, .arena = arena});
}

void view_entry(struct view *view, const struct entry *entry, bool selected_now, struct arena *arena)
{
    const struct rule *rule = view->group->rule;
    struct event *event = detector_entry_event(entry, arena);
    for (size_t i = 0; view->folding && i < rule->aggregate_count; i++) {
        const struct aggregate *aggregate = &rule->aggregates[i];
        if (aggregate->detects && (entry->inputs >> aggregate->input & 1) != 0)
            fold_add(&view->folds[i], view_value(aggregate, event, arena));
    }
    view->contributions[view->count++] = (struct contribution){.event = event, .selected_now = selected_now};
    view->entries++;
    see(view, entry->time_ms, entry->time_ms);
}

void view_pane(struct view *view, struct pane *pane)
{
    for (size_t i = 0; view->folding && i < pane->fold_count; i++)
        fold_merge(&view->folds[i], &pane->folds[i]);
    view->pane_events += pane->events;
    see(view, pane->first_ms, pane->last_ms);
    view->panes[view->pane_count++] = pane;
}

struct view *view_span(const struct group *group, int64_t start_ms, int64_t end_ms, struct arena *arena)
{
    struct view *view = view_new(group, arena);
    view->capped = group_lacks(group, start_ms);
    for (size_t i = 0; i < group->entry_count; i++)
        if (group->entries[i].time_ms >= start_ms && group->entries[i].time_ms < end_ms)
            view_entry(view, &group->entries[i], false, arena);
    for (size_t i = 0; i < group->pane_count; i++)
        if (group->panes[i]->start_ms >= start_ms && group->panes[i]->start_ms < end_ms)
            view_pane(view, group->panes[i]);
    return view;
}

bool view_empty(const struct view *view)
{
    return view->entries + view->pane_count == 0;
}

void view_cheap_outputs(const struct view *view, struct value *slots)
{
    if (!view_empty(view)) {
        slots[OUT_FIRST_SEEN] = value_time_ms(view->first_ms);
        slots[OUT_LAST_SEEN] = value_time_ms(view->last_ms);
    }
    slots[OUT_EVENTS] = value_double((double)(view->entries + view->pane_events));
}

void view_outputs(struct view *view, struct arena *arena, struct value *slots)
{
    slots[OUT_GROUP] = group_key_values(view->group->key, arena);
    statistics_incidents(view->contributions, view->count, arena, slots);
    struct str *services = arena_alloc(arena, (view->pane_count * PANE_SERVICES_MAX + 1) * sizeof *services);
    size_t service_count = 0;
    for (size_t i = 0; i < view->pane_count; i++) {
        const struct pane *pane = view->panes[i];
        for (size_t k = 0; k < pane->service_count; k++)
            services[service_count++] = arena_str(arena, pane->services[k]);
        struct event *event = arena_alloc(arena, sizeof *event);
        struct str kept = arena_str(arena, buf_str(&pane->newest));
        struct reader r = reader_of(kept.p, kept.n);
        if (event_decode(&r, arena, event))
            view->contributions[view->count++] = (struct contribution){.event = event, .stands_for_many = true};
    }
    statistics_names(view->contributions, view->count, services, service_count, arena, slots);
}

static void note_slot(void *context, int slot)
{
    if (slot < OUT_FIXED_COUNT)
        *(uint32_t *)context |= UINT32_C(1) << slot;
}

static struct value result_of(struct view *view, size_t i, bool *approximate)
{
    const struct aggregate *aggregate = &view->group->rule->aggregates[i];
    if (aggregate->function == AGGREGATE_SHARE)
        return fold_share(&view->folds[aggregate->over], &view->folds[aggregate->of], approximate);
    return fold_result(&view->folds[i], approximate);
}

/* Outputs that take work are filled before `when` only if it reads them, which it seldom does, else once it is true. */
void view_evaluate(struct view *view, struct detector_context *context, struct evaluation *evaluation,
                   struct value *slots)
{
    const struct rule *rule = view->group->rule;
    const uint32_t cheap = UINT32_C(1) << OUT_FIRST_SEEN | UINT32_C(1) << OUT_LAST_SEEN | UINT32_C(1) << OUT_EVENTS;
    uint32_t read = 0;
    if (rule->when != NULL)
        cel_slots(rule->when, note_slot, &read);
    view_cheap_outputs(view, slots);
    if ((read & ~cheap) != 0)
        view_outputs(view, context->arena, slots);
    for (size_t i = 0; view->folding && i < rule->aggregate_count; i++)
        slots[rule_aggregate_slot(rule, i)] = result_of(view, i, &evaluation->approximate);
    evaluation->when = detector_when(context, view->group, evaluation);
    if (evaluation->when && (read & ~cheap) == 0)
        view_outputs(view, context->arena, slots);
    evaluation->contributions = view->contributions;
    evaluation->contribution_count = view->count;
    evaluation->occurrences = view->entries;
    evaluation->capped = view->capped;
}
