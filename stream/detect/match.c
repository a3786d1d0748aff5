/* Evaluations over a list of events. */
#include "detect/match.h"

#include "detect/statistics.h"

struct match match_begin(struct detector_context *context, const struct group *group, int64_t time_ms,
                         const struct contribution *contributions, size_t n)
{
    struct match match;
    match.evaluation = detector_evaluation(context, group, time_ms, &match.slots);
    match.outputs = match.slots + OUT_FIXED_COUNT;
    match.evaluation->contributions = contributions;
    match.evaluation->contribution_count = n;
    match.evaluation->capped = group->capped;
    int64_t first_ms = INT64_MAX;
    int64_t last_ms = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        int64_t at_ms = contributions[i].event->time_ms;
        first_ms = at_ms < first_ms ? at_ms : first_ms;
        last_ms = at_ms > last_ms ? at_ms : last_ms;
    }
    match.slots[OUT_FIRST_SEEN] = value_time_ms(first_ms);
    match.slots[OUT_LAST_SEEN] = value_time_ms(last_ms);
    match.slots[OUT_EVENTS] = value_double((double)n);
    match.slots[OUT_GROUP] = group_key_values(group->key, context->arena);
    statistics_incidents(contributions, n, context->arena, match.slots);
    statistics_names(contributions, n, NULL, 0, context->arena, match.slots);
    return match;
}

struct match match_begin_one(struct detector_context *context, const struct group *group, int64_t time_ms,
                             const struct event *event)
{
    struct contribution *contribution = arena_zalloc(context->arena, sizeof *contribution);
    contribution->event = event;
    return match_begin(context, group, time_ms, contribution, 1);
}

void match_decide(struct detector_context *context, const struct group *group, const struct match *match)
{
    match->evaluation->when = detector_when(context, group, match->evaluation);
    match->evaluation->firing = match->evaluation->detection = match->evaluation->when;
}
