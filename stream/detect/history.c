/* Histories: what a rule's inputs selected, kept by UTC day for what `validate` compares. Nothing is evaluated.
 *
 * Rows and single events are entries, at most limits.window_events; what folds is merged into a pane a day, which is
 * written each time that a pane of map's closes. What has grown older than spec.history->keep_ms goes, at a midnight.
 */
#include "detect/history.h"

#include "detect/statistics.h"
#include "detect/view.h"

/* The midnight at which what lies at `time_ms` has been kept long enough. */
static int64_t forgotten_ms(const struct group *group, int64_t time_ms)
{
    return time_day(time_ms) + DAY_MS + group->rule->spec.history->keep_ms;
}

/* Keeps the timer no later than the oldest thing wants it, and the newest activity to the hour. */
static void touch(struct detector_context *context, struct group *group, int64_t held_ms, int64_t time_ms)
{
    int64_t due_ms = forgotten_ms(group, held_ms);
    bool sooner = due_ms < group->timer_ms;
    if (sooner)
        group->timer_ms = due_ms;
    if (!sooner && group->last_ms >= time_ms - HOUR_MS)
        return;
    group->last_ms = time_ms;
    group_save(group, context->state);
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    struct entry *entry = group_entry(group, event->time_ms, &event->at, false);
    if (selection.after == 0) {
        if (entry != NULL)
            group_entry_drop(group, context->state, (size_t)(entry - group->entries));
        return;
    }
    if (forgotten_ms(group, event->time_ms) <= time_ms)
        return;
    entry = group_entry(group, event->time_ms, &event->at, true);
    group_entry_set(group, context->state, entry, event, selection.after);
    if (detector_cap_entries(context, group))
        group_save(group, context->state);
    touch(context, group, event->time_ms, time_ms);
}

static void on_pane(struct detector_context *context, struct group *group, struct pane *pane)
{
    int64_t end_ms = span_pane(&group->rule->window, pane->start_ms).end_ms;
    pane->start_ms = time_day(pane->start_ms);
    int64_t start_ms = pane->start_ms;
    group_pane_take(group, context->state, pane);
    touch(context, group, start_ms, end_ms);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    int64_t kept_ms = time_ms - group->rule->spec.history->keep_ms;
    group_entries_expire(group, context->state, kept_ms - 1);
    group_panes_expire(group, context->state, kept_ms);
    int64_t oldest_ms = INT64_MAX;
    if (group->entry_count > 0)
        oldest_ms = group->entries[0].time_ms;
    if (group->pane_count > 0 && group->panes[0]->start_ms < oldest_ms)
        oldest_ms = group->panes[0]->start_ms;
    group->timer_ms = oldest_ms == INT64_MAX ? INT64_MAX : forgotten_ms(group, oldest_ms);
    if (group->timer_ms == INT64_MAX)
        group_remove(group, context->state);
    else
        group_save(group, context->state);
}

struct history_sum history_measure(const struct rule *history, const struct group *group, struct span span,
                                   struct arena *arena)
{
    struct history_sum sum = {.slot_count = rule_slot_count(history)};
    struct group none = {.rule = history};
    struct value *slots = arena_zalloc(arena, sum.slot_count * sizeof *slots);
    group = group != NULL ? group : &none;
    struct view *view = view_new(group, arena);
    for (size_t i = 0; i < group->entry_count; i++) {
        const struct entry *entry = &group->entries[i];
        if (entry->time_ms < span.start_ms || entry->time_ms >= span.end_ms)
            continue;
        sum.events++;
        if ((entry->inputs & history->spec.history->output_inputs) != 0)
            view_entry(view, entry, false, arena);
        else
            view_fold(view, entry, detector_entry_event(entry, arena), arena);
    }
    for (size_t i = 0; i < group->pane_count; i++)
        if (group->panes[i]->start_ms >= span.start_ms && group->panes[i]->start_ms < span.end_ms)
            view_pane(view, group->panes[i]);
    sum.events += view->pane_events;
    sum.capped = group_lacks(group, span.start_ms);
    view_cheap_outputs(view, slots);
    statistics_incidents(view->contributions, view->count, arena, slots);
    view_results(view, &sum.approximate, slots);
    view_fini(view);
    sum.slots = slots;
    return sum;
}

const struct detector_ops detector_history_days = {.on_event = on_event, .on_pane = on_pane, .on_timer = on_timer};
