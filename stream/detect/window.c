/* The window detector: functions over the rows, events and panes of one group in one stretch of time.
 *
 * Sliding windows hold entries and are evaluated at each of them, over (t - size, t]. Hopping ones hold entries of rows
 * and panes of telemetry, and are evaluated once, when time passes a window's end + wait, up to and including the first
 * empty window. An evaluation is O(entries + panes) of the window; memory is bounded by limits.window_events entries
 * and size / pane panes a group.
 */
#include "detect/detector.h"
#include "detect/statistics.h"

bool detector_folds(const struct rule *rule, const struct rule_input *input)
{
    return rule->window.kind == WINDOW_HOPPING && (!input->stream->rows || input->updates);
}

/* What lies in the window being evaluated. */
struct view {
    struct fold folds[RULE_AGGREGATES_MAX];
    struct contribution *contributions;
    size_t count;
    size_t entries; /* of the contributions, how many are entries */
    struct pane **panes;
    size_t pane_count;
    uint64_t pane_events;
    int64_t first_ms;
    int64_t last_ms;
    struct str *services; /* seen by panes */
    size_t service_count;
};

static void see(struct view *view, int64_t first_ms, int64_t last_ms)
{
    if (first_ms < view->first_ms)
        view->first_ms = first_ms;
    if (last_ms > view->last_ms)
        view->last_ms = last_ms;
}

/* The event with all it refers to in the arena: what it was decoded from may leave the window in this very call. */
static struct event *decode_event(struct str bytes, struct arena *arena)
{
    struct event *event = arena_alloc(arena, sizeof *event);
    struct str kept = arena_str(arena, bytes);
    struct reader r = reader_of(kept.p, kept.n);
    return event_decode(&r, arena, event) ? event : NULL;
}

static void view_entry(struct view *view, const struct rule *rule, const struct entry *entry, uint16_t selected_now,
                       struct arena *arena)
{
    struct event *event = decode_event(entry->event, arena);
    ASSERT(event != NULL); /* written by group_entry_set, and checked when loaded */
    event->time_ms = entry->time_ms;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        const struct aggregate *aggregate = &rule->aggregates[i];
        if (!aggregate->detects || (entry->inputs >> aggregate->input & 1) == 0)
            continue;
        struct value v = value_null();
        if (aggregate->field >= 0)
            v = event->values[aggregate->field];
        else if (aggregate->expr != NULL)
            v = cel_eval(aggregate->expr, &(struct cel_frame){.event = event, .arena = arena});
        fold_add(&view->folds[i], v);
    }
    view->contributions[view->count++] = (struct contribution){.event = event, .selected_now = selected_now != 0};
    view->entries++;
    see(view, entry->time_ms, entry->time_ms);
}

static void view_pane(struct view *view, struct pane *pane)
{
    for (size_t i = 0; i < pane->fold_count; i++)
        fold_merge(&view->folds[i], &pane->folds[i]);
    view->pane_events += pane->events;
    see(view, pane->first_ms, pane->last_ms);
    view->panes[view->pane_count++] = pane;
}

/* What only a true evaluation, or a `when` that asks, needs of the panes: services and evidence. */
static void view_pane_names(struct view *view, struct arena *arena)
{
    view->services = arena_alloc(arena, (view->pane_count * PANE_SERVICES_MAX + 1) * sizeof *view->services);
    for (size_t i = 0; i < view->pane_count; i++) {
        const struct pane *pane = view->panes[i];
        for (size_t k = 0; k < pane->service_count; k++)
            view->services[view->service_count++] = arena_str(arena, pane->services[k]);
        struct event *event = decode_event(buf_str(&pane->newest), arena);
        if (event != NULL)
            view->contributions[view->count++] = (struct contribution){.event = event, .stands_for_many = true};
    }
}

static struct view *view_new(const struct group *group, struct arena *arena)
{
    struct view *view = arena_alloc(arena, sizeof *view);
    view->count = view->entries = view->service_count = view->pane_count = 0;
    view->pane_events = 0;
    view->first_ms = INT64_MAX;
    view->last_ms = INT64_MIN;
    view->contributions =
        arena_alloc(arena, (group->entry_count + group->pane_count + 1) * sizeof *view->contributions);
    view->panes = arena_alloc(arena, (group->pane_count + 1) * sizeof(struct pane *));
    for (size_t i = 0; i < group->rule->aggregate_count; i++)
        fold_init(&view->folds[i], group->rule->aggregates[i].function);
    return view;
}

static void note_slot(void *context, int slot)
{
    if (slot < OUT_FIXED_COUNT)
        *(uint32_t *)context |= UINT32_C(1) << slot;
}

/* Outputs that take work, which `when` seldom reads: filled before it if it does, else only once it is true. */
static void fill_outputs(struct group *group, struct view *view, struct arena *arena, struct value *slots)
{
    slots[OUT_GROUP] = group_key_values(group->key, arena);
    statistics_incidents(view->contributions, view->count, arena, slots);
    view_pane_names(view, arena);
    statistics_names(view->contributions, view->count, view->services, view->service_count, arena, slots);
}

