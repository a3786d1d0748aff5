/* Hopping, tumbling and calendar windows: entries of rows, and panes of telemetry, evaluated once when time passes a
 * window's end + wait, up to and including the first empty window.
 *
 * Where windows look back (ago), what none of them holds any more is kept for as long as one can look back on it. A
 * group with nothing else is dormant: it is not evaluated, and its timer removes it.
 *
 * Holds at most limits.window_events entries, and a pane a stretch of window.pane_ms. An evaluation is O(entries +
 * panes) of the window and of those that it looks back on.
 */
#include "detect/hopping.h"
#include "detect/ago.h"

/* Makes sure that the group is evaluated at the first window that holds `event_ms` and is still open at `time_ms`;
 * false: every window that holds it was evaluated already. */
static bool arm(struct group *group, int64_t event_ms, int64_t time_ms)
{
    const struct window *window = &group->rule->window;
    int64_t end_ms = span_end_after(window, event_ms);
    int64_t open_ms = span_end_after(window, time_ms - window->wait_ms);
    if (end_ms < open_ms)
        end_ms = open_ms;
    if (span_start(window, end_ms) > event_ms)
        return false;
    if (group->dormant || end_ms + window->wait_ms < group->timer_ms)
        group->timer_ms = end_ms + window->wait_ms;
    group->dormant = false;
    return true;
}

/* The earliest time that the window which ends at `end_ms`, or a later one, looks at. */
static int64_t needed_from(const struct rule *rule, int64_t end_ms)
{
    return span_start(&rule->window, span_end_ago(&rule->window, end_ms, rule->look_back_ms));
}

/* Nothing in the group waits for its window. */
static void fall_dormant(struct group *group)
{
    const struct rule *rule = group->rule;
    int64_t newest_ms = INT64_MIN;
    if (group->entry_count > 0)
        newest_ms = group->entries[group->entry_count - 1].time_ms;
    if (group->pane_count > 0 && group->panes[group->pane_count - 1]->start_ms > newest_ms)
        newest_ms = group->panes[group->pane_count - 1]->start_ms;
    group->timer_ms = span_end_last(&rule->window, newest_ms, rule->look_back_ms) + rule->window.wait_ms;
    group->dormant = true;
}

/* Makes sure that the row or event is there for the windows that hold it or look back on it; false: there are none. */
static bool wait_for(struct group *group, int64_t event_ms, int64_t time_ms)
{
    const struct rule *rule = group->rule;
    if (arm(group, event_ms, time_ms))
        return true;
    return rule->look_back_ms > 0 &&
           event_ms >= needed_from(rule, span_end_after(&rule->window, time_ms - rule->window.wait_ms));
}

void hopping_on_event(struct detector_context *context, struct group *group, const struct event *event,
                      struct selection selection, int64_t time_ms)
{
    int64_t timer_ms = group->timer_ms;
    bool dormant = group->dormant;
    struct entry *entry = group_entry(group, event->time_ms, &event->at, false);
    bool kept = selection.after != 0 && wait_for(group, event->time_ms, time_ms);
    if (kept) {
        entry = group_entry(group, event->time_ms, &event->at, true);
        group_entry_set(group, context->state, entry, event, selection.after);
    } else if (entry != NULL) {
        group_entry_drop(group, context->state, (size_t)(entry - group->entries));
    }
    bool dropped = detector_cap_entries(context, group);
    if (kept && (group->dormant || group->timer_ms == INT64_MAX))
        fall_dormant(group);
    if (group->timer_ms == INT64_MAX)
        return; /* not known, and nothing of it will be evaluated */
    if (dropped || group->timer_ms != timer_ms || group->dormant != dormant || group->last_ms < time_ms - HOUR_MS) {
        group->last_ms = time_ms;
        group_save(group, context->state);
    }
}

