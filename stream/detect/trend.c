/* `trend`: a line through the medians of a window's steps, and how long it takes to the limit.
 *
 * Steps are counted from the window's start; only those count that lie wholly in the window, begin at or after its
 * newest reset, and hold a value. There is no forecast with fewer than min_points of them, where the line fits worse
 * than min_fit, or where two levels fit better than the line: a series that has shifted once is not on its way.
 *
 * Panes fold the values (p50), so an evaluation is O(panes + entries + steps^2), with at most RULE_TREND_STEPS_MAX
 * steps; what a group holds is what hopping windows hold, resets being entries.
 */
#include "detect/hopping.h"
#include "detect/line.h"

#include <math.h>

enum trend_output { TREND_SLOPE_PER_HOUR, TREND_FIT, TREND_CURRENT, TREND_ETA };

/* CEL's durations reach 10,000 years; what lies further off never comes. */
static const double ETA_MS_MAX = 315576000000000.0;

/* Where the series starts: the window's start, or its newest reset. */
static int64_t start_of(const struct group *group, const struct trend_spec *spec, struct span window)
{
    int64_t start_ms = window.start_ms;
    for (size_t i = 0; spec->reset >= 0 && i < group->entry_count; i++) {
        const struct entry *entry = &group->entries[i];
        if ((entry->inputs >> spec->reset & 1) != 0 && entry->time_ms >= start_ms && entry->time_ms < window.end_ms)
            start_ms = entry->time_ms;
    }
    return start_ms;
}

/* The next panes and entries of the group, in order of time. */
struct cursor {
    size_t pane;
    size_t entry;
};

/* The median of what lies in [start, end); NaN: nothing. Moves the cursor to `end`. */
static double median_of(const struct group *group, struct span step, struct cursor *cursor, bool *approximate,
                        struct arena *arena)
{
    const struct trend_spec *spec = group->rule->spec.trend;
    const struct aggregate *aggregate = &group->rule->aggregates[spec->value_aggregate];
    struct fold fold;
    fold_init(&fold, AGGREGATE_P50);
    for (; cursor->pane < group->pane_count && group->panes[cursor->pane]->start_ms < step.end_ms; cursor->pane++)
        if (group->panes[cursor->pane]->start_ms >= step.start_ms)
            fold_merge(&fold, &group->panes[cursor->pane]->folds[spec->value_aggregate]);
    for (; cursor->entry < group->entry_count && group->entries[cursor->entry].time_ms < step.end_ms; cursor->entry++) {
        const struct entry *entry = &group->entries[cursor->entry];
        if (entry->time_ms >= step.start_ms && (entry->inputs >> spec->of & 1) != 0)
            fold_add(&fold, view_value(aggregate, detector_entry_event(entry, arena), arena));
    }
    struct value median = fold_result(&fold, approximate);
    fold_fini(&fold);
    return median.type == VALUE_DOUBLE ? median.d : NAN;
}

/* The medians of the steps that count, x the number of the step; how many. */
static size_t medians(const struct group *group, struct span window, struct line_point *points, bool *approximate,
                      struct arena *arena)
{
    const struct trend_spec *spec = group->rule->spec.trend;
    int64_t first_ms = start_of(group, spec, window);
    int64_t number = (first_ms - window.start_ms + spec->step_ms - 1) / spec->step_ms;
    struct cursor cursor = {0, 0};
    size_t n = 0;
    for (;; number++) {
        struct span step = {window.start_ms + number * spec->step_ms, window.start_ms + (number + 1) * spec->step_ms};
        if (step.end_ms > window.end_ms)
            return n;
        double median = median_of(group, step, &cursor, approximate, arena);
        if (isfinite(median))
            points[n++] = (struct line_point){number, median};
    }
}

/* How long from the window's end until the line is at the limit; null: it moves away from it. */
static struct value eta_of(const struct line *line, double current, const struct trend_spec *spec)
{
    double to_go = spec->limit - current;
    double from_start = spec->limit - line->at_start;
    bool crossed = from_start != 0 && (to_go < 0) != (from_start < 0);
    if (line->slope == 0)
        return value_null();
    if (to_go == 0 || crossed)
        return value_span_ms(0);
    double eta_ms = round(to_go / line->slope * (double)spec->step_ms);
    return eta_ms >= 0 && eta_ms <= ETA_MS_MAX ? value_span_ms((int64_t)eta_ms) : value_null();
}

static void forecast(const struct group *group, struct span window, struct evaluation *out, struct value *outputs,
                     struct arena *arena)
{
    const struct trend_spec *spec = group->rule->spec.trend;
    size_t steps = (size_t)((window.end_ms - window.start_ms) / spec->step_ms);
    struct line_point *points = arena_alloc(arena, (steps + 1) * sizeof *points);
    size_t n = medians(group, window, points, &out->approximate, arena);
    struct line line;
    bool drawn =
        spec->method == TREND_THEIL_SEN ? line_theil_sen(points, n, &line) : line_least_squares(points, n, &line);
    if (!drawn)
        return;
    /* Points stand in the middle of their steps. */
    int64_t since_ms = window.end_ms - window.start_ms - points[0].x * spec->step_ms;
    double current = line.at_start + line.slope * ((double)since_ms / (double)spec->step_ms - 0.5);
    outputs[TREND_SLOPE_PER_HOUR] = value_double(line.slope * ((double)HOUR_MS / (double)spec->step_ms));
    outputs[TREND_FIT] = value_double(line.fit);
    outputs[TREND_CURRENT] = value_double(current);
    if ((int64_t)n >= spec->min_points && line.fit >= spec->min_fit && line.fit >= line.step_fit && isfinite(current))
        outputs[TREND_ETA] = eta_of(&line, current, spec);
}

static bool measure(struct detector_context *context, struct group *group, struct span window, struct evaluation *out,
                    struct value *slots)
{
    const struct trend_spec *spec = group->rule->spec.trend;
    struct view *view = view_new(group, context->arena);
    bool resets = false;
    for (size_t i = 0; i < group->entry_count; i++) {
        const struct entry *entry = &group->entries[i];
        bool inside = entry->time_ms >= window.start_ms && entry->time_ms < window.end_ms;
        if (inside && (entry->inputs >> spec->of & 1) != 0)
            view_entry(view, entry, false, context->arena);
        else
            resets |= inside;
    }
    for (size_t i = 0; i < group->pane_count; i++)
        if (group->panes[i]->start_ms >= window.start_ms && group->panes[i]->start_ms < window.end_ms)
            view_pane(view, group->panes[i]);
    if (out != NULL) {
        forecast(group, window, out, &slots[OUT_FIXED_COUNT], context->arena);
        view_evaluate(view, context, out, slots);
    }
    bool empty = view_empty(view) && !resets;
    view_fini(view);
    return empty;
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    hopping_timer(context, group, time_ms, measure);
}

const struct detector_ops detector_trend = {
    .on_event = hopping_on_event, .on_pane = hopping_on_pane, .on_timer = on_timer, .blind = true};