/* Fills the slots and decides `when`; frees the folds. */
static void evaluate(struct detector_context *context, struct group *group, struct view *view, struct evaluation *out)
{
    const struct rule *rule = group->rule;
    struct value *slots = arena_zalloc(context->arena, (OUT_FIXED_COUNT + rule->aggregate_count) * sizeof *slots);
    const uint32_t cheap = UINT32_C(1) << OUT_FIRST_SEEN | UINT32_C(1) << OUT_LAST_SEEN | UINT32_C(1) << OUT_EVENTS;
    uint32_t read = 0;
    cel_slots(rule->when, note_slot, &read);
    if (view->entries + view->pane_count > 0) {
        slots[OUT_FIRST_SEEN] = value_time_ms(view->first_ms);
        slots[OUT_LAST_SEEN] = value_time_ms(view->last_ms);
    }
    slots[OUT_EVENTS] = value_double((double)(view->entries + view->pane_events));
    if ((read & ~cheap) != 0)
        fill_outputs(group, view, context->arena, slots);
    out->approximate = false;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        slots[OUT_FIXED_COUNT + i] = fold_result(&view->folds[i], &out->approximate);
        fold_fini(&view->folds[i]);
    }
    struct cel_frame frame = {
        .slots = slots, .slot_count = OUT_FIXED_COUNT + rule->aggregate_count, .arena = context->arena};
    out->when =
        cel_eval_bool(rule->when, &frame, &context->counters->when_errors, &context->counters->when_null_errors);
    if (out->when && (read & ~cheap) == 0)
        fill_outputs(group, view, context->arena, slots);
    out->slots = slots;
    out->slot_count = frame.slot_count;
    out->contributions = view->contributions;
    out->contribution_count = view->count;
    out->occurrences = view->entries;
    out->capped = group->capped;
}

/* Keeps the newest `max` entries: the oldest goes, counted. */
static void cap_entries(struct detector_context *context, struct group *group)
{
    while ((int64_t)group->entry_count > context->window_events_max) {
        group_entry_drop(group, context->state, 0);
        context->counters->entries_dropped++;
        group->capped = true;
    }
}

static bool sliding_evaluate(struct detector_context *context, struct group *group, const struct event *event,
                             struct selection selection, int64_t time_ms, struct evaluation *out)
{
    struct view *view = view_new(group, context->arena);
    uint16_t selected_now = selection.after & (uint16_t)~selection.before;
    bool inside = event->time_ms > time_ms - group->rule->window.size_ms;
    bool others = false; /* the window without what was newly selected holds something */
    for (size_t i = 0; i < group->entry_count; i++) {
        const struct entry *entry = &group->entries[i];
        bool same = entry->time_ms == event->time_ms && position_order(&entry->at, &event->at) == 0;
        view_entry(view, group->rule, entry, same ? selected_now : 0, context->arena);
        others = others || !same || selection.before != 0;
    }
    out->sliding = true;
    out->time_ms = time_ms;
    evaluate(context, group, view, out);
    bool previous = group->previous && (others || selected_now == 0);
    bool selected = selected_now != 0 && inside;
    bool fires_nothing = selected_now != 0 && !inside;
    out->firing = out->when && !fires_nothing && (selected || !previous);
    out->detection = out->firing && !previous;
    if (fires_nothing)
        group->previous = previous && out->when;
    else if (selected_now == 0 && selection.before == selection.after) /* a change turns `when` true, never false */
        group->previous = previous || out->when;
    else
        group->previous = out->when;
    return true;
}

static bool sliding_event(struct detector_context *context, struct group *group, const struct event *event,
                          struct selection selection, int64_t time_ms, struct evaluation *out)
{
    int64_t size_ms = group->rule->window.size_ms;
    group_entries_expire(group, context->state, time_ms - size_ms);
    bool inside = event->time_ms > time_ms - size_ms;
    struct entry *entry = group_entry(group, event->time_ms, &event->at, inside && selection.after != 0);
    if (entry != NULL && selection.after != 0)
        group_entry_set(group, context->state, entry, event, selection.after);
    else if (entry != NULL)
        group_entry_drop(group, context->state, (size_t)(entry - group->entries));
    cap_entries(context, group);
    bool evaluated = sliding_evaluate(context, group, event, selection, time_ms, out);
    if (group->entry_count == 0 && group->timer_ms == INT64_MAX)
        return evaluated; /* a row outside the window of a group that is not known: nothing to keep */
    group->last_ms = time_ms;
    /* When the newest entry has left, the group is as one that was never seen. */
    group->timer_ms = group->entry_count == 0 ? time_ms + 1 : group->entries[group->entry_count - 1].time_ms + size_ms;
    group_save(group, context->state);
    return evaluated;
}

/* The first window end above `after_ms` of windows [k slide, k slide + size). */
static int64_t window_end_after(const struct window *window, int64_t after_ms)
{
    return (floor_div(after_ms - window->size_ms, window->slide_ms) + 1) * window->slide_ms + window->size_ms;
}

/* Makes sure that the group is evaluated at the first window that holds `event_ms` and is still open at `time_ms`;
 * false: every window that holds it was evaluated already. */
