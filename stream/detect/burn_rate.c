/* `burn_rate`: how fast what is bad uses up an error budget, over pairs of windows that end together each minute.
 *
 * burn = bad / (all * budget); at 1 the budget lasts just as long as the objective is meant for. A pair fires while its
 * long and its short burn are both above its factor, as the alerts of the SRE workbook do: the long one says that it
 * matters, the short one that it goes on.
 *
 * A group holds what a hopping window of the longest of them holds: a pane a minute with events, and the entries of
 * rows. Each window has a running total of its panes, to which a minute's pane is added and from which the one that
 * leaves is taken, so that an evaluation is O(windows * log panes), whatever their length. The totals are no state:
 * they are made anew, O(windows * panes), after the group was loaded, and each minute where a function cannot lose what
 * it merged (min, percentiles, distinct). Entries are read again each minute, since rows change.
 */
#include "detect/hopping.h"

#include <math.h>
#include <stdlib.h>

enum side { BAD, ALL, SIDE_COUNT };

struct total {
    int64_t size_ms;
    struct fold sides[SIDE_COUNT];
};

/* The totals as the next evaluation needs them: without what will have left by then, and without its own minute. */
struct totals {
    int64_t told_ms; /* the end of the last evaluation */
    size_t count;
    struct total windows[2 * RULE_BURN_PAIRS_MAX]; /* of pair i the long one at 2 i, then the short one */
};

/* The number of the function, among the rule's and in a pane. */
static int function_of(const struct rule *rule, int side)
{
    return side == BAD ? rule->spec.burn->bad_aggregate : rule->spec.burn->all_aggregate;
}

static const struct aggregate *aggregate_of(const struct rule *rule, int side)
{
    return &rule->aggregates[function_of(rule, side)];
}

static void totals_free(void *detail)
{
    struct totals *totals = detail;
    for (size_t i = 0; i < totals->count; i++)
        for (int side = 0; side < SIDE_COUNT; side++)
            fold_fini(&totals->windows[i].sides[side]);
    free(totals);
}

static void totals_forget(struct group *group)
{
    if (group->detail != NULL)
        totals_free(group->detail);
    group->detail = NULL;
    group->detail_bytes = 0;
}

/* Of nothing yet. */
static struct totals *totals_make(struct group *group)
{
    const struct burn_spec *spec = group->rule->spec.burn;
    struct totals *totals = mem_zalloc(sizeof *totals);
    totals_forget(group);
    totals->count = 2 * spec->pair_count;
    for (size_t i = 0; i < totals->count; i++) {
        struct total *total = &totals->windows[i];
        total->size_ms = i % 2 == 0 ? spec->pairs[i / 2].long_ms : spec->pairs[i / 2].short_ms;
        for (int side = 0; side < SIDE_COUNT; side++)
            fold_init(&total->sides[side], aggregate_of(group->rule, side)->function);
    }
    group->detail = totals;
    group->detail_free = totals_free;
    group->detail_bytes = sizeof *totals;
    return totals;
}

/* Adds the panes of [start, end), or takes them away. */
static void total_change(const struct group *group, struct total *total, struct span span, bool add)
{
    for (size_t i = group_first_pane(group, span.start_ms);
         i < group->pane_count && group->panes[i]->start_ms < span.end_ms; i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct fold *fold = &group->panes[i]->folds[function_of(group->rule, side)];
            if (add)
                fold_merge(&total->sides[side], fold);
            else
                fold_take_away(&total->sides[side], fold);
        }
}

/* The totals of the windows that end at `end_ms`. */
static struct totals *totals_at(struct group *group, int64_t end_ms)
{
    struct totals *totals = group->detail;
    int64_t minute_ms = end_ms - group->rule->window.slide_ms;
    bool follows = totals != NULL && totals->told_ms == minute_ms;
    if (!follows)
        totals = totals_make(group);
    for (size_t i = 0; i < totals->count; i++) {
        int64_t start_ms = follows ? minute_ms : end_ms - totals->windows[i].size_ms;
        total_change(group, &totals->windows[i], (struct span){start_ms, end_ms}, true);
    }
    totals->told_ms = end_ms;
    return totals;
}

