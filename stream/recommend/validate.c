/* Comparing before and after. What is compared comes from the rule's history, from the rows that contributed where
 * `per` names an output, and from the days with detections. */
#include "recommend/validate.h"

#include <math.h>

/* Of some days: what the measures say of them. */
struct measured {
    double incidents;
    double count; /* what min_before is about: incidents, or events, or detections */
    const double *values;
};

static double number_of(struct value v)
{
    switch ((enum value_type)v.type) {
    case VALUE_DOUBLE:
        return v.d;
    case VALUE_INT:
        return (double)v.i;
    case VALUE_UINT:
        return (double)v.u;
    case VALUE_DURATION:
        return (double)value_ms(v);
    default:
        return NAN;
    }
}

static bool is_span(const struct measure *measure)
{
    return measure->kind == MEASURE_MTTR || measure->kind == MEASURE_MTTD ||
           (measure->kind == MEASURE_VALUE && cel_result_type(measure->value).type == VALUE_DURATION);
}

/* The rows that contributed, as the fixed outputs have incidents: by earliest opening, from the first start to the last
 * end, unresolved while one of its rows is. */
static void from_rows(const struct recommendation *it, struct span span, struct value *slots)
{
    double incidents = 0;
    double resolved = 0;
    double lost_ms = 0;
    for (size_t i = 0, end; i < it->row_count; i = end) {
        end = i + 1;
        if (!remembered_is_incident(it->rows[i]))
            continue;
        end = remembered_incident_end(it->rows, it->row_count, i);
        int64_t opened_ms = INT64_MAX;
        int64_t start_ms = INT64_MAX;
        int64_t last_ms = INT64_MIN;
        bool open = false;
        for (size_t k = i; k < end; k++) {
            const struct remembered *row = it->rows[k];
            if (!row->selected)
                continue;
            int64_t row_start_ms = row->start_ms != INT64_MIN ? row->start_ms : row->opened_ms;
            opened_ms = row->opened_ms < opened_ms ? row->opened_ms : opened_ms;
            start_ms = row_start_ms < start_ms ? row_start_ms : start_ms;
            last_ms = row->end_ms > last_ms ? row->end_ms : last_ms;
            open |= row->end_ms == INT64_MIN;
        }
        if (opened_ms < span.start_ms || opened_ms >= span.end_ms)
            continue;
        incidents++;
        if (open || last_ms < start_ms)
            continue;
        resolved++;
        lost_ms += (double)(last_ms - start_ms);
    }
    slots[OUT_INCIDENTS] = value_double(incidents);
    slots[OUT_MINUTES_LOST] = value_double(lost_ms / (double)MINUTE_MS);
    if (resolved > 0)
        slots[OUT_MTTR] = value_span_ms((int64_t)(lost_ms / resolved));
}

static struct value value_of(const struct measure *measure, const struct history_sum *sum, double detections,
                             struct arena *arena)
{
    static const enum output_slot slots[] = {[MEASURE_INCIDENTS] = OUT_INCIDENTS,
                                             [MEASURE_MTTR] = OUT_MTTR,
                                             [MEASURE_MTTD] = OUT_MTTD,
                                             [MEASURE_MINUTES_LOST] = OUT_MINUTES_LOST};
    if (measure->kind == MEASURE_DETECTIONS)
        return value_double(detections);
    if (measure->kind == MEASURE_VALUE)
        return cel_eval(measure->value,
                        &(struct cel_frame){.slots = sum->slots, .slot_count = sum->slot_count, .arena = arena});
    return sum->slots[slots[measure->kind]];
}

static void note_output(void *context, int slot)
{
    *(bool *)context |= slot < OUT_FIXED_COUNT;
}

/* Some measure is: then without incidents there is nothing to compare. */
static bool is_over_incidents(const struct validation *validation)
{
    bool any = false;
    for (size_t i = 0; i < validation->measure_count; i++) {
        const struct measure *measure = &validation->measures[i];
        any |= measure->kind != MEASURE_DETECTIONS && measure->kind != MEASURE_VALUE;
        if (measure->kind == MEASURE_VALUE)
            cel_slots(measure->value, note_output, &any);
    }
    return any;
}

static int measure(const struct validate_call *call, struct span span, struct measured *out, struct error *err)
{
    struct recommendation *it = call->it;
    const struct rule *rule = it->is.rule;
    const struct validation *validation = rule->validation;
    struct value *slots = arena_zalloc(call->arena, rule_slot_count(rule) * sizeof *slots);
    struct history_sum sum = {.slots = slots, .slot_count = rule_slot_count(rule)};
    double detections = (double)comparison_detections(&it->comparison, span.start_ms, span.end_ms);
    if (rule->history != NULL)
        TRY(call->history(call->context, rule->history, it->is.hash, span, call->arena, &sum, err));
    else
        from_rows(it, span, slots);
    double *values = arena_alloc(call->arena, (validation->measure_count + 1) * sizeof *values);
    for (size_t i = 0; i < validation->measure_count; i++)
        values[i] = number_of(value_of(&validation->measures[i], &sum, detections, call->arena));
    it->approximate |= sum.approximate;
    it->capped |= sum.capped;
    double incidents = number_of(sum.slots[OUT_INCIDENTS]);
    out->values = values;
    out->incidents = isnan(incidents) ? 0 : incidents;
    out->count = out->incidents;
    if (out->incidents == 0 && !is_over_incidents(validation))
        out->count = rule->history != NULL ? (double)sum.events : detections;
    return 0;
}