static bool hopping_arm(struct group *group, int64_t event_ms, int64_t time_ms)
{
    const struct window *window = &group->rule->window;
    int64_t end_ms = window_end_after(window, event_ms);
    int64_t open_ms = window_end_after(window, time_ms - window->wait_ms);
    if (end_ms < open_ms)
        end_ms = open_ms;
    if (end_ms - window->size_ms > event_ms)
        return false;
    if (end_ms + window->wait_ms < group->timer_ms)
        group->timer_ms = end_ms + window->wait_ms;
    return true;
}

static bool hopping_event(struct detector_context *context, struct group *group, const struct event *event,
                          struct selection selection, int64_t time_ms)
{
    int64_t timer_ms = group->timer_ms;
    struct entry *entry = group_entry(group, event->time_ms, &event->at, false);
    if (selection.after != 0 && hopping_arm(group, event->time_ms, time_ms)) {
        entry = group_entry(group, event->time_ms, &event->at, true);
        group_entry_set(group, context->state, entry, event, selection.after);
    } else if (entry != NULL) {
        group_entry_drop(group, context->state, (size_t)(entry - group->entries));
    }
    cap_entries(context, group);
    if (group->timer_ms == INT64_MAX)
        return false; /* not known, and nothing of it will be evaluated */
    if (group->timer_ms != timer_ms || time_ms - group->last_ms > HOUR_MS) {
        group->last_ms = time_ms;
        group_save(group, context->state);
    }
    return false;
}

static void window_on_pane(struct detector_context *context, struct group *group, struct pane *pane)
{
    int64_t timer_ms = group->timer_ms;
    int64_t end_ms = pane->start_ms + group->rule->window.pane_ms;
    (void)hopping_arm(group, pane->start_ms, end_ms - 1);
    group_pane_take(group, context->state, pane);
    if (group->timer_ms != timer_ms || end_ms - group->last_ms > HOUR_MS) {
        group->last_ms = end_ms;
        group_save(group, context->state);
    }
}

/* The window [end - size, end). */
static struct view *hopping_view(struct detector_context *context, struct group *group, int64_t end_ms)
{
    struct view *view = view_new(group, context->arena);
    int64_t from_ms = end_ms - group->rule->window.size_ms;
    for (size_t i = 0; i < group->entry_count; i++)
        if (group->entries[i].time_ms >= from_ms && group->entries[i].time_ms < end_ms)
            view_entry(view, group->rule, &group->entries[i], 0, context->arena);
    for (size_t i = 0; i < group->pane_count; i++)
        if (group->panes[i]->start_ms >= from_ms && group->panes[i]->start_ms < end_ms)
            view_pane(view, group->panes[i]);
    return view;
}

static bool hopping_timer(struct detector_context *context, struct group *group, int64_t time_ms,
                          struct evaluation *out)
{
    const struct window *window = &group->rule->window;
    int64_t end_ms = time_ms - window->wait_ms;
    struct view *view = hopping_view(context, group, end_ms);
    bool empty = view->entries + view->pane_count == 0;
    out->sliding = false;
    out->time_ms = time_ms;
    evaluate(context, group, view, out);
    bool old_previous = group->previous;
    /* A window before this one that was empty, or not evaluated, counts as false. */
    bool previous = old_previous && group->evaluated_ms == end_ms - window->slide_ms;
    out->firing = out->when;
    out->detection = out->firing && !previous;
    group->previous = out->when && !empty;
    group->evaluated_ms = end_ms;
    group->timer_ms = empty ? INT64_MAX : time_ms + window->slide_ms;
    group_entries_expire(group, context->state, end_ms + window->slide_ms - window->size_ms - 1);
    group_panes_expire(group, context->state, end_ms + window->slide_ms - window->size_ms);
    /* What is ahead of an empty window waits for its own. */
    if (empty && group->entry_count > 0)
        (void)hopping_arm(group, group->entries[0].time_ms, time_ms);
    if (empty && group->pane_count > 0)
        (void)hopping_arm(group, group->panes[0]->start_ms, time_ms);
    /* An evaluation that changes nothing follows from the time alone (group_load): only a change is worth a write. */
    group->unsaved = true;
    if (empty && group->timer_ms == INT64_MAX)
        group_remove(group, context->state);
    else if (empty || group->previous != old_previous)
        group_save(group, context->state);
    return true;
}

static bool window_on_event(struct detector_context *context, struct group *group, const struct event *event,
                            struct selection selection, int64_t time_ms, struct evaluation *out)
{
    if (group->rule->window.kind == WINDOW_SLIDING)
        return sliding_event(context, group, event, selection, time_ms, out);
    return hopping_event(context, group, event, selection, time_ms);
}

static bool window_on_timer(struct detector_context *context, struct group *group, int64_t time_ms,
                            struct evaluation *out)
{
    if (group->rule->window.kind == WINDOW_HOPPING)
        return hopping_timer(context, group, time_ms, out);
    group_remove(group, context->state);
    return false;
}

const struct detector_ops detector_window = {window_on_event, window_on_pane, window_on_timer};
