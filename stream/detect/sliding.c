/* Sliding windows: functions over the rows and events of one group in (t - size, t], evaluated at each of them.
 *
 * Holds an entry a row or event, at most limits.window_events of them. An evaluation is O(entries).
 */
#include "detect/view.h"

static void evaluate(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    struct view *view = view_new(group, context->arena);
    uint16_t selected_now = selection.after & (uint16_t)~selection.before;
    int64_t start_ms = time_ms - group->rule->window.size_ms + 1;
    bool inside = event->time_ms >= start_ms;
    bool others = false; /* the window without what was newly selected holds something */
    for (size_t i = 0; i < group->entry_count; i++) {
        const struct entry *entry = &group->entries[i];
        bool same = entry->time_ms == event->time_ms && position_order(&entry->at, &event->at) == 0;
        view_entry(view, entry, same && selected_now != 0, context->arena);
        others = others || !same || selection.before != 0;
    }
    view->capped = group_lacks(group, start_ms);
    struct value *slots = NULL;
    struct evaluation *out = detector_evaluation(context, group, time_ms, &slots);
    out->sliding = true;
    view_evaluate(view, context, out, slots);
    view_fini(view);
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
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    int64_t size_ms = group->rule->window.size_ms;
    group_entries_expire(group, context->state, time_ms - size_ms);
    bool inside = event->time_ms > time_ms - size_ms;
    struct entry *entry = group_entry(group, event->time_ms, &event->at, inside && selection.after != 0);
    if (entry != NULL && selection.after != 0)
        group_entry_set(group, context->state, entry, event, selection.after);
    else if (entry != NULL)
        group_entry_drop(group, context->state, (size_t)(entry - group->entries));
    (void)detector_cap_entries(context, group);
    evaluate(context, group, event, selection, time_ms);
    if (group->entry_count == 0 && group->timer_ms == INT64_MAX)
        return; /* a row outside the window of a group that is not known: nothing to keep */
    group->last_ms = time_ms;
    /* When the newest entry has left, the group is as one that was never seen. */
    group->timer_ms = group->entry_count == 0 ? time_ms + 1 : group->entries[group->entry_count - 1].time_ms + size_ms;
    group_save(group, context->state);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    (void)time_ms;
    group_remove(group, context->state);
}

const struct detector_ops detector_sliding = {.on_event = on_event, .on_timer = on_timer};
