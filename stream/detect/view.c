/* Views: folding what lies in a window, and the outputs over it. */
#include "detect/view.h"

#include "detect/statistics.h"

_Static_assert(RULE_AGGREGATES_MAX <= 32, "a bit for each function");

uint32_t view_functions_of(const struct rule *rule)
{
    uint32_t functions = 0;
    bool folding = rule->type == DETECTOR_WINDOW || rule->type == DETECTOR_HISTORY;
    for (size_t i = 0; folding && i < rule->aggregate_count; i++)
        if (rule->aggregates[i].detects && rule->aggregates[i].function != AGGREGATE_AGO)
            functions |= UINT32_C(1) << i;
    return functions;
}

static bool folds(const struct view *view, size_t i)
{
    return (view->functions >> i & 1) != 0;
}

/* What the shares among the functions compare. */
static uint32_t parts_of(const struct rule *rule, uint32_t functions)
{
    uint32_t parts = 0;
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if ((functions >> i & 1) != 0 && rule->aggregates[i].function == AGGREGATE_SHARE)
            parts |= UINT32_C(1) << rule->aggregates[i].over | UINT32_C(1) << rule->aggregates[i].of;
    return parts;
}

static struct view *begin(const struct group *group, uint32_t functions, size_t contributions, struct arena *arena)
{
    struct view *view = arena_alloc(arena, sizeof *view);
    view->group = group;
    view->count = view->entries = view->pane_count = 0;
    view->pane_events = 0;
    view->capped = group->capped;
    view->first_ms = INT64_MAX;
    view->last_ms = INT64_MIN;
    view->contributions = arena_alloc(arena, (contributions + 1) * sizeof *view->contributions);
    view->panes = arena_alloc(arena, (contributions + 1) * sizeof(struct pane *));
    view->functions = functions | parts_of(group->rule, functions);
    for (size_t i = 0; i < group->rule->aggregate_count; i++)
        if (folds(view, i))
            fold_init(&view->folds[i], group->rule->aggregates[i].function);
    return view;
}

struct view *view_new(const struct group *group, struct arena *arena)
{
    return begin(group, view_functions_of(group->rule), group->entry_count + group->pane_count, arena);
}

void view_fini(struct view *view)
{
    for (size_t i = 0; i < view->group->rule->aggregate_count; i++)
        if (folds(view, i))
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

void view_fold(struct view *view, const struct entry *entry, const struct event *event, struct arena *arena)
{
    const struct rule *rule = view->group->rule;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        const struct aggregate *aggregate = &rule->aggregates[i];
        if (folds(view, i) && (entry->inputs >> aggregate->input & 1) != 0)
            fold_add(&view->folds[i], view_value(aggregate, event, arena));
    }
}

void view_entry(struct view *view, const struct entry *entry, bool selected_now, struct arena *arena)
{
    struct event *event = detector_entry_event(entry, arena);
    view_fold(view, entry, event, arena);
    view->contributions[view->count++] = (struct contribution){.event = event, .selected_now = selected_now};
    view->entries++;
    see(view, entry->time_ms, entry->time_ms);
}

void view_pane(struct view *view, struct pane *pane)
{
    for (size_t i = 0; i < pane->fold_count; i++)
        if (folds(view, i))
            fold_merge(&view->folds[i], &pane->folds[i]);
    view->pane_events += pane->events;
    see(view, pane->first_ms, pane->last_ms);
    view->panes[view->pane_count++] = pane;
}

struct view *view_span(const struct group *group, struct span span, uint32_t functions, struct arena *arena)
{
    size_t entry = group_first_entry(group, span.start_ms);
    size_t entry_end = group_first_entry(group, span.end_ms);
    size_t pane = group_first_pane(group, span.start_ms);
    size_t pane_end = group_first_pane(group, span.end_ms);
    struct view *view = begin(group, functions, entry_end - entry + pane_end - pane, arena);
    view->capped = group_lacks(group, span.start_ms);
    for (; entry < entry_end; entry++)
        view_entry(view, &group->entries[entry], false, arena);
    for (; pane < pane_end; pane++)
        view_pane(view, group->panes[pane]);
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

void view_results(struct view *view, bool *approximate, struct value *slots)
{
    for (size_t i = 0; i < view->group->rule->aggregate_count; i++)
        if (folds(view, i))
            slots[rule_aggregate_slot(view->group->rule, i)] = result_of(view, i, approximate);
}

/* Outputs that take work are filled before `when` only if it reads them, which it seldom does, else once it is true. */
void view_evaluate(struct view *view, struct detector_context *context, struct evaluation *evaluation,
                   struct value *slots)
{
    const struct rule *rule = view->group->rule;
    uint32_t read = 0;
    if (rule->when != NULL)
        cel_slots(rule->when, note_slot, &read);
    view_cheap_outputs(view, slots);
    if ((read & ~OUTPUTS_CHEAP) != 0)
        view_outputs(view, context->arena, slots);
    view_results(view, &evaluation->approximate, slots);
    evaluation->when = detector_when(context, view->group, evaluation);
    if (evaluation->when && rule->shows_events && (read & ~OUTPUTS_CHEAP) == 0)
        view_outputs(view, context->arena, slots);
    evaluation->contributions = view->contributions;
    evaluation->contribution_count = view->count;
    evaluation->occurrences = view->entries;
    evaluation->capped |= view->capped;
}