static struct value as_value(const struct measure *measure, double number)
{
    if (isnan(number))
        return value_null();
    return is_span(measure) ? value_span_ms((int64_t)number) : value_double(number);
}

/* Whether the measure is met, as far as that can be told. */
static enum comparison_met met(const struct validate_call *call, const struct measure *measure,
                               const struct compared *compared, const struct measured *after)
{
    const struct comparison *comparison = &call->it->comparison;
    if (is_span(measure) && isnan(compared->after) && call->it->is.rule->reads_incidents && after->incidents == 0)
        return MET_YES; /* no incident, no time lost */
    double before = compared->before;
    if (measure->scales)
        before *= (double)comparison->after_days / (double)comparison->before_days;
    struct value slots[] = {as_value(measure, before), as_value(measure, compared->after)};
    if (value_is_null(slots[0]) || value_is_null(slots[1]))
        return MET_UNKNOWN;
    struct value v = cel_eval(measure->met, &(struct cel_frame){.slots = slots, .slot_count = 2, .arena = call->arena});
    return v.type != VALUE_BOOL ? MET_UNKNOWN : v.b ? MET_YES : MET_NO;
}

/* One that is not met decides; what is unknown, or too little before, leaves it open. */
static enum comparison_state conclude(const struct validate_call *call, const struct measured *after)
{
    const struct validation *validation = call->it->is.rule->validation;
    struct comparison *comparison = &call->it->comparison;
    enum comparison_state state = COMPARISON_VALIDATED;
    for (size_t i = 0; i < validation->measure_count; i++) {
        struct compared *compared = comparison_measure(comparison, validation->measures[i].name);
        compared->met = met(call, &validation->measures[i], compared, after);
        if (compared->met == MET_NO)
            state = COMPARISON_INEFFECTIVE;
        else if (compared->met == MET_UNKNOWN && state == COMPARISON_VALIDATED)
            state = COMPARISON_INCONCLUSIVE;
    }
    return comparison->enough ? state : COMPARISON_INCONCLUSIVE;
}

static int begin(const struct validate_call *call, struct error *err)
{
    const struct validation *validation = call->it->is.rule->validation;
    struct comparison *comparison = &call->it->comparison;
    struct measured before;
    comparison_clear(comparison);
    comparison->day_ms = time_day(call->time_ms);
    comparison->before_days = validation->before_days;
    comparison->after_days = validation->after_days;
    comparison->look_ms = comparison_after_ms(comparison);
    TRY(measure(call, (struct span){comparison_before_ms(comparison), comparison->day_ms}, &before, err));
    comparison->enough = before.count >= (double)validation->min_before;
    for (size_t i = 0; i < validation->measure_count; i++)
        comparison_measure(comparison, validation->measures[i].name)->before = before.values[i];
    return 0;
}

int validate_follow(const struct validate_call *call, enum life_status before, struct error *err)
{
    struct recommendation *it = call->it;
    enum life_status now = it->life.status;
    if (now == before)
        return 0;
    if (now == LIFE_IMPLEMENTED && it->is.rule->validation != NULL)
        return begin(call, err);
    if (it->comparison.look_ms != INT64_MAX) /* left before it was decided */
        comparison_clear(&it->comparison);
    return 0;
}

static void step(const struct validate_call *call, enum life_status to)
{
    const struct lifecycle_step made = {.to = to, .at_ms = call->time_ms, .actor = str_of(LIFE_ENGINE), .comment = {0}};
    lifecycle_transition(call->it, &made);
}

int validate_look(const struct validate_call *call, struct error *err)
{
    static const enum life_status ends[COMPARISON_STATES] = {[COMPARISON_VALIDATED] = LIFE_VALIDATED,
                                                             [COMPARISON_INEFFECTIVE] = LIFE_INEFFECTIVE,
                                                             [COMPARISON_INCONCLUSIVE] = LIFE_IMPLEMENTED};
    struct recommendation *it = call->it;
    struct comparison *comparison = &it->comparison;
    const struct validation *validation = it->is.rule->validation;
    if (validation == NULL) { /* the rule measures no longer */
        comparison_clear(comparison);
        return 0;
    }
    if (it->life.status == LIFE_IMPLEMENTED) {
        step(call, LIFE_VALIDATING);
        comparison->state = COMPARISON_RUNNING;
    }
    int64_t end_ms = comparison_end_ms(comparison);
    bool over = call->time_ms >= end_ms;
    struct measured after;
    struct span span = {comparison_after_ms(comparison), over ? end_ms : call->time_ms};
    TRY(measure(call, span, &after, err));
    for (size_t i = 0; i < validation->measure_count; i++)
        comparison_measure(comparison, validation->measures[i].name)->after = after.values[i];
    comparison->look_ms = over ? INT64_MAX : time_day(call->time_ms) + DAY_MS;
    if (over) {
        comparison->state = conclude(call, &after);
        step(call, ends[comparison->state]);
    }
    return 0;
}

int64_t validate_reach_ms(const struct rule *rule)
{
    const struct validation *validation = rule->validation;
    if (validation == NULL || rule->recommend == NULL || rule->recommend->per_kind != PER_OUTPUTS)
        return 0;
    int64_t days = validation->before_days > validation->after_days ? validation->before_days : validation->after_days;
    return (days + 2) * DAY_MS;
}

bool validate_counts_detections(const struct rule *rule)
{
    for (size_t i = 0; rule->validation != NULL && i < rule->validation->measure_count; i++)
        if (rule->validation->measures[i].kind == MEASURE_DETECTIONS)
            return true;
    return false;
}
