/* What panes, events, timers and windows' ends do to groups, and what follows from it. */
#include "base/log.h"
#include "engine/reduce_parts.h"

enum { WALK_STEP = 256 }; /* records of groups that a walk looks at before others have their turn */

static struct detector_context detector_context(struct reduce *reduce, int rule_number)
{
    return (struct detector_context){.state = reduce->options.state,
                                     .arena = &reduce->arena,
                                     .window_events_max = reduce->options.config->window_events_max,
                                     .partial_matches_max = reduce->options.config->partial_matches_max,
                                     .first_ms = reduce->first_ms,
                                     .since_ms = known_rules_since(reduce->known, rule_number),
                                     .counters = &reduce->counters.detector};
}

/* Where groups share recommendations each is told from those that have had no part yet. */
static void mark_detected(struct reduce *reduce, struct group *group)
{
    if (group->detected || !rule_is_shared(group->rule))
        return;
    group->detected = true;
    if (!group_is_empty(group))
        group_save(group, reduce->options.state);
}

/* A scorecard is published, and read by rules. Its record has no place to say that it is capped: the log says so once,
 * the counters how often. */
static void scored(struct reduce *reduce, const struct group *group, const struct evaluation *evaluation)
{
    struct arena *arena = &reduce->arena;
    uint64_t capped = reduce->counters.scorecard.capped;
    struct scorecard_record record = scorecard_record(group, evaluation, &reduce->counters.scorecard, arena);
    if (capped == 0 && reduce->counters.scorecard.capped > 0)
        log_warn("a scorecard's window holds more than limits.window_events: the newest of it are shown",
                 LOG_T("scorecard", record.id));
    reduce->counters.scorecards += evaluation->time_ms >= reduce->options.counted_from_ms;
    if (reduce->options.score != NULL)
        reduce->options.score(reduce->options.context, &record, evaluation->time_ms);
    if (group->rule->is_read)
        detections_send_scorecard(reduce->detections, group, record.map, evaluation->time_ms, &reduce->ways, arena);
}

/* What a detector said goes to the recommendation stage, and its detections to the rules that read them. */
static int evaluated(struct reduce *reduce, struct group *group, const struct detector_context *context,
                     struct error *err)
{
    for (size_t i = 0; i < context->evaluation_count; i++) {
        struct evaluation *evaluation = context->evaluations[i];
        evaluation->evicted = groups_evicted(reduce->groups, group);
        bool counts = evaluation->time_ms >= reduce->options.counted_from_ms;
        reduce->counters.evaluations++;
        reduce->counters.firings += counts && evaluation->firing;
        reduce->counters.detections += counts && evaluation->detection;
        if (evaluation->detection && group->rule->is_read)
            detections_send(reduce->detections, group, evaluation, &reduce->ways, &reduce->arena);
        if (group->rule->scorecard != NULL)
            scored(reduce, group, evaluation);
        if (group->rule->recommend != NULL)
            TRY(recommender_evaluated(reduce->recommender, group, evaluation, &reduce->arena, err));
        if (evaluation->detection)
            mark_detected(reduce, group);
    }
    return 0;
}

static void arm_walk(const struct reduce *reduce, int rule_number)
{
    const struct walk *walk = groups_walk(reduce->groups, rule_number);
    if (walk->next_ms != INT64_MAX)
        inbox_timer(reduce->inbox, walk->next_ms, PENDING_WINDOW_CLOSE, rule_number, walk->from);
}

/* The rule's walk comes no later than the group wants it. */
static void ask_walk(const struct reduce *reduce, const struct group *group)
{
    struct walk *walk = groups_walk(reduce->groups, group->rule_number);
    if (group->timer_ms < walk->later_ms)
        walk->later_ms = group->timer_ms;
    if (group->timer_ms >= walk->next_ms)
        return;
    walk->next_ms = group->timer_ms;
    arm_walk(reduce, group->rule_number);
}

/* Has the group's timer waited for, bounds the number of groups, and forgets an empty one. */
static int settle(struct reduce *reduce, struct group *group, bool newcomer, struct error *err)
{
    if (group_is_walked(group->rule))
        ask_walk(reduce, group);
    else
        timers_arm(reduce->timers, group);
    if (newcomer && !group_is_empty(group)) {
        size_t evicted = 0;
        TRY(groups_bound(reduce->groups, group, &evicted, err));
        reduce->counters.groups_evicted += evicted;
    }
    groups_settle(reduce->groups, group, newcomer);
    return 0;
}

int reduce_pane(struct reduce *reduce, struct pending_item *item, struct error *err)
{
    struct pane *pane = item->pane;
    struct group *group = NULL;
    item->pane = NULL;
    if (groups_get_blind(reduce->groups, item->rule, item->group, item->key, &group, err) != 0) {
        pane_free(pane);
        return -1;
    }
    struct detector_context context = detector_context(reduce, group->rule_number);
    bool newcomer = group_is_empty(group);
    reduce->counters.panes++;
    detector_of(group->rule)->on_pane(&context, group, pane);
    TRY(evaluated(reduce, group, &context, err));
    return settle(reduce, group, newcomer, err);
}