/* Makes them ready for the next minute, while what leaves by then is still there. */
static void totals_pass(struct group *group, struct totals *totals)
{
    bool can_lose = true;
    for (int side = 0; side < SIDE_COUNT; side++)
        can_lose &= fold_can_lose(aggregate_of(group->rule, side)->function);
    if (!can_lose) {
        totals_forget(group);
        return;
    }
    for (size_t i = 0; i < totals->count; i++) {
        int64_t start_ms = totals->told_ms - totals->windows[i].size_ms;
        total_change(group, &totals->windows[i], (struct span){start_ms, start_ms + group->rule->window.slide_ms},
                     false);
    }
}

/* The function over a window's panes and entries; NaN: it is null. */
static double value_of(const struct group *group, struct total *total, enum side side, int64_t end_ms,
                       struct evaluation *out, struct arena *arena)
{
    const struct aggregate *aggregate = aggregate_of(group->rule, side);
    bool reads_event = aggregate->expr != NULL;
    struct fold fold;
    fold_init(&fold, aggregate->function);
    fold_merge(&fold, &total->sides[side]);
    for (size_t i = group_first_entry(group, end_ms - total->size_ms);
         i < group->entry_count && group->entries[i].time_ms < end_ms; i++) {
        const struct entry *entry = &group->entries[i];
        if ((entry->inputs >> aggregate->input & 1) != 0)
            fold_add(&fold,
                     reads_event ? view_value(aggregate, detector_entry_event(entry, arena), arena) : value_null());
    }
    struct value value = fold_result(&fold, &out->approximate);
    fold_fini(&fold);
    return value.type == VALUE_DOUBLE ? value.d : NAN;
}

/* NaN: unknown, for there is nothing, or no number, to compare with. */
static double burn_of(const struct group *group, struct total *total, int64_t end_ms, struct evaluation *out,
                      struct arena *arena)
{
    double bad = value_of(group, total, BAD, end_ms, out, arena);
    double all = value_of(group, total, ALL, end_ms, out, arena);
    double burn = bad / (all * group->rule->spec.burn->budget);
    return all > 0 && isfinite(all) && isfinite(burn) ? burn : NAN;
}

static struct value number_or_null(double d)
{
    return isnan(d) ? value_null() : value_double(d);
}

/* Fills the outputs; the pair that they are of: the first that fires, else the first. Pairs that reach back beyond
 * `since_ms` are unknown. */
static const struct burn_pair *tell(struct group *group, int64_t end_ms, int64_t since_ms, struct evaluation *out,
                                    struct value *outputs, struct arena *arena)
{
    const struct burn_spec *spec = group->rule->spec.burn;
    struct totals *totals = totals_at(group, end_ms);
    const struct burn_pair *told = &spec->pairs[0];
    for (size_t i = 0; i < spec->pair_count; i++) {
        const struct burn_pair *pair = &spec->pairs[i];
        if (end_ms - pair->long_ms < since_ms)
            continue;
        double burn_long = burn_of(group, &totals->windows[2 * i], end_ms, out, arena);
        double burn_short = burn_of(group, &totals->windows[2 * i + 1], end_ms, out, arena);
        bool fires = burn_long > pair->factor && burn_short > pair->factor;
        if (!fires && i > 0)
            continue;
        told = pair;
        outputs[BURN_LONG] = number_or_null(burn_long);
        outputs[BURN_SHORT] = number_or_null(burn_short);
        if (fires) {
            outputs[BURN_FACTOR] = value_double(pair->factor);
            break;
        }
    }
    totals_pass(group, totals);
    return told;
}

static bool is_empty(const struct group *group, struct span window)
{
    size_t entry = group_first_entry(group, window.start_ms);
    size_t pane = group_first_pane(group, window.start_ms);
    return (entry == group->entry_count || group->entries[entry].time_ms >= window.end_ms) &&
           (pane == group->pane_count || group->panes[pane]->start_ms >= window.end_ms);
}

static bool measure(struct detector_context *context, struct group *group, struct span window, struct evaluation *out,
                    struct value *slots)
{
    bool empty = is_empty(group, window);
    if (out == NULL)
        return empty;
    const struct burn_pair *pair =
        tell(group, window.end_ms, context->since_ms, out, &slots[OUT_FIXED_COUNT], context->arena);
    struct view *view =
        view_span(group, (struct span){window.end_ms - pair->long_ms, window.end_ms}, 0, context->arena);
    view->capped = group_lacks(group, window.start_ms);
    view_evaluate(view, context, out, slots);
    view_fini(view);
    return empty;
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    hopping_timer(context, group, time_ms, measure);
}

const struct detector_ops detector_burn_rate = {
    .on_event = hopping_on_event, .on_pane = hopping_on_pane, .on_timer = on_timer, .blind = true};