void hopping_on_pane(struct detector_context *context, struct group *group, struct pane *pane)
{
    int64_t timer_ms = group->timer_ms;
    bool dormant = group->dormant;
    int64_t end_ms = span_pane(&group->rule->window, pane->start_ms).end_ms;
    (void)arm(group, pane->start_ms, end_ms - 1);
    group_pane_take(group, context->state, pane);
    if (group->timer_ms != timer_ms || group->dormant != dormant || group->last_ms < end_ms - HOUR_MS) {
        group->last_ms = end_ms;
        group_save(group, context->state);
    }
}

/* Decides the window that ends at `end_ms`; true: it was empty. */
static bool evaluate(struct detector_context *context, struct group *group, int64_t end_ms, hopping_measure measure)
{
    const struct window *window = &group->rule->window;
    struct span span = {span_start(window, end_ms), end_ms};
    struct evaluation *out = NULL;
    struct value *slots = NULL;
    int64_t needed_ms = window->least_ms > 0 ? end_ms - window->least_ms : span.start_ms;
    bool scores = group->rule->scorecard != NULL; /* shown at once, over what has come since */
    if (scores || (needed_ms >= context->since_ms && ago_is_known(context, group, end_ms)))
        out = detector_evaluation(context, group, end_ms + window->wait_ms, &slots);
    bool empty = measure(context, group, span, out, slots);
    if (out != NULL) {
        /* A window before this one that was empty, or not evaluated, counts as false. */
        bool previous = group->previous && span_next_end(window, group->evaluated_ms) == end_ms;
        out->firing = out->when && !scores;
        out->detection = out->firing && !previous;
        group->previous = out->when && !empty;
    }
    group->evaluated_ms = end_ms;
    return empty;
}

/* What is ahead of an empty window waits for its own. */
static void wait_on(struct group *group, int64_t next_ms, int64_t time_ms)
{
    int64_t start_ms = span_start(&group->rule->window, next_ms);
    size_t entry = group_first_entry(group, start_ms);
    size_t pane = group_first_pane(group, start_ms);
    if (entry < group->entry_count)
        (void)arm(group, group->entries[entry].time_ms, time_ms);
    if (pane < group->pane_count)
        (void)arm(group, group->panes[pane]->start_ms, time_ms);
    if (group->timer_ms == INT64_MAX && group->entry_count + group->pane_count > 0)
        fall_dormant(group);
}

void hopping_timer(struct detector_context *context, struct group *group, int64_t time_ms, hopping_measure measure)
{
    const struct window *window = &group->rule->window;
    if (group->dormant) {
        group_remove(group, context->state);
        return;
    }
    int64_t end_ms = time_ms - window->wait_ms;
    int64_t next_ms = span_next_end(window, end_ms);
    bool old_previous = group->previous;
    bool empty = evaluate(context, group, end_ms, measure);
    group->timer_ms = empty ? INT64_MAX : next_ms + window->wait_ms;
    int64_t needed_ms = needed_from(group->rule, next_ms);
    group_entries_expire(group, context->state, needed_ms - 1);
    group_panes_expire(group, context->state, needed_ms);
    if (empty)
        wait_on(group, next_ms, time_ms);
    /* An evaluation that changes nothing follows from the time alone (group_timer_at): only a change is worth a write.
     */
    if (empty && group->timer_ms == INT64_MAX)
        group_remove(group, context->state);
    else if (empty || group->previous != old_previous)
        group_save(group, context->state);
}

static bool measure(struct detector_context *context, struct group *group, struct span window, struct evaluation *out,
                    struct value *slots)
{
    struct view *view = view_span(group, window, view_functions_of(group->rule), context->arena);
    bool empty = view_empty(view);
    if (out != NULL) {
        if (ago_is_known(context, group, window.end_ms)) /* a scorecard is shown before it has a past */
            ago_evaluate(context, group, window.end_ms, out, slots);
        view_evaluate(view, context, out, slots);
    }
    view_fini(view);
    return empty;
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    hopping_timer(context, group, time_ms, measure);
}

const struct detector_ops detector_hopping = {
    .on_event = hopping_on_event, .on_pane = hopping_on_pane, .on_timer = on_timer, .blind = true};
