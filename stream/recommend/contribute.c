/* Contributions to a recommendation.
 *
 * A recommendation of one group counts what its window held at the first detection and all that was selected since.
 * Where groups share one, that is so from the first detection of any of them, and a group adds at its own first
 * detection what its window holds of before. Rows are distinct, whatever the group; an event counts once a group.
 */
#include "recommend/contribute.h"

static void see(struct recommendation *it, int64_t first_ms, int64_t last_ms)
{
    it->first_seen_ms = first_ms < it->first_seen_ms ? first_ms : it->first_seen_ms;
    it->last_seen_ms = last_ms > it->last_seen_ms ? last_ms : it->last_seen_ms;
}

static void see_service(struct recommendation *it, struct value service)
{
    if (service.type == VALUE_STRING)
        recommendation_add_service(it, value_as_str(service));
}

/* Keeps the row as it is now; true where it had not been remembered. */
static bool remember(const struct contribution_call *call, const struct event *row, bool selected)
{
    struct remembered_choice choice = {.group = remembered_is_row(row) ? call->group->hash : REMEMBERED_NO_GROUP,
                                       .selected = selected,
                                       .shared = rule_is_shared(call->it->is.rule)};
    enum remember_result result = recommendation_remember(call->it, call->state, row, choice);
    call->it->had_incident |= row->stream->id == STREAM_INCIDENT;
    const struct remembered *known = result == REMEMBER_SAME ? NULL : recommendation_row(call->it, row);
    if (known != NULL && known->end_ms != INT64_MIN && known->end_ms < known->start_ms)
        ++*call->spans_left_out;
    return result == REMEMBER_NEW;
}

bool contribute_row(const struct contribution_call *call, const struct event *row, bool selected)
{
    struct recommendation *it = call->it;
    const struct remembered *known = recommendation_row(it, row);
    if (known == NULL)
        return false;
    bool counted = known->selected;
    (void)remember(call, row, selected);
    if (!known->selected)
        evidence_remove(&it->evidence, row);
    else if (counted)
        evidence_update(&it->evidence, row);
    else
        evidence_add(&it->evidence, row, call->evidence_max);
    return true;
}

/* An event or row that counts from now on. */
static void take(const struct contribution_call *call, const struct contribution *contribution, bool sliding)
{
    struct recommendation *it = call->it;
    const struct event *event = contribution->event;
    evidence_add(&it->evidence, event, call->evidence_max);
    if (contribution->stands_for_many)
        return;
    see(it, event->time_ms, event->time_ms);
    if (event->stream->service_field >= 0)
        see_service(it, event->values[event->stream->service_field]);
    /* Deployments are remembered only where they are counted one by one. */
    bool kept = remembered_takes(event) && (sliding || event->stream->id == STREAM_INCIDENT);
    bool new = !kept || remember(call, event, true);
    if (sliding && (new || !remembered_is_row(event)))
        it->occurrences++;
}

/* True where the contribution to a shared recommendation, in a sliding window, did not count before this evaluation. */
static bool counts_shared(const struct contribution_call *call, const struct evaluation *evaluation,
                          const struct contribution *contribution)
{
    const struct recommendation *it = call->it;
    bool joins = evaluation->detection && !call->group->detected;
    if (remembered_is_row(contribution->event) || it->is.rule->recommend->per_kind == PER_OUTPUTS)
        return contribution->selected_now || joins;
    /* Events are not remembered, so whether one counted follows from when it was selected: until the group's own first
     * detection only what comes after the recommendation's does. */
    if (contribution->selected_now)
        return joins || call->group->detected || evaluation->time_ms > it->since_ms;
    return joins && contribution->event->time_ms <= it->since_ms;
}

static bool counts(const struct contribution_call *call, const struct evaluation *evaluation, bool first,
                   const struct contribution *contribution)
{
    if (first || !evaluation->sliding)
        return first || evaluation->when;
    if (rule_is_shared(call->it->is.rule))
        return counts_shared(call, evaluation, contribution);
    return contribution->selected_now;
}

static void take_contributions(const struct contribution_call *call, const struct evaluation *evaluation, bool first)
{
    for (size_t i = evaluation->contribution_count; i > 0; i--) { /* the newest first: bounded lists keep those */
        const struct contribution *contribution = &evaluation->contributions[i - 1];
        if (counts(call, evaluation, first, contribution))
            take(call, contribution, evaluation->sliding);
        else if (!contribution->stands_for_many && remembered_is_row(contribution->event))
            (void)contribute_row(call, contribution->event, true);
    }
}

/* Panes do not say of their events one by one when and where they were. */
static void take_outputs(struct recommendation *it, const struct value *slots)
{
    if (slots[OUT_FIRST_SEEN].type == VALUE_TIMESTAMP && slots[OUT_LAST_SEEN].type == VALUE_TIMESTAMP)
        see(it, value_ms(slots[OUT_FIRST_SEEN]), value_ms(slots[OUT_LAST_SEEN]));
    for (uint32_t i = 0; slots[OUT_SERVICES].type == VALUE_LIST && i < slots[OUT_SERVICES].n; i++)
        see_service(it, slots[OUT_SERVICES].items[i]);
}

static void count(struct recommendation *it, const struct evaluation *evaluation, bool first)
{
    it->firings += evaluation->firing;
    if (evaluation->detection)
        recommendation_add_detection(it, evaluation->time_ms);
    if (evaluation->firing)
        recommendation_add_day(it, evaluation->time_ms);
    if (!evaluation->sliding)
        it->occurrences = it->firings;
    else if (first) /* the window held them already */
        it->occurrences = evaluation->occurrences;
    it->approximate |= evaluation->approximate;
    it->capped |= evaluation->capped;
    it->evicted |= evaluation->evicted;
}

void contribute_evaluation(const struct contribution_call *call, const struct evaluation *evaluation, bool first)
{
    take_contributions(call, evaluation, first);
    count(call->it, evaluation, first);
    if (evaluation->when && !evaluation->sliding)
        take_outputs(call->it, evaluation->slots);
}