int reduce_group_timer(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct group *group = NULL;
    bool due;
    TRY(timers_take(reduce->timers, item, &due, err));
    if (due)
        TRY(groups_get(reduce->groups, item->rule, item->group, (struct str){NULL, 0}, &group, err));
    if (due && (group == NULL || group->armed_ms != item->time_ms))
        timers_drop(reduce->timers, item);
    if (group == NULL || group->armed_ms != item->time_ms)
        return 0;
    group->fired = true;
    if (group->timer_ms != item->time_ms) { /* it has moved on since */
        group_save(group, reduce->options.state);
        timers_arm(reduce->timers, group);
        return 0;
    }
    struct detector_context context = detector_context(reduce, group->rule_number);
    detector_of(group->rule)->on_timer(&context, group, item->time_ms);
    ASSERT(!group->fired); /* it has saved the group, or removed it */
    TRY(evaluated(reduce, group, &context, err));
    return settle(reduce, group, false, err);
}

int reduce_touch(struct reduce *reduce, const struct touch *touch, int64_t time_ms, bool is_row, struct error *err)
{
    struct group *group = NULL;
    TRY(groups_get(reduce->groups, touch->rule_number, touch->hash, touch->key, &group, err));
    struct detector_context context = detector_context(reduce, group->rule_number);
    bool newcomer = group_is_empty(group);
    bool recommends =
        group->rule->recommend != NULL && is_row && (touch->selection.before != 0 || rule_is_shared(group->rule));
    detector_of(group->rule)->on_event(&context, group, touch->event, touch->selection, time_ms);
    if (recommends) {
        struct recommender_change change = {.row = touch->event,
                                            .selected = touch->selection.after != 0,
                                            .publish = context.evaluation_count == 0,
                                            .time_ms = time_ms};
        TRY(recommender_row(reduce->recommender, group, &change, &reduce->arena, err));
    }
    TRY(evaluated(reduce, group, &context, err));
    return settle(reduce, group, newcomer, err);
}

static int walk_group(struct reduce *reduce, struct group *group, int64_t time_ms, struct error *err)
{
    struct detector_context context = detector_context(reduce, group->rule_number);
    detector_of(group->rule)->on_timer(&context, group, time_ms);
    TRY(evaluated(reduce, group, &context, err));
    TRY(settle(reduce, group, false, err));
    recommender_settle(reduce->recommender, time_ms, &reduce->arena);
    groups_shrink(reduce->groups);
    arena_reset(&reduce->arena);
    return 0;
}

static int walk_some(struct reduce *reduce, const struct pending_item *item, struct walk *walk, struct error *err)
{
    size_t step = reduce->options.work_max < WALK_STEP ? reduce->options.work_max : WALK_STEP;
    size_t left = step;
    struct group *group;
    if (walk->from == 0)
        walk->later_ms = INT64_MAX;
    do {
        TRY(groups_walk_next(reduce->groups, item->rule, &left, &group, err));
        if (group != NULL)
            TRY(walk_group(reduce, group, item->time_ms, err));
    } while (group != NULL);
    if (left > 0)
        groups_walk_over(reduce->groups, item->rule);
    arm_walk(reduce, item->rule);
    reduce->work += step - left;
    return 0;
}

int reduce_walk(struct reduce *reduce, struct pending_item *item, struct error *err)
{
    struct walk *walk = groups_walk(reduce->groups, item->rule);
    bool wanted = item->time_ms == walk->next_ms && item->group == walk->from; /* else it was asked for earlier since */
    if (wanted)
        TRY(walk_some(reduce, item, walk, err));
    ASSERT(walk->next_ms > item->time_ms || walk->from > 0);
    /* Its place is that of the last one done. */
    item->group = walk->next_ms > item->time_ms ? UINT64_MAX : walk->from - 1;
    return 0;
}

/* A walk at the place, or one that comes before it, goes on behind it. */
static void resume_walk(const struct reduce *reduce, int rule_number, const struct pending_item *place)
{
    const struct rule *rule = &reduce->options.rules->rules[rule_number];
    struct walk *walk = groups_walk(reduce->groups, rule_number);
    const struct pending_item end = {.time_ms = place->time_ms,
                                     .level = rule->level,
                                     .kind = PENDING_WINDOW_CLOSE,
                                     .rule = rule_number,
                                     .group = UINT64_MAX};
    int64_t after_ms = group_timer_at(rule, INT64_MIN, place->time_ms + 1);
    if (!pending_before(place, &end))
        *walk = (struct walk){.next_ms = after_ms, .later_ms = INT64_MAX, .past_ms = place->time_ms + 1};
    else if (place->kind == PENDING_WINDOW_CLOSE && place->level == rule->level && place->rule == rule_number)
        *walk = (struct walk){
            .next_ms = place->time_ms, .from = place->group + 1, .later_ms = after_ms, .past_ms = place->time_ms};
}

int reduce_arm_groups(struct reduce *reduce, struct error *err)
{
    for (size_t i = 0; i < reduce->options.rules->all_count; i++) {
        const struct pending_item *place = inbox_place(reduce->inbox, reduce->options.rules->rules[i].stage);
        if (!group_is_walked(&reduce->options.rules->rules[i]))
            continue;
        if (place != NULL)
            resume_walk(reduce, (int)i, place);
        arm_walk(reduce, (int)i);
    }
    return timers_restore(reduce->timers, err);
}
